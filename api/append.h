/* An append under way: what POST /api/v1/entries and POST /add share. Private to api/. */
#ifndef API_APPEND_H
#define API_APPEND_H

#include "handler.h"

struct append {
	struct http_exchange *x;
	struct log_answer answer;
};

/*
 * Submit the request's body. `then` runs once the outcome is known, on a pool thread; it finds the append with
 * http_state() and must free it. Answers by itself, without `then`, if it cannot even begin.
 */
void append_begin(struct http_exchange *x, struct log_worker *w, struct api *api,
		  const struct merkle_hash *key_hint, http_handler then);
/* For outcomes other than added and known: answer with the problem and return true. */
bool append_failed(struct http_exchange *x, const struct append *a);

#endif
