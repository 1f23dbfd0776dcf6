/* Buffers for the next batch. */
#include "avro_shelf.h"

#include "base/str.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

enum {
    BUFFERS_MAX = 256,
    BUFFER_BYTES_MIN = 64 << 10, /* smaller ones malloc has at hand itself */
};

typedef struct buffer {
    void *data;
    size_t bytes;
} buffer;

struct firn_avro_shelf {
    pthread_mutex_t mutex; /* all below */
    int refs;
    int count;
    size_t bytes, bytes_max;
    buffer buffers[BUFFERS_MAX];
};

firn_avro_shelf *firn_avro_shelf_new(void)
{
    firn_avro_shelf *shelf = firn_calloc(1, sizeof *shelf);
    pthread_mutex_init(&shelf->mutex, NULL);
    shelf->refs = 1;
    return shelf;
}

firn_avro_shelf *firn_avro_shelf_ref(firn_avro_shelf *shelf)
{
    if (!shelf)
        return NULL;
    pthread_mutex_lock(&shelf->mutex);
    shelf->refs++;
    pthread_mutex_unlock(&shelf->mutex);
    return shelf;
}

void firn_avro_shelf_unref(firn_avro_shelf *shelf)
{
    if (!shelf)
        return;
    pthread_mutex_lock(&shelf->mutex);
    bool last = --shelf->refs == 0;
    pthread_mutex_unlock(&shelf->mutex);
    if (!last)
        return;
    for (int i = 0; i < shelf->count; i++)
        free(shelf->buffers[i].data);
    pthread_mutex_destroy(&shelf->mutex);
    free(shelf);
}

void firn_avro_shelf_allow(firn_avro_shelf *shelf, size_t bytes)
{
    if (!shelf)
        return;
    pthread_mutex_lock(&shelf->mutex);
    if (shelf->bytes_max < bytes)
        shelf->bytes_max = bytes;
    pthread_mutex_unlock(&shelf->mutex);
}

/* The smallest that is large enough, and not twice as large; NULL: none. */
static buffer *find(firn_avro_shelf *shelf, size_t bytes)
{
    buffer *best = NULL;
    for (int i = 0; i < shelf->count; i++) {
        buffer *b = &shelf->buffers[i];
        if (b->bytes >= bytes && b->bytes / 2 <= bytes && (!best || b->bytes < best->bytes))
            best = b;
    }
    return best;
}

void *firn_avro_shelf_take(firn_avro_shelf *shelf, size_t bytes)
{
    if (!shelf || bytes < BUFFER_BYTES_MIN)
        return firn_malloc(bytes);
    pthread_mutex_lock(&shelf->mutex);
    buffer *found = find(shelf, bytes);
    void *data = NULL;
    if (found) {
        data = found->data;
        shelf->bytes -= found->bytes;
        *found = shelf->buffers[--shelf->count];
    }
    pthread_mutex_unlock(&shelf->mutex);
    return data ? data : firn_malloc(bytes);
}

void firn_avro_shelf_put(firn_avro_shelf *shelf, void *data)
{
    size_t bytes = malloc_usable_size(data);
    if (shelf && bytes >= BUFFER_BYTES_MIN) {
        pthread_mutex_lock(&shelf->mutex);
        if (shelf->count < BUFFERS_MAX && bytes <= shelf->bytes_max - shelf->bytes) {
            shelf->buffers[shelf->count++] = (buffer){.data = data, .bytes = bytes};
            shelf->bytes += bytes;
            data = NULL;
        }
        pthread_mutex_unlock(&shelf->mutex);
    }
    free(data);
}
