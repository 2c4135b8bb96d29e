#include "vitrine/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes bytes_of(const void *data, size_t len)
{
	return (struct bytes){.data = data, .len = len};
}

struct bytes bytes_str(const char *text)
{
	return bytes_of(text, strlen(text));
}

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool bytes_is(struct bytes a, const char *text)
{
	return bytes_equal(a, bytes_str(text));
}

int bytes_compare(struct bytes a, struct bytes b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

char *bytes_dup_str(struct bytes text)
{
	char *copy = malloc(text.len + 1);

	if (copy == NULL)
		return NULL;
	if (text.len > 0)
		memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	return copy;
}

void buf_init(struct buf *b)
{
	*b = (struct buf){0};
}

void buf_release(struct buf *b)
{
	free(b->data);
	buf_init(b);
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	b->err = VT_OK;
}

enum vt_err buf_error(const struct buf *b)
{
	return b->err;
}

enum vt_err buf_fail(struct buf *b, enum vt_err err)
{
	if (b->err == VT_OK)
		b->err = err;
	return b->err;
}

struct bytes buf_bytes(const struct buf *b)
{
	return bytes_of(b->data, b->len);
}

enum vt_err buf_reserve(struct buf *b, size_t more)
{
	size_t cap = b->cap < 64 ? 64 : b->cap;
	uint8_t *data;

	if (b->err != VT_OK || more <= b->cap - b->len)
		return b->err;
	/* No object is larger than PTRDIFF_MAX, so staying below it also keeps the doubling from
	 * wrapping. */
	if (more > (size_t)PTRDIFF_MAX - b->len)
		return buf_fail(b, VT_ENOMEM);
	while (cap < b->len + more)
		cap *= 2;
	data = realloc(b->data, cap);
	if (data == NULL)
		return buf_fail(b, VT_ENOMEM);
	b->data = data;
	b->cap = cap;
	return VT_OK;
}

enum vt_err buf_append(struct buf *b, struct bytes more)
{
	if (buf_reserve(b, more.len) != VT_OK || more.len == 0)
		return b->err;
	memcpy(b->data + b->len, more.data, more.len);
	b->len += more.len;
	return VT_OK;
}

enum vt_err buf_append_buf(struct buf *b, const struct buf *more)
{
	buf_fail(b, more->err);
	return buf_append(b, buf_bytes(more));
}

enum vt_err buf_append_str(struct buf *b, const char *text)
{
	return buf_append(b, bytes_str(text));
}

enum vt_err buf_append_byte(struct buf *b, uint8_t byte)
{
	return buf_append(b, bytes_of(&byte, 1));
}

enum vt_err buf_append_decimal(struct buf *b, uint64_t n)
{
	uint8_t digit[20]; /* 2^64 - 1 has 20 */
	size_t at = sizeof(digit);

	do {
		digit[--at] = (uint8_t)('0' + n % 10);
		n /= 10;
	} while (n != 0);
	return buf_append(b, bytes_of(digit + at, sizeof(digit) - at));
}

enum vt_err buf_appendf(struct buf *b, const char *fmt, ...)
{
	va_list ap, again;
	int len;

	va_start(ap, fmt);
	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, ap);
	/* vsnprintf writes a NUL, which is room but not contents. */
	if (len < 0)
		buf_fail(b, VT_EINTERNAL);
	else if (buf_reserve(b, (size_t)len + 1) == VT_OK)
		b->len += (size_t)vsnprintf((char *)b->data + b->len, (size_t)len + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return b->err;
}

char *buf_detach_str(struct buf *b)
{
	char *text;

	if (buf_append_byte(b, 0) != VT_OK)
		return NULL;
	text = (char *)b->data;
	buf_init(b); /* transferred */
	return text;
}

/*
 * One entry per byte: the digit's value and what seeing it says. Decoding ORs `seen` and ANDs
 * `valid` over the whole text and judges once at the end, so the loop has no branch per digit.
 */
enum {
	B64_VALUE = 0x3f,
	B64_VALID = 0x40,
	B64_STANDARD_ONLY = 0x80,
	B64_URL_ONLY = 0x100,
};

#define D(c, value) [c] = B64_VALID | (value)
/* clang-format off */
static const uint16_t base64_digit[256] = {
	D('A', 0), D('B', 1), D('C', 2), D('D', 3), D('E', 4), D('F', 5), D('G', 6), D('H', 7),
	D('I', 8), D('J', 9), D('K', 10), D('L', 11), D('M', 12), D('N', 13), D('O', 14), D('P', 15),
	D('Q', 16), D('R', 17), D('S', 18), D('T', 19), D('U', 20), D('V', 21), D('W', 22), D('X', 23),
	D('Y', 24), D('Z', 25), D('a', 26), D('b', 27), D('c', 28), D('d', 29), D('e', 30), D('f', 31),
	D('g', 32), D('h', 33), D('i', 34), D('j', 35), D('k', 36), D('l', 37), D('m', 38), D('n', 39),
	D('o', 40), D('p', 41), D('q', 42), D('r', 43), D('s', 44), D('t', 45), D('u', 46), D('v', 47),
	D('w', 48), D('x', 49), D('y', 50), D('z', 51), D('0', 52), D('1', 53), D('2', 54), D('3', 55),
	D('4', 56), D('5', 57), D('6', 58), D('7', 59), D('8', 60), D('9', 61),
	D('+', 62 | B64_STANDARD_ONLY), D('/', 63 | B64_STANDARD_ONLY),
	D('-', 62 | B64_URL_ONLY), D('_', 63 | B64_URL_ONLY),
};
/* clang-format on */
#undef D

static const char base64_text[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Take the padding off; what is left has a length that some byte string has. */
static enum vt_err base64_unpad(struct bytes *text, enum base64_form form)
{
	size_t pad = 0;

	while (pad < 2 && pad < text->len && text->data[text->len - 1 - pad] == '=')
		pad++;
	if ((form == BASE64_STANDARD || pad != 0) && text->len % 4 != 0)
		return VT_EMALFORMED;
	text->len -= pad;
	/* Six bits are not a byte. */
	return text->len % 4 == 1 ? VT_EMALFORMED : VT_OK;
}

/* Gathers over every digit of a text what base64_digit says about it. */
struct base64_seen {
	unsigned any;
	unsigned all;
};

static uint32_t base64_value(struct base64_seen *seen, uint8_t digit)
{
	unsigned d = base64_digit[digit];

	seen->any |= d;
	seen->all &= d;
	return d & B64_VALUE;
}

/* The last two or three digits. RFC 4648 section 3.5: "decoders MAY chose to reject an encoding if
 * the pad bits have not been set to zero". This one does: else a byte string has several texts. */
static enum vt_err base64_tail(uint8_t *out, struct base64_seen *seen, struct bytes text)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < text.len; i++)
		bits |= base64_value(seen, text.data[i]) << (18 - 6 * i);
	out[0] = (uint8_t)(bits >> 16);
	if (text.len == 3)
		out[1] = (uint8_t)(bits >> 8);
	return (bits & (text.len == 2 ? 0xffffU : 0xffU)) != 0 ? VT_EMALFORMED : VT_OK;
}

enum vt_err base64_decode(uint8_t *out, size_t cap, size_t *len, struct bytes text,
			  enum base64_form form)
{
	struct base64_seen seen = {.any = 0, .all = B64_VALID};
	size_t whole, decoded;
	enum vt_err err;

	*len = 0;
	if ((err = base64_unpad(&text, form)) != VT_OK)
		return err;
	whole = text.len / 4;
	decoded = whole * 3 + (text.len % 4 == 0 ? 0 : text.len % 4 - 1);
	if (decoded > cap)
		return VT_ELIMIT;
	for (size_t i = 0; i < whole; i++) {
		const uint8_t *in = text.data + 4 * i;
		uint32_t bits = base64_value(&seen, in[0]) << 18 |
				base64_value(&seen, in[1]) << 12 | base64_value(&seen, in[2]) << 6 |
				base64_value(&seen, in[3]);

		out[3 * i] = (uint8_t)(bits >> 16);
		out[3 * i + 1] = (uint8_t)(bits >> 8);
		out[3 * i + 2] = (uint8_t)bits;
	}
	if (text.len % 4 != 0 &&
	    (err = base64_tail(out + 3 * whole, &seen,
			       bytes_of(text.data + 4 * whole, text.len % 4))) != VT_OK)
		return err;
	if ((seen.all & B64_VALID) == 0)
		return VT_EMALFORMED;
	if ((seen.any & B64_URL_ONLY) != 0 &&
	    (form == BASE64_STANDARD || (seen.any & B64_STANDARD_ONLY) != 0))
		return VT_EMALFORMED;
	*len = decoded;
	return VT_OK;
}

enum vt_err base64_decode_exact(uint8_t *out, size_t len, struct bytes text, enum base64_form form)
{
	size_t decoded;
	enum vt_err err = base64_decode(out, len, &decoded, text, form);

	/* Too long is as wrong as too short: there is no limit that the caller could raise. */
	if (err == VT_ELIMIT || (err == VT_OK && decoded != len))
		return VT_EMALFORMED;
	return err;
}

enum vt_err buf_append_decoded_base64(struct buf *b, struct bytes text, enum base64_form form)
{
	enum vt_err err;
	size_t len;

	/* One byte more than needed, so that b->data exists even for an empty text. */
	if ((err = buf_reserve(b, BASE64_DECODED_MAX(text.len) + 1)) != VT_OK ||
	    (err = base64_decode(b->data + b->len, b->cap - b->len, &len, text, form)) != VT_OK)
		return err;
	b->len += len;
	return VT_OK;
}

enum vt_err buf_append_base64(struct buf *b, struct bytes raw)
{
	enum vt_err err;
	uint8_t *out;
	size_t at = 0;

	if (raw.len > (size_t)PTRDIFF_MAX / 2)
		return buf_fail(b, VT_ENOMEM);
	if ((err = buf_reserve(b, BASE64_ENCODED_LEN(raw.len))) != VT_OK)
		return err;
	for (; raw.len - at >= 3; at += 3) {
		uint32_t bits = (uint32_t)raw.data[at] << 16 | (uint32_t)raw.data[at + 1] << 8 |
				raw.data[at + 2];

		out = b->data + b->len;
		out[0] = (uint8_t)base64_text[bits >> 18];
		out[1] = (uint8_t)base64_text[bits >> 12 & B64_VALUE];
		out[2] = (uint8_t)base64_text[bits >> 6 & B64_VALUE];
		out[3] = (uint8_t)base64_text[bits & B64_VALUE];
		b->len += 4;
	}
	if (at < raw.len) {
		bool two = raw.len - at == 2;
		uint32_t bits =
		    (uint32_t)raw.data[at] << 16 | (two ? (uint32_t)raw.data[at + 1] << 8 : 0);

		out = b->data + b->len;
		out[0] = (uint8_t)base64_text[bits >> 18];
		out[1] = (uint8_t)base64_text[bits >> 12 & B64_VALUE];
		out[2] = two ? (uint8_t)base64_text[bits >> 6 & B64_VALUE] : '=';
		out[3] = '=';
		b->len += 4;
	}
	return VT_OK;
}

static const char hex_text[] = "0123456789abcdef";

void hex_encode(char *out, struct bytes raw)
{
	for (size_t i = 0; i < raw.len; i++) {
		*out++ = hex_text[raw.data[i] >> 4];
		*out++ = hex_text[raw.data[i] & 0xf];
	}
	*out = '\0';
}

enum vt_err buf_append_hex(struct buf *b, struct bytes raw)
{
	enum vt_err err;

	if (raw.len > (size_t)PTRDIFF_MAX / 2)
		return buf_fail(b, VT_ENOMEM);
	/* hex_encode writes a NUL, which is room but not contents. */
	if ((err = buf_reserve(b, 2 * raw.len + 1)) != VT_OK)
		return err;
	hex_encode((char *)b->data + b->len, raw);
	b->len += 2 * raw.len;
	return VT_OK;
}

/* 16: not a lower-case digit. */
static unsigned hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - (unsigned)'0';
	if (c >= 'a' && c <= 'f')
		return c - (unsigned)'a' + 10;
	return 16;
}

enum vt_err hex_decode_exact(uint8_t *out, size_t len, struct bytes text)
{
	if (text.len / 2 != len || text.len % 2 != 0)
		return VT_EMALFORMED;
	for (size_t i = 0; i < len; i++) {
		unsigned high = hex_value(text.data[2 * i]);
		unsigned low = hex_value(text.data[2 * i + 1]);

		if (high > 15 || low > 15)
			return VT_EMALFORMED;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return VT_OK;
}

enum vt_err decimal_decode(uint64_t *out, struct bytes text)
{
	uint64_t n = 0;

	*out = 0;
	if (text.len == 0 || (text.data[0] == '0' && text.len != 1))
		return VT_EMALFORMED;
	for (size_t i = 0; i < text.len; i++) {
		unsigned digit = text.data[i] - (unsigned)'0';

		if (digit > 9 || n > (UINT64_MAX - digit) / 10)
			return VT_EMALFORMED;
		n = n * 10 + digit;
	}
	*out = n;
	return VT_OK;
}

/* Length of the well-formed sequence that text starts with (RFC 3629 section 4); 0: none. */
static size_t utf8_sequence(struct bytes text)
{
	uint8_t lead = text.data[0];
	uint8_t low = 0x80, high = 0xbf; /* of the second byte */
	size_t len;

	if (lead < 0x80)
		return 1;
	if (lead < 0xc2 || lead > 0xf4)
		return 0;
	len = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
	if (text.len < len)
		return 0;
	if (lead == 0xe0)
		low = 0xa0; /* overlong below */
	else if (lead == 0xed)
		high = 0x9f; /* surrogates above */
	else if (lead == 0xf0)
		low = 0x90; /* overlong below */
	else if (lead == 0xf4)
		high = 0x8f; /* U+110000 above */
	if (text.data[1] < low || text.data[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (text.data[i] < 0x80 || text.data[i] > 0xbf)
			return 0;
	return len;
}

bool utf8_valid(struct bytes text)
{
	while (text.len != 0) {
		size_t len = utf8_sequence(text);

		if (len == 0)
			return false;
		text.data += len;
		text.len -= len;
	}
	return true;
}
