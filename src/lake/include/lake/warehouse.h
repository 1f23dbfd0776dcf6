/* Tables of a warehouse folder that another catalog, or none, kept: found by their metadata files, and registered.
 *
 * A table's folder is one with metadata/<something>.metadata.json (also .gz.metadata.json, .metadata.json.gz) in it. Which of the
 * files is current is told by version-hint.text where a Hadoop catalog keeps one (and the versions that follow it), else by the
 * numbers in the names, each file's metadata-log and last-updated-ms: see warehouse_pick.c. Files are read and never changed.
 *
 *   firn_warehouse_scan      a folder to what is in it: tables and views, their names, what speaks against them
 *   firn_warehouse_plan      held against a branch of a catalog: what is registered, what is skipped and why
 *   firn_warehouse_register  everything planned, in one commit
 *
 * All results live in the given arena. Errors: those of storage and catalog; a table that cannot be read is no error but a found
 * table with a reason to skip it.
 */
#ifndef LAKE_WAREHOUSE_H
#define LAKE_WAREHOUSE_H

#include "catalog/catalog.h"
#include "iceberg/view.h"

typedef enum firn_found_action {
    FIRN_FOUND_SKIP,
    FIRN_FOUND_REGISTER,
    FIRN_FOUND_REPLACE, /* the catalog has the table at another metadata file */
} firn_found_action;

typedef struct firn_found {
    firn_found_action action;
    bool is_view;
    firn_ident ident;     /* from the path; the catalog's when it knows the table */
    const char *root;     /* the scanned folder */
    const char *folder;   /* location, without a slash at its end */
    const char *metadata; /* the current file; NULL: none can be read */
    const char *uuid;     /* nullable: v1 tables may have none */
    const char *recorded; /* the location that the metadata records */
    int format_version;   /* 0: unknown */
    int64_t rows, files;  /* of the current snapshot; -1: not recorded */
    const char
        *note; /* what to know about it: forks, ties, files that were passed over; nullable */
    const char *skip; /* why it is not registered; NULL: it is */
    const char *
        alias; /* copied from elsewhere: the entry of storage.aliases that makes it readable; nullable */
    firn_metadata *loaded; /* tables whose file was read */
    json_t *view;          /* views: the document */
} firn_found;

typedef struct firn_warehouse_options {
    const char *dir; /* location or path */
    const char *ns;  /* levels joined by FIRN_NS_SEP: everything goes there; NULL: from the paths */
    const char *default_ns; /* of tables that lie directly in `dir` */
    bool verify; /* manifest lists, manifests and data files of the current snapshot exist */
} firn_warehouse_options;

/* NOT_FOUND when the folder is not there. Sorted by folder. */
firn_rc firn_warehouse_scan(firn_storage *storage, firn_arena *arena,
                            const firn_warehouse_options *options, firn_found **out, size_t *n,
                            firn_err *err) FIRN_MUST_USE;

/* Fills action, skip and note. `replace`: a table that is registered at another file (same uuid) is pointed at this one. */
firn_rc firn_warehouse_plan(firn_catalog *catalog, firn_arena *arena, const char *ref, bool replace,
                            firn_found *found, size_t n, firn_err *err) FIRN_MUST_USE;

/* One commit: missing namespaces, then everything whose action is not SKIP. *registered is how many. */
firn_rc firn_warehouse_register(firn_catalog *catalog, firn_arena *arena, const char *ref,
                                const firn_found *found, size_t n, const firn_commit_info *info,
                                size_t *registered, firn_err *err) FIRN_MUST_USE;

/* ---- names (pure text; for tests and the fuzzer) ---------------------------------------------------------- */

/* "v12.metadata.json", "00012-<uuid>.metadata.json", "v3.gz.metadata.json", "00001-x.metadata.json.gz": the number; -1 for other
 * names. */
int64_t firn_metadata_file_version(const char *name);
/* The number in version-hint.text: digits, with white space around them. -1 for anything else. */
int64_t firn_version_hint_parse(firn_bytes text);
/* A folder below the warehouse ("sales.db/orders-1f2e...", "a/b/t") to namespace and table: ".db" behind the last level is Hive's,
 * a UUID (36, 32 or firn's 8 hex digits) behind the name is a catalog's way to have unique folders. Percent-encoded text is
 * decoded where that gives valid names. `ns` is "" for a table directly in the warehouse. False: no valid name comes out. */
bool firn_warehouse_name(firn_arena *arena, const char *relative, const char **ns,
                         const char **name);

#endif
