#include "failing_store.h"

#include <string.h>

static struct failing *current;

/* Is it to fail? Counts down. */
static bool fails(struct fail *fail)
{
	unsigned times = atomic_load(&fail->times);

	if (times == 0)
		return false;
	if (times != UINT32_MAX)
		atomic_store(&fail->times, times - 1);
	return true;
}

static enum vt_err batch_begin(struct store_batch **out, struct store *s,
			       const struct tree_state *start)
{
	enum vt_err err = current->real->batch_begin(out, s, start);

	if (err == VT_OK)
		(*out)->ops = &current->ops;
	return err;
}

static enum vt_err batch_commit(struct store_batch *b, const struct tree_state *next)
{
	if (!fails(&current->commit))
		return current->real->batch_commit(b, next);
	if (current->commit.done)
		(void)current->real->batch_commit(b, next);
	return current->commit.err;
}

static enum vt_err publish(struct store *s, uint64_t size, struct bytes note, uint64_t time)
{
	if (!fails(&current->publish))
		return current->real->publish(s, size, note, time);
	if (current->publish.done)
		(void)current->real->publish(s, size, note, time);
	return current->publish.err;
}

static enum vt_err write_chunk(struct store *s, uint64_t run, uint64_t chunk,
			       const struct index_slot *slot, size_t n)
{
	if (!fails(&current->chunk))
		return current->real->write_chunk(s, run, chunk, slot, n);
	return current->chunk.err;
}

static enum vt_err replace_runs(struct store *s, uint64_t expected, const struct store_runs *next)
{
	if (!fails(&current->replace))
		return current->real->replace_runs(s, expected, next);
	if (current->replace.done)
		(void)current->real->replace_runs(s, expected, next);
	return current->replace.err;
}

void failing_install(struct failing *f, struct store *s)
{
	memset(f, 0, sizeof(*f));
	f->real = s->ops;
	f->ops = *s->ops;
	f->ops.batch_begin = batch_begin;
	f->ops.batch_commit = batch_commit;
	f->ops.publish = publish;
	f->ops.write_chunk = write_chunk;
	f->ops.replace_runs = replace_runs;
	current = f;
	s->ops = &f->ops;
}

void fail_next(struct fail *fail, unsigned times, enum vt_err err, bool done)
{
	fail->err = err;
	fail->done = done;
	atomic_store(&fail->times, times);
}
