/*
 * Private keys. A signer holds one key and signs; where the key lives (a PEM file now, a token later)
 * is its own business. Thread-safe.
 *
 * Files: PKCS#8 PEM, encrypted or not, mode 0600 (group or other access is refused); Go's note keys
 * ("PRIVATE+KEY+name+id+base64") are read too.
 */
#ifndef KEYS_SIGNER_H
#define KEYS_SIGNER_H

#include "party_key.h"
#include "vitrine/note.h"

struct signer;

/* passphrase NULL: an encrypted file is refused with a message that says so.
 * VT_ENOTFOUND, VT_EIO, VT_EMALFORMED, VT_EUNTRUSTED (mode, weak key). why may be NULL. */
enum vt_err signer_from_file(struct signer **out, const char *path, const char *passphrase,
    struct key_error *why);
/* A fresh key. kind: "ed25519", "p256", "p384", "rsa3072", "rsa4096". */
enum vt_err signer_generate(struct signer **out, const char *kind, struct key_error *why);
void signer_free(struct signer *s);

/* PKCS#8 PEM of the private key (appended; wipe it after use), encrypted when passphrase is not NULL. */
enum vt_err signer_private_pem(struct buf *out, const struct signer *s, const char *passphrase);
enum vt_err signer_public_pem(struct buf *out, const struct signer *s);
const struct party_key *signer_public(const struct signer *s); /* lives as long as s */
/* The name inside a Go note key, or NULL. */
const char *signer_note_name(const struct signer *s);

/* Sign as a party would (DSSE): appends the signature, ECDSA as DER. */
enum vt_err signer_sign(struct buf *sig, const struct signer *s, enum key_scheme scheme,
    struct bytes msg);
/* As a log (type 0x01) or witness (0x04) under this name. Ed25519 only: VT_EINVAL otherwise. `s` must
 * outlive *out. */
enum vt_err signer_note(struct note_signer *out, const struct signer *s, const char *name,
    uint8_t type);

/* Fill with random bytes from the system. */
enum vt_err random_bytes(uint8_t *out, size_t len);

#endif
