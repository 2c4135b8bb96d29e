/*
 * Property: what tlog_proof_parse() takes is what tlog_proof_format() writes, byte for byte; and
 * only the entry that the corpus is about verifies, whatever else is in the file.
 */
#include "fuzz_target.h"
#include "vitrine/tlog_proof.h"

/* The log and one witness of the corpus, whose proofs are of the entry "entry 73" of 109. */
static const char policy_text[] =
    "log log.example/vectors+d39d7c86+AY+v73DpKI3hRfY+0LQ4BzOyWYWz1VozLzFpMQgdJ+70\n"
    "witness w witness00.example+df8fe032+BFhlamwgrqWpGJSwFOPYHjsctOBftDNYCqbnPYoKJOgN\n"
    "quorum w\n";

static void must_reserialise(const struct tlog_proof *p, struct bytes text)
{
	struct bytes extra = buf_bytes(&p->extra);
	struct buf back;

	buf_init(&back);
	if (p->has_extra && extra.data == NULL)
		extra.data = (const uint8_t *)"";
	MUST(p->has_extra || extra.len == 0);
	MUST(tlog_proof_format(&back, p->has_extra ? extra : bytes_of(NULL, 0), p->index, &p->proof,
			       p->checkpoint) == VT_OK);
	MUST(bytes_equal(buf_bytes(&back), text));
	buf_release(&back);
}

static void try_verify(const struct tlog_proof *p)
{
	struct merkle_hasher h;
	struct merkle_hash leaf;
	struct policy *policy;
	struct checkpoint cp;

	MUST(policy_parse(&policy, bytes_str(policy_text), NULL) == VT_OK);
	MUST(merkle_hasher_init(&h) == VT_OK);
	MUST(merkle_hash_leaf(&leaf, &h, bytes_str("entry 73")) == VT_OK);
	if (tlog_proof_verify(NULL, &cp, NULL, &h, p, &leaf, policy) == VT_OK)
		MUST(p->index == 73 && cp.head.size == 109);
	MUST(merkle_hash_leaf(&leaf, &h, bytes_str("entry 74")) == VT_OK);
	MUST(tlog_proof_verify(NULL, NULL, NULL, &h, p, &leaf, policy) != VT_OK);
	merkle_hasher_release(&h);
	policy_free(policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);
	struct tlog_proof p;

	tlog_proof_init(&p);
	if (tlog_proof_parse(&p, text) == VT_OK) {
		must_reserialise(&p, text);
		try_verify(&p);
	} else {
		MUST(p.extra.data == NULL && p.checkpoint.len == 0);
	}
	tlog_proof_release(&p);
	return 0;
}
