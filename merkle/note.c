#include <stdlib.h>
#include <string.h>

#include "cursor.h"
#include "note_private.h"

#define EM_DASH "\xe2\x80\x94"

enum {
	KEY_ID_SIZE = 4,
	/* The longest signature that is verified: a cosignature's time and Ed25519 signature. */
	VERIFIED_SIGNATURE_MAX = KEY_ID_SIZE + 8 + 64,
};

/* signed-note, Format: "Signed notes MUST be valid UTF-8 and MUST NOT contain any ASCII control
 * characters (those below U+0020) other than newline." */
static bool note_bytes_valid(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < 0x20 && text.data[i] != '\n')
			return false;
	}
	return utf8_valid(text);
}

bool note_text_valid(struct bytes text)
{
	return text.len > 0 && text.data[text.len - 1] == '\n' && note_bytes_valid(text);
}

/* "the text is separated from the signatures by the last empty line in the note." */
static enum vt_err split_text(struct bytes *text, struct cursor *signatures, struct bytes msg)
{
	for (size_t i = msg.len; i >= 2; i--) {
		if (msg.data[i - 1] != '\n' || msg.data[i - 2] != '\n')
			continue;
		*text = bytes_of(msg.data, i - 1);
		cursor_init(signatures, bytes_of(msg.data + i, msg.len - i));
		return VT_OK;
	}
	return VT_EMALFORMED;
}

/*
 * Is this the base64 of a key ID and at least one byte of signature? A signature by an unknown key
 * may have any length, so it is decoded in pieces that fit the stack; only the last piece may be
 * padded, and so only it may decode to less than three bytes for four.
 */
static enum vt_err signature_check(uint32_t *id, struct bytes base64)
{
	enum { PIECE = 1024 };
	uint8_t raw[BASE64_DECODED_MAX(PIECE)];
	size_t decoded = 0;
	enum vt_err err;

	while (base64.len > 0) {
		struct bytes piece = bytes_of(base64.data, base64.len < PIECE ? base64.len : PIECE);
		size_t len;

		if ((err = base64_decode(raw, sizeof(raw), &len, piece, BASE64_STANDARD)) != VT_OK)
			return err;
		base64 = bytes_of(base64.data + piece.len, base64.len - piece.len);
		if (base64.len > 0 && len != sizeof(raw))
			return VT_EMALFORMED;
		if (decoded == 0 && len > KEY_ID_SIZE)
			*id = load_be32(raw);
		decoded += len;
	}
	return decoded > KEY_ID_SIZE ? VT_OK : VT_EMALFORMED;
}

/* "signature lines of this form: em dash (U+2014), space (U+0020), key name, space, base64-encoded
 * signature, newline." */
static enum vt_err signature_parse(struct note_signature *out, struct cursor *c)
{
	struct note_signature sig = {.line = {.data = c->rest.data}};
	struct bytes base64;
	enum vt_err err;

	if ((err = cursor_literal(c, EM_DASH " ")) != VT_OK ||
	    (err = cursor_until(c, ' ', &sig.name)) != VT_OK ||
	    (err = cursor_line(c, &base64)) != VT_OK ||
	    (err = signature_check(&sig.id, base64)) != VT_OK)
		return err;
	if (!note_name_valid(sig.name))
		return VT_EMALFORMED;
	sig.line.len = (size_t)(c->rest.data - sig.line.data);
	*out = sig;
	return VT_OK;
}

/* What signature_parse() found after the name. */
static struct bytes signature_base64(const struct note_signature *sig)
{
	const uint8_t *start = sig->name.data + sig->name.len + 1;
	const uint8_t *newline = sig->line.data + sig->line.len - 1;

	return bytes_of(start, (size_t)(newline - start));
}

enum vt_err note_parse(struct note **out, struct bytes msg)
{
	struct note *n = NULL;
	struct cursor c;
	enum vt_err err = VT_EINTERNAL;

	*out = NULL;
	if (msg.len > NOTE_SIZE_MAX)
		return VT_ELIMIT;
	if ((n = calloc(1, sizeof(*n))) == NULL)
		return VT_ENOMEM;
	err = VT_EMALFORMED;
	if (!note_bytes_valid(msg) || split_text(&n->text, &c, msg) != VT_OK)
		goto done;
	/* "followed by one or more signature lines" */
	do {
		if (n->n == NOTE_SIGNATURES_MAX) {
			err = VT_ELIMIT;
			goto done;
		}
		if ((err = signature_parse(&n->sig[n->n], &c)) != VT_OK)
			goto done;
		n->n++;
	} while (!cursor_at_end(&c));
	*out = n;
	n = NULL; /* transferred */
	err = VT_OK;
done:
	note_free(n);
	return err;
}

/*
 * "The tuple of key name and key ID uniquely identifies the key": *key is the one that a line
 * names, or NULL. "Verifiers MUST ignore signatures from unknown keys, even if they share a name or
 * ID (but not both) with a known key."
 */
static enum vt_err known_key(const struct vkey **key, const struct note_signature *sig,
			     const struct vkey_set *set, size_t n_sets)
{
	*key = NULL;
	for (size_t s = 0; s < n_sets; s++) {
		for (size_t i = 0; i < set[s].n; i++) {
			const struct vkey *k = &set[s].key[i];

			if (k->id != sig->id || !bytes_is(sig->name, k->name))
				continue;
			if (*key != NULL && !vkey_equal(*key, k))
				return VT_EINVAL;
			if (*key == NULL)
				*key = k;
		}
	}
	return VT_OK;
}

static enum vt_err signature_verify(struct note_signature *sig, const struct vkey *key,
				    struct bytes text)
{
	uint8_t raw[VERIFIED_SIGNATURE_MAX];
	struct bytes signature;
	size_t len;
	enum vt_err err;

	err = base64_decode(raw, sizeof(raw), &len, signature_base64(sig), BASE64_STANDARD);
	if (err == VT_ELIMIT)
		return VT_EMISMATCH;
	if (err != VT_OK)
		return err;
	signature = bytes_of(raw + KEY_ID_SIZE, len - KEY_ID_SIZE);
	if (key->type == VKEY_TYPE_COSIGNATURE_ED25519)
		return cosignature_verify(&sig->time, key, text, signature);
	return signature.len == 64 ? ed25519_verify(key->ed25519, text, signature.data)
				   : VT_EMISMATCH;
}

enum vt_err note_verify(struct note *n, const struct vkey_set *set, size_t n_sets)
{
	bool any = false;
	enum vt_err err;

	for (size_t i = 0; i < n->n; i++) {
		const struct vkey *key;

		if ((err = known_key(&key, &n->sig[i], set, n_sets)) != VT_OK)
			return err;
		/* A key signs once: a second line could only repeat the first or fail. */
		if (key == NULL || !vkey_verifiable(key) || note_signed_by(n, key) != NULL)
			continue;
		/* "If the key name and ID match a known key, verifiers MUST verify the signature.
		 * If a signature from a known key fails to verify, clients SHOULD reject the whole
		 * note." */
		if ((err = signature_verify(&n->sig[i], key, n->text)) != VT_OK)
			return err;
		n->sig[i].key = key;
		any = true;
	}
	/* "If no signature from a known key verifies successfully, clients MUST reject the note."
	 */
	return any ? VT_OK : VT_EUNTRUSTED;
}

enum vt_err note_open(struct note **out, struct bytes msg, const struct vkey_set *known)
{
	struct note *n = NULL;
	enum vt_err err;

	*out = NULL;
	if ((err = note_parse(&n, msg)) != VT_OK || (err = note_verify(n, known, 1)) != VT_OK)
		goto done;
	*out = n;
	n = NULL; /* transferred */
done:
	note_free(n);
	return err;
}

void note_free(struct note *n)
{
	free(n);
}

const struct note_signature *note_signed_by(const struct note *n, const struct vkey *key)
{
	for (size_t i = 0; i < n->n; i++) {
		if (n->sig[i].key != NULL && vkey_equal(n->sig[i].key, key))
			return &n->sig[i];
	}
	return NULL;
}

enum vt_err note_append_line(struct buf *out, const struct vkey *key, struct bytes sig)
{
	uint8_t raw[VERIFIED_SIGNATURE_MAX];
	const size_t before = out->len;
	enum vt_err err;

	if (sig.len > sizeof(raw) - KEY_ID_SIZE)
		return VT_EINTERNAL;
	store_be32(raw, key->id);
	memcpy(raw + KEY_ID_SIZE, sig.data, sig.len);
	if ((err = buf_append_str(out, EM_DASH " ")) != VT_OK ||
	    (err = buf_append_str(out, key->name)) != VT_OK ||
	    (err = buf_append_byte(out, ' ')) != VT_OK ||
	    (err = buf_append_base64(out, bytes_of(raw, KEY_ID_SIZE + sig.len))) != VT_OK ||
	    (err = buf_append_byte(out, '\n')) != VT_OK)
		out->len = before;
	return err;
}

enum vt_err note_signature_line(struct buf *out, struct bytes text, const struct note_signer *by)
{
	uint8_t sig[64];
	enum vt_err err;

	if (by->key.type != VKEY_TYPE_ED25519 || !vkey_name_valid(bytes_str(by->key.name)) ||
	    !note_text_valid(text))
		return VT_EINVAL;
	if ((err = by->sign(by->ctx, sig, text)) != VT_OK ||
	    (err = ed25519_verify(by->key.ed25519, text, sig)) != VT_OK)
		return err;
	return note_append_line(out, &by->key, bytes_of(sig, sizeof(sig)));
}

enum vt_err note_sign(struct buf *out, struct bytes text, const struct note_signer *by, size_t n)
{
	const size_t before = out->len;
	enum vt_err err;

	if (n == 0)
		return VT_EINVAL;
	if (n > NOTE_SIGNATURES_MAX)
		return VT_ELIMIT;
	if ((err = buf_append(out, text)) != VT_OK || (err = buf_append_byte(out, '\n')) != VT_OK)
		goto done;
	for (size_t i = 0; i < n; i++) {
		if ((err = note_signature_line(out, text, &by[i])) != VT_OK)
			goto done;
	}
	/* Nothing is written here that note_parse() would not take. */
	if (out->len - before > NOTE_SIZE_MAX)
		err = VT_ELIMIT;
done:
	if (err != VT_OK)
		out->len = before;
	return err;
}
