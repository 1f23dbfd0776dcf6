/* ALTER TABLE: the list of actions, and all actions that are not about columns.
 *
 *   ALTER TABLE [IF EXISTS] t action [, action ...]
 *   action := ADD | DROP | RENAME | ALTER [COLUMN] ...                             (alter_column.c)
 *           | ADD | DROP | REPLACE PARTITION FIELD term [WITH term] [AS name] | SET PARTITIONED BY (...)
 *           | WRITE [LOCALLY] ORDERED BY ... | WRITE UNORDERED | SET SORTED BY (...)
 *           | SET TBLPROPERTIES (...) | UNSET TBLPROPERTIES (...) | SET LOCATION 'uri'
 *           | SET | DROP IDENTIFIER FIELDS a, b
 *           | CREATE | REPLACE | DROP BRANCH | TAG ...                             (alter_ref.c)
 *   ALTER TABLE t RENAME TO other
 */
#include "alter.h"

#include "duck.h"
#include "read.h"

#include <string.h>

/* ---- carrying changes ------------------------------------------------------------------------------------ */

firn_rc firn_alter_apply(firn_alter *alter, const json_t *updates, firn_err *err)
{
    firn_update_options options = {0};
    FIRN_TRY(firn_updates_apply(alter->arena, alter->metadata, updates, &options, &alter->metadata,
                                err));
    json_array_extend(alter->updates, (json_t *)updates);
    return FIRN_OK;
}

firn_rc firn_alter_flush(firn_alter *alter, firn_err *err)
{
    firn_schema *schema = NULL;
    if (alter->columns == NULL) {
        return FIRN_OK;
    }
    json_t *updates = firn_json_own(alter->arena, json_array());
    json_t *requirements = firn_json_own(alter->arena, json_array());
    FIRN_TRY(firn_schema_change_finish(alter->columns, &schema, updates, requirements, err));
    alter->columns = NULL;
    return firn_alter_apply(alter, updates, err);
}

/* ---- partitions and order -------------------------------------------------------------------------------- */

/* The names in a term must be the table's; a DROP may also name the partition field itself (ts_day). */
static firn_rc check_term(firn_alter *alter, const firn_partition_term *term, firn_err *err)
{
    const firn_field *field = NULL;
    return firn_find_column(alter->arena, alter->metadata->schema, term->column, alter->text,
                            &field, err);
}

static firn_rc parse_existing_term(firn_alter *alter, firn_partition_term *term, firn_err *err)
{
    const firn_metadata *metadata = alter->metadata;
    FIRN_TRY(firn_parse_partition_term(alter->parser, term, err));
    for (size_t i = 0; i < metadata->spec->n_fields; i++) {
        const firn_partition_field *field = &metadata->spec->fields[i];
        if (term->transform.kind == FIRN_TRANSFORM_IDENTITY &&
            field->transform.kind != FIRN_TRANSFORM_IDENTITY &&
            firn_strcaseeq(field->name, term->column)) {
            term->column = firn_schema_path(alter->arena, metadata->schema, field->source_id);
            term->transform = field->transform;
            return FIRN_OK;
        }
    }
    return check_term(alter, term, err);
}

static firn_rc alter_partition(firn_alter *alter, const char *verb, firn_err *err)
{
    firn_partition_term term;
    firn_partition_term other;
    json_t *updates = firn_json_own(alter->arena, json_array());
    json_t *requirements = firn_json_own(alter->arena, json_array());
    if (firn_streq(verb, "add")) {
        FIRN_TRY(firn_parse_partition_term(alter->parser, &term, err));
        FIRN_TRY(check_term(alter, &term, err));
        FIRN_TRY(
            firn_partition_add(alter->arena, alter->metadata, &term, updates, requirements, err));
    } else if (firn_streq(verb, "drop")) {
        FIRN_TRY(parse_existing_term(alter, &term, err));
        FIRN_TRY(
            firn_partition_drop(alter->arena, alter->metadata, &term, updates, requirements, err));
    } else {
        FIRN_TRY(parse_existing_term(alter, &term, err));
        FIRN_TRY(firn_expect(alter->parser, "with", err));
        FIRN_TRY(firn_parse_partition_term(alter->parser, &other, err));
        FIRN_TRY(check_term(alter, &other, err));
        FIRN_TRY(firn_partition_replace(alter->arena, alter->metadata, &term, &other, updates,
                                        requirements, err));
    }
    return firn_alter_apply(alter, updates, err);
}

static bool same_term(const firn_alter *alter, const firn_partition_term *term,
                      const firn_partition_field *field)
{
    const firn_field *source = firn_schema_find_name(alter->metadata->schema, term->column, false);
    return source != NULL && source->id == field->source_id &&
           firn_streq(term->transform.name, field->transform.name);
}

/* SET PARTITIONED BY (...): drop what is not in the list, add what is not there. */
static firn_rc set_partitioning(firn_alter *alter, firn_err *err)
{
    firn_partition_terms terms = {0};
    FIRN_TRY(firn_parse_partition_terms(alter->parser, &terms, err));
    const firn_partition_spec *old = alter->metadata->spec;
    for (size_t i = 0; i < terms.len; i++) {
        FIRN_TRY(check_term(alter, &terms.items[i], err));
    }
    for (size_t i = 0; i < old->n_fields; i++) {
        bool keep = old->fields[i].transform.kind == FIRN_TRANSFORM_VOID;
        for (size_t k = 0; k < terms.len; k++) {
            keep = keep || same_term(alter, &terms.items[k], &old->fields[i]);
        }
        if (!keep) {
            json_t *updates = firn_json_own(alter->arena, json_array());
            json_t *requirements = firn_json_own(alter->arena, json_array());
            firn_partition_term term = {.column =
                                            firn_schema_path(alter->arena, alter->metadata->schema,
                                                             old->fields[i].source_id),
                                        .transform = old->fields[i].transform};
            FIRN_TRY(firn_partition_drop(alter->arena, alter->metadata, &term, updates,
                                         requirements, err));
            FIRN_TRY(firn_alter_apply(alter, updates, err));
        }
    }
    for (size_t k = 0; k < terms.len; k++) {
        bool there = false;
        for (size_t i = 0; i < old->n_fields; i++) {
            there = there || same_term(alter, &terms.items[k], &old->fields[i]);
        }
        if (!there) {
            json_t *updates = firn_json_own(alter->arena, json_array());
            json_t *requirements = firn_json_own(alter->arena, json_array());
            FIRN_TRY(firn_partition_add(alter->arena, alter->metadata, &terms.items[k], updates,
                                        requirements, err));
            FIRN_TRY(firn_alter_apply(alter, updates, err));
        }
    }
    return FIRN_OK;
}

static firn_rc set_order(firn_alter *alter, bool ordered, firn_err *err)
{
    firn_sort_terms terms = {0};
    firn_sort_field *fields = NULL;
    json_t *updates = firn_json_own(alter->arena, json_array());
    json_t *requirements = firn_json_own(alter->arena, json_array());
    if (ordered) {
        FIRN_TRY(firn_parse_sort_terms(alter->parser, &terms, err));
    }
    FIRN_TRY(firn_sort_fields(alter->arena, alter->metadata->schema, &terms, &fields, err));
    FIRN_TRY(firn_sort_order_set(alter->arena, alter->metadata, fields, terms.len, updates,
                                 requirements, err));
    return firn_alter_apply(alter, updates, err);
}

/* ---- properties and place --------------------------------------------------------------------------------- */

static firn_rc set_properties(firn_alter *alter, firn_err *err)
{
    json_t *properties = NULL;
    FIRN_TRY(firn_parse_properties(alter->parser, "SET TBLPROPERTIES", &properties, err));
    json_t *updates = firn_json_own(alter->arena, json_array());
    const char *version_text = json_string_value(json_object_get(properties, "format-version"));
    if (version_text != NULL) {
        int64_t version = 0;
        if (!firn_parse_i64(version_text, &version) || version < 1 || version > 3) {
            FIRN_FAIL(err, FIRN_E_INVALID, "'format-version' = '%s': Iceberg has 1, 2 and 3",
                      version_text);
        }
        if (version < alter->metadata->format_version) {
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "%s has format version %d; a table cannot go back to version %lld",
                      alter->text, alter->metadata->format_version, (long long)version);
        }
        if (version > alter->metadata->format_version) {
            firn_update_upgrade_format(updates, (int)version);
        }
        json_object_del(properties, "format-version");
    }
    if (json_object_size(properties) > 0) {
        firn_update_set_properties(updates, properties);
    }
    return firn_alter_apply(alter, updates, err);
}

static firn_rc unset_properties(firn_alter *alter, firn_err *err)
{
    const char **keys = NULL;
    size_t n = 0;
    bool if_exists = firn_accept(alter->parser, "if exists");
    FIRN_TRY(firn_parse_property_keys(alter->parser, &keys, &n, err));
    for (size_t i = 0; i < n && !if_exists; i++) {
        if (json_object_get(alter->metadata->properties, keys[i]) == NULL) {
            FIRN_FAIL(err, FIRN_E_INVALID,
                      "%s has no property '%s'; UNSET TBLPROPERTIES IF EXISTS takes that",
                      alter->text, keys[i]);
        }
    }
    json_t *updates = firn_json_own(alter->arena, json_array());
    firn_update_remove_properties(updates, keys, n);
    return firn_alter_apply(alter, updates, err);
}

/* New files go there; those that exist stay where they are. */
static firn_rc set_location(firn_alter *alter, firn_err *err)
{
    const char *location = NULL;
    FIRN_TRY(firn_parse_location(alter->parser, &location, err));
    json_t *update = json_pack("[{s:s, s:s}]", "action", "set-location", "location", location);
    if (update == NULL) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the location is not valid UTF-8 text");
    }
    return firn_alter_apply(alter, firn_json_own(alter->arena, update), err);
}

/* ---- the list of actions ---------------------------------------------------------------------------------- */

static firn_rc alter_set(firn_alter *alter, firn_err *err)
{
    firn_parser *parser = alter->parser;
    if (firn_accept(parser, "identifier fields")) {
        return firn_alter_identifier(alter, false, err);
    }
    FIRN_TRY(firn_alter_flush(alter, err));
    if (firn_accept(parser, "tblproperties") || firn_accept(parser, "properties") ||
        firn_at_words(parser, "(")) {
        return set_properties(alter, err);
    }
    if (firn_accept(parser, "location")) {
        return set_location(alter, err);
    }
    if (firn_accept(parser, "partitioned by")) {
        return set_partitioning(alter, err);
    }
    if (firn_accept(parser, "sorted by")) {
        return set_order(alter, true, err);
    }
    return firn_syntax_error(parser, err,
                             "TBLPROPERTIES, LOCATION, IDENTIFIER FIELDS, PARTITIONED BY or "
                             "SORTED BY behind SET");
}

static firn_rc alter_write(firn_alter *alter, firn_err *err)
{
    FIRN_TRY(firn_alter_flush(alter, err));
    if (firn_accept(alter->parser, "unordered")) {
        return set_order(alter, false, err);
    }
    (void)firn_accept(alter->parser, "distributed by partition");
    (void)firn_accept(alter->parser, "locally");
    FIRN_TRY(firn_expect(alter->parser, "ordered by", err));
    return set_order(alter, true, err);
}

static bool at_ref(const firn_parser *parser)
{
    return firn_at_word(parser, "branch") || firn_at_word(parser, "tag");
}

/* ADD, DROP and the rest about partitions, refs or columns. */
static firn_rc alter_add(firn_alter *alter, firn_err *err)
{
    if (firn_accept(alter->parser, "partition field")) {
        FIRN_TRY(firn_alter_flush(alter, err));
        return alter_partition(alter, "add", err);
    }
    if (firn_at_words(alter->parser, "primary key") || firn_at_word(alter->parser, "constraint")) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "Iceberg tables have no constraints; ALTER TABLE %s SET IDENTIFIER FIELDS says "
                  "what tells rows apart",
                  alter->text);
    }
    return firn_alter_add_column(alter, err);
}

/* DROP BRANCH x drops a ref; DROP branch alone drops a column of that name. */
static firn_rc alter_drop(firn_alter *alter, firn_err *err)
{
    const firn_parser *parser = alter->parser;
    if (firn_accept(alter->parser, "partition field")) {
        FIRN_TRY(firn_alter_flush(alter, err));
        return alter_partition(alter, "drop", err);
    }
    if (firn_accept(alter->parser, "identifier fields")) {
        return firn_alter_identifier(alter, true, err);
    }
    if (at_ref(parser) && parser->at + 1 < parser->end &&
        firn_peek_at(parser, 1)->kind != FIRN_TOKEN_PUNCT) {
        FIRN_TRY(firn_alter_flush(alter, err));
        return firn_alter_ref(alter, FIRN_REF_DROP, err);
    }
    return firn_alter_drop_column(alter, err);
}

static firn_rc alter_create_ref(firn_alter *alter, firn_err *err)
{
    firn_ref_verb verb =
        firn_accept(alter->parser, "or replace") ? FIRN_REF_CREATE_OR_REPLACE : FIRN_REF_CREATE;
    FIRN_TRY(firn_alter_flush(alter, err));
    return firn_alter_ref(alter, verb, err);
}

static firn_rc alter_replace(firn_alter *alter, firn_err *err)
{
    FIRN_TRY(firn_alter_flush(alter, err));
    if (firn_accept(alter->parser, "partition field")) {
        return alter_partition(alter, "replace", err);
    }
    return firn_alter_ref(alter, FIRN_REF_REPLACE, err);
}

static firn_rc alter_one(firn_alter *alter, firn_err *err)
{
    firn_parser *parser = alter->parser;
    if (firn_accept(parser, "add")) {
        return alter_add(alter, err);
    }
    if (firn_accept(parser, "drop")) {
        return alter_drop(alter, err);
    }
    if (firn_accept(parser, "rename")) {
        (void)firn_accept(parser, "column");
        return firn_alter_rename_column(alter, err);
    }
    if (firn_accept(parser, "alter") || firn_accept(parser, "change")) {
        (void)firn_accept(parser, "column");
        return firn_alter_column(alter, err);
    }
    if (firn_accept(parser, "set")) {
        return alter_set(alter, err);
    }
    if (firn_accept(parser, "unset") || firn_accept(parser, "reset")) {
        FIRN_TRY(firn_alter_flush(alter, err));
        if (!firn_accept(parser, "tblproperties")) {
            (void)firn_accept(parser, "properties");
        }
        return unset_properties(alter, err);
    }
    if (firn_accept(parser, "write")) {
        return alter_write(alter, err);
    }
    if (firn_accept(parser, "replace")) {
        return alter_replace(alter, err);
    }
    if (firn_accept(parser, "create")) {
        return alter_create_ref(alter, err);
    }
    return firn_syntax_error(parser, err,
                             "ADD, DROP, RENAME, ALTER COLUMN, SET, UNSET, REPLACE, WRITE, CREATE "
                             "BRANCH or CREATE TAG");
}

/* All that the actions were read against: a race that changed any of it means reading them again. */
static void require_base(const firn_metadata *base, json_t *requirements)
{
    firn_require_uuid(requirements, base->table_uuid);
    firn_require_current_schema(requirements, base->schema->schema_id);
    firn_require_default_spec(requirements, base->spec->spec_id);
    json_array_append_new(requirements,
                          json_pack("{s:s, s:i}", "type", "assert-last-assigned-field-id",
                                    "last-assigned-field-id", (int)base->last_column_id));
    json_array_append_new(requirements,
                          json_pack("{s:s, s:i}", "type", "assert-last-assigned-partition-id",
                                    "last-assigned-partition-id", (int)base->last_partition_id));
    json_array_append_new(requirements,
                          json_pack("{s:s, s:i}", "type", "assert-default-sort-order-id",
                                    "default-sort-order-id", (int)base->sort_order->order_id));
}

typedef struct alter_ctx {
    firn_session *session;
    const firn_parser *parser; /* at the first action */
    const char *text;
} alter_ctx;

static firn_rc build_alter(void *ctx, firn_arena *arena, const firn_table *base, json_t *updates,
                           json_t *requirements, firn_err *err)
{
    const alter_ctx *what = ctx;
    firn_parser parser = *what->parser;
    firn_alter alter = {.session = what->session,
                        .arena = arena,
                        .parser = &parser,
                        .text = what->text,
                        .metadata = base->metadata,
                        .updates = updates};
    do {
        FIRN_TRY(alter_one(&alter, err));
    } while (firn_accept(&parser, ","));
    FIRN_TRY(firn_parse_end(&parser, err));
    FIRN_TRY(firn_alter_flush(&alter, err));
    if (json_array_size(updates) > 0) {
        require_base(base->metadata, requirements);
    }
    return FIRN_OK;
}

/* An unqualified new name stays in the table's namespace. */
static firn_rc rename_table(firn_session *session, firn_parser *parser, firn_ident ident,
                            firn_result **out, firn_err *err)
{
    const char **parts = NULL;
    size_t n = 0;
    firn_ident to = {.ns = ident.ns};
    firn_arena *arena = parser->arena;
    FIRN_TRY(firn_parse_dotted(parser, &parts, &n, err));
    FIRN_TRY(firn_parse_end(parser, err));
    if (n == 1) {
        to.name = parts[0];
    } else {
        FIRN_TRY(firn_session_resolve(session, arena, parts, n, &to, err));
    }
    FIRN_TRY(firn_check_new_name(to.name, err));
    const char *from_text = firn_ident_text(arena, ident);
    const char *to_text = firn_ident_text(arena, to);
    firn_change change = {.kind = FIRN_CHANGE_RENAME_TABLE, .ident = ident, .to = to};
    FIRN_TRY(firn_session_commit_changes(
        session, arena, &change, 1,
        firn_arena_printf(arena, "rename table %s to %s", from_text, to_text), NULL, err));
    *out = firn_result_command("ALTER TABLE", -1, "renamed %s to %s", from_text, to_text);
    return FIRN_OK;
}

firn_rc firn_exec_alter_table(firn_session *session, const char *sql, firn_result **out,
                              firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_parser parser;
    firn_ident ident = {0};
    bool temporary = false;
    FIRN_TRY(firn_parser_open(arena, sql, &parser, err));
    FIRN_TRY(firn_expect(&parser, "alter table", err));
    bool if_exists = firn_accept(&parser, "if exists");
    FIRN_TRY(firn_target_is_temporary(session, &parser, &temporary, err));
    if (temporary) {
        return firn_exec_duck(session, sql, out, err);
    }
    FIRN_TRY(firn_parse_target(session, &parser, &ident, err));
    const char *text = firn_ident_text(arena, ident);
    firn_rc rc = FIRN_OK;
    if (firn_accept(&parser, "rename to")) {
        rc = rename_table(session, &parser, ident, out, err);
    } else {
        alter_ctx ctx = {.session = session, .parser = &parser, .text = text};
        firn_table_commit commit = {.ident = ident,
                                    .build = build_alter,
                                    .ctx = &ctx,
                                    .message = firn_arena_printf(arena, "alter table %s", text)};
        rc = firn_session_commit_table(session, arena, &commit, err);
        if (rc == FIRN_OK) {
            *out = firn_result_command("ALTER TABLE", -1, "altered table %s", text);
        }
    }
    if (if_exists && (rc == FIRN_E_NO_TABLE || rc == FIRN_E_NO_NAMESPACE)) {
        *out = firn_result_command("ALTER TABLE", -1, "there is no table %s", text);
        return FIRN_OK;
    }
    return rc;
}
