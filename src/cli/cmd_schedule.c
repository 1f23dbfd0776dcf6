/* firn schedule: what firn.yaml has, when it runs next, how it went; and a run by hand. */
#include "cmd_schedule.h"

#include "base/time.h"
#include "serve/schedule.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what is written in firn.yaml ---------------------------------------------------------------------- */

static firn_rc check_one(firn_cli *cli, const firn_schedule_config *schedule, firn_err *err)
{
    struct firn_cli probe = {.arena = cli->arena, .program = cli->program};
    firn_err why = {0};
    size_t n = schedule->n_words + 1;
    char **argv = FIRN_NEW_N(cli->arena, char *, n + 1);
    argv[0] = firn_arena_strdup(cli->arena, "firn");
    memcpy(argv + 1, schedule->words, schedule->n_words * sizeof(char *));
    firn_rc rc = firn_cli_parse(&probe, (int)n, argv, &why);
    if (rc == FIRN_OK && probe.command == NULL) {
        rc = firn_err_set(&why, __FILE__, __LINE__, FIRN_E_INVALID,
                          "\"firn %s\" is no whole command", schedule->run);
    }
    if (rc != FIRN_OK) {
        FIRN_FAIL(err, FIRN_E_CONFIG, "firn.yaml:%d: schedule %s: %s", schedule->line,
                  schedule->name, why.message);
    }
    return FIRN_OK;
}

firn_rc firn_cli_check_schedules(firn_cli *cli, firn_err *err)
{
    firn_lake *lake = NULL;
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    const firn_config *config = firn_lake_config(lake);
    for (size_t i = 0; i < config->n_schedules; i++) {
        FIRN_TRY(check_one(cli, &config->schedules[i], err));
    }
    return FIRN_OK;
}

/* ---- list ---------------------------------------------------------------------------------------------- */

typedef struct listed {
    const firn_schedule_config *config;
    firn_schedule_state state;
    int64_t next_us; /* 0: never */
    const char *broken;
} listed;

static listed look_at(firn_cli *cli, const firn_schedule_config *config)
{
    listed it = {.config = config};
    firn_err err = {0};
    firn_schedule_state_read(cli->lake, config->name, &it.state);
    firn_rc rc = check_one(cli, config, &err);
    if (rc == FIRN_OK) {
        rc = firn_schedule_next(cli->arena, config, firn_now_us(), &it.next_us, &err);
    }
    it.broken = rc != FIRN_OK ? firn_arena_strdup(cli->arena, err.message) : NULL;
    it.next_us = config->enabled && it.next_us != INT64_MAX ? it.next_us : 0;
    return it;
}

static const char *state_text(firn_cli *cli, const listed *it)
{
    return it->broken != NULL ? "broken" : firn_schedule_state_text(cli->arena, &it->state);
}

static const char *time_text(firn_cli *cli, int64_t us)
{
    return us > 0 ? firn_cli_time(cli->arena, us) : NULL;
}

static const char *minutes_text(firn_cli *cli, int64_t us)
{
    return us > 0 ? firn_arena_strndup(cli->arena, firn_cli_time(cli->arena, us), 16) : NULL;
}

static const char *number(firn_cli *cli, int64_t n)
{
    return firn_arena_printf(cli->arena, "%" PRId64, n);
}

static void add_row(firn_cli *cli, firn_report *report, const listed *it)
{
    const firn_schedule_state *s = &it->state;
    const char *seconds =
        s->ended_us > s->started_us
            ? firn_arena_printf(cli->arena, "%.3f", (double)(s->ended_us - s->started_us) / 1e6)
            : NULL;
    const char *cells[] = {
        it->config->name,
        it->config->cron,
        it->config->timezone,
        it->config->run,
        it->config->enabled ? minutes_text(cli, it->next_us) : "off",
        time_text(cli, it->next_us),
        s->started_us > 0 ? firn_cli_ago(cli->arena, s->started_us) : NULL,
        time_text(cli, s->started_us),
        time_text(cli, s->ended_us),
        seconds,
        state_text(cli, it),
        s->exit_code >= 0 && s->runs > 0 ? number(cli, s->exit_code) : NULL,
        time_text(cli, s->last_success_us),
        number(cli, s->runs),
        number(cli, s->failures),
        number(cli, s->overlaps),
        it->config->enabled ? "true" : "false",
        it->broken,
    };
    firn_report_row(report, cells);
}

static void say_what_to_do(firn_cli *cli, const firn_config *config)
{
    for (size_t i = 0; i < config->n_schedules; i++) {
        const listed it = look_at(cli, &config->schedules[i]);
        if (it.broken != NULL) {
            fprintf(stderr, "warning: %s\n", it.broken);
        }
    }
    if (!firn_schedules_served(cli->lake)) {
        firn_cli_say(
            cli,
            "No server runs them now: start one (%s serve), or run one by hand (%s schedule run "
            "%s).",
            cli->program, cli->program, config->schedules[0].name);
    }
}

firn_rc firn_cmd_schedule_list(firn_cli *cli, firn_err *err)
{
    static const firn_report_column COLUMNS[] = {
        {"schedule", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"cron", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"timezone", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
        {"run", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"next (UTC)", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PEOPLE},
        {"next", FIRN_COLUMN_TEMPORAL, FIRN_SHOWN_TO_PROGRAMS},
        {"last", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PEOPLE},
        {"started", FIRN_COLUMN_TEMPORAL, FIRN_SHOWN_TO_PROGRAMS},
        {"ended", FIRN_COLUMN_TEMPORAL, FIRN_SHOWN_TO_PROGRAMS},
        {"seconds", FIRN_COLUMN_FLOAT, FIRN_SHOWN_TO_PROGRAMS},
        {"state", FIRN_COLUMN_TEXT, FIRN_SHOWN_ALWAYS},
        {"exit_code", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
        {"last_success", FIRN_COLUMN_TEMPORAL, FIRN_SHOWN_TO_PROGRAMS},
        {"runs", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
        {"failures", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
        {"overlaps", FIRN_COLUMN_INTEGER, FIRN_SHOWN_TO_PROGRAMS},
        {"enabled", FIRN_COLUMN_BOOL, FIRN_SHOWN_TO_PROGRAMS},
        {"error", FIRN_COLUMN_TEXT, FIRN_SHOWN_TO_PROGRAMS},
    };
    firn_lake *lake = NULL;
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    const firn_config *config = firn_lake_config(lake);
    if (config->n_schedules == 0 && cli->format == FIRN_FORMAT_TABLE) {
        firn_cli_say(
            cli,
            "the lake has no schedules: add some to its firn.yaml, `schedules: [{name: nightly, "
            "cron: \"0 2 * * *\", run: \"export --all\"}]`");
        return FIRN_OK;
    }
    firn_report *report =
        firn_report_new(cli->arena, COLUMNS, sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    for (size_t i = 0; i < config->n_schedules; i++) {
        const listed it = look_at(cli, &config->schedules[i]);
        add_row(cli, report, &it);
    }
    FIRN_TRY(firn_report_print(report, stdout, cli->format, NULL, err));
    if (cli->format == FIRN_FORMAT_TABLE) {
        say_what_to_do(cli, config);
    }
    return FIRN_OK;
}

const char *firn_cli_schedules_text(firn_cli *cli, const char *separator)
{
    FIRN_AUTO_BUF firn_buf text = {0};
    const firn_config *config = firn_lake_config(cli->lake);
    for (size_t i = 0; i < config->n_schedules; i++) {
        const listed it = look_at(cli, &config->schedules[i]);
        firn_buf_printf(&text, "%s%s: ", i > 0 ? separator : "", it.config->name);
        if (it.broken != NULL || it.state.outcome != FIRN_SCHEDULE_NEVER) {
            firn_buf_printf(&text, "%s%s%s, ", state_text(cli, &it), it.broken == NULL ? " " : "",
                            it.broken == NULL ? firn_cli_ago(cli->arena, it.state.started_us) : "");
        }
        if (it.next_us > 0) {
            firn_buf_printf(&text, "next %s UTC", minutes_text(cli, it.next_us));
        } else {
            firn_buf_puts(&text, it.config->enabled ? "next never" : "off");
        }
    }
    return config->n_schedules > 0 ? firn_arena_strdup(cli->arena, firn_buf_cstr(&text)) : "none";
}

/* ---- run ----------------------------------------------------------------------------------------------- */

/* What the log got since the last look, on standard output; `fd` -1: none. */
static void show_log(int fd)
{
    char bytes[8192];
    ssize_t n;
    while (fd >= 0 && (n = read(fd, bytes, sizeof(bytes))) > 0) {
        fwrite(bytes, 1, (size_t)n, stdout);
    }
    fflush(stdout);
}

static off_t log_size(firn_cli *cli, const char *name)
{
    struct stat info;
    return stat(firn_schedule_log_path(cli->lake, cli->arena, name), &info) == 0 ? info.st_size : 0;
}

/* From where it ended before the run; from its start if a new one was begun. */
static int open_log(firn_cli *cli, const char *name, off_t from)
{
    int fd = cli->quiet
                 ? -1
                 : open(firn_schedule_log_path(cli->lake, cli->arena, name), O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && from <= log_size(cli, name) && lseek(fd, from, SEEK_SET) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void wait_for_end(firn_schedule_run *run, const sigset_t *stop, int log_fd)
{
    const struct timespec pause = {.tv_nsec = 100000000};
    while (!firn_schedule_run_poll(run, firn_now_us())) {
        if (sigtimedwait(stop, NULL, &pause) > 0) {
            firn_schedule_run_end(run, FIRN_SCHEDULE_STOPPED);
        }
        show_log(log_fd);
    }
    show_log(log_fd);
}

static firn_rc run_now(firn_cli *cli, const firn_schedule_config *config, const sigset_t *stop,
                       firn_err *err)
{
    firn_schedule_run *run = NULL;
    const firn_schedule_begin begin = {
        .lake = cli->lake, .config = config, .now_us = firn_now_us()};
    off_t from = log_size(cli, config->name);
    firn_rc rc = firn_schedule_run_begin(&begin, &run, err);
    if (rc == FIRN_OK) {
        int log_fd = open_log(cli, config->name, from);
        wait_for_end(run, stop, log_fd);
        if (log_fd >= 0) {
            close(log_fd);
        }
        const firn_schedule_state state = *firn_schedule_run_state(run);
        firn_schedule_run_free(run);
        if (state.outcome != FIRN_SCHEDULE_OK) {
            rc = firn_err_set(
                err, __FILE__, __LINE__,
                state.outcome == FIRN_SCHEDULE_STOPPED ? FIRN_E_CANCELLED : FIRN_E_CHECK_FAILED,
                "schedule %s: %s; its output is in logs/schedule_%s.log", config->name,
                firn_schedule_state_text(cli->arena, &state), config->name);
        }
    }
    return rc;
}

firn_rc firn_cmd_schedule_run(firn_cli *cli, firn_err *err)
{
    firn_lake *lake = NULL;
    const firn_schedule_config *config = NULL;
    sigset_t stop;
    sigset_t before;
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    FIRN_TRY(firn_schedule_config_find(firn_lake_config(lake), firn_cli_arg(cli, 0), &config, err));
    FIRN_TRY(check_one(cli, config, err));
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop, &before);
    firn_rc rc = run_now(cli, config, &stop, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}
