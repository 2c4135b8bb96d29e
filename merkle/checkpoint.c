#include "vitrine/checkpoint.h"

#include "cursor.h"
#include "note_private.h"

/* tlog-checkpoint, Note text: "Extension lines, if any, MUST be non-empty." */
static enum vt_err extensions_parse(struct bytes *out, struct cursor *c)
{
	struct bytes extensions = c->rest;
	struct bytes line;
	enum vt_err err;

	for (size_t n = 0; !cursor_at_end(c); n++) {
		if (n == CHECKPOINT_EXTENSIONS_MAX)
			return VT_ELIMIT;
		if ((err = cursor_nonempty_line(c, &line)) != VT_OK)
			return err;
	}
	*out = extensions;
	return VT_OK;
}

/* "The note text is a sequence of at least three non-empty lines, separated by newlines": origin,
 * tree size "with no leading zeroes", root hash, extension lines. */
enum vt_err checkpoint_parse(struct checkpoint *out, struct bytes text)
{
	struct checkpoint cp;
	struct cursor c;
	enum vt_err err;

	if (!note_text_valid(text))
		return VT_EMALFORMED;
	cursor_init(&c, text);
	if ((err = cursor_nonempty_line(&c, &cp.origin)) != VT_OK ||
	    (err = cursor_decimal_line(&c, &cp.head.size)) != VT_OK ||
	    (err = cursor_hash_line(&c, &cp.head.root)) != VT_OK ||
	    (err = extensions_parse(&cp.extensions, &c)) != VT_OK)
		return err;
	*out = cp;
	return VT_OK;
}

/* "The origin MUST be non-empty", and nothing in it may end the line or the note. */
static bool origin_valid(struct bytes origin)
{
	for (size_t i = 0; i < origin.len; i++) {
		if (origin.data[i] < 0x20)
			return false;
	}
	return origin.len > 0 && utf8_valid(origin);
}

enum vt_err checkpoint_format(struct buf *out, const char *origin, const struct tree_head *head)
{
	const size_t before = out->len;
	enum vt_err err;

	if (!origin_valid(bytes_str(origin)))
		return VT_EINVAL;
	if ((err = buf_append_str(out, origin)) != VT_OK ||
	    (err = buf_append_byte(out, '\n')) != VT_OK ||
	    (err = buf_append_decimal(out, head->size)) != VT_OK ||
	    (err = buf_append_byte(out, '\n')) != VT_OK ||
	    (err = buf_append_base64(out, bytes_of(head->root.b, sizeof(head->root.b)))) != VT_OK ||
	    (err = buf_append_byte(out, '\n')) != VT_OK)
		out->len = before;
	return err;
}

enum vt_err checkpoint_open(struct note **note, struct checkpoint *out, struct bytes msg,
			    const struct vkey *log, const struct vkey_set *others)
{
	const struct vkey_set set[] = {{.key = log, .n = 1},
				       others != NULL ? *others : (struct vkey_set){0}};
	struct checkpoint cp;
	struct note *n = NULL;
	enum vt_err err;

	*note = NULL;
	if ((err = note_parse(&n, msg)) != VT_OK || (err = note_verify(n, set, 2)) != VT_OK ||
	    (err = checkpoint_parse(&cp, n->text)) != VT_OK)
		goto done;
	/* A witness's signature alone, or the log's own on another origin, vouches for nothing. */
	if (note_signed_by(n, log) == NULL || !bytes_is(cp.origin, log->name)) {
		err = VT_EUNTRUSTED;
		goto done;
	}
	*out = cp;
	*note = n;
	n = NULL; /* transferred */
done:
	note_free(n);
	return err;
}
