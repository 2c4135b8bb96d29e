/* Reading one JUnit report: shared by the files that do it, nobody else's business. */
#ifndef CMD_JUNIT_PRIVATE_H
#define CMD_JUNIT_PRIVATE_H

#include "junit.h"
#include "junit_text.h"

enum { JUNIT_DEPTH_MAX = 64 };

enum outcome { RAN, FAILED, NOT_RUN, UNKNOWN };

/* Tests that are counted, and that nothing shows or explains. */
struct unseen {
	uint64_t n;
	/* Of the first suite that counts such tests. */
	size_t offset;
	uint64_t counted;
	size_t shown;
};

/* A testsuite or testsuites that is open: what its attributes say, and what was shown inside it so far. */
struct suite {
	/* or NULL */
	char *name;
	size_t offset;
	/* <testsuites> */
	bool root_list;
	bool counts_tests;
	/* Failures and errors, both of them. */
	bool counts_bad;
	/* What the attributes count; bad: failures and errors. */
	uint64_t tests, bad, skipped;
	size_t shown_bad, shown_skipped;
	/* In all suites inside it too. */
	size_t cases;
	/* Test cases and suites directly inside it. */
	size_t children;
	/* Cases called like the one before them: runs of a test that was run again. */
	size_t repeats;
	/* Something inside it tells of a rerun. */
	bool reran;
	/* Why more tests may be counted than are shown; or NULL. */
	const char *other_counts;
	/* How many more may be counted in it: runs of a test that was run again, and what other_counts explains. */
	uint64_t more_runs;
	/* In it and in the suites inside it. */
	struct unseen unseen;
};

struct test_case {
	bool open;
	size_t offset;
	unsigned depth;
	char *name;
	enum outcome status;
	/* How many elements inside it say so. */
	size_t bad, reruns, flaky, skipped;
	/* Its status is CTest's word. */
	bool ctest_notrun;
	/* ... and nobody chose that. */
	bool could_not_run;
};

struct reader {
	/* Expat's */
	struct XML_ParserStruct *parser;
	struct bytes text;
	struct junit_report *report;
	char *why;
	enum vt_err err;
	unsigned depth, n_suites;
	struct suite suite[JUNIT_DEPTH_MAX];
	struct test_case test;
	struct junit_place place;
	/* Of the test case before, in the same suite. */
	char *last_name;
	size_t notes, flaky_tests;
};

/* -- junit.c: places, and what is told of them. Out of memory, and what cannot be understood, stops the reading: r->err ------- */

/* Where the parser is, in the clean text. */
size_t junit_offset(const struct reader *r);
/* The first reason stays. */
void junit_stop_at(struct reader *r, enum vt_err err, size_t offset, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void junit_stop_no_memory(struct reader *r);
void junit_note_at(struct reader *r, size_t offset, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The name is the list's from then on; NULL: there was no memory for it. */
void junit_list_test(struct reader *r, struct junit_names *list, char *name);

/* -- junit_words.c. Attributes are Expat's: names and values by turns, then NULL --------------------------------------------- */

bool junit_is_named(const char *name, const char *in_lower_case);
/* Its value, or NULL. */
const char *junit_attribute(const char **attributes, const char *name);
/* The list ends with NULL. In any letter case. */
bool junit_is_one_of(const char *word, const char *const *list);
enum outcome junit_word_outcome(const char *word);
/* The attributes that tell how a test or a suite ended. */
enum { JUNIT_TELLING = 4 };
extern const char *const junit_telling[JUNIT_TELLING];
/* What one of them says; not there, or empty: RAN. */
enum outcome junit_told_outcome(const char **attributes, const char *name);

/* How many bytes of this UTF-8 text, at most max, end with a whole character. For "%.*s". */
int junit_whole_characters(const char *text, size_t max);

/* -- junit_suites.c ------------------------------------------------------------------------------------------------------- */

void junit_open_suite(struct reader *r, bool root_list, const char **attributes);
/* The innermost one: its counters are checked, and what it shows counts for the one around it. */
void junit_close_suite(struct reader *r);

#endif
