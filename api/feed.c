/*
 * GET /feed.atom?subject=&type=&party=&result=&before=&limit=: the entries as an Atom feed (RFC 4287), newest first.
 *
 * No entry has a time that anybody signed, so "updated" is when the log first showed it: the time of the first kept checkpoint
 * that covers it. That never changes, and so nothing in a page changes but by further entries and corrections.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "entry_query.h"

enum {
	LIMIT_DEFAULT = 50,
	LIMIT_MAX = 200,
	SEARCHES_MAX = 8, /* of one page: each steps over some thousand entries at most */
	SUBJECTS_SHOWN = 8,
};

struct feed {
	struct log_worker *w;
	enum log_mode mode;
	const char *origin;
	const struct conditions *conditions;
	uint64_t before; /* entries below it */
	bool paged;      /* `before` was asked for */
	size_t limit;
	size_t n;
	uint64_t index[LIMIT_MAX]; /* newest first */
	bool more;
	uint64_t next; /* `before` of the next page */
};

/* -- text ------------------------------------------------------------------------------------------- */

/* One code point of valid UTF-8; *at moves on. */
static uint32_t next_char(struct bytes text, size_t *at)
{
	uint8_t first = text.data[(*at)++];
	unsigned more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
	uint32_t c = more == 0 ? first : first & (0x3fu >> more);

	for (; more > 0; more--)
		c = c << 6 | (text.data[(*at)++] & 0x3fu);
	return c;
}

/* "Char ::= #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF]" (XML 1.0, section 2.2): there is no way to write
 * any other. A C1 control is allowed and helps nobody. */
static bool xml_char(uint32_t c)
{
	return c == '\t' || c == '\n' || (c >= 0x20 && c < 0x7f) || (c >= 0xa0 && c < 0xfffe) ||
	       c > 0xffff;
}

/* Append UTF-8 as text or as an attribute's value. */
static void append_xml(struct buf *out, struct bytes text)
{
	if (!utf8_valid(text)) {
		buf_fail(out, VT_EMALFORMED);
		return;
	}
	for (size_t at = 0; at < text.len;) {
		size_t from = at;
		uint32_t c = next_char(text, &at);

		if (c == '<')
			buf_append_str(out, "&lt;");
		else if (c == '>')
			buf_append_str(out, "&gt;");
		else if (c == '&')
			buf_append_str(out, "&amp;");
		else if (c == '"')
			buf_append_str(out, "&quot;");
		else if (!xml_char(c))
			buf_append_str(out, "\xef\xbf\xbd"); /* U+FFFD */
		else
			buf_append(out, bytes_of(text.data + from, at - from));
	}
}

/* <name>text</name> */
static void append_element(struct buf *out, const char *name, struct bytes text)
{
	buf_appendf(out, "<%s>", name);
	append_xml(out, text);
	buf_appendf(out, "</%s>\n", name);
}

/* The same of a text that was put together, and releases it. */
static void append_built(struct buf *out, const char *name, struct buf *text)
{
	buf_fail(out, buf_error(text));
	append_element(out, name, buf_bytes(text));
	buf_release(text);
}

/* The origin as it may stand in a URN (RFC 8141: pchar and "/"). */
static void append_origin(struct buf *out, const char *origin)
{
	for (const char *p = origin; *p != '\0'; p++) {
		bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
			     (*p >= '0' && *p <= '9') || strchr("-._~/", *p) != NULL;

		if (plain)
			buf_append_byte(out, (uint8_t)*p);
		else
			buf_appendf(out, "%%%02X", (unsigned char)*p);
	}
}

/* -- which entries ------------------------------------------------------------------------------------ */

/* A page that steps over much ends early, and says where to go on. */
static enum vt_err find_entries(struct feed *f)
{
	struct log_search what = {.conditions = f->conditions, .newest_first = true};
	struct log_search_result *r = malloc(sizeof(*r));
	enum vt_err err = r != NULL ? VT_OK : VT_ENOMEM;

	f->next = f->before;
	f->more = f->before > 0;
	for (unsigned i = 0; err == VT_OK && f->more && f->n < f->limit && i < SEARCHES_MAX; i++) {
		what.before = f->next;
		what.limit = f->limit - f->n;
		if ((err = log_search(f->w, &what, r)) != VT_OK)
			break;
		memcpy(f->index + f->n, r->index, r->n * sizeof(r->index[0]));
		f->n += r->n;
		f->next = r->next;
		f->more = r->more;
	}
	free(r);
	return err;
}

/* -- the feed ----------------------------------------------------------------------------------------- */

static enum vt_err take_time(void *ctx, const struct store_checkpoint *cp)
{
	*(uint64_t *)ctx = cp->time;
	return VT_OK;
}

/* "feed.atom?before=7&subject=..." */
static void append_address(struct buf *out, const struct feed *f, bool paged, uint64_t before)
{
	struct buf query;

	buf_init(&query);
	if (paged)
		buf_appendf(&query, "&before=%llu", (unsigned long long)before);
	if (f->limit != LIMIT_DEFAULT)
		buf_appendf(&query, "&limit=%zu", f->limit);
	conditions_append(&query, f->conditions);
	if (query.len > 0)
		query.data[0] = '?';
	buf_append_str(out, "feed.atom");
	buf_append_buf(out, &query);
	buf_release(&query);
}

static void append_link(struct buf *out, const char *rel, const char *type, struct bytes href)
{
	buf_appendf(out, "<link rel=\"%s\" type=\"%s\" href=\"", rel, type);
	append_xml(out, href);
	buf_append_str(out, "\"/>\n");
}

static void append_feed_link(struct buf *out, const struct feed *f, const char *rel, bool paged,
			     uint64_t before)
{
	struct buf href;

	buf_init(&href);
	append_address(&href, f, paged, before);
	buf_fail(out, buf_error(&href));
	append_link(out, rel, "application/atom+xml", buf_bytes(&href));
	buf_release(&href);
}

static void append_time(struct buf *out, struct feed *f, uint64_t size)
{
	char when[CLOCK_RFC3339_SIZE];
	uint64_t time = 0;
	enum vt_err err = log_tree_head_covering(f->w, size, take_time, &time);

	/* Nothing was published yet: a feed must say something. */
	if (err != VT_ENOTFOUND)
		buf_fail(out, err);
	clock_format_rfc3339(when, time);
	append_element(out, "updated", bytes_str(when));
}

/* What a subject is called, or else what it is. */
static void append_subject(struct buf *text, const struct json *subject)
{
	struct json_cursor at = {0};
	const struct json *digest;
	struct bytes name, hex;

	if (json_text(json_member(subject, "name"), &name) && name.len > 0)
		buf_append(text, name);
	else if (json_next_member(json_member(subject, "digest"), &at, &name, &digest) &&
		 json_text(digest, &hex))
		buf_appendf(text, "%.*s:%.*s", (int)name.len, (const char *)name.data, (int)hex.len,
			    (const char *)hex.data);
	else
		buf_append_str(text, "?");
}

static void append_subjects(struct buf *text, const struct json *subjects)
{
	size_t n = json_count(subjects);

	for (size_t i = 0; i < n && i < SUBJECTS_SHOWN; i++) {
		if (i > 0)
			buf_append_str(text, ", ");
		append_subject(text, json_at(subjects, i));
	}
	if (n > SUBJECTS_SHOWN)
		buf_appendf(text, " and %zu more", n - SUBJECTS_SHOWN);
}

/* "FAILED: router.bin", "release: router.bin", "entry 7": what a list of titles is good for. */
static void append_title(struct buf *out, const struct json *entry, uint64_t index)
{
	struct bytes what;
	struct buf text;

	buf_init(&text);
	if (json_member(entry, "subject") == NULL) {
		buf_appendf(&text, "entry %llu", (unsigned long long)index);
	} else {
		if (!json_text(json_member(entry, "result"), &what) &&
		    !json_text(json_member(entry, "predicateType"), &what))
			what = bytes_str("entry");
		buf_append(&text, what);
		buf_append_str(&text, ": ");
		append_subjects(&text, json_member(entry, "subject"));
	}
	append_built(out, "title", &text);
}

static void append_author(struct buf *out, struct bytes name)
{
	buf_append_str(out, "<author>");
	append_element(out, "name", name);
	buf_append_str(out, "</author>\n");
}

static void append_authors(struct buf *out, const struct json *signers)
{
	struct bytes party;

	for (size_t i = 0; i < json_count(signers); i++)
		if (json_text(json_member(json_at(signers, i), "party"), &party))
			append_author(out, party);
}

/* "; stands for lab-1; withdrawn for lab-2 by entry 9": where nothing corrects it, that goes without saying. */
static void append_standing(struct buf *text, const struct json *entry)
{
	const struct json *list = json_member(entry, "standing");

	if (json_count(json_member(entry, "correctedBy")) == 0)
		return;
	if (list == NULL)
		buf_append_str(text, "; corrected by later entries");
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *one = json_at(list, i);
		struct bytes party = {0}, action;
		int64_t by;

		if (!json_text(json_member(one, "party"), &party))
			buf_fail(text, VT_EINTERNAL);
		if (!json_integer(json_member(one, "by"), &by) ||
		    !json_text(json_member(one, "action"), &action))
			buf_appendf(text, "; stands for %.*s", (int)party.len,
				    (const char *)party.data);
		else
			buf_appendf(text, "; %s for %.*s by entry %lld",
				    bytes_is(action, "withdraw") ? "withdrawn" : "replaced",
				    (int)party.len, (const char *)party.data, (long long)by);
	}
}

static void append_summary(struct buf *out, const struct json *entry)
{
	struct bytes leaf = {0};
	struct buf text;

	buf_init(&text);
	buf_append_str(&text, "leaf hash ");
	if (!json_text(json_member(entry, "leafHash"), &leaf))
		buf_fail(&text, VT_EINTERNAL);
	buf_append(&text, leaf);
	append_standing(&text, entry);
	append_built(out, "summary", &text);
}

static enum vt_err append_entry(struct buf *out, size_t *read, struct feed *f, uint64_t index)
{
	struct json *entry;
	struct bytes type;
	char href[64];
	enum vt_err err;

	(void)snprintf(href, sizeof(href), "api/v1/entries/%llu", (unsigned long long)index);
	if ((err = entry_summary(&entry, read, f->w, f->mode, index)) != VT_OK)
		return buf_fail(out, err);
	buf_append_str(out, "<entry>\n<id>urn:vitrine:entry:");
	append_origin(out, f->origin);
	buf_appendf(out, ":%llu</id>\n", (unsigned long long)index);
	append_title(out, entry, index);
	append_time(out, f, index + 1);
	append_authors(out, json_member(entry, "signers"));
	append_link(out, "alternate", "application/json", bytes_str(href));
	if (json_text(json_member(entry, "predicateType"), &type)) {
		buf_append_str(out, "<category term=\"");
		append_xml(out, type);
		buf_append_str(out, "\"/>\n");
	}
	append_summary(out, entry);
	json_free(entry);
	return buf_append_str(out, "</entry>\n");
}

/* "urn:vitrine:feed:origin", with the conditions as a query: another feed for other conditions. */
static void append_feed_id(struct buf *out, const struct feed *f)
{
	struct buf id;
	size_t query;

	buf_init(&id);
	buf_append_str(&id, "urn:vitrine:feed:");
	append_origin(&id, f->origin);
	query = id.len;
	/* RFC 8141: "?=" begins a URN's q-component. */
	if (conditions_any(f->conditions)) {
		buf_append_str(&id, "?=");
		conditions_append(&id, f->conditions);
	}
	/* The query's own "&" goes. */
	if (buf_error(&id) == VT_OK && id.len > query) {
		memmove(id.data + query + 2, id.data + query + 3, id.len - query - 3);
		id.len--;
	}
	append_built(out, "id", &id);
}

/* An entry's corrections are read with it: a page that has become too dear ends early, and the next one goes on. */
static void append_entries(struct buf *out, struct feed *f)
{
	size_t bytes = 0, read;

	for (size_t i = 0; i < f->n; i++) {
		if (bytes >= PAGE_BYTES_MAX) {
			f->n = i;
			f->more = true;
			f->next = f->index[i - 1];
			return;
		}
		if (append_entry(out, &read, f, f->index[i]) != VT_OK)
			return;
		bytes += read;
	}
}

static void write_feed(struct buf *out, struct feed *f)
{
	struct buf entries;

	buf_init(&entries);
	append_entries(&entries, f);
	buf_append_str(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
			    "<feed xmlns=\"http://www.w3.org/2005/Atom\">\n");
	append_feed_id(out, f);
	append_element(out, "title", bytes_str(f->origin));
	append_time(out, f, f->n > 0 ? f->index[0] + 1 : 0);
	append_author(out, bytes_str(f->origin));
	append_feed_link(out, f, "self", f->paged, f->before);
	/* RFC 5005 section 3: pages are linked by next, and first. */
	if (f->more)
		append_feed_link(out, f, "next", true, f->next);
	if (f->paged)
		append_feed_link(out, f, "first", false, 0);
	buf_append_buf(out, &entries);
	buf_append_str(out, "</feed>\n");
	buf_release(&entries);
}

static void add_next(struct http_response *r, const struct feed *f)
{
	struct buf address;

	buf_init(&address);
	append_address(&address, f, true, f->next);
	if (buf_error(&address) == VT_OK)
		http_response_header(r, "Link", "<%.*s>; rel=\"next\"", (int)address.len,
				     (const char *)address.data);
	buf_release(&address);
}

static void answer(struct http_exchange *x, struct feed *f)
{
	char hex[2 * MERKLE_HASH_SIZE + 1];
	struct merkle_hash digest;
	struct http_response r;
	enum vt_err err;

	api_response_init(&r, 200, "application/atom+xml", API_CACHE_CHECK);
	write_feed(&r.body, f);
	/* The tag is of the bytes: what the conditions keep out changes nothing. */
	if ((err = buf_error(&r.body)) != VT_OK ||
	    (err = merkle_hash_leaf(&digest, log_worker_hasher(f->w), buf_bytes(&r.body))) !=
		VT_OK) {
		http_response_release(&r);
		api_problem_err(x, err, "writing the feed");
		return;
	}
	hex_encode(hex, bytes_of(digest.b, 16));
	http_response_etag(&r, "feed-%s", hex);
	if (f->more)
		add_next(&r, f);
	r.may_gzip = true;
	http_respond(x, &r);
}

void handle_feed(struct http_exchange *x, void *thread, void *app)
{
	static const char *const names[] = {CONDITION_NAMES, "before", "limit", NULL};
	static const char *const raw_names[] = {"before", "limit", NULL};
	struct api *api = app;
	struct conditions c;
	uint64_t size = 0, limit = LIMIT_DEFAULT;
	struct feed f = {
	    .w = thread,
	    .mode = log_mode(api->log),
	    .origin = log_identity(api->log)->origin,
	    .conditions = &c,
	    .before = INT64_MAX,
	};
	enum vt_err err;

	conditions_init(&c);
	if (!api_only(x, f.mode == LOG_RAW ? raw_names : names) || !conditions_query(x, &c) ||
	    !api_query_number(x, "before", 1, SIZE_LIMIT, &f.before, &f.paged) ||
	    !api_query_number(x, "limit", 1, LIMIT_MAX, &limit, NULL))
		goto done;
	f.limit = (size_t)limit;
	if ((err = log_checkpoint(f.w, &size, NULL)) != VT_OK && err != VT_ENOTFOUND) {
		api_problem_err(x, err, "reading the checkpoint");
		goto done;
	}
	if (f.before > size)
		f.before = size;
	if ((err = find_entries(&f)) != VT_OK)
		api_problem_err(x, err, "searching");
	else
		answer(x, &f);
done:
	conditions_release(&c);
}
