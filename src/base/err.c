/* Errors: the code table, message formatting with truncation, and the mapping of errno values.
 *
 * Messages are formatted into a buffer of their own first, because the arguments may point into the very
 * firn_err that is being filled ("cannot X: %s", err->message).
 */
#include "base/err.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct rc_info {
    const char *name;
    const char *sqlstate;
    int http_status;
    const char *iceberg_type;
} rc_info;

static const rc_info rc_infos[] = {
#define RC_INFO(name, sqlstate, http, iceberg) [FIRN_E_##name] = {#name, sqlstate, http, iceberg},
    FIRN_RC_TABLE(RC_INFO)
#undef RC_INFO
};

static const rc_info *info_of(firn_rc code)
{
    assert((unsigned)code < FIRN_RC_COUNT);
    return &rc_infos[code];
}

const char *firn_rc_name(firn_rc code)
{
    return info_of(code)->name;
}

const char *firn_rc_sqlstate(firn_rc code)
{
    return info_of(code)->sqlstate;
}

int firn_rc_http_status(firn_rc code)
{
    return info_of(code)->http_status;
}

const char *firn_rc_iceberg_type(firn_rc code)
{
    return info_of(code)->iceberg_type;
}

/* Put "..." over the end of a full buffer without leaving half of a UTF-8 sequence before it. */
static void mark_truncated(char text[FIRN_ERR_MESSAGE_BYTES])
{
    size_t cut = FIRN_ERR_MESSAGE_BYTES - sizeof("...");
    while (cut > 0 && ((unsigned char)text[cut] & 0xC0) == 0x80) {
        cut--;
    }
    memcpy(text + cut, "...", sizeof("..."));
}

FIRN_PRINTF(2, 0)
static void format_message(char out[FIRN_ERR_MESSAGE_BYTES], const char *fmt, va_list args)
{
    int wanted = vsnprintf(out, FIRN_ERR_MESSAGE_BYTES, fmt, args);
    if (wanted < 0) {
        memcpy(out, "(unprintable error)", sizeof("(unprintable error)"));
    } else if (wanted >= FIRN_ERR_MESSAGE_BYTES) {
        mark_truncated(out);
    }
}

static void append_message(char out[FIRN_ERR_MESSAGE_BYTES], const char *text)
{
    size_t len = strlen(out);
    size_t room = FIRN_ERR_MESSAGE_BYTES - len;
    if (strlen(text) < room) {
        memcpy(out + len, text, strlen(text) + 1);
        return;
    }
    memcpy(out + len, text, room - 1);
    out[FIRN_ERR_MESSAGE_BYTES - 1] = '\0';
    mark_truncated(out);
}

static void fill(firn_err *err, const char *file, int line, firn_rc code)
{
    err->code = code;
    err->retriable = code == FIRN_E_CONFLICT || code == FIRN_E_BUSY || code == FIRN_E_UNAVAILABLE;
    err->outcome_unknown = code == FIRN_E_UNKNOWN_OUTCOME;
    err->file = file;
    err->line = line;
}

firn_rc firn_err_set(firn_err *err, const char *file, int line, firn_rc code, const char *fmt, ...)
{
    assert(code != FIRN_OK);
    if (err == NULL) {
        return code;
    }
    char message[FIRN_ERR_MESSAGE_BYTES];
    va_list args;
    va_start(args, fmt);
    format_message(message, fmt, args);
    va_end(args);
    fill(err, file, line, code);
    memcpy(err->message, message, strlen(message) + 1);
    return code;
}

firn_rc firn_err_wrap(firn_err *err, firn_rc code, const char *fmt, ...)
{
    if (err == NULL) {
        return code;
    }
    char message[FIRN_ERR_MESSAGE_BYTES];
    va_list args;
    va_start(args, fmt);
    format_message(message, fmt, args);
    va_end(args);
    append_message(message, ": ");
    append_message(message, err->message);
    memcpy(err->message, message, strlen(message) + 1);
    return err->code;
}

static firn_rc rc_of_errno(int errnum)
{
    switch (errnum) {
    case ENOENT:
    case ENOTDIR: return FIRN_E_NOT_FOUND;
    case ENOSPC:
    case EDQUOT: return FIRN_E_NO_SPACE;
    case EROFS: return FIRN_E_READ_ONLY;
    case EACCES:
    case EPERM: return FIRN_E_PERMISSION;
    case EEXIST: return FIRN_E_EXISTS;
    default: return FIRN_E_IO;
    }
}

/* What to do about it, where the system's own text does not make that plain. */
static const char *advice_of_errno(int errnum)
{
    switch (errnum) {
    case ENOSPC: return "; free some space and try again";
    case EDQUOT: return "; free some space or raise the quota and try again";
    case EMFILE: return "; raise the limit with `ulimit -n`";
    case ENFILE: return "; the whole system is out of file handles (fs.file-max)";
    default: return "";
    }
}

firn_rc firn_err_errno(firn_err *err, const char *file, int line, int errnum, const char *fmt, ...)
{
    firn_rc code = rc_of_errno(errnum);
    if (err == NULL) {
        return code;
    }
    char message[FIRN_ERR_MESSAGE_BYTES];
    va_list args;
    va_start(args, fmt);
    format_message(message, fmt, args);
    va_end(args);
    char reason[128];
    append_message(message, ": ");
    append_message(message, strerror_r(errnum, reason, sizeof(reason)));
    append_message(message, advice_of_errno(errnum));
    fill(err, file, line, code);
    /* Interrupted or out of handles right now: nothing is wrong with the call itself. */
    err->retriable = errnum == EINTR || errnum == EAGAIN || errnum == EMFILE || errnum == ENFILE;
    memcpy(err->message, message, strlen(message) + 1);
    return code;
}

void firn_err_clear(firn_err *err)
{
    if (err != NULL) {
        fill(err, NULL, 0, FIRN_OK);
        err->message[0] = '\0';
    }
}
