#include <stdio.h>
#include <string.h>

#include "add_checkpoint.h"
#include "cosigner_internal.h"
#include "logline.h"
#include "vitrine/cosignature.h"

enum {
	CLOCK_STEP_MAX = 600, /* seconds that a clock may go back and be waited for */
};

/* -- cosigning ------------------------------------------------------------------------------- */

static void say(struct cosigner_answer *out, const char *why)
{
	snprintf(out->why, sizeof(out->why), "%s", why);
}

/*
 * The time of a cosignature. It says that as of then this head is the largest one seen, so a later
 * head must not carry an earlier time: a clock that goes back a little is waited for by repeating
 * the last time. One that goes back far was wrong before, and stays wrong only where it signed.
 */
static uint64_t cosignature_time(const struct cosigner *c, struct origin *o)
{
	uint64_t now = c->now();

	if (now < o->time && o->time - now <= CLOCK_STEP_MAX)
		now = o->time;
	else if (now < o->time)
		logline(LOGLINE_WARN, "the clock is far behind the last cosignature",
			"origin_hash=%s last=%llu now=%llu", o->hex, (unsigned long long)o->time,
			(unsigned long long)now);
	return now;
}

/* Let readers see it. Without memory they go on seeing what they saw, which was cosigned too. */
void cosigner_show(struct origin *o, struct bytes note, struct bytes line)
{
	struct buf shown;

	buf_init(&shown);
	if (buf_append(&shown, note) != VT_OK || buf_append(&shown, line) != VT_OK) {
		buf_release(&shown);
		return;
	}
	pthread_mutex_lock(&o->show);
	buf_release(&o->shown);
	o->shown = shown;
	o->shown_line = note.len;
	o->shown_head = o->head;
	o->shown_time = o->time;
	pthread_mutex_unlock(&o->show);
}

/*
 * Persist, then sign. "The witness MUST persist the new checkpoint before responding."
 *
 * A head that is on disk already is not written again: only the signature is new. If the write fails
 * nothing is signed, and memory keeps the old head: whichever of the two the file has, both extend
 * everything that was ever signed.
 *
 * A crash before the write is over: the old head or the new one is there, neither cosigned anew.
 * Between write and signature: the head is there without a cosignature, and gets one at the start.
 * After that: whoever did not get the answer asks again, with the size that 409 tells.
 */
enum vt_err cosigner_persist_and_sign(const struct cosigner *c, struct origin *o,
				      const struct tree_head *head, struct bytes text,
				      struct bytes note, struct buf *line)
{
	const size_t before = line->len;
	bool written = false;
	struct bytes made;
	uint64_t time;
	enum vt_err err;

	if (!o->cosigned || !o->durable || !tree_head_equal(&o->head, head)) {
		if ((err = cosigner_folder_in_place(c)) != VT_OK ||
		    (err = cosigned_write(c->folder, o->hex, note)) != VT_OK) {
			o->durable = false;
			return err;
		}
		o->head = *head;
		o->cosigned = o->durable = written = true;
	}
	/* "The cosignature MUST NOT omit the timestamp, i.e. the timestamp MUST NOT be zero." */
	if ((time = cosignature_time(c, o)) == 0)
		return VT_EINTERNAL;
	if ((err = cosignature_line(line, text, time, c->signer)) != VT_OK)
		return err;
	o->time = time;
	made = bytes_of(line->data + before, line->len - before);
	if (written)
		cosigned_append(c->folder, o->hex, made);
	cosigner_show(o, note, made);
	return VT_OK;
}

/* What is asked for, while it is judged. */
struct request {
	struct add_checkpoint add;
	struct note *note;
	struct checkpoint cp;
	struct origin *origin;
	struct buf kept;  /* the text with the log's signature lines that verified */
	bool contradicts; /* it and the latest cosigned checkpoint are proof of two histories */
	bool damaged;     /* its log's file is, which was told when it was read */
};

/* Does a signature line begin with the name and the ID of one of these keys? */
static bool line_names_key(struct bytes line, const struct origin *o)
{
	static const char dash[] = "\xe2\x80\x94 ";
	const size_t start = sizeof(dash) - 1;
	uint8_t id[6]; /* of eight characters; the ID is the first four bytes */

	for (size_t i = 0; i < o->n_keys; i++) {
		const struct vkey *key = &o->key[i];
		size_t len = strlen(key->name);

		if (line.len >= start + len + 1 + 8 && memcmp(line.data, dash, start) == 0 &&
		    memcmp(line.data + start, key->name, len) == 0 &&
		    line.data[start + len] == ' ' &&
		    base64_decode_exact(id, sizeof(id), bytes_of(line.data + start + len + 1, 8),
					BASE64_STANDARD) == VT_OK &&
		    ((uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 |
		     id[3]) == key->id)
			return true;
	}
	return false;
}

/* Would a note of this text and this line alone parse? */
static bool line_parses(struct bytes text, struct bytes line)
{
	struct note *n = NULL;
	struct buf alone;
	bool parses;

	buf_init(&alone);
	parses = buf_append(&alone, text) == VT_OK && buf_append_byte(&alone, '\n') == VT_OK &&
		 buf_append(&alone, line) == VT_OK && note_parse(&n, buf_bytes(&alone)) == VT_OK;
	note_free(n);
	buf_release(&alone);
	return parses;
}

/*
 * A note that does not parse is malformed, 400. But if what is broken is a line that names a trusted
 * key, then "a signature line's key name and ID match a trusted key but the signature itself fails to
 * verify (such a note is malformed per signed-note)": 403.
 */
static bool broken_line_is_trusted(struct cosigner *c, struct bytes note)
{
	const uint8_t *end, *at;
	struct bytes text, line;
	struct merkle_hash hash;
	struct checkpoint cp;
	struct origin *o;
	bool found = false;
	size_t split = note.len;

	while (split >= 2 && memcmp(note.data + split - 2, "\n\n", 2) != 0)
		split--;
	text = bytes_of(note.data, split < 2 ? 0 : split - 1);
	if (checkpoint_parse(&cp, text) != VT_OK || cosigner_hash(&hash, cp.origin) != VT_OK)
		return false;
	pthread_rwlock_rdlock(&c->lock);
	o = cosigner_find(c, &hash);
	for (at = note.data + split; o != NULL && !found; at = end + 1) {
		size_t left = note.len - (size_t)(at - note.data);

		if (left == 0 || (end = memchr(at, '\n', left)) == NULL)
			break;
		line = bytes_of(at, (size_t)(end + 1 - at));
		found = line_names_key(line, o) && !line_parses(text, line);
	}
	pthread_rwlock_unlock(&c->lock);
	return found;
}

static enum vt_err open_request(struct cosigner *c, struct request *q, struct bytes body,
				struct cosigner_answer *out)
{
	const char *why = "";
	enum vt_err err;

	if ((err = add_checkpoint_parse(&q->add, body, &why)) != VT_OK)
		say(out, why);
	else if ((err = note_parse(&q->note, q->add.note)) == VT_EMALFORMED &&
		 broken_line_is_trusted(c, q->add.note)) {
		say(out, "a signature line names a trusted key and holds no signature");
		return VT_EUNTRUSTED;
	} else if (err != VT_OK)
		say(out, err == VT_ELIMIT ? "more than 128 signature lines"
					  : "what follows the empty line is not a signed note");
	else if ((err = checkpoint_parse(&q->cp, q->note->text)) != VT_OK)
		say(out, err == VT_ELIMIT ? "more than 16 extension lines"
					  : "the text of the note is not a checkpoint");
	return err == VT_ELIMIT ? VT_EMALFORMED : err;
}

/*
 * note_open() takes the first line of each key and passes over more of the same. Here each counts:
 * 403 if "a signature line's key name and ID match a trusted key but the signature itself fails to
 * verify".
 */
static enum vt_err verify_further_lines(const struct note *n, const struct vkey_set *keys)
{
	enum vt_err err = VT_OK;
	struct buf alone;

	buf_init(&alone);
	for (size_t i = 0; i < n->n && err == VT_OK; i++) {
		const struct note_signature *sig = &n->sig[i], *first = NULL;
		struct note *opened = NULL;

		for (size_t k = 0; k < keys->n && sig->key == NULL && first == NULL; k++)
			if (keys->key[k].id == sig->id && bytes_is(sig->name, keys->key[k].name))
				first = note_signed_by(n, &keys->key[k]);
		if (first == NULL || bytes_equal(first->line, sig->line))
			continue;
		buf_reset(&alone);
		if ((err = buf_append(&alone, n->text)) == VT_OK &&
		    (err = buf_append_byte(&alone, '\n')) == VT_OK &&
		    (err = buf_append(&alone, sig->line)) == VT_OK)
			err = note_open(&opened, buf_bytes(&alone), keys);
		note_free(opened);
	}
	buf_release(&alone);
	return err;
}

/* "The witness MUST verify the checkpoint signature against the public key(s) it trusts for the
 * checkpoint origin, and it MUST ignore signatures from unknown keys." */
static enum vt_err verify_signatures(struct request *q, const struct vkey_set *keys,
				     struct cosigner_answer *out)
{
	enum vt_err err;

	note_free(q->note);
	if ((err = note_open(&q->note, q->add.note, keys)) == VT_OK)
		err = verify_further_lines(q->note, keys);
	if (err == VT_EUNTRUSTED)
		say(out, "no signature by a key that is trusted for this origin");
	if (err == VT_EMISMATCH) {
		say(out, "a signature line names a trusted key and does not verify");
		err = VT_EUNTRUSTED;
	}
	if (err != VT_OK)
		return err;
	if ((err = buf_append(&q->kept, q->note->text)) != VT_OK ||
	    (err = buf_append_byte(&q->kept, '\n')) != VT_OK)
		return err;
	for (size_t i = 0; i < q->note->n && err == VT_OK; i++)
		if (q->note->sig[i].key != NULL)
			err = buf_append(&q->kept, q->note->sig[i].line);
	return err;
}

/* Find the log and believe its signature, under the policy as it is now. */
static enum vt_err admit_request(struct cosigner *c, struct request *q, struct cosigner_answer *out)
{
	struct merkle_hash hash;
	enum vt_err err;

	if ((err = cosigner_hash(&hash, q->cp.origin)) != VT_OK)
		return err;
	pthread_rwlock_rdlock(&c->lock);
	q->origin = cosigner_find(c, &hash);
	if (q->origin == NULL || q->origin->n_keys == 0) {
		/* "If the checkpoint origin is unknown, the witness MUST respond with a "404 Not
		 * Found" HTTP status code." */
		say(out, "this witness does not know the origin");
		err = VT_ENOTFOUND;
	} else {
		err = verify_signatures(q, &(struct vkey_set){q->origin->key, q->origin->n_keys},
					out);
	}
	pthread_rwlock_unlock(&c->lock);
	return err;
}

static const char stale_old_size[] =
    "the old size is not the size of the latest cosigned checkpoint";

static enum vt_err check_empty_tree(const struct tree_head *head)
{
	struct merkle_hash empty;
	enum vt_err err = cosigner_hash(&empty, bytes_of(NULL, 0));

	if (err != VT_OK)
		return err;
	return merkle_hash_equal(&empty, &head->root) ? VT_OK : VT_EMISMATCH;
}

/*
 * The specification's checks in its order, from the old size on. latest: the latest checkpoint cosigned; NULL: none was.
 */
static enum vt_err check_consistency(const struct tree_head *latest, struct request *q,
				     struct cosigner_answer *out)
{
	const struct tree_head *head = &q->cp.head;
	struct merkle_hasher h;
	enum vt_err err;

	out->size = latest != NULL ? latest->size : 0;
	/* "The witness MUST check that the old size matches the size of the latest checkpoint it
	 * cosigned for the checkpoint's origin (or zero if it never cosigned a checkpoint for that
	 * origin)." */
	if (q->add.old_size != out->size) {
		say(out, stale_old_size);
		return VT_ECONFLICT;
	}
	/* "A checkpoint of size zero MUST have the root hash of the empty tree" */
	if (head->size == 0 && (err = check_empty_tree(head)) != VT_OK) {
		say(out, "size 0, and not the root of the empty tree");
		return err;
	}
	/* "If the proof is not empty when the old size is zero" */
	if (q->add.old_size == 0) {
		if (q->add.proof.n == 0)
			return VT_OK;
		say(out, "the old size is 0, and there is a proof");
		return VT_EMISMATCH;
	}
	/* "If the old size matches the checkpoint size, the witness MUST check that the root hashes
	 * are also identical." */
	if (head->size == latest->size && !merkle_hash_equal(&head->root, &latest->root)) {
		say(out, "another root at the size of the latest cosigned checkpoint: the log has "
			 "signed two histories");
		q->contradicts = true;
		return VT_EMISMATCH;
	}
	if ((err = merkle_hasher_init(&h)) != VT_OK)
		return err;
	err = proof_verify_consistency(&h, &q->add.proof, latest, head);
	merkle_hasher_release(&h);
	if (err == VT_EMISMATCH || err == VT_EINVAL) {
		say(out, "the consistency proof does not hold");
		err = VT_EMISMATCH;
	}
	return err;
}

/*
 * What needs no lock is told without: heads only grow, so an old size below the one that readers see is stale whatever is
 * under way, and a proof from there that does not hold never will. Who is behind, or has no proof, does not wait for a disk
 * to be told so, and takes nobody's turn.
 */
static enum vt_err refuse_at_once(struct origin *o, struct request *q, struct cosigner_answer *out)
{
	struct tree_head head;
	bool known;

	pthread_mutex_lock(&o->show);
	known = o->shown.len > 0 && !o->shown_damaged;
	head = o->shown_head;
	pthread_mutex_unlock(&o->show);
	return known && q->add.old_size <= head.size ? check_consistency(&head, q, out) : VT_OK;
}

/* "checking the old size against the latest checkpoint and persisting the new checkpoint must be
 * performed atomically": all of this is under the origin's update lock. */
static enum vt_err cosign_locked(const struct cosigner *c, struct request *q,
				 struct cosigner_answer *out)
{
	struct origin *o = q->origin;
	enum vt_err err;

	if (o->damaged) {
		q->damaged = true;
		say(out,
		    "the file that says what was last cosigned for this log is damaged; nothing "
		    "is cosigned for it until the witness's operator has looked at it");
		return VT_EINTERNAL;
	}
	if ((err = check_consistency(o->cosigned ? &o->head : NULL, q, out)) != VT_OK)
		return err;
	err = cosigner_persist_and_sign(c, o, &q->cp.head, q->note->text, buf_bytes(&q->kept),
					&out->lines);
	if (err == VT_EMISMATCH) /* the key's fault, not the client's */
		err = VT_EINTERNAL;
	if (err != VT_OK)
		say(out, err == VT_EIO ? "the checkpoint could not be written to disk"
				       : "the checkpoint could not be signed");
	return err;
}

/*
 * Append the cosignature that readers see, if it is on this very checkpoint. VT_ENOTFOUND: it is on another one, or there is
 * none.
 */
static enum vt_err repeat_cosignature(struct origin *o, const struct note *n, struct buf *line)
{
	enum vt_err err = VT_ENOTFOUND;

	pthread_mutex_lock(&o->show);
	if (!o->shown_damaged && o->shown.len > o->shown_line && o->shown_line > n->text.len &&
	    memcmp(o->shown.data, n->text.data, n->text.len) == 0 &&
	    o->shown.data[n->text.len] == '\n')
		err = buf_append(
		    line, bytes_of(o->shown.data + o->shown_line, o->shown.len - o->shown_line));
	pthread_mutex_unlock(&o->show);
	return err;
}

/* Anybody can show the latest checkpoint again. While the log is busy that waits for nothing: what was signed last is told again. */
static enum vt_err cosign_again(const struct cosigner *c, struct request *q,
				struct cosigner_answer *out)
{
	enum vt_err err;

	if (pthread_mutex_trylock(&q->origin->update) != 0)
		return repeat_cosignature(q->origin, q->note, &out->lines);
	err = cosign_locked(c, q, out);
	pthread_mutex_unlock(&q->origin->update);
	return err;
}

static bool take_turn(const struct cosigner *c, struct origin *o)
{
	bool taken;

	pthread_mutex_lock(&o->show);
	taken = o->turns < c->turns_max;
	o->turns += taken;
	pthread_mutex_unlock(&o->show);
	return taken;
}

static void give_turn_back(struct origin *o)
{
	pthread_mutex_lock(&o->show);
	o->turns--;
	pthread_mutex_unlock(&o->show);
}

/* Whoever has one log's key can sign new checkpoints as fast as this witness reads them, and each is written to the disk. */
static enum vt_err cosign_in_turn(const struct cosigner *c, struct request *q,
				  struct cosigner_answer *out)
{
	struct origin *o = q->origin;
	enum vt_err err;

	if (!take_turn(c, o)) {
		say(out, "too many checkpoints of this log are being cosigned");
		return VT_EBUSY;
	}
	pthread_mutex_lock(&o->update);
	err = cosign_locked(c, q, out);
	pthread_mutex_unlock(&o->update);
	give_turn_back(o);
	return err;
}

static enum vt_err cosign(const struct cosigner *c, struct request *q, struct cosigner_answer *out)
{
	enum vt_err err;

	/* "The old size MUST be equal to or lower than the checkpoint size. Otherwise, the witness
	 * MUST respond with a "400 Bad Request" HTTP status code." */
	if (q->add.old_size > q->cp.head.size) {
		say(out, "the old size is beyond the checkpoint's");
		return VT_EMALFORMED;
	}
	if ((err = refuse_at_once(q->origin, q, out)) != VT_OK)
		return err;
	if (q->add.old_size == q->cp.head.size && (err = cosign_again(c, q, out)) != VT_ENOTFOUND)
		return err;
	return cosign_in_turn(c, q, out);
}

static void count(struct cosigner *c, enum vt_err err)
{
	switch (err) {
	case VT_OK:
		c->cosigned++;
		break;
	case VT_EMALFORMED:
		c->malformed++;
		break;
	case VT_ENOTFOUND:
		c->unknown++;
		break;
	case VT_EUNTRUSTED:
		c->untrusted++;
		break;
	case VT_ECONFLICT:
		c->stale++;
		break;
	case VT_EMISMATCH:
		c->inconsistent++;
		break;
	case VT_EBUSY:
		c->busy++;
		break;
	default:
		c->failed++;
	}
}

static void tell(const struct request *q, enum vt_err err, const struct cosigner_answer *out)
{
	char origin[160], why[COSIGNER_WHY_MAX + 64], note[2048] = "";
	unsigned long long old = q->add.old_size, size = q->cp.head.size;
	enum logline_level level = LOGLINE_INFO;

	logline_quote(origin, sizeof(origin), q->cp.origin);
	if (err == VT_OK) {
		logline(LOGLINE_DEBUG, "cosigned", "origin=%s old=%llu size=%llu", origin, old,
			size);
		return;
	}
	logline_quote(why, sizeof(why),
		      bytes_str(out->why[0] != '\0' ? out->why : vt_err_text(err)));
	if (q->cp.origin.len == 0 && err == VT_EMALFORMED) {
		logline(level, "not cosigned", "status=400 why=%s", why);
		return;
	}
	if ((err == VT_EINTERNAL && !q->damaged) || err == VT_EIO || err == VT_ENOMEM)
		level = LOGLINE_ERROR;
	if (err == VT_EMISMATCH) {
		/* "the witness MAY log the request even if the checkpoint fails one of the
		 * consistency checks above [...], as it might be proof of log misbehavior". Most are
		 * not: anybody can put a bad proof before a good checkpoint. */
		level = q->contradicts ? LOGLINE_WARN : LOGLINE_INFO;
		memcpy(note, " note=", 6);
		logline_quote(note + 6, sizeof(note) - 6, buf_bytes(&q->kept));
	}
	logline(level, "not cosigned", "origin=%s old=%llu size=%llu why=%s%s", origin, old, size,
		why, note);
}

enum vt_err cosigner_add_checkpoint(struct cosigner *c, struct bytes body,
				    struct cosigner_answer *out)
{
	struct request q = {0};
	enum vt_err err;

	buf_init(&q.kept);
	if ((err = open_request(c, &q, body, out)) == VT_OK &&
	    (err = admit_request(c, &q, out)) == VT_OK)
		err = cosign(c, &q, out);
	if (err != VT_OK)
		buf_reset(&out->lines);
	count(c, err);
	tell(&q, err, out);
	note_free(q.note);
	buf_release(&q.kept);
	return err;
}

void cosigner_answer_init(struct cosigner_answer *a)
{
	*a = (struct cosigner_answer){0};
	buf_init(&a->lines);
}

void cosigner_answer_release(struct cosigner_answer *a)
{
	buf_release(&a->lines);
}

/* -- reading --------------------------------------------------------------------------------- */

enum vt_err cosigner_checkpoint(struct cosigner *c, const struct merkle_hash *origin_hash,
				struct buf *out)
{
	struct origin *o;
	enum vt_err err = VT_ENOTFOUND;

	pthread_rwlock_rdlock(&c->lock);
	o = cosigner_find(c, origin_hash);
	pthread_rwlock_unlock(&c->lock);
	if (o == NULL)
		return err;
	pthread_mutex_lock(&o->show);
	if (o->shown_damaged)
		err = VT_EINTERNAL;
	else if (o->shown.len > 0)
		err = buf_append(out, buf_bytes(&o->shown));
	pthread_mutex_unlock(&o->show);
	return err;
}

const struct vkey *cosigner_key(const struct cosigner *c)
{
	return &c->signer->key;
}

enum vt_err cosigner_each(struct cosigner *c,
			  enum vt_err (*fn)(void *ctx, const struct cosigner_log *log), void *ctx)
{
	enum vt_err err = VT_OK;

	pthread_rwlock_rdlock(&c->lock);
	for (size_t i = 0; i < c->n && err == VT_OK; i++) {
		struct origin *o = c->origin[i];
		struct cosigner_log log = {
		    .origin = o->name ? o->name : "",
		    .origin_hash = o->hash,
		    .listed = o->n_keys > 0,
		};

		pthread_mutex_lock(&o->show);
		log.damaged = o->shown_damaged;
		log.cosigned = o->shown.len > 0;
		log.head = o->shown_head;
		log.time = o->shown_time;
		pthread_mutex_unlock(&o->show);
		err = fn(ctx, &log);
	}
	pthread_rwlock_unlock(&c->lock);
	return err;
}

static enum vt_err count_log(void *ctx, const struct cosigner_log *log)
{
	struct cosigner_stats *stats = ctx;

	stats->logs += log->listed;
	stats->damaged += log->listed && log->damaged;
	return VT_OK;
}

void cosigner_stats(struct cosigner *c, struct cosigner_stats *out)
{
	*out = (struct cosigner_stats){
	    .cosigned = c->cosigned,
	    .refused_malformed = c->malformed,
	    .refused_unknown = c->unknown,
	    .refused_untrusted = c->untrusted,
	    .refused_stale = c->stale,
	    .refused_inconsistent = c->inconsistent,
	    .refused_busy = c->busy,
	    .failed = c->failed,
	    .policy_failures = c->policy_failures,
	};
	(void)cosigner_each(c, count_log, out);
}

void cosigner_policy_failed(struct cosigner *c)
{
	c->policy_failures++;
}
