/* Time zones: see base/zone.h.
 *
 * A TZif file (RFC 9636), big-endian:
 *
 *   header  "TZif" version:1 zero:15 isutcnt:4 isstdcnt:4 leapcnt:4 timecnt:4 typecnt:4 charcnt:4
 *   data    timecnt instants (4 bytes each; 8 in the second block), ascending
 *           timecnt bytes: which type begins at that instant
 *           typecnt types: offset:4 is_dst:1 name:1
 *           charcnt bytes of names, leapcnt leap seconds, isstdcnt and isutcnt flags: not needed
 *   footer  "\n" TZ string "\n": what holds after the last instant
 *
 * From version 2 on a second header and data block with 8-byte instants follow, and the footer. Files with leap seconds ("right/...")
 * count other seconds than the rest of the world and are refused.
 */
#include "base/zone.h"

#include "base/io.h"
#include "base/time.h"

#include <ctype.h>
#include <stdlib.h>

enum {
    FILE_BYTES_MAX = 1 << 20,
    HEADER_BYTES = 44,
    TYPE_BYTES = 6,
    OFFSET_MAX_S = 26 * 3600,
    DAY_S = 86400,
};

/* When a rule's half of the year begins. */
typedef struct yearly {
    char
        kind; /* 'M': week `n` of `month`, on `weekday`; 'J': day n, 29 February never counted; '0': day n */
    int month, n, weekday; /* n: 5 is the last week */
    int64_t time_s;        /* of the day, by the clocks before the change */
} yearly;

typedef struct rule {
    int64_t standard_s, summer_s; /* offsets */
    bool has_summer;
    yearly begins, ends; /* of summer time */
} rule;

typedef struct change {
    int64_t at_s, offset_s;
} change;

struct firn_zone {
    int64_t first_s; /* offset before the first change */
    change *changes;
    size_t n;
    bool has_rule; /* after the last change */
    rule rule;
};

/* ---- TZ strings ---------------------------------------------------------------------------------------- */

static bool take_name(const char **at)
{
    const char *start = *at;
    if (**at == '<') {
        while (**at != '>') {
            if (*(*at)++ == '\0') {
                return false;
            }
        }
        (*at)++;
        return *at - start >= 5;
    }
    while (isalpha((unsigned char)**at)) {
        (*at)++;
    }
    return *at - start >= 3;
}

static bool take_number(const char **at, int64_t max, int64_t *out)
{
    const char *start = *at;
    *out = 0;
    while (isdigit((unsigned char)**at) && *out <= max) {
        *out = *out * 10 + (*(*at)++ - '0');
    }
    return *at > start && *out <= max;
}

/* "[+-]hh[:mm[:ss]]" */
static bool take_time(const char **at, int64_t hours_max, int64_t *out_s)
{
    int64_t sign = **at == '-' ? -1 : 1;
    int64_t part = 0;
    *at += **at == '-' || **at == '+';
    if (!take_number(at, hours_max, &part)) {
        return false;
    }
    *out_s = part * 3600;
    for (int64_t unit_s = 60; unit_s > 0 && **at == ':'; unit_s /= 60) {
        (*at)++;
        if (!take_number(at, 59, &part)) {
            return false;
        }
        *out_s += part * unit_s;
    }
    *out_s *= sign;
    return true;
}

/* "M3.5.0/2", "J60", "59" */
static bool take_yearly(const char **at, yearly *out)
{
    int64_t month = 0;
    int64_t n = 0;
    int64_t weekday = 0;
    bool ok;
    out->kind = **at == 'M' || **at == 'J' ? *(*at)++ : '0';
    if (out->kind == 'M') {
        ok = take_number(at, 12, &month) && month > 0 && *(*at)++ == '.' &&
             take_number(at, 5, &n) && n > 0 && *(*at)++ == '.' && take_number(at, 6, &weekday);
    } else {
        ok = take_number(at, 365, &n) && (out->kind == '0' || n > 0);
    }
    out->month = (int)month;
    out->n = (int)n;
    out->weekday = (int)weekday;
    out->time_s = 2 * 3600;
    if (ok && **at == '/') {
        (*at)++;
        ok = take_time(at, 167, &out->time_s);
    }
    return ok;
}

static bool take_rule(const char *at, rule *out)
{
    static const char UNITED_STATES[] = "M3.2.0,M11.1.0"; /* what "EST5EDT" alone means */
    int64_t west_s = 0;
    *out = (rule){0};
    if (!take_name(&at) || !take_time(&at, 24, &west_s)) {
        return false;
    }
    out->standard_s = -west_s;
    if (*at == '\0') {
        return true;
    }
    out->has_summer = true;
    out->summer_s = out->standard_s + 3600;
    if (!take_name(&at)) {
        return false;
    }
    if (*at != ',' && *at != '\0') {
        if (!take_time(&at, 24, &west_s)) {
            return false;
        }
        out->summer_s = -west_s;
    }
    at = *at == '\0' ? UNITED_STATES : *at == ',' ? at + 1 : "";
    return take_yearly(&at, &out->begins) && *at++ == ',' && take_yearly(&at, &out->ends) &&
           *at == '\0';
}

firn_rc firn_zone_parse_rule(firn_arena *arena, const char *text, const firn_zone **out,
                             firn_err *err)
{
    firn_zone *zone = FIRN_NEW(arena, firn_zone);
    zone->has_rule = true;
    if (!take_rule(text, &zone->rule)) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "\"%.100s\" is no TZ string such as CET-1CEST,M3.5.0,M10.5.0/3", text);
    }
    *out = zone;
    return FIRN_OK;
}

static bool is_leap(int32_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* The day in that year, since 1970. */
static int64_t day_of(const yearly *y, int32_t year)
{
    int32_t january = firn_days_from_civil(year, 1, 1);
    if (y->kind == '0') {
        return january + y->n;
    }
    if (y->kind == 'J') {
        return january + y->n - 1 + (is_leap(year) && y->n >= 60);
    }
    int32_t first = firn_days_from_civil(year, y->month, 1);
    int32_t next = y->month == 12 ? firn_days_from_civil(year + 1, 1, 1)
                                  : firn_days_from_civil(year, y->month + 1, 1);
    int weekday = (int)(((first + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    int32_t day = first + (y->weekday - weekday + 7) % 7 + (y->n - 1) * 7;
    return day >= next ? day - 7 : day;
}

static int by_time(const void *a, const void *b)
{
    const change *x = a;
    const change *y = b;
    return (x->at_s > y->at_s) - (x->at_s < y->at_s);
}

static int64_t rule_offset(const rule *r, int64_t utc_s, int64_t *until_s)
{
    enum { YEARS = 5 }; /* times of day reach a week over the day's ends */
    *until_s = INT64_MAX;
    const int64_t far_s = INT64_C(100000) * 365 * DAY_S;
    if (!r->has_summer || utc_s < -far_s || utc_s > far_s) {
        return r->standard_s;
    }
    firn_civil now;
    firn_civil_from_days((int32_t)(utc_s / DAY_S), &now);
    change all[2 * YEARS];
    size_t n = 0;
    for (int32_t year = now.year - 2; year <= now.year + 2; year++) {
        /* An end and a beginning at one instant are summer time that goes on. */
        all[n++] =
            (change){day_of(&r->ends, year) * DAY_S + r->ends.time_s - r->summer_s, r->standard_s};
        all[n++] = (change){day_of(&r->begins, year) * DAY_S + r->begins.time_s - r->standard_s,
                            r->summer_s};
    }
    /* In place and stable, which qsort is not. */
    for (size_t i = 1; i < n; i++) {
        for (size_t k = i; k > 0 && by_time(&all[k - 1], &all[k]) > 0; k--) {
            change other = all[k];
            all[k] = all[k - 1];
            all[k - 1] = other;
        }
    }
    int64_t offset_s = r->standard_s;
    for (size_t i = 0; i < n; i++) {
        if (all[i].at_s > utc_s) {
            *until_s = all[i].at_s;
            break;
        }
        offset_s = all[i].offset_s;
    }
    return offset_s;
}

/* ---- TZif ---------------------------------------------------------------------------------------------- */

typedef struct block {
    uint32_t leaps, times, types, chars, standards, utcs;
    size_t time_bytes; /* of an instant */
    const uint8_t *data;
    size_t length;
} block;

static uint64_t big_endian(const uint8_t *at, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

/* `bytes` starts at a header. Counts are bounded by the file's length before anything is allocated. */
static bool take_block(firn_bytes bytes, size_t time_bytes, block *out)
{
    if (bytes.len < HEADER_BYTES || memcmp(bytes.data, "TZif", 4) != 0) {
        return false;
    }
    const uint8_t *at = bytes.data + 20;
    *out = (block){
        .utcs = (uint32_t)big_endian(at, 4),
        .standards = (uint32_t)big_endian(at + 4, 4),
        .leaps = (uint32_t)big_endian(at + 8, 4),
        .times = (uint32_t)big_endian(at + 12, 4),
        .types = (uint32_t)big_endian(at + 16, 4),
        .chars = (uint32_t)big_endian(at + 20, 4),
        .time_bytes = time_bytes,
        .data = bytes.data + HEADER_BYTES,
    };
    uint64_t length = (uint64_t)out->times * (time_bytes + 1) + (uint64_t)out->types * TYPE_BYTES +
                      out->chars + (uint64_t)out->leaps * (time_bytes + 4) + out->standards +
                      out->utcs;
    out->length = (size_t)length;
    return length <= bytes.len - HEADER_BYTES && out->types > 0 && out->leaps == 0;
}

static bool type_offset(const block *b, size_t type, int64_t *out_s)
{
    const uint8_t *types = b->data + b->times * (b->time_bytes + 1);
    if (type >= b->types) {
        return false;
    }
    *out_s = (int32_t)(uint32_t)big_endian(types + type * TYPE_BYTES, 4);
    return *out_s >= -OFFSET_MAX_S && *out_s <= OFFSET_MAX_S;
}

static bool take_changes(firn_arena *arena, const block *b, firn_zone *zone)
{
    zone->changes = FIRN_NEW_N(arena, change, b->times);
    zone->n = b->times;
    if (!type_offset(b, 0, &zone->first_s)) {
        return false;
    }
    for (size_t i = 0; i < zone->n; i++) {
        uint64_t at = big_endian(b->data + i * b->time_bytes, b->time_bytes);
        change *c = &zone->changes[i];
        c->at_s = b->time_bytes == 4 ? (int32_t)(uint32_t)at : (int64_t)at;
        if (!type_offset(b, b->data[b->times * b->time_bytes + i], &c->offset_s) ||
            (i > 0 && c->at_s <= zone->changes[i - 1].at_s)) {
            return false;
        }
    }
    return true;
}

/* "\n" TZ string "\n"; an empty one says nothing. */
static bool take_footer(firn_arena *arena, firn_bytes rest, firn_zone *zone)
{
    const uint8_t *end = rest.len > 0 ? memchr(rest.data + 1, '\n', rest.len - 1) : NULL;
    if (end == NULL || rest.data[0] != '\n') {
        return false;
    }
    const char *text =
        firn_arena_strndup(arena, (const char *)rest.data + 1, (size_t)(end - rest.data) - 1);
    zone->has_rule = text[0] != '\0';
    return !zone->has_rule || take_rule(text, &zone->rule);
}

firn_rc firn_zone_parse_file(firn_arena *arena, firn_bytes bytes, const char *what,
                             const firn_zone **out, firn_err *err)
{
    firn_zone *zone = FIRN_NEW(arena, firn_zone);
    block b;
    bool ok = take_block(bytes, 4, &b);
    if (ok && bytes.data[4] >= '2') {
        size_t skip = HEADER_BYTES + b.length;
        firn_bytes second = firn_bytes_of(bytes.data + skip, bytes.len - skip);
        ok = take_block(second, 8, &b) &&
             take_footer(arena,
                         firn_bytes_of(b.data + b.length, second.len - HEADER_BYTES - b.length),
                         zone);
    }
    if (!ok || !take_changes(arena, &b, zone)) {
        FIRN_FAIL(err, FIRN_E_CORRUPT,
                  "%s is no time zone file that firn can use (TZif without leap "
                  "seconds)",
                  what);
    }
    *out = zone;
    return FIRN_OK;
}

/* ---- by name ------------------------------------------------------------------------------------------- */

static bool is_zone_name(const char *name)
{
    for (const char *at = name; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && strchr("_+-/", *at) == NULL) {
            return false;
        }
    }
    return name[0] != '\0' && name[0] != '/';
}

static firn_rc load_path(firn_arena *arena, const char *path, const firn_zone **out, firn_err *err)
{
    firn_bytes bytes;
    FIRN_TRY(firn_file_read(arena, path, FILE_BYTES_MAX, &bytes, err));
    return firn_zone_parse_file(arena, bytes, path, out, err);
}

static firn_rc load_named(firn_arena *arena, const char *name, const firn_zone **out, firn_err *err)
{
    const char *folder = getenv("TZDIR");
    folder = folder != NULL && folder[0] != '\0' ? folder : "/usr/share/zoneinfo";
    const char *path = firn_path_join(arena, folder, name);
    if (!firn_path_exists(path) || firn_path_is_dir(path)) {
        FIRN_FAIL(
            err, FIRN_E_NOT_FOUND,
            "there is no time zone %s in %s: zones are UTC, local, or names such as Europe/Paris "
            "(%s)",
            name, folder,
            firn_path_is_dir(folder) ? "case matters" : "the package tzdata brings them");
    }
    return load_path(arena, path, out, err);
}

/* As libc has it: $TZ names a file or is a TZ string, ":" in front or not; without it /etc/localtime. */
static firn_rc load_local(firn_arena *arena, const firn_zone **out, firn_err *err)
{
    const char *name = getenv("TZ");
    if (name == NULL) {
        static const char LOCAL[] = "/etc/localtime";
        *out = FIRN_NEW(arena, firn_zone);
        return firn_path_exists(LOCAL) ? load_path(arena, LOCAL, out, err) : FIRN_OK;
    }
    name += name[0] == ':';
    if (name[0] == '\0' || firn_streq(name, "UTC")) {
        *out = FIRN_NEW(arena, firn_zone);
        return FIRN_OK;
    }
    if (name[0] == '/') {
        return load_path(arena, name, out, err);
    }
    /* "EST5EDT" is both; the file knows its past. */
    firn_rc rc = is_zone_name(name) ? load_named(arena, name, out, err) : FIRN_E_NOT_FOUND;
    if (rc == FIRN_E_NOT_FOUND && firn_zone_parse_rule(arena, name, out, NULL) == FIRN_OK) {
        return FIRN_OK;
    }
    return is_zone_name(name) ? rc : firn_zone_parse_rule(arena, name, out, err);
}

firn_rc firn_zone_load(firn_arena *arena, const char *name, const firn_zone **out, firn_err *err)
{
    if (firn_streq(name, "UTC")) {
        *out = FIRN_NEW(arena, firn_zone);
        return FIRN_OK;
    }
    if (firn_streq(name, "local")) {
        return load_local(arena, out, err);
    }
    if (!is_zone_name(name)) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "\"%.100s\" is no time zone: write UTC, local, or a name such as Europe/Paris",
                  name);
    }
    return load_named(arena, name, out, err);
}

/* ---- offsets ------------------------------------------------------------------------------------------- */

int64_t firn_zone_offset_s(const firn_zone *zone, int64_t utc_s, int64_t *until_s)
{
    int64_t ignored;
    until_s = until_s != NULL ? until_s : &ignored;
    *until_s = INT64_MAX;
    if (zone == NULL) {
        return 0;
    }
    size_t low = 0; /* changes at or before utc_s */
    size_t high = zone->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->changes[middle].at_s <= utc_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == zone->n && zone->has_rule) {
        return rule_offset(&zone->rule, utc_s, until_s);
    }
    if (low < zone->n) {
        *until_s = zone->changes[low].at_s;
    }
    return low > 0 ? zone->changes[low - 1].offset_s : zone->first_s;
}
