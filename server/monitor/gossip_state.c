/*
 * The heads that wait for judgement, in one file (and its copy) that is replaced as a whole:
 *
 *	vitrine-gossip-heads@v1
 *	SHA-256 of the rest, in hex
 *	SINCE TOLD LENGTH         per head, POSIX seconds, 0 or 1, bytes
 *	the signed note
 */
#include <stdio.h>
#include <string.h>

#include "durable.h"
#include "gossip_private.h"
#include "logline.h"

#define HEADER "vitrine-gossip-heads@v1\n"

enum {
	FILE_MAX = 1 << 30,
	DIGEST_LINE = 2 * MERKLE_HASH_SIZE + 1,
};

enum vt_err gossip_path(char out[GOSSIP_PATH_MAX], const char *place, const char *name)
{
	int n = snprintf(out, GOSSIP_PATH_MAX, "%s/%s", place, name);

	return n < 0 || n >= GOSSIP_PATH_MAX ? VT_ELIMIT : VT_OK;
}

static enum vt_err digest_of(char out[DIGEST_LINE + 1], struct merkle_hasher *h, struct bytes rest)
{
	struct merkle_hash digest;
	enum vt_err err = merkle_sha256(&digest, h, &rest, 1);

	if (err != VT_OK)
		return err;
	hex_encode(out, bytes_of(digest.b, sizeof(digest.b)));
	memcpy(out + DIGEST_LINE - 1, "\n", 2);
	return VT_OK;
}

static enum vt_err format_heads(struct buf *out, const struct gossip *g)
{
	enum vt_err err = VT_OK;

	for (size_t i = 0; i < g->n_logs; i++) {
		for (size_t k = 0; k < g->log[i].n_waiting && err == VT_OK; k++) {
			const struct waiting *w = &g->log[i].waiting[k];

			if ((err = buf_appendf(out, "%llu %d %zu\n", (unsigned long long)w->since,
					       w->told, w->note.len)) == VT_OK)
				err = buf_append(out, buf_bytes(&w->note));
		}
	}
	return err;
}

/* With its digest, or a head that waits for judgement would be forgotten for one flipped bit. */
static enum vt_err format_file(struct buf *out, struct gossip *g)
{
	char digest[DIGEST_LINE + 1];
	struct buf rest;
	enum vt_err err;

	buf_init(&rest);
	if ((err = format_heads(&rest, g)) == VT_OK &&
	    (err = digest_of(digest, &g->hasher, buf_bytes(&rest))) == VT_OK &&
	    (err = buf_append_str(out, HEADER)) == VT_OK &&
	    (err = buf_append_str(out, digest)) == VT_OK)
		err = buf_append(out, buf_bytes(&rest));
	buf_release(&rest);
	return err;
}

enum vt_err gossip_save_heads(struct gossip *g)
{
	char path[GOSSIP_PATH_MAX];
	struct buf text;
	enum vt_err err;

	if (!g->dirty || g->folder_lock < 0)
		return VT_OK;
	buf_init(&text);
	err = format_file(&text, g);
	for (size_t i = 0; i < g->n_places && err == VT_OK; i++)
		if ((err = gossip_path(path, g->place[i], "heads")) == VT_OK)
			err = durable_write(path, buf_bytes(&text), 0600);
	g->dirty = err != VT_OK;
	buf_release(&text);
	return err;
}

/* -- reading ------------------------------------------------------------------------------------------- */

/* Up to `end`, which is taken too. */
static enum vt_err take_number(struct bytes *rest, char end, uint64_t *out)
{
	const uint8_t *at = rest->len ? memchr(rest->data, end, rest->len) : NULL;
	size_t len = at != NULL ? (size_t)(at - rest->data) : 0;

	if (at == NULL || decimal_decode(out, bytes_of(rest->data, len)) != VT_OK)
		return VT_EMALFORMED;
	*rest = bytes_of(at + 1, rest->len - len - 1);
	return VT_OK;
}

/* The file without its first two lines, which were checked. VT_ENOTFOUND; VT_EMISMATCH: it is damaged; VT_EIO. */
static enum vt_err read_file(struct buf *text, struct bytes *heads, struct merkle_hasher *h,
			     const char *place)
{
	const size_t head = strlen(HEADER) + DIGEST_LINE;
	char path[GOSSIP_PATH_MAX], digest[DIGEST_LINE + 1];
	enum vt_err err;

	buf_reset(text);
	if ((err = gossip_path(path, place, "heads")) != VT_OK ||
	    (err = file_read(text, path, FILE_MAX)) != VT_OK)
		return err;
	if (text->len < head || memcmp(text->data, HEADER, strlen(HEADER)) != 0)
		return VT_EMISMATCH;
	*heads = bytes_of(text->data + head, text->len - head);
	if ((err = digest_of(digest, h, *heads)) != VT_OK)
		return err;
	return memcmp(digest, text->data + strlen(HEADER), DIGEST_LINE) == 0 ? VT_OK : VT_EMISMATCH;
}

/* The first of the files that is as it was written. *all: they all are. VT_ENOTFOUND: there is none, and none is damaged. */
static enum vt_err read_good_file(struct buf *text, struct bytes *heads, bool *all,
				  struct merkle_hasher *h, const char *const place[], size_t n)
{
	enum vt_err found = VT_ENOTFOUND, err;
	struct bytes other;
	struct buf more;

	buf_init(&more);
	*all = true;
	for (size_t i = 0; i < n; i++) {
		err = found == VT_OK ? read_file(&more, &other, h, place[i])
				     : read_file(text, heads, h, place[i]);
		*all = *all && err == VT_OK;
		if (found != VT_OK && err != VT_ENOTFOUND)
			found = err;
		if (err == VT_ENOMEM)
			break;
	}
	buf_release(&more);
	return found;
}

/* Every head in a file that was checked. */
static enum vt_err
each_head(struct bytes rest,
	  enum vt_err (*visit)(void *ctx, struct bytes note, uint64_t since, bool told), void *ctx)
{
	uint64_t since, told, len;
	enum vt_err err;

	while (rest.len > 0) {
		if ((err = take_number(&rest, ' ', &since)) != VT_OK ||
		    (err = take_number(&rest, ' ', &told)) != VT_OK ||
		    (err = take_number(&rest, '\n', &len)) != VT_OK)
			return err;
		if (told > 1 || len > rest.len)
			return VT_EMALFORMED;
		if ((err = visit(ctx, bytes_of(rest.data, len), since, told == 1)) != VT_OK)
			return err;
		rest = bytes_of(rest.data + len, rest.len - len);
	}
	return VT_OK;
}

/* Of a log that is not followed any more: forgotten. */
static enum vt_err load_head(void *ctx, struct bytes note, uint64_t since, bool told)
{
	struct gossip *g = ctx;

	for (size_t i = 0; i < g->n_logs; i++) {
		struct followed *log = &g->log[i];
		struct waiting w = {.since = since, .told = told};
		enum vt_err err;

		if (log->n_waiting == GOSSIP_UNRESOLVED_MAX)
			continue;
		buf_init(&w.note);
		err = evidence_head_text(&w.note, &w.head, note, &log->key);
		if (err == VT_OK) {
			log->waiting[log->n_waiting++] = w;
			return VT_OK;
		}
		buf_release(&w.note);
		if (err == VT_ENOMEM)
			return err;
	}
	return VT_OK;
}

enum vt_err gossip_load_heads(struct gossip *g, char why[GOSSIP_WHY_MAX])
{
	struct bytes heads;
	struct buf text;
	enum vt_err err;
	bool all;

	if (g->folder_lock < 0)
		return VT_OK;
	buf_init(&text);
	err = read_good_file(&text, &heads, &all, &g->hasher, (const char *const *)g->place,
			     g->n_places);
	if (err == VT_OK)
		err = each_head(heads, load_head, g);
	/* What one place has lost is there again with the next that is saved. */
	g->dirty = err == VT_OK && !all;
	buf_release(&text);
	if (err == VT_ENOTFOUND)
		return VT_OK;
	if (err == VT_EMALFORMED)
		err = VT_EMISMATCH;
	if (err != VT_OK)
		(void)snprintf(
		    why, GOSSIP_WHY_MAX,
		    err == VT_EMISMATCH
			? "the file of waiting heads is damaged, and so is its copy if there is "
			  "one; without them they are heard again from the peers: remove both"
			: "the file of waiting heads cannot be read");
	return err;
}

/* -- without a gossip ----------------------------------------------------------------------------------- */

/* What was saved was verified. */
static enum vt_err add_saved_head(void *ctx, struct bytes msg, uint64_t since, bool told)
{
	struct waiting w = {.since = since};
	char origin[VKEY_NAME_MAX + 1];
	struct note *note = NULL;
	struct checkpoint cp;
	enum vt_err err;

	if (!told)
		return VT_OK;
	buf_init(&w.note);
	if ((err = note_parse(&note, msg)) == VT_OK &&
	    (err = checkpoint_parse(&cp, note->text)) == VT_OK &&
	    (err = buf_append(&w.note, msg)) == VT_OK) {
		w.head = cp.head;
		(void)snprintf(origin, sizeof(origin), "%.*s", (int)cp.origin.len,
			       (const char *)cp.origin.data);
		err = gossip_head_stands(ctx, origin, &w);
	}
	note_free(note);
	buf_release(&w.note);
	return err;
}

enum vt_err gossip_standing_of_folder(struct standing_list *out, const char *state_path,
				      const char *copy_path)
{
	const char *const place[] = {state_path, copy_path};
	struct merkle_hasher h;
	struct bytes heads;
	struct buf text;
	enum vt_err err;
	bool all;

	if ((err = merkle_hasher_init(&h)) != VT_OK)
		return err;
	buf_init(&text);
	if ((err = read_good_file(&text, &heads, &all, &h, place, 2)) == VT_OK)
		err = each_head(heads, add_saved_head, out);
	buf_release(&text);
	merkle_hasher_release(&h);
	return err == VT_ENOTFOUND ? VT_OK : err == VT_EMALFORMED ? VT_EMISMATCH : err;
}
