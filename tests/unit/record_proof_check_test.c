/* What `verify` and `find` make of one proof file, where memory runs out at any point. */
#include "vitrine_test.h"

#include <string.h>

#include "alloc_fail.h"
#include "dsse.h"
#include "fake_log.h"
#include "proof_check.h"
#include "test_policy.h"

static const char statement[] =
    "{\"_type\":\"https://in-toto.io/Statement/"
    "v1\",\"subject\":[{\"name\":\"f\",\"digest\":{\"sha256\":"
    "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}],"
    "\"predicateType\":\"https://example.org/p\",\"predicate\":{}}";

static struct buf record;
static struct policy *policy;
static struct merkle_hasher hasher;

static int set_up(void **state)
{
	static const uint8_t nobody[32];
	struct dsse_signature sig = {bytes_of(NULL, 0), bytes_str("not looked at")};
	struct buf text;
	struct policy_error fault;
	char keyid[65];

	(void)state;
	hex_encode(keyid, bytes_of(nobody, sizeof(nobody)));
	sig.keyid = bytes_str(keyid);
	buf_init(&record);
	assert_int_equal(dsse_write(&record, bytes_str(statement), &sig, 1), VT_OK);
	buf_init(&text);
	fake_log_reset('a');
	test_policy_text(&text, "log $La\nquorum none\n");
	assert_int_equal(policy_parse(&policy, buf_bytes(&text), &fault), VT_OK);
	buf_release(&text);
	return merkle_hasher_init(&hasher);
}

static int tear_down(void **state)
{
	(void)state;
	merkle_hasher_release(&hasher);
	policy_free(policy);
	buf_release(&record);
	fake_log_release();
	return 0;
}

/* Append the proof file of entry 0. */
static void make_proof(struct buf *out, struct bytes extra)
{
	struct merkle_proof path = fake_log_path(0, fake_log_size());

	assert_int_equal(tlog_proof_format(out, extra, 0, &path, fake_log_checkpoint()), VT_OK);
}

/* Each allocation fails once: the answer is "no memory" or what it is with memory. */
static void check_with_little_memory(struct bytes proof, struct bytes beside, bool raw)
{
	for (unsigned n = 1;; n++) {
		struct checked c;
		enum vt_err err;

		checked_init(&c);
		assert_int_equal(buf_append(&c.text, proof), VT_OK);
		alloc_fail_at(n);
		err = proof_check(&c, &hasher, policy, bytes_of(NULL, 0), beside);
		if (alloc_failed()) {
			assert_true(err == VT_ENOMEM || (err == VT_OK && c.raw == raw));
			checked_release(&c);
			continue;
		}
		assert_int_equal(err, VT_OK);
		assert_int_equal(c.raw, raw);
		assert_false(c.proven_admission);
		assert_true(n > 5);
		checked_release(&c);
		break;
	}
}

static void a_record_beside_its_proof_is_not_taken_for_raw_bytes(void **state)
{
	struct buf proof;

	(void)state;
	buf_init(&proof);
	fake_log_add(buf_bytes(&record));
	fake_log_publish();
	make_proof(&proof, bytes_of(NULL, 0));
	check_with_little_memory(buf_bytes(&proof), buf_bytes(&record), false);
	buf_release(&proof);
}

static void raw_bytes_stay_raw_bytes(void **state)
{
	struct buf proof;

	(void)state;
	buf_init(&proof);
	fake_log_add(bytes_str("{\"entry\":1}"));
	fake_log_publish();
	make_proof(&proof, bytes_str("{\"entry\":1}"));
	check_with_little_memory(buf_bytes(&proof), bytes_of(NULL, 0), true);
	buf_release(&proof);
}

#define WITH_LOG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_LOG(a_record_beside_its_proof_is_not_taken_for_raw_bytes),
	    WITH_LOG(raw_bytes_stay_raw_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
