/* The watcher: a thread that looks after a running statement: Ctrl-C cancels it, and a progress bar shows on the terminal when it
 * takes longer than half a second.
 *
 * One per process. All functions are for the main thread; firn_watch_hide may be called whether or not a bar is shown.
 */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include "engine/engine.h"

typedef struct firn_watch firn_watch;

/* Takes over SIGINT. `progress`: draw a bar on stderr. */
firn_watch *firn_watch_new(bool progress);
void firn_watch_free(firn_watch *watch); /* gives SIGINT back; NULL is fine */

void firn_watch_begin(firn_watch *watch, firn_session *session);
/* Rows are about to be printed: take the bar away and show none any more. */
void firn_watch_hide(firn_watch *watch);
void firn_watch_end(firn_watch *watch);

/* Between statements: readable when Ctrl-C was pressed; firn_watch_take empties it. */
int firn_watch_fd(const firn_watch *watch);
bool firn_watch_take(firn_watch *watch);

#endif
