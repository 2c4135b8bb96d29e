// Command rawlog grows a raw log and reads it back with other projects' code.
//
//	rawlog grow --log URL --record FILE --to SIZE
//	rawlog read --with tlog|tessera --log URL --vkey FILE --record FILE --state DIR
//
// FILE has one entry a line, in base64, in the order of the log: grow writes it from what was
// posted and the indexes that came back, read expects to find exactly that. DIR keeps every
// checkpoint that a reader has verified; each later one must be consistent with all of them.
package main

import (
	"bufio"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) < 2 {
		fatal(errors.New("usage: rawlog grow|read …"))
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	url := flags.String("log", "", "the log's URL")
	record := flags.String("record", "", "file with the entries, one a line, in base64")
	to := flags.Int64("to", 0, "grow: the size to reach")
	with := flags.String("with", "", "read: tlog or tessera")
	vkey := flags.String("vkey", "", "read: file with the log's verifier key")
	state := flags.String("state", "", "read: folder for verified checkpoints")
	if err := flags.Parse(os.Args[2:]); err != nil {
		fatal(err)
	}
	base := strings.TrimSuffix(*url, "/") + "/"

	switch os.Args[1] {
	case "grow":
		if err := grow(base, *record, *to); err != nil {
			fatal(err)
		}
	case "read":
		r, err := newReader(base, *vkey, *record, *state)
		if err == nil {
			switch *with {
			case "tlog":
				err = r.readWithTlog()
			case "tessera":
				err = r.readWithTessera()
			default:
				err = fmt.Errorf("--with %q: not tlog, not tessera", *with)
			}
		}
		if err != nil {
			fatal(err)
		}
	default:
		fatal(fmt.Errorf("no subcommand %q", os.Args[1]))
	}
}

func fatal(err error) {
	fmt.Fprintf(os.Stderr, "rawlog: %v\n", err)
	os.Exit(1)
}

// A reader is what both implementations start from: the log, its key, what must be in it, and the
// checkpoints verified on earlier runs.
type reader struct {
	base     string
	verifier note.Verifier
	entries  [][]byte
	seen     []seenCheckpoint
	state    string
}

type seenCheckpoint struct {
	raw  []byte
	size int64
	root tlog.Hash
}

func newReader(base, vkey, record, state string) (*reader, error) {
	key, err := os.ReadFile(vkey)
	if err != nil {
		return nil, err
	}
	r := &reader{base: base, state: state}
	if r.verifier, err = note.NewVerifier(strings.TrimSpace(string(key))); err != nil {
		return nil, err
	}
	if r.entries, err = readRecord(record); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(state, "checkpoint.*"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		cp, err := r.openCheckpoint(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		r.seen = append(r.seen, *cp)
	}
	return r, nil
}

// openCheckpoint verifies a checkpoint with x/mod's signed notes and reads its three lines.
func (r *reader) openCheckpoint(raw []byte) (*seenCheckpoint, error) {
	n, err := note.Open(raw, note.VerifierList(r.verifier))
	if err != nil {
		return nil, err
	}
	lines := strings.SplitN(n.Text, "\n", 4)
	if len(lines) != 4 || lines[0] != r.verifier.Name() {
		return nil, fmt.Errorf("no checkpoint of %s: %q", r.verifier.Name(), n.Text)
	}
	cp := &seenCheckpoint{raw: raw}
	if cp.size, err = strconv.ParseInt(lines[1], 10, 64); err != nil {
		return nil, err
	}
	if cp.root, err = tlog.ParseHash(lines[2]); err != nil {
		return nil, err
	}
	return cp, nil
}

// remember keeps a checkpoint that held, for the runs after this one.
func (r *reader) remember(raw []byte, size int64) error {
	if err := os.MkdirAll(r.state, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.state, fmt.Sprintf("checkpoint.%d", size)), raw, 0o644)
}

func (r *reader) expectSize(size int64) error {
	if size != int64(len(r.entries)) {
		return fmt.Errorf("the checkpoint's size is %d, and %d entries were appended", size, len(r.entries))
	}
	return nil
}

func readRecord(file string) ([][]byte, error) {
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var entries [][]byte
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		entry, err := base64.StdEncoding.DecodeString(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", file, len(entries)+1, err)
		}
		entries = append(entries, entry)
	}
	return entries, lines.Err()
}
