/* What the terminal can do, and writing to it or to what stands in for it. */
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

bool firn_term_is(FILE *file)
{
    int fd = fileno(file);
    return fd >= 0 && isatty(fd) == 1;
}

bool firn_term_colours(FILE *file)
{
    const char *refused = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool wanted = (refused == NULL || refused[0] == '\0') && term != NULL &&
                  !firn_streq(term, "dumb") && !firn_streq(term, "");
    return wanted && firn_term_is(file);
}

int firn_term_columns(FILE *file)
{
    struct winsize size;
    if (!firn_term_is(file)) {
        return 0;
    }
    if (ioctl(fileno(file), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return 80;
    }
    return size.ws_col;
}

static const char *escape(FILE *file, const char *sequence)
{
    return firn_term_colours(file) ? sequence : "";
}

const char *firn_term_bold(FILE *file)
{
    return escape(file, "\x1b[1m");
}

const char *firn_term_dim(FILE *file)
{
    return escape(file, "\x1b[2m");
}

const char *firn_term_red(FILE *file)
{
    return escape(file, "\x1b[31m");
}

const char *firn_term_green(FILE *file)
{
    return escape(file, "\x1b[32m");
}

const char *firn_term_yellow(FILE *file)
{
    return escape(file, "\x1b[33m");
}

const char *firn_term_plain(FILE *file)
{
    return escape(file, "\x1b[0m");
}

firn_rc firn_output_flush(FILE *file, firn_err *err)
{
    errno = 0;
    if (fflush(file) == 0 && !ferror(file)) {
        return FIRN_OK;
    }
    if (errno == EPIPE) {
        FIRN_FAIL(err, FIRN_E_CANCELLED, "nobody reads the output any more");
    }
    return firn_err_errno(err, __FILE__, __LINE__, errno != 0 ? errno : EIO,
                          "cannot write the output");
}
