/* What json_columns.c knows of a schema before the first document: one node per column. Private to json_*.c. */
#ifndef FIRN_FORMAT_JSON_PLAN_H
#define FIRN_FORMAT_JSON_PLAN_H

#include "avro_batch.h"

typedef enum firn_json_op {
    FIRN_JSON_NOTHING,
    FIRN_JSON_BOOL,
    FIRN_JSON_INT32,
    FIRN_JSON_INT64,
    FIRN_JSON_FLOAT,
    FIRN_JSON_DOUBLE,
    FIRN_JSON_TEXT,
    FIRN_JSON_BYTES,
    FIRN_JSON_FIXED,
    FIRN_JSON_UUID, /* fixed(16) */
    FIRN_JSON_DECIMAL,
    FIRN_JSON_DATE,
    FIRN_JSON_TIME,
    FIRN_JSON_TIMESTAMP,
    FIRN_JSON_RECORD,
    FIRN_JSON_LIST,
    FIRN_JSON_MAP,
} firn_json_op;

typedef struct firn_json_member firn_json_member;
typedef struct firn_json_node firn_json_node;

struct firn_json_node {
    firn_json_op op;
    firn_json_op quick; /* op when json_quick.h has a way for it, else NOTHING */
    bool nullable;
    bool slow;            /* firn_json_plan_slow */
    bool local;           /* TIMESTAMP: without offset */
    bool base64;          /* DECIMAL: a text is the number's bytes, big-endian, in base64 */
    int64_t per_second;   /* TIME, TIMESTAMP: the unit */
    uint32_t quick_scale; /* DECIMAL: its scale, and what the unscaled number must stay below */
    uint64_t quick_limit;
    int64_t quick_per_ms; /* TIMESTAMP: units of a millisecond */
    const firn_avro_schema *schema;

    firn_json_member *
        members; /* RECORD: as many as the column has children, in their order, and one that has no name */
    uint32_t member_count;
    uint32_t *slots; /* hash of the folded name -> member + 1, 0: free */
    uint32_t slot_mask;
    const firn_json_member **first; /* the one that came first lately: a guess, as `behind` is */

    struct firn_json_node *item; /* LIST: elements, MAP: values */
};

/* Bytes of a name that are compared at once, and those that a quick way looks at, at most: it does not ask how many there are. The most are a
 * real's sign, 8 digits, its point, 24 digits, and what follows. */
enum { FIRN_JSON_KEY_MAX = 32, FIRN_JSON_QUICK_BYTES = 36 };

struct firn_json_member {
    /* The beginning of the name in its quotes with the colon, and which of its bits count: what most names are compared by. */
    uint64_t word[FIRN_JSON_KEY_MAX / 8], mask[FIRN_JSON_KEY_MAX / 8];
    uint32_t
        key_len; /* bytes of the name, its quotes and the colon; UINT32_MAX: JSON would escape it, or there is none */
    uint32_t len;
    const char *name;
    size_t child; /* of the column's children: bytes in front of its own */
    /* Which member came behind this one lately. Only ever a guess: read and written without order by whoever decodes. */
    const firn_json_member **behind;
    firn_json_node node;
};

/* Build the node for a column and what is below it. UNSUPPORTED: a union of several types, a map whose keys are no strings, a decimal
 * beyond 38 digits. */
firn_rc firn_json_plan(firn_arena *arena, const firn_avro_column *column, firn_json_node *out,
                       firn_err *err) FIRN_MUST_USE;

/* Takes the quick ways and guesses out, so that tests can compare what comes without them. */
void firn_json_plan_slow(firn_json_node *node);

/* The member of that name, or of that name but for the case of ASCII letters; *exact tells which. NULL: none. */
const firn_json_member *firn_json_find(const firn_json_node *node, firn_bytes name, bool *exact);

#endif
