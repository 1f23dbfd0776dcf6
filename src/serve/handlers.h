/* Every handler, by file. See call.h for how to add one. */
#ifndef SERVE_HANDLERS_H
#define SERVE_HANDLERS_H

#include "call.h"

/* rest_config.c */
firn_rc firn_rest_config(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_serve_health(firn_call *call, firn_err *err) FIRN_MUST_USE;

/* rest_namespaces.c */
firn_rc firn_rest_namespace_list(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_namespace_create(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_namespace_load(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_namespace_exists(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_namespace_drop(firn_call *call, firn_err *err) FIRN_MUST_USE;
firn_rc firn_rest_namespace_properties(firn_call *call, firn_err *err) FIRN_MUST_USE;

#endif
