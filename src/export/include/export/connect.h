/* The ksqlDB server of a feed, as firn.yaml's `sources` describe it. */
#ifndef EXPORT_CONNECT_H
#define EXPORT_CONNECT_H

#include "lake/lake.h"
#include "source/ksqldb.h"

/* server: a name of firn.yaml's `sources` (firn_export_feed.server); NULL when there is one ksqlDB source only. Connects to nothing
 * yet. CONFIG as firn_source_config_find, and for a timeout that is none. */
firn_rc firn_export_ksqldb_open(firn_lake *lake, const char *server, firn_ksqldb **out,
                                firn_err *err) FIRN_MUST_USE;

#endif
