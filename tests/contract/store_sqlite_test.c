/* What the SQLite store promises beyond the contract: it is kept in a file that others share. */
#include "vitrine_test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "durable.h"
#include "growth.h"
#include "made_store.h"
#include "scratch.h"

static const struct growth plain = {.history = 1};
static const struct growth other = {.history = 2};

static const struct store_identity identity = {
    .origin = "example.com/log",
    .vkey = "example.com/log+00000000+AAAA",
    .mode = "records",
    .centre = {(const uint8_t *)"centre\0key", 10},
};

static char path[1024];
static char why[STORE_WHY_MAX];

static int set_up(void **state)
{
	(void)state;
	scratch_clear();
	(void)snprintf(path, sizeof(path), "%s", scratch_path("log.sqlite"));
	return 0;
}

static enum vt_err open_config(struct store **out, const struct store_identity *expected,
			       bool read_only)
{
	const struct store_sqlite_config config = {
	    .path = path, .busy_seconds = 1, .read_only = read_only};

	return store_sqlite_open(out, &config, expected, why);
}

static struct store *open_store(void)
{
	const struct store_sqlite_config config = {.path = path, .busy_seconds = 1};
	struct store *s;

	if (made_store_open(&s, &config, &identity, why) != VT_OK)
		fail_msg("%s", why);
	return s;
}

static struct store *open_read_only(void)
{
	struct store *s;

	if (open_config(&s, NULL, true) != VT_OK)
		fail_msg("%s", why);
	return s;
}

static struct store_reader *reader_of(struct store *s)
{
	struct store_reader *r;

	assert_int_equal(store_reader_new(&r, s), VT_OK);
	return r;
}

static struct tree_state state_of(struct store *s)
{
	struct store_reader *r = reader_of(s);
	struct tree_state state;

	assert_int_equal(store_read_state(r, &state), VT_OK);
	store_reader_free(r);
	return state;
}

static enum vt_err append(struct store *s, const struct growth *g, size_t n)
{
	struct tree_state state = state_of(s);

	return growth_commit(s, &state, g, n);
}

static void assert_whole(struct store *s, uint64_t size)
{
	struct store_reader *r = reader_of(s);
	uint64_t found;
	const char *wrong = growth_wrong(r, &plain, &found);

	store_reader_free(r);
	if (wrong != NULL)
		fail_msg("wrong at size %llu: %s", (unsigned long long)found, wrong);
	assert_int_equal(found, size);
}

static enum vt_err no_fault(void *ctx, const char *place_and_fault)
{
	(void)ctx;
	fail_msg("%s", place_and_fault);
	return VT_EMISMATCH;
}

static void assert_sound(struct store *s)
{
	struct store_reader *r = reader_of(s);

	assert_int_equal(store_check(r, no_fault, NULL), VT_OK);
	store_reader_free(r);
}

static bool exists(const char *suffix)
{
	char name[sizeof(path) + 16];

	(void)snprintf(name, sizeof(name), "%s%s", path, suffix);
	return access(name, F_OK) == 0;
}

static void rename_to(const char *from, const char *to)
{
	char a[sizeof(path) + 16], b[sizeof(path) + 16];

	(void)snprintf(a, sizeof(a), "%s%s", path, from);
	(void)snprintf(b, sizeof(b), "%s%s", path, to);
	assert_int_equal(rename(a, b), 0);
}

static void execute(const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* -- kept --------------------------------------------------------------------------------------- */

static enum vt_err is_note(void *ctx, const struct store_checkpoint *cp)
{
	assert_int_equal(cp->size, 600);
	assert_int_equal(cp->time, 1234);
	assert_true(bytes_is(cp->note, "a note"));
	*(int *)ctx += 1;
	return VT_OK;
}

static void reopening_persists_everything(void **state)
{
	const struct index_slot slot[2] = {{7, 1}, {UINT64_MAX, UINT64_MAX}};
	struct index_slot found[STORE_CHUNK_SLOTS];
	struct store_runs runs = {.n = 1};
	struct store *s = open_store();
	struct store_reader *r;
	struct tree_state before, after;
	int seen = 0;
	size_t n;

	(void)state;
	assert_int_equal(append(s, &plain, 600), VT_OK);
	before = state_of(s);
	assert_int_equal(store_publish(s, 600, bytes_str("a note"), 1234), VT_OK);
	assert_int_equal(store_write_chunk(s, 0, 0, slot, 2), VT_OK);
	runs.run[0] = (struct store_run){.level = 3, .end = 599, .slots = 2};
	assert_int_equal(store_replace_runs(s, 0, &runs), VT_OK);
	store_free(s);
	assert_false(exists("-wal"));

	s = open_store();
	assert_string_equal(s->identity.origin, identity.origin);
	assert_string_equal(s->identity.vkey, identity.vkey);
	assert_string_equal(s->identity.mode, identity.mode);
	assert_true(bytes_equal(s->identity.centre, identity.centre));
	after = state_of(s);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_whole(s, 600);
	r = reader_of(s);
	assert_int_equal(store_read_checkpoints(r, 0, 10, is_note, &seen), VT_OK);
	assert_int_equal(seen, 1);
	assert_int_equal(store_read_runs(r, &runs), VT_OK);
	assert_int_equal(runs.version, 1);
	assert_int_equal(runs.next_id, 1);
	assert_int_equal(runs.n, 1);
	assert_int_equal(runs.run[0].level, 3);
	assert_int_equal(runs.run[0].end, 599);
	assert_int_equal(store_read_chunk(r, 0, 0, found, &n), VT_OK);
	assert_int_equal(n, 2);
	assert_memory_equal(found, slot, sizeof(slot));
	store_reader_free(r);
	assert_sound(s);
	store_free(s);
}

static void files_are_for_their_owner_alone(void **state)
{
	static const char *const suffix[] = {"", "-wal", "-shm"};
	const mode_t before = umask(0);
	struct store *s = open_store();

	(void)state;
	assert_int_equal(append(s, &plain, 1), VT_OK);
	for (size_t i = 0; i < 3; i++) {
		char name[sizeof(path) + 16];
		struct stat st;

		(void)snprintf(name, sizeof(name), "%s%s", path, suffix[i]);
		assert_int_equal(stat(name, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	store_free(s);
	(void)umask(before);
}

static void odd_characters_in_the_path_are_just_a_name(void **state)
{
	struct store *s;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s", scratch_path("a%41?mode=memory#b .sqlite"));
	s = open_store();
	assert_int_equal(append(s, &plain, 3), VT_OK);
	store_free(s);
	assert_true(exists(""));
	s = open_read_only();
	assert_whole(s, 3);
	store_free(s);
}

/* -- identity ----------------------------------------------------------------------------------- */

static void assert_refused(const struct store_identity *expected, const char *named)
{
	struct store *s;

	assert_int_equal(open_config(&s, expected, false), VT_ECONFLICT);
	assert_null(s);
	if (strstr(why, named) == NULL)
		fail_msg("\"%s\" does not name %s", why, named);
}

static void identity_mismatch_is_refused_and_named(void **state)
{
	struct store_identity wrong;
	struct store *s = open_store();

	(void)state;
	assert_int_equal(append(s, &plain, 3), VT_OK);
	store_free(s);
	wrong = identity;
	wrong.origin = "example.org/\x1b[2Jlog";
	assert_refused(&wrong, "origin is \"example.com/log\", not \"example.org/?[2Jlog\"");
	wrong = identity;
	wrong.vkey = "example.com/log+11111111+AAAA";
	assert_refused(&wrong, "vkey");
	wrong = identity;
	wrong.mode = "raw";
	assert_refused(&wrong, "mode is \"records\", not \"raw\"");
	wrong = identity;
	wrong.centre = bytes_str("another");
	assert_refused(&wrong, "centre");
	wrong.centre = bytes_of(NULL, 0);
	assert_refused(&wrong, "centre");
	s = open_store();
	assert_whole(s, 3);
	store_free(s);
}

static void other_files_are_refused_and_left_alone(void **state)
{
	static const char *const named[] = {"not a database", "another program", "another version",
					    "the file is empty"};
	struct stat before, after;
	struct store *s;

	(void)state;
	for (unsigned kind = 0; kind < 4; kind++) {
		FILE *f;

		scratch_clear();
		if (kind == 0) {
			f = fopen(path, "w");
			assert_non_null(f);
			for (unsigned i = 0; i < 1000; i++)
				assert_true(fprintf(f, "some other file, line %u\n", i) > 0);
			assert_int_equal(fclose(f), 0);
		} else if (kind == 1) {
			execute("CREATE TABLE notes (text)");
		} else if (kind == 2) {
			execute("CREATE TABLE head (size);"
				"PRAGMA application_id = 0x5674726e; PRAGMA user_version = 2");
		} else {
			f = fopen(path, "w");
			assert_non_null(f);
			assert_int_equal(fclose(f), 0);
		}
		assert_int_equal(stat(path, &before), 0);
		assert_refused(&identity, named[kind]);
		assert_int_equal(open_config(&s, NULL, true), VT_ECONFLICT);
		assert_int_equal(stat(path, &after), 0);
		assert_int_equal(before.st_size, after.st_size);
		assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	}
}

static void missing_folder_is_an_error_that_leaves_nothing(void **state)
{
	struct store *s;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s", scratch_path("missing/log.sqlite"));
	assert_int_equal(store_sqlite_create(path, &identity, why), VT_EIO);
	assert_string_not_equal(why, "");
	assert_int_equal(open_config(&s, &identity, false), VT_ENOTFOUND);
	assert_string_not_equal(why, "");
	assert_int_equal(open_config(&s, NULL, false), VT_ENOTFOUND);
	assert_int_equal(open_config(&s, &identity, true), VT_ENOTFOUND);
}

/* An empty store in the place of one that was lost would be a second history. */
static void opening_makes_no_store(void **state)
{
	struct store *s;

	(void)state;
	assert_int_equal(open_config(&s, &identity, false), VT_ENOTFOUND);
	assert_null(s);
	assert_string_not_equal(why, "");
	assert_int_equal(rmdir(scratch_folder()), 0); /* nothing is in it */
	assert_int_equal(mkdir(scratch_folder(), 0700), 0);
}

static void a_store_is_made_once(void **state)
{
	struct store *s = open_store();

	(void)state;
	assert_int_equal(append(s, &plain, 600), VT_OK);
	store_free(s);
	assert_int_equal(store_sqlite_create(path, &identity, why), VT_ECONFLICT);
	assert_string_not_equal(why, "");
	s = open_store();
	assert_sound(s);
	store_free(s);
}

enum { OPENERS = 6 };

static void *open_at_once(void *arg)
{
	char reason[STORE_WHY_MAX];
	const struct store_sqlite_config config = {.path = path};
	struct store *s;
	enum vt_err *err = arg;

	if ((*err = made_store_open(&s, &config, &identity, reason)) == VT_OK)
		store_free(s);
	return NULL;
}

static void store_made_by_many_at_once_is_made_once(void **state)
{
	pthread_t thread[OPENERS];
	enum vt_err err[OPENERS];
	struct store *s;

	(void)state;
	for (unsigned round = 0; round < 10; round++) {
		scratch_clear();
		for (unsigned i = 0; i < OPENERS; i++)
			assert_int_equal(pthread_create(&thread[i], NULL, open_at_once, &err[i]),
					 0);
		for (unsigned i = 0; i < OPENERS; i++) {
			assert_int_equal(pthread_join(thread[i], NULL), 0);
			assert_int_equal(err[i], VT_OK);
		}
	}
	s = open_store();
	assert_sound(s);
	store_free(s);
	assert_true(exists(""));
	scratch_clear();
	assert_int_equal(rmdir(scratch_folder()), 0); /* no temporary file is left */
	assert_int_equal(mkdir(scratch_folder(), 0700), 0);
}

/* -- two stores on one file --------------------------------------------------------------------- */

static void swap_lost_to_another_handle_conflicts(void **state)
{
	struct store *a = open_store(), *b = open_store();
	struct tree_state start = state_of(a), next;
	struct store_batch *batch;

	(void)state;
	assert_int_equal(growth_batch(&batch, &next, a, &start, &other, 7), VT_OK);
	assert_int_equal(append(b, &plain, 5), VT_OK);
	assert_int_equal(store_batch_commit(batch, &next), VT_ECONFLICT);
	store_batch_discard(batch);
	assert_whole(a, 5);
	assert_int_equal(append(a, &plain, 300), VT_OK);
	assert_int_equal(append(b, &plain, 300), VT_OK);
	assert_whole(a, 605);
	assert_whole(b, 605);
	store_free(a);
	assert_whole(b, 605);
	store_free(b);
}

static void publication_of_another_handle_is_seen(void **state)
{
	struct store *a = open_store(), *b = open_store();
	struct store_reader *r = reader_of(a);
	uint64_t size;

	(void)state;
	assert_int_equal(append(a, &plain, 9), VT_OK);
	assert_int_equal(store_publish(b, 8, bytes_str("eight"), 1), VT_OK);
	assert_int_equal(store_publish(a, 7, bytes_str("seven"), 2), VT_OK);
	assert_int_equal(store_read_published(r, &size, NULL), VT_OK);
	assert_int_equal(size, 8);
	store_reader_free(r);
	store_free(a);
	store_free(b);
}

static void two_handles_never_write_one_run(void **state)
{
	const struct index_slot slot[1] = {{1, 1}}, foreign[1] = {{9, 9}};
	struct index_slot found[STORE_CHUNK_SLOTS];
	struct store *a = open_store(), *b = open_store();
	struct store_reader *r = reader_of(a);
	struct store_runs runs = {.n = 1, .run = {{.end = 4, .slots = 1}}};
	size_t n;

	(void)state;
	assert_int_equal(append(a, &plain, 9), VT_OK);
	assert_int_equal(store_write_chunk(a, 0, 0, slot, 1), VT_OK);
	assert_int_equal(store_write_chunk(b, 0, 0, foreign, 1), VT_ECONFLICT);
	assert_int_equal(store_write_chunk(b, 1, 0, foreign, 1), VT_OK);
	/* b cannot pass off a's run as its own, either. */
	assert_int_equal(store_replace_runs(b, 0, &runs), VT_EINVAL);
	assert_int_equal(store_replace_runs(a, 0, &runs), VT_OK);
	assert_int_equal(store_read_chunk(r, 0, 0, found, &n), VT_OK);
	assert_int_equal(found[0].prefix, 1);
	/* b's own is still there, and its claim too; it comes after a's. */
	assert_int_equal(store_read_chunk(r, 1, 0, found, &n), VT_OK);
	runs.n = 2;
	runs.run[1] = (struct store_run){.id = 1, .first = 4, .end = 8, .slots = 1};
	assert_int_equal(store_replace_runs(a, 1, &runs), VT_EINVAL);
	assert_int_equal(store_replace_runs(b, 1, &runs), VT_OK);
	assert_int_equal(store_write_chunk(b, 1, 0, foreign, 1), VT_ECONFLICT);
	store_reader_free(r);
	assert_sound(a);
	store_free(a);
	store_free(b);
}

static void lock_held_by_another_program_is_busy_not_broken(void **state)
{
	struct store *s = open_store();
	sqlite3 *db;

	(void)state;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(append(s, &plain, 5), VT_EBUSY);
	assert_int_equal(store_publish(s, 0, bytes_str("note"), 1), VT_EBUSY);
	assert_int_equal(state_of(s).head.size, 0);
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(append(s, &plain, 5), VT_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_whole(s, 5);
	store_free(s);
}

enum { PROCESSES = 2, BATCHES_EACH = 120 };

/* In a child: append until BATCHES_EACH batches of one's own are in. */
static void append_as_a_process(void)
{
	const struct store_sqlite_config config = {.path = path};
	struct store_reader *r;
	struct store *s;

	if (made_store_open(&s, &config, &identity, why) != VT_OK ||
	    store_reader_new(&r, s) != VT_OK)
		_exit(1);
	for (unsigned done = 0; done < BATCHES_EACH;) {
		struct tree_state head;
		enum vt_err err;

		if (store_read_state(r, &head) != VT_OK)
			_exit(2);
		err = growth_commit(s, &head, &plain, 1 + done % 9);
		if (err != VT_OK && err != VT_ECONFLICT)
			_exit(3);
		if (err == VT_OK &&
		    store_publish(s, head.head.size, bytes_str("note"), 1000 + done / 20) != VT_OK)
			_exit(4);
		done += err == VT_OK;
	}
	store_reader_free(r);
	store_free(s);
	_exit(0);
}

static void two_processes_make_one_history(void **state)
{
	uint64_t entries = 0, size;
	pid_t child[PROCESSES];
	struct store_reader *r;
	struct store *s;

	(void)state;
	for (unsigned i = 0; i < PROCESSES; i++) {
		child[i] = fork();
		assert_true(child[i] >= 0);
		if (child[i] == 0)
			append_as_a_process();
	}
	for (unsigned i = 0; i < PROCESSES; i++) {
		int status;

		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	for (unsigned done = 0; done < BATCHES_EACH; done++)
		entries += PROCESSES * (1 + done % 9);
	s = open_store();
	assert_whole(s, entries);
	r = reader_of(s);
	assert_int_equal(store_read_published(r, &size, NULL), VT_OK);
	assert_int_equal(size, entries);
	store_reader_free(r);
	assert_sound(s);
	store_free(s);
}

/* -- not known to be the newest ------------------------------------------------------------------ */

static void read_all_of(struct buf *out, const char *suffix)
{
	char name[sizeof(path) + 16];

	(void)snprintf(name, sizeof(name), "%s%s", path, suffix);
	buf_reset(out);
	assert_int_equal(file_read(out, name, 1 << 26), VT_OK);
}

static void append_and_die(void)
{
	struct store *s;
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		s = open_store();
		_exit(append(s, &plain, 300) == VT_OK ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void store_that_is_not_trusted_is_left_as_it_is(void **state)
{
	const struct index_slot slot[1] = {{1, 1}};
	const struct store_runs none = {0};
	struct buf db, wal, now;
	struct store *s;

	(void)state;
	buf_init(&db);
	buf_init(&wal);
	buf_init(&now);
	append_and_die();
	read_all_of(&db, "");
	read_all_of(&wal, "-wal");
	assert_true(wal.len > 0);
	/* Trust that is taken back counts for nothing. */
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(open_config(&s, &identity, false), VT_OK);
		store_trust(s, i == 1);
		store_trust(s, false);
		assert_int_equal(append(s, &plain, 1), VT_EBUSY);
		assert_int_equal(store_publish(s, 300, bytes_str("note"), 1), VT_EBUSY);
		assert_int_equal(store_write_chunk(s, 0, 0, slot, 1), VT_EBUSY);
		assert_int_equal(store_replace_runs(s, 0, &none), VT_EBUSY);
		assert_whole(s, 300);
		store_free(s);
		read_all_of(&now, "");
		assert_true(bytes_equal(buf_bytes(&now), buf_bytes(&db)));
		read_all_of(&now, "-wal");
		assert_true(bytes_equal(buf_bytes(&now), buf_bytes(&wal)));
	}
	s = open_store();
	assert_int_equal(append(s, &plain, 1), VT_OK);
	assert_whole(s, 301);
	store_free(s);
	assert_false(exists("-wal"));
	assert_false(exists("-shm"));
	buf_release(&db);
	buf_release(&wal);
	buf_release(&now);
}

static void store_without_a_journal_stays_without_one(void **state)
{
	struct store *s = open_store();

	(void)state;
	store_free(s);
	assert_int_equal(open_config(&s, &identity, false), VT_OK);
	assert_whole(s, 0);
	store_free(s);
	assert_false(exists("-wal"));
	assert_false(exists("-shm"));
}

/* SQLite would delete it. */
static void write_ahead_log_beside_an_empty_file_is_left_alone(void **state)
{
	struct store *s;

	(void)state;
	append_and_die();
	assert_int_equal(truncate(path, 0), 0);
	for (unsigned read_only = 0; read_only < 2; read_only++) {
		assert_int_equal(open_config(&s, NULL, read_only != 0), VT_ECONFLICT);
		assert_non_null(strstr(why, "the file is empty"));
		assert_true(exists("-wal"));
	}
}

/* -- read only ---------------------------------------------------------------------------------- */

static void closed_store_is_read_without_a_trace(void **state)
{
	struct store *s = open_store();
	struct stat before, after;

	(void)state;
	assert_int_equal(append(s, &plain, 300), VT_OK);
	store_free(s);
	assert_int_equal(stat(path, &before), 0);
	s = open_read_only();
	assert_whole(s, 300);
	assert_sound(s);
	assert_false(exists("-wal"));
	assert_false(exists("-shm"));
	store_free(s);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
	assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

static void store_on_a_read_only_medium_is_read(void **state)
{
	struct store *s = open_store();

	(void)state;
	assert_int_equal(append(s, &plain, 300), VT_OK);
	store_free(s);
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(chmod(scratch_folder(), 0500), 0);
	s = open_read_only();
	assert_whole(s, 300);
	store_free(s);
	assert_int_equal(chmod(scratch_folder(), 0700), 0);
}

static void live_store_is_read_as_it_grows(void **state)
{
	struct store *live = open_store(), *s;

	(void)state;
	s = open_read_only();
	for (unsigned i = 1; i <= 5; i++) {
		assert_int_equal(append(live, &plain, 100), VT_OK);
		assert_whole(s, i * 100);
	}
	assert_sound(s);
	store_free(live);
	assert_whole(s, 500);
	store_free(s);
	live = open_store();
	assert_whole(live, 500);
	store_free(live);
}

static void reader_of_a_closed_store_notices_a_writer(void **state)
{
	struct store *s = open_store(), *frozen;
	struct store_reader *r;
	struct tree_state head;

	(void)state;
	assert_int_equal(append(s, &plain, 100), VT_OK);
	store_free(s);
	frozen = open_read_only();
	r = reader_of(frozen);
	assert_int_equal(store_read_state(r, &head), VT_OK);
	s = open_store();
	assert_int_equal(store_read_state(r, &head), VT_EBUSY);
	assert_int_equal(append(s, &plain, 100), VT_OK);
	store_free(s);
	assert_int_equal(store_read_state(r, &head), VT_EBUSY);
	store_reader_free(r);
	store_free(frozen);
	frozen = open_read_only();
	assert_whole(frozen, 200);
	store_free(frozen);
}

static void store_opened_to_be_read_refuses_writes(void **state)
{
	const struct index_slot slot[1] = {{1, 1}};
	struct store *s = open_store();
	struct tree_state head = state_of(s);
	const struct store_runs none = {0};
	struct store_batch *b;

	(void)state;
	store_free(s);
	s = open_read_only();
	assert_int_equal(store_batch_begin(&b, s, &head), VT_EINVAL);
	assert_null(b);
	assert_int_equal(store_publish(s, 0, bytes_str("note"), 1), VT_EINVAL);
	assert_int_equal(store_write_chunk(s, 0, 0, slot, 1), VT_EINVAL);
	assert_int_equal(store_replace_runs(s, 0, &none), VT_EINVAL);
	store_free(s);
}

/* -- the file under us -------------------------------------------------------------------------- */

static void assert_write_fails(struct store *s, const struct tree_state *head)
{
	struct tree_state state = *head;

	assert_int_equal(growth_commit(s, &state, &plain, 1), VT_EIO);
	/* And goes on failing: what the first one did is unknown. */
	assert_int_equal(growth_commit(s, &state, &plain, 1), VT_EIO);
	assert_int_equal(store_publish(s, 0, bytes_str("note"), 1), VT_EIO);
}

static void file_that_was_moved_away_is_noticed(void **state)
{
	static const char *const suffix[] = {"", "-wal", "-shm"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct store_reader *r, *late;
		struct tree_state head, now;
		struct store *s;

		scratch_clear();
		s = open_store();
		assert_int_equal(append(s, &plain, 3), VT_OK);
		head = state_of(s);
		r = reader_of(s);
		rename_to(suffix[i], ".moved");
		assert_write_fails(s, &head);
		assert_int_equal(store_read_state(r, &now), VT_EIO);
		assert_int_equal(store_reader_new(&late, s), VT_EIO);
		store_reader_free(r);
		rename_to(".moved", suffix[i]);
		store_free(s);
		s = open_store();
		assert_whole(s, 3);
		store_free(s);
	}
}

static void file_that_was_replaced_is_noticed(void **state)
{
	struct tree_state head, now;
	struct store_reader *r, *late;
	struct store *s, *replacement;

	(void)state;
	s = open_store();
	assert_int_equal(append(s, &plain, 3), VT_OK);
	head = state_of(s);
	r = reader_of(s);
	rename_to("", ".old");
	rename_to("-wal", ".old-wal");
	rename_to("-shm", ".old-shm");
	replacement = open_store();
	assert_int_equal(append(replacement, &plain, 5), VT_OK);
	assert_write_fails(s, &head);
	assert_int_equal(store_read_state(r, &now), VT_EIO);
	assert_int_equal(store_reader_new(&late, s), VT_EIO);
	assert_whole(replacement, 5);
	store_reader_free(r);
	store_free(s);
	assert_whole(replacement, 5);
	store_free(replacement);
}

/* -- bounds ------------------------------------------------------------------------------------- */

static void sizes_beyond_an_sqlite_integer_are_refused(void **state)
{
	/* A tree one short of 2^63 leaves: 63 bits, each a node of the range. */
	struct tree_state start = {.head.size = INT64_MAX, .range = {.size = INT64_MAX, .n = 63}};
	struct tree_state next = {.head.size = UINT64_C(1) << 63,
				  .range = {.size = UINT64_C(1) << 63, .n = 1}};
	const struct index_slot slot[1] = {{1, 1}};
	const struct merkle_hash hash = {0};
	struct store *s = open_store();
	struct store_batch *b;

	(void)state;
	assert_int_equal(store_batch_begin(&b, s, &start), VT_OK);
	assert_int_equal(store_batch_entry(b, bytes_str("x"), NULL, 0), VT_OK);
	for (unsigned level = 0; level < 8; level++) {
		const uint64_t at = (uint64_t)INT64_MAX >> (8 * level);

		assert_int_equal(
		    store_batch_tile(b, level, at / 256, (unsigned)(at % 256), &hash, 1), VT_OK);
	}
	assert_int_equal(store_batch_commit(b, &next), VT_ELIMIT);
	store_batch_discard(b);
	assert_int_equal(store_publish(s, 0, bytes_str("note"), UINT64_MAX), VT_ELIMIT);
	assert_int_equal(store_write_chunk(s, UINT64_C(1) << 31, 0, slot, 1), VT_ELIMIT);
	assert_int_equal(store_write_chunk(s, 0, UINT64_C(1) << 32, slot, 1), VT_ELIMIT);
	assert_int_equal(append(s, &plain, 1), VT_OK);
	store_free(s);
}

struct scanner {
	struct store *store;
	int *stop;
	bool wrong;
};

static enum vt_err visit_nothing(void *ctx, uint64_t index, struct bytes entry,
				 const struct merkle_hash *keys, size_t n_keys)
{
	(void)ctx, (void)index, (void)entry, (void)keys, (void)n_keys;
	return VT_OK;
}

/* Reads the whole log, over and over. */
static void *scan(void *arg)
{
	struct scanner *me = arg;
	struct store_reader *r;
	struct tree_state head;

	if (store_reader_new(&r, me->store) != VT_OK) {
		me->wrong = true;
		return NULL;
	}
	while (!__atomic_load_n(me->stop, __ATOMIC_SEQ_CST) && !me->wrong)
		me->wrong = store_read_state(r, &head) != VT_OK ||
			    store_read_entries(r, 0, head.head.size, visit_nothing, NULL) != VT_OK;
	store_reader_free(r);
	return NULL;
}

static void write_ahead_log_stays_bounded_while_others_read(void **state)
{
	enum { SCANNERS = 3, ROUNDS = 120, LIMIT = 192 << 20 };
	const struct growth large = {.history = 1, .entry_len = 8000};
	struct scanner scanner[SCANNERS];
	pthread_t thread[SCANNERS];
	struct store *s = open_store();
	struct tree_state head = state_of(s);
	off_t largest = 0;
	int stop = 0;

	(void)state;
	for (unsigned i = 0; i < SCANNERS; i++) {
		scanner[i] = (struct scanner){.store = s, .stop = &stop};
		assert_int_equal(pthread_create(&thread[i], NULL, scan, &scanner[i]), 0);
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		char name[sizeof(path) + 16];
		struct stat st;

		assert_int_equal(growth_commit(s, &head, &large, 256), VT_OK);
		(void)snprintf(name, sizeof(name), "%s-wal", path);
		assert_int_equal(stat(name, &st), 0);
		largest = st.st_size > largest ? st.st_size : largest;
	}
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < SCANNERS; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		assert_false(scanner[i].wrong);
	}
	/* 120 x 256 x 8 KB: some 250 MB went through it. */
	if (largest > LIMIT)
		fail_msg("the write-ahead log grew to %lld bytes", (long long)largest);
	store_free(s);
}

#define WITH_A_PATH(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_A_PATH(reopening_persists_everything),
	    WITH_A_PATH(files_are_for_their_owner_alone),
	    WITH_A_PATH(odd_characters_in_the_path_are_just_a_name),
	    WITH_A_PATH(identity_mismatch_is_refused_and_named),
	    WITH_A_PATH(other_files_are_refused_and_left_alone),
	    WITH_A_PATH(missing_folder_is_an_error_that_leaves_nothing),
	    WITH_A_PATH(opening_makes_no_store),
	    WITH_A_PATH(a_store_is_made_once),
	    WITH_A_PATH(store_made_by_many_at_once_is_made_once),
	    WITH_A_PATH(swap_lost_to_another_handle_conflicts),
	    WITH_A_PATH(publication_of_another_handle_is_seen),
	    WITH_A_PATH(two_handles_never_write_one_run),
	    WITH_A_PATH(lock_held_by_another_program_is_busy_not_broken),
	    WITH_A_PATH(two_processes_make_one_history),
	    WITH_A_PATH(store_that_is_not_trusted_is_left_as_it_is),
	    WITH_A_PATH(store_without_a_journal_stays_without_one),
	    WITH_A_PATH(write_ahead_log_beside_an_empty_file_is_left_alone),
	    WITH_A_PATH(closed_store_is_read_without_a_trace),
	    WITH_A_PATH(store_on_a_read_only_medium_is_read),
	    WITH_A_PATH(live_store_is_read_as_it_grows),
	    WITH_A_PATH(reader_of_a_closed_store_notices_a_writer),
	    WITH_A_PATH(store_opened_to_be_read_refuses_writes),
	    WITH_A_PATH(file_that_was_moved_away_is_noticed),
	    WITH_A_PATH(file_that_was_replaced_is_noticed),
	    WITH_A_PATH(sizes_beyond_an_sqlite_integer_are_refused),
	    WITH_A_PATH(write_ahead_log_stays_bounded_while_others_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
