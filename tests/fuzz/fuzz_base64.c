/*
 * Property: whatever base64_decode takes has one text per alphabet and padding, so encoding what
 * it stands for gives the same text back; and BASE64_ANY takes everything that BASE64_STANDARD
 * does.
 */
#include <string.h>

#include "fuzz_target.h"
#include "vitrine/bytes.h"

/* Is `text` what `standard` becomes with the URL-safe alphabet where text has it, cut to length? */
static void must_be_a_form_of(struct bytes text, struct bytes standard)
{
	size_t pad = 0;

	MUST(text.len <= standard.len);
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i] == '-' ? '+' : text.data[i] == '_' ? '/' : text.data[i];

		MUST(c == standard.data[i]);
	}
	for (size_t i = text.len; i < standard.len; i++, pad++)
		MUST(standard.data[i] == '=');
	MUST(pad <= 2);
	MUST(memchr(text.data, '-', text.len) == NULL || memchr(text.data, '+', text.len) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);
	struct buf any, standard, back;

	buf_init(&any);
	buf_init(&standard);
	buf_init(&back);
	if (buf_append_decoded_base64(&any, text, BASE64_ANY) == VT_OK) {
		MUST(buf_append_base64(&back, buf_bytes(&any)) == VT_OK);
		if (size != 0)
			must_be_a_form_of(text, buf_bytes(&back));
		MUST((buf_append_decoded_base64(&standard, text, BASE64_STANDARD) == VT_OK) ==
		     bytes_equal(text, buf_bytes(&back)));
	} else {
		MUST(buf_append_decoded_base64(&standard, text, BASE64_STANDARD) != VT_OK);
		MUST(any.len == 0);
	}
	buf_release(&any);
	buf_release(&standard);
	buf_release(&back);
	return 0;
}
