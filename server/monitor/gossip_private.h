/* What the files of gossip share. */
#ifndef MONITOR_GOSSIP_PRIVATE_H
#define MONITOR_GOSSIP_PRIVATE_H

#include <pthread.h>

#include "gossip.h"
#include "http_fetch.h"

enum { GOSSIP_PATH_MAX = 4096, GOSSIP_PLACES_MAX = 2, GOSSIP_SENDERS = 1024 };

/* Zero is full. */
struct token_bucket {
	double tokens;
	uint64_t at; /* monotonic nanoseconds */
};

/* A head that waits for judgement. */
struct waiting {
	struct tree_head head;
	struct buf note; /* with the log's signature line alone */
	uint64_t since;  /* POSIX seconds */
	bool told;       /* that it waits for too long */
};

struct followed {
	struct vkey key;
	struct gossip_tree tree;
	bool has_ours;
	struct tree_head ours; /* of the tree that is held here */
	struct buf ours_note;
	struct buf ours_shown; /* as tree.head() gave it, cosignatures and all */
	struct waiting waiting[GOSSIP_UNRESOLVED_MAX];
	size_t n_waiting;
	size_t n_evidence;
	bool full, full_told, unusable_told;
	struct token_bucket budget;
};

/* Evidence on disk. */
struct proven {
	char id[GOSSIP_ID_SIZE];
	struct followed *log;
	struct tree_head first, second;
	bool told;
	uint32_t passed_on; /* a bit per peer */
};

struct peer {
	struct gossip *g;
	char *url;
	enum gossip_peer_kind kind;
	unsigned number;
	pthread_mutex_t busy; /* one round at a time; outside of the gossip's lock */
	struct http_fetcher *fetcher;
	pthread_t thread;
	bool running;
	uint64_t due; /* monotonic nanoseconds */
	bool woken;   /* since its round began */
	unsigned failures;
	uint64_t retry_after; /* seconds that the peer asked for */
	uint64_t
	    round_until; /* monotonic nanoseconds: a round has an end, however slowly it is answered */
};

struct gossip {
	struct gossip_config config;
	/* Where the same files are: the state folder, and that of the copy. */
	char *place[GOSSIP_PLACES_MAX];
	size_t n_places;
	pthread_mutex_t lock; /* of everything below but the keeper's sleep */
	pthread_cond_t work;  /* monotonic */
	bool stopping;
	int folder_lock; /* -1: another process keeps the waiting heads */
	bool dirty;      /* the waiting heads differ from the files' */
	struct merkle_hasher hasher;
	struct followed *log;
	size_t n_logs;
	struct proven *proven;
	size_t n_proven;
	struct peer *peer;
	size_t n_peers;
	pthread_t keeper;
	bool keeper_running;
	/* The keeper's sleep: a lock of its own, taken last and held for moments, so that gossip_grew() may be called
	 * with any lock held. */
	pthread_mutex_t keeper_lock;
	pthread_cond_t keeper_wake;
	bool keeper_stop, grew;
	struct token_bucket budget;
	struct token_bucket sender[GOSSIP_SENDERS]; /* by address, those of one row together */
	uint64_t sender_seed;                       /* so that nobody can choose a row */
	struct gossip_stats stats;
};

/* All with the lock held. */

/* -- gossip.c: judging ------------------------------------------------------------------------------ */

/* Read the tree's head anew, judge what waits, tell what has waited for too long, make it durable. */
void gossip_settle(struct gossip *g);
/* Without the lock: a list of heads, as gossip_take(); limited: count against the rate. */
enum vt_err gossip_take_heads(struct gossip *g, struct bytes heads, const char *from, bool limited,
			      struct gossip_taken *taken);
enum vt_err gossip_tell(struct gossip *g, const struct gossip_alert *alert);
/* Append that this head, which was told of, stands. */
enum vt_err gossip_head_stands(struct standing_list *out, const char *origin,
			       const struct waiting *w);

/* -- gossip_budget.c --------------------------------------------------------------------------------- */

/* A token for one verification under this log's key that somebody else asks for; false: too many in too short a time. */
bool gossip_spend(struct gossip *g, struct followed *log, const char *from);

/* -- gossip_evidence.c ------------------------------------------------------------------------------- */

/* Evidence that was verified under this log's key: onto the disk, told, to be passed on. VT_EBUSY: enough is known. */
enum vt_err gossip_keep_evidence(struct gossip *g, struct followed *log, struct bytes text,
				 const char *from, char id[GOSSIP_ID_SIZE], bool *fresh);
/* Is this head one of a proven contradiction? */
bool gossip_is_proven(const struct gossip *g, const struct followed *log,
		      const struct tree_head *head);
enum vt_err gossip_load_evidence(struct gossip *g, char why[GOSSIP_WHY_MAX]);
void gossip_tell_evidence(struct gossip *g); /* what was not told yet */
/* NULL: it is not known. */
const struct proven *gossip_find_evidence(const struct gossip *g, struct bytes id);
/* Without the lock. */
enum vt_err gossip_admit_evidence(struct gossip *g, struct bytes text, const char *from,
				  bool limited, char id[GOSSIP_ID_SIZE], bool *fresh,
				  const char **why);

/* -- gossip_state.c ---------------------------------------------------------------------------------- */

enum vt_err gossip_load_heads(struct gossip *g, char why[GOSSIP_WHY_MAX]);
enum vt_err gossip_save_heads(struct gossip *g); /* if they changed */
/* VT_ELIMIT: too long. */
enum vt_err gossip_path(char out[GOSSIP_PATH_MAX], const char *place, const char *name);

/* -- gossip_peers.c ---------------------------------------------------------------------------------- */

enum vt_err gossip_peers_new(struct gossip *g, char why[GOSSIP_WHY_MAX]);
void gossip_peers_free(struct gossip *g);
void *gossip_peer_main(void *peer);
void gossip_wake_peers(struct gossip *g); /* those that answer: there is something to pass on */

/* -- of notes ---------------------------------------------------------------------------------------- */

/* Cut the next signed checkpoint off a list. */
enum vt_err gossip_next_head(struct bytes *rest, struct bytes *note);
struct bytes gossip_note_text(struct bytes note); /* before the empty line */

static inline uint64_t gossip_now(const struct gossip *g)
{
	return g->config.now();
}

#endif
