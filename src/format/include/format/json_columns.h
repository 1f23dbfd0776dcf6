/* JSON documents into columns (format/avro_columns.h): one object, one row, by a schema that says what becomes what.
 *
 *   Avro type of the schema           JSON that fits
 *   boolean                           true, false
 *   int, long                         a whole number (1.0 and 1e3 too); out of range: TYPE
 *   float, double                     any number; "NaN", "Infinity", "-Infinity"
 *   string, enum                      a string; any other value as its JSON text (so a column may hold JSON)
 *   bytes, fixed                      base64 (with or without padding, URL alphabet too)
 *   decimal                           a number or a string of digits, exactly; more digits than fit: TYPE. With "firn.base64": true in its
 *                                     declaration a string is the unscaled number's bytes, as Kafka Connect writes them
 *   uuid                              its text form
 *   date                              "2026-11-28", or days as a number
 *   time-*                            "12:34:56.789", also with Z, or a number in the type's unit
 *   timestamp-*                       ISO 8601 with offset or Z (without: UTC), a blank for the T too; or a number in the type's unit
 *   local-timestamp-*                 the same without offset
 *   record, array, map                object, array, object
 *   union with null                   null, or absent in an object: null. Without null in the union: TYPE names the path
 *
 * Members that the schema does not have are passed over, and counted. Names are compared as bytes; a member that fits no column exactly
 * but one when the case of ASCII letters is left aside fills that one, unless it was given already. Of a repeated member (or key of a
 * map) the last one counts. Depth is at most FIRN_AVRO_DEPTH_MAX.
 *
 * Also here: what schema fits documents that came without one.
 */
#ifndef FORMAT_JSON_COLUMNS_H
#define FORMAT_JSON_COLUMNS_H

#include "format/avro_columns.h"

typedef struct firn_json_decoder firn_json_decoder;

/* Immutable once made: any number of threads, each with a batch of its own. `schema` is a record and outlives the decoder. UNSUPPORTED
 * where JSON cannot fill a column: a union of several types, a map whose keys are no strings, a decimal of more than 38 digits. */
firn_rc firn_json_decoder_new(firn_arena *arena, const firn_avro_schema *schema,
                              const firn_avro_decoder_opts *opts, firn_json_decoder **out,
                              firn_err *err) FIRN_MUST_USE;
/* For firn_avro_batch_new and the Arrow schema. */
const firn_avro_decoder *firn_json_decoder_shape(const firn_json_decoder *decoder);
/* Append one document. On failure the batch is as it was: CORRUPT (not JSON, with the byte's position), TYPE (with the path), LIMIT.
 * *unknown (nullable) counts members without a column, at any depth, that could have one: nulls, empty arrays and objects have no type yet. */
firn_rc firn_json_decoder_decode(const firn_json_decoder *decoder, firn_bytes text,
                                 firn_avro_batch *batch, int64_t *unknown,
                                 firn_err *err) FIRN_MUST_USE;

/* ---- rows without names: each row an array of its columns' values, in their order ------------------------- */

/* The last column of the schema is no value of the array: it is a mark, a boolean that may not be null, and false until
 * firn_json_mark_row makes it true of the last row. */

/* Append the row whose array `text` begins with; *used is the array's bytes, what follows it is not looked at. On failure the batch is as it
 * was: CORRUPT, LIMIT, TYPE (with the path; also for more or fewer values than columns). */
firn_rc firn_json_decoder_row(const firn_json_decoder *decoder, firn_bytes text,
                              firn_avro_batch *batch, size_t *used, firn_err *err) FIRN_MUST_USE;

/* How rows stand in a text: `before`, the array, `after`; between them blanks, with a comma or without. */
typedef struct firn_json_frame {
    firn_bytes before, after;
    bool comma;
    size_t row_bytes_max; /* frame and all */
} firn_json_frame;
/* Append rows for as long as they stand whole in the text and as the frame says, `rows_max` at most, and give the bytes up to the end of the
 * last one. It stops in front of whatever it cannot take, malformed or cut off or only unusual, and leaves that to the caller. This is
 * the fast way. */
size_t firn_json_decoder_rows(const firn_json_decoder *decoder, const firn_json_frame *frame,
                              firn_bytes text, int64_t rows_max, firn_avro_batch *batch);
void firn_json_mark_row(firn_avro_batch *batch);

/* The text of a member's value in the object that is all of `text`: for what stands around rows. len 0: there is none (the last one of that
 * name counts). CORRUPT: not an object. */
firn_rc firn_json_member_text(firn_bytes text, const char *name, firn_bytes *out,
                              firn_err *err) FIRN_MUST_USE;

/* ---- schemas without a registry ----------------------------------------------------------------------- */
typedef struct firn_json_inference firn_json_inference; /* grows in its arena */
firn_json_inference *firn_json_inference_new(firn_arena *arena);
/* Widen by one document; *changed when the schema is another one now. All columns are nullable. Whole numbers are long, others double,
 * whole numbers beyond 64 bits decimal(38,0); ISO 8601 texts with an offset timestamp-micros, dates date; mixed kinds become string. A
 * member that was only ever null, [] or {} is no column yet. Names that differ in the case of ASCII letters are one column. An object with
 * more than 1,000 members is a string. On failure (CORRUPT, TYPE: no object; LIMIT) nothing is learned from the document. */
firn_rc firn_json_inference_add(firn_json_inference *inference, firn_bytes text, bool *changed,
                                firn_err *err) FIRN_MUST_USE;
/* The schema so far, in the inference's arena; NULL when no member was seen. */
const firn_avro_schema *firn_json_inference_schema(firn_json_inference *inference);

/* A JSON Schema (draft 4 to 2020-12) as the record that its documents are: types, format (date, date-time, time, uuid), required,
 * nullable, $ref (local, and into `references` by name), oneOf/anyOf with null, allOf merged, enum, additionalProperties as a map,
 * Confluent's "connect.type" and "title"/"connect.parameters" (decimal, date, time, timestamp). What has no column is a string that
 * holds JSON; a recursive definition too. UNSUPPORTED: the documents are no objects with properties. NOT_FOUND: a reference that leads
 * nowhere. */
typedef struct firn_json_schema_reference {
    const char *name, *text;
} firn_json_schema_reference;
firn_rc firn_json_schema_avro(firn_arena *arena, const char *text,
                              const firn_json_schema_reference *references, size_t n_references,
                              const firn_avro_schema **out, firn_err *err) FIRN_MUST_USE;

#endif
