/* check_proof POLICY ENTRY < PROOF: does the tlog-proof hold for this entry under this policy? Both are given as texts. */
#include <stdio.h>
#include <vitrine/tlog_proof.h>

static char text[TLOG_PROOF_SIZE_MAX + 1];

int main(int argc, char **argv)
{
	struct merkle_hasher h = {0};
	struct policy *policy = NULL;
	struct merkle_hash leaf;
	struct tlog_proof p;
	bool holds;

	tlog_proof_init(&p);
	holds =
	    argc == 3 && merkle_hasher_init(&h) == VT_OK &&
	    policy_parse(&policy, bytes_str(argv[1]), NULL) == VT_OK &&
	    tlog_proof_parse(&p, bytes_of(text, fread(text, 1, sizeof(text), stdin))) == VT_OK &&
	    merkle_hash_leaf(&leaf, &h, bytes_str(argv[2])) == VT_OK &&
	    tlog_proof_verify(NULL, NULL, NULL, &h, &p, &leaf, policy) == VT_OK;
	if (holds)
		printf("entry %llu holds\n", (unsigned long long)p.index);
	tlog_proof_release(&p);
	policy_free(policy);
	merkle_hasher_release(&h);
	return !holds;
}
