/* firn table handover: a table goes to another catalog, or is told how to. */
#include "cmd_table.h"

#include "lake/handover.h"

#include <stdlib.h>

/* ---- by hand --------------------------------------------------------------------------------------------------- */

static const char *sql_text(firn_arena *arena, const char *text)
{
    return firn_sql_quote(arena, text);
}

/* "file:///a" as those take it that know no URIs. */
static const char *path_of(firn_cli *cli, const char *location)
{
    return firn_storage_resolve(firn_lake_storage(cli->lake), cli->arena, location);
}

static void print_commands(firn_cli *cli, const firn_table *table, firn_ident as)
{
    firn_arena *arena = cli->arena;
    const char *name = firn_ident_text(arena, as);
    const char *location = table->entry.location;
    const char *slash = strrchr(location, '/');
    printf("%s\n\n", location);
    printf("Spark      CALL cat.system.register_table(table => %s, metadata_file => %s)\n",
           sql_text(arena, name), sql_text(arena, location));
    printf("PyIceberg  catalog.register_table(\"%s\", \"%s\")\n", name, location);
    printf("Trino      CALL cat.system.register_table(schema_name => %s, table_name => %s, "
           "table_location => %s, metadata_file_name => %s)\n",
           sql_text(arena, firn_ns_text(arena, as.ns)), sql_text(arena, as.name),
           sql_text(arena, table->metadata->location),
           sql_text(arena, slash != NULL ? slash + 1 : location));
    printf("firn       firn table register %s %s\n\n", name, path_of(cli, location));
    firn_cli_say(cli,
                 "Then take the name out of here, since two catalogs that both write one table "
                 "destroy it:\n\n%s table drop %s",
                 cli->program, firn_ident_text(arena, table->entry.ident));
}

static firn_rc by_hand(firn_cli *cli, const firn_table *table, firn_ident as, firn_err *err)
{
    if (cli->format == FIRN_FORMAT_JSON) {
        json_t *json = json_pack(
            "{s:s, s:s, s:s}", "table", firn_ident_text(cli->arena, table->entry.ident),
            "metadata_location", table->entry.location, "location", table->metadata->location);
        puts(firn_json_pretty(cli->arena, firn_json_own(cli->arena, json)));
    } else {
        print_commands(cli, table, as);
    }
    return firn_output_flush(stdout, err);
}

/* ---- to a catalog ---------------------------------------------------------------------------------------------- */

/* Secrets come by the environment: a command line is everybody's to read. */
static firn_rc secret(firn_cli *cli, const char *option, const char **out, firn_err *err)
{
    const char *name = firn_cli_option(cli, option);
    *out = name != NULL ? getenv(name) : NULL;
    if (name != NULL && *out == NULL) {
        FIRN_FAIL(err, FIRN_E_INVALID, "--%s: there is no environment variable %s", option, name);
    }
    return FIRN_OK;
}

static void say_result(const firn_cli *cli, const firn_handover_options *options,
                       const firn_handover_result *result)
{
    firn_arena *arena = cli->arena;
    const char *here = firn_ident_text(arena, options->ident);
    const char *there = firn_ident_text(arena, options->as);
    if (result->moved_on) {
        firn_cli_say(cli, "%s has %s already and went on from %s", options->uri, there,
                     result->metadata_location);
    } else {
        firn_cli_say(cli, "%s %s at %s%s",
                     result->was_there && !result->repointed ? "found" : "registered", there,
                     options->uri, result->repointed ? ", which had an older state of it" : "");
    }
    firn_cli_say(cli, "  %s", result->metadata_location);
    if (result->dropped) {
        firn_cli_say(cli, "dropped %s here; its files stay, and are the other catalog's now", here);
    } else {
        firn_cli_say(cli,
                     "%s stays here, too (--keep): only one of the two catalogs may write it "
                     "from now on. Commits of both would destroy it",
                     here);
    }
    for (size_t i = 0; i < result->n_branches; i++) {
        firn_cli_say(cli, "the branch %s here has it as well: do not write it there",
                     result->branches[i]);
    }
}

static firn_rc hand_over(firn_cli *cli, firn_ident ident, firn_ident as, firn_err *err)
{
    firn_remote_options remote = {.warehouse = firn_cli_option(cli, "warehouse")};
    firn_handover_result result;
    const firn_handover_options options = {.ident = ident,
                                           .ref = firn_cli_ref(cli),
                                           .uri = firn_cli_option(cli, "to"),
                                           .remote = &remote,
                                           .as = as,
                                           .keep = firn_cli_switch(cli, "keep")};
    FIRN_TRY(secret(cli, "token-env", &remote.token, err));
    FIRN_TRY(secret(cli, "credential-env", &remote.credential, err));
    if (!firn_starts_with(options.uri, "http://") && !firn_starts_with(options.uri, "https://")) {
        return firn_cli_usage(cli, err,
                              "--to is the address of an Iceberg REST catalog, http://... or "
                              "https://..., not \"%s\"",
                              options.uri);
    }
    FIRN_TRY(firn_lake_handover(cli->lake, cli->arena, &options, &result, err));
    say_result(cli, &options, &result);
    return FIRN_OK;
}

firn_rc firn_cmd_table_handover(firn_cli *cli, firn_err *err)
{
    firn_table table;
    const char *to = firn_cli_option(cli, "to");
    const char *as_text = firn_cli_option(cli, "as");
    bool remote_only = firn_cli_switch(cli, "keep") || firn_cli_option(cli, "warehouse") != NULL ||
                       firn_cli_option(cli, "token-env") != NULL ||
                       firn_cli_option(cli, "credential-env") != NULL;
    if (to == NULL && remote_only) {
        return firn_cli_usage(cli, err,
                              "--keep, --warehouse, --token-env and --credential-env go with --to");
    }
    firn_lake *lake = NULL;
    firn_ident ident;
    FIRN_TRY(firn_cli_ident(cli, firn_cli_arg(cli, 0), &ident, err));
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    firn_ident as = ident;
    if (as_text != NULL) {
        FIRN_TRY(firn_cli_ident(cli, as_text, &as, err));
    }
    bool hint_wanted = firn_cli_switch(cli, "version-hint");
    if (to == NULL || hint_wanted) {
        FIRN_TRY(firn_table_open(cli, firn_cli_arg(cli, 0), &table, err));
    }
    if (hint_wanted) {
        const char *hint = NULL;
        FIRN_TRY(firn_lake_version_hint(lake, cli->arena, &table, &hint, err));
        firn_cli_say(cli, "wrote %s, for readers by path; it does not follow later commits", hint);
    }
    return to != NULL ? hand_over(cli, ident, as, err) : by_hand(cli, &table, as, err);
}
