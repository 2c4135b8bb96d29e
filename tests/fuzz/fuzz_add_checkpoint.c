/*
 * Properties: a body that add_checkpoint_parse() takes is, written again from what it found, the same
 * bytes. A witness that is given any bytes cosigns or says why not, never both, and cosigns nothing
 * that does not parse.
 */
#include <string.h>

#include "add_checkpoint.h"
#include "cosigner.h"
#include "fuzz_target.h"
#include "logline.h"
#include "scratch.h"
#include "test_signer.h"

/* The log of tests/vectors/witness/litewitness.txt, from where the corpus has its signatures. */
#define ORIGIN "sigsum.org/v1/tree/4d6d8825a6bb689d459628312889dfbb0bcd41b5211d9e1ce768b0ff0309e562"

static struct cosigner *the_witness(void)
{
	static const char text[] =
	    "log " ORIGIN "+5202289b+Af/cLU2Y5BJNP+r3iMDC+av9eWCD0fBJVDfzAux5zxAP\nquorum none\n";
	static struct note_signer key;
	static struct cosigner *c;
	char why[COSIGNER_WHY_MAX];
	struct policy *policy;

	if (c != NULL)
		return c;
	logline_configure(LOGLINE_ERROR, false);
	key = test_signer("witness.example/fuzz", VKEY_TYPE_COSIGNATURE_ED25519, 1);
	MUST(policy_parse(&policy, bytes_str(text), NULL) == VT_OK);
	struct cosigner_config config = {
	    .state_path = scratch_folder(), .signer = &key, .policy = policy};
	MUST(cosigner_create(config.state_path, &key.key, policy, why) == VT_OK);
	MUST(cosigner_open(&c, &config, why) == VT_OK);
	policy_free(policy);
	return c;
}

static void write_again(struct buf *out, const struct add_checkpoint *add)
{
	MUST(buf_append_str(out, "old ") == VT_OK);
	MUST(buf_append_decimal(out, add->old_size) == VT_OK);
	MUST(buf_append_byte(out, '\n') == VT_OK);
	for (size_t i = 0; i < add->proof.n; i++) {
		MUST(buf_append_base64(out, bytes_of(add->proof.hash[i].b, MERKLE_HASH_SIZE)) ==
		     VT_OK);
		MUST(buf_append_byte(out, '\n') == VT_OK);
	}
	MUST(buf_append_byte(out, '\n') == VT_OK);
	MUST(buf_append(out, add->note) == VT_OK);
}

static bool parses(struct bytes body)
{
	struct add_checkpoint add;
	const char *why = NULL;
	struct buf again;

	if (add_checkpoint_parse(&add, body, &why) != VT_OK) {
		MUST(why != NULL);
		return false;
	}
	MUST(add.proof.n <= ADD_CHECKPOINT_PROOF_MAX);
	buf_init(&again);
	write_again(&again, &add);
	MUST(bytes_equal(buf_bytes(&again), body));
	buf_release(&again);
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes body = bytes_of(data, size);
	struct cosigner_answer a;
	bool good = parses(body);
	enum vt_err err;

	cosigner_answer_init(&a);
	err = cosigner_add_checkpoint(the_witness(), body, &a);
	MUST((err == VT_OK) == (a.lines.len > 0));
	MUST((err == VT_OK) == (a.why[0] == '\0'));
	MUST(good || err == VT_EMALFORMED);
	MUST(err == VT_OK || err == VT_EMALFORMED || err == VT_EUNTRUSTED || err == VT_ENOTFOUND ||
	     err == VT_ECONFLICT || err == VT_EMISMATCH);
	cosigner_answer_release(&a);
	return 0;
}
