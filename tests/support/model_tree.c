#include "vitrine_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_tree.h"

static struct merkle_hash leaf_of(struct model_tree *t, const char *text)
{
	struct merkle_hash hash;

	assert_int_equal(merkle_hash_leaf(&hash, &t->h, bytes_str(text)), VT_OK);
	return hash;
}

static struct merkle_hash parent_of(struct model_tree *t, struct merkle_hash left,
				    struct merkle_hash right)
{
	struct merkle_hash hash;

	assert_int_equal(merkle_hash_node(&hash, &t->h, &left, &right), VT_OK);
	return hash;
}

void model_tree_dense(struct model_tree *t)
{
	size_t pairs = (size_t)(MODEL_DENSE_MAX + 1) * (MODEL_DENSE_MAX + 1);

	*t = (struct model_tree){0};
	assert_int_equal(merkle_hasher_init(&t->h), VT_OK);
	t->dense = calloc(pairs, sizeof(*t->dense));
	t->known = calloc(pairs, sizeof(*t->known));
	assert_non_null(t->dense);
	assert_non_null(t->known);
}

void model_tree_sparse(struct model_tree *t, const uint64_t *special, size_t n)
{
	*t = (struct model_tree){.n_special = n};
	assert_true(n <= MODEL_SPECIAL_MAX);
	assert_int_equal(merkle_hasher_init(&t->h), VT_OK);
	memcpy(t->special, special, n * sizeof(*special));
	for (size_t i = 1; i < n; i++)
		assert_true(special[i - 1] < special[i]);
	t->cache = calloc(MODEL_CACHE_SIZE, sizeof(*t->cache));
	assert_non_null(t->cache);
	t->plain[0] = leaf_of(t, "plain");
	for (size_t i = 1; i < 64; i++)
		t->plain[i] = parent_of(t, t->plain[i - 1], t->plain[i - 1]);
}

void model_tree_release(struct model_tree *t)
{
	free(t->dense);
	free(t->known);
	free(t->cache);
	merkle_hasher_release(&t->h);
}

/* "let k be the largest power of two smaller than n" */
static uint64_t largest_power_below(uint64_t n)
{
	uint64_t k = 1;

	while (k < n - k)
		k *= 2;
	return k;
}

static size_t specials_below(const struct model_tree *t, uint64_t index)
{
	size_t n = 0;

	while (n < t->n_special && t->special[n] < index)
		n++;
	return n;
}

static struct merkle_hash leaf_at(struct model_tree *t, uint64_t index)
{
	char text[32];
	size_t before = specials_below(t, index);

	if (t->dense == NULL && (before == t->n_special || t->special[before] != index))
		return t->plain[0];
	snprintf(text, sizeof(text), "%llu", (unsigned long long)index);
	return leaf_of(t, text);
}

static struct model_cached *cached(struct model_tree *t, struct merkle_node_id id)
{
	uint64_t at = (id.index + 1) * UINT64_C(0x9e3779b97f4a7c15) + id.height * 7919;

	for (at >>= 40;; at++) {
		struct model_cached *c = &t->cache[at % MODEL_CACHE_SIZE];

		if (!c->used || (c->id.height == id.height && c->id.index == id.index))
			return c;
	}
}

static struct merkle_hash split_mth(struct model_tree *t, uint64_t lo, uint64_t hi)
{
	uint64_t mid = lo + largest_power_below(hi - lo);

	return parent_of(t, model_mth(t, lo, mid), model_mth(t, mid, hi));
}

static struct merkle_hash dense_mth(struct model_tree *t, uint64_t lo, uint64_t hi)
{
	size_t pair = (size_t)(lo * (MODEL_DENSE_MAX + 1) + hi);

	assert_true(hi <= MODEL_DENSE_MAX);
	if (!t->known[pair]) {
		t->dense[pair] = hi - lo == 1 ? leaf_at(t, lo) : split_mth(t, lo, hi);
		t->known[pair] = true;
	}
	return t->dense[pair];
}

static struct merkle_hash sparse_mth(struct model_tree *t, uint64_t lo, uint64_t hi)
{
	struct merkle_node_id id = {0};
	struct model_cached *c;

	while (id.height < 63 && UINT64_C(1) << id.height < hi - lo)
		id.height++;
	id.index = lo >> id.height;
	if (UINT64_C(1) << id.height != hi - lo || id.index << id.height != lo)
		return split_mth(t, lo, hi);
	if (specials_below(t, lo) == specials_below(t, hi))
		return t->plain[id.height];
	c = cached(t, id);
	if (!c->used) {
		struct merkle_hash hash = hi - lo == 1 ? leaf_at(t, lo) : split_mth(t, lo, hi);

		c = cached(t, id); /* the split has filled others */
		*c = (struct model_cached){.used = true, .id = id, .hash = hash};
	}
	return c->hash;
}

struct merkle_hash model_mth(struct model_tree *t, uint64_t lo, uint64_t hi)
{
	struct merkle_hash hash;

	assert_true(lo <= hi);
	if (lo == hi) {
		assert_int_equal(merkle_sha256(&hash, &t->h, NULL, 0), VT_OK);
		return hash;
	}
	return t->dense != NULL ? dense_mth(t, lo, hi) : sparse_mth(t, lo, hi);
}

static void add(struct merkle_proof *p, struct merkle_hash hash)
{
	assert_true(p->n < MERKLE_PROOF_MAX);
	p->hash[p->n++] = hash;
}

/* RFC 6962 section 2.1.1. */
void model_path(struct model_tree *t, struct merkle_proof *p, uint64_t m, uint64_t lo, uint64_t hi)
{
	uint64_t k;

	if (hi - lo == 1)
		return;
	k = largest_power_below(hi - lo);
	if (m < k) {
		model_path(t, p, m, lo, lo + k);
		add(p, model_mth(t, lo + k, hi));
	} else {
		model_path(t, p, m - k, lo + k, hi);
		add(p, model_mth(t, lo, lo + k));
	}
}

/* RFC 6962 section 2.1.2: SUBPROOF(m, D[lo:hi], b). */
static void subproof(struct model_tree *t, struct merkle_proof *p, uint64_t m, uint64_t lo,
		     uint64_t hi, bool b)
{
	uint64_t k;

	if (m == hi - lo) {
		if (!b)
			add(p, model_mth(t, lo, hi));
		return;
	}
	k = largest_power_below(hi - lo);
	if (m <= k) {
		subproof(t, p, m, lo, lo + k, b);
		add(p, model_mth(t, lo + k, hi));
	} else {
		subproof(t, p, m - k, lo + k, hi, false);
		add(p, model_mth(t, lo, lo + k));
	}
}

void model_consistency(struct model_tree *t, struct merkle_proof *p, uint64_t m, uint64_t n)
{
	subproof(t, p, m, 0, n, true);
}

/* The draft's SUBTREE_SUBPROOF(start, end, D[lo:hi], b); start and end count from lo. */
static void subtree_subproof(struct model_tree *t, struct merkle_proof *p, uint64_t start,
			     uint64_t end, uint64_t lo, uint64_t hi, bool b)
{
	uint64_t k;

	if (start == 0 && end == hi - lo) {
		if (!b)
			add(p, model_mth(t, lo, hi));
		return;
	}
	k = largest_power_below(hi - lo);
	if (end <= k) {
		subtree_subproof(t, p, start, end, lo, lo + k, b);
		add(p, model_mth(t, lo + k, hi));
	} else if (k <= start) {
		subtree_subproof(t, p, start - k, end - k, lo + k, hi, b);
		add(p, model_mth(t, lo, lo + k));
	} else {
		assert_true(start == 0);
		subtree_subproof(t, p, 0, end - k, lo + k, hi, false);
		add(p, model_mth(t, lo, lo + k));
	}
}

void model_subtree_consistency(struct model_tree *t, struct merkle_proof *p, uint64_t start,
			       uint64_t end, uint64_t n)
{
	subtree_subproof(t, p, start, end, 0, n, true);
}

bool model_is_subtree(uint64_t start, uint64_t end)
{
	uint64_t power = 1;

	while (power < end - start) {
		if (power > UINT64_MAX / 2)
			return start == 0;
		power *= 2;
	}
	return start % power == 0;
}

struct merkle_hash model_node(struct model_tree *t, struct merkle_node_id id)
{
	return model_mth(t, id.index << id.height, (id.index + 1) << id.height);
}

uint64_t model_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}
