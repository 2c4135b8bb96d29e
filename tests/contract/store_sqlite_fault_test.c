/*
 * Every write, sync and allocation of the SQLite store fails once: the answer says so, nothing is
 * half-written, and what was acknowledged is there when it is opened again.
 */
#include "vitrine_test.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc_fail.h"
#include "growth.h"
#include "made_store.h"
#include "scratch.h"

static const struct growth plain = {.history = 1, .n_keys = 2};

static const struct store_identity identity = {
    .origin = "example.com/log", .vkey = "example.com/log+00000000+AAAA", .mode = "raw"};

static char path[1024];
static char why[STORE_WHY_MAX];

/* -- a disk that fails -------------------------------------------------------------------------- */

enum { FAIL_ONCE, FAIL_FROM_THEN_ON };

/* SQLite has a table of methods for databases and another for what stands beside them. */
struct table {
	sqlite3_io_methods shim; /* first: a file points to it */
	const sqlite3_io_methods *real;
};

static struct {
	unsigned left; /* operations until the first failure; 0: none fails */
	bool failed;
	int mode;
	int code;
	struct table table[4];
	sqlite3_vfs vfs;
	sqlite3_vfs *real_vfs;
} disk;

static const sqlite3_io_methods *real(const sqlite3_file *f)
{
	return ((const struct table *)f->pMethods)->real;
}

static bool disk_fails(void)
{
	if (disk.failed && disk.mode == FAIL_FROM_THEN_ON)
		return true;
	if (disk.left == 0 || --disk.left != 0)
		return false;
	disk.failed = true;
	return true;
}

static int shim_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
	if (!disk_fails())
		return real(f)->xWrite(f, data, n, at);
	/* A full disk may have taken a part. */
	(void)real(f)->xWrite(f, data, n / 2, at);
	return disk.code;
}

/* The machine does not fail here, so nothing need reach the disk. */
static int shim_sync(sqlite3_file *f, int flags)
{
	(void)f, (void)flags;
	return disk_fails() ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return disk_fails() ? SQLITE_IOERR_TRUNCATE : real(f)->xTruncate(f, size);
}

static int shim_read(sqlite3_file *f, void *data, int n, sqlite3_int64 at)
{
	return disk_fails() ? SQLITE_IOERR_READ : real(f)->xRead(f, data, n, at);
}

static int shim_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return disk_fails() ? SQLITE_IOERR_SHMMAP : real(f)->xShmMap(f, page, size, extend, out);
}

static const sqlite3_io_methods *shim_of(const sqlite3_io_methods *methods)
{
	struct table *t = disk.table;

	while (t->real != NULL && t->real != methods)
		t++;
	assert_true(t < disk.table + 4);
	t->real = methods;
	t->shim = *methods;
	t->shim.xWrite = shim_write;
	t->shim.xSync = shim_sync;
	t->shim.xTruncate = shim_truncate;
	t->shim.xRead = shim_read;
	t->shim.xShmMap = shim_shm_map;
	return &t->shim;
}

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	int code;

	(void)vfs;
	if (disk_fails()) {
		f->pMethods = NULL;
		return SQLITE_CANTOPEN;
	}
	code = disk.real_vfs->xOpen(disk.real_vfs, name, f, flags, out);
	if (code == SQLITE_OK && f->pMethods != NULL)
		f->pMethods = shim_of(f->pMethods);
	return code;
}

/* -- SQLite's memory ---------------------------------------------------------------------------- */

static unsigned memory_left;
static bool memory_failed;
static sqlite3_mem_methods real_memory;

static bool memory_fails(void)
{
	if (memory_left == 0 || --memory_left != 0)
		return false;
	memory_failed = true;
	return true;
}

static void *shim_malloc(int n)
{
	return memory_fails() ? NULL : real_memory.xMalloc(n);
}

static void *shim_realloc(void *old, int n)
{
	return memory_fails() ? NULL : real_memory.xRealloc(old, n);
}

static int put_in_between(void **state)
{
	sqlite3_mem_methods memory;

	(void)state;
	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory) != SQLITE_OK)
		return -1;
	memory = real_memory;
	memory.xMalloc = shim_malloc;
	memory.xRealloc = shim_realloc;
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &memory) != SQLITE_OK ||
	    sqlite3_initialize() != SQLITE_OK)
		return -1;
	disk.real_vfs = sqlite3_vfs_find(NULL);
	disk.vfs = *disk.real_vfs;
	disk.vfs.zName = "failing";
	disk.vfs.xOpen = shim_open;
	return sqlite3_vfs_register(&disk.vfs, 1) == SQLITE_OK ? 0 : -1;
}

/* -- what is done while things fail ------------------------------------------------------------- */

struct done {
	bool opened;
	uint64_t size;
	uint64_t published;
	uint64_t runs_version;
};

static enum vt_err write_everything(struct store *s, struct store_reader *r, struct done *done)
{
	struct index_slot slot[STORE_CHUNK_SLOTS] = {{0, 0}};
	struct store_runs runs;
	struct tree_state head;
	enum vt_err err;

	if ((err = store_read_state(r, &head)) != VT_OK)
		return err;
	for (unsigned i = 0; i < 3; i++) {
		if ((err = growth_commit(s, &head, &plain, 200)) != VT_OK)
			return err;
		done->size = head.head.size;
		if ((err = store_publish(s, done->size, bytes_str("note"), 7)) != VT_OK)
			return err;
		done->published = done->size;
		if ((err = store_read_runs(r, &runs)) != VT_OK ||
		    (err = store_write_chunk(s, runs.next_id, 0, slot, STORE_CHUNK_SLOTS)) != VT_OK)
			return err;
		runs.n = 1;
		runs.run[0] = (struct store_run){
		    .id = runs.next_id, .end = done->size, .slots = STORE_CHUNK_SLOTS};
		if ((err = store_replace_runs(s, runs.version, &runs)) != VT_OK)
			return err;
		done->runs_version = runs.version + 1;
	}
	return VT_OK;
}

static enum vt_err do_everything(struct done *done)
{
	const struct store_sqlite_config config = {.path = path, .busy_seconds = 1};
	struct store_reader *r = NULL;
	struct store *s;
	enum vt_err err;

	*done = (struct done){0};
	if ((err = made_store_open(&s, &config, &identity, why)) != VT_OK) {
		assert_null(s);
		assert_string_not_equal(why, "");
		return err;
	}
	done->opened = true;
	if ((err = store_reader_new(&r, s)) == VT_OK)
		err = write_everything(s, r, done);
	store_reader_free(r);
	store_free(s);
	return err;
}

static enum vt_err no_fault(void *ctx, const char *place_and_fault)
{
	(void)ctx;
	fail_msg("%s", place_and_fault);
	return VT_EMISMATCH;
}

static void assert_recovers(const struct done *done)
{
	const struct store_sqlite_config config = {.path = path};
	uint64_t size, published = 0;
	struct store_runs runs;
	struct store_reader *r;
	struct store *s;
	const char *wrong;

	if (made_store_open(&s, &config, &identity, why) != VT_OK)
		fail_msg("%s", why);
	assert_int_equal(store_reader_new(&r, s), VT_OK);
	wrong = growth_wrong(r, &plain, &size);
	if (wrong != NULL)
		fail_msg("wrong at size %llu: %s", (unsigned long long)size, wrong);
	assert_true(size >= done->size);
	(void)store_read_published(r, &published, NULL);
	assert_true(published >= done->published && published <= size);
	assert_int_equal(store_read_runs(r, &runs), VT_OK);
	assert_true(runs.version >= done->runs_version);
	assert_int_equal(store_check(r, no_fault, NULL), VT_OK);
	store_reader_free(r);
	store_free(s);
}

static void start_anew(void)
{
	scratch_clear();
	(void)snprintf(path, sizeof(path), "%s", scratch_path("log.sqlite"));
}

static void fail_disk_operations(unsigned step, int mode, int code)
{
	unsigned failures = 0;

	for (unsigned n = 1;; n += step) {
		struct done done;
		enum vt_err err;

		start_anew();
		disk.mode = mode;
		disk.code = code;
		disk.failed = false;
		disk.left = n;
		err = do_everything(&done);
		disk.left = 0;
		if (!disk.failed) {
			assert_int_equal(err, VT_OK);
			break;
		}
		disk.failed = false;
		failures++;
		/* VT_OK: it failed while closing, or where SQLite can do without. */
		if (err != VT_OK && err != VT_EIO)
			fail_msg("failure of operation %u gave %s", n, vt_err_text(err));
		assert_recovers(&done);
	}
	assert_true(failures > 20);
	print_message("%u disk operations failed\n", failures);
}

static void each_disk_operation_may_fail_once(void **state)
{
	(void)state;
	fail_disk_operations(1, FAIL_ONCE, SQLITE_IOERR_WRITE);
}

static void disk_may_be_full_from_some_moment_on(void **state)
{
	(void)state;
	fail_disk_operations(3, FAIL_FROM_THEN_ON, SQLITE_FULL);
}

static void each_allocation_of_sqlite_may_fail(void **state)
{
	unsigned failures = 0;

	(void)state;
	/* One in so many: they are thousands. */
	for (unsigned n = 1;; n += n < 400 ? 5 : 37) {
		struct done done;
		enum vt_err err;

		start_anew();
		memory_failed = false;
		memory_left = n;
		err = do_everything(&done);
		memory_left = 0;
		if (!memory_failed) {
			assert_int_equal(err, VT_OK);
			break;
		}
		failures++;
		if (err != VT_OK && err != VT_ENOMEM && err != VT_EIO)
			fail_msg("failure of allocation %u gave %s: %s", n, vt_err_text(err), why);
		assert_recovers(&done);
	}
	assert_true(failures > 50);
	print_message("%u allocations failed\n", failures);
}

static void each_allocation_of_ours_may_fail(void **state)
{
	unsigned n;

	(void)state;
	for (n = 1;; n++) {
		struct done done;
		enum vt_err err;
		bool failed;

		start_anew();
		alloc_fail_at(n);
		err = do_everything(&done);
		failed = alloc_failed();
		if (!failed) {
			assert_int_equal(err, VT_OK);
			break;
		}
		if (err != VT_ENOMEM)
			fail_msg("failure of allocation %u gave %s: %s", n, vt_err_text(err), why);
		assert_recovers(&done);
	}
	assert_true(n > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_disk_operation_may_fail_once),
	    cmocka_unit_test(disk_may_be_full_from_some_moment_on),
	    cmocka_unit_test(each_allocation_of_sqlite_may_fail),
	    cmocka_unit_test(each_allocation_of_ours_may_fail),
	};

	return cmocka_run_group_tests(tests, put_in_between, NULL);
}
