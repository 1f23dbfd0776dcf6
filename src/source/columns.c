/* Declared columns: a recursive descent over columns.h's little language, which builds the JSON of an Avro schema. */
#include "columns.h"
#include "type_words.h"

#include "base/vec.h"

#include <ctype.h>

enum { DEPTH_MAX = 30, DECIMAL_PRECISION_DEFAULT = 38, DECIMAL_PRECISION_MAX = 38 };

static firn_rc parse_type(firn_type_text *p, json_t **out);

/* ---- types ------------------------------------------------------------------------------------ */

static const struct {
    const char *word, *avro, *logical;
} SCALARS[] = {
    {"boolean", "boolean", NULL},
    {"bool", "boolean", NULL},
    {"int", "int", NULL},
    {"integer", "int", NULL},
    {"smallint", "int", NULL},
    {"tinyint", "int", NULL},
    {"bigint", "long", NULL},
    {"long", "long", NULL},
    {"float", "float", NULL},
    {"real", "float", NULL},
    {"string", "string", NULL},
    {"text", "string", NULL},
    {"varchar", "string", NULL},
    {"char", "string", NULL},
    {"json", "string", NULL},
    {"binary", "bytes", NULL},
    {"varbinary", "bytes", NULL},
    {"blob", "bytes", NULL},
    {"bytea", "bytes", NULL},
    {"bytes", "bytes", NULL},
    {"uuid", "string", "uuid"},
    {"date", "int", "date"},
    {"time", "long", "time-micros"},
    {"timestamptz", "long", "timestamp-micros"},
    {"timestamptz_ns", "long", "timestamp-nanos"},
    {"timestamp_ns", "long", "local-timestamp-nanos"},
};

static bool parse_scalar(firn_type_text *p, const char *word, json_t **out)
{
    for (size_t i = 0; i < sizeof SCALARS / sizeof *SCALARS; i++) {
        if (!firn_strcaseeq(word, SCALARS[i].word))
            continue;
        const char *logical = SCALARS[i].logical;
        *out = firn_type_keep(
            p, logical ? json_pack("{s:s, s:s}", "type", SCALARS[i].avro, "logicalType", logical)
                       : json_string(SCALARS[i].avro));
        return true;
    }
    return false;
}

static firn_rc parse_decimal(firn_type_text *p, json_t **out)
{
    int precision = DECIMAL_PRECISION_DEFAULT, scale = 0;
    if (firn_type_take_char(p, '(')) {
        FIRN_TRY(firn_type_parse_number(p, &precision));
        if (firn_type_take_char(p, ','))
            FIRN_TRY(firn_type_parse_number(p, &scale));
        if (!firn_type_take_char(p, ')'))
            return firn_type_wrong(p, "\")\"");
    }
    if (precision < 1 || precision > DECIMAL_PRECISION_MAX || scale > precision)
        return firn_type_wrong(p, "a decimal of 1 to 38 digits, of which the scale is a part,");
    *out = firn_type_keep(p, json_pack("{s:s, s:s, s:i, s:i}", "type", "bytes", "logicalType",
                                       "decimal", "precision", precision, "scale", scale));
    return FIRN_OK;
}

static firn_rc parse_timestamp(firn_type_text *p, json_t **out)
{
    bool with = firn_type_take_word(p, "with");
    if ((with || firn_type_take_word(p, "without")) &&
        !(firn_type_take_word(p, "time") && firn_type_take_word(p, "zone")))
        return firn_type_wrong(p, "\"time zone\"");
    *out = firn_type_keep(p, json_pack("{s:s, s:s}", "type", "long", "logicalType",
                                       with ? "timestamp-micros" : "local-timestamp-micros"));
    return FIRN_OK;
}

/* The bracket that closes the one that is taken here; 0: there is none. */
static char take_bracket(firn_type_text *p)
{
    if (firn_type_take_char(p, '<'))
        return '>';
    return firn_type_take_char(p, '(') ? ')' : '\0';
}

static firn_rc parse_fields(firn_type_text *p, char end, json_t **out);

static firn_rc parse_struct(firn_type_text *p, json_t **out)
{
    char end = take_bracket(p);
    if (!end)
        return firn_type_wrong(p, "\"<\" or \"(\"");
    FIRN_TRY(parse_fields(p, end, out));
    return firn_type_take_char(p, end)
               ? FIRN_OK
               : firn_type_wrong(p, end == '>' ? "\",\" or \">\"" : "\",\" or \")\"");
}

/* The JSON of a type that may be null. */
static json_t *optional(firn_type_text *p, json_t *type)
{
    return firn_type_keep(p, json_pack("[s, O]", "null", type));
}

static firn_rc parse_array(firn_type_text *p, json_t **out)
{
    char end = take_bracket(p);
    json_t *items;
    if (!end)
        return firn_type_wrong(p, "\"<\" or \"(\"");
    FIRN_TRY(parse_type(p, &items));
    *out = firn_type_keep(p, json_pack("{s:s, s:O}", "type", "array", "items", optional(p, items)));
    return firn_type_take_char(p, end) ? FIRN_OK
                                       : firn_type_wrong(p, "the end of the array's type");
}

static firn_rc parse_map(firn_type_text *p, json_t **out)
{
    char end = take_bracket(p);
    json_t *key, *values;
    if (!end)
        return firn_type_wrong(p, "\"<\" or \"(\"");
    FIRN_TRY(parse_type(p, &key));
    const char *key_type = json_string_value(key);
    bool is_string = key_type && firn_streq(key_type, "string");
    if (!is_string || !firn_type_take_char(p, ','))
        return firn_type_wrong(p, "a map from string to another type");
    FIRN_TRY(parse_type(p, &values));
    *out = firn_type_keep(p, json_pack("{s:s, s:O}", "type", "map", "values", optional(p, values)));
    return firn_type_take_char(p, end) ? FIRN_OK : firn_type_wrong(p, "the end of the map's type");
}

static firn_rc parse_named_type(firn_type_text *p, json_t **out)
{
    const char *word;
    FIRN_TRY(firn_type_parse_word(p, "a type", &word));
    if (firn_strcaseeq(word, "decimal") || firn_strcaseeq(word, "numeric"))
        return parse_decimal(p, out);
    if (firn_strcaseeq(word, "timestamp"))
        return parse_timestamp(p, out);
    if (firn_strcaseeq(word, "struct") || firn_strcaseeq(word, "row"))
        return parse_struct(p, out);
    if (firn_strcaseeq(word, "array") || firn_strcaseeq(word, "list"))
        return parse_array(p, out);
    if (firn_strcaseeq(word, "map"))
        return parse_map(p, out);
    if (firn_strcaseeq(word, "double")) {
        (void)firn_type_take_word(p, "precision");
        *out = firn_type_keep(p, json_string("double"));
        return FIRN_OK;
    }
    if (!parse_scalar(p, word, out)) {
        p->at -= strlen(word);
        return firn_type_wrong(p, "a type");
    }
    int length; /* varchar(10): the length says nothing here */
    if (firn_strcaseeq(word, "varchar") || firn_strcaseeq(word, "char")) {
        if (firn_type_take_char(p, '(')) {
            FIRN_TRY(firn_type_parse_number(p, &length));
            return firn_type_take_char(p, ')') ? FIRN_OK : firn_type_wrong(p, "\")\"");
        }
    }
    return FIRN_OK;
}

static firn_rc parse_type(firn_type_text *p, json_t **out)
{
    if (p->depth == DEPTH_MAX)
        FIRN_FAIL(p->err, FIRN_E_LIMIT, "columns nested more than %d deep", DEPTH_MAX);
    p->depth++;
    FIRN_TRY(parse_named_type(p, out));
    for (int i = 0; i < DEPTH_MAX && firn_type_take_char(p, '['); i++) {
        if (!firn_type_take_char(p, ']'))
            return firn_type_wrong(p, "\"]\"");
        *out =
            firn_type_keep(p, json_pack("{s:s, s:O}", "type", "array", "items", optional(p, *out)));
    }
    p->depth--;
    return FIRN_OK;
}

/* ---- fields ----------------------------------------------------------------------------------- */

static firn_rc parse_field(firn_type_text *p, json_t *fields)
{
    const char *name;
    json_t *type;
    FIRN_TRY(firn_type_parse_name(p, &name));
    (void)firn_type_take_char(p, ':');
    FIRN_TRY(parse_type(p, &type));
    if (firn_type_take_word(p, "not")) {
        if (!firn_type_take_word(p, "null"))
            return firn_type_wrong(p, "\"null\"");
    } else {
        (void)firn_type_take_word(p, "null");
        type = optional(p, type);
    }
    json_array_append_new(fields, json_pack("{s:s, s:O}", "name", name, "type", type));
    return FIRN_OK;
}

/* Up to `end`, which is left. */
static firn_rc parse_fields(firn_type_text *p, char end, json_t **out)
{
    json_t *fields = json_array();
    char name[32];
    snprintf(name, sizeof name, "r%d", p->records++);
    *out = firn_type_keep(
        p, json_pack("{s:s, s:s, s:o}", "type", "record", "name", name, "fields", fields));
    do {
        FIRN_TRY(parse_field(p, fields));
    } while (firn_type_take_char(p, ','));
    firn_type_skip_blanks(p);
    return *p->at == end ? FIRN_OK : firn_type_wrong(p, "\",\" or the end");
}

firn_rc firn_columns_parse(firn_arena *arena, const char *text, const firn_avro_schema **out,
                           firn_err *err)
{
    firn_type_text p = {.arena = arena,
                        .text = text,
                        .at = text,
                        .what = "the columns",
                        .code = FIRN_E_SYNTAX,
                        .err = err};
    json_t *json;
    FIRN_TRY(parse_fields(&p, '\0', &json));
    return firn_avro_schema_from_json(arena, json, "the declared columns", out, err);
}
