/* fsck finds any one changed bit of what an SQLite store holds, and says where. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log_fixture.h"
#include "record_world.h"
#include "scratch.h"
#include "stored_flip.h"

enum {
	RAW_ENTRIES = 700,
	AT_ONCE = 50,
	VERDICTS = 60,
	FLIPS = 100, /* of each log */
	TABLES_MAX = 16,
	COLUMNS_MAX = 16,
};

/* -- logs to be damaged --------------------------------------------------------------------------- */

static char path[512];

static void make_raw(void)
{
	struct log_fixture f;

	fixture_store(&f, path, "raw", bytes_of(NULL, 0));
	f.config.index_tail_max = 150;
	fixture_start(&f);
	for (unsigned i = 0; i < RAW_ENTRIES; i += AT_ONCE) {
		struct sent s[AT_ONCE];
		char text[32];

		for (unsigned k = 0; k < AT_ONCE; k++) {
			(void)snprintf(text, sizeof(text), "entry %u", i + k);
			send_bytes(&f, f.w, &s[k], bytes_str(text));
		}
		wait_for(s, AT_ONCE);
	}
	fixture_free(&f);
}

static void send_verdicts(struct log_fixture *f, struct world *w)
{
	struct sent s[VERDICTS];

	for (unsigned i = 0; i < VERDICTS; i++) {
		struct compose_digest subject = {
		    "bios.bin", NULL,
		    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"};
		char run[40];
		struct compose_resource configuration = {.name = "suite", .uri = run};
		struct compose_verdict v = {.subjects = {&subject, 1},
					    .result = i % 2 == 0 ? "PASSED" : "FAILED",
					    .configuration = &configuration,
					    .n_configuration = 1};
		struct buf statement, body;

		(void)snprintf(run, sizeof(run), "urn:run:%u", i);
		buf_init(&statement);
		assert_int_equal(compose_verdict(&statement, &v, NULL), VT_OK);
		world_sign_one(&body, buf_bytes(&statement), w->lab);
		send_bytes(f, f->w, &s[i], buf_bytes(&body));
		if (i % 10 == 9)
			wait_for(s, i + 1);
		buf_release(&statement);
		buf_release(&body);
	}
}

static void make_records(void)
{
	struct log_fixture f;
	struct world w;

	world_init(&w);
	fixture_store(&f, path, "records", world_spki(w.centre));
	f.config.index_tail_max = 100;
	fixture_start(&f);
	world_begin(&w);
	for (size_t i = 0; i < w.n; i++)
		assert_int_equal(send_one(&f, buf_bytes(&w.entry[i].bytes)).outcome, LOG_ADDED);
	send_verdicts(&f, &w);
	fixture_free(&f);
	world_release(&w);
}

/* -- fsck -------------------------------------------------------------------------------------------- */

static enum vt_err keep_fault(void *ctx, const char *text)
{
	(void)snprintf(ctx, 512, "%s", text);
	return VT_OK;
}

/* VT_OK, or what fsck or opening says, with the place. */
static enum vt_err fsck(char place[512])
{
	struct store_sqlite_config config = {.path = path, .read_only = true};
	struct fsck_config check = {.fault = keep_fault, .ctx = place};
	struct tree_head head;
	enum vt_err err;

	place[0] = '\0';
	if ((err = store_sqlite_open(&check.store, &config, NULL, place)) != VT_OK)
		return err;
	err = log_fsck(&check, &head);
	store_free(check.store);
	return err;
}

/* -- one bit --------------------------------------------------------------------------------------------- */

static bool flip_anything(char what[256])
{
	char table[TABLES_MAX][64], column[COLUMNS_MAX][64], sql[160];
	struct stored_flip f;
	sqlite3 *db = stored_open(path);
	size_t tables, columns, t;
	bool flipped;

	tables = stored_names(db, "SELECT name FROM sqlite_schema WHERE type = 'table'", table,
			      TABLES_MAX);
	assert_true(tables > 4);
	t = (size_t)stored_random(tables);
	(void)snprintf(sql, sizeof(sql), "SELECT name FROM pragma_table_info('%s')", table[t]);
	columns = stored_names(db, sql, column, COLUMNS_MAX);
	assert_true(columns > 0);
	flipped = stored_flip(db, &f, table[t], column[stored_random(columns)]);
	(void)snprintf(what, 256, "%s", f.text);
	stored_close(db);
	return flipped;
}

static void copy_file(const char *from, const char *to)
{
	char command[4096];

	(void)snprintf(command, sizeof(command), "cp '%s' '%s' && rm -f '%s-wal' '%s-shm'", from,
		       to, to, to);
	assert_int_equal(system(command), 0);
}

static void every_flip_is_found(void (*make)(void))
{
	char whole[520], what[256], place[512];
	unsigned flips = 0;
	enum vt_err err;

	scratch_clear();
	(void)snprintf(path, sizeof(path), "%s", scratch_path("log.sqlite"));
	(void)snprintf(whole, sizeof(whole), "%s.whole", path);
	make();
	stored_seed(20261122);
	if (fsck(place) != VT_OK)
		fail_msg("the whole log: %s", place);
	copy_file(path, whole);
	while (flips < FLIPS) {
		if (flip_anything(what)) {
			flips++;
			err = fsck(place);
			if (err == VT_OK)
				fail_msg("not found: %s", what);
			if (place[0] == '\0')
				fail_msg("found, but not where: %s: %s", what, vt_err_text(err));
			if (getenv("VITRINE_TEST_SHOW") != NULL)
				print_message("%s\n    -> %s\n", what, place);
		}
		copy_file(whole, path);
	}
	if (fsck(place) != VT_OK)
		fail_msg("the restored log: %s", place);
}

static void any_flipped_bit_of_a_raw_log_is_found(void **state)
{
	(void)state;
	every_flip_is_found(make_raw);
}

static void any_flipped_bit_of_a_log_of_records_is_found(void **state)
{
	(void)state;
	every_flip_is_found(make_records);
}

/* -- what bits alone do not show ------------------------------------------------------------------------------ */

static enum vt_err count_fault(void *ctx, const char *text)
{
	(void)text;
	++*(unsigned *)ctx;
	return VT_OK;
}

static void as_many_faults_are_told_as_were_asked_for(void **state)
{
	struct store_sqlite_config config = {.path = path, .read_only = true};
	struct fsck_config check = {.fault = count_fault, .faults_max = 3};
	struct tree_head head;
	unsigned faults = 0;
	char why[STORE_WHY_MAX];
	sqlite3 *db;

	(void)state;
	scratch_clear();
	(void)snprintf(path, sizeof(path), "%s", scratch_path("log.sqlite"));
	make_raw();
	db = stored_open(path);
	assert_int_equal(sqlite3_exec(db, "UPDATE entry SET bytes = x'00' WHERE idx % 100 = 7",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	stored_close(db);
	check.ctx = &faults;
	assert_int_equal(store_sqlite_open(&check.store, &config, NULL, why), VT_OK);
	assert_int_equal(log_fsck(&check, &head), VT_EMISMATCH);
	assert_int_equal(faults, 3);
	assert_int_equal(head.size, RAW_ENTRIES);
	store_free(check.store);
}

/* A running log that meets it stops taking entries: it could not tell any more what is known. */
static void a_log_whose_index_has_lost_a_chunk_freezes(void **state)
{
	struct log_fixture f;
	struct log_status status;
	struct log_answer a;
	sqlite3 *db;

	(void)state;
	scratch_clear();
	(void)snprintf(path, sizeof(path), "%s", scratch_path("log.sqlite"));
	make_raw();
	db = stored_open(path);
	assert_int_equal(sqlite3_exec(db, "DELETE FROM chunk", NULL, NULL, NULL), SQLITE_OK);
	stored_close(db);
	fixture_store(&f, path, "raw", bytes_of(NULL, 0));
	fixture_start(&f);
	a = send_one(&f, bytes_str("new"));
	assert_int_equal(a.outcome, LOG_LATER);
	assert_non_null(strstr(a.reason, "index"));
	log_status(f.log, &status);
	assert_true(status.frozen);
	assert_int_equal(fixture_verify(&f), RAW_ENTRIES); /* reads go on */
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_flipped_bit_of_a_raw_log_is_found),
	    cmocka_unit_test(any_flipped_bit_of_a_log_of_records_is_found),
	    cmocka_unit_test(a_log_whose_index_has_lost_a_chunk_freezes),
	    cmocka_unit_test(as_many_faults_are_told_as_were_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
