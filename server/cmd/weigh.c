/* Weighs what several proofs say of one file: standing, demands, and the sentence that people read. */
#include "weigh.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"

enum { TOLD_MAX = 8 }; /* entries that the sentence names */

/* -- standing ------------------------------------------------------------------------------------ */

static void read_standing(struct entry_standing *out, const struct checked *c)
{
	entry_standing_init(out, c->proof.index, &c->leaf, &c->statement);
	for (size_t i = 0; i < c->n_signers; i++) {
		const struct registered_key *key;
		struct merkle_hash id;

		if (hex_decode_exact(id.b, sizeof(id.b), bytes_str(c->signer[i].keyid)) == VT_OK &&
		    (key = registry_find(c->verdict.registry, &id)) != NULL)
			entry_standing_add(out, key);
	}
}

static void take_answer(struct weighed *w, const struct entry_standing *judged, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (judged[i].index == w->standing.index &&
		    merkle_hash_equal(&judged[i].leaf, &w->standing.leaf)) {
			w->standing = judged[i];
			return;
		}
}

/* Those of one log: indexes of different logs have nothing to do with each other. */
static void judge_log(struct weighed *list, size_t n, const struct policy_log *log,
		      struct entry_standing *room)
{
	size_t members = 0;

	for (size_t i = 0; i < n; i++)
		if (list[i].usable && list[i].checked->log == log)
			room[members++] = list[i].standing;
	entry_standing_judge(room, members);
	for (size_t i = 0; i < n; i++)
		if (list[i].usable && list[i].checked->log == log)
			take_answer(&list[i], room, members);
}

static enum vt_err judge_all(struct weighed *list, size_t n)
{
	struct entry_standing *room = calloc(n == 0 ? 1 : n, sizeof(*room));

	if (room == NULL)
		return VT_ENOMEM;
	for (size_t i = 0; i < n; i++) {
		list[i].standing = (struct entry_standing){0};
		if (list[i].usable)
			read_standing(&list[i].standing, list[i].checked);
	}
	for (size_t i = 0; i < n; i++) {
		const struct policy_log *log = list[i].checked->log;
		size_t first = 0;

		while (!list[first].usable || list[first].checked->log != log)
			if (++first > i)
				break;
		if (first == i)
			judge_log(list, n, log, room);
	}
	free(room);
	return VT_OK;
}

/* -- demands ------------------------------------------------------------------------------------- */

struct tally {
	size_t known;              /* entries about what was asked for */
	size_t verdicts, standing; /* those of them that are verdicts; that stand for anyone */
	bool failed;               /* a FAILED verdict stands */
	bool met;                  /* what result and party ask for */
	bool taken_back;           /* something other than a verdict stands for nobody */
};

static bool is_verdict(const struct weighed *w, struct bytes *result)
{
	return w->usable && w->about && statement_result(&w->checked->statement, result);
}

static bool meets_demands(const struct weighed *w, struct bytes result,
			  const struct weigh_demands *d)
{
	if (d->result != NULL && !bytes_is(result, d->result))
		return false;
	return d->party != NULL ? entry_standing_for(&w->standing, d->party)
				: entry_standing_for_anyone(&w->standing);
}

static struct tally tally_verdicts(const struct weighed *list, size_t n,
				   const struct weigh_demands *d)
{
	struct tally t = {.met = d->result == NULL && d->party == NULL};
	struct bytes result;

	for (size_t i = 0; i < n; i++) {
		bool stands = entry_standing_for_anyone(&list[i].standing);

		t.known += list[i].usable && list[i].about;
		if (!is_verdict(&list[i], &result)) {
			t.taken_back |= list[i].usable && list[i].about && !stands;
			continue;
		}
		t.verdicts++;
		t.standing += stands;
		t.failed |= stands && bytes_is(result, "FAILED");
		t.met |= meets_demands(&list[i], result, d);
	}
	return t;
}

/* -- the sentence -------------------------------------------------------------------------------- */

/* The parties for whom it stands; or, if !stands, those for whom the correction at `by` ended that. */
static void append_parties(struct buf *out, const struct entry_standing *s, bool stands,
			   uint64_t by)
{
	char shown[160];
	size_t told = 0;

	for (size_t i = 0; i < s->n; i++) {
		const struct entry_standing_party *p = &s->party[i];

		if (p->stands != stands || (!stands && p->by != by))
			continue;
		problem_quote(shown, sizeof(shown), bytes_str(p->name));
		buf_appendf(out, "%s%s", told++ == 0 ? "" : ", ", shown);
	}
}

static bool told_before(const struct entry_standing *s, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (!s->party[k].stands && s->party[k].by == s->party[i].by)
			return true;
	return false;
}

static void append_ended(struct buf *out, const struct entry_standing *s, const char *separator)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct entry_standing_party *p = &s->party[i];

		if (p->stands || told_before(s, i))
			continue;
		buf_appendf(out, "%s%s for ", separator, p->withdrawn ? "withdrawn" : "replaced");
		append_parties(out, s, false, p->by);
		buf_appendf(out, " by entry %llu", (unsigned long long)p->by);
		separator = "; ";
	}
}

enum vt_err weigh_text(struct buf *out, const struct entry_standing *s)
{
	bool stands = entry_standing_for_anyone(s);

	if (stands) {
		buf_append_str(out, "stands for ");
		append_parties(out, s, true, 0);
	}
	append_ended(out, s, stands ? "; " : "");
	return buf_error(out);
}

struct sentence {
	struct buf *out;
	size_t parts, told, left_out;
};

static void begin_part(struct sentence *s)
{
	buf_append_str(s->out, s->parts++ == 0 ? "" : "; ");
}

static void append_part(struct sentence *s, const char *text)
{
	begin_part(s);
	buf_append_str(s->out, text);
}

enum vt_err weigh_verdict_text(struct buf *out, const struct weighed *w)
{
	char what[256];
	struct bytes result;

	if (statement_result(&w->checked->statement, &result))
		problem_quote(what, sizeof(what), result);
	else
		checked_what(w->checked, what, sizeof(what));
	buf_appendf(out, "%s %s", what, entry_standing_for_anyone(&w->standing) ? "" : "is ");
	return weigh_text(out, &w->standing);
}

static void tell_entry(struct sentence *s, const struct weighed *w)
{
	if (s->told == TOLD_MAX) {
		s->left_out++;
		return;
	}
	s->told++;
	begin_part(s);
	weigh_verdict_text(s->out, w);
	buf_appendf(s->out, " (entry %llu)", (unsigned long long)w->checked->proof.index);
}

/* A verdict that stands and failed, one that stands, one that does not, anything else. */
static unsigned rank_to_tell(const struct weighed *w)
{
	struct bytes result;

	if (!is_verdict(w, &result))
		return 3;
	if (!entry_standing_for_anyone(&w->standing))
		return 2;
	return bytes_is(result, "FAILED") ? 0 : 1;
}

/* The same proof may have been given twice. */
static bool seen_before(const struct weighed *list, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (list[k].usable && list[k].checked->log == list[i].checked->log &&
		    list[k].checked->proof.index == list[i].checked->proof.index)
			return true;
	return false;
}

/* A correction shows in what it corrects, and a registry entry stands until the next one. */
static bool worth_telling(const struct weighed *w)
{
	struct entry_ref target;

	return w->usable && w->about && w->standing.n > 0 &&
	       !statement_correction(&w->checked->statement, &target, NULL) &&
	       !bytes_is(w->checked->statement.predicate_type, PREDICATE_ACCREDITATION);
}

static void tell_what_fails(struct sentence *s, const struct weighed *list, size_t n)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++)
		bad += list[i].fails;
	if (bad == 0)
		return;
	begin_part(s);
	buf_appendf(s->out, "%zu of %zu proofs %s not hold", bad, n, bad == 1 ? "does" : "do");
}

static void tell_entries(struct sentence *s, const struct weighed *list, size_t n)
{
	for (unsigned r = 0; r <= 3; r++)
		for (size_t i = 0; i < n; i++)
			if (worth_telling(&list[i]) && rank_to_tell(&list[i]) == r &&
			    !seen_before(list, i))
				tell_entry(s, &list[i]);
	if (s->left_out > 0) {
		begin_part(s);
		buf_appendf(s->out, "and %zu further entries", s->left_out);
	}
}

static void tell_demands(struct sentence *s, const struct tally *t, const struct weigh_demands *d)
{
	char party[160];

	if (t->verdicts == 0 && (d->file || !t->met))
		append_part(s, t->known == 0 ? "nothing is known of this file"
					     : "no test verdict is among them");
	if (t->verdicts > 0 && t->standing == 0)
		append_part(s, "no verdict stands");
	if (t->standing > 0 && !t->failed)
		append_part(s, "nothing failed");
	if (t->met)
		return;
	problem_quote(party, sizeof(party), bytes_str(d->party == NULL ? "" : d->party));
	begin_part(s);
	buf_appendf(s->out, "no %s%sverdict stands%s%s, which was asked for",
		    d->result == NULL ? "" : d->result, d->result == NULL ? "" : " ",
		    d->party == NULL ? "" : " for ", d->party == NULL ? "" : party);
}

static enum vt_err tell_all(struct buf *why, const struct weighed *list, size_t n,
			    const struct tally *t, const struct weigh_demands *d)
{
	struct sentence s = {.out = why};
	size_t start = why->len;

	tell_what_fails(&s, list, n);
	tell_entries(&s, list, n);
	tell_demands(&s, t, d);
	if (d->unsure)
		append_part(&s, "something that may matter could not be told");
	if (!d->file)
		append_part(&s, "no file was compared");
	if (d->unseen != NULL)
		append_part(&s, d->unseen);
	if (buf_append_byte(why, '.') == VT_OK)
		why->data[start] = (uint8_t)toupper(why->data[start]);
	return buf_error(why);
}

bool weigh_result_known(const char *result)
{
	return result == NULL || strcmp(result, "PASSED") == 0 || strcmp(result, "WARNED") == 0 ||
	       strcmp(result, "FAILED") == 0;
}

int weigh(struct weighed *list, size_t n, const struct weigh_demands *demands, struct buf *why)
{
	bool asked = demands->file || demands->result != NULL || demands->party != NULL;
	struct tally t;

	if (judge_all(list, n) != VT_OK)
		return CMD_UNSURE;
	t = tally_verdicts(list, n, demands);
	if (tell_all(why, list, n, &t, demands) != VT_OK) {
		buf_reset(why); /* half a sentence is none */
		return CMD_UNSURE;
	}
	if ((t.failed && asked) || (t.verdicts > 0 && t.standing == 0) ||
	    (t.verdicts == 0 && t.taken_back))
		return CMD_FAILS;
	if (!t.met)
		return demands->unsure ? CMD_UNSURE : CMD_FAILS;
	return demands->unsure ? CMD_UNSURE : CMD_HOLDS;
}
