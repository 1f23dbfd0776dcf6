/* Partition terms and sort orders: days(ts), bucket(8, id), truncate(s, 4), a.b DESC NULLS LAST; from SQL and back.
 *
 * Both argument orders of bucket and truncate are read (Spark's and Trino's differ), and both days(x) and day(x).
 */
#include "ddl.h"

#include <string.h>

typedef struct transform_name {
    const char *name;
    firn_transform_kind kind;
} transform_name;

static const transform_name transform_names[] = {
    {"years", FIRN_TRANSFORM_YEAR},        {"year", FIRN_TRANSFORM_YEAR},
    {"months", FIRN_TRANSFORM_MONTH},      {"month", FIRN_TRANSFORM_MONTH},
    {"days", FIRN_TRANSFORM_DAY},          {"day", FIRN_TRANSFORM_DAY},
    {"date", FIRN_TRANSFORM_DAY},          {"hours", FIRN_TRANSFORM_HOUR},
    {"hour", FIRN_TRANSFORM_HOUR},         {"date_hour", FIRN_TRANSFORM_HOUR},
    {"bucket", FIRN_TRANSFORM_BUCKET},     {"truncate", FIRN_TRANSFORM_TRUNCATE},
    {"identity", FIRN_TRANSFORM_IDENTITY}, {"void", FIRN_TRANSFORM_VOID},
    {"alwaysnull", FIRN_TRANSFORM_VOID},
};

enum { N_TRANSFORMS = sizeof(transform_names) / sizeof(transform_names[0]) };

static bool at_call(const firn_parser *parser)
{
    const firn_token *next = firn_peek_at(parser, 1);
    return parser->at + 1 < parser->end && firn_peek(parser)->kind == FIRN_TOKEN_WORD &&
           next->kind == FIRN_TOKEN_PUNCT && parser->tokens->text[next->start] == '(';
}

static firn_rc parse_transform_name(firn_parser *parser, firn_transform_kind *kind, firn_err *err)
{
    for (size_t i = 0; i < N_TRANSFORMS; i++) {
        if (firn_accept(parser, transform_names[i].name)) {
            *kind = transform_names[i].kind;
            return FIRN_OK;
        }
    }
    const char *known[N_TRANSFORMS];
    for (size_t i = 0; i < N_TRANSFORMS; i++) {
        known[i] = transform_names[i].name;
    }
    const firn_token *token = firn_peek(parser);
    const char *found = firn_token_text(parser->arena, parser->tokens, parser->at, parser->at + 1);
    const char *near = firn_nearest(firn_str_lower(parser->arena, found), known, N_TRANSFORMS);
    FIRN_FAIL(err, FIRN_E_SYNTAX,
              "line %u, column %u: there is no partition transform %s%s%s%s: a column, years, "
              "months, days, hours, bucket(n, column) or truncate(width, column)",
              token->line, token->column, found, near != NULL ? " (did you mean " : "",
              near != NULL ? near : "", near != NULL ? "?)" : "");
}

static bool at_number(const firn_parser *parser)
{
    return parser->at < parser->end && firn_peek(parser)->kind == FIRN_TOKEN_NUMBER;
}

/* (8, id) or (id, 8) */
static firn_rc parse_param_and_column(firn_parser *parser, const char **column, int64_t *param,
                                      firn_err *err)
{
    if (at_number(parser)) {
        FIRN_TRY(firn_parse_integer(parser, param, err));
        FIRN_TRY(firn_expect(parser, ",", err));
        return firn_parse_column_path(parser, column, err);
    }
    FIRN_TRY(firn_parse_column_path(parser, column, err));
    FIRN_TRY(firn_expect(parser, ",", err));
    return firn_parse_integer(parser, param, err);
}

/* A transform or a bare column. */
static firn_rc parse_term(firn_parser *parser, const char **column, firn_transform *transform,
                          firn_err *err)
{
    firn_transform_kind kind = FIRN_TRANSFORM_IDENTITY;
    int64_t param = 0;
    const char *text = "identity";
    static const char *const canonical[] = {
        [FIRN_TRANSFORM_IDENTITY] = "identity", [FIRN_TRANSFORM_YEAR] = "year",
        [FIRN_TRANSFORM_MONTH] = "month",       [FIRN_TRANSFORM_DAY] = "day",
        [FIRN_TRANSFORM_HOUR] = "hour",         [FIRN_TRANSFORM_VOID] = "void"};
    if (!at_call(parser)) {
        FIRN_TRY(firn_parse_column_path(parser, column, err));
        *transform = firn_transform_parse(parser->arena, text);
        return FIRN_OK;
    }
    const firn_token *start = firn_peek(parser);
    FIRN_TRY(parse_transform_name(parser, &kind, err));
    FIRN_TRY(firn_expect(parser, "(", err));
    if (kind == FIRN_TRANSFORM_BUCKET || kind == FIRN_TRANSFORM_TRUNCATE) {
        FIRN_TRY(parse_param_and_column(parser, column, &param, err));
        if (param < 1 || param > INT32_MAX) {
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "line %u, column %u: %s needs a number from 1 to %d, not %lld", start->line,
                      start->column, kind == FIRN_TRANSFORM_BUCKET ? "bucket" : "truncate",
                      INT32_MAX, (long long)param);
        }
        text = firn_arena_printf(parser->arena, "%s[%lld]",
                                 kind == FIRN_TRANSFORM_BUCKET ? "bucket" : "truncate",
                                 (long long)param);
    } else {
        FIRN_TRY(firn_parse_column_path(parser, column, err));
        text = canonical[kind];
    }
    FIRN_TRY(firn_expect(parser, ")", err));
    *transform = firn_transform_parse(parser->arena, text);
    return FIRN_OK;
}

firn_rc firn_parse_partition_term(firn_parser *parser, firn_partition_term *out, firn_err *err)
{
    memset(out, 0, sizeof(*out));
    FIRN_TRY(parse_term(parser, &out->column, &out->transform, err));
    if (firn_accept(parser, "as")) {
        FIRN_TRY(firn_parse_name(parser, &out->name, err));
    }
    return FIRN_OK;
}

firn_rc firn_parse_partition_terms(firn_parser *parser, firn_partition_terms *out, firn_err *err)
{
    FIRN_TRY(firn_expect(parser, "(", err));
    do {
        firn_partition_term term;
        FIRN_TRY(firn_parse_partition_term(parser, &term, err));
        firn_vec_push(parser->arena, out, term);
    } while (firn_accept(parser, ","));
    return firn_expect(parser, ")", err);
}

firn_rc firn_parse_sort_terms(firn_parser *parser, firn_sort_terms *out, firn_err *err)
{
    bool brackets = firn_accept(parser, "(");
    do {
        firn_sort_term term = {0};
        FIRN_TRY(parse_term(parser, &term.column, &term.transform, err));
        term.descending = firn_accept(parser, "desc");
        if (!term.descending) {
            (void)firn_accept(parser, "asc");
        }
        term.nulls_last =
            term.descending; /* Iceberg's default: nulls first ascending, last descending */
        if (firn_accept(parser, "nulls last")) {
            term.nulls_last = true;
        } else if (firn_accept(parser, "nulls first")) {
            term.nulls_last = false;
        }
        firn_vec_push(parser->arena, out, term);
    } while (firn_accept(parser, ","));
    return brackets ? firn_expect(parser, ")", err) : FIRN_OK;
}

firn_rc firn_sort_fields(firn_arena *arena, const firn_schema *schema, const firn_sort_terms *terms,
                         firn_sort_field **out, firn_err *err)
{
    firn_sort_field *fields = FIRN_NEW_N(arena, firn_sort_field, terms->len);
    for (size_t i = 0; i < terms->len; i++) {
        const firn_sort_term *term = &terms->items[i];
        const firn_field *field = NULL;
        FIRN_TRY(firn_find_column(arena, schema, term->column, "the table", &field, err));
        if (firn_type_is_nested(field->type)) {
            FIRN_FAIL(err, FIRN_E_INVALID, "cannot sort by %s: a %s has no order", term->column,
                      firn_type_sql(arena, field->type));
        }
        FIRN_TRY(firn_transform_check(&term->transform, field->type, err));
        fields[i] = (firn_sort_field){.transform = term->transform,
                                      .source_id = field->id,
                                      .descending = term->descending,
                                      .nulls_last = term->nulls_last};
    }
    *out = fields;
    return FIRN_OK;
}

/* ---- back to SQL --------------------------------------------------------------------------------------- */

/* The fields from the root down to `field_id`, innermost last; 0 if it is not below `type`. */
static size_t find_path(const firn_type *type, int32_t field_id, const firn_field **path,
                        size_t depth, size_t max)
{
    for (size_t i = 0; i < type->n_fields && depth < max; i++) {
        path[depth] = &type->fields[i];
        if (type->fields[i].id == field_id) {
            return depth + 1;
        }
        size_t n = find_path(type->fields[i].type, field_id, path, depth + 1, max);
        if (n > 0) {
            return n;
        }
    }
    return 0;
}

char *firn_path_sql(firn_arena *arena, const firn_schema *schema, int32_t field_id)
{
    enum { DEPTH_MAX = 128 };
    const firn_field *path[DEPTH_MAX];
    const char *parts[DEPTH_MAX];
    size_t n = find_path(&schema->root, field_id, path, 0, DEPTH_MAX);
    for (size_t i = 0; i < n; i++) {
        parts[i] = firn_name_sql(arena, path[i]->name);
    }
    return n > 0 ? firn_str_join(arena, parts, n, ".") : NULL;
}

char *firn_term_sql(firn_arena *arena, const firn_schema *schema, int32_t source_id,
                    const firn_transform *transform)
{
    const char *column = firn_path_sql(arena, schema, source_id);
    if (column == NULL) {
        column = firn_arena_printf(arena, "\"dropped column %d\"", source_id);
    }
    switch (transform->kind) {
    case FIRN_TRANSFORM_IDENTITY: return firn_arena_strdup(arena, column);
    case FIRN_TRANSFORM_BUCKET:
        return firn_arena_printf(arena, "bucket(%d, %s)", transform->param, column);
    case FIRN_TRANSFORM_TRUNCATE:
        return firn_arena_printf(arena, "truncate(%d, %s)", transform->param, column);
    case FIRN_TRANSFORM_YEAR: return firn_arena_printf(arena, "years(%s)", column);
    case FIRN_TRANSFORM_MONTH: return firn_arena_printf(arena, "months(%s)", column);
    case FIRN_TRANSFORM_DAY: return firn_arena_printf(arena, "days(%s)", column);
    case FIRN_TRANSFORM_HOUR: return firn_arena_printf(arena, "hours(%s)", column);
    default: return firn_arena_printf(arena, "%s(%s)", transform->name, column);
    }
}
