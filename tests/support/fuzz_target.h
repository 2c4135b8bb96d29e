/*
 * What a fuzz target is: a function that is given bytes and aborts if its property does not hold.
 * libFuzzer calls it (NAME_live), and so does fuzz_corpus_main.c over the committed corpus.
 */
#ifndef VITRINE_FUZZ_TARGET_H
#define VITRINE_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The property. Not assert(): it must hold in builds with NDEBUG too. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,          \
				#condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#endif
