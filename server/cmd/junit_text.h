/* The text of a report as clean UTF-8, whichever encoding it came in and whatever a tested program had printed into it. */
#ifndef CMD_JUNIT_TEXT_H
#define CMD_JUNIT_TEXT_H

#include "vitrine/bytes.h"

/* What had to be replaced by U+FFFD. Offsets are into the clean text. */
struct junit_replaced {
	/* Characters that XML does not allow, also as "&#1;". */
	size_t controls, first_control;
	/* Bytes that are nothing in the report's encoding. */
	size_t invalid, first_invalid;
};

/*
 * Append the report's text to *out. A byte order mark decides about the encoding, else the XML declaration; everything that the C library's
 * iconv knows is taken. VT_EMALFORMED: an encoding that is not known, named in *encoding; VT_ENOMEM.
 */
enum vt_err junit_text_clean(struct buf *out, struct bytes raw, struct junit_replaced *replaced,
			     char encoding[41]);
/* A place in a text. Lines and columns count from 1; columns count characters. {0}: nowhere yet. */
struct junit_place {
	size_t offset, line, column;
};
/* Move to `offset`; cheap where that is further on. */
void junit_text_advance(struct junit_place *p, struct bytes text, size_t offset);

#endif
