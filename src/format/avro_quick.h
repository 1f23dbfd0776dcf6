/* A short way for the fields that most records are made of: numbers, flags, texts and bytes that are written as they are read, each by itself or as a
 * union with null. Private to avro_*.c.
 *
 * Once a decoder is made, firn_avro_quick_make leaves a program in each record's column: how each field of the writer's record goes into
 * which child. firn_avro_quick_steps takes fields from one on, and stops at the first that is not quick: another type, a long text at the end
 * of the data, a text without room, an error. Such a field is left as it was, to be decoded the way that knows everything (avro_decode.c): so errors come from one place, and
 * the short way may give up at any point before it has appended. That both give the same is checked by avro_quick_test.
 */
#ifndef FIRN_FORMAT_AVRO_QUICK_H
#define FIRN_FORMAT_AVRO_QUICK_H

#include "avro_plan.h"
#include "format/avro_codec.h"
#include "format/avro_columns.h"

typedef enum firn_avro_way {
    FIRN_AVRO_WAY_OTHER, /* not quick */
    FIRN_AVRO_WAY_LONG,
    FIRN_AVRO_WAY_INT,
    FIRN_AVRO_WAY_FLOAT,
    FIRN_AVRO_WAY_DOUBLE,
    FIRN_AVRO_WAY_BOOLEAN,
    FIRN_AVRO_WAY_TEXT,
    FIRN_AVRO_WAY_BYTES,
    FIRN_AVRO_WAY_OPTIONAL, /* added to one of the others: a union of it and null */
} firn_avro_way;

typedef struct firn_avro_quick_step {
    uint32_t child; /* bytes from the record's first child to the one that takes it */
    uint8_t way;
    uint8_t
        null; /* OPTIONAL: the byte that stands for null, 0 or 2; the other one stands for a value */
} firn_avro_quick_step;

struct firn_avro_quick {
    const firn_plan
        *plan; /* the record's; another plan that fills the same column has no program */
    firn_avro_quick_step steps[]; /* one for each of the plan's, and one that is OTHER */
};

/* Make programs for the columns of a decoder, in the arena. */
void firn_avro_quick_make(firn_arena *arena, const firn_plan *plan, firn_avro_column *column);

/* Take fields of one record from the one at `at` on; gives the first that is not taken, where the cursor is then. Room for a row must be there. */
size_t firn_avro_quick_steps(const firn_avro_quick *quick, size_t at, firn_avro_cursor *cursor,
                             firn_avro_column *column, bool unchecked_utf8);

#endif
