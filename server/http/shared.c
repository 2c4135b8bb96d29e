/* Finds an answer that somebody else is being sent already, so that many readers of one tile hold it once. */
#include "http_shared.h"

#include <stdlib.h>
#include <string.h>

#include "http_loop.h"

enum { WORTH_FROM = 4096 }; /* bytes of a body */

struct shared_answer {
	struct shared_answer *next;
	size_t refs, row;
	struct buf head;   /* everything about it but the body, as a text */
	struct bytes body; /* the response's */
	struct MHD_Response *response;
};

void shared_init(struct shared_answers *s)
{
	*s = (struct shared_answers){0};
	pthread_mutex_init(&s->lock, NULL);
}

void shared_destroy(struct shared_answers *s)
{
	pthread_mutex_destroy(&s->lock);
}

bool shared_worth(const struct http_response *r, const struct http_variant *v)
{
	return r->status == 200 && !v->not_modified && v->etag[0] != '\0' &&
	       r->body.len >= WORTH_FROM;
}

static enum vt_err describe(struct buf *out, const struct http_response *r,
			    const struct http_variant *v)
{
	enum vt_err err =
	    buf_appendf(out, "%s\n%s\n%d %s\n", r->content_type != NULL ? r->content_type : "",
			v->etag, v->gzipped, v->vary != NULL ? v->vary : "");

	for (size_t i = 0; err == VT_OK && i < r->n_headers; i++)
		err = buf_appendf(out, "%s: %s\n", r->header[i].name, r->header[i].value);
	return err;
}

/* Without a secret: the text is of our own headers, and the tag in it a hash of what is in the log. */
static size_t row_of(const struct buf *head, size_t body_len)
{
	uint64_t h = 0xcbf29ce484222325u ^ body_len;

	for (size_t i = 0; i < head->len; i++)
		h = (h ^ head->data[i]) * 0x100000001b3u;
	return (h >> 32) % SHARED_ROWS;
}

struct shared_answer *shared_join(struct shared_answers *s, const struct http_response *r,
				  const struct http_variant *v)
{
	struct shared_answer *a = NULL;
	struct buf head;

	buf_init(&head);
	if (describe(&head, r, v) == VT_OK) {
		pthread_mutex_lock(&s->lock);
		a = s->row[row_of(&head, r->body.len)];
		while (a != NULL && !(bytes_equal(buf_bytes(&a->head), buf_bytes(&head)) &&
				      bytes_equal(a->body, buf_bytes(&r->body))))
			a = a->next;
		if (a != NULL)
			a->refs++;
		pthread_mutex_unlock(&s->lock);
	}
	buf_release(&head);
	return a;
}

struct shared_answer *shared_add(struct shared_answers *s, struct http_response *r,
				 const struct http_variant *v)
{
	struct shared_answer *a = calloc(1, sizeof(*a));

	if (a == NULL || describe(&a->head, r, v) != VT_OK)
		goto fail;
	a->refs = 1;
	a->row = row_of(&a->head, r->body.len);
	a->body = buf_bytes(&r->body);
	if ((a->response = library_answer(r, v)) == NULL)
		goto fail;
	pthread_mutex_lock(&s->lock);
	a->next = s->row[a->row];
	s->row[a->row] = a;
	pthread_mutex_unlock(&s->lock);
	return a;
fail:
	if (a != NULL)
		buf_release(&a->head);
	free(a);
	buf_release(&r->body);
	return NULL;
}

struct MHD_Response *shared_response(const struct shared_answer *a)
{
	return a->response;
}

size_t shared_unref(struct shared_answers *s, struct shared_answer *a)
{
	struct shared_answer **at;
	size_t held;

	pthread_mutex_lock(&s->lock);
	if (--a->refs > 0) {
		pthread_mutex_unlock(&s->lock);
		return 0;
	}
	for (at = &s->row[a->row]; *at != a; at = &(*at)->next)
		;
	*at = a->next;
	pthread_mutex_unlock(&s->lock);
	held = a->body.len;
	library_answer_free(a->response);
	buf_release(&a->head);
	free(a);
	return held;
}
