/* Aligned lines for people, with notes below them: lists in which some rows have more to say than fits a column. Two blanks between
 * columns, no lines; numbers to the right. Notes are wrapped to the terminal (100 columns elsewhere) and indented. Texts must live
 * as long as the arena; control characters are shown as escapes.
 */
#ifndef CLI_GRID_H
#define CLI_GRID_H

#include "output.h"

typedef struct firn_grid_column {
    const char *name;
    bool right;
} firn_grid_column;

typedef struct firn_grid firn_grid;
firn_grid *firn_grid_new(firn_arena *arena, const firn_grid_column *columns, size_t n);
/* One text per column, NULL: "-". `colour` (nullable) is that of the last column's text: an escape sequence. */
void firn_grid_row(firn_grid *grid, const char *const *cells, const char *colour);
/* Below the last row, from the start of `column` on. */
void firn_grid_note(firn_grid *grid, size_t column, const char *text, const char *colour);
/* The lines, each ended by "\n". */
void firn_grid_write(const firn_grid *grid, FILE *to, firn_buf *out);

#endif
