/* What the terminal can do, and writing to it or to what stands in for it. */
#include "output.h"

#include <errno.h>
#include <poll.h>
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

/* Why an earlier write failed, of which nothing is left to be flushed: what errno says may be of another call since. */
static int earlier_error(FILE *file, int left)
{
    struct pollfd fd = {.fd = fileno(file), .events = POLLOUT};
    if (left == EPIPE || (poll(&fd, 1, 0) == 1 && (fd.revents & POLLERR) != 0)) {
        return EPIPE; /* of a pipe: its reader has left */
    }
    return left == ENOSPC || left == EDQUOT || left == EFBIG ? left : EIO;
}

firn_rc firn_output_flush(FILE *file, firn_err *err)
{
    int left = errno;
    errno = 0;
    if (fflush(file) == 0 && !ferror(file)) {
        return FIRN_OK;
    }
    int why = errno != 0 ? errno : earlier_error(file, left);
    if (why == EPIPE) {
        FIRN_FAIL(err, FIRN_E_CANCELLED, "nobody reads the output any more");
    }
    return firn_err_errno(err, __FILE__, __LINE__, why, "cannot write the output");
}
