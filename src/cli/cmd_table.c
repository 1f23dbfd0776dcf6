/* firn table list, show, schema: looking at tables through the catalog, without the engine. */
#include "cmd_table.h"

#include "base/time.h"

#include <inttypes.h>

firn_rc firn_table_open(firn_cli *cli, const char *text, firn_table *out, firn_err *err)
{
    firn_lake *lake = NULL;
    firn_ident ident;
    FIRN_TRY(firn_cli_ident(cli, text, &ident, err));
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    return firn_catalog_table_load(firn_lake_catalog(lake), cli->arena, firn_cli_ref(cli), ident,
                                   out, err);
}

char *firn_cli_i64(firn_arena *arena, int64_t number)
{
    return firn_arena_printf(arena, "%" PRId64, number);
}

const char *firn_snapshot_count(const firn_snapshot *snapshot, const char *key)
{
    return snapshot != NULL && snapshot->summary != NULL
               ? json_string_value(json_object_get(snapshot->summary, key))
               : NULL;
}

const char *firn_cli_bytes(firn_arena *arena, const char *bytes)
{
    int64_t n = 0;
    return bytes != NULL && firn_parse_i64(bytes, &n) ? firn_format_bytes(arena, n) : NULL;
}

/* ---- list -------------------------------------------------------------------------------------------- */

static const firn_report_column LIST_COLUMNS[] = {
    {"namespace", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"name", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"rows", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"files", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"size", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PEOPLE},
    {"size_bytes", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
    {"updated", FIRN_COLUMN_TEMPORAL, FIRN_SHOWN_ALWAYS},
    {"format_version", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
    {"snapshot_id", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
    {"metadata_location", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
};
enum { N_LIST_COLUMNS = sizeof(LIST_COLUMNS) / sizeof(LIST_COLUMNS[0]) };

/* A table without a snapshot has no rows, which is known; one with an odd summary, rows that are not. */
static const char *count_of(const firn_metadata *metadata, const char *key)
{
    return metadata->current_snapshot != NULL ? firn_snapshot_count(metadata->current_snapshot, key)
                                              : "0";
}

static void list_row(firn_cli *cli, firn_report *report, const firn_catalog_entry *entry,
                     const firn_metadata *metadata)
{
    firn_arena *arena = cli->arena;
    const char *cells[N_LIST_COLUMNS] = {firn_ns_text(arena, entry->ident.ns), entry->ident.name};
    if (metadata != NULL) {
        const firn_snapshot *snapshot = metadata->current_snapshot;
        const char *bytes = count_of(metadata, "total-files-size");
        cells[2] = count_of(metadata, "total-records");
        cells[3] = count_of(metadata, "total-data-files");
        cells[4] = firn_cli_bytes(arena, bytes);
        cells[5] = bytes;
        cells[7] = firn_cli_i64(arena, metadata->format_version);
        cells[8] = snapshot != NULL ? firn_cli_i64(arena, snapshot->snapshot_id) : NULL;
    }
    cells[6] = firn_cli_time(arena, entry->updated_us);
    cells[9] = entry->location;
    firn_report_row(report, cells);
}

/* A table that cannot be read is listed without figures; the first reason is the command's error. */
firn_rc firn_cmd_table_list(firn_cli *cli, firn_err *err)
{
    firn_lake *lake = NULL;
    firn_catalog_entry *entries = NULL;
    size_t n = 0;
    firn_rc result = FIRN_OK;
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    firn_catalog *catalog = firn_lake_catalog(lake);
    const char *schema = firn_cli_arg(cli, 0);
    const char *ns = schema != NULL ? firn_ns_parse(cli->arena, schema) : NULL;
    if (ns != NULL) {
        json_t *properties = NULL;
        FIRN_TRY(firn_catalog_namespace_properties(catalog, cli->arena, firn_cli_ref(cli), ns,
                                                   &properties, err));
    }
    FIRN_TRY(firn_catalog_list(catalog, cli->arena, firn_cli_ref(cli), FIRN_KIND_TABLE, ns,
                               &entries, &n, err));
    firn_report *report = firn_report_new(cli->arena, LIST_COLUMNS, N_LIST_COLUMNS);
    for (size_t i = 0; i < n; i++) {
        firn_table table;
        firn_err load_err = {0};
        firn_rc rc = firn_catalog_table_load(catalog, cli->arena, firn_cli_ref(cli),
                                             entries[i].ident, &table, &load_err);
        /* A remote catalog lists names alone; what was loaded knows the rest. */
        list_row(cli, report, rc == FIRN_OK ? &table.entry : &entries[i],
                 rc == FIRN_OK ? table.metadata : NULL);
        if (rc != FIRN_OK && result == FIRN_OK) {
            result = rc;
            *err = load_err;
        }
    }
    FIRN_TRY(firn_report_print(report, stdout, cli->format, cli->quiet ? NULL : "table", err));
    return result;
}

/* ---- show -------------------------------------------------------------------------------------------- */

static void show_line(FILE *to, const char *name, const char *value)
{
    fprintf(to, " %s%-12s%s %s\n", firn_term_bold(to), name, firn_term_plain(to),
            value != NULL ? value : "-");
}

char *firn_table_partitioning(firn_arena *arena, const firn_metadata *metadata)
{
    FIRN_AUTO_BUF firn_buf buf = {0};
    for (size_t i = 0; i < metadata->spec->n_fields; i++) {
        const firn_partition_field *field = &metadata->spec->fields[i];
        const char *column = firn_schema_path(arena, metadata->schema, field->source_id);
        column = column != NULL ? column : field->name;
        firn_buf_puts(&buf, buf.len > 0 ? ", " : "");
        switch (field->transform.kind) {
        case FIRN_TRANSFORM_IDENTITY: firn_buf_puts(&buf, column); break;
        case FIRN_TRANSFORM_BUCKET:
        case FIRN_TRANSFORM_TRUNCATE:
            firn_buf_printf(&buf, "%s(%d, %s)",
                            field->transform.kind == FIRN_TRANSFORM_BUCKET ? "bucket" : "truncate",
                            field->transform.param, column);
            break;
        case FIRN_TRANSFORM_YEAR:
        case FIRN_TRANSFORM_MONTH:
        case FIRN_TRANSFORM_DAY:
        case FIRN_TRANSFORM_HOUR:
            firn_buf_printf(&buf, "%ss(%s)", field->transform.name, column);
            break;
        case FIRN_TRANSFORM_VOID:
        case FIRN_TRANSFORM_UNKNOWN:
            firn_buf_printf(&buf, "%s(%s)", field->transform.name, column);
            break;
        }
    }
    return buf.len > 0 ? firn_arena_strdup(arena, firn_buf_cstr(&buf)) : NULL;
}

static const firn_report_column SCHEMA_COLUMNS[] = {
    {"id", FIRN_COLUMN_INTEGER, FIRN_SHOWN_ALWAYS},
    {"column", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"type", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
    {"required", FIRN_COLUMN_BOOL, FIRN_SHOWN_ALWAYS},
    {"comment", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
};
enum { N_SCHEMA_COLUMNS = sizeof(SCHEMA_COLUMNS) / sizeof(SCHEMA_COLUMNS[0]) };

static firn_rc print_schema(firn_cli *cli, const firn_schema *schema, firn_err *err)
{
    firn_report *report = firn_report_new(cli->arena, SCHEMA_COLUMNS, N_SCHEMA_COLUMNS);
    for (size_t i = 0; i < schema->root.n_fields; i++) {
        const firn_field *field = &schema->root.fields[i];
        const char *cells[] = {firn_cli_i64(cli->arena, field->id), field->name,
                               firn_type_text(cli->arena, field->type),
                               field->required ? "true" : "false", field->doc};
        firn_report_row(report, cells);
    }
    return firn_report_print(report, stdout, cli->format, NULL, err);
}

static void show_head(firn_cli *cli, const firn_table *table)
{
    firn_arena *arena = cli->arena;
    const firn_metadata *metadata = table->metadata;
    const char *bytes = firn_cli_bytes(arena, count_of(metadata, "total-files-size"));
    const char *rows = count_of(metadata, "total-records");
    const char *files = count_of(metadata, "total-data-files");
    show_line(stdout, "table",
              firn_arena_printf(arena, "%s on %s", firn_ident_text(arena, table->entry.ident),
                                firn_cli_ref(cli)));
    show_line(stdout, "holds",
              firn_arena_printf(arena, "%s rows, %s files, %s",
                                rows != NULL ? firn_text_grouped(arena, rows) : "?",
                                files != NULL ? firn_text_grouped(arena, files) : "?",
                                bytes != NULL ? bytes : "?"));
    show_line(stdout, "partitioned", firn_table_partitioning(arena, metadata));
    show_line(stdout, "format", firn_arena_printf(arena, "Iceberg v%d", metadata->format_version));
    show_line(stdout, "snapshots",
              metadata->current_snapshot == NULL
                  ? "none"
                  : firn_arena_printf(arena, "%zu, current %" PRId64, metadata->n_snapshots,
                                      metadata->current_snapshot->snapshot_id));
    show_line(stdout, "updated", firn_cli_time(arena, table->entry.updated_us));
    show_line(stdout, "location", metadata->location);
    show_line(stdout, "metadata", table->entry.location);
    fputc('\n', stdout);
}

static firn_rc show_json(firn_cli *cli, const firn_table *table, firn_err *err)
{
    (void)err;
    const firn_metadata *metadata = table->metadata;
    const firn_snapshot *snapshot = metadata->current_snapshot;
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:s?, s:o, s:O, s:O?}", "namespace",
                  firn_ns_text(cli->arena, table->entry.ident.ns), "name", table->entry.ident.name,
                  "location", metadata->location, "metadata_location", table->entry.location,
                  "format_version", metadata->format_version, "partitioned_by",
                  firn_table_partitioning(cli->arena, metadata), "schema",
                  firn_schema_to_json(metadata->schema), "properties", metadata->properties,
                  "current_snapshot", snapshot != NULL ? (json_t *)snapshot->json : NULL);
    puts(firn_json_pretty(cli->arena, firn_json_own(cli->arena, json)));
    return FIRN_OK;
}

firn_rc firn_cmd_table_show(firn_cli *cli, firn_err *err)
{
    firn_table table;
    FIRN_TRY(firn_table_open(cli, firn_cli_arg(cli, 0), &table, err));
    if (cli->format == FIRN_FORMAT_JSON) {
        return show_json(cli, &table, err);
    }
    if (cli->format == FIRN_FORMAT_TABLE) {
        show_head(cli, &table);
    }
    return print_schema(cli, table.metadata->schema, err);
}

firn_rc firn_cmd_table_schema(firn_cli *cli, firn_err *err)
{
    firn_table table;
    int64_t id = -1;
    FIRN_TRY(firn_cli_number(cli, "schema-id", 0, -1, &id, err));
    FIRN_TRY(firn_table_open(cli, firn_cli_arg(cli, 0), &table, err));
    const firn_schema *schema = table.metadata->schema;
    if (id >= 0) {
        schema = id <= INT32_MAX ? firn_metadata_schema(table.metadata, (int32_t)id) : NULL;
    }
    if (schema == NULL) {
        FIRN_FAIL(err, FIRN_E_NOT_FOUND,
                  "%s has no schema %" PRId64 "; it has %zu, the current is %d",
                  firn_ident_text(cli->arena, table.entry.ident), id, table.metadata->n_schemas,
                  table.metadata->schema->schema_id);
    }
    return print_schema(cli, schema, err);
}
