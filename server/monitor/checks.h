/*
 * Replays the admissions of one log of records from its entries, in order: is each what admission
 * would have made at its index? What must be remembered of them lies in a folder: the known-record
 * pairs and the sealed records as sorted runs, the registry's entries as they are. Other entries
 * are read again from the log, through the caller, in the rare case that one is about another.
 *
 * One thread at a time.
 */
#ifndef MONITOR_CHECKS_H
#define MONITOR_CHECKS_H

#include "admit.h"
#include "pairs.h"

struct checks;

/* What the caller keeps of it: how much in the folder counts. {0}: nothing yet. */
struct checks_mark {
	uint64_t registry_bytes;
	struct pairs_mark runs;
};

struct checks_config {
	const char *dir; /* exists */
	const char *origin;
	struct bytes centre; /* canonical SPKI; empty: entry 0 is believed */
	size_t tail_max;     /* as in pairs_open() */
	/* Append the entry's bytes, verified. Its errors come back from checks_entry(). */
	enum vt_err (*read)(void *ctx, uint64_t index, struct buf *entry);
	void *ctx;
};

/* config's texts are copied. VT_EMISMATCH: a file is damaged. */
enum vt_err checks_open(struct checks **out, const struct checks_config *config,
			const struct checks_mark *mark, char why[PAIRS_WHY_MAX]);
void checks_free(struct checks *c);

/* The rule that is broken, by its problem's slug, and what about it. */
struct checks_refusal {
	const char *rule; /* NULL: none */
	char detail[PROBLEM_DETAIL_MAX];
};
/*
 * The entry at `index`, which is the one after the last. VT_OK: it is admissible (refusal->rule is
 * NULL) or not; either way it is remembered and the next may come. *record (may be NULL) is its
 * record, the caller's to free, if it is admissible; otherwise NULL. Anything else: no verdict,
 * because the log could not be read, or because of memory or the disk here; nothing but
 * checks_free() is possible then.
 */
enum vt_err checks_entry(struct checks *c, uint64_t index, struct bytes entry,
			 struct record **record, struct checks_refusal *refusal);
/* As pairs_save() and pairs_saved(). */
enum vt_err checks_save(struct checks *c, struct checks_mark *out, const atomic_bool *stop);
void checks_saved(struct checks *c);

const struct registry *checks_registry(const struct checks *c);
const char *checks_why(const struct checks *c); /* as pairs_why() */

#endif
