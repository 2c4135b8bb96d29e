/*
 * Proof files (C2SP tlog-proof): one text that proves an entry offline.
 */
#ifndef VITRINE_TLOG_PROOF_H
#define VITRINE_TLOG_PROOF_H

#include "vitrine/policy.h"

enum {
	TLOG_PROOF_SIZE_MAX = 1 << 20,
};

struct tlog_proof {
	bool has_extra;
	struct buf extra; /* decoded; opaque and not authenticated */
	uint64_t index;
	struct merkle_proof proof;
	struct bytes checkpoint; /* the signed note; points into the text that was parsed */
};

void tlog_proof_init(struct tlog_proof *p);
void tlog_proof_release(struct tlog_proof *p);
/* p is initialised, and is empty again on failure; `text` must outlive it. The checkpoint is one in
 * form, and nothing is verified. VT_EMALFORMED, VT_ELIMIT, VT_ENOMEM. */
enum vt_err tlog_proof_parse(struct tlog_proof *p, struct bytes text);
/* extra.data NULL: no extra line. All or nothing. VT_EMALFORMED: `checkpoint` is none.
 * VT_ELIMIT: more than tlog_proof_parse() takes. */
enum vt_err tlog_proof_format(struct buf *out, struct bytes extra, uint64_t index,
			      const struct merkle_proof *proof, struct bytes checkpoint);
/*
 * Does the policy accept the checkpoint, and does the proof tie `leaf` to it? Errors as
 * policy_open_checkpoint() has them; VT_EMISMATCH also if the inclusion proof fails.
 * note and cp are filled in on VT_OK, as in policy_open_checkpoint(); all out-parameters may be NULL.
 */
enum vt_err tlog_proof_verify(struct note **note, struct checkpoint *cp,
			      const struct policy_log **log, struct merkle_hasher *h,
			      const struct tlog_proof *p, const struct merkle_hash *leaf,
			      const struct policy *policy);

#endif
