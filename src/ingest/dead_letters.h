/* Dead letters: records that could not become rows, kept as they came, in a table beside the feed's.
 *
 *   feed        string      not null
 *   topic       string      not null     where the record is
 *   partition   int         not null
 *   offset      long        not null
 *   timestamp   timestamptz              of the record
 *   key         binary                   as they came; NULL is NULL
 *   value       binary
 *   headers     map<string, binary>  not null   of a repeated header the last one
 *   code        string      not null     "CORRUPT", as firn_rc_name says it
 *   error       string      not null     one sentence
 *   schema_id   int                      of the value's frame, if it has one
 *   failed_at   timestamptz not null     of the latest attempt
 *   attempts    int         not null     1, and one more for each replay that failed
 *
 * A letter is known by (topic, partition, offset). The table is unpartitioned; its rows arrive in the commit that moves the offset past
 * their records, and leave it in the commit that makes rows of them (replay.c).
 */
#ifndef INGEST_DEAD_LETTERS_H
#define INGEST_DEAD_LETTERS_H

#include "format/arrow.h"
#include "ingest/feed.h"

/* The table: dead_letters.table of the feed, or the anchor's name and "__dead_letters". */
firn_ident firn_dead_letters_ident(firn_arena *arena, const firn_feed *feed, firn_ident anchor);

typedef struct firn_dead_letter {
    firn_kafka_message message; /* `handle` is not looked at */
    const firn_kafka_header *headers;
    size_t n_headers;
    firn_rc code;
    const char *why;
    int64_t failed_us; /* 0: now */
    int32_t attempts;  /* 0: the first */
} firn_dead_letter;

/* Collects letters as one Arrow batch. Heap; one thread at a time. */
typedef struct firn_dead_letters firn_dead_letters;
firn_dead_letters *firn_dead_letters_new(const firn_feed *feed); /* copies what it needs */
void firn_dead_letters_free(firn_dead_letters *letters);         /* NULL is fine */
/* Copied. LIMIT: no more than 256 MiB at once; take first. */
firn_rc firn_dead_letters_add(firn_dead_letters *letters, const firn_dead_letter *letter,
                              firn_err *err) FIRN_MUST_USE;
int64_t firn_dead_letters_rows(const firn_dead_letters *letters);
size_t firn_dead_letters_bytes(const firn_dead_letters *letters);
/* Moves the letters out: both are the taker's to release. With no letter, an empty batch, whose schema is the table's. */
firn_rc firn_dead_letters_take(firn_dead_letters *letters, struct ArrowSchema *schema,
                               struct ArrowArray *array, firn_err *err) FIRN_MUST_USE;

#endif
