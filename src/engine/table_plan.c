/* engine/table_plan.h: what CREATE TABLE does to its columns, partitions, order and properties, without the statement. */
#include "engine/table_plan.h"

#include "ddl.h"

#include <string.h>

typedef struct table_plan {
    firn_arena *arena;
    const firn_table_plan_options *options;
    const char *text; /* the table's name */
} table_plan;

firn_rc firn_table_plan_version(firn_session *session, const firn_table_plan_options *options,
                                int *format_version, firn_err *err)
{
    const char *text = json_string_value(json_object_get(options->properties, "format-version"));
    int64_t version = options->format_version;
    if (version == 0 && text == NULL) {
        version = firn_lake_config(session->engine->lake)->format_version;
    } else if (version == 0 && !firn_parse_i64(text, &version)) {
        version = -1;
    }
    if (version != 2 && version != 3) {
        FIRN_FAIL(err, FIRN_E_INVALID, "format-version is %s: firn makes tables of version 2 and 3",
                  text != NULL ? text : "neither 2 nor 3");
    }
    *format_version = (int)version;
    return FIRN_OK;
}

static firn_rc bad_term(const table_plan *plan, const char *what, const char *term, firn_rc rc,
                        firn_err *err)
{
    return firn_err_wrap(err, rc, "%s of %s: '%s'", what, plan->text, term);
}

static firn_rc parse_partition(const table_plan *plan, const char *text, firn_partition_term *out,
                               firn_err *err)
{
    firn_parser parser;
    const firn_field *field = NULL;
    FIRN_TRY(firn_parser_open(plan->arena, text, &parser, err));
    FIRN_TRY(firn_parse_partition_term(&parser, out, err));
    FIRN_TRY(firn_parse_end(&parser, err));
    return firn_find_column(plan->arena, plan->options->schema, out->column, plan->text, &field,
                            err);
}

static firn_rc plan_partitions(const table_plan *plan, firn_partition_spec **out, firn_err *err)
{
    const firn_table_plan_options *o = plan->options;
    firn_partition_term *terms = FIRN_NEW_N(plan->arena, firn_partition_term, o->n_partition_by);
    for (size_t i = 0; i < o->n_partition_by; i++) {
        firn_rc rc = parse_partition(plan, o->partition_by[i], &terms[i], err);
        if (rc != FIRN_OK) {
            return bad_term(plan, "partition_by", o->partition_by[i], rc, err);
        }
    }
    return o->n_partition_by == 0 ? FIRN_OK
                                  : firn_partition_spec_build(plan->arena, o->schema, terms,
                                                              o->n_partition_by, out, err);
}

static firn_rc parse_sort(const table_plan *plan, const char *text, firn_sort_terms *terms,
                          firn_err *err)
{
    firn_parser parser;
    firn_sort_field *fields = NULL;
    FIRN_TRY(firn_parser_open(plan->arena, text, &parser, err));
    FIRN_TRY(firn_parse_sort_terms(&parser, terms, err));
    FIRN_TRY(firn_parse_end(&parser, err));
    return firn_sort_fields(plan->arena, plan->options->schema, terms, &fields, err);
}

static firn_rc plan_order(const table_plan *plan, firn_sort_order **out, firn_err *err)
{
    const firn_table_plan_options *o = plan->options;
    firn_sort_terms terms = {0};
    if (o->n_sort_by == 0) {
        return FIRN_OK;
    }
    for (size_t i = 0; i < o->n_sort_by; i++) {
        firn_rc rc = parse_sort(plan, o->sort_by[i], &terms, err);
        if (rc != FIRN_OK) {
            return bad_term(plan, "sort_by", o->sort_by[i], rc, err);
        }
    }
    firn_sort_order *order = FIRN_NEW(plan->arena, firn_sort_order);
    order->order_id = 1;
    order->n_fields = terms.len;
    FIRN_TRY(firn_sort_fields(plan->arena, o->schema, &terms, &order->fields, err));
    *out = order;
    return FIRN_OK;
}

static json_t *plan_properties(const table_plan *plan, firn_session *session, int format_version)
{
    const firn_table_plan_options *o = plan->options;
    json_t *out = firn_json_own(
        plan->arena, o->properties != NULL ? json_copy((json_t *)o->properties) : json_object());
    json_object_set_new(out, "format-version", json_sprintf("%d", format_version));
    if (o->comment != NULL) {
        json_object_set_new(out, "comment", json_string(o->comment));
    }
    firn_table_defaults(firn_lake_config(session->engine->lake), out);
    return out;
}

firn_rc firn_table_plan(firn_session *session, firn_arena *arena,
                        const firn_table_plan_options *options, json_t **updates, firn_err *err)
{
    table_plan plan = {
        .arena = arena, .options = options, .text = firn_ident_text(arena, options->ident)};
    firn_catalog *catalog = NULL;
    firn_partition_spec *spec = NULL;
    firn_sort_order *order = NULL;
    char *location = NULL;
    int version = 0;
    FIRN_TRY(firn_session_catalog(session, &catalog, err));
    FIRN_TRY(firn_check_new_name(options->ident.name, err));
    FIRN_TRY(firn_table_plan_version(session, options, &version, err));
    if (options->schema->root.n_fields == 0) {
        FIRN_FAIL(err, FIRN_E_INVALID, "table %s would have no columns", plan.text);
    }
    FIRN_TRY(plan_partitions(&plan, &spec, err));
    FIRN_TRY(plan_order(&plan, &order, err));
    FIRN_TRY(firn_catalog_default_location(catalog, arena, options->ident, &location, err));
    const firn_table_create create = {.schema = options->schema,
                                      .spec = spec,
                                      .sort_order = order,
                                      .location = location,
                                      .properties = plan_properties(&plan, session, version)};
    FIRN_TRY(firn_table_create_updates(arena, &create, updates, err));
    (void)firn_json_own(arena, *updates);
    return FIRN_OK;
}
