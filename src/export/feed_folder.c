/* Where a feed's folder tree lies. */
#include "export/feed.h"

char *firn_export_folder(firn_lake *lake, firn_arena *arena, const firn_export_feed *feed)
{
    const char *kind = feed->kind == FIRN_EXPORT_STREAM ? "streams" : "tables";
    return firn_lake_path(lake, arena, firn_arena_printf(arena, "%s/%s", kind, feed->name));
}
