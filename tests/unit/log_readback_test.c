/* Rule 3 by itself: whichever bit of what is read back is flipped, the read-back sees it. */
#include "vitrine_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "flipping_store.h"
#include "growth.h"
#include "log_fixture.h"
#include "log_private.h"
#include "memory_store.h"
#include "scratch.h"

enum { SIZE = 70000, ROUNDS = 400 };

static uint64_t random_state = 20261122;

static uint64_t random_below(uint64_t n)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (z ^ z >> 31) % n;
}

/* As much of a log as a read-back needs, over a grown store. */
struct fixture {
	struct store *store;
	struct flipping flipping;
	struct log log;
};

static int setup(void **state)
{
	static const struct store_identity identity = {
	    "readback.example", "vkey", "raw", {NULL, 0}};
	static const struct growth growth = {.n_keys = 1};
	struct fixture *f = calloc(1, sizeof(*f));
	struct tree_state tree;
	struct store_reader *r;
	char why[STORE_WHY_MAX];

	assert_non_null(f);
	assert_int_equal(store_memory_open(&f->store, &identity, why), VT_OK);
	assert_int_equal(store_reader_new(&r, f->store), VT_OK);
	assert_int_equal(store_read_state(r, &tree), VT_OK);
	store_reader_free(r);
	for (size_t i = 0; i < SIZE; i += 10000)
		assert_int_equal(growth_commit(f->store, &tree, &growth, 10000), VT_OK);
	flipping_install(&f->flipping, f->store, 1);
	assert_int_equal(store_reader_new(&f->log.second, f->store), VT_OK);
	assert_int_equal(merkle_hasher_init(&f->log.second_hasher), VT_OK);
	assert_int_equal(readback_new(&f->log.readback), VT_OK);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	readback_free(f->log.readback);
	merkle_hasher_release(&f->log.second_hasher);
	store_reader_free(f->log.second);
	store_free(f->store);
	free(f);
	return 0;
}

/* Two sizes, near each other and near where tiles end, as often as not. */
static void choose(uint64_t *old, uint64_t *new_size)
{
	static const uint64_t edges[] = {0, 1, 255, 256, 257, 512, 65535, 65536, 65537};

	*old = random_below(2) == 0 ? edges[random_below(9)] : random_below(SIZE);
	*new_size = *old + 1 + random_below(random_below(3) == 0 ? 5000 : 300);
	if (*new_size > SIZE)
		*new_size = SIZE;
}

static struct tree_head head_at(struct fixture *f, uint64_t size)
{
	struct tree_head head = {.size = size};

	assert_int_equal(readback_root(&f->log, size, &head.root), VT_OK);
	return head;
}

static struct merkle_hash *leaves(struct fixture *f, uint64_t from, uint64_t to)
{
	struct merkle_hash *leaf = calloc((size_t)(to - from) + 1, sizeof(*leaf));

	assert_non_null(leaf);
	for (uint64_t i = from; i < to; i++)
		assert_int_equal(leaf_at(f->log.second, i, &leaf[i - from]), VT_OK);
	return leaf;
}

static void a_sound_tree_reads_back(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < ROUNDS / 4; i++) {
		struct tree_head old, new_head;
		struct merkle_hash *leaf;
		char why[LOG_WHY_MAX];
		uint64_t from, to;

		choose(&from, &to);
		old = head_at(f, from);
		new_head = head_at(f, to);
		leaf = leaves(f, from, to);
		assert_int_equal(readback_tree(&f->log, &old, &new_head, leaf, why), VT_OK);
		assert_int_equal(readback_owed(&f->log, &old, &new_head, why), VT_OK);
		free(leaf);
	}
}

static void any_flipped_bit_of_any_tile_is_seen(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct tree_head old, new_head;
		struct merkle_hash *leaf;
		char why[LOG_WHY_MAX];
		uint64_t from, to, answers;

		choose(&from, &to);
		old = head_at(f, from);
		new_head = head_at(f, to);
		leaf = leaves(f, from, to);
		flipping_arm(&f->flipping, FLIP_TILE, UINT64_MAX, 0);
		assert_int_equal(readback_tree(&f->log, &old, &new_head, leaf, why), VT_OK);
		answers = f->flipping.seen;
		assert_true(answers > 0);
		why[0] = '\0';
		flipping_arm(&f->flipping, FLIP_TILE, random_below(answers), random_below(1 << 20));
		assert_int_equal(readback_tree(&f->log, &old, &new_head, leaf, why), VT_EMISMATCH);
		assert_true(f->flipping.flipped);
		assert_true(strlen(why) > 0);
		flipping_arm(&f->flipping, FLIP_NOTHING, 0, 0);
		free(leaf);
	}
}

static void a_leaf_or_root_that_is_not_the_stored_one_is_seen(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < ROUNDS / 4; i++) {
		struct tree_head old, new_head;
		struct merkle_hash *leaf;
		char why[LOG_WHY_MAX];
		uint64_t from, to;
		struct merkle_hash *wrong;

		choose(&from, &to);
		old = head_at(f, from);
		new_head = head_at(f, to);
		leaf = leaves(f, from, to);
		wrong = i % 3 == 0   ? &old.root
			: i % 3 == 1 ? &new_head.root
				     : &leaf[random_below(to - from)];
		wrong->b[random_below(32)] ^= (uint8_t)(1U << random_below(8));
		assert_int_equal(readback_tree(&f->log, &old, &new_head, leaf, why), VT_EMISMATCH);
		free(leaf);
	}
}

/* -- in a running log, in a process of its own -------------------------------------------------------- */

static void append_seeing(enum flip_in in, uint64_t after)
{
	struct log_fixture f;
	struct flipping flipping;

	(void)freopen("/dev/null", "w", stderr);
	fixture_store(&f, scratch_path("log.sqlite"), "raw", bytes_of(NULL, 0));
	flipping_install(&flipping, f.store, 2); /* the sequencer's second reader */
	fixture_start(&f);
	(void)send_one(&f, bytes_str("first"));
	flipping_arm(&flipping, in, after, 77);
	(void)send_one(&f, bytes_str("second"));
	_exit(flipping.flipped ? 1 : 2);
}

static uint64_t published_size(void)
{
	struct log_fixture f;
	struct store_reader *r;
	uint64_t size = 0;

	fixture_store(&f, scratch_path("log.sqlite"), "raw", bytes_of(NULL, 0));
	assert_int_equal(store_reader_new(&r, f.store), VT_OK);
	assert_int_equal(store_read_published(r, &size, NULL), VT_OK);
	store_reader_free(r);
	fixture_free(&f);
	return size;
}

static void what_differs_when_read_back_ends_the_process(void **state)
{
	static const enum flip_in in[] = {FLIP_TILE, FLIP_ENTRY, FLIP_KEY};

	(void)state;
	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++) {
		int status;
		pid_t pid;

		scratch_clear();
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			append_seeing(in[i], 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
		assert_int_equal(published_size(), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_sound_tree_reads_back, setup, teardown),
	    cmocka_unit_test_setup_teardown(any_flipped_bit_of_any_tile_is_seen, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_leaf_or_root_that_is_not_the_stored_one_is_seen,
					    setup, teardown),
	    cmocka_unit_test(what_differs_when_read_back_ends_the_process),
	};

	(void)scratch_path("made before the first fork");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
