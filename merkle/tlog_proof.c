#include "vitrine/tlog_proof.h"

#include <string.h>

#include "cursor.h"

#define HEADER "c2sp.org/tlog-proof@v1\n"

void tlog_proof_init(struct tlog_proof *p)
{
	*p = (struct tlog_proof){0};
}

void tlog_proof_release(struct tlog_proof *p)
{
	buf_release(&p->extra);
	tlog_proof_init(p);
}

/* Is this a checkpoint in form? Whether to believe it is for a policy to say. */
static enum vt_err check_checkpoint(struct bytes msg)
{
	struct checkpoint cp;
	struct note *n = NULL;
	enum vt_err err;

	if ((err = note_parse(&n, msg)) != VT_OK || (err = checkpoint_parse(&cp, n->text)) != VT_OK)
		goto done;
done:
	note_free(n);
	return err;
}

/* tlog-proof, Format: "The second line MAY start with the string extra followed by a space (U+0020)
 * and base64-encoded opaque extra data." */
static enum vt_err parse_extra(struct tlog_proof *p, struct cursor *c)
{
	struct bytes text;
	enum vt_err err;

	if (!cursor_skip(c, "extra "))
		return VT_OK;
	if ((err = cursor_line(c, &text)) != VT_OK)
		return err;
	p->has_extra = true;
	return text.len == 0 ? VT_OK : buf_append_decoded_base64(&p->extra, text, BASE64_STANDARD);
}

/* "The next zero or more non-empty lines are the base64-encoded Merkle inclusion proof [...], one
 * SHA-256 hash per line", and then "an empty line". */
static enum vt_err parse_hashes(struct merkle_proof *proof, struct cursor *c)
{
	enum vt_err err;

	proof->n = 0;
	while (!cursor_skip(c, "\n")) {
		if (proof->n == MERKLE_PROOF_MAX)
			return VT_ELIMIT;
		if ((err = cursor_hash_line(c, &proof->hash[proof->n])) != VT_OK)
			return err;
		proof->n++;
	}
	return VT_OK;
}

static enum vt_err parse(struct tlog_proof *p, struct bytes text)
{
	struct cursor c;
	enum vt_err err;

	cursor_init(&c, text);
	if ((err = cursor_literal(&c, HEADER)) != VT_OK || (err = parse_extra(p, &c)) != VT_OK ||
	    (err = cursor_literal(&c, "index ")) != VT_OK ||
	    (err = cursor_decimal_line(&c, &p->index)) != VT_OK ||
	    (err = parse_hashes(&p->proof, &c)) != VT_OK ||
	    /* "the checkpoint issued by the log is included verbatim" */
	    (err = check_checkpoint(c.rest)) != VT_OK)
		return err;
	p->checkpoint = c.rest;
	return VT_OK;
}

enum vt_err tlog_proof_parse(struct tlog_proof *p, struct bytes text)
{
	enum vt_err err;

	tlog_proof_release(p);
	if (text.len > TLOG_PROOF_SIZE_MAX)
		return VT_ELIMIT;
	if ((err = parse(p, text)) != VT_OK)
		tlog_proof_release(p);
	return err;
}

static enum vt_err append_extra(struct buf *out, struct bytes extra)
{
	enum vt_err err;

	if (extra.data == NULL)
		return VT_OK;
	if ((err = buf_append_str(out, "extra ")) != VT_OK ||
	    (err = buf_append_base64(out, extra)) != VT_OK)
		return err;
	return buf_append_byte(out, '\n');
}

static enum vt_err append_hashes(struct buf *out, const struct merkle_proof *proof)
{
	enum vt_err err;

	for (size_t i = 0; i < proof->n; i++) {
		const struct merkle_hash *hash = &proof->hash[i];

		if ((err = buf_append_base64(out, bytes_of(hash->b, sizeof(hash->b)))) != VT_OK ||
		    (err = buf_append_byte(out, '\n')) != VT_OK)
			return err;
	}
	return VT_OK;
}

enum vt_err tlog_proof_format(struct buf *out, struct bytes extra, uint64_t index,
			      const struct merkle_proof *proof, struct bytes checkpoint)
{
	const size_t before = out->len;
	enum vt_err err;

	if (proof->n > MERKLE_PROOF_MAX)
		return VT_EINVAL;
	if (extra.len > TLOG_PROOF_SIZE_MAX)
		return VT_ELIMIT;
	if ((err = check_checkpoint(checkpoint)) != VT_OK)
		return err;
	if ((err = buf_append_str(out, HEADER)) != VT_OK ||
	    (err = append_extra(out, extra)) != VT_OK ||
	    (err = buf_append_str(out, "index ")) != VT_OK ||
	    (err = buf_append_decimal(out, index)) != VT_OK ||
	    (err = buf_append_byte(out, '\n')) != VT_OK ||
	    (err = append_hashes(out, proof)) != VT_OK ||
	    (err = buf_append_byte(out, '\n')) != VT_OK ||
	    (err = buf_append(out, checkpoint)) != VT_OK)
		goto done;
	/* Nothing is written here that tlog_proof_parse() would not take. */
	if (out->len - before > TLOG_PROOF_SIZE_MAX)
		err = VT_ELIMIT;
done:
	if (err != VT_OK)
		out->len = before;
	return err;
}

/* tlog-proof, Verifying a tlog proof: steps 2 and 3 are the policy's, 4 is the inclusion proof's.
 */
enum vt_err tlog_proof_verify(struct note **note, struct checkpoint *cp,
			      const struct policy_log **log, struct merkle_hasher *h,
			      const struct tlog_proof *p, const struct merkle_hash *leaf,
			      const struct policy *policy)
{
	const struct policy_log *found;
	struct checkpoint opened;
	struct note *n = NULL;
	enum vt_err err;

	if (note != NULL)
		*note = NULL;
	if ((err = policy_open_checkpoint(&n, &opened, &found, NULL, p->checkpoint, policy)) !=
	    VT_OK)
		goto done;
	err = proof_verify_inclusion(h, &p->proof, p->index, leaf, &opened.head);
	/* The index is not in that tree: no argument of the caller's, but a file that does not
	 * hold. */
	if (err == VT_EINVAL)
		err = VT_EMISMATCH;
	if (err != VT_OK)
		goto done;
	if (cp != NULL)
		*cp = opened;
	if (log != NULL)
		*log = found;
	if (note != NULL) {
		*note = n;
		n = NULL; /* transferred */
	}
done:
	note_free(n);
	return err;
}
