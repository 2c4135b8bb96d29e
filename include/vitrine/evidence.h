/*
 * Evidence: two signed heads of one log that no single history has, in a text that proves it to
 * anyone who has the log's verifier key (docs/evidence.md is the format).
 *
 * Nothing beside the file and the key is needed, and nothing of whoever made it is believed: what
 * verifies was signed by the log's own key, twice.
 */
#ifndef VITRINE_EVIDENCE_H
#define VITRINE_EVIDENCE_H

#include "vitrine/checkpoint.h"

enum {
	EVIDENCE_NOTE_MAX = 1 << 16, /* bytes of one head: text and the log's signature line */
	EVIDENCE_SIZE_MAX = 2 * EVIDENCE_NOTE_MAX + 8192,
};

/* Pointers are into the text that was parsed. */
struct evidence_head {
	struct bytes note; /* the signed note, with one signature line */
	struct checkpoint cp;
};

/*
 * Equal sizes: first is the head with the smaller root (memcmp order), and that is all. Otherwise first is
 * the smaller head, `other` the root that the history of the second one has at the first one's size, and
 * `proof` the consistency proof from there to the second.
 */
struct evidence {
	struct bytes name; /* of the log's vkey: the origin of both heads */
	struct evidence_head first, second;
	struct merkle_hash other;
	struct merkle_proof proof;
};

/* Parse without believing it. VT_EMALFORMED; VT_ELIMIT; VT_ENOMEM. The text must outlive *out. */
enum vt_err evidence_parse(struct evidence *out, struct bytes text);
/* Append the one text of it. VT_EINVAL: what parsing would not give back. */
enum vt_err evidence_format(struct buf *out, const struct evidence *e);
/*
 * Does this text prove that the holder of the log's key signed two histories? VT_OK: it does, and *out
 * (may be NULL) says which heads. VT_EMALFORMED, VT_ELIMIT: no evidence in form. VT_EUNTRUSTED: it is about
 * another log, or not signed by this key, or the key is not of type 0x01. VT_EMISMATCH: a signature fails,
 * the heads can both belong to one history, the proof does not hold, or it is not in the one canonical
 * form. *why (may be NULL) becomes a static phrase for people on every failure.
 */
enum vt_err evidence_verify(struct evidence *out, const char **why, struct merkle_hasher *h,
			    struct bytes text, const struct vkey *log);
/*
 * Append the evidence that two signed checkpoints, in any order and with any further signature lines, make.
 * other and proof as in struct evidence, NULL where the sizes are equal. Verified before it is returned;
 * errors as evidence_verify() has them, and VT_EMISMATCH for heads that contradict nothing.
 */
enum vt_err evidence_make(struct buf *out, struct merkle_hasher *h, const struct vkey *log,
			  struct bytes a, struct bytes b, const struct merkle_hash *other,
			  const struct merkle_proof *proof);
/*
 * Append a signed checkpoint with the log's own signature line alone, the first one that its key made: so
 * a head has one text, whoever shows it. head may be NULL. Errors as checkpoint_open() has them; VT_ELIMIT:
 * more than EVIDENCE_NOTE_MAX bytes.
 */
enum vt_err evidence_head_text(struct buf *out, struct tree_head *head, struct bytes msg,
			       const struct vkey *log);

#endif
