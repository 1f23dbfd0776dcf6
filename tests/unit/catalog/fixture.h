/* A catalog in a folder of its own, and short words for what the tests do with it.
 *
 * The catalog is an SQLite file, or, where FIRN_TEST_BACKEND is "postgres" (`./run test postgres`), a schema of its own in
 * the database that FIRN_TEST_POSTGRES names.
 */
#ifndef TESTS_CATALOG_FIXTURE_H
#define TESTS_CATALOG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libpq-fe.h>

#include "catalog/catalog.h"

#include "base/uuid.h"

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct fixture {
    firn_arena *arena;
    char *dir;
    firn_storage *storage;
    firn_catalog *catalog;
    const char *uri; /* of PostgreSQL; NULL: SQLite */
    char schema[64];
    int busy_timeout_ms;
    firn_err err;
} fixture;

#define assert_ok(f, expr)                                                      \
    do {                                                                        \
        firn_rc assert_rc = (expr);                                             \
        if (assert_rc != FIRN_OK) {                                             \
            print_error("%s: %s\n", firn_rc_name(assert_rc), (f)->err.message); \
        }                                                                       \
        assert_int_equal(assert_rc, FIRN_OK);                                   \
    } while (0)

#define assert_fails(f, expr, code, part)                            \
    do {                                                             \
        assert_string_equal(firn_rc_name(expr), firn_rc_name(code)); \
        if (!strstr((f)->err.message, part)) {                       \
            print_error("message is: %s\n", (f)->err.message);       \
        }                                                            \
        assert_non_null(strstr((f)->err.message, part));             \
    } while (0)

static inline firn_rc fixture_open(fixture *f, bool create)
{
    firn_catalog_options options = {
        .path = firn_arena_printf(f->arena, "%s/catalog.db", f->dir),
        .uri = f->uri,
        .schema = f->schema,
        .busy_timeout_ms = f->busy_timeout_ms,
        .create = create,
        .storage = f->storage,
        .warehouse = firn_arena_printf(f->arena, "file://%s/warehouse", f->dir),
    };
    return firn_catalog_open(&options, &f->catalog, &f->err);
}

static inline void fixture_close(fixture *f)
{
    firn_catalog_close(f->catalog);
    f->catalog = NULL;
}

/* What fork() must not share: connections. */
static inline void fixture_reopen(fixture *f)
{
    fixture_close(f);
    assert_ok(f, fixture_open(f, false));
}

static inline const char *fixture_uri(void)
{
    const char *backend = getenv("FIRN_TEST_BACKEND");
    return backend && firn_streq(backend, "postgres") ? getenv("FIRN_TEST_POSTGRES") : NULL;
}

/* Tests for a database that is not there are skipped, and say so. */
__attribute__((constructor)) static void fixture_need_backend(void)
{
    if (getenv("FIRN_TEST_BACKEND") && !fixture_uri()) {
        printf("1..0 # SKIP there is no PostgreSQL server: use ./run test postgres\n");
        exit(0);
    }
}

/* Behind the catalog's back. */
static inline void postgres_run(fixture *f, const char *sql)
{
    PGconn *conn = PQconnectdb(f->uri);
    PGresult *result = PQexec(conn, "SET client_min_messages = error");
    PQclear(result);
    result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
        print_error("%s: %s", sql, PQerrorMessage(conn));
        abort();
    }
    PQclear(result);
    PQfinish(conn);
}

static inline fixture *fixture_new(void)
{
    static int counter;
    fixture *f = calloc(1, sizeof(*f));
    const char *tmp = getenv("TMPDIR");
    /* In memory where possible: these tests fsync thousands of times and none pulls the plug. */
    tmp = tmp ? tmp : access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    f->arena = firn_arena_new();
    if (asprintf(&f->dir, "%s/firn-catalog-XXXXXX", tmp) < 0 || !mkdtemp(f->dir)) {
        abort();
    }
    f->uri = fixture_uri();
    snprintf(f->schema, sizeof(f->schema), "Test %d-%d", (int)getpid(), counter++);
    f->storage = firn_storage_new(&(firn_storage_options){.fsync_off = true});
    assert_ok(f, fixture_open(f, true));
    return f;
}

static inline int fixture_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline void fixture_free(fixture *f)
{
    firn_catalog_close(f->catalog);
    if (f->uri) {
        f->uri = fixture_uri(); /* a test may have gone elsewhere */
        postgres_run(
            f, firn_arena_printf(f->arena, "DROP SCHEMA IF EXISTS \"%s\" CASCADE", f->schema));
    }
    firn_storage_free(f->storage);
    firn_arena_free(f->arena);
    nftw(f->dir, fixture_unlink, 16, FTW_DEPTH | FTW_PHYS);
    free(f->dir);
    free(f);
}

static inline int setup(void **state)
{
    *state = fixture_new();
    return 0;
}

static inline int teardown(void **state)
{
    fixture_free(*state);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- words ------------------------------------------------------------------------------------ */

static inline firn_ident id(fixture *f, const char *ns, const char *name)
{
    return (firn_ident){.ns = firn_ns_parse(f->arena, ns), .name = name};
}

static inline firn_rc commit_one(fixture *f, const char *branch, firn_change change)
{
    return firn_catalog_commit(f->catalog, f->arena, branch, &change, 1, NULL, NULL, &f->err);
}

static inline firn_rc create_ns(fixture *f, const char *branch, const char *ns)
{
    return commit_one(f, branch,
                      (firn_change){.kind = FIRN_CHANGE_CREATE_NAMESPACE,
                                    .ident = {.ns = firn_ns_parse(f->arena, ns)}});
}

static inline firn_rc drop_ns(fixture *f, const char *branch, const char *ns)
{
    return commit_one(f, branch,
                      (firn_change){.kind = FIRN_CHANGE_DROP_NAMESPACE,
                                    .ident = {.ns = firn_ns_parse(f->arena, ns)}});
}

/* The updates that make a table of one column; where = NULL leaves the location to the catalog. */
static inline const json_t *table_updates(fixture *f, const char *where)
{
    firn_field *field = FIRN_NEW(f->arena, firn_field);
    *field =
        (firn_field){.id = 1, .name = "id", .type = firn_type_parse_primitive(f->arena, "long")};
    firn_schema schema = {.root = {.id = FIRN_TYPE_STRUCT, .fields = field, .n_fields = 1}};
    firn_table_create create = {.schema = &schema, .location = where ? where : "file:///nowhere"};
    json_t *updates = NULL;
    assert_ok(f, firn_table_create_updates(f->arena, &create, &updates, &f->err));
    firn_json_own(f->arena, updates);
    for (size_t i = json_array_size(updates); i > 0 && !where; i--) {
        const char *action =
            json_string_value(json_object_get(json_array_get(updates, i - 1), "action"));
        if (firn_streq(action, "set-location")) {
            json_array_remove(updates, i - 1);
        }
    }
    return updates;
}

static inline firn_change create_change(fixture *f, const char *ns, const char *name)
{
    return (firn_change){
        .kind = FIRN_CHANGE_CREATE_TABLE,
        .ident = id(f, ns, name),
        .updates = table_updates(f, NULL),
    };
}

static inline firn_rc create_table(fixture *f, const char *branch, const char *ns, const char *name)
{
    return commit_one(f, branch, create_change(f, ns, name));
}

static inline firn_change drop_change(fixture *f, const char *ns, const char *name)
{
    return (firn_change){.kind = FIRN_CHANGE_DROP_TABLE, .ident = id(f, ns, name)};
}

/* Updates and requirements of an append, as iceberg/snapshot.h makes them, without any files: nobody reads them here. */
static inline void append_updates(const firn_metadata *base, json_t *updates, json_t *requirements)
{
    int64_t snapshot_id = firn_random_id();
    const firn_snapshot *parent = base->current_snapshot;
    json_t *snapshot =
        json_pack("{sI sI sI ss si s{ss}}", "snapshot-id", (json_int_t)snapshot_id,
                  "sequence-number", (json_int_t)(base->last_sequence_number + 1), "timestamp-ms",
                  (json_int_t)(base->last_updated_ms + 1), "manifest-list", "file:///nowhere.avro",
                  "schema-id", 0, "summary", "operation", "append");
    if (parent) {
        json_object_set_new(snapshot, "parent-snapshot-id", json_integer(parent->snapshot_id));
    }
    firn_update_add_snapshot(updates, snapshot);
    json_decref(snapshot);
    firn_update_set_ref(updates, "main", snapshot_id, false);
    firn_require_ref(requirements, "main", parent ? parent->snapshot_id : -1);
}

/* An append on top of `base`, which may be stale by the time it is committed. */
static inline firn_change append_change(fixture *f, const firn_table *base)
{
    json_t *updates = firn_json_own(f->arena, json_array());
    json_t *requirements = firn_json_own(f->arena, json_array());
    append_updates(base->metadata, updates, requirements);
    return (firn_change){
        .kind = FIRN_CHANGE_UPDATE_TABLE,
        .ident = base->entry.ident,
        .updates = updates,
        .requirements = requirements,
    };
}

/* An append of one data file (that nobody reads) with manifest and manifest list, as another engine builds it on the state
 * of the table that it knows. */
static inline firn_change engine_append(fixture *f, const firn_table *base, const char *file,
                                        int64_t rows)
{
    firn_data_file one = {
        .path = firn_arena_printf(f->arena, "%s/data/%s.parquet", base->metadata->location, file),
        .format = "PARQUET",
        .spec_id = base->metadata->spec->spec_id,
        .record_count = rows,
        .file_size_bytes = 1000,
        .sort_order_id = -1,
        .first_row_id = -1,
        .content_offset = -1,
        .content_size_bytes = -1,
    };
    firn_snapshot_change snapshot = {
        .op = FIRN_SNAPSHOT_APPEND,
        .added = &one,
        .n_added = 1,
        .validation = {.starting_snapshot_id = FIRN_NO_STARTING_SNAPSHOT},
    };
    json_t *updates = firn_json_own(f->arena, json_array());
    json_t *requirements = firn_json_own(f->arena, json_array());
    firn_snapshot_result result;
    assert_ok(f, firn_snapshot_produce(f->storage, NULL, f->arena, base->metadata, &snapshot,
                                       updates, requirements, &result, &f->err));
    return (firn_change){
        .kind = FIRN_CHANGE_UPDATE_TABLE,
        .ident = base->entry.ident,
        .updates = updates,
        .requirements = requirements,
        .rebase_appends = true,
    };
}

static inline firn_table load(fixture *f, const char *ref, const char *ns, const char *name)
{
    firn_table table;
    assert_ok(f,
              firn_catalog_table_load(f->catalog, f->arena, ref, id(f, ns, name), &table, &f->err));
    return table;
}

static inline firn_rc try_load(fixture *f, const char *ref, const char *ns, const char *name)
{
    firn_table table;
    return firn_catalog_table_load(f->catalog, f->arena, ref, id(f, ns, name), &table, &f->err);
}

static inline firn_rc append(fixture *f, const char *branch, const char *ns, const char *name)
{
    firn_table base = load(f, branch, ns, name);
    return commit_one(f, branch, append_change(f, &base));
}

static inline size_t snapshots(fixture *f, const char *ref, const char *ns, const char *name)
{
    return load(f, ref, ns, name).metadata->n_snapshots;
}

/* Files in the warehouse, all of them. */
static int fixture_files;

static inline int fixture_count_one(const char *path, const struct stat *st, int type,
                                    struct FTW *ftw)
{
    (void)path, (void)st, (void)ftw;
    fixture_files += type == FTW_F;
    return 0;
}

static inline int warehouse_files(fixture *f)
{
    fixture_files = 0;
    nftw(firn_arena_printf(f->arena, "%s/warehouse", f->dir), fixture_count_one, 16, FTW_PHYS);
    return fixture_files;
}

static inline const char *head(fixture *f, const char *ref)
{
    firn_ref out;
    assert_ok(f, firn_catalog_ref_get(f->catalog, f->arena, ref, &out, &f->err));
    return out.commit_id;
}

#endif
