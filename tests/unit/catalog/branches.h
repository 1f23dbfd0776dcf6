/* Words for tests of merging: appends with real manifests, columns, properties, and rows counted by manifests. */
#ifndef TESTS_CATALOG_BRANCHES_H
#define TESTS_CATALOG_BRANCHES_H

#include "fixture.h"

static inline int setup_branches(void **state)
{
    fixture *f = fixture_new();
    assert_ok(f, create_ns(f, NULL, "s"));
    assert_ok(f, create_table(f, NULL, "s", "a"));
    assert_ok(f, create_table(f, NULL, "s", "b"));
    assert_ok(f, firn_catalog_ref_create(f->catalog, "dev", false, NULL, &f->err));
    *state = f;
    return 0;
}

#define BRANCHES(name) cmocka_unit_test_setup_teardown(name, setup_branches, teardown)

static inline firn_rc merge(fixture *f, const char *from, const char *into, firn_merge_result *out)
{
    return firn_catalog_merge(f->catalog, f->arena, from, into, NULL, out, &f->err);
}

/* ---- rows ------------------------------------------------------------------------------------- */

typedef struct row_change {
    fixture *f;
    int64_t rows;
    firn_snapshot_op op;
    const json_t *summary; /* nullable: more of it */
} row_change;

static inline firn_rc build_rows(void *ctx, firn_arena *arena, const firn_table *base,
                                 json_t *updates, json_t *requirements, firn_err *err)
{
    row_change *what = ctx;
    fixture *f = what->f;
    const firn_partition_spec *spec = base->metadata->spec;
    firn_data_file file = {
        .path = firn_arena_printf(arena, "%s/data/%s.parquet", base->metadata->location,
                                  firn_uuid_new(arena)),
        .format = "PARQUET",
        .spec_id = spec->spec_id,
        .record_count = what->rows,
        .file_size_bytes = 1000,
        .sort_order_id = base->metadata->sort_order->order_id,
        .first_row_id = -1,
        .content_offset = -1,
        .content_size_bytes = -1,
        .partition = FIRN_NEW_N(arena, firn_value, spec->n_fields),
        .n_partition = spec->n_fields,
    };
    for (size_t i = 0; i < spec->n_fields; i++) {
        file.partition[i] = firn_value_null(FIRN_TYPE_INT);
    }
    firn_snapshot_change change = {
        .op = what->op,
        .added = &file,
        .n_added = what->op == FIRN_SNAPSHOT_DELETE ? 0 : 1,
        .remove_all = what->op == FIRN_SNAPSHOT_DELETE,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT},
        .summary_extra = what->summary,
    };
    firn_snapshot_result result;
    return firn_snapshot_produce(f->storage, firn_catalog_manifests(f->catalog), arena,
                                 base->metadata, &change, updates, requirements, &result, err);
}

static inline void change_rows(fixture *f, const char *branch, const char *name, int64_t rows,
                               firn_snapshot_op op)
{
    row_change what = {.f = f, .rows = rows, .op = op};
    firn_table_builder builder = {.ident = id(f, "s", name), .build = build_rows, .ctx = &what};
    assert_ok(f, firn_catalog_commit_tables(f->catalog, f->arena, branch, &builder, 1, NULL, NULL,
                                            &f->err));
}

/* One data file of so many rows, with its manifests. */
static inline void append_rows(fixture *f, const char *branch, const char *name, int64_t rows)
{
    change_rows(f, branch, name, rows, FIRN_SNAPSHOT_APPEND);
}

static inline void append_file(fixture *f, const char *branch, const char *name)
{
    append_rows(f, branch, name, 10);
}

static inline const char *total_rows(fixture *f, const char *ref, const char *name)
{
    const firn_snapshot *current = load(f, ref, "s", name).metadata->current_snapshot;
    return json_string_value(json_object_get(current->summary, "total-records"));
}

/* By the manifests of the current snapshot, not by what its summary says. */
static inline int64_t count_rows(fixture *f, const char *ref, const char *name)
{
    const firn_metadata *m = load(f, ref, "s", name).metadata;
    firn_manifest_file *files = NULL;
    size_t n = 0;
    int64_t rows = 0;
    if (!m->current_snapshot) {
        return 0;
    }
    assert_ok(f, firn_manifest_list_read(f->storage, f->arena, m, m->current_snapshot, &files, &n,
                                         &f->err));
    for (size_t i = 0; i < n; i++) {
        firn_manifest *manifest;
        assert_ok(f, firn_manifest_open(f->storage, NULL, m, &files[i], &manifest, &f->err));
        for (size_t k = 0; k < firn_manifest_len(manifest); k++) {
            firn_manifest_entry entry;
            firn_manifest_entry_at(manifest, f->arena, k, &entry);
            assert_non_null(firn_metadata_spec(m, entry.file.spec_id));
            rows += entry.status == FIRN_ENTRY_DELETED ? 0 : entry.file.record_count;
        }
        firn_manifest_unref(manifest);
    }
    return rows;
}

/* ---- metadata --------------------------------------------------------------------------------- */

static inline firn_rc update(fixture *f, const char *branch, const char *name, json_t *updates)
{
    return commit_one(f, branch,
                      (firn_change){.kind = FIRN_CHANGE_UPDATE_TABLE,
                                    .ident = id(f, "s", name),
                                    .updates = firn_json_own(f->arena, updates)});
}

static inline void set_key(fixture *f, const char *branch, const char *name, const char *key,
                           const char *value)
{
    assert_ok(f,
              update(f, branch, name,
                     json_pack("[{sss{ss}}]", "action", "set-properties", "updates", key, value)));
}

static inline void set_property(fixture *f, const char *branch, const char *name)
{
    set_key(f, branch, name, "k", branch);
}

static inline const char *property(fixture *f, const char *ref, const char *name, const char *key)
{
    return firn_metadata_property(load(f, ref, "s", name).metadata, key, "");
}

static inline firn_schema_change *change_schema(fixture *f, const char *branch, const char *name)
{
    return firn_schema_change_new(f->arena, load(f, branch, "s", name).metadata);
}

static inline void finish_schema(fixture *f, const char *branch, const char *name,
                                 firn_schema_change *change)
{
    firn_schema *schema;
    json_t *updates = json_array();
    json_t *requirements = firn_json_own(f->arena, json_array());
    assert_ok(f, firn_schema_change_finish(change, &schema, updates, requirements, &f->err));
    assert_ok(f, update(f, branch, name, updates));
}

static inline void add_column(fixture *f, const char *branch, const char *name, const char *column,
                              const char *type)
{
    firn_schema_change *change = change_schema(f, branch, name);
    firn_field field = {.name = column, .type = firn_type_parse_primitive(f->arena, type)};
    assert_ok(f, firn_schema_change_add(change, NULL, &field, &f->err));
    finish_schema(f, branch, name, change);
}

static inline void drop_column(fixture *f, const char *branch, const char *name, const char *column)
{
    firn_schema_change *change = change_schema(f, branch, name);
    assert_ok(f, firn_schema_change_drop(change, column, &f->err));
    finish_schema(f, branch, name, change);
}

static inline void rename_column(fixture *f, const char *branch, const char *name,
                                 const char *column, const char *to)
{
    firn_schema_change *change = change_schema(f, branch, name);
    assert_ok(f, firn_schema_change_rename(change, column, to, &f->err));
    finish_schema(f, branch, name, change);
}

/* "id, x" */
static inline const char *columns(fixture *f, const char *ref, const char *name)
{
    const firn_schema *schema = load(f, ref, "s", name).metadata->schema;
    FIRN_VEC(const char *) names = {0};
    for (size_t i = 0; i < schema->root.n_fields; i++) {
        firn_vec_push(f->arena, &names, schema->root.fields[i].name);
    }
    return firn_str_join(f->arena, names.items, names.len, ", ");
}

static inline firn_change rename_change(fixture *f, const char *from, const char *to)
{
    return (firn_change){
        .kind = FIRN_CHANGE_RENAME_TABLE, .ident = id(f, "s", from), .to = id(f, "s", to)};
}

#endif
