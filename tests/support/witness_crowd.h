/*
 * Many clients that push checkpoints of one log at one witness, over HTTP and all at once: rival
 * extensions of the same head, forks of it, heads that are behind, the same head again. What the
 * witness cosigned must all be of one history; the crowd knows which, because only one of the rivals
 * can have been cosigned.
 *
 * Aborts with a message where the witness does what it must never do.
 */
#ifndef VITRINE_TEST_WITNESS_CROWD_H
#define VITRINE_TEST_WITNESS_CROWD_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "witness_log.h"

enum {
	CROWD_CLIENTS_MAX = 64,
	CROWD_TAIL_MAX = 3,
};

/* An extension that was sent and not answered yet. */
struct crowd_tail {
	uint64_t from, n, history; /* n 0: none */
	struct tree_head head;
};

struct crowd {
	const char *url;
	struct vkey witness;
	pid_t
	    victim; /* killed by SIGKILL after so many answers; 0: nobody, and no connection may break */
	atomic_uint kill_after;
	double seconds; /* 0: until the victim is dead */
	uint64_t least; /* and on until so many heads were cosigned */

	pthread_mutex_t lock;
	struct witness_log log; /* the one history: grows by what was cosigned */
	uint64_t *history;      /* of each of its leaves */
	uint64_t cap, histories;
	struct tree_head *cosigned; /* every head that came back with a cosignature */
	size_t n_cosigned, cap_cosigned;
	struct crowd_tail tail[CROWD_CLIENTS_MAX]; /* by client */
	uint64_t random;

	atomic_uint_least64_t cosigned_count, stale, inconsistent, malformed, busy;
};

void crowd_init(struct crowd *c, const char *origin, uint64_t seed);
void crowd_release(struct crowd *c);
/* Push from `clients` threads. */
void crowd_push(struct crowd *c, unsigned clients);
/* Ask the witness for its latest checkpoint. It must be the history's last head, or one of the
 * extensions whose answer was lost, which is then taken over. */
void crowd_settle(struct crowd *c);
/* Is every head that was ever cosigned one of this history? Then every two are consistent. That is
 * proven as well: each with the next larger one, and every pair of some four hundred. */
void crowd_check(struct crowd *c);

#endif
