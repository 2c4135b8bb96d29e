/*
 * A connection to an SQLite file: statements prepared once, values checked as they come out, and
 * every result code turned into an enum vt_err. The only door to SQLite; a connection serves one
 * thread at a time.
 *
 * VT_EBUSY is contention: somebody else holds the lock it takes. Everything that SQLite says of the
 * disk or of the file's contents is VT_EIO, with a log line.
 */
#ifndef STORE_SQL_H
#define STORE_SQL_H

#include "sqlite_sql.h"
#include "store.h"

struct sql;

enum sql_mode {
	SQL_WRITER,
	SQL_READER,
	SQL_FROZEN,  /* a reader that takes no lock and looks for no journal: nobody else may write
		      */
	SQL_SCRATCH, /* a new database in memory, with the tables */
};

/*
 * Open the file, which must exist, and prepare its statements. VT_ECONFLICT: it is no database, or
 * not one of this program's in a version that it knows. why says so.
 */
enum vt_err sql_open(struct sql **out, const char *path, enum sql_mode mode, uint64_t busy_nanos,
		     char why[STORE_WHY_MAX]);
/* Make the tables in the empty file at path, which nobody else has open, and prepare as a writer.
 */
enum vt_err sql_create(struct sql **out, const char *path, char why[STORE_WHY_MAX]);
void sql_close(struct sql *sql); /* NULL is legal */
/*
 * Whether sql_close() moves what can be read of the write-ahead log to the database and deletes it, if nobody else has the file
 * open. Not unless it was said here: what cannot be read would be gone.
 */
void sql_merge_at_close(struct sql *sql, bool merge);

/* Move all of the write-ahead log to the database: afterwards the one file has everything. Nobody else
 * may have it open. */
enum vt_err sql_settle(struct sql *sql);

struct merkle_hasher *sql_hasher(struct sql *sql);
/* What was said when something failed the last time, with the system's reason where there is one, for people. */
const char *sql_said(const struct sql *sql);
/* From now on wait so long for another process. */
void sql_set_patience(struct sql *sql, uint64_t nanos);

/*
 * A transaction that writes. A durable one is on disk when sql_commit() returns; another may be
 * taken back, whole, when the machine (not just the process) fails. VT_EBUSY: nothing was done. An
 * error of sql_commit() other than VT_EBUSY means that the outcome is unknown.
 */
enum vt_err sql_begin(struct sql *sql, bool durable);
enum vt_err sql_commit(struct sql *sql);
/* VT_EIO: not even that worked. */
enum vt_err sql_rollback(struct sql *sql);
/* Move what is in the write-ahead log to the database, if it has grown enough. Called outside of
 * transactions. Not being able to, because somebody reads or does the same, is VT_OK. */
enum vt_err sql_tidy(struct sql *sql);

/* One execution of a prepared statement. The first error stays in err and makes the rest do
 * nothing. */
struct query {
	struct sql *sql;
	enum sql_statement id;
	enum vt_err err;
};

/* VT_EINVAL in err if it is being executed already: a visitor called the reader that called it. */
struct query query_start(struct sql *sql, enum sql_statement id);
void query_bind_u64(struct query *q, int at, uint64_t value);       /* VT_ELIMIT: beyond 2^63 - 1 */
void query_bind_bytes(struct query *q, int at, struct bytes value); /* borrowed until the end */
void query_bind_text(struct query *q, int at, const char *value);
/* Is there another row? Not after an error. */
bool query_row(struct query *q);
/* A column of the row: its value is in its domain, or err is VT_EIO and the answer zero or empty.
 * Bytes and text are good until the next row. */
uint64_t query_u64(struct query *q, int column);
struct bytes query_bytes(struct query *q, int column);
const char *query_text(struct query *q, int column);
/* The row makes no sense: log that, and VT_EIO. */
void query_broken(struct query *q, const char *what);
/* Ends it. Every query_start() needs one. Returns err. */
enum vt_err query_end(struct query *q);
/* For statements without rows: execute and end. */
enum vt_err query_run(struct query *q);
/* Rows that the last statement changed. */
uint64_t sql_changes(struct sql *sql);

#endif
