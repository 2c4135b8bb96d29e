#include "keys_internal.h"

#include <openssl/crypto.h>

#include <string.h>

/* Not isspace(): that follows the locale. */
static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct bytes trimmed(struct bytes text)
{
	while (text.len > 0 && is_space(text.data[0]))
		text = bytes_of(text.data + 1, text.len - 1);
	while (text.len > 0 && is_space(text.data[text.len - 1]))
		text.len--;
	return text;
}

static bool take(struct bytes *text, struct bytes expected)
{
	if (text->len < expected.len || memcmp(text->data, expected.data, expected.len) != 0)
		return false;
	*text = bytes_of(text->data + expected.len, text->len - expected.len);
	return true;
}

static bool take_from_end(struct bytes *text, struct bytes expected)
{
	if (text->len < expected.len ||
	    memcmp(text->data + text->len - expected.len, expected.data, expected.len) != 0)
		return false;
	text->len -= expected.len;
	return true;
}

/* "-----BEGIN label-----" ... "-----END label-----": what is in between. */
static bool unwrap(struct bytes *label, struct bytes *body, struct bytes pem)
{
	struct bytes text = trimmed(pem), dashes = bytes_str("-----");
	const uint8_t *end;

	if (!take(&text, bytes_str("-----BEGIN ")) ||
	    (end = memchr(text.data, '-', text.len)) == NULL)
		return false;
	*label = bytes_of(text.data, (size_t)(end - text.data));
	for (size_t i = 0; i < label->len; i++) {
		if (label->data[i] < ' ' || label->data[i] > '~')
			return false;
	}
	if (!take(&text, *label) || !take(&text, dashes) || !take_from_end(&text, dashes) ||
	    !take_from_end(&text, *label) || !take_from_end(&text, bytes_str("-----END ")))
		return false;
	*body = text;
	return memchr(text.data, '-', text.len) == NULL;
}

enum vt_err pem_decode(struct bytes *label, struct buf *der, struct bytes pem,
		       struct key_error *why)
{
	enum vt_err err;
	struct bytes body;
	struct buf base64;
	static const char refusal[] =
	    "not a PEM file: expected \"-----BEGIN ...-----\", base64 lines "
	    "and \"-----END ...-----\", and nothing else";

	buf_init(&base64);
	if (!unwrap(label, &body, pem))
		return key_refuse(why, VT_EMALFORMED, "%s", refusal);
	if ((err = buf_reserve(&base64, body.len)) != VT_OK ||
	    (err = buf_reserve(der, BASE64_DECODED_MAX(body.len))) != VT_OK) {
		key_refuse(why, err, "%s", vt_err_text(err));
		goto done;
	}
	for (size_t i = 0; i < body.len; i++) {
		if (!is_space(body.data[i]))
			base64.data[base64.len++] = body.data[i];
	}
	err = buf_append_decoded_base64(der, buf_bytes(&base64), BASE64_STANDARD);
	if (err == VT_OK && der->len == 0)
		err = VT_EMALFORMED;
	if (err != VT_OK)
		key_refuse(why, err, "%s", err == VT_EMALFORMED ? refusal : vt_err_text(err));
done:
	secret_release(&base64);
	return err;
}

void secret_release(struct buf *b)
{
	if (b->data != NULL)
		OPENSSL_cleanse(b->data, b->cap);
	buf_release(b);
}
