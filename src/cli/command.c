/* The table of commands: see command.h. Order is the order of help and reference. */
#include "command.h"

#include <stddef.h>
#include <string.h>

const firn_option firn_global_options[] = {
    {"lake", 0, "DIR", NULL, false,
     "the lake's folder; default: $FIRN_LAKE, else the nearest parent folder with a firn.yaml"},
    {"ref", 0, "REF", NULL, false,
     "the branch to work on; to read also a tag or a commit id; default: main"},
    {"format", 0, "FORMAT", "table|csv|json", false,
     "how rows are printed: table (default), csv or json"},
    {"quiet", 'q', NULL, NULL, false, "print results only: no footers, no progress, no advice"},
    {"verbose", 'v', NULL, NULL, false, "say on stderr what happens underneath"},
    {"help", 'h', NULL, NULL, false, "explain the command"},
    {"version", 'V', NULL, NULL, false, "print the version"},
    {0},
};

const firn_command_group firn_command_groups[] = {
    {"table", "look at tables and change their metadata"},
    {"ref", "branches, tags and the commit log"},
    {"pipeline", "run pipelines and look at their runs"},
    {"feed", "look at the feeds that bring records into tables"},
    {"ingest", "run feeds: from Kafka into tables, each record once"},
    {0},
};

const firn_command firn_commands[] = {
    {"init",
     "[DIR]",
     "make a folder a lake",
     "Writes firn.yaml with every setting explained, an empty catalog and the folders. Without DIR "
     "it is the working folder, or what --lake names.",
     firn_cmd_init,
     {{"name", 0, "NAME", NULL, false, "the lake's name; default: the folder's"},
      {"catalog", 0, "URI", NULL, false,
       "the catalog's database, postgresql://user@host/database; default: a file in the lake"},
      {"schema", 0, "NAME", NULL, false, "the schema in that database; default: firn"}},
     {"firn init my-lake", "firn init . --name sales",
      "firn init shop --catalog 'postgresql://firn:${SHOP_PASSWORD}@db.internal/lakes' --schema shop"}},
    {"demo",
     "[NAME]",
     "make and fill the e-commerce demo lake",
     "Makes the lake if it is not there, puts the example pipeline into it and runs it: sample "
     "data, bronze, quality gates, silver, gold, report. Run it again for another run on the same "
     "lake. The default lake is ./demo-lake.",
     firn_cmd_demo,
     {{"scale", 0, "N", NULL, false, "times as much data; 1 means 5,000 orders (default)"},
      {"seed", 0, "N", NULL, false, "the same seed gives the same data; default 42"},
      {"export-parquet", 0, NULL, NULL, false,
       "also write plain Parquet copies of the tables (gold/daily_sales.parquet, ...)"}},
     {"firn demo", "firn demo ecommerce --lake /tmp/shop --scale 200"}},
    {"sql",
     "",
     "run SQL, or open the interactive shell",
     "With neither -c nor -f: the shell on a terminal, else the statements on standard input. "
     "Statements run in order up to the first error; each one is one atomic commit.",
     firn_cmd_sql,
     {{"command", 'c', "SQL", NULL, true, "run these statements"},
      {"file", 'f', "FILE", NULL, true, "run the statements of a file; - is standard input"},
      {"expanded", 'x', NULL, NULL, false, "one line per column instead of one per row"}},
     {"firn sql", "firn sql -c \"select * from gold.daily_sales limit 5\"",
      "firn sql --format csv -c \"from gold.daily_sales\" > daily.csv",
      "firn --ref run/r-20261120-1 sql -f look.sql"}},

    {"table list",
     "[SCHEMA]",
     "list tables with their rows, files and sizes",
     NULL,
     firn_cmd_table_list,
     {{0}},
     {"firn table list", "firn table list gold --format json"}},
    {"table show",
     "TABLE",
     "show a table: columns, partitions, counts, location",
     NULL,
     firn_cmd_table_show,
     {{0}},
     {"firn table show bronze.orders"}},
    {"table schema",
     "TABLE",
     "show the columns with types and field ids",
     NULL,
     firn_cmd_table_schema,
     {{"schema-id", 0, "N", NULL, false, "an earlier schema of the table"}},
     {"firn table schema bronze.orders"}},
    {"table history",
     "TABLE",
     "show which snapshot was current since when",
     NULL,
     firn_cmd_table_history,
     {{0}},
     {"firn table history bronze.orders"}},
    {"table snapshots",
     "TABLE",
     "list the snapshots with what each added and removed",
     NULL,
     firn_cmd_table_snapshots,
     {{0}},
     {"firn table snapshots bronze.orders"}},
    {"table files",
     "TABLE",
     "list the data files of the current snapshot",
     NULL,
     firn_cmd_table_files,
     {{"snapshot", 0, "ID", NULL, false, "of another snapshot"},
      {"limit", 0, "N", NULL, false, "at most so many files"}},
     {"firn table files bronze.orders --limit 20"}},
    {"table properties",
     "TABLE",
     "show table properties, set or remove them",
     "All changes of one call are one commit.",
     firn_cmd_table_properties,
     {{"set", 0, "KEY=VALUE", NULL, true, "set a property"},
      {"unset", 0, "KEY", NULL, true, "remove a property"}},
     {"firn table properties bronze.orders",
      "firn table properties bronze.orders --set write.target-file-size-bytes=134217728"}},
    {"table rollback",
     "TABLE",
     "make an earlier snapshot the current one again",
     "The snapshot must be an ancestor of the current one. No file is deleted: CALL "
     "set_current_snapshot('schema.table', ID) in firn sql moves forward again.",
     firn_cmd_table_rollback,
     {{"to", 0, "ID", NULL, false, "the snapshot; default: the one before the current"},
      {"as-of", 0, "TIME", NULL, false, "the snapshot that was current at this time (UTC)"}},
     {"firn table rollback bronze.orders",
      "firn table rollback bronze.orders --as-of \"2026-11-20 08:00\""}},
    {"table rename",
     "TABLE NEW",
     "rename a table, or move it to another schema",
     NULL,
     firn_cmd_table_rename,
     {{0}},
     {"firn table rename bronze.orders bronze.orders_2024"}},
    {"table drop",
     "TABLE...",
     "take tables out of the catalog",
     "Their files stay: other branches, tags and earlier commits may need them, and `firn table "
     "register` brings a table back. Several tables are dropped in one commit.",
     firn_cmd_table_drop,
     {{"if-exists", 0, NULL, NULL, false, "a table that is not there is no error"}},
     {"firn table drop bronze.orders_old"}},
    {"table register",
     "[TABLE] [METADATA_FILE]",
     "add existing Iceberg tables by their metadata files",
     "Nothing is copied: the tables' files stay where they are. With --scan every table below a "
     "folder is found by its metadata, named by its path (`sales.db/orders` and `sales/orders` "
     "become sales.orders) and registered, all in one commit. What is skipped is said, with the "
     "reason.",
     firn_cmd_table_register,
     {{"replace", 0, NULL, NULL, false, "point an existing table at this metadata file"},
      {"scan", 0, "DIR", NULL, false, "register every table and view below this folder"},
      {"namespace", 0, "NS", NULL, false, "--scan: put all of them into this namespace"},
      {"dry-run", 0, NULL, NULL, false, "--scan: show the plan and change nothing"},
      {"verify", 0, NULL, NULL, false,
       "--scan: check that the manifests and data files of each table are there"}},
     {"firn table register bronze.events /data/events/metadata/00003-1f.metadata.json",
      "firn table register --scan /data/warehouse --dry-run"}},

    {"table adopt",
     "TABLE DIR",
     "make a folder of Parquet files a table without copying them",
     "Columns come from the files' footers, partition columns from folders like `year=2024/`; record "
     "counts and statistics are the footers', no row is read. The files stay where they are, and "
     "the table is marked gc.enabled=false, so that no engine deletes them through it. With --add "
     "the table is there already and takes what is new in the folder: repeat it as the folder "
     "grows.",
     firn_cmd_table_adopt,
     {{"add", 0, NULL, NULL, false, "add the files that the table does not have yet"},
      {"partition", 0, "COLUMNS", NULL, false,
       "types of the partition columns, like \"year int, day date\"; default: inferred"},
      {"format-version", 0, "N", NULL, false,
       "Iceberg format of the new table; default: the lake's"},
      {"dry-run", 0, NULL, NULL, false, "say what would be done and change nothing"}},
     {"firn table adopt bronze.events /data/events",
      "firn table adopt bronze.events /data/events --add",
      "firn table adopt bronze.logs /data/logs --partition \"day date, host string\""}},

    {"table handover",
     "TABLE",
     "give a table to another catalog",
     "With --to the table's present metadata file is registered at an Iceberg REST catalog, and then "
     "the name is dropped here, in that order: whatever interrupts it, run it again. No file is "
     "copied. Without --to the metadata file is printed, with the commands that register it in "
     "Spark, PyIceberg, Trino and firn. Two catalogs that both write one table destroy it.",
     firn_cmd_table_handover,
     {{"to", 0, "URI", NULL, false, "an Iceberg REST catalog, http://... or https://..."},
      {"as", 0, "NAME", NULL, false, "namespace and name there; default: as here"},
      {"keep", 0, NULL, NULL, false, "leave the name here, too; one of the two must never write"},
      {"warehouse", 0, "NAME", NULL, false, "which of that catalog's warehouses"},
      {"token-env", 0, "VAR", NULL, false, "environment variable with a bearer token for it"},
      {"credential-env", 0, "VAR", NULL, false,
       "environment variable with OAuth2 id:secret for it"},
      {"version-hint", 0, NULL, NULL, false,
       "write version-hint.text, for readers that find a table by its folder"}},
     {"firn table handover gold.daily_sales",
      "firn table handover gold.daily_sales --to https://catalog.example/api --as sales.daily "
      "--token-env TOKEN"}},

    {"table export",
     "TABLE DIR",
     "copy a table's present state into a folder of its own",
     "Data, manifests and metadata are copied and all paths rewritten: the folder is a table by itself, "
     "with one snapshot and a uuid of its own, which any Iceberg engine registers. Interrupted, it is "
     "no table yet; run it again.",
     firn_cmd_table_export,
     {{0}},
     {"firn table export gold.daily_sales /mnt/usb/daily_sales"}},

    {"ref list", "", "list branches and tags", NULL, firn_cmd_ref_list, {{0}}, {"firn ref list"}},
    {"ref show",
     "[REF]",
     "show a branch, a tag or a commit",
     NULL,
     firn_cmd_ref_show,
     {{0}},
     {"firn ref show fix", "firn ref show 652aea7ab2"}},
    {"ref log",
     "[REF]",
     "show what was committed, when and by whom",
     NULL,
     firn_cmd_ref_log,
     {{"limit", 'n', "N", NULL, false, "at most so many commits; default 20, 0 for all"},
      {"table", 0, "TABLE", NULL, false, "only commits that touched this table or view"},
      {"schema", 0, "SCHEMA", NULL, false, "only commits that touched anything in this schema"},
      {"author", 0, "NAME", NULL, false, "only this author's"},
      {"since", 0, "TIME", NULL, false, "from this time on (UTC)"},
      {"until", 0, "TIME", NULL, false, "before this time (UTC)"}},
     {"firn ref log", "firn ref log main -n 5",
      "firn ref log --table bronze.orders --since 2026-11-20"}},
    {"ref branch",
     "NAME [FROM]",
     "make a branch",
     "A branch is a name: no table is copied. FROM is a branch, a tag or a commit id (7 digits of "
     "it will do).",
     firn_cmd_ref_branch,
     {{"replace", 0, NULL, NULL, false, "move the branch if it is there already"},
      {"expected", 0, "COMMIT", NULL, false, "only if FROM is at this commit"}},
     {"firn ref branch fix", "firn ref branch audit v2026.11"}},
    {"ref tag",
     "NAME [FROM]",
     "give the present state a name that stays",
     NULL,
     firn_cmd_ref_tag,
     {{"replace", 0, NULL, NULL, false, "move the tag if it is there already"},
      {"expected", 0, "COMMIT", NULL, false, "only if FROM is at this commit"}},
     {"firn ref tag v2026.11"}},
    {"ref diff",
     "FROM [TO]",
     "show what differs between two refs",
     "Without TO: the current branch (--ref, else main). Rows are counted by the snapshots between "
     "the two; no data is read.",
     firn_cmd_ref_diff,
     {{"rows", 0, NULL, NULL, false, "rows added and removed, per table"},
      {"schema", 0, NULL, NULL, false, "columns, partitioning, sort orders and properties"}},
     {"firn ref diff main fix", "firn ref diff main fix --schema"}},
    {"ref merge",
     "FROM [INTO]",
     "publish a branch's changes into another",
     "One atomic commit, whatever the number of tables. What the branch did to a table that both "
     "sides changed is done again on the target's state if the two go together: appended rows, "
     "added columns, properties, partitioning. Else the merge is refused, all conflicts are "
     "listed, and nothing changes. Without INTO: the current branch (--ref, else main).",
     firn_cmd_ref_merge,
     {{"dry-run", 0, NULL, NULL, false, "only say what would be merged, with all conflicts"},
      {"force", 0, "KEY", NULL, true,
       "take this table as the branch has it; \"schema S\" for a schema"},
      {"skip", 0, "KEY", NULL, true, "leave this table as the target has it"},
      {"theirs", 0, NULL, NULL, false, "where both sides changed a table, take the branch's"},
      {"expected", 0, "COMMIT", NULL, false, "only if INTO is at this commit"},
      {"message", 'm', "TEXT", NULL, false, "message of the merge commit"}},
     {"firn ref merge fix", "firn ref merge fix main --dry-run",
      "firn ref merge fix --force bronze.orders --skip silver.customers"}},
    {"ref cherry-pick",
     "COMMIT...",
     "do again on a branch what single commits did elsewhere",
     "Each becomes one commit with its message and author, in the order given; all of them or none. "
     "Tables that have changed since are treated as by a merge.",
     firn_cmd_ref_cherry_pick,
     {{"into", 0, "BRANCH", NULL, false, "the branch; default: the current one (--ref, else main)"},
      {"dry-run", 0, NULL, NULL, false, "only say what would be picked, with all conflicts"},
      {"force", 0, "KEY", NULL, true, "take this table as the commit left it"},
      {"skip", 0, "KEY", NULL, true, "leave this table as the branch has it"},
      {"theirs", 0, NULL, NULL, false, "where both changed a table, take the commit's"},
      {"expected", 0, "COMMIT", NULL, false, "only if the branch is at this commit"},
      {"message", 'm', "TEXT", NULL, false, "message of the new commits"}},
     {"firn ref cherry-pick 652aea7ab2", "firn ref cherry-pick 652aea7ab2 57c3a65ca9 --into dev"}},
    {"ref reset",
     "BRANCH TO",
     "put a branch back to an earlier commit, or anywhere",
     "TO is a branch, a tag or a commit id. Commits made since stay readable by their ids until "
     "maintenance removes what no branch and no tag needs. Tags do not move.",
     firn_cmd_ref_reset,
     {{"expected", 0, "COMMIT", NULL, false, "only if the branch is at this commit"}},
     {"firn ref reset dev main", "firn ref reset main 652aea7ab2"}},
    {"ref rename",
     "NAME NEW",
     "give a branch or tag another name",
     NULL,
     firn_cmd_ref_rename,
     {{0}},
     {"firn ref rename fix fix-2026-11"}},
    {"ref delete",
     "NAME...",
     "delete branches or tags",
     NULL,
     firn_cmd_ref_delete,
     {{"expected", 0, "COMMIT", NULL, false, "only if it is at this commit"}},
     {"firn ref delete fix"}},

    {"pipeline list",
     "",
     "list the lake's pipelines with their last run",
     NULL,
     firn_cmd_pipeline_list,
     {{0}},
     {"firn pipeline list"}},
    {"pipeline show",
     "PIPELINE",
     "show the tasks and how they depend on each other",
     NULL,
     firn_cmd_pipeline_show,
     {{0}},
     {"firn pipeline show ecommerce"}},
    {"pipeline run",
     "PIPELINE",
     "run a pipeline and publish what it made",
     "The run works on a branch of its own, which is merged into the target only if every gate "
     "passes. A failed run leaves the target as it was, and its branch for inspection. Ctrl-C "
     "cancels the run; a second one ends firn at once, and the next run clears up.",
     firn_cmd_pipeline_run,
     {{"set", 0, "NAME=VALUE", NULL, true, "give a parameter of the pipeline"},
      {"only", 0, "TASK", NULL, true, "run this task only"},
      {"target", 0, "BRANCH", NULL, false, "publish to this branch; default: main, or --ref"},
      {"no-publish", 0, NULL, NULL, false, "leave the result on the run's branch"},
      {"parallel", 0, "N", NULL, false, "tasks that run at once; default: one per CPU"},
      {"json", 0, NULL, NULL, false, "print one JSON object per event"}},
     {"firn pipeline run ecommerce", "firn pipeline run ecommerce --set scale=200",
      "firn pipeline run ecommerce --target staging"}},
    {"pipeline runs",
     "[PIPELINE]",
     "list past runs, newest first",
     NULL,
     firn_cmd_pipeline_runs,
     {{"limit", 'n', "N", NULL, false, "at most so many; default 20, 0 for all"}},
     {"firn pipeline runs"}},
    {"pipeline tasks",
     "RUN",
     "show the tasks of a run",
     NULL,
     firn_cmd_pipeline_tasks,
     {{0}},
     {"firn pipeline tasks r-20261120-1"}},
    {"pipeline checks",
     "RUN",
     "show the check results of a run",
     NULL,
     firn_cmd_pipeline_checks,
     {{0}},
     {"firn pipeline checks r-20261120-1"}},

    {"feed list",
     "",
     "list the lake's feeds",
     "A feed is a file in the lake's feeds folder.",
     firn_cmd_feed_list,
     {{0}},
     {"firn feed list"}},
    {"feed show",
     "FEED",
     "show a feed's settings, defaults included",
     NULL,
     firn_cmd_feed_show,
     {{0}},
     {"firn feed show orders"}},
    {"ingest run",
     "[FEED...]",
     "run feeds, until Ctrl-C",
     "Without names: every feed that is enabled. Ctrl-C commits what was read and leaves; killed at "
     "any instant, it goes on where the tables are. Start it on several machines and they share the "
     "partitions. Exit code 1 if a feed stopped by an error.",
     firn_cmd_ingest_run,
     {{"drain", 0, NULL, NULL, false, "stop when all that was there at the start is committed"},
      {"max-time", 0, "TIME", NULL, false, "stop after so long: 30s, 5m, 1h"}},
     {"firn ingest run", "firn ingest run orders --drain"}},
    {"ingest resume",
     "FEED",
     "say where a feed goes on from",
     "Changes the offsets that the feed's table holds, in a commit of its own: after a topic was made anew, or to "
     "read again what was read. Rows that are there stay: reading again may double them.",
     firn_cmd_ingest_resume,
     {{"from", 0, "PLACE", NULL, false,
       "earliest, latest, committed (by the consumer group), a time (UTC), or "
       "TOPIC:PARTITION=OFFSET,..."}},
     {"firn ingest resume orders --from earliest",
      "firn ingest resume orders --from \"2026-11-01 08:00\"",
      "firn ingest resume orders --from orders:0=1200,orders:1=1350"}},
    {"serve",
     "",
     "serve the catalog to Spark, PyIceberg, Trino and others over HTTP",
     "Runs until Ctrl-C or SIGTERM, then lets running requests finish. Clients speak the Iceberg "
     "REST protocol at http://HOST:PORT/iceberg, or /iceberg/BRANCH for another branch than main.",
     firn_cmd_serve,
     {{"http", 0, "ADDR", NULL, false,
       "host:port to listen on; default: serve.http of firn.yaml, 127.0.0.1:8181. Port 0 takes a "
       "free one"},
      {"auth", 0, "MODE", "none|token", false, "whether clients log in; default: serve.auth"}},
     {"firn serve", "firn serve --http 127.0.0.1:9000", "firn serve --auth token"}},
    {"check",
     "[PIPELINE...]",
     "run the data-quality checks of pipelines, changing nothing",
     "Without names: those of every pipeline. Exit code 1 if a check of severity error fails.",
     firn_cmd_check,
     {{0}},
     {"firn check", "firn --ref fix check ecommerce"}},
    {"status",
     "",
     "show what the lake holds and how it is doing",
     NULL,
     firn_cmd_status,
     {{0}},
     {"firn status", "firn status --format json"}},
    {"version", "", "print the version", NULL, firn_cmd_version, {{0}}, {"firn version"}},
    {"help",
     "[COMMAND...]",
     "explain firn or a command",
     NULL,
     firn_cmd_help,
     {{"markdown", 0, NULL, NULL, false, "the whole command reference as Markdown"},
      {"config", 0, NULL, NULL, false, "the reference of firn.yaml as Markdown"},
      {"feeds", 0, NULL, NULL, false, "the reference of feeds' files as Markdown"},
      {"completion", 0, "SHELL", "bash", false, "a completion script for your shell"}},
     {"firn help table rollback", "source <(firn help --completion bash)"}},
    {0},
};

const firn_command *firn_command_find(const char *name)
{
    for (const firn_command *at = firn_commands; at->name != NULL; at++) {
        if (strcmp(at->name, name) == 0) {
            return at;
        }
    }
    return NULL;
}

const firn_command_group *firn_command_group_find(const char *name)
{
    for (const firn_command_group *at = firn_command_groups; at->name != NULL; at++) {
        if (strcmp(at->name, name) == 0) {
            return at;
        }
    }
    return NULL;
}

const char *firn_command_in_group(const firn_command *command, const char *group)
{
    size_t len = strlen(group);
    bool inside = strncmp(command->name, group, len) == 0 && command->name[len] == ' ';
    return inside ? command->name + len + 1 : NULL;
}

void firn_command_arity(const firn_command *command, int *min, int *max)
{
    *min = 0;
    *max = 0;
    for (const char *at = command->arguments; *at != '\0'; at += strspn(at, " ")) {
        size_t len = strcspn(at, " ");
        bool repeats = memmem(at, len, "...", 3) != NULL;
        *min += at[0] != '[';
        *max = repeats ? -1 : *max + 1;
        at += len;
    }
}
