package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// readWithTlog reads the whole log with golang.org/x/mod/sumdb/tlog: the Go checksum database's
// client code, which knows nothing of this server.
func (r *reader) readWithTlog() error {
	tiles := &tileReader{base: r.base, cache: map[string][]byte{}}
	raw, err := tiles.get("checkpoint")
	if err != nil {
		return err
	}
	cp, err := r.openCheckpoint(raw)
	if err != nil {
		return err
	}
	if err := r.expectSize(cp.size); err != nil {
		return err
	}
	hashes := tlog.TileHashReader(tlog.Tree{N: cp.size, Hash: cp.root}, tiles)

	if err := tiles.checkEntries(r.entries); err != nil {
		return err
	}
	for i, entry := range r.entries {
		proof, err := tlog.ProveRecord(cp.size, int64(i), hashes)
		if err != nil {
			return fmt.Errorf("inclusion of %d in %d: %w", i, cp.size, err)
		}
		if err := tlog.CheckRecord(proof, cp.size, cp.root, int64(i), tlog.RecordHash(entry)); err != nil {
			return fmt.Errorf("inclusion of %d in %d: %w", i, cp.size, err)
		}
	}
	for _, old := range r.seen {
		proof, err := tlog.ProveTree(cp.size, old.size, hashes)
		if err != nil {
			return fmt.Errorf("consistency of %d with %d: %w", old.size, cp.size, err)
		}
		if err := tlog.CheckTree(proof, cp.size, cp.root, old.size, old.root); err != nil {
			return fmt.Errorf("consistency of %d with %d: %w", old.size, cp.size, err)
		}
	}
	fmt.Printf("tlog: size %d: %d entries, %d inclusion proofs, %d consistency proofs\n",
		cp.size, len(r.entries), len(r.entries), len(r.seen))
	return r.remember(raw, cp.size)
}

// tileReader is a tlog.TileReader over HTTP. It keeps what it has read: a run has one tree size,
// so a path never changes its meaning.
type tileReader struct {
	base  string
	cache map[string][]byte
}

func (t *tileReader) Height() int { return 8 }

func (t *tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func (t *tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		// The checksum database has the height in the path, tlog-tiles has 8 for all.
		data, err := t.get(strings.Replace(tile.Path(), "tile/8/", "tile/", 1))
		if err != nil {
			return nil, err
		}
		all = append(all, data)
	}
	return all, nil
}

func (t *tileReader) get(path string) ([]byte, error) {
	if data, ok := t.cache[path]; ok {
		return data, nil
	}
	resp, err := http.Get(t.base + path)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, resp.Status)
	}
	t.cache[path] = data
	return data, nil
}

// checkEntries compares every entry bundle (entries, each after its length in two bytes) with what
// was appended.
func (t *tileReader) checkEntries(want [][]byte) error {
	for first := 0; first < len(want); first += 256 {
		bundle := tlog.Tile{H: 8, L: -1, N: int64(first / 256), W: min(256, len(want)-first)}
		path := strings.Replace(bundle.Path(), "tile/8/data/", "tile/entries/", 1)
		data, err := t.get(path)
		if err != nil {
			return err
		}
		for i := range bundle.W {
			if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
				return fmt.Errorf("%s: cut short at entry %d", path, i)
			}
			entry := data[2 : 2+int(binary.BigEndian.Uint16(data))]
			data = data[2+len(entry):]
			if !bytes.Equal(entry, want[first+i]) {
				return fmt.Errorf("entry %d is not what was appended", first+i)
			}
		}
		if len(data) != 0 {
			return fmt.Errorf("%s: %d bytes too many", path, len(data))
		}
	}
	return nil
}
