/* Iceberg's own branches and tags, inside one table, as Spark spells them:
 *
 *   ALTER TABLE t CREATE [OR REPLACE] | REPLACE BRANCH | TAG [IF NOT EXISTS] name [AS OF VERSION id | AS OF TIMESTAMP 'ts']
 *     [RETAIN n unit] [WITH SNAPSHOT RETENTION [n SNAPSHOTS] [n unit]]
 *   ALTER TABLE t DROP BRANCH | TAG [IF EXISTS] name                        unit := DAYS | HOURS | MINUTES
 *
 * The lake's own branches (CREATE BRANCH dev) span all tables and are in refs.c.
 */
#include "alter.h"

#include <string.h>

static firn_rc parse_duration(firn_parser *parser, int64_t n, int64_t *ms, firn_err *err)
{
    static const struct {
        const char *word;
        int64_t ms;
    } units[] = {{"days", 86400000}, {"day", 86400000},  {"hours", 3600000},
                 {"hour", 3600000},  {"minutes", 60000}, {"minute", 60000}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (firn_accept(parser, units[i].word)) {
            if (n < 1 || __builtin_mul_overflow(n, units[i].ms, ms)) {
                FIRN_FAIL(err, FIRN_E_INVALID, "a retention of %lld %s makes no sense",
                          (long long)n, units[i].word);
            }
            return FIRN_OK;
        }
    }
    return firn_syntax_error(parser, err, "DAYS, HOURS or MINUTES");
}

static firn_rc parse_retention(firn_parser *parser, bool tag, json_t *update, firn_err *err)
{
    int64_t n = 0;
    int64_t ms = 0;
    if (firn_accept(parser, "retain")) {
        FIRN_TRY(firn_parse_integer(parser, &n, err));
        FIRN_TRY(parse_duration(parser, n, &ms, err));
        json_object_set_new(update, "max-ref-age-ms", json_integer(ms));
    }
    if (tag || !firn_accept(parser, "with snapshot retention")) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_parse_integer(parser, &n, err));
    if (firn_accept(parser, "snapshots") || firn_accept(parser, "snapshot")) {
        if (n < 1 || n > INT32_MAX) {
            FIRN_FAIL(err, FIRN_E_INVALID, "a branch keeps 1 to %d snapshots, not %lld", INT32_MAX,
                      (long long)n);
        }
        json_object_set_new(update, "min-snapshots-to-keep", json_integer(n));
        if (parser->at == parser->end || firn_peek(parser)->kind != FIRN_TOKEN_NUMBER) {
            return FIRN_OK;
        }
        FIRN_TRY(firn_parse_integer(parser, &n, err));
    }
    FIRN_TRY(parse_duration(parser, n, &ms, err));
    json_object_set_new(update, "max-snapshot-age-ms", json_integer(ms));
    return FIRN_OK;
}

/* The snapshot that the ref will point to. */
static firn_rc parse_snapshot(firn_alter *alter, const char *what, int64_t *out, firn_err *err)
{
    firn_parser *parser = alter->parser;
    const firn_metadata *metadata = alter->metadata;
    if (firn_accept(parser, "as of version")) {
        FIRN_TRY(firn_parse_integer(parser, out, err));
        if (firn_metadata_snapshot(metadata, *out) == NULL) {
            FIRN_FAIL(err, FIRN_E_NO_SNAPSHOT,
                      "%s has no snapshot %lld; SELECT snapshot_id FROM "
                      "%s.snapshots lists them",
                      alter->text, (long long)*out, alter->text);
        }
        return FIRN_OK;
    }
    const firn_snapshot *snapshot = metadata->current_snapshot;
    if (firn_accept(parser, "as of timestamp")) {
        const char *text = NULL;
        int64_t us = 0;
        FIRN_TRY(firn_parse_string(parser, &text, err));
        if (!firn_parse_timestamp(text, &us, NULL)) {
            FIRN_FAIL(err, FIRN_E_TYPE, "'%s' is no timestamp like '2024-02-15 10:20:30'", text);
        }
        snapshot = firn_metadata_snapshot_as_of(metadata, us / 1000);
        if (snapshot == NULL) {
            FIRN_FAIL(err, FIRN_E_NO_SNAPSHOT, "%s had no snapshot yet at %s", alter->text, text);
        }
    }
    if (snapshot == NULL) {
        FIRN_FAIL(err, FIRN_E_NO_SNAPSHOT, "%s is empty: there is no snapshot that a %s could name",
                  alter->text, what);
    }
    *out = snapshot->snapshot_id;
    return FIRN_OK;
}

static firn_rc drop_ref(firn_alter *alter, bool tag, firn_err *err)
{
    const char *name = NULL;
    const char *what = tag ? "tag" : "branch";
    bool if_exists = firn_accept(alter->parser, "if exists");
    FIRN_TRY(firn_parse_name(alter->parser, &name, err));
    const firn_snapshot_ref *ref = firn_metadata_ref(alter->metadata, name);
    if (ref == NULL || ref->is_tag != tag) {
        if (if_exists) {
            return FIRN_OK;
        }
        FIRN_FAIL(err, FIRN_E_NO_REF, "%s has no %s %s; SHOW %s IN %s lists them", alter->text,
                  what, name, tag ? "TAGS" : "BRANCHES", alter->text);
    }
    if (firn_streq(name, "main")) {
        FIRN_FAIL(err, FIRN_E_INVALID, "the branch main of %s cannot be dropped", alter->text);
    }
    json_t *updates = firn_json_own(alter->arena, json_array());
    firn_update_remove_ref(updates, name);
    return firn_alter_apply(alter, updates, err);
}

/* Whether the ref that is there (or not) fits what the statement says; *skip: leave it as it is. */
static firn_rc check_existing(const firn_alter *alter, firn_ref_verb verb, bool tag,
                              const char *name, bool if_not_exists, bool *skip, firn_err *err)
{
    const firn_snapshot_ref *ref = firn_metadata_ref(alter->metadata, name);
    const char *what = tag ? "tag" : "branch";
    *skip = false;
    if (ref != NULL && ref->is_tag != tag) {
        FIRN_FAIL(err, FIRN_E_EXISTS, "%s has a %s %s already", alter->text,
                  ref->is_tag ? "tag" : "branch", name);
    }
    if (ref == NULL && verb == FIRN_REF_REPLACE) {
        FIRN_FAIL(err, FIRN_E_NO_REF, "%s has no %s %s to replace", alter->text, what, name);
    }
    if (ref != NULL && verb == FIRN_REF_CREATE) {
        *skip = if_not_exists;
        if (!if_not_exists) {
            FIRN_FAIL(err, FIRN_E_EXISTS, "%s has a %s %s already; use CREATE OR REPLACE",
                      alter->text, what, name);
        }
    }
    return FIRN_OK;
}

firn_rc firn_alter_ref(firn_alter *alter, firn_ref_verb verb, firn_err *err)
{
    firn_parser *parser = alter->parser;
    const char *name = NULL;
    int64_t snapshot_id = 0;
    bool skip = false;
    bool tag = firn_accept(parser, "tag");
    if (!tag) {
        FIRN_TRY(firn_expect(parser, "branch", err));
    }
    if (verb == FIRN_REF_DROP) {
        return drop_ref(alter, tag, err);
    }
    bool if_not_exists = firn_accept(parser, "if not exists");
    FIRN_TRY(firn_parse_name(parser, &name, err));
    FIRN_TRY(check_existing(alter, verb, tag, name, if_not_exists, &skip, err));
    FIRN_TRY(parse_snapshot(alter, tag ? "tag" : "branch", &snapshot_id, err));
    json_t *updates = firn_json_own(alter->arena, json_array());
    firn_update_set_ref(updates, name, snapshot_id, tag);
    FIRN_TRY(parse_retention(parser, tag, json_array_get(updates, 0), err));
    return skip ? FIRN_OK : firn_alter_apply(alter, updates, err);
}
