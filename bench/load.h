/*
 * vitrine-load: puts load on a log that runs on this machine, and checks afterwards what became of it.
 * Each command is main() for its own arguments.
 */
#ifndef LOAD_H
#define LOAD_H

#include "load_bodies.h"
#include "load_client.h"

/* Exit codes: as `vitrine` has them. */
enum {
	LOAD_HOLDS = 0,
	LOAD_FAILS = 1,
	LOAD_USAGE = 2,
	LOAD_UNSURE = 3,
};

int load_append(int argc, char **argv);
int load_get(int argc, char **argv);
int load_make(int argc, char **argv);
int load_check(int argc, char **argv);
int load_slow(int argc, char **argv);

/* Say why and return code. */
int load_fail(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* --url, or the reason why not said. */
bool load_target_option(struct load_target *out, const char *url);
/* The bodies that --records, or else --seed and --size, stand for. LOAD_HOLDS, or the code to exit
 * with. */
int load_bodies_option(struct load_bodies *out, const char *records, uint64_t seed, uint64_t size);

#endif
