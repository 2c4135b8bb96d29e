/*
 * Statements and the predicates' own rules: the verdict on a payload does not depend on its white space or on the way its
 * strings are escaped; what is refused is refused for a reason that can be shown, and leaves nothing.
 */
#include "fuzz_target.h"
#include "json.h"
#include "statement.h"

static void check_refusal(enum vt_err err, const struct problem *why)
{
	MUST(err == VT_EMALFORMED);
	MUST(why->type != NULL && why->detail[0] != '\0');
	MUST(utf8_valid(bytes_str(why->detail)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct problem why = {0}, again_why = {0};
	struct statement s, again;
	struct buf text;
	enum vt_err err = statement_parse(&s, bytes_of(data, size), &why), rules;

	if (err != VT_OK) {
		check_refusal(err, &why);
		MUST(s.json == NULL && s.digest == NULL);
		return 0;
	}
	MUST(s.n_subjects >= 1 && s.n_subjects <= STATEMENT_SUBJECTS_MAX);
	MUST(s.n_digests >= s.n_subjects && s.n_digests <= STATEMENT_DIGESTS_MAX);
	rules = statement_check_predicate(&s, &why);
	if (rules != VT_OK)
		check_refusal(rules, &why);
	buf_init(&text);
	MUST(json_write(&text, s.json, JSON_COMPACT) == VT_OK);
	MUST(statement_parse(&again, buf_bytes(&text), &again_why) == VT_OK);
	MUST(bytes_equal(again.predicate_type, s.predicate_type));
	MUST(again.n_digests == s.n_digests);
	for (size_t i = 0; i < s.n_digests; i++)
		MUST(bytes_equal(again.digest[i].hex, s.digest[i].hex));
	MUST(statement_check_predicate(&again, &again_why) == rules);
	MUST(rules == VT_OK || again_why.type == why.type);
	statement_release(&s);
	statement_release(&again);
	buf_release(&text);
	return 0;
}
