/* What the files of firn's own statements share: names, properties, types, commits, small tables of text.
 *
 *   ddl.c           names, properties, catalog access, commits, rows of text
 *   type_sql.c      column types in every spelling
 *   column_sql.c    column definitions and DEFAULT values
 *   partition_sql.c partition terms and sort orders
 */
#ifndef ENGINE_DDL_H
#define ENGINE_DDL_H

#include "statement.h"

#include "base/time.h"
#include "iceberg/update.h"

/* ---- the lake ------------------------------------------------------------------------------------------ */

/* INVALID when the engine runs without a lake. */
firn_rc firn_session_catalog(firn_session *session, firn_catalog **out,
                             firn_err *err) FIRN_MUST_USE;

/* Drop a table of the session's branch with the files that nobody else needs. */
firn_rc firn_session_purge_table(firn_session *session, firn_arena *arena, firn_ident ident,
                                 const char *message, firn_purge_result *result,
                                 firn_err *err) FIRN_MUST_USE;

/* One catalog commit on the session's branch, signed as the session says. `commit_id` and the locations in `result` (nullable). */
firn_rc firn_session_commit_changes(firn_session *session, firn_arena *arena,
                                    const firn_change *changes, size_t n, const char *message,
                                    firn_commit_result *result, firn_err *err) FIRN_MUST_USE;
/* Build-and-commit of one table's updates, with retries. */
typedef firn_rc (*firn_table_build_fn)(void *ctx, firn_arena *arena, const firn_table *base,
                                       json_t *updates, json_t *requirements, firn_err *err);
typedef struct firn_table_commit {
    firn_ident ident;
    firn_table_build_fn build;
    void (*discard)(void *ctx); /* nullable */
    void *ctx;
    const char *message; /* NULL: made from the change */
} firn_table_commit;
firn_rc firn_session_commit_table(firn_session *session, firn_arena *arena,
                                  const firn_table_commit *commit, firn_err *err) FIRN_MUST_USE;

/* ---- names --------------------------------------------------------------------------------------------- */

/* Table or view that a statement changes: a dotted name, resolved; "t@ref" is refused (the session's branch is what changes). */
firn_rc firn_parse_target(firn_session *session, firn_parser *parser, firn_ident *out,
                          firn_err *err) FIRN_MUST_USE;
/* INVALID for names of new tables and views that queries would take for something else: t@x, t$snapshots. */
firn_rc firn_check_new_name(const char *name, firn_err *err) FIRN_MUST_USE;
/* Table or view that a statement reads: "t@ref" stays part of the name, as firn_session_load_table takes it. */
firn_rc firn_parse_source(firn_session *session, firn_parser *parser, firn_ident *out,
                          firn_err *err) FIRN_MUST_USE;
/* The same from the text of a procedure's argument: 'bronze.orders'. */
firn_rc firn_parse_target_text(firn_session *session, firn_arena *arena, const char *text,
                               firn_ident *out, firn_err *err) FIRN_MUST_USE;
/* "a.b" to levels joined by FIRN_NS_SEP. */
firn_rc firn_parse_namespace(firn_parser *parser, const char **out, firn_err *err) FIRN_MUST_USE;
/* "a.b.c" as a column path. */
firn_rc firn_parse_column_path(firn_parser *parser, const char **out, firn_err *err) FIRN_MUST_USE;
/* Does DuckDB have a temporary table or view of that name? */
firn_rc firn_is_temporary(firn_session *session, firn_arena *arena, const char *name, bool *out,
                          firn_err *err) FIRN_MUST_USE;
/* `parser`'s table is an unqualified name that only DuckDB knows (a temporary table): the statement is DuckDB's. */
firn_rc firn_target_is_temporary(firn_session *session, const firn_parser *parser, bool *out,
                                 firn_err *err) FIRN_MUST_USE;

/* A branch, a tag or a commit id of the lake. */
firn_rc firn_parse_ref(firn_parser *parser, const char **out, firn_err *err) FIRN_MUST_USE;

/* ---- pieces of grammar --------------------------------------------------------------------------------- */

/* ('k' = 'v', k.l = 1, ...) to an object of strings; `what` names the clause in messages. Owned by the parser's arena. */
firn_rc firn_parse_properties(firn_parser *parser, const char *what, json_t **out,
                              firn_err *err) FIRN_MUST_USE;
/* ('k', k.l, ...) */
firn_rc firn_parse_property_keys(firn_parser *parser, const char ***keys, size_t *n,
                                 firn_err *err) FIRN_MUST_USE;
/* 'absolute path or URI' as a location without a slash at its end. */
firn_rc firn_parse_location(firn_parser *parser, const char **out, firn_err *err) FIRN_MUST_USE;
/* A whole number, optionally signed. */
firn_rc firn_parse_integer(firn_parser *parser, int64_t *out, firn_err *err) FIRN_MUST_USE;
/* A column's type; the cursor ends behind it. Fields in it have id 0. */
firn_rc firn_parse_type(firn_parser *parser, firn_type **out, firn_err *err) FIRN_MUST_USE;

/* The type of a new table's column that holds what a query gives (types as DuckDB prints them): HUGEINT becomes DECIMAL(38, 0),
 * an ENUM a string. */
firn_rc firn_type_of_query(firn_arena *arena, const char *text, int format_version, firn_type **out,
                           firn_err *err) FIRN_MUST_USE;

/* name TYPE [NOT NULL] [DEFAULT expression] [COMMENT 'text'] [PRIMARY KEY], in any order behind the type. */
typedef struct firn_column_sql {
    const char **path; /* ALTER TABLE ADD COLUMN a.b.c; one part in CREATE TABLE */
    size_t n_path;
    firn_field field;        /* name: the path's last part; no id, no defaults */
    const char *default_sql; /* NULL: none */
    bool primary_key;
} firn_column_sql;
firn_rc firn_parse_column(firn_parser *parser, firn_column_sql *out, firn_err *err) FIRN_MUST_USE;
/* The text of the expression at the cursor, up to the next comma, bracket end or word that goes on with the column. */
firn_rc firn_parse_default(firn_parser *parser, const char **out, firn_err *err) FIRN_MUST_USE;
/* The constant as Iceberg's single-value JSON (borrowed from the arena); *out NULL for DEFAULT NULL. */
firn_rc firn_default_value(firn_session *session, firn_arena *arena, const firn_column_sql *column,
                           json_t **out, firn_err *err) FIRN_MUST_USE;
/* Defaults need format version 3: UNSUPPORTED says so. */
firn_rc firn_check_default_version(int format_version, const char *column,
                                   firn_err *err) FIRN_MUST_USE;

/* days(ts), bucket(8, id), truncate(s, 4), col [AS name] */
firn_rc firn_parse_partition_term(firn_parser *parser, firn_partition_term *out,
                                  firn_err *err) FIRN_MUST_USE;
typedef FIRN_VEC(firn_partition_term) firn_partition_terms;
firn_rc firn_parse_partition_terms(firn_parser *parser, firn_partition_terms *out,
                                   firn_err *err) FIRN_MUST_USE; /* ( term, ... ) */

typedef struct firn_sort_term {
    const char *column;
    firn_transform transform;
    bool descending, nulls_last;
} firn_sort_term;
typedef FIRN_VEC(firn_sort_term) firn_sort_terms;
/* a DESC NULLS LAST, bucket(4, id), ... with or without brackets around the list. */
firn_rc firn_parse_sort_terms(firn_parser *parser, firn_sort_terms *out,
                              firn_err *err) FIRN_MUST_USE;
/* What CREATE TABLE says. */
typedef struct firn_create_sql {
    bool or_replace, if_not_exists;
    firn_ident ident;
    FIRN_VEC(firn_column_sql) columns;
    FIRN_VEC(const char *) names; /* CREATE TABLE t (a, b) AS: only names */
    FIRN_VEC(const char *) keys;  /* PRIMARY KEY: paths */
    firn_partition_terms partition;
    firn_sort_terms sort;
    const char *location; /* nullable */
    json_t *properties;   /* comment and format-version included */
    bool has_like;
    firn_ident like;
    const char *query; /* nullable */
    bool no_data;      /* WITH NO DATA */
} firn_create_sql;
firn_rc firn_parse_create_table(firn_session *session, firn_parser *parser, firn_create_sql *out,
                                firn_err *err) FIRN_MUST_USE;

/* What firn.yaml says about new tables goes into their properties, so that other engines follow it, too. */
void firn_table_defaults(const firn_config *config, json_t *properties);

/* NO_COLUMN names the nearest. */
firn_rc firn_sort_fields(firn_arena *arena, const firn_schema *schema, const firn_sort_terms *terms,
                         firn_sort_field **out, firn_err *err) FIRN_MUST_USE;
/* "bucket(8, id)": a term or a sort field as SQL that firn reads again. */
char *firn_term_sql(firn_arena *arena, const firn_schema *schema, int32_t source_id,
                    const firn_transform *transform);
/* A column's path with each part quoted where it must be. */
char *firn_path_sql(firn_arena *arena, const firn_schema *schema, int32_t field_id);
/* A table's name, each part quoted only where it must be. */
char *firn_ident_sql(firn_arena *arena, firn_ident ident);

/* NO_COLUMN "there is no column <path> in <table>. Did you mean ...?" */
firn_rc firn_no_column(firn_arena *arena, const firn_schema *schema, const char *path,
                       const char *table_text, firn_err *err) FIRN_MUST_USE;
/* The field, or NO_COLUMN. */
firn_rc firn_find_column(firn_arena *arena, const firn_schema *schema, const char *path,
                         const char *table_text, const firn_field **out,
                         firn_err *err) FIRN_MUST_USE;

/* COMMENT ON VIEW, ALTER VIEW SET PROPERTIES: text sets, null removes. */
firn_rc firn_view_set_properties(firn_session *session, firn_arena *arena, firn_ident ident,
                                 const json_t *properties, firn_err *err) FIRN_MUST_USE;

/* ---- small results ------------------------------------------------------------------------------------- */

/* "name" or "name TYPE" (DuckDB's type, for how cells are shown and compared); VARCHAR if left out. */
firn_result *firn_text_table(firn_arena *arena, const char *tag, const char *const *columns,
                             size_t n_columns);

char *firn_i64_text(firn_arena *arena, int64_t value);
/* "2024-02-15 10:20:30.123+00" as DuckDB reads TIMESTAMPTZ. */
char *firn_ms_text(firn_arena *arena, int64_t timestamp_ms);

#endif
