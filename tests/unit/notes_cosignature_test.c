#include "vitrine_test.h"

#include <string.h>

#include "alloc_fail.h"
#include "test_signer.h"
#include "vitrine/cosignature.h"

#define DASH     "\xe2\x80\x94 "
#define ROOT     "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
#define TEXT     "example.com/behind-the-sofa\n20852163\n" ROOT "\n"
#define TIME_MAX UINT64_C(0x7fffffffffffffff)

static void cosign(struct buf *msg, const char *text, uint64_t time, const struct note_signer *by)
{
	buf_init(msg);
	assert_int_equal(buf_append_str(msg, text), VT_OK);
	assert_int_equal(buf_append_byte(msg, '\n'), VT_OK);
	assert_int_equal(cosignature_line(msg, bytes_str(text), time, by), VT_OK);
}

static enum vt_err try_open(const struct buf *msg, const struct vkey *key)
{
	struct vkey_set known = {.key = key, .n = 1};
	struct note *n;
	enum vt_err err = note_open(&n, buf_bytes(msg), &known);

	assert_true((n == NULL) == (err != VT_OK));
	note_free(n);
	return err;
}

/* The specification's own example of a signed message. */
static void the_signed_message_is_the_specifications(void **state)
{
	struct buf msg;

	(void)state;
	buf_init(&msg);
	assert_int_equal(cosignature_message(&msg, 1679315147, bytes_str(TEXT)), VT_OK);
	assert_true(bytes_is(
	    buf_bytes(&msg),
	    "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n" ROOT "\n"));
	buf_release(&msg);
}

static void a_cosignature_verifies_and_gives_its_time(void **state)
{
	static const uint64_t time[] = {0, 1, 1679315147, TIME_MAX};
	static const char *const text[] = {TEXT, TEXT "an extension line\n"};
	struct note_signer by = test_signer("w.example", VKEY_TYPE_COSIGNATURE_ED25519, 5);
	struct vkey_set known = {.key = &by.key, .n = 1};

	(void)state;
	for (size_t i = 0; i < sizeof(time) / sizeof(time[0]); i++) {
		for (size_t k = 0; k < 2; k++) {
			struct buf msg;
			struct note *n;

			cosign(&msg, text[k], time[i], &by);
			assert_int_equal(note_open(&n, buf_bytes(&msg), &known), VT_OK);
			assert_true(note_signed_by(n, &by.key)->time == time[i]);
			assert_true(bytes_is(n->text, text[k]));
			note_free(n);
			buf_release(&msg);
		}
	}
}

static void a_time_over_two_to_the_63_is_refused(void **state)
{
	struct note_signer by = test_signer("w.example", VKEY_TYPE_COSIGNATURE_ED25519, 5);
	struct buf out;

	(void)state;
	buf_init(&out);
	assert_int_equal(cosignature_message(&out, TIME_MAX + 1, bytes_str(TEXT)), VT_EINVAL);
	assert_int_equal(cosignature_line(&out, bytes_str(TEXT), TIME_MAX + 1, &by), VT_EINVAL);
	assert_int_equal(out.len, 0);
	buf_release(&out);
}

/* Signs "time 9223372036854775808", as a witness that ignores the limit would. */
static void a_signed_time_over_two_to_the_63_does_not_verify(void **state)
{
	struct note_signer by = test_signer("w.example", VKEY_TYPE_COSIGNATURE_ED25519, 5);
	uint8_t raw[COSIGNATURE_SIZE] = {0};
	struct buf msg;

	(void)state;
	buf_init(&msg);
	for (unsigned i = 0; i < 4; i++)
		raw[i] = (uint8_t)(by.key.id >> (24 - 8 * i));
	raw[4] = 0x80;
	assert_int_equal(
	    by.sign(by.ctx, raw + 12, bytes_str("cosignature/v1\ntime 9223372036854775808\n" TEXT)),
	    VT_OK);
	assert_int_equal(buf_append_str(&msg, TEXT "\n" DASH "w.example "), VT_OK);
	assert_int_equal(buf_append_base64(&msg, bytes_of(raw, sizeof(raw))), VT_OK);
	assert_int_equal(buf_append_byte(&msg, '\n'), VT_OK);
	assert_int_equal(try_open(&msg, &by.key), VT_EMISMATCH);
	buf_release(&msg);
}

static void every_flipped_bit_of_the_line_is_noticed(void **state)
{
	struct note_signer by = test_signer("w.example", VKEY_TYPE_COSIGNATURE_ED25519, 5);
	struct buf msg;

	(void)state;
	cosign(&msg, TEXT, 1679315147, &by);
	assert_int_equal(try_open(&msg, &by.key), VT_OK);
	for (size_t i = 8 * strlen(TEXT); i < 8 * msg.len; i++) {
		msg.data[i / 8] ^= (uint8_t)(1U << (i % 8));
		assert_int_not_equal(try_open(&msg, &by.key), VT_OK);
		msg.data[i / 8] ^= (uint8_t)(1U << (i % 8));
	}
	buf_release(&msg);
}

static void a_cosignature_on_what_is_no_checkpoint_does_not_count(void **state)
{
	static const char text[] = "some other statement\n";
	struct note_signer by = test_signer("w.example", VKEY_TYPE_COSIGNATURE_ED25519, 5);
	uint8_t raw[COSIGNATURE_SIZE] = {0};
	struct buf msg, signed_text;

	(void)state;
	buf_init(&msg);
	buf_init(&signed_text);
	assert_int_equal(cosignature_line(&msg, bytes_str(text), 7, &by), VT_EMALFORMED);
	assert_int_equal(msg.len, 0);

	assert_int_equal(cosignature_message(&signed_text, 7, bytes_str(text)), VT_OK);
	for (unsigned i = 0; i < 4; i++)
		raw[i] = (uint8_t)(by.key.id >> (24 - 8 * i));
	raw[11] = 7;
	assert_int_equal(by.sign(by.ctx, raw + 12, buf_bytes(&signed_text)), VT_OK);
	assert_int_equal(buf_append_str(&msg, text), VT_OK);
	assert_int_equal(buf_append_str(&msg, "\n" DASH "w.example "), VT_OK);
	assert_int_equal(buf_append_base64(&msg, bytes_of(raw, sizeof(raw))), VT_OK);
	assert_int_equal(buf_append_byte(&msg, '\n'), VT_OK);
	assert_int_equal(try_open(&msg, &by.key), VT_EMISMATCH);
	buf_release(&msg);
	buf_release(&signed_text);
}

/* One Ed25519 key under both types: a plain signature is no cosignature, nor the other way round.
 */
static void the_two_types_do_not_pass_for_each_other(void **state)
{
	struct note_signer plain = test_signer("w.example", VKEY_TYPE_ED25519, 5);
	struct note_signer cosigner = test_signer("w.example", VKEY_TYPE_COSIGNATURE_ED25519, 5);
	struct buf msg;

	(void)state;
	buf_init(&msg);
	assert_int_equal(note_sign(&msg, bytes_str(TEXT), &plain, 1), VT_OK);
	assert_int_equal(try_open(&msg, &cosigner.key), VT_EUNTRUSTED);
	buf_release(&msg);
	cosign(&msg, TEXT, 1, &cosigner);
	assert_int_equal(try_open(&msg, &plain.key), VT_EUNTRUSTED);
	/* Nor if the ID were the other's. */
	plain.key.id = cosigner.key.id;
	assert_int_equal(try_open(&msg, &plain.key), VT_EMISMATCH);
	assert_int_equal(cosignature_line(&msg, bytes_str(TEXT), 1, &plain), VT_EINVAL);
	buf_release(&msg);
}

static void a_cosignature_that_does_not_verify_is_not_written(void **state)
{
	struct note_signer by = test_bad_signer("w.example", VKEY_TYPE_COSIGNATURE_ED25519, 5);
	struct buf out;

	(void)state;
	buf_init(&out);
	assert_int_equal(cosignature_line(&out, bytes_str(TEXT), 1, &by), VT_EMISMATCH);
	assert_int_equal(out.len, 0);
	buf_release(&out);
}

static void cosigning_survives_no_memory(void **state)
{
	struct note_signer by = test_signer("w.example", VKEY_TYPE_COSIGNATURE_ED25519, 5);

	(void)state;
	for (unsigned n = 1;; n++) {
		struct buf out;
		enum vt_err err;

		buf_init(&out);
		alloc_fail_at(n);
		err = cosignature_line(&out, bytes_str(TEXT), 1679315147, &by);
		if (!alloc_failed()) {
			assert_int_equal(err, VT_OK);
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
	    cmocka_unit_test(the_signed_message_is_the_specifications),
	    cmocka_unit_test(a_cosignature_verifies_and_gives_its_time),
	    cmocka_unit_test(a_time_over_two_to_the_63_is_refused),
	    cmocka_unit_test(a_signed_time_over_two_to_the_63_does_not_verify),
	    cmocka_unit_test(every_flipped_bit_of_the_line_is_noticed),
	    cmocka_unit_test(a_cosignature_on_what_is_no_checkpoint_does_not_count),
	    cmocka_unit_test(the_two_types_do_not_pass_for_each_other),
	    cmocka_unit_test(a_cosignature_that_does_not_verify_is_not_written),
	    cmocka_unit_test(cosigning_survives_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
