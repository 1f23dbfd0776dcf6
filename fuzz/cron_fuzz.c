/*
 * cron_fuzz.c - cron lines and time zones: what parses has a next time, and that is a due one.
 *
 * Up to the first NUL: the line. Behind it: a TZif file, or what does not start as one is a TZ string.
 */
#include "base/cron.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const firn_zone *zone_of(firn_arena *arena, const uint8_t *data, size_t size)
{
    const firn_zone *zone = NULL;
    firn_err err;
    firn_rc rc = size >= 4 && memcmp(data, "TZif", 4) == 0
                     ? firn_zone_parse_file(arena, firn_bytes_of(data, size), "zone", &zone, &err)
                     : firn_zone_parse_rule(
                           arena, firn_arena_strndup(arena, (const char *)data, size), &zone, &err);
    return rc == FIRN_OK ? zone : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_err err;
    firn_cron cron;
    char *line = firn_arena_strndup(arena, (const char *)data, size);
    size_t len = strlen(line);
    const firn_zone *zone = len < size ? zone_of(arena, data + len + 1, size - len - 1) : NULL;
    if (firn_cron_parse(line, &cron, &err) != FIRN_OK)
        return 0;
    int64_t us = INT64_C(1736942400000000); /* 2025-01-15 12:00 */
    for (int i = 0; i < 5; i++) {
        int64_t next_us = firn_cron_next_us(&cron, zone, us);
        if (next_us <= us)
            abort();
        if (next_us == INT64_MAX)
            break;
        int64_t local_s = next_us / 1000000 + firn_zone_offset_s(zone, next_us / 1000000, NULL);
        if (zone == NULL && !firn_cron_matches(&cron, local_s))
            abort();
        us = next_us;
    }
    return 0;
}
