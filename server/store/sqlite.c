/* The only file that knows SQLite. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "logline.h"
#include "sql.h"

enum {
	APPLICATION_ID = 0x5674726e,
	SCHEMA_VERSION = 1,
	/* Of 16 KiB. The write-ahead log is moved to the database when it has so many pages, and
	 * again after as many more, if readers kept it from starting over. */
	TIDY_PAGES = 1024,
	/* From so many on, wait for the readers that keep it from starting over. */
	TIDY_WAIT_PAGES = 8 * TIDY_PAGES,
};
#define TIDY_WAIT_NANOS UINT64_C(200000000)

struct sql {
	sqlite3 *db;
	sqlite3_stmt *statement[SQL_STATEMENTS];
	char *path;
	char said[160]; /* when something failed the last time */
	struct merkle_hasher hasher;
	uint64_t busy_nanos;
	uint64_t busy_since;
	bool durable;
	int wal_pages;
	int tidied_at; /* wal_pages at the last try */
};

/* -- errors -------------------------------------------------------------------------------------
 */

/* What the system said: of opening a file the connection knows it, of the write-ahead log that file alone. 0: nothing. */
static int system_fault(sqlite3 *db, int code)
{
	int fault = (code & 0xff) == SQLITE_FULL ? ENOSPC : sqlite3_system_errno(db);
	sqlite3_file *log = NULL;

	if (fault == 0 &&
	    sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK &&
	    log != NULL && log->pMethods != NULL)
		(void)log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &fault);
	return fault;
}

/* With the system's reason, which the next call makes it forget. */
static void keep_reason(struct sql *sql, int code)
{
	int fault = system_fault(sql->db, code);

	(void)snprintf(sql->said, sizeof(sql->said), "%s%s%s", sqlite3_errmsg(sql->db),
		       fault != 0 ? ": " : "", fault != 0 ? strerror(fault) : "");
}

static enum vt_err failed(struct sql *sql, int code, const char *doing)
{
	char where[256], what[256], act[128];

	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return VT_OK;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_PROTOCOL: /* lost the race for a snapshot too often */
		return VT_EBUSY;
	case SQLITE_NOMEM:
		return VT_ENOMEM;
	default:
		break;
	}
	if (code == SQLITE_IOERR_NOMEM)
		return VT_ENOMEM;
	keep_reason(sql, code);
	logline(LOGLINE_ERROR, "store failed", "path=%s doing=%s code=%d says=%s",
		logline_quote(where, sizeof(where), bytes_str(sql->path)),
		logline_quote(act, sizeof(act), bytes_str(doing)), code,
		logline_quote(what, sizeof(what), bytes_str(sql->said)));
	return VT_EIO;
}

const char *sql_said(const struct sql *sql)
{
	return sql->said;
}

void sql_set_patience(struct sql *sql, uint64_t nanos)
{
	sql->busy_nanos = nanos;
}

/* -- contention ---------------------------------------------------------------------------------
 */

/*
 * SQLite's own handler sleeps longer and longer, up to a tenth of a second: a process that appends
 * all the time would starve one that waits so. Looking again after 50 microseconds to a millisecond
 * does not.
 */
static int wait_for_lock(void *ctx, int tries)
{
	struct sql *sql = ctx;
	const uint64_t now = clock_monotonic_nanos();

	if (tries == 0)
		sql->busy_since = now;
	if (now - sql->busy_since >= sql->busy_nanos)
		return 0;
	clock_pause((unsigned long)tries);
	return 1;
}

static int count_wal_pages(void *ctx, sqlite3 *db, const char *name, int pages)
{
	struct sql *sql = ctx;

	(void)db, (void)name;
	sql->wal_pages = pages;
	return SQLITE_OK;
}

/* -- connections --------------------------------------------------------------------------------
 */

/* SQLite's URI for a path: what could end or split it is escaped. */
static char *uri_of(const char *path, enum sql_mode mode)
{
	struct buf uri;
	enum vt_err err;

	buf_init(&uri);
	err = buf_append_str(&uri, "file:");
	for (; err == VT_OK && *path != '\0'; path++)
		err = *path == '%' || *path == '?' || *path == '#'
			  ? buf_appendf(&uri, "%%%02x", (unsigned)(unsigned char)*path)
			  : buf_append_byte(&uri, (uint8_t)*path);
	if (err == VT_OK && mode == SQL_FROZEN)
		err = buf_append_str(&uri, "?immutable=1");
	if (err == VT_OK)
		return buf_detach_str(&uri);
	buf_release(&uri);
	return NULL;
}

static enum vt_err explain(struct sql *sql, int code, const char *doing, char why[STORE_WHY_MAX])
{
	enum vt_err err = failed(sql, code, doing);

	(void)snprintf(why, STORE_WHY_MAX, "%.60s: %.180s", doing,
		       err == VT_EIO     ? sql->said
		       : sql->db != NULL ? sqlite3_errmsg(sql->db)
					 : vt_err_text(err));
	return err;
}

static enum vt_err execute(struct sql *sql, const char *text, const char *doing,
			   char why[STORE_WHY_MAX])
{
	const int code = sqlite3_exec(sql->db, text, NULL, NULL, NULL);

	return code == SQLITE_OK ? VT_OK : explain(sql, code, doing, why);
}

static enum vt_err connect_to(struct sql **out, const char *path, enum sql_mode mode,
			      uint64_t busy_nanos, char why[STORE_WHY_MAX])
{
	const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
			  (mode == SQL_SCRATCH  ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
			   : mode == SQL_WRITER ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI
						: SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
	struct sql *sql = calloc(1, sizeof(*sql));
	enum vt_err err = VT_ENOMEM;
	char *uri = NULL;
	int code;

	if (sql == NULL || (sql->path = strdup(path)) == NULL ||
	    (uri = mode == SQL_SCRATCH ? strdup(":memory:") : uri_of(path, mode)) == NULL)
		goto done;
	if ((err = merkle_hasher_init(&sql->hasher)) != VT_OK)
		goto done;
	sql->busy_nanos = busy_nanos;
	sql->durable = true;
	code = sqlite3_open_v2(uri, &sql->db, flags, NULL);
	if (code != SQLITE_OK) {
		err = explain(sql, code, "open", why);
		goto done;
	}
	(void)sqlite3_busy_handler(sql->db, wait_for_lock, sql);
	(void)sqlite3_db_config(sql->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(sql->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	/* Takes the place of SQLite's own checkpoints: see sql_tidy(). */
	(void)sqlite3_wal_hook(sql->db, count_wal_pages, sql);
	/* Before anything is read: also a connection that is given up now leaves the file alone. */
	sql_merge_at_close(sql, false);
	if ((err = execute(sql, sql_text_connect, "connect", why)) != VT_OK)
		goto done;
	*out = sql;
	sql = NULL; /* transferred */
done:
	free(uri);
	sql_close(sql);
	return err;
}

static enum vt_err prepare(struct sql *sql, int n, char why[STORE_WHY_MAX])
{
	for (int i = 0; i < n; i++) {
		const int code = sqlite3_prepare_v3(
		    sql->db, sql_text[i], -1, SQLITE_PREPARE_PERSISTENT, &sql->statement[i], NULL);

		if (code != SQLITE_OK)
			return explain(sql, code, "prepare", why);
	}
	return VT_OK;
}

struct first_row {
	int n;
	char text[32];
};

static int keep_first(void *ctx, int columns, char **value, char **name)
{
	struct first_row *row = ctx;

	(void)name;
	if (row->n++ == 0 && columns == 1 && value[0] != NULL)
		(void)snprintf(row->text, sizeof(row->text), "%s", value[0]);
	return 0;
}

static enum vt_err expect(struct sql *sql, const char *pragma, const char *expected,
			  const char *otherwise, char why[STORE_WHY_MAX])
{
	struct first_row row = {0};
	const int code = sqlite3_exec(sql->db, pragma, keep_first, &row, NULL);

	if (code == SQLITE_NOTADB) {
		(void)snprintf(why, STORE_WHY_MAX, "the file is not a database");
		return VT_ECONFLICT;
	}
	if (code != SQLITE_OK)
		return explain(sql, code, pragma, why);
	if (strcmp(row.text, expected) == 0)
		return VT_OK;
	(void)snprintf(why, STORE_WHY_MAX, "%s", otherwise);
	return VT_ECONFLICT;
}

/* Is this a log's store, in the form that this program knows? */
static enum vt_err recognise(struct sql *sql, char why[STORE_WHY_MAX])
{
	char id[32], version[32];
	enum vt_err err;

	(void)snprintf(id, sizeof(id), "%d", (int)APPLICATION_ID);
	(void)snprintf(version, sizeof(version), "%d", (int)SCHEMA_VERSION);
	if ((err = expect(sql, "PRAGMA application_id", id, "the database is another program's",
			  why)) != VT_OK ||
	    (err = expect(sql, "PRAGMA user_version", version,
			  "the store was made by another version of this program", why)) != VT_OK)
		return err;
	return VT_OK;
}

enum vt_err sql_open(struct sql **out, const char *path, enum sql_mode mode, uint64_t busy_nanos,
		     char why[STORE_WHY_MAX])
{
	struct sql *sql = NULL;
	enum vt_err err;

	*out = NULL;
	if ((err = connect_to(&sql, path, mode, busy_nanos, why)) != VT_OK)
		return err;
	if (mode == SQL_SCRATCH)
		err = execute(sql, sql_tables, "make the tables", why);
	if (err != VT_OK || (err = recognise(sql, why)) != VT_OK ||
	    (err = execute(sql,
			   mode == SQL_WRITER ? sql_text_connect_writer : sql_text_connect_reader,
			   "connect", why)) != VT_OK)
		goto done;
	if (mode == SQL_WRITER && sqlite3_db_readonly(sql->db, "main") == 1) {
		errno = 0;
		(void)access(path, W_OK);
		(void)snprintf(why, STORE_WHY_MAX, "it can be read and not be written: %s",
			       strerror(errno != 0 ? errno : EROFS));
		err = VT_EIO;
		goto done;
	}
	/* Kept in the file, so anybody may have changed it; without it readers would stop the
	 * writer. */
	if (mode == SQL_WRITER &&
	    (err = expect(sql, "PRAGMA journal_mode = WAL", "wal",
			  "the file system has no shared memory for a write-ahead log", why)) !=
		VT_OK)
		goto done;
	if ((err = prepare(sql, mode == SQL_WRITER ? SQL_STATEMENTS : SQL_READING_STATEMENTS,
			   why)) != VT_OK)
		goto done;
	*out = sql;
	sql = NULL; /* transferred */
done:
	sql_close(sql);
	return err;
}

enum vt_err sql_create(struct sql **out, const char *path, char why[STORE_WHY_MAX])
{
	struct sql *sql = NULL;
	enum vt_err err;

	*out = NULL;
	if ((err = connect_to(&sql, path, SQL_WRITER, 0, why)) != VT_OK)
		return err;
	if ((err = execute(sql, sql_text_create, "create", why)) != VT_OK ||
	    (err = execute(sql, sql_text_connect_writer, "connect", why)) != VT_OK ||
	    (err = execute(sql, sql_tables, "make the tables", why)) != VT_OK ||
	    (err = prepare(sql, SQL_STATEMENTS, why)) != VT_OK)
		goto done;
	*out = sql;
	sql = NULL; /* transferred */
done:
	sql_close(sql);
	return err;
}

void sql_merge_at_close(struct sql *sql, bool merge)
{
	(void)sqlite3_db_config(sql->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, merge ? 0 : 1, NULL);
}

void sql_close(struct sql *sql)
{
	if (sql == NULL)
		return;
	for (int i = 0; i < SQL_STATEMENTS; i++)
		(void)sqlite3_finalize(sql->statement[i]);
	/* May merge the write-ahead log: see sql_merge_at_close(). */
	(void)sqlite3_close(sql->db);
	merkle_hasher_release(&sql->hasher);
	free(sql->path);
	free(sql);
}

struct merkle_hasher *sql_hasher(struct sql *sql)
{
	return &sql->hasher;
}

/* -- transactions -------------------------------------------------------------------------------
 */

static enum vt_err run(struct sql *sql, enum sql_statement id)
{
	struct query q = query_start(sql, id);

	return query_run(&q);
}

enum vt_err sql_begin(struct sql *sql, bool durable)
{
	char why[STORE_WHY_MAX];
	enum vt_err err;

	if (durable != sql->durable) {
		if ((err = execute(sql, durable ? sql_text_durable : sql_text_quick, "set up",
				   why)) != VT_OK)
			return err;
		sql->durable = durable;
	}
	return run(sql, SQL_BEGIN);
}

enum vt_err sql_commit(struct sql *sql)
{
	return run(sql, SQL_COMMIT);
}

enum vt_err sql_rollback(struct sql *sql)
{
	/* Many errors have rolled back already. */
	if (sqlite3_get_autocommit(sql->db))
		return VT_OK;
	return run(sql, SQL_ROLLBACK) == VT_OK ? VT_OK : VT_EIO;
}

static int checkpoint(struct sql *sql, int mode)
{
	return sqlite3_wal_checkpoint_v2(sql->db, NULL, mode, NULL, NULL);
}

enum vt_err sql_settle(struct sql *sql)
{
	enum vt_err err = failed(sql, checkpoint(sql, SQLITE_CHECKPOINT_TRUNCATE), "settle");

	if (err == VT_OK)
		sql_merge_at_close(sql, true); /* nothing is left, and the files beside it go */
	return err;
}

enum vt_err sql_tidy(struct sql *sql)
{
	enum vt_err err;
	int code;

	if (sql->wal_pages < sql->tidied_at)
		sql->tidied_at = 0; /* it has started over */
	if (sql->wal_pages - sql->tidied_at < TIDY_PAGES)
		return VT_OK;
	sql->tidied_at = sql->wal_pages;
	code = checkpoint(sql, SQLITE_CHECKPOINT_PASSIVE);
	if (code == SQLITE_OK && sql->wal_pages >= TIDY_WAIT_PAGES) {
		const uint64_t busy_nanos = sql->busy_nanos;

		sql->busy_nanos = TIDY_WAIT_NANOS;
		code = checkpoint(sql, SQLITE_CHECKPOINT_RESTART);
		sql->busy_nanos = busy_nanos;
	}
	err = failed(sql, code, "move the write-ahead log");
	return err == VT_EBUSY ? VT_OK : err;
}

/* -- queries ------------------------------------------------------------------------------------
 */

static sqlite3_stmt *statement(const struct query *q)
{
	return q->sql->statement[q->id];
}

static void note(struct query *q, int code, const char *doing)
{
	if (q->err == VT_OK)
		q->err = failed(q->sql, code, doing);
}

struct query query_start(struct sql *sql, enum sql_statement id)
{
	struct query q = {.sql = sql, .id = id, .err = VT_OK};

	if (sqlite3_stmt_busy(sql->statement[id])) {
		q.err = VT_EINVAL;
		q.sql = NULL; /* not ours to end */
	}
	return q;
}

void query_bind_u64(struct query *q, int at, uint64_t value)
{
	if (q->err == VT_OK && value > INT64_MAX)
		q->err = VT_ELIMIT;
	if (q->err == VT_OK)
		note(q, sqlite3_bind_int64(statement(q), at, (sqlite3_int64)value), "bind");
}

void query_bind_bytes(struct query *q, int at, struct bytes value)
{
	/* A null pointer would bind NULL, which is not the empty blob. */
	if (q->err == VT_OK)
		note(q,
		     sqlite3_bind_blob64(statement(q), at,
					 value.len == 0 ? "" : (const char *)value.data, value.len,
					 SQLITE_STATIC),
		     "bind");
}

void query_bind_text(struct query *q, int at, const char *value)
{
	if (q->err == VT_OK)
		note(q, sqlite3_bind_text(statement(q), at, value, -1, SQLITE_STATIC), "bind");
}

bool query_row(struct query *q)
{
	int code;

	if (q->err != VT_OK)
		return false;
	code = sqlite3_step(statement(q));
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		note(q, code, sqlite3_sql(statement(q)));
	return q->err == VT_OK && code == SQLITE_ROW;
}

void query_broken(struct query *q, const char *what)
{
	char where[256];

	if (q->err != VT_OK)
		return;
	q->err = VT_EIO;
	logline(LOGLINE_ERROR, "store is broken", "path=%s what=\"%s\"",
		logline_quote(where, sizeof(where), bytes_str(q->sql->path)), what);
}

uint64_t query_u64(struct query *q, int column)
{
	sqlite3_int64 value = -1;

	if (q->err != VT_OK)
		return 0;
	if (sqlite3_column_type(statement(q), column) == SQLITE_INTEGER)
		value = sqlite3_column_int64(statement(q), column);
	if (value >= 0)
		return (uint64_t)value;
	query_broken(q, "a number is negative or not one");
	return 0;
}

struct bytes query_bytes(struct query *q, int column)
{
	const void *data;
	int len;

	if (q->err != VT_OK)
		return bytes_of(NULL, 0);
	if (sqlite3_column_type(statement(q), column) != SQLITE_BLOB) {
		query_broken(q, "bytes of another type");
		return bytes_of(NULL, 0);
	}
	data = sqlite3_column_blob(statement(q), column);
	len = sqlite3_column_bytes(statement(q), column);
	if (data == NULL && len != 0) {
		note(q, sqlite3_errcode(q->sql->db), "read a column");
		if (q->err == VT_OK)
			q->err = VT_ENOMEM;
		return bytes_of(NULL, 0);
	}
	return bytes_of(data, (size_t)len);
}

const char *query_text(struct query *q, int column)
{
	const unsigned char *text;

	if (q->err != VT_OK)
		return "";
	if (sqlite3_column_type(statement(q), column) != SQLITE_TEXT) {
		query_broken(q, "text of another type");
		return "";
	}
	text = sqlite3_column_text(statement(q), column);
	if (text == NULL) {
		q->err = VT_ENOMEM;
		return "";
	}
	return (const char *)text;
}

enum vt_err query_end(struct query *q)
{
	/* What sqlite3_reset() returns is the error that the last step gave already. */
	if (q->sql != NULL)
		(void)sqlite3_reset(statement(q));
	return q->err;
}

enum vt_err query_run(struct query *q)
{
	if (query_row(q))
		q->err = INTERNAL("a statement that changes something returned a row");
	return query_end(q);
}

uint64_t sql_changes(struct sql *sql)
{
	return (uint64_t)sqlite3_changes64(sql->db);
}
