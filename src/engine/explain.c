/* EXPLAIN [ANALYZE]: what firn plans for each lake table (files kept and skipped, and why), then DuckDB's plan of the rewritten query.
 */
#include "duck.h"
#include "lexer.h"
#include "read.h"
#include "statement.h"

#include "base/time.h"

#include <inttypes.h>

typedef struct explain {
    firn_session *session;
    firn_arena *arena;
    firn_result *result;
} explain;

static void put_line(explain *e, const char *text)
{
    const char *cells[] = {text};
    firn_result_add_row(e->result, cells);
}

static void put_lines(explain *e, const char *text)
{
    size_t n = 0;
    char **lines = firn_str_split(e->arena, text, '\n', &n);
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n || lines[i][0] != '\0') {
            put_line(e, lines[i]);
        }
    }
}

/* ---- firn's part -------------------------------------------------------------------------------------------- */

static bool uses_field(const firn_expr *expr, int32_t field_id)
{
    if (expr == NULL) {
        return false;
    }
    return expr->field_id == field_id || uses_field(expr->left, field_id) ||
           uses_field(expr->right, field_id);
}

/* " order_date_day": the partition fields that the predicate speaks about. */
static const char *partition_names(firn_arena *arena, const firn_read_table *table)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    for (size_t s = 0; table->metadata != NULL && s < table->metadata->n_specs; s++) {
        const firn_partition_spec *spec = table->metadata->specs[s];
        for (size_t i = 0; i < spec->n_fields; i++) {
            if (uses_field(table->expr, spec->fields[i].source_id) &&
                strstr(out.len > 0 ? firn_buf_cstr(&out) : "", spec->fields[i].name) == NULL) {
                firn_buf_printf(&out, "%s%s", out.len > 0 ? ", " : " ", spec->fields[i].name);
            }
        }
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}

static void put_reason(firn_arena *arena, firn_buf *out, int64_t n, const char *reason)
{
    if (n > 0) {
        firn_buf_printf(out, "%s%s by %s", out->len > 0 ? ", " : "", firn_format_count(arena, n),
                        reason);
    }
}

/* "(363 skipped: 363 by partition order_date_day)" */
static const char *skipped(firn_arena *arena, const firn_read_table *table)
{
    const firn_scan_stats *stats = &table->stats;
    FIRN_AUTO_BUF firn_buf why = {0};
    const char *partition = partition_names(arena, table);
    put_reason(arena, &why, stats->files_skipped_manifest + stats->files_skipped_partition,
               firn_arena_printf(arena, "partition%s", partition));
    put_reason(arena, &why, stats->files_skipped_bounds, "bounds");
    put_reason(arena, &why, stats->files_skipped_nulls, "null counts");
    int64_t known = stats->files_skipped_manifest + stats->files_skipped_partition +
                    stats->files_skipped_bounds + stats->files_skipped_nulls;
    put_reason(arena, &why, stats->files - stats->files_read - known, "LIMIT");
    if (why.len == 0) {
        return "";
    }
    return firn_arena_printf(arena, "  (%s skipped: %s)",
                             firn_format_count(arena, stats->files - stats->files_read),
                             firn_buf_cstr(&why));
}

/* Behind "366 files, 1 read": what became of the others. */
static const char *fates(firn_arena *arena, const firn_read_table *table)
{
    const char *left_out = skipped(arena, table);
    if (!table->from_metadata) {
        return left_out;
    }
    return firn_arena_printf(arena, "%s  (%s answered from metadata)", left_out,
                             firn_format_count(arena, table->stats.files_read));
}

static void put_table(explain *e, const firn_read_table *table)
{
    firn_arena *arena = e->arena;
    const firn_scan_stats *stats = &table->stats;
    const char *name = firn_ident_text(arena, table->ident);
    if (!firn_streq(table->ref, e->session->ref)) {
        name = firn_arena_printf(arena, "%s@%s", name, table->ref);
    }
    if (table->snapshot_id < 0) {
        put_line(e, firn_arena_printf(arena, " %s  empty: it has no snapshot", name));
        return;
    }
    const char *id = firn_arena_printf(arena, "%" PRId64, table->snapshot_id);
    put_line(e, firn_arena_printf(
                    arena, " %s @ %.4s..  %s file%s, %s read%s  manifests %" PRId64 " of %" PRId64,
                    name, id, firn_format_count(arena, stats->files), stats->files == 1 ? "" : "s",
                    table->from_metadata ? "0" : firn_format_count(arena, stats->files_read),
                    fates(arena, table), stats->manifests - stats->manifests_skipped,
                    stats->manifests));
    if (table->filter[0] != '\0') {
        put_line(e, firn_arena_printf(arena, "   pruned by  %s", table->filter));
    }
    if (stats->delete_files > 0) {
        put_line(e, firn_arena_printf(arena, "   deletes    %s delete file%s applied",
                                      firn_format_count(arena, stats->delete_files),
                                      stats->delete_files == 1 ? "" : "s"));
    }
    if (!table->from_metadata) {
        put_line(e, firn_arena_printf(arena, "   reads      %s, %s rows",
                                      firn_format_bytes(arena, stats->bytes_read),
                                      firn_format_count(arena, stats->rows_read)));
    }
}

/* ---- the statement -------------------------------------------------------------------------------------------- */

/* EXPLAIN (ANALYZE, FORMAT JSON): the options as DuckDB takes them. */
static firn_rc read_head(firn_parser *parser, firn_arena *arena, const char **head, firn_err *err)
{
    FIRN_TRY(firn_expect(parser, "explain", err));
    *head = "EXPLAIN";
    if (firn_accept(parser, "analyze") || firn_accept(parser, "analyse")) {
        *head = "EXPLAIN ANALYZE";
        return FIRN_OK;
    }
    const firn_token *second = firn_peek_at(parser, 1);
    bool options = firn_peek(parser)->kind == FIRN_TOKEN_PUNCT && second->kind == FIRN_TOKEN_WORD &&
                   firn_accept(parser, "(");
    if (!options) {
        return FIRN_OK;
    }
    if (firn_at_word(parser, "select") || firn_at_word(parser, "from") ||
        firn_at_word(parser, "with") || firn_at_word(parser, "values")) {
        parser->at--; /* a query in brackets */
        return FIRN_OK;
    }
    size_t from = parser->at;
    while (parser->at < parser->end && !firn_accept(parser, ")")) {
        parser->at++;
    }
    *head = firn_arena_printf(arena, "EXPLAIN (%s",
                              firn_token_text(arena, parser->tokens, from, parser->at));
    return FIRN_OK;
}

static firn_rc run(explain *e, const char *head, const char *query, firn_err *err)
{
    firn_read_plan plan;
    FIRN_TRY(firn_read_rewrite(e->session, e->arena, query, &plan, err));
    firn_duck_cells rows;
    FIRN_TRY(firn_duck_rows(e->session, e->arena,
                            firn_arena_printf(e->arena, "%s %s", head, plan.sql), &rows, err));
    static const char *const NAMES[] = {"explain"};
    e->result = firn_result_table("EXPLAIN", NAMES, NULL, 1);
    for (size_t i = 0; i < plan.tables.len; i++) {
        put_table(e, &plan.tables.items[i]);
    }
    for (size_t i = 0; i < rows.n_rows; i++) {
        const char *text = rows.cells[i][rows.n_columns - 1];
        put_lines(e, text != NULL ? text : "");
    }
    return FIRN_OK;
}

firn_rc firn_exec_explain(firn_session *session, const char *sql, firn_result **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_parser parser;
    const char *head;
    FIRN_TRY(firn_parser_open(arena, sql, &parser, err));
    FIRN_TRY(read_head(&parser, arena, &head, err));
    static const char *const CHANGING[] = {"insert", "update", "delete",   "merge", "create",
                                           "drop",   "alter",  "truncate", "copy",  "call"};
    for (size_t i = 0; i < sizeof(CHANGING) / sizeof(CHANGING[0]); i++) {
        if (firn_at_word(&parser, CHANGING[i])) {
            FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                      "EXPLAIN explains queries: EXPLAIN the SELECT of the %s statement",
                      CHANGING[i]);
        }
    }
    if (parser.at >= parser.end) {
        return firn_syntax_error(&parser, err, "a query behind EXPLAIN");
    }
    explain e = {.session = session, .arena = arena};
    FIRN_TRY(run(&e, head, firn_token_text(arena, parser.tokens, parser.at, parser.end), err));
    *out = e.result;
    return FIRN_OK;
}
