/* Commits with retry: load, build, commit, and again after a lost race.
 *
 * Writers of one table wait for each other on an advisory lock from their first attempt on, so that among firn processes
 * races are rare and nobody starves, however many there are. The lock decides nothing: whoever does not get it in time, or
 * knows nothing of it (another engine over REST), is held off by the compare-and-swap of the commit alone.
 *
 * A commit requires that each table still is the very metadata file that was built upon. Requirements alone would let a
 * commit through whose builder looked at something that they do not cover, such as a source's offset in a property.
 */
#include "internal.h"

#include "base/time.h"
#include "base/uuid.h"

#include <stdlib.h>

enum { LOCK_WAIT_MS = 10 * 1000 };

typedef struct retry_policy {
    int64_t retries;
    int64_t wait_ms_min, wait_ms_max, wait_ms_total;
} retry_policy;

static retry_policy policy_of(const firn_metadata *metadata)
{
    return (retry_policy){
        .retries = firn_metadata_property_i64(metadata, "commit.retry.num-retries", 4),
        .wait_ms_min = firn_metadata_property_i64(metadata, "commit.retry.min-wait-ms", 100),
        .wait_ms_max = firn_metadata_property_i64(metadata, "commit.retry.max-wait-ms", 60 * 1000),
        .wait_ms_total =
            firn_metadata_property_i64(metadata, "commit.retry.total-timeout-ms", 30 * 60 * 1000),
    };
}

/* Exponential with full jitter. */
static int64_t wait_ms(const retry_policy *policy, int64_t attempt)
{
    int64_t limit = policy->wait_ms_min;
    for (int64_t i = 0; i < attempt && limit < policy->wait_ms_max; i++) {
        limit *= 2;
    }
    limit = limit < policy->wait_ms_max ? limit : policy->wait_ms_max;
    return limit > 0 ? (int64_t)(firn_random_u64() % (uint64_t)limit) : 0;
}

/* ---- locks ------------------------------------------------------------------------------------ */

typedef struct lock_set {
    firn_catalog *catalog;
    firn_db_session session;
    int *handles;
    size_t n;
} lock_set;

static int by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* All in ascending order, so that two writers of the same tables cannot hold each other up. */
static firn_rc lock_tables(firn_catalog *catalog, firn_arena *arena, const char *branch,
                           const firn_table_builder *builders, size_t n, lock_set *locks,
                           firn_err *err)
{
    uint64_t *keys = FIRN_NEW_N(arena, uint64_t, n);
    for (size_t i = 0; i < n; i++) {
        const char *key = firn_arena_printf(arena, "%s\x1e%s\x1e%s", branch ? branch : FIRN_MAIN,
                                            builders[i].ident.ns, builders[i].ident.name);
        uint8_t *bytes = (uint8_t *)key;
        uint64_t hash =
            UINT64_C(14695981039346656037); /* FNV-1a: must be the same in every process */
        for (size_t b = 0; bytes[b]; b++) {
            hash = (hash ^ bytes[b]) * UINT64_C(1099511628211);
        }
        keys[i] = hash;
    }
    qsort(keys, n, sizeof(*keys), by_value);
    locks->handles = FIRN_NEW_N(arena, int, n);
    FIRN_TRY(firn_db_session_begin(firn_catalog_database(catalog), false, &locks->session, err));
    firn_db *db = locks->session.db;
    db->backend->rollback(db); /* the connection is for the locks alone */
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || keys[i] != keys[i - 1]) {
            db->backend->lock(db, keys[i], LOCK_WAIT_MS, &locks->handles[locks->n++]);
        }
    }
    return FIRN_OK;
}

static void unlock_tables(lock_set *locks)
{
    for (size_t i = locks->n; i > 0; i--) {
        locks->session.db->backend->unlock(locks->session.db, locks->handles[i - 1]);
    }
    firn_db_session_end(&locks->session);
}

/* ---- attempts --------------------------------------------------------------------------------- */

typedef struct table_commit {
    firn_catalog *catalog;
    const char *branch;
    const firn_table_builder *builders;
    size_t n;
    const firn_commit_info *info;
    retry_policy policy;
    size_t n_built; /* builders called in this attempt */
} table_commit;

static firn_rc build(table_commit *c, firn_arena *arena, size_t i, firn_change *change,
                     firn_err *err)
{
    const firn_table_builder *builder = &c->builders[i];
    firn_table base;
    FIRN_TRY(firn_catalog_table_load(c->catalog, arena, c->branch, builder->ident, &base, err));
    if (i == 0) {
        c->policy = policy_of(base.metadata);
    }
    json_t *updates = firn_json_own(arena, json_array());
    json_t *requirements = firn_json_own(arena, json_array());
    c->n_built = i + 1;
    firn_rc rc = builder->build(builder->ctx, arena, &base, updates, requirements, err);
    if (rc == FIRN_E_UNKNOWN_OUTCOME) {
        /* Whether a file was written is unknown, but nothing points to it yet: this commit has failed, and that is known. */
        rc = FIRN_E_IO;
        if (err) {
            err->code = rc;
            err->outcome_unknown = false;
        }
    }
    FIRN_TRY(rc);
    if (base.metadata->table_uuid) { /* version 1 tables may have none */
        firn_require_uuid(requirements, base.metadata->table_uuid);
    }
    *change = (firn_change){
        .kind = FIRN_CHANGE_UPDATE_TABLE,
        .ident = builder->ident,
        .requirements = requirements,
        .updates = updates,
        .expected_location = base.entry.location,
        .expected = base.metadata,
    };
    return FIRN_OK;
}

static firn_rc attempt_once(table_commit *c, firn_arena *arena, firn_commit_result *out,
                            firn_err *err)
{
    firn_change *changes = FIRN_NEW_N(arena, firn_change, c->n);
    c->n_built = 0;
    for (size_t i = 0; i < c->n; i++) {
        FIRN_TRY(build(c, arena, i, &changes[i], err));
    }
    return firn_catalog_commit(c->catalog, arena, c->branch, changes, c->n, c->info, out, err);
}

static void discard(const table_commit *c)
{
    for (size_t i = 0; i < c->n_built; i++) {
        if (c->builders[i].discard) {
            c->builders[i].discard(c->builders[i].ctx);
        }
    }
}

static firn_rc attempt_until_done(table_commit *c, firn_arena *arena, firn_commit_result *out,
                                  firn_err *err)
{
    int64_t started_us = firn_monotonic_us();
    for (int64_t attempt = 0;; attempt++) {
        firn_rc rc = attempt_once(c, arena, out, err);
        if (rc == FIRN_E_UNKNOWN_OUTCOME || (rc == FIRN_OK && !out->repeated)) {
            return rc;
        }
        discard(c);
        if (rc == FIRN_OK) {
            return rc; /* an earlier commit did it: what was built now is not needed */
        }
        int64_t spent_ms = (firn_monotonic_us() - started_us) / 1000;
        if (rc != FIRN_E_CONFLICT || attempt >= c->policy.retries ||
            spent_ms >= c->policy.wait_ms_total) {
            return rc;
        }
        firn_sleep_ms(wait_ms(&c->policy, attempt));
    }
}

firn_rc firn_catalog_commit_tables(firn_catalog *catalog, firn_arena *arena, const char *branch,
                                   const firn_table_builder *builders, size_t n,
                                   const firn_commit_info *info, firn_commit_result *out,
                                   firn_err *err)
{
    for (size_t i = 0; i < n; i++) {
        FIRN_TRY(firn_ident_check(builders[i].ident, err));
        for (size_t j = 0; j < i; j++) {
            if (firn_streq(builders[i].ident.ns, builders[j].ident.ns) &&
                firn_streq(builders[i].ident.name, builders[j].ident.name)) {
                FIRN_FAIL(err, FIRN_E_INVALID, "table %s is named twice in one commit",
                          firn_ident_text(arena, builders[i].ident));
            }
        }
    }
    table_commit c = {
        .catalog = catalog, .branch = branch, .builders = builders, .n = n, .info = info};
    lock_set locks = {0};
    firn_commit_result ignored;
    out = out ? out : &ignored;
    firn_rc rc = lock_tables(catalog, arena, branch, builders, n, &locks, err);
    if (rc == FIRN_OK) {
        rc = attempt_until_done(&c, arena, out, err);
    }
    unlock_tables(&locks);
    return rc;
}
