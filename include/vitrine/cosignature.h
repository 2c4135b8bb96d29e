/*
 * Ed25519 cosignatures, version 1 (C2SP tlog-cosignature): a witness's timestamped signature on a
 * checkpoint. Verification happens inside note_open(); this is the making of them.
 */
#ifndef VITRINE_COSIGNATURE_H
#define VITRINE_COSIGNATURE_H

#include "vitrine/note.h"

enum {
	COSIGNATURE_SIZE =
	    4 + 8 + 64, /* key ID, timestamp, signature: what a line's base64 holds */
};

/* Append "cosignature/v1\ntime T\n" and the checkpoint's text: what is signed. VT_EINVAL: time is
 * over 2^63 - 1. */
enum vt_err cosignature_message(struct buf *out, uint64_t time, struct bytes text);
/* Append the signature line by a type 0x04 key, verified before it is returned. VT_EINVAL: time is
 * over 2^63 - 1 or the key has another type. VT_EMALFORMED: text is not a checkpoint.
 * VT_EMISMATCH: what `by` made does not verify. */
enum vt_err cosignature_line(struct buf *out, struct bytes text, uint64_t time,
			     const struct note_signer *by);

#endif
