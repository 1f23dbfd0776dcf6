/* TAB in the shell: keywords, schemas, tables, the columns of the tables that the statement names, backslash commands.
 *
 * Candidates are looked up afresh at every TAB, from the catalog and its cache of metadata: they are those of the current branch at
 * this moment. Completion never fails: what cannot be read is not offered.
 */
#include "shell.h"

#include <ctype.h>
#include <stdlib.h>

enum { COLUMNS_OF_TABLES_MAX = 64 }; /* no TAB reads the metadata of a lake of thousands */

static const char *const KEYWORDS[] = {
    "add",    "after",     "all",       "alter",         "and",      "as",        "asc",
    "at",     "between",   "branch",    "bucket",        "by",       "call",      "case",
    "cast",   "column",    "comment",   "count",         "create",   "cross",     "date",
    "days",   "delete",    "desc",      "describe",      "distinct", "drop",      "else",
    "end",    "except",    "exists",    "explain",       "false",    "first",     "for",
    "from",   "full",      "group",     "having",        "hours",    "if",        "in",
    "inner",  "insert",    "intersect", "interval",      "into",     "is",        "join",
    "left",   "like",      "limit",     "main",          "matched",  "merge",     "months",
    "not",    "null",      "of",        "offset",        "on",       "or",        "order",
    "outer",  "overwrite", "partition", "partitioned",   "qualify",  "rename",    "replace",
    "right",  "schema",    "select",    "set",           "show",     "snapshots", "summarize",
    "table",  "tables",    "tag",       "tblproperties", "then",     "timestamp", "to",
    "true",   "truncate",  "union",     "unique",        "update",   "use",       "using",
    "values", "version",   "view",      "views",         "when",     "where",     "with",
    "write",  "years",
};

typedef FIRN_VEC(const char *) words;

static bool starts(const char *text, const char *prefix, size_t len)
{
    return strlen(text) >= len && strncasecmp(text, prefix, len) == 0;
}

static void offer(firn_arena *arena, words *found, const char *candidate, const char *typed)
{
    if (!starts(candidate, typed, strlen(typed))) {
        return;
    }
    for (size_t i = 0; i < found->len; i++) {
        if (firn_streq(found->items[i], candidate)) {
            return;
        }
    }
    firn_vec_push(arena, found, candidate);
}

/* Keywords follow the letter case of what was typed. */
static void offer_keywords(firn_arena *arena, words *found, const char *typed)
{
    bool upper = typed[0] != '\0' && isupper((unsigned char)typed[0]);
    for (size_t i = 0; typed[0] != '\0' && i < sizeof(KEYWORDS) / sizeof(KEYWORDS[0]); i++) {
        char *word = firn_arena_strdup(arena, KEYWORDS[i]);
        for (char *at = word; upper && *at != '\0'; at++) {
            *at = (char)toupper((unsigned char)*at);
        }
        offer(arena, found, word, typed);
    }
}

static void offer_columns(firn_arena *arena, firn_catalog *catalog, const char *ref,
                          firn_ident ident, words *found, const char *typed)
{
    firn_table table;
    if (firn_catalog_table_load(catalog, arena, ref, ident, &table, NULL) != FIRN_OK) {
        return;
    }
    for (size_t i = 0; i < table.metadata->schema->root.n_fields; i++) {
        offer(arena, found, firn_arena_strdup(arena, table.metadata->schema->root.fields[i].name),
              typed);
    }
}

static void offer_names(firn_shell_state *shell, firn_arena *arena, const char *statement,
                        const char *typed, words *found)
{
    firn_lake *lake = shell->view->cli->lake;
    if (lake == NULL) {
        return;
    }
    firn_catalog *catalog = firn_lake_catalog(lake);
    const char *ref = firn_session_ref(shell->view->session);
    static const firn_entry_kind KINDS[] = {FIRN_KIND_TABLE, FIRN_KIND_VIEW};
    for (size_t k = 0; k < sizeof(KINDS) / sizeof(KINDS[0]); k++) {
        firn_catalog_entry *entries = NULL;
        size_t n = 0;
        int read = 0;
        if (firn_catalog_list(catalog, arena, ref, KINDS[k], NULL, &entries, &n, NULL) != FIRN_OK) {
            return;
        }
        for (size_t i = 0; i < n; i++) {
            offer(arena, found, firn_ident_text(arena, entries[i].ident), typed);
            offer(arena, found,
                  firn_arena_printf(arena, "%s.", firn_ns_text(arena, entries[i].ident.ns)), typed);
            bool named = strcasestr(statement, entries[i].ident.name) != NULL;
            if (KINDS[k] == FIRN_KIND_TABLE && named && read++ < COLUMNS_OF_TABLES_MAX) {
                offer_columns(arena, catalog, ref, entries[i].ident, found, typed);
            }
        }
    }
    firn_ref *list = NULL;
    size_t n = 0;
    if (firn_catalog_ref_list(catalog, arena, &list, &n, NULL) == FIRN_OK) {
        for (size_t i = 0; i < n && typed[0] != '\0'; i++) {
            offer(arena, found, list[i].name, typed);
        }
    }
}

static void offer_meta(firn_arena *arena, words *found, const char *typed)
{
    const char *name = NULL;
    for (size_t i = 0; (name = firn_shell_meta_name(i)) != NULL; i++) {
        offer(arena, found, firn_arena_printf(arena, "\\%s", name), typed);
    }
}

/* How many bytes all candidates have in common (letter case aside). */
static size_t common_bytes(const words *found)
{
    size_t n = strlen(found->items[0]);
    for (size_t i = 1; i < found->len; i++) {
        size_t k = 0;
        while (k < n && tolower((unsigned char)found->items[i][k]) ==
                            tolower((unsigned char)found->items[0][k])) {
            k++;
        }
        n = k;
    }
    return n;
}

static void list_candidates(const words *found)
{
    size_t width = 0;
    for (size_t i = 0; i < found->len; i++) {
        size_t own = firn_utf8_width(found->items[i]);
        width = own > width ? own : width;
    }
    size_t columns = (size_t)firn_term_columns(stdout);
    size_t per_line = columns > width + 2 ? columns / (width + 2) : 1;
    for (size_t i = 0; i < found->len; i++) {
        printf("%s%-*s", i % per_line == 0 ? "\n" : "", (int)width + 2, found->items[i]);
    }
    fputc('\n', stdout);
    fflush(stdout);
}

static bool in_word(char c)
{
    return isalnum((unsigned char)c) || strchr("_.$\"\\/-", c) != NULL || ((unsigned char)c & 0x80);
}

static unsigned char complete(EditLine *el, int key)
{
    (void)key;
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_shell_state *shell = NULL;
    el_get(el, EL_CLIENTDATA, &shell);
    const LineInfo *info = el_line(el);
    const char *start = info->cursor;
    while (start > info->buffer && in_word(start[-1])) {
        start--;
    }
    const char *typed = firn_arena_strndup(arena, start, (size_t)(info->cursor - start));
    const char *line =
        firn_arena_strndup(arena, info->buffer, (size_t)(info->lastchar - info->buffer));
    words found = {0};
    if (typed[0] == '\\') {
        offer_meta(arena, &found, typed);
    } else {
        const char *so_far = shell->text.len > 0 ? firn_buf_cstr(&shell->text) : "";
        offer_names(shell, arena, firn_arena_printf(arena, "%s %s", so_far, line), typed, &found);
        offer_keywords(arena, &found, typed);
    }
    if (found.len == 0) {
        return CC_REFRESH_BEEP;
    }
    size_t have = strlen(typed);
    size_t common = common_bytes(&found);
    if (common > have || found.len == 1) {
        const char *whole = found.items[0];
        size_t last = strlen(whole) - 1;
        bool ends = found.len == 1 && whole[last] != '.';
        el_insertstr(el, firn_arena_printf(arena, "%.*s%s", (int)(common - have), whole + have,
                                           ends ? " " : ""));
        return CC_REFRESH;
    }
    list_candidates(&found);
    return CC_REDISPLAY;
}

void firn_shell_complete_init(firn_shell_state *shell)
{
    el_set(shell->el, EL_ADDFN, "firn-complete", "Complete names and keywords", complete);
    el_set(shell->el, EL_BIND, "^I", "firn-complete", NULL);
}
