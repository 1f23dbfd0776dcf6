/* ksqlDB's types: from the text of a header, and from the JSON of DESCRIBE.
 *
 *     `ID` BIGINT KEY, `AMOUNT` DECIMAL(10, 2), `TAGS` ARRAY<STRING>, `AT` STRUCT<`LAT` DOUBLE, `LON` DOUBLE>, `H` BYTES HEADER('k')
 *
 * Names are in backticks, a backtick in a name is doubled; names without any are taken, too. Marks (KEY, PRIMARY KEY, HEADERS,
 * HEADER('...')) stand behind a column's type. The keys of a MAP are texts in JSON whatever their type. A decimal of more than 38 digits
 * has no column type in the lake, and is a text of all its digits.
 */
#include "ksqldb_private.h"
#include "type_words.h"

#include <ctype.h>
#include <strings.h>

enum { DECIMAL_PRECISION_MAX = 38 };

static firn_rc parse_type(firn_type_text *p, json_t **out);

/* ---- types ---- */

static const struct {
    const char *word, *avro, *logical;
} SCALARS[] = {
    {"BOOLEAN", "boolean", NULL},
    {"INTEGER", "int", NULL},
    {"INT", "int", NULL},
    {"BIGINT", "long", NULL},
    {"DOUBLE", "double", NULL},
    {"STRING", "string", NULL},
    {"VARCHAR", "string", NULL},
    {"BYTES", "bytes", NULL},
    {"DATE", "int", "date"},
    {"TIME", "int", "time-millis"},
    {"TIMESTAMP", "long", "timestamp-millis"},
};

/* Types are objects throughout, so that a column can write its marks beside them. */
static json_t *scalar(firn_type_text *p, const char *avro, const char *logical)
{
    return firn_type_keep(p, json_pack("{s:s, s:s*}", "type", avro, "logicalType", logical));
}

static json_t *optional(firn_type_text *p, json_t *type)
{
    return firn_type_keep(p, json_pack("[s, O]", "null", type));
}

static firn_rc parse_decimal(firn_type_text *p, json_t **out)
{
    int precision, scale = 0;
    if (!firn_type_take_char(p, '('))
        return firn_type_wrong(p, "\"(\"");
    FIRN_TRY(firn_type_parse_number(p, &precision));
    if (firn_type_take_char(p, ','))
        FIRN_TRY(firn_type_parse_number(p, &scale));
    if (!firn_type_take_char(p, ')'))
        return firn_type_wrong(p, "\")\"");
    if (precision < 1 || scale > precision)
        return firn_type_wrong(p, "a decimal of at least one digit, of which the scale is a part,");
    if (precision > DECIMAL_PRECISION_MAX)
        *out = scalar(p, "string", NULL);
    else
        *out = firn_type_keep(p, json_pack("{s:s, s:s, s:i, s:i}", "type", "bytes", "logicalType",
                                           "decimal", "precision", precision, "scale", scale));
    return FIRN_OK;
}

static json_t *new_record(firn_type_text *p, json_t *fields)
{
    char name[32];
    snprintf(name, sizeof name, "r%d", p->records++);
    return firn_type_keep(
        p, json_pack("{s:s, s:s, s:O}", "type", "record", "name", name, "fields", fields));
}

static void add_field(json_t *fields, const char *name, json_t *type)
{
    json_array_append_new(fields, json_pack("{s:s, s:O}", "name", name, "type", type));
}

static firn_rc count_column(firn_type_text *p)
{
    if (++p->columns > FIRN_KSQLDB_COLUMNS_MAX)
        FIRN_FAIL(p->err, FIRN_E_LIMIT, "ksqlDB's schema has more than %d columns",
                  FIRN_KSQLDB_COLUMNS_MAX);
    return FIRN_OK;
}

static firn_rc parse_struct(firn_type_text *p, json_t **out)
{
    json_t *fields = firn_type_keep(p, json_array());
    if (!firn_type_take_char(p, '<'))
        return firn_type_wrong(p, "\"<\"");
    bool more = !firn_type_take_char(p, '>');
    while (more) {
        const char *name;
        json_t *type;
        FIRN_TRY(count_column(p));
        FIRN_TRY(firn_type_parse_name(p, &name));
        FIRN_TRY(parse_type(p, &type));
        add_field(fields, name, optional(p, type));
        more = firn_type_take_char(p, ',');
        if (!more && !firn_type_take_char(p, '>'))
            return firn_type_wrong(p, "\",\" or \">\"");
    }
    *out = new_record(p, fields);
    return FIRN_OK;
}

static firn_rc parse_array(firn_type_text *p, json_t **out)
{
    json_t *items;
    if (!firn_type_take_char(p, '<'))
        return firn_type_wrong(p, "\"<\"");
    FIRN_TRY(parse_type(p, &items));
    *out = firn_type_keep(p, json_pack("{s:s, s:O}", "type", "array", "items", optional(p, items)));
    return firn_type_take_char(p, '>') ? FIRN_OK : firn_type_wrong(p, "\">\"");
}

static firn_rc parse_map(firn_type_text *p, json_t **out)
{
    json_t *key, *values;
    if (!firn_type_take_char(p, '<'))
        return firn_type_wrong(p, "\"<\"");
    FIRN_TRY(parse_type(p, &key));
    if (!firn_type_take_char(p, ','))
        return firn_type_wrong(p, "\",\"");
    FIRN_TRY(parse_type(p, &values));
    *out = firn_type_keep(p, json_pack("{s:s, s:O}", "type", "map", "values", optional(p, values)));
    return firn_type_take_char(p, '>') ? FIRN_OK : firn_type_wrong(p, "\">\"");
}

static firn_rc parse_named_type(firn_type_text *p, json_t **out)
{
    const char *word;
    firn_type_skip_blanks(p);
    const char *start = p->at;
    FIRN_TRY(firn_type_parse_word(p, "a type", &word));
    if (firn_strcaseeq(word, "DECIMAL"))
        return parse_decimal(p, out);
    if (firn_strcaseeq(word, "ARRAY"))
        return parse_array(p, out);
    if (firn_strcaseeq(word, "MAP"))
        return parse_map(p, out);
    if (firn_strcaseeq(word, "STRUCT"))
        return parse_struct(p, out);
    for (size_t i = 0; i < sizeof SCALARS / sizeof *SCALARS; i++) {
        if (firn_strcaseeq(word, SCALARS[i].word)) {
            *out = scalar(p, SCALARS[i].avro, SCALARS[i].logical);
            int length; /* VARCHAR(10), VARCHAR(STRING): what is in the brackets says nothing here */
            if (firn_strcaseeq(word, "VARCHAR") && firn_type_take_char(p, '(')) {
                if (!firn_type_take_word(p, "STRING"))
                    FIRN_TRY(firn_type_parse_number(p, &length));
                return firn_type_take_char(p, ')') ? FIRN_OK : firn_type_wrong(p, "\")\"");
            }
            return FIRN_OK;
        }
    }
    p->at = start;
    return firn_type_wrong(p, "a type that ksqlDB has");
}

static firn_rc parse_type(firn_type_text *p, json_t **out)
{
    if (p->depth == FIRN_KSQLDB_DEPTH_MAX)
        FIRN_FAIL(p->err, FIRN_E_LIMIT, "ksqlDB's types are nested more than %d deep",
                  FIRN_KSQLDB_DEPTH_MAX);
    p->depth++;
    FIRN_TRY(parse_named_type(p, out));
    p->depth--;
    return FIRN_OK;
}

/* ---- columns ---- */

static firn_rc parse_marks(firn_type_text *p, json_t *type)
{
    for (;;) {
        (void)firn_type_take_word(p, "PRIMARY");
        if (firn_type_take_word(p, "KEY")) {
            json_object_set_new(type, "firn.ksqldb.key", json_string("1"));
        } else if (firn_type_take_word(p, "HEADERS")) {
            json_object_set_new(type, "firn.ksqldb.header", json_string("1"));
        } else if (firn_type_take_word(p, "HEADER")) {
            json_object_set_new(type, "firn.ksqldb.header", json_string("1"));
            const char *key;
            if (!firn_type_take_char(p, '('))
                return firn_type_wrong(p, "\"(\"");
            firn_type_skip_blanks(p);
            if (*p->at != '\'')
                return firn_type_wrong(p, "a header's name in quotes");
            FIRN_TRY(firn_type_parse_quoted(p, '\'', &key));
            if (!firn_type_take_char(p, ')'))
                return firn_type_wrong(p, "\")\"");
        } else {
            return FIRN_OK;
        }
    }
}

firn_rc firn_ksqldb_schema_parse(firn_arena *arena, const char *text, const firn_avro_schema **out,
                                 firn_err *err)
{
    firn_type_text p = {.arena = arena,
                        .text = text,
                        .at = text,
                        .what = "ksqlDB's schema",
                        .code = FIRN_E_CORRUPT,
                        .err = err};
    json_t *fields = firn_type_keep(&p, json_array());
    firn_type_skip_blanks(&p);
    for (bool more = *p.at != '\0'; more; more = firn_type_take_char(&p, ',')) {
        const char *name;
        json_t *type;
        FIRN_TRY(count_column(&p));
        FIRN_TRY(firn_type_parse_name(&p, &name));
        FIRN_TRY(parse_type(&p, &type));
        FIRN_TRY(parse_marks(&p, type));
        add_field(fields, name, optional(&p, type));
    }
    firn_type_skip_blanks(&p);
    if (*p.at)
        return firn_type_wrong(&p, "\",\" or the end");
    add_field(fields, FIRN_KSQLDB_TOMBSTONE, scalar(&p, "boolean", NULL));
    return firn_avro_schema_from_json(arena, new_record(&p, fields), "ksqlDB's schema", out, err);
}

/* ---- DESCRIBE ---- */

static firn_rc put_type(firn_buf *out, firn_arena *arena, const json_t *schema, int depth,
                        firn_err *err)
{
    const char *type = json_string_value(json_object_get(schema, "type"));
    if (!type || depth == FIRN_KSQLDB_DEPTH_MAX)
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "ksqlDB describes a column whose type makes no sense: %.200s",
                  schema ? firn_json_text(arena, schema) : "none");
    firn_buf_puts(out, type);
    const json_t *member = json_object_get(schema, "memberSchema");
    const json_t *fields = json_object_get(schema, "fields");
    const json_t *parameters = json_object_get(schema, "parameters");
    if (firn_strcaseeq(type, "DECIMAL") && json_is_object(parameters)) {
        firn_buf_printf(out, "(%lld, %lld)",
                        (long long)json_integer_value(json_object_get(parameters, "precision")),
                        (long long)json_integer_value(json_object_get(parameters, "scale")));
    } else if (json_is_object(member)) {
        firn_buf_puts(out, firn_strcaseeq(type, "MAP") ? "<STRING, " : "<");
        FIRN_TRY(put_type(out, arena, member, depth + 1, err));
        firn_buf_putc(out, '>');
    } else if (json_is_array(fields)) {
        firn_buf_putc(out, '<');
        for (size_t i = 0; i < json_array_size(fields); i++) {
            const json_t *field = json_array_get(fields, i);
            const char *name = json_string_value(json_object_get(field, "name"));
            firn_buf_printf(out, "%s%s ", i > 0 ? ", " : "",
                            firn_ksqldb_ident(arena, name ? name : "?"));
            FIRN_TRY(put_type(out, arena, json_object_get(field, "schema"), depth + 1, err));
        }
        firn_buf_putc(out, '>');
    }
    return FIRN_OK;
}

firn_rc firn_ksqldb_type_text(firn_arena *arena, const json_t *schema, const char **out,
                              firn_err *err)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    FIRN_TRY(put_type(&text, arena, schema, 0, err));
    *out = firn_arena_strdup(arena, firn_buf_cstr(&text));
    return FIRN_OK;
}
