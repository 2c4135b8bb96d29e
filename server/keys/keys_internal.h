/* For keys/ alone: strict PEM, and how failures of OpenSSL become errors of ours. */
#ifndef KEYS_INTERNAL_H
#define KEYS_INTERNAL_H

#include <openssl/evp.h>

#include "signer.h"

/*
 * One PEM block (RFC 7468) and nothing else but white space: no text around it, no headers, padded
 * standard base64. label points into pem; der is appended to, and it and any copy are wiped by
 * secret_release(). VT_EMALFORMED, VT_ENOMEM.
 */
enum vt_err pem_decode(struct bytes *label, struct buf *der, struct bytes pem,
		       struct key_error *why);
/* Returns err, with the reason in *why (may be NULL). */
enum vt_err key_refuse(struct key_error *why, enum vt_err err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Empties OpenSSL's error queue: VT_ENOMEM if memory was short, else `otherwise`. */
enum vt_err openssl_failure(enum vt_err otherwise);

/* What a scheme asks of a signing or verifying context. scheme < SCHEME_COUNT. */
const char *scheme_digest(enum key_scheme scheme); /* NULL: none */
enum vt_err scheme_set_up(EVP_PKEY_CTX *ctx, enum key_scheme scheme);

#endif
