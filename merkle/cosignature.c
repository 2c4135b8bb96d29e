#include "vitrine/cosignature.h"

#include "note_private.h"
#include "vitrine/checkpoint.h"

enum {
	TIMESTAMP_SIZE = 8,
	SIGNATURE_SIZE = 64,
};

/* tlog-cosignature, Format: timestamp "MUST NOT exceed 2^63 - 1". */
static bool time_valid(uint64_t time)
{
	return time <= INT64_MAX;
}

/*
 * tlog-cosignature, Ed25519 signed message: "two newline (U+000A) terminated lines (one header line
 * and one timestamp line) followed by the whole note body of the cosigned checkpoint". The header
 * "MUST be the fixed string cosignature/v1, and provides domain separation"; the time is "an ASCII
 * decimal with no leading zeroes".
 */
enum vt_err cosignature_message(struct buf *out, uint64_t time, struct bytes text)
{
	const size_t before = out->len;
	enum vt_err err;

	if (!time_valid(time))
		return VT_EINVAL;
	if ((err = buf_append_str(out, "cosignature/v1\ntime ")) != VT_OK ||
	    (err = buf_append_decimal(out, time)) != VT_OK ||
	    (err = buf_append_byte(out, '\n')) != VT_OK || (err = buf_append(out, text)) != VT_OK)
		out->len = before;
	return err;
}

/* "Concretely, a cosignature is a note signature applied to a checkpoint": on any other text it is
 * not one, whatever the mathematics say. */
static bool cosignable(struct bytes text)
{
	struct checkpoint cp;

	return checkpoint_parse(&cp, text) == VT_OK;
}

enum vt_err cosignature_verify(uint64_t *time, const struct vkey *key, struct bytes text,
			       struct bytes sig)
{
	struct buf msg;
	uint64_t signed_time;
	enum vt_err err = VT_EINTERNAL;

	buf_init(&msg);
	if (sig.len != TIMESTAMP_SIZE + SIGNATURE_SIZE)
		return VT_EMISMATCH;
	signed_time = load_be64(sig.data);
	if (!time_valid(signed_time) || !cosignable(text))
		return VT_EMISMATCH;
	if ((err = cosignature_message(&msg, signed_time, text)) != VT_OK ||
	    (err = ed25519_verify(key->ed25519, buf_bytes(&msg), sig.data + TIMESTAMP_SIZE)) !=
		VT_OK)
		goto done;
	*time = signed_time;
done:
	buf_release(&msg);
	return err;
}

enum vt_err cosignature_line(struct buf *out, struct bytes text, uint64_t time,
			     const struct note_signer *by)
{
	uint8_t sig[TIMESTAMP_SIZE + SIGNATURE_SIZE];
	struct buf msg;
	enum vt_err err = VT_EINTERNAL;

	buf_init(&msg);
	if (by->key.type != VKEY_TYPE_COSIGNATURE_ED25519 ||
	    !vkey_name_valid(bytes_str(by->key.name)) || !time_valid(time))
		return VT_EINVAL;
	if (!cosignable(text))
		return VT_EMALFORMED;
	store_be64(sig, time);
	if ((err = cosignature_message(&msg, time, text)) != VT_OK ||
	    (err = by->sign(by->ctx, sig + TIMESTAMP_SIZE, buf_bytes(&msg))) != VT_OK ||
	    (err = ed25519_verify(by->key.ed25519, buf_bytes(&msg), sig + TIMESTAMP_SIZE)) != VT_OK)
		goto done;
	err = note_append_line(out, &by->key, bytes_of(sig, sizeof(sig)));
done:
	buf_release(&msg);
	return err;
}
