/* GET /healthz: the process answers. GET /readyz: it takes and publishes entries. */
#include "handler.h"

void handle_healthz(struct http_exchange *x, void *thread, void *app)
{
	struct http_response r;

	(void)thread;
	(void)app;
	api_response_init(&r, 200, "text/plain; charset=utf-8", API_CACHE_NONE);
	api_send_bytes(x, &r, bytes_str("ok\n"));
}

void handle_readyz(struct http_exchange *x, void *thread, void *app)
{
	struct api *api = app;
	struct log_status status;
	struct http_response r;
	uint64_t size;

	log_status(api->log, &status);
	if (status.frozen) {
		api_problem(x, "not-ready", "signing has stopped: %s", status.frozen_why);
		return;
	}
	if (log_checkpoint(thread, &size, NULL) != VT_OK) {
		api_problem(x, "not-ready", "the store cannot be read or nothing is published yet");
		return;
	}
	api_response_init(&r, 200, "text/plain; charset=utf-8", API_CACHE_NONE);
	api_send_bytes(x, &r, bytes_str("ready\n"));
}
