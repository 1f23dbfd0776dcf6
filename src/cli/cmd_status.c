/* firn status: the lake on one screen: catalog, warehouse, pipelines, advice. */
#include "cmd_schedule.h"

#include "base/time.h"
#include "pipeline/pipeline.h"

#include <inttypes.h>

typedef struct lake_status {
    const char *name, *root, *head; /* head: commit id of the ref */
    size_t tables, views, branches, tags;
    size_t commits;    /* on the ref, up to COMMITS_COUNTED_MAX */
    size_t unreadable; /* tables */
    const char *first_error;
    const char *catalog;        /* "sqlite", or where it is */
    int64_t rows, files, bytes; /* of the current snapshots */
    const char **crowded;       /* tables of many small files */
    size_t n_crowded;
    const char **aged; /* tables of many snapshots */
    size_t n_aged;
} lake_status;

enum {
    SMALL_FILE_BYTES = 8 << 20,
    MANY_FILES = 100,
    MANY_SNAPSHOTS = 1000,
    COMMITS_COUNTED_MAX = 10000
};

static int64_t summary_number(const firn_snapshot *snapshot, const char *key)
{
    int64_t n = 0;
    const char *text = snapshot->summary != NULL
                           ? json_string_value(json_object_get(snapshot->summary, key))
                           : NULL;
    return text != NULL && firn_parse_i64(text, &n) ? n : 0;
}

static void add_table(firn_cli *cli, lake_status *status, const firn_table *table)
{
    const firn_snapshot *snapshot = table->metadata->current_snapshot;
    const char *name = firn_ident_text(cli->arena, table->entry.ident);
    if (snapshot == NULL) {
        return;
    }
    int64_t files = summary_number(snapshot, "total-data-files");
    int64_t bytes = summary_number(snapshot, "total-files-size");
    status->rows += summary_number(snapshot, "total-records");
    status->files += files;
    status->bytes += bytes;
    if (files >= MANY_FILES && bytes / files < SMALL_FILE_BYTES) {
        status->crowded[status->n_crowded++] =
            firn_arena_printf(cli->arena, "%s: %s files of %s on average; %s maintain compact %s",
                              name, firn_format_count(cli->arena, files),
                              firn_format_bytes(cli->arena, bytes / files), cli->program, name);
    }
    if (table->metadata->n_snapshots >= MANY_SNAPSHOTS) {
        int64_t n = (int64_t)table->metadata->n_snapshots;
        status->aged[status->n_aged++] =
            firn_arena_printf(cli->arena, "%s: %s snapshots; %s maintain expire %s", name,
                              firn_format_count(cli->arena, n), cli->program, name);
    }
}

static firn_rc look_at_tables(firn_cli *cli, firn_catalog *catalog, lake_status *status,
                              firn_err *err)
{
    firn_catalog_entry *entries = NULL;
    const char *ref = firn_cli_ref(cli);
    FIRN_TRY(firn_catalog_list(catalog, cli->arena, ref, FIRN_KIND_VIEW, NULL, &entries,
                               &status->views, err));
    FIRN_TRY(firn_catalog_list(catalog, cli->arena, ref, FIRN_KIND_TABLE, NULL, &entries,
                               &status->tables, err));
    status->crowded = FIRN_NEW_N(cli->arena, const char *, status->tables);
    status->aged = FIRN_NEW_N(cli->arena, const char *, status->tables);
    for (size_t i = 0; i < status->tables; i++) {
        firn_table table;
        firn_err load_err = {0};
        if (firn_catalog_table_load(catalog, cli->arena, ref, entries[i].ident, &table,
                                    &load_err) == FIRN_OK) {
            add_table(cli, status, &table);
        } else if (status->unreadable++ == 0) {
            status->first_error = firn_arena_strdup(cli->arena, load_err.message);
        }
    }
    return FIRN_OK;
}

static firn_rc look_at_refs(firn_cli *cli, firn_catalog *catalog, lake_status *status,
                            firn_err *err)
{
    firn_ref *refs = NULL;
    firn_commit *commits = NULL;
    size_t n = 0;
    FIRN_TRY(firn_catalog_ref_list(catalog, cli->arena, &refs, &n, err));
    for (size_t i = 0; i < n; i++) {
        status->tags += refs[i].is_tag;
        status->branches += !refs[i].is_tag;
    }
    firn_err log_err = {0};
    firn_rc rc = firn_catalog_log(catalog, cli->arena, firn_cli_ref(cli), COMMITS_COUNTED_MAX,
                                  &commits, &status->commits, &log_err);
    if (rc != FIRN_OK && rc != FIRN_E_UNSUPPORTED) { /* a remote catalog may keep none */
        FIRN_FAIL(err, rc, "%s", log_err.message);
    }
    status->head = status->commits > 0 ? commits[0].id : "";
    return FIRN_OK;
}

/* "ecommerce: published 2 min ago". */
static firn_rc pipelines_text(firn_cli *cli, firn_lake *lake, const char **out, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    char **names = NULL;
    size_t n = 0;
    FIRN_TRY(firn_pipeline_list(lake, cli->arena, &names, &n, err));
    for (size_t i = 0; i < n; i++) {
        firn_run *runs = NULL;
        size_t n_runs = 0;
        FIRN_TRY(
            firn_run_list(firn_lake_catalog(lake), cli->arena, names[i], 1, &runs, &n_runs, err));
        firn_buf_printf(&text, "%s%s: ", i > 0 ? ", " : "", names[i]);
        if (n_runs == 0) {
            firn_buf_puts(&text, "never run");
        } else {
            int64_t us = runs[0].ended_us > 0 ? runs[0].ended_us : runs[0].started_us;
            firn_buf_printf(&text, "%s %s", runs[0].status, firn_cli_ago(cli->arena, us));
        }
    }
    *out = n > 0 ? firn_arena_strdup(cli->arena, firn_buf_cstr(&text)) : "none";
    return FIRN_OK;
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static void print_lines(firn_cli *cli, const lake_status *status, const char *pipelines)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *bold = firn_term_bold(stdout);
    const char *plain = firn_term_plain(stdout);
    const char *colour = status->unreadable > 0 ? firn_term_red(stdout) : firn_term_green(stdout);
    printf(" lake %s%s%s   %s @ %.10s   %s%s%s   %s\n", bold, status->name, plain,
           firn_cli_ref(cli), status->head, colour, status->unreadable > 0 ? "damaged" : "healthy",
           plain, status->root);
    printf(" %-12s %s, %zu table%s, %zu view%s, %zu branch%s, %zu tag%s, %s%s commit%s\n",
           "catalog", status->catalog, status->tables, plural(status->tables), status->views,
           plural(status->views), status->branches, status->branches == 1 ? "" : "es", status->tags,
           plural(status->tags), firn_format_count(arena, (int64_t)status->commits),
           status->commits == COMMITS_COUNTED_MAX ? "+" : "", plural(status->commits));
    printf(" %-12s posix, %s in %s files, %s rows\n", "warehouse",
           firn_format_bytes(arena, status->bytes), firn_format_count(arena, status->files),
           firn_format_count(arena, status->rows));
    printf(" %-12s %s\n", "pipelines", pipelines);
    if (firn_lake_config(cli->lake)->n_schedules > 0) {
        printf(" %-12s %s\n", "schedules", firn_cli_schedules_text(cli, "\n              "));
    }
    for (size_t i = 0; i < status->n_crowded; i++) {
        printf(" %-12s %s\n", i == 0 ? "small files" : "", status->crowded[i]);
    }
    for (size_t i = 0; i < status->n_aged; i++) {
        printf(" %-12s %s\n", i == 0 ? "snapshots" : "", status->aged[i]);
    }
}

static void print_json(firn_cli *cli, const lake_status *status, const char *pipelines)
{
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:i, s:i, s:i, s:i, s:I, s:I, s:I, s:s, s:s}", "lake",
        status->name, "root", status->root, "catalog", status->catalog, "ref", firn_cli_ref(cli),
        "commit_id", status->head, "healthy", status->unreadable == 0, "tables",
        (int)status->tables, "views", (int)status->views, "branches", (int)status->branches, "tags",
        (int)status->tags, "commits", (int)status->commits, "rows", (json_int_t)status->rows,
        "files", (json_int_t)status->files, "bytes", (json_int_t)status->bytes, "pipelines",
        pipelines, "schedules", firn_cli_schedules_text(cli, "; "));
    firn_json_own(cli->arena, json);
    printf("[\n%s\n]\n", firn_json_text(cli->arena, json));
}

firn_rc firn_cmd_status(firn_cli *cli, firn_err *err)
{
    firn_lake *lake = NULL;
    lake_status status = {0};
    const char *pipelines = "";
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    status.name = firn_lake_config(lake)->name;
    status.root = firn_lake_root(lake);
    status.catalog = firn_lake_config(lake)->catalog_uri != NULL
                         ? firn_catalog_name(firn_lake_catalog(lake))
                         : "sqlite";
    FIRN_TRY(look_at_refs(cli, firn_lake_catalog(lake), &status, err));
    FIRN_TRY(look_at_tables(cli, firn_lake_catalog(lake), &status, err));
    FIRN_TRY(pipelines_text(cli, lake, &pipelines, err));
    if (cli->format == FIRN_FORMAT_TABLE) {
        print_lines(cli, &status, pipelines);
    } else {
        print_json(cli, &status, pipelines);
    }
    if (status.unreadable > 0) {
        FIRN_FAIL(err, FIRN_E_CORRUPT, "%zu of %zu tables cannot be read; the first: %s",
                  status.unreadable, status.tables, status.first_error);
    }
    return FIRN_OK;
}
