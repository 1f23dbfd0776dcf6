/* The compressors: there and back, bounds on what comes out, damage. */
#include "compress.h"

#include <lz4frame.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

typedef struct codec {
    const char *name;
    firn_rc (*compress)(firn_bytes plain, firn_buf *out, firn_err *err);
    firn_rc (*decompress)(firn_bytes packed, size_t max, firn_buf *out, firn_err *err);
} codec;

static firn_rc deflate_default(firn_bytes plain, firn_buf *out, firn_err *err)
{
    return firn_deflate_compress(plain, 0, out, err);
}

static firn_rc zstd_default(firn_bytes plain, firn_buf *out, firn_err *err)
{
    return firn_zstd_compress(plain, 0, out, err);
}

static firn_rc lz4_default(firn_bytes plain, firn_buf *out, firn_err *err)
{
    (void)err;
    size_t bound = LZ4F_compressFrameBound(plain.len, NULL);
    uint8_t *room = firn_buf_reserve(out, bound);
    out->len += LZ4F_compressFrame(room, bound, plain.data, plain.len, NULL);
    return FIRN_OK;
}

static const codec codecs[] = {
    {"deflate", deflate_default, firn_deflate_decompress},
    {"snappy", firn_snappy_compress, firn_snappy_decompress},
    {"zstd", zstd_default, firn_zstd_decompress},
    {"lz4", lz4_default, firn_lz4_decompress},
};
enum { CODECS = sizeof codecs / sizeof *codecs };

/* Half noise, half repetition. */
static void make_plain(firn_buf *plain, size_t len)
{
    uint32_t noise = 1;
    while (plain->len < len) {
        noise = noise * 1664525u + 1013904223u;
        firn_buf_putc(plain, plain->len % 64 < 32 ? (uint8_t)(noise >> 24) : 'a');
    }
}

static void there_and_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 100, 65536, 65537, 1000000};
    for (int c = 0; c < CODECS; c++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            FIRN_AUTO_BUF firn_buf plain = {0}, packed = {0}, back = {0};
            firn_err err = {0};
            make_plain(&plain, sizes[i]);
            firn_buf_puts(&back, "kept"); /* output is appended */
            assert_int_equal(codecs[c].compress(firn_buf_bytes(&plain), &packed, &err), FIRN_OK);
            if (codecs[c].decompress(firn_buf_bytes(&packed), sizes[i], &back, &err) != FIRN_OK)
                fail_msg("%s, %zu bytes: %s", codecs[c].name, sizes[i], err.message);
            assert_int_equal(back.len, sizes[i] + 4);
            assert_memory_equal(back.data, "kept", 4);
            if (sizes[i] > 0)
                assert_memory_equal(back.data + 4, plain.data, sizes[i]);
        }
    }
}

/* One byte more than allowed is refused, and a bomb is not inflated to find that out. */
static void output_is_bounded(void **state)
{
    (void)state;
    enum { PLAIN = 64 << 20, BOUND = 1 << 20 };
    uint8_t *zeros = calloc(1, PLAIN);
    for (int c = 0; c < CODECS; c++) {
        FIRN_AUTO_BUF firn_buf packed = {0}, back = {0};
        firn_err err = {0};
        assert_int_equal(codecs[c].compress(firn_bytes_of(zeros, PLAIN), &packed, &err), FIRN_OK);
        firn_bytes input = firn_buf_bytes(&packed);
        assert_int_equal(codecs[c].decompress(input, BOUND, &back, &err), FIRN_E_LIMIT);
        assert_true(back.len <= BOUND + 1);
        assert_true(back.cap <= 4 * BOUND);
        firn_buf_clear(&back);
        assert_int_equal(codecs[c].decompress(input, PLAIN - 1, &back, &err), FIRN_E_LIMIT);
        firn_buf_clear(&back);
        assert_int_equal(codecs[c].decompress(input, PLAIN, &back, &err), FIRN_OK);
    }
    free(zeros);
}

static void cut_input_is_corrupt(void **state)
{
    (void)state;
    for (int c = 0; c < CODECS; c++) {
        FIRN_AUTO_BUF firn_buf plain = {0}, packed = {0}, back = {0};
        firn_err err = {0};
        make_plain(&plain, 2000);
        assert_int_equal(codecs[c].compress(firn_buf_bytes(&plain), &packed, &err), FIRN_OK);
        for (size_t len = 0; len < packed.len; len++) {
            firn_buf_clear(&back);
            uint8_t *cut = malloc(len ? len : 1); /* so that a read past it is seen */
            memcpy(cut, packed.data, len);
            firn_rc rc = codecs[c].decompress(firn_bytes_of(cut, len), 1 << 20, &back, &err);
            free(cut);
            if (rc != FIRN_E_CORRUPT)
                fail_msg("%s: %zu of %zu bytes gave code %d", codecs[c].name, len, packed.len, rc);
        }
    }
}

static void zstd_frames_may_follow_each_other(void **state)
{
    (void)state;
    FIRN_AUTO_BUF firn_buf packed = {0}, back = {0};
    firn_err err = {0};
    assert_int_equal(firn_zstd_compress(firn_bytes_str("one "), 0, &packed, &err), FIRN_OK);
    assert_int_equal(firn_zstd_compress(firn_bytes_str("two"), 19, &packed, &err), FIRN_OK);
    assert_int_equal(firn_zstd_decompress(firn_buf_bytes(&packed), 100, &back, &err), FIRN_OK);
    assert_string_equal(firn_buf_cstr(&back), "one two");
}

/* fastavro before 1.0 left three bytes of a checksum after the stream. */
static void bytes_after_a_deflate_stream_are_ignored(void **state)
{
    (void)state;
    FIRN_AUTO_BUF firn_buf packed = {0}, back = {0};
    firn_err err = {0};
    assert_int_equal(firn_deflate_compress(firn_bytes_str("text"), 9, &packed, &err), FIRN_OK);
    firn_buf_puts(&packed, "abc");
    assert_int_equal(firn_deflate_decompress(firn_buf_bytes(&packed), 100, &back, &err), FIRN_OK);
    assert_string_equal(firn_buf_cstr(&back), "text");
}

/* One context for many frames, of whatever sizes. */
static void many_frames_by_one_zstd(void **state)
{
    (void)state;
    firn_err err = {0};
    FIRN_AUTO_BUF firn_buf plain = {0}, packed = {0}, again = {0};
    firn_zstd *zstd = firn_zstd_new(1);
    for (size_t len = 0; len < 300000; len = len * 3 + 1) {
        firn_buf_clear(&packed);
        firn_buf_clear(&again);
        make_plain(&plain, len);
        assert_int_equal(firn_zstd_pack(zstd, firn_buf_bytes(&plain), &packed, &err), FIRN_OK);
        assert_int_equal(firn_zstd_decompress(firn_buf_bytes(&packed), len, &again, &err), FIRN_OK);
        assert_int_equal(again.len, len);
    }
    firn_zstd_free(zstd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(many_frames_by_one_zstd),
        cmocka_unit_test(output_is_bounded),
        cmocka_unit_test(cut_input_is_corrupt),
        cmocka_unit_test(zstd_frames_may_follow_each_other),
        cmocka_unit_test(bytes_after_a_deflate_stream_are_ignored),
    };
    return cmocka_run_group_tests_name("format/compress", tests, NULL, NULL);
}
