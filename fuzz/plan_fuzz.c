/* Scan planning: any text is either a plan task's token or refused, a token that is one comes back as it was, and any JSON is a filter
 * over a table's columns or refused.
 *
 * An input is a token; or a JSON object with "filter" (and "ids": its deflated form is made here), as a plan request has it.
 */
#include "iceberg/scan_json.h"
#include "plan_token.h"

#include <assert.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char columns[] =
    "{\"type\":\"struct\",\"fields\":["
    "{\"id\":1,\"name\":\"id\",\"required\":true,\"type\":\"long\"},"
    "{\"id\":2,\"name\":\"day\",\"required\":false,\"type\":\"date\"},"
    "{\"id\":3,\"name\":\"name\",\"required\":false,\"type\":\"string\"},"
    "{\"id\":4,\"name\":\"price\",\"required\":false,\"type\":\"double\"},"
    "{\"id\":5,\"name\":\"amount\",\"required\":false,\"type\":\"decimal(9, 2)\"},"
    "{\"id\":6,\"name\":\"ts\",\"required\":false,\"type\":\"timestamptz\"},"
    "{\"id\":7,\"name\":\"u\",\"required\":false,\"type\":\"uuid\"},"
    "{\"id\":8,\"name\":\"b\",\"required\":false,\"type\":\"binary\"},"
    "{\"id\":9,\"name\":\"n\",\"required\":false,\"type\":{\"type\":\"struct\",\"fields\":["
    "{\"id\":10,\"name\":\"x\",\"required\":false,\"type\":\"int\"}]}},"
    "{\"id\":11,\"name\":\"flag\",\"required\":false,\"type\":\"boolean\"},"
    "{\"id\":12,\"name\":\"f\",\"required\":false,\"type\":\"fixed[4]\"},"
    "{\"id\":13,\"name\":\"t\",\"required\":false,\"type\":\"time\"}]}";

static void check_refusal(firn_rc rc, const firn_err *err)
{
    assert(rc == FIRN_E_INVALID || rc == FIRN_E_NO_COLUMN || rc == FIRN_E_TYPE ||
           rc == FIRN_E_LIMIT);
    assert(err->code == rc && err->message[0] != '\0');
}

static void check_filter(firn_arena *arena, const json_t *filter)
{
    json_t *json = NULL;
    firn_schema *schema = NULL;
    assert(firn_json_parse(arena, firn_bytes_str(columns), "columns", &json, NULL) == FIRN_OK);
    assert(firn_schema_from_json(arena, json, "columns", &schema, NULL) == FIRN_OK);
    for (int case_sensitive = 0; case_sensitive < 2; case_sensitive++) {
        const firn_expr *expr = NULL, *again = NULL;
        bool exact;
        firn_err err = {0};
        firn_rc rc =
            firn_expr_from_filter_json(arena, schema, filter, case_sensitive, &expr, &exact, &err);
        if (rc != FIRN_OK) {
            check_refusal(rc, &err);
            continue;
        }
        /* What was read has no NOT and can be written; its own JSON is a filter, too. */
        firn_expr_text(arena, schema, expr);
        json_t *written = firn_json_own(arena, firn_expr_to_json(arena, schema, expr));
        rc = firn_expr_from_filter_json(arena, schema, written, true, &again, &exact, &err);
        if (rc != FIRN_OK) {
            check_refusal(rc, &err); /* values that JSON cannot hold: infinite numbers */
        }
    }
}

static void check_token(firn_arena *arena, const char *token)
{
    firn_plan plan, again;
    firn_err err = {0};
    firn_rc rc = firn_plan_decode(arena, token, &plan, &err);
    if (rc != FIRN_OK) {
        check_refusal(rc, &err);
        return;
    }
    rc = firn_plan_decode(arena, firn_plan_encode(arena, &plan), &again, &err);
    assert(rc == FIRN_OK);
    assert(again.snapshot_id == plan.snapshot_id && again.schema_id == plan.schema_id);
    assert(again.from.row == plan.from.row && again.to.manifest == plan.to.manifest);
    assert((plan.filter == NULL) == (again.filter == NULL));
    assert(plan.filter == NULL || json_equal(plan.filter, again.filter));
    if (plan.filter) {
        check_filter(arena, plan.filter);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    json_t *input = NULL;
    check_token(arena, firn_arena_strndup(arena, (const char *)data, size));
    if (firn_json_parse(arena, firn_bytes_of(data, size), "fuzz", &input, NULL) != FIRN_OK) {
        return 0;
    }
    const json_t *filter = json_object_get(input, "filter");
    check_filter(arena, filter ? filter : input);
    firn_plan plan = {.table_uuid = "t", .snapshot_id = 1, .filter = filter};
    check_token(arena, firn_plan_encode(arena, &plan));
    return 0;
}
