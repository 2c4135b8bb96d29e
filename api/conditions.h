/* The search's conditions, which the event stream and the feed share; and what a list shows of an entry. */
#ifndef API_CONDITIONS_H
#define API_CONDITIONS_H

#include "handler.h"

/* An empty one holds for every entry; the others are ANDed. */
struct conditions {
	struct buf subject, type, party, result;
};

void conditions_init(struct conditions *c);
void conditions_release(struct conditions *c);
bool conditions_any(const struct conditions *c);
bool conditions_equal(const struct conditions *a, const struct conditions *b);
/* From the query. Answers with a problem and returns false if one of them cannot be used; whether a subject is a digest is told
 * by the search alone. */
bool conditions_query(struct http_exchange *x, struct conditions *c);
/* Borrows from c. */
struct log_search conditions_search(const struct conditions *c, uint64_t after, size_t limit);
/* What a failed search of them means. */
void conditions_problem(struct http_exchange *x, enum vt_err err);
/* "&subject=...&type=...": as a query. */
enum vt_err conditions_append(struct buf *out, const struct conditions *c);
/* The names of the query's parameters, for api_only(). */
#define CONDITION_NAMES "subject", "type", "party", "result"

/* Enough of a published entry to choose which one to open: of a record what SearchResult in openapi.yaml shows, in raw
 * mode index and leaf hash. *out is new, NULL on failure. *read (may be NULL): about how many bytes of entry that took. */
enum vt_err entry_summary(struct json **out, size_t *read, struct log_worker *w, enum log_mode mode,
			  uint64_t index);

#endif
