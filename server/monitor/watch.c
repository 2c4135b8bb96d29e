#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHA256_HEX = 64 };

void watch_set_init(struct watch_set *s)
{
	*s = (struct watch_set){0};
}

static void release(struct watch *w)
{
	free(w->text);
	free(w->algorithm);
	free(w->subject);
	free(w->party);
	free(w->type);
	free(w->result);
}

void watch_set_release(struct watch_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		release(&s->watch[i]);
	free(s->watch);
	watch_set_init(s);
}

/* -- reading ---------------------------------------------------------------------------------- */

static enum vt_err complain(char why[160], const char *what, struct bytes about)
{
	char quoted[80];

	snprintf(why, 160, "%s: \"%s\"", what, problem_quote(quoted, sizeof(quoted), about));
	return VT_EMALFORMED;
}

static enum vt_err set(char **to, struct bytes value, char why[160])
{
	if (*to != NULL)
		return complain(why, "given twice in one watch", value);
	if (value.len == 0)
		return complain(why, "nothing behind the equals sign", value);
	if (!utf8_valid(value) || memchr(value.data, '\0', value.len) != NULL)
		return complain(why, "not text", value);
	*to = bytes_dup_str(value);
	snprintf(why, 160, "%s", vt_err_text(VT_ENOMEM));
	return *to == NULL ? VT_ENOMEM : VT_OK;
}

static const struct digest_algorithm *find_algorithm(struct bytes name)
{
	for (const struct digest_algorithm *a = digest_algorithms; a->name != NULL; a++)
		if (bytes_is(name, a->name))
			return a;
	return NULL;
}

static enum vt_err set_subject(struct watch *w, struct bytes value, char why[160])
{
	const uint8_t *colon = value.len == 0 ? NULL : memchr(value.data, ':', value.len);
	struct bytes name = bytes_str("sha256"), hex = value;
	const struct digest_algorithm *algorithm;
	enum vt_err err;

	if (colon != NULL) {
		name = bytes_of(value.data, (size_t)(colon - value.data));
		hex = bytes_of(colon + 1, value.len - name.len - 1);
	}
	if ((algorithm = find_algorithm(name)) == NULL)
		return complain(why, "no digest algorithm of this name binds a subject", name);
	if (hex.len != algorithm->hex_digits)
		return complain(why, "not as long as such a digest is", hex);
	for (size_t i = 0; i < hex.len; i++)
		if (strchr("0123456789abcdef", hex.data[i]) == NULL || hex.data[i] == '\0')
			return complain(why, "not lower-case hexadecimal digits", hex);
	if ((err = set(&w->algorithm, name, why)) != VT_OK)
		return err;
	return set(&w->subject, hex, why);
}

static struct bytes long_type(struct bytes value)
{
	static const struct {
		const char *name, *type;
	} known[] = {
	    {"verdict", PREDICATE_TEST_RESULT}, {"firmware", PREDICATE_RELEASE_V02},
	    {"event", PREDICATE_AUDIT_EVENT},   {"accreditation", PREDICATE_ACCREDITATION},
	    {"sealed", PREDICATE_SEALED},       {"correction", PREDICATE_CORRECTION},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (bytes_is(value, known[i].name))
			return bytes_str(known[i].type);
	return value;
}

static enum vt_err set_result(struct watch *w, struct bytes value, char why[160])
{
	if (!bytes_is(value, "PASSED") && !bytes_is(value, "WARNED") && !bytes_is(value, "FAILED"))
		return complain(why, "a result is PASSED, WARNED or FAILED", value);
	return set(&w->result, value, why);
}

static const char *const names[] = {"subject=", "party=", "type=", "result="};
enum { N_NAMES = sizeof(names) / sizeof(*names) };

/* Which condition begins here; N_NAMES: none. */
static size_t condition_at(struct bytes text)
{
	size_t i = 0;

	while (i < N_NAMES &&
	       (text.len < strlen(names[i]) || memcmp(text.data, names[i], strlen(names[i])) != 0))
		i++;
	return i;
}

/* Up to the comma before the next condition: a URI or a party's name may hold commas. */
static size_t value_length(struct bytes text)
{
	for (size_t i = 0; i + 1 < text.len; i++)
		if (text.data[i] == ',' &&
		    condition_at(bytes_of(text.data + i + 1, text.len - i - 1)) < N_NAMES)
			return i;
	return text.len;
}

static enum vt_err parse(struct watch *w, struct bytes text, char why[160])
{
	enum vt_err err = set(&w->text, text, why);

	while (err == VT_OK && text.len > 0) {
		size_t which = condition_at(text), skip, len;
		struct bytes value;
		if (which == N_NAMES)
			return complain(why, "expected subject=, party=, type= or result=", text);
		skip = strlen(names[which]);
		len = value_length(bytes_of(text.data + skip, text.len - skip));
		value = bytes_of(text.data + skip, len);
		if (which == 0)
			err = set_subject(w, value, why);
		else if (which == 3)
			err = set_result(w, value, why);
		else
			err = which == 1 ? set(&w->party, value, why)
					 : set(&w->type, long_type(value), why);
		skip += len;
		skip += skip < text.len; /* the comma */
		text = bytes_of(text.data + skip, text.len - skip);
	}
	return err;
}

enum vt_err watch_set_add(struct watch_set *s, struct bytes text, char why[160])
{
	struct watch w = {0};
	enum vt_err err;

	why[0] = '\0';
	if (s->n == WATCH_MAX) {
		snprintf(why, 160, "more than %d watches", WATCH_MAX);
		return VT_ELIMIT;
	}
	if ((err = parse(&w, text, why)) != VT_OK)
		goto done;
	if (s->n == s->cap) {
		size_t cap = s->cap == 0 ? 16 : s->cap * 2;
		struct watch *more = realloc(s->watch, cap * sizeof(*more));
		if (more == NULL) {
			err = VT_ENOMEM;
			goto done;
		}
		s->watch = more;
		s->cap = cap;
	}
	s->watch[s->n++] = w;
	w = (struct watch){0}; /* transferred */
done:
	release(&w);
	return err;
}

enum vt_err watch_set_add_lines(struct watch_set *s, struct bytes text, size_t *line, char why[160])
{
	enum vt_err err = VT_OK;

	for (*line = 1; text.len > 0 && err == VT_OK; ++*line) {
		const uint8_t *end = memchr(text.data, '\n', text.len);
		size_t len = end == NULL ? text.len : (size_t)(end - text.data);
		struct bytes one = bytes_of(text.data, len);
		text = bytes_of(text.data + len + (end != NULL), text.len - len - (end != NULL));
		while (one.len > 0 && strchr(" \t\r", one.data[one.len - 1]) != NULL)
			one.len--;
		while (one.len > 0 && (*one.data == ' ' || *one.data == '\t'))
			one = bytes_of(one.data + 1, one.len - 1);
		if (one.len > 0 && *one.data != '#')
			err = watch_set_add(s, one, why);
	}
	--*line;
	return err;
}

/* -- matching --------------------------------------------------------------------------------- */

bool watch_fits_statement(const struct watch *w, const struct statement *s,
			  const char *const *party, size_t n_parties)
{
	bool signed_by = w->party == NULL;
	struct bytes result;

	for (size_t i = 0; i < n_parties; i++)
		signed_by = signed_by || strcmp(party[i], w->party) == 0;
	return signed_by &&
	       (w->subject == NULL || statement_names(s, w->algorithm, bytes_str(w->subject))) &&
	       (w->type == NULL || bytes_is(s->predicate_type, w->type)) &&
	       (w->result == NULL || (statement_result(s, &result) && bytes_is(result, w->result)));
}

bool watch_fits(const struct watch *w, const struct record *r)
{
	const struct statement *s = record_statement(r);
	const char *party[RECORD_SIGNATURES_MAX];
	const struct record_signer *signer;
	size_t n;

	signer = record_signers(r, &n);
	for (size_t i = 0; i < n; i++)
		party[i] = signer[i].party;
	return s != NULL && watch_fits_statement(w, s, party, n);
}
