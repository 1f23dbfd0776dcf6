/* Apache Avro 1.12 in five parts, each its own header; include this one for all of them.
 *
 *   avro_schema.h   schemas parsed from JSON, every attribute kept
 *   avro_codec.h    the binary encoding: primitives to write and read, skipping by schema
 *   avro_file.h     object container files: reader and writer
 *   avro_value.h    one datum at a time as a tree: for tests and odd uses
 *   avro_columns.h  many records at once into Arrow-shaped columns: the fast way
 *
 * Nothing here does I/O and nothing here trusts its input: what is malformed gives CORRUPT, what is larger than a
 * stated bound LIMIT, what firn does not do UNSUPPORTED. Objects have no locks: one thread at a time uses a
 * reader, writer or batch; schemas and decoders are immutable once made and may be shared.
 */
#ifndef FORMAT_AVRO_H
#define FORMAT_AVRO_H

#include "format/avro_codec.h"
#include "format/avro_columns.h"
#include "format/avro_file.h"
#include "format/avro_schema.h"
#include "format/avro_value.h"

#endif
