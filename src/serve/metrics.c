/* GET /metrics: Prometheus text, format 0.0.4: this server, and what the feeds that run on this machine say of themselves.
 *
 * Counters are the process's own and start at 0; Prometheus sees a restart by process_start_time_seconds.
 */
#include "handlers.h"

#include "base/io.h"
#include "base/time.h"
#include "ingest/ingest.h"

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

firn_rc firn_serve_metrics(firn_call *call, firn_err *err)
{
    firn_feed_status *status = NULL;
    size_t n = 0;
    FIRN_TRY(firn_ingest_status_read(call->server->lake, call->arena, &status, &n, err));
    FIRN_AUTO_BUF firn_buf out = {0};
    server_metrics(call->server, &out);
    process_metrics(call->server, &out);
    firn_ingest_metrics(status, n, &out);
    call->response->status = 200;
    call->response->body = firn_bytes_dup(call->arena, firn_buf_bytes(&out));
    firn_reply_header(call, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    return FIRN_OK;
}
