-- Statements of the connection that writes. Each is prepared once, under the name above it.

-- name: begin
BEGIN IMMEDIATE;

-- name: commit
COMMIT;

-- name: rollback
ROLLBACK;

-- name: add_meta
INSERT INTO meta (name, value) VALUES (?1, ?2);

-- name: add_head
INSERT INTO head (id, size, root, range) VALUES (0, 0, ?1, x'');

-- name: add_runs
INSERT INTO runs (id, version, next_id, list, digest) VALUES (0, ?1, ?2, ?3, ?4);

-- name: write_head
UPDATE head SET size = ?1, root = ?2, range = ?3 WHERE id = 0;

-- With drop_probe a write that changes nothing: a page has to go to the disk. (One that is written over with what it holds would not.)
-- name: add_probe
INSERT INTO chunk (id, slots) VALUES (-1, x'');

-- name: drop_probe
DELETE FROM chunk WHERE id = -1;

-- name: add_entry
INSERT INTO entry (idx, keys, bytes) VALUES (?1, ?2, ?3);

-- name: add_tile
INSERT INTO tile (id, hashes) VALUES (?1, ?2);

-- name: grow_tile
UPDATE tile SET hashes = ?2 WHERE id = ?1;

-- name: drop_checkpoint
DELETE FROM checkpoint WHERE time = ?1;

-- name: add_checkpoint
INSERT INTO checkpoint (seq, time, size, note, digest) VALUES (?1, ?2, ?3, ?4, ?5);

-- name: write_runs
UPDATE runs SET version = ?1, next_id = ?2, list = ?3, digest = ?4 WHERE id = 0;

-- name: write_chunk
INSERT OR REPLACE INTO chunk (id, slots) VALUES (?1, ?2);

-- A slice, so that commits get in between.
-- name: drop_chunks
DELETE FROM chunk WHERE id IN (SELECT id FROM chunk WHERE id BETWEEN ?1 AND ?2 LIMIT ?3);
