/* Answers: JSON bodies, and errors as the REST catalog specification writes them.
 *
 * The status of an error decides what a client does next (Java's ErrorHandlers, PyIceberg's and iceberg-rust's alike): on a commit
 * 409 is "rebuild and try again", 400 is final, and 500, 502, 503 and 504 are "nobody knows whether it happened". So:
 *   UNKNOWN_OUTCOME  500, as CommitStateUnknownException: files stay
 *   NO_SPACE         507: a failure that is known, final for the client, and neither retried nor taken for unknown; the idempotency
 *                    store does not keep it, being a 5xx, so the same request may come again once there is room
 *   UNSUPPORTED      501, which Java throws as UnsupportedOperationException (406 is a bare RESTException)
 *   NO_SNAPSHOT      400: as 404 a commit's handler would take it for a missing table
 */
#include "call.h"

#include "base/log.h"

void firn_reply_header(firn_call *call, const char *name, const char *value)
{
    firn_http_response_header(call->arena, call->response, name, value);
}

void firn_reply_json(firn_call *call, int status, json_t *json)
{
    firn_json_own(call->arena, json);
    call->response->status = status;
    call->response->body = firn_bytes_str(firn_json_text(call->arena, json));
    firn_reply_header(call, "Content-Type", "application/json");
}

void firn_reply_empty(firn_call *call, int status)
{
    call->response->status = status;
    call->response->body = (firn_bytes){0};
}

firn_bytes firn_error_body(firn_arena *arena, int status, const char *type, const char *message)
{
    json_t *text = json_string(message);
    json_t *body =
        json_pack("{s{s:o, s:s, s:i}}", "error", "message",
                  text ? text : json_string("the message holds bytes that are not UTF-8"), "type",
                  type, "code", status);
    return firn_bytes_str(firn_json_text(arena, firn_json_own(arena, body)));
}

static int status_of(firn_rc rc)
{
    switch (rc) {
    case FIRN_E_UNSUPPORTED: return 501;
    case FIRN_E_NO_SNAPSHOT: return 400;
    case FIRN_E_CANCELLED: return 503;
    default: return firn_rc_http_status(rc);
    }
}

void firn_reply_error(firn_call *call, firn_rc rc, const firn_err *err)
{
    int status = call->error_status ? call->error_status : status_of(rc);
    const char *type = call->error_type ? call->error_type : firn_rc_iceberg_type(rc);
    const char *message = err->message[0] ? err->message : firn_rc_name(rc);
    if (status >= 500) {
        firn_log(FIRN_LOG_WARN, "serve", "%s %s: %d: %s", call->request->method,
                 call->route ? call->route->pattern : "?", status, message);
    }
    call->response->status = status;
    call->response->headers.len = 0;
    firn_reply_header(call, "Content-Type", "application/json");
    if (status == 503) {
        firn_reply_header(call, "Retry-After", "1");
    }
    if (call->challenge) {
        firn_reply_header(call, "WWW-Authenticate", call->challenge);
    }
    if (call->allow) {
        firn_reply_header(call, "Allow", call->allow);
    }
    call->response->body = firn_error_body(call->arena, status, type, message);
}
