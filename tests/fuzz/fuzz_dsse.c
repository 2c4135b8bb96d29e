/*
 * DSSE envelopes: what is taken, written out again, is taken as the same, and written out again gives the same bytes; what
 * is refused is refused for a reason and leaves nothing.
 */
#include "dsse.h"
#include "fuzz_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct problem why = {0};
	struct buf once, twice;
	struct dsse d, again;
	enum vt_err err = dsse_parse(&d, bytes_of(data, size), &why);

	if (err != VT_OK) {
		MUST(err == VT_EMALFORMED || err == VT_ELIMIT);
		MUST(why.type != NULL && why.detail[0] != '\0');
		MUST(utf8_valid(bytes_str(why.detail)));
		MUST(d.n == 0 && d.memory.data == NULL);
		return 0;
	}
	MUST(d.n >= 1 && d.n <= DSSE_SIGNATURES_MAX);
	buf_init(&once);
	buf_init(&twice);
	MUST(dsse_write(&once, d.payload, d.sig, d.n) == VT_OK);
	MUST(dsse_parse(&again, buf_bytes(&once), &why) == VT_OK);
	MUST(bytes_equal(again.payload, d.payload) && again.n == d.n);
	for (size_t i = 0; i < d.n; i++) {
		MUST(bytes_equal(again.sig[i].keyid, d.sig[i].keyid));
		MUST(bytes_equal(again.sig[i].sig, d.sig[i].sig));
	}
	MUST(dsse_write(&twice, again.payload, again.sig, again.n) == VT_OK);
	MUST(bytes_equal(buf_bytes(&once), buf_bytes(&twice)));
	dsse_release(&d);
	dsse_release(&again);
	buf_release(&once);
	buf_release(&twice);
	return 0;
}
