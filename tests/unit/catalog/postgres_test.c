/* What only PostgreSQL can do to a catalog: lines that are cut, servers that crash, many schemas, full disks elsewhere. */
#include "fixture.h"

#include "base/time.h"
#include "catalog/idempotency.h"
#include "db/schema.h"
#include "internal.h"
#include "postgres_proxy.h"

#include <fcntl.h>
#include <sys/statvfs.h>

static const char *server_uri(void)
{
    return getenv("FIRN_TEST_POSTGRES");
}

static int server_port(void)
{
    return atoi(strrchr(server_uri(), ':') + 1);
}

static char *sql_schema(fixture *f)
{
    return firn_sql_ident(f->arena, f->schema);
}

/* Ends every server process that runs for this process's catalogs. */
static void terminate_connections(fixture *f)
{
    postgres_run(f, firn_arena_printf(f->arena,
                                      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                      "WHERE application_name LIKE 'firn %% pid %d'",
                                      (int)getpid()));
}

static int setup_tables(void **state)
{
    fixture *f = fixture_new();
    assert_ok(f, create_ns(f, NULL, "s"));
    assert_ok(f, create_table(f, NULL, "s", "a"));
    assert_ok(f, create_table(f, NULL, "s", "b"));
    *state = f;
    return 0;
}

#define TABLES(name) cmocka_unit_test_setup_teardown(name, setup_tables, teardown)

/* ---- opening ---------------------------------------------------------------------------------- */

static void a_missing_schema_is_made_only_on_request(void **state)
{
    fixture *f = *state;
    fixture_close(f);
    postgres_run(f, firn_arena_printf(f->arena, "DROP SCHEMA %s CASCADE", sql_schema(f)));
    assert_fails(f, fixture_open(f, false), FIRN_E_NOT_FOUND, "there is no catalog in");
    assert_ok(f, fixture_open(f, true));
    assert_ok(f, create_ns(f, NULL, "s"));
}

static void an_empty_schema_of_somebody_is_taken(void **state)
{
    fixture *f = *state;
    fixture_close(f);
    postgres_run(f, firn_arena_printf(f->arena, "DROP SCHEMA %s CASCADE; CREATE SCHEMA %s",
                                      sql_schema(f), sql_schema(f)));
    assert_ok(f, fixture_open(f, true));
}

static void another_programs_schema_is_left_alone(void **state)
{
    fixture *f = *state;
    fixture_close(f);
    postgres_run(f, firn_arena_printf(f->arena,
                                      "DROP SCHEMA %s CASCADE; CREATE SCHEMA %s;"
                                      "CREATE TABLE %s.accounts (id bigint)",
                                      sql_schema(f), sql_schema(f), sql_schema(f)));
    assert_fails(f, fixture_open(f, true), FIRN_E_CORRUPT, "the schema holds other tables");
}

static void a_newer_schema_is_refused(void **state)
{
    fixture *f = *state;
    fixture_close(f);
    postgres_run(
        f, firn_arena_printf(f->arena, "UPDATE %s.firn_schema SET version = 99", sql_schema(f)));
    assert_fails(f, fixture_open(f, false), FIRN_E_UNSUPPORTED,
                 "written by a newer firn (schema 99");
    assert_fails(f, fixture_open(f, true), FIRN_E_UNSUPPORTED, "newer firn");
}

static void an_older_schema_is_brought_up_to_date(void **state)
{
    fixture *f = *state;
    const char *before = head(f, NULL);
    fixture_close(f);
    postgres_run(f, firn_arena_printf(f->arena,
                                      "DROP TABLE %s.idempotency;"
                                      "UPDATE %s.firn_schema SET version = 1",
                                      sql_schema(f), sql_schema(f)));
    assert_ok(f, fixture_open(f, false));
    assert_string_equal(head(f, NULL), before);
    firn_idempotency_record *record;
    assert_ok(f, firn_idempotency_get(f->catalog, f->arena, "k", &record, &f->err));
}

static void open_in_many_processes(fixture *f, bool create)
{
    enum { PROCESSES = 8 };
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            firn_rc rc = fixture_open(f, create);
            if (rc != FIRN_OK) {
                fprintf(stderr, "%s\n", f->err.message);
            }
            _exit(rc == FIRN_OK ? 0 : 1);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
}

static void many_processes_may_make_and_migrate_the_same_catalog(void **state)
{
    fixture *f = *state;
    for (int round = 0; round < 5; round++) {
        fixture_close(f);
        postgres_run(f, firn_arena_printf(f->arena, "DROP SCHEMA %s CASCADE", sql_schema(f)));
        open_in_many_processes(f, true);
        postgres_run(f, firn_arena_printf(f->arena,
                                          "DROP TABLE %s.idempotency;"
                                          "UPDATE %s.firn_schema SET version = 1",
                                          sql_schema(f), sql_schema(f)));
        open_in_many_processes(f, false);
        assert_ok(f, fixture_open(f, false));
        firn_commit *commits;
        size_t n;
        assert_ok(f, firn_catalog_log(f->catalog, f->arena, NULL, 0, &commits, &n, &f->err));
        assert_int_equal(n, 1); /* one root */
        assert_ok(f, create_ns(f, NULL, "s"));
    }
}

static void messages_hold_no_password(void **state)
{
    fixture *f = *state;
    fixture_close(f);
    static const struct {
        const char *format;
        firn_rc code;
        const char *part;
    } uris[] = {
        {"postgresql://firn:geheim@127.0.0.1:1/lakes", FIRN_E_BUSY, "127.0.0.1:1"},
        {"postgresql://guarded:geheim@127.0.0.1:%d/lakes", FIRN_E_PERMISSION, "guarded"},
        {"postgresql://firn:geheim@127.0.0.1:%d/nowhere", FIRN_E_NOT_FOUND, "nowhere"},
        {"postgresql://firn:ge:heim@geheim@127.0.0.1:%d/lakes", FIRN_E_CONFIG, "%40"},
        {"postgresql://firn:geheim/@127.0.0.1:%d/lakes", FIRN_E_CONFIG, "not a PostgreSQL URI"},
        {"postgresql://firn@127.0.0.1:%d/lakes?password=geheim&what=1", FIRN_E_CONFIG, "URI"},
    };
    const char *before = f->uri;
    f->busy_timeout_ms = 200;
    for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
        f->uri = firn_str_replace(f->arena, uris[i].format, "%d",
                                  firn_arena_printf(f->arena, "%d", server_port()));
        assert_fails(f, fixture_open(f, true), uris[i].code, uris[i].part);
        assert_null(strstr(f->err.message, "geheim"));
        assert_null(strstr(f->err.message, "heim"));
    }
    f->uri = before;
}

static void a_password_opens_what_is_guarded(void **state)
{
    fixture *f = *state;
    fixture_close(f);
    postgres_run(f, "DROP ROLE IF EXISTS guarded;"
                    "CREATE ROLE guarded SUPERUSER LOGIN PASSWORD 'p@ss/wörd'");
    const char *before = f->uri;
    f->uri = firn_arena_printf(
        f->arena, "postgresql://guarded:p%%40ss%%2Fw%%C3%%B6rd@127.0.0.1:%d/lakes", server_port());
    assert_ok(f, fixture_open(f, false));
    assert_null(strstr(firn_catalog_name(f->catalog), "ss"));
    fixture_close(f);
    f->uri = before;
    postgres_run(f, "DROP ROLE guarded");
}

/* ---- semantics -------------------------------------------------------------------------------- */

static void keys_are_ordered_by_bytes(void **state)
{
    fixture *f = *state;
    static const char *const names[] = {"B", "Z", "_", "a", "b", "é"};
    for (size_t i = 6; i > 0; i--) {
        assert_ok(f, create_ns(f, NULL, names[i - 1]));
    }
    char **list;
    size_t n;
    assert_ok(f, firn_catalog_namespace_list(f->catalog, f->arena, NULL, NULL, false, &list, &n,
                                             &f->err));
    assert_int_equal(n, 6);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(list[i], names[i]);
    }
}

static void a_read_is_one_snapshot(void **state)
{
    fixture *f = *state;
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_point before, after;
    assert_ok(f, firn_db_session_begin(f->catalog, false, &session, &f->err));
    assert_ok(f, firn_store_resolve(session.db, f->arena, NULL, &before, &f->err));
    assert_ok(f, append(f, NULL, "s", "a"));
    assert_ok(f, firn_store_resolve(session.db, f->arena, NULL, &after, &f->err));
    assert_string_equal(before.commit_id, after.commit_id);
    firn_db_session_end(&session);
    assert_string_not_equal(head(f, NULL), before.commit_id);
}

static void who_waits_in_vain_learns_who_holds_the_lock(void **state)
{
    fixture *f = *state;
    firn_catalog *other = f->catalog;
    f->busy_timeout_ms = 300;
    assert_ok(f, fixture_open(f, false));
    {
        FIRN_AUTO_SESSION firn_db_session session = {0};
        assert_ok(f, firn_db_session_begin(other, true, &session, &f->err));
        assert_fails(f, create_ns(f, NULL, "x"), FIRN_E_BUSY,
                     firn_arena_printf(f->arena, "pid %d", (int)getpid()));
        assert_non_null(strstr(f->err.message, "waited 0.3 s"));
        assert_true(f->err.retriable);
        assert_ok(f, try_load(f, NULL, "s", "a")); /* readers do not wait */
    }
    assert_ok(f, create_ns(f, NULL, "x"));
    firn_catalog_close(other);
}

static void a_failing_statement_fails_its_transaction(void **state)
{
    fixture *f = *state;
    const char *before = head(f, NULL);
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_db_value param = firn_db_str("not there");
    assert_ok(f, firn_db_session_begin(f->catalog, true, &session, &f->err));
    assert_ok(f, firn_db_query(session.db, f->arena, "UPDATE refs SET commit_id = $1", &param, 1,
                               NULL, &f->err)); /* travels with the COMMIT */
    assert_fails(f, firn_db_session_commit(&session, &f->err), FIRN_E_INTERNAL, "foreign key");
    firn_db_session_end(&session);
    assert_string_equal(head(f, NULL), before);
    assert_ok(f, append(f, NULL, "s", "a"));
}

/* ---- connections that die --------------------------------------------------------------------- */

static void dead_idle_connections_are_replaced_unnoticed(void **state)
{
    fixture *f = *state;
    terminate_connections(f);
    assert_ok(f, try_load(f, NULL, "s", "a"));
    terminate_connections(f);
    assert_ok(f, append(f, NULL, "s", "a"));
    terminate_connections(f);
    firn_sleep_ms(100);
    assert_ok(f, append(f, NULL, "s", "a"));
    assert_int_equal(snapshots(f, NULL, "s", "a"), 2);
}

static void a_loss_before_commit_is_a_known_failure(void **state)
{
    fixture *f = *state;
    const char *before = head(f, NULL);
    FIRN_AUTO_SESSION firn_db_session session = {0};
    firn_db_rows rows;
    assert_ok(f, firn_db_session_begin(f->catalog, true, &session, &f->err));
    assert_ok(f,
              firn_db_query(session.db, f->arena, "DELETE FROM entries", NULL, 0, NULL, &f->err));
    terminate_connections(f);
    assert_fails(
        f, firn_db_query(session.db, f->arena, "SELECT name FROM refs", NULL, 0, &rows, &f->err),
        FIRN_E_BUSY, "the connection was lost");
    assert_true(f->err.retriable);
    assert_fails(f, firn_db_session_commit(&session, &f->err), FIRN_E_BUSY, "was lost");
    firn_db_session_end(&session);
    assert_string_equal(head(f, NULL), before);
    assert_ok(f, append(f, NULL, "s", "a"));
}

static void locks_go_with_their_holder(void **state)
{
    fixture *f = *state;
    int first, second, third;
    FIRN_AUTO_SESSION firn_db_session a = {0}, b = {0};
    assert_ok(f, firn_db_session_begin(f->catalog, false, &a, &f->err));
    assert_ok(f, firn_db_session_begin(f->catalog, false, &b, &f->err));
    a.db->backend->rollback(a.db);
    b.db->backend->rollback(b.db);
    a.db->backend->lock(a.db, 42, 1000, &first);
    assert_true(first >= 0);
    b.db->backend->lock(b.db, 42, 100, &second);
    assert_int_equal(second, -1);
    b.db->backend->lock(b.db, 43, 100, &second);
    assert_true(second >= 0);
    b.db->backend->unlock(b.db, second);
    terminate_connections(f);
    b.db->backend->lock(b.db, 42, 1000, &third);
    assert_true(third >= 0);
    a.db->backend->unlock(a.db, first); /* of no effect */
    b.db->backend->unlock(b.db, third);
}

/* ---- a line that is cut at the COMMIT --------------------------------------------------------- */

static proxy line_to_server;

static int setup_proxy(void **state)
{
    proxy_start(&line_to_server, server_port());
    setup_tables(state);
    fixture *f = *state;
    fixture_close(f);
    f->uri = firn_arena_printf(f->arena, "postgresql://firn@127.0.0.1:%d/lakes?sslmode=disable",
                               line_to_server.port);
    f->busy_timeout_ms = 5000;
    assert_ok(f, fixture_open(f, false));
    return 0;
}

static int teardown_proxy(void **state)
{
    fixture *f = *state;
    fixture_close(f);
    f->uri = server_uri();
    fixture_free(f);
    proxy_stop(&line_to_server);
    return 0;
}

#define PROXY(name) cmocka_unit_test_setup_teardown(name, setup_proxy, teardown_proxy)

static void a_commit_that_never_arrived_is_a_failure(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        int files = warehouse_files(f);
        const char *before = head(f, NULL);
        line_to_server.cut = PROXY_BEFORE;
        assert_fails(f, append(f, NULL, "s", "a"), FIRN_E_IO, "nothing was committed");
        assert_int_equal(line_to_server.cuts, i + 1);
        assert_string_equal(head(f, NULL), before);
        assert_int_equal(warehouse_files(f), files);
    }
    assert_ok(f, append(f, NULL, "s", "a"));
    assert_int_equal(snapshots(f, NULL, "s", "a"), 1);
}

static void a_commit_whose_answer_was_lost_is_a_success(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        line_to_server.cut = PROXY_AFTER;
        assert_ok(f, append(f, NULL, "s", "a"));
        assert_int_equal(line_to_server.cuts, i + 1);
        assert_int_equal(snapshots(f, NULL, "s", "a"), i + 1);
    }
}

/* The old server process still has the COMMIT before it when the outcome is looked into: that has to wait for it. */
static void a_commit_that_arrives_late_is_waited_for(void **state)
{
    fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        line_to_server.cut = PROXY_LATE;
        int64_t started_us = firn_monotonic_us();
        assert_ok(f, append(f, NULL, "s", "a"));
        assert_true(firn_monotonic_us() - started_us > 900 * 1000);
        assert_int_equal(line_to_server.cuts, i + 1);
        assert_int_equal(snapshots(f, NULL, "s", "a"), i + 1);
    }
}

static void a_merge_is_settled_like_a_commit(void **state)
{
    fixture *f = *state;
    assert_ok(f, firn_catalog_ref_create(f->catalog, "dev", false, NULL, &f->err));
    assert_ok(f, append(f, "dev", "s", "a"));
    firn_merge_result result;
    line_to_server.cut = PROXY_BEFORE;
    assert_fails(f, firn_catalog_merge(f->catalog, f->arena, "dev", NULL, NULL, &result, &f->err),
                 FIRN_E_IO, "nothing was committed");
    line_to_server.cut = PROXY_LATE;
    assert_ok(f, firn_catalog_merge(f->catalog, f->arena, "dev", NULL, NULL, &result, &f->err));
    assert_int_equal(line_to_server.cuts, 2);
    assert_string_equal(head(f, NULL), result.commit_id);
}

static void a_server_that_is_away_is_busy_and_comes_back(void **state)
{
    fixture *f = *state;
    line_to_server.cut = PROXY_DOWN;
    firn_sleep_ms(100);
    int64_t started_us = firn_monotonic_us();
    assert_fails(f, try_load(f, NULL, "s", "a"), FIRN_E_BUSY,
                 firn_arena_printf(f->arena, "127.0.0.1:%d/lakes", line_to_server.port));
    assert_true(f->err.retriable);
    assert_fails(f, create_ns(f, NULL, "x"), FIRN_E_BUSY, "try again");
    assert_true(firn_monotonic_us() - started_us < 2000 * 1000);
    line_to_server.cut = PROXY_PASS;
    assert_ok(f, append(f, NULL, "s", "a"));
}

/* ---- a server that crashes under load --------------------------------------------------------- */

enum { WRITERS = 4, APPENDS = 40 };

/* Each append has a key of its own and is asked for until it is there. */
static int append_until_done(fixture *f, int writer)
{
    firn_rc rc = FIRN_E_BUSY;
    while (rc != FIRN_OK) {
        rc = fixture_open(f, false);
    }
    for (int i = 0; i < APPENDS; i++) {
        firn_commit_info info = {.idempotency_key =
                                     firn_arena_printf(f->arena, "w%d-%d", writer, i)};
        for (int attempt = 0;; attempt++) {
            firn_table base;
            firn_commit_result result;
            rc = firn_catalog_table_load(f->catalog, f->arena, NULL, id(f, "s", "a"), &base,
                                         &f->err);
            if (rc == FIRN_OK) {
                firn_change change = append_change(f, &base);
                rc = firn_catalog_commit(f->catalog, f->arena, NULL, &change, 1, &info, &result,
                                         &f->err);
            }
            if (rc == FIRN_OK) {
                break;
            }
            bool known = rc == FIRN_E_BUSY || rc == FIRN_E_CONFLICT || rc == FIRN_E_IO ||
                         rc == FIRN_E_UNKNOWN_OUTCOME;
            if (!known || attempt > 2000) {
                fprintf(stderr, "writer %d: %s: %s\n", writer, firn_rc_name(rc), f->err.message);
                return 1;
            }
            firn_sleep_ms(rc == FIRN_E_CONFLICT ? 0 : 20);
        }
    }
    return 0;
}

static void a_crashing_server_loses_and_doubles_nothing(void **state)
{
    fixture *f = *state;
    const char *restart = getenv("FIRN_TEST_POSTGRES_RESTART");
    assert_non_null(restart);
    fixture_close(f);
    f->busy_timeout_ms = 10 * 1000;
    pid_t children[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            _exit(append_until_done(f, i));
        }
    }
    int left = WRITERS, crashes = 0;
    while (left > 0) {
        firn_sleep_ms(300);
        if (crashes < 4) {
            assert_int_equal(system(restart), 0);
            crashes++;
        }
        for (int i = 0; i < WRITERS; i++) {
            int status;
            if (children[i] > 0 && waitpid(children[i], &status, WNOHANG) == children[i]) {
                assert_int_equal(status, 0);
                children[i] = 0;
                left--;
            }
        }
    }
    assert_true(crashes > 0);
    assert_ok(f, fixture_open(f, false));
    firn_commit *commits;
    size_t n;
    assert_ok(f, firn_catalog_log(f->catalog, f->arena, NULL, 0, &commits, &n, &f->err));
    assert_int_equal(n, 4 + WRITERS *
                                APPENDS); /* the root, a namespace, two tables, and the appends */
    assert_int_equal(load(f, NULL, "s", "a").metadata->last_sequence_number, WRITERS * APPENDS);
    /* The files are one per commit, but for those whose outcome a crashed server never told. */
    assert_true(warehouse_files(f) >= 2 + WRITERS * APPENDS);
}

/* ---- a full disk ------------------------------------------------------------------------------ */

static firn_rc put_much(fixture *f, int i)
{
    enum { BYTES = 200000 };
    char *text = firn_arena_alloc(f->arena, BYTES + 1);
    for (int b = 0; b < BYTES; b++) {
        text[b] = (char)('a' + firn_random_u64() % 26); /* does not compress well */
    }
    text[BYTES] = '\0';
    return commit_one(
        f, NULL,
        (firn_change){.kind = FIRN_CHANGE_CREATE_NAMESPACE,
                      .ident = {.ns = firn_arena_printf(f->arena, "n%03d", i)},
                      .document = firn_json_own(f->arena, json_pack("{ss}", "p", text))});
}

static void a_full_disk_says_so_and_can_be_emptied(void **state)
{
    fixture *f = *state;
    const char *small = getenv("FIRN_TEST_POSTGRES_SMALL");
    if (!small) {
        skip(); /* it takes root to make a small file system */
    }
    fixture_close(f);
    const char *before = f->uri;
    postgres_run(f, firn_arena_printf(f->arena, "CREATE TABLESPACE small LOCATION '%s'", small));
    postgres_run(f, "CREATE DATABASE small TABLESPACE small TEMPLATE template0");
    f->uri = firn_arena_printf(f->arena, "postgresql://firn@127.0.0.1:%d/small", server_port());
    assert_ok(f, fixture_open(f, true));
    assert_ok(f, put_much(f, 0));

    const char *ballast = firn_arena_printf(f->arena, "%s/ballast", small);
    struct statvfs room;
    assert_int_equal(statvfs(small, &room), 0);
    int fd = open(ballast, O_WRONLY | O_CREAT, 0600);
    off_t left = (off_t)(room.f_bavail * room.f_bsize) - (1 << 20);
    assert_int_equal(posix_fallocate(fd, 0, left), 0);
    close(fd);
    firn_rc rc = FIRN_OK;
    int done = 1;
    while (rc == FIRN_OK && done < 200) {
        rc = put_much(f, done);
        done += rc == FIRN_OK;
    }
    assert_string_equal(firn_rc_name(rc), "NO_SPACE");
    assert_non_null(strstr(f->err.message, "free some space"));
    char **list;
    size_t n;
    assert_ok(f, firn_catalog_namespace_list(f->catalog, f->arena, NULL, NULL, false, &list, &n,
                                             &f->err));
    assert_int_equal(n, done);
    unlink(ballast);
    assert_ok(f, put_much(f, done));

    fixture_close(f);
    f->uri = before;
    postgres_run(f, "DROP DATABASE small");
    postgres_run(f, "DROP TABLESPACE small");
    assert_ok(f, fixture_open(f, false));
}

/* ---- the pool --------------------------------------------------------------------------------- */

static void *load_and_create(void *arg)
{
    static atomic_int counter;
    fixture *f = arg;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    for (int i = 0; i < 20; i++) {
        firn_err err = {0};
        firn_table table;
        firn_ident a = {.ns = "s", .name = "a"};
        if (firn_catalog_table_load(f->catalog, arena, NULL, a, &table, &err) != FIRN_OK) {
            print_error("%s\n", err.message);
            return arg;
        }
        firn_change ns = {
            .kind = FIRN_CHANGE_CREATE_NAMESPACE,
            .ident = {.ns = firn_arena_printf(arena, "n%d", counter++)},
        };
        if (firn_catalog_commit(f->catalog, arena, NULL, &ns, 1, NULL, NULL, &err) != FIRN_OK) {
            print_error("%s\n", err.message);
            return arg;
        }
    }
    return NULL;
}

static void more_threads_than_connections(void **state)
{
    enum { THREADS = 24, POOL = 3 };
    fixture *f = *state;
    fixture_close(f);
    firn_catalog_options options = {
        .uri = f->uri, .schema = f->schema, .storage = f->storage, .pool = POOL};
    assert_ok(f, firn_catalog_open(&options, &f->catalog, &f->err));
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, load_and_create, f), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_true(f->catalog->n_idle <= POOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_missing_schema_is_made_only_on_request),
        TEST(an_empty_schema_of_somebody_is_taken),
        TEST(another_programs_schema_is_left_alone),
        TEST(a_newer_schema_is_refused),
        TEST(an_older_schema_is_brought_up_to_date),
        TEST(many_processes_may_make_and_migrate_the_same_catalog),
        TEST(messages_hold_no_password),
        TEST(a_password_opens_what_is_guarded),
        TEST(keys_are_ordered_by_bytes),
        TABLES(a_read_is_one_snapshot),
        TABLES(who_waits_in_vain_learns_who_holds_the_lock),
        TABLES(a_failing_statement_fails_its_transaction),
        TABLES(more_threads_than_connections),
        TABLES(dead_idle_connections_are_replaced_unnoticed),
        TABLES(a_loss_before_commit_is_a_known_failure),
        TABLES(locks_go_with_their_holder),
        PROXY(a_commit_that_never_arrived_is_a_failure),
        PROXY(a_commit_whose_answer_was_lost_is_a_success),
        PROXY(a_commit_that_arrives_late_is_waited_for),
        PROXY(a_merge_is_settled_like_a_commit),
        PROXY(a_server_that_is_away_is_busy_and_comes_back),
        TABLES(a_crashing_server_loses_and_doubles_nothing),
        TEST(a_full_disk_says_so_and_can_be_emptied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
