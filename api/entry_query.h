/* The conditions of search, event stream and feed (conditions.h), from and to a query; and what a list shows of an entry. */
#ifndef API_ENTRY_QUERY_H
#define API_ENTRY_QUERY_H

#include "conditions.h"
#include "handler.h"

/* The names of the query's parameters, for api_only(). */
#define CONDITION_NAMES "subject", "type", "party", "result"

/* From the query. Answers with a problem and returns false if one of them cannot be used. *c is initialised before, and
 * released by the caller in any case. */
bool conditions_query(struct http_exchange *x, struct conditions *c);
/* One condition that stands elsewhere in the request. The same. */
bool conditions_take(struct http_exchange *x, struct conditions *c, enum condition which,
		     struct bytes value);
/* "&subject=...&type=...": as a query. */
void conditions_append(struct buf *out, const struct conditions *c);

/* Of the entries that one page reads and takes apart, but for the last. */
enum { PAGE_BYTES_MAX = 1 << 20 };

/* Enough of a published entry to choose which one to open: of a record what SearchResult in openapi.yaml shows, in raw
 * mode index and leaf hash. *out is new, NULL on failure. *read (may be NULL): about how many bytes of entry that took. */
enum vt_err entry_summary(struct json **out, size_t *read, struct log_worker *w, enum log_mode mode,
			  uint64_t index);

#endif
