/*
 * A log's file:
 *
 *	vitrine-witness/1 <length of the note> <SHA-256 of the note, hex>
 *	<the note: the checkpoint's text, an empty line, the log's signature lines>
 *	<the witness's cosignature line>
 *
 * A file of the first line alone, with the length 0, is that of a log for which nothing was cosigned yet.
 *
 * The first two parts are written and flushed before anything is signed, the last one is added
 * after. So everything below the first line is what GET /<origin hash>/checkpoint answers, and a file
 * without the last line is one that a crash left before the signature.
 */
#include "cosigner_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "add_checkpoint.h"
#include "durable.h"

#define MAGIC "vitrine-witness/1 "

enum {
	FILE_MAX = ADD_CHECKPOINT_BODY_MAX + 1024, /* what can have been written, and some */
};

void cosigned_init(struct cosigned *s)
{
	*s = (struct cosigned){0};
	buf_init(&s->note);
	buf_init(&s->line);
}

void cosigned_release(struct cosigned *s)
{
	buf_release(&s->note);
	buf_release(&s->line);
	free(s->origin);
	cosigned_init(s);
}

static enum vt_err digest_hex(char out[COSIGNED_HASH_TEXT], struct bytes data)
{
	struct merkle_hasher h;
	struct merkle_hash hash;
	enum vt_err err;

	if ((err = merkle_hasher_init(&h)) != VT_OK)
		return err;
	if ((err = merkle_sha256(&hash, &h, &data, 1)) == VT_OK)
		hex_encode(out, bytes_of(hash.b, sizeof(hash.b)));
	merkle_hasher_release(&h);
	return err;
}

static enum vt_err header_format(struct buf *out, struct bytes note)
{
	char digest[COSIGNED_HASH_TEXT];
	enum vt_err err = digest_hex(digest, note);

	return err != VT_OK ? err : buf_appendf(out, MAGIC "%zu %s\n", note.len, digest);
}

/* Split a file into note and what follows. The header is compared with the one that this note would
 * have got, so that not one bit of either can differ. */
static enum vt_err split_file(struct bytes *note, struct bytes *rest, struct bytes file)
{
	const size_t magic = strlen(MAGIC);
	const uint8_t *newline = file.len ? memchr(file.data, '\n', file.len) : NULL;
	const uint8_t *space;
	struct buf expected;
	uint64_t len;
	enum vt_err err = VT_EMISMATCH;

	buf_init(&expected);
	if (newline == NULL || file.len < magic || memcmp(file.data, MAGIC, magic) != 0 ||
	    (space = memchr(file.data + magic, ' ', (size_t)(newline - file.data) - magic)) ==
		NULL ||
	    decimal_decode(
		&len, bytes_of(file.data + magic, (size_t)(space - file.data) - magic)) != VT_OK ||
	    len > file.len - (size_t)(newline + 1 - file.data))
		goto done;
	*note = bytes_of(newline + 1, (size_t)len);
	*rest = bytes_of(note->data + note->len,
			 file.len - (size_t)(note->data - file.data) - note->len);
	if ((err = header_format(&expected, *note)) != VT_OK)
		goto done;
	err = bytes_equal(buf_bytes(&expected),
			  bytes_of(file.data, (size_t)(newline + 1 - file.data)))
		  ? VT_OK
		  : VT_EMISMATCH;
done:
	buf_release(&expected);
	return err;
}

/* Take over a note whose checksum holds: is it a checkpoint of the log whose name the file has? */
static enum vt_err take_note(struct cosigned *out, struct bytes note, const char *hash,
			     const struct vkey_set *keys)
{
	struct note *n = NULL;
	struct checkpoint cp;
	char digest[COSIGNED_HASH_TEXT];
	enum vt_err err;

	/* The log's keys may have changed since, so a note that none of them signed is fine; a
	 * signature of theirs that fails is not. */
	err = note_open(&n, note, keys);
	if (err == VT_EUNTRUSTED)
		err = note_parse(&n, note);
	if (err != VT_OK || (err = checkpoint_parse(&cp, n->text)) != VT_OK ||
	    (err = digest_hex(digest, cp.origin)) != VT_OK)
		goto done;
	err = VT_EMISMATCH;
	if (strcmp(digest, hash) != 0)
		goto done;
	err = VT_ENOMEM;
	if ((out->origin = bytes_dup_str(cp.origin)) == NULL ||
	    buf_append(&out->note, note) != VT_OK)
		goto done;
	out->head = cp.head;
	err = VT_OK;
done:
	note_free(n);
	return err;
}

/* The cosignature behind the note, if it is there and is this witness's. If it is not (a crash cut
 * it off, or the key is new), it will be made again. */
static enum vt_err take_line(struct cosigned *out, struct bytes note_and_line, size_t note_len,
			     const struct vkey *by)
{
	struct note *n = NULL;
	const struct note_signature *sig;
	enum vt_err err = note_open(&n, note_and_line, &(struct vkey_set){by, 1});

	if (err == VT_OK && (sig = note_signed_by(n, by)) != NULL &&
	    sig->line.data == note_and_line.data + note_len &&
	    sig->line.len == note_and_line.len - note_len &&
	    (err = buf_append(&out->line, sig->line)) == VT_OK)
		out->time = sig->time;
	note_free(n);
	return err == VT_ENOMEM ? err : VT_OK;
}

enum vt_err cosigned_read(struct cosigned *out, const char *folder, const char *hash,
			  const struct vkey_set *keys, const struct vkey *by,
			  char why[COSIGNER_WHY_MAX])
{
	struct bytes note, rest;
	char path[PATH_MAX];
	struct buf file;
	enum vt_err err = VT_EIO;

	buf_init(&file);
	if (path_in(path, folder, hash) != VT_OK) {
		snprintf(why, COSIGNER_WHY_MAX, "its name is too long");
		goto done;
	}
	if ((err = file_read(&file, path, FILE_MAX)) != VT_OK) {
		snprintf(why, COSIGNER_WHY_MAX, "it cannot be read: %s",
			 err == VT_EIO ? strerror(errno) : vt_err_text(err));
		goto done;
	}
	if ((err = split_file(&note, &rest, buf_bytes(&file))) != VT_OK) {
		snprintf(why, COSIGNER_WHY_MAX,
			 "its contents do not have the checksum that it says");
		goto done;
	}
	if (note.len == 0) {
		if (rest.len > 0) {
			snprintf(why, COSIGNER_WHY_MAX,
				 "something follows the note, which is empty");
			err = VT_EMISMATCH;
		}
		goto done;
	}
	if ((err = take_note(out, note, hash, keys)) != VT_OK) {
		snprintf(why, COSIGNER_WHY_MAX,
			 "it is not a checkpoint of the log that its name stands for");
		goto done;
	}
	if (rest.len > 0)
		err = take_line(out, bytes_of(note.data, note.len + rest.len), note.len, by);
done:
	buf_release(&file);
	if (err != VT_OK)
		cosigned_release(out);
	if (err == VT_OK || err == VT_ENOTFOUND || err == VT_ENOMEM || err == VT_EIO)
		return err;
	return VT_EMISMATCH;
}

enum vt_err cosigned_create(const char *folder, const char *hash)
{
	char path[PATH_MAX];
	struct buf file;
	enum vt_err err;

	buf_init(&file);
	if (path_in(path, folder, hash) != VT_OK)
		return VT_EIO;
	if ((err = header_format(&file, bytes_of(NULL, 0))) == VT_OK)
		err = durable_create(path, buf_bytes(&file), 0600);
	buf_release(&file);
	return err;
}

enum vt_err cosigned_write(const char *folder, const char *hash, struct bytes note)
{
	char path[PATH_MAX];
	struct buf file;
	enum vt_err err;

	buf_init(&file);
	if (path_in(path, folder, hash) != VT_OK)
		return VT_EIO;
	if ((err = header_format(&file, note)) == VT_OK && (err = buf_append(&file, note)) == VT_OK)
		err = durable_write(path, buf_bytes(&file), 0600);
	buf_release(&file);
	return err;
}

void cosigned_append(const char *folder, const char *hash, struct bytes line)
{
	char path[PATH_MAX];
	int fd;

	if (path_in(path, folder, hash) != VT_OK ||
	    (fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)) < 0)
		return;
	/* A piece of it is as good as nothing, and both are allowed. */
	if (write(fd, line.data, line.len) < 0)
		errno = 0;
	close(fd);
}
