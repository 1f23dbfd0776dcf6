/* Private to replaying dead letters: replay.c, replay_read.c, replay_commit.c.
 *
 * One replay of one dead-letter table is one catalog commit:
 *
 *   the feed's tables      get the rows of the letters that have become rows
 *   the dead-letter table  loses the files that the letters were read from, and gets one with what else was in them and with those letters
 *                          that failed again, under their new error
 *
 * So a record is a row or a letter, never both and never neither, wherever a process is killed. The commit is accepted only if the files
 * are still there and nobody deleted rows in them: of two replays at once, one wins, and the other says so and has changed nothing.
 * Letters that a running feed adds meanwhile lie in other files and are in nobody's way.
 */
#ifndef INGEST_REPLAY_H
#define INGEST_REPLAY_H

#include "dead_letters.h"
#include "run.h"

#include "engine/rows.h"

enum {
    FIRN_REPLAY_LETTERS_MAX = 1000000,
    FIRN_REPLAY_BYTES_MAX = 512 << 20,
};

typedef struct replay_letter {
    firn_kafka_message message; /* as it came; topics are the same pointer when they are the same */
    firn_bytes value;           /* what is decoded: the message's, or repaired */
    firn_kafka_header *headers;
    size_t n_headers;
    int32_t attempts;
    const char *file; /* that holds it */
    bool again;       /* the same record as the letter before: it only goes */
    bool failed;
    firn_rc code;
    const char *why;
} replay_letter;

typedef FIRN_VEC(replay_letter) replay_letters;

typedef struct replay_job {
    firn_feed_run *run; /* without threads, cluster and consumer */
    firn_arena *arena;
    const firn_replay_options *options;
    firn_ident ident;       /* of the dead-letter table */
    const char *text;       /* for messages */
    firn_table dead;        /* as it was read */
    replay_letters letters; /* by topic, partition, offset */
    FIRN_VEC(firn_data_file) removed;
    firn_rows_written kept; /* the dead-letter table's new files */
} replay_job;

/* ---- replay_read.c ---- */
/* The letters that are asked for, and the files that hold them. */
firn_rc firn_replay_read(replay_job *job, firn_err *err) FIRN_MUST_USE;
/* job->kept: what else is in the files, and the letters that failed again. */
firn_rc firn_replay_keep(replay_job *job, firn_err *err) FIRN_MUST_USE;

/* ---- replay_commit.c ---- */
/* *lost: VALIDATION, because the dead letters changed meanwhile. UNKNOWN_OUTCOME: delete nothing. */
firn_rc firn_replay_commit(replay_job *job, bool *lost, firn_err *err) FIRN_MUST_USE;

#endif
