#include "witness_crowd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "vitrine/checkpoint.h"

enum {
	PAIRED_MAX = 400, /* heads of which every pair is proven */
};

#define MUST(condition, ...)                                                                       \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                            \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

void crowd_init(struct crowd *c, const char *origin, uint64_t seed)
{
	memset(c, 0, sizeof(*c));
	pthread_mutex_init(&c->lock, NULL);
	witness_log_init(&c->log, origin, 1);
	c->random = seed;
}

void crowd_release(struct crowd *c)
{
	witness_log_release(&c->log);
	pthread_mutex_destroy(&c->lock);
	free(c->history);
	free(c->cosigned);
}

/* Under the lock, as all that follows but for the sending. */
static uint64_t pick(struct crowd *c, uint64_t below)
{
	uint64_t z = c->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % below;
}

static void extend(struct crowd *c, uint64_t n, uint64_t history)
{
	for (; n > 0; n--) {
		if (c->log.size == c->cap) {
			c->cap = 2 * c->cap + 64;
			c->history = realloc(c->history, c->cap * sizeof(*c->history));
			MUST(c->history != NULL, "out of memory");
		}
		c->history[c->log.size] = history;
		witness_log_add(&c->log, 1, history);
	}
}

static void record(struct crowd *c, const struct tree_head *head)
{
	if (c->n_cosigned == c->cap_cosigned) {
		c->cap_cosigned = 2 * c->cap_cosigned + 64;
		c->cosigned = realloc(c->cosigned, c->cap_cosigned * sizeof(*c->cosigned));
		MUST(c->cosigned != NULL, "out of memory");
	}
	c->cosigned[c->n_cosigned++] = *head;
}

/* -- what is sent ---------------------------------------------------------------------------- */

enum kind {
	EXTENSION, /* 200, or 409 if a rival was first */
	AGAIN,     /* 200, or 409 */
	FORK,      /* 422, or 409 */
	BEHIND,    /* 409 */
	BACKWARDS, /* 400 */
};

struct attempt {
	enum kind kind;
	struct tree_head head;
	struct buf body;
};

static void compose(struct crowd *c, struct attempt *a, uint64_t old, uint64_t size)
{
	a->head = witness_log_head(&c->log, size);
	buf_reset(&a->body);
	witness_log_request(&a->body, &c->log, old, size);
}

static void compose_extension(struct crowd *c, struct attempt *a, unsigned client)
{
	const uint64_t from = c->log.size;
	struct crowd_tail *tail = &c->tail[client];

	*tail = (struct crowd_tail){from, 1 + pick(c, CROWD_TAIL_MAX), ++c->histories, {0}};
	witness_log_add(&c->log, tail->n, tail->history);
	compose(c, a, from, c->log.size);
	tail->head = a->head;
	witness_log_cut(&c->log, from);
}

/* The last few leaves are others, and perhaps some follow. */
static void compose_fork(struct crowd *c, struct attempt *a)
{
	const uint64_t size = c->log.size, n = 1 + pick(c, size < 5 ? size : 5);

	witness_log_cut(&c->log, size - n);
	witness_log_add(&c->log, n + pick(c, 3), ++c->histories);
	compose(c, a, size, c->log.size);
	witness_log_cut(&c->log, size - n);
	for (uint64_t i = size - n; i < size; i++)
		witness_log_add(&c->log, 1, c->history[i]);
}

static void compose_any(struct crowd *c, struct attempt *a, unsigned client)
{
	const uint64_t size = c->log.size, dice = size < 2 ? 0 : pick(c, 20);

	if (dice < 10) {
		a->kind = EXTENSION;
		compose_extension(c, a, client);
	} else if (dice < 12) {
		a->kind = AGAIN;
		compose(c, a, size, size);
	} else if (dice < 17) {
		a->kind = FORK;
		compose_fork(c, a);
	} else if (dice < 19) {
		a->kind = BEHIND;
		compose(c, a, pick(c, size), size);
	} else {
		struct merkle_proof none = {0};
		struct buf note;

		a->kind = BACKWARDS;
		a->head = witness_log_head(&c->log, pick(c, size));
		buf_init(&note);
		witness_log_sign(&note, &c->log, &a->head);
		buf_reset(&a->body);
		witness_request(&a->body, size, &none, buf_bytes(&note));
		buf_release(&note);
	}
}

/* -- the wire -------------------------------------------------------------------------------- */

static int dial(const char *url)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval patience = {.tv_sec = 60};

	MUST(fd >= 0, "socket: %s", strerror(errno));
	MUST(strncmp(url, "http://127.0.0.1:", 17) == 0, "%s", url);
	to.sin_port = htons((uint16_t)strtoul(url + 17, NULL, 10));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

static bool send_all(int fd, struct bytes data)
{
	while (data.len > 0) {
		ssize_t n = send(fd, data.data, data.len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		data = bytes_of(data.data + n, data.len - (size_t)n);
	}
	return true;
}

/* The status, and the body in reply; 0: the connection broke. */
static unsigned exchange(int fd, const char *start, struct bytes body, struct buf *reply)
{
	uint8_t in[8192];
	size_t have = 0, head = 0, len = 0;
	const char *end, *field;
	struct buf out;
	bool sent;

	buf_init(&out);
	MUST(buf_appendf(&out, "%s HTTP/1.1\r\nHost: w\r\nContent-Length: %zu\r\n\r\n", start,
			 body.len) == VT_OK &&
		 buf_append(&out, body) == VT_OK,
	     "out of memory");
	sent = send_all(fd, buf_bytes(&out));
	buf_release(&out);
	while (sent && (head == 0 || have < head + len)) {
		ssize_t n = recv(fd, in + have, sizeof(in) - 1 - have, 0);

		MUST(n >= 0 || errno == ECONNRESET, "no answer: %s", strerror(errno));
		if (n <= 0)
			return 0;
		have += (size_t)n;
		in[have] = '\0';
		if (head == 0 && (end = strstr((char *)in, "\r\n\r\n")) != NULL) {
			head = (size_t)(end + 4 - (char *)in);
			field = strcasestr((char *)in, "\r\nContent-Length:");
			MUST(field != NULL, "no Content-Length");
			len = strtoul(field + 17, NULL, 10);
			MUST(head + len < sizeof(in), "an answer of %zu bytes", len);
		}
	}
	if (!sent)
		return 0;
	buf_reset(reply);
	MUST(buf_append(reply, bytes_of(in + head, len)) == VT_OK, "out of memory");
	return (unsigned)strtoul((char *)in + 9, NULL, 10);
}

/* -- what comes back ------------------------------------------------------------------------- */

static void check_signature(const struct crowd *c, const struct attempt *a, struct bytes line)
{
	struct vkey_set known = {&c->witness, 1};
	struct note *n;
	struct buf note;

	buf_init(&note);
	MUST(checkpoint_format(&note, c->log.signer.key.name, &a->head) == VT_OK &&
		 buf_append_byte(&note, '\n') == VT_OK && buf_append(&note, line) == VT_OK,
	     "out of memory");
	MUST(note_open(&n, buf_bytes(&note), &known) == VT_OK, "the cosignature does not verify");
	note_free(n);
	buf_release(&note);
}

static void take_cosigned(struct crowd *c, const struct attempt *a, struct crowd_tail *tail)
{
	struct tree_head now;

	record(c, &a->head);
	c->cosigned_count++;
	if (a->kind == AGAIN)
		return;
	MUST(tail->from == c->log.size, "two extensions of size %llu were cosigned",
	     (unsigned long long)tail->from);
	extend(c, tail->n, tail->history);
	now = witness_log_head(&c->log, c->log.size);
	MUST(tree_head_equal(&now, &a->head), "the crowd has lost count");
}

static void take_answer(struct crowd *c, const struct attempt *a, unsigned status,
			struct bytes reply, struct crowd_tail *tail)
{
	const bool may_be_cosigned = a->kind == EXTENSION || a->kind == AGAIN;

	if (status == 200) {
		MUST(may_be_cosigned, "kind %d was cosigned at size %llu", a->kind,
		     (unsigned long long)a->head.size);
		check_signature(c, a, reply);
		pthread_mutex_lock(&c->lock);
		take_cosigned(c, a, tail);
		pthread_mutex_unlock(&c->lock);
	} else if (status == 409) {
		MUST(a->kind != BACKWARDS, "409 for an old size beyond the checkpoint's");
		c->stale++;
	} else if (status == 422) {
		MUST(a->kind == FORK, "kind %d: 422, %.*s", a->kind, (int)reply.len, reply.data);
		c->inconsistent++;
	} else if (status ==
		   503) { /* all of the log's turns are taken, for which only a new head waits */
		MUST(a->kind == EXTENSION, "kind %d: 503", a->kind);
		c->busy++;
	} else {
		MUST(status == 400 && a->kind == BACKWARDS, "kind %d: %u, %.*s", a->kind, status,
		     (int)reply.len, reply.data);
		c->malformed++;
	}
	tail->n = 0;
}

struct client {
	struct crowd *crowd;
	unsigned number;
	uint64_t until; /* by the monotonic clock; 0: for ever */
	pthread_t thread;
};

static bool is_over(const struct client *me)
{
	return me->until != 0 && clock_monotonic_nanos() >= me->until &&
	       me->crowd->cosigned_count >= me->crowd->least;
}

static void *push(void *arg)
{
	struct client *me = arg;
	struct crowd *c = me->crowd;
	struct attempt a;
	struct buf reply;
	int fd = dial(c->url);

	buf_init(&a.body);
	buf_init(&reply);
	while (fd >= 0 && !is_over(me)) {
		unsigned status;

		pthread_mutex_lock(&c->lock);
		compose_any(c, &a, me->number);
		pthread_mutex_unlock(&c->lock);
		status = exchange(fd, "POST /add-checkpoint", buf_bytes(&a.body), &reply);
		if (status == 0)
			break;
		take_answer(c, &a, status, buf_bytes(&reply), &c->tail[me->number]);
		if (c->victim != 0 && atomic_fetch_sub(&c->kill_after, 1) == 1)
			kill(c->victim, SIGKILL);
	}
	MUST(c->victim != 0 || is_over(me), "the connection broke");
	if (fd >= 0)
		close(fd);
	buf_release(&a.body);
	buf_release(&reply);
	return NULL;
}

void crowd_push(struct crowd *c, unsigned clients)
{
	struct client client[CROWD_CLIENTS_MAX];

	MUST(clients <= CROWD_CLIENTS_MAX, "too many clients");
	for (unsigned i = 0; i < clients; i++) {
		client[i] = (struct client){c, i, 0, 0};
		if (c->seconds > 0)
			client[i].until = clock_monotonic_nanos() + (uint64_t)(c->seconds * 1e9);
		MUST(pthread_create(&client[i].thread, NULL, push, &client[i]) == 0, "no thread");
	}
	for (unsigned i = 0; i < clients; i++)
		pthread_join(client[i].thread, NULL);
}

/* -- afterwards ------------------------------------------------------------------------------ */

static unsigned fetch_shown(struct crowd *c, struct tree_head *head)
{
	struct merkle_hash hash = witness_log_origin_hash(&c->log);
	struct vkey_set others = {&c->witness, 1};
	char hex[65], start[128];
	struct checkpoint cp;
	struct note *n;
	struct buf reply;
	unsigned status;
	int fd = dial(c->url);

	hex_encode(hex, bytes_of(hash.b, sizeof(hash.b)));
	snprintf(start, sizeof(start), "GET /%s/checkpoint", hex);
	buf_init(&reply);
	MUST(fd >= 0, "no connection");
	status = exchange(fd, start, bytes_of(NULL, 0), &reply);
	if (status == 200) {
		MUST(checkpoint_open(&n, &cp, buf_bytes(&reply), &c->log.signer.key, &others) ==
			     VT_OK &&
			 note_signed_by(n, &c->witness) != NULL,
		     "what is shown does not verify");
		*head = cp.head;
		note_free(n);
	}
	close(fd);
	buf_release(&reply);
	return status;
}

void crowd_settle(struct crowd *c)
{
	struct tree_head shown = {0}, last = witness_log_head(&c->log, c->log.size);
	unsigned status = fetch_shown(c, &shown);

	if (status == 404) {
		MUST(c->log.size == 0, "the witness has forgotten everything");
	} else {
		MUST(status == 200, "status %u", status);
		for (size_t i = 0; i < CROWD_CLIENTS_MAX && !tree_head_equal(&shown, &last); i++) {
			const struct crowd_tail *tail = &c->tail[i];

			if (tail->n == 0 || tail->from != c->log.size ||
			    !tree_head_equal(&tail->head, &shown))
				continue;
			extend(c, tail->n, tail->history);
			last = tail->head;
		}
		MUST(tree_head_equal(&shown, &last),
		     "the witness shows size %llu, the last one cosigned was %llu",
		     (unsigned long long)shown.size, (unsigned long long)last.size);
		record(c, &shown);
	}
	for (size_t i = 0; i < CROWD_CLIENTS_MAX; i++)
		c->tail[i].n = 0;
}

static int by_size(const void *a, const void *b)
{
	const struct tree_head *x = a, *y = b;

	return x->size < y->size ? -1 : x->size > y->size;
}

static void check_pair(struct crowd *c, const struct tree_head *a, const struct tree_head *b)
{
	struct merkle_proof proof;

	if (a->size == 0)
		return; /* every tree extends the empty one */
	proof = witness_log_proof(&c->log, a->size, b->size);
	MUST(proof_verify_consistency(&c->log.h, &proof, a, b) == VT_OK,
	     "cosigned heads of sizes %llu and %llu are inconsistent", (unsigned long long)a->size,
	     (unsigned long long)b->size);
}

void crowd_check(struct crowd *c)
{
	const size_t step = 1 + c->n_cosigned / PAIRED_MAX;

	qsort(c->cosigned, c->n_cosigned, sizeof(*c->cosigned), by_size);
	for (size_t i = 0; i < c->n_cosigned; i++) {
		const struct tree_head *head = &c->cosigned[i];
		struct tree_head expected = witness_log_head(&c->log, head->size);

		MUST(tree_head_equal(head, &expected),
		     "a head of another history was cosigned at size %llu",
		     (unsigned long long)head->size);
		if (i > 0)
			check_pair(c, head - 1, head);
	}
	for (size_t i = 0; i < c->n_cosigned; i += step)
		for (size_t j = i; j < c->n_cosigned; j += step)
			check_pair(c, &c->cosigned[i], &c->cosigned[j]);
}
