/* firn table register --scan: the tables of a warehouse folder, shown as a plan and registered in one commit. */
#include "cmd_table.h"

#include "base/io.h"
#include "lake/warehouse.h"

#include <inttypes.h>

static const firn_report_column COLUMNS[] = {
    {"table", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"action", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"rows", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"files", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"format", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PEOPLE},
    {"kind", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
    {"format_version", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
    {"metadata_file", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PEOPLE}, /* below the scanned folder */
    {"metadata_location", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
    {"uuid", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
    {"note", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
};
enum { N_COLUMNS = sizeof(COLUMNS) / sizeof(COLUMNS[0]) };

static const char *action_text(const firn_found *found)
{
    return found->action == FIRN_FOUND_REGISTER  ? "register"
           : found->action == FIRN_FOUND_REPLACE ? "replace"
                                                 : "skip";
}

static const char *note_of(firn_arena *arena, const firn_found *found)
{
    if (found->skip != NULL && found->note != NULL) {
        return firn_arena_printf(arena, "%s (%s)", found->skip, found->note);
    }
    return found->skip != NULL ? found->skip : found->note;
}

static firn_rc print_plan(firn_cli *cli, const char *dir, const firn_found *found, size_t n,
                          firn_err *err)
{
    firn_arena *arena = cli->arena;
    firn_report *report = firn_report_new(arena, COLUMNS, N_COLUMNS);
    for (size_t i = 0; i < n; i++) {
        const firn_found *one = &found[i];
        bool read = one->metadata != NULL;
        bool below = read && firn_starts_with(one->metadata, dir);
        const char *version = read ? firn_cli_i64(arena, one->format_version) : NULL;
        const char *cells[N_COLUMNS] = {
            firn_ident_text(arena, one->ident),
            action_text(one),
            one->rows >= 0 && !one->is_view ? firn_cli_i64(arena, one->rows) : NULL,
            one->files >= 0 && !one->is_view ? firn_cli_i64(arena, one->files) : NULL,
            one->is_view ? "view"
            : read       ? firn_arena_printf(arena, "v%s", version)
                         : NULL,
            read ? (one->is_view ? "view" : "table") : NULL,
            version,
            below ? one->metadata + strlen(dir) + strspn(one->metadata + strlen(dir), "/")
                  : one->metadata,
            one->metadata,
            one->uuid,
            note_of(arena, one)};
        firn_report_row(report, cells);
    }
    return firn_report_print(report, stdout, cli->format, NULL, err);
}

static const char *counted(firn_arena *arena, size_t n, const char *noun)
{
    return firn_arena_printf(arena, "%zu %s%s", n, noun, n == 1 ? "" : "s");
}

/* "2 tables and 1 view" */
static const char *what_is_registered(firn_arena *arena, const firn_found *found, size_t n)
{
    size_t tables = 0, views = 0;
    for (size_t i = 0; i < n; i++) {
        bool taken = found[i].action != FIRN_FOUND_SKIP;
        tables += taken && !found[i].is_view;
        views += taken && found[i].is_view;
    }
    return views == 0    ? counted(arena, tables, "table")
           : tables == 0 ? counted(arena, views, "view")
                         : firn_arena_printf(arena, "%s and %s", counted(arena, tables, "table"),
                                             counted(arena, views, "view"));
}

static void say_result(firn_cli *cli, const firn_found *found, size_t n, size_t done, bool dry,
                       const char *dir)
{
    firn_arena *arena = cli->arena;
    const char *taken = what_is_registered(arena, found, n);
    const char *skipped = done < n ? firn_arena_printf(arena, ", skipped %zu", n - done) : "";
    if (n == 0) {
        firn_cli_say(cli, "there are no Iceberg tables below %s", dir);
    } else if (done == 0) {
        firn_cli_say(cli, "nothing to register, skipped %zu", n);
    } else if (dry) {
        firn_cli_say(cli, "would register %s%s; nothing was changed (--dry-run)", taken, skipped);
    } else {
        firn_cli_say(cli, "registered %s in one commit%s", taken, skipped);
    }
}

/* Each alias once, as it is to stand in firn.yaml. */
static void say_aliases(firn_cli *cli, const firn_found *found, size_t n)
{
    const char *last = "";
    for (size_t i = 0; i < n; i++) {
        if (found[i].alias == NULL || firn_streq(found[i].alias, last)) {
            continue;
        }
        if (*last == '\0') {
            firn_cli_say(cli, "Copied tables are read where they are now when firn.yaml says what "
                              "became of their folders; then scan again:\n\nstorage:\n  aliases:");
        }
        firn_cli_say(cli, "    - %s", found[i].alias);
        last = found[i].alias;
    }
}

firn_rc firn_table_scan(firn_cli *cli, const char *folder, firn_err *err)
{
    firn_lake *lake = NULL;
    firn_found *found = NULL;
    size_t n = 0, done = 0;
    const char *ns = firn_cli_option(cli, "namespace");
    bool dry = firn_cli_switch(cli, "dry-run");
    if (cli->args.len > 0) {
        return firn_cli_usage(
            cli, err, "--scan names a folder full of tables and takes no TABLE or METADATA_FILE");
    }
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    firn_catalog *catalog = firn_lake_catalog(lake);
    const char *dir = firn_location_of_path(cli->arena, folder);
    const firn_warehouse_options options = {.dir = dir,
                                            .ns = ns != NULL ? firn_ns_parse(cli->arena, ns) : NULL,
                                            .default_ns = "default",
                                            .verify = firn_cli_switch(cli, "verify")};
    FIRN_TRY(firn_warehouse_scan(firn_lake_storage(lake), cli->arena, &options, &found, &n, err));
    FIRN_TRY(firn_warehouse_plan(catalog, cli->arena, firn_cli_ref(cli),
                                 firn_cli_switch(cli, "replace"), found, n, err));
    const firn_commit_info info = {.message =
                                       firn_arena_printf(cli->arena, "register tables of %s", dir)};
    if (dry) {
        for (size_t i = 0; i < n; i++) {
            done += found[i].action != FIRN_FOUND_SKIP;
        }
    } else {
        FIRN_TRY(firn_warehouse_register(catalog, cli->arena, firn_cli_ref(cli), found, n, &info,
                                         &done, err));
    }
    if (n > 0) {
        FIRN_TRY(print_plan(cli, dir, found, n, err));
    }
    say_result(cli, found, n, done, dry, folder);
    say_aliases(cli, found, n);
    return FIRN_OK;
}
