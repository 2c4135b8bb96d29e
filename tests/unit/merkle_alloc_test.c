#include "vitrine_test.h"

#include <stdlib.h>
#include <string.h>

#include "alloc_fail.h"
#include "vitrine/bytes.h"

static enum vt_err detach(struct buf *b)
{
	char *text = buf_detach_str(b);

	if (text == NULL)
		return VT_ENOMEM;
	free(text);
	/* So that the caller sees the same thing as after the other appends. */
	return buf_append_str(b, "longer than before");
}

static const char long_text[] = "0123456789012345678901234567890123456789012345678901234567890123";

static enum vt_err reserve(struct buf *b)
{
	enum vt_err err = buf_reserve(b, 100);

	return err != VT_OK ? err : buf_append_byte(b, 'x');
}

static enum vt_err append(struct buf *b)
{
	return buf_append(b, bytes_str(long_text));
}

static enum vt_err append_str(struct buf *b)
{
	return buf_append_str(b, long_text);
}

static enum vt_err append_byte(struct buf *b)
{
	return buf_append_byte(b, 'x');
}

static enum vt_err append_decimal(struct buf *b)
{
	return buf_append_decimal(b, UINT64_MAX);
}

static enum vt_err append_base64(struct buf *b)
{
	return buf_append_base64(b, bytes_str(long_text));
}

static enum vt_err append_hex(struct buf *b)
{
	return buf_append_hex(b, bytes_str(long_text));
}

static enum vt_err appendf(struct buf *b)
{
	return buf_appendf(b, "%s %d", long_text, 7);
}

static enum vt_err append_decoded_base64(struct buf *b)
{
	return buf_append_decoded_base64(b, bytes_str(long_text), BASE64_STANDARD);
}

static enum vt_err (*const growing[])(struct buf *b) = {
    reserve,       append,     append_str, append_byte,           append_decimal,
    append_base64, append_hex, appendf,    append_decoded_base64, detach};

/* Each growing call, on a buffer that is full to the last byte: it must allocate, and each
 * allocation fails once. */
static void every_failed_allocation_leaves_the_contents_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(growing) / sizeof(growing[0]); i++) {
		unsigned failures = 0;

		for (unsigned n = 1;; n++) {
			enum vt_err err;
			struct buf b;

			buf_init(&b);
			while (b.len < 64)
				assert_int_equal(buf_append_byte(&b, 'f'), VT_OK);
			assert_int_equal(b.len, b.cap);
			alloc_fail_at(n);
			err = growing[i](&b);
			if (!alloc_failed()) {
				assert_int_equal(err, VT_OK);
				buf_release(&b);
				break;
			}
			failures++;
			assert_int_equal(err, VT_ENOMEM);
			/* detach empties the buffer by contract once it has succeeded. */
			if (n == 1) {
				assert_int_equal(b.len, 64);
				for (size_t k = 0; k < b.len; k++)
					assert_int_equal(b.data[k], 'f');
			}
			buf_release(&b);
		}
		assert_true(failures > 0);
	}
}

static void a_first_allocation_that_fails_leaves_an_empty_buffer(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(growing) / sizeof(growing[0]); i++) {
		struct buf b;

		buf_init(&b);
		alloc_fail_at(1);
		assert_int_equal(growing[i](&b), VT_ENOMEM);
		assert_true(alloc_failed());
		assert_null(b.data);
		assert_int_equal(b.len, 0);
		assert_int_equal(b.cap, 0);
	}
}

/* A text with a hole in it would be worse than none. */
static void after_a_failure_nothing_is_appended_until_the_buffer_is_reset(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(growing) / sizeof(growing[0]); i++) {
		struct buf b, other;

		buf_init(&b);
		buf_init(&other);
		alloc_fail_at(1);
		assert_int_equal(growing[i](&b), VT_ENOMEM);
		assert_true(alloc_failed());
		assert_int_equal(buf_error(&b), VT_ENOMEM);
		for (size_t k = 0; k < sizeof(growing) / sizeof(growing[0]); k++)
			assert_int_equal(growing[k](&b), VT_ENOMEM);
		assert_int_equal(buf_append(&b, bytes_of(NULL, 0)), VT_ENOMEM);
		assert_int_equal(buf_fail(&b, VT_EIO), VT_ENOMEM);
		assert_int_equal(b.len, 0);
		assert_int_equal(buf_append_buf(&other, &b), VT_ENOMEM);
		buf_reset(&b);
		assert_int_equal(buf_fail(&b, VT_OK), VT_OK);
		assert_int_equal(growing[i](&b), VT_OK);
		buf_release(&b);
		buf_release(&other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_failed_allocation_leaves_the_contents_alone),
	    cmocka_unit_test(a_first_allocation_that_fails_leaves_an_empty_buffer),
	    cmocka_unit_test(after_a_failure_nothing_is_appended_until_the_buffer_is_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
