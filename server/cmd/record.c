#include "record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsse.h"
#include "durable.h"
#include "file_digests.h"
#include "output.h"
#include "statement.h"

struct kind {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *about;
};

static const struct kind kinds[] = {
    {"verdict", record_verdict, "a laboratory's test verdict on a firmware file"},
    {"firmware", record_firmware, "a vendor's release of a firmware file"},
    {"event", record_event, "an audit event of the centre"},
    {"accredit", record_accredit, "who may append what: grant, suspend, end; entry 0"},
    {"seal", record_seal, "the digest of a record that is kept back for now"},
    {"correct", record_correct, "withdraw or replace an earlier entry"},
    {"sign", record_sign, "add a signature to a record"},
};
enum {
	N_KINDS = sizeof(kinds) / sizeof(*kinds),
};

static void print_help(FILE *out)
{
	fputs("Usage: vitrine record KIND [OPTION...]\n\n"
	      "Writes a record (a DSSE envelope around an in-toto statement), signs it, and prints "
	      "it. "
	      "Nothing\nis sent: `vitrine submit` or curl does that.\n\nkinds:\n",
	      out);
	for (size_t i = 0; i < N_KINDS; i++)
		fprintf(out, "  %-9s %s\n", kinds[i].name, kinds[i].about);
	fputs("\n`vitrine record KIND --help` says more.\n", out);
}

int cmd_record(int argc, char **argv)
{
	if (argc < 2) {
		print_help(stderr);
		return CMD_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return CMD_HOLDS;
	}
	for (size_t i = 0; i < N_KINDS; i++)
		if (strcmp(argv[1], kinds[i].name) == 0)
			return kinds[i].run(argc - 1, argv + 1);
	return cmd_fail("record", CMD_USAGE,
			"there is no kind \"%s\"; `vitrine record --help` lists them", argv[1]);
}

int record_refused(const char *name, enum vt_err err, const struct problem *why)
{
	if (why->type == NULL)
		return cmd_fail(name, CMD_UNSURE, "%s", vt_err_text(err));
	return cmd_fail(name, CMD_USAGE, "%s (%s)", why->detail, why->type->slug);
}

/* -- subjects ----------------------------------------------------------------------------------- */

static int subject_from_file(const char *name, struct record_subjects *s, const char *path)
{
	const char *base = strrchr(path, '/');
	int code = file_sha256(s->hex[s->n], name, path);

	if (code != CMD_HOLDS)
		return code;
	s->list[s->n] = (struct compose_digest){base ? base + 1 : path, "sha256", s->hex[s->n]};
	s->n++;
	return CMD_HOLDS;
}

/* NAME=ALG:HEX; the name may hold "=" itself, the digest may not. */
static int subject_from_text(const char *name, struct record_subjects *s, const char *text)
{
	const char *equals = strrchr(text, '='), *colon = equals ? strchr(equals, ':') : NULL;
	char *copy;

	if (equals == NULL || equals == text || colon == NULL || colon == equals + 1)
		return cmd_fail(name, CMD_USAGE, "--subject %s: expected NAME=ALG:HEX", text);
	if ((copy = strdup(text)) == NULL)
		return cmd_fail(name, CMD_UNSURE, "out of memory");
	copy[equals - text] = '\0';
	copy[colon - text] = '\0';
	s->name[s->n] = copy;
	s->list[s->n] =
	    (struct compose_digest){copy, copy + (equals + 1 - text), copy + (colon + 1 - text)};
	s->n++;
	return CMD_HOLDS;
}

int record_subjects_read(const char *name, struct record_subjects *s, struct compose_subjects *out)
{
	size_t n = s->file.n + s->given.n;
	int code = CMD_HOLDS;

	if (n > RECORD_SUBJECTS_MAX)
		return cmd_fail(name, CMD_USAGE, "%zu subjects; at most %d", n,
				RECORD_SUBJECTS_MAX);
	s->list = calloc(n + 1, sizeof(*s->list));
	s->hex = calloc(n + 1, sizeof(*s->hex));
	s->name = calloc(n + 1, sizeof(*s->name));
	if (s->list == NULL || s->hex == NULL || s->name == NULL)
		return cmd_fail(name, CMD_UNSURE, "out of memory");
	for (size_t i = 0; i < s->file.n && code == CMD_HOLDS; i++)
		code = subject_from_file(name, s, s->file.item[i]);
	for (size_t i = 0; i < s->given.n && code == CMD_HOLDS; i++)
		code = subject_from_text(name, s, s->given.item[i]);
	*out = (struct compose_subjects){s->list, s->n};
	return code;
}

void record_subjects_release(struct record_subjects *s)
{
	for (size_t i = 0; s->name != NULL && i < s->n; i++)
		free(s->name[i]);
	free(s->list);
	free(s->hex);
	free(s->name);
}

/* -- signing ------------------------------------------------------------------------------------- */

/* A record with a salt is to be kept back for a while, so nobody else may read it. Where that cannot be told, too. */
static bool is_kept_back(struct bytes payload)
{
	struct problem why = {0};
	struct statement s;
	enum vt_err err;
	bool kept;

	statement_init(&s);
	err = statement_parse(&s, payload, &why);
	kept = err == VT_OK ? statement_member(&s, "salt") != NULL
			    : err != VT_EMALFORMED && err != VT_ELIMIT;
	statement_release(&s);
	return kept;
}

static int write_record(const char *name, const char *path, struct bytes envelope, bool kept_back)
{
	if (path != NULL)
		return cmd_write_output(name, "--out ", path, envelope, kept_back);
	fwrite(envelope.data, 1, envelope.len, stdout);
	putchar('\n');
	return CMD_HOLDS; /* main() finds what could not be written */
}

/* scheme NULL: the key's usual one. */
static int add_signature(const char *name, const char *option, const char *path,
			 const char *passphrase_file, const char *scheme_name, struct buf *envelope,
			 struct bytes statement)
{
	struct signer *key = NULL;
	struct problem why = {0};
	struct buf next;
	enum key_scheme scheme;
	enum vt_err err = VT_OK;
	int code = cmd_read_signer(name, option, path, passphrase_file, &key);

	if (code != CMD_HOLDS)
		return code;
	buf_init(&next);
	scheme = party_key_default_scheme(signer_public(key));
	if (scheme_name != NULL && (key_scheme_parse(&scheme, bytes_str(scheme_name)) != VT_OK ||
				    !party_key_takes(signer_public(key), scheme))) {
		code = cmd_fail(name, CMD_USAGE, "--scheme %s does not fit the key in %s",
				scheme_name, path);
		goto done;
	}
	err = envelope->len == 0
		  ? compose_envelope(&next, statement, key, scheme)
		  : compose_add_signature(&next, buf_bytes(envelope), key, scheme, &why);
	if (err != VT_OK) {
		code = record_refused(name, err, &why);
	} else {
		buf_release(envelope);
		*envelope = next;
		buf_init(&next);
	}
done:
	buf_release(&next);
	signer_free(key);
	return code;
}

enum {
	SIGNATURE_MAX = 512, /* bytes: RSA with the longest modulus that a log takes, 4,096 bits */
};

bool record_has_room(const struct record_signing *how, size_t len)
{
	struct dsse_signature longest[RECORD_SIGNATURES_MAX];
	size_t n = 1 + how->co_sign.n;

	if (n > RECORD_SIGNATURES_MAX)
		n = RECORD_SIGNATURES_MAX;
	for (size_t i = 0; i < n; i++)
		longest[i].sig = bytes_of(NULL, SIGNATURE_MAX);
	return dsse_canonical_len(len, longest, n) <= RECORD_ENTRY_MAX;
}

/* A record that no log can take is not written. */
static int check_entry(const char *name, struct bytes envelope, bool *kept_back)
{
	struct problem why = {0};
	struct dsse d;
	enum vt_err err;
	size_t len;

	dsse_init(&d);
	if ((err = dsse_parse(&d, envelope, &why)) != VT_OK)
		return record_refused(name, err, &why);
	len = dsse_canonical_len(d.payload.len, d.sig, d.n);
	*kept_back = is_kept_back(d.payload);
	dsse_release(&d);
	if (len <= RECORD_ENTRY_MAX)
		return CMD_HOLDS;
	return cmd_fail(name, CMD_USAGE,
			"the record would make an entry of %zu bytes, and a log takes at most %d: "
			"log larger evidence by its digest (entry-too-large)",
			len, RECORD_ENTRY_MAX);
}

static int sign_all(const char *name, const struct record_signing *how, struct buf *envelope,
		    struct bytes statement)
{
	bool kept_back = false;
	int code = add_signature(name, "key", how->key, how->passphrase_file, how->scheme, envelope,
				 statement);

	for (size_t i = 0; i < how->co_sign.n && code == CMD_HOLDS; i++)
		code = add_signature(name, "co-sign", how->co_sign.item[i], NULL, NULL, envelope,
				     statement);
	if (code == CMD_HOLDS)
		code = check_entry(name, buf_bytes(envelope), &kept_back);
	return code == CMD_HOLDS ? write_record(name, how->out, buf_bytes(envelope), kept_back)
				 : code;
}

/* envelope: what is signed already, or empty, with the statement to sign. */
static int sign_and_write(const char *name, const struct record_signing *how, struct bytes envelope,
			  struct bytes statement)
{
	struct buf copy;
	int code;

	buf_init(&copy);
	code = buf_append(&copy, envelope) == VT_OK ? sign_all(name, how, &copy, statement)
						    : cmd_fail(name, CMD_UNSURE, "out of memory");
	buf_release(&copy);
	return code;
}

/* What is read must not be what is written: a firmware file would become a record about itself. */
static int check_out(const char *name, const struct command_usage *usage, const char *out,
		     const struct operands *rest)
{
	struct why why;
	const char *input = NULL;

	if (out == NULL)
		return CMD_HOLDS;
	for (size_t i = 0; i < rest->n && input == NULL; i++)
		input = cmd_same_file(out, rest->arg[i]) ? rest->arg[i] : NULL;
	for (size_t i = 0; i < usage->n_options; i++) {
		const struct option *o = &usage->option[i];
		const struct option_list *list = o->kind == OPTION_LIST ? o->value : NULL;
		const char *text = o->kind == OPTION_TEXT ? *(const char **)o->value : NULL;
		if (o->arg == NULL || strcmp(o->name, "out") == 0 ||
		    (strstr(o->arg, "FILE") == NULL && strcmp(o->arg, "PUBKEY") != 0))
			continue;
		if (text != NULL && cmd_same_file(out, text))
			input = text;
		for (size_t j = 0; list != NULL && j < list->n; j++)
			input = cmd_same_file(out, list->item[j]) ? list->item[j] : input;
	}
	if (input != NULL)
		return cmd_fail(name, CMD_USAGE,
				"--out %s: it is also what is read (%s); choose another name", out,
				input);
	if (output_check(out, &why) != VT_OK)
		return cmd_fail(name, CMD_USAGE, "--out %s: %s", out, why.text);
	return CMD_HOLDS;
}

int record_run(const struct record_kind *kind, int argc, char **argv)
{
	struct operands rest;
	struct buf statement;
	bool help = false;
	int code = CMD_HOLDS;

	if (options_parse(kind->usage, argc, argv, &rest, &help, stderr) != VT_OK)
		return CMD_USAGE;
	buf_init(&statement);
	if (!help)
		code = check_out(kind->name, kind->usage, kind->how->out, &rest);
	if (!help && code == CMD_HOLDS && (code = kind->compose(&statement, &rest)) == CMD_HOLDS)
		code =
		    sign_and_write(kind->name, kind->how, bytes_of(NULL, 0), buf_bytes(&statement));
	if (kind->subjects != NULL)
		record_subjects_release(kind->subjects);
	buf_release(&statement);
	options_release(kind->usage);
	return code;
}

bool record_parse_ref(const char *name, const char *option, const char *text, struct entry_ref *out)
{
	const char *colon = strchr(text, ':');

	if (colon != NULL &&
	    decimal_decode(&out->index, bytes_of(text, (size_t)(colon - text))) == VT_OK &&
	    hex_decode_exact(out->leaf.b, sizeof(out->leaf.b), bytes_str(colon + 1)) == VT_OK)
		return true;
	cmd_fail(name, CMD_USAGE,
		 "--%s %s: expected INDEX:LEAFHASH, the leaf hash as 64 lower-case hex digits",
		 option, text);
	return false;
}

/* -- sign ------------------------------------------------------------------------------------------ */

static struct record_signing sign_how;
static const struct option sign_options[] = {RECORD_SIGNING_OPTIONS(sign_how)};
static const struct command_usage sign_usage = {
    "vitrine record sign --key FILE [--out FILE] RECORD",
    "Adds a signature to a record that others have signed already; theirs are kept as they are.",
    "  vitrine record sign --key lab2.pem --out both.json verdict.json\n",
    "RECORD",
    sign_options,
    sizeof(sign_options) / sizeof(*sign_options)};

int record_sign(int argc, char **argv)
{
	struct operands rest;
	struct buf envelope;
	enum vt_err err;
	bool help = false;
	int code = CMD_HOLDS;

	if (options_parse(&sign_usage, argc, argv, &rest, &help, stderr) != VT_OK)
		return CMD_USAGE;
	buf_init(&envelope);
	if (help)
		goto done;
	if (rest.n != 1)
		code =
		    cmd_fail("record sign", CMD_USAGE, "one record is needed; %zu given", rest.n);
	else if ((code = check_out("record sign", &sign_usage, sign_how.out, &rest)) != CMD_HOLDS)
		; /* said */
	else if ((err = file_read(&envelope, rest.arg[0], RECORD_BODY_MAX)) != VT_OK)
		code = cmd_fail("record sign", CMD_UNSURE, "%s: %s", rest.arg[0], file_fault(err));
	else if ((code = cmd_check_record("record sign", rest.arg[0], buf_bytes(&envelope))) ==
		 CMD_HOLDS)
		code = sign_and_write("record sign", &sign_how, buf_bytes(&envelope),
				      bytes_of(NULL, 0));
done:
	buf_release(&envelope);
	options_release(&sign_usage);
	return code;
}
