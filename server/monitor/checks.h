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

/* The rule that is broken, by its problem's slug, and what about it. */
struct checks_refusal {
	const char *rule; /* NULL: none, the entry is admissible, or was not judged */
	char detail[PROBLEM_DETAIL_MAX];
};
/*
 * Called for each entry in order, when it was judged: it is remembered, and may be saved. record: of an
 * admissible one, else NULL; gone after the call, like all of it. Neither rule nor record: entry 0 was
 * refused, so that there is no registry to judge this one by. Anything but VT_OK stops.
 */
typedef enum vt_err (*checks_judged_fn)(void *ctx, uint64_t index, const struct merkle_hash *leaf,
					const struct record *record,
					const struct checks_refusal *refusal);

struct checks_config {
	const char *dir; /* exists */
	const char *origin;
	struct bytes centre; /* canonical SPKI; empty: entry 0 is believed */
	/* Entry 0 by another centre is admissible, and what follows is judged by its registry; which centre
	 * it is, the caller asks of checks_registry(). */
	bool any_centre;
	size_t tail_max; /* as in pairs_open() */
	/* Append the entry's bytes, verified. Its errors come back from checks_add(). */
	enum vt_err (*read)(void *ctx, uint64_t index, struct buf *entry);
	checks_judged_fn judged;
	void *ctx;
};

/* config's texts are copied. VT_EMISMATCH: a file is damaged. */
enum vt_err checks_open(struct checks **out, const struct checks_config *config,
			const struct checks_mark *mark, char why[PAIRS_WHY_MAX]);
void checks_free(struct checks *c);

/*
 * Signatures are verified ahead on threads (0: one a core) between these two. checks_end() forgets
 * what was added and not judged.
 */
enum vt_err checks_begin(struct checks *c, unsigned threads);
void checks_end(struct checks *c);
/*
 * The entry at `index`, which is the one after the last. Those before it are judged meanwhile, this one
 * by checks_finish() at the latest. VT_OK, or what `judged` returned (the entries up to it count), or no
 * verdict, because the log could not be read, or because of memory or the disk here: nothing but
 * checks_end() and checks_free() is possible then.
 */
enum vt_err checks_add(struct checks *c, uint64_t index, struct bytes entry,
		       const struct merkle_hash *leaf);
enum vt_err checks_finish(struct checks *c);
/* As pairs_save() and pairs_saved(). */
enum vt_err checks_save(struct checks *c, struct checks_mark *out, const atomic_bool *stop);
void checks_saved(struct checks *c);

const struct registry *checks_registry(const struct checks *c);
const char *checks_why(const struct checks *c); /* as pairs_why() */

#endif
