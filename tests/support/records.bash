# tests/support/records.bash: keys and records made with openssl and curl alone, as a party does that
# has nothing of Vitrine's. Sourced after serve.bash.
#
#   new_key NAME KIND         ed25519, p256, p384 or rsa3072; $keys/NAME.pem, .pub.pem, .der (the SPKI)
#   keyid NAME                SHA-256 of the SPKI
#   sign NAME <MESSAGE        the signature's bytes, under the scheme that the kind stands for
#   envelope FILE NAME...     the statement in FILE in a DSSE envelope, signed by each NAME
#   accreditation PARTY NAME ROLE TYPES [STATUS [PREVIOUS]]
#                             the statement that accredits the key NAME; TYPES: '"uri","uri"'
#   verdict FIRMWARE RESULT, release FIRMWARE PURL, withdrawal INDEX LEAF, audit_event ID
#                             statements
#   post FILE [CURL OPTION...]
#                             appends; sets $status, and $index and $leaf if it was taken
#   expect CODE COMMAND...    runs it; fails if its exit status is another. Its output is in $said
#
# $origin is set by the script; $url by start_server.

keys=$work/keys
said=$work/output
mkdir -p "$keys"

fail() {
	echo "$0: $*" >&2
	exit 1
}

new_key() {
	local options
	case $2 in
	ed25519) options=(-algorithm ed25519) ;;
	p256) options=(-algorithm EC -pkeyopt ec_paramgen_curve:P-256) ;;
	p384) options=(-algorithm EC -pkeyopt ec_paramgen_curve:P-384) ;;
	rsa3072) options=(-algorithm RSA -pkeyopt rsa_keygen_bits:3072) ;;
	*) fail "no kind of key $2" ;;
	esac
	openssl genpkey "${options[@]}" -out "$keys/$1.pem" 2>/dev/null
	openssl pkey -in "$keys/$1.pem" -pubout -out "$keys/$1.pub.pem"
	openssl pkey -in "$keys/$1.pem" -pubout -outform DER -out "$keys/$1.der"
	chmod 600 "$keys/$1.pem"
	echo "$2" >"$keys/$1.kind"
}

scheme() {
	case $(<"$keys/$1.kind") in
	ed25519) echo ed25519 ;;
	p256) echo ecdsa-p256-sha256 ;;
	p384) echo ecdsa-p384-sha384 ;;
	rsa3072) echo rsa-pss-sha256 ;;
	esac
}

sha256() {
	openssl dgst -sha256 -r "$@" | cut -d ' ' -f 1
}

keyid() {
	sha256 "$keys/$1.der"
}

# The message goes through a file: openssl reads Ed25519's at once and asks for its size.
sign() {
	cat >"$work/message"
	case $(<"$keys/$1.kind") in
	ed25519) openssl pkeyutl -sign -inkey "$keys/$1.pem" -rawin -in "$work/message" ;;
	p256) openssl dgst -sha256 -sign "$keys/$1.pem" "$work/message" ;;
	p384) openssl dgst -sha384 -sign "$keys/$1.pem" "$work/message" ;;
	rsa3072)
		openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest \
			-sign "$keys/$1.pem" "$work/message"
		;;
	esac
}

# PAE(type, body) (DSSE protocol, "Signature Definition").
pae() {
	local payload_type=application/vnd.in-toto+json
	printf 'DSSEv1 %d %s %d ' "${#payload_type}" "$payload_type" "$(wc -c <"$1")"
	cat "$1"
}

envelope() {
	local statement=$1 name signatures=
	shift
	for name; do
		signatures+=$(printf ',{"keyid":"%s","sig":"%s"}' "$(keyid "$name")" \
			"$(pae "$statement" | sign "$name" | openssl base64 -A)")
	done
	printf '{"payloadType":"application/vnd.in-toto+json","payload":"%s","signatures":[%s]}' \
		"$(openssl base64 -A -in "$statement")" "${signatures#,}"
}

# -- statements -------------------------------------------------------------------------------------

test_result=https://in-toto.io/attestation/test-result/v0.1
release=https://in-toto.io/attestation/release/v0.2
accredit=urn:vitrine:predicate:accreditation:v1
audit=urn:vitrine:predicate:audit-event:v1
correction=urn:vitrine:predicate:correction:v1
sealed=urn:vitrine:predicate:sealed-record:v1

# statement NAME DIGEST TYPE PREDICATE
statement() {
	printf '{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"%s","digest":{"sha256":"%s"}}],"predicateType":"%s","predicate":%s}' \
		"$@"
}

accreditation() {
	local types=$4 status=${5:-granted} previous=${6:-null} more=
	[[ -z ${recovery_key-} ]] ||
		more=$(printf ',"admissionRules":"urn:vitrine:admission-rules:v1","recovery":{"spki":"%s","scheme":"%s"}' \
			"$(openssl base64 -A -in "$keys/$recovery_key.der")" "$(scheme "$recovery_key")")
	statement "$1" "$(keyid "$2")" "$accredit" \
		"$(printf '{"log":"%s","party":"%s","role":"%s","spki":"%s","scheme":"%s","predicateTypes":[%s],"status":"%s","previous":%s%s}' \
			"$origin" "$1" "$3" "$(openssl base64 -A -in "$keys/$2.der")" "$(scheme "$2")" \
			"$types" "$status" "$previous" "$more")"
}

# The centre's accreditation of itself, which names the recovery key: entry 0.
entry_zero() {
	recovery_key=recovery accreditation centre centre centre "\"$accredit\",\"$audit\",\"$correction\""
}

verdict() {
	statement "${1##*/}" "$(sha256 "$1")" "$test_result" \
		"$(printf '{"result":"%s","configuration":[{"uri":"urn:example:plan"}]}' "$2")"
}

release() {
	statement "${1##*/}" "$(sha256 "$1")" "$release" "$(printf '{"purl":"%s"}' "$2")"
}

withdrawal() {
	statement withdrawn "$2" "$correction" \
		"$(printf '{"action":"withdraw","reason":"another sample was tested","target":{"index":%d,"leafHash":"%s"}}' \
			"$1" "$2")"
}

audit_event() {
	statement "$1" "$(printf %s "$1" | sha256)" "$audit" \
		"$(printf '{"id":"%s","eventType":"activity","action":"update","outcome":"success","eventTime":"2026-11-22T12:00:00Z","initiator":{"id":"operations","typeURI":"service/oss"},"target":{"id":"log","typeURI":"service/security"},"observer":{"id":"log","typeURI":"service/security"}}' \
			"$1")"
}

# -- appending --------------------------------------------------------------------------------------

# number NAME FILE, text NAME FILE: a member's first occurrence in JSON, which is the outermost one.
number() {
	grep -oE "\"$1\": ?[0-9]+" "$2" | head -n 1 | grep -oE '[0-9]+$'
}
text() {
	grep -oE "\"$1\": ?\"[^\"]*\"" "$2" | head -n 1 | sed 's/^.*: *"\(.*\)"$/\1/'
}

post() {
	local file=$1
	shift
	status=$(curl -sS -o "$work/answer" -w '%{http_code}' -H 'Content-Type: application/json' \
		--data-binary "@$file" "$@" "$url/api/v1/entries")
	index= leaf=
	if [[ $status == 20? ]]; then
		index=$(number index "$work/answer")
		leaf=$(text leafHash "$work/answer")
	fi
}

# post, where it must be new.
append() {
	post "$@"
	[[ $status == 201 ]] || fail "$1: $status $(<"$work/answer")"
}

# refused SLUG FILE: it must be refused for this reason.
refused() {
	post "$2"
	[[ $status == 4?? ]] && grep -qF "\"urn:vitrine:problem:$1\"" "$work/answer" ||
		fail "$2: expected $1, not $status $(<"$work/answer")"
}

expect() {
	local want=$1 code=0
	shift
	"$@" >"$said" 2>&1 || code=$?
	[[ $code == "$want" ]] || fail "exit status $code, expected $want: $*
$(<"$said")"
}
