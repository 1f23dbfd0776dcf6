/* Arenas: alignment, growth, defers, reset; and the arrays that grow in them. */
#include "base/arena.h"

#include "base/vec.h"

#include <stdbool.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void items_are_aligned_and_apart(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    enum { N = 3000 };
    unsigned char *items[N];
    for (size_t i = 0; i < N; i++) { /* from the first block, through chunks of every size */
        items[i] = firn_arena_alloc(arena, i);
        assert_int_equal((uintptr_t)items[i] % 16, 0);
        memset(items[i], (int)(i % 251), i);
    }
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_int_equal(items[i][k], i % 251);
        }
    }
    assert_int_equal(firn_arena_used_bytes(arena), (size_t)N * (N - 1) / 2);
}

static void big_items_do_not_end_the_current_chunk(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    char *small = firn_arena_strdup(arena, "small");
    char *big = firn_arena_zalloc(arena, 10 << 20);
    char *next = firn_arena_strdup(arena, "next");
    big[(10 << 20) - 1] = 'x';
    assert_string_equal(small, "small");
    assert_string_equal(next, "next");
    assert_int_equal(big[0], 0);
}

static void zero_size_gives_a_pointer(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    assert_non_null(firn_arena_alloc(arena, 0));
    assert_non_null(firn_arena_zalloc(arena, 0));
    assert_non_null(firn_arena_memdup(arena, NULL, 0));
    assert_non_null(FIRN_NEW_N(arena, int64_t, 0));
}

static void zalloc_zeroes_used_memory(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    memset(firn_arena_alloc(arena, 1000), 0xFF, 1000);
    firn_arena_reset(arena);
    const unsigned char *zeroes = firn_arena_zalloc(arena, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(zeroes[i], 0);
    }
}

static void texts_are_copied(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    assert_null(firn_arena_strdup(arena, NULL));
    assert_string_equal(firn_arena_strdup(arena, "abc"), "abc");
    assert_string_equal(firn_arena_strndup(arena, "abc", 2), "ab");
    assert_string_equal(firn_arena_strndup(arena, "abc", 9), "abc");
    assert_string_equal(firn_arena_strndup(arena, NULL, 0), "");
    assert_memory_equal(firn_arena_memdup(arena, "a\0b", 3), "a\0b", 3);
}

static void printf_takes_any_length(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    assert_string_equal(firn_arena_printf(arena, "%d-%s", 7, "x"), "7-x");
    assert_string_equal(firn_arena_printf(arena, "%s", ""), "");
    for (int len = 250; len < 260; len++) { /* around the size of its inner buffer */
        char *text = firn_arena_printf(arena, "%0*d", len, 7);
        assert_int_equal(strlen(text), len);
        assert_int_equal(text[len - 1], '7');
    }
}

typedef struct trace {
    int order[8];
    int len;
    firn_arena *arena;
} trace;

static trace seen;

static void note_1(void *ctx)
{
    assert_ptr_equal(ctx, &seen);
    seen.order[seen.len++] = 1;
}

static void note_2(void *ctx)
{
    (void)ctx;
    seen.order[seen.len++] = 2;
}

static void note_3_and_defer_1(void *ctx)
{
    trace *t = ctx;
    t->order[t->len++] = 3;
    firn_arena_defer(t->arena, note_1, t);
}

static void defers_run_in_reverse(void **state)
{
    (void)state;
    firn_arena *arena = firn_arena_new();
    seen = (trace){.arena = arena};
    firn_arena_defer(arena, note_1, &seen);
    firn_arena_defer(arena, note_2, &seen);
    firn_arena_free(arena);
    assert_int_equal(seen.len, 2);
    assert_int_equal(seen.order[0], 2);
    assert_int_equal(seen.order[1], 1);
}

static void defers_run_once_at_reset(void **state)
{
    (void)state;
    firn_arena *arena = firn_arena_new();
    seen = (trace){.arena = arena};
    firn_arena_defer(arena, note_2, &seen);
    firn_arena_reset(arena);
    assert_int_equal(seen.len, 1);
    firn_arena_free(arena);
    assert_int_equal(seen.len, 1);
}

static void defers_added_while_they_run_run_too(void **state)
{
    (void)state;
    firn_arena *arena = firn_arena_new();
    seen = (trace){.arena = arena};
    firn_arena_defer(arena, note_3_and_defer_1, &seen);
    firn_arena_free(arena);
    assert_int_equal(seen.len, 2);
    assert_int_equal(seen.order[0], 3);
    assert_int_equal(seen.order[1], 1);
}

static void reset_starts_over(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++) {
            memset(firn_arena_alloc(arena, 100), round, 100);
        }
        assert_int_equal(firn_arena_used_bytes(arena), 100000);
        firn_arena_reset(arena);
        assert_int_equal(firn_arena_used_bytes(arena), 0);
    }
}

static void auto_arena_is_freed_at_scope_exit(void **state)
{
    (void)state;
    seen = (trace){0};
    {
        FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
        firn_arena_defer(arena, note_2, NULL);
    }
    assert_int_equal(seen.len, 1);
    firn_arena_free(NULL);
}

static void mul_size_multiplies(void **state)
{
    (void)state;
    assert_int_equal(firn_mul_size(6, 7), 42);
    assert_int_equal(firn_mul_size(0, SIZE_MAX), 0);
    assert_int_equal(firn_mul_size(1, SIZE_MAX), SIZE_MAX);
}

static void libc_wrappers_give_memory(void **state)
{
    (void)state;
    void *none = firn_malloc(0);
    int *zeroes = firn_calloc(4, sizeof(int));
    char *text = firn_strdup("abc");
    assert_non_null(none);
    assert_int_equal(zeroes[3], 0);
    text = firn_realloc(text, 1000);
    assert_string_equal(text, "abc");
    free(none);
    free(zeroes);
    free(text);
}

static void vec_grows_and_keeps_items(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    FIRN_VEC(int64_t) numbers = {0};
    for (int64_t i = 0; i < 10000; i++) {
        firn_vec_push(arena, &numbers, i * i);
        assert_true(numbers.len <= numbers.cap);
    }
    assert_int_equal(numbers.len, 10000);
    for (size_t i = 0; i < numbers.len; i++) {
        assert_int_equal(numbers.items[i], i * i);
    }
    assert_int_equal(firn_vec_last(&numbers), 9999 * 9999);
}

static void vec_reserve_does_not_move_again(void **state)
{
    (void)state;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    FIRN_VEC(const char *) names = {0};
    firn_vec_reserve(arena, &names, 1000);
    const char **before = names.items;
    for (int i = 0; i < 1000; i++) {
        firn_vec_push(arena, &names, "x");
    }
    assert_ptr_equal(names.items, before);
    assert_int_equal(names.cap, 1000);
}

static void vec_push_zero_clears_the_item(void **state)
{
    (void)state;
    typedef struct pair {
        int64_t a;
        const char *b;
    } pair;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    FIRN_VEC(pair) pairs = {0};
    for (int i = 0; i < 100; i++) {
        pair *p = firn_vec_push_zero(arena, &pairs);
        assert_int_equal(p->a, 0);
        assert_null(p->b);
        *p = (pair){.a = i, .b = "b"};
    }
    pairs.len = 50; /* pushing over items that were there before */
    assert_null(firn_vec_push_zero(arena, &pairs)->b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_aligned_and_apart),
        cmocka_unit_test(big_items_do_not_end_the_current_chunk),
        cmocka_unit_test(zero_size_gives_a_pointer),
        cmocka_unit_test(zalloc_zeroes_used_memory),
        cmocka_unit_test(texts_are_copied),
        cmocka_unit_test(printf_takes_any_length),
        cmocka_unit_test(defers_run_in_reverse),
        cmocka_unit_test(defers_run_once_at_reset),
        cmocka_unit_test(defers_added_while_they_run_run_too),
        cmocka_unit_test(reset_starts_over),
        cmocka_unit_test(auto_arena_is_freed_at_scope_exit),
        cmocka_unit_test(mul_size_multiplies),
        cmocka_unit_test(libc_wrappers_give_memory),
        cmocka_unit_test(vec_grows_and_keeps_items),
        cmocka_unit_test(vec_reserve_does_not_move_again),
        cmocka_unit_test(vec_push_zero_clears_the_item),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
