/* Rows into data files. A file of each span of time (the one of all rows, where they are not filed by a time of their own) stays open while batches come,
 * and takes its rows at once: memory holds encoded pages, not batches. What needs SQL is gathered until there is enough for a file worth having.
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

enum { OPEN_MAX = 128 };

/* A file that is open. */
typedef struct span_file {
    int32_t day;
    int hour;
    firn_rows_file *file;
    int64_t used; /* when: the batch's number */
} span_file;

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
    firn_arena *passing; /* of the batch that is being taken */
    span_file open[OPEN_MAX];
    size_t n_open;
    int64_t n_batches;
    FIRN_VEC(firn_data_file) files; /* in the job's arena */
    int64_t rows;
};

firn_export_writer *firn_export_writer_new(firn_export_job *job, bool keyed)
{
    firn_export_writer *w = firn_calloc(1, sizeof(*w));
    w->job = job;
    w->keyed = keyed;
    w->arena = firn_arena_new();
    w->passing = firn_arena_new();
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

static firn_rows batch_rows(firn_arena *arena, const firn_export_writer *w,
                            const firn_export_batch *batch, const struct ArrowArray *number)
{
    const firn_export_columns *columns = &w->job->columns;
    return (firn_rows){
        .schema = &columns->view,
        .array = firn_export_columns_view(arena, columns, &batch->array, number),
        .count = batch->count,
        .pick = batch->pick,
    };
}

static firn_rows *rows_of(firn_export_writer *w, size_t *n)
{
    firn_rows *rows = FIRN_NEW_N(w->arena, firn_rows, w->pending.len + w->n_folded);
    for (size_t i = 0; i < w->n_folded; i++) {
        rows[i] = w->folded[i];
    }
    for (size_t i = 0; i < w->pending.len; i++) {
        const pending *p = &w->pending.items[i];
        const struct ArrowArray *number =
            w->keyed ? number_array(w->arena, p->number, p->batch->array.length) : NULL;
        rows[w->n_folded + i] = batch_rows(w->arena, w, p->batch, number);
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

static void add_files(firn_export_writer *w, const firn_rows_written *written)
{
    for (size_t i = 0; i < written->files.len; i++) {
        firn_vec_push(w->job->arena, &w->files, written->files.items[i]);
    }
    w->rows += written->rows;
}

static firn_rows_write write_of(const firn_export_job *job, const firn_export_filing *filing)
{
    firn_rows_write write = {
        .metadata = job->metadata, .table_text = job->table_text, .lasting = true};
    write.constants = firn_export_filing_constants(job->arena, filing, &write.n_constants);
    return write;
}

/* `sql` NULL: the rows as they are, all of the partition that the filing says. */
static firn_rc write_rows(firn_export_writer *w, const firn_export_filing *filing,
                          const firn_rows *rows, size_t n_rows, const char *sql, firn_err *err)
{
    firn_export_job *job = w->job;
    firn_rows_written written = {0};
    firn_rows_write write = write_of(job, filing);
    write.rows = rows;
    write.n_rows = n_rows;
    write.sql = sql;
    FIRN_TRY(firn_rows_to_files(job->session, job->arena, &write, &written, err));
    add_files(w, &written);
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

/* ---- files that stay open ------------------------------------------------------------------------------------------ */

static firn_rc finish_open(firn_export_writer *w, size_t i, firn_err *err)
{
    firn_rows_written written = {0};
    firn_rows_file *file = w->open[i].file;
    w->open[i] = w->open[--w->n_open];
    FIRN_TRY(firn_rows_file_finish(file, &written, err));
    add_files(w, &written);
    return FIRN_OK;
}

/* *out NULL: the table is not for it. */
static firn_rc open_span(firn_export_writer *w, const firn_export_filing *filing, span_file **out,
                         firn_err *err)
{
    size_t oldest = 0;
    *out = NULL;
    for (size_t i = 0; i < w->n_open; i++) {
        if (w->open[i].day == filing->day && w->open[i].hour == filing->hour) {
            *out = &w->open[i];
            return FIRN_OK;
        }
        oldest = w->open[i].used < w->open[oldest].used ? i : oldest;
    }
    if (w->n_open == OPEN_MAX) {
        FIRN_TRY(finish_open(w, oldest, err));
    }
    const firn_rows_write write = write_of(w->job, filing);
    span_file opened = {.day = filing->day, .hour = filing->hour};
    FIRN_TRY(firn_rows_file_open(w->job->session, w->job->arena, &write, &opened.file, err));
    if (opened.file != NULL) {
        w->open[w->n_open] = opened;
        *out = &w->open[w->n_open++];
    }
    return FIRN_OK;
}

static firn_rc add_span(firn_export_writer *w, const firn_export_filing *filing,
                        const firn_rows *rows, size_t n_rows, bool *taken, firn_err *err)
{
    span_file *open = NULL;
    *taken = false;
    FIRN_TRY(open_span(w, filing, &open, err));
    if (open != NULL) {
        open->used = w->n_batches;
        FIRN_TRY(firn_rows_file_add(open->file, rows, n_rows, taken, err));
    }
    return FIRN_OK;
}

/* The rows of a batch to the files of their spans. *taken false: none of them. */
static firn_rc add_spans(firn_export_writer *w, const firn_rows *rows, bool *taken, firn_err *err)
{
    firn_export_filing filing = filing_of(w);
    firn_export_span *spans = NULL;
    size_t n = 0;
    *taken = false;
    if (!firn_export_by_event(w->job->feed)) {
        return add_span(w, &filing, rows, 1, taken, err);
    }
    if (!firn_export_spans(w->passing, &w->job->columns, w->job->feed, rows, 1, &spans, &n)) {
        return FIRN_OK;
    }
    filing.one_span = true;
    for (size_t i = 0; i < n; i++) {
        bool own = false;
        filing.day = spans[i].day;
        filing.hour = spans[i].hour;
        FIRN_TRY(add_span(w, &filing, spans[i].rows, spans[i].n_rows, &own, err));
        if (!own && !*taken) {
            return FIRN_OK;
        }
        if (!own) { /* a value that wants a second look, beside others that did not */
            FIRN_TRY(write_rows(w, &filing, spans[i].rows, spans[i].n_rows, NULL, err));
        }
        *taken = true;
    }
    return FIRN_OK;
}

/* Files of many spans may hold much together, a little each. */
static firn_rc keep_bounds(firn_export_writer *w, firn_err *err)
{
    int64_t held = 0;
    size_t largest = 0;
    int64_t most = 0;
    for (size_t i = 0; i < w->n_open; i++) {
        int64_t own = firn_rows_file_held_bytes(w->open[i].file);
        held += own;
        largest = own > most ? i : largest;
        most = own > most ? own : most;
    }
    if (held < (int64_t)w->job->run->flush_bytes || w->n_open == 0) {
        return FIRN_OK;
    }
    FIRN_TRY(finish_open(w, largest, err));
    return keep_bounds(w, err);
}

static firn_rc take_batch(firn_export_writer *w, const firn_export_batch *batch, bool *taken,
                          firn_err *err)
{
    FIRN_TRY(firn_fault_point("export.batch", w->job->feed->name, err));
    FIRN_TRY(prepare(w, err));
    firn_arena_reset(w->passing);
    firn_rows rows = batch_rows(w->passing, w, batch, NULL);
    w->n_batches++;
    FIRN_TRY(add_spans(w, &rows, taken, err));
    return keep_bounds(w, err);
}

static firn_rc add_keyed(firn_export_writer *w, firn_export_batch *batch, firn_err *err)
{
    pending p = {.batch = batch};
    p.number = firn_malloc((size_t)batch->array.length * sizeof(*p.number));
    for (int64_t i = 0; i < batch->array.length; i++) {
        p.number[i] = w->next_number++;
    }
    firn_vec_push(w->arena, &w->pending, p);
    w->pending_bytes += batch->bytes;
    return w->pending_bytes >= w->fold_bytes ? fold(w, err) : FIRN_OK;
}

firn_rc firn_export_writer_add(firn_export_writer *w, firn_export_batch *batch, firn_err *err)
{
    const pending p = {.batch = batch};
    bool taken = w->job->run->options->dry_run;
    if (w->keyed) {
        return add_keyed(w, batch, err);
    }
    w->rows += taken ? batch->count : 0;
    firn_rc rc = taken ? FIRN_OK : take_batch(w, batch, &taken, err);
    if (rc != FIRN_OK || taken) {
        firn_export_batch_free(batch);
        return rc;
    }
    firn_vec_push(w->arena, &w->pending, p);
    w->pending_bytes += batch->bytes;
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
    while (w->n_open > 0) {
        FIRN_TRY(finish_open(w, 0, err));
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

static void discard_open(firn_export_writer *w)
{
    while (w->n_open > 0) {
        firn_rows_file_discard(w->open[--w->n_open].file);
    }
}

void firn_export_writer_discard(firn_export_writer *w)
{
    firn_rows_written written = {.rows = w->rows};
    written.files.items = w->files.items;
    written.files.len = w->files.len;
    firn_rows_discard(w->job->session, &written);
    w->files.len = 0;
    discard_open(w);
}

void firn_export_writer_free(firn_export_writer *w)
{
    if (w != NULL) {
        discard_open(w);
        forget_pending(w);
        firn_arena_free(w->folded_arena);
        firn_arena_free(w->passing);
        firn_arena_free(w->arena);
        free(w);
    }
}
