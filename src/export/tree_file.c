/* One file into its place: a link to the data file, else a copy of it, else its rows written anew.
 *
 * Permissions are set before the name appears, so that nobody reads for a moment what he must not read. A link shares the inode with the
 * data file in the warehouse, which then has the feed's permissions, too.
 */
#include "tree_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

bool firn_tree_without_links;

firn_rc firn_tree_sync_dir(const char *path, firn_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot open folder %s", path);
    }
    int why = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    if (why != 0 && why != EINVAL) {
        return firn_err_errno(err, __FILE__, __LINE__, why,
                              "cannot make the entries of folder %s durable", path);
    }
    return FIRN_OK;
}

/* ---- links -------------------------------------------------------------------------------------------------- */

/* What says that this file cannot be linked here, while it may well be copied. */
static bool links_are_not_possible(int why)
{
    return why == EXDEV || why == EPERM || why == EACCES || why == EMLINK || why == ENOSYS ||
           why == EOPNOTSUPP;
}

static firn_rc link_file(tree *t, const tree_item *item, const char *target, bool *done,
                         firn_err *err)
{
    *done = false;
    if (firn_tree_without_links) {
        return FIRN_OK;
    }
    if ((item->st.st_mode & 07777) != t->file_mode && chmod(item->path, t->file_mode) != 0) {
        return FIRN_OK; /* somebody else's file: a copy can have the right mode */
    }
    if (link(item->path, target) == 0) {
        *done = true;
        return FIRN_OK;
    }
    return links_are_not_possible(errno)
               ? FIRN_OK
               : firn_err_errno(err, __FILE__, __LINE__, errno, "cannot link %s to %s", target,
                                item->path);
}

/* ---- copies and rows written anew ------------------------------------------------------------------------------ */

/* The rows of the file, without the columns of the folders. */
static const char *select_sql(const tree *t, const tree_item *item)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    if (!item->by_table) {
        firn_buf_puts(&out, "SELECT * EXCLUDE (");
        const char *comma = "";
        for (size_t i = 0; i < t->feed->n_columns; i++) {
            if (item->columns & (1U << i)) {
                firn_buf_printf(&out, "%s%s", comma, firn_tree_name(t->arena, t->feed->columns[i]));
                comma = ", ";
            }
        }
        firn_buf_printf(&out, ") FROM read_parquet(%s, hive_partitioning = false)",
                        firn_tree_file_sql(t->arena, item->path));
        return firn_arena_strdup(t->arena, firn_buf_cstr(&out));
    }
    const firn_schema *schema = firn_metadata_schema(t->metadata, item->snapshot->schema_id);
    schema = schema != NULL ? schema : t->metadata->schema;
    const char *separator = "SELECT ";
    for (size_t i = 0; i < schema->root.n_fields; i++) {
        const char *name = schema->root.fields[i].name;
        bool of_folder = false;
        for (size_t k = 0; k < t->feed->n_columns; k++) {
            of_folder = of_folder || firn_strcaseeq(name, t->feed->columns[k]);
        }
        if (!of_folder) {
            firn_buf_printf(&out, "%s%s", separator, firn_tree_name(t->arena, name));
            separator = ", ";
        }
    }
    firn_buf_printf(&out, " FROM %s AT (VERSION => %" PRId64 ") WHERE _file = %s%s%s",
                    firn_ident_text(t->arena, t->ident), item->snapshot->snapshot_id,
                    firn_tree_quote(t->arena, item->location), item->where != NULL ? " AND " : "",
                    item->where != NULL ? item->where : "");
    return firn_arena_strdup(t->arena, firn_buf_cstr(&out));
}

static firn_rc write_anew(tree *t, tree_item *item, const char *temp, firn_err *err)
{
    const char *codec = t->feed->compression != NULL ? t->feed->compression : "snappy";
    const char *sql =
        firn_arena_printf(t->arena, "COPY (%s) TO %s (FORMAT parquet, COMPRESSION %s)",
                          select_sql(t, item), firn_tree_quote(t->arena, temp), codec);
    int64_t rows = 0;
    firn_rc rc = firn_session_exec(t->session, sql, &rows, err);
    if (rc != FIRN_OK) {
        return firn_err_wrap(err, rc, "writing the rows of %s for the folders of feed %s",
                             item->location, t->feed->name);
    }
    item->rows = rows;
    t->result->rewritten++;
    return FIRN_OK;
}

/* Mode, time and durability: all that the file must have before it gets its name. */
static firn_rc finish(const tree *t, tree_item *item, const char *temp, firn_err *err)
{
    const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, item->stamp};
    struct stat st;
    int fd = open(temp, O_RDONLY | O_CLOEXEC);
    bool fine = fd >= 0 && fchmod(fd, t->file_mode) == 0 && futimens(fd, times) == 0 &&
                fsync(fd) == 0 && fstat(fd, &st) == 0;
    int why = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (!fine) {
        return firn_err_errno(err, __FILE__, __LINE__, why, "cannot finish %s", temp);
    }
    item->bytes = st.st_size;
    return FIRN_OK;
}

static firn_rc copy_file(tree *t, tree_item *item, const char *dir, const char *target,
                         firn_err *err)
{
    /* Beside the target only where the stage is on another file system: under a name that no reader takes. */
    const char *temp =
        t->can_exchange
            ? firn_arena_printf(t->arena, "%s/%" PRId64 ".tmp", t->stage, t->n_staged++)
            : firn_arena_printf(t->arena, "%s/.firn-%" PRId64 ".tmp", dir, t->n_staged++);
    firn_rc rc = item->rewrite ? write_anew(t, item, temp, err)
                               : firn_storage_copy(firn_lake_storage(t->lake), item->location,
                                                   firn_location_of_path(t->arena, temp), err);
    rc = rc == FIRN_OK ? finish(t, item, temp, err) : rc;
    if (rc == FIRN_OK && rename(temp, target) != 0) {
        rc = firn_err_errno(err, __FILE__, __LINE__, errno, "cannot move %s to %s", temp, target);
    }
    if (rc != FIRN_OK) {
        unlink(temp);
        return rc;
    }
    t->result->copied += item->rewrite ? 0 : 1;
    return FIRN_OK;
}

firn_rc firn_tree_place(tree *t, tree_item *item, const char *dir, const char *name, firn_err *err)
{
    const char *target = firn_arena_printf(t->arena, "%s/%s", dir, name);
    bool done = false;
    FIRN_TRY(firn_fault_point("tree.link", target, err));
    if (item->path != NULL && !item->rewrite) {
        FIRN_TRY(link_file(t, item, target, &done, err));
        item->bytes = item->st.st_size;
    }
    if (!done) {
        FIRN_TRY(copy_file(t, item, dir, target, err));
    }
    t->result->added++;
    return FIRN_OK;
}
