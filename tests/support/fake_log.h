/*
 * A log that exists only in this process, behind the asking side of HTTP: it takes the place of
 * http_fetch.h at link time, so no socket is opened and each answer can be bent. What it serves is
 * made by plain recursion from the entries. Link with ${fake_log_sources}, vitrine and
 * OpenSSL::Crypto, before the library `http`.
 *
 * One fake log at a time; its address is FAKE_LOG_URL. Set up on one thread, asked on any.
 */
#ifndef VITRINE_TEST_FAKE_LOG_H
#define VITRINE_TEST_FAKE_LOG_H

#include "vitrine/merkle.h"

#define FAKE_LOG_URL "https://fake.example/log"

/* An empty log of test_policy.h's log `letter`, and no faults. */
void fake_log_reset(char letter);
void fake_log_release(void);
/* Append an entry. */
void fake_log_add(struct bytes entry);
/* Entries from the present size to `size`: "entry N of HISTORY". */
void fake_log_grow(uint64_t size, const char *history);
/* Forget all beyond `size`: what follows is another history. */
void fake_log_cut(uint64_t size);
uint64_t fake_log_size(void);
struct bytes fake_log_entry(uint64_t index);
struct tree_head fake_log_head_at(uint64_t size);
/* PATH(index, D[0:size]) by the book. */
struct merkle_proof fake_log_path(uint64_t index, uint64_t size);
/* What /checkpoint says from now on: the tree of `size`, cosigned by `witnesses` (letters). */
void fake_log_publish_at(uint64_t size, const char *witnesses);
void fake_log_publish(void); /* all of it */
/* What /checkpoint says from now on, whatever that is. */
void fake_log_serve_checkpoint(struct bytes text);
struct bytes fake_log_checkpoint(void);

/* What happens to requests whose path is `path` (below the address), the next `times` of them. */
struct fake_fault {
	const char *path; /* NULL: any */
	unsigned times;
	unsigned status; /* 0: no connection; 200: what is served, but bent: */
	unsigned retry_after;
	const char *content_type; /* of body */
	const char *body;         /* instead of the real one; NULL: the real one */
	size_t flip_bit;          /* this bit + 1 of the body; 0: none */
	size_t cut;               /* bytes off its end */
	const char *append;       /* after it */
	bool cached;              /* for those only that do not ask past all caches */
};
void fake_log_fault(const struct fake_fault *fault);
void fake_log_mend(void); /* no more faults */
/* Partial tiles are gone where there are full ones. */
void fake_log_prune_partials(unsigned status);

/* What POST /api/v1/entries answers; the body that came is kept. */
void fake_log_answer_post(unsigned status, const char *content_type, struct bytes body);
struct bytes fake_log_posted(void);

/* Requests so far, and the path of each of the latest. */
unsigned fake_log_requests(void);
unsigned fake_log_requests_of(const char *path);

#endif
