/* What a record is made of, for the files of the record module only. */
#ifndef RECORD_RECORD_IMPL_H
#define RECORD_RECORD_IMPL_H

#include "admit.h"
#include "dsse.h"
#include "predicate.h"

/* What a record keeps of one signature, beside what the outside sees. */
struct kept_signature {
	struct record_signer who; /* party and role point at the two below */
	char *party;
	char *role;
	size_t sent;               /* its place among the signatures as they came */
	struct buf sig;            /* canonical bytes */
	struct merkle_hash sealed; /* index key of a sealed record of this one, by the same key */
};

/*
 * Invariants of an opened record: n >= 1; kept[] is sorted by keyid, each once, and signer[] shows
 * the same; entry is the canonical form of exactly these signatures. statement_fault.type == NULL:
 * the statement is parsed, and predicate_fault tells whether it keeps its predicate's own rules.
 * has_claim: it does, and is an accreditation.
 */
struct record {
	struct buf entry;
	struct merkle_hash leaf;
	struct merkle_hash pae;
	size_t n, n_sent; /* signatures that are kept; that came */
	struct record_signer signer[RECORD_SIGNATURES_MAX];
	struct kept_signature *kept; /* room for one per signature of the envelope */
	bool parsed;                 /* the payload was looked at */
	struct statement statement;
	struct problem statement_fault;
	struct problem predicate_fault;
	bool has_claim;
	struct accreditation_claim claim;
	size_t n_keys;
	struct merkle_hash *key; /* the leaf hash, one per pair, then the others */
};

bool record_signed_by(const struct record *r, const struct merkle_hash *keyid);
/* The key, if an entry before view->size registered it, or NULL. */
const struct registered_key *view_key(const struct admission_view *view,
				      const struct merkle_hash *keyid);

/* The index key of a (PAE, keyid) pair. */
enum vt_err record_pair_key(struct merkle_hash *out, struct merkle_hasher *h,
			    const struct merkle_hash *pae, const struct merkle_hash *keyid);
/* Fill in r->key: needs everything else of r. */
enum vt_err record_make_keys(struct record *r, struct merkle_hasher *h);

/* An entry read back from the log and taken apart. Nothing is verified: it was when it was
 * admitted. */
struct logged_entry {
	uint64_t index;
	struct buf bytes;
	struct merkle_hash leaf;
	struct dsse envelope;
	struct statement statement;
};

void logged_entry_init(struct logged_entry *e);
void logged_entry_release(struct logged_entry *e);
/* e is initialised or released. VT_EMISMATCH: what is there is no entry; VT_ENOTFOUND; the view's
 * own errors. */
enum vt_err logged_entry_read(struct logged_entry *e, const struct admission_view *view,
			      uint64_t index);
enum vt_err logged_entry_parse(struct logged_entry *e, uint64_t index, struct bytes entry);
/* The keyid of its signature i, as its own text has it. VT_EMISMATCH. */
enum vt_err logged_entry_keyid(struct merkle_hash *out, const struct logged_entry *e, size_t i);

/* The index key under which a sealed record of `pae`, signed by keyid, is found. */
enum vt_err sealed_index_key(struct merkle_hash *out, struct merkle_hasher *h,
			     const struct merkle_hash *pae, const struct merkle_hash *keyid);
/*
 * The sealed record that makes `key` admissible for a record of this predicateType at view->size:
 * it seals `pae`, was signed by the same key, and when it was admitted the key was accredited for
 * that type. VT_ENOTFOUND: none.
 */
enum vt_err sealed_record_find(uint64_t *index, const struct merkle_hash *sealed_key,
			       const struct merkle_hash *pae, const struct registered_key *key,
			       struct bytes predicate_type, const struct admission_view *view);

/* What made a signer of a logged entry admissible. */
struct signer_basis {
	uint64_t accreditation; /* the entry that accredited it: the entry itself, where that
				   registers the key */
	bool by_sealed; /* it was accredited when `sealed` was admitted, not any more at the entry
			   itself */
	uint64_t sealed;
};
/* view->size and its registry may reach beyond e. VT_EMISMATCH: nothing did, so the entry was never
 * admitted. */
enum vt_err signer_basis_find(struct signer_basis *out, struct merkle_hasher *h,
			      const struct logged_entry *e, const struct registered_key *key,
			      const struct admission_view *view);

#endif
