/* The two halves of expiry, for each other:
 *
 *   expire_choose.c  which snapshots and refs of a table go, by its rules; no I/O
 *   expire_files.c   which files then have nobody any more, and their deletion
 *   expire.c         choose, commit, delete
 */
#ifndef MAINTAIN_EXPIRE_H
#define MAINTAIN_EXPIRE_H

#include "path_set.h"

#include "maintain/maintain.h"

#include "base/map.h"
#include "catalog/keep.h"

/* ---- which snapshots --------------------------------------------------------------------------- */

typedef struct firn_expire_rules {
    int64_t now_ms;
    int64_t older_than_ms; /* only snapshots before that go */
    int64_t keep_last;     /* of each branch */
    int64_t max_ref_age_ms;
} firn_expire_rules;
typedef struct firn_expire_choice {
    FIRN_VEC(int64_t) snapshots;
    FIRN_VEC(const char *) refs; /* of the table, over their age */
    FIRN_VEC(const char *) kept_by;
} firn_expire_choice;

/* The rules of a table (history.expire.*) as far as the options leave them to it. */
firn_expire_rules firn_expire_rules_of(const firn_metadata *metadata,
                                       const firn_expire_options *options, int64_t now_ms);
/* `pinned` (nullable): snapshot ids that another ref of the catalog has; they stay. `only` (nullable): ids that may go. */
void firn_expire_choose(firn_arena *arena, const firn_metadata *metadata,
                        const firn_expire_rules *rules, const firn_imap *pinned,
                        const firn_imap *only, firn_expire_choice *out);

/* ---- which files ------------------------------------------------------------------------------- */

typedef struct firn_kept_manifest {
    const firn_manifest_file *file;
    const firn_metadata *metadata; /* that it is read with */
} firn_kept_manifest;

/* Candidates are what snapshots that go reach; whatever stays takes its files out again, in any order and as often as one likes. */
typedef struct firn_expire_files {
    firn_storage *storage;
    firn_manifest_cache *cache;
    firn_arena *arena;
    const firn_metadata *metadata; /* that the manifests are read with */
    firn_own_folders folders;
    firn_map *manifests;                      /* path -> firn_manifest_file, candidates */
    firn_path_set content, metadata_files;    /* data and delete files; lists and statistics */
    FIRN_VEC(const char *) lists;             /* and statistics files, that may go */
    firn_path_set lists_seen, manifests_seen; /* of what stays */
    FIRN_VEC(firn_kept_manifest) kept;        /* not opened yet */
    bool settled;
    int64_t foreign;      /* files elsewhere, which stay */
    int64_t files, bytes; /* that go */
    int64_t failed;       /* of them, could not be deleted */
    const char *failure;  /* why; of the first */
} firn_expire_files;

void firn_expire_files_init(firn_expire_files *files, firn_catalog *catalog, firn_arena *arena,
                            const firn_metadata *metadata);
void firn_expire_files_deinit(firn_expire_files *files);
/* The snapshots' files may go. What cannot be read any more is passed over. */
firn_rc firn_expire_files_add(firn_expire_files *files, const int64_t *snapshots, size_t n,
                              firn_err *err) FIRN_MUST_USE;
/* Whatever this state of the table reaches stays, but for the `except`ed snapshots (nullable). Both live as long as the files. */
firn_rc firn_expire_files_keep(firn_expire_files *files, const firn_metadata *state,
                               const firn_imap *except, firn_err *err) FIRN_MUST_USE;
/* Before delete, after the last keep. */
firn_rc firn_expire_files_settle(firn_expire_files *files, firn_err *err) FIRN_MUST_USE;
/* Count what is left, and delete it unless dry_run. Ends the life of the candidates. */
firn_rc firn_expire_files_delete(firn_expire_files *files, bool dry_run,
                                 firn_err *err) FIRN_MUST_USE;

#endif
