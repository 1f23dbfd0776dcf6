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
    firn_commit_info info = c->info ? *c->info : (firn_commit_info){0};
    info.queue = false; /* it is our turn already */
    c->n_built = 0;
    for (size_t i = 0; i < c->n; i++) {
        FIRN_TRY(build(c, arena, i, &changes[i], err));
    }
    return firn_catalog_commit(c->catalog, arena, c->branch, changes, c->n, &info, out, err);
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
    firn_turn turn;
    firn_commit_result ignored;
    out = out ? out : &ignored;
    uint64_t *keys = FIRN_NEW_N(arena, uint64_t, n);
    for (size_t i = 0; i < n; i++) {
        keys[i] = firn_lock_key(branch, builders[i].ident);
    }
    firn_rc rc = firn_turn_take(catalog, arena, keys, n, &turn, err);
    if (rc == FIRN_OK) {
        rc = attempt_until_done(&c, arena, out, err);
    }
    firn_turn_end(&turn);
    return rc;
}
