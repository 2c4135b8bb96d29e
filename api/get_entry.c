/* GET /api/v1/entries/{index}: the record, decoded and raw, who signed it, what corrects it. */
#include "handler.h"

static struct json *entry_object(uint64_t index, struct bytes entry, const struct merkle_hash *leaf,
				 struct json *record)
{
	return JSON_OBJECT_OF({"index", json_new_uint(index)}, {"leafHash", json_new_hash(leaf)},
			      {"entry", json_new_base64(entry)},
			      {"record", record != NULL ? record : json_absent()});
}

void handle_entry(struct http_exchange *x, void *thread, void *app)
{
	static const char *const none[] = {NULL};
	struct api *api = app;
	struct http_response r;
	struct json *record = NULL;
	struct merkle_hash leaf;
	struct buf entry;
	uint64_t index;
	enum vt_err err;

	if (!api_only(x, none) || !api_index_segment(x, 3, "index", &index))
		return;
	buf_init(&entry);
	if ((err = log_entry(thread, index, &entry)) == VT_OK)
		err = merkle_hash_leaf(&leaf, log_worker_hasher(thread), buf_bytes(&entry));
	if (err == VT_OK && http_prefers(x, "application/octet-stream", "application/json")) {
		api_response_init(&r, 200, "application/octet-stream", API_CACHE_IMMUTABLE);
		api_send_bytes(x, &r, buf_bytes(&entry));
		goto done;
	}
	if (err == VT_OK && log_mode(api->log) == LOG_RECORDS)
		err = log_describe(thread, index, &record, NULL);
	if (err == VT_ENOTFOUND) {
		api_problem(x, "beyond-published",
			    "there is no published entry %llu; see /checkpoint",
			    (unsigned long long)index);
		goto done;
	} else if (err != VT_OK) {
		api_problem_err(x, err, "reading the entry");
		goto done;
	}
	/* Not immutable: a later entry may correct this one. */
	api_response_init(&r, 200, "application/json", API_CACHE_CHECK);
	api_send_json(x, &r, entry_object(index, buf_bytes(&entry), &leaf, record));
done:
	buf_release(&entry);
}
