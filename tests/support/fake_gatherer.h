/*
 * A gatherer whose witnesses are the test: rounds are begun by the log and answered when the test says so. Link with
 * log_fixture.
 */
#ifndef VITRINE_TEST_FAKE_GATHERER_H
#define VITRINE_TEST_FAKE_GATHERER_H

#include "log_fixture.h"

enum { GATHERER_QUORUM = 2 /* of 3 witnesses */ };

struct fake_gatherer {
	struct log_fixture *f;
	bool generous; /* answers each round at once with the quorum */
	/* Of the round under way, or the last one. */
	bool open;
	struct tree_head head;
	struct buf note; /* as it was handed over */
	uint64_t began;  /* monotonic nanoseconds */
	unsigned rounds;
	unsigned remembered;  /* rounds for those only that have cosigned this log before */
	unsigned overlapping; /* rounds that were begun before the last one was done */
	uint64_t least_gap;   /* between two rounds' beginnings */
	/* What the log told. */
	uint64_t published; /* the largest head; UINT64_MAX: none */
	unsigned went_back; /* times that it was told a smaller one */
	char frozen[LOG_FROZEN_WHY_MAX];
};

/* Before fixture_start(). The pause between rounds becomes 1 ms. */
void gatherer_install(struct fake_gatherer *g, struct log_fixture *f);
void gatherer_release(struct fake_gatherer *g);
/* Wait for a round for a head of at least this size. */
void gatherer_wait(struct fake_gatherer *g, uint64_t size);
/* Wait until so many rounds have been begun. */
void gatherer_wait_rounds(struct fake_gatherer *g, unsigned rounds);
/* Append the round's note with the cosignatures of the first n witnesses. */
void gatherer_note(struct fake_gatherer *g, struct buf *out, unsigned n);
/* Answer the round with the cosignatures of n witnesses; the quorum as it follows. */
void gatherer_reply(struct fake_gatherer *g, unsigned n, bool done);
/* Answer it with whatever bytes, as if they were a quorum's. */
void gatherer_reply_bytes(struct fake_gatherer *g, struct bytes note, bool done);
void gatherer_wait_published(struct fake_gatherer *g, uint64_t size);
/* How many of the witnesses have cosigned a note? Aborts if the log has not signed it. */
unsigned gatherer_cosigned(const struct log_fixture *f, struct bytes note);

#endif
