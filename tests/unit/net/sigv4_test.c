/* AWS signatures, against the examples of AWS's own documentation and test suite. */
#include "sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

static void test_signature_of_the_documented_example(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    /* get-vanilla of the AWS Signature Version 4 test suite. */
    const char *to_sign =
        "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/service/aws4_request\n"
        "bb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63";
    assert_string_equal(
        firn_sigv4_signature(arena, SECRET, "20150830", "us-east-1", "service", to_sign),
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

static void test_path_is_encoded_once_more_except_for_s3(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    assert_string_equal(firn_sigv4_canonical_path(arena, "/v1/a%1Fb/t", true), "/v1/a%251Fb/t");
    assert_string_equal(firn_sigv4_canonical_path(arena, "/v1/a%1Fb/t", false), "/v1/a%1Fb/t");
    assert_string_equal(firn_sigv4_canonical_path(arena, "", true), "/");
}

static void test_query_is_sorted_and_encoded_anew(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    assert_string_equal(firn_sigv4_canonical_query(arena, "b=2&a=x+y&a=1%2F2&ab&B="),
                        "B=&a=1%2F2&a=x%20y&ab=&b=2");
    assert_string_equal(firn_sigv4_canonical_query(arena, ""), "");
}

static void test_headers_of_a_request(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err err = {0};
    firn_http_auth auth = {.kind = FIRN_HTTP_AUTH_SIGV4,
                           .region = "eu-west-1",
                           .service = "glue",
                           .access_key = "AKIDEXAMPLE",
                           .secret_key = SECRET,
                           .session_token = "a-token"};
    firn_sigv4_request request = {.method = "GET",
                                  .url =
                                      "https://Glue.example.com:443/iceberg/v1/config?warehouse=w",
                                  .time_us = INT64_C(1440938160) * 1000000};
    firn_http_header headers[4];
    size_t n;
    assert_int_equal(firn_sigv4_sign(arena, &auth, &request, headers, &n, &err), FIRN_OK);
    assert_int_equal(n, 4);
    assert_string_equal(headers[0].value, "20150830T123600Z");
    assert_string_equal(headers[1].value,
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_string_equal(headers[2].value, "a-token");
    assert_non_null(
        strstr(headers[3].value,
               "Credential=AKIDEXAMPLE/20150830/eu-west-1/glue/aws4_request, "
               "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token, "
               "Signature="));
    assert_null(strstr(headers[3].value, SECRET));
    const char *first = headers[3].value;
    auth.secret_key = "another";
    assert_int_equal(firn_sigv4_sign(arena, &auth, &request, headers, &n, &err), FIRN_OK);
    assert_string_not_equal(first, headers[3].value);
    request.url = "no url";
    assert_int_equal(firn_sigv4_sign(arena, &auth, &request, headers, &n, &err), FIRN_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signature_of_the_documented_example),
        cmocka_unit_test(test_path_is_encoded_once_more_except_for_s3),
        cmocka_unit_test(test_query_is_sorted_and_encoded_anew),
        cmocka_unit_test(test_headers_of_a_request),
    };
    return cmocka_run_group_tests_name("sigv4", tests, NULL, NULL);
}
