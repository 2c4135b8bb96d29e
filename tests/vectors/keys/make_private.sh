#!/usr/bin/env bash
# make_private.sh DIR: private keys for keys_signer_test, made by openssl at test time, so that none
# has to be kept. The passphrase is "correct horse".
set -euo pipefail
cd "$1"
umask 077
openssl genpkey -algorithm ED25519 -out ed25519.pem
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256.pem
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.pem
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out rsa3072.pem 2>/dev/null
openssl pkcs8 -topk8 -v2 aes-256-cbc -passout pass:'correct horse' -in p256.pem -out p256-encrypted.pem
openssl pkcs8 -topk8 -scrypt -passout pass:'correct horse' -in ed25519.pem -out ed25519-scrypt.pem
openssl ec -in p256.pem -out p256-sec1.pem 2>/dev/null
openssl ec -in p256.pem -param_enc explicit 2>/dev/null | openssl pkcs8 -topk8 -nocrypt -out bad-explicit.pem
openssl ec -in p256.pem -conv_form compressed 2>/dev/null | openssl pkcs8 -topk8 -nocrypt -out p256-compressed.pem
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out bad-rsa2048.pem 2>/dev/null
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out bad-p521.pem
# The public key inside is another key's: the last 65 bytes of a PKCS#8 P-256 key are its point.
openssl pkcs8 -topk8 -nocrypt -in p256.pem -outform DER -out mixed.der
{ head -c -65 mixed.der; openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 | openssl pkey -pubout -outform DER | tail -c 65; } |
	openssl base64 | { echo '-----BEGIN PRIVATE KEY-----'; cat; echo '-----END PRIVATE KEY-----'; } >bad-mixed.pem
for name in ed25519 p256; do
	openssl pkey -in $name.pem -pubout -outform DER -out $name.spki
done
