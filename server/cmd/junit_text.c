/*
 * Reads a report's bytes as text. Reports quote what the tested programs printed, so they hold control characters and bytes of other
 * encodings, which no XML parser takes. Those are replaced: markup is ASCII and is never touched, so a verdict cannot change by it.
 */
#include "junit_text.h"

#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	/* Bytes in which an XML declaration's encoding is looked for. */
	DECLARATION_MAX = 256,
	ENCODING_MAX = 40,
};

static const struct bytes replacement = {(const uint8_t *)"\xEF\xBF\xBD", 3};

struct cleaner {
	struct buf *out;
	struct junit_replaced *replaced;
	/* UTF-8, or what was meant to be. */
	struct bytes in;
	size_t at;
};

static bool starts_with(struct bytes text, const char *prefix, size_t n)
{
	return text.len >= n && memcmp(text.data, prefix, n) == 0;
}

/* -- which encoding ----------------------------------------------------------------------------- */

/* encoding="X" in an XML declaration that is written in ASCII; "" if there is none. */
static void declared_encoding(char out[ENCODING_MAX + 1], struct bytes raw)
{
	char head[DECLARATION_MAX + 1];
	size_t n = raw.len < DECLARATION_MAX ? raw.len : DECLARATION_MAX;
	const char *at, *end;

	out[0] = '\0';
	if (n == 0 || !starts_with(raw, "<?xml", 5))
		return;
	memcpy(head, raw.data, n);
	head[n] = '\0';
	if ((end = strstr(head, "?>")) == NULL || (at = strstr(head, "encoding")) == NULL ||
	    at > end)
		return;
	at += strlen("encoding");
	at += strspn(at, " \t\r\n=");
	if (*at != '"' && *at != '\'')
		return;
	end = strchr(at + 1, *at);
	if (end != NULL && end - at - 1 <= ENCODING_MAX)
		snprintf(out, ENCODING_MAX + 1, "%.*s", (int)(end - at - 1), at + 1);
}

/* NULL: UTF-8 or a part of it. *raw then begins after the byte order mark. */
static const char *find_encoding(struct bytes *raw, char declared[ENCODING_MAX + 1])
{
	static const struct {
		const char *bytes;
		size_t n, skip;
		const char *name;
	} marks[] = {{"\xEF\xBB\xBF", 3, 3, NULL},       {"\xFF\xFE\0\0", 4, 4, "UTF-32LE"},
		     {"\0\0\xFE\xFF", 4, 4, "UTF-32BE"}, {"\xFF\xFE", 2, 2, "UTF-16LE"},
		     {"\xFE\xFF", 2, 2, "UTF-16BE"},     {"<\0?\0", 4, 0, "UTF-16LE"},
		     {"\0<\0?", 4, 0, "UTF-16BE"}};

	declared[0] = '\0';
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		if (starts_with(*raw, marks[i].bytes, marks[i].n)) {
			*raw = bytes_of(raw->data + marks[i].skip, raw->len - marks[i].skip);
			return marks[i].name;
		}
	}
	declared_encoding(declared, *raw);
	/* A declaration that could be read as ASCII is not in UTF-16, whatever it says. */
	if (declared[0] == '\0' || strncasecmp(declared, "UTF-16", 6) == 0 ||
	    strncasecmp(declared, "UTF-32", 6) == 0 || strcasecmp(declared, "UTF-8") == 0 ||
	    strcasecmp(declared, "UTF8") == 0 || strcasecmp(declared, "US-ASCII") == 0)
		return NULL;
	return declared;
}

/* -- conversion ----------------------------------------------------------------------------------- */

/* One step of iconv into the room that *out has. */
static enum vt_err convert_step(struct buf *out, iconv_t how, char **in, size_t *left, int *reason)
{
	char *to;
	size_t room;
	enum vt_err err = buf_reserve(out, *left + 64);

	if (err != VT_OK)
		return err;
	to = (char *)out->data + out->len;
	room = out->cap - out->len;
	*reason = 0;
	if (iconv(how, in, left, &to, &room) == (size_t)-1)
		*reason = errno;
	out->len = (size_t)((uint8_t *)to - out->data);
	return VT_OK;
}

static enum vt_err convert(struct buf *out, iconv_t how, struct bytes raw)
{
	/* iconv does not write to its input. */
	char *in = (char *)(uintptr_t)raw.data;
	size_t left = raw.len;
	enum vt_err err = VT_OK;
	int reason = 0;

	while (left > 0 && err == VT_OK) {
		if ((err = convert_step(out, how, &in, &left, &reason)) != VT_OK)
			break;
		if (reason == EILSEQ || reason == EINVAL) {
			/* 0xFF is not UTF-8: the cleaner replaces and counts it. */
			err = buf_append_byte(out, 0xFF);
			in++;
			left--;
		} else if (reason != 0 && reason != E2BIG) {
			err = VT_EINTERNAL;
		}
	}
	return err;
}

static enum vt_err to_utf8(struct buf *out, const char *encoding, struct bytes raw)
{
	iconv_t how = (iconv_t)-1;
	enum vt_err err;

	/* XML 1.0, 4.3.3: "EncName ::= [A-Za-z] ([A-Za-z0-9._] | '-')*". "//TRANSLIT" is none. */
	if (strspn(encoding, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
	    strlen(encoding))
		how = iconv_open("UTF-8", encoding);
	if (how == (iconv_t)-1)
		return errno == ENOMEM ? VT_ENOMEM : VT_EMALFORMED;
	err = convert(out, how, raw);
	iconv_close(how);
	return err;
}

/* -- what XML does not take ----------------------------------------------------------------------- */

/* XML 1.0, 2.2: "Char ::= #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]". */
static bool is_xml_char(uint32_t c)
{
	return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c <= 0xD7FF) ||
	       (c >= 0xE000 && c <= 0xFFFD) || (c >= 0x10000 && c <= 0x10FFFF);
}

/* Bytes of the UTF-8 character at `at`; 0: none. */
static size_t character_len(struct bytes text, size_t at)
{
	uint8_t lead = text.data[at];
	size_t n = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;

	return n <= text.len - at && utf8_valid(bytes_of(text.data + at, n)) ? n : 0;
}

/* Bytes of a character reference ("&#1;", "&#x1b;") to what is no XML character; 0: it is none. */
static size_t bad_reference_len(struct bytes text, size_t at)
{
	size_t i = at + 2, digits = 0;
	uint32_t base = 10, value = 0;

	if (text.len - at < 4 || text.data[at] != '&' || text.data[at + 1] != '#')
		return 0;
	if (text.data[i] == 'x') {
		base = 16;
		i++;
	}
	for (; i < text.len && text.data[i] != ';' && digits < 10; i++, digits++) {
		uint8_t c = text.data[i] | 0x20;
		uint32_t digit = c >= '0' && c <= '9'                 ? (uint32_t)(c - '0')
				 : base == 16 && c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
								      : 99;
		if (digit == 99)
			return 0;
		/* Large values stay large. */
		value = value > 0x110000 ? value : value * base + digit;
	}
	if (digits == 0 || i >= text.len || text.data[i] != ';' || is_xml_char(value))
		return 0;
	return i + 1 - at;
}

static enum vt_err replace(struct cleaner *c, size_t len, size_t *count, size_t *first)
{
	if ((*count)++ == 0)
		*first = c->out->len;
	c->at += len;
	return buf_append(c->out, replacement);
}

/* What needs a look: a control character, a reference, or more than one byte. */
static enum vt_err clean_one(struct cleaner *c)
{
	struct junit_replaced *replaced = c->replaced;
	size_t n;

	if ((n = bad_reference_len(c->in, c->at)) != 0)
		return replace(c, n, &replaced->controls, &replaced->first_control);
	if ((n = character_len(c->in, c->at)) == 0)
		return replace(c, 1, &replaced->invalid, &replaced->first_invalid);
	/* U+FFFE and U+FFFF are the only ones above the controls that are UTF-8 and not XML. */
	if ((n == 1 && !is_xml_char(c->in.data[c->at])) ||
	    (n == 3 && memcmp(c->in.data + c->at, "\xEF\xBF", 2) == 0 &&
	     c->in.data[c->at + 2] >= 0xBE))
		return replace(c, n, &replaced->controls, &replaced->first_control);
	c->at += n;
	return buf_append(c->out, bytes_of(c->in.data + c->at - n, n));
}

static enum vt_err clean(struct cleaner *c)
{
	enum vt_err err = buf_reserve(c->out, c->in.len);

	while (err == VT_OK && c->at < c->in.len) {
		size_t from = c->at;

		while (c->at < c->in.len && c->in.data[c->at] != '&' && c->in.data[c->at] < 0x80 &&
		       is_xml_char(c->in.data[c->at]))
			c->at++;
		err = buf_append(c->out, bytes_of(c->in.data + from, c->at - from));
		if (err == VT_OK && c->at < c->in.len)
			err = clean_one(c);
	}
	return err;
}

enum vt_err junit_text_clean(struct buf *out, struct bytes raw, struct junit_replaced *replaced,
			     char encoding[ENCODING_MAX + 1])
{
	struct cleaner c = {.out = out, .replaced = replaced, .in = raw};
	const char *name = find_encoding(&c.in, encoding);
	struct buf converted;
	enum vt_err err = VT_OK;

	memset(replaced, 0, sizeof(*replaced));
	buf_init(&converted);
	if (name != NULL && (err = to_utf8(&converted, name, c.in)) == VT_OK)
		c.in = buf_bytes(&converted);
	if (err == VT_OK)
		err = clean(&c);
	buf_release(&converted);
	return err;
}

void junit_text_advance(struct junit_place *p, struct bytes text, size_t offset)
{
	if (offset < p->offset || p->line == 0)
		*p = (struct junit_place){0, 1, 1};
	for (; p->offset < offset && p->offset < text.len; p->offset++) {
		if (text.data[p->offset] == '\n') {
			p->line++;
			p->column = 1;
		} else if ((text.data[p->offset] & 0xC0) != 0x80) {
			p->column++;
		}
	}
}
