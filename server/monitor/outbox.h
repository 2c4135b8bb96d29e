/*
 * Alerts on their way out: files of lines that grow at the end, and a mark up to which they were
 * taken. An alert is on disk before the state that it is about moves on, and goes only after
 * whoever takes alerts has said so; so each is delivered at least once, whatever crashes when, and
 * in order.
 *
 * Any thread may add; one takes.
 */
#ifndef MONITOR_OUTBOX_H
#define MONITOR_OUTBOX_H

#include "vitrine/bytes.h"

enum {
	OUTBOX_ALERT_MAX = 64 * 1024,    /* bytes of one */
	OUTBOX_FULL = 256 * 1024 * 1024, /* bytes that wait: then nothing is followed further */
	OUTBOX_RECENT = 50,
};

struct outbox;

/* In the folder `dir`, which exists. VT_EMISMATCH: a file is damaged; why as in pairs_open(). */
enum vt_err outbox_open(struct outbox **out, const char *dir, char why[256]);
void outbox_free(struct outbox *o);

/* One alert, a line of text without newlines. It counts only once outbox_sync() has returned. */
enum vt_err outbox_add(struct outbox *o, struct bytes alert);
/* All that was added is on disk. */
enum vt_err outbox_sync(struct outbox *o);

/* Replace *alert by the oldest that was not taken. VT_ENOTFOUND: none; VT_EMISMATCH: damaged. */
enum vt_err outbox_next(struct outbox *o, struct buf *alert);
/* The one that outbox_next() showed is taken. Durable when it returns, or (later) with the next one that is,
 * or outbox_mark(): until then a crash makes it be taken again. */
enum vt_err outbox_taken(struct outbox *o, bool later);
enum vt_err outbox_mark(struct outbox *o);
/* Wait until there is something to take (true), or outbox_wake() was called or the time is over. */
bool outbox_wait(struct outbox *o, uint64_t millis);
void outbox_wake(struct outbox *o);

uint64_t outbox_waiting(struct outbox *o); /* alerts */
uint64_t outbox_waiting_bytes(struct outbox *o);
/* Append the latest OUTBOX_RECENT alerts since it was opened, oldest first, each with a newline. */
enum vt_err outbox_recent(struct outbox *o, struct buf *out);

#endif
