/* The rooms of the folder tree, for each other:
 *
 *   tree_plan.c      the files that the tree should have, from the table's metadata
 *   tree_walk.c      the files that it has; which of them are the wanted ones
 *   tree_file.c      one file into place: link, copy, or rows written anew
 *   tree_apply.c     one folder after the other brought to what it should be
 *   tree_metadata.c  _metadata.json
 *   tree.c           all together
 *
 * Invariants, which tests cite:
 *   1. A name that readers take (*.parquet) appears in the tree with its whole content, by link() or rename().
 *   2. A folder that loses files and gains others is exchanged in one step, or loses them first.
 *   3. Nothing that readers might take is built inside the tree: DuckDB's "**" looks into hidden folders, too. It is built in the stage,
 *      .firn/export/tmp/<feed>/, where only the holder of the feed's lock works; what lies there at the start is left over.
 *   4. A file on disk is the wanted one when it is the same inode (links), or has the modification time that a copy of that file gets:
 *      the source's second, and for nanoseconds a fingerprint of what it was made of (the file, its deletes, the folder).
 *   5. Folders that were exchanged out stay in the stage until the next sync (or firn_tree_purge): a reader that has just opened
 *      one would find it emptied, and take that for a day without rows.
 */
#ifndef EXPORT_TREE_PRIVATE_H
#define EXPORT_TREE_PRIVATE_H

#include "export/tree.h"

#include "base/map.h"
#include "base/vec.h"

#include <sys/stat.h>
#include <time.h>

typedef struct tree_folder tree_folder;
typedef struct tree_entry tree_entry;

/* A file that the tree should have. */
typedef struct tree_item {
    const char *location; /* of the data file, as the table has it */
    const char *path;     /* the same on this machine; NULL: it is in an object store */
    struct stat st;       /* of path */
    const firn_snapshot *snapshot;
    bool rewrite; /* cannot be linked: deleted rows, columns of the folders, several partitions */
    bool
        by_table; /* its rows are read by the table (deletes, partitions), not from the file alone */
    const char *where;   /* SQL over the folders' columns; nullable */
    unsigned columns;    /* those of the folders that the file has: a bit each */
    int64_t rows, bytes; /* of the tree's file; rows -1: not known yet */
    int64_t time_us;
    struct timespec stamp; /* modification time of a copy */
    tree_folder *folder;
    tree_entry *entry; /* on disk; NULL: not yet */
} tree_item;

/* A file that the tree has. */
struct tree_entry {
    const char *name;
    struct stat st;
    bool ours; /* by its name: *.parquet, or what a killed process left unfinished */
    tree_item *item;
    tree_folder *folder;
    tree_entry *next; /* of the same inode or time */
};

struct tree_folder {
    const char *relative; /* "year=2025/month=01"; "": the feed's own */
    bool exists;
    bool has_folders; /* below it */
    mode_t mode;
    FIRN_VEC(tree_item *) items;
    FIRN_VEC(tree_entry *) entries;
    firn_map *names; /* "data_20250115_120000" -> the next number */
};

typedef struct tree {
    firn_session *session;
    firn_arena *arena;
    firn_lake *lake;
    const firn_export_feed *feed;
    const firn_tree_clean *clean; /* nullable */
    firn_ident ident;
    const firn_metadata *metadata;
    const char *root;  /* absolute */
    const char *stage; /* absolute */
    bool can_exchange; /* stage and tree are on one file system, which knows how */
    mode_t folder_mode, file_mode;
    int64_t now_us;
    int64_t n_staged; /* numbers of names in the stage */
    firn_map *by_relative;
    FIRN_VEC(tree_folder *) folders;
    FIRN_VEC(tree_item *) items;
    bool by_tags;           /* versions: one folder per tag */
    const char *newest_tag; /* "v4" */
    int64_t n_tags;
    firn_tree_result *result;
} tree;

/* Tests: behave as on a file system without links, or without RENAME_EXCHANGE. */
extern bool firn_tree_without_links, firn_tree_without_exchange;

/* ---- tree.c ------------------------------------------------------------------------------------------- */

tree_folder *firn_tree_folder(tree *t, const char *relative); /* made if it is not known */
char *firn_tree_path(const tree *t, const char *relative);    /* absolute */
/* Empties the stage: what killed runs left and what was exchanged out. */
firn_rc firn_tree_purge(firn_lake *lake, const firn_export_feed *feed, firn_err *err) FIRN_MUST_USE;
firn_ident firn_export_ident(firn_arena *arena, const char *dotted); /* "streams.payments" */
/* "v12" is 12; anything else 0. */
int64_t firn_version_number(const char *tag);

/* SQL for the session. */
char *firn_tree_quote(firn_arena *arena, const char *text);
char *firn_tree_name(firn_arena *arena, const char *name);
typedef void (*firn_tree_row_fn)(void *ctx, const char *const *cells);
char *firn_tree_file_sql(firn_arena *arena, const char *path); /* as read_parquet takes it */
firn_rc firn_tree_query(firn_session *session, const char *sql, firn_tree_row_fn on_row, void *ctx,
                        firn_err *err) FIRN_MUST_USE;

/* The session is on the feed's branch inside, and back on its own afterwards. */
firn_rc firn_export_on_ref(firn_session *session, const firn_export_feed *feed,
                           firn_rc (*work)(void *ctx, firn_err *err), void *ctx,
                           firn_err *err) FIRN_MUST_USE;

/* ---- the others ----------------------------------------------------------------------------------------- */

firn_rc firn_tree_plan(tree *t, firn_err *err) FIRN_MUST_USE;
firn_rc firn_tree_walk(tree *t, firn_err *err) FIRN_MUST_USE;
/* Pairs items and entries; looks into the files that have none yet. */
firn_rc firn_tree_match(tree *t, firn_err *err) FIRN_MUST_USE;
firn_rc firn_tree_apply(tree *t, firn_err *err) FIRN_MUST_USE;
/* The item's file as dir/name, durable but for the folder's entry. */
firn_rc firn_tree_place(tree *t, tree_item *item, const char *dir, const char *name,
                        firn_err *err) FIRN_MUST_USE;
firn_rc firn_tree_sync_dir(const char *path, firn_err *err) FIRN_MUST_USE;
firn_rc firn_tree_metadata_write(tree *t, firn_err *err) FIRN_MUST_USE;

#endif
