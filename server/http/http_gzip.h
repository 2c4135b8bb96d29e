#ifndef HTTP_GZIP_H
#define HTTP_GZIP_H

#include "vitrine/bytes.h"

enum {
	GZIP_WORTH_FROM = 512, /* bytes; below that a header more costs what it saves */
};

/* Append the gzip form of text. VT_ELIMIT: it would not be smaller than text; VT_ENOMEM. */
enum vt_err gzip_compress(struct buf *out, struct bytes text);

/* Append what packed, exactly one gzip member, stands for. VT_EMALFORMED: it is not that, or cut short;
 * VT_ELIMIT: more than max bytes come out; VT_ENOMEM. Nothing is appended then. */
enum vt_err gzip_expand(struct buf *out, struct bytes packed, size_t max);

#endif
