/* Update requirements (REST catalog specification, "TableRequirement"): what must still hold for a change to
 * be applied. The texts are Java's, by which clients and their tests know them. */
#include "metadata_private.h"

#include "iceberg/update.h"

#include <inttypes.h>

typedef firn_rc requirement_fn(const json_t *requirement, const firn_metadata *base,
                               const char *what, firn_err *err);

static firn_rc check_create(const json_t *requirement, const firn_metadata *base, const char *what,
                            firn_err *err)
{
    (void)requirement;
    (void)what;
    if (base)
        FIRN_FAIL(err, FIRN_E_CONFLICT, "Requirement failed: table already exists");
    return FIRN_OK;
}

static firn_rc check_uuid(const json_t *requirement, const firn_metadata *base, const char *what,
                          firn_err *err)
{
    const char *uuid = NULL;
    FIRN_TRY(firn_json_str(requirement, "uuid", what, &uuid, err));
    if (!base)
        FIRN_FAIL(err, FIRN_E_CONFLICT,
                  "Requirement failed: UUID does not match: the table does not exist, expected %s",
                  uuid);
    if (!base->table_uuid || !firn_strcaseeq(uuid, base->table_uuid))
        FIRN_FAIL(err, FIRN_E_CONFLICT,
                  "Requirement failed: UUID does not match: expected %s != %s",
                  base->table_uuid ? base->table_uuid : "null", uuid);
    return FIRN_OK;
}

static firn_rc check_ref(const json_t *requirement, const firn_metadata *base, const char *what,
                         firn_err *err)
{
    const char *name = NULL;
    FIRN_TRY(firn_json_str(requirement, "ref", what, &name, err));
    const json_t *member = json_object_get(requirement, "snapshot-id");
    bool must_exist = member && !json_is_null(member);
    int64_t snapshot_id = -1;
    if (must_exist)
        FIRN_TRY(firn_json_i64(requirement, "snapshot-id", what, &snapshot_id, err));
    const firn_snapshot_ref *ref = base ? firn_metadata_ref(base, name) : NULL;
    if (!ref && must_exist)
        FIRN_FAIL(err, FIRN_E_CONFLICT,
                  "Requirement failed: branch or tag %s is missing, expected %" PRId64, name,
                  snapshot_id);
    if (!ref)
        return FIRN_OK;
    const char *type = ref->is_tag ? "tag" : "branch";
    if (!must_exist)
        FIRN_FAIL(err, FIRN_E_CONFLICT, "Requirement failed: %s %s was created concurrently", type,
                  name);
    if (ref->snapshot_id != snapshot_id)
        FIRN_FAIL(err, FIRN_E_CONFLICT,
                  "Requirement failed: %s %s has changed: expected id %" PRId64 " != %" PRId64,
                  type, name, snapshot_id, ref->snapshot_id);
    return FIRN_OK;
}

/* The five that compare one number of the metadata. */
static firn_rc check_number(const json_t *requirement, const char *key, const char *subject,
                            const firn_metadata *base, int32_t actual, const char *what,
                            firn_err *err)
{
    int32_t expected = 0;
    FIRN_TRY(firn_json_i32(requirement, key, what, &expected, err));
    if (!base)
        FIRN_FAIL(err, FIRN_E_CONFLICT,
                  "Requirement failed: %s changed: expected id %d, but the table does not exist",
                  subject, expected);
    if (expected != actual)
        FIRN_FAIL(err, FIRN_E_CONFLICT, "Requirement failed: %s changed: expected id %d != %d",
                  subject, expected, actual);
    return FIRN_OK;
}

static firn_rc check_last_field(const json_t *requirement, const firn_metadata *base,
                                const char *what, firn_err *err)
{
    return check_number(requirement, "last-assigned-field-id", "last assigned field id", base,
                        base ? base->last_column_id : 0, what, err);
}

static firn_rc check_last_partition(const json_t *requirement, const firn_metadata *base,
                                    const char *what, firn_err *err)
{
    return check_number(requirement, "last-assigned-partition-id", "last assigned partition id",
                        base, base ? base->last_partition_id : 0, what, err);
}

static firn_rc check_schema(const json_t *requirement, const firn_metadata *base, const char *what,
                            firn_err *err)
{
    return check_number(requirement, "current-schema-id", "current schema", base,
                        base ? base->schema->schema_id : 0, what, err);
}

static firn_rc check_spec(const json_t *requirement, const firn_metadata *base, const char *what,
                          firn_err *err)
{
    return check_number(requirement, "default-spec-id", "default partition spec", base,
                        base ? base->spec->spec_id : 0, what, err);
}

static firn_rc check_order(const json_t *requirement, const firn_metadata *base, const char *what,
                           firn_err *err)
{
    return check_number(requirement, "default-sort-order-id", "default sort order", base,
                        base ? base->sort_order->order_id : 0, what, err);
}

static const struct {
    const char *type;
    requirement_fn *check;
} checks[] = {
    {"assert-create", check_create},
    {"assert-table-uuid", check_uuid},
    {"assert-ref-snapshot-id", check_ref},
    {"assert-last-assigned-field-id", check_last_field},
    {"assert-last-assigned-partition-id", check_last_partition},
    {"assert-current-schema-id", check_schema},
    {"assert-default-spec-id", check_spec},
    {"assert-default-sort-order-id", check_order},
};

enum { CHECKS_COUNT = sizeof(checks) / sizeof(checks[0]) };

static firn_rc check_one(const json_t *requirement, const firn_metadata *base, firn_err *err)
{
    const char *type = NULL;
    if (!json_is_object(requirement))
        FIRN_FAIL(err, FIRN_E_INVALID, "an update requirement is not a JSON object");
    FIRN_TRY(firn_json_str(requirement, "type", "update requirement", &type, err));
    for (size_t i = 0; i < CHECKS_COUNT; i++) {
        if (firn_strcaseeq(checks[i].type, type))
            return checks[i].check(requirement, base, checks[i].type, err);
    }
    if (firn_strcaseeq(type, "assert-view-uuid"))
        FIRN_FAIL(err, FIRN_E_INVALID, "Cannot validate assert-view-uuid against a table");
    FIRN_FAIL(err, FIRN_E_INVALID, "Cannot convert update requirement from json: %.100s", type);
}

firn_rc firn_requirements_check(const json_t *requirements, const firn_metadata *base,
                                firn_err *err)
{
    if (!json_is_array(requirements))
        FIRN_FAIL(err, FIRN_E_INVALID, "update requirements are not a JSON array");
    for (size_t i = 0; i < json_array_size(requirements); i++) {
        firn_rc rc = check_one(json_array_get(requirements, i), base, err);
        if (rc == FIRN_E_CORRUPT) { /* a malformed request, nothing on storage */
            if (err)
                err->code = FIRN_E_INVALID;
            return FIRN_E_INVALID;
        }
        if (rc != FIRN_OK)
            return rc;
    }
    return FIRN_OK;
}
