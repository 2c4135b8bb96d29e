/* Pairs on disk: found whatever happened between, and never wrong when a file was damaged. */
#include "vitrine_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pairs.h"
#include "scratch.h"

enum {
	TAIL = 16, /* so that runs and merges come quickly */
};

static struct merkle_hasher hasher;
static struct pairs *pairs;
static struct pairs_mark mark;
static char why[PAIRS_WHY_MAX];

static struct merkle_hash key_of(uint64_t n)
{
	struct bytes part = bytes_of(&n, sizeof(n));
	struct merkle_hash out;

	assert_int_equal(merkle_sha256(&out, &hasher, &part, 1), VT_OK);
	return out;
}

static int set_up(void **state)
{
	(void)state;
	scratch_clear();
	assert_int_equal(merkle_hasher_init(&hasher), VT_OK);
	memset(&mark, 0, sizeof(mark));
	assert_int_equal(pairs_open(&pairs, scratch_folder(), &mark, TAIL, why), VT_OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pairs_free(pairs);
	pairs = NULL;
	merkle_hasher_release(&hasher);
	return 0;
}

static enum vt_err reopen(void)
{
	pairs_free(pairs);
	pairs = NULL;
	return pairs_open(&pairs, scratch_folder(), &mark, TAIL, why);
}

static void add(uint64_t key, uint64_t index)
{
	struct merkle_hash k = key_of(key);

	assert_int_equal(pairs_add(pairs, &k, index), VT_OK);
}

static void save(void)
{
	assert_int_equal(pairs_save(pairs, &mark, NULL), VT_OK);
	pairs_saved(pairs);
}

static void assert_finds(uint64_t key, uint64_t from, uint64_t expected)
{
	struct merkle_hash k = key_of(key);
	uint64_t index = UINT64_MAX;

	assert_int_equal(pairs_find(pairs, &k, from, &index), VT_OK);
	assert_int_equal(index, expected);
}

static void assert_lacks(uint64_t key, uint64_t from)
{
	struct merkle_hash k = key_of(key);
	uint64_t index;

	assert_int_equal(pairs_find(pairs, &k, from, &index), VT_ENOTFOUND);
}

static size_t files_in_folder(void)
{
	DIR *dir = opendir(scratch_folder());
	struct dirent *e;
	size_t n = 0;

	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL)
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void what_was_added_is_found_before_and_after_it_is_saved(void **state)
{
	(void)state;
	assert_lacks(1, 0);
	add(1, 7);
	assert_finds(1, 0, 7);
	assert_finds(1, 7, 7);
	assert_lacks(1, 8);
	assert_lacks(2, 0);
	save();
	assert_finds(1, 0, 7);
	assert_int_equal(reopen(), VT_OK);
	assert_finds(1, 0, 7);
	assert_lacks(2, 0);
}

static void the_lowest_index_at_or_after_is_found_over_all_files(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 300; i++) {
		add(i % 7 == 0 ? 1000 : i, i);
		if (i % 5 == 0)
			save();
	}
	for (uint64_t from = 0; from <= 294; from++)
		assert_finds(1000, from, (from + 6) / 7 * 7);
	assert_lacks(1000, 295);
}

static void many_runs_become_few_and_lose_nothing(void **state)
{
	enum { N = 4000 };

	(void)state;
	for (uint64_t i = 0; i < N; i++) {
		add(i, i);
		if (i % 3 == 0)
			save();
		if (i % 999 == 0)
			assert_int_equal(reopen(), VT_OK);
	}
	save();
	assert_true(pairs_count(pairs) <= 3 * 6);
	assert_true(files_in_folder() <= pairs_count(pairs) + 1);
	assert_int_equal(reopen(), VT_OK);
	for (uint64_t i = 0; i < N; i++)
		assert_finds(i, 0, i);
	for (uint64_t i = N; i < N + 500; i++)
		assert_lacks(i, 0);
}

/* However long it runs: a run that is written and merged by one save was in no mark. */
static void merging_leaves_no_file_behind(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < 2000; i++) {
		add(i, i);
		save();
		assert_true(files_in_folder() <= pairs_count(pairs) + 1);
	}
}

static void what_was_not_kept_in_a_mark_is_gone_and_leaves_no_file(void **state)
{
	struct pairs_mark later;

	(void)state;
	add(1, 1);
	save();
	for (uint64_t i = 2; i < 200; i++) {
		add(i, i);
		assert_int_equal(pairs_save(pairs, &later, NULL), VT_OK); /* and then a crash */
	}
	assert_int_equal(reopen(), VT_OK);
	assert_finds(1, 0, 1);
	for (uint64_t i = 2; i < 200; i++)
		assert_lacks(i, 0);
	assert_int_equal(files_in_folder(), 1);
	add(2, 2); /* and it goes on from there, under ids that were used before */
	for (uint64_t i = 3; i < 200; i++)
		add(i, i), save();
	assert_int_equal(reopen(), VT_OK);
	for (uint64_t i = 1; i < 200; i++)
		assert_finds(i, 0, i);
}

static void a_stop_ends_merging_and_loses_nothing(void **state)
{
	atomic_bool stop = true;

	(void)state;
	for (uint64_t i = 0; i < 1000; i++) {
		add(i, i);
		assert_int_equal(pairs_save(pairs, &mark, &stop), VT_OK);
		pairs_saved(pairs);
	}
	assert_int_equal(pairs_count(pairs), 1000 / TAIL);
	assert_int_equal(reopen(), VT_OK);
	save();
	for (uint64_t i = 0; i < 1000; i++)
		assert_finds(i, 0, i);
}

/* Flip a bit of a file. */
static void flip(const char *path, off_t at, unsigned bit)
{
	int fd = open(path, O_RDWR);
	unsigned char byte;

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= (unsigned char)(1u << bit);
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

/* Does anything differ, or is it noticed? Every key is asked for. */
static bool noticed(uint64_t n)
{
	bool seen = reopen() != VT_OK;

	for (uint64_t i = 0; i < n && !seen; i++) {
		struct merkle_hash k = key_of(i);
		uint64_t index = UINT64_MAX;
		enum vt_err err = pairs_find(pairs, &k, 0, &index);
		if (err == VT_EMISMATCH)
			seen = true;
		else
			assert_true(err == VT_OK && index == i);
	}
	assert_true(!seen || why[0] != '\0' || pairs_why(pairs)[0] != '\0');
	return seen;
}

static void every_flipped_bit_is_noticed(void **state)
{
	enum { N = 4 * TAIL + 5 };
	struct dirent *e;
	unsigned tried = 0;
	DIR *dir;

	(void)state;
	for (uint64_t i = 0; i < N; i++)
		add(i, i), save();
	assert_false(noticed(N));
	dir = opendir(scratch_folder());
	while ((e = readdir(dir)) != NULL) {
		char path[512];
		struct stat st;
		snprintf(path, sizeof(path), "%s/%s", scratch_folder(), e->d_name);
		if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		for (off_t at = 0; at < st.st_size; at += 29, tried++) {
			flip(path, at, (unsigned)at % 8);
			assert_true(noticed(N));
			flip(path, at, (unsigned)at % 8);
		}
		assert_int_equal(truncate(path, st.st_size - 1), 0);
		assert_true(noticed(N));
		assert_int_equal(truncate(path, st.st_size), 0);
	}
	closedir(dir);
	assert_true(tried > 100);
}

static void a_block_in_another_place_is_noticed(void **state)
{
	enum { N = 500, BLOCK = 4096 };
	unsigned char a[BLOCK], b[BLOCK];
	const char *path;
	int fd;

	(void)state;
	pairs_free(pairs);
	assert_int_equal(pairs_open(&pairs, scratch_folder(), &mark, N, why), VT_OK);
	for (uint64_t i = 0; i < N; i++)
		add(i, i);
	save();
	path = scratch_path("run-00000000");
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, a, BLOCK, 0), BLOCK);
	assert_int_equal(pread(fd, b, BLOCK, BLOCK), BLOCK);
	assert_int_equal(pwrite(fd, b, BLOCK, 0), BLOCK);
	assert_int_equal(pwrite(fd, a, BLOCK, BLOCK), BLOCK);
	close(fd);
	assert_true(noticed(N));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	    TEST(what_was_added_is_found_before_and_after_it_is_saved),
	    TEST(the_lowest_index_at_or_after_is_found_over_all_files),
	    TEST(many_runs_become_few_and_lose_nothing),
	    TEST(merging_leaves_no_file_behind),
	    TEST(what_was_not_kept_in_a_mark_is_gone_and_leaves_no_file),
	    TEST(a_stop_ends_merging_and_loses_nothing),
	    TEST(every_flipped_bit_is_noticed),
	    TEST(a_block_in_another_place_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
