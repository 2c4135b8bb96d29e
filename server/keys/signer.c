#include "signer.h"

#include "file_kind.h"
#include "keys_internal.h"
#include "logline.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	KEY_FILE_MAX = 65536,
	PASSPHRASE_MAX = 1024,
	/* What a guess at the passphrase of a file written here costs (PBKDF2, SHA-256). */
	PBKDF2_ITERATIONS = 600000,
};

struct signer {
	EVP_PKEY *pkey;
	struct party_key *public;
	char *note_name; /* NULL: not a note key */
};

static enum vt_err no_memory(struct why *why)
{
	return why_say(why, VT_ENOMEM, "%s", vt_err_text(VT_ENOMEM));
}

/* SPKI's point is to be uncompressed, however the private key's file had it. */
static enum vt_err normalise(EVP_PKEY *pkey)
{
	if (EVP_PKEY_is_a(pkey, "EC") &&
	    !EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
					    OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED))
		return openssl_failure(VT_EINTERNAL);
	return VT_OK;
}

/* Do the halves belong together? Whatever the kind of key, a signature tells. */
static enum vt_err self_test(const struct signer *s, struct why *why)
{
	struct buf sig;
	enum vt_err err;

	buf_init(&sig);
	err = signer_sign(&sig, s, party_key_default_scheme(s->public), bytes_str("self-test"));
	buf_release(&sig);
	if (err == VT_EMISMATCH)
		return why_say(
		    why, VT_EMALFORMED,
		    "the private and the public half of this key do not belong together");
	if (err != VT_OK)
		return why_say(why, err, "this key does not sign: %s", vt_err_text(err));
	return VT_OK;
}

/* Takes pkey over, also on failure. */
static enum vt_err signer_from_pkey(struct signer **out, EVP_PKEY *pkey, struct why *why)
{
	enum vt_err err;
	uint8_t *spki = NULL;
	int len;
	struct signer *s = calloc(1, sizeof(*s));

	if (s == NULL) {
		EVP_PKEY_free(pkey);
		return no_memory(why);
	}
	s->pkey = pkey;
	if ((err = normalise(pkey)) != VT_OK || (len = i2d_PUBKEY(pkey, &spki)) <= 0) {
		err = why_say(why, openssl_failure(VT_EMALFORMED), "the key cannot be encoded");
		goto done;
	}
	if ((err = party_key_from_spki(&s->public, bytes_of(spki, (size_t)len), why)) != VT_OK ||
	    (err = self_test(s, why)) != VT_OK)
		goto done;
	*out = s;
	s = NULL; /* transferred */
done:
	OPENSSL_free(spki);
	signer_free(s);
	return err;
}

void signer_free(struct signer *s)
{
	if (s == NULL)
		return;
	EVP_PKEY_free(s->pkey); /* wipes it */
	party_key_free(s->public);
	free(s->note_name);
	free(s);
}

/* What decrypts is PKCS#8's PrivateKeyInfo. NULL with *err set. */
static PKCS8_PRIV_KEY_INFO *decrypt(struct bytes der, const char *passphrase, enum vt_err *err,
				    struct why *why)
{
	const uint8_t *p = der.data;
	X509_SIG *sealed;
	PKCS8_PRIV_KEY_INFO *info = NULL;

	if (passphrase == NULL) {
		*err =
		    why_say(why, VT_EMALFORMED, "the key is encrypted; its passphrase is needed");
		return NULL;
	}
	if (strlen(passphrase) > PASSPHRASE_MAX) {
		*err = why_say(why, VT_ELIMIT, "a passphrase of over %d bytes", PASSPHRASE_MAX);
		return NULL;
	}
	sealed = d2i_X509_SIG(NULL, &p, (long)der.len);
	if (sealed == NULL || p != der.data + der.len)
		*err = why_say(why, openssl_failure(VT_EMALFORMED),
			       "the encrypted key in it is damaged (not PKCS#8)");
	else if ((info = PKCS8_decrypt(sealed, passphrase, (int)strlen(passphrase))) == NULL)
		*err = why_say(why, openssl_failure(VT_EMALFORMED),
			       "the key does not decrypt: wrong passphrase, or a cipher that is "
			       "not supported");
	X509_SIG_free(sealed);
	return info;
}

static enum vt_err from_pkcs8(struct signer **out, struct bytes label, struct bytes der,
			      const char *passphrase, struct why *why)
{
	enum vt_err err = VT_EMALFORMED;
	const uint8_t *p = der.data;
	PKCS8_PRIV_KEY_INFO *info = NULL;
	EVP_PKEY *pkey;

	if (bytes_is(label, "ENCRYPTED PRIVATE KEY")) {
		if ((info = decrypt(der, passphrase, &err, why)) == NULL)
			return err;
	} else {
		info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &p, (long)der.len);
		if (info == NULL || p != der.data + der.len) {
			err = why_say(why, openssl_failure(VT_EMALFORMED),
				      "the private key in it is damaged (not PKCS#8)");
			goto done;
		}
	}
	if ((pkey = EVP_PKCS82PKEY(info)) == NULL) {
		err = why_say(
		    why, openssl_failure(VT_EMALFORMED),
		    "the private key does not decode: only Ed25519, ECDSA and RSA are taken");
		goto done;
	}
	err = signer_from_pkey(out, pkey, why);
done:
	PKCS8_PRIV_KEY_INFO_free(info); /* wipes it */
	ERR_clear_error();
	return err;
}

/* SEC1 or PKCS#1, as "EC PRIVATE KEY" and "RSA PRIVATE KEY" hold them. */
static enum vt_err from_traditional(struct signer **out, const char *type, int id, struct bytes der,
				    struct why *why)
{
	const uint8_t *p = der.data;
	EVP_PKEY *pkey = d2i_PrivateKey(id, NULL, &p, (long)der.len);

	if (pkey != NULL && p == der.data + der.len)
		return signer_from_pkey(out, pkey, why);
	EVP_PKEY_free(pkey);
	return why_say(why, openssl_failure(VT_EMALFORMED), "the %s key in it is damaged", type);
}

static enum vt_err from_seed(struct signer **out, struct bytes seed, struct why *why)
{
	EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed.data, seed.len);

	return pkey != NULL ? signer_from_pkey(out, pkey, why)
			    : why_say(why, openssl_failure(VT_EINTERNAL),
				      "no Ed25519 key could be made of it");
}

static enum vt_err from_der(struct signer **out, struct bytes label, struct bytes der,
			    const char *passphrase, struct why *why)
{
	struct bytes seed;
	enum vt_err err;

	if (bytes_is(label, "EC PRIVATE KEY"))
		return from_traditional(out, "EC", EVP_PKEY_EC, der, why);
	if (bytes_is(label, "RSA PRIVATE KEY"))
		return from_traditional(out, "RSA", EVP_PKEY_RSA, der, why);
	if (bytes_is(label, "OPENSSH PRIVATE KEY"))
		return (err = openssh_private(&seed, der, why)) != VT_OK
			   ? err
			   : from_seed(out, seed, why);
	return from_pkcs8(out, label, der, passphrase, why);
}

/* file_kind() has found a private key that is taken. */
static enum vt_err from_file_of_key(struct signer **out, struct bytes file, const char *passphrase,
				    struct why *why)
{
	enum vt_err err;
	struct bytes label;
	struct buf der;

	if (der_label(file) != NULL)
		return from_der(out, bytes_str(der_label(file)), file, passphrase, why);
	buf_init(&der);
	if ((err = pem_decode(&label, &der, text_without_mark(file), why)) == VT_OK)
		err = from_der(out, label, buf_bytes(&der), passphrase, why);
	secret_release(&der);
	return err;
}

/* The next part up to a plus sign, which is skipped; or the rest. */
static struct bytes next_part(struct bytes *rest)
{
	const uint8_t *plus = rest->len == 0 ? NULL : memchr(rest->data, '+', rest->len);
	struct bytes part = *rest;

	if (plus == NULL) {
		*rest = bytes_of(NULL, 0);
		return part;
	}
	part.len = (size_t)(plus - rest->data);
	*rest = bytes_of(plus + 1, rest->len - part.len - 1);
	return part;
}

/* golang.org/x/mod/sumdb/note: PRIVATE+KEY+<name>+<hash>+<keydata>, the last being base64 of the
 * algorithm's byte and the seed. */
static enum vt_err from_note_key(struct signer **out, struct bytes text, struct why *why)
{
	enum vt_err err = VT_EMALFORMED;
	struct bytes name, id;
	uint8_t raw[33], public[32], id_bytes[4];
	size_t len = sizeof(public);
	struct vkey vkey;
	EVP_PKEY *pkey = NULL;
	struct signer *s = NULL;
	char *name_z = NULL;

	next_part(&text);
	next_part(&text);
	name = next_part(&text);
	id = next_part(&text);
	if (!vkey_name_valid(name) || hex_decode_exact(id_bytes, 4, id) != VT_OK ||
	    base64_decode_exact(raw, sizeof(raw), text, BASE64_STANDARD) != VT_OK) {
		why_say(why, err, "not a note key: PRIVATE+KEY+<name>+<8 hex digits>+<base64>");
		goto done;
	}
	if (raw[0] != VKEY_TYPE_ED25519) {
		why_say(why, err, "a note key of type %u: only 1 (Ed25519) is taken", raw[0]);
		goto done;
	}
	if ((name_z = bytes_dup_str(name)) == NULL) {
		err = no_memory(why);
		goto done;
	}
	pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw + 1, 32);
	if (pkey == NULL || !EVP_PKEY_get_raw_public_key(pkey, public, &len)) {
		err = why_say(why, openssl_failure(VT_EINTERNAL), "the note key does not decode");
		goto done;
	}
	if ((err = vkey_from_ed25519(&vkey, name_z, VKEY_TYPE_ED25519, public)) != VT_OK) {
		why_say(why, err, "not a note key: %s", vt_err_text(err));
		goto done;
	}
	uint32_t given = (uint32_t)id_bytes[0] << 24 | (uint32_t)id_bytes[1] << 16 |
			 (uint32_t)id_bytes[2] << 8 | id_bytes[3];
	if (given != vkey.id) {
		err =
		    why_say(why, VT_EMALFORMED,
			    "the note key's ID is %08x: name and key make it %08x", given, vkey.id);
		goto done;
	}
	err = signer_from_pkey(&s, pkey, why);
	pkey = NULL; /* taken over */
	if (err != VT_OK)
		goto done;
	s->note_name = name_z;
	name_z = NULL;
	*out = s;
done:
	OPENSSL_cleanse(raw, sizeof(raw));
	EVP_PKEY_free(pkey);
	free(name_z);
	return err;
}

/* Into memory that is reserved at once, so that wiping out reaches every copy. */
static enum vt_err read_private_file(struct buf *out, struct stat *st, const char *path,
				     struct why *why)
{
	enum vt_err err = VT_EIO;
	int fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)) < 0) {
		err = errno == ENOENT || errno == ENOTDIR ? VT_ENOTFOUND : VT_EIO;
		return why_say(why, err, "%s", strerror(errno));
	}
	if (fstat(fd, st) != 0) {
		why_say(why, err, "%s", strerror(errno));
		goto done;
	}
	if (S_ISDIR(st->st_mode)) {
		why_say(why, err, "%s", strerror(EISDIR));
		goto done;
	}
	if (buf_reserve(out, KEY_FILE_MAX + 1) != VT_OK) {
		err = no_memory(why);
		goto done;
	}
	for (;;) {
		ssize_t n = read(fd, out->data + out->len, KEY_FILE_MAX + 1 - out->len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			why_say(why, err, "%s", strerror(errno));
			goto done;
		}
		out->len += (size_t)n;
		if (n == 0)
			break;
		if (out->len > KEY_FILE_MAX) {
			err = why_say(why, VT_EMALFORMED, "too long for a private key");
			goto done;
		}
	}
	err = VT_OK;
done:
	close(fd);
	return err;
}

static enum vt_err check_is_private_key(struct bytes file, struct why *why)
{
	const struct file_kind *kind = file_kind(file);

	if (kind != NULL && kind->for_private != NULL)
		return why_say(why, VT_EMALFORMED, "it is %s: %s", kind->what, kind->for_private);
	if (kind == NULL || kind->about != FILE_PRIVATE_KEY)
		return why_say(why, VT_EMALFORMED, "it is %s: a private key is needed, in PEM",
			       file_kind_text(file));
	return VT_OK;
}

/* A group may read what root gave it: that is how a secret is mounted for a service. */
static enum vt_err check_mode(const struct stat *st, struct why *why)
{
	if ((st->st_mode & (st->st_uid == 0 ? 037 : 077)) == 0)
		return VT_OK;
	return why_say(why, VT_EUNTRUSTED,
		       "others can get at this private key (mode %03o): chmod 600 it",
		       (unsigned)st->st_mode & 0777);
}

enum vt_err signer_from_file(struct signer **out, const char *path, const char *passphrase,
			     struct why *why)
{
	enum vt_err err;
	struct stat st;
	struct bytes text;
	struct buf file;

	*out = NULL;
	buf_init(&file);
	if ((err = read_private_file(&file, &st, path, why)) != VT_OK)
		goto done;
	text = buf_bytes(&file);
	/* In this order: whoever gave a public key needs no other mode for it. */
	if ((err = check_is_private_key(text, why)) != VT_OK ||
	    (err = check_mode(&st, why)) != VT_OK)
		goto done;
	if (file_kind_is(file_kind(text), "PRIVATE+KEY+"))
		err = from_note_key(out, text_trimmed(text_without_mark(text)), why);
	else
		err = from_file_of_key(out, text, passphrase, why);
done:
	secret_release(&file);
	ERR_clear_error();
	return err;
}

enum vt_err signer_generate(struct signer **out, const char *kind, struct why *why)
{
	EVP_PKEY *pkey;

	*out = NULL;
	if (strcmp(kind, "ed25519") == 0)
		pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	else if (strcmp(kind, "p256") == 0)
		pkey = EVP_EC_gen("P-256");
	else if (strcmp(kind, "p384") == 0)
		pkey = EVP_EC_gen("P-384");
	else if (strcmp(kind, "rsa3072") == 0)
		pkey = EVP_RSA_gen(3072);
	else if (strcmp(kind, "rsa4096") == 0)
		pkey = EVP_RSA_gen(4096);
	else
		return why_say(why, VT_EINVAL,
			       "no such kind of key: one of ed25519, p256, p384, rsa3072, rsa4096");
	if (pkey == NULL)
		return why_say(why, openssl_failure(VT_EINTERNAL), "the key could not be made");
	return signer_from_pkey(out, pkey, why);
}

/* "-----BEGIN label-----" and lines of 64 characters. Room for all of it is reserved first. */
static enum vt_err append_pem(struct buf *out, const char *label, struct bytes der)
{
	enum vt_err err;
	struct buf base64;
	size_t len = BASE64_ENCODED_LEN(der.len);

	buf_init(&base64);
	if ((err = buf_reserve(&base64, len)) != VT_OK ||
	    (err = buf_append_base64(&base64, der)) != VT_OK ||
	    (err = buf_reserve(out, len + len / 64 + 2 * strlen(label) + 40)) != VT_OK ||
	    (err = buf_appendf(out, "-----BEGIN %s-----\n", label)) != VT_OK)
		goto done;
	for (size_t at = 0; at < len; at += 64) {
		size_t n = len - at < 64 ? len - at : 64;
		if ((err = buf_append(out, bytes_of(base64.data + at, n))) != VT_OK ||
		    (err = buf_append_byte(out, '\n')) != VT_OK)
			goto done;
	}
	err = buf_appendf(out, "-----END %s-----\n", label);
done:
	secret_release(&base64);
	return err;
}

enum vt_err signer_private_pem(struct buf *out, const struct signer *s, const char *passphrase)
{
	enum vt_err err = VT_EINTERNAL;
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(s->pkey);
	X509_SIG *sealed = NULL;
	uint8_t *der = NULL;
	int len = 0;

	if (passphrase != NULL && (*passphrase == '\0' || strlen(passphrase) > PASSPHRASE_MAX)) {
		err = VT_EINVAL;
		goto done;
	}
	if (info != NULL && passphrase == NULL) {
		len = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
	} else if (info != NULL) {
		sealed = PKCS8_encrypt(-1, EVP_aes_256_cbc(), passphrase, (int)strlen(passphrase),
				       NULL, 0, PBKDF2_ITERATIONS, info);
		if (sealed != NULL)
			len = i2d_X509_SIG(sealed, &der);
	}
	if (len <= 0) {
		err = openssl_failure(VT_EINTERNAL);
		goto done;
	}
	err = append_pem(out, passphrase == NULL ? "PRIVATE KEY" : "ENCRYPTED PRIVATE KEY",
			 bytes_of(der, (size_t)len));
done:
	OPENSSL_clear_free(der, (size_t)(len > 0 ? len : 0));
	X509_SIG_free(sealed);
	PKCS8_PRIV_KEY_INFO_free(info);
	return err;
}

enum vt_err signer_public_pem(struct buf *out, const struct signer *s)
{
	return append_pem(out, "PUBLIC KEY", party_key_spki(s->public));
}

const struct party_key *signer_public(const struct signer *s)
{
	return s->public;
}

const char *signer_note_name(const struct signer *s)
{
	return s->note_name;
}

static enum vt_err sign_raw(uint8_t *sig, size_t *len, const struct signer *s,
			    enum key_scheme scheme, struct bytes msg)
{
	enum vt_err err = VT_EINTERNAL;
	EVP_PKEY_CTX *settings = NULL; /* belongs to ctx */
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx == NULL)
		return openssl_failure(VT_ENOMEM);
	if (EVP_DigestSignInit_ex(ctx, &settings, scheme_digest(scheme), NULL, NULL, s->pkey,
				  NULL) != 1) {
		err = openssl_failure(VT_EINTERNAL);
		goto done;
	}
	if ((err = scheme_set_up(settings, scheme)) != VT_OK)
		goto done;
	if (EVP_DigestSign(ctx, sig, len, msg.len == 0 ? (const uint8_t *)"" : msg.data, msg.len) !=
	    1)
		err = openssl_failure(VT_EINTERNAL);
done:
	EVP_MD_CTX_free(ctx);
	return err;
}

enum vt_err signer_sign(struct buf *sig, const struct signer *s, enum key_scheme scheme,
			struct bytes msg)
{
	enum vt_err err;
	uint8_t raw[PARTY_KEY_SIGNATURE_MAX];
	size_t len = sizeof(raw);

	if (!party_key_takes(s->public, scheme))
		return VT_EINVAL;
	if ((err = sign_raw(raw, &len, s, scheme, msg)) != VT_OK)
		return err;
	/* A signature made by faulty hardware can give the key away: it is looked at before it
	 * leaves. */
	return party_key_verify(s->public, scheme, msg, bytes_of(raw, len), sig);
}

static enum vt_err sign_note(void *ctx, uint8_t sig[64], struct bytes msg)
{
	size_t len = 64;
	enum vt_err err = sign_raw(sig, &len, ctx, SCHEME_ED25519, msg);

	return err == VT_OK && len != 64 ? VT_EINTERNAL : err;
}

enum vt_err signer_note(struct note_signer *out, const struct signer *s, const char *name,
			uint8_t type)
{
	enum vt_err err;
	struct bytes spki = party_key_spki(s->public);

	if (!party_key_takes(s->public, SCHEME_ED25519) ||
	    (type != VKEY_TYPE_ED25519 && type != VKEY_TYPE_COSIGNATURE_ED25519))
		return VT_EINVAL;
	/* An Ed25519 SPKI ends in the key. */
	if ((err = vkey_from_ed25519(&out->key, name, type, spki.data + spki.len - 32)) != VT_OK)
		return err;
	out->sign = sign_note;
	out->ctx = (void *)(uintptr_t)s; /* only read */
	return VT_OK;
}

enum vt_err random_bytes(uint8_t *out, size_t len)
{
	while (len > 0) {
		ssize_t n = getrandom(out, len, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return INTERNAL_ERRNO("getrandom");
		out += n;
		len -= (size_t)n;
	}
	return VT_OK;
}
