/*
 * Public keys of parties: parsing, canonical form, and verification under a fixed scheme.
 *
 * Only these are taken: Ed25519 (no small-order point), ECDSA on P-256 and P-384, RSA of 3072 to
 * 4096 bits with an odd exponent of at least 3; and only SPKI DER that equals its own canonical
 * re-encoding (named curve, uncompressed point). A key is immutable and may be shared by threads.
 */
#ifndef KEYS_PARTY_KEY_H
#define KEYS_PARTY_KEY_H

#include "vitrine/merkle.h"
#include "why.h"

/* Fixed at registration, so that a signature has one meaning. The text names stand in
 * accreditations. */
enum key_scheme {
	SCHEME_ED25519,           /* "ed25519" */
	SCHEME_ECDSA_P256_SHA256, /* "ecdsa-p256-sha256" */
	SCHEME_ECDSA_P384_SHA384, /* "ecdsa-p384-sha384" */
	SCHEME_RSA_PSS_SHA256,   /* "rsa-pss-sha256": MGF1 with the same hash, salt = hash length */
	SCHEME_RSA_PSS_SHA384,   /* "rsa-pss-sha384" */
	SCHEME_RSA_PSS_SHA512,   /* "rsa-pss-sha512" */
	SCHEME_RSA_PKCS1_SHA256, /* "rsa-pkcs1-sha256" */
	SCHEME_RSA_PKCS1_SHA384, /* "rsa-pkcs1-sha384" */
	SCHEME_RSA_PKCS1_SHA512, /* "rsa-pkcs1-sha512" */
	SCHEME_COUNT,
};

const char *key_scheme_name(enum key_scheme scheme);
enum vt_err key_scheme_parse(enum key_scheme *out, struct bytes name); /* VT_EMALFORMED */

enum {
	PARTY_KEY_SPKI_MAX = 2048,     /* bytes of DER */
	PARTY_KEY_SIGNATURE_MAX = 512, /* bytes of a 4096-bit RSA signature */
};

struct party_key;

/* *out is new. why may be NULL. VT_EMALFORMED, VT_EUNTRUSTED (weak: small order, short RSA). */
enum vt_err party_key_from_spki(struct party_key **out, struct bytes der, struct why *why);
/*
 * The two halves of it. The first is cheap, and all that a key needs that was checked before, when it came into a log. The second is
 * number theory, tens of milliseconds for RSA: for keys of people who may bring one, once, and under no lock.
 */
enum vt_err party_key_read(struct party_key **out, struct bytes der, struct why *why);
enum vt_err party_key_check_arithmetic(const struct party_key *key, struct why *why);
/*
 * What a file holds: SPKI as one PEM block ("-----BEGIN PUBLIC KEY-----", with nothing else but white space) or as DER, or an OpenSSH
 * public key of Ed25519, which no tool of OpenSSH converts. Any other file is refused by what it is, with what makes a key of it;
 * FILE stands for it there.
 */
enum vt_err party_key_parse(struct party_key **out, struct bytes file, struct why *why);
void party_key_free(struct party_key *key);
size_t party_key_bytes(const struct party_key *key); /* of memory */

struct bytes party_key_spki(const struct party_key *key); /* canonical DER */
/* SHA-256 of the canonical SPKI: the keyid. */
const struct merkle_hash *party_key_id(const struct party_key *key);
bool party_key_takes(const struct party_key *key, enum key_scheme scheme);
enum key_scheme party_key_default_scheme(const struct party_key *key);

/*
 * Could sig be a signature under this scheme, by its shape alone (length; for ECDSA, DER or the
 * fixed r || s form)? Cheap; tells candidates apart before the dear check.
 */
bool party_key_signature_fits(const struct party_key *key, enum key_scheme scheme,
			      struct bytes sig);
/*
 * Verify sig over msg. canonical, if not NULL, receives the signature as an entry keeps it: strict
 * DER for ECDSA whichever way it came, otherwise the same bytes. VT_EMISMATCH.
 */
enum vt_err party_key_verify(const struct party_key *key, enum key_scheme scheme, struct bytes msg,
			     struct bytes sig, struct buf *canonical);

#endif
