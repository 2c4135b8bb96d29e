/*
 * One changed bit. In any stored value: store_check() finds it, or what fsck recomputes from the entries
 * contradicts it. Anywhere in the file: the same, or it changes nothing that can be read.
 */
#include "vitrine_test.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "growth.h"
#include "made_store.h"
#include "scratch.h"

static const struct growth plain = {.history = 1};

static const struct store_identity identity = {
    .origin = "example.com/log",
    .vkey = "example.com/log+00000000+AAAA",
    .mode = "records",
    .centre = {(const uint8_t *)"centre", 6},
};

enum { ENTRIES = 700, RUNS = 2, RUN_SLOTS = STORE_CHUNK_SLOTS * 3 / 2 };

static char path[1024];
static uint8_t *image; /* of the sound file */
static size_t image_len;

static uint64_t random_state = 20261122;

static uint64_t random_below(uint64_t n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (random_state >> 20) % n;
}

/* -- a sound store ------------------------------------------------------------------------------ */

static struct index_slot slot_of(uint64_t run, uint64_t i)
{
	return (struct index_slot){.prefix = i << 40 | run, .index = run * 7 + i % 300};
}

static enum vt_err add_run(struct store *s, struct store_reader *r, uint64_t first, uint64_t end)
{
	struct index_slot slot[STORE_CHUNK_SLOTS];
	struct store_runs runs;
	uint64_t id;
	enum vt_err err;

	if ((err = store_read_runs(r, &runs)) != VT_OK)
		return err;
	id = runs.next_id;
	for (uint64_t at = 0, n; at < RUN_SLOTS; at += n) {
		n = RUN_SLOTS - at < STORE_CHUNK_SLOTS ? RUN_SLOTS - at : STORE_CHUNK_SLOTS;
		for (uint64_t i = 0; i < n; i++)
			slot[i] = slot_of(id, at + i);
		if ((err = store_write_chunk(s, id, at / STORE_CHUNK_SLOTS, slot, (size_t)n)) !=
		    VT_OK)
			return err;
	}
	runs.run[runs.n++] = (struct store_run){
	    .id = id, .level = 2, .first = first, .end = end, .slots = RUN_SLOTS};
	return store_replace_runs(s, runs.version, &runs);
}

static int make_image(void **state)
{
	const struct store_sqlite_config config = {.path = path};
	char why[STORE_WHY_MAX];
	struct tree_state head;
	struct store_reader *r;
	struct store *s;
	struct stat st;
	FILE *f;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s", scratch_path("log.sqlite"));
	if (made_store_open(&s, &config, &identity, why) != VT_OK ||
	    store_reader_new(&r, s) != VT_OK || store_read_state(r, &head) != VT_OK)
		return -1;
	for (uint64_t n = 0; n < ENTRIES; n += 100)
		if (growth_commit(s, &head, &plain, 100) != VT_OK ||
		    store_publish(s, n, bytes_str("origin\n1\nroot\n\nsignatures\n"), 1000 + n) !=
			VT_OK)
			return -1;
	if (add_run(s, r, 0, 300) != VT_OK || add_run(s, r, 300, 650) != VT_OK)
		return -1;
	store_reader_free(r);
	store_free(s);
	if (stat(path, &st) != 0 || (f = fopen(path, "rb")) == NULL)
		return -1;
	image_len = (size_t)st.st_size;
	image = malloc(image_len);
	if (image == NULL || fread(image, 1, image_len, f) != image_len)
		return -1;
	return fclose(f);
}

static int drop_image(void **state)
{
	(void)state;
	free(image);
	return 0;
}

static void restore(void)
{
	FILE *f;

	scratch_clear();
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(image, 1, image_len, f), image_len);
	assert_int_equal(fclose(f), 0);
}

/* -- what fsck sees ----------------------------------------------------------------------------- */

static enum vt_err count_fault(void *ctx, const char *place_and_fault)
{
	struct buf *first = ctx;

	assert_string_not_equal(place_and_fault, "");
	return first->len == 0 ? buf_append_str(first, place_and_fault) : VT_OK;
}

static enum vt_err list_checkpoint(void *ctx, const struct store_checkpoint *cp)
{
	struct buf *list = ctx;

	return buf_appendf(list, "%llu:%llu@%llu=%.*s ", (unsigned long long)cp->seq,
			   (unsigned long long)cp->size, (unsigned long long)cp->time,
			   (int)cp->note.len, (const char *)cp->note.data);
}

/* Against the keys of the entries, as index_check() does: here they are known. */
static bool runs_contradicted(struct store_reader *r)
{
	struct index_slot slot[STORE_CHUNK_SLOTS];
	struct store_runs runs;
	size_t n;

	if (store_read_runs(r, &runs) != VT_OK)
		return true;
	for (size_t k = 0; k < runs.n; k++)
		for (uint64_t at = 0; at < runs.run[k].slots; at += STORE_CHUNK_SLOTS) {
			if (store_read_chunk(r, runs.run[k].id, at / STORE_CHUNK_SLOTS, slot, &n) !=
			    VT_OK)
				return true;
			for (size_t i = 0; i < n; i++) {
				const struct index_slot right = slot_of(runs.run[k].id, at + i);

				if (slot[i].prefix != right.prefix || slot[i].index != right.index)
					return true;
			}
		}
	return false;
}

/* Is everything that nothing recomputes as it was made? */
static void assert_rest_unchanged(struct store *s, struct store_reader *r, const char *after)
{
	struct store_runs runs;
	struct buf list;
	char *text;

	buf_init(&list);
	if (strcmp(s->identity.origin, identity.origin) != 0 ||
	    strcmp(s->identity.vkey, identity.vkey) != 0 ||
	    strcmp(s->identity.mode, identity.mode) != 0 ||
	    !bytes_equal(s->identity.centre, identity.centre))
		fail_msg("%s: the identity has changed", after);
	assert_int_equal(store_read_runs(r, &runs), VT_OK);
	if (runs.n != RUNS || runs.version != RUNS || runs.next_id != RUNS ||
	    runs.run[0].level != 2 || runs.run[1].level != 2 || runs.run[0].end != 300 ||
	    runs.run[1].end != 650 || runs.run[1].slots != RUN_SLOTS)
		fail_msg("%s: the runs have changed", after);
	assert_int_equal(store_read_checkpoints(r, 0, 1000, list_checkpoint, &list), VT_OK);
	text = buf_detach_str(&list);
	assert_non_null(text);
	for (uint64_t n = 0, seq = 1; n < ENTRIES; n += 100, seq++) {
		char expected[100];

		(void)snprintf(expected, sizeof(expected), "%llu:%llu@%llu=origin\n1\nroot\n\n",
			       (unsigned long long)seq, (unsigned long long)n,
			       (unsigned long long)(1000 + n));
		if (strstr(text, expected) == NULL)
			fail_msg("%s: the checkpoints have changed", after);
	}
	free(text);
}

/* Is the change found? If not, it must have changed nothing. */
static bool found(const char *after)
{
	const struct store_sqlite_config config = {.path = path, .read_only = true};
	struct store_reader *r = NULL;
	char why[STORE_WHY_MAX];
	struct store *s = NULL;
	struct buf fault;
	uint64_t size;
	bool seen = true;

	buf_init(&fault);
	if (store_sqlite_open(&s, &config, NULL, why) == VT_OK &&
	    store_reader_new(&r, s) == VT_OK && store_check(r, count_fault, &fault) == VT_OK &&
	    fault.len == 0 && growth_wrong(r, &plain, &size) == NULL && size == ENTRIES &&
	    !runs_contradicted(r)) {
		assert_rest_unchanged(s, r, after);
		seen = false;
	}
	buf_release(&fault);
	store_reader_free(r);
	store_free(s);
	return seen;
}

/* -- changes ------------------------------------------------------------------------------------ */

static sqlite3 *db;

static sqlite3_int64 number(const char *text)
{
	sqlite3_stmt *st;
	sqlite3_int64 value;

	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	value = sqlite3_column_int64(st, 0);
	assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
	return value;
}

/* Flip a bit of a value, whatever its type. False: another row has that value. */
static bool flip_value(const char *table, const char *column, sqlite3_int64 row, uint64_t bit)
{
	char text[256];
	sqlite3_stmt *st, *up;
	uint8_t *copy;
	int len, code;

	(void)snprintf(text, sizeof(text), "SELECT %s FROM %s LIMIT 1 OFFSET %lld", column, table,
		       row);
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	(void)snprintf(text, sizeof(text), "UPDATE %s SET %s = ?1 WHERE %s = ?2", table, column,
		       column);
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &up, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_bind_value(up, 2, sqlite3_column_value(st, 0)), SQLITE_OK);
	if (sqlite3_column_type(st, 0) == SQLITE_INTEGER) {
		const uint64_t value = (uint64_t)sqlite3_column_int64(st, 0) ^ UINT64_C(1)
										   << bit % 64;

		assert_int_equal(sqlite3_bind_int64(up, 1, (sqlite3_int64)value), SQLITE_OK);
	} else {
		const bool is_text = sqlite3_column_type(st, 0) == SQLITE_TEXT;
		const void *data = sqlite3_column_blob(st, 0);

		len = sqlite3_column_bytes(st, 0);
		assert_true(len > 0);
		copy = malloc((size_t)len);
		assert_non_null(copy);
		memcpy(copy, data, (size_t)len);
		copy[bit / 8 % (unsigned)len] ^= (uint8_t)(1u << bit % 8);
		code = is_text ? sqlite3_bind_text(up, 1, (char *)copy, len, SQLITE_TRANSIENT)
			       : sqlite3_bind_blob(up, 1, copy, len, SQLITE_TRANSIENT);
		assert_int_equal(code, SQLITE_OK);
		free(copy);
	}
	assert_int_equal(sqlite3_finalize(st), SQLITE_OK);
	code = sqlite3_step(up);
	(void)sqlite3_finalize(up);
	assert_true(code == SQLITE_DONE || code == SQLITE_CONSTRAINT);
	return code == SQLITE_DONE;
}

static void open_for_change(void)
{
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db,
				      "PRAGMA ignore_check_constraints = ON;"
				      "PRAGMA synchronous = OFF",
				      NULL, NULL, NULL),
			 SQLITE_OK);
}

static const struct {
	const char *table, *column;
	unsigned times;
} stored[] = {
    {"meta", "name", 20},         {"meta", "value", 60},      {"head", "id", 8},
    {"head", "size", 64},         {"head", "root", 30},       {"head", "range", 60},
    {"entry", "idx", 70},         {"entry", "keys", 40},      {"entry", "bytes", 40},
    {"tile", "id", 80},           {"tile", "hashes", 40},     {"checkpoint", "seq", 70},
    {"checkpoint", "time", 70},   {"checkpoint", "size", 70}, {"checkpoint", "note", 40},
    {"checkpoint", "digest", 20}, {"runs", "id", 8},          {"runs", "version", 64},
    {"runs", "next_id", 64},      {"runs", "list", 160},      {"runs", "digest", 20},
    {"chunk", "id", 80},          {"chunk", "slots", 60},
};

static void sound_store_has_no_fault(void **state)
{
	(void)state;
	restore();
	assert_false(found("no change"));
}

static void flipped_bit_of_any_stored_value_is_found(void **state)
{
	unsigned flips = 0;

	(void)state;
	for (size_t k = 0; k < sizeof(stored) / sizeof(stored[0]); k++) {
		for (unsigned i = 0; i < stored[k].times; i++) {
			char count[64], what[128];
			sqlite3_int64 row;
			/* Integers: each bit at least once where there are 64 turns. */
			const uint64_t bit = stored[k].times >= 64 && i < 64
						 ? i + 64 * random_below(1 << 20)
						 : random_below(1 << 20);
			bool changed;

			restore();
			open_for_change();
			(void)snprintf(count, sizeof(count), "SELECT count(*) FROM %s",
				       stored[k].table);
			row = (sqlite3_int64)random_below((uint64_t)number(count));
			changed = flip_value(stored[k].table, stored[k].column, row, bit);
			assert_int_equal(sqlite3_close(db), SQLITE_OK);
			(void)snprintf(what, sizeof(what), "%s.%s, row %lld, bit %llu",
				       stored[k].table, stored[k].column, row,
				       (unsigned long long)bit);
			if (changed && !found(what))
				fail_msg("%s: not found", what);
			flips += changed;
		}
	}
	print_message("%u bits of values\n", flips);
}

static void flipped_bit_anywhere_in_the_file_is_found_or_harmless(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (unsigned i = 0; i < 600; i++) {
		const size_t at = (size_t)random_below(i % 3 == 0 ? 16384 : image_len);
		const uint8_t bit = (uint8_t)(1u << random_below(8));
		char what[64];

		image[at] ^= bit;
		restore();
		image[at] ^= bit;
		(void)snprintf(what, sizeof(what), "byte %zu ^ %u", at, (unsigned)bit);
		seen += found(what);
	}
	print_message("%u of 600 bits mattered\n", seen);
	assert_true(seen > 100);
}

/* -- structure ---------------------------------------------------------------------------------- */

static void assert_names(const char *change, const char *expected)
{
	const struct store_sqlite_config config = {.path = path, .read_only = true};
	char why[STORE_WHY_MAX];
	struct store_reader *r;
	struct buf fault;
	struct store *s;
	char *text;

	restore();
	open_for_change();
	if (sqlite3_exec(db, change, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", change, sqlite3_errmsg(db));
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	buf_init(&fault);
	assert_int_equal(store_sqlite_open(&s, &config, NULL, why), VT_OK);
	assert_int_equal(store_reader_new(&r, s), VT_OK);
	assert_int_equal(store_check(r, count_fault, &fault), VT_OK);
	store_reader_free(r);
	store_free(s);
	text = buf_detach_str(&fault);
	assert_non_null(text);
	if (strstr(text, expected) == NULL)
		fail_msg("%s: said \"%s\", expected \"%s\"", change, text, expected);
	free(text);
}

static void each_fault_is_named_with_its_place(void **state)
{
	(void)state;
	assert_names("DELETE FROM entry WHERE idx = 17", "entry 17: missing (1 in a row)");
	assert_names("DELETE FROM entry WHERE idx >= 690", "entry 690: missing (10 in a row)");
	assert_names("INSERT INTO entry VALUES (700, x'', x'')", "entry 700: beyond the head");
	assert_names("UPDATE entry SET keys = x'00' WHERE idx = 5", "entry 5: 1 bytes of keys");
	assert_names("UPDATE entry SET bytes = zeroblob(65536) WHERE idx = 5",
		     "entry 5: 65536 bytes");
	assert_names("DELETE FROM tile WHERE id = 8", "tile of level 0 1: missing");
	assert_names("DELETE FROM tile WHERE id = 1", "tile of level 1 0: missing");
	assert_names("INSERT INTO tile VALUES (24, zeroblob(32))", "tile 0/3: beyond the head");
	assert_names("UPDATE tile SET hashes = zeroblob(32) WHERE id = 8",
		     "tile 0/1: 32 bytes, expected 8192");
	assert_names("UPDATE head SET range = x''", "head: missing, or its size, root and range");
	assert_names("DELETE FROM head", "head: 0 rows");
	assert_names("DELETE FROM runs", "runs: 0 rows");
	assert_names("UPDATE runs SET version = 9", "runs: missing, or without their digest");
	assert_names("DELETE FROM chunk WHERE id = 1", "run 0: 1 chunks, expected 2");
	assert_names("INSERT INTO chunk VALUES (9 << 32, x'00')",
		     "chunk 9/0: of a run that nobody");
	assert_names("INSERT INTO chunk VALUES (7, x'00')", "chunk 0/7: beyond its run");
	assert_names("UPDATE chunk SET slots = zeroblob(32) WHERE id = 0",
		     "chunk 0/0: 32 bytes, expected 4096");
	assert_names("UPDATE checkpoint SET note = x'00' WHERE seq = 2",
		     "checkpoint 2: it does not");
	assert_names("INSERT INTO meta VALUES ('more', x'00')", "meta: there is a member");
	assert_names("CREATE TABLE more (id)", "schema: found \"table more");
}

static enum vt_err stop(void *ctx, const char *place_and_fault)
{
	(void)place_and_fault;
	++*(unsigned *)ctx;
	return VT_EMISMATCH;
}

static void check_ends_when_it_is_told_to(void **state)
{
	const struct store_sqlite_config config = {.path = path, .read_only = true};
	char why[STORE_WHY_MAX];
	struct store_reader *r;
	struct tree_state head;
	struct store *s;
	unsigned n = 0;

	(void)state;
	restore();
	open_for_change();
	assert_int_equal(sqlite3_exec(db, "DELETE FROM entry WHERE idx % 2", NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(store_sqlite_open(&s, &config, NULL, why), VT_OK);
	assert_int_equal(store_reader_new(&r, s), VT_OK);
	assert_int_equal(store_check(r, stop, &n), VT_EMISMATCH);
	assert_int_equal(n, 1);
	assert_int_equal(store_read_state(r, &head), VT_OK);
	assert_int_equal(store_check(r, stop, &n), VT_EMISMATCH);
	assert_int_equal(n, 2);
	store_reader_free(r);
	store_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sound_store_has_no_fault),
	    cmocka_unit_test(each_fault_is_named_with_its_place),
	    cmocka_unit_test(check_ends_when_it_is_told_to),
	    cmocka_unit_test(flipped_bit_of_any_stored_value_is_found),
	    cmocka_unit_test(flipped_bit_anywhere_in_the_file_is_found_or_harmless),
	};

	return cmocka_run_group_tests(tests, make_image, drop_image);
}
