#include "vitrine_test.h"

#include <string.h>

#include "alloc_fail.h"
#include "test_signer.h"
#include "vitrine/cosignature.h"

#define DASH "\xe2\x80\x94 "
/* The specification's own. */
#define EXAMPLE_KEY "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
#define EXAMPLE_LINE                                                                               \
	DASH                                                                                       \
	    "example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3" \
	    "mFXmRKuwHjG1Yu72IneyaQM=\n"
#define EXAMPLE "This is an example message.\n\n" EXAMPLE_LINE
/* The shortest signature that a line may hold: an ID and one byte. */
#define OTHER_LINE DASH "other AAAAAQE=\n"

static struct vkey_set one(const struct vkey *key)
{
	return (struct vkey_set){.key = key, .n = 1};
}

static enum vt_err parse(const char *msg)
{
	struct note *n;
	enum vt_err err = note_parse(&n, bytes_str(msg));

	assert_true((n == NULL) == (err != VT_OK));
	note_free(n);
	return err;
}

static enum vt_err open_bytes(struct bytes msg, const struct vkey *key, size_t n_keys)
{
	struct vkey_set known = {.key = key, .n = n_keys};
	struct note *n;
	enum vt_err err = note_open(&n, msg, &known);

	assert_true((n == NULL) == (err != VT_OK));
	note_free(n);
	return err;
}

static enum vt_err open_with(const char *msg, const struct vkey *key)
{
	return open_bytes(bytes_str(msg), key, 1);
}

static struct vkey example_key(void)
{
	struct vkey key;

	assert_int_equal(vkey_parse(&key, bytes_str(EXAMPLE_KEY)), VT_OK);
	return key;
}

static void signed_by(struct buf *out, const char *text, const struct note_signer *by, size_t n)
{
	buf_init(out);
	assert_int_equal(note_sign(out, bytes_str(text), by, n), VT_OK);
}

static void the_specifications_example_opens(void **state)
{
	struct vkey key = example_key();
	struct vkey_set known = one(&key);
	const struct note_signature *sig;
	struct note *n;

	(void)state;
	assert_int_equal(note_open(&n, bytes_str(EXAMPLE), &known), VT_OK);
	assert_true(bytes_is(n->text, "This is an example message.\n"));
	assert_int_equal(n->n, 1);
	sig = note_signed_by(n, &key);
	assert_ptr_equal(sig, &n->sig[0]);
	assert_true(bytes_is(sig->name, "example.com/foo"));
	assert_int_equal(sig->id, 0x530d903a);
	assert_true(bytes_is(sig->line, EXAMPLE_LINE));
	assert_ptr_equal(sig->key, &key);
	assert_true(sig->time == 0);
	note_free(n);
	note_free(NULL);
}

static void a_parsed_note_is_not_believed(void **state)
{
	struct vkey key = example_key();
	struct note *n;

	(void)state;
	assert_int_equal(note_parse(&n, bytes_str(EXAMPLE)), VT_OK);
	assert_null(n->sig[0].key);
	assert_null(note_signed_by(n, &key));
	note_free(n);
}

static void every_flipped_bit_of_the_example_is_noticed(void **state)
{
	struct vkey key = example_key();
	uint8_t msg[sizeof(EXAMPLE) - 1];

	(void)state;
	memcpy(msg, EXAMPLE, sizeof(msg));
	for (size_t i = 0; i < 8 * sizeof(msg); i++) {
		msg[i / 8] ^= (uint8_t)(1U << (i % 8));
		assert_int_not_equal(open_bytes(bytes_of(msg, sizeof(msg)), &key, 1), VT_OK);
		msg[i / 8] ^= (uint8_t)(1U << (i % 8));
	}
	for (size_t i = 0; i < sizeof(msg); i++)
		assert_int_not_equal(open_bytes(bytes_of(msg, i), &key, 1), VT_OK);
	assert_int_equal(open_bytes(bytes_of(msg, sizeof(msg)), &key, 1), VT_OK);
}

static void what_is_not_a_note_is_malformed(void **state)
{
	static const char *const bad[] = {
	    "",
	    "\n",
	    "\n\n",
	    "text\n",
	    "text\n\n",
	    "text\n\n\n",
	    /* no blank line; no newline before it; no newline at the end */
	    "text\n" OTHER_LINE,
	    "\n" OTHER_LINE,
	    OTHER_LINE,
	    "text\n\n" DASH "other AAAAAQE=",
	    /* something that is not a signature line after the last blank line */
	    "text\n\n" OTHER_LINE "\n",
	    "text\n\n" OTHER_LINE "more\n",
	    "text\n\nmore\n" OTHER_LINE,
	    "text\n\n" OTHER_LINE "\nmore\n",
	    /* another dash, no space, two spaces, a tab, white space at the end */
	    "text\n\n- other AAAAAQE=\n",
	    "text\n\n\xe2\x80\x93 other AAAAAQE=\n",
	    "text\n\n\xe2\x80\x94other AAAAAQE=\n",
	    "text\n\n" DASH " other AAAAAQE=\n",
	    "text\n\n" DASH "other  AAAAAQE=\n",
	    "text\n\n" DASH "other\tAAAAAQE=\n",
	    "text\n\n" DASH "other AAAAAQE= \n",
	    "text\n\n" DASH "other AAAAAQE=\r\n",
	    " text\n\n " OTHER_LINE,
	    /* names */
	    "text\n\n" DASH "AAAAAQE=\n",
	    "text\n\n" DASH " AAAAAQE=\n",
	    "text\n\n" DASH "oth+er AAAAAQE=\n",
	    "text\n\n" DASH "oth\xc2\xa0"
	    "er AAAAAQE=\n",
	    "text\n\n" DASH "oth\xe3\x80\x80"
	    "er AAAAAQE=\n",
	    /* signatures: none, four bytes, not padded, pad bits, another alphabet */
	    "text\n\n" DASH "other \n",
	    "text\n\n" DASH "other\n",
	    "text\n\n" DASH "other AAAAAQ==\n",
	    "text\n\n" DASH "other AAAAAQE\n",
	    "text\n\n" DASH "other AAAAAQF=\n",
	    "text\n\n" DASH "other AAAAA_E=\n",
	    "text\n\n" DASH "other AAAA=AAA\n",
	    /* bytes that no note has */
	    "te\txt\n\n" OTHER_LINE,
	    "te\rxt\n\n" OTHER_LINE,
	    "te\x1fxt\n\n" OTHER_LINE,
	    "te\xffxt\n\n" OTHER_LINE,
	    "te\xc0\x80xt\n\n" OTHER_LINE,
	};

	(void)state;
	assert_int_equal(parse("text\n\n" OTHER_LINE), VT_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (parse(bad[i]) != VT_EMALFORMED)
			fail_msg("bad[%zu]: %s", i, bad[i]);
	}
	{
		static const char nul[] = "te\0xt\n\n" OTHER_LINE;
		struct note *n;

		assert_int_equal(note_parse(&n, bytes_of(nul, sizeof(nul) - 1)), VT_EMALFORMED);
		assert_null(n);
		assert_int_equal(note_parse(&n, bytes_of(NULL, 0)), VT_EMALFORMED);
	}
}

static void the_text_ends_before_the_last_blank_line(void **state)
{
	static const char *const text[] = {
	    "\n",
	    "\n\n",
	    "one\n\ntwo\n",
	    "\n\none\n\n\n",
	    "one\n\n" OTHER_LINE, /* signed text that looks like a note */
	    "delete \x7f is no control here\n",
	};
	struct note_signer by = test_signer("log.example", VKEY_TYPE_ED25519, 1);
	struct vkey_set known = one(&by.key);

	(void)state;
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		struct buf msg;
		struct note *n;

		signed_by(&msg, text[i], &by, 1);
		assert_int_equal(note_open(&n, buf_bytes(&msg), &known), VT_OK);
		assert_true(bytes_is(n->text, text[i]));
		note_free(n);
		buf_release(&msg);
	}
}

static void a_note_by_unknown_keys_alone_is_not_trusted(void **state)
{
	struct vkey key = test_vkey("log.example", VKEY_TYPE_ED25519, 1);

	(void)state;
	assert_int_equal(open_with(EXAMPLE, &key), VT_EUNTRUSTED);
	assert_int_equal(open_bytes(bytes_str(EXAMPLE), NULL, 0), VT_EUNTRUSTED);
}

static void unknown_keys_that_share_a_name_or_an_id_are_ignored(void **state)
{
	struct vkey key = example_key();

	(void)state;
	/* 530d903a under another name; the known name under another ID; both garbage signatures. */
	assert_int_equal(open_with("This is an example message.\n\n" DASH
				   "example.com/bar Uw2QOgE=\n" DASH
				   "example.com/foo Uw2QOwE=\n" EXAMPLE_LINE,
				   &key),
			 VT_OK);
	assert_int_equal(open_with("This is an example message.\n\n" DASH
				   "example.com/bar Uw2QOgE=\n" DASH "example.com/foo Uw2QOwE=\n",
				   &key),
			 VT_EUNTRUSTED);
}

static void a_known_key_that_fails_rejects_the_whole_note(void **state)
{
	struct note_signer good = test_signer("log.example", VKEY_TYPE_ED25519, 1);
	struct vkey key[] = {good.key, example_key()};
	struct buf msg;

	(void)state;
	signed_by(&msg, "text\n", &good, 1);
	assert_int_equal(open_bytes(buf_bytes(&msg), key, 2), VT_OK);
	assert_int_equal(buf_append_str(&msg, EXAMPLE_LINE), VT_OK); /* of another text */
	assert_int_equal(open_bytes(buf_bytes(&msg), key, 2), VT_EMISMATCH);
	assert_int_equal(open_bytes(buf_bytes(&msg), key, 1), VT_OK);
	buf_release(&msg);
}

static void a_known_keys_signature_of_another_length_fails(void **state)
{
	struct vkey key = example_key();

	(void)state;
	assert_int_equal(
	    open_with("This is an example message.\n\n" DASH "example.com/foo Uw2QOgE=\n", &key),
	    VT_EMISMATCH);
	assert_int_equal(
	    open_with("This is an example message.\n\n" DASH
		      "example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERY"
		      "NZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQMA\n",
		      &key),
	    VT_EMISMATCH);
	assert_int_equal(
	    open_with("This is an example message.\n\n" DASH
		      "example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERY"
		      "NZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
		      &key),
	    VT_EMISMATCH);
}

static void further_lines_of_a_key_that_signed_are_ignored(void **state)
{
	struct vkey key = example_key();
	struct vkey_set known = one(&key);
	struct note *n;

	(void)state;
	assert_int_equal(
	    note_open(&n, bytes_str(EXAMPLE EXAMPLE_LINE DASH "example.com/foo Uw2QOgE=\n"),
		      &known),
	    VT_OK);
	assert_int_equal(n->n, 3);
	assert_ptr_equal(n->sig[0].key, &key);
	assert_null(n->sig[1].key);
	assert_null(n->sig[2].key);
	note_free(n);
	assert_int_equal(open_with("This is an example message.\n\n" DASH
				   "example.com/foo Uw2QOgE=\n" EXAMPLE_LINE,
				   &key),
			 VT_EMISMATCH);
}

static void a_key_listed_twice_is_one_key(void **state)
{
	struct vkey key[] = {example_key(), example_key()};

	(void)state;
	assert_int_equal(open_bytes(bytes_str(EXAMPLE), key, 2), VT_OK);
}

static void two_keys_of_one_name_and_id_cannot_be_told_apart(void **state)
{
	struct vkey key[] = {example_key(), test_vkey("example.com/foo", 1, 9)};

	(void)state;
	key[1].id = key[0].id;
	assert_int_equal(open_bytes(bytes_str(EXAMPLE), key, 2), VT_EINVAL);
	assert_int_equal(open_bytes(bytes_str("text\n\n" OTHER_LINE), key, 2), VT_EUNTRUSTED);
}

static void known_keys_that_cannot_be_verified_count_as_no_signature(void **state)
{
	struct vkey key[2] = {example_key()};

	(void)state;
	assert_int_equal(vkey_parse(&key[1], bytes_str("other+00000001+/wA=")), VT_OK);
	assert_int_equal(open_with("This is an example message.\n\n" OTHER_LINE, &key[1]),
			 VT_EUNTRUSTED);
	assert_int_equal(
	    open_bytes(bytes_str("This is an example message.\n\n" OTHER_LINE EXAMPLE_LINE), key,
		       2),
	    VT_OK);
	assert_int_equal(
	    open_bytes(bytes_str("This is an example message.\n\n" OTHER_LINE), key, 2),
	    VT_EUNTRUSTED);
}

static void a_note_takes_sixteen_signatures_and_up_to_its_limit(void **state)
{
	static const size_t count[] = {16, NOTE_SIGNATURES_MAX};
	struct note_signer by[16];
	struct vkey key[16];

	(void)state;
	for (uint8_t i = 0; i < 16; i++) {
		char name[] = "witness-a.example";

		name[8] = (char)('a' + i);
		by[i] = test_signer(name, VKEY_TYPE_ED25519, i);
		key[i] = by[i].key;
	}
	for (size_t k = 0; k < 2; k++) {
		struct vkey_set known = {.key = key, .n = 16};
		struct buf msg;
		struct note *n;

		signed_by(&msg, "text\n", by, 16);
		for (size_t i = 16; i < count[k]; i++)
			assert_int_equal(buf_append_str(&msg, OTHER_LINE), VT_OK);
		assert_int_equal(note_open(&n, buf_bytes(&msg), &known), VT_OK);
		assert_int_equal(n->n, count[k]);
		for (size_t i = 0; i < 16; i++)
			assert_ptr_equal(note_signed_by(n, &key[i]), &n->sig[i]);
		note_free(n);
		assert_int_equal(buf_append_str(&msg, OTHER_LINE), VT_OK);
		assert_int_equal(note_open(&n, buf_bytes(&msg), &known),
				 count[k] == NOTE_SIGNATURES_MAX ? VT_ELIMIT : VT_OK);
		note_free(n);
		buf_release(&msg);
	}
}

/* ML-DSA-44's are 2,432 bytes, and "post-quantum signatures can be up to nearly 5kB in size". */
static void long_signatures_of_unknown_keys_are_ignored(void **state)
{
	struct note_signer by = test_signer("log.example", VKEY_TYPE_ED25519, 1);
	static uint8_t raw[8192];

	(void)state;
	for (size_t len = 760; len < sizeof(raw); len = len < 780 ? len + 1 : len * 2 + 1) {
		struct buf msg;
		uint8_t *last;

		signed_by(&msg, "text\n", &by, 1);
		assert_int_equal(buf_append_str(&msg, DASH "other "), VT_OK);
		assert_int_equal(buf_append_base64(&msg, bytes_of(raw, len)), VT_OK);
		assert_int_equal(buf_append_byte(&msg, '\n'), VT_OK);
		assert_int_equal(open_bytes(buf_bytes(&msg), &by.key, 1), VT_OK);
		last = &msg.data[msg.len - 5];
		*last = '*';
		assert_int_equal(open_bytes(buf_bytes(&msg), &by.key, 1), VT_EMALFORMED);
		*last = '=';
		assert_int_equal(open_bytes(buf_bytes(&msg), &by.key, 1), VT_EMALFORMED);
		buf_release(&msg);
	}
}

/* 1,024 digits at a time are decoded: what is padded in the middle is not base64. */
static void padding_inside_a_long_signature_is_malformed(void **state)
{
	struct buf msg;
	struct note *n;

	(void)state;
	buf_init(&msg);
	assert_int_equal(buf_append_str(&msg, "text\n\n" DASH "other "), VT_OK);
	for (size_t i = 0; i < 1023; i++)
		assert_int_equal(buf_append_byte(&msg, 'A'), VT_OK);
	assert_int_equal(buf_append_str(&msg, "=AAAA\n"), VT_OK);
	assert_int_equal(note_parse(&n, buf_bytes(&msg)), VT_EMALFORMED);
	msg.data[msg.len - 6] = 'A';
	assert_int_equal(note_parse(&n, buf_bytes(&msg)), VT_OK);
	note_free(n);
	buf_release(&msg);
}

static void a_note_over_the_size_limit_is_not_looked_at(void **state)
{
	static uint8_t msg[NOTE_SIZE_MAX + 1];
	static const char tail[] = "\n\n" OTHER_LINE;
	struct note *n;

	(void)state;
	memset(msg, 'x', sizeof(msg));
	memcpy(msg + NOTE_SIZE_MAX - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
	assert_int_equal(note_parse(&n, bytes_of(msg, NOTE_SIZE_MAX)), VT_OK);
	note_free(n);
	assert_int_equal(note_parse(&n, bytes_of(msg, NOTE_SIZE_MAX + 1)), VT_ELIMIT);
	assert_null(n);
}

static void a_signed_note_is_text_blank_line_and_lines(void **state)
{
	struct note_signer by = test_signer("log.example", VKEY_TYPE_ED25519, 1);
	struct buf msg, line;

	(void)state;
	buf_init(&line);
	signed_by(&msg, "text\n", &by, 1);
	assert_int_equal(note_signature_line(&line, bytes_str("text\n"), &by), VT_OK);
	assert_memory_equal(msg.data, "text\n\n", 6);
	assert_true(bytes_equal(bytes_of(msg.data + 6, msg.len - 6), buf_bytes(&line)));
	assert_int_equal(open_bytes(buf_bytes(&msg), &by.key, 1), VT_OK);
	buf_release(&msg);
	buf_release(&line);
}

static void what_cannot_be_a_note_is_not_signed(void **state)
{
	static const char *const bad[] = {"", "text", "te\txt\n", "te\rxt\n", "te\xffxt\n"};
	struct note_signer by = test_signer("log.example", VKEY_TYPE_ED25519, 1);
	struct buf out;

	(void)state;
	buf_init(&out);
	assert_int_equal(buf_append_str(&out, "before"), VT_OK);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(note_sign(&out, bytes_str(bad[i]), &by, 1), VT_EINVAL);
		assert_int_equal(note_signature_line(&out, bytes_str(bad[i]), &by), VT_EINVAL);
	}
	assert_int_equal(note_sign(&out, bytes_str("text\n"), &by, 0), VT_EINVAL);
	assert_int_equal(note_sign(&out, bytes_str("text\n"), &by, NOTE_SIGNATURES_MAX + 1),
			 VT_ELIMIT);
	by = test_signer("log.example", VKEY_TYPE_COSIGNATURE_ED25519, 1);
	assert_int_equal(note_sign(&out, bytes_str("text\n"), &by, 1), VT_EINVAL);
	by = test_signer("log.example", VKEY_TYPE_ED25519, 1);
	memcpy(by.key.name, "a b", 4);
	assert_int_equal(note_sign(&out, bytes_str("text\n"), &by, 1), VT_EINVAL);
	assert_true(bytes_is(buf_bytes(&out), "before"));
	buf_release(&out);
}

static void a_note_that_would_be_too_large_is_not_written(void **state)
{
	struct note_signer by = test_signer("log.example", VKEY_TYPE_ED25519, 1);
	static uint8_t text[NOTE_SIZE_MAX];
	struct buf out;

	(void)state;
	buf_init(&out);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\n';
	assert_int_equal(note_sign(&out, bytes_of(text, sizeof(text)), &by, 1), VT_ELIMIT);
	assert_int_equal(out.len, 0);
	buf_release(&out);
}

static void a_signature_that_does_not_verify_is_not_written(void **state)
{
	struct note_signer by[] = {test_signer("log.example", VKEY_TYPE_ED25519, 1),
				   test_bad_signer("log2.example", VKEY_TYPE_ED25519, 2)};
	struct buf out;

	(void)state;
	buf_init(&out);
	assert_int_equal(note_sign(&out, bytes_str("text\n"), by, 2), VT_EMISMATCH);
	assert_int_equal(out.len, 0);
	assert_int_equal(note_signature_line(&out, bytes_str("text\n"), &by[1]), VT_EMISMATCH);
	assert_int_equal(out.len, 0);
	buf_release(&out);
}

static enum vt_err broken(void *ctx, uint8_t sig[64], struct bytes msg)
{
	(void)ctx, (void)sig, (void)msg;
	return VT_EIO;
}

static void a_signer_that_fails_fails_the_note(void **state)
{
	struct note_signer by = test_signer("log.example", VKEY_TYPE_ED25519, 1);
	struct buf out;

	(void)state;
	buf_init(&out);
	by.sign = broken;
	assert_int_equal(note_sign(&out, bytes_str("text\n"), &by, 1), VT_EIO);
	assert_int_equal(out.len, 0);
	buf_release(&out);
}

static void opening_survives_no_memory(void **state)
{
	struct note_signer by = test_signer("w.example", VKEY_TYPE_COSIGNATURE_ED25519, 1);
	struct vkey_set known = one(&by.key);
	struct buf msg;

	(void)state;
	buf_init(&msg);
	assert_int_equal(
	    buf_append_str(&msg, "o\n0\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"), VT_OK);
	assert_int_equal(cosignature_line(&msg, bytes_of(msg.data, msg.len - 1), 1, &by), VT_OK);
	for (unsigned n = 1;; n++) {
		struct note *note;
		enum vt_err err;

		alloc_fail_at(n);
		err = note_open(&note, buf_bytes(&msg), &known);
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

static void signing_survives_no_memory(void **state)
{
	struct note_signer by = test_signer("log.example", VKEY_TYPE_ED25519, 1);

	(void)state;
	for (unsigned n = 1;; n++) {
		struct buf out;
		enum vt_err err;

		buf_init(&out);
		alloc_fail_at(n);
		err = note_sign(&out, bytes_str("text\n"), &by, 1);
		if (!alloc_failed()) {
			assert_int_equal(err, VT_OK);
			assert_int_equal(open_bytes(buf_bytes(&out), &by.key, 1), VT_OK);
			buf_release(&out);
			assert_true(n > 1);
			return;
		}
		assert_int_equal(err, VT_ENOMEM);
		assert_int_equal(out.len, 0);
		buf_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_specifications_example_opens),
	    cmocka_unit_test(a_parsed_note_is_not_believed),
	    cmocka_unit_test(every_flipped_bit_of_the_example_is_noticed),
	    cmocka_unit_test(what_is_not_a_note_is_malformed),
	    cmocka_unit_test(the_text_ends_before_the_last_blank_line),
	    cmocka_unit_test(a_note_by_unknown_keys_alone_is_not_trusted),
	    cmocka_unit_test(unknown_keys_that_share_a_name_or_an_id_are_ignored),
	    cmocka_unit_test(a_known_key_that_fails_rejects_the_whole_note),
	    cmocka_unit_test(a_known_keys_signature_of_another_length_fails),
	    cmocka_unit_test(further_lines_of_a_key_that_signed_are_ignored),
	    cmocka_unit_test(a_key_listed_twice_is_one_key),
	    cmocka_unit_test(two_keys_of_one_name_and_id_cannot_be_told_apart),
	    cmocka_unit_test(known_keys_that_cannot_be_verified_count_as_no_signature),
	    cmocka_unit_test(a_note_takes_sixteen_signatures_and_up_to_its_limit),
	    cmocka_unit_test(long_signatures_of_unknown_keys_are_ignored),
	    cmocka_unit_test(padding_inside_a_long_signature_is_malformed),
	    cmocka_unit_test(a_note_over_the_size_limit_is_not_looked_at),
	    cmocka_unit_test(a_signed_note_is_text_blank_line_and_lines),
	    cmocka_unit_test(what_cannot_be_a_note_is_not_signed),
	    cmocka_unit_test(a_note_that_would_be_too_large_is_not_written),
	    cmocka_unit_test(a_signature_that_does_not_verify_is_not_written),
	    cmocka_unit_test(a_signer_that_fails_fails_the_note),
	    cmocka_unit_test(opening_survives_no_memory),
	    cmocka_unit_test(signing_survives_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
