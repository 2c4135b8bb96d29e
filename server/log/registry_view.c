/*
 * The registry's two copies. Workers read the one that the committed entries make. The sequencer judges a batch
 * against `next`, which has the batch's own registry entries as well; when the batch is lost, `next` is made anew from the log, so
 * nobody else ever sees a registry entry that was not committed.
 */
#include <stdlib.h>

#include "log_private.h"

#define ACCREDITATION_TYPE "urn:vitrine:predicate:accreditation:v1"

static enum vt_err list_add(struct log *log, uint64_t index)
{
	if (log->n_accreditations == log->accreditations_cap) {
		size_t cap = log->accreditations_cap == 0 ? 64 : log->accreditations_cap * 2;
		uint64_t *list = realloc(log->accreditation, cap * sizeof(*list));

		if (list == NULL)
			return VT_ENOMEM;
		log->accreditation = list;
		log->accreditations_cap = cap;
	}
	log->accreditation[log->n_accreditations++] = index;
	return VT_OK;
}

enum vt_err registry_commit(struct log *log, uint64_t index, const struct merkle_hash *leaf,
			    struct bytes entry)
{
	enum vt_err err;

	if ((err = list_add(log, index)) != VT_OK)
		return err;
	(void)pthread_rwlock_wrlock(&log->registry_lock);
	err = registry_apply(log->registry, index, leaf, entry, NULL);
	(void)pthread_rwlock_unlock(&log->registry_lock);
	return err;
}

struct replay {
	struct log *log;
	struct registry *registry;
};

static enum vt_err apply_entry(void *ctx, uint64_t index, struct bytes entry,
			       const struct merkle_hash *keys, size_t n_keys)
{
	struct replay *replay = ctx;
	struct merkle_hash leaf;
	enum vt_err err;

	(void)keys;
	(void)n_keys;
	if ((err = merkle_hash_leaf(&leaf, &replay->log->hasher, entry)) != VT_OK)
		return err;
	return registry_apply(replay->registry, index, &leaf, entry, NULL);
}

enum vt_err registry_rebuild(struct log *log)
{
	struct replay replay = {log, NULL};
	enum vt_err err = registry_new(&replay.registry);

	for (size_t i = 0; err == VT_OK && i < log->n_accreditations; i++)
		err =
		    store_read_entries(log->reader, log->accreditation[i], 1, apply_entry, &replay);
	if (err == VT_OK) {
		registry_free(log->next);
		log->next = replay.registry;
	} else {
		registry_free(replay.registry);
	}
	return err;
}

enum vt_err registry_open(struct log *log)
{
	struct index_scan *scan = NULL;
	struct replay replay = {log, NULL};
	struct index_term accreditations = {.n = 1};
	size_t steps = SIZE_MAX;
	uint64_t index;
	enum vt_err err;

	err =
	    index_key(&log->accreditation_key, &log->hasher, "type", bytes_str(ACCREDITATION_TYPE));
	if (err != VT_OK || (err = registry_new(&log->registry)) != VT_OK)
		return err;
	accreditations.key[0] = log->accreditation_key;
	err = index_scan_new(&scan, log->index, log->reader, &accreditations, 1, 0,
			     log->state.head.size, false);
	if (err != VT_OK)
		return err;
	replay.registry = log->registry;
	while ((err = index_scan_next(scan, &steps, &index)) == VT_OK) {
		if ((err = list_add(log, index)) != VT_OK ||
		    (err = store_read_entries(log->reader, index, 1, apply_entry, &replay)) !=
			VT_OK)
			break;
	}
	index_scan_free(scan);
	return err == VT_ENOTFOUND ? registry_rebuild(log) : err;
}
