/*
 * What a proof file says of a record: what it is, who signed it, and whether they were accredited for that. In libvitrine-record,
 * which needs jansson beside libvitrine and libcrypto.
 *
 * A proof speaks of one entry. Whether a later entry corrects or withdraws it, or somebody else found otherwise, only the log knows:
 * `vitrine find` asks it.
 */
#ifndef VITRINE_RECORD_PROOF_H
#define VITRINE_RECORD_PROOF_H

#include "vitrine/policy.h"
#include "vitrine/record_names.h"

enum {
	RECORD_PROOF_SIGNERS_MAX = 16,
	RECORD_PROOF_WHY_MAX = 2048,
};

struct record_proof_signer {
	/* SHA-256 of the key's SPKI, 64 hex digits. */
	const char *keyid;
	/* NULL: the proof does not show that the key was accredited. */
	const char *party, *role;
};

struct record_proof_says {
	/* Of the entry, and of the log when the proof was made. */
	uint64_t index, size;
	/* Witnesses of the policy that cosigned the checkpoint. */
	size_t cosigned;
	/* false: the entry is opaque bytes, and nothing below is set. */
	bool is_record;
	/* The signatures verified, and each signer was accredited when the entry was admitted, back to the centre's entry 0. */
	bool admission_proven;
	const char *predicate_type;
	/* Of a test verdict: "PASSED", "WARNED" or "FAILED". NULL: it is none. */
	const char *result;
	size_t n_signers;
	struct record_proof_signer signer[RECORD_PROOF_SIGNERS_MAX];
};

/* What held of one proof. Immutable: any number of threads may read it. */
struct record_proof;

/*
 * Check a proof file (C2SP tlog-proof): the checkpoint under the policy, the inclusion, the record's signatures, and that its
 * signers were accredited. *out is new, freed with record_proof_free(), and leans on none of the arguments; NULL on failure, and why
 * says what does not hold.
 *
 * centre: the centre's first public key, as a file has it (PEM or DER); empty: the proof itself says whose centre it is.
 * entry: for a proof that does not carry it, because it is large; then no signature is verified, and admission_proven is false.
 *
 * VT_EMALFORMED, VT_ELIMIT: it is no proof. VT_EUNTRUSTED, VT_EMISMATCH: it does not hold. VT_EINVAL: the key is none, or the entry
 * is missing. VT_ENOMEM, VT_EINTERNAL.
 */
enum vt_err record_proof_check(struct record_proof **out, struct bytes file,
			       const struct policy *policy, struct bytes centre, struct bytes entry,
			       char why[RECORD_PROOF_WHY_MAX]);
void record_proof_free(struct record_proof *p);
/* As long as the proof lives. */
const struct record_proof_says *record_proof_says(const struct record_proof *p);
/*
 * Is the record about this content: has it a subject of which every digest that can be compared is the content's? VT_ENOTFOUND: none.
 * VT_EMISMATCH: a subject has digests of this content and of another. VT_ENOMEM, VT_EINTERNAL.
 */
enum vt_err record_proof_about(const struct record_proof *p, struct bytes content);

#endif
