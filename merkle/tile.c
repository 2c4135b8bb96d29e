/*
 * Tiles and entry bundles. tile_root is the second path to a root: it goes through the plans of
 * proof.c and the stored tiles, and uses nothing of range.c.
 */
#include <string.h>

#include "vitrine/tile.h"

/* Take `literal` off the front. */
static bool take(struct bytes *rest, const char *literal)
{
	size_t len = strlen(literal);

	if (rest->len < len || memcmp(rest->data, literal, len) != 0)
		return false;
	*rest = bytes_of(rest->data + len, rest->len - len);
	return true;
}

/* Take everything up to the next '/' or the end; the '/' stays. */
static struct bytes take_element(struct bytes *rest)
{
	struct bytes element = {.data = rest->data};

	while (element.len < rest->len && rest->data[element.len] != '/')
		element.len++;
	*rest = bytes_of(rest->data + element.len, rest->len - element.len);
	return element;
}

/* A decimal of at most three digits. */
static enum vt_err parse_small(unsigned *out, struct bytes text)
{
	enum vt_err err;
	uint64_t n;

	if ((err = decimal_decode(&n, text)) != VT_OK)
		return err;
	if (n > 999)
		return VT_EMALFORMED;
	*out = (unsigned)n;
	return VT_OK;
}

/* Exactly three digits, appended to *index. */
static bool take_group(struct bytes *rest, uint64_t *index)
{
	unsigned group = 0;

	if (rest->len < 3)
		return false;
	for (size_t i = 0; i < 3; i++) {
		unsigned digit = rest->data[i] - (unsigned)'0';

		if (digit > 9)
			return false;
		group = group * 10 + digit;
	}
	if (*index > (UINT64_MAX - group) / 1000)
		return false;
	*index = *index * 1000 + group;
	*rest = bytes_of(rest->data + 3, rest->len - 3);
	return true;
}

/*
 * tlog-tiles, "Merkle Tree": "a non-negative integer encoded into zero-padded 3-digit path
 * elements. All but the last path element MUST begin with an x." A group of zeros at the front
 * would give an index two paths, so it is refused.
 */
static enum vt_err parse_index(uint64_t *index, struct bytes *rest)
{
	*index = 0;
	while (take(rest, "x")) {
		if (!take_group(rest, index) || *index == 0 || !take(rest, "/"))
			return VT_EMALFORMED;
	}
	return take_group(rest, index) ? VT_OK : VT_EMALFORMED;
}

enum vt_err tile_path_parse(struct tile_id *out, struct bytes path)
{
	struct tile_id id = {.width = TILE_WIDTH};
	enum vt_err err;

	*out = (struct tile_id){0};
	if (!take(&path, "tile/"))
		return VT_EMALFORMED;
	id.entries = take(&path, "entries");
	if (!id.entries && (err = parse_small(&id.level, take_element(&path))) != VT_OK)
		return err;
	/* "a decimal ASCII integer between 0 and 63, with no additional leading zeroes" */
	if (id.level > TILE_LEVEL_MAX || !take(&path, "/"))
		return VT_EMALFORMED;
	if ((err = parse_index(&id.index, &path)) != VT_OK)
		return err;
	if (path.len != 0) {
		/* "a decimal ASCII integer between 1 and 255, with no additional leading zeroes" */
		if (!take(&path, ".p/") || parse_small(&id.width, path) != VT_OK || id.width < 1 ||
		    id.width >= TILE_WIDTH)
			return VT_EMALFORMED;
	}
	*out = id;
	return VT_OK;
}

/* The characters of a path, from its last to its first. */
struct backwards {
	char text[TILE_PATH_MAX];
	size_t at;
};

static void put(struct backwards *b, const char *literal)
{
	size_t len = strlen(literal);

	b->at -= len;
	memcpy(b->text + b->at, literal, len);
}

/* At least `digits` of them. */
static void put_decimal(struct backwards *b, uint64_t n, unsigned digits)
{
	for (unsigned i = 0; i < digits || n != 0; i++, n /= 10)
		b->text[--b->at] = (char)('0' + n % 10);
}

enum vt_err tile_path_format(char out[TILE_PATH_MAX], size_t *len, const struct tile_id *id)
{
	struct backwards b = {.at = TILE_PATH_MAX};
	uint64_t index = id->index;

	out[0] = '\0';
	*len = 0;
	if (id->level > TILE_LEVEL_MAX || id->width < 1 || id->width > TILE_WIDTH ||
	    (id->entries && id->level != 0))
		return VT_EINVAL;
	if (id->width != TILE_WIDTH) {
		put_decimal(&b, id->width, 1);
		put(&b, ".p/");
	}
	put_decimal(&b, index % 1000, 3);
	while ((index /= 1000) != 0) {
		put(&b, "/");
		put_decimal(&b, index % 1000, 3);
		put(&b, "x");
	}
	put(&b, "/");
	if (id->entries)
		put(&b, "entries");
	else
		put_decimal(&b, id->level, 1);
	put(&b, "tile/");
	*len = TILE_PATH_MAX - b.at;
	memcpy(out, b.text + b.at, *len);
	out[*len] = '\0';
	return VT_OK;
}

unsigned tile_width(unsigned level, uint64_t index, uint64_t size)
{
	uint64_t hashes, full;

	if (level >= 64 / TILE_HEIGHT)
		return 0;
	hashes = size >> (TILE_HEIGHT * level);
	full = hashes / TILE_WIDTH;
	if (index < full)
		return TILE_WIDTH;
	return index == full ? (unsigned)(hashes % TILE_WIDTH) : 0;
}

enum vt_err tile_of_node(struct tile_id *out, struct merkle_node_id id, uint64_t size)
{
	unsigned above = id.height % TILE_HEIGHT;

	*out = (struct tile_id){0};
	/* Only then are all of its leaves in the tree. */
	if (id.height > 63 || id.index >= size >> id.height)
		return VT_EINVAL;
	out->level = id.height / TILE_HEIGHT;
	out->index = id.index >> (TILE_HEIGHT - above);
	out->width = tile_width(out->level, out->index, size);
	return VT_OK;
}

/* The root of 2^height hashes, height >= 1: at most a full tile's. */
static enum vt_err perfect_root(struct merkle_hash *out, struct merkle_hasher *h,
				const struct merkle_hash *hashes, unsigned height)
{
	struct merkle_hash row[TILE_WIDTH / 2];
	enum vt_err err;

	for (unsigned n = 1U << (height - 1); n != 0; n /= 2) {
		for (unsigned i = 0; i < n; i++)
			if ((err = merkle_hash_node(&row[i], h, &hashes[2 * i],
						    &hashes[2 * i + 1])) != VT_OK)
				return err;
		hashes = row;
	}
	*out = row[0];
	return VT_OK;
}

enum vt_err tile_node(struct merkle_hash *out, struct merkle_hasher *h, const struct tile_id *tile,
		      const struct merkle_hash *hashes, struct merkle_node_id id)
{
	unsigned base = tile->level * TILE_HEIGHT;
	unsigned above, first;

	if (tile->entries || tile->width > TILE_WIDTH || tile->level > TILE_LEVEL_MAX ||
	    id.height < base || id.height > base + TILE_HEIGHT)
		return VT_EINVAL;
	above = id.height - base;
	/* The tile is itself a node, at height 8: it has 2^(8 - above) nodes of this height. */
	if (id.index >> (TILE_HEIGHT - above) != tile->index)
		return VT_EINVAL;
	first = (unsigned)(id.index & ((TILE_WIDTH >> above) - 1U)) << above;
	if (first + (1U << above) > tile->width)
		return VT_EINVAL;
	if (above == 0) {
		*out = hashes[first];
		return VT_OK;
	}
	return perfect_root(out, h, hashes + first, above);
}

enum vt_err bundle_next(struct bytes *entry, struct bytes *rest)
{
	size_t len;

	*entry = (struct bytes){0};
	if (rest->len < 2)
		return VT_EMALFORMED;
	len = (size_t)rest->data[0] << 8 | rest->data[1];
	if (rest->len - 2 < len)
		return VT_EMALFORMED;
	*entry = bytes_of(rest->data + 2, len);
	*rest = bytes_of(rest->data + 2 + len, rest->len - 2 - len);
	return VT_OK;
}

enum vt_err bundle_append(struct buf *out, struct bytes entry)
{
	uint8_t prefix[2] = {(uint8_t)(entry.len >> 8), (uint8_t)entry.len};
	enum vt_err err;

	if (entry.len > BUNDLE_ENTRY_MAX)
		return VT_ELIMIT;
	if ((err = buf_reserve(out, sizeof(prefix) + entry.len)) != VT_OK ||
	    (err = buf_append(out, bytes_of(prefix, sizeof(prefix)))) != VT_OK)
		return err;
	return buf_append(out, entry);
}

static bool same_tile(const struct tile_id *a, const struct tile_id *b)
{
	return a->level == b->level && a->index == b->index && a->width == b->width;
}

enum vt_err tile_read_plan(struct merkle_hash *node, struct merkle_hasher *h,
			   const struct merkle_plan *plan, uint64_t size, tile_read_fn read_tile,
			   void *ctx)
{
	struct merkle_hash hashes[TILE_WIDTH];
	struct tile_id held = {0}; /* no tile has width 0 */
	enum vt_err err;

	if (plan->n > MERKLE_PLAN_MAX)
		return VT_EINVAL;
	for (size_t i = 0; i < plan->n; i++) {
		struct tile_id need;

		if ((err = tile_of_node(&need, plan->node[i], size)) != VT_OK)
			return err;
		if (!same_tile(&need, &held)) {
			if ((err = read_tile(ctx, &need, hashes)) != VT_OK)
				return err;
			held = need;
		}
		if ((err = tile_node(&node[i], h, &held, hashes, plan->node[i])) != VT_OK)
			return err;
	}
	return VT_OK;
}

enum vt_err tile_root(struct merkle_hash *out, struct merkle_hasher *h, uint64_t size,
		      tile_read_fn read_tile, void *ctx)
{
	struct merkle_hash node[MERKLE_RANGE_MAX];
	struct merkle_plan plan;
	enum vt_err err;

	if ((err = proof_plan_root(&plan, size)) != VT_OK ||
	    (err = tile_read_plan(node, h, &plan, size, read_tile, ctx)) != VT_OK)
		return err;
	return proof_build_root(out, h, &plan, node);
}
