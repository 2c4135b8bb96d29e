#include "vitrine_test.h"

#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "add_checkpoint.h"
#include "alloc_fail.h"
#include "cosigner.h"
#include "durable.h"
#include "logline.h"
#include "scratch.h"
#include "witness_log.h"

#define ORIGIN  "log.example/one"
#define WITNESS "witness.example/w"

static uint64_t the_time = 1000;

/* Where the cosigner asks for the time it has written the checkpoint, and is about to sign. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t opened;
	bool closed; /* to all threads but the test's own */
	pthread_t owner;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER};

static void gate_set(bool closed)
{
	pthread_mutex_lock(&gate.lock);
	gate.owner = pthread_self();
	gate.closed = closed;
	pthread_cond_broadcast(&gate.opened);
	pthread_mutex_unlock(&gate.lock);
}

static uint64_t now(void)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.closed && !pthread_equal(pthread_self(), gate.owner))
		pthread_cond_wait(&gate.opened, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
	return the_time;
}

/* A witness of two logs, on the scratch folder. */
struct world {
	struct witness_log log, other;
	struct note_signer key;
	struct policy *policy;
	struct cosigner *c;
	struct cosigner_answer a;
	struct buf body;
};

static struct policy *policy_of(const char *text)
{
	struct policy *p;
	struct policy_error why;

	if (policy_parse(&p, bytes_str(text), &why) != VT_OK)
		fail_msg("policy line %zu: %s", why.line, why.text);
	return p;
}

static struct policy *policy_for(const struct witness_log *const *log, size_t n)
{
	struct policy *p;
	struct buf text;
	char *s;

	buf_init(&text);
	for (size_t i = 0; i < n; i++)
		witness_log_policy_line(&text, log[i]);
	assert_int_equal(buf_append_str(&text, "quorum none\n"), VT_OK);
	s = buf_detach_str(&text);
	p = policy_of(s);
	free(s);
	return p;
}

static enum vt_err try_open(struct world *w, char why[COSIGNER_WHY_MAX])
{
	struct cosigner_config config = {
	    .state_path = scratch_folder(), .signer = &w->key, .policy = w->policy, .now = now};

	return cosigner_open(&w->c, &config, why);
}

static void open_again(struct world *w)
{
	char why[COSIGNER_WHY_MAX];

	cosigner_free(w->c);
	if (try_open(w, why) != VT_OK)
		fail_msg("%s", why);
}

/* The first start of a witness: nothing was cosigned for the logs of its policy. */
static void make_folder(struct world *w)
{
	char why[COSIGNER_WHY_MAX];

	if (cosigner_create(scratch_folder(), &w->key.key, w->policy, why) != VT_OK)
		fail_msg("%s", why);
}

static void give_log(const char *origin)
{
	char why[COSIGNER_WHY_MAX];

	if (cosigner_add(scratch_folder(), origin, why) != VT_OK)
		fail_msg("%s", why);
}

static enum vt_err set_policy(struct world *w, const struct policy *p)
{
	char why[COSIGNER_WHY_MAX];
	enum vt_err err = cosigner_set_policy(w->c, p, why);

	assert_true(err != VT_ENOTFOUND || why[0] != '\0');
	return err;
}

static int setup(void **state)
{
	static struct world w;

	scratch_clear();
	memset(&w, 0, sizeof(w));
	the_time = 1000;
	witness_log_init(&w.log, ORIGIN, 1);
	witness_log_init(&w.other, "log.example/two", 2);
	witness_log_add(&w.log, 100, 1);
	witness_log_add(&w.other, 100, 2);
	w.key = test_signer(WITNESS, VKEY_TYPE_COSIGNATURE_ED25519, 77);
	w.policy = policy_for((const struct witness_log *[]){&w.log, &w.other}, 2);
	cosigner_answer_init(&w.a);
	buf_init(&w.body);
	make_folder(&w);
	open_again(&w);
	*state = &w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	cosigner_free(w->c);
	policy_free(w->policy);
	cosigner_answer_release(&w->a);
	buf_release(&w->body);
	witness_log_release(&w->log);
	witness_log_release(&w->other);
	return 0;
}

/* -- asking ---------------------------------------------------------------------------------- */

static enum vt_err send_body(struct world *w, struct bytes body)
{
	cosigner_answer_release(&w->a);
	cosigner_answer_init(&w->a);
	return cosigner_add_checkpoint(w->c, body, &w->a);
}

static enum vt_err push(struct world *w, struct witness_log *l, uint64_t first, uint64_t second)
{
	buf_reset(&w->body);
	witness_log_request(&w->body, l, first, second);
	return send_body(w, buf_bytes(&w->body));
}

static enum vt_err push_parts(struct world *w, uint64_t old_size, const struct merkle_proof *proof,
			      struct bytes note)
{
	buf_reset(&w->body);
	witness_request(&w->body, old_size, proof, note);
	return send_body(w, buf_bytes(&w->body));
}

/* A body whose checkpoint is this note, from nothing. */
static enum vt_err push_note(struct world *w, const char *note)
{
	static const struct merkle_proof none;

	return push_parts(w, 0, &none, bytes_str(note));
}

/* The checkpoint of a head as a string, with further lines. The caller frees it. */
static char *note_with(const struct witness_log *l, const struct tree_head *head, const char *lines)
{
	struct buf note;

	buf_init(&note);
	witness_log_sign(&note, l, head);
	assert_int_equal(buf_append_str(&note, lines), VT_OK);
	return buf_detach_str(&note);
}

static char *signature_line(const struct note_signer *by, const char *text)
{
	struct buf line;

	buf_init(&line);
	assert_int_equal(note_signature_line(&line, bytes_str(text), by), VT_OK);
	return buf_detach_str(&line);
}

/* The last answer's line verifies on this checkpoint text, with this time. */
static void assert_cosigned(struct world *w, struct bytes text, uint64_t time)
{
	struct vkey_set known = {&w->key.key, 1};
	struct note *n;
	struct buf note;

	buf_init(&note);
	assert_int_equal(buf_append(&note, text), VT_OK);
	assert_int_equal(buf_append_byte(&note, '\n'), VT_OK);
	assert_int_equal(buf_append(&note, buf_bytes(&w->a.lines)), VT_OK);
	assert_int_equal(note_open(&n, buf_bytes(&note), &known), VT_OK);
	assert_int_equal(n->n, 1);
	assert_int_equal(n->sig[0].time, time);
	note_free(n);
	buf_release(&note);
}

/* What is shown for a log: VT_OK with its head, both signatures verified. */
static enum vt_err shown(struct world *w, struct witness_log *l, struct tree_head *head)
{
	struct merkle_hash hash = witness_log_origin_hash(l);
	struct vkey_set others = {&w->key.key, 1};
	struct checkpoint cp;
	struct note *n = NULL;
	struct buf note;
	enum vt_err err;

	buf_init(&note);
	if ((err = cosigner_checkpoint(w->c, &hash, &note)) == VT_OK) {
		assert_int_equal(
		    checkpoint_open(&n, &cp, buf_bytes(&note), &l->signer.key, &others), VT_OK);
		assert_int_equal(n->n, 2);
		assert_non_null(note_signed_by(n, &w->key.key));
		*head = cp.head;
		note_free(n);
	}
	buf_release(&note);
	return err;
}

static uint64_t shown_size(struct world *w, struct witness_log *l)
{
	struct tree_head head;

	assert_int_equal(shown(w, l, &head), VT_OK);
	return head.size;
}

static const char *state_file(struct witness_log *l)
{
	struct merkle_hash hash = witness_log_origin_hash(l);
	char hex[65];

	hex_encode(hex, bytes_of(hash.b, sizeof(hash.b)));
	return scratch_path(hex);
}

static struct buf read_state(struct witness_log *l)
{
	struct buf b;

	buf_init(&b);
	assert_int_equal(file_read(&b, state_file(l), 1 << 20), VT_OK);
	return b;
}

static void write_state(struct witness_log *l, struct bytes contents)
{
	FILE *f = fopen(state_file(l), "wb"); /* nobody waits for the disk here */

	assert_non_null(f);
	assert_int_equal(fwrite(contents.data, 1, contents.len, f), contents.len);
	assert_int_equal(fclose(f), 0);
}

/* -- what is cosigned ------------------------------------------------------------------------ */

static void every_consistent_step_is_cosigned(void **state)
{
	struct world *w = *state;

	for (uint64_t first = 0; first <= 8; first++) {
		for (uint64_t second = first; second <= 17; second++) {
			struct tree_head head;
			struct buf text;

			teardown(state);
			setup(state);
			if (first > 0)
				assert_int_equal(push(w, &w->log, 0, first), VT_OK);
			assert_int_equal(push(w, &w->log, first, second), VT_OK);
			buf_init(&text);
			head = witness_log_head(&w->log, second);
			assert_int_equal(checkpoint_format(&text, ORIGIN, &head), VT_OK);
			assert_cosigned(w, buf_bytes(&text), 1000);
			buf_release(&text);
			assert_int_equal(shown(w, &w->log, &head), VT_OK);
			assert_int_equal(head.size, second);
		}
	}
}

static void nothing_is_shown_before_the_first_checkpoint(void **state)
{
	struct world *w = *state;
	struct tree_head head;
	struct merkle_hash unknown = {{0}};
	struct buf b;

	assert_int_equal(shown(w, &w->log, &head), VT_ENOTFOUND);
	buf_init(&b);
	assert_int_equal(cosigner_checkpoint(w->c, &unknown, &b), VT_ENOTFOUND);
	assert_int_equal(push(w, &w->log, 0, 5), VT_OK);
	assert_int_equal(shown(w, &w->other, &head), VT_ENOTFOUND);
	buf_release(&b);
}

static void logs_are_independent(void **state)
{
	struct world *w = *state;

	assert_int_equal(push(w, &w->log, 0, 5), VT_OK);
	assert_int_equal(push(w, &w->other, 0, 9), VT_OK);
	assert_int_equal(push(w, &w->log, 5, 50), VT_OK);
	assert_int_equal(shown_size(w, &w->log), 50);
	assert_int_equal(shown_size(w, &w->other), 9);
}

static void size_zero_is_cosigned_and_grows(void **state)
{
	struct world *w = *state;

	assert_int_equal(push(w, &w->log, 0, 0), VT_OK);
	assert_int_equal(shown_size(w, &w->log), 0);
	assert_int_equal(push(w, &w->log, 0, 0), VT_OK);
	open_again(w);
	assert_int_equal(push(w, &w->log, 0, 7), VT_OK);
	assert_int_equal(push(w, &w->log, 0, 0), VT_ECONFLICT);
	assert_int_equal(w->a.size, 7);
}

static void size_zero_with_another_root_is_inconsistent(void **state)
{
	struct world *w = *state;
	struct tree_head head = witness_log_head(&w->log, 1);
	char *note;

	head.size = 0;
	note = note_with(&w->log, &head, "");
	assert_int_equal(push_note(w, note), VT_EMISMATCH);
	free(note);
	assert_int_equal(shown(w, &w->log, &head), VT_ENOTFOUND);
}

static void an_equal_size_is_cosigned_again_with_a_new_time_and_not_written_again(void **state)
{
	struct world *w = *state;
	struct stat before, after;
	struct tree_head head;
	struct buf text;

	assert_int_equal(push(w, &w->log, 0, 5), VT_OK);
	assert_int_equal(stat(state_file(&w->log), &before), 0);
	the_time = 2000;
	assert_int_equal(push(w, &w->log, 5, 5), VT_OK);
	buf_init(&text);
	head = witness_log_head(&w->log, 5);
	assert_int_equal(checkpoint_format(&text, ORIGIN, &head), VT_OK);
	assert_cosigned(w, buf_bytes(&text), 2000);
	buf_release(&text);
	assert_int_equal(stat(state_file(&w->log), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_size, after.st_size);
	assert_int_equal(shown_size(w, &w->log), 5);
}

static void extension_lines_are_signed_and_shown(void **state)
{
	struct world *w = *state;
	struct tree_head head = witness_log_head(&w->log, 3);
	struct merkle_hash hash = witness_log_origin_hash(&w->log);
	struct buf text, note, got;

	buf_init(&text);
	buf_init(&note);
	buf_init(&got);
	assert_int_equal(checkpoint_format(&text, ORIGIN, &head), VT_OK);
	assert_int_equal(buf_append_str(&text, "an extension\nanother\n"), VT_OK);
	assert_int_equal(note_sign(&note, buf_bytes(&text), &w->log.signer, 1), VT_OK);
	assert_int_equal(push_parts(w, 0, &(struct merkle_proof){0}, buf_bytes(&note)), VT_OK);
	assert_cosigned(w, buf_bytes(&text), 1000);
	assert_int_equal(cosigner_checkpoint(w->c, &hash, &got), VT_OK);
	assert_true(got.len > text.len && memcmp(got.data, text.data, text.len) == 0);
	buf_release(&text);
	buf_release(&note);
	buf_release(&got);
}

/* -- 400 ------------------------------------------------------------------------------------- */

static void bodies_that_are_not_the_grammar_are_malformed(void **state)
{
	struct world *w = *state;
	struct tree_head head = witness_log_head(&w->log, 5);
	char *note = note_with(&w->log, &head, "");
	const char *const start[] = {
	    "",
	    "\n",
	    "\n\n",
	    "old\n\n",
	    "old \n\n",
	    "old  0\n\n",
	    " old 0\n\n",
	    "Old 0\n\n",
	    "old 00\n\n",
	    "old 01\n\n",
	    "old +0\n\n",
	    "old -1\n\n",
	    "old 0x0\n\n",
	    "old 0 \n\n",
	    "old 18446744073709551616\n\n",
	    "old 0\r\n\r\n",
	    "old 0\r\n\n",
	    "old 0\n",
	    "0\n\n",
	    "size 0\n\n",
	    "old 0\nnot base64\n\n",
	    "old 0\nabc=\n\n",
	    "old 0\nKgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\n",       /* 30 bytes */
	    "old 0\nKgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\n", /* CR */
	    "old 0\nKgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n\n",   /* trailing bits */
	    "old 0\nKgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n\n",    /* padding */
	    "old 0\nKgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_-A=\n\n",   /* alphabet */
	    "old 0\n KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n",
	    "old 0\n\n\n", /* an empty line too many: the origin would be empty */
	};

	for (size_t i = 0; i < sizeof(start) / sizeof(*start); i++) {
		buf_reset(&w->body);
		assert_int_equal(buf_append_str(&w->body, start[i]), VT_OK);
		assert_int_equal(buf_append_str(&w->body, note), VT_OK);
		if (send_body(w, buf_bytes(&w->body)) != VT_EMALFORMED)
			fail_msg("case %zu is taken", i);
		assert_true(w->a.why[0] != '\0');
	}
	free(note);
	assert_int_equal(shown(w, &w->log, &head), VT_ENOTFOUND);
}

static void what_is_no_signed_checkpoint_is_malformed(void **state)
{
	struct world *w = *state;
	struct tree_head head = witness_log_head(&w->log, 5);
	static const char *const text[] = {
	    "\n", ORIGIN "\n", ORIGIN "\n5\n",
	    ORIGIN "\n05\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", ORIGIN "\n5\nCsUY\n"};
	char *note = note_with(&w->log, &head, "");
	char *end = strstr(note, "\n\n");

	assert_int_equal(push_note(w, ""), VT_EMALFORMED);
	for (size_t i = 0; i < sizeof(text) / sizeof(*text); i++) {
		struct buf b;

		buf_init(&b);
		assert_int_equal(note_sign(&b, bytes_str(text[i]), &w->log.signer, 1), VT_OK);
		assert_int_equal(push_parts(w, 0, &(struct merkle_proof){0}, buf_bytes(&b)),
				 VT_EMALFORMED);
		buf_release(&b);
	}
	note[strlen(note) - 1] = '\0'; /* no newline at the end */
	assert_int_equal(push_note(w, note), VT_EMALFORMED);
	end[1] = '\0'; /* no signature at all */
	assert_int_equal(push_note(w, note), VT_EMALFORMED);
	free(note);
}

static void sixty_three_proof_lines_are_read_and_one_more_is_not(void **state)
{
	struct world *w = *state;
	struct tree_head head = witness_log_head(&w->log, 5);
	struct merkle_proof proof = {.n = 63};
	char *note = note_with(&w->log, &head, "");

	assert_int_equal(push(w, &w->log, 0, 3), VT_OK);
	assert_int_equal(push_parts(w, 3, &proof, bytes_str(note)), VT_EMISMATCH);
	proof.n = 64;
	assert_int_equal(push_parts(w, 3, &proof, bytes_str(note)), VT_EMALFORMED);
	free(note);
}

static void an_old_size_beyond_the_checkpoints_is_malformed(void **state)
{
	struct world *w = *state;
	struct tree_head head = witness_log_head(&w->log, 4);
	char *note = note_with(&w->log, &head, "");

	assert_int_equal(push(w, &w->log, 0, 5), VT_OK);
	assert_int_equal(push_parts(w, 5, &(struct merkle_proof){0}, bytes_str(note)),
			 VT_EMALFORMED);
	assert_int_equal(push_parts(w, UINT64_MAX, &(struct merkle_proof){0}, bytes_str(note)),
			 VT_EMALFORMED);
	free(note);
	assert_int_equal(shown_size(w, &w->log), 5);
}

/* -- 403 and 404 ----------------------------------------------------------------------------- */

static void an_unknown_origin_is_not_found_whoever_signed(void **state)
{
	struct world *w = *state;
	struct tree_head head = witness_log_head(&w->log, 5);
	struct buf text, note;

	buf_init(&text);
	buf_init(&note);
	assert_int_equal(checkpoint_format(&text, "log.example/three", &head), VT_OK);
	assert_int_equal(note_sign(&note, buf_bytes(&text), &w->log.signer, 1), VT_OK);
	assert_int_equal(push_parts(w, 0, &(struct merkle_proof){0}, buf_bytes(&note)),
			 VT_ENOTFOUND);
	buf_release(&text);
	buf_release(&note);
}

static void only_the_origins_own_keys_count(void **state)
{
	struct world *w = *state;
	struct tree_head head = witness_log_head(&w->log, 5);
	struct note_signer stranger = test_signer(ORIGIN, VKEY_TYPE_ED25519, 9);
	const struct note_signer *by[] = {&w->other.signer, &stranger};
	struct buf text, note;

	buf_init(&text);
	buf_init(&note);
	assert_int_equal(checkpoint_format(&text, ORIGIN, &head), VT_OK);
	for (size_t i = 0; i < 2; i++) {
		buf_reset(&note);
		assert_int_equal(note_sign(&note, buf_bytes(&text), by[i], 1), VT_OK);
		assert_int_equal(push_parts(w, 0, &(struct merkle_proof){0}, buf_bytes(&note)),
				 VT_EUNTRUSTED);
	}
	buf_release(&text);
	buf_release(&note);
	assert_int_equal(shown(w, &w->log, &head), VT_ENOTFOUND);
}

static void a_trusted_keys_bad_signature_condemns_the_note(void **state)
{
	struct world *w = *state;
	struct tree_head head = witness_log_head(&w->log, 5), other = witness_log_head(&w->log, 6);
	char *wrong = note_with(&w->log, &other, ""), *note;
	const char *line = strstr(wrong, "\n\n") + 2; /* a good signature of another text */

	/* Behind a good one of the same key, where a reader that stops at the first would miss it. */
	note = note_with(&w->log, &head, line);
	assert_int_equal(push_note(w, note), VT_EUNTRUSTED);
	free(note);
	note = note_with(&w->log, &head, "");
	memcpy(strstr(note, "\n\n") + 2, line, strlen(line)); /* alone */
	assert_int_equal(push_note(w, note), VT_EUNTRUSTED);
	free(note);
	free(wrong);
	assert_int_equal(shown(w, &w->log, &head), VT_ENOTFOUND);
}

/* A line that holds no signature is its key's fault only if it names the key. */
static void a_broken_line_condemns_the_note_by_whose_it_is(void **state)
{
	struct world *w = *state;
	struct tree_head head = witness_log_head(&w->log, 5);
	char *good = note_with(&w->log, &head, ""), *note;
	char *line = strdup(strstr(good, "\n\n") + 2);

	note = note_with(&w->log, &head, "\xe2\x80\x94 elsewhere.example A=A=\n");
	assert_int_equal(push_note(w, note), VT_EMALFORMED);
	free(note);
	line[strlen(line) - 3] = '*'; /* of the base64's end */
	note = note_with(&w->log, &head, line);
	assert_int_equal(push_note(w, note), VT_EUNTRUSTED);
	free(note);
	memcpy(strstr(line, ORIGIN), "log.example/eno", strlen(ORIGIN));
	note = note_with(&w->log, &head, line);
	assert_int_equal(push_note(w, note), VT_EMALFORMED);
	free(note);
	free(line);
	free(good);
}

static void the_same_line_twice_does_no_harm(void **state)
{
	struct world *w = *state;
	struct tree_head head = witness_log_head(&w->log, 5);
	char *note = note_with(&w->log, &head, ""), *twice;

	twice = note_with(&w->log, &head, strstr(note, "\n\n") + 2);
	assert_int_equal(push_note(w, twice), VT_OK);
	assert_int_equal(shown_size(w, &w->log), 5); /* with two lines: shown() counts them */
	free(note);
	free(twice);
}

static void lines_of_others_are_ignored_and_not_kept(void **state)
{
	struct world *w = *state;
	struct tree_head head = witness_log_head(&w->log, 5);
	/* A witness of another name; this one's own name and ID with garbage; the log's name with
	 * another ID. */
	struct note_signer other = test_signer("elsewhere.example", VKEY_TYPE_ED25519, 60);
	struct note_signer rotated = test_signer(ORIGIN, VKEY_TYPE_ED25519, 61);
	uint8_t junk[76] = {(uint8_t)(w->key.key.id >> 24), (uint8_t)(w->key.key.id >> 16),
			    (uint8_t)(w->key.key.id >> 8), (uint8_t)w->key.key.id};
	char *one = signature_line(&other, "not this text\n"),
	     *two = signature_line(&rotated, "not this text\n"), *note;
	struct buf lines;

	buf_init(&lines);
	assert_int_equal(buf_appendf(&lines, "%s%s\xe2\x80\x94 " WITNESS " ", one, two), VT_OK);
	assert_int_equal(buf_append_base64(&lines, bytes_of(junk, sizeof(junk))), VT_OK);
	assert_int_equal(buf_append(&lines, bytes_of("\n", 2)), VT_OK);
	note = note_with(&w->log, &head, (const char *)lines.data);
	assert_int_equal(push_note(w, note), VT_OK);
	assert_int_equal(shown_size(w, &w->log), 5);
	buf_release(&lines);
	free(one);
	free(two);
	free(note);
}

static void a_log_may_have_two_keys(void **state)
{
	struct world *w = *state;
	struct tree_head head = witness_log_head(&w->log, 5);
	struct witness_log second;
	struct policy *p;
	struct buf text, note;

	witness_log_init(&second, ORIGIN, 44);
	p = policy_for((const struct witness_log *[]){&w->log, &second}, 2);
	assert_int_equal(set_policy(w, p), VT_OK);
	policy_free(p);
	buf_init(&text);
	buf_init(&note);
	assert_int_equal(checkpoint_format(&text, ORIGIN, &head), VT_OK);
	assert_int_equal(note_sign(&note, buf_bytes(&text), &second.signer, 1), VT_OK);
	assert_int_equal(push_parts(w, 0, &(struct merkle_proof){0}, buf_bytes(&note)), VT_OK);
	assert_int_equal(push(w, &w->log, 5, 6), VT_OK);
	buf_release(&text);
	buf_release(&note);
	witness_log_release(&second);
}

/* -- 409 and 422 ----------------------------------------------------------------------------- */

static void another_old_size_is_told_the_right_one(void **state)
{
	struct world *w = *state;

	assert_int_equal(push(w, &w->log, 3, 5), VT_ECONFLICT);
	assert_int_equal(w->a.size, 0);
	assert_int_equal(push(w, &w->log, 0, 5), VT_OK);
	for (uint64_t old = 0; old <= 9; old++) {
		if (old == 5)
			continue;
		assert_int_equal(push(w, &w->log, old, 9), VT_ECONFLICT);
		assert_int_equal(w->a.size, 5);
		assert_int_equal(w->a.lines.len, 0);
	}
	assert_int_equal(shown_size(w, &w->log), 5);
}

static void another_root_at_the_same_size_is_inconsistent(void **state)
{
	struct world *w = *state;
	struct tree_head head;

	assert_int_equal(push(w, &w->log, 0, 5), VT_OK);
	witness_log_cut(&w->log, 4);
	witness_log_add(&w->log, 10, 99);
	assert_int_equal(push(w, &w->log, 5, 5), VT_EMISMATCH);
	assert_int_equal(push(w, &w->log, 5, 9), VT_EMISMATCH);
	assert_int_equal(shown(w, &w->log, &head), VT_OK);
	witness_log_cut(&w->log, 4);
	witness_log_add(&w->log, 10, 1);
	assert_int_equal(push(w, &w->log, 5, 9), VT_OK);
}

static void proofs_that_do_not_hold_are_inconsistent(void **state)
{
	struct world *w = *state;
	struct tree_head head = witness_log_head(&w->log, 50);
	struct merkle_proof good = witness_log_proof(&w->log, 21, 50), bad;
	char *note = note_with(&w->log, &head, "");

	assert_int_equal(push(w, &w->log, 0, 21), VT_OK);
	for (size_t i = 0; i < good.n; i++) {
		bad = good;
		bad.hash[i].b[i] ^= 1;
		assert_int_equal(push_parts(w, 21, &bad, bytes_str(note)), VT_EMISMATCH);
	}
	bad = good;
	bad.n--;
	assert_int_equal(push_parts(w, 21, &bad, bytes_str(note)), VT_EMISMATCH);
	bad.n = good.n + 1;
	bad.hash[good.n] = bad.hash[0];
	assert_int_equal(push_parts(w, 21, &bad, bytes_str(note)), VT_EMISMATCH);
	bad.n = 0;
	assert_int_equal(push_parts(w, 21, &bad, bytes_str(note)), VT_EMISMATCH);
	assert_int_equal(push_parts(w, 21, &good, bytes_str(note)), VT_OK);
	free(note);
}

static void a_proof_where_there_is_nothing_to_prove_is_inconsistent(void **state)
{
	struct world *w = *state;
	struct tree_head head = witness_log_head(&w->log, 5);
	struct merkle_proof proof = {.n = 1};
	char *note = note_with(&w->log, &head, "");

	assert_int_equal(push_parts(w, 0, &proof, bytes_str(note)), VT_EMISMATCH);
	assert_int_equal(push(w, &w->log, 0, 5), VT_OK);
	assert_int_equal(push_parts(w, 5, &proof, bytes_str(note)), VT_EMISMATCH);
	free(note);
}

/* -- the state folder ------------------------------------------------------------------------ */

static void a_restart_forgets_nothing(void **state)
{
	struct world *w = *state;
	struct merkle_hash hash = witness_log_origin_hash(&w->log);
	struct buf before, after;

	assert_int_equal(push(w, &w->log, 0, 40), VT_OK);
	buf_init(&before);
	buf_init(&after);
	assert_int_equal(cosigner_checkpoint(w->c, &hash, &before), VT_OK);
	the_time = 5000;
	open_again(w);
	/* "it MUST include the cosignature(s) from the witness's key(s) that were returned from
	 * add-checkpoint": the very same one. */
	assert_int_equal(cosigner_checkpoint(w->c, &hash, &after), VT_OK);
	assert_true(bytes_equal(buf_bytes(&before), buf_bytes(&after)));
	buf_release(&before);
	buf_release(&after);
	assert_int_equal(push(w, &w->log, 0, 41), VT_ECONFLICT);
	assert_int_equal(w->a.size, 40);
	witness_log_cut(&w->log, 39);
	witness_log_add(&w->log, 10, 7);
	assert_int_equal(push(w, &w->log, 40, 41), VT_EMISMATCH);
}

static void a_crash_before_the_cosignature_is_mended_at_the_start(void **state)
{
	struct world *w = *state;
	struct buf file;
	const uint8_t *line;

	assert_int_equal(push(w, &w->log, 0, 40), VT_OK);
	file = read_state(&w->log);
	line = memmem(file.data, file.len, "\xe2\x80\x94 " WITNESS, strlen(WITNESS));
	assert_non_null(line);
	for (size_t cut = (size_t)(line - file.data); cut < file.len; cut += 13) {
		write_state(&w->log, bytes_of(file.data, cut));
		the_time += 10;
		open_again(w);
		assert_int_equal(shown_size(w, &w->log), 40);
	}
	buf_release(&file);
	assert_int_equal(push(w, &w->log, 40, 41), VT_OK);
}

static void a_changed_bit_refuses_that_log_or_changes_nothing(void **state)
{
	struct world *w = *state;
	struct buf file;
	size_t damaged = 0;
	const uint8_t *line;

	assert_int_equal(push(w, &w->log, 0, 40), VT_OK);
	assert_int_equal(push(w, &w->other, 0, 10), VT_OK);
	file = read_state(&w->log);
	line = memmem(file.data, file.len, "\xe2\x80\x94 " WITNESS, strlen(WITNESS));
	for (size_t i = 0; i < file.len; i++) {
		enum vt_err err;

		file.data[i] ^= (uint8_t)(1 << i % 8);
		write_state(&w->log, buf_bytes(&file));
		file.data[i] ^= (uint8_t)(1 << i % 8);
		open_again(w);
		err = push(w, &w->log, 40, 40);
		if (err == VT_OK) { /* only the cosignature, which is no state */
			assert_true(file.data + i >= line);
			assert_int_equal(shown_size(w, &w->log), 40);
		} else {
			struct tree_head head;

			assert_int_equal(err, VT_EINTERNAL);
			assert_int_equal(shown(w, &w->log, &head), VT_EINTERNAL);
			assert_int_equal(push(w, &w->log, 0, 1), VT_EINTERNAL);
			damaged++;
		}
		assert_int_equal(push(w, &w->other, 10, 10), VT_OK);
	}
	assert_int_equal(damaged, line - file.data);
	buf_release(&file);
}

static void files_that_are_cut_empty_or_anothers_are_damaged(void **state)
{
	struct world *w = *state;
	struct cosigner_stats stats;
	struct buf file, others;

	assert_int_equal(push(w, &w->log, 0, 40), VT_OK);
	assert_int_equal(push(w, &w->other, 0, 40), VT_OK);
	file = read_state(&w->log);
	others = read_state(&w->other);
	for (size_t len = 0; len < 200; len++) {
		write_state(&w->log, bytes_of(file.data, len));
		open_again(w);
		assert_int_equal(push(w, &w->log, 0, 40), VT_EINTERNAL);
	}
	write_state(&w->log, buf_bytes(&others));
	open_again(w);
	assert_int_equal(push(w, &w->log, 40, 41), VT_EINTERNAL);
	cosigner_stats(w->c, &stats);
	assert_int_equal(stats.logs, 2);
	assert_int_equal(stats.damaged, 1);
	/* Put right, and read again. */
	write_state(&w->log, buf_bytes(&file));
	assert_int_equal(push(w, &w->log, 40, 41), VT_EINTERNAL);
	assert_int_equal(set_policy(w, w->policy), VT_OK);
	assert_int_equal(push(w, &w->log, 40, 41), VT_OK);
	buf_release(&file);
	buf_release(&others);
}

static void a_folder_has_one_witness_at_a_time_and_one_key(void **state)
{
	struct world *w = *state;
	struct cosigner *first = w->c;
	char why[COSIGNER_WHY_MAX];

	assert_int_equal(try_open(w, why), VT_ECONFLICT);
	assert_non_null(strstr(why, "another process"));
	cosigner_free(first);
	w->key = test_signer(WITNESS, VKEY_TYPE_COSIGNATURE_ED25519, 78);
	assert_int_equal(try_open(w, why), VT_ECONFLICT);
	assert_non_null(strstr(why, "vkey"));
	w->key = test_signer(WITNESS, VKEY_TYPE_ED25519, 77);
	assert_int_equal(try_open(w, why), VT_EINVAL);
	w->key = test_signer(WITNESS, VKEY_TYPE_COSIGNATURE_ED25519, 77);
	assert_int_equal(try_open(w, why), VT_OK);
}

static void a_new_key_cosigns_what_the_old_one_knew(void **state)
{
	struct world *w = *state;
	struct buf vkey;

	assert_int_equal(push(w, &w->log, 0, 40), VT_OK);
	cosigner_free(w->c);
	w->c = NULL;
	w->key = test_signer("witness.example/new", VKEY_TYPE_COSIGNATURE_ED25519, 79);
	buf_init(&vkey);
	assert_int_equal(vkey_format(&vkey, &w->key.key), VT_OK);
	assert_int_equal(buf_append_byte(&vkey, '\n'), VT_OK);
	assert_int_equal(durable_write(scratch_path("vkey"), buf_bytes(&vkey), 0644), VT_OK);
	buf_release(&vkey);
	open_again(w);
	assert_int_equal(shown_size(w, &w->log), 40);
	assert_int_equal(push(w, &w->log, 0, 41), VT_ECONFLICT);
}

/* -- what is missing was lost ---------------------------------------------------------------- */

static void a_folder_that_is_missing_or_empty_is_refused(void **state)
{
	struct world *w = *state;
	char why[COSIGNER_WHY_MAX];

	assert_int_equal(push(w, &w->log, 0, 40), VT_OK);
	cosigner_free(w->c);
	scratch_clear();
	assert_int_equal(try_open(w, why), VT_ENOTFOUND);
	assert_null(w->c);
	assert_non_null(strstr(why, "empty"));
	assert_int_equal(rmdir(scratch_folder()), 0); /* nothing was made in it */
	assert_int_equal(try_open(w, why), VT_ENOTFOUND);
	assert_non_null(strstr(why, "no such folder"));
	assert_int_equal(mkdir(scratch_folder(), 0700), 0);
}

static void a_log_whose_file_is_lost_is_not_a_new_one(void **state)
{
	struct world *w = *state;
	char why[COSIGNER_WHY_MAX];

	assert_int_equal(push(w, &w->log, 0, 40), VT_OK);
	cosigner_free(w->c);
	assert_int_equal(unlink(state_file(&w->log)), 0);
	assert_int_equal(try_open(w, why), VT_ENOTFOUND);
	assert_non_null(strstr(why, ORIGIN));
	assert_int_equal(cosigner_add(scratch_folder(), ORIGIN, why), VT_ECONFLICT);
	assert_non_null(strstr(why, "lost"));
	assert_int_equal(access(state_file(&w->log), F_OK), -1);
	/* The other logs need not wait for it. */
	policy_free(w->policy);
	w->policy = policy_for((const struct witness_log *[]){&w->other}, 1);
	open_again(w);
	assert_int_equal(push(w, &w->other, 0, 10), VT_OK);
	assert_int_equal(push(w, &w->log, 0, 41), VT_ENOTFOUND);
}

static void a_folder_is_made_once_and_a_log_given_once(void **state)
{
	struct world *w = *state;
	char why[COSIGNER_WHY_MAX];

	assert_int_equal(push(w, &w->log, 0, 40), VT_OK);
	assert_int_equal(cosigner_create(scratch_folder(), &w->key.key, w->policy, why),
			 VT_ECONFLICT);
	assert_int_equal(cosigner_add(scratch_folder(), ORIGIN, why), VT_ECONFLICT);
	give_log("log.example/three");
	assert_int_equal(cosigner_add(scratch_folder(), "log.example/three", why), VT_ECONFLICT);
	/* Killed between the file and the line of the list. */
	assert_int_equal(durable_write(scratch_path("logs"), bytes_str(ORIGIN "\n"), 0644), VT_OK);
	give_log("log.example/three");
	open_again(w);
	assert_int_equal(push(w, &w->log, 0, 41), VT_ECONFLICT);
	assert_int_equal(w->a.size, 40);
}

static void a_folder_without_a_list_gets_one_of_its_files(void **state)
{
	struct world *w = *state;
	char why[COSIGNER_WHY_MAX];

	assert_int_equal(push(w, &w->log, 0, 40), VT_OK);
	cosigner_free(w->c);
	assert_int_equal(unlink(scratch_path("logs")), 0);
	assert_int_equal(unlink(state_file(&w->other)), 0);
	w->c = NULL;
	/* An earlier version had no file for a log before the first cosignature. */
	assert_int_equal(try_open(w, why), VT_ENOTFOUND);
	give_log("log.example/two");
	assert_int_equal(unlink(scratch_path("logs")), 0);
	open_again(w);
	assert_int_equal(cosigner_add(scratch_folder(), ORIGIN, why), VT_ECONFLICT);
	assert_int_equal(cosigner_add(scratch_folder(), "log.example/two", why), VT_ECONFLICT);
	assert_int_equal(push(w, &w->other, 0, 10), VT_OK);
}

/* As when a volume is taken away under a running witness: what it writes then would be missing when the volume is back. */
static void a_folder_that_is_taken_away_ends_the_cosigning(void **state)
{
	struct world *w = *state;
	char away[600];

	assert_int_equal(push(w, &w->log, 0, 40), VT_OK);
	snprintf(away, sizeof(away), "%s.away", scratch_folder());
	assert_int_equal(rename(scratch_folder(), away), 0);
	assert_int_equal(mkdir(scratch_folder(), 0700), 0);
	assert_int_equal(push(w, &w->log, 40, 41), VT_EIO);
	assert_int_equal(rmdir(scratch_folder()), 0); /* nothing was written there */
	assert_int_equal(push(w, &w->log, 40, 41), VT_EIO);
	assert_int_equal(rename(away, scratch_folder()), 0);
	assert_int_equal(push(w, &w->log, 40, 41), VT_OK);
	open_again(w);
	assert_int_equal(push(w, &w->log, 0, 42), VT_ECONFLICT);
	assert_int_equal(w->a.size, 41);
}

static void what_a_crash_left_half_written_is_removed(void **state)
{
	struct world *w = *state;
	char left[600];

	assert_int_equal(push(w, &w->log, 0, 40), VT_OK);
	snprintf(left, sizeof(left), "%s.new-aB3dEf", state_file(&w->log));
	assert_int_equal(durable_write(left, bytes_str("half"), 0600), VT_OK);
	open_again(w);
	assert_int_equal(access(left, F_OK), -1);
	assert_int_equal(shown_size(w, &w->log), 40);
}

/* Looks into the file at the moment of the signature. */
struct watching {
	struct note_signer key;
	const char *expected;
	struct witness_log *log;
	unsigned signatures;
};

static enum vt_err sign_watched(void *ctx, uint8_t sig[64], struct bytes msg)
{
	struct watching *watch = ctx;
	struct buf file = read_state(watch->log);

	watch->signatures++;
	assert_non_null(memmem(file.data, file.len, watch->expected, strlen(watch->expected)));
	buf_release(&file);
	return watch->key.sign(watch->key.ctx, sig, msg);
}

static void the_head_is_on_disk_before_the_key_is_asked(void **state)
{
	struct world *w = *state;
	struct watching watch = {.key = w->key, .log = &w->log};

	w->key.sign = sign_watched;
	w->key.ctx = &watch;
	watch.expected = ORIGIN "\n5\n";
	assert_int_equal(push(w, &w->log, 0, 5), VT_OK);
	watch.expected = ORIGIN "\n9\n";
	assert_int_equal(push(w, &w->log, 5, 9), VT_OK);
	assert_int_equal(watch.signatures, 2);
	assert_int_equal(push(w, &w->log, 5, 9), VT_ECONFLICT);
	assert_int_equal(push(w, &w->log, 9, 9), VT_OK);
	assert_int_equal(watch.signatures, 3);
}

static enum vt_err never_sign(void *ctx, uint8_t sig[64], struct bytes msg)
{
	(void)ctx;
	(void)sig;
	(void)msg;
	fail_msg("a signature was made of what is not on disk");
	return VT_EINTERNAL;
}

static void what_cannot_be_written_is_not_signed(void **state)
{
	struct world *w = *state;
	struct note_signer key = w->key;
	char folder[512], away[600];
	struct cosigner_stats stats;

	assert_int_equal(push(w, &w->log, 0, 5), VT_OK);
	snprintf(folder, sizeof(folder), "%s", scratch_folder());
	snprintf(away, sizeof(away), "%s.away", folder);
	assert_int_equal(rename(folder, away), 0);
	w->key.sign = never_sign;
	assert_int_equal(push(w, &w->log, 5, 9), VT_EIO);
	assert_int_equal(w->a.lines.len, 0);
	/* Nothing is known of what the disk has, so the same head is not signed either. */
	assert_int_equal(push(w, &w->log, 5, 5), VT_EIO);
	assert_int_equal(rename(away, folder), 0);
	w->key = key;
	assert_int_equal(shown_size(w, &w->log), 5);
	assert_int_equal(push(w, &w->log, 5, 5), VT_OK);
	assert_int_equal(push(w, &w->log, 5, 9), VT_OK);
	cosigner_stats(w->c, &stats);
	assert_int_equal(stats.failed, 2);
	assert_int_equal(stats.cosigned, 3);
}

static void a_signature_that_does_not_verify_is_never_returned(void **state)
{
	struct world *w = *state;
	struct tree_head head;
	struct note_signer key = w->key;

	w->key = test_bad_signer(WITNESS, VKEY_TYPE_COSIGNATURE_ED25519, 77);
	assert_int_equal(push(w, &w->log, 0, 5), VT_EINTERNAL);
	assert_int_equal(w->a.lines.len, 0);
	assert_int_equal(shown(w, &w->log, &head), VT_ENOTFOUND);
	w->key = key;
	/* It was written: the answer to the next one says so. */
	assert_int_equal(push(w, &w->log, 0, 5), VT_ECONFLICT);
	assert_int_equal(w->a.size, 5);
	assert_int_equal(push(w, &w->log, 5, 5), VT_OK);
}

static void times_do_not_go_back_a_little_and_are_never_zero(void **state)
{
	struct world *w = *state;
	struct tree_head head;
	struct buf text;

	buf_init(&text);
	assert_int_equal(push(w, &w->log, 0, 5), VT_OK);
	the_time = 900;
	assert_int_equal(push(w, &w->log, 5, 6), VT_OK);
	head = witness_log_head(&w->log, 6);
	assert_int_equal(checkpoint_format(&text, ORIGIN, &head), VT_OK);
	assert_cosigned(w, buf_bytes(&text), 1000);
	open_again(w); /* which knows the time from the file */
	assert_int_equal(push(w, &w->log, 6, 6), VT_OK);
	assert_cosigned(w, buf_bytes(&text), 1000);
	the_time = 100; /* it must have been wrong before */
	assert_int_equal(push(w, &w->log, 6, 6), VT_OK);
	assert_cosigned(w, buf_bytes(&text), 100);
	buf_release(&text);
	the_time = 0;
	assert_int_equal(push(w, &w->other, 0, 6), VT_EINTERNAL);
	assert_int_equal(w->a.lines.len, 0);
}

/* -- the policy ------------------------------------------------------------------------------ */

static void a_new_policy_adds_and_drops_logs(void **state)
{
	struct world *w = *state;
	struct witness_log third;
	struct policy *p;

	witness_log_init(&third, "log.example/three", 3);
	witness_log_add(&third, 5, 3);
	assert_int_equal(push(w, &third, 0, 5), VT_ENOTFOUND);
	assert_int_equal(push(w, &w->log, 0, 5), VT_OK);
	p = policy_for((const struct witness_log *[]){&w->other, &third}, 2);
	assert_int_equal(set_policy(w, p), VT_ENOTFOUND);
	give_log("log.example/three");
	assert_int_equal(set_policy(w, p), VT_OK);
	assert_int_equal(push(w, &third, 0, 5), VT_OK);
	/* "A witness SHOULD serve a recent checkpoint for each log it cosigned." */
	assert_int_equal(push(w, &w->log, 5, 6), VT_ENOTFOUND);
	assert_int_equal(shown_size(w, &w->log), 5);
	policy_free(w->policy);
	w->policy = p;
	open_again(w);
	assert_int_equal(shown_size(w, &w->log), 5);
	p = policy_for((const struct witness_log *[]){&w->log}, 1);
	assert_int_equal(set_policy(w, p), VT_OK);
	policy_free(p);
	assert_int_equal(push(w, &w->log, 0, 6), VT_ECONFLICT);
	assert_int_equal(push(w, &w->log, 5, 6), VT_OK);
	witness_log_release(&third);
}

static enum vt_err count_listed(void *ctx, const struct cosigner_log *log)
{
	*(size_t *)ctx += log->listed;
	return VT_OK;
}

static void as_many_logs_as_a_policy_can_have_are_witnessed(void **state)
{
	struct world *w = *state;
	struct witness_log last;
	struct buf text;
	size_t n = 0;
	char *s;

	buf_init(&text);
	for (unsigned i = 0; i < POLICY_LOGS_MAX; i++) {
		struct vkey key;
		uint8_t raw[32];
		char name[64];

		/* Any key that is a point of the curve: one in two is. */
		snprintf(name, sizeof(name), "log.example/%u", i);
		key = test_vkey(name, VKEY_TYPE_ED25519, 5);
		memcpy(raw, key.ed25519, sizeof(raw));
		do {
			raw[0]++;
			raw[1] = (uint8_t)i;
			raw[2] = (uint8_t)(i >> 8);
		} while (vkey_from_ed25519(&key, name, VKEY_TYPE_ED25519, raw) != VT_OK);
		if (i == POLICY_LOGS_MAX - 1)
			break;
		assert_int_equal(buf_append_str(&text, "log "), VT_OK);
		assert_int_equal(vkey_format(&text, &key), VT_OK);
		assert_int_equal(buf_append_byte(&text, '\n'), VT_OK);
	}
	witness_log_init(&last, "log.example/last", 3);
	witness_log_add(&last, 5, 3);
	witness_log_policy_line(&text, &last);
	assert_int_equal(buf_append_str(&text, "quorum none\n"), VT_OK);
	s = buf_detach_str(&text);
	cosigner_free(w->c);
	w->c = NULL;
	policy_free(w->policy);
	w->policy = policy_of(s);
	free(s);
	scratch_clear();
	make_folder(w);
	open_again(w);
	assert_int_equal(cosigner_each(w->c, count_listed, &n), VT_OK);
	assert_int_equal(n, POLICY_LOGS_MAX);
	assert_int_equal(push(w, &last, 0, 5), VT_OK);
	witness_log_release(&last);
}

/* -- memory ---------------------------------------------------------------------------------- */

static void every_allocation_may_fail_and_nothing_is_signed_wrongly(void **state)
{
	struct world *w = *state;
	uint64_t size = 0;

	for (unsigned n = 1;; n++) {
		enum vt_err err;
		bool failed;

		buf_reset(&w->body);
		witness_log_request(&w->body, &w->log, size, size + 1);
		cosigner_answer_release(&w->a);
		cosigner_answer_init(&w->a);
		alloc_fail_at(n);
		err = cosigner_add_checkpoint(w->c, buf_bytes(&w->body), &w->a);
		failed = alloc_failed();
		if (err == VT_OK) {
			size++; /* perhaps only what is shown could not be renewed */
			if (!failed)
				break;
		} else {
			assert_true(failed);
			assert_int_equal(w->a.lines.len, 0);
			/* The failure may have come between disk and signature. */
			if (push(w, &w->log, size, size + 1) == VT_ECONFLICT)
				assert_int_equal(push(w, &w->log, size + 1, size + 1), VT_OK);
			size++;
		}
	}
	assert_int_equal(shown_size(w, &w->log), size);
}

static void a_policy_for_which_there_is_no_memory_changes_nothing(void **state)
{
	struct world *w = *state;
	struct witness_log third;
	struct policy *p;

	witness_log_init(&third, "log.example/three", 3);
	witness_log_add(&third, 5, 3);
	p = policy_for((const struct witness_log *[]){&w->other, &third}, 2);
	give_log("log.example/three");
	for (unsigned n = 1;; n++) {
		enum vt_err err;

		alloc_fail_at(n);
		err = set_policy(w, p);
		if (!alloc_failed()) {
			assert_int_equal(err, VT_OK);
			break;
		}
		assert_int_equal(err, VT_ENOMEM);
		assert_int_equal(push(w, &third, 0, 5), VT_ENOTFOUND);
		assert_int_not_equal(push(w, &w->log, 0, 1), VT_ENOTFOUND);
	}
	assert_int_equal(push(w, &third, 0, 5), VT_OK);
	policy_free(p);
	witness_log_release(&third);
}

/* -- who waits ------------------------------------------------------------------------------- */

enum {
	TURNS = 4, /* as a cosigner has by default */
	BEYOND = 3,
};

struct asker {
	pthread_t thread;
	struct cosigner *c;
	struct bytes body;
	sem_t *done;
	enum vt_err err;
};

static void *ask(void *ctx)
{
	struct asker *a = ctx;
	struct cosigner_answer answer;

	cosigner_answer_init(&answer);
	a->err = cosigner_add_checkpoint(a->c, a->body, &answer);
	cosigner_answer_release(&answer);
	sem_post(a->done);
	return NULL;
}

static size_t count_answers(const struct asker *a, enum vt_err err)
{
	size_t n = 0;

	for (size_t i = 0; i < TURNS + BEYOND; i++)
		n += a[i].err == err;
	return n;
}

static void assert_all_others_are_answered(struct world *w, const struct buf *line)
{
	struct merkle_proof wrong = witness_log_proof(&w->log, 5, 8);
	struct tree_head head = witness_log_head(&w->log, 8);
	struct buf note;

	assert_int_equal(push(w, &w->other, 0, 5), VT_OK);
	assert_int_equal(push(w, &w->log, 4, 5), VT_ECONFLICT);
	buf_init(&note);
	witness_log_sign(&note, &w->log, &head);
	wrong.hash[0].b[0] ^= 1;
	assert_int_equal(push_parts(w, 5, &wrong, buf_bytes(&note)), VT_EMISMATCH);
	buf_release(&note);
	assert_int_equal(push(w, &w->log, 5, 5), VT_OK);
	assert_true(bytes_equal(buf_bytes(&w->a.lines), buf_bytes(line)));
	assert_int_equal(shown_size(w, &w->log), 5);
}

static void one_log_takes_a_few_turns_and_leaves_the_rest_to_others(void **state)
{
	struct world *w = *state;
	struct asker asker[TURNS + BEYOND];
	struct cosigner_stats stats;
	struct buf body, line;
	sem_t done;

	assert_int_equal(push(w, &w->log, 0, 5), VT_OK);
	line = w->a.lines;
	buf_init(&w->a.lines); /* transferred */
	buf_init(&body);
	witness_log_request(&body, &w->log, 5, 6);
	assert_int_equal(sem_init(&done, 0, 0), 0);
	gate_set(true);
	for (size_t i = 0; i < TURNS + BEYOND; i++) {
		asker[i] = (struct asker){
		    .c = w->c, .body = buf_bytes(&body), .done = &done, .err = VT_EINTERNAL};
		assert_int_equal(pthread_create(&asker[i].thread, NULL, ask, &asker[i]), 0);
	}
	for (size_t i = 0; i < BEYOND; i++)
		assert_int_equal(sem_wait(&done), 0);
	assert_all_others_are_answered(w, &line);
	gate_set(false);
	for (size_t i = 0; i < TURNS + BEYOND; i++)
		assert_int_equal(pthread_join(asker[i].thread, NULL), 0);
	assert_int_equal(count_answers(asker, VT_EBUSY), BEYOND);
	assert_int_equal(count_answers(asker, VT_OK), 1);
	assert_int_equal(count_answers(asker, VT_ECONFLICT), TURNS - 1);
	cosigner_stats(w->c, &stats);
	assert_int_equal(stats.refused_busy, BEYOND);
	assert_int_equal(push(w, &w->log, 6, 7), VT_OK); /* the turns were given back */
	sem_destroy(&done);
	buf_release(&body);
	buf_release(&line);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(every_consistent_step_is_cosigned),
	    TEST(nothing_is_shown_before_the_first_checkpoint),
	    TEST(logs_are_independent),
	    TEST(size_zero_is_cosigned_and_grows),
	    TEST(size_zero_with_another_root_is_inconsistent),
	    TEST(an_equal_size_is_cosigned_again_with_a_new_time_and_not_written_again),
	    TEST(extension_lines_are_signed_and_shown),
	    TEST(bodies_that_are_not_the_grammar_are_malformed),
	    TEST(what_is_no_signed_checkpoint_is_malformed),
	    TEST(sixty_three_proof_lines_are_read_and_one_more_is_not),
	    TEST(an_old_size_beyond_the_checkpoints_is_malformed),
	    TEST(an_unknown_origin_is_not_found_whoever_signed),
	    TEST(only_the_origins_own_keys_count),
	    TEST(a_trusted_keys_bad_signature_condemns_the_note),
	    TEST(a_broken_line_condemns_the_note_by_whose_it_is),
	    TEST(the_same_line_twice_does_no_harm),
	    TEST(lines_of_others_are_ignored_and_not_kept),
	    TEST(a_log_may_have_two_keys),
	    TEST(another_old_size_is_told_the_right_one),
	    TEST(another_root_at_the_same_size_is_inconsistent),
	    TEST(proofs_that_do_not_hold_are_inconsistent),
	    TEST(a_proof_where_there_is_nothing_to_prove_is_inconsistent),
	    TEST(a_restart_forgets_nothing),
	    TEST(a_crash_before_the_cosignature_is_mended_at_the_start),
	    TEST(a_changed_bit_refuses_that_log_or_changes_nothing),
	    TEST(files_that_are_cut_empty_or_anothers_are_damaged),
	    TEST(a_folder_has_one_witness_at_a_time_and_one_key),
	    TEST(a_new_key_cosigns_what_the_old_one_knew),
	    TEST(a_folder_that_is_missing_or_empty_is_refused),
	    TEST(a_log_whose_file_is_lost_is_not_a_new_one),
	    TEST(a_folder_is_made_once_and_a_log_given_once),
	    TEST(a_folder_without_a_list_gets_one_of_its_files),
	    TEST(a_folder_that_is_taken_away_ends_the_cosigning),
	    TEST(what_a_crash_left_half_written_is_removed),
	    TEST(the_head_is_on_disk_before_the_key_is_asked),
	    TEST(what_cannot_be_written_is_not_signed),
	    TEST(a_signature_that_does_not_verify_is_never_returned),
	    TEST(times_do_not_go_back_a_little_and_are_never_zero),
	    TEST(a_new_policy_adds_and_drops_logs),
	    TEST(as_many_logs_as_a_policy_can_have_are_witnessed),
	    TEST(every_allocation_may_fail_and_nothing_is_signed_wrongly),
	    TEST(a_policy_for_which_there_is_no_memory_changes_nothing),
	    TEST(one_log_takes_a_few_turns_and_leaves_the_rest_to_others),
	};

	scratch_in_memory(); /* hundreds of flushes, and no power cut */
	logline_configure(LOGLINE_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
