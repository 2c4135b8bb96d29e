#include "vitrine_test.h"

#include <string.h>

#include "alloc_fail.h"
#include "test_policy.h"
#include "vitrine/tlog_proof.h"

#define DASH       "\xe2\x80\x94 "
#define HASH       "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
#define CHECKPOINT "o\n7\n" HASH "\n\n" DASH "other AAAAAQE=\n"

static enum vt_err parse_bytes(struct bytes text)
{
	struct tlog_proof p;
	enum vt_err err;

	tlog_proof_init(&p);
	err = tlog_proof_parse(&p, text);
	if (err != VT_OK) {
		assert_false(p.has_extra);
		assert_null(p.extra.data);
		assert_int_equal(p.checkpoint.len, 0);
	}
	tlog_proof_release(&p);
	return err;
}

static enum vt_err parse(const char *text)
{
	return parse_bytes(bytes_str(text));
}

/* The example of the specification, but for its signature lines, which are printed shortened. */
static void the_specifications_example_parses(void **state)
{
	static const char text[] = "c2sp.org/tlog-proof@v1\n"
				   "extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6kYXJ3aW4tYXJ\n"
				   "index 73894\n"
				   "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n"
				   "B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\n"
				   "EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=\n"
				   "RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=\n"
				   "AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=\n"
				   "\n"
				   "example.com/fancylog\n"
				   "109482\n"
				   "sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=\n"
				   "\n" DASH "example.com/fancylog AAAAAQE=\n";
	struct tlog_proof p;

	(void)state;
	tlog_proof_init(&p);
	assert_int_equal(tlog_proof_parse(&p, bytes_str(text)), VT_OK);
	assert_true(p.has_extra);
	assert_int_equal(p.extra.len, 39);
	assert_memory_equal(p.extra.data, "age-v1.2.1-darwin-arm64.tar.gz", 30);
	assert_int_equal(p.index, 73894);
	assert_int_equal(p.proof.n, 5);
	assert_int_equal(p.proof.hash[0].b[0], 0x81);
	assert_int_equal(p.proof.hash[4].b[31], 0xf9);
	assert_ptr_equal(p.checkpoint.data, (const uint8_t *)strstr(text, "example.com/fancylog"));
	tlog_proof_release(&p);
}

static void what_is_parsed_formats_back(void **state)
{
	static const char *const text[] = {
	    "c2sp.org/tlog-proof@v1\nindex 0\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nextra \nindex 0\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nextra aGVsbG8=\nindex 18446744073709551615\n" HASH
	    "\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nindex 73894\ngSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n"
	    "B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\n\n" CHECKPOINT,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		struct tlog_proof p;
		struct bytes extra;
		struct buf back;

		buf_init(&back);
		tlog_proof_init(&p);
		assert_int_equal(tlog_proof_parse(&p, bytes_str(text[i])), VT_OK);
		assert_int_equal(p.has_extra, strstr(text[i], "extra") != NULL);
		assert_true(bytes_is(p.checkpoint, CHECKPOINT));
		extra = bytes_of(p.has_extra && p.extra.data == NULL ? (const uint8_t *)""
								     : p.extra.data,
				 p.extra.len);
		assert_int_equal(tlog_proof_format(&back, extra, p.index, &p.proof, p.checkpoint),
				 VT_OK);
		assert_true(bytes_is(buf_bytes(&back), text[i]));
		/* A second file into the same struct. */
		assert_int_equal(tlog_proof_parse(&p, bytes_str(text[0])), VT_OK);
		assert_false(p.has_extra);
		assert_int_equal(p.index, 0);
		assert_int_equal(p.proof.n, 0);
		tlog_proof_release(&p);
		buf_release(&back);
	}
}

static void what_is_not_exactly_the_grammar_is_malformed(void **state)
{
	static const char *const bad[] = {
	    "",
	    "c2sp.org/tlog-proof@v1",
	    "c2sp.org/tlog-proof@v1\n",
	    "c2sp.org/tlog-proof@v2\nindex 0\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1 \nindex 0\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\r\nindex 0\r\n\r\n" CHECKPOINT,
	    "\nc2sp.org/tlog-proof@v1\nindex 0\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\n\nindex 0\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nextra\nindex 0\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nextra aGVsbG8\nindex 0\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nextra aGVsbG9=\nindex 0\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nextra  aGVsbG8=\nindex 0\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nextra aGVsbG8= \nindex 0\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nextra aGVsbG8=\nextra aGVsbG8=\nindex 0\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nindex 0\nextra aGVsbG8=\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nindex\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nindex \n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nindex 00\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nindex 01\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nindex -1\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nindex +1\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nindex  1\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nindex 1 \n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nindex 18446744073709551616\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nINDEX 0\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nindex 0\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nindex 0\n" HASH "\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nindex 0\n " HASH "\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nindex 0\n" HASH "=\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nindex 0\nAAAA\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nindex 0\n\n\n" CHECKPOINT,
	    "c2sp.org/tlog-proof@v1\nindex 0\n\n",
	    "c2sp.org/tlog-proof@v1\nindex 0\n\no\n7\n" HASH "\n",
	    "c2sp.org/tlog-proof@v1\nindex 0\n\no\n07\n" HASH "\n\n" DASH "other AAAAAQE=\n",
	    "c2sp.org/tlog-proof@v1\nindex 0\n\n" CHECKPOINT "\n",
	    "c2sp.org/tlog-proof@v1\nindex 0\n\n" CHECKPOINT "more\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse(bad[i]) != VT_EMALFORMED)
			fail_msg("bad[%zu]: %s", i, bad[i]);
	}
}

static void a_proof_has_a_bounded_number_of_hashes(void **state)
{
	struct buf text;

	(void)state;
	for (size_t n = MERKLE_PROOF_MAX; n <= MERKLE_PROOF_MAX + 1; n++) {
		buf_init(&text);
		assert_int_equal(buf_append_str(&text, "c2sp.org/tlog-proof@v1\nindex 0\n"), VT_OK);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(buf_append_str(&text, HASH "\n"), VT_OK);
		assert_int_equal(buf_append_str(&text, "\n" CHECKPOINT), VT_OK);
		assert_int_equal(parse_bytes(buf_bytes(&text)),
				 n == MERKLE_PROOF_MAX ? VT_OK : VT_ELIMIT);
		buf_release(&text);
	}
}

static void a_file_over_the_size_limit_is_neither_read_nor_written(void **state)
{
	static uint8_t extra[TLOG_PROOF_SIZE_MAX];
	struct merkle_proof proof = {0};
	struct buf text;

	(void)state;
	buf_init(&text);
	assert_int_equal(
	    tlog_proof_format(&text, bytes_of(extra, 700000), 0, &proof, bytes_str(CHECKPOINT)),
	    VT_OK);
	assert_int_equal(parse_bytes(buf_bytes(&text)), VT_OK);
	buf_reset(&text);
	assert_int_equal(
	    tlog_proof_format(&text, bytes_of(extra, 800000), 0, &proof, bytes_str(CHECKPOINT)),
	    VT_ELIMIT);
	assert_int_equal(text.len, 0);
	assert_int_equal(parse_bytes(bytes_of(extra, sizeof(extra))), VT_EMALFORMED);
	buf_release(&text);
	{
		static uint8_t large[TLOG_PROOF_SIZE_MAX + 1];

		assert_int_equal(parse_bytes(bytes_of(large, sizeof(large))), VT_ELIMIT);
	}
}

static void only_a_checkpoint_is_put_into_a_proof(void **state)
{
	static const char *const bad[] = {"", "o\n7\n" HASH "\n",
					  "text\n\n" DASH "other AAAAAQE=\n"};
	struct merkle_proof proof = {0};
	struct buf text;

	(void)state;
	buf_init(&text);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    tlog_proof_format(&text, bytes_of(NULL, 0), 0, &proof, bytes_str(bad[i])),
		    VT_EMALFORMED);
	proof.n = MERKLE_PROOF_MAX + 1;
	assert_int_equal(
	    tlog_proof_format(&text, bytes_of(NULL, 0), 0, &proof, bytes_str(CHECKPOINT)),
	    VT_EINVAL);
	assert_int_equal(text.len, 0);
	buf_release(&text);
}

/* A tree of the two entries "a" and "b": b's proof is a's leaf hash. */
struct fixture {
	struct merkle_hasher h;
	struct merkle_hash a, b;
	struct policy *policy;
	struct buf text;
	struct tlog_proof p;
};

static void fixture_init(struct fixture *f, const char *witnesses, uint64_t index)
{
	struct merkle_proof proof = {.n = 1};
	struct tree_head head = {.size = 2};
	struct buf policy, checkpoint;

	buf_init(&policy);
	buf_init(&checkpoint);
	buf_init(&f->text);
	tlog_proof_init(&f->p);
	test_policy_text(&policy, "log $La\nwitness w $Wa\nquorum w\n");
	assert_int_equal(policy_parse(&f->policy, buf_bytes(&policy), NULL), VT_OK);
	assert_int_equal(merkle_hasher_init(&f->h), VT_OK);
	assert_int_equal(merkle_hash_leaf(&f->a, &f->h, bytes_str("a")), VT_OK);
	assert_int_equal(merkle_hash_leaf(&f->b, &f->h, bytes_str("b")), VT_OK);
	assert_int_equal(merkle_hash_node(&head.root, &f->h, &f->a, &f->b), VT_OK);
	proof.hash[0] = f->a;
	test_checkpoint(&checkpoint, 'a', &head, witnesses);
	assert_int_equal(
	    tlog_proof_format(&f->text, bytes_str("b"), index, &proof, buf_bytes(&checkpoint)),
	    VT_OK);
	assert_int_equal(tlog_proof_parse(&f->p, buf_bytes(&f->text)), VT_OK);
	buf_release(&policy);
	buf_release(&checkpoint);
}

static void fixture_release(struct fixture *f)
{
	policy_free(f->policy);
	merkle_hasher_release(&f->h);
	tlog_proof_release(&f->p);
	buf_release(&f->text);
}

static void a_proof_that_holds_gives_checkpoint_log_and_note(void **state)
{
	const struct policy_log *log;
	struct checkpoint cp;
	struct fixture f;
	struct note *n;

	(void)state;
	fixture_init(&f, "a", 1);
	assert_true(bytes_is(buf_bytes(&f.p.extra), "b"));
	assert_int_equal(tlog_proof_verify(&n, &cp, &log, &f.h, &f.p, &f.b, f.policy), VT_OK);
	assert_true(cp.head.size == 2);
	assert_ptr_equal(log, policy_log(f.policy, 0));
	assert_true(note_signed_by(n, &policy_witness(f.policy, 0)->key)->time == 1);
	note_free(n);
	assert_int_equal(tlog_proof_verify(NULL, NULL, NULL, &f.h, &f.p, &f.b, f.policy), VT_OK);
	fixture_release(&f);
}

static void a_proof_of_another_entry_or_index_does_not_hold(void **state)
{
	static const uint64_t wrong_index[] = {0, 2, 3, UINT64_MAX};
	struct fixture f;
	struct note *n;

	(void)state;
	fixture_init(&f, "a", 1);
	assert_int_equal(tlog_proof_verify(&n, NULL, NULL, &f.h, &f.p, &f.a, f.policy),
			 VT_EMISMATCH);
	assert_null(n);
	f.p.proof.n = 0;
	assert_int_equal(tlog_proof_verify(&n, NULL, NULL, &f.h, &f.p, &f.b, f.policy),
			 VT_EMISMATCH);
	f.p.proof.n = 2;
	assert_int_equal(tlog_proof_verify(&n, NULL, NULL, &f.h, &f.p, &f.b, f.policy),
			 VT_EMISMATCH);
	fixture_release(&f);
	for (size_t i = 0; i < sizeof(wrong_index) / sizeof(wrong_index[0]); i++) {
		fixture_init(&f, "a", wrong_index[i]);
		assert_int_equal(tlog_proof_verify(&n, NULL, NULL, &f.h, &f.p, &f.b, f.policy),
				 VT_EMISMATCH);
		assert_null(n);
		fixture_release(&f);
	}
}

static void a_proof_is_worth_no_more_than_its_checkpoint(void **state)
{
	struct policy *other;
	struct fixture f;
	struct buf text;

	(void)state;
	fixture_init(&f, "b", 1);
	assert_int_equal(tlog_proof_verify(NULL, NULL, NULL, &f.h, &f.p, &f.b, f.policy),
			 VT_EMISMATCH);
	buf_init(&text);
	test_policy_text(&text, "log $Lb\nquorum none\n");
	assert_int_equal(policy_parse(&other, buf_bytes(&text), NULL), VT_OK);
	assert_int_equal(tlog_proof_verify(NULL, NULL, NULL, &f.h, &f.p, &f.b, other),
			 VT_EUNTRUSTED);
	policy_free(other);
	buf_release(&text);
	fixture_release(&f);
}

static void every_flipped_bit_outside_the_extra_line_is_noticed(void **state)
{
	struct fixture f;
	size_t start;

	(void)state;
	fixture_init(&f, "a", 1);
	start = (size_t)((const char *)memmem(f.text.data, f.text.len, "index", 5) -
			 (const char *)f.text.data);
	for (size_t i = 8 * start; i < 8 * f.text.len; i++) {
		struct tlog_proof p;

		tlog_proof_init(&p);
		f.text.data[i / 8] ^= (uint8_t)(1U << (i % 8));
		if (tlog_proof_parse(&p, buf_bytes(&f.text)) == VT_OK)
			assert_int_not_equal(
			    tlog_proof_verify(NULL, NULL, NULL, &f.h, &p, &f.b, f.policy), VT_OK);
		f.text.data[i / 8] ^= (uint8_t)(1U << (i % 8));
		tlog_proof_release(&p);
	}
	fixture_release(&f);
}

static void parsing_and_formatting_survive_no_memory(void **state)
{
	struct fixture f;
	bool failed = true;

	(void)state;
	fixture_init(&f, "a", 1);
	for (unsigned n = 1; failed; n++) {
		struct tlog_proof p;
		struct buf out;
		enum vt_err err;

		tlog_proof_init(&p);
		buf_init(&out);
		alloc_fail_at(n);
		if ((err = tlog_proof_parse(&p, buf_bytes(&f.text))) == VT_OK)
			err = tlog_proof_format(&out, buf_bytes(&p.extra), p.index, &p.proof,
						p.checkpoint);
		failed = alloc_failed();
		assert_int_equal(err, failed ? VT_ENOMEM : VT_OK);
		assert_true(failed || n > 4);
		assert_true(!failed || out.len == 0);
		tlog_proof_release(&p);
		buf_release(&out);
	}
	fixture_release(&f);
}

static void verifying_survives_no_memory(void **state)
{
	struct fixture f;
	bool failed = true;

	(void)state;
	fixture_init(&f, "a", 1);
	for (unsigned n = 1; failed; n++) {
		struct note *note;
		enum vt_err err;

		alloc_fail_at(n);
		err = tlog_proof_verify(&note, NULL, NULL, &f.h, &f.p, &f.b, f.policy);
		failed = alloc_failed();
		assert_int_equal(err, failed ? VT_ENOMEM : VT_OK);
		assert_true((note == NULL) == failed);
		note_free(note);
	}
	fixture_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_specifications_example_parses),
	    cmocka_unit_test(what_is_parsed_formats_back),
	    cmocka_unit_test(what_is_not_exactly_the_grammar_is_malformed),
	    cmocka_unit_test(a_proof_has_a_bounded_number_of_hashes),
	    cmocka_unit_test(a_file_over_the_size_limit_is_neither_read_nor_written),
	    cmocka_unit_test(only_a_checkpoint_is_put_into_a_proof),
	    cmocka_unit_test(a_proof_that_holds_gives_checkpoint_log_and_note),
	    cmocka_unit_test(a_proof_of_another_entry_or_index_does_not_hold),
	    cmocka_unit_test(a_proof_is_worth_no_more_than_its_checkpoint),
	    cmocka_unit_test(every_flipped_bit_outside_the_extra_line_is_noticed),
	    cmocka_unit_test(parsing_and_formatting_survive_no_memory),
	    cmocka_unit_test(verifying_survives_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
