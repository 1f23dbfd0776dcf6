/* firn serve: one HTTP server over one lake.
 *
 *   /iceberg/v1/...             Iceberg REST catalog on the default branch (also /v1/...)
 *   /iceberg/<ref>/v1/...       the same on another branch, tag or commit
 *   /api/v1/...                 management: refs, log, diff, merge
 *   /health                     is it up
 *   /metrics                    figures for Prometheus: the server, and the feeds that run on this machine
 */
#ifndef SERVE_SERVE_H
#define SERVE_SERVE_H

#include "lake/lake.h"

typedef struct firn_server firn_server;

typedef struct firn_serve_options {
    firn_lake *lake;    /* borrowed */
    const char *listen; /* NULL: serve.http of firn.yaml; "127.0.0.1:0" takes a free port */
    const char *auth;   /* NULL: serve.auth of firn.yaml; "none", "token" */
} firn_serve_options;

firn_rc firn_serve_start(const firn_serve_options *options, firn_server **out,
                         firn_err *err) FIRN_MUST_USE;
/* Whether clients have to log in. */
bool firn_serve_has_auth(const firn_server *server);
/* "http://127.0.0.1:8181", with the port that was taken. */
const char *firn_serve_url(const firn_server *server);
/* Takes no new requests, lets those that run finish (at most drain_ms), and frees the server. */
void firn_serve_stop(firn_server *server, int drain_ms);

#endif
