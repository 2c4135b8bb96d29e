/*
 * The newest head of a log, against what was seen of it before. What was seen is the largest head
 * that was ever accepted; below what was replayed, the kept tree knows every root.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "durable.h"
#include "logline.h"
#include "monitor_private.h"
#include "vitrine/evidence.h"

/* Deadlines after which it counts no more how much of what a head covers was served meanwhile. */
#define LAG_BOUND UINT64_C(24)

static bool keep_waiting(void *ctx, uint64_t millis, const char *why)
{
	struct follower *f = ctx;

	(void)why;
	return monitor_sleep(f->m, millis);
}

/* -- troubles --------------------------------------------------------------------------------- */

/* A stale copy, a page of somebody else's, bytes that were cut or bent: each of these may be the work of
 * what lies between. Two signed histories may not, nor an entry that the root covers, and silence has its own deadline. */
static bool may_be_a_cache(enum trouble t)
{
	return t != TROUBLE_FORKED && t != TROUBLE_SILENT && t != TROUBLE_CENTRE;
}

enum vt_err trouble_begin(struct follower *f, enum trouble t, struct bytes id_of, const char *text,
			  struct json *more)
{
	enum vt_err err;

	if (f->why.text != text)
		snprintf(f->why.text, sizeof(f->why.text), "%s", text);
	if (f->state.since[t] == 0 && may_be_a_cache(t) && !f->second_look) {
		f->doubt = true;
		json_free(more);
		return VT_OK;
	}
	f->found_fault = f->found_fault || t != TROUBLE_SILENT;
	if (f->state.since[t] != 0) {
		json_free(more);
		return VT_OK;
	}
	if ((err = alert_raise(f->m, trouble_name(t), f->origin, id_of, text, more)) != VT_OK)
		return err;
	f->state.since[t] = f->m->config.now();
	if (t == TROUBLE_FORKED && f->state.proven_at == 0)
		f->state.proven_at = f->state.since[t];
	return follow_commit(f);
}

void trouble_end(struct follower *f, enum trouble t)
{
	char origin[VKEY_NAME_MAX + 8];

	if (f->state.since[t] == 0)
		return;
	logline(LOGLINE_INFO, "trouble over", "log=%s trouble=%s",
		logline_quote(origin, sizeof(origin), bytes_str(f->origin)), trouble_name(t));
	f->state.since[t] = 0;
	f->unsaved = true;
}

/*
 * How much of the time between two looks counts against the log. Nobody knows what it did when nobody looked: a
 * monitor that runs now and then, or was stopped for a week, has not watched it meanwhile. So a pause counts for
 * a quarter of the deadline at most, and it takes several looks to be told of, however far they lie apart.
 */
static uint64_t counted_pause(const struct follower *f, uint64_t from, uint64_t to)
{
	uint64_t most = (f->m->config.silent_seconds + 3) / 4, pause = to > from ? to - from : 0;

	return pause < most ? pause : most;
}

static enum vt_err tell_silence(struct follower *f, const struct why *why)
{
	struct log_state *s = &f->state;
	uint64_t now = f->m->config.now(), last = s->answered;
	struct why text;
	char id[32];

	if (s->unanswered_at > last)
		last = s->unanswered_at;
	s->silent_seconds += counted_pause(f, last, now);
	s->unanswered_at = now;
	f->unsaved = true;
	if (s->silent_seconds < f->m->config.silent_seconds)
		return VT_OK;
	snprintf(id, sizeof(id), "%llu", (unsigned long long)s->answered);
	why_say(&text, VT_OK, "the log has answered no look of the last %llu seconds: %s",
		(unsigned long long)(now - s->answered), why->text);
	return trouble_begin(f, TROUBLE_SILENT, bytes_str(id), text.text, NULL);
}

/*
 * Withheld is lag: how long the head that was shown at the first refusal is not served as a whole. Progress alone
 * ends nothing, so a log that gives out a bundle now and then is told of. But a long catch-up from a
 * slow log, or through a slow line, is no refusal: time in which entries came in counts for the log, as
 * much as time in which it refused them counts against it. Waiting for the first of them is neither, and whoever
 * sends one now and then gains no more than LAG_BOUND deadlines by that.
 */
static void count_refusal(struct follower *f, uint64_t now)
{
	struct log_state *s = &f->state;
	uint64_t served = f->served_at > f->served_from ? f->served_at - f->served_from : 0,
		 refused = 0;

	if (s->stalled == 0 || s->stalled > now) {
		s->stalled = now;
		s->lag_seconds = s->watched_seconds = 0;
		s->lag_size = f->shown_size > f->seen.size ? f->shown_size : f->seen.size;
	} else if (s->refused_at != 0 && now > s->refused_at) {
		refused = counted_pause(f, s->refused_at, f->answered_at) +
			  (now > f->answered_at ? now - f->answered_at : 0);
	}
	s->lag_seconds += refused;
	s->watched_seconds += refused;
	s->lag_seconds -= 2 * served < s->lag_seconds ? 2 * served : s->lag_seconds;
	s->refused_at = now;
	f->served_at = 0; /* counted */
	f->unsaved = true;
}

static bool is_withheld(const struct follower *f)
{
	const struct log_state *s = &f->state;
	uint64_t deadline = f->m->config.silent_seconds;

	return s->since[TROUBLE_WITHHELD] != 0 || s->lag_seconds >= deadline ||
	       s->watched_seconds >= LAG_BOUND * deadline;
}

/* A log that shows heads and keeps back what they cover answers, so it is not silent. */
enum heads_verdict withheld(struct follower *f, const struct why *why)
{
	struct log_state *s = &f->state;
	uint64_t now = f->m->config.now();
	struct why text;
	char id[64];

	count_refusal(f, now);
	if (!is_withheld(f))
		return follow_commit(f) == VT_OK ? HEADS_TROUBLE : HEADS_FAILED;
	snprintf(id, sizeof(id), "%llu %llu", (unsigned long long)s->lag_size,
		 (unsigned long long)s->stalled);
	why_say(
	    &text, VT_OK,
	    "the log showed a head of size %llu %llu seconds ago, and no look since was served all "
	    "that it covers: entry %llu is the next: %s",
	    (unsigned long long)s->lag_size, (unsigned long long)(now - s->stalled),
	    (unsigned long long)s->range.size, why->text);
	return trouble_begin(f, TROUBLE_WITHHELD, bytes_str(id), text.text, NULL) == VT_OK
		   ? HEADS_TROUBLE
		   : HEADS_FAILED;
}

/* The head that was owed is served as a whole. Whatever is owed of a newer one is counted anew. */
void not_withheld(struct follower *f)
{
	if (f->state.stalled == 0 || f->state.range.size < f->state.lag_size)
		return;
	f->state.stalled = f->state.refused_at = f->state.lag_seconds = f->state.lag_size = 0;
	f->state.watched_seconds = 0;
	f->unsaved = true;
}

/* -- a checkpoint that was refused ------------------------------------------------------------ */

static struct json *checkpoint_json(const char *name, struct bytes note, struct json *more)
{
	struct json *o = more == NULL ? json_new_object() : more;

	/* One that is not text is shown by what the alert says of it. */
	if (note.len > OUTBOX_ALERT_MAX / 8 || json_set(o, name, json_new_text(note)) != VT_OK)
		return o;
	return o;
}

static bool is_ours(enum vt_err err)
{
	return err == VT_ENOMEM || err == VT_EINTERNAL;
}

/* Is it that cosignatures are missing, rather than that a signature fails? */
static enum vt_err lacks_quorum(bool *out, const struct follower *f, struct bytes answer)
{
	bool cosigned[POLICY_WITNESSES_MAX];
	const struct policy *policy = f->m->config.policy;
	const struct policy_log *log;
	struct note *note = NULL;
	struct checkpoint cp;
	enum vt_err err;

	memset(cosigned, true, sizeof(cosigned));
	err = policy_open_checkpoint(&note, &cp, &log, cosigned, answer, policy);
	note_free(note);
	*out = err == VT_EMISMATCH && !policy_quorum(policy, cosigned);
	return is_ours(err) ? err : VT_OK;
}

static enum vt_err is_accepted(bool *out, const struct follower *f, struct bytes answer)
{
	const struct policy_log *log;
	struct note *note = NULL;
	struct checkpoint cp;
	enum vt_err err =
	    policy_open_checkpoint(&note, &cp, &log, NULL, answer, f->m->config.policy);

	note_free(note);
	*out = err == VT_OK && log == f->log;
	return is_ours(err) ? err : VT_OK;
}

/* What does not match: the files that the head covers, or who signed it? */
static enum vt_err classify_mismatch(enum trouble *out, const struct follower *f,
				     struct bytes answer)
{
	bool good, unwitnessed = false;
	enum vt_err err;

	if ((err = is_accepted(&good, f, answer)) != VT_OK ||
	    (!good && (err = lacks_quorum(&unwitnessed, f, answer)) != VT_OK))
		return err;
	*out = good ? TROUBLE_CONTRADICTS : unwitnessed ? TROUBLE_QUORUM : TROUBLE_UNTRUSTED;
	return VT_OK;
}

/* What the client made of an answer, as a trouble. false: it is none of the log's, or that cannot be told. */
static bool classify_answer(enum trouble *out, const struct follower *f, enum vt_err err,
			    struct bytes answer)
{
	switch (err) {
	case VT_EIO:
	case VT_EBUSY:
	case VT_ENOTFOUND:
		*out = TROUBLE_SILENT;
		return true;
	case VT_EMALFORMED:
	case VT_ELIMIT:
		*out = TROUBLE_MALFORMED;
		return true;
	case VT_EUNTRUSTED:
		*out = TROUBLE_UNTRUSTED;
		return true;
	case VT_EMISMATCH:
		return classify_mismatch(out, f, answer) == VT_OK;
	default:
		return false;
	}
}

static enum heads_verdict head_refused(struct follower *f, enum vt_err err, struct bytes answer,
				       const struct why *why)
{
	enum trouble t;

	if (f->m->stop || !classify_answer(&t, f, err, answer))
		return HEADS_FAILED;
	if (t == TROUBLE_SILENT && answer.len > 0)
		return withheld(f, why);
	if (t == TROUBLE_SILENT)
		return tell_silence(f, why) == VT_OK ? HEADS_TROUBLE : HEADS_FAILED;
	return trouble_begin(f, t, answer, why->text,
			     checkpoint_json("checkpoint", answer, NULL)) == VT_OK
		   ? HEADS_TROUBLE
		   : HEADS_FAILED;
}

/* -- two histories ---------------------------------------------------------------------------- */

static void show_side_client(struct follower *f, struct client *c)
{
	pthread_mutex_lock(&f->lock);
	f->side_client = c;
	if (c != NULL && f->m->stop)
		client_cancel(c);
	pthread_mutex_unlock(&f->lock);
}

/* From the tiles that the log serves under this head. */
static enum vt_err proof_from_log(struct merkle_hash *other, struct merkle_proof *proof,
				  struct follower *f, uint64_t smaller, struct bytes larger_note,
				  struct why *why)
{
	struct client_config config = {.url = f->url,
				       .policy = f->m->config.policy,
				       .origin = f->origin,
				       .cache_bytes = 1 << 20,
				       .read_seconds = f->m->config.read_seconds,
				       .wait = keep_waiting,
				       .ctx = f};
	struct client *c;
	enum vt_err err;

	if ((err = client_new(&c, &config, why)) != VT_OK)
		return err;
	show_side_client(f, c);
	if ((err = client_adopt(c, larger_note, NULL, why)) == VT_OK &&
	    (err = client_root_at(other, c, smaller, why)) == VT_OK)
		err = client_consistency(proof, c, smaller, why);
	show_side_client(f, NULL);
	client_free(c);
	return err;
}

/*
 * The larger of two heads owes the proof: the root R' that its tree has at the smaller size, and the
 * consistency proof from there. From the kept tree where that is the larger head's.
 */
static enum vt_err proof_of_larger(struct merkle_hash *other, struct merkle_proof *proof,
				   struct follower *f, uint64_t smaller, struct bytes larger_note,
				   const struct tree_head *larger, struct why *why)
{
	struct tree_head mine = {.size = f->state.range.size};
	enum vt_err err;

	if ((err = merkle_range_root(&mine.root, &f->hasher, &f->state.range)) != VT_OK)
		return err;
	if (!tree_head_equal(&mine, larger))
		return proof_from_log(other, proof, f, smaller, larger_note, why);
	if ((err = kept_root_at(other, f->kept, &mine, smaller)) != VT_OK)
		return err;
	return kept_consistency(proof, f->kept, &mine, smaller, mine.size);
}

static enum vt_err keep_evidence(struct json *more, struct follower *f, struct bytes text)
{
	char path[MONITOR_PATH_MAX], hex[HASH_HEX + 1];
	struct merkle_hash hash;
	enum vt_err err;

	if ((err = merkle_sha256(&hash, &f->hasher, &text, 1)) != VT_OK)
		return err;
	hex_encode(hex, bytes_of(hash.b, MERKLE_HASH_SIZE));
	if (snprintf(path, sizeof(path), "%s/evidence/%s", f->m->dir, hex) >= (int)sizeof(path))
		return VT_ELIMIT;
	if ((err = durable_write(path, text, 0644)) != VT_OK ||
	    (err = json_set(more, "evidence", json_new_str(path))) != VT_OK)
		return err;
	f->state.evidence++;
	if (f->m->config.evidence != NULL)
		f->m->config.evidence(f->m->config.ctx, f->origin, text);
	return VT_OK;
}

/* The evidence, if it can be made: the log may not serve the tiles that its heads stand for. */
static void try_evidence(struct json *more, struct follower *f, struct bytes answer,
			 const struct tree_head *shown)
{
	bool equal = shown->size == f->seen.size, shown_is_larger = shown->size > f->seen.size;
	struct bytes seen_note = buf_bytes(&f->state.checkpoint);
	struct why why = {""};
	struct merkle_proof proof;
	struct merkle_hash other;
	struct buf text;
	enum vt_err err = VT_OK;

	buf_init(&text);
	if (f->state.evidence >= MONITOR_EVIDENCE_MAX) {
		err = why_say(&why, VT_ELIMIT, "there is enough of it already");
	}
	if (err == VT_OK && !equal)
		err = proof_of_larger(
		    &other, &proof, f, shown_is_larger ? f->seen.size : shown->size,
		    shown_is_larger ? answer : seen_note, shown_is_larger ? shown : &f->seen, &why);
	if (err == VT_OK)
		err = evidence_make(&text, &f->hasher, &f->log->key, seen_note, answer,
				    equal ? NULL : &other, equal ? NULL : &proof);
	if (err == VT_OK)
		err = keep_evidence(more, f, buf_bytes(&text));
	if (err != VT_OK)
		json_set(more, "evidenceMissing", json_new_str(why_text(&why, err)));
	buf_release(&text);
}

static enum heads_verdict tell_fork(struct follower *f, struct bytes answer,
				    const struct tree_head *shown)
{
	uint8_t id[2 * (8 + MERKLE_HASH_SIZE)];
	struct json *more = NULL;
	char text[200];

	if (f->state.since[TROUBLE_FORKED] ==
	    0) { /* making evidence again would be work for nothing */
		more = checkpoint_json("checkpoint", answer, NULL);
		more = checkpoint_json("earlierCheckpoint", buf_bytes(&f->state.checkpoint), more);
		if (more != NULL)
			try_evidence(more, f, answer, shown);
	}
	snprintf(text, sizeof(text),
		 "the log has signed two histories: its checkpoints of sizes %llu and %llu "
		 "contradict each other",
		 (unsigned long long)f->seen.size, (unsigned long long)shown->size);
	memset(id, 0, sizeof(id));
	memcpy(id, f->seen.root.b, MERKLE_HASH_SIZE);
	memcpy(id + MERKLE_HASH_SIZE, shown->root.b, MERKLE_HASH_SIZE);
	return trouble_begin(f, TROUBLE_FORKED, bytes_of(id, sizeof(id)), text, more) == VT_OK
		   ? HEADS_TROUBLE
		   : HEADS_FAILED;
}

static enum heads_verdict tell_backwards(struct follower *f, struct bytes answer,
					 const struct tree_head *shown)
{
	struct json *more = checkpoint_json("checkpoint", answer, NULL);
	char text[200];

	more = checkpoint_json("earlierCheckpoint", buf_bytes(&f->state.checkpoint), more);
	snprintf(text, sizeof(text), "the log shows a head of size %llu, after one of size %llu",
		 (unsigned long long)shown->size, (unsigned long long)f->seen.size);
	return trouble_begin(f, TROUBLE_BACKWARDS, answer, text, more) == VT_OK ? HEADS_TROUBLE
										: HEADS_FAILED;
}

/* -- looking ---------------------------------------------------------------------------------- */

/* A client that knows what was seen, as far as the log still serves that. */
static enum vt_err make_client(struct follower *f, struct why *why)
{
	struct client_config config = {.url = f->url,
				       .policy = f->m->config.policy,
				       .origin = f->origin,
				       .cache_bytes = 4 << 20,
				       .parallel = f->m->config.parallel,
				       .read_seconds = f->m->config.read_seconds,
				       .fresh = f->second_look,
				       .wait = keep_waiting,
				       .ctx = f};
	struct client *c;
	enum vt_err err;

	if (f->client != NULL)
		return VT_OK;
	if ((err = client_new(&c, &config, why)) != VT_OK)
		return err;
	pthread_mutex_lock(&f->lock);
	f->client = c;
	if (f->m->stop)
		client_cancel(c);
	pthread_mutex_unlock(&f->lock);
	f->client_knows_seen = f->state.checkpoint.len > 0 &&
			       client_adopt(c, buf_bytes(&f->state.checkpoint), NULL, why) == VT_OK;
	return VT_OK;
}

/* The kept tree against a head of at most its size. */
static enum heads_verdict check_within(struct follower *f, struct bytes answer,
				       const struct tree_head *shown, struct why *why)
{
	struct tree_head mine = {.size = f->state.range.size};
	struct merkle_hash root;
	enum vt_err err;

	if ((err = merkle_range_root(&mine.root, &f->hasher, &f->state.range)) != VT_OK ||
	    (err = kept_root_at(&root, f->kept, &mine, shown->size)) != VT_OK) {
		f->fault = err;
		why_say(why, VT_EIO, "the kept tiles in %s: %s", f->dir, vt_err_text(err));
		return HEADS_FAILED;
	}
	return merkle_hash_equal(&root, &shown->root) ? HEADS_GOOD : tell_fork(f, answer, shown);
}

/* Does the tree of the client's head hold this one? */
static enum heads_verdict check_held(bool *held, struct follower *f, const struct tree_head *head,
				     struct why *why)
{
	struct merkle_hash root;
	enum vt_err err = client_root_at(&root, f->client, head->size, why);

	if (err != VT_OK)
		return head_refused(f, err, client_last_answer(f->client), why);
	*held = merkle_hash_equal(&root, &head->root);
	return HEADS_GOOD;
}

static enum heads_verdict compare_heads(struct follower *f, struct bytes answer,
					const struct tree_head *shown, struct why *why)
{
	struct tree_head mine = {.size = f->state.range.size};
	enum heads_verdict verdict = HEADS_GOOD;
	bool held = true;

	if (shown->size <= mine.size &&
	    (verdict = check_within(f, answer, shown, why)) != HEADS_GOOD)
		return verdict;
	if (shown->size < f->seen.size)
		return tell_backwards(f, answer, shown);
	if (shown->size == f->seen.size && f->seen.size > 0)
		return merkle_hash_equal(&shown->root, &f->seen.root) ? HEADS_GOOD
								      : tell_fork(f, answer, shown);
	if (f->seen.size > 0 && !f->client_knows_seen &&
	    (verdict = check_held(&held, f, &f->seen, why)) != HEADS_GOOD)
		return verdict;
	if (held && mine.size > 0) {
		if (merkle_range_root(&mine.root, &f->hasher, &f->state.range) != VT_OK)
			return HEADS_FAILED;
		if ((verdict = check_held(&held, f, &mine, why)) != HEADS_GOOD)
			return verdict;
	}
	return held ? HEADS_GOOD : tell_fork(f, answer, shown);
}

/* A refused checkpoint that the log itself signed may still show that it signed two histories. */
static enum heads_verdict refused_but_signed(struct follower *f, enum vt_err err,
					     struct bytes answer, const struct tree_head *shown,
					     struct why *why)
{
	enum heads_verdict verdict = HEADS_GOOD;
	struct why fault;

	if (shown != NULL && shown->size <= f->state.range.size)
		verdict = check_within(f, answer, shown, &fault);
	return verdict == HEADS_GOOD ? head_refused(f, err, answer, why) : verdict;
}

void drop_client(struct follower *f)
{
	pthread_mutex_lock(&f->lock);
	client_free(f->client);
	f->client = NULL;
	pthread_mutex_unlock(&f->lock);
}

static enum vt_err accept_head(struct follower *f, struct bytes answer,
			       const struct tree_head *shown)
{
	/* What its files are is known when all that the head covers was replayed. */
	static const enum trouble over[] = {TROUBLE_UNTRUSTED, TROUBLE_QUORUM, TROUBLE_BACKWARDS,
					    TROUBLE_FORKED};
	struct bytes before = buf_bytes(&f->state.checkpoint);
	bool moved = !bytes_equal(before, answer);
	enum vt_err err;

	for (size_t i = 0; i < sizeof(over) / sizeof(*over); i++)
		trouble_end(f, over[i]);
	f->client_knows_seen = true;
	if (!moved)
		return VT_OK;
	buf_reset(&f->state.checkpoint);
	if ((err = buf_append(&f->state.checkpoint, answer)) != VT_OK)
		return err;
	f->seen = *shown;
	/* On disk before anything is fetched under it: it is what the next head has to contain. */
	return follow_commit(f);
}

enum heads_verdict heads_look(struct follower *f, struct why *why)
{
	enum heads_verdict verdict = HEADS_FAILED;
	struct tree_head shown;
	struct buf text, answer;
	enum vt_err err, signed_err;
	bool fork;

	buf_init(&text);
	buf_init(&answer);
	if ((err = make_client(f, why)) != VT_OK)
		goto done;
	err = client_refresh(f->client, why);
	fork = client_last_forked(f->client);
	if (buf_append(&answer, client_last_answer(f->client)) != VT_OK)
		goto done;
	/* Whatever else is wrong with it: what the log signed may be held against it. */
	signed_err = answer.len == 0
			 ? VT_ENOTFOUND
			 : evidence_head_text(&text, &shown, buf_bytes(&answer), &f->log->key);
	if (signed_err == VT_OK)
		f->shown_size = shown.size;
	if (signed_err == VT_OK && f->m->config.observed != NULL)
		f->m->config.observed(f->m->config.ctx, f->origin, buf_bytes(&answer));
	if (answer.len > 0)
		f->answered_at = f->m->config.now();
	if (fork && signed_err == VT_OK)
		verdict = tell_fork(f, buf_bytes(&answer), &shown);
	else if (err != VT_OK)
		verdict = refused_but_signed(f, err, buf_bytes(&answer),
					     signed_err == VT_OK ? &shown : NULL, why);
	else if (is_ours(signed_err))
		goto done;
	else if (signed_err != VT_OK || client_log(f->client) != f->log)
		verdict = head_refused(f, VT_EUNTRUSTED, buf_bytes(&answer), why);
	else
		verdict = compare_heads(f, buf_bytes(&answer), &shown, why);
	if (verdict == HEADS_GOOD && accept_head(f, buf_bytes(&answer), &shown) != VT_OK)
		verdict = HEADS_FAILED;
done:
	/* A client whose head was not accepted must not be asked under it. */
	if (verdict != HEADS_GOOD)
		drop_client(f);
	buf_release(&text);
	buf_release(&answer);
	return verdict;
}
