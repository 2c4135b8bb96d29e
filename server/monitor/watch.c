/* Reading watches, and whether an entry is one that somebody watches for. */
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void watch_set_init(struct watch_set *s)
{
	*s = (struct watch_set){0};
}

static void release(struct watch *w)
{
	free(w->text);
	conditions_release(&w->conditions);
}

void watch_set_release(struct watch_set *s)
{
	for (size_t i = 0; i < s->n; i++)
		release(&s->watch[i]);
	free(s->watch);
	watch_set_init(s);
}

/* -- reading ---------------------------------------------------------------------------------- */

/* Which condition begins here, and how long its name and the equals sign are; CONDITIONS_N: none. */
static size_t condition_at(struct bytes text, size_t *len)
{
	size_t i = 0;

	for (; i < CONDITIONS_N; i++) {
		*len = strlen(condition_names[i]) + 1;
		if (text.len >= *len && memcmp(text.data, condition_names[i], *len - 1) == 0 &&
		    text.data[*len - 1] == '=')
			break;
	}
	return i;
}

/* Up to the comma before the next condition: a URI may hold commas. */
static size_t value_length(struct bytes text)
{
	size_t len;

	for (size_t i = 0; i + 1 < text.len; i++)
		if (text.data[i] == ',' &&
		    condition_at(bytes_of(text.data + i + 1, text.len - i - 1), &len) <
			CONDITIONS_N)
			return i;
	return text.len;
}

static enum vt_err parse(struct watch *w, struct bytes text, char why[CONDITIONS_WHY_MAX])
{
	enum vt_err err = VT_OK;
	char quoted[80];

	do {
		size_t skip, len, which = condition_at(text, &skip);

		if (which == CONDITIONS_N) {
			snprintf(why, CONDITIONS_WHY_MAX,
				 "expected subject=, party=, type= or result=: \"%s\"",
				 problem_quote(quoted, sizeof(quoted), text));
			return VT_EMALFORMED;
		}
		len = value_length(bytes_of(text.data + skip, text.len - skip));
		err = conditions_add(&w->conditions, (enum condition)which,
				     bytes_of(text.data + skip, len), why);
		skip += len;
		skip += skip < text.len; /* the comma */
		text = bytes_of(text.data + skip, text.len - skip);
	} while (err == VT_OK && text.len > 0);
	return err;
}

enum vt_err watch_set_add(struct watch_set *s, struct bytes text, char why[CONDITIONS_WHY_MAX])
{
	struct watch w = {0};
	enum vt_err err;

	why[0] = '\0';
	if (s->n == WATCH_MAX) {
		snprintf(why, CONDITIONS_WHY_MAX, "more than %d watches", WATCH_MAX);
		return VT_ELIMIT;
	}
	if ((err = parse(&w, text, why)) != VT_OK)
		goto done;
	err = VT_ENOMEM;
	snprintf(why, CONDITIONS_WHY_MAX, "%s", vt_err_text(VT_ENOMEM));
	if ((w.text = bytes_dup_str(text)) == NULL)
		goto done;
	if (s->n == s->cap) {
		size_t cap = s->cap == 0 ? 16 : s->cap * 2;
		struct watch *more = realloc(s->watch, cap * sizeof(*more));
		if (more == NULL)
			goto done;
		s->watch = more;
		s->cap = cap;
	}
	s->watch[s->n++] = w;
	w = (struct watch){0}; /* transferred */
	err = VT_OK;
done:
	release(&w);
	return err;
}

enum vt_err watch_set_add_lines(struct watch_set *s, struct bytes text, size_t *line,
				char why[CONDITIONS_WHY_MAX])
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

bool watch_fits(const struct watch *w, const struct record *r)
{
	const struct statement *s = record_statement(r);
	const char *party[RECORD_SIGNATURES_MAX];
	const struct record_signer *signer;
	size_t n;

	signer = record_signers(r, &n);
	for (size_t i = 0; i < n; i++)
		party[i] = signer[i].party;
	return s != NULL && conditions_fit(&w->conditions, s, party, n);
}
