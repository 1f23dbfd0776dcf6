/* A sheet: rows that firn makes and DuckDB reads as a table, typed and nested.
 *
 * Each row is a JSON object text; the table function firn_rows(n) streams them, and from_json gives them their types:
 *
 *     firn_sheet *sheet = firn_sheet_new(arena);
 *     firn_sheet_column(sheet, "id", "BIGINT");
 *     firn_sheet_row(sheet, json);            (takes the reference)
 *     char *sql = firn_sheet_sql(session, sheet);    "(SELECT ... FROM firn_rows(3))"
 *
 * Blobs travel as hex: columns of type "BLOB" and "MAP(INTEGER, BLOB)" are turned back. The rows live until the arena ends.
 */
#ifndef ENGINE_SHEET_H
#define ENGINE_SHEET_H

#include "session.h"

typedef struct firn_sheet firn_sheet;
firn_sheet *firn_sheet_new(firn_arena *arena);
void firn_sheet_column(firn_sheet *sheet, const char *name, const char *type);
/* A column that the SELECT computes from the others, which are then hidden ("r.name" in `expr`). */
void firn_sheet_computed(firn_sheet *sheet, const char *name, const char *expr);
void firn_sheet_hidden(firn_sheet *sheet, const char *name, const char *type);
void firn_sheet_row(firn_sheet *sheet, json_t *row);
char *firn_sheet_sql(firn_session *session, firn_sheet *sheet);
/* What stands for a hidden column in a computed one: blobs turned back. */
char *firn_sheet_expr(firn_arena *arena, const char *name, const char *type);

#endif
