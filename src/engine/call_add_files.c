/* CALL add_files: Spark's spelling of adopting files into a table that is there.
 *
 *   CALL system.add_files(table => 'db.t', source_table => '`parquet`.`/path`', partition_filter => map('day', '2024-01-01'))
 *
 * As in Spark, the table's columns stay as they are (columns that it has not are not read), and a file that it has already is an error
 * unless check_duplicate_files => false. Otherwise than in Spark, the table is marked gc.enabled=false if it says nothing of its own, and
 * a file that the table had once and no more counts as a duplicate.
 */
#include "call.h"

#include "engine/adopt.h"

#include <string.h>

/* `text` (with `` for `), at *at; gives what is inside. Bare text up to `stop` (or the end) without backquotes. */
static const char *quoted_part(firn_arena *arena, const char **at, char stop)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    const char *from = *at;
    if (*from != '`') {
        size_t len = stop != '\0' && strchr(from, stop) != NULL
                         ? (size_t)(strchr(from, stop) - from)
                         : strlen(from);
        *at = from + len;
        return firn_arena_strndup(arena, from, len);
    }
    for (from++; *from != '\0' && (*from != '`' || from[1] == '`'); from++) {
        from += *from == '`';
        firn_buf_putc(&out, (uint8_t)*from);
    }
    *at = from + (*from == '`');
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}

static firn_rc source_folder(firn_call *call, const char **out, firn_err *err)
{
    const char *text = call->arguments[1];
    const char *at = text;
    if (text[0] == '/' || firn_starts_with(text, "file:") || strstr(text, "://") != NULL) {
        *out = text;
        return FIRN_OK;
    }
    const char *format = quoted_part(call->arena, &at, '.');
    if (*at++ != '.') {
        FIRN_FAIL(err, FIRN_E_INVALID,
                  "add_files: source_table is a folder of Parquet files, '`parquet`.`/path`', not "
                  "'%s'",
                  text);
    }
    *out = quoted_part(call->arena, &at, '\0');
    bool path = (*out)[0] == '/' || strchr(*out, ':') != NULL;
    if (path && firn_strcaseeq(format, "parquet") && *at == '\0') {
        return FIRN_OK;
    }
    if (path) {
        FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
                  "add_files takes Parquet files only, '`parquet`.`/path`', not '%s'. Copy other "
                  "rows with INSERT ... SELECT",
                  text);
    }
    FIRN_FAIL(
        err, FIRN_E_UNSUPPORTED,
        "add_files: '%s' is a table's name, or no absolute path; firn takes the folder itself: "
        "'`parquet`.`/path`'",
        text);
}

static firn_rc read_filter(firn_call *call, firn_adopt_options *options, firn_err *err)
{
    json_t *json = NULL;
    const char *key = NULL;
    json_t *value = NULL;
    if (call->arguments[2] == NULL) {
        return FIRN_OK;
    }
    if (firn_json_parse(call->arena, firn_bytes_str(call->arguments[2]), "partition_filter", &json,
                        NULL) != FIRN_OK ||
        !json_is_object(json)) {
        FIRN_FAIL(err, FIRN_E_TYPE, "add_files: partition_filter is map('column', 'value', ...)");
    }
    firn_hive_key *filter = FIRN_NEW_N(call->arena, firn_hive_key, json_object_size(json));
    json_object_foreach(json, key, value)
    {
        filter[options->n_filter++] =
            (firn_hive_key){.name = key, .value = json_string_value(value)};
    }
    options->filter = filter;
    return FIRN_OK;
}

firn_rc firn_call_add_files(firn_call *call, firn_result **out, firn_err *err)
{
    const char *check = call->arguments[3];
    bool allow = check != NULL && firn_strcaseeq(check, "false");
    firn_adopt_options options = {.ident = call->ident,
                                  .add = true,
                                  .keep_schema = true,
                                  .refuse_known = !allow,
                                  .allow_known = allow};
    firn_adopt_result result = {0};
    static const char *const columns[] = {"added_files_count BIGINT",
                                          "changed_partition_count BIGINT"};
    FIRN_TRY(source_folder(call, &options.folder, err));
    FIRN_TRY(read_filter(call, &options, err));
    FIRN_TRY(firn_session_adopt(call->session, call->arena, &options, &result, err));
    size_t partitions = result.partitions == 0 && result.files > 0 ? 1 : result.partitions;
    *out = firn_text_table(call->arena, "CALL", columns, 2);
    firn_result_add_row(*out,
                        (const char *const[]){firn_i64_text(call->arena, result.files),
                                              firn_i64_text(call->arena, (int64_t)partitions)});
    return FIRN_OK;
}
