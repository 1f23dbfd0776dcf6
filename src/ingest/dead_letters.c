/* See dead_letters.h. Letters are written as Avro and decoded into columns when they are taken: they are rare, and there is one way to
 * build an Arrow batch in firn.
 */
#include "dead_letters.h"

#include "base/time.h"
#include "format/avro.h"

#include <stdlib.h>

static const char *const SCHEMA =
    "{\"type\":\"record\",\"name\":\"dead_letter\",\"fields\":["
    "{\"name\":\"feed\",\"type\":\"string\"},"
    "{\"name\":\"topic\",\"type\":\"string\"},"
    "{\"name\":\"partition\",\"type\":\"int\"},"
    "{\"name\":\"offset\",\"type\":\"long\"},"
    "{\"name\":\"timestamp\",\"type\":[\"null\",{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}]},"
    "{\"name\":\"key\",\"type\":[\"null\",\"bytes\"]},"
    "{\"name\":\"value\",\"type\":[\"null\",\"bytes\"]},"
    "{\"name\":\"headers\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"bytes\"]}},"
    "{\"name\":\"code\",\"type\":\"string\"},"
    "{\"name\":\"error\",\"type\":\"string\"},"
    "{\"name\":\"schema_id\",\"type\":[\"null\",\"int\"]},"
    "{\"name\":\"failed_at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}},"
    "{\"name\":\"attempts\",\"type\":\"int\"}]}";

enum { LETTERS_BYTES_MAX = 256 << 20 };

struct firn_dead_letters {
    char *feed;
    bool framed; /* values may begin with a schema's id */
    firn_buf data;
    int64_t rows;
};

firn_ident firn_dead_letters_ident(firn_arena *arena, const firn_feed *feed, firn_ident anchor)
{
    if (feed->dead_letters == NULL) {
        return (firn_ident){.ns = anchor.ns,
                            .name = firn_arena_printf(arena, "%s__dead_letters", anchor.name)};
    }
    char *levels = firn_ns_parse(arena, feed->dead_letters);
    char *last = strrchr(levels, FIRN_NS_SEP[0]);
    if (last == NULL) {
        return (firn_ident){.ns = "default", .name = levels};
    }
    *last = '\0';
    return (firn_ident){.ns = levels, .name = last + 1};
}

firn_dead_letters *firn_dead_letters_new(const firn_feed *feed)
{
    firn_dead_letters *letters = firn_calloc(1, sizeof(*letters));
    letters->feed = firn_strdup(feed->name);
    firn_buf_init(&letters->data, LETTERS_BYTES_MAX);
    switch (feed->value.payload) {
    case FIRN_PAYLOAD_AUTO:
    case FIRN_PAYLOAD_AVRO:
    case FIRN_PAYLOAD_JSON_SCHEMA:
    case FIRN_PAYLOAD_PROTOBUF: letters->framed = true; break;
    default: break;
    }
    return letters;
}

void firn_dead_letters_free(firn_dead_letters *letters)
{
    if (letters == NULL) {
        return;
    }
    firn_buf_deinit(&letters->data);
    free(letters->feed);
    free(letters);
}

/* ---- writing one ------------------------------------------------------------------------------------------- */

static void put_optional_bytes(firn_buf *out, firn_bytes bytes)
{
    firn_avro_put_long(out, bytes.data != NULL);
    if (bytes.data != NULL) {
        firn_avro_put_bytes(out, bytes);
    }
}

/* Header names and messages come from outside: what is no UTF-8 is spelled. */
static void put_text(firn_buf *out, const char *text)
{
    firn_bytes bytes = firn_bytes_str(text);
    if (firn_utf8_valid(bytes)) {
        firn_avro_put_bytes(out, bytes);
        return;
    }
    FIRN_AUTO_BUF firn_buf spelled = {0};
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.data[i] < 0x80) {
            firn_buf_putc(&spelled, bytes.data[i]);
        } else {
            firn_buf_printf(&spelled, "\\x%02x", bytes.data[i]);
        }
    }
    firn_avro_put_bytes(out, firn_buf_bytes(&spelled));
}

static bool comes_again(const firn_dead_letter *letter, size_t at)
{
    for (size_t i = at + 1; i < letter->n_headers; i++) {
        if (firn_streq(letter->headers[i].name, letter->headers[at].name)) {
            return true;
        }
    }
    return false;
}

static void put_headers(firn_buf *out, const firn_dead_letter *letter)
{
    enum { COMPARED_MAX = 1000 }; /* more are not looked through for repeated names, but kept */
    for (size_t i = 0; i < letter->n_headers; i++) {
        if (letter->n_headers <= COMPARED_MAX && comes_again(letter, i)) {
            continue;
        }
        firn_avro_put_long(out, 1);
        put_text(out, letter->headers[i].name);
        put_optional_bytes(out, letter->headers[i].value);
    }
    firn_avro_put_long(out, 0);
}

/* Confluent's frame: a zero, four bytes of id, the rest. */
static void put_schema_id(firn_buf *out, bool framed, firn_bytes value)
{
    enum { FRAME_BYTES = 5 };
    bool has_id = framed && value.len >= FRAME_BYTES && value.data[0] == 0;
    firn_avro_put_long(out, has_id);
    if (has_id) {
        uint32_t id = 0;
        for (size_t i = 1; i < FRAME_BYTES; i++) {
            id = id << 8 | value.data[i];
        }
        firn_avro_put_long(out, (int32_t)id);
    }
}

static void put_letter(firn_dead_letters *letters, const firn_dead_letter *letter)
{
    firn_buf *out = &letters->data;
    const firn_kafka_message *message = &letter->message;
    firn_avro_put_string(out, letters->feed);
    firn_avro_put_string(out, message->topic);
    firn_avro_put_long(out, message->partition);
    firn_avro_put_long(out, message->offset);
    firn_avro_put_long(out, message->timestamp_ms >= 0);
    if (message->timestamp_ms >= 0) {
        firn_avro_put_long(out, message->timestamp_ms * 1000);
    }
    put_optional_bytes(out, message->key);
    put_optional_bytes(out, message->value);
    put_headers(out, letter);
    firn_avro_put_string(out, firn_rc_name(letter->code));
    put_text(out, letter->why);
    put_schema_id(out, letters->framed, message->value);
    firn_avro_put_long(out, letter->failed_us != 0 ? letter->failed_us : firn_now_us());
    firn_avro_put_long(out, letter->attempts != 0 ? letter->attempts : 1);
}

firn_rc firn_dead_letters_add(firn_dead_letters *letters, const firn_dead_letter *letter,
                              firn_err *err)
{
    size_t before = letters->data.len;
    put_letter(letters, letter);
    if (letters->data.overflow) {
        letters->data.overflow = false;
        letters->data.len = before;
        FIRN_FAIL(err, FIRN_E_LIMIT, "more than %d MiB of dead letters at once",
                  LETTERS_BYTES_MAX >> 20);
    }
    letters->rows++;
    return FIRN_OK;
}

/* ---- taking them ------------------------------------------------------------------------------------------- */

int64_t firn_dead_letters_rows(const firn_dead_letters *letters)
{
    return letters->rows;
}

size_t firn_dead_letters_bytes(const firn_dead_letters *letters)
{
    return letters->data.len;
}

firn_rc firn_dead_letters_take(firn_dead_letters *letters, struct ArrowSchema *schema,
                               struct ArrowArray *array, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const firn_avro_schema *parsed;
    firn_avro_decoder *decoder;
    FIRN_TRY(firn_avro_schema_parse(arena, firn_bytes_str(SCHEMA), "dead letters", &parsed, err));
    FIRN_TRY(firn_avro_decoder_new(arena, parsed, NULL, NULL, &decoder, err));
    FIRN_AUTO_AVRO_BATCH firn_avro_batch *batch = firn_avro_batch_new(decoder);
    FIRN_TRY(firn_avro_decoder_decode(decoder, firn_buf_bytes(&letters->data), letters->rows, batch,
                                      err));
    firn_avro_decoder_arrow_schema(decoder, schema);
    firn_avro_batch_arrow_array(batch, array);
    firn_buf_deinit(&letters->data);
    firn_buf_init(&letters->data, LETTERS_BYTES_MAX);
    letters->rows = 0;
    return FIRN_OK;
}
