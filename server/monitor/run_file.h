/*
 * One sorted run: blocks of 4 KiB, each with up to RUN_BLOCK_SLOTS slots in ascending order and a
 * digest. Written once, from front to back; then only read.
 */
#ifndef MONITOR_RUN_FILE_H
#define MONITOR_RUN_FILE_H

#include "vitrine/merkle.h"

enum {
	RUN_BLOCK = 4096,
	RUN_SLOT = MERKLE_HASH_SIZE + 8,
	RUN_BLOCK_SLOTS = (RUN_BLOCK - MERKLE_HASH_SIZE) / RUN_SLOT,
};

struct run_slot {
	struct merkle_hash key;
	uint64_t index;
};
/* By key, then by index. */
int run_slot_compare(const struct run_slot *a, const struct run_slot *b);
void run_slot_encode(uint8_t out[RUN_SLOT], const struct run_slot *slot);
void run_slot_decode(struct run_slot *out, const uint8_t in[RUN_SLOT]);

/* To read: {.fd = -1} before it is opened. */
struct run_file {
	int fd;
	uint64_t id, slots;
	uint64_t held; /* the block in `block`; UINT64_MAX: none */
	uint8_t block[RUN_BLOCK];
};
/* VT_EMISMATCH: its length is not that of so many slots. VT_EIO. */
enum vt_err run_file_open(struct run_file *f, const char *path, uint64_t id, uint64_t slots);
void run_file_close(struct run_file *f);
/* VT_EMISMATCH: its block is damaged. */
enum vt_err run_file_slot(struct run_slot *out, struct run_file *f, struct merkle_hasher *h,
			  uint64_t i);
/* The first slot that is not below `least`. VT_ENOTFOUND. */
enum vt_err run_file_search(struct run_slot *out, struct run_file *f, struct merkle_hasher *h,
			    const struct run_slot *least);

struct run_writer {
	int fd;
	uint64_t id, slots;
	size_t n; /* slots in block */
	uint8_t block[RUN_BLOCK];
};
enum vt_err run_writer_open(struct run_writer *w, const char *path, uint64_t id);
enum vt_err run_writer_add(struct run_writer *w, struct merkle_hasher *h,
			   const struct run_slot *slot);
/* Complete and durable (its name too). */
enum vt_err run_writer_finish(struct run_writer *w, struct merkle_hasher *h, const char *dir);
void run_writer_close(struct run_writer *w); /* also after it was finished */

#endif
