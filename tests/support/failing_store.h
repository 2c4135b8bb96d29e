/*
 * A store whose writes fail on command: it hands everything on to another store, or answers with an error instead, before or
 * after the act.
 */
#ifndef VITRINE_TEST_FAILING_STORE_H
#define VITRINE_TEST_FAILING_STORE_H

#include <stdatomic.h>

#include "store.h"

struct failing {
	struct store_ops ops;
	const struct store_ops *real;
	/* The next `times` calls fail with `err`; done: after the act has been done all the same. */
	struct fail {
		atomic_uint times;
		enum vt_err err;
		bool done;
	} commit, publish, chunk, replace;
};

/* From now on `s` goes through f. One store at a time. */
void failing_install(struct failing *f, struct store *s);
void fail_next(struct fail *fail, unsigned times, enum vt_err err, bool done);

#endif
