/*
 * Following one log: look at its head, fetch the entries up to it, replay each, and commit.
 *
 * A commit makes durable, in this order: alerts, tiles, remembered pairs and accreditations, and
 * then the state that names how much of all these counts. So whatever a crash leaves behind the
 * state is done again, and alerts about it may be told twice but never not at all.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "durable.h"
#include "files.h"
#include "logline.h"
#include "monitor_private.h"

enum {
	COMMIT_NANOS = 250000000, /* a catch-up commits at least this often */
	PROGRESS_NANOS = 200000000,
	REPLAY_ALONE = 256,
	CLOCK_LOOKS = 64, /* entries between looks at the clock */
};

/* -- the state on disk ------------------------------------------------------------------------ */

static void state_path(char out[MONITOR_PATH_MAX], const struct follower *f)
{
	snprintf(out, MONITOR_PATH_MAX, "%s/state", f->dir);
}

/* The whole tree of the newest checkpoint is on disk. Under the lock; true: that is news. */
static bool show_held(struct follower *f)
{
	struct bytes checkpoint = buf_bytes(&f->state.checkpoint);

	if (checkpoint.len == 0 || f->seen.size != f->state.range.size ||
	    bytes_equal(checkpoint, buf_bytes(&f->held)))
		return false;
	buf_reset(&f->held);
	return buf_append(&f->held, checkpoint) == VT_OK;
}

/* What others may see of it. `durable`: the kept tree is on disk up to here. */
static void show_status(struct follower *f, bool durable)
{
	struct monitor_log_status *s = &f->status;
	bool held = false;

	pthread_mutex_lock(&f->lock);
	s->mode = f->state.mode;
	s->seen = f->seen.size;
	s->answered = f->state.checkpoint.len > 0 ? f->state.answered : 0;
	s->inadmissible = f->state.inadmissible;
	s->hits = f->state.hits;
	s->runs = f->state.checks.runs.n;
	memcpy(s->since, f->state.since, sizeof(s->since));
	if (durable && (s->head.size != f->state.range.size || s->head.size == 0) &&
	    merkle_range_root(&s->head.root, &f->hasher, &f->state.range) == VT_OK)
		s->head.size = f->state.range.size;
	if (durable) {
		held = show_held(f);
		f->standing.n = 0;
		/* Without memory it is not shown; the state has it, and what comes of a look. */
		if (standing_of_log(&f->standing, f->m->dir, &f->state) != VT_OK)
			f->standing.n = 0;
	}
	pthread_mutex_unlock(&f->lock);
	if (held && f->m->config.held != NULL)
		f->m->config.held(f->m->config.ctx, f->origin, f->seen.size);
}

enum vt_err follow_commit(struct follower *f)
{
	char path[MONITOR_PATH_MAX];
	enum vt_err err;

	state_path(path, f);
	if ((err = outboxes_sync(f->m->outboxes, alerts_about(f->m, f->origin))) != VT_OK ||
	    (err = kept_sync(f->kept)) != VT_OK ||
	    (f->checks != NULL &&
	     (err = checks_save(f->checks, &f->state.checks, &f->m->stop)) != VT_OK) ||
	    (err = log_state_write(&f->state, path)) != VT_OK) {
		f->fault = err;
		return err;
	}
	if (f->checks != NULL)
		checks_saved(f->checks);
	f->uncommitted = 0;
	f->unsaved = false;
	f->committed_at = clock_monotonic_nanos();
	f->answered_saved = f->state.answered;
	show_status(f, true);
	return VT_OK;
}

/* The head of the newest accepted checkpoint. Its signatures were verified when it was. */
static enum vt_err read_seen(struct follower *f)
{
	struct note *note = NULL;
	struct checkpoint cp;
	enum vt_err err;

	f->seen = (struct tree_head){0};
	if (f->state.checkpoint.len == 0)
		return VT_OK;
	if ((err = note_parse(&note, buf_bytes(&f->state.checkpoint))) == VT_OK &&
	    (err = checkpoint_parse(&cp, note->text)) == VT_OK)
		f->seen = cp.head;
	note_free(note);
	return err;
}

static enum vt_err read_state(struct follower *f, char why[MONITOR_WHY_MAX])
{
	char path[MONITOR_PATH_MAX];
	struct buf vkey;
	enum vt_err err;

	state_path(path, f);
	buf_init(&vkey);
	log_state_release(&f->state);
	log_state_init(&f->state);
	if ((err = vkey_format(&vkey, &f->log->key)) != VT_OK)
		goto done;
	err = log_state_read(&f->state, path);
	if (err == VT_ENOTFOUND) { /* a log that is new here has one, too (monitor_add()) */
		snprintf(why, MONITOR_WHY_MAX, "%s/state is missing, and was there: put it back",
			 f->dir);
	} else if (err == VT_OK && !bytes_equal(buf_bytes(&vkey), buf_bytes(&f->state.vkey))) {
		snprintf(why, MONITOR_WHY_MAX, "%s/state is of another log's key", f->dir);
		err = VT_ECONFLICT;
	} else if (err != VT_OK) {
		snprintf(why, MONITOR_WHY_MAX, "%s/state: %s", f->dir,
			 err == VT_EMISMATCH ? "damaged" : vt_err_text(err));
	}
	/* A log that has never answered is silent from now on. */
	if (err == VT_OK && f->state.answered == 0) {
		f->state.answered = f->m->config.now();
		f->unsaved = true; /* or each --once would begin to wait anew */
	}
	if (err == VT_OK)
		err = read_seen(f);
done:
	buf_release(&vkey);
	return err;
}

/* Under the head that the client has, which the caller set out to follow. */
enum vt_err follow_read_earlier(void *ctx, uint64_t index, struct buf *entry)
{
	struct follower *f = ctx;
	struct why why = {""};
	enum vt_err err = f->client == NULL ? VT_EIO : client_entry(entry, f->client, index, &why);

	if (err != VT_OK) {
		f->log_fault = err;
		snprintf(f->why.text, sizeof(f->why.text), "%s", why.text);
	}
	return err;
}

static enum vt_err entry_judged(void *ctx, uint64_t index, const struct merkle_hash *leaf,
				const struct record *record, const struct checks_refusal *refusal);

static enum vt_err open_checks(struct follower *f, char why[PAIRS_WHY_MAX])
{
	struct checks_config config = {.dir = f->dir,
				       .origin = f->origin,
				       .centre = f->centre,
				       .any_centre = true, /* centre_check() asks */
				       .tail_max = f->m->config.tail_max,
				       .read = follow_read_earlier,
				       .judged = entry_judged,
				       .ctx = f};

	return checks_open(&f->checks, &config, &f->state.checks, why);
}

void follow_unload(struct follower *f)
{
	pthread_mutex_lock(&f->lock);
	client_free(f->client);
	f->client = NULL;
	pthread_mutex_unlock(&f->lock);
	checks_free(f->checks);
	f->checks = NULL;
	pthread_rwlock_wrlock(&f->kept_lock);
	kept_free(f->kept);
	f->kept = NULL;
	pthread_rwlock_unlock(&f->kept_lock);
	f->loaded = false;
}

enum vt_err follow_load(struct follower *f, char why[MONITOR_WHY_MAX])
{
	struct tree_head mine;
	struct merkle_hash root;
	struct kept *kept = NULL;
	enum vt_err err;

	why[0] = '\0';
	if ((err = read_state(f, why)) != VT_OK)
		goto done;
	if ((err = kept_open(&kept, f->dir, f->state.range.size)) != VT_OK)
		snprintf(why, MONITOR_WHY_MAX, "the tiles in %s: %s", f->dir,
			 err == VT_EMISMATCH ? "cut short" : vt_err_text(err));
	pthread_rwlock_wrlock(&f->kept_lock);
	f->kept = kept;
	pthread_rwlock_unlock(&f->kept_lock);
	if (err != VT_OK)
		goto done;
	mine.size = f->state.range.size;
	if ((err = merkle_range_root(&mine.root, &f->hasher, &f->state.range)) != VT_OK)
		goto done;
	/* Reads the right edge, and holds it against the range. */
	if ((err = kept_root_at(&root, kept, &mine, mine.size)) != VT_OK) {
		snprintf(why, MONITOR_WHY_MAX, "the tiles in %s: %s", f->dir,
			 err == VT_EMISMATCH ? "damaged" : vt_err_text(err));
		goto done;
	}
	if (f->state.mode == LOG_MODE_RECORDS && (err = open_checks(f, why)) != VT_OK)
		goto done;
	f->loaded = true;
	f->uncommitted = 0;
	f->committed_at = clock_monotonic_nanos();
	f->answered_saved = f->state.answered;
	show_status(f, true);
done:
	if (err != VT_OK && why[0] == '\0')
		snprintf(why, MONITOR_WHY_MAX, "%s: %s", f->dir, vt_err_text(err));
	if (err != VT_OK)
		follow_unload(f);
	return err;
}

/* -- entries ---------------------------------------------------------------------------------- */

static void tell_progress(struct follower *f, uint64_t now, bool end)
{
	if (f->m->config.progress == NULL || (!end && now - f->told_at < PROGRESS_NANOS))
		return;
	f->told_at = now;
	f->m->config.progress(f->m->config.ctx, f->origin, f->state.range.size, f->target);
}

/* Alerts that nobody takes must not fill the disk: then this log is not followed further, and its heads are
 * looked at for as long again. */
static bool too_many_wait(struct follower *f, uint64_t full)
{
	if (outboxes_waiting_bytes(f->m->outboxes, alerts_about(f->m, f->origin)) < full)
		return false;
	snprintf(f->why.text, sizeof(f->why.text), "too many alerts wait to be taken");
	return true;
}

static enum vt_err after_entry(struct follower *f)
{
	uint64_t now;

	f->uncommitted++;
	now = f->m->config.now();
	if (f->served_at == 0)
		f->served_from = now;
	f->served_at = now;
	pthread_mutex_lock(&f->lock);
	f->status.entries++;
	pthread_mutex_unlock(&f->lock);
	if (f->uncommitted % CLOCK_LOOKS != 0 && f->uncommitted < f->m->config.commit_entries)
		return VT_OK;
	now = clock_monotonic_nanos();
	tell_progress(f, now, false);
	if (f->uncommitted < f->m->config.commit_entries && now - f->committed_at < COMMIT_NANOS)
		return VT_OK;
	if (too_many_wait(f, f->m->config.waiting_max))
		return VT_EBUSY;
	return follow_commit(f);
}

/* The next leaf is in the tree. */
static enum vt_err grow_tree(struct follower *f, const struct merkle_hash *leaf)
{
	enum vt_err err =
	    merkle_range_append(&f->state.range, &f->hasher, leaf, kept_node, f->kept);

	return err != VT_OK ? err : after_entry(f);
}

static enum vt_err entry_judged(void *ctx, uint64_t index, const struct merkle_hash *leaf,
				const struct record *record, const struct checks_refusal *refusal)
{
	struct follower *f = ctx;
	enum vt_err err = VT_OK;

	if (refusal->rule != NULL)
		err = entry_refused(f, index, leaf, refusal);
	else if (record != NULL && f->m->config.watches != NULL)
		err = entry_watched(f, index, record);
	if (err == VT_OK)
		err = grow_tree(f, leaf);
	/* Before anything that comes after it is told. */
	return err == VT_OK && index == 0 ? centre_check(f) : err;
}

/* A log must not use up the memory that others are watched with. */
static bool registry_full(const struct follower *f)
{
	return f->checks != NULL &&
	       registry_bytes(checks_registry(f->checks)) > f->m->config.registry_max;
}

static enum vt_err visit_entry(void *ctx, uint64_t index, struct bytes entry,
			       const struct merkle_hash *leaf)
{
	struct follower *f = ctx;

	if (f->m->stop || registry_full(f))
		return VT_EBUSY;
	f->fault =
	    f->checks != NULL ? checks_add(f->checks, index, entry, leaf) : grow_tree(f, leaf);
	return f->fault;
}

/* It is put down for good. */
static enum vt_err find_mode(struct follower *f, struct why *why)
{
	bool records;
	enum vt_err err = client_holds_records(&records, f->client, bytes_of(NULL, 0), why);

	if (err == VT_OK)
		f->state.mode = records ? LOG_MODE_RECORDS : LOG_MODE_RAW;
	if (err == VT_ENOMEM || err == VT_EINTERNAL)
		f->fault = err;
	return err;
}

static enum monitor_outcome log_failed(struct follower *f, enum vt_err err, const struct why *why)
{
	enum trouble t = err == VT_EMISMATCH ? TROUBLE_CONTRADICTS : TROUBLE_MALFORMED;

	if (why != &f->why)
		f->why = *why;
	if (err == VT_EIO || err == VT_EBUSY || err == VT_ENOTFOUND) {
		withheld(f, why);
		return f->found_fault ? MONITOR_FAULT : MONITOR_UNSURE;
	}
	if (err != VT_EMISMATCH && err != VT_EMALFORMED && err != VT_ELIMIT)
		return MONITOR_UNSURE;
	if (trouble_begin(f, t, buf_bytes(&f->state.checkpoint), why->text, NULL) != VT_OK)
		return MONITOR_UNSURE;
	return f->found_fault ? MONITOR_FAULT : MONITOR_UNSURE;
}

/* Everything up to the head was replayed: it must make the head's root. */
static enum monitor_outcome check_root(struct follower *f, const struct tree_head *head)
{
	struct why why = {"the entries do not make the signed root"};
	struct merkle_hash root;

	if (merkle_range_root(&root, &f->hasher, &f->state.range) != VT_OK)
		return MONITOR_UNSURE;
	if (!merkle_hash_equal(&root, &head->root))
		return log_failed(f, VT_EMISMATCH, &why);
	not_withheld(f);
	if (f->state.stalled == 0)
		trouble_end(f, TROUBLE_WITHHELD);
	trouble_end(f, TROUBLE_CONTRADICTS);
	trouble_end(f, TROUBLE_MALFORMED);
	return MONITOR_HOLDS;
}

/* Also when fetching fails: what came before that is judged, and counts. */
static enum vt_err fetch_and_judge(struct follower *f, uint64_t end, struct why *why)
{
	uint64_t first = f->state.range.size;
	enum vt_err err;

	/* A thread for a handful of entries that a look finds; all cores for a catch-up. */
	if (f->checks != NULL &&
	    (f->fault = checks_begin(f->checks, end - first > REPLAY_ALONE ? 0 : 1)) != VT_OK)
		return f->fault;
	err = client_entries(f->client, first, end, visit_entry, f, why);
	if (err == VT_EBUSY && registry_full(f))
		(void)why_say(why, VT_EIO,
			      "its accreditations take more than %zu MiB of memory here "
			      "(--memory-registry)",
			      f->m->config.registry_max >> 20);
	if (f->checks != NULL && f->fault == VT_OK && !f->m->stop)
		f->fault = checks_finish(f->checks);
	if (f->checks != NULL)
		checks_end(f->checks);
	return err;
}

static enum monitor_outcome catch_up(struct follower *f)
{
	struct tree_head head = *client_head(f->client);
	enum monitor_outcome outcome = MONITOR_HOLDS;
	struct why why = {""};
	uint64_t before;
	enum vt_err err;

	f->target = head.size;
	if (head.size == f->state.range.size)
		return check_root(f, &head);
	if (f->state.mode == LOG_MODE_UNKNOWN && (err = find_mode(f, &why)) != VT_OK)
		return f->fault != VT_OK || f->m->stop ? MONITOR_UNSURE : log_failed(f, err, &why);
	if (f->state.mode == LOG_MODE_RECORDS && f->checks == NULL &&
	    (f->fault = open_checks(f, f->why.text)) != VT_OK)
		return MONITOR_UNSURE;
	f->committed_at = clock_monotonic_nanos();
	before = f->state.range.size;
	err = fetch_and_judge(f, head.size, &why);
	if (f->fault != VT_OK)
		return MONITOR_UNSURE;
	if (f->state.range.size > before)
		not_withheld(f);
	if (f->m->stop && f->state.range.size < head.size)
		outcome =
		    MONITOR_UNSURE; /* told to stop: what is not judged is no fault of the log */
	else if (err == VT_OK)
		outcome = check_root(f, &head);
	else if (!f->m->stop)
		outcome = log_failed(f, err, &why);
	else
		outcome = MONITOR_UNSURE;
	if (err == VT_OK)
		tell_progress(f, clock_monotonic_nanos(), true);
	if (f->uncommitted > 0 && follow_commit(f) != VT_OK)
		return MONITOR_UNSURE;
	return outcome;
}

/* -- one look --------------------------------------------------------------------------------- */

/* What somebody has looked into counts no more, once that is on disk. */
static enum vt_err take_acknowledgements(struct follower *f)
{
	struct log_state *s = &f->state;
	char origin[VKEY_NAME_MAX + 8];
	bool proven = s->proven_at > 0 && standing_acknowledged(f->m->dir, s, STANDING_PROVEN);
	bool inadmissible =
	    s->inadmissible_at > 0 && standing_acknowledged(f->m->dir, s, STANDING_INADMISSIBLE);

	if (!proven && !inadmissible)
		return VT_OK;
	logline(LOGLINE_INFO, "acknowledged", "log=%s%s%s",
		logline_quote(origin, sizeof(origin), bytes_str(f->origin)),
		proven ? " kind=forked" : "", inadmissible ? " kind=inadmissible" : "");
	if (proven)
		s->proven_at = 0;
	if (inadmissible)
		s->inadmissible_at = 0;
	return follow_commit(f);
}

static enum monitor_outcome look_at_log(struct follower *f)
{
	enum monitor_outcome outcome = MONITOR_UNSURE;

	if (too_many_wait(f, 2 * f->m->config.waiting_max))
		return MONITOR_UNSURE;
	switch (heads_look(f, &f->why)) {
	case HEADS_GOOD:
		if (!too_many_wait(f, f->m->config.waiting_max))
			outcome = catch_up(f);
		if (f->fault == VT_OK && centre_check(f) != VT_OK)
			outcome = MONITOR_UNSURE;
		break;
	case HEADS_TROUBLE:
	case HEADS_FAILED:
		break;
	}
	return f->found_fault ? MONITOR_FAULT : outcome;
}

/* An answer in doubt is none until the second look bears it out: or who answers the first one alone would be
 * told of as nothing, neither as wrong nor as silent. */
static void take_answer(struct follower *f)
{
	if (f->fault != VT_OK || f->answered_at == 0 || f->doubt)
		return;
	f->state.answered = f->answered_at;
	f->unsaved = f->unsaved || f->state.unanswered_at != 0;
	f->state.unanswered_at = f->state.silent_seconds = 0;
	trouble_end(f, TROUBLE_SILENT);
}

/* A look, and where it left more in memory than on disk, what is on disk again: recovery is what
 * starting does. */
static enum monitor_outcome look_and_recover(struct follower *f)
{
	enum monitor_outcome outcome = MONITOR_UNSURE;
	char why[MONITOR_WHY_MAX];

	f->fault = f->log_fault = VT_OK;
	f->found_fault = f->doubt = false;
	f->shown_size = f->served_at = f->answered_at = 0;
	f->why.text[0] = '\0';
	if (!f->loaded && (f->fault = follow_load(f, why)) != VT_OK)
		snprintf(f->why.text, sizeof(f->why.text), "%.399s", why);
	else if ((f->fault = take_acknowledgements(f)) == VT_OK)
		outcome = look_at_log(f);
	take_answer(f);
	if (f->fault == VT_OK &&
	    (f->unsaved || f->state.answered > f->answered_saved + f->m->config.silent_seconds / 4))
		follow_commit(f);
	if (f->fault != VT_OK && f->why.text[0] == '\0')
		snprintf(f->why.text, sizeof(f->why.text), "%s: %s%s%s", f->dir,
			 vt_err_text(f->fault), f->checks != NULL ? " " : "",
			 f->checks != NULL ? checks_why(f->checks) : "");
	if (f->fault == VT_OK && f->loaded)
		show_status(f, false);
	if (f->fault == VT_OK)
		return outcome;
	follow_unload(f);
	if (f->log_fault != VT_OK && !f->m->stop && follow_load(f, why) == VT_OK) {
		f->fault = VT_OK;
		outcome = log_failed(f, f->log_fault, &f->why);
	}
	return outcome;
}

static void put_down(struct follower *f, enum monitor_outcome outcome)
{
	pthread_mutex_lock(&f->lock);
	f->status.rounds++;
	f->status.failed_rounds += outcome != MONITOR_HOLDS;
	f->status.outcome = outcome;
	f->status.stuck = f->fault != VT_OK;
	f->status.why = outcome == MONITOR_HOLDS ? (struct why){""} : f->why;
	pthread_mutex_unlock(&f->lock);
}

/* For whoever watches a monitor at work: what it shows of this look can be read by now. */
static void tell_look(const struct follower *f, enum monitor_outcome outcome)
{
	static const char *const outcomes[] = {"holds", "fault", "unsure"};
	char origin[VKEY_NAME_MAX + 8], why[WHY_MAX];

	logline(LOGLINE_DEBUG, "looked", "log=%s size=%" PRIu64 " outcome=%s why=%s",
		logline_quote(origin, sizeof(origin), bytes_str(f->origin)), f->state.range.size,
		outcomes[outcome], logline_quote(why, sizeof(why), bytes_str(f->why.text)));
}

/* What is told to people is wrong with the log, and not with what lies between: asked again after a
 * pause, of the log itself, on connections of its own. */
static enum monitor_outcome look_again(struct follower *f, enum monitor_outcome outcome)
{
	char origin[VKEY_NAME_MAX + 8], text[WHY_MAX];

	logline(LOGLINE_INFO, "looking again", "log=%s why=%s",
		logline_quote(origin, sizeof(origin), bytes_str(f->origin)),
		logline_quote(text, sizeof(text), bytes_str(f->why.text)));
	if (!monitor_sleep(f->m, f->m->config.again_millis))
		return outcome == MONITOR_HOLDS ? MONITOR_UNSURE : outcome;
	drop_client(f);
	f->second_look = true;
	outcome = look_and_recover(f);
	f->second_look = false;
	drop_client(f);
	return outcome;
}

enum monitor_outcome follow_once(struct follower *f)
{
	char origin[VKEY_NAME_MAX + 8], text[WHY_MAX];
	enum monitor_outcome outcome;
	bool stands;

	logline(LOGLINE_DEBUG, "looking", "log=%s",
		logline_quote(origin, sizeof(origin), bytes_str(f->origin)));
	outcome = look_and_recover(f);
	if (f->doubt)
		outcome = look_again(f, outcome);
	stands = f->state.proven_at > 0 || f->state.inadmissible_at > 0;
	if (stands && outcome == MONITOR_HOLDS)
		snprintf(f->why.text, sizeof(f->why.text), "what was wrong before stands");
	if (stands)
		outcome = MONITOR_FAULT;
	put_down(f, outcome);
	tell_look(f, outcome);
	if (outcome != MONITOR_HOLDS && !f->m->stop)
		logline(f->fault != VT_OK ? LOGLINE_ERROR : LOGLINE_WARN, "not followed",
			"log=%s why=%s",
			logline_quote(origin, sizeof(origin), bytes_str(f->origin)),
			logline_quote(text, sizeof(text), bytes_str(f->why.text)));
	return outcome;
}
