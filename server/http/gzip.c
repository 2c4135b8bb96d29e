#include "http_gzip.h"

#include <limits.h>
#include <zlib.h>

enum {
	GZIP_LEVEL = 4,        /* hashes hardly shrink and JSON does at any level: spend little */
	GZIP_WINDOW = 15 + 16, /* zlib's way of asking for a gzip wrapper */
	GZIP_MEMORY = 8,
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
