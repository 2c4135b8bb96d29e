/* How the values of store.h stand in the rows of schema/sqlite_tables.sql. */
#ifndef STORE_SQLITE_ROWS_H
#define STORE_SQLITE_ROWS_H

#include "rules.h"
#include "sql.h"

enum {
	ROWS_RUN_SIZE = 5 * 8,
	ROWS_SLOT_SIZE = 2 * 8,
	ROWS_CHUNK_SIZE = STORE_CHUNK_SLOTS * ROWS_SLOT_SIZE,
	ROWS_CHUNK_BITS = 32, /* of a chunk's id, for its number in the run */
	ROWS_LEVEL_BITS = 3,  /* of a tile's id */
};

/* Ids beyond 2^63 - 1 belong to no row: VT_ELIMIT. */
enum vt_err rows_tile_id(uint64_t *id, unsigned level, uint64_t index);
enum vt_err rows_chunk_id(uint64_t *id, uint64_t run, uint64_t chunk);

/* The row, or VT_EIO if it is missing or broken. */
enum vt_err rows_read_head(struct sql *sql, struct tree_state *out);
enum vt_err rows_read_runs(struct sql *sql, struct store_runs *out);
/* In the row's place; `id` is SQL_ADD_RUNS or SQL_WRITE_RUNS. */
enum vt_err rows_write_runs(struct sql *sql, enum sql_statement id, const struct store_runs *runs);

/* The checkpoint in the row of q, whose digest holds. */
enum vt_err rows_checkpoint(struct query *q, struct store_checkpoint *out);
enum vt_err rows_write_checkpoint(struct sql *sql, const struct store_checkpoint *cp);

/* Slots as the blob of a chunk. n of them from out. */
void rows_pack_slots(uint8_t out[ROWS_CHUNK_SIZE], const struct index_slot *slot, size_t n);
/* VT_EIO: no whole number of slots from 1 to STORE_CHUNK_SLOTS. */
enum vt_err rows_unpack_slots(struct index_slot out[STORE_CHUNK_SLOTS], size_t *n,
			      struct bytes blob);

/* VT_EIO if a member is missing or not what it should be, or, where `strict`, if there are others or they do
 * not have their digest. what, if not NULL, says what is wrong. *out is the caller's to release. */
enum vt_err rows_read_identity(struct sql *sql, struct store_identity *out, bool strict,
			       const char **what);
enum vt_err rows_write_identity(struct sql *sql, const struct store_identity *identity);

#endif
