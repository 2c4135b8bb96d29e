/*
 * Log lines: one line per event on standard error, "time level event key=value ...", or one JSON
 * object a line. Bytes from outside are escaped, so nobody can forge a line. Thread-safe; a line is
 * one write of at most 4 KiB, and what does not fit is cut. Keeps errno.
 */
#ifndef BASE_LOGLINE_H
#define BASE_LOGLINE_H

#include "vitrine/bytes.h"

enum logline_level {
	LOGLINE_DEBUG,
	LOGLINE_INFO,
	LOGLINE_WARN,
	LOGLINE_ERROR,
};

/* At first: LOGLINE_INFO, text. */
void logline_configure(enum logline_level least, bool json);
/* event is a short lower-case phrase; fields is a printf format of key=value pairs made with %s of
 * already safe text and numbers; text from outside goes through logline_quote(). */
void logline(enum logline_level level, const char *event, const char *fields, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * VT_EINTERNAL, after a line of level error that says where it arose, which call failed or which invariant broke, and errno where
 * INTERNAL_ERRNO() is used. "internal error" is all that the caller's caller may be able to say.
 */
#define INTERNAL(what)       internal_error(__FILE__, __LINE__, what, 0)
#define INTERNAL_ERRNO(call) internal_error(__FILE__, __LINE__, call, errno)
enum vt_err internal_error(const char *file, int line, const char *what, int reason);
/*
 * Text from outside as a field's value, into out (always NUL-terminated): as it is if it is plain
 * (a word, path or address that begins with a letter or "/"), else in quotes, escaped as in JSON
 * with everything beyond printable ASCII as \u, cut with "..." where cap (at least 6) ends. Returns
 * out.
 */
const char *logline_quote(char *out, size_t cap, struct bytes text);

#endif
