/* The SQLite store after its process was killed, its disk was full or its write-ahead log was cut off:
 * always a whole log, with everything that was acknowledged. */
#include "vitrine_test.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "growth.h"
#include "made_store.h"
#include "scratch.h"

static const struct growth plain = {.history = 1};

static const struct store_identity identity = {
    .origin = "example.com/log", .vkey = "example.com/log+00000000+AAAA", .mode = "raw"};

static char path[1024];
static char why[STORE_WHY_MAX];

static int set_up(void **state)
{
	(void)state;
	scratch_clear();
	(void)snprintf(path, sizeof(path), "%s", scratch_path("log.sqlite"));
	return 0;
}

/* Deterministic, so that a failure can be had again; where the kill falls is chance all the same. */
static uint64_t random_state = 20261122;

static unsigned random_below(unsigned n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(random_state >> 33) % n;
}

static enum vt_err open_at(struct store **out)
{
	const struct store_sqlite_config config = {.path = path};

	return made_store_open(out, &config, &identity, why);
}

/* What a child has been told is done. */
struct acknowledged {
	uint64_t size;
	uint64_t published;
	uint64_t runs_version;
};

static enum vt_err no_fault(void *ctx, const char *place_and_fault)
{
	(void)ctx;
	fail_msg("%s", place_and_fault);
	return VT_EMISMATCH;
}

static void assert_runs_whole(struct store_reader *r, const struct acknowledged *least)
{
	struct index_slot slot[STORE_CHUNK_SLOTS];
	struct store_runs runs;
	size_t n;

	assert_int_equal(store_read_runs(r, &runs), VT_OK);
	assert_true(runs.version >= least->runs_version);
	for (size_t i = 0; i < runs.n; i++)
		for (uint64_t c = 0; c * STORE_CHUNK_SLOTS < runs.run[i].slots; c++)
			assert_int_equal(store_read_chunk(r, runs.run[i].id, c, slot, &n), VT_OK);
}

/* Whole, and nothing acknowledged is lost. Returns the size. */
static uint64_t assert_recovers(const struct acknowledged *least)
{
	uint64_t size, published = 0;
	struct store_reader *r;
	struct store *s;
	const char *wrong;

	if (open_at(&s) != VT_OK)
		fail_msg("%s", why);
	assert_int_equal(store_reader_new(&r, s), VT_OK);
	wrong = growth_wrong(r, &plain, &size);
	if (wrong != NULL)
		fail_msg("wrong at size %llu: %s", (unsigned long long)size, wrong);
	assert_true(size >= least->size);
	if (store_read_published(r, &published, NULL) != VT_ENOTFOUND)
		assert_true(published <= size);
	assert_true(published >= least->published);
	assert_runs_whole(r, least);
	assert_int_equal(store_check(r, no_fault, NULL), VT_OK);
	store_reader_free(r);
	store_free(s);
	return size;
}

/* -- the child ---------------------------------------------------------------------------------- */

/* Fold everything from the mark to the head into one run, or, now and then, all runs into one. */
static enum vt_err fold(struct store *s, struct store_reader *r, uint64_t size, unsigned turn)
{
	struct index_slot slot[STORE_CHUNK_SLOTS] = {{0, 0}};
	const uint64_t slots = 2500;
	struct store_runs runs;
	uint64_t mark, id;
	enum vt_err err;

	if ((err = store_read_runs(r, &runs)) != VT_OK)
		return err;
	if (turn % 4 == 3)
		runs.n = 0;
	mark = runs.n == 0 ? 0 : runs.run[runs.n - 1].end;
	id = runs.next_id;
	if (size - mark < 20)
		return VT_OK;
	for (uint64_t c = 0; c * STORE_CHUNK_SLOTS < slots; c++) {
		const uint64_t left = slots - c * STORE_CHUNK_SLOTS;

		if ((err = store_write_chunk(
			 s, id, c, slot,
			 left < STORE_CHUNK_SLOTS ? (size_t)left : STORE_CHUNK_SLOTS)) != VT_OK)
			return err;
	}
	runs.run[runs.n++] =
	    (struct store_run){.id = id, .first = mark, .end = size, .slots = slots};
	return store_replace_runs(s, runs.version, &runs);
}

/* Append, publish and fold until killed, or until a write fails; acknowledge each thing done. */
static void work(int to_parent, unsigned seed)
{
	struct acknowledged done = {0};
	struct store_reader *r;
	struct tree_state head;
	struct store_runs runs;
	enum vt_err err;
	struct store *s;

	random_state += seed;
	if (open_at(&s) != VT_OK || store_reader_new(&r, s) != VT_OK ||
	    store_read_state(r, &head) != VT_OK)
		_exit(1);
	for (unsigned turn = 0;; turn++) {
		const size_t n = 1 + random_below(turn % 3 == 0 ? 400 : 20);

		if ((err = growth_commit(s, &head, &plain, n)) != VT_OK)
			break;
		done.size = head.head.size;
		if (write(to_parent, &done, sizeof(done)) != sizeof(done))
			_exit(2);
		if ((err = store_publish(s, done.size, bytes_str("note"), 1000 + turn / 5)) !=
		    VT_OK)
			break;
		done.published = done.size;
		if ((err = fold(s, r, done.size, turn)) != VT_OK)
			break;
		if (store_read_runs(r, &runs) != VT_OK)
			_exit(3);
		done.runs_version = runs.version;
		if (write(to_parent, &done, sizeof(done)) != sizeof(done))
			_exit(2);
	}
	_exit(err == VT_EIO ? 10 : 4);
}

static pid_t start(int *from_child, unsigned seed)
{
	int end[2];
	pid_t child;

	assert_int_equal(pipe(end), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)close(end[0]);
		work(end[1], seed);
	}
	assert_int_equal(close(end[1]), 0);
	*from_child = end[0];
	return child;
}

/* The next acknowledgement. False at the end. */
static bool hear(int from_child, struct acknowledged *last)
{
	struct acknowledged now;

	if (read(from_child, &now, sizeof(now)) != sizeof(now))
		return false;
	*last = now;
	return true;
}

/* -- tests -------------------------------------------------------------------------------------- */

static void killed_at_any_moment_it_is_whole(void **state)
{
	struct acknowledged last = {0};
	unsigned beyond = 0;

	(void)state;
	for (unsigned round = 0; round < 80; round++) {
		const unsigned wanted = random_below(8);
		volatile unsigned spin = random_below(3000000);
		int from_child, status;
		pid_t child;

		if (round % 10 == 0) {
			scratch_clear();
			last = (struct acknowledged){0};
		}
		child = start(&from_child, round);
		for (unsigned i = 0; i < wanted; i++)
			assert_true(hear(from_child, &last));
		while (spin != 0)
			spin--;
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		while (hear(from_child, &last))
			;
		assert_int_equal(close(from_child), 0);
		beyond += assert_recovers(&last) > last.size;
	}
	/* If no kill ever fell between a commit and its acknowledgement, they fell at easy moments only. */
	print_message("%u of 80 kills fell after a commit that nobody had been told of\n", beyond);
}

static void *read_file(const char *suffix, size_t *len)
{
	char name[sizeof(path) + 16];
	struct stat st;
	void *data;
	FILE *f;

	(void)snprintf(name, sizeof(name), "%s%s", path, suffix);
	f = fopen(name, "rb");
	assert_non_null(f);
	assert_int_equal(fstat(fileno(f), &st), 0);
	*len = (size_t)st.st_size;
	data = malloc(*len);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, *len, f), *len);
	assert_int_equal(fclose(f), 0);
	return data;
}

static void write_file(const char *suffix, const void *data, size_t len)
{
	char name[sizeof(path) + 16];
	FILE *f;

	(void)snprintf(name, sizeof(name), "%s%s", path, suffix);
	f = fopen(name, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* What a power cut leaves: the log's beginning, as far as the disk got, and perhaps noise behind it. */
static void cut_off_write_ahead_log_gives_an_earlier_whole_log(void **state)
{
	struct acknowledged last = {0}, nothing = {0};
	size_t db_len, wal_len;
	uint64_t smallest = UINT64_MAX, largest = 0;
	uint8_t *db, *wal;
	int from_child, status;
	pid_t child;

	(void)state;
	child = start(&from_child, 7);
	for (unsigned i = 0; i < 12; i++)
		assert_true(hear(from_child, &last));
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(close(from_child), 0);
	db = read_file("", &db_len);
	wal = read_file("-wal", &wal_len);
	for (unsigned i = 0; i < 60; i++) {
		const size_t cut = random_below((unsigned)wal_len + 1);
		const size_t noise = i % 3 == 0 ? random_below(40000) : 0;
		uint8_t *torn = malloc(cut + noise);
		uint64_t size;

		assert_non_null(torn);
		memcpy(torn, wal, cut);
		for (size_t k = cut; k < cut + noise; k++)
			torn[k] = (uint8_t)random_below(256);
		scratch_clear();
		write_file("", db, db_len);
		write_file("-wal", torn, cut + noise);
		size = assert_recovers(&nothing);
		smallest = size < smallest ? size : smallest;
		largest = size > largest ? size : largest;
		free(torn);
	}
	assert_true(smallest < largest);
	scratch_clear();
	write_file("", db, db_len);
	write_file("-wal", wal, wal_len);
	assert_true(assert_recovers(&last) >= last.size);
	free(db);
	free(wal);
}

static void full_disk_is_an_error_and_nothing_is_half_written(void **state)
{
	struct acknowledged last = {0};

	(void)state;
	for (unsigned round = 0; round < 12; round++) {
		const rlim_t limit = 200000 + random_below(3000000);
		struct rlimit before, full;
		int from_child, status;
		pid_t child;

		if (round % 3 == 0) {
			scratch_clear();
			last = (struct acknowledged){0};
		}
		assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
		full = (struct rlimit){.rlim_cur = limit, .rlim_max = before.rlim_max};
		assert_ptr_not_equal(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
		child = start(&from_child, round);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
		while (hear(from_child, &last))
			;
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(close(from_child), 0);
		assert_true(WIFEXITED(status));
		/* 1: the file was too large to be opened to begin with. */
		assert_true(WEXITSTATUS(status) == 10 || WEXITSTATUS(status) == 1);
		(void)assert_recovers(&last);
	}
}

#define WITH_A_PATH(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_A_PATH(killed_at_any_moment_it_is_whole),
	    WITH_A_PATH(cut_off_write_ahead_log_gives_an_earlier_whole_log),
	    WITH_A_PATH(full_disk_is_an_error_and_nothing_is_half_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
