/* Each allocation fails once: the answer is "no memory", nothing leaks, and nothing is half done. */
#include <string.h>

#include "alloc_fail.h"
#include "conditions.h"
#include "describe.h"
#include "extra.h"
#include "json.h"
#include "record_world.h"

#define DIGEST "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

/* Run `act` until it needs no more allocations than have failed before; 1 if it could be hit at all. */
static void starve(struct world *w, enum vt_err (*act)(struct world *w))
{
	unsigned n = 1;
	enum vt_err err;

	for (;; n++) {
		alloc_fail_at(n);
		err = act(w);
		if (!alloc_failed())
			break;
		if (err != VT_ENOMEM)
			fail_msg("allocation %u: %s", n, vt_err_text(err));
	}
	assert_int_equal(err, VT_OK);
	assert_true(n > 1);
}

static struct buf body;
static uint64_t about;

static enum vt_err open_and_judge(struct world *w)
{
	struct problem why = {0};
	struct record *r;
	enum vt_err err = record_open(&r, &w->h, buf_bytes(&body), NULL, &w->view, &why);

	if (err == VT_OK)
		err = record_judge(r, &w->view, &why);
	record_free(r);
	return err;
}

static enum vt_err apply(struct world *w)
{
	uint64_t version = registry_version(w->registry);
	size_t count = registry_count(w->registry);
	const struct registered_key *centre = registry_find(w->registry, world_keyid(w->centre));
	size_t history = centre == NULL ? 0 : centre->n;
	struct merkle_hash leaf = {{1}};
	struct problem why;
	enum vt_err err = registry_apply(w->registry, about, &leaf, buf_bytes(&body), &why);

	if (err == VT_OK)
		return err;
	assert_int_equal(registry_version(w->registry), version);
	assert_int_equal(registry_count(w->registry), count);
	centre = registry_find(w->registry, world_keyid(w->centre));
	assert_int_equal(centre == NULL ? 0 : centre->n, history);
	return err;
}

static enum vt_err reopen(struct world *w)
{
	struct admission_view view = w->view;
	struct problem why;
	struct record *r;
	enum vt_err err;

	view.size = about;
	err = record_reopen(&r, &w->h, buf_bytes(&w->entry[about].bytes), &view, &why);
	record_free(r);
	return err;
}

static enum vt_err take_conditions(struct world *w)
{
	static const char *const given[CONDITIONS_N] = {DIGEST, "urn:Example:type", "LAB-1", NULL};
	struct conditions c, before;
	char why[CONDITIONS_WHY_MAX] = "";
	enum vt_err err = VT_OK;

	(void)w;
	conditions_init(&c);
	for (int i = 0; i < CONDITIONS_N && given[i] != NULL && err == VT_OK; i++) {
		before = c;
		err = conditions_add(&c, (enum condition)i, bytes_str(given[i]), why);
		if (err != VT_OK)
			assert_memory_equal(&c, &before, sizeof(c));
	}
	assert_true(err == VT_OK || why[0] != '\0');
	conditions_release(&c);
	return err;
}

static enum vt_err describe(struct world *w)
{
	struct json *j;
	enum vt_err err =
	    describe_entry(&j, &w->h, about, buf_bytes(&w->entry[about].bytes), &w->view);

	json_free(j);
	return err;
}

static enum vt_err describe_all(struct world *w)
{
	struct json *j;
	uint64_t next;
	enum vt_err err = describe_parties(&j, w->registry, w->n, 0, 1000, &next);

	json_free(j);
	return err;
}

static enum vt_err no_proof(void *ctx, struct merkle_proof *out, uint64_t index)
{
	(void)ctx;
	(void)index;
	out->n = 0;
	return VT_OK;
}

static enum vt_err prove(struct world *w)
{
	struct extra_source source = {.view = &w->view, .prove = no_proof};
	struct problem why;
	struct extra *x = NULL;
	struct buf text;
	enum vt_err err;

	buf_init(&text);
	err = extra_build(&text, &w->h, about, buf_bytes(&w->entry[about].bytes), &source);
	if (err == VT_OK)
		err = extra_parse(&x, buf_bytes(&text), &why);
	extra_free(x);
	buf_release(&text);
	return err;
}

static enum vt_err compose(struct world *w)
{
	struct compose_digest subject = {"router.bin", NULL, DIGEST};
	struct compose_firmware f = {.subjects = {&subject, 1}, .purl = "pkg:generic/a/b@1"};
	struct buf statement, envelope;
	enum vt_err err;

	buf_init(&statement);
	buf_init(&envelope);
	err = compose_firmware(&statement, &f, NULL);
	if (err == VT_OK)
		err = compose_envelope(&envelope, buf_bytes(&statement), w->vendor, SCHEME_ED25519);
	buf_release(&statement);
	buf_release(&envelope);
	return err;
}

static void make_verdict(struct world *w)
{
	struct compose_digest subject = {"bios.bin", NULL, DIGEST};
	struct compose_verdict v = {.subjects = {&subject, 1}, .result = "PASSED"};
	struct buf statement;

	buf_init(&statement);
	assert_int_equal(compose_verdict(&statement, &v, NULL), VT_OK);
	world_sign_one(&body, buf_bytes(&statement), w->lab);
	buf_release(&statement);
}

static void opening_and_judging_survives(void **state)
{
	struct world *w = *state;
	struct compose_correction c = {.reason = "wrong sample"};
	struct buf statement;

	make_verdict(w);
	starve(w, open_and_judge);
	world_bundle(&body,
		     "\"publicKey\":{\"hint\":\"n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=\"}");
	starve(w, open_and_judge);
	about = world_append(w, buf_bytes(&body));
	starve(w, reopen);
	starve(w, describe);
	starve(w, prove);
	buf_release(&body);
	/* One that reads another entry. */
	c.target = world_ref(w, about);
	buf_init(&statement);
	assert_int_equal(compose_correction(&statement, &c, NULL), VT_OK);
	world_sign_one(&body, buf_bytes(&statement), w->lab);
	starve(w, open_and_judge);
	world_append(w, buf_bytes(&body));
	starve(w, describe);
	buf_release(&body);
	buf_release(&statement);
	/* And one with a second candidate key. */
	about = 1;
	starve(w, reopen);
	starve(w, describe_all);
	starve(w, compose);
	starve(w, take_conditions);
}

static void a_registry_changes_whole_or_not_at_all(void **state)
{
	struct world *w = *state;
	static const char *const types[] = {PREDICATE_ACCREDITATION};
	struct registry *fresh, *whole = w->registry;
	struct world_grant g = {.party = "centre",
				.role = "centre",
				.key = w->stranger,
				.previous = -1,
				.types = types,
				.n_types = 1,
				.alias = "next"};

	/* A successor: its own entry, and the end of the one before it. */
	world_grant(w, &body, &g);
	about = w->n;
	starve(w, apply);
	assert_int_equal(registry_version(w->registry), 4);
	assert_ptr_not_equal(registry_centre(w->registry, 3), registry_centre(w->registry, 4));
	buf_release(&body);
	/* Entry 0: two keys. */
	assert_int_equal(registry_new(&fresh), VT_OK);
	w->registry = fresh;
	buf_init(&body);
	assert_int_equal(buf_append(&body, buf_bytes(&w->entry[0].bytes)), VT_OK);
	about = 0;
	starve(w, apply);
	assert_int_equal(registry_count(fresh), 2);
	buf_release(&body);
	registry_free(fresh);
	w->registry = whole;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(opening_and_judging_survives, world_set_up_begun,
					    world_tear_down),
	    cmocka_unit_test_setup_teardown(a_registry_changes_whole_or_not_at_all,
					    world_set_up_begun, world_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
