/*
 * Signed notes and verifier keys (C2SP signed-note). Ed25519 (0x01) and Ed25519 cosignatures (0x04)
 * are verified; other types are recognised by name and key ID and count as no signature.
 */
#ifndef VITRINE_NOTE_H
#define VITRINE_NOTE_H

#include "vitrine/bytes.h"

enum {
	NOTE_SIZE_MAX = 1 << 20,   /* bytes of a note that is looked at */
	NOTE_SIGNATURES_MAX = 128, /* the specification asks for at least 16 */
	VKEY_NAME_MAX = 255,       /* bytes; ML-DSA-44 cosignatures limit names to this too */
	VKEY_TYPE_ED25519 = 0x01,
	VKEY_TYPE_COSIGNATURE_ED25519 = 0x04,
	VKEY_TYPE_COSIGNATURE_MLDSA44 = 0x06,
};

/* A verifier key. A plain value: copy it freely. */
struct vkey {
	char name[VKEY_NAME_MAX + 1]; /* NUL-terminated UTF-8 */
	uint32_t id;
	uint8_t type;
	uint8_t ed25519[32];  /* types 0x01 and 0x04 */
	uint8_t key_hash[32]; /* SHA-256 of the public key material: tells duplicates apart */
};

/*
 * "<name>+<hex id>+<base64 key>". VT_EMALFORMED, VT_ELIMIT; VT_EUNTRUSTED: the key is not one that
 * ed25519_key_valid() takes, or the ID does not match it. The ID is checked for the types named above;
 * for others the specification only recommends how it is made, so it is taken as it stands.
 */
enum vt_err vkey_parse(struct vkey *out, struct bytes text);
/* Type 0x01 or 0x04. VT_EINVAL: the name is empty, too long, or has a space, plus or control.
 * VT_EUNTRUSTED: not a key that ed25519_key_valid() takes. */
enum vt_err vkey_from_ed25519(struct vkey *out, const char *name, uint8_t type,
			      const uint8_t key[32]);
/* Appends the text form. VT_EINVAL for a type whose key is not kept (0x06 and unknown ones). */
enum vt_err vkey_format(struct buf *out, const struct vkey *key);
/* Can this build verify signatures of this key? */
bool vkey_verifiable(const struct vkey *key);
/* UTF-8 of 1 to VKEY_NAME_MAX bytes without controls, pluses and whatever Unicode calls a space. */
bool vkey_name_valid(struct bytes name);
/* The same name, ID, type and key material. */
bool vkey_equal(const struct vkey *a, const struct vkey *b);

struct vkey_set {
	const struct vkey *key;
	size_t n;
};

/* One signature line. Pointers are into the note's message. */
struct note_signature {
	struct bytes name;
	uint32_t id;
	struct bytes line;      /* the whole line with its newline */
	const struct vkey *key; /* the known key that verified it, or NULL: not checked */
	uint64_t time;          /* cosignatures: POSIX seconds, signed; otherwise 0 */
};

struct note {
	struct bytes text; /* with its final newline, without the blank line */
	size_t n;
	struct note_signature sig[NOTE_SIGNATURES_MAX];
};

/*
 * Parse `msg` without believing it. *out is new, freed with note_free(); it points into `msg`,
 * which must outlive it. VT_EMALFORMED, VT_ELIMIT.
 */
enum vt_err note_parse(struct note **out, struct bytes msg);
/*
 * Parse and verify. VT_EUNTRUSTED: no verifiable key in `known` signed it. VT_EMISMATCH: a known
 * key's signature fails, which condemns the whole note. VT_EINVAL: two different known keys share the
 * name and ID of a line. A known key signs at most once: further lines of the same key are ignored
 * after the first. On failure *out is NULL. `known` must outlive *out.
 * Cosignature keys verify the timestamped message (C2SP tlog-cosignature) over the same text, which
 * must be a checkpoint.
 */
enum vt_err note_open(struct note **out, struct bytes msg, const struct vkey_set *known);
void note_free(struct note *n);
/* Did this key verify? Its signature, or NULL. */
const struct note_signature *note_signed_by(const struct note *n, const struct vkey *key);

/* Signs with a private key that lives elsewhere: writes the raw 64-byte Ed25519 signature of msg. */
struct note_signer {
	struct vkey key; /* type 0x01 or 0x04 */
	enum vt_err (*sign)(void *ctx, uint8_t sig[64], struct bytes msg);
	void *ctx;
};

/* May this text be signed as a note (UTF-8, no control characters but newline, ends in one)? */
bool note_text_valid(struct bytes text);
/* Append the signature line of `text` by a type 0x01 key, verified before it is returned. VT_EINVAL:
 * not such a key, or not a note's text. VT_EMISMATCH: what `by` made does not verify. */
enum vt_err note_signature_line(struct buf *out, struct bytes text, const struct note_signer *by);
/* Append text, blank line and one line per signer (type 0x01 only); all or nothing. VT_ELIMIT: more
 * than note_parse() takes. */
enum vt_err note_sign(struct buf *out, struct bytes text, const struct note_signer *by, size_t n);

/* May this public key be trusted with anything? Not if it is a point of small order, which verifies
 * the same signature on every message, nor if it is encoded in a way that RFC 8032 does not decode. */
bool ed25519_key_valid(const uint8_t key[32]);
/* Raw Ed25519 verification (RFC 8032), for the few places beside notes that need it. VT_EMISMATCH,
 * also for a key that is not valid. */
enum vt_err ed25519_verify(const uint8_t key[32], struct bytes msg, const uint8_t sig[64]);

#endif
