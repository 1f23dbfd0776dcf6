/* One command line at work: what was asked for, and what commands share: the lake, the engine, where output goes.
 *
 * Lifetime: made and torn down by firn_cli_main. Everything is opened on first use, so that `firn sql -c "select 1"` needs no
 * lake and `firn table list` no engine. Used by the main thread only.
 */
#ifndef CLI_PRIVATE_H
#define CLI_PRIVATE_H

#include "command.h"
#include "output.h"

#include "base/vec.h"
#include "engine/engine.h"

typedef struct firn_given {
    const firn_option *option;
    const char *value; /* NULL for a switch */
} firn_given;

struct firn_cli {
    firn_arena *arena;   /* of the whole run */
    const char *program; /* as it was called, for advice that can be typed: "firn", "build/firn" */
    const firn_command *command;
    const firn_command_group *group; /* named without a command of it */
    FIRN_VEC(const char *) args;
    FIRN_VEC(firn_given) given;
    firn_format format;
    bool quiet, verbose;
    bool wrong_usage; /* the error is one of usage: exit code 2 */
    bool said_enough; /* the command has told about its failure itself: print no error line */
    firn_lake *lake;
    firn_engine *engine;
};

/* ---- what was asked for (parse.c) -------------------------------------------------------------------- */

firn_rc firn_cli_parse(firn_cli *cli, int argc, char **argv, firn_err *err) FIRN_MUST_USE;
/* The i-th argument, NULL if there are fewer. */
const char *firn_cli_arg(const firn_cli *cli, size_t i);
/* Value of an option (the last one given), NULL if not given. The name must be declared. */
const char *firn_cli_option(const firn_cli *cli, const char *name);
bool firn_cli_switch(const firn_cli *cli, const char *name);
/* Every value of an option that repeats, in order. */
const char **firn_cli_options(const firn_cli *cli, firn_arena *arena, const char *name, size_t *n);
/* Value of an option as a number of at least `min`; `def` if not given. Wrong usage if it is none. */
firn_rc firn_cli_number(firn_cli *cli, const char *name, int64_t min, int64_t def, int64_t *out,
                        firn_err *err) FIRN_MUST_USE;
/* Fill err, mark it as wrong usage, and give the code to return. */
firn_rc firn_cli_usage(firn_cli *cli, firn_err *err, const char *fmt, ...) FIRN_PRINTF(3, 4);

/* ---- what commands share (cli.c) --------------------------------------------------------------------- */

/* The lake, opened on first use; an error says how to make or name one. */
firn_rc firn_cli_lake(firn_cli *cli, firn_lake **out, firn_err *err) FIRN_MUST_USE;
/* The engine on that lake. */
firn_rc firn_cli_engine(firn_cli *cli, firn_engine **out, firn_err *err) FIRN_MUST_USE;
/* The engine, without a lake if there is none where none was named. */
firn_rc firn_cli_engine_maybe_lake(firn_cli *cli, firn_engine **out, firn_err *err) FIRN_MUST_USE;
/* --ref, else main. */
const char *firn_cli_ref(const firn_cli *cli);
/* "schema.table", quoted parts, or "table" in the default schema. */
firn_rc firn_cli_ident(firn_cli *cli, const char *text, firn_ident *out,
                       firn_err *err) FIRN_MUST_USE;
/* One line for people on standard output ("created branch fix"); nothing with -q. In csv and json it goes to stderr. */
void firn_cli_say(const firn_cli *cli, const char *fmt, ...) FIRN_PRINTF(2, 3);
/* "2026-11-20 08:15:02", UTC, in the arena. */
char *firn_cli_time(firn_arena *arena, int64_t us);
/* "3 min ago". */
char *firn_cli_ago(firn_arena *arena, int64_t us);

/* ---- help (help.c) ----------------------------------------------------------------------------------- */

void firn_help_overview(FILE *to);
void firn_help_command(FILE *to, const firn_command *command);
void firn_help_group(FILE *to, const firn_command_group *group);

#endif
