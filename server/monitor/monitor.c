#include "monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "files.h"
#include "monitor_private.h"

enum {
	INTERVAL_SECONDS = 10,
	SILENT_SECONDS = 3600,
	COMMAND_SECONDS = 60,
	READ_SECONDS = 30,
	AGAIN_MILLIS = 3000,
	REGISTRY_MIB = 64,
	COMMIT_ENTRIES = 16384,
	ALERT_TEXT_MAX = OUTBOX_ALERT_MAX / 8, /* bytes of one member: quoted they are twice that */
	ID_HEX = 32,
};

/* -- sleeping --------------------------------------------------------------------------------- */

/* Until the time is over or *flag is true. */
static bool sleep_unless(struct monitor *m, const atomic_bool *flag, uint64_t millis)
{
	struct timespec until = clock_timespec(clock_monotonic_nanos() + millis * 1000000);

	pthread_mutex_lock(&m->lock);
	while (!*flag && pthread_cond_timedwait(&m->wake, &m->lock, &until) == 0)
		;
	pthread_mutex_unlock(&m->lock);
	return !*flag;
}

bool monitor_sleep(struct monitor *m, uint64_t millis)
{
	return sleep_unless(m, &m->stop, millis);
}

bool monitor_pause_delivery(struct monitor *m, uint64_t millis)
{
	return sleep_unless(m, &m->deliver_stop, millis);
}

/* Under the lock, so that nobody looks at it just before and sleeps just after. */
static void tell_to_stop(struct monitor *m, atomic_bool *flag)
{
	pthread_mutex_lock(&m->lock);
	*flag = true;
	pthread_cond_broadcast(&m->wake);
	pthread_mutex_unlock(&m->lock);
}

/* -- alerts ----------------------------------------------------------------------------------- */

/* The same for the same thing, in whichever run of whichever monitor it is found. */
static enum vt_err make_id(char out[HASH_HEX + 1], const char *kind, const char *origin,
			   struct bytes id_of)
{
	struct bytes part[3] = {bytes_of(kind, strlen(kind) + 1),
				bytes_of(origin, strlen(origin) + 1), id_of};
	struct merkle_hasher h;
	struct merkle_hash hash;
	enum vt_err err;

	if ((err = merkle_hasher_init(&h)) == VT_OK)
		err = merkle_sha256(&hash, &h, part, 3);
	merkle_hasher_release(&h);
	if (err == VT_OK)
		hex_encode(out, bytes_of(hash.b, MERKLE_HASH_SIZE));
	out[ID_HEX] = '\0';
	return err;
}

static void add_members(struct json **to, const struct json *more)
{
	struct json_cursor at = {0};
	const struct json *value;
	struct bytes name, text;

	while (json_next_member(more, &at, &name, &value))
		/* An alert that is too large for the outbox would never be told. */
		if (!json_text(value, &text) || text.len <= ALERT_TEXT_MAX)
			json_add(to, (const char *)name.data, json_copy(value));
}

/* The first of its name: a log that changed its key is one log to those who are told. */
const char *alerts_about(const struct monitor *m, const char *origin)
{
	for (size_t i = 0; origin != NULL && i < m->n; i++) {
		const struct follower *f = &m->follower[i];
		if (strcmp(f->origin, origin) == 0 && f->dir != NULL)
			return strrchr(f->dir, '/') + 1;
	}
	return "none";
}

enum vt_err alert_raise(struct monitor *m, const char *kind, const char *origin, struct bytes id_of,
			const char *text, struct json *more)
{
	char id[HASH_HEX + 1], time[CLOCK_RFC3339_SIZE], shown[600];
	struct json *j = NULL;
	struct buf line;
	enum vt_err err;

	buf_init(&line);
	clock_format_rfc3339(time, m->config.now());
	problem_quote(shown, sizeof(shown), bytes_str(text));
	if ((err = make_id(id, kind, origin == NULL ? "" : origin, id_of)) != VT_OK)
		goto done;
	j = JSON_OBJECT_OF({"id", json_new_str(id)}, {"kind", json_new_str(kind)},
			   {"severity", json_new_str(severity_name(severity_of(kind)))},
			   {"time", json_new_str(time)},
			   {"log", origin != NULL ? json_new_str(origin) : json_absent()},
			   {"text", json_new_str(shown)});
	add_members(&j, more);
	if ((err = json_write(&line, j, JSON_COMPACT)) == VT_OK &&
	    (err = outboxes_add(m->outboxes, alerts_about(m, origin), severity_of(kind),
				buf_bytes(&line))) == VT_OK)
		m->raised++;
done:
	json_free(j);
	json_free(more);
	buf_release(&line);
	return err;
}

enum vt_err monitor_alert(struct monitor *m, const char *kind, const char *origin,
			  struct bytes id_of, const char *text, struct json *more)
{
	enum vt_err err = alert_raise(m, kind, origin, id_of, text, more);

	return err != VT_OK ? err : outboxes_sync(m->outboxes, alerts_about(m, origin));
}

/* -- opening ---------------------------------------------------------------------------------- */

static struct bytes centre_of(const struct monitor_config *config, const char *origin)
{
	struct bytes any = {0};

	for (size_t i = 0; i < config->n_centres; i++) {
		if (config->centre[i].origin == NULL)
			any = config->centre[i].spki;
		else if (strcmp(config->centre[i].origin, origin) == 0)
			return config->centre[i].spki;
	}
	return any;
}

static enum vt_err follower_init(struct follower *f, struct monitor *m,
				 const struct policy_log *log, char why[MONITOR_WHY_MAX])
{
	char dir[STATE_FOLDER_PATH_MAX];
	enum vt_err err;

	f->m = m;
	f->log = log;
	f->origin = log->key.name;
	f->centre = centre_of(&m->config, f->origin);
	log_state_init(&f->state);
	standing_list_init(&f->standing);
	pthread_mutex_init(&f->lock, NULL);
	pthread_rwlock_init(&f->kept_lock, NULL);
	m->n++; /* from here on it has to be released */
	if ((f->url = bytes_dup_str(log->url)) == NULL)
		return VT_ENOMEM;
	f->status.origin = f->origin;
	f->status.url = f->url;
	if ((err = merkle_hasher_init(&f->hasher)) != VT_OK ||
	    (err = state_folder_of_log(dir, m->dir, &log->key)) != VT_OK)
		return err;
	if ((f->dir = strdup(dir)) == NULL)
		return VT_ENOMEM;
	if ((err = state_folder_check_log(&m->folder, &log->key, why)) != VT_OK)
		return err;
	return follow_load(f, why);
}

static void follower_release(struct follower *f)
{
	follow_unload(f);
	log_state_release(&f->state);
	standing_list_release(&f->standing);
	buf_release(&f->held);
	merkle_hasher_release(&f->hasher);
	pthread_mutex_destroy(&f->lock);
	pthread_rwlock_destroy(&f->kept_lock);
	free(f->url);
	free(f->dir);
}

static bool is_followed(const struct policy *policy, const char *origin)
{
	for (size_t i = 0; i < policy_log_count(policy); i++)
		if (policy_log(policy, i)->url.len > 0 &&
		    strcmp(policy_log(policy, i)->key.name, origin) == 0)
			return true;
	return false;
}

static enum vt_err check_centres(const struct monitor_config *c, char why[MONITOR_WHY_MAX])
{
	for (size_t i = 0; i < c->n_centres; i++) {
		const char *origin = c->centre[i].origin;

		if (origin == NULL || is_followed(c->policy, origin))
			continue;
		snprintf(why, MONITOR_WHY_MAX,
			 "a centre is given for %s, which is no log with a URL in the policy",
			 origin);
		return VT_EINVAL;
	}
	return VT_OK;
}

enum vt_err monitor_check_config(const struct monitor_config *config, char why[MONITOR_WHY_MAX])
{
	enum vt_err err;

	why[0] = '\0';
	err = state_folder_check_policy(config->state_dir, config->policy, why);
	return err == VT_OK ? check_centres(config, why) : err;
}

static enum vt_err open_logs(struct monitor *m, char why[MONITOR_WHY_MAX])
{
	const struct policy *policy = m->config.policy;
	enum vt_err err;

	if ((m->follower = calloc(policy_log_count(policy) + 1, sizeof(*m->follower))) == NULL)
		return VT_ENOMEM;
	for (size_t i = 0; i < policy_log_count(policy); i++) {
		const struct policy_log *log = policy_log(policy, i);
		if (log->url.len == 0)
			continue;
		if (!vkey_verifiable(&log->key)) {
			snprintf(why, MONITOR_WHY_MAX,
				 "%s: signatures of this type of key cannot be verified",
				 log->key.name);
			return VT_EINVAL;
		}
		if ((err = follower_init(&m->follower[m->n], m, log, why)) != VT_OK)
			return err;
	}
	if (m->n == 0) {
		snprintf(why, MONITOR_WHY_MAX, "no log of the policy has a URL");
		return VT_EINVAL;
	}
	return check_centres(&m->config, why);
}

enum vt_err monitor_check_writable(struct monitor *m, char why[MONITOR_WHY_MAX])
{
	char path[MONITOR_PATH_MAX];
	enum vt_err err = files_path(path, m->dir, "logs.list", UINT64_MAX);

	if (err == VT_OK && (err = durable_probe(&m->probe, path)) != VT_OK)
		snprintf(why, MONITOR_WHY_MAX, "no file can be written in it: %s", strerror(errno));
	return err;
}

static enum vt_err open_state(struct monitor *m, char why[MONITOR_WHY_MAX])
{
	char path[MONITOR_PATH_MAX];
	enum vt_err err;

	if ((err = state_folder_open(&m->folder, m->dir, why)) != VT_OK ||
	    (err = monitor_check_writable(m, why)) != VT_OK ||
	    (err = files_path(path, m->dir, "alerts", UINT64_MAX)) != VT_OK ||
	    (err = outboxes_open(&m->outboxes, path, why)) != VT_OK)
		return err;
	why[0] = '\0';
	if ((err = open_logs(m, why)) != VT_OK)
		return err;
	return state_folder_settle(&m->folder, m->config.policy, why);
}

static void fill_in_defaults(struct monitor_config *c)
{
	if (c->interval_seconds == 0)
		c->interval_seconds = INTERVAL_SECONDS;
	if (c->silent_seconds == 0)
		c->silent_seconds = SILENT_SECONDS;
	if (c->command_seconds == 0)
		c->command_seconds = COMMAND_SECONDS;
	if (c->again_millis == 0)
		c->again_millis = AGAIN_MILLIS;
	if (c->waiting_max == 0)
		c->waiting_max = OUTBOXES_FULL;
	if (c->registry_max == 0)
		c->registry_max = (size_t)REGISTRY_MIB << 20;
	if (c->read_seconds == 0)
		c->read_seconds = READ_SECONDS;
	if (c->now == NULL)
		c->now = clock_unix;
	if (c->commit_entries == 0)
		c->commit_entries = COMMIT_ENTRIES;
	if (c->watches != NULL && c->watches->n == 0)
		c->watches = NULL;
}

enum vt_err monitor_new(struct monitor **out, const struct monitor_config *config,
			char why[MONITOR_WHY_MAX])
{
	struct monitor *m = calloc(1, sizeof(*m));
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	why[0] = '\0';
	if (m == NULL)
		return VT_ENOMEM;
	m->config = *config;
	fill_in_defaults(&m->config);
	pthread_mutex_init(&m->lock, NULL);
	durable_probe_init(&m->probe);
	clock_cond_init(&m->wake);
	if ((m->dir = strdup(config->state_dir)) == NULL ||
	    (config->on_alert != NULL && (m->on_alert = strdup(config->on_alert)) == NULL) ||
	    (err = open_state(m, why)) != VT_OK)
		goto done;
	*out = m;
	m = NULL; /* transferred */
done:
	if (err != VT_OK && why[0] == '\0')
		snprintf(why, MONITOR_WHY_MAX, "%s", vt_err_text(err));
	monitor_free(m);
	return err;
}

void monitor_free(struct monitor *m)
{
	if (m == NULL)
		return;
	monitor_stop(m);
	for (size_t i = 0; i < m->n; i++)
		follower_release(&m->follower[i]);
	free(m->follower);
	outboxes_free(m->outboxes);
	state_folder_close(&m->folder);
	durable_probe_release(&m->probe);
	pthread_cond_destroy(&m->wake);
	pthread_mutex_destroy(&m->lock);
	free(m->on_alert);
	free(m->dir);
	free(m);
}

/* -- running ---------------------------------------------------------------------------------- */

struct once {
	struct follower *follower;
	pthread_t thread;
	bool has_thread;
	enum monitor_outcome outcome;
};

static void *look_once(void *ctx)
{
	struct once *o = ctx;

	o->outcome = follow_once(o->follower);
	return NULL;
}

static enum monitor_outcome worse_of(enum monitor_outcome a, enum monitor_outcome b)
{
	if (a == MONITOR_FAULT || b == MONITOR_FAULT)
		return MONITOR_FAULT;
	return a == MONITOR_UNSURE ? a : b;
}

static bool start_delivery(struct monitor *m)
{
	m->deliver_stop = false;
	m->has_deliverer = pthread_create(&m->deliverer, NULL, deliver_alerts, m) == 0;
	return m->has_deliverer;
}

static void stop_delivery(struct monitor *m)
{
	if (!m->has_deliverer)
		return;
	tell_to_stop(m, &m->deliver_stop);
	outboxes_wake(m->outboxes);
	pthread_join(m->deliverer, NULL);
	m->has_deliverer = false;
}

enum monitor_outcome monitor_once(struct monitor *m)
{
	struct once *once = calloc(m->n, sizeof(*once));
	enum monitor_outcome outcome = MONITOR_HOLDS;

	if (once == NULL || !start_delivery(m)) {
		free(once);
		return MONITOR_UNSURE;
	}
	for (size_t i = 0; i < m->n; i++) {
		once[i].follower = &m->follower[i];
		once[i].has_thread =
		    pthread_create(&once[i].thread, NULL, look_once, &once[i]) == 0;
		if (!once[i].has_thread)
			look_once(&once[i]);
	}
	for (size_t i = 0; i < m->n; i++) {
		if (once[i].has_thread)
			pthread_join(once[i].thread, NULL);
		outcome = worse_of(outcome, once[i].outcome);
	}
	free(once);
	return outcome;
}

bool monitor_deliver(struct monitor *m, unsigned seconds)
{
	uint64_t until = clock_monotonic_nanos() + (uint64_t)seconds * 1000000000;

	while (outboxes_waiting(m->outboxes) > 0 && clock_monotonic_nanos() < until)
		if (!monitor_sleep(m, 10))
			break;
	stop_delivery(m);
	return outboxes_waiting(m->outboxes) == 0;
}

static void *go_on(void *ctx)
{
	struct follower *f = ctx;

	do
		follow_once(f);
	while (monitor_sleep(f->m, (uint64_t)f->m->config.interval_seconds * 1000));
	return NULL;
}

enum vt_err monitor_start(struct monitor *m)
{
	if (!start_delivery(m))
		return VT_ENOMEM;
	for (size_t i = 0; i < m->n; i++) {
		struct follower *f = &m->follower[i];
		f->has_thread = pthread_create(&f->thread, NULL, go_on, f) == 0;
		if (!f->has_thread) {
			monitor_stop(m);
			return VT_ENOMEM;
		}
	}
	return VT_OK;
}

void monitor_interrupt(struct monitor *m)
{
	tell_to_stop(m, &m->stop);
	for (size_t i = 0; i < m->n; i++) {
		struct follower *f = &m->follower[i];
		pthread_mutex_lock(&f->lock);
		if (f->client != NULL)
			client_cancel(f->client);
		if (f->side_client != NULL)
			client_cancel(f->side_client);
		pthread_mutex_unlock(&f->lock);
	}
}

void monitor_stop(struct monitor *m)
{
	monitor_interrupt(m);
	for (size_t i = 0; i < m->n; i++) {
		if (m->follower[i].has_thread)
			pthread_join(m->follower[i].thread, NULL);
		m->follower[i].has_thread = false;
	}
	stop_delivery(m);
}
