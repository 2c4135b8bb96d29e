#include "serve_witnesses.h"

#include "cmd.h"
#include "logline.h"

static enum vt_err on_consistency(void *ctx, uint64_t first, uint64_t second,
				  struct merkle_proof *out)
{
	struct serve_witnesses *w = ctx;

	return log_consistency(w->worker, first, second, out);
}

static void on_gathered(void *ctx, const struct tree_head *head, struct bytes note, bool quorum,
			bool done)
{
	struct serve_witnesses *w = ctx;

	log_gathered(w->log, head, note, quorum, done);
}

static enum vt_err on_observed(void *ctx, struct bytes note, const char *witness)
{
	struct serve_witnesses *w = ctx;
	char from[128] = "the witness ";

	(void)logline_quote(from + 12, sizeof(from) - 12, bytes_str(witness));
	return log_observe(w->worker, note, from);
}

static void on_alert(void *ctx, const char *witness, enum gather_trouble trouble, const char *text)
{
	enum logline_level level = trouble == GATHER_FINE          ? LOGLINE_INFO
				   : trouble == GATHER_CONTRADICTS ? LOGLINE_ERROR
								   : LOGLINE_WARN;
	char name[128], why[2 * GATHER_WHY_MAX];

	(void)ctx;
	logline(level, "witness", "name=%s state=%s why=%s",
		logline_quote(name, sizeof(name), bytes_str(witness)), gather_trouble_name(trouble),
		logline_quote(why, sizeof(why), bytes_str(text)));
}

static struct gather_config config_of(struct serve_witnesses *w,
				      const struct serve_witnesses_options *options,
				      const struct vkey *log_key)
{
	return (struct gather_config){
	    .policy = w->policy,
	    .log = log_key,
	    .interval_seconds = (double)options->interval_millis / 1000,
	    .request_seconds = (double)options->request_seconds,
	    .consistency = on_consistency,
	    .gathered = on_gathered,
	    .observed = on_observed,
	    .alert = on_alert,
	    .ctx = w,
	};
}

int serve_witnesses_open(struct serve_witnesses *w, const struct serve_witnesses_options *options,
			 const struct vkey *log_key)
{
	struct gather_config config;
	char why[GATHER_WHY_MAX];
	enum vt_err err;
	int code;

	if (options->policy_path == NULL)
		return CMD_HOLDS;
	if ((code = cmd_read_policy("serve", options->policy_path, &w->policy)) != CMD_HOLDS)
		return code;
	config = config_of(w, options, log_key);
	err = gather_new(&w->gather, &config, why);
	/* "quorum none" and nobody to ask: checked, and that is all. */
	if (err == VT_OK || err == VT_ENOTFOUND)
		return CMD_HOLDS;
	return cmd_fail("serve", err == VT_ENOMEM || err == VT_EINTERNAL ? CMD_UNSURE : CMD_USAGE,
			"--policy %s: %s", options->policy_path,
			why[0] != '\0' ? why : vt_err_text(err));
}

static void say_who(const struct serve_witnesses *w)
{
	struct gather_witness f;
	struct gather_status s;
	char name[128], url[512];

	gather_status(w->gather, &s);
	for (size_t i = 0; i < s.witnesses; i++) {
		gather_witness_status(w->gather, i, &f);
		logline(LOGLINE_INFO, "asking witness", "name=%s url=%s",
			logline_quote(name, sizeof(name), bytes_str(f.name)),
			logline_quote(url, sizeof(url), bytes_str(f.url)));
	}
}

int serve_witnesses_start(struct serve_witnesses *w, struct log *log)
{
	enum vt_err err;

	if (w->gather == NULL)
		return CMD_HOLDS;
	w->log = log;
	say_who(w);
	if ((err = log_worker_new(&w->worker, log)) != VT_OK ||
	    (err = gather_start(w->gather)) != VT_OK)
		return cmd_fail("serve", CMD_UNSURE, "asking witnesses: %s", vt_err_text(err));
	return CMD_HOLDS;
}

enum vt_err serve_witnesses_policy_met(const struct serve_witnesses *w, struct bytes note)
{
	const struct policy_log *log;
	struct note *opened = NULL;
	struct checkpoint cp;
	enum vt_err err = policy_open_checkpoint(&opened, &cp, &log, NULL, note, w->policy);

	note_free(opened);
	return err == VT_OK || err == VT_ENOMEM || err == VT_EINTERNAL ? err : VT_EUNTRUSTED;
}

enum vt_err serve_witnesses_vouched(const struct serve_witnesses *w, struct bytes note)
{
	bool others[POLICY_WITNESSES_MAX] = {false};
	const struct policy_log *log;
	struct note *opened = NULL;
	struct checkpoint cp;
	enum vt_err err = policy_open_checkpoint(&opened, &cp, &log, others, note, w->policy);

	note_free(opened);
	if (err != VT_OK)
		return err == VT_ENOMEM || err == VT_EINTERNAL ? err : VT_EUNTRUSTED;
	/* Who is never asked has cosigned nothing that was published here. */
	for (size_t i = 0; i < policy_witness_count(w->policy); i++)
		others[i] = !others[i] && policy_witness(w->policy, i)->url.len > 0;
	/* "quorum none" is judged elsewhere. */
	return policy_needs_witnesses(w->policy) && policy_quorum(w->policy, others) ? VT_EUNTRUSTED
										     : VT_OK;
}

void serve_witnesses_close(struct serve_witnesses *w)
{
	gather_free(w->gather);
	log_worker_free(w->worker);
	policy_free(w->policy);
	*w = (struct serve_witnesses){0};
}
