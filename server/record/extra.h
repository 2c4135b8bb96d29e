/*
 * The `extra` line of a tlog-proof: the entry, and what made it admissible, so that one file proves
 *it offline.
 *
 * Canonical JSON, no white space, members in this order:
 *
 *	{"entry":E,"support":[{"index":0,"entry":E0,"proof":["<base64>",...]},...]}
 *
 * E and E0 are entries, embedded as they are (an entry is JSON). support is ordered by index:
 *what the entry's admission depended on, back to entry 0. That is, for every entry in the file: the
 *accreditation in force for each of its signers, the sealed record that it reveals, the target and
 *replacement of a correction; and for an accreditation of a centre's or recovery key, that key's first
 *entry. What was said about a key before is not there, however long that history is. Each proof is an
 *inclusion proof under the same checkpoint as the tlog-proof's own.
 */
#ifndef RECORD_EXTRA_H
#define RECORD_EXTRA_H

#include "admit.h"

enum {
	/* Beyond this it is left out. 48 KiB, less what the word "extra", its space and a newline
	 * need: readers elsewhere stop at lines of 64 KiB, and base64 makes 3 bytes 4. */
	EXTRA_SIZE_MAX = 48 * 1024 - 16,
	EXTRA_SUPPORT_MAX = 64,   /* entries */
	EXTRA_GATHERED_MAX = 512, /* the same where they are not in one line */
	EXTRA_NAMED_MAX = 2,
};

/* Where extra_build() reads. */
struct extra_source {
	const struct admission_view
	    *view; /* size: the checkpoint's. registry, find and read cover it */
	/* Inclusion proof of an index under the checkpoint. */
	enum vt_err (*prove)(void *ctx, struct merkle_proof *out, uint64_t index);
	void *ctx;
};

/*
 * Append the extra of the entry at `index`. VT_ELIMIT: too large, leave it out (*out is unchanged).
 * Other errors are the callbacks' own, or VT_EMALFORMED for what is not an admitted entry.
 */
enum vt_err extra_build(struct buf *out, struct merkle_hasher *h, uint64_t index,
			struct bytes entry, const struct extra_source *source);

struct extra; /* parsed, nothing verified */
/* VT_EMALFORMED with *why (problem extra-shape), VT_ELIMIT. */
enum vt_err extra_parse(struct extra **out, struct bytes text, struct problem *why);
void extra_free(struct extra *x);
struct bytes extra_entry(const struct extra *x); /* lives as long as x */

/*
 * For an entry whose extra is too large for a line: the same, put together by whoever can fetch the parts. extra_add() takes
 * them in any order, each index once (VT_ECONFLICT); VT_ELIMIT beyond EXTRA_GATHERED_MAX. All is copied.
 */
enum vt_err extra_new(struct extra **out, struct bytes entry);
enum vt_err extra_add(struct extra *x, uint64_t index, struct bytes entry,
		      const struct merkle_proof *proof);
/* What the text of an entry tells of what its admission rests on. */
struct extra_named {
	/* Entries: target and replacement of a correction; for an accreditation in the role `centre` or `recovery`, `previous`. */
	uint64_t index[EXTRA_NAMED_MAX];
	size_t n;
	/* The keyid that an accreditation is about, in hex: for its signature nothing that was said of it before counts. Else empty. */
	char key[2 * MERKLE_HASH_SIZE + 1];
};

/* VT_EMALFORMED: the entry at `index` is none, or names what does not come before it. */
enum vt_err extra_named(struct extra_named *out, uint64_t index, struct bytes entry);

/* What an extra proved. release frees what it points to. */
struct extra_verdict {
	struct registry *registry; /* as far as the file tells: of the keys that matter here */
	struct record *record; /* the entry: signatures verified, judged admissible at its index */
	bool centre_pinned;    /* false: the file itself said whose centre it is */
	struct merkle_hash centre; /* keyid of the centre's key in entry 0 */
};

void extra_verdict_release(struct extra_verdict *v);
/*
 * Verify all of it offline: each support entry is included under `head`; replayed in order of index
 * each was admissible; and so was the entry at `index`. That the entry itself is included is the
 * caller's to check (tlog_proof_verify() with its leaf hash). centre empty: not pinned.
 *
 * What this cannot show, and the caller must say: that no accreditation of these keys was left out
 * between the ones in the file (a suspension, say), and what happened after (corrections). `previous`
 * may name an entry that is not in the file, but never one before what the file has for that key.
 *
 * VT_EMISMATCH, VT_EUNTRUSTED, VT_EMALFORMED, VT_ECONFLICT with *why: it does not hold.
 */
enum vt_err extra_verify(struct extra_verdict *out, struct merkle_hasher *h, const struct extra *x,
			 uint64_t index, const struct tree_head *head, const char *origin,
			 struct bytes centre, struct problem *why);

#endif
