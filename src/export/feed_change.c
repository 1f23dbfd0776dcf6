/* Changing feeds: adding, updating, archiving, restoring.
 *
 * Invariants:
 * 1. A file is written whole or not at all, and only after it has been checked as it will be read.
 * 2. A move writes the new file, durably, before it removes the old one. In between the feed is in both folders and the active file
 *    counts: archiving has then not happened yet, restoring has. The same command again does what is left.
 * 3. One process changes feeds at a time (the lock ".feeds", which is no feed's name), so that no change is lost.
 */
#include "feed_files.h"

#include "base/io.h"
#include "base/time.h"
#include "export/lock.h"
#include "storage/storage.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOCK_WAIT_MS = 10000, FILE_MODE = 0644, DIR_MODE = 0755 };

static void unlock(firn_export_lock *lock)
{
    firn_export_lock_drop(lock);
}

#define AUTO_LOCK __attribute__((cleanup(unlock))) firn_export_lock

/* What writers left that were killed. Nobody writes here but who holds the lock. */
static void sweep(firn_lake *lake, firn_arena *arena, bool archived)
{
    const char *folder = firn_export_feeds_dir(lake, arena, archived);
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        if (firn_starts_with(entry->d_name, ".firn-tmp-")) {
            unlink(firn_path_join(arena, folder, entry->d_name));
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

static firn_rc lock_feeds(firn_lake *lake, firn_arena *arena, firn_export_lock *out, firn_err *err)
{
    firn_rc rc = firn_export_lock_take(lake, ".feeds", LOCK_WAIT_MS, out, err);
    if (rc == FIRN_E_BUSY) {
        FIRN_FAIL(
            err, FIRN_E_BUSY,
            "another process has been changing feeds for %d seconds; try again when it is done",
            LOCK_WAIT_MS / 1000);
    }
    FIRN_TRY(rc);
    sweep(lake, arena, false);
    sweep(lake, arena, true);
    return FIRN_OK;
}

/* ---- files --------------------------------------------------------------------------------------------- */

static firn_rc read_json(firn_arena *arena, const char *path, json_t **out, firn_err *err)
{
    firn_bytes text;
    firn_yaml yaml;
    FIRN_TRY(firn_file_read(arena, path, FIRN_EXPORT_FILE_BYTES_MAX, &text, err));
    FIRN_TRY(firn_yaml_of_json(arena, text, path, &yaml, err));
    if (!json_is_object(yaml.root)) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "%s:1: the file must hold an object, {\"key\": value}", path);
    }
    *out = firn_json_own(arena, json_deep_copy(yaml.root));
    return FIRN_OK;
}

static firn_rc write_json(firn_lake *lake, firn_arena *arena, const char *name, bool archived,
                          const json_t *json, firn_err *err)
{
    const char *text = firn_export_feed_text(arena, json);
    const char *path = firn_export_feed_path(lake, arena, name, archived);
    FIRN_TRY(firn_mkdir_p(firn_export_feeds_dir(lake, arena, archived), DIR_MODE, err));
    FIRN_TRY(firn_fault_point("feed.write", path, err));
    return firn_file_write_atomic(path, firn_bytes_str(text), FILE_MODE, err);
}

/* What a check of text that is in no file yet says, without file and line. */
static firn_rc without_place(firn_arena *arena, const char *path, const char *intro, firn_rc rc,
                             firn_err *err)
{
    if (err == NULL || !firn_starts_with(err->message, path)) {
        return rc;
    }
    const char *what = err->message + strlen(path);
    what += strspn(what, ":0123456789 ");
    what = firn_arena_strdup(arena, what);
    return firn_err_set(err, __FILE__, __LINE__, rc, "%s: %s", intro, what);
}

/* As it will be read back from the file. */
static firn_rc check_json(firn_lake *lake, firn_arena *arena, const char *name, bool is_new,
                          const json_t *json, firn_export_feed *out, firn_err *err)
{
    const char *text = firn_export_feed_text(arena, json);
    const char *path = firn_export_feed_path(lake, arena, name, false);
    firn_rc rc = firn_export_feed_parse(arena, firn_bytes_str(text), path, name, out, err);
    const char *intro =
        firn_arena_printf(arena, "feed %s %s", name, is_new ? "was not added" : "stays as it was");
    return rc == FIRN_OK ? FIRN_OK : without_place(arena, path, intro, rc, err);
}

/* The connections that it names are there; later they may go, which the export says. */
static firn_rc check_sources(firn_lake *lake, const firn_export_feed *feed, firn_err *err)
{
    const firn_source_config *ignored = NULL;
    const firn_config *config = firn_lake_config(lake);
    if (feed->server != NULL) {
        FIRN_TRY(firn_source_config_find(config, FIRN_SOURCE_KSQLDB, feed->server, &ignored, err));
    }
    if (feed->kafka != NULL) {
        FIRN_TRY(firn_source_config_find(config, FIRN_SOURCE_KAFKA, feed->kafka, &ignored, err));
    }
    return FIRN_OK;
}

/* ---- adding -------------------------------------------------------------------------------------------- */

static firn_rc check_free(firn_lake *lake, firn_arena *arena, const char *name, firn_err *err)
{
    const char *kafka =
        firn_path_join(arena, firn_lake_path(lake, arena, firn_lake_config(lake)->feeds),
                       firn_arena_printf(arena, "%s.yaml", name));
    if (!firn_export_is_feed_name(name)) {
        FIRN_FAIL(
            err, FIRN_E_INVALID,
            "a feed cannot be called \"%s\": names hold letters, digits, _, . and -, start with "
            "a letter or _, and have %d bytes at most",
            name, FIRN_EXPORT_NAME_BYTES_MAX);
    }
    if (firn_path_exists(firn_export_feed_path(lake, arena, name, false))) {
        FIRN_FAIL(err, FIRN_E_EXISTS,
                  "there is a feed %s already: change it with `firn feed update %s KEY=VALUE`, or "
                  "edit %s",
                  name, name, firn_export_feed_path(lake, arena, name, false));
    }
    if (firn_path_exists(firn_export_feed_path(lake, arena, name, true))) {
        FIRN_FAIL(err, FIRN_E_EXISTS,
                  "there is an archived feed %s: `firn feed restore %s` brings it back", name,
                  name);
    }
    if (firn_path_exists(kafka)) {
        FIRN_FAIL(err, FIRN_E_EXISTS, "there is a feed %s from Kafka: %s; choose another name",
                  name, kafka);
    }
    return FIRN_OK;
}

firn_rc firn_export_folder_make(firn_lake *lake, firn_arena *arena, const firn_export_feed *feed,
                                firn_err *err)
{
    const char *folder = firn_export_folder(lake, arena, feed);
    if (firn_path_is_dir(folder)) {
        return FIRN_OK;
    }
    FIRN_TRY(firn_mkdir_p(firn_path_dirname(arena, folder), DIR_MODE, err));
    FIRN_TRY(firn_mkdir_p(folder, (mode_t)feed->permissions, err));
    if (chmod(folder, (mode_t)feed->permissions) != 0) { /* whatever the umask left of it */
        return firn_err_errno(err, __FILE__, __LINE__, errno, "cannot set permissions of %s",
                              folder);
    }
    return FIRN_OK;
}

firn_rc firn_export_feed_add(firn_lake *lake, firn_arena *arena, const char *name,
                             const json_t *json, firn_export_feed *out, firn_err *err)
{
    AUTO_LOCK lock = {.fd = -1};
    FIRN_TRY(lock_feeds(lake, arena, &lock, err));
    FIRN_TRY(check_free(lake, arena, name, err));
    FIRN_TRY(check_json(lake, arena, name, true, json, out, err));
    FIRN_TRY(check_sources(lake, out, err));
    FIRN_TRY(firn_export_folder_make(lake, arena, out, err));
    return write_json(lake, arena, name, false, json, err);
}

/* ---- changing ------------------------------------------------------------------------------------------ */

static firn_rc check_changes(const char *name, const firn_export_change *changes, size_t n,
                             firn_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (firn_streq(changes[i].key, "feed_name")) {
            FIRN_FAIL(
                err, FIRN_E_INVALID,
                "feed_name of %s cannot be changed: it is the name of the file, of the folders "
                "and of the table's offsets; archive the feed and add another",
                name);
        }
    }
    return FIRN_OK;
}

/* A feed whose server is gone can still be disabled. */
static bool names_source(const firn_export_change *changes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (firn_streq(changes[i].key, "server") || firn_streq(changes[i].key, "kafka")) {
            return true;
        }
    }
    return false;
}

firn_rc firn_export_feed_change(firn_lake *lake, firn_arena *arena, const char *name,
                                const firn_export_change *changes, size_t n, firn_export_feed *out,
                                firn_err *err)
{
    AUTO_LOCK lock = {.fd = -1};
    bool archived = false;
    json_t *json = NULL;
    FIRN_TRY(lock_feeds(lake, arena, &lock, err));
    FIRN_TRY(firn_export_feed_find(lake, arena, name, &archived, err));
    if (archived) {
        FIRN_FAIL(err, FIRN_E_INVALID, "feed %s is archived; `firn feed restore %s` comes first",
                  name, name);
    }
    FIRN_TRY(check_changes(name, changes, n, err));
    const char *path = firn_export_feed_path(lake, arena, name, false);
    FIRN_TRY(read_json(arena, path, &json, err));
    const json_t *before = firn_json_own(arena, json_deep_copy(json));
    for (size_t i = 0; i < n; i++) {
        FIRN_TRY(firn_export_json_change(arena, json, &changes[i], err));
    }
    FIRN_TRY(check_json(lake, arena, name, false, json, out, err));
    if (names_source(changes, n)) {
        FIRN_TRY(check_sources(lake, out, err));
    }
    return json_equal(json, before) ? FIRN_OK : write_json(lake, arena, name, false, json, err);
}

/* ---- moving -------------------------------------------------------------------------------------------- */

/* Both files are of one feed when they were made at the same time: then a move was cut off. */
static firn_rc check_target(firn_lake *lake, firn_arena *arena, const char *name, bool archived,
                            const json_t *json, firn_err *err)
{
    const char *path = firn_export_feed_path(lake, arena, name, archived);
    json_t *other = NULL;
    if (!firn_path_exists(path)) {
        return FIRN_OK;
    }
    FIRN_TRY(read_json(arena, path, &other, err));
    const json_t *here = json_object_get(json, "created_at");
    const json_t *there = json_object_get(other, "created_at");
    if (here != there && (here == NULL || there == NULL || !json_equal(here, there))) {
        FIRN_FAIL(err, FIRN_E_EXISTS, "%s is another feed of that name; move it away first", path);
    }
    return FIRN_OK;
}

static firn_rc move(firn_lake *lake, firn_arena *arena, const char *name, bool to_archived,
                    firn_err *err)
{
    json_t *json = NULL;
    const char *from = firn_export_feed_path(lake, arena, name, !to_archived);
    FIRN_TRY(read_json(arena, from, &json, err));
    FIRN_TRY(check_target(lake, arena, name, to_archived, json, err));
    const firn_export_change enabled = {"enabled", to_archived ? json_false() : json_true()};
    FIRN_TRY(firn_export_json_change(arena, json, &enabled, err));
    FIRN_TRY(write_json(lake, arena, name, to_archived, json, err));
    FIRN_TRY(firn_fault_point("feed.copied", from, err));
    return firn_file_remove(from, err);
}

firn_rc firn_export_feed_archive(firn_lake *lake, firn_arena *arena, const char *name,
                                 firn_err *err)
{
    AUTO_LOCK lock = {.fd = -1};
    bool archived = false;
    FIRN_TRY(lock_feeds(lake, arena, &lock, err));
    FIRN_TRY(firn_export_feed_find(lake, arena, name, &archived, err));
    if (archived) {
        FIRN_FAIL(err, FIRN_E_EXISTS, "feed %s is archived already: %s", name,
                  firn_export_feed_path(lake, arena, name, true));
    }
    return move(lake, arena, name, true, err);
}

firn_rc firn_export_feed_restore(firn_lake *lake, firn_arena *arena, const char *name,
                                 firn_export_feed *out, firn_err *err)
{
    AUTO_LOCK lock = {.fd = -1};
    bool archived = false;
    FIRN_TRY(lock_feeds(lake, arena, &lock, err));
    FIRN_TRY(firn_export_feed_find(lake, arena, name, &archived, err));
    const char *left = firn_export_feed_path(lake, arena, name, true);
    if (!archived && !firn_path_exists(left)) {
        FIRN_FAIL(err, FIRN_E_EXISTS, "feed %s is not archived: %s", name,
                  firn_export_feed_path(lake, arena, name, false));
    }
    if (!archived) { /* an earlier restore was cut off */
        json_t *json = NULL;
        FIRN_TRY(read_json(arena, firn_export_feed_path(lake, arena, name, false), &json, err));
        FIRN_TRY(check_target(lake, arena, name, true, json, err));
        FIRN_TRY(firn_file_remove(left, err));
        return firn_export_feed_read(lake, arena, name, false, out, err);
    }
    FIRN_TRY(
        firn_export_feed_read(lake, arena, name, true, out, err)); /* no broken one comes back */
    FIRN_TRY(move(lake, arena, name, false, err));
    return firn_export_feed_read(lake, arena, name, false, out, err);
}
