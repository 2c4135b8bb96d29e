#include "handler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes api_path_rest(const struct http_exchange *x, size_t n)
{
	const char *p = http_request(x)->path;

	for (; n > 0 && *p != '\0'; n--)
		p += 1 + strcspn(p + 1, "/");
	return bytes_str(*p == '/' ? p + 1 : p);
}

struct bytes api_segment(const struct http_exchange *x, size_t i)
{
	struct bytes rest = api_path_rest(x, i);
	const uint8_t *slash = rest.len ? memchr(rest.data, '/', rest.len) : NULL;

	return slash ? bytes_of(rest.data, (size_t)(slash - rest.data)) : rest;
}

bool api_only(struct http_exchange *x, const char *const *names)
{
	char unknown[64], shown[96], known[160] = "";

	if (http_query_only(x, names, unknown))
		return true;
	for (const char *const *n = names; *n != NULL; n++) {
		size_t used = strlen(known);
		snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "", *n);
	}
	problem_quote(shown, sizeof(shown), bytes_str(unknown));
	api_problem(x, "query-unknown", "%s is not a parameter here; known: %s", shown,
		    known[0] ? known : "none");
	return false;
}

bool api_index_segment(struct http_exchange *x, size_t i, const char *what, uint64_t *out)
{
	struct bytes text = api_segment(x, i);
	char shown[64];

	if (decimal_decode(out, text) == VT_OK && *out <= SIZE_LIMIT)
		return true;
	problem_quote(shown, sizeof(shown), text);
	api_problem(x, "bad-request", "%s: %s is not a decimal number from 0 to %llu", what, shown,
		    (unsigned long long)SIZE_LIMIT);
	return false;
}

bool api_hash(struct http_exchange *x, struct bytes text, const char *slug, const char *where,
	      struct merkle_hash *out)
{
	uint8_t digits[2 * MERKLE_HASH_SIZE];
	char shown[80];

	for (size_t i = 0; i < text.len && i < sizeof(digits); i++)
		digits[i] = text.data[i] >= 'A' && text.data[i] <= 'F'
				? (uint8_t)(text.data[i] - 'A' + 'a')
				: text.data[i];
	if (text.len == sizeof(digits) &&
	    hex_decode_exact(out->b, sizeof(out->b), bytes_of(digits, sizeof(digits))) == VT_OK)
		return true;
	api_problem(x, slug, "%s=\"%s\": expected 64 hexadecimal digits, given %zu bytes", where,
		    problem_quote(shown, sizeof(shown), text), text.len);
	return false;
}

bool api_query_text(struct http_exchange *x, const char *name, struct buf *out, bool *given)
{
	enum vt_err err = http_query(out, x, name);

	*given = err == VT_OK;
	if (err == VT_OK || err == VT_ENOTFOUND)
		return true;
	if (err == VT_ECONFLICT)
		api_problem(x, "query-invalid", "%s: given more than once, expected once", name);
	else if (err == VT_EMALFORMED)
		api_problem(x, "query-invalid",
			    "%s: a %% has to be followed by two hexadecimal digits", name);
	else
		api_problem_err(x, err, name);
	return false;
}

bool api_query_number(struct http_exchange *x, const char *name, uint64_t least, uint64_t most,
		      uint64_t *out, bool *given)
{
	struct buf value;
	char shown[64];
	uint64_t n = 0;
	bool is_given, ok;

	buf_init(&value);
	ok = api_query_text(x, name, &value, &is_given);
	if (given != NULL)
		*given = is_given;
	if (ok && is_given) {
		ok = decimal_decode(&n, buf_bytes(&value)) == VT_OK && n >= least && n <= most;
		if (ok)
			*out = n;
		else
			api_problem(x, "query-invalid",
				    "%s=\"%s\": expected a decimal number from %llu to %llu", name,
				    problem_quote(shown, sizeof(shown), buf_bytes(&value)),
				    (unsigned long long)least, (unsigned long long)most);
	}
	buf_release(&value);
	return ok;
}

void api_response_init(struct http_response *r, unsigned status, const char *content_type,
		       enum api_cache cache)
{
	static const char *const control[] = {
	    [API_CACHE_NONE] = "no-store",
	    [API_CACHE_CHECK] = "no-cache",
	    [API_CACHE_IMMUTABLE] = "public, max-age=31536000, immutable",
	};

	/* A header that cannot be added for want of memory costs the client little; the http layer answers
	 * 503 by itself when it cannot queue a response at all. */
	http_response_init(r, status, content_type);
	http_response_header(r, "Access-Control-Allow-Origin", "*");
	http_response_header(r, "Access-Control-Expose-Headers",
			     "ETag, Link, Location, Retry-After");
	http_response_header(r, "Cache-Control", "%s", control[cache]);
	http_response_header(r, "X-Content-Type-Options", "nosniff");
}

void api_response_etag(struct http_response *r, const char *kind, uint64_t a, uint64_t b)
{
	http_response_etag(r, "%s-%llx-%llx", kind, (unsigned long long)a, (unsigned long long)b);
}

void api_send(struct http_exchange *x, struct http_response *r)
{
	enum vt_err err = buf_error(&r->body);

	if (err == VT_OK) {
		http_respond(x, r);
		return;
	}
	http_response_release(r);
	api_problem_err(x, err, "answering");
}

void api_send_bytes(struct http_exchange *x, struct http_response *r, struct bytes body)
{
	buf_append(&r->body, body);
	api_send(x, r);
}

void api_send_json(struct http_exchange *x, struct http_response *r, struct json *j)
{
	json_write(&r->body, j, JSON_COMPACT);
	buf_append_byte(&r->body, '\n');
	json_free(j);
	r->may_gzip = true;
	api_send(x, r);
}

struct json *json_policy_met(struct log_worker *w, const struct api *api, struct bytes note)
{
	enum vt_err err;

	if (!log_asks_witnesses(api->log))
		return json_absent();
	err = log_policy_met(w, note);
	return err == VT_OK || err == VT_EUNTRUSTED ? json_new_bool(err == VT_OK) : NULL;
}

struct json *json_proof(const struct merkle_proof *proof)
{
	struct json *hashes = json_new_array();

	for (size_t i = 0; i < proof->n; i++)
		json_add_element(&hashes, json_new_hash(&proof->hash[i]));
	return hashes;
}
