/*
 * Byte strings: a borrowed view, a growable buffer, and the strict text encodings (base64, hex,
 * decimal) that every format here shares. Nothing is NUL-terminated unless it says so.
 */
#ifndef VITRINE_BYTES_H
#define VITRINE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vitrine/err.h"

/* A borrowed view. data may be NULL when len is 0. */
struct bytes {
	const uint8_t *data;
	size_t len;
};

struct bytes bytes_of(const void *data, size_t len);
struct bytes bytes_str(const char *text); /* without the NUL */
bool bytes_equal(struct bytes a, struct bytes b);
bool bytes_is(struct bytes a, const char *text);   /* a == text, without the NUL */
int bytes_compare(struct bytes a, struct bytes b); /* memcmp order, a prefix first */
/* A NUL-terminated copy that the caller frees. NULL: no memory. */
char *bytes_dup_str(struct bytes text);

/*
 * A growable buffer. init does not allocate; release frees and leaves an empty, usable buffer.
 *
 * It remembers its first failure: an append that finds no memory changes nothing, and no later one does until the
 * buffer is reset or released. So whoever writes many pieces asks once, by buf_error() or by what the last append
 * returns, and must ask before using the contents.
 */
struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	enum vt_err err;
};

void buf_init(struct buf *b);
void buf_release(struct buf *b);
void buf_reset(struct buf *b); /* len = 0, no failure, memory kept */
/* The first failure, VT_OK if there was none. */
enum vt_err buf_error(const struct buf *b);
/* Remember why something else that belongs in the buffer is missing, unless an earlier failure is remembered.
 * VT_OK is no failure. Returns buf_error(b). */
enum vt_err buf_fail(struct buf *b, enum vt_err err);
struct bytes buf_bytes(const struct buf *b); /* valid until the next append or release */
enum vt_err buf_reserve(struct buf *b, size_t more);
enum vt_err buf_append(struct buf *b, struct bytes more);
enum vt_err buf_append_str(struct buf *b, const char *text);
enum vt_err buf_append_buf(struct buf *b,
			   const struct buf *more); /* its contents, or else its failure */
enum vt_err buf_append_byte(struct buf *b, uint8_t byte);
enum vt_err buf_append_decimal(struct buf *b, uint64_t n);
enum vt_err buf_append_base64(struct buf *b, struct bytes raw); /* standard alphabet, padded */
enum vt_err buf_append_hex(struct buf *b, struct bytes raw);    /* lower case */
/* printf into the buffer. */
enum vt_err buf_appendf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The contents as a NUL-terminated string that the caller frees; b becomes empty. NULL: no memory. */
char *buf_detach_str(struct buf *b);

/* Which base64 texts are taken. Every form refuses white space, wrong lengths, non-zero trailing
 * bits and mixed alphabets; so one byte string has one text in each alphabet and padding. */
enum base64_form {
	BASE64_STANDARD, /* RFC 4648 section 4, padded: the only form this project writes */
	BASE64_ANY,      /* section 4 or 5, padded or not; one alphabet per string (DSSE input) */
};

#define BASE64_ENCODED_LEN(n) (((n) + 2) / 3 * 4)
#define BASE64_DECODED_MAX(n) (((n) + 3) / 4 * 3)

/* Decode text into out[0..cap). *len is the decoded length. VT_EMALFORMED; VT_ELIMIT if cap is too
 * small. out may be partly written on failure. */
enum vt_err base64_decode(uint8_t *out, size_t cap, size_t *len, struct bytes text,
			  enum base64_form form);
/* Decode a text that must stand for exactly len bytes. */
enum vt_err base64_decode_exact(uint8_t *out, size_t len, struct bytes text, enum base64_form form);
/* Append what text stands for. A text that is not base64 is the return value's alone to tell: the buffer stays usable. */
enum vt_err buf_append_decoded_base64(struct buf *b, struct bytes text, enum base64_form form);
/* Lower-case hex only, exactly 2 * len digits. VT_EMALFORMED. */
enum vt_err hex_decode_exact(uint8_t *out, size_t len, struct bytes text);
/* Write 2 * raw.len digits and a NUL. */
void hex_encode(char *out, struct bytes raw);
/* ASCII decimal without sign, space or leading zero ("0" alone is zero); at most 2^64 - 1. */
enum vt_err decimal_decode(uint64_t *out, struct bytes text);
/* Is this valid UTF-8 (RFC 3629: no overlong form, no surrogate, at most U+10FFFF)? */
bool utf8_valid(struct bytes text);

#endif
