/* Compares the hashes of a content with those by which a record names its subjects. */
#include "digests.h"

#include "logline.h"

enum vt_err file_digests_make(struct file_digests *out, content_next_fn next, void *source)
{
	const char *hash[CONTENT_DIGESTS_MAX];

	out->n = 0;
	for (const struct digest_algorithm *a = digest_algorithms; a->name != NULL; a++) {
		if (a->hash == NULL)
			continue;
		if (out->n == CONTENT_DIGESTS_MAX)
			return INTERNAL("more digests than there is room for");
		hash[out->n] = a->hash;
		out->algorithm[out->n++] = a;
	}
	return content_digests(out->hex, hash, out->n, next, source);
}

/* The file's digest by this algorithm, or NULL: it takes more than the file's bytes. */
static const char *digest_by(const struct file_digests *f, struct bytes algorithm)
{
	for (size_t i = 0; i < f->n; i++)
		if (bytes_is(algorithm, f->algorithm[i]->name))
			return f->hex[i];
	return NULL;
}

enum vt_err file_digests_find(const struct file_digests *f, const struct statement *s,
			      struct why *why)
{
	const struct subject_digest *same = NULL, *other = NULL;
	enum vt_err err = VT_ENOTFOUND;

	for (size_t i = 0; i < s->n_digests; i++) {
		const struct subject_digest *d = &s->digest[i];
		const char *mine = digest_by(f, d->algorithm);

		if (i > 0 && d->subject != s->digest[i - 1].subject)
			same = other = NULL;
		if (mine == NULL)
			continue;
		if (bytes_is(d->hex, mine))
			same = d;
		else
			other = d;
		if (same != NULL && other != NULL)
			return why_say(why, VT_EMISMATCH,
				       "it names this file by its %.*s, and another by its %.*s",
				       (int)same->algorithm.len, (const char *)same->algorithm.data,
				       (int)other->algorithm.len,
				       (const char *)other->algorithm.data);
		err = same != NULL ? VT_OK : err;
	}
	return err;
}
