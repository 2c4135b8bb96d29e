/* Asking a log: addresses, patience, and what its refusals say. */
#include "client_internal.h"
#include "clock.h"
#include "json.h"
#include "problem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

enum {
	FIRST_PAUSE_MILLIS = 500,
	LONGEST_PAUSE_MILLIS = 30000,
	NAP_MILLIS = 100,
	READ_CONNECTION_TRIES = 4,
	RETRY_AFTER_MAX = 1000000, /* seconds */
};

enum vt_err asker_init(struct asker *a, const struct client *c)
{
	static const struct http_fetch_config config = {0};

	a->client = c;
	a->stop = NULL;
	return http_fetcher_new(&a->fetcher, &config);
}

void asker_release(struct asker *a)
{
	http_fetcher_free(a->fetcher);
	a->fetcher = NULL;
}

/* -- refusals --------------------------------------------------------------------------------- */

static const char *status_phrase(unsigned status)
{
	switch (status) {
	case 301:
	case 302:
	case 303:
	case 307:
	case 308:
		return "moved; redirects are not followed, give the address that it moved to";
	case 400:
		return "bad request";
	case 401:
	case 403:
		return "forbidden";
	case 404:
		return "not found";
	case 405:
		return "method not allowed";
	case 409:
		return "conflict";
	case 410:
		return "gone";
	case 413:
		return "too large";
	case 422:
		return "refused";
	case 429:
		return "too many requests";
	case 500:
		return "internal error";
	case 502:
	case 504:
		return "bad gateway";
	case 503:
		return "not available now";
	default:
		return status / 100 == 2 ? "unexpected success" : "unexpected status";
	}
}

/* Text from outside as it may be shown. Quotes are no danger in a line of prose: they stay. */
static const char *printable(char *out, size_t cap, struct bytes text)
{
	size_t at = 0;

	out[0] = '\0';
	while (text.len > 0 && cap - at > 1) {
		size_t n = 0;
		while (n < text.len && text.data[n] != '"')
			n++;
		problem_quote(out + at, cap - at, bytes_of(text.data, n));
		at += strlen(out + at);
		if (n < text.len && cap - at > 1) {
			out[at++] = '"';
			out[at] = '\0';
			n++;
		}
		text = bytes_of(text.data + n, text.len - n);
	}
	return out;
}

/* A text member made printable; empty if there is none. */
static const char *member_text(char *out, size_t cap, const struct json *j, const char *name)
{
	struct bytes text;

	out[0] = '\0';
	if (json_text(json_member(j, name), &text))
		printable(out, cap, text);
	return out;
}

static bool explain_problem(char *out, size_t cap, const struct http_reply *reply)
{
	static const char media_type[] = "application/problem+json";
	char title[120], detail[PROBLEM_DETAIL_MAX], type[120];
	struct json *j = NULL;

	if (strncmp(reply->content_type, media_type, sizeof(media_type) - 1) != 0 ||
	    json_parse(&j, buf_bytes(&reply->body), NULL) != VT_OK)
		return false;
	member_text(title, sizeof(title), j, "title");
	member_text(detail, sizeof(detail), j, "detail");
	member_text(type, sizeof(type), j, "type");
	json_free(j);
	if (title[0] == '\0' && detail[0] == '\0')
		return false;
	snprintf(out, cap, "%s%s%s (HTTP %u%s%s)", title,
		 title[0] != '\0' && detail[0] != '\0' ? ": " : "", detail, reply->status,
		 type[0] != '\0' ? ", " : "", type);
	return true;
}

void client_explain(char *out, size_t cap, const struct http_reply *reply)
{
	char quoted[120];
	struct bytes first = buf_bytes(&reply->body);
	const uint8_t *newline;

	if (explain_problem(out, cap, reply))
		return;
	if (first.len > 0 && (newline = memchr(first.data, '\n', first.len)) != NULL)
		first.len = (size_t)(newline - first.data);
	/* A page for browsers says nothing in its first line. */
	if (first.len == 0 || first.data[0] == '<' || strstr(reply->content_type, "html") != NULL)
		snprintf(out, cap, "HTTP %u, %s", reply->status, status_phrase(reply->status));
	else
		snprintf(out, cap, "HTTP %u, %s: %s", reply->status, status_phrase(reply->status),
			 printable(quoted, sizeof(quoted), first));
}

enum vt_err status_error(unsigned status)
{
	switch (status) {
	case 401:
	case 403:
		return VT_EUNTRUSTED;
	case 404:
	case 405:
	case 410:
		return VT_ENOTFOUND;
	case 409:
		return VT_ECONFLICT;
	case 413:
		return VT_ELIMIT;
	default:
		return status >= 400 && status < 500 ? VT_EMALFORMED : VT_EIO;
	}
}

/* -- patience --------------------------------------------------------------------------------- */

/*
 * Is it worth asking again? What is asked here may be repeated: reads, and appends, which a log
 * answers once.
 */
static bool means_not_now(unsigned status)
{
	return status == 408 || status == 429 || status == 502 || status == 503 || status == 504;
}

struct patience {
	uint64_t limit_millis, spent_millis;
	unsigned tries;
	unsigned connection_tries_max; /* 0: as long as the time lasts */
};

static uint64_t random_below(uint64_t n)
{
	uint64_t r = 0;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != (ssize_t)sizeof(r))
		r = clock_monotonic_nanos();
	return r % n;
}

/* Growing, and random so that clients which failed together do not come back together. */
static uint64_t next_pause(const struct patience *p, uint64_t retry_after)
{
	unsigned doublings = p->tries < 7 ? p->tries - 1 : 6;
	uint64_t pause = (uint64_t)FIRST_PAUSE_MILLIS << doublings;

	if (pause > LONGEST_PAUSE_MILLIS)
		pause = LONGEST_PAUSE_MILLIS;
	if (retry_after > RETRY_AFTER_MAX)
		retry_after = RETRY_AFTER_MAX;
	if (retry_after > 0) /* never sooner than asked */
		return retry_after * 1000 + random_below(pause / 2 + 1);
	return pause / 2 + random_below(pause / 2 + 1);
}

static bool stopped(const struct asker *a)
{
	return a->stop != NULL && *a->stop;
}

/* In short naps, so that a stop is noticed. */
static bool just_sleep(const struct asker *a, uint64_t millis)
{
	while (millis > 0 && !stopped(a)) {
		uint64_t nap = millis < NAP_MILLIS ? millis : NAP_MILLIS;
		struct timespec left = {0, (long)nap * 1000000};

		while (nanosleep(&left, &left) != 0 && errno == EINTR)
			;
		millis -= nap;
	}
	return !stopped(a);
}

/* false: give up. */
static bool pause_before_next(struct patience *p, const struct asker *a, uint64_t retry_after,
			      const char *reason)
{
	uint64_t pause = next_pause(p, retry_after);

	if (stopped(a) || p->spent_millis + pause > p->limit_millis)
		return false;
	p->spent_millis += pause;
	if (a->client->wait != NULL)
		return a->client->wait(a->client->ctx, pause, reason);
	return just_sleep(a, pause);
}

static enum vt_err ask_until_answered(struct http_reply *reply, struct asker *a,
				      const struct http_ask *ask, struct patience *p,
				      struct why *why)
{
	char said[160] = "", reason[340];

	for (;;) {
		uint64_t start = clock_monotonic_nanos();
		http_reply_release(reply);
		http_reply_init(reply);
		enum vt_err err = http_fetch(reply, a->fetcher, ask, said);
		p->spent_millis += (clock_monotonic_nanos() - start) / 1000000;
		p->tries++;
		if (err == VT_OK && !means_not_now(reply->status))
			return VT_OK;
		if (err == VT_ELIMIT)
			return why_say(why, err, "%s: the answer is over %zu bytes long", ask->url,
				       ask->body_max);
		if (err == VT_OK)
			client_explain(reason, sizeof(reason), reply);
		else
			snprintf(reason, sizeof(reason), "%s",
				 said[0] != '\0' ? said : vt_err_text(err));
		if (err == VT_EUNTRUSTED) /* nothing is known of the log, and will not be soon */
			return why_say(why, VT_EIO, "%s: %s (--ca FILE names other authorities)",
				       ask->url, reason);
		if (err != VT_OK && err != VT_EIO)
			return why_say(why, err, "%s: %s", ask->url, reason);
		/* No connection, again and again: most likely there is nobody. */
		if ((err == VT_EIO && p->connection_tries_max != 0 &&
		     p->tries >= p->connection_tries_max) ||
		    !pause_before_next(p, a, reply->retry_after, reason))
			return why_say(why, err == VT_OK ? VT_EBUSY : VT_EIO,
				       "%s: %s (asked %u time%s)", ask->url, reason, p->tries,
				       p->tries == 1 ? "" : "s");
	}
}

static enum vt_err ask_path(struct http_reply *reply, struct asker *a, const char *path,
			    struct http_ask *ask, struct patience *p, struct why *why)
{
	struct buf url;
	enum vt_err err;
	char *text;

	buf_init(&url);
	if ((err = buf_append_str(&url, a->client->url)) != VT_OK ||
	    (err = buf_append_str(&url, path)) != VT_OK || (text = buf_detach_str(&url)) == NULL) {
		buf_release(&url);
		return why_say(why, VT_ENOMEM, "%s", vt_err_text(VT_ENOMEM));
	}
	ask->url = text;
	err = ask_until_answered(reply, a, ask, p, why);
	free(text);
	return err;
}

enum vt_err ask_get(struct http_reply *reply, struct asker *a, const char *path, const char *accept,
		    size_t max, struct why *why)
{
	struct http_ask ask = {
	    .method = "GET", .accept = accept, .fresh = a->client->fresh, .body_max = max};
	struct patience p = {.limit_millis = a->client->read_millis,
			     .connection_tries_max =
				 a->client->keep_trying ? 0 : READ_CONNECTION_TRIES};

	return ask_path(reply, a, path, &ask, &p, why);
}

enum vt_err ask_post(struct http_reply *reply, struct asker *a, const char *path,
		     const char *accept, struct bytes body, const char *content_type, size_t max,
		     struct why *why)
{
	struct http_ask ask = {.method = "POST",
			       .accept = accept,
			       .body = body,
			       .content_type = content_type,
			       .body_max = max};
	struct patience p = {.limit_millis = a->client->submit_millis};

	return ask_path(reply, a, path, &ask, &p, why);
}

/* -- resources -------------------------------------------------------------------------------- */

static enum vt_err fetch_file(struct buf *out, struct asker *a, const char *path,
			      const char *accept, size_t max, bool forbidden_is_gone,
			      struct why *why)
{
	enum vt_err err;
	struct http_reply reply;
	char reason[340];

	http_reply_init(&reply);
	if ((err = ask_get(&reply, a, path, accept, max, why)) != VT_OK)
		goto done;
	if (reply.status != 200) {
		client_explain(reason, sizeof(reason), &reply);
		err = reply.status == 403 && forbidden_is_gone ? VT_ENOTFOUND
							       : status_error(reply.status);
		/*
		 * Only a missing file is an answer here; any other refusal leaves the caller as
		 * wise as before.
		 */
		why_say(why, err = err == VT_ENOTFOUND ? err : VT_EIO, "%s%s: %s", a->client->url,
			path, reason);
		goto done;
	}
	if ((err = buf_append(out, buf_bytes(&reply.body))) != VT_OK)
		why_say(why, err, "%s", vt_err_text(err));
done:
	http_reply_release(&reply);
	return err;
}

enum vt_err fetch_resource(struct buf *out, struct asker *a, const char *path, const char *accept,
			   size_t max, struct why *why)
{
	return fetch_file(out, a, path, accept, max, false, why);
}

static size_t tile_bytes_max(const struct tile_id *id)
{
	return id->width * (id->entries ? (size_t)2 + BUNDLE_ENTRY_MAX : (size_t)MERKLE_HASH_SIZE);
}

static enum vt_err fetch_tile_as_it_is(struct buf *out, struct asker *a, const struct tile_id *id,
				       struct why *why)
{
	char path[TILE_PATH_MAX + 1] = "/";
	size_t len, start = out->len;
	enum vt_err err;

	if ((err = tile_path_format(path + 1, &len, id)) != VT_OK)
		return why_say(why, err, "no such tile");
	/* An object store that may not list its keys says "forbidden" of what is not there. A full tile has no substitute, and then
	 * that is an error. */
	if ((err = fetch_file(out, a, path, NULL, tile_bytes_max(id), id->width < TILE_WIDTH,
			      why)) != VT_OK)
		return err;
	if (!id->entries && out->len - start != tile_bytes_max(id)) {
		err = why_say(why, VT_EMALFORMED, "%s%s is %zu bytes long, expected %zu",
			      a->client->url, path, out->len - start, tile_bytes_max(id));
		out->len = start;
	}
	return err;
}

enum vt_err fetch_tile(struct buf *out, bool *full, struct asker *a, const struct tile_id *id,
		       struct why *why)
{
	struct tile_id whole = *id;
	size_t start = out->len;
	enum vt_err err;

	whole.width = TILE_WIDTH;
	*full = id->width == TILE_WIDTH;
	err = fetch_tile_as_it_is(out, a, id, why);
	if (err != VT_ENOTFOUND || *full)
		return err;
	*full = true;
	if ((err = fetch_tile_as_it_is(out, a, &whole, why)) == VT_OK && !id->entries)
		out->len = start + tile_bytes_max(id);
	return err;
}
