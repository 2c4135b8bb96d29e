/*
 * Trust policies (C2SP tlog-policy): which logs, and which quorum of witnesses, make a checkpoint
 * valid. Logs may have keys of any type but a witness's (0x04), witnesses 0x04 or 0x06; those that this
 * build cannot verify are listed and never count as having signed.
 */
#ifndef VITRINE_POLICY_H
#define VITRINE_POLICY_H

#include "vitrine/checkpoint.h"

enum {
	POLICY_SIZE_MAX = 1 << 20,
	/* The specification asks for at least 32 of each. A witness may have thousands of logs. */
	POLICY_LOGS_MAX = 4096,
	POLICY_WITNESSES_MAX = 256,
	POLICY_GROUPS_MAX = 256,
};

struct policy_log {
	struct vkey key;
	struct bytes url; /* empty when not given */
};

struct policy_witness {
	struct bytes name;
	struct vkey key;
	struct bytes url;
};

struct policy; /* owns a copy of its text; immutable, so threads may share it */

/* Where and why a policy does not parse, in printable ASCII, for whoever wrote it. */
struct policy_error {
	size_t line; /* from 1 */
	char text[160];
};

/* *out is new, freed with policy_free(). why may be NULL; it is filled in on every failure.
 * VT_EMALFORMED, VT_ELIMIT, VT_ENOMEM. */
enum vt_err policy_parse(struct policy **out, struct bytes text, struct policy_error *why);
void policy_free(struct policy *p);

size_t policy_log_count(const struct policy *p);
const struct policy_log *policy_log(const struct policy *p, size_t i);
size_t policy_witness_count(const struct policy *p);
const struct policy_witness *policy_witness(const struct policy *p, size_t i);
bool policy_needs_witnesses(const struct policy *p); /* false for "quorum none" */

/* Do the witnesses whose cosigned[i] is true (one per witness) make the quorum? */
bool policy_quorum(const struct policy *p, const bool *cosigned);

/*
 * A digest of what the policy asks of a checkpoint: the same for two policies by which the same sets of cosignatures make the quorum, and
 * which name the same witnesses with a URL, however they call and order them. The logs, and the URLs themselves, are not in it. VT_ENOMEM.
 */
enum vt_err policy_digest(struct merkle_hash *out, const struct policy *p);

/*
 * Is msg a checkpoint that the policy accepts: signed by one of its logs under that log's name as
 * origin, and cosigned by a quorum? VT_EUNTRUSTED: no listed log signed it. VT_EMISMATCH: a known
 * key's signature fails, or the quorum is missing. *note is new; *log is the policy's own; p must
 * outlive both. VT_EMALFORMED and VT_ELIMIT as note_open() and checkpoint_parse() have them.
 * cosigned, if not NULL, has room for every witness and is filled in whenever a listed log signed it,
 * so that a missing quorum can be told apart and explained.
 */
enum vt_err policy_open_checkpoint(struct note **note, struct checkpoint *out,
				   const struct policy_log **log, bool *cosigned, struct bytes msg,
				   const struct policy *p);

enum {
	POLICY_WHY_MAX = 600,
};

/*
 * Why policy_open_checkpoint() does not accept msg, in printable ASCII, so that it can follow "the checkpoint: ": which log it is of, whose
 * signature is missing or fails, or what the quorum has and what it needs, with the witnesses' names. out is NUL-terminated, and empty
 * if it is accepted. VT_ENOMEM.
 */
enum vt_err policy_explain(char out[POLICY_WHY_MAX], struct bytes msg, const struct policy *p);

#endif
