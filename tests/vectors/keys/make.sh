#!/usr/bin/env bash
# make.sh: makes the files of this folder anew, with openssl, node and
# Python's cryptography package.
# The private keys are thrown away.
set -euo pipefail
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
printf 'a message to sign\n' >message

key() { # key NAME genpkey-arguments...
	openssl genpkey -quiet "${@:2}" -out "$tmp/$1.pem" 2>/dev/null || openssl genpkey "${@:2}" -out "$tmp/$1.pem" 2>/dev/null
}
public() { # public NAME pkey-arguments...: the SPKI
	openssl pkey -in "$tmp/$1.pem" -pubout -outform DER "${@:2}" -out "$1.spki"
}

# Taken.
key ed25519 -algorithm ED25519
key p256 -algorithm EC -pkeyopt ec_paramgen_curve:P-256
key p384 -algorithm EC -pkeyopt ec_paramgen_curve:P-384
key rsa3072 -algorithm RSA -pkeyopt rsa_keygen_bits:3072
key rsa4096-e3 -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -pkeyopt rsa_keygen_pubexp:3
for name in ed25519 p256 p384 rsa3072 rsa4096-e3; do public $name; done
openssl pkey -in "$tmp/p256.pem" -pubout -out p256.pub.pem

# Refused.
key bad-rsa2048 -algorithm RSA -pkeyopt rsa_keygen_bits:2048
key bad-rsa3071 -algorithm RSA -pkeyopt rsa_keygen_bits:3071
key bad-rsa8192 -algorithm RSA -pkeyopt rsa_keygen_bits:8192
key bad-rsa-pss -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:3072
key bad-p521 -algorithm EC -pkeyopt ec_paramgen_curve:P-521
key bad-p224 -algorithm EC -pkeyopt ec_paramgen_curve:P-224
key bad-secp256k1 -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1
key bad-ed448 -algorithm ED448
key bad-x25519 -algorithm X25519
for name in rsa2048 rsa3071 rsa8192 rsa-pss p521 p224 secp256k1 ed448 x25519; do public bad-$name; done
for curve in p256 p384; do
	openssl ec -in "$tmp/$curve.pem" -pubout -outform DER -conv_form compressed -out bad-$curve-compressed.spki 2>/dev/null
	openssl ec -in "$tmp/$curve.pem" -pubout -outform DER -conv_form hybrid -out bad-$curve-hybrid.spki 2>/dev/null
	openssl ec -in "$tmp/$curve.pem" -pubout -outform DER -param_enc explicit -out bad-$curve-explicit.spki 2>/dev/null
done

# Signatures: SCHEME.sig over message, by openssl.
openssl pkeyutl -sign -rawin -inkey "$tmp/ed25519.pem" -in message -out ed25519.sig
openssl dgst -sha256 -sign "$tmp/p256.pem" -out ecdsa-p256-sha256.sig message
openssl dgst -sha384 -sign "$tmp/p384.pem" -out ecdsa-p384-sha384.sig message
for bits in 256 384 512; do
	openssl dgst -sha$bits -sign "$tmp/rsa3072.pem" -out rsa-pkcs1-sha$bits.sig message
	openssl dgst -sha$bits -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest \
		-sign "$tmp/rsa3072.pem" -out rsa-pss-sha$bits.sig message
done
openssl dgst -sha256 -sign "$tmp/rsa4096-e3.pem" -out rsa4096-e3.sig message
# Refused: another salt length, another MGF1 digest.
openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:max \
	-sign "$tmp/rsa3072.pem" -out bad-rsa-pss-sha256-long-salt.sig message
openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest \
	-sigopt rsa_mgf1_md:sha1 -sign "$tmp/rsa3072.pem" -out bad-rsa-pss-sha256-mgf1-sha1.sig message
# r || s, by node.
for curve in p256:sha256 p384:sha384; do
	node -e '
		const {sign} = require("crypto"), fs = require("fs"), [key, hash, out] = process.argv.slice(1);
		fs.writeFileSync(out, sign(hash, fs.readFileSync("message"),
			{key: fs.readFileSync(key), dsaEncoding: "ieee-p1363"}));
	' "$tmp/${curve%:*}.pem" "${curve#*:}" "ecdsa-${curve%:*}-${curve#*:}.fixed.sig"
done
# The same two as DER, by Python's cryptography.
python3 - <<'END'
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
for name in "ecdsa-p256-sha256.fixed", "ecdsa-p384-sha384.fixed":
    sig = open(name + ".sig", "rb").read()
    r, s = sig[:len(sig) // 2], sig[len(sig) // 2:]
    open(name + ".der", "wb").write(
        encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big")))
END
sha256sum [a-z]*.spki >SHA256SUMS
