/* The hashes of a file, and whether a record names it by them. */
#include "vitrine_test.h"

#include <stdio.h>
#include <string.h>

#include "file_digests.h"
#include "scratch.h"

/* What main.c has for the commands. */
int cmd_fail(const char *name, int code, const char *fmt, ...)
{
	(void)name, (void)fmt;
	return code;
}

/* Of "abc", as FIPS 180-4 and FIPS 202 publish them in their examples. NULL: it takes more than the bytes. */
static const struct {
	const char *name, *abc;
} known[] = {
    {"sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"sha384", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
	       "8086072ba1e7cc2358baeca134c825a7"},
    {"sha512", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	       "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
    {"sha512_256", "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23"},
    {"sha3_256", "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"},
    {"sha3_384", "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b2"
		 "98d88cea927ac7f539f1edf228376d25"},
    {"sha3_512", "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
		 "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0"},
    {"gitCommit", NULL},
    {"gitTree", NULL},
    {"gitBlob", NULL},
    {"gitTag", NULL},
    {"hmac_sha256", NULL},
};

static void read_abc(struct file_digests *out)
{
	FILE *f = fopen(scratch_path("abc"), "w");

	assert_non_null(f);
	assert_true(fputs("abc", f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(file_digests_read(out, "test", scratch_path("abc")), CMD_HOLDS);
}

static void every_algorithm_of_admission_is_computed_or_said_not_to_be(void **state)
{
	struct file_digests abc;
	size_t n = 0, i = 0;
	char hex[65];

	(void)state;
	read_abc(&abc);
	for (const struct digest_algorithm *a = digest_algorithms; a->name != NULL; a++, i++) {
		assert_true(i < sizeof(known) / sizeof(*known));
		assert_string_equal(a->name, known[i].name);
		assert_int_equal(a->hash == NULL, known[i].abc == NULL);
		if (a->hash == NULL)
			continue;
		assert_ptr_equal(abc.algorithm[n], a);
		assert_string_equal(abc.hex[n], known[i].abc);
		assert_int_equal(strlen(abc.hex[n]), a->hex_digits);
		n++;
	}
	assert_int_equal(abc.n, n);
	assert_int_equal(file_sha256(hex, "test", scratch_path("abc")), CMD_HOLDS);
	assert_string_equal(hex, known[0].abc);
}

static void what_is_no_regular_file_is_refused(void **state)
{
	struct file_digests out;

	(void)state;
	assert_int_equal(file_digests_read(&out, "test", scratch_folder()), CMD_USAGE);
	assert_int_equal(file_digests_read(&out, "test", scratch_path("not-there")), CMD_UNSURE);
}

/* A subject's digests in short: an algorithm's place in `known`, then + for the file's and - for another; subjects are
 * separated by a space. */
static enum vt_err ask(const struct file_digests *abc, const char *subjects, struct why *why)
{
	struct subject_digest digest[8];
	struct statement s = {.digest = digest};
	char other[129];

	memset(other, '0', sizeof(other));
	for (const char *p = subjects; *p != '\0'; p += *p == ' ' ? 1 : 2) {
		size_t which = (size_t)(p[0] - 'a');

		if (*p == ' ') {
			s.n_subjects++;
			continue;
		}
		digest[s.n_digests++] = (struct subject_digest){
		    s.n_subjects, bytes_str(known[which].name),
		    p[1] == '+' ? bytes_str(known[which].abc)
				: bytes_of(other, digest_algorithms[which].hex_digits)};
	}
	return file_digests_find(abc, &s, why);
}

static void a_file_is_named_by_any_of_its_hashes_and_contradicted_by_any_other(void **state)
{
	static const struct {
		const char *subjects;
		enum vt_err expected;
	} cases[] = {
	    {"a+", VT_OK},
	    {"b+", VT_OK},
	    {"c+", VT_OK},
	    {"d+", VT_OK},
	    {"e+", VT_OK},
	    {"f+", VT_OK},
	    {"g+", VT_OK},
	    {"a+b+c+g+", VT_OK},
	    {"a- c+", VT_OK},
	    {"c+ a-", VT_OK},
	    {"a-c- a+c+", VT_OK},
	    /* What cannot be computed says nothing. */
	    {"c+h-j-l-", VT_OK},
	    {"j-", VT_ENOTFOUND},
	    {"l-", VT_ENOTFOUND},
	    {"a-", VT_ENOTFOUND},
	    {"a-c-", VT_ENOTFOUND},
	    {"a- c-", VT_ENOTFOUND},
	    {"a+c-", VT_EMISMATCH},
	    {"a-c+", VT_EMISMATCH},
	    {"a-j-c+", VT_EMISMATCH},
	    {"a+ b-c+", VT_EMISMATCH},
	    {"b+g- a+", VT_EMISMATCH},
	};
	struct file_digests abc;
	struct why why;

	(void)state;
	read_abc(&abc);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (ask(&abc, cases[i].subjects, &why) != cases[i].expected)
			fail_msg("%s", cases[i].subjects);
	assert_int_equal(ask(&abc, "c-a+", &why), VT_EMISMATCH);
	assert_string_equal(why.text,
			    "it names this file by its sha256, and another by its sha512");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_algorithm_of_admission_is_computed_or_said_not_to_be),
	    cmocka_unit_test(what_is_no_regular_file_is_refused),
	    cmocka_unit_test(a_file_is_named_by_any_of_its_hashes_and_contradicted_by_any_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
