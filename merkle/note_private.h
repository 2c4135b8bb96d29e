/* What the files of the signed text share and a caller does not need. */
#ifndef MERKLE_NOTE_PRIVATE_H
#define MERKLE_NOTE_PRIVATE_H

#include "vitrine/note.h"

/* Prefixed as the public ones are (vitrine/names.h); not exported. */
#define note_name_valid    vitrine_note_name_valid
#define note_verify        vitrine_note_verify
#define note_append_line   vitrine_note_append_line
#define cosignature_verify vitrine_cosignature_verify

/* A key name of any length, as it may stand on a signature line. */
bool note_name_valid(struct bytes name);

/*
 * Verify a parsed note against the keys of every set: fills in key and time of the lines that
 * verify. Errors as note_open() has them; VT_EINVAL: a line's name and ID belong to two different
 * keys of the sets, so nobody can say which of them it is by.
 */
enum vt_err note_verify(struct note *n, const struct vkey_set *set, size_t n_sets);

/* Append "— <key name> base64(key ID || sig)" and a newline. */
enum vt_err note_append_line(struct buf *out, const struct vkey *key, struct bytes sig);

/* Verify a type 0x04 signature, without its key ID, on a note's text. *time is set on VT_OK.
 * VT_EMISMATCH. */
enum vt_err cosignature_verify(uint64_t *time, const struct vkey *key, struct bytes text,
			       struct bytes sig);

static inline uint32_t load_be32(const uint8_t b[4])
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static inline void store_be32(uint8_t b[4], uint32_t n)
{
	b[0] = (uint8_t)(n >> 24);
	b[1] = (uint8_t)(n >> 16);
	b[2] = (uint8_t)(n >> 8);
	b[3] = (uint8_t)n;
}

static inline uint64_t load_be64(const uint8_t b[8])
{
	return (uint64_t)load_be32(b) << 32 | load_be32(b + 4);
}

static inline void store_be64(uint8_t b[8], uint64_t n)
{
	store_be32(b, (uint32_t)(n >> 32));
	store_be32(b + 4, (uint32_t)n);
}

#endif
