/* Procedures that rooms above the engine bring to CALL: a table and arguments in, one row out. */
#ifndef ENGINE_PROCEDURES_H
#define ENGINE_PROCEDURES_H

#include "engine/engine.h"

enum { FIRN_PROCEDURE_ARGUMENTS_MAX = 5 };
typedef struct firn_outside_procedure {
    const char *name;
    const char
        *parameters[FIRN_PROCEDURE_ARGUMENTS_MAX]; /* required ones first, "table" before all */
    size_t n_required;
    const char *const *columns; /* of the row, with DuckDB's types */
    const char *const *types;
    size_t n_columns;
    /* Arguments in the order of the parameters, as text: NULL when not given; a map is a JSON object. Fills `cells`, whose texts live
     * in the arena; NULL is null. */
    firn_rc (*run)(firn_session *session, firn_arena *arena, firn_ident table,
                   const char *const *arguments, const char **cells, firn_err *err);
} firn_outside_procedure;
/* Before the engine's first session; the list must outlive it. */
void firn_engine_set_procedures(firn_engine *engine, const firn_outside_procedure *procedures,
                                size_t n);

#endif
