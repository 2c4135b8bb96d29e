/* The two ways of `vitrine fsck`, and how both tell what they find. */
#ifndef CMD_FSCK_H
#define CMD_FSCK_H

#include "cmd.h"
#include "json.h"
#include "vitrine/merkle.h"

struct fsck_run {
	bool terminal;          /* somebody looks at standard error */
	unsigned shown_percent; /* of the last progress line */
	const char *shown_what;
	uint64_t faults;
	uint64_t faults_max;
	unsigned threads;  /* that verify signatures; 0: one for each core */
	bool raw;          /* its entries are no records: there was no admission to replay */
	bool no_mark;      /* --data: there is none beside the store to compare it with */
	struct json *json; /* collects faults for --json; NULL: they are printed at once */
	char origin[256];
};

void fsck_progress(void *ctx, uint64_t done, uint64_t total, const char *what);
enum vt_err fsck_fault(void *ctx, const char *place_and_fault);

/* From the public files alone: checkpoint, tiles, bundles. Returns the exit code, reasons said. */
int fsck_over_http(struct fsck_run *run, const char *url, const char *policy, const char *centre,
		   struct tree_head *head);

#endif
