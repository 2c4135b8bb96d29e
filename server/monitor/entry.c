/* What one entry is worth an alert for: that it must not be there, or that somebody watches for it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dsse.h"
#include "monitor_private.h"

enum { SUBJECTS_SHOWN = 16 };

static enum vt_err set_entry(struct json *more, uint64_t index, const struct merkle_hash *leaf)
{
	enum vt_err err = json_set(more, "index", alert_number(index));

	return err != VT_OK ? err : json_set(more, "leafHash", alert_hash(leaf));
}

enum vt_err entry_refused(struct follower *f, uint64_t index, const struct merkle_hash *leaf,
			  const struct checks_refusal *refusal)
{
	struct json *more = json_new_object();
	char text[PROBLEM_DETAIL_MAX + 128];
	uint8_t id[8 + MERKLE_HASH_SIZE];
	enum vt_err err;

	if ((err = set_entry(more, index, leaf)) != VT_OK ||
	    (err = json_set(more, "rule", json_new_str(refusal->rule))) != VT_OK ||
	    (err = json_set(more, "detail", json_new_str(refusal->detail))) != VT_OK) {
		json_free(more);
		return err;
	}
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
		if (json_push(list, json_new_str(text)) != VT_OK) {
			json_free(list);
			return NULL;
		}
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
		if (json_push(list, json_new_str(signer[i].party)) != VT_OK) {
			json_free(list);
			return NULL;
		}
	return list;
}

static enum vt_err set_correction(struct json *more, const struct statement *s)
{
	struct json *target = NULL;
	struct entry_ref ref;
	bool withdraws;
	enum vt_err err;

	if (!statement_correction(s, &ref, &withdraws))
		return VT_OK;
	target = json_new_object();
	if ((err = set_entry(target, ref.index, &ref.leaf)) != VT_OK) {
		json_free(target);
		return err;
	}
	if ((err = json_set(more, "target", target)) != VT_OK)
		return err;
	return json_set(more, "action", json_new_str(withdraws ? "withdraw" : "replace"));
}

static struct json *describe(uint64_t index, const struct record *r, const struct watch *w)
{
	const struct statement *s = record_statement(r);
	struct json *more = json_new_object();
	struct bytes result;

	if (set_entry(more, index, record_leaf(r)) == VT_OK &&
	    json_set(more, "watch", json_new_str(w->text)) == VT_OK &&
	    json_set(more, "predicateType", json_new_text(s->predicate_type)) == VT_OK &&
	    json_set(more, "parties", parties_json(r)) == VT_OK &&
	    json_set(more, "subjects", subjects_json(s)) == VT_OK &&
	    (!statement_result(s, &result) ||
	     json_set(more, "result", json_new_text(result)) == VT_OK) &&
	    set_correction(more, s) == VT_OK)
		return more;
	json_free(more);
	return NULL;
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
