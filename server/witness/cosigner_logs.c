/*
 * Which logs there are: those of the policy, and those of which the state folder has a file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "clock.h"
#include "cosigner_internal.h"
#include "durable.h"
#include "logline.h"

/* -- the list of logs ------------------------------------------------------------------------ */

enum vt_err cosigner_hash(struct merkle_hash *out, struct bytes data)
{
	struct merkle_hasher h;
	enum vt_err err;

	if ((err = merkle_hasher_init(&h)) != VT_OK)
		return err;
	err = merkle_sha256(out, &h, &data, 1);
	merkle_hasher_release(&h);
	return err;
}

/* Where a hash is in the list, or would stand. */
static size_t place_of(struct origin *const *list, size_t n, const struct merkle_hash *hash)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (memcmp(list[mid]->hash.b, hash->b, sizeof(hash->b)) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

struct origin *cosigner_find(const struct cosigner *c, const struct merkle_hash *hash)
{
	size_t at = place_of(c->origin, c->n, hash);

	return at < c->n && merkle_hash_equal(&c->origin[at]->hash, hash) ? c->origin[at] : NULL;
}

static struct origin *origin_new(const struct merkle_hash *hash)
{
	struct origin *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return NULL;
	o->hash = *hash;
	hex_encode(o->hex, bytes_of(hash->b, sizeof(hash->b)));
	pthread_mutex_init(&o->update, NULL);
	pthread_mutex_init(&o->show, NULL);
	buf_init(&o->shown);
	return o;
}

static void origin_free(struct origin *o)
{
	if (o == NULL)
		return;
	pthread_mutex_destroy(&o->update);
	pthread_mutex_destroy(&o->show);
	buf_release(&o->shown);
	free(o->name);
	free(o->key);
	free(o);
}

/* Put an origin of this hash into a list that has room, unless it is there. */
static enum vt_err list_add(struct origin **list, size_t *n, const struct merkle_hash *hash)
{
	size_t at = place_of(list, *n, hash);
	struct origin *o;

	if (at < *n && merkle_hash_equal(&list[at]->hash, hash))
		return VT_OK;
	if ((o = origin_new(hash)) == NULL)
		return VT_ENOMEM;
	memmove(list + at + 1, list + at, (*n - at) * sizeof(*list));
	list[at] = o;
	++*n;
	return VT_OK;
}

/* -- reading the state folder ---------------------------------------------------------------- */

static void mark_damaged(const struct cosigner *c, struct origin *o, const char *why)
{
	char path[PATH_MAX], name[160];

	snprintf(path, sizeof(path), "%s/%s", c->folder, o->hex);
	logline(LOGLINE_ERROR, "damaged state: nothing is cosigned for this log",
		"origin=%s file=%s why=\"%s\"",
		logline_quote(name, sizeof(name), bytes_str(o->name ? o->name : "")), path, why);
	o->damaged = true;
	pthread_mutex_lock(&o->show);
	o->shown_damaged = true;
	pthread_mutex_unlock(&o->show);
}

/* The head is known and has no cosignature of ours: a crash came between, or the key is new. */
static void cosign_anew(const struct cosigner *c, struct origin *o, const struct cosigned *s)
{
	struct note *n = NULL;
	struct buf line;
	enum vt_err err;

	buf_init(&line);
	if ((err = note_parse(&n, buf_bytes(&s->note))) == VT_OK)
		err =
		    cosigner_persist_and_sign(c, o, &s->head, n->text, buf_bytes(&s->note), &line);
	if (err != VT_OK)
		logline(LOGLINE_ERROR, "the last checkpoint could not be cosigned again",
			"origin_hash=%s why=\"%s\"", o->hex, vt_err_text(err));
	note_free(n);
	buf_release(&line);
}

/* Read what the file says. Nobody else uses the origin meanwhile, or its lock is held. */
static enum vt_err load_origin(const struct cosigner *c, struct origin *o,
			       const struct vkey_set *keys)
{
	char why[COSIGNER_WHY_MAX] = "";
	struct cosigned s;
	enum vt_err err;

	cosigned_init(&s);
	err = cosigned_read(&s, c->folder, o->hex, keys, &c->signer->key, why);
	if (err == VT_ENOMEM)
		goto done;
	if (err != VT_OK) {
		mark_damaged(c, o, why);
		err = VT_OK;
		goto done;
	}
	o->damaged = false;
	pthread_mutex_lock(&o->show);
	o->shown_damaged = false;
	pthread_mutex_unlock(&o->show);
	if (s.note.len == 0)
		goto done;
	o->head = s.head;
	o->time = s.time;
	o->cosigned = true;
	/* A cosignature is added only after the flush. Without one, the file may be read from memory
	 * that a power cut would lose. */
	o->durable = s.line.len > 0;
	if (o->name == NULL) {
		o->name = s.origin;
		s.origin = NULL; /* transferred */
	}
	if (s.line.len > 0)
		cosigner_show(o, buf_bytes(&s.note), buf_bytes(&s.line));
	else
		cosign_anew(c, o, &s);
done:
	cosigned_release(&s);
	return err;
}

/* -- the policy ------------------------------------------------------------------------------ */

/* What a policy makes of the list of logs. Entry i is for list[i]. */
struct listing {
	struct origin **list;
	size_t n;
	struct listed {
		char *name;
		struct vkey *key;
		size_t n_keys;
		bool fresh; /* its file was read just now */
	} * of;
};

static void listing_release(const struct cosigner *c, struct listing *l)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->of != NULL) {
			free(l->of[i].name);
			free(l->of[i].key);
		}
		/* A log that the cosigner did not take. */
		if (l->list != NULL && cosigner_find(c, &l->list[i]->hash) == NULL)
			origin_free(l->list[i]);
	}
	free(l->list);
	free(l->of);
}

static enum vt_err listed_add(struct listed *of, const struct vkey *key)
{
	struct vkey *more = realloc(of->key, (of->n_keys + 1) * sizeof(*more));

	if (more == NULL)
		return VT_ENOMEM;
	of->key = more;
	of->key[of->n_keys++] = *key;
	if (of->name == NULL && (of->name = strdup(key->name)) == NULL)
		return VT_ENOMEM;
	return VT_OK;
}

/* tlog-policy, Defining a log: "The log's vkey includes a "key name". This name MUST correspond to
 * the log's origin line". Several lines of one name are several keys of one log. */
static enum vt_err listing_make(struct listing *l, const struct cosigner *c,
				const struct policy *policy)
{
	const size_t logs = policy_log_count(policy);
	struct merkle_hash hash;
	enum vt_err err = VT_OK;

	if ((l->list = calloc(c->n + logs + 1, sizeof(struct origin *))) == NULL)
		return VT_ENOMEM;
	for (l->n = 0; l->n < c->n; l->n++)
		l->list[l->n] = c->origin[l->n];
	for (size_t i = 0; i < logs && err == VT_OK; i++)
		if ((err = cosigner_hash(&hash, bytes_str(policy_log(policy, i)->key.name))) ==
		    VT_OK)
			err = list_add(l->list, &l->n, &hash);
	if (err == VT_OK && (l->of = calloc(l->n + 1, sizeof(*l->of))) == NULL)
		err = VT_ENOMEM;
	for (size_t i = 0; i < logs && err == VT_OK; i++) {
		const struct vkey *key = &policy_log(policy, i)->key;
		char name[160];

		if (!vkey_verifiable(key))
			logline(LOGLINE_WARN,
				"a log's key is of a kind that cannot be verified here",
				"origin=%s type=%u",
				logline_quote(name, sizeof(name), bytes_str(key->name)), key->type);
		if ((err = cosigner_hash(&hash, bytes_str(key->name))) == VT_OK)
			err = listed_add(&l->of[place_of(l->list, l->n, &hash)], key);
	}
	return err;
}

/* A log that the witness was never given, or one whose file was lost: which, no program can tell. */
static bool has_file(const struct cosigner *c, const struct origin *o)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", c->folder, o->hex);
	return access(path, F_OK) == 0 || errno != ENOENT;
}

/* Read the files that were not read yet. Damaged ones wait for listing_take(): they are in use. */
static enum vt_err listing_load(struct listing *l, const struct cosigner *c,
				char why[COSIGNER_WHY_MAX])
{
	enum vt_err err = VT_OK;

	for (size_t i = 0; i < l->n && err == VT_OK; i++) {
		struct origin *o = l->list[i];

		if (o->loaded)
			continue;
		if (l->of[i].name != NULL && !has_file(c, o)) {
			(void)snprintf(why, COSIGNER_WHY_MAX,
				       "it has no state of the log %s (no file %.16s...)",
				       l->of[i].name, o->hex);
			return VT_ENOTFOUND;
		}
		err = load_origin(c, o, &(struct vkey_set){l->of[i].key, l->of[i].n_keys});
		o->loaded = l->of[i].fresh = err == VT_OK;
	}
	return err;
}

/* Nothing here can fail. */
static void listing_take(struct cosigner *c, struct listing *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct origin *o = l->list[i];
		struct vkey *old = o->key;

		o->key = l->of[i].key;
		o->n_keys = l->of[i].n_keys;
		l->of[i].key = old;
		if (o->name == NULL) {
			o->name = l->of[i].name;
			l->of[i].name = NULL; /* transferred */
		}
		pthread_mutex_lock(&o->update);
		/* Out of memory: it stays damaged. */
		if (o->damaged && !l->of[i].fresh)
			(void)load_origin(c, o, &(struct vkey_set){o->key, o->n_keys});
		pthread_mutex_unlock(&o->update);
	}
	free(c->origin);
	c->origin = l->list;
	c->n = l->n;
	l->list = NULL; /* transferred */
}

enum vt_err cosigner_set_policy(struct cosigner *c, const struct policy *policy,
				char why[COSIGNER_WHY_MAX])
{
	struct listing l = {0};
	enum vt_err err;

	why[0] = '\0';
	pthread_mutex_lock(&c->reload); /* so c->origin does not change under the two steps below */
	if ((err = listing_make(&l, c, policy)) == VT_OK &&
	    (err = listing_load(&l, c, why)) == VT_OK) {
		pthread_rwlock_wrlock(&c->lock);
		listing_take(c, &l);
		pthread_rwlock_unlock(&c->lock);
	}
	listing_release(c, &l);
	pthread_mutex_unlock(&c->reload);
	return err;
}

/* -- opening --------------------------------------------------------------------------------- */

/* Two processes on one folder would each check against its own memory. The lock is on the folder
 * itself, so that no file can be taken for a leftover and removed. */
static enum vt_err take_lock(struct cosigner *c, char why[COSIGNER_WHY_MAX])
{
	if ((c->lock_fd = open(c->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
		snprintf(why, COSIGNER_WHY_MAX, "%s", strerror(errno));
		return VT_EIO;
	}
	if (flock(c->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return VT_OK;
	if (errno != EWOULDBLOCK) {
		snprintf(why, COSIGNER_WHY_MAX, "it cannot be locked: %s", strerror(errno));
		return VT_EIO;
	}
	snprintf(why, COSIGNER_WHY_MAX, "another process is a witness with this folder");
	return VT_ECONFLICT;
}

static enum vt_err check_key(const struct cosigner *c, char why[COSIGNER_WHY_MAX])
{
	struct buf mine, found;
	char path[PATH_MAX];
	enum vt_err err;

	buf_init(&mine);
	buf_init(&found);
	snprintf(path, sizeof(path), "%s/vkey", c->folder);
	if ((err = vkey_format(&mine, &c->signer->key)) != VT_OK ||
	    (err = buf_append_byte(&mine, '\n')) != VT_OK)
		goto done;
	if ((err = file_read(&found, path, 4096)) != VT_OK) {
		snprintf(why, COSIGNER_WHY_MAX, "vkey: it cannot be read");
	} else if (!bytes_equal(buf_bytes(&mine), buf_bytes(&found))) {
		snprintf(
		    why, COSIGNER_WHY_MAX,
		    "it belongs to a witness of another name or key, which the file vkey in it "
		    "says; if the change is meant, write the new vkey into that file");
		err = VT_ECONFLICT;
	}
done:
	buf_release(&mine);
	buf_release(&found);
	return err;
}

/* Find the logs of which there are files, listed or not; remove what crashes left half-written. */
static enum vt_err scan_folder(struct cosigner *c)
{
	enum vt_err err = VT_OK;
	struct merkle_hash hash;
	struct dirent *entry;
	size_t cap = 0;
	DIR *dir = opendir(c->folder);

	if (dir == NULL)
		return VT_EIO;
	while (err == VT_OK && (errno = 0, entry = readdir(dir)) != NULL) {
		struct bytes name = bytes_str(entry->d_name);
		const size_t digits = COSIGNED_HASH_TEXT - 1;

		if (name.len < digits ||
		    hex_decode_exact(hash.b, sizeof(hash.b), bytes_of(name.data, digits)) != VT_OK)
			continue;
		if (name.len > digits) {
			if (strncmp(entry->d_name + digits, ".new-", 5) == 0)
				(void)unlinkat(dirfd(dir), entry->d_name, 0);
			continue;
		}
		if (c->n == cap) {
			struct origin **more =
			    realloc(c->origin, (cap = 2 * cap + 16) * sizeof(struct origin *));
			if (more == NULL) {
				err = VT_ENOMEM;
				break;
			}
			c->origin = more;
		}
		err = list_add(c->origin, &c->n, &hash);
	}
	if (err == VT_OK && errno != 0)
		err = VT_EIO;
	closedir(dir);
	return err;
}

static enum vt_err init_locks(struct cosigner *c)
{
	pthread_rwlockattr_t attr;
	int failed;

	/* Or a stream of requests would keep a new policy out. */
	if (pthread_rwlockattr_init(&attr) != 0)
		return VT_ENOMEM;
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	failed = pthread_rwlock_init(&c->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	if (failed)
		return VT_ENOMEM;
	pthread_mutex_init(&c->reload, NULL);
	durable_probe_init(&c->probe);
	return VT_OK;
}

static enum vt_err open_folder(struct cosigner *c, const struct cosigner_config *config,
			       char why[COSIGNER_WHY_MAX])
{
	enum vt_err err;

	if ((err = cosigner_folder_check(config->state_path, why)) != VT_OK ||
	    (err = take_lock(c, why)) != VT_OK || (err = check_key(c, why)) != VT_OK ||
	    (err = cosigner_writable(c, why)) != VT_OK || (err = scan_folder(c)) != VT_OK ||
	    /* ... and read what was found. */
	    (err = cosigner_set_policy(c, config->policy, why)) != VT_OK)
		return err;
	return cosigner_list_upgrade(c);
}

enum vt_err cosigner_open(struct cosigner **out, const struct cosigner_config *config,
			  char why[COSIGNER_WHY_MAX])
{
	struct cosigner *c;
	enum vt_err err;

	*out = NULL;
	why[0] = '\0';
	if (config->signer->key.type != VKEY_TYPE_COSIGNATURE_ED25519) {
		snprintf(why, COSIGNER_WHY_MAX, "the key is not one for cosignatures");
		return VT_EINVAL;
	}
	if ((c = calloc(1, sizeof(*c))) == NULL)
		return VT_ENOMEM;
	c->lock_fd = -1;
	c->signer = config->signer;
	c->turns_max = config->turns_max != 0 ? config->turns_max : 4;
	c->now = config->now != NULL ? config->now : clock_unix;
	if ((err = init_locks(c)) != VT_OK) {
		free(c);
		return err;
	}
	if ((c->folder = strdup(config->state_path)) == NULL)
		err = VT_ENOMEM;
	else
		err = open_folder(c, config, why);
	if (err == VT_OK) {
		*out = c;
		c = NULL; /* transferred */
	} else if (why[0] == '\0') {
		snprintf(why, COSIGNER_WHY_MAX, "%s", vt_err_text(err));
	}
	cosigner_free(c);
	return err;
}

void cosigner_free(struct cosigner *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->n; i++)
		origin_free(c->origin[i]);
	free(c->origin);
	if (c->lock_fd >= 0)
		close(c->lock_fd); /* and with it the lock goes */
	pthread_rwlock_destroy(&c->lock);
	pthread_mutex_destroy(&c->reload);
	durable_probe_release(&c->probe);
	free(c->folder);
	free(c);
}
