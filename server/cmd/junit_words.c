/* The words of JUnit reports: names of elements and attributes, and what they say of a test. */
#include "junit_private.h"

#include <string.h>
#include <strings.h>

/* Some tools write capitals: Failures="1", <TestCase>, <Failure>. */
bool junit_is_named(const char *name, const char *in_lower_case)
{
	return strcasecmp(name, in_lower_case) == 0;
}

const char *junit_attribute(const char **attributes, const char *name)
{
	for (; attributes[0] != NULL; attributes += 2)
		if (junit_is_named(attributes[0], name))
			return attributes[1];
	return NULL;
}

/* The words of CTest, GoogleTest, Bazel, behave, Katalon, NUnit's converters and others. */
static const char *const words_ran[] = {
    "run",       "passed",   "pass",     "ok",       "success", "successful", "succeeded",
    "completed", "complete", "executed", "finished", "done",    NULL};
static const char *const words_failed[] = {
    "fail",    "failed", "failure", "error",    "errored",   "broken",    "crash", "crashed",
    "aborted", "killed", "timeout", "timedout", "timed out", "undefined", NULL};
static const char *const words_not_run[] = {"notrun",     "not run",   "not_run",      "disabled",
					    "skipped",    "skip",      "ignored",      "ignore",
					    "suppressed", "pending",   "todo",         "untested",
					    "blocked",    "cancelled", "inconclusive", NULL};

bool junit_is_one_of(const char *word, const char *const *list)
{
	while (*list != NULL && strcasecmp(word, *list) != 0)
		list++;
	return *list != NULL;
}

enum outcome junit_word_outcome(const char *word)
{
	return junit_is_one_of(word, words_failed)    ? FAILED
	       : junit_is_one_of(word, words_not_run) ? NOT_RUN
	       : junit_is_one_of(word, words_ran)     ? RAN
						      : UNKNOWN;
}

/* GoogleTest has a result beside the status; success and executed are NUnit's, and true or false. */
const char *const junit_telling[JUNIT_TELLING] = {"status", "result", "success", "executed"};

enum outcome junit_told_outcome(const char **attributes, const char *name)
{
	static const char *const yes[] = {"true", "yes", "1", NULL};
	static const char *const no[] = {"false", "no", "0", NULL};
	const char *word = junit_attribute(attributes, name);
	bool executed = strcmp(name, "executed") == 0;

	if (word == NULL || *word == '\0')
		return RAN;
	if (!executed && strcmp(name, "success") != 0)
		return junit_word_outcome(word);
	return junit_is_one_of(word, yes)   ? RAN
	       : !junit_is_one_of(word, no) ? UNKNOWN
	       : executed                   ? NOT_RUN
					    : FAILED;
}

int junit_whole_characters(const char *text, size_t max)
{
	size_t n = strnlen(text, max + 1);

	if (n <= max)
		return (int)n;
	for (n = max; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80;)
		n--;
	return (int)n;
}
