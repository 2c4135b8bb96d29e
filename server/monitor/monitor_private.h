/* What the files of the monitor share. */
#ifndef MONITOR_PRIVATE_H
#define MONITOR_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "client.h"
#include "durable.h"
#include "json.h"
#include "kept.h"
#include "monitor.h"
#include "outboxes.h"
#include "state_folder.h"

enum {
	MONITOR_PATH_MAX = 4096,
	HASH_HEX = 2 * MERKLE_HASH_SIZE,
};

/* One log. Everything is its own thread's but for what stands under the lock. */
struct follower {
	struct monitor *m;
	const struct policy_log *log;
	const char *origin; /* the log key's name */
	char *url;
	char *dir;
	struct bytes centre;

	struct log_state state;     /* as it is in memory: on disk at the last commit */
	struct tree_head seen;      /* of state.checkpoint; size 0 without one */
	struct kept *kept;          /* changed under kept_lock */
	struct checks *checks;      /* NULL: raw, or nothing was looked at yet */
	struct client *client;      /* NULL: the next look makes one. Changed under the lock */
	struct client *side_client; /* for evidence; under the lock */
	bool client_knows_seen;
	struct merkle_hasher hasher;
	uint64_t target;         /* of the catch-up */
	uint64_t uncommitted;    /* entries since the last commit */
	uint64_t committed_at;   /* monotonic nanoseconds */
	uint64_t told_at;        /* progress, likewise */
	uint64_t answered_saved; /* of state.answered, what is on disk */
	struct why why;          /* what the look at hand says when it does not end well */
	bool loaded;
	enum vt_err fault; /* what is in memory cannot be committed: start from the disk again */
	enum vt_err
	    log_fault;    /* that is because the log could not be read in the middle of an entry */
	bool found_fault; /* of the log, in this look */
	/* Something is wrong that a cache on the way may have done, and that is not known yet: look
	 * again before it is told. */
	bool doubt;
	bool second_look;    /* this is that look: past all caches */
	bool unsaved;        /* what stands has changed since the last commit */
	uint64_t shown_size; /* of the newest head that the log signed, accepted or not */
	/* POSIX seconds: when the look at hand received its first entry and its last; 0: none. */
	uint64_t served_from, served_at;
	/* POSIX seconds: when the look at hand was answered with anything; 0: it was not. */
	uint64_t answered_at;
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t lock;
	struct monitor_log_status status; /* under the lock; head is on disk in `kept` */
	struct standing_list standing;    /* under the lock: as the state on disk has it */
	struct buf held; /* under the lock: the newest checkpoint whose whole tree is on disk */
	pthread_rwlock_t kept_lock; /* held to read while a proof is made */
};

struct monitor {
	struct monitor_config config;
	char *dir;
	char *on_alert;
	struct state_folder folder; /* locked */
	struct durable_probe probe;
	struct outboxes *outboxes;
	size_t n;
	struct follower *follower; /* n of them */
	pthread_t deliverer;
	bool has_deliverer;
	atomic_bool stop, deliver_stop;
	pthread_mutex_t lock; /* for naps */
	pthread_cond_t wake;
	atomic_uint_fast64_t raised, delivered, failed_deliveries;
	atomic_bool delivery_fails;
};

/* -- follow.c */
enum monitor_outcome follow_once(struct follower *f);
/* An earlier entry's bytes, under the head that is being followed. ctx: the follower. */
enum vt_err follow_read_earlier(void *ctx, uint64_t index, struct buf *entry);
/* Load the state from disk. */
enum vt_err follow_load(struct follower *f, char why[MONITOR_WHY_MAX]);
void follow_unload(struct follower *f);
/* Everything up to here becomes durable, alerts first. */
enum vt_err follow_commit(struct follower *f);

/* -- heads.c: is what the log shows consistent with what was seen? */
enum heads_verdict {
	HEADS_GOOD,
	HEADS_TROUBLE, /* the log's: told */
	HEADS_FAILED,  /* this machine's, or told to stop */
};
/* Ask for the newest checkpoint and judge it. GOOD: the client's head may be followed. */
enum heads_verdict heads_look(struct follower *f, struct why *why);
/* Put down that something is wrong with the log, and tell it unless that is known. What a cache on the
 * way may have done is a doubt at the first look, and wrong at the second. id_of: what tells this case
 * from others of its kind. more as in monitor_alert(). */
enum vt_err trouble_begin(struct follower *f, enum trouble t, struct bytes id_of, const char *text,
			  struct json *more);
void trouble_end(struct follower *f, enum trouble t);
/* The log shows heads, and what they cover could not be had: a trouble if that goes on. */
enum heads_verdict withheld(struct follower *f, const struct why *why);
/* Entries were served up to the present size. */
void not_withheld(struct follower *f);
void drop_client(struct follower *f);

/* -- centre.c: is entry 0 by the centre that was named? Told once, and wrong as long as it is not. */
enum vt_err centre_check(struct follower *f);

/* -- entry.c: what one entry is worth an alert for */
enum vt_err entry_refused(struct follower *f, uint64_t index, const struct merkle_hash *leaf,
			  const struct checks_refusal *refusal);
enum vt_err entry_watched(struct follower *f, uint64_t index, const struct record *r);

/* -- deliver.c */
/* Deliver until told to stop. */
void *deliver_alerts(void *monitor);

/* -- monitor.c */
/* As monitor_alert(), but durable only with the next outboxes_sync() for alerts_about(). */
enum vt_err alert_raise(struct monitor *m, const char *kind, const char *origin, struct bytes id_of,
			const char *text, struct json *more);
/* What the log of this name is called among the outboxes; NULL: alerts that are about none. */
const char *alerts_about(const struct monitor *m, const char *origin);
/* Could anything be remembered now? VT_EIO with why. */
enum vt_err monitor_check_writable(struct monitor *m, char why[MONITOR_WHY_MAX]);
/* Sleep. false: it was told to stop. */
bool monitor_sleep(struct monitor *m, uint64_t millis);
/* The same for whoever delivers alerts. */
bool monitor_pause_delivery(struct monitor *m, uint64_t millis);

#endif
