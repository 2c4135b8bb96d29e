/*
 * Each admission rule, tripped alone: a record that is admitted but for one thing, the problem that this thing is
 * answered with, and where the answer says it is. The last test holds the list of problems against what was tripped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsse.h"
#include "extra.h"
#include "record_world.h"

static bool tripped[128];

static void note(const struct problem *why, const char *slug, const char *detail)
{
	size_t i = 0;

	if (why->type == NULL)
		fail_msg("expected %s, but no problem was set", slug);
	if (strcmp(why->type->slug, slug) != 0)
		fail_msg("expected %s, got %s: %s", slug, why->type->slug, why->detail);
	if (strstr(why->detail, detail) == NULL)
		fail_msg("%s: \"%s\" does not say \"%s\"", slug, why->detail, detail);
	while (&admission_problems[i] != why->type)
		i++;
	tripped[i] = true;
}

static void refused_named(struct world *w, struct bytes body, const struct merkle_hash *key_hint,
			  enum vt_err expected, const char *slug, const char *detail)
{
	uint64_t index;
	size_t n = w->n;
	uint64_t version = registry_version(w->registry);
	enum vt_err err = world_submit_named(w, body, key_hint, &index, NULL);

	if (err == VT_OK)
		fail_msg("expected %s, but it was admitted", slug);
	note(&w->why, slug, detail);
	assert_int_equal(err, expected);
	assert_int_equal(w->n, n);
	assert_int_equal(registry_version(w->registry), version);
}

static void refused(struct world *w, struct bytes body, enum vt_err expected, const char *slug,
		    const char *detail)
{
	refused_named(w, body, NULL, expected, slug, detail);
}

/* A change to a text, and what comes of it. */
struct change {
	const char *slug;
	const char *from;
	const char *to;
	const char *detail;
	enum vt_err err; /* 0: VT_EMALFORMED */
};

/* Sign `payload` (with ' for ") after each change. Unchanged, it must be admitted: so that nothing else is wrong. */
static void try_changes(struct world *w, const char *payload, struct signer *const *by, size_t n_by,
			const struct change *change, size_t n)
{
	char *base = quoted(payload);
	struct buf body;

	for (size_t i = 0; i < n; i++) {
		char *from = quoted(change[i].from), *to = quoted(change[i].to);
		char *text = edited(base, from, to);

		world_sign(&body, bytes_str(text), by, n_by);
		refused(w, buf_bytes(&body), change[i].err == VT_OK ? VT_EMALFORMED : change[i].err,
			change[i].slug, change[i].detail);
		buf_release(&body);
		free(text);
		free(from);
		free(to);
	}
	world_sign(&body, bytes_str(base), by, n_by);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
	free(base);
}

#define TRY_CHANGES(w, payload, by, changes)                                                       \
	try_changes(w, payload, (struct signer *const[]){by}, 1, changes,                          \
		    sizeof(changes) / sizeof((changes)[0]))

#define DIGEST "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

static const char verdict[] =
    "{'_type':'https://in-toto.io/Statement/v1',"
    "'subject':[{'name':'bios.bin','digest':{'sha256':'" DIGEST "'}}],"
    "'predicateType':'https://in-toto.io/attestation/test-result/v0.1',"
    "'predicate':{'result':'PASSED','configuration':[{'uri':'https://lab.example/suite/7'}],"
    "'url':'https://lab.example/runs/1','passedTests':['boots','updates'],"
    "'assessment':{'laboratory':{'name':'Lab One','location':'Delft'},'reportId':'L1-2026-17',"
    "'scheme':'EN 18031-1','dates':{'received':'2026-11-01T09:00:00Z',"
    "'started':'2026-11-02T09:00:00Z','completed':'2026-11-20T17:00:00+01:00',"
    "'issued':'2026-11-22T14:40:50Z'},'decisionRule':'simple acceptance','deviations':[],"
    "'report':{'name':'report.pdf','digest':{'sha256':'" DIGEST "'}}}}}";

/* -- size, JSON, envelope ------------------------------------------------------------------------ */

static void oversized_bodies_are_refused(void **state)
{
	struct world *w = *state;
	struct buf body;

	buf_init(&body);
	while (body.len <= RECORD_BODY_MAX)
		assert_int_equal(buf_append_str(&body, "        "), VT_OK);
	refused(w, buf_bytes(&body), VT_ELIMIT, "body-too-large", "262152 bytes, expected at most");
	buf_release(&body);
}

static void what_is_not_json_is_refused(void **state)
{
	struct world *w = *state;
	char deep[2 * 33 + 1];

	memset(deep, '[', 33);
	memset(deep + 33, ']', 33);
	deep[2 * 33] = '\0';
	refused(w, bytes_str(deep), VT_ELIMIT, "body-depth", "byte 32");
	refused(w, bytes_str(""), VT_EMALFORMED, "body-not-json", "byte 0");
	refused(w, bytes_str("{\"a\":1,\"a\":2}"), VT_EMALFORMED, "body-not-json", "duplicate");
}

static void refused_changed(struct world *w, const char *base, const struct change *changes,
			    size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *text = edited(base, changes[i].from, changes[i].to);
		char *body = quoted(text);

		refused(w, bytes_str(body),
			changes[i].err == VT_OK ? VT_EMALFORMED : changes[i].err, changes[i].slug,
			changes[i].detail);
		free(body);
		free(text);
	}
}

static void what_is_no_envelope_is_refused(void **state)
{
	struct world *w = *state;
	static const char base[] = "{'payload':'e30=','payloadType':'application/vnd.in-toto+json',"
				   "'signatures':[{'keyid':'k','sig':'AAAA'}]}";
	static const struct change changes[] = {
	    {"envelope-shape", "'payload':'e30=',", "", "payload: missing", 0},
	    {"envelope-shape", "'e30='", "7", "payload: an integer, expected a string", 0},
	    {"envelope-shape", "'payloadType':'application/vnd.in-toto+json',", "",
	     "payloadType: missing", 0},
	    {"envelope-shape", "[{'keyid':'k','sig':'AAAA'}]", "{}",
	     "signatures: an object, expected an array", 0},
	    {"envelope-shape", "{'keyid':'k','sig':'AAAA'}", "'AAAA'",
	     "signatures[0]: a string, expected an object", 0},
	    {"envelope-shape", ",'sig':'AAAA'", "", "signatures[0].sig: missing", 0},
	    {"envelope-shape", "'keyid':'k'", "'keyid':7",
	     "signatures[0].keyid: an integer, expected a string", 0},
	    {"signature-unregistered", "'keyid':'k'", "'keyid':null", "none of 1 verifies",
	     VT_EUNTRUSTED},
	    {"envelope-payload-type", "in-toto+json", "in-toto.json",
	     "payloadType: \"application/vnd.in-toto.json\", expected", 0},
	    {"envelope-base64", "e30=", "e31=", "payload: not base64", 0},
	    {"envelope-base64", "AAAA", "AA A", "signatures[0].sig: not base64", 0},
	    {"envelope-signature-count", "[{'keyid':'k','sig':'AAAA'}]", "[]",
	     "signatures: 0, expected 1 to 16", 0},
	};

	refused_changed(w, base, changes, sizeof(changes) / sizeof(changes[0]));
	refused(w, bytes_str("[]"), VT_EMALFORMED, "envelope-shape", "the body: an array");
}

static void what_is_no_bundle_of_a_record_is_refused(void **state)
{
	struct world *w = *state;
	static const char base[] =
	    "{'mediaType':'application/vnd.dev.sigstore.bundle.v0.3+json',"
	    "'verificationMaterial':{'certificate':{'rawBytes':'MAA='},'tlogEntries':[]},"
	    "'dsseEnvelope':{'payload':'e30=','payloadType':'application/vnd.in-toto+json',"
	    "'signatures':[{'sig':'AAAA'}]}}";
	static const struct change changes[] = {
	    {"signature-unregistered", "MAA=", "MAAA", "the key of a certificate", VT_EUNTRUSTED},
	    {"signature-unregistered", "'certificate':{'rawBytes':'MAA='}",
	     "'x509CertificateChain':{}", "the key of a certificate", VT_EUNTRUSTED},
	    {"signature-unregistered", "bundle.v0.3+json", "bundle+json;version=0.1",
	     "the key of a certificate", VT_EUNTRUSTED},
	    {"signature-unregistered", "'certificate':{'rawBytes':'MAA='}",
	     "'publicKey':{'hint':7}", "none of 1 verifies under a registered key (0 tried)",
	     VT_EUNTRUSTED},
	    {"signature-unregistered", "'dsseEnvelope'", "'messageSignature':null,'dsseEnvelope'",
	     "none of 1", VT_EUNTRUSTED},
	    {"envelope-shape", "'dsseEnvelope'", "'messageSignature':{},'dsseEnvelope'",
	     "messageSignature: the bundle signs a file", 0},
	    {"envelope-shape", "'dsseEnvelope'", "'dsse'", "dsseEnvelope: missing", 0},
	    {"envelope-shape", "{'payload'", "null,'x':{'payload'", "dsseEnvelope: null", 0},
	    {"envelope-shape", "'payload':'e30=',", "", "payload: missing", 0},
	    {"envelope-shape", "'payloadType':'application/vnd.in-toto+json',", "",
	     "payloadType: missing", 0},
	    {"envelope-payload-type", "in-toto+json", "in-toto.json",
	     "payloadType: \"application/vnd.in-toto.json\", expected", 0},
	    /* Of something else, or beside a payloadType, the members of a bundle mean nothing. */
	    {"envelope-shape", "sigstore.bundle.v", "sigstore.bundle-v", "payloadType: missing", 0},
	    {"envelope-shape", "{'mediaType'",
	     "{'payloadType':'application/vnd.in-toto+json','mediaType'", "payload: missing", 0},
	};

	refused_changed(w, base, changes, sizeof(changes) / sizeof(changes[0]));
}

static void the_17th_signature_is_refused(void **state)
{
	struct world *w = *state;
	struct dsse_signature sig[17];
	struct buf body;

	for (size_t i = 0; i < 17; i++)
		sig[i] = (struct dsse_signature){bytes_str("k"), bytes_str("s")};
	buf_init(&body);
	assert_int_equal(dsse_write(&body, bytes_str("{}"), sig, 17), VT_OK);
	refused(w, buf_bytes(&body), VT_EMALFORMED, "envelope-signature-count",
		"signatures: 17, expected 1 to 16");
	buf_release(&body);
}

/* A payload of `len` bytes: the verdict, padded with a member that nobody looks at. */
static void pad_verdict(struct buf *out, size_t len)
{
	char *text = quoted(verdict);

	buf_init(out);
	text[strlen(text) - 1] = '\0';
	assert_int_equal(buf_appendf(out, "%s,\"pad\":\"", text), VT_OK);
	while (out->len < len - 2)
		assert_int_equal(buf_append_byte(out, 'x'), VT_OK);
	assert_int_equal(buf_append_str(out, "\"}"), VT_OK);
	assert_int_equal(out->len, len);
	free(text);
}

static void an_entry_has_at_most_65535_bytes(void **state)
{
	struct world *w = *state;
	struct buf payload, body;
	size_t len = 48000;
	uint8_t raw[64] = {0};
	struct dsse_signature sig = {bytes_str(DIGEST), bytes_of(raw, sizeof(raw))};

	/* An entry grows by four for three bytes of payload: the longest is 65535 - 3 long at most. */
	while (dsse_canonical_len(len + 1, &sig, 1) <= RECORD_ENTRY_MAX)
		len++;
	assert_true(dsse_canonical_len(len, &sig, 1) > RECORD_ENTRY_MAX - 4);
	pad_verdict(&payload, len + 1);
	world_sign_one(&body, buf_bytes(&payload), w->lab);
	refused(w, buf_bytes(&body), VT_ELIMIT, "entry-too-large", "the entry would have");
	buf_release(&payload);
	buf_release(&body);
	/* One that does not fit whatever its signatures are is refused before they are looked at. */
	pad_verdict(&payload, len + 200);
	world_sign_one(&body, buf_bytes(&payload), w->stranger);
	refused(w, buf_bytes(&body), VT_ELIMIT, "entry-too-large", "do not fit an entry");
	buf_release(&payload);
	buf_release(&body);
	pad_verdict(&payload, len);
	world_sign_one(&body, buf_bytes(&payload), w->lab);
	world_append(w, buf_bytes(&body));
	assert_int_equal(w->entry[w->n - 1].bytes.len, dsse_canonical_len(len, &sig, 1));
	buf_release(&payload);
	buf_release(&body);
}

/* -- signatures ---------------------------------------------------------------------------------- */

static void strangers_are_refused(void **state)
{
	struct world *w = *state;
	char *text = quoted(verdict);
	struct buf body;

	world_sign_one(&body, bytes_str(text), w->stranger);
	refused(w, buf_bytes(&body), VT_EUNTRUSTED, "signature-unregistered",
		"none of 1 verifies under a registered key (4 tried)");
	refused_named(w, buf_bytes(&body), world_keyid(w->stranger), VT_EUNTRUSTED, "key-unknown",
		      "never registered");
	refused_named(w, buf_bytes(&body), world_keyid(w->lab), VT_EUNTRUSTED,
		      "signature-unregistered", "(1 tried)");
	buf_release(&body);
	free(text);
}

/* 16 signatures that look right, 4 keys that could have made each: the 65th trial is one too many. */
static void the_65th_trial_is_refused(void **state)
{
	struct world *w = *state;
	struct dsse_signature sig[16];
	uint8_t raw[16][64] = {{0}};
	char *text = quoted(verdict);
	struct buf body, grant;
	static const char *const types[] = {PREDICATE_TEST_RESULT};
	struct signer *more;
	struct world_grant g = {
	    .party = "lab-2", .role = "lab", .previous = -1, .types = types, .n_types = 1};

	for (size_t i = 0; i < 16; i++) {
		raw[i][0] = (uint8_t)i;
		sig[i] = (struct dsse_signature){bytes_str(""), bytes_of(raw[i], sizeof(raw[i]))};
	}
	buf_init(&body);
	assert_int_equal(dsse_write(&body, bytes_str(text), sig, 16), VT_OK);
	refused(w, buf_bytes(&body), VT_EUNTRUSTED, "signature-unregistered", "(64 tried)");
	assert_int_equal(signer_generate(&more, "ed25519", NULL), VT_OK);
	g.key = more;
	world_grant(w, &grant, &g);
	world_append(w, buf_bytes(&grant));
	refused(w, buf_bytes(&body), VT_ELIMIT, "signature-trials", "more than 64 keys");
	/* Naming one key makes it cheap again. */
	refused_named(w, buf_bytes(&body), world_keyid(w->lab), VT_EUNTRUSTED,
		      "signature-unregistered", "(16 tried)");
	buf_release(&grant);
	buf_release(&body);
	signer_free(more);
	free(text);
}

static void nothing_comes_before_the_centre(void **state)
{
	struct world *w = *state;
	char *text = quoted(verdict);
	struct buf body;

	/* Unpinned, the payload would have to name the key. */
	world_sign_one(&body, bytes_str(text), w->centre);
	refused(w, buf_bytes(&body), VT_EUNTRUSTED, "log-not-begun", "the log is empty");
	w->view.centre = world_spki(w->centre);
	refused(w, buf_bytes(&body), VT_EUNTRUSTED, "log-not-begun",
		"the centre's own accreditation comes first");
	refused_named(w, buf_bytes(&body), world_keyid(w->lab), VT_EUNTRUSTED, "key-unknown",
		      "not the centre's");
	buf_release(&body);
	world_sign_one(&body, bytes_str(text), w->lab);
	refused(w, buf_bytes(&body), VT_EUNTRUSTED, "log-not-begun",
		"no signature is by the centre");
	buf_release(&body);
	free(text);
}

/* -- statements ---------------------------------------------------------------------------------- */

static void statements_keep_their_rules(void **state)
{
	struct world *w = *state;
	static const struct change changes[] = {
	    {"payload-not-json", "'predicate':{", "'predicate':{,", "payload byte", 0},
	    {"payload-not-json", "'url':'https://lab.example/runs/1'", "'url':1,'url':2",
	     "duplicate member", 0},
	    {"statement-shape", "'_type':'https://in-toto.io/Statement/v1',", "", "_type: missing",
	     0},
	    {"statement-type", "Statement/v1", "Statement/v2",
	     "_type: \"https://in-toto.io/Statement/v2\", expected", 0},
	    {"statement-shape", "'subject':[", "'subject':7,'subjects':[",
	     "subject: an integer, expected an array", 0},
	    {"statement-subject-count", "[{'name':'bios.bin','digest':{'sha256':'" DIGEST "'}}]",
	     "[]", "subject: 0, expected 1 to 64", 0},
	    {"statement-subject-shape", "{'name':'bios.bin','digest':{'sha256':'" DIGEST "'}}",
	     "'bios.bin'", "subject[0]: a string, expected an object", 0},
	    {"statement-subject-shape", "'name':'bios.bin'", "'name':7",
	     "subject[0].name: an integer, expected a string", 0},
	    {"statement-subject-shape", "'digest':{'sha256':'" DIGEST "'}", "'digests':{}",
	     "subject[0].digest: missing", 0},
	    {"statement-digest-form", DIGEST "'}}],'pred", "x'}}],'pred",
	     "subject[0].digest.sha256: not lower-case hexadecimal at character 1", 0},
	    {"statement-digest-form", "9f86d0", "f86d0",
	     "subject[0].digest.sha256: 63 hex digits, expected 64", 0},
	    {"statement-digest-form", "9f86d0", "9F86d0",
	     "subject[0].digest.sha256: not lower-case hexadecimal at character 2", 0},
	    {"statement-digest-form", "'sha256':'" DIGEST "'", "'md5':7",
	     "subject[0].digest.md5: an integer, expected a string", 0},
	    {"statement-digest-missing", "sha256", "md5", "subject[0].digest: no strong digest", 0},
	    {"statement-digest-missing", "'sha256':'" DIGEST "'",
	     "'gitCommit':'d20ace7968ba43c0219f62d71334c1095bab1602'",
	     "subject[0].digest: no strong digest", 0},
	    {"statement-shape",
	     "'predicateType':'https://in-toto.io/attestation/test-result/v0.1',", "",
	     "predicateType: missing", 0},
	    {"statement-predicate-type", "'https://in-toto.io/attestation/test-result/v0.1'",
	     "'test-result'", "predicateType: \"test-result\" is not a URI", 0},
	    {"statement-shape", "'predicate':{", "'predicate':'x','x':{",
	     "predicate: a string, expected an object", 0},
	};

	TRY_CHANGES(w, verdict, w->lab, changes);
}

/* Readers that fold case would take one name for the other. */
static void names_in_other_letter_case_are_refused(void **state)
{
	struct world *w = *state;
	static const char slug[] = "statement-member-case";
	static const struct change changes[] = {
	    {slug, "'predicate':{", "'Subject':[],'predicate':{",
	     "Subject: differs from \"subject\" in letter case alone", 0},
	    {slug, "'predicate':{", "'predicatetype':'x','predicate':{",
	     "predicatetype: differs from \"predicateType\"", 0},
	    {slug, "'predicate':{", "'\xc5\xbfubject':[],'predicate':{", "differs from \"subject\"",
	     0},
	    {slug, "'name':'bios.bin'", "'NAME':'bios.bin'",
	     "subject[0].NAME: differs from \"name\"", 0},
	    {slug, "'result':'PASSED'", "'result':'PASSED','Result':'FAILED'",
	     "predicate.Result: differs from \"result\"", 0},
	    {slug, "'result':'PASSED'", "'result':'PASSED','Assessment':{}",
	     "predicate.Assessment: differs from \"assessment\"", 0},
	    {slug, "[{'uri':", "[{'URI':'x','uri':",
	     "predicate.configuration[0].URI: differs from \"uri\"", 0},
	    /* Which rules hold must be certain first; and this comes before the subjects' own. */
	    {"statement-shape", "'predicateType'", "'PredicateType'", "predicateType: missing", 0},
	    {slug, "'digest':", "'Digest':", "subject[0].Digest: differs from \"digest\"", 0},
	};
	static const char *const taken[][2] = {
	    {"'predicate':{", "'Subjects':[],'RESULT':1,'predicate':{'Extra':1,'eXtra':2,"},
	    {"'digest':{", "'digest':{'MD5':'x','md5':'y',"},
	    {"'predicate':{", "'predicate':{'PURL':'only a release has one',"},
	};

	TRY_CHANGES(w, verdict, w->lab, changes);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		char *base = quoted(verdict), *from = quoted(taken[i][0]),
		     *to = quoted(taken[i][1]);
		char *text = edited(base, from, to);
		struct buf body;

		world_sign_one(&body, bytes_str(text), w->lab);
		world_append(w, buf_bytes(&body));
		buf_release(&body);
		free(text);
		free(from);
		free(to);
		free(base);
	}
}

/* n subjects with m digests each, all different. */
static char *many_subjects(size_t n, size_t m)
{
	static const char *const algorithm[] = {"sha256", "sha512_256", "sha3_256", "gitTree"};
	struct buf text;
	char *base, *out;

	assert_true(m <= 4);
	buf_init(&text);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(buf_append_str(&text, i == 0 ? "[" : ","), VT_OK);
		for (size_t k = 0; k < m; k++)
			assert_int_equal(buf_appendf(&text, "%s'%s':'%064zx'",
						     k == 0 ? "{'digest':{" : ",", algorithm[k],
						     i * m + k),
					 VT_OK);
		assert_int_equal(buf_append_str(&text, "}}"), VT_OK);
	}
	assert_int_equal(buf_append_str(&text, "]"), VT_OK);
	base = buf_detach_str(&text);
	out = edited(verdict, "[{'name':'bios.bin','digest':{'sha256':'" DIGEST "'}}]", base);
	free(base);
	base = quoted(out);
	free(out);
	return base;
}

static void subjects_and_digests_are_bounded(void **state)
{
	struct world *w = *state;
	struct buf body;
	char *text;

	text = many_subjects(65, 1);
	world_sign_one(&body, bytes_str(text), w->lab);
	refused(w, buf_bytes(&body), VT_EMALFORMED, "statement-subject-count",
		"subject: 65, expected 1 to 64");
	buf_release(&body);
	free(text);
	text = many_subjects(49, 4);
	world_sign_one(&body, bytes_str(text), w->lab);
	refused(w, buf_bytes(&body), VT_EMALFORMED, "statement-digest-count",
		"more than 192 digests");
	buf_release(&body);
	free(text);
	text = many_subjects(64, 3);
	world_sign_one(&body, bytes_str(text), w->lab);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
	free(text);
}

/* -- signers ------------------------------------------------------------------------------------- */

static void change_status(struct world *w, struct signer *key, const char *party, const char *role,
			  enum accreditation_status status, int64_t previous)
{
	static const char *const types[] = {PREDICATE_TEST_RESULT};
	struct world_grant g = {.party = party,
				.role = role,
				.key = key,
				.status = status,
				.previous = previous,
				.types = types,
				.n_types = 1,
				.no_possession = true};
	struct buf body;

	world_grant(w, &body, &g);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
}

static void signers_must_be_accredited(void **state)
{
	struct world *w = *state;
	struct signer *both[2] = {w->lab, w->vendor};
	char *text = quoted(verdict), *changed;
	struct buf vendors, labs, joint;

	world_sign_one(&vendors, bytes_str(text), w->vendor);
	refused(w, buf_bytes(&vendors), VT_EUNTRUSTED, "signer-not-accredited",
		"of \"acme\": entry 2 does not accredit it for "
		"\"https://in-toto.io/attestation/test-result/v0.1\"");
	/* One signer that may does not carry another that may not. */
	world_sign(&joint, bytes_str(text), both, 2);
	refused(w, buf_bytes(&joint), VT_EUNTRUSTED, "signer-not-accredited", "of \"acme\"");
	world_sign_one(&labs, bytes_str(text), w->lab);
	change_status(w, w->lab, "lab-1", "lab", ACCREDITATION_SUSPENDED, 1);
	refused(w, buf_bytes(&labs), VT_EUNTRUSTED, "signer-suspended",
		"of \"lab-1\": suspended by entry 3");
	change_status(w, w->lab, "lab-1", "lab", ACCREDITATION_GRANTED, 3);
	world_append(w, buf_bytes(&labs));
	change_status(w, w->lab, "lab-1", "lab", ACCREDITATION_ENDED, 4);
	buf_release(&labs);
	free(text);
	changed = edited(verdict, "runs/1", "runs/2");
	text = quoted(changed);
	world_sign_one(&labs, bytes_str(text), w->lab);
	refused(w, buf_bytes(&labs), VT_EUNTRUSTED, "signer-ended",
		"of \"lab-1\": ended by entry 6");
	buf_release(&labs);
	buf_release(&joint);
	buf_release(&vendors);
	free(changed);
	free(text);
}

/* -- verdicts ------------------------------------------------------------------------------------ */

static void verdicts_keep_their_rules(void **state)
{
	struct world *w = *state;
	static const struct change changes[] = {
	    {"test-result-result", "'result':'PASSED',", "", "predicate.result: missing", 0},
	    {"test-result-result", "PASSED", "passed",
	     "predicate.result: \"passed\", expected PASSED, WARNED or FAILED", 0},
	    {"test-result-configuration",
	     "'configuration':[{'uri':'https://lab.example/suite/7'}],", "",
	     "predicate.configuration: missing", 0},
	    {"test-result-configuration", "'uri':'https://lab.example/suite/7'", "'name':'suite'",
	     "predicate.configuration[0]: expected uri, digest or content", 0},
	    {"test-result-configuration", "'uri':'https://lab.example/suite/7'",
	     "'digest':{'sha256':'ab'}",
	     "predicate.configuration[0].digest.sha256: 2 hex digits, expected 64", 0},
	    {"test-result-configuration", "'uri':'https://lab.example/suite/7'", "'uri':7",
	     "predicate.configuration[0].uri: an integer", 0},
	    {"test-result-tests", "'boots','updates'", "'boots',7",
	     "predicate.passedTests[1]: an integer, expected a string", 0},
	    {"test-result-tests", "['boots','updates']", "'boots'",
	     "predicate.passedTests: a string, expected an array", 0},
	    {"test-result-tests", "'https://lab.example/runs/1'", "[]",
	     "predicate.url: an array, expected a string", 0},
	    {"test-result-assessment", "'assessment':{", "'assessment':7,'x':{",
	     "predicate.assessment: an integer", 0},
	    {"test-result-assessment", "'name':'Lab One',", "",
	     "predicate.assessment.laboratory.name: missing", 0},
	    {"test-result-assessment", "'laboratory':{'name':'Lab One','location':'Delft'},", "",
	     "predicate.assessment.laboratory: missing", 0},
	    {"test-result-assessment", "'Delft'", "''",
	     "predicate.assessment.laboratory.location: 0 bytes", 0},
	    {"test-result-assessment", "'reportId':'L1-2026-17',", "",
	     "predicate.assessment.reportId: missing", 0},
	    {"test-result-assessment", "'scheme':'EN 18031-1',", "",
	     "predicate.assessment.scheme: missing", 0},
	    {"test-result-assessment", "'decisionRule':'simple acceptance',", "",
	     "predicate.assessment.decisionRule: missing", 0},
	    {"test-result-assessment", "'deviations':[],", "",
	     "predicate.assessment.deviations: missing", 0},
	    {"test-result-assessment", "'dates':{", "'dates':7,'x':{",
	     "predicate.assessment.dates: an integer", 0},
	    {"test-result-assessment", "2026-11-01T09:00:00Z", "2026-11-31T09:00:00Z",
	     "predicate.assessment.dates.received: \"2026-11-31T09:00:00Z\" is not an RFC 3339", 0},
	    {"test-result-assessment", "2026-11-02T09:00:00Z", "2026-11-02",
	     "predicate.assessment.dates.started", 0},
	    {"test-result-assessment", "2026-11-20T17:00:00+01:00", "2026-11-02T09:00:00+01:00",
	     "predicate.assessment.dates.completed: before started", 0},
	    {"test-result-assessment", ",'issued':'2026-11-22T14:40:50Z'", "",
	     "predicate.assessment.dates.issued: missing", 0},
	    {"test-result-assessment",
	     "'report':{'name':'report.pdf','digest':{'sha256':'" DIGEST "'}}",
	     "'report':{'uri':'https://lab.example/report.pdf'}",
	     "predicate.assessment.report.digest: missing", 0},
	    {"test-result-assessment",
	     "'report':{'name':'report.pdf','digest':{'sha256':'" DIGEST "'}}",
	     "'report':{'digest':{'md5':'x'}}",
	     "predicate.assessment.report.digest: no strong digest", 0},
	};

	TRY_CHANGES(w, verdict, w->lab, changes);
}

/* -- releases ------------------------------------------------------------------------------------ */

static const char release[] =
    "{'_type':'https://in-toto.io/Statement/v1',"
    "'subject':[{'name':'router.bin','digest':{'sha256':'" DIGEST "'}}],"
    "'predicateType':'https://in-toto.io/attestation/release/v0.2',"
    "'predicate':{'purl':'pkg:generic/acme/router@1.2.3?arch=arm64','packageId':'17',"
    "'firmware':{'vendor':'Acme','model':'R-1','hardwareRevisions':['A','B'],'version':'1.2.3',"
    "'suit':{'name':'manifest.suit','digest':{'sha256':'" DIGEST "'}}}}}";

static void releases_keep_their_rules(void **state)
{
	struct world *w = *state;
	static const struct change changes[] = {
	    {"release-purl", "'purl':'pkg:generic/acme/router@1.2.3?arch=arm64',", "",
	     "predicate.purl: missing", 0},
	    {"release-purl", "pkg:generic", "npm:generic", "does not begin with pkg:", 0},
	    {"release-purl", "pkg:generic/acme/router@1.2.3?arch=arm64", "pkg:router@1.2.3",
	     "has no type", 0},
	    {"release-purl", "pkg:generic", "pkg:7generic", "has no type", 0},
	    {"release-purl", "router@1.2.3", "router", "has no version", 0},
	    {"release-purl", "router@1.2.3", "router@", "has no version", 0},
	    {"release-purl", "router@1.2.3", "@1.2.3", "has no name", 0},
	    {"release-purl", "acme/router@1.2.3", "acme@1.2.3/router", "has no version", 0},
	    {"release-purl", "router@1.2.3", "router ", "is not a URI", 0},
	    {"release-package-id", "'packageId':'17'", "'packageId':17",
	     "predicate.packageId: an integer, expected a string", 0},
	    {"release-firmware", "'firmware':{", "'firmware':[],'x':{",
	     "predicate.firmware: an array, expected an object", 0},
	    {"release-firmware", "'vendor':'Acme',", "", "predicate.firmware.vendor: missing", 0},
	    {"release-firmware", "'model':'R-1',", "", "predicate.firmware.model: missing", 0},
	    {"release-firmware", "'version':'1.2.3',", "", "predicate.firmware.version: missing",
	     0},
	    {"release-firmware", "['A','B']", "'A'",
	     "predicate.firmware.hardwareRevisions: a string, expected an array", 0},
	    {"release-firmware", "'suit':{'name':'manifest.suit','digest':{'sha256':'" DIGEST "'}}",
	     "'suit':'manifest.suit'", "predicate.firmware.suit: a string, expected an object", 0},
	    {"release-firmware", "'suit':{'name':'manifest.suit','digest':{'sha256':'" DIGEST "'}}",
	     "'suit':{'uri':'https://acme.example/manifest.suit'}",
	     "predicate.firmware.suit.digest: missing", 0},
	};

	TRY_CHANGES(w, release, w->vendor, changes);
}

static void release_v01_has_its_own_member_name(void **state)
{
	struct world *w = *state;
	static const struct change changes[] = {
	    {"release-package-id", "'releaseId':'17'", "'releaseId':17",
	     "predicate.releaseId: an integer", 0},
	};
	char *v01 = edited(release, "release/v0.2", "release/v0.1");
	char *renamed = edited(v01, "packageId", "releaseId");

	TRY_CHANGES(w, renamed, w->vendor, changes);
	free(renamed);
	free(v01);
}

/* -- audit events -------------------------------------------------------------------------------- */

static const char audit_event[] =
    "{'_type':'https://in-toto.io/Statement/v1',"
    "'subject':[{'digest':{'sha256':'" DIGEST "'}}],"
    "'predicateType':'urn:vitrine:predicate:audit-event:v1',"
    "'predicate':{'id':'urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8','eventType':'control',"
    "'action':'update/config','outcome':'success/partial','eventTime':'2026-11-22T14:40:50.123Z',"
    "'reason':{'reasonCode':'403','policyId':'p'},"
    "'initiator':{'id':'role:operator','typeURI':'data/security/account/admin','name':'x'},"
    "'targetId':'service:log','observer':{'id':'service:centre','typeURI':'service/security'},"
    "'attachments':[{'name':'ticket','digest':{'hmac_sha256':'" DIGEST "'}},"
    "{'content':'text','typeURI':'text/plain'}]}}";

static void audit_events_keep_their_rules(void **state)
{
	struct world *w = *state;
	static const struct change changes[] = {
	    {"audit-event-shape", "'id':'urn:uuid:6ba7b810-9dad-11d1-80b4-00c04fd430c8',", "",
	     "predicate.id: missing", 0},
	    {"audit-event-shape", "'action':'update/config',", "", "predicate.action: missing", 0},
	    {"audit-event-type", "'control'", "'event'",
	     "predicate.eventType: \"event\", expected activity, monitor or control", 0},
	    {"audit-event-type", "'eventType':'control',", "", "predicate.eventType: missing", 0},
	    {"audit-event-outcome", "success/partial", "successful",
	     "predicate.outcome: \"successful\", expected success", 0},
	    {"audit-event-outcome", "success/partial", "success/",
	     "predicate.outcome: \"success/\", expected success", 0},
	    {"audit-event-time", "14:40:50.123Z", "14:40:50.123", "predicate.eventTime", 0},
	    {"audit-event-reason", "'reason':{'reasonCode':'403','policyId':'p'},", "",
	     "predicate.reason: missing", 0},
	    {"audit-event-resource", "'id':'role:operator',", "", "predicate.initiator.id: missing",
	     0},
	    {"audit-event-resource", "'typeURI':'data/security/account/admin',", "",
	     "predicate.initiator.typeURI: missing", 0},
	    {"audit-event-resource", "'targetId':'service:log',", "", "predicate.target: missing",
	     0},
	    {"audit-event-resource", "'service:log'", "7", "predicate.targetId: an integer", 0},
	    {"audit-event-resource", "'observer':{", "'observer':[],'x':{",
	     "predicate.observer: an array, expected an object", 0},
	    {"audit-event-attachment", "hmac_sha256", "hmac",
	     "predicate.attachments[0].digest: no strong digest", 0},
	    {"audit-event-attachment", "'content':'text',", "",
	     "predicate.attachments[1]: expected digest or content", 0},
	    {"audit-event-attachment", "{'content':'text','typeURI':'text/plain'}", "7",
	     "predicate.attachments[1]: an integer, expected an object", 0},
	    {"audit-event-attachment", "'attachments':[", "'attachments':7,'x':[",
	     "predicate.attachments: an integer, expected an array", 0},
	};

	TRY_CHANGES(w, audit_event, w->centre, changes);
}

/* -- accreditations: what they say ----------------------------------------------------------------- */

/* The statement that accredits `key`; the caller frees. */
static char *accreditation_text(const struct signer *key, const char *role, const char *types)
{
	struct buf text;
	char keyid[65];

	hex_encode(keyid, bytes_of(world_keyid(key)->b, 32));
	buf_init(&text);
	assert_int_equal(buf_appendf(&text,
				     "{'_type':'https://in-toto.io/Statement/v1',"
				     "'subject':[{'digest':{'sha256':'%s'}}],"
				     "'predicateType':'" PREDICATE_ACCREDITATION "',"
				     "'predicate':{'log':'" WORLD_ORIGIN "','party':'lab-2',"
				     "'role':'%s','spki':'",
				     keyid, role),
			 VT_OK);
	assert_int_equal(buf_append_base64(&text, world_spki(key)), VT_OK);
	assert_int_equal(buf_appendf(&text,
				     "','scheme':'ed25519','keyidAliases':['lab-2-key'],"
				     "'predicateTypes':[%s],'status':'granted','previous':null,"
				     "'validUntil':'2027-11-22T14:40:50Z'}}",
				     types),
			 VT_OK);
	return buf_detach_str(&text);
}

static void accreditations_keep_their_rules(void **state)
{
	struct world *w = *state;
	struct signer *by[2] = {w->centre, w->stranger};
	static const char lab[] = "'https://in-toto.io/attestation/test-result/v0.1'";
	static const struct change changes[] = {
	    {"accreditation-log", "'log':'" WORLD_ORIGIN "',", "", "predicate.log: missing", 0},
	    {"accreditation-log", WORLD_ORIGIN, "log.example/other",
	     "predicate.log: \"log.example/other\", expected \"" WORLD_ORIGIN "\"", 0},
	    {"accreditation-party", "'lab-2'", "'Lab 2'", "predicate.party: expected 1 to 64", 0},
	    {"accreditation-party", "'lab-2'", "'-lab'", "a letter or digit first", 0},
	    {"accreditation-role", "'role':'lab',", "", "predicate.role: missing", 0},
	    {"accreditation-key", "'spki':'MCow",
	     "'spki':'MCo=", "predicate.spki: not standard padded base64", 0},
	    {"accreditation-key", "'spki':'MCow", "'spki':'MCoA", "predicate.spki: ", 0},
	    {"accreditation-scheme", "'ed25519'", "'ecdsa-p256-sha256'",
	     "predicate.scheme: \"ecdsa-p256-sha256\" is not a scheme of this key", 0},
	    {"accreditation-scheme", "'ed25519'", "'none'", "predicate.scheme: \"none\"", 0},
	    {"accreditation-subject", "'subject':[",
	     "'subject':[{'digest':{'sha256':'" DIGEST "'}},",
	     "subject: expected one, with digest.sha256", 0},
	    {"accreditation-aliases", "'lab-2-key'", "''", "predicate.keyidAliases[0]", 0},
	    {"accreditation-aliases", "['lab-2-key']", "'lab-2-key'",
	     "predicate.keyidAliases: a string, expected an array", 0},
	    {"accreditation-aliases", "'lab-2-key'", "'1','2','3','4','5','6','7','8','9'",
	     "predicate.keyidAliases: 9 elements, expected at most 8", 0},
	    {"accreditation-predicate-types", "'https://in-toto.io/attestation/test-result/v0.1'",
	     "", "predicate.predicateTypes: expected 1 to 32", 0},
	    {"accreditation-predicate-types", "'https://in-toto.io/attestation/test-result/v0.1'",
	     "'a:b','a:b'", "predicate.predicateTypes[1]: there already", 0},
	    {"accreditation-predicate-types", "'https://in-toto.io/attestation/test-result/v0.1'",
	     "'*'", "predicate.predicateTypes[0]: expected a URI", 0},
	    {"accreditation-predicate-types", "'https://in-toto.io/attestation/test-result/v0.1'",
	     "'" PREDICATE_ACCREDITATION "'", "only the centre may hold", 0},
	    {"accreditation-predicate-types", "'role':'lab'", "'role':'recovery'",
	     "a recovery key's is", 0},
	    {"accreditation-predicate-types", "'role':'lab'", "'role':'centre'",
	     "the centre's must contain", 0},
	    {"accreditation-status", "'granted'", "'revoked'",
	     "predicate.status: \"revoked\", expected granted, suspended or ended", 0},
	    {"accreditation-previous", "'previous':null,", "", "predicate.previous: missing", 0},
	    {"accreditation-previous", "'previous':null",
	     "'previous':{'index':-1,'leafHash':'" DIGEST "'}",
	     "predicate.previous.index: negative", 0},
	    {"accreditation-previous", "'previous':null", "'previous':{'index':1,'leafHash':'ab'}",
	     "predicate.previous.leafHash: 2 hex digits, expected 64", 0},
	    {"accreditation-previous", "'previous':null", "'previous':7",
	     "predicate.previous: an integer, expected an object", 0},
	    {"accreditation-previous-stale", "'previous':null",
	     "'previous':{'index':1,'leafHash':'" DIGEST "'}", "the key is new to this log",
	     VT_ECONFLICT},
	    {"accreditation-valid-until", "2027-11-22T14:40:50Z", "2027", "predicate.validUntil",
	     0},
	    {"accreditation-first-status", "'granted'", "'suspended'",
	     "predicate.status: suspended, but the key was never granted", 0},
	    {"accreditation-rules", "'status'",
	     "'admissionRules':'urn:vitrine:admission-rules:v1','status'",
	     "only in an entry about the centre's key", 0},
	    {"accreditation-recovery", "'status'", "'recovery':{},'status'", "only in entry 0", 0},
	    {"accreditation-recovery", "'status'", "'recovery':7,'status'",
	     "predicate.recovery: an integer", 0},
	};
	char *text = accreditation_text(w->stranger, "lab", lab);

	try_changes(w, text, by, 2, changes, sizeof(changes) / sizeof(changes[0]));
	free(text);
}

static void entry_zero_keeps_its_rules(void **state)
{
	struct world *w = *state;
	struct signer *by[2] = {w->centre, w->recovery};
	struct signer *pair[2] = {w->stranger, w->recovery};
	struct buf text, body;
	char *base, *whole, *one;
	static const struct change changes[] = {
	    {"accreditation-rules", "'admissionRules':'urn:vitrine:admission-rules:v1',", "",
	     "predicate.admissionRules: missing", 0},
	    {"accreditation-rules", "rules:v1", "rules:v2",
	     "predicate.admissionRules: \"urn:vitrine:admission-rules:v2\", expected", 0},
	    {"accreditation-recovery", "'recovery'", "'recovered'", "predicate.recovery: missing",
	     0},
	    {"accreditation-recovery", "'scheme':'ed25519'}", "'scheme':'none'}",
	     "predicate.recovery.scheme: \"none\"", 0},
	    {"accreditation-entry-zero", "'role':'centre'", "'role':'head'",
	     "predicate.role: expected centre in entry 0", 0},
	    {"accreditation-entry-zero", "'granted'", "'suspended'",
	     "predicate.status: expected granted in entry 0", 0},
	    {"accreditation-entry-zero", "'previous':null",
	     "'previous':{'index':0,'leafHash':'" DIGEST "'}",
	     "predicate.previous: expected null in entry 0", 0},
	};

	base = accreditation_text(w->centre, "centre", "'" PREDICATE_ACCREDITATION "'");
	buf_init(&text);
	assert_int_equal(buf_append_str(&text, "'admissionRules':'urn:vitrine:admission-rules:v1',"
					       "'recovery':{'spki':'"),
			 VT_OK);
	assert_int_equal(buf_append_base64(&text, world_spki(w->recovery)), VT_OK);
	assert_int_equal(buf_append_str(&text, "','scheme':'ed25519'},'status'"), VT_OK);
	one = buf_detach_str(&text);
	whole = edited(base, "'status'", one);
	free(one);
	/* A role other than the centre's trips over its types and its members first. */
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		char *changed = edited(whole, changes[i].from, changes[i].to);

		if (strstr(changed, "'head'") != NULL) {
			char *plain = edited(base, "'role':'centre'", "'role':'head'");
			char *typed = edited(plain, "'" PREDICATE_ACCREDITATION "']", "'a:b']");

			free(changed);
			free(plain);
			changed = typed;
		}
		one = quoted(changed);
		world_sign(&body, bytes_str(one), by, 2);
		refused(w, buf_bytes(&body), VT_EMALFORMED, changes[i].slug, changes[i].detail);
		buf_release(&body);
		free(one);
		free(changed);
	}
	one = quoted(whole);
	/* The recovery key that nobody can sign with would be found out on the day it is needed. */
	world_sign(&body, bytes_str(one), by, 1);
	refused(w, buf_bytes(&body), VT_EUNTRUSTED, "accreditation-possession", "the recovery key");
	buf_release(&body);
	/* Pinned to another centre, it is a stranger's; pinned to this one, it is taken. */
	w->view.centre = world_spki(w->stranger);
	world_sign(&body, bytes_str(one), by, 2);
	refused(w, buf_bytes(&body), VT_EUNTRUSTED, "log-not-begun",
		"no signature is by the centre");
	buf_release(&body);
	world_sign(&body, bytes_str(one), pair, 2);
	refused(w, buf_bytes(&body), VT_EUNTRUSTED, "accreditation-entry-zero",
		"not the key that this log was made with");
	buf_release(&body);
	w->view.centre = world_spki(w->centre);
	world_sign(&body, bytes_str(one), by, 2);
	assert_int_equal(world_append(w, buf_bytes(&body)), 0);
	buf_release(&body);
	free(one);
	free(whole);
	free(base);
}

/* -- accreditations: what they change -------------------------------------------------------------- */

/* An accreditation about `key`, signed by `by` and, if possession, by the key; refused. */
static void refused_grant(struct world *w, const struct world_grant *g, enum vt_err err,
			  const char *slug, const char *detail)
{
	struct buf body;

	world_grant(w, &body, g);
	refused(w, buf_bytes(&body), err, slug, detail);
	buf_release(&body);
}

static const char *const verdicts_only[] = {PREDICATE_TEST_RESULT};
static const char *const accreditations_only[] = {PREDICATE_ACCREDITATION};

static void keys_change_only_by_the_rules(void **state)
{
	struct world *w = *state;
	const struct world_grant again = {.party = "lab-1",
					  .role = "lab",
					  .key = w->lab,
					  .previous = 1,
					  .types = verdicts_only,
					  .n_types = 1};
	struct world_grant g;
	struct buf body;

	g = again;
	g.previous = -1;
	refused_grant(w, &g, VT_ECONFLICT, "accreditation-previous-stale",
		      "the newest entry for this key is {\"index\": 1, ");
	g.previous = 2;
	refused_grant(w, &g, VT_ECONFLICT, "accreditation-previous-stale", "\"index\": 1, ");
	g = again;
	g.party = "lab-2";
	refused_grant(w, &g, VT_EMALFORMED, "accreditation-key-party",
		      "the key belongs to \"lab-1\" for ever");
	g = again;
	g.role = "auditor";
	refused_grant(w, &g, VT_EMALFORMED, "accreditation-key-role", "registered as \"lab\"");
	g = again;
	g.by = w->lab;
	refused_grant(w, &g, VT_EUNTRUSTED, "accreditation-centre",
		      "none by the centre's current key");
	g = again;
	g.key = w->stranger;
	g.previous = -1;
	g.no_possession = true;
	refused_grant(w, &g, VT_EUNTRUSTED, "accreditation-possession", "the key itself (keyid ");
	/* A new key alone is nobody: its payload is not even looked at. */
	g.no_possession = false;
	g.by = w->stranger;
	refused_grant(w, &g, VT_EUNTRUSTED, "signature-unregistered", "none of 1");
	/* Another lab that is registered cannot introduce it either. */
	g.by = w->lab;
	refused_grant(w, &g, VT_EUNTRUSTED, "signer-not-accredited", "of \"lab-1\"");
	g = again;
	g.status = ACCREDITATION_ENDED;
	g.no_possession = true;
	world_grant(w, &body, &g);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
	g = again;
	g.previous = 3;
	refused_grant(w, &g, VT_EMALFORMED, "accreditation-ended", "ended by entry 3");
}

static void a_key_keeps_its_scheme(void **state)
{
	struct world *w = *state;
	struct world_grant g = {
	    .party = "lab-3", .role = "lab", .previous = -1, .types = verdicts_only, .n_types = 1};
	struct buf body, statement, changed;
	struct signer *rsa;
	struct dsse d;
	char *text, *other;

	assert_int_equal(signer_generate(&rsa, "rsa3072", NULL), VT_OK);
	g.key = rsa;
	world_grant(w, &body, &g);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
	g.previous = 3;
	g.no_possession = true;
	world_grant(w, &body, &g);
	assert_int_equal(dsse_parse(&d, buf_bytes(&body), NULL), VT_OK);
	buf_init(&statement);
	assert_int_equal(buf_append(&statement, d.payload), VT_OK);
	text = buf_detach_str(&statement);
	other = edited(text, "rsa-pss-sha256", "rsa-pkcs1-sha512");
	world_sign_one(&changed, bytes_str(other), w->centre);
	refused(w, buf_bytes(&changed), VT_EMALFORMED, "accreditation-key-scheme",
		"registered with rsa-pss-sha256");
	free(other);
	free(text);
	buf_release(&changed);
	buf_release(&body);
	dsse_release(&d);
	signer_free(rsa);
}

static void only_the_recovery_key_changes_itself(void **state)
{
	struct world *w = *state;
	struct world_grant g = {.party = "centre",
				.role = "recovery",
				.key = w->stranger,
				.previous = -1,
				.types = accreditations_only,
				.n_types = 1};
	struct buf body;

	refused_grant(w, &g, VT_EUNTRUSTED, "accreditation-recovery-only",
		      "none by the current recovery key");
	g.by = w->recovery;
	g.party = "lab-1";
	refused_grant(w, &g, VT_EMALFORMED, "accreditation-centre-party", "belong to \"centre\"");
	g.party = "centre";
	world_grant(w, &body, &g);
	world_append(w, buf_bytes(&body));
	assert_ptr_equal(registry_recovery(w->registry, w->n),
			 registry_find(w->registry, world_keyid(w->stranger)));
	/* The one before it has ended. */
	g.key = w->vendor;
	refused_grant(w, &g, VT_EUNTRUSTED, "signer-ended", "of \"centre\": ended by entry 3");
	buf_release(&body);
}

static void a_recovery_key_is_named_in_entry_zero_alone(void **state)
{
	struct world *w = *state;
	struct compose_accreditation a = {.log = WORLD_ORIGIN,
					  .party = "centre",
					  .role = "centre",
					  .key = signer_public(w->centre),
					  .predicate_types = {accreditations_only, 1},
					  .entry_zero = true,
					  .recovery = signer_public(w->stranger)};
	struct entry_ref previous = world_ref(w, 0);
	struct buf statement, body;

	a.previous = &previous;
	buf_init(&statement);
	assert_int_equal(compose_accreditation(&statement, &a, NULL), VT_OK);
	world_sign_one(&body, buf_bytes(&statement), w->centre);
	refused(w, buf_bytes(&body), VT_EMALFORMED, "accreditation-recovery", "only in entry 0");
	buf_release(&statement);
	buf_release(&body);
	a.recovery = signer_public(w->centre);
	buf_init(&statement);
	assert_int_equal(compose_accreditation(&statement, &a, &w->why), VT_EMALFORMED);
	note(&w->why, "accreditation-recovery", "the same key as predicate.spki");
	buf_release(&statement);
}

static void only_accreditations_change_the_registry(void **state)
{
	struct world *w = *state;
	char *text = quoted(verdict);
	struct problem why = {0};
	struct buf body;

	world_sign_one(&body, bytes_str(text), w->lab);
	world_append(w, buf_bytes(&body));
	assert_int_equal(
	    registry_apply(w->registry, 3, &w->entry[3].leaf, buf_bytes(&w->entry[3].bytes), &why),
	    VT_EMALFORMED);
	note(&why, "accreditation-type", "predicateType: expected");
	/* Nor does the past. */
	assert_int_equal(
	    registry_apply(w->registry, 2, &w->entry[2].leaf, buf_bytes(&w->entry[2].bytes), &why),
	    VT_EINTERNAL);
	assert_int_equal(registry_version(w->registry), 3);
	buf_release(&body);
	free(text);
}

/* -- sealed records ------------------------------------------------------------------------------ */

static const char sealed[] =
    "{'_type':'https://in-toto.io/Statement/v1',"
    "'subject':[{'digest':{'sha256':'" DIGEST "'}}],"
    "'predicateType':'urn:vitrine:predicate:sealed-record:v1',"
    "'predicate':{'embargoUntil':'2027-01-01T00:00:00Z','reason':'embargo'}}";

static void sealed_records_keep_their_rules(void **state)
{
	struct world *w = *state;
	static const struct change changes[] = {
	    {"sealed-subject", "'subject':[", "'subject':[{'digest':{'sha256':'" DIGEST "'}},",
	     "subject: 2, expected 1", 0},
	    {"sealed-subject", "sha256", "sha512_256", "subject[0].digest: expected sha256 alone",
	     0},
	    {"sealed-subject", "'sha256':", "'sha3_256':'" DIGEST "','sha256':",
	     "subject[0].digest: expected sha256 alone", 0},
	    {"sealed-members", "2027-01-01T00:00:00Z", "soon", "predicate.embargoUntil", 0},
	    {"sealed-members", "'reason':'embargo'", "'reason':1", "predicate.reason: an integer",
	     0},
	};

	TRY_CHANGES(w, sealed, w->lab, changes);
}

static void a_revealed_record_needs_its_salt(void **state)
{
	struct world *w = *state;
	char *text = quoted(verdict), *seal, *with;
	char hex[65];
	struct merkle_hash pae;
	struct buf body, cover;
	static const char *const salts[] = {"'salt':'0123456789abcdef0123456789abcde',",
					    "'salt':'0123456789ABCDEF0123456789ABCDEF',",
					    "'salt':7,"};

	for (size_t i = 0; i < 4; i++) {
		if (i > 0) {
			char *member = quoted(salts[i - 1]);
			char *plain = quoted(verdict);
			char *at = quoted("'result'");
			char *both = malloc(strlen(member) + strlen(at) + 1);

			assert_non_null(both);
			snprintf(both, strlen(member) + strlen(at) + 1, "%s%s", member, at);
			free(text);
			text = edited(plain, at, both);
			free(both);
			free(at);
			free(plain);
			free(member);
		}
		assert_int_equal(dsse_pae_hash(&pae, &w->h, bytes_str(text)), VT_OK);
		hex_encode(hex, bytes_of(pae.b, 32));
		with = edited(sealed, DIGEST, hex);
		seal = quoted(with);
		world_sign_one(&cover, bytes_str(seal), w->lab);
		world_append(w, buf_bytes(&cover));
		buf_release(&cover);
		change_status(w, w->lab, "lab-1", "lab", ACCREDITATION_SUSPENDED,
			      i == 0 ? 1 : (int64_t)w->n - 2);
		world_sign_one(&body, bytes_str(text), w->lab);
		refused(w, buf_bytes(&body), VT_EMALFORMED, "sealed-salt",
			"predicate.salt: expected at least 32");
		buf_release(&body);
		free(seal);
		free(with);
		if (i < 3) {
			static const char *const types[] = {PREDICATE_TEST_RESULT,
							    PREDICATE_SEALED};
			struct world_grant g = {.party = "lab-1",
						.role = "lab",
						.key = w->lab,
						.previous = (int64_t)w->n - 1,
						.types = types,
						.n_types = 2};

			world_grant(w, &body, &g);
			world_append(w, buf_bytes(&body));
			buf_release(&body);
		}
	}
	free(text);
}

/* -- corrections --------------------------------------------------------------------------------- */

/* A statement about entry `target`, which `replacement` (or nothing, if < 0) takes the place of. */
static char *correction_text(const struct world *w, uint64_t target, int64_t replacement)
{
	struct entry_ref ref = world_ref(w, target), other;
	struct compose_correction c = {.target = ref, .reason = "wrong sample"};
	struct buf text;

	if (replacement >= 0) {
		other = world_ref(w, (uint64_t)replacement);
		c.replacement = &other;
	}
	buf_init(&text);
	assert_int_equal(compose_correction(&text, &c, NULL), VT_OK);
	return buf_detach_str(&text);
}

static void corrections_keep_their_rules(void **state)
{
	struct world *w = *state;
	struct signer *lab[1] = {w->lab}, *vendor[1] = {w->vendor}, *recovery[1] = {w->recovery};
	char *first = quoted(verdict), *changed = edited(first, "runs/1", "runs/2"), *text;
	char other_leaf[200], leaf[65];
	struct buf body;
	static const struct change withdrawals[] = {
	    {"correction-action", "'action':'withdraw',", "", "predicate.action: missing", 0},
	    {"correction-action", "'withdraw'", "'delete'",
	     "predicate.action: \"delete\", expected withdraw or replace", 0},
	    {"correction-reason", "'reason':'wrong sample',", "", "predicate.reason: missing", 0},
	    {"correction-target", "'target':{", "'targets':{", "predicate.target: missing", 0},
	    {"correction-target", "'index':3", "'index':'3'",
	     "predicate.target.index: a string, expected an integer", 0},
	    {"correction-subject", "'sha256':'", "'sha3_256':'",
	     "subject: expected one, with digest.sha256", 0},
	    {"correction-target-index", "'index':3", "'index':5",
	     "predicate.target.index: 5, but the log has 5 entries", 0},
	    {"correction-target-leaf", "'index':3", "'index':4",
	     "predicate.target.leafHash: not that of entry 4", 0},
	    {"correction-replacement", "'withdraw'", "'replace'", "predicate.replacement: missing",
	     0},
	};
	struct change replacements[] = {
	    {"correction-replacement", "'replace'", "'withdraw'",
	     "predicate.replacement: not with action withdraw", 0},
	    {"correction-replacement", "'replacement':{'index':4", "'replacement':{'index':3",
	     "predicate.replacement: the target itself", 0},
	    {"correction-target-leaf", "'replacement':{'index':4", "'replacement':{'index':5",
	     "predicate.replacement.leafHash: not that of entry 5", 0},
	    {"correction-target-leaf", other_leaf,
	     "'replacement':{'index':4,'leafHash':'" DIGEST "'",
	     "predicate.replacement.leafHash: not that of entry 4", 0},
	};

	world_sign_one(&body, bytes_str(first), w->lab);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
	world_sign_one(&body, bytes_str(changed), w->lab);
	world_append(w, buf_bytes(&body));
	buf_release(&body);
	text = correction_text(w, 3, -1);
	try_changes(w, text, lab, 1, withdrawals, sizeof(withdrawals) / sizeof(withdrawals[0]));
	free(text);
	text = correction_text(w, 3, 4);
	hex_encode(leaf, bytes_of(w->entry[4].leaf.b, 32));
	snprintf(other_leaf, sizeof(other_leaf), "'replacement':{'index':4,'leafHash':'%s'", leaf);
	try_changes(w, text, lab, 1, replacements, sizeof(replacements) / sizeof(replacements[0]));
	free(text);
	/* The vendor may correct its own, not the lab's. */
	text = correction_text(w, 4, -1);
	world_sign(&body, bytes_str(text), vendor, 1);
	refused(w, buf_bytes(&body), VT_EUNTRUSTED, "correction-party",
		"none by a current key of a party that signed entry 4");
	buf_release(&body);
	free(text);
	/* The recovery key has a say in accreditations alone. */
	text = correction_text(w, 4, -1);
	world_sign(&body, bytes_str(text), recovery, 1);
	refused(w, buf_bytes(&body), VT_EUNTRUSTED, "signer-not-accredited",
		"entry 0 does not accredit it for");
	buf_release(&body);
	free(text);
	/* An accreditation is replaced by the next, never corrected. */
	text = correction_text(w, 1, -1);
	world_sign(&body, bytes_str(text), lab, 1);
	refused(w, buf_bytes(&body), VT_EMALFORMED, "correction-registry",
		"entry 1 is an accreditation");
	buf_release(&body);
	free(text);
	free(first);
	free(changed);
}

/* -- replay -------------------------------------------------------------------------------------- */

static void reopen_refused(struct world *w, struct bytes entry, const char *slug,
			   const char *detail)
{
	struct problem why = {0};
	struct record *r;

	assert_int_equal(record_reopen(&r, &w->h, entry, &w->view, &why), VT_EMISMATCH);
	assert_null(r);
	note(&why, slug, detail);
}

static void entries_have_one_form(void **state)
{
	struct world *w = *state;
	struct signer *both[2] = {w->lab, w->vendor};
	char *text = quoted(verdict), *entry, *changed;
	char keyid[65];
	struct buf body, copy;
	struct record *r;
	struct problem why;

	world_sign(&body, bytes_str(text), both, 2);
	assert_int_equal(record_open(&r, &w->h, buf_bytes(&body), NULL, &w->view, &why), VT_OK);
	buf_init(&copy);
	assert_int_equal(buf_append(&copy, record_entry(r)), VT_OK);
	record_free(r);
	entry = buf_detach_str(&copy);
	assert_int_equal(record_reopen(&r, &w->h, bytes_str(entry), &w->view, &why), VT_OK);
	record_free(r);
	changed = edited(entry, "{\"payload\":", "{ \"payload\":");
	reopen_refused(w, bytes_str(changed), "entry-not-canonical", "the bytes differ");
	free(changed);
	changed = edited(entry, "\"signatures\":[", "\"x\":1,\"signatures\":[");
	reopen_refused(w, bytes_str(changed), "entry-not-canonical", "the bytes differ");
	free(changed);
	changed = edited(entry, "\"signatures\":[", "\"signatures\":7,\"x\":[");
	reopen_refused(w, bytes_str(changed), "entry-not-canonical", "signatures: an integer");
	free(changed);
	hex_encode(keyid, bytes_of(world_keyid(w->lab)->b, 32));
	changed = edited(entry, keyid, DIGEST);
	reopen_refused(w, bytes_str(changed), "entry-signature",
		       "does not verify under key " DIGEST);
	free(changed);
	changed = edited(entry, "\"sig\":\"", "\"sig\":\"AAAA");
	reopen_refused(w, bytes_str(changed), "entry-signature", "signatures[0]");
	free(changed);
	buf_init(&copy);
	while (copy.len <= RECORD_ENTRY_MAX)
		assert_int_equal(buf_append_str(&copy, entry), VT_OK);
	reopen_refused(w, buf_bytes(&copy), "entry-not-canonical", "expected at most 65535");
	buf_release(&copy);
	buf_release(&body);
	free(entry);
	free(text);
}

static void the_extra_line_has_its_own_problems(void **state)
{
	struct world *w = *state;
	struct problem why;
	struct extra *x;

	(void)w;
	why = (struct problem){0};
	assert_int_equal(extra_parse(&x, bytes_str("{\"entry\":7,\"support\":[]}"), &why),
			 VT_EMALFORMED);
	note(&why, "extra-shape", "entry: an integer, expected an object");
	assert_null(x);
}

/* -- all of them --------------------------------------------------------------------------------- */

/* Not by a record alone: record_extra_test.c trips the first, whoever replays a whole log the second. */
static bool tripped_elsewhere(const char *slug)
{
	return strcmp(slug, "extra-support") == 0 || strcmp(slug, "entry-known") == 0;
}

static void every_problem_was_tripped(void **state)
{
	unsigned missing = 0;

	(void)state;
	for (size_t i = 0; admission_problems[i].slug != NULL; i++) {
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(admission_problems[i].slug,
						admission_problems[k].slug);
		assert_in_range(admission_problems[i].status, 400, 499);
		assert_true(strlen(admission_problems[i].title) > 10);
		if (!tripped[i] && !tripped_elsewhere(admission_problems[i].slug)) {
			fprintf(stderr, "not tripped: %s\n", admission_problems[i].slug);
			missing++;
		}
	}
	assert_int_equal(missing, 0);
}

int main(void)
{
#define BEGUN(test) cmocka_unit_test_setup_teardown(test, world_set_up_begun, world_tear_down)
#define EMPTY(test) cmocka_unit_test_setup_teardown(test, world_set_up, world_tear_down)
	const struct CMUnitTest tests[] = {
	    BEGUN(oversized_bodies_are_refused),
	    BEGUN(what_is_not_json_is_refused),
	    BEGUN(what_is_no_envelope_is_refused),
	    BEGUN(what_is_no_bundle_of_a_record_is_refused),
	    BEGUN(the_17th_signature_is_refused),
	    BEGUN(an_entry_has_at_most_65535_bytes),
	    BEGUN(strangers_are_refused),
	    BEGUN(the_65th_trial_is_refused),
	    EMPTY(nothing_comes_before_the_centre),
	    BEGUN(statements_keep_their_rules),
	    BEGUN(names_in_other_letter_case_are_refused),
	    BEGUN(subjects_and_digests_are_bounded),
	    BEGUN(signers_must_be_accredited),
	    BEGUN(verdicts_keep_their_rules),
	    BEGUN(releases_keep_their_rules),
	    BEGUN(release_v01_has_its_own_member_name),
	    BEGUN(audit_events_keep_their_rules),
	    BEGUN(accreditations_keep_their_rules),
	    EMPTY(entry_zero_keeps_its_rules),
	    BEGUN(keys_change_only_by_the_rules),
	    BEGUN(a_key_keeps_its_scheme),
	    BEGUN(only_the_recovery_key_changes_itself),
	    BEGUN(a_recovery_key_is_named_in_entry_zero_alone),
	    BEGUN(only_accreditations_change_the_registry),
	    BEGUN(sealed_records_keep_their_rules),
	    BEGUN(a_revealed_record_needs_its_salt),
	    BEGUN(corrections_keep_their_rules),
	    BEGUN(entries_have_one_form),
	    BEGUN(the_extra_line_has_its_own_problems),
	    cmocka_unit_test(every_problem_was_tripped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
