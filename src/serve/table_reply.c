/* Table metadata as an answer: which snapshots, which ETag. */
#include "call.h"

#include <openssl/sha.h>

static bool wants_refs_only(const firn_call *call)
{
    const char *snapshots = firn_call_query(call, "snapshots");
    return snapshots && firn_strcaseeq(snapshots, "refs");
}

/* Metadata files never change, so their name stands for their content; which part of it was asked for is part of the tag. */
static const char *etag(const firn_call *call, const char *location)
{
    const char *text =
        firn_arena_printf(call->arena, "%s %s", wants_refs_only(call) ? "refs" : "all", location);
    uint8_t hash[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *)text, strlen(text), hash);
    return firn_arena_printf(call->arena, "\"%s\"", firn_hex(call->arena, firn_bytes_of(hash, 16)));
}

bool firn_reply_not_modified(firn_call *call, const char *location)
{
    const char *wanted = firn_http_request_header(call->request, "If-None-Match");
    if (!wanted) {
        return false;
    }
    const char *tag = etag(call, location);
    /* Weak comparison (RFC 9110, 13.1.2): a "W/" in front does not count, and tags hold no quotes. */
    if (!strstr(wanted, tag) && !firn_streq(wanted, "*")) {
        return false;
    }
    firn_reply_header(call, "ETag", tag);
    firn_reply_empty(call, 304);
    return true;
}

static bool in_refs(const firn_metadata *metadata, int64_t snapshot_id)
{
    for (size_t i = 0; i < metadata->n_refs; i++) {
        if (metadata->refs[i].snapshot_id == snapshot_id) {
            return true;
        }
    }
    return metadata->current_snapshot && metadata->current_snapshot->snapshot_id == snapshot_id;
}

/* The document with the snapshots only that a branch or tag of the table names. */
static json_t *with_ref_snapshots(firn_arena *arena, const firn_metadata *metadata)
{
    json_t *copy = firn_json_own(arena, json_copy(metadata->json));
    json_t *kept = json_array();
    size_t i;
    json_t *snapshot;
    json_array_foreach(json_object_get(metadata->json, "snapshots"), i, snapshot)
    {
        if (in_refs(metadata, json_integer_value(json_object_get(snapshot, "snapshot-id")))) {
            json_array_append(kept, snapshot);
        }
    }
    json_object_set_new(copy, "snapshots", kept);
    return copy;
}

firn_rc firn_reply_table(firn_call *call, const char *ref, const char *location,
                         const firn_metadata *metadata, firn_err *err)
{
    (void)ref;
    (void)err;
    json_t *document =
        wants_refs_only(call) ? with_ref_snapshots(call->arena, metadata) : metadata->json;
    json_t *body = json_object();
    if (location) {
        json_object_set_new(body, "metadata-location", json_string(location));
        firn_reply_header(call, "ETag", etag(call, location));
    }
    json_object_set(body, "metadata", document);
    json_object_set_new(body, "config", json_object());
    firn_reply_json(call, 200, body);
    return FIRN_OK;
}

firn_rc firn_reply_table_at(firn_call *call, const char *ref, const char *location, firn_err *err)
{
    firn_metadata *metadata;
    FIRN_TRY(firn_catalog_metadata_at(call->catalog, call->arena, location, &metadata, err));
    return firn_reply_table(call, ref, location, metadata, err);
}
