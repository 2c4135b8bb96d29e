/*
 * The body of an add-checkpoint request (C2SP tlog-witness): what the old size line, the proof and
 * the checkpoint are, before anything of it is believed.
 */
#ifndef WITNESS_ADD_CHECKPOINT_H
#define WITNESS_ADD_CHECKPOINT_H

#include "vitrine/merkle.h"

enum {
	ADD_CHECKPOINT_PROOF_MAX = 63, /* lines */
	/* The specification bounds no body. This holds the proof and some thirty cosignatures of the
	 * largest kind (ML-DSA-44: 3.3 KiB a line). */
	ADD_CHECKPOINT_BODY_MAX = 128 * 1024,
};

struct add_checkpoint {
	uint64_t old_size;
	struct merkle_proof proof;
	struct bytes note; /* into the body: the signed checkpoint, not looked at yet */
};

/* VT_EMALFORMED: *why, static text, says what is not as the specification has it. */
enum vt_err add_checkpoint_parse(struct add_checkpoint *out, struct bytes body, const char **why);

#endif
