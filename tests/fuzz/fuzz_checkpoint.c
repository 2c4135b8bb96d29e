/*
 * Property: what checkpoint_parse() takes is what checkpoint_format() writes, and the extension
 * lines, byte for byte.
 */
#include <string.h>

#include "fuzz_target.h"
#include "vitrine/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);
	struct checkpoint cp;
	struct buf origin, back;
	char *name;

	if (checkpoint_parse(&cp, text) != VT_OK)
		return 0;
	buf_init(&origin);
	buf_init(&back);
	MUST(note_text_valid(text));
	MUST(buf_append(&origin, cp.origin) == VT_OK);
	MUST((name = buf_detach_str(&origin)) != NULL);
	MUST(strlen(name) == cp.origin.len);
	MUST(checkpoint_format(&back, name, &cp.head) == VT_OK);
	MUST(buf_append(&back, cp.extensions) == VT_OK);
	MUST(bytes_equal(buf_bytes(&back), text));
	free(name);
	buf_release(&origin);
	buf_release(&back);
	return 0;
}
