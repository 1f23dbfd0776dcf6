/* Sheets: see sheet.h. The rows are registered among the live scans, because they live and are looked up like them.
 */
#include "sheet.h"

#include "scans.h"

#include "base/vec.h"

#include <inttypes.h>

typedef struct sheet_column {
    const char *name, *type, *expr; /* type NULL: computed */
    bool hidden;
} sheet_column;

struct firn_sheet {
    firn_arena *arena;
    FIRN_VEC(sheet_column) columns;
    FIRN_VEC(const char *) rows;
};

firn_sheet *firn_sheet_new(firn_arena *arena)
{
    firn_sheet *sheet = FIRN_NEW(arena, firn_sheet);
    sheet->arena = arena;
    return sheet;
}

static void add_column(firn_sheet *sheet, sheet_column column)
{
    firn_vec_push(sheet->arena, &sheet->columns, column);
}

void firn_sheet_column(firn_sheet *sheet, const char *name, const char *type)
{
    add_column(sheet, (sheet_column){.name = name, .type = type});
}

void firn_sheet_computed(firn_sheet *sheet, const char *name, const char *expr)
{
    add_column(sheet, (sheet_column){.name = name, .expr = expr});
}

void firn_sheet_hidden(firn_sheet *sheet, const char *name, const char *type)
{
    add_column(sheet, (sheet_column){.name = name, .type = type, .hidden = true});
}

void firn_sheet_row(firn_sheet *sheet, json_t *row)
{
    /* A text that is not UTF-8 has no JSON: the row then shows nulls instead of ending the query. */
    firn_vec_push(sheet->arena, &sheet->rows,
                  row != NULL ? (const char *)firn_json_text(sheet->arena, row) : "{}");
    json_decref(row);
}

char *firn_sheet_expr(firn_arena *arena, const char *name, const char *type)
{
    const char *ref = firn_arena_printf(arena, "r.%s", firn_sql_ident(arena, name));
    if (firn_streq(type, "BLOB")) {
        return firn_arena_printf(arena, "unhex(%s)", ref);
    }
    if (firn_streq(type, "MAP(INTEGER, BLOB)")) {
        return firn_arena_printf(
            arena,
            "map_from_entries(list_transform(map_entries(%s), lambda e: struct_pack(k := e.key, v := unhex(e.value))))",
            ref);
    }
    return firn_arena_strdup(arena, ref);
}

char *firn_sheet_sql(firn_session *session, firn_sheet *sheet)
{
    firn_arena *arena = sheet->arena;
    FIRN_AUTO_BUF firn_buf select = {0};
    FIRN_AUTO_BUF firn_buf structure = {0};
    for (size_t i = 0; i < sheet->columns.len; i++) {
        const sheet_column *column = &sheet->columns.items[i];
        if (column->type != NULL) {
            const char *json_type = firn_str_replace(arena, column->type, "BLOB", "VARCHAR");
            firn_buf_puts(&structure, structure.len > 0 ? ", " : "{");
            firn_json_escape(&structure, column->name);
            firn_buf_puts(&structure, ": ");
            firn_json_escape(&structure, json_type);
        }
        if (!column->hidden) {
            const char *expr = column->type != NULL
                                   ? firn_sheet_expr(arena, column->name, column->type)
                                   : column->expr;
            firn_buf_printf(&select, "%s%s AS %s", select.len > 0 ? ", " : "", expr,
                            firn_sql_ident(arena, column->name));
        }
    }
    firn_buf_putc(&structure, '}');
    int64_t number =
        firn_rows_register(session->engine->scans, arena, sheet->rows.items, sheet->rows.len);
    return firn_arena_printf(
        arena, "(SELECT %s FROM (SELECT from_json(j, %s) AS r FROM firn_rows(%" PRId64 ")))",
        firn_buf_cstr(&select), firn_sql_quote(arena, firn_buf_cstr(&structure)), number);
}
