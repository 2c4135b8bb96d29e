/*
 * Replaying a log's admissions from its entries alone, in order: the monitor's checks, in a temporary folder, so that
 * memory does not grow with the log.
 */
#ifndef MONITOR_REPLAY_H
#define MONITOR_REPLAY_H

#include "checks.h"

struct client; /* client.h */
struct replay;

/* An entry is not what admission would have made. Not VT_OK ends the replay, and is what its functions return. */
typedef enum vt_err (*replay_refused_fn)(void *ctx, uint64_t index,
					 const struct checks_refusal *why);

/* log: earlier entries that an entry is about are read from it, under its head. centre: canonical SPKI; empty: entry 0
 * is believed. threads as in reopener.h. why as in checks.h. */
enum vt_err replay_new(struct replay **out, struct client *log, struct bytes centre,
		       unsigned threads, replay_refused_fn refused, void *ctx,
		       char why[PAIRS_WHY_MAX]);
void replay_free(struct replay *r); /* removes the folder */
/*
 * The next entry, from 0 on. Entries are judged in order, some hundreds after they were given: those of a refusal come
 * from a later call. A refused entry counts for nothing that comes after it. Any error but what `refused` returned says
 * that the log could not be read again, or is this machine's fault.
 */
enum vt_err replay_add(struct replay *r, struct bytes entry, const struct merkle_hash *leaf);
/* That was the last one: judge all that is left. */
enum vt_err replay_finish(struct replay *r);

#endif
