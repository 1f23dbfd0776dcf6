/* The inside of a running feed: two threads and what passes between them.
 *
 *   poller   owns the consumer, the decoders and where each partition stands. Polls, decodes, hands blocks over.
 *   writer   owns what waits for its commit. Blocks to files, files to commits.
 *
 * Blocks go one way through a queue that is bounded by the feed's memory: beyond it the poller pauses fetching, and goes on polling,
 * since the group must hear of it. Back come flags: `reload` (the table holds something else than we thought: throw everything away,
 * read its offsets, seek), `failed`, and which marks are done.
 *
 * A mark is a block after which the writer commits. The poller sets them by the feed's commit.* settings, one at a time per target.
 *
 * Epochs: throwing everything away increments `epoch`; blocks and pending rows of an older one are dropped wherever they are met. What
 * a commit that was under way then does needs no thought: the offsets decide (commit.h).
 *
 * A target is an anchor table with the topics that go into it: one per feed, or one per topic with ${topic}.
 *
 * Locks: `lock` guards the members that say so; it is never held across I/O, the engine, Kafka or a callback.
 */
#ifndef INGEST_RUN_H
#define INGEST_RUN_H

#include "ingest/commit.h"

#include "base/thread.h"
#include "base/vec.h"
#include "source/decode.h"

enum {
    FIRN_POLL_MESSAGES =
        1000, /* few enough that they are in the core's cache until they are freed */
    FIRN_FIRST_MESSAGES = 10000,  /* of a topic: what its schema is learned from, if it has none */
    FIRN_CAREFUL_RECORDS = 10000, /* of one commit while bad rows are looked for */
    FIRN_SAMPLES = 256,
};

typedef struct firn_feed_run firn_feed_run;
typedef struct firn_feed_target firn_feed_target;

/* Timestamps of some of many records, evenly spread. */
typedef struct firn_samples {
    int64_t ms[FIRN_SAMPLES];
    int n;
    int64_t stride; /* each stands for so many */
    int64_t skip;
    int64_t newest_ms; /* -1: none */
} firn_samples;
void firn_samples_add(firn_samples *samples, int64_t ms);

/* A record that became no row. Texts and bytes live in its block's arena, later in the pending commit's. */
typedef struct firn_letter {
    firn_kafka_message message; /* copied; handle NULL */
    firn_kafka_header *headers;
    size_t n_headers;
    firn_rc code;
    const char *why;
} firn_letter;

/* Messages kept beside their rows while bad rows are looked for. */
typedef struct firn_kept_batch {
    firn_kafka_batch batch;
    int refs; /* @locks run->lock */
} firn_kept_batch;

/* What the poller hands over. Heap. */
typedef struct firn_feed_block {
    struct firn_feed_block *next;
    firn_feed_target *target;
    uint64_t epoch;
    bool mark;    /* commit after this */
    bool careful; /* rows have _kafka, and `kept` holds their messages */
    firn_chunk *chunks;
    size_t n_chunks;
    size_t chunk_bytes; /* of chunks and letters */
    size_t letter_bytes;
    firn_arena *arena; /* of ranges, letters and kept */
    FIRN_VEC(firn_feed_range) ranges;
    FIRN_VEC(firn_letter) letters;
    FIRN_VEC(firn_kept_batch *) kept;
    int64_t records, bytes;
    firn_samples samples;
} firn_feed_block;

/* Where a partition stands. @thread poller */
typedef struct firn_partition_state {
    bool assigned;
    bool starts;        /* the table holds nothing of it */
    bool recorded;      /* it does, or a block says where it starts */
    int64_t began;      /* where we started it, the table holding nothing; -1: we did not */
    int64_t next;       /* behind the last record taken */
    int64_t from;       /* the first that no block has carried */
    int64_t high;       /* end of the partition; -1: not known */
    int64_t drain_to;   /* --drain: end at the start; -1: not asked */
    int64_t careful_to; /* bad rows are looked for up to here; -1: not */
} firn_partition_state;

typedef struct firn_topic_state {
    char *topic;      /* heap */
    const char *seen; /* the consumer's own pointer */
    firn_feed_target *target;
    firn_partition_state *partitions; /* by number; heap */
    size_t n_partitions;
} firn_topic_state;

/* What the writer has of a target since the last commit. Everything in `arena`. @thread writer */
typedef struct firn_pending {
    firn_arena *arena;
    uint64_t epoch;
    bool careful;
    FIRN_VEC(firn_feed_range) ranges;
    FIRN_VEC(firn_chunk) chunks; /* not in files yet */
    size_t chunk_bytes;
    FIRN_VEC(firn_letter) letters;
    size_t letters_in_files;
    FIRN_VEC(firn_kept_batch *) kept;
    FIRN_VEC(struct firn_pending_table *) tables; /* with files; [0] is the anchor */
    FIRN_VEC(firn_samples) samples;
    int64_t records, bytes, rows;
    int64_t since_us; /* when its first block came */
    bool lost;        /* rows that were in an open file are gone with it: they must be read again */
} firn_pending;

struct firn_feed_target {
    firn_feed_run *run;
    firn_feed_target *next;
    firn_ident ident;
    char *text;  /* "bronze.orders" */
    char *topic; /* with ${topic}: the topic it belongs to; NULL */
    /* @thread poller */
    firn_decoder *decoder;
    firn_decoder *careful_decoder; /* with _kafka; made when needed */
    bool careful;
    firn_feed_block *open; /* being filled */
    int64_t due_us;        /* monotonic; 0: nothing to commit */
    int64_t records_since_mark;
    size_t bytes_since_mark;
    size_t letter_bytes_since_mark;
    /* @locks run->lock */
    uint64_t marks_set, marks_done;
    /* @thread writer */
    firn_pending *pending;
    bool
        streams; /* its rows go into a file that stays open, so there is no use in gathering them */
    char *table_uuid; /* of the table as we have seen it; NULL: not yet */
    uint64_t checked_schemas[64];
    size_t n_checked;
    int32_t checked_schema_id;
};

/* What a feed says of itself. @locks run->lock */
typedef struct firn_run_status {
    firn_feed_state state;
    firn_rc code; /* STOPPED: why */
    char message[FIRN_ERR_MESSAGE_BYTES], advice[512];
    int64_t records, bytes, rows, commits, dead_letters, conflicts;
    int64_t lag, last_commit_us, freshness_ms;
    uint32_t
        latency[2][256]; /* two minutes' histograms, by firn_latency_slot; [0] is the present one */
    int64_t latency_since_us;
    double records_per_s, bytes_per_s;
    int64_t rate_us, rate_records, rate_bytes; /* at the last look */
} firn_run_status;

struct firn_feed_run {
    firn_arena *arena; /* of the feed's texts; only changed while starting */
    firn_feed feed;
    firn_engine *engine;
    firn_lake *lake;
    firn_ingest_options options;
    firn_registry *registry;
    firn_kafka *kafka;
    const char *cluster;
    pthread_t poller, writer;
    bool poller_runs, writer_runs;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* @locks lock */
    firn_feed_block *queue_head, *queue_tail;
    bool stop;     /* asked to end: commit and leave */
    bool ended;    /* the poller hands over nothing more */
    bool failed;   /* status says why */
    bool waits[2]; /* by firn_waiter */
    bool done;     /* both threads have ended */
    bool reload;   /* the poller must read the table's offsets again */
    uint64_t epoch;
    int64_t buffered;                    /* bytes of decoded rows that are not in files */
    FIRN_VEC(firn_feed_range) careful;   /* stretches to be read again; in `careful_arena` */
    FIRN_VEC(firn_feed_range) committed; /* to be told to the group; likewise */
    firn_arena *back_arena;
    firn_run_status status;

    /* @thread poller */
    firn_kafka_consumer *consumer;
    firn_topic_state *topics;
    size_t n_topics;
    firn_feed_target *targets; /* grown at the head; read by the writer through blocks only */
    bool paused;
    bool troubled;  /* the last poll failed */
    bool must_seek; /* nothing is taken before a seek has succeeded */
    bool full;      /* as much is buffered as may be */
    bool unneeded;  /* no partition was given to us for long, and there is nothing to read */
    int64_t quiet_since_us;  /* polls have brought no trouble since; 0: the last one did */
    bool placed;             /* partitions were assigned once */
    int64_t looked_us;       /* monotonic, as all here: a drain's last look around */
    int64_t told_us;         /* the last time that the group and the status file were told */
    int64_t waits_until_us;  /* 0: nothing to wait for */
    bool awaits_others;      /* --drain: what is ours is done */
    int64_t others_held;     /* --drain: what tables held of others' partitions at the last look */
    int64_t others_since_us; /* since when it was that; 0: not looked yet */
    int64_t wait_ms;
    int64_t ends_us;          /* --max-time; 0: never */
    firn_kept_batch *keeping; /* the batch that is being taken carefully */
    /* @thread writer */
    firn_session *session;
};

/* ---- run.c ---- */
void firn_run_fail(firn_feed_run *run, const firn_err *err); /* any thread */
typedef enum firn_waiter { FIRN_POLLER, FIRN_WRITER } firn_waiter;
void firn_run_waits(firn_feed_run *run, firn_waiter who, const firn_err *err);
void firn_run_goes_on(firn_feed_run *run, firn_waiter who);
bool firn_run_is_retriable(const firn_err *err);
uint64_t firn_run_epoch(firn_feed_run *run);

/* A copy of the message and its headers, into the block. */
void firn_letter_add(firn_feed_block *block, const firn_kafka_message *message, firn_rc code,
                     const char *why);

firn_bytes firn_letter_bytes(firn_arena *arena, firn_bytes bytes);

/* ---- poller.c, place.c: @thread poller ---- */
void *firn_poller_thread(void *run);
void firn_hand_over(firn_feed_run *run, firn_feed_target *target, bool mark);
/* All that is there becomes a commit; waits for it, at most timeout_ms. */
bool firn_commit_all(firn_feed_run *run, int64_t timeout_ms);
void firn_drop_all(firn_feed_run *run);
firn_rc firn_place_assigned(void *ctx, firn_kafka_partition *partitions, size_t n, firn_err *err);
void firn_place_revoked(void *ctx, const firn_kafka_partition *partitions, size_t n, bool lost);
/* Whether the tables have all that the topics have. */
firn_rc firn_place_nothing_left(firn_feed_run *run, bool *out, firn_err *err) FIRN_MUST_USE;
/* Throw away what is not committed and go on from what the tables hold. */
firn_rc firn_place_reload(firn_feed_run *run, firn_err *err) FIRN_MUST_USE;
/* --drain: is what others have of the partitions in the tables? A partition that is taken from us may come back when its new owner is
 * done with its own and goes; true also when nothing has moved for a minute. */
bool firn_place_others_done(firn_feed_run *run);
firn_topic_state *firn_topic_find(firn_feed_run *run, const char *topic);
firn_partition_state *firn_partition_find(firn_topic_state *topic, int32_t partition);
/* Seek all assigned partitions to their `next`. */
firn_rc firn_place_seek(firn_feed_run *run, firn_err *err) FIRN_MUST_USE;

/* ---- connect.c ---- */
firn_rc firn_feed_kafka(firn_lake *lake, const firn_feed *feed, firn_kafka **out,
                        firn_err *err) FIRN_MUST_USE;
/* *out NULL: the source has none. */
firn_rc firn_feed_registry(firn_lake *lake, const firn_feed *feed, firn_registry **out,
                           firn_err *err) FIRN_MUST_USE;

/* ---- resume.c ---- */
/* Where `firn ingest resume` said that a feed without a table starts; n 0: it said nothing. */
firn_rc firn_place_of_new(firn_lake *lake, firn_arena *arena, const char *feed, firn_offset **out,
                          size_t *n, firn_err *err) FIRN_MUST_USE;
/* It has been used: a commit holds it now. */
void firn_place_of_new_used(firn_lake *lake, const char *feed);

/* ---- targets.c ---- */
firn_rc firn_target_of_topic(firn_feed_run *run, const char *topic, firn_feed_target **out,
                             firn_err *err) FIRN_MUST_USE;
firn_rc firn_target_decoder(firn_feed_target *target, bool careful, firn_decoder **out,
                            firn_err *err) FIRN_MUST_USE;
void firn_targets_free(firn_feed_run *run);
/* known.c: columns as source/columns.h reads them, without those that the feed adds; NULL: none. */
char *firn_known_columns(firn_arena *arena, const firn_schema *schema, const firn_feed *feed);
/* "a.b" with ${name} in it replaced inside its parts. */
firn_ident firn_feed_ident(firn_arena *arena, const char *text, const char *variable,
                           const char *value);
void firn_block_free(firn_feed_run *run, firn_feed_block *block);
void firn_kept_unref(firn_feed_run *run, firn_kept_batch *kept);

/* ---- writer.c, write_rows.c: @thread writer ---- */
void *firn_writer_thread(void *run);

typedef struct firn_pending_table {
    firn_ident ident;
    const char *text;
    const char *table_uuid;
    FIRN_VEC(firn_data_file) files;
    firn_rows_file *
        open; /* takes rows as they come, until the commit or until they have other columns; NULL: there is none */
    const firn_metadata *open_metadata;
    int32_t schema_id;   /* of all files so far; -1: they differ */
    firn_upsert *upsert; /* modes other than append: its files are its own */
} firn_pending_table;
/* Deletes the files from the `keep`-th on, and an upsert's. */
void firn_pending_table_discard(firn_session *session, firn_pending_table *table, size_t keep);
/* All of them, and the one that is open. */
void firn_pending_table_drop(firn_session *session, firn_pending_table *table);

/* Nothing is to be done with the feed's rows but to write them. */
bool firn_feed_streams(const firn_feed *feed);
/* Rows of the pending chunks into files of the target's tables. TYPE, CHECK_FAILED: some row does not fit. */
firn_rc firn_pending_write(firn_feed_target *target, firn_err *err) FIRN_MUST_USE;
/* Files that are open become files to be committed. */
firn_rc firn_pending_finish(firn_feed_target *target, firn_err *err) FIRN_MUST_USE;
/* The letters into files of the dead letters' table; nothing if there is no anchor yet. */
firn_rc firn_pending_write_letters(firn_feed_target *target, firn_err *err) FIRN_MUST_USE;
/* The same in careful mode: rows that do not fit become letters. */
firn_rc firn_pending_write_carefully(firn_feed_target *target, firn_err *err) FIRN_MUST_USE;

/* ---- status.c ---- */
int firn_latency_slot(int64_t ms);
int64_t firn_latency_of_slot(int slot);
void firn_status_committed(firn_feed_run *run, const firn_pending *pending);
void firn_status_look(firn_feed_run *run, firn_arena *arena, firn_feed_status *out);
/* .firn/ingest/<feed>-<pid>.json; failures are logged: status is for people. */
void firn_status_write(firn_feed_run *run);
void firn_status_remove(firn_feed_run *run);
/* What dead processes said of the feed. */
void firn_status_forget(firn_lake *lake, const char *feed);

#endif
