/* Reasons for people: one size for all, and none is cut without showing it. */
#include "why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum vt_err why_say(struct why *why, enum vt_err err, const char *fmt, ...)
{
	static const char cut[] = "...";
	size_t at = WHY_MAX - sizeof(cut);
	struct why said;
	va_list args;
	int len;

	if (why == NULL)
		return err;
	va_start(args, fmt);
	len = vsnprintf(said.text, sizeof(said.text), fmt, args);
	va_end(args);
	if (len < 0)
		said.text[0] = '\0';
	if (len >= WHY_MAX) {
		/* Not within a UTF-8 character: its later bytes begin with the bits 10. */
		while (at > 0 && ((unsigned char)said.text[at] & 0xc0) == 0x80)
			at--;
		memcpy(said.text + at, cut, sizeof(cut));
	}
	memcpy(why->text, said.text, strlen(said.text) + 1);
	return err;
}

const char *why_text(const struct why *why, enum vt_err err)
{
	return why->text[0] != '\0' ? why->text : vt_err_text(err);
}
