#include "memory_store.h"
#include "store_backend.h"

enum vt_err backend_open(struct store **out, const struct store_identity *identity,
			 char why[STORE_WHY_MAX])
{
	return store_memory_open(out, identity, why);
}

void backend_erase(void)
{
}
