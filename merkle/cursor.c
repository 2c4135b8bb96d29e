#include "cursor.h"

#include <string.h>

void cursor_init(struct cursor *c, struct bytes text)
{
	c->rest = text;
}

bool cursor_at_end(const struct cursor *c)
{
	return c->rest.len == 0;
}

static struct bytes take(struct cursor *c, size_t len)
{
	struct bytes out = bytes_of(c->rest.data, len);

	if (len > 0) {
		c->rest.data += len;
		c->rest.len -= len;
	}
	return out;
}

bool cursor_skip(struct cursor *c, const char *text)
{
	size_t len = strlen(text);

	if (c->rest.len < len || !bytes_is(bytes_of(c->rest.data, len), text))
		return false;
	take(c, len);
	return true;
}

enum vt_err cursor_literal(struct cursor *c, const char *text)
{
	return cursor_skip(c, text) ? VT_OK : VT_EMALFORMED;
}

enum vt_err cursor_until(struct cursor *c, char end, struct bytes *out)
{
	const uint8_t *at = NULL;

	if (c->rest.len > 0)
		at = memchr(c->rest.data, end, c->rest.len);
	if (at == NULL)
		return VT_EMALFORMED;
	*out = take(c, (size_t)(at - c->rest.data));
	take(c, 1);
	return VT_OK;
}

enum vt_err cursor_line(struct cursor *c, struct bytes *out)
{
	return cursor_until(c, '\n', out);
}

enum vt_err cursor_nonempty_line(struct cursor *c, struct bytes *out)
{
	struct cursor next = *c;
	enum vt_err err = cursor_line(&next, out);

	if (err != VT_OK)
		return err;
	if (out->len == 0)
		return VT_EMALFORMED;
	*c = next;
	return VT_OK;
}

enum vt_err cursor_decimal_line(struct cursor *c, uint64_t *out)
{
	struct cursor next = *c;
	struct bytes line;
	enum vt_err err;

	if ((err = cursor_line(&next, &line)) != VT_OK ||
	    (err = decimal_decode(out, line)) != VT_OK)
		return err;
	*c = next;
	return VT_OK;
}

enum vt_err cursor_hash_line(struct cursor *c, struct merkle_hash *out)
{
	struct cursor next = *c;
	struct bytes line;
	enum vt_err err;

	if ((err = cursor_line(&next, &line)) != VT_OK ||
	    (err = base64_decode_exact(out->b, sizeof(out->b), line, BASE64_STANDARD)) != VT_OK)
		return err;
	*c = next;
	return VT_OK;
}
