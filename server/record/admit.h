/*
 * Admission: bytes in; the entry out, or the reason why not. The steps, in this
 * order: size, I-JSON, DSSE shape, a signature by a registered key, known?, statement,
 * accreditation, the predicate's own rules.
 *
 * Whether a record is admissible at an index depends on the entries before it alone; a view gives
 * access to them. Functions here are pure but for the view's callbacks, and keep no state: any
 * thread.
 */
#ifndef RECORD_ADMIT_H
#define RECORD_ADMIT_H

#include "registry.h"
#include "statement.h"
#include "vitrine/merkle.h"

enum {
	RECORD_BODY_MAX = 256 * 1024,
	RECORD_ENTRY_MAX = 65535,
	RECORD_SIGNATURES_MAX = 16,
	RECORD_SUBJECTS_MAX = 64,
	RECORD_TRIALS_MAX = 64,
	RECORD_KEYS_MAX = 256, /* index keys of one record; equals STORE_KEYS_MAX */
};

/* What the entries [0, size) say. */
struct admission_view {
	uint64_t size; /* the index that the record would get */
	const struct registry *registry;
	const char *origin;
	/* Canonical SPKI of the key that must sign entry 0; empty: whichever entry 0 names (replay
	 * without a pin). */
	struct bytes centre;
	/* The lowest index >= from whose entry has this index key. VT_ENOTFOUND. */
	enum vt_err (*find)(void *ctx, const struct merkle_hash *key, uint64_t from,
			    uint64_t *index);
	/* Append the entry's bytes. VT_ENOTFOUND. */
	enum vt_err (*read)(void *ctx, uint64_t index, struct buf *entry);
	void *ctx;
};

struct record; /* a submission whose kept signatures have verified */

/*
 * The steps up to the signatures. key_hint (a keyid, may be NULL) names the one key to try. Where trials run out, the view's
 * `find` is asked whether this is a retry: then the record stands for the known signatures alone. Holds
 * no pointer into body or view afterwards. Refusals: VT_EMALFORMED, VT_ELIMIT, VT_EUNTRUSTED with
 * *why set; VT_ENOMEM, VT_EINTERNAL and the view's own errors without.
 */
enum vt_err record_open(struct record **out, struct merkle_hasher *h, struct bytes body,
			const struct merkle_hash *key_hint, const struct admission_view *view,
			struct problem *why);
void record_free(struct record *r);

/* Is every (PAE, keyid) pair in the log already? VT_OK: *index is the record's own entry; of signatures that came in
 * separately, the entry with the last of them. VT_ENOTFOUND: it is new. */
enum vt_err record_known(uint64_t *index, const struct record *r,
			 const struct admission_view *view);

/*
 * The last three steps, against the registry at view->size. Cheap and repeatable: no signature is
 * verified again. VT_EMALFORMED or VT_EUNTRUSTED with *why; VT_ECONFLICT (a stale `previous`) with
 * *why. Without *why: VT_ENOMEM, the view's own errors, and VT_EMISMATCH if an entry that the view
 * found is not what its index key says.
 */
enum vt_err record_judge(const struct record *r, const struct admission_view *view,
			 struct problem *why);

/*
 * What is left of an accreditation when record_judge() had nothing against it: does it bring keys that the registry has not seen, and are
 * they sound? The second takes milliseconds and needs no view, so that it is done once, outside of locks. VT_EMALFORMED with *why.
 */
bool record_brings_keys(const struct record *r, const struct admission_view *view);
enum vt_err record_check_keys(const struct record *r, struct problem *why);

/* Both of the above. */
enum vt_err record_judge_with_keys(const struct record *r, const struct admission_view *view,
				   struct problem *why);

/* The canonical bytes, at most RECORD_ENTRY_MAX. */
struct bytes record_entry(const struct record *r);
const struct merkle_hash *record_leaf(const struct record *r);
/* Index keys: the leaf hash first. */
const struct merkle_hash *record_keys(const struct record *r, size_t *n);
bool record_is_accreditation(const struct record *r);
/* The parsed payload, or NULL if it breaks a statement rule (record_judge() says which). */
const struct statement *record_statement(const struct record *r);
const struct merkle_hash *record_pae(const struct record *r); /* SHA-256(PAE) */

/* Whose signatures were kept, by keyid. Strings live as long as the record. */
struct record_signer {
	struct merkle_hash keyid;
	enum key_scheme scheme;
	const char *party;
	const char *role;
};
const struct record_signer *record_signers(const struct record *r, size_t *n);

/* Whose the signatures are, in the order in which they came: by place, for those that were kept. */
struct record_sent {
	size_t n;
	bool kept[RECORD_SIGNATURES_MAX];
	struct merkle_hash keyid[RECORD_SIGNATURES_MAX];
};
void record_sent(struct record_sent *out, const struct record *r);

/*
 * Re-open an entry of a log, for replay (fsck, monitor) and for describing it: exact canonical
 * form, signatures verified against keys registered before view->size. VT_EMISMATCH with *why if
 * the bytes are not what admission would have made; VT_EUNTRUSTED with *why if entry 0 is not by
 * view->centre. Whether it was admissible is record_judge()'s to say, with the same view, and that
 * it was new record_known()'s.
 */
enum vt_err record_reopen(struct record **out, struct merkle_hasher *h, struct bytes entry,
			  const struct admission_view *view, struct problem *why);

/*
 * Of an entry that record_reopen() opened, for replay: was it new, and admissible? record_known() and
 * record_judge_with_keys(): a known one is VT_EMISMATCH with *why.
 */
enum vt_err record_replay(const struct record *r, const struct admission_view *view,
			  struct problem *why);

/*
 * Index keys. Each is a 32-byte hash; all but the leaf hash are SHA-256(label || 0x00 || value).
 * label: "pair" (value: PAE hash || keyid), "subject" (algorithm ':' lower-case hex digest), "type"
 * (predicateType), "party", "result" (PASSED, ...), "target" (the leaf hash that a correction is
 * about), "key" (the keyid that an accreditation is about), "sealed" (PAE hash || keyid: the record
 * that a sealed record keeps back, and who signed that). Digests and keyids in values are raw
 * bytes, but for "subject".
 */
enum vt_err index_key(struct merkle_hash *out, struct merkle_hasher *h, const char *label,
		      struct bytes value);

#endif
