/*
 * A client of nothing but a socket, so that tests decide every byte that is sent and see every byte
 * that comes. Reads give up after 20 seconds, so a test fails where it would hang.
 */
#ifndef VITRINE_RAW_HTTP_H
#define VITRINE_RAW_HTTP_H

#include "vitrine/bytes.h"

int raw_connect(const char *url);
/* From this IPv4 address of the machine; every 127.x.y.z is one. */
int raw_connect_from(const char *url, const char *source);
void raw_send(int fd, struct bytes data); /* all of it; fails the test */
void raw_send_str(int fd, const char *text);
/* Send until the other side refuses to take more. */
void raw_send_some(int fd, struct bytes data);

struct raw_reply {
	unsigned status;
	struct buf head; /* status line and fields, NUL-terminated */
	struct buf body;
	struct buf rest; /* what came behind it: give it to the next raw_read() */
};
void raw_reply_init(struct raw_reply *r);
void raw_reply_release(struct raw_reply *r);
/* Read one answer; head: the request was HEAD. 100 Continue is skipped. false: the connection
 * ended. */
bool raw_read(int fd, struct raw_reply *r, bool head);
/* A field's value, valid until the next raw_read(); NULL when absent. Fails the test if it came
 * twice. */
const char *raw_field(struct raw_reply *r, const char *name);
/* Send one request on a connection of its own and read the answer. */
unsigned raw_ask(const char *url, const char *request, struct raw_reply *r);
/* Read until the other side closes or resets; what came before, appended to out (may be NULL). */
void raw_drain(int fd, struct buf *out);
size_t raw_times(const struct buf *in, const char *text); /* how often the text is in it */

#endif
