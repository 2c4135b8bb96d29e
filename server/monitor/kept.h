/*
 * The verified tree of one log, kept on disk: a file per tile level, in which hash i stands at
 * 32 * i. So every root and proof below what was verified can be made again without the log.
 *
 * Files only grow, and nothing below a size that was synced changes: one thread appends while any
 * number read. What is read is held against the root that the caller trusts, tile by tile, so a
 * damaged file gives an error and never a wrong hash.
 */
#ifndef MONITOR_KEPT_H
#define MONITOR_KEPT_H

#include "vitrine/merkle.h"

struct kept;

/* In the folder `dir`, which exists, as it is at `size` leaves; what lies beyond goes. VT_EMISMATCH:
 * a file is shorter than that; VT_EIO, VT_ENOMEM. */
enum vt_err kept_open(struct kept **out, const char *dir, uint64_t size);
void kept_free(struct kept *k);

/* merkle_emit_fn with a struct kept as ctx. */
enum vt_err kept_node(void *kept, struct merkle_node_id id, const struct merkle_hash *hash);
/* All that was appended is on disk. */
enum vt_err kept_sync(struct kept *k);

/* `head` is trusted, and covers what was synced at most. size (first, second) up to head->size.
 * VT_EMISMATCH: what is on disk does not make this root; VT_EINVAL; VT_EIO. */
enum vt_err kept_root_at(struct merkle_hash *out, const struct kept *k,
			 const struct tree_head *head, uint64_t size);
enum vt_err kept_consistency(struct merkle_proof *out, const struct kept *k,
			     const struct tree_head *head, uint64_t first, uint64_t second);

#endif
