/* Table metadata as an answer: which snapshots, which ETag. */
#include "call.h"

#include "base/log.h"

#include <openssl/sha.h>
#include <stdlib.h>

static bool wants_refs_only(const firn_call *call)
{
    const char *snapshots = firn_call_query(call, "snapshots");
    return snapshots && firn_strcaseeq(snapshots, "refs");
}

/* Whether deleting files that this state of the table does not name could take them from another branch or a tag. When in doubt,
 * it could. */
static bool is_shared(const firn_call *call, const char *ref, const char *content_id,
                      const char *location)
{
    bool shared = false;
    firn_err err = {0};
    if (!location || !content_id) {
        return false;
    }
    firn_rc rc = firn_catalog_table_shared(call->catalog, call->arena, ref, content_id, location,
                                           &shared, &err);
    if (rc != FIRN_OK) {
        firn_log(FIRN_LOG_WARN, "serve", "cannot tell who else has a table: %s", err.message);
    }
    return shared || rc != FIRN_OK;
}

/* Metadata files never change, so their name stands for their content; which part of it was asked for is part of the tag, and so is
 * what is put in while the table is shared. */
static const char *etag(const firn_call *call, const char *location, bool shared)
{
    const char *text = firn_arena_printf(call->arena, "%s%s %s", shared ? "shared " : "",
                                         wants_refs_only(call) ? "refs" : "all", location);
    uint8_t hash[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *)text, strlen(text), hash);
    return firn_arena_printf(call->arena, "\"%s\"", firn_hex(call->arena, firn_bytes_of(hash, 16)));
}

bool firn_reply_not_modified(firn_call *call, const char *ref, const firn_catalog_entry *entry)
{
    const char *wanted = firn_http_request_header(call->request, "If-None-Match");
    if (!wanted) {
        return false;
    }
    bool shared = is_shared(call, ref, entry->content_id, entry->location);
    const char *tag = etag(call, entry->location, shared);
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

/* Spark's and Trino's expire_snapshots and remove_orphan_files look at one state of the table, and refuse to work where gc.enabled is
 * false. */
static json_t *without_gc(firn_arena *arena, const json_t *document)
{
    json_t *copy = firn_json_own(arena, json_copy((json_t *)document));
    json_t *properties = json_copy(json_object_get(document, "properties"));
    properties = properties ? properties : json_object();
    json_object_set_new(properties, "gc.enabled", json_string("false"));
    json_object_set_new(copy, "properties", properties);
    return copy;
}

static void free_buf(void *ctx)
{
    free(ctx);
}

/* The document as it is stored, without making the text of its parts that earlier answers had. */
static void reply_stored(firn_call *call, const char *location, const firn_metadata *metadata)
{
    firn_buf text = {0};
    firn_buf_putc(&text, '{');
    if (location) {
        firn_buf_puts(&text, "\"metadata-location\":");
        firn_json_escape(&text, location);
        firn_buf_putc(&text, ',');
    }
    firn_buf_puts(&text, "\"metadata\":");
    firn_metadata_write(metadata, &text);
    firn_buf_puts(&text, ",\"config\":{}}");
    firn_arena_defer(call->arena, free_buf, text.data);
    call->response->status = 200;
    call->response->body = firn_buf_bytes(&text);
    firn_reply_header(call, "Content-Type", "application/json");
}

firn_rc firn_reply_table(firn_call *call, const char *ref, const char *location,
                         const firn_metadata *metadata, firn_err *err)
{
    (void)err;
    bool shared = is_shared(call, ref, metadata->table_uuid, location);
    json_t *document =
        wants_refs_only(call) ? with_ref_snapshots(call->arena, metadata) : metadata->json;
    if (shared) {
        document = without_gc(call->arena, document);
    }
    if (location) {
        firn_reply_header(call, "ETag", etag(call, location, shared));
    }
    if (document == metadata->json) {
        reply_stored(call, location, metadata);
        return FIRN_OK;
    }
    json_t *body = json_object();
    if (location) {
        json_object_set_new(body, "metadata-location", json_string(location));
    }
    json_object_set(body, "metadata", document);
    json_object_set_new(body, "config", json_object());
    firn_reply_json(call, 200, body);
    return FIRN_OK;
}

/* The answer for a whole, unshared document is the file's own text with a few bytes around it: a document with a thousand snapshots
 * takes much longer to be written again than to be read. False when the file is not plain JSON, or cannot be read. */
static bool reply_file(firn_call *call, const char *location)
{
    firn_bytes text;
    firn_err err;
    firn_rc rc = firn_storage_get(firn_catalog_storage(call->catalog), call->arena, location,
                                  FIRN_METADATA_BYTES_MAX, &text, &err);
    if (rc != FIRN_OK || text.len < 2 || text.data[0] != '{') {
        return false;
    }
    json_t *name = json_string(location);
    const char *quoted = firn_json_text(call->arena, firn_json_own(call->arena, name));
    const char *head =
        firn_arena_printf(call->arena, "{\"metadata-location\":%s,\"metadata\":", quoted);
    static const char tail[] = ",\"config\":{}}";
    size_t head_len = strlen(head), tail_len = sizeof(tail) - 1;
    char *body = firn_arena_alloc(call->arena, head_len + text.len + tail_len);
    memcpy(body, head, head_len);
    memcpy(body + head_len, text.data, text.len);
    memcpy(body + head_len + text.len, tail, tail_len);
    firn_reply_header(call, "ETag", etag(call, location, false));
    firn_reply_header(call, "Content-Type", "application/json");
    call->response->status = 200;
    call->response->body = firn_bytes_of((const uint8_t *)body, head_len + text.len + tail_len);
    return true;
}

firn_rc firn_reply_table_at(firn_call *call, const char *ref, const char *location, firn_err *err)
{
    firn_metadata *metadata;
    FIRN_TRY(firn_catalog_metadata_at(call->catalog, call->arena, location, &metadata, err));
    bool shared = is_shared(call, ref, metadata->table_uuid, location);
    if (!shared && !wants_refs_only(call) && reply_file(call, location)) {
        return FIRN_OK;
    }
    return firn_reply_table(call, ref, location, metadata, err);
}
