/* Bytes that come page by page and go as a whole, in blocks that are never moved: what grows as one buffer is copied twice on its way, and touches as much memory again. */
#include "parquet_parts.h"

enum { BLOCK_BYTES_MIN = 1 << 13, BLOCK_BYTES_MAX = 1 << 18 };

/* Of 8 KB at first, then of 16, ... 256 KB: most columns of most files have few bytes. */
static firn_parquet_block *next_block(firn_parquet_pages *pages)
{
    if (pages->used == pages->n) {
        size_t wanted = (pages->n + 1) * sizeof(*pages->blocks);
        firn_more_room((void **)&pages->blocks, &pages->blocks_bytes, wanted);
        size_t bytes = pages->n < 5 ? (size_t)BLOCK_BYTES_MIN << pages->n : (size_t)BLOCK_BYTES_MAX;
        pages->blocks[pages->n++] =
            (firn_parquet_block){.data = firn_malloc(bytes), .bytes = bytes};
    }
    firn_parquet_block *block = &pages->blocks[pages->used++];
    block->len = 0;
    return block;
}

void firn_parquet_pages_add(firn_parquet_pages *pages, firn_bytes bytes)
{
    firn_parquet_block *block = pages->used > 0 ? &pages->blocks[pages->used - 1] : NULL;
    pages->len += bytes.len;
    while (bytes.len > 0) {
        if (block == NULL || block->len == block->bytes) {
            block = next_block(pages);
        }
        size_t room = block->bytes - block->len;
        size_t step = bytes.len < room ? bytes.len : room;
        memcpy(block->data + block->len, bytes.data, step);
        block->len += step;
        bytes = firn_bytes_of(bytes.data + step, bytes.len - step);
    }
}

void firn_parquet_pages_clear(firn_parquet_pages *pages)
{
    pages->used = pages->len = 0;
}

void firn_parquet_pages_deinit(firn_parquet_pages *pages)
{
    for (size_t i = 0; i < pages->n; i++) {
        free(pages->blocks[i].data);
    }
    free(pages->blocks);
}
