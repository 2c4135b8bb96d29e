/*
 * Keys for tests: the private key is one byte, 32 times. Link with ${test_signer_source} and
 * OpenSSL::Crypto.
 */
#ifndef VITRINE_TEST_SIGNER_H
#define VITRINE_TEST_SIGNER_H

#include "vitrine/note.h"

/* type: VKEY_TYPE_ED25519 or VKEY_TYPE_COSIGNATURE_ED25519. Aborts on failure. */
struct note_signer test_signer(const char *name, uint8_t type, uint8_t seed);
/* The same, but every signature that it makes has one bit flipped. */
struct note_signer test_bad_signer(const char *name, uint8_t type, uint8_t seed);
/* Its key alone. */
struct vkey test_vkey(const char *name, uint8_t type, uint8_t seed);

#endif
