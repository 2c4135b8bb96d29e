/*
 * Alerts on their way out: files of lines that grow at the end, and a mark up to which they were
 * taken. An alert is on disk before the state that it is about moves on, and goes only after
 * whoever takes alerts has said so; so each is delivered at least once, whatever crashes when, and
 * in order.
 *
 * Any thread may add; one takes. No function holds a lock while the disk flushes, so none waits for
 * another's flush.
 */
#ifndef MONITOR_OUTBOX_H
#define MONITOR_OUTBOX_H

#include "vitrine/bytes.h"

enum {
	OUTBOX_ALERT_MAX = 64 * 1024, /* bytes of one */
};

struct outbox;

/* In the folder `dir`, which exists. VT_EMISMATCH: a file is damaged; why as in pairs_open(). */
enum vt_err outbox_open(struct outbox **out, const char *dir, char why[256]);
void outbox_free(struct outbox *o);

/* One alert, a line of text without newlines. It counts only once outbox_sync() has returned. */
enum vt_err outbox_add(struct outbox *o, struct bytes alert);
/* All that was added before is on disk. */
enum vt_err outbox_sync(struct outbox *o);

/* Replace *alert by the oldest that was not taken. VT_ENOTFOUND: none; VT_EMISMATCH: damaged. */
enum vt_err outbox_next(struct outbox *o, struct buf *alert);
/* The one that outbox_next() showed is taken. Durable when it returns, or (later) with the next one that is,
 * or outbox_mark(): until then a crash makes it be taken again. */
enum vt_err outbox_taken(struct outbox *o, bool later);
enum vt_err outbox_mark(struct outbox *o);
/* Is there something to take? */
bool outbox_ready(struct outbox *o);
uint64_t outbox_waiting(struct outbox *o); /* alerts */
uint64_t outbox_waiting_bytes(struct outbox *o);

#endif
