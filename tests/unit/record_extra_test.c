/* One file proves it: building the extra line, and verifying it with nothing else at hand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "extra.h"
#include "record_world.h"

#define DIGEST "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

/* -- the tree ------------------------------------------------------------------------------------ */

static void node_hash(struct world *w, struct merkle_node_id id, struct merkle_hash *out)
{
	struct merkle_hash left, right;

	if (id.height == 0) {
		*out = w->entry[id.index].leaf;
		return;
	}
	node_hash(w, (struct merkle_node_id){id.height - 1, 2 * id.index}, &left);
	node_hash(w, (struct merkle_node_id){id.height - 1, 2 * id.index + 1}, &right);
	assert_int_equal(merkle_hash_node(out, &w->h, &left, &right), VT_OK);
}

static void read_plan(struct world *w, const struct merkle_plan *plan, struct merkle_hash *node)
{
	for (size_t i = 0; i < plan->n; i++)
		node_hash(w, plan->node[i], &node[i]);
}

static enum vt_err prove(void *ctx, struct merkle_proof *out, uint64_t index)
{
	struct merkle_hash node[MERKLE_PLAN_MAX];
	struct world *w = ctx;
	struct merkle_plan plan;

	assert_int_equal(proof_plan_inclusion(&plan, index, w->n), VT_OK);
	read_plan(w, &plan, node);
	return proof_build(out, &w->h, &plan, node);
}

static struct tree_head head_of(struct world *w)
{
	struct merkle_hash node[MERKLE_PLAN_MAX];
	struct tree_head head = {.size = w->n};
	struct merkle_plan plan;

	assert_int_equal(proof_plan_root(&plan, w->n), VT_OK);
	read_plan(w, &plan, node);
	assert_int_equal(proof_build_root(&head.root, &w->h, &plan, node), VT_OK);
	return head;
}

static enum vt_err build(struct world *w, struct buf *out, uint64_t index)
{
	struct extra_source source = {.view = &w->view, .prove = prove, .ctx = w};

	return extra_build(out, &w->h, index, buf_bytes(&w->entry[index].bytes), &source);
}

static enum vt_err verify(struct world *w, struct extra_verdict *v, struct bytes text,
			  uint64_t index, const char *origin, struct bytes centre,
			  struct problem *why)
{
	struct tree_head head = head_of(w);
	struct extra *x;
	enum vt_err err;

	*why = (struct problem){0};
	*v = (struct extra_verdict){0};
	if ((err = extra_parse(&x, text, why)) != VT_OK)
		return err;
	err = extra_verify(v, &w->h, x, index, &head, origin, centre, why);
	extra_free(x);
	return err;
}

/* Build and verify; the text is the caller's to free. */
static char *proven(struct world *w, uint64_t index, size_t n_support)
{
	struct extra_verdict v;
	struct problem why;
	struct extra *x;
	struct buf text;
	const char *at;
	char *out;
	size_t n = 0;
	enum vt_err err;

	buf_init(&text);
	assert_int_equal(build(w, &text, index), VT_OK);
	err = verify(w, &v, buf_bytes(&text), index, WORLD_ORIGIN, world_spki(w->centre), &why);
	if (err != VT_OK)
		fail_msg("%s: %s", why.type == NULL ? vt_err_text(err) : why.type->slug,
			 why.detail);
	assert_true(v.centre_pinned);
	assert_true(merkle_hash_equal(&v.centre, world_keyid(w->centre)));
	assert_true(merkle_hash_equal(record_leaf(v.record), &w->entry[index].leaf));
	extra_verdict_release(&v);
	assert_int_equal(extra_parse(&x, buf_bytes(&text), &why), VT_OK);
	assert_true(bytes_equal(extra_entry(x), buf_bytes(&w->entry[index].bytes)));
	extra_free(x);
	out = buf_detach_str(&text);
	for (at = out; (at = strstr(at, "{\"index\":")) != NULL; at++)
		n++;
	assert_int_equal(n, n_support);
	return out;
}

/* -- records ------------------------------------------------------------------------------------- */

static uint64_t verdict(struct world *w, struct signer *by, const char *run, const char *salt,
			bool append, struct buf *body)
{
	struct compose_digest subject = {"bios.bin", NULL, DIGEST};
	struct compose_resource configuration = {.uri = run};
	struct compose_verdict v = {.subjects = {&subject, 1},
				    .result = "PASSED",
				    .configuration = &configuration,
				    .n_configuration = 1,
				    .salt = salt};
	struct buf statement;
	uint64_t index = 0;

	buf_init(&statement);
	assert_int_equal(compose_verdict(&statement, &v, NULL), VT_OK);
	world_sign_one(body, buf_bytes(&statement), by);
	if (append)
		index = world_append(w, buf_bytes(body));
	buf_release(&statement);
	return index;
}

static uint64_t append_verdict(struct world *w, struct signer *by, const char *run)
{
	struct buf body;
	uint64_t index = verdict(w, by, run, NULL, true, &body);

	buf_release(&body);
	return index;
}

static uint64_t grant(struct world *w, struct signer *key, enum accreditation_status status,
		      int64_t previous)
{
	static const char *const types[] = {PREDICATE_TEST_RESULT, PREDICATE_SEALED,
					    PREDICATE_CORRECTION};
	struct world_grant g = {.party = key == w->lab ? "lab-1" : "lab-2",
				.role = "lab",
				.key = key,
				.status = status,
				.previous = previous,
				.types = types,
				.n_types = 3,
				.no_possession = previous >= 0};
	struct buf body;
	uint64_t index;

	world_grant(w, &body, &g);
	index = world_append(w, buf_bytes(&body));
	buf_release(&body);
	return index;
}

/* -- what holds ---------------------------------------------------------------------------------- */

static void a_verdict_carries_its_accreditation_and_the_centres(void **state)
{
	struct world *w = *state;
	uint64_t index = append_verdict(w, w->lab, "a:1");

	append_verdict(w, w->lab, "a:2");
	free(proven(w, index, 2));
}

static void entry_zero_stands_alone(void **state)
{
	free(proven(*state, 0, 0));
}

static void an_accreditation_carries_the_centres(void **state)
{
	free(proven(*state, 1, 1));
}

static void a_key_brings_what_is_in_force_however_long_its_history(void **state)
{
	struct world *w = *state;
	int64_t at = 1;
	uint64_t index;

	for (unsigned i = 0; i < 2 * EXTRA_SUPPORT_MAX; i++)
		at = (int64_t)grant(
		    w, w->lab, i % 2 == 0 ? ACCREDITATION_SUSPENDED : ACCREDITATION_GRANTED, at);
	free(proven(w, (uint64_t)at - 1, 1));
	free(proven(w, (uint64_t)at, 1));
	index = append_verdict(w, w->lab, "a:1");
	/* What came later is not part of why it was admissible. */
	grant(w, w->lab, ACCREDITATION_SUSPENDED, at);
	free(proven(w, index, 2));
}

/* Accredits a key of the centre, or lab's, as `by` would; `by` may be the key itself. */
static void make_grant(struct world *w, struct buf *body, struct signer *key, const char *role,
		       enum accreditation_status status, int64_t previous, struct signer *by)
{
	static const char *const types[] = {PREDICATE_TEST_RESULT, PREDICATE_ACCREDITATION};
	bool lab = strcmp(role, "lab") == 0;
	struct world_grant g = {.party = lab ? "lab-1" : "centre",
				.role = role,
				.key = key,
				.status = status,
				.previous = previous,
				.types = types,
				.n_types = lab ? 1 : 2,
				.no_possession = key == by || (previous >= 0 && !lab),
				.by = by};

	world_grant(w, body, &g);
}

static int64_t grant_by(struct world *w, struct signer *key, const char *role,
			enum accreditation_status status, int64_t previous, struct signer *by)
{
	struct buf body;
	int64_t index;

	make_grant(w, &body, key, role, status, previous, by);
	index = (int64_t)world_append(w, buf_bytes(&body));
	buf_release(&body);
	return index;
}

static void a_centre_brings_its_first_and_what_is_in_force(void **state)
{
	struct world *w = *state;
	int64_t lab = 1, at = 0;

	for (unsigned i = 0; i < 30; i++)
		at = grant_by(w, w->centre, "centre", ACCREDITATION_GRANTED, at, w->centre);
	lab = grant_by(w, w->lab, "lab", ACCREDITATION_GRANTED, lab, w->centre);
	/* Entry 0, the centre's newest, the lab's newest. */
	free(proven(w, append_verdict(w, w->lab, "a:1"), 3));
	at = grant_by(w, w->stranger, "centre", ACCREDITATION_GRANTED, -1, w->recovery);
	for (unsigned i = 0; i < 30; i++)
		at = grant_by(w, w->stranger, "centre",
			      i % 2 == 0 ? ACCREDITATION_SUSPENDED : ACCREDITATION_GRANTED, at,
			      w->recovery);
	grant_by(w, w->lab, "lab", ACCREDITATION_GRANTED, lab, w->stranger);
	/* Entry 0, the successor's first and newest, the lab's newest. */
	free(proven(w, append_verdict(w, w->lab, "a:2"), 4));
}

static void a_successor_brings_its_predecessor(void **state)
{
	static const char *const types[] = {PREDICATE_ACCREDITATION, PREDICATE_TEST_RESULT};
	struct world *w = *state;
	struct world_grant g = {.party = "centre",
				.role = "centre",
				.key = w->stranger,
				.previous = -1,
				.types = types,
				.n_types = 2,
				.by = w->recovery};
	struct buf body;

	world_grant(w, &body, &g);
	world_append(w, buf_bytes(&body)); /* 3 */
	buf_release(&body);
	free(proven(w, append_verdict(w, w->stranger, "a:1"), 2));
}

static void a_revealed_record_brings_its_seal(void **state)
{
	struct world *w = *state;
	char salt[COMPOSE_SALT_SIZE];
	struct compose_seal s;
	struct buf body, statement, cover;
	uint64_t index;

	assert_int_equal(compose_salt(salt), VT_OK);
	verdict(w, w->lab, "a:1", salt, false, &body);
	s = (struct compose_seal){.envelope = buf_bytes(&body)};
	buf_init(&statement);
	assert_int_equal(compose_seal(&statement, &w->h, &s, NULL), VT_OK);
	world_sign_one(&cover, buf_bytes(&statement), w->lab);
	world_append(w, buf_bytes(&cover));       /* 3 */
	grant(w, w->lab, ACCREDITATION_ENDED, 1); /* 4 */
	index = world_append(w, buf_bytes(&body));
	/* The centre's, the lab's, the seal, and what ended the lab. */
	free(proven(w, index, 4));
	buf_release(&body);
	buf_release(&statement);
	buf_release(&cover);
}

static void a_correction_brings_what_it_is_about(void **state)
{
	struct world *w = *state;
	uint64_t target = append_verdict(w, w->lab, "a:1");
	uint64_t other = append_verdict(w, w->lab, "a:2");
	struct entry_ref replacement = world_ref(w, other);
	struct compose_correction c = {
	    .target = world_ref(w, target), .replacement = &replacement, .reason = "wrong sample"};
	struct buf statement, body;
	uint64_t index;

	buf_init(&statement);
	assert_int_equal(compose_correction(&statement, &c, NULL), VT_OK);
	world_sign_one(&body, buf_bytes(&statement), w->lab);
	index = world_append(w, buf_bytes(&body));
	free(proven(w, index, 4));
	buf_release(&statement);
	buf_release(&body);
}

static void without_a_pin_the_file_names_the_centre(void **state)
{
	struct world *w = *state;
	uint64_t index = append_verdict(w, w->lab, "a:1");
	struct extra_verdict v;
	struct problem why;
	struct buf text;

	buf_init(&text);
	assert_int_equal(build(w, &text, index), VT_OK);
	assert_int_equal(
	    verify(w, &v, buf_bytes(&text), index, WORLD_ORIGIN, bytes_of(NULL, 0), &why), VT_OK);
	assert_false(v.centre_pinned);
	assert_true(merkle_hash_equal(&v.centre, world_keyid(w->centre)));
	assert_int_equal(registry_version(v.registry), 2);
	extra_verdict_release(&v);
	buf_release(&text);
}

/* An entry that no honest log would have taken. */
static uint64_t append_stray(struct world *w, struct bytes body)
{
	struct world_entry *e = &w->entry[w->n];
	struct record *r;

	assert_int_equal(record_open(&r, &w->h, body, NULL, &w->view, &w->why), VT_OK);
	buf_init(&e->bytes);
	assert_int_equal(buf_append(&e->bytes, record_entry(r)), VT_OK);
	e->leaf = *record_leaf(r);
	record_free(r);
	w->view.size = ++w->n;
	return w->n - 1;
}

/* A log takes this accreditation and a verdict by its key. What do these entries prove of that? */
static void stray_fails(struct world *w, struct bytes accreditation, struct signer *signer,
			const uint64_t *support, size_t n, const char *slug)
{
	struct merkle_proof proof;
	struct extra_verdict v;
	struct problem why = {0};
	struct tree_head head;
	struct extra *x;
	struct buf body;
	uint64_t stray = append_stray(w, accreditation), index;

	verdict(w, signer, "a:stray", NULL, false, &body);
	/* The one who signs it may be nobody whom this log knows: any entry does for its bytes. */
	index = signer == w->lab ? append_stray(w, buf_bytes(&body)) : stray;
	head = head_of(w);
	assert_int_equal(extra_new(&x, buf_bytes(&w->entry[index].bytes)), VT_OK);
	for (size_t i = 0; i < n + (index != stray); i++) {
		uint64_t at = i < n ? support[i] : stray;

		assert_int_equal(prove(w, &proof, at), VT_OK);
		assert_int_equal(extra_add(x, at, buf_bytes(&w->entry[at].bytes), &proof), VT_OK);
	}
	assert_int_not_equal(
	    extra_verify(&v, &w->h, x, index, &head, WORLD_ORIGIN, world_spki(w->centre), &why),
	    VT_OK);
	if (why.type == NULL || strcmp(why.type->slug, slug) != 0)
		fail_msg("expected %s, got %s", slug, why.type == NULL ? "none" : why.detail);
	extra_free(x);
	buf_release(&body);
}

static void a_gap_in_a_keys_history_lets_nothing_false_through(void **state)
{
	struct world *w = *state;
	int64_t suspended = (int64_t)grant(w, w->lab, ACCREDITATION_SUSPENDED, 1), ended;
	static const char *const types[] = {PREDICATE_TEST_RESULT};
	struct world_grant alone = {.party = "lab-1",
				    .role = "lab",
				    .key = w->lab,
				    .types = types,
				    .n_types = 1,
				    .no_possession = true,
				    .by = w->vendor};
	struct buf body;

	/* Not by the centre. */
	make_grant(w, &body, w->lab, "lab", ACCREDITATION_GRANTED, suspended, w->vendor);
	stray_fails(w, buf_bytes(&body), w->lab, (uint64_t[]){0, 2}, 2, "entry-signature");
	buf_release(&body);
	alone.previous = suspended;
	world_grant(w, &body, &alone);
	stray_fails(w, buf_bytes(&body), w->lab, (uint64_t[]){0, 2}, 2, "signer-not-accredited");
	buf_release(&body);
	/* Back to before the suspension. */
	make_grant(w, &body, w->lab, "lab", ACCREDITATION_GRANTED, 1, w->centre);
	stray_fails(w, buf_bytes(&body), w->lab, (uint64_t[]){0, (uint64_t)suspended}, 2,
		    "accreditation-previous-stale");
	buf_release(&body);
	/* After the end. */
	ended = (int64_t)grant(w, w->lab, ACCREDITATION_ENDED, suspended);
	make_grant(w, &body, w->lab, "lab", ACCREDITATION_GRANTED, ended, w->centre);
	stray_fails(w, buf_bytes(&body), w->lab, (uint64_t[]){0, (uint64_t)ended}, 2,
		    "accreditation-ended");
	buf_release(&body);
	/* A centre that nobody has seen begin. */
	make_grant(w, &body, w->stranger, "centre", ACCREDITATION_GRANTED, 1, w->recovery);
	stray_fails(w, buf_bytes(&body), w->stranger, (uint64_t[]){0}, 1,
		    "accreditation-previous-stale");
	buf_release(&body);
}

/* -- what does not ------------------------------------------------------------------------------- */

static void fails(struct world *w, const char *text, uint64_t index, const char *origin,
		  struct signer *centre, const char *slug, const char *detail)
{
	struct extra_verdict v;
	struct problem why;
	enum vt_err err = verify(w, &v, bytes_str(text), index, origin, world_spki(centre), &why);

	assert_int_not_equal(err, VT_OK);
	if (why.type == NULL)
		fail_msg("expected %s, got no problem (%s)", slug, vt_err_text(err));
	if (strcmp(why.type->slug, slug) != 0 || strstr(why.detail, detail) == NULL)
		fail_msg("expected %s \"%s\", got %s: %s", slug, detail, why.type->slug,
			 why.detail);
	assert_null(v.record);
	assert_null(v.registry);
}

static void another_centre_or_origin_is_refused(void **state)
{
	struct world *w = *state;
	char *text = proven(w, append_verdict(w, w->lab, "a:1"), 2);

	fails(w, text, 3, WORLD_ORIGIN, w->stranger, "accreditation-entry-zero",
	      "entry 0: by another centre: signed by ");
	fails(w, text, 3, "log.example/other", w->centre, "accreditation-log", "entry 0: ");
	free(text);
}

static void a_false_place_in_the_log_is_refused(void **state)
{
	struct world *w = *state;
	char *text = proven(w, append_verdict(w, w->lab, "a:1"), 2), *changed;

	changed = edited(text, "{\"index\":1,", "{\"index\":2,");
	fails(w, changed, 3, WORLD_ORIGIN, w->centre, "extra-support",
	      "entry 2: its inclusion proof does not hold");
	free(changed);
	/* An entry is not supported by a later one. */
	fails(w, text, 1, WORLD_ORIGIN, w->centre, "extra-support",
	      "entry 1 does not come before entry 1");
	free(text);
}

/* Cut one object out of the support list: the text from `from` up to the next of them or the end. */
static char *without_support(const char *text, const char *from)
{
	const char *start = strstr(text, from);
	const char *end;
	char *out = strdup(text);

	assert_non_null(start);
	assert_non_null(out);
	end = strstr(start + 1, "{\"index\":");
	if (end == NULL) {
		end = strstr(start, "]}]}") + 2;
		start--; /* the comma before it */
	}
	memmove(out + (start - text), end, strlen(end) + 1);
	return out;
}

static void a_missing_link_is_refused(void **state)
{
	struct world *w = *state;
	uint64_t target = append_verdict(w, w->lab, "a:1");
	struct compose_correction c = {.target = world_ref(w, target), .reason = "wrong sample"};
	struct buf statement, body;
	uint64_t index;
	char *text, *changed;

	text = proven(w, target, 2);
	changed = without_support(text, "{\"index\":1,");
	fails(w, changed, target, WORLD_ORIGIN, w->centre, "entry-signature",
	      "entry 3: signatures[0]: does not verify under key");
	free(changed);
	changed = without_support(text, "{\"index\":0,");
	fails(w, changed, target, WORLD_ORIGIN, w->centre, "entry-signature", "entry 1: ");
	free(changed);
	free(text);
	buf_init(&statement);
	assert_int_equal(compose_correction(&statement, &c, NULL), VT_OK);
	world_sign_one(&body, buf_bytes(&statement), w->lab);
	index = world_append(w, buf_bytes(&body)); /* 4 */
	text = proven(w, index, 3);
	changed = without_support(text, "{\"index\":3,");
	fails(w, changed, index, WORLD_ORIGIN, w->centre, "extra-support",
	      "entry 4: what it refers to is not in the file");
	free(changed);
	free(text);
	buf_release(&statement);
	buf_release(&body);
}

static void a_changed_entry_is_refused(void **state)
{
	struct world *w = *state;
	char *text = proven(w, append_verdict(w, w->lab, "a:1"), 2), *changed;

	changed = edited(text, "\"keyid\":\"", "\"keyid\" : \"");
	free(
	    changed); /* white space is not part of an entry's value: it is written out again without */
	changed = edited(text, "{\"entry\":{\"payload\":\"e", "{\"entry\":{\"payload\":\"f");
	fails(w, changed, 3, WORLD_ORIGIN, w->centre, "entry-signature", "entry 3: ");
	free(changed);
	changed = edited(text, "{\"index\":1,\"entry\":{\"payload\":\"e",
			 "{\"index\":1,\"entry\":{\"payload\":\"f");
	fails(w, changed, 3, WORLD_ORIGIN, w->centre, "extra-support", "entry 1: ");
	free(changed);
	free(text);
}

static void malformed_extras_are_refused(void **state)
{
	static const struct {
		const char *text;
		const char *detail;
	} wrong[] = {
	    {"", "byte 0"},
	    {"[]", "entry: missing"},
	    {"{'entry':{}}", "support: missing"},
	    {"{'entry':{},'support':{}}", "support: an object"},
	    {"{'entry':{},'support':[7]}", "support[0].index"},
	    {"{'entry':{},'support':[{'index':-1}]}", "support[0].index"},
	    {"{'entry':{},'support':[{'index':0,'proof':7}]}", "support.proof"},
	    {"{'entry':{},'support':[{'index':0,'proof':['AAAA']}]}", "support.proof[0]"},
	    {"{'entry':{},'support':[{'index':0,'proof':[]}]}", "support.entry: missing"},
	    {"{'entry':{},'support':[{'index':1,'proof':[],'entry':{}},"
	     "{'index':1,'proof':[],'entry':{}}]}",
	     "support[1].index: not above"},
	};
	struct problem why;
	struct extra *x;
	struct buf many;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char *text = quoted(wrong[i].text);

		why = (struct problem){0};
		assert_int_equal(extra_parse(&x, bytes_str(text), &why), VT_EMALFORMED);
		assert_null(x);
		assert_string_equal(why.type->slug, "extra-shape");
		if (strstr(why.detail, wrong[i].detail) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", why.detail, wrong[i].detail);
		free(text);
	}
	buf_init(&many);
	assert_int_equal(buf_append_str(&many, "{\"entry\":{},\"support\":["), VT_OK);
	for (unsigned i = 0; i <= EXTRA_SUPPORT_MAX; i++)
		assert_int_equal(buf_appendf(&many, "%s{\"index\":%u,\"proof\":[],\"entry\":{}}",
					     i == 0 ? "" : ",", i),
				 VT_OK);
	assert_int_equal(buf_append_str(&many, "]}"), VT_OK);
	assert_int_equal(extra_parse(&x, buf_bytes(&many), &why), VT_ELIMIT);
	while (many.len <= EXTRA_SIZE_MAX)
		assert_int_equal(buf_append_byte(&many, ' '), VT_OK);
	assert_int_equal(extra_parse(&x, buf_bytes(&many), &why), VT_ELIMIT);
	buf_release(&many);
}

static void what_is_too_large_is_left_out(void **state)
{
	struct world *w = *state;
	struct compose_digest subject = {"bios.bin", NULL, DIGEST};
	struct compose_verdict v = {.subjects = {&subject, 1}, .result = "PASSED"};
	char *name = malloc(4001);
	const char *names[9];
	struct buf statement, body, out;
	uint64_t index;

	assert_non_null(name);
	memset(name, 'x', 4000);
	name[4000] = '\0';
	for (size_t i = 0; i < 9; i++)
		names[i] = name;
	v.passed = (struct compose_texts){names, 9};
	buf_init(&statement);
	assert_int_equal(compose_verdict(&statement, &v, NULL), VT_OK);
	world_sign_one(&body, buf_bytes(&statement), w->lab);
	index = world_append(w, buf_bytes(&body));
	assert_true(w->entry[index].bytes.len > 48000);
	buf_init(&out);
	assert_int_equal(buf_append_str(&out, "kept"), VT_OK);
	assert_int_equal(build(w, &out, index), VT_ELIMIT);
	assert_true(bytes_is(buf_bytes(&out), "kept"));
	buf_release(&out);
	buf_release(&statement);
	buf_release(&body);
	free(name);
}

/* -- put together from parts ------------------------------------------------------------------------ */

static enum vt_err add_entry(struct world *w, struct extra *x, uint64_t index)
{
	struct merkle_proof proof;

	assert_int_equal(prove(w, &proof, index), VT_OK);
	return extra_add(x, index, buf_bytes(&w->entry[index].bytes), &proof);
}

static void what_was_gathered_proves_as_much(void **state)
{
	struct world *w = *state;
	struct extra_verdict v = {0};
	struct problem why = {0};
	struct tree_head head;
	struct merkle_proof proof;
	struct extra *x;
	struct buf body;
	uint64_t index = verdict(w, w->lab, "urn:run:1", NULL, true, &body);

	buf_release(&body);
	head = head_of(w);
	assert_int_equal(extra_new(&x, buf_bytes(&w->entry[index].bytes)), VT_OK);
	assert_int_equal(add_entry(w, x, 1), VT_OK);
	/* Without the centre's own entry it proves nothing. */
	assert_true(extra_verify(&v, &w->h, x, index, &head, WORLD_ORIGIN, world_spki(w->centre),
				 &why) != VT_OK);
	assert_int_equal(add_entry(w, x, 0), VT_OK);
	assert_int_equal(add_entry(w, x, 1), VT_ECONFLICT);
	assert_int_equal(
	    extra_verify(&v, &w->h, x, index, &head, WORLD_ORIGIN, world_spki(w->centre), &why),
	    VT_OK);
	assert_true(merkle_hash_equal(record_leaf(v.record), &w->entry[index].leaf));
	extra_verdict_release(&v);
	assert_true(extra_verify(&v, &w->h, x, index, &head, WORLD_ORIGIN, world_spki(w->stranger),
				 &why) != VT_OK);
	assert_int_equal(prove(w, &proof, 2), VT_OK);
	for (unsigned i = 2; i < EXTRA_GATHERED_MAX; i++)
		assert_int_equal(extra_add(x, i, bytes_str("{}"), &proof), VT_OK);
	assert_int_equal(extra_add(x, EXTRA_GATHERED_MAX, bytes_str("{}"), &proof), VT_ELIMIT);
	extra_free(x);
}

static void an_entry_names_what_it_refers_to(void **state)
{
	struct world *w = *state;
	struct compose_correction c = {.reason = "wrong sample"};
	struct entry_ref replacement;
	struct buf body, statement;
	struct extra_named named;
	char hex[2 * MERKLE_HASH_SIZE + 1];
	uint64_t first, second, at;

	assert_int_equal(extra_named(&named, 1, buf_bytes(&w->entry[1].bytes)), VT_OK);
	assert_int_equal(named.n, 0);
	at = grant(w, w->lab, ACCREDITATION_GRANTED, 1);
	assert_int_equal(extra_named(&named, at, buf_bytes(&w->entry[at].bytes)), VT_OK);
	/* A laboratory's history is not walked: its newest entry says all. */
	assert_int_equal(named.n, 0);
	hex_encode(hex, bytes_of(world_keyid(w->lab)->b, MERKLE_HASH_SIZE));
	assert_string_equal(named.key, hex);
	/* The centre's leads back to where it began. */
	at = (uint64_t)grant_by(w, w->centre, "centre", ACCREDITATION_GRANTED, 0, w->centre);
	assert_int_equal(extra_named(&named, at, buf_bytes(&w->entry[at].bytes)), VT_OK);
	assert_int_equal(named.n, 1);
	assert_int_equal(named.index[0], 0);
	first = verdict(w, w->lab, "urn:run:1", NULL, true, &body);
	buf_release(&body);
	second = verdict(w, w->lab, "urn:run:2", NULL, true, &body);
	buf_release(&body);
	c.target = world_ref(w, first);
	replacement = world_ref(w, second);
	c.replacement = &replacement;
	buf_init(&statement);
	assert_int_equal(compose_correction(&statement, &c, NULL), VT_OK);
	world_sign_one(&body, buf_bytes(&statement), w->lab);
	at = world_append(w, buf_bytes(&body));
	assert_int_equal(extra_named(&named, at, buf_bytes(&w->entry[at].bytes)), VT_OK);
	assert_int_equal(named.n, 2);
	assert_int_equal(named.index[0], first);
	assert_int_equal(named.index[1], second);
	/* Nothing can rest on what came later. */
	assert_int_equal(extra_named(&named, second, buf_bytes(&w->entry[at].bytes)),
			 VT_EMALFORMED);
	assert_int_equal(extra_named(&named, 3, bytes_str("{}")), VT_EMALFORMED);
	buf_release(&statement);
	buf_release(&body);
}

/* "Other readers stop at 64 KiB lines": a buffer of 65,536 bytes must hold the line and what ends it. */
static void the_largest_extra_fits_a_line(void **state)
{
	(void)state;
	assert_true(strlen("extra ") + BASE64_ENCODED_LEN((size_t)EXTRA_SIZE_MAX) + 1 < 64 * 1024);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, world_set_up_begun, world_tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_verdict_carries_its_accreditation_and_the_centres),
	    TEST(entry_zero_stands_alone),
	    TEST(an_accreditation_carries_the_centres),
	    TEST(a_key_brings_what_is_in_force_however_long_its_history),
	    TEST(a_centre_brings_its_first_and_what_is_in_force),
	    TEST(a_gap_in_a_keys_history_lets_nothing_false_through),
	    TEST(a_successor_brings_its_predecessor),
	    TEST(a_revealed_record_brings_its_seal),
	    TEST(a_correction_brings_what_it_is_about),
	    TEST(without_a_pin_the_file_names_the_centre),
	    TEST(another_centre_or_origin_is_refused),
	    TEST(a_false_place_in_the_log_is_refused),
	    TEST(a_missing_link_is_refused),
	    TEST(a_changed_entry_is_refused),
	    cmocka_unit_test(malformed_extras_are_refused),
	    TEST(what_is_too_large_is_left_out),
	    TEST(what_was_gathered_proves_as_much),
	    TEST(an_entry_names_what_it_refers_to),
	    cmocka_unit_test(the_largest_extra_fits_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
