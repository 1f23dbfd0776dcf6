/* A feed, its table made by SQL, and its folders: what the tests of the tree, of retention and of versions share. */
#ifndef TESTS_EXPORT_TREE_FIXTURE_H
#define TESTS_EXPORT_TREE_FIXTURE_H

#include "../engine/lake_fixture.h"

#include "base/time.h"
#include "export/tree.h"
#include "tree_private.h"

#include <sys/stat.h>

static const char *const TREE_DAY_COLUMNS[] = {"year", "month", "day"};
static const char *const TREE_VERSION_COLUMNS[] = {"version"};

static inline firn_export_feed tree_stream(const char *name)
{
    return (firn_export_feed){.name = name,
                              .path = "feeds/active/s.json",
                              .kind = FIRN_EXPORT_STREAM,
                              .ksqldb_source = name,
                              .description = "",
                              .partitioning = FIRN_EXPORT_BY_DATE,
                              .columns = TREE_DAY_COLUMNS,
                              .n_columns = 3,
                              .mode = FIRN_EXPORT_APPEND,
                              .enabled = true,
                              .created_at = "2025-01-01T00:00:00Z",
                              .table = "streams.s",
                              .ref = "main",
                              .compression = "snappy",
                              .permissions = 0750};
}

static inline firn_export_feed tree_table(const char *name)
{
    return (firn_export_feed){.name = name,
                              .path = "feeds/active/t.json",
                              .kind = FIRN_EXPORT_TABLE,
                              .ksqldb_source = name,
                              .description = "",
                              .partitioning = FIRN_EXPORT_BY_VERSION,
                              .columns = TREE_VERSION_COLUMNS,
                              .n_columns = 1,
                              .mode = FIRN_EXPORT_OVERWRITE,
                              .enabled = true,
                              .created_at = "2025-01-01T00:00:00Z",
                              .table = "tables.t",
                              .ref = "main",
                              .compression = "snappy",
                              .permissions = 0755};
}

static inline void tree_make_stream(lake_fixture *f)
{
    lake_exec(f,
              "CREATE SCHEMA streams; CREATE TABLE streams.s (id BIGINT, note VARCHAR, year INT, "
              "month INT, day INT) PARTITIONED BY (year, month, day) "
              "WITH ('firn.write.partition-columns'='false', "
              "'write.parquet.compression-codec'='snappy')");
}

static inline void tree_make_table(lake_fixture *f)
{
    lake_exec(f, "CREATE SCHEMA tables; CREATE TABLE tables.t (id BIGINT, total BIGINT, version "
                 "VARCHAR) PARTITIONED BY (version) WITH ('firn.write.partition-columns'='false')");
}

/* One export of a table, as run.h has it: a complete new version with its tag. */
static inline void tree_version(lake_fixture *f, int number, const char *rows)
{
    lake_exec(f, firn_arena_printf(
                     f->arena,
                     "TRUNCATE tables.t; INSERT INTO tables.t SELECT *, 'v%d' FROM (%s); ALTER "
                     "TABLE tables.t CREATE TAG v%d; ALTER TABLE tables.t SET "
                     "TBLPROPERTIES ('firn.version'='%d')",
                     number, rows, number, number));
}

static inline firn_tree_result tree_sync(lake_fixture *f, const firn_export_feed *feed)
{
    firn_err err = {0};
    firn_tree_result result = {0};
    lake_check(firn_tree_sync(f->session, feed, 0, NULL, &result, &err), &err, "sync");
    return result;
}

static inline const char *tree_root(lake_fixture *f, const firn_export_feed *feed)
{
    return firn_export_folder(f->lake, f->arena, feed);
}

/* ---- what is there ------------------------------------------------------------------------------------------- */

static struct {
    firn_arena *arena;
    size_t skip;
    FIRN_VEC(const char *) paths;
} tree_seen;

static inline int tree_see(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)ftw;
    if (type != FTW_D && type != FTW_DP) {
        const char *copy = firn_arena_strdup(tree_seen.arena, path + tree_seen.skip);
        firn_vec_push(tree_seen.arena, &tree_seen.paths, copy);
    }
    return 0;
}

static inline int tree_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Paths of all files below `dir`, sorted, relative. */
static inline const char *const *tree_files(lake_fixture *f, const char *dir, size_t *n)
{
    memset(&tree_seen, 0, sizeof(tree_seen));
    tree_seen.arena = f->arena;
    tree_seen.skip = strlen(dir) + 1;
    nftw(dir, tree_see, 16, FTW_PHYS);
    if (tree_seen.paths.len > 1) {
        qsort(tree_seen.paths.items, tree_seen.paths.len, sizeof(char *), tree_compare);
    }
    *n = tree_seen.paths.len;
    return tree_seen.paths.items;
}

static inline const char *tree_listing(lake_fixture *f, const firn_export_feed *feed)
{
    size_t n = 0;
    const char *const *paths = tree_files(f, tree_root(f, feed), &n);
    return firn_str_join(f->arena, paths, n, "\n");
}

/* The names' times replaced: "year=2025/month=01/day=15/data_*.parquet". */
static inline const char *tree_shape(lake_fixture *f, const firn_export_feed *feed)
{
    char *text = firn_arena_strdup(f->arena, tree_listing(f, feed));
    char *out = text;
    for (const char *p = text; *p != '\0';) {
        if (*p == '_' && strspn(p + 1, "0123456789") == 8 && p[9] == '_' &&
            strspn(p + 10, "0123456789") == 6) {
            p += 16;
            *out++ = '_';
            *out++ = '*';
        } else {
            *out++ = *p++;
        }
    }
    *out = '\0';
    return text;
}

/* All rows of the folders, as DuckDB reads them. */
static inline const char *tree_rows_of(lake_fixture *f, const firn_export_feed *feed,
                                       const char *columns)
{
    return firn_arena_printf(
        f->arena,
        "SELECT %s FROM read_parquet('%s/**/*.parquet', hive_partitioning = "
        "true%s) ORDER BY ALL",
        columns, tree_root(f, feed),
        feed->n_columns == 3 ? ", hive_types = {'year': INT, 'month': INT, 'day': INT}" : "");
}

static inline void tree_is_table(lake_fixture *f, const firn_export_feed *feed)
{
    const char *table =
        lake_text(f, "SELECT id, note, year, month, day FROM streams.s ORDER BY ALL");
    const char *folders = lake_text(f, tree_rows_of(f, feed, "id, note, year, month, day"));
    assert_string_equal(folders, table);
}

static inline mode_t tree_mode(lake_fixture *f, const firn_export_feed *feed, const char *relative)
{
    struct stat st;
    const char *path = firn_arena_printf(f->arena, "%s/%s", tree_root(f, feed), relative);
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static inline void tree_put(lake_fixture *f, const firn_export_feed *feed, const char *relative,
                            const char *text)
{
    firn_err err = {0};
    const char *path = firn_arena_printf(f->arena, "%s/%s", tree_root(f, feed), relative);
    lake_check(firn_mkdir_p(firn_path_dirname(f->arena, path), 0755, &err), &err, path);
    lake_check(firn_file_write_atomic(path, firn_bytes_str(text), 0644, &err), &err, path);
}

#endif
