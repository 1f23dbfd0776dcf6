/* Signed tokens: header "." payload "." HMAC-SHA256 over both. The header is compared as a whole, so that no token can choose its
 * own algorithm.
 */
#include "jwt.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static const char HEADER[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

char *firn_base64url(firn_arena *arena, firn_bytes bytes)
{
    char *out = firn_arena_alloc(arena, bytes.len / 3 * 4 + 5);
    size_t n = 0;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t group = (uint32_t)bytes.data[i] << 16;
        group |= left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
        group |= left > 2 ? bytes.data[i + 2] : 0;
        for (size_t k = 0; k < (left > 2 ? 4 : left + 1); k++) {
            out[n++] = ALPHABET[group >> (18 - 6 * k) & 63];
        }
    }
    out[n] = '\0';
    return out;
}

static int digit(char c)
{
    c = c == '+' ? '-' : c == '/' ? '_' : c;
    const char *at = c ? strchr(ALPHABET, c) : NULL;
    return at ? (int)(at - ALPHABET) : -1;
}

bool firn_base64_decode(firn_arena *arena, const char *text, size_t len, firn_bytes *out)
{
    while (len > 0 && text[len - 1] == '=') {
        len--;
    }
    uint8_t *data = firn_arena_alloc(arena, len / 4 * 3 + 3);
    size_t n = 0;
    uint32_t group = 0;
    for (size_t i = 0; i < len; i++) {
        int value = digit(text[i]);
        if (value < 0) {
            return false;
        }
        group = group << 6 | (uint32_t)value;
        if (i % 4 > 0) {
            data[n++] = (uint8_t)(group >> (6 - i % 4 * 2));
        }
    }
    *out = firn_bytes_of(data, n);
    return len % 4 != 1;
}

static char *signature(firn_arena *arena, const uint8_t *key, const char *text, size_t len)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    HMAC(EVP_sha256(), key, FIRN_JWT_KEY_BYTES, (const uint8_t *)text, len, mac, &mac_len);
    return firn_base64url(arena, firn_bytes_of(mac, mac_len));
}

char *firn_jwt_sign(firn_arena *arena, const uint8_t key[FIRN_JWT_KEY_BYTES], const json_t *claims)
{
    const char *text =
        firn_arena_printf(arena, "%s.%s", firn_base64url(arena, firn_bytes_str(HEADER)),
                          firn_base64url(arena, firn_bytes_str(firn_json_text(arena, claims))));
    return firn_arena_printf(arena, "%s.%s", text, signature(arena, key, text, strlen(text)));
}

json_t *firn_jwt_verify(firn_arena *arena, const uint8_t key[FIRN_JWT_KEY_BYTES], const char *token)
{
    const char *header = firn_base64url(arena, firn_bytes_str(HEADER));
    size_t header_len = strlen(header);
    const char *second = strrchr(token, '.');
    if (strlen(token) > FIRN_JWT_TEXT_BYTES_MAX || !second ||
        strncmp(token, header, header_len) != 0 || token[header_len] != '.' ||
        second <= token + header_len) {
        return NULL;
    }
    const char *wanted = signature(arena, key, token, (size_t)(second - token));
    if (strlen(second + 1) != strlen(wanted) ||
        CRYPTO_memcmp(second + 1, wanted, strlen(wanted)) != 0) {
        return NULL;
    }
    const char *payload = token + header_len + 1;
    firn_bytes text;
    json_t *claims;
    if (!firn_base64_decode(arena, payload, (size_t)(second - payload), &text) ||
        firn_json_parse(arena, text, "token", &claims, NULL) != FIRN_OK ||
        !json_is_object(claims)) {
        return NULL;
    }
    return claims;
}
