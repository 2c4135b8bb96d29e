#include "http_sockets.h"

/* Not netinet/tcp.h: its tcp_info lacks the byte counts. */
#include <linux/sockios.h>
#include <linux/tcp.h>

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BACKLOG = 1024,
	HOST_SIZE = 256,
	PORT_SIZE = 6,
	LINGER_MILLIS = 2000,
	LINGER_BYTES = 1 << 20,
};

static bool port_valid(const char *port)
{
	size_t len = strlen(port);

	return len > 0 && len < PORT_SIZE && strspn(port, "0123456789") == len &&
	       strtoul(port, NULL, 10) <= 65535;
}

/* Split "HOST:PORT"; host comes without brackets, and is empty for every address. */
static bool split_address(char host[HOST_SIZE], char port[PORT_SIZE], const char *text)
{
	const char *colon = strrchr(text, ':');

	if (colon == NULL || !port_valid(colon + 1))
		return false;

	size_t len = (size_t)(colon - text);

	memcpy(port, colon + 1, strlen(colon + 1) + 1);
	if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	} else if (memchr(text, ':', len) != NULL || memchr(text, '[', len) != NULL) {
		return false; /* an IPv6 address needs its brackets: where would the port begin? */
	}
	if (len >= HOST_SIZE)
		return false;
	if (len == 1 && text[0] == '*')
		len = 0;
	memcpy(host, text, len);
	host[len] = '\0';
	return true;
}

static bool is_any(const struct sockaddr *a)
{
	const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;

	if (a->sa_family == AF_INET)
		return ((const struct sockaddr_in *)(const void *)a)->sin_addr.s_addr ==
		       htonl(INADDR_ANY);
	return a->sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(v6);
}

static int try_listen(const struct addrinfo *a)
{
	int on = 1, off = 0;
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	if (a->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, a->ai_addr, a->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* -1: none of the host's addresses will do, why says so. */
static int listen_on(const char *host, const char *port, char why[160])
{
	struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(host, port, &hints, &list);
	int fd = -1;

	if (rc != 0) {
		snprintf(why, 160, "%.80s: %s", host, gai_strerror(rc));
		return -1;
	}
	errno = EADDRNOTAVAIL;
	for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next)
		fd = try_listen(a);
	if (fd < 0)
		snprintf(why, 160, "cannot listen on %.80s port %s: %s", host, port,
			 strerror(errno));
	freeaddrinfo(list);
	return fd;
}

static bool write_url(char url[SOCKET_URL_SIZE], bool *everywhere, int fd)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char host[HOST_SIZE], port[PORT_SIZE];

	if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0 ||
	    getnameinfo((struct sockaddr *)&addr, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return false;
	*everywhere = is_any((struct sockaddr *)&addr);
	if (*everywhere)
		memcpy(host, "127.0.0.1", sizeof("127.0.0.1"));
	snprintf(url, SOCKET_URL_SIZE,
		 strchr(host, ':') != NULL ? "http://[%s]:%s" : "http://%s:%s", host, port);
	return true;
}

static enum vt_err no_address(const char *text, char why[160])
{
	snprintf(why, 160, "%.90s: expected HOST:PORT, [IPV6]:PORT, :PORT or *:PORT", text);
	return VT_EINVAL;
}

enum vt_err socket_reach(char url[SOCKET_URL_SIZE], const char *text, char why[160])
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
	char host[HOST_SIZE], port[PORT_SIZE];
	struct addrinfo *list = NULL;
	const char *zone;

	if (!split_address(host, port, text))
		return no_address(text, why);
	if (strtoul(port, NULL, 10) == 0) {
		snprintf(why, 160, "%.90s: port 0 is another one each time: give the URL", text);
		return VT_EINVAL;
	}
	/* Whoever listens on all of them listens on the loopback's. */
	if (host[0] == '\0' ||
	    (getaddrinfo(host, NULL, &hints, &list) == 0 && is_any(list->ai_addr)))
		memcpy(host, "localhost", sizeof("localhost"));
	if (list != NULL)
		freeaddrinfo(list);
	zone = strchr(host, '%');
	if (strchr(host, ':') == NULL)
		snprintf(url, SOCKET_URL_SIZE, "http://%s:%s", host, port);
	else
		snprintf(url, SOCKET_URL_SIZE, "http://[%.*s%s%s]:%s", (int)strcspn(host, "%"),
			 host, zone != NULL ? "%25" : "", zone != NULL ? zone + 1 : "", port);
	return VT_OK;
}

enum vt_err socket_listen(int *fd, char url[SOCKET_URL_SIZE], bool *everywhere, const char *text,
			  char why[160])
{
	char host[HOST_SIZE], port[PORT_SIZE];

	*fd = -1;
	if (!split_address(host, port, text))
		return no_address(text, why);
	/* "::" takes IPv4 too; where the kernel has no IPv6, "0.0.0.0" is all that there is. */
	if (host[0] != '\0')
		*fd = listen_on(host, port, why);
	else if ((*fd = listen_on("::", port, why)) < 0)
		*fd = listen_on("0.0.0.0", port, why);
	if (*fd < 0)
		return VT_EIO;
	if (!write_url(url, everywhere, *fd)) {
		snprintf(why, 160, "%.100s: cannot tell its own address", text);
		close(*fd);
		*fd = -1;
		return VT_EIO;
	}
	return VT_OK;
}

bool socket_progress(int fd, struct socket_progress *out)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
	    len < offsetof(struct tcp_info, tcpi_segs_out))
		return false;
	out->received = info.tcpi_bytes_received;
	out->acked = info.tcpi_bytes_acked;
	out->quiet_millis = info.tcpi_last_data_recv;
	return true;
}

uint64_t socket_unsent(int fd)
{
	int n = 0;

	return ioctl(fd, SIOCOUTQ, &n) == 0 && n > 0 ? (uint64_t)n : 0;
}

bool socket_unread(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) == 0 && n > 0;
}

void socket_hold_back(int fd, unsigned bytes)
{
	int half = (int)(bytes / 2); /* the system doubles it, for its own needs */

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &half, sizeof(half));
}

void socket_cut(int fd, bool reset)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	if (reset)
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	(void)shutdown(fd, SHUT_RDWR);
}

static void linger_close(struct lingering *l, size_t i)
{
	close(l->socket[i].fd);
	l->n--;
	memmove(&l->socket[i], &l->socket[i + 1], (l->n - i) * sizeof(l->socket[0]));
}

void linger_add(struct lingering *l, int fd, uint64_t now)
{
	if (l->n == LINGER_MAX)
		linger_close(l, 0);
	l->socket[l->n++] = (struct linger_socket){
	    .fd = fd,
	    .until = now + (uint64_t)LINGER_MILLIS * 1000000,
	    .room = LINGER_BYTES,
	};
}

/* Throw away what has come. false: there will be no more, or there was too much. */
static bool discard(struct linger_socket *s)
{
	char sink[16384];
	ssize_t got = recv(s->fd, sink, sizeof(sink), MSG_DONTWAIT);

	if (got < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
	if (got == 0 || (size_t)got >= s->room)
		return false;
	s->room -= (size_t)got;
	return true;
}

void linger_step(struct lingering *l, const bool readable[LINGER_MAX], uint64_t now)
{
	/* From the last to the first: closing one moves only those that were looked at. */
	for (size_t i = l->n; i-- > 0;) {
		if (l->socket[i].until <= now || (readable[i] && !discard(&l->socket[i])))
			linger_close(l, i);
	}
}

uint64_t linger_next(const struct lingering *l)
{
	return l->n == 0 ? UINT64_MAX : l->socket[0].until;
}

void linger_release(struct lingering *l)
{
	while (l->n > 0)
		linger_close(l, 0);
}
