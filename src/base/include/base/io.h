/* Whole local files, for configuration, reports and tests. Table data goes through storage/. */
#ifndef BASE_IO_H
#define BASE_IO_H

#include "base/buf.h"

#include <sys/types.h>

/* Read a regular file of at most `max_bytes`; the result carries a NUL after the last byte. */
firn_rc firn_file_read(firn_arena *arena, const char *path, size_t max_bytes, firn_bytes *out,
                       firn_err *err) FIRN_MUST_USE;
/* Write to a temporary name beside, fsync, rename over `path`, fsync the folder. */
firn_rc firn_file_write_atomic(const char *path, firn_bytes content, mode_t mode,
                               firn_err *err) FIRN_MUST_USE;
/* Durably; what is not there is success. */
firn_rc firn_file_remove(const char *path, firn_err *err) FIRN_MUST_USE;
/* All of it to an open file; `path` is for the message. */
firn_rc firn_fd_write(int fd, firn_bytes content, const char *path, firn_err *err) FIRN_MUST_USE;
firn_rc firn_mkdir_p(const char *path, mode_t mode, firn_err *err) FIRN_MUST_USE;
bool firn_path_exists(const char *path);
bool firn_path_is_dir(const char *path);
/* Names of what lies in a folder and ends so, without the ending, sorted; hidden ones are left out. A folder that is not there is empty. */
firn_rc firn_dir_names(firn_arena *arena, const char *path, const char *ending, char ***out,
                       size_t *n, firn_err *err) FIRN_MUST_USE;
char *firn_path_join(firn_arena *arena, const char *dir, const char *name);
char *firn_path_dirname(firn_arena *arena, const char *path);
const char *firn_path_basename(const char *path);
/* Absolute form without "." and "..", by text (the path need not exist). */
char *firn_path_absolute(firn_arena *arena, const char *path);

#endif
