-- Statements of every connection. Each is prepared once, under the name above it.

-- name: read_meta
SELECT name, value FROM meta ORDER BY name;

-- name: read_head
SELECT size, root, range FROM head WHERE id = 0;

-- name: read_entries
SELECT idx, keys, bytes FROM entry WHERE idx >= ?1 AND idx < ?2 ORDER BY idx;

-- name: read_tile
SELECT hashes FROM tile WHERE id = ?1;

-- name: read_published
SELECT seq, time, size, note, digest FROM checkpoint ORDER BY seq DESC LIMIT 1;

-- name: read_checkpoints
SELECT seq, time, size, note, digest FROM checkpoint WHERE seq > ?1 ORDER BY seq LIMIT ?2;

-- name: read_checkpoint_at
SELECT seq, time, size, note, digest FROM checkpoint WHERE time <= ?1 ORDER BY time DESC LIMIT 1;

-- name: read_checkpoint_size
SELECT seq, size FROM checkpoint WHERE seq >= ?1 ORDER BY seq LIMIT 1;

-- name: read_runs
SELECT version, next_id, list, digest FROM runs WHERE id = 0;

-- name: read_chunk
SELECT slots FROM chunk WHERE id = ?1;

-- Of the chunks with ids from ?1 to ?2: how many, how many bytes, and how many but ?3 that have not
-- ?4 bytes.
-- name: measure_chunks
SELECT count(*), coalesce(sum(length(slots)), 0),
	count(CASE WHEN length(slots) <> ?4 AND id <> ?3 THEN 1 END)
FROM chunk WHERE id BETWEEN ?1 AND ?2;

-- For fsck: one snapshot over all that follows.
-- name: begin_read
BEGIN;

-- name: end_read
COMMIT;

-- name: check_pages
PRAGMA integrity_check (100);

-- name: check_schema
SELECT type || ' ' || name || ' on ' || tbl_name || ': ' || coalesce(sql, '')
FROM sqlite_schema ORDER BY type, name;

-- name: check_head
SELECT count(*) FROM head;

-- name: check_entries
SELECT idx, length(keys), length(bytes), typeof(keys) = 'blob' AND typeof(bytes) = 'blob'
FROM entry ORDER BY idx;

-- name: check_tiles
SELECT id, length(hashes), typeof(hashes) = 'blob' FROM tile ORDER BY id;

-- name: check_checkpoints
SELECT seq, time, size, note, digest FROM checkpoint ORDER BY seq;

-- name: check_runs
SELECT count(*) FROM runs;

-- name: check_chunks
SELECT id, length(slots), typeof(slots) = 'blob' FROM chunk ORDER BY id;
