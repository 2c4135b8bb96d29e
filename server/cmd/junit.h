/* Test results out of a JUnit XML report. The only user of Expat. */
#ifndef CMD_JUNIT_H
#define CMD_JUNIT_H

#include "vitrine/bytes.h"

enum {
	JUNIT_SIZE_MAX = 64 * 1024 * 1024,
	JUNIT_TESTS_MAX = 10000,
};

struct junit_names {
	char **name; /* "classname.name", or "name" where there is no other class name */
	size_t n;
};

/* Skipped tests are in none of the lists: they say nothing. */
struct junit_report {
	struct junit_names passed, failed;
	size_t skipped;
};

/* why: at least 160 bytes. VT_EMALFORMED: not XML, not JUnit, a DTD; VT_ELIMIT; VT_ENOMEM. */
enum vt_err junit_parse(struct junit_report *out, struct bytes xml, char why[160]);
void junit_release(struct junit_report *r);

#endif
