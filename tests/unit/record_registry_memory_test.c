/*
 * What a registry takes of memory: every accreditation of a log is kept for good, by the log and by whoever monitors it, so
 * it must be little, and told.
 */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "record_world.h"

enum {
	KEYS = 100,
	ACCREDITATION_BYTES =
	    768,              /* of a new key with what labs have; docs/operations.md says so */
	REPEATED_BYTES = 256, /* of a key that had the same before */
};

static const char *const verdicts_only[] = {PREDICATE_TEST_RESULT};

static void grant(struct world *w, struct world_grant *g)
{
	struct buf body;

	world_grant(w, &body, g);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
}

/* Of the heap, for what stands in [first, w->n), of which all are accreditations. */
static size_t bytes_of_entries(struct world *w, size_t first)
{
	struct registry *r;
	size_t before = 0, told = 0, taken;

	assert_int_equal(registry_new(&r), VT_OK);
	for (size_t i = 0; i < w->n; i++) {
		if (i == first) {
			before = mallinfo2().uordblks;
			told = registry_bytes(r);
		}
		assert_int_equal(
		    registry_apply(r, i, &w->entry[i].leaf, buf_bytes(&w->entry[i].bytes), &w->why),
		    VT_OK);
	}
	taken = mallinfo2().uordblks - before;
	told = registry_bytes(r) - told;
	print_message("%zu bytes an accreditation, of which %zu are told\n", taken / (w->n - first),
		      told / (w->n - first));
	assert_true(told <= 2 * taken && taken <= 2 * told);
	registry_free(r);
	return taken / (w->n - first);
}

static void a_key_takes_little_more_than_its_bytes(void **state)
{
	static const char *const kinds[] = {"ed25519", "p256", "p384"};
	struct world *w = *state;

	for (size_t kind = 0; kind < 3; kind++) {
		size_t first = w->n;

		for (size_t i = 0; i < KEYS / 2; i++) {
			struct signer *key;
			char party[32];

			(void)snprintf(party, sizeof(party), "lab-%s-%zu", kinds[kind], i);
			assert_int_equal(signer_generate(&key, kinds[kind], NULL), VT_OK);
			grant(w, &(struct world_grant){.party = party,
						       .role = "lab",
						       .key = key,
						       .previous = -1,
						       .types = verdicts_only,
						       .n_types = 1});
			signer_free(key);
		}
		assert_true(bytes_of_entries(w, first) <= ACCREDITATION_BYTES);
	}
}

/* The longest lists that there may be, again and again: granted, suspended, granted. */
static void what_a_key_may_sign_is_kept_once(void **state)
{
	static char type[32][256];
	const char *types[32];
	struct world *w = *state;
	int64_t previous = -1;
	size_t first = 0;

	for (size_t i = 0; i < 32; i++) {
		(void)snprintf(type[i], sizeof(type[i]), "urn:t:%02zu:", i);
		memset(type[i] + 9, 'x', sizeof(type[i]) - 10);
		types[i] = type[i];
	}
	for (size_t i = 0; i < KEYS; i++) {
		bool granted = i % 2 == 0;

		grant(w, &(struct world_grant){.party = "lab-long",
					       .role = "lab",
					       .key = w->stranger,
					       .status = granted ? ACCREDITATION_GRANTED
								 : ACCREDITATION_SUSPENDED,
					       .previous = previous,
					       .types = types,
					       .n_types = granted ? 32 : 0});
		previous = (int64_t)w->n - 1;
		if (i == 0)
			first = w->n;
	}
	assert_true(bytes_of_entries(w, first) <= REPEATED_BYTES);
}

int main(void)
{
#define BEGUN(name) cmocka_unit_test_setup_teardown(name, world_set_up_begun, world_tear_down)
	const struct CMUnitTest tests[] = {
	    BEGUN(a_key_takes_little_more_than_its_bytes),
	    BEGUN(what_a_key_may_sign_is_kept_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
