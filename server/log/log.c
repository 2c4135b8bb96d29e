/* A log's life: open, start, stop, free; and what every thread may ask of it. */
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log_private.h"
#include "logline.h"

enum {
	COVER_WAIT_MILLIS = 1000,
	POLICY_WAIT_MILLIS = 3000,
};

/* -- ends ---------------------------------------------------------------------------------------- */

_Noreturn void log_die_mismatch(const char *why)
{
	char quoted[2 * LOG_WHY_MAX];

	logline(LOGLINE_ERROR, "what was read back differs, nothing was signed", "what=%s",
		logline_quote(quoted, sizeof(quoted), bytes_str(why)));
	abort();
}

_Noreturn void log_die_storage(const char *what, enum vt_err err)
{
	logline(LOGLINE_ERROR, "the store failed, start again to recover",
		"doing=\"%s\" error=\"%s\"", what, vt_err_text(err));
	_exit(LOG_EXIT_STORAGE);
}

bool log_cover(struct log *log, uint64_t size)
{
	uint64_t until = clock_monotonic_nanos() + COVER_WAIT_MILLIS * UINT64_C(1000000);
	struct timespec at = {(time_t)(until / 1000000000), (long)(until % 1000000000)};
	bool enough;

	(void)pthread_mutex_lock(&log->lock);
	while (log->covered < size && log->running && !log->status.frozen) {
		log->follow = true;
		(void)pthread_cond_signal(&log->work);
		if (pthread_cond_timedwait(&log->progress, &log->lock, &at) == ETIMEDOUT)
			break;
	}
	enough = log->covered >= size;
	(void)pthread_mutex_unlock(&log->lock);
	return enough;
}

/* -- open ------------------------------------------------------------------------------------------ */

static enum vt_err refuse(char why[STORE_WHY_MAX], enum vt_err err, const char *text)
{
	(void)snprintf(why, STORE_WHY_MAX, "%s", text);
	return err;
}

static void config_defaults(struct log_config *c)
{
	if (c->queue_max == 0)
		c->queue_max = QUEUE_DEFAULT;
	if (c->queue_bytes_max == 0)
		c->queue_bytes_max = (size_t)128 << 20;
	if (c->batch_max == 0)
		c->batch_max = BATCH_DEFAULT;
	if (c->batch_max > BATCH_ENTRIES_MAX)
		c->batch_max = BATCH_ENTRIES_MAX;
	if (c->batch_bytes_max == 0)
		c->batch_bytes_max = (size_t)64 << 20;
	if (c->batch_bytes_max > STORE_BATCH_BYTES_MAX)
		c->batch_bytes_max = STORE_BATCH_BYTES_MAX;
	if (c->unpublished_max == 0)
		c->unpublished_max = 65536;
	if (c->gather_pause_millis == 0)
		c->gather_pause_millis = 1000;
	if (c->quorum_patience_millis == 0)
		c->quorum_patience_millis = 5000;
	if (c->append_wait_millis == 0)
		c->append_wait_millis = 20000;
	if (c->stop_wait_millis == 0)
		c->stop_wait_millis = c->gather == NULL ? 10000 : 4000;
}

static enum vt_err copy_path(const char **path, char **copy)
{
	if (*path != NULL && (*copy = strdup(*path)) == NULL)
		return VT_ENOMEM;
	*path = *copy;
	return VT_OK;
}

static enum vt_err check_identity(struct log *log, char why[STORE_WHY_MAX])
{
	const struct store_identity *identity = &log->store->identity;
	const struct vkey *ours = &log->signer.key;

	if (vkey_parse(&log->vkey, bytes_str(identity->vkey)) != VT_OK ||
	    log->vkey.type != VKEY_TYPE_ED25519)
		return refuse(why, VT_EMISMATCH,
			      "the store's vkey is not one that this build can sign for");
	if (log->vkey.id != ours->id || log->vkey.type != ours->type ||
	    strcmp(log->vkey.name, ours->name) != 0 ||
	    memcmp(log->vkey.ed25519, ours->ed25519, sizeof(ours->ed25519)) != 0)
		return refuse(why, VT_EMISMATCH, "the store was made for another signing key");
	if (strcmp(identity->origin, log->vkey.name) != 0)
		return refuse(why, VT_EMISMATCH, "the store's origin and its key's name differ");
	log->mode = strcmp(identity->mode, "raw") == 0 ? LOG_RAW : LOG_RECORDS;
	return VT_OK;
}

/* The head: range and root belong together, and the tiles make that root too. */
static enum vt_err check_head(struct log *log, char why[STORE_WHY_MAX])
{
	struct merkle_hash root;
	enum vt_err err;

	if ((err = store_read_state(log->reader, &log->state)) != VT_OK)
		return refuse(why, err, "the head cannot be read");
	if ((err = merkle_range_root(&root, &log->hasher, &log->state.range)) != VT_OK)
		return refuse(why, err, "the head's compact range is broken");
	if (log->state.range.size != log->state.head.size ||
	    !merkle_hash_equal(&root, &log->state.head.root))
		return refuse(why, VT_EMISMATCH,
			      "the head's root is not that of its compact range");
	err = readback_root(log, log->state.head.size, &root);
	if (err == VT_ENOTFOUND ||
	    (err == VT_OK && !merkle_hash_equal(&root, &log->state.head.root)))
		return refuse(why, VT_EMISMATCH, "the tiles do not make the head's root");
	return err == VT_OK ? VT_OK : refuse(why, err, "the tiles cannot be read");
}

static enum vt_err open_parts(struct log *log, char why[STORE_WHY_MAX])
{
	struct index_config index = {.store = log->store, .tail_max = log->config.index_tail_max};
	enum vt_err err;

	if ((err = merkle_hasher_init(&log->hasher)) != VT_OK ||
	    (err = merkle_hasher_init(&log->second_hasher)) != VT_OK ||
	    (err = readback_new(&log->readback)) != VT_OK ||
	    (err = batch_new(&log->batch, log)) != VT_OK)
		return refuse(why, err, "no memory");
	if ((err = store_reader_new(&log->reader, log->store)) != VT_OK ||
	    (err = store_reader_new(&log->second, log->store)) != VT_OK)
		return refuse(why, err, "the store cannot be read");
	if ((err = check_head(log, why)) != VT_OK)
		return err;
	if ((err = index_open(&log->index, &index, log->reader, log->state.head.size)) != VT_OK)
		return refuse(why, err, "the index cannot be read");
	if (log->mode == LOG_RECORDS && (err = registry_open(log)) != VT_OK)
		return refuse(why, err, "the registry cannot be rebuilt from the log");
	log->covered = log->state.head.size;
	return VT_OK;
}

/* What the last process committed and did not publish. Where witnesses are asked, the sequencer's thread does that. */
static enum vt_err settle(struct log *log, char why[STORE_WHY_MAX])
{
	struct tree_head old = {0};
	char what[LOG_WHY_MAX];
	enum vt_err err;

	if ((err = merkle_hash_empty(&old.root, &log->hasher)) != VT_OK ||
	    (err = publish_check(log)) != VT_OK)
		goto done;
	if (log->has_published)
		old = log->signed_head;
	if (old.size < log->state.head.size) {
		err = readback_owed(log, &old, &log->state.head, what);
		if (err == VT_EMISMATCH)
			return refuse(why, err, what);
	}
	if (err == VT_OK && !log->asks)
		err = publish_head(log);
done:
	if (err == VT_EBUSY) /* frozen, or somebody else is at it: the log can be read */
		return VT_OK;
	return err == VT_OK ? VT_OK : refuse(why, err, "the head cannot be published");
}

static void init_locks(struct log *log)
{
	pthread_rwlockattr_t prefer_writer;

	/* Signatures are verified under the read lock, one record after the other: a writer must not wait for a gap. */
	(void)pthread_rwlockattr_init(&prefer_writer);
	(void)pthread_rwlockattr_setkind_np(&prefer_writer,
					    PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	(void)pthread_rwlock_init(&log->registry_lock, &prefer_writer);
	(void)pthread_rwlockattr_destroy(&prefer_writer);
	(void)pthread_mutex_init(&log->lock, NULL);
	(void)pthread_mutex_init(&log->frozen_lock, NULL);
	clock_cond_init(&log->work);
	clock_cond_init(&log->progress);
	durable_probe_init(&log->room);
}

static void init(struct log *log, const struct log_config *config)
{
	log->store = config->store;
	log->config = *config;
	config_defaults(&log->config);
	log->signer = *config->signer;
	submissions_init(&log->queue);
	submissions_init(&log->waiting);
	buf_init(&log->round.note);
	buf_init(&log->gathered.note);
	buf_init(&log->frozen_text);
	buf_init(&log->judged_note);
	log->agreed_fd = -1;
	log->policy = config->policy;
	log->asks = config->gather != NULL && !config->asks_nobody;
	log->policy_met = !log->asks;
	log->status.policy_met = log->policy_met;
	log->status.asks_witnesses = log->asks;
	init_locks(log);
}

enum vt_err log_open(struct log **out, const struct log_config *config, char why[STORE_WHY_MAX])
{
	struct log *log = calloc(1, sizeof(*log));
	char said[STORE_WHY_MAX] = "";
	enum vt_err err;

	*out = NULL;
	why[0] = '\0';
	if (log == NULL)
		return refuse(why, VT_ENOMEM, "no memory");
	init(log, config);
	if (getrandom(&log->share_seed, sizeof(log->share_seed), 0) !=
	    (ssize_t)sizeof(log->share_seed)) {
		err = refuse(why, VT_EIO, "no random numbers");
		goto done;
	}
	if ((err = copy_path(&log->config.mark_path, &log->mark_path)) != VT_OK ||
	    (err = copy_path(&log->config.frozen_path, &log->frozen_path)) != VT_OK ||
	    (err = copy_path(&log->config.policy_path, &log->policy_path)) != VT_OK) {
		(void)refuse(why, err, "no memory");
		goto done;
	}
	if ((err = check_identity(log, why)) != VT_OK || (err = agreed_open(log, why)) != VT_OK ||
	    (err = open_parts(log, why)) != VT_OK)
		goto done;
	log_freeze_look(log);
	if ((err = high_water_open(log)) != VT_OK) {
		(void)refuse(why, err,
			     err == VT_EBUSY
				 ? "another process holds the high-water mark, or the store is busy"
				 : "the high-water mark cannot be compared with the store");
		goto done;
	}
	/* From here on it may be written: not a byte before, and none as long as that is in doubt. */
	if (!log_frozen(log) && !log->probation) {
		store_trust(log->store, true);
		/* One that is busy comes free, or /readyz tells. */
		if ((err = store_probe(log->store, true, said)) != VT_OK && err != VT_EBUSY) {
			(void)snprintf(why, STORE_WHY_MAX, "it cannot be written: %.220s", said);
			goto done;
		}
	}
	if ((err = settle(log, why)) != VT_OK)
		goto done;
	*out = log;
	log = NULL;
done:
	log_free(log);
	return err;
}

enum vt_err log_start(struct log *log)
{
	if (log->running)
		return VT_EINVAL;
	log->running = true;
	if (pthread_create(&log->thread, NULL, sequencer_main, log) != 0) {
		log->running = false;
		return VT_ENOMEM;
	}
	return VT_OK;
}

enum vt_err log_set_policy(struct log *log, const struct merkle_hash *policy, bool asks,
			   void (*swap)(void *ctx), void *ctx)
{
	struct timespec until =
	    clock_timespec(clock_monotonic_nanos() + POLICY_WAIT_MILLIS * UINT64_C(1000000));
	struct policy_change *c = &log->policy_change;
	enum vt_err err = VT_EINVAL;

	if (asks && log->config.gather == NULL)
		return err;
	(void)pthread_mutex_lock(&log->lock);
	if (!log->running || log->stopping)
		goto done;
	*c = (struct policy_change){
	    .asked = true, .policy = *policy, .asks = asks, .swap = swap, .ctx = ctx};
	(void)pthread_cond_signal(&log->work);
	/* Whoever asks has signals to take as well: it does not wait behind a commit that finds the store locked. */
	while (!c->begun && pthread_cond_timedwait(&log->progress, &log->lock, &until) == 0)
		;
	while (c->begun && !c->done)
		(void)pthread_cond_wait(&log->progress, &log->lock);
	err = c->done ? c->err : VT_EBUSY;
	c->asked = false;
done:
	(void)pthread_mutex_unlock(&log->lock);
	return err;
}

/* Under the lock. */
static void stop_soon(struct log *log)
{
	uint64_t wait = log->config.stop_wait_millis * UINT64_C(1000000);

	if (log->stop_at == 0)
		log->stop_at = clock_monotonic_nanos() + wait;
}

void log_stop_soon(struct log *log)
{
	(void)pthread_mutex_lock(&log->lock);
	stop_soon(log);
	(void)pthread_mutex_unlock(&log->lock);
}

void log_stop(struct log *log)
{
	bool running;

	(void)pthread_mutex_lock(&log->lock);
	stop_soon(log);
	running = log->running && !log->stopping;
	log->stopping = true;
	(void)pthread_cond_broadcast(&log->work);
	(void)pthread_mutex_unlock(&log->lock);
	if (!running)
		return;
	(void)pthread_join(log->thread, NULL);
	(void)pthread_mutex_lock(&log->lock);
	log->running = false;
	(void)pthread_cond_broadcast(&log->progress);
	(void)pthread_mutex_unlock(&log->lock);
}

void log_free(struct log *log)
{
	if (log == NULL)
		return;
	/* Whatever froze it while it ran, the files are evidence now. */
	if (log->status.frozen)
		store_trust(log->store, false);
	mark_free(log->mark);
	batch_free(log->batch);
	readback_free(log->readback);
	index_free(log->index);
	registry_free(log->registry);
	registry_free(log->next);
	free(log->accreditation);
	buf_release(&log->verified_note);
	buf_release(&log->round.note);
	buf_release(&log->gathered.note);
	buf_release(&log->frozen_text);
	buf_release(&log->judged_note);
	store_reader_free(log->reader);
	store_reader_free(log->second);
	merkle_hasher_release(&log->hasher);
	merkle_hasher_release(&log->second_hasher);
	(void)pthread_rwlock_destroy(&log->registry_lock);
	(void)pthread_mutex_destroy(&log->lock);
	(void)pthread_mutex_destroy(&log->frozen_lock);
	(void)pthread_cond_destroy(&log->work);
	(void)pthread_cond_destroy(&log->progress);
	durable_probe_release(&log->room);
	agreed_close(log);
	free(log->policy_path);
	free(log->mark_path);
	free(log->frozen_path);
	free(log);
}

const struct store_identity *log_identity(const struct log *log)
{
	return &log->store->identity;
}

enum log_mode log_mode(const struct log *log)
{
	return log->mode;
}

void log_status(struct log *log, struct log_status *out)
{
	struct mark_stats mark = {0};
	struct index_stats stats;

	index_stats(log->index, &stats);
	(void)pthread_mutex_lock(&log->lock);
	*out = log->status;
	out->size = log->covered;
	out->handed_size = log->handed;
	if (log->mark != NULL)
		mark_stats(log->mark, &mark); /* its lock is taken last */
	out->holding = log_holding(log) != NULL;
	if (mark.size > out->mark_size)
		out->mark_size = mark.size;
	out->mark_writes = mark.writes;
	if (out->stuck_why[0] == '\0' && mark.trouble != NULL)
		(void)snprintf(out->stuck_why, sizeof(out->stuck_why), "%s", mark.trouble);
	out->queued = log->queue.n;
	(void)pthread_mutex_unlock(&log->lock);
	out->index_tail_keys = stats.tail_keys;
	out->index_runs = stats.runs;
	out->registry_version = 0;
	if (log->mode == LOG_RECORDS) {
		(void)pthread_rwlock_rdlock(&log->registry_lock);
		out->registry_version = registry_version(log->registry);
		(void)pthread_rwlock_unlock(&log->registry_lock);
	}
}

enum vt_err log_has_room(struct log *log)
{
	return log->config.frozen_path == NULL ? VT_OK
					       : durable_probe(&log->room, log->config.frozen_path);
}

/* -- workers ----------------------------------------------------------------------------------------- */

enum vt_err log_worker_new(struct log_worker **out, struct log *log)
{
	struct log_worker *w = calloc(1, sizeof(*w));
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	if (w == NULL)
		return VT_ENOMEM;
	w->log = log;
	if ((err = merkle_hasher_init(&w->hasher)) != VT_OK ||
	    (err = node_cache_init(&w->nodes)) != VT_OK ||
	    (err = store_reader_new(&w->reader, log->store)) != VT_OK) {
		log_worker_free(w);
		return err;
	}
	*out = w;
	return VT_OK;
}

void log_worker_free(struct log_worker *w)
{
	if (w == NULL)
		return;
	store_reader_free(w->reader);
	node_cache_release(&w->nodes);
	merkle_hasher_release(&w->hasher);
	free(w);
}

struct merkle_hasher *log_worker_hasher(struct log_worker *w)
{
	return &w->hasher;
}
