/* firn ref: branches, tags, the commit log, merging. */
#include "cli.h"

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
    FIRN_TRY(firn_cli_number(cli, "limit", 0, 20, &limit, err));
    FIRN_TRY(catalog_of(cli, &catalog, err));
    const char *ref = firn_cli_arg(cli, 0) != NULL ? firn_cli_arg(cli, 0) : firn_cli_ref(cli);
    FIRN_TRY(firn_catalog_log(catalog, cli->arena, ref, limit > 0 ? (size_t)limit : SIZE_MAX,
                              &commits, &n, err));
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

/* ---- making and deleting ------------------------------------------------------------------------------- */

static firn_rc create(firn_cli *cli, bool is_tag, firn_err *err)
{
    firn_catalog *catalog = NULL;
    const char *name = firn_cli_arg(cli, 0);
    const char *from = firn_cli_arg(cli, 1) != NULL ? firn_cli_arg(cli, 1) : firn_cli_ref(cli);
    FIRN_TRY(catalog_of(cli, &catalog, err));
    FIRN_TRY(firn_catalog_ref_create(catalog, name, is_tag, from, err));
    firn_cli_say(cli, "created %s %s from %s", is_tag ? "tag" : "branch", name, from);
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
    FIRN_TRY(catalog_of(cli, &catalog, err));
    for (size_t i = 0; i < cli->args.len; i++) {
        FIRN_TRY(firn_catalog_ref_delete(catalog, cli->args.items[i], err));
        firn_cli_say(cli, "deleted %s", cli->args.items[i]);
    }
    return FIRN_OK;
}

/* ---- diff and merge -------------------------------------------------------------------------------------- */

static const char *key_text(firn_arena *arena, const firn_diff *diff)
{
    return diff->kind == FIRN_KIND_NAMESPACE ? firn_ns_text(arena, diff->ident.ns)
                                             : firn_ident_text(arena, diff->ident);
}

static firn_rc print_diff(firn_cli *cli, const firn_diff *diffs, size_t n, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"change", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"kind", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"name", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"from_location", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
        {"to_location", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
    };
    static const char *const KINDS[] = {"table", "view", "schema"};
    static const char *const CHANGES[] = {"added", "removed", "changed"};
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        const char *cells[] = {CHANGES[diffs[i].what], KINDS[diffs[i].kind],
                               key_text(cli->arena, &diffs[i]), diffs[i].from_location,
                               diffs[i].to_location};
        firn_report_row(report, cells);
    }
    return firn_report_print(report, stdout, cli->format, NULL, err);
}

firn_rc firn_cmd_ref_diff(firn_cli *cli, firn_err *err)
{
    firn_catalog *catalog = NULL;
    firn_diff *diffs = NULL;
    size_t n = 0;
    const char *from = firn_cli_arg(cli, 0);
    const char *to = firn_cli_arg(cli, 1) != NULL ? firn_cli_arg(cli, 1) : firn_cli_ref(cli);
    FIRN_TRY(catalog_of(cli, &catalog, err));
    FIRN_TRY(firn_catalog_diff(catalog, cli->arena, from, to, &diffs, &n, err));
    if (n == 0 && cli->format == FIRN_FORMAT_TABLE) {
        firn_cli_say(cli, "%s and %s hold the same", from, to);
        return FIRN_OK;
    }
    return print_diff(cli, diffs, n, err);
}

static void say_merged(const firn_cli *cli, const firn_merge_result *result, const char *from,
                       const char *into, bool dry_run)
{
    if (result->n_merged == 0) {
        firn_cli_say(cli, "nothing to merge: %s has all of %s", into, from);
        return;
    }
    const char *replayed =
        result->n_replayed > 0
            ? firn_arena_printf(cli->arena, " (%zu with appends of both sides)", result->n_replayed)
            : "";
    firn_cli_say(cli, "%s %s into %s: %zu change%s in one commit%s",
                 dry_run ? "would merge" : "merged", from, into, result->n_merged,
                 result->n_merged == 1 ? "" : "s", replayed);
}

firn_rc firn_cmd_ref_merge(firn_cli *cli, firn_err *err)
{
    firn_catalog *catalog = NULL;
    firn_merge_result result = {0};
    const char *from = firn_cli_arg(cli, 0);
    const char *into = firn_cli_arg(cli, 1) != NULL ? firn_cli_arg(cli, 1) : firn_cli_ref(cli);
    const firn_merge_options options = {.dry_run = firn_cli_switch(cli, "dry-run"),
                                        .info = {.message = firn_cli_option(cli, "message")}};
    FIRN_TRY(catalog_of(cli, &catalog, err));
    firn_rc rc = firn_catalog_merge(catalog, cli->arena, from, into, &options, &result, err);
    if (rc == FIRN_OK) {
        say_merged(cli, &result, from, into, options.dry_run);
        return result.n_merged > 0 ? print_diff(cli, result.merged, result.n_merged, err) : FIRN_OK;
    }
    for (size_t i = 0; i < result.n_conflicts; i++) {
        fprintf(stderr, "conflict: %s: %s\n",
                firn_ident_text(cli->arena, result.conflicts[i].ident), result.conflicts[i].cause);
    }
    return rc;
}
