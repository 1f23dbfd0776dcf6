/* Tokens of plans: see plan_token.h. */
#include "plan_token.h"

#include "jwt.h"

#include <zlib.h>

/* What inflates to more than this costs the sender little and the server much. */
enum { TOKEN_VERSION = 1, TOKEN_JSON_BYTES_MAX = 8 << 20, TOKEN_TEXT_BYTES_MAX = 12 << 20 };

/* ---- encode ------------------------------------------------------------------------------------------- */

static json_t *to_json(const firn_plan *plan)
{
    json_t *json =
        json_pack("{s:i, s:s?, s:I, s:I, s:i, s:b, s:I, s:[I, I, I, I]}", "v", TOKEN_VERSION,
                  "table", plan->table_uuid, "snapshot", (json_int_t)plan->snapshot_id, "since",
                  (json_int_t)plan->appended_since, "schema", (int)plan->schema_id, "case",
                  plan->case_sensitive, "rows", (json_int_t)plan->min_rows, "range",
                  (json_int_t)plan->from.manifest, (json_int_t)plan->from.row,
                  (json_int_t)plan->to.manifest, (json_int_t)plan->to.row);
    if (plan->filter) {
        json_object_set(json, "filter", (json_t *)plan->filter);
    }
    if (plan->stats) {
        json_object_set(json, "stats", (json_t *)plan->stats);
    }
    return json;
}

char *firn_plan_encode(firn_arena *arena, const firn_plan *plan)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    const char *text = firn_json_text(scratch, firn_json_own(scratch, to_json(plan)));
    uLong len = (uLong)strlen(text);
    uLongf packed_len = compressBound(len);
    uint8_t *packed = firn_arena_alloc(scratch, packed_len);
    compress(packed, &packed_len, (const Bytef *)text, len); /* cannot fail with this much room */
    return firn_base64url(arena, firn_bytes_of(packed, packed_len));
}

/* ---- decode ------------------------------------------------------------------------------------------- */

/* Grows as it goes: how much there will be is not known before. */
static bool inflate_all(firn_bytes packed, firn_buf *out)
{
    enum { CHUNK_BYTES = 16 << 10 };
    z_stream stream = {.next_in = (Bytef *)packed.data, .avail_in = (uInt)packed.len};
    if (inflateInit(&stream) != Z_OK) {
        return false;
    }
    int status = Z_OK;
    while (status == Z_OK) {
        uint8_t *room = firn_buf_reserve(out, CHUNK_BYTES);
        if (!room) {
            break;
        }
        stream.next_out = room;
        stream.avail_out = CHUNK_BYTES;
        status = inflate(&stream, Z_NO_FLUSH);
        out->len += CHUNK_BYTES - stream.avail_out;
    }
    bool all = status == Z_STREAM_END && stream.avail_in == 0;
    inflateEnd(&stream);
    return all;
}

static firn_rc read_range(const json_t *json, firn_plan *out, firn_err *err)
{
    json_t *range = NULL;
    size_t *const places[] = {&out->from.manifest, &out->from.row, &out->to.manifest, &out->to.row};
    FIRN_TRY(firn_json_array(json, "range", "the token", &range, err));
    for (size_t i = 0; i < 4; i++) {
        const json_t *place = json_array_get(range, i);
        if (!json_is_integer(place) || json_integer_value(place) < 0) {
            FIRN_FAIL(err, FIRN_E_INVALID, "the token's range is none");
        }
        *places[i] = (size_t)json_integer_value(place);
    }
    return FIRN_OK;
}

static firn_rc read_stats(const json_t *stats, firn_err *err)
{
    size_t i;
    const json_t *id;
    json_array_foreach(stats, i, id)
    {
        if (!json_is_integer(id)) {
            FIRN_FAIL(err, FIRN_E_INVALID, "the token's columns are no ids");
        }
    }
    return FIRN_OK;
}

static firn_rc read_plan(const json_t *json, firn_plan *out, firn_err *err)
{
    static const char what[] = "the token";
    int32_t version = 0;
    json_t *stats = NULL;
    FIRN_TRY(firn_json_i32(json, "v", what, &version, err));
    if (version != TOKEN_VERSION) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the token is of version %d", version);
    }
    FIRN_TRY(firn_json_opt_str(json, "table", what, NULL, &out->table_uuid, err));
    FIRN_TRY(firn_json_i64(json, "snapshot", what, &out->snapshot_id, err));
    FIRN_TRY(firn_json_i64(json, "since", what, &out->appended_since, err));
    FIRN_TRY(firn_json_i32(json, "schema", what, &out->schema_id, err));
    FIRN_TRY(firn_json_bool(json, "case", what, &out->case_sensitive, err));
    FIRN_TRY(firn_json_i64(json, "rows", what, &out->min_rows, err));
    FIRN_TRY(firn_json_opt_array(json, "stats", what, &stats, err));
    FIRN_TRY(read_stats(stats, err));
    out->stats = stats;
    out->filter = json_object_get(json, "filter");
    return read_range(json, out, err);
}

firn_rc firn_plan_decode(firn_arena *arena, const char *token, firn_plan *out, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    firn_bytes packed;
    json_t *json = NULL;
    size_t len = strlen(token);
    *out = (firn_plan){0};
    firn_buf_init(&text, TOKEN_JSON_BYTES_MAX);
    if (len > TOKEN_TEXT_BYTES_MAX || !firn_base64_decode(arena, token, len, &packed) ||
        !inflate_all(packed, &text) ||
        firn_json_parse(arena, firn_buf_bytes(&text), "the token", &json, NULL) != FIRN_OK ||
        !json_is_object(json)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "it is damaged, or was not made here");
    }
    firn_rc rc = read_plan(json, out, err);
    if (rc == FIRN_E_CORRUPT) {
        FIRN_FAIL(err, FIRN_E_INVALID, "%s", err ? err->message : "it is malformed");
    }
    return rc;
}
