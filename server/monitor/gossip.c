/* A gossip's life, and how heads are judged. */
#include "gossip.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "clock.h"
#include "durable.h"
#include "gossip_private.h"
#include "logline.h"

#define SECOND UINT64_C(1000000000)

enum {
	INTERVAL_DEFAULT = 60,
	ANSWER_DEFAULT = 10,
	DEADLINE_DEFAULT = 3600,
	HEADS_PER_SECOND_DEFAULT = 100,
	KEEPER_SECONDS = 10, /* at most, between two looks at what waits */
};

/* -- notes -------------------------------------------------------------------------------------------- */

enum vt_err gossip_next_head(struct bytes *rest, struct bytes *note)
{
	const uint8_t *text = memmem(rest->data, rest->len, "\n\n", 2);
	const uint8_t *end;
	size_t len;

	if (text == NULL)
		return VT_EMALFORMED;
	len = (size_t)(text + 2 - rest->data);
	/* After the signature lines: an empty line, or the end. */
	end = memmem(rest->data + len, rest->len - len, "\n\n", 2);
	*note = bytes_of(rest->data, end != NULL ? (size_t)(end + 1 - rest->data) : rest->len);
	len = note->len + (end != NULL ? 1 : 0);
	*rest = bytes_of(rest->data + len, rest->len - len);
	return VT_OK;
}

struct bytes gossip_note_text(struct bytes note)
{
	const uint8_t *end = note.len ? memmem(note.data, note.len, "\n\n", 2) : NULL;

	return end != NULL ? bytes_of(note.data, (size_t)(end + 1 - note.data)) : note;
}

/* -- alerts ------------------------------------------------------------------------------------------- */

enum vt_err gossip_tell(struct gossip *g, const struct gossip_alert *alert)
{
	char origin[300], text[900];
	enum vt_err err = VT_OK;

	if (g->config.alert != NULL)
		err = g->config.alert(g->config.ctx, alert);
	if (err != VT_OK)
		return err;
	g->stats.alerts++;
	logline(strcmp(alert->kind, "evidence") == 0 ? LOGLINE_ERROR : LOGLINE_WARN, "gossip alert",
		"kind=%s origin=%s text=%s%s%s", alert->kind,
		logline_quote(origin, sizeof(origin), bytes_str(alert->origin)),
		logline_quote(text, sizeof(text), bytes_str(alert->text)),
		alert->evidence != NULL ? " evidence=" : "",
		alert->evidence != NULL ? alert->evidence : "");
	return VT_OK;
}

static const char *waiting_kind(const struct waiting *w)
{
	return w->head.size == 0 ? "impossible" : "unresolved";
}

static bool tell_waiting(struct gossip *g, const struct followed *log, const struct waiting *w)
{
	struct gossip_alert alert = {
	    .kind = waiting_kind(w), .origin = log->key.name, .note = buf_bytes(&w->note)};

	if (w->head.size == 0)
		(void)snprintf(
		    alert.text, sizeof(alert.text),
		    "the log signed a head of size 0 with a root that no empty tree has");
	else
		(void)snprintf(alert.text, sizeof(alert.text),
			       "a head of size %" PRIu64 " that the log signed was shown %" PRIu64
			       " seconds ago, and the tree known here has %" PRIu64
			       " entries: either it has fallen behind, or somebody else is shown "
			       "another history",
			       w->head.size, gossip_now(g) - w->since,
			       log->has_ours ? log->ours.size : 0);
	return gossip_tell(g, &alert) == VT_OK;
}

static void tell_full(struct gossip *g, struct followed *log)
{
	struct gossip_alert alert = {.kind = "full", .origin = log->key.name};

	if (!log->full || log->full_told)
		return;
	(void)snprintf(
	    alert.text, sizeof(alert.text),
	    "%d signed heads beyond the tree known here wait for judgement; further ones are "
	    "refused until it has grown",
	    GOSSIP_UNRESOLVED_MAX);
	log->full_told = gossip_tell(g, &alert) == VT_OK;
}

/* A log that does not want its heads to be compared could make them too large for that. */
static void tell_unusable(struct gossip *g, struct followed *log, size_t len)
{
	struct gossip_alert alert = {.kind = "unusable", .origin = log->key.name};

	if (log->unusable_told)
		return;
	(void)snprintf(alert.text, sizeof(alert.text),
		       "the log signs checkpoints of %zu bytes, of which %d are taken: what it "
		       "shows here cannot "
		       "be compared with what it shows to others",
		       len, EVIDENCE_NOTE_MAX);
	log->unusable_told = gossip_tell(g, &alert) == VT_OK;
}

/* -- judging ------------------------------------------------------------------------------------------ */

enum verdict {
	CONSISTENT,
	PROVEN,
	OPEN,
};

/* Evidence of two heads of one log, and onto the disk with it. */
static enum vt_err prove_fork(struct gossip *g, struct followed *log, struct bytes a,
			      struct bytes b, const struct merkle_hash *other,
			      const struct merkle_proof *proof)
{
	char id[GOSSIP_ID_SIZE];
	struct buf text;
	enum vt_err err;

	buf_init(&text);
	err = evidence_make(&text, &g->hasher, &log->key, a, b, other, proof);
	if (err == VT_OK)
		err = gossip_keep_evidence(g, log, buf_bytes(&text), "this gossip", id, NULL);
	/* Enough is known of this log already: one contradiction more changes nothing. */
	if (err == VT_EBUSY)
		err = VT_OK;
	if (err != VT_OK)
		logline(LOGLINE_ERROR, "evidence could not be made", "error=\"%s\"",
			vt_err_text(err));
	buf_release(&text);
	return err;
}

/* Against the tree that is held here: we hold the larger head, so we owe the proof. */
static enum verdict judge_covered(struct gossip *g, struct followed *log,
				  const struct tree_head *head, struct bytes note)
{
	struct merkle_hash root;
	struct merkle_proof proof = {0};
	enum vt_err err;

	if (head->size == log->ours.size)
		root = log->ours.root;
	else if ((err = log->tree.root_at(log->tree.ctx, head->size, &root)) != VT_OK)
		goto later;
	if (merkle_hash_equal(&root, &head->root))
		return CONSISTENT;
	if (head->size < log->ours.size &&
	    (err = log->tree.consistency(log->tree.ctx, head->size, log->ours.size, &proof)) !=
		VT_OK)
		goto later;
	return prove_fork(g, log, note, buf_bytes(&log->ours_note), &root, &proof) == VT_OK ? PROVEN
											    : OPEN;
later:
	logline(LOGLINE_DEBUG, "a gossiped head could not be judged yet",
		"size=%" PRIu64 " error=\"%s\"", head->size, vt_err_text(err));
	return OPEN;
}

static enum verdict judge_empty(struct gossip *g, const struct tree_head *head)
{
	struct merkle_hash empty;

	return merkle_hash_empty(&empty, &g->hasher) == VT_OK &&
		       merkle_hash_equal(&empty, &head->root)
		   ? CONSISTENT
		   : OPEN;
}

/* except: the waiting head that this is, or NULL. */
static enum verdict judge_head(struct gossip *g, struct followed *log, const struct tree_head *head,
			       struct bytes note, const struct waiting *except)
{
	for (size_t i = 0; i < log->n_waiting; i++) {
		const struct waiting *w = &log->waiting[i];

		if (w != except && w->head.size == head->size &&
		    !merkle_hash_equal(&w->head.root, &head->root) &&
		    prove_fork(g, log, note, buf_bytes(&w->note), NULL, NULL) == VT_OK)
			return PROVEN;
	}
	/* Every tree extends the empty one: only another head of size 0 can be held against one. */
	if (log->has_ours && head->size <= log->ours.size &&
	    (head->size > 0 || log->ours.size == 0))
		return judge_covered(g, log, head, note);
	return head->size == 0 ? judge_empty(g, head) : OPEN;
}

/* What the owner of the tree shows now. An old head stays if there is none to be had. */
static void refresh_ours(struct gossip *g, struct followed *log)
{
	struct buf shown, note;
	struct tree_head head;
	enum vt_err err;

	buf_init(&shown);
	buf_init(&note);
	if (log->tree.head == NULL || (err = log->tree.head(log->tree.ctx, &shown)) == VT_ENOTFOUND)
		goto done;
	if (err == VT_OK && log->has_ours &&
	    bytes_equal(buf_bytes(&shown), buf_bytes(&log->ours_shown)))
		goto done;
	if (err == VT_OK)
		err = evidence_head_text(&note, &head, buf_bytes(&shown), &log->key);
	if (err == VT_ELIMIT)
		tell_unusable(g, log, buf_bytes(&shown).len);
	if (err != VT_OK) {
		logline(LOGLINE_DEBUG, "the head of the tree held here cannot be used",
			"error=\"%s\"", vt_err_text(err));
		goto done;
	}
	buf_release(&log->ours_shown);
	buf_release(&log->ours_note);
	log->ours_shown = shown;
	log->ours_note = note;
	log->ours = head;
	log->has_ours = true;
	return; /* transferred */
done:
	buf_release(&shown);
	buf_release(&note);
}

static void drop_waiting(struct gossip *g, struct followed *log, size_t i)
{
	buf_release(&log->waiting[i].note);
	log->n_waiting--;
	memmove(&log->waiting[i], &log->waiting[i + 1],
		(log->n_waiting - i) * sizeof(log->waiting[0]));
	log->full = log->full_told = false;
	g->dirty = true;
}

/* It takes two heads to disagree: while the first catch-up has not come to one of the log's heads, what lies beyond
 * proves nothing but that it goes on. */
static bool is_overdue(const struct gossip *g, const struct followed *log, const struct waiting *w)
{
	uint64_t now = gossip_now(g);

	/* One of size 0 can never be judged: there is nothing to wait for. */
	if (w->told || w->head.size == 0)
		return !w->told;
	return (log->has_ours || log->tree.head == NULL) && now > w->since &&
	       now - w->since >= g->config.deadline_seconds;
}

static void settle_log(struct gossip *g, struct followed *log)
{
	refresh_ours(g, log);
	for (size_t i = 0; i < log->n_waiting;) {
		struct waiting *w = &log->waiting[i];

		if (judge_head(g, log, &w->head, buf_bytes(&w->note), w) != OPEN) {
			drop_waiting(g, log, i);
			continue;
		}
		if (is_overdue(g, log, w) && tell_waiting(g, log, w)) {
			w->told = true;
			g->dirty = true;
		}
		i++;
	}
	tell_full(g, log);
}

void gossip_settle(struct gossip *g)
{
	for (size_t i = 0; i < g->n_logs; i++)
		settle_log(g, &g->log[i]);
	gossip_tell_evidence(g);
	if (gossip_save_heads(g) != VT_OK)
		logline(LOGLINE_WARN, "gossip's waiting heads could not be saved", "path=%s/heads",
			g->place[0]);
}

static bool is_known(const struct gossip *g, const struct followed *log,
		     const struct tree_head *head)
{
	if (log->has_ours && tree_head_equal(&log->ours, head))
		return true;
	for (size_t i = 0; i < log->n_waiting; i++)
		if (tree_head_equal(&log->waiting[i].head, head))
			return true;
	return gossip_is_proven(g, log, head);
}

static bool has_room(const struct followed *log, size_t len)
{
	for (size_t i = 0; i < log->n_waiting; i++)
		len += log->waiting[i].note.len;
	return log->n_waiting < GOSSIP_UNRESOLVED_MAX && len <= GOSSIP_UNRESOLVED_BYTES;
}

/* One of its key's verified heads; note has the log's signature line alone. */
static enum vt_err judge_new(struct gossip *g, struct followed *log, const struct tree_head *head,
			     struct buf *note, const char *from, struct gossip_taken *taken)
{
	struct waiting *w;

	if (is_known(g, log, head)) {
		taken->known++;
		return VT_OK;
	}
	switch (judge_head(g, log, head, buf_bytes(note), NULL)) {
	case CONSISTENT:
		taken->consistent++;
		return VT_OK;
	case PROVEN:
		taken->proven++;
		break;
	case OPEN:
		if (!has_room(log, note->len)) {
			taken->refused++;
			log->full = true;
			tell_full(g, log);
			break;
		}
		w = &log->waiting[log->n_waiting++];
		*w = (struct waiting){.head = *head, .note = *note, .since = gossip_now(g)};
		buf_init(note); /* transferred */
		g->dirty = true;
		taken->kept++;
		if (g->config.observed != NULL)
			g->config.observed(g->config.ctx, buf_bytes(&w->note), from);
		return VT_OK;
	}
	if (g->config.observed != NULL)
		g->config.observed(g->config.ctx, buf_bytes(note), from);
	return VT_OK;
}

/* A head whose very text is held costs no verification. */
static bool text_is_held(const struct followed *log, struct bytes text)
{
	if (log->has_ours && bytes_equal(text, gossip_note_text(buf_bytes(&log->ours_note))))
		return true;
	for (size_t i = 0; i < log->n_waiting; i++)
		if (bytes_equal(text, gossip_note_text(buf_bytes(&log->waiting[i].note))))
			return true;
	return false;
}

/* Has it a line that says that it is this key's? Anything else costs no verification. */
static bool claims_key(struct bytes msg, const struct vkey *key)
{
	struct note *n = NULL;
	bool claims = false;

	if (note_parse(&n, msg) != VT_OK)
		return false;
	for (size_t i = 0; i < n->n && !claims; i++)
		claims = n->sig[i].id == key->id && bytes_is(n->sig[i].name, key->name);
	note_free(n);
	return claims;
}

/* limited: VT_EBUSY if a verification would be one too many. */
static enum vt_err judge_shown(struct gossip *g, struct bytes msg, const char *from, bool limited,
			       struct gossip_taken *taken)
{
	struct bytes text = gossip_note_text(msg);
	const uint8_t *line = memchr(text.data, '\n', text.len);
	struct bytes origin = bytes_of(text.data, line ? (size_t)(line - text.data) : text.len);
	enum vt_err err = VT_OK;

	/* One name may have several keys; each is a log of its own. */
	for (size_t i = 0; i < g->n_logs; i++) {
		struct followed *log = &g->log[i];
		struct tree_head head;
		struct buf note;

		if (!bytes_is(origin, log->key.name) || !claims_key(msg, &log->key))
			continue;
		if (text_is_held(log, text)) {
			taken->known++;
			return VT_OK;
		}
		if (limited && !gossip_spend(g, log, from))
			return VT_EBUSY;
		buf_init(&note);
		err = evidence_head_text(&note, &head, msg, &log->key);
		if (err == VT_OK) {
			err = judge_new(g, log, &head, &note, from, taken);
			buf_release(&note);
			return err;
		}
		buf_release(&note);
		if (err == VT_ENOMEM || err == VT_EINTERNAL)
			return err;
	}
	taken->unknown++;
	return VT_OK;
}

static void add_counts(struct gossip_taken *sum, const struct gossip_taken *more)
{
	sum->known += more->known;
	sum->consistent += more->consistent;
	sum->kept += more->kept;
	sum->proven += more->proven;
	sum->unknown += more->unknown;
	sum->refused += more->refused;
}

/* In form, before anything is judged: a list is taken or refused as a whole. */
static enum vt_err check_list(struct bytes heads)
{
	struct checkpoint cp;
	struct bytes one;
	struct note *n;
	enum vt_err err;

	if (heads.len > GOSSIP_BODY_MAX)
		return VT_ELIMIT;
	for (size_t k = 0; heads.len > 0; k++) {
		if (k == GOSSIP_HEADS_MAX)
			return VT_ELIMIT;
		if ((err = gossip_next_head(&heads, &one)) != VT_OK ||
		    (err = note_parse(&n, one)) != VT_OK)
			return err;
		err = checkpoint_parse(&cp, n->text);
		note_free(n);
		if (err != VT_OK)
			return err;
	}
	return VT_OK;
}

enum vt_err gossip_take_heads(struct gossip *g, struct bytes heads, const char *from, bool limited,
			      struct gossip_taken *taken)
{
	struct bytes one;
	enum vt_err err, saved;

	memset(taken, 0, sizeof(*taken));
	if ((err = check_list(heads)) != VT_OK)
		return err;
	(void)pthread_mutex_lock(&g->lock);
	for (size_t i = 0; heads.len > 0 && i < g->n_logs; i++)
		refresh_ours(g, &g->log[i]);
	while (heads.len > 0 && err == VT_OK && (err = gossip_next_head(&heads, &one)) == VT_OK)
		err = judge_shown(g, one, from, limited, taken);
	saved = gossip_save_heads(g);
	add_counts(&g->stats.heads, taken);
	(void)pthread_mutex_unlock(&g->lock);
	if (err == VT_OK)
		err = saved;
	return err == VT_OK && taken->refused > 0 ? VT_EBUSY : err;
}

enum vt_err gossip_take(struct gossip *g, struct bytes heads, const char *from,
			struct gossip_taken *taken)
{
	return gossip_take_heads(g, heads, from, true, taken);
}

enum vt_err gossip_see(struct gossip *g, struct bytes heads, const char *from,
		       struct gossip_taken *taken)
{
	return gossip_take_heads(g, heads, from, false, taken);
}

/* -- showing ------------------------------------------------------------------------------------------ */

static enum vt_err show_head(struct buf *out, size_t from, struct bytes note, size_t *n)
{
	enum vt_err err;

	if (*n == GOSSIP_HEADS_MAX || out->len - from + note.len + 1 > GOSSIP_BODY_MAX)
		return VT_OK;
	(*n)++;
	if (out->len > from && (err = buf_append_byte(out, '\n')) != VT_OK)
		return err;
	return buf_append(out, note);
}

/* In turns, so that a log with many heads does not crowd out the others'. */
enum vt_err gossip_heads(struct gossip *g, struct buf *out)
{
	const size_t before = out->len;
	enum vt_err err = VT_OK;
	bool more = true;
	size_t n = 0;

	(void)pthread_mutex_lock(&g->lock);
	for (size_t i = 0; i < g->n_logs && err == VT_OK; i++) {
		refresh_ours(g, &g->log[i]);
		if (g->log[i].has_ours)
			err = show_head(out, before, buf_bytes(&g->log[i].ours_note), &n);
	}
	for (size_t turn = 0; more && err == VT_OK; turn++) {
		more = false;
		for (size_t i = 0; i < g->n_logs && err == VT_OK; i++) {
			if (turn >= g->log[i].n_waiting)
				continue;
			more = true;
			err = show_head(out, before, buf_bytes(&g->log[i].waiting[turn].note), &n);
		}
	}
	(void)pthread_mutex_unlock(&g->lock);
	if (err != VT_OK)
		out->len = before;
	return err;
}

void gossip_stats(struct gossip *g, struct gossip_stats *out)
{
	(void)pthread_mutex_lock(&g->lock);
	*out = g->stats;
	out->logs = g->n_logs;
	out->evidence = g->n_proven;
	for (size_t i = 0; i < g->n_logs; i++) {
		out->unresolved += g->log[i].n_waiting;
		for (size_t k = 0; k < g->log[i].n_waiting; k++) {
			uint64_t since = g->log[i].waiting[k].since;

			out->overdue += g->log[i].waiting[k].told;
			if (out->oldest_since == 0 || since < out->oldest_since)
				out->oldest_since = since;
		}
	}
	out->peers = g->n_peers;
	for (size_t i = 0; i < g->n_peers; i++)
		out->peers_failing += g->peer[i].failures > 0;
	(void)pthread_mutex_unlock(&g->lock);
}

enum vt_err gossip_head_stands(struct standing_list *out, const char *origin,
			       const struct waiting *w)
{
	const char *kind = waiting_kind(w);
	struct standing one = {.since = w->since, .severity = severity_of(kind)};
	enum vt_err err = standing_make_id(one.id, kind, buf_bytes(&w->note));

	if (err != VT_OK)
		return err;
	/* Only another head of size 0 would make evidence of it, and nobody has to sign one. */
	one.for_good = w->head.size == 0;
	(void)snprintf(one.kind, sizeof(one.kind), "%s", kind);
	(void)snprintf(one.origin, sizeof(one.origin), "%s", origin);
	if (w->head.size == 0)
		(void)snprintf(one.text, sizeof(one.text),
			       "signed a head of size 0 with a root that no empty tree has");
	else
		(void)snprintf(one.text, sizeof(one.text),
			       "signed a head of size %" PRIu64
			       " that nobody could connect with the tree known here",
			       w->head.size);
	return standing_list_add(out, &one);
}

enum vt_err gossip_standing(struct gossip *g, struct standing_list *out)
{
	enum vt_err err = VT_OK;

	(void)pthread_mutex_lock(&g->lock);
	for (size_t i = 0; i < g->n_logs; i++)
		for (size_t k = 0; k < g->log[i].n_waiting && err == VT_OK; k++)
			if (g->log[i].waiting[k].told)
				err = gossip_head_stands(out, g->log[i].key.name,
							 &g->log[i].waiting[k]);
	(void)pthread_mutex_unlock(&g->lock);
	return err;
}

/* -- life --------------------------------------------------------------------------------------------- */

static enum vt_err refuse_config(char why[GOSSIP_WHY_MAX], enum vt_err err, const char *text)
{
	(void)snprintf(why, GOSSIP_WHY_MAX, "%s", text);
	return err;
}

static enum vt_err copy_logs(struct gossip *g, const struct gossip_config *config,
			     char why[GOSSIP_WHY_MAX])
{
	g->n_logs = config->n_logs;
	if ((g->log = calloc(config->n_logs + 1, sizeof(*g->log))) == NULL)
		return refuse_config(why, VT_ENOMEM, "no memory");
	for (size_t i = 0; i < config->n_logs; i++) {
		if (config->log[i].key->type != VKEY_TYPE_ED25519)
			return refuse_config(why, VT_EINVAL,
					     "a log's key is of a kind that is not verified");
		g->log[i].key = *config->log[i].key;
		g->log[i].tree = config->log[i].tree;
	}
	return VT_OK;
}

static enum vt_err take_folder(struct gossip *g, char why[GOSSIP_WHY_MAX])
{
	char path[GOSSIP_PATH_MAX];

	if (durable_mkdir(g->place[0]) != VT_OK ||
	    gossip_path(path, g->place[0], "evidence") != VT_OK || durable_mkdir(path) != VT_OK ||
	    gossip_path(path, g->place[0], "lock") != VT_OK)
		return refuse_config(why, VT_EIO, "the state folder cannot be made");
	g->folder_lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (g->folder_lock < 0)
		return refuse_config(why, VT_EIO, "the state folder's lock cannot be opened");
	if (flock(g->folder_lock, LOCK_EX | LOCK_NB) != 0) {
		close(g->folder_lock);
		g->folder_lock = -1;
		logline(LOGLINE_INFO, "another process keeps gossip's waiting heads", "path=%s",
			g->place[0]);
	}
	return VT_OK;
}

static enum vt_err copy_places(struct gossip *g, const struct gossip_config *config,
			       char why[GOSSIP_WHY_MAX])
{
	const char *const place[GOSSIP_PLACES_MAX] = {config->state_path, config->copy_path};

	for (; g->n_places < GOSSIP_PLACES_MAX && place[g->n_places] != NULL; g->n_places++)
		if ((g->place[g->n_places] = strdup(place[g->n_places])) == NULL)
			return refuse_config(why, VT_ENOMEM, "no memory");
	return VT_OK;
}

static void config_defaults(struct gossip_config *c)
{
	if (c->interval_seconds <= 0)
		c->interval_seconds = INTERVAL_DEFAULT;
	if (c->answer_seconds <= 0)
		c->answer_seconds = ANSWER_DEFAULT;
	if (c->deadline_seconds == 0)
		c->deadline_seconds = DEADLINE_DEFAULT;
	if (c->heads_per_second <= 0)
		c->heads_per_second = HEADS_PER_SECOND_DEFAULT;
	if (c->now == NULL)
		c->now = clock_unix;
}

enum vt_err gossip_new(struct gossip **out, const struct gossip_config *config,
		       char why[GOSSIP_WHY_MAX])
{
	struct gossip *g = calloc(1, sizeof(*g));
	enum vt_err err;

	*out = NULL;
	why[0] = '\0';
	if (g == NULL)
		return refuse_config(why, VT_ENOMEM, "no memory");
	g->config = *config;
	config_defaults(&g->config);
	g->folder_lock = -1;
	if (getrandom(&g->sender_seed, sizeof(g->sender_seed), 0) !=
	    (ssize_t)sizeof(g->sender_seed)) {
		free(g);
		return refuse_config(why, VT_EIO, "no random numbers");
	}
	(void)pthread_mutex_init(&g->lock, NULL);
	clock_cond_init(&g->work);
	(void)pthread_mutex_init(&g->keeper_lock, NULL);
	clock_cond_init(&g->keeper_wake);
	if (merkle_hasher_init(&g->hasher) != VT_OK) {
		err = refuse_config(why, VT_ENOMEM, "no memory");
		goto done;
	}
	if ((err = copy_places(g, config, why)) != VT_OK ||
	    (err = copy_logs(g, config, why)) != VT_OK ||
	    (err = gossip_peers_new(g, why)) != VT_OK || (err = take_folder(g, why)) != VT_OK ||
	    (err = gossip_load_evidence(g, why)) != VT_OK ||
	    (err = gossip_load_heads(g, why)) != VT_OK)
		goto done;
	*out = g;
	g = NULL; /* transferred */
done:
	gossip_free(g);
	return err;
}

void gossip_free(struct gossip *g)
{
	if (g == NULL)
		return;
	gossip_stop(g);
	gossip_peers_free(g);
	for (size_t i = 0; g->log != NULL && i < g->n_logs; i++) {
		buf_release(&g->log[i].ours_note);
		buf_release(&g->log[i].ours_shown);
		for (size_t k = 0; k < g->log[i].n_waiting; k++)
			buf_release(&g->log[i].waiting[k].note);
	}
	free(g->log);
	free(g->proven);
	if (g->folder_lock >= 0)
		close(g->folder_lock);
	merkle_hasher_release(&g->hasher);
	for (size_t i = 0; i < g->n_places; i++)
		free(g->place[i]);
	(void)pthread_mutex_destroy(&g->lock);
	(void)pthread_cond_destroy(&g->work);
	(void)pthread_mutex_destroy(&g->keeper_lock);
	(void)pthread_cond_destroy(&g->keeper_wake);
	free(g);
}

/* Without it, what waits would be looked at only when somebody comes by. */
static void *keep_looking(void *arg)
{
	struct gossip *g = arg;
	double seconds = g->config.interval_seconds < KEEPER_SECONDS ? g->config.interval_seconds
								     : KEEPER_SECONDS;
	bool stop = false;

	while (!stop) {
		struct timespec at =
		    clock_timespec(clock_monotonic_nanos() + (uint64_t)(seconds * (double)SECOND));

		(void)pthread_mutex_lock(&g->lock);
		gossip_settle(g);
		(void)pthread_mutex_unlock(&g->lock);
		(void)pthread_mutex_lock(&g->keeper_lock);
		while (!g->keeper_stop && !g->grew &&
		       pthread_cond_timedwait(&g->keeper_wake, &g->keeper_lock, &at) == 0)
			;
		g->grew = false;
		stop = g->keeper_stop;
		(void)pthread_mutex_unlock(&g->keeper_lock);
	}
	return NULL;
}

static void wake_keeper(struct gossip *g, bool stop)
{
	(void)pthread_mutex_lock(&g->keeper_lock);
	g->grew = true;
	g->keeper_stop = g->keeper_stop || stop;
	(void)pthread_cond_signal(&g->keeper_wake);
	(void)pthread_mutex_unlock(&g->keeper_lock);
}

void gossip_grew(struct gossip *g, const char *origin, uint64_t size)
{
	/* Which log's it is costs more to find out than to look at what waits. */
	(void)origin;
	(void)size;
	wake_keeper(g, false);
}

enum vt_err gossip_start(struct gossip *g)
{
	if (pthread_create(&g->keeper, NULL, keep_looking, g) != 0)
		return VT_ENOMEM;
	g->keeper_running = true;
	for (size_t i = 0; i < g->n_peers; i++) {
		if (pthread_create(&g->peer[i].thread, NULL, gossip_peer_main, &g->peer[i]) != 0)
			return VT_ENOMEM;
		g->peer[i].running = true;
	}
	return VT_OK;
}

void gossip_stop(struct gossip *g)
{
	(void)pthread_mutex_lock(&g->lock);
	g->stopping = true;
	(void)pthread_cond_broadcast(&g->work);
	(void)pthread_mutex_unlock(&g->lock);
	wake_keeper(g, true);
	for (size_t i = 0; i < g->n_peers; i++) {
		if (!g->peer[i].running)
			continue;
		http_fetcher_cancel(g->peer[i].fetcher);
		(void)pthread_join(g->peer[i].thread, NULL);
		g->peer[i].running = false;
	}
	if (g->keeper_running)
		(void)pthread_join(g->keeper, NULL);
	g->keeper_running = false;
}
