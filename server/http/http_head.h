/* Is the head of a request what RFC 9112 says, to the letter? A pure function. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "http_exchange.h"

/* What libmicrohttpd read. All texts are NUL-terminated and borrowed. */
struct http_head {
	const char *method;
	const char *path, *query;
	const char *target; /* where both came, and how long they were */
	size_t target_len;
	const char *version;
	const struct http_field *field;
	size_t n;
	/*
	 * How long the head was. Then the texts stand in the buffer where they came, in their order, and each
	 * separator and each of the two bytes that end a line has become a NUL, up to the empty line's. (The
	 * library before 1.0 works like that and is lenient; its successors refuse by themselves what it
	 * hides.) 0: not known, and not so.
	 */
	size_t len;
};

/*
 * NULL, or what is wrong with it, in words. What two readers could take differently is wrong: a name that is
 * no token (a space before the colon), a control character in a value; and, where the length is known, a folded
 * field, a NUL, a line that does not end with CRLF, a second space in the request line.
 */
const char *http_head_fault(const struct http_head *h);
bool http_is_token(const char *text); /* RFC 9110 section 5.6.2 */

#endif
