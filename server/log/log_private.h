/*
 * Inside the log. Who owns what:
 *
 * - log->lock: the queue, the flags, the counters and what has been covered and published. Held for moments.
 * - log->registry_lock: the committed registry. Workers read under it for as long as a record's signatures take; the
 *   sequencer writes after a commit. Taken before log->lock, never after.
 * - Everything under "the sequencer's own" is its alone (log_open() acts as the sequencer before it is started).
 * - The index has a lock of its own, taken last.
 */
#ifndef LOG_PRIVATE_H
#define LOG_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "durable.h"
#include "index.h"
#include "log.h"
#include "mark.h"
#include "node_cache.h"

enum {
	LOG_WHY_MAX = 160,
	QUEUE_DEFAULT = 8192,
	BATCH_DEFAULT = 4096,
	BATCH_ENTRIES_MAX = STORE_BATCH_ENTRIES_MAX,
	RETRY_AFTER_BUSY = 1, /* seconds */
	RETRY_AFTER_FROZEN = 3600,
	RETRY_AFTER_QUORUM = 10,
};

/* What whoever reads why a log is frozen should do about it. */
#define LOG_SEE_FROZEN "; see \"Frozen\" in docs/operations.md"
/* A signed head that the store does not reach to. */
#define LOG_WHY_BEYOND                                                                             \
	"an older copy of the store was put back, or something else signs with this log's key"

#define STORE_IS_LOCKED "another process holds the lock to write the store"

/* Whether a record is known cannot be told any more, so nothing may be added. */
#define LOG_WHY_INDEX "the stored index contradicts the entries: run fsck"

/* What the sequencer made of a submission in the batch at hand. */
enum verdict {
	VERDICT_NEW,
	VERDICT_KNOWN,
	VERDICT_REFUSED,
	VERDICT_FAILED, /* something broke in judging this one: nobody else's matter */
};

/* What one key has in the queue. Keys that fall together by chance share it. */
struct queue_share {
	size_t n, bytes;
};
enum { QUEUE_SHARES = 1024 };

/* From log_submit() to its answer. */
struct submission {
	struct submission *next;
	log_answer_fn answer;
	void *ctx;
	struct record *record; /* NULL in raw mode */
	struct buf raw;        /* the entry, in raw mode */
	struct merkle_hash leaf;
	size_t bytes;              /* that it counts for in the queue */
	struct queue_share *share; /* of whom; NULL: nobody's */
	uint64_t floor;            /* none of its pairs is in the entries [0, floor) */
	uint64_t
	    judged; /* registry version that it was found admissible by, and nothing else bears on it; 0: none */
	enum verdict verdict;
	uint64_t index;
	uint64_t since; /* monotonic nanoseconds: when it came to the queue */
	struct problem problem;
};

/* A round of asking witnesses, as the sequencer sees it. */
struct round {
	bool asked;  /* the gatherer has it: until it says done */
	bool quorum; /* it has come */
	struct tree_head head;
	struct buf
	    note; /* as it was handed over: every note that is published for it begins with these bytes */
};

/* What the gatherer brought, until the sequencer takes it. Under log->lock. */
struct gathered {
	bool open; /* a round has begun, the last one for head; all else is dropped */
	struct tree_head head;
	bool fresh; /* something came */
	bool quorum;
	bool done;
	struct buf note;
};

struct submission_list {
	struct submission *first;
	struct submission **end; /* where the next one is linked */
	size_t n;
};

/* log_set_policy(), until the sequencer has done it. Under log->lock. */
struct policy_change {
	bool asked, begun, done;
	struct merkle_hash policy;
	bool asks;
	void (*swap)(void *ctx);
	void *ctx;
	enum vt_err err;
};

struct log {
	struct durable_probe room;
	struct store *store;
	struct log_config config; /* its paths are copies: */
	char *policy_path;
	char *mark_path;
	char *frozen_path;
	struct note_signer signer;
	struct vkey vkey;
	enum log_mode mode;
	struct index *index;
	struct merkle_hash accreditation_key; /* index key of accreditation entries */

	pthread_rwlock_t registry_lock;
	struct registry *registry; /* of the committed entries [0, covered); NULL in raw mode */

	pthread_mutex_t lock;
	pthread_cond_t work;     /* for the sequencer: there is some */
	pthread_cond_t progress; /* for who waits until more is covered */
	struct submission_list queue;
	size_t
	    outstanding; /* taken and not answered: queued, in a batch, or waiting for a checkpoint */
	size_t outstanding_bytes;
	struct queue_share share[QUEUE_SHARES]; /* of those, by key */
	uint64_t share_seed; /* so that nobody can make a key that falls together with another's */
	bool running;
	bool stopping;
	bool follow;      /* somebody waits for what another process appended */
	uint64_t covered; /* registry and index cover the committed entries [0, covered) */
	uint64_t handed;  /* largest head that was given to witnesses or published */
	uint64_t
	    answerable; /* entries below it are published as they have to be: with the quorum, unless LOG_PUBLISH */
	struct gathered gathered;
	/* Monotonic nanoseconds: nobody waits for a checkpoint any longer then; 0: not stopping. */
	uint64_t stop_at;
	struct buf
	    judged_note; /* the last one that was held against the policy, and what came of it */
	bool judged_met;
	unsigned policies;           /* that there were before this one */
	struct buf frozen_text;      /* of the file that says so, until it is written */
	pthread_mutex_t frozen_lock; /* held while it is written; taken first */
	uint64_t frozen_told; /* when it was last said that it cannot be; under frozen_lock */
	bool thaw;            /* it is, and the mark says so still; under frozen_lock */
	bool
	    frozen_file_empty; /* we could make that file, and write nothing into it; under frozen_lock */
	/* There is no mark: nothing is taken until the witnesses' quorum has vouched for the head. */
	bool probation;
	struct policy_change policy_change;
	atomic_bool asks; /* there are witnesses to ask. Set by the sequencer */
	bool mark_moved;  /* since the sequencer last looked */
	struct mark
	    *mark; /* NULL: none, or not one that may be raised. Set once, by the sequencer */
	struct log_status status;

	/* The sequencer's own. */
	pthread_t thread;
	struct merkle_hash policy;
	int agreed_fd; /* -1: there is no such file */
	struct store_reader *reader;
	struct store_reader *second; /* what rule 3 reads back through, and nothing else */
	struct merkle_hasher hasher;
	struct merkle_hasher second_hasher;
	struct tree_state state; /* of the covered entries: the last head that was verified */
	struct registry *next;   /* of the covered entries and the batch's */
	uint64_t
	    *accreditation; /* indexes of the committed registry entries, to rebuild `next` from */
	size_t n_accreditations;
	size_t accreditations_cap;
	struct tree_head
	    signed_head; /* the last one that this process published, or found published and verified */
	bool has_signed_head;
	bool has_published;
	struct buf verified_note; /* signed_head's checkpoint, as it was verified */
	struct submission_list
	    waiting;        /* committed or known, not yet under a published checkpoint */
	uint64_t published; /* as the sequencer knows it; status has a copy */
	bool policy_met;    /* by the published checkpoint; true where no witness is asked */
	struct round round;
	/* Monotonic nanoseconds: when the missing quorum was last mentioned; 0: it is there. */
	uint64_t missing_told;
	uint64_t gather_at; /* monotonic nanoseconds: no round begins before */
	uint64_t
	    unmet_since; /* the same: the first round's begin since one had its quorum; 0: the last one had */
	bool mark_pending;  /* a head waits for the mark to be published */
	uint64_t looked_at; /* the same: when what is published was last read */
	uint64_t
	    probed_at;   /* the same: when it was last looked whether anything could be published */
	bool index_more; /* there is folding or merging to do */
	struct batch *batch;
	struct readback *readback;
};

struct log_worker {
	struct log *log;
	struct store_reader *reader;
	struct merkle_hasher hasher;
	struct node_cache nodes;
};

/* -- submissions (submit.c) -------------------------------------------------------------------- */

struct bytes submission_entry(const struct submission *s);
const struct merkle_hash *submission_keys(const struct submission *s, size_t *n);
void submission_free(struct submission *s);
void submissions_init(struct submission_list *list);
void submissions_push(struct submission_list *list, struct submission *s);
struct submission *submissions_pop(struct submission_list *list);
/* Why nothing more may be committed although the log runs; NULL: it may. Under the lock. */
const char *log_holding(const struct log *log);
/* How far appends may be answered: what is published as it has to be. */
uint64_t log_answerable(struct log *log);
/* Call back and free. The submission is in no list. */
void submission_answer(struct log *log, struct submission *s, const struct log_answer *answer);
void submission_later(struct log *log, struct submission *s, const char *reason,
		      unsigned retry_after);

/* The store could be written, or why it could not: for log_status. */
void log_set_stuck(struct log *log, const char *why);
/* Who came to the queue before this, in monotonic nanoseconds, waits no longer. */
uint64_t log_patience_end(struct log *log);

/* -- the sequencer --------------------------------------------------------------------------------- */

void *sequencer_main(void *log);
/* Take in what other processes have committed. Sets log->state and covered. */
enum vt_err sequencer_follow(struct log *log);
/* One of the registry's entries, committed: apply it to the committed registry. */
enum vt_err registry_commit(struct log *log, uint64_t index, const struct merkle_hash *leaf,
			    struct bytes entry);
/* Both registries from the committed entries, found through the index. */
enum vt_err registry_open(struct log *log);
/* Make `next` again what the committed entries say. */
enum vt_err registry_rebuild(struct log *log);

enum vt_err batch_new(struct batch **out, struct log *log);
void batch_free(struct batch *b);

/* The leaf hash at an index of the committed tree. */
enum vt_err leaf_at(struct store_reader *r, uint64_t index, struct merkle_hash *out);

/* -- rule 3 (readback.c) --------------------------------------------------------------------------- */

/*
 * Does the tree that the store holds grow from `old` to `new`, and only grow? Reads the tiles that the leaves [old, new) and
 * the two right edges stand in; every hash added is recomputed from the level below, level 0 from leaf[],
 * and both roots from the tiles. Shares no code with merkle_range above hash.c. VT_EMISMATCH with the place in why.
 */
enum vt_err readback_tree(struct log *log, const struct tree_head *old,
			  const struct tree_head *new_head, const struct merkle_hash *leaf,
			  char why[LOG_WHY_MAX]);
/* Are the batch's entries stored as they were admitted, byte for byte by their leaf hashes, and with their keys? */
enum vt_err readback_entries(struct log *log, uint64_t first, struct submission *const *s, size_t n,
			     char why[LOG_WHY_MAX]);
/* The root at `size` from the right-edge tiles, read through the second reader. */
enum vt_err readback_root(struct log *log, uint64_t size, struct merkle_hash *root);
/* readback_tree() for entries that were committed before this process could watch: those of a head that was never
 * published. Any number of them. */
enum vt_err readback_owed(struct log *log, const struct tree_head *old,
			  const struct tree_head *new_head, char why[LOG_WHY_MAX]);
enum vt_err readback_new(struct readback **out);
void readback_free(struct readback *rb);

/* -- publish.c --------------------------------------------------------------------------------------- */

/*
 * See to it that log->state.head is covered by a published checkpoint: rule 8, sign, verify, gather, publish. Raises
 * log->published. VT_EBUSY: not now (frozen, no quorum, contention).
 */
enum vt_err publish_head(struct log *log);
/* Read the published checkpoint and verify it against the store (rule 8). Raises log->published; freezes. */
enum vt_err publish_check(struct log *log);
/* The head as a note signed by the log alone. */
enum vt_err publish_sign(struct log *log, const struct tree_head *head, struct buf *note);
/* Put the note into the store, unless something better is there. VT_EBUSY: contention, or frozen. */
enum vt_err publish_note(struct log *log, const struct tree_head *head, struct bytes note,
			 bool quorum);
/* What is published meets the policy, or does not: the policy is another one. */
void publish_judge_again(struct log *log);
/* Is there a head that is not published, or published without its quorum? */
bool publish_owed(const struct log *log);

/* -- round.c: the same with witnesses -------------------------------------------------------------------- */

/* Publish what the gatherer brought, begin the next round if one is owed and may begin. VT_EBUSY as in publish_head(). */
enum vt_err round_step(struct log *log);
/* When round_step() has something to do next, if nothing comes from the gatherer; monotonic nanoseconds. */
uint64_t round_next(const struct log *log);

/* Another policy, as log_set_policy() was asked for. */
void round_set_policy(struct log *log);

/* -- agreed.c: one policy for all processes of a store. The sequencer's ---------------------------------------- */

/* errno with VT_EIO, here and below. VT_ECONFLICT, VT_EBUSY, each with why. */
enum vt_err agreed_open(struct log *log, char why[STORE_WHY_MAX]);
void agreed_close(struct log *log);
/* Have the other processes the same policy? VT_EBUSY: no. */
enum vt_err agreed_look(struct log *log);
/* The same, and as long as agreed_end() has not been called nobody exchanges it. */
enum vt_err agreed_begin(struct log *log);
void agreed_end(struct log *log);
/* This one is in use from now on, by this process. VT_EBUSY: another one is publishing, and does not come to an end. */
enum vt_err agreed_change(struct log *log, const struct merkle_hash *policy);

/* -- ends ----------------------------------------------------------------------------------------- */

/* What was read back differs: say so and abort, unsigned. */
_Noreturn void log_die_mismatch(const char *why);
/* The store failed in a way whose outcome is unknown. */
_Noreturn void log_die_storage(const char *what, enum vt_err err);

/* -- stopping for good (freeze.c) ----------------------------------------------------------------------- */

bool log_frozen(struct log *log);
/* log_freeze(), with the signed note that contradicts the store. */
void log_freeze_with(struct log *log, const char *why, struct bytes evidence);
/* As the mark's own text says, which is taken over: it goes to the file if that can be written now. */
void log_freeze_by_mark(struct log *log, struct buf *text);
/* Until the process ends: for what is found again at each start, until it is mended. */
void log_freeze_for_now(struct log *log, const char *why);
/*
 * Why, as the file at `path` says, and when (POSIX seconds; now, if it does not say). VT_ENOTFOUND: there is none. One that is there
 * freezes, whatever is in it and whether or not it can be read, so everything else is VT_OK. evidence, if not NULL, is appended what
 * should be a signed checkpoint, if there is one; VT_ENOMEM.
 */
enum vt_err frozen_file_read(const char *path, char why[LOG_FROZEN_WHY_MAX], uint64_t *time,
			     struct buf *evidence);
/* Is the file there that freezes this log? Another process, or an earlier one, may have written it. */
void log_freeze_look(struct log *log);
/* Write that file, if it could not be written before. */
void log_freeze_keep(struct log *log);

/* -- the high-water mark (high_water.c) ------------------------------------------------------------------ */

/*
 * What do a store and its mark say of each other? VT_OK: the marked tree is in the store. VT_EMISMATCH: it is not, or the mark cannot be
 * used; why has it in words for people. VT_ENOTFOUND: there is no mark. Anything else is this machine's failure and says nothing.
 */
enum vt_err high_water_compare(struct tree_head *mark, const char *path, const char *origin,
			       struct store_reader *r, struct merkle_hasher *h,
			       char why[LOG_FROZEN_WHY_MAX]);
/* Hold the store against its mark. What contradicts freezes; VT_OK all the same: the log can be read. */
enum vt_err high_water_open(struct log *log);
/* The mark is missing, and no witness can vouch for the store. */
void high_water_nobody_to_ask(struct log *log);
/* Begin to raise the mark. */
void high_water_raise(struct log *log, const struct tree_head *head);
/*
 * Which head to publish now: *head, or an earlier one that the mark has reached. The sequencer does not wait for the mark: it is
 * told when the mark has moved, and takes what has come meanwhile. VT_EBUSY: nothing that is not published yet.
 */
enum vt_err high_water_choose(struct log *log, struct tree_head *head);
/* Wait until it is there: from then on bytes of this head may go out. VT_EBUSY: they may not (the log is frozen). */
enum vt_err high_water_wait(struct log *log, const struct tree_head *head);
/* A quorum of witnesses has cosigned this head: make the mark that was missing. */
enum vt_err high_water_vouched(struct log *log, const struct tree_head *head);

/* Wait, a second at most, until the entries [0, size) are covered. False: they are not. */
bool log_cover(struct log *log, uint64_t size);

#endif
