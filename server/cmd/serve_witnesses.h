/* What `vitrine serve` does with a policy's witnesses: the gatherer and the log, wired together. */
#ifndef SERVE_WITNESSES_H
#define SERVE_WITNESSES_H

#include "gather.h"
#include "log.h"

struct serve_witnesses {
	struct policy *policy; /* NULL: none was given */
	struct gather *gather; /* NULL: there is nobody to ask */
	struct log *log;
	struct log_worker *worker; /* the gatherer's, one call at a time */
};

struct serve_witnesses_options {
	const char *policy_path;
	uint64_t interval_millis;
	uint64_t request_seconds;
};

/* Before the log is opened: read the policy, which has to list this log. {0} before. Returns CMD_HOLDS or the exit code, the reason
 * having been said. */
int serve_witnesses_open(struct serve_witnesses *w, const struct serve_witnesses_options *options,
			 const struct vkey *log_key);
/* Once it is open, before log_start(). */
int serve_witnesses_start(struct serve_witnesses *w, struct log *log);
/* log_policy_met_fn. */
enum vt_err serve_witnesses_policy_met(const struct serve_witnesses *w, struct bytes note);
/* Of log_config.vouched. */
enum vt_err serve_witnesses_vouched(const struct serve_witnesses *w, struct bytes note);
/* Between log_stop() and log_free(). */
void serve_witnesses_close(struct serve_witnesses *w);

#endif
