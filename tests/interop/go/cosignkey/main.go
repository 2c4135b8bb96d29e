// Command cosignkey prints, as PKCS#8 PEM, the private key in a file made by `cosign generate-key-pair`
// with an empty password. (cosign 2.5.0 cannot import an ECDSA key, so it has to make its own.)
package main

import (
	"encoding/pem"
	"fmt"
	"os"

	"github.com/secure-systems-lab/go-securesystemslib/encrypted"
)

func main() {
	if len(os.Args) != 2 {
		fatal("usage: cosignkey FILE")
	}
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		fatal(os.Args[1] + ": no PEM")
	}
	key, err := encrypted.Decrypt(block.Bytes, nil)
	if err != nil {
		fatal(err)
	}
	if err := pem.Encode(os.Stdout, &pem.Block{Type: "PRIVATE KEY", Bytes: key}); err != nil {
		fatal(err)
	}
}

func fatal(why any) {
	fmt.Fprintln(os.Stderr, "cosignkey:", why)
	os.Exit(1)
}
