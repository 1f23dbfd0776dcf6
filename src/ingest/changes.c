/* Changes by key: what a feed's records mean, as SQL. See changes.h. */
#include "changes_private.h"

#define OP "struct_extract(__firn_change, 'op')"

/* ---- columns ------------------------------------------------------------------------------------------- */

const firn_field *firn_change_member(const firn_type *type, const char *name)
{
    const firn_field *near = NULL;
    for (size_t i = 0; type != NULL && type->id == FIRN_TYPE_STRUCT && i < type->n_fields; i++) {
        if (firn_streq(type->fields[i].name, name)) {
            return &type->fields[i];
        }
        near = firn_strcaseeq(type->fields[i].name, name) ? &type->fields[i] : near;
    }
    return near;
}

const char *firn_change_path(firn_arena *arena, const char *base, const char *name)
{
    return base == NULL ? firn_sql_ident(arena, name)
                        : firn_arena_printf(arena, "struct_extract(%s, %s)", base,
                                            firn_sql_quote(arena, name));
}

bool firn_change_is_message_column(const char *name)
{
    return firn_streq(name, "_key") || firn_streq(name, "_kafka");
}

/* ---- keys ------------------------------------------------------------------------------------------------ */

/* The message's key as a struct; in Connect's JSON the one called payload. `base` is its SQL. NULL: it is no struct. */
static const firn_type *key_struct(const firn_change_job *job, const char **base)
{
    const firn_field *key = firn_change_member(job->root, "_key");
    if (key == NULL || key->type->id != FIRN_TYPE_STRUCT) {
        return NULL;
    }
    *base = firn_sql_ident(job->arena, key->name);
    const firn_field *payload = firn_change_member(key->type, "payload");
    if (payload != NULL && payload->type->id == FIRN_TYPE_STRUCT &&
        firn_change_member(key->type, "schema") != NULL) {
        *base = firn_change_path(job->arena, *base, payload->name);
        return payload->type;
    }
    return key->type;
}

firn_rc firn_change_key(firn_change_job *job, firn_change_has_fn has, firn_err *err)
{
    FIRN_VEC(const char *) names = {0};
    const char *base = NULL;
    if (job->feed->n_key > 0) {
        job->out->key = job->feed->key;
        job->out->n_key = job->feed->n_key;
        return FIRN_OK;
    }
    const firn_type *key = key_struct(job, &base);
    for (size_t i = 0; key != NULL && i < key->n_fields; i++) {
        if (has == NULL || has(job, key->fields[i].name)) {
            firn_vec_push(job->arena, &names, key->fields[i].name);
        }
    }
    const firn_field *scalar = firn_change_member(job->root, "_key");
    if (key == NULL && scalar != NULL && job->feed->key_column != NULL) {
        firn_vec_push(job->arena, &names, job->feed->key_column);
    }
    if (names.len == 0) {
        FIRN_FAIL(err, FIRN_E_CONFIG,
                  "feed %s: %s, so it is not known which row a record changes; name the columns: "
                  "key: [...]",
                  job->feed->name,
                  scalar == NULL ? "its messages have no key"
                  : key == NULL  ? "the key of its messages is no record"
                                 : "the fields of its messages' key are none of the rows'");
    }
    job->out->key = names.items;
    job->out->n_key = names.len;
    return FIRN_OK;
}

bool firn_change_is_key(const firn_change_job *job, const char *name)
{
    for (size_t i = 0; i < job->out->n_key; i++) {
        if (firn_strcaseeq(job->out->key[i], name)) {
            return true;
        }
    }
    return false;
}

const char *firn_change_key_sql(const firn_change_job *job, const char *name)
{
    const char *base = NULL;
    const firn_type *key = key_struct(job, &base);
    const firn_field *field = firn_change_member(key, name);
    if (field != NULL) {
        return firn_change_path(job->arena, base, field->name);
    }
    const firn_field *scalar = firn_change_member(job->root, "_key");
    bool stands_for_it = key == NULL && scalar != NULL && job->out->n_key == 1;
    return stands_for_it ? firn_sql_ident(job->arena, scalar->name) : NULL;
}

/* ---- what both kinds add ----------------------------------------------------------------------------------- */

void firn_change_put_own(const firn_change_job *job, const char *op, firn_buf *out)
{
    const firn_feed *feed = job->feed;
    bool has_kafka = firn_change_member(job->root, "_kafka") != NULL;
    bool has_key = firn_change_member(job->root, "_key") != NULL;
    if (has_kafka && feed->kafka_column != NULL) {
        firn_buf_printf(out, ", _kafka AS %s", firn_sql_ident(job->arena, feed->kafka_column));
    }
    if (has_key && feed->key_column != NULL && !firn_change_is_key(job, feed->key_column)) {
        firn_buf_printf(out, ", _key AS %s", firn_sql_ident(job->arena, feed->key_column));
    }
    firn_buf_printf(out, ", struct_pack(op := %s, o := %s) AS __firn_change", op,
                    has_kafka ? "struct_extract(_kafka, 'offset')" : "CAST(0 AS BIGINT)");
}

/* ---- upserts ------------------------------------------------------------------------------------------------ */

static void put_item(firn_buf *out, const char *sql, const char *name, firn_arena *arena)
{
    firn_buf_printf(out, "%s%s AS %s", out->len > 0 ? ", " : "", sql, firn_sql_ident(arena, name));
}

static firn_rc upsert_plan(firn_change_job *job, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf items = {0};
    FIRN_AUTO_BUF firn_buf all_null = {0};
    FIRN_TRY(firn_change_key(job, NULL, err));
    for (size_t i = 0; i < job->root->n_fields; i++) {
        const char *name = job->root->fields[i].name;
        if (firn_change_is_message_column(name)) {
            continue;
        }
        const char *sql = firn_sql_ident(job->arena, name);
        firn_buf_printf(&all_null, "%s IS NULL AND ", sql);
        const char *key = firn_change_is_key(job, name) ? firn_change_key_sql(job, name) : NULL;
        put_item(&items,
                 key != NULL ? firn_arena_printf(job->arena, "coalesce(%s, %s)", sql, key) : sql,
                 name, job->arena);
    }
    for (size_t i = 0; i < job->out->n_key; i++) {
        const char *key = firn_change_key_sql(job, job->out->key[i]);
        if (key != NULL && firn_change_member(job->root, job->out->key[i]) == NULL) {
            put_item(&items, key, job->out->key[i], job->arena);
        }
    }
    firn_buf_puts(&all_null, "true");
    firn_change_put_own(job,
                        firn_arena_printf(job->arena, "CASE WHEN %s THEN 'd' ELSE 'u' END",
                                          firn_buf_cstr(&all_null)),
                        &items);
    job->out->sql =
        firn_arena_printf(job->arena, "SELECT %s FROM batch",
                          firn_buf_cstr(&items) + (items.len > 1 && items.data[0] == ',' ? 1 : 0));
    return FIRN_OK;
}

/* ---- all together --------------------------------------------------------------------------------------------- */

firn_rc firn_change_plan_make(firn_session *session, firn_arena *arena, const firn_feed *feed,
                              const firn_rows *rows, size_t n_rows, firn_change_plan *out,
                              firn_err *err)
{
    firn_schema *schema = NULL;
    *out = (firn_change_plan){.order_by = "struct_extract(__firn_change, 'o')",
                              .delete_if = OP " = 'd'"};
    if (n_rows == 0) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_rows_describe(session, arena, rows, n_rows, NULL, 3, &schema, err));
    firn_change_job job = {.session = session,
                           .arena = arena,
                           .feed = feed,
                           .rows = rows,
                           .n_rows = n_rows,
                           .root = &schema->root,
                           .out = out};
    if (feed->mode == FIRN_FEED_DEBEZIUM) {
        out->truncate_if = OP " = 't'";
        FIRN_TRY(firn_debezium_plan(&job, err));
    } else {
        FIRN_TRY(upsert_plan(&job, err));
    }
    if (feed->transform != NULL && out->sql != NULL) {
        FIRN_TRY(firn_rows_compose(session, arena, out->sql, feed->transform, &out->sql, err));
    }
    return FIRN_OK;
}
