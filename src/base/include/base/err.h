/* Errors: what every firn function returns, and the details it leaves behind.
 *
 * A function that can fail returns `firn_rc` and takes a caller-owned, nullable `firn_err *` as its last
 * parameter. On failure the innermost function fills it (FIRN_FAIL) and callers on the way up may put
 * context in front of the message (firn_err_wrap). On success it is left untouched.
 *
 * Log or return, never both. Error text is for people: code decides by `code`, `retriable` and
 * `outcome_unknown` alone.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* code, SQLSTATE, HTTP status, Iceberg REST error type. The one place that maps them. */
#define FIRN_RC_TABLE(X)                                                                           \
    X(OK, "00000", 200, "")                                                                        \
    X(INVALID, "22023", 400, "BadRequestException")   /* an argument makes no sense */             \
    X(SYNTAX, "42601", 400, "BadRequestException")    /* SQL or another text does not parse */     \
    X(TYPE, "42804", 400, "BadRequestException")      /* a value or column of the wrong type */    \
    X(NO_COLUMN, "42703", 400, "BadRequestException") /* unknown column or field */                \
    X(CONFIG, "F0000", 400, "BadRequestException")    /* a configuration file: bad key or value */ \
    X(NO_TABLE, "42P01", 404, "NoSuchTableException")                                              \
    X(NO_VIEW, "42P01", 404, "NoSuchViewException")                                                \
    X(NO_NAMESPACE, "3F000", 404, "NoSuchNamespaceException")                                      \
    X(NO_REF, "3D000", 404, "NoSuchReferenceException") /* unknown branch, tag or commit */        \
    X(NO_SNAPSHOT, "42704", 404, "NoSuchSnapshotException")                                        \
    X(NOT_FOUND, "42704", 404, "NotFoundException") /* a file or another named thing */            \
    X(EXISTS, "42P07", 409, "AlreadyExistsException")                                              \
    X(NOT_EMPTY, "2BP01", 409, "NamespaceNotEmptyException")                                       \
    X(CONFLICT, "40001", 409, "CommitFailedException")   /* lost a race; reload and retry */       \
    X(VALIDATION, "40001", 409, "ValidationException")   /* a conflict rule broke; do not retry */ \
    X(CHECK_FAILED, "23514", 422, "BadRequestException") /* a gate or constraint failed */         \
    X(UNSUPPORTED, "0A000", 406, "UnsupportedOperationException")                                  \
    /* stored bytes are not as they must be */                                                     \
    X(CORRUPT, "XX001", 500, "ServiceFailureException")                                            \
    X(IO, "58030", 500, "ServiceFailureException")                                                 \
    X(NO_SPACE, "53100", 507, "ServiceFailureException")                                           \
    X(READ_ONLY, "25006", 403, "ForbiddenException")                                               \
    X(PERMISSION, "42501", 403, "ForbiddenException")                                              \
    X(BUSY, "55P03", 503, "ServiceUnavailableException") /* a lock or service is held; retry */    \
    X(UNAVAILABLE, "08001", 503,                                                                   \
      "ServiceUnavailableException")                    /* a peer is out of reach; retry */        \
    X(OFFSET_GONE, "F0001", 409, "BadRequestException") /* a topic does not have that offset */    \
    X(LIMIT, "54000", 400, "BadRequestException")       /* larger than a stated bound */           \
    X(MEMORY, "53200", 500, "ServiceFailureException")  /* the engine's limit is reached */        \
    X(CANCELLED, "57014", 499, "ServiceFailureException")                                          \
    /* neither success nor failure */                                                              \
    X(UNKNOWN_OUTCOME, "08007", 500, "CommitStateUnknownException")                                \
    /* DuckDB failed in a way not told apart */                                                    \
    X(ENGINE, "XX000", 500, "ServiceFailureException")                                             \
    X(INTERNAL, "XX000", 500, "ServiceFailureException")

#define FIRN_RC_ENUM(name, sqlstate, http, iceberg) FIRN_E_##name,
typedef enum firn_rc { FIRN_RC_TABLE(FIRN_RC_ENUM) FIRN_RC_COUNT } firn_rc;
#undef FIRN_RC_ENUM
#define FIRN_OK FIRN_E_OK

enum { FIRN_ERR_MESSAGE_BYTES = 2048 };

typedef struct firn_err {
    firn_rc code;
    bool retriable;       /* the same call may succeed later without the caller changing anything */
    bool outcome_unknown; /* the change may or may not have happened: delete nothing, look it up */
    const char *file;     /* where it was raised; static strings */
    int line;
    char message[FIRN_ERR_MESSAGE_BYTES]; /* one sentence; truncated with "..." if longer */
} firn_err;

#define FIRN_MUST_USE          __attribute__((warn_unused_result))
#define FIRN_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Fill `err` (if not NULL) and return `code`. Keeps `retriable` and `outcome_unknown` at what the code
 * implies: CONFLICT, BUSY and UNAVAILABLE are retriable, UNKNOWN_OUTCOME is outcome_unknown. Use FIRN_FAIL. */
firn_rc firn_err_set(firn_err *err, const char *file, int line, firn_rc code, const char *fmt, ...)
    FIRN_PRINTF(5, 6);

/* Put "<context>: " in front of the message and return the code already in `err`; the code does not
 * change. `code` is what the failed call returned, used when err is NULL. */
firn_rc firn_err_wrap(firn_err *err, firn_rc code, const char *fmt, ...) FIRN_PRINTF(3, 4);

/* Same, for a failed system call: picks NOT_FOUND, NO_SPACE, READ_ONLY, PERMISSION, EXISTS or IO from
 * errno value `errnum` and appends its text. */
firn_rc firn_err_errno(firn_err *err, const char *file, int line, int errnum, const char *fmt, ...)
    FIRN_PRINTF(5, 6);

void firn_err_clear(firn_err *err);

const char *firn_rc_name(firn_rc code);         /* "NO_TABLE" */
const char *firn_rc_sqlstate(firn_rc code);     /* "42P01" */
int firn_rc_http_status(firn_rc code);          /* 404 */
const char *firn_rc_iceberg_type(firn_rc code); /* "NoSuchTableException" */

#define FIRN_TRY(expr)                 \
    do {                               \
        firn_rc firn_try_rc_ = (expr); \
        if (firn_try_rc_ != FIRN_OK) { \
            return firn_try_rc_;       \
        }                              \
    } while (0)

/* The code is returned as it stands here, not as firn_err_set gives it back: so the compiler sees that a
 * failed call never reaches the reads of its outputs. */
#define FIRN_FAIL(err, code, ...)                                            \
    do {                                                                     \
        const firn_rc firn_fail_rc_ = (code);                                \
        firn_err_set((err), __FILE__, __LINE__, firn_fail_rc_, __VA_ARGS__); \
        return firn_fail_rc_;                                                \
    } while (0)

#endif
