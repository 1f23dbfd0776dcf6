/* A lake, a server (ksql_server.h) that its firn.yaml names, and exports of feeds between them. */
#ifndef TESTS_EXPORT_FIXTURE_H
#define TESTS_EXPORT_FIXTURE_H

#include "../engine/lake_fixture.h"
#include "ksql_server.h"

#include "export/run.h"

/* 2026-01-15 12:00:00 UTC, a Thursday. */
#define NOON_US INT64_C(1768478400000000)
#define NOON_MS (NOON_US / 1000)
#define DAY_MS  INT64_C(86400000)

typedef struct export_fixture {
    lake_fixture *lake;
    ksql_server *server;
    firn_export_options options;
    firn_err err;
    firn_export_result *results;
    size_t n;
} export_fixture;

static inline void export_put(export_fixture *f, const char *folder, const char *name,
                              const char *text)
{
    firn_err err = {0};
    const char *dir = firn_path_join(f->lake->arena, f->lake->root, folder);
    lake_check(firn_mkdir_p(dir, 0755, &err), &err, dir);
    lake_check(firn_file_write_atomic(firn_path_join(f->lake->arena, dir, name),
                                      firn_bytes_str(text), 0644, &err),
               &err, dir);
}

/* more: further members, with a comma before each; "" for none. */
static inline void export_feed(export_fixture *f, const char *name, const char *type,
                               const char *source, const char *more)
{
    const char *text = firn_arena_printf(f->lake->arena,
                                         "{\"feed_name\": \"%s\", \"feed_type\": \"%s\", "
                                         "\"ksqldb_source\": \"%s\"%s}",
                                         name, type, source, more);
    export_put(f, "feeds/active", firn_arena_printf(f->lake->arena, "%s.json", name), text);
}

static inline int export_setup(void **state)
{
    export_fixture *f = calloc(1, sizeof(*f));
    firn_bytes text;
    firn_err err = {0};
    lake_setup((void **)&f->lake);
    f->server = ksql_begin();
    const char *path = firn_path_join(f->lake->arena, f->lake->root, "firn.yaml");
    lake_check(firn_file_read(f->lake->arena, path, 1 << 20, &text, &err), &err, path);
    export_put(f, ".", "firn.yaml",
               firn_arena_printf(f->lake->arena,
                                 "%s\nsources:\n  - name: ksql\n    ksqldb: %s\n    timeout: 1s\n",
                                 (const char *)text.data, f->server->url));
    lake_reopen(f->lake);
    f->options =
        (firn_export_options){.quiet_ms = 60, .first_ms = 60, .now_us = NOON_US, .jobs = 2};
    *state = f;
    return 0;
}

static inline int export_teardown(void **state)
{
    export_fixture *f = *state;
    lake_teardown((void **)&f->lake);
    ksql_end(f->server);
    free(f);
    return 0;
}

/* The one feed of that name; NULL: all. */
static inline firn_rc export_try(export_fixture *f, const char *name)
{
    const char *names[] = {name};
    f->options.names = name != NULL ? names : NULL;
    f->options.n_names = name != NULL ? 1 : 0;
    f->err = (firn_err){0};
    f->results = NULL;
    f->n = 0;
    return firn_export_run(f->lake->engine, f->lake->arena, &f->options, &f->results, &f->n,
                           &f->err);
}

static inline const firn_export_result *export_one(export_fixture *f, const char *name,
                                                   firn_export_outcome expected)
{
    lake_check(export_try(f, name), &f->err, name);
    assert_int_equal(f->n, 1);
    if (f->results[0].outcome != expected) {
        fail_msg("%s: outcome %d instead of %d: %s", name, (int)f->results[0].outcome,
                 (int)expected, f->results[0].message != NULL ? f->results[0].message : "");
    }
    return &f->results[0];
}

static inline const char *export_fails(export_fixture *f, const char *name)
{
    return export_one(f, name, FIRN_EXPORT_FAILED)->message;
}

static inline void export_warned(const firn_export_result *r, const char *part)
{
    for (size_t i = 0; i < r->n_warnings; i++) {
        if (strstr(r->warnings[i], part) != NULL) {
            return;
        }
    }
    fail_msg("no warning says \"%s\"; there are %zu, the first: %s", part, r->n_warnings,
             r->n_warnings > 0 ? r->warnings[0] : "");
}

#endif
