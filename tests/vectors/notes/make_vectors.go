//go:build ignore

// Makes the data files beside it; README.md says how it is run. Keys are derived from their names,
// so that only times and ML-DSA signatures change from run to run.
package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"filippo.io/torchwood"
	flog "github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	fproof "github.com/transparency-dev/formats/proof"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func write(name, text string) {
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		panic(err)
	}
}

func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// signer is a type 0x01 key of x/mod.
func signer(name string) (note.Signer, string) {
	k := key(name)
	vkey := must(note.NewEd25519VerifierKey(name, k.Public().(ed25519.PublicKey)))
	id := strings.Split(vkey, "+")[1]
	skey := "PRIVATE+KEY+" + name + "+" + id + "+" +
		base64.StdEncoding.EncodeToString(append([]byte{1}, k.Seed()...))
	return must(note.NewSigner(skey)), vkey
}

// witnessVkey is the vkey of a type 0x04 key.
func witnessVkey(name string) string {
	data := append([]byte{4}, key(name).Public().(ed25519.PublicKey)...)
	id := sha256.Sum256(append([]byte(name+"\n"), data...))
	return fmt.Sprintf("%s+%x+%s", name, id[:4], base64.StdEncoding.EncodeToString(data))
}

func makeNotes() {
	text := "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n"
	var signers []note.Signer
	var vkeys string
	for i := range 16 {
		s, v := signer(fmt.Sprintf("signer%02d.example/é", i))
		signers = append(signers, s)
		vkeys += v + "\n"
	}
	write("note/known.vkeys", vkeys)
	one := string(must(note.Sign(&note.Note{Text: text}, signers[0])))
	sixteen := string(must(note.Sign(&note.Note{Text: text}, signers...)))
	line := strings.SplitAfter(one, "\n\n")[2]
	b64 := strings.Fields(line)[2]
	wrong := strings.Replace(one, "sole", "sale", 1)
	bare := "text\n\n"
	unknown := func(sig ...byte) string {
		return "— unknown.example " + base64.StdEncoding.EncodeToString(sig) + "\n"
	}
	name := strings.Fields(line)[1]
	id := must(base64.StdEncoding.DecodeString(b64))[:4]
	sameName := "— " + name + " " + base64.StdEncoding.EncodeToString([]byte{1, 2, 3, 4, 5}) + "\n"
	sameID := "— other.example " + base64.StdEncoding.EncodeToString(append(id, 5)) + "\n"
	cases := []struct{ name, msg string }{
		{"one", one},
		{"sixteen", sixteen},
		{"wrong-text", wrong},
		{"wrong-signature-beside-a-good-one", sixteen[:len(sixteen)-8] + "AAAAAA=\n"},
		{"unknown-only", bare + unknown(0, 0, 0, 1, 2)},
		{"unknown-beside-known", one + unknown(0, 0, 0, 1, 2)},
		{"unknown-of-the-same-name", one + sameName},
		{"unknown-of-the-same-id", one + sameID},
		{"same-line-twice", one + line},
		{"second-line-of-a-key-is-garbage", one + "— " + name + " " +
			base64.StdEncoding.EncodeToString(append(id, 5)) + "\n"},
		{"first-line-of-a-key-is-garbage", strings.TrimSuffix(one, line) + "— " + name + " " +
			base64.StdEncoding.EncodeToString(append(id, 5)) + "\n" + line},
		{"unknown-of-four-bytes", one + unknown(0, 0, 0, 1)},
		{"unknown-of-five-bytes", one + unknown(0, 0, 0, 1, 2)},
		{"unknown-empty", one + "— unknown.example \n"},
		{"space-at-line-end", strings.TrimSuffix(one, "\n") + " \n"},
		{"two-spaces", strings.Replace(one, "— ", "—  ", 1)},
		{"no-dash", strings.Replace(one, "— ", "- ", 1)},
		{"no-newline-at-the-end", strings.TrimSuffix(one, "\n")},
		{"blank-line-at-the-end", one + "\n"},
		{"carriage-returns", strings.ReplaceAll(one, "\n", "\r\n")},
		{"tab-in-text", strings.Replace(one, " sta", "\tsta", 1)},
		{"not-utf8", strings.Replace(one, "è", "\xe8", 1)},
		{"nul-in-text", strings.Replace(one, "sta", "s\x00a", 1)},
		{"pad-bits-of-an-unknown-key", one + "— unknown.example AAAAAQF=\n"},
		{"no-padding", one + "— unknown.example AAAAAQE\n"},
		{"url-alphabet", one + "— unknown.example AAAAA__-\n"},
		{"plus-in-name", one + "— unknown+example AAAAAQE=\n"},
		{"no-break-space-in-name", one + "— unknown\u00a0example AAAAAQE=\n"},
		{"ideographic-space-in-name", one + "— unknown\u3000example AAAAAQE=\n"},
		{"next-line-in-name", one + "— unknown\u0085example AAAAAQE=\n"},
		{"zero-width-space-in-name", one + "— unknown\u200bexample AAAAAQE=\n"},
		{"no-blank-line", strings.Replace(one, "\n\n—", "\n—", 1)},
		{"empty-text", "\n" + line},
		{"empty", ""},
	}
	var known []note.Verifier
	for _, v := range strings.Fields(vkeys) {
		known = append(known, must(note.NewVerifier(v)))
	}
	var verdicts string
	for _, c := range cases {
		write("note/"+c.name+".note", c.msg)
		verdict := "accepts"
		if _, err := note.Open([]byte(c.msg), note.VerifierList(known...)); err != nil {
			verdict = "rejects"
		}
		verdicts += verdict + " " + c.name + "\n"
	}
	write("note/verdicts", verdicts)
}

// A log of 109 entries, its checkpoint with 16 cosignatures of type 0x04, eight by each module, and
// one of type 0x06.
func makeCheckpoint() (hashes tlog.HashReaderFunc, signed []byte) {
	var stored []tlog.Hash
	hashes = func(indexes []int64) (out []tlog.Hash, err error) {
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	}
	for i := range int64(109) {
		stored = append(stored, must(tlog.StoredHashes(i, fmt.Appendf(nil, "entry %d", i), hashes))...)
	}
	root := must(tlog.TreeHash(109, hashes))
	text := flog.Checkpoint{Origin: "log.example/vectors", Size: 109, Hash: root[:]}.Marshal()

	logSigner, logVkey := signer("log.example/vectors")
	signers := []note.Signer{logSigner}
	var vkeys string
	for i := range 16 {
		name := fmt.Sprintf("witness%02d.example", i)
		vkeys += witnessVkey(name) + "\n"
		if i%2 == 0 {
			signers = append(signers, must(torchwood.NewCosignatureSigner(name, key(name))))
			continue
		}
		k := key(name)
		data := append([]byte{4}, k.Public().(ed25519.PublicKey)...)
		id := sha256.Sum256(append([]byte(name+"\n"), data...))
		skey := fmt.Sprintf("PRIVATE+KEY+%s+%x+%s", name, id[:4],
			base64.StdEncoding.EncodeToString(append([]byte{4}, k.Seed()...)))
		signers = append(signers, must(fnote.NewSignerForCosignatureV1(skey)))
	}
	mldsaSkey, mldsaVkey, err := fnote.GenerateMLDSAKey("witness-pq.example")
	if err != nil {
		panic(err)
	}
	signers = append(signers, must(fnote.NewMLDSASigner(mldsaSkey)))
	signed = must(note.Sign(&note.Note{Text: string(text)}, signers...))
	write("checkpoint/log.vkey", logVkey+"\n")
	write("checkpoint/witnesses.vkeys", vkeys)
	write("checkpoint/mldsa44.vkey", mldsaVkey+"\n")
	write("checkpoint/cosigned.checkpoint", string(signed))

	n := must(note.Open(signed, note.VerifierList(must(note.NewVerifier(logVkey)))))
	var times string
	for _, s := range n.UnverifiedSigs {
		if strings.HasPrefix(s.Name, "witness0") || strings.HasPrefix(s.Name, "witness1") {
			raw := must(base64.StdEncoding.DecodeString(s.Base64))
			times += fmt.Sprintf("%s %d\n", s.Name, binary.BigEndian.Uint64(raw[4:12]))
		}
	}
	write("checkpoint/times", times)
	return hashes, signed
}

func makePolicies(signed []byte) {
	_, logVkey := signer("log.example/vectors")
	_, otherVkey := signer("other.example/log")
	w := func(i int) string { return witnessVkey(fmt.Sprintf("witness%02d.example", i)) }
	absent := witnessVkey("absent.example")
	cases := []struct{ name, text string }{
		{"none", "log " + logVkey + "\nquorum none\n"},
		{"one-witness", "log " + logVkey + "\nwitness w " + w(0) + "\nquorum w\n"},
		{"groups", "# two of three, and one of two\nlog " + logVkey + " https://log.example/\n\n" +
			"witness X1 " + w(0) + " https://w0.example\nwitness X2 " + w(1) + "\nwitness X3 " + absent + "\n" +
			"group X 2 X1 X2 X3\nwitness\tY1 " + w(2) + "\nwitness Y2 " + w(3) + "\n" +
			"group Y any Y1 Y2\ngroup X-and-Y all X Y\nquorum X-and-Y\n"},
		{"absent-witness", "log " + logVkey + "\nwitness w " + absent + "\nquorum w\n"},
		{"all-with-an-absent-witness", "log " + logVkey + "\nwitness a " + w(4) + "\nwitness b " +
			absent + "\ngroup g all a b\nquorum g\n"},
		{"another-log", "log " + otherVkey + "\nquorum none\n"},
		{"no-quorum", "log " + logVkey + "\n"},
		{"two-quorums", "log " + logVkey + "\nquorum none\nquorum none\n"},
		{"undefined-quorum", "log " + logVkey + "\nquorum w\n"},
		{"undefined-member", "log " + logVkey + "\ngroup g all w\nquorum g\n"},
		{"same-name-twice", "log " + logVkey + "\nwitness w " + w(0) + "\nwitness w " + w(1) + "\nquorum w\n"},
		{"threshold-zero", "log " + logVkey + "\nwitness w " + w(0) + "\ngroup g 0 w\nquorum g\n"},
		{"threshold-too-high", "log " + logVkey + "\nwitness w " + w(0) + "\ngroup g 2 w\nquorum g\n"},
		{"empty-group", "log " + logVkey + "\ngroup g all\nquorum g\n"},
		{"log-key-as-witness", "log " + logVkey + "\nwitness w " + otherVkey + "\nquorum w\n"},
		{"witness-key-as-log", "log " + w(0) + "\nquorum none\n"},
		{"unknown-keyword", "log " + logVkey + "\nlogs x\nquorum none\n"},
	}
	var verdicts string
	for _, c := range cases {
		write("policy/"+c.name+".policy", c.text)
		verdict := "unparsed"
		if p, err := torchwood.ParsePolicy([]byte(c.text)); err == nil {
			verdict = "accepts"
			if _, _, err := torchwood.VerifyCheckpoint(signed, p); err != nil {
				verdict = "rejects"
			}
		}
		verdicts += verdict + " " + c.name + "\n"
	}
	write("policy/verdicts", verdicts)
}

func makeProofs(hashes tlog.HashReaderFunc, signed []byte) {
	policy := must(torchwood.ParsePolicy(must(os.ReadFile("policy/groups.policy"))))
	check := func(name string, index int64, text []byte) {
		rh := tlog.RecordHash(fmt.Appendf(nil, "entry %d", index))
		if err := torchwood.VerifyProof(policy, rh, text); err != nil {
			panic(err)
		}
		if err := torchwood.VerifyProof(policy, tlog.RecordHash(nil), text); !errors.As(err,
			new(*torchwood.VerifyRecordError)) {
			panic(err)
		}
		write("tlog-proof/"+name+".tlog-proof", string(text))
	}
	for _, index := range []int64{0, 73, 108} {
		proof := must(tlog.ProveRecord(109, index, hashes))
		check(fmt.Sprintf("torchwood-%d", index), index, torchwood.FormatProof(index, proof, signed))
	}
	proof := must(tlog.ProveRecord(109, 73, hashes))
	check("torchwood-extra-73", 73, torchwood.FormatProofWithExtraData(73, []byte("entry 73"), proof, signed))
	p := fproof.TLogProof{Index: 73, Checkpoint: signed, ExtraData: []byte("entry 73")}
	for _, h := range proof {
		p.Hashes = append(p.Hashes, h)
	}
	check("formats-extra-73", 73, p.Marshal())
}

func main() {
	for _, dir := range []string{"note", "checkpoint", "policy", "tlog-proof"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			panic(err)
		}
	}
	makeNotes()
	hashes, signed := makeCheckpoint()
	makePolicies(signed)
	makeProofs(hashes, signed)
}
