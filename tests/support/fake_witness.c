#include "fake_witness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "vitrine/cosignature.h"
#include "vitrine_test.h"

/* A request taken apart. Points into the body. */
struct request {
	uint64_t old;
	struct merkle_proof proof;
	struct bytes note;
};

static bool take_line(struct bytes *rest, struct bytes *line)
{
	const uint8_t *end = rest->len > 0 ? memchr(rest->data, '\n', rest->len) : NULL;

	if (end == NULL)
		return false;
	*line = bytes_of(rest->data, (size_t)(end - rest->data));
	*rest = bytes_of(end + 1, rest->len - line->len - 1);
	return true;
}

static bool parse(struct request *out, struct bytes body)
{
	struct bytes line;

	out->proof.n = 0;
	if (!take_line(&body, &line) || line.len < 5 || memcmp(line.data, "old ", 4) != 0 ||
	    decimal_decode(&out->old, bytes_of(line.data + 4, line.len - 4)) != VT_OK)
		return false;
	while (take_line(&body, &line) && line.len > 0) {
		if (out->proof.n == MERKLE_PROOF_MAX ||
		    base64_decode_exact(out->proof.hash[out->proof.n++].b, MERKLE_HASH_SIZE, line,
					BASE64_STANDARD) != VT_OK)
			return false;
	}
	out->note = body;
	return line.len == 0;
}

static void respond(struct http_exchange *x, unsigned status, const char *type, struct bytes body,
		    unsigned retry_after)
{
	struct http_response r;

	http_response_init(&r, status, type);
	(void)buf_append(&r.body, body);
	if (retry_after != 0)
		(void)http_response_header(&r, "Retry-After", "%u", retry_after);
	http_respond(x, &r);
}

static void plain(struct http_exchange *x, unsigned status, const char *text)
{
	respond(x, status, "text/plain", bytes_str(text), 0);
}

static void cosign(struct fake_witness *f, struct http_exchange *x, struct bytes note,
		   struct bytes text)
{
	const struct fake_answer *a = &f->answer;
	uint64_t now = a->time != 0 ? a->time : a->time_zero ? 0 : clock_unix();
	struct tree_head other = {.size = 77};
	struct buf out, other_text;

	buf_init(&out);
	buf_init(&other_text);
	if (a->other_text) {
		assert_int_equal(checkpoint_format(&other_text, f->log.name, &other), VT_OK);
		text = buf_bytes(&other_text);
	}
	if (a->before != NULL)
		assert_int_equal(buf_append_str(&out, a->before), VT_OK);
	for (size_t i = 0; i < f->n_signers; i++)
		assert_int_equal(cosignature_line(&out, text, now, &f->signer[i]), VT_OK);
	if (a->after != NULL)
		assert_int_equal(buf_append_str(&out, a->after), VT_OK);
	if (f->shows) {
		buf_reset(&f->shown);
		assert_int_equal(buf_append(&f->shown, note), VT_OK);
		assert_int_equal(buf_append(&f->shown, buf_bytes(&out)), VT_OK);
	}
	respond(x, 200, "text/plain", buf_bytes(&out), 0);
	buf_release(&out);
	buf_release(&other_text);
}

/* What the specification says, as far as these tests lean on it. */
static void answer_honestly(struct fake_witness *f, struct http_exchange *x,
			    const struct request *q)
{
	struct merkle_hasher hasher;
	struct note *note = NULL;
	struct checkpoint cp;
	char size[32];
	bool holds = true;

	if (checkpoint_open(&note, &cp, q->note, &f->log, NULL) != VT_OK) {
		plain(x, 403, "not signed by the log\n");
		return;
	}
	assert_int_equal(merkle_hasher_init(&hasher), VT_OK);
	if (q->old == 0)
		holds = q->proof.n == 0;
	else if (q->old == f->head.size && q->old == cp.head.size)
		holds = q->proof.n == 0 && merkle_hash_equal(&cp.head.root, &f->head.root);
	else if (q->old == f->head.size && q->old < cp.head.size)
		holds = proof_verify_consistency(&hasher, &q->proof, &f->head, &cp.head) == VT_OK;
	merkle_hasher_release(&hasher);
	if (q->old > cp.head.size) {
		plain(x, 400, "old is beyond the checkpoint\n");
	} else if (q->old != f->head.size) {
		(void)snprintf(size, sizeof(size), "%" PRIu64 "\n", f->head.size);
		respond(x, 409, "text/x.tlog.size", bytes_str(size), 0);
	} else if (!holds) {
		plain(x, 422, "the proof does not hold\n");
	} else {
		f->head = cp.head;
		cosign(f, x, q->note, note->text);
	}
	note_free(note);
}

static void answer(struct fake_witness *f, struct http_exchange *x)
{
	const struct fake_answer *a = &f->answer;
	struct request q;

	if (!parse(&q, http_request(x)->body)) {
		plain(x, 400, "malformed\n");
		return;
	}
	f->old = q.old;
	f->proof_n = q.proof.n;
	if (a->status == 0) {
		answer_honestly(f, x, &q);
		return;
	}
	respond(x, a->status, a->content_type,
		bytes_of(a->body, a->body == NULL   ? 0
				  : a->body_len > 0 ? a->body_len
						    : strlen(a->body)),
		a->retry_after);
}

static void on_add_checkpoint(struct http_exchange *x, void *thread, void *app)
{
	struct fake_witness *f = app;

	(void)thread;
	pthread_mutex_lock(&f->lock);
	f->asked++;
	if (f->holds) {
		assert_true(f->n_held < FAKE_WITNESS_HELD_MAX);
		f->held[f->n_held++] = x;
	} else {
		answer(f, x);
	}
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static void on_get(struct http_exchange *x, void *thread, void *app)
{
	struct fake_witness *f = app;
	struct bytes origin = bytes_str(f->log.name);
	struct merkle_hasher hasher;
	struct merkle_hash hash;
	char path[80] = "/", *end = path + 1 + 2 * MERKLE_HASH_SIZE;

	(void)thread;
	assert_int_equal(merkle_hasher_init(&hasher), VT_OK);
	assert_int_equal(merkle_sha256(&hash, &hasher, &origin, 1), VT_OK);
	merkle_hasher_release(&hasher);
	hex_encode(path + 1, bytes_of(hash.b, sizeof(hash.b)));
	memcpy(end, "/checkpoint", 12);
	pthread_mutex_lock(&f->lock);
	f->looked++;
	if (f->shown.len > 0 && strcmp(http_request(x)->path, path) == 0)
		respond(x, 200, "text/plain", buf_bytes(&f->shown), 0);
	else
		plain(x, 404, "nothing\n");
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static void route(struct http_route_match *out, const struct http_exchange *x, void *app)
{
	const struct http_request *q = http_request(x);

	(void)app;
	*out = (struct http_route_match){.handler = on_get};
	if (q->method == HTTP_POST && strcmp(q->path, "/add-checkpoint") == 0)
		*out = (struct http_route_match){.handler = on_add_checkpoint,
						 .body_max = FAKE_WITNESS_BODY_MAX};
}

static void write_error(struct http_response *out, unsigned status, const char *detail,
			bool unknown, void *app)
{
	(void)unknown;
	(void)status;
	(void)app;
	(void)buf_append_str(&out->body, detail);
}

void fake_witness_start(struct fake_witness *f, const struct note_signer *by, size_t n,
			const struct vkey *log)
{
	struct http_config config = {
	    .listen = "127.0.0.1:0",
	    .workers = 2,
	    .route = route,
	    .error = write_error,
	    .app = f,
	};
	char why[160] = "";

	*f = (struct fake_witness){.log = *log, .n_signers = n};
	memcpy(f->signer, by, n * sizeof(*by));
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	buf_init(&f->shown);
	if (http_server_start(&f->server, &config, why) != VT_OK)
		fail_msg("%s", why);
	f->url = http_server_url(f->server);
}

void fake_witness_stop(struct fake_witness *f)
{
	fake_witness_release(f);
	http_server_stop(f->server, 5);
	http_server_free(f->server);
	buf_release(&f->shown);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
}

void fake_witness_says(struct fake_witness *f, struct fake_answer a)
{
	pthread_mutex_lock(&f->lock);
	f->answer = a;
	pthread_mutex_unlock(&f->lock);
}

void fake_witness_shows(struct fake_witness *f, struct bytes note)
{
	pthread_mutex_lock(&f->lock);
	f->shows = false;
	buf_reset(&f->shown);
	assert_int_equal(buf_append(&f->shown, note), VT_OK);
	pthread_mutex_unlock(&f->lock);
}

void fake_witness_remembers(struct fake_witness *f, const struct tree_head *head)
{
	pthread_mutex_lock(&f->lock);
	f->head = *head;
	pthread_mutex_unlock(&f->lock);
}

void fake_witness_hold(struct fake_witness *f)
{
	pthread_mutex_lock(&f->lock);
	f->holds = true;
	pthread_mutex_unlock(&f->lock);
}

void fake_witness_release(struct fake_witness *f)
{
	pthread_mutex_lock(&f->lock);
	f->holds = false;
	for (size_t i = 0; i < f->n_held; i++)
		answer(f, f->held[i]);
	f->n_held = 0;
	pthread_mutex_unlock(&f->lock);
}

void fake_witness_wait_held(struct fake_witness *f, size_t n)
{
	pthread_mutex_lock(&f->lock);
	while (f->n_held < n)
		pthread_cond_wait(&f->changed, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

void fake_witness_wait_asked(struct fake_witness *f, unsigned n)
{
	pthread_mutex_lock(&f->lock);
	while (f->asked < n)
		pthread_cond_wait(&f->changed, &f->lock);
	pthread_mutex_unlock(&f->lock);
}

unsigned fake_witness_asked(struct fake_witness *f)
{
	unsigned n;

	pthread_mutex_lock(&f->lock);
	n = f->asked;
	pthread_mutex_unlock(&f->lock);
	return n;
}
