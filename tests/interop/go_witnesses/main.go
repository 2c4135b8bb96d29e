// Command witnesses holds a log that asks witnesses against other projects' code.
//
//	witnesses keygen NAME FILE
//	    an omniwitness's signing key into FILE; prints the verifier key of its cosignatures
//	witnesses verify --with torchwood|formats --policy FILE --entry FILE PROOF
//	    does their code accept this tlog-proof file for that entry under that policy?
//	witnesses prove --with torchwood|formats --policy FILE --log URL --index N [--extra FILE]
//	    a tlog-proof file of their making, from what the log serves as tiles
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"crypto/rand"

	"filippo.io/torchwood"
	flog "github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	fproof "github.com/transparency-dev/formats/proof"
	fwitness "github.com/transparency-dev/formats/witness"
	mproof "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "witnesses:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("usage: witnesses keygen|verify|prove …")
	}
	if args[0] == "keygen" {
		return keygen(args[1], args[2])
	}
	flags := flag.NewFlagSet(args[0], flag.ExitOnError)
	with := flags.String("with", "", "torchwood or formats")
	policy := flags.String("policy", "", "file")
	entry := flags.String("entry", "", "verify: file with the entry")
	url := flags.String("log", "", "prove: the log's URL")
	index := flags.Int64("index", 0, "prove: which entry")
	extra := flags.String("extra", "", "prove: file for the extra line")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	policyText, err := os.ReadFile(*policy)
	if err != nil {
		return err
	}
	if args[0] == "prove" {
		return prove(*with, policyText, *url, *index, *extra)
	}
	record, err := os.ReadFile(*entry)
	if err != nil {
		return err
	}
	proof, err := os.ReadFile(flags.Arg(0))
	if err != nil {
		return err
	}
	if *with == "torchwood" {
		return verifyWithTorchwood(policyText, record, proof)
	}
	return verifyWithFormats(policyText, record, proof)
}

func keygen(name, file string) error {
	skey, vkey, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		return err
	}
	if vkey, err = fnote.VKeyToCosignatureV1(vkey); err != nil {
		return err
	}
	fmt.Println(vkey)
	return os.WriteFile(file, []byte(skey), 0o600)
}

func verifyWithTorchwood(policyText, record, proof []byte) error {
	policy, err := torchwood.ParsePolicy(policyText)
	if err != nil {
		return err
	}
	return torchwood.VerifyProof(policy, tlog.RecordHash(record), proof)
}

// The policy's log line, which formats leaves to its caller.
func logVerifier(policyText []byte) (note.Verifier, error) {
	for _, line := range strings.Split(string(policyText), "\n") {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "log" {
			return note.NewVerifier(f[1])
		}
	}
	return nil, errors.New("the policy has no log line")
}

func verifyWithFormats(policyText, record, proof []byte) error {
	var p fproof.TLogProof
	if err := p.Unmarshal(proof); err != nil {
		return err
	}
	verifier, err := logVerifier(policyText)
	if err != nil {
		return err
	}
	cp, _, _, err := flog.ParseCheckpoint(p.Checkpoint, verifier.Name(), verifier)
	if err != nil {
		return err
	}
	quorum, err := fwitness.ParsePolicy(policyText)
	if err != nil {
		return err
	}
	if !quorum.Satisfied(p.Checkpoint) {
		return errors.New("the quorum is missing")
	}
	var hashes [][]byte
	for i := range p.Hashes {
		hashes = append(hashes, p.Hashes[i][:])
	}
	leaf := rfc6962.DefaultHasher.HashLeaf(record)
	return mproof.VerifyInclusion(rfc6962.DefaultHasher, p.Index, cp.Size, leaf, hashes, cp.Hash)
}

func prove(with string, policyText []byte, url string, index int64, extraFile string) error {
	var extra []byte
	if extraFile != "" {
		var err error
		if extra, err = os.ReadFile(extraFile); err != nil {
			return err
		}
	}
	policy, err := torchwood.ParsePolicy(policyText)
	if err != nil {
		return err
	}
	signed, err := get(url + "/checkpoint")
	if err != nil {
		return err
	}
	cp, _, err := torchwood.VerifyCheckpoint(signed, policy)
	if err != nil {
		return err
	}
	fetcher, err := torchwood.NewTileFetcher(url)
	if err != nil {
		return err
	}
	client, err := torchwood.NewClient(fetcher)
	if err != nil {
		return err
	}
	_, proof, err := client.Entry(context.Background(), cp.Tree, index)
	if err != nil {
		return err
	}
	if with == "torchwood" {
		if extra == nil {
			_, err = os.Stdout.Write(torchwood.FormatProof(index, proof, signed))
		} else {
			_, err = os.Stdout.Write(torchwood.FormatProofWithExtraData(index, extra, proof, signed))
		}
		return err
	}
	p := fproof.TLogProof{Index: uint64(index), Checkpoint: signed, ExtraData: extra}
	for _, h := range proof {
		p.Hashes = append(p.Hashes, h)
	}
	_, err = os.Stdout.Write(p.Marshal())
	return err
}

func get(url string) ([]byte, error) {
	r, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, r.Status)
	}
	return io.ReadAll(r.Body)
}
