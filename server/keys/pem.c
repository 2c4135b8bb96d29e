#include "keys_internal.h"

#include "file_kind.h"

#include <openssl/crypto.h>

#include <string.h>

/* Not isspace(): that follows the locale. */
static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct bytes text_trimmed(struct bytes text)
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

/* openssl ecparam -genkey writes the curve, which the key names too, in a block of its own before the key. */
static void skip_parameters(struct bytes *text)
{
	static const char end[] = "-----END EC PARAMETERS-----";
	struct bytes rest = *text;
	const uint8_t *at;

	if (!take(&rest, bytes_str("-----BEGIN EC PARAMETERS-----")) ||
	    (at = memmem(rest.data, rest.len, end, sizeof(end) - 1)) == NULL)
		return;
	at += sizeof(end) - 1;
	*text = text_trimmed(bytes_of(at, rest.len - (size_t)(at - rest.data)));
}

/*
 * "-----BEGIN label-----" ... "-----END label-----": what is in between. What is wrong with it instead; NULL: nothing. The file
 * has such a beginning somewhere.
 */
static const char *unwrap(struct bytes *label, struct bytes *body, struct bytes pem)
{
	struct bytes text = text_trimmed(pem), dashes = bytes_str("-----");

	const char *around = "there is more in it than one key (other blocks, or text): `openssl "
			     "pkey -in FILE -out NEW` takes the key out";

	skip_parameters(&text);
	*label = pem_label(text);
	if (bytes_is(*label, "PUBLIC KEY"))
		around = "there is more in it than one key (other blocks, or text): `openssl "
			 "pkey -pubin -in FILE -out NEW` takes the key out";
	if (!take(&text, bytes_str("-----BEGIN ")))
		return around;
	if (!take(&text, *label) || !take(&text, dashes))
		return "its first line is damaged";
	if (memmem(text.data, text.len, "-----END ", 9) == NULL)
		return "it is cut short: the line -----END ...----- is missing";
	if (!take_from_end(&text, dashes) || !take_from_end(&text, *label) ||
	    !take_from_end(&text, bytes_str("-----END ")) ||
	    (text.len > 0 && memchr(text.data, '-', text.len) != NULL))
		return around;
	*body = text;
	return NULL;
}

enum vt_err pem_decode(struct bytes *label, struct buf *der, struct bytes pem, struct why *why)
{
	enum vt_err err;
	struct bytes body;
	struct buf base64;
	const char *fault = unwrap(label, &body, pem);

	buf_init(&base64);
	if (fault != NULL)
		return why_say(why, VT_EMALFORMED, "%s", fault);
	if ((err = buf_reserve(&base64, body.len)) != VT_OK ||
	    (err = buf_reserve(der, BASE64_DECODED_MAX(body.len))) != VT_OK) {
		why_say(why, err, "%s", vt_err_text(err));
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
		why_say(why, err, "%s",
			err == VT_EMALFORMED ? "the base64 in it is damaged" : vt_err_text(err));
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
