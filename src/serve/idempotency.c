/* Idempotency-Key: a request that comes again under its key gets the answer that it got, and is not done again.
 *
 * A commit records its key in its own transaction, so its answer need not be kept: done again under the key it makes nothing and
 * answers what it left behind then. Only what has no commit is kept as an answer: final refusals, requests that changed nothing,
 * and the few answers that cannot be made again (call->keep_answer). So a commit pays for its key with one row and no second
 * write. Nothing that may end otherwise next time is kept: 5xx, and conflicts, which the client resolves by a new request.
 */
#include "call.h"

#include "catalog/idempotency.h"

#include "base/log.h"
#include "base/time.h"
#include "base/uuid.h"

#include <openssl/sha.h>

enum { KEPT_BODY_BYTES_MAX = 4 << 20 };
#define EXPIRE_EVERY_US (INT64_C(3600) * 1000 * 1000)

/* Of everything that the answer depends on; the key is not to be used for another request, nor by somebody else. */
static const char *fingerprint(const firn_call *call)
{
    const firn_http_request *r = call->request;
    const char *head =
        firn_arena_printf(call->arena, "%s\n%s\n%s\n%s\n", call->author ? call->author : "",
                          r->method, r->path, r->query ? r->query : "");
    uint8_t hash[SHA256_DIGEST_LENGTH];
    FIRN_AUTO_BUF firn_buf all = {0};
    firn_buf_puts(&all, head);
    firn_buf_append(&all, r->body.data, r->body.len);
    SHA256(all.data, all.len, hash);
    return firn_hex(call->arena, firn_bytes_of(hash, sizeof(hash)));
}

firn_rc firn_call_once_begin(firn_call *call, bool *answered, firn_err *err)
{
    const char *key = firn_http_request_header(call->request, "Idempotency-Key");
    *answered = false;
    if (!key || !(call->route->flags & FIRN_ROUTE_IDEMPOTENT)) {
        return FIRN_OK;
    }
    uint8_t uuid[16];
    if (strlen(key) != 36 || !firn_uuid_parse(key, uuid)) {
        FIRN_FAIL(err, FIRN_E_INVALID, "Idempotency-Key is \"%.60s\", but must be a UUID", key);
    }
    call->idempotency_key = firn_str_lower(call->arena, key);
    call->fingerprint = fingerprint(call);
    firn_idempotency_record *record;
    FIRN_TRY(firn_idempotency_get(call->catalog, call->arena, call->idempotency_key, &record, err));
    if (!record) {
        return FIRN_OK;
    }
    if (record->fingerprint[0] && !firn_streq(record->fingerprint, call->fingerprint)) {
        FIRN_CALL_FAIL(call, err, FIRN_E_INVALID, 422, "UnprocessableEntityException",
                       "Idempotency-Key %s was used for another request: a new request needs a new "
                       "key",
                       call->idempotency_key);
    }
    if (record->status == 0) {
        return FIRN_OK; /* a commit: done again, it answers what it left behind */
    }
    call->response->status = (int)record->status;
    if (record->body) {
        call->response->body = firn_bytes_str(record->body);
        firn_reply_header(call, "Content-Type", "application/json");
    }
    *answered = true;
    return FIRN_OK;
}

static void expire_now_and_then(firn_server *server)
{
    int64_t now = firn_now_us();
    int64_t last = __atomic_load_n(&server->expired_us, __ATOMIC_RELAXED);
    if (now - last < EXPIRE_EVERY_US ||
        !__atomic_compare_exchange_n(&server->expired_us, &last, now, false, __ATOMIC_RELAXED,
                                     __ATOMIC_RELAXED)) {
        return;
    }
    firn_err err = {0};
    if (firn_idempotency_expire(server->catalog, now, &err) != FIRN_OK) {
        firn_log(FIRN_LOG_WARN, "serve", "old idempotency keys could not be deleted: %s",
                 err.message);
    }
}

void firn_call_once_end(firn_call *call, firn_rc rc)
{
    const firn_http_response *response = call->response;
    if (!call->idempotency_key || !call->fingerprint) {
        return;
    }
    bool final = response->status < 500 && response->status != 408 && response->status != 429 &&
                 rc != FIRN_E_CONFLICT;
    bool can_be_made_again = rc == FIRN_OK && call->committed && !call->keep_answer;
    if (final && !can_be_made_again && response->body.len <= KEPT_BODY_BYTES_MAX) {
        firn_idempotency_record record = {
            .key = call->idempotency_key,
            .fingerprint = call->fingerprint,
            .status = response->status,
            .body = response->body.len > 0
                        ? firn_arena_strndup(call->arena, (const char *)response->body.data,
                                             response->body.len)
                        : NULL,
        };
        firn_err err = {0};
        if (firn_idempotency_put(call->catalog, &record, NULL, &err) != FIRN_OK) {
            firn_log(FIRN_LOG_WARN, "serve", "the answer for idempotency key %s is not kept: %s",
                     call->idempotency_key, err.message);
        }
    }
    expire_now_and_then(call->server);
}
