#include "load_bodies.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SplitMix64's output function: cheap, and one-to-one, so that distinct inputs stay distinct. */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

enum vt_err load_bodies_seeded(struct load_bodies *b, uint64_t seed, size_t size)
{
	*b = (struct load_bodies){.count = UINT64_MAX, .seed = seed, .size = size};
	return buf_reserve(&b->made, size + sizeof(uint64_t));
}

/* Seed and seq stand at the front, each in eight bytes; the rest is noise that they decide. */
static struct bytes make(struct load_bodies *b, uint64_t seq)
{
	uint64_t word[2] = {mix(b->seed), mix(seq)}, state = word[0] ^ word[1];

	memcpy(b->made.data, word, sizeof(word));
	for (size_t at = sizeof(word); at < b->size; at += sizeof(state)) {
		state = mix(state);
		memcpy(b->made.data + at, &state, sizeof(state));
	}
	return bytes_of(b->made.data, b->size);
}

static enum vt_err read_file(struct buf *out, const char *path)
{
	char piece[64 * 1024];
	enum vt_err err = VT_OK;
	FILE *f = fopen(path, "r");
	size_t n;

	if (f == NULL)
		return VT_EIO;
	while (err == VT_OK && (n = fread(piece, 1, sizeof(piece), f)) > 0)
		err = buf_append(out, bytes_of(piece, n));
	if (ferror(f))
		err = VT_EIO;
	fclose(f);
	return err;
}

/* The next line of *text without its end; false at the end. */
static bool next_line(struct bytes *line, struct bytes *text)
{
	const uint8_t *end;

	if (text->len == 0)
		return false;
	end = memchr(text->data, '\n', text->len);
	*line = bytes_of(text->data, end != NULL ? (size_t)(end - text->data) : text->len);
	text->data += line->len;
	text->len -= line->len;
	if (end != NULL) {
		text->data++;
		text->len--;
	}
	return true;
}

enum vt_err load_bodies_file(struct load_bodies *b, const char *path)
{
	struct bytes rest, line;
	enum vt_err err;
	size_t n = 0;

	*b = (struct load_bodies){0};
	if ((err = read_file(&b->text, path)) != VT_OK)
		goto done;
	for (rest = buf_bytes(&b->text); next_line(&line, &rest);)
		n++;
	if (n == 0) {
		err = VT_EMALFORMED;
		goto done;
	}
	if ((b->line = calloc(n, sizeof(*b->line))) == NULL) {
		err = VT_ENOMEM;
		goto done;
	}
	for (rest = buf_bytes(&b->text); next_line(&line, &rest);)
		b->line[b->count++] = line;
done:
	if (err != VT_OK)
		load_bodies_release(b);
	return err;
}

void load_bodies_release(struct load_bodies *b)
{
	buf_release(&b->made);
	buf_release(&b->text);
	free(b->line);
	*b = (struct load_bodies){0};
}

struct bytes load_bodies_get(struct load_bodies *b, uint64_t seq)
{
	return b->line != NULL ? b->line[seq] : make(b, seq);
}

static enum vt_err add_fate(struct load_fates *f, const struct load_fate *fate)
{
	if (f->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 1024;
		struct load_fate *more = realloc(f->fate, cap * sizeof(*more));

		if (more == NULL)
			return VT_ENOMEM;
		f->fate = more;
		f->cap = cap;
	}
	f->fate[f->n++] = *fate;
	return VT_OK;
}

enum vt_err load_fates_read(struct load_fates *f, const char *path)
{
	char line[128], index[32];
	enum vt_err err = VT_OK;
	FILE *in = fopen(path, "r");

	if (in == NULL)
		return VT_EIO;
	while (err == VT_OK && fgets(line, sizeof(line), in) != NULL) {
		struct load_fate fate = {0};

		if (sscanf(line, "%" SCNu64 " %u %31s", &fate.seq, &fate.status, index) != 3) {
			err = VT_EMALFORMED;
			break;
		}
		fate.has_index = strcmp(index, "-") != 0;
		if (fate.has_index)
			err = decimal_decode(&fate.index, bytes_str(index));
		if (err == VT_OK)
			err = add_fate(f, &fate);
	}
	if (ferror(in))
		err = VT_EIO;
	fclose(in);
	return err;
}

void load_fates_release(struct load_fates *f)
{
	free(f->fate);
	*f = (struct load_fates){0};
}
