/* AWS Signature Version 4 (docs: "Create a signed AWS API request"). */
#ifndef NET_SIGV4_H
#define NET_SIGV4_H

#include "net/http_client.h"

typedef struct firn_sigv4_request {
    const char *method;
    const char *url; /* absolute, as it is sent */
    firn_bytes body;
    int64_t time_us;
} firn_sigv4_request;

/* The headers that sign the request: X-Amz-Date, X-Amz-Content-Sha256, X-Amz-Security-Token (with a session token) and
 * Authorization; host is signed, too. INVALID: the URL is none. */
firn_rc firn_sigv4_sign(firn_arena *arena, const firn_http_auth *auth,
                        const firn_sigv4_request *request, firn_http_header headers[4], size_t *n,
                        firn_err *err) FIRN_MUST_USE;

/* The parts, for the test with the published examples. */
char *firn_sigv4_canonical_path(firn_arena *arena, const char *path, bool encode_again);
char *firn_sigv4_canonical_query(firn_arena *arena, const char *query);
char *firn_sigv4_signature(firn_arena *arena, const char *secret_key, const char *date,
                           const char *region, const char *service, const char *string_to_sign);

#endif
