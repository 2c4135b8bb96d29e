#include "fake_log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http_fetch.h"
#include "test_policy.h"
#include "vitrine/tile.h"

enum {
	LEVELS = 4,
	FAULTS_MAX = 16,
	PATHS_MAX = 1 << 16,
	PATH_SIZE = 96,
};

static struct {
	char letter;
	struct merkle_hasher h;
	uint64_t size, cap;
	struct bytes *entry;
	struct merkle_hash
	    *level[LEVELS]; /* hash i of level l: the i-th full subtree of 256^l leaves */
	uint64_t served;    /* the size whose files are served */
	struct buf checkpoint, posted, answer;
	unsigned answer_status;
	char answer_type[64];
	struct fake_fault fault[FAULTS_MAX];
	size_t n_faults;
	unsigned pruned;
	unsigned requests;
	char (*path)[PATH_SIZE];
} fake;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* -- the tree --------------------------------------------------------------------------------- */

static struct merkle_hash mth(const struct merkle_hash *d, uint64_t n)
{
	struct merkle_hash left, right, out;
	uint64_t k = 1;

	if (n == 0) {
		must(merkle_hash_empty(&out, &fake.h) == VT_OK);
		return out;
	}
	if (n == 1)
		return d[0];
	while (k * 2 < n)
		k *= 2;
	left = mth(d, k);
	right = mth(d + k, n - k);
	must(merkle_hash_node(&out, &fake.h, &left, &right) == VT_OK);
	return out;
}

static void path_of(struct merkle_proof *out, uint64_t m, const struct merkle_hash *d, uint64_t n)
{
	uint64_t k = 1;

	if (n == 1)
		return;
	while (k * 2 < n)
		k *= 2;
	path_of(out, m < k ? m : m - k, m < k ? d : d + k, m < k ? k : n - k);
	out->hash[out->n++] = m < k ? mth(d + k, n - k) : mth(d, k);
}

void fake_log_release(void)
{
	for (uint64_t i = 0; i < fake.size; i++)
		free((void *)(uintptr_t)fake.entry[i].data);
	free(fake.entry);
	for (size_t l = 0; l < LEVELS; l++)
		free(fake.level[l]);
	buf_release(&fake.checkpoint);
	buf_release(&fake.posted);
	buf_release(&fake.answer);
	free(fake.path);
	if (fake.h.md != NULL)
		merkle_hasher_release(&fake.h);
	memset(&fake, 0, sizeof(fake));
}

void fake_log_reset(char letter)
{
	fake_log_release();
	fake.letter = letter;
	fake.path = calloc(PATHS_MAX, PATH_SIZE);
	must(fake.path != NULL);
	must(merkle_hasher_init(&fake.h) == VT_OK);
	fake_log_publish();
}

void fake_log_add(struct bytes entry)
{
	uint8_t *copy = malloc(entry.len + 1);

	must(copy != NULL);
	if (entry.len > 0)
		memcpy(copy, entry.data, entry.len);
	if (fake.size == fake.cap) {
		fake.cap = fake.cap == 0 ? 256 : fake.cap * 2;
		fake.entry = realloc(fake.entry, fake.cap * sizeof(*fake.entry));
		must(fake.entry != NULL);
		for (size_t l = 0; l < LEVELS; l++) {
			fake.level[l] = realloc(fake.level[l], fake.cap * sizeof(*fake.level[l]));
			must(fake.level[l] != NULL);
		}
	}
	fake.entry[fake.size] = bytes_of(copy, entry.len);
	must(merkle_hash_leaf(&fake.level[0][fake.size], &fake.h, entry) == VT_OK);
	fake.size++;
	uint64_t n = fake.size;
	for (size_t l = 1; l < LEVELS && n % TILE_WIDTH == 0; l++) {
		n /= TILE_WIDTH;
		fake.level[l][n - 1] = mth(&fake.level[l - 1][(n - 1) * TILE_WIDTH], TILE_WIDTH);
	}
}

void fake_log_grow(uint64_t size, const char *history)
{
	char text[128];

	while (fake.size < size) {
		int n = snprintf(text, sizeof(text), "entry %llu of %s",
				 (unsigned long long)fake.size, history);
		fake_log_add(bytes_of(text, (size_t)n));
	}
}

void fake_log_cut(uint64_t size)
{
	while (fake.size > size)
		free((void *)(uintptr_t)fake.entry[--fake.size].data);
}

uint64_t fake_log_size(void)
{
	return fake.size;
}

struct bytes fake_log_entry(uint64_t index)
{
	must(index < fake.size);
	return fake.entry[index];
}

struct tree_head fake_log_head_at(uint64_t size)
{
	must(size <= fake.size);
	return (struct tree_head){size, mth(fake.level[0], size)};
}

struct merkle_proof fake_log_path(uint64_t index, uint64_t size)
{
	struct merkle_proof out = {0};

	must(index < size && size <= fake.size);
	path_of(&out, index, fake.level[0], size);
	return out;
}

void fake_log_publish_at(uint64_t size, const char *witnesses)
{
	struct tree_head head = fake_log_head_at(size);

	buf_reset(&fake.checkpoint);
	test_checkpoint(&fake.checkpoint, fake.letter, &head, witnesses);
	fake.served = size;
}

void fake_log_publish(void)
{
	fake_log_publish_at(fake.size, "");
}

void fake_log_serve_checkpoint(struct bytes text)
{
	buf_reset(&fake.checkpoint);
	must(buf_append(&fake.checkpoint, text) == VT_OK);
}

struct bytes fake_log_checkpoint(void)
{
	return buf_bytes(&fake.checkpoint);
}

void fake_log_fault(const struct fake_fault *fault)
{
	must(fake.n_faults < FAULTS_MAX);
	fake.fault[fake.n_faults++] = *fault;
}

void fake_log_mend(void)
{
	fake.n_faults = 0;
}

void fake_log_prune_partials(unsigned status)
{
	fake.pruned = status;
}

void fake_log_answer_post(unsigned status, const char *content_type, struct bytes body)
{
	fake.answer_status = status;
	snprintf(fake.answer_type, sizeof(fake.answer_type), "%s", content_type);
	buf_reset(&fake.answer);
	must(buf_append(&fake.answer, body) == VT_OK);
}

struct bytes fake_log_posted(void)
{
	return buf_bytes(&fake.posted);
}

unsigned fake_log_requests(void)
{
	return fake.requests;
}

unsigned fake_log_requests_of(const char *path)
{
	unsigned n = 0;

	for (unsigned i = 0; i < fake.requests; i++)
		n += strcmp(fake.path[i], path) == 0;
	return n;
}

/* -- what is served --------------------------------------------------------------------------- */

/* Tests make allocations fail: then this is a fetch that did not work out. */
static bool starved;

static void put(struct buf *out, struct bytes more)
{
	starved |= buf_append(out, more) != VT_OK;
}

/* 200 or 404. Any tile that the tree has at some size is served, as a log may. */
static unsigned serve_tile(struct buf *out, const struct tile_id *id)
{
	uint64_t first = id->index * TILE_WIDTH, have;

	if (id->level >= LEVELS)
		return 404;
	have = fake.size >> (id->level * TILE_HEIGHT);
	if (fake.pruned != 0 && id->width < TILE_WIDTH && first + TILE_WIDTH <= have)
		return fake.pruned;
	if (first + id->width > have)
		return 404;
	for (uint64_t i = first; i < first + id->width; i++) {
		if (id->entries)
			starved |= bundle_append(out, fake.entry[i]) != VT_OK;
		else
			put(out, bytes_of(fake.level[id->level][i].b, MERKLE_HASH_SIZE));
	}
	return 200;
}

static void serve(struct http_reply *out, const char *path, const struct http_ask *ask)
{
	struct tile_id id;

	out->status = 404;
	if (strcmp(ask->method, "POST") == 0) {
		buf_reset(&fake.posted);
		put(&fake.posted, ask->body);
		if (strcmp(path, "/api/v1/entries") != 0)
			return;
		out->status = fake.answer_status;
		snprintf(out->content_type, sizeof(out->content_type), "%s", fake.answer_type);
		put(&out->body, buf_bytes(&fake.answer));
	} else if (strcmp(path, "/checkpoint") == 0) {
		out->status = 200;
		put(&out->body, buf_bytes(&fake.checkpoint));
	} else if (tile_path_parse(&id, bytes_str(path + 1)) == VT_OK) {
		out->status = serve_tile(&out->body, &id);
	}
}

static struct fake_fault *find_fault(const char *path, bool fresh)
{
	for (size_t i = 0; i < fake.n_faults; i++) {
		struct fake_fault *f = &fake.fault[i];
		if (f->times > 0 && !(f->cached && fresh) &&
		    (f->path == NULL || strcmp(f->path, path) == 0))
			return f;
	}
	return NULL;
}

static void bend(struct http_reply *out, const struct fake_fault *f)
{
	out->status = f->status;
	out->retry_after = f->retry_after;
	if (f->content_type != NULL)
		snprintf(out->content_type, sizeof(out->content_type), "%s", f->content_type);
	if (f->body != NULL || f->status != 200) {
		buf_reset(&out->body);
		put(&out->body, bytes_str(f->body == NULL ? "" : f->body));
	}
	if (f->flip_bit != 0) {
		must((f->flip_bit - 1) / 8 < out->body.len);
		out->body.data[(f->flip_bit - 1) / 8] ^= (uint8_t)(1 << (f->flip_bit - 1) % 8);
	}
	must(f->cut <= out->body.len);
	out->body.len -= f->cut;
	if (f->append != NULL)
		put(&out->body, bytes_str(f->append));
}

/* -- in the place of http/fetch --------------------------------------------------------------- */

struct http_fetcher {
	int nothing;
};

enum vt_err http_fetcher_new(struct http_fetcher **out, const struct http_fetch_config *config)
{
	(void)config;
	*out = malloc(sizeof(**out));
	return *out == NULL ? VT_ENOMEM : VT_OK;
}

void http_fetcher_free(struct http_fetcher *f)
{
	free(f);
}

void http_fetcher_cancel(struct http_fetcher *f)
{
	(void)f;
}

void http_reply_init(struct http_reply *r)
{
	memset(r, 0, sizeof(*r));
}

void http_reply_release(struct http_reply *r)
{
	buf_release(&r->body);
	memset(r, 0, sizeof(*r));
}

enum vt_err http_fetch(struct http_reply *out, struct http_fetcher *f, const struct http_ask *ask,
		       char why[160])
{
	static const char base[] = FAKE_LOG_URL;
	const char *path = ask->url + sizeof(base) - 1;
	enum vt_err err = VT_OK;
	struct fake_fault *fault;

	must(f != NULL && strncmp(ask->url, base, sizeof(base) - 1) == 0 && *path == '/');
	http_reply_release(out);
	pthread_mutex_lock(&lock);
	must(fake.requests < PATHS_MAX);
	snprintf(fake.path[fake.requests++], PATH_SIZE, "%s", path);
	starved = false;
	serve(out, path, ask);
	if ((fault = find_fault(path, ask->fresh)) != NULL) {
		fault->times--;
		bend(out, fault);
	}
	if (starved) {
		err = VT_ENOMEM;
	} else if (out->status == 0) {
		err = VT_EIO;
		snprintf(why, 160, "the connection was refused");
	} else if (out->body.len > ask->body_max) {
		err = VT_ELIMIT;
		snprintf(why, 160, "too long");
	}
	pthread_mutex_unlock(&lock);
	if (err != VT_OK)
		http_reply_release(out);
	return err;
}

enum vt_err http_escape(struct buf *out, struct bytes text)
{
	(void)out;
	(void)text;
	abort(); /* not needed by what is tested with this */
}
