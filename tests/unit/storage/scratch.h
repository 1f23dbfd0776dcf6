/* A folder of its own for each test, removed afterwards; and a look at what is really on disk. */
#ifndef TESTS_STORAGE_SCRATCH_H
#define TESTS_STORAGE_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline char *scratch_new(void)
{
    const char *tmp = getenv("TMPDIR");
    char *path = NULL;
    if (asprintf(&path, "%s/firn-storage-XXXXXX", tmp ? tmp : "/tmp") < 0 || !mkdtemp(path)) {
        perror("scratch folder");
        abort();
    }
    return path;
}

static inline int scratch_unlink(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline void scratch_free(char *path)
{
    nftw(path, scratch_unlink, 16, FTW_DEPTH | FTW_PHYS);
    free(path);
}

static int scratch_files; /* nftw has no context argument */

static inline int scratch_count_one(const char *path, const struct stat *st, int type,
                                    struct FTW *ftw)
{
    (void)path, (void)st, (void)ftw;
    scratch_files += type == FTW_F;
    return 0;
}

/* Every file below path, temporary ones too. */
static inline int scratch_count(const char *path)
{
    scratch_files = 0;
    nftw(path, scratch_count_one, 16, FTW_PHYS);
    return scratch_files;
}

#endif
