/*
 * Replaying a log's admissions from its entries alone, in order. What must be remembered of them lies in a store of its
 * own in a temporary folder, so memory does not grow with the log.
 */
#ifndef CMD_REPLAY_H
#define CMD_REPLAY_H

#include "admit.h"

struct replay;

/* An entry is not what admission would have made. Not VT_OK ends the replay, and is what its functions return. */
typedef enum vt_err (*replay_refused_fn)(void *ctx, uint64_t index, const struct problem *why);

/* centre: canonical SPKI; empty: entry 0 is believed. threads as in reopener.h. why as in store.h. */
enum vt_err replay_new(struct replay **out, const char *origin, struct bytes centre,
		       unsigned threads, replay_refused_fn refused, void *ctx, char why[256]);
void replay_free(struct replay *r); /* removes the folder */
/*
 * The next entry, from 0 on. Entries are judged in order, some hundreds after they were given: those of a refusal come
 * from a later call. A refused entry is remembered by its leaf hash alone, so that replay can go on. Any error but
 * what `refused` returned is this machine's fault.
 */
enum vt_err replay_add(struct replay *r, struct bytes entry);
/* That was the last one: judge all that is left. */
enum vt_err replay_finish(struct replay *r);

#endif
