/* The command line by the table of command.c. Global options may stand before or after the command; "--" ends the options;
 * "--name VALUE", "--name=VALUE", "-n VALUE" and "-nVALUE" are the same.
 */
#include "cli.h"

#include <assert.h>
#include <stdarg.h>

typedef struct parser {
    firn_cli *cli;
    int argc, at;
    char **argv;
    bool options_ended;
} parser;

firn_rc firn_cli_usage(firn_cli *cli, firn_err *err, const char *fmt, ...)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    va_list args;
    va_start(args, fmt);
    const char *text = firn_arena_vprintf(arena, fmt, args);
    va_end(args);
    cli->wrong_usage = true;
    return firn_err_set(err, __FILE__, __LINE__, FIRN_E_INVALID, "%s", text);
}

/* " `firn help x` shows ..." for the end of a message. */
static const char *help_hint(const firn_cli *cli)
{
    const char *about = cli->command != NULL ? cli->command->name
                        : cli->group != NULL ? cli->group->name
                                             : NULL;
    return about != NULL ? firn_arena_printf(cli->arena, "see: firn help %s", about)
                         : "see: firn help";
}

/* "; did you mean --format?", or where to read on. */
static const char *advice(const firn_cli *cli, const char *prefix, const char *name,
                          const char *const *candidates, size_t n)
{
    const char *near = firn_nearest(name, candidates, n);
    return near != NULL ? firn_arena_printf(cli->arena, "did you mean %s%s?", prefix, near)
                        : help_hint(cli);
}

/* ---- options ----------------------------------------------------------------------------------------- */

static const firn_option *find_option(const firn_option *options, const char *name, char letter)
{
    for (; options->name != NULL; options++) {
        if (name != NULL ? firn_streq(options->name, name) : options->letter == letter) {
            return options;
        }
    }
    return NULL;
}

static const firn_option *option_of(const firn_cli *cli, const char *name, char letter)
{
    const firn_option *own =
        cli->command != NULL ? find_option(cli->command->options, name, letter) : NULL;
    return own != NULL ? own : find_option(firn_global_options, name, letter);
}

static firn_rc unknown_option(parser *p, const char *name, firn_err *err)
{
    firn_cli *cli = p->cli;
    FIRN_VEC(const char *) known = {0};
    for (const firn_option *at = firn_global_options; at->name != NULL; at++) {
        firn_vec_push(cli->arena, &known, at->name);
    }
    for (const firn_option *at = cli->command != NULL ? cli->command->options : NULL;
         at != NULL && at->name != NULL; at++) {
        firn_vec_push(cli->arena, &known, at->name);
    }
    return firn_cli_usage(cli, err, "firn%s%s has no option --%s; %s",
                          cli->command != NULL ? " " : "",
                          cli->command != NULL ? cli->command->name : "", name,
                          advice(cli, "--", name, known.items, known.len));
}

static bool is_choice(const char *choices, const char *value)
{
    size_t len = strlen(value);
    for (const char *at = choices; at != NULL; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL) {
        if (len > 0 && strncmp(at, value, len) == 0 && (at[len] == '|' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

/* `value` is what was attached ("--a=b", "-ab"), NULL if nothing was. */
static firn_rc take_option(parser *p, const firn_option *option, const char *value, firn_err *err)
{
    firn_cli *cli = p->cli;
    if (option->value == NULL && value != NULL) {
        return firn_cli_usage(cli, err, "--%s takes no value", option->name);
    }
    if (option->value != NULL && value == NULL) {
        if (p->at >= p->argc) {
            return firn_cli_usage(cli, err, "--%s needs a value: --%s %s", option->name,
                                  option->name, option->value);
        }
        value = p->argv[p->at++];
    }
    if (option->choices != NULL && !is_choice(option->choices, value)) {
        return firn_cli_usage(cli, err, "--%s is one of %s, not \"%s\"", option->name,
                              firn_str_replace(cli->arena, option->choices, "|", ", "), value);
    }
    firn_given given = {.option = option, .value = value};
    firn_vec_push(cli->arena, &cli->given, given);
    return FIRN_OK;
}

static firn_rc parse_long(parser *p, const char *text, firn_err *err)
{
    const char *equals = strchr(text, '=');
    const char *name =
        equals != NULL ? firn_arena_strndup(p->cli->arena, text, (size_t)(equals - text)) : text;
    const firn_option *option = option_of(p->cli, name, 0);
    if (option == NULL) {
        return unknown_option(p, name, err);
    }
    return take_option(p, option, equals != NULL ? equals + 1 : NULL, err);
}

/* "-qv", "-c SQL", "-cSQL". */
static firn_rc parse_letters(parser *p, const char *letters, firn_err *err)
{
    for (; *letters != '\0'; letters++) {
        const firn_option *option = option_of(p->cli, NULL, *letters);
        if (option == NULL) {
            return firn_cli_usage(
                p->cli, err, "firn%s%s has no option -%c; %s", p->cli->command != NULL ? " " : "",
                p->cli->command != NULL ? p->cli->command->name : "", *letters, help_hint(p->cli));
        }
        if (option->value != NULL) {
            return take_option(p, option, letters[1] != '\0' ? letters + 1 : NULL, err);
        }
        FIRN_TRY(take_option(p, option, NULL, err));
    }
    return FIRN_OK;
}

/* ---- commands ---------------------------------------------------------------------------------------- */

static firn_rc unknown_command(firn_cli *cli, const char *word, firn_err *err)
{
    FIRN_VEC(const char *) known = {0};
    for (const firn_command *at = firn_commands; at->name != NULL; at++) {
        const char *name =
            cli->group != NULL ? firn_command_in_group(at, cli->group->name) : at->name;
        if (name != NULL && strchr(name, ' ') == NULL) {
            firn_vec_push(cli->arena, &known, name);
        }
    }
    for (const firn_command_group *at = firn_command_groups; cli->group == NULL && at->name; at++) {
        firn_vec_push(cli->arena, &known, at->name);
    }
    const char *group = cli->group != NULL ? cli->group->name : "";
    const char *space = cli->group != NULL ? " " : "";
    return firn_cli_usage(cli, err, "there is no command \"firn %s%s%s\"; %s", group, space, word,
                          advice(cli, firn_arena_printf(cli->arena, "firn %s%s", group, space),
                                 word, known.items, known.len));
}

static firn_rc parse_word(parser *p, const char *word, firn_err *err)
{
    firn_cli *cli = p->cli;
    if (cli->command != NULL) {
        firn_vec_push(cli->arena, &cli->args, word);
        return FIRN_OK;
    }
    const char *name =
        cli->group != NULL ? firn_arena_printf(cli->arena, "%s %s", cli->group->name, word) : word;
    cli->command = strchr(word, ' ') == NULL ? firn_command_find(name) : NULL;
    if (cli->command == NULL && cli->group == NULL) {
        cli->group = firn_command_group_find(word);
        return cli->group != NULL ? FIRN_OK : unknown_command(cli, word, err);
    }
    return cli->command != NULL ? FIRN_OK : unknown_command(cli, word, err);
}

static firn_rc check_arity(firn_cli *cli, firn_err *err)
{
    int min = 0;
    int max = 0;
    firn_command_arity(cli->command, &min, &max);
    if (cli->args.len < (size_t)min) {
        return firn_cli_usage(cli, err, "something is missing: firn %s %s", cli->command->name,
                              cli->command->arguments);
    }
    if (max >= 0 && cli->args.len > (size_t)max) {
        return firn_cli_usage(cli, err, "firn %s does not know what to do with \"%s\"; %s",
                              cli->command->name, cli->args.items[max], help_hint(cli));
    }
    return FIRN_OK;
}

firn_rc firn_cli_parse(firn_cli *cli, int argc, char **argv, firn_err *err)
{
    parser p = {.cli = cli, .argc = argc, .at = 1, .argv = argv};
    while (p.at < p.argc) {
        const char *word = p.argv[p.at++];
        if (p.options_ended || word[0] != '-' || word[1] == '\0') {
            FIRN_TRY(parse_word(&p, word, err));
        } else if (firn_streq(word, "--")) {
            p.options_ended = true;
        } else if (word[1] == '-') {
            FIRN_TRY(parse_long(&p, word + 2, err));
        } else {
            FIRN_TRY(parse_letters(&p, word + 1, err));
        }
    }
    const char *format = firn_cli_option(cli, "format");
    cli->format = format == NULL               ? FIRN_FORMAT_TABLE
                  : firn_streq(format, "csv")  ? FIRN_FORMAT_CSV
                  : firn_streq(format, "json") ? FIRN_FORMAT_JSON
                                               : FIRN_FORMAT_TABLE;
    cli->quiet = firn_cli_switch(cli, "quiet");
    cli->verbose = firn_cli_switch(cli, "verbose");
    bool runs = cli->command != NULL && !firn_cli_switch(cli, "help");
    return runs ? check_arity(cli, err) : FIRN_OK;
}

/* ---- what was given ------------------------------------------------------------------------------------ */

const char *firn_cli_arg(const firn_cli *cli, size_t i)
{
    return i < cli->args.len ? cli->args.items[i] : NULL;
}

static const firn_given *last_given(const firn_cli *cli, const char *name)
{
    assert(option_of(cli, name, 0) != NULL);
    for (size_t i = cli->given.len; i-- > 0;) {
        if (firn_streq(cli->given.items[i].option->name, name)) {
            return &cli->given.items[i];
        }
    }
    return NULL;
}

const char *firn_cli_option(const firn_cli *cli, const char *name)
{
    const firn_given *given = last_given(cli, name);
    return given != NULL ? given->value : NULL;
}

bool firn_cli_switch(const firn_cli *cli, const char *name)
{
    return last_given(cli, name) != NULL;
}

const char **firn_cli_options(const firn_cli *cli, firn_arena *arena, const char *name, size_t *n)
{
    FIRN_VEC(const char *) values = {0};
    for (size_t i = 0; i < cli->given.len; i++) {
        if (firn_streq(cli->given.items[i].option->name, name)) {
            firn_vec_push(arena, &values, cli->given.items[i].value);
        }
    }
    *n = values.len;
    return values.items;
}

firn_rc firn_cli_number(firn_cli *cli, const char *name, int64_t min, int64_t def, int64_t *out,
                        firn_err *err)
{
    const char *text = firn_cli_option(cli, name);
    *out = def;
    if (text != NULL && (!firn_parse_i64(text, out) || *out < min)) {
        return firn_cli_usage(cli, err, "--%s is a whole number of at least %lld, not \"%s\"", name,
                              (long long)min, text);
    }
    return FIRN_OK;
}
