#include <stdio.h>
#include <string.h>

#include "client.h"
#include "fsck.h"
#include "party_key.h"
#include "replay.h"

static char command_name[] = "fsck";

struct walk {
	struct fsck_run *run;
	struct replay *replay; /* NULL: a raw log, its entries have no rules */
	struct merkle_range range;
	struct merkle_hasher hasher;
	uint64_t size;
	bool enough; /* as many faults were told as were asked for */
	bool broken; /* this machine failed, not the log */
};

static enum vt_err refused(void *ctx, uint64_t index, const struct checks_refusal *why)
{
	struct walk *w = ctx;
	char fault[PROBLEM_DETAIL_MAX + 128];
	enum vt_err err;

	snprintf(fault, sizeof(fault), "entry %llu: not admissible: %s: %s",
		 (unsigned long long)index, why->rule, why->detail);
	if ((err = fsck_fault(w->run, fault)) != VT_OK)
		return err;
	w->enough = w->run->faults >= w->run->faults_max;
	return w->enough ? VT_EMISMATCH : VT_OK;
}

static enum vt_err visit(void *ctx, uint64_t index, struct bytes entry,
			 const struct merkle_hash *leaf)
{
	struct walk *w = ctx;
	enum vt_err err;

	fsck_progress(w->run, index, w->size,
		      w->replay ? "replaying admissions" : "reading entries");
	err = merkle_range_append(&w->range, &w->hasher, leaf, NULL, NULL);
	if (err == VT_OK && w->replay != NULL)
		err = replay_add(w->replay, entry, leaf);
	w->broken = err != VT_OK && !w->enough;
	return err;
}

/* As a monitor has it: what cannot be the log's is as wrong as what contradicts it. */
static int reading_code(enum vt_err err)
{
	return err == VT_EMISMATCH || err == VT_EMALFORMED || err == VT_ELIMIT ? CMD_FAILS
									       : CMD_UNSURE;
}

static int walk_entries(struct walk *w, struct client *c, struct bytes centre)
{
	struct why why = {""};
	struct merkle_hash root;
	char reason[PAIRS_WHY_MAX] = "";
	bool records = false;
	enum vt_err err, finish;

	w->size = client_head(c)->size;
	if (w->size > 0 && (err = client_holds_records(&records, c, centre, &why)) != VT_OK)
		return cmd_fail("fsck", reading_code(err), "%s", why.text);
	w->run->raw = w->size > 0 && !records;
	if (records &&
	    (err = replay_new(&w->replay, c, centre, w->run->threads, refused, w, reason)) != VT_OK)
		return cmd_fail("fsck", CMD_UNSURE, "%s", reason[0] ? reason : vt_err_text(err));
	err = client_entries(c, 0, w->size, visit, w, &why);
	/* What comes before whatever ended the reading is judged, too: it would be the first difference. */
	if (w->replay != NULL && !w->broken && !w->enough &&
	    (finish = replay_finish(w->replay)) != VT_OK) {
		w->broken = !w->enough;
		err = finish;
	}
	if (w->broken)
		return cmd_fail("fsck", CMD_UNSURE, "%s", vt_err_text(err));
	if (w->run->faults > 0)
		return CMD_FAILS;
	if (err != VT_OK)
		return cmd_fail("fsck", reading_code(err), "%s", why.text);
	if ((err = merkle_range_root(&root, &w->hasher, &w->range)) != VT_OK)
		return cmd_fail("fsck", CMD_UNSURE, "%s", vt_err_text(err));
	if (!merkle_hash_equal(&root, &client_head(c)->root)) {
		fsck_fault(w->run, "root: the entries do not make the signed root");
		return CMD_FAILS;
	}
	return CMD_HOLDS;
}

int fsck_over_http(struct fsck_run *run, const char *url, const char *policy_path,
		   const char *centre_path, struct tree_head *head)
{
	struct client_config config = {
	    .url = url, .wait = cmd_wait_before_retry, .ctx = command_name};
	struct why why = {""};
	struct policy *policy = NULL;
	struct party_key *centre = NULL;
	struct client *c = NULL;
	struct walk w = {.run = run};
	enum vt_err err;
	int code = cmd_read_policy("fsck", policy_path, &policy);

	merkle_range_init(&w.range);
	if (code == CMD_HOLDS && centre_path != NULL)
		code = cmd_read_public_key("fsck", "centre", centre_path, &centre);
	if (code == CMD_HOLDS && merkle_hasher_init(&w.hasher) != VT_OK)
		code = cmd_fail("fsck", CMD_UNSURE, "out of memory");
	config.policy = policy;
	if (code == CMD_HOLDS && client_new(&c, &config, &why) != VT_OK)
		code = cmd_fail("fsck", CMD_USAGE, "--log %s: %s", url, why.text);
	if (code == CMD_HOLDS && (err = client_refresh(c, &why)) != VT_OK)
		code = cmd_fail(
		    "fsck", err == VT_EMISMATCH || err == VT_EUNTRUSTED ? CMD_FAILS : CMD_UNSURE,
		    "%s: %s", url, why.text);
	if (code == CMD_HOLDS) {
		*head = *client_head(c);
		snprintf(run->origin, sizeof(run->origin), "%s", client_origin(c));
		code = walk_entries(&w, c, centre ? party_key_spki(centre) : bytes_of(NULL, 0));
	}
	replay_free(w.replay);
	merkle_hasher_release(&w.hasher);
	client_free(c);
	party_key_free(centre);
	policy_free(policy);
	return code;
}
