/* firn feed add, update, enable, disable, archive, restore: export feeds, changed as their files would be by hand. */
#include "cmd_feed.h"

#include "base/time.h"

/* ---- add --------------------------------------------------------------------------------------------- */

typedef struct option_key {
    const char *option, *key;
} option_key;

/* Options that are keys of the file; type, source and mode are in what it is made from. */
static const option_key OPTION_KEYS[] = {
    {"time", "partitioning.time"},
    {"retention-days", "retention_days"},
    {"retention-versions", "retention_versions"},
    {"compression", "compression"},
    {"permissions", "permissions"},
    {"table", "table"},
};

static firn_rc name_of(firn_cli *cli, const char **out, firn_err *err)
{
    const char *arg = firn_cli_arg(cli, 0);
    const char *option = firn_cli_option(cli, "name");
    if (arg != NULL && option != NULL && !firn_streq(arg, option)) {
        return firn_cli_usage(cli, err, "the feed has two names, %s and --name %s", arg, option);
    }
    *out = arg != NULL ? arg : option;
    if (*out == NULL) {
        return firn_cli_usage(cli, err, "the feed needs a name: firn feed add NAME --type stream");
    }
    return FIRN_OK;
}

static firn_rc change_of(firn_cli *cli, const char *key, const char *text, firn_export_change *out,
                         firn_err *err)
{
    out->key = key;
    return firn_export_key_value(cli->arena, key, text, &out->value, err);
}

/* KEY=VALUE; "KEY=" takes the key out. */
static firn_rc split_change(firn_cli *cli, const char *text, firn_export_change *out, firn_err *err)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text) {
        return firn_cli_usage(cli, err, "\"%s\" is no KEY=VALUE, such as retention_days=90", text);
    }
    out->key = firn_arena_strndup(cli->arena, text, (size_t)(equals - text));
    firn_rc rc = firn_export_key_value(cli->arena, out->key, equals + 1, &out->value, err);
    if (rc == FIRN_OK && equals[1] == '\0') {
        out->value = NULL;
    }
    return rc;
}

static firn_rc read_options(firn_cli *cli, firn_export_change **out, size_t *n, firn_err *err)
{
    enum { N_OPTION_KEYS = sizeof(OPTION_KEYS) / sizeof(OPTION_KEYS[0]) };
    size_t n_bloom, n_set;
    const char **bloom = firn_cli_options(cli, cli->arena, "bloom", &n_bloom);
    const char **set = firn_cli_options(cli, cli->arena, "set", &n_set);
    *out = FIRN_NEW_N(cli->arena, firn_export_change, N_OPTION_KEYS + 1 + n_set);
    *n = 0;
    for (size_t i = 0; i < N_OPTION_KEYS; i++) {
        const char *text = firn_cli_option(cli, OPTION_KEYS[i].option);
        if (text != NULL) {
            FIRN_TRY(change_of(cli, OPTION_KEYS[i].key, text, &(*out)[(*n)++], err));
        }
    }
    if (n_bloom > 0) {
        const char *columns = firn_str_join(cli->arena, bloom, n_bloom, ",");
        FIRN_TRY(change_of(cli, "bloom_filters", columns, &(*out)[(*n)++], err));
    }
    for (size_t i = 0; i < n_set; i++) {
        FIRN_TRY(split_change(cli, set[i], &(*out)[(*n)++], err));
    }
    return FIRN_OK;
}

firn_rc firn_cmd_feed_add(firn_cli *cli, firn_err *err)
{
    firn_lake *lake = NULL;
    firn_export_change *changes = NULL;
    size_t n = 0;
    firn_export_feed feed;
    firn_export_new new_feed = {.source = firn_cli_option(cli, "source"),
                                .description = firn_cli_option(cli, "description"),
                                .partitioning = firn_cli_option(cli, "partitioning"),
                                .mode = firn_cli_option(cli, "mode"),
                                .server = firn_cli_option(cli, "server"),
                                .now_us = firn_now_us()};
    const char *type = firn_cli_option(cli, "type");
    FIRN_TRY(name_of(cli, &new_feed.name, err));
    if (type == NULL) {
        return firn_cli_usage(cli, err, "say what it is: --type stream or --type table");
    }
    new_feed.kind = firn_streq(type, "table") ? FIRN_EXPORT_TABLE : FIRN_EXPORT_STREAM;
    FIRN_TRY(read_options(cli, &changes, &n, err));
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    json_t *json = firn_export_feed_json(cli->arena, &new_feed);
    for (size_t i = 0; i < n; i++) {
        FIRN_TRY(firn_export_json_change(cli->arena, json, &changes[i], err));
    }
    FIRN_TRY(firn_export_feed_add(lake, cli->arena, new_feed.name, json, &feed, err));
    const char *line =
        firn_arena_printf(cli->arena, "feed %s added: %s. Next: %s export --%s %s", feed.name,
                          firn_cli_in_lake(cli, lake, feed.path), cli->program, type, feed.name);
    return firn_cli_feed_changed(cli, &feed, line, err);
}

/* ---- update ------------------------------------------------------------------------------------------ */

/* "retention_days 365 -> 90, enabled true -> false" */
static const char *difference(firn_arena *arena, const firn_export_feed *before,
                              const firn_export_feed *after)
{
    firn_export_setting *old = NULL, *new = NULL;
    size_t n;
    firn_export_feed_settings(arena, before, &old, &n);
    firn_export_feed_settings(arena, after, &new, &n);
    const char **parts = FIRN_NEW_N(arena, const char *, n);
    size_t n_parts = 0;
    for (size_t i = 0; i < n; i++) {
        const char *was = old[i].value != NULL ? old[i].value : "none";
        const char *is = new[i].value != NULL ? new[i].value : "none";
        if (!firn_streq(was, is)) {
            parts[n_parts++] = firn_arena_printf(arena, "%s %s -> %s", old[i].key, was, is);
        }
    }
    return n_parts > 0 ? firn_str_join(arena, parts, n_parts, ", ") : NULL;
}

firn_rc firn_cmd_feed_update(firn_cli *cli, firn_err *err)
{
    firn_lake *lake = NULL;
    firn_export_feed before, feed;
    firn_err was_broken = {0};
    const char *name = firn_cli_arg(cli, 0);
    size_t n = cli->args.len - 1;
    firn_export_change *changes = FIRN_NEW_N(cli->arena, firn_export_change, n);
    for (size_t i = 0; i < n; i++) {
        FIRN_TRY(split_change(cli, firn_cli_arg(cli, i + 1), &changes[i], err));
    }
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    FIRN_TRY(firn_cli_export_feed(cli, lake, name, err));
    bool usable = firn_export_feed_load(lake, cli->arena, name, &before, &was_broken) == FIRN_OK;
    FIRN_TRY(firn_export_feed_change(lake, cli->arena, name, changes, n, &feed, err));
    const char *what = usable ? difference(cli->arena, &before, &feed) : "it can be used now";
    const char *line = what != NULL
                           ? firn_arena_printf(cli->arena, "feed %s updated: %s", name, what)
                           : firn_arena_printf(cli->arena, "feed %s is so already", name);
    return firn_cli_feed_changed(cli, &feed, line, err);
}

/* ---- enable, disable --------------------------------------------------------------------------------- */

static firn_rc switch_feed(firn_cli *cli, bool enabled, firn_err *err)
{
    firn_lake *lake = NULL;
    firn_export_feed feed;
    firn_err broken = {0};
    const char *name = firn_cli_arg(cli, 0);
    const char *word = enabled ? "enabled" : "disabled";
    const firn_export_change change = {"enabled", enabled ? json_true() : json_false()};
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    FIRN_TRY(firn_cli_export_feed(cli, lake, name, err));
    bool already = firn_export_feed_load(lake, cli->arena, name, &feed, &broken) == FIRN_OK &&
                   !feed.archived && feed.enabled == enabled;
    FIRN_TRY(firn_export_feed_change(lake, cli->arena, name, &change, 1, &feed, err));
    const char *rest =
        already ? " already"
        : enabled
            ? ""
            : firn_arena_printf(cli->arena, ": `%s export --all` passes it over", cli->program);
    const char *line =
        firn_arena_printf(cli->arena, "feed %s %s%s%s", name, already ? "is " : "", word, rest);
    return firn_cli_feed_changed(cli, &feed, line, err);
}

firn_rc firn_cmd_feed_enable(firn_cli *cli, firn_err *err)
{
    return switch_feed(cli, true, err);
}

firn_rc firn_cmd_feed_disable(firn_cli *cli, firn_err *err)
{
    return switch_feed(cli, false, err);
}

/* ---- archive, restore -------------------------------------------------------------------------------- */

firn_rc firn_cmd_feed_archive(firn_cli *cli, firn_err *err)
{
    firn_lake *lake = NULL;
    firn_export_feed feed = {0};
    firn_err broken = {0};
    const char *name = firn_cli_arg(cli, 0);
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    FIRN_TRY(firn_cli_export_feed(cli, lake, name, err));
    FIRN_TRY(firn_export_feed_archive(lake, cli->arena, name, err));
    if (firn_export_feed_load(lake, cli->arena, name, &feed, &broken) != FIRN_OK) {
        firn_cli_say(cli, "feed %s archived, though its file cannot be used: %s", name,
                     broken.message);
        return FIRN_OK;
    }
    const char *line =
        firn_arena_printf(cli->arena, "feed %s archived: %s. Its data stays: table %s and %s", name,
                          firn_cli_in_lake(cli, lake, feed.path), feed.table,
                          firn_cli_in_lake(cli, lake, firn_export_folder(lake, cli->arena, &feed)));
    return firn_cli_feed_changed(cli, &feed, line, err);
}

firn_rc firn_cmd_feed_restore(firn_cli *cli, firn_err *err)
{
    firn_lake *lake = NULL;
    firn_export_feed feed;
    const char *name = firn_cli_arg(cli, 0);
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    FIRN_TRY(firn_cli_export_feed(cli, lake, name, err));
    FIRN_TRY(firn_export_feed_restore(lake, cli->arena, name, &feed, err));
    const char *line =
        firn_arena_printf(cli->arena, "feed %s restored: %s. Next: %s export --%s %s", name,
                          firn_cli_in_lake(cli, lake, feed.path), cli->program,
                          firn_export_kind_name(feed.kind), name);
    return firn_cli_feed_changed(cli, &feed, line, err);
}
