/* GET /healthz: the process answers. GET /readyz: it takes and publishes entries. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gather.h"
#include "handler.h"

void handle_healthz(struct http_exchange *x, void *thread, void *app)
{
	struct http_response r;

	(void)thread;
	(void)app;
	api_response_init(&r, 200, "text/plain; charset=utf-8", API_CACHE_NONE);
	api_send_bytes(x, &r, bytes_str("ok\n"));
}

/* "a: unreachable, b: failing", as long as it fits. For people: the names are what the policy calls them. */
static void name_troubled(char *out, size_t cap, struct gather *g, size_t n)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n && len < cap; i++) {
		struct gather_witness w;
		char name[64];
		int more;

		gather_witness_status(g, i, &w);
		if (w.trouble == GATHER_FINE)
			continue;
		problem_quote(name, sizeof(name), bytes_str(w.name));
		more = snprintf(out + len, cap - len, "%s%s is %s", len > 0 ? ", " : "", name,
				gather_trouble_name(w.trouble));
		len += more > 0 ? (size_t)more : 0;
	}
}

/* Is the quorum missing, by the last that was heard of the witnesses? Who is to blame goes into why. */
static bool quorum_missing(struct api *api, char *why, size_t cap)
{
	struct gather_status s = {0};

	(void)pthread_rwlock_rdlock(&api->lock);
	if (api->gather != NULL)
		gather_status(api->gather, &s);
	if (s.quorum_missing)
		name_troubled(why, cap, api->gather, s.witnesses);
	(void)pthread_rwlock_unlock(&api->lock);
	return s.quorum_missing;
}

void handle_readyz(struct http_exchange *x, void *thread, void *app)
{
	struct api *api = app;
	struct log_status status;
	struct http_response r;
	uint64_t size;
	char why[256] = "";
	bool missing;

	log_status(api->log, &status);
	if (status.frozen) {
		api_problem(x, "not-ready", "signing has stopped%s: %s",
			    status.frozen_unwritten ? " (which cannot be written down: do not "
						      "start this log again before it is)"
						    : "",
			    status.frozen_why);
		return;
	}
	if (status.policy_differs) {
		api_problem(x, "not-ready",
			    "another process of this store has another policy: nothing is "
			    "published here until this one reads it again (SIGHUP)");
		return;
	}
	if (status.stuck_why[0] != '\0') {
		api_problem(x, "not-ready", "nothing can be published now: %s", status.stuck_why);
		return;
	}
	if (log_has_room(api->log) != VT_OK) {
		api_problem(x, "not-ready", "no file can be written in the log's folder: %s",
			    strerror(errno));
		return;
	}
	missing = quorum_missing(api, why, sizeof(why));
	if (status.holding && !status.has_mark) {
		api_problem(
		    x, "not-ready",
		    "the high-water mark is missing: nothing is taken in until the witnesses' "
		    "quorum, of those that have cosigned this log before, has cosigned the head, "
		    "or the log is started once with --new-mark%s%s",
		    missing ? ": " : "", why);
		return;
	}
	if (missing && status.published_size < status.size) {
		api_problem(x, "not-ready",
			    "the witnesses' quorum is missing, and %llu entries wait for it: %s",
			    (unsigned long long)(status.size - status.published_size), why);
		return;
	}
	if (log_checkpoint(thread, &size, NULL) != VT_OK) {
		api_problem(x, "not-ready", "the store cannot be read or nothing is published yet");
		return;
	}
	api_response_init(&r, 200, "text/plain; charset=utf-8", API_CACHE_NONE);
	if (missing)
		buf_appendf(&r.body, "ready, but the witnesses' quorum is missing: %s\n", why);
	else
		buf_append_str(&r.body, "ready\n");
	api_send(x, &r);
}
