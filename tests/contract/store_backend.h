/* What a backend gives the contract suite. One executable has one backend. */
#ifndef VITRINE_TEST_STORE_BACKEND_H
#define VITRINE_TEST_STORE_BACKEND_H

#include "store.h"

/* Open the store under test. A backend whose stores are kept opens the same one each time. */
enum vt_err backend_open(struct store **out, const struct store_identity *identity,
			 char why[STORE_WHY_MAX]);
/* Take away what is kept, if anything is. */
void backend_erase(void);

#endif
