#include "stored_flip.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(db, condition)                                                                        \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: does not hold: %s (%s)\n", __FILE__, __LINE__,     \
				#condition, sqlite3_errmsg(db));                                   \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static uint64_t random_state;

void stored_seed(uint64_t seed)
{
	random_state = seed;
}

uint64_t stored_random(uint64_t below)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (z ^ z >> 31) % below;
}

struct sqlite3 *stored_open(const char *path)
{
	sqlite3 *db;

	MUST(db, sqlite3_open(path, &db) == SQLITE_OK);
	MUST(db, sqlite3_exec(db, "PRAGMA ignore_check_constraints = 1; PRAGMA synchronous = OFF",
			      NULL, NULL, NULL) == SQLITE_OK);
	return db;
}

void stored_close(struct sqlite3 *db)
{
	MUST(db, sqlite3_close(db) == SQLITE_OK);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *fmt, ...)
{
	sqlite3_stmt *stmt;
	va_list ap;
	char *sql;

	va_start(ap, fmt);
	sql = sqlite3_vmprintf(fmt, ap);
	va_end(ap);
	MUST(db, sql != NULL);
	MUST(db, sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK);
	sqlite3_free(sql);
	return stmt;
}

size_t stored_names(struct sqlite3 *db, const char *sql, char name[][64], size_t max)
{
	sqlite3_stmt *stmt = prepare(db, "%s", sql);
	size_t n = 0;

	while (sqlite3_step(stmt) == SQLITE_ROW && n < max)
		(void)snprintf(name[n++], 64, "%s", (const char *)sqlite3_column_text(stmt, 0));
	MUST(db, sqlite3_finalize(stmt) == SQLITE_OK);
	return n;
}

/* The one table whose rows have no numbers. */
static const char *row_name(const char *table)
{
	return strcmp(table, "meta") == 0 ? "name" : "rowid";
}

/* A row at random, with its name in SQL. Entries and tiles are chosen by number: there are too many to count each time. */
static sqlite3_stmt *random_row(sqlite3 *db, const char *table)
{
	bool dense = strcmp(table, "entry") == 0 || strcmp(table, "tile") == 0;
	const char *row = row_name(table);
	sqlite3_stmt *stmt =
	    prepare(db, "SELECT %s FROM \"%w\"", dense ? "max(rowid) + 1" : "count(*)", table);
	int64_t n = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;

	(void)sqlite3_finalize(stmt);
	if (n <= 0)
		return NULL;
	stmt = prepare(db, "SELECT quote(\"%w\"), \"%w\" FROM \"%w\" %s ORDER BY \"%w\" LIMIT 1 %s",
		       row, row, table, dense ? "WHERE rowid >= ?1" : "", row,
		       dense ? "" : "OFFSET ?1");
	MUST(db, sqlite3_bind_int64(stmt, 1, (int64_t)stored_random((uint64_t)n)) == SQLITE_OK);
	MUST(db, sqlite3_step(stmt) == SQLITE_ROW);
	return stmt;
}

/* Bind to ?1 what is in the row's column, with the bit that f names flipped. */
static void bind_flipped(sqlite3 *db, sqlite3_stmt *update, sqlite3_stmt *value,
			 const struct stored_flip *f)
{
	int len = sqlite3_column_bytes(value, 0);
	uint8_t *copy;

	if (sqlite3_column_type(value, 0) == SQLITE_INTEGER) {
		uint64_t n = (uint64_t)sqlite3_column_int64(value, 0) ^ UINT64_C(1) << f->bit;

		MUST(db, sqlite3_bind_int64(update, 1, (sqlite3_int64)n) == SQLITE_OK);
		return;
	}
	copy = malloc((size_t)len + 1);
	MUST(db, copy != NULL && f->at < (size_t)len);
	memcpy(copy, sqlite3_column_blob(value, 0), (size_t)len);
	copy[f->at] ^= (uint8_t)(1U << f->bit);
	if (sqlite3_column_type(value, 0) == SQLITE_TEXT)
		MUST(db, sqlite3_bind_text(update, 1, (char *)copy, len, free) == SQLITE_OK);
	else
		MUST(db, sqlite3_bind_blob(update, 1, copy, len, free) == SQLITE_OK);
}

static sqlite3_stmt *value_of(sqlite3 *db, const struct stored_flip *f)
{
	sqlite3_stmt *value = prepare(db, "SELECT \"%w\" FROM \"%w\" WHERE \"%w\" = %s", f->column,
				      f->table, row_name(f->table), f->row);

	MUST(db, sqlite3_step(value) == SQLITE_ROW);
	return value;
}

/* false: SQLite would not. */
static bool write_flipped(sqlite3 *db, const struct stored_flip *f, char row[160])
{
	sqlite3_stmt *value = value_of(db, f);
	sqlite3_stmt *update =
	    prepare(db, "UPDATE \"%w\" SET \"%w\" = ?1 WHERE \"%w\" = %s RETURNING quote(\"%w\")",
		    f->table, f->column, row_name(f->table), f->row, row_name(f->table));
	bool written;

	bind_flipped(db, update, value, f);
	(void)sqlite3_finalize(value);
	written = sqlite3_step(update) == SQLITE_ROW;
	if (written) {
		(void)snprintf(row, 160, "%s", (const char *)sqlite3_column_text(update, 0));
		MUST(db, sqlite3_step(update) == SQLITE_DONE);
	}
	(void)sqlite3_finalize(update);
	return written;
}

bool stored_flip(struct sqlite3 *db, struct stored_flip *f, const char *table, const char *column)
{
	sqlite3_stmt *stmt = random_row(db, table);
	int len;

	*f = (struct stored_flip){0};
	if (stmt == NULL)
		return false;
	(void)snprintf(f->table, sizeof(f->table), "%s", table);
	(void)snprintf(f->column, sizeof(f->column), "%s", column);
	(void)snprintf(f->row, sizeof(f->row), "%s", (const char *)sqlite3_column_text(stmt, 0));
	f->number = sqlite3_column_int64(stmt, 1);
	(void)sqlite3_finalize(stmt);
	stmt = value_of(db, f);
	len = sqlite3_column_bytes(stmt, 0);
	if (sqlite3_column_type(stmt, 0) == SQLITE_INTEGER) {
		f->bit = (unsigned)stored_random(64);
		(void)snprintf(f->text, sizeof(f->text), "%s %s: %s bit %u", table, f->row, column,
			       f->bit);
	} else if (len > 0) {
		f->at = (size_t)stored_random((uint64_t)len);
		f->bit = (unsigned)stored_random(8);
		(void)snprintf(f->text, sizeof(f->text), "%s %s: %s byte %zu bit %u", table, f->row,
			       column, f->at, f->bit);
	}
	(void)sqlite3_finalize(stmt);
	return f->text[0] != '\0' && write_flipped(db, f, f->row);
}

void stored_flip_back(struct sqlite3 *db, const struct stored_flip *f)
{
	char row[160];

	MUST(db, write_flipped(db, f, row));
}
