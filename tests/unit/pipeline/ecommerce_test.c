/* The sample generator: the same options give the same bytes, and the dirt that the checks are to find is really there. */
#include "pipeline/pipeline.h"

#include "base/io.h"
#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct fixture {
    firn_arena *arena;
    char dir[64];
    firn_err err;
} fixture;

static int setup(void **state)
{
    fixture *f = calloc(1, sizeof(*f));
    strcpy(f->dir, "/tmp/firn-ecommerce-XXXXXX");
    if (mkdtemp(f->dir) == NULL) {
        abort();
    }
    f->arena = firn_arena_new();
    *state = f;
    return 0;
}

static const char *const file_names[] = {"customers.csv", "products.csv", "orders.csv"};

static int teardown(void **state)
{
    fixture *f = *state;
    for (size_t i = 0; i < 3; i++) {
        unlink(firn_path_join(f->arena, f->dir, file_names[i]));
    }
    rmdir(f->dir);
    firn_arena_free(f->arena);
    free(f);
    return 0;
}

static firn_bytes generate(fixture *f, int64_t scale, uint64_t seed, const char *file)
{
    firn_ecommerce_options options = {.dir = f->dir, .scale = scale, .seed = seed};
    firn_ecommerce_counts counts;
    firn_bytes bytes;
    assert_true(firn_parse_date("2024-12-31", &options.end_date));
    assert_int_equal(firn_ecommerce_generate(&options, &counts, &f->err), FIRN_OK);
    assert_int_equal(counts.customers, 1000 * scale);
    assert_int_equal(counts.products, 200 * scale);
    assert_int_equal(counts.orders, 5000 * scale);
    assert_int_equal(
        firn_file_read(f->arena, firn_path_join(f->arena, f->dir, file), 1 << 28, &bytes, &f->err),
        FIRN_OK);
    return bytes;
}

/* FNV-1a: any hash does, as long as it never changes. */
static uint64_t hash(firn_bytes bytes)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < bytes.len; i++) {
        h = (h ^ bytes.data[i]) * 1099511628211u;
    }
    return h;
}

static size_t lines(firn_bytes bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        n += bytes.data[i] == '\n';
    }
    return n;
}

static void the_seed_decides_every_byte(void **state)
{
    fixture *f = *state;
    static const uint64_t known[] = {0x44625a46bbd6c62au, 0x9f57091fe1caae85u, 0x4a21aa83405e0dfbu};
    for (size_t i = 0; i < 3; i++) {
        firn_bytes bytes = generate(f, 1, 42, file_names[i]);
        if (hash(bytes) != known[i]) {
            fail_msg("%s for seed 42 has hash 0x%llx", file_names[i],
                     (unsigned long long)hash(bytes));
        }
    }
    assert_true(hash(generate(f, 1, 43, "orders.csv")) != known[2]);
}

static void the_scale_multiplies_the_rows(void **state)
{
    fixture *f = *state;
    assert_int_equal(lines(generate(f, 1, 42, "customers.csv")), 1 + 1000);
    assert_int_equal(lines(generate(f, 1, 42, "products.csv")), 1 + 200);
    assert_int_equal(lines(generate(f, 3, 42, "orders.csv")), 1 + 15000);
}

/* Customers do not change when more of them are made; orders do, as they spread over more customers. */
static void a_row_does_not_depend_on_how_many_there_are(void **state)
{
    fixture *f = *state;
    firn_bytes few = generate(f, 1, 42, "customers.csv");
    firn_bytes many = generate(f, 2, 42, "customers.csv");
    assert_true(many.len > few.len);
    assert_memory_equal(few.data, many.data, few.len);
}

/* ---- dirt ---------------------------------------------------------------------------------------------- */

typedef struct dirt {
    int bad_quantity, no_customer, unknown_customer, bad_status, bad_date;
} dirt;

static dirt count_dirt(fixture *f, firn_bytes orders)
{
    dirt found = {0};
    size_t n_lines;
    char **rows = firn_str_split(f->arena, (const char *)orders.data, '\n', &n_lines);
    for (size_t i = 1; i < n_lines && rows[i][0] != '\0'; i++) {
        size_t n;
        int64_t quantity, customer;
        int32_t day;
        char **cell = firn_str_split(f->arena, rows[i], ',', &n);
        assert_int_equal(n, 8);
        assert_true(firn_parse_i64(cell[4], &quantity));
        found.bad_quantity += quantity < 1;
        found.no_customer += cell[1][0] == '\0';
        found.unknown_customer += firn_parse_i64(cell[1], &customer) && customer > 1000;
        found.bad_status += !firn_streq(cell[6], "completed") && !firn_streq(cell[6], "pending") &&
                            !firn_streq(cell[6], "cancelled");
        found.bad_date += !firn_parse_date(cell[3], &day);
    }
    return found;
}

static void some_rows_are_dirty_and_no_more(void **state)
{
    fixture *f = *state;
    dirt found = count_dirt(f, generate(f, 1, 42, "orders.csv"));
    assert_int_equal(found.bad_quantity, 16);
    assert_int_equal(found.no_customer, 10);
    assert_int_equal(found.unknown_customer, 5);
    assert_int_equal(found.bad_status, 7);
    assert_int_equal(found.bad_date, 0);
}

static void a_scale_out_of_bounds_is_refused(void **state)
{
    fixture *f = *state;
    static const int64_t bad[] = {0, -1, 10001};
    for (size_t i = 0; i < 3; i++) {
        firn_ecommerce_counts counts;
        firn_rc rc = firn_ecommerce_generate(
            &(firn_ecommerce_options){.dir = f->dir, .scale = bad[i]}, &counts, &f->err);
        assert_int_equal(rc, FIRN_E_INVALID);
        assert_non_null(strstr(f->err.message, "it must be between 1 and 10000"));
    }
}

static void a_folder_that_cannot_be_written_is_an_error(void **state)
{
    fixture *f = *state;
    firn_ecommerce_counts counts;
    firn_rc rc = firn_ecommerce_generate(&(firn_ecommerce_options){.dir = "/proc/firn", .scale = 1},
                                         &counts, &f->err);
    assert_int_not_equal(rc, FIRN_OK);
    assert_non_null(strstr(f->err.message, "/proc/firn"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_seed_decides_every_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(the_scale_multiplies_the_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(a_row_does_not_depend_on_how_many_there_are, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(some_rows_are_dirty_and_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(a_scale_out_of_bounds_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_that_cannot_be_written_is_an_error, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
