/*
 * The log: submit, sequence, publish, query. See server/DESIGN.md for the life of a record.
 *
 * A `struct log` is one log over one store. Any thread that calls in brings a `struct log_worker` of its own
 * (a store reader and a hasher). The log never sees HTTP: answers go through a callback.
 */
#ifndef LOG_H
#define LOG_H

#include "admit.h"
#include "conditions.h"
#include "json.h"
#include "store.h"
#include "vitrine/note.h"

struct log;
struct log_worker;

enum log_mode {
	LOG_RECORDS,
	LOG_RAW,
};

/*
 * Begin asking witnesses for this head: signed_note is the checkpoint with the log's own signature alone. Called on the
 * sequencer's thread, must not block. One head at a time: the next call comes after log_gathered(..., done = true) for this
 * one. The same head may come again: after a round without a quorum, and after a restart.
 * remembered: the high-water mark is missing. Only who has cosigned a head of this log before can say that there is no later
 * one, and nobody else may be asked, for once asked it would have.
 */
typedef void (*log_gather_fn)(void *ctx, struct bytes signed_note, const struct tree_head *head,
			      bool remembered);
/* Does a published note satisfy the policy? It may be another process's, or one from before a restart. VT_EUNTRUSTED: no;
 * any other error: it could not be told. Thread-safe. */
typedef enum vt_err (*log_policy_met_fn)(void *ctx, struct bytes note);
/* This process or another one has published; head is at least as large as at the last call. On the sequencer's thread, after
 * log_start(): must be quick, and must not call log_stop(). */
typedef void (*log_published_fn)(void *ctx, const struct tree_head *head);
/* The log has stopped signing: says why. Any thread. */
typedef void (*log_freeze_fn)(void *ctx, const char *why);

/* What to do with a head while the policy's quorum is missing. */
enum log_without_quorum {
	LOG_HOLD, /* it stays unpublished: appends wait, and are put off after a while */
	LOG_PUBLISH, /* publish it as it is once the quorum is late; no tlog-proof is given until it is there */
};

/* What the process exits with when a commit failed in a way whose outcome is unknown. Nothing is repaired in place:
 * starting again is recovery. A difference found in what was read back ends it by abort() instead. */
enum { LOG_EXIT_STORAGE = 74 };

enum { LOG_FROZEN_WHY_MAX = 600 };

struct log_config {
	struct store *store; /* borrowed; its identity decides mode, origin and centre */
	const struct note_signer *signer; /* copied; what it points to is borrowed */
	/* Submissions taken and not yet answered, 0: 8192, and bytes of their entries, 0: 128 MiB. Full: LOG_LATER. Those by one
	 * key of a log of records may be a quarter. */
	size_t queue_max;
	size_t queue_bytes_max;
	size_t batch_max;       /* entries of one batch; 0: 4096 */
	size_t batch_bytes_max; /* 0: 64 MiB */
	size_t index_tail_max;  /* 0: INDEX_TAIL_DEFAULT */
	log_gather_fn gather;   /* NULL: no witness is asked */
	log_policy_met_fn
	    policy_met; /* NULL: what was gathered with a quorum meets it, what was found is gathered again */
	/* Could witnesses whose cosignatures are not on this note have made a quorum for a later head? VT_EUNTRUSTED:
	 * yes, so that it does not say that its head is the newest. NULL: no. */
	log_policy_met_fn vouched;
	log_published_fn published; /* may be NULL, like freeze */
	log_freeze_fn freeze;
	void *ctx; /* of these four */
	enum log_without_quorum without_quorum;
	uint64_t
	    unpublished_max; /* entries committed and not published; 0: 65536. Beyond it: LOG_LATER */
	/* From one round's start to the next one's; 0: 1000. */
	unsigned gather_pause_millis;
	/* LOG_PUBLISH: how long a head waits for its quorum; 0: 5000. */
	unsigned quorum_patience_millis;
	/* How long an append waits for its commit and its publication, counted from the queue on, then LOG_LATER, at the latest when
	 * what is tried just then has failed: a write to the store, and a second for the mark. 0: 20000. */
	unsigned append_wait_millis;
	/* The same while the log is being stopped; 0: 4000 (10000 where no witness is asked). */
	unsigned stop_wait_millis;
	/*
	 * Paths, copied. mark_path: the high-water mark (size and root), a file apart from the database that is raised after each
	 * commit and before any byte of a head goes out. If the store is behind it or has another root at its size when the
	 * log is opened, or if the mark cannot be read, nothing is signed. NULL: there is none.
	 * frozen_path: a file that is there while the log is frozen: why, and the evidence. An operator removes it. NULL: a freeze
	 * ends with the process.
	 */
	const char *mark_path;
	const char *frozen_path;
	/*
	 * policy: a digest of what has to be met before something is published here. policy_path, copied: a file in which every
	 * process of the store finds that of the others; it is made if it is missing. Another policy than that of a process
	 * that runs: VT_ECONFLICT. NULL: there are no other processes.
	 */
	const char *policy_path;
	struct merkle_hash policy;
	/* gather is there, and for the time being there is nobody to ask: see log_set_policy(). */
	bool asks_nobody;
	/* The operator's word that the store is the newest there is: a mark that is missing is made from it. Without it,
	 * a store with entries and no mark signs nothing until a quorum of witnesses has cosigned its head. */
	bool new_mark;
	/* For tests of rule 3 only: called with the integrator's new tile hashes before the commit. */
	void (*tamper)(void *ctx, struct merkle_hash *hash, size_t n);
	void *tamper_ctx;
};

/*
 * Open, verify the head, rebuild registry and index tail, and sign and publish the head if that is owed (by the path of
 * normal work; where there are witnesses to ask, log_start() leaves it to the sequencer). why as in store.h.
 * VT_EMISMATCH: the store contradicts itself, or its identity names another key than the signer's. A published
 * checkpoint that contradicts the store does not fail: the log opens frozen.
 */
enum vt_err log_open(struct log **out, const struct log_config *config, char why[STORE_WHY_MAX]);
/* Start sequencing. */
enum vt_err log_start(struct log *log);
/* Take nothing new, finish everything that was taken (each is called back), stop the sequencer. */
void log_stop(struct log *log);
void log_free(struct log *log); /* NULL is legal; stopped, and no worker left */
/*
 * Stop signing for good, because something signed contradicts this log (rule 8). Any thread. Submissions get LOG_LATER with
 * the reason, reads go on. Whoever has evidence from outside calls it; the log itself does when its own store
 * contradicts its own checkpoint.
 */
void log_freeze(struct log *log, const char *why);
/*
 * From the gatherer, any thread: note is signed_note followed by cosignature lines, all verified by the caller; quorum: do
 * they satisfy the policy? Called when the quorum is reached, again with more lines, and with done, after which the next
 * round may begin; until it does, lines that come late are handed in with done too. note may be empty when there is nothing new. The log compares note with what it
 * signed, byte for byte, before it publishes. Not after log_free(): stop the gatherer between log_stop() and log_free().
 */
void log_gathered(struct log *log, const struct tree_head *head, struct bytes note, bool quorum,
		  bool done);
/*
 * Another policy from now on. swap (may be NULL) is called on the sequencer's thread, between the last use of the old one and the first
 * use of the new one by gather, policy_met and vouched: must be quick. What the old one's rounds still bring is dropped, as long as whoever
 * gathers hands in nothing for them after swap. asks: is there anybody to ask? gather has to be there then. Other processes of
 * the store publish nothing from then on, until they have it too. VT_EBUSY, VT_EIO: the others could not be told, or the
 * sequencer does not come to it; nothing has changed. VT_EINVAL: the log does not run. Any thread but the sequencer's, one call at a time.
 */
enum vt_err log_set_policy(struct log *log, const struct merkle_hash *policy, bool asks,
			   void (*swap)(void *ctx), void *ctx);
/* The process is about to stop: whoever waits for a quorum waits for stop_wait_millis more at most. Then log_stop(). */
void log_stop_soon(struct log *log);
const struct store_identity *log_identity(const struct log *log);
enum log_mode log_mode(const struct log *log);

enum vt_err log_worker_new(struct log_worker **out, struct log *log);
void log_worker_free(struct log_worker *w);
/* The worker's own hasher, for its thread's use. */
struct merkle_hasher *log_worker_hasher(struct log_worker *w);

/* -- append ---------------------------------------------------------------------------------- */

enum log_outcome {
	LOG_ADDED,   /* durable and published: `index` is new */
	LOG_KNOWN,   /* published before, or by somebody else meanwhile */
	LOG_REFUSED, /* for the reason in `problem` */
	LOG_LATER,   /* not taken, or the outcome is unknown: the same bytes may be sent again */
};

struct log_answer {
	enum log_outcome outcome;
	uint64_t index;
	struct merkle_hash
	    leaf; /* of the entry in the log: with LOG_KNOWN not always of what was submitted */
	struct record_sent sent; /* added and known records: whose signatures came */
	struct problem problem;
	const char *reason;   /* LOG_LATER: "the queue is full"; lives as long as the call */
	unsigned retry_after; /* seconds */
};

/* Called exactly once for each submission, on the caller's thread (before log_submit() returns) or on the
 * sequencer's (must be quick: hand over to another thread). */
typedef void (*log_answer_fn)(void *ctx, const struct log_answer *answer);

/* Everything up to the queue happens on the calling thread: parsing, signatures, hashing. body is copied as needed. */
void log_submit(struct log *log, struct log_worker *w, struct bytes body,
		const struct merkle_hash *key_hint, log_answer_fn answer, void *ctx);

/* -- query: everything below the published size ------------------------------------------------ */

/*
 * What reads the index or the registry first waits, for at most a second, until this process has taken in what another one
 * published. Errors from the store pass through.
 */

struct log_status {
	uint64_t size; /* committed */
	uint64_t published_size;
	uint64_t published_time; /* POSIX seconds of this process's last publication, 0: none */
	uint64_t queued;
	uint64_t batches, entries, known, refused, later, lost_swaps; /* since the start */
	uint64_t index_tail_keys, index_runs;
	double commit_seconds_sum, readback_seconds_sum, sign_seconds_sum; /* over all batches */
	uint64_t registry_version;
	uint64_t handed_size; /* largest head that anyone may have been shown */
	bool asks_witnesses;
	bool policy_met; /* by what is published now; true where no witness is asked */
	uint64_t quorum_missing_since; /* POSIX seconds; 0: it is not missing */
	uint64_t rounds;               /* of gathering, begun */
	bool holding; /* nothing more is taken: too much is unpublished, or the mark is missing */
	/* Nothing can be published now, for this reason (it is looked for about once a second, and takes two to be sure of); "": nothing
	 * is known against it. */
	char stuck_why[STORE_WHY_MAX];
	bool policy_differs; /* another process has another one, so nothing is published here */
	bool has_mark;
	uint64_t mark_size, mark_writes;
	double
	    mark_wait_seconds_sum; /* that the sequencer had nothing to do but wait for the mark */
	bool frozen;
	bool
	    frozen_unwritten; /* that could not be written down anywhere yet: a restart would forget it */
	uint64_t frozen_time; /* POSIX seconds */
	char frozen_why[LOG_FROZEN_WHY_MAX];
};
void log_status(struct log *log, struct log_status *out);
/* Could a file be made where frozen_path is? Looks by writing, once in a second at most. VT_EIO, and errno says more. Any thread. */
enum vt_err log_has_room(struct log *log);

/*
 * A signed note that somebody else showed (a witness's, a gossiped head). If it carries a valid signature of this log that
 * contradicts the freshly read store (another root at a size it has, or a size beyond it) the log freezes, for good,
 * with the note as evidence, and VT_EMISMATCH is returned. VT_OK: consistent. VT_EUNTRUSTED: not signed by this log (an
 * alert about whoever showed it, nothing else). from: who showed it, for people.
 */
enum vt_err log_observe(struct log_worker *w, struct bytes note, const char *from);
/* The published checkpoint as it stands in the store (another process may have raised it). VT_ENOTFOUND. */
enum vt_err log_checkpoint(struct log_worker *w, uint64_t *size, struct buf *note);
/* C2SP resources, as far as the largest head handed to anyone reaches: appends what the resource's body is.
 * VT_ENOTFOUND beyond. */
enum vt_err log_tile(struct log_worker *w, const struct tile_id *id, struct buf *out);
/* One entry's bytes. */
enum vt_err log_entry(struct log_worker *w, uint64_t index, struct buf *out);
/* size 0: the published one. *head's root is the tree's at that size. VT_EINVAL, VT_ENOTFOUND (size not
 * published yet). note, if not NULL and size is the published one, receives the checkpoint. */
enum vt_err log_inclusion(struct log_worker *w, uint64_t index, uint64_t size,
			  struct merkle_hash *leaf, struct merkle_proof *proof,
			  struct tree_head *head, struct buf *note);
enum vt_err log_leaf(struct log_worker *w, const struct merkle_hash *leaf, uint64_t *index);
/* As far as the largest head handed to anyone reaches. VT_ENOTFOUND beyond. */
enum vt_err log_consistency(struct log_worker *w, uint64_t first, uint64_t second,
			    struct merkle_proof *proof);
/* Are there witnesses to ask? */
bool log_asks_witnesses(const struct log *log);
/* Does the note satisfy the policy? As config.policy_met says; cheap for one and the same note. */
enum vt_err log_policy_met(struct log_worker *w, struct bytes note);
/* The C2SP tlog-proof file of an entry under the published checkpoint, with the extra line of
 * docs/records.md ("The extra line of a proof"). VT_EUNTRUSTED: that checkpoint does not satisfy the policy yet. */
enum vt_err log_tlog_proof(struct log_worker *w, uint64_t index, struct buf *out);
/* The decoded record with its signers, accreditations and corrections (record/describe.h). *read (may be NULL): how
 * many bytes of entries that took; the corrections, and theirs, may be many. */
enum vt_err log_describe(struct log_worker *w, uint64_t index, struct json **out, size_t *read);

struct log_search {
	const struct conditions *conditions; /* NULL or empty: any entry */
	uint64_t after;                      /* the lowest index to look at */
	uint64_t before;                     /* one beyond the highest; 0: all that is published */
	bool newest_first;
	size_t limit; /* 1 to 1000 */
};
struct log_search_result {
	uint64_t size; /* the tree size that the answer is complete to */
	size_t n;
	uint64_t index[1000]; /* in the order asked for */
	bool
	    more; /* there may be more (with n 0, too: a search that steps over much stops for a while) */
	/* `after` of the next page, or `before` where the newest come first. Entries are only ever added behind
	 * all others, so pages that go on there meet end to end whatever the log does in between. */
	uint64_t next;
};
/* VT_EINVAL: limit. Each call's cost is bounded. */
enum vt_err log_search(struct log_worker *w, const struct log_search *what,
		       struct log_search_result *out);

/* Published checkpoints over time (store.h). */
enum vt_err log_tree_heads(struct log_worker *w, uint64_t after, size_t limit,
			   store_checkpoint_fn visit, void *ctx);
enum vt_err log_tree_head_at(struct log_worker *w, uint64_t at, store_checkpoint_fn visit,
			     void *ctx);

/* The oldest one kept that covers this size. VT_ENOTFOUND. */
enum vt_err log_tree_head_covering(struct log_worker *w, uint64_t size, store_checkpoint_fn visit,
				   void *ctx);

/* Read the registry under its lock. It covers entries below *published only where history says so:
 * callers show what has index < *published. */
typedef enum vt_err (*log_registry_fn)(void *ctx, const struct registry *registry,
				       uint64_t published);
enum vt_err log_with_registry(struct log_worker *w, log_registry_fn visit, void *ctx);

/* -- fsck ---------------------------------------------------------------------------------------- */

struct fsck_config {
	struct store *store; /* opened read-only */
	/* As in struct log_config; NULL: not looked at. A mark that is missing is no difference. */
	const char *mark_path, *frozen_path;
	/* Called now and then, with entries done and to do. May be NULL. */
	void (*progress)(void *ctx, uint64_t done, uint64_t total, const char *what);
	store_fault_fn fault; /* each difference, first ones first */
	void *ctx;
	size_t faults_max; /* stop after so many; 0: 1 */
	unsigned threads;  /* that verify records' signatures; 0: one for each core */
};
/* Hold the store against its mark and look whether the log is frozen; recompute every leaf, key row, tile, run and root from the entries, replay every admission, check every kept
 * checkpoint's signature. VT_OK: nothing differs; VT_EMISMATCH: something does (fault was called). */
enum vt_err log_fsck(const struct fsck_config *config, struct tree_head *head);

#endif
