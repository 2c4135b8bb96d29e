#include "load_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"

enum {
	EVENTS = 256,
	READ_SIZE = 256 * 1024,
	HEAD_MAX = 16 * 1024,
	CONNECT_SECONDS = 5,
	DROPS_MAX = 3, /* in a row, then a connection is not made again */
	FLUSH_SECONDS = 10,
};

/* ---- where to ------------------------------------------------------------------------------- */

static enum vt_err parse_port(in_port_t *out, const char *text)
{
	uint64_t port;

	if (decimal_decode(&port, bytes_str(text)) != VT_OK || port == 0 || port > 65535)
		return VT_EMALFORMED;
	*out = htons((uint16_t)port);
	return VT_OK;
}

static enum vt_err parse_v6(struct load_target *t, const char *host, const char *port)
{
	t->addr.v6.sin6_family = AF_INET6;
	t->addr_len = sizeof(t->addr.v6);
	if (inet_pton(AF_INET6, host, &t->addr.v6.sin6_addr) != 1)
		return VT_EMALFORMED;
	if (!IN6_IS_ADDR_LOOPBACK(&t->addr.v6.sin6_addr))
		return VT_EUNTRUSTED;
	return parse_port(&t->addr.v6.sin6_port, port);
}

static enum vt_err parse_v4(struct load_target *t, const char *host, const char *port)
{
	t->addr.v4.sin_family = AF_INET;
	t->addr_len = sizeof(t->addr.v4);
	/* Names are not looked up: what they mean is somebody else's to say. */
	if (strcmp(host, "localhost") == 0)
		t->addr.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (inet_pton(AF_INET, host, &t->addr.v4.sin_addr) != 1)
		return VT_EMALFORMED;
	if (ntohl(t->addr.v4.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
		return VT_EUNTRUSTED;
	return parse_port(&t->addr.v4.sin_port, port);
}

enum vt_err load_target_parse(struct load_target *out, const char *url)
{
	static const char scheme[] = "http://";
	char text[sizeof(out->host)], *port;
	size_t len;

	*out = (struct load_target){0};
	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0)
		return VT_EMALFORMED;
	url += sizeof(scheme) - 1;
	len = strlen(url);
	if (len > 0 && url[len - 1] == '/')
		len--;
	if (len >= sizeof(text))
		return VT_EMALFORMED;
	memcpy(text, url, len);
	text[len] = '\0';
	memcpy(out->host, text, len + 1);
	if ((port = strrchr(text, ':')) == NULL)
		return VT_EMALFORMED;
	*port++ = '\0';
	len = strlen(text);
	if (text[0] == '[' && text[len - 1] == ']') {
		text[len - 1] = '\0';
		return parse_v6(out, text + 1, port);
	}
	return parse_v4(out, text, port);
}

int load_connect(const struct load_target *target)
{
	struct timeval patience = {.tv_sec = CONNECT_SECONDS};
	int fd = socket(target->addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, &target->addr.any, target->addr_len) != 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* ---- a run ------------------------------------------------------------------------------------ */

struct conn {
	int fd; /* -1: none at the moment */
	bool under_way;
	bool marked; /* under way when the signal was sent */
	unsigned drops;
	uint64_t tag;
	uint64_t begun;
	struct buf out;
	size_t sent;
	bool waits_to_write;

	/* The answer, as far as it came. */
	struct buf head;
	bool in_body;
	bool until_close; /* its body ends where the connection does */
	bool closes;
	uint64_t left;
	struct load_answer answer;
};

struct run {
	const struct load_target *target;
	const struct load_job *job;
	struct load_report *report;
	int epoll;
	struct conn *conn;
	size_t active; /* connections that still have work */
	size_t under_way;
	uint64_t stop_at;
	uint64_t kill_at; /* 0: not yet decided */
	uint8_t *read_buffer;
};

static void conn_disconnect(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_reset(&c->head);
	c->in_body = c->until_close = c->closes = c->waits_to_write = false;
	c->left = 0;
}

static void count(struct run *run, const struct conn *c)
{
	struct load_report *r = run->report;
	const struct load_answer *a = &c->answer;

	if (a->unsent) {
		r->unsent++;
	} else if (a->status == 0) {
		r->dropped++;
	} else {
		r->answered++;
		r->by_status[a->status]++;
		r->retry_after += a->has_retry_after;
	}
	if (c->marked) {
		r->signal.answered += a->status / 100 == 2;
		r->signal.refused += a->status > 0 && a->status / 100 != 2;
		r->signal.dropped += a->status == 0;
	}
}

/* What is known of the request's fate is told and counted. */
static void settle(struct run *run, struct conn *c)
{
	count(run, c);
	if (run->job->answered != NULL)
		run->job->answered(run->job->ctx, c->tag, &c->answer);
	c->under_way = c->marked = false;
	run->under_way--;
	c->answer = (struct load_answer){0};
}

static void conn_retire(struct run *run, struct conn *c)
{
	conn_disconnect(c);
	run->active--;
}

static bool conn_connect(struct run *run, struct conn *c)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = c};

	if ((c->fd = load_connect(run->target)) < 0)
		return false;
	if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 ||
	    epoll_ctl(run->epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0) {
		conn_disconnect(c);
		return false;
	}
	run->report->connected++;
	return true;
}

static void watch_writing(struct run *run, struct conn *c, bool on)
{
	struct epoll_event ev = {.events = EPOLLIN | (on ? (uint32_t)EPOLLOUT : 0), .data.ptr = c};

	if (c->waits_to_write != on)
		(void)epoll_ctl(run->epoll, EPOLL_CTL_MOD, c->fd, &ev);
	c->waits_to_write = on;
}

static void conn_write(struct run *run, struct conn *c)
{
	while (c->sent < c->out.len) {
		ssize_t n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			watch_writing(run, c, true);
			return;
		}
		if (n < 0)
			break; /* what it said before it closed is read, or its end is */
		c->sent += (size_t)n;
	}
	watch_writing(run, c, false);
}

/* The next request of this connection, or its end. */
static void conn_begin(struct run *run, struct conn *c)
{
	buf_reset(&c->out);
	c->sent = 0;
	if (c->drops >= DROPS_MAX || clock_monotonic_nanos() >= run->stop_at ||
	    !run->job->next(run->job->ctx, &c->out, &c->tag)) {
		conn_retire(run, c);
		return;
	}
	c->under_way = true;
	run->under_way++;
	if (c->fd < 0 && !conn_connect(run, c)) {
		c->answer.unsent = true;
		settle(run, c);
		conn_retire(run, c);
		return;
	}
	c->begun = clock_monotonic_nanos();
	conn_write(run, c);
}

static void conn_answered(struct run *run, struct conn *c)
{
	load_report_latency(run->report, clock_monotonic_nanos() - c->begun);
	settle(run, c);
	c->drops = 0;
	if (c->closes)
		conn_disconnect(c);
	buf_reset(&c->head);
	c->in_body = false;
	conn_begin(run, c);
}

static void conn_ended(struct run *run, struct conn *c)
{
	if (c->in_body && c->until_close) {
		c->closes = true;
		conn_answered(run, c);
		return;
	}
	conn_disconnect(c);
	c->answer = (struct load_answer){0};
	c->drops++;
	settle(run, c);
	conn_begin(run, c);
}

/* ---- reading answers -------------------------------------------------------------------------- */

/* A field's value in a head whose lines end in CR LF; empty when absent. */
static struct bytes field(struct bytes head, const char *name)
{
	size_t name_len = strlen(name);
	const char *p = (const char *)head.data, *end = p + head.len;

	while (p < end) {
		const char *line_end = memchr(p, '\r', (size_t)(end - p));

		if (line_end == NULL)
			break;
		if ((size_t)(line_end - p) > name_len && p[name_len] == ':' &&
		    strncasecmp(p, name, name_len) == 0) {
			for (p += name_len + 1; p < line_end && *p == ' '; p++)
				;
			return bytes_of(p, (size_t)(line_end - p));
		}
		p = line_end + 2;
	}
	return bytes_of(NULL, 0);
}

/* false: not an answer that this client understands. */
static bool parse_head(struct conn *c, struct bytes head)
{
	const char *p = (const char *)head.data;
	struct bytes length, location, connection;
	struct load_answer *a = &c->answer;

	if (head.len < 12 || memcmp(p, "HTTP/1.", 7) != 0 || p[8] != ' ')
		return false;
	for (unsigned i = 9; i < 12; i++) {
		if (p[i] < '0' || p[i] > '9')
			return false;
		a->status = a->status * 10 + (unsigned)(p[i] - '0');
	}
	if (a->status < 200 || a->status > 599 || field(head, "Transfer-Encoding").len > 0)
		return false;
	length = field(head, "Content-Length");
	connection = field(head, "Connection");
	location = field(head, "Location");
	c->closes =
	    connection.len == 5 && strncasecmp((const char *)connection.data, "close", 5) == 0;
	a->has_retry_after = field(head, "Retry-After").len > 0;
	if (location.len < sizeof(a->location)) {
		if (location.len > 0)
			memcpy(a->location, location.data, location.len);
		a->location[location.len] = '\0';
	}
	c->left = 0;
	if (length.len > 0)
		return decimal_decode(&c->left, length) == VT_OK;
	c->until_close = a->status != 204 && a->status != 304;
	return true;
}

/* Move what belongs to the head over; true once it is complete. *ok: it makes sense so far. */
static bool take_head(struct conn *c, struct bytes *in, bool *ok)
{
	size_t before = c->head.len, whole;
	const uint8_t *end;

	*ok = c->head.len + in->len <= HEAD_MAX + READ_SIZE && buf_append(&c->head, *in) == VT_OK;
	if (!*ok)
		return false;
	end = memmem(c->head.data, c->head.len, "\r\n\r\n", 4);
	if (end == NULL) {
		*ok = c->head.len <= HEAD_MAX;
		*in = bytes_of(NULL, 0);
		return false;
	}
	whole = (size_t)(end - c->head.data) + 4;
	in->data += whole - before;
	in->len -= whole - before;
	*ok = parse_head(c, bytes_of(c->head.data, whole - 2));
	return *ok;
}

static void take_body(struct conn *c, struct bytes *in)
{
	struct load_answer *a = &c->answer;
	size_t n = in->len, keep = sizeof(a->body) - a->body_kept;

	if (!c->until_close && n > c->left)
		n = (size_t)c->left;
	if (keep > n)
		keep = n;
	if (keep > 0)
		memcpy(a->body + a->body_kept, in->data, keep);
	a->body_kept += keep;
	if (!c->until_close)
		c->left -= n;
	in->data += n;
	in->len -= n;
}

/* Bytes came. What is behind the answer's end cannot be: nothing was asked for yet. */
static void conn_take(struct run *run, struct conn *c, struct bytes in)
{
	bool ok = true;

	if (!c->in_body) {
		c->in_body = take_head(c, &in, &ok);
		if (!ok) {
			fprintf(stderr, "vitrine-load: an answer that is not understood: %.*s\n",
				(int)strcspn((const char *)in.data, "\r\n"), (const char *)in.data);
			c->in_body = false;
			c->answer.status = 0;
			conn_ended(run, c);
			return;
		}
		if (!c->in_body)
			return;
	}
	take_body(c, &in);
	if (!c->until_close && c->left == 0)
		conn_answered(run, c);
}

static void conn_read(struct run *run, struct conn *c)
{
	ssize_t n = recv(c->fd, run->read_buffer, READ_SIZE, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (!c->under_way)
		conn_disconnect(c);
	else if (n <= 0)
		conn_ended(run, c);
	else
		conn_take(run, c, bytes_of(run->read_buffer, (size_t)n));
}

/* ---- the loop --------------------------------------------------------------------------------- */

static void maybe_signal(struct run *run)
{
	const struct load_job *job = run->job;
	struct load_report *r = run->report;

	if (job->kill_after == 0 || r->signal.sent || r->answered < job->kill_after)
		return;
	if (run->kill_at == 0 && run->under_way == run->active)
		run->kill_at = clock_monotonic_nanos() + job->kill_delay;
	if (run->kill_at == 0 || clock_monotonic_nanos() < run->kill_at)
		return;
	r->signal.sent = true;
	for (unsigned i = 0; i < job->connections; i++) {
		run->conn[i].marked = run->conn[i].under_way;
		r->signal.under_way += run->conn[i].under_way;
	}
	if (kill(job->kill_pid, job->kill_signal) != 0)
		perror("vitrine-load: --signal");
}

/* Until the next thing that is due, in epoll's milliseconds; 0: all time is up. */
static int wait_millis(const struct run *run)
{
	uint64_t now = clock_monotonic_nanos(), until = run->stop_at;

	if (now >= until)
		until += FLUSH_SECONDS * UINT64_C(1000000000);
	if (now >= until)
		return 0;
	if (run->kill_at != 0 && !run->report->signal.sent)
		return 1;
	return (int)((until - now) / 1000000U) + 1;
}

static void loop(struct run *run)
{
	struct epoll_event events[EVENTS];

	while (run->active > 0) {
		int millis = wait_millis(run), n;

		if (millis == 0)
			return;
		n = epoll_wait(run->epoll, events, EVENTS, millis);
		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;

			if (c->fd >= 0 && (events[i].events & EPOLLOUT) && c->under_way)
				conn_write(run, c);
			if (c->fd >= 0 && (events[i].events & ~(uint32_t)EPOLLOUT))
				conn_read(run, c);
		}
		maybe_signal(run);
	}
}

/* All of them before the first request, so that the clock measures the server's work. */
static enum vt_err open_all(struct run *run)
{
	unsigned made = 0;

	for (unsigned i = 0; i < run->job->connections; i++) {
		run->conn[i].fd = -1;
		buf_init(&run->conn[i].out);
		buf_init(&run->conn[i].head);
	}
	for (unsigned i = 0; i < run->job->connections; i++)
		made += conn_connect(run, &run->conn[i]);
	return made > 0 ? VT_OK : VT_EIO;
}

static void run_all(struct run *run)
{
	uint64_t server = 0, server_after = 0, own = load_cpu_own(), start;
	struct load_report *r = run->report;
	const struct load_job *job = run->job;

	r->has_server_cpu = job->kill_pid > 0 && load_cpu_of(job->kill_pid, &server);
	start = clock_monotonic_nanos();
	run->stop_at = start + (uint64_t)(job->seconds * 1e9);
	run->active = job->connections;
	for (unsigned i = 0; i < job->connections; i++)
		conn_begin(run, &run->conn[i]);
	loop(run);
	r->nanos = clock_monotonic_nanos() - start;
	r->client_cpu_nanos = load_cpu_own() - own;
	r->has_server_cpu = r->has_server_cpu && load_cpu_of(job->kill_pid, &server_after);
	r->server_cpu_nanos = server_after - server;
	for (unsigned i = 0; i < job->connections; i++) {
		struct conn *c = &run->conn[i];

		if (c->under_way) {
			c->answer = (struct load_answer){0};
			settle(run, c);
		}
	}
}

enum vt_err load_run(struct load_report *report, const struct load_target *target,
		     const struct load_job *job)
{
	struct run run = {.target = target, .job = job, .report = report};
	enum vt_err err = VT_ENOMEM;

	memset(report, 0, sizeof(*report));
	run.epoll = epoll_create1(EPOLL_CLOEXEC);
	run.conn = calloc(job->connections, sizeof(*run.conn));
	run.read_buffer = malloc(READ_SIZE);
	if (run.epoll < 0 || run.conn == NULL || run.read_buffer == NULL)
		goto done;
	if ((err = open_all(&run)) == VT_OK)
		run_all(&run);
	for (unsigned i = 0; i < job->connections; i++) {
		conn_disconnect(&run.conn[i]);
		buf_release(&run.conn[i].out);
		buf_release(&run.conn[i].head);
	}
done:
	if (run.epoll >= 0)
		close(run.epoll);
	free(run.conn);
	free(run.read_buffer);
	return err;
}
