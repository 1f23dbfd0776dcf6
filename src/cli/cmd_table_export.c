/* firn table export: a copy of a table that stands by itself. */
#include "cmd_table.h"

#include "base/time.h"
#include "lake/export.h"

firn_rc firn_cmd_table_export(firn_cli *cli, firn_err *err)
{
    firn_table table;
    firn_lake_export_result result;
    firn_arena *arena = cli->arena;
    FIRN_TRY(firn_table_open(cli, firn_cli_arg(cli, 0), &table, err));
    FIRN_TRY(firn_lake_export(cli->lake, arena, &table, firn_cli_arg(cli, 1), &result, err));
    const char *name = firn_ident_text(arena, table.entry.ident);
    firn_cli_say(cli, "exported %s: %s rows, %s files, %s", name,
                 firn_format_count(arena, result.rows), firn_format_count(arena, result.files),
                 firn_format_bytes(arena, result.bytes));
    firn_cli_say(cli, "  %s", result.metadata_location);
    return FIRN_OK;
}
