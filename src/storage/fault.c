/* Fault injection: every operation that changes something passes through firn_fault_point.
 *
 * The three FIRN_FAULT_* variables are read at the first passage. One that does not parse makes every
 * operation fail with INVALID: a fault test that injects nothing would pass, which is worse than failing.
 * Counters and the table of names are behind one mutex, taken only when a fault is asked for.
 */
#include "storage/storage.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { FAULT_NAMES_MAX = 128, FAULT_NAME_BYTES = 64 };
enum { FAULT_UNREAD, FAULT_OFF, FAULT_ON };

typedef struct passed_point {
    char name[FAULT_NAME_BYTES];
    int64_t times;
} passed_point;

static atomic_int fault_state = FAULT_UNREAD;
static pthread_mutex_t fault_lock = PTHREAD_MUTEX_INITIALIZER;

/* All below: @locks fault_lock */
static struct {
    char bad_variable[32]; /* not empty: this variable does not parse */
    int64_t operations;
    int64_t fail_at; /* 0: never */
    bool fail_on;    /* that operation and every one after it */
    firn_rc fail_code;
    char kill_name[FAULT_NAME_BYTES]; /* "": never */
    int64_t kill_at;
    char count_file[4096]; /* "": do not report */
    passed_point points[FAULT_NAMES_MAX];
    size_t n_points;
} fault;

static bool read_code(const char *text, firn_rc *code)
{
    static const struct {
        const char *name;
        firn_rc code;
    } codes[] = {
        {"io", FIRN_E_IO},
        {"nospace", FIRN_E_NO_SPACE},
        {"readonly", FIRN_E_READ_ONLY},
        {"unknown", FIRN_E_UNKNOWN_OUTCOME},
    };
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (firn_streq(codes[i].name, text)) {
            *code = codes[i].code;
            return true;
        }
    }
    return false;
}

/* N[+][:code] */
static bool read_fail(const char *text)
{
    char *end;
    fault.fail_code = FIRN_E_IO;
    fault.fail_at = strtoll(text, &end, 10);
    if (*end == '+') {
        fault.fail_on = true;
        end++;
    }
    bool code_ok = *end == '\0' || (*end == ':' && read_code(end + 1, &fault.fail_code));
    return end != text && fault.fail_at > 0 && code_ok;
}

/* name[:N] */
static bool read_kill(const char *text)
{
    size_t name_len = strcspn(text, ":");
    fault.kill_at = 1;
    if (name_len == 0 || name_len >= sizeof(fault.kill_name) ||
        (text[name_len] == ':' &&
         (!firn_parse_i64(text + name_len + 1, &fault.kill_at) || fault.kill_at < 1))) {
        return false;
    }
    memcpy(fault.kill_name, text, name_len);
    fault.kill_name[name_len] = '\0';
    return true;
}

static bool read_count(const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || len >= sizeof(fault.count_file)) {
        return false;
    }
    memcpy(fault.count_file, text, len + 1);
    return true;
}

/* At exit: "operations 42", then one "point storage.write 7" for each name passed, in one append. */
static void report_counts(void)
{
    pthread_mutex_lock(&fault_lock);
    firn_buf text = {0};
    firn_buf_printf(&text, "operations %lld\n", (long long)fault.operations);
    for (size_t i = 0; i < fault.n_points; i++) {
        firn_buf_printf(&text, "point %s %lld\n", fault.points[i].name,
                        (long long)fault.points[i].times);
    }
    int fd = fault.count_file[0]
                 ? open(fault.count_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)
                 : -1;
    if (fault.count_file[0] && (fd < 0 || write(fd, text.data, text.len) != (ssize_t)text.len)) {
        fprintf(stderr, "FIRN_FAULT_COUNT: cannot append to %s\n", fault.count_file);
    }
    if (fd >= 0) {
        close(fd);
    }
    firn_buf_deinit(&text);
    pthread_mutex_unlock(&fault_lock);
}

/* @locks fault_lock */
static void read_environment(void)
{
    static const struct {
        const char *variable;
        bool (*read)(const char *text);
    } settings[] = {
        {"FIRN_FAULT_FAIL", read_fail},
        {"FIRN_FAULT_KILL", read_kill},
        {"FIRN_FAULT_COUNT", read_count},
    };
    bool any = false;
    memset(&fault, 0, sizeof(fault));
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        const char *text = getenv(settings[i].variable);
        any |= text != NULL;
        if (text && !settings[i].read(text)) {
            strcpy(fault.bad_variable, settings[i].variable);
        }
    }
    static bool report_registered;
    if (fault.count_file[0] && !report_registered) {
        report_registered = atexit(report_counts) == 0;
    }
    atomic_store(&fault_state, any ? FAULT_ON : FAULT_OFF);
}

/* How often the point has now been passed. @locks fault_lock */
static int64_t count_passage(const char *name)
{
    for (size_t i = 0; i < fault.n_points; i++) {
        if (firn_streq(fault.points[i].name, name)) {
            return ++fault.points[i].times;
        }
    }
    if (fault.n_points == FAULT_NAMES_MAX) {
        return 0;
    }
    passed_point *point = &fault.points[fault.n_points++];
    snprintf(point->name, sizeof(point->name), "%s", name);
    return point->times = 1;
}

static firn_rc pass_point(const char *name, const char *what, firn_err *err)
{
    pthread_mutex_lock(&fault_lock);
    if (atomic_load(&fault_state) == FAULT_UNREAD) {
        read_environment();
    }
    int64_t times = count_passage(name);
    int64_t operation = ++fault.operations;
    bool bad = fault.bad_variable[0] != '\0';
    bool dies = times == fault.kill_at && firn_streq(name, fault.kill_name);
    bool fails = fault.fail_at > 0 &&
                 (operation == fault.fail_at || (fault.fail_on && operation > fault.fail_at));
    firn_rc code = fault.fail_code;
    pthread_mutex_unlock(&fault_lock);

    if (bad) {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "%s is set to something that is not a fault: see storage/storage.h",
                  fault.bad_variable);
    }
    if (dies) {
        raise(SIGKILL);
    }
    if (fails) {
        FIRN_FAIL(err, code, "%s of %s failed: injected as operation %lld", name, what,
                  (long long)operation);
    }
    return FIRN_OK;
}

firn_rc firn_fault_point(const char *name, const char *what, firn_err *err)
{
    if (atomic_load_explicit(&fault_state, memory_order_acquire) == FAULT_OFF) {
        return FIRN_OK;
    }
    return pass_point(name, what, err);
}

void firn_fault_reload(void)
{
    pthread_mutex_lock(&fault_lock);
    atomic_store(&fault_state, FAULT_UNREAD);
    pthread_mutex_unlock(&fault_lock);
}
