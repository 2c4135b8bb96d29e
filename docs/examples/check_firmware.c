/*
 * check_firmware POLICY CENTRE FIRMWARE PROOF: did an accredited laboratory find that this very file passed? All four are files; CENTRE is
 * the centre's first public key.
 */
#include <stdio.h>
#include <stdlib.h>
#include <vitrine/record_proof.h>

static struct bytes read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	long size = f != NULL && fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
	char *data = size >= 0 && fseek(f, 0, SEEK_SET) == 0 ? malloc((size_t)size + 1) : NULL;

	if (data == NULL || fread(data, 1, (size_t)size, f) != (size_t)size) {
		perror(path);
		exit(3);
	}
	fclose(f);
	return bytes_of(data, (size_t)size);
}

static const char *judge(const struct record_proof *p, struct bytes firmware)
{
	const struct record_proof_says *says = record_proof_says(p);

	if (record_proof_about(p, firmware) != VT_OK)
		return "the record is not about this file";
	if (!says->admission_proven)
		return "the proof does not show who signed";
	if (says->result == NULL || !bytes_is(bytes_str(says->result), "PASSED"))
		return "it is no verdict that says PASSED";
	return NULL;
}

int main(int argc, char **argv)
{
	char why[RECORD_PROOF_WHY_MAX] = "it takes a policy, a key, a firmware file and a proof";
	struct bytes file[4] = {{0}};
	struct policy *policy = NULL;
	struct record_proof *p = NULL;
	const char *fault = why;

	for (int i = 0; i < 4 && argc == 5; i++)
		file[i] = read_file(argv[i + 1]);
	if (argc == 5 && policy_parse(&policy, file[0], NULL) == VT_OK &&
	    record_proof_check(&p, file[3], policy, file[1], bytes_of(NULL, 0), why) == VT_OK)
		fault = judge(p, file[2]);
	if (fault == NULL)
		printf("PASSED, says %s (entry %llu)\n", record_proof_says(p)->signer[0].party,
		       (unsigned long long)record_proof_says(p)->index);
	else
		printf("not shown: %s\n", fault);
	record_proof_free(p);
	policy_free(policy);
	for (int i = 0; i < 4; i++)
		free((void *)(uintptr_t)file[i].data);
	return fault != NULL;
}
