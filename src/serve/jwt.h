/* JSON Web Tokens of one kind: HS256 (RFC 7515, 7518, 7519), compact form.
 */
#ifndef SERVE_JWT_H
#define SERVE_JWT_H

#include "base/json.h"

enum { FIRN_JWT_KEY_BYTES = 32, FIRN_JWT_TEXT_BYTES_MAX = 4096 };

char *firn_jwt_sign(firn_arena *arena, const uint8_t key[FIRN_JWT_KEY_BYTES], const json_t *claims);
/* The claims of a token that was signed with this key; NULL for any other text. Says nothing about `exp`. */
json_t *firn_jwt_verify(firn_arena *arena, const uint8_t key[FIRN_JWT_KEY_BYTES],
                        const char *token);

/* RFC 4648, with '+' and '/' or with '-' and '_', with or without padding. */
char *firn_base64url(firn_arena *arena, firn_bytes bytes);
bool firn_base64_decode(firn_arena *arena, const char *text, size_t len, firn_bytes *out);

#endif
