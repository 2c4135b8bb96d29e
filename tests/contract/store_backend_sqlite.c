#include "made_store.h"
#include "scratch.h"
#include "store_backend.h"

enum vt_err backend_open(struct store **out, const struct store_identity *identity,
			 char why[STORE_WHY_MAX])
{
	const struct store_sqlite_config config = {.path = scratch_path("log.sqlite")};

	return made_store_open(out, &config, identity, why);
}

void backend_erase(void)
{
	scratch_clear();
}
