/* firn table properties, rollback, rename, drop, register: changes of metadata, each one catalog commit. */
#include "cmd_table.h"

#include "base/io.h"
#include "base/time.h"

#include <inttypes.h>

/* ---- properties ---------------------------------------------------------------------------------------- */

typedef struct property_change {
    json_t *set;
    const char **unset;
    size_t n_unset;
} property_change;

static firn_rc build_properties(void *ctx, firn_arena *arena, const firn_table *base,
                                json_t *updates, json_t *requirements, firn_err *err)
{
    (void)arena, (void)base, (void)requirements, (void)err;
    const property_change *change = ctx;
    if (json_object_size(change->set) > 0) {
        firn_update_set_properties(updates, change->set);
    }
    if (change->n_unset > 0) {
        firn_update_remove_properties(updates, change->unset, change->n_unset);
    }
    return FIRN_OK;
}

static firn_rc commit_table(firn_cli *cli, const firn_table_builder *builder, const char *message,
                            firn_err *err)
{
    firn_commit_result result;
    const firn_commit_info info = {.message = message};
    return firn_catalog_commit_tables(firn_lake_catalog(cli->lake), cli->arena, firn_cli_ref(cli),
                                      builder, 1, &info, &result, err);
}

static firn_rc change_properties(firn_cli *cli, const firn_table *table, const char **set,
                                 size_t n_set, property_change *change, firn_err *err)
{
    change->set = firn_json_own(cli->arena, json_object());
    for (size_t i = 0; i < n_set; i++) {
        const char *equals = strchr(set[i], '=');
        if (equals == NULL || equals == set[i]) {
            return firn_cli_usage(cli, err, "--set takes KEY=VALUE, not \"%s\"", set[i]);
        }
        const char *key = firn_arena_strndup(cli->arena, set[i], (size_t)(equals - set[i]));
        json_object_set_new(change->set, key, json_string(equals + 1));
    }
    const firn_table_builder builder = {
        .ident = table->entry.ident, .build = build_properties, .ctx = change};
    const char *name = firn_ident_text(cli->arena, table->entry.ident);
    FIRN_TRY(commit_table(cli, &builder,
                          firn_arena_printf(cli->arena, "change properties of %s", name), err));
    firn_cli_say(cli, "changed the properties of %s", name);
    return FIRN_OK;
}

firn_rc firn_cmd_table_properties(firn_cli *cli, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"key", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"value", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    };
    firn_table table;
    size_t n_set = 0;
    property_change change = {0};
    const char **set = firn_cli_options(cli, cli->arena, "set", &n_set);
    change.unset = firn_cli_options(cli, cli->arena, "unset", &change.n_unset);
    FIRN_TRY(firn_table_open(cli, firn_cli_arg(cli, 0), &table, err));
    if (n_set + change.n_unset > 0) {
        return change_properties(cli, &table, set, n_set, &change, err);
    }
    firn_report *report = firn_report_new(cli->arena, COLUMNS, 2);
    const char *key;
    json_t *value;
    json_object_foreach(table.metadata->properties, key, value)
    {
        const char *cells[] = {key, json_string_value(value)};
        firn_report_row(report, cells);
    }
    return firn_report_print(report, stdout, cli->format, NULL, err);
}

/* ---- rollback ------------------------------------------------------------------------------------------ */

typedef struct rollback {
    const char *as_of;    /* NULL: not given */
    int64_t as_of_ms, to; /* to -1: not given */
    int64_t chosen;
} rollback;

static firn_rc build_rollback(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                              json_t *requirements, firn_err *err)
{
    rollback *back = ctx;
    const firn_metadata *metadata = base->metadata;
    const char *name = firn_ident_text(arena, base->entry.ident);
    if (metadata->current_snapshot == NULL) {
        FIRN_FAIL(err, FIRN_E_NO_SNAPSHOT, "%s has no snapshots to roll back to", name);
    }
    back->chosen = back->to;
    if (back->as_of != NULL) {
        const firn_snapshot *then = firn_metadata_snapshot_as_of(metadata, back->as_of_ms);
        if (then == NULL) {
            FIRN_FAIL(err, FIRN_E_NO_SNAPSHOT, "%s had no snapshot yet at %s", name, back->as_of);
        }
        back->chosen = then->snapshot_id;
    } else if (back->to < 0) {
        back->chosen = metadata->current_snapshot->parent_id;
        if (back->chosen < 0) {
            FIRN_FAIL(err, FIRN_E_NO_SNAPSHOT,
                      "%s has only one snapshot, there is nothing before it", name);
        }
    }
    return firn_snapshot_rollback(arena, metadata, back->chosen, updates, requirements, err);
}

firn_rc firn_cmd_table_rollback(firn_cli *cli, firn_err *err)
{
    firn_table table;
    rollback back = {.as_of = firn_cli_option(cli, "as-of")};
    int64_t us = 0;
    FIRN_TRY(firn_cli_number(cli, "to", 0, -1, &back.to, err));
    if (firn_cli_arg(cli, 1) != NULL) {
        if (back.as_of != NULL || back.to >= 0) {
            return firn_cli_usage(cli, err, "a version excludes --to and --as-of");
        }
        return firn_cli_rollback_version(cli, firn_cli_arg(cli, 1), err);
    }
    if (back.as_of != NULL && back.to >= 0) {
        return firn_cli_usage(cli, err, "--to and --as-of exclude each other");
    }
    if (back.as_of != NULL && !firn_parse_timestamp(back.as_of, &us, NULL)) {
        return firn_cli_usage(cli, err, "--as-of is a time like \"2026-11-20 08:00\", not \"%s\"",
                              back.as_of);
    }
    back.as_of_ms = us / 1000;
    FIRN_TRY(firn_table_open(cli, firn_cli_arg(cli, 0), &table, err));
    const firn_table_builder builder = {
        .ident = table.entry.ident, .build = build_rollback, .ctx = &back};
    const char *name = firn_ident_text(cli->arena, table.entry.ident);
    FIRN_TRY(commit_table(cli, &builder, firn_arena_printf(cli->arena, "roll back %s", name), err));
    FIRN_TRY(firn_table_open(cli, firn_cli_arg(cli, 0), &table, err));
    const char *rows = firn_snapshot_count(table.metadata->current_snapshot, "total-records");
    firn_cli_say(cli, "%s is back at snapshot %" PRId64 "%s%s%s", name, back.chosen,
                 rows != NULL ? " with " : "",
                 rows != NULL ? firn_text_grouped(cli->arena, rows) : "",
                 rows != NULL ? " rows" : "");
    return FIRN_OK;
}

/* ---- rename, drop, register ------------------------------------------------------------------------------ */

static firn_rc commit_changes(firn_cli *cli, const firn_change *changes, size_t n, firn_err *err)
{
    firn_lake *lake = NULL;
    firn_commit_result result;
    const firn_commit_info info = {0};
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    return firn_catalog_commit(firn_lake_catalog(lake), cli->arena, firn_cli_ref(cli), changes, n,
                               &info, &result, err);
}

firn_rc firn_cmd_table_rename(firn_cli *cli, firn_err *err)
{
    firn_table table;
    firn_change change = {.kind = FIRN_CHANGE_RENAME_TABLE};
    FIRN_TRY(firn_table_open(cli, firn_cli_arg(cli, 0), &table, err));
    change.ident = table.entry.ident;
    FIRN_TRY(firn_cli_ident(cli, firn_cli_arg(cli, 1), &change.to, err));
    FIRN_TRY(commit_changes(cli, &change, 1, err));
    firn_cli_say(cli, "renamed %s to %s", firn_ident_text(cli->arena, change.ident),
                 firn_ident_text(cli->arena, change.to));
    return FIRN_OK;
}

firn_rc firn_cmd_table_drop(firn_cli *cli, firn_err *err)
{
    firn_lake *lake = NULL;
    FIRN_VEC(firn_change) changes = {0};
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    for (size_t i = 0; i < cli->args.len; i++) {
        firn_change change = {.kind = FIRN_CHANGE_DROP_TABLE};
        firn_catalog_entry entry;
        FIRN_TRY(firn_cli_ident(cli, cli->args.items[i], &change.ident, err));
        firn_rc rc = firn_catalog_entry_get(firn_lake_catalog(lake), cli->arena, firn_cli_ref(cli),
                                            change.ident, &entry, err);
        bool missing = rc == FIRN_E_NO_TABLE || rc == FIRN_E_NO_NAMESPACE;
        if (missing && firn_cli_switch(cli, "if-exists")) {
            continue;
        }
        FIRN_TRY(rc);
        firn_vec_push(cli->arena, &changes, change);
    }
    if (changes.len == 0) {
        return FIRN_OK;
    }
    FIRN_TRY(commit_changes(cli, changes.items, changes.len, err));
    for (size_t i = 0; i < changes.len; i++) {
        firn_cli_say(cli, "dropped %s; its files stay",
                     firn_ident_text(cli->arena, changes.items[i].ident));
    }
    return FIRN_OK;
}

firn_rc firn_cmd_table_register(firn_cli *cli, firn_err *err)
{
    firn_lake *lake = NULL;
    firn_metadata *metadata = NULL;
    const char *file = firn_cli_arg(cli, 1);
    const char *folder = firn_cli_option(cli, "scan");
    if (folder != NULL) {
        return firn_table_scan(cli, folder, err);
    }
    if (file == NULL || firn_cli_switch(cli, "dry-run") || firn_cli_switch(cli, "verify") ||
        firn_cli_option(cli, "namespace") != NULL) {
        return firn_cli_usage(cli, err,
                              file == NULL ? "name a table and its metadata file, or --scan a "
                                             "folder full of tables"
                                           : "--namespace, --dry-run and --verify go with --scan");
    }
    bool is_uri = strchr(file, ':') != NULL;
    const char *location =
        is_uri ? file : firn_location_of_path(cli->arena, firn_path_absolute(cli->arena, file));
    firn_change change = {.kind = FIRN_CHANGE_REGISTER_TABLE,
                          .location = location,
                          .replace = firn_cli_switch(cli, "replace")};
    FIRN_TRY(firn_cli_ident(cli, firn_cli_arg(cli, 0), &change.ident, err));
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    /* A table that cannot be read must not get into the catalog. */
    FIRN_TRY(firn_metadata_load(firn_lake_storage(lake), cli->arena, location, &metadata, err));
    FIRN_TRY(commit_changes(cli, &change, 1, err));
    firn_cli_say(cli, "registered %s from %s", firn_ident_text(cli->arena, change.ident), location);
    return FIRN_OK;
}
