/* POST /add: raw mode. The body is the entry, the answer is its index in ASCII decimal: always with 200, for tools that
 * append to logs of several makes take nothing else. */
#include <stdlib.h>

#include "append.h"

static void answer_add(struct http_exchange *x, void *thread, void *app)
{
	struct append *a = http_state(x);
	struct http_response r;

	(void)thread;
	(void)app;
	if (!append_failed(x, a)) {
		api_response_init(&r, 200, "text/plain; charset=utf-8", API_CACHE_NONE);
		http_response_header(&r, "Location", "api/v1/entries/%llu",
				     (unsigned long long)a->answer.index);
		buf_append_decimal(&r.body, a->answer.index);
		api_send(x, &r);
	}
	free(a);
}

void handle_add(struct http_exchange *x, void *thread, void *app)
{
	static const char *const none[] = {NULL};

	if (!api_only(x, none))
		return;
	if (http_request(x)->body.len == 0)
		api_problem(x, "bad-request", "the entry is missing: expected it as the body");
	else
		append_begin(x, thread, app, NULL, answer_add);
}
