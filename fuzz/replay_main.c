/*
 * replay_main.c - runs a fuzz target over a stored corpus, without libFuzzer.
 *
 * Usage: NAME_replay FILE_OR_FOLDER...
 *
 * Every regular file named, or lying directly in a named folder, is read whole and handed to
 * LLVMFuzzerTestOneInput. Inputs are copied into a heap block of their exact size, so that a
 * sanitizer sees a read one byte past the end. A corpus without a single input is an error: a
 * replay that replays nothing must not pass.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned replayed_count;

static void die(const char *what, const char *path)
{
    fprintf(stderr, "replay: cannot %s %s: %s\n", what, path, strerror(errno));
    exit(1);
}

static void replay_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        die("open", path);

    uint8_t *data = malloc(size ? size : 1);
    if (!data)
        die("hold", path);
    if (fread(data, 1, size, file) != size)
        die("read", path);
    fclose(file);

    /* Said before, not after: the last line names the culprit of a crash. */
    fprintf(stderr, "replay %s (%zu bytes)\n", path, size);
    LLVMFuzzerTestOneInput(data, size);
    replayed_count++;
    free(data);
}

static void replay_path(const char *path, bool descend);

static void replay_folder(const char *path)
{
    struct dirent **entries;
    int entry_count = scandir(path, &entries, NULL, alphasort);
    if (entry_count < 0)
        die("list", path);

    for (int i = 0; i < entry_count; i++) {
        if (entries[i]->d_name[0] != '.') {
            char *child;
            if (asprintf(&child, "%s/%s", path, entries[i]->d_name) < 0)
                die("hold the name of", path);
            replay_path(child, false);
            free(child);
        }
        free(entries[i]);
    }
    free(entries);
}

static void replay_path(const char *path, bool descend)
{
    struct stat status;
    if (stat(path, &status) != 0)
        die("find", path);
    if (S_ISREG(status.st_mode))
        replay_file(path, (size_t)status.st_size);
    else if (S_ISDIR(status.st_mode) && descend)
        replay_folder(path);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        replay_path(argv[i], true);

    if (replayed_count == 0) {
        fprintf(stderr, "replay: no input found; name a corpus folder that holds some\n");
        return 1;
    }
    printf("%u inputs replayed\n", replayed_count);
    return 0;
}
