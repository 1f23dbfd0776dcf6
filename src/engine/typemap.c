/* Iceberg types as DuckDB spells them. The other way, from SQL text to Iceberg types, is type_sql.c.
 *
 * Types that DuckDB cannot hold without loss are refused when a query uses the column, not when it uses the table: see read_shape.c.
 */
#include "read.h"

static const char *primitive(firn_arena *arena, const firn_type *type)
{
    switch (type->id) {
    case FIRN_TYPE_UNKNOWN:
        return "INTEGER"; /* all null; DuckDB's own choice for an untyped NULL */
    case FIRN_TYPE_BOOLEAN: return "BOOLEAN";
    case FIRN_TYPE_INT: return "INTEGER";
    case FIRN_TYPE_LONG: return "BIGINT";
    case FIRN_TYPE_FLOAT: return "FLOAT";
    case FIRN_TYPE_DOUBLE: return "DOUBLE";
    case FIRN_TYPE_DECIMAL:
        return firn_arena_printf(arena, "DECIMAL(%d,%d)", type->precision, type->scale);
    case FIRN_TYPE_DATE: return "DATE";
    case FIRN_TYPE_TIME: return "TIME";
    case FIRN_TYPE_TIMESTAMP: return "TIMESTAMP";
    case FIRN_TYPE_TIMESTAMPTZ: return "TIMESTAMP WITH TIME ZONE";
    case FIRN_TYPE_TIMESTAMP_NS: return "TIMESTAMP_NS";
    case FIRN_TYPE_STRING: return "VARCHAR";
    case FIRN_TYPE_UUID: return "UUID";
    case FIRN_TYPE_FIXED:
    case FIRN_TYPE_BINARY: return "BLOB";
    default: return NULL;
    }
}

static firn_rc unsupported(const firn_type *type, const char *column, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *why = type->id == FIRN_TYPE_TIMESTAMPTZ_NS
                          ? "the engine keeps microseconds only and would cut nanoseconds off"
                          : "the engine has no such type";
    FIRN_FAIL(err, FIRN_E_UNSUPPORTED,
              "column %s has the type %s: %s. Leave it out of the query, or read it with Spark",
              column, firn_type_text(arena, type), why);
}

firn_rc firn_type_to_duck(firn_arena *arena, const firn_type *type, const char *column,
                          const char **out, firn_err *err)
{
    const char *parts[2] = {NULL, NULL};
    switch (type->id) {
    case FIRN_TYPE_LIST:
        FIRN_TRY(firn_type_to_duck(arena, type->fields[0].type, column, &parts[0], err));
        *out = firn_arena_printf(arena, "%s[]", parts[0]);
        return FIRN_OK;
    case FIRN_TYPE_MAP:
        FIRN_TRY(firn_type_to_duck(arena, type->fields[0].type, column, &parts[0], err));
        FIRN_TRY(firn_type_to_duck(arena, type->fields[1].type, column, &parts[1], err));
        *out = firn_arena_printf(arena, "MAP(%s, %s)", parts[0], parts[1]);
        return FIRN_OK;
    case FIRN_TYPE_STRUCT: {
        FIRN_AUTO_BUF firn_buf text = {0};
        firn_buf_puts(&text, "STRUCT(");
        for (size_t i = 0; i < type->n_fields; i++) {
            FIRN_TRY(firn_type_to_duck(arena, type->fields[i].type, column, &parts[0], err));
            firn_buf_printf(&text, "%s%s %s", i > 0 ? ", " : "",
                            firn_sql_ident(arena, type->fields[i].name), parts[0]);
        }
        firn_buf_putc(&text, ')');
        *out = firn_arena_strdup(arena, firn_buf_cstr(&text));
        return FIRN_OK;
    }
    default: break;
    }
    *out = primitive(arena, type);
    return *out != NULL ? FIRN_OK : unsupported(type, column, err);
}
