#include "extra.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "record_impl.h"

static const char shape_slug[] = "extra-shape";
static const char support_slug[] = "extra-support";

/* -- building ------------------------------------------------------------------------------------
 */

/* Indexes still to be looked into, and those that were: index[0..done) have been. */
struct closure {
	uint64_t index[EXTRA_SUPPORT_MAX];
	size_t n;
	size_t done;
};

static enum vt_err closure_add(struct closure *c, uint64_t index)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->index[i] == index)
			return VT_OK;
	if (c->n == EXTRA_SUPPORT_MAX)
		return VT_ELIMIT;
	c->index[c->n++] = index;
	return VT_OK;
}

/* The key that an accreditation is about; NULL: e is none. */
static const struct registered_key *subject_key(const struct logged_entry *e,
						const struct registry *registry)
{
	struct merkle_hash keyid;

	if (!bytes_is(e->statement.predicate_type, PREDICATE_ACCREDITATION) ||
	    hex_decode_exact(keyid.b, MERKLE_HASH_SIZE, e->statement.digest[0].hex) != VT_OK)
		return NULL;
	return registry_find(registry, &keyid);
}

/*
 * An accreditation says all about its key anew, and the centre signs it: what came before for that key, the file need not
 * show. But a key that accredits others must be seen to begin.
 */
static enum vt_err add_first(struct closure *c, const struct logged_entry *e,
			     const struct registered_key *about)
{
	if (about == NULL || about->history[0].index >= e->index ||
	    (strcmp(about->role, ROLE_CENTRE) != 0 && strcmp(about->role, ROLE_RECOVERY) != 0))
		return VT_OK;
	return closure_add(c, about->history[0].index);
}

static enum vt_err add_signers(struct closure *c, struct merkle_hasher *h,
			       const struct logged_entry *e, const struct admission_view *view)
{
	const struct registered_key *key, *about = subject_key(e, view->registry);
	const struct accreditation *in_force;
	struct signer_basis basis;
	struct merkle_hash keyid;
	enum vt_err err;

	for (size_t i = 0; i < e->envelope.n; i++) {
		if ((err = logged_entry_keyid(&keyid, e, i)) != VT_OK)
			return err;
		key = registry_find(view->registry, &keyid);
		if (key == NULL)
			return VT_EMISMATCH;
		if (key == about)
			continue;
		if ((err = signer_basis_find(&basis, h, e, key, view)) != VT_OK)
			return err;
		if (basis.accreditation != e->index &&
		    (err = closure_add(c, basis.accreditation)) != VT_OK)
			return err;
		/* Where a sealed record carries it, the file also says what ended the key. */
		in_force = registry_accreditation(key, e->index);
		if (basis.by_sealed && ((err = closure_add(c, basis.sealed)) != VT_OK ||
					(err = closure_add(c, in_force->index)) != VT_OK))
			return err;
	}
	return add_first(c, e, about);
}

/* The entry that a member of the predicate names, if there is one. */
static enum vt_err add_named(struct closure *c, const struct logged_entry *e, const char *member)
{
	const struct json *value = statement_member(&e->statement, member);
	struct entry_ref ref;

	if (value == NULL)
		return VT_OK;
	if (rule_entry_ref(&ref, value, member, shape_slug, NULL) != VT_OK || ref.index >= e->index)
		return VT_EMISMATCH;
	return closure_add(c, ref.index);
}

static enum vt_err add_corrected(struct closure *c, const struct logged_entry *e)
{
	enum vt_err err;

	if (!bytes_is(e->statement.predicate_type, PREDICATE_CORRECTION))
		return VT_OK;
	if ((err = add_named(c, e, "target")) != VT_OK)
		return err;
	return add_named(c, e, "replacement");
}

/* Its key's first entry, or the way back to it, where add_first() has that: from the text alone. */
static enum vt_err add_previous(struct closure *c, const struct logged_entry *e)
{
	struct bytes role;

	if (!json_text(statement_member(&e->statement, "role"), &role) ||
	    (!bytes_is(role, ROLE_CENTRE) && !bytes_is(role, ROLE_RECOVERY)))
		return VT_OK;
	return add_named(c, e, "previous");
}

enum vt_err extra_named(struct extra_named *out, uint64_t index, struct bytes entry)
{
	struct closure c = {.n = 0};
	struct logged_entry e;
	enum vt_err err;

	*out = (struct extra_named){.n = 0};
	if ((err = logged_entry_parse(&e, index, entry)) != VT_OK)
		return err == VT_EMISMATCH ? VT_EMALFORMED : err;
	if (bytes_is(e.statement.predicate_type, PREDICATE_ACCREDITATION)) {
		snprintf(out->key, sizeof(out->key), "%.*s", (int)e.statement.digest[0].hex.len,
			 (const char *)e.statement.digest[0].hex.data);
		err = add_previous(&c, &e);
	} else {
		err = add_corrected(&c, &e);
	}
	logged_entry_release(&e);
	out->n = c.n;
	memcpy(out->index, c.index, c.n * sizeof(c.index[0]));
	return err == VT_EMISMATCH ? VT_EMALFORMED : err;
}

static enum vt_err add_dependencies(struct closure *c, struct merkle_hasher *h,
				    const struct logged_entry *e, const struct admission_view *view)
{
	enum vt_err err = add_signers(c, h, e, view);

	return err != VT_OK ? err : add_corrected(c, e);
}

static int compare_indexes(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static enum vt_err close_over(struct closure *c, struct merkle_hasher *h,
			      const struct logged_entry *entry, const struct admission_view *view)
{
	struct logged_entry e;
	enum vt_err err;

	if ((err = add_dependencies(c, h, entry, view)) != VT_OK)
		return err;
	/* Every dependency is on a lower index, so this ends. */
	while (c->done < c->n) {
		if ((err = logged_entry_read(&e, view, c->index[c->done++])) != VT_OK)
			return err;
		err = add_dependencies(c, h, &e, view);
		logged_entry_release(&e);
		if (err != VT_OK)
			return err;
	}
	qsort(c->index, c->n, sizeof(c->index[0]), compare_indexes);
	return VT_OK;
}

static enum vt_err write_support(struct buf *out, uint64_t index, const struct extra_source *source)
{
	struct merkle_proof proof;
	enum vt_err err;

	if ((err = source->prove(source->ctx, &proof, index)) != VT_OK ||
	    (err = buf_append_str(out, "{\"index\":")) != VT_OK ||
	    (err = buf_append_decimal(out, index)) != VT_OK ||
	    (err = buf_append_str(out, ",\"entry\":")) != VT_OK ||
	    (err = source->view->read(source->view->ctx, index, out)) != VT_OK ||
	    (err = buf_append_str(out, ",\"proof\":[")) != VT_OK)
		return err;
	for (size_t i = 0; i < proof.n; i++)
		if ((err = buf_append_str(out, i == 0 ? "\"" : ",\"")) != VT_OK ||
		    (err = buf_append_base64(out, bytes_of(proof.hash[i].b, MERKLE_HASH_SIZE))) !=
			VT_OK ||
		    (err = buf_append_byte(out, '"')) != VT_OK)
			return err;
	return buf_append_str(out, "]}");
}

enum vt_err extra_build(struct buf *out, struct merkle_hasher *h, uint64_t index,
			struct bytes entry, const struct extra_source *source)
{
	struct closure c = {.n = 0};
	struct logged_entry e;
	size_t before = out->len;
	enum vt_err err;

	if ((err = logged_entry_parse(&e, index, entry)) != VT_OK)
		return err == VT_EMISMATCH ? VT_EMALFORMED : err;
	if ((err = close_over(&c, h, &e, source->view)) != VT_OK ||
	    (err = buf_append_str(out, "{\"entry\":")) != VT_OK ||
	    (err = buf_append(out, entry)) != VT_OK ||
	    (err = buf_append_str(out, ",\"support\":[")) != VT_OK)
		goto done;
	for (size_t i = 0; i < c.n; i++) {
		if ((i != 0 && (err = buf_append_byte(out, ',')) != VT_OK) ||
		    (err = write_support(out, c.index[i], source)) != VT_OK)
			goto done;
		if (out->len - before > EXTRA_SIZE_MAX)
			break;
	}
	if ((err = buf_append_str(out, "]}")) != VT_OK)
		goto done;
	if (out->len - before > EXTRA_SIZE_MAX)
		err = VT_ELIMIT;
done:
	logged_entry_release(&e);
	if (err != VT_OK)
		out->len = before;
	return err == VT_EMISMATCH ? VT_EMALFORMED : err;
}

/* -- parsing -------------------------------------------------------------------------------------
 */

struct support {
	uint64_t index;
	struct buf entry;
	struct merkle_hash leaf; /* filled in by extra_verify() */
	struct merkle_proof proof;
	struct record *record; /* the same */
};

struct extra {
	struct buf entry;
	size_t n;
	struct support *support;
};

void extra_free(struct extra *x)
{
	if (x == NULL)
		return;
	for (size_t i = 0; i < x->n; i++)
		buf_release(&x->support[i].entry);
	free(x->support);
	buf_release(&x->entry);
	free(x);
}

struct bytes extra_entry(const struct extra *x)
{
	return buf_bytes(&x->entry);
}

enum vt_err extra_new(struct extra **out, struct bytes entry)
{
	struct extra *x = calloc(1, sizeof(*x));

	*out = NULL;
	if (x == NULL)
		return VT_ENOMEM;
	if (buf_append(&x->entry, entry) != VT_OK) {
		extra_free(x);
		return VT_ENOMEM;
	}
	*out = x;
	return VT_OK;
}

enum vt_err extra_add(struct extra *x, uint64_t index, struct bytes entry,
		      const struct merkle_proof *proof)
{
	struct support *grown, s = {.index = index, .proof = *proof};
	size_t at = 0;

	while (at < x->n && x->support[at].index < index)
		at++;
	if (at < x->n && x->support[at].index == index)
		return VT_ECONFLICT;
	if (x->n == EXTRA_GATHERED_MAX)
		return VT_ELIMIT;
	if ((grown = realloc(x->support, (x->n + 1) * sizeof(*grown))) == NULL)
		return VT_ENOMEM;
	x->support = grown;
	if (buf_append(&s.entry, entry) != VT_OK)
		return VT_ENOMEM;
	memmove(&x->support[at + 1], &x->support[at], (x->n - at) * sizeof(*grown));
	x->support[at] = s;
	x->n++;
	return VT_OK;
}

/* An entry has no white space and its members stand in one order, so writing it out again gives its
 * bytes. Whether it is in that form at all, record_reopen() tells. */
static enum vt_err parse_entry(struct buf *out, const struct json *value, const char *path,
			       struct problem *why)
{
	if (value == NULL || json_kind(value) != JSON_OBJECT)
		return rule_kind(value, path, "an object", shape_slug, why);
	return json_write(out, value, JSON_COMPACT);
}

static enum vt_err parse_proof(struct merkle_proof *out, const struct json *list,
			       struct problem *why)
{
	struct bytes text;

	if (list == NULL || json_kind(list) != JSON_ARRAY || json_count(list) > MERKLE_PROOF_MAX)
		return problem_set(why, VT_EMALFORMED, shape_slug,
				   "support.proof: expected an array of at most %d hashes",
				   MERKLE_PROOF_MAX);
	out->n = json_count(list);
	for (size_t i = 0; i < out->n; i++)
		if (!json_text(json_at(list, i), &text) ||
		    base64_decode_exact(out->hash[i].b, MERKLE_HASH_SIZE, text, BASE64_STANDARD) !=
			VT_OK)
			return problem_set(why, VT_EMALFORMED, shape_slug,
					   "support.proof[%zu]: expected 32 bytes in base64", i);
	return VT_OK;
}

static enum vt_err parse_support(struct extra *x, const struct json *list, struct problem *why)
{
	size_t n = json_count(list);
	int64_t index;
	enum vt_err err;

	if (list == NULL || json_kind(list) != JSON_ARRAY)
		return rule_kind(list, "support", "an array", shape_slug, why);
	if (n > EXTRA_SUPPORT_MAX)
		return problem_set(why, VT_ELIMIT, shape_slug,
				   "support: %zu entries, expected at most %d", n,
				   EXTRA_SUPPORT_MAX);
	x->support = calloc(n == 0 ? 1 : n, sizeof(*x->support));
	if (x->support == NULL)
		return VT_ENOMEM;
	for (; x->n < n; x->n++) {
		const struct json *item = json_at(list, x->n);
		struct support *s = &x->support[x->n];

		if (!json_integer(json_member(item, "index"), &index) || index < 0)
			return problem_set(why, VT_EMALFORMED, shape_slug,
					   "support[%zu].index: expected a number", x->n);
		s->index = (uint64_t)index;
		if (x->n != 0 && s->index <= x->support[x->n - 1].index)
			return problem_set(why, VT_EMALFORMED, shape_slug,
					   "support[%zu].index: not above the one before", x->n);
		if ((err = parse_proof(&s->proof, json_member(item, "proof"), why)) != VT_OK)
			return err;
		if ((err = parse_entry(&s->entry, json_member(item, "entry"), "support.entry",
				       why)) != VT_OK) {
			buf_release(&s->entry);
			return err;
		}
	}
	return VT_OK;
}

enum vt_err extra_parse(struct extra **out, struct bytes text, struct problem *why)
{
	struct extra *x = NULL;
	struct json *j = NULL;
	struct json_error jerr;
	enum vt_err err;

	*out = NULL;
	if (text.len > EXTRA_SIZE_MAX)
		return problem_set(why, VT_ELIMIT, shape_slug, "%zu bytes, expected at most %d",
				   text.len, EXTRA_SIZE_MAX);
	err = json_parse(&j, text, &jerr);
	if (err == VT_EMALFORMED || err == VT_ELIMIT)
		problem_set(why, err, shape_slug, "byte %zu: %s", jerr.offset, jerr.text);
	if (err != VT_OK)
		goto done;
	x = calloc(1, sizeof(*x));
	if (x == NULL) {
		err = VT_ENOMEM;
		goto done;
	}
	if ((err = parse_entry(&x->entry, json_member(j, "entry"), "entry", why)) != VT_OK ||
	    (err = parse_support(x, json_member(j, "support"), why)) != VT_OK)
		goto done;
	*out = x;
	x = NULL; /* transferred */
done:
	extra_free(x);
	json_free(j);
	return err;
}

/* -- verifying -----------------------------------------------------------------------------------
 */

void extra_verdict_release(struct extra_verdict *v)
{
	registry_free(v->registry);
	record_free(v->record);
	*v = (struct extra_verdict){0};
}

/* The file as a view of the log: only what is in it can be found or read. */
static enum vt_err find_in_file(void *ctx, const struct merkle_hash *key, uint64_t from,
				uint64_t *index)
{
	const struct extra *x = ctx;

	for (size_t i = 0; i < x->n && x->support[i].record != NULL; i++) {
		const struct record *r = x->support[i].record;

		if (x->support[i].index < from)
			continue;
		for (size_t k = 0; k < r->n_keys; k++)
			if (merkle_hash_equal(&r->key[k], key)) {
				*index = x->support[i].index;
				return VT_OK;
			}
	}
	return VT_ENOTFOUND;
}

static enum vt_err read_in_file(void *ctx, uint64_t index, struct buf *entry)
{
	const struct extra *x = ctx;

	for (size_t i = 0; i < x->n; i++)
		if (x->support[i].index == index)
			return buf_append(entry, buf_bytes(&x->support[i].entry));
	return VT_ENOTFOUND;
}

/* Say which entry the problem is about. */
static enum vt_err blame(struct problem *why, uint64_t index, enum vt_err err,
			 const struct problem *fault)
{
	if (err == VT_ENOTFOUND)
		return problem_set(why, VT_EMISMATCH, support_slug,
				   "entry %llu: what it refers to is not in the file",
				   (unsigned long long)index);
	if (fault->type == NULL)
		return err;
	return problem_set(why, err, fault->type->slug, "entry %llu: %.280s",
			   (unsigned long long)index, fault->detail);
}

/* Re-open and judge one entry as admission did at its index, and take it into the registry. */
static enum vt_err replay(struct record **out, struct merkle_hasher *h, struct bytes entry,
			  struct registry *registry, const struct admission_view *view,
			  struct problem *why)
{
	struct problem fault = {0};
	struct record *r = NULL;
	enum vt_err err;

	if ((err = record_reopen(&r, h, entry, view, &fault)) != VT_OK ||
	    (err = record_judge_with_keys(r, view, &fault)) != VT_OK)
		goto done;
	if (record_is_accreditation(r))
		err = registry_apply(registry, view->size, record_leaf(r), entry, &fault);
done:
	if (err != VT_OK) {
		record_free(r);
		r = NULL;
		err = blame(why, view->size, err, &fault);
	}
	*out = r;
	return err;
}

static enum vt_err verify_support(struct support *s, struct merkle_hasher *h, uint64_t index,
				  const struct tree_head *head, struct registry *registry,
				  const struct admission_view *view, struct problem *why)
{
	enum vt_err err;

	if (s->index >= index)
		return problem_set(why, VT_EMISMATCH, support_slug,
				   "entry %llu does not come before entry %llu",
				   (unsigned long long)s->index, (unsigned long long)index);
	if ((err = merkle_hash_leaf(&s->leaf, h, buf_bytes(&s->entry))) != VT_OK)
		return err;
	err = proof_verify_inclusion(h, &s->proof, s->index, &s->leaf, head);
	if (err == VT_EMISMATCH || err == VT_EINVAL)
		return problem_set(
		    why, VT_EMISMATCH, support_slug,
		    "entry %llu: its inclusion proof does not hold under the checkpoint",
		    (unsigned long long)s->index);
	return err != VT_OK ? err
			    : replay(&s->record, h, buf_bytes(&s->entry), registry, view, why);
}

enum vt_err extra_verify(struct extra_verdict *out, struct merkle_hasher *h, const struct extra *x,
			 uint64_t index, const struct tree_head *head, const char *origin,
			 struct bytes centre, struct problem *why)
{
	/* A working copy of the list: verifying leaves x as it was. */
	struct extra file = {.entry = x->entry, .n = x->n};
	struct admission_view view = {.origin = origin,
				      .centre = centre,
				      .find = find_in_file,
				      .read = read_in_file,
				      .ctx = &file};
	enum vt_err err;

	*out = (struct extra_verdict){.centre_pinned = centre.len != 0};
	file.support = calloc(x->n == 0 ? 1 : x->n, sizeof(*file.support));
	if (file.support == NULL)
		return VT_ENOMEM;
	memcpy(file.support, x->support, x->n * sizeof(*file.support));
	if ((err = registry_new(&out->registry)) != VT_OK)
		goto done;
	registry_allow_gaps(out->registry);
	view.registry = out->registry;
	for (size_t i = 0; i < file.n; i++) {
		view.size = file.support[i].index;
		if ((err = verify_support(&file.support[i], h, index, head, out->registry, &view,
					  why)) != VT_OK)
			goto done;
	}
	view.size = index;
	if ((err = replay(&out->record, h, extra_entry(x), out->registry, &view, why)) != VT_OK)
		goto done;
	if (registry_count(out->registry) == 0) {
		err = problem_set(why, VT_EMISMATCH, support_slug, "entry 0 is not in the file");
		goto done;
	}
	out->centre = *party_key_id(registry_at(out->registry, 0)->key);
done:
	for (size_t i = 0; i < file.n; i++)
		record_free(file.support[i].record);
	free(file.support);
	if (err != VT_OK)
		extra_verdict_release(out);
	return err;
}
