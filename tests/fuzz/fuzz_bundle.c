/*
 * Property: a bundle that splits to its end is the concatenation of its entries as bundle_append
 * writes them; one that does not keeps the part that does not split.
 */
#include "fuzz_target.h"
#include "vitrine/tile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = bytes_of(data, size), entry;
	struct buf back;

	buf_init(&back);
	while (rest.len != 0 && bundle_next(&entry, &rest) == VT_OK)
		MUST(bundle_append(&back, entry) == VT_OK);
	MUST(back.len + rest.len == size);
	MUST(bytes_equal(buf_bytes(&back), bytes_of(data, back.len)));
	buf_release(&back);
	return 0;
}
