/*
 * What the trees cost, on one core, with everything in memory: hashing, appending, proofs from
 * tiles, roots from tiles, base64.
 *
 *	cmake --preset release -DVITRINE_BENCH=ON && cmake --build --preset release -t merkle_bench
 *	build/release/bench/merkle_bench
 *
 * Each figure is the median of RUNS runs of about RUN_NS each; the spread is (slowest - fastest) /
 * median. Figures repeat within a few percent on an idle machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vitrine/tile.h"

enum {
	RUNS = 7,
	RUN_NS = 200 * 1000 * 1000,
	LEAVES = 1000003, /* the tree that proofs are made in: three levels of tiles */
	LEVELS = 3,
};

static struct {
	struct merkle_hasher h;
	struct merkle_range range;
	struct merkle_hash *row[LEVELS];
	struct tree_head head;
	uint8_t entry[1024];
	struct buf text; /* base64 of 1,200 bytes: a record's payload */
	uint64_t random;
	uint64_t sink; /* keeps results alive */
} b;

static void must(enum vt_err err)
{
	if (err == VT_OK)
		return;
	fprintf(stderr, "merkle_bench: %s\n", vt_err_text(err));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* xorshift64: cheap beside what is measured, and the same sequence on every run. */
static uint64_t next_random(void)
{
	b.random ^= b.random << 13;
	b.random ^= b.random >> 7;
	b.random ^= b.random << 17;
	return b.random;
}

static enum vt_err keep(void *ctx, struct merkle_node_id id, const struct merkle_hash *hash)
{
	(void)ctx;
	if (id.height % TILE_HEIGHT == 0 && id.height / TILE_HEIGHT < LEVELS)
		b.row[id.height / TILE_HEIGHT][id.index] = *hash;
	return VT_OK;
}

static enum vt_err read_tile(void *ctx, const struct tile_id *id, struct merkle_hash *out)
{
	(void)ctx;
	memcpy(out, &b.row[id->level][id->index * TILE_WIDTH], id->width * sizeof(*out));
	return VT_OK;
}

static void grow(void)
{
	must(merkle_hasher_init(&b.h));
	for (unsigned level = 0; level < LEVELS; level++) {
		b.row[level] =
		    calloc(((size_t)LEAVES >> (8 * level)) + 1, sizeof(struct merkle_hash));
		if (b.row[level] == NULL)
			must(VT_ENOMEM);
	}
	merkle_range_init(&b.range);
	for (uint32_t i = 0; i < LEAVES; i++) {
		struct merkle_hash leaf;

		must(merkle_hash_leaf(&leaf, &b.h, bytes_of(&i, sizeof(i))));
		must(merkle_range_append(&b.range, &b.h, &leaf, keep, NULL));
	}
	b.head.size = LEAVES;
	must(merkle_range_root(&b.head.root, &b.h, &b.range));
	b.random = 88172645463325252U;
	must(buf_append_base64(&b.text, bytes_of(b.row[0], 1200)));
}

static void hash_node(void)
{
	static struct merkle_hash left, right;

	must(merkle_hash_node(&left, &b.h, &left, &right));
}

static void hash_leaf(void)
{
	struct merkle_hash leaf;

	must(merkle_hash_leaf(&leaf, &b.h, bytes_of(b.entry, sizeof(b.entry))));
	b.entry[0] = leaf.b[0];
}

static void append(void)
{
	must(merkle_range_append(&b.range, &b.h, &b.head.root, NULL, NULL));
}

static void prove(const struct merkle_plan *plan, struct merkle_proof *proof)
{
	struct merkle_hash node[MERKLE_PLAN_MAX];

	must(tile_read_plan(node, &b.h, plan, LEAVES, read_tile, NULL));
	must(proof_build(proof, &b.h, plan, node));
	b.sink += proof->hash[0].b[0];
}

static void prove_inclusion(void)
{
	struct merkle_plan plan;
	struct merkle_proof proof;

	must(proof_plan_inclusion(&plan, next_random() % LEAVES, LEAVES));
	prove(&plan, &proof);
}

static void prove_consistency(void)
{
	struct merkle_plan plan;
	struct merkle_proof proof;

	must(proof_plan_consistency(&plan, 1 + next_random() % (LEAVES - 1), LEAVES));
	prove(&plan, &proof);
}

static void verify_inclusion(void)
{
	static struct merkle_proof proof;
	const uint64_t index = 314159;

	if (proof.n == 0) {
		struct merkle_plan plan;

		must(proof_plan_inclusion(&plan, index, LEAVES));
		prove(&plan, &proof);
	}
	must(proof_verify_inclusion(&b.h, &proof, index, &b.row[0][index], &b.head));
}

static void root_from_tiles(void)
{
	struct merkle_hash root;

	must(tile_root(&root, &b.h, LEAVES, read_tile, NULL));
	if (!merkle_hash_equal(&root, &b.head.root))
		must(VT_EMISMATCH);
}

static void decode_base64(void)
{
	uint8_t raw[1200];

	must(base64_decode_exact(raw, sizeof(raw), buf_bytes(&b.text), BASE64_STANDARD));
	b.sink += raw[7];
}

static void encode_base64(void)
{
	buf_reset(&b.text);
	must(buf_append_base64(&b.text, bytes_of(b.row[0], 1200)));
}

static double run(void (*what)(void), uint64_t times)
{
	uint64_t start = now_ns();

	for (uint64_t i = 0; i < times; i++)
		what();
	return (double)(now_ns() - start) / (double)times;
}

static int by_value(const void *x, const void *y)
{
	const double *p = x, *q = y;

	return (*p > *q) - (*p < *q);
}

static void measure(const char *name, void (*what)(void))
{
	double ns[RUNS], once = run(what, 100); /* and a warm-up */
	uint64_t times = (uint64_t)(RUN_NS / once) + 1;

	for (unsigned i = 0; i < RUNS; i++)
		ns[i] = run(what, times);
	qsort(ns, RUNS, sizeof(ns[0]), by_value);
	printf("%-42s %10.0f ns %12.0f /s   spread %.1f %%\n", name, ns[RUNS / 2],
	       1e9 / ns[RUNS / 2], 100 * (ns[RUNS - 1] - ns[0]) / ns[RUNS / 2]);
	fflush(stdout);
}

int main(void)
{
	grow();
	measure("node hash (65 bytes)", hash_node);
	measure("leaf hash (1 KiB)", hash_leaf);
	measure("range append (leaf hash given)", append);
	printf("tree of %d leaves, tiles in memory\n", LEAVES);
	measure("inclusion proof from tiles", prove_inclusion);
	measure("consistency proof from tiles", prove_consistency);
	measure("inclusion proof verified", verify_inclusion);
	measure("root from right-edge tiles", root_from_tiles);
	measure("base64 decode, 1,600 characters", decode_base64);
	measure("base64 encode, 1,200 bytes", encode_base64);
	for (unsigned level = 0; level < LEVELS; level++)
		free(b.row[level]);
	buf_release(&b.text);
	merkle_hasher_release(&b.h);
	return b.sink == UINT64_MAX;
}
