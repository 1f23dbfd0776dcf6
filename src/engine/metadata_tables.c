#include "metadata_tables.h"
bool firn_metadata_table_known(const char *name) { (void)name; return false; }
const char *firn_metadata_table_names(void) { return ""; }
firn_rc firn_metadata_table_sql(firn_session *session, firn_arena *arena, const firn_metadata_table_options *options,
                                char **sql, firn_err *err)
{
    (void)session; (void)arena; (void)options; (void)sql;
    FIRN_FAIL(err, FIRN_E_UNSUPPORTED, "later");
}
