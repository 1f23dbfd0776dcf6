/* From main() to a command and back: what commands share, errors, exit codes. */
#include "cli/cli.h"
#include "cli.h"

#include "base/io.h"
#include "base/log.h"
#include "base/time.h"
#include "maintain/maintain.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* ---- shared by commands -------------------------------------------------------------------------------- */

firn_rc firn_cli_lake(firn_cli *cli, firn_lake **out, firn_err *err)
{
    if (cli->lake == NULL) {
        char *root = NULL;
        FIRN_TRY(firn_lake_find(cli->arena, firn_cli_option(cli, "lake"), &root, err));
        FIRN_TRY(firn_lake_open(root, &cli->lake, err));
    }
    *out = cli->lake;
    return FIRN_OK;
}

firn_rc firn_cli_engine(firn_cli *cli, firn_engine **out, firn_err *err)
{
    firn_lake *lake = NULL;
    FIRN_TRY(firn_cli_lake(cli, &lake, err));
    if (cli->engine == NULL) {
        FIRN_TRY(firn_engine_open(lake, &cli->engine, err));
        firn_maintain_install(cli->engine);
    }
    *out = cli->engine;
    return FIRN_OK;
}

firn_rc firn_cli_engine_maybe_lake(firn_cli *cli, firn_engine **out, firn_err *err)
{
    const char *variable = getenv("FIRN_LAKE");
    bool named = firn_cli_option(cli, "lake") != NULL || (variable != NULL && variable[0] != '\0');
    char *root = NULL;
    if (named || firn_lake_find(cli->arena, NULL, &root, NULL) == FIRN_OK) {
        return firn_cli_engine(cli, out, err);
    }
    FIRN_TRY(firn_engine_open(NULL, &cli->engine, err));
    *out = cli->engine;
    return FIRN_OK;
}

const char *firn_cli_ref(const firn_cli *cli)
{
    const char *ref = firn_cli_option(cli, "ref");
    return ref != NULL ? ref : FIRN_MAIN;
}

firn_rc firn_cli_ident(firn_cli *cli, const char *text, firn_ident *out, firn_err *err)
{
    char *levels = firn_ns_parse(cli->arena, text);
    char *last = strrchr(levels, FIRN_NS_SEP[0]);
    *out = (firn_ident){.ns = "default", .name = levels};
    if (last != NULL) {
        *last = '\0';
        *out = (firn_ident){.ns = levels, .name = last + 1};
    }
    if (out->name[0] == '\0' || out->ns[0] == '\0') {
        return firn_cli_usage(cli, err, "\"%s\" is no table name: write schema.table", text);
    }
    return FIRN_OK;
}

void firn_cli_say(const firn_cli *cli, const char *fmt, ...)
{
    if (cli->quiet) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    FILE *to = cli->format == FIRN_FORMAT_TABLE ? stdout : stderr;
    vfprintf(to, fmt, args);
    fputc('\n', to);
    va_end(args);
}

char *firn_cli_time(firn_arena *arena, int64_t us)
{
    char *text = firn_format_timestamp(arena, us - us % 1000000, false);
    char *t = strchr(text, 'T');
    if (t != NULL) {
        *t = ' ';
    }
    return text;
}

char *firn_cli_ago(firn_arena *arena, int64_t us)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } UNITS[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int64_t passed = (firn_now_us() - us) / 1000000;
    for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++) {
        if (passed >= UNITS[i].seconds) {
            return firn_arena_printf(arena, "%lld %s ago", (long long)(passed / UNITS[i].seconds),
                                     UNITS[i].name);
        }
    }
    return firn_arena_strdup(arena, "just now");
}

/* ---- running one ----------------------------------------------------------------------------------------- */

static void print_error(const firn_err *err)
{
    fflush(stdout); /* what was printed before comes first, also when both go to one place */
    fprintf(stderr, "%serror:%s %s\n", firn_term_red(stderr), firn_term_plain(stderr),
            err->message);
    if (firn_log_enabled(FIRN_LOG_DEBUG) && err->file != NULL) {
        fprintf(stderr, "       %s, raised at %s:%d\n", firn_rc_name(err->code), err->file,
                err->line);
    }
}

/* Every answer that needs no command to run: help and version. */
static bool answer(firn_cli *cli)
{
    if (firn_cli_switch(cli, "version")) {
        puts("firn " FIRN_VERSION);
    } else if (cli->command != NULL && firn_cli_switch(cli, "help")) {
        firn_help_command(stdout, cli->command);
    } else if (cli->command == NULL && cli->group != NULL && firn_cli_switch(cli, "help")) {
        firn_help_group(stdout, cli->group);
    } else if (cli->command == NULL && cli->group == NULL) {
        firn_help_overview(stdout);
    } else {
        return false;
    }
    return true;
}

static firn_rc run(firn_cli *cli, int argc, char **argv, firn_err *err)
{
    FIRN_TRY(firn_cli_parse(cli, argc, argv, err));
    if (answer(cli)) {
        return FIRN_OK;
    }
    if (cli->command == NULL) {
        FIRN_AUTO_BUF firn_buf names = {0};
        for (const firn_command *at = firn_commands; at->name != NULL; at++) {
            const char *word = firn_command_in_group(at, cli->group->name);
            if (word != NULL) {
                firn_buf_printf(&names, "%s%s", names.len > 0 ? ", " : "", word);
            }
        }
        return firn_cli_usage(cli, err, "firn %s needs to know what to do: %s", cli->group->name,
                              firn_buf_cstr(&names));
    }
    firn_log_set_level(cli->verbose ? FIRN_LOG_DEBUG : cli->quiet ? FIRN_LOG_ERROR : FIRN_LOG_WARN);
    return cli->command->run(cli, err);
}

static int finish(const firn_cli *cli, firn_rc rc, const firn_err *err)
{
    if (rc == FIRN_OK) {
        return EXIT_DONE;
    }
    if (!cli->said_enough) {
        print_error(err);
    }
    return cli->wrong_usage ? EXIT_USAGE : EXIT_FAILED;
}

int firn_cli_main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a reader that leaves ends the output, not a commit */
    signal(SIGXFSZ, SIG_IGN); /* a write beyond `ulimit -f` fails like one on a full disk */
    firn_arena *arena = firn_arena_new();
    firn_err err = {0};
    firn_cli cli = {.arena = arena, .program = "firn"};
    if (argc > 0 && strchr(argv[0], '/') != NULL) {
        cli.program = argv[0];
    }
    firn_rc rc = run(&cli, argc, argv, &err);
    firn_err flush_err = {0};
    firn_rc flushed = firn_output_flush(stdout, &flush_err);
    if (rc == FIRN_OK && flushed != FIRN_OK) {
        rc = flushed;
        err = flush_err;
    }
    /* Nobody reads any more: quiet, but not success. */
    cli.said_enough |= rc == FIRN_E_CANCELLED && ferror(stdout);
    int code = finish(&cli, rc, &err);
    if (cli.engine != NULL) {
        firn_engine_close(cli.engine);
    }
    firn_lake_close(cli.lake);
    firn_arena_free(arena);
    return code;
}
