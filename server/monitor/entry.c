/* What one entry is worth an alert for: that it must not be there, or that somebody watches for it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dsse.h"
#include "monitor_private.h"

enum { SUBJECTS_SHOWN = 16 };

enum vt_err entry_refused(struct follower *f, uint64_t index, const struct merkle_hash *leaf,
			  const struct checks_refusal *refusal)
{
	struct json *more = JSON_OBJECT_OF(
	    {"index", json_new_uint(index)}, {"leafHash", json_new_hash(leaf)},
	    {"rule", json_new_str(refusal->rule)}, {"detail", json_new_str(refusal->detail)});
	char text[PROBLEM_DETAIL_MAX + 128];
	uint8_t id[8 + MERKLE_HASH_SIZE];
	enum vt_err err;

	if (more == NULL)
		return VT_ENOMEM;
	snprintf(text, sizeof(text), "entry %" PRIu64 " is not admissible: %s: %s", index,
		 refusal->rule, refusal->detail);
	for (unsigned i = 0; i < 8; i++)
		id[i] = (uint8_t)(index >> (8 * i));
	memcpy(id + 8, leaf->b, MERKLE_HASH_SIZE);
	if ((err = alert_raise(f->m, "inadmissible", f->origin, bytes_of(id, sizeof(id)), text,
			       more)) != VT_OK)
		return err;
	f->state.inadmissible++;
	if (f->state.inadmissible_at == 0)
		f->state.inadmissible_at = f->m->config.now();
	f->found_fault = true;
	return VT_OK;
}

/* -- watches ---------------------------------------------------------------------------------- */

static struct json *subjects_json(const struct statement *s)
{
	struct json *list = json_new_array();
	char text[160];

	for (size_t i = 0; i < s->n_digests && i < SUBJECTS_SHOWN; i++) {
		const struct subject_digest *d = &s->digest[i];
		snprintf(text, sizeof(text), "%.*s:%.*s", (int)d->algorithm.len,
			 (const char *)d->algorithm.data, (int)d->hex.len,
			 (const char *)d->hex.data);
		json_add_element(&list, json_new_str(text));
	}
	return list;
}

static struct json *parties_json(const struct record *r)
{
	struct json *list = json_new_array();
	const struct record_signer *signer;
	size_t n;

	signer = record_signers(r, &n);
	for (size_t i = 0; i < n; i++)
		json_add_element(&list, json_new_str(signer[i].party));
	return list;
}

static struct json *describe(uint64_t index, const struct record *r, const struct watch *w)
{
	const struct statement *s = record_statement(r);
	struct bytes result;
	struct entry_ref ref;
	bool withdraws, has_result = statement_result(s, &result);
	struct json *j = JSON_OBJECT_OF(
	    {"index", json_new_uint(index)}, {"leafHash", json_new_hash(record_leaf(r))},
	    {"watch", json_new_str(w->text)}, {"predicateType", json_new_text(s->predicate_type)},
	    {"parties", parties_json(r)}, {"subjects", subjects_json(s)},
	    {"result", has_result ? json_new_text(result) : json_absent()});

	if (statement_correction(s, &ref, &withdraws)) {
		json_add(&j, "target",
			 JSON_OBJECT_OF({"index", json_new_uint(ref.index)},
					{"leafHash", json_new_hash(&ref.leaf)}));
		json_add(&j, "action", json_new_str(withdraws ? "withdraw" : "replace"));
	}
	return j;
}

static enum vt_err hit(struct follower *f, uint64_t index, const struct record *r,
		       const struct watch *w, bool by_target)
{
	struct json *more = describe(index, r, w);
	struct buf id;
	char text[600];
	enum vt_err err = VT_ENOMEM;

	buf_init(&id);
	snprintf(text, sizeof(text), "entry %" PRIu64 "%s is watched for: %s", index,
		 by_target ? " corrects what" : "", w->text);
	if (more == NULL ||
	    (err = buf_append(&id, bytes_of(record_leaf(r)->b, MERKLE_HASH_SIZE))) != VT_OK ||
	    (err = buf_append_str(&id, w->text)) != VT_OK) {
		json_free(more);
		goto done;
	}
	if ((err = alert_raise(f->m, "watch", f->origin, buf_bytes(&id), text, more)) == VT_OK)
		f->state.hits++;
done:
	buf_release(&id);
	return err;
}

/* The entry that a correction is about, as watches see it. */
struct target {
	struct dsse envelope;
	struct statement statement;
	const char *party[RECORD_SIGNATURES_MAX];
	size_t n;
};

static void find_parties(struct target *t, const struct registry *registry)
{
	for (size_t i = 0; i < t->envelope.n && i < RECORD_SIGNATURES_MAX; i++) {
		const struct registered_key *key;
		struct merkle_hash keyid;
		if (hex_decode_exact(keyid.b, MERKLE_HASH_SIZE, t->envelope.sig[i].keyid) ==
			VT_OK &&
		    (key = registry_find(registry, &keyid)) != NULL)
			t->party[t->n++] = key->party;
	}
}

/* VT_ENOTFOUND: the record corrects nothing. */
static enum vt_err read_target(struct target *t, struct follower *f, const struct record *r)
{
	struct entry_ref ref;
	struct buf entry;
	enum vt_err err;

	if (!statement_correction(record_statement(r), &ref, NULL))
		return VT_ENOTFOUND;
	buf_init(&entry);
	if ((err = follow_read_earlier(f, ref.index, &entry)) == VT_OK &&
	    (err = dsse_parse(&t->envelope, buf_bytes(&entry), NULL)) == VT_OK &&
	    (err = statement_parse(&t->statement, t->envelope.payload, NULL)) == VT_OK)
		find_parties(t, checks_registry(f->checks));
	buf_release(&entry);
	return err;
}

enum vt_err entry_watched(struct follower *f, uint64_t index, const struct record *r)
{
	const struct watch_set *set = f->m->config.watches;
	struct target target = {.n = 0};
	bool corrects;
	enum vt_err err;

	dsse_init(&target.envelope);
	statement_init(&target.statement);
	err = set->n == 0 ? VT_ENOTFOUND : read_target(&target, f, r);
	corrects = err == VT_OK;
	if (err == VT_ENOTFOUND)
		err = VT_OK;
	for (size_t i = 0; i < set->n && err == VT_OK; i++) {
		const struct watch *w = &set->watch[i];
		if (watch_fits(w, r))
			err = hit(f, index, r, w, false);
		else if (corrects &&
			 conditions_fit(&w->conditions, &target.statement, target.party, target.n))
			err = hit(f, index, r, w, true);
	}
	dsse_release(&target.envelope);
	statement_release(&target.statement);
	return err;
}
