#include "http_app.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vitrine_test.h"

uint64_t app_hash(struct bytes data)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < data.len; i++)
		h = (h ^ data.data[i]) * 0x100000001b3u;
	return h;
}

void app_answer(struct http_exchange *x, const char *text)
{
	struct http_response r;

	http_response_init(&r, 200, "text/plain");
	(void)buf_append_str(&r.body, text);
	http_respond(x, &r);
}

static void on_hello(struct http_exchange *x, void *thread, void *app)
{
	(void)thread;
	(void)app;
	app_answer(x, "hello");
}

static void on_pooled(struct http_exchange *x, void *thread, void *app)
{
	(void)app;
	app_answer(x, thread != NULL ? "pooled" : "no thread state");
}

static void on_echo(struct http_exchange *x, void *thread, void *app)
{
	const struct http_request *q = http_request(x);
	const char *header = http_header(x, "X-Test");
	struct http_response r;

	(void)thread;
	(void)app;
	http_response_init(&r, 200, "text/plain");
	(void)buf_appendf(&r.body, "%s|%s|%s|%s|%s", q->method_name, q->path, q->query, q->peer,
			  header != NULL ? header : "-");
	http_respond(x, &r);
}

static void on_fresh(struct http_exchange *x, void *thread, void *app)
{
	const char *cache = http_header(x, "Cache-Control"), *pragma = http_header(x, "Pragma");
	struct http_response r;

	(void)thread;
	(void)app;
	http_response_init(&r, 200, "text/plain");
	(void)buf_appendf(&r.body, "%s|%s", cache != NULL ? cache : "-",
			  pragma != NULL ? pragma : "-");
	http_respond(x, &r);
}

static void on_big(struct http_exchange *x, void *thread, void *app)
{
	struct http_response r;
	struct buf n;

	(void)thread;
	(void)app;
	buf_init(&n);
	http_response_init(&r, 200, "text/plain");
	if (http_query(&n, x, "n") == VT_OK) {
		uint8_t block[4096];
		uint64_t len = 0;

		for (uint64_t i = 0; i < sizeof(block); i++)
			block[i] = (uint8_t)("0123456789abcdef"[(i * i >> 3) % 16]);
		(void)decimal_decode(&len, buf_bytes(&n));
		for (; len > sizeof(block); len -= sizeof(block))
			(void)buf_append(&r.body, bytes_of(block, sizeof(block)));
		(void)buf_append(&r.body, bytes_of(block, (size_t)len));
	}
	buf_release(&n);
	r.may_gzip = true;
	(void)http_response_etag(&r, "%s", "big");
	(void)http_response_header(&r, "Cache-Control", "max-age=%d", 60);
	http_respond(x, &r);
}

static void on_tag(struct http_exchange *x, void *thread, void *app)
{
	struct http_response r;

	(void)thread;
	(void)app;
	http_response_init(&r, 200, "text/plain");
	(void)buf_append_str(&r.body, "tagged");
	r.etag = "one";
	http_respond(x, &r);
}

static void on_body(struct http_exchange *x, void *thread, void *app)
{
	struct bytes body = http_request(x)->body;
	struct http_response r;

	(void)thread;
	(void)app;
	http_response_init(&r, 200, "text/plain");
	(void)buf_appendf(&r.body, "%zu %016" PRIx64, body.len, app_hash(body));
	http_respond(x, &r);
}

static void on_later(struct http_exchange *x, void *thread, void *app)
{
	struct app *a = app;

	(void)thread;
	pthread_mutex_lock(&a->lock);
	a->parked[a->n_parked++] = x;
	pthread_cond_broadcast(&a->parked_more);
	pthread_mutex_unlock(&a->lock);
}

static void on_gate(struct http_exchange *x, void *thread, void *app)
{
	struct app *a = app;

	(void)thread;
	pthread_mutex_lock(&a->lock);
	while (!a->gate_open)
		pthread_cond_wait(&a->parked_more, &a->lock);
	(void)snprintf(a->order[a->n_order++], sizeof(a->order[0]), "%s", http_request(x)->peer);
	pthread_mutex_unlock(&a->lock);
	app_answer(x, "through");
}

void app_open_gate(struct app *a)
{
	pthread_mutex_lock(&a->lock);
	a->gate_open = true;
	pthread_cond_broadcast(&a->parked_more);
	pthread_mutex_unlock(&a->lock);
}

static void on_hung(struct http_exchange *x, void *thread, void *app)
{
	http_set_state(x, strdup("hung"));
	on_later(x, thread, app);
}

static void on_continued(struct http_exchange *x, void *thread, void *app)
{
	char *text = http_state(x);

	(void)app;
	app_answer(x, thread != NULL ? text : "no thread state");
	free(text);
}

void app_continue(struct http_exchange *x)
{
	http_continue(x, on_continued);
}

static void count_call(struct app_stream *s, unsigned *n)
{
	pthread_mutex_lock(&s->app->lock);
	++*n;
	pthread_cond_broadcast(&s->app->parked_more);
	pthread_mutex_unlock(&s->app->lock);
}

static void stream_empty(void *ctx)
{
	count_call(ctx, &((struct app_stream *)ctx)->empty);
}

static void stream_closed(void *ctx)
{
	count_call(ctx, &((struct app_stream *)ctx)->closed);
}

static void on_stream(struct http_exchange *x, void *thread, void *app)
{
	struct app_stream *s = calloc(1, sizeof(*s));
	struct http_stream_calls calls = {stream_empty, stream_closed, s};
	struct app *a = app;
	struct http_response r;

	(void)thread;
	assert_non_null(s);
	s->app = a;
	http_response_init(&r, 200, "text/event-stream");
	(void)buf_append_str(&r.body, "begin\n");
	assert_int_equal(http_respond_stream(&s->stream, x, &r, &calls), VT_OK);
	pthread_mutex_lock(&a->lock);
	a->stream[a->n_streams++] = s;
	pthread_cond_broadcast(&a->parked_more);
	pthread_mutex_unlock(&a->lock);
}

static void on_missing(struct http_exchange *x, void *thread, void *app)
{
	struct http_response r;

	(void)thread;
	(void)app;
	http_response_init(&r, 404, "text/plain");
	(void)buf_append_str(&r.body, "there is no such thing");
	http_respond(x, &r);
}

static const struct {
	const char *path;
	struct http_route_match match;
} routes[] = {
    {"/hello", {.handler = on_hello, .on_loop = true}},
    {"/pooled", {.handler = on_pooled}},
    {"/gate", {.handler = on_gate}},
    {"/slow-append", {.handler = on_gate, .body_max = APP_BODY_MAX, .rate_limited = true}},
    {"/echo", {.handler = on_echo}},
    {"/fresh", {.handler = on_fresh}},
    {"/big", {.handler = on_big}},
    {"/tag", {.handler = on_tag, .on_loop = true}},
    {"/body", {.handler = on_body, .body_max = APP_BODY_MAX}},
    {"/later", {.handler = on_later, .body_max = APP_BODY_MAX}},
    {"/hung", {.handler = on_hung, .body_max = APP_BODY_MAX, .appends = true}},
    {"/stream", {.handler = on_stream, .stream = true}},
    {"/paced", {.handler = on_body, .body_max = APP_BODY_MAX, .rate_limited = true}},
};

static void route(struct http_route_match *out, const struct http_exchange *x, void *app)
{
	const char *path = http_request(x)->path;

	(void)app;
	*out = (struct http_route_match){.handler = on_missing, .on_loop = true};
	if (strncmp(path, "/echo", 5) == 0)
		path = "/echo";
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (strcmp(path, routes[i].path) == 0)
			*out = routes[i].match;
	}
}

static void write_error(struct http_response *out, unsigned status, const char *detail,
			bool unknown, void *app)
{
	(void)app;
	out->content_type = "application/problem+json";
	(void)buf_appendf(&out->body, "{\"status\":%u,\"detail\":\"%s\",\"unknown\":%d}", status,
			  detail, unknown);
	(void)http_response_header(out, "Access-Control-Allow-Origin", "*");
}

static void *thread_new(void *app)
{
	struct app *a = app;

	pthread_mutex_lock(&a->lock);
	a->threads_made++;
	pthread_mutex_unlock(&a->lock);
	return malloc(1);
}

static void thread_free(void *thread, void *app)
{
	struct app *a = app;

	pthread_mutex_lock(&a->lock);
	a->threads_freed++;
	pthread_mutex_unlock(&a->lock);
	free(thread);
}

void app_start(struct app *a, const struct http_config *config)
{
	struct http_config c = {0};
	char why[160] = "";

	if (config != NULL)
		c = *config;
	*a = (struct app){0};
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->parked_more, NULL);
	if (c.listen == NULL)
		c.listen = "127.0.0.1:0";
	c.route = route;
	c.error = write_error;
	c.thread_new = thread_new;
	c.thread_free = thread_free;
	c.app = a;
	if (http_server_start(&a->server, &c, why) != VT_OK)
		fail_msg("the server did not start: %s", why);
	a->url = http_server_url(a->server);
}

void app_stop(struct app *a, double grace_seconds)
{
	http_server_stop(a->server, grace_seconds);
	http_server_free(a->server);
	for (size_t i = 0; i < a->n_streams; i++) {
		assert_int_equal(a->stream[i]->closed, 1);
		http_stream_release(a->stream[i]->stream);
		free(a->stream[i]);
	}
	assert_int_equal(a->threads_made, a->threads_freed);
	pthread_cond_destroy(&a->parked_more);
	pthread_mutex_destroy(&a->lock);
}

void app_wait_parked(struct app *a, size_t n)
{
	pthread_mutex_lock(&a->lock);
	while (a->n_parked < n)
		pthread_cond_wait(&a->parked_more, &a->lock);
	pthread_mutex_unlock(&a->lock);
}

struct http_exchange *app_take_parked(struct app *a)
{
	struct http_exchange *x = NULL;

	pthread_mutex_lock(&a->lock);
	if (a->n_parked > 0)
		x = a->parked[--a->n_parked];
	pthread_mutex_unlock(&a->lock);
	return x;
}

void app_wait_streams(struct app *a, size_t n)
{
	pthread_mutex_lock(&a->lock);
	while (a->n_streams < n)
		pthread_cond_wait(&a->parked_more, &a->lock);
	pthread_mutex_unlock(&a->lock);
}

unsigned app_wait_empty(struct app_stream *s, unsigned before)
{
	unsigned now;

	pthread_mutex_lock(&s->app->lock);
	while (s->empty <= before)
		pthread_cond_wait(&s->app->parked_more, &s->app->lock);
	now = s->empty;
	pthread_mutex_unlock(&s->app->lock);
	return now;
}

void app_wait_closed(struct app_stream *s)
{
	pthread_mutex_lock(&s->app->lock);
	while (s->closed == 0)
		pthread_cond_wait(&s->app->parked_more, &s->app->lock);
	pthread_mutex_unlock(&s->app->lock);
}

enum vt_err app_append(struct app_stream *s, const char *text)
{
	struct http_chunk *chunk = http_chunk_new(bytes_str(text));
	enum vt_err err = http_stream_append(s->stream, chunk);

	http_chunk_unref(chunk);
	return err;
}

void app_fixture_start(struct app_fixture *f, struct http_config config)
{
	app_start(&f->app, &config);
	raw_reply_init(&f->reply);
}

void app_fixture_stop(struct app_fixture *f)
{
	app_stop(&f->app, 5);
	raw_reply_release(&f->reply);
}
