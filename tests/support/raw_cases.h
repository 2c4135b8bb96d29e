/* Requests that two readers could take differently: for /echo, or with a body for /body. */
#ifndef VITRINE_RAW_CASES_H
#define VITRINE_RAW_CASES_H

#include <stddef.h>

struct raw_case {
	const char *what;
	const char *bytes;
	size_t len;
};

/* Embedded NULs count. */
#define RAW(what, text)                                                                            \
	{                                                                                          \
		what, text, sizeof(text) - 1                                                       \
	}
#define GET(what, fields)        RAW(what, "GET /echo HTTP/1.1\r\nHost: t\r\n" fields "\r\n")
#define LINE(what, line)         RAW(what, line "Host: t\r\n\r\n")
#define POST(what, fields, body) RAW(what, "POST /body HTTP/1.1\r\nHost: t\r\n" fields "\r\n" body)
#define CHUNKED(what, body)      POST(what, "Transfer-Encoding: chunked\r\n", body)

/* What we refuse ourselves, as a problem. */
static const struct raw_case ours[] = {
    POST("a space before the colon", "Content-Length : 5\r\n", "hello"),
    POST("a tab before the colon", "Content-Length\t: 5\r\n", "hello"),
    RAW("a space before the first field",
	"GET /echo HTTP/1.1\r\n Content-Length: 5\r\nHost: t\r\n\r\nhello"),
    GET("a folded field", "X: a\r\n b\r\n"),
    GET("the last field folded, with a colon", "X: a\r\n\tb: c\r\n"),
    POST("a folded length", "Content-Length: 5\r\n 0\r\n", "hello"),
    POST("a coding folded together", "Transfer-Encod: chunked\r\n ing\r\n",
	 "5\r\nhello\r\n0\r\n\r\n"),
    GET("a field folded into nothing", "X: a\r\n \r\n"),
    LINE("NUL in the path", "GET /ec\0ho HTTP/1.1\r\n"),
    LINE("NUL behind the path", "GET /echo\0 HTTP/1.1\r\n"),
    LINE("NUL in the query", "GET /echo?a=\0b HTTP/1.1\r\n"),
    LINE("NUL behind the method", "GET\0 /echo HTTP/1.1\r\n"),
    GET("NUL in a value", "X: a\0b\r\n"),
    GET("NUL behind a value", "X: a\0\r\nY: b\r\n"),
    GET("NUL behind the last value", "X: a\0\r\n"),
    POST("NUL behind a length", "Content-Length: 5\0\r\n", "hello"),
    GET("NUL where a field begins", "\0X: a\r\n"),
    GET("NUL as a line", "\0\r\n"),
    RAW("lines that end with LF", "GET /echo HTTP/1.1\nHost: t\n\n"),
    GET("a field that ends with LF", "X: a\nY: b\r\n"),
    RAW("LF as the empty line", "GET /echo HTTP/1.1\r\nHost: t\r\n\n"),
    GET("CR in a value", "X: a\rY: b\r\n"),
    GET("a control character in a value", "X: a\x01\r\n"),
    GET("DEL in a value", "X: a\x7f\r\n"),
    GET("a name that is no token", "X(y): 1\r\n"),
    GET("a name beyond ASCII", "X\x80: 1\r\n"),
    GET("a field without a name", ": 1\r\n"),
    POST("a length that is no number", "Content-Length: abc\r\n", "hello"),
    POST("a length with more behind it", "Content-Length: 5x\r\n", "hello"),
    POST("a negative length", "Content-Length: -5\r\n", "hello"),
    POST("a length with its sign", "Content-Length: +5\r\n", "hello"),
    POST("a length in hex", "Content-Length: 0x5\r\n", "hello"),
    POST("no length", "Content-Length:\r\n", "hello"),
    POST("a length beyond all", "Content-Length: 99999999999999999999999\r\n", "hello"),
    POST("a list of lengths", "Content-Length: 5, 5\r\n", "hello"),
    POST("a length with a zero before it", "Content-Length: 05\r\n", "hello"),
    POST("two lengths", "Content-Length: 5\r\nContent-Length: 5\r\n", "hello"),
    POST("two lengths that differ", "Content-Length: 0\r\nContent-Length: 5\r\n", "hello"),
    POST("a length and a coding", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
	 "0\r\n\r\n"),
    POST("chunks in chunks", "Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
    POST("another coding", "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
    POST("a coding behind a vertical tab", "Transfer-Encoding: \vchunked\r\n", "0\r\n\r\n"),
    RAW("a coding in HTTP/1.0",
	"POST /body HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    LINE("two spaces before the target", "GET  /echo HTTP/1.1\r\n"),
    LINE("two spaces behind the target", "GET /echo  HTTP/1.1\r\n"),
    LINE("a space in the target", "GET /ec ho HTTP/1.1\r\n"),
    LINE("a target that is no path", "GET echo HTTP/1.1\r\n"),
    LINE("a target beyond ASCII", "GET /echo\x80 HTTP/1.1\r\n"),
    LINE("a fragment", "GET /echo#x HTTP/1.1\r\n"),
    LINE("a method that is no token", "G(T /echo HTTP/1.1\r\n"),
    RAW("no Host", "GET /echo HTTP/1.1\r\n\r\n"),
    RAW("two Hosts", "GET /echo HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    RAW("a space in Host", "GET /echo HTTP/1.1\r\nHost: a b\r\n\r\n"),
    RAW("a user in Host", "GET /echo HTTP/1.1\r\nHost: a@b\r\n\r\n"),
    RAW("a path in Host", "GET /echo HTTP/1.1\r\nHost: a/b\r\n\r\n"),
};

/* What the library refuses before it shows us anything: in its own form, but once, and then it closes. */
static const struct raw_case of_the_library[] = {
    LINE("HTTP/2.0", "GET /echo HTTP/2.0\r\n"),
    LINE("HTTP/0.9", "GET /echo HTTP/0.9\r\n"),
    LINE("HTTP/1.10", "GET /echo HTTP/1.10\r\n"),
    LINE("http/1.1", "GET /echo http/1.1\r\n"),
    LINE("no version", "GET /echo\r\n"),
    LINE("NUL behind the version", "GET /echo HTTP/1.1\0\r\n"),
    LINE("a space behind the version", "GET /echo HTTP/1.1 \r\n"),
    LINE("a tab behind the method", "GET\t/echo HTTP/1.1\r\n"),
    RAW("CR behind the version", "GET /echo HTTP/1.1\rX: y\r\nHost: t\r\n\r\n"),
    GET("NUL in a name", "X\0Y: z\r\n"),
    POST("NUL behind a name", "Transfer-Encoding\0: chunked\r\n", "0\r\n\r\n"),
    GET("a line without a colon", "XY\r\n"),
    CHUNKED("a chunk's size in C's hex", "0x5\r\nhello\r\n0\r\n\r\n"),
    CHUNKED("a chunk's size with its sign", "+5\r\nhello\r\n0\r\n\r\n"),
    CHUNKED("a space before a chunk's size", " 5\r\nhello\r\n0\r\n\r\n"),
    CHUNKED("a chunk without a size", "\r\nhello\r\n0\r\n\r\n"),
    CHUNKED("a chunk beyond all", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
    CHUNKED("a chunk that is longer than its size", "5\r\nhelloXX0\r\n\r\n"),
    CHUNKED("LF in a chunk's extension", "5;a\nb\r\nhello\r\n0\r\n\r\n"),
};

/* What is no fault, however it looks. */
static const struct raw_case taken[] = {
    GET("a tab before a value", "X-Test:\ta\r\n"),
    GET("an empty value", "X-Test:\r\n"),
    GET("a tab in a value", "X-Test: a\tb\r\n"),
    GET("a value beyond ASCII", "X-Test: \xc3\xa9\r\n"),
    GET("a name of signs", "!#$%&'*+-.^_`|~: 1\r\n"),
    RAW("an empty line before it", "\r\nGET /echo HTTP/1.1\r\nHost: t\r\n\r\n"),
    LINE("a later version", "GET /echo HTTP/1.2\r\n"),
    LINE("the absolute form", "GET http://a/echo HTTP/1.1\r\n"),
    RAW("an address as Host", "GET /echo HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
    RAW("an empty Host", "GET /echo HTTP/1.1\r\nHost:\r\n\r\n"),
#ifdef LENIENT_LIBRARY /* 1.0.1 takes the LF behind an extension for data, and then refuses it */
    CHUNKED("a chunk with an extension", "5;a=\"b\"\r\nhello\r\n0\r\n\r\n"),
#endif
    CHUNKED("a trailer", "5\r\nhello\r\n0\r\nX: y\r\n\r\n"),
};

#endif
