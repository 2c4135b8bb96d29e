#include "gather_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "clock.h"

enum {
	/* POSTs for one cosignature: the first may meet a size that we do not know, the second one that another
	 * process of this log has moved on meanwhile. */
	TRIES_MAX = 3,
	PROOF_LINES_MAX = 63, /* tlog-witness: "The client MUST NOT send more than 63" */
	FETCH_WHY_SIZE = 160,
};

static void trouble(struct asked *out, enum gather_trouble what, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void trouble(struct asked *out, enum gather_trouble what, const char *fmt, ...)
{
	va_list args;

	out->trouble = what;
	va_start(args, fmt);
	(void)vsnprintf(out->why, sizeof(out->why), fmt, args);
	va_end(args);
}

static bool fetch(struct asked *out, struct asker *a, const struct http_ask *ask)
{
	char why[FETCH_WHY_SIZE];
	enum vt_err err;

	a->requests++;
	err = http_fetch(&a->reply, a->fetcher, ask, why);
	if (err == VT_OK)
		return true;
	trouble(out, err == VT_ELIMIT ? GATHER_MALFORMED : GATHER_UNREACHABLE, "%s", why);
	return false;
}

/* -- what it shows ------------------------------------------------------------------------------- */

/* Is there a cosignature of the witness's own on this checkpoint? */
static bool cosigned_by(const struct asker *a, struct bytes msg)
{
	struct note *note = NULL;
	bool yes = note_open(&note, msg, &a->keys) == VT_OK;

	note_free(note);
	return yes;
}

/*
 * tlog-witness, Monitor Retrieval Mechanism: "GET <monitoring prefix>/<origin hash>/checkpoint [...] The origin hash is the
 * SHA-256 hash of the log's origin, hex encoded, in lowercase." The policy has one URL for a witness, so
 * the two prefixes are taken to be the same; where they are not, nothing is found. False: it did not answer at all.
 * *size is that of the checkpoint shown that carries our signature, and *shown whether there is one.
 */
static bool look(struct asked *out, struct asker *a, bool *shown, uint64_t *size)
{
	struct bytes origin = bytes_str(a->log->name);
	struct http_ask ask = {.method = "GET", .body_max = GATHER_ANSWER_MAX};
	struct merkle_hasher hasher;
	struct merkle_hash hash;
	struct note *note = NULL;
	struct checkpoint cp;
	struct bytes body;
	enum vt_err err;
	bool answered = false;

	*shown = false;
	if ((err = merkle_hasher_init(&hasher)) == VT_OK) {
		err = merkle_sha256(&hash, &hasher, &origin, 1);
		merkle_hasher_release(&hasher);
	}
	buf_reset(&a->request);
	if (err != VT_OK || (err = buf_appendf(&a->request, "%s/", a->url)) != VT_OK ||
	    (err = buf_append_hex(&a->request, bytes_of(hash.b, sizeof(hash.b)))) != VT_OK ||
	    (err = buf_append(&a->request, bytes_of("/checkpoint", 12))) != VT_OK) {
		trouble(out, GATHER_UNREACHABLE, "%s", vt_err_text(err));
		goto done;
	}
	ask.url = (const char *)a->request.data;
	if (!fetch(out, a, &ask))
		goto done;
	answered = true;
	body = buf_bytes(&a->reply.body);
	if (a->reply.status != 200 || checkpoint_open(&note, &cp, body, a->log, NULL) != VT_OK)
		goto done;
	*shown = true;
	*size = cp.head.size;
	err = a->observed(a->ctx, body, a->name);
	if (err == VT_EMISMATCH)
		trouble(out, GATHER_CONTRADICTS,
			"shows a checkpoint of size %" PRIu64
			" with this log's signature that contradicts the log",
			cp.head.size);
	else if (err != VT_OK)
		trouble(out, GATHER_NO_PROOF,
			"the checkpoint that it shows could not be compared with the log: %s",
			vt_err_text(err));
	/* "it MUST include the cosignature(s) from the witness's key(s) that were returned from add-checkpoint" */
	else if (cosigned_by(a, body)) {
		a->size = cp.head.size;
		a->shows = true;
	}
done:
	note_free(note);
	return answered;
}

void ask_what_it_shows(struct asked *out, struct asker *a)
{
	uint64_t size;
	bool shown;

	*out = (struct asked){0};
	(void)look(out, a, &shown, &size);
	/* Not every witness shows anything; what it says to that is not held against it. */
	if (out->trouble == GATHER_MALFORMED)
		*out = (struct asked){0};
}

/* -- add-checkpoint ------------------------------------------------------------------------------ */

/*
 * tlog-witness, add-checkpoint: "an old size line, zero or more consistency proof lines, and an empty line, followed by a
 * checkpoint". "If the old size is zero, the consistency proof MUST be empty."
 */
static bool make_request(struct asked *out, struct asker *a, uint64_t old, struct bytes note,
			 uint64_t size)
{
	struct merkle_proof proof = {.n = 0};
	struct buf *b = &a->request;
	enum vt_err err = VT_OK;

	if (old != 0 && old != size)
		err = a->consistency(a->ctx, old, size, &proof);
	if (err == VT_OK && proof.n > PROOF_LINES_MAX)
		err = VT_ELIMIT;
	buf_reset(b);
	if (err == VT_OK)
		err = buf_appendf(b, "old %" PRIu64 "\n", old);
	for (size_t i = 0; i < proof.n && err == VT_OK; i++) {
		err = buf_append_base64(b, bytes_of(proof.hash[i].b, MERKLE_HASH_SIZE));
		if (err == VT_OK)
			err = buf_append_byte(b, '\n');
	}
	if (err == VT_OK && (err = buf_append_byte(b, '\n')) == VT_OK)
		err = buf_append(b, note);
	if (err != VT_OK)
		trouble(out, GATHER_NO_PROOF,
			"no consistency proof from size %" PRIu64 " to %" PRIu64 ": %s", old, size,
			vt_err_text(err));
	return err == VT_OK;
}

/*
 * "The client MAY concatenate it to the checkpoint, and use a note verification function configured with the witness
 * keys it trusts." The text has to be the one that was sent: an answer with an empty line in it would make another.
 */
static void take_cosignature(struct asked *out, struct asker *a, struct bytes sent, uint64_t size)
{
	struct note *mine = NULL;
	uint64_t now = clock_unix();
	enum vt_err err;

	buf_reset(&a->answer);
	if ((err = buf_append(&a->answer, sent)) != VT_OK ||
	    (err = buf_append(&a->answer, buf_bytes(&a->reply.body))) != VT_OK ||
	    (err = note_parse(&mine, sent)) != VT_OK) {
		trouble(out, GATHER_UNREACHABLE, "%s", vt_err_text(err));
		goto done;
	}
	err = note_open(&out->note, buf_bytes(&a->answer), &a->keys);
	if (err == VT_OK && !bytes_equal(out->note->text, mine->text))
		err = VT_EMALFORMED;
	if (err == VT_EUNTRUSTED || err == VT_EMISMATCH) {
		trouble(out, GATHER_UNSIGNED,
			err == VT_EUNTRUSTED
			    ? "answered without a cosignature by the key that the policy has for it"
			    : "answered with a cosignature that does not verify");
		goto done;
	}
	if (err != VT_OK) {
		trouble(out, GATHER_MALFORMED, "answered with what is no signature lines (%s)",
			vt_err_text(err));
		goto done;
	}
	for (size_t i = 0; i < out->note->n; i++) {
		const struct note_signature *s = &out->note->sig[i];

		/* "The cosignature MUST NOT omit the timestamp, i.e. the timestamp MUST NOT be zero." */
		if (s->key != NULL && (s->time > now + GATHER_TIME_AHEAD_MAX ||
				       s->time + GATHER_TIME_BEHIND_MAX < now)) {
			trouble(out, GATHER_BAD_TIME,
				"cosigned at the time %" PRIu64 ", while it is %" PRIu64, s->time,
				now);
			goto done;
		}
	}
	a->size = size;
done:
	note_free(mine);
	if (out->trouble != GATHER_FINE) {
		note_free(out->note);
		out->note = NULL;
	}
}

/* "The response body MUST consist of the tree size of the latest cosigned checkpoint in decimal, followed by a
 * newline (U+000A). The response MUST have a Content-Type of text/x.tlog.size." */
static bool read_size(const struct http_reply *r, uint64_t *size)
{
	static const char type[] = "text/x.tlog.size";
	const size_t n = sizeof(type) - 1;
	struct bytes body = buf_bytes(&r->body);

	if (strncasecmp(r->content_type, type, n) != 0 ||
	    (r->content_type[n] != '\0' && r->content_type[n] != ';' && r->content_type[n] != ' '))
		return false;
	return body.len > 0 && body.data[body.len - 1] == '\n' &&
	       decimal_decode(size, bytes_of(body.data, body.len - 1)) == VT_OK;
}

/* It says that it has cosigned more than we have. Only a signature of ours can make that more than a claim. */
static void check_claim(struct asked *out, struct asker *a, uint64_t claimed, uint64_t ours)
{
	uint64_t size = 0;
	bool shown;

	if (look(out, a, &shown, &size) && out->trouble == GATHER_FINE && shown && size > ours) {
		out->ahead = true;
		return;
	}
	if (out->trouble != GATHER_CONTRADICTS)
		trouble(out, GATHER_CLAIMS,
			"claims to have cosigned size %" PRIu64 ", beyond this log's %" PRIu64
			", and shows no such checkpoint with this log's signature",
			claimed, ours);
}

/* It has another root than we for a size of ours: if it has that from us, this log has signed two histories. */
static void check_disproof(struct asked *out, struct asker *a, unsigned status)
{
	struct asked seen = {0};
	uint64_t size;
	bool shown;

	(void)look(&seen, a, &shown, &size);
	if (seen.trouble == GATHER_CONTRADICTS)
		*out = seen;
	else
		trouble(out, status == 422 ? GATHER_DISPROVED : GATHER_MALFORMED,
			status == 422 ? "finds the consistency proof or the root wrong (422)"
				      : "answered 409 without its size");
}

static void read_refusal(struct asked *out, struct asker *a)
{
	unsigned status = a->reply.status;

	if (status == 429 || status == 503)
		out->retry_after = a->reply.retry_after;
	if (status == 400)
		trouble(out, GATHER_REFUSED, "finds the request malformed (400)");
	else if (status == 403)
		trouble(
		    out, GATHER_UNTRUSTED,
		    "does not take this log's signature (403): has it another key for the log?");
	else if (status == 404)
		trouble(out, GATHER_UNKNOWN_LOG,
			"does not know this log (404): its operator has to add it");
	else if (status == 409 || status == 422)
		check_disproof(out, a, status);
	else if (status == 429)
		trouble(out, GATHER_BUSY, "asks to be asked less often (429)");
	else if (status >= 500)
		trouble(out, GATHER_FAILING, "fails (HTTP status %u)", status);
	else
		trouble(out, GATHER_MALFORMED,
			"answered with HTTP status %u, which the protocol does not have", status);
}

static void has_seen_nothing(struct asked *out)
{
	trouble(out, GATHER_NEW,
		"has cosigned nothing of this log yet, so it cannot tell whether a store without "
		"its high-water mark is the newest: it is not asked. If the store is, start once "
		"with --new-mark");
}

void ask_for_cosignature(struct asked *out, struct asker *a, struct bytes note,
			 const struct tree_head *head, bool remembered)
{
	/* "The old size MUST be equal to or lower than the checkpoint size." From what is beyond us it has to tell again. */
	uint64_t old = a->size <= head->size ? a->size : 0, told;
	struct buf url;

	*out = (struct asked){0};
	/* From size 0 anyone cosigns. From another one nobody does who has cosigned nothing: it says so, and goes on
	 * remembering nothing. */
	if (remembered && old == 0)
		old = head->size;
	if (remembered && old == 0 && !a->shows) {
		has_seen_nothing(out);
		return;
	}
	buf_init(&url);
	if (buf_append_str(&url, a->url) != VT_OK ||
	    buf_append(&url, bytes_of("/add-checkpoint", 16)) != VT_OK) {
		trouble(out, GATHER_UNREACHABLE, "%s", vt_err_text(VT_ENOMEM));
		goto done;
	}
	for (int i = 0; i < TRIES_MAX; i++) {
		struct http_ask ask = {
		    .method = "POST",
		    .url = (const char *)url.data,
		    .content_type = "text/plain; charset=utf-8",
		    .body_max = GATHER_ANSWER_MAX,
		};

		if (!make_request(out, a, old, note, head->size))
			goto done;
		ask.body = buf_bytes(&a->request);
		if (!fetch(out, a, &ask))
			goto done;
		if (a->reply.status == 200) {
			take_cosignature(out, a, note, head->size);
			goto done;
		}
		if (a->reply.status != 409 || !read_size(&a->reply, &told)) {
			read_refusal(out, a);
			goto done;
		}
		if (told > head->size) {
			check_claim(out, a, told, head->size);
			goto done;
		}
		if (remembered && told == 0 && old > 0) {
			has_seen_nothing(out);
			goto done;
		}
		if (told == old)
			break;
		old = a->size = told;
	}
	trouble(out, GATHER_CONFLICT, "answers 409 to the very size that it names (%" PRIu64 ")",
		old);
done:
	buf_release(&url);
}
