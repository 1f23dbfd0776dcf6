/* The driver of local files. */
#ifndef STORAGE_POSIX_H
#define STORAGE_POSIX_H

#include "storage/storage.h"

firn_storage_driver firn_posix_driver_new(bool fsync_off);

#endif
