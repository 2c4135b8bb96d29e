#include "log_state.h"

#include <string.h>

#include "durable.h"
#include "json.h"

enum {
	FORMAT = 1,
	FILE_MAX = 4 << 20, /* a checkpoint may be 1 MiB long */
	DIGEST_LINE = 2 * MERKLE_HASH_SIZE + 1,
};

const char *trouble_name(enum trouble t)
{
	static const char *const names[TROUBLE_COUNT] = {
	    "silent",      "malformed", "untrusted", "quorum", "backwards",
	    "contradicts", "forked",    "withheld",  "centre",
	};

	return names[t];
}

void log_state_init(struct log_state *s)
{
	memset(s, 0, sizeof(*s));
	buf_init(&s->vkey);
	buf_init(&s->checkpoint);
	merkle_range_init(&s->range);
}

void log_state_release(struct log_state *s)
{
	buf_release(&s->vkey);
	buf_release(&s->checkpoint);
}

/* -- writing: "<SHA-256 of the rest>\n{...}\n" ------------------------------------------------ */

static struct json *range_json(const struct merkle_range *range)
{
	struct json *list = json_new_array();

	for (size_t i = 0; i < range->n; i++)
		json_add_element(&list, json_new_hash(&range->node[i]));
	return list;
}

static struct json *runs_json(const struct pairs_mark *m)
{
	struct json *list = json_new_array();

	for (size_t i = 0; i < m->n; i++)
		json_add_element(&list, JSON_OBJECT_OF({"id", json_new_uint(m->run[i].id)},
						       {"slots", json_new_uint(m->run[i].slots)},
						       {"level", json_new_uint(m->run[i].level)}));
	return list;
}

static struct json *troubles_json(const struct log_state *s)
{
	struct json *o = json_new_object();

	for (unsigned t = 0; t < TROUBLE_COUNT; t++)
		if (s->since[t] != 0)
			json_add(&o, trouble_name((enum trouble)t), json_new_uint(s->since[t]));
	return o;
}

static struct json *state_json(const struct log_state *s)
{
	const struct pairs_mark *runs = &s->checks.runs;

	return JSON_OBJECT_OF(
	    {"format", json_new_uint(FORMAT)}, {"vkey", json_new_text(buf_bytes(&s->vkey))},
	    {"mode", json_new_uint(s->mode)}, {"size", json_new_uint(s->range.size)},
	    {"range", range_json(&s->range)},
	    /* As bytes: it may hold text that strict JSON refuses (noncharacters). */
	    {"checkpoint", json_new_base64(buf_bytes(&s->checkpoint))},
	    {"registryBytes", json_new_uint(s->checks.registry_bytes)}, {"runs", runs_json(runs)},
	    {"nextRun", json_new_uint(runs->next_id)}, {"tail", json_new_uint(runs->tail_id)},
	    {"tailBytes", json_new_uint(runs->tail_bytes)},
	    {"answered", json_new_uint(s->answered)},
	    {"inadmissible", json_new_uint(s->inadmissible)}, {"hits", json_new_uint(s->hits)},
	    {"stalled", json_new_uint(s->stalled)}, {"refusedAt", json_new_uint(s->refused_at)},
	    {"watchedSeconds", json_new_uint(s->watched_seconds)},
	    {"lagSeconds", json_new_uint(s->lag_seconds)}, {"lagSize", json_new_uint(s->lag_size)},
	    {"unansweredAt", json_new_uint(s->unanswered_at)},
	    {"silentSeconds", json_new_uint(s->silent_seconds)},
	    {"provenAt", json_new_uint(s->proven_at)},
	    {"inadmissibleAt", json_new_uint(s->inadmissible_at)},
	    {"evidence", json_new_uint(s->evidence)}, {"troubles", troubles_json(s)});
}

static enum vt_err digest_of(char out[2 * MERKLE_HASH_SIZE + 1], struct bytes text)
{
	struct merkle_hasher h;
	struct merkle_hash hash;
	enum vt_err err;

	if ((err = merkle_hasher_init(&h)) != VT_OK)
		return err;
	err = merkle_sha256(&hash, &h, &text, 1);
	merkle_hasher_release(&h);
	hex_encode(out, bytes_of(hash.b, MERKLE_HASH_SIZE));
	return err;
}

enum vt_err log_state_write(const struct log_state *s, const char *path)
{
	char digest[2 * MERKLE_HASH_SIZE + 1];
	struct json *j = state_json(s);
	struct buf text, all;
	enum vt_err err;

	buf_init(&text);
	buf_init(&all);
	json_write(&text, j, JSON_COMPACT);
	if ((err = buf_append_byte(&text, '\n')) == VT_OK &&
	    (err = digest_of(digest, buf_bytes(&text))) == VT_OK) {
		buf_appendf(&all, "%s\n", digest);
		if ((err = buf_append_buf(&all, &text)) == VT_OK)
			err = durable_write(path, buf_bytes(&all), 0600);
	}
	json_free(j);
	buf_release(&text);
	buf_release(&all);
	return err;
}

/* -- reading: what the digest covers was written above, so the rest is checked lightly -------- */

static bool get_number(uint64_t *out, const struct json *o, const char *name)
{
	int64_t n;

	if (!json_integer(json_member(o, name), &n) || n < 0)
		return false;
	*out = (uint64_t)n;
	return true;
}

static bool get_text(struct buf *out, const struct json *o, const char *name)
{
	struct bytes text;

	return json_text(json_member(o, name), &text) && buf_append(out, text) == VT_OK;
}

static bool get_base64(struct buf *out, const struct json *o, const char *name)
{
	struct bytes text;

	return json_text(json_member(o, name), &text) &&
	       buf_append_decoded_base64(out, text, BASE64_STANDARD) == VT_OK;
}

static bool get_range(struct merkle_range *range, const struct json *o)
{
	const struct json *list = json_member(o, "range");

	if (!get_number(&range->size, o, "size") || json_count(list) > MERKLE_RANGE_MAX)
		return false;
	range->n = json_count(list);
	for (size_t i = 0; i < range->n; i++) {
		struct bytes text;
		if (!json_text(json_at(list, i), &text) ||
		    hex_decode_exact(range->node[i].b, MERKLE_HASH_SIZE, text) != VT_OK)
			return false;
	}
	return true;
}

static bool get_runs(struct pairs_mark *m, const struct json *o)
{
	const struct json *list = json_member(o, "runs");

	if (!get_number(&m->next_id, o, "nextRun") || !get_number(&m->tail_id, o, "tail") ||
	    !get_number(&m->tail_bytes, o, "tailBytes") || json_count(list) > PAIRS_MAX)
		return false;
	m->n = json_count(list);
	for (size_t i = 0; i < m->n; i++) {
		const struct json *run = json_at(list, i);
		uint64_t level;
		if (!get_number(&m->run[i].id, run, "id") ||
		    !get_number(&m->run[i].slots, run, "slots") ||
		    !get_number(&level, run, "level") || level > PAIRS_MAX)
			return false;
		m->run[i].level = (unsigned)level;
	}
	return true;
}

/* Members that states of earlier versions lack. For a trouble that stands in one of those, the log's last answer is taken
 * as its beginning. */
static void get_what_stands(struct log_state *s, const struct json *o)
{
	if (!get_number(&s->refused_at, o, "refusedAt"))
		s->refused_at = s->stalled;
	get_number(&s->watched_seconds, o, "watchedSeconds");
	get_number(&s->lag_seconds, o, "lagSeconds");
	get_number(&s->unanswered_at, o, "unansweredAt");
	get_number(&s->silent_seconds, o, "silentSeconds");
	if (!get_number(&s->lag_size, o, "lagSize"))
		s->lag_size = s->stalled > 0 ? s->range.size + 1 : 0;
	if (!get_number(&s->proven_at, o, "provenAt"))
		s->proven_at = s->since[TROUBLE_FORKED] > 0 ? s->since[TROUBLE_FORKED]
			       : s->evidence > 0            ? s->answered
							    : 0;
	if (!get_number(&s->inadmissible_at, o, "inadmissibleAt") && s->inadmissible > 0)
		s->inadmissible_at = s->answered > 0 ? s->answered : 1;
}

static bool get_state(struct log_state *s, const struct json *o)
{
	const struct json *troubles = json_member(o, "troubles");
	uint64_t format, mode;

	if (!get_number(&format, o, "format") || format != FORMAT ||
	    !get_number(&mode, o, "mode") || mode > LOG_MODE_RAW || !get_range(&s->range, o) ||
	    !get_runs(&s->checks.runs, o) || !get_text(&s->vkey, o, "vkey") ||
	    !get_base64(&s->checkpoint, o, "checkpoint") ||
	    !get_number(&s->checks.registry_bytes, o, "registryBytes") ||
	    !get_number(&s->answered, o, "answered") ||
	    !get_number(&s->inadmissible, o, "inadmissible") || !get_number(&s->hits, o, "hits") ||
	    !get_number(&s->stalled, o, "stalled") || !get_number(&s->evidence, o, "evidence"))
		return false;
	s->mode = (enum log_mode_seen)mode;
	for (unsigned t = 0; t < TROUBLE_COUNT; t++)
		get_number(&s->since[t], troubles, trouble_name((enum trouble)t));
	get_what_stands(s, o);
	return true;
}

enum vt_err log_state_read(struct log_state *s, const char *path)
{
	char digest[2 * MERKLE_HASH_SIZE + 1];
	struct json *j = NULL;
	struct buf text;
	struct bytes rest;
	enum vt_err err;

	buf_init(&text);
	if ((err = file_read(&text, path, FILE_MAX)) != VT_OK)
		goto done;
	if (text.len < DIGEST_LINE) {
		err = VT_EMISMATCH;
		goto done;
	}
	rest = bytes_of(text.data + DIGEST_LINE, text.len - DIGEST_LINE);
	if ((err = digest_of(digest, rest)) != VT_OK)
		goto done;
	if (memcmp(digest, text.data, DIGEST_LINE - 1) != 0) {
		err = VT_EMISMATCH;
		goto done;
	}
	if ((err = json_parse(&j, rest, NULL)) == VT_OK && !get_state(s, j))
		err = VT_EMISMATCH;
	if (err == VT_EMALFORMED) /* json_parse takes trailing white space; nothing else is there */
		err = VT_EMISMATCH;
done:
	json_free(j);
	buf_release(&text);
	return err;
}
