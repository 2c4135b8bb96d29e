#include "handler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "add_checkpoint.h"
#include "clock.h"
#include "event_hub.h"
#include "gossip.h"

/* Handlers that touch the store run on the pool; the few that answer from memory run on the loop. */
const struct api_route api_routes[] = {
    {.pattern = "/", .handler = handle_index, .roles = API_LOG, .on_loop = true},
    {.pattern = "/", .handler = handle_witness_index, .roles = API_WITNESS},
    {.pattern = "/", .handler = handle_monitor_index, .roles = API_MONITOR},
    {.pattern = "/checkpoint", .handler = handle_checkpoint, .roles = API_LOG},
    {.pattern = "/tile/{+path}", .handler = handle_tile, .roles = API_LOG},
    {.pattern = "/add",
     .handler = handle_add,
     .roles = API_RAW,
     .method = HTTP_POST,
     .rate_limited = true,
     .body_max = BUNDLE_ENTRY_MAX},
    {.pattern = "/api/v1/entries",
     .handler = handle_entries_post,
     .roles = API_RECORDS,
     .method = HTTP_POST,
     .rate_limited = true,
     .body_max = RECORD_BODY_MAX},
    {.pattern = "/api/v1/entries", .handler = handle_entries_search, .roles = API_RECORDS},
    {.pattern = "/api/v1/entries/{index}", .handler = handle_entry, .roles = API_LOG},
    {.pattern = "/api/v1/entries/{index}/proof", .handler = handle_entry_proof, .roles = API_LOG},
    {.pattern = "/api/v1/entries/{index}/tlog-proof",
     .handler = handle_entry_tlog_proof,
     .roles = API_LOG},
    {.pattern = "/api/v1/leaves/{hash}", .handler = handle_leaf, .roles = API_LOG},
    {.pattern = "/api/v1/consistency", .handler = handle_consistency, .roles = API_LOG},
    {.pattern = "/api/v1/tree-heads", .handler = handle_tree_heads, .roles = API_LOG},
    {.pattern = "/api/v1/events", .handler = handle_events, .roles = API_LOG},
    {.pattern = "/feed.atom", .handler = handle_feed, .roles = API_LOG},
    {.pattern = "/api/v1/parties", .handler = handle_parties, .roles = API_RECORDS},
    {.pattern = "/api/v1/parties/{id}", .handler = handle_party, .roles = API_RECORDS},
    {.pattern = "/healthz", .handler = handle_healthz, .roles = API_ANY, .on_loop = true},
    {.pattern = "/add-checkpoint",
     .handler = handle_add_checkpoint,
     .roles = API_WITNESS,
     .method = HTTP_POST,
     .rate_limited = true,
     .body_max = ADD_CHECKPOINT_BODY_MAX},
    {.pattern = "/{origin_hash}/checkpoint",
     .handler = handle_witness_checkpoint,
     .roles = API_WITNESS},
    {.pattern = "/gossip/v1/tree-heads", .handler = handle_gossip_heads, .roles = API_GOSSIP},
    {.pattern = "/gossip/v1/tree-heads",
     .handler = handle_gossip_heads_post,
     .roles = API_GOSSIP,
     .method = HTTP_POST,
     .rate_limited = true,
     .body_max = GOSSIP_BODY_MAX},
    {.pattern = "/gossip/v1/evidence", .handler = handle_evidence_list, .roles = API_GOSSIP},
    {.pattern = "/gossip/v1/evidence",
     .handler = handle_evidence_post,
     .roles = API_GOSSIP,
     .method = HTTP_POST,
     .rate_limited = true,
     .body_max = EVIDENCE_SIZE_MAX},
    {.pattern = "/gossip/v1/evidence/{id}", .handler = handle_evidence, .roles = API_GOSSIP},
    {.pattern = "/readyz", .handler = handle_readyz, .roles = API_LOG},
    {.pattern = "/readyz", .handler = handle_witness_readyz, .roles = API_WITNESS},
    {.pattern = "/readyz", .handler = handle_monitor_readyz, .roles = API_MONITOR},
    {.pattern = "/metrics", .handler = handle_metrics, .roles = API_ANY},
    {.pattern = "/openapi.yaml", .handler = handle_openapi, .roles = API_ANY, .on_loop = true},
};
const size_t api_routes_count = sizeof(api_routes) / sizeof(*api_routes);

/* Does the path have the pattern's shape? A "{name}" segment takes one non-empty segment. */
static bool pattern_fits(const char *pattern, const char *path)
{
	while (*pattern) {
		if (strncmp(pattern, "{+", 2) == 0)
			return *path != '\0';
		if (*pattern == '{') {
			size_t len = strcspn(path, "/");
			if (len == 0)
				return false;
			path += len;
			pattern = strchr(pattern, '}') + 1;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return *path == '\0';
}

static bool route_is_open(const struct api_route *route, const struct api *api)
{
	return (route->roles & api->roles) != 0;
}

/* There is such a route, but not in this process. */
static void explain_closed(struct http_exchange *x, const struct api *api,
			   const struct api_route *route, const char *path)
{
	if ((route->roles & API_LOG) == 0)
		api_problem(x, "not-found", "%s is not offered: this is no %s", path,
			    route->roles & API_WITNESS ? "witness" : "monitor");
	else if (api->log != NULL)
		api_problem(x, "not-found", "%s is not offered: this log is in %s mode", path,
			    log_identity(api->log)->mode);
	else
		api_problem(x, "not-found", "%s is not offered: this is no log", path);
}

static void handle_not_found(struct http_exchange *x, void *thread, void *app)
{
	const struct api *api = app;
	char path[96];

	(void)thread;
	problem_quote(path, sizeof(path), bytes_str(http_request(x)->path));
	for (size_t i = 0; i < api_routes_count; i++) {
		if (pattern_fits(api_routes[i].pattern, http_request(x)->path)) {
			explain_closed(x, api, &api_routes[i], path);
			return;
		}
	}
	api_problem(x, "not-found", "there is nothing at %s; /openapi.yaml lists what there is",
		    path);
}

/* "GET, HEAD, OPTIONS": what this path takes. */
static void append_allow(struct buf *out, const struct http_exchange *x, const struct api *api)
{
	for (size_t i = 0; i < api_routes_count; i++) {
		const struct api_route *route = &api_routes[i];
		if (route_is_open(route, api) &&
		    pattern_fits(route->pattern, http_request(x)->path))
			buf_append_str(out, route->method == HTTP_GET ? "GET, HEAD, " : "POST, ");
	}
	buf_append_str(out, "OPTIONS");
}

static void answer_allow(struct http_exchange *x, const struct api *api, unsigned status)
{
	struct http_response r;
	struct buf allow;
	struct bytes text;

	buf_init(&allow);
	append_allow(&allow, x, api);
	if (buf_error(&allow) != VT_OK) {
		buf_release(&allow);
		api_problem_err(x, VT_ENOMEM, "answering");
		return;
	}
	text = buf_bytes(&allow);
	if (status == 204) {
		api_response_init(&r, status, NULL, API_CACHE_NONE);
		http_response_header(&r, "Access-Control-Allow-Methods", "%.*s", (int)text.len,
				     (const char *)text.data);
		http_response_header(&r, "Access-Control-Allow-Headers",
				     "Content-Type, Accept, Last-Event-ID");
		http_response_header(&r, "Access-Control-Max-Age", "86400");
	} else {
		char detail[160];
		char method[32];

		problem_quote(method, sizeof(method), bytes_str(http_request(x)->method_name));
		snprintf(detail, sizeof(detail), "%s is not possible here; try %.*s", method,
			 (int)text.len, (const char *)text.data);
		api_http_error(&r, status, detail, false, NULL);
	}
	http_response_header(&r, "Allow", "%.*s", (int)text.len, (const char *)text.data);
	buf_release(&allow);
	http_respond(x, &r);
}

static void handle_options(struct http_exchange *x, void *thread, void *app)
{
	(void)thread;
	answer_allow(x, app, 204);
}

static void handle_method_not_allowed(struct http_exchange *x, void *thread, void *app)
{
	(void)thread;
	answer_allow(x, app, 405);
}

/* The first open one that fits; NULL: none. *path_known: one of another method fits. */
static const struct api_route *open_route(const struct api *api, const struct http_request *req,
					  bool *path_known)
{
	enum http_method method = req->method == HTTP_HEAD ? HTTP_GET : req->method;

	*path_known = false;
	for (size_t i = 0; i < api_routes_count; i++) {
		const struct api_route *route = &api_routes[i];

		if (!route_is_open(route, api) || !pattern_fits(route->pattern, req->path))
			continue;
		*path_known = true;
		if (route->method == method)
			return route;
	}
	return NULL;
}

/* Of a monitor, which may be exchanged. */
static void handle_for_monitor(struct http_exchange *x, void *thread, void *app)
{
	struct api *api = app;
	bool path_known;
	const struct api_route *route = open_route(api, http_request(x), &path_known);

	(void)pthread_rwlock_rdlock(&api->lock);
	if (api->monitor == NULL)
		api_problem(x, "unavailable", "the policy is being exchanged");
	else
		route->handler(x, thread, app);
	(void)pthread_rwlock_unlock(&api->lock);
}

static void find_route(struct http_route_match *out, const struct http_exchange *x, void *app)
{
	const struct api *api = app;
	const struct http_request *req = http_request(x);
	bool path_known;
	const struct api_route *route = open_route(api, req, &path_known);

	*out = (struct http_route_match){
	    .handler = handle_not_found, .on_loop = true, .any_body = true};
	if (route != NULL)
		*out = (struct http_route_match){
		    .handler = (api->roles & API_MONITOR) != 0 && !route->on_loop
				   ? handle_for_monitor
				   : route->handler,
		    .on_loop = route->on_loop,
		    .body_max = route->body_max,
		    .rate_limited = route->rate_limited,
		    .appends =
			route->handler == handle_add || route->handler == handle_entries_post,
		    .stream = route->handler == handle_events,
		};
	else if (path_known)
		out->handler =
		    req->method == HTTP_OPTIONS ? handle_options : handle_method_not_allowed;
}

static void *worker_new(void *app)
{
	struct api *api = app;
	struct log_worker *w = NULL;

	return log_worker_new(&w, api->log) == VT_OK ? w : NULL;
}

static void worker_free(void *thread, void *app)
{
	(void)app;
	log_worker_free(thread);
}

static int roles_of(const struct api_config *config)
{
	int roles = 0;

	if (config->log != NULL)
		roles |= 1 << log_mode(config->log);
	if (config->cosigner != NULL)
		roles |= API_WITNESS;
	if (config->monitor != NULL)
		roles |= API_MONITOR;
	if (config->gossip != NULL)
		roles |= API_GOSSIP;
	return roles;
}

/* Requests that come without end must not keep an exchange waiting. */
static void init_lock(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t prefer_writer;

	(void)pthread_rwlockattr_init(&prefer_writer);
	(void)pthread_rwlockattr_setkind_np(&prefer_writer,
					    PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	(void)pthread_rwlock_init(lock, &prefer_writer);
	(void)pthread_rwlockattr_destroy(&prefer_writer);
}

enum vt_err api_start(struct api **out, const struct api_config *config, char why[160])
{
	enum vt_err err;
	struct api *api = calloc(1, sizeof(*api));
	struct http_config http = config->http;

	*out = NULL;
	if (api == NULL)
		return VT_ENOMEM;
	init_lock(&api->lock);
	api->log = config->log;
	api->gather = config->gather;
	api->cosigner = config->cosigner;
	api->gossip = config->gossip;
	api->monitor = config->monitor;
	api->roles = roles_of(config);
	api->version = config->version;
	api->started = clock_unix();
	http.route = find_route;
	http.error = api_http_error;
	if (api->log != NULL) { /* only a log's handlers read a store */
		http.thread_new = worker_new;
		http.thread_free = worker_free;
	}
	http.app = api;
	/* Before the server: a handler may subscribe at once. */
	if (api->log != NULL &&
	    (err = hub_start(&api->hub, api->log, config->heartbeat_seconds)) != VT_OK) {
		(void)snprintf(why, 160, "the event stream could not be begun: %s",
			       vt_err_text(err));
		goto done;
	}
	if ((err = http_server_start(&api->server, &http, why)) != VT_OK)
		goto done;
	*out = api;
	api = NULL; /* transferred */
done:
	api_free(api);
	return err;
}

void api_set_gather(struct api *api, struct gather *gather)
{
	(void)pthread_rwlock_wrlock(&api->lock);
	api->gather = gather;
	(void)pthread_rwlock_unlock(&api->lock);
}

void api_set_monitor(struct api *api, struct monitor *monitor, struct gossip *gossip)
{
	(void)pthread_rwlock_wrlock(&api->lock);
	api->monitor = monitor;
	api->gossip = gossip;
	(void)pthread_rwlock_unlock(&api->lock);
}

void api_published(struct api *api)
{
	if (api->hub != NULL)
		hub_published(api->hub);
}

const char *api_url(const struct api *api)
{
	return http_server_url(api->server);
}

bool api_everywhere(const struct api *api)
{
	return http_server_everywhere(api->server);
}

void api_stop(struct api *api, unsigned grace_seconds)
{
	http_server_stop(api->server, grace_seconds);
	if (api->hub != NULL)
		hub_stop(api->hub);
}

void api_free(struct api *api)
{
	if (api == NULL)
		return;
	/* The server first: it closes the streams, and its pool may still subscribe. */
	http_server_free(api->server);
	hub_free(api->hub);
	(void)pthread_rwlock_destroy(&api->lock);
	free(api);
}
