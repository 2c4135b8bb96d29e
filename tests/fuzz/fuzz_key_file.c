/*
 * Property: whatever bytes somebody gives as a key are refused with a reason, or are a public key whose own SPKI is the same key again;
 * and what they are can be said in words. OpenSSH's private format is parsed within its bytes.
 */
#include <string.h>

#include "file_kind.h"
#include "fuzz_target.h"
#include "keys_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes file = bytes_of(data, size);
	struct party_key *key, *again;
	struct why why = {""};
	struct bytes seed;
	const char *fault = text_fault(file);

	if (openssh_private(&seed, file, &why) == VT_OK)
		MUST(seed.len == 32 && seed.data >= data && seed.data + seed.len <= data + size);
	MUST(file_kind_text(file)[0] != '\0');
	MUST(fault == NULL || fault[0] != '\0');
	if (party_key_parse(&key, file, &why) != VT_OK) {
		MUST(key == NULL && why.text[0] != '\0' && strlen(why.text) + 1 < sizeof(why.text));
		return 0;
	}
	MUST(party_key_parse(&again, party_key_spki(key), NULL) == VT_OK);
	MUST(merkle_hash_equal(party_key_id(key), party_key_id(again)));
	party_key_free(again);
	party_key_free(key);
	return 0;
}
