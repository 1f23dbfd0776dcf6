/* The rooms of the Parquet writer, for each other:
 *
 *   parquet_thrift.c   Thrift's compact protocol, as far as footers and page headers need it
 *   parquet_fit.c      can a column hold what it is given
 *   parquet_gather.c   values of a column side by side, without the nulls
 *   parquet_dictionary.c  the different ones of a chunk, and a number for each value
 *   parquet_bounds.c   the least and the greatest of them
 *   parquet_bits.c     numbers and levels as runs and packed bits
 *   parquet_delta.c    whole numbers as differences
 *   parquet_chunk.c    values into the pages of a column chunk: dictionary or plain
 *   parquet_pack.c     how its pages are compressed
 *   parquet_pages.c    where they wait for the end of the row group
 *   parquet_writer.c   row groups, threads, the footer
 *
 * Words are read and written as they lie in memory: little-endian, as the file wants them.
 */
#ifndef FIRN_FORMAT_PARQUET_PARTS_H
#define FIRN_FORMAT_PARQUET_PARTS_H

#include "base/vec.h"
#include "compress.h"
#include "format/parquet.h"

#include <stdlib.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values go into pages as they lie");

/* ---- parquet_thrift.c ---- */

enum { FIRN_THRIFT_DEPTH = 8 };

typedef struct firn_thrift {
    firn_buf *out;
    int depth;
    int last[FIRN_THRIFT_DEPTH]; /* field id, of each open struct */
} firn_thrift;

typedef enum firn_thrift_type {
    FIRN_THRIFT_I32 = 5,
    FIRN_THRIFT_BINARY = 8,
    FIRN_THRIFT_STRUCT = 12,
} firn_thrift_type;

void firn_thrift_i32(firn_thrift *t, int id, int32_t value);
void firn_thrift_i64(firn_thrift *t, int id, int64_t value);
void firn_thrift_bool(firn_thrift *t, int id, bool value);
void firn_thrift_bytes(firn_thrift *t, int id, firn_bytes value);
void firn_thrift_open(firn_thrift *t, int id); /* a struct as a field */
void firn_thrift_list(firn_thrift *t, int id, firn_thrift_type type, size_t n);
/* Elements of a list. */
void firn_thrift_item(firn_thrift *t);
void firn_thrift_item_i32(firn_thrift *t, int32_t value);
void firn_thrift_item_bytes(firn_thrift *t, firn_bytes value);
void firn_thrift_close(firn_thrift *t); /* a field's struct, an element's, the outermost one */

/* Unsigned and signed, as Thrift, Parquet's runs and its differences have them. */
void firn_put_varint(firn_buf *out, uint64_t value);
void firn_put_zigzag(firn_buf *out, int64_t value);

/* ---- what the specification numbers ---- */

enum {
    FIRN_ENCODING_PLAIN = 0,
    FIRN_ENCODING_RLE = 3,
    FIRN_ENCODING_DELTA = 5,
    FIRN_ENCODING_DICTIONARY = 8,
};

typedef enum firn_parquet_physical {
    FIRN_PHYSICAL_BOOLEAN = 0,
    FIRN_PHYSICAL_INT32 = 1,
    FIRN_PHYSICAL_INT64 = 2,
    FIRN_PHYSICAL_FLOAT = 4,
    FIRN_PHYSICAL_DOUBLE = 5,
    FIRN_PHYSICAL_BYTE_ARRAY = 6,
    FIRN_PHYSICAL_FIXED = 7,
} firn_parquet_physical;

firn_parquet_physical firn_parquet_physical_of(const firn_parquet_column *column);
/* Bytes of a value in the file; 0 for BYTE_ARRAY and BOOLEAN. */
size_t firn_parquet_width_of(const firn_parquet_column *column);

/* ---- parquet_fit.c ---- */

/* TYPE, CHECK_FAILED: a value that the column cannot hold. */
firn_rc firn_parquet_fit(const firn_parquet_column *column, const firn_parquet_source *source,
                         const firn_parquet_rows *rows, firn_err *err) FIRN_MUST_USE;

/* ---- parquet_gather.c ---- */

/* Rows of one column that go into one page. */
typedef struct firn_parquet_piece {
    const firn_parquet_source *source;
    const uint32_t *pick; /* of `count` rows; `from` is 0 then. NULL: consecutive */
    int64_t from, count;
} firn_parquet_piece;

/* What a value is in memory between Arrow and the file: bool, int32_t or float, int64_t or double, __int128, firn_bytes. A decimal is as narrow as its
 * precision lets it be. */
typedef enum firn_parquet_item {
    FIRN_ITEM_BOOL,
    FIRN_ITEM_4,
    FIRN_ITEM_8,
    FIRN_ITEM_16,
    FIRN_ITEM_TEXT,
    FIRN_ITEM_UUID, /* a text of 16 bytes, without its length in the file */
} firn_parquet_item;

firn_parquet_item firn_parquet_item_of(const firn_parquet_column *column);

/* A piece's values. The room that they are in serves one piece after another. */
typedef struct firn_parquet_values {
    int64_t rows, n;          /* with and without nulls */
    const uint8_t *present;   /* a byte for each row; NULL: all */
    const void *data;         /* n items, in the room or in the array itself */
    const uint8_t *texts_end; /* TEXT: behind the array's last text */
    const int32_t
        *offsets; /* TEXT: n + 1 of them, into `texts`, in place of `data`; NULL: `data` */
    const uint8_t *texts;
    void *room;
    size_t room_bytes;
    uint8_t *present_room;
    size_t present_bytes;
} firn_parquet_values;

void firn_parquet_gather(const firn_parquet_column *column, const firn_parquet_piece *piece,
                         firn_parquet_values *out);
/* Texts that only have offsets as firn_bytes, too. */
void firn_parquet_gather_texts(firn_parquet_values *values);
void firn_parquet_values_free(firn_parquet_values *values);

/* ---- parquet_dictionary.c ---- */

typedef struct firn_parquet_entry {
    uint64_t words[2]; /* what it is hashed by; up to 16 bytes, all of the text */
    firn_bytes text;
} firn_parquet_entry;

/* Of one column chunk after another. Zeroed is empty. */
typedef struct firn_parquet_dictionary {
    firn_parquet_item item; /* 4, 8 or TEXT */
    size_t max;             /* of different values */
    size_t n;               /* that there are so far */
    void *keys;             /* n values: uint32_t, uint64_t or firn_parquet_entry */
    size_t keys_bytes;      /* of room */
    firn_arena *texts;      /* of the entries */
    size_t text_bytes;
    uint64_t *slots; /* or a table of uint32_t, when all values are near one another: */
    size_t slots_bytes, mask;
    bool near;
    int64_t low; /* its first value */
    uint64_t span;
    int64_t seen;       /* values that were numbered */
    int64_t looked;     /* of them when it was last foreseen how many would be different; */
    size_t whole, half; /* there were so many then, and when half as many had been seen */
    int64_t steps;      /* past slots of other values */
} firn_parquet_dictionary;

/* Of whole numbers. */
typedef struct firn_parquet_range {
    bool known;
    int64_t low, high;
} firn_parquet_range;

void firn_parquet_dictionary_begin(firn_parquet_dictionary *dictionary, firn_parquet_item item,
                                   size_t max);
/* values->n numbers to `codes`. `left` values are expected in this chunk, these among them. False: there are too many different ones, and the codes mean
 * nothing. */
bool firn_parquet_number(firn_parquet_dictionary *dictionary, const firn_parquet_values *values,
                         const firn_parquet_range *range, int64_t left, uint32_t *codes);
/* Is the chunk likely to be smaller with it when `left` more values have come? `each`: bytes of a value without it; 0: as many as it has in the dictionary. */
bool firn_parquet_dictionary_pays(const firn_parquet_dictionary *dictionary, int64_t left,
                                  double each);
/* Of memory that this chunk's values take, without room that is left from an earlier one. */
size_t firn_parquet_dictionary_bytes(const firn_parquet_dictionary *dictionary);
void firn_parquet_dictionary_free(firn_parquet_dictionary *dictionary);
/* Bits that the numbers of n values need, at least one. */
unsigned firn_parquet_bits_of(size_t n);

/* ---- parquet_bounds.c ---- */

/* Bounds, nulls, NaNs. Bounds of texts point to where the texts are. */
void firn_parquet_bound(const firn_parquet_column *column, const firn_parquet_values *values,
                        firn_parquet_stats *out);
/* Bounds of a dictionary's texts, of which there is at least one. */
void firn_parquet_bound_entries(const firn_parquet_dictionary *dictionary, firn_parquet_stats *out);
/* Bounds of two chunks of one column as those of both. */
void firn_parquet_stats_join(firn_parquet_kind kind, firn_parquet_stats *to,
                             const firn_parquet_stats *from);

/* ---- parquet_bits.c ---- */

/* Length, then runs: definition levels of a page. */
void firn_put_levels(firn_buf *out, const uint8_t *present, int64_t rows);
/* Runs of `bits` wide numbers, none of them larger than what the bits hold. */
void firn_put_runs(firn_buf *out, const uint32_t *codes, int64_t n, unsigned bits);
void firn_put_bools(firn_buf *out, const uint8_t *values, int64_t n); /* bytes of 0 and 1 */

/* ---- parquet_delta.c ---- */

/* n numbers of `width` bytes, 4 or 8. */
void firn_put_deltas(firn_buf *out, const void *values, int64_t n, size_t width);

/* ---- parquet_pack.c ---- */

typedef struct firn_parquet_packing {
    firn_parquet_codec codec;
    firn_zstd_way way; /* of pages of data; a dictionary is packed whole */
} firn_parquet_packing;

typedef struct firn_parquet_encoder firn_parquet_encoder;

/* As the row group before, if that still stands for this one, too; false: it has to be judged. For the chunk's first page. */
bool firn_parquet_packs_alike(const firn_parquet_encoder *e);
/* By the chunk's first page and its dictionary so far. *ready: the page lies packed in the desk. */
firn_rc firn_parquet_judge(const firn_parquet_encoder *e, firn_bytes page, firn_bytes keys,
                           bool *ready, firn_err *err) FIRN_MUST_USE;
/* `plain` itself, or what lies in the desk as `packed` afterwards. */
firn_rc firn_parquet_pack(const firn_parquet_encoder *e, firn_bytes plain, firn_zstd_way way,
                          firn_bytes *out, firn_err *err) FIRN_MUST_USE;

/* ---- parquet_pages.c ---- */

typedef struct firn_parquet_block {
    uint8_t *data;
    size_t bytes, len; /* room, and what of it is taken */
} firn_parquet_block;

/* The blocks that are used hold the bytes in order; the others are kept. Zeroed is empty. */
typedef struct firn_parquet_pages {
    firn_parquet_block *blocks;
    size_t blocks_bytes; /* of room for the array */
    size_t n, used;
    size_t len; /* of all bytes */
} firn_parquet_pages;

void firn_parquet_pages_add(firn_parquet_pages *pages, firn_bytes bytes);
void firn_parquet_pages_clear(firn_parquet_pages *pages);
void firn_parquet_pages_deinit(firn_parquet_pages *pages);

/* ---- parquet_chunk.c ---- */

/* What one row group teaches about a column for the next ones. */
typedef struct firn_parquet_habit {
    unsigned dictionary_skip,
        dictionary_failures; /* row groups without a trial, trials that failed */
    firn_parquet_packing packing;
    bool packing_coded; /* it was of pages with numbers of a dictionary */
    unsigned packing_skip,
        packing_repeats; /* row groups that are taken for alike, judgements that were the same */
} firn_parquet_habit;

typedef enum firn_parquet_manner {
    FIRN_PARQUET_TRIED, /* numbered, until the first page is full and it can be told whether that pays */
    FIRN_PARQUET_CODED,
    FIRN_PARQUET_AS_VALUES,
} firn_parquet_manner;

/* A column chunk that grows. It keeps its room for the next row group; zeroed is empty. */
typedef struct firn_parquet_chunk {
    firn_parquet_pages out; /* pages of data that are done */
    firn_buf head;          /* the dictionary's, once the chunk has ended; empty: there is none */
    firn_parquet_packing packing;
    int64_t values, plain_bytes;
    firn_parquet_stats stats;
    firn_buf low, high; /* where its bounds of texts are */
    firn_parquet_habit habit;
    firn_parquet_manner manner;
    firn_parquet_dictionary dictionary;
    int64_t coded_pages; /* that need the dictionary */
    int64_t delta_pages; /* of differences */
    /* The page that is being filled. */
    int64_t page_rows, page_values;
    firn_buf page;   /* values */
    uint32_t *codes; /* or their numbers */
    size_t codes_bytes;
    uint8_t *present; /* a byte for each row, as soon as there is a null among them */
    size_t present_bytes;
    bool has_nulls;
} firn_parquet_chunk;

void firn_parquet_chunk_deinit(firn_parquet_chunk *chunk);

/* What a thread needs to encode a piece of a column, kept for the next one. Zeroed is empty. */
typedef struct firn_parquet_desk {
    firn_parquet_values values;
    firn_buf page, packed, header;
    firn_zstd *zstd;
    struct firn_parquet_desk *next; /* the writer's list of those that are free */
} firn_parquet_desk;

void firn_parquet_desk_deinit(firn_parquet_desk *desk);

struct firn_parquet_encoder {
    const firn_parquet_options *options;
    const firn_parquet_column *column;
    firn_parquet_chunk *chunk;
    firn_parquet_desk *desk;
    firn_parquet_item item;
    size_t width; /* in the file */
};

void firn_parquet_chunk_begin(const firn_parquet_encoder *e);
firn_rc firn_parquet_chunk_add(const firn_parquet_encoder *e, const firn_parquet_source *source,
                               const firn_parquet_rows *rows, firn_err *err) FIRN_MUST_USE;
firn_rc firn_parquet_chunk_end(const firn_parquet_encoder *e, firn_err *err) FIRN_MUST_USE;

/* A decimal as `width` bytes, big-endian. */
void firn_parquet_decimal_bytes(__int128 value, uint8_t *out, size_t width);

/* ---- room ---- */

/* At least so many bytes, and what was in them stays. */
static inline void firn_more_room(void **room, size_t *has, size_t bytes)
{
    if (*has < bytes) {
        *has = 2 * *has > bytes ? 2 * *has : bytes;
        *room = firn_realloc(*room, *has);
    }
}

/* At least so many bytes; what was in them is gone. */
static inline void *firn_room(void **room, size_t *has, size_t bytes)
{
    if (*has < bytes) {
        free(*room);
        *room = firn_malloc(bytes);
        *has = bytes;
    }
    return *room;
}

#endif
