/* Metadata documents as text.
 *
 * A table with thousands of snapshots is written anew by each commit, and but for the last snapshot it is what it was. Versions
 * share the JSON of their snapshots and log entries by reference, and a tree is never changed; so the text of such an element is
 * made once, kept by the element's address (and with a reference, so that no other comes to stand there), and copied.
 *
 * A line of versions has one store of texts, from the version that was parsed or created on. Elements that have been expired leave
 * it when they are as many as those that are left.
 */
#include "metadata_text.h"

#include "base/map.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

typedef struct fragment {
    json_t *element; /* a reference */
    const char *text;
    size_t len;
} fragment;

struct firn_metadata_text {
    atomic_size_t holders;
    pthread_mutex_t lock; /* of what follows; held while text is made, never across I/O */
    firn_arena *arena;    /* of the fragments */
    firn_imap *fragments; /* by the element's address */
    size_t n_last;        /* elements in the document written last */
};

/* ---- holders ------------------------------------------------------------------------------------------------------ */

static void drop_fragments(firn_metadata_text *text)
{
    int64_t address;
    void *value;
    for (size_t i = 0; firn_imap_next(text->fragments, &i, &address, &value);) {
        fragment *one = value;
        json_decref(one->element);
    }
    firn_arena_free(text->arena);
}

static void start(firn_metadata_text *text)
{
    text->arena = firn_arena_new();
    text->fragments = firn_imap_new(text->arena);
}

static void let_go(void *ctx)
{
    firn_metadata_text *text = ctx;
    if (atomic_fetch_sub(&text->holders, 1) != 1)
        return;
    drop_fragments(text);
    pthread_mutex_destroy(&text->lock);
    free(text);
}

firn_metadata_text *firn_metadata_text_new(firn_arena *arena)
{
    firn_metadata_text *text = firn_calloc(1, sizeof *text);
    atomic_init(&text->holders, 1);
    pthread_mutex_init(&text->lock, NULL);
    start(text);
    firn_arena_defer(arena, let_go, text);
    return text;
}

firn_metadata_text *firn_metadata_text_share(firn_metadata_text *text, firn_arena *arena)
{
    atomic_fetch_add(&text->holders, 1);
    firn_arena_defer(arena, let_go, text);
    return text;
}

/* ---- text ----------------------------------------------------------------------------------------------------------- */

/* @locks text->lock held */
static void write_element(firn_metadata_text *text, json_t *element, firn_buf *out)
{
    int64_t address = (int64_t)(intptr_t)element;
    fragment *one = firn_imap_get(text->fragments, address);
    if (!one) {
        size_t before = out->len;
        firn_json_write(out, element);
        if (out->overflow)
            return;
        one = FIRN_NEW(text->arena, fragment);
        one->element = json_incref(element);
        one->len = out->len - before;
        one->text = firn_arena_memdup(text->arena, out->data + before, one->len);
        firn_imap_put(text->fragments, address, one);
        return;
    }
    firn_buf_append(out, one->text, one->len);
}

static void write_elements(firn_metadata_text *text, const json_t *list, firn_buf *out)
{
    size_t i;
    json_t *element;
    firn_buf_putc(out, '[');
    json_array_foreach((json_t *)list, i, element)
    {
        if (i > 0)
            firn_buf_putc(out, ',');
        write_element(text, element, out);
    }
    firn_buf_putc(out, ']');
    text->n_last += json_array_size(list);
}

static bool is_long_list(const char *key, const json_t *value)
{
    return json_is_array(value) &&
           (firn_streq(key, "snapshots") || firn_streq(key, "snapshot-log") ||
            firn_streq(key, "metadata-log"));
}

/* Forget what has been expired once it is the larger part. */
static void prune(firn_metadata_text *text)
{
    enum { SLACK = 256 };
    if (firn_imap_len(text->fragments) > 2 * text->n_last + SLACK) {
        drop_fragments(text);
        start(text);
    }
    text->n_last = 0;
}

void firn_metadata_write(const firn_metadata *metadata, firn_buf *out)
{
    firn_metadata_text *text = metadata->text;
    json_t *doc = metadata->json;
    const char *before = "{";
    pthread_mutex_lock(&text->lock);
    prune(text);
    for (void *i = json_object_iter(doc); i; i = json_object_iter_next(doc, i)) {
        const char *key = json_object_iter_key(i);
        const json_t *value = json_object_iter_value(i);
        firn_buf_puts(out, before);
        firn_json_escape(out, key);
        firn_buf_putc(out, ':');
        if (is_long_list(key, value))
            write_elements(text, value, out);
        else
            firn_json_write(out, value);
        before = ",";
    }
    firn_buf_puts(out, before[0] == '{' ? "{}" : "}");
    pthread_mutex_unlock(&text->lock);
}
