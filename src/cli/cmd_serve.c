/* firn serve: the catalog over HTTP until somebody says stop. */
#include "cli.h"

#include "serve/serve.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>

enum { DRAIN_MS = 10000 };

static void banner(const firn_cli *cli, const firn_server *server)
{
    const char *url = firn_serve_url(server);
    firn_cli_say(cli, "Iceberg REST catalog of lake %s at %s/iceberg (a branch: %s/iceberg/BRANCH)",
                 firn_lake_config(cli->lake)->name, url, url);
    firn_cli_say(
        cli, "  Spark      spark.sql.catalog.lake.type=rest  spark.sql.catalog.lake.uri=%s/iceberg",
        url);
    firn_cli_say(cli, "  PyIceberg  load_catalog(\"lake\", type=\"rest\", uri=\"%s/iceberg\")",
                 url);
    firn_cli_say(cli, "Ctrl-C stops it.");
    fflush(stdout);
}

firn_rc firn_cmd_serve(firn_cli *cli, firn_err *err)
{
    firn_lake *lake;
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    /* Blocked before any thread is made, so that every thread leaves the signals to the wait below. */
    sigset_t stop, before;
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop, &before);
    firn_serve_options options = {.lake = lake, .listen = firn_cli_option(cli, "http")};
    firn_server *server;
    firn_rc rc = firn_serve_start(&options, &server, err);
    if (rc == FIRN_OK) {
        banner(cli, server);
        int signal_number;
        sigwait(&stop, &signal_number);
        firn_cli_say(cli, "stopping: requests that run may finish (at most %d s)", DRAIN_MS / 1000);
        firn_serve_stop(server, DRAIN_MS);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}
