/*
 * Property: whatever tile_path_parse takes is a tile that a path may name, and its one path is the
 * text that it was parsed from.
 */
#include "fuzz_target.h"
#include "vitrine/tile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes path = bytes_of(data, size);
	char text[TILE_PATH_MAX];
	struct tile_id id;
	size_t len;

	if (tile_path_parse(&id, path) != VT_OK)
		return 0;
	MUST(id.level <= TILE_LEVEL_MAX);
	MUST(id.width >= 1 && id.width <= TILE_WIDTH);
	MUST(!id.entries || id.level == 0);
	MUST(tile_path_format(text, &len, &id) == VT_OK);
	MUST(bytes_equal(path, bytes_of(text, len)));
	return 0;
}
