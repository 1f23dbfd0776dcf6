/*
 * manifest_schema.c - the Avro schemas that manifests and manifest lists are written with (spec: "Manifests",
 * "Manifest Lists", Appendix A).
 *
 * Records are named as Java names them (r2, r102, k117_v118...). Maps with int keys are arrays of key-value records.
 * A partition field's name that Avro does not allow is spelled out ("a-b" is a_x2Db), with the real one beside it.
 */
#include "manifest_schema.h"

#include "base/map.h"
#include "manifest_data.h"
#include "manifest_write.h"

#define OPTIONAL_MAP(name, id, key_id, value_id, value_type)                                      \
    ",{\"name\":\"" name                                                                          \
    "\",\"type\":[\"null\",{\"type\":\"array\",\"items\":{\"type\":\"record\","                   \
    "\"name\":\"k" key_id "_v" value_id "\",\"fields\":[{\"name\":\"key\",\"type\":\"int\","      \
    "\"field-id\":" key_id "},{\"name\":\"value\",\"type\":\"" value_type                         \
    "\",\"field-id\":" value_id "}]},\"logicalType\":\"map\"}],\"default\":null,\"field-id\":" id \
    "}"

#define REQUIRED(name, type, id) \
    ",{\"name\":\"" name "\",\"type\":\"" type "\",\"field-id\":" id "}"

#define OPTIONAL(name, type, id) \
    ",{\"name\":\"" name "\",\"type\":[\"null\",\"" type "\"],\"default\":null,\"field-id\":" id "}"

#define OPTIONAL_LIST(name, type, element_id, id)                                      \
    ",{\"name\":\"" name "\",\"type\":[\"null\",{\"type\":\"array\",\"items\":\"" type \
    "\",\"element-id\":" element_id "}],\"default\":null,\"field-id\":" id "}"

static const char metric_fields[] = OPTIONAL_MAP("column_sizes", "108", "117", "118", "long")
    OPTIONAL_MAP("value_counts", "109", "119", "120", "long")
        OPTIONAL_MAP("null_value_counts", "110", "121", "122", "long")
            OPTIONAL_MAP("nan_value_counts", "137", "138", "139", "long")
                OPTIONAL_MAP("lower_bounds", "125", "126", "127", "bytes")
                    OPTIONAL_MAP("upper_bounds", "128", "129", "130", "bytes");

/* ---- partition record ----------------------------------------------------------------------------------------- */

static bool is_letter(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

/* Java's spelling of a name for Avro; false if it is fine as it is. Java walks UTF-16 units, and so does this. */
static bool sanitize(firn_buf *out, const char *name)
{
    bool changed = false;
    const unsigned char *at = (const unsigned char *)name;
    for (bool first = true; *at; first = false) {
        unsigned char c = *at;
        if (is_letter(c) || (is_digit(c) && !first)) {
            firn_buf_putc(out, c);
            at++;
            continue;
        }
        changed = true;
        if (is_digit(c)) {
            firn_buf_printf(out, "_%c", c);
            at++;
            continue;
        }
        int more = c >= 0xF0 ? 3 : c >= 0xE0 ? 2 : c >= 0xC0 ? 1 : 0;
        uint32_t code = more == 3 ? c & 7u : more == 2 ? c & 15u : more == 1 ? c & 31u : c;
        for (at++; more > 0 && (*at & 0xC0) == 0x80; more--)
            code = code << 6 | (*at++ & 0x3Fu);
        if (code > 0xFFFF)
            firn_buf_printf(out, "_x%X_x%X", 0xD800 + ((code - 0x10000) >> 10),
                            0xDC00 + ((code - 0x10000) & 0x3FF));
        else
            firn_buf_printf(out, "_x%X", code);
    }
    return changed;
}

/* A named type is declared where it first stands and named after that. */
static void put_fixed(firn_buf *buf, firn_map *declared, const char *name, int64_t size,
                      const char *more)
{
    if (firn_map_has(declared, name)) {
        firn_buf_printf(buf, "\"%s\"", name);
        return;
    }
    firn_map_put(declared, name, declared);
    firn_buf_printf(buf, "{\"type\":\"fixed\",\"name\":\"%s\",\"size\":%lld%s}", name,
                    (long long)size, more);
}

static bool put_type(firn_arena *arena, firn_buf *buf, firn_map *declared, const firn_type *type)
{
    switch (type->id) {
    case FIRN_TYPE_BOOLEAN: firn_buf_puts(buf, "\"boolean\""); return true;
    case FIRN_TYPE_INT: firn_buf_puts(buf, "\"int\""); return true;
    case FIRN_TYPE_LONG: firn_buf_puts(buf, "\"long\""); return true;
    case FIRN_TYPE_FLOAT: firn_buf_puts(buf, "\"float\""); return true;
    case FIRN_TYPE_DOUBLE: firn_buf_puts(buf, "\"double\""); return true;
    case FIRN_TYPE_STRING: firn_buf_puts(buf, "\"string\""); return true;
    case FIRN_TYPE_BINARY: firn_buf_puts(buf, "\"bytes\""); return true;
    case FIRN_TYPE_DATE:
        firn_buf_puts(buf, "{\"type\":\"int\",\"logicalType\":\"date\"}");
        return true;
    case FIRN_TYPE_TIME:
        firn_buf_puts(buf, "{\"type\":\"long\",\"logicalType\":\"time-micros\"}");
        return true;
    case FIRN_TYPE_TIMESTAMP:
    case FIRN_TYPE_TIMESTAMPTZ:
    case FIRN_TYPE_TIMESTAMP_NS:
    case FIRN_TYPE_TIMESTAMPTZ_NS: {
        bool nanos = type->id == FIRN_TYPE_TIMESTAMP_NS || type->id == FIRN_TYPE_TIMESTAMPTZ_NS;
        bool utc = type->id == FIRN_TYPE_TIMESTAMPTZ || type->id == FIRN_TYPE_TIMESTAMPTZ_NS;
        firn_buf_printf(buf,
                        "{\"type\":\"long\",\"logicalType\":\"timestamp-%s\",\"adjust-to-utc\":%s}",
                        nanos ? "nanos" : "micros", utc ? "true" : "false");
        return true;
    }
    case FIRN_TYPE_UUID:
        put_fixed(buf, declared, "uuid_fixed", 16, ",\"logicalType\":\"uuid\"");
        return true;
    case FIRN_TYPE_FIXED: /* not Avro fixed: Iceberg Java wants a length before its bytes, wrongly */
        firn_buf_puts(buf, "\"bytes\"");
        return true;
    case FIRN_TYPE_DECIMAL:
        put_fixed(
            buf, declared, firn_arena_printf(arena, "decimal_%d_%d", type->precision, type->scale),
            firn_decimal_width_bytes(type->precision),
            firn_arena_printf(arena, ",\"logicalType\":\"decimal\",\"precision\":%d,\"scale\":%d",
                              type->precision, type->scale));
        return true;
    default: return false;
    }
}

static firn_rc put_partition(firn_arena *arena, firn_buf *buf, const firn_partition_spec *spec,
                             const firn_type *partition_type, firn_err *err)
{
    firn_map *declared = firn_map_new(arena);
    firn_buf_puts(
        buf,
        ",{\"name\":\"partition\",\"type\":{\"type\":\"record\",\"name\":\"r102\",\"fields\":[");
    for (size_t i = 0; i < spec->n_fields; i++) {
        FIRN_AUTO_BUF firn_buf name = {0};
        bool changed = sanitize(&name, spec->fields[i].name);
        firn_buf_printf(buf, "%s{\"name\":\"%s\",\"type\":[\"null\",", i ? "," : "",
                        firn_buf_cstr(&name));
        if (!put_type(arena, buf, declared, partition_type->fields[i].type))
            FIRN_FAIL(
                err, FIRN_E_UNSUPPORTED,
                "cannot write manifests of partition spec %d: the type of its field \"%s\" (%s) is not known",
                spec->spec_id, spec->fields[i].name, spec->fields[i].transform.name);
        firn_buf_printf(buf, "],\"default\":null,\"field-id\":%d", spec->fields[i].field_id);
        if (changed) {
            firn_buf_puts(buf, ",\"iceberg-field-name\":");
            firn_json_escape(buf, spec->fields[i].name);
        }
        firn_buf_puts(buf, "}");
    }
    firn_buf_puts(buf, "]},\"field-id\":102}");
    return FIRN_OK;
}

/* ---- the two schemas --------------------------------------------------------------------------------------------- */

firn_rc firn_manifest_avro_schema(firn_arena *arena, int format_version,
                                  const firn_partition_spec *spec, const firn_type *partition_type,
                                  char **out, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    firn_buf_puts(&buf, "{\"type\":\"record\",\"name\":\"manifest_entry\",\"fields\":["
                        "{\"name\":\"status\",\"type\":\"int\",\"field-id\":0}");
    firn_buf_puts(&buf, OPTIONAL("snapshot_id", "long", "1"));
    if (format_version >= 2)
        firn_buf_puts(&buf, OPTIONAL("sequence_number", "long", "3")
                                OPTIONAL("file_sequence_number", "long", "4"));
    firn_buf_puts(
        &buf,
        ",{\"name\":\"data_file\",\"type\":{\"type\":\"record\",\"name\":\"r2\",\"fields\":[");
    if (format_version >= 2)
        firn_buf_puts(&buf, "{\"name\":\"content\",\"type\":\"int\",\"field-id\":134},");
    firn_buf_puts(&buf, "{\"name\":\"file_path\",\"type\":\"string\",\"field-id\":100}");
    firn_buf_puts(&buf, REQUIRED("file_format", "string", "101"));
    FIRN_TRY(put_partition(arena, &buf, spec, partition_type, err));
    firn_buf_puts(&buf, REQUIRED("record_count", "long", "103")
                            REQUIRED("file_size_in_bytes", "long", "104"));
    if (format_version == 1)
        firn_buf_puts(&buf, REQUIRED("block_size_in_bytes", "long", "105"));
    firn_buf_puts(&buf, metric_fields);
    firn_buf_puts(&buf, OPTIONAL("key_metadata", "bytes", "131")
                            OPTIONAL_LIST("split_offsets", "long", "133", "132"));
    if (format_version >= 2)
        firn_buf_puts(&buf, OPTIONAL_LIST("equality_ids", "int", "136", "135"));
    firn_buf_puts(&buf, OPTIONAL("sort_order_id", "int", "140"));
    if (format_version >= 3)
        firn_buf_puts(&buf, OPTIONAL("first_row_id", "long", "142"));
    if (format_version >= 2)
        firn_buf_puts(&buf, OPTIONAL("referenced_data_file", "string", "143"));
    if (format_version >= 3)
        firn_buf_puts(&buf, OPTIONAL("content_offset", "long", "144")
                                OPTIONAL("content_size_in_bytes", "long", "145"));
    firn_buf_puts(&buf, "]},\"field-id\":2}]}");
    *out = firn_arena_strndup(arena, firn_buf_cstr(&buf), buf.len);
    return FIRN_OK;
}

#define LIST_HEAD                                                                 \
    "{\"type\":\"record\",\"name\":\"manifest_file\",\"fields\":["                \
    "{\"name\":\"manifest_path\",\"type\":\"string\",\"field-id\":500}" REQUIRED( \
        "manifest_length", "long", "501") REQUIRED("partition_spec_id", "int", "502")

#define LIST_PARTITIONS                                                                          \
    ",{\"name\":\"partitions\",\"type\":[\"null\",{\"type\":\"array\",\"items\":{\"type\":"      \
    "\"record\",\"name\":\"r508\",\"fields\":[{\"name\":\"contains_null\",\"type\":\"boolean\"," \
    "\"field-id\":509}" OPTIONAL("contains_nan", "boolean", "518")                               \
        OPTIONAL("lower_bound", "bytes", "510")                                                  \
            OPTIONAL("upper_bound", "bytes",                                                     \
                     "511") "]},\"element-id\":508}],\"default\":null,\"field-id\":507}"

#define LIST_KEY_METADATA OPTIONAL("key_metadata", "bytes", "519")

#define LIST_V2                                                                            \
    LIST_HEAD REQUIRED("content", "int", "517") REQUIRED("sequence_number", "long", "515") \
        REQUIRED("min_sequence_number", "long", "516")                                     \
            REQUIRED("added_snapshot_id", "long", "503")                                   \
                REQUIRED("added_files_count", "int", "504")                                \
                    REQUIRED("existing_files_count", "int", "505")                         \
                        REQUIRED("deleted_files_count", "int", "506")                      \
                            REQUIRED("added_rows_count", "long", "512")                    \
                                REQUIRED("existing_rows_count", "long", "513")             \
                                    REQUIRED("deleted_rows_count", "long", "514")          \
                                        LIST_PARTITIONS LIST_KEY_METADATA

const char *firn_manifest_list_avro_schema(int format_version)
{
    static const char v1[] = LIST_HEAD REQUIRED("added_snapshot_id", "long", "503")
        OPTIONAL("added_files_count", "int", "504") OPTIONAL("existing_files_count", "int", "505")
            OPTIONAL("deleted_files_count", "int", "506")
                LIST_PARTITIONS OPTIONAL("added_rows_count", "long", "512")
                    OPTIONAL("existing_rows_count", "long", "513")
                        OPTIONAL("deleted_rows_count", "long", "514") LIST_KEY_METADATA "]}";
    static const char v2[] = LIST_V2 "]}";
    static const char v3[] = LIST_V2 OPTIONAL("first_row_id", "long", "520") "]}";
    return format_version == 1 ? v1 : format_version == 2 ? v2 : v3;
}
