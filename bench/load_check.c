#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "load_tree.h"
#include "options.h"
#include "vitrine/merkle.h"

static const char *opt_url, *opt_records;
static uint64_t opt_size = 64, opt_seed = 1;
static bool opt_json;

static const struct option options[] = {
    {"url", OPTION_TEXT, &opt_url, "URL", "The log, e.g. http://127.0.0.1:8080.", 0, 0, true,
     false},
    {"records", OPTION_TEXT, &opt_records, "FILE", "As it was for append.", 0, 0, false, false},
    {"size", OPTION_COUNT, &opt_size, "N", "As it was for append. Default: 64.", LOAD_SIZE_MIN,
     LOAD_SIZE_MAX, false, false},
    {"seed", OPTION_COUNT, &opt_seed, "N", "As it was for append. Default: 1.", 0, UINT64_MAX,
     false, false},
    {"json", OPTION_FLAG, &opt_json, NULL, "Print one JSON object.", 0, 0, false, false},
};
static const struct command_usage usage = {
    "vitrine-load check --url URL [--records FILE | --size N --seed N] ANSWERS...",
    "Reads the whole log and holds it against files that append wrote with --answers: every body "
    "that "
    "was answered with an index must be the entry there, and no body may be in the log twice. "
    "Exits 1 "
    "if not. Tells how many of those that were not answered are in the log.",
    "  vitrine-load check --url http://127.0.0.1:8080 --size 64 --seed 7 answers\n",
    "ANSWERS...",
    options,
    sizeof(options) / sizeof(*options)};

struct place {
	struct merkle_hash hash;
	uint64_t index;
};

struct check {
	struct load_bodies bodies;
	struct load_fates fates;
	struct merkle_hasher hasher;
	struct place *place;
	uint64_t size;
	/* What came out. */
	uint64_t answered, elsewhere, missing; /* missing and elsewhere: must be 0 */
	uint64_t unanswered, unanswered_in;
	uint64_t twice; /* must be 0 */
};

static enum vt_err note_entry(void *ctx, uint64_t index, struct bytes entry)
{
	struct check *c = ctx;

	c->place[index].index = index;
	return merkle_hash_leaf(&c->place[index].hash, &c->hasher, entry);
}

static int by_hash(const void *x, const void *y)
{
	const struct place *p = x, *q = y;
	int order = memcmp(&p->hash, &q->hash, sizeof(p->hash));

	return order != 0 ? order : (p->index > q->index) - (p->index < q->index);
}

static int find_hash(const void *key, const void *at)
{
	const struct place *p = at;

	return memcmp(key, &p->hash, sizeof(p->hash));
}

static enum vt_err judge_fate(struct check *c, const struct load_fate *fate)
{
	struct merkle_hash hash;
	const struct place *found;
	enum vt_err err;

	if (fate->seq >= c->bodies.count)
		return VT_EINVAL;
	if ((err = merkle_hash_leaf(&hash, &c->hasher, load_bodies_get(&c->bodies, fate->seq))) !=
	    VT_OK)
		return err;
	found = bsearch(&hash, c->place, c->size, sizeof(*c->place), find_hash);
	if (!fate->has_index) {
		c->unanswered++;
		c->unanswered_in += found != NULL;
		return VT_OK;
	}
	c->answered++;
	if (found != NULL && found->index == fate->index)
		return VT_OK;
	fprintf(stderr, "vitrine-load: body %" PRIu64 " was answered with index %" PRIu64 ": ",
		fate->seq, fate->index);
	if (found == NULL)
		fprintf(stderr, "it is not in the log\n");
	else
		fprintf(stderr, "it is at %" PRIu64 "\n", found->index);
	c->missing += found == NULL;
	c->elsewhere += found != NULL;
	return VT_OK;
}

static bool judge(struct check *c)
{
	enum vt_err err = VT_OK;

	qsort(c->place, c->size, sizeof(*c->place), by_hash);
	for (uint64_t i = 1; i < c->size; i++)
		c->twice +=
		    memcmp(&c->place[i - 1].hash, &c->place[i].hash, sizeof(c->place->hash)) == 0;
	for (size_t i = 0; i < c->fates.n && err == VT_OK; i++)
		err = judge_fate(c, &c->fates.fate[i]);
	if (err != VT_OK)
		load_fail(LOAD_UNSURE, "the answers are not of these bodies: %s", vt_err_text(err));
	return err == VT_OK;
}

static int tell(const struct check *c)
{
	if (opt_json)
		printf("{\"size\":%" PRIu64 ",\"answered\":%" PRIu64 ",\"missing\":%" PRIu64
		       ",\"elsewhere\":%" PRIu64 ",\"twice\":%" PRIu64 ",\"unanswered\":%" PRIu64
		       ",\"unanswered_in_log\":%" PRIu64 "}\n",
		       c->size, c->answered, c->missing, c->elsewhere, c->twice, c->unanswered,
		       c->unanswered_in);
	else
		printf("%" PRIu64 " entries, %" PRIu64 " of them twice\n"
		       "%" PRIu64 " answered: %" PRIu64 " are not in the log, %" PRIu64
		       " elsewhere\n"
		       "%" PRIu64 " not answered: %" PRIu64 " are in the log\n",
		       c->size, c->twice, c->answered, c->missing, c->elsewhere, c->unanswered,
		       c->unanswered_in);
	return c->missing + c->elsewhere + c->twice == 0 ? LOAD_HOLDS : LOAD_FAILS;
}

static int check(struct check *c, const struct load_target *target, const struct operands *files)
{
	int code = load_bodies_option(&c->bodies, opt_records, opt_seed, opt_size);
	enum vt_err err;

	if (code != LOAD_HOLDS)
		return code;
	for (size_t i = 0; i < files->n; i++)
		if ((err = load_fates_read(&c->fates, files->arg[i])) != VT_OK)
			return load_fail(LOAD_UNSURE, "%s: %s", files->arg[i], vt_err_text(err));
	if (merkle_hasher_init(&c->hasher) != VT_OK)
		return load_fail(LOAD_UNSURE, "out of memory");
	if (!load_tree_size(target, &c->size))
		return LOAD_UNSURE;
	c->place = calloc(c->size + 1, sizeof(*c->place));
	if (c->place == NULL)
		return load_fail(LOAD_UNSURE, "out of memory");
	if (!load_tree_entries(target, c->size, note_entry, c) || !judge(c))
		return LOAD_UNSURE;
	return tell(c);
}

int load_check(int argc, char **argv)
{
	struct check c = {0};
	struct load_target target;
	struct operands files;
	bool help = false;
	int code;

	if (options_parse(&usage, argc, argv, &files, &help, stderr) != VT_OK)
		return LOAD_USAGE;
	if (help)
		return LOAD_HOLDS;
	if (!load_target_option(&target, opt_url))
		return LOAD_USAGE;
	if (files.n == 0)
		return load_fail(LOAD_USAGE, "check: which files did append --answers write?");
	code = check(&c, &target, &files);
	merkle_hasher_release(&c.hasher);
	load_fates_release(&c.fates);
	load_bodies_release(&c.bodies);
	free(c.place);
	return code;
}
