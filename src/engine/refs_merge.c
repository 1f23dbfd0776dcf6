/* MERGE, CHERRY PICK and SHOW DIFF.
 *
 *   MERGE [BRANCH | TAG] ref [INTO branch] { DRY RUN | FORCE keys | SKIP keys }...     keys: ALL, or t, s.u, SCHEMA s
 *   CHERRY PICK commit, ... [INTO branch] { DRY RUN | FORCE keys | SKIP keys }...
 *   SHOW DIFF [FROM] ref [TO] ref
 *
 * A dry run that meets conflicts gives them as rows; without it they are an error.
 */
#include "refs.h"

#include "base/vec.h"

/* ---- what was asked ------------------------------------------------------------------------------------------ */

typedef struct asked {
    firn_merge_options options;
    FIRN_VEC(firn_merge_key) keys;
} asked;

static firn_rc parse_key(firn_session *session, firn_parser *parser, firn_ident *out, firn_err *err)
{
    const char **parts = NULL;
    size_t n = 0;
    if (firn_accept(parser, "schema") || firn_accept(parser, "namespace")) {
        *out = (firn_ident){.name = ""};
        return firn_parse_namespace(parser, &out->ns, err);
    }
    FIRN_TRY(firn_parse_dotted(parser, &parts, &n, err));
    return firn_session_resolve(session, parser->arena, parts, n, out, err);
}

static firn_rc parse_keys(firn_session *session, firn_parser *parser,
                          firn_merge_behaviour behaviour, asked *out, firn_err *err)
{
    if (firn_accept(parser, "all")) {
        out->options.default_behaviour = behaviour;
        return FIRN_OK;
    }
    do {
        firn_merge_key key = {.behaviour = behaviour};
        FIRN_TRY(parse_key(session, parser, &key.ident, err));
        firn_vec_push(parser->arena, &out->keys, key);
    } while (firn_accept(parser, ","));
    return FIRN_OK;
}

static firn_rc parse_options(firn_session *session, firn_parser *parser, asked *out, firn_err *err)
{
    for (;;) {
        if (firn_accept(parser, "dry run")) {
            out->options.dry_run = true;
        } else if (firn_accept(parser, "force")) {
            FIRN_TRY(parse_keys(session, parser, FIRN_MERGE_FORCE, out, err));
        } else if (firn_accept(parser, "skip")) {
            FIRN_TRY(parse_keys(session, parser, FIRN_MERGE_DROP, out, err));
        } else {
            break;
        }
    }
    FIRN_TRY(firn_parse_end(parser, err));
    out->options.keys = out->keys.items;
    out->options.n_keys = out->keys.len;
    out->options.info = (firn_commit_info){.author = session->author, .message = session->message};
    return FIRN_OK;
}

/* ---- what came of it ------------------------------------------------------------------------------------------ */

/* Rows of a table by its metadata file's last snapshot; -1 when it does not say. */
static int64_t count_rows(firn_catalog *catalog, firn_arena *arena, const char *location)
{
    firn_metadata *metadata = NULL;
    int64_t rows = -1;
    if (location == NULL) {
        return 0;
    }
    if (firn_metadata_load(firn_catalog_storage(catalog), arena, location, &metadata, NULL) !=
        FIRN_OK) {
        return -1;
    }
    if (metadata->current_snapshot == NULL) {
        return 0;
    }
    const char *text =
        json_string_value(json_object_get(metadata->current_snapshot->summary, "total-records"));
    return text != NULL && firn_parse_i64(text, &rows) ? rows : -1;
}

/* "bronze.orders -21 rows" */
static const char *describe_change(firn_catalog *catalog, firn_arena *arena, const firn_diff *diff)
{
    const char *name =
        diff->kind == FIRN_KIND_NAMESPACE
            ? firn_arena_printf(arena, "schema %s", firn_ns_text(arena, diff->ident.ns))
            : firn_ident_text(arena, diff->ident);
    if (diff->what == FIRN_DIFF_REMOVED) {
        return firn_arena_printf(arena, "%s dropped", name);
    }
    if (diff->kind != FIRN_KIND_TABLE) {
        return firn_arena_printf(arena, "%s %s", name,
                                 diff->what == FIRN_DIFF_ADDED ? "added" : "changed");
    }
    if (diff->to_location == NULL) { /* a dry run, of what both sides changed */
        return firn_arena_printf(arena, "%s with the changes of both", name);
    }
    int64_t before = count_rows(catalog, arena, diff->from_location);
    int64_t after = count_rows(catalog, arena, diff->to_location);
    if (before < 0 || after < 0 || (before == after && diff->what == FIRN_DIFF_CHANGED)) {
        return firn_arena_printf(arena, "%s changed", name);
    }
    int64_t rows = after - before;
    return firn_arena_printf(arena, "%s%s %c%s row%s", name,
                             diff->what == FIRN_DIFF_ADDED ? " (new)" : "", rows < 0 ? '-' : '+',
                             firn_format_count(arena, rows < 0 ? -rows : rows),
                             rows == 1 || rows == -1 ? "" : "s");
}

static const char *describe_changes(firn_catalog *catalog, firn_arena *arena,
                                    const firn_diff *diffs, size_t n)
{
    enum { NAMED_MAX = 4 };
    const char *parts[NAMED_MAX];
    size_t tables = 0;
    if (n <= NAMED_MAX) {
        for (size_t i = 0; i < n; i++) {
            parts[i] = describe_change(catalog, arena, &diffs[i]);
        }
        return firn_str_join(arena, parts, n, ", ");
    }
    for (size_t i = 0; i < n; i++) {
        tables += diffs[i].kind == FIRN_KIND_TABLE;
    }
    size_t others = n - tables;
    return others == 0 ? firn_arena_printf(arena, "%zu tables", tables)
                       : firn_arena_printf(arena, "%zu tables and %zu schema%s or views", tables,
                                           others, others == 1 ? "" : "s");
}

static const char *conflict_key(firn_arena *arena, const firn_merge_conflict *conflict)
{
    return conflict->kind == FIRN_KIND_NAMESPACE
               ? firn_arena_printf(arena, "schema %s", firn_ns_text(arena, conflict->ident.ns))
               : firn_ident_text(arena, conflict->ident);
}

/* Of a dry run: one row per conflict. */
static firn_result *conflict_rows(firn_arena *arena, const char *tag,
                                  const firn_merge_conflict *conflicts, size_t n)
{
    static const char *const columns[] = {"name", "conflict", "cause", "what_to_do"};
    firn_result *result = firn_text_table(arena, tag, columns, 4);
    for (size_t i = 0; i < n; i++) {
        firn_result_add_row(result, (const char *const[]){conflict_key(arena, &conflicts[i]),
                                                          firn_conflict_name(conflicts[i].type),
                                                          conflicts[i].cause, conflicts[i].advice});
    }
    return result;
}

firn_rc firn_exec_merge_ref(firn_session *session, firn_parser *parser, firn_result **out,
                            firn_err *err)
{
    firn_arena *arena = parser->arena;
    firn_catalog *catalog = NULL;
    firn_merge_result result = {0};
    asked what = {0};
    const char *from = NULL;
    const char *into = FIRN_MAIN;
    if (!firn_accept(parser, "branch")) {
        (void)firn_accept(parser, "tag");
    }
    FIRN_TRY(firn_parse_ref(parser, &from, err));
    if (firn_accept(parser, "into")) {
        (void)firn_accept(parser, "branch");
        FIRN_TRY(firn_parse_ref(parser, &into, err));
    }
    FIRN_TRY(parse_options(session, parser, &what, err));
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    bool dry_run = what.options.dry_run;
    firn_rc rc = firn_catalog_merge(catalog, arena, from, into, &what.options, &result, err);
    if (rc == FIRN_E_VALIDATION && dry_run && result.n_conflicts > 0) {
        *out = conflict_rows(arena, "MERGE", result.conflicts, result.n_conflicts);
        return FIRN_OK;
    }
    FIRN_TRY(rc);
    if (result.n_merged == 0) {
        *out = firn_result_command("MERGE", 0, "%s has everything that %s has", into, from);
        return FIRN_OK;
    }
    const char *skipped =
        result.n_skipped > 0 ? firn_arena_printf(arena, ", %zu left out", result.n_skipped) : "";
    *out = firn_result_command(
        "MERGE", (int64_t)result.n_merged,
        dry_run ? "would merge %s into %s: %s, 1 commit%s" : "merged %s into %s: %s, 1 commit%s",
        from, into, describe_changes(catalog, arena, result.merged, result.n_merged), skipped);
    return FIRN_OK;
}

firn_rc firn_exec_cherry_pick(firn_session *session, firn_parser *parser, firn_result **out,
                              firn_err *err)
{
    firn_arena *arena = parser->arena;
    firn_catalog *catalog = NULL;
    firn_pick_result result = {0};
    asked what = {0};
    FIRN_VEC(const char *) commits = {0};
    const char *into = session->ref;
    (void)firn_accept(parser, "commit");
    do {
        const char *commit = NULL;
        FIRN_TRY(firn_parse_ref(parser, &commit, err));
        firn_vec_push(arena, &commits, commit);
    } while (firn_accept(parser, ","));
    if (firn_accept(parser, "into")) {
        (void)firn_accept(parser, "branch");
        FIRN_TRY(firn_parse_ref(parser, &into, err));
    }
    FIRN_TRY(parse_options(session, parser, &what, err));
    what.options.info = (firn_commit_info){.message = session->message}; /* the author stays */
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    bool dry_run = what.options.dry_run;
    firn_rc rc = firn_catalog_cherry_pick(catalog, arena, commits.items, commits.len, into,
                                          &what.options, &result, err);
    if (rc == FIRN_E_VALIDATION && dry_run && result.n_conflicts > 0) {
        *out = conflict_rows(arena, "CHERRY PICK", result.conflicts, result.n_conflicts);
        return FIRN_OK;
    }
    FIRN_TRY(rc);
    FIRN_VEC(firn_diff) changed = {0};
    size_t made = 0;
    for (size_t i = 0; i < result.n_picked; i++) {
        made += result.picked[i].n_changed > 0;
        for (size_t k = 0; k < result.picked[i].n_changed; k++) {
            firn_vec_push(arena, &changed, result.picked[i].changed[k]);
        }
    }
    if (made == 0) {
        *out = firn_result_command("CHERRY PICK", 0, "%s has all of that already", into);
        return FIRN_OK;
    }
    *out = firn_result_command("CHERRY PICK", (int64_t)made, "%s %zu commit%s into %s: %s",
                               dry_run ? "would pick" : "picked", made, made == 1 ? "" : "s", into,
                               describe_changes(catalog, arena, changed.items, changed.len));
    return FIRN_OK;
}

/* ---- SHOW DIFF ------------------------------------------------------------------------------------------------ */

static const char *column_change(firn_arena *arena, const firn_column_diff *column)
{
    switch (column->what) {
    case FIRN_COLUMN_ADDED:
        return firn_arena_printf(arena, "column %s %s added", column->name, column->to);
    case FIRN_COLUMN_DROPPED: return firn_arena_printf(arena, "column %s dropped", column->name);
    case FIRN_COLUMN_RENAMED:
        return firn_arena_printf(arena, "column %s renamed to %s", column->from, column->name);
    case FIRN_COLUMN_RETYPED:
        return firn_arena_printf(arena, "column %s from %s to %s", column->name, column->from,
                                 column->to);
    case FIRN_COLUMN_REQUIRED:
        return firn_arena_printf(arena, "column %s %s", column->name, column->to);
    case FIRN_COLUMN_COMMENT: return firn_arena_printf(arena, "comment of %s", column->name);
    case FIRN_COLUMN_DEFAULT: return firn_arena_printf(arena, "default of %s", column->name);
    }
    return column->name;
}

static const char *details(firn_arena *arena, const firn_table_diff *diff)
{
    FIRN_VEC(const char *) parts = {0};
    if (diff->problem != NULL) {
        return diff->problem;
    }
    for (size_t i = 0; i < diff->n_columns; i++) {
        firn_vec_push(arena, &parts, column_change(arena, &diff->columns[i]));
    }
    if (diff->partitioning_to != NULL) {
        const char *to = diff->partitioning_to[0] != '\0' ? diff->partitioning_to : "none";
        firn_vec_push(arena, &parts, firn_arena_printf(arena, "partitioned by %s", to));
    }
    if (diff->order_to != NULL) {
        const char *to = diff->order_to[0] != '\0' ? diff->order_to : "none";
        firn_vec_push(arena, &parts, firn_arena_printf(arena, "ordered by %s", to));
    }
    for (size_t i = 0; i < diff->n_properties; i++) {
        firn_vec_push(arena, &parts,
                      firn_arena_printf(arena, "property %s", diff->properties[i].key));
    }
    if (diff->version_from > 0 && diff->version_to > 0 && diff->version_from != diff->version_to) {
        firn_vec_push(arena, &parts, firn_arena_printf(arena, "format %d", diff->version_to));
    }
    return firn_str_join(arena, parts.items, parts.len, ", ");
}

static const char *count_or_null(firn_arena *arena, const firn_table_diff *diff, int64_t count)
{
    return diff->diff.kind == FIRN_KIND_TABLE && count >= 0
               ? firn_arena_printf(arena, "%lld", (long long)count)
               : NULL;
}

firn_rc firn_show_diff(firn_session *session, firn_parser *parser, firn_result **out, firn_err *err)
{
    static const char *const whats[] = {"added", "removed", "changed"};
    static const char *const kinds[] = {"table", "view", "schema"};
    static const char *const columns[] = {
        "change",           "kind",   "name", "rows_added BIGINT", "rows_removed BIGINT",
        "snapshots BIGINT", "details"};
    firn_arena *arena = parser->arena;
    firn_catalog *catalog = NULL;
    firn_table_diff *diffs = NULL;
    size_t n = 0;
    const char *from = NULL;
    const char *to = session->ref;
    (void)firn_accept(parser, "from");
    FIRN_TRY(firn_parse_ref(parser, &from, err));
    (void)firn_accept(parser, "to");
    if (parser->at < parser->end) {
        FIRN_TRY(firn_parse_ref(parser, &to, err));
    }
    FIRN_TRY(firn_parse_end(parser, err));
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    FIRN_TRY(firn_catalog_diff_detail(catalog, arena, from, to, &diffs, &n, err));
    *out = firn_text_table(arena, "SHOW", columns, 7);
    for (size_t i = 0; i < n; i++) {
        const firn_table_diff *diff = &diffs[i];
        bool is_schema = diff->diff.kind == FIRN_KIND_NAMESPACE;
        firn_result_add_row(
            *out, (const char *const[]){whats[diff->diff.what], kinds[diff->diff.kind],
                                        is_schema ? firn_ns_text(arena, diff->diff.ident.ns)
                                                  : firn_ident_text(arena, diff->diff.ident),
                                        count_or_null(arena, diff, diff->rows_added),
                                        count_or_null(arena, diff, diff->rows_removed),
                                        count_or_null(arena, diff, (int64_t)diff->n_snapshots),
                                        details(arena, diff)});
    }
    return FIRN_OK;
}
