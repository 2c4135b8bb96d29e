#include "witness_log.h"

#include <stdlib.h>
#include <string.h>

#include "vitrine/checkpoint.h"

static void must(bool holds)
{
	if (!holds)
		abort();
}

void witness_log_init(struct witness_log *l, const char *origin, uint8_t seed)
{
	*l = (struct witness_log){.signer = test_signer(origin, VKEY_TYPE_ED25519, seed)};
	must(merkle_hasher_init(&l->h) == VT_OK);
}

void witness_log_release(struct witness_log *l)
{
	for (size_t i = 0; i < 64; i++)
		free(l->level[i]);
	merkle_hasher_release(&l->h);
}

static void put(struct witness_log *l, unsigned height, uint64_t index,
		const struct merkle_hash *hash)
{
	if (index >= l->cap[height]) {
		l->cap[height] = 2 * index + 16;
		l->level[height] = realloc(l->level[height], l->cap[height] * sizeof(**l->level));
		must(l->level[height] != NULL);
	}
	l->level[height][index] = *hash;
}

void witness_log_add(struct witness_log *l, uint64_t n, uint64_t history)
{
	for (; n > 0; n--, l->size++) {
		uint64_t leaf[2] = {l->size, history};
		struct merkle_hash hash;

		must(merkle_hash_leaf(&hash, &l->h, bytes_of(leaf, sizeof(leaf))) == VT_OK);
		put(l, 0, l->size, &hash);
		/* Every odd node completes its parent. */
		for (unsigned height = 0; (l->size >> height & 1) == 1; height++) {
			uint64_t right = l->size >> height;
			const struct merkle_hash *pair = l->level[height] + right - 1;

			must(merkle_hash_node(&hash, &l->h, &pair[0], &pair[1]) == VT_OK);
			put(l, height + 1, right >> 1, &hash);
		}
	}
}

void witness_log_cut(struct witness_log *l, uint64_t size)
{
	must(size <= l->size);
	l->size = size;
}

static void read_nodes(const struct witness_log *l, const struct merkle_plan *plan,
		       struct merkle_hash *node)
{
	for (size_t i = 0; i < plan->n; i++) {
		must((plan->node[i].index + 1) << plan->node[i].height <= l->size);
		node[i] = l->level[plan->node[i].height][plan->node[i].index];
	}
}

struct tree_head witness_log_head(struct witness_log *l, uint64_t size)
{
	struct merkle_hash node[MERKLE_PLAN_MAX];
	struct tree_head head = {.size = size};
	struct merkle_plan plan;

	must(size <= l->size);
	must(proof_plan_root(&plan, size) == VT_OK);
	read_nodes(l, &plan, node);
	must(proof_build_root(&head.root, &l->h, &plan, node) == VT_OK);
	return head;
}

struct merkle_proof witness_log_proof(struct witness_log *l, uint64_t first, uint64_t second)
{
	struct merkle_hash node[MERKLE_PLAN_MAX];
	struct merkle_proof proof;
	struct merkle_plan plan;

	must(proof_plan_consistency(&plan, first, second) == VT_OK);
	read_nodes(l, &plan, node);
	must(proof_build(&proof, &l->h, &plan, node) == VT_OK);
	return proof;
}

void witness_log_sign(struct buf *out, const struct witness_log *l, const struct tree_head *head)
{
	struct buf text;

	buf_init(&text);
	must(checkpoint_format(&text, l->signer.key.name, head) == VT_OK);
	must(note_sign(out, buf_bytes(&text), &l->signer, 1) == VT_OK);
	buf_release(&text);
}

void witness_request(struct buf *out, uint64_t old_size, const struct merkle_proof *proof,
		     struct bytes note)
{
	must(buf_append_str(out, "old ") == VT_OK);
	must(buf_append_decimal(out, old_size) == VT_OK);
	must(buf_append_byte(out, '\n') == VT_OK);
	for (size_t i = 0; i < proof->n; i++) {
		must(buf_append_base64(out, bytes_of(proof->hash[i].b, MERKLE_HASH_SIZE)) == VT_OK);
		must(buf_append_byte(out, '\n') == VT_OK);
	}
	must(buf_append_byte(out, '\n') == VT_OK);
	must(buf_append(out, note) == VT_OK);
}

void witness_log_request(struct buf *out, struct witness_log *l, uint64_t first, uint64_t second)
{
	struct tree_head head = witness_log_head(l, second);
	struct merkle_proof proof = witness_log_proof(l, first, second);
	struct buf note;

	buf_init(&note);
	witness_log_sign(&note, l, &head);
	witness_request(out, first, &proof, buf_bytes(&note));
	buf_release(&note);
}

void witness_log_policy_line(struct buf *out, const struct witness_log *l)
{
	must(buf_append_str(out, "log ") == VT_OK);
	must(vkey_format(out, &l->signer.key) == VT_OK);
	must(buf_append_byte(out, '\n') == VT_OK);
}

struct merkle_hash witness_log_origin_hash(struct witness_log *l)
{
	struct bytes name = bytes_str(l->signer.key.name);
	struct merkle_hash hash;

	must(merkle_sha256(&hash, &l->h, &name, 1) == VT_OK);
	return hash;
}
