/* Table metadata: any bytes are either a table or refused with a message, and what updates make of a
 * table can be read back.
 *
 * An input is a metadata file; or {"metadata": ..., "updates": [...], "requirements": [...]}, so that the
 * updates, too, come from outside.
 */
#include "iceberg/update.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_refusal(firn_rc rc, const firn_err *err)
{
    assert(rc == FIRN_E_CORRUPT || rc == FIRN_E_UNSUPPORTED || rc == FIRN_E_LIMIT ||
           rc == FIRN_E_INVALID || rc == FIRN_E_CONFLICT || rc == FIRN_E_NO_COLUMN);
    assert(err->code == rc && err->message[0] != '\0');
}

/* Bytes as values of every column's type: whatever decodes encodes back to something equal. */
typedef struct visit_ctx {
    firn_arena *arena;
    const firn_schema *schema;
    firn_bytes bytes;
} visit_ctx;

static void visit_field(void *ctx, const firn_field *field, const firn_field *parent,
                        const char *path)
{
    const visit_ctx *visit = ctx;
    firn_value value, back;
    (void)parent;
    assert(firn_schema_find_id(visit->schema, field->id) == field);
    assert(firn_streq(firn_schema_path(visit->arena, visit->schema, field->id), path));
    assert(firn_schema_find_name(visit->schema, path, true));
    firn_type_text(visit->arena, field->type);
    if (firn_type_is_nested(field->type) ||
        firn_value_decode(field->type, visit->bytes, &value, NULL) != FIRN_OK)
        return;
    firn_bytes encoded = firn_value_encode(visit->arena, &value);
    assert(firn_value_decode(field->type, encoded, &back, NULL) == FIRN_OK);
    assert(firn_value_cmp(&value, &back) == 0);
    firn_value_text(visit->arena, field->type, &value);
    firn_json_own(visit->arena, firn_value_to_json(visit->arena, field->type, &value));
    if (firn_value_truncate_upper(visit->arena, &value, 4, &back))
        assert(firn_value_cmp(&value, &back) <= 0);
    back = firn_value_truncate_lower(visit->arena, &value, 4);
    assert(firn_value_cmp(&back, &value) <= 0);
}

static void partition_by(firn_arena *arena, const firn_metadata *table, firn_bytes bytes)
{
    const firn_partition_spec *spec = table->spec;
    firn_value *values = FIRN_NEW_N(arena, firn_value, spec->n_fields);
    firn_partition_type(arena, spec, table->schema);
    for (size_t i = 0; i < spec->n_fields; i++) {
        const firn_field *source = firn_schema_find_id(table->schema, spec->fields[i].source_id);
        firn_value value;
        values[i] = firn_value_null(FIRN_TYPE_INT);
        if (source && !firn_type_is_nested(source->type) &&
            firn_value_decode(source->type, bytes, &value, NULL) == FIRN_OK &&
            firn_transform_apply(arena, &spec->fields[i].transform, source->type, &value,
                                 &values[i], NULL) != FIRN_OK)
            values[i] = firn_value_null(FIRN_TYPE_INT);
    }
    firn_partition_path(arena, spec, table->schema, values);
}

static void look_around(firn_arena *arena, const firn_metadata *table, firn_bytes bytes)
{
    visit_ctx visit = {arena, table->schema, bytes};
    firn_schema_visit(arena, table->schema, visit_field, &visit);
    partition_by(arena, table, bytes);
    firn_metadata_snapshot_as_of(table, 1600000000000);
    for (size_t i = 0; i < table->n_refs; i++)
        assert(firn_metadata_snapshot(table, table->refs[i].snapshot_id));
    firn_name_mapping_field *fields;
    size_t n;
    const char *mapping = firn_metadata_property(table, "schema.name-mapping.default", "[]");
    firn_err err = {0};
    firn_rc rc = firn_name_mapping_parse(arena, mapping, &fields, &n, &err);
    if (rc != FIRN_OK)
        check_refusal(rc, &err);
}

/* A column more and the first one renamed: updates that a schema change makes always apply. */
static json_t *change_schema(firn_arena *arena, const firn_metadata *table)
{
    static const firn_type int_type = {.id = FIRN_TYPE_INT};
    const firn_field added = {.name = "fuzz added", .type = &int_type};
    json_t *updates = firn_json_own(arena, json_array());
    json_t *requirements = firn_json_own(arena, json_array());
    firn_schema_change *change = firn_schema_change_new(arena, table);
    firn_schema *schema;
    firn_err err = {0};
    firn_rc rc = firn_schema_change_add(change, NULL, &added, &err);
    if (rc == FIRN_OK && table->schema->root.n_fields > 0)
        rc = firn_schema_change_rename(change, table->schema->root.fields[0].name, "fuzz renamed",
                                       &err);
    if (rc == FIRN_OK)
        rc = firn_schema_change_finish(change, &schema, updates, requirements, &err);
    if (rc != FIRN_OK) {
        check_refusal(rc, &err);
        return NULL;
    }
    assert(firn_requirements_check(requirements, table, NULL) == FIRN_OK);
    return updates;
}

static void apply(firn_arena *arena, const firn_metadata *base, const json_t *updates)
{
    const firn_update_options options = {.now_ms = 1700000000000,
                                         .previous_location = "file:///w/t/metadata/v1.json"};
    firn_metadata *table = NULL, *again = NULL;
    firn_err err = {0};
    firn_rc rc = firn_updates_apply(arena, base, updates, &options, &table, &err);
    if (rc != FIRN_OK) {
        check_refusal(rc, &err);
        return;
    }
    rc = firn_metadata_from_json(arena, table->json, "result", &again, &err);
    if (rc != FIRN_OK)
        fprintf(stderr, "%s\n%s\n", err.message, firn_json_text(arena, table->json));
    assert(rc == FIRN_OK);
    assert(again->n_snapshots == table->n_snapshots && again->n_refs == table->n_refs);
    assert(again->n_snapshot_log == table->n_snapshot_log);
    assert(firn_type_equal(&again->schema->root, &table->schema->root));
}

static void apply_to(firn_arena *arena, const firn_metadata *base, json_t *input)
{
    const json_t *updates = json_object_get(input, "updates");
    const json_t *requirements = json_object_get(input, "requirements");
    firn_err err = {0};
    if (requirements) {
        firn_rc rc = firn_requirements_check(requirements, base, &err);
        if (rc != FIRN_OK)
            check_refusal(rc, &err);
    }
    if (updates)
        apply(arena, base, updates);
    if (!base)
        return;
    json_t *set = firn_json_own(arena, json_array());
    firn_update_set_properties(set, firn_json_own(arena, json_pack("{s:s}", "fuzz", "1")));
    apply(arena, base, set);
    const json_t *changed = change_schema(arena, base);
    if (changed)
        apply(arena, base, changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_metadata *table = NULL;
    json_t *input = NULL;
    firn_err err = {0};
    firn_rc rc;
    firn_bytes bytes = firn_bytes_of(data, size);
    if (firn_json_parse(arena, bytes, "fuzz", &input, NULL) == FIRN_OK &&
        json_object_get(input, "updates")) {
        json_t *base = json_object_get(input, "metadata");
        rc = base && !json_is_null(base)
                 ? firn_metadata_from_json(arena, base, "fuzz", &table, &err)
                 : FIRN_OK;
    } else {
        rc = firn_metadata_parse(arena, bytes, "fuzz", &table, &err);
    }
    if (rc != FIRN_OK) {
        check_refusal(rc, &err);
        return 0;
    }
    if (table)
        look_around(arena, table, firn_bytes_of(data, size < 16 ? size : size % 17));
    apply_to(arena, table, input);
    return 0;
}
