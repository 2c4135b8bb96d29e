/*
 * What is appended: the seq-th body, the same whenever it is asked for, so that a later run can say
 * what an earlier one sent. Either bytes made from a seed, all distinct, or prepared records.
 */
#ifndef LOAD_BODIES_H
#define LOAD_BODIES_H

#include "vitrine/bytes.h"

enum {
	LOAD_SIZE_MIN = 16, /* so that all can differ */
	LOAD_SIZE_MAX = 1 << 20,
};

struct load_bodies {
	uint64_t count; /* UINT64_MAX: no end */
	/* Made from a seed. */
	uint64_t seed;
	size_t size;
	struct buf made;
	/* From a file, one a line. */
	struct buf text;
	struct bytes *line;
};

enum vt_err load_bodies_seeded(struct load_bodies *b, uint64_t seed, size_t size);
/* A file with one record a line. VT_EIO, VT_EMALFORMED (none in it), VT_ENOMEM. */
enum vt_err load_bodies_file(struct load_bodies *b, const char *path);
void load_bodies_release(struct load_bodies *b);
/* Valid until the next call. seq < count. */
struct bytes load_bodies_get(struct load_bodies *b, uint64_t seq);

/*
 * What became of each append, as a text file: "SEQ STATUS INDEX", STATUS 0 where no answer came,
 * INDEX "-" where none was told.
 */
struct load_fate {
	uint64_t seq;
	unsigned status;
	bool has_index;
	uint64_t index;
};
struct load_fates {
	struct load_fate *fate;
	size_t n;
	size_t cap;
};
/* Append what the file says. VT_EIO, VT_EMALFORMED, VT_ENOMEM. */
enum vt_err load_fates_read(struct load_fates *f, const char *path);
void load_fates_release(struct load_fates *f);

#endif
