/* GET /checkpoint: the latest published checkpoint (C2SP tlog-tiles, "Checkpoints"). */
#include "handler.h"

void handle_checkpoint(struct http_exchange *x, void *thread, void *app)
{
	struct http_response r;
	struct merkle_hash digest;
	uint64_t size;
	enum vt_err err;

	(void)app;
	/* "its headers SHOULD prevent caching beyond a few seconds" */
	api_response_init(&r, 200, "text/plain; charset=utf-8", API_CACHE_CHECK);
	if ((err = log_checkpoint(thread, &size, &r.body)) == VT_OK) {
		struct bytes note = buf_bytes(&r.body);
		err = merkle_sha256(&digest, log_worker_hasher(thread), &note, 1);
	}
	if (err != VT_OK) {
		http_response_release(&r);
		if (err == VT_ENOTFOUND)
			api_problem(x, "not-ready", "nothing has been published yet");
		else
			api_problem_err(x, err, "reading the checkpoint");
		return;
	}
	/* The note's own digest: late cosignatures change the bytes of a checkpoint of the same size. */
	http_response_etag(&r, "%02x%02x%02x%02x%02x%02x%02x%02x", digest.b[0], digest.b[1],
			   digest.b[2], digest.b[3], digest.b[4], digest.b[5], digest.b[6],
			   digest.b[7]);
	http_respond(x, &r);
}
