-- A log in one SQLite file. Every row of entry, tile and chunk is found by a number that grows: an
-- append writes at the right edge of its tree and nowhere else.
-- What each column can be checked against is listed in server/DESIGN.md, "Store".

PRAGMA application_id = 0x5674726e; -- "Vtrn"
PRAGMA user_version = 1;            -- of this schema; another one is refused

-- What the log is: origin, vkey, mode, centre, and a digest of them.
CREATE TABLE meta (
	name TEXT NOT NULL PRIMARY KEY,
	value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One row. range: the hashes of the compact range, as many as size has bits set.
CREATE TABLE head (
	id INTEGER PRIMARY KEY CHECK (id = 0),
	size INTEGER NOT NULL,
	root BLOB NOT NULL,
	range BLOB NOT NULL
) STRICT;

-- keys before bytes: a scan of the keys need not follow a large entry's overflow pages.
CREATE TABLE entry (
	idx INTEGER PRIMARY KEY,
	keys BLOB NOT NULL,
	bytes BLOB NOT NULL
) STRICT;

-- id: tile index << 3 | level. A row grows in place until it has 256 hashes.
CREATE TABLE tile (
	id INTEGER PRIMARY KEY,
	hashes BLOB NOT NULL
) STRICT;

-- The one with the highest seq is the published one. digest: of the other columns.
CREATE TABLE checkpoint (
	seq INTEGER PRIMARY KEY,
	time INTEGER NOT NULL,
	size INTEGER NOT NULL,
	note BLOB NOT NULL,
	digest BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX checkpoint_time ON checkpoint (time);

-- One row. list: id, level, first, end, slots of each run, 8 bytes each. digest: of the other columns.
CREATE TABLE runs (
	id INTEGER PRIMARY KEY CHECK (id = 0),
	version INTEGER NOT NULL,
	next_id INTEGER NOT NULL,
	list BLOB NOT NULL,
	digest BLOB NOT NULL
) STRICT;

-- id: run << 32 | number of the chunk. slots: prefix and index of each, 8 bytes each.
CREATE TABLE chunk (
	id INTEGER PRIMARY KEY,
	slots BLOB NOT NULL
) STRICT;
