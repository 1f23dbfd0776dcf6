/* How the files of one shape are read: from a file's columns (or the table's schema alone, when it tells enough) and the table's
 * schema to read_parquet's schema argument and the expressions that give the table's columns.
 *
 * read_parquet(schema = MAP {id: ...}) finds top-level columns by field id but members of structs by name, and gives NULL for a
 * member that it does not find, without an error. So a file whose nested columns have other names or members than the table's is
 * read with its own names and reshaped by an expression.
 */
#ifndef ENGINE_READ_SHAPE_H
#define ENGINE_READ_SHAPE_H

#include "footers.h"
#include "read.h"

/* A column that is read beside the table's: keys of equality deletes, row lineage. */
typedef struct firn_extra_column {
    int32_t field_id;
    const firn_type *type;
} firn_extra_column;

typedef struct firn_shape_options {
    const firn_schema *schema;
    const firn_footer *footer;              /* NULL: the file is as the schema says */
    const firn_name_mapping_field *mapping; /* for files without field ids */
    size_t n_mapping;
    /* Source columns of identity partition fields: a file that lacks the column has the value in its partition. */
    const int32_t *constant_ids;
    size_t n_constants;
    const firn_extra_column *extras;
    size_t n_extras;
    bool
        aliased; /* give every column as expression: the caller adds virtual columns or conditions */
    int64_t scan; /* for firn_constant */
} firn_shape_options;

typedef struct firn_shape {
    char *map;            /* "MAP {1: {name: ...}, ...}" */
    bool plain;           /* SELECT * gives exactly the table's columns */
    const char **columns; /* expression per column of the schema, over the alias f */
    const char **extras;  /* expression per extra column */
    bool uses_constants;
} firn_shape;

firn_rc firn_shape_of(firn_arena *arena, const firn_shape_options *options, firn_shape *out,
                      firn_err *err) FIRN_MUST_USE;

/* A value as text that CAST makes the column's type of; NULL for null. */
const char *firn_shape_value_text(firn_arena *arena, const firn_type *type,
                                  const firn_value *value);

/* Can files of the table have nested columns of another shape than `schema`? Then their footers must be looked at. */
bool firn_shape_has_evolved(const firn_metadata *metadata, const firn_schema *schema);

/* ['a', 'b'] with glob characters escaped. Appends. */
void firn_read_file_list(firn_arena *arena, firn_buf *out, const char *const *paths, size_t n);

#endif
