/*
 * A monitor: follows logs through what the public sees, replays everything, keeps the tree that it
 * verified, and tells when something does not hold or when an entry is watched for.
 *
 * All of it lies in a state folder. A log's state moves forward only when the entries below it were
 * verified and replayed, and every alert about them is on disk: so a crash at any moment repeats
 * work and never skips any. Each alert is delivered at least once, in order.
 *
 * Functions are for the thread that made it, but for those that say "any thread".
 */
#ifndef MONITOR_H
#define MONITOR_H

#include "log_state.h"
#include "standing.h"
#include "vitrine/policy.h"
#include "watch.h"

struct json;
struct monitor;

enum {
	MONITOR_WHY_MAX = 2048,    /* a path and a vkey are in it */
	MONITOR_EVIDENCE_MAX = 16, /* files about one log: more would prove nothing more */
};

/* The key that must sign entry 0 of a log. */
struct monitor_centre {
	const char *origin; /* NULL: of every log that has none of its own here */
	struct bytes spki;  /* canonical */
};

struct monitor_config {
	const char *state_dir;       /* as monitor_init() made it */
	const struct policy *policy; /* outlives the monitor; its logs with a URL are followed */
	const struct monitor_centre *centre;
	size_t n_centres;
	const struct watch_set *watches; /* outlives the monitor; may be NULL */
	const char *on_alert;            /* for sh -c; NULL: `print` */
	unsigned interval_seconds;       /* between looks at a log; 0: 10 */
	unsigned silent_seconds;         /* until a log that does not answer is an alert; 0: 3600 */
	unsigned command_seconds;        /* until a command is ended; 0: 60 */
	unsigned again_millis; /* before a second look at what a cache may have said; 0: 3000 */
	unsigned read_seconds; /* until a question to a log is given up; 0: 30 */
	unsigned parallel;     /* connections to a log; 0: 4 */
	size_t tail_max;       /* as in pairs_open() */
	uint64_t
	    waiting_max; /* bytes of alerts about a log before it is not followed further; 0: OUTBOXES_FULL */
	/* Bytes that the accreditations of a log may take of memory before it is not followed further; 0: 64 MiB. */
	size_t registry_max;
	uint64_t (*now)(void); /* POSIX seconds; NULL: clock_unix() */
	/* Entries between two commits, at most; 0: 16384. A quarter of a second ends them, too. */
	size_t commit_entries;
	/*
	 * Print one alert, a line of JSON without its newline; false: it could not be written. On the
	 * thread that delivers. NULL only with on_alert.
	 */
	bool (*print)(void *ctx, struct bytes alert);
	/* How far a log was followed, a few times a second while it catches up; at == size at the end.
	 * On the log's thread. May be NULL, as may what follows. */
	void (*progress)(void *ctx, const char *origin, uint64_t at, uint64_t size);
	/* A checkpoint that the log showed and signed: the quorum may be missing, and it may contradict
	 * others. On the log's thread. */
	void (*observed)(void *ctx, const char *origin, struct bytes note);
	/* The tree of this size is held here as a whole now, under a checkpoint: monitor_head(). On the
	 * log's thread. */
	void (*held)(void *ctx, const char *origin, uint64_t size);
	/* Evidence (vitrine/evidence.h) that a log signed two histories. On the log's thread. */
	void (*evidence)(void *ctx, const char *origin, struct bytes text);
	/* What stands by others' state, for monitor_standing(). */
	enum vt_err (*standing)(void *ctx, struct standing_list *out);
	void *ctx;
};

/*
 * Make the state folder, in one that is missing or empty, for the logs of the policy that have a URL: nothing was
 * seen of them yet. VT_ECONFLICT: it is not empty; VT_EINVAL: no log of the policy has a URL; VT_EBUSY,
 * VT_EIO, VT_ENOMEM. Each with why, as with what follows. After a failure it can be called again.
 */
enum vt_err monitor_init(const char *dir, const struct policy *policy, char why[MONITOR_WHY_MAX]);
/* Add a log to a state folder, also while a monitor runs on it; or, while none does, take it from the list of its logs (its state stays
 * there, and add takes that up again; *size: how far it goes). VT_ECONFLICT: it is in the list already, or is not;
 * and as monitor_new(). */
enum vt_err monitor_add(const char *dir, const struct vkey *key, uint64_t *size,
			char why[MONITOR_WHY_MAX]);
enum vt_err monitor_remove(const char *dir, const struct vkey *key, char why[MONITOR_WHY_MAX]);
/* Is everything there that was made for the logs of the list? Writes nothing, and a monitor may be at work. Errors as
 * monitor_new() has them. */
enum vt_err monitor_check_state(const char *dir, char why[MONITOR_WHY_MAX]);

/*
 * Open the state. Touches no network. VT_EINVAL: no log of the policy has a URL, or a centre is for
 * none of them; VT_ENOTFOUND: the state, or that of a log, is not there (nothing is made); VT_EBUSY: another monitor has the
 * folder; VT_ECONFLICT: the folder is of other keys; VT_EMISMATCH: a file in it is damaged; VT_EIO, VT_ENOMEM. Each with why.
 */
enum vt_err monitor_new(struct monitor **out, const struct monitor_config *config,
			char why[MONITOR_WHY_MAX]);
/* Would monitor_new() take this, as far as policy, centres and what is in the folder are concerned? Writes nothing, and a monitor may run
 * on the folder. Errors as there. */
enum vt_err monitor_check_config(const struct monitor_config *config, char why[MONITOR_WHY_MAX]);
/* Stops first, if it runs. Alerts and proofs must not be asked for any more. */
void monitor_free(struct monitor *m);

/* What a look at every log came to. */
enum monitor_outcome {
	MONITOR_HOLDS,
	MONITOR_FAULT, /* something that a log did and must not stands: there was an alert, now or before */
	MONITOR_UNSURE, /* a log could not be asked, or an alert not be delivered */
};
/*
 * Look at every log once, and follow it up to the head that it shows. A fault comes before what could
 * not be told. Alerts are being delivered meanwhile, and until monitor_deliver() has returned.
 */
enum monitor_outcome monitor_once(struct monitor *m);
/* Wait until all alerts are delivered, at most so long. */
bool monitor_deliver(struct monitor *m, unsigned seconds);

/* Go on looking, on threads of its own. VT_ENOMEM, VT_EIO: nothing runs. */
enum vt_err monitor_start(struct monitor *m);
/* Any thread: whatever runs, monitor_once() too, ends within seconds; undelivered alerts wait on
 * disk. Nothing can be started again. */
void monitor_interrupt(struct monitor *m);
/* The same, and wait for it. */
void monitor_stop(struct monitor *m);

/*
 * Any thread. Raise an alert of somebody else's, durable when this returns. id_of: whatever tells
 * it from others (the same twice is the same alert told again). origin and more (an object whose
 * members are added, freed by this) may be NULL.
 */
enum vt_err monitor_alert(struct monitor *m, const char *kind, const char *origin,
			  struct bytes id_of, const char *text, struct json *more);

/* -- what it holds: any thread -------------------------------------------------------------------- */

/* Append the newest checkpoint whose whole tree was replayed. VT_ENOTFOUND: none yet. */
enum vt_err monitor_head(const struct monitor *m, const char *origin, struct buf *note);
/* Of the tree that was replayed. origin as the policy has it. VT_ENOTFOUND: no such log, or it is
 * not that large yet; VT_EMISMATCH: the files are damaged. */
enum vt_err monitor_root_at(const struct monitor *m, const char *origin, uint64_t size,
			    struct merkle_hash *out);
enum vt_err monitor_consistency(const struct monitor *m, const char *origin, uint64_t first,
				uint64_t second, struct merkle_proof *out);

/* One log, as it is now. */
struct monitor_log_status {
	const char *origin, *url; /* live as long as the monitor */
	enum log_mode_seen mode;
	struct tree_head head; /* of what was replayed */
	uint64_t seen;         /* the size of the newest accepted head */
	uint64_t answered;     /* POSIX seconds of the last good checkpoint, 0: never */
	uint64_t inadmissible, hits;
	uint64_t entries; /* replayed by this process */
	uint64_t rounds, failed_rounds;
	uint64_t runs, tail; /* sorted files, remembered pairs in memory */
	uint64_t since[TROUBLE_COUNT];
	enum monitor_outcome outcome; /* of the last look */
	bool stuck;                   /* this machine's fault: it does not move */
	struct why why;               /* of the last look, if it did not end well */
};
size_t monitor_logs(const struct monitor *m);
void monitor_log_status(const struct monitor *m, size_t i, struct monitor_log_status *out);

struct monitor_status {
	uint64_t waiting, waiting_bytes; /* alerts to be delivered */
	uint64_t raised, delivered;      /* by this process */
	uint64_t failed_deliveries;
	bool delivery_fails; /* the last try did */
};
void monitor_status(const struct monitor *m, struct monitor_status *out);
/* All that stands against the logs that are followed, newest first (standing.h). */
enum vt_err monitor_standing(const struct monitor *m, struct standing_list *out);
/* Append the latest alerts of this process as lines of JSON, newest first. */
enum vt_err monitor_recent(const struct monitor *m, struct buf *out);
/* Does it do its work? false: with why (a log that misbehaves is no reason: that is its work). */
bool monitor_ready(struct monitor *m, char why[MONITOR_WHY_MAX]);

#endif
