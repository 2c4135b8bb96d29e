/* For client/ alone. */
#ifndef CLIENT_INTERNAL_H
#define CLIENT_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "client.h"
#include "http_fetch.h"
#include "vitrine/tile.h"

enum {
	CLIENT_LEVELS = 8, /* tile levels of trees of 64-bit size */
	CLIENT_PARALLEL_MAX = 16,
	CLIENT_CHECKPOINT_MAX = 1 << 20,
};

/* Who asks: one per thread. The client's configuration is read, its state is not. */
struct asker {
	const struct client *client;
	struct http_fetcher *fetcher;
	const atomic_bool *stop; /* true: do not ask again. NULL: nobody says so */
};
enum vt_err asker_init(struct asker *a, const struct client *c);
void asker_release(struct asker *a);

/*
 * A resource below the log's URL, tried again while the log says "not now". VT_OK: *reply is a
 * final answer, whatever its status.
 */
enum vt_err ask_get(struct http_reply *reply, struct asker *a, const char *path, const char *accept,
		    size_t max, struct why *why);
/* The same for a POST that may be repeated, with a deadline of its own. */
enum vt_err ask_post(struct http_reply *reply, struct asker *a, const char *path,
		     const char *accept, struct bytes body, const char *content_type, size_t max,
		     struct why *why);
/* What a status other than 2xx means to a caller. */
enum vt_err status_error(unsigned status);
/* Append the body of a 200; anything else is an error with the log's own reason. */
enum vt_err fetch_resource(struct buf *out, struct asker *a, const char *path, const char *accept,
			   size_t max, struct why *why);
/*
 * Append a tile or bundle as it is served, unverified. A partial one that is gone is looked for
 * in the full one (C2SP tlog-tiles: logs "MAY delete any partial tile once the corresponding full
 * tile is [...] available"); *full says so. Tiles are cut to the width that was asked for,
 * bundles are not.
 */
enum vt_err fetch_tile(struct buf *out, bool *full, struct asker *a, const struct tile_id *id,
		       struct why *why);

/* The partial tiles at the right edge of a tree: they make its root. */
struct edge {
	unsigned width[CLIENT_LEVELS]; /* 0: there is none */
	struct merkle_hash hash[CLIENT_LEVELS][TILE_WIDTH];
};

/*
 * Full tiles, verified against their parents. Invariant: a slot of the current generation was
 * verified under the current head. Slots of older ones are still what was fetched, and must be
 * held against the parent again: with a new head, nothing that was believed under an old one
 * proves anything.
 */
struct tile_slot {
	struct merkle_hash *hash; /* TILE_WIDTH of them, or NULL: empty */
	struct merkle_hash root;
	unsigned level;
	uint64_t index;
	uint64_t generation;
	uint64_t used; /* when: for eviction */
};

struct bundle {
	struct buf raw;
	uint64_t index;
	unsigned width; /* entries that are verified; 0: nothing is held */
	uint64_t generation;
};

struct client {
	char *url; /* without a slash at the end */
	const struct policy *policy;
	char *wanted_origin; /* or NULL */
	struct buf centre;
	unsigned parallel;
	uint64_t read_millis, submit_millis;
	bool keep_trying, fresh;
	bool (*wait)(void *ctx, uint64_t millis, const char *why);
	void *ctx;

	struct merkle_hasher hasher;
	struct asker asker;

	const struct policy_log *log; /* NULL: no head yet */
	char origin[VKEY_NAME_MAX + 1];
	struct tree_head head;
	struct buf checkpoint;
	struct buf last_answer;
	bool last_forked;

	struct edge *edge;      /* of head */
	uint64_t generation;    /* counts heads */
	struct tile_slot *slot; /* n_sets groups of SET_SLOTS */
	size_t n_sets;
	uint64_t uses;
	struct bundle bundle;
	bool in_entries;

	atomic_bool cancelled;
	pthread_mutex_t stream_lock;
	struct stream *stream; /* under stream_lock: the one under way, for client_cancel() */
};

/* Nothing more is fetched for it. */
void stream_cancel(struct stream *s);

enum vt_err tiles_init(struct client *c, size_t cache_bytes);
void tiles_release(struct client *c);
/* Fetch the right edge of `head` and hold it against the root. VT_EMISMATCH. */
enum vt_err edge_fetch(struct edge *out, struct client *c, const struct tree_head *head,
		       struct why *why);
/*
 * A tile of the head's tree, verified; *out is valid until the next call that reads tiles. given:
 * the tile as it was fetched already, or NULL.
 */
enum vt_err tile_get(const struct merkle_hash **out, struct client *c, const struct tile_id *id,
		     const struct bytes *given, struct why *why);
/* Signed by the log that it has to be, and cosigned as the policy asks. *cp points into msg. */
enum vt_err open_checkpoint(struct checkpoint *cp, const struct policy_log **log, struct client *c,
			    struct bytes msg, struct why *why);
/* The root of the first `size` leaves, through the head's tree. */
enum vt_err root_at(struct merkle_hash *out, struct client *c, uint64_t size, struct why *why);

#endif
