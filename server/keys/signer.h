/*
 * Private keys. A signer holds one key and signs; where the key lives (a PEM file now, a token
 * later) is its own business. Thread-safe.
 *
 * Files: PKCS#8, encrypted or not, SEC1 or PKCS#1, as PEM or DER; OpenSSH's format, if it is Ed25519 without a passphrase; Go's note
 * keys ("PRIVATE+KEY+name+id+base64"). Any other file is refused by what it is, with what makes a key of it; FILE stands for it there.
 * The mode is 0600; a file that is root's may be readable by a group. The kinds and sizes of keys are those that party_key.h takes. A key is tried out when it is read, and each signature verified before it is
 * returned. What held a secret is wiped.
 */
#ifndef KEYS_SIGNER_H
#define KEYS_SIGNER_H

#include "party_key.h"
#include "vitrine/note.h"

struct signer;

/* passphrase NULL: an encrypted file is refused with a message that says so.
 * VT_ENOTFOUND, VT_EIO, VT_EMALFORMED (wrong passphrase too), VT_EUNTRUSTED (mode, weak key),
 * VT_ELIMIT (passphrase over 1,024 bytes). why may be NULL; it does not name the path. */
enum vt_err signer_from_file(struct signer **out, const char *path, const char *passphrase,
			     struct why *why);
/* A fresh key. kind: "ed25519", "p256", "p384", "rsa3072", "rsa4096"; VT_EINVAL for others. */
enum vt_err signer_generate(struct signer **out, const char *kind, struct why *why);
void signer_free(struct signer *s);

/* PKCS#8 PEM of the private key, encrypted (AES-256, PBKDF2 with 600,000 rounds of SHA-256) when
 * passphrase is not NULL; an empty one is VT_EINVAL. Appended after reserving room for all of it:
 * wipe the buffer after use with secret_release(). */
enum vt_err signer_private_pem(struct buf *out, const struct signer *s, const char *passphrase);
enum { OPENSSL_REASON_MAX = 240 };
/* What OpenSSL says of the failure that this thread had last, and forgets: which call, and why. Returns out. */
const char *openssl_reason(char out[OPENSSL_REASON_MAX]);
/* Wipe and release a buffer that held a secret. */
void secret_release(struct buf *b);
enum vt_err signer_public_pem(struct buf *out, const struct signer *s);
const struct party_key *signer_public(const struct signer *s); /* lives as long as s */
/* The name inside a Go note key, or NULL. */
const char *signer_note_name(const struct signer *s);

/* Sign as a party would (DSSE): appends the signature, ECDSA as DER. VT_EINVAL: the key does not
 * take this scheme. */
enum vt_err signer_sign(struct buf *sig, const struct signer *s, enum key_scheme scheme,
			struct bytes msg);
/* As a log (type 0x01) or witness (0x04) under this name. Ed25519 only: VT_EINVAL otherwise. `s`
 * must outlive *out. */
enum vt_err signer_note(struct note_signer *out, const struct signer *s, const char *name,
			uint8_t type);

/* Fill with random bytes from the system. */
enum vt_err random_bytes(uint8_t *out, size_t len);

#endif
