/*
 * The state folder of a monitor as a whole: for which logs it was made, and what must lie in it.
 *
 * It is made once, and adding a log is an act of its own. So whatever is missing when a monitor starts was
 * lost, or is not mounted, and is never taken for a beginning: a monitor that began again in silence would
 * accept whatever history a log shows by then.
 *
 *	logs.list     the logs, a vkey a line; replaced as a whole
 *	unfinished    while the folder is being made: without logs.list beside it, it may be made again
 *	lock          one process has the folder (flock), and one at a time changes logs.list (a lock on its bytes)
 *	logs/ID/      of one log (log_state.h); ID is a digest of its vkey, because names hold anything
 *	alerts/       what was told and not taken yet (outboxes.h)
 *	gossip/       evidence, and the heads that wait for judgement (gossip.h)
 *	evidence/, heads    the same once more: what one of the two has lost, the other has
 */
#ifndef MONITOR_STATE_FOLDER_H
#define MONITOR_STATE_FOLDER_H

#include "monitor.h"

enum { STATE_FOLDER_PATH_MAX = 4096 };

struct state_folder {
	const char *dir; /* the caller's; outlives it */
	int lock_fd;
	struct buf list; /* vkeys, each with a newline */
	bool adopted;    /* the list was made from what is there: it is not on disk yet */
};

/*
 * Open what is there, and lock it. Writes nothing but the lock. VT_ENOTFOUND: there is no state; VT_EBUSY: another monitor
 * has it; VT_EMISMATCH: damaged; VT_EIO, VT_ENOMEM. Each with why, and *s is to be closed in any case.
 */
enum vt_err state_folder_open(struct state_folder *s, const char *dir, char why[MONITOR_WHY_MAX]);
void state_folder_close(struct state_folder *s); /* {0} is legal */

/* Is all there that following this log needs? VT_ENOTFOUND: it was lost, or the log was never added. */
enum vt_err state_folder_check_log(const struct state_folder *s, const struct vkey *key,
				   char why[MONITOR_WHY_MAX]);
/* Could a monitor follow the logs of this policy with what is there now? Writes nothing, and one may be at work. Errors as monitor_new() has
 * them. */
enum vt_err state_folder_check_policy(const char *dir, const struct policy *policy,
				      char why[MONITOR_WHY_MAX]);
/* An adopted list becomes durable; logs of it that the policy does not follow are named in a log line. */
enum vt_err state_folder_settle(struct state_folder *s, const struct policy *policy,
				char why[MONITOR_WHY_MAX]);
/* The folder of one log. VT_ELIMIT: the name is too long; VT_ENOMEM. */
enum vt_err state_folder_of_log(char out[STATE_FOLDER_PATH_MAX], const char *dir,
				const struct vkey *key);

#endif
