/* Small parsers of text from outside: timestamps, dates, times, numbers, UUIDs, hex, UTF-8. What a value
 * is formatted as parses back to that value.
 */
#include "base/time.h"
#include "base/uuid.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_time(firn_arena *arena, const char *text)
{
    int64_t us;
    int64_t back;
    int32_t days;
    int32_t days_back;
    bool zone;
    if (firn_parse_timestamp(text, &us, &zone)) {
        assert(firn_parse_timestamp(firn_format_timestamp(arena, us, zone), &back, NULL));
        assert(back == us);
    }
    if (firn_parse_timestamp_ns(text, &us, NULL)) {
        assert(firn_parse_timestamp(text, &back, NULL)); /* the wider range holds it, too */
    }
    if (firn_parse_date(text, &days)) {
        assert(firn_parse_date(firn_format_date(arena, days), &days_back) && days_back == days);
    }
    if (firn_parse_time(text, &us)) {
        assert(firn_parse_time(firn_format_time(arena, us), &back) && back == us);
    }
}

static void check_numbers(firn_arena *arena, const char *text)
{
    int64_t integer;
    int64_t back;
    double real;
    if (firn_parse_i64(text, &integer)) {
        const char *printed = firn_arena_printf(arena, "%lld", (long long)integer);
        assert(firn_parse_i64(printed, &back) && back == integer);
        assert(firn_parse_f64(text, &real));
        assert(firn_format_bytes(arena, integer)[0] != '\0');
        assert(firn_format_count(arena, integer)[0] != '\0');
        assert(firn_format_duration(arena, integer)[0] != '\0');
    }
    if (firn_parse_f64(text, &real)) {
        assert(real - real == 0); /* finite */
    }
}

static void check_ids(firn_arena *arena, const char *text)
{
    uint8_t uuid[16];
    char printed[FIRN_UUID_TEXT_BYTES];
    firn_bytes bytes;
    if (firn_uuid_parse(text, uuid)) {
        firn_uuid_format(uuid, printed);
        assert(firn_strcaseeq(printed, text));
    }
    if (firn_unhex(arena, text, &bytes)) {
        assert(firn_strcaseeq(firn_hex(arena, bytes), text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *text = firn_arena_strndup(arena, (const char *)data, size);
    static const char *const names[] = {"warehouse", "catalog", "id"};
    size_t n;
    check_time(arena, text);
    check_numbers(arena, text);
    check_ids(arena, text);
    assert(firn_utf8_width(text) <= 2 * strlen(text));
    (void)firn_utf8_valid(firn_bytes_of(data, size));
    (void)firn_nearest(text, names, 3);
    char **parts = firn_str_split(arena, text, '-', &n);
    assert(firn_streq(firn_str_join(arena, (const char *const *)parts, n, "-"), text));
    return 0;
}
