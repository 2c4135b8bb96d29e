#ifndef HTTP_GZIP_H
#define HTTP_GZIP_H

#include "vitrine/bytes.h"

enum {
	GZIP_WORTH_FROM = 512, /* bytes; below that a header more costs what it saves */
};

/* Append the gzip form of text. VT_ELIMIT: it would not be smaller than text; VT_ENOMEM. */
enum vt_err gzip_compress(struct buf *out, struct bytes text);

#endif
