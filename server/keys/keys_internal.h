/* For keys/ alone: strict PEM, and how failures of OpenSSL become errors of ours. */
#ifndef KEYS_INTERNAL_H
#define KEYS_INTERNAL_H

#include <openssl/evp.h>

#include "party_key.h"
#include "signer.h"

/*
 * One PEM block (RFC 7468) and nothing else but white space: no text around it, no headers, padded
 * standard base64. A block of EC PARAMETERS may stand before it. label points into pem; der is appended to, and it and any copy are wiped by
 * secret_release(). VT_EMALFORMED, VT_ENOMEM.
 */
enum vt_err pem_decode(struct bytes *label, struct buf *der, struct bytes pem, struct why *why);
struct bytes text_trimmed(struct bytes text); /* without the white space around it */
/*
 * OpenSSH's formats, decoded from base64, of which Ed25519 is taken. *key points into blob: the 32 bytes of a public key.
 * VT_EMALFORMED.
 */
enum vt_err openssh_public(struct bytes *key, struct bytes blob);
/* The 32 bytes that an unencrypted private key is made of, which point into blob. VT_EMALFORMED, with what would make a key that is
 * taken of another one. */
enum vt_err openssh_private(struct bytes *seed, struct bytes blob, struct why *why);
/* Empties OpenSSL's error queue: VT_ENOMEM if memory was short, else `otherwise`; where that is VT_EINTERNAL, what OpenSSL says is logged. */
#define openssl_failure(otherwise) openssl_failure_at(__FILE__, __LINE__, otherwise)
enum vt_err openssl_failure_at(const char *file, int line, enum vt_err otherwise);

enum { PARSED_KEYS = 128 }; /* that are kept at most */
/* Both: new, or NULL with OpenSSL's error. The first keeps what it made for the next time; any thread. Given back by parsed_key_free(). */
EVP_PKEY *parsed_key(const struct party_key *key);
void parsed_key_free(EVP_PKEY *pkey); /* NULL is fine */
EVP_PKEY *parse_key(struct bytes spki);

/* What a scheme asks of a signing or verifying context. scheme < SCHEME_COUNT. */
const char *scheme_digest(enum key_scheme scheme); /* NULL: none */
enum vt_err scheme_set_up(EVP_PKEY_CTX *ctx, enum key_scheme scheme);

#endif
