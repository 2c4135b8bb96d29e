#include "http_gzip.h"
#include "logline.h"

#include <limits.h>
#include <zlib.h>

enum {
	GZIP_LEVEL = 4,        /* hashes hardly shrink and JSON does at any level: spend little */
	GZIP_WINDOW = 15 + 16, /* zlib's way of asking for a gzip wrapper */
	GZIP_MEMORY = 8,
	GZIP_STEP = 32 * 1024,
};

enum vt_err gzip_compress(struct buf *out, struct bytes text)
{
	z_stream z = {0};
	enum vt_err err;

	if (text.len < 2 || text.len > INT_MAX)
		return VT_ELIMIT;
	if ((err = buf_reserve(out, text.len - 1)) != VT_OK)
		return err;
	if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return VT_ENOMEM;
	z.next_in = (z_const Bytef *)(uintptr_t)text.data;
	z.avail_in = (uInt)text.len;
	z.next_out = out->data + out->len;
	z.avail_out = (uInt)(text.len - 1);
	/* All of the output has to fit into less than the input, or it is not worth sending. */
	if (deflate(&z, Z_FINISH) == Z_STREAM_END) {
		out->len += text.len - 1 - z.avail_out;
		err = VT_OK;
	} else {
		err = VT_ELIMIT;
	}
	deflateEnd(&z);
	return err;
}

/* One round of output. VT_OK with *ended false: there is more. */
static enum vt_err expand_some(struct buf *out, z_stream *z, size_t room, bool *ended)
{
	size_t step =
	    room < GZIP_STEP ? room + 1 : GZIP_STEP; /* one byte too many shows an excess */
	enum vt_err err = buf_reserve(out, step);
	int rc;

	if (err != VT_OK)
		return err;
	z->next_out = out->data + out->len;
	z->avail_out = (uInt)step;
	rc = inflate(z, Z_NO_FLUSH);
	if (rc == Z_MEM_ERROR)
		return VT_ENOMEM;
	if (rc != Z_OK && rc != Z_STREAM_END)
		return VT_EMALFORMED; /* Z_BUF_ERROR too: the input is used up and it goes on */
	out->len += step - z->avail_out;
	if (step - z->avail_out > room)
		return VT_ELIMIT;
	*ended = rc == Z_STREAM_END;
	return VT_OK;
}

enum vt_err gzip_expand(struct buf *out, struct bytes packed, size_t max)
{
	size_t before = out->len;
	enum vt_err err = VT_OK;
	z_stream z = {0};
	bool ended = false;

	if (packed.len == 0)
		return VT_EMALFORMED;
	if (packed.len > INT_MAX)
		return VT_ELIMIT;
	z.next_in = (z_const Bytef *)(uintptr_t)packed.data;
	z.avail_in = (uInt)packed.len;
	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return VT_ENOMEM;
	/* RFC 1952, 2.2: "A gzip file consists of a series of "members"". */
	while (err == VT_OK && (!ended || z.avail_in > 0)) {
		if (ended && inflateReset(&z) != Z_OK)
			err = INTERNAL("inflateReset");
		else
			err = expand_some(out, &z, max - (out->len - before), &ended);
	}
	inflateEnd(&z);
	if (err != VT_OK)
		out->len = before;
	return err;
}
