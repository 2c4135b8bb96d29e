/*
 * DSSE envelopes (secure-systems-lab/dsse, envelope.md and protocol.md 1.0.2) around one payload
 * type, and the canonical form in which an entry keeps them.
 */
#ifndef RECORD_DSSE_H
#define RECORD_DSSE_H

#include "problem.h"
#include "vitrine/merkle.h"

#define DSSE_PAYLOAD_TYPE "application/vnd.in-toto+json"

enum {
	DSSE_SIGNATURES_MAX = 16, /* equals RECORD_SIGNATURES_MAX */
};

/* Views into the owner's memory. */
struct dsse_signature {
	struct bytes keyid; /* a hint from outside; empty if unset */
	struct bytes sig;   /* decoded */
};

/* A parsed envelope. It owns all that it shows and keeps no pointer into the text it came from. */
struct dsse {
	struct bytes payload; /* decoded */
	size_t n;
	struct dsse_signature sig[DSSE_SIGNATURES_MAX];
	/* It came in a Sigstore bundle that brings a certificate: keyless signing, mostly. */
	bool certified;
	struct buf memory; /* what the views point into */
};

void dsse_init(struct dsse *d);
void dsse_release(struct dsse *d);
/*
 * Parse an envelope as tools write it: unknown members are ignored, base64 is standard or URL-safe,
 * padded or not. Of a Sigstore bundle (an object with a mediaType of theirs and no payloadType) it is the
 * dsseEnvelope; the hint of its key stands for a keyid that is missing. Nothing is verified. VT_EMALFORMED, VT_ELIMIT (JSON depth) with *why; on failure
 * *d is released. Problems: body-not-json, body-depth, envelope-*.
 */
enum vt_err dsse_parse(struct dsse *d, struct bytes text, struct problem *why);

/* Append PAE(DSSE_PAYLOAD_TYPE, payload): the bytes that are signed. */
enum vt_err dsse_pae(struct buf *out, struct bytes payload);
/* SHA-256 of them: what a sealed record names, and half of a known-record pair. */
enum vt_err dsse_pae_hash(struct merkle_hash *out, struct merkle_hasher *h, struct bytes payload);

/*
 * Append an envelope without white space, members and signatures in the order given:
 * {"payload":"P","payloadType":"...","signatures":[{"keyid":"K","sig":"S"},...]}. With sorted
 * hexadecimal keyids this is the entry's canonical form. keyid must be UTF-8; what JSON needs
 * escaped is.
 */
enum vt_err dsse_write(struct buf *out, struct bytes payload, const struct dsse_signature *sig,
		       size_t n);
/* The length that dsse_write() would give to an entry's canonical form whose signatures have these
 * bytes in all. */
size_t dsse_canonical_len(size_t payload_len, const struct dsse_signature *sig, size_t n);

#endif
