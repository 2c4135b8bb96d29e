/* A store for a test: made where it is missing, then opened, to be written. The program does the one in `vitrine init` and the other everywhere else. */
#ifndef VITRINE_TEST_MADE_STORE_H
#define VITRINE_TEST_MADE_STORE_H

#include <unistd.h>

#include "store.h"

static inline enum vt_err made_store_open(struct store **out,
					  const struct store_sqlite_config *config,
					  const struct store_identity *identity,
					  char why[STORE_WHY_MAX])
{
	enum vt_err err = VT_OK;

	*out = NULL;
	if (identity != NULL && access(config->path, F_OK) != 0)
		err = store_sqlite_create(config->path, identity, why);
	/* VT_ECONFLICT: another process or thread was quicker. */
	if (err == VT_OK || err == VT_ECONFLICT)
		err = store_sqlite_open(out, config, identity, why);
	if (err == VT_OK)
		store_trust(*out, true);
	return err;
}

#endif
