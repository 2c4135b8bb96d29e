#include "dsse.h"

#include <stdio.h>
#include <string.h>

#include "json.h"

/* The parts of the canonical form around what varies. */
static const char envelope_head[] = "{\"payload\":\"";
static const char envelope_middle[] =
    "\",\"payloadType\":\"" DSSE_PAYLOAD_TYPE "\",\"signatures\":[";
static const char envelope_tail[] = "]}";
static const char signature_head[] = "{\"keyid\":";
static const char signature_middle[] = ",\"sig\":\"";
static const char signature_tail[] = "\"}";

/* Of all versions and forms: ".v0.3+json", "+json;version=0.2". */
static const char bundle_media_type[] = "application/vnd.dev.sigstore.bundle";

enum { KEYID_HEX = 2 * MERKLE_HASH_SIZE, KEYID_JSON_LEN = KEYID_HEX + 2 };

#define LITERAL_LEN(text) (sizeof(text) - 1)

void dsse_init(struct dsse *d)
{
	*d = (struct dsse){0};
}

void dsse_release(struct dsse *d)
{
	buf_release(&d->memory);
	dsse_init(d);
}

static enum vt_err wrong_kind(const struct json *value, const char *path, const char *expected,
			      struct problem *why)
{
	if (value == NULL)
		return problem_set(why, VT_EMALFORMED, "envelope-shape", "%s: missing", path);
	return problem_set(why, VT_EMALFORMED, "envelope-shape", "%s: %s, expected %s", path,
			   json_kind_name(json_kind(value)), expected);
}

/*
 * Append to d->memory what the member's base64 stands for. The place is kept as an offset, in
 * *len_out the length: the buffer moves while it grows.
 */
static enum vt_err decode_member(struct dsse *d, size_t *len_out, const struct json *object,
				 const char *name, const char *path, struct problem *why)
{
	const struct json *value = json_member(object, name);
	size_t before = d->memory.len;
	struct bytes text;
	enum vt_err err;

	if (!json_text(value, &text))
		return wrong_kind(value, path, "a string", why);
	err = buf_append_decoded_base64(&d->memory, text, BASE64_ANY);
	if (err == VT_EMALFORMED)
		return problem_set(why, err, "envelope-base64",
				   "%s: not base64 as RFC 4648 has it (one alphabet, no white "
				   "space, a whole number of bytes, unused bits zero)",
				   path);
	*len_out = d->memory.len - before;
	return err;
}

/* hint: what stands for a missing keyid. */
static enum vt_err parse_signature(struct dsse *d, struct dsse_signature *sig,
				   const struct json *value, size_t i, struct bytes hint,
				   struct problem *why)
{
	const struct json *keyid = json_member(value, "keyid");
	struct bytes text = bytes_of(NULL, 0);
	char path[40];
	enum vt_err err;

	snprintf(path, sizeof(path), "signatures[%zu]", i);
	if (json_kind(value) != JSON_OBJECT)
		return wrong_kind(value, path, "an object", why);
	/* envelope.md: "The following fields are OPTIONAL and MAY be unset: signature.keyid. An
	 * unset field MUST be treated the same as set-but-empty." */
	snprintf(path, sizeof(path), "signatures[%zu].keyid", i);
	if (keyid != NULL && json_kind(keyid) != JSON_NULL && !json_text(keyid, &text))
		return wrong_kind(keyid, path, "a string", why);
	if (text.len == 0)
		text = hint;
	if ((err = buf_append(&d->memory, text)) != VT_OK)
		return err;
	sig->keyid.len = text.len;
	snprintf(path, sizeof(path), "signatures[%zu].sig", i);
	return decode_member(d, &sig->sig.len, value, "sig", path, why);
}

static enum vt_err parse_signatures(struct dsse *d, const struct json *envelope, struct bytes hint,
				    struct problem *why)
{
	const struct json *list = json_member(envelope, "signatures");
	size_t n = json_count(list);
	enum vt_err err;

	if (list == NULL || json_kind(list) != JSON_ARRAY)
		return wrong_kind(list, "signatures", "an array", why);
	if (n == 0 || n > DSSE_SIGNATURES_MAX)
		return problem_set(why, VT_EMALFORMED, "envelope-signature-count",
				   "signatures: %zu, expected 1 to %d", n, DSSE_SIGNATURES_MAX);
	for (size_t i = 0; i < n; i++)
		if ((err = parse_signature(d, &d->sig[i], json_at(list, i), i, hint, why)) != VT_OK)
			return err;
	d->n = n;
	return VT_OK;
}

/* envelope.md: "payload, payloadType, signature, signature.sig" are required, and "Consumers MUST
 * ignore unrecognized fields." */
static enum vt_err parse_envelope(struct dsse *d, const struct json *envelope, struct bytes hint,
				  struct problem *why)
{
	const struct json *type = json_member(envelope, "payloadType");
	char quoted[80];
	struct bytes text;
	enum vt_err err;

	if (json_kind(envelope) != JSON_OBJECT)
		return wrong_kind(envelope, "the body", "an object", why);
	if (!json_text(type, &text))
		return wrong_kind(type, "payloadType", "a string", why);
	if (!bytes_is(text, DSSE_PAYLOAD_TYPE))
		return problem_set(why, VT_EMALFORMED, "envelope-payload-type",
				   "payloadType: \"%s\", expected \"" DSSE_PAYLOAD_TYPE "\"",
				   problem_quote(quoted, sizeof(quoted), text));
	if ((err = decode_member(d, &d->payload.len, envelope, "payload", "payload", why)) != VT_OK)
		return err;
	return parse_signatures(d, envelope, hint, why);
}

/* -- Sigstore bundles (sigstore/protobuf-specs, sigstore_bundle.proto) ------------------------------ */

static bool is_bundle(const struct json *body)
{
	const size_t len = LITERAL_LEN(bundle_media_type);
	struct bytes type;

	return json_member(body, "payloadType") == NULL &&
	       json_text(json_member(body, "mediaType"), &type) && type.len > len &&
	       memcmp(type.data, bundle_media_type, len) == 0 &&
	       (type.data[len] == '.' || type.data[len] == '+');
}

/* What protobuf leaves out may be there as null. */
static bool has_member(const struct json *object, const char *name)
{
	return json_kind(json_member(object, name)) != JSON_NULL;
}

/* The hint of the bundle's key. cosign's is the keyid in base64, which is written to `hex`. */
static enum vt_err read_hint(struct bytes *hint, char hex[KEYID_HEX + 1],
			     const struct json *material)
{
	const struct json *key = json_member(material, "publicKey");
	struct buf id;
	enum vt_err err;

	buf_init(&id);
	if (!json_text(json_member(key, "hint"), hint) ||
	    hint->len != BASE64_ENCODED_LEN(MERKLE_HASH_SIZE))
		return VT_OK;
	err = buf_append_decoded_base64(&id, *hint, BASE64_ANY);
	if (err == VT_OK && id.len == MERKLE_HASH_SIZE) {
		hex_encode(hex, buf_bytes(&id));
		*hint = bytes_of(hex, KEYID_HEX);
	}
	buf_release(&id);
	return err == VT_EMALFORMED ? VT_OK : err;
}

/* "message_signature ... or dsse_envelope": either is the bundle's content. */
static enum vt_err parse_bundle(struct dsse *d, const struct json *bundle, struct problem *why)
{
	const struct json *envelope = json_member(bundle, "dsseEnvelope");
	const struct json *material = json_member(bundle, "verificationMaterial");
	struct bytes hint = bytes_of(NULL, 0);
	char hex[KEYID_HEX + 1];
	enum vt_err err;

	if (has_member(bundle, "messageSignature"))
		return problem_set(why, VT_EMALFORMED, "envelope-shape",
				   "messageSignature: the bundle signs a file and says nothing of "
				   "it; a record is a signed statement, in a dsseEnvelope (as of "
				   "cosign attest-blob, not sign-blob)");
	if (json_kind(envelope) != JSON_OBJECT)
		return wrong_kind(envelope, "dsseEnvelope", "an object", why);
	d->certified =
	    has_member(material, "certificate") || has_member(material, "x509CertificateChain");
	if ((err = read_hint(&hint, hex, material)) != VT_OK)
		return err;
	return parse_envelope(d, envelope, hint, why);
}

/* The buffer has stopped moving: turn the lengths, in the order they were appended, into views. */
static void settle_views(struct dsse *d)
{
	const uint8_t *at = d->memory.data;

	d->payload.data = at;
	at += d->payload.len;
	for (size_t i = 0; i < d->n; i++) {
		d->sig[i].keyid.data = at;
		at += d->sig[i].keyid.len;
		d->sig[i].sig.data = at;
		at += d->sig[i].sig.len;
	}
}

enum vt_err dsse_parse(struct dsse *d, struct bytes text, struct problem *why)
{
	struct json *envelope = NULL;
	struct json_error jerr;
	enum vt_err err;

	dsse_init(d);
	err = json_parse(&envelope, text, &jerr);
	if (err == VT_ELIMIT)
		problem_set(why, err, "body-depth", "byte %zu: %s", jerr.offset, jerr.text);
	else if (err == VT_EMALFORMED)
		problem_set(why, err, "body-not-json", "byte %zu: %s", jerr.offset, jerr.text);
	if (err != VT_OK || (err = buf_reserve(&d->memory, text.len)) != VT_OK ||
	    (err = is_bundle(envelope)
		       ? parse_bundle(d, envelope, why)
		       : parse_envelope(d, envelope, bytes_of(NULL, 0), why)) != VT_OK)
		goto done;
	settle_views(d);
done:
	json_free(envelope);
	if (err != VT_OK)
		dsse_release(d);
	return err;
}

/* protocol.md: PAE(type, body) = "DSSEv1" + SP + LEN(type) + SP + type + SP + LEN(body) + SP + body
 */
static enum vt_err pae_head(struct buf *out, size_t payload_len)
{
	return buf_appendf(out, "DSSEv1 %zu " DSSE_PAYLOAD_TYPE " %zu ",
			   LITERAL_LEN(DSSE_PAYLOAD_TYPE), payload_len);
}

enum vt_err dsse_pae(struct buf *out, struct bytes payload)
{
	size_t before = out->len;
	enum vt_err err;

	if ((err = pae_head(out, payload.len)) != VT_OK ||
	    (err = buf_append(out, payload)) != VT_OK)
		out->len = before;
	return err;
}

enum vt_err dsse_pae_hash(struct merkle_hash *out, struct merkle_hasher *h, struct bytes payload)
{
	struct bytes part[2] = {{NULL, 0}, payload};
	struct buf head;
	enum vt_err err;

	buf_init(&head);
	if ((err = pae_head(&head, payload.len)) != VT_OK)
		goto done;
	part[0] = buf_bytes(&head);
	err = merkle_sha256(out, h, part, 2);
done:
	buf_release(&head);
	return err;
}

/* A JSON string. What jansson escapes is its own affair; the keyids of entries need no escape. */
static enum vt_err write_text(struct buf *out, struct bytes text)
{
	struct json *j = json_new_text(text);
	enum vt_err err = j == NULL ? VT_ENOMEM : json_write(out, j, JSON_COMPACT);

	json_free(j);
	return err;
}

enum vt_err dsse_write(struct buf *out, struct bytes payload, const struct dsse_signature *sig,
		       size_t n)
{
	size_t before = out->len;
	enum vt_err err;

	if ((err = buf_append_str(out, envelope_head)) != VT_OK ||
	    (err = buf_append_base64(out, payload)) != VT_OK ||
	    (err = buf_append_str(out, envelope_middle)) != VT_OK)
		goto done;
	for (size_t i = 0; i < n; i++)
		if ((i != 0 && (err = buf_append_byte(out, ',')) != VT_OK) ||
		    (err = buf_append_str(out, signature_head)) != VT_OK ||
		    (err = write_text(out, sig[i].keyid)) != VT_OK ||
		    (err = buf_append_str(out, signature_middle)) != VT_OK ||
		    (err = buf_append_base64(out, sig[i].sig)) != VT_OK ||
		    (err = buf_append_str(out, signature_tail)) != VT_OK)
			goto done;
	err = buf_append_str(out, envelope_tail);
done:
	if (err != VT_OK)
		out->len = before;
	return err;
}

size_t dsse_canonical_len(size_t payload_len, const struct dsse_signature *sig, size_t n)
{
	size_t len = LITERAL_LEN(envelope_head) + BASE64_ENCODED_LEN(payload_len) +
		     LITERAL_LEN(envelope_middle) + LITERAL_LEN(envelope_tail);

	for (size_t i = 0; i < n; i++)
		len += (i != 0) + LITERAL_LEN(signature_head) + KEYID_JSON_LEN +
		       LITERAL_LEN(signature_middle) + BASE64_ENCODED_LEN(sig[i].sig.len) +
		       LITERAL_LEN(signature_tail);
	return len;
}
