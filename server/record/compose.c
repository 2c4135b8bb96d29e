#include "compose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsse.h"
#include "json.h"
#include "predicate.h"

/*
 * A statement under construction. The first error sticks and everything after it does nothing, so the composers below
 * read like the records they make. Values are handed to their parent at once; what is held on is borrowed from it.
 */
struct composer {
	struct json *root;
	struct json *predicate; /* inside root */
	enum vt_err err;
	struct problem *why;
};

static struct json *attach(struct composer *c, struct json *parent, const char *name,
			   struct json *value)
{
	if (c->err != VT_OK || parent == NULL) {
		json_free(value);
		return NULL;
	}
	/* name NULL: parent is an array */
	c->err = name == NULL ? json_push(parent, value) : json_set(parent, name, value);
	return c->err == VT_OK ? value : NULL;
}

static struct json *add_object(struct composer *c, struct json *parent, const char *name)
{
	return attach(c, parent, name, json_new_object());
}

static struct json *add_array(struct composer *c, struct json *parent, const char *name)
{
	return attach(c, parent, name, json_new_array());
}

/* NULL: left out. */
static void add_text(struct composer *c, struct json *parent, const char *name, const char *text)
{
	if (c->err != VT_OK || text == NULL)
		return;
	if (!utf8_valid(bytes_str(text))) {
		c->err = problem_set(c->why, VT_EMALFORMED, "payload-not-json", "%s: not UTF-8",
				     name == NULL ? "a text" : name);
		return;
	}
	attach(c, parent, name, json_new_str(text));
}

static void add_texts(struct composer *c, struct json *parent, const char *name,
		      const struct compose_texts *texts)
{
	struct json *list = add_array(c, parent, name);

	for (size_t i = 0; i < texts->n; i++)
		add_text(c, list, NULL, texts->text[i]);
}

static void add_texts_if_any(struct composer *c, struct json *parent, const char *name,
			     const struct compose_texts *texts)
{
	if (texts->n != 0)
		add_texts(c, parent, name, texts);
}

static void add_digest(struct composer *c, struct json *parent, const char *algorithm,
		       const char *hex)
{
	add_text(c, add_object(c, parent, "digest"), algorithm == NULL ? "sha256" : algorithm, hex);
}

static void add_hash(struct composer *c, struct json *parent, const char *name,
		     const struct merkle_hash *hash)
{
	char hex[2 * MERKLE_HASH_SIZE + 1];

	hex_encode(hex, bytes_of(hash->b, MERKLE_HASH_SIZE));
	add_text(c, parent, name, hex);
}

/* A subject that is named by one SHA-256 of ours. */
static void add_hash_subject(struct composer *c, const char *name, const struct merkle_hash *hash)
{
	struct json *list = add_array(c, c->root, "subject");
	struct json *subject = add_object(c, list, NULL);

	add_text(c, subject, "name", name);
	add_hash(c, add_object(c, subject, "digest"), "sha256", hash);
}

static void add_subjects(struct composer *c, const struct compose_subjects *subjects)
{
	struct json *list = add_array(c, c->root, "subject");

	for (size_t i = 0; i < subjects->n; i++) {
		struct json *subject = add_object(c, list, NULL);

		add_text(c, subject, "name", subjects->subject[i].name);
		add_digest(c, subject, subjects->subject[i].algorithm, subjects->subject[i].hex);
	}
}

static void add_resource(struct composer *c, struct json *parent, const char *name,
			 const struct compose_resource *resource)
{
	struct json *j = add_object(c, parent, name);

	add_text(c, j, "name", resource->name);
	add_text(c, j, "uri", resource->uri);
	if (resource->hex != NULL)
		add_digest(c, j, resource->algorithm, resource->hex);
}

static void add_entry_ref(struct composer *c, struct json *parent, const char *name,
			  const struct entry_ref *ref)
{
	struct json *j;

	if (c->err == VT_OK && ref->index > (uint64_t)INT64_C(9007199254740991)) {
		c->err = VT_EINVAL;
		return;
	}
	j = add_object(c, parent, name);
	attach(c, j, "index", json_new_integer((int64_t)ref->index));
	add_hash(c, j, "leafHash", &ref->leaf);
}

/* Everything before the subject. */
static void begin(struct composer *c, struct problem *why)
{
	*c = (struct composer){.root = json_new_object(), .why = why};
	if (c->root == NULL)
		c->err = VT_ENOMEM;
	add_text(c, c->root, "_type", STATEMENT_TYPE_V1);
}

static void begin_predicate(struct composer *c, const char *type)
{
	add_text(c, c->root, "predicateType", type);
	c->predicate = add_object(c, c->root, "predicate");
}

/* Hold the finished statement against the rules that the log will hold it against, and append it. */
static enum vt_err finish(struct composer *c, struct buf *out)
{
	struct statement s;
	struct buf text;

	buf_init(&text);
	if (c->err != VT_OK || (c->err = json_write(&text, c->root, JSON_COMPACT)) != VT_OK ||
	    (c->err = statement_parse(&s, buf_bytes(&text), c->why)) != VT_OK)
		goto done;
	if ((c->err = statement_check_predicate(&s, c->why)) == VT_OK)
		c->err = buf_append(out, buf_bytes(&text));
	statement_release(&s);
done:
	buf_release(&text);
	json_free(c->root);
	return c->err;
}

enum vt_err compose_salt(char out[COMPOSE_SALT_SIZE])
{
	uint8_t raw[(COMPOSE_SALT_SIZE - 1) / 2];
	enum vt_err err = random_bytes(raw, sizeof(raw));

	if (err == VT_OK)
		hex_encode(out, bytes_of(raw, sizeof(raw)));
	return err;
}

/* -- what parties say ---------------------------------------------------------------------------- */

static void add_assessment(struct composer *c, const struct compose_assessment *a)
{
	struct json *j = add_object(c, c->predicate, "assessment");
	struct json *part = add_object(c, j, "laboratory");

	add_text(c, part, "name", a->laboratory);
	add_text(c, part, "location", a->location);
	add_text(c, part, "accreditation", a->accreditation);
	add_text(c, j, "reportId", a->report_id);
	add_text(c, j, "scheme", a->scheme);
	part = add_object(c, j, "dates");
	add_text(c, part, "received", a->received);
	add_text(c, part, "started", a->started);
	add_text(c, part, "completed", a->completed);
	add_text(c, part, "issued", a->issued);
	add_text(c, j, "decisionRule", a->decision_rule);
	add_texts(c, j, "deviations", &a->deviations);
	add_resource(c, j, "report", &a->report);
}

static void add_tests(struct composer *c, const struct compose_tests *t)
{
	struct json *counts, *reports;

	add_texts_if_any(c, c->predicate, "notRunTests", &t->not_run);
	counts = add_object(c, c->predicate, "testCounts");
	attach(c, counts, "passed", json_new_integer((int64_t)t->n_passed));
	attach(c, counts, "failed", json_new_integer((int64_t)t->n_failed));
	attach(c, counts, "notRun", json_new_integer((int64_t)t->n_not_run));
	reports = add_array(c, c->predicate, "testReports");
	for (size_t i = 0; i < t->n_reports; i++)
		add_resource(c, reports, NULL, &t->report[i]);
}

enum vt_err compose_verdict(struct buf *out, const struct compose_verdict *v, struct problem *why)
{
	struct composer c;
	struct json *list;

	begin(&c, why);
	add_subjects(&c, &v->subjects);
	begin_predicate(&c, PREDICATE_TEST_RESULT);
	add_text(&c, c.predicate, "result", v->result);
	list = add_array(&c, c.predicate, "configuration");
	for (size_t i = 0; i < v->n_configuration; i++)
		add_resource(&c, list, NULL, &v->configuration[i]);
	add_text(&c, c.predicate, "url", v->url);
	add_texts_if_any(&c, c.predicate, "passedTests", &v->passed);
	add_texts_if_any(&c, c.predicate, "warnedTests", &v->warned);
	add_texts_if_any(&c, c.predicate, "failedTests", &v->failed);
	if (v->tests != NULL)
		add_tests(&c, v->tests);
	if (v->assessment != NULL)
		add_assessment(&c, v->assessment);
	add_text(&c, c.predicate, "salt", v->salt);
	return finish(&c, out);
}

enum vt_err compose_firmware(struct buf *out, const struct compose_firmware *f, struct problem *why)
{
	struct composer c;
	struct json *j;

	begin(&c, why);
	add_subjects(&c, &f->subjects);
	begin_predicate(&c, PREDICATE_RELEASE_V02);
	add_text(&c, c.predicate, "purl", f->purl);
	add_text(&c, c.predicate, "packageId", f->package_id);
	if (f->vendor != NULL || f->model != NULL || f->version != NULL ||
	    f->hardware_revisions.n != 0 || f->suit.hex != NULL) {
		j = add_object(&c, c.predicate, "firmware");
		add_text(&c, j, "vendor", f->vendor);
		add_text(&c, j, "model", f->model);
		add_texts_if_any(&c, j, "hardwareRevisions", &f->hardware_revisions);
		add_text(&c, j, "version", f->version);
		if (f->suit.hex != NULL)
			add_resource(&c, j, "suit", &f->suit);
	}
	add_text(&c, c.predicate, "salt", f->salt);
	return finish(&c, out);
}

static void add_actor(struct composer *c, const char *name, const struct compose_actor *actor)
{
	struct json *j = add_object(c, c->predicate, name);

	add_text(c, j, "id", actor->id);
	add_text(c, j, "typeURI", actor->type_uri);
	add_text(c, j, "name", actor->name);
}

static void add_event_members(struct composer *c, const struct compose_event *e)
{
	struct json *list, *j;

	add_text(c, c->predicate, "id", e->id);
	add_text(c, c->predicate, "eventType", e->event_type);
	add_text(c, c->predicate, "action", e->action);
	add_text(c, c->predicate, "outcome", e->outcome);
	add_text(c, c->predicate, "eventTime", e->event_time);
	add_actor(c, "initiator", &e->initiator);
	add_actor(c, "target", &e->target);
	add_actor(c, "observer", &e->observer);
	if (e->n_attachments != 0) {
		list = add_array(c, c->predicate, "attachments");
		for (size_t i = 0; i < e->n_attachments; i++) {
			j = add_object(c, list, NULL);
			add_text(c, j, "name", e->attachment[i].name);
			add_digest(c, j, e->attachment[i].algorithm, e->attachment[i].hex);
		}
	}
	/* CADF's reason is an object; what people write goes into its code. */
	if (e->reason != NULL)
		add_text(c, add_object(c, c->predicate, "reason"), "reasonCode", e->reason);
	add_text(c, c->predicate, "salt", e->salt);
}

enum vt_err compose_event(struct buf *out, struct merkle_hasher *h, const struct compose_event *e,
			  struct problem *why)
{
	struct composer c;
	struct merkle_hash hash;
	struct bytes id;

	begin(&c, why);
	if (e->subjects.n == 0 && e->id != NULL) {
		id = bytes_str(e->id);
		if (c.err == VT_OK)
			c.err = merkle_sha256(&hash, h, &id, 1);
		if (c.err == VT_OK)
			add_hash_subject(&c, e->id, &hash);
	} else {
		add_subjects(&c, &e->subjects);
	}
	begin_predicate(&c, PREDICATE_AUDIT_EVENT);
	add_event_members(&c, e);
	return finish(&c, out);
}

/* -- the registry -------------------------------------------------------------------------------- */

static void add_spki(struct composer *c, struct json *parent, const struct party_key *key,
		     enum key_scheme scheme)
{
	struct buf text;

	buf_init(&text);
	if (c->err == VT_OK && (c->err = buf_append_base64(&text, party_key_spki(key))) == VT_OK)
		attach(c, parent, "spki", json_new_text(buf_bytes(&text)));
	buf_release(&text);
	add_text(c, parent, "scheme", key_scheme_name(scheme));
}

enum vt_err compose_accreditation(struct buf *out, const struct compose_accreditation *a,
				  struct problem *why)
{
	struct composer c;
	struct json *recovery;

	begin(&c, why);
	add_hash_subject(&c, a->party, party_key_id(a->key));
	begin_predicate(&c, PREDICATE_ACCREDITATION);
	add_text(&c, c.predicate, "log", a->log);
	add_text(&c, c.predicate, "party", a->party);
	add_text(&c, c.predicate, "role", a->role);
	add_spki(&c, c.predicate, a->key, a->scheme);
	add_texts_if_any(&c, c.predicate, "keyidAliases", &a->keyid_aliases);
	add_texts(&c, c.predicate, "predicateTypes", &a->predicate_types);
	add_text(&c, c.predicate, "status", accreditation_status_name(a->status));
	if (a->previous != NULL)
		add_entry_ref(&c, c.predicate, "previous", a->previous);
	else
		attach(&c, c.predicate, "previous", json_new_null());
	add_text(&c, c.predicate, "validUntil", a->valid_until);
	if (a->entry_zero) {
		add_text(&c, c.predicate, "admissionRules", ADMISSION_RULES);
		if (a->recovery != NULL) {
			recovery = add_object(&c, c.predicate, "recovery");
			add_spki(&c, recovery, a->recovery, a->recovery_scheme);
		}
	}
	return finish(&c, out);
}

/* -- about other records ------------------------------------------------------------------------- */

/* The record that is to be kept back must be one that can be revealed: by its own rules, and with a salt. */
static enum vt_err check_sealable(struct bytes payload, struct problem *why)
{
	struct statement s;
	enum vt_err err;

	if ((err = statement_parse(&s, payload, why)) != VT_OK)
		return err;
	if ((err = statement_check_predicate(&s, why)) == VT_OK)
		err = rule_salt(&s, why);
	statement_release(&s);
	return err;
}

enum vt_err compose_seal(struct buf *out, struct merkle_hasher *h, const struct compose_seal *s,
			 struct problem *why)
{
	struct composer c;
	struct merkle_hash pae;
	struct dsse envelope;
	enum vt_err err;

	if ((err = dsse_parse(&envelope, s->envelope, why)) != VT_OK)
		return err;
	if ((err = check_sealable(envelope.payload, why)) != VT_OK ||
	    (err = dsse_pae_hash(&pae, h, envelope.payload)) != VT_OK)
		goto done;
	begin(&c, why);
	add_hash_subject(&c, NULL, &pae);
	begin_predicate(&c, PREDICATE_SEALED);
	add_text(&c, c.predicate, "embargoUntil", s->embargo_until);
	add_text(&c, c.predicate, "reason", s->reason);
	err = finish(&c, out);
done:
	dsse_release(&envelope);
	return err;
}

enum vt_err compose_correction(struct buf *out, const struct compose_correction *correction,
			       struct problem *why)
{
	struct composer c;

	begin(&c, why);
	add_hash_subject(&c, NULL, &correction->target.leaf);
	begin_predicate(&c, PREDICATE_CORRECTION);
	add_text(&c, c.predicate, "action",
		 correction->replacement == NULL ? "withdraw" : "replace");
	add_text(&c, c.predicate, "reason", correction->reason);
	add_entry_ref(&c, c.predicate, "target", &correction->target);
	if (correction->replacement != NULL)
		add_entry_ref(&c, c.predicate, "replacement", correction->replacement);
	return finish(&c, out);
}

/* -- envelopes ----------------------------------------------------------------------------------- */

static enum vt_err sign_payload(struct buf *sig, struct bytes payload, const struct signer *by,
				enum key_scheme scheme)
{
	struct buf pae;
	enum vt_err err;

	buf_init(&pae);
	if ((err = dsse_pae(&pae, payload)) == VT_OK)
		err = signer_sign(sig, by, scheme, buf_bytes(&pae));
	buf_release(&pae);
	return err;
}

enum vt_err compose_envelope(struct buf *out, struct bytes statement, const struct signer *by,
			     enum key_scheme scheme)
{
	char keyid[2 * MERKLE_HASH_SIZE + 1];
	struct dsse_signature one;
	struct buf sig;
	enum vt_err err;

	buf_init(&sig);
	if ((err = sign_payload(&sig, statement, by, scheme)) != VT_OK)
		goto done;
	hex_encode(keyid, bytes_of(party_key_id(signer_public(by))->b, MERKLE_HASH_SIZE));
	one = (struct dsse_signature){bytes_str(keyid), buf_bytes(&sig)};
	err = dsse_write(out, statement, &one, 1);
done:
	buf_release(&sig);
	return err;
}

enum vt_err compose_add_signature(struct buf *out, struct bytes envelope, const struct signer *by,
				  enum key_scheme scheme, struct problem *why)
{
	char keyid[2 * MERKLE_HASH_SIZE + 1];
	struct dsse_signature list[DSSE_SIGNATURES_MAX + 1];
	struct dsse d;
	struct buf sig;
	size_t n = 0;
	enum vt_err err;

	buf_init(&sig);
	if ((err = dsse_parse(&d, envelope, why)) != VT_OK)
		return err;
	hex_encode(keyid, bytes_of(party_key_id(signer_public(by))->b, MERKLE_HASH_SIZE));
	for (size_t i = 0; i < d.n; i++)
		if (!bytes_is(d.sig[i].keyid, keyid))
			list[n++] = d.sig[i];
	if (n == DSSE_SIGNATURES_MAX) {
		err = problem_set(why, VT_ELIMIT, "envelope-signature-count",
				  "signatures: there are %d already", DSSE_SIGNATURES_MAX);
		goto done;
	}
	if ((err = sign_payload(&sig, d.payload, by, scheme)) != VT_OK)
		goto done;
	list[n++] = (struct dsse_signature){bytes_str(keyid), buf_bytes(&sig)};
	err = dsse_write(out, d.payload, list, n);
done:
	buf_release(&sig);
	dsse_release(&d);
	return err;
}
