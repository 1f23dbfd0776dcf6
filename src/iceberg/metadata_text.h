/* Inside iceberg/: the text of metadata documents, of which successive versions share most. */
#ifndef ICEBERG_METADATA_TEXT_H
#define ICEBERG_METADATA_TEXT_H

#include "iceberg/metadata.h"

/* Text of the elements that one line of versions has written. Reference-counted; any thread. */
typedef struct firn_metadata_text firn_metadata_text;

/* Of a document that stands at the beginning of a line; lives as long as the arena. */
firn_metadata_text *firn_metadata_text_new(firn_arena *arena);
/* For the next version: the arena becomes one more holder. */
firn_metadata_text *firn_metadata_text_share(firn_metadata_text *text, firn_arena *arena);

#endif
