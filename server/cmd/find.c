#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "describe.h"
#include "file_digests.h"
#include "http_fetch.h"
#include "json.h"
#include "options.h"
#include "party_key.h"
#include "proof_check.h"
#include "weigh.h"

enum {
	PAGE = 1000,
	FOUND_MAX = 10000,
	PAGE_BYTES_MAX = 64 * 1024 * 1024,
};

static char command_name[] = "find";
static const char *opt_log, *opt_policy, *opt_centre, *opt_verdict, *opt_party;
static bool opt_json;

static const struct option options[] = {
    {"log", OPTION_TEXT, &opt_log, "URL", "The log.", 0, 0, true, true},
    {"policy", OPTION_TEXT, &opt_policy, "FILE",
     "Which log and witnesses to trust (C2SP tlog-policy).", 0, 0, true, true},
    {"centre", OPTION_TEXT, &opt_centre, "PUBKEY",
     "The centre's first public key (SPKI PEM). Without it the log itself says whose centre it is.",
     0, 0, false, true},
    {"require-verdict", OPTION_TEXT, &opt_verdict, "RESULT",
     "A test verdict with this result must stand: PASSED, WARNED or FAILED.", 0, 0, false, false},
    {"party", OPTION_TEXT, &opt_party, "NAME",
     "A test verdict of this party (with --require-verdict: with that result) must stand for it. "
     "It excuses "
     "nothing: what others found failed still fails.",
     0, 0, false, false},
    CMD_OPTION_CA,
    {"json", OPTION_FLAG, &opt_json, NULL, "Print one JSON object.", 0, 0, false, true},
};
static const struct command_usage usage = {
    "vitrine find --log URL --policy FILE FIRMWARE",
    "Hashes a file by SHA-256, SHA-384, SHA-512, SHA-512/256, SHA3-256, SHA3-384 and SHA3-512, "
    "asks "
    "a log for each what it knows of it, and verifies all of that: proofs, signatures, "
    "accreditations, corrections and corrections of those. Ends with one sentence: what stands, "
    "and for whom. "
    "Exit code 0: something is known, all proofs hold, no verdict that stands is FAILED, and if "
    "there were "
    "verdicts, one still stands. Exit code 1: otherwise. Exit code 3: it could not tell. It cannot "
    "know that "
    "the log has shown everything, and does not see records that name the file otherwise than by a "
    "hash of its bytes (a git object, an HMAC).",
    "  vitrine find --log https://log.example.org --policy policy.txt fw.bin\n",
    "FIRMWARE",
    options,
    sizeof(options) / sizeof(*options)};

/* One entry about the file, or a correction of one. */
struct finding {
	uint64_t index; /* as asked for */
	struct checked checked;
	enum vt_err err;
	bool correction; /* fetched because another entry is said to be corrected by it */
	bool
	    corrected; /* the log says that something corrects it, so its corrections are searched for */
	char later[160]; /* what the registry says of a signer since, unverified */
};

struct search {
	struct client *client;
	struct policy *policy;
	struct party_key *centre;
	struct merkle_hasher hasher;
	bool have_hasher;
	struct file_digests file;
	struct finding *found;
	size_t n;
	struct weighed *weighed; /* one a finding, once all are there */
	struct buf sentence;
	uint64_t complete_to; /* the tree size that each of the log's searches answered for */
};

static struct finding *add_finding(struct search *s)
{
	struct finding *grown;

	if (s->n == FOUND_MAX || (grown = realloc(s->found, (s->n + 1) * sizeof(*grown))) == NULL)
		return NULL;
	s->found = grown;
	memset(&s->found[s->n], 0, sizeof(*s->found));
	checked_init(&s->found[s->n].checked);
	return &s->found[s->n++];
}

/* The proof's checkpoint must belong to the history that this search began with. */
static int adopt_checkpoint(struct search *s, struct finding *f)
{
	struct why why = {""};
	enum vt_err err = client_adopt(s->client, f->checked.proof.checkpoint, NULL, &why);

	if (err == VT_OK)
		return CMD_HOLDS;
	if (err != VT_EMISMATCH && err != VT_EUNTRUSTED && err != VT_EMALFORMED)
		return cmd_fail("find", CMD_UNSURE, "%s", why.text);
	f->err = err;
	f->checked.why = why;
	return CMD_HOLDS;
}

/* What the log answers may contradict what it signed; then that is the finding. Anything else is no answer. */
static int note_failure(struct finding *f, uint64_t index, enum vt_err err, const struct why *why)
{
	if (err != VT_EMISMATCH && err != VT_EMALFORMED)
		return cmd_fail("find", CMD_UNSURE, "entry %llu: %s", (unsigned long long)index,
				why->text);
	f->err = err;
	f->checked.why = *why;
	return CMD_HOLDS;
}

/* Who signed it, and who accredited them: entries of their own, under the head that the proof's checkpoint was held against. */
static int check_support(struct search *s, struct finding *f, struct bytes centre)
{
	struct why why = {""};
	struct extra *x = NULL;
	uint64_t index = f->checked.proof.index;
	enum vt_err err = client_support(&x, s->client, index, buf_bytes(&f->checked.entry), &why);

	if (err == VT_OK)
		f->err =
		    proof_check_support(&f->checked, &s->hasher, x, client_head(s->client), centre);
	extra_free(x);
	/* Without these the entry is still in the log, and weigh() says what was not checked. */
	if (err == VT_OK || err == VT_ENOTFOUND || err == VT_ELIMIT)
		return CMD_HOLDS;
	return note_failure(f, index, err, &why);
}

/* The proof is too large to carry its entry, which is in the log's bundles. */
static int check_with_bundle(struct search *s, struct finding *f, struct bytes centre)
{
	struct why why = {""};
	struct buf entry;
	uint64_t index = f->checked.proof.index;
	enum vt_err err;
	int code = CMD_HOLDS;

	buf_init(&entry);
	if ((err = client_entry(&entry, s->client, index, &why)) != VT_OK) {
		code = note_failure(f, index, err, &why);
		goto done;
	}
	f->checked.why.text[0] = '\0';
	f->err = proof_check(&f->checked, &s->hasher, s->policy, centre, buf_bytes(&entry));
	if (f->err == VT_OK && !f->checked.raw)
		code = check_support(s, f, centre);
done:
	buf_release(&entry);
	return code;
}

/* Fetch an entry's proof and check it. Network trouble is returned, what does not hold is noted. */
static int check_entry(struct search *s, uint64_t index, bool correction)
{
	struct finding *f = add_finding(s);
	struct why why = {""};
	char path[96];
	struct bytes centre = s->centre ? party_key_spki(s->centre) : bytes_of(NULL, 0);
	int code = CMD_HOLDS;

	if (f == NULL)
		return cmd_fail("find", CMD_UNSURE, "more entries than %d, or no memory for them",
				FOUND_MAX);
	f->index = index;
	f->correction = correction;
	snprintf(path, sizeof(path), "/api/v1/entries/%llu/tlog-proof", (unsigned long long)index);
	if (client_get(&f->checked.text, s->client, path, NULL, TLOG_PROOF_SIZE_MAX, &why) != VT_OK)
		return cmd_fail("find", CMD_UNSURE, "entry %llu: %s", (unsigned long long)index,
				why.text);
	f->err = proof_check(&f->checked, &s->hasher, s->policy, centre, bytes_of(NULL, 0));
	if (f->err == VT_OK || f->err == VT_EINVAL)
		code = adopt_checkpoint(s, f);
	if (f->err == VT_EINVAL && code == CMD_HOLDS)
		code = check_with_bundle(s, f, centre);
	if (f->err == VT_OK && f->checked.proof.index != index) {
		f->err = why_say(&f->checked.why, VT_EMISMATCH, "the proof is about entry %llu",
				 (unsigned long long)f->checked.proof.index);
	}
	/* Memory that ran out says nothing of the entry. */
	if (code == CMD_HOLDS && (f->err == VT_ENOMEM || f->err == VT_EINTERNAL))
		return cmd_fail("find", CMD_UNSURE, "entry %llu: %s", (unsigned long long)index,
				vt_err_text(f->err));
	return code;
}

static bool found_before(const struct search *s, uint64_t index)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->found[i].index == index)
			return true;
	return false;
}

static int check_item(struct search *s, const struct json *item, bool corrections)
{
	int64_t index;
	int code;

	if (!json_integer(json_member(item, "index"), &index) || index < 0)
		return cmd_fail("find", CMD_UNSURE, "the log's answer is malformed");
	/* A correction may name the file as well as its target. */
	if (found_before(s, (uint64_t)index))
		return CMD_HOLDS;
	if ((code = check_entry(s, (uint64_t)index, corrections)) == CMD_HOLDS)
		s->found[s->n - 1].corrected = json_count(json_member(item, "correctedBy")) > 0;
	return code;
}

static int check_page(struct search *s, const struct json *page, bool corrections, uint64_t *next,
		      bool *more)
{
	const struct json *list = json_member(page, "entries");
	int64_t size, from;
	int code = CMD_HOLDS;

	if (!json_integer(json_member(page, "treeSize"), &size) || size < 0 || list == NULL)
		return cmd_fail("find", CMD_UNSURE, "the log's answer is malformed");
	if (!corrections && (uint64_t)size < s->complete_to)
		s->complete_to = (uint64_t)size;
	for (size_t i = 0; i < json_count(list) && code == CMD_HOLDS; i++)
		code = check_item(s, json_at(list, i), corrections);
	*more = json_integer(json_member(page, "next"), &from);
	/* It must get somewhere, or a log could keep us asking for ever. */
	if (*more && (from < 0 || (uint64_t)from <= *next || from > size))
		return cmd_fail("find", CMD_UNSURE, "the log's answer is malformed");
	if (*more)
		*next = (uint64_t)from;
	return code;
}

/* All entries whose subject is this, with their proofs; of corrections the subject is the target's leaf hash. */
static int search_subject(struct search *s, const char *algorithm, const char *hex,
			  bool corrections)
{
	uint64_t after = 0;
	bool more = true;
	int code = CMD_HOLDS;

	while (more && code == CMD_HOLDS) {
		struct why why = {""};
		struct json *page = NULL;
		char path[384];

		snprintf(path, sizeof(path), "/api/v1/entries?subject=%s:%s%s&after=%llu&limit=%d",
			 algorithm, hex, corrections ? "&type=" PREDICATE_CORRECTION : "",
			 (unsigned long long)after, PAGE);
		if (client_get_json(&page, s->client, path, PAGE_BYTES_MAX, &why) != VT_OK)
			return cmd_fail("find", CMD_UNSURE, "searching: %s", why.text);
		code = check_page(s, page, corrections, &after, &more);
		json_free(page);
	}
	return code;
}

/* Then what corrects what was found, what corrects that, and so on: each is found once, so it ends. */
static int check_all(struct search *s)
{
	int code = CMD_HOLDS;

	s->complete_to = UINT64_MAX;
	for (size_t i = 0; i < s->file.n && code == CMD_HOLDS; i++)
		code = search_subject(s, s->file.algorithm[i]->name, s->file.hex[i], false);
	for (size_t i = 0; i < s->n && code == CMD_HOLDS; i++) {
		const struct finding *f = &s->found[i];
		char leaf[65];

		if (!f->corrected || f->err != VT_OK)
			continue;
		hex_encode(leaf, bytes_of(f->checked.leaf.b, sizeof(f->checked.leaf.b)));
		code = search_subject(s, "sha256", leaf, true);
	}
	return code;
}

/* Has a signer's accreditation changed since? The log's own word, and said so. */
static void look_at_signer(struct search *s, struct finding *f, size_t i)
{
	struct why why;
	struct json *party = NULL;
	struct buf path;

	if (f->checked.signer[i].party == NULL)
		return;
	buf_init(&path);
	buf_append_str(&path, "/api/v1/parties/");
	for (const char *p = f->checked.signer[i].party; *p != '\0'; p++)
		buf_appendf(&path, "%%%02X", (unsigned)(unsigned char)*p);
	if (buf_append_byte(&path, '\0') == VT_OK)
		(void)client_get_json(&party, s->client, (const char *)path.data, PAGE_BYTES_MAX,
				      &why);
	for (size_t k = 0; k < json_count(json_member(party, "keys")); k++) {
		const struct json *key = json_at(json_member(party, "keys"), k);
		struct bytes keyid, status;
		char quoted[40];
		int64_t since;

		if (json_text(json_member(key, "keyid"), &keyid) &&
		    bytes_is(keyid, f->checked.signer[i].keyid) &&
		    json_text(json_member(key, "status"), &status) &&
		    !bytes_is(status, "granted") &&
		    json_integer(json_member(key, "accreditation"), &since))
			snprintf(f->later, sizeof(f->later), "key of %s: %s since entry %lld",
				 f->checked.signer[i].party,
				 problem_quote(quoted, sizeof(quoted), status), (long long)since);
	}
	json_free(party);
	buf_release(&path);
}

/* The proof did not carry the accreditations, so anyone who can write to the log could have written this. */
static bool unproven(const struct finding *f)
{
	return f->err == VT_OK && !f->checked.proven_admission;
}

/* Does it belong here? */
static void check_subject(const struct search *s, struct finding *f)
{
	if (f->correction)
		return;
	f->err = VT_ENOTFOUND;
	if (!f->checked.raw)
		f->err = file_digests_find(&s->file, &f->checked.statement, &f->checked.why);
	if (f->err == VT_ENOTFOUND)
		why_say(&f->checked.why, f->err, "it is not about this file");
}

/* Before it is weighed: does each hold, and belong here? */
static void check_findings(struct search *s, bool *fails, bool *unsure)
{
	for (size_t i = 0; i < s->n; i++) {
		struct finding *f = &s->found[i];

		if (f->err == VT_OK)
			check_subject(s, f);
		*fails |= f->err != VT_OK;
		*unsure |= unproven(f);
		for (size_t k = 0; f->err == VT_OK && k < f->checked.n_signers; k++)
			look_at_signer(s, f, k);
	}
}

static int weigh_findings(struct search *s)
{
	struct weigh_demands demands = {.result = opt_verdict, .party = opt_party, .file = true};
	bool fails = false, known = false;
	int code;

	if ((s->weighed = calloc(s->n + 1, sizeof(*s->weighed))) == NULL)
		return cmd_fail("find", CMD_UNSURE, "out of memory");
	check_findings(s, &fails, &demands.unsure);
	demands.unseen = "what names it otherwise than by a hash of its bytes, and what the log "
			 "hides from its search, was not seen";
	for (size_t i = 0; i < s->n; i++) {
		const struct finding *f = &s->found[i];

		s->weighed[i] = (struct weighed){
		    .checked = &f->checked,
		    .fails = f->err != VT_OK,
		    .usable = f->err == VT_OK && !f->checked.raw && f->checked.proven_admission,
		    .about = !f->correction,
		};
		known |= !f->correction;
	}
	code = weigh(s->weighed, s->n, &demands, &s->sentence);
	return fails || !known ? CMD_FAILS : code;
}

static void print_finding(const struct finding *f, const struct weighed *w)
{
	struct buf standing;
	char what[256];

	printf("  entry %-8llu ", (unsigned long long)f->index);
	if (f->err != VT_OK) {
		printf("DOES NOT HOLD: %s\n", why_text(&f->checked.why, f->err));
		return;
	}
	printf("%s", checked_what(&f->checked, what, sizeof(what)));
	for (size_t i = 0; i < f->checked.n_signers; i++)
		printf("%s%s%s%s%s", i ? ", " : ", signed by ",
		       f->checked.signer[i].party ? f->checked.signer[i].party
						  : f->checked.signer[i].keyid,
		       f->checked.signer[i].role ? " (" : "",
		       f->checked.signer[i].role ? f->checked.signer[i].role : "",
		       f->checked.signer[i].role ? ")" : "");
	buf_init(&standing);
	if (unproven(f))
		printf(": is in the log; its signatures were not checked");
	else if (w->standing.n == 0 || weigh_text(&standing, &w->standing) != VT_OK)
		printf(": the proof holds");
	else
		printf(": the proof holds; %.*s", (int)standing.len, (const char *)standing.data);
	buf_release(&standing);
	putchar('\n');
	if (f->later[0])
		printf("                 the log also says: %s\n", f->later);
}

static void print_text(const struct search *s, const char *path)
{
	printf("%s\n  SHA-256 %s\n", path, s->file.hex[0]);
	for (size_t i = 0; i < s->n; i++)
		print_finding(&s->found[i], &s->weighed[i]);
	if (s->n == 0)
		printf("  the log shows nothing about this file\n");
	printf(
	    "checked   log %s, search by the file's SHA-2 and SHA-3 hashes complete to size %llu "
	    "as it says;\n          for each entry: the log's signature%s, inclusion, the signers' "
	    "signatures,\n          their accreditation back to entry 0%s\n",
	    client_origin(s->client), (unsigned long long)s->complete_to,
	    policy_needs_witnesses(s->policy) ? " and the witnesses' quorum" : "",
	    s->centre ? " by the centre you named" : "");
	printf(
	    "cannot    that this is everything: the log could hide entries from its search%s%s\n",
	    policy_needs_witnesses(s->policy) ? ""
					      : ";\n          or show others another history, "
						"since the policy asks for no witness",
	    s->centre ? ""
		      : ";\n          that this is the centre you mean (pin it with --centre)");
	printf("%.*s\n", (int)s->sentence.len, (const char *)s->sentence.data);
}

static struct json *signers_json(const struct checked *c)
{
	struct json *list = json_new_array();

	for (size_t i = 0; i < c->n_signers; i++) {
		const char *party = c->signer[i].party;

		json_add_element(&list, JSON_OBJECT_OF({"keyid", json_new_str(c->signer[i].keyid)},
						       {"party", party != NULL ? json_new_str(party)
									       : json_absent()}));
	}
	return list;
}

static struct json *finding_json(const struct finding *f, const struct weighed *w)
{
	const struct checked *c = &f->checked;
	const char *why = unproven(f)       ? "its signatures were not checked"
			  : f->err != VT_OK ? c->why.text
					    : NULL;
	bool record = f->err == VT_OK && !c->raw;
	struct bytes result;

	return JSON_OBJECT_OF(
	    {"index", json_new_integer((int64_t)f->index)}, {"holds", json_new_bool(why == NULL)},
	    {"why", why != NULL ? json_new_str(why) : json_absent()},
	    {"admissionProven", json_new_bool(c->proven_admission)},
	    {"predicateType", record ? json_new_text(c->statement.predicate_type) : json_absent()},
	    {"result", record && statement_result(&c->statement, &result) ? json_new_text(result)
									  : json_absent()},
	    {"standing", w->standing.n > 0 ? describe_standing(&w->standing) : json_absent()},
	    {"signers", signers_json(c)});
}

static struct json *digests_json(const struct file_digests *file)
{
	struct json *j = json_new_object();

	for (size_t i = 0; i < file->n; i++)
		json_add(&j, file->algorithm[i]->name, json_new_str(file->hex[i]));
	return j;
}

static int print_json(const struct search *s, const char *path, int code)
{
	struct json *list = json_new_array();

	for (size_t i = 0; i < s->n; i++)
		json_add_element(&list, finding_json(&s->found[i], &s->weighed[i]));
	return cmd_print_json(
	    "find",
	    JSON_OBJECT_OF({"file", json_new_str(path)}, {"sha256", json_new_str(s->file.hex[0])},
			   {"digests", digests_json(&s->file)},
			   {"log", json_new_str(client_origin(s->client))},
			   {"completeTo", json_new_integer((int64_t)s->complete_to)},
			   {"holds", json_new_bool(code == CMD_HOLDS)},
			   {"why", json_new_text(buf_bytes(&s->sentence))}, {"findings", list}));
}

static int search_file(struct search *s, const char *path)
{
	struct client_config config = {
	    .url = opt_log, .wait = cmd_wait_before_retry, .ctx = command_name};
	struct why why = {""};
	int printed, code = cmd_read_policy("find", opt_policy, &s->policy);

	if (code == CMD_HOLDS && opt_centre != NULL)
		code = cmd_read_public_key("find", "centre", opt_centre, &s->centre);
	if (code == CMD_HOLDS)
		code = file_digests_read(&s->file, "find", path);
	if (code != CMD_HOLDS)
		return code;
	if (merkle_hasher_init(&s->hasher) != VT_OK)
		return cmd_fail("find", CMD_UNSURE, "out of memory");
	s->have_hasher = true;
	config.policy = s->policy;
	if (client_new(&s->client, &config, &why) != VT_OK)
		return cmd_fail("find", CMD_USAGE, "--log %s: %s", opt_log, why.text);
	enum vt_err err = client_refresh(s->client, &why);
	if (err != VT_OK)
		return cmd_fail(
		    "find", err == VT_EMISMATCH || err == VT_EUNTRUSTED ? CMD_FAILS : CMD_UNSURE,
		    "%s: %s", opt_log, why.text);
	if ((code = check_all(s)) != CMD_HOLDS)
		return code;
	if ((code = weigh_findings(s)) != CMD_HOLDS && s->weighed == NULL)
		return code;
	if (s->sentence.len == 0)
		return cmd_fail("find", CMD_UNSURE, "%s", vt_err_text(VT_ENOMEM));
	if (!opt_json) {
		print_text(s, path);
		return code;
	}
	printed = print_json(s, path, code);
	return code == CMD_HOLDS ? printed : code;
}

int cmd_find(int argc, char **argv)
{
	struct search s = {0};
	struct operands rest;
	bool help = false;
	int code;

	if (options_parse(&usage, argc, argv, &rest, &help, stderr) != VT_OK)
		return CMD_USAGE;
	if (help)
		return CMD_HOLDS;
	if (rest.n != 1)
		return cmd_fail("find", CMD_USAGE, "one file is needed; %zu given", rest.n);
	if (!weigh_result_known(opt_verdict))
		return cmd_fail("find", CMD_USAGE, "--require-verdict: PASSED, WARNED or FAILED");
	code = search_file(&s, rest.arg[0]);
	for (size_t i = 0; i < s.n; i++)
		checked_release(&s.found[i].checked);
	free(s.found);
	free(s.weighed);
	buf_release(&s.sentence);
	client_free(s.client);
	if (s.have_hasher)
		merkle_hasher_release(&s.hasher);
	party_key_free(s.centre);
	policy_free(s.policy);
	return code;
}
