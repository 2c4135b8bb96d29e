/*
 * What the design of the verifiable index calls a fault is never admitted, and nothing else is refused as one. Vectors:
 * $VITRINE_VECTORS/index/keys.json.
 */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "record_world.h"
#include "test_file.h"
#include "test_signer.h"

/* Register the lab of the vectors whose seed this is. */
static void accredit(struct world *w, uint8_t seed)
{
	static const uint8_t head[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
				       0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
	struct vkey vkey = test_vkey("x", VKEY_TYPE_ED25519, seed);
	uint8_t spki[sizeof(head) + sizeof(vkey.ed25519)];
	struct party_key *key;

	memcpy(spki, head, sizeof(head));
	memcpy(spki + sizeof(head), vkey.ed25519, sizeof(vkey.ed25519));
	assert_int_equal(party_key_from_spki(&key, bytes_of(spki, sizeof(spki)), NULL), VT_OK);
	world_accredit_unjudged(w, key);
	party_key_free(key);
}

/* Is an entry that does not read at all what stops it? Whatever else is wrong with it comes later. */
static void check_case(struct world *w, const struct json *one)
{
	const struct json *keys = json_member(one, "keys");
	bool fault = keys != NULL && json_count(keys) == 0;
	struct problem why = {0};
	struct bytes name, base64;
	struct record *r = NULL;
	struct buf entry;
	enum vt_err err;

	buf_init(&entry);
	assert_true(json_text(json_member(one, "name"), &name));
	assert_true(json_text(json_member(one, "entry"), &base64));
	assert_int_equal(buf_append_decoded_base64(&entry, base64, BASE64_STANDARD), VT_OK);
	err = record_reopen(&r, &w->h, buf_bytes(&entry), &w->view, &why);
	if (err != VT_OK && !fault)
		fail_msg("%.*s: %s", (int)name.len, (const char *)name.data, why.detail);
	if (err == VT_OK)
		err = record_judge(r, &w->view, &why);
	if (fault ? err == VT_OK : err != VT_OK && strcmp(why.type->slug, "payload-not-json") == 0)
		fail_msg("%.*s: %s", (int)name.len, (const char *)name.data,
			 fault ? "admitted" : why.detail);
	record_free(r);
	buf_release(&entry);
}

static void faults_are_refused_and_nothing_else_as_one(void **state)
{
	const char *root = getenv("VITRINE_VECTORS");
	const struct json *cases;
	struct json *table;
	struct world w;
	struct buf text;

	(void)state;
	if (root == NULL) {
		print_message("VITRINE_VECTORS is not set\n");
		skip();
	}
	text = test_read_file(root, "index/keys", ".json");
	assert_int_equal(json_parse(&table, buf_bytes(&text), NULL), VT_OK);
	cases = json_member(table, "cases");
	assert_true(json_count(cases) >= 70);
	world_init(&w);
	world_begin(&w);
	accredit(&w, 3);
	accredit(&w, 4);
	for (size_t i = 0; i < json_count(cases); i++)
		check_case(&w, json_at(cases, i));
	world_release(&w);
	json_free(table);
	buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(faults_are_refused_and_nothing_else_as_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
