/* The keys of a feed's file, read into a firn_feed; what its values mean together is feed.c's. */
#ifndef INGEST_FEED_KEYS_H
#define INGEST_FEED_KEYS_H

#include "ingest/feed.h"

/* Every key's default, then the file's values. CONFIG with file and line. */
firn_rc firn_feed_keys_read(firn_arena *arena, firn_bytes text, const char *filename,
                            firn_feed *out, firn_err *err) FIRN_MUST_USE;

#endif
