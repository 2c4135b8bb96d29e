/*
 * The heads that wait for judgement, in one file that is replaced as a whole:
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

enum vt_err gossip_path(char out[GOSSIP_PATH_MAX], const struct gossip *g, const char *name)
{
	int n = snprintf(out, GOSSIP_PATH_MAX, "%s/%s", g->state_path, name);

	return n < 0 || n >= GOSSIP_PATH_MAX ? VT_ELIMIT : VT_OK;
}

static enum vt_err digest_of(char out[DIGEST_LINE + 1], struct gossip *g, struct bytes rest)
{
	struct merkle_hash digest;
	enum vt_err err = merkle_sha256(&digest, &g->hasher, &rest, 1);

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
static enum vt_err format(struct buf *out, struct gossip *g)
{
	char digest[DIGEST_LINE + 1];
	struct buf rest;
	enum vt_err err;

	buf_init(&rest);
	if ((err = format_heads(&rest, g)) == VT_OK &&
	    (err = digest_of(digest, g, buf_bytes(&rest))) == VT_OK &&
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
	if ((err = gossip_path(path, g, "heads")) == VT_OK && (err = format(&text, g)) == VT_OK &&
	    (err = durable_write(path, buf_bytes(&text), 0600)) == VT_OK)
		g->dirty = false;
	buf_release(&text);
	return err;
}

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

/* Of a log that is not followed any more: forgotten. */
static enum vt_err load_head(struct gossip *g, struct bytes note, uint64_t since, bool told)
{
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

static enum vt_err load(struct gossip *g, struct bytes rest)
{
	const size_t head = strlen(HEADER) + DIGEST_LINE;
	char digest[DIGEST_LINE + 1];
	uint64_t since, told, len;
	const uint8_t *text = rest.data;
	enum vt_err err;

	if (rest.len < head || memcmp(text, HEADER, strlen(HEADER)) != 0)
		return VT_EMALFORMED;
	rest = bytes_of(text + head, rest.len - head);
	if ((err = digest_of(digest, g, rest)) != VT_OK)
		return err;
	if (memcmp(digest, text + strlen(HEADER), DIGEST_LINE) != 0)
		return VT_EMALFORMED;
	while (rest.len > 0) {
		if ((err = take_number(&rest, ' ', &since)) != VT_OK ||
		    (err = take_number(&rest, ' ', &told)) != VT_OK ||
		    (err = take_number(&rest, '\n', &len)) != VT_OK)
			return err;
		if (told > 1 || len > rest.len)
			return VT_EMALFORMED;
		if ((err = load_head(g, bytes_of(rest.data, len), since, told == 1)) != VT_OK)
			return err;
		rest = bytes_of(rest.data + len, rest.len - len);
	}
	return VT_OK;
}

enum vt_err gossip_load_heads(struct gossip *g, char why[GOSSIP_WHY_MAX])
{
	char path[GOSSIP_PATH_MAX];
	struct buf text;
	enum vt_err err;

	if (g->folder_lock < 0)
		return VT_OK;
	buf_init(&text);
	if ((err = gossip_path(path, g, "heads")) == VT_OK)
		err = file_read(&text, path, FILE_MAX);
	if (err == VT_OK)
		err = load(g, buf_bytes(&text));
	buf_release(&text);
	if (err == VT_ENOTFOUND)
		return VT_OK;
	if (err == VT_EMALFORMED)
		err = VT_EMISMATCH;
	if (err != VT_OK)
		(void)snprintf(
		    why, GOSSIP_WHY_MAX,
		    err == VT_EMISMATCH
			? "the file of waiting heads is damaged; without it they are heard again "
			  "from the peers: remove it"
			: "the file of waiting heads cannot be read");
	return err;
}
