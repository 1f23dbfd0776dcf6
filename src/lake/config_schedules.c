/* `schedules` of firn.yaml: lake/schedules.h. To add a member, add it to firn_schedule_config and one row here. */
#include "config_private.h"

#include "base/time.h"
#include "base/vec.h"

typedef enum member_kind {
    MEMBER_NAME,
    MEMBER_CRON,
    MEMBER_RUN,
    MEMBER_TEXT,
    MEMBER_DURATION,
    MEMBER_BOOL,
} member_kind;

typedef struct member_row {
    const char *name;
    member_kind kind;
    size_t offset;
    const char *value, *def; /* of the reference; def NULL: must be given */
    const char *help;
} member_row;

#define AT(member) offsetof(firn_schedule_config, member)
static const member_row MEMBERS[] = {
    {"name", MEMBER_NAME, AT(name), "text", NULL,
     "What it is called, also in file names: letters, digits, `_` and `-`."},
    {"cron", MEMBER_CRON, AT(cron), "cron line", NULL,
     "When: minute, hour, day of month, month, day of week; or @hourly, @daily, @weekly, @monthly, "
     "@yearly."},
    {"run", MEMBER_RUN, AT(run), "command", NULL,
     "One of firn's own commands with its options: `export --all`. No shell sees it."},
    {"timezone", MEMBER_TEXT, AT(timezone), "zone", "UTC",
     "Whose clocks the cron line is about: UTC, local (the machine's), or a name such as "
     "Europe/Paris."},
    {"timeout", MEMBER_DURATION, AT(timeout_ms), "duration", "24h",
     "A run that takes longer is ended: asked to (SIGTERM), and killed ten seconds later."},
    {"catch_up", MEMBER_BOOL, AT(catch_up), "true, false", "false",
     "Whether runs that were due while no server ran are made up for, by one run at its start."},
    {"enabled", MEMBER_BOOL, AT(enabled), "true, false", "true",
     "false: run by hand only (`firn schedule run`)."},
};
enum {
    N_MEMBERS = sizeof(MEMBERS) / sizeof(MEMBERS[0]),
    SCHEDULES_MAX = 1000,
    NAME_BYTES_MAX = 100
};

typedef struct reader {
    firn_arena *arena;
    const firn_yaml *yaml;
    const json_t *item;
    int line; /* of the item */
    firn_schedule_config *out;
} reader;

static const member_row *find_member(const char *name)
{
    for (size_t i = 0; i < N_MEMBERS; i++) {
        if (firn_streq(MEMBERS[i].name, name)) {
            return &MEMBERS[i];
        }
    }
    return NULL;
}

static firn_rc unknown_member(const reader *r, const char *name, int line, firn_err *err)
{
    const char *names[N_MEMBERS];
    for (size_t i = 0; i < N_MEMBERS; i++) {
        names[i] = MEMBERS[i].name;
    }
    const char *nearest = firn_nearest(name, names, N_MEMBERS);
    if (nearest != NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s:%d: a schedule has no member \"%s\". Did you mean \"%s\"?", r->yaml->filename,
                  line, name, nearest);
    }
    FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: a schedule has no member \"%s\"; it has %s",
              r->yaml->filename, line, name, firn_str_join(r->arena, names, N_MEMBERS, ", "));
}

/* ---- words --------------------------------------------------------------------------------------------- */

/* What a shell would make something of, standing by itself or at the start of a word. */
static bool is_for_a_shell(const char *word)
{
    return word[0] == '|' || word[0] == '>' || word[0] == '<' || word[0] == '&' || word[0] == ';' ||
           word[0] == '`' || firn_starts_with(word, "2>") || firn_starts_with(word, "$(");
}

/* One word from *at on; NULL if a quote is not closed. */
static char *take_word(firn_arena *arena, const char **at, bool *quoted)
{
    FIRN_AUTO_BUF firn_buf word = {0};
    *quoted = false;
    while (**at != '\0' && strchr(" \t\r\n", **at) == NULL) {
        char quote = **at;
        if (quote != '"' && quote != '\'') {
            firn_buf_putc(&word, (uint8_t) * (*at)++);
            continue;
        }
        const char *end = strchr(*at + 1, quote);
        if (end == NULL) {
            return NULL;
        }
        firn_buf_append(&word, *at + 1, (size_t)(end - *at) - 1);
        *quoted = true;
        *at = end + 1;
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&word));
}

static firn_rc take_words(const reader *r, const char *text, int line, firn_err *err)
{
    FIRN_VEC(char *) words = {0};
    for (const char *at = text + strspn(text, " \t\r\n"); *at != '\0';
         at += strspn(at, " \t\r\n")) {
        bool quoted;
        char *word = take_word(r->arena, &at, &quoted);
        if (word == NULL) {
            FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: a quote in `run` is not closed: %s",
                      r->yaml->filename, line, text);
        }
        if (!quoted && is_for_a_shell(word)) {
            FIRN_FAIL(
                err, FIRN_E_CONFIG,
                "%s:%d: `run` is read without a shell, so \"%s\" does nothing; output goes to "
                "logs/schedule_%s.log by itself",
                r->yaml->filename, line, word, r->out->name != NULL ? r->out->name : "<name>");
        }
        if (words.len > 0 || !firn_streq(word, "firn")) {
            firn_vec_push(r->arena, &words, word);
        }
    }
    r->out->n_words = words.len;
    firn_vec_push(r->arena, &words, NULL);
    r->out->words = words.items;
    const char *first = words.items[0];
    if (first == NULL) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s:%d: `run` must be a command of firn, such as export --all", r->yaml->filename,
                  line);
    }
    for (size_t i = 0; i < r->out->n_words; i++) {
        if (firn_streq(words.items[i], "--lake") || firn_starts_with(words.items[i], "--lake=")) {
            FIRN_FAIL(err, FIRN_E_CONFIG,
                      "%s:%d: `run` works on the lake that it is written in: leave --lake out",
                      r->yaml->filename, line);
        }
    }
    if (firn_streq(first, "serve") || firn_streq(first, "schedule") || firn_streq(first, "init")) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: `firn %s` makes no sense in a schedule",
                  r->yaml->filename, line, first);
    }
    return FIRN_OK;
}

/* ---- values -------------------------------------------------------------------------------------------- */

static bool is_name(const char *text)
{
    static const char LETTERS[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return strspn(text, LETTERS) == strlen(text) && text[0] != '-' && text[0] != '\0' &&
           strlen(text) <= NAME_BYTES_MAX;
}

static firn_rc bad_value(const reader *r, const member_row *row, int line, const char *text,
                         const char *wanted, firn_err *err)
{
    FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: %s of a schedule is \"%s\", but it must be %s",
              r->yaml->filename, line, row->name, text, wanted);
}

static firn_rc take_cron(const reader *r, const char *text, int line, firn_err *err)
{
    firn_rc rc = firn_cron_parse(text, &r->out->when, err);
    if (rc != FIRN_OK) {
        firn_err why = err != NULL ? *err : (firn_err){0};
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: %s", r->yaml->filename, line, why.message);
    }
    return FIRN_OK;
}

static firn_rc take_member(const reader *r, const member_row *row, const json_t *node, int line,
                           firn_err *err)
{
    void *at = (char *)r->out + row->offset;
    const char *text = firn_yaml_scalar(r->arena, node);
    if (text == NULL || text[0] == '\0') {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: %s of a schedule must be a single value",
                  r->yaml->filename, line, row->name);
    }
    if (row->kind == MEMBER_BOOL) {
        *(bool *)at = firn_streq(text, "true");
        return *(bool *)at || firn_streq(text, "false")
                   ? FIRN_OK
                   : bad_value(r, row, line, text, "true or false", err);
    }
    if (row->kind == MEMBER_DURATION) {
        return firn_parse_duration(text, at) && *(int64_t *)at >= 1000
                   ? FIRN_OK
                   : bad_value(r, row, line, text, "a duration of a second or more, such as 2h",
                               err);
    }
    *(const char **)at = firn_arena_strdup(r->arena, text);
    if (row->kind == MEMBER_NAME && !is_name(text)) {
        return bad_value(r, row, line, text, "of letters, digits, \"_\" and \"-\"", err);
    }
    if (row->kind == MEMBER_CRON) {
        return take_cron(r, text, line, err);
    }
    return row->kind == MEMBER_RUN ? take_words(r, text, line, err) : FIRN_OK;
}

static firn_rc read_schedule(const reader *r, firn_err *err)
{
    const char *key;
    json_t *node;
    if (!json_is_object(r->item)) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:%d: a schedule must be a mapping with name, cron and run",
                  r->yaml->filename, r->line);
    }
    *r->out = (firn_schedule_config){
        .timezone = "UTC", .timeout_ms = INT64_C(86400000), .enabled = true, .line = r->line};
    json_object_foreach((json_t *)(uintptr_t)r->item, key, node)
    {
        int line = firn_yaml_key_line(r->yaml, r->item, key);
        const member_row *row = find_member(key);
        if (row == NULL) {
            return unknown_member(r, key, line, err);
        }
        if (!json_is_null(node)) {
            FIRN_TRY(take_member(r, row, node, line, err));
        }
    }
    const char *missing = r->out->name == NULL   ? "name"
                          : r->out->cron == NULL ? "cron"
                          : r->out->run == NULL  ? "run"
                                                 : NULL;
    if (missing != NULL) {
        FIRN_FAIL(
            err, FIRN_E_CONFIG,
            "%s:%d: a schedule needs a %s: {name: nightly, cron: \"0 2 * * *\", run: \"export "
            "--all\"}",
            r->yaml->filename, r->line, missing);
    }
    return FIRN_OK;
}

firn_rc firn_config_schedules(firn_arena *arena, const firn_yaml *yaml, const json_t *node,
                              int line, firn_config *out, firn_err *err)
{
    size_t n = json_array_size(node);
    if (!json_is_array(node) || n > SCHEDULES_MAX) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "%s:%d: schedules must be a list of at most %d, each with name, cron and run",
                  yaml->filename, line, SCHEDULES_MAX);
    }
    firn_schedule_config *all = FIRN_NEW_N(arena, firn_schedule_config, n);
    for (size_t i = 0; i < n; i++) {
        reader r = {.arena = arena, .yaml = yaml, .item = json_array_get(node, i), .out = &all[i]};
        r.line = firn_yaml_line(yaml, r.item) != 0 ? firn_yaml_line(yaml, r.item) : line;
        FIRN_TRY(read_schedule(&r, err));
        for (size_t k = 0; k < i; k++) {
            if (firn_streq(all[k].name, all[i].name)) {
                FIRN_FAIL(err, FIRN_E_CONFIG,
                          "%s:%d: there is a schedule \"%s\" already, on line %d", yaml->filename,
                          r.line, all[i].name, all[k].line);
            }
        }
    }
    out->schedules = all;
    out->n_schedules = n;
    return FIRN_OK;
}

firn_rc firn_schedule_config_find(const firn_config *config, const char *name,
                                  const firn_schedule_config **out, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char **names = FIRN_NEW_N(arena, const char *, config->n_schedules);
    for (size_t i = 0; i < config->n_schedules; i++) {
        names[i] = config->schedules[i].name;
        if (firn_streq(names[i], name)) {
            *out = &config->schedules[i];
            return FIRN_OK;
        }
    }
    if (config->n_schedules == 0) {
        FIRN_FAIL(
            err, FIRN_E_NOT_FOUND,
            "there is no schedule %s: firn.yaml has none; add `schedules: [{name: %s, cron: \"0 2 * "
            "* *\", run: \"export --all\"}]`",
            name, name);
    }
    const char *nearest = firn_nearest(name, names, config->n_schedules);
    if (nearest != NULL) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND, "there is no schedule %s in firn.yaml. Did you mean %s?",
                  name, nearest);
    }
    FIRN_FAIL(err, FIRN_E_NOT_FOUND, "there is no schedule %s in firn.yaml; it has %s", name,
              firn_str_join(arena, names, config->n_schedules, ", "));
}

void firn_config_schedules_reference(firn_buf *out)
{
    firn_buf_puts(
        out,
        "\n## schedules\n\n"
        "Commands that `firn serve` runs by the clock; `firn schedule list` shows them. Each "
        "run is a process of its own, with output in `logs/schedule_<name>.log`. A schedule never "
        "runs beside itself; different ones may.\n\n"
        "```yaml\n"
        "schedules:\n"
        "  - name: nightly\n"
        "    cron: \"0 2 * * *\"\n"
        "    run: export --all\n"
        "    timezone: Europe/Paris\n"
        "    timeout: 2h\n"
        "  - {name: watch, cron: \"*/10 * * * *\", run: report --check}\n"
        "```\n\n"
        "| member | value | default | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < N_MEMBERS; i++) {
        const member_row *row = &MEMBERS[i];
        firn_buf_printf(out, "| `%s` | %s | %s%s%s | %s |\n", row->name, row->value,
                        row->def != NULL ? "`" : "", row->def != NULL ? row->def : "must be given",
                        row->def != NULL ? "`" : "", row->help);
    }
    firn_buf_puts(
        out,
        "\nIn a field of a cron line stand `*`, numbers, ranges (`1-5`), lists (`1,15`) and steps "
        "(`*/15`, `8-18/2`); months and days of the week have names, too (`JAN`, `MON-FRI`; 0 and 7 are "
        "Sunday). Where both days are restricted either is enough: `0 0 13 * FRI` is every Friday and every "
        "13th.\n\n"
        "Where clocks are put forward, a time that they skip is due at that instant; where they are put "
        "back, a time that they show twice is due the first time. That goes for lines with fixed hours and "
        "minutes; `*/10 * * * *` and `15 * * * *` go on every ten minutes and every hour.\n");
}
