/* What the Avro tests share: schemas and data from JSON text, and data back to JSON text. */
#ifndef TEST_FORMAT_AVRO_UTIL_H
#define TEST_FORMAT_AVRO_UTIL_H

#include "format/avro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static inline int arena_setup(void **state)
{
    *state = firn_arena_new();
    return 0;
}

static inline int arena_teardown(void **state)
{
    firn_arena_free(*state);
    return 0;
}

static inline void free_batch(void *ctx)
{
    firn_avro_batch_free(ctx);
}

/* A batch that goes with the arena. */
static inline firn_avro_batch *batch_of(firn_arena *arena, const firn_avro_decoder *decoder)
{
    firn_avro_batch *batch = firn_avro_batch_new(decoder);
    firn_arena_defer(arena, free_batch, batch);
    return batch;
}

#define arena_test(f) cmocka_unit_test_setup_teardown(f, arena_setup, arena_teardown)

#define assert_ok(expr, err)                           \
    do {                                               \
        if ((expr) != FIRN_OK)                         \
            fail_msg("%s: %s", #expr, (err)->message); \
    } while (0)

/* The call fails with this code, and its message holds this text. */
#define assert_fails(expr, rc, err, text)                                  \
    do {                                                                   \
        firn_err_clear(err);                                               \
        assert_int_equal(expr, rc);                                        \
        if (!strstr((err)->message, text))                                 \
            fail_msg("\"%s\" does not hold \"%s\"", (err)->message, text); \
    } while (0)

/* JSON text with ' for ", which reads better in C. */
static inline char *json_of(firn_arena *arena, const char *text)
{
    return firn_str_replace(arena, text, "'", "\"");
}

static inline const firn_avro_schema *schema_of(firn_arena *arena, const char *text)
{
    firn_err err = {0};
    const firn_avro_schema *schema;
    assert_ok(
        firn_avro_schema_parse(arena, firn_bytes_str(json_of(arena, text)), "test", &schema, &err),
        &err);
    return schema;
}

static inline void append_datum(firn_arena *arena, firn_buf *buf, const firn_avro_schema *schema,
                                const char *text)
{
    firn_err err = {0};
    json_t *json;
    assert_ok(firn_json_parse(arena, firn_bytes_str(json_of(arena, text)), "test", &json, &err),
              &err);
    assert_ok(firn_avro_put_json(buf, schema, json, &err), &err);
}

static inline firn_bytes datum_of(firn_arena *arena, const firn_avro_schema *schema,
                                  const char *text)
{
    firn_buf buf = {0};
    append_datum(arena, &buf, schema, text);
    firn_bytes bytes = firn_bytes_dup(arena, firn_buf_bytes(&buf));
    firn_buf_deinit(&buf);
    return bytes;
}

#endif
