/* What a log holds, read by its tiles as anyone would, unverified: `vitrine fsck` is for that. */
#ifndef LOAD_TREE_H
#define LOAD_TREE_H

#include "load_client.h"

/* The size that the checkpoint tells. The reason why not is said. */
bool load_tree_size(const struct load_target *target, uint64_t *size);
/* Every entry below size, in order. The reason why not is said. */
typedef enum vt_err (*load_entry_fn)(void *ctx, uint64_t index, struct bytes entry);
bool load_tree_entries(const struct load_target *target, uint64_t size, load_entry_fn visit,
		       void *ctx);

#endif
