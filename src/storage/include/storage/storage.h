/* Object storage: the one interface through which table files are read and written, and its drivers.
 *
 * A location is a URI ("file:///lake/warehouse/x.avro", "s3://bucket/key") or an absolute local path. The
 * scheme picks the driver. Iceberg's file names are new for every write, so the interface has no rename
 * and no update: objects are put once, read, listed and deleted.
 *
 * Durability: when a put returns FIRN_OK, the object and its name survive power loss (posix: fsync of the
 * file and of every folder that gained a name). A put is atomic: readers see the whole object or none, and
 * a failed put leaves nothing behind, except after UNKNOWN_OUTCOME.
 *
 * Threads: a firn_storage may be used by many threads at once. Errors: NOT_FOUND, EXISTS (put_if_absent),
 * NO_SPACE, READ_ONLY, PERMISSION, LIMIT, IO, UNKNOWN_OUTCOME (remote stores), UNSUPPORTED (no driver for
 * the scheme).
 */
#ifndef STORAGE_STORAGE_H
#define STORAGE_STORAGE_H

#include "base/buf.h"

typedef struct firn_storage firn_storage;

typedef struct firn_storage_alias {
    const char *from; /* location prefix as recorded in table metadata */
    const char *to;   /* where those objects are now */
} firn_storage_alias;

typedef struct firn_storage_options {
    /* Prefixes that moved (a copied lake, a mounted bucket): a location that starts with `from` is read at
     * `to`. "/a", "file:/a" and "file:///a" are the same prefix. Longest match wins. */
    const firn_storage_alias *aliases;
    size_t n_aliases;
    bool fsync_off; /* tests and throw-away lakes only */
} firn_storage_options;

/* Opens no connection and touches no disk. Copies what it needs from the options (nullable). */
firn_storage *firn_storage_new(const firn_storage_options *options);
void firn_storage_free(firn_storage *storage);

/* The whole object, in `arena`, with a NUL after its last byte. LIMIT if larger than max_bytes. */
firn_rc firn_storage_get(firn_storage *storage, firn_arena *arena, const char *location,
                         size_t max_bytes, firn_bytes *out, firn_err *err) FIRN_MUST_USE;
/* Exactly [offset, offset + length), CORRUPT if the object ends before. */
firn_rc firn_storage_get_range(firn_storage *storage, firn_arena *arena, const char *location,
                               int64_t offset, size_t length, firn_bytes *out,
                               firn_err *err) FIRN_MUST_USE;
firn_rc firn_storage_size(firn_storage *storage, const char *location, int64_t *size_bytes,
                          firn_err *err) FIRN_MUST_USE;
firn_rc firn_storage_put(firn_storage *storage, const char *location, firn_bytes content,
                         firn_err *err) FIRN_MUST_USE;
/* EXISTS if there is an object of that name, whoever made it; atomic against other processes. */
firn_rc firn_storage_put_if_absent(firn_storage *storage, const char *location, firn_bytes content,
                                   firn_err *err) FIRN_MUST_USE;
/* Deleting what is not there is success. */
firn_rc firn_storage_delete(firn_storage *storage, const char *location,
                            firn_err *err) FIRN_MUST_USE;

typedef struct firn_storage_object {
    const char *location;
    int64_t size_bytes;
    int64_t modified_us;
} firn_storage_object;
/* Every object whose location starts with prefix (recursive), sorted by location, told in the words of the
 * question: "file:/a/" lists "file:/a/...", through aliases too. The prefix is text, as in object stores: end it
 * with "/" to list a folder. A prefix that does not exist lists as empty. Folders are no objects; linked folders
 * are not entered; temporary files of unfinished puts are left out. */
firn_rc firn_storage_list(firn_storage *storage, firn_arena *arena, const char *prefix,
                          firn_storage_object **objects, size_t *n, firn_err *err) FIRN_MUST_USE;

/* The engine writes data files itself, under a location that it asks for here. `prepare_dir` makes the
 * folder (no-op on object stores); `sync` makes files that another writer has just closed durable, with
 * the folders above them up to `root` (no-op on object stores). */
firn_rc firn_storage_prepare_dir(firn_storage *storage, const char *location,
                                 firn_err *err) FIRN_MUST_USE;
firn_rc firn_storage_sync(firn_storage *storage, const char *root, const char *const *locations,
                          size_t n, firn_err *err) FIRN_MUST_USE;

/* The object `from` under the name `to`, replacing what is there; whole or not at all. Local files are copied in pieces and are
 * durable after firn_storage_sync; others go through memory, up to 1 GiB. */
firn_rc firn_storage_copy(firn_storage *storage, const char *from, const char *to,
                          firn_err *err) FIRN_MUST_USE;

/* Where the engine opens the object: aliases applied, "file://" stripped to a plain path, others as they are. */
char *firn_storage_resolve(const firn_storage *storage, firn_arena *arena, const char *location);
/* The canonical location of a local path: "file:///abs/path"; URIs unchanged. */
char *firn_location_of_path(firn_arena *arena, const char *path);
char *firn_location_join(firn_arena *arena, const char *base, const char *name);

/* ---- drivers ---------------------------------------------------------------------------------- */

/* A driver implements one scheme; all functions get resolved locations. Contracts as above. */
typedef struct firn_storage_driver {
    const char *scheme; /* "file", "s3" */
    void *ctx;
    firn_rc (*get)(void *ctx, firn_arena *arena, const char *location, int64_t offset,
                   int64_t length /* -1: all */, size_t max_bytes, firn_bytes *out, firn_err *err);
    firn_rc (*size)(void *ctx, const char *location, int64_t *size_bytes, firn_err *err);
    firn_rc (*put)(void *ctx, const char *location, firn_bytes content, bool if_absent,
                   firn_err *err);
    firn_rc (*remove)(void *ctx, const char *location, firn_err *err);
    firn_rc (*list)(void *ctx, firn_arena *arena, const char *prefix, firn_storage_object **objects,
                    size_t *n, firn_err *err);
    firn_rc (*prepare_dir)(void *ctx, const char *location, firn_err *err);
    firn_rc (*sync)(void *ctx, const char *root, const char *const *locations, size_t n,
                    firn_err *err);
    void (*release)(void *ctx);
} firn_storage_driver;

/* Adds or replaces the driver of a scheme; the storage releases it. */
void firn_storage_set_driver(firn_storage *storage, const firn_storage_driver *driver);

/* ---- faults, for tests ------------------------------------------------------------------------ */

/* Every storage operation, SQLite commit step and named point of a commit calls firn_fault_point. Driven
 * by the environment so that whole processes can be tested:
 *   FIRN_FAULT_FAIL=N[+][:code]  the N-th mutating operation of the process fails ('+': and all after it);
 *                              codes: io (the default), nospace, readonly, unknown
 *   FIRN_FAULT_KILL=name[:N]   raise SIGKILL at the N-th passage of the named point
 *   FIRN_FAULT_COUNT=file      append the number of operations and the names of points passed, at exit
 * Costs one branch when none is set. `name` is the point ("storage.fsync"), `what` the file or table, for the
 * message. Any thread. */
firn_rc firn_fault_point(const char *name, const char *what, firn_err *err) FIRN_MUST_USE;
/* Read the environment again and start counting from zero: for tests that loop inside one process. */
void firn_fault_reload(void);

#endif
