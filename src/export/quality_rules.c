/* The keys of "quality" in a feed's file: one table, from which they are read and checked. */
#include "quality_rules.h"

#include "export/quality.h"

#include "base/time.h"

enum { HISTORY_MIN = 5, HISTORY_MAX = 1000, DAY_MS = 86400000 };

#define DEFAULTS                                                                                   \
    (firn_quality_rules)                                                                           \
    {                                                                                              \
        .rows_min = -1, .rows_max = -1, .rows_deviation = 6, .nulls_deviation = 0.1, .history = 20 \
    }

typedef enum rule_kind {
    RULE_COUNT,    /* whole number, at least 0 */
    RULE_NUMBER,   /* above 0 */
    RULE_SHARE,    /* above 0, at most 1 */
    RULE_SHARES,   /* column to share, 0 to 1 */
    RULE_DURATION, /* "26h" */
    RULE_HISTORY,
    RULE_ON_ALERT,
} rule_kind;

typedef struct rule_row {
    const char *path;
    rule_kind kind;
    size_t offset;
    const char *wanted;
} rule_row;

#define AT(member) offsetof(firn_quality_rules, member)
static const rule_row RULES[] = {
    {"rows.min", RULE_COUNT, AT(rows_min), "a whole number, 0 or more"},
    {"rows.max", RULE_COUNT, AT(rows_max), "a whole number, 0 or more"},
    {"rows.deviation", RULE_NUMBER, AT(rows_deviation), "a number above 0, such as 6"},
    {"nulls.max", RULE_SHARES, AT(nulls_max),
     "an object of columns and shares from 0 to 1, {\"email\": 0.2}"},
    {"nulls.deviation", RULE_SHARE, AT(nulls_deviation),
     "a share above 0 and at most 1, such as 0.1"},
    {"stale_after", RULE_DURATION, AT(stale_after_ms), "a duration such as \"26h\" or \"2d\""},
    {"history", RULE_HISTORY, AT(history), "a whole number from 5 to 1000"},
    {"on_alert", RULE_ON_ALERT, AT(fails), "\"warn\" or \"fail\""},
};
enum { N_RULES = sizeof(RULES) / sizeof(RULES[0]) };

typedef struct reader {
    firn_arena *arena;
    const char *filename;
    firn_quality_rules *out;
} reader;

/* ---- values -------------------------------------------------------------------------------------------- */

static firn_rc bad_value(const reader *r, const rule_row *rule, const json_t *value, firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_CONFIG, "%s: quality.%s is %.200s, but it must be %s", r->filename,
              rule->path, firn_json_text(r->arena, value), rule->wanted);
}

static firn_rc check_shares(const reader *r, const rule_row *rule, const json_t *value,
                            firn_err *err)
{
    const char *column;
    json_t *share;
    json_object_foreach((json_t *)(uintptr_t)value, column, share)
    {
        double number = json_number_value(share);
        if (!json_is_number(share) || !(number >= 0 && number <= 1)) {
            FIRN_FAIL(
                err, FIRN_E_CONFIG,
                "%s: quality.%s of column \"%s\" is %.200s, but it must be a share from 0 (no "
                "nulls) to 1",
                r->filename, rule->path, column, firn_json_text(r->arena, share));
        }
    }
    return FIRN_OK;
}

static bool take_count(const json_t *value, int64_t min, int64_t max, int64_t *out)
{
    *out = json_integer_value(value);
    return json_is_integer(value) && *out >= min && *out <= max;
}

static bool take_number(const json_t *value, double max, double *out)
{
    *out = json_number_value(value);
    return json_is_number(value) && *out > 0 && *out <= max;
}

static bool take_duration(const json_t *value, int64_t *out_ms)
{
    const char *text = json_string_value(value);
    return text != NULL && firn_parse_duration(text, out_ms) && *out_ms > 0 &&
           *out_ms <= INT64_C(36500) * DAY_MS;
}

static bool take_on_alert(const json_t *value, bool *fails)
{
    const char *text = json_string_value(value);
    *fails = text != NULL && firn_streq(text, "fail");
    return text != NULL && (*fails || firn_streq(text, "warn"));
}

static firn_rc take(const reader *r, const rule_row *rule, const json_t *value, firn_err *err)
{
    void *at = (char *)r->out + rule->offset;
    bool ok = false;
    switch (rule->kind) {
    case RULE_COUNT: ok = take_count(value, 0, INT64_MAX, at); break;
    case RULE_HISTORY: ok = take_count(value, HISTORY_MIN, HISTORY_MAX, at); break;
    case RULE_NUMBER: ok = take_number(value, 1e9, at); break;
    case RULE_SHARE: ok = take_number(value, 1, at); break;
    case RULE_DURATION: ok = take_duration(value, at); break;
    case RULE_ON_ALERT: ok = take_on_alert(value, at); break;
    case RULE_SHARES:
        ok = json_is_object(value);
        if (ok) {
            FIRN_TRY(check_shares(r, rule, value, err));
            *(const json_t **)at = value;
        }
        break;
    }
    return ok ? FIRN_OK : bad_value(r, rule, value, err);
}

/* ---- keys ---------------------------------------------------------------------------------------------- */

static const rule_row *find_rule(const char *path, bool *is_section)
{
    size_t length = strlen(path);
    *is_section = false;
    for (size_t i = 0; i < N_RULES; i++) {
        if (firn_streq(RULES[i].path, path)) {
            return &RULES[i];
        }
        *is_section =
            *is_section || (firn_starts_with(RULES[i].path, path) && RULES[i].path[length] == '.');
    }
    return NULL;
}

static const char *leaf_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot != NULL ? dot + 1 : path;
}

static firn_rc unknown_key(const reader *r, const char *path, firn_err *err)
{
    const char *paths[N_RULES + 2] = {"rows", "nulls"};
    for (size_t i = 0; i < N_RULES; i++) {
        paths[i + 2] = RULES[i].path;
    }
    const char *nearest = firn_nearest(path, paths, N_RULES + 2);
    /* A key in the wrong section: "min" beside "rows". */
    for (size_t i = 0; i < N_RULES && nearest == NULL; i++) {
        nearest = firn_streq(leaf_of(path), leaf_of(RULES[i].path)) ? RULES[i].path : NULL;
    }
    if (nearest != NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s: there is no quality rule \"quality.%s\". Did you mean \"quality.%s\"?",
                  r->filename, path, nearest);
    }
    FIRN_FAIL(err, FIRN_E_CONFIG,
              "%s: there is no quality rule \"quality.%s\"; there are quality.%s", r->filename,
              path, firn_str_join(r->arena, paths + 2, N_RULES, ", quality."));
}

static firn_rc walk(const reader *r, const json_t *object, const char *prefix, firn_err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        const char *path = firn_arena_printf(r->arena, "%s%s", prefix, key);
        bool is_section;
        const rule_row *rule = find_rule(path, &is_section);
        if (rule == NULL && !is_section) {
            return unknown_key(r, path, err);
        }
        if (rule != NULL) {
            FIRN_TRY(take(r, rule, value, err));
        } else if (json_is_object(value)) {
            FIRN_TRY(walk(r, value, firn_arena_printf(r->arena, "%s.", path), err));
        } else {
            FIRN_FAIL(err, FIRN_E_CONFIG, "%s: quality.%s must be an object of rules, not %.200s",
                      r->filename, path, firn_json_text(r->arena, value));
        }
    }
    return FIRN_OK;
}

firn_rc firn_quality_rules_read(const json_t *quality, const char *filename,
                                firn_quality_rules *out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const reader r = {.arena = arena, .filename = filename, .out = out};
    *out = DEFAULTS;
    if (quality == NULL) {
        return FIRN_OK;
    }
    if (!json_is_object(quality)) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s: quality must be an object of rules, not %.200s",
                  filename, firn_json_text(arena, quality));
    }
    FIRN_TRY(walk(&r, quality, "", err));
    if (out->rows_min >= 0 && out->rows_max >= 0 && out->rows_min > out->rows_max) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s: quality.rows.min, %lld, is above quality.rows.max, %lld: no export could be "
                  "right",
                  filename, (long long)out->rows_min, (long long)out->rows_max);
    }
    return FIRN_OK;
}

firn_rc firn_quality_check_rules(const json_t *quality, const char *filename, firn_err *err)
{
    firn_quality_rules rules;
    return firn_quality_rules_read(quality, filename, &rules, err);
}
