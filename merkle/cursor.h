/*
 * A bounded cursor over a byte string, so that parsers read like the grammar they implement. What a
 * step takes is a view into the text; a step that fails takes nothing. Every failure is
 * VT_EMALFORMED. Private to merkle/.
 */
#ifndef MERKLE_CURSOR_H
#define MERKLE_CURSOR_H

#include "vitrine/merkle.h"

/* Prefixed as the public ones are (vitrine/names.h); not exported. */
#define cursor_at_end        vitrine_cursor_at_end
#define cursor_decimal_line  vitrine_cursor_decimal_line
#define cursor_hash_line     vitrine_cursor_hash_line
#define cursor_init          vitrine_cursor_init
#define cursor_line          vitrine_cursor_line
#define cursor_literal       vitrine_cursor_literal
#define cursor_nonempty_line vitrine_cursor_nonempty_line
#define cursor_skip          vitrine_cursor_skip
#define cursor_until         vitrine_cursor_until

struct cursor {
	struct bytes rest;
};

void cursor_init(struct cursor *c, struct bytes text);
bool cursor_at_end(const struct cursor *c);
/* Take `text` if it stands here. */
bool cursor_skip(struct cursor *c, const char *text);
/* `text` must stand here. */
enum vt_err cursor_literal(struct cursor *c, const char *text);
/* Everything before the next `end`, which must be there and is taken too. */
enum vt_err cursor_until(struct cursor *c, char end, struct bytes *out);
/* A line without its newline, which must be there. */
enum vt_err cursor_line(struct cursor *c, struct bytes *out);
enum vt_err cursor_nonempty_line(struct cursor *c, struct bytes *out);
/* A line that is one decimal number, or one hash in base64. */
enum vt_err cursor_decimal_line(struct cursor *c, uint64_t *out);
enum vt_err cursor_hash_line(struct cursor *c, struct merkle_hash *out);

#endif
