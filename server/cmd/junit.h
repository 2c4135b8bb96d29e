/*
 * Test results out of a JUnit XML report. Nobody has standardised the format, so what tools write is taken as they mean it (docs/records.md,
 * "Results from JUnit reports"), and what cannot be understood is refused rather than taken for a passed test.
 */
#ifndef CMD_JUNIT_H
#define CMD_JUNIT_H

#include "vitrine/bytes.h"

enum {
	JUNIT_SIZE_MAX = 64 * 1024 * 1024,
	/* bytes of a test's name; longer ones are cut, and a note says so */
	JUNIT_NAME_MAX = 4096,
	JUNIT_WHY_SIZE = 320,
};

struct junit_names {
	char **name;
	size_t n;
};

/* {0} is an empty report. */
struct junit_report {
	/*
	 * "classname.name", or "name" where there is no other class name; each test case stands in one list. not_run: skipped,
	 * disabled, or never started. failed also holds what failed outside the test cases.
	 */
	struct junit_names passed, failed, not_run;
	/* How many more did not run than not_run has names: a name there may stand for several. */
	size_t unnamed_not_run;
	/* What was understood but is worth a word, e.g. ":3:5: a test case without a name ...". */
	struct junit_names notes;
};

/*
 * Parse into *out, which junit_release() releases, also after a failure. A reason and a note continue the file's name: ":LINE:COLUMN: text",
 * or ": text" where there is no place.
 * VT_EMALFORMED: not XML, not JUnit, or it contradicts itself; VT_ELIMIT: too large or nested too deeply; VT_ENOMEM.
 */
enum vt_err junit_parse(struct junit_report *out, struct bytes xml, char why[JUNIT_WHY_SIZE]);
/* Move the tests of `from` to the end of `into`'s. Notes stay where they are. VT_ENOMEM: both can still be released. */
enum vt_err junit_add(struct junit_report *into, struct junit_report *from);
/* Tests of one name become "name", "name (2)", ... in the order of failed, not run, passed. */
enum vt_err junit_number_repeats(struct junit_report *r);
/* "FAILED" if anything failed; else "PASSED" if a test ran; else NULL: nothing ran. */
const char *junit_result(const struct junit_report *r);
/* How many tests did not run. */
size_t junit_not_run(const struct junit_report *r);
void junit_release(struct junit_report *r);

/* VT_OK: the name is the list's from then on. */
enum vt_err junit_names_add(struct junit_names *names, char *name);

#endif
