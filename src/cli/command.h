/* The one declaration of every command and option (command.c). Made from it: the parser (parse.c), help texts, the reference page
 * docs/reference/cli.md and the words for shell completion (help.c).
 *
 * To add a command: write cmd_<name>.c with its functions, declare them below, add rows to the table.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "base/err.h"

typedef struct firn_cli firn_cli;

typedef struct firn_option {
    const char *name;    /* long form without dashes */
    char letter;         /* short form; 0: none */
    const char *value;   /* what its value is called ("DIR"); NULL: a switch */
    const char *choices; /* "table|csv|json"; NULL: anything */
    bool repeats;        /* may be given several times; others: the last one counts */
    const char *help;
} firn_option;

enum { FIRN_COMMAND_OPTIONS_MAX = 16, FIRN_COMMAND_EXAMPLES_MAX = 5 };

typedef struct firn_command {
    const char *name;      /* "init", "table list" */
    const char *arguments; /* "TABLE [SNAPSHOT]", "NAME...": brackets are optional, dots repeat */
    const char *summary;   /* one line, no full stop */
    const char *details;   /* a paragraph, NULL: none */
    firn_rc (*run)(firn_cli *cli, firn_err *err);
    firn_option options[FIRN_COMMAND_OPTIONS_MAX]; /* up to a row without name */
    const char *examples[FIRN_COMMAND_EXAMPLES_MAX];
} firn_command;

typedef struct firn_command_group {
    const char *name; /* "table" */
    const char *summary;
} firn_command_group;

/* All end with a row without name. */
extern const firn_command firn_commands[];
extern const firn_command_group firn_command_groups[];
extern const firn_option firn_global_options[];

const firn_command *firn_command_find(const char *name);
const firn_command_group *firn_command_group_find(const char *name);
/* The command is one of the group's ("table list" of "table"); gives its second word, else NULL. */
const char *firn_command_in_group(const firn_command *command, const char *group);
/* How many arguments the command takes; *max is -1 for any number. */
void firn_command_arity(const firn_command *command, int *min, int *max);

firn_rc firn_cmd_init(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_demo(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_sql(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_table_list(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_table_show(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_table_schema(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_table_history(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_table_snapshots(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_table_files(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_table_properties(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_table_versions(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_table_diff(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_table_rollback(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_table_rename(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_table_drop(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_table_register(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_table_adopt(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_table_export(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_table_handover(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_ref_list(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_ref_show(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_ref_log(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_ref_branch(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_ref_tag(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_ref_diff(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_ref_merge(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_ref_cherry_pick(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_ref_reset(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_ref_rename(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_ref_delete(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_pipeline_list(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_pipeline_show(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_pipeline_run(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_pipeline_runs(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_pipeline_tasks(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_pipeline_checks(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_feed_list(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_feed_show(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_feed_add(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_feed_update(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_feed_enable(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_feed_disable(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_feed_archive(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_feed_restore(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_feed_sync(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_feed_compact(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_feed_retain(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_feed_tree(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_ingest_run(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_ingest_replay(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_ingest_resume(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_ingest_status(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_ingest_topics(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_maintain_compact(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_maintain_expire(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_export(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_report(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_schedule_list(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_schedule_run(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_serve(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_check(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_status(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_version(firn_cli *cli, firn_err *err) FIRN_MUST_USE;
firn_rc firn_cmd_help(firn_cli *cli, firn_err *err) FIRN_MUST_USE;

#endif
