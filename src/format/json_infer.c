/* The schema that fits documents which came without one: a tree of what was seen, widened by every document.
 *
 * A node holds the kinds of value that stood in its place. One kind gives its type; whole numbers and reals give a real, whole numbers of
 * any size a decimal; every other mixture is a string that holds JSON. What was only ever null, an empty array or an object without
 * members has no type yet and is left out, so that it gets its first real one rather than a guess that would have to be taken back.
 *
 * Bounded: an object with more members than MEMBERS_MAX is taken for a dictionary and becomes a string, and so does what lies deeper
 * than NESTING_MAX; the document itself must have fewer.
 */
#include "format/json_columns.h"

#include "base/map.h"
#include "base/vec.h"
#include "json_scan.h"
#include "json_text.h"

enum {
    MEMBERS_MAX = 1000, /* of one object */
    NESTING_MAX = 24,   /* of records and arrays; columns go to FIRN_AVRO_DEPTH_MAX */
    NODES_MAX = 20000,
    NAME_BYTES_MAX = 255, /* longer ones are no column names */
};

enum {
    SEEN_BOOLEAN = 1 << 0,
    SEEN_WHOLE = 1 << 1,
    SEEN_HUGE = 1 << 2, /* whole, beyond 64 bits, at most 38 digits */
    SEEN_REAL = 1 << 3,
    SEEN_DATE = 1 << 4,
    SEEN_INSTANT = 1 << 5,
    SEEN_TEXT = 1 << 6, /* or anything that only a string can hold */
    SEEN_OBJECT = 1 << 7,
    SEEN_ARRAY = 1 << 8,
};

typedef struct seen seen;

typedef struct seen_member {
    const char *name;
    seen *node;
} seen_member;

struct seen {
    unsigned kinds;
    FIRN_VEC(seen_member) members;
    firn_map *by_name; /* lower-case name -> seen; members */
    seen *item;
};

struct firn_json_inference {
    firn_arena *arena;
    seen root;
    size_t node_count;
    bool stirred; /* a node has another type, or there is a new one: the schema may be another */
    int record_count;
    const firn_avro_schema *schema;
    const char *schema_text;
};

firn_json_inference *firn_json_inference_new(firn_arena *arena)
{
    firn_json_inference *inference = FIRN_NEW(arena, firn_json_inference);
    inference->arena = arena;
    return inference;
}

/* ---- seeing ---- */

static void see(firn_json_inference *in, seen *node, unsigned kind)
{
    if (node->kinds & kind)
        return;
    node->kinds |= kind;
    in->stirred = true;
}

static seen *new_node(firn_json_inference *in)
{
    in->node_count++;
    return FIRN_NEW(in->arena, seen);
}

/* The node of a member, in any case of its letters; NULL when it cannot be a column. *full: there are too many. */
static seen *member_of(firn_json_inference *in, seen *node, firn_bytes raw, bool *full)
{
    char name[NAME_BYTES_MAX + 1], key[NAME_BYTES_MAX + 1];
    *full = false;
    if (raw.len > NAME_BYTES_MAX)
        return NULL;
    size_t len = firn_json_unescape(raw, (uint8_t *)name);
    name[len] = '\0';
    if (len == 0 || strlen(name) != len)
        return NULL;
    for (size_t i = 0; i <= len; i++)
        key[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 0x20) : name[i];

    if (!node->by_name)
        node->by_name = firn_map_new(in->arena);
    seen *member = firn_map_get(node->by_name, key);
    if (member)
        return member;
    *full = node->members.len == MEMBERS_MAX || in->node_count >= NODES_MAX;
    if (*full)
        return NULL;
    member = new_node(in);
    (void)firn_map_put(node->by_name, key, member);
    const char *kept = firn_arena_strdup(in->arena, name);
    firn_vec_push(in->arena, &node->members, ((seen_member){.name = kept, .node = member}));
    return member;
}

static unsigned kind_of_text(firn_json_raw raw)
{
    int32_t days;
    int64_t us;
    bool has_zone;
    if (raw.escaped)
        return SEEN_TEXT;
    if (firn_text_date(raw.text, &days))
        return SEEN_DATE;
    if (firn_text_timestamp(raw.text, 1000000, &us, &has_zone) && has_zone)
        return SEEN_INSTANT;
    return SEEN_TEXT;
}

static unsigned kind_of_number(const firn_json_number *number)
{
    int64_t small;
    __int128 huge;
    double real;
    if (!number->whole)
        return firn_json_number_double(number, &real) ? SEEN_REAL : SEEN_TEXT;
    if (firn_json_number_i64(number, &small))
        return SEEN_WHOLE;
    return firn_json_decimal(number->text, 38, 0, &huge) ? SEEN_HUGE : SEEN_TEXT;
}

/* The text is known to be JSON: nothing in here can fail. */
typedef struct looking {
    firn_json_inference *in;
    firn_json_scan scan;
} looking;

static const uint8_t *look(looking *l, const uint8_t *p, seen *node, int depth);

static const uint8_t *look_at_object(looking *l, const uint8_t *p, seen *node, int depth)
{
    const uint8_t *end = l->scan.end;
    see(l->in, node, SEEN_OBJECT);
    p = firn_json_space(p + 1, end);
    while (*p != '}') {
        firn_json_raw name;
        bool full;
        p = firn_json_string(&l->scan, p + 1, &name);
        p = firn_json_space(p, end) + 1;
        p = firn_json_space(p, end);
        seen *member = member_of(l->in, node, name.text, &full);
        if (full)
            see(l->in, node, SEEN_TEXT);
        p = member ? look(l, p, member, depth + 1)
                   : firn_json_skip(&l->scan, p, FIRN_AVRO_DEPTH_MAX);
        p = firn_json_space(p, end);
        if (*p == ',')
            p = firn_json_space(p + 1, end);
    }
    return p + 1;
}

static const uint8_t *look_at_array(looking *l, const uint8_t *p, seen *node, int depth)
{
    const uint8_t *end = l->scan.end;
    see(l->in, node, SEEN_ARRAY);
    if (!node->item)
        node->item = new_node(l->in);
    p = firn_json_space(p + 1, end);
    while (*p != ']') {
        p = look(l, p, node->item, depth + 1);
        p = firn_json_space(p, end);
        if (*p == ',')
            p = firn_json_space(p + 1, end);
    }
    return p + 1;
}

static const uint8_t *look(looking *l, const uint8_t *p, seen *node, int depth)
{
    firn_json_raw raw;
    firn_json_number number;
    switch (*p) {
    case '{':
    case '[':
        if (node->kinds & SEEN_TEXT || depth > NESTING_MAX) {
            see(l->in, node, SEEN_TEXT);
            return firn_json_skip(&l->scan, p, FIRN_AVRO_DEPTH_MAX);
        }
        return *p == '{' ? look_at_object(l, p, node, depth) : look_at_array(l, p, node, depth);
    case '"':
        p = firn_json_string(&l->scan, p + 1, &raw);
        see(l->in, node, kind_of_text(raw));
        return p;
    case 't': see(l->in, node, SEEN_BOOLEAN); return p + 4;
    case 'f': see(l->in, node, SEEN_BOOLEAN); return p + 5;
    case 'n': return p + 4;
    default:
        p = firn_json_number_scan(&l->scan, p, &number);
        see(l->in, node, kind_of_number(&number));
        return p;
    }
}

/* ---- saying ---- */

static json_t *type_of(firn_json_inference *in, const seen *node);

static json_t *logical(const char *base, const char *name)
{
    return json_pack("{s:s, s:s}", "type", base, "logicalType", name);
}

/* NULL: no member has a type yet. */
static json_t *record_of(firn_json_inference *in, const seen *node)
{
    json_t *fields = json_array();
    for (size_t i = 0; i < node->members.len; i++) {
        json_t *type = type_of(in, node->members.items[i].node);
        if (!type)
            continue;
        json_array_append_new(fields,
                              json_pack("{s:s, s:[s, o], s:n}", "name", node->members.items[i].name,
                                        "type", "null", type, "default"));
    }
    if (json_array_size(fields) == 0) {
        json_decref(fields);
        return NULL;
    }
    const char *name = firn_arena_printf(in->arena, "inferred_%d", in->record_count++);
    return json_pack("{s:s, s:s, s:o}", "type", "record", "name", name, "fields", fields);
}

/* The type without its null; NULL: not known yet. */
static json_t *type_of(firn_json_inference *in, const seen *node)
{
    json_t *item;
    switch (node->kinds) {
    case 0: return NULL;
    case SEEN_BOOLEAN: return json_string("boolean");
    case SEEN_WHOLE: return json_string("long");
    case SEEN_REAL:
    case SEEN_WHOLE | SEEN_REAL: return json_string("double");
    case SEEN_HUGE:
    case SEEN_HUGE | SEEN_WHOLE:
        return json_pack("{s:s, s:s, s:i, s:i}", "type", "bytes", "logicalType", "decimal",
                         "precision", 38, "scale", 0);
    case SEEN_DATE: return logical("int", "date");
    case SEEN_INSTANT: return logical("long", "timestamp-micros");
    case SEEN_OBJECT: return record_of(in, node);
    case SEEN_ARRAY:
        item = type_of(in, node->item);
        if (!item)
            return NULL;
        return json_pack("{s:s, s:[s, o]}", "type", "array", "items", "null", item);
    default: return json_string("string");
    }
}

static firn_rc say(firn_json_inference *in, bool *changed, firn_err *err)
{
    in->record_count = 0;
    json_t *json = record_of(in, &in->root);
    if (!json)
        return FIRN_OK;
    json = firn_json_own(in->arena, json);
    const char *text = firn_json_text(in->arena, json);
    if (in->schema_text && firn_streq(text, in->schema_text))
        return FIRN_OK;
    FIRN_TRY(firn_avro_schema_from_json(in->arena, json, "the inferred schema", &in->schema, err));
    in->schema_text = text;
    *changed = true;
    return FIRN_OK;
}

/* ---- public ---- */

firn_rc firn_json_inference_add(firn_json_inference *in, firn_bytes text, bool *changed,
                                firn_err *err)
{
    looking l = {.in = in, .scan = {.start = text.data, .end = text.data + text.len}};
    *changed = false;
    const uint8_t *start = firn_json_space(text.data, l.scan.end);
    const uint8_t *p = firn_json_skip(&l.scan, start, FIRN_AVRO_DEPTH_MAX);
    if (p && firn_json_space(p, l.scan.end) != l.scan.end)
        p = firn_json_fail(&l.scan, p, FIRN_E_CORRUPT, "something follows the document");
    if (!p) {
        FIRN_FAIL(err, l.scan.rc, "not a JSON document, byte %lld: %s",
                  (long long)(l.scan.where - l.scan.start), l.scan.why);
    }
    if (*start != '{')
        FIRN_FAIL(err, FIRN_E_TYPE, "a JSON document that is no object has no columns");
    (void)look_at_object(&l, start, &in->root, 0);
    if (in->root.kinds & SEEN_TEXT) { /* every further document is told the same */
        FIRN_FAIL(err, FIRN_E_LIMIT, "JSON documents with more than %d different members",
                  MEMBERS_MAX);
    }
    if (!in->stirred)
        return FIRN_OK;
    in->stirred = false;
    return say(in, changed, err);
}

const firn_avro_schema *firn_json_inference_schema(firn_json_inference *in)
{
    return in->schema;
}
