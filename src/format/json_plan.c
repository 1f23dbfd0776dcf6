/* Columns as JSON sees them: what each takes, and its members by name. */
#include "json_plan.h"

static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* Up to eight bytes as a word; of three and less each is in it, of more the last ones perhaps twice. */
static uint64_t word_of(const uint8_t *p, size_t len)
{
    uint64_t word = 0;
    uint32_t half;
    if (len >= sizeof word) {
        memcpy(&word, p, sizeof word);
    } else if (len >= sizeof half) {
        memcpy(&half, p + len - sizeof half, sizeof half);
        word = (uint64_t)half << 32;
        memcpy(&half, p, sizeof half);
        word |= half;
    } else if (len > 0) {
        word = (uint64_t)p[0] << 16 | (uint64_t)p[len / 2] << 8 | p[len - 1];
    }
    return word;
}

/* The same for names that differ in the case of letters: the bit by which letters do is set in all bytes. */
static uint32_t hash_name(firn_bytes name)
{
    const uint64_t cases = 0x2020202020202020, factor = 0x9E3779B97F4A7C15;
    const uint8_t *p = name.data;
    size_t left = name.len;
    uint64_t hash = left;
    for (; left > 8; left -= 8, p += 8) {
        hash = (hash ^ (word_of(p, 8) | cases)) * factor;
        hash ^= hash >> 32;
    }
    hash = (hash ^ (word_of(p, left) | cases)) * factor;
    return (uint32_t)(hash >> 32);
}

static bool same_folded(firn_bytes a, const char *b)
{
    for (size_t i = 0; i < a.len; i++) {
        if (fold(a.data[i]) != fold((uint8_t)b[i]))
            return false;
    }
    return true;
}

const firn_json_member *firn_json_find(const firn_json_node *node, firn_bytes name, bool *exact)
{
    const firn_json_member *similar = NULL;
    *exact = false;
    if (node->member_count == 0)
        return NULL;
    for (uint32_t at = hash_name(name) & node->slot_mask; node->slots[at] != 0;
         at = (at + 1) & node->slot_mask) {
        const firn_json_member *member = &node->members[node->slots[at] - 1];
        if (member->len != name.len)
            continue;
        if (memcmp(member->name, name.data, name.len) == 0) {
            *exact = true;
            return member;
        }
        if (!similar && same_folded(name, member->name))
            similar = member;
    }
    return similar;
}

static void set_name(firn_json_member *member, const char *name)
{
    enum { AROUND = 3 }; /* quotes and the colon */
    uint8_t *text = (uint8_t *)member->word;
    member->name = name;
    member->len = (uint32_t)strlen(name);
    member->key_len = UINT32_MAX;
    for (uint32_t i = 0; i < member->len; i++) {
        uint8_t c = (uint8_t)name[i];
        if (c < 0x20 || c == '"' || c == '\\')
            return;
    }
    member->key_len = member->len + AROUND;
    for (uint32_t i = 0; i < member->key_len && i < FIRN_JSON_KEY_MAX; i++) {
        uint32_t left = member->key_len - 1 - i;
        text[i] = left == 0 ? ':' : left == 1 || i == 0 ? '"' : (uint8_t)name[i - 1];
    }
    memset(member->mask, 0xFF,
           member->key_len < FIRN_JSON_KEY_MAX ? member->key_len : FIRN_JSON_KEY_MAX);
}

static firn_rc plan_record(firn_arena *arena, const firn_avro_column *column, firn_json_node *out,
                           firn_err *err)
{
    size_t count = column->child_count;
    uint32_t slot_count = 4;
    while (slot_count < 2 * count)
        slot_count *= 2;
    firn_json_member *members = FIRN_NEW_N(arena, firn_json_member, count + 1);
    out->op = FIRN_JSON_RECORD;
    out->members = members;
    out->member_count = (uint32_t)count;
    out->slots = FIRN_NEW_N(arena, uint32_t, slot_count);
    out->slot_mask = slot_count - 1;
    const firn_json_member **behind = FIRN_NEW_N(arena, const firn_json_member *, count + 1);
    out->first = behind;
    *behind++ = members;
    members[count].key_len = UINT32_MAX;
    members[count].behind = out->first;
    for (size_t i = 0; i < count; i++) {
        set_name(&members[i], column->children[i].name);
        members[i].child = i * sizeof(firn_avro_column);
        members[i].behind = &behind[i];
        behind[i] = &members[i + 1];
        uint32_t at = hash_name(firn_bytes_str(members[i].name)) & out->slot_mask;
        while (out->slots[at] != 0)
            at = (at + 1) & out->slot_mask;
        out->slots[at] = (uint32_t)i + 1;
        FIRN_TRY(firn_json_plan(arena, &column->children[i], &members[i].node, err));
    }
    return FIRN_OK;
}

static firn_rc plan_items(firn_arena *arena, const firn_avro_column *items, firn_json_node *out,
                          firn_err *err)
{
    firn_json_node *item = FIRN_NEW(arena, firn_json_node);
    out->item = item;
    return firn_json_plan(arena, items, item, err);
}

static firn_rc plan_map(firn_arena *arena, const firn_avro_column *column, firn_json_node *out,
                        firn_err *err)
{
    const firn_avro_column *entries = &column->children[0];
    out->op = FIRN_JSON_MAP;
    if (entries->children[0].type != FIRN_AVRO_COL_STRING) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "column \"%s\" is a map whose keys are no strings: JSON has no such thing",
                  column->name);
    }
    return plan_items(arena, &entries->children[1], out, err);
}

static void plan_temporal(const firn_avro_schema *schema, firn_json_node *out)
{
    out->local = schema->adjust_to_utc == 0;
    switch (schema->logical) {
    case FIRN_AVRO_DATE: out->op = FIRN_JSON_DATE; return;
    case FIRN_AVRO_TIME_MILLIS:
        out->op = FIRN_JSON_TIME;
        out->per_second = 1000;
        return;
    case FIRN_AVRO_TIME_MICROS:
        out->op = FIRN_JSON_TIME;
        out->per_second = 1000000;
        return;
    case FIRN_AVRO_LOCAL_TIMESTAMP_MILLIS: out->local = true; __attribute__((fallthrough));
    case FIRN_AVRO_TIMESTAMP_MILLIS: out->per_second = 1000; break;
    case FIRN_AVRO_LOCAL_TIMESTAMP_MICROS: out->local = true; __attribute__((fallthrough));
    case FIRN_AVRO_TIMESTAMP_MICROS: out->per_second = 1000000; break;
    case FIRN_AVRO_LOCAL_TIMESTAMP_NANOS: out->local = true; __attribute__((fallthrough));
    case FIRN_AVRO_TIMESTAMP_NANOS: out->per_second = 1000000000; break;
    default: return;
    }
    out->op = FIRN_JSON_TIMESTAMP;
}

static firn_rc plan_bytes(const firn_avro_column *column, firn_json_node *out, firn_err *err)
{
    if (column->schema->logical == FIRN_AVRO_DECIMAL) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "column \"%s\" is a decimal of %d digits; JSON fills at most 38", column->name,
                  column->schema->precision);
    }
    bool fixed = column->type == FIRN_AVRO_COL_FIXED;
    bool uuid = column->schema->logical == FIRN_AVRO_UUID;
    out->op = !fixed ? FIRN_JSON_BYTES : uuid ? FIRN_JSON_UUID : FIRN_JSON_FIXED;
    return FIRN_OK;
}

static firn_rc plan_type(firn_arena *arena, const firn_avro_column *column, firn_json_node *out,
                         firn_err *err)
{
    switch (column->type) {
    case FIRN_AVRO_COL_NULL: out->op = FIRN_JSON_NOTHING; break;
    case FIRN_AVRO_COL_BOOL: out->op = FIRN_JSON_BOOL; break;
    case FIRN_AVRO_COL_INT32:
        out->op = FIRN_JSON_INT32;
        plan_temporal(column->schema, out);
        break;
    case FIRN_AVRO_COL_INT64:
        out->op = FIRN_JSON_INT64;
        plan_temporal(column->schema, out);
        break;
    case FIRN_AVRO_COL_FLOAT: out->op = FIRN_JSON_FLOAT; break;
    case FIRN_AVRO_COL_DOUBLE: out->op = FIRN_JSON_DOUBLE; break;
    case FIRN_AVRO_COL_STRING: out->op = FIRN_JSON_TEXT; break;
    case FIRN_AVRO_COL_BYTES:
    case FIRN_AVRO_COL_FIXED: return plan_bytes(column, out, err);
    case FIRN_AVRO_COL_DECIMAL128:
        out->op = FIRN_JSON_DECIMAL;
        out->base64 = json_is_true(json_object_get(column->schema->json, "firn.base64"));
        break;
    case FIRN_AVRO_COL_LIST:
        out->op = FIRN_JSON_LIST;
        return plan_items(arena, &column->children[0], out, err);
    case FIRN_AVRO_COL_MAP: return plan_map(arena, column, out, err);
    case FIRN_AVRO_COL_STRUCT:
        if (column->is_union) {
            FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                      "column \"%s\" is a union of several types: JSON does not say which one a "
                      "value is",
                      column->name);
        }
        return plan_record(arena, column, out, err);
    }
    return FIRN_OK;
}

/* Quick ways read digits as words whose first byte is the lowest. */
static void plan_quick(firn_json_node *out)
{
    enum { SCALE_MAX = 10, LIMIT_DIGITS = 18 }; /* with 8 digits in front of the point: 63 bits */
    bool quick = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
    switch (out->op) {
    case FIRN_JSON_TEXT:
    case FIRN_JSON_INT32:
    case FIRN_JSON_INT64:
    case FIRN_JSON_DOUBLE:
    case FIRN_JSON_BOOL: break;
    case FIRN_JSON_TIMESTAMP: out->quick_per_ms = out->per_second / 1000; break;
    case FIRN_JSON_DECIMAL:
        quick = quick && out->schema->scale >= 0 && out->schema->scale <= SCALE_MAX;
        out->quick_scale = quick ? (uint32_t)out->schema->scale : 0;
        out->quick_limit = 1;
        for (int i = 0; i < out->schema->precision && i < LIMIT_DIGITS; i++)
            out->quick_limit *= 10;
        break;
    default: quick = false;
    }
    out->quick = quick ? out->op : FIRN_JSON_NOTHING;
}

firn_rc firn_json_plan(firn_arena *arena, const firn_avro_column *column, firn_json_node *out,
                       firn_err *err)
{
    *out = (firn_json_node){.nullable = column->nullable, .schema = column->schema};
    FIRN_TRY(plan_type(arena, column, out, err));
    plan_quick(out);
    return FIRN_OK;
}

void firn_json_plan_slow(firn_json_node *node)
{
    node->quick = FIRN_JSON_NOTHING;
    node->slow = true;
    for (uint32_t i = 0; i < node->member_count; i++) {
        node->members[i].key_len = UINT32_MAX;
        firn_json_plan_slow(&node->members[i].node);
    }
    if (node->item)
        firn_json_plan_slow(node->item);
}
