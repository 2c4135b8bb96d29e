/* Checking a tlog-proof of this kind of log, offline: what `verify`, `find` and `submit` share. */
#ifndef RECORD_PROOF_CHECK_H
#define RECORD_PROOF_CHECK_H

#include "extra.h"
#include "statement.h"
#include "vitrine/tlog_proof.h"
#include "why.h"

enum {
	CHECK_SIGNERS_MAX = 16,
};

/* What held, of one proof. */
struct checked {
	struct buf text; /* the proof file; the pointers below reach into it */
	struct tlog_proof proof;
	struct note *note;
	struct checkpoint cp;
	const struct policy_log *log;
	size_t cosigned; /* witnesses of the policy that cosigned */
	struct merkle_hash leaf;
	struct buf entry;
	bool raw;              /* no record: the entry is opaque bytes */
	bool proven_admission; /* the proof's extra showed accreditations back to entry 0 */
	struct extra_verdict verdict;
	struct statement statement; /* of the record */
	size_t n_signers;
	struct {
		char keyid[65];
		const char *party, *role; /* NULL when admission was not proven */
	} signer[CHECK_SIGNERS_MAX];
	struct why why; /* when it does not hold */
};

void checked_init(struct checked *c);
void checked_release(struct checked *c);
/*
 * c->text holds the proof file. beside: the entry, for proofs whose extra was too large to carry it (may be
 * empty otherwise): then the signatures are not verified, and proven_admission stays false. centre: canonical SPKI, empty
 * when not pinned. On failure c->why says what does not hold.
 */
enum vt_err proof_check(struct checked *c, struct merkle_hasher *h, const struct policy *policy,
			struct bytes centre, struct bytes beside);

/*
 * After proof_check() with the entry beside: x was gathered for that entry (client_support()), under a head that is the
 * checkpoint's or later, of the same history. Verifies the signatures and accreditations; proven_admission is true if it
 * returns VT_OK.
 */
enum vt_err proof_check_support(struct checked *c, struct merkle_hasher *h, const struct extra *x,
				const struct tree_head *head, struct bytes centre);

/* Did this party sign it? */
bool checked_signed_by(const struct checked *c, const char *party);
/* "test verdict PASSED", "firmware release pkg:...", or the predicateType: printable, whatever the entry holds. */
const char *checked_what(const struct checked *c, char *out, size_t cap);

#endif
