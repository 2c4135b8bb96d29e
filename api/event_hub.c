#include "event_hub.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "logline.h"

#define SECOND UINT64_C(1000000000)

enum {
	CACHE_SLOTS = 4096, /* entries; a power of two */
	HEAD_SLOTS = 64,
	PAGE = 64,        /* events that one subscriber is told in a turn */
	TURN_WORK = 512,  /* what those who catch up may cost in one turn: an event made costs 1, */
	SEARCH_WORK = 8,  /* a search this, */
	READ_WORK = 4096, /* so many bytes of entries 1 */
	RETRY_MILLIS = 200, /* after something could not be read */
	WARN_SECONDS = 60,  /* between two log lines about that */
};

/* Conditions that at least one subscriber has, and the last page that was found by them. */
struct filter {
	struct filter *next;
	unsigned refs; /* under lock */
	struct conditions conditions;
	uint64_t from, to; /* the page: every match in [from, to), */
	size_t n, at;      /* of which those before `at` are behind whoever asked last */
	uint64_t match[PAGE];
};

struct subscriber {
	struct subscriber *next;
	struct hub *hub;
	struct http_stream *stream;
	struct filter *filter; /* NULL: every entry */
	struct hub_place place;
	/* The tree head that is told after the entries below its size; NULL: to be looked up. */
	struct http_chunk *head;
	uint64_t head_size;
	uint64_t told;     /* monotonic: when it was last told something */
	atomic_bool waits; /* it has been told as much as it may hold back */
	bool closed;       /* under lock */
};

struct subscribers {
	struct subscriber *first, **end;
};

struct hub {
	struct log *log;
	enum log_mode mode;
	uint64_t heartbeat; /* nanoseconds */
	pthread_t thread;
	bool running;

	pthread_mutex_t lock;
	pthread_cond_t work;
	bool news, stopping;
	size_t closed; /* subscribers that can be freed */
	struct subscribers newcomers;
	struct filter *filters;

	/* The thread's own. */
	struct log_worker *worker;
	uint64_t published;
	bool has_published;
	struct subscribers current; /* have caught up */
	struct subscribers behind;
	int work_left;
	bool failed;          /* something could not be read this turn */
	uint64_t quiet_until; /* monotonic: no log line about it before */
	struct http_chunk *beat;
	struct {
		uint64_t index;
		struct http_chunk *chunk; /* NULL: empty */
	} entry[CACHE_SLOTS];
	size_t cached; /* bytes of those */
	struct {
		uint64_t from, size;
		struct http_chunk *chunk;
	} head[HEAD_SLOTS];
};

static void list_init(struct subscribers *l)
{
	l->first = NULL;
	l->end = &l->first;
}

static void list_push(struct subscribers *l, struct subscriber *s)
{
	s->next = NULL;
	*l->end = s;
	l->end = &s->next;
}

static struct subscriber *list_pop(struct subscribers *l)
{
	struct subscriber *s = l->first;

	if (s == NULL)
		return NULL;
	l->first = s->next;
	if (l->first == NULL)
		l->end = &l->first;
	return s;
}

/* -- subscribing -------------------------------------------------------------------------------- */

enum vt_err hub_place_parse(struct hub_place *out, struct bytes id)
{
	uint64_t n;

	if (id.len < 2 || (id.data[0] != 'e' && id.data[0] != 'h') ||
	    decimal_decode(&n, bytes_of(id.data + 1, id.len - 1)) != VT_OK || n >= INT64_MAX)
		return VT_EMALFORMED;
	/* Behind entry n comes the first tree head that covers it; behind the head of size n, a larger one. */
	*out = (struct hub_place){id.data[0] == 'e' ? n + 1 : n, n + 1};
	return VT_OK;
}

static void notify(struct hub *hub)
{
	pthread_mutex_lock(&hub->lock);
	hub->news = true;
	pthread_cond_signal(&hub->work);
	pthread_mutex_unlock(&hub->lock);
}

void hub_published(struct hub *hub)
{
	notify(hub);
}

static void on_empty(void *ctx)
{
	struct subscriber *s = ctx;

	if (atomic_exchange(&s->waits, false))
		notify(s->hub);
}

static void on_closed(void *ctx)
{
	struct subscriber *s = ctx;
	struct hub *hub = s->hub;

	pthread_mutex_lock(&hub->lock);
	s->closed = true;
	hub->closed++;
	hub->news = true;
	pthread_cond_signal(&hub->work);
	pthread_mutex_unlock(&hub->lock);
}

/* Under lock. The filter of these conditions, which it takes over. *out NULL: there are none. */
static enum vt_err filter_get(struct filter **out, struct hub *hub, struct conditions *c)
{
	struct filter *f;

	*out = NULL;
	if (!conditions_any(c))
		return VT_OK;
	for (f = hub->filters; f != NULL; f = f->next) {
		if (!conditions_equal(&f->conditions, c))
			continue;
		f->refs++;
		*out = f;
		return VT_OK;
	}
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return VT_ENOMEM;
	f->refs = 1;
	f->conditions = *c;
	conditions_init(c);
	f->next = hub->filters;
	hub->filters = f;
	*out = f;
	return VT_OK;
}

/* Under lock. */
static void filter_put(struct hub *hub, struct filter *f)
{
	struct filter **at = &hub->filters;

	if (f == NULL || --f->refs > 0)
		return;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	conditions_release(&f->conditions);
	free(f);
}

/* Under lock. */
static void subscriber_free(struct subscriber *s)
{
	if (s == NULL)
		return;
	filter_put(s->hub, s->filter);
	http_chunk_unref(s->head);
	http_stream_release(s->stream);
	free(s);
}

enum vt_err hub_subscribe(struct hub *hub, struct http_exchange *x, struct http_response *r,
			  const struct hub_place *from, struct conditions *c)
{
	struct subscriber *s = calloc(1, sizeof(*s));
	struct http_stream_calls calls = {on_empty, on_closed, s};
	enum vt_err err = VT_ENOMEM;

	if (s != NULL) {
		s->hub = hub;
		s->place = *from;
		s->told = clock_monotonic_nanos();
		pthread_mutex_lock(&hub->lock);
		err = filter_get(&s->filter, hub, c);
		pthread_mutex_unlock(&hub->lock);
	}
	conditions_release(c);
	if (err == VT_OK)
		err = http_respond_stream(&s->stream, x, r, &calls);
	else
		http_response_release(r);
	pthread_mutex_lock(&hub->lock);
	if (err == VT_OK) {
		list_push(&hub->newcomers, s);
		hub->news = true;
		pthread_cond_signal(&hub->work);
	} else {
		subscriber_free(s);
	}
	pthread_mutex_unlock(&hub->lock);
	return err;
}

/* -- events --------------------------------------------------------------------------------------- */

/* Takes data over. */
static enum vt_err make_event(struct http_chunk **out, const char *type, char prefix, uint64_t id,
			      struct json *data)
{
	struct buf text;
	enum vt_err err;

	*out = NULL;
	buf_init(&text);
	/* The data is one line: JSON without white space has no line end in it. */
	buf_appendf(&text, "event: %s\nid: %c%llu\ndata: ", type, prefix, (unsigned long long)id);
	json_write(&text, data, JSON_COMPACT);
	if ((err = buf_append_str(&text, "\n\n")) == VT_OK &&
	    (*out = http_chunk_new(buf_bytes(&text))) == NULL)
		err = VT_ENOMEM;
	buf_release(&text);
	json_free(data);
	return err;
}

static void cache_empty(struct hub *hub)
{
	for (size_t i = 0; i < CACHE_SLOTS; i++) {
		http_chunk_unref(hub->entry[i].chunk);
		hub->entry[i].chunk = NULL;
	}
	hub->cached = 0;
}

/* The event of an entry. A reference for the caller. */
static enum vt_err entry_event(struct http_chunk **out, struct hub *hub, uint64_t index)
{
	size_t i = index % CACHE_SLOTS;
	struct json *data;
	size_t read;
	enum vt_err err;

	if (hub->entry[i].chunk != NULL && hub->entry[i].index == index) {
		*out = http_chunk_ref(hub->entry[i].chunk);
		return VT_OK;
	}
	hub->work_left--;
	if ((err = entry_summary(&data, &read, hub->worker, hub->mode, index)) != VT_OK)
		return err;
	hub->work_left -= (int)(read / READ_WORK); /* its corrections may be many */
	if ((err = make_event(out, "entry", 'e', index, data)) != VT_OK)
		return err;
	if (hub->entry[i].chunk != NULL)
		hub->cached -= http_chunk_len(hub->entry[i].chunk);
	http_chunk_unref(hub->entry[i].chunk);
	hub->entry[i].chunk = NULL;
	if (hub->cached + http_chunk_len(*out) > HUB_CACHE_BYTES)
		cache_empty(hub);
	hub->entry[i].index = index;
	hub->entry[i].chunk = http_chunk_ref(*out);
	hub->cached += http_chunk_len(*out);
	return VT_OK;
}

struct head_found {
	uint64_t size;
	struct json *data;
};

static enum vt_err take_head(void *ctx, const struct store_checkpoint *cp)
{
	struct head_found *found = ctx;

	found->size = cp->size;
	return json_tree_head(&found->data, cp);
}

/* The next tree head for whoever stands at `from`. VT_ENOTFOUND: nothing larger was published yet. */
static enum vt_err head_event(struct http_chunk **out, uint64_t *size, struct hub *hub,
			      uint64_t from)
{
	size_t i = from % HEAD_SLOTS;
	struct head_found found = {0, NULL};
	enum vt_err err;

	if (!hub->has_published || from > hub->published)
		return VT_ENOTFOUND;
	if (hub->head[i].chunk == NULL || hub->head[i].from != from) {
		struct http_chunk *chunk;

		hub->work_left--;
		if ((err = log_tree_head_covering(hub->worker, from, take_head, &found)) != VT_OK ||
		    (err = make_event(&chunk, "tree-head", 'h', found.size, found.data)) != VT_OK)
			return err;
		http_chunk_unref(hub->head[i].chunk);
		hub->head[i].from = from;
		hub->head[i].size = found.size;
		hub->head[i].chunk = chunk;
	}
	*size = hub->head[i].size;
	*out = http_chunk_ref(hub->head[i].chunk);
	return VT_OK;
}

/* The first entry in [from, below) that the filter lets through, or `below`. VT_EBUSY: the search does not reach there yet. */
static enum vt_err next_match(struct hub *hub, struct filter *f, uint64_t from, uint64_t below,
			      uint64_t *index)
{
	struct log_search_result *r;
	struct log_search what;
	enum vt_err err;

	for (;;) {
		if (f->from <= from && from < f->to) {
			while (f->at > 0 && f->match[f->at - 1] >= from)
				f->at--;
			while (f->at < f->n && f->match[f->at] < from)
				f->at++;
			if (f->at < f->n || f->to >= below) {
				*index = f->at < f->n && f->match[f->at] < below ? f->match[f->at]
										 : below;
				return VT_OK;
			}
			from = f->to;
			continue;
		}
		what =
		    (struct log_search){.conditions = &f->conditions, .after = from, .limit = PAGE};
		hub->work_left -= SEARCH_WORK;
		if ((r = malloc(sizeof(*r))) == NULL)
			return VT_ENOMEM;
		if ((err = log_search(hub->worker, &what, r)) == VT_OK) {
			f->from = from;
			f->to = r->more ? r->next : r->size;
			f->n = r->n;
			f->at = 0;
			memcpy(f->match, r->index, r->n * sizeof(f->match[0]));
			if (f->to <= from)
				err = VT_EBUSY;
		}
		free(r);
		if (err != VT_OK)
			return err;
	}
}

/* -- telling ---------------------------------------------------------------------------------------- */

enum outcome {
	TOLD_ALL,
	TOLD_SOME, /* there is more for it */
	TOLD_FULL, /* it has to take something first */
};

static bool append(struct subscriber *s, struct http_chunk *chunk, uint64_t now)
{
	enum vt_err err = http_stream_append(s->stream, chunk);

	http_chunk_unref(chunk);
	s->told = now;
	/* VT_ENOTFOUND: it is about to be closed. */
	return err == VT_OK || err == VT_ENOTFOUND;
}

/* May it be told more? If not it will be heard of when it may. */
static bool takes_more(struct subscriber *s)
{
	if (http_stream_held(s->stream) < HUB_HELD_MAX)
		return true;
	atomic_store(&s->waits, true);
	/* It may have become empty in between, and not told. */
	if (http_stream_held(s->stream) >= HUB_HELD_MAX)
		return false;
	return atomic_exchange(&s->waits, false);
}

/* The next event of s. VT_ENOTFOUND: it has been told all. */
static enum vt_err next_event(struct http_chunk **out, struct hub *hub, struct subscriber *s)
{
	uint64_t index = s->place.entry;
	enum vt_err err;

	if (s->head == NULL &&
	    (err = head_event(&s->head, &s->head_size, hub, s->place.head)) != VT_OK)
		return err;
	if (index < s->head_size && s->filter != NULL &&
	    (err = next_match(hub, s->filter, index, s->head_size, &index)) != VT_OK)
		return err;
	if (index < s->head_size) {
		if ((err = entry_event(out, hub, index)) == VT_OK)
			s->place.entry = index + 1;
		return err;
	}
	*out = s->head;
	s->head = NULL;
	s->place = (struct hub_place){s->head_size, s->head_size + 1};
	return VT_OK;
}

/* It is tried again soon. */
static void tell_operator(struct hub *hub, const struct subscriber *s, enum vt_err err,
			  uint64_t now)
{
	hub->failed = true;
	if (now < hub->quiet_until)
		return;
	hub->quiet_until = now + WARN_SECONDS * SECOND;
	logline(LOGLINE_WARN, "an event could not be made", "entry=%llu error=\"%s\"",
		(unsigned long long)s->place.entry, vt_err_text(err));
}

static enum outcome tell(struct hub *hub, struct subscriber *s, uint64_t now)
{
	for (unsigned i = 0; i < PAGE; i++) {
		struct http_chunk *chunk;
		enum vt_err err;

		if (!takes_more(s))
			return TOLD_FULL;
		err = next_event(&chunk, hub, s);
		if (err == VT_ENOTFOUND && s->head == NULL)
			return TOLD_ALL;
		if (err != VT_OK) {
			tell_operator(hub, s, err, now);
			return TOLD_FULL;
		}
		if (!append(s, chunk, now)) {
			/* Over the bound on chunks, or no memory: it would miss this one. It can come again. */
			http_stream_drop(s->stream);
			return TOLD_FULL;
		}
	}
	return TOLD_SOME;
}

static void beat(struct hub *hub, struct subscriber *s, uint64_t now)
{
	if (now - s->told < hub->heartbeat)
		return;
	s->told = now;
	if (http_stream_held(s->stream) == 0)
		(void)http_stream_append(s->stream, hub->beat);
}

/* Those who have caught up: all of them, a page each. true: there is more to tell. */
static bool tell_current(struct hub *hub, uint64_t now)
{
	bool more = false;

	for (struct subscriber *s = hub->current.first; s != NULL; s = s->next) {
		enum outcome o = TOLD_FULL;

		if (!atomic_load(&s->waits))
			o = tell(hub, s, now);
		if (o == TOLD_FULL && !hub->failed && s->place.entry < hub->published &&
		    hub->published - s->place.entry > HUB_LAG_MAX)
			http_stream_drop(s->stream);
		more |= o == TOLD_SOME;
		beat(hub, s, now);
	}
	return more;
}

/* Those who have not: in turns, as far as the turn's work goes. */
static bool tell_behind(struct hub *hub, uint64_t now)
{
	struct subscribers still, done;
	struct subscriber *s;
	bool more = false;

	list_init(&still);
	list_init(&done);
	hub->work_left = TURN_WORK;
	while (hub->work_left > 0 && (s = list_pop(&hub->behind)) != NULL) {
		enum outcome o = atomic_load(&s->waits) ? TOLD_FULL : tell(hub, s, now);

		hub->work_left--;
		more |= o == TOLD_SOME;
		beat(hub, s, now);
		list_push(o == TOLD_ALL ? &done : &still, s);
	}
	more |= hub->behind.first != NULL;
	while ((s = list_pop(&still)) != NULL)
		list_push(&hub->behind, s);
	while ((s = list_pop(&done)) != NULL)
		list_push(&hub->current, s);
	return more;
}

/* -- the thread --------------------------------------------------------------------------------------- */

/* Under lock. */
static void free_closed(struct hub *hub, struct subscribers *l)
{
	struct subscribers still;
	struct subscriber *s;

	list_init(&still);
	while ((s = list_pop(l)) != NULL) {
		if (s->closed) {
			subscriber_free(s);
			hub->closed--;
		} else {
			list_push(&still, s);
		}
	}
	while ((s = list_pop(&still)) != NULL)
		list_push(l, s);
}

static void look_at_log(struct hub *hub)
{
	enum vt_err err = log_checkpoint(hub->worker, &hub->published, NULL);

	if (err == VT_OK)
		hub->has_published = true;
	else if (err != VT_ENOTFOUND)
		hub->failed = true;
}

/* When the next heartbeat is due. */
static uint64_t next_beat(const struct hub *hub, uint64_t now)
{
	const struct subscribers *lists[] = {&hub->current, &hub->behind};
	uint64_t due = now + hub->heartbeat;

	for (size_t i = 0; i < 2; i++)
		for (const struct subscriber *s = lists[i]->first; s != NULL; s = s->next)
			if (s->told + hub->heartbeat < due)
				due = s->told + hub->heartbeat;
	return due;
}

/* Wait until there is something to do; take in who is new. false: stop. */
static bool wait_for_work(struct hub *hub, uint64_t until)
{
	struct timespec at = {(time_t)(until / SECOND), (long)(until % SECOND)};
	struct subscriber *s;
	bool go_on;

	pthread_mutex_lock(&hub->lock);
	while (!hub->news && !hub->stopping) {
		if (pthread_cond_timedwait(&hub->work, &hub->lock, &at) != 0)
			break;
	}
	hub->news = false;
	while ((s = list_pop(&hub->newcomers)) != NULL)
		list_push(&hub->behind, s);
	if (hub->closed > 0) {
		free_closed(hub, &hub->current);
		free_closed(hub, &hub->behind);
	}
	go_on = !hub->stopping;
	pthread_mutex_unlock(&hub->lock);
	return go_on;
}

static void *hub_main(void *arg)
{
	struct hub *hub = arg;
	uint64_t until = 0;

	while (wait_for_work(hub, until)) {
		uint64_t now = clock_monotonic_nanos();
		bool more;

		hub->failed = false;
		look_at_log(hub);
		more = tell_current(hub, now);
		more |= tell_behind(hub, now);
		if (hub->failed)
			until = now + RETRY_MILLIS * (SECOND / 1000);
		else
			until = more ? 0 : next_beat(hub, now);
	}
	return NULL;
}

enum vt_err hub_start(struct hub **out, struct log *log, double heartbeat_seconds)
{
	struct hub *hub = calloc(1, sizeof(*hub));
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	if (hub == NULL)
		return VT_ENOMEM;
	hub->log = log;
	hub->mode = log_mode(log);
	hub->heartbeat =
	    (uint64_t)((heartbeat_seconds > 0 ? heartbeat_seconds : HUB_HEARTBEAT_SECONDS) *
		       (double)SECOND);
	list_init(&hub->newcomers);
	list_init(&hub->current);
	list_init(&hub->behind);
	pthread_mutex_init(&hub->lock, NULL);
	clock_cond_init(&hub->work);
	/* "a comment line (one starting with a ':' character) every 15 seconds or so" (section 9.2.7). */
	if ((hub->beat = http_chunk_new(bytes_str(":\n\n"))) == NULL ||
	    (err = log_worker_new(&hub->worker, log)) != VT_OK)
		goto done;
	err = VT_EIO;
	if (pthread_create(&hub->thread, NULL, hub_main, hub) != 0)
		goto done;
	hub->running = true;
	*out = hub;
	hub = NULL;
	err = VT_OK;
done:
	hub_free(hub);
	return err;
}

void hub_stop(struct hub *hub)
{
	if (!hub->running)
		return;
	pthread_mutex_lock(&hub->lock);
	hub->stopping = true;
	pthread_cond_signal(&hub->work);
	pthread_mutex_unlock(&hub->lock);
	pthread_join(hub->thread, NULL);
	hub->running = false;
	log_worker_free(hub->worker);
	hub->worker = NULL;
}

void hub_free(struct hub *hub)
{
	struct subscribers *lists[3];
	struct subscriber *s;

	if (hub == NULL)
		return;
	hub_stop(hub);
	lists[0] = &hub->newcomers;
	lists[1] = &hub->current;
	lists[2] = &hub->behind;
	for (size_t i = 0; i < 3; i++)
		while ((s = list_pop(lists[i])) != NULL)
			subscriber_free(s);
	cache_empty(hub);
	for (size_t i = 0; i < HEAD_SLOTS; i++)
		http_chunk_unref(hub->head[i].chunk);
	http_chunk_unref(hub->beat);
	log_worker_free(hub->worker);
	pthread_cond_destroy(&hub->work);
	pthread_mutex_destroy(&hub->lock);
	free(hub);
}
