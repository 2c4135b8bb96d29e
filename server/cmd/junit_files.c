/* Finds and reads the reports that --junit names, tells what was remarkable in them, and takes their digests. */
#include "junit_files.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "cmd.h"
#include "durable.h"
#include "vitrine/merkle.h"

enum {
	FOLDERS_OPEN_MAX = 16,
};

struct reading {
	const char *command;
	struct junit_input *in;
	struct merkle_hasher h;
	/* Of each report that was read. */
	struct merkle_hash *seen;
	size_t n_seen;
};

/* -- one report ------------------------------------------------------------------------------------- */

static int no_memory(const struct reading *r)
{
	return cmd_fail(r->command, CMD_UNSURE, "--junit: out of memory");
}

static bool seen_before(struct reading *r, const struct merkle_hash *digest)
{
	for (size_t i = 0; i < r->n_seen; i++)
		if (memcmp(r->seen[i].b, digest->b, sizeof(digest->b)) == 0)
			return true;
	return false;
}

static int take_report(struct reading *r, const char *path, struct bytes xml)
{
	struct junit_report one;
	char why[JUNIT_WHY_SIZE];
	enum vt_err err = junit_parse(&one, xml, why);
	int code = CMD_HOLDS;

	for (size_t i = 0; i < one.notes.n; i++)
		(void)cmd_fail(r->command, CMD_HOLDS, "note: %s%s", path, one.notes.name[i]);
	if (err != VT_OK)
		code = cmd_fail(r->command, err == VT_ENOMEM ? CMD_UNSURE : CMD_USAGE,
				"--junit %s%s", path, why);
	else if (junit_add(&r->in->tests, &one) != VT_OK)
		code = no_memory(r);
	junit_release(&one);
	return code;
}

/* Its digest is in *digest also where the report was left out. */
static int read_report(struct reading *r, const char *path, struct merkle_hash *digest)
{
	struct bytes part;
	struct buf xml;
	enum vt_err err;
	int code;

	buf_init(&xml);
	if ((err = file_read(&xml, path, JUNIT_SIZE_MAX)) != VT_OK) {
		code = cmd_fail(r->command, err == VT_ELIMIT ? CMD_USAGE : CMD_UNSURE,
				err == VT_ELIMIT ? "--junit %s: larger than 64 MiB (%s)"
						 : "--junit %s: %s",
				path, file_fault(err));
		goto done;
	}
	part = buf_bytes(&xml);
	if (merkle_sha256(digest, &r->h, &part, 1) != VT_OK)
		code = no_memory(r);
	else if (seen_before(r, digest))
		code = cmd_fail(r->command, CMD_HOLDS,
				"note: %s: the same report was read already, and is counted once",
				path);
	else if (r->n_seen == JUNIT_FILES_MAX)
		code = cmd_fail(r->command, CMD_USAGE, "--junit: more than %d reports",
				JUNIT_FILES_MAX);
	else {
		r->seen[r->n_seen++] = *digest;
		code = take_report(r, path, part);
	}
done:
	buf_release(&xml);
	return code;
}

/* -- a folder --------------------------------------------------------------------------------------- */

/* What nftw() found; it hands its function nothing of the caller's. */
static struct junit_names found;
static const char *unreadable_folder;

static enum vt_err pass_name(void *ctx, const char *name)
{
	(void)ctx;
	(void)name;
	return VT_OK;
}

/* nftw() takes a folder in which reading fails half-way for a shorter one, and the reports behind that for none. */
static bool is_unreadable(const char *path, int type)
{
	return (type != FTW_D && type != FTW_DP) || folder_each(path, pass_name, NULL) != VT_OK;
}

static int note_file(const char *path, const struct stat *st, int type, struct FTW *where)
{
	size_t len = strlen(path);
	char *copy;

	(void)st;
	(void)where;
	if ((type == FTW_F || type == FTW_SLN) &&
	    (len < 4 || strcasecmp(path + len - 4, ".xml") != 0))
		return 0;
	if (type != FTW_F && type != FTW_SLN && !is_unreadable(path, type))
		return 0;
	if ((copy = strdup(path)) == NULL)
		return -1;
	if (type == FTW_F || type == FTW_SLN) {
		if (junit_names_add(&found, copy) == VT_OK)
			return 0;
		free(copy);
		return -1;
	}
	unreadable_folder = copy;
	return 1;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int find_reports(const struct reading *r, const char *folder)
{
	int stopped;

	found = (struct junit_names){0};
	unreadable_folder = NULL;
	stopped = nftw(folder, note_file, FOLDERS_OPEN_MAX, 0);
	if (unreadable_folder != NULL) {
		(void)cmd_fail(r->command, CMD_UNSURE, "--junit %s: cannot be read",
			       unreadable_folder);
		free((char *)(uintptr_t)unreadable_folder);
		return CMD_UNSURE;
	}
	if (stopped != 0)
		return cmd_fail(r->command, CMD_UNSURE, "--junit %s: cannot be read", folder);
	if (found.n == 0)
		return cmd_fail(r->command, CMD_USAGE,
				"--junit %s: no file in this folder has a name that ends in .xml",
				folder);
	qsort(found.name, found.n, sizeof(*found.name), compare_names);
	return CMD_HOLDS;
}

/* The line that sha256sum prints for the file when it is called in the folder. */
static enum vt_err add_sum(struct buf *sums, const struct merkle_hash *digest, const char *path,
			   const char *folder)
{
	const char *rest = path + strlen(folder);

	while (*rest == '/')
		rest++;
	(void)buf_append_hex(sums, bytes_of(digest->b, sizeof(digest->b)));
	return buf_appendf(sums, "  %s\n", rest);
}

static int read_folder(struct reading *r, const char *folder, struct merkle_hash *digest)
{
	struct buf sums;
	struct bytes part;
	int code = find_reports(r, folder);

	buf_init(&sums);
	for (size_t i = 0; i < found.n && code == CMD_HOLDS; i++) {
		/* sha256sum writes such names in a form of its own. */
		if (strpbrk(found.name[i], "\\\n\r") != NULL)
			code = cmd_fail(
			    r->command, CMD_USAGE,
			    "--junit %s: a report's name holds a backslash or a line break",
			    folder);
		else if ((code = read_report(r, found.name[i], digest)) == CMD_HOLDS &&
			 add_sum(&sums, digest, found.name[i], folder) != VT_OK)
			code = no_memory(r);
	}
	part = buf_bytes(&sums);
	if (code == CMD_HOLDS && merkle_sha256(digest, &r->h, &part, 1) != VT_OK)
		code = no_memory(r);
	buf_release(&sums);
	for (size_t i = 0; i < found.n; i++)
		free(found.name[i]);
	free(found.name);
	found = (struct junit_names){0};
	return code;
}

/* -- all of them ------------------------------------------------------------------------------------ */

/* nftw() names what it finds without the slashes behind the folder, and so does the record. */
static void strip_slashes(char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	path[n] = '\0';
}

static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

static int read_source(struct reading *r, const char *path)
{
	struct junit_source *source = &r->in->source[r->in->n];
	struct merkle_hash digest;
	struct stat st;
	int code;

	if (stat(path, &st) != 0)
		return cmd_fail(r->command, CMD_USAGE, "--junit %s: %s", path, strerror(errno));
	if ((source->path = strdup(path)) == NULL)
		return no_memory(r);
	r->in->n++;
	strip_slashes(source->path);
	code = S_ISDIR(st.st_mode) ? read_folder(r, source->path, &digest)
				   : read_report(r, source->path, &digest);
	if (code == CMD_HOLDS) {
		source->name = last_name(source->path);
		hex_encode(source->hex, bytes_of(digest.b, sizeof(digest.b)));
	}
	return code;
}

int junit_read(const char *command, const struct option_list *paths, struct junit_input *in)
{
	struct reading r = {.command = command, .in = in};
	int code = CMD_HOLDS;

	*in = (struct junit_input){0};
	if (paths->n > JUNIT_SOURCES_MAX)
		return cmd_fail(command, CMD_USAGE,
				"--junit: at most %d; a folder may hold more reports",
				JUNIT_SOURCES_MAX);
	if ((r.seen = calloc(JUNIT_FILES_MAX, sizeof(*r.seen))) == NULL ||
	    merkle_hasher_init(&r.h) != VT_OK) {
		free(r.seen);
		return no_memory(&r);
	}
	for (size_t i = 0; i < paths->n && code == CMD_HOLDS; i++)
		code = read_source(&r, paths->item[i]);
	if (code == CMD_HOLDS && junit_number_repeats(&in->tests) != VT_OK)
		code = no_memory(&r);
	merkle_hasher_release(&r.h);
	free(r.seen);
	return code;
}

void junit_input_release(struct junit_input *in)
{
	junit_release(&in->tests);
	for (size_t i = 0; i < in->n; i++)
		free(in->source[i].path);
}
