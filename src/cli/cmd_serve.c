/* firn serve: the catalog over HTTP until somebody says stop. */
#include "cmd_schedule.h"

#include "base/time.h"
#include "serve/schedule.h"
#include "serve/serve.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

enum { DRAIN_MS = 10000 };

/* The refs that clients can be pointed at, as many as fit a line. */
static const char *some_refs(const firn_cli *cli)
{
    enum { SHOWN = 8 };
    firn_ref *refs;
    size_t n;
    if (firn_catalog_ref_list(firn_lake_catalog(cli->lake), cli->arena, &refs, &n, NULL) !=
        FIRN_OK) {
        return "";
    }
    const char *text = "";
    for (size_t i = 0; i < n && i < SHOWN; i++) {
        text = firn_arena_printf(cli->arena, "%s%s%s", text, i > 0 ? ", " : "", refs[i].name);
    }
    return n > SHOWN ? firn_arena_printf(cli->arena, "%s and %zu more", text, n - SHOWN) : text;
}

static void banner(firn_cli *cli, const firn_server *server, bool with_schedules)
{
    const char *url = firn_serve_url(server);
    bool auth = firn_serve_has_auth(server);
    firn_cli_say(cli, "Iceberg REST catalog of lake %s: %s/iceberg",
                 firn_lake_config(cli->lake)->name, url);
    firn_cli_say(cli, "  refs       %s (one of them: %s/iceberg/REF)", some_refs(cli), url);
    firn_cli_say(cli, "  access     %s",
                 auth ? "token: clients need `token` or `credential`"
                      : "anybody on this machine (serve.auth: none), nobody else");
    firn_cli_say(cli,
                 "  Spark      --conf spark.sql.catalog.%s=org.apache.iceberg.spark.SparkCatalog\n"
                 "             --conf spark.sql.catalog.%s.type=rest --conf "
                 "spark.sql.catalog.%s.uri=%s/iceberg",
                 "lake", "lake", "lake", url);
    firn_cli_say(cli, "  PyIceberg  load_catalog(\"lake\", type=\"rest\", uri=\"%s/iceberg\"%s)",
                 url, auth ? ", token=\"...\"" : "");
    if (with_schedules) {
        firn_cli_say(cli, "  schedules  %s", firn_cli_schedules_text(cli, "\n             "));
    }
    firn_cli_say(cli, "Ctrl-C stops it.");
    fflush(cli->format == FIRN_FORMAT_TABLE ? stdout : stderr);
}

static firn_rc serve(firn_cli *cli, firn_lake *lake, const sigset_t *stop, firn_err *err)
{
    const firn_serve_options options = {
        .lake = lake,
        .listen = firn_cli_option(cli, "http"),
        .auth = firn_cli_option(cli, "auth"),
    };
    firn_server *server;
    firn_schedules *schedules = NULL;
    FIRN_TRY(firn_serve_start(&options, &server, err));
    firn_rc rc = FIRN_OK;
    if (!firn_cli_switch(cli, "no-schedules")) {
        rc = firn_schedules_start(&(firn_schedules_options){.lake = lake}, &schedules, err);
    }
    if (rc == FIRN_OK) {
        int signal_number;
        banner(cli, server, schedules != NULL);
        sigwait(stop, &signal_number);
        firn_cli_say(cli, "stopping: requests that run may finish (at most %d s)", DRAIN_MS / 1000);
    }
    firn_schedules_stop(schedules);
    firn_serve_stop(server, DRAIN_MS);
    return rc;
}

firn_rc firn_cmd_serve(firn_cli *cli, firn_err *err)
{
    firn_lake *lake;
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    FIRN_TRY(firn_cli_check_schedules(cli, err));
    /* Blocked before any thread is made, so that every thread leaves the signals to the wait below. */
    sigset_t stop, before;
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop, &before);
    firn_rc rc = serve(cli, lake, &stop, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}
