/* Writers of one table wait in line instead of racing.
 *
 * In a process they stand in a line per table, first come, first served, and sleep until it is their turn. Only the head
 * of a line asks for the advisory lock between processes, so that thirty-two threads do not poll one lock file.
 *
 * Nothing depends on a turn: the compare-and-swap decides. Who has waited too long goes on without one.
 *
 * A commit to several tables takes its places in ascending order of their keys, one after the other, and keeps those it
 * has; so two such commits cannot wait for each other.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum { BUCKETS = 64, WAIT_SECONDS = 10 };

struct firn_place {
    uint64_t key;
    firn_place *behind; /* @locks lines */
    pthread_cond_t turn;
};

typedef struct line {
    struct line *next; /* of the bucket */
    uint64_t key;
    firn_place *head, *tail;
} line;

struct firn_lines {
    pthread_mutex_t lock;
    line *buckets[BUCKETS]; /* @locks lock: lines that somebody stands in */
};

firn_lines *firn_lines_new(void)
{
    firn_lines *lines = firn_calloc(1, sizeof(*lines));
    pthread_mutex_init(&lines->lock, NULL);
    return lines;
}

void firn_lines_free(firn_lines *lines)
{
    if (lines) {
        pthread_mutex_destroy(&lines->lock);
        free(lines);
    }
}

/* ---- one line --------------------------------------------------------------------------------- */

/* The link that points to the line, or to NULL where it would be. @locks lines */
static line **find(firn_lines *lines, uint64_t key)
{
    line **at = &lines->buckets[key % BUCKETS];
    while (*at && (*at)->key != key) {
        at = &(*at)->next;
    }
    return at;
}

/* Join the end. @locks lines */
static line *join(firn_lines *lines, firn_place *place)
{
    line **at = find(lines, place->key);
    if (!*at) {
        *at = firn_calloc(1, sizeof(**at));
        (*at)->key = place->key;
    }
    line *l = *at;
    *(l->tail ? &l->tail->behind : &l->head) = place;
    l->tail = place;
    return l;
}

/* Go, from wherever in the line; whoever is then at its head learns it. @locks lines */
static void leave(firn_lines *lines, firn_place *place)
{
    line **at = find(lines, place->key);
    line *l = *at;
    firn_place *before = NULL;
    for (firn_place *p = l->head; p != place; p = p->behind) {
        before = p;
    }
    *(before ? &before->behind : &l->head) = place->behind;
    if (l->tail == place) {
        l->tail = before;
    }
    if (!l->head) {
        *at = l->next;
        free(l);
    } else if (!before) {
        pthread_cond_signal(&l->head->turn);
    }
}

static bool wait_in_line(firn_lines *lines, firn_place *place, const struct timespec *deadline)
{
    pthread_mutex_lock(&lines->lock);
    line *l = join(lines, place);
    int rc = 0;
    while (l->head != place &&
           rc != ETIMEDOUT) { /* the line lives as long as somebody stands in it */
        rc = pthread_cond_timedwait(&place->turn, &lines->lock, deadline);
    }
    bool mine = l->head == place;
    if (!mine) {
        leave(lines, place);
    }
    pthread_mutex_unlock(&lines->lock);
    return mine;
}

static void step_aside(firn_lines *lines, firn_place *place)
{
    pthread_mutex_lock(&lines->lock);
    leave(lines, place);
    pthread_mutex_unlock(&lines->lock);
}

size_t firn_line_len(firn_lines *lines, uint64_t key)
{
    size_t n = 0;
    pthread_mutex_lock(&lines->lock);
    const line *l = *find(lines, key);
    for (const firn_place *p = l ? l->head : NULL; p; p = p->behind) {
        n++;
    }
    pthread_mutex_unlock(&lines->lock);
    return n;
}

/* ---- turns ------------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

uint64_t firn_lock_key(const char *branch, firn_ident ident)
{
    const char *parts[] = {branch ? branch : FIRN_MAIN, "\x1e", ident.ns, "\x1e",
                           ident.name ? ident.name : ""};
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a: must be the same in every process */
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        for (const uint8_t *at = (const uint8_t *)parts[i]; *at; at++) {
            hash = (hash ^ *at) * UINT64_C(1099511628211);
        }
    }
    return hash;
}

static void take_place(firn_turn *turn, firn_arena *arena, uint64_t key,
                       const struct timespec *deadline)
{
    firn_place *place = FIRN_NEW(arena, firn_place);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    place->key = key;
    pthread_cond_init(&place->turn, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (wait_in_line(turn->catalog->lines, place, deadline)) {
        turn->places[turn->n_places++] = place;
    } else {
        pthread_cond_destroy(&place->turn);
    }
}

firn_rc firn_turn_take(firn_catalog *catalog, firn_arena *arena, uint64_t *keys, size_t n,
                       firn_turn *turn, firn_err *err)
{
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += WAIT_SECONDS;
    *turn = (firn_turn){
        .catalog = firn_catalog_database(catalog),
        .places = FIRN_NEW_N(arena, firn_place *, n),
        .handles = FIRN_NEW_N(arena, int, n),
    };
    if (n > 1) {
        qsort(keys, n, sizeof(*keys), by_value);
    }
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || keys[i] != keys[i - 1]) {
            take_place(turn, arena, keys[i], &deadline);
        }
    }
    FIRN_TRY(firn_db_session_begin(turn->catalog, false, &turn->session, err));
    firn_db *db = turn->session.db;
    firn_db_session_lend(
        &turn->session); /* the connection is for the locks, and serves this thread beside */
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || keys[i] != keys[i - 1]) {
            db->backend->lock(db, keys[i], WAIT_SECONDS * 1000, &turn->handles[turn->n_handles++]);
        }
    }
    return FIRN_OK;
}

void firn_turn_end(firn_turn *turn)
{
    for (size_t i = turn->n_handles; i > 0; i--) {
        turn->session.db->backend->unlock(turn->session.db, turn->handles[i - 1]);
    }
    firn_db_session_end(&turn->session);
    for (size_t i = turn->n_places; i > 0; i--) {
        step_aside(turn->catalog->lines, turn->places[i - 1]);
        pthread_cond_destroy(&turn->places[i - 1]->turn);
    }
    turn->n_handles = turn->n_places = 0;
}
