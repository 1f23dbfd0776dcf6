/* The firn binary as a user has it, on a lake that is put back to the same state before every round.
 *
 * A scenario is a lake, one statement (or command) that changes it, and so two states: the one before and the one after. Whatever
 * happens to the statement, the lake must then be in one of the two, nothing between, and take the next INSERT.
 */
#ifndef TESTS_FAULT_HARNESS_H
#define TESTS_FAULT_HARNESS_H

#include "../unit/engine/lake_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* ---- running the binary -------------------------------------------------------------------------------- */

typedef struct outcome {
    int code; /* exit code; -signal when killed */
    const char *out, *err;
} outcome;

typedef struct firn_call {
    const char *root;        /* --lake */
    const char *const *args; /* NULL-terminated */
    const char *env[3];      /* "NAME=value"; NULL-terminated */
    rlim_t file_bytes_max;   /* RLIMIT_FSIZE; 0: none */
} firn_call;

static inline const char *slurp(firn_arena *arena, const char *path)
{
    firn_err err = {0};
    firn_bytes bytes;
    lake_check(firn_file_read(arena, path, 64 << 20, &bytes, &err), &err, path);
    return (const char *)bytes.data;
}

static inline void become_firn(const firn_call *call, const char *out_path, const char *err_path)
{
    const char *binary = getenv("FIRN") != NULL ? getenv("FIRN") : "build/firn";
    char *argv[64] = {(char *)(uintptr_t)binary, (char *)(uintptr_t) "--lake",
                      (char *)(uintptr_t)call->root};
    for (size_t i = 0; call->args[i] != NULL && i < 60; i++) {
        argv[3 + i] = (char *)(uintptr_t)call->args[i];
    }
    for (size_t i = 0; i < 3 && call->env[i] != NULL; i++) {
        putenv((char *)(uintptr_t)call->env[i]);
    }
    if (call->file_bytes_max > 0) {
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){call->file_bytes_max, call->file_bytes_max});
    }
    int out = open(out_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int err = open(err_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int null = open("/dev/null", O_RDONLY);
    if (dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) {
        _exit(126);
    }
    execv(binary, argv);
    _exit(127);
}

static inline outcome call_firn(firn_arena *arena, const firn_call *call)
{
    char base[] = "/tmp/firn-fault-XXXXXX";
    assert_non_null(mkdtemp(base));
    const char *out_path = firn_path_join(arena, base, "out");
    const char *err_path = firn_path_join(arena, base, "err");
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        become_firn(call, out_path, err_path);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    outcome result = {.code = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status),
                      .out = slurp(arena, out_path),
                      .err = slurp(arena, err_path)};
    unlink(out_path);
    unlink(err_path);
    rmdir(base);
    if (result.code == 126 || result.code == 127) {
        fail_msg("cannot run %s: set FIRN to the binary", getenv("FIRN"));
    }
    return result;
}

/* A failure tells one sentence on one line, the last. Before it there may be warnings: files that could not be deleted, say. */
static inline void assert_one_clear_error(firn_arena *arena, const outcome *result)
{
    size_t n;
    char **lines = firn_str_split(arena, result->err, '\n', &n);
    bool clear = n >= 2 && lines[n - 1][0] == '\0' && firn_starts_with(lines[n - 2], "error: ") &&
                 strlen(lines[n - 2]) > strlen("error: ") + 20;
    for (size_t i = 0; clear && i + 2 < n; i++) {
        clear = strstr(lines[i], " warn  ") != NULL;
    }
    if (!clear) {
        fail_msg("this is not one clear error: %s", result->err);
    }
}

/* ---- the lake ------------------------------------------------------------------------------------------ */

/* In memory where possible: thousands of fsyncs, and nobody pulls the plug. */
static inline void use_fast_scratch(void)
{
    if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 1);
    }
}

static inline void shell(firn_arena *arena, const char *command)
{
    int status = system(command);
    if (status != 0) {
        fail_msg("%s: ended with %d", command, status);
    }
    (void)arena;
}

/* The lake as it is now becomes the one that rewind_lake brings back, under the same path. */
static inline void save_lake(lake_fixture *f)
{
    lake_close(f);
    shell(f->arena, firn_arena_printf(f->arena, "rm -rf %s.saved && cp -a %s %s.saved", f->root,
                                      f->root, f->root));
    lake_open(f);
}

/* Leaves it closed: the binary is to have it. */
static inline void rewind_lake(lake_fixture *f)
{
    lake_close(f);
    shell(f->arena,
          firn_arena_printf(f->arena, "rm -rf %s && cp -a %s.saved %s", f->root, f->root, f->root));
}

static inline int fault_teardown(void **state)
{
    lake_fixture *f = *state;
    shell(f->arena, firn_arena_printf(f->arena, "rm -rf %s.saved", f->root));
    return lake_teardown(state);
}

/* Every table of main with all its rows: reading them reads every file that a snapshot refers to. */
static inline const char *lake_state(lake_fixture *f)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    firn_catalog_entry *entries = NULL;
    firn_err err = {0};
    size_t n = 0;
    lake_check(firn_catalog_list(firn_lake_catalog(f->lake), f->arena, FIRN_MAIN, FIRN_KIND_TABLE,
                                 NULL, &entries, &n, &err),
               &err, "list main");
    for (size_t i = 0; i < n; i++) {
        const char *table = firn_ident_text(f->arena, entries[i].ident);
        firn_buf_printf(
            &text, "%s\n%s\n", table,
            lake_text(f, firn_arena_printf(f->arena, "select * from %s order by all", table)));
    }
    return firn_arena_strdup(f->arena, firn_buf_cstr(&text));
}

static int files_counted;

static inline int count_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)path, (void)st, (void)ftw;
    files_counted += type == FTW_F;
    return 0;
}

/* Files in the warehouse, whoever refers to them. */
static inline int warehouse_files(lake_fixture *f)
{
    files_counted = 0;
    nftw(firn_path_join(f->arena, f->root, "warehouse"), count_file, 16, FTW_PHYS);
    return files_counted;
}

/* ---- scenarios ----------------------------------------------------------------------------------------- */

typedef struct scenario {
    const char *name;
    const char *change;     /* SQL on main */
    const char *pipeline;   /* or a pipeline to run */
    const char *command[8]; /* or a command line; "@/x" is x in the lake */
} scenario;

static const char scenario_setup[] =
    "create schema s;"
    "create table s.t partitioned by (g) as select * from (values (1, 'a'), (2, 'b'), (3, 'b')) v(id, g);"
    "create table s.u as select 7 as id, 'u' as g;"
    "create branch work;"
    "use branch work;"
    "insert into s.t values (40, 'w');"
    "create table s.made as select 1 as x;"
    "use branch main;"
    /* a folder of Parquet files, and tables that the catalog has forgotten */
    "copy (select * from (values (1, 'x', 2023), (2, 'y', 2024), (3, 'z', 2024)) v(id, g, year))"
    " to '@/raw/files' (format parquet, partition_by (year));"
    "create schema old; create table old.a as select 1 as x; create table old.b as select 2 as x;"
    "drop table old.a; drop table old.b; drop schema old;"
    /* dead letters of a feed, and of another one in the same file */
    "create table s.letters (feed varchar not null, topic varchar not null, partition int not null,"
    " \"offset\" bigint not null, \"timestamp\" timestamptz, key blob, value blob,"
    " headers map(varchar, blob) not null, code varchar not null, error varchar not null,"
    " schema_id int, failed_at timestamptz not null, attempts int not null);"
    "insert into s.letters select case when i < 3 then 'f' else 'g' end, 't', 0, i, null, null,"
    " ('{\"id\": ' || i || '}')::blob, map {}, 'TYPE', 'old', null, now(), 1 from range(5) r(i);";

static const char scenario_source[] = "sources:\n  - name: shop\n    kafka: 127.0.0.1:1\n";
static const char scenario_feed[] =
    "source: shop\ntopics: t\ntable: s.u\nformat: json\nschema: \"id int, g string\"\n"
    "dead_letters: {table: s.letters}\n";

static const char scenario_pipeline[] =
    "schemas: [s]\n"
    "tasks:\n"
    "  - {name: n, type: sql, models: [{table: s.n, sql: select count(*) as n from s.t}]}\n"
    "  - {name: add, type: sql, models: [{table: s.u, mode: append, sql: 'select id, g from s.t'}]}\n"
    "  - {name: gate, type: check, checks: [{table: s.n, not_null: [n]}]}\n";

static const scenario scenarios[] = {
    {.name = "insert", .change = "insert into s.t values (4, 'c'), (5, 'a')"},
    {.name = "delete of rows", .change = "delete from s.t where id = 2"},
    {.name = "delete of a partition", .change = "delete from s.t where g = 'b'"},
    {.name = "update", .change = "update s.t set id = id + 100 where g = 'b'"},
    {.name = "merge into",
     .change = "merge into s.t using s.u on t.id = u.id when not matched then insert *"},
    {.name = "insert overwrite", .change = "insert overwrite s.t select 9 as id, 'b' as g"},
    {.name = "create table as", .change = "create table s.n as select id, g from s.t"},
    {.name = "create or replace table as",
     .change = "create or replace table s.t as select 1 as x"},
    {.name = "alter table", .change = "alter table s.t add column extra bigint"},
    {.name = "drop table", .change = "drop table s.t"},
    {.name = "merge branch", .change = "merge branch work into main"},
    {.name = "pipeline", .pipeline = "p"},
    {.name = "adopt", .command = {"table", "adopt", "s.files", "@/raw/files"}},
    {.name = "register --scan", .command = {"table", "register", "--scan", "@/warehouse"}},
    {.name = "replay of dead letters", .command = {"ingest", "replay", "f"}},
};

enum { N_SCENARIOS = sizeof(scenarios) / sizeof(scenarios[0]) };

static inline void put_into_lake(lake_fixture *f, const char *folder, const char *name,
                                 const char *text)
{
    firn_err err = {0};
    const char *dir = firn_path_join(f->arena, f->root, folder);
    lake_check(firn_mkdir_p(dir, 0755, &err), &err, dir);
    lake_check(firn_file_write_atomic(firn_path_join(f->arena, dir, name), firn_bytes_str(text),
                                      0644, &err),
               &err, dir);
}

static inline void set_up_scenarios(lake_fixture *f)
{
    const char *config = slurp(f->arena, firn_path_join(f->arena, f->root, "firn.yaml"));
    put_into_lake(f, ".", "firn.yaml",
                  firn_arena_printf(f->arena, "%s\n%s", config, scenario_source));
    put_into_lake(f, "feeds", "f.yaml", scenario_feed);
    put_into_lake(f, "pipelines/p", "pipeline.yaml", scenario_pipeline);
    lake_exec(f, firn_str_replace(f->arena, scenario_setup, "@", f->root));
    save_lake(f);
}

static inline outcome run_scenario(lake_fixture *f, firn_arena *arena, const scenario *s,
                                   const char *env)
{
    const char *const sql[] = {"sql", "-c", s->change, NULL};
    const char *const pipeline[] = {"-q", "pipeline", "run", s->pipeline, NULL};
    const char *command[9] = {NULL};
    for (size_t i = 0; i < 8 && s->command[i] != NULL; i++) {
        command[i] = firn_str_replace(arena, s->command[i], "@", f->root);
    }
    const char *const *args = s->pipeline != NULL ? pipeline : s->change != NULL ? sql : command;
    return call_firn(arena, &(firn_call){.root = f->root, .args = args, .env = {env}});
}

/* The lake's state before and after the scenario when nothing is in the way. */
static inline void learn_states(lake_fixture *f, const scenario *s, const char **before,
                                const char **after)
{
    rewind_lake(f);
    lake_open(f);
    *before = lake_state(f);
    lake_close(f);
    outcome clean = run_scenario(f, f->arena, s, NULL);
    if (clean.code != 0) {
        fail_msg("%s: %s", s->name, clean.err);
    }
    lake_open(f);
    *after = lake_state(f);
    lake_close(f);
}

/* The lake takes a row, exactly once; then forgets it. */
static inline void assert_writable(lake_fixture *f)
{
    lake_exec(f, "insert into s.u (id, g) values (-1, 'probe')");
    lake_expect(f, "select count(*) from s.u where id = -1", "1");
}

#define FAULT_TEST(name) cmocka_unit_test_setup_teardown(name, lake_setup, fault_teardown)

#endif
