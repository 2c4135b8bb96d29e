/*
 * Envelopes as other tools leave them: record_envelopes_test FOLDER [NAME...]. For each, NAME.json is admitted under the
 * key NAME.pub.pem, and with any authenticated byte changed it is not. Without names: all that are kept.
 */
#include <stdlib.h>
#include <string.h>

#include "dsse.h"
#include "record_world.h"
#include "test_file.h"

static const char *folder;
static const char *const kept[] = {
    "openssl-ed25519",       "openssl-p256", "sigstore-sign-p256", "securesystemslib-ed25519",
    "securesystemslib-p256", "cosign-p256",  "cosign3-p256",       "sigstore-bundle-p256",
    "sigstore-models-p256"};
static const char *const *names = kept;
static size_t n_names = sizeof(kept) / sizeof(kept[0]);

/* Register the key as the centre would. Its own signature is not at hand, so this goes past the judge. */
static void accredit(struct world *w, const char *name)
{
	struct party_key *key;
	struct why fault;
	struct buf pem;

	pem = test_read_file(folder, name, ".pub.pem");
	if (party_key_parse(&key, buf_bytes(&pem), &fault) != VT_OK)
		fail_msg("%s: %s", name, fault.text);
	world_accredit_unjudged(w, key);
	buf_release(&pem);
	party_key_free(key);
}

static void refused(struct world *w, const char *name, struct bytes payload, struct bytes sig,
		    const char *what, size_t at)
{
	struct dsse_signature one = {bytes_str(""), sig};
	struct buf body;
	uint64_t index;
	enum vt_err err;

	buf_init(&body);
	assert_int_equal(dsse_write(&body, payload, &one, 1), VT_OK);
	err = world_submit(w, buf_bytes(&body), &index, NULL);
	if (err != VT_EUNTRUSTED || strcmp(w->why.type->slug, "signature-unregistered") != 0)
		fail_msg("%s with byte %zu of its %s changed: %s", name, at, what,
			 err == VT_OK ? "admitted" : w->why.detail);
	buf_release(&body);
}

static void each_envelope_is_admitted(void **state)
{
	struct bytes result;
	struct buf body;
	struct world w;
	uint64_t index;
	struct statement s;
	struct dsse d;
	bool known;

	(void)state;
	for (size_t i = 0; i < n_names; i++) {
		world_init(&w);
		world_begin(&w);
		accredit(&w, names[i]);
		body = test_read_file(folder, names[i], ".json");
		index = world_append(&w, buf_bytes(&body));
		assert_int_equal(dsse_parse(&d, buf_bytes(&w.entry[index].bytes), NULL), VT_OK);
		assert_int_equal(statement_parse(&s, d.payload, NULL), VT_OK);
		assert_true(statement_result(&s, &result) && bytes_is(result, "PASSED"));
		assert_int_equal(world_submit(&w, buf_bytes(&body), &index, &known), VT_OK);
		assert_true(known);
		statement_release(&s);
		dsse_release(&d);
		buf_release(&body);
		world_release(&w);
	}
}

static void any_authenticated_byte_changed_is_refused(void **state)
{
	struct buf body;
	struct world w;
	struct dsse d;

	(void)state;
	for (size_t i = 0; i < n_names; i++) {
		world_init(&w);
		world_begin(&w);
		accredit(&w, names[i]);
		body = test_read_file(folder, names[i], ".json");
		assert_int_equal(dsse_parse(&d, buf_bytes(&body), NULL), VT_OK);
		for (size_t at = 0; at < d.payload.len; at++) {
			d.memory.data[d.payload.data - d.memory.data + (ptrdiff_t)at] ^= 1;
			refused(&w, names[i], d.payload, d.sig[0].sig, "payload", at);
			d.memory.data[d.payload.data - d.memory.data + (ptrdiff_t)at] ^= 1;
		}
		for (size_t at = 0; at < d.sig[0].sig.len; at++) {
			d.memory.data[d.sig[0].sig.data - d.memory.data + (ptrdiff_t)at] ^= 0x10;
			refused(&w, names[i], d.payload, d.sig[0].sig, "signature", at);
			d.memory.data[d.sig[0].sig.data - d.memory.data + (ptrdiff_t)at] ^= 0x10;
		}
		dsse_release(&d);
		buf_release(&body);
		world_release(&w);
	}
}

/* The type is signed too, but is refused for what it is. */
static void another_payload_type_is_refused(void **state)
{
	struct buf body;
	struct world w;
	uint64_t index;
	char *text, *changed;

	(void)state;
	for (size_t i = 0; i < n_names; i++) {
		world_init(&w);
		world_begin(&w);
		body = test_read_file(folder, names[i], ".json");
		text = buf_detach_str(&body);
		changed = edited(text, "in-toto+json", "in-toto+jsom");
		assert_int_equal(world_submit(&w, bytes_str(changed), &index, NULL), VT_EMALFORMED);
		assert_string_equal(w.why.type->slug, "envelope-payload-type");
		free(changed);
		free(text);
		world_release(&w);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_envelope_is_admitted),
	    cmocka_unit_test(any_authenticated_byte_changed_is_refused),
	    cmocka_unit_test(another_payload_type_is_refused),
	};

	if (argc < 2)
		return 2;
	folder = argv[1];
	if (argc > 2) {
		names = (const char *const *)(argv + 2);
		n_names = (size_t)argc - 2;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
