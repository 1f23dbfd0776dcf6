/* Protobuf types: parsing, finding them, and the Avro schema that a message amounts to.
 *
 * Every field becomes a column, in order of declaration: proto_decode.c counts on it. What a field's column is, is decided here
 * alone; the decoder reads it off the column.
 */
#include "base/map.h"
#include "format/protobuf.h"
#include "json_text.h"
#include "proto_imports.h"
#include "proto_parse.h"

#include <assert.h>

/* ---- parsing, finding ---- */

typedef struct import_list {
    const firn_proto_import *items;
    size_t n;
} import_list;

static const char *find_import(const void *ctx, const char *name)
{
    const import_list *list = ctx;
    for (size_t i = 0; i < list->n; i++) {
        if (firn_streq(list->items[i].name, name))
            return list->items[i].text;
    }
    return firn_proto_builtin(name);
}

/* Past a comment or a quoted text that starts here, else one byte on. A quoted text ends with its line at the latest. */
static const char *next_place(const char *at)
{
    if (at[0] == '/' && at[1] == '/')
        return at + strcspn(at, "\n");
    if (at[0] == '/' && at[1] == '*') {
        const char *end = strstr(at + 2, "*/");
        return end ? end + 2 : at + strlen(at);
    }
    if (*at != '"' && *at != '\'')
        return at + 1;
    char quote = *at++;
    while (*at && *at != quote && *at != '\n')
        at += at[0] == '\\' && at[1] && at[1] != '\n' ? 2 : 1;
    return *at == quote ? at + 1 : at;
}

/* libprotobuf's parser is recursive and does not look at its depth. */
static bool nests_too_deep(const char *text)
{
    int depth = 0;
    for (const char *at = text; *at; at = next_place(at)) {
        if (strchr("{[(<", *at))
            depth++;
        else if (strchr("}])>", *at) && depth > 0)
            depth--;
        if (depth > FIRN_AVRO_DEPTH_MAX)
            return true;
    }
    return false;
}

static firn_rc check_text(const char *name, const char *text, firn_err *err)
{
    const char *colon = *name ? ": " : "";
    size_t size = strlen(text);
    if (size > FIRN_PROTO_TEXT_BYTES_MAX) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "Protobuf schema: %s%s%zu bytes of text; the most is %d", name,
                  colon, size, FIRN_PROTO_TEXT_BYTES_MAX);
    }
    if (nests_too_deep(text)) {
        FIRN_FAIL(err, FIRN_E_LIMIT, "Protobuf schema: %s%snested more than %d deep", name, colon,
                  FIRN_AVRO_DEPTH_MAX);
    }
    return FIRN_OK;
}

bool firn_proto_unpack(const char *text, uint8_t *out, size_t *out_len)
{
    return firn_text_base64(firn_bytes_str(text), out, out_len);
}

firn_rc firn_proto_parse(firn_arena *arena, const char *text, const firn_proto_import *imports,
                         size_t n_imports, firn_proto_file **out, firn_err *err)
{
    FIRN_TRY(check_text("", text, err));
    for (size_t i = 0; i < n_imports; i++)
        FIRN_TRY(check_text(imports[i].name, imports[i].text, err));
    import_list list = {imports, n_imports};
    firn_proto_source source = {.text = text, .find = find_import, .ctx = &list};
    return firn_proto_parse_source(arena, &source, out, err);
}

firn_rc firn_proto_by_name(const firn_proto_file *file, const char *name,
                           const firn_proto_message **out, firn_err *err)
{
    for (size_t i = 0; i < file->n_all; i++) {
        if (!file->all[i]->is_map_entry && firn_streq(file->all[i]->name, name)) {
            *out = file->all[i];
            return FIRN_OK;
        }
    }
    FIRN_FAIL(
        err, FIRN_E_NOT_FOUND,
        "the Protobuf schema has no message type \"%s\"%s%s%s; a name is written with its package",
        name, file->n_messages > 0 ? " (its first one is \"" : "",
        file->n_messages > 0 ? file->messages[0]->name : "", file->n_messages > 0 ? "\")" : "");
}

firn_rc firn_proto_by_index(const firn_proto_file *file, const int32_t *path, size_t n,
                            const firn_proto_message **out, firn_err *err)
{
    firn_proto_message *const *list = file->messages;
    size_t count = file->n_messages;
    const firn_proto_message *found = NULL;
    for (size_t i = 0; i < n; i++) {
        if (path[i] < 0 || (size_t)path[i] >= count || list[path[i]]->is_map_entry) {
            FIRN_FAIL(err, FIRN_E_NOT_FOUND,
                      "the Protobuf schema has no message type at index %d%s%s", path[i],
                      found ? " within " : "", found ? found->name : "");
        }
        found = list[path[i]];
        list = found->nested;
        count = found->n_nested;
    }
    if (!found)
        FIRN_FAIL(err, FIRN_E_NOT_FOUND, "an empty path names no Protobuf message type");
    *out = found;
    return FIRN_OK;
}

const char *firn_proto_name(const firn_proto_message *message)
{
    return message->name;
}

/* ---- the Avro schema ---- */

typedef struct shaping {
    firn_arena *arena;
    firn_map *known; /* by full name: OPEN while its fields are made, then DONE */
    int depth;
    firn_err *err;
} shaping;

static char OPEN, DONE;

static json_t *logical(const char *base, const char *name)
{
    return json_pack("{s:s, s:s}", "type", base, "logicalType", name);
}

static json_t *decimal(int32_t precision, int32_t scale)
{
    return json_pack("{s:s, s:s, s:i, s:i}", "type", "bytes", "logicalType", "decimal", "precision",
                     precision, "scale", scale);
}

static json_t *optional(json_t *type)
{
    return json_pack("[s, o]", "null", type);
}

static json_t *scalar(firn_proto_type type)
{
    switch (type) {
    case FIRN_PROTO_DOUBLE: return json_string("double");
    case FIRN_PROTO_FLOAT: return json_string("float");
    case FIRN_PROTO_INT64:
    case FIRN_PROTO_SINT64:
    case FIRN_PROTO_SFIXED64:
    case FIRN_PROTO_UINT32:
    case FIRN_PROTO_FIXED32: return json_string("long");
    case FIRN_PROTO_UINT64:
    case FIRN_PROTO_FIXED64: return decimal(20, 0);
    case FIRN_PROTO_INT32:
    case FIRN_PROTO_SINT32:
    case FIRN_PROTO_SFIXED32: return json_string("int");
    case FIRN_PROTO_BOOL: return json_string("boolean");
    case FIRN_PROTO_BYTES: return json_string("bytes");
    default: return json_string("string");
    }
}

static firn_rc record(shaping *s, const firn_proto_message *message, json_t **out);

/* A message's own type. One that contains itself is text from the second time on, and so is a type that no columns could hold. */
static firn_rc message_type(shaping *s, const firn_proto_field *field, json_t **out)
{
    const firn_proto_message *message = field->message;
    switch (message->well_known) {
    case FIRN_PROTO_TIMESTAMP: *out = logical("long", "timestamp-micros"); return FIRN_OK;
    case FIRN_PROTO_TIME_OF_DAY: *out = logical("long", "time-micros"); return FIRN_OK;
    case FIRN_PROTO_DATE: *out = logical("int", "date"); return FIRN_OK;
    case FIRN_PROTO_WRAPPER: *out = scalar(message->fields[0].type); return FIRN_OK;
    case FIRN_PROTO_CONFLUENT_DECIMAL:
        *out =
            field->precision > 0 ? decimal(field->precision, field->scale) : json_string("string");
        return FIRN_OK;
    case FIRN_PROTO_PLAIN: break;
    default: *out = json_string("string"); return FIRN_OK;
    }
    if (message->n_fields == 0) {
        *out = json_string("boolean");
        return FIRN_OK;
    }
    const void *state = firn_map_get(s->known, message->name);
    if (state == &OPEN) {
        *out = json_string("string");
        return FIRN_OK;
    }
    if (state == &DONE) {
        *out = json_string(message->name);
        return FIRN_OK;
    }
    return record(s, message, out);
}

static firn_rc field_type(shaping *s, const firn_proto_field *field, json_t **out)
{
    json_t *type;
    if (field->is_map) {
        const firn_proto_field *value = &field->message->fields[1];
        FIRN_TRY(field_type(s, value, &type));
        /* The value of an entry is always there. */
        if (json_is_array(type) &&
            !(value->message && value->message->well_known == FIRN_PROTO_DATE)) {
            json_t *inner = json_incref(json_array_get(type, 1));
            json_decref(type);
            type = inner;
        }
        *out = json_pack("{s:s, s:o}", "type", "map", "values", type);
        return FIRN_OK;
    }
    if (field->message)
        FIRN_TRY(message_type(s, field, &type));
    else
        type = scalar(field->type);
    bool is_date = field->message && field->message->well_known == FIRN_PROTO_DATE;
    if (is_date || (field->has_presence && !field->required && !field->repeated))
        type = optional(type);
    *out = field->repeated ? json_pack("{s:s, s:o}", "type", "array", "items", type) : type;
    return FIRN_OK;
}

static firn_rc record_fields(shaping *s, const firn_proto_message *message, json_t *fields)
{
    for (size_t i = 0; i < message->n_fields; i++) {
        const firn_proto_field *field = &message->fields[i];
        json_t *type;
        FIRN_TRY(field_type(s, field, &type));
        json_array_append_new(fields, json_pack("{s:s, s:o}", "name", field->name, "type", type));
    }
    return FIRN_OK;
}

static firn_rc record(shaping *s, const firn_proto_message *message, json_t **out)
{
    if (s->depth == FIRN_AVRO_DEPTH_MAX) {
        FIRN_FAIL(s->err, FIRN_E_LIMIT, "Protobuf message types nested more than %d deep, at %s",
                  FIRN_AVRO_DEPTH_MAX, message->name);
    }
    s->depth++;
    (void)firn_map_put(s->known, message->name, &OPEN);
    json_t *fields = json_array();
    firn_rc rc = record_fields(s, message, fields);
    (void)firn_map_put(s->known, message->name, &DONE);
    s->depth--;
    if (rc != FIRN_OK) {
        json_decref(fields);
        return rc;
    }
    *out = json_pack("{s:s, s:s, s:s, s:o}", "type", "record", "name", message->name, "namespace",
                     "", "fields", fields);
    assert(*out);
    return FIRN_OK;
}

firn_rc firn_proto_avro(firn_arena *arena, const firn_proto_message *message,
                        const firn_avro_schema **out, firn_err *err)
{
    shaping s = {.arena = arena, .known = firn_map_new(arena), .err = err};
    json_t *json;
    FIRN_TRY(record(&s, message, &json));
    firn_json_own(arena, json);
    return firn_avro_schema_from_json(arena, json, message->name, out, err);
}
