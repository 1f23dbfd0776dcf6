/* Schema evolution: what a table's schema needs so that records of another schema fit into it.
 *
 * A pure function of the table's metadata and the records' schema; nothing is read or written. Columns are matched by name: exactly, or
 * else by the one column that has the name in other letter case. The order of columns does not count, nor do the records' field ids.
 *
 *   change                                       what comes of it
 *   a column, or a member of a struct at any     added at the end, optional (and so is everything in it)
 *     depth, that the table does not have
 *   int -> long, float -> double, a decimal of   the table's column is widened
 *     more digits, date -> timestamp (v3)
 *   a NOT NULL column that records lack, or in   made optional; unsafe for key columns
 *     which they may hold nulls
 *   a narrower type: int for long, a decimal     nothing: the values fit
 *     of fewer digits, integers for a double
 *   a column that the records do not have        nothing: its default, or NULL
 *   anything else: another type, narrowing,      unsafe: a sentence for each; then no updates are made at all
 *     another scale, a scalar for a list
 *
 * Several processes may meet a new schema at once. Each calls this inside its commit, on the head that it is going to build on: the loser
 * of a race calls it again on the winner's schema and finds nothing left to do.
 */
#ifndef INGEST_EVOLVE_H
#define INGEST_EVOLVE_H

#include "iceberg/update.h"

typedef struct firn_evolve_options {
    const char *const *key; /* columns that identify rows (upserts), beside the identifier fields */
    size_t n_key;
    /* The records' schema says truly which columns may be null (Avro, Protobuf, JSON Schema). Else, as after inference or SQL, a column
     * that is there leaves a NOT NULL column as it is, and a null in it is that record's fault. */
    bool nullability_known;
} firn_evolve_options;

typedef struct firn_evolution {
    /* New arrays for the commit; empty when there is nothing to do, or when something is unsafe. */
    json_t *updates, *requirements;
    const firn_schema *schema; /* the table's afterwards */
    /* "adds column note string": for the log. */
    const char *const *changes;
    size_t n_changes;
    /* "price: the table has long, the records have string" */
    const char *const *unsafe;
    size_t n_unsafe;
} firn_evolution;

/* Everything lives in `arena`; the result borrows names of `table` and `records`. Fails only by INVALID: a table's schema that cannot be
 * built upon. Unsafe differences are no failure: read n_unsafe. */
firn_rc firn_evolve(firn_arena *arena, const firn_metadata *table, const firn_schema *records,
                    const firn_evolve_options *options, firn_evolution *out,
                    firn_err *err) FIRN_MUST_USE;

#endif
