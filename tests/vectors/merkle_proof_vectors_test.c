/*
 * The proof vectors of github.com/transparency-dev/merkle, testdata/: one file per case, `wantErr`
 * is the verdict. Folder: $VITRINE_VECTORS/merkle.
 *
 * That project's hashes are byte strings of any length. Here, one of another length than 32 stands
 * for its SHA-256: it stays equal to itself and different from all else. Only a leaf hash of
 * another length, which that project refuses, is refused before it gets to the library.
 */
#include "vitrine_test.h"

#include <ftw.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vitrine/merkle.h"

struct vector {
	json_t *json;
	const char *path;
	struct merkle_hasher *h;
};

static struct merkle_hasher hasher;

/* Jansson has no integer above 2^63 - 1, and some cases are about those: make every number of the
 * file a string. */
static json_t *load_numbers_as_strings(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct buf text;
	bool in_string = false, in_number = false;
	json_error_t error;
	json_t *json;
	int c;

	assert_non_null(file);
	buf_init(&text);
	while ((c = fgetc(file)) != EOF) {
		bool digit = !in_string && c >= '0' && c <= '9';

		assert_int_not_equal(c, '\\'); /* or strings would have to be parsed */
		if (c == '"')
			in_string = !in_string;
		if (digit != in_number)
			assert_int_equal(buf_append_byte(&text, '"'), VT_OK);
		in_number = digit;
		assert_int_equal(buf_append_byte(&text, (uint8_t)c), VT_OK);
	}
	fclose(file);
	json = json_loadb((const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &error);
	if (json == NULL)
		fail_msg("%s: %s", path, error.text);
	buf_release(&text);
	return json;
}

static uint64_t number(const struct vector *v, const char *member)
{
	const char *text = json_string_value(json_object_get(v->json, member));
	uint64_t n = 0;

	if (text == NULL || decimal_decode(&n, bytes_str(text)) != VT_OK)
		fail_msg("%s: no number %s", v->path, member);
	return n;
}

/* False: not 32 bytes, and *out is the SHA-256 of what it is. */
static bool decode_hash(struct merkle_hash *out, const struct vector *v, const json_t *value)
{
	struct bytes text = bytes_str(json_is_null(value) ? "" : json_string_value(value));
	struct buf raw;
	bool is_hash;

	buf_init(&raw);
	assert_int_equal(buf_append_decoded_base64(&raw, text, BASE64_STANDARD), VT_OK);
	is_hash = raw.len == MERKLE_HASH_SIZE;
	if (is_hash) {
		memcpy(out->b, raw.data, MERKLE_HASH_SIZE);
	} else {
		struct bytes part = buf_bytes(&raw);

		assert_int_equal(merkle_sha256(out, v->h, &part, 1), VT_OK);
	}
	buf_release(&raw);
	return is_hash;
}

static bool hash(struct merkle_hash *out, const struct vector *v, const char *member)
{
	const json_t *value = json_object_get(v->json, member);

	if (value == NULL)
		fail_msg("%s: no %s", v->path, member);
	return decode_hash(out, v, value);
}

static void proof(struct merkle_proof *out, const struct vector *v)
{
	const json_t *list = json_object_get(v->json, "proof");

	if (list == NULL || json_array_size(list) > MERKLE_PROOF_MAX)
		fail_msg("%s: no proof", v->path);
	out->n = json_array_size(list); /* 0 for null */
	for (size_t i = 0; i < out->n; i++)
		decode_hash(&out->hash[i], v, json_array_get(list, i));
}

static enum vt_err verify_inclusion(const struct vector *v)
{
	struct tree_head head = {.size = number(v, "treeSize")};
	struct merkle_proof p;
	struct merkle_hash leaf;

	proof(&p, v);
	hash(&head.root, v, "root");
	if (!hash(&leaf, v, "leafHash"))
		return VT_EMALFORMED;
	return proof_verify_inclusion(v->h, &p, number(v, "leafIdx"), &leaf, &head);
}

static enum vt_err verify_consistency(const struct vector *v)
{
	struct tree_head first = {.size = number(v, "size1")};
	struct tree_head second = {.size = number(v, "size2")};
	struct merkle_proof p;

	proof(&p, v);
	hash(&first.root, v, "root1");
	hash(&second.root, v, "root2");
	return proof_verify_consistency(v->h, &p, &first, &second);
}

static enum vt_err verify_subtree_inclusion(const struct vector *v)
{
	struct merkle_hash root, leaf;
	struct merkle_proof p;

	proof(&p, v);
	hash(&root, v, "root");
	if (!hash(&leaf, v, "leafHash"))
		return VT_EMALFORMED;
	return proof_verify_subtree_inclusion(v->h, &p, number(v, "leafIdx"), &leaf,
					      number(v, "start"), number(v, "end"), &root);
}

static enum vt_err verify_subtree_consistency(const struct vector *v)
{
	struct tree_head head = {.size = number(v, "size")};
	struct merkle_hash subtree;
	struct merkle_proof p;

	proof(&p, v);
	hash(&subtree, v, "root1");
	hash(&head.root, v, "root2");
	return proof_verify_subtree_consistency(v->h, &p, number(v, "start"), number(v, "end"),
						&subtree, &head);
}

/* nftw() has no argument of its own. */
static enum vt_err (*verify)(const struct vector *v);
static unsigned seen, held, wrong;

static int check_file(const char *path, const struct stat *sb, int type, struct FTW *ftw)
{
	struct vector v = {.path = path, .h = &hasher};
	const json_t *want_err;
	enum vt_err err;

	(void)sb;
	(void)ftw;
	if (type != FTW_F)
		return 0;
	v.json = load_numbers_as_strings(path);
	want_err = json_object_get(v.json, "wantErr");
	assert_true(json_is_boolean(want_err));
	err = verify(&v);
	/* Anything else would be a failure of the library, not a verdict. */
	assert_true(err == VT_OK || err == VT_EMISMATCH || err == VT_EINVAL ||
		    err == VT_EMALFORMED);
	if ((err != VT_OK) != json_is_true(want_err)) {
		print_error("%s: %s\n", path, vt_err_text(err));
		wrong++;
	}
	seen++;
	held += err == VT_OK;
	json_decref(v.json);
	return 0;
}

/* Counts of the files at the version that the vectors' README names: fewer means that the walk
 * missed some, more that they were updated and this table was not. */
static void check_folder(const char *name, enum vt_err (*with)(const struct vector *v),
			 unsigned files, unsigned valid)
{
	const char *root = getenv("VITRINE_VECTORS");
	char path[4096];
	int len;

	if (root == NULL) {
		print_message("VITRINE_VECTORS is not set\n");
		skip();
	}
	len = snprintf(path, sizeof(path), "%s/merkle/%s", root, name);
	assert_true(len > 0 && (size_t)len < sizeof(path));
	verify = with;
	seen = held = wrong = 0;
	assert_int_equal(nftw(path, check_file, 16, FTW_PHYS), 0);
	assert_int_equal(wrong, 0);
	assert_int_equal(seen, files);
	assert_int_equal(held, valid);
}

static void inclusion_vectors_get_their_verdicts(void **state)
{
	(void)state;
	check_folder("inclusion", verify_inclusion, 98, 6);
}

static void consistency_vectors_get_their_verdicts(void **state)
{
	(void)state;
	check_folder("consistency", verify_consistency, 98, 6);
}

static void subtree_inclusion_vectors_get_their_verdicts(void **state)
{
	(void)state;
	check_folder("subtreeinclusion", verify_subtree_inclusion, 204, 12);
}

static void subtree_consistency_vectors_get_their_verdicts(void **state)
{
	(void)state;
	check_folder("subtreeconsistency", verify_subtree_consistency, 118, 12);
}

static int set_up(void **state)
{
	(void)state;
	return merkle_hasher_init(&hasher) == VT_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	merkle_hasher_release(&hasher);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(inclusion_vectors_get_their_verdicts),
	    cmocka_unit_test(consistency_vectors_get_their_verdicts),
	    cmocka_unit_test(subtree_inclusion_vectors_get_their_verdicts),
	    cmocka_unit_test(subtree_consistency_vectors_get_their_verdicts),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
