/* Buffers of columns that were handed out and are done with, kept for the batches after them. Private to avro_*.c.
 *
 * A batch of 30 MB that is made anew each time costs as much in page faults as in decoding. So what Arrow's consumer releases goes back to the
 * shelf of the batch that it came from, and the batch takes it from there. A shelf holds no more bytes than the largest batch that was
 * handed out, and lives as long as its batch or an array of it does.
 */
#ifndef FIRN_FORMAT_AVRO_SHELF_H
#define FIRN_FORMAT_AVRO_SHELF_H

#include "base/err.h"

#include <stddef.h>

typedef struct firn_avro_shelf firn_avro_shelf; /* any thread */

firn_avro_shelf *firn_avro_shelf_new(void);
firn_avro_shelf *firn_avro_shelf_ref(firn_avro_shelf *shelf); /* NULL is fine: NULL */
void firn_avro_shelf_unref(firn_avro_shelf *shelf);           /* likewise */

/* As many bytes may lie here from now on, if it was less. */
void firn_avro_shelf_allow(firn_avro_shelf *shelf, size_t bytes);
/* firn_malloc's, of at least so many bytes; from the shelf if something on it fits. `shelf` may be NULL. */
void *firn_avro_shelf_take(firn_avro_shelf *shelf, size_t bytes);
/* Takes over a heap block, NULL too; frees it when it is small, or the shelf is full or NULL. */
void firn_avro_shelf_put(firn_avro_shelf *shelf, void *buffer);

#endif
