/* GET /api/v1/consistency?first=&second=: a consistency proof between two tree sizes. */
#include "handler.h"

void handle_consistency(struct http_exchange *x, void *thread, void *app)
{
	static const char *const names[] = {"first", "second", NULL};
	struct http_response r;
	struct merkle_proof proof;
	uint64_t first = 0, second = 0;
	bool have_first, have_second;
	enum vt_err err;

	(void)app;
	if (!api_only(x, names) ||
	    !api_query_number(x, "first", 0, SIZE_LIMIT, &first, &have_first) ||
	    !api_query_number(x, "second", 0, SIZE_LIMIT, &second, &have_second))
		return;
	if (!have_first || !have_second) {
		api_problem(x, "query-invalid", "%s is missing", have_first ? "second" : "first");
		return;
	}
	if (first > second) {
		api_problem(x, "query-invalid", "first is larger than second");
		return;
	}
	err = log_consistency(thread, first, second, &proof);
	if (err == VT_ENOTFOUND) {
		api_problem(x, "beyond-published",
			    "the published tree is not that large; see /checkpoint");
		return;
	} else if (err != VT_OK) {
		api_problem_err(x, err, "proving consistency");
		return;
	}
	api_response_init(&r, 200, "application/json", API_CACHE_IMMUTABLE);
	api_send_json(x, &r,
		      JSON_OBJECT_OF({"first", json_new_uint(first)},
				     {"second", json_new_uint(second)},
				     {"hashes", json_proof(&proof)}));
}
