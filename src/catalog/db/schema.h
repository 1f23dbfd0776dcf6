/* The catalog's tables, in SQL that SQLite and PostgreSQL both take: one string per schema version, run in order.
 *
 * refs      branches and tags, each with the commit it stands at
 * entries   what each ref holds now: key (ns, name) -> content. Namespaces have name ''. `value` is the metadata
 *           file of a table or view, the JSON properties of a namespace
 * commits   the log; generation = 1 + the highest of the parents', which makes merge bases cheap to find
 * changes   what each commit did to its first parent's state, with before and after: enough to walk either way
 * folders   which table owns which folder, kept after a drop so that nobody's files end up in another's folder
 * runs...   the run log of pipelines
 * idempotency   which request made which commit and got which answer: catalog/idempotency.h
 */
#ifndef CATALOG_SCHEMA_H
#define CATALOG_SCHEMA_H

static const char *const firn_catalog_migrations[] = {
    /* 1 */
    "CREATE TABLE commits ("
    " commit_id TEXT NOT NULL PRIMARY KEY,"
    " parent_id TEXT,"
    " merge_parent_id TEXT,"
    " generation BIGINT NOT NULL,"
    " author TEXT NOT NULL,"
    " message TEXT NOT NULL,"
    " time_us BIGINT NOT NULL);"

    "CREATE TABLE changes ("
    " commit_id TEXT NOT NULL REFERENCES commits (commit_id),"
    " ns TEXT NOT NULL,"
    " name TEXT NOT NULL,"
    " old_kind INTEGER, old_content_id TEXT, old_value TEXT," /* NULL: was absent */
    " new_kind INTEGER, new_content_id TEXT, new_value TEXT," /* NULL: is absent */
    " PRIMARY KEY (commit_id, ns, name));"

    "CREATE TABLE refs ("
    " name TEXT NOT NULL PRIMARY KEY,"
    " is_tag INTEGER NOT NULL,"
    " commit_id TEXT NOT NULL REFERENCES commits (commit_id),"
    " updated_us BIGINT NOT NULL,"
    " settles BIGINT NOT NULL DEFAULT 0);" /* counts the times that an unknown outcome was looked into */

    "CREATE TABLE entries ("
    " ref TEXT NOT NULL REFERENCES refs (name) ON DELETE CASCADE,"
    " ns TEXT NOT NULL,"
    " name TEXT NOT NULL,"
    " kind INTEGER NOT NULL,"
    " content_id TEXT NOT NULL,"
    " value TEXT NOT NULL,"
    " commit_id TEXT NOT NULL,"
    " updated_us BIGINT NOT NULL,"
    " PRIMARY KEY (ref, ns, name));"
    "CREATE INDEX entries_content ON entries (content_id);"

    "CREATE TABLE folders ("
    " location TEXT NOT NULL PRIMARY KEY,"
    " content_id TEXT NOT NULL);"

    "CREATE TABLE runs ("
    " run_id TEXT NOT NULL PRIMARY KEY,"
    " day TEXT NOT NULL,"
    " number BIGINT NOT NULL,"
    " pipeline TEXT NOT NULL,"
    " branch TEXT NOT NULL,"
    " target TEXT NOT NULL,"
    " status TEXT NOT NULL,"
    " error TEXT,"
    " commit_id TEXT,"
    " started_us BIGINT NOT NULL,"
    " ended_us BIGINT NOT NULL,"
    " UNIQUE (day, number));"
    "CREATE INDEX runs_pipeline ON runs (pipeline, started_us);"

    "CREATE TABLE run_tasks ("
    " run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,"
    " task TEXT NOT NULL,"
    " attempt INTEGER NOT NULL,"
    " kind TEXT NOT NULL,"
    " status TEXT NOT NULL,"
    " row_count BIGINT NOT NULL,"
    " started_us BIGINT NOT NULL,"
    " ended_us BIGINT NOT NULL,"
    " detail TEXT,"
    " error TEXT,"
    " PRIMARY KEY (run_id, task, attempt));"

    "CREATE TABLE run_checks ("
    " run_id TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,"
    " task TEXT NOT NULL,"
    " ordinal BIGINT NOT NULL,"
    " name TEXT NOT NULL,"
    " table_name TEXT,"
    " severity TEXT NOT NULL,"
    " status TEXT NOT NULL,"
    " failing_rows BIGINT NOT NULL,"
    " detail TEXT,"
    " PRIMARY KEY (run_id, task, ordinal));",

    /* 2 */
    "CREATE TABLE idempotency ("
    " idempotency_key TEXT NOT NULL PRIMARY KEY,"
    " fingerprint TEXT NOT NULL,"
    " status BIGINT NOT NULL," /* HTTP; 0: the commit is made, the answer is not */
    " body TEXT,"
    " commit_id TEXT,"
    " created_us BIGINT NOT NULL,"
    " expires_us BIGINT NOT NULL);"
    "CREATE INDEX idempotency_expires ON idempotency (expires_us);",
};

enum {
    FIRN_CATALOG_SCHEMA_VERSION =
        sizeof(firn_catalog_migrations) / sizeof(firn_catalog_migrations[0])
};

#endif
