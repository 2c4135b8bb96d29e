-- Settings of a connection, executed as text: most pragmas act while they are compiled.

-- Before a new file's first table.
-- name: create
PRAGMA page_size = 16384; -- 1 KiB entries go in half again as fast as with 4 KiB pages
PRAGMA journal_mode = WAL;

-- name: connect
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA temp_store = MEMORY;

-- name: connect_reader
PRAGMA query_only = ON;
PRAGMA cache_size = -2048; -- KiB; one connection per thread

-- What is logged is public: overwriting what index runs leave behind buys nothing.
-- name: connect_writer
PRAGMA cache_size = -16384;
PRAGMA secure_delete = OFF;
PRAGMA journal_size_limit = 67108864;
PRAGMA synchronous = FULL;

-- name: durable
PRAGMA synchronous = FULL;

-- A crash of the machine may take the transaction back, whole.
-- name: quick
PRAGMA synchronous = NORMAL;
