/*
 * Log lines: one line per event on standard error, "time level event key=value ...", values quoted
 * where they need it; or one JSON object a line. Bytes from outside are escaped, so nobody can forge
 * a line. Thread-safe.
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

void logline_configure(enum logline_level least, bool json);
/* event is a short lower-case phrase; fields is a printf format of key=value pairs made with %s of
 * already safe text and numbers; text from outside goes through logline_quote(). */
void logline(enum logline_level level, const char *event, const char *fields, ...)
    __attribute__((format(printf, 3, 4)));
/* Quote and escape untrusted bytes into out (always NUL-terminated, cut with "..." if longer). */
const char *logline_quote(char *out, size_t cap, struct bytes text);

#endif
