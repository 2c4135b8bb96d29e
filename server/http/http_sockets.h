/* What is done to sockets beside libmicrohttpd's back. */
#ifndef HTTP_SOCKETS_H
#define HTTP_SOCKETS_H

#include <netinet/in.h>

#include "vitrine/bytes.h"

enum {
	SOCKET_URL_SIZE = 320,
};

/*
 * Bind and listen on "HOST:PORT", "[V6]:PORT", ":PORT" or "*:PORT" (these two: every address of both
 * families). url is where a client on this machine reaches it; *everywhere: it is every address, and the
 * loopback one is shown. VT_EINVAL: not such a text. VT_EIO. why, at least 160 bytes, is written on failure.
 */
enum vt_err socket_listen(int *fd, char url[SOCKET_URL_SIZE], bool *everywhere, const char *listen,
			  char why[160]);
/* Where a client on this machine reaches whoever listens so. VT_EINVAL, also for port 0, as above. */
enum vt_err socket_reach(char url[SOCKET_URL_SIZE], const char *listen, char why[160]);

struct socket_progress {
	uint64_t received;     /* bytes that came, ever */
	uint64_t acked;        /* bytes sent and acknowledged, ever */
	uint64_t quiet_millis; /* since the last byte came */
};
/* false: the system does not say. */
bool socket_progress(int fd, struct socket_progress *out);

/* Bytes that were handed to the socket and are not acknowledged yet. */
uint64_t socket_unsent(int fd);
/* Has it bytes that nobody has read? */
bool socket_unread(int fd);
/* Let the system hold back so many bytes at most (about). */
void socket_hold_back(int fd, unsigned bytes);

/* End it so that whoever waits for it sees that. reset: also forget what is not sent yet. */
void socket_cut(int fd, bool reset);

/*
 * Sockets whose last answer went out before the client had finished sending. Closing such a socket
 * would reset it, and the reset can overtake the answer; so what still comes is read and thrown
 * away for a little while.
 */
enum {
	LINGER_MAX = 32,
};

struct linger_socket {
	int fd;
	uint64_t until; /* monotonic nanoseconds */
	size_t room;    /* bytes it may still send */
};

struct lingering {
	size_t n;
	struct linger_socket socket[LINGER_MAX]; /* oldest first */
};

/* Takes fd over. When there are too many the oldest is closed. */
void linger_add(struct lingering *l, int fd, uint64_t now);
/* Read from those that are readable (by number), close what is done or overdue. */
void linger_step(struct lingering *l, const bool readable[LINGER_MAX], uint64_t now);
uint64_t linger_next(const struct lingering *l); /* UINT64_MAX: none */
void linger_release(struct lingering *l);

#endif
