/*
 * One outbox for each log and severity, so that no log's flood delays what is to be said about another. What is
 * most urgent goes first; among the logs of which there is something equally urgent they take turns;
 * and of one log the oldest goes first. Each lies in a folder of its own, "LOG-SEVERITY", and is as
 * safe as outbox.h says. Alerts of versions that had a single outbox lie in the folder itself, and
 * go out among the most urgent ones.
 *
 * Any thread may add; one takes. No lock is held while the disk flushes, so no log waits for another's flush.
 */
#ifndef MONITOR_OUTBOXES_H
#define MONITOR_OUTBOXES_H

#include "outbox.h"
#include "standing.h"

enum {
	OUTBOXES_FULL =
	    256 * 1024 * 1024, /* bytes that wait about one log: it is followed no further */
	OUTBOXES_RECENT = 50,
	OUTBOXES_LOG_MAX = 32, /* bytes of a log's name here, which is good as part of a file's */
};

struct outboxes;

/* In the folder `dir`, which exists. VT_EMISMATCH: a file is damaged. */
enum vt_err outboxes_open(struct outboxes **out, const char *dir, char why[256]);
void outboxes_free(struct outboxes *o);

/* As outbox_add() and outbox_sync(), for one log. */
enum vt_err outboxes_add(struct outboxes *o, const char *log, enum severity severity,
			 struct bytes alert);
enum vt_err outboxes_sync(struct outboxes *o, const char *log);

/* Replace *alert by the next to be taken. VT_ENOTFOUND: none. VT_EMISMATCH: those that could be read
 * are all taken, and others are damaged. */
enum vt_err outboxes_next(struct outboxes *o, struct buf *alert);
/* The one that outboxes_next() showed is taken; later as in outbox_taken(). */
enum vt_err outboxes_taken(struct outboxes *o, bool later);
/* It was not: whatever else waits is tried before it is tried again. */
void outboxes_not_taken(struct outboxes *o);
enum vt_err outboxes_mark(struct outboxes *o);
/* Wait until there is something to take (true), or outboxes_wake() was called or the time is over. */
bool outboxes_wait(struct outboxes *o, uint64_t millis);
void outboxes_wake(struct outboxes *o);

uint64_t outboxes_waiting(struct outboxes *o); /* alerts */
/* Of all logs (NULL) or one. */
uint64_t outboxes_waiting_bytes(struct outboxes *o, const char *log);
/* Append the latest OUTBOXES_RECENT alerts since it was opened, newest first, each with a newline. */
enum vt_err outboxes_recent(struct outboxes *o, struct buf *out);

#endif
