/*
 * Property: what evidence_parse() takes is what evidence_format() writes, byte for byte; and what verifies
 * is signed by the corpus's log, so that its heads are ones that the corpus has.
 */
#include "fuzz_target.h"
#include "vitrine/evidence.h"

static const char vkey_text[] =
    "log.example/evidence+dfada5d4+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs";

/* Every head of tests/vectors/evidence. */
static bool was_signed(uint64_t size)
{
	return (size > 0 && size <= 7) || size == 1000000007;
}

static void must_reserialise(const struct evidence *e, struct bytes text)
{
	struct buf back;

	buf_init(&back);
	MUST(evidence_format(&back, e) == VT_OK);
	MUST(bytes_equal(buf_bytes(&back), text));
	buf_release(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);
	struct merkle_hasher h;
	struct evidence e;
	struct vkey log;
	const char *why;

	MUST(vkey_parse(&log, bytes_str(vkey_text)) == VT_OK);
	MUST(merkle_hasher_init(&h) == VT_OK);
	if (evidence_parse(&e, text) == VT_OK)
		must_reserialise(&e, text);
	if (evidence_verify(&e, &why, &h, text, &log) == VT_OK) {
		MUST(why[0] == '\0');
		MUST(was_signed(e.first.cp.head.size) && was_signed(e.second.cp.head.size));
		MUST(e.first.cp.head.size <= e.second.cp.head.size);
		MUST(!merkle_hash_equal(&e.first.cp.head.root, &e.second.cp.head.root));
	} else {
		MUST(why[0] != '\0');
	}
	merkle_hasher_release(&h);
	return 0;
}
