#include "http_negotiate.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

enum {
	Q_ONE = 1000, /* quality values are kept in thousandths */
	Q_UNSET = -1,
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

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
		if (*p == ',' || is_space(*p)) {
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

/* A member of a list, e.g. "text/plain;charset=utf-8;q=0.8". */
struct member {
	const char *name;
	size_t len;
	int q;
	bool plain; /* there is no parameter beside the quality */
};

/* One parameter, from behind its ";". false: its quality is none. */
static bool take_parameter(struct member *m, const char *p, size_t len)
{
	while (len > 0 && is_space(*p))
		p++, len--;
	while (len > 0 && is_space(p[len - 1]))
		len--;
	if (len < 2 || (p[0] != 'q' && p[0] != 'Q') || p[1] != '=') {
		m->plain = false;
		return true;
	}
	m->q = parse_quality(p + 2, len - 2);
	return m->q >= 0;
}

/* The member that begins at p, which moves behind it. false: it is malformed. */
static bool take_member(struct member *m, const char **p)
{
	bool sound;

	*m = (struct member){.name = *p, .len = strcspn(*p, ",; \t"), .q = Q_ONE, .plain = true};
	*p = skip_space(*p + m->len);
	sound = **p == ';' || **p == ',' || **p == '\0';
	while (**p == ';') {
		size_t len = strcspn(++*p, ";,");

		sound = take_parameter(m, *p, len) && sound;
		*p += len;
	}
	*p += strcspn(*p, ",");
	return sound;
}

/* The next member of the list at *p, which moves behind it; malformed ones are stepped over. false at the end. */
static bool next_member(struct member *m, const char **p)
{
	for (*p += strspn(*p, ", \t"); **p != '\0'; *p += strspn(*p, ", \t")) {
		if (take_member(m, p))
			return true;
	}
	return false;
}

static bool name_is(const struct member *m, const char *name)
{
	return m->len == strlen(name) && strncasecmp(m->name, name, m->len) == 0;
}

bool http_gzip_wanted(const char *accept_encoding)
{
	int gzip = Q_UNSET, identity = Q_UNSET, any = Q_UNSET;
	const char *p = accept_encoding;
	struct member m;

	if (p == NULL)
		return false;
	while (next_member(&m, &p)) {
		if (!m.plain)
			continue;
		if (name_is(&m, "gzip") || name_is(&m, "x-gzip"))
			gzip = m.q > gzip ? m.q : gzip;
		else if (name_is(&m, "identity"))
			identity = m.q;
		else if (name_is(&m, "*"))
			any = m.q;
	}
	if (gzip == Q_UNSET)
		gzip = any;
	/* An identity that is not listed is acceptable, but nobody asked for it. */
	return gzip > 0 && gzip >= identity;
}

/* How closely a media range names the type: 3: exactly, 2: the half before the slash, 1: as any type, 0: not. */
static int range_names(const struct member *m, const char *type)
{
	size_t half = strcspn(type, "/") + 1;

	if (name_is(m, type))
		return 3;
	if (m->len == half + 1 && strncasecmp(m->name, type, half) == 0 && m->name[half] == '*')
		return 2;
	return name_is(m, "*/*");
}

/* "The most specific reference has precedence" (RFC 9110 section 12.5.1). */
static int media_quality(const char *accept, const char *type, int *closeness)
{
	struct member m;
	int best = 0;

	*closeness = 0;
	while (next_member(&m, &accept)) {
		int close = range_names(&m, type);

		if (close > *closeness || (close == *closeness && close > 0 && m.q > best)) {
			best = m.q;
			*closeness = close;
		}
	}
	return best;
}

bool http_media_preferred(const char *accept, const char *type, const char *usual)
{
	int type_q, usual_q, type_close, usual_close;

	if (accept == NULL)
		return false;
	type_q = media_quality(accept, type, &type_close);
	usual_q = media_quality(accept, usual, &usual_close);
	return type_q > 0 && (type_q > usual_q || (type_q == usual_q && type_close > usual_close));
}
