/*
 * Evidence that is kept: a file each, named by the SHA-256 of its text (computed here, never taken from outside).
 *
 *	evidence/ID       the text, written before anybody hears of it; in every place
 *	evidence/ID.told  empty: the alert about it is safe; in the state folder
 *
 * So a crash in between costs a second alert, never one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "durable.h"
#include "files.h"
#include "gossip_private.h"
#include "logline.h"

static enum vt_err evidence_path(char out[GOSSIP_PATH_MAX], const char *place, const char *id,
				 const char *suffix)
{
	int n = snprintf(out, GOSSIP_PATH_MAX, "%s/evidence/%s%s", place, id, suffix);

	return n < 0 || n >= GOSSIP_PATH_MAX ? VT_ELIMIT : VT_OK;
}

static enum vt_err id_of(char id[GOSSIP_ID_SIZE], struct gossip *g, struct bytes text)
{
	struct merkle_hash digest;
	enum vt_err err = merkle_sha256(&digest, &g->hasher, &text, 1);

	if (err == VT_OK)
		hex_encode(id, bytes_of(digest.b, sizeof(digest.b)));
	return err;
}

const struct proven *gossip_find_evidence(const struct gossip *g, struct bytes id)
{
	for (size_t i = 0; i < g->n_proven; i++)
		if (bytes_is(id, g->proven[i].id))
			return &g->proven[i];
	return NULL;
}

bool gossip_is_proven(const struct gossip *g, const struct followed *log,
		      const struct tree_head *head)
{
	for (size_t i = 0; i < g->n_proven; i++)
		if (g->proven[i].log == log && (tree_head_equal(&g->proven[i].first, head) ||
						tree_head_equal(&g->proven[i].second, head)))
			return true;
	return false;
}

static enum vt_err remember_proven(struct gossip *g, const struct proven *p)
{
	struct proven *more = realloc(g->proven, (g->n_proven + 1) * sizeof(*more));

	if (more == NULL)
		return VT_ENOMEM;
	g->proven = more;
	g->proven[g->n_proven++] = *p;
	p->log->n_evidence++;
	return VT_OK;
}

static void tell_proven(struct gossip *g, struct proven *p)
{
	struct gossip_alert alert = {
	    .kind = "evidence", .origin = p->log->key.name, .evidence = p->id};
	char path[GOSSIP_PATH_MAX];

	(void)snprintf(
	    alert.text, sizeof(alert.text),
	    "the log signed two histories: size %llu and size %llu cannot be of one tree. "
	    "/gossip/v1/evidence/%s proves it to anyone (vitrine verify --evidence)",
	    (unsigned long long)p->first.size, (unsigned long long)p->second.size, p->id);
	if (gossip_tell(g, &alert) != VT_OK)
		return;
	p->told = true;
	/* Without the mark it is told again after the next start. */
	if (evidence_path(path, g->place[0], p->id, ".told") == VT_OK)
		(void)durable_create(path, bytes_of(NULL, 0), 0600);
}

void gossip_tell_evidence(struct gossip *g)
{
	for (size_t i = 0; i < g->n_proven; i++)
		if (!g->proven[i].told)
			tell_proven(g, &g->proven[i]);
}

/* A file of this name holds this text, or was damaged. */
static enum vt_err write_text(const struct gossip *g, const char *id, struct bytes text)
{
	char path[GOSSIP_PATH_MAX];
	enum vt_err err = VT_OK;

	for (size_t i = 0; i < g->n_places && err == VT_OK; i++)
		if ((err = evidence_path(path, g->place[i], id, "")) == VT_OK)
			err = durable_write(path, text, 0644);
	return err;
}

enum vt_err gossip_keep_evidence(struct gossip *g, struct followed *log, struct bytes text,
				 const char *from, char id[GOSSIP_ID_SIZE], bool *fresh)
{
	struct proven p = {.log = log};
	char shown[160];
	struct evidence e;
	enum vt_err err;

	if (fresh != NULL)
		*fresh = false;
	if ((err = id_of(id, g, text)) != VT_OK)
		return err;
	if (gossip_find_evidence(g, bytes_str(id)) != NULL)
		return VT_OK;
	if (log->n_evidence >= GOSSIP_EVIDENCE_MAX)
		return VT_EBUSY;
	memcpy(p.id, id, sizeof(p.id));
	if ((err = evidence_parse(&e, text)) != VT_OK)
		return err;
	p.first = e.first.cp.head;
	p.second = e.second.cp.head;
	if ((err = write_text(g, id, text)) != VT_OK || (err = remember_proven(g, &p)) != VT_OK)
		return err;
	logline(LOGLINE_WARN, "evidence kept", "id=%s from=%s", id,
		logline_quote(shown, sizeof(shown), bytes_str(from)));
	tell_proven(g, &g->proven[g->n_proven - 1]);
	gossip_wake_peers(g);
	if (fresh != NULL)
		*fresh = true;
	return VT_OK;
}

/* -- from outside --------------------------------------------------------------------------------------- */

/* Both heads are signed by the log: whoever has its store may want to see them. */
static void show_heads(struct gossip *g, const struct evidence *e, const char *from)
{
	if (g->config.observed == NULL)
		return;
	g->config.observed(g->config.ctx, e->first.note, from);
	g->config.observed(g->config.ctx, e->second.note, from);
}

static enum vt_err admit_text(struct gossip *g, struct bytes text, const char *from, bool limited,
			      char id[GOSSIP_ID_SIZE], bool *fresh, const char **why)
{
	struct evidence e;
	enum vt_err err;

	if ((err = id_of(id, g, text)) != VT_OK || gossip_find_evidence(g, bytes_str(id)) != NULL)
		return err;
	*why = "it is not in the form of evidence";
	if ((err = evidence_parse(&e, text)) != VT_OK)
		return err;
	*why = "it is about no log that is followed here";
	err = VT_EUNTRUSTED;
	for (size_t i = 0; i < g->n_logs && err == VT_EUNTRUSTED; i++) {
		if (!bytes_is(e.name, g->log[i].key.name))
			continue;
		*why = "enough is known of this log already";
		if (g->log[i].n_evidence >= GOSSIP_EVIDENCE_MAX)
			return VT_EBUSY;
		*why = "too much in too short a time";
		if (limited && !gossip_spend(g, &g->log[i], from))
			return VT_EBUSY;
		err = evidence_verify(&e, why, &g->hasher, text, &g->log[i].key);
		if (err == VT_OK) {
			*why = "it could not be kept";
			if ((err = gossip_keep_evidence(g, &g->log[i], text, from, id, fresh)) ==
			    VT_OK)
				show_heads(g, &e, from);
		}
	}
	return err;
}

enum vt_err gossip_admit_evidence(struct gossip *g, struct bytes text, const char *from,
				  bool limited, char id[GOSSIP_ID_SIZE], bool *fresh,
				  const char **why)
{
	const char *unused;
	bool was_new = false;
	enum vt_err err;

	(void)pthread_mutex_lock(&g->lock);
	err = admit_text(g, text, from, limited, id, &was_new, why != NULL ? why : &unused);
	(void)pthread_mutex_unlock(&g->lock);
	if (fresh != NULL)
		*fresh = was_new;
	return err;
}

enum vt_err gossip_take_evidence(struct gossip *g, struct bytes text, const char *from,
				 char id[GOSSIP_ID_SIZE], bool *fresh, const char **why)
{
	return gossip_admit_evidence(g, text, from, true, id, fresh, why);
}

enum vt_err gossip_see_evidence(struct gossip *g, struct bytes text, const char *from,
				char id[GOSSIP_ID_SIZE], bool *fresh, const char **why)
{
	return gossip_admit_evidence(g, text, from, false, id, fresh, why);
}

enum vt_err gossip_evidence_list(struct gossip *g, struct buf *out)
{
	const size_t before = out->len;
	enum vt_err err = VT_OK;

	(void)pthread_mutex_lock(&g->lock);
	for (size_t i = 0; i < g->n_proven && err == VT_OK; i++) {
		if ((err = buf_append_str(out, g->proven[i].id)) == VT_OK &&
		    (err = buf_append_byte(out, ' ')) == VT_OK &&
		    (err = buf_append_str(out, g->proven[i].log->key.name)) == VT_OK)
			err = buf_append_byte(out, '\n');
	}
	(void)pthread_mutex_unlock(&g->lock);
	if (err != VT_OK)
		out->len = before;
	return err;
}

/* Append what a file holds. VT_ENOTFOUND; VT_EIO: it cannot be read; VT_EMISMATCH: it is not what its name says. */
static enum vt_err read_text(struct buf *out, struct gossip *g, const char *place, const char *id)
{
	char path[GOSSIP_PATH_MAX], real[GOSSIP_ID_SIZE];
	const size_t before = out->len;
	enum vt_err err;

	if ((err = evidence_path(path, place, id, "")) != VT_OK ||
	    (err = file_read(out, path, EVIDENCE_SIZE_MAX)) != VT_OK)
		return err == VT_ELIMIT ? VT_EMISMATCH : err;
	err = id_of(real, g, bytes_of(out->data + before, out->len - before));
	if (err == VT_OK && strcmp(real, id) != 0)
		err = VT_EMISMATCH;
	if (err != VT_OK)
		out->len = before;
	return err;
}

enum vt_err gossip_evidence(struct gossip *g, struct bytes id, struct buf *out)
{
	const struct proven *p;
	enum vt_err err = VT_ENOTFOUND;

	(void)pthread_mutex_lock(&g->lock);
	if ((p = gossip_find_evidence(g, id)) != NULL) {
		err = VT_EIO;
		for (size_t i = 0; i < g->n_places && err != VT_OK && err != VT_ENOMEM; i++)
			err = read_text(out, g, g->place[i], p->id);
		if (err != VT_OK && err != VT_ENOMEM)
			err = VT_EIO;
	}
	(void)pthread_mutex_unlock(&g->lock);
	return err;
}

/* -- at start -------------------------------------------------------------------------------------------- */

static bool was_told(const struct gossip *g, const char *id)
{
	char path[GOSSIP_PATH_MAX];
	struct buf nothing;
	bool there;

	buf_init(&nothing);
	there = evidence_path(path, g->place[0], id, ".told") == VT_OK &&
		file_read(&nothing, path, 0) == VT_OK;
	buf_release(&nothing);
	return there;
}

static enum vt_err load_text(struct gossip *g, const char *id, struct bytes text)
{
	struct proven p = {.told = was_told(g, id)};
	struct evidence e;

	for (size_t i = 0; i < g->n_logs; i++) {
		if (g->log[i].n_evidence >= GOSSIP_EVIDENCE_MAX ||
		    evidence_verify(&e, NULL, &g->hasher, text, &g->log[i].key) != VT_OK)
			continue;
		memcpy(p.id, id, sizeof(p.id));
		p.log = &g->log[i];
		p.first = e.first.cp.head;
		p.second = e.second.cp.head;
		return remember_proven(g, &p);
	}
	return VT_OK; /* of a log that is not followed any more */
}

struct place_loading {
	struct gossip *g;
	const char *place;
};

static enum vt_err load_file(void *ctx, const char *name)
{
	const struct place_loading *loading = ctx;
	struct gossip *g = loading->g;
	uint8_t digest[MERKLE_HASH_SIZE];
	struct buf text;
	enum vt_err err;

	/* Marks, and what a crash left of a write; and what is in the other place, too. */
	if (hex_decode_exact(digest, sizeof(digest), bytes_str(name)) != VT_OK ||
	    gossip_find_evidence(g, bytes_str(name)) != NULL)
		return VT_OK;
	buf_init(&text);
	err = read_text(&text, g, loading->place, name);
	if (err == VT_OK)
		err = load_text(g, name, buf_bytes(&text));
	buf_release(&text);
	if (err != VT_EMISMATCH)
		return err;
	logline(LOGLINE_WARN, "a file of evidence is damaged and left alone", "path=%s/evidence/%s",
		loading->place, name);
	return VT_OK;
}

/* What one place has lost, or has only damaged. A disk that is full now may have room at the next start. */
static enum vt_err complete_places(struct gossip *g)
{
	struct buf text, unused;
	enum vt_err err = VT_OK;

	buf_init(&text);
	buf_init(&unused);
	for (size_t i = 0; i < g->n_proven && err == VT_OK; i++) {
		const char *id = g->proven[i].id;
		size_t good = 0;

		for (size_t k = 0; k < g->n_places; k++) {
			buf_reset(&unused);
			if (read_text(&unused, g, g->place[k], id) != VT_OK)
				continue;
			good++;
			buf_reset(&text);
			err = buf_append(&text, buf_bytes(&unused));
		}
		if (good > 0 && good < g->n_places && err == VT_OK &&
		    write_text(g, id, buf_bytes(&text)) != VT_OK)
			logline(LOGLINE_WARN, "evidence could not be kept a second time", "id=%s",
				id);
	}
	buf_release(&text);
	buf_release(&unused);
	return err;
}

enum vt_err gossip_load_evidence(struct gossip *g, char why[GOSSIP_WHY_MAX])
{
	char path[GOSSIP_PATH_MAX];
	enum vt_err err = VT_OK;

	for (size_t i = 0; i < g->n_places && err == VT_OK; i++) {
		struct place_loading loading = {g, g->place[i]};

		if ((err = gossip_path(path, g->place[i], "evidence")) == VT_OK &&
		    (err = folder_each(path, load_file, &loading)) == VT_ENOTFOUND)
			err = VT_EIO;
	}
	if (err == VT_OK)
		err = complete_places(g);
	if (err != VT_OK)
		(void)snprintf(why, GOSSIP_WHY_MAX,
			       "the evidence in the state folder cannot be read");
	return err;
}
