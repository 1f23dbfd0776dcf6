/* Declared columns, written as in SQL, as an Avro record:
 *
 *     id bigint not null, name string, price decimal(10, 2), at timestamptz,
 *     lines array<struct<sku string, qty int>>, tags map<string, string>, "odd name" double, ids bigint[]
 *
 *   boolean bool                         int integer smallint tinyint      bigint long
 *   float real                           double [precision]                decimal numeric [(p [, s])]
 *   string varchar text char [(n)] json  binary varbinary blob bytea bytes uuid
 *   date                                 time (microseconds)               timestamp, timestamptz (microseconds)
 *   timestamp_ns, timestamptz_ns         timestamp with[out] time zone     struct row (...) or <...>, with or without colons
 *   array list <t>, t[]                  map <string, t>
 *
 * Everything is optional but what says "not null". Keywords in any case.
 */
#ifndef FIRN_SOURCE_COLUMNS_H
#define FIRN_SOURCE_COLUMNS_H

#include "format/avro_schema.h"

/* SYNTAX with the position. The tree lives in the arena. */
firn_rc firn_columns_parse(firn_arena *arena, const char *text, const firn_avro_schema **out,
                           firn_err *err) FIRN_MUST_USE;

#endif
