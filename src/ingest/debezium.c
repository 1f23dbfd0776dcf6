/* Debezium's change events as SQL: see changes.h.
 *
 * Where the row is:
 *
 *   envelope     before, after, op, source, ts_ms         of the record, or of its member payload (Connect's JSON with schemas)
 *   flat         the row's columns, __op and/or __deleted  likewise; what ExtractNewRecordState leaves
 *
 * A delete needs the key alone: out of `before`, or else out of the message's key. PostgreSQL leaves large values that did not change out of
 * an update and Debezium writes "__debezium_unavailable_value" for them; where `before` has the value (REPLICA IDENTITY FULL), it is taken
 * from there.
 *
 * Types by name (connect.name). A type is applied only to the carrier it is known with: a column that came as a real timestamp, as
 * Connect's own logical types do in Avro, is left as it is.
 */
#include "changes_private.h"

#include "base/json.h"

#define PLAIN_BYTES "bytes" /* Connect's type itself: no name, and none is needed but in JSON */
#define UNAVAILABLE "'__debezium_unavailable_value'"

typedef enum carrier { NUMBER, TEXT, BYTES, SCALED } carrier;

/* %s is the value. BYTES may also come as base64, which is how JSON holds them; then the value is decoded first. */
static const struct {
    const char *name;
    carrier carrier;
    const char *sql;
} types[] = {
    {"io.debezium.time.Date", NUMBER, "CAST('1970-01-01' AS DATE) + CAST(%s AS INTEGER)"},
    {"io.debezium.time.Time", NUMBER,
     "CAST('00:00:00' AS TIME) + to_microseconds(CAST(%s AS BIGINT) * 1000)"},
    {"io.debezium.time.MicroTime", NUMBER, "CAST('00:00:00' AS TIME) + to_microseconds(%s)"},
    {"io.debezium.time.NanoTime", NUMBER, "CAST('00:00:00' AS TIME) + to_microseconds(%s // 1000)"},
    {"io.debezium.time.Timestamp", NUMBER, "make_timestamp(%s * 1000)"},
    {"io.debezium.time.MicroTimestamp", NUMBER, "make_timestamp(%s)"},
    {"io.debezium.time.NanoTimestamp", NUMBER, "make_timestamp_ns(%s)"},
    {"io.debezium.time.ZonedTimestamp", TEXT, "CAST(%s AS TIMESTAMPTZ)"},
    {"io.debezium.time.IsoDate", TEXT, "CAST(rtrim(%s, 'Z') AS DATE)"},
    {"io.debezium.time.IsoTime", TEXT, "CAST(rtrim(%s, 'Z') AS TIME)"},
    {"io.debezium.time.IsoTimestamp", TEXT, "CAST(rtrim(%s, 'Z') AS TIMESTAMP)"},
    {"io.debezium.data.Uuid", TEXT, "CAST(%s AS UUID)"},
    {"io.debezium.data.VariableScaleDecimal", SCALED, NULL}, /* an exact text: see scaled_sql */
    {"org.apache.kafka.connect.data.Date", NUMBER,
     "CAST('1970-01-01' AS DATE) + CAST(%s AS INTEGER)"},
    {"org.apache.kafka.connect.data.Time", NUMBER,
     "CAST('00:00:00' AS TIME) + to_microseconds(CAST(%s AS BIGINT) * 1000)"},
    {"org.apache.kafka.connect.data.Timestamp", NUMBER, "make_timestamptz(%s * 1000)"},
    {"org.apache.kafka.connect.data.Decimal", BYTES, NULL}, /* see decimal_sql */
    {PLAIN_BYTES, TEXT, "from_base64(%s)"},                 /* how JSON holds them */
};

/* What a column is by its schema in Connect. */
typedef struct semantics {
    const char *name;         /* NULL: nothing is known */
    int64_t scale, precision; /* of Decimal; -1: not said */
} semantics;

typedef struct envelope {
    firn_change_job *job;
    const firn_type *record; /* the record, or its payload */
    const char *base;        /* SQL of it; NULL: the columns themselves */
    bool in_payload, flat;
    const firn_field *before, *after; /* structs; NULL: none has a value here */
    FIRN_VEC(const json_t *) schemas; /* of Connect's JSON */
    const char *op;                   /* SQL */
} envelope;

/* ---- what kind of record ----------------------------------------------------------------------------------- */

static const firn_field *struct_member(const firn_type *type, const char *name)
{
    const firn_field *field = firn_change_member(type, name);
    return field != NULL && field->type->id == FIRN_TYPE_STRUCT ? field : NULL;
}

static bool looks_like_envelope(const firn_type *type)
{
    return firn_change_member(type, "op") != NULL &&
           (struct_member(type, "after") != NULL || struct_member(type, "before") != NULL ||
            firn_change_member(type, "source") != NULL);
}

static bool looks_flat(const firn_type *type)
{
    return firn_change_member(type, "__op") != NULL ||
           firn_change_member(type, "__deleted") != NULL;
}

static bool recognise(envelope *e)
{
    const firn_type *root = e->job->root;
    const firn_field *payload = struct_member(root, "payload");
    const firn_type *candidates[] = {root, payload != NULL ? payload->type : NULL};
    for (size_t i = 0; i < 2; i++) {
        if (candidates[i] == NULL ||
            (!looks_like_envelope(candidates[i]) && !looks_flat(candidates[i]))) {
            continue;
        }
        e->record = candidates[i];
        e->in_payload = i == 1;
        e->base = i == 1 ? firn_sql_ident(e->job->arena, payload->name) : NULL;
        e->flat = !looks_like_envelope(candidates[i]);
        e->before = struct_member(e->record, "before");
        e->after = struct_member(e->record, "after");
        return true;
    }
    return false;
}

/* Records beside the changes: tombstones, {ts_ms}, begin and end of transactions, DDL. */
static bool is_passed_over(const firn_change_job *job)
{
    static const char *const known[] = {"ts_ms",
                                        "ts_us",
                                        "ts_ns",
                                        "status",
                                        "id",
                                        "event_count",
                                        "data_collections",
                                        "source",
                                        "databaseName",
                                        "schemaName",
                                        "ddl",
                                        "tableChanges",
                                        "schema",
                                        "payload"};
    for (size_t i = 0; i < job->root->n_fields; i++) {
        const char *name = job->root->fields[i].name;
        bool found = firn_change_is_message_column(name);
        for (size_t k = 0; k < sizeof(known) / sizeof(known[0]) && !found; k++) {
            found = firn_streq(name, known[k]);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static firn_rc no_envelope(const firn_change_job *job, firn_err *err)
{
    const char **names = FIRN_NEW_N(job->arena, const char *, job->root->n_fields);
    for (size_t i = 0; i < job->root->n_fields; i++) {
        names[i] = job->root->fields[i].name;
    }
    FIRN_FAIL(err, FIRN_E_CONFIG,
              "feed %s has mode debezium, but its records are no change events of Debezium: they "
              "have neither before, after and op, nor __op or __deleted. Their columns: %s",
              job->feed->name, firn_str_join(job->arena, names, job->root->n_fields, ", "));
}

/* ---- Connect's names of types --------------------------------------------------------------------------------- */

/* Metadata of Arrow: native int32 of pairs, then lengths and bytes. The chunk is our own decoder's; bounds are checked by it. */
static const char *metadata_value(firn_arena *arena, const struct ArrowSchema *schema,
                                  const char *key)
{
    const char *at = schema->metadata;
    int32_t n = 0, len = 0;
    if (at == NULL) {
        return NULL;
    }
    memcpy(&n, at, sizeof n);
    at += sizeof n;
    for (int32_t i = 0; i < n; i++) {
        memcpy(&len, at, sizeof len);
        const char *name = at + sizeof len;
        bool found = (size_t)len == strlen(key) && memcmp(name, key, (size_t)len) == 0;
        at = name + len;
        memcpy(&len, at, sizeof len);
        if (found) {
            return firn_arena_strndup(arena, at + sizeof len, (size_t)len);
        }
        at += sizeof len + (size_t)len;
    }
    return NULL;
}

static const struct ArrowSchema *arrow_member(const struct ArrowSchema *schema, const char *name)
{
    for (int64_t i = 0; schema != NULL && i < schema->n_children; i++) {
        if (firn_strcaseeq(schema->children[i]->name, name)) {
            return schema->children[i];
        }
    }
    return NULL;
}

static const json_t *connect_member(const json_t *schema, const char *name)
{
    size_t i;
    json_t *field;
    json_array_foreach(json_object_get(schema, "fields"), i, field)
    {
        const char *own = json_string_value(json_object_get(field, "field"));
        if (own != NULL && firn_strcaseeq(own, name)) {
            return field;
        }
    }
    return NULL;
}

static int64_t parameter(const json_t *field, const char *name)
{
    const char *text =
        json_string_value(json_object_get(json_object_get(field, "parameters"), name));
    int64_t number = -1;
    return text != NULL && firn_parse_i64(text, &number) ? number : -1;
}

/* The column, of `image` ("after", "before"; NULL: flat), in any of the batch's schemas. */
static semantics find_semantics(const envelope *e, const char *image, const char *column)
{
    semantics found = {.scale = -1, .precision = -1};
    for (size_t i = 0; i < e->job->n_rows && found.name == NULL; i++) {
        const struct ArrowSchema *at = e->job->rows[i].schema;
        at = e->in_payload ? arrow_member(at, "payload") : at;
        at = image != NULL ? arrow_member(at, image) : at;
        at = arrow_member(at, column);
        found.name = at != NULL ? metadata_value(e->job->arena, at, "connect.name") : NULL;
    }
    for (size_t i = 0; i < e->schemas.len && found.name == NULL; i++) {
        const json_t *at = e->schemas.items[i];
        at = image != NULL ? connect_member(at, image) : at;
        at = connect_member(at, column);
        found.name = json_string_value(json_object_get(at, "name"));
        const char *type = json_string_value(json_object_get(at, "type"));
        if (found.name == NULL && type != NULL && firn_streq(type, PLAIN_BYTES)) {
            found.name = PLAIN_BYTES;
        }
        found.scale = parameter(at, "scale");
        found.precision = parameter(at, "connect.decimal.precision");
    }
    return found;
}

/* The schemas beside the payloads. */
static firn_rc load_schemas(envelope *e, firn_err *err)
{
    enum { SCHEMAS_MAX = 100 };
    const char *const *const *cells = NULL;
    size_t n = 0, n_columns = 0;
    if (!e->in_payload || firn_change_member(e->job->root, "schema") == NULL) {
        return FIRN_OK;
    }
    const char *sql = firn_arena_printf(
        e->job->arena,
        "SELECT DISTINCT CAST(to_json(\"schema\") AS VARCHAR) FROM batch WHERE \"schema\" IS NOT "
        "NULL LIMIT %d",
        SCHEMAS_MAX);
    FIRN_TRY(firn_rows_query(e->job->session, e->job->arena, e->job->rows, e->job->n_rows, sql,
                             &cells, &n, &n_columns, err));
    for (size_t i = 0; i < n; i++) {
        json_t *schema = NULL;
        firn_err ignored = {0};
        if (firn_json_parse(e->job->arena, firn_bytes_str(cells[i][0]), "schema of a record",
                            &schema, &ignored) == FIRN_OK) {
            firn_vec_push(e->job->arena, &e->schemas, schema);
        }
    }
    return FIRN_OK;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static bool is_carried(const firn_type *type, carrier by)
{
    switch (by) {
    case NUMBER: return type->id == FIRN_TYPE_INT || type->id == FIRN_TYPE_LONG;
    case TEXT: return type->id == FIRN_TYPE_STRING;
    case BYTES:
        return type->id == FIRN_TYPE_BINARY || type->id == FIRN_TYPE_FIXED ||
               type->id == FIRN_TYPE_STRING;
    case SCALED:
        return firn_change_member(type, "scale") != NULL &&
               firn_change_member(type, "value") != NULL;
    }
    return false;
}

static const char *bytes_sql(firn_arena *arena, const firn_type *type, const char *value)
{
    return type->id == FIRN_TYPE_STRING ? firn_arena_printf(arena, "from_base64(%s)", value)
                                        : value;
}

/* NUMERIC without a precision has another scale in each row: the text keeps every digit. */
static const char *scaled_sql(firn_arena *arena, const firn_type *type, const char *value)
{
    const firn_field *bytes = firn_change_member(type, "value");
    const firn_field *scale = firn_change_member(type, "scale");
    return firn_arena_printf(
        arena, "firn_unscaled(%s, CAST(%s AS INTEGER))",
        bytes_sql(arena, bytes->type, firn_change_path(arena, value, bytes->name)),
        firn_change_path(arena, value, scale->name));
}

static const char *decimal_sql(firn_arena *arena, const firn_type *type, const semantics *is,
                               const char *value)
{
    enum { PRECISION_MAX = 38 };
    if (is->scale < 0 || is->scale > PRECISION_MAX) {
        return value;
    }
    bool known = is->precision >= is->scale && is->precision > 0 && is->precision <= PRECISION_MAX;
    return firn_arena_printf(arena, "CAST(firn_unscaled(%s, %d) AS DECIMAL(%d, %d))",
                             bytes_sql(arena, type, value), (int)is->scale,
                             known ? (int)is->precision : PRECISION_MAX, (int)is->scale);
}

static const char *typed_sql(firn_arena *arena, const firn_type *type, const semantics *is,
                             const char *value)
{
    for (size_t i = 0; is->name != NULL && i < sizeof(types) / sizeof(types[0]); i++) {
        if (!firn_streq(types[i].name, is->name) || !is_carried(type, types[i].carrier)) {
            continue;
        }
        if (types[i].carrier == SCALED) {
            return scaled_sql(arena, type, value);
        }
        return types[i].carrier == BYTES ? decimal_sql(arena, type, is, value)
                                         : firn_str_replace(arena, types[i].sql, "%s", value);
    }
    return value;
}

/* ---- columns ------------------------------------------------------------------------------------------------------ */

static const char *image_column(const envelope *e, const firn_field *image, const char *column,
                                const firn_type **type)
{
    const firn_field *field = image != NULL ? firn_change_member(image->type, column) : NULL;
    if (field == NULL) {
        return NULL;
    }
    *type = field->type;
    return firn_change_path(e->job->arena, firn_change_path(e->job->arena, e->base, image->name),
                            field->name);
}

static const char *first_of(firn_arena *arena, const char *a, const char *b)
{
    return a == NULL ? b : b == NULL ? a : firn_arena_printf(arena, "coalesce(%s, %s)", a, b);
}

/* The column's value after the change; of a delete the key alone, or with `log` what was there. */
static const char *column_sql(const envelope *e, const char *column, bool log)
{
    firn_arena *arena = e->job->arena;
    const firn_type *type = NULL;
    const char *before = image_column(e, e->before, column, &type);
    const char *after = image_column(e, e->after, column, &type);
    const char *value = after;
    if (e->flat) {
        const firn_field *field = firn_change_member(e->record, column);
        type = field->type;
        value = firn_change_path(arena, e->base, field->name);
    } else if (before != NULL && after != NULL && type->id == FIRN_TYPE_STRING) {
        value = firn_arena_printf(
            arena, "CASE WHEN %s = " UNAVAILABLE " THEN coalesce(%s, %s) ELSE %s END", after,
            before, after, after);
    }
    if (value == NULL) {
        value = log || firn_change_is_key(e->job, column) ? before : "NULL";
    } else if (before != NULL && (log || firn_change_is_key(e->job, column))) {
        value = firn_arena_printf(arena, "CASE WHEN %s = 'd' THEN %s ELSE %s END", e->op, before,
                                  value);
    }
    if (firn_change_is_key(e->job, column)) {
        value = first_of(arena, value, firn_change_key_sql(e->job, column));
    }
    semantics is = find_semantics(e, e->flat ? NULL : "after", column);
    if (is.name == NULL && !e->flat) {
        is = find_semantics(e, "before", column);
    }
    return firn_streq(value, "NULL") ? value : typed_sql(arena, type, &is, value);
}

static bool is_row_column(const envelope *e, const char *name)
{
    return !e->flat || (!firn_starts_with(name, "__") &&
                        (e->in_payload || !firn_change_is_message_column(name)));
}

static bool has_column(const firn_change_job *job, const char *name)
{
    envelope e = {.job = (firn_change_job *)(uintptr_t)job};
    const firn_type *ignored = NULL;
    return recognise(&e) &&
           (e.flat ? is_row_column(&e, name) && firn_change_member(e.record, name) != NULL
                   : image_column(&e, e.after, name, &ignored) != NULL ||
                         image_column(&e, e.before, name, &ignored) != NULL);
}

static void put_columns(const envelope *e, const firn_type *type, const firn_type *beside, bool log,
                        firn_buf *out)
{
    for (size_t i = 0; type != NULL && i < type->n_fields; i++) {
        const char *name = type->fields[i].name;
        if (!is_row_column(e, name) || firn_change_member(beside, name) != NULL) {
            continue;
        }
        firn_buf_printf(out, "%s%s AS %s", out->len > 0 ? ", " : "", column_sql(e, name, log),
                        firn_sql_ident(e->job->arena, name));
    }
}

/* Columns of the rows, those of `after` first. */
static void put_row(const envelope *e, bool log, firn_buf *out)
{
    if (e->flat) {
        put_columns(e, e->record, NULL, log, out);
        return;
    }
    const firn_type *after = e->after != NULL ? e->after->type : NULL;
    put_columns(e, after, NULL, log, out);
    put_columns(e, e->before != NULL ? e->before->type : NULL, after, log, out);
}

static const char *op_sql(const envelope *e)
{
    firn_arena *arena = e->job->arena;
    const firn_field *op = firn_change_member(e->record, e->flat ? "__op" : "op");
    const firn_field *deleted = e->flat ? firn_change_member(e->record, "__deleted") : NULL;
    const char *letter = op != NULL ? firn_change_path(arena, e->base, op->name) : NULL;
    if (deleted == NULL) {
        return letter;
    }
    const char *flag = firn_change_path(arena, e->base, deleted->name);
    return firn_arena_printf(
        arena,
        "CASE WHEN lower(CAST(%s AS VARCHAR)) = 'true' THEN 'd' WHEN %s IS NOT NULL THEN %s END",
        flag, letter != NULL ? letter : flag, letter != NULL ? letter : "'u'");
}

static const char *time_sql(const envelope *e)
{
    const firn_field *ms = firn_change_member(e->record, e->flat ? "__ts_ms" : "ts_ms");
    if (ms == NULL && e->flat) {
        ms = firn_change_member(e->record, "__source_ts_ms");
    }
    return ms == NULL || !is_carried(ms->type, NUMBER)
               ? "CAST(NULL AS TIMESTAMPTZ)"
               : firn_arena_printf(e->job->arena, "make_timestamptz(%s * 1000)",
                                   firn_change_path(e->job->arena, e->base, ms->name));
}

#define CHANGES "('c', 'r', 'u', 'd', 't')"

firn_rc firn_debezium_plan(firn_change_job *job, firn_err *err)
{
    envelope e = {.job = job};
    if (!recognise(&e)) {
        return is_passed_over(job) ? FIRN_OK : no_envelope(job, err);
    }
    e.op = op_sql(&e);
    FIRN_TRY(firn_change_key(job, has_column, err));
    FIRN_TRY(load_schemas(&e, err));
    FIRN_AUTO_BUF firn_buf items = {0};
    FIRN_AUTO_BUF firn_buf log = {0};
    put_row(&e, false, &items);
    if (items.len == 0) {
        return FIRN_OK; /* nothing but truncations of a table that was never seen */
    }
    firn_change_put_own(job, e.op, &items);
    job->out->sql = firn_arena_printf(job->arena, "SELECT %s FROM batch WHERE %s IN " CHANGES,
                                      firn_buf_cstr(&items), e.op);
    put_row(&e, true, &log);
    bool has_kafka = firn_change_member(job->root, "_kafka") != NULL;
    job->out->log_sql = firn_arena_printf(
        job->arena, "SELECT %s AS _op, %s AS _changed_at, %s%s FROM batch WHERE %s IN " CHANGES,
        e.op, time_sql(&e),
        has_kafka ? "struct_extract(_kafka, 'topic') AS _topic, struct_extract(_kafka, "
                    "'partition') AS _partition, struct_extract(_kafka, 'offset') AS _offset, "
                  : "",
        firn_buf_cstr(&log), e.op);
    return FIRN_OK;
}
