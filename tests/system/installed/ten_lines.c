/* ten_lines POLICY ENTRY < PROOF: the ten lines are those of main(). */
#include <stdio.h>
#include <vitrine/tlog_proof.h>

static char text[TLOG_PROOF_SIZE_MAX + 1];

int main(int argc, char **argv)
{
	struct policy *policy = NULL;
	struct merkle_hasher h;
	struct merkle_hash leaf;
	struct tlog_proof p;
	size_t n = fread(text, 1, sizeof(text), stdin);

	tlog_proof_init(&p);
	if (argc != 3 || merkle_hasher_init(&h) != VT_OK ||
	    policy_parse(&policy, bytes_str(argv[1]), NULL) != VT_OK ||
	    tlog_proof_parse(&p, bytes_of(text, n)) != VT_OK ||
	    merkle_hash_leaf(&leaf, &h, bytes_str(argv[2])) != VT_OK ||
	    tlog_proof_verify(NULL, NULL, NULL, &h, &p, &leaf, policy) != VT_OK)
		return 1;
	printf("entry %llu holds\n", (unsigned long long)p.index);
	return 0;
}
