/*
 * Runs a fuzz target over the files of the folders given, without libFuzzer: each file as it is,
 * then (files up to 4 KiB) every prefix of it and one flipped bit in every byte, so that a small
 * corpus reaches the edges of a parser too. Deterministic. Fails if there is no file.
 */
#include <dirent.h>
#include <string.h>

#include "fuzz_target.h"

enum {
	FILE_MAX = 1 << 20,
	NEIGHBOURS_MAX = 4096,
};

/* In memory of exactly that size, so that a sanitizer sees a read past the end. */
static void run(const uint8_t *data, size_t size, size_t flip)
{
	uint8_t *copy = malloc(size == 0 ? 1 : size);

	MUST(copy != NULL);
	if (size != 0)
		memcpy(copy, data, size);
	if (flip < size)
		copy[flip] ^= (uint8_t)(1U << (flip % 8));
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void run_file(const char *path)
{
	static uint8_t data[FILE_MAX];
	FILE *file = fopen(path, "rb");
	size_t size;

	MUST(file != NULL);
	size = fread(data, 1, sizeof(data), file);
	MUST(!ferror(file) && feof(file));
	fclose(file);
	run(data, size, SIZE_MAX);
	if (size > NEIGHBOURS_MAX)
		return;
	for (size_t i = 0; i < size; i++) {
		run(data, i, SIZE_MAX);
		run(data, size, i);
	}
}

static unsigned run_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	unsigned files = 0;

	if (dir == NULL) {
		fprintf(stderr, "%s: cannot be opened\n", folder);
		return 0;
	}
	while ((entry = readdir(dir)) != NULL) {
		char path[4096];
		int len = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);

		if (entry->d_name[0] == '.')
			continue;
		MUST(len > 0 && (size_t)len < sizeof(path));
		run_file(path);
		files++;
	}
	closedir(dir);
	return files;
}

int main(int argc, char **argv)
{
	unsigned files = 0;

	for (int i = 1; i < argc; i++)
		files += run_folder(argv[i]);
	printf("%u corpus files\n", files);
	return files == 0;
}
