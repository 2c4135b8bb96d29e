#include "append.h"

#include <stdio.h>
#include <stdlib.h>

struct append_start {
	struct append append; /* first: what http_state() points to */
	http_handler then;
};

/* On the sequencer's thread or the caller's: hand over to the pool, where proofs are built. */
static void append_answered(void *ctx, const struct log_answer *answer)
{
	struct append_start *a = ctx;

	a->append.answer = *answer;
	http_continue(a->append.x, a->then);
}

void append_begin(struct http_exchange *x, struct log_worker *w, struct api *api,
		  const struct merkle_hash *key_hint, http_handler then)
{
	struct append_start *a = calloc(1, sizeof(*a));

	if (a == NULL) {
		api_problem_err(x, VT_ENOMEM, "taking the entry in");
		return;
	}
	a->append.x = x;
	a->then = then;
	http_set_state(x, &a->append);
	log_submit(api->log, w, http_request(x)->body, key_hint, append_answered, a);
}

bool append_failed(struct http_exchange *x, const struct append *a)
{
	static const struct problem_type busy = {
	    "busy", 503, "The outcome is unknown: send the same bytes again"};
	struct problem p;

	switch (a->answer.outcome) {
	case LOG_ADDED:
	case LOG_KNOWN:
		return false;
	case LOG_REFUSED:
		api_problem_typed(x, &a->answer.problem, 0);
		return true;
	case LOG_LATER:
		break;
	}
	p.type = &busy;
	snprintf(p.detail, sizeof(p.detail), "%s", a->answer.reason ? a->answer.reason : "busy");
	api_problem_typed(x, &p, a->answer.retry_after);
	return true;
}
