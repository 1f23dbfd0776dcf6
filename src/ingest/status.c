/* What feeds say of themselves: figures, the files in .firn/ingest/, Prometheus text.
 *
 * A file is written every second and says which process wrote it; files of processes that are not there any more are passed over.
 */
#include "run.h"

#include "base/io.h"
#include "base/log.h"
#include "base/time.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SLOTS = sizeof(((firn_run_status *)0)->latency[0]) / sizeof(uint32_t),
    SLOTS_PER_DOUBLING = 8,
    HISTOGRAM_US = 60000000,
    STATUS_BYTES_MAX = 1 << 20,
};

static const char *const STATES[] = {"starting", "running", "waiting", "stopped", "done"};

const char *firn_feed_state_name(firn_feed_state state)
{
    return STATES[state];
}

/* ---- latencies ------------------------------------------------------------------------------------------------- */

void firn_samples_add(firn_samples *samples, int64_t ms)
{
    if (ms < 0) {
        return;
    }
    samples->newest_ms = ms > samples->newest_ms ? ms : samples->newest_ms;
    if (samples->stride == 0) {
        samples->stride = 1;
    }
    if (samples->skip > 0) {
        samples->skip--;
        return;
    }
    if (samples->n == FIRN_SAMPLES) {
        for (int i = 0; i < FIRN_SAMPLES / 2; i++) {
            samples->ms[i] = samples->ms[2 * i];
        }
        samples->n = FIRN_SAMPLES / 2;
        samples->stride *= 2;
    }
    samples->ms[samples->n++] = ms;
    samples->skip = samples->stride - 1;
}

/* Eight slots for each doubling: 9% wide. */
int firn_latency_slot(int64_t ms)
{
    int slot = ms <= 0 ? 0 : (int)(log2((double)ms + 1) * SLOTS_PER_DOUBLING);
    return slot < SLOTS ? slot : SLOTS - 1;
}

int64_t firn_latency_of_slot(int slot)
{
    return (int64_t)(exp2((slot + 0.5) / SLOTS_PER_DOUBLING) - 1);
}

static int64_t percentile(const firn_run_status *status, double part)
{
    uint64_t all = 0;
    for (int i = 0; i < SLOTS; i++) {
        all += status->latency[0][i] + status->latency[1][i];
    }
    uint64_t below = 0;
    for (int i = 0; i < SLOTS && all > 0; i++) {
        below += status->latency[0][i] + status->latency[1][i];
        if ((double)below >= part * (double)all) {
            return firn_latency_of_slot(i);
        }
    }
    return -1;
}

void firn_status_committed(firn_feed_run *run, const firn_pending *pending)
{
    int64_t now_ms = firn_now_ms();
    int64_t newest_ms = -1;
    pthread_mutex_lock(&run->lock);
    firn_run_status *status = &run->status;
    if (firn_monotonic_us() - status->latency_since_us > HISTOGRAM_US) {
        memcpy(status->latency[1], status->latency[0], sizeof(status->latency[0]));
        memset(status->latency[0], 0, sizeof(status->latency[0]));
        status->latency_since_us = firn_monotonic_us();
    }
    for (size_t i = 0; i < pending->samples.len; i++) {
        const firn_samples *samples = &pending->samples.items[i];
        newest_ms = samples->newest_ms > newest_ms ? samples->newest_ms : newest_ms;
        for (int k = 0; k < samples->n; k++) {
            status->latency[0][firn_latency_slot(now_ms - samples->ms[k])] +=
                (uint32_t)samples->stride;
        }
    }
    status->commits++;
    status->rows += pending->rows;
    status->dead_letters += (int64_t)pending->letters.len;
    status->last_commit_us = now_ms * 1000;
    if (newest_ms >= 0) {
        status->freshness_ms = now_ms > newest_ms ? now_ms - newest_ms : 0;
    }
    pthread_mutex_unlock(&run->lock);
}

/* ---- the present figures ------------------------------------------------------------------------------------------ */

static const char *topics_text(firn_arena *arena, const firn_feed *feed)
{
    return firn_str_join(arena, feed->topics, feed->n_topics, ", ");
}

/* @locks run->lock. Rates over the time since the last look, smoothed. */
static void take_rates(firn_run_status *status)
{
    int64_t now_us = firn_monotonic_us();
    double seconds = (double)(now_us - status->rate_us) / 1e6;
    if (status->rate_us != 0 && seconds < 0.5) {
        return;
    }
    if (status->rate_us != 0) {
        double keep = exp(-seconds / 3);
        status->records_per_s =
            keep * status->records_per_s +
            (1 - keep) * (double)(status->records - status->rate_records) / seconds;
        status->bytes_per_s = keep * status->bytes_per_s +
                              (1 - keep) * (double)(status->bytes - status->rate_bytes) / seconds;
    }
    status->rate_us = now_us;
    status->rate_records = status->records;
    status->rate_bytes = status->bytes;
}

void firn_status_look(firn_feed_run *run, firn_arena *arena, firn_feed_status *out)
{
    pthread_mutex_lock(&run->lock);
    firn_run_status *status = &run->status;
    take_rates(status);
    bool has_message = status->state == FIRN_FEED_WAITING || status->state == FIRN_FEED_STOPPED;
    *out = (firn_feed_status){
        .feed = run->feed.name,
        .topic = topics_text(arena, &run->feed),
        .table = run->feed.table,
        .state = status->state,
        .message = has_message ? firn_arena_strdup(arena, status->message) : NULL,
        .advice =
            status->state == FIRN_FEED_STOPPED ? firn_arena_strdup(arena, status->advice) : NULL,
        .pid = (int)getpid(),
        .records = status->records,
        .bytes = status->bytes,
        .records_per_s = status->records_per_s,
        .bytes_per_s = status->bytes_per_s,
        .rows = status->rows,
        .commits = status->commits,
        .dead_letters = status->dead_letters,
        .conflicts = status->conflicts,
        .lag = status->lag,
        .last_commit_us = status->last_commit_us,
        .freshness_ms = status->freshness_ms,
        .latency_p50_ms = percentile(status, 0.5),
        .latency_p99_ms = percentile(status, 0.99),
        .buffered_bytes = run->buffered,
        .updated_us = firn_now_us(),
    };
    pthread_mutex_unlock(&run->lock);
}

/* ---- files ---------------------------------------------------------------------------------------------------------- */

typedef struct status_number {
    const char *name;
    size_t offset;
    bool real;
} status_number;

#define AT(member) offsetof(firn_feed_status, member)
#define WHOLE(member)              \
    {                              \
#member, AT(member), false \
    }
static const status_number NUMBERS[] = {
    WHOLE(records),
    WHOLE(bytes),
    WHOLE(rows),
    WHOLE(commits),
    WHOLE(dead_letters),
    WHOLE(conflicts),
    WHOLE(lag),
    WHOLE(last_commit_us),
    WHOLE(freshness_ms),
    WHOLE(latency_p50_ms),
    WHOLE(latency_p99_ms),
    WHOLE(buffered_bytes),
    WHOLE(updated_us),
    {"records_per_s", AT(records_per_s), true},
    {"bytes_per_s", AT(bytes_per_s), true},
};
enum { N_NUMBERS = sizeof(NUMBERS) / sizeof(NUMBERS[0]) };

static json_t *to_json(firn_arena *arena, const firn_feed_status *status)
{
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s?, s:i}", "feed", status->feed, "topic",
                  status->topic, "table", status->table, "state", STATES[status->state], "message",
                  status->message, "advice", status->advice, "pid", status->pid);
    firn_json_own(arena, json);
    for (size_t i = 0; i < N_NUMBERS; i++) {
        const void *at = (const char *)status + NUMBERS[i].offset;
        json_object_set_new(json, NUMBERS[i].name,
                            NUMBERS[i].real ? json_real(*(const double *)at)
                                            : json_integer(*(const int64_t *)at));
    }
    return json;
}

static firn_rc from_json(firn_arena *arena, const json_t *json, const char *what,
                         firn_feed_status *out, firn_err *err)
{
    const char *state = NULL;
    int64_t pid = 0;
    *out = (firn_feed_status){0};
    FIRN_TRY(firn_json_str(json, "feed", what, &out->feed, err));
    FIRN_TRY(firn_json_str(json, "topic", what, &out->topic, err));
    FIRN_TRY(firn_json_str(json, "table", what, &out->table, err));
    FIRN_TRY(firn_json_str(json, "state", what, &state, err));
    FIRN_TRY(firn_json_opt_str(json, "message", what, NULL, &out->message, err));
    FIRN_TRY(firn_json_opt_str(json, "advice", what, NULL, &out->advice, err));
    FIRN_TRY(firn_json_i64(json, "pid", what, &pid, err));
    out->pid = (int)pid;
    for (size_t i = 0; i < sizeof(STATES) / sizeof(STATES[0]); i++) {
        out->state = firn_streq(STATES[i], state) ? (firn_feed_state)i : out->state;
    }
    for (size_t i = 0; i < N_NUMBERS; i++) {
        void *at = (char *)out + NUMBERS[i].offset;
        if (NUMBERS[i].real) {
            *(double *)at = json_number_value(json_object_get(json, NUMBERS[i].name));
        } else {
            FIRN_TRY(firn_json_opt_i64(json, NUMBERS[i].name, what, 0, at, err));
        }
    }
    (void)arena;
    return FIRN_OK;
}

static char *status_folder(firn_lake *lake, firn_arena *arena)
{
    return firn_lake_path(lake, arena, ".firn/ingest");
}

static char *status_path(firn_feed_run *run, firn_arena *arena)
{
    return firn_arena_printf(arena, "%s/%s-%d.json", status_folder(run->lake, arena),
                             run->feed.name, (int)getpid());
}

/* Renamed over, not synced: what a crash takes away is nobody's loss. */
static firn_rc write_file(const char *path, firn_bytes content, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *temporary = firn_arena_printf(arena, "%s.new", path);
    FILE *file = fopen(temporary, "we");
    bool ok = file != NULL && fwrite(content.data, 1, content.len, file) == content.len;
    ok = file != NULL && fclose(file) == 0 && ok;
    if (!ok || rename(temporary, path) != 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot write %s", path);
    }
    return FIRN_OK;
}

void firn_status_write(firn_feed_run *run)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_feed_status status;
    firn_err err = {0};
    firn_status_look(run, arena, &status);
    const char *text = firn_json_text(arena, to_json(arena, &status));
    firn_rc rc = firn_mkdir_p(status_folder(run->lake, arena), 0755, &err);
    if (rc == FIRN_OK) {
        rc = write_file(status_path(run, arena), firn_bytes_str(text), &err);
    }
    if (rc != FIRN_OK) {
        firn_log(FIRN_LOG_DEBUG, "ingest", "feed %s: %s", run->feed.name, err.message);
    }
}

void firn_status_remove(firn_feed_run *run)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    unlink(status_path(run, arena));
}

static bool is_alive(int pid)
{
    return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

static int by_feed(const void *a, const void *b)
{
    const firn_feed_status *x = a;
    const firn_feed_status *y = b;
    int order = strcmp(x->feed, y->feed);
    return order != 0 ? order : (x->pid > y->pid) - (x->pid < y->pid);
}

/* Every status in the folder with its file. One that cannot be read is being replaced, or is not ours. */
static firn_rc each_file(firn_lake *lake, firn_arena *arena,
                         void (*take)(void *ctx, const char *path, const firn_feed_status *status),
                         void *ctx, firn_err *err)
{
    const char *folder = status_folder(lake, arena);
    DIR *dir = opendir(folder);
    if (dir == NULL && errno != ENOENT) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot read %s", folder);
    }
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        firn_bytes text;
        json_t *json = NULL;
        firn_feed_status status;
        const char *path = firn_path_join(arena, folder, entry->d_name);
        if (firn_ends_with(entry->d_name, ".json") &&
            firn_file_read(arena, path, STATUS_BYTES_MAX, &text, NULL) == FIRN_OK &&
            firn_json_parse(arena, text, path, &json, NULL) == FIRN_OK &&
            from_json(arena, json, path, &status, NULL) == FIRN_OK) {
            take(ctx, path, &status);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return FIRN_OK;
}

static void forget_dead(void *feed, const char *path, const firn_feed_status *status)
{
    if (firn_streq(status->feed, feed) && !is_alive(status->pid)) {
        unlink(path);
    }
}

void firn_status_forget(firn_lake *lake, const char *feed)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err err = {0};
    if (each_file(lake, arena, forget_dead, (void *)feed, &err) != FIRN_OK) {
        firn_log(FIRN_LOG_DEBUG, "ingest", "feed %s: %s", feed, err.message);
    }
}

typedef struct status_list {
    firn_arena *arena;
    FIRN_VEC(firn_feed_status) items;
} status_list;

/* The last words of a dead process count only if it was stopped by an error; what was killed said nothing worth keeping. */
static void collect(void *ctx, const char *path, const firn_feed_status *status)
{
    status_list *list = ctx;
    firn_feed_status copy = *status;
    if (!is_alive(status->pid)) {
        if (status->state != FIRN_FEED_STOPPED) {
            unlink(path);
            return;
        }
        copy.pid = 0;
        copy.records_per_s = 0;
        copy.bytes_per_s = 0;
        copy.buffered_bytes = 0;
    }
    firn_vec_push(list->arena, &list->items, copy);
}

/* Sorted: a dead process's word (pid 0) stands before those of the living, and is the last one if it is the only one. */
static size_t drop_overtaken(firn_feed_status *items, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        bool overtaken =
            items[i].pid == 0 && i + 1 < n && firn_streq(items[i].feed, items[i + 1].feed);
        if (!overtaken) {
            items[kept++] = items[i];
        }
    }
    return kept;
}

firn_rc firn_ingest_status_read(firn_lake *lake, firn_arena *arena, firn_feed_status **out,
                                size_t *n, firn_err *err)
{
    status_list all = {.arena = arena};
    FIRN_TRY(each_file(lake, arena, collect, &all, err));
    if (all.items.len > 0) {
        qsort(all.items.items, all.items.len, sizeof(all.items.items[0]), by_feed);
    }
    *out = all.items.items;
    *n = drop_overtaken(all.items.items, all.items.len);
    return FIRN_OK;
}

/* ---- Prometheus ---------------------------------------------------------------------------------------------------------- */

typedef struct metric {
    const char *name, *type, *help;
    size_t offset;
    double unit;         /* of one in the status: 0.001 for milliseconds */
    bool may_be_unknown; /* below 0: left out */
} metric;

static const metric METRICS[] = {
    {"firn_ingest_records_total", "counter", "Records read since the feed started", AT(records), 1,
     false},
    {"firn_ingest_bytes_total", "counter", "Bytes of keys and values read", AT(bytes), 1, false},
    {"firn_ingest_rows_total", "counter", "Rows committed", AT(rows), 1, false},
    {"firn_ingest_commits_total", "counter", "Commits made", AT(commits), 1, false},
    {"firn_ingest_conflicts_total", "counter",
     "Commits that the table did not take because it held other offsets", AT(conflicts), 1, false},
    {"firn_ingest_dead_letters_total", "counter", "Records that could not become rows",
     AT(dead_letters), 1, false},
    {"firn_ingest_lag_records", "gauge", "Records behind the end of the feed's partitions", AT(lag),
     1, true},
    {"firn_ingest_last_commit_timestamp_seconds", "gauge", "When the last commit was made",
     AT(last_commit_us), 1e-6, false},
    {"firn_ingest_freshness_seconds", "gauge", "Age of the newest record at its commit",
     AT(freshness_ms), 1e-3, true},
    {"firn_ingest_latency_p50_seconds", "gauge",
     "Half of recent records were committed within so long", AT(latency_p50_ms), 1e-3, true},
    {"firn_ingest_latency_p99_seconds", "gauge",
     "99 of 100 recent records were committed within so long", AT(latency_p99_ms), 1e-3, true},
    {"firn_ingest_buffered_bytes", "gauge", "Decoded rows that are not in files yet",
     AT(buffered_bytes), 1, false},
};

static void label_text(firn_buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            firn_buf_puts(out, "\\n");
            continue;
        }
        if (*text == '"' || *text == '\\') {
            firn_buf_putc(out, '\\');
        }
        firn_buf_putc(out, (uint8_t)*text);
    }
}

static void labels(firn_buf *out, const firn_feed_status *status)
{
    firn_buf_puts(out, "{feed=\"");
    label_text(out, status->feed);
    firn_buf_printf(out, "\",process=\"%d\"", status->pid);
}

void firn_ingest_metrics(const firn_feed_status *status, size_t n, firn_buf *out)
{
    for (size_t m = 0; m < sizeof(METRICS) / sizeof(METRICS[0]); m++) {
        const metric *row = &METRICS[m];
        firn_buf_printf(out, "# HELP %s %s.\n# TYPE %s %s\n", row->name, row->help, row->name,
                        row->type);
        for (size_t i = 0; i < n; i++) {
            int64_t value = *(const int64_t *)((const char *)&status[i] + row->offset);
            if (value < 0 && row->may_be_unknown) {
                continue;
            }
            firn_buf_puts(out, row->name);
            labels(out, &status[i]);
            if (row->unit == 1) {
                firn_buf_printf(out, "} %" PRId64 "\n", value);
            } else {
                firn_buf_printf(out, "} %.6f\n", (double)value * row->unit);
            }
        }
    }
    firn_buf_puts(out, "# HELP firn_ingest_state 1 for the state that the feed is in.\n"
                       "# TYPE firn_ingest_state gauge\n");
    for (size_t i = 0; i < n; i++) {
        for (size_t s = 0; s < sizeof(STATES) / sizeof(STATES[0]); s++) {
            firn_buf_puts(out, "firn_ingest_state");
            labels(out, &status[i]);
            firn_buf_printf(out, ",state=\"%s\"} %d\n", STATES[s], status[i].state == s);
        }
    }
}
