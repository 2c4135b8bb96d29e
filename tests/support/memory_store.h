/* A store in memory: the plainest reading of the contract in store.h, for tests. Link store_memory. */
#ifndef VITRINE_TEST_MEMORY_STORE_H
#define VITRINE_TEST_MEMORY_STORE_H

#include "store.h"

/* Always new. Errors and why as the other backends have them. */
enum vt_err store_memory_open(struct store **out, const struct store_identity *identity,
			      char why[STORE_WHY_MAX]);

#endif
