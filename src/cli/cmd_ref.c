/* firn ref: branches, tags, the commit log; merging is in cmd_ref_merge.c. */
#include "cli.h"

#include "base/time.h"

#include <inttypes.h>

static firn_rc catalog_of(firn_cli *cli, firn_catalog **out, firn_err *err)
{
    firn_lake *lake = NULL;
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    *out = firn_lake_catalog(lake);
    return FIRN_OK;
}

/* Long enough to be told apart by people; the whole id is shown to programs. */
static char *short_id(firn_arena *arena, const char *id)
{
    enum { SHORT = 10 };
    return id != NULL ? firn_arena_printf(arena, "%.*s", SHORT, id) : NULL;
}

/* ---- list -------------------------------------------------------------------------------------------- */

firn_rc firn_cmd_ref_list(firn_cli *cli, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"name", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"kind", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"commit", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PEOPLE},
        {"commit_id", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
        {"updated", FIRN_COLUMN_TEMPORAL, FIRN_SHOWN_ALWAYS},
    };
    firn_catalog *catalog = NULL;
    firn_ref *refs = NULL;
    size_t n = 0;
    FIRN_TRY(catalog_of(cli, &catalog, err));
    FIRN_TRY(firn_catalog_ref_list(catalog, cli->arena, &refs, &n, err));
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        const char *cells[] = {
            refs[i].name, refs[i].is_tag ? "tag" : "branch",
            short_id(cli->arena, refs[i].commit_id), refs[i].commit_id,
            refs[i].updated_us > 0 ? firn_cli_time(cli->arena, refs[i].updated_us) : NULL};
        firn_report_row(report, cells);
    }
    return firn_report_print(report, stdout, cli->format, NULL, err);
}

/* ---- log --------------------------------------------------------------------------------------------- */

static char *changes_text(firn_arena *arena, const firn_commit *commit, size_t max)
{
    size_t n = commit->n_changes < max ? commit->n_changes : max;
    char *text = firn_str_join(arena, commit->changes, n, ", ");
    return n < commit->n_changes
               ? firn_arena_printf(arena, "%s and %zu more", text, commit->n_changes - n)
               : text;
}

static firn_rc time_option(firn_cli *cli, const char *name, int64_t *out, firn_err *err)
{
    const char *text = firn_cli_option(cli, name);
    if (text != NULL && !firn_parse_timestamp(text, out, NULL)) {
        return firn_cli_usage(cli, err, "--%s: \"%s\" is no time like \"2026-11-20 08:00\" (UTC)",
                              name, text);
    }
    return FIRN_OK;
}

/* --table, else --schema; *out NULL: neither. */
static firn_rc key_option(firn_cli *cli, firn_ident *key, const firn_ident **out, firn_err *err)
{
    const char *table = firn_cli_option(cli, "table");
    const char *schema = firn_cli_option(cli, "schema");
    *out = table != NULL || schema != NULL ? key : NULL;
    if (table != NULL) {
        return firn_cli_ident(cli, table, key, err);
    }
    *key = (firn_ident){.ns = schema != NULL ? firn_ns_parse(cli->arena, schema) : "", .name = ""};
    return FIRN_OK;
}

firn_rc firn_cmd_ref_log(firn_cli *cli, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"commit", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PEOPLE},
        {"commit_id", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
        {"parent_id", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
        {"merge_parent_id", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
        {"time", FIRN_COLUMN_TEMPORAL, FIRN_SHOWN_ALWAYS},
        {"author", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"message", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"changes", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PEOPLE},
        {"changed", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
    };
    firn_catalog *catalog = NULL;
    firn_commit *commits = NULL;
    size_t n = 0;
    int64_t limit = 0;
    firn_log_query query = {
        .ref = firn_cli_arg(cli, 0) != NULL ? firn_cli_arg(cli, 0) : firn_cli_ref(cli),
        .author = firn_cli_option(cli, "author"),
    };
    firn_ident key;
    const char *next = NULL;
    FIRN_TRY(firn_cli_number(cli, "limit", 0, 20, &limit, err));
    FIRN_TRY(time_option(cli, "since", &query.since_us, err));
    FIRN_TRY(time_option(cli, "until", &query.until_us, err));
    FIRN_TRY(key_option(cli, &key, &query.key, err));
    query.limit = (size_t)limit;
    FIRN_TRY(catalog_of(cli, &catalog, err));
    FIRN_TRY(firn_catalog_log_page(catalog, cli->arena, &query, &commits, &n, &next, err));
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        const firn_commit *commit = &commits[i];
        const char *cells[] = {short_id(cli->arena, commit->id),
                               commit->id,
                               commit->parent_id,
                               commit->merge_parent_id,
                               firn_cli_time(cli->arena, commit->time_us),
                               commit->author,
                               commit->message,
                               firn_arena_printf(cli->arena, "%zu", commit->n_changes),
                               changes_text(cli->arena, commit, SIZE_MAX)};
        firn_report_row(report, cells);
    }
    return firn_report_print(report, stdout, cli->format, NULL, err);
}

/* ---- show ---------------------------------------------------------------------------------------------- */

static firn_rc count_entries(firn_cli *cli, firn_catalog *catalog, const char *ref,
                             firn_entry_kind kind, const char **out, firn_err *err)
{
    firn_catalog_entry *entries = NULL;
    size_t n = 0;
    FIRN_TRY(firn_catalog_list(catalog, cli->arena, ref, kind, NULL, &entries, &n, err));
    *out = firn_arena_printf(cli->arena, "%zu", n);
    return FIRN_OK;
}

firn_rc firn_cmd_ref_show(firn_cli *cli, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"property", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"value", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    };
    firn_catalog *catalog = NULL;
    firn_commit *commits = NULL;
    firn_diff *diffs = NULL;
    firn_ref ref = {0};
    const char *tables = NULL;
    const char *views = NULL;
    size_t n = 0;
    size_t n_diffs = 0;
    const char *name = firn_cli_arg(cli, 0) != NULL ? firn_cli_arg(cli, 0) : firn_cli_ref(cli);
    FIRN_TRY(catalog_of(cli, &catalog, err));
    bool named = firn_catalog_ref_get(catalog, cli->arena, name, &ref, NULL) == FIRN_OK;
    FIRN_TRY(firn_catalog_log(catalog, cli->arena, name, 1, &commits, &n, err));
    FIRN_TRY(count_entries(cli, catalog, name, FIRN_KIND_TABLE, &tables, err));
    FIRN_TRY(count_entries(cli, catalog, name, FIRN_KIND_VIEW, &views, err));
    FIRN_TRY(firn_catalog_diff(catalog, cli->arena, FIRN_MAIN, name, &diffs, &n_diffs, err));
    const char *const rows[][2] = {
        {"name", named ? ref.name : NULL},
        {"kind", !named       ? "commit"
                 : ref.is_tag ? "tag"
                              : "branch"},
        {"commit", commits[0].id},
        {"time", firn_cli_time(cli->arena, commits[0].time_us)},
        {"author", commits[0].author},
        {"message", commits[0].message},
        {"changed", changes_text(cli->arena, &commits[0], 10)},
        {"parent", commits[0].parent_id},
        {"merged", commits[0].merge_parent_id},
        {"tables", tables},
        {"views", views},
        {"differs from main in", firn_arena_printf(cli->arena, "%zu", n_diffs)},
    };
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i][1] != NULL) {
            firn_report_row(report, rows[i]);
        }
    }
    return firn_report_print(report, stdout, cli->format, NULL, err);
}

/* ---- making and deleting ------------------------------------------------------------------------------- */

static firn_rc create(firn_cli *cli, bool is_tag, firn_err *err)
{
    firn_catalog *catalog = NULL;
    firn_ref_make make = {
        .name = firn_cli_arg(cli, 0),
        .is_tag = is_tag,
        .from = firn_cli_arg(cli, 1) != NULL ? firn_cli_arg(cli, 1) : firn_cli_ref(cli),
        .expected = firn_cli_option(cli, "expected"),
        .replace = firn_cli_switch(cli, "replace"),
    };
    FIRN_TRY(catalog_of(cli, &catalog, err));
    FIRN_TRY(firn_catalog_ref_make(catalog, cli->arena, &make, NULL, err));
    firn_cli_say(cli, "%s %s %s from %s", make.replace ? "put" : "created",
                 is_tag ? "tag" : "branch", make.name, make.from);
    return FIRN_OK;
}

firn_rc firn_cmd_ref_branch(firn_cli *cli, firn_err *err)
{
    return create(cli, false, err);
}

firn_rc firn_cmd_ref_tag(firn_cli *cli, firn_err *err)
{
    return create(cli, true, err);
}

firn_rc firn_cmd_ref_delete(firn_cli *cli, firn_err *err)
{
    firn_catalog *catalog = NULL;
    const char *expected = firn_cli_option(cli, "expected");
    if (expected != NULL && cli->args.len > 1) {
        return firn_cli_usage(cli, err, "--expected goes with one name only");
    }
    FIRN_TRY(catalog_of(cli, &catalog, err));
    for (size_t i = 0; i < cli->args.len; i++) {
        FIRN_TRY(
            firn_catalog_ref_drop(catalog, cli->arena, cli->args.items[i], expected, NULL, err));
        firn_cli_say(cli, "deleted %s", cli->args.items[i]);
    }
    return FIRN_OK;
}

firn_rc firn_cmd_ref_rename(firn_cli *cli, firn_err *err)
{
    firn_catalog *catalog = NULL;
    FIRN_TRY(catalog_of(cli, &catalog, err));
    FIRN_TRY(firn_catalog_ref_rename(catalog, firn_cli_arg(cli, 0), firn_cli_arg(cli, 1), err));
    firn_cli_say(cli, "renamed %s to %s", firn_cli_arg(cli, 0), firn_cli_arg(cli, 1));
    return FIRN_OK;
}

firn_rc firn_cmd_ref_reset(firn_cli *cli, firn_err *err)
{
    firn_catalog *catalog = NULL;
    firn_ref before = {0};
    firn_ref after = {0};
    const char *name = firn_cli_arg(cli, 0);
    FIRN_TRY(catalog_of(cli, &catalog, err));
    FIRN_TRY(firn_catalog_ref_get(catalog, cli->arena, name, &before, err));
    FIRN_TRY(firn_catalog_ref_reset(catalog, cli->arena, name, firn_cli_arg(cli, 1),
                                    firn_cli_option(cli, "expected"), &after, err));
    firn_cli_say(cli, "reset %s to commit %s; it was at %s", name,
                 short_id(cli->arena, after.commit_id), before.commit_id);
    return FIRN_OK;
}
