#include "checks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "logline.h"
#include "reopener.h"

enum {
	/* The registry's file: for each entry its index, its length, its bytes and a digest. */
	ROW_HEAD = 16,
};

struct slice {
	struct reopen_slice entries;
	struct merkle_hash leaf[REOPEN_ENTRIES_MAX];
};

struct checks {
	char *origin;
	struct buf centre;
	bool any_centre;
	enum vt_err (*read)(void *ctx, uint64_t index, struct buf *entry);
	checks_judged_fn judged;
	void *ctx;
	struct reopener *reopener; /* between begin and end */
	struct slice slice[2];
	struct slice *gathering, *opening; /* each is one of the two */
	struct merkle_hasher hasher;
	struct pairs *runs;
	struct registry *registry;
	int registry_fd;
	uint64_t registry_bytes;
	bool registry_dirty;
	bool runs_failed;
	enum vt_err view_err; /* the last look-up's own error: then there is no verdict */
	char why[PAIRS_WHY_MAX];
};

/* -- the view --------------------------------------------------------------------------------- */

static enum vt_err view_find(void *ctx, const struct merkle_hash *key, uint64_t from,
			     uint64_t *index)
{
	struct checks *c = ctx;
	enum vt_err err = pairs_find(c->runs, key, from, index);

	if (err != VT_OK && err != VT_ENOTFOUND) {
		c->view_err = err;
		c->runs_failed = true;
	}
	return err;
}

static enum vt_err view_read(void *ctx, uint64_t index, struct buf *entry)
{
	struct checks *c = ctx;
	enum vt_err err = c->read(c->ctx, index, entry);

	if (err != VT_OK)
		c->view_err = err;
	return err;
}

static struct admission_view view_of(struct checks *c, uint64_t size)
{
	return (struct admission_view){.size = size,
				       .registry = c->registry,
				       .origin = c->origin,
				       .centre = buf_bytes(&c->centre),
				       .find = view_find,
				       .read = view_read,
				       .ctx = c};
}

/* -- the registry's file ---------------------------------------------------------------------- */

static enum vt_err row_digest(struct merkle_hash *out, struct checks *c, uint64_t at,
			      struct bytes row)
{
	uint8_t place[8] = {0};
	struct bytes part[2] = {bytes_of(place, sizeof(place)), row};

	files_put64(place, at);
	return merkle_sha256(out, &c->hasher, part, 2);
}

static enum vt_err keep_accreditation(struct checks *c, uint64_t index, struct bytes entry)
{
	struct merkle_hash digest;
	uint8_t head[ROW_HEAD];
	struct buf row;
	enum vt_err err;

	buf_init(&row);
	files_put64(head, index);
	files_put64(head + 8, entry.len);
	if ((err = buf_append(&row, bytes_of(head, sizeof(head)))) != VT_OK ||
	    (err = buf_append(&row, entry)) != VT_OK ||
	    (err = row_digest(&digest, c, c->registry_bytes, buf_bytes(&row))) != VT_OK ||
	    (err = buf_append(&row, bytes_of(digest.b, MERKLE_HASH_SIZE))) != VT_OK ||
	    (err = files_write_at(c->registry_fd, row.data, row.len, c->registry_bytes)) != VT_OK)
		goto done;
	c->registry_bytes += row.len;
	c->registry_dirty = true;
done:
	buf_release(&row);
	return err;
}

static enum vt_err apply_row(struct checks *c, uint64_t *at, struct buf *row)
{
	uint64_t left = c->registry_bytes - *at, len;
	struct merkle_hash digest, leaf;
	struct problem why = {0};
	uint8_t head[ROW_HEAD];
	struct bytes entry;
	enum vt_err err;

	if (left < ROW_HEAD + MERKLE_HASH_SIZE)
		return VT_EMISMATCH;
	if ((err = files_read_at(c->registry_fd, head, sizeof(head), *at)) != VT_OK)
		return err;
	len = files_get64(head + 8);
	if (len > RECORD_ENTRY_MAX || len > left - ROW_HEAD - MERKLE_HASH_SIZE)
		return VT_EMISMATCH;
	buf_reset(row);
	if ((err = buf_reserve(row, ROW_HEAD + (size_t)len + MERKLE_HASH_SIZE)) != VT_OK)
		return err;
	row->len = ROW_HEAD + (size_t)len;
	if ((err = files_read_at(c->registry_fd, row->data, row->len + MERKLE_HASH_SIZE, *at)) !=
		VT_OK ||
	    (err = row_digest(&digest, c, *at, buf_bytes(row))) != VT_OK)
		return err;
	if (memcmp(digest.b, row->data + row->len, MERKLE_HASH_SIZE) != 0)
		return VT_EMISMATCH;
	entry = bytes_of(row->data + ROW_HEAD, (size_t)len);
	*at += row->len + MERKLE_HASH_SIZE;
	if ((err = merkle_hash_leaf(&leaf, &c->hasher, entry)) != VT_OK)
		return err;
	err = registry_apply(c->registry, files_get64(head), &leaf, entry, &why);
	return err == VT_EMALFORMED ? VT_EMISMATCH : err;
}

static enum vt_err open_registry(struct checks *c, const char *dir, uint64_t len)
{
	char path[FILES_PATH_MAX];
	struct buf row;
	enum vt_err err;

	buf_init(&row);
	errno = 0;
	if ((err = files_path(path, dir, "registry", UINT64_MAX)) != VT_OK ||
	    (err = files_open_at_length(&c->registry_fd, path, len)) != VT_OK)
		goto done;
	c->registry_bytes = len;
	for (uint64_t at = 0; at < len && err == VT_OK;)
		err = apply_row(c, &at, &row);
done:
	if (err != VT_OK)
		snprintf(c->why, sizeof(c->why), "%s/registry: %s", dir,
			 err == VT_EMISMATCH           ? "damaged or cut short"
			 : err == VT_EIO && errno != 0 ? strerror(errno)
						       : vt_err_text(err));
	buf_release(&row);
	return err;
}

/* -- remembering ------------------------------------------------------------------------------ */

/* Under which a record that this sealed one keeps back is looked for (admit.h, "sealed"). */
static enum vt_err remember_sealed(struct checks *c, uint64_t index, const struct record *r)
{
	const struct statement *s = record_statement(r);
	const struct record_signer *signer;
	uint8_t value[2 * MERKLE_HASH_SIZE];
	struct merkle_hash key;
	size_t n;
	enum vt_err err;

	if (hex_decode_exact(value, MERKLE_HASH_SIZE, s->digest[0].hex) != VT_OK)
		return VT_EINTERNAL; /* its rules were checked */
	signer = record_signers(r, &n);
	for (size_t i = 0; i < n; i++) {
		memcpy(value + MERKLE_HASH_SIZE, signer[i].keyid.b, MERKLE_HASH_SIZE);
		if ((err = index_key(&key, &c->hasher, "sealed", bytes_of(value, sizeof(value)))) !=
			VT_OK ||
		    (err = pairs_add(c->runs, &key, index)) != VT_OK)
			return err;
	}
	return VT_OK;
}

/* Of an admissible entry. The others count for nothing that comes after them. */
static enum vt_err remember(struct checks *c, uint64_t index, struct bytes entry,
			    const struct record *r)
{
	const struct merkle_hash *key;
	size_t n_keys, n_signers;
	enum vt_err err;

	record_signers(r, &n_signers);
	key = record_keys(r, &n_keys);
	if (n_keys < 1 + n_signers)
		return INTERNAL("a record with fewer keys than signers");
	for (size_t i = 0; i < n_signers; i++) /* behind the leaf hash: one pair per signer */
		if ((err = pairs_add(c->runs, &key[1 + i], index)) != VT_OK)
			return err;
	if (record_is_accreditation(r))
		return keep_accreditation(c, index, entry);
	if (bytes_is(record_statement(r)->predicate_type, PREDICATE_SEALED))
		return remember_sealed(c, index, r);
	return VT_OK;
}

/* -- judging ---------------------------------------------------------------------------------- */

static bool is_verdict(enum vt_err err)
{
	return err == VT_EMALFORMED || err == VT_EUNTRUSTED || err == VT_ECONFLICT ||
	       err == VT_ELIMIT || err == VT_EMISMATCH;
}

static enum vt_err apply(struct checks *c, const struct record *r, uint64_t index,
			 struct bytes entry, struct problem *why)
{
	if (!record_is_accreditation(r))
		return VT_OK;
	reopener_wait(c->reopener); /* the registry is about to change */
	return registry_apply(c->registry, index, record_leaf(r), entry, why);
}

/* Is it what admission would have made? *out is new, of an admissible one. */
static enum vt_err replay_one(struct record **out, struct checks *c, struct slice *s, size_t i,
			      struct problem *why)
{
	struct bytes entry = reopen_slice_entry(&s->entries, i);
	struct admission_view view = view_of(c, s->entries.entry[i].index);
	struct problem unpinned = {0};
	enum vt_err err, any;

	if ((err = reopen_slice_take(out, &s->entries, i, &c->hasher, &view, why)) == VT_OK &&
	    (err = record_replay(*out, &view, why)) == VT_OK)
		err = apply(c, *out, view.size, entry, why);
	if (!is_verdict(err) || !c->any_centre || view.size > 0 || view.centre.len == 0)
		return err;
	view.centre = bytes_of(NULL, 0);
	record_free(*out);
	*out = NULL;
	if ((any = record_reopen(out, &c->hasher, entry, &view, &unpinned)) == VT_OK &&
	    (any = record_replay(*out, &view, &unpinned)) == VT_OK)
		any = apply(c, *out, view.size, entry, &unpinned);
	/* If it is not good for any centre either, what is wrong with it is what was found first. */
	if (is_verdict(any))
		return err;
	*why = (struct problem){0};
	return any;
}

static enum vt_err judge_one(struct checks *c, struct slice *s, size_t i)
{
	struct bytes entry = reopen_slice_entry(&s->entries, i);
	struct admission_view view = view_of(c, s->entries.entry[i].index);
	struct checks_refusal refusal = {.rule = NULL};
	struct problem why = {0};
	struct record *r = NULL;
	enum vt_err err;

	/* Whatever is wrong with entry 0 is one fault, and not one of each entry behind it. */
	if (view.size > 0 && registry_count(c->registry) == 0)
		return c->judged(c->ctx, view.size, &s->leaf[i], NULL, &refusal);
	c->view_err = VT_OK;
	err = replay_one(&r, c, s, i, &why);
	if (c->view_err != VT_OK) {
		err = c->view_err;
	} else if (err != VT_OK && (why.type != NULL || is_verdict(err))) {
		/* Without a reason: it leans on an entry that is none, which no admission let in. */
		refusal.rule = why.type != NULL ? why.type->slug : "entry-reference";
		snprintf(refusal.detail, sizeof(refusal.detail), "%s",
			 why.type != NULL ? why.detail : "it names an entry that is no record");
		err = VT_OK;
	}
	if (err == VT_OK && refusal.rule == NULL)
		err = remember(c, view.size, entry, r);
	if (err == VT_OK)
		err = c->judged(c->ctx, view.size, &s->leaf[i], refusal.rule == NULL ? r : NULL,
				&refusal);
	record_free(r);
	return err;
}

/* Let the threads open what was gathered, and judge what they opened before. */
static enum vt_err turn(struct checks *c)
{
	struct slice *opened = c->opening;
	enum vt_err err = VT_OK;

	reopener_wait(c->reopener);
	c->opening = c->gathering;
	c->gathering = opened;
	reopener_start(c->reopener, &c->opening->entries);
	for (size_t i = 0; err == VT_OK && i < opened->entries.n; i++)
		err = judge_one(c, opened, i);
	reopen_slice_clear(&opened->entries);
	return err;
}

enum vt_err checks_add(struct checks *c, uint64_t index, struct bytes entry,
		       const struct merkle_hash *leaf)
{
	enum vt_err err = reopen_slice_add(&c->gathering->entries, index, entry);

	if (err == VT_ELIMIT && (err = turn(c)) == VT_OK)
		err = reopen_slice_add(&c->gathering->entries, index, entry);
	if (err == VT_OK)
		c->gathering->leaf[c->gathering->entries.n - 1] = *leaf;
	return err;
}

enum vt_err checks_finish(struct checks *c)
{
	enum vt_err err = turn(c);

	return err != VT_OK ? err : turn(c);
}

enum vt_err checks_begin(struct checks *c, unsigned threads)
{
	struct admission_view view = view_of(c, 0);

	checks_end(c);
	return reopener_new(&c->reopener, threads, &view);
}

void checks_end(struct checks *c)
{
	reopener_free(c->reopener);
	c->reopener = NULL;
	for (size_t i = 0; i < 2; i++)
		reopen_slice_clear(&c->slice[i].entries);
}

/* -- opening and saving ----------------------------------------------------------------------- */

enum vt_err checks_save(struct checks *c, struct checks_mark *out, const atomic_bool *stop)
{
	enum vt_err err;

	if (c->registry_dirty && (err = files_sync(c->registry_fd)) != VT_OK)
		return err;
	c->registry_dirty = false;
	if ((err = pairs_save(c->runs, &out->runs, stop)) != VT_OK) {
		c->runs_failed = true;
		return err;
	}
	out->registry_bytes = c->registry_bytes;
	return VT_OK;
}

void checks_saved(struct checks *c)
{
	pairs_saved(c->runs);
}

const struct registry *checks_registry(const struct checks *c)
{
	return c->registry;
}

const char *checks_why(const struct checks *c)
{
	return c->runs_failed ? pairs_why(c->runs) : c->why;
}

enum vt_err checks_open(struct checks **out, const struct checks_config *config,
			const struct checks_mark *mark, char why[PAIRS_WHY_MAX])
{
	struct checks *c = calloc(1, sizeof(*c));
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	why[0] = '\0';
	if (c == NULL)
		return VT_ENOMEM;
	c->registry_fd = -1;
	c->any_centre = config->any_centre;
	c->read = config->read;
	c->judged = config->judged;
	c->gathering = &c->slice[0];
	c->opening = &c->slice[1];
	c->ctx = config->ctx;
	buf_init(&c->centre);
	if ((c->origin = strdup(config->origin)) == NULL ||
	    (err = buf_append(&c->centre, config->centre)) != VT_OK ||
	    (err = merkle_hasher_init(&c->hasher)) != VT_OK ||
	    (err = registry_new(&c->registry)) != VT_OK ||
	    (err = pairs_open(&c->runs, config->dir, &mark->runs, config->tail_max, c->why)) !=
		VT_OK ||
	    (err = open_registry(c, config->dir, mark->registry_bytes)) != VT_OK)
		goto done;
	*out = c;
	c = NULL; /* transferred */
done:
	if (c != NULL)
		snprintf(why, PAIRS_WHY_MAX, "%s", c->why[0] ? c->why : vt_err_text(err));
	checks_free(c);
	return err;
}

void checks_free(struct checks *c)
{
	if (c == NULL)
		return;
	checks_end(c);
	for (size_t i = 0; i < 2; i++)
		reopen_slice_release(&c->slice[i].entries);
	if (c->registry_fd >= 0)
		close(c->registry_fd);
	pairs_free(c->runs);
	registry_free(c->registry);
	merkle_hasher_release(&c->hasher);
	buf_release(&c->centre);
	free(c->origin);
	free(c);
}
