/* GET /api/v1/entries/{index}/tlog-proof: one file that proves the entry offline (C2SP tlog-proof). */
#include "handler.h"

void handle_entry_tlog_proof(struct http_exchange *x, void *thread, void *app)
{
	static const char *const none[] = {NULL};
	struct http_response r;
	uint64_t index;
	enum vt_err err;

	(void)app;
	if (!api_only(x, none) || !api_index_segment(x, 3, "index", &index))
		return;
	api_response_init(&r, 200, "text/plain; charset=utf-8", API_CACHE_CHECK);
	err = log_tlog_proof(thread, index, &r.body);
	if (err == VT_OK) {
		http_response_header(&r, "Content-Disposition",
				     "attachment; filename=\"%llu.tlog-proof\"",
				     (unsigned long long)index);
		r.may_gzip = true;
		http_respond(x, &r);
		return;
	}
	http_response_release(&r);
	if (err == VT_ENOTFOUND)
		api_problem(x, "beyond-published",
			    "there is no published entry %llu; see /checkpoint",
			    (unsigned long long)index);
	else if (err == VT_EUNTRUSTED)
		api_policy_not_met(x, index);
	else
		api_problem_err(x, err, "proving the entry");
}
