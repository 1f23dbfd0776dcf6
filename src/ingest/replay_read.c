/* Dead letters out of their table and what stays of them back into it.
 *
 * Everything is read as of one snapshot, the one whose files the commit then removes. Bytes come as hex: cells are texts.
 */
#include "replay.h"

#include "base/map.h"

#include <inttypes.h>

/* ---- SQL ---------------------------------------------------------------------------------------------------------- */

static char *table_sql(const replay_job *job)
{
    size_t n;
    char **levels = firn_str_split(job->arena, job->ident.ns, FIRN_NS_SEP[0], &n);
    const char **parts = FIRN_NEW_N(job->arena, const char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        parts[i] = firn_sql_ident(job->arena, levels[i]);
    }
    parts[n] = firn_sql_ident(job->arena, job->ident.name);
    return firn_arena_printf(job->arena, "%s FOR VERSION AS OF %" PRId64,
                             firn_str_join(job->arena, parts, n + 1, "."),
                             job->dead.metadata->current_snapshot->snapshot_id);
}

static char *condition(const replay_job *job)
{
    char *feed =
        firn_arena_printf(job->arena, "feed = %s", firn_sql_quote(job->arena, job->run->feed.name));
    if (job->options->where == NULL) {
        return feed;
    }
    return firn_arena_printf(job->arena, "%s AND (%s\n)", feed, job->options->where);
}

/* The repaired value must be bytes or text, and nothing whose text form would be taken for it. */
static firn_rc check_value(const replay_job *job, firn_err *err)
{
    firn_result *result = NULL;
    const char *sql = firn_arena_printf(job->arena, "SELECT (%s\n) AS repaired FROM %s LIMIT 0",
                                        job->options->value, table_sql(job));
    firn_rc rc = firn_session_query(job->run->session, sql, &result, err);
    if (rc != FIRN_OK) {
        return firn_err_wrap(err, rc, "the repaired value");
    }
    const char *type = firn_arena_strdup(job->arena, firn_result_column_type(result, 0));
    firn_result_free(result);
    if (!firn_streq(type, "BLOB") && !firn_streq(type, "VARCHAR")) {
        FIRN_FAIL(err, FIRN_E_TYPE,
                  "the repaired value is a %s: it must be a BLOB, or text, which is taken as UTF-8",
                  type);
    }
    return FIRN_OK;
}

/* ---- one letter --------------------------------------------------------------------------------------------------- */

enum {
    TOPIC,
    PARTITION,
    OFFSET,
    TIME,
    KEY,
    VALUE,
    HEADER_NAMES,
    HEADER_VALUES,
    ATTEMPTS,
    FILE_PATH,
    REPAIRED
};

static char *letters_sql(const replay_job *job)
{
    const char *repaired = job->options->value == NULL
                               ? "hex(value)"
                               : firn_arena_printf(job->arena, "hex((%s\n))", job->options->value);
    return firn_arena_printf(
        job->arena,
        "SELECT topic, partition, \"offset\", epoch_ms(\"timestamp\"), hex(key), hex(value),"
        " to_json(map_keys(headers)), to_json([hex(v) FOR v IN map_values(headers)]),"
        " attempts, _file, %s FROM %s WHERE %s"
        " ORDER BY topic, partition, \"offset\", attempts DESC",
        repaired, table_sql(job), condition(job));
}

static firn_rc bytes_of(const replay_job *job, const char *cell, firn_bytes *out, firn_err *err)
{
    *out = (firn_bytes){0};
    if (cell != NULL && !firn_unhex(job->arena, cell, out)) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: bytes of a dead letter are not hexadecimal", job->text);
    }
    if (cell != NULL && out->data == NULL) {
        *out = firn_bytes_of("", 0); /* empty is not NULL */
    }
    return FIRN_OK;
}

static firn_rc number_of(const replay_job *job, const char *cell, int64_t absent, int64_t *out,
                         firn_err *err)
{
    *out = absent;
    if (cell != NULL && !firn_parse_i64(cell, out)) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%s: \"%s\" of a dead letter is no number", job->text, cell);
    }
    return FIRN_OK;
}

static firn_rc headers_of(const replay_job *job, const char *names, const char *values,
                          replay_letter *letter, firn_err *err)
{
    json_t *name_list = NULL;
    json_t *value_list = NULL;
    if (names == NULL || values == NULL) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_json_parse(job->arena, firn_bytes_str(names), job->text, &name_list, err));
    FIRN_TRY(firn_json_parse(job->arena, firn_bytes_str(values), job->text, &value_list, err));
    size_t n = json_array_size(name_list);
    letter->headers = FIRN_NEW_N(job->arena, firn_kafka_header, n);
    for (size_t i = 0; i < n; i++) {
        firn_kafka_header *header = &letter->headers[letter->n_headers++];
        header->name = json_string_value(json_array_get(name_list, i));
        FIRN_TRY(
            bytes_of(job, json_string_value(json_array_get(value_list, i)), &header->value, err));
    }
    return FIRN_OK;
}

static bool is_same_record(const replay_letter *a, const replay_letter *b)
{
    return firn_streq(a->message.topic, b->message.topic) &&
           a->message.partition == b->message.partition && a->message.offset == b->message.offset;
}

static firn_rc add_letter(replay_job *job, const char *const *cells, firn_err *err)
{
    replay_letter letter = {0};
    firn_kafka_message *message = &letter.message;
    const replay_letter *before = job->letters.len > 0 ? &firn_vec_last(&job->letters) : NULL;
    int64_t partition = 0;
    int64_t attempts = 0;
    message->topic = before != NULL && firn_streq(before->message.topic, cells[TOPIC])
                         ? before->message.topic
                         : firn_arena_strdup(job->arena, cells[TOPIC]);
    FIRN_TRY(number_of(job, cells[PARTITION], 0, &partition, err));
    FIRN_TRY(number_of(job, cells[OFFSET], 0, &message->offset, err));
    FIRN_TRY(number_of(job, cells[TIME], -1, &message->timestamp_ms, err));
    FIRN_TRY(number_of(job, cells[ATTEMPTS], 1, &attempts, err));
    FIRN_TRY(bytes_of(job, cells[KEY], &message->key, err));
    FIRN_TRY(bytes_of(job, cells[VALUE], &message->value, err));
    FIRN_TRY(bytes_of(job, cells[REPAIRED], &letter.value, err));
    FIRN_TRY(headers_of(job, cells[HEADER_NAMES], cells[HEADER_VALUES], &letter, err));
    message->partition = (int32_t)partition;
    letter.attempts = (int32_t)attempts;
    letter.file = firn_arena_strdup(job->arena, cells[FILE_PATH]);
    letter.again = before != NULL && is_same_record(before, &letter);
    firn_vec_push(job->arena, &job->letters, letter);
    return FIRN_OK;
}

static firn_rc read_letters(replay_job *job, firn_result *result, firn_err *err)
{
    size_t bytes = 0;
    for (;;) {
        const char *const *cells = NULL;
        FIRN_TRY(firn_result_next(result, &cells, err));
        if (cells == NULL) {
            return FIRN_OK;
        }
        FIRN_TRY(add_letter(job, cells, err));
        const replay_letter *letter = &firn_vec_last(&job->letters);
        bytes += letter->message.key.len + letter->message.value.len + letter->value.len;
        if (bytes > FIRN_REPLAY_BYTES_MAX || job->letters.len > FIRN_REPLAY_LETTERS_MAX) {
            FIRN_FAIL(
                err, FIRN_E_LIMIT,
                "these are more than %d dead letters, or more than %d MiB of them, which are one "
                "commit; take fewer at a time with --where",
                FIRN_REPLAY_LETTERS_MAX, FIRN_REPLAY_BYTES_MAX >> 20);
        }
    }
}

/* ---- their files ---------------------------------------------------------------------------------------------------- */

static firn_rc find_files(replay_job *job, firn_err *err)
{
    firn_scan *scan = NULL;
    firn_scan_task *tasks = NULL;
    size_t n = 0;
    firn_lake *lake = job->run->lake;
    const firn_metadata *metadata = job->dead.metadata;
    const firn_scan_options options = {
        .storage = firn_lake_storage(lake),
        .cache = firn_catalog_manifests(firn_lake_catalog(lake)),
        .metadata = metadata,
        .snapshot = metadata->current_snapshot,
        .schema = metadata->schema,
    };
    FIRN_TRY(firn_scan_open(job->arena, &options, &scan, err));
    FIRN_TRY(firn_scan_all(scan, &tasks, &n, err));
    firn_map *wanted = firn_map_new(job->arena);
    for (size_t i = 0; i < job->letters.len; i++) {
        (void)firn_map_put(wanted, job->letters.items[i].file, job);
    }
    for (size_t i = 0; i < n; i++) {
        if (firn_map_has(wanted, tasks[i].file->path)) {
            firn_vec_push(job->arena, &job->removed, *tasks[i].file);
        }
    }
    return FIRN_OK;
}

firn_rc firn_replay_read(replay_job *job, firn_err *err)
{
    firn_result *result = NULL;
    if (job->options->value != NULL) {
        FIRN_TRY(check_value(job, err));
    }
    FIRN_TRY(firn_session_query(job->run->session, letters_sql(job), &result, err));
    firn_rc rc = read_letters(job, result, err);
    firn_result_free(result);
    FIRN_TRY(rc);
    return job->letters.len > 0 ? find_files(job, err) : FIRN_OK;
}

/* ---- what stays ----------------------------------------------------------------------------------------------------- */

/* Every letter that was taken, in batches: those that failed whole, the others as marks of no attempts. */
typedef struct taken_batch {
    struct ArrowSchema schema;
    struct ArrowArray array;
} taken_batch;

typedef FIRN_VEC(firn_rows) taken_rows;

static void release_batch(void *ctx)
{
    taken_batch *batch = ctx;
    batch->array.release(&batch->array);
    batch->schema.release(&batch->schema);
}

static firn_rc take_batch(firn_arena *arena, firn_dead_letters *letters, taken_rows *out,
                          firn_err *err)
{
    taken_batch *batch = FIRN_NEW(arena, taken_batch);
    FIRN_TRY(firn_dead_letters_take(letters, &batch->schema, &batch->array, err));
    firn_arena_defer(arena, release_batch, batch);
    const firn_rows rows = {
        .schema = &batch->schema, .array = &batch->array, .count = batch->array.length};
    firn_vec_push(arena, out, rows);
    return FIRN_OK;
}

static firn_dead_letter taken_letter(const replay_letter *letter)
{
    firn_dead_letter taken = {
        .message = letter->message, .code = FIRN_OK, .why = "", .attempts = -1};
    if (letter->failed) {
        taken.headers = letter->headers;
        taken.n_headers = letter->n_headers;
        taken.code = letter->code;
        taken.why = letter->why;
        taken.attempts = letter->attempts + 1;
    } else {
        taken.message.key = taken.message.value = (firn_bytes){0};
    }
    return taken;
}

static firn_rc collect(const replay_job *job, firn_arena *arena, firn_dead_letters *letters,
                       taken_rows *out, firn_err *err)
{
    for (size_t i = 0; i < job->letters.len; i++) {
        const replay_letter *letter = &job->letters.items[i];
        if (letter->again) {
            continue;
        }
        const firn_dead_letter taken = taken_letter(letter);
        firn_rc rc = firn_dead_letters_add(letters, &taken, err);
        if (rc == FIRN_E_LIMIT && firn_dead_letters_rows(letters) > 0) { /* full: one more batch */
            FIRN_TRY(take_batch(arena, letters, out, err));
            rc = firn_dead_letters_add(letters, &taken, err);
        }
        FIRN_TRY(rc);
    }
    return take_batch(arena, letters, out, err);
}

/* Which letters were taken is told by their places and not by asking the condition again: it may say something else now. */
static char *kept_sql(const replay_job *job)
{
    FIRN_AUTO_BUF firn_buf sql = {0};
    const firn_type *columns = &job->dead.metadata->schema->root; /* * would give _file, too */
    for (size_t i = 0; i < columns->n_fields; i++) {
        firn_buf_printf(&sql, "%st.%s", i > 0 ? ", " : "SELECT ",
                        firn_sql_ident(job->arena, columns->fields[i].name));
    }
    firn_buf_printf(&sql, " FROM %s AS t WHERE t._file IN (", table_sql(job));
    for (size_t i = 0; i < job->removed.len; i++) {
        firn_buf_printf(&sql, "%s%s", i > 0 ? ", " : "",
                        firn_sql_quote(job->arena, job->removed.items[i].path));
    }
    firn_buf_printf(
        &sql,
        ") AND NOT (t.feed = %s AND EXISTS (SELECT 1 FROM batch AS b WHERE b.topic = t.topic"
        " AND b.partition = t.partition AND b.\"offset\" = t.\"offset\"))"
        " UNION ALL BY NAME SELECT * FROM batch WHERE attempts > 0",
        firn_sql_quote(job->arena, job->run->feed.name));
    return firn_arena_strdup(job->arena, firn_buf_cstr(&sql));
}

firn_rc firn_replay_keep(replay_job *job, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new(); /* of the batches */
    taken_rows rows = {0};
    firn_dead_letters *letters = firn_dead_letters_new(&job->run->feed);
    firn_rc rc = collect(job, arena, letters, &rows, err);
    firn_dead_letters_free(letters);
    FIRN_TRY(rc);
    const firn_rows_write write = {.rows = rows.items,
                                   .n_rows = rows.len,
                                   .sql = kept_sql(job),
                                   .metadata = job->dead.metadata,
                                   .table_text = job->text};
    return firn_rows_to_files(job->run->session, job->arena, &write, &job->kept, err);
}
