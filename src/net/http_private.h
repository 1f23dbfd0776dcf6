/* Between the two halves of the HTTP server: http_server.c (connections, libmicrohttpd) and http_work.c (queue, workers,
 * compression).
 *
 * Life of an exchange: made when the request line has arrived, filled by the I/O thread; when the body is complete the connection
 * is suspended and the exchange belongs to the queue, then to one worker; http_answered() gives it back to the I/O thread, which
 * sends the response and frees it.
 */
#ifndef NET_HTTP_PRIVATE_H
#define NET_HTTP_PRIVATE_H

#include "net/http_server.h"

#include <pthread.h>

struct MHD_Connection;
struct MHD_Daemon;

typedef enum http_phase {
    HTTP_WAITING,   /* for a request line: idle_timeout */
    HTTP_RECEIVING, /* headers and body: request_timeout */
    HTTP_WORKING,   /* with the workers: no limit here */
    HTTP_SENDING,   /* the response: request_timeout and one second per 64 KiB */
} http_phase;

typedef struct http_connection {
    struct http_connection *prev, *next;
    int fd;
    http_phase phase;
    int64_t deadline_us; /* of the phase; INT64_MAX: none */
} http_connection;

typedef struct http_exchange {
    struct http_exchange *next; /* in the queue */
    firn_http_server *server;
    struct MHD_Connection *mhd;
    http_connection *connection;
    firn_arena *arena;
    firn_buf body;
    firn_http_request request;
    firn_http_response response;
    int64_t started_us;
    bool begun;    /* the headers have been looked at */
    bool answered; /* the response is ready to be sent */
    bool counted;  /* in server->active */
    bool close;    /* after the response */
    int refusal;   /* the status to answer with once the body is in; 0: none */
    const char *refusal_message;
} http_exchange;

typedef struct http_work {
    pthread_mutex_t lock;
    pthread_cond_t more;  /* something in the queue, or stopping */
    pthread_cond_t ended; /* a worker has gone */
    http_exchange *head, **tail;
    int queued, queue_max;
    int threads, threads_max, idle;
    bool stopping; /* what is still queued is refused */
} http_work;

struct firn_http_server {
    firn_http_server_options
        options; /* with defaults filled in; texts are the caller's until start returns */
    struct MHD_Daemon *daemon;
    int listen_fd;
    char address[80];
    http_work work;
    pthread_mutex_t lock; /* connections */
    http_connection *connections;
    int n_connections;
    int active;    /* atomic: exchanges from a complete body to the sent response */
    bool stopping; /* atomic */
    pthread_t reaper;
    pthread_cond_t reaper_wake; /* with `lock` */
    bool reaper_stop;
};

void http_work_init(http_work *work, int threads_max, int queue_max);
/* False when the queue is full or there is no thread to be had: the exchange stays the caller's. */
bool http_work_push(http_work *work, http_exchange *exchange);
/* Refuses what is queued, waits for what runs. */
void http_work_stop(http_work *work);

/* Fills the response with an error of the server's own. */
void http_refuse(http_exchange *exchange, int status, const char *message);
/* The response is ready; the exchange is not the caller's any more. */
void http_answered(http_exchange *exchange);

#endif
