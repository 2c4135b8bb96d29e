/* What stands against the logs, as the state folder says it, and what somebody has acknowledged of it. */
#include "standing.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "durable.h"
#include "files.h"
#include "gossip.h"

enum {
	PATH_SIZE = 4096,
	EVIDENCE_ID = 64,                        /* hex digits of a name in evidence/ */
	EVIDENCE_BEGINNING = VKEY_NAME_MAX + 64, /* bytes of it, which say of which log it is */
};

/* -- words ------------------------------------------------------------------------------------ */

enum severity severity_of(const char *kind)
{
	if (strcmp(kind, "watch") == 0)
		return SEVERITY_NOTICE;
	return strcmp(kind, "inadmissible") == 0 ? SEVERITY_ERROR : SEVERITY_CRITICAL;
}

const char *severity_name(enum severity s)
{
	static const char *const names[SEVERITY_COUNT] = {"critical", "error", "notice"};

	return names[s];
}

static const char *trouble_sentence(enum trouble t)
{
	static const char *const sentence[TROUBLE_COUNT] = {
	    [TROUBLE_SILENT] = "does not answer",
	    [TROUBLE_MALFORMED] = "serves what is not in the format",
	    [TROUBLE_UNTRUSTED] = "its checkpoint is not validly signed",
	    [TROUBLE_QUORUM] = "its checkpoint lacks cosignatures",
	    [TROUBLE_BACKWARDS] = "shows a smaller head than before",
	    [TROUBLE_CONTRADICTS] = "its tiles or entries do not make its root",
	    [TROUBLE_FORKED] = "shows another history than the one it signed before",
	    [TROUBLE_WITHHELD] = "shows a head, but not all that it covers",
	    [TROUBLE_CENTRE] = "its entry 0 is not by the centre that was named",
	};

	return sentence[t] != NULL ? sentence[t] : trouble_name(t);
}

/* -- lists ------------------------------------------------------------------------------------ */

void standing_list_init(struct standing_list *l)
{
	*l = (struct standing_list){NULL, 0, 0};
}

void standing_list_release(struct standing_list *l)
{
	free(l->item);
	standing_list_init(l);
}

static int newer_first(const void *a, const void *b)
{
	const struct standing *left = a, *right = b;

	if (left->since != right->since)
		return left->since > right->since ? -1 : 1;
	if (left->severity != right->severity)
		return left->severity < right->severity ? -1 : 1;
	return strcmp(left->id, right->id);
}

void standing_list_sort(struct standing_list *l)
{
	if (l->n > 0)
		qsort(l->item, l->n, sizeof(*l->item), newer_first);
}

static bool is_acknowledged(const char *monitor_dir, const char *id)
{
	char path[PATH_SIZE];

	return snprintf(path, sizeof(path), "%s/acknowledged/%s", monitor_dir, id) <
		   (int)sizeof(path) &&
	       access(path, F_OK) == 0;
}

enum vt_err standing_list_add(struct standing_list *l, const struct standing *s)
{
	size_t cap = l->cap == 0 ? 16 : l->cap * 2;
	struct standing *item;

	if (l->n == l->cap) {
		if ((item = realloc(l->item, cap * sizeof(*item))) == NULL)
			return VT_ENOMEM;
		l->item = item;
		l->cap = cap;
	}
	l->item[l->n++] = *s;
	return VT_OK;
}

size_t standing_list_count(const struct standing_list *l, const char *origin)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += strcmp(l->item[i].origin, origin) == 0;
	return n;
}

void standing_list_drop_acknowledged(struct standing_list *l, const char *monitor_dir)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n; i++)
		if (!l->item[i].for_good || !is_acknowledged(monitor_dir, l->item[i].id))
			l->item[kept++] = l->item[i];
	l->n = kept;
}

enum vt_err standing_make_id(char out[STANDING_ID_SIZE], const char *kind, struct bytes of)
{
	const struct bytes part[] = {bytes_of(kind, strlen(kind) + 1), of};
	char hex[2 * MERKLE_HASH_SIZE + 1];
	struct merkle_hasher h;
	struct merkle_hash hash;
	enum vt_err err;

	if ((err = merkle_hasher_init(&h)) != VT_OK)
		return err;
	err = merkle_sha256(&hash, &h, part, sizeof(part) / sizeof(*part));
	merkle_hasher_release(&h);
	hex_encode(hex, bytes_of(hash.b, MERKLE_HASH_SIZE));
	memcpy(out, hex, STANDING_ID_SIZE - 1);
	out[STANDING_ID_SIZE - 1] = '\0';
	return err;
}

/* -- by one log's state ----------------------------------------------------------------------- */

/* Another id for what comes later: what nobody has looked into is not acknowledged with the rest. */
static enum vt_err id_of_state(struct standing *out, const struct log_state *s, uint64_t count)
{
	struct buf of;
	enum vt_err err;

	buf_init(&of);
	if ((err = buf_appendf(&of, "%llu %llu", (unsigned long long)out->since,
			       (unsigned long long)count)) == VT_OK &&
	    (err = buf_append_byte(&of, '\0')) == VT_OK &&
	    (err = buf_append(&of, buf_bytes(&s->vkey))) == VT_OK)
		err = standing_make_id(out->id, out->kind, buf_bytes(&of));
	buf_release(&of);
	return err;
}

/* The name in a vkey: what stands before the first plus sign. */
static void name_of(char out[VKEY_NAME_MAX + 1], const struct log_state *s)
{
	size_t n = 0;

	while (n < s->vkey.len && n < VKEY_NAME_MAX && s->vkey.data[n] != '+')
		n++;
	memcpy(out, s->vkey.data, n);
	out[n] = '\0';
}

static enum vt_err begin_standing(struct standing *out, const struct log_state *s, const char *kind,
				  uint64_t since, uint64_t count)
{
	*out = (struct standing){.since = since, .severity = severity_of(kind)};
	snprintf(out->kind, sizeof(out->kind), "%s", kind);
	name_of(out->origin, s);
	return id_of_state(out, s, count);
}

static enum vt_err describe_for_good(struct standing *out, const struct log_state *s,
				     enum standing_for_good which)
{
	enum vt_err err =
	    which == STANDING_PROVEN
		? begin_standing(out, s, "forked", s->proven_at, 0)
		: begin_standing(out, s, "inadmissible", s->inadmissible_at, s->inadmissible);

	out->for_good = true;
	if (which == STANDING_PROVEN)
		snprintf(out->text, sizeof(out->text), "has signed two histories");
	else
		snprintf(out->text, sizeof(out->text), "%llu %s must not be there",
			 (unsigned long long)s->inadmissible,
			 s->inadmissible == 1 ? "entry that" : "entries that");
	return err;
}

bool standing_acknowledged(const char *monitor_dir, const struct log_state *s,
			   enum standing_for_good which)
{
	struct standing one;

	return describe_for_good(&one, s, which) == VT_OK && is_acknowledged(monitor_dir, one.id);
}

enum vt_err standing_of_log(struct standing_list *out, const char *monitor_dir,
			    const struct log_state *s)
{
	struct standing one;
	enum vt_err err = VT_OK;

	for (unsigned t = 0; t < TROUBLE_COUNT && err == VT_OK; t++) {
		/* Said once, by what stands for good. */
		if (s->since[t] == 0 || (t == TROUBLE_FORKED && s->proven_at > 0))
			continue;
		if ((err = begin_standing(&one, s, trouble_name((enum trouble)t), s->since[t],
					  0)) != VT_OK)
			break;
		one.unsure = t == TROUBLE_SILENT;
		snprintf(one.text, sizeof(one.text), "%s", trouble_sentence((enum trouble)t));
		err = standing_list_add(out, &one);
	}
	if (err == VT_OK && s->proven_at > 0 &&
	    (err = describe_for_good(&one, s, STANDING_PROVEN)) == VT_OK)
		err = standing_list_add(out, &one);
	if (err == VT_OK && s->inadmissible_at > 0 &&
	    (err = describe_for_good(&one, s, STANDING_INADMISSIBLE)) == VT_OK)
		err = standing_list_add(out, &one);
	standing_list_drop_acknowledged(out, monitor_dir);
	return err;
}

/* -- by the folder ---------------------------------------------------------------------------- */

struct folder_reading {
	struct standing_list *out;
	const char *monitor_dir, *folder;
	size_t before; /* how many were in the list */
};

static enum vt_err standing_of_state_file(void *ctx, const char *name)
{
	const struct folder_reading *r = ctx;
	char path[PATH_SIZE];
	struct log_state s;
	enum vt_err err;

	if (name[0] == '.')
		return VT_OK;
	if (snprintf(path, sizeof(path), "%s/%s/state", r->folder, name) >= (int)sizeof(path))
		return VT_ELIMIT;
	log_state_init(&s);
	if ((err = log_state_read(&s, path)) == VT_OK)
		err = standing_of_log(r->out, r->monitor_dir, &s);
	log_state_release(&s);
	return err == VT_ENOTFOUND ? VT_OK : err;
}

/* When it came, and the name on its second line. What cannot be read is evidence all the same, of no log that is known. */
static void describe_evidence(struct standing *out, const char *path)
{
	static const char before_name[] = "vitrine-evidence@v1\nlog ";
	char text[EVIDENCE_BEGINNING + 1];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n;
	size_t len;

	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0)
		out->since = (uint64_t)st.st_mtime;
	n = read(fd, text, EVIDENCE_BEGINNING);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	if (strncmp(text, before_name, strlen(before_name)) != 0)
		return;
	len = strcspn(text + strlen(before_name), "\n");
	if (len <= VKEY_NAME_MAX && utf8_valid(bytes_of(text + strlen(before_name), len)))
		snprintf(out->origin, sizeof(out->origin), "%.*s", (int)len,
			 text + strlen(before_name));
}

/* In the list from the other place already: then the earlier of the times counts, and the name if only one has it. */
static bool join_evidence(const struct folder_reading *r, const struct standing *one)
{
	for (size_t i = r->before; i < r->out->n; i++) {
		struct standing *known = &r->out->item[i];

		if (strcmp(known->id, one->id) != 0)
			continue;
		if (known->since == 0 || (one->since != 0 && one->since < known->since))
			known->since = one->since;
		if (known->origin[0] == '\0')
			memcpy(known->origin, one->origin, sizeof(known->origin));
		return true;
	}
	return false;
}

static enum vt_err add_evidence(void *ctx, const char *name)
{
	struct standing one = {.severity = severity_of("evidence"), .for_good = true};
	const struct folder_reading *r = ctx;
	char path[PATH_SIZE];

	if (strlen(name) != EVIDENCE_ID || strspn(name, "0123456789abcdef") != EVIDENCE_ID)
		return VT_OK;
	if (snprintf(path, sizeof(path), "%s/%s", r->folder, name) >= (int)sizeof(path))
		return VT_ELIMIT;
	describe_evidence(&one, path);
	memcpy(one.id, name, STANDING_ID_SIZE - 1);
	snprintf(one.kind, sizeof(one.kind), "evidence");
	snprintf(one.text, sizeof(one.text), "evidence that a log signed two histories: %s", name);
	return join_evidence(r, &one) ? VT_OK : standing_list_add(r->out, &one);
}

enum vt_err standing_evidence(struct standing_list *out, const char *monitor_dir)
{
	static const char *const place[] = {"evidence", "gossip/evidence"};
	char folder[PATH_SIZE];
	struct folder_reading r = {out, monitor_dir, folder, out->n};
	enum vt_err err = VT_OK;

	for (size_t i = 0; i < sizeof(place) / sizeof(*place) && err == VT_OK; i++) {
		if (snprintf(folder, sizeof(folder), "%s/%s", monitor_dir, place[i]) >=
		    (int)sizeof(folder))
			return VT_ELIMIT;
		if ((err = folder_each(folder, add_evidence, &r)) == VT_ENOTFOUND)
			err = VT_OK;
	}
	standing_list_drop_acknowledged(out, monitor_dir);
	return err;
}

enum vt_err standing_of_folder(struct standing_list *out, const char *monitor_dir)
{
	char folder[PATH_SIZE], gossip[PATH_SIZE];
	struct folder_reading r = {out, monitor_dir, folder, out->n};
	enum vt_err err;

	if (snprintf(folder, sizeof(folder), "%s/logs", monitor_dir) >= (int)sizeof(folder) ||
	    snprintf(gossip, sizeof(gossip), "%s/gossip", monitor_dir) >= (int)sizeof(gossip))
		return VT_ELIMIT;
	if ((err = folder_each(folder, standing_of_state_file, &r)) == VT_OK &&
	    (err = standing_evidence(out, monitor_dir)) == VT_OK)
		err = gossip_standing_of_folder(out, gossip, monitor_dir);
	standing_list_drop_acknowledged(out, monitor_dir);
	standing_list_sort(out);
	return err;
}

/* -- acknowledging ---------------------------------------------------------------------------- */

enum vt_err standing_acknowledge(const char *monitor_dir, const struct standing *s,
				 const char *said)
{
	char path[PATH_SIZE], time[CLOCK_RFC3339_SIZE];
	struct buf text;
	enum vt_err err = VT_ELIMIT;

	buf_init(&text);
	clock_format_rfc3339(time, clock_unix());
	if (snprintf(path, sizeof(path), "%s/acknowledged", monitor_dir) >= (int)sizeof(path) ||
	    (err = durable_mkdir(path)) != VT_OK)
		goto done;
	err = VT_ELIMIT;
	if (snprintf(path, sizeof(path), "%s/acknowledged/%s", monitor_dir, s->id) >=
		(int)sizeof(path) ||
	    (err = buf_appendf(&text, "%s %s %s: %s\n%s\n", time, s->kind, s->origin, s->text,
			       said)) != VT_OK)
		goto done;
	err = durable_write(path, buf_bytes(&text), 0644);
done:
	buf_release(&text);
	return err;
}
