/* GET /metrics: Prometheus text, format 0.0.4: this server, what the feeds that run on this machine say of themselves, the
 * state of the feeds from ksqlDB (read at each request: no engine is needed), and the schedules.
 *
 * Counters are the process's own and start at 0; Prometheus sees a restart by process_start_time_seconds. Those of schedules are kept
 * in files and go on.
 */
#include "handlers.h"

#include "base/io.h"
#include "base/time.h"
#include "export/report.h"
#include "ingest/ingest.h"
#include "serve/schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

void firn_serve_count(firn_server *server, const firn_call *call)
{
    int class = call->response->status / 100;
    if (class >= 1 && class <= FIRN_STATUS_CLASSES) {
        atomic_fetch_add_explicit(&server->requests[class - 1], 1, memory_order_relaxed);
    }
    if (call->committed) {
        atomic_fetch_add_explicit(&server->commits, 1, memory_order_relaxed);
    }
}

static void head(firn_buf *out, const char *name, const char *type, const char *help)
{
    firn_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static int64_t resident_bytes(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    int got = file != NULL ? fscanf(file, "%ld %ld", &pages, &resident) : 0;
    if (file != NULL) {
        fclose(file);
    }
    return got == 2 ? (int64_t)resident * sysconf(_SC_PAGESIZE) : -1;
}

static void process_metrics(const firn_server *server, firn_buf *out)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        head(out, "process_cpu_seconds_total", "counter", "CPU time of this process.");
        firn_buf_printf(out, "process_cpu_seconds_total %.3f\n",
                        (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                            (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    }
    int64_t resident = resident_bytes();
    if (resident >= 0) {
        head(out, "process_resident_memory_bytes", "gauge", "Memory of this process.");
        firn_buf_printf(out, "process_resident_memory_bytes %" PRId64 "\n", resident);
    }
    head(out, "process_start_time_seconds", "gauge", "When this process started to serve.");
    firn_buf_printf(out, "process_start_time_seconds %.3f\n", (double)server->started_us / 1e6);
}

static void server_metrics(firn_server *server, firn_buf *out)
{
    head(out, "firn_build_info", "gauge", "1; the label says which firn this is.");
    firn_buf_printf(out, "firn_build_info{version=\"%s\"} 1\n", FIRN_VERSION);
    head(out, "firn_http_requests_total", "counter", "Requests answered, by class of status.");
    for (int i = 0; i < FIRN_STATUS_CLASSES; i++) {
        firn_buf_printf(out, "firn_http_requests_total{code=\"%dxx\"} %" PRIu64 "\n", i + 1,
                        (uint64_t)atomic_load_explicit(&server->requests[i], memory_order_relaxed));
    }
    head(out, "firn_catalog_commits_total", "counter",
         "Commits that clients made through this server.");
    firn_buf_printf(out, "firn_catalog_commits_total %" PRIu64 "\n",
                    (uint64_t)atomic_load_explicit(&server->commits, memory_order_relaxed));
}

static void schedule_metrics(firn_call *call, firn_buf *out)
{
    firn_lake *lake = call->server->lake;
    const firn_config *config = firn_lake_config(lake);
    firn_schedule_state *states = FIRN_NEW_N(call->arena, firn_schedule_state, config->n_schedules);
    for (size_t i = 0; i < config->n_schedules; i++) {
        firn_schedule_state_read(lake, config->schedules[i].name, &states[i]);
    }
    head(out, "firn_schedule_running", "gauge", "1 while a run of the schedule is at work.");
    for (size_t i = 0; i < config->n_schedules; i++) {
        firn_buf_printf(out, "firn_schedule_running{schedule=\"%s\"} %d\n",
                        config->schedules[i].name, states[i].outcome == FIRN_SCHEDULE_RUNNING);
    }
    head(out, "firn_schedule_last_success_timestamp_seconds", "gauge",
         "When a run of the schedule last ended well.");
    for (size_t i = 0; i < config->n_schedules; i++) {
        if (states[i].last_success_us > 0) {
            firn_buf_printf(out,
                            "firn_schedule_last_success_timestamp_seconds{schedule=\"%s\"} %.3f\n",
                            config->schedules[i].name, (double)states[i].last_success_us / 1e6);
        }
    }
    head(out, "firn_schedule_runs_total", "counter", "Runs of the schedule that were begun.");
    for (size_t i = 0; i < config->n_schedules; i++) {
        firn_buf_printf(out, "firn_schedule_runs_total{schedule=\"%s\"} %" PRId64 "\n",
                        config->schedules[i].name, states[i].runs);
    }
    head(out, "firn_schedule_failures_total", "counter",
         "Runs of the schedule that did not end well.");
    for (size_t i = 0; i < config->n_schedules; i++) {
        firn_buf_printf(out, "firn_schedule_failures_total{schedule=\"%s\"} %" PRId64 "\n",
                        config->schedules[i].name, states[i].failures);
    }
}

firn_rc firn_serve_metrics(firn_call *call, firn_err *err)
{
    firn_feed_status *status = NULL;
    size_t n = 0;
    FIRN_TRY(firn_ingest_status_read(call->server->lake, call->arena, &status, &n, err));
    firn_report_feed *feeds = NULL;
    size_t n_feeds = 0;
    FIRN_TRY(firn_export_report_lake(call->server->lake, call->arena, 0, &feeds, &n_feeds, err));
    FIRN_AUTO_BUF firn_buf out = {0};
    server_metrics(call->server, &out);
    process_metrics(call->server, &out);
    firn_ingest_metrics(status, n, &out);
    firn_export_metrics(feeds, n_feeds, &out);
    schedule_metrics(call, &out);
    call->response->status = 200;
    call->response->body = firn_bytes_dup(call->arena, firn_buf_bytes(&out));
    firn_reply_header(call, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    return FIRN_OK;
}
