/* Manifests and manifest lists of any origin. The first byte says what the rest is: 0 a data manifest, 1 a delete
 * manifest, 2 a manifest list; 3 and 4 as 0 and 1, with a partition spec that the table does not have. Whatever
 * decodes is then used as scans use it. */
#include "manifest_data.h"
#include "scan_deletes.h"
#include "scan_filter.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char metadata_json[] =
    "{\"format-version\":3,\"table-uuid\":\"9c12d441-03fe-4693-9a96-a0705ddf69c1\","
    "\"location\":\"file:///t\",\"last-sequence-number\":9,\"last-updated-ms\":1,"
    "\"last-column-id\":6,\"current-schema-id\":0,\"schemas\":[{\"type\":\"struct\",\"schema-id\":0,"
    "\"fields\":[{\"id\":1,\"name\":\"id\",\"required\":false,\"type\":\"long\"},"
    "{\"id\":2,\"name\":\"day\",\"required\":false,\"type\":\"date\"},"
    "{\"id\":3,\"name\":\"name\",\"required\":false,\"type\":\"string\"},"
    "{\"id\":4,\"name\":\"price\",\"required\":false,\"type\":\"double\"},"
    "{\"id\":5,\"name\":\"amount\",\"required\":false,\"type\":\"decimal(9, 2)\"},"
    "{\"id\":6,\"name\":\"u\",\"required\":false,\"type\":\"uuid\"}]}],"
    "\"default-spec-id\":0,\"last-partition-id\":1003,\"partition-specs\":[{\"spec-id\":0,\"fields\":["
    "{\"source-id\":2,\"field-id\":1000,\"name\":\"day\",\"transform\":\"identity\"},"
    "{\"source-id\":3,\"field-id\":1001,\"name\":\"name\",\"transform\":\"truncate[4]\"},"
    "{\"source-id\":5,\"field-id\":1002,\"name\":\"amount\",\"transform\":\"identity\"},"
    "{\"source-id\":6,\"field-id\":1003,\"name\":\"u\",\"transform\":\"identity\"}]}],"
    "\"default-sort-order-id\":0,\"sort-orders\":[{\"order-id\":0,\"fields\":[]}],"
    "\"properties\":{},\"next-row-id\":0}";

static const firn_metadata *table(void)
{
    static firn_arena *arena; /* for the life of the process */
    static firn_metadata *metadata;
    if (!metadata) {
        arena = firn_arena_new();
        if (firn_metadata_parse(arena, firn_bytes_str(metadata_json), "fuzz", &metadata, NULL) !=
            FIRN_OK)
            abort();
    }
    return metadata;
}

static const firn_expr *filter(firn_arena *arena)
{
    const firn_schema *schema = table()->schema;
    firn_value id = {.type = FIRN_TYPE_LONG, .i64 = 5};
    firn_value name = {.type = FIRN_TYPE_STRING, .bytes = firn_bytes_str("ab")};
    firn_value price = {.type = FIRN_TYPE_DOUBLE, .f64 = 1.5};
    const firn_field *fields = schema->root.fields;
    const firn_expr *a = firn_expr_leaf(arena, FIRN_EXPR_EQ, &fields[0], &id, 1, NULL);
    const firn_expr *b = firn_expr_leaf(arena, FIRN_EXPR_STARTS_WITH, &fields[2], &name, 1, NULL);
    const firn_expr *c = firn_expr_leaf(arena, FIRN_EXPR_GT, &fields[3], &price, 1, NULL);
    const firn_expr *d = firn_expr_leaf(arena, FIRN_EXPR_IS_NULL, &fields[5], NULL, 0, NULL);
    return firn_expr_or(arena, firn_expr_or(arena, a, b), firn_expr_or(arena, c, d));
}

static void use_manifest(firn_manifest *m)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_file_filter *prepared =
        firn_file_filter_new(arena, table(), table()->schema, filter(arena));
    firn_filter_binding binding;
    firn_filter_bind(prepared, arena, m, &binding);
    firn_delete_index *index = firn_delete_index_new(arena, table());
    size_t kept = 0;
    for (size_t i = 0; i < m->n; i++) {
        firn_manifest_entry entry;
        firn_manifest_entry_at(m, arena, i, &entry);
        for (size_t k = 1; k < entry.file.n_metrics; k++) {
            if (entry.file.metrics[k].field_id < entry.file.metrics[k - 1].field_id)
                abort();
        }
        kept += firn_filter_test(&binding, i) == FIRN_KEEP;
        kept += firn_filter_all_match(&binding, i);
        if (m->deletes)
            kept += firn_delete_index_add(index, m, i, NULL) == FIRN_OK;
    }
    firn_delete_index_finish(index);
    if (kept > 3 * m->n)
        abort();
}

static void fuzz_list(firn_bytes bytes)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_manifest_file *files;
    size_t n;
    if (firn_manifest_list_decode(arena, bytes, "fuzz", &files, &n, NULL) != FIRN_OK)
        return;
    firn_file_filter *prepared =
        firn_file_filter_new(arena, table(), table()->schema, filter(arena));
    for (size_t i = 0; i < n; i++) {
        if (!files[i].path)
            abort();
        files[i].spec_id = 0;
        (void)firn_file_filter_manifest(prepared, &files[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    firn_bytes bytes = firn_bytes_of(data + 1, size - 1);
    if (data[0] == 2) {
        fuzz_list(bytes);
        return 0;
    }
    firn_manifest_file file = {
        .path = "fuzz",
        .deletes = data[0] == 1 || data[0] == 4,
        .spec_id = data[0] >= 3 ? 7 : 0,
        .sequence_number = 4,
        .added_snapshot_id = 1,
        .added_files = 3,
        .first_row_id = 10,
    };
    firn_manifest *m;
    firn_err err = {0};
    if (firn_manifest_decode(bytes, table(), &file, &m, &err) == FIRN_OK) {
        use_manifest(m);
        firn_manifest_unref(m);
    } else if (!err.message[0]) {
        abort();
    }
    return 0;
}
