/*
 * The log: submit, sequence, publish, query. See server/DESIGN.md for the life of a record.
 *
 * A `struct log` is one log over one store. Any thread that calls in brings a `struct log_worker` of its own
 * (a store reader and a hasher). The log never sees HTTP: answers go through a callback.
 */
#ifndef LOG_H
#define LOG_H

#include "admit.h"
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
 * Ask witnesses for cosignatures on a signed checkpoint (the signed note without them) and append the note to
 * publish. NULL: no witness is asked for. Called on the sequencer's thread, for one head at a time.
 * VT_EBUSY: the quorum is missing; the head stays unpublished and is gathered again.
 */
typedef enum vt_err (*log_gather_fn)(void *ctx, struct bytes signed_note,
				     const struct tree_head *head, struct buf *published_note);
/* The log has stopped signing: says why. */
typedef void (*log_freeze_fn)(void *ctx, const char *why);

/* What the process exits with when a commit failed in a way whose outcome is unknown. Nothing is repaired in place:
 * starting again is recovery. A difference found in what was read back ends it by abort() instead. */
enum { LOG_EXIT_STORAGE = 74 };

struct log_config {
	struct store *store; /* borrowed; its identity decides mode, origin and centre */
	const struct note_signer *signer; /* copied; what it points to is borrowed */
	size_t queue_max; /* submissions taken and not yet answered; 0: 8192. Full: LOG_LATER */
	size_t queue_bytes_max; /* of their entries; 0: 128 MiB */
	size_t batch_max;       /* entries of one batch; 0: 4096 */
	size_t batch_bytes_max; /* 0: 64 MiB */
	size_t index_tail_max;  /* 0: INDEX_TAIL_DEFAULT */
	log_gather_fn gather;
	log_freeze_fn freeze;
	void *ctx; /* of both */
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
	bool frozen;
	char frozen_why[160];
};
void log_status(struct log *log, struct log_status *out);

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
enum vt_err log_consistency(struct log_worker *w, uint64_t first, uint64_t second,
			    struct merkle_proof *proof);
/* The C2SP tlog-proof file of an entry under the published checkpoint, with the extra line that the design
 * page describes. */
enum vt_err log_tlog_proof(struct log_worker *w, uint64_t index, struct buf *out);
/* The decoded record with its signers, accreditations and corrections (record/describe.h). */
enum vt_err log_describe(struct log_worker *w, uint64_t index, struct json **out);

struct log_search {
	struct bytes subject; /* "sha256:<hex>" or bare hex of a strong length; empty: any */
	struct bytes type;    /* predicateType */
	struct bytes party;
	struct bytes result;
	uint64_t after; /* first index to look at */
	size_t limit;   /* 1 to 1000 */
};
struct log_search_result {
	uint64_t size; /* the tree size that the answer is complete to */
	size_t n;
	uint64_t index[1000];
	bool
	    more; /* there may be more (with n 0, too: a search that steps over much stops for a while) */
	uint64_t next; /* `after` of the next page */
};
/* VT_EINVAL: limit, or a subject that is no digest. Each call's cost is bounded. */
enum vt_err log_search(struct log_worker *w, const struct log_search *what,
		       struct log_search_result *out);

/* Published checkpoints over time (store.h). */
enum vt_err log_tree_heads(struct log_worker *w, uint64_t after, size_t limit,
			   store_checkpoint_fn visit, void *ctx);
enum vt_err log_tree_head_at(struct log_worker *w, uint64_t at, store_checkpoint_fn visit,
			     void *ctx);

/* Read the registry under its lock. It covers entries below *published only where history says so:
 * callers show what has index < *published. */
typedef enum vt_err (*log_registry_fn)(void *ctx, const struct registry *registry,
				       uint64_t published);
enum vt_err log_with_registry(struct log_worker *w, log_registry_fn visit, void *ctx);

/* -- fsck ---------------------------------------------------------------------------------------- */

struct fsck_config {
	struct store *store; /* opened read-only */
	/* Called now and then, with entries done and to do. May be NULL. */
	void (*progress)(void *ctx, uint64_t done, uint64_t total, const char *what);
	store_fault_fn fault; /* each difference, first ones first */
	void *ctx;
	size_t faults_max; /* stop after so many; 0: 1 */
};
/* Recompute every leaf, key row, tile, run and root from the entries, replay every admission, check every kept
 * checkpoint's signature. VT_OK: nothing differs; VT_EMISMATCH: something does (fault was called). */
enum vt_err log_fsck(const struct fsck_config *config, struct tree_head *head);

#endif
