/* Exports of several feeds: which ones, from which servers, beside each other. See export/run.h. */
#include "job.h"

#include "base/thread.h"
#include "base/time.h"
#include "export/connect.h"
#include "export/history.h"
#include "lake/sources.h"

#include <inttypes.h>

enum { JOBS = 4, TIMEOUT_MS = 30000 };
enum { FLUSH_BYTES = 128 << 20, FLUSH_BYTES_MIN = 32 << 20 };

typedef struct export_run {
    firn_export_run_state state;
    firn_arena *arena; /* the caller's */
    firn_export_feed *feeds;
    size_t n;
    const firn_export_server **server_of; /* by feed; NULL: there is nothing to do */
    FIRN_VEC(firn_export_server *) servers;
    firn_export_result *results;
} export_run;

/* ---- which feeds --------------------------------------------------------------------------------------------------- */

static firn_rc check_named(const export_run *run, const firn_export_feed *feed, firn_err *err)
{
    const firn_export_kind *kind = run->state.options->kind;
    if (feed->archived) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "feed %s is archived; firn feed restore %s brings it back",
                  feed->name, feed->name);
    }
    if (!feed->enabled) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "feed %s is disabled; firn feed enable %s turns it on",
                  feed->name, feed->name);
    }
    if (kind != NULL && *kind != feed->kind) {
        FIRN_FAIL(err, FIRN_E_INVALID, "feed %s is a %s, not a %s", feed->name,
                  firn_export_kind_name(feed->kind), firn_export_kind_name(*kind));
    }
    return FIRN_OK;
}

static bool is_among(const export_run *run, const char *name)
{
    for (size_t i = 0; i < run->n; i++) {
        if (firn_streq(run->feeds[i].name, name)) {
            return true;
        }
    }
    return false;
}

static firn_rc choose_named(export_run *run, firn_err *err)
{
    const firn_export_options *o = run->state.options;
    run->feeds = FIRN_NEW_N(run->arena, firn_export_feed, o->n_names);
    run->results = FIRN_NEW_N(run->arena, firn_export_result, o->n_names);
    for (size_t i = 0; i < o->n_names; i++) {
        firn_export_feed feed;
        if (is_among(run, o->names[i])) {
            continue;
        }
        FIRN_TRY(firn_export_feed_load(run->state.lake, run->arena, o->names[i], &feed, err));
        FIRN_TRY(check_named(run, &feed, err));
        run->feeds[run->n++] = feed;
    }
    return FIRN_OK;
}

static void add_listed(export_run *run, const firn_export_listed *listed)
{
    firn_export_result *result = &run->results[run->n];
    run->feeds[run->n] = listed->feed;
    run->feeds[run->n].name = listed->name;
    if (listed->broken != NULL) {
        *result = (firn_export_result){
            .feed = listed->name, .outcome = FIRN_EXPORT_FAILED, .message = listed->broken};
    } else if (!listed->feed.enabled) {
        *result = (firn_export_result){.feed = listed->name,
                                       .kind = listed->feed.kind,
                                       .outcome = FIRN_EXPORT_SKIPPED,
                                       .message = "disabled"};
    }
    run->n++;
}

static firn_rc choose_all(export_run *run, firn_err *err)
{
    firn_export_listed *listed = NULL;
    size_t n = 0;
    const firn_export_kind *kind = run->state.options->kind;
    FIRN_TRY(firn_export_feed_list(run->state.lake, run->arena, &listed, &n, err));
    run->feeds = FIRN_NEW_N(run->arena, firn_export_feed, n);
    run->results = FIRN_NEW_N(run->arena, firn_export_result, n);
    for (size_t i = 0; i < n; i++) {
        bool wanted = listed[i].broken != NULL || kind == NULL || *kind == listed[i].feed.kind;
        if (!listed[i].archived && wanted) {
            add_listed(run, &listed[i]);
        }
    }
    return FIRN_OK;
}

/* ---- servers ------------------------------------------------------------------------------------------------------- */

static void close_server(void *ctx)
{
    firn_export_server *server = ctx;
    firn_ksqldb_close(server->ksqldb);
}

static firn_rc ask(export_run *run, firn_export_server *server, firn_err *err)
{
    const firn_source_config *config = NULL;
    firn_ksqldb_info info;
    FIRN_TRY(firn_source_config_find(firn_lake_config(run->state.lake), FIRN_SOURCE_KSQLDB,
                                     server->name, &config, err));
    FIRN_TRY(firn_export_ksqldb_open(run->state.lake, server->name, &server->ksqldb, err));
    if (config->timeout == NULL || !firn_parse_duration(config->timeout, &server->timeout_ms) ||
        server->timeout_ms <= 0) {
        server->timeout_ms = TIMEOUT_MS;
    }
    FIRN_TRY(firn_ksqldb_get_info(server->ksqldb, run->arena, &info, err));
    server->cluster =
        info.cluster_id != NULL && info.cluster_id[0] != '\0' ? info.cluster_id : NULL;
    return FIRN_OK;
}

static bool is_same_server(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : firn_streq(a, b);
}

static firn_export_server *server_of(export_run *run, const char *name)
{
    for (size_t i = 0; i < run->servers.len; i++) {
        if (is_same_server(run->servers.items[i]->name, name)) {
            return run->servers.items[i];
        }
    }
    firn_export_server *server = FIRN_NEW(run->arena, firn_export_server);
    server->name = name;
    firn_vec_push(run->arena, &run->servers, server);
    server->rc = ask(run, server, &server->err);
    return server;
}

/* Fails when not one of the feeds can be exported, with the first reason. */
static firn_rc find_servers(export_run *run, firn_err *err)
{
    const firn_export_server *bad = NULL;
    bool any = false;
    run->server_of = FIRN_NEW_N(run->arena, const firn_export_server *, run->n);
    for (size_t i = 0; i < run->n; i++) {
        if (run->results[i].feed != NULL) {
            continue;
        }
        const firn_export_server *server = server_of(run, run->feeds[i].server);
        run->server_of[i] = server;
        any = any || server->rc == FIRN_OK;
        bad = bad == NULL && server->rc != FIRN_OK ? server : bad;
    }
    if (!any && bad != NULL) {
        *err = bad->err;
        return bad->rc;
    }
    return FIRN_OK;
}

static void close_servers(export_run *run)
{
    for (size_t i = 0; i < run->servers.len; i++) {
        close_server(run->servers.items[i]);
    }
}

/* Nobody answers: each feed's history has to say that it failed, and the log once. */
static void record_no_server(export_run *run, const firn_err *err)
{
    for (size_t i = 0; i < run->n && !run->state.options->dry_run; i++) {
        const firn_export_record record = {
            .time_us = run->state.now_us, .outcome = FIRN_EXPORT_FAILED, .message = err->message};
        if (run->results[i].feed == NULL) {
            firn_export_history_add(run->state.lake, run->feeds[i].name, &record);
        }
    }
    firn_export_log(run->state.lake, run->state.now_us, FIRN_EXPORT_ERROR, "%s", err->message);
}

/* ---- all of them ----------------------------------------------------------------------------------------------------- */

static void run_one(void *ctx, size_t i)
{
    export_run *run = ctx;
    if (run->server_of[i] != NULL) {
        firn_export_job_run(&run->state, run->arena, &run->feeds[i], run->server_of[i],
                            &run->results[i]);
    }
}

static int jobs_of(const export_run *run)
{
    int jobs = run->state.options->jobs;
    jobs = jobs > 0 ? jobs : JOBS; /* they wait for the server more than they work */
    return jobs < (int)run->n ? jobs : (int)run->n;
}

static void set_flush_bytes(export_run *run, int jobs)
{
    int64_t asked = run->state.options->flush_bytes;
    size_t share = FLUSH_BYTES / (size_t)(jobs > 0 ? jobs : 1);
    run->state.flush_bytes = asked > 0                 ? (size_t)asked
                             : share < FLUSH_BYTES_MIN ? (size_t)FLUSH_BYTES_MIN
                                                       : share;
}

firn_rc firn_export_run(firn_engine *engine, firn_arena *arena, const firn_export_options *options,
                        firn_export_result **out, size_t *n, firn_err *err)
{
    firn_err own = {0};
    export_run run = {.arena = arena};
    run.state =
        (firn_export_run_state){.engine = engine,
                                .lake = firn_engine_lake(engine),
                                .options = options,
                                .now_us = options->now_us != 0 ? options->now_us : firn_now_us()};
    FIRN_TRY(options->names != NULL ? choose_named(&run, err) : choose_all(&run, err));
    pthread_mutex_init(&run.state.lock, NULL);
    firn_rc rc = find_servers(&run, &own);
    if (rc == FIRN_OK) {
        int jobs = jobs_of(&run);
        set_flush_bytes(&run, jobs);
        firn_parallel_for(jobs, run.n, run_one, &run);
    } else {
        record_no_server(&run, &own);
    }
    close_servers(&run);
    pthread_mutex_destroy(&run.state.lock);
    *out = run.results;
    *n = run.n;
    if (rc != FIRN_OK && err != NULL) {
        *err = own;
    }
    return rc;
}
