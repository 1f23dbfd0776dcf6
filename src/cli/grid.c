/* Aligned lines with notes. See grid.h. */
#include "grid.h"

#include "base/vec.h"

enum { WIDTH_DEFAULT = 100, WIDTH_MIN = 40, NOTE_WIDTH_MIN = 24, INDENT = 1, GAP = 2 };

typedef struct line {
    const char **cells; /* NULL: a note */
    const char *note, *colour;
    size_t column; /* of a note */
} line;

struct firn_grid {
    firn_arena *arena;
    const firn_grid_column *columns;
    size_t n;
    size_t *widths;
    FIRN_VEC(line) lines;
};

firn_grid *firn_grid_new(firn_arena *arena, const firn_grid_column *columns, size_t n)
{
    firn_grid *grid = FIRN_NEW(arena, firn_grid);
    *grid = (firn_grid){.arena = arena, .columns = columns, .n = n};
    grid->widths = FIRN_NEW_N(arena, size_t, n);
    for (size_t i = 0; i < n; i++) {
        grid->widths[i] = firn_utf8_width(columns[i].name);
    }
    return grid;
}

void firn_grid_row(firn_grid *grid, const char *const *cells, const char *colour)
{
    line row = {.cells = FIRN_NEW_N(grid->arena, const char *, grid->n), .colour = colour};
    for (size_t i = 0; i < grid->n; i++) {
        row.cells[i] = cells[i] != NULL ? firn_text_safe(grid->arena, cells[i]) : "-";
        size_t width = firn_utf8_width(row.cells[i]);
        grid->widths[i] = width > grid->widths[i] ? width : grid->widths[i];
    }
    firn_vec_push(grid->arena, &grid->lines, row);
}

void firn_grid_note(firn_grid *grid, size_t column, const char *text, const char *colour)
{
    firn_vec_push(
        grid->arena, &grid->lines,
        ((line){.note = firn_text_safe(grid->arena, text), .column = column, .colour = colour}));
}

static void blanks(firn_buf *out, size_t n)
{
    while (n-- > 0) {
        firn_buf_putc(out, ' ');
    }
}

static void write_cells(const firn_grid *grid, const char *const *cells, const char *colour,
                        const char *plain, firn_buf *out)
{
    blanks(out, INDENT);
    for (size_t i = 0; i < grid->n; i++) {
        bool last = i + 1 == grid->n;
        size_t pad = grid->widths[i] - firn_utf8_width(cells[i]);
        blanks(out, grid->columns[i].right ? pad : 0);
        firn_buf_printf(out, "%s%s%s", last && colour != NULL ? colour : "", cells[i],
                        last && colour != NULL ? plain : "");
        blanks(out, last ? 0 : GAP + (grid->columns[i].right ? 0 : pad));
    }
    firn_buf_putc(out, '\n');
}

/* Words in lines of at most `width`; a word that is longer has its own. */
static void write_note(const firn_grid *grid, const line *note, size_t total, const char *plain,
                       firn_buf *out)
{
    size_t indent = INDENT;
    for (size_t i = 0; i < note->column && i < grid->n; i++) {
        indent += grid->widths[i] + GAP;
    }
    if (indent + NOTE_WIDTH_MIN > total) {
        indent = INDENT + GAP;
    }
    size_t width = total - indent, used = 0;
    blanks(out, indent);
    firn_buf_puts(out, note->colour != NULL ? note->colour : "");
    for (const char *at = note->note; *at != '\0';) {
        size_t len = strcspn(at, " ");
        size_t columns = firn_utf8_width(firn_arena_strndup(grid->arena, at, len));
        if (used > 0 && used + 1 + columns > width) {
            firn_buf_putc(out, '\n');
            blanks(out, indent);
            used = 0;
        }
        firn_buf_printf(out, "%s%.*s", used > 0 ? " " : "", (int)len, at);
        used += columns + (used > 0);
        at += len;
        at += strspn(at, " ");
    }
    firn_buf_printf(out, "%s\n", note->colour != NULL ? plain : "");
}

void firn_grid_write(const firn_grid *grid, FILE *to, firn_buf *out)
{
    int columns = firn_term_columns(to);
    size_t total = columns <= 0 ? WIDTH_DEFAULT : columns < WIDTH_MIN ? WIDTH_MIN : (size_t)columns;
    const char **names = FIRN_NEW_N(grid->arena, const char *, grid->n);
    for (size_t i = 0; i < grid->n; i++) {
        names[i] = grid->columns[i].name;
    }
    const char *plain = firn_term_plain(to);
    firn_buf_puts(out, firn_term_dim(to));
    write_cells(grid, names, NULL, plain, out);
    firn_buf_puts(out, plain);
    for (size_t i = 0; i < grid->lines.len; i++) {
        const line *each = &grid->lines.items[i];
        if (each->cells != NULL) {
            write_cells(grid, each->cells, each->colour, plain, out);
        } else {
            write_note(grid, each, total, plain, out);
        }
    }
}
