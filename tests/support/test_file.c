#include "test_file.h"

#include <stdio.h>
#include <stdlib.h>

struct buf test_read_file(const char *dir, const char *name, const char *suffix)
{
	char path[4096];
	int len = snprintf(path, sizeof(path), "%s/%s%s", dir, name, suffix == NULL ? "" : suffix);
	struct buf out;
	FILE *file = NULL;
	int c;

	buf_init(&out);
	if (len > 0 && (size_t)len < sizeof(path))
		file = fopen(path, "rb");
	if (file == NULL) {
		perror(path);
		abort();
	}
	while ((c = fgetc(file)) != EOF) {
		if (buf_append_byte(&out, (uint8_t)c) != VT_OK)
			abort();
	}
	if (ferror(file)) {
		perror(path);
		abort();
	}
	fclose(file);
	return out;
}
