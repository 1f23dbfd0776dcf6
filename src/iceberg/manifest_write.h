/* Shared by the writers of manifests and manifest lists. */
#ifndef ICEBERG_MANIFEST_WRITE_H
#define ICEBERG_MANIFEST_WRITE_H

#include "format/avro_file.h"
#include "format/decimal.h"
#include "iceberg/manifest.h"

/* write.avro.compression-codec and -level; gzip is deflate. */
firn_avro_codec firn_manifest_codec(const firn_metadata *metadata, int *level);

/* A deletion vector: a blob in a Puffin file. */
static inline bool firn_data_file_is_dv(const firn_data_file *file)
{
    return file->content == FIRN_CONTENT_POSITION_DELETES && file->content_offset >= 0 &&
           file->format && firn_streq(file->format, "PUFFIN");
}

#endif
