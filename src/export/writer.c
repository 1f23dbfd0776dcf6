/* Rows into data files: batches are gathered until there are enough for a file worth having, then written at once.
 *
 * Keyed rows (a table's changes, of which the last one of each key counts) can only be written at the end. Until then they are folded
 * whenever many have come, so that memory holds the table, not its history: a fold keeps the last row of each key and forgets
 * keys that end with a tombstone. Its rows get the number -1, being older than all that come.
 *
 * Files are kept in the job's arena; batches are freed as soon as they are in files.
 */
#include "job.h"

#include <stdlib.h>

typedef struct pending {
    firn_export_batch *batch;
    int64_t *number; /* of each row of the array, when keyed */
} pending;

struct firn_export_writer {
    firn_export_job *job;
    bool keyed, ready;
    firn_arena *arena; /* of what is gathered */
    FIRN_VEC(pending) pending;
    size_t pending_bytes, fold_bytes;
    int64_t next_number;
    firn_arena *folded_arena; /* of `folded`; NULL: nothing was folded */
    const firn_rows *folded;
    size_t n_folded;
    FIRN_VEC(firn_data_file) files; /* in the job's arena */
    int64_t rows;
};

firn_export_writer *firn_export_writer_new(firn_export_job *job, bool keyed)
{
    firn_export_writer *w = firn_calloc(1, sizeof(*w));
    w->job = job;
    w->keyed = keyed;
    w->arena = firn_arena_new();
    w->fold_bytes = 2 * job->run->flush_bytes;
    return w;
}

static void forget_pending(firn_export_writer *w)
{
    for (size_t i = 0; i < w->pending.len; i++) {
        firn_export_batch_free(w->pending.items[i].batch);
        free(w->pending.items[i].number);
    }
    memset(&w->pending, 0, sizeof(w->pending));
    w->pending_bytes = 0;
    firn_arena_reset(w->arena);
}

/* ---- what the engine sees ---------------------------------------------------------------------------------------- */

static struct ArrowArray *number_array(firn_arena *arena, const int64_t *values, int64_t n)
{
    struct ArrowArray *out = FIRN_NEW(arena, struct ArrowArray);
    out->length = n;
    out->n_buffers = 2;
    out->buffers = FIRN_NEW_N(arena, const void *, 2);
    out->buffers[1] = values;
    return out;
}

static firn_rows *rows_of(firn_export_writer *w, size_t *n)
{
    firn_rows *rows = FIRN_NEW_N(w->arena, firn_rows, w->pending.len + w->n_folded);
    for (size_t i = 0; i < w->n_folded; i++) {
        rows[i] = w->folded[i];
    }
    for (size_t i = 0; i < w->pending.len; i++) {
        const pending *p = &w->pending.items[i];
        const struct ArrowArray *array = &p->batch->array;
        const struct ArrowArray *number =
            w->keyed ? number_array(w->arena, p->number, array->length) : NULL;
        rows[w->n_folded + i] = (firn_rows){
            .schema = &w->job->columns.view,
            .array = firn_export_columns_view(w->arena, &w->job->columns, array, number),
            .count = p->batch->count,
            .pick = p->batch->pick,
        };
    }
    *n = w->pending.len + w->n_folded;
    return rows;
}

/* FROM item: of each key the last row, unless that is a tombstone. */
static const char *last_rows_sql(const firn_export_writer *w, firn_arena *arena)
{
    const firn_export_columns *columns = &w->job->columns;
    FIRN_AUTO_BUF firn_buf keys = {0};
    for (size_t i = 0; i < columns->n_keys; i++) {
        firn_buf_printf(&keys, "%s%s", i > 0 ? ", " : "", firn_sql_ident(arena, columns->keys[i]));
    }
    return firn_arena_printf(
        arena,
        "(SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY %s ORDER BY " FIRN_EXPORT_NUMBER
        " DESC) AS __firn_rank FROM batch) WHERE __firn_rank = 1 AND NOT "
        "coalesce(" FIRN_EXPORT_TOMBSTONE ", false))",
        firn_buf_cstr(&keys));
}

/* ---- folding ----------------------------------------------------------------------------------------------------- */

/* The rows of a fold with the number that the next one wants. */
static firn_rows numbered(firn_arena *arena, const firn_rows *rows)
{
    size_t n = (size_t)rows->schema->n_children;
    struct ArrowSchema *schema = firn_arena_memdup(arena, rows->schema, sizeof(*rows->schema));
    struct ArrowArray *array = firn_arena_memdup(arena, rows->array, sizeof(*rows->array));
    struct ArrowSchema *column = FIRN_NEW(arena, struct ArrowSchema);
    int64_t *values = FIRN_NEW_N(arena, int64_t, (size_t)array->length);
    *column = (struct ArrowSchema){
        .format = "l", .name = FIRN_EXPORT_NUMBER, .flags = ARROW_FLAG_NULLABLE};
    for (int64_t i = 0; i < array->length; i++) {
        values[i] = -1;
    }
    schema->children = FIRN_NEW_N(arena, struct ArrowSchema *, n + 1);
    array->children = FIRN_NEW_N(arena, struct ArrowArray *, n + 1);
    for (size_t i = 0; i < n; i++) {
        schema->children[i] = rows->schema->children[i];
        array->children[i] = rows->array->children[i];
    }
    schema->children[n] = column;
    array->children[n] = number_array(arena, values, array->length);
    schema->n_children = array->n_children = (int64_t)n + 1;
    firn_rows out = *rows;
    out.schema = schema;
    out.array = array;
    return out;
}

static firn_rc fold(firn_export_writer *w, firn_err *err)
{
    firn_route *routes = NULL;
    size_t n_routes = 0;
    firn_arena *arena = firn_arena_new();
    firn_rows_parting parting = {.by = "CAST(NULL AS VARCHAR)", .routes_max = 1};
    parting.rows = rows_of(w, &parting.n_rows);
    parting.sql = firn_arena_printf(arena, "SELECT * FROM %s", last_rows_sql(w, arena));
    firn_rc rc = firn_rows_route(w->job->session, arena, &parting, &routes, &n_routes, err);
    if (rc != FIRN_OK) {
        firn_arena_free(arena);
        return rc;
    }
    firn_rows *rows = FIRN_NEW_N(arena, firn_rows, routes[0].n_rows);
    size_t bytes = 0;
    for (size_t i = 0; i < routes[0].n_rows; i++) {
        rows[i] = numbered(arena, &routes[0].rows[i]);
        bytes += firn_export_array_bytes(rows[i].schema, rows[i].array);
    }
    firn_arena_free(w->folded_arena);
    w->folded_arena = arena;
    w->folded = rows;
    w->n_folded = routes[0].n_rows;
    forget_pending(w);
    /* Again when as much has come as there is. */
    w->fold_bytes = bytes > w->job->run->flush_bytes ? bytes : w->job->run->flush_bytes;
    return FIRN_OK;
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static firn_export_filing filing_of(const firn_export_writer *w)
{
    const firn_export_job *job = w->job;
    return (firn_export_filing){.feed = job->feed,
                                .columns = &job->columns,
                                .day = job->day,
                                .hour = job->hour,
                                .version = job->version};
}

static firn_rc prepare(firn_export_writer *w, firn_err *err)
{
    firn_export_job *job = w->job;
    firn_export_filing filing = filing_of(w);
    if (w->ready) {
        return FIRN_OK;
    }
    filing.from = w->keyed ? last_rows_sql(w, job->arena) : NULL;
    FIRN_TRY(firn_export_filing_sql(job->arena, &filing, &job->filing, err));
    FIRN_TRY(firn_export_target_ready(job, err));
    w->ready = true;
    return FIRN_OK;
}

/* `sql` NULL: the rows as they are, all of the partition that the filing says. */
static firn_rc write_rows(firn_export_writer *w, const firn_export_filing *filing,
                          const firn_rows *rows, size_t n_rows, const char *sql, firn_err *err)
{
    firn_export_job *job = w->job;
    firn_rows_written written = {0};
    firn_rows_write write = {.rows = rows,
                             .n_rows = n_rows,
                             .sql = sql,
                             .metadata = job->metadata,
                             .table_text = job->table_text,
                             .lasting = true};
    write.constants = firn_export_filing_constants(job->arena, filing, &write.n_constants);
    FIRN_TRY(firn_rows_to_files(job->session, job->arena, &write, &written, err));
    for (size_t i = 0; i < written.files.len; i++) {
        firn_vec_push(job->arena, &w->files, written.files.items[i]);
    }
    w->rows += written.rows;
    return FIRN_OK;
}

/* SQL is for what firn has no quick way for: folded rows, keys that are equal by value only, times that are texts. */
static firn_rc write_pending(firn_export_writer *w, firn_err *err)
{
    firn_export_job *job = w->job;
    firn_export_filing filing = filing_of(w);
    firn_export_span *spans = NULL;
    size_t n_rows = 0, n_spans = 0;
    firn_rows *rows = rows_of(w, &n_rows);
    bool plain = !w->keyed ||
                 (w->n_folded == 0 && firn_export_latest(w->arena, &job->columns, rows, n_rows));
    if (!plain || !firn_export_by_event(job->feed)) {
        return write_rows(w, &filing, rows, n_rows, plain ? NULL : job->filing, err);
    }
    if (!firn_export_spans(w->arena, &job->columns, job->feed, rows, n_rows, &spans, &n_spans)) {
        return write_rows(w, &filing, rows, n_rows, job->filing, err);
    }
    filing.one_span = true;
    for (size_t i = 0; i < n_spans; i++) {
        filing.day = spans[i].day;
        filing.hour = spans[i].hour;
        FIRN_TRY(write_rows(w, &filing, spans[i].rows, spans[i].n_rows, NULL, err));
    }
    return FIRN_OK;
}

static firn_rc flush(firn_export_writer *w, firn_err *err)
{
    firn_export_job *job = w->job;
    if (job->run->options->dry_run) {
        forget_pending(w);
        return FIRN_OK;
    }
    FIRN_TRY(firn_fault_point("export.batch", job->feed->name, err));
    FIRN_TRY(prepare(w, err));
    FIRN_TRY(write_pending(w, err));
    forget_pending(w);
    return FIRN_OK;
}

firn_rc firn_export_writer_add(firn_export_writer *w, firn_export_batch *batch, firn_err *err)
{
    pending p = {.batch = batch};
    if (w->keyed) {
        p.number = firn_malloc((size_t)batch->array.length * sizeof(*p.number));
        for (int64_t i = 0; i < batch->array.length; i++) {
            p.number[i] = w->next_number++;
        }
    }
    if (w->job->run->options->dry_run && !w->keyed) {
        w->rows += batch->count;
    }
    firn_vec_push(w->arena, &w->pending, p);
    w->pending_bytes += batch->bytes;
    if (w->keyed) {
        return w->pending_bytes >= w->fold_bytes ? fold(w, err) : FIRN_OK;
    }
    return w->pending_bytes >= w->job->run->flush_bytes ? flush(w, err) : FIRN_OK;
}

static firn_rc count_keyed(firn_export_writer *w, firn_err *err)
{
    FIRN_TRY(fold(w, err));
    for (size_t i = 0; i < w->n_folded; i++) {
        w->rows += w->folded[i].count;
    }
    return FIRN_OK;
}

firn_rc firn_export_writer_finish(firn_export_writer *w, firn_err *err)
{
    firn_export_job *job = w->job;
    bool dry = job->run->options->dry_run;
    if (w->pending.len > 0 || w->n_folded > 0) {
        FIRN_TRY(dry && w->keyed ? count_keyed(w, err) : flush(w, err));
    }
    if (!dry) {
        FIRN_TRY(prepare(w, err)); /* a table without rows is a table, too */
    }
    job->added = w->files.items;
    job->n_added = w->files.len;
    job->rows = w->rows;
    job->files = (int64_t)w->files.len;
    for (size_t i = 0; i < w->files.len; i++) {
        job->bytes += w->files.items[i].file_size_bytes;
    }
    return FIRN_OK;
}

void firn_export_writer_discard(firn_export_writer *w)
{
    firn_rows_written written = {.rows = w->rows};
    written.files.items = w->files.items;
    written.files.len = w->files.len;
    firn_rows_discard(w->job->session, &written);
    w->files.len = 0;
}

void firn_export_writer_free(firn_export_writer *w)
{
    if (w != NULL) {
        forget_pending(w);
        firn_arena_free(w->folded_arena);
        firn_arena_free(w->arena);
        free(w);
    }
}
