/*
 * Reads a log over HTTP and believes nothing of it: the checkpoint must satisfy the caller's
 * policy, every tile must hash up to the checkpoint's root before a byte of it is used, every
 * entry must hash to its leaf, and every further checkpoint must be consistent with the ones
 * before. Only the static files of C2SP tlog-tiles are needed for that; submitting also needs the
 * API.
 *
 * A client serves one thread at a time. Answers "not now" (429, 502, 503, 504, 408, no
 * connection) are tried again, with Retry-After or growing random pauses, until a deadline.
 *
 * Errors, wherever nothing else is said, each with a line for people in *why (may be NULL):
 * VT_EIO: the log could not be asked, or answers with errors (nothing is known);
 * VT_EBUSY: it kept saying "not now" until the deadline;
 * VT_ENOTFOUND: there is no such file at the log;
 * VT_EMISMATCH: what it serves contradicts a checkpoint, or two checkpoints each other;
 * VT_EUNTRUSTED: the checkpoint is not signed by a log of the policy;
 * VT_EMALFORMED, VT_ELIMIT: what it serves is not in the format, or too large for it;
 * VT_EINVAL: an index or size is beyond the head; VT_ENOMEM, VT_EINTERNAL.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "vitrine/policy.h"
#include "vitrine/tile.h"
#include "why.h"

struct client;
struct json;

struct client_config {
	const char *url;             /* of the log, with or without a slash at the end */
	const struct policy *policy; /* outlives the client */
	const char *origin;          /* insist on this log of the policy; NULL: whichever signed */
	struct bytes centre;         /* SPKI of the centre's key, for client_submit(); empty: any */
	size_t cache_bytes;          /* of verified tiles; 0: 32 MiB */
	unsigned parallel;           /* connections of client_entries(); 0: 4, at most 16 */
	unsigned read_seconds;       /* until a read is given up; 0: 60 */
	unsigned submit_seconds;     /* until a submission is given up; 0: 300 */
	bool fresh;                  /* what is read comes from the log itself, not from a cache */
	bool keep_trying;            /* reads too, until read_seconds, where nobody answers at all:
					otherwise they end at the fourth try */
	/*
	 * Called instead of sleeping before the next try, with why there is one; false: give up
	 * at once. client_entries() calls it on several threads. NULL: just sleep.
	 */
	bool (*wait)(void *ctx, uint64_t millis, const char *why);
	void *ctx;
};

/* Touches no network. config's texts are copied. VT_EINVAL: not an http(s) URL. */
enum vt_err client_new(struct client **out, const struct client_config *config, struct why *why);
void client_free(struct client *c);
/* From any thread: what is under way ends within about a second with VT_EIO, and so does whatever is
 * asked later. For programs that stop. */
void client_cancel(struct client *c);

/* -- heads ------------------------------------------------------------------------------------ */

/*
 * Fetch /checkpoint and adopt it. VT_EMISMATCH also: its quorum is missing (*why names the
 * witnesses).
 */
enum vt_err client_refresh(struct client *c, struct why *why);
/*
 * Adopt a checkpoint that came another way (kept from last time, or from a friend). Its right
 * edge is fetched and must make its root; it must be consistent with the head so far. If it is
 * older than that, the head stays. VT_EMISMATCH with *forked set (may be NULL): both checkpoints
 * are validly signed and contradict each other, and the head stays what it was.
 */
enum vt_err client_adopt(struct client *c, struct bytes checkpoint, bool *forked, struct why *why);
/*
 * Of the head; size 0 and empty texts before there is one. Borrowed until the next refresh or
 * adopt.
 */
const struct tree_head *client_head(const struct client *c);
struct bytes client_checkpoint(const struct client *c); /* the signed note */
const char *client_origin(const struct client *c);
const struct policy_log *client_log(const struct client *c); /* NULL before there is one */
/*
 * The newest answer to /checkpoint as it came, also when it was refused: evidence. Borrowed
 * likewise.
 */
struct bytes client_last_answer(const struct client *c);
bool client_last_forked(const struct client *c); /* did that answer contradict the head? */

/* -- trees: under the head, from verified tiles ----------------------------------------------- */

enum vt_err client_leaf(struct merkle_hash *out, struct client *c, uint64_t index, struct why *why);
enum vt_err client_root_at(struct merkle_hash *out, struct client *c, uint64_t size,
			   struct why *why);
enum vt_err client_inclusion(struct merkle_proof *out, struct client *c, uint64_t index,
			     struct why *why);
/* From the tree of `first` leaves to the head. */
enum vt_err client_consistency(struct merkle_proof *out, struct client *c, uint64_t first,
			       struct why *why);
/* tile_read_fn with a struct client as ctx, for the head's tree (tile_read_plan() and such). */
enum vt_err client_read_tile(void *client, const struct tile_id *id, struct merkle_hash *out);

/* -- entries ---------------------------------------------------------------------------------- */

/* Append one entry's bytes. */
enum vt_err client_entry(struct buf *out, struct client *c, uint64_t index, struct why *why);
/*
 * Are its entries records, so that admissions can be replayed? Such a log begins with the centre's own accreditation, an
 * envelope; anything else in front means raw, unless somebody knows whose log it should be: `centre`, its canonical SPKI, or
 * empty. The log must have an entry. Memory that ran out is VT_ENOMEM and never an answer.
 */
enum vt_err client_holds_records(bool *out, struct client *c, struct bytes centre, struct why *why);
/*
 * entry and leaf are gone after the call. Anything but VT_OK stops, and is what client_entries()
 * returns.
 */
typedef enum vt_err (*client_entry_fn)(void *ctx, uint64_t index, struct bytes entry,
				       const struct merkle_hash *leaf);
/*
 * Visit the entries [first, end) in order, on the calling thread, while other threads fetch
 * ahead: at most two bundles (of up to 16 MiB, usually far less) per connection. VT_EINVAL: end
 * is beyond the head. Other calls for `c` are possible inside visit, but not this one.
 */
enum vt_err client_entries(struct client *c, uint64_t first, uint64_t end, client_entry_fn visit,
			   void *ctx, struct why *why);

/* -- the API ---------------------------------------------------------------------------------- */

/*
 * GET a path below the log's URL ("/api/v1/entries?limit=10"), unverified, and append the body.
 * accept may be NULL.
 */
enum vt_err client_get(struct buf *out, struct client *c, const char *path, const char *accept,
		       size_t max, struct why *why);
/* The same, as JSON: *out is new. */
enum vt_err client_get_json(struct json **out, struct client *c, const char *path, size_t max,
			    struct why *why);

/*
 * What made the entry at `index` admissible, back to entry 0, as the extra line of its tlog-proof would have it if there were
 * room (record/extra.h): entries and inclusion proofs, each verified under the head. *out is new. Which entries those are
 * the log says; whether they suffice, extra_verify() with the head does. VT_ENOTFOUND: the log has no API. VT_EMALFORMED:
 * one of the entries is no record; what is wrong with the API's answers is VT_EIO.
 */
struct extra;
enum vt_err client_support(struct extra **out, struct client *c, uint64_t index, struct bytes entry,
			   struct why *why);

enum {
	CLIENT_SIGNERS_MAX = 16, /* equals RECORD_SIGNATURES_MAX */
};

/* What a submission came to, all of it verified. */
struct client_receipt {
	uint64_t index;
	struct merkle_hash leaf;
	struct tree_head head; /* that the proof is under */
	bool known;            /* the log had it before */
	struct buf entry;      /* as the log holds it */
	struct buf proof;      /* the tlog-proof file */
	bool proof_has_entry;  /* false: too large for the file, so keep the entry beside it */
	/* Signers of the record that was sent and who are not in the entry: the keyids as they were given, cut, or which
	 * signature it was. */
	size_t n_dropped;
	char dropped[CLIENT_SIGNERS_MAX][72];
	bool
	    admission_checked; /* signatures and accreditations hold; false: they could not be had */
};
void client_receipt_init(struct client_receipt *r);
void client_receipt_release(struct client_receipt *r);

/*
 * Append a record, sending the same bytes until the log answers or the deadline is over, and
 * verify what comes back: the checkpoint under the policy, the inclusion of the entry, that the
 * entry holds the record's own payload, and that its signatures and accreditations hold (where the
 * proof has no room for these, they are fetched, if the log will give them). If the client has a head, the answer's checkpoint is adopted too, so a log
 * that shows two faces is noticed. *out is initialised.
 *
 * Refused by the log: VT_EMALFORMED, VT_EUNTRUSTED, VT_ECONFLICT, VT_ELIMIT, VT_ENOTFOUND by its
 * status, and *why is its problem in one line. VT_EBUSY, VT_EIO: the outcome is unknown, sending
 * the same bytes again is free.
 * VT_EMISMATCH: the log answered, and the answer does not hold.
 */
enum vt_err client_submit(struct client_receipt *out, struct client *c, struct bytes record,
			  struct why *why);

struct http_reply;
/*
 * An answer that is no success as one printable line: of problem+json its title, detail and type,
 * else the status and how the body begins.
 */
void client_explain(char *out, size_t cap, const struct http_reply *reply);

#endif
