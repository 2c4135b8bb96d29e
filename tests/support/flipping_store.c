#include "flipping_store.h"

#include <stdlib.h>
#include <string.h>

static struct flipping *current;

static bool due(struct store_reader *r, enum flip_in in)
{
	if (r != current->reader || current->in != in || current->seen++ != current->after)
		return false;
	current->flipped = true;
	return true;
}

static void flip_bit(void *bytes, size_t len)
{
	uint64_t bit = current->bit % (len * 8);

	((uint8_t *)bytes)[bit / 8] ^= (uint8_t)(1U << bit % 8);
}

static enum vt_err reader_new(struct store_reader **out, struct store *s)
{
	enum vt_err err = current->real->reader_new(out, s);

	if (err != VT_OK)
		return err;
	(*out)->ops = &current->ops;
	if (++current->made == current->liar)
		current->reader = *out;
	return VT_OK;
}

static enum vt_err read_tile(struct store_reader *r, unsigned level, uint64_t index, unsigned width,
			     struct merkle_hash *out)
{
	enum vt_err err = current->real->read_tile(r, level, index, width, out);

	if (err == VT_OK && due(r, FLIP_TILE))
		flip_bit(out, width * sizeof(*out));
	return err;
}

struct visit {
	struct store_reader *r;
	store_entry_fn fn;
	void *ctx;
};

static enum vt_err visit_entry(void *ctx, uint64_t index, struct bytes entry,
			       const struct merkle_hash *keys, size_t n_keys)
{
	struct merkle_hash key[STORE_KEYS_MAX];
	const struct visit *v = ctx;
	uint8_t *copy = malloc(entry.len + 1);
	enum vt_err err;

	if (copy == NULL)
		return VT_ENOMEM;
	if (entry.len > 0)
		memcpy(copy, entry.data, entry.len);
	memcpy(key, keys, n_keys * sizeof(*keys));
	if (entry.len > 0 && due(v->r, FLIP_ENTRY))
		flip_bit(copy, entry.len);
	if (due(v->r, FLIP_KEY))
		flip_bit(key, n_keys * sizeof(*key));
	err = v->fn(v->ctx, index, bytes_of(copy, entry.len), key, n_keys);
	free(copy);
	return err;
}

static enum vt_err read_entries(struct store_reader *r, uint64_t first, uint64_t n,
				store_entry_fn visit, void *ctx)
{
	struct visit v = {r, visit, ctx};

	return current->real->read_entries(r, first, n, visit_entry, &v);
}

void flipping_install(struct flipping *f, struct store *s, unsigned liar)
{
	memset(f, 0, sizeof(*f));
	f->real = s->ops;
	f->ops = *s->ops;
	f->ops.reader_new = reader_new;
	f->ops.read_tile = read_tile;
	f->ops.read_entries = read_entries;
	f->liar = liar;
	current = f;
	s->ops = &f->ops;
}

void flipping_arm(struct flipping *f, enum flip_in in, uint64_t after, uint64_t bit)
{
	f->in = in;
	f->after = after;
	f->bit = bit;
	f->seen = 0;
	f->flipped = false;
}
