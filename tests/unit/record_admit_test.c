/* What is admitted, what it becomes, and how often it may be sent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "dsse.h"
#include "json.h"
#include "record_world.h"

#define DIGEST "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

/* A verdict; each `run` makes another. */
static void make_verdict(struct buf *out, const char *run, const char *salt)
{
	struct compose_digest subject = {"bios.bin", NULL, DIGEST};
	struct compose_resource configuration = {.name = "suite", .uri = run};
	struct compose_verdict v = {.subjects = {&subject, 1},
				    .result = "PASSED",
				    .configuration = &configuration,
				    .n_configuration = 1,
				    .salt = salt};

	buf_init(out);
	assert_int_equal(compose_verdict(out, &v, NULL), VT_OK);
}

static bool has_key(struct world *w, uint64_t index, const char *label, struct bytes value)
{
	struct merkle_hash key;

	assert_int_equal(index_key(&key, &w->h, label, value), VT_OK);
	for (size_t i = 0; i < w->entry[index].n_keys; i++)
		if (merkle_hash_equal(&w->entry[index].key[i], &key))
			return true;
	return false;
}

/* Every entry, re-opened and judged again on the entries before it alone, gives what it gave. */
static void replay(struct world *w, struct bytes centre)
{
	struct admission_view view = w->view;
	struct registry *registry;
	struct problem why = {0};
	struct record *r;
	const struct merkle_hash *keys;
	size_t n;

	assert_int_equal(registry_new(&registry), VT_OK);
	view.registry = registry;
	view.centre = centre;
	for (uint64_t i = 0; i < w->n; i++) {
		struct bytes entry = buf_bytes(&w->entry[i].bytes);
		enum vt_err err;

		view.size = i;
		err = record_reopen(&r, &w->h, entry, &view, &why);
		if (err == VT_OK)
			err = record_judge(r, &view, &why);
		if (err != VT_OK)
			fail_msg("entry %u: %s: %s", (unsigned)i,
				 why.type == NULL ? vt_err_text(err) : why.type->slug, why.detail);
		assert_true(bytes_equal(record_entry(r), entry));
		assert_true(merkle_hash_equal(record_leaf(r), &w->entry[i].leaf));
		keys = record_keys(r, &n);
		assert_int_equal(n, w->entry[i].n_keys);
		assert_memory_equal(keys, w->entry[i].key, n * sizeof(*keys));
		if (record_is_accreditation(r))
			assert_int_equal(registry_apply(registry, i, record_leaf(r), entry, &why),
					 VT_OK);
		record_free(r);
	}
	assert_int_equal(registry_version(registry), registry_version(w->registry));
	registry_free(registry);
}

static void the_log_begins_with_its_centre(void **state)
{
	struct world *w = *state;
	const struct registered_key *centre, *recovery;

	world_begin(w);
	assert_int_equal(w->n, 3);
	assert_int_equal(registry_version(w->registry), 3);
	assert_int_equal(registry_count(w->registry), 4);
	centre = registry_find(w->registry, world_keyid(w->centre));
	recovery = registry_find(w->registry, world_keyid(w->recovery));
	assert_ptr_equal(registry_centre(w->registry, 1), centre);
	assert_ptr_equal(registry_recovery(w->registry, 1), recovery);
	/* Entry 0 was written while there was nobody. */
	assert_null(registry_centre(w->registry, 0));
	assert_null(registry_recovery(w->registry, 0));
	assert_true(has_key(w, 0, "key", bytes_of(world_keyid(w->centre)->b, 32)));
	assert_true(has_key(w, 0, "key", bytes_of(world_keyid(w->recovery)->b, 32)));
	replay(w, bytes_of(NULL, 0));
	replay(w, world_spki(w->centre));
}

static void a_pinned_centre_of_any_kind_begins_the_log(void **state)
{
	static const char *const kinds[] = {"p256", "p384", "rsa3072"};
	struct world *w = *state;

	for (size_t i = 0; i < 3; i++) {
		struct world *other = malloc(sizeof(*other));

		assert_non_null(other);
		world_init(other);
		signer_free(other->centre);
		assert_int_equal(signer_generate(&other->centre, kinds[i], NULL), VT_OK);
		other->view.centre = world_spki(other->centre);
		world_begin(other);
		replay(other, other->view.centre);
		world_release(other);
		free(other);
	}
	w->view.centre = world_spki(w->centre);
	world_begin(w);
}

static void an_entry_is_its_exact_bytes(void **state)
{
	struct world *w = *state;
	struct signer *both[2] = {w->lab, w->centre};
	char keyid[2][65];
	struct buf payload, body, expected;
	struct dsse d;
	size_t lab, centre;
	uint64_t index;

	/* The centre may say it too, once it is accredited for it. */
	static const char *const types[] = {PREDICATE_ACCREDITATION, PREDICATE_TEST_RESULT};
	struct world_grant g = {.party = "centre",
				.role = "centre",
				.key = w->centre,
				.previous = 0,
				.types = types,
				.n_types = 2,
				.no_possession = true};
	world_grant(w, &body, &g);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
	make_verdict(&payload, "https://lab.example/runs/1", NULL);
	world_sign(&body, buf_bytes(&payload), both, 2);
	assert_int_equal(dsse_parse(&d, buf_bytes(&body), NULL), VT_OK);
	index = world_append(w, buf_bytes(&body));
	hex_encode(keyid[0], bytes_of(world_keyid(w->lab)->b, 32));
	hex_encode(keyid[1], bytes_of(world_keyid(w->centre)->b, 32));
	lab = strcmp(keyid[0], keyid[1]) < 0 ? 0 : 1;
	centre = 1 - lab;
	buf_init(&expected);
	assert_int_equal(buf_append_str(&expected, "{\"payload\":\""), VT_OK);
	assert_int_equal(buf_append_base64(&expected, buf_bytes(&payload)), VT_OK);
	assert_int_equal(
	    buf_appendf(&expected,
			"\",\"payloadType\":\"application/vnd.in-toto+json\",\"signatures\":["
			"{\"keyid\":\"%s\",\"sig\":\"",
			keyid[lab]),
	    VT_OK);
	assert_int_equal(buf_append_base64(&expected, d.sig[lab].sig), VT_OK);
	assert_int_equal(buf_appendf(&expected, "\"},{\"keyid\":\"%s\",\"sig\":\"", keyid[centre]),
			 VT_OK);
	assert_int_equal(buf_append_base64(&expected, d.sig[centre].sig), VT_OK);
	assert_int_equal(buf_append_str(&expected, "\"}]}"), VT_OK);
	assert_true(bytes_equal(buf_bytes(&w->entry[index].bytes), buf_bytes(&expected)));
	buf_release(&expected);
	buf_release(&payload);
	buf_release(&body);
	dsse_release(&d);
	replay(w, bytes_of(NULL, 0));
}

static void an_entry_is_found_by_what_it_says(void **state)
{
	struct world *w = *state;
	struct merkle_hash pae;
	struct buf payload, body;
	uint8_t pair[64];
	uint64_t index;

	make_verdict(&payload, "https://lab.example/runs/1", NULL);
	world_sign_one(&body, buf_bytes(&payload), w->lab);
	index = world_append(w, buf_bytes(&body));
	assert_true(merkle_hash_equal(&w->entry[index].key[0], &w->entry[index].leaf));
	assert_int_equal(dsse_pae_hash(&pae, &w->h, buf_bytes(&payload)), VT_OK);
	memcpy(pair, pae.b, 32);
	memcpy(pair + 32, world_keyid(w->lab)->b, 32);
	assert_true(has_key(w, index, "pair", bytes_of(pair, 64)));
	assert_true(has_key(w, index, "subject", bytes_str("sha256:" DIGEST)));
	assert_true(has_key(w, index, "type", bytes_str(PREDICATE_TEST_RESULT)));
	assert_true(has_key(w, index, "party", bytes_str("lab-1")));
	assert_true(has_key(w, index, "result", bytes_str("PASSED")));
	assert_int_equal(w->entry[index].n_keys, 6);
	buf_release(&payload);
	buf_release(&body);
}

/* -- retries ------------------------------------------------------------------------------------- */

static void known_as(struct world *w, struct bytes body, uint64_t expected)
{
	uint64_t index;
	bool known;

	assert_int_equal(world_submit(w, body, &index, &known), VT_OK);
	assert_true(known);
	assert_int_equal(index, expected);
}

static void the_same_bytes_are_known(void **state)
{
	struct world *w = *state;
	struct buf payload, body;

	make_verdict(&payload, "https://lab.example/runs/1", NULL);
	world_sign_one(&body, buf_bytes(&payload), w->lab);
	assert_int_equal(world_append(w, buf_bytes(&body)), 3);
	known_as(w, buf_bytes(&body), 3);
	known_as(w, buf_bytes(&w->entry[3].bytes), 3);
	buf_release(&payload);
	buf_release(&body);
}

static char to_url(char c)
{
	return c == '+' ? '-' : c == '/' ? '_' : c;
}

static void another_encoding_is_known(void **state)
{
	struct world *w = *state;
	struct buf payload, body, again;
	struct dsse d;
	char *sig, *text;

	make_verdict(&payload, "https://lab.example/runs/\xc3\xbf\xc3\xbf\xc3\xbf", NULL);
	world_sign_one(&body, buf_bytes(&payload), w->lab);
	world_append(w, buf_bytes(&body));
	assert_int_equal(dsse_parse(&d, buf_bytes(&body), NULL), VT_OK);
	/* White space, another order, members that nobody knows, URL-safe base64 without padding, no keyid. */
	buf_init(&again);
	assert_int_equal(buf_append_base64(&again, d.sig[0].sig), VT_OK);
	sig = buf_detach_str(&again);
	assert_int_equal(buf_append_base64(&again, d.payload), VT_OK);
	text = buf_detach_str(&again);
	for (char *p = sig; *p != '\0'; p++)
		*p = to_url(*p);
	for (char *p = text; *p != '\0'; p++)
		*p = to_url(*p);
	*strchrnul(sig, '=') = '\0';
	*strchrnul(text, '=') = '\0';
	assert_int_equal(
	    buf_appendf(&again,
			" {\n\"signatures\" : [ { \"cert\":\"\", \"sig\":\"%s\" } ],\r\n"
			"\t\"payloadType\":\"application\\/vnd.in-toto+json\",\"more\":[{}],"
			"\"payload\" : \"%s\"}\n",
			sig, text),
	    VT_OK);
	known_as(w, buf_bytes(&again), 3);
	free(sig);
	free(text);
	buf_release(&again);
	buf_release(&payload);
	buf_release(&body);
	dsse_release(&d);
}

static void grant_key(struct world *w, struct signer *key, const char *party, const char *alias)
{
	static const char *const types[] = {PREDICATE_TEST_RESULT, PREDICATE_SEALED};
	struct world_grant g = {.party = party,
				.role = "lab",
				.key = key,
				.previous = -1,
				.types = types,
				.n_types = 2,
				.alias = alias};
	struct buf body;

	world_grant(w, &body, &g);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
}

static void a_fresh_ecdsa_signature_is_known(void **state)
{
	struct world *w = *state;
	struct buf payload, first, second;
	struct signer *key;

	assert_int_equal(signer_generate(&key, "p256", NULL), VT_OK);
	grant_key(w, key, "lab-2", NULL);
	make_verdict(&payload, "https://lab.example/runs/1", NULL);
	world_sign_one(&first, buf_bytes(&payload), key);
	world_sign_one(&second, buf_bytes(&payload), key);
	assert_false(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
	assert_int_equal(world_append(w, buf_bytes(&first)), 4);
	known_as(w, buf_bytes(&second), 4);
	replay(w, bytes_of(NULL, 0));
	buf_release(&payload);
	buf_release(&first);
	buf_release(&second);
	signer_free(key);
}

static void one_signature_of_two_is_known_and_a_new_one_is_not(void **state)
{
	struct world *w = *state;
	struct signer *third, *ab[2], *bc[2], *ac[2];
	struct buf payload, body;

	assert_int_equal(signer_generate(&third, "ed25519", NULL), VT_OK);
	grant_key(w, w->stranger, "lab-2", NULL); /* 3 */
	grant_key(w, third, "lab-3", NULL);       /* 4 */
	ab[0] = w->lab, ab[1] = w->stranger;
	bc[0] = w->stranger, bc[1] = third;
	ac[0] = third, ac[1] = w->lab;
	make_verdict(&payload, "https://lab.example/runs/1", NULL);
	world_sign(&body, buf_bytes(&payload), ab, 2);
	assert_int_equal(world_append(w, buf_bytes(&body)), 5);
	buf_release(&body);
	world_sign_one(&body, buf_bytes(&payload), w->stranger);
	known_as(w, buf_bytes(&body), 5);
	buf_release(&body);
	/* A pair that is not in the log makes a record new. */
	world_sign(&body, buf_bytes(&payload), bc, 2);
	assert_int_equal(world_append(w, buf_bytes(&body)), 6);
	/* Sent again, it is its own entry, although one of the two signed in an earlier one. */
	known_as(w, buf_bytes(&body), 6);
	buf_release(&body);
	/* Both signatures known, from different entries: the one with the later. */
	world_sign(&body, buf_bytes(&payload), ac, 2);
	known_as(w, buf_bytes(&body), 6);
	buf_release(&body);
	world_sign_one(&body, buf_bytes(&payload), third);
	known_as(w, buf_bytes(&body), 6);
	buf_release(&body);
	buf_release(&payload);
	signer_free(third);
}

static void suspend(struct world *w, struct signer *key, const char *party,
		    enum accreditation_status status, int64_t previous)
{
	struct world_grant g = {.party = party,
				.role = "lab",
				.key = key,
				.status = status,
				.previous = previous,
				.no_possession = true};
	struct buf body;

	world_grant(w, &body, &g);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
}

static void a_record_stays_known_after_its_key_was_suspended(void **state)
{
	struct world *w = *state;
	struct buf payload, body;

	make_verdict(&payload, "https://lab.example/runs/1", NULL);
	world_sign_one(&body, buf_bytes(&payload), w->lab);
	assert_int_equal(world_append(w, buf_bytes(&body)), 3);
	suspend(w, w->lab, "lab-1", ACCREDITATION_SUSPENDED, 1);
	known_as(w, buf_bytes(&body), 3);
	suspend(w, w->lab, "lab-1", ACCREDITATION_ENDED, 4);
	known_as(w, buf_bytes(&body), 3);
	replay(w, bytes_of(NULL, 0));
	buf_release(&payload);
	buf_release(&body);
}

/* -- candidates ---------------------------------------------------------------------------------- */

/* Sign under a keyid of one's own choosing, and add signatures that mean nothing here. */
static void sign_as(struct buf *out, struct bytes payload, struct signer *by, const char *keyid,
		    size_t strangers)
{
	struct dsse_signature sig[16];
	uint8_t raw[16][64] = {{0}};
	struct buf one;
	struct dsse d;

	world_sign_one(&one, payload, by);
	assert_int_equal(dsse_parse(&d, buf_bytes(&one), NULL), VT_OK);
	for (size_t i = 0; i < strangers; i++) {
		raw[i][0] = (uint8_t)i;
		sig[i] = (struct dsse_signature){bytes_str("elsewhere"), bytes_of(raw[i], 64)};
	}
	sig[strangers] = (struct dsse_signature){bytes_str(keyid), d.sig[0].sig};
	buf_init(out);
	assert_int_equal(dsse_write(out, payload, sig, strangers + 1), VT_OK);
	buf_release(&one);
	dsse_release(&d);
}

static void aliases_and_shapes_find_the_key(void **state)
{
	struct world *w = *state;
	struct buf payload, body;
	uint64_t index;
	struct record *r;
	size_t n;

	grant_key(w, w->stranger, "lab-2", "kms:lab-2/v1");
	make_verdict(&payload, "https://lab.example/runs/1", NULL);
	sign_as(&body, buf_bytes(&payload), w->stranger, "kms:lab-2/v1", 0);
	index = world_append(w, buf_bytes(&body));
	buf_release(&body);
	/* A hint that names another key, or none, costs trials and nothing else. */
	sign_as(&body, buf_bytes(&payload), w->stranger, "unheard of", 3);
	known_as(w, buf_bytes(&body), index);
	assert_int_equal(record_open(&r, &w->h, buf_bytes(&body), NULL, &w->view, NULL), VT_OK);
	assert_string_equal(record_signers(r, &n)[0].party, "lab-2");
	assert_int_equal(n, 1);
	record_free(r);
	/* Naming the key finds it too. */
	bool known;
	assert_int_equal(
	    world_submit_named(w, buf_bytes(&body), world_keyid(w->stranger), &index, &known),
	    VT_OK);
	assert_true(known);
	buf_release(&body);
	buf_release(&payload);
}

/* Among more keys than are tried, a bundle's hint finds its own; cosign's is the keyid in base64. */
static void find_by_hint(struct world *w, struct bytes payload, struct signer *key)
{
	char hex[2 * MERKLE_HASH_SIZE + 1], material[200];
	struct bytes id = bytes_of(world_keyid(key)->b, MERKLE_HASH_SIZE);
	struct buf body, hint;
	uint64_t index;

	hex_encode(hex, id);
	buf_init(&hint);
	assert_int_equal(buf_append_base64(&hint, id), VT_OK);
	assert_int_equal(buf_append_byte(&hint, '\0'), VT_OK);
	sign_as(&body, payload, key, "", 0);
	world_bundle(&body, "\"certificate\":{}");
	assert_int_equal(world_submit(w, buf_bytes(&body), &index, NULL), VT_ELIMIT);
	assert_non_null(strstr(w->why.detail, "the key of a certificate"));
	buf_release(&body);
	for (int i = 0; i < 3; i++) {
		/* A keyid of its own comes first. */
		snprintf(material, sizeof(material), "\"publicKey\":{\"hint\":\"%s\"}",
			 i == 0   ? (const char *)hint.data
			 : i == 1 ? hex
				  : "unheard of");
		sign_as(&body, payload, key, i == 2 ? hex : "", 0);
		world_bundle(&body, material);
		assert_int_equal(world_submit(w, buf_bytes(&body), &index, NULL), VT_OK);
		buf_release(&body);
	}
	buf_release(&hint);
}

/* Its signature looks like one by any of them; it is known by what the centre signed. */
static void a_new_key_is_found_among_many(void **state)
{
	struct world *w = *state;
	static const char *const types[] = {PREDICATE_TEST_RESULT};
	struct signer *key[RECORD_TRIALS_MAX + 8];
	struct dsse_signature bare[2];
	struct buf body, payload;
	struct dsse d;
	uint64_t index;
	char party[20];
	struct world_grant g = {.role = "lab", .previous = -1, .types = types, .n_types = 1};

	for (size_t i = 0; i < RECORD_TRIALS_MAX + 8; i++) {
		snprintf(party, sizeof(party), "lab-%zu", i + 2);
		assert_int_equal(signer_generate(&key[i], "ed25519", NULL), VT_OK);
		g.party = party;
		g.key = key[i];
		world_grant(w, &body, &g);
		assert_int_equal(dsse_parse(&d, buf_bytes(&body), NULL), VT_OK);
		if (i % 2 == 1) {
			/* Without any hint, and named or not, it comes to the same. */
			buf_reset(&body);
			bare[0] = (struct dsse_signature){bytes_str(""), d.sig[1].sig};
			bare[1] = (struct dsse_signature){bytes_str(""), d.sig[0].sig};
			assert_int_equal(dsse_write(&body, d.payload, bare, 2), VT_OK);
		}
		assert_int_equal(world_submit_named(w, buf_bytes(&body),
						    i % 4 == 3 ? world_keyid(w->centre) : NULL,
						    &index, NULL),
				 VT_OK);
		assert_int_equal(index, 3 + i);
		buf_release(&body);
		dsse_release(&d);
	}
	make_verdict(&payload, "https://lab.example/runs/1", NULL);
	world_sign_one(&body, buf_bytes(&payload), key[RECORD_TRIALS_MAX]);
	index = world_append(w, buf_bytes(&body));
	buf_release(&body);
	/* Without its keyid the last of many costs too many trials, unless it is named. */
	sign_as(&body, buf_bytes(&payload), key[RECORD_TRIALS_MAX + 7], "", 0);
	assert_int_equal(world_submit(w, buf_bytes(&body), &index, NULL), VT_ELIMIT);
	assert_string_equal(w->why.type->slug, "signature-trials");
	assert_int_equal(world_submit_named(w, buf_bytes(&body),
					    world_keyid(key[RECORD_TRIALS_MAX + 7]), &index, NULL),
			 VT_OK);
	find_by_hint(w, buf_bytes(&payload), key[RECORD_TRIALS_MAX + 6]);
	replay(w, bytes_of(NULL, 0));
	for (size_t i = 0; i < RECORD_TRIALS_MAX + 8; i++)
		signer_free(key[i]);
	buf_release(&body);
	buf_release(&payload);
}

/* However many keys are registered between the first time and the next. */
static void a_retry_stays_free_among_many_keys(void **state)
{
	struct world *w = *state;
	static const char *const types[] = {PREDICATE_TEST_RESULT};
	struct signer *key, *nobody;
	struct dsse_signature sig[2], turned[2];
	struct buf body, other, mixed, payload, late, grant;
	struct dsse d, e;
	uint64_t index, again, last;
	char party[20];
	bool known;
	struct world_grant g = {
	    .party = party, .role = "lab", .previous = -1, .types = types, .n_types = 1};

	make_verdict(&payload, "https://lab.example/runs/1", NULL);
	assert_int_equal(signer_generate(&nobody, "ed25519", NULL), VT_OK);
	world_sign_one(&body, buf_bytes(&payload), w->lab);
	world_sign_one(&other, buf_bytes(&payload), nobody);
	assert_int_equal(dsse_parse(&d, buf_bytes(&body), NULL), VT_OK);
	assert_int_equal(dsse_parse(&e, buf_bytes(&other), NULL), VT_OK);
	/* One by the laboratory; one by a key that this log does not know, as other tools add them. */
	sig[0] = turned[1] = d.sig[0];
	sig[1] = turned[0] = e.sig[0];
	buf_init(&mixed);
	assert_int_equal(dsse_write(&mixed, d.payload, sig, 2), VT_OK);
	index = world_append(w, buf_bytes(&mixed));
	make_verdict(&late, "https://lab.example/runs/3", NULL);
	for (size_t i = 0; i < RECORD_TRIALS_MAX + 8; i++) {
		snprintf(party, sizeof(party), "lab-%zu", i + 2);
		assert_int_equal(signer_generate(&key, "ed25519", NULL), VT_OK);
		g.key = key;
		world_grant(w, &grant, &g);
		world_append(w, buf_bytes(&grant));
		buf_release(&grant);
		if (i == RECORD_TRIALS_MAX + 7) {
			/* The last key of all, and no hint: new it must be named, known it need not. */
			buf_release(&body);
			sign_as(&body, buf_bytes(&late), key, "", 0);
			assert_int_equal(world_submit(w, buf_bytes(&body), &again, &known),
					 VT_ELIMIT);
			assert_int_equal(world_submit_named(w, buf_bytes(&body), world_keyid(key),
							    &last, &known),
					 VT_OK);
			assert_false(known);
			assert_int_equal(world_submit(w, buf_bytes(&body), &again, &known), VT_OK);
			assert_true(known && again == last);
		}
		signer_free(key);
	}
	buf_release(&body);
	buf_release(&late);
	world_sign_one(&body, buf_bytes(&payload), w->lab);
	assert_int_equal(world_submit(w, buf_bytes(&body), &again, &known), VT_OK);
	assert_true(known && again == index);
	assert_int_equal(world_submit(w, buf_bytes(&mixed), &again, &known), VT_OK);
	assert_true(known && again == index);
	buf_reset(&mixed);
	assert_int_equal(dsse_write(&mixed, d.payload, turned, 2), VT_OK);
	assert_int_equal(world_submit(w, buf_bytes(&mixed), &again, &known), VT_OK);
	assert_true(known && again == index);
	/* The same two under a new statement are new: then all must be tried, or one be named. */
	dsse_release(&d);
	dsse_release(&e);
	buf_release(&body);
	buf_release(&other);
	buf_release(&payload);
	make_verdict(&payload, "https://lab.example/runs/2", NULL);
	world_sign_one(&body, buf_bytes(&payload), w->lab);
	world_sign_one(&other, buf_bytes(&payload), nobody);
	assert_int_equal(dsse_parse(&d, buf_bytes(&body), NULL), VT_OK);
	assert_int_equal(dsse_parse(&e, buf_bytes(&other), NULL), VT_OK);
	sig[0] = d.sig[0];
	sig[1] = e.sig[0];
	buf_reset(&mixed);
	assert_int_equal(dsse_write(&mixed, d.payload, sig, 2), VT_OK);
	assert_int_equal(world_submit(w, buf_bytes(&mixed), &again, &known), VT_ELIMIT);
	assert_string_equal(w->why.type->slug, "signature-trials");
	assert_non_null(strstr(w->why.detail, "?key=KEYID"));
	assert_int_equal(
	    world_submit_named(w, buf_bytes(&mixed), world_keyid(w->lab), &again, &known), VT_OK);
	assert_false(known);
	dsse_release(&d);
	dsse_release(&e);
	buf_release(&body);
	buf_release(&other);
	buf_release(&mixed);
	buf_release(&payload);
	signer_free(nobody);
}

static void the_same_key_signing_twice_counts_once(void **state)
{
	struct world *w = *state;
	struct signer *key;
	struct buf payload, a, b, body;
	struct dsse da, db;
	uint64_t index;

	assert_int_equal(signer_generate(&key, "p256", NULL), VT_OK);
	grant_key(w, key, "lab-2", NULL);
	make_verdict(&payload, "https://lab.example/runs/1", NULL);
	world_sign_one(&a, buf_bytes(&payload), key);
	world_sign_one(&b, buf_bytes(&payload), key);
	assert_int_equal(dsse_parse(&da, buf_bytes(&a), NULL), VT_OK);
	assert_int_equal(dsse_parse(&db, buf_bytes(&b), NULL), VT_OK);
	struct dsse_signature both[2] = {{bytes_str(""), db.sig[0].sig}, da.sig[0]};
	buf_init(&body);
	assert_int_equal(dsse_write(&body, buf_bytes(&payload), both, 2), VT_OK);
	index = world_append(w, buf_bytes(&body));
	/* The first that verified is kept: the hinted one was tried first. */
	assert_true(bytes_equal(buf_bytes(&w->entry[index].bytes), buf_bytes(&a)));
	buf_release(&body);
	dsse_release(&da);
	dsse_release(&db);
	buf_release(&a);
	buf_release(&b);
	buf_release(&payload);
	signer_free(key);
}

static void entry_bytes_do_not_depend_on_the_way_in(void **state)
{
	struct world *w = *state;
	struct signer *ab[2] = {w->lab, w->stranger}, *ba[2] = {w->stranger, w->lab};
	struct buf payload, first, second;
	struct record *r1, *r2;

	grant_key(w, w->stranger, "lab-2", NULL);
	make_verdict(&payload, "https://lab.example/runs/1", NULL);
	world_sign(&first, buf_bytes(&payload), ab, 2);
	world_sign(&second, buf_bytes(&payload), ba, 2);
	assert_false(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
	assert_int_equal(record_open(&r1, &w->h, buf_bytes(&first), NULL, &w->view, NULL), VT_OK);
	assert_int_equal(record_open(&r2, &w->h, buf_bytes(&second), NULL, &w->view, NULL), VT_OK);
	assert_true(bytes_equal(record_entry(r1), record_entry(r2)));
	assert_true(merkle_hash_equal(record_leaf(r1), record_leaf(r2)));
	record_free(r1);
	record_free(r2);
	buf_release(&first);
	buf_release(&second);
	buf_release(&payload);
}

/* -- other records ------------------------------------------------------------------------------- */

static void statement_v01_and_unknown_predicates_are_taken(void **state)
{
	struct world *w = *state;
	static const char *const types[] = {"https://slsa.dev/provenance/v1"};
	struct world_grant g = {.party = "builder",
				.role = "builder",
				.key = w->stranger,
				.previous = -1,
				.types = types,
				.n_types = 1};
	char *with =
	    quoted("{'_type':'https://in-toto.io/Statement/v0.1','subject':[{'name':'a',"
		   "'digest':{'sha256':'" DIGEST "','sha1':'XX'}}],"
		   "'predicateType':'https://slsa.dev/provenance/v1','predicate':{'x':1.5}}");
	char *without = quoted("{'_type':'https://in-toto.io/Statement/v1','subject':[{"
			       "'digest':{'gitCommit':'" DIGEST "'}}],"
			       "'predicateType':'https://slsa.dev/provenance/v1'}");
	struct buf body;

	world_grant(w, &body, &g);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
	world_sign_one(&body, bytes_str(with), w->stranger);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
	world_sign_one(&body, bytes_str(without), w->stranger);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
	assert_true(has_key(w, 5, "subject", bytes_str("gitCommit:" DIGEST)));
	replay(w, bytes_of(NULL, 0));
	free(with);
	free(without);
}

static void composed_releases_and_events_are_taken(void **state)
{
	struct world *w = *state;
	struct compose_digest subject = {"router.bin", "sha512", DIGEST DIGEST};
	const char *revisions[] = {"A", "B"};
	struct compose_firmware f = {.subjects = {&subject, 1},
				     .purl = "pkg:generic/acme/router@1.2.3",
				     .vendor = "Acme",
				     .model = "R-1",
				     .version = "1.2.3",
				     .hardware_revisions = {revisions, 2},
				     .suit = {.name = "m.suit", .hex = DIGEST}};
	struct compose_digest ticket = {"ticket", "hmac_sha256", DIGEST};
	struct compose_event e = {.id = "urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8",
				  .event_type = "control",
				  .action = "evaluate",
				  .outcome = "success",
				  .event_time = "2026-11-22T14:40:50Z",
				  .initiator = {"role:auditor", "data/security/account", NULL},
				  .target = {"lab-1", "service/lab", "Lab One"},
				  .observer = {"centre", "service/security", NULL},
				  .attachment = &ticket,
				  .n_attachments = 1,
				  .reason = "annual surveillance"};
	struct buf statement, body;

	buf_init(&statement);
	assert_int_equal(compose_firmware(&statement, &f, &w->why), VT_OK);
	world_sign_one(&body, buf_bytes(&statement), w->vendor);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
	buf_release(&statement);
	assert_int_equal(compose_event(&statement, &w->h, &e, &w->why), VT_OK);
	world_sign_one(&body, buf_bytes(&statement), w->centre);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
	buf_release(&statement);
	f.vendor = NULL;
	assert_int_equal(compose_firmware(&statement, &f, &w->why), VT_EMALFORMED);
	assert_string_equal(w->why.detail, "predicate.firmware.vendor: missing");
	assert_int_equal(statement.len, 0);
	replay(w, bytes_of(NULL, 0));
}

static uint64_t seal(struct world *w, struct bytes envelope, struct signer *by)
{
	struct compose_seal s = {.envelope = envelope, .embargo_until = "2027-01-01T00:00:00Z"};
	struct buf statement, body;
	uint64_t index;

	buf_init(&statement);
	assert_int_equal(compose_seal(&statement, &w->h, &s, &w->why), VT_OK);
	world_sign_one(&body, buf_bytes(&statement), by);
	index = world_append(w, buf_bytes(&body));
	buf_release(&body);
	buf_release(&statement);
	return index;
}

static void a_sealed_record_is_revealed_after_its_key_has_ended(void **state)
{
	struct world *w = *state;
	char salt[COMPOSE_SALT_SIZE];
	struct buf payload, body, other_payload, other;
	uint64_t index;

	assert_int_equal(compose_salt(salt), VT_OK);
	make_verdict(&payload, "https://lab.example/runs/1", salt);
	make_verdict(&other_payload, "https://lab.example/runs/2", salt);
	world_sign_one(&body, buf_bytes(&payload), w->lab);
	world_sign_one(&other, buf_bytes(&other_payload), w->lab);
	grant_key(w, w->stranger, "lab-2", NULL); /* 3 */
	assert_int_equal(seal(w, buf_bytes(&body), w->lab), 4);
	/* A seal by somebody else does not carry this key's record. */
	assert_int_equal(seal(w, buf_bytes(&other), w->stranger), 5);
	suspend(w, w->lab, "lab-1", ACCREDITATION_ENDED, 1);
	assert_int_equal(world_submit(w, buf_bytes(&other), &index, NULL), VT_EUNTRUSTED);
	assert_string_equal(w->why.type->slug, "signer-ended");
	assert_int_equal(world_append(w, buf_bytes(&body)), 7);
	known_as(w, buf_bytes(&body), 7);
	replay(w, bytes_of(NULL, 0));
	buf_release(&payload);
	buf_release(&other_payload);
	buf_release(&body);
	buf_release(&other);
}

static void a_seal_carries_only_what_its_key_might_say_then(void **state)
{
	struct world *w = *state;
	char salt[COMPOSE_SALT_SIZE];
	static const char *const sealing[] = {PREDICATE_SEALED};
	static const char *const both[] = {PREDICATE_SEALED, PREDICATE_TEST_RESULT};
	struct world_grant g = {.party = "lab-2",
				.role = "lab",
				.key = w->stranger,
				.previous = -1,
				.types = sealing,
				.n_types = 1};
	struct buf payload, body, grant;
	uint64_t index;

	assert_int_equal(compose_salt(salt), VT_OK);
	make_verdict(&payload, "https://lab.example/runs/1", salt);
	world_sign_one(&body, buf_bytes(&payload), w->stranger);
	world_grant(w, &grant, &g);
	world_append(w, buf_bytes(&grant)); /* 3 */
	buf_release(&grant);
	seal(w, buf_bytes(&body), w->stranger); /* 4 */
	assert_int_equal(world_submit(w, buf_bytes(&body), &index, NULL), VT_EUNTRUSTED);
	assert_string_equal(w->why.type->slug, "signer-not-accredited");
	/* A second seal, made while it might say so, does carry it. */
	g.types = both;
	g.n_types = 2;
	g.previous = 3;
	world_grant(w, &grant, &g);
	world_append(w, buf_bytes(&grant)); /* 5 */
	buf_release(&grant);
	struct compose_seal again = {.envelope = buf_bytes(&body), .reason = "again"};
	struct buf statement;
	buf_init(&statement);
	assert_int_equal(compose_seal(&statement, &w->h, &again, NULL), VT_OK);
	world_sign_one(&grant, buf_bytes(&statement), w->stranger);
	world_append(w, buf_bytes(&grant)); /* 6 */
	suspend(w, w->stranger, "lab-2", ACCREDITATION_SUSPENDED, 5);
	assert_int_equal(world_append(w, buf_bytes(&body)), 8);
	replay(w, bytes_of(NULL, 0));
	buf_release(&grant);
	buf_release(&statement);
	buf_release(&payload);
	buf_release(&body);
}

static void correct(struct world *w, uint64_t target, int64_t replacement, struct signer *by)
{
	struct entry_ref other;
	struct compose_correction c = {.target = world_ref(w, target), .reason = "wrong sample"};
	struct buf statement, body;

	if (replacement >= 0) {
		other = world_ref(w, (uint64_t)replacement);
		c.replacement = &other;
	}
	buf_init(&statement);
	assert_int_equal(compose_correction(&statement, &c, NULL), VT_OK);
	world_sign_one(&body, buf_bytes(&statement), by);
	world_append(w, buf_bytes(&body));
	buf_release(&statement);
	buf_release(&body);
}

static void corrections_are_by_the_party_or_the_centre(void **state)
{
	struct world *w = *state;
	struct buf payload, body;
	static const char *const types[] = {PREDICATE_CORRECTION};
	struct world_grant g = {.party = "lab-1",
				.role = "quality",
				.key = w->stranger,
				.previous = -1,
				.types = types,
				.n_types = 1};

	for (unsigned i = 0; i < 2; i++) {
		make_verdict(&payload, i == 0 ? "https://lab.example/1" : "https://lab.example/2",
			     NULL);
		world_sign_one(&body, buf_bytes(&payload), w->lab);
		world_append(w, buf_bytes(&body)); /* 3, 4 */
		buf_release(&payload);
		buf_release(&body);
	}
	correct(w, 3, 4, w->lab);     /* 5 */
	correct(w, 4, -1, w->centre); /* 6 */
	/* Another key of the same party. */
	world_grant(w, &body, &g);
	world_append(w, buf_bytes(&body)); /* 7 */
	buf_release(&body);
	correct(w, 4, -1, w->stranger); /* 8 */
	/* A correction can be corrected. */
	correct(w, 8, -1, w->centre); /* 9 */
	assert_true(has_key(w, 8, "target", bytes_of(w->entry[4].leaf.b, 32)));
	replay(w, bytes_of(NULL, 0));
}

/* -- the centre ---------------------------------------------------------------------------------- */

static void grant_centre(struct world *w, struct signer *key, struct signer *by, const char *role)
{
	static const char *const types[] = {PREDICATE_ACCREDITATION, PREDICATE_AUDIT_EVENT};
	struct world_grant g = {.party = "centre",
				.role = role,
				.key = key,
				.previous = -1,
				.types = types,
				.n_types = strcmp(role, "recovery") == 0 ? 1 : 2,
				.by = by};
	struct buf body;

	world_grant(w, &body, &g);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
}

static void a_new_centre_key_ends_the_old_one(void **state)
{
	struct world *w = *state;
	struct signer *old = w->centre;
	const struct registered_key *old_key, *new_key;
	struct buf body;
	uint64_t index;
	struct world_grant g = {.party = "lab-1",
				.role = "lab",
				.key = w->lab,
				.status = ACCREDITATION_SUSPENDED,
				.previous = 1,
				.no_possession = true};

	grant_centre(w, w->stranger, old, "centre"); /* 3 */
	old_key = registry_find(w->registry, world_keyid(old));
	new_key = registry_find(w->registry, world_keyid(w->stranger));
	assert_ptr_equal(registry_centre(w->registry, 3), old_key);
	assert_ptr_equal(registry_centre(w->registry, 4), new_key);
	assert_int_equal(registry_accreditation(old_key, 4)->status, ACCREDITATION_ENDED);
	assert_int_equal(registry_accreditation(old_key, 4)->index, 3);
	world_grant(w, &body, &g);
	assert_int_equal(world_submit(w, buf_bytes(&body), &index, NULL), VT_EUNTRUSTED);
	assert_string_equal(w->why.type->slug, "signer-ended");
	buf_release(&body);
	g.by = w->stranger;
	world_grant(w, &body, &g);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
	replay(w, bytes_of(NULL, 0));
}

static void the_recovery_key_outranks_the_centre(void **state)
{
	struct world *w = *state;
	struct buf body;
	uint64_t index;
	struct world_grant g = {.party = "centre",
				.role = "centre",
				.key = w->centre,
				.status = ACCREDITATION_SUSPENDED,
				.previous = 0,
				.no_possession = true,
				.by = w->recovery};

	world_grant(w, &body, &g);
	world_append(w, buf_bytes(&body)); /* 3 */
	buf_release(&body);
	assert_null(registry_centre(w->registry, 4));
	/* A suspended centre accredits nobody, not even itself. */
	g.status = ACCREDITATION_GRANTED;
	g.previous = 3;
	static const char *const types[] = {PREDICATE_ACCREDITATION};
	g.types = types;
	g.n_types = 1;
	g.by = w->centre;
	world_grant(w, &body, &g);
	assert_int_equal(world_submit(w, buf_bytes(&body), &index, NULL), VT_EUNTRUSTED);
	assert_string_equal(w->why.type->slug, "accreditation-centre");
	buf_release(&body);
	grant_centre(w, w->stranger, w->recovery, "centre"); /* 4 */
	assert_ptr_equal(registry_centre(w->registry, 5),
			 registry_find(w->registry, world_keyid(w->stranger)));
	assert_int_equal(
	    registry_accreditation(registry_find(w->registry, world_keyid(w->centre)), 5)->status,
	    ACCREDITATION_ENDED);
	replay(w, world_spki(w->centre));
}

/* -- replay -------------------------------------------------------------------------------------- */

static void every_flipped_bit_of_an_entry_is_noticed(void **state)
{
	struct world *w = *state;
	struct problem why;
	struct record *r;
	struct buf payload, body;
	uint8_t *entry;
	size_t len;

	make_verdict(&payload, "https://lab.example/runs/1", NULL);
	world_sign_one(&body, buf_bytes(&payload), w->lab);
	world_append(w, buf_bytes(&body));
	entry = w->entry[3].bytes.data;
	len = w->entry[3].bytes.len;
	for (size_t bit = 0; bit < 8 * len; bit += 5) {
		enum vt_err err;

		entry[bit / 8] ^= (uint8_t)(1 << bit % 8);
		err = record_reopen(&r, &w->h, bytes_of(entry, len), &w->view, &why);
		if (err != VT_EMISMATCH)
			fail_msg("bit %zu: %s", bit, vt_err_text(err));
		assert_null(r);
		entry[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	buf_release(&payload);
	buf_release(&body);
}

/* -- description --------------------------------------------------------------------------------- */

static int64_t integer_at(const struct json *j, const char *name)
{
	int64_t n = -1;

	assert_true(json_integer(json_member(j, name), &n));
	return n;
}

static void text_is(const struct json *j, const char *name, const char *expected)
{
	struct bytes text;

	assert_true(json_text(json_member(j, name), &text));
	assert_true(bytes_is(text, expected));
}

static void stands_for(const struct json *described, size_t i, const char *party, bool expected)
{
	const struct json *one = json_at(json_member(described, "standing"), i);
	bool stands = !expected;

	text_is(one, "party", party);
	assert_true(json_bool(json_member(one, "stands"), &stands));
	assert_int_equal(stands, expected);
	assert_int_equal(json_member(one, "by") == NULL, expected);
}

static void entries_are_described(void **state)
{
	struct world *w = *state;
	char salt[COMPOSE_SALT_SIZE];
	struct buf payload, body, again;
	const struct json *signer, *correction;
	struct json *j;

	assert_int_equal(compose_salt(salt), VT_OK);
	make_verdict(&payload, "https://lab.example/runs/1", salt);
	world_sign_one(&body, buf_bytes(&payload), w->lab);
	seal(w, buf_bytes(&body), w->lab);                       /* 3 */
	suspend(w, w->lab, "lab-1", ACCREDITATION_SUSPENDED, 1); /* 4 */
	assert_int_equal(world_append(w, buf_bytes(&body)), 5);
	for (unsigned i = 0; i < 1 + DESCRIBE_CORRECTIONS_MAX; i++)
		correct(w, 5 + i, -1, w->centre); /* each corrects the one before */
	assert_int_equal(describe_entry(&j, &w->h, 5, buf_bytes(&w->entry[5].bytes), &w->view),
			 VT_OK);
	assert_int_equal(integer_at(j, "index"), 5);
	text_is(j, "predicateType", PREDICATE_TEST_RESULT);
	text_is(json_member(json_member(j, "statement"), "predicate"), "salt", salt);
	signer = json_at(json_member(j, "signers"), 0);
	text_is(signer, "party", "lab-1");
	text_is(signer, "role", "lab");
	text_is(signer, "scheme", "ed25519");
	assert_int_equal(integer_at(signer, "accreditation"), 1);
	assert_int_equal(integer_at(signer, "sealed"), 3);
	assert_int_equal(json_count(json_member(j, "correctedBy")), 1);
	correction = json_at(json_member(j, "correctedBy"), 0);
	assert_int_equal(integer_at(correction, "index"), 6);
	text_is(correction, "action", "withdraw");
	assert_null(json_member(j, "correctedByMore"));
	/* The centre corrected it, and each correction: an odd number of them. */
	assert_int_equal(json_count(json_member(j, "standing")), 1);
	stands_for(j, 0, "lab-1", (1 + DESCRIBE_CORRECTIONS_MAX) % 2 == 0);
	buf_init(&again);
	assert_int_equal(json_write(&again, json_member(j, "envelope"), JSON_COMPACT), VT_OK);
	assert_true(bytes_equal(buf_bytes(&again), buf_bytes(&w->entry[5].bytes)));
	buf_release(&again);
	json_free(j);
	/* An accreditation: the centre stands on entry 0, the new key on the entry itself. */
	assert_int_equal(describe_entry(&j, &w->h, 2, buf_bytes(&w->entry[2].bytes), &w->view),
			 VT_OK);
	for (size_t i = 0; i < 2; i++) {
		struct bytes role;

		signer = json_at(json_member(j, "signers"), i);
		assert_true(json_text(json_member(signer, "role"), &role));
		assert_int_equal(integer_at(signer, "accreditation"),
				 bytes_is(role, "centre") ? 0 : 2);
		assert_null(json_member(signer, "sealed"));
	}
	json_free(j);
	assert_int_equal(describe_entry(&j, &w->h, w->n, buf_bytes(&w->entry[2].bytes), &w->view),
			 VT_EINVAL);
	assert_int_equal(describe_entry(&j, &w->h, 2, bytes_str("{}"), &w->view), VT_EMALFORMED);
	assert_null(j);
	buf_release(&payload);
	buf_release(&body);
}

static void more_corrections_than_are_listed_are_told_of(void **state)
{
	struct world *w = *state;
	struct compose_correction c = {.reason = ""};
	struct buf payload, body, statement;
	struct json *j;
	char reason[20];
	bool more = false;

	make_verdict(&payload, "https://lab.example/runs/1", NULL);
	world_sign_one(&body, buf_bytes(&payload), w->lab);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
	c.target = world_ref(w, 3);
	for (unsigned i = 0; i < 1 + DESCRIBE_CORRECTIONS_MAX; i++) {
		snprintf(reason, sizeof(reason), "reason %u", i);
		c.reason = reason;
		buf_init(&statement);
		assert_int_equal(compose_correction(&statement, &c, NULL), VT_OK);
		world_sign_one(&body, buf_bytes(&statement), w->lab);
		world_append(w, buf_bytes(&body));
		buf_release(&statement);
		buf_release(&body);
	}
	assert_int_equal(describe_entry(&j, &w->h, 3, buf_bytes(&w->entry[3].bytes), &w->view),
			 VT_OK);
	assert_int_equal(json_count(json_member(j, "correctedBy")), DESCRIBE_CORRECTIONS_MAX);
	assert_true(json_bool(json_member(j, "correctedByMore"), &more) && more);
	stands_for(j, 0, "lab-1", false);
	assert_int_equal(integer_at(json_at(json_member(j, "standing"), 0), "by"),
			 4 + DESCRIBE_CORRECTIONS_MAX);
	json_free(j);
	buf_release(&payload);
}

static void where_corrections_are_too_many_standing_is_unknown(void **state)
{
	struct world *w = *state;
	struct buf payload, body;
	struct json *j;
	bool unknown = false;

	make_verdict(&payload, "https://lab.example/runs/1", NULL);
	world_sign_one(&body, buf_bytes(&payload), w->lab);
	world_append(w, buf_bytes(&body));
	for (unsigned i = 1; i < DESCRIBE_FAMILY_MAX; i++)
		correct(w, 2 + i, -1, w->lab);
	assert_int_equal(describe_entry(&j, &w->h, 3, buf_bytes(&w->entry[3].bytes), &w->view),
			 VT_OK);
	stands_for(j, 0, "lab-1", (DESCRIBE_FAMILY_MAX - 1) % 2 == 0);
	json_free(j);
	correct(w, 2 + DESCRIBE_FAMILY_MAX, -1, w->lab);
	assert_int_equal(describe_entry(&j, &w->h, 3, buf_bytes(&w->entry[3].bytes), &w->view),
			 VT_OK);
	assert_null(json_member(j, "standing"));
	assert_true(json_bool(json_member(j, "standingUnknown"), &unknown) && unknown);
	assert_null(json_member(json_at(json_member(j, "correctedBy"), 0), "parties"));
	json_free(j);
	buf_release(&payload);
	buf_release(&body);
}

/* What one correction costs to read is up to its author. */
static void where_corrections_are_too_large_standing_is_unknown(void **state)
{
	static const char what[] = "\"predicate\":{";
	struct world *w = *state;
	struct compose_correction c = {.reason = "wrong sample"};
	struct buf payload, body, statement, more;
	struct json *j;
	char *large;
	bool unknown = false;

	make_verdict(&payload, "https://lab.example/runs/1", NULL);
	world_sign_one(&body, buf_bytes(&payload), w->lab);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
	c.target = world_ref(w, 3);
	for (size_t read = 0; read <= DESCRIBE_FAMILY_BYTES + RECORD_ENTRY_MAX;
	     read += w->entry[w->n - 1].bytes.len) {
		buf_init(&statement);
		buf_init(&more);
		assert_int_equal(compose_correction(&statement, &c, NULL), VT_OK);
		assert_int_equal(buf_append_byte(&statement, '\0'), VT_OK);
		assert_int_equal(buf_appendf(&more, "%s\"n%zu\":\"%045000d\",", what, read, 0),
				 VT_OK);
		assert_int_equal(buf_append_byte(&more, '\0'), VT_OK);
		large = edited((const char *)statement.data, what, (const char *)more.data);
		world_sign_one(&body, bytes_str(large), w->lab);
		world_append(w, buf_bytes(&body));
		free(large);
		buf_release(&body);
		buf_release(&statement);
		buf_release(&more);
	}
	assert_int_equal(describe_entry(&j, &w->h, 3, buf_bytes(&w->entry[3].bytes), &w->view),
			 VT_OK);
	assert_null(json_member(j, "standing"));
	assert_true(json_bool(json_member(j, "standingUnknown"), &unknown) && unknown);
	assert_int_equal(json_count(json_member(j, "correctedBy")), DESCRIBE_CORRECTIONS_MAX);
	json_free(j);
	buf_release(&payload);
}

static void parties_are_described(void **state)
{
	struct world *w = *state;
	const struct json *key, *history;
	struct json *j;
	uint64_t next;

	suspend(w, w->lab, "lab-1", ACCREDITATION_SUSPENDED, 1); /* 3 */
	assert_int_equal(describe_parties(&j, w->registry, w->n, 0, 1000, &next), VT_OK);
	assert_int_equal(next, 0);
	assert_int_equal(json_count(j), 3);
	text_is(json_at(j, 0), "party", "centre");
	assert_int_equal(json_count(json_member(json_at(j, 0), "keys")), 2);
	text_is(json_at(j, 1), "party", "lab-1");
	json_free(j);
	assert_int_equal(describe_party(&j, w->registry, w->n, "lab-1"), VT_OK);
	key = json_at(json_member(j, "keys"), 0);
	text_is(key, "status", "suspended");
	assert_int_equal(integer_at(key, "accreditation"), 3);
	history = json_member(key, "history");
	assert_int_equal(json_count(history), 2);
	assert_int_equal(integer_at(json_at(history, 0), "index"), 1);
	assert_int_equal(json_count(json_member(json_at(history, 0), "predicateTypes")), 3);
	json_free(j);
	/* As of an earlier size. */
	assert_int_equal(describe_party(&j, w->registry, 3, "lab-1"), VT_OK);
	text_is(json_at(json_member(j, "keys"), 0), "status", "granted");
	json_free(j);
	assert_int_equal(describe_party(&j, w->registry, 1, "lab-1"), VT_ENOTFOUND);
	assert_null(j);
	assert_int_equal(describe_parties(&j, w->registry, 1, 0, 1000, &next), VT_OK);
	assert_int_equal(json_count(j), 1);
	assert_int_equal(next, 0);
	json_free(j);
}

/* Forty parties, of which every fourth gets a second key later on. */
static void parties_come_in_pages(void **state)
{
	static const char *const types[] = {PREDICATE_TEST_RESULT};
	struct world *w = *state;
	uint64_t next = 0, from;
	size_t parties = 0, keys = 0;
	struct json *j;

	for (unsigned i = 0; i < 50; i++) {
		char party[32];
		struct world_grant g = {
		    .party = party, .role = "lab", .previous = -1, .types = types, .n_types = 1};
		struct signer *key;
		struct buf body;

		/* In an order that is not that of the names. */
		snprintf(party, sizeof(party), "p-%u", (i < 40 ? i : (i - 40) * 4) * 7 % 40);
		assert_int_equal(signer_generate(&key, "ed25519", NULL), VT_OK);
		g.key = key;
		world_grant(w, &body, &g);
		world_append(w, buf_bytes(&body));
		buf_release(&body);
		signer_free(key);
	}
	do {
		from = next;
		assert_int_equal(describe_parties(&j, w->registry, w->n, from, 7, &next), VT_OK);
		assert_true(next == 0 || (json_count(j) == 7 && next > from));
		for (size_t i = 0; i < json_count(j); i++) {
			const struct json *list = json_member(json_at(j, i), "keys");
			const struct json *history = json_member(json_at(list, 0), "history");

			assert_true((uint64_t)integer_at(json_at(history, 0), "index") >= from);
			keys += json_count(list);
		}
		parties += json_count(j);
		json_free(j);
	} while (next != 0);
	assert_int_equal(parties, 3 + 40);
	assert_int_equal(keys, registry_count(w->registry));
	assert_int_equal(keys, 4 + 50);
	/* As of an earlier size the last page ends there. */
	assert_int_equal(describe_parties(&j, w->registry, 10, 4, 1000, &next), VT_OK);
	assert_int_equal(json_count(j), 6);
	assert_int_equal(next, 0);
	json_free(j);
	assert_int_equal(describe_parties(&j, w->registry, 10, 4, 5, &next), VT_OK);
	assert_int_equal(next, 9);
	json_free(j);
	assert_int_equal(describe_party(&j, w->registry, w->n, "p-0"), VT_OK);
	assert_int_equal(json_count(json_member(j, "keys")), 2);
	json_free(j);
	assert_int_equal(describe_party(&j, w->registry, w->n, "p-"), VT_ENOTFOUND);
	assert_int_equal(describe_party(&j, w->registry, w->n, "zzz"), VT_ENOTFOUND);
	assert_null(registry_of_party(w->registry, "p-0", 2));
}

int main(void)
{
#define BEGUN(test) cmocka_unit_test_setup_teardown(test, world_set_up_begun, world_tear_down)
#define EMPTY(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
	    EMPTY(the_log_begins_with_its_centre),
	    EMPTY(a_pinned_centre_of_any_kind_begins_the_log),
	    BEGUN(an_entry_is_its_exact_bytes),
	    BEGUN(an_entry_is_found_by_what_it_says),
	    BEGUN(the_same_bytes_are_known),
	    BEGUN(another_encoding_is_known),
	    BEGUN(a_fresh_ecdsa_signature_is_known),
	    BEGUN(one_signature_of_two_is_known_and_a_new_one_is_not),
	    BEGUN(a_record_stays_known_after_its_key_was_suspended),
	    BEGUN(aliases_and_shapes_find_the_key),
	    BEGUN(a_new_key_is_found_among_many),
	    BEGUN(a_retry_stays_free_among_many_keys),
	    BEGUN(the_same_key_signing_twice_counts_once),
	    BEGUN(entry_bytes_do_not_depend_on_the_way_in),
	    BEGUN(statement_v01_and_unknown_predicates_are_taken),
	    BEGUN(composed_releases_and_events_are_taken),
	    BEGUN(a_sealed_record_is_revealed_after_its_key_has_ended),
	    BEGUN(a_seal_carries_only_what_its_key_might_say_then),
	    BEGUN(corrections_are_by_the_party_or_the_centre),
	    BEGUN(a_new_centre_key_ends_the_old_one),
	    BEGUN(the_recovery_key_outranks_the_centre),
	    BEGUN(every_flipped_bit_of_an_entry_is_noticed),
	    BEGUN(entries_are_described),
	    BEGUN(where_corrections_are_too_many_standing_is_unknown),
	    BEGUN(where_corrections_are_too_large_standing_is_unknown),
	    BEGUN(more_corrections_than_are_listed_are_told_of),
	    BEGUN(parties_are_described),
	    BEGUN(parties_come_in_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
