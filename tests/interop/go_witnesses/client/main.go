// Command client is a log that has its checkpoints cosigned, by other projects' code.
//
//	client logkey NAME FILE
//	    a log's key into FILE; prints its verifier key
//	client drive --witness URL --vkey VKEY --key FILE
//	    takes the witness through a growing log with transparency-dev/witness's client; each
//	    cosignature must verify with formats' and with torchwood's code, and each misdeed must come
//	    back as the error that the client has for it
//	client read --witness URL --vkey VKEY --log VKEY [--size N]
//	    the witness's /<origin hash>/checkpoint, verified with both
package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"filippo.io/torchwood"
	fnote "github.com/transparency-dev/formats/note"
	whttp "github.com/transparency-dev/witness/client/http"
	"github.com/transparency-dev/witness/witness"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("usage: client logkey|drive|read …")
	}
	if args[0] == "logkey" {
		skey, vkey, err := note.GenerateKey(rand.Reader, args[1])
		if err != nil {
			return err
		}
		fmt.Println(vkey)
		return os.WriteFile(args[2], []byte(skey), 0o600)
	}
	flags := flag.NewFlagSet(args[0], flag.ExitOnError)
	address := flags.String("witness", "", "URL")
	vkey := flags.String("vkey", "", "the witness's verifier key")
	key := flags.String("key", "", "drive: file with the log's key")
	logKey := flags.String("log", "", "read: the log's verifier key")
	size := flags.Int64("size", -1, "read: what it must be")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if args[0] == "read" {
		return read(*address, *vkey, *logKey, *size)
	}
	skey, err := os.ReadFile(*key)
	if err != nil {
		return err
	}
	return drive(*address, *vkey, string(skey))
}

// A log in memory. Leaves from `fork` on are another history's.
type memoryLog struct {
	signer note.Signer
	hashes []tlog.Hash
	size   int64
	fork   int64
}

func newLog(signer note.Signer, size, fork int64) (*memoryLog, error) {
	l := &memoryLog{signer: signer, fork: fork}
	return l, l.grow(size)
}

func (l *memoryLog) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		out[i] = l.hashes[at]
	}
	return out, nil
}

func (l *memoryLog) grow(size int64) error {
	for ; l.size < size; l.size++ {
		entry := fmt.Sprintf("entry %d", l.size)
		if l.size >= l.fork {
			entry += " of another history"
		}
		more, err := tlog.StoredHashes(l.size, []byte(entry), l)
		if err != nil {
			return err
		}
		l.hashes = append(l.hashes, more...)
	}
	return nil
}

func (l *memoryLog) checkpoint(size int64) ([]byte, error) {
	hash, err := tlog.TreeHash(size, l)
	if err != nil {
		return nil, err
	}
	if size == 0 {
		hash = sha256.Sum256(nil)
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", l.signer.Name(), size, hash)
	return note.Sign(&note.Note{Text: text}, l.signer)
}

func (l *memoryLog) proof(from, to int64) ([][]byte, error) {
	if from == 0 || from >= to {
		return nil, nil
	}
	proof, err := tlog.ProveTree(to, from, l)
	out := make([][]byte, len(proof))
	for i := range proof {
		out[i] = proof[i][:]
	}
	return out, err
}

type driver struct {
	witness whttp.Witness
	vkey    string
}

// push asks for a cosignature and returns it with the checkpoint it is for.
func (d *driver) push(l *memoryLog, from, to int64) ([]byte, uint64, error) {
	checkpoint, err := l.checkpoint(to)
	if err != nil {
		return nil, 0, err
	}
	proof, err := l.proof(from, to)
	if err != nil {
		return nil, 0, err
	}
	lines, size, err := d.witness.Update(context.Background(), uint64(from), checkpoint, proof)
	return append(checkpoint, lines...), size, err
}

func drive(address, vkey, skey string) error {
	signer, err := note.NewSigner(strings.TrimSpace(skey))
	if err != nil {
		return err
	}
	base, err := url.Parse(address)
	if err != nil {
		return err
	}
	d := &driver{whttp.NewWitness(base, http.DefaultClient), vkey}
	l, err := newLog(signer, 1100, 1<<62)
	if err != nil {
		return err
	}
	sizes := []int64{0, 0, 1, 1, 2, 3, 7, 8, 255, 256, 257, 1000}
	at := int64(0)
	for _, size := range sizes {
		cosigned, _, err := d.push(l, at, size)
		if err != nil {
			return fmt.Errorf("from %d to %d: %w", at, size, err)
		}
		if err := verify(cosigned, vkey); err != nil {
			return fmt.Errorf("size %d: %w", size, err)
		}
		at = size
	}
	fmt.Printf("%d checkpoints cosigned, each verified by formats and by torchwood\n", len(sizes))
	return d.misbehave(l, at)
}

func (d *driver) misbehave(l *memoryLog, at int64) error {
	expect := func(what string, from, to int64, with *memoryLog, want error) error {
		_, size, err := d.push(with, from, to)
		if !errors.Is(err, want) {
			return fmt.Errorf("%s: %v instead of %v", what, err, want)
		}
		if want == witness.ErrCheckpointStale && size != uint64(at) {
			return fmt.Errorf("%s: told size %d instead of %d", what, size, at)
		}
		return nil
	}
	other := func(name string) (*memoryLog, error) {
		skey, _, err := note.GenerateKey(rand.Reader, name)
		if err != nil {
			return nil, err
		}
		signer, err := note.NewSigner(skey)
		if err != nil {
			return nil, err
		}
		return newLog(signer, 1100, 1<<62)
	}
	forked, err := newLog(l.signer, 1100, at-1)
	if err != nil {
		return err
	}
	unknown, err := other("example.com/unknown")
	if err != nil {
		return err
	}
	stranger, err := other(l.signer.Name())
	if err != nil {
		return err
	}
	return errors.Join(
		expect("a stale old size", 257, at+1, l, witness.ErrCheckpointStale),
		expect("nothing known of the witness", 0, at+1, l, witness.ErrCheckpointStale),
		expect("an old size beyond the checkpoint's", at, at-1, l, witness.ErrOldSizeInvalid),
		expect("a fork", at, at+1, forked, witness.ErrInvalidProof),
		expect("another root at the same size", at, at, forked, witness.ErrInvalidProof),
		expect("an unknown origin", at, at+1, unknown, witness.ErrUnknownLog),
		expect("a stranger's signature", at, at+1, stranger, witness.ErrNoValidSignature),
	)
}

// verify holds a cosignature, made just now, against both projects' verifiers.
func verify(cosigned []byte, vkey string) error {
	theirs, err := fnote.NewVerifierForCosignatureV1(vkey)
	if err != nil {
		return err
	}
	if _, err := note.Open(cosigned, note.VerifierList(theirs)); err != nil {
		return fmt.Errorf("formats: %w", err)
	}
	verifier, err := torchwood.NewCosignatureVerifier(vkey)
	if err != nil {
		return err
	}
	n, err := note.Open(cosigned, note.VerifierList(verifier))
	if err != nil {
		return fmt.Errorf("torchwood: %w", err)
	}
	seconds, err := torchwood.CosignatureTimestamp(n.Sigs[0])
	if err != nil {
		return err
	}
	if age := time.Since(time.Unix(seconds, 0)); age < -time.Minute || age > 10*time.Minute {
		return fmt.Errorf("cosigned at %d", seconds)
	}
	return nil
}

func read(address, vkey, logKey string, size int64) error {
	log, err := note.NewVerifier(logKey)
	if err != nil {
		return err
	}
	resp, err := http.Get(fmt.Sprintf("%s/%x/checkpoint", address, sha256.Sum256([]byte(log.Name()))))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", resp.Status, body)
	}
	if err := verify(body, vkey); err != nil {
		return err
	}
	witness, err := torchwood.NewCosignatureVerifier(vkey)
	if err != nil {
		return err
	}
	n, err := note.Open(body, note.VerifierList(log, witness))
	if err != nil {
		return err
	}
	if len(n.Sigs) != 2 || len(n.UnverifiedSigs) != 0 {
		return fmt.Errorf("%d signatures verify, %d are others'", len(n.Sigs), len(n.UnverifiedSigs))
	}
	c, err := torchwood.ParseCheckpoint(n.Text)
	if err != nil {
		return err
	}
	if size >= 0 && c.N != size {
		return fmt.Errorf("size %d instead of %d", c.N, size)
	}
	fmt.Printf("read back at size %d, signed by the log and cosigned\n", c.N)
	return nil
}
