#include "http_exchange.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http_negotiate.h"
#include "http_query.h"

/* absolute-form (RFC 9112 section 3.2.2: "a server MUST accept the absolute-form in requests"):
 * what stands before the path says nothing that we need. */
static const char *skip_authority(const char *target)
{
	if (strncasecmp(target, "http://", 7) == 0)
		target += 7;
	else if (strncasecmp(target, "https://", 8) == 0)
		target += 8;
	else
		return target;
	return target + strcspn(target, "/?");
}

struct http_exchange *exchange_new(const char *target)
{
	const char *from = skip_authority(target);
	bool rootless = from != target && *from != '/'; /* "http://host" or "http://host?q" */
	size_t path_len = strcspn(from, "?"), query_len;
	const char *query = from + path_len;
	struct http_exchange *x;

	query += *query == '?';
	query_len = strlen(query);
	x = calloc(1, sizeof(*x) + rootless + path_len + query_len + 2);
	if (x == NULL)
		return NULL;

	char *path = x->target;

	if (rootless)
		*path++ = '/';
	memcpy(path, from, path_len);
	path += path_len + 1;
	memcpy(path, query, query_len);
	x->req.path = x->target;
	x->req.query = path;
	x->req.peer = x->peer;
	atomic_init(&x->state, EXCHANGE_OPEN);
	return x;
}

void exchange_free(struct http_exchange *x)
{
	if (x == NULL)
		return;
	buf_release(&x->body);
	free(x->field);
	free(x);
}

static char *put(char *at, const char *text)
{
	size_t len = strlen(text);

	memcpy(at, text, len);
	return at + len;
}

enum vt_err exchange_set_fields(struct http_exchange *x, const struct http_field *field, size_t n)
{
	size_t room = n * sizeof(*field);
	bool taken[HTTP_FIELDS_MAX] = {false};

	if (n > HTTP_FIELDS_MAX)
		return VT_ELIMIT;
	for (size_t i = 0; i < n; i++) /* a value grows by ", " where it is joined */
		room += strlen(field[i].name) + strlen(field[i].value) + 3;
	x->field = malloc(room + 1);
	if (x->field == NULL)
		return VT_ENOMEM;

	char *at = (char *)(x->field + n);

	for (size_t i = 0; i < n; i++) {
		struct http_field *f = &x->field[x->n_fields];

		if (taken[i])
			continue;
		f->name = at;
		at = put(at, field[i].name) + 1;
		at[-1] = '\0';
		f->value = at;
		at = put(at, field[i].value);
		for (size_t j = i + 1; j < n; j++) {
			if (taken[j] || strcasecmp(field[j].name, field[i].name) != 0)
				continue;
			taken[j] = true;
			at = put(put(at, ", "), field[j].value);
		}
		*at++ = '\0';
		x->n_fields++;
	}
	return VT_OK;
}

const struct http_request *http_request(const struct http_exchange *x)
{
	return &x->req;
}

const struct http_server *http_exchange_server(const struct http_exchange *x)
{
	return x->server;
}

const char *http_header(const struct http_exchange *x, const char *name)
{
	for (size_t i = 0; i < x->n_fields; i++) {
		if (strcasecmp(x->field[i].name, name) == 0)
			return x->field[i].value;
	}
	return NULL;
}

bool http_prefers(struct http_exchange *x, const char *type, const char *usual)
{
	x->by_accept = true;
	return http_media_preferred(http_header(x, "Accept"), type, usual);
}

enum vt_err http_query(struct buf *out, const struct http_exchange *x, const char *name)
{
	return http_query_value(out, x->req.query, name);
}

bool http_query_only(const struct http_exchange *x, const char *const *names, char unknown[64])
{
	return http_query_names(x->req.query, names, unknown);
}
