/*
 * Property: whatever the bytes are, a report is read or refused with a reason; what is read has valid UTF-8 names, none of them empty, and
 * is PASSED only if a test ran and nothing failed. The corpus is tests/vectors/junit.
 */
#include "fuzz_target.h"
#include "junit.h"

#include <string.h>

static void check_names(const struct junit_names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		MUST(names->name[i][0] != '\0');
		MUST(strlen(names->name[i]) <= JUNIT_NAME_MAX);
		MUST(utf8_valid(bytes_str(names->name[i])));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct junit_report r;
	char why[JUNIT_WHY_SIZE];
	enum vt_err err = junit_parse(&r, bytes_of(data, size), why);
	const char *result;

	MUST(err == VT_OK || err == VT_EMALFORMED || err == VT_ELIMIT);
	if (err != VT_OK) {
		MUST(why[0] == ':' && strlen(why) > 2);
	} else {
		MUST(junit_number_repeats(&r) == VT_OK);
		check_names(&r.passed);
		check_names(&r.failed);
		check_names(&r.not_run);
		result = junit_result(&r);
		if (result != NULL && strcmp(result, "PASSED") == 0)
			MUST(r.passed.n > 0 && r.failed.n == 0);
	}
	junit_release(&r);
	return 0;
}
