/* Column types as people write them: DuckDB's, Spark's and Iceberg's names, to Iceberg types; and back to SQL.
 *
 *   type   := base postfix*
 *   base   := name [ '(' n [',' n] ')' | '[' n ']' ] | array/list '<' type '>' | map '<' type ',' type '>' | struct '<' field,* '>'
 *           | STRUCT/ROW '(' name type,* ')' | MAP '(' type ',' type ')' | LIST/ARRAY '(' type ')'
 *   postfix := '[' ']' | '[' n ']'                 (lists; Iceberg has no fixed lengths)
 *   field  := name ':' type | name type            each with [NOT NULL] [COMMENT 'text']
 *
 * The lexer knows no '<' brackets and joins '>' with what follows it (">>" is two tokens, ">=" one): only ">" alone closes.
 */
#include "ddl.h"

#include "read.h"

#include <string.h>

enum {
    TYPE_DEPTH_MAX = 64,
    DECIMAL_PRECISION_MAX = 38,
    DECIMAL_PRECISION_DEFAULT = 18,
    DECIMAL_SCALE_DEFAULT = 3
};

typedef struct type_name {
    const char *words;
    firn_type_id id;
} type_name;

/* Longer spellings stand before their own beginnings. */
static const type_name type_names[] = {
    {"boolean", FIRN_TYPE_BOOLEAN},
    {"bool", FIRN_TYPE_BOOLEAN},
    {"logical", FIRN_TYPE_BOOLEAN},
    {"int", FIRN_TYPE_INT},
    {"tinyint", FIRN_TYPE_INT},
    {"byte", FIRN_TYPE_INT},
    {"int1", FIRN_TYPE_INT},
    {"smallint", FIRN_TYPE_INT},
    {"short", FIRN_TYPE_INT},
    {"int2", FIRN_TYPE_INT},
    {"integer", FIRN_TYPE_INT},
    {"int4", FIRN_TYPE_INT},
    {"signed", FIRN_TYPE_INT},
    {"int32", FIRN_TYPE_INT},
    {"int16", FIRN_TYPE_INT},
    {"utinyint", FIRN_TYPE_INT},
    {"usmallint", FIRN_TYPE_INT},
    {"uint8", FIRN_TYPE_INT},
    {"uint16", FIRN_TYPE_INT},
    {"bigint", FIRN_TYPE_LONG},
    {"long", FIRN_TYPE_LONG},
    {"int8", FIRN_TYPE_LONG}, /* PostgreSQL's: 8 bytes */
    {"int64", FIRN_TYPE_LONG},
    {"uinteger", FIRN_TYPE_LONG},
    {"uint32", FIRN_TYPE_LONG},
    {"float4", FIRN_TYPE_FLOAT},
    {"real", FIRN_TYPE_FLOAT},
    {"float", FIRN_TYPE_FLOAT},
    {"double precision", FIRN_TYPE_DOUBLE},
    {"double", FIRN_TYPE_DOUBLE},
    {"float8", FIRN_TYPE_DOUBLE},
    {"date", FIRN_TYPE_DATE},
    {"time without time zone", FIRN_TYPE_TIME},
    {"time", FIRN_TYPE_TIME},
    {"timestamp with local time zone", FIRN_TYPE_TIMESTAMPTZ},
    {"timestamp with time zone", FIRN_TYPE_TIMESTAMPTZ},
    {"timestamp without time zone", FIRN_TYPE_TIMESTAMP},
    {"timestamp_ltz", FIRN_TYPE_TIMESTAMPTZ},
    {"timestamptz", FIRN_TYPE_TIMESTAMPTZ},
    {"timestamp_ntz", FIRN_TYPE_TIMESTAMP},
    {"timestamp_us", FIRN_TYPE_TIMESTAMP},
    {"timestamp_ms", FIRN_TYPE_TIMESTAMP},
    {"timestamp_s", FIRN_TYPE_TIMESTAMP},
    {"timestamp_ns", FIRN_TYPE_TIMESTAMP_NS},
    {"timestamptz_ns", FIRN_TYPE_TIMESTAMPTZ_NS},
    {"timestamp", FIRN_TYPE_TIMESTAMP},
    {"datetime", FIRN_TYPE_TIMESTAMP},
    {"string", FIRN_TYPE_STRING},
    {"varchar", FIRN_TYPE_STRING},
    {"character varying", FIRN_TYPE_STRING},
    {"character", FIRN_TYPE_STRING},
    {"char", FIRN_TYPE_STRING},
    {"bpchar", FIRN_TYPE_STRING},
    {"text", FIRN_TYPE_STRING},
    {"json", FIRN_TYPE_STRING},
    {"uuid", FIRN_TYPE_UUID},
    {"guid", FIRN_TYPE_UUID},
    {"binary", FIRN_TYPE_BINARY},
    {"varbinary", FIRN_TYPE_BINARY},
    {"bytea", FIRN_TYPE_BINARY},
    {"blob", FIRN_TYPE_BINARY},
    {"fixed", FIRN_TYPE_FIXED},
    {"decimal", FIRN_TYPE_DECIMAL},
    {"numeric", FIRN_TYPE_DECIMAL},
    {"dec", FIRN_TYPE_DECIMAL},
    {"unknown", FIRN_TYPE_UNKNOWN},
    {"void", FIRN_TYPE_UNKNOWN},
    {"variant", FIRN_TYPE_VARIANT},
    {"geometry", FIRN_TYPE_GEOMETRY},
    {"geography", FIRN_TYPE_GEOGRAPHY},
};

/* Types that DuckDB has and Iceberg has not, with what to use instead. */
static const struct {
    const char *name, *instead;
} foreign_types[] = {
    {"ubigint", "DECIMAL(20, 0)"},
    {"uint64", "DECIMAL(20, 0)"},
    {"hugeint", "DECIMAL(38, 0)"},
    {"int128", "DECIMAL(38, 0)"},
    {"uhugeint", "DECIMAL(38, 0)"},
    {"bignum", "DECIMAL(38, 0)"},
    {"varint", "DECIMAL(38, 0)"},
    {"interval", "two timestamps, or the length as BIGINT"},
    {"timetz", "TIME and a zone as STRING"},
    {"enum", "STRING"},
    {"bit", "STRING or BINARY"},
    {"bitstring", "STRING or BINARY"},
    {"union", "a STRUCT with one field per member"},
    {"serial", "BIGINT"},
};

/* Where in a type the parser is, and how strict: a query's columns are taken with types that Iceberg lacks if another holds all
 * their values (HUGEINT, which sum() gives, becomes DECIMAL(38, 0)). */
typedef struct type_scope {
    int depth;
    bool of_query;
    int format_version; /* of_query: what the type of NULL becomes */
} type_scope;

static firn_rc parse_type(firn_parser *parser, type_scope scope, firn_type **out, firn_err *err);

static type_scope inside(type_scope scope)
{
    scope.depth++;
    return scope;
}

static firn_type *new_type(firn_parser *parser, firn_type_id id, size_t n_fields)
{
    firn_type *type = FIRN_NEW(parser->arena, firn_type);
    type->id = id;
    type->n_fields = n_fields;
    type->fields = n_fields > 0 ? FIRN_NEW_N(parser->arena, firn_field, n_fields) : NULL;
    return type;
}

static firn_type *new_list(firn_parser *parser, const firn_type *element)
{
    firn_type *list = new_type(parser, FIRN_TYPE_LIST, 1);
    list->fields[0] = (firn_field){.name = "element", .type = element};
    return list;
}

/* NOT NULL and COMMENT of a nested field. */
static firn_rc parse_field_options(firn_parser *parser, firn_field *field, firn_err *err)
{
    for (;;) {
        if (firn_accept(parser, "not null")) {
            field->required = true;
        } else if (firn_accept(parser, "comment")) {
            FIRN_TRY(firn_parse_string(parser, &field->doc, err));
        } else {
            return FIRN_OK;
        }
    }
}

/* Fields up to `close`, which is consumed. */
static firn_rc parse_struct(firn_parser *parser, const char *close, type_scope scope,
                            firn_type **out, firn_err *err)
{
    FIRN_VEC(firn_field) fields = {0};
    do {
        firn_field field = {0};
        firn_type *type = NULL;
        FIRN_TRY(firn_parse_name(parser, &field.name, err));
        (void)firn_accept(parser, ":");
        FIRN_TRY(parse_type(parser, inside(scope), &type, err));
        field.type = type;
        FIRN_TRY(parse_field_options(parser, &field, err));
        for (size_t i = 0; i < fields.len; i++) {
            if (firn_strcaseeq(fields.items[i].name, field.name)) {
                FIRN_FAIL(err, FIRN_E_INVALID, "the struct has two fields named %s", field.name);
            }
        }
        firn_vec_push(parser->arena, &fields, field);
    } while (firn_accept(parser, ","));
    FIRN_TRY(firn_expect(parser, close, err));
    firn_type *type = new_type(parser, FIRN_TYPE_STRUCT, 0);
    type->fields = fields.items;
    type->n_fields = fields.len;
    *out = type;
    return FIRN_OK;
}

static firn_rc parse_map(firn_parser *parser, const char *close, type_scope scope, firn_type **out,
                         firn_err *err)
{
    firn_type *key = NULL;
    firn_type *value = NULL;
    FIRN_TRY(parse_type(parser, inside(scope), &key, err));
    FIRN_TRY(firn_expect(parser, ",", err));
    FIRN_TRY(parse_type(parser, inside(scope), &value, err));
    bool required = firn_accept(parser, "not null");
    FIRN_TRY(firn_expect(parser, close, err));
    firn_type *type = new_type(parser, FIRN_TYPE_MAP, 2);
    type->fields[0] = (firn_field){.name = "key", .required = true, .type = key};
    type->fields[1] = (firn_field){.name = "value", .required = required, .type = value};
    *out = type;
    return FIRN_OK;
}

static firn_rc parse_list(firn_parser *parser, const char *close, type_scope scope, firn_type **out,
                          firn_err *err)
{
    firn_type *element = NULL;
    FIRN_TRY(parse_type(parser, inside(scope), &element, err));
    firn_type *list = new_list(parser, element);
    list->fields[0].required = firn_accept(parser, "not null");
    FIRN_TRY(firn_expect(parser, close, err));
    *out = list;
    return FIRN_OK;
}

/* A type with types inside; *out stays NULL if the cursor is at none. */
static firn_rc parse_nested(firn_parser *parser, type_scope scope, firn_type **out, firn_err *err)
{
    if (firn_accept(parser, "struct <")) {
        return parse_struct(parser, ">", scope, out, err);
    }
    if (firn_accept(parser, "struct (") || firn_accept(parser, "row (")) {
        return parse_struct(parser, ")", scope, out, err);
    }
    if (firn_accept(parser, "map <")) {
        return parse_map(parser, ">", scope, out, err);
    }
    if (firn_accept(parser, "map (")) {
        return parse_map(parser, ")", scope, out, err);
    }
    if (firn_accept(parser, "array <") || firn_accept(parser, "list <")) {
        return parse_list(parser, ">", scope, out, err);
    }
    if (firn_accept(parser, "array (") || firn_accept(parser, "list (")) {
        return parse_list(parser, ")", scope, out, err);
    }
    return FIRN_OK;
}

static firn_rc parse_decimal(firn_parser *parser, firn_type *type, firn_err *err)
{
    int64_t precision = DECIMAL_PRECISION_DEFAULT;
    int64_t scale = DECIMAL_SCALE_DEFAULT;
    if (firn_accept(parser, "(")) {
        scale = 0;
        FIRN_TRY(firn_parse_integer(parser, &precision, err));
        if (firn_accept(parser, ",")) {
            FIRN_TRY(firn_parse_integer(parser, &scale, err));
        }
        FIRN_TRY(firn_expect(parser, ")", err));
    }
    if (precision < 1 || precision > DECIMAL_PRECISION_MAX || scale < 0 || scale > precision) {
        FIRN_FAIL(err, FIRN_E_TYPE,
                  "DECIMAL(%lld, %lld) cannot be: the precision is 1 to %d, the scale 0 to the "
                  "precision",
                  (long long)precision, (long long)scale, DECIMAL_PRECISION_MAX);
    }
    type->precision = (int32_t)precision;
    type->scale = (int32_t)scale;
    return FIRN_OK;
}

/* fixed(16), fixed[16]: the length is part of the type. */
static firn_rc parse_fixed(firn_parser *parser, firn_type *type, firn_err *err)
{
    int64_t length = 0;
    bool square = firn_accept(parser, "[");
    if (!square) {
        FIRN_TRY(firn_expect(parser, "(", err));
    }
    FIRN_TRY(firn_parse_integer(parser, &length, err));
    FIRN_TRY(firn_expect(parser, square ? "]" : ")", err));
    if (length < 1 || length > INT32_MAX) {
        FIRN_FAIL(err, FIRN_E_TYPE, "FIXED(%lld) cannot be: the length is 1 to %d bytes",
                  (long long)length, INT32_MAX);
    }
    type->length = (int32_t)length;
    return FIRN_OK;
}

/* geometry('OGC:CRS84'), geography('srid:4326', spherical) */
static firn_rc parse_geo(firn_parser *parser, firn_type *type, firn_err *err)
{
    if (!firn_accept(parser, "(")) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_parse_string(parser, &type->crs, err));
    if (type->id == FIRN_TYPE_GEOGRAPHY && firn_accept(parser, ",")) {
        FIRN_TRY(firn_parse_name(parser, &type->algorithm, err));
    }
    return firn_expect(parser, ")", err);
}

/* VARCHAR(20), TIMESTAMP(6): lengths and precisions that Iceberg does not have; what would lose digits is refused. */
static firn_rc parse_ignored_length(firn_parser *parser, const firn_type *type, firn_err *err)
{
    int64_t n = 0;
    bool length = type->id == FIRN_TYPE_STRING || type->id == FIRN_TYPE_BINARY;
    bool digits = type->id == FIRN_TYPE_TIME || type->id == FIRN_TYPE_TIMESTAMP ||
                  type->id == FIRN_TYPE_TIMESTAMPTZ;
    if ((!length && !digits) || !firn_accept(parser, "(")) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_parse_integer(parser, &n, err));
    FIRN_TRY(firn_expect(parser, ")", err));
    if (digits && n > 6) {
        FIRN_FAIL(err, FIRN_E_TYPE,
                  "Iceberg keeps times in microseconds (6 digits), not %lld: use TIMESTAMP_NS in a "
                  "table of format version 3",
                  (long long)n);
    }
    return FIRN_OK;
}

static firn_rc unknown_type(firn_parser *parser, firn_err *err)
{
    enum { N = sizeof(type_names) / sizeof(type_names[0]) };
    const firn_token *token = firn_peek(parser);
    if (parser->at == parser->end || token->kind == FIRN_TOKEN_STRING ||
        token->kind == FIRN_TOKEN_PUNCT || token->kind == FIRN_TOKEN_NUMBER) {
        return firn_syntax_error(parser, err, "a type");
    }
    const char *found = firn_token_text(parser->arena, parser->tokens, parser->at, parser->at + 1);
    for (size_t i = 0; i < sizeof(foreign_types) / sizeof(foreign_types[0]); i++) {
        if (firn_strcaseeq(found, foreign_types[i].name)) {
            FIRN_FAIL(err, FIRN_E_TYPE,
                      "line %u, column %u: Iceberg has no type %s; use %s (in a query: CAST)",
                      token->line, token->column, found, foreign_types[i].instead);
        }
    }
    const char *known[N + 3] = {"struct", "map", "array"};
    for (size_t i = 0; i < N; i++) {
        known[i + 3] = type_names[i].words;
    }
    const char *near = firn_nearest(firn_str_lower(parser->arena, found), known, N + 3);
    FIRN_FAIL(err, FIRN_E_TYPE, "line %u, column %u: there is no type \"%.60s\"%s%s%s", token->line,
              token->column, found, near != NULL ? ". Did you mean " : "", near != NULL ? near : "",
              near != NULL ? "?" : "");
}

/* DuckDB prints the type of a bare NULL as "NULL", with the quotes. */
static bool accept_null_type(firn_parser *parser)
{
    const firn_token *token = firn_peek(parser);
    const char *text = parser->tokens->text + token->start;
    if (parser->at == parser->end || token->kind != FIRN_TOKEN_QUOTED || token->len != 6 ||
        strncasecmp(text, "\"null\"", 6) != 0) {
        return false;
    }
    parser->at++;
    return true;
}

/* Types of query columns that Iceberg lacks and another type holds; *found tells whether it was one. */
static firn_rc parse_widened(firn_parser *parser, firn_type *type, bool *found, firn_err *err)
{
    *found = true;
    if (firn_accept(parser, "hugeint") || firn_accept(parser, "uhugeint")) {
        *type = (firn_type){.id = FIRN_TYPE_DECIMAL, .precision = DECIMAL_PRECISION_MAX};
    } else if (firn_accept(parser, "ubigint")) {
        *type = (firn_type){.id = FIRN_TYPE_DECIMAL, .precision = 20};
    } else if (firn_accept(parser, "bit")) {
        type->id = FIRN_TYPE_STRING;
    } else if (firn_accept(parser, "enum")) {
        type->id = FIRN_TYPE_STRING;
        const char *value = NULL;
        FIRN_TRY(firn_expect(parser, "(", err));
        do {
            FIRN_TRY(firn_parse_string(parser, &value, err));
        } while (firn_accept(parser, ","));
        FIRN_TRY(firn_expect(parser, ")", err));
    } else {
        *found = false;
    }
    return FIRN_OK;
}

static firn_rc parse_primitive(firn_parser *parser, type_scope scope, firn_type **out,
                               firn_err *err)
{
    firn_type *type = new_type(parser, FIRN_TYPE_UNKNOWN, 0);
    bool widened = false;
    *out = type;
    if (accept_null_type(parser)) {
        if (scope.of_query && scope.format_version < 3) {
            type->id = FIRN_TYPE_INT; /* as DuckDB's CREATE TABLE AS SELECT NULL does */
        }
        return FIRN_OK;
    }
    if (scope.of_query) {
        FIRN_TRY(parse_widened(parser, type, &widened, err));
        if (widened) {
            return FIRN_OK;
        }
    }
    size_t i = 0;
    size_t n = sizeof(type_names) / sizeof(type_names[0]);
    if (firn_at_words(parser, "time with time zone")) {
        FIRN_FAIL(err, FIRN_E_TYPE, "Iceberg has no TIME WITH TIME ZONE; use TIME");
    }
    while (i < n && !firn_accept(parser, type_names[i].words)) {
        i++;
    }
    if (i == n) {
        return unknown_type(parser, err);
    }
    type->id = type_names[i].id;
    switch (type->id) {
    case FIRN_TYPE_DECIMAL: return parse_decimal(parser, type, err);
    case FIRN_TYPE_FIXED: return parse_fixed(parser, type, err);
    case FIRN_TYPE_GEOMETRY:
    case FIRN_TYPE_GEOGRAPHY: return parse_geo(parser, type, err);
    default: FIRN_TRY(parse_ignored_length(parser, type, err));
    }
    if (type->id == FIRN_TYPE_TIMESTAMP && firn_accept(parser, "with time zone")) {
        type->id = FIRN_TYPE_TIMESTAMPTZ; /* TIMESTAMP(6) WITH TIME ZONE */
    } else if (type->id == FIRN_TYPE_TIMESTAMP) {
        (void)firn_accept(parser, "without time zone");
    }
    return FIRN_OK;
}

static firn_rc parse_type(firn_parser *parser, type_scope scope, firn_type **out, firn_err *err)
{
    firn_type *type = NULL;
    if (scope.depth > TYPE_DEPTH_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "the type is nested more than %d levels deep", TYPE_DEPTH_MAX);
    }
    FIRN_TRY(parse_nested(parser, scope, &type, err));
    if (type == NULL) {
        FIRN_TRY(parse_primitive(parser, scope, &type, err));
    }
    for (int postfix = scope.depth; firn_accept(parser, "["); postfix++) {
        int64_t length = 0;
        if (postfix > TYPE_DEPTH_MAX) {
            FIRN_FAIL(err, FIRN_E_LIMIT, "the type is nested more than %d levels deep",
                      TYPE_DEPTH_MAX);
        }
        if (!firn_accept(parser, "]")) {
            FIRN_TRY(firn_parse_integer(parser, &length, err));
            FIRN_TRY(firn_expect(parser, "]", err));
        }
        type = new_list(parser, type);
    }
    *out = type;
    return FIRN_OK;
}

firn_rc firn_parse_type(firn_parser *parser, firn_type **out, firn_err *err)
{
    return parse_type(parser, (type_scope){0}, out, err);
}

firn_rc firn_type_from_sql(firn_arena *arena, const char *text, firn_type **out, firn_err *err)
{
    firn_parser parser;
    FIRN_TRY(firn_parser_open(arena, text, &parser, err));
    FIRN_TRY(firn_parse_type(&parser, out, err));
    return firn_parse_end(&parser, err);
}

firn_rc firn_type_of_query(firn_arena *arena, const char *text, int format_version, firn_type **out,
                           firn_err *err)
{
    firn_parser parser;
    type_scope scope = {.of_query = true, .format_version = format_version};
    FIRN_TRY(firn_parser_open(arena, text, &parser, err));
    FIRN_TRY(parse_type(&parser, scope, out, err));
    return firn_parse_end(&parser, err);
}

/* ---- back to SQL --------------------------------------------------------------------------------------- */

static void print_type(firn_arena *arena, firn_buf *out, const firn_type *type);

static void print_field(firn_arena *arena, firn_buf *out, const firn_field *field)
{
    print_type(arena, out, field->type);
    firn_buf_puts(out, field->required ? " NOT NULL" : "");
}

static void print_struct(firn_arena *arena, firn_buf *out, const firn_type *type)
{
    firn_buf_puts(out, "STRUCT(");
    for (size_t i = 0; i < type->n_fields; i++) {
        const firn_field *field = &type->fields[i];
        firn_buf_printf(out, "%s%s ", i > 0 ? ", " : "", firn_name_sql(arena, field->name));
        print_field(arena, out, field);
        if (field->doc != NULL) {
            firn_buf_printf(out, " COMMENT %s", firn_sql_quote(arena, field->doc));
        }
    }
    firn_buf_puts(out, ")");
}

static void print_geo(firn_arena *arena, firn_buf *out, const firn_type *type, const char *name)
{
    firn_buf_puts(out, name);
    if (type->crs != NULL) {
        firn_buf_printf(out, "(%s%s%s)", firn_sql_quote(arena, type->crs),
                        type->algorithm != NULL ? ", " : "",
                        type->algorithm != NULL ? type->algorithm : "");
    }
}

static void print_type(firn_arena *arena, firn_buf *out, const firn_type *type)
{
    static const char *const names[] = {
        [FIRN_TYPE_UNKNOWN] = "UNKNOWN",
        [FIRN_TYPE_BOOLEAN] = "BOOLEAN",
        [FIRN_TYPE_INT] = "INTEGER",
        [FIRN_TYPE_LONG] = "BIGINT",
        [FIRN_TYPE_FLOAT] = "FLOAT",
        [FIRN_TYPE_DOUBLE] = "DOUBLE",
        [FIRN_TYPE_DATE] = "DATE",
        [FIRN_TYPE_TIME] = "TIME",
        [FIRN_TYPE_TIMESTAMP] = "TIMESTAMP",
        [FIRN_TYPE_TIMESTAMPTZ] = "TIMESTAMP WITH TIME ZONE",
        [FIRN_TYPE_TIMESTAMP_NS] = "TIMESTAMP_NS",
        [FIRN_TYPE_TIMESTAMPTZ_NS] = "TIMESTAMPTZ_NS",
        [FIRN_TYPE_STRING] = "VARCHAR",
        [FIRN_TYPE_UUID] = "UUID",
        [FIRN_TYPE_BINARY] = "BLOB",
        [FIRN_TYPE_VARIANT] = "VARIANT",
    };
    switch (type->id) {
    case FIRN_TYPE_DECIMAL:
        firn_buf_printf(out, "DECIMAL(%d,%d)", type->precision, type->scale); /* as DuckDB */
        break;
    case FIRN_TYPE_FIXED: firn_buf_printf(out, "FIXED(%d)", type->length); break;
    case FIRN_TYPE_GEOMETRY: print_geo(arena, out, type, "GEOMETRY"); break;
    case FIRN_TYPE_GEOGRAPHY: print_geo(arena, out, type, "GEOGRAPHY"); break;
    case FIRN_TYPE_STRUCT: print_struct(arena, out, type); break;
    case FIRN_TYPE_LIST: /* INTEGER[] has no place for NOT NULL */
        firn_buf_puts(out, type->fields[0].required ? "ARRAY(" : "");
        print_field(arena, out, &type->fields[0]);
        firn_buf_puts(out, type->fields[0].required ? ")" : "[]");
        break;
    case FIRN_TYPE_MAP:
        firn_buf_puts(out, "MAP(");
        print_type(arena, out, type->fields[0].type);
        firn_buf_puts(out, ", ");
        print_field(arena, out, &type->fields[1]);
        firn_buf_puts(out, ")");
        break;
    default: firn_buf_puts(out, names[type->id]);
    }
}

const char *firn_type_sql(firn_arena *arena, const firn_type *type)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    print_type(arena, &text, type);
    return firn_arena_strdup(arena, firn_buf_cstr(&text));
}
