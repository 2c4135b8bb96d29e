/*
 * A log for tests of witnesses: leaves, their tree at every size, signed checkpoints, add-checkpoint
 * bodies. Cutting it and growing it again makes another history. Aborts where something fails that
 * is not under test. Link with ${test_signer_source}, vitrine and OpenSSL::Crypto.
 */
#ifndef VITRINE_TEST_WITNESS_LOG_H
#define VITRINE_TEST_WITNESS_LOG_H

#include "test_signer.h"
#include "vitrine/merkle.h"

struct witness_log {
	struct note_signer signer;
	struct merkle_hasher h;
	uint64_t size;
	struct merkle_hash *level[64]; /* full nodes by height */
	uint64_t cap[64];
};

void witness_log_init(struct witness_log *l, const char *origin, uint8_t seed);
void witness_log_release(struct witness_log *l);
/* Append n leaves made of their index and of what tells this history from others. */
void witness_log_add(struct witness_log *l, uint64_t n, uint64_t history);
/* Forget all leaves from `size` on. */
void witness_log_cut(struct witness_log *l, uint64_t size);
struct tree_head witness_log_head(struct witness_log *l, uint64_t size);
struct merkle_proof witness_log_proof(struct witness_log *l, uint64_t first, uint64_t second);
/* Append the checkpoint of any head, signed. */
void witness_log_sign(struct buf *out, const struct witness_log *l, const struct tree_head *head);
/* Append the body that takes a witness from one size to the other. */
void witness_log_request(struct buf *out, struct witness_log *l, uint64_t first, uint64_t second);
/* Append a body of these parts. */
void witness_request(struct buf *out, uint64_t old_size, const struct merkle_proof *proof,
		     struct bytes note);
/* Append "log VKEY\n". */
void witness_log_policy_line(struct buf *out, const struct witness_log *l);
struct merkle_hash witness_log_origin_hash(struct witness_log *l);

#endif
