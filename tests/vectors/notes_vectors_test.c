/* The files of tests/vectors/notes, made by three Go modules: its README.md says what each is. */
#include "vitrine_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_file.h"
#include "vitrine/tlog_proof.h"

static const char *folder; /* from the command line */

static struct buf file(const char *name)
{
	return test_read_file(folder, name, NULL);
}

/* The next line of `rest` without its newline. */
static bool next_line(struct bytes *line, struct bytes *rest)
{
	const uint8_t *end;

	if (rest->len == 0)
		return false;
	end = memchr(rest->data, '\n', rest->len);
	assert_non_null(end);
	*line = bytes_of(rest->data, (size_t)(end - rest->data));
	*rest = bytes_of(end + 1, rest->len - line->len - 1);
	return true;
}

/* "<verdict> <name>", both NUL-terminated. */
static bool next_verdict(char verdict[64], char name[64], struct bytes *rest)
{
	struct bytes line;
	char copy[128];

	if (!next_line(&line, rest))
		return false;
	snprintf(copy, sizeof(copy), "%.*s", (int)line.len, (const char *)line.data);
	assert_int_equal(sscanf(copy, "%63s %63s", verdict, name), 2);
	return true;
}

/* The vkeys of a file, one a line, each of which formats back if its key is kept. */
static size_t load_vkeys(struct vkey *key, size_t max, const char *name)
{
	struct buf text = file(name);
	struct bytes rest = buf_bytes(&text), line;
	size_t n = 0;

	for (; next_line(&line, &rest); n++) {
		struct buf back;

		assert_true(n < max);
		assert_int_equal(vkey_parse(&key[n], line), VT_OK);
		if (!vkey_verifiable(&key[n]))
			continue;
		buf_init(&back);
		assert_int_equal(vkey_format(&back, &key[n]), VT_OK);
		assert_true(bytes_equal(buf_bytes(&back), line));
		buf_release(&back);
	}
	buf_release(&text);
	return n;
}

/* What Go takes and the specification does not: base64 whose pad bits are set. */
static bool stricter_than_go(const char *name)
{
	return strcmp(name, "pad-bits-of-an-unknown-key") == 0;
}

static void notes_are_judged_as_go_judges_them_or_more_strictly(void **state)
{
	struct buf verdicts = file("note/verdicts");
	struct bytes rest = buf_bytes(&verdicts);
	char verdict[64], name[64];
	struct vkey key[16];
	struct vkey_set known = {.key = key, .n = load_vkeys(key, 16, "note/known.vkeys")};
	size_t accepted = 0, rejected = 0;

	(void)state;
	assert_int_equal(known.n, 16);
	while (next_verdict(verdict, name, &rest)) {
		char path[128];
		struct buf msg;
		struct note *n;
		bool accepts = strcmp(verdict, "accepts") == 0 && !stricter_than_go(name);

		snprintf(path, sizeof(path), "note/%s.note", name);
		msg = file(path);
		if ((note_open(&n, buf_bytes(&msg), &known) == VT_OK) != accepts)
			fail_msg("%s: Go %s it", name, verdict);
		if (accepts)
			accepted++;
		else
			rejected++;
		note_free(n);
		buf_release(&msg);
	}
	assert_int_equal(accepted, 9);
	assert_int_equal(rejected, 25);
	buf_release(&verdicts);
}

static void sixteen_signatures_are_all_verified(void **state)
{
	struct vkey key[16];
	struct vkey_set known = {.key = key, .n = load_vkeys(key, 16, "note/known.vkeys")};
	struct buf msg = file("note/sixteen.note");
	struct note *n;

	(void)state;
	assert_int_equal(note_open(&n, buf_bytes(&msg), &known), VT_OK);
	assert_int_equal(n->n, 16);
	for (size_t i = 0; i < 16; i++)
		assert_ptr_equal(n->sig[i].key, &key[i]);
	note_free(n);
	buf_release(&msg);
}

static void a_checkpoint_with_sixteen_cosignatures_and_an_mldsa44_one_opens(void **state)
{
	struct buf msg = file("checkpoint/cosigned.checkpoint"), times = file("checkpoint/times");
	struct bytes rest = buf_bytes(&times);
	struct vkey log, key[17];
	struct vkey_set others = {.key = key, .n = 17};
	char name[64], time[64];
	struct checkpoint cp;
	struct note *n;

	(void)state;
	assert_int_equal(load_vkeys(&log, 1, "checkpoint/log.vkey"), 1);
	assert_int_equal(load_vkeys(key, 16, "checkpoint/witnesses.vkeys"), 16);
	assert_int_equal(load_vkeys(key + 16, 1, "checkpoint/mldsa44.vkey"), 1);
	assert_int_equal(key[16].type, VKEY_TYPE_COSIGNATURE_MLDSA44);
	assert_int_equal(checkpoint_open(&n, &cp, buf_bytes(&msg), &log, &others), VT_OK);
	assert_true(bytes_is(cp.origin, "log.example/vectors"));
	assert_true(cp.head.size == 109);
	assert_int_equal(n->n, 18);
	for (size_t i = 0; i < 16; i++) {
		const struct note_signature *sig = note_signed_by(n, &key[i]);

		assert_non_null(sig);
		assert_true(next_verdict(name, time, &rest));
		assert_true(bytes_is(sig->name, name));
		assert_true(sig->time == strtoull(time, NULL, 10));
	}
	assert_null(note_signed_by(n, &key[16]));
	assert_int_equal(n->sig[17].id, key[16].id);
	assert_true(bytes_is(n->sig[17].name, key[16].name));
	note_free(n);
	/* Nobody vouches for it where the ML-DSA-44 key alone is known. */
	others = (struct vkey_set){.key = &key[16], .n = 1};
	assert_int_equal(note_open(&n, buf_bytes(&msg), &others), VT_EUNTRUSTED);
	buf_release(&msg);
	buf_release(&times);
}

static void policies_are_judged_as_torchwood_judges_them(void **state)
{
	struct buf msg = file("checkpoint/cosigned.checkpoint"), verdicts = file("policy/verdicts");
	struct bytes rest = buf_bytes(&verdicts);
	char verdict[64], name[64];

	(void)state;
	while (next_verdict(verdict, name, &rest)) {
		const struct policy_log *log;
		struct policy_error why;
		struct checkpoint cp;
		struct policy *p;
		struct note *n = NULL;
		struct buf text;
		char path[128];
		const char *got;

		snprintf(path, sizeof(path), "policy/%s.policy", name);
		text = file(path);
		if (policy_parse(&p, buf_bytes(&text), &why) != VT_OK)
			got = "unparsed";
		else if (policy_open_checkpoint(&n, &cp, &log, NULL, buf_bytes(&msg), p) != VT_OK)
			got = "rejects";
		else
			got = "accepts";
		if (strcmp(got, verdict) != 0)
			fail_msg("%s: torchwood %s, here it %s (line %zu: %s)", name, verdict, got,
				 why.line, why.text);
		note_free(n);
		policy_free(p);
		buf_release(&text);
	}
	buf_release(&msg);
	buf_release(&verdicts);
}

/* A quorum of what this build cannot verify is never there. */
static void an_mldsa44_witness_is_taken_by_a_policy_and_never_counts(void **state)
{
	struct buf msg = file("checkpoint/cosigned.checkpoint");
	struct buf log = file("checkpoint/log.vkey"), mldsa = file("checkpoint/mldsa44.vkey"), text;
	const struct policy_log *found;
	struct checkpoint cp;
	struct policy *p;
	struct note *n;
	bool cosigned;

	(void)state;
	buf_init(&text);
	assert_int_equal(buf_appendf(&text, "log %.*switness pq %.*squorum pq\n", (int)log.len,
				     (const char *)log.data, (int)mldsa.len,
				     (const char *)mldsa.data),
			 VT_OK);
	assert_int_equal(policy_parse(&p, buf_bytes(&text), NULL), VT_OK);
	assert_int_equal(policy_open_checkpoint(&n, &cp, &found, &cosigned, buf_bytes(&msg), p),
			 VT_EMISMATCH);
	assert_false(cosigned);
	policy_free(p);
	buf_release(&text);
	buf_release(&msg);
	buf_release(&log);
	buf_release(&mldsa);
}

/* Parses, verifies for its own entry and no other, and formats back. */
static void check_proof(const char *name, unsigned index, const char *extra, const struct policy *p)
{
	struct merkle_hasher h;
	struct merkle_hash leaf;
	struct tlog_proof proof;
	struct buf text, back;
	char path[128], entry[32];

	snprintf(path, sizeof(path), "tlog-proof/%s.tlog-proof", name);
	snprintf(entry, sizeof(entry), "entry %u", index);
	text = file(path);
	buf_init(&back);
	tlog_proof_init(&proof);
	assert_int_equal(merkle_hasher_init(&h), VT_OK);
	assert_int_equal(tlog_proof_parse(&proof, buf_bytes(&text)), VT_OK);
	assert_int_equal(proof.index, index);
	assert_int_equal(proof.has_extra, extra != NULL);
	assert_true(extra == NULL || bytes_is(buf_bytes(&proof.extra), extra));
	assert_int_equal(merkle_hash_leaf(&leaf, &h, bytes_str(entry)), VT_OK);
	assert_int_equal(tlog_proof_verify(NULL, NULL, NULL, &h, &proof, &leaf, p), VT_OK);
	leaf.b[0] ^= 1;
	assert_int_equal(tlog_proof_verify(NULL, NULL, NULL, &h, &proof, &leaf, p), VT_EMISMATCH);
	assert_int_equal(tlog_proof_format(&back, buf_bytes(&proof.extra), proof.index,
					   &proof.proof, proof.checkpoint),
			 VT_OK);
	assert_true(bytes_equal(buf_bytes(&back), buf_bytes(&text)));
	merkle_hasher_release(&h);
	tlog_proof_release(&proof);
	buf_release(&text);
	buf_release(&back);
}

static void proofs_by_torchwood_and_formats_verify(void **state)
{
	struct buf text = file("policy/groups.policy");
	struct policy *p;

	(void)state;
	assert_int_equal(policy_parse(&p, buf_bytes(&text), NULL), VT_OK);
	check_proof("torchwood-0", 0, NULL, p);
	check_proof("torchwood-73", 73, NULL, p);
	check_proof("torchwood-108", 108, NULL, p);
	check_proof("torchwood-extra-73", 73, "entry 73", p);
	check_proof("formats-extra-73", 73, "entry 73", p);
	policy_free(p);
	buf_release(&text);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(notes_are_judged_as_go_judges_them_or_more_strictly),
	    cmocka_unit_test(sixteen_signatures_are_all_verified),
	    cmocka_unit_test(a_checkpoint_with_sixteen_cosignatures_and_an_mldsa44_one_opens),
	    cmocka_unit_test(policies_are_judged_as_torchwood_judges_them),
	    cmocka_unit_test(an_mldsa44_witness_is_taken_by_a_policy_and_never_counts),
	    cmocka_unit_test(proofs_by_torchwood_and_formats_verify),
	};

	if (argc != 2)
		return 2;
	folder = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
