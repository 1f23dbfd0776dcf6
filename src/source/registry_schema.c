/* A registry's answer as a schema, with everything that it refers to.
 *
 *     {"schema": "...", "schemaType": "PROTOBUF", "references": [{"name": "a.proto", "subject": "a", "version": 3}]}
 *
 * schemaType is left out for Avro. References are a graph without cycles; they come out in the order in which a parser can take
 * them, each once per name: two schemas may import the same text under different names.
 */
#include "base/map.h"
#include "base/vec.h"
#include "net/http.h"
#include "registry_private.h"

enum { DEPTH_MAX = 64 };

typedef FIRN_VEC(struct firn_reference) reference_list;

typedef struct reader {
    firn_registry *registry;
    firn_arena *arena;   /* of the result */
    firn_arena *scratch; /* of this call */
    firn_map *done;      /* "name/subject/version" -> anything */
    firn_map *texts;     /* "subject/version" -> answer */
    reference_list references;
    size_t bytes;
    int depth;
    firn_err *err;
} reader;

static firn_rc read_kind(const json_t *json, const char *what, firn_schema_kind *out, firn_err *err)
{
    const char *type;
    FIRN_TRY(firn_json_opt_str(json, "schemaType", what, "AVRO", &type, err));
    if (firn_strcaseeq(type, "AVRO"))
        *out = FIRN_SCHEMA_AVRO;
    else if (firn_strcaseeq(type, "JSON"))
        *out = FIRN_SCHEMA_JSON;
    else if (firn_strcaseeq(type, "PROTOBUF"))
        *out = FIRN_SCHEMA_PROTOBUF;
    else
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "%s is of the type %s, which firn does not know", what,
                  type);
    return FIRN_OK;
}

static firn_rc read_references(reader *r, const json_t *json, const char *what);

/* The answer for one version of a subject. */
static firn_rc fetch_version(reader *r, const char *subject, int32_t version, json_t **out)
{
    const char *key = firn_arena_printf(r->scratch, "%s/%d", subject, version);
    if ((*out = firn_map_get(r->texts, key)))
        return FIRN_OK;
    const char *path = firn_arena_printf(r->scratch, "/subjects/%s/versions/%d?deleted=true",
                                         firn_url_encode(r->scratch, subject), version);
    const char *what = firn_arena_printf(r->scratch, "version %d of subject %s", version, subject);
    FIRN_TRY(firn_registry_ask(r->registry, r->scratch, path, what, out, r->err));
    (void)firn_map_put(r->texts, key, *out);
    return FIRN_OK;
}

static firn_rc read_reference(reader *r, const json_t *json, const char *what)
{
    const char *name, *subject;
    int32_t version;
    FIRN_TRY(firn_json_str(json, "name", what, &name, r->err));
    FIRN_TRY(firn_json_str(json, "subject", what, &subject, r->err));
    FIRN_TRY(firn_json_i32(json, "version", what, &version, r->err));
    subject = firn_registry_qualify(r->registry, r->scratch, subject);
    const char *key = firn_arena_printf(r->scratch, "%s/%s/%d", name, subject, version);
    if (firn_map_has(r->done, key))
        return FIRN_OK;
    /* Marked before its own references are read: a cycle ends here, and its text then fails to parse. */
    (void)firn_map_put(r->done, key, r);
    if (firn_map_len(r->done) > FIRN_REGISTRY_REFERENCES_MAX) {
        FIRN_FAIL(r->err, FIRN_E_LIMIT, "%s refers to more than %d other schemas", what,
                  FIRN_REGISTRY_REFERENCES_MAX);
    }

    json_t *answer;
    FIRN_TRY(fetch_version(r, subject, version, &answer));
    FIRN_TRY(read_references(r, answer, what));
    const char *text;
    FIRN_TRY(firn_json_str(answer, "schema", what, &text, r->err));
    r->bytes += strlen(text);
    if (r->bytes > FIRN_REGISTRY_ANSWER_BYTES_MAX) {
        FIRN_FAIL(r->err, FIRN_E_LIMIT, "%s refers to more than %d bytes of other schemas", what,
                  FIRN_REGISTRY_ANSWER_BYTES_MAX);
    }
    const struct firn_reference reference = {.name = firn_arena_strdup(r->arena, name),
                                             .text = firn_arena_strdup(r->arena, text)};
    firn_vec_push(r->arena, &r->references, reference);
    return FIRN_OK;
}

static firn_rc read_references(reader *r, const json_t *json, const char *what)
{
    json_t *list;
    FIRN_TRY(firn_json_opt_array(json, "references", what, &list, r->err));
    if (r->depth == DEPTH_MAX)
        FIRN_FAIL(r->err, FIRN_E_LIMIT, "%s: references nested more than %d deep", what, DEPTH_MAX);
    r->depth++;
    for (size_t i = 0; i < json_array_size(list); i++)
        FIRN_TRY(read_reference(r, json_array_get(list, i), what));
    r->depth--;
    return FIRN_OK;
}

firn_rc firn_registered_read(firn_registry *registry, firn_arena *arena, const json_t *json,
                             const char *what, const firn_registered_given *given,
                             firn_registered **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *scratch = firn_arena_new();
    firn_registered *registered = FIRN_NEW(arena, firn_registered);
    const char *text, *subject;
    FIRN_TRY(read_kind(json, what, &registered->kind, err));
    FIRN_TRY(firn_json_str(json, "schema", what, &text, err));
    FIRN_TRY(firn_json_opt_str(json, "subject", what, given->subject, &subject, err));
    FIRN_TRY(firn_json_opt_i32(json, "version", what, 0, &registered->version, err));
    FIRN_TRY(firn_json_opt_i32(json, "id", what, given->id, &registered->id, err));
    registered->text = firn_arena_strdup(arena, text);
    registered->subject = firn_arena_strdup(arena, subject);

    reader r = {
        .registry = registry,
        .arena = arena,
        .scratch = scratch,
        .done = firn_map_new(scratch),
        .texts = firn_map_new(scratch),
        .err = err,
    };
    firn_rc rc = read_references(&r, json, what);
    if (rc == FIRN_E_NOT_FOUND) {
        /* Not the schema is missing but a part of it: asked again when the next message comes. */
        return firn_err_wrap(err, rc, "%s", what);
    }
    FIRN_TRY(rc);
    registered->references = r.references.items;
    registered->n_references = r.references.len;
    *out = registered;
    return FIRN_OK;
}
