/* The reports that --junit names: files, and folders of files, read into one list of tests. */
#ifndef CMD_JUNIT_FILES_H
#define CMD_JUNIT_FILES_H

#include "junit.h"
#include "options.h"

enum {
	/* --junit options */
	JUNIT_SOURCES_MAX = 64,
	/* reports in all */
	JUNIT_FILES_MAX = 10000,
};

/* One --junit option, as the record names it. */
struct junit_source {
	/* Without slashes behind it. */
	char *path;
	/* Without the folders before it; points into `path`. */
	const char *name;
	/* SHA-256 of the file; of a folder: of what sha256sum prints for the files in it. */
	char hex[65];
};

struct junit_input {
	struct junit_report tests;
	size_t n;
	struct junit_source source[JUNIT_SOURCES_MAX];
};

/*
 * Read all that `paths` names. A folder stands for every file in it and in its subfolders whose name ends in ".xml", in the order of their names'
 * bytes; a report that was read already is left out. Remarks and reasons go to standard error, beginning with `command`.
 * Returns the exit code; *in is to be released in any case.
 */
int junit_read(const char *command, const struct option_list *paths, struct junit_input *in);
void junit_input_release(struct junit_input *in);

#endif
