/* What ksqlDB says when it says no.
 *
 *     {"@type": "statement_error", "error_code": 40001, "message": "line 1:24: Syntax Error\n\nStatement: ...", "statementText": "..."}
 *
 * The code's first three digits are the status of HTTP. Whatever else answers (a proxy, another server) is told by its first bytes.
 */
#include "ksqldb_private.h"

enum { MESSAGE_BYTES_MAX = 500, FIRST_BYTES_MAX = 120 };

char *firn_ksqldb_one_line(firn_arena *arena, const char *text)
{
    char *out = firn_arena_strdup(arena, text);
    size_t n = 0;
    for (const char *at = text; *at && n < MESSAGE_BYTES_MAX; at++) {
        bool blank = (*at >= 0 && *at <= ' ') || *at == 0x7f;
        if (!blank)
            out[n++] = *at;
        else if (n > 0 && out[n - 1] != ' ')
            out[n++] = ' ';
    }
    while (n > 0 && (out[n - 1] == ' ' || (n == MESSAGE_BYTES_MAX && (out[n - 1] & 0x80))))
        n--; /* nor half a character at the end */
    out[n] = '\0';
    return out;
}

const char *firn_ksqldb_first_bytes(firn_arena *arena, firn_bytes body)
{
    if (body.len == 0)
        return "nothing";
    char text[FIRST_BYTES_MAX + 1];
    size_t n = body.len < FIRST_BYTES_MAX ? body.len : FIRST_BYTES_MAX;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = body.data[i];
        text[i] = (char)(c >= ' ' && c < 0x7f                  ? c
                         : c == '\n' || c == '\r' || c == '\t' ? ' '
                                                               : '?');
    }
    text[n] = '\0';
    return firn_arena_printf(arena, "\"%s\"%s", text, n < body.len ? "..." : "");
}

void firn_ksqldb_refusal_read(const firn_ksqldb *ksqldb, firn_arena *arena,
                              firn_ksqldb_refusal *refusal)
{
    json_t *json;
    if (firn_json_parse(arena, refusal->body, "answer", &json, NULL) != FIRN_OK)
        return;
    refusal->code = json_integer_value(json_object_get(json, "error_code"));
    const char *message = json_string_value(json_object_get(json, "message"));
    if (message)
        refusal->message =
            firn_ksqldb_one_line(arena, firn_http_redact(ksqldb->client, arena, message));
}

firn_rc firn_ksqldb_rc(int64_t code, int status)
{
    if (code >= 10000 && code <= 99999)
        status = (int)(code / 100);
    switch (status) {
    case 400: return code == 40003 ? FIRN_E_BUSY : FIRN_E_SYNTAX; /* 40003: too many push queries */
    case 401:
    case 403: return FIRN_E_PERMISSION;
    case 404: return FIRN_E_NOT_FOUND;
    case 429: return FIRN_E_BUSY;
    case 500: return FIRN_E_IO;
    case 502:
    case 503:
    case 504: return FIRN_E_UNAVAILABLE;
    default: return code != 0 ? FIRN_E_IO : FIRN_E_CORRUPT;
    }
}

static const char *advice(firn_rc rc, int64_t code)
{
    if (code == 50302)
        return ": it is starting, try again in a moment";
    if (code == 40003)
        return ": too many push queries run there; end some, or raise ksql.max.push.queries";
    switch (rc) {
    case FIRN_E_PERMISSION: return ": check the source's username and password or token";
    case FIRN_E_UNAVAILABLE: return ": try again later";
    default: return "";
    }
}

firn_rc firn_ksqldb_refused(const firn_ksqldb *ksqldb, firn_arena *arena,
                            const firn_ksqldb_refusal *r, const char *what, firn_err *err)
{
    firn_rc rc = firn_ksqldb_rc(r->code, r->status);
    const char *wait =
        r->retry_after ? firn_arena_printf(arena, ", which asks to wait %.20s s", r->retry_after)
                       : "";
    if (r->status >= 300 && r->status < 400) {
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "%s, %s: the answer is a redirect (HTTP %d) to %s: give the source that url",
                  ksqldb->shown, what, r->status,
                  r->location ? firn_url_for_message(arena, r->location) : "nowhere");
    }
    if (r->code == 0 && !r->message) {
        if (rc == FIRN_E_SYNTAX || rc == FIRN_E_NOT_FOUND)
            rc = FIRN_E_CORRUPT; /* no words of ksqlDB's */
        firn_err_set(err, __FILE__, __LINE__, rc,
                     "%s, %s: no answer of ksqlDB, but HTTP %d (%s) beginning with %s%s%s%s",
                     ksqldb->shown, what, r->status, r->content_type ? r->content_type : "no type",
                     firn_ksqldb_first_bytes(arena, r->body), wait, advice(rc, 0),
                     rc == FIRN_E_CORRUPT ? ": check the source's url" : "");
        return rc;
    }
    const char *code = r->code ? firn_arena_printf(arena, "error %lld", (long long)r->code)
                               : firn_arena_printf(arena, "HTTP %d", r->status);
    firn_err_set(err, __FILE__, __LINE__, rc, "ksqlDB at %s, %s: %s (%s%s)%s", ksqldb->shown, what,
                 r->message ? r->message : "no words", code, wait, advice(rc, r->code));
    if (err && rc == FIRN_E_IO)
        err->retriable = true;
    return rc;
}
