/* The extra line of a proof: it comes from whoever hands over the file. Parsing it yields entries or a reason why not. */
#include "extra.h"
#include "fuzz_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct tree_head head = {.size = 1000};
	static struct merkle_hasher h;
	struct problem why = {0};
	struct extra_verdict v;
	struct extra *x;
	enum vt_err err = extra_parse(&x, bytes_of(data, size), &why);

	if (err != VT_OK) {
		MUST(err == VT_EMALFORMED || err == VT_ELIMIT);
		MUST(x == NULL && why.type != NULL);
		return 0;
	}
	if (h.md == NULL)
		MUST(merkle_hasher_init(&h) == VT_OK);
	/* Nothing is included under a root of zeros, and an entry without support is nobody's. */
	MUST(extra_verify(&v, &h, x, 999, &head, "log.example", bytes_of(NULL, 0), &why) != VT_OK);
	MUST(v.registry == NULL && v.record == NULL);
	extra_free(x);
	return 0;
}
