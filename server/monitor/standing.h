/*
 * What stands against a log: a trouble that is not over, and what no later answer can make good. The state on disk
 * says it, so it outlasts restarts, and whoever has the folder can be told without a monitor.
 *
 * What can never be made good stands until somebody acknowledges it: a file in the folder
 * `acknowledged`, named after its id, which a monitor at work takes note of at its next look.
 */
#ifndef MONITOR_STANDING_H
#define MONITOR_STANDING_H

#include "log_state.h"
#include "vitrine/note.h"

enum {
	STANDING_ID_SIZE = 33, /* hex digits and a NUL */
	STANDING_KIND_SIZE = 16,
	STANDING_TEXT_SIZE = 200,
};

/* How soon somebody has to know, most urgent first. */
enum severity {
	SEVERITY_CRITICAL, /* what the log as a whole does: its heads, what it keeps back, evidence */
	SEVERITY_ERROR,    /* an entry that must not be there */
	SEVERITY_NOTICE,   /* an entry that somebody watches for */
	SEVERITY_COUNT,
};
/* Of an alert's kind; one that is not known here is critical. */
enum severity severity_of(const char *kind);
const char *severity_name(enum severity s);

struct standing {
	char id[STANDING_ID_SIZE];
	char kind[STANDING_KIND_SIZE]; /* as that of its alert */
	char origin[VKEY_NAME_MAX + 1];
	char text[STANDING_TEXT_SIZE]; /* a sentence for people */
	uint64_t since;                /* POSIX seconds */
	enum severity severity;
	bool for_good; /* it ends when it is acknowledged, and not before */
	bool unsure;   /* it says that nothing is known, not that something is wrong */
};

struct standing_list {
	struct standing *item;
	size_t n, cap;
};
void standing_list_init(struct standing_list *l);
void standing_list_release(struct standing_list *l);
enum vt_err standing_list_add(struct standing_list *l, const struct standing *s);
/* Newest first. */
void standing_list_sort(struct standing_list *l);
/* How much of it is against the log of this name. */
size_t standing_list_count(const struct standing_list *l, const char *origin);
/* Leave out what is acknowledged in the monitor's folder. */
void standing_list_drop_acknowledged(struct standing_list *l, const char *monitor_dir);
/* An id of this kind, the same for the same bytes. */
enum vt_err standing_make_id(char out[STANDING_ID_SIZE], const char *kind, struct bytes of);

/* Append what stands by this state, but for what is acknowledged in the monitor's folder. */
enum vt_err standing_of_log(struct standing_list *out, const char *monitor_dir,
			    const struct log_state *s);
/* Append all that stands by the folder's files: every log's, evidence, and heads that wait in gossip. That all of
 * them are there is for monitor_check_state() to say. VT_EIO, VT_EMISMATCH, VT_ENOMEM: they cannot be read, so what
 * stands is not known. */
enum vt_err standing_of_folder(struct standing_list *out, const char *monitor_dir);
/* The evidence alone, from both places in which it is kept. Its id is the beginning of the evidence's. */
enum vt_err standing_evidence(struct standing_list *out, const char *monitor_dir);

/* What stands by a state for good. */
enum standing_for_good { STANDING_PROVEN, STANDING_INADMISSIBLE };
bool standing_acknowledged(const char *monitor_dir, const struct log_state *s,
			   enum standing_for_good which);
/* Durable when it returns. `said` is kept for people. */
enum vt_err standing_acknowledge(const char *monitor_dir, const struct standing *s,
				 const char *said);

#endif
