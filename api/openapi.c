/* GET /openapi.yaml: the contract itself, embedded at build time. */
#include "handler.h"

extern const unsigned char openapi_yaml[];
extern const unsigned long openapi_yaml_len;

void handle_openapi(struct http_exchange *x, void *thread, void *app)
{
	struct http_response r;

	(void)thread;
	(void)app;
	api_response_init(&r, 200, "application/yaml", API_CACHE_CHECK);
	r.may_gzip = true;
	api_send_bytes(x, &r, bytes_of(openapi_yaml, openapi_yaml_len));
}
