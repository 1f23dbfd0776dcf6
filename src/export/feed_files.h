/* Where the files of export feeds are, for those who write them. */
#ifndef EXPORT_FEED_FILES_H
#define EXPORT_FEED_FILES_H

#include "feed_keys.h"

char *firn_export_feeds_dir(firn_lake *lake, firn_arena *arena, bool archived);
char *firn_export_feed_path(firn_lake *lake, firn_arena *arena, const char *name, bool archived);

/* Which of the two folders a feed is in; NOT_FOUND with the nearest name. */
firn_rc firn_export_feed_find(firn_lake *lake, firn_arena *arena, const char *name, bool *archived,
                              firn_err *err) FIRN_MUST_USE;
firn_rc firn_export_feed_read(firn_lake *lake, firn_arena *arena, const char *name, bool archived,
                              firn_export_feed *out, firn_err *err) FIRN_MUST_USE;
#endif
