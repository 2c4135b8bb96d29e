/* Which of the alerts that wait goes next: severity, then the logs in turn, then age. */
#include "outboxes.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "durable.h"
#include "files.h"

/* One log's alerts of one severity. */
struct lane {
	struct outbox *box;
	char log[OUTBOXES_LOG_MAX + 1];
	enum severity severity;
	uint64_t served;  /* the turn in which one was taken last */
	bool passed_over; /* its next alert was not taken: others go first */
};

struct outboxes {
	char *dir;
	pthread_mutex_t lock; /* before that of a lane's outbox */
	pthread_cond_t changed;
	struct lane *lane;
	size_t n, cap;
	size_t shown; /* index of the lane of which outboxes_next() showed one */
	uint64_t turn;
	bool woken;
	struct buf recent[OUTBOXES_RECENT];
	size_t n_recent; /* ever */
};

/* -- opening ---------------------------------------------------------------------------------- */

/* dir: of the lane. */
static enum vt_err add_lane(struct outboxes *o, const char *dir, const char *log,
			    enum severity severity, char why[256])
{
	struct lane lane = {.severity = severity};
	size_t cap = o->cap == 0 ? 16 : o->cap * 2;
	struct lane *longer;
	enum vt_err err;

	if (snprintf(lane.log, sizeof(lane.log), "%s", log) >= (int)sizeof(lane.log))
		return VT_ELIMIT;
	if (o->n == o->cap) {
		if ((longer = realloc(o->lane, cap * sizeof(*longer))) == NULL)
			return VT_ENOMEM;
		o->lane = longer;
		o->cap = cap;
	}
	if ((err = outbox_open(&lane.box, dir, why)) == VT_OK)
		o->lane[o->n++] = lane;
	return err;
}

static enum vt_err lane_path(char out[FILES_PATH_MAX], const struct outboxes *o, const char *log,
			     enum severity severity)
{
	int n = snprintf(out, FILES_PATH_MAX, "%s/%s-%s", o->dir, log, severity_name(severity));

	return n > 0 && n < FILES_PATH_MAX ? VT_OK : VT_ELIMIT;
}

struct opening {
	struct outboxes *o;
	bool before; /* files of the form before are there, which were one lane */
	char *why;
};

/* A folder "LOG-SEVERITY" is a lane. */
static enum vt_err open_found(void *ctx, const char *name)
{
	char path[FILES_PATH_MAX], log[OUTBOXES_LOG_MAX + 1];
	const char *dash = strrchr(name, '-');
	struct opening *r = ctx;
	enum vt_err err;

	if (strcmp(name, "taken") == 0 || strncmp(name, "alerts-", 7) == 0) {
		r->before = true;
		return VT_OK;
	}
	if (dash == NULL || dash - name > OUTBOXES_LOG_MAX)
		return VT_OK;
	snprintf(log, sizeof(log), "%.*s", (int)(dash - name), name);
	for (unsigned s = 0; s < SEVERITY_COUNT; s++) {
		if (strcmp(dash + 1, severity_name((enum severity)s)) != 0)
			continue;
		if ((err = lane_path(path, r->o, log, (enum severity)s)) != VT_OK)
			return err;
		return add_lane(r->o, path, log, (enum severity)s, r->why);
	}
	return VT_OK;
}

static enum vt_err open_lanes(struct outboxes *o, char why[256])
{
	struct opening r = {.o = o, .why = why};
	enum vt_err err;

	snprintf(why, 256, "%s cannot be read", o->dir);
	err = folder_each(o->dir, open_found, &r);
	if (err == VT_ENOTFOUND)
		return VT_EIO;
	return err == VT_OK && r.before ? add_lane(o, o->dir, "", SEVERITY_CRITICAL, why) : err;
}

enum vt_err outboxes_open(struct outboxes **out, const char *dir, char why[256])
{
	struct outboxes *o = calloc(1, sizeof(*o));
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	snprintf(why, 256, "%s", vt_err_text(VT_ENOMEM));
	if (o == NULL)
		return VT_ENOMEM;
	pthread_mutex_init(&o->lock, NULL);
	clock_cond_init(&o->changed);
	if ((o->dir = strdup(dir)) == NULL || (err = open_lanes(o, why)) != VT_OK)
		goto done;
	*out = o;
	o = NULL; /* transferred */
done:
	outboxes_free(o);
	return err;
}

void outboxes_free(struct outboxes *o)
{
	if (o == NULL)
		return;
	for (size_t i = 0; i < o->n; i++)
		outbox_free(o->lane[i].box);
	free(o->lane);
	for (size_t i = 0; i < OUTBOXES_RECENT; i++)
		buf_release(&o->recent[i]);
	pthread_cond_destroy(&o->changed);
	pthread_mutex_destroy(&o->lock);
	free(o->dir);
	free(o);
}

/* -- in --------------------------------------------------------------------------------------- */

static struct outbox *find_box(const struct outboxes *o, const char *log, enum severity severity)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->lane[i].severity == severity && strcmp(o->lane[i].log, log) == 0)
			return o->lane[i].box;
	return NULL;
}

/* With the lock, which is let go while a folder is made: by then another thread may have begun the same lane. */
static enum vt_err box_for(struct outbox **out, struct outboxes *o, const char *log,
			   enum severity severity)
{
	char path[FILES_PATH_MAX], why[256];
	enum vt_err err;

	if ((*out = find_box(o, log, severity)) != NULL)
		return VT_OK;
	if ((err = lane_path(path, o, log, severity)) != VT_OK)
		return err;
	pthread_mutex_unlock(&o->lock);
	err = durable_mkdir(path);
	pthread_mutex_lock(&o->lock);
	if (err == VT_OK && find_box(o, log, severity) == NULL)
		err = add_lane(o, path, log, severity, why);
	*out = find_box(o, log, severity);
	return err;
}

static void remember_recent(struct outboxes *o, struct bytes alert)
{
	struct buf *slot = &o->recent[o->n_recent % OUTBOXES_RECENT];

	buf_reset(slot);
	if (buf_append(slot, alert) == VT_OK) /* else one is not shown, which costs nothing */
		o->n_recent++;
}

enum vt_err outboxes_add(struct outboxes *o, const char *log, enum severity severity,
			 struct bytes alert)
{
	struct outbox *box;
	enum vt_err err;

	if (log[0] == '\0')
		return VT_EINVAL;
	pthread_mutex_lock(&o->lock);
	if ((err = box_for(&box, o, log, severity)) == VT_OK &&
	    (err = outbox_add(box, alert)) == VT_OK)
		remember_recent(o, alert);
	pthread_mutex_unlock(&o->lock);
	return err;
}

enum vt_err outboxes_sync(struct outboxes *o, const char *log)
{
	struct outbox *box[SEVERITY_COUNT];
	enum vt_err err = VT_OK;
	size_t n = 0;

	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->n && n < SEVERITY_COUNT; i++)
		if (strcmp(o->lane[i].log, log) == 0)
			box[n++] = o->lane[i].box;
	pthread_mutex_unlock(&o->lock);
	/* The lanes may move meanwhile, their outboxes do not; and no other log waits for this one's disk. */
	for (size_t i = 0; i < n && err == VT_OK; i++)
		err = outbox_sync(box[i]);
	pthread_mutex_lock(&o->lock);
	pthread_cond_broadcast(&o->changed);
	pthread_mutex_unlock(&o->lock);
	return err;
}

/* -- out -------------------------------------------------------------------------------------- */

static bool goes_before(const struct lane *a, const struct lane *b)
{
	return a->severity != b->severity ? a->severity < b->severity : a->served < b->served;
}

/* o->n: none. */
static size_t pick_lane(const struct outboxes *o)
{
	size_t best = o->n;

	for (size_t i = 0; i < o->n; i++)
		if (!o->lane[i].passed_over && outbox_ready(o->lane[i].box) &&
		    (best == o->n || goes_before(&o->lane[i], &o->lane[best])))
			best = i;
	return best;
}

enum vt_err outboxes_next(struct outboxes *o, struct buf *alert)
{
	enum vt_err err = VT_ENOTFOUND, failed = VT_ENOTFOUND;
	struct outbox *box;
	bool again = false;
	size_t i;

	pthread_mutex_lock(&o->lock);
	for (;;) {
		if ((i = pick_lane(o)) == o->n) {
			if (again)
				break;
			/* Each that waits was tried once: from the most urgent again. */
			again = true;
			for (size_t k = 0; k < o->n; k++)
				o->lane[k].passed_over = false;
			continue;
		}
		box = o->lane[i].box;
		pthread_mutex_unlock(&o->lock);
		err = outbox_next(box, alert);
		pthread_mutex_lock(&o->lock);
		if (err == VT_OK)
			break;
		/* One damaged file must not keep all others back. */
		o->lane[i].passed_over = true;
		failed = err;
	}
	o->shown = i;
	pthread_mutex_unlock(&o->lock);
	return i < o->n ? VT_OK : failed;
}

enum vt_err outboxes_taken(struct outboxes *o, bool later)
{
	struct outbox *box;

	pthread_mutex_lock(&o->lock);
	o->lane[o->shown].served = ++o->turn;
	box = o->lane[o->shown].box;
	pthread_mutex_unlock(&o->lock);
	return outbox_taken(box, later);
}

void outboxes_not_taken(struct outboxes *o)
{
	pthread_mutex_lock(&o->lock);
	o->lane[o->shown].passed_over = true;
	pthread_mutex_unlock(&o->lock);
}

/* NULL: there are no more. Lanes are only ever added. */
static struct outbox *box_at(struct outboxes *o, size_t i)
{
	struct outbox *box;

	pthread_mutex_lock(&o->lock);
	box = i < o->n ? o->lane[i].box : NULL;
	pthread_mutex_unlock(&o->lock);
	return box;
}

enum vt_err outboxes_mark(struct outboxes *o)
{
	struct outbox *box;
	enum vt_err err = VT_OK;

	for (size_t i = 0; err == VT_OK && (box = box_at(o, i)) != NULL; i++)
		err = outbox_mark(box);
	return err;
}

static bool something_to_take(const struct outboxes *o)
{
	for (size_t i = 0; i < o->n; i++)
		if (outbox_ready(o->lane[i].box))
			return true;
	return false;
}

bool outboxes_wait(struct outboxes *o, uint64_t millis)
{
	struct timespec until = clock_timespec(clock_monotonic_nanos() + millis * 1000000);
	bool some;

	pthread_mutex_lock(&o->lock);
	while (!something_to_take(o) && !o->woken &&
	       pthread_cond_timedwait(&o->changed, &o->lock, &until) == 0)
		;
	o->woken = false;
	some = something_to_take(o);
	pthread_mutex_unlock(&o->lock);
	return some;
}

void outboxes_wake(struct outboxes *o)
{
	pthread_mutex_lock(&o->lock);
	o->woken = true;
	pthread_cond_broadcast(&o->changed);
	pthread_mutex_unlock(&o->lock);
}

uint64_t outboxes_waiting(struct outboxes *o)
{
	uint64_t n = 0;

	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->n; i++)
		n += outbox_waiting(o->lane[i].box);
	pthread_mutex_unlock(&o->lock);
	return n;
}

uint64_t outboxes_waiting_bytes(struct outboxes *o, const char *log)
{
	uint64_t n = 0;

	pthread_mutex_lock(&o->lock);
	for (size_t i = 0; i < o->n; i++)
		if (log == NULL || strcmp(o->lane[i].log, log) == 0)
			n += outbox_waiting_bytes(o->lane[i].box);
	pthread_mutex_unlock(&o->lock);
	return n;
}

enum vt_err outboxes_recent(struct outboxes *o, struct buf *out)
{
	enum vt_err err = VT_OK;
	size_t kept;

	pthread_mutex_lock(&o->lock);
	kept = o->n_recent < OUTBOXES_RECENT ? o->n_recent : OUTBOXES_RECENT;
	for (size_t k = 1; k <= kept && err == VT_OK; k++) {
		struct bytes one = buf_bytes(&o->recent[(o->n_recent - k) % OUTBOXES_RECENT]);
		if ((err = buf_append(out, one)) == VT_OK)
			err = buf_append_byte(out, '\n');
	}
	pthread_mutex_unlock(&o->lock);
	return err;
}
