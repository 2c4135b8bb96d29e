/* Knows files by how they begin. */
#include "file_kind.h"

#include <string.h>

#define NO_KEY            "make a key with `vitrine keygen --for party --out NEW`"
#define PUBLIC_NEEDED     "a public key is needed; "
#define PUBLIC_OF_PRIVATE PUBLIC_NEEDED "`openssl pkey -in FILE -pubout -out NEW` takes it out"
#define OF_CERTIFICATE    PUBLIC_NEEDED "`openssl x509 -in FILE -noout -pubkey -out NEW` takes it out"
#define OF_REQUEST(form)                                                                           \
	PUBLIC_NEEDED "`openssl req " form "-in FILE -noout -pubkey -out NEW` takes it out"
#define PRIVATE_ELSEWHERE "a private key is needed; the one that belongs to it is in another file"
#define PGP               "OpenPGP is not taken; " NO_KEY
#define DSA               "DSA is not taken; " NO_KEY
#define COSIGN                                                                                     \
	"only cosign can decrypt it; make a key with `vitrine keygen --for party --kind p256 "     \
	"--out NEW`, and give cosign the same one with `cosign import-key-pair --key NEW`"
#define COSIGN_PUBLIC                                                                              \
	PUBLIC_NEEDED "it is the .pub file beside it, or `cosign public-key --key FILE >NEW`"
#define OPENSSH_PUBLIC PUBLIC_NEEDED "`ssh-keygen -y -f FILE >NEW` takes it out"
#define CONVERTS       "`ssh-keygen -e -m PKCS8 -f FILE >NEW` converts it"
#define TOKEN          "what a security key signs is not the message itself; " NO_KEY
#define ENCRYPTS       "age encrypts and does not sign; " NO_KEY
#define SIGNIFY        "it is not taken; " NO_KEY
#define JWK            "JSON Web Keys are not taken; " NO_KEY

/* By the label of a PEM block. */
static const struct file_kind labelled[] = {
    {"PRIVATE KEY", "a private key", FILE_PRIVATE_KEY, NULL, PUBLIC_OF_PRIVATE},
    {"ENCRYPTED PRIVATE KEY", "an encrypted private key", FILE_PRIVATE_KEY, NULL,
     PUBLIC_OF_PRIVATE},
    {"EC PRIVATE KEY", "a private key", FILE_PRIVATE_KEY, NULL, PUBLIC_OF_PRIVATE},
    {"RSA PRIVATE KEY", "a private key", FILE_PRIVATE_KEY, NULL, PUBLIC_OF_PRIVATE},
    {"DSA PRIVATE KEY", "a DSA key", FILE_PRIVATE_KEY, DSA, DSA},
    {"OPENSSH PRIVATE KEY", "an OpenSSH private key", FILE_PRIVATE_KEY, NULL, OPENSSH_PUBLIC},
    {"ENCRYPTED SIGSTORE PRIVATE KEY", "a private key that cosign encrypted", FILE_PRIVATE_KEY,
     COSIGN, COSIGN_PUBLIC},
    {"ENCRYPTED COSIGN PRIVATE KEY", "a private key that cosign encrypted", FILE_PRIVATE_KEY,
     COSIGN, COSIGN_PUBLIC},
    {"PUBLIC KEY", "a public key", FILE_OTHER, PRIVATE_ELSEWHERE, NULL},
    {"RSA PUBLIC KEY", "a PKCS#1 public key", FILE_OTHER, PRIVATE_ELSEWHERE,
     "`openssl pkey -pubin -in FILE -pubout -out NEW` converts it"},
    {"CERTIFICATE", "a certificate", FILE_OTHER, PRIVATE_ELSEWHERE, OF_CERTIFICATE},
    {"X509 CERTIFICATE", "a certificate", FILE_OTHER, PRIVATE_ELSEWHERE, OF_CERTIFICATE},
    {"TRUSTED CERTIFICATE", "a certificate", FILE_OTHER, PRIVATE_ELSEWHERE, OF_CERTIFICATE},
    {"CERTIFICATE REQUEST", "a certificate request", FILE_OTHER, PRIVATE_ELSEWHERE, OF_REQUEST("")},
    {"NEW CERTIFICATE REQUEST", "a certificate request", FILE_OTHER, PRIVATE_ELSEWHERE,
     OF_REQUEST("")},
    {"EC PARAMETERS", "a file of curve parameters without a key", FILE_OTHER, NO_KEY, NO_KEY},
    {"PGP PRIVATE KEY BLOCK", "an OpenPGP private key", FILE_PRIVATE_KEY, PGP, PGP},
    {"PGP PUBLIC KEY BLOCK", "an OpenPGP public key", FILE_OTHER, PGP, PGP},
    {"PGP SIGNATURE", "an OpenPGP signature", FILE_OTHER, PGP, PGP},
    {"PGP MESSAGE", "an OpenPGP message", FILE_OTHER, PGP, PGP},
    {"SSH SIGNATURE", "a signature by ssh-keygen", FILE_OTHER, NULL, NULL},
    {"AGE ENCRYPTED FILE", "a file that age encrypted", FILE_OTHER, ENCRYPTS, ENCRYPTS},
};

/* In DER, where the advice differs from that for PEM. */
static const struct file_kind der_only[] = {
    {"CERTIFICATE REQUEST", "a certificate request", FILE_OTHER, PRIVATE_ELSEWHERE,
     OF_REQUEST("-inform DER ")},
    {"PKCS12", "a PKCS#12 file", FILE_PRIVATE_KEY,
     "`openssl pkey -in FILE -out NEW` takes its key out", PUBLIC_OF_PRIVATE},
};

static const struct file_kind old_encryption = {
    "Proc-Type", "a private key that is encrypted in an old and weak way (Proc-Type)",
    FILE_PRIVATE_KEY, "`openssl pkcs8 -topk8 -in FILE -out NEW` converts it", PUBLIC_OF_PRIVATE};

/* By the text that a file begins with. */
static const struct file_kind beginning[] = {
    {"PRIVATE+KEY+", "a note key, which is private", FILE_PRIVATE_KEY, NULL,
     PUBLIC_NEEDED "the vkey that was printed when it was made is its public half"},
    {"ssh-ed25519 ", "an OpenSSH public key", FILE_OTHER, PRIVATE_ELSEWHERE, NULL},
    {"ssh-rsa ", "an OpenSSH public key", FILE_OTHER, PRIVATE_ELSEWHERE, CONVERTS},
    {"ecdsa-sha2-nistp", "an OpenSSH public key", FILE_OTHER, PRIVATE_ELSEWHERE, CONVERTS},
    {"---- BEGIN SSH2 PUBLIC KEY ----", "an SSH2 public key", FILE_OTHER, PRIVATE_ELSEWHERE,
     "`ssh-keygen -i -f FILE >NEW` converts it"},
    {"sk-ssh-", "the public key of a security key", FILE_OTHER, TOKEN, TOKEN},
    {"sk-ecdsa-", "the public key of a security key", FILE_OTHER, TOKEN, TOKEN},
    {"PuTTY-User-Key-File-", "a private key of PuTTY", FILE_PRIVATE_KEY,
     "`puttygen FILE -O private-openssh -o NEW` converts it",
     PUBLIC_NEEDED "`puttygen FILE -O public-openssh -o NEW` takes it out"},
    {"AGE-SECRET-KEY-", "an age key", FILE_PRIVATE_KEY, ENCRYPTS, ENCRYPTS},
    {"# created: ", "an age key", FILE_PRIVATE_KEY, ENCRYPTS, ENCRYPTS},
    {"age1", "an age public key", FILE_OTHER, ENCRYPTS, ENCRYPTS},
    {"age-encryption.org/", "a file that age encrypted", FILE_OTHER, ENCRYPTS, ENCRYPTS},
    {"c2sp.org/tlog-proof@", "a proof (C2SP tlog-proof)", FILE_OF_LOG, NULL, NULL},
    {"vitrine-evidence@", "evidence", FILE_OF_LOG, NULL, NULL},
    {"<", "a web page or XML", FILE_OTHER, NULL, NULL},
    {"\x7f"
     "ELF",
     "a program (ELF)", FILE_OTHER, NULL, NULL},
    {"\x1f\x8b", "a gzip archive", FILE_OTHER, NULL, NULL},
    {"PK\x03\x04", "a zip archive", FILE_OTHER, NULL, NULL},
};

static const struct file_kind
    minisign_secret = {"minisign", "a private key of minisign or signify", FILE_PRIVATE_KEY,
		       SIGNIFY, SIGNIFY},
    minisign = {"minisign", "a public key or a signature of minisign or signify", FILE_OTHER,
		SIGNIFY, SIGNIFY},
    vkey = {"vkey", "a vkey", FILE_OTHER, PRIVATE_ELSEWHERE,
	    PUBLIC_NEEDED "a vkey is a log's or a witness's, and a party's public key is the file "
			  "that ends in .pub"},
    policy = {"policy", "a policy", FILE_OF_LOG, NULL, NULL},
    checkpoint = {"checkpoint", "a checkpoint", FILE_OF_LOG, NULL, NULL},
    record = {"record", "a record (DSSE)", FILE_OF_LOG, NULL, NULL},
    bundle = {"bundle", "a Sigstore bundle", FILE_OF_LOG, NULL, NULL},
    statement = {"statement", "an in-toto statement without its envelope", FILE_OTHER, NULL, NULL},
    jwk = {"jwk", "a JSON Web Key", FILE_OTHER, JWK, JWK},
    json = {"json", "JSON", FILE_OTHER, NULL, NULL};

/* -- words over bytes ------------------------------------------------------------------------------ */

static bool begins(struct bytes text, const char *with)
{
	size_t len = strlen(with);

	return text.len >= len && memcmp(text.data, with, len) == 0;
}

static bool contains(struct bytes text, const char *what)
{
	return text.len > 0 && memmem(text.data, text.len, what, strlen(what)) != NULL;
}

static struct bytes from(struct bytes text, size_t at)
{
	return at < text.len ? bytes_of(text.data + at, text.len - at) : bytes_of(NULL, 0);
}

/* Without its end, which is skipped, a carriage return included. */
static struct bytes next_line(struct bytes *rest)
{
	const uint8_t *end = rest->len > 0 ? memchr(rest->data, '\n', rest->len) : NULL;
	struct bytes line = end != NULL ? bytes_of(rest->data, (size_t)(end - rest->data)) : *rest;

	*rest = from(*rest, line.len + 1);
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

struct bytes text_without_mark(struct bytes file)
{
	return begins(file, "\xef\xbb\xbf") ? from(file, 3) : file;
}

static struct bytes without_space(struct bytes text)
{
	while (text.len > 0 && strchr(" \t\r\n", text.data[0]) != NULL && text.data[0] != '\0')
		text = from(text, 1);
	return text;
}

/* -- DER ------------------------------------------------------------------------------------------- */

/* The contents of the DER element that bytes begin with, as far as they are there. Empty: they begin with no such element. */
static struct bytes der_contents(struct bytes b, uint8_t tag)
{
	size_t header = b.len > 1 && b.data[1] > 0x80 ? 2 + (b.data[1] & 0x7fU) : 2;

	return b.len > header && b.data[0] == tag ? from(b, header) : bytes_of(NULL, 0);
}

static bool tagged(struct bytes b, uint8_t tag)
{
	return b.len > 0 && b.data[0] == tag;
}

/*
 * Private keys are sequences that begin with a version of one byte, which no public key and no certificate does. Behind it PKCS#8
 * has an algorithm, PKCS#1 a modulus, SEC1 the key's bytes, and PKCS#12 a file of content.
 */
static const char *versioned_label(uint8_t version, struct bytes behind)
{
	if (version == 3 && tagged(behind, 0x30))
		return "PKCS12";
	if (tagged(behind, 0x30))
		return "PRIVATE KEY";
	if (tagged(behind, 0x04))
		return "EC PRIVATE KEY";
	return tagged(behind, 0x02) ? "RSA PRIVATE KEY" : NULL;
}

const char *der_label(struct bytes file)
{
	struct bytes fields = der_contents(file, 0x30), inner = der_contents(fields, 0x30);

	if (begins(fields, "\x02\x01"))
		return fields.len > 3 ? versioned_label(fields.data[2], from(fields, 3)) : NULL;
	/* The identifier of an encryption: PKCS#5 or PKCS#12. */
	if (begins(inner, "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05") ||
	    begins(inner, "\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x0c"))
		return "ENCRYPTED PRIVATE KEY";
	if (tagged(inner, 0x06))
		return "PUBLIC KEY";
	if (tagged(inner, 0xa0))
		return "CERTIFICATE";
	if (begins(inner, "\x02\x01") && inner.len > 3)
		return inner.data[2] == 0 && tagged(from(inner, 3), 0x30) ? "CERTIFICATE REQUEST"
									  : NULL;
	/* A modulus of more than 127 bytes. */
	return tagged(fields, 0x02) && fields.len > 1 && fields.data[1] > 0x80 ? "RSA PUBLIC KEY"
									       : NULL;
}

/* -- text ------------------------------------------------------------------------------------------ */

struct bytes pem_label(struct bytes file)
{
	static const char word[] = "-----BEGIN ";
	const uint8_t *at =
	    file.len == 0 ? NULL : memmem(file.data, file.len, word, sizeof(word) - 1);
	struct bytes label = at == NULL ? bytes_of(NULL, 0)
					: from(file, (size_t)(at - file.data) + sizeof(word) - 1);
	const uint8_t *end = label.len == 0 ? NULL : memchr(label.data, '-', label.len);

	return end == NULL ? bytes_of(NULL, 0) : bytes_of(label.data, (size_t)(end - label.data));
}

static const struct file_kind *find_label(const struct file_kind *kinds, size_t n,
					  struct bytes label)
{
	for (size_t i = 0; i < n; i++)
		if (bytes_is(label, kinds[i].name))
			return &kinds[i];
	return NULL;
}

#define FIND_LABEL(kinds, label) find_label(kinds, sizeof(kinds) / sizeof(*(kinds)), label)

/* Of several blocks the private key, which may stand behind its certificates or the parameters of its curve, or else the first. */
static const struct file_kind *pem_kind(struct bytes file)
{
	const struct file_kind *kind = NULL, *next;

	if (pem_label(file).len > 0 && contains(file, "Proc-Type: 4,ENCRYPTED"))
		return &old_encryption;
	for (;;) {
		struct bytes label = pem_label(file);
		if (label.len == 0)
			return kind;
		next = FIND_LABEL(labelled, label);
		if (next != NULL && (kind == NULL || next->about == FILE_PRIVATE_KEY))
			kind = next;
		if (kind != NULL && kind->about == FILE_PRIVATE_KEY)
			return kind;
		file = from(file, (size_t)(label.data + label.len - file.data));
	}
}

/* NAME+8 hex digits+BASE64, and nothing else on the line. */
static bool is_vkey(struct bytes line)
{
	const uint8_t *plus = line.len == 0 ? NULL : memchr(line.data, '+', line.len);
	struct bytes id =
	    plus == NULL ? bytes_of(NULL, 0) : from(line, (size_t)(plus - line.data) + 1);
	uint8_t digits[4];

	return id.len > 9 && id.data[8] == '+' &&
	       hex_decode_exact(digits, 4, bytes_of(id.data, 8)) == VT_OK &&
	       memchr(line.data, ' ', line.len) == NULL;
}

/* Origin, size, and a root of 32 bytes. */
static bool is_checkpoint(struct bytes text)
{
	struct bytes origin = next_line(&text), size = next_line(&text), root = next_line(&text);
	uint8_t hash[32];
	uint64_t n;

	return origin.len > 0 && decimal_decode(&n, size) == VT_OK &&
	       base64_decode_exact(hash, sizeof(hash), root, BASE64_STANDARD) == VT_OK;
}

static bool is_policy(struct bytes text)
{
	static const char *const words[] = {"log ", "witness ", "group ", "quorum "};

	while (text.len > 0) {
		struct bytes line = without_space(next_line(&text));
		if (line.len == 0 || line.data[0] == '#')
			continue;
		for (size_t i = 0; i < 4; i++)
			if (begins(line, words[i]))
				return true;
		return false;
	}
	return false;
}

/* A secret is longer than a signature of 74 bytes, and a signature than a public key. */
static const struct file_kind *minisign_kind(struct bytes text)
{
	next_line(&text);
	return next_line(&text).len > BASE64_ENCODED_LEN(74) ? &minisign_secret : &minisign;
}

static const struct file_kind *json_kind(struct bytes text)
{
	if (contains(text, "application/vnd.dev.sigstore.bundle"))
		return &bundle;
	if (contains(text, "\"payloadType\""))
		return &record;
	if (contains(text, "https://in-toto.io/Statement"))
		return &statement;
	return contains(text, "\"kty\"") ? &jwk : &json;
}

static const struct file_kind *text_kind(struct bytes text)
{
	struct bytes lines = text;

	for (size_t i = 0; i < sizeof(beginning) / sizeof(*beginning); i++)
		if (begins(text, beginning[i].name))
			return &beginning[i];
	if (begins(text, "untrusted comment: "))
		return minisign_kind(text);
	if (begins(text, "{") || begins(text, "["))
		return json_kind(text);
	if (is_vkey(next_line(&lines)))
		return &vkey;
	if (is_checkpoint(text))
		return &checkpoint;
	return is_policy(text) ? &policy : NULL;
}

const struct file_kind *file_kind(struct bytes file)
{
	const char *der = der_label(file);
	const struct file_kind *kind = NULL;
	struct bytes text = without_space(text_without_mark(file));

	if (der != NULL && (kind = FIND_LABEL(der_only, bytes_str(der))) == NULL)
		kind = FIND_LABEL(labelled, bytes_str(der));
	/* A proof or a record may quote a key; it is what it begins as. */
	if (kind == NULL && (kind = text_kind(text)) == NULL)
		kind = pem_kind(text);
	return kind;
}

bool file_kind_is(const struct file_kind *kind, const char *name)
{
	return kind != NULL && strcmp(kind->name, name) == 0;
}

static bool is_utf16(struct bytes file)
{
	return begins(file, "\xff\xfe") || begins(file, "\xfe\xff");
}

const char *file_kind_text(struct bytes file)
{
	const struct file_kind *kind = file_kind(file);

	if (kind != NULL)
		return kind->what;
	if (without_space(file).len == 0)
		return "empty";
	if (is_utf16(file))
		return "UTF-16 text; save it as UTF-8";
	return utf8_valid(file) && memchr(file.data, '\0', file.len) == NULL
		   ? "text of a kind that is not known here"
		   : "binary data of a kind that is not known here";
}

const char *text_fault(struct bytes file)
{
	if (file.len == 0)
		return "it is empty";
	if (is_utf16(file))
		return "it is UTF-16 text; save it as UTF-8";
	if (begins(file, "\xef\xbb\xbf"))
		return "it begins with a byte order mark; save it as UTF-8 without one";
	if (contains(file, "\r\n"))
		return "its lines end in CRLF; `sed -i 's/\\r$//' FILE` mends it";
	if (file.data[file.len - 1] != '\n')
		return "it is cut short: its last line has no end";
	return NULL;
}
