/* What made a record admissible, fetched entry by entry, for records whose tlog-proof has no room for it. */
#include <stdlib.h>
#include <string.h>

#include "client_internal.h"
#include "extra.h"
#include "json.h"

enum { DESCRIPTION_MAX = 4 << 20 };

/* Indexes to fetch: those before `done` have been. */
struct wanted {
	size_t n, done;
	uint64_t index[EXTRA_GATHERED_MAX];
};

/* `by` refers to it, and can only refer to what came before. What the log says wrongly here proves nothing: VT_EIO. */
static enum vt_err want(struct wanted *w, uint64_t index, uint64_t by, struct why *why)
{
	if (index >= by)
		return why_say(why, VT_EIO, "entry %llu: the log says that it rests on entry %llu",
			       (unsigned long long)by, (unsigned long long)index);
	for (size_t i = 0; i < w->n; i++)
		if (w->index[i] == index)
			return VT_OK;
	if (w->n == EXTRA_GATHERED_MAX)
		return why_say(why, VT_ELIMIT, "it rests on more than %d entries",
			       EXTRA_GATHERED_MAX);
	w->index[w->n++] = index;
	return VT_OK;
}

static enum vt_err want_member(struct wanted *w, const struct json *signer, const char *name,
			       uint64_t by, struct why *why)
{
	const struct json *member = json_member(signer, name);
	int64_t index;

	if (member == NULL)
		return VT_OK;
	if (!json_integer(member, &index) || index < 0)
		return why_say(why, VT_EIO, "entry %llu: the log's answer is malformed",
			       (unsigned long long)by);
	/* A key that is registered by the very entry that it signs. */
	return (uint64_t)index == by ? VT_OK : want(w, (uint64_t)index, by, why);
}

/* Which accreditations carry the signers is the log's to say: they are taken for nothing but a hint what to fetch. */
static enum vt_err want_signers(struct wanted *w, struct client *c, uint64_t index,
				const char *about, struct why *why)
{
	const struct json *signers, *signer;
	struct bytes keyid;
	struct json *description;
	struct buf path;
	enum vt_err err;

	buf_init(&path);
	if (buf_appendf(&path, "/api/v1/entries/%llu", (unsigned long long)index) != VT_OK ||
	    buf_append_byte(&path, '\0') != VT_OK) {
		buf_release(&path);
		return why_say(why, VT_ENOMEM, "%s", vt_err_text(VT_ENOMEM));
	}
	err = client_get_json(&description, c, (const char *)path.data, DESCRIPTION_MAX, why);
	buf_release(&path);
	if (err != VT_OK)
		return err == VT_EMALFORMED ? VT_EIO : err;
	signers = json_member(json_member(description, "record"), "signers");
	if (signers == NULL)
		err = why_say(why, VT_ENOTFOUND, "the log does not say what made it admissible");
	for (size_t i = 0; err == VT_OK && i < json_count(signers); i++) {
		signer = json_at(signers, i);
		if (json_text(json_member(signer, "keyid"), &keyid) && bytes_is(keyid, about))
			continue;
		if ((err = want_member(w, signer, "accreditation", index, why)) == VT_OK)
			err = want_member(w, signer, "sealed", index, why);
	}
	json_free(description);
	return err;
}

static enum vt_err want_all(struct wanted *w, struct client *c, uint64_t index, struct bytes entry,
			    struct why *why)
{
	struct extra_named named;
	enum vt_err err;

	if ((err = extra_named(&named, index, entry)) != VT_OK)
		return why_say(why, err, "entry %llu is no record", (unsigned long long)index);
	for (size_t i = 0; i < named.n; i++)
		if ((err = want(w, named.index[i], index, why)) != VT_OK)
			return err;
	return want_signers(w, c, index, named.key, why);
}

static enum vt_err fetch_one(struct extra *x, struct wanted *w, struct client *c, uint64_t index,
			     struct why *why)
{
	struct merkle_proof proof;
	struct buf entry;
	enum vt_err err;

	buf_init(&entry);
	if ((err = client_entry(&entry, c, index, why)) != VT_OK ||
	    (err = client_inclusion(&proof, c, index, why)) != VT_OK)
		goto done;
	if ((err = extra_add(x, index, buf_bytes(&entry), &proof)) != VT_OK) {
		why_say(why, err, "%s", vt_err_text(err));
		goto done;
	}
	err = want_all(w, c, index, buf_bytes(&entry), why);
done:
	buf_release(&entry);
	return err;
}

enum vt_err client_support(struct extra **out, struct client *c, uint64_t index, struct bytes entry,
			   struct why *why)
{
	struct wanted *w = calloc(1, sizeof(*w));
	struct extra *x = NULL;
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	if (w == NULL || extra_new(&x, entry) != VT_OK) {
		why_say(why, err, "%s", vt_err_text(err));
		goto done;
	}
	err = want_all(w, c, index, entry, why);
	while (err == VT_OK && w->done < w->n)
		err = fetch_one(x, w, c, w->index[w->done++], why);
	if (err != VT_OK)
		goto done;
	*out = x;
	x = NULL; /* transferred */
done:
	extra_free(x);
	free(w);
	return err;
}
