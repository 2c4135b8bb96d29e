#include "vitrine_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "index.h"
#include "index_filter.h"
#include "memory_store.h"

enum {
	ENTRIES_MAX = 20000,
	KEYS = 5,
	SUBJECTS = 40,
	TWINS = 3,
};

/* -- a log whose keys are known --------------------------------------------------------------- */

/* Every entry has: a leaf hash, the key of all, one of two, one of SUBJECTS, one of TWINS with one prefix. */
struct fixture {
	struct store *store;
	struct store_reader *r;
	struct merkle_hasher h;
	struct tree_state state;
	uint64_t seed;
	struct merkle_hash (*keys)[KEYS]; /* the model: of entry i */
};

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static struct merkle_hash key_of(struct merkle_hasher *h, char kind, uint64_t n)
{
	struct merkle_hash key;
	uint8_t text[9] = {(uint8_t)kind};
	struct bytes part = bytes_of(text, sizeof(text));

	memcpy(text + 1, &n, sizeof(n));
	assert_int_equal(merkle_sha256(&key, h, &part, 1), VT_OK);
	return key;
}

static struct merkle_hash twin(unsigned n)
{
	struct merkle_hash key;

	memset(&key, 0x5a, sizeof(key));
	key.b[31] = (uint8_t)n;
	return key;
}

static void entry_keys(struct fixture *f, uint64_t i, struct bytes entry,
		       struct merkle_hash keys[KEYS])
{
	assert_int_equal(merkle_hash_leaf(&keys[0], &f->h, entry), VT_OK);
	keys[1] = key_of(&f->h, 'a', 0);
	keys[2] = key_of(&f->h, 'b', next_random(&f->seed) % 2);
	keys[3] = key_of(&f->h, 's', next_random(&f->seed) % SUBJECTS);
	keys[4] = twin((unsigned)(i % TWINS));
}

struct tiles {
	struct store_batch *b;
};

static enum vt_err put_tile(void *ctx, struct merkle_node_id id, const struct merkle_hash *hash)
{
	struct tiles *t = ctx;

	if (id.height % TILE_HEIGHT != 0)
		return VT_OK;
	return store_batch_tile(t->b, id.height / TILE_HEIGHT, id.index / TILE_WIDTH,
				(unsigned)(id.index % TILE_WIDTH), hash, 1);
}

/* Commit n entries to the store; *ix, if not NULL, is given their keys as a sequencer would. */
static void commit(struct fixture *f, struct index *ix, size_t n)
{
	struct tree_state next = f->state;
	struct tiles t;

	assert_int_equal(store_batch_begin(&t.b, f->store, &f->state), VT_OK);
	for (size_t i = 0; i < n; i++) {
		uint64_t at = next.head.size++;
		struct merkle_hash *keys = f->keys[at];
		struct bytes entry = bytes_of(&at, sizeof(at));

		entry_keys(f, at, entry, keys);
		assert_int_equal(merkle_range_append(&next.range, &f->h, &keys[0], put_tile, &t),
				 VT_OK);
		assert_int_equal(store_batch_entry(t.b, entry, keys, KEYS), VT_OK);
		if (ix != NULL)
			assert_int_equal(index_append(ix, keys, KEYS), VT_OK);
	}
	assert_int_equal(merkle_range_root(&next.head.root, &f->h, &next.range), VT_OK);
	assert_int_equal(store_batch_commit(t.b, &next), VT_OK);
	store_batch_discard(t.b);
	f->state = next;
	if (ix != NULL)
		index_committed(ix, next.head.size);
}

static int setup(void **state)
{
	static const struct store_identity identity = {"index.example", "vkey", "raw", {NULL, 0}};
	struct fixture *f = calloc(1, sizeof(*f));
	char why[STORE_WHY_MAX];

	assert_non_null(f);
	assert_int_equal(store_memory_open(&f->store, &identity, why), VT_OK);
	assert_int_equal(store_reader_new(&f->r, f->store), VT_OK);
	assert_int_equal(merkle_hasher_init(&f->h), VT_OK);
	assert_int_equal(store_read_state(f->r, &f->state), VT_OK);
	f->keys = calloc(ENTRIES_MAX, sizeof(f->keys[0]));
	assert_non_null(f->keys);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->keys);
	merkle_hasher_release(&f->h);
	store_reader_free(f->r);
	store_free(f->store);
	free(f);
	return 0;
}

static struct index *open_index(struct fixture *f, size_t tail_max)
{
	struct index_config config = {.store = f->store, .tail_max = tail_max, .slice_chunks = 1};
	struct index *ix;

	assert_int_equal(index_open(&ix, &config, f->r, f->state.head.size), VT_OK);
	assert_int_equal(index_size(ix), f->state.head.size);
	return ix;
}

static void work_until_done(struct fixture *f, struct index *ix)
{
	bool more = true;

	for (unsigned i = 0; more; i++) {
		assert_true(i < 100000);
		assert_int_equal(index_work(ix, f->r, f->state.head.size, &more, NULL), VT_OK);
	}
}

/* -- the model ---------------------------------------------------------------------------------- */

static bool model_term(const struct fixture *f, uint64_t i, const struct index_term *t)
{
	for (size_t k = 0; k < t->n; k++)
		for (size_t j = 0; j < KEYS; j++)
			if (merkle_hash_equal(&f->keys[i][j], &t->key[k]))
				return true;
	return false;
}

static bool model_has(const struct fixture *f, uint64_t i, const struct index_term *terms, size_t n)
{
	while (n > 0 && model_term(f, i, &terms[n - 1]))
		n--;
	return n == 0;
}

static uint64_t model_find(const struct fixture *f, const struct index_term *terms, size_t n,
			   uint64_t from, uint64_t below)
{
	for (uint64_t i = from; i < below; i++)
		if (model_has(f, i, terms, n))
			return i;
	return UINT64_MAX;
}

static uint64_t model_find_last(const struct fixture *f, const struct index_term *terms, size_t n,
				uint64_t from, uint64_t below)
{
	for (uint64_t i = below; i-- > from;)
		if (model_has(f, i, terms, n))
			return i;
	return UINT64_MAX;
}

static uint64_t found(enum vt_err err, uint64_t index)
{
	assert_true(err == VT_OK || err == VT_ENOTFOUND);
	return err == VT_OK ? index : UINT64_MAX;
}

/*
 * A few matches of a scan are the model's, in its order, however few steps each page may take: one that runs out of them is
 * given up, and a new one goes on where it said.
 */
static void compare_scan(struct fixture *f, struct index *ix, const struct index_term *terms,
			 size_t n, uint64_t from, uint64_t below, bool newest_first)
{
	struct index_scan *scan;

	assert_int_equal(index_scan_new(&scan, ix, f->r, terms, n, from, below, newest_first),
			 VT_OK);
	for (unsigned matches = 0; matches < 3;) {
		size_t steps = 2 + next_random(&f->seed) % 30;
		uint64_t index = 0;
		enum vt_err err = index_scan_next(scan, &steps, &index);

		if (err == VT_ELIMIT) {
			/* Nothing was stepped over that it should have found. */
			if (newest_first)
				assert_int_equal(model_find_last(f, terms, n, index, below),
						 UINT64_MAX);
			else
				assert_int_equal(model_find(f, terms, n, from, index), UINT64_MAX);
			newest_first ? (below = index) : (from = index);
			index_scan_free(scan);
			assert_int_equal(
			    index_scan_new(&scan, ix, f->r, terms, n, from, below, newest_first),
			    VT_OK);
			continue;
		}
		assert_int_equal(found(err, index), newest_first
							? model_find_last(f, terms, n, from, below)
							: model_find(f, terms, n, from, below));
		if (err == VT_ENOTFOUND)
			break;
		newest_first ? (below = index) : (from = index + 1);
		matches++;
	}
	index_scan_free(scan);
}

/* `times` random questions, each answered as the model answers it. */
static void compare_with_model(struct fixture *f, struct index *ix, uint64_t size, unsigned times)
{
	for (unsigned t = 0; t < times; t++) {
		struct index_term pool[4] = {
		    {1, {key_of(&f->h, 'a', next_random(&f->seed) % 20 == 0)}},
		    {1, {key_of(&f->h, 'b', next_random(&f->seed) % 2)}},
		    {2,
		     {key_of(&f->h, 's', next_random(&f->seed) % (SUBJECTS + 2)),
		      key_of(&f->h, 's', next_random(&f->seed) % (SUBJECTS + 2))}},
		    {1 + next_random(&f->seed) % 2,
		     {twin((unsigned)(next_random(&f->seed) % (TWINS + 1))),
		      twin((unsigned)(next_random(&f->seed) % (TWINS + 1)))}},
		};
		uint64_t from = size == 0 ? 0 : next_random(&f->seed) % (size + 1);
		uint64_t below = size == 0 ? 0 : next_random(&f->seed) % (size + 1);
		size_t first = next_random(&f->seed) % 4;
		size_t n = 1 + next_random(&f->seed) % (4 - first);
		struct index_term one = {1, {pool[first].key[0]}};
		uint64_t index = 0;
		enum vt_err err;

		if (size > 0 && t % 3 == 0)
			one.key[0] = f->keys[next_random(&f->seed) % size][0];
		err = index_find(ix, f->r, &one.key[0], from, below, &index);
		assert_int_equal(found(err, index), model_find(f, &one, 1, from, below));
		compare_scan(f, ix, &one, 1, from, below, t % 2 == 0);
		compare_scan(f, ix, pool + first, n, from, below, t % 2 != 0);
		compare_scan(f, ix, pool + first, n, 0, size, t % 2 == 0);
	}
}

static enum vt_err no_fault(void *ctx, const char *text)
{
	(void)ctx;
	fail_msg("%s", text);
	return VT_OK;
}

static enum vt_err keep_fault(void *ctx, const char *text)
{
	(void)snprintf(ctx, 256, "%s", text);
	return VT_EMISMATCH;
}

/* -- the tail ------------------------------------------------------------------------------------- */

static void an_empty_index_finds_nothing(void **state)
{
	struct fixture *f = *state;
	struct index *ix = open_index(f, 0);
	struct merkle_hash key = twin(0);
	uint64_t index;

	assert_int_equal(index_find(ix, f->r, &key, 0, UINT64_MAX, &index), VT_ENOTFOUND);
	compare_scan(f, ix, &(struct index_term){1, {key}}, 1, 0, ENTRIES_MAX, false);
	compare_scan(f, ix, &(struct index_term){1, {key}}, 1, 0, ENTRIES_MAX, true);
	index_free(ix);
}

static void the_tail_alone_agrees_with_the_model(void **state)
{
	struct fixture *f = *state;
	struct index *ix = open_index(f, 0);

	for (unsigned i = 0; i < 10; i++) {
		commit(f, ix, 1 + i * 30);
		compare_with_model(f, ix, f->state.head.size, 100);
	}
	index_free(ix);
}

static void uncommitted_entries_are_found_and_rolled_back(void **state)
{
	struct fixture *f = *state;
	struct index *ix = open_index(f, 40);
	struct index_stats before, after;
	uint64_t size, index;

	commit(f, ix, 100);
	work_until_done(f, ix);
	size = f->state.head.size;
	index_stats(ix, &before);
	for (unsigned round = 0; round < 20; round++) {
		size_t n = 1 + next_random(&f->seed) % 300;

		for (size_t i = 0; i < n; i++) {
			uint64_t at = size + i;
			uint64_t salted = at + (uint64_t)round * 1000000;

			entry_keys(f, at, bytes_of(&salted, sizeof(salted)), f->keys[at]);
			assert_int_equal(index_append(ix, f->keys[at], KEYS), VT_OK);
		}
		compare_with_model(f, ix, size + n, 60);
		/* A part, then the rest. */
		index_rollback(ix, size + n / 2);
		assert_int_equal(index_size(ix), size + n / 2);
		compare_with_model(f, ix, size + n / 2, 60);
		index_rollback(ix, size);
		assert_int_equal(index_size(ix), size);
		assert_int_equal(index_find(ix, f->r, &f->keys[size][0], 0, UINT64_MAX, &index),
				 VT_ENOTFOUND);
	}
	index_stats(ix, &after);
	assert_int_equal(before.tail_keys, after.tail_keys);
	compare_with_model(f, ix, size, 200);
	commit(f, ix, 50);
	compare_with_model(f, ix, f->state.head.size, 200);
	index_free(ix);
}

static void committed_entries_are_not_rolled_back(void **state)
{
	struct fixture *f = *state;
	struct index *ix = open_index(f, 0);

	commit(f, ix, 10);
	index_rollback(ix, 3);
	assert_int_equal(index_size(ix), 10);
	compare_with_model(f, ix, 10, 50);
	index_free(ix);
}

static void find_last(struct store_reader *r, struct index *ix, const struct merkle_hash *key,
		      uint64_t below, uint64_t *index)
{
	struct index_term term = {1, {*key}};
	struct index_scan *scan;
	size_t steps = 1;

	assert_int_equal(index_scan_new(&scan, ix, r, &term, 1, 0, below, true), VT_OK);
	assert_int_equal(index_scan_next(scan, &steps, index), VT_OK);
	index_scan_free(scan);
}

/* A list of 20,000 is stepped through in logarithmic time: 20,000 lookups in its middle end soon. */
static void a_key_that_every_entry_has_is_found_quickly(void **state)
{
	struct fixture *f = *state;
	struct index *ix = open_index(f, 0);
	struct merkle_hash heavy = key_of(&f->h, 'a', 0);

	commit(f, ix, ENTRIES_MAX);
	for (uint64_t i = 0; i < ENTRIES_MAX; i++) {
		uint64_t index;

		assert_int_equal(index_find(ix, f->r, &heavy, i, ENTRIES_MAX, &index), VT_OK);
		assert_int_equal(index, i);
		find_last(f->r, ix, &heavy, i + 1, &index);
		assert_int_equal(index, i);
	}
	index_free(ix);
}

/* -- runs ------------------------------------------------------------------------------------------ */

static void folds_and_merges_agree_with_the_model(void **state)
{
	struct fixture *f = *state;
	struct index *ix = open_index(f, 200);
	struct index_stats stats;

	for (unsigned i = 0; i < 120; i++) {
		bool pressed = true;

		commit(f, ix, 1 + next_random(&f->seed) % 60);
		while (pressed) {
			assert_int_equal(index_work(ix, f->r, f->state.head.size, NULL, &pressed),
					 VT_OK);
			compare_with_model(f, ix, f->state.head.size, 5);
		}
		index_stats(ix, &stats);
		assert_true(stats.tail_keys <= 250 + 60 * KEYS);
	}
	work_until_done(f, ix);
	index_stats(ix, &stats);
	assert_true(stats.folds > 10);
	assert_true(stats.merges > 3);
	assert_true(stats.runs < 20);
	assert_true(stats.tail_keys <= 200);
	assert_int_equal(stats.conflicts, 0);
	compare_with_model(f, ix, f->state.head.size, 300);
	assert_int_equal(index_check(f->r, no_fault, NULL), VT_OK);
	index_free(ix);
}

static void a_restart_finds_the_same(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 30; i++) {
		struct index *ix = open_index(f, 300);

		compare_with_model(f, ix, f->state.head.size, 50);
		commit(f, ix, 1 + next_random(&f->seed) % 100);
		if (i % 3 == 0)
			work_until_done(f, ix);
		else if (i % 3 == 1) /* killed in the middle of a fold or merge */
			assert_int_equal(index_work(ix, f->r, f->state.head.size, NULL, NULL),
					 VT_OK);
		compare_with_model(f, ix, f->state.head.size, 50);
		index_free(ix);
	}
	assert_int_equal(index_check(f->r, no_fault, NULL), VT_OK);
}

static void a_long_unfolded_log_is_folded_while_it_is_opened(void **state)
{
	struct fixture *f = *state;
	struct index_stats stats;
	struct index *ix;

	commit(f, NULL, 5000);
	ix = open_index(f, 1000);
	index_stats(ix, &stats);
	assert_true(stats.mark > 3000);
	assert_true(stats.tail_keys <= 1250);
	compare_with_model(f, ix, 5000, 300);
	index_free(ix);
}

/* Runs of many chunks: fences, guesses and neighbours. */
static void runs_of_many_chunks_agree_with_the_model(void **state)
{
	struct fixture *f = *state;
	struct index *ix = open_index(f, 16384);
	struct index_stats stats;

	for (unsigned i = 0; i < ENTRIES_MAX / 500; i++) {
		bool more = true;

		commit(f, ix, 500);
		assert_int_equal(index_work(ix, f->r, f->state.head.size, &more, NULL), VT_OK);
		compare_with_model(f, ix, f->state.head.size, 3);
	}
	work_until_done(f, ix);
	index_stats(ix, &stats);
	assert_true(stats.merges > 0);
	compare_with_model(f, ix, f->state.head.size, 300);
	index_free(ix);
	ix = open_index(f, 16384);
	compare_with_model(f, ix, f->state.head.size, 300);
	assert_int_equal(index_check(f->r, no_fault, NULL), VT_OK);
	index_free(ix);
}

/* -- two processes ---------------------------------------------------------------------------------- */

static void two_writers_fold_one_store(void **state)
{
	struct fixture *f = *state;
	struct index *a = open_index(f, 150);
	struct index *b = open_index(f, 200);
	struct index_stats stats_a, stats_b;
	bool more;

	for (unsigned i = 0; i < 150; i++) {
		uint64_t size = f->state.head.size;

		commit(f, a, 1 + next_random(&f->seed) % 40);
		if (i % 4 != 0) /* b lags now and then, and finds its entries folded already */
			while (index_size(b) < f->state.head.size) {
				uint64_t at = index_size(b);

				assert_int_equal(index_append(b, f->keys[at], KEYS), VT_OK);
			}
		index_committed(b, f->state.head.size);
		assert_int_equal(index_work(a, f->r, f->state.head.size, &more, NULL), VT_OK);
		assert_int_equal(index_work(b, f->r, index_size(b), &more, NULL), VT_OK);
		compare_with_model(f, a, f->state.head.size, 5);
		compare_with_model(f, b, index_size(b), 5);
		assert_true(index_size(b) >= size || i % 4 == 0);
	}
	index_stats(a, &stats_a);
	index_stats(b, &stats_b);
	assert_true(stats_a.folds + stats_b.folds > 5);
	assert_int_equal(index_check(f->r, no_fault, NULL), VT_OK);
	index_free(a);
	index_free(b);
}

static struct {
	const struct store_ops *real;
	size_t chunks;
} counted;

static enum vt_err count_chunk(struct store_reader *r, uint64_t run, uint64_t chunk,
			       struct index_slot out[STORE_CHUNK_SLOTS], size_t *n)
{
	counted.chunks++;
	return counted.real->read_chunk(r, run, chunk, out, n);
}

/* Chunks that are read for the first `limit` entries with these terms. */
static size_t chunks_for(struct fixture *f, struct index *ix, const struct index_term *terms,
			 size_t n, bool newest_first, size_t limit)
{
	struct index_scan *scan;
	size_t steps = SIZE_MAX;
	uint64_t index;

	counted.chunks = 0;
	assert_int_equal(
	    index_scan_new(&scan, ix, f->r, terms, n, 0, f->state.head.size, newest_first), VT_OK);
	while (limit-- > 0 && index_scan_next(scan, &steps, &index) == VT_OK)
		;
	index_scan_free(scan);
	return counted.chunks;
}

/* Nothing is read that is not stepped through, in either direction. */
static void a_page_reads_what_it_shows_and_little_else(void **state)
{
	struct fixture *f = *state;
	struct index *ix = open_index(f, 16384);
	struct store_ops ops = *f->r->ops;
	struct index_term heavy = {1, {key_of(&f->h, 'a', 0)}};
	struct index_term both[2] = {{1, {key_of(&f->h, 'b', 0)}}, {1, {key_of(&f->h, 's', 7)}}};
	struct index_stats stats;

	for (unsigned i = 0; i < ENTRIES_MAX / 500; i++) {
		commit(f, ix, 500);
		work_until_done(f, ix);
	}
	index_stats(ix, &stats);
	assert_true(stats.mark > ENTRIES_MAX / 2); /* most of it is in runs: some 60 chunks */
	counted.real = f->r->ops;
	ops.read_chunk = count_chunk;
	f->r->ops = &ops;
	for (unsigned newest_first = 0; newest_first < 2; newest_first++) {
		size_t all = stats.mark / STORE_CHUNK_SLOTS;

		(void)chunks_for(f, ix, &heavy, 1, newest_first, SIZE_MAX); /* learn the fences */
		/* A page of ten is found without the rest: in the tail, or by looking into each run. */
		assert_true(chunks_for(f, ix, &heavy, 1, newest_first, 10) <= 4 * stats.runs);
		assert_true(chunks_for(f, ix, &heavy, 1, newest_first, SIZE_MAX) <=
			    all + 4 * stats.runs);
		/* The rarer condition leads: some 250 places, and at each the other is looked for once. */
		assert_true(chunks_for(f, ix, both, 2, newest_first, SIZE_MAX) <=
			    all + 4 * stats.runs);
	}
	f->r->ops = counted.real;
	index_free(ix);
}

struct asking {
	struct fixture *f;
	struct index *ix;
	atomic_uint_fast64_t committed;
	atomic_bool stop;
};

static void *ask(void *ctx)
{
	struct asking *a = ctx;
	struct store_reader *r;
	uint64_t seed = 7, asked = 0;

	assert_int_equal(store_reader_new(&r, a->f->store), VT_OK);
	while (!atomic_load(&a->stop) || asked < 100) {
		uint64_t size = atomic_load(&a->committed);
		uint64_t i = next_random(&seed) % size, index;
		enum vt_err err = index_find(a->ix, r, &a->f->keys[i][0], 0, size, &index);

		if (err != VT_OK || index != i)
			abort();
		find_last(r, a->ix, &a->f->keys[i][3], i + 1, &index);
		if (index != i)
			abort();
		asked++;
	}
	store_reader_free(r);
	return NULL;
}

static void lookups_go_on_while_the_writer_works(void **state)
{
	struct fixture *f = *state;
	struct asking a = {.f = f, .ix = open_index(f, 100)};
	pthread_t thread[2];

	commit(f, a.ix, 50);
	atomic_store(&a.committed, f->state.head.size);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, ask, &a), 0);
	for (unsigned i = 0; i < 200; i++) {
		uint64_t at = f->state.head.size + 7;

		/* One that comes to nothing, then one that does. */
		assert_int_equal(index_append(a.ix, f->keys[at], KEYS), VT_OK);
		index_rollback(a.ix, f->state.head.size);
		commit(f, a.ix, 20);
		atomic_store(&a.committed, f->state.head.size);
		assert_int_equal(index_work(a.ix, f->r, f->state.head.size, NULL, NULL), VT_OK);
	}
	atomic_store(&a.stop, true);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	index_free(a.ix);
}

/* -- filters ------------------------------------------------------------------------------------------- */

static void a_filter_misses_nothing_and_passes_little(void **state)
{
	enum { SLOTS = 50000 };
	uint64_t added = 1, other = 2, passed = 0;
	struct filter *filter = filter_new(SLOTS, 12345);

	(void)state;
	assert_non_null(filter);
	for (unsigned i = 0; i < SLOTS; i++)
		filter_add(filter, next_random(&added));
	added = 1;
	for (unsigned i = 0; i < SLOTS; i++)
		assert_true(filter_may_have(filter, next_random(&added)));
	for (unsigned i = 0; i < SLOTS; i++)
		passed += filter_may_have(filter, next_random(&other));
	assert_true(passed < SLOTS / 20);
	assert_true(filter_size(SLOTS) <= SLOTS * 2 + 64);
	assert_int_equal(filter_size(UINT64_MAX), SIZE_MAX);
	free(filter);
}

static void a_restart_learns_filters_within_their_bound(void **state)
{
	struct fixture *f = *state;
	struct index_config config = {
	    .store = f->store, .tail_max = 400, .slice_chunks = 1, .filter_max = 1 << 18};
	struct index_stats stats;
	struct index *ix;

	commit(f, NULL, 9000);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(index_open(&ix, &config, f->r, 9000), VT_OK);
		compare_with_model(f, ix, 9000, 50);
		work_until_done(f, ix);
		index_stats(ix, &stats);
		assert_true(stats.runs > 0);
		assert_true(stats.filter_bytes > 0);
		assert_true(stats.filter_bytes <= config.filter_max);
		compare_with_model(f, ix, 9000, 100);
		index_free(ix);
	}
	config.filter_max = 1;
	assert_int_equal(index_open(&ix, &config, f->r, 9000), VT_OK);
	work_until_done(f, ix);
	index_stats(ix, &stats);
	assert_int_equal(stats.filter_bytes, 0);
	compare_with_model(f, ix, 9000, 100);
	index_free(ix);
}

/* -- broken runs -------------------------------------------------------------------------------------- */

/* A listed run that does not hold what the rows say: one slot too few, or another one in its place. */
static void a_run_that_differs_from_its_rows_is_found(void **state)
{
	struct fixture *f = *state;
	struct index_slot slot[STORE_CHUNK_SLOTS];
	struct store_runs runs;
	char place[256];

	commit(f, NULL, 8);
	for (unsigned wrong = 0; wrong < 2; wrong++) {
		assert_int_equal(store_read_runs(f->r, &runs), VT_OK);
		for (uint64_t i = 0; i < 8; i++)
			slot[i] = (struct index_slot){1000 + i, i};
		assert_int_equal(store_write_chunk(f->store, runs.next_id, 0, slot, 8 - wrong),
				 VT_OK);
		runs.n = 1;
		runs.run[0] = (struct store_run){runs.next_id, 0, 0, 8, 8 - wrong};
		assert_int_equal(store_replace_runs(f->store, runs.version, &runs), VT_OK);
		place[0] = '\0';
		assert_int_equal(index_check(f->r, keep_fault, place), VT_EMISMATCH);
		assert_non_null(strstr(place, "index run "));
		assert_non_null(strstr(place, "entry "));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(an_empty_index_finds_nothing, setup, teardown),
	    cmocka_unit_test_setup_teardown(the_tail_alone_agrees_with_the_model, setup, teardown),
	    cmocka_unit_test_setup_teardown(uncommitted_entries_are_found_and_rolled_back, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(committed_entries_are_not_rolled_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_key_that_every_entry_has_is_found_quickly, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(folds_and_merges_agree_with_the_model, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_restart_finds_the_same, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_long_unfolded_log_is_folded_while_it_is_opened, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(runs_of_many_chunks_agree_with_the_model, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(two_writers_fold_one_store, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_page_reads_what_it_shows_and_little_else, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(lookups_go_on_while_the_writer_works, setup, teardown),
	    cmocka_unit_test(a_filter_misses_nothing_and_passes_little),
	    cmocka_unit_test_setup_teardown(a_restart_learns_filters_within_their_bound, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(a_run_that_differs_from_its_rows_is_found, setup,
					    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
