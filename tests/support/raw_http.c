#include "raw_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vitrine_test.h"

int raw_connect(const char *url)
{
	return raw_connect_from(url, NULL);
}

int raw_connect_from(const char *url, const char *source)
{
	struct sockaddr_in from = {.sin_family = AF_INET};
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	struct addrinfo *a = NULL;
	struct timeval patience = {.tv_sec = 20};
	char host[256];
	char *colon;
	int fd;

	assert_memory_equal(url, "http://", 7);
	snprintf(host, sizeof(host), "%s", url + 7 + (url[7] == '['));
	colon = strrchr(host, ':');
	assert_non_null(colon);
	*colon = '\0';
	if (colon > host && colon[-1] == ']')
		colon[-1] = '\0';
	assert_int_equal(getaddrinfo(host, colon + 1, &hints, &a), 0);
	fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (source != NULL) {
		assert_int_equal(inet_pton(AF_INET, source, &from.sin_addr), 1);
		assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	}
	if (connect(fd, a->ai_addr, a->ai_addrlen) != 0)
		fail_msg("connect to %s: %s", url, strerror(errno));
	freeaddrinfo(a);
	return fd;
}

void raw_send(int fd, struct bytes data)
{
	while (data.len > 0) {
		ssize_t n = send(fd, data.data, data.len, MSG_NOSIGNAL);

		if (n <= 0)
			fail_msg("send: %s", strerror(errno));
		data = bytes_of(data.data + n, data.len - (size_t)n);
	}
}

void raw_send_str(int fd, const char *text)
{
	raw_send(fd, bytes_str(text));
}

void raw_send_some(int fd, struct bytes data)
{
	while (data.len > 0) {
		ssize_t n = send(fd, data.data, data.len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		data = bytes_of(data.data + n, data.len - (size_t)n);
	}
}

void raw_reply_init(struct raw_reply *r)
{
	*r = (struct raw_reply){0};
}

void raw_reply_release(struct raw_reply *r)
{
	buf_release(&r->head);
	buf_release(&r->body);
	buf_release(&r->rest);
}

/* More bytes to the end of rest. false: end or reset. */
static bool more(int fd, struct raw_reply *r)
{
	uint8_t piece[16384];
	ssize_t n = recv(fd, piece, sizeof(piece), 0);

	if (n < 0 && errno != ECONNRESET)
		fail_msg("recv: %s", strerror(errno));
	if (n <= 0)
		return false;
	assert_int_equal(buf_append(&r->rest, bytes_of(piece, (size_t)n)), VT_OK);
	return true;
}

static void take(struct raw_reply *r, struct buf *to, size_t len)
{
	assert_int_equal(buf_append(to, bytes_of(r->rest.data, len)), VT_OK);
	r->rest.len -= len;
	memmove(r->rest.data, r->rest.data + len, r->rest.len);
}

static bool read_head(int fd, struct raw_reply *r)
{
	const uint8_t *end;

	buf_reset(&r->head);
	while (r->rest.len == 0 ||
	       (end = memmem(r->rest.data, r->rest.len, "\r\n\r\n", 4)) == NULL) {
		if (!more(fd, r)) {
			if (r->rest.len > 0)
				fail_msg("the connection ended within a header");
			return false;
		}
	}
	take(r, &r->head, (size_t)(end - r->rest.data) + 4);
	r->head.data[r->head.len - 2] = '\0';
	assert_memory_equal(r->head.data, "HTTP/1.1 ", 9);
	r->status = (unsigned)strtoul((const char *)r->head.data + 9, NULL, 10);
	return true;
}

bool raw_read(int fd, struct raw_reply *r, bool head)
{
	const char *length;
	size_t len;

	buf_reset(&r->body);
	do {
		if (!read_head(fd, r))
			return false;
	} while (r->status == 100);
	if (head || r->status == 304 || r->status == 204)
		return true;
	assert_null(raw_field(r, "Transfer-Encoding"));
	length = raw_field(r, "Content-Length");
	if (length == NULL)
		fail_msg("no Content-Length: %s", (const char *)r->head.data);
	len = strtoul(length, NULL, 10);
	while (r->rest.len < len) {
		if (!more(fd, r))
			fail_msg("the connection ended within a body");
	}
	if (len > 0)
		take(r, &r->body, len);
	return true;
}

const char *raw_field(struct raw_reply *r, const char *name)
{
	static _Thread_local char value[1024];
	const char *found = NULL;
	size_t len = strlen(name);

	for (const char *line = (const char *)r->head.data; line != NULL;
	     line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncasecmp(line, name, len) != 0 || line[len] != ':')
			continue;
		if (found != NULL)
			fail_msg("%s came twice", name);
		line += len + 1;
		line += strspn(line, " ");
		snprintf(value, sizeof(value), "%.*s", (int)strcspn(line, "\r\n"), line);
		found = value;
	}
	return found;
}

unsigned raw_ask(const char *url, const char *request, struct raw_reply *r)
{
	int fd = raw_connect(url);

	raw_send_str(fd, request);
	if (!raw_read(fd, r, strncmp(request, "HEAD ", 5) == 0))
		fail_msg("no answer to %.60s", request);
	close(fd);
	return r->status;
}

void raw_drain(int fd, struct buf *out)
{
	uint8_t piece[16384];
	ssize_t n;

	while ((n = recv(fd, piece, sizeof(piece), 0)) > 0) {
		if (out != NULL)
			assert_int_equal(buf_append(out, bytes_of(piece, (size_t)n)), VT_OK);
	}
	if (n < 0 && errno != ECONNRESET)
		fail_msg("the connection stays open: %s", strerror(errno));
}

size_t raw_times(const struct buf *in, const char *text)
{
	const uint8_t *at = in->data, *end = in->data + in->len;
	size_t n = 0, len = strlen(text);

	while (at != NULL && (at = memmem(at, (size_t)(end - at), text, len)) != NULL) {
		at += len;
		n++;
	}
	return n;
}
