#include "http_fetch.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "http_gzip.h"
#include "logline.h"

enum {
	WHY_SIZE = 160,
	HEADER_MAX = 64 * 1024, /* of an answer */
	BODY_MAX = 1 << 30,
};

struct http_fetcher {
	CURL *curl;
	char *user_agent;
	atomic_bool cancelled;
	char problem[CURL_ERROR_SIZE];
};

/* One fetch under way, for the callbacks. */
struct fetching {
	struct http_reply *reply;
	size_t body_max;
	bool gzip;    /* the body is packed, */
	bool encoded; /* or in another coding, which nobody asked for */
	size_t header_len;
	bool head_done;  /* of an answer that is not 1xx */
	bool interim;    /* the head that is coming in is 1xx */
	enum vt_err err; /* why a callback broke it off; VT_OK: none did */
	const char *why;
};

static pthread_once_t library_once = PTHREAD_ONCE_INIT;
static bool library_ready;

static void library_init(void)
{
	library_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

void http_reply_init(struct http_reply *r)
{
	*r = (struct http_reply){0};
	buf_init(&r->body);
}

void http_reply_release(struct http_reply *r)
{
	buf_release(&r->body);
	http_reply_init(r);
}

static size_t break_off(struct fetching *t, enum vt_err err, const char *why)
{
	t->err = err;
	t->why = why;
	return 0;
}

static size_t on_body(char *data, size_t one, size_t len, void *arg)
{
	struct fetching *t = arg;
	struct buf *body = &t->reply->body;
	/* gzip makes a hopeless text a little longer, never much. */
	size_t max = t->gzip ? t->body_max + t->body_max / 1000 + 64 : t->body_max;

	(void)one;
	if (len > max - body->len)
		return break_off(t, VT_ELIMIT, "the answer is larger than is taken");
	if (buf_append(body, bytes_of(data, len)) != VT_OK)
		return break_off(t, VT_ENOMEM, "out of memory");
	return len;
}

/* The value of the field if it has this name, else NULL. */
static const char *value_of(const char *line, size_t len, const char *name, size_t *value_len)
{
	size_t name_len = strlen(name);
	const char *end = line + len;

	if (len <= name_len || line[name_len] != ':' || strncasecmp(line, name, name_len) != 0)
		return NULL;
	line += name_len + 1;
	while (line < end && (*line == ' ' || *line == '\t'))
		line++;
	while (end > line && (unsigned char)end[-1] <= ' ')
		end--;
	*value_len = (size_t)(end - line);
	return line;
}

static bool is_word(const char *value, size_t len, const char *word)
{
	return len == strlen(word) && strncasecmp(value, word, len) == 0;
}

/* Keep it, if it is short enough and has no control character. */
static void keep(char *out, size_t cap, const char *value, size_t len)
{
	out[0] = '\0';
	if (len >= cap)
		return;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f)
			return;
	}
	memcpy(out, value, len);
	out[len] = '\0';
}

/* Retry-After = HTTP-date / delay-seconds (RFC 9110 section 10.2.3). */
static uint64_t parse_retry_after(const char *value, size_t len)
{
	char text[64];
	uint64_t seconds;
	time_t then;

	if (decimal_decode(&seconds, bytes_of(value, len)) == VT_OK)
		return seconds;
	keep(text, sizeof(text), value, len);
	then = curl_getdate(text, NULL);
	seconds = clock_unix();
	return then > 0 && (uint64_t)then > seconds ? (uint64_t)then - seconds : 0;
}

static size_t on_header(char *line, size_t one, size_t len, void *arg)
{
	struct fetching *t = arg;
	struct http_reply *r = t->reply;
	const char *value;
	size_t n;

	(void)one;
	t->header_len += len;
	if (t->header_len > HEADER_MAX)
		return break_off(t, VT_EIO, "the header of the answer is too long");
	if (t->head_done)
		return len; /* a trailer: nothing in it counts */
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		/* Behind a 100 Continue comes another answer: nothing of the first one counts. */
		const char *space = memchr(line, ' ', len);

		t->interim = space != NULL && space + 1 < line + len && space[1] == '1';
		r->content_type[0] = r->etag[0] = r->location[0] = '\0';
		r->retry_after = 0;
		t->gzip = t->encoded = false;
	} else if (len <= 2 && (line[0] == '\r' || line[0] == '\n')) {
		t->head_done = !t->interim;
	} else if ((value = value_of(line, len, "Content-Type", &n)) != NULL) {
		keep(r->content_type, sizeof(r->content_type), value, n);
	} else if ((value = value_of(line, len, "ETag", &n)) != NULL) {
		keep(r->etag, sizeof(r->etag), value, n);
	} else if ((value = value_of(line, len, "Location", &n)) != NULL) {
		keep(r->location, sizeof(r->location), value, n);
	} else if ((value = value_of(line, len, "Content-Encoding", &n)) != NULL) {
		/* RFC 9110, 8.4.1.3: "A recipient SHOULD consider "x-gzip" to be equivalent to "gzip"." */
		t->gzip = is_word(value, n, "gzip") || is_word(value, n, "x-gzip");
		t->encoded = !t->gzip && !is_word(value, n, "identity");
	} else if ((value = value_of(line, len, "Retry-After", &n)) != NULL) {
		r->retry_after = parse_retry_after(value, n);
	}
	return len;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct http_fetcher *f = arg;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return atomic_load(&f->cancelled) ? 1 : 0;
}

static long millis_of(double seconds, long otherwise)
{
	if (!(seconds > 0))
		return otherwise;
	return seconds < 86400 ? (long)(seconds * 1000) + 1 : 86400L * 1000;
}

const char *http_fetch_ca_file;

/* What libcurl's own command and other programs with OpenSSL do. */
static bool configure_trust(CURL *c)
{
	const char *file = http_fetch_ca_file;

	if (file == NULL)
		file = getenv("SSL_CERT_FILE");
	return file == NULL || *file == '\0' ||
	       curl_easy_setopt(c, CURLOPT_CAINFO, file) == CURLE_OK;
}

/* What is the same for every fetch. */
static bool configure(struct http_fetcher *f, const struct http_fetch_config *config)
{
	CURL *c = f->curl;

	return configure_trust(c) && curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HTTP09_ALLOWED, 0L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_USERAGENT, f->user_agent) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_ERRORBUFFER, f->problem) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
				millis_of(config->connect_seconds, 10000)) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, millis_of(config->total_seconds, 60000)) ==
		   CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_XFERINFODATA, f) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
}

enum vt_err http_fetcher_new(struct http_fetcher **out, const struct http_fetch_config *config)
{
	const struct http_fetch_config defaults = {0};
	struct http_fetcher *f = NULL;
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	if (config == NULL)
		config = &defaults;
	pthread_once(&library_once, library_init);
	if (!library_ready)
		return INTERNAL("curl_global_init");
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return VT_ENOMEM;
	atomic_init(&f->cancelled, false);
	f->user_agent =
	    strdup(config->user_agent != NULL ? config->user_agent : "vitrine/" VITRINE_VERSION);
	f->curl = curl_easy_init();
	if (f->user_agent == NULL || f->curl == NULL)
		goto done;
	if (!configure(f, config)) {
		err = INTERNAL("curl_easy_setopt: libcurl refuses an option");
		goto done;
	}
	*out = f;
	f = NULL; /* transferred */
	err = VT_OK;
done:
	http_fetcher_free(f);
	return err;
}

void http_fetcher_free(struct http_fetcher *f)
{
	if (f == NULL)
		return;
	curl_easy_cleanup(f->curl);
	free(f->user_agent);
	free(f);
}

void http_fetcher_cancel(struct http_fetcher *f)
{
	atomic_store(&f->cancelled, true);
}

static bool url_taken(const char *url)
{
	CURLU *u = curl_url();
	char *scheme = NULL;
	bool taken = u != NULL && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
		     curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		     (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

	curl_free(scheme);
	curl_url_cleanup(u);
	return taken;
}

/* Append "Name: value". false: no memory, or the value would break the line. */
static bool add_field(struct curl_slist **list, const char *name, const char *value)
{
	struct curl_slist *longer;
	struct buf line;
	bool ok = false;

	buf_init(&line);
	if (value[strcspn(value, "\r\n")] == '\0' &&
	    buf_appendf(&line, "%s: %s", name, value) == VT_OK &&
	    buf_append_byte(&line, '\0') == VT_OK &&
	    (longer = curl_slist_append(*list, (const char *)line.data)) != NULL) {
		*list = longer;
		ok = true;
	}
	buf_release(&line);
	return ok;
}

static enum vt_err make_fields(struct curl_slist **list, const struct http_ask *ask, bool post)
{
	struct curl_slist *longer;

	/* Unpacked here: libcurl takes a gzip stream that is cut short for a whole one. */
	if (!add_field(list, "Accept-Encoding", "gzip"))
		return VT_ENOMEM;
	if (ask->accept != NULL && !add_field(list, "Accept", ask->accept))
		return VT_EINVAL;
	if (ask->if_none_match != NULL && !add_field(list, "If-None-Match", ask->if_none_match))
		return VT_EINVAL;
	/* "The no-cache request directive indicates that the client prefers a stored response not be
	 * used to satisfy the request without successful validation on the origin server."
	 * (RFC 9111, 5.2.1.4) Pragma is for caches that know HTTP/1.0 alone. */
	if (ask->fresh && (!add_field(list, "Cache-Control", "no-cache") ||
			   !add_field(list, "Pragma", "no-cache")))
		return VT_ENOMEM;
	if (!post)
		return VT_OK;
	if (ask->content_type != NULL && !add_field(list, "Content-Type", ask->content_type))
		return VT_EINVAL;
	/* Not "Expect: 100-continue": bodies are small, and waiting for a server that does not know it
	 * costs a second. */
	longer = curl_slist_append(*list, "Expect:");
	if (longer == NULL)
		return VT_ENOMEM;
	*list = longer;
	return VT_OK;
}

/* What is particular to this fetch. */
static bool aim(CURL *c, const struct http_ask *ask, bool post, struct curl_slist *fields,
		struct fetching *t)
{
	if (curl_easy_setopt(c, CURLOPT_URL, ask->url) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_HTTPHEADER, fields) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_WRITEDATA, t) != CURLE_OK ||
	    curl_easy_setopt(c, CURLOPT_HEADERDATA, t) != CURLE_OK)
		return false;
	if (!post)
		return curl_easy_setopt(c, CURLOPT_HTTPGET, 1L) == CURLE_OK;
	return curl_easy_setopt(c, CURLOPT_POST, 1L) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->body.len) ==
		   CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_POSTFIELDS,
				ask->body.len > 0 ? (const char *)ask->body.data : "") == CURLE_OK;
}

static enum vt_err error_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return VT_OK;
	case CURLE_OUT_OF_MEMORY:
		return VT_ENOMEM;
	case CURLE_URL_MALFORMAT:
		return VT_EINVAL;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
		return VT_EUNTRUSTED;
	default:
		return VT_EIO;
	}
}

/* Undo the content coding. */
static enum vt_err unpack(struct fetching *t, const char **what)
{
	struct buf *body = &t->reply->body;
	struct buf plain;
	enum vt_err err;

	*what = "the answer is in a coding that was not asked for";
	if (t->encoded && body->len > 0)
		return VT_EIO;
	if (!t->gzip || body->len == 0)
		return VT_OK;
	buf_init(&plain);
	err = gzip_expand(&plain, buf_bytes(body), t->body_max);
	if (err == VT_OK) {
		buf_release(body);
		*body = plain;
		return VT_OK;
	}
	buf_release(&plain);
	*what =
	    err == VT_ELIMIT ? "the answer is larger than is taken" : "the answer's gzip is broken";
	return err == VT_EMALFORMED ? VT_EIO : err;
}

static enum vt_err perform(struct http_fetcher *f, struct fetching *t, const char **what)
{
	long status = 0;
	CURLcode code;

	f->problem[0] = '\0';
	code = curl_easy_perform(f->curl);
	if (t->err != VT_OK) {
		*what = t->why;
		return t->err;
	}
	if (code == CURLE_ABORTED_BY_CALLBACK) {
		*what = "cancelled";
		return VT_EIO;
	}
	if (code != CURLE_OK) {
		*what = f->problem[0] != '\0' ? f->problem : curl_easy_strerror(code);
		return error_of(code);
	}
	curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
	/* libcurl takes a head that is cut short for a whole one. */
	if (status < 200 || status > 999 || !t->head_done) {
		*what = "not a whole HTTP answer";
		return VT_EIO;
	}
	t->reply->status = (unsigned)status;
	return unpack(t, what);
}

enum vt_err http_fetch(struct http_reply *out, struct http_fetcher *f, const struct http_ask *ask,
		       char why[160])
{
	struct fetching t = {
	    .reply = out,
	    .body_max = ask->body_max < BODY_MAX ? ask->body_max : BODY_MAX,
	};
	bool post = strcmp(ask->method, "POST") == 0;
	struct curl_slist *fields = NULL;
	const char *what = "";
	enum vt_err err = VT_EINVAL;

	http_reply_release(out);
	if (!post && strcmp(ask->method, "GET") != 0) {
		what = "only GET and POST are sent";
		goto done;
	}
	if (!url_taken(ask->url)) {
		what = "not an http or https URL";
		goto done;
	}
	if ((err = make_fields(&fields, ask, post)) != VT_OK) {
		what = vt_err_text(err);
		goto done;
	}
	err = VT_EINTERNAL;
	if (!aim(f->curl, ask, post, fields, &t)) {
		what = "libcurl refuses an option";
		goto done;
	}
	err = perform(f, &t, &what);
	if (err == VT_OK)
		what = "";
done:
	curl_easy_setopt(f->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(fields);
	if (err != VT_OK)
		http_reply_release(out);
	if (why != NULL)
		snprintf(why, WHY_SIZE, "%.*s", WHY_SIZE - 1, what);
	return err;
}

enum vt_err http_escape(struct buf *out, struct bytes text)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t before = out->len;
	enum vt_err err = VT_OK;

	for (size_t i = 0; i < text.len && err == VT_OK; i++) {
		uint8_t c = text.data[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
		uint8_t coded[3] = {'%', (uint8_t)digits[c >> 4], (uint8_t)digits[c & 15]};

		err = buf_append(out, plain ? bytes_of(&text.data[i], 1) : bytes_of(coded, 3));
	}
	if (err != VT_OK)
		out->len = before;
	return err;
}
