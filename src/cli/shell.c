/* The interactive shell. */
#include "sql_view.h"

firn_rc firn_shell(firn_sql_view *view, firn_err *err)
{
    return firn_sql_view_file(view, "-", err);
}
