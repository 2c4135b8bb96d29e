/*
 * Property: a policy that parses is satisfied by all of its witnesses, by none of them only if it
 * needs none, and a further cosignature never breaks a quorum; one that does not parse gives a line
 * of the file, or the one after it, and a printable reason.
 */
#include <string.h>

#include "fuzz_target.h"
#include "vitrine/policy.h"

static void must_explain(const struct policy_error *why, struct bytes text)
{
	size_t lines = 1;

	for (size_t i = 0; i < text.len; i++)
		lines += text.data[i] == '\n';
	MUST(why->line >= 1 && why->line <= lines);
	MUST(why->text[0] != '\0' && memchr(why->text, '\0', sizeof(why->text)) != NULL);
	for (const char *c = why->text; *c != '\0'; c++)
		MUST(*c >= 0x20 && *c <= 0x7e);
}

static void must_be_monotonic(const struct policy *p, uint8_t seed)
{
	bool cosigned[POLICY_WITNESSES_MAX] = {false};
	size_t n = policy_witness_count(p);
	bool held = policy_quorum(p, cosigned);

	MUST(held == !policy_needs_witnesses(p));
	for (size_t i = 0; i < n; i++) {
		cosigned[(i + seed) % n] = true;
		MUST(!held || policy_quorum(p, cosigned));
		held = policy_quorum(p, cosigned);
	}
	MUST(held);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);
	struct policy_error why;
	struct policy *p;

	if (policy_parse(&p, text, &why) != VT_OK) {
		MUST(p == NULL);
		must_explain(&why, text);
		return 0;
	}
	MUST(policy_log_count(p) <= POLICY_LOGS_MAX);
	MUST(policy_witness_count(p) <= POLICY_WITNESSES_MAX);
	must_be_monotonic(p, data[0]);
	policy_free(p);
	return 0;
}
