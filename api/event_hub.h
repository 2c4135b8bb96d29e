/*
 * Who listens to the log: one thread that tells every subscriber, in order, of each entry that was published and of each
 * published tree head that is kept, from the place on where the subscriber stands. See server/DESIGN.md, "Streams and events".
 *
 * A subscriber is a place in the log and a stream. Whatever it is told is made once and shared; nothing is made that
 * nobody is told. One that has caught up and then falls HUB_LAG_MAX entries behind what is published while it takes nothing is dropped.
 * One that is catching up is told as much as it takes, a page at a time, after everybody who has caught up.
 */
#ifndef API_EVENT_HUB_H
#define API_EVENT_HUB_H

#include "entry_query.h"

struct hub;

enum {
	HUB_LAG_MAX = 4096,         /* entries */
	HUB_HELD_MAX = 256 * 1024,  /* bytes that a stream may hold back before it has to wait */
	HUB_CACHE_BYTES = 16 << 20, /* of events that were made */
	HUB_HEARTBEAT_SECONDS = 15, /* WHATWG HTML, section 9.2.7, recommends it */
};

/* Begin. heartbeat_seconds 0: HUB_HEARTBEAT_SECONDS. VT_ENOMEM, VT_EIO; what log_worker_new() says. */
enum vt_err hub_start(struct hub **out, struct log *log, double heartbeat_seconds);
/* The log has published. Any thread, quick. */
void hub_published(struct hub *hub);
/* End the thread. Streams stay as they are. */
void hub_stop(struct hub *hub);
/* Stops, too. No stream of it may be open any more. NULL is fine. */
void hub_free(struct hub *hub);

/* Where a subscriber stands. */
struct hub_place {
	uint64_t entry; /* the next one it is told of */
	uint64_t
	    head; /* the next tree head is the first one kept that covers this size; entries before it come first */
};
/* "e7": after entry 7; "h8": after the tree head of size 8. VT_EMALFORMED. */
enum vt_err hub_place_parse(struct hub_place *out, struct bytes event_id);

/* Answer x with a stream that begins with what r holds and goes on from this place. Takes over what r and c hold. VT_ENOMEM:
 * x is not answered. */
enum vt_err hub_subscribe(struct hub *hub, struct http_exchange *x, struct http_response *r,
			  const struct hub_place *from, struct conditions *c);

#endif
