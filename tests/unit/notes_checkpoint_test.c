#include "vitrine_test.h"

#include <string.h>

#include "alloc_fail.h"
#include "test_signer.h"
#include "vitrine/checkpoint.h"
#include "vitrine/cosignature.h"

/* The specification's own. */
#define ROOT    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
#define EXAMPLE "example.com/behind-the-sofa\n20852163\n" ROOT "\n"

static enum vt_err parse(const char *text)
{
	struct checkpoint cp;

	return checkpoint_parse(&cp, bytes_str(text));
}

static void the_specifications_example_parses(void **state)
{
	struct checkpoint cp;

	(void)state;
	assert_int_equal(checkpoint_parse(&cp, bytes_str(EXAMPLE)), VT_OK);
	assert_true(bytes_is(cp.origin, "example.com/behind-the-sofa"));
	assert_true(cp.head.size == 20852163);
	assert_int_equal(cp.head.root.b[0], 0x0a);
	assert_int_equal(cp.head.root.b[31], 0x62);
	assert_int_equal(cp.extensions.len, 0);
}

static void what_is_formatted_parses_back(void **state)
{
	static const uint64_t size[] = {0, 1, 255, UINT64_MAX};
	static const char *const origin[] = {"example.com/log", "go.sum database tree",
					     "caf\xc3\xa9+\x7f"};

	(void)state;
	for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		for (size_t k = 0; k < sizeof(origin) / sizeof(origin[0]); k++) {
			struct tree_head head = {.size = size[i]};
			struct checkpoint cp;
			struct buf text;

			buf_init(&text);
			memset(head.root.b, (int)(0x11 * i), sizeof(head.root.b));
			assert_int_equal(checkpoint_format(&text, origin[k], &head), VT_OK);
			assert_int_equal(checkpoint_parse(&cp, buf_bytes(&text)), VT_OK);
			assert_true(bytes_is(cp.origin, origin[k]));
			assert_true(tree_head_equal(&cp.head, &head));
			buf_release(&text);
		}
	}
}

static void what_is_not_exactly_the_grammar_is_malformed(void **state)
{
	static const char *const bad[] = {
	    "",
	    "o\n",
	    "o\n1\n",
	    "o\n1\n" ROOT,
	    "\n1\n" ROOT "\n",
	    "o\n\n" ROOT "\n",
	    "o\n\n1\n" ROOT "\n",
	    "o\n1\n\n",
	    "o\n1\n\n" ROOT "\n",
	    "o\n01\n" ROOT "\n",
	    "o\n00\n" ROOT "\n",
	    "o\n-1\n" ROOT "\n",
	    "o\n+1\n" ROOT "\n",
	    "o\n 1\n" ROOT "\n",
	    "o\n1 \n" ROOT "\n",
	    "o\n0x1\n" ROOT "\n",
	    "o\n1e3\n" ROOT "\n",
	    "o\n18446744073709551616\n" ROOT "\n",
	    "o\n\xd9\xa1\n" ROOT "\n", /* ARABIC-INDIC DIGIT ONE */
	    "o\n1\nAAAA\n",
	    "o\n1\n" ROOT " \n",
	    "o\n1\n" ROOT "A\n",
	    "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I\n",
	    "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",
	    "o\n1\nCsUYapGGPo4dkMgIAUqom_Xajj7h2fB2MPA3j2jxq2I=\n",
	    "o\n1\n" ROOT "\n\n",
	    "o\n1\n" ROOT "\nextension",
	    "o\n1\n" ROOT "\nextension\n\n",
	    "o\n1\n" ROOT "\n\nextension\n",
	    "o\r\n1\r\n" ROOT "\r\n",
	    "o\t\n1\n" ROOT "\n",
	    "o\xff\n1\n" ROOT "\n",
	};

	(void)state;
	assert_int_equal(parse("o\n1\n" ROOT "\n"), VT_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse(bad[i]) != VT_EMALFORMED)
			fail_msg("bad[%zu]: %s", i, bad[i]);
	}
}

static void extension_lines_are_kept_up_to_a_limit(void **state)
{
	struct checkpoint cp;
	struct buf text;

	(void)state;
	buf_init(&text);
	assert_int_equal(buf_append_str(&text, EXAMPLE), VT_OK);
	for (size_t i = 0; i < CHECKPOINT_EXTENSIONS_MAX; i++)
		assert_int_equal(buf_append_str(&text, "ext\n"), VT_OK);
	assert_int_equal(checkpoint_parse(&cp, buf_bytes(&text)), VT_OK);
	assert_int_equal(cp.extensions.len, 4 * CHECKPOINT_EXTENSIONS_MAX);
	assert_memory_equal(cp.extensions.data, "ext\next\n", 8);
	assert_int_equal(buf_append_str(&text, "one more\n"), VT_OK);
	assert_int_equal(checkpoint_parse(&cp, buf_bytes(&text)), VT_ELIMIT);
	buf_release(&text);
}

static void an_origin_that_would_break_the_text_is_refused(void **state)
{
	static const char *const bad[] = {"", "a\nb", "a\n", "a\tb", "a\x01", "\xff"};
	struct tree_head head = {.size = 1};
	struct buf text;

	(void)state;
	buf_init(&text);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(checkpoint_format(&text, bad[i], &head), VT_EINVAL);
	assert_int_equal(text.len, 0);
	buf_release(&text);
}

/* A checkpoint of `origin`, signed by each of by[0..n), whatever their type. */
static void make(struct buf *msg, const char *origin, const struct note_signer *by, size_t n)
{
	struct tree_head head = {.size = 7};
	struct buf text;

	buf_init(msg);
	buf_init(&text);
	assert_int_equal(checkpoint_format(&text, origin, &head), VT_OK);
	assert_int_equal(buf_append(msg, buf_bytes(&text)), VT_OK);
	assert_int_equal(buf_append_byte(msg, '\n'), VT_OK);
	for (size_t i = 0; i < n; i++) {
		enum vt_err err =
		    by[i].key.type == VKEY_TYPE_ED25519
			? note_signature_line(msg, buf_bytes(&text), &by[i])
			: cosignature_line(msg, buf_bytes(&text), 1700000000 + i, &by[i]);

		assert_int_equal(err, VT_OK);
	}
	buf_release(&text);
}

static enum vt_err try_open(const struct buf *msg, const struct vkey *log,
			    const struct vkey_set *others)
{
	struct checkpoint cp;
	struct note *n;
	enum vt_err err = checkpoint_open(&n, &cp, buf_bytes(msg), log, others);

	assert_true((n == NULL) == (err != VT_OK));
	note_free(n);
	return err;
}

static void a_checkpoint_of_the_expected_log_opens_with_its_witnesses(void **state)
{
	struct note_signer by[] = {test_signer("log.example", VKEY_TYPE_ED25519, 1),
				   test_signer("w1.example", VKEY_TYPE_COSIGNATURE_ED25519, 2),
				   test_signer("w2.example", VKEY_TYPE_COSIGNATURE_ED25519, 3)};
	struct vkey witness[] = {by[1].key, test_vkey("w3.example", 4, 4)};
	struct vkey_set others = {.key = witness, .n = 2};
	struct checkpoint cp;
	struct buf msg;
	struct note *n;

	(void)state;
	make(&msg, "log.example", by, 3);
	assert_int_equal(checkpoint_open(&n, &cp, buf_bytes(&msg), &by[0].key, &others), VT_OK);
	assert_true(bytes_is(cp.origin, "log.example"));
	assert_true(cp.head.size == 7);
	assert_non_null(note_signed_by(n, &by[0].key));
	assert_true(note_signed_by(n, &witness[0])->time == 1700000001);
	assert_null(note_signed_by(n, &by[2].key));
	assert_null(note_signed_by(n, &witness[1]));
	note_free(n);
	assert_int_equal(try_open(&msg, &by[0].key, NULL), VT_OK);
	buf_release(&msg);
}

static void a_witness_alone_does_not_make_a_logs_checkpoint(void **state)
{
	struct note_signer log = test_signer("log.example", VKEY_TYPE_ED25519, 1);
	struct note_signer witness = test_signer("w.example", VKEY_TYPE_COSIGNATURE_ED25519, 2);
	struct vkey_set others = {.key = &witness.key, .n = 1};
	struct buf msg;

	(void)state;
	make(&msg, "log.example", &witness, 1);
	assert_int_equal(try_open(&msg, &log.key, &others), VT_EUNTRUSTED);
	assert_int_equal(try_open(&msg, &log.key, NULL), VT_EUNTRUSTED);
	buf_release(&msg);
}

static void another_origin_under_the_logs_key_is_not_trusted(void **state)
{
	struct note_signer log = test_signer("log.example", VKEY_TYPE_ED25519, 1);
	static const char *const origin[] = {"log.example2", "log.exampl", "LOG.example"};

	(void)state;
	for (size_t i = 0; i < sizeof(origin) / sizeof(origin[0]); i++) {
		struct buf msg;

		make(&msg, origin[i], &log, 1);
		assert_int_equal(try_open(&msg, &log.key, NULL), VT_EUNTRUSTED);
		buf_release(&msg);
	}
}

static void a_known_witness_that_fails_rejects_the_checkpoint(void **state)
{
	struct note_signer log = test_signer("log.example", VKEY_TYPE_ED25519, 1);
	struct note_signer witness = test_signer("w.example", VKEY_TYPE_COSIGNATURE_ED25519, 2);
	struct vkey_set others = {.key = &witness.key, .n = 1};
	struct buf msg, line;

	(void)state;
	buf_init(&line);
	make(&msg, "log.example", &log, 1);
	assert_int_equal(cosignature_line(&line, bytes_str(EXAMPLE), 1, &witness), VT_OK);
	assert_int_equal(buf_append(&msg, buf_bytes(&line)), VT_OK);
	assert_int_equal(try_open(&msg, &log.key, &others), VT_EMISMATCH);
	assert_int_equal(try_open(&msg, &log.key, NULL), VT_OK);
	buf_release(&msg);
	buf_release(&line);
}

static void a_signed_note_that_is_no_checkpoint_is_malformed(void **state)
{
	struct note_signer log = test_signer("log.example", VKEY_TYPE_ED25519, 1);
	struct buf msg;

	(void)state;
	buf_init(&msg);
	assert_int_equal(note_sign(&msg, bytes_str("log.example\n07\n" ROOT "\n"), &log, 1), VT_OK);
	assert_int_equal(try_open(&msg, &log.key, NULL), VT_EMALFORMED);
	buf_release(&msg);
}

static void formatting_survives_no_memory(void **state)
{
	struct tree_head head = {.size = UINT64_MAX};

	(void)state;
	for (unsigned n = 1;; n++) {
		struct buf text;
		enum vt_err err;

		buf_init(&text);
		alloc_fail_at(n);
		err = checkpoint_format(&text, "log.example/a-somewhat-longer-name", &head);
		if (!alloc_failed()) {
			assert_int_equal(err, VT_OK);
			buf_release(&text);
			assert_true(n > 1);
			return;
		}
		assert_int_equal(err, VT_ENOMEM);
		assert_int_equal(text.len, 0);
		buf_release(&text);
	}
}

static void opening_survives_no_memory(void **state)
{
	struct note_signer log = test_signer("log.example", VKEY_TYPE_ED25519, 1);
	struct buf msg;

	(void)state;
	make(&msg, "log.example", &log, 1);
	for (unsigned n = 1;; n++) {
		struct checkpoint cp;
		struct note *note;
		enum vt_err err;

		alloc_fail_at(n);
		err = checkpoint_open(&note, &cp, buf_bytes(&msg), &log.key, NULL);
		if (!alloc_failed()) {
			assert_int_equal(err, VT_OK);
			note_free(note);
			assert_true(n > 1);
			break;
		}
		assert_int_equal(err, VT_ENOMEM);
		assert_null(note);
	}
	buf_release(&msg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_specifications_example_parses),
	    cmocka_unit_test(what_is_formatted_parses_back),
	    cmocka_unit_test(what_is_not_exactly_the_grammar_is_malformed),
	    cmocka_unit_test(extension_lines_are_kept_up_to_a_limit),
	    cmocka_unit_test(an_origin_that_would_break_the_text_is_refused),
	    cmocka_unit_test(a_checkpoint_of_the_expected_log_opens_with_its_witnesses),
	    cmocka_unit_test(a_witness_alone_does_not_make_a_logs_checkpoint),
	    cmocka_unit_test(another_origin_under_the_logs_key_is_not_trusted),
	    cmocka_unit_test(a_known_witness_that_fails_rejects_the_checkpoint),
	    cmocka_unit_test(a_signed_note_that_is_no_checkpoint_is_malformed),
	    cmocka_unit_test(formatting_survives_no_memory),
	    cmocka_unit_test(opening_survives_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
