#include "record_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum vt_err find(void *ctx, const struct merkle_hash *key, uint64_t from, uint64_t *index)
{
	const struct world *w = ctx;

	for (uint64_t i = from; i < w->n; i++)
		for (size_t k = 0; k < w->entry[i].n_keys; k++)
			if (merkle_hash_equal(&w->entry[i].key[k], key)) {
				*index = i;
				return VT_OK;
			}
	return VT_ENOTFOUND;
}

static enum vt_err read_entry(void *ctx, uint64_t index, struct buf *entry)
{
	const struct world *w = ctx;

	return index < w->n ? buf_append(entry, buf_bytes(&w->entry[index].bytes)) : VT_ENOTFOUND;
}

void world_init(struct world *w)
{
	struct signer **key[] = {&w->centre, &w->recovery, &w->lab, &w->vendor, &w->stranger};

	*w = (struct world){0};
	assert_int_equal(merkle_hasher_init(&w->h), VT_OK);
	assert_int_equal(registry_new(&w->registry), VT_OK);
	for (size_t i = 0; i < sizeof(key) / sizeof(key[0]); i++)
		assert_int_equal(signer_generate(key[i], "ed25519", NULL), VT_OK);
	w->view = (struct admission_view){.registry = w->registry,
					  .origin = WORLD_ORIGIN,
					  .find = find,
					  .read = read_entry,
					  .ctx = w};
}

void world_release(struct world *w)
{
	for (size_t i = 0; i < w->n; i++) {
		buf_release(&w->entry[i].bytes);
		free(w->entry[i].key);
	}
	signer_free(w->centre);
	signer_free(w->recovery);
	signer_free(w->lab);
	signer_free(w->vendor);
	signer_free(w->stranger);
	registry_free(w->registry);
	merkle_hasher_release(&w->h);
}

int world_set_up(void **state)
{
	struct world *w = malloc(sizeof(*w));

	assert_non_null(w);
	world_init(w);
	*state = w;
	return 0;
}

int world_set_up_begun(void **state)
{
	world_set_up(state);
	world_begin(*state);
	return 0;
}

int world_tear_down(void **state)
{
	world_release(*state);
	free(*state);
	return 0;
}

struct bytes world_spki(const struct signer *s)
{
	return party_key_spki(signer_public(s));
}

const struct merkle_hash *world_keyid(const struct signer *s)
{
	return party_key_id(signer_public(s));
}

static void append_record(struct world *w, const struct record *r)
{
	struct world_entry *e = &w->entry[w->n];
	const struct merkle_hash *keys = record_keys(r, &e->n_keys);

	assert_true(w->n < WORLD_ENTRIES_MAX);
	buf_init(&e->bytes);
	assert_int_equal(buf_append(&e->bytes, record_entry(r)), VT_OK);
	e->leaf = *record_leaf(r);
	e->key = calloc(e->n_keys, sizeof(*e->key));
	assert_non_null(e->key);
	memcpy(e->key, keys, e->n_keys * sizeof(*e->key));
	if (record_is_accreditation(r))
		assert_int_equal(
		    registry_apply(w->registry, w->n, &e->leaf, record_entry(r), &w->why), VT_OK);
	w->n++;
	w->view.size = w->n;
}

enum vt_err world_submit_named(struct world *w, struct bytes body,
			       const struct merkle_hash *key_hint, uint64_t *index, bool *known)
{
	struct record *r = NULL;
	enum vt_err err;

	w->why = (struct problem){0};
	if (known != NULL)
		*known = false;
	err = record_open(&r, &w->h, body, key_hint, &w->view, &w->why);
	if (err != VT_OK) {
		assert_null(r);
		return err;
	}
	err = record_known(index, r, &w->view);
	if (err == VT_OK) {
		if (known != NULL)
			*known = true;
		goto done;
	}
	assert_int_equal(err, VT_ENOTFOUND);
	if ((err = record_judge_with_keys(r, &w->view, &w->why)) != VT_OK)
		goto done;
	*index = w->n;
	append_record(w, r);
done:
	record_free(r);
	return err;
}

enum vt_err world_submit(struct world *w, struct bytes body, uint64_t *index, bool *known)
{
	return world_submit_named(w, body, NULL, index, known);
}

uint64_t world_append(struct world *w, struct bytes body)
{
	uint64_t index = 0;
	bool known;
	enum vt_err err = world_submit(w, body, &index, &known);

	if (err != VT_OK)
		fail_msg("refused (%s): %s: %s", vt_err_text(err),
			 w->why.type == NULL ? "no problem set" : w->why.type->slug, w->why.detail);
	assert_false(known);
	return index;
}

void world_sign(struct buf *out, struct bytes payload, struct signer *const *by, size_t n)
{
	struct buf next;

	buf_init(out);
	buf_init(&next);
	for (size_t i = 0; i < n; i++) {
		enum key_scheme scheme = party_key_default_scheme(signer_public(by[i]));

		if (i == 0) {
			assert_int_equal(compose_envelope(&next, payload, by[i], scheme), VT_OK);
		} else {
			assert_int_equal(
			    compose_add_signature(&next, buf_bytes(out), by[i], scheme, NULL),
			    VT_OK);
		}
		buf_release(out);
		*out = next;
		buf_init(&next);
	}
}

void world_sign_one(struct buf *out, struct bytes payload, struct signer *by)
{
	world_sign(out, payload, &by, 1);
}

void world_bundle(struct buf *body, const char *material)
{
	struct buf out;

	buf_init(&out);
	assert_int_equal(
	    buf_appendf(&out,
			"{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\","
			"\"verificationMaterial\":{%s},\"dsseEnvelope\":%.*s}",
			material, (int)body->len, (const char *)body->data),
	    VT_OK);
	buf_release(body);
	*body = out;
}

struct entry_ref world_ref(const struct world *w, uint64_t index)
{
	assert_true(index < w->n);
	return (struct entry_ref){index, w->entry[index].leaf};
}

void world_grant(struct world *w, struct buf *out, const struct world_grant *g)
{
	struct compose_accreditation a = {.log = w->view.origin,
					  .party = g->party,
					  .role = g->role,
					  .key = signer_public(g->key),
					  .predicate_types = {g->types, g->n_types},
					  .status = g->status};
	struct signer *by[2] = {g->by == NULL ? w->centre : g->by, g->key};
	struct entry_ref previous;
	struct buf statement;

	a.scheme = party_key_default_scheme(a.key);
	if (g->alias != NULL)
		a.keyid_aliases = (struct compose_texts){&g->alias, 1};
	if (g->previous >= 0) {
		previous = world_ref(w, (uint64_t)g->previous);
		a.previous = &previous;
	}
	buf_init(&statement);
	assert_int_equal(compose_accreditation(&statement, &a, &w->why), VT_OK);
	world_sign(out, buf_bytes(&statement), by, g->no_possession ? 1 : 2);
	buf_release(&statement);
}

void world_accredit_unjudged(struct world *w, const struct party_key *key)
{
	static const char *const types[] = {PREDICATE_TEST_RESULT};
	struct compose_accreditation a = {.log = w->view.origin,
					  .party = "lab-2",
					  .role = "lab",
					  .key = key,
					  .scheme = party_key_default_scheme(key),
					  .predicate_types = {types, 1}};
	struct buf statement, body;
	struct record *r;

	buf_init(&statement);
	assert_int_equal(compose_accreditation(&statement, &a, &w->why), VT_OK);
	world_sign_one(&body, buf_bytes(&statement), w->centre);
	assert_int_equal(record_open(&r, &w->h, buf_bytes(&body), NULL, &w->view, &w->why), VT_OK);
	append_record(w, r);
	record_free(r);
	buf_release(&statement);
	buf_release(&body);
}

static void append_grant(struct world *w, const char *party, const char *role, struct signer *key,
			 const char *const *types, size_t n)
{
	struct world_grant g = {
	    .party = party, .role = role, .key = key, .previous = -1, .types = types, .n_types = n};
	struct buf body;

	world_grant(w, &body, &g);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
}

void world_begin(struct world *w)
{
	static const char *const centre[] = {PREDICATE_ACCREDITATION, PREDICATE_AUDIT_EVENT,
					     PREDICATE_CORRECTION};
	static const char *const lab[] = {PREDICATE_TEST_RESULT, PREDICATE_SEALED,
					  PREDICATE_CORRECTION};
	static const char *const vendor[] = {PREDICATE_RELEASE_V02, PREDICATE_RELEASE_V01,
					     PREDICATE_CORRECTION};
	struct compose_accreditation a = {
	    .log = w->view.origin,
	    .party = "centre",
	    .role = "centre",
	    .key = signer_public(w->centre),
	    .scheme = party_key_default_scheme(signer_public(w->centre)),
	    .predicate_types = {centre, 3},
	    .status = ACCREDITATION_GRANTED,
	    .entry_zero = true,
	    .recovery = signer_public(w->recovery),
	    .recovery_scheme = party_key_default_scheme(signer_public(w->recovery))};
	struct signer *by[2] = {w->centre, w->recovery};
	struct buf statement, body;

	buf_init(&statement);
	assert_int_equal(compose_accreditation(&statement, &a, &w->why), VT_OK);
	world_sign(&body, buf_bytes(&statement), by, 2);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
	buf_release(&statement);
	append_grant(w, "lab-1", "lab", w->lab, lab, 3);
	append_grant(w, "acme", "vendor", w->vendor, vendor, 3);
}

char *quoted(const char *text)
{
	char *out = strdup(text);

	assert_non_null(out);
	for (char *p = out; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	return out;
}

char *edited(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	size_t cap = strlen(text) + strlen(to) + 1;
	char *out = malloc(cap);

	assert_non_null(out);
	if (at == NULL)
		fail_msg("\"%s\" is not in %s", from, text);
	snprintf(out, cap, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	return out;
}
