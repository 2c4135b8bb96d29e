#include "http_negotiate.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

enum {
	Q_ONE = 1000, /* quality values are kept in thousandths */
	Q_UNSET = -1,
};

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t");
}

/* etagc = %x21 / %x23-7E / obs-text */
static bool is_etagc(char c)
{
	unsigned char u = (unsigned char)c;

	return u == 0x21 || (u >= 0x23 && u != 0x7f);
}

bool http_etag_valid(const char *opaque)
{
	for (; *opaque != '\0'; opaque++) {
		if (!is_etagc(*opaque) || (unsigned char)*opaque > 0x7e)
			return false;
	}
	return true;
}

bool http_etag_listed(const char *if_none_match, const char *opaque)
{
	const char *p = if_none_match;
	size_t len = strlen(opaque);

	if (p == NULL)
		return false;
	p = skip_space(p);
	if (*p == '*')
		return *skip_space(p + 1) == '\0';
	while (*p != '\0') {
		if (*p == ',' || *p == ' ' || *p == '\t') {
			p++;
			continue;
		}
		if (p[0] == 'W' && p[1] == '/')
			p += 2;
		if (*p != '"')
			return false;

		const char *start = ++p;

		while (is_etagc(*p))
			p++;
		if (*p != '"')
			return false;
		if ((size_t)(p - start) == len && memcmp(start, opaque, len) == 0)
			return true;
		p = skip_space(p + 1);
		if (*p != ',' && *p != '\0')
			return false;
	}
	return false;
}

/* qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ), the whole of it. -1: it is not. */
static int parse_quality(const char *text, size_t len)
{
	int q, unit = Q_ONE / 10;

	if (len == 0 || len > 5 || (text[0] != '0' && text[0] != '1'))
		return -1;
	q = (text[0] - '0') * Q_ONE;
	if (len > 1 && text[1] != '.')
		return -1;
	for (size_t i = 2; i < len; i++, unit /= 10) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		q += (text[i] - '0') * unit;
	}
	return q <= Q_ONE ? q : -1;
}

/* One list member, e.g. "gzip;q=0.8". Its coding is *name; the answer its quality, -1 if malformed.
 */
static int parse_member(const char *member, size_t len, const char **name, size_t *name_len)
{
	const char *end = member + len;
	const char *p = member;

	while (p < end && *p != ';' && *p != ' ' && *p != '\t')
		p++;
	*name = member;
	*name_len = (size_t)(p - member);
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (p == end)
		return Q_ONE;
	if (*p != ';')
		return -1;
	p++;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (end - p < 2 || (p[0] != 'q' && p[0] != 'Q') || p[1] != '=')
		return -1;
	return parse_quality(p + 2, (size_t)(end - p) - 2);
}

static bool coding_is(const char *name, size_t len, const char *coding)
{
	return len == strlen(coding) && strncasecmp(name, coding, len) == 0;
}

bool http_gzip_wanted(const char *accept_encoding)
{
	int gzip = Q_UNSET, identity = Q_UNSET, any = Q_UNSET;
	const char *p = accept_encoding;

	if (p == NULL)
		return false;
	while (*p != '\0') {
		if (*p == ',' || *p == ' ' || *p == '\t') {
			p++;
			continue;
		}

		size_t name_len, len = strcspn(p, ",");
		const char *name;
		int q = parse_member(p, len, &name, &name_len);

		p += len;
		if (q < 0)
			continue;
		if (coding_is(name, name_len, "gzip") || coding_is(name, name_len, "x-gzip"))
			gzip = q > gzip ? q : gzip;
		else if (coding_is(name, name_len, "identity"))
			identity = q;
		else if (coding_is(name, name_len, "*"))
			any = q;
	}
	if (gzip == Q_UNSET)
		gzip = any;
	/* An identity that is not listed is acceptable, but nobody asked for it. */
	return gzip > 0 && gzip >= identity;
}
