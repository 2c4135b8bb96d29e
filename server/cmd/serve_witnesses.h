/* What `vitrine serve` does with a policy's witnesses: the gatherer and the log, wired together. */
#ifndef SERVE_WITNESSES_H
#define SERVE_WITNESSES_H

#include <pthread.h>

#include "gather.h"
#include "log.h"

struct gathering; /* a policy, and whoever gathers for it */

struct serve_witnesses {
	const struct serve_witnesses_options *options;
	const struct vkey *log_key;
	struct log *log;
	pthread_rwlock_t lock;  /* held to use `now`, and to exchange it */
	struct gathering *now;  /* NULL: no policy was given */
	struct gathering *next; /* while it is being exchanged */
};

struct serve_witnesses_options {
	const char *policy_path;
	const char
	    *without_quorum; /* whatever else has to be the same in all processes of a store */
	uint64_t interval_millis;
	uint64_t request_seconds;
	uint64_t files; /* that the rest of the process may have open */
};

/* Before the log is opened: read the policy, which has to list this log. {0} before; options and log_key are kept. Returns
 * CMD_HOLDS or the exit code, the reason having been said. */
int serve_witnesses_open(struct serve_witnesses *w, const struct serve_witnesses_options *options,
			 const struct vkey *log_key);
/* How many witnesses the policy has, with and without a URL; 0 without one. */
size_t serve_witnesses_listed(struct serve_witnesses *w);
/* Who is asked, for /readyz and /metrics; NULL: nobody. Until the next serve_witnesses_reload(). */
struct gather *serve_witnesses_gather(struct serve_witnesses *w);
/* For log_config.policy. VT_ENOMEM. */
enum vt_err serve_witnesses_digest(struct serve_witnesses *w, struct merkle_hash *out);
/* Once it is open, before log_start(). */
int serve_witnesses_start(struct serve_witnesses *w, struct log *log);
/*
 * Read the policy again, and go on by it: told in a log line. One that cannot be read, or is none for this log, changes nothing and
 * is told of, too. shown is called with who is asked from now on, before those who were asked until now are let go.
 */
void serve_witnesses_reload(struct serve_witnesses *w, void (*shown)(void *ctx, struct gather *g),
			    void *ctx);
/* log_gather_fn, log_policy_met_fn, and of log_config.vouched. */
void serve_witnesses_begin(struct serve_witnesses *w, struct bytes signed_note,
			   const struct tree_head *head, bool remembered);
enum vt_err serve_witnesses_policy_met(struct serve_witnesses *w, struct bytes note);
enum vt_err serve_witnesses_vouched(struct serve_witnesses *w, struct bytes note);
/* Between log_stop() and log_free(). {0} is legal. */
void serve_witnesses_close(struct serve_witnesses *w);

#endif
