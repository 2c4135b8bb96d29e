#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "durable.h"
#include "file_digests.h"
#include "json.h"
#include "options.h"
#include "party_key.h"
#include "proof_check.h"
#include "verify_evidence.h"
#include "weigh.h"

static const char *opt_policy, *opt_centre, *opt_firmware, *opt_verdict, *opt_party, *opt_entry;
static const char *opt_evidence, *opt_vkey;
static bool opt_json;

static const struct option options[] = {
    {"policy", OPTION_TEXT, &opt_policy, "FILE",
     "Which logs and witnesses to trust (C2SP tlog-policy). The simplest one has two lines: \"log "
     "VKEY\" "
     "and \"quorum none\".",
     0, 0, false, true},
    {"centre", OPTION_TEXT, &opt_centre, "PUBKEY",
     "The centre's first public key (SPKI PEM). Without it the proof itself says whose centre it "
     "is.",
     0, 0, false, true},
    {"firmware", OPTION_TEXT, &opt_firmware, "FILE",
     "Each proof must be about this file; it is hashed here, and compared with every hash of a "
     "file's bytes that the record has (SHA-2 and SHA-3; not git's objects, nor HMAC). A FAILED "
     "verdict on it that stands for "
     "anyone, or verdicts that were all withdrawn, make the exit code 1.",
     0, 0, false, false},
    {"require-verdict", OPTION_TEXT, &opt_verdict, "RESULT",
     "A test verdict with this result must be among the proofs, and stand: PASSED, WARNED or "
     "FAILED.",
     0, 0, false, false},
    {"party", OPTION_TEXT, &opt_party, "NAME",
     "A test verdict of this party (with --require-verdict: with that result) must be among the "
     "proofs, "
     "and stand for it. It excuses nothing: what others found failed still fails.",
     0, 0, false, false},
    {"entry", OPTION_TEXT, &opt_entry, "FILE",
     "The entry, for a proof that does not carry it because it is large. With one proof only.", 0,
     0, false, false},
    {"evidence", OPTION_TEXT, &opt_evidence, "FILE",
     "Instead of proofs: does this file prove that a log signed two histories? Exit code 0: it "
     "does.",
     0, 0, false, false},
    {"vkey", OPTION_TEXT, &opt_vkey, "VKEY",
     "The log's verifier key, in place of --policy, for --evidence.", 0, 0, false, false},
    {"json", OPTION_FLAG, &opt_json, NULL,
     "Print one JSON object a proof, and one that sums up: \"holds\", and \"why\" in one sentence. "
     "\"holds\" is never true of a FAILED verdict, nor of a record that stands for nobody.",
     0, 0, false, true},
};
static const struct option_exclusion exclusions[] = {{"vkey", "policy", NULL}};
static const struct command_usage usage = {
    "vitrine verify --policy FILE [--centre PUBKEY] [--firmware FILE] PROOF...\n"
    "       vitrine verify --evidence FILE --vkey VKEY|--policy FILE",
    "Checks proof files offline: the log's signature and the quorum, the inclusion of the entry, "
    "its "
    "signatures, and that each signer was accredited, back to the centre's own entry 0. Says what "
    "it "
    "could not check.",
    "  vitrine verify --policy policy.txt --firmware fw.bin --require-verdict PASSED "
    "fw.tlog-proof\n"
    "  vitrine verify --policy policy.txt --evidence split-view.evidence\n",
    "PROOF...",
    options,
    sizeof(options) / sizeof(*options)};

struct inputs {
	struct policy *policy;
	struct party_key *centre;
	struct buf entry;
	struct file_digests firmware; /* none without --firmware */
	struct merkle_hasher hasher;
	bool have_hasher;
};

static int read_inputs(struct inputs *in, size_t n_proofs)
{
	enum vt_err err;
	int code = cmd_read_policy("verify", opt_policy, &in->policy);

	if (code == CMD_HOLDS && opt_centre != NULL)
		code = cmd_read_public_key("verify", "centre", opt_centre, &in->centre);
	if (code == CMD_HOLDS && opt_firmware != NULL)
		code = file_digests_read(&in->firmware, "verify", opt_firmware);
	if (code == CMD_HOLDS && opt_entry != NULL) {
		if (n_proofs != 1)
			return cmd_fail("verify", CMD_USAGE, "--entry goes with one proof");
		if ((err = file_read(&in->entry, opt_entry, RECORD_ENTRY_MAX)) != VT_OK)
			code = cmd_fail("verify", CMD_UNSURE, "%s: %s", opt_entry, file_fault(err));
	}
	if (code == CMD_HOLDS && merkle_hasher_init(&in->hasher) != VT_OK)
		return cmd_fail("verify", CMD_UNSURE, "out of memory");
	in->have_hasher = code == CMD_HOLDS;
	return code;
}

static void release_inputs(struct inputs *in)
{
	if (in->have_hasher)
		merkle_hasher_release(&in->hasher);
	buf_release(&in->entry);
	party_key_free(in->centre);
	policy_free(in->policy);
}

/* Does more rest on this proof than that the entry is in the log? */
static bool signers_matter(const struct inputs *in)
{
	return in->centre != NULL || in->firmware.n > 0 || opt_verdict != NULL || opt_party != NULL;
}

static bool about_the_file(const struct checked *c, const struct inputs *in)
{
	return !c->raw && file_digests_find(&in->firmware, &c->statement, NULL) == VT_OK;
}

static bool is_correction(const struct checked *c)
{
	struct entry_ref target;

	return !c->raw && statement_correction(&c->statement, &target, NULL);
}

/* A correction is about an entry, not about a file: weigh() sees whether that entry is here. */
static int check_subject(struct checked *c, const struct inputs *in)
{
	struct why why;
	enum vt_err err = VT_ENOTFOUND;

	if (!c->raw)
		err = file_digests_find(&in->firmware, &c->statement, &why);
	if (err == VT_OK || (err == VT_ENOTFOUND && is_correction(c)))
		return CMD_HOLDS;
	if (err == VT_EMISMATCH)
		why_say(&c->why, err, "the proof holds, but %s", why.text);
	else
		why_say(&c->why, err, "the proof holds, but is not about %s (SHA-256 %s)",
			opt_firmware, in->firmware.hex[0]);
	return CMD_FAILS;
}

static int check_one(struct checked *c, struct inputs *in, const char *path)
{
	enum vt_err err;
	struct bytes centre = in->centre ? party_key_spki(in->centre) : bytes_of(NULL, 0);

	if ((err = file_read(&c->text, path, TLOG_PROOF_SIZE_MAX)) != VT_OK) {
		why_say(&c->why, err, "%s", file_fault(err));
		return CMD_UNSURE;
	}
	if ((err = proof_check(c, &in->hasher, in->policy, centre, buf_bytes(&in->entry))) !=
	    VT_OK) {
		if (c->why.text[0] == '\0')
			why_say(&c->why, err, "%s", vt_err_text(err));
		return err == VT_ENOMEM || err == VT_EINTERNAL ? CMD_UNSURE
		       : err == VT_EINVAL                      ? CMD_USAGE
							       : CMD_FAILS;
	}
	if (in->centre != NULL && c->raw) {
		why_say(&c->why, err, "it is in the log, but is no record");
		return CMD_FAILS;
	}
	/* Anyone who can write to the log could have put in what it says. */
	if (!c->raw && !c->proven_admission && signers_matter(in)) {
		why_say(
		    &c->why, err,
		    "it is in the log, but who signed it was not checked: the proof does not carry "
		    "the accreditations (vitrine find asks the log for them)");
		return CMD_UNSURE;
	}
	return in->firmware.n == 0 ? CMD_HOLDS : check_subject(c, in);
}

/* Does proof i correct another of them? */
static bool corrects_one(const struct checked *c, size_t n, size_t i)
{
	struct entry_ref target;

	if (!statement_correction(&c[i].statement, &target, NULL))
		return false;
	for (size_t k = 0; k < n; k++)
		if (k != i && c[k].log == c[i].log && target.index == c[k].proof.index &&
		    merkle_hash_equal(&target.leaf, &c[k].leaf))
			return true;
	return false;
}

/* With a file, a proof that is not about it must correct one that is here, or it has no business here. */
static int check_corrections(struct checked *c, size_t n, const struct inputs *in)
{
	int code = CMD_HOLDS;

	for (size_t i = 0; i < n; i++) {
		if (in->firmware.n == 0 || c[i].why.text[0] != '\0' || about_the_file(&c[i], in) ||
		    corrects_one(c, n, i))
			continue;
		why_say(&c[i].why, VT_EMISMATCH,
			"the proof holds, but corrects none of the proofs given");
		code = CMD_FAILS;
	}
	return code;
}

static int weigh_proofs(struct weighed *w, const struct checked *c, size_t n,
			const struct inputs *in, bool unsure, struct buf *sentence)
{
	const struct weigh_demands demands = {
	    .result = opt_verdict,
	    .party = opt_party,
	    .file = in->firmware.n > 0,
	    .unsure = unsure,
	    .unseen = "later corrections and suspensions were not looked at",
	};

	for (size_t i = 0; i < n; i++)
		w[i] = (struct weighed){
		    .checked = &c[i],
		    .fails = c[i].why.text[0] != '\0',
		    .usable = c[i].why.text[0] == '\0' && !c[i].raw && c[i].proven_admission,
		    .about = in->firmware.n == 0 || about_the_file(&c[i], in),
		};
	return weigh(w, n, &demands, sentence);
}

static bool failed_stands(const struct weighed *w)
{
	struct bytes result;

	return w->usable && entry_standing_for_anyone(&w->standing) &&
	       statement_result(&w->checked->statement, &result) && bytes_is(result, "FAILED");
}

/* Does what a proof that holds says forbid to rely on it? */
static bool speaks_against(const struct weighed *w)
{
	return w->usable && w->standing.n > 0 &&
	       (!entry_standing_for_anyone(&w->standing) || failed_stands(w));
}

static void print_subject(const struct checked *c)
{
	const struct json *subject = json_at(json_member(c->statement.json, "subject"), 0);
	char name[160], algorithm[40], digest[160];
	struct bytes text;

	if (c->statement.n_digests == 0)
		return;
	if (!json_text(json_member(subject, "name"), &text))
		text = bytes_of(NULL, 0);
	printf("  subject     %s%s%s:%s", problem_quote(name, sizeof(name), text),
	       text.len > 0 ? " " : "",
	       problem_quote(algorithm, sizeof(algorithm), c->statement.digest[0].algorithm),
	       problem_quote(digest, sizeof(digest), c->statement.digest[0].hex));
	if (c->statement.n_subjects > 1)
		printf(" and %zu more", c->statement.n_subjects - 1);
	printf("; no file was compared\n");
}

static bool is_accreditation(const struct checked *c)
{
	return bytes_is(c->statement.predicate_type, PREDICATE_ACCREDITATION);
}

static void print_text(const struct weighed *w, const char *path, const struct inputs *in)
{
	const struct checked *c = w->checked;
	char what[256];
	struct buf standing;

	printf("%s: %s\n", path, c->why.text[0] ? c->why.text : "the proof holds");
	if (c->log == NULL)
		return;
	printf("  log         %s at size %llu; signature verified; ", c->log->key.name,
	       (unsigned long long)c->cp.head.size);
	if (policy_needs_witnesses(in->policy))
		printf("%zu witnesses cosigned, a quorum\n", c->cosigned);
	else
		printf("the policy asks for no witness\n");
	buf_init(&standing);
	printf("  entry       %llu: %s", (unsigned long long)c->proof.index,
	       checked_what(c, what, sizeof(what)));
	if (w->standing.n > 0 && !is_accreditation(c) &&
	    weigh_text(&standing, &w->standing) == VT_OK)
		printf("; %.*s", (int)standing.len, (const char *)standing.data);
	putchar('\n');
	buf_release(&standing);
	if (!c->raw && in->firmware.n == 0)
		print_subject(c);
	for (size_t i = 0; i < c->n_signers; i++)
		printf("  signed by   %s%s%s%s, key %.16s...\n",
		       c->signer[i].party ? c->signer[i].party : "an unknown party",
		       c->signer[i].role ? " (" : "", c->signer[i].role ? c->signer[i].role : "",
		       c->signer[i].role ? ")" : "", c->signer[i].keyid);
	printf("  checked     inclusion under the signed root%s%s\n",
	       c->proven_admission
		   ? "; the record's signatures; each signer's accreditation back to entry 0"
		   : "",
	       in->firmware.n > 0 && about_the_file(c, in) ? "; the file's digest" : "");
	printf("  not checked whether the log shows others the same history%s%s%s\n",
	       policy_needs_witnesses(in->policy) ? " beyond what the witnesses vouch for" : "",
	       c->raw ? "" : "; later suspensions and corrections (`vitrine find` looks for them)",
	       c->proven_admission && !c->verdict.centre_pinned
		   ? "; whether this is the centre you mean (pin it with --centre)"
		   : "");
	if (!c->raw && !c->proven_admission)
		printf("              who was accredited: this proof does not carry it\n");
}

static struct json *signers_json(const struct checked *c)
{
	struct json *list = json_new_array();

	for (size_t i = 0; i < c->n_signers; i++) {
		struct json *j = JSON_OBJECT_OF({"keyid", json_new_str(c->signer[i].keyid)});

		if (c->signer[i].party != NULL) {
			json_add(&j, "party", json_new_str(c->signer[i].party));
			json_add(&j, "role", json_new_str(c->signer[i].role));
		}
		json_add_element(&list, j);
	}
	return list;
}

static void add_proof(struct json **j, const struct checked *c, const struct inputs *in)
{
	json_add(j, "log", json_new_str(c->log->key.name));
	json_add(j, "treeSize", json_new_integer((int64_t)c->cp.head.size));
	json_add(j, "index", json_new_integer((int64_t)c->proof.index));
	json_add(j, "leafHash", json_new_hash(&c->leaf));
	json_add(j, "cosignatures", json_new_integer((int64_t)c->cosigned));
	json_add(j, "admissionProven", json_new_bool(c->proven_admission));
	json_add(j, "centrePinned", json_new_bool(c->proven_admission && c->verdict.centre_pinned));
	json_add(j, "fileChecked", json_new_bool(in->firmware.n > 0 && about_the_file(c, in)));
}

static void add_statement(struct json **j, const struct weighed *w)
{
	const struct checked *c = w->checked;
	struct bytes result;

	json_add(j, "predicateType", json_new_text(c->statement.predicate_type));
	json_add(j, "subject", json_copy(json_member(c->statement.json, "subject")));
	json_add(j, "signers", signers_json(c));
	if (statement_result(&c->statement, &result))
		json_add(j, "result", json_new_text(result));
	if (w->standing.n > 0 && !is_accreditation(c))
		json_add(j, "standing", describe_standing(&w->standing));
}

/* Why one proof is not to be relied on: what does not hold, or what it says. */
static struct json *why_json(const struct weighed *w)
{
	struct json *j = NULL;
	struct buf text;

	if (w->checked->why.text[0] != '\0')
		return json_new_str(w->checked->why.text);
	if (!speaks_against(w))
		return json_absent();
	buf_init(&text);
	buf_append_str(&text, "the proof holds; ");
	if (weigh_verdict_text(&text, w) == VT_OK)
		j = json_new_text(buf_bytes(&text));
	buf_release(&text);
	return j;
}

static int print_json(const struct weighed *w, const char *path, const struct inputs *in)
{
	const struct checked *c = w->checked;
	bool proof_holds = c->why.text[0] == '\0';
	struct json *j = JSON_OBJECT_OF(
	    {"proof", json_new_str(path)}, {"proofHolds", json_new_bool(proof_holds)},
	    {"holds", json_new_bool(proof_holds && !speaks_against(w))}, {"why", why_json(w)});

	if (c->log != NULL) {
		add_proof(&j, c, in);
		if (!c->raw)
			add_statement(&j, w);
	}
	return cmd_print_json("verify", j);
}

/* The last line: what all of them come to. */
static int print_sum(bool holds, const struct buf *sentence)
{
	if (sentence->len == 0)
		return cmd_fail("verify", CMD_UNSURE, "%s", vt_err_text(VT_ENOMEM));
	if (opt_json)
		return cmd_print_json("verify",
				      JSON_OBJECT_OF({"holds", json_new_bool(holds)},
						     {"why", json_new_text(buf_bytes(sentence))}));
	printf("%.*s\n", (int)sentence->len, (const char *)sentence->data);
	return CMD_HOLDS;
}

static int print_all(const struct weighed *w, const struct operands *proofs,
		     const struct inputs *in, int code, const struct buf *sentence)
{
	bool holds = code == CMD_HOLDS;
	int printed = CMD_HOLDS, one;

	for (size_t i = 0; i < proofs->n; i++) {
		holds = holds && !failed_stands(&w[i]);
		one = CMD_HOLDS;
		if (opt_json)
			one = print_json(&w[i], proofs->arg[i], in);
		else
			print_text(&w[i], proofs->arg[i], in);
		printed = one != CMD_HOLDS ? one : printed;
	}
	one = print_sum(holds, sentence);
	return one != CMD_HOLDS ? one : printed;
}

static int verify_all(struct inputs *in, struct checked *c, struct weighed *w,
		      const struct operands *proofs)
{
	int code = CMD_HOLDS, weight, printed;
	struct buf sentence;

	for (size_t i = 0; i < proofs->n; i++) {
		int one = check_one(&c[i], in, proofs->arg[i]);
		/* What does not hold outweighs what could not be told. */
		if (one != CMD_HOLDS && code != CMD_FAILS)
			code = one;
	}
	if (check_corrections(c, proofs->n, in) != CMD_HOLDS)
		code = CMD_FAILS;
	buf_init(&sentence);
	weight = weigh_proofs(w, c, proofs->n, in, code == CMD_UNSURE, &sentence);
	if (code == CMD_HOLDS || (code == CMD_UNSURE && weight == CMD_FAILS))
		code = weight;
	printed = print_all(w, proofs, in, code, &sentence);
	buf_release(&sentence);
	return code == CMD_HOLDS ? printed : code;
}

int cmd_verify(int argc, char **argv)
{
	struct inputs in = {0};
	struct operands rest;
	struct checked *c = NULL;
	struct weighed *w = NULL;
	bool help = false;
	int code;

	if (options_parse_exclusive(&usage, exclusions, sizeof(exclusions) / sizeof(*exclusions),
				    argc, argv, &rest, &help, stderr) != VT_OK)
		return CMD_USAGE;
	if (help)
		return CMD_HOLDS;
	if (opt_evidence != NULL)
		return rest.n == 0
			   ? verify_evidence(opt_evidence, opt_vkey, opt_policy, opt_json)
			   : cmd_fail("verify", CMD_USAGE,
				      "--evidence is about a log, not about proofs: give no PROOF");
	if (opt_policy == NULL)
		return cmd_fail("verify", CMD_USAGE, "--policy FILE is needed");
	if (rest.n == 0)
		return cmd_fail("verify", CMD_USAGE, "which proof? Give one file or more");
	if (!weigh_result_known(opt_verdict))
		return cmd_fail("verify", CMD_USAGE, "--require-verdict: PASSED, WARNED or FAILED");
	buf_init(&in.entry);
	if ((code = read_inputs(&in, rest.n)) == CMD_HOLDS) {
		c = calloc(rest.n, sizeof(*c));
		w = calloc(rest.n, sizeof(*w));
		for (size_t i = 0; c != NULL && i < rest.n; i++)
			checked_init(&c[i]);
		code = c == NULL || w == NULL ? cmd_fail("verify", CMD_UNSURE, "out of memory")
					      : verify_all(&in, c, w, &rest);
		for (size_t i = 0; c != NULL && i < rest.n; i++)
			checked_release(&c[i]);
		free(c);
		free(w);
	}
	release_inputs(&in);
	return code;
}
