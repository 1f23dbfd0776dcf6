/* firn ref diff, merge and cherry-pick. */
#include "cli.h"

#include <inttypes.h>

static const char *const KINDS[] = {"table", "view", "schema"};
static const char *const CHANGES[] = {"added", "removed", "changed"};

static firn_rc catalog_of(firn_cli *cli, firn_catalog **out, firn_err *err)
{
    firn_lake *lake = NULL;
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    *out = firn_lake_catalog(lake);
    return FIRN_OK;
}

static const char *key_text(firn_arena *arena, firn_entry_kind kind, firn_ident ident)
{
    return kind == FIRN_KIND_NAMESPACE ? firn_ns_text(arena, ident.ns)
                                       : firn_ident_text(arena, ident);
}

/* ---- diff ---------------------------------------------------------------------------------------------- */

static firn_rc print_keys(firn_cli *cli, const firn_diff *diffs, size_t n, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"change", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"kind", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"name", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"from_location", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
        {"to_location", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
    };
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        const char *cells[] = {CHANGES[diffs[i].what], KINDS[diffs[i].kind],
                               key_text(cli->arena, diffs[i].kind, diffs[i].ident),
                               diffs[i].from_location, diffs[i].to_location};
        firn_report_row(report, cells);
    }
    return firn_report_print(report, stdout, cli->format, NULL, err);
}

static const char *number(firn_arena *arena, int64_t count)
{
    return count < 0 ? NULL : firn_arena_printf(arena, "%" PRId64, count);
}

static firn_rc print_rows(firn_cli *cli, const firn_table_diff *diffs, size_t n, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"change", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"table", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"rows_from", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"rows_to", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"added", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"removed", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"snapshots", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
        {"diverged", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"problem", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
    };
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        const firn_table_diff *diff = &diffs[i];
        if (diff->diff.kind != FIRN_KIND_TABLE) {
            continue;
        }
        const char *cells[] = {CHANGES[diff->diff.what],
                               firn_ident_text(cli->arena, diff->diff.ident),
                               number(cli->arena, diff->rows_from),
                               number(cli->arena, diff->rows_to),
                               number(cli->arena, diff->rows_added),
                               number(cli->arena, diff->rows_removed),
                               number(cli->arena, (int64_t)diff->n_snapshots),
                               diff->problem != NULL ? "unreadable"
                               : diff->diverged      ? "yes"
                                                     : "no",
                               diff->problem};
        firn_report_row(report, cells);
    }
    return firn_report_print(report, stdout, cli->format, "table", err);
}

/* One row per thing that changed: a column, the partitioning, a property. */
static void add_change(firn_report *report, const char *table, const char *what, const char *name,
                       const char *from, const char *to)
{
    const char *cells[] = {table, what, name, from, to};
    firn_report_row(report, cells);
}

static void add_layout(firn_report *report, firn_arena *arena, const char *table,
                       const firn_table_diff *diff)
{
    if (diff->partitioning_from != NULL) {
        add_change(report, table, "partitioning", NULL, diff->partitioning_from,
                   diff->partitioning_to);
    }
    if (diff->order_from != NULL) {
        add_change(report, table, "sort order", NULL, diff->order_from, diff->order_to);
    }
    if (diff->version_from > 0 && diff->version_to > 0 && diff->version_from != diff->version_to) {
        add_change(report, table, "format version", NULL,
                   firn_arena_printf(arena, "%d", diff->version_from),
                   firn_arena_printf(arena, "%d", diff->version_to));
    }
    for (size_t i = 0; i < diff->n_properties; i++) {
        add_change(report, table, "property", diff->properties[i].key, diff->properties[i].from,
                   diff->properties[i].to);
    }
}

static firn_rc print_schemas(firn_cli *cli, const firn_table_diff *diffs, size_t n, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"table", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"change", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"name", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"from", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"to", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    };
    static const char *const WHATS[] = {"column added",   "column dropped", "column renamed",
                                        "column retyped", "nullability",    "comment",
                                        "default"};
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < n; i++) {
        const firn_table_diff *diff = &diffs[i];
        const char *table = key_text(cli->arena, diff->diff.kind, diff->diff.ident);
        if (diff->diff.what != FIRN_DIFF_CHANGED || diff->problem != NULL) {
            add_change(report, table,
                       diff->problem != NULL ? "unreadable" : CHANGES[diff->diff.what], NULL, NULL,
                       diff->problem);
        }
        for (size_t k = 0; k < diff->n_columns; k++) {
            const firn_column_diff *column = &diff->columns[k];
            add_change(report, table, WHATS[column->what], column->name, column->from, column->to);
        }
        if (diff->diff.what == FIRN_DIFF_CHANGED) {
            add_layout(report, cli->arena, table, diff);
        }
    }
    return firn_report_print(report, stdout, cli->format, "change", err);
}

firn_rc firn_cmd_ref_diff(firn_cli *cli, firn_err *err)
{
    firn_catalog *catalog = NULL;
    firn_table_diff *diffs = NULL;
    firn_diff *plain = NULL;
    size_t n = 0;
    bool rows = firn_cli_switch(cli, "rows");
    bool schema = firn_cli_switch(cli, "schema");
    const char *from = firn_cli_arg(cli, 0);
    const char *to = firn_cli_arg(cli, 1) != NULL ? firn_cli_arg(cli, 1) : firn_cli_ref(cli);
    if (rows && schema) {
        return firn_cli_usage(cli, err, "--rows and --schema are two different tables: give one");
    }
    FIRN_TRY(catalog_of(cli, &catalog, err));
    if (rows || schema) {
        FIRN_TRY(firn_catalog_diff_detail(catalog, cli->arena, from, to, &diffs, &n, err));
    } else {
        FIRN_TRY(firn_catalog_diff(catalog, cli->arena, from, to, &plain, &n, err));
    }
    if (n == 0 && cli->format == FIRN_FORMAT_TABLE) {
        firn_cli_say(cli, "%s and %s hold the same", from, to);
        return FIRN_OK;
    }
    return rows     ? print_rows(cli, diffs, n, err)
           : schema ? print_schemas(cli, diffs, n, err)
                    : print_keys(cli, plain, n, err);
}

/* ---- what merge and cherry-pick share ------------------------------------------------------------------ */

static firn_rc parse_key(firn_cli *cli, const char *text, firn_ident *out, firn_err *err)
{
    static const char SCHEMA[] = "schema ";
    if (firn_starts_with(text, SCHEMA)) {
        *out = (firn_ident){.ns = firn_ns_parse(cli->arena, text + sizeof(SCHEMA) - 1), .name = ""};
        return FIRN_OK;
    }
    return firn_cli_ident(cli, text, out, err);
}

static firn_rc read_options(firn_cli *cli, firn_merge_options *out, firn_err *err)
{
    size_t n_force = 0;
    size_t n_skip = 0;
    const char **force = firn_cli_options(cli, cli->arena, "force", &n_force);
    const char **skip = firn_cli_options(cli, cli->arena, "skip", &n_skip);
    firn_merge_key *keys = FIRN_NEW_N(cli->arena, firn_merge_key, n_force + n_skip);
    for (size_t i = 0; i < n_force + n_skip; i++) {
        const char *text = i < n_force ? force[i] : skip[i - n_force];
        keys[i].behaviour = i < n_force ? FIRN_MERGE_FORCE : FIRN_MERGE_DROP;
        FIRN_TRY(parse_key(cli, text, &keys[i].ident, err));
    }
    *out = (firn_merge_options){
        .dry_run = firn_cli_switch(cli, "dry-run"),
        .info = {.message = firn_cli_option(cli, "message")},
        .default_behaviour = firn_cli_switch(cli, "theirs") ? FIRN_MERGE_FORCE : FIRN_MERGE_NORMAL,
        .keys = keys,
        .n_keys = n_force + n_skip,
        .expected_into = firn_cli_option(cli, "expected"),
    };
    return FIRN_OK;
}

static const char *advice(const firn_cli *cli, const firn_merge_conflict *conflict)
{
    const char *key = key_text(cli->arena, conflict->kind, conflict->ident);
    const char *option = conflict->kind == FIRN_KIND_NAMESPACE
                             ? firn_arena_printf(cli->arena, "\"schema %s\"", key)
                             : key;
    switch (conflict->type) {
    case FIRN_CONFLICT_NAMESPACE_ABSENT:
    case FIRN_CONFLICT_NAMESPACE_NOT_EMPTY:
    case FIRN_CONFLICT_KEY_CONFLICT:
        return firn_arena_printf(cli->arena, "%s (--skip %s)", conflict->advice, option);
    default:
        return firn_arena_printf(cli->arena,
                                 "--force %s takes the source's, --skip %s keeps the target's",
                                 option, option);
    }
}

static void tell_line(const char *style, const char *first, const char *name, int width,
                      const char *text)
{
    int pad = width - (int)firn_utf8_width(name);
    fprintf(stderr, "%s%-8s%s  %s%*s  %s\n", style, first, firn_term_plain(stderr), name,
            pad > 0 ? pad : 0, "", text);
}

static void tell_conflict(const firn_cli *cli, const firn_merge_conflict *conflict, int width)
{
    firn_arena *arena = cli->arena;
    const char *name = firn_text_safe(arena, key_text(arena, conflict->kind, conflict->ident));
    const char *cause = firn_text_safe(arena, conflict->cause);
    if (conflict->n_details > 0) { /* one by one below; here what they are about */
        cause = firn_str_trim(arena, firn_arena_strndup(arena, cause, strcspn(cause, "(")));
    }
    tell_line(firn_term_red(stderr), "conflict", name, width, cause);
    for (size_t i = 0; i < conflict->n_details; i++) {
        tell_line("", "", "", width,
                  firn_arena_printf(arena, "- %s", firn_text_safe(arena, conflict->details[i])));
    }
    tell_line(firn_term_dim(stderr), "to do", "", width,
              firn_text_safe(arena, advice(cli, conflict)));
}

/* For people on stderr, name, cause and what to do in line with each other and never cut; for programs rows on stdout. */
static firn_rc print_conflicts(firn_cli *cli, const firn_merge_conflict *conflicts, size_t n,
                               firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"name", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"kind", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"conflict", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"cause", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"advice", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    };
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    size_t width = 0;
    for (size_t i = 0; i < n; i++) {
        const char *name = key_text(cli->arena, conflicts[i].kind, conflicts[i].ident);
        const char *cells[] = {name, KINDS[conflicts[i].kind],
                               firn_conflict_name(conflicts[i].type), conflicts[i].cause,
                               conflicts[i].advice};
        firn_report_row(report, cells);
        width = firn_utf8_width(name) > width ? firn_utf8_width(name) : width;
    }
    if (cli->format != FIRN_FORMAT_TABLE) {
        return firn_report_print(report, stdout, cli->format, NULL, err);
    }
    for (size_t i = 0; i < n; i++) {
        tell_conflict(cli, &conflicts[i], (int)width);
    }
    return FIRN_OK;
}

/* The error stays the error, whatever printing says; people have been told when all conflicts are on the screen. */
static firn_rc fail_with_conflicts(firn_cli *cli, firn_rc rc, const char *what,
                                   const firn_merge_conflict *conflicts, size_t n)
{
    firn_err ignored = {0};
    if (n > 0 && print_conflicts(cli, conflicts, n, &ignored) == FIRN_OK &&
        cli->format == FIRN_FORMAT_TABLE) {
        fprintf(stderr, "%serror:%s cannot %s: %zu conflict%s; nothing has changed\n",
                firn_term_red(stderr), firn_term_plain(stderr), what, n, n == 1 ? "" : "s");
        cli->said_enough = true;
    }
    return rc;
}

/* ---- merge --------------------------------------------------------------------------------------------- */

static void say_merged(const firn_cli *cli, const firn_merge_result *result, const char *from,
                       const char *into, bool dry_run)
{
    if (result->n_merged == 0) {
        firn_cli_say(cli, "nothing to merge: %s has all of %s", into, from);
        return;
    }
    const char *replayed =
        result->n_replayed > 0
            ? firn_arena_printf(cli->arena, " (%zu with changes of both sides)", result->n_replayed)
            : "";
    const char *skipped = result->n_skipped > 0
                              ? firn_arena_printf(cli->arena, ", %zu left out", result->n_skipped)
                              : "";
    firn_cli_say(cli, "%s %s into %s: %zu change%s in one commit%s%s",
                 dry_run ? "would merge" : "merged", from, into, result->n_merged,
                 result->n_merged == 1 ? "" : "s", replayed, skipped);
}

firn_rc firn_cmd_ref_merge(firn_cli *cli, firn_err *err)
{
    firn_catalog *catalog = NULL;
    firn_merge_result result = {0};
    firn_merge_options options;
    const char *from = firn_cli_arg(cli, 0);
    const char *into = firn_cli_arg(cli, 1) != NULL ? firn_cli_arg(cli, 1) : firn_cli_ref(cli);
    FIRN_TRY(read_options(cli, &options, err));
    FIRN_TRY(catalog_of(cli, &catalog, err));
    firn_rc rc = firn_catalog_merge(catalog, cli->arena, from, into, &options, &result, err);
    if (rc != FIRN_OK) {
        const char *what = firn_arena_printf(cli->arena, "merge %s into %s", from, into);
        return fail_with_conflicts(cli, rc, what, result.conflicts, result.n_conflicts);
    }
    say_merged(cli, &result, from, into, options.dry_run);
    return result.n_merged > 0 ? print_keys(cli, result.merged, result.n_merged, err) : FIRN_OK;
}

/* ---- cherry-pick ---------------------------------------------------------------------------------------- */

firn_rc firn_cmd_ref_cherry_pick(firn_cli *cli, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"picked", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"commit", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"changes", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    };
    firn_catalog *catalog = NULL;
    firn_pick_result result = {0};
    firn_merge_options options;
    const char *into =
        firn_cli_option(cli, "into") != NULL ? firn_cli_option(cli, "into") : firn_cli_ref(cli);
    FIRN_TRY(read_options(cli, &options, err));
    FIRN_TRY(catalog_of(cli, &catalog, err));
    firn_rc rc = firn_catalog_cherry_pick(catalog, cli->arena, cli->args.items, cli->args.len, into,
                                          &options, &result, err);
    if (rc != FIRN_OK) {
        const char *id = result.n_conflicts > 0 ? result.conflicts[0].commit_id : "";
        const char *what = firn_arena_printf(cli->arena, "pick commit %.10s into %s", id, into);
        return fail_with_conflicts(cli, rc, what, result.conflicts, result.n_conflicts);
    }
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    size_t n = 0;
    for (size_t i = 0; i < result.n_picked; i++) {
        const firn_picked *one = &result.picked[i];
        const char *cells[] = {one->source_id, one->commit_id,
                               firn_arena_printf(cli->arena, "%zu", one->n_changed)};
        firn_report_row(report, cells);
        n += one->n_changed > 0;
    }
    if (n == 0) {
        firn_cli_say(cli, "nothing to pick: %s has all of that", into);
        return FIRN_OK;
    }
    firn_cli_say(cli, "%s %zu commit%s into %s", options.dry_run ? "would pick" : "picked", n,
                 n == 1 ? "" : "s", into);
    return firn_report_print(report, stdout, cli->format, NULL, err);
}
