#include "sqlite_rows.h"

#include <stdlib.h>
#include <string.h>

static void put_u64(uint8_t out[8], uint64_t value)
{
	for (int i = 7; i >= 0; i--, value >>= 8)
		out[i] = (uint8_t)value;
}

static uint64_t get_u64(const uint8_t in[8])
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | in[i];
	return value;
}

enum vt_err rows_tile_id(uint64_t *id, unsigned level, uint64_t index)
{
	if (level >= 1u << ROWS_LEVEL_BITS || index > (uint64_t)INT64_MAX >> ROWS_LEVEL_BITS)
		return VT_ELIMIT;
	*id = index << ROWS_LEVEL_BITS | level;
	return VT_OK;
}

enum vt_err rows_chunk_id(uint64_t *id, uint64_t run, uint64_t chunk)
{
	if (chunk >> ROWS_CHUNK_BITS != 0 || run > (uint64_t)INT64_MAX >> ROWS_CHUNK_BITS)
		return VT_ELIMIT;
	*id = run << ROWS_CHUNK_BITS | chunk;
	return VT_OK;
}

/* -- head ---------------------------------------------------------------------------------------
 */

static void unpack_head(struct query *q, struct tree_state *out)
{
	const uint64_t size = query_u64(q, 0);
	const struct bytes root = query_bytes(q, 1);
	const struct bytes range = query_bytes(q, 2);

	if (q->err != VT_OK)
		return;
	*out = (struct tree_state){.head.size = size, .range.size = size};
	out->range.n = range.len / MERKLE_HASH_SIZE;
	if (root.len != MERKLE_HASH_SIZE || range.len % MERKLE_HASH_SIZE != 0 ||
	    out->range.n > MERKLE_RANGE_MAX || !tree_state_valid(out)) {
		query_broken(q, "head");
		return;
	}
	memcpy(out->head.root.b, root.data, root.len);
	if (range.len != 0)
		memcpy(out->range.node, range.data, range.len);
}

enum vt_err rows_read_head(struct sql *sql, struct tree_state *out)
{
	struct query q = query_start(sql, SQL_READ_HEAD);

	if (query_row(&q))
		unpack_head(&q, out);
	else
		query_broken(&q, "head is missing");
	return query_end(&q);
}

/* -- runs ---------------------------------------------------------------------------------------
 */

static enum vt_err runs_digest(struct merkle_hash *out, struct sql *sql, uint64_t version,
			       uint64_t next_id, struct bytes list)
{
	uint8_t numbers[16];
	const struct bytes part[] = {bytes_str("runs"), bytes_of(numbers, sizeof(numbers)), list};

	put_u64(numbers, version);
	put_u64(numbers + 8, next_id);
	return merkle_sha256(out, sql_hasher(sql), part, 3);
}

static void unpack_runs(struct query *q, struct store_runs *out)
{
	const uint64_t version = query_u64(q, 0);
	const uint64_t next_id = query_u64(q, 1);
	const struct bytes list = query_bytes(q, 2);
	const struct bytes digest = query_bytes(q, 3);
	struct merkle_hash expected;

	if (q->err != VT_OK ||
	    (q->err = runs_digest(&expected, q->sql, version, next_id, list)) != VT_OK)
		return;
	if (!bytes_equal(digest, bytes_of(expected.b, sizeof(expected.b))) ||
	    list.len % ROWS_RUN_SIZE != 0 || list.len / ROWS_RUN_SIZE > STORE_RUNS_MAX) {
		query_broken(q, "runs");
		return;
	}
	out->version = version;
	out->next_id = next_id;
	out->n = list.len / ROWS_RUN_SIZE;
	for (size_t i = 0; i < out->n; i++) {
		const uint8_t *at = list.data + i * ROWS_RUN_SIZE;

		out->run[i] = (struct store_run){
		    .id = get_u64(at),
		    .level = (unsigned)get_u64(at + 8),
		    .first = get_u64(at + 16),
		    .end = get_u64(at + 24),
		    .slots = get_u64(at + 32),
		};
	}
}

enum vt_err rows_read_runs(struct sql *sql, struct store_runs *out)
{
	struct query q = query_start(sql, SQL_READ_RUNS);

	if (query_row(&q))
		unpack_runs(&q, out);
	else
		query_broken(&q, "the list of runs is missing");
	return query_end(&q);
}

enum vt_err rows_write_runs(struct sql *sql, enum sql_statement id, const struct store_runs *runs)
{
	uint8_t list[STORE_RUNS_MAX * ROWS_RUN_SIZE];
	struct merkle_hash digest;
	struct bytes listed;
	struct query q;
	enum vt_err err;

	for (size_t i = 0; i < runs->n; i++) {
		uint8_t *at = list + i * ROWS_RUN_SIZE;

		put_u64(at, runs->run[i].id);
		put_u64(at + 8, runs->run[i].level);
		put_u64(at + 16, runs->run[i].first);
		put_u64(at + 24, runs->run[i].end);
		put_u64(at + 32, runs->run[i].slots);
	}
	listed = bytes_of(list, runs->n * ROWS_RUN_SIZE);
	if ((err = runs_digest(&digest, sql, runs->version, runs->next_id, listed)) != VT_OK)
		return err;
	q = query_start(sql, id);
	query_bind_u64(&q, 1, runs->version);
	query_bind_u64(&q, 2, runs->next_id);
	query_bind_bytes(&q, 3, listed);
	query_bind_bytes(&q, 4, bytes_of(digest.b, sizeof(digest.b)));
	return query_run(&q);
}

void rows_pack_slots(uint8_t out[ROWS_CHUNK_SIZE], const struct index_slot *slot, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		put_u64(out + i * ROWS_SLOT_SIZE, slot[i].prefix);
		put_u64(out + i * ROWS_SLOT_SIZE + 8, slot[i].index);
	}
}

enum vt_err rows_unpack_slots(struct index_slot out[STORE_CHUNK_SLOTS], size_t *n,
			      struct bytes blob)
{
	*n = 0;
	if (blob.len == 0 || blob.len % ROWS_SLOT_SIZE != 0 || blob.len > ROWS_CHUNK_SIZE)
		return VT_EIO;
	*n = blob.len / ROWS_SLOT_SIZE;
	for (size_t i = 0; i < *n; i++) {
		out[i].prefix = get_u64(blob.data + i * ROWS_SLOT_SIZE);
		out[i].index = get_u64(blob.data + i * ROWS_SLOT_SIZE + 8);
	}
	return VT_OK;
}

/* -- checkpoints --------------------------------------------------------------------------------
 */

static enum vt_err checkpoint_digest(struct merkle_hash *out, struct sql *sql,
				     const struct store_checkpoint *cp)
{
	uint8_t numbers[24];
	const struct bytes part[] = {bytes_str("checkpoint"), bytes_of(numbers, sizeof(numbers)),
				     cp->note};

	put_u64(numbers, cp->seq);
	put_u64(numbers + 8, cp->time);
	put_u64(numbers + 16, cp->size);
	return merkle_sha256(out, sql_hasher(sql), part, 3);
}

enum vt_err rows_checkpoint(struct query *q, struct store_checkpoint *out)
{
	struct merkle_hash expected;
	struct bytes digest;

	out->seq = query_u64(q, 0);
	out->time = query_u64(q, 1);
	out->size = query_u64(q, 2);
	out->note = query_bytes(q, 3);
	digest = query_bytes(q, 4);
	if (q->err == VT_OK && (q->err = checkpoint_digest(&expected, q->sql, out)) == VT_OK &&
	    !bytes_equal(digest, bytes_of(expected.b, sizeof(expected.b))))
		query_broken(q, "a checkpoint does not have its digest");
	return q->err;
}

enum vt_err rows_write_checkpoint(struct sql *sql, const struct store_checkpoint *cp)
{
	struct merkle_hash digest;
	struct query q;
	enum vt_err err;

	if ((err = checkpoint_digest(&digest, sql, cp)) != VT_OK)
		return err;
	q = query_start(sql, SQL_ADD_CHECKPOINT);
	query_bind_u64(&q, 1, cp->seq);
	query_bind_u64(&q, 2, cp->time);
	query_bind_u64(&q, 3, cp->size);
	query_bind_bytes(&q, 4, cp->note);
	query_bind_bytes(&q, 5, bytes_of(digest.b, sizeof(digest.b)));
	return query_run(&q);
}

/* -- identity -----------------------------------------------------------------------------------
 */

/* The rows of meta. The digest is of the others. */
enum { CENTRE, DIGEST, MODE, ORIGIN, VKEY, MEMBERS };
static const char *const member_name[MEMBERS] = {"centre", "digest", "mode", "origin", "vkey"};

static void members_of(struct bytes out[MEMBERS], const struct store_identity *identity)
{
	out[CENTRE] = identity->centre;
	out[DIGEST] = bytes_of(NULL, 0);
	out[MODE] = bytes_str(identity->mode);
	out[ORIGIN] = bytes_str(identity->origin);
	out[VKEY] = bytes_str(identity->vkey);
}

/* Each with its length, so that no byte can move from one to the next. */
static enum vt_err identity_digest(struct merkle_hash *out, struct sql *sql,
				   const struct bytes member[MEMBERS])
{
	uint8_t length[MEMBERS][8];
	struct bytes part[2 * MEMBERS];

	for (int i = 0; i < MEMBERS; i++) {
		const struct bytes it = i == DIGEST ? bytes_str("identity") : member[i];

		put_u64(length[i], it.len);
		part[2 * i] = bytes_of(length[i], sizeof(length[i]));
		part[2 * i + 1] = it;
	}
	return merkle_sha256(out, sql_hasher(sql), part, 2 * MEMBERS);
}

static void keep_member(struct query *q, struct buf member[MEMBERS], bool found[MEMBERS],
			bool strict, const char **what)
{
	const char *name = query_text(q, 0);
	const struct bytes value = query_bytes(q, 1);

	if (q->err != VT_OK)
		return;
	for (int i = 0; i < MEMBERS; i++)
		if (strcmp(name, member_name[i]) == 0) {
			found[i] = true;
			q->err = buf_append(&member[i], value);
			return;
		}
	*what = "there is a member that no identity has";
	if (strict)
		query_broken(q, *what);
}

static const char *member_text(struct buf *member)
{
	/* A NUL inside would hide what follows it. */
	if (member->len != 0 && memchr(member->data, '\0', member->len) != NULL)
		return NULL;
	return buf_append_byte(member, '\0') == VT_OK ? (const char *)member->data : NULL;
}

static enum vt_err judge_identity(struct store_identity *out, struct sql *sql,
				  struct buf member[MEMBERS], bool strict, const char **what)
{
	struct store_identity identity;
	struct bytes bytes[MEMBERS];
	struct merkle_hash digest;
	enum vt_err err;

	for (int i = 0; i < MEMBERS; i++)
		bytes[i] = buf_bytes(&member[i]);
	if ((err = identity_digest(&digest, sql, bytes)) != VT_OK)
		return err;
	if (!bytes_equal(bytes[DIGEST], bytes_of(digest.b, sizeof(digest.b)))) {
		*what = "it does not have its digest";
		if (strict)
			return VT_EIO;
	}
	identity.centre = buf_bytes(&member[CENTRE]);
	identity.mode = member_text(&member[MODE]);
	identity.origin = member_text(&member[ORIGIN]);
	identity.vkey = member_text(&member[VKEY]);
	err = identity_copy(out, &identity);
	if (err == VT_EINVAL) {
		*what = "a member is not what it should be";
		return VT_EIO;
	}
	return err;
}

enum vt_err rows_read_identity(struct sql *sql, struct store_identity *out, bool strict,
			       const char **what)
{
	struct query q = query_start(sql, SQL_READ_META);
	struct buf member[MEMBERS];
	bool found[MEMBERS] = {false};
	const char *ignored = NULL;
	enum vt_err err;

	if (what == NULL)
		what = &ignored;
	for (int i = 0; i < MEMBERS; i++)
		buf_init(&member[i]);
	while (query_row(&q))
		keep_member(&q, member, found, strict, what);
	for (int i = 0; i < MEMBERS; i++)
		if (q.err == VT_OK && !found[i]) {
			*what = "a member is missing";
			query_broken(&q, *what);
		}
	err = query_end(&q);
	if (err == VT_OK)
		err = judge_identity(out, sql, member, strict, what);
	for (int i = 0; i < MEMBERS; i++)
		buf_release(&member[i]);
	return err;
}

enum vt_err rows_write_identity(struct sql *sql, const struct store_identity *identity)
{
	struct bytes member[MEMBERS];
	struct merkle_hash digest;
	enum vt_err err;

	members_of(member, identity);
	if ((err = identity_digest(&digest, sql, member)) != VT_OK)
		return err;
	member[DIGEST] = bytes_of(digest.b, sizeof(digest.b));
	for (int i = 0; i < MEMBERS && err == VT_OK; i++) {
		struct query q = query_start(sql, SQL_ADD_META);

		query_bind_text(&q, 1, member_name[i]);
		query_bind_bytes(&q, 2, member[i]);
		err = query_run(&q);
	}
	return err;
}
