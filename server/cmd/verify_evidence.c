#include "verify_evidence.h"

#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "durable.h"
#include "file_kind.h"
#include "json.h"
#include "vitrine/evidence.h"
#include "vitrine/policy.h"

enum {
	WHY_MAX = 200,
};

struct found {
	struct evidence e;
	const struct vkey *log; /* whose evidence it is; NULL: nobody's */
	const char *why;        /* it does not hold */
};

static enum vt_err verify_against(struct found *f, struct merkle_hasher *h, struct bytes text,
				  const struct vkey *log)
{
	const char *why;
	enum vt_err err = evidence_verify(&f->e, &why, h, text, log);

	if (err == VT_OK)
		f->log = log;
	/* Of several keys, the log's own reason says more than that it is about another one. */
	else if (f->why == NULL || err != VT_EUNTRUSTED)
		f->why = why;
	return err;
}

/* A log may be listed with several keys: evidence is about one. */
static enum vt_err verify_against_policy(struct found *f, struct merkle_hasher *h,
					 struct bytes text, const struct policy *policy)
{
	enum vt_err err = VT_EUNTRUSTED;

	f->why = "it is about a log that the policy does not list";
	for (size_t i = 0; i < policy_log_count(policy) && f->log == NULL; i++) {
		enum vt_err one = verify_against(f, h, text, &policy_log(policy, i)->key);

		if (one != VT_EUNTRUSTED)
			err = one;
	}
	return f->log != NULL ? VT_OK : err;
}

static void print_head(const char *which, const struct tree_head *head)
{
	char hex[2 * MERKLE_HASH_SIZE + 1];

	hex_encode(hex, bytes_of(head->root.b, sizeof(head->root.b)));
	printf("  %-11s size %llu, root %s\n", which, (unsigned long long)head->size, hex);
}

static void print_text(const struct found *f, const char *path)
{
	const struct tree_head *first = &f->e.first.cp.head, *second = &f->e.second.cp.head;
	char hex[2 * MERKLE_HASH_SIZE + 1];

	if (f->log == NULL) {
		printf("%s: does not hold: %s\n", path, f->why);
		return;
	}
	printf("%s: holds: %s signed two histories\n", path, f->log->name);
	print_head("it signed", first);
	print_head("and signed", second);
	if (first->size == second->size) {
		printf("  but         one tree has one root at a size\n");
	} else {
		hex_encode(hex, bytes_of(f->e.other.b, sizeof(f->e.other.b)));
		printf("  but         the second one's history has, at size %llu, the root %s\n",
		       (unsigned long long)first->size, hex);
	}
	printf("  key         %s+%08x\n"
	       "  meaning     whoever holds this key showed different people different logs, or "
	       "rewrote "
	       "what it had\n"
	       "              signed. No fault of a network, of a reader or of whoever made this "
	       "file can "
	       "cause that.\n"
	       "              Rely on nothing that this log signed until it is explained; keep the "
	       "file and "
	       "pass it on.\n",
	       f->log->name, f->log->id);
	printf("  checked     both signatures with the log's key%s\n",
	       first->size == second->size ? ""
					   : "; the proof from the other root to the second head");
}

static struct json *head_json(const struct tree_head *head)
{
	char size[24];

	/* A decimal text: whoever signs two histories may sign sizes that a JSON number does not hold. */
	(void)snprintf(size, sizeof(size), "%llu", (unsigned long long)head->size);
	return JSON_OBJECT_OF({"size", json_new_str(size)},
			      {"rootHash", json_new_hash(&head->root)});
}

static struct json *found_json(const struct found *f, const char *path)
{
	const struct evidence *e = &f->e;
	struct json *j = JSON_OBJECT_OF({"evidence", json_new_str(path)},
					{"holds", json_new_bool(f->log != NULL)});

	if (f->log == NULL) {
		json_add(&j, "why", json_new_str(f->why));
		return j;
	}
	json_add(&j, "log", json_new_str(f->log->name));
	json_add(&j, "first", head_json(&e->first.cp.head));
	json_add(&j, "second", head_json(&e->second.cp.head));
	if (e->first.cp.head.size != e->second.cp.head.size)
		json_add(&j, "otherRoot", json_new_hash(&e->other));
	return j;
}

/* Why text is not even in the form of evidence. */
static void explain_no_evidence(char out[WHY_MAX], struct bytes text)
{
	const char *fault = text_fault(text);

	if (!file_kind_is(file_kind(text), "vitrine-evidence@"))
		snprintf(out, WHY_MAX, "it is %s, and no evidence", file_kind_text(text));
	else
		snprintf(out, WHY_MAX, "damaged evidence%s%s", fault != NULL ? ": " : "",
			 fault != NULL ? fault : "");
}

static int verify_text(struct bytes text, const char *path, const struct vkey *key,
		       const struct policy *policy, bool json)
{
	struct found f = {0};
	struct merkle_hasher h;
	char form[WHY_MAX];
	enum vt_err err;
	int code = CMD_HOLDS;

	if (merkle_hasher_init(&h) != VT_OK)
		return cmd_fail("verify", CMD_UNSURE, "out of memory");
	err = key != NULL ? verify_against(&f, &h, text, key)
			  : verify_against_policy(&f, &h, text, policy);
	merkle_hasher_release(&h);
	if (err == VT_ENOMEM || err == VT_EINTERNAL)
		return cmd_fail("verify", CMD_UNSURE, "%s: %s", path, vt_err_text(err));
	if (err == VT_EMALFORMED) {
		explain_no_evidence(form, text);
		f.why = form;
	}
	if (json)
		code = cmd_print_json("verify", found_json(&f, path));
	else
		print_text(&f, path);
	return err == VT_OK ? code : CMD_FAILS;
}

int verify_evidence(const char *path, const char *vkey, const char *policy_path, bool json)
{
	struct policy *policy = NULL;
	struct vkey key;
	struct buf text;
	enum vt_err err;
	int code = CMD_HOLDS;

	if (vkey == NULL && policy_path == NULL)
		return cmd_fail("verify", CMD_USAGE,
				"--evidence needs --vkey VKEY or --policy FILE: whose key is it?");
	if (vkey != NULL && (code = cmd_parse_vkey("verify", "--vkey ", vkey, &key)) != CMD_HOLDS)
		return code;
	if (vkey == NULL && (code = cmd_read_policy("verify", policy_path, &policy)) != CMD_HOLDS)
		return code;
	buf_init(&text);
	err = file_read(&text, path, EVIDENCE_SIZE_MAX + 1);
	if (err == VT_OK || err == VT_ELIMIT)
		/* One that is too long is no evidence; what was read of it says so as well. */
		code =
		    verify_text(buf_bytes(&text), path, vkey != NULL ? &key : NULL, policy, json);
	else
		code = cmd_fail("verify", CMD_UNSURE, "--evidence %s: %s", path, file_fault(err));
	buf_release(&text);
	policy_free(policy);
	return code;
}
