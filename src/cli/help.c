/* Help texts, the reference page and shell completion, all from the table of command.c. */
#include "cli.h"

#include "base/vec.h"
#include "export/feed.h"
#include "ingest/feed.h"

/* "--lake DIR", "-n, --limit N". */
static char *option_text(firn_arena *arena, const firn_option *option)
{
    const char *letter =
        option->letter != 0 ? firn_arena_printf(arena, "-%c, ", option->letter) : "";
    const char *value = option->choices != NULL ? option->choices : option->value;
    return firn_arena_printf(arena, "%s--%s%s%s", letter, option->name, value != NULL ? " " : "",
                             value != NULL ? value : "");
}

/* `text` in lines of at most `width` columns, all but the first behind `indent` blanks. */
static void print_wrapped(FILE *to, const char *text, size_t indent, size_t width)
{
    size_t used = 0;
    for (const char *at = text; *at != '\0';) {
        size_t len = strcspn(at, " ");
        if (used > 0 && used + 1 + len > width) {
            fprintf(to, "\n%*s", (int)indent, "");
            used = 0;
        }
        fprintf(to, "%s%.*s", used > 0 ? " " : "", (int)len, at);
        used += len + (used > 0);
        at += len;
        at += strspn(at, " ");
    }
    fputc('\n', to);
}

static void print_options(FILE *to, const firn_option *options)
{
    enum { NAME_COLUMNS = 34, TEXT_COLUMNS = 64 };
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    for (; options->name != NULL; options++) {
        fprintf(to, "  %-*s", NAME_COLUMNS - 2, option_text(arena, options));
        const char *help = options->repeats
                               ? firn_arena_printf(arena, "%s (can be repeated)", options->help)
                               : options->help;
        print_wrapped(to, help, NAME_COLUMNS, TEXT_COLUMNS);
    }
}

static void print_row(FILE *to, int columns, const char *name, const char *summary)
{
    fprintf(to, "  %-*s%s\n", columns, name, summary);
}

void firn_help_overview(FILE *to)
{
    fprintf(to,
            "firn " FIRN_VERSION " - a data lakehouse in one program\n\n"
            "usage: firn [OPTIONS] COMMAND [ARGUMENTS]\n\n%scommands%s\n",
            firn_term_bold(to), firn_term_plain(to));
    for (const firn_command *at = firn_commands; at->name != NULL; at++) {
        const char *space = strchr(at->name, ' ');
        if (space == NULL) {
            print_row(to, 14, at->name, at->summary);
            continue;
        }
        /* The group stands where its first command does. */
        for (const firn_command_group *g = firn_command_groups; g->name != NULL; g++) {
            bool first = firn_command_in_group(at, g->name) != NULL &&
                         (at == firn_commands || firn_command_in_group(at - 1, g->name) == NULL);
            if (first) {
                print_row(to, 14, g->name, g->summary);
            }
        }
    }
    fprintf(to, "\n%soptions%s (before or after the command)\n", firn_term_bold(to),
            firn_term_plain(to));
    print_options(to, firn_global_options);
    fputs("\nStart with:  firn demo          a lake with tables, in seconds\n"
          "             firn init my-lake  an empty one\n"
          "More:        firn help COMMAND\n",
          to);
}

void firn_help_group(FILE *to, const firn_command_group *group)
{
    fprintf(to, "firn %s - %s\n\n%scommands%s\n", group->name, group->summary, firn_term_bold(to),
            firn_term_plain(to));
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    for (const firn_command *at = firn_commands; at->name != NULL; at++) {
        const char *word = firn_command_in_group(at, group->name);
        if (word != NULL) {
            print_row(to, 32, firn_arena_printf(arena, "%s %s", word, at->arguments), at->summary);
        }
    }
    fprintf(to, "\nMore: firn help %s COMMAND\n", group->name);
}

void firn_help_command(FILE *to, const firn_command *command)
{
    const char *bold = firn_term_bold(to);
    const char *plain = firn_term_plain(to);
    fprintf(to, "firn %s - %s\n\nusage: firn %s%s%s%s\n", command->name, command->summary,
            command->name, command->options[0].name != NULL ? " [OPTIONS]" : "",
            command->arguments[0] != '\0' ? " " : "", command->arguments);
    if (command->details != NULL) {
        fputc('\n', to);
        print_wrapped(to, command->details, 0, 98);
    }
    if (command->options[0].name != NULL) {
        fprintf(to, "\n%soptions%s\n", bold, plain);
        print_options(to, command->options);
    }
    fprintf(to, "\n%soptions of every command%s\n", bold, plain);
    print_options(to, firn_global_options);
    fprintf(to, "\n%sexamples%s\n", bold, plain);
    for (size_t i = 0; i < FIRN_COMMAND_EXAMPLES_MAX && command->examples[i] != NULL; i++) {
        fprintf(to, "  %s\n", command->examples[i]);
    }
}

/* ---- the reference page -------------------------------------------------------------------------------- */

static void markdown_options(FILE *to, const firn_option *options)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    fputs("| option | meaning |\n|---|---|\n", to);
    for (; options->name != NULL; options++) {
        fprintf(to, "| `%s` | %s%s |\n",
                firn_str_replace(arena, option_text(arena, options), "|", "\\|"), options->help,
                options->repeats ? " (can be repeated)" : "");
    }
    fputc('\n', to);
}

static void markdown_command(FILE *to, const firn_command *command)
{
    fprintf(to, "## firn %s\n\n", command->name);
    fprintf(to, "%c%s.", command->summary[0] - ('a' <= command->summary[0] ? 'a' - 'A' : 0),
            command->summary + 1);
    if (command->details != NULL) {
        fprintf(to, " %s", command->details);
    }
    fprintf(to, "\n\n```\nfirn %s%s%s%s\n```\n\n", command->name,
            command->options[0].name != NULL ? " [OPTIONS]" : "",
            command->arguments[0] != '\0' ? " " : "", command->arguments);
    if (command->options[0].name != NULL) {
        markdown_options(to, command->options);
    }
    fputs("Examples:\n\n```\n", to);
    for (size_t i = 0; i < FIRN_COMMAND_EXAMPLES_MAX && command->examples[i] != NULL; i++) {
        fprintf(to, "%s\n", command->examples[i]);
    }
    fputs("```\n\n", to);
}

static void markdown_reference(FILE *to)
{
    fputs("# Commands\n\n<!-- Made by `firn help --markdown`; a test compares the two. -->\n\n"
          "```\nfirn [OPTIONS] COMMAND [ARGUMENTS]\n```\n\n"
          "Exit codes: 0 done, 1 failed, 2 wrong usage. Errors are one sentence on standard error. "
          "Colours appear on a terminal only, and not when `NO_COLOR` is set.\n\n"
          "Options of every command, before or after it:\n\n",
          to);
    markdown_options(to, firn_global_options);
    for (const firn_command *at = firn_commands; at->name != NULL; at++) {
        markdown_command(to, at);
    }
    fputs("## Environment\n\n"
          "| variable | meaning |\n|---|---|\n"
          "| `FIRN_LAKE` | the lake's folder when `--lake` is not given |\n"
          "| `FIRN_HISTORY` | history file of the shell; default `~/.firn_history` |\n"
          "| `NO_COLOR` | no colours, also on a terminal |\n",
          to);
}

/* ---- completion ---------------------------------------------------------------------------------------- */

static void completion_options(FILE *to, const firn_option *options)
{
    for (; options->name != NULL; options++) {
        fprintf(to, " --%s", options->name);
    }
}

static void completion_bash(FILE *to)
{
    fputs("_firn() {\n"
          "    local word=${COMP_WORDS[COMP_CWORD]} first='' second='' words='' i\n"
          "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        case ${COMP_WORDS[i]} in\n"
          "        --lake | --ref | --format) ((i++)) ;;\n"
          "        -*) ;;\n"
          "        *) if [[ -z $first ]]; then first=${COMP_WORDS[i]}; "
          "elif [[ -z $second ]]; then second=${COMP_WORDS[i]}; fi ;;\n"
          "        esac\n"
          "    done\n"
          "    case \"$first $second\" in\n",
          to);
    for (const firn_command *at = firn_commands; at->name != NULL; at++) {
        fprintf(to, "    '%s'%s) words='", at->name, strchr(at->name, ' ') == NULL ? "\\ *" : "");
        completion_options(to, at->options);
        fputs("' ;;\n", to);
    }
    for (const firn_command_group *g = firn_command_groups; g->name != NULL; g++) {
        fprintf(to, "    '%s '*) words='", g->name);
        for (const firn_command *at = firn_commands; at->name != NULL; at++) {
            const char *word = firn_command_in_group(at, g->name);
            fprintf(to, "%s%s", word != NULL ? " " : "", word != NULL ? word : "");
        }
        fputs("' ;;\n", to);
    }
    fputs("    ' '*) words='", to);
    for (const firn_command *at = firn_commands; at->name != NULL; at++) {
        if (strchr(at->name, ' ') == NULL) {
            fprintf(to, " %s", at->name);
        }
    }
    for (const firn_command_group *g = firn_command_groups; g->name != NULL; g++) {
        fprintf(to, " %s", g->name);
    }
    fputs("' ;;\n    esac\n    words+='", to);
    completion_options(to, firn_global_options);
    fputs("'\n    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
          "    ((${#COMPREPLY[@]})) || mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
          "}\ncomplete -F _firn firn\n",
          to);
}

/* ---- firn help ------------------------------------------------------------------------------------------- */

static firn_rc help_about(firn_cli *cli, firn_err *err)
{
    const char *name = firn_str_join(cli->arena, cli->args.items, cli->args.len, " ");
    const firn_command *command = firn_command_find(name);
    const firn_command_group *group = firn_command_group_find(name);
    if (command != NULL) {
        firn_help_command(stdout, command);
        return FIRN_OK;
    }
    if (group != NULL) {
        firn_help_group(stdout, group);
        return FIRN_OK;
    }
    FIRN_VEC(const char *) known = {0};
    for (const firn_command *at = firn_commands; at->name != NULL; at++) {
        firn_vec_push(cli->arena, &known, at->name);
    }
    for (const firn_command_group *at = firn_command_groups; at->name != NULL; at++) {
        firn_vec_push(cli->arena, &known, at->name);
    }
    const char *near = firn_nearest(name, known.items, known.len);
    return firn_cli_usage(cli, err, "there is no command \"firn %s\"; %s%s%s", name,
                          near != NULL ? "did you mean firn " : "see: firn help",
                          near != NULL ? near : "", near != NULL ? "?" : "");
}

firn_rc firn_cmd_help(firn_cli *cli, firn_err *err)
{
    if (firn_cli_switch(cli, "markdown")) {
        markdown_reference(stdout);
    } else if (firn_cli_switch(cli, "config")) {
        fputs(firn_config_reference(cli->arena), stdout);
    } else if (firn_cli_switch(cli, "feeds")) {
        fputs(firn_feed_reference(cli->arena), stdout);
    } else if (firn_cli_switch(cli, "export-feeds")) {
        fputs(firn_export_feed_reference(cli->arena), stdout);
    } else if (firn_cli_switch(cli, "completion")) {
        completion_bash(stdout);
    } else if (cli->args.len > 0) {
        return help_about(cli, err);
    } else {
        firn_help_overview(stdout);
    }
    return FIRN_OK;
}
