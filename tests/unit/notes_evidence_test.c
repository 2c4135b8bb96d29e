#include "vitrine_test.h"

#include <string.h>

#include "alloc_fail.h"
#include "model_tree.h"
#include "test_file.h"
#include "test_signer.h"
#include "vitrine/evidence.h"

#define ORIGIN "log.example/evidence"

/* Two histories of one log: they differ in leaf 0, so from size 1 on in every root. */
static struct model_tree shown_to[2];
static struct merkle_hasher hasher;
static struct note_signer signer;
static const char *vectors; /* tests/vectors/evidence */

static int set_up(void **state)
{
	static const uint64_t first_leaf = 0;

	(void)state;
	model_tree_sparse(&shown_to[0], &first_leaf, 0);
	model_tree_sparse(&shown_to[1], &first_leaf, 1);
	signer = test_signer(ORIGIN, VKEY_TYPE_ED25519, 7);
	return merkle_hasher_init(&hasher) == VT_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	model_tree_release(&shown_to[0]);
	model_tree_release(&shown_to[1]);
	merkle_hasher_release(&hasher);
	return 0;
}

static struct merkle_hash root_of(int history, uint64_t size)
{
	return model_mth(&shown_to[history], 0, size);
}

static void append_head(struct buf *out, const struct tree_head *head, const char *extensions,
			const struct note_signer *by, size_t n)
{
	struct buf text;

	buf_init(&text);
	assert_int_equal(checkpoint_format(&text, ORIGIN, head), VT_OK);
	assert_int_equal(buf_append_str(&text, extensions), VT_OK);
	assert_int_equal(note_sign(out, buf_bytes(&text), by, n), VT_OK);
	buf_release(&text);
}

static void append_signed(struct buf *out, int history, uint64_t size)
{
	struct tree_head head = {.size = size};

	if (size == 0)
		assert_int_equal(merkle_hash_empty(&head.root, &hasher), VT_OK);
	else
		head.root = root_of(history, size);
	append_head(out, &head, "", &signer, 1);
}

/* Evidence that history 0 at size `small` and history 1 at size `large` are not one. */
static enum vt_err make(struct buf *out, uint64_t small, uint64_t large)
{
	struct merkle_hash other;
	struct merkle_proof proof = {0};
	struct buf a, b;
	enum vt_err err;

	buf_init(&a);
	buf_init(&b);
	append_signed(&a, 0, small);
	append_signed(&b, 1, large);
	if (small == 0) {
		assert_int_equal(merkle_hash_empty(&other, &hasher), VT_OK);
	} else {
		other = root_of(1, small);
		model_consistency(&shown_to[1], &proof, small, large);
	}
	err =
	    evidence_make(out, &hasher, &signer.key, buf_bytes(&a), buf_bytes(&b), &other, &proof);
	buf_release(&a);
	buf_release(&b);
	return err;
}

static enum vt_err verify(struct bytes text)
{
	const char *why = NULL;
	enum vt_err err = evidence_verify(NULL, &why, &hasher, text, &signer.key);

	assert_non_null(why);
	assert_int_equal(why[0] == '\0', err == VT_OK);
	return err;
}

static void two_histories_are_proven_at_every_pair_of_sizes(void **state)
{
	(void)state;
	for (uint64_t small = 1; small <= 17; small++) {
		for (uint64_t large = small; large <= 33; large++) {
			struct evidence e;
			struct buf text;

			buf_init(&text);
			assert_int_equal(make(&text, small, large), VT_OK);
			assert_int_equal(
			    evidence_verify(&e, NULL, &hasher, buf_bytes(&text), &signer.key),
			    VT_OK);
			assert_true(bytes_is(e.name, ORIGIN));
			assert_true(e.first.cp.head.size == small);
			assert_true(e.second.cp.head.size == large);
			assert_true(e.proof.n == 0 || small < large);
			buf_release(&text);
		}
	}
}

static void sizes_of_64_bits_are_proven(void **state)
{
	static const uint64_t size[][2] = {
	    {1, UINT64_MAX},
	    {UINT64_C(1) << 63, UINT64_MAX},
	    {UINT64_MAX - 1, UINT64_MAX},
	    {(UINT64_C(1) << 63) - 1, (UINT64_C(1) << 63) + 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		struct buf text;

		buf_init(&text);
		assert_int_equal(make(&text, size[i][0], size[i][1]), VT_OK);
		assert_int_equal(verify(buf_bytes(&text)), VT_OK);
		buf_release(&text);
	}
}

static void the_vectors_are_made_again_byte_for_byte(void **state)
{
	static const struct {
		const char *name;
		uint64_t small, large;
	} vector[] = {{"equal-sizes", 5, 5},
		      {"different-sizes", 3, 7},
		      {"power-of-two", 4, 7},
		      {"size-one", 1, 2}};

	(void)state;
	for (size_t i = 0; i < sizeof(vector) / sizeof(vector[0]); i++) {
		struct buf kept = test_read_file(vectors, vector[i].name, ".evidence"), made;

		buf_init(&made);
		assert_int_equal(make(&made, vector[i].small, vector[i].large), VT_OK);
		assert_true(bytes_equal(buf_bytes(&kept), buf_bytes(&made)));
		buf_release(&kept);
		buf_release(&made);
	}
}

static void evidence_has_one_text_whatever_the_order_and_the_other_signatures(void **state)
{
	struct note_signer both[] = {test_signer("someone.example", VKEY_TYPE_ED25519, 9), signer};
	struct tree_head head[] = {{5, root_of(0, 5)}, {5, root_of(1, 5)}};
	struct buf note[2], cosigned[2], one, other;
	struct note *parsed;

	(void)state;
	buf_init(&one);
	for (int i = 0; i < 2; i++) {
		buf_init(&note[i]);
		buf_init(&cosigned[i]);
		append_head(&note[i], &head[i], "", &signer, 1);
		append_head(&cosigned[i], &head[i], "", both, 2);
		/* The log's line twice: a key signs once. */
		assert_int_equal(note_parse(&parsed, buf_bytes(&note[i])), VT_OK);
		assert_int_equal(buf_append(&cosigned[i], parsed->sig[0].line), VT_OK);
		note_free(parsed);
	}
	assert_int_equal(evidence_make(&one, &hasher, &signer.key, buf_bytes(&note[0]),
				       buf_bytes(&note[1]), NULL, NULL),
			 VT_OK);
	buf_init(&other);
	for (int i = 0; i < 2; i++) {
		buf_reset(&other);
		assert_int_equal(evidence_make(&other, &hasher, &signer.key,
					       buf_bytes(&cosigned[i]), buf_bytes(&note[1 - i]),
					       NULL, NULL),
				 VT_OK);
		assert_true(bytes_equal(buf_bytes(&one), buf_bytes(&other)));
	}
	buf_release(&other);
	buf_release(&one);
	for (int i = 0; i < 2; i++) {
		buf_release(&note[i]);
		buf_release(&cosigned[i]);
	}
}

static void extension_lines_stay_in_the_signed_text(void **state)
{
	struct tree_head head[] = {{5, root_of(0, 5)}, {5, root_of(1, 5)}};
	struct buf a, b, same, text;
	struct evidence e;

	(void)state;
	buf_init(&a);
	buf_init(&b);
	buf_init(&same);
	buf_init(&text);
	append_head(&a, &head[0], "extension one\nextension two\n", &signer, 1);
	append_head(&b, &head[1], "", &signer, 1);
	append_head(&same, &head[0], "", &signer, 1);
	assert_int_equal(
	    evidence_make(&text, &hasher, &signer.key, buf_bytes(&a), buf_bytes(&b), NULL, NULL),
	    VT_OK);
	assert_int_equal(evidence_parse(&e, buf_bytes(&text)), VT_OK);
	assert_true(e.first.cp.extensions.len + e.second.cp.extensions.len ==
		    strlen("extension one\nextension two\n"));
	/* Two texts of one head contradict nothing. */
	buf_reset(&text);
	assert_int_equal(
	    evidence_make(&text, &hasher, &signer.key, buf_bytes(&a), buf_bytes(&same), NULL, NULL),
	    VT_EMISMATCH);
	assert_int_equal(text.len, 0);
	buf_release(&a);
	buf_release(&b);
	buf_release(&same);
	buf_release(&text);
}

static void any_changed_byte_is_refused(void **state)
{
	static const uint64_t size[][2] = {{5, 5}, {3, 7}, {4, 7}, {1, 2}};

	(void)state;
	for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		struct buf text;

		buf_init(&text);
		assert_int_equal(make(&text, size[i][0], size[i][1]), VT_OK);
		for (size_t at = 0; at < text.len; at++) {
			uint8_t was = text.data[at];
			/* A bit each, and what text is most often damaged by. */
			static const uint8_t instead[] = {'\n', '\r', ' ', '=', '0', 'A', 0, 0xff};

			for (size_t k = 0; k < 8 + sizeof(instead); k++) {
				text.data[at] = k < 8 ? (uint8_t)(was ^ (1u << k)) : instead[k - 8];
				if (text.data[at] != was && verify(buf_bytes(&text)) == VT_OK)
					fail_msg("byte %zu may be %02x", at, text.data[at]);
			}
			text.data[at] = was;
			assert_int_not_equal(verify(bytes_of(text.data, at)), VT_OK);
		}
		assert_int_equal(verify(buf_bytes(&text)), VT_OK);
		assert_int_equal(buf_append_byte(&text, '\n'), VT_OK);
		assert_int_not_equal(verify(buf_bytes(&text)), VT_OK);
		buf_release(&text);
	}
}

/* Replace the first `from` in the text. */
static void replaced(struct buf *out, struct bytes text, const char *from, const char *to)
{
	const uint8_t *at = memmem(text.data, text.len, from, strlen(from));
	size_t before;

	assert_non_null(at);
	before = (size_t)(at - text.data);
	buf_reset(out);
	assert_int_equal(buf_append(out, bytes_of(text.data, before)), VT_OK);
	assert_int_equal(buf_append_str(out, to), VT_OK);
	assert_int_equal(
	    buf_append(out, bytes_of(at + strlen(from), text.len - before - strlen(from))), VT_OK);
}

static void other_spellings_are_refused(void **state)
{
	static const char *const change[][2] = {
	    {"@v1", "@v2"},
	    {"log ", "log  "},
	    {"log " ORIGIN, "log " ORIGIN " "},
	    {"log " ORIGIN, "log"},
	    {"log " ORIGIN, "log log.example/other"},
	    {"log ", ""},
	    {"root ", "root  "},
	    {"root ", ""},
	    {"root ", "root AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"},
	    {"\n\n", "\n"},
	    {"\n\n", "\n\n\n"},
	    {"\n\n", "\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n"},
	    {"\n3\n", "\n03\n"},
	    {"\n7\n", "\n+7\n"},
	    {"\n3\n", "\n7\n"},
	    {"\n\n\xe2\x80\x94 ", "\n\n\xe2\x80\x94 a AAAAAAAA\n\xe2\x80\x94 "},
	    {"\n\n\xe2\x80\x94 ", "\nextension\n\n\xe2\x80\x94 "},
	};
	struct buf text, changed;

	(void)state;
	buf_init(&text);
	buf_init(&changed);
	assert_int_equal(make(&text, 3, 7), VT_OK);
	for (size_t i = 0; i < sizeof(change) / sizeof(change[0]); i++) {
		replaced(&changed, buf_bytes(&text), change[i][0], change[i][1]);
		if (verify(buf_bytes(&changed)) == VT_OK)
			fail_msg("change %zu verifies", i);
	}
	buf_release(&text);
	buf_release(&changed);
}

static void a_root_and_a_proof_belong_to_different_sizes_alone(void **state)
{
	struct buf text, changed;

	(void)state;
	buf_init(&text);
	buf_init(&changed);
	assert_int_equal(make(&text, 5, 5), VT_OK);
	replaced(&changed, buf_bytes(&text), "\n\n",
		 "\nroot AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n");
	assert_int_equal(verify(buf_bytes(&changed)), VT_EMALFORMED);
	buf_release(&text);
	buf_release(&changed);
}

static void an_honest_log_cannot_be_accused(void **state)
{
	struct merkle_proof proof = {0};
	struct merkle_hash root;
	struct buf small, large, text;

	(void)state;
	buf_init(&small);
	buf_init(&large);
	buf_init(&text);
	append_signed(&small, 1, 6);
	append_signed(&large, 1, 11);
	root = root_of(1, 6);
	model_consistency(&shown_to[1], &proof, 6, 11);
	/* The true root; another one, with the true proof; another one, with a proof of another history. */
	assert_int_equal(evidence_make(&text, &hasher, &signer.key, buf_bytes(&small),
				       buf_bytes(&large), &root, &proof),
			 VT_EMISMATCH);
	root = root_of(0, 6);
	assert_int_equal(evidence_make(&text, &hasher, &signer.key, buf_bytes(&small),
				       buf_bytes(&large), &root, &proof),
			 VT_EMISMATCH);
	proof.n = 0;
	model_consistency(&shown_to[0], &proof, 6, 11);
	assert_int_equal(evidence_make(&text, &hasher, &signer.key, buf_bytes(&small),
				       buf_bytes(&large), &root, &proof),
			 VT_EMISMATCH);
	assert_int_equal(evidence_make(&text, &hasher, &signer.key, buf_bytes(&small),
				       buf_bytes(&small), NULL, NULL),
			 VT_EMISMATCH);
	assert_int_equal(evidence_make(&text, &hasher, &signer.key, buf_bytes(&small),
				       buf_bytes(&large), NULL, NULL),
			 VT_EINVAL);
	assert_int_equal(text.len, 0);
	buf_release(&small);
	buf_release(&large);
	buf_release(&text);
}

static void a_head_of_size_zero_contradicts_only_another_of_size_zero(void **state)
{
	struct tree_head odd = {.size = 0, .root = root_of(0, 1)};
	struct buf empty, a, text;

	(void)state;
	buf_init(&empty);
	buf_init(&a);
	buf_init(&text);
	assert_int_equal(make(&text, 0, 7), VT_EMISMATCH);
	append_signed(&empty, 0, 0);
	append_head(&a, &odd, "", &signer, 1);
	assert_int_equal(evidence_make(&text, &hasher, &signer.key, buf_bytes(&a),
				       buf_bytes(&empty), NULL, NULL),
			 VT_OK);
	assert_int_equal(verify(buf_bytes(&text)), VT_OK);
	buf_release(&empty);
	buf_release(&a);
	buf_release(&text);
}

static void evidence_counts_for_the_key_that_signed_alone(void **state)
{
	struct vkey other = test_vkey(ORIGIN, VKEY_TYPE_ED25519, 8);
	struct vkey renamed = test_vkey("log.example/other", VKEY_TYPE_ED25519, 7);
	struct vkey witness = test_vkey(ORIGIN, VKEY_TYPE_COSIGNATURE_ED25519, 7);
	const struct vkey *wrong[] = {&other, &renamed, &witness};
	struct buf text;

	(void)state;
	buf_init(&text);
	assert_int_equal(make(&text, 3, 7), VT_OK);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(evidence_verify(NULL, NULL, &hasher, buf_bytes(&text), wrong[i]),
				 VT_EUNTRUSTED);
	buf_release(&text);
}

static void heads_beyond_the_bound_are_refused(void **state)
{
	struct tree_head head = {5, root_of(0, 5)};
	struct buf long_line, note, out;

	(void)state;
	buf_init(&long_line);
	buf_init(&note);
	buf_init(&out);
	for (size_t i = 0; i < EVIDENCE_NOTE_MAX; i++)
		assert_int_equal(buf_append_byte(&long_line, 'x'), VT_OK);
	assert_int_equal(buf_append_str(&long_line, "\n"), VT_OK);
	assert_int_equal(buf_append_byte(&long_line, '\0'), VT_OK);
	append_head(&note, &head, (char *)long_line.data, &signer, 1);
	assert_int_equal(evidence_head_text(&out, NULL, buf_bytes(&note), &signer.key), VT_ELIMIT);
	assert_int_equal(out.len, 0);
	buf_release(&long_line);
	buf_release(&note);
	buf_release(&out);
}

static void every_allocation_may_fail(void **state)
{
	(void)state;
	for (unsigned n = 1;; n++) {
		struct buf a, b, text;
		enum vt_err err;

		buf_init(&a);
		buf_init(&b);
		buf_init(&text);
		append_signed(&a, 0, 5);
		append_signed(&b, 1, 5);
		alloc_fail_at(n);
		err = evidence_make(&text, &hasher, &signer.key, buf_bytes(&a), buf_bytes(&b), NULL,
				    NULL);
		buf_release(&a);
		buf_release(&b);
		if (!alloc_failed()) {
			assert_int_equal(err, VT_OK);
			buf_release(&text);
			return;
		}
		assert_int_equal(err, VT_ENOMEM);
		assert_int_equal(text.len, 0);
		buf_release(&text);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(two_histories_are_proven_at_every_pair_of_sizes),
	    cmocka_unit_test(sizes_of_64_bits_are_proven),
	    cmocka_unit_test(the_vectors_are_made_again_byte_for_byte),
	    cmocka_unit_test(evidence_has_one_text_whatever_the_order_and_the_other_signatures),
	    cmocka_unit_test(extension_lines_stay_in_the_signed_text),
	    cmocka_unit_test(any_changed_byte_is_refused),
	    cmocka_unit_test(other_spellings_are_refused),
	    cmocka_unit_test(a_root_and_a_proof_belong_to_different_sizes_alone),
	    cmocka_unit_test(an_honest_log_cannot_be_accused),
	    cmocka_unit_test(a_head_of_size_zero_contradicts_only_another_of_size_zero),
	    cmocka_unit_test(evidence_counts_for_the_key_that_signed_alone),
	    cmocka_unit_test(heads_beyond_the_bound_are_refused),
	    cmocka_unit_test(every_allocation_may_fail),
	};

	if (argc != 2)
		return 2;
	vectors = argv[1];
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
