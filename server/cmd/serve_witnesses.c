#include "serve_witnesses.h"

#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "logline.h"

struct gathering {
	struct serve_witnesses *w;
	struct policy *policy;
	struct gather *gather;     /* NULL: there is nobody to ask */
	struct log_worker *worker; /* the gatherer's, one call at a time */
};

/* -- from the gatherer's threads --------------------------------------------------------------------------------- */

static enum vt_err on_consistency(void *ctx, uint64_t first, uint64_t second,
				  struct merkle_proof *out)
{
	struct gathering *g = ctx;

	return log_consistency(g->worker, first, second, out);
}

/* What belongs to a policy that is not in use says nothing of a quorum. */
static void on_gathered(void *ctx, const struct tree_head *head, struct bytes note, bool quorum,
			bool done)
{
	struct gathering *g = ctx;

	(void)pthread_rwlock_rdlock(&g->w->lock);
	if (g == g->w->now)
		log_gathered(g->w->log, head, note, quorum, done);
	(void)pthread_rwlock_unlock(&g->w->lock);
}

static enum vt_err on_observed(void *ctx, struct bytes note, const char *witness)
{
	struct gathering *g = ctx;
	char from[128] = "the witness ";

	(void)logline_quote(from + 12, sizeof(from) - 12, bytes_str(witness));
	return log_observe(g->worker, note, from);
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

/* -- a policy and its gatherer ---------------------------------------------------------------------------------------- */

static void gathering_free(struct gathering *g)
{
	if (g == NULL)
		return;
	gather_free(g->gather);
	log_worker_free(g->worker);
	policy_free(g->policy);
	free(g);
}

static int gathering_new(struct gathering **out, struct serve_witnesses *w)
{
	struct gather_config config = {
	    .log = w->log_key,
	    .interval_seconds = (double)w->options->interval_millis / 1000,
	    .request_seconds = (double)w->options->request_seconds,
	    .consistency = on_consistency,
	    .gathered = on_gathered,
	    .observed = on_observed,
	    .alert = on_alert,
	};
	struct gathering *g = calloc(1, sizeof(*g));
	char why[GATHER_WHY_MAX] = "";
	enum vt_err err = VT_ENOMEM;
	int code = CMD_UNSURE;

	if (g == NULL)
		return cmd_fail("serve", CMD_UNSURE, "out of memory");
	g->w = w;
	if ((code = cmd_read_policy("serve", w->options->policy_path, &g->policy)) != CMD_HOLDS)
		goto done;
	config.policy = g->policy;
	config.ctx = g;
	err = gather_new(&g->gather, &config, why);
	/* "quorum none" and nobody to ask: checked, and that is all. */
	if (err != VT_OK && err != VT_ENOTFOUND) {
		code = cmd_fail("serve",
				err == VT_ENOMEM || err == VT_EINTERNAL ? CMD_UNSURE : CMD_USAGE,
				"--policy %s: %s", w->options->policy_path,
				why[0] != '\0' ? why : vt_err_text(err));
		goto done;
	}
	*out = g;
	g = NULL; /* transferred */
done:
	gathering_free(g);
	return code;
}

static void say_who(const struct gathering *g)
{
	struct gather_witness f;
	struct gather_status s;
	char name[128], url[512];

	gather_status(g->gather, &s);
	for (size_t i = 0; i < s.witnesses; i++) {
		gather_witness_status(g->gather, i, &f);
		logline(LOGLINE_INFO, "asking witness", "name=%s url=%s",
			logline_quote(name, sizeof(name), bytes_str(f.name)),
			logline_quote(url, sizeof(url), bytes_str(f.url)));
	}
}

static int gathering_start(struct gathering *g)
{
	enum vt_err err;

	if (g->gather == NULL)
		return CMD_HOLDS;
	say_who(g);
	if ((err = log_worker_new(&g->worker, g->w->log)) != VT_OK ||
	    (err = gather_start(g->gather)) != VT_OK)
		return cmd_fail("serve", CMD_UNSURE, "asking witnesses: %s", vt_err_text(err));
	return CMD_HOLDS;
}

/* Whatever makes two processes publish differently: the mode too, but where nothing is waited for. */
static enum vt_err digest(const struct gathering *g, const char *mode, struct merkle_hash *out)
{
	struct merkle_hasher h;
	struct bytes part[2];
	enum vt_err err;

	memset(out, 0, sizeof(*out));
	if (g == NULL || (!policy_needs_witnesses(g->policy) && g->gather == NULL))
		return VT_OK;
	if ((err = policy_digest(out, g->policy)) != VT_OK || !policy_needs_witnesses(g->policy) ||
	    (err = merkle_hasher_init(&h)) != VT_OK)
		return err;
	part[0] = bytes_str(mode);
	part[1] = bytes_of(out->b, sizeof(out->b));
	err = merkle_sha256(out, &h, part, 2);
	merkle_hasher_release(&h);
	return err;
}

/* -- the one in use --------------------------------------------------------------------------------------------------- */

int serve_witnesses_open(struct serve_witnesses *w, const struct serve_witnesses_options *options,
			 const struct vkey *log_key)
{
	(void)pthread_rwlock_init(&w->lock, NULL);
	w->options = options;
	w->log_key = log_key;
	return options->policy_path == NULL ? CMD_HOLDS : gathering_new(&w->now, w);
}

size_t serve_witnesses_listed(struct serve_witnesses *w)
{
	return w->now == NULL ? 0 : policy_witness_count(w->now->policy);
}

struct gather *serve_witnesses_gather(struct serve_witnesses *w)
{
	return w->now == NULL ? NULL : w->now->gather;
}

enum vt_err serve_witnesses_digest(struct serve_witnesses *w, struct merkle_hash *out)
{
	return digest(w->now, w->options->without_quorum, out);
}

int serve_witnesses_start(struct serve_witnesses *w, struct log *log)
{
	w->log = log;
	return w->now == NULL ? CMD_HOLDS : gathering_start(w->now);
}

void serve_witnesses_begin(struct serve_witnesses *w, struct bytes signed_note,
			   const struct tree_head *head, bool remembered)
{
	(void)pthread_rwlock_rdlock(&w->lock);
	gather_begin(w->now->gather, signed_note, head, remembered);
	(void)pthread_rwlock_unlock(&w->lock);
}

static enum vt_err open_note(const struct gathering *g, bool *others, struct bytes note)
{
	const struct policy_log *log;
	struct note *opened = NULL;
	struct checkpoint cp;
	enum vt_err err = policy_open_checkpoint(&opened, &cp, &log, others, note, g->policy);

	note_free(opened);
	return err == VT_OK || err == VT_ENOMEM || err == VT_EINTERNAL ? err : VT_EUNTRUSTED;
}

enum vt_err serve_witnesses_policy_met(struct serve_witnesses *w, struct bytes note)
{
	enum vt_err err;

	(void)pthread_rwlock_rdlock(&w->lock);
	err = open_note(w->now, NULL, note);
	(void)pthread_rwlock_unlock(&w->lock);
	return err;
}

static enum vt_err vouched(const struct gathering *g, struct bytes note)
{
	bool others[POLICY_WITNESSES_MAX] = {false};
	enum vt_err err = open_note(g, others, note);

	if (err != VT_OK)
		return err;
	/* Who is never asked has cosigned nothing that was published here. */
	for (size_t i = 0; i < policy_witness_count(g->policy); i++)
		others[i] = !others[i] && policy_witness(g->policy, i)->url.len > 0;
	/* "quorum none" is judged elsewhere. */
	return policy_needs_witnesses(g->policy) && policy_quorum(g->policy, others) ? VT_EUNTRUSTED
										     : VT_OK;
}

enum vt_err serve_witnesses_vouched(struct serve_witnesses *w, struct bytes note)
{
	enum vt_err err;

	(void)pthread_rwlock_rdlock(&w->lock);
	err = vouched(w->now, note);
	(void)pthread_rwlock_unlock(&w->lock);
	return err;
}

/* -- exchanging it ------------------------------------------------------------------------------------------------------ */

/* On the sequencer's thread. */
static void exchange(void *ctx)
{
	struct serve_witnesses *w = ctx;
	struct gathering *before = w->now;

	(void)pthread_rwlock_wrlock(&w->lock);
	w->now = w->next;
	w->next = before;
	(void)pthread_rwlock_unlock(&w->lock);
}

static int take_next(struct serve_witnesses *w)
{
	struct merkle_hash policy;
	enum vt_err err;
	int code;

	if ((code = gathering_new(&w->next, w)) != CMD_HOLDS ||
	    (code = cmd_need_files("serve", w->options->files +
						4 * policy_witness_count(w->next->policy))) !=
		CMD_HOLDS ||
	    (code = gathering_start(w->next)) != CMD_HOLDS)
		return code;
	if ((err = digest(w->next, w->options->without_quorum, &policy)) == VT_OK)
		err = log_set_policy(w->log, &policy, w->next->gather != NULL, exchange, w);
	return err == VT_OK
		   ? CMD_HOLDS
		   : cmd_fail("serve", CMD_UNSURE, "--policy %s: it cannot be put to use now: %s",
			      w->options->policy_path, vt_err_text(err));
}

void serve_witnesses_reload(struct serve_witnesses *w, void (*shown)(void *ctx, struct gather *g),
			    void *ctx)
{
	if (w->options->policy_path == NULL) {
		logline(LOGLINE_INFO, "there is no policy to read again", "option=--policy");
		return;
	}
	if (take_next(w) == CMD_HOLDS) {
		shown(ctx, w->now->gather);
		logline(LOGLINE_INFO, "policy read again", "policy=%s witnesses=%zu",
			w->options->policy_path, serve_witnesses_listed(w));
	} else {
		logline(LOGLINE_ERROR, "policy not taken: the old one is kept", "policy=%s",
			w->options->policy_path);
	}
	gathering_free(w->next); /* the old one, or the one that was not taken */
	w->next = NULL;
}

void serve_witnesses_close(struct serve_witnesses *w)
{
	gathering_free(w->now);
	w->now = NULL;
}
