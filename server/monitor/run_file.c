#include "run_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"

enum {
	BODY = RUN_BLOCK - MERKLE_HASH_SIZE, /* what the digest behind it covers */
	INTERPOLATIONS = 8,
};

int run_slot_compare(const struct run_slot *a, const struct run_slot *b)
{
	int by_key = memcmp(a->key.b, b->key.b, MERKLE_HASH_SIZE);

	if (by_key != 0)
		return by_key;
	return a->index < b->index ? -1 : a->index > b->index;
}

void run_slot_encode(uint8_t out[RUN_SLOT], const struct run_slot *slot)
{
	memcpy(out, slot->key.b, MERKLE_HASH_SIZE);
	files_put64(out + MERKLE_HASH_SIZE, slot->index);
}

void run_slot_decode(struct run_slot *out, const uint8_t in[RUN_SLOT])
{
	memcpy(out->key.b, in, MERKLE_HASH_SIZE);
	out->index = files_get64(in + MERKLE_HASH_SIZE);
}

/* Of the block, and of where it stands: one that was copied elsewhere is damage too. */
static enum vt_err block_digest(struct merkle_hash *out, struct merkle_hasher *h, uint64_t id,
				uint64_t number, const uint8_t *block)
{
	uint8_t place[16] = {0};
	struct bytes part[2] = {bytes_of(place, sizeof(place)), bytes_of(block, BODY)};

	files_put64(place, id);
	files_put64(place + 8, number);
	return merkle_sha256(out, h, part, 2);
}

static uint64_t blocks_of(uint64_t slots)
{
	return slots / RUN_BLOCK_SLOTS + (slots % RUN_BLOCK_SLOTS != 0);
}

/* -- reading ---------------------------------------------------------------------------------- */

enum vt_err run_file_open(struct run_file *f, const char *path, uint64_t id, uint64_t slots)
{
	struct stat st;

	*f = (struct run_file){.fd = -1, .id = id, .slots = slots, .held = UINT64_MAX};
	if ((f->fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		return VT_EIO;
	if (fstat(f->fd, &st) != 0)
		return VT_EIO;
	return (uint64_t)st.st_size == blocks_of(slots) * RUN_BLOCK ? VT_OK : VT_EMISMATCH;
}

void run_file_close(struct run_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

static enum vt_err load_block(struct run_file *f, struct merkle_hasher *h, uint64_t number)
{
	struct merkle_hash digest;
	enum vt_err err;

	if (f->held == number)
		return VT_OK;
	f->held = UINT64_MAX;
	if ((err = files_read_at(f->fd, f->block, RUN_BLOCK, number * RUN_BLOCK)) != VT_OK ||
	    (err = block_digest(&digest, h, f->id, number, f->block)) != VT_OK)
		return err;
	if (memcmp(digest.b, f->block + BODY, MERKLE_HASH_SIZE) != 0)
		return VT_EMISMATCH;
	f->held = number;
	return VT_OK;
}

enum vt_err run_file_slot(struct run_slot *out, struct run_file *f, struct merkle_hasher *h,
			  uint64_t i)
{
	enum vt_err err;

	if (i >= f->slots)
		return VT_ENOTFOUND;
	if ((err = load_block(f, h, i / RUN_BLOCK_SLOTS)) == VT_OK)
		run_slot_decode(out, f->block + (i % RUN_BLOCK_SLOTS) * RUN_SLOT);
	return err;
}

static uint64_t last_in_block(const struct run_file *f, uint64_t number)
{
	uint64_t end = (number + 1) * RUN_BLOCK_SLOTS;

	return (end < f->slots ? end : f->slots) - 1;
}

/* Where between lo and hi the keys, which are hashes, should have come to this prefix. */
static uint64_t guess_block(uint64_t lo, uint64_t hi, uint64_t lo_prefix, uint64_t hi_prefix,
			    uint64_t prefix)
{
	double share = 0.5;

	if (hi_prefix > lo_prefix && prefix >= lo_prefix && prefix <= hi_prefix)
		share = (double)(prefix - lo_prefix) / (double)(hi_prefix - lo_prefix);
	return lo + (uint64_t)((double)(hi - lo) * share);
}

/* The last block that does not begin behind `least`, or the first of all. */
static enum vt_err find_block(uint64_t *out, struct run_file *f, struct merkle_hasher *h,
			      const struct run_slot *least)
{
	uint64_t lo = 0, hi = blocks_of(f->slots), prefix = files_get64(least->key.b);
	uint64_t lo_prefix = 0, hi_prefix = UINT64_MAX;
	struct run_slot first, last;
	enum vt_err err;

	for (unsigned step = 0; hi - lo > 1; step++) {
		/* Keys that somebody has chosen are not spread evenly: then halving is quicker. */
		uint64_t at = step < INTERPOLATIONS
				  ? guess_block(lo, hi, lo_prefix, hi_prefix, prefix)
				  : lo + (hi - lo) / 2;
		at = at <= lo ? lo + 1 : at >= hi ? hi - 1 : at;
		if ((err = run_file_slot(&first, f, h, at * RUN_BLOCK_SLOTS)) != VT_OK ||
		    (err = run_file_slot(&last, f, h, last_in_block(f, at))) != VT_OK)
			return err;
		if (run_slot_compare(&first, least) > 0) {
			hi = at;
			hi_prefix = files_get64(first.key.b);
			continue;
		}
		lo = at;
		lo_prefix = files_get64(last.key.b);
		if (run_slot_compare(&last, least) >= 0)
			break;
	}
	*out = lo;
	return VT_OK;
}

enum vt_err run_file_search(struct run_slot *out, struct run_file *f, struct merkle_hasher *h,
			    const struct run_slot *least)
{
	uint64_t block, lo, hi;
	enum vt_err err;

	if (f->slots == 0)
		return VT_ENOTFOUND;
	if ((err = find_block(&block, f, h, least)) != VT_OK)
		return err;
	lo = block * RUN_BLOCK_SLOTS;
	hi = last_in_block(f, block) + 1;
	while (lo < hi) {
		uint64_t middle = lo + (hi - lo) / 2;
		if ((err = run_file_slot(out, f, h, middle)) != VT_OK)
			return err;
		if (run_slot_compare(out, least) < 0)
			lo = middle + 1;
		else
			hi = middle;
	}
	return run_file_slot(out, f, h, lo); /* perhaps the next block's first */
}

/* -- writing ---------------------------------------------------------------------------------- */

enum vt_err run_writer_open(struct run_writer *w, const char *path, uint64_t id)
{
	memset(w, 0, sizeof(*w));
	w->id = id;
	w->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return w->fd < 0 ? VT_EIO : VT_OK;
}

static enum vt_err flush_block(struct run_writer *w, struct merkle_hasher *h)
{
	uint64_t number = (w->slots - 1) / RUN_BLOCK_SLOTS;
	struct merkle_hash digest;
	enum vt_err err;

	if ((err = block_digest(&digest, h, w->id, number, w->block)) != VT_OK)
		return err;
	memcpy(w->block + BODY, digest.b, MERKLE_HASH_SIZE);
	err = files_write_at(w->fd, w->block, RUN_BLOCK, number * RUN_BLOCK);
	memset(w->block, 0, RUN_BLOCK);
	w->n = 0;
	return err;
}

enum vt_err run_writer_add(struct run_writer *w, struct merkle_hasher *h,
			   const struct run_slot *slot)
{
	run_slot_encode(w->block + w->n * RUN_SLOT, slot);
	w->n++;
	w->slots++;
	return w->n == RUN_BLOCK_SLOTS ? flush_block(w, h) : VT_OK;
}

enum vt_err run_writer_finish(struct run_writer *w, struct merkle_hasher *h, const char *dir)
{
	enum vt_err err;

	if ((w->n > 0 && (err = flush_block(w, h)) != VT_OK) || (err = files_sync(w->fd)) != VT_OK)
		return err;
	return files_sync_folder(dir);
}

void run_writer_close(struct run_writer *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}
