/* What a ksqlDB server has, held against the feeds: streams and tables without a feed, and feeds whose source is gone. */
#ifndef EXPORT_SYNC_H
#define EXPORT_SYNC_H

#include "export/feed.h"
#include "source/ksqldb.h"

typedef enum firn_sync_state {
    FIRN_SYNC_NEW,      /* it has no feed: `json` is what one would be */
    FIRN_SYNC_HAS_FEED, /* `feed`, active or archived */
    FIRN_SYNC_LEFT_OUT, /* the server's own, or no feed can have its name: `why` */
    FIRN_SYNC_GONE, /* the server does not have what `feed` reads, or it is of the other kind: `why` */
} firn_sync_state;

typedef struct firn_sync_row {
    firn_sync_state state;
    firn_export_kind kind;
    const char *source; /* as the server names it; of GONE as the feed does */
    const char *topic;  /* nullable */
    const char *feed;   /* NULL: LEFT_OUT */
    bool archived;
    const char *why; /* nullable */
    json_t *json;    /* of NEW */
} firn_sync_row;

typedef struct firn_sync_input {
    const firn_ksqldb_object *objects;
    size_t n_objects;
    const firn_export_listed *feeds;
    size_t n_feeds;
    const char
        *server; /* of firn.yaml; NULL: the only one. Feeds of other servers are not looked at */
    bool only_server; /* feeds that name no server are of this one, and new ones need not name it */
    const char *const
        *names; /* only these, the server's own, too; n_names 0: all but the server's own */
    size_t n_names;
    const char *const *taken; /* names that other feeds have (Kafka's) */
    size_t n_taken;
    int64_t now_us;
} firn_sync_input;

/* Objects in the server's order, then what is gone. NOT_FOUND: one of `names` is no stream and no table there, with the nearest. */
firn_rc firn_export_sync_plan(firn_arena *arena, const firn_sync_input *input, firn_sync_row **out,
                              size_t *n, firn_err *err) FIRN_MUST_USE;

#endif
