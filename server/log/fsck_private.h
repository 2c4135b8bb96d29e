/* What the parts of fsck share. */
#ifndef LOG_FSCK_PRIVATE_H
#define LOG_FSCK_PRIVATE_H

#include "log.h"

enum {
	FSCK_SLICE = 256, /* entries read at once */
	FSCK_PROGRESS_EVERY = 4096,
};

struct fsck {
	const struct fsck_config *config;
	struct store_reader *r;
	struct merkle_hasher hasher;
	struct vkey vkey;
	bool raw;
	struct tree_state state;
	size_t faults;
	/* Of those, what lies beside the store: the store itself is looked at all the same. */
	size_t beside;
};

/* Report a difference. VT_EMISMATCH: that was the last one to be reported. */
enum vt_err tell_fault(struct fsck *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The same, as a store_fault_fn. */
enum vt_err tell_fault_text(void *f, const char *text);
void tell_progress(struct fsck *f, uint64_t done, const char *what);

/* Entries, leaf hashes, tiles, range and root. */
enum vt_err fsck_tree(struct fsck *f);
/* Every admission again, and every key row. In raw mode: no entry twice. The runs agree with the rows by then. */
enum vt_err fsck_replay(struct fsck *f);

#endif
