#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "load.h"
#include "options.h"

enum {
	TICK_MILLIS = 50, /* a byte each */
	SLOW_MAX = 1000,
	STATUS_AT = 9, /* "HTTP/1.1 408 ..." */
	STATUS_END = 12,
};

static const char *opt_url, *opt_kind, *opt_path = "/checkpoint", *opt_post = "/add";
static uint64_t opt_connections = 8, opt_within = 20;
static bool opt_json;

static const struct option options[] = {
    {"url", OPTION_TEXT, &opt_url, "URL", "The server, e.g. http://127.0.0.1:8080.", 0, 0, true,
     false},
    {"kind", OPTION_TEXT, &opt_kind, "KIND",
     "connect: says nothing at all. header, body: begins one and adds a byte every 50 ms. idle: "
     "asks "
     "once, then keeps the connection.",
     0, 0, true, false},
    {"connections", OPTION_COUNT, &opt_connections, "N", "Such clients. Default: 8.", 1, SLOW_MAX,
     false, false},
    {"path", OPTION_TEXT, &opt_path, "PATH",
     "What header, idle and the other client GET. Default: "
     "/checkpoint.",
     0, 0, false, false},
    {"post", OPTION_TEXT, &opt_post, "PATH", "Where body posts to. Default: /add.", 0, 0, false,
     false},
    {"within", OPTION_COUNT, &opt_within, "N",
     "Seconds until all must have been cut off. Default: 20.", 1, LOAD_SECONDS_MAX, false, false},
    {"json", OPTION_FLAG, &opt_json, NULL, "Print one JSON object.", 0, 0, false, false},
};
static const struct command_usage usage = {
    "vitrine-load slow --url URL --kind connect|header|body|idle [--connections N] [--within N]",
    "Clients that never finish, and one beside them that asks every 50 ms. Exits 0 when the server "
    "has "
    "closed every slow connection and answered the other client each time, 1 if not.",
    "  vitrine-load slow --url http://127.0.0.1:8080 --kind header\n",
    NULL,
    options,
    sizeof(options) / sizeof(*options)};

struct slow {
	int fd; /* -1: closed by the server */
	char said[STATUS_END];
	size_t said_len;
};

struct scene {
	const struct load_target *target;
	bool trickles;
	uint64_t begun;
	size_t open;
	struct slow client[SLOW_MAX];
	double first, last; /* seconds until one was closed */
	unsigned by_status[600];

	int other; /* the client that is served */
	uint64_t answered, failed;
	uint64_t slowest;
};

static double seconds_since(uint64_t begun)
{
	return (double)(clock_monotonic_nanos() - begun) / 1e9;
}

static enum vt_err opening(struct buf *out, const struct load_target *target)
{
	if (strcmp(opt_kind, "header") == 0)
		return buf_appendf(out, "GET %s HTTP/1.1\r\nHost: %s\r\nX-Slow: ", opt_path,
				   target->host);
	if (strcmp(opt_kind, "body") == 0)
		return buf_appendf(out,
				   "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 4096\r\n"
				   "Content-Type: application/json\r\n\r\n",
				   opt_post, target->host);
	if (strcmp(opt_kind, "idle") == 0)
		return buf_appendf(out, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", opt_path,
				   target->host);
	return strcmp(opt_kind, "connect") == 0 ? VT_OK : VT_EINVAL;
}

static bool begin(struct scene *s, struct bytes first)
{
	s->begun = clock_monotonic_nanos();
	for (size_t i = 0; i < opt_connections; i++) {
		struct slow *c = &s->client[i];

		c->fd = load_connect(s->target);
		if (c->fd < 0)
			return false;
		s->open++;
		if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 ||
		    send(c->fd, first.data, first.len, MSG_NOSIGNAL) != (ssize_t)first.len)
			return false;
	}
	s->other = load_connect(s->target);
	return s->other >= 0;
}

static void slow_closed(struct scene *s, struct slow *c)
{
	unsigned status = 0;

	s->last = seconds_since(s->begun);
	if (s->open == opt_connections)
		s->first = s->last;
	for (size_t i = STATUS_AT; i < c->said_len; i++)
		status = status * 10 + ((unsigned)c->said[i] - '0') % 10;
	s->by_status[status < 600 ? status : 0]++;
	close(c->fd);
	c->fd = -1;
	s->open--;
}

static void slow_read(struct scene *s, struct slow *c)
{
	char piece[4096];
	size_t keep = sizeof(c->said) - c->said_len;
	ssize_t n = recv(c->fd, piece, sizeof(piece), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		slow_closed(s, c);
		return;
	}
	if (keep > (size_t)n)
		keep = (size_t)n;
	memcpy(c->said + c->said_len, piece, keep);
	c->said_len += keep;
}

/* One tick of the slow: read what comes, and see who is cut off. */
static void wait_tick(struct scene *s, uint64_t until)
{
	struct pollfd fds[SLOW_MAX];
	uint64_t now;

	while ((now = clock_monotonic_nanos()) < until && s->open > 0) {
		for (size_t i = 0; i < opt_connections; i++)
			fds[i] = (struct pollfd){.fd = s->client[i].fd, .events = POLLIN};
		if (poll(fds, opt_connections, (int)((until - now) / 1000000U) + 1) <= 0)
			continue;
		for (size_t i = 0; i < opt_connections; i++)
			if (fds[i].revents != 0)
				slow_read(s, &s->client[i]);
	}
	for (size_t i = 0; s->trickles && i < opt_connections; i++)
		if (s->client[i].fd >= 0)
			(void)send(s->client[i].fd, "x", 1, MSG_NOSIGNAL);
}

/* The end of an answer to GET: by its Content-Length, which all of ours have. */
static bool read_answer(int fd)
{
	char text[16 * 1024];
	size_t len = 0, whole = 0;

	while (whole == 0 || len < whole) {
		ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);
		char *end, *length;

		if (n <= 0)
			return false;
		len += (size_t)n;
		text[len] = '\0';
		if (whole > 0 || (end = strstr(text, "\r\n\r\n")) == NULL)
			continue;
		length = strcasestr(text, "\r\nContent-Length:");
		if (length == NULL || length > end)
			return false;
		whole = (size_t)(end - text) + 4 + strtoul(length + 17, NULL, 10);
		if (whole >= sizeof(text))
			return false;
	}
	return len == whole && strncmp(text, "HTTP/1.1 200 ", 13) == 0;
}

static void ask_once(struct scene *s, struct bytes request)
{
	uint64_t begun = clock_monotonic_nanos(), took;

	if (send(s->other, request.data, request.len, MSG_NOSIGNAL) == (ssize_t)request.len &&
	    read_answer(s->other)) {
		s->answered++;
	} else {
		s->failed++;
		close(s->other);
		s->other = load_connect(s->target);
	}
	took = clock_monotonic_nanos() - begun;
	if (took > s->slowest)
		s->slowest = took;
}

static void play(struct scene *s, struct bytes request)
{
	uint64_t tick = s->begun;

	while (s->open > 0 && seconds_since(s->begun) < (double)opt_within) {
		tick += TICK_MILLIS * UINT64_C(1000000);
		wait_tick(s, tick);
		ask_once(s, request);
	}
}

static int tell(const struct scene *s)
{
	const char *comma = "";

	printf(opt_json ? "{\"clients\":%" PRIu64 ",\"open\":%zu,\"first_seconds\":%.2f,"
			  "\"last_seconds\":%.2f,\"status\":{"
			: "%" PRIu64 " slow clients, %zu still open, closed after %.2f to %.2f s; "
			  "they were told",
	       opt_connections, s->open, s->first, s->last);
	for (unsigned i = 0; i < 600; i++) {
		if (s->by_status[i] == 0)
			continue;
		printf(opt_json ? "%s\"%u\":%u" : "%s %u: %u", comma, i, s->by_status[i]);
		comma = ",";
	}
	printf(opt_json ? "},\"others_answered\":%" PRIu64 ",\"others_failed\":%" PRIu64
			  ",\"others_max_ms\":%.1f}\n"
			: "\nthe other client: %" PRIu64 " answers, %" PRIu64
			  " failures, slowest %.1f ms\n",
	       s->answered, s->failed, (double)s->slowest / 1e6);
	return s->open == 0 && s->failed == 0 && s->answered > 0 ? LOAD_HOLDS : LOAD_FAILS;
}

static int slow(struct scene *s)
{
	struct buf first, request;
	int code = LOAD_UNSURE;

	buf_init(&first);
	buf_init(&request);
	if (opening(&first, s->target) != VT_OK) {
		code = load_fail(LOAD_USAGE, "--kind: there is no %s", opt_kind);
	} else if (buf_appendf(&request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", opt_path,
			       s->target->host) != VT_OK ||
		   !begin(s, buf_bytes(&first))) {
		code = load_fail(LOAD_UNSURE, "%s: cannot connect so often", opt_url);
	} else {
		play(s, buf_bytes(&request));
		code = tell(s);
	}
	buf_release(&first);
	buf_release(&request);
	return code;
}

int load_slow(int argc, char **argv)
{
	static struct scene s = {.other = -1};
	struct load_target target;
	struct operands rest;
	bool help = false;

	if (options_parse(&usage, argc, argv, &rest, &help, stderr) != VT_OK)
		return LOAD_USAGE;
	if (help)
		return LOAD_HOLDS;
	if (!load_target_option(&target, opt_url))
		return LOAD_USAGE;
	s.target = &target;
	s.trickles = strcmp(opt_kind, "header") == 0 || strcmp(opt_kind, "body") == 0;
	return slow(&s);
}
