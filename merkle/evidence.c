#include "vitrine/evidence.h"

#include <string.h>

#include "cursor.h"

#define HEADER "vitrine-evidence@v1\n"

/* A head: the lines of a checkpoint, an empty line, and the log's signature line. */
static enum vt_err parse_head(struct evidence_head *out, struct cursor *c)
{
	const uint8_t *start = c->rest.data;
	struct note *n = NULL;
	struct bytes line;
	enum vt_err err;

	do {
		if ((err = cursor_line(c, &line)) != VT_OK)
			return err;
	} while (line.len > 0);
	if ((err = cursor_nonempty_line(c, &line)) != VT_OK)
		return err;
	out->note = bytes_of(start, (size_t)(c->rest.data - start));
	if (out->note.len > EVIDENCE_NOTE_MAX)
		return VT_ELIMIT;
	if ((err = note_parse(&n, out->note)) != VT_OK)
		return err;
	err = checkpoint_parse(&out->cp, n->text);
	note_free(n);
	return err;
}

/* "root" and the consistency proof, one hash a line; they are there where the sizes differ. */
static enum vt_err parse_proof(struct evidence *e, bool *has_proof, struct cursor *c)
{
	enum vt_err err;

	e->proof.n = 0;
	*has_proof = cursor_skip(c, "root ");
	if (*has_proof && (err = cursor_hash_line(c, &e->other)) != VT_OK)
		return err;
	while (*has_proof && !cursor_skip(c, "\n")) {
		if (e->proof.n == MERKLE_PROOF_MAX)
			return VT_ELIMIT;
		if ((err = cursor_hash_line(c, &e->proof.hash[e->proof.n])) != VT_OK)
			return err;
		e->proof.n++;
	}
	return *has_proof ? VT_OK : cursor_literal(c, "\n");
}

static bool same_size(const struct evidence *e)
{
	return e->first.cp.head.size == e->second.cp.head.size;
}

/* One pair of heads has one order. */
static bool in_order(const struct evidence *e)
{
	const struct tree_head *first = &e->first.cp.head, *second = &e->second.cp.head;

	if (!same_size(e))
		return first->size < second->size;
	return memcmp(first->root.b, second->root.b, sizeof(first->root.b)) < 0;
}

enum vt_err evidence_parse(struct evidence *out, struct bytes text)
{
	struct evidence e = {0};
	struct cursor c;
	bool has_proof;
	enum vt_err err;

	if (text.len > EVIDENCE_SIZE_MAX)
		return VT_ELIMIT;
	cursor_init(&c, text);
	if ((err = cursor_literal(&c, HEADER "log ")) != VT_OK ||
	    (err = cursor_nonempty_line(&c, &e.name)) != VT_OK ||
	    (err = parse_proof(&e, &has_proof, &c)) != VT_OK ||
	    (err = parse_head(&e.first, &c)) != VT_OK ||
	    (err = cursor_literal(&c, "\n")) != VT_OK || (err = parse_head(&e.second, &c)) != VT_OK)
		return err;
	if (!cursor_at_end(&c) || has_proof == same_size(&e) || !in_order(&e) ||
	    !bytes_equal(e.name, e.first.cp.origin) || !bytes_equal(e.name, e.second.cp.origin))
		return VT_EMALFORMED;
	*out = e;
	return VT_OK;
}

static enum vt_err append_hash_line(struct buf *out, const struct merkle_hash *hash)
{
	enum vt_err err = buf_append_base64(out, bytes_of(hash->b, sizeof(hash->b)));

	return err != VT_OK ? err : buf_append_byte(out, '\n');
}

static enum vt_err append_proof(struct buf *out, const struct evidence *e)
{
	enum vt_err err;

	if (same_size(e))
		return VT_OK;
	if ((err = buf_append_str(out, "root ")) != VT_OK ||
	    (err = append_hash_line(out, &e->other)) != VT_OK)
		return err;
	for (size_t i = 0; i < e->proof.n; i++) {
		if ((err = append_hash_line(out, &e->proof.hash[i])) != VT_OK)
			return err;
	}
	return VT_OK;
}

enum vt_err evidence_format(struct buf *out, const struct evidence *e)
{
	const size_t before = out->len;
	struct evidence back;
	enum vt_err err;

	if (e->proof.n > MERKLE_PROOF_MAX)
		return VT_EINVAL;
	if ((err = buf_append_str(out, HEADER "log ")) != VT_OK ||
	    (err = buf_append(out, e->name)) != VT_OK ||
	    (err = buf_append_byte(out, '\n')) != VT_OK || (err = append_proof(out, e)) != VT_OK ||
	    (err = buf_append_byte(out, '\n')) != VT_OK ||
	    (err = buf_append(out, e->first.note)) != VT_OK ||
	    (err = buf_append_byte(out, '\n')) != VT_OK ||
	    (err = buf_append(out, e->second.note)) != VT_OK)
		goto done;
	/* Nothing is written here that evidence_parse() would not take. */
	err = evidence_parse(&back, bytes_of(out->data + before, out->len - before));
	if (err == VT_EMALFORMED || err == VT_ELIMIT)
		err = VT_EINVAL;
done:
	if (err != VT_OK)
		out->len = before;
	return err;
}

static enum vt_err check_signature(const struct evidence_head *head, const struct vkey *log)
{
	struct checkpoint cp;
	struct note *n;
	enum vt_err err = checkpoint_open(&n, &cp, head->note, log, NULL);

	note_free(n);
	return err;
}

/* Can no tree have both heads? */
static enum vt_err check_contradiction(const struct evidence *e, const char **why,
				       struct merkle_hasher *h)
{
	const struct tree_head *first = &e->first.cp.head;
	struct tree_head other = {.size = first->size, .root = e->other};
	enum vt_err err;

	if (same_size(e)) {
		*why = "the two heads are equal, which proves nothing";
		return merkle_hash_equal(&first->root, &e->second.cp.head.root) ? VT_EMISMATCH
										: VT_OK;
	}
	if (first->size == 0) {
		*why = "every history extends the empty one, so a head of size 0 contradicts no "
		       "larger one";
		return VT_EMISMATCH;
	}
	if (merkle_hash_equal(&first->root, &other.root)) {
		*why = "the larger head's history contains the smaller head: they are consistent";
		return VT_EMISMATCH;
	}
	*why = "the proof does not tie the other root to the larger head";
	err = proof_verify_consistency(h, &e->proof, &other, &e->second.cp.head);
	return err == VT_EINVAL ? VT_EMISMATCH : err;
}

/* The parser takes one spelling of each part; this holds it, and whatever is changed in it later, to that. */
static enum vt_err check_canonical(const struct evidence *e, struct bytes text)
{
	struct buf back;
	enum vt_err err;

	buf_init(&back);
	err = evidence_format(&back, e);
	if (err == VT_EINVAL || (err == VT_OK && !bytes_equal(buf_bytes(&back), text)))
		err = VT_EMISMATCH;
	buf_release(&back);
	return err;
}

enum vt_err evidence_verify(struct evidence *out, const char **why, struct merkle_hasher *h,
			    struct bytes text, const struct vkey *log)
{
	const char *unused;
	struct evidence e;
	enum vt_err err;

	if (why == NULL)
		why = &unused;
	*why = "it is not in the form of evidence";
	if ((err = evidence_parse(&e, text)) != VT_OK)
		return err;
	*why = "this kind of key cannot be verified";
	if (log->type != VKEY_TYPE_ED25519)
		return VT_EUNTRUSTED;
	*why = "it is about another log";
	if (!bytes_is(e.name, log->name))
		return VT_EUNTRUSTED;
	*why = "the log's signature on the first head does not verify";
	if ((err = check_signature(&e.first, log)) != VT_OK)
		return err;
	*why = "the log's signature on the second head does not verify";
	if ((err = check_signature(&e.second, log)) != VT_OK ||
	    (err = check_contradiction(&e, why, h)) != VT_OK)
		return err;
	*why = "it is not in the one canonical form";
	if ((err = check_canonical(&e, text)) != VT_OK)
		return err;
	*why = "";
	if (out != NULL)
		*out = e;
	return VT_OK;
}

enum vt_err evidence_head_text(struct buf *out, struct tree_head *head, struct bytes msg,
			       const struct vkey *log)
{
	const size_t before = out->len;
	struct checkpoint cp;
	struct note *n = NULL;
	enum vt_err err;

	if ((err = checkpoint_open(&n, &cp, msg, log, NULL)) != VT_OK)
		goto done;
	if ((err = buf_append(out, n->text)) != VT_OK ||
	    (err = buf_append_byte(out, '\n')) != VT_OK ||
	    (err = buf_append(out, note_signed_by(n, log)->line)) != VT_OK)
		goto done;
	if (out->len - before > EVIDENCE_NOTE_MAX)
		err = VT_ELIMIT;
	if (err == VT_OK && head != NULL)
		*head = cp.head;
done:
	note_free(n);
	if (err != VT_OK)
		out->len = before;
	return err;
}

static void swap_heads(struct evidence *e)
{
	struct evidence_head first = e->first;

	e->first = e->second;
	e->second = first;
}

enum vt_err evidence_make(struct buf *out, struct merkle_hasher *h, const struct vkey *log,
			  struct bytes a, struct bytes b, const struct merkle_hash *other,
			  const struct merkle_proof *proof)
{
	struct evidence e = {.name = bytes_str(log->name)};
	const size_t before = out->len;
	struct buf first, second;
	enum vt_err err;

	buf_init(&first);
	buf_init(&second);
	if ((err = evidence_head_text(&first, &e.first.cp.head, a, log)) != VT_OK ||
	    (err = evidence_head_text(&second, &e.second.cp.head, b, log)) != VT_OK)
		goto done;
	err = VT_EMISMATCH;
	if (tree_head_equal(&e.first.cp.head, &e.second.cp.head))
		goto done;
	err = VT_EINVAL;
	if (!same_size(&e) && (other == NULL || proof == NULL))
		goto done;
	e.first.note = buf_bytes(&first);
	e.second.note = buf_bytes(&second);
	if (!in_order(&e))
		swap_heads(&e);
	if (!same_size(&e)) {
		e.other = *other;
		e.proof = *proof;
	}
	if ((err = evidence_format(out, &e)) != VT_OK)
		goto done;
	err = evidence_verify(NULL, NULL, h, bytes_of(out->data + before, out->len - before), log);
done:
	if (err != VT_OK)
		out->len = before;
	buf_release(&first);
	buf_release(&second);
	return err;
}
