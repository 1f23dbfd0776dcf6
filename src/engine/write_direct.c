/* Arrow rows straight into data files, by firn's own Parquet writer: what ingestion does all day needs no SQL.
 *
 * Taken are rows whose columns are the table's, flat and of its types, for a table without a sort order whose rows are all of one partition. Everything else,
 * and rows of which one does not fit, is left to the COPY: UNSUPPORTED, and the caller goes that way, which casts, checks, and names what is wrong.
 *
 * A file stays open from one batch to the next. Rows are looked at before any of them is written, so what is refused leaves no trace.
 */
#include "write_parts.h"

#include "base/io.h"
#include "format/parquet.h"
#include "rows_batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROWS_A_STEP = 1 << 16 }; /* between looks at the file's size */

struct firn_direct {
    firn_arena *arena;
    firn_direct_write write;
    const firn_field **fields; /* of the table, one for each column */
    firn_parquet_column *columns;
    size_t n_columns;
    firn_parquet_options options;
    firn_parquet_writer *writer;
    const char *path; /* of the file that is open */
    int fd;
    size_t n_files;
    firn_written out;
};

/* ---- can it be done? --------------------------------------------------------------------------------- */

static bool kind_of(const firn_type *type, firn_parquet_kind *out)
{
    switch (type->id) {
    case FIRN_TYPE_BOOLEAN: *out = FIRN_PARQUET_BOOLEAN; return true;
    case FIRN_TYPE_INT: *out = FIRN_PARQUET_INT; return true;
    case FIRN_TYPE_LONG: *out = FIRN_PARQUET_LONG; return true;
    case FIRN_TYPE_FLOAT: *out = FIRN_PARQUET_FLOAT; return true;
    case FIRN_TYPE_DOUBLE: *out = FIRN_PARQUET_DOUBLE; return true;
    case FIRN_TYPE_DATE: *out = FIRN_PARQUET_DATE; return true;
    case FIRN_TYPE_TIME: *out = FIRN_PARQUET_TIME; return true;
    case FIRN_TYPE_TIMESTAMP: *out = FIRN_PARQUET_TIMESTAMP; return true;
    case FIRN_TYPE_TIMESTAMPTZ: *out = FIRN_PARQUET_TIMESTAMPTZ; return true;
    case FIRN_TYPE_STRING: *out = FIRN_PARQUET_STRING; return true;
    case FIRN_TYPE_BINARY: *out = FIRN_PARQUET_BINARY; return true;
    case FIRN_TYPE_UUID: *out = FIRN_PARQUET_UUID; return true;
    case FIRN_TYPE_DECIMAL: *out = FIRN_PARQUET_DECIMAL; return true;
    default: return false;
    }
}

static bool plan_columns(firn_direct *job)
{
    const firn_metadata *metadata = job->write.metadata;
    const firn_type *root = &metadata->schema->root;
    job->columns = FIRN_NEW_N(job->arena, firn_parquet_column, root->n_fields);
    job->fields = FIRN_NEW_N(job->arena, const firn_field *, root->n_fields);
    for (size_t i = 0; i < root->n_fields; i++) {
        const firn_field *field = &root->fields[i];
        firn_parquet_column *column = &job->columns[job->n_columns];
        *column = (firn_parquet_column){.name = field->name,
                                        .field_id = field->id,
                                        .required = field->required,
                                        .precision = field->type->precision,
                                        .scale = field->type->scale};
        if (firn_write_leaves_out(metadata, job->write.spec, field)) {
            continue;
        }
        if (!kind_of(field->type, &column->kind)) {
            return false;
        }
        job->fields[job->n_columns++] = field;
    }
    return job->n_columns > 0;
}

/* "d:9,2", and nothing of other widths. */
static bool is_decimal(const char *format, const firn_parquet_column *column)
{
    int precision = 0, scale = 0, used = 0;
    return sscanf(format, "d:%d,%d%n", &precision, &scale, &used) == 2 &&
           (format[used] == '\0' || firn_streq(format + used, ",128")) &&
           precision <= column->precision && scale == column->scale;
}

/* "tsu:", "tsm:UTC" */
static bool is_timestamp(const char *format, bool zoned, int64_t *factor)
{
    bool micros = firn_starts_with(format, "tsu:");
    *factor = micros ? 1 : 1000;
    return (micros || firn_starts_with(format, "tsm:")) && (format[4] != '\0') == zoned;
}

/* Numbers that the column holds as they are, or most of them: what does not fit is told by the COPY. */
static bool is_cast(const char *format, firn_parquet_kind kind, firn_parquet_source *out)
{
    out->factor = 1;
    out->cast = FIRN_PARQUET_INT_TO_LONG;
    if (kind == FIRN_PARQUET_TIME && firn_streq(format, "ttm")) {
        out->factor = 1000;
        return true;
    }
    if (kind == FIRN_PARQUET_LONG && firn_streq(format, "i")) {
        return true;
    }
    bool narrowed = kind == FIRN_PARQUET_INT && firn_streq(format, "l");
    out->cast = narrowed ? FIRN_PARQUET_LONG_TO_INT : FIRN_PARQUET_FLOAT_TO_DOUBLE;
    return narrowed || (kind == FIRN_PARQUET_DOUBLE && firn_streq(format, "f"));
}

static bool is_taken(const struct ArrowSchema *arrow, const firn_parquet_column *column,
                     firn_parquet_source *out)
{
    static const char *const FORMATS[] = {
        [FIRN_PARQUET_BOOLEAN] = "b", [FIRN_PARQUET_INT] = "i",    [FIRN_PARQUET_LONG] = "l",
        [FIRN_PARQUET_FLOAT] = "f",   [FIRN_PARQUET_DOUBLE] = "g", [FIRN_PARQUET_DATE] = "tdD",
        [FIRN_PARQUET_TIME] = "ttu",  [FIRN_PARQUET_STRING] = "u", [FIRN_PARQUET_BINARY] = "z"};
    const char *format = arrow->format;
    if (arrow->dictionary != NULL) {
        return false;
    }
    if (is_cast(format, column->kind, out)) {
        return true;
    }
    *out = (firn_parquet_source){.factor = 1};
    switch (column->kind) {
    case FIRN_PARQUET_TIMESTAMP: return is_timestamp(format, false, &out->factor);
    case FIRN_PARQUET_TIMESTAMPTZ: return is_timestamp(format, true, &out->factor);
    case FIRN_PARQUET_DECIMAL: return is_decimal(format, column);
    case FIRN_PARQUET_UUID: return firn_streq(format, "w:16") && firn_arrow_is_uuid(arrow);
    default: return firn_streq(format, FORMATS[column->kind]) && !firn_arrow_is_uuid(arrow);
    }
}

/* Every column of the array is one of the table's, by its exact name and once, or the caller's own. */
static bool map_rows(const firn_direct *job, const firn_rows *rows, firn_parquet_source *sources)
{
    const struct ArrowSchema *schema = rows->schema;
    int64_t used = 0;
    if (!firn_rows_exist(rows) || rows->array->offset != 0 ||
        (rows->array->null_count != 0 && rows->array->n_buffers > 0 &&
         rows->array->buffers[0] != NULL)) {
        return false;
    }
    for (size_t i = 0; i < job->n_columns; i++) {
        sources[i] = (firn_parquet_source){.factor = 1};
        for (int64_t c = 0; c < schema->n_children; c++) {
            if (!firn_streq(schema->children[c]->name, job->columns[i].name)) {
                continue;
            }
            if (sources[i].array != NULL ||
                !is_taken(schema->children[c], &job->columns[i], &sources[i])) {
                return false;
            }
            sources[i].array = rows->array->children[c];
            used++;
        }
        if (sources[i].array == NULL &&
            (job->columns[i].required || job->fields[i]->write_default != NULL)) {
            return false;
        }
    }
    int64_t own = 0;
    for (int64_t c = 0; c < schema->n_children; c++) {
        own += firn_starts_with(schema->children[c]->name, FIRN_ROWS_OWN_PREFIX);
    }
    return used > 0 && used + own == schema->n_children;
}

/* ---- files ------------------------------------------------------------------------------------------- */

static firn_rc put_bytes(void *ctx, firn_bytes bytes, firn_err *err)
{
    firn_direct *job = ctx;
    FIRN_TRY(firn_fault_point("storage.write", job->path, err));
    return firn_fd_write(job->fd, bytes, job->path, err);
}

static firn_rc begin_file(firn_direct *job, firn_err *err)
{
    /* Not a name that a finished file gets: those are numbers alone. */
    job->path = firn_arena_printf(job->arena, "%s/%s-rows%zu.parquet", job->write.folder,
                                  job->write.prefix, job->n_files++);
    job->fd = open(job->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (job->fd < 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot make data file %s",
                              job->path);
    }
    return firn_parquet_begin(&job->options, &job->writer, err);
}

static firn_value value_of(const firn_field *field, firn_parquet_kind kind,
                           const firn_parquet_stats *stats, bool upper)
{
    firn_value out = {.type = field->type->id, .scale = field->type->scale};
    int64_t whole = upper ? stats->max.i64 : stats->min.i64;
    double number = upper ? stats->max.f64 : stats->min.f64;
    switch (kind) {
    case FIRN_PARQUET_BOOLEAN: out.boolean = whole != 0; break;
    case FIRN_PARQUET_INT:
    case FIRN_PARQUET_DATE: out.i32 = (int32_t)whole; break;
    case FIRN_PARQUET_FLOAT: out.f32 = (float)number; break;
    case FIRN_PARQUET_DOUBLE: out.f64 = number; break;
    case FIRN_PARQUET_STRING:
    case FIRN_PARQUET_BINARY:
    case FIRN_PARQUET_UUID: out.bytes = upper ? stats->max.bytes : stats->min.bytes; break;
    case FIRN_PARQUET_DECIMAL: out.decimal = upper ? stats->max.decimal : stats->min.decimal; break;
    default: out.i64 = whole; break;
    }
    return out;
}

static void tell_metrics(firn_direct *job, firn_data_file *file)
{
    file->metrics = FIRN_NEW_N(job->arena, firn_column_metrics, job->n_columns);
    for (size_t i = 0; i < job->n_columns; i++) {
        const firn_parquet_stats *stats = firn_parquet_column_stats(job->writer, i);
        const firn_field *field = job->fields[i];
        firn_value min = value_of(field, job->columns[i].kind, stats, false);
        firn_value max = value_of(field, job->columns[i].kind, stats, true);
        const firn_value_stats told = {.size_bytes = stats->size_bytes,
                                       .values = file->record_count,
                                       .nulls = stats->nulls,
                                       .nans = stats->nans,
                                       .min = stats->bounded ? &min : NULL,
                                       .max = stats->bounded ? &max : NULL};
        file->n_metrics += firn_write_value_metrics(job->arena, job->write.plan, field->id, &told,
                                                    &file->metrics[file->n_metrics]);
    }
    firn_write_sort_metrics(file);
}

static void tell_file(firn_direct *job)
{
    firn_data_file *file =
        firn_write_add_file(job->arena, job->write.spec, job->write.partition, &job->out);
    file->path = job->path;
    file->record_count = firn_parquet_row_count(job->writer);
    file->file_size_bytes = firn_parquet_bytes(job->writer);
    job->out.rows += file->record_count;
    tell_metrics(job, file);
}

/* Some file systems tell only now that what was written found no room. */
static firn_rc close_file(firn_direct *job, firn_err *err)
{
    int fd = job->fd;
    firn_parquet_free(job->writer);
    job->writer = NULL;
    job->fd = -1;
    if (fd >= 0 && close(fd) != 0 && errno != EINTR) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot write data file %s",
                              job->path);
    }
    return FIRN_OK;
}

static firn_rc finish_file(firn_direct *job, firn_err *err)
{
    if (job->writer == NULL) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_parquet_finish(job->writer, err));
    tell_file(job);
    return close_file(job, err);
}

static firn_rc put_rows(firn_direct *job, const firn_parquet_rows *rows, firn_err *err)
{
    firn_parquet_rows step = *rows;
    for (int64_t left = rows->count; left > 0; left -= step.count, step.from += step.count) {
        step.count = left < ROWS_A_STEP ? left : ROWS_A_STEP;
        if (job->writer == NULL) {
            FIRN_TRY(begin_file(job, err));
        }
        FIRN_TRY(firn_parquet_add(job->writer, &step, err));
        if (firn_parquet_bytes(job->writer) >= job->write.target_bytes) {
            FIRN_TRY(finish_file(job, err));
        }
    }
    return FIRN_OK;
}

/* ---- all together ------------------------------------------------------------------------------------ */

firn_rc firn_direct_open(firn_arena *arena, const firn_direct_write *write, firn_direct **out)
{
    firn_direct *job = FIRN_NEW(arena, firn_direct);
    *job = (firn_direct){.arena = arena, .write = *write, .fd = -1};
    *out = NULL;
    if (!plan_columns(job)) {
        return FIRN_E_UNSUPPORTED;
    }
    job->options = (firn_parquet_options){.columns = job->columns,
                                          .n_columns = job->n_columns,
                                          .codec = write->codec,
                                          .level = write->level,
                                          .deltas = write->deltas,
                                          .row_group_rows = write->group_rows,
                                          .row_group_bytes = write->group_bytes,
                                          .dictionary_max = write->dictionary_max,
                                          .threads = write->threads,
                                          .sink = put_bytes,
                                          .ctx = job};
    *out = job;
    return FIRN_OK;
}

static bool is_taken_as_it_is(const firn_direct *job, const firn_rows *rows,
                              firn_parquet_source *sources, firn_parquet_rows *out)
{
    *out = (firn_parquet_rows){.sources = sources,
                               .pick = rows->pick,
                               .from = rows->from,
                               .count = rows->count,
                               .checked = true};
    return map_rows(job, rows, sources) && firn_parquet_check(&job->options, out, NULL) == FIRN_OK;
}

firn_rc firn_direct_add(firn_direct *job, const firn_rows *rows, size_t n_rows, firn_err *err)
{
    firn_parquet_source *sources = firn_calloc(n_rows * job->n_columns + 1, sizeof(*sources));
    firn_parquet_rows *own = firn_calloc(n_rows + 1, sizeof(*own));
    firn_rc rc = FIRN_OK;
    for (size_t i = 0; i < n_rows && rc == FIRN_OK; i++) {
        rc = is_taken_as_it_is(job, &rows[i], sources + i * job->n_columns, &own[i])
                 ? FIRN_OK
                 : FIRN_E_UNSUPPORTED;
    }
    for (size_t i = 0; i < n_rows && rc == FIRN_OK; i++) {
        rc = put_rows(job, &own[i], err);
    }
    free(sources);
    free(own);
    return rc;
}

firn_rc firn_direct_finish(firn_direct *job, firn_written *out, firn_err *err)
{
    firn_rc rc = finish_file(job, err);
    *out = job->out;
    return rc;
}

int64_t firn_direct_held_bytes(const firn_direct *job)
{
    return job->writer != NULL ? firn_parquet_held_bytes(job->writer) : 0;
}

void firn_direct_close(firn_direct *job)
{
    if (close_file(job, NULL) != FIRN_OK) {
        return; /* it is not wanted any more */
    }
}
