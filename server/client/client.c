/* A client and its head. */
#include "client_internal.h"
#include "file_kind.h"
#include "json.h"
#include "problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	URL_MAX = 1024,
	READ_SECONDS = 60,
	SUBMIT_SECONDS = 300,
	PARALLEL = 4,
};

/* The address without slashes at its end; empty: it is not one that paths can be added to. */
static struct bytes base_url(const char *url)
{
	size_t len = strlen(url);
	size_t scheme = strncmp(url, "http://", 7) == 0    ? 7
			: strncmp(url, "https://", 8) == 0 ? 8
							   : 0;

	while (len > scheme && url[len - 1] == '/')
		len--;
	if (scheme == 0 || len == scheme || len > URL_MAX)
		return bytes_of(NULL, 0);
	for (size_t i = 0; i < len; i++) {
		if (url[i] <= ' ' || url[i] > '~' || url[i] == '?' || url[i] == '#')
			return bytes_of(NULL, 0);
	}
	return bytes_of(url, len);
}

enum vt_err client_new(struct client **out, const struct client_config *config, struct why *why)
{
	struct bytes url = base_url(config->url);
	enum vt_err err = VT_ENOMEM;
	struct client *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (c == NULL)
		goto done;
	c->policy = config->policy;
	c->parallel = config->parallel == 0 ? PARALLEL : config->parallel;
	if (c->parallel > CLIENT_PARALLEL_MAX)
		c->parallel = CLIENT_PARALLEL_MAX;
	c->read_millis =
	    (uint64_t)(config->read_seconds == 0 ? READ_SECONDS : config->read_seconds) * 1000;
	c->submit_millis =
	    (uint64_t)(config->submit_seconds == 0 ? SUBMIT_SECONDS : config->submit_seconds) *
	    1000;
	c->keep_trying = config->keep_trying;
	c->fresh = config->fresh;
	c->wait = config->wait;
	c->ctx = config->ctx;
	pthread_mutex_init(&c->stream_lock, NULL);
	if (url.len == 0) {
		err = why_say(why, VT_EINVAL,
			      "not the address of a log: expected something like "
			      "https://log.example/path, without ? and #");
		goto done;
	}
	if ((c->url = bytes_dup_str(url)) == NULL)
		goto done;
	if (config->origin != NULL && (c->wanted_origin = strdup(config->origin)) == NULL)
		goto done;
	if ((err = buf_append(&c->centre, config->centre)) != VT_OK ||
	    (err = merkle_hasher_init(&c->hasher)) != VT_OK ||
	    (err = tiles_init(c, config->cache_bytes)) != VT_OK ||
	    (err = asker_init(&c->asker, c)) != VT_OK)
		goto done;
	c->asker.stop = &c->cancelled;
	*out = c;
	c = NULL; /* transferred */
done:
	if (err != VT_OK && err != VT_EINVAL)
		why_say(why, err, "%s", vt_err_text(err));
	client_free(c);
	return err;
}

void client_free(struct client *c)
{
	if (c == NULL)
		return;
	asker_release(&c->asker);
	tiles_release(c);
	merkle_hasher_release(&c->hasher);
	buf_release(&c->centre);
	buf_release(&c->checkpoint);
	buf_release(&c->last_answer);
	buf_release(&c->bundle.raw);
	free(c->url);
	free(c->wanted_origin);
	pthread_mutex_destroy(&c->stream_lock);
	free(c);
}

void client_cancel(struct client *c)
{
	c->cancelled = true;
	http_fetcher_cancel(c->asker.fetcher);
	pthread_mutex_lock(&c->stream_lock);
	if (c->stream != NULL)
		stream_cancel(c->stream);
	pthread_mutex_unlock(&c->stream_lock);
}

const struct tree_head *client_head(const struct client *c)
{
	return &c->head;
}

struct bytes client_checkpoint(const struct client *c)
{
	return buf_bytes(&c->checkpoint);
}

const char *client_origin(const struct client *c)
{
	return c->origin;
}

const struct policy_log *client_log(const struct client *c)
{
	return c->log;
}

struct bytes client_last_answer(const struct client *c)
{
	return buf_bytes(&c->last_answer);
}

bool client_last_forked(const struct client *c)
{
	return c->last_forked;
}

/* -- checkpoints ------------------------------------------------------------------------------ */

static enum vt_err explain_refusal(const struct client *c, enum vt_err err, struct bytes msg,
				   struct why *why)
{
	char text[POLICY_WHY_MAX];
	enum vt_err explained = policy_explain(text, msg, c->policy);

	return explained != VT_OK ? why_say(why, explained, "%s", vt_err_text(explained))
				  : why_say(why, err, "the checkpoint does not hold: %s", text);
}

static enum vt_err explain_malformed(struct bytes msg, struct why *why)
{
	const struct file_kind *kind = file_kind(msg);

	if (kind == NULL || file_kind_is(kind, "checkpoint"))
		return why_say(why, VT_EMALFORMED,
			       "not a checkpoint (C2SP tlog-checkpoint): is this a log's "
			       "address?");
	return why_say(why, VT_EMALFORMED,
		       "not a checkpoint (C2SP tlog-checkpoint) but %s: is this a log's "
		       "address?",
		       kind->what);
}

enum vt_err open_checkpoint(struct checkpoint *cp, const struct policy_log **log, struct client *c,
			    struct bytes msg, struct why *why)
{
	struct note *note = NULL;
	enum vt_err err = policy_open_checkpoint(&note, cp, log, NULL, msg, c->policy);

	if (err == VT_EMISMATCH || err == VT_EUNTRUSTED)
		err = explain_refusal(c, err, msg, why);
	else if (err == VT_EMALFORMED)
		explain_malformed(msg, why);
	else if (err != VT_OK)
		why_say(why, err, "the checkpoint: %s", vt_err_text(err));
	else if (c->wanted_origin != NULL && !bytes_is(cp->origin, c->wanted_origin))
		err = why_say(why, VT_EUNTRUSTED, "this is the log %s, and %s was expected",
			      (*log)->key.name, c->wanted_origin);
	else if (c->log != NULL && *log != c->log)
		err = why_say(why, VT_EUNTRUSTED,
			      "the checkpoint is of the log %s, and this was %s so far",
			      (*log)->key.name, c->origin);
	note_free(note);
	return err;
}

static enum vt_err refuse_fork(struct client *c, const struct tree_head *head, bool *forked,
			       struct why *why)
{
	*forked = true;
	return why_say(why, VT_EMISMATCH,
		       "the log has signed two histories: its checkpoints of sizes %llu and "
		       "%llu contradict each other",
		       (unsigned long long)c->head.size, (unsigned long long)head->size);
}

/* An older head than ours must be what our tree was at that size. */
static enum vt_err check_older(struct client *c, const struct tree_head *head, bool *forked,
			       struct why *why)
{
	struct merkle_hash root;
	enum vt_err err;

	if ((err = root_at(&root, c, head->size, why)) != VT_OK)
		return err;
	return merkle_hash_equal(&root, &head->root) ? VT_OK : refuse_fork(c, head, forked, why);
}

/* Move to a larger head, if its tree contains ours. On failure nothing has changed. */
static enum vt_err move_to(struct client *c, const struct tree_head *head, bool *forked,
			   struct why *why)
{
	struct tree_head before = c->head;
	struct edge *edge_before = c->edge, *edge = calloc(1, sizeof(*edge));
	struct merkle_hash root;
	enum vt_err err;

	if (edge == NULL)
		return why_say(why, VT_ENOMEM, "%s", vt_err_text(VT_ENOMEM));
	if ((err = edge_fetch(edge, c, head, why)) != VT_OK)
		goto done;
	c->edge = edge;
	c->head = *head;
	c->generation++; /* nothing that is cached counts before the new tree vouches for it */
	if (c->log != NULL && (err = root_at(&root, c, before.size, why)) == VT_OK &&
	    !merkle_hash_equal(&root, &before.root)) {
		c->head = before; /* for the text */
		err = refuse_fork(c, head, forked, why);
	}
	if (err != VT_OK) {
		c->edge = edge_before;
		c->head = before;
		c->generation++;
		goto done;
	}
	edge = edge_before;
done:
	free(edge);
	return err;
}

enum vt_err client_adopt(struct client *c, struct bytes msg, bool *forked_out, struct why *why)
{
	enum vt_err err;
	struct checkpoint cp;
	const struct policy_log *log;
	struct buf copy;
	bool forked = false;

	buf_init(&copy);
	if ((err = open_checkpoint(&cp, &log, c, msg, why)) != VT_OK)
		goto done;
	if ((err = buf_append(&copy, msg)) != VT_OK) {
		why_say(why, err, "%s", vt_err_text(err));
		goto done;
	}
	if (c->log != NULL && cp.head.size <= c->head.size) {
		if ((err = check_older(c, &cp.head, &forked, why)) != VT_OK ||
		    cp.head.size < c->head.size)
			goto done;
	} else if ((err = move_to(c, &cp.head, &forked, why)) != VT_OK) {
		goto done;
	}
	c->log = log;
	memcpy(c->origin, log->key.name, sizeof(c->origin));
	buf_release(&c->checkpoint);
	c->checkpoint = copy;
	buf_init(&copy); /* transferred */
done:
	buf_release(&copy);
	if (forked_out != NULL)
		*forked_out = forked;
	return err;
}

enum vt_err client_refresh(struct client *c, struct why *why)
{
	enum vt_err err;

	buf_reset(&c->last_answer);
	c->last_forked = false;
	if ((err = fetch_resource(&c->last_answer, &c->asker, "/checkpoint", NULL,
				  CLIENT_CHECKPOINT_MAX, why)) != VT_OK)
		return err;
	return client_adopt(c, buf_bytes(&c->last_answer), &c->last_forked, why);
}

/* -- the API ---------------------------------------------------------------------------------- */

enum vt_err client_get(struct buf *out, struct client *c, const char *path, const char *accept,
		       size_t max, struct why *why)
{
	return fetch_resource(out, &c->asker, path, accept, max, why);
}

enum vt_err client_get_json(struct json **out, struct client *c, const char *path, size_t max,
			    struct why *why)
{
	struct json_error reason;
	struct buf text;
	enum vt_err err;

	*out = NULL;
	buf_init(&text);
	if ((err = client_get(&text, c, path, "application/json", max, why)) != VT_OK)
		goto done;
	if ((err = json_parse_to(out, buf_bytes(&text), JSON_ANSWER_DEPTH_MAX, &reason)) != VT_OK)
		why_say(why, err, "%s%s: not JSON at byte %zu: %s", c->url, path, reason.offset,
			reason.text);
done:
	buf_release(&text);
	return err;
}
