/* One conversation with one witness: what is sent, and what is made of the answer. Private to witness/. */
#ifndef GATHER_PRIVATE_H
#define GATHER_PRIVATE_H

#include "gather.h"
#include "http_fetch.h"

/* A witness as its thread knows it. */
struct asker {
	const char *url; /* without a slash at the end */
	const char *name;
	struct vkey_set keys;   /* of this witness: what its lines may be signed with */
	const struct vkey *log; /* the log's own */
	const struct gather_config *config;
	/* config's consistency and observed, which take one call at a time. */
	enum vt_err (*consistency)(void *ctx, uint64_t first, uint64_t second,
				   struct merkle_proof *out);
	enum vt_err (*observed)(void *ctx, struct bytes note, const char *witness);
	void *ctx;
	struct http_fetcher *fetcher;
	struct http_reply reply;
	struct buf request;
	struct buf answer;
	uint64_t size;     /* what it cosigned last, as far as is known */
	bool shows;        /* it has shown a checkpoint of this log that it cosigned */
	uint64_t requests; /* so far */
};

/* What came of asking. */
struct asked {
	enum gather_trouble trouble;
	char why[GATHER_WHY_MAX];
	uint64_t retry_after; /* seconds that it asked for, or 0 */
	bool ahead;           /* it rightly has a later head: nothing to be had for this one */
	struct note *note;    /* with GATHER_FINE and not ahead: its lines, verified */
};

/* Ask it to cosign; with `remembered` only if it has cosigned a head of this log before. out->note points into a->answer: free it, and be done with it, before asking again. */
void ask_for_cosignature(struct asked *out, struct asker *a, struct bytes note,
			 const struct tree_head *head, bool remembered);
/* See what it shows of this log, and learn from it what it cosigned last. GATHER_FINE also if it shows nothing. */
void ask_what_it_shows(struct asked *out, struct asker *a);

#endif
