#include "vitrine/policy.h"

#include <stdlib.h>
#include <string.h>

#include "cursor.h"
#include "note_private.h"

enum {
	NODES_MAX = POLICY_WITNESSES_MAX + POLICY_GROUPS_MAX,
	ITEMS_MAX = 3 + NODES_MAX, /* a group of everything */
	QUOTED_MAX = 48,           /* bytes of the file that an error repeats */
};

#define NONE SIZE_MAX

struct log {
	struct policy_log log;
	size_t line;
};

struct witness {
	struct policy_witness witness;
	size_t line;
};

/* A name that a group or the quorum can refer to. */
struct node {
	struct bytes name;
	size_t line;
	size_t witness;   /* which one it is, or NONE: a group */
	size_t threshold; /* of a group: 1 to the number of its members */
	size_t parent;    /* the one group that it is a member of, or NONE */
};

/*
 * Invariant: nodes stand in the order of their definition, so a group's members stand before it;
 * and each has at most one parent. So groups are trees, and one pass from the front evaluates them.
 */
struct policy {
	struct buf text;
	struct log *log;
	struct witness *witness;
	struct node *node;
	size_t n_logs, n_witnesses, n_groups, n_nodes;
	size_t quorum;      /* a node, or NONE for "quorum none" */
	struct vkey *known; /* the logs' keys, then the witnesses' */
};

struct parser {
	struct policy *p;
	struct policy_error *why;
	size_t line;
	size_t quorum_line; /* 0: not seen yet */
	struct bytes item[ITEMS_MAX];
	size_t n_items;
};

/* A message as far as it fits; its NUL is put by who began it. */
struct words {
	char *text;
	size_t len, cap;
};

static void put(struct words *w, const char *text, size_t n)
{
	for (size_t i = 0; i < n && w->len + 1 < w->cap; i++)
		w->text[w->len++] = text[i];
}

/* The file is anybody's, and the message may end up on a terminal. */
static void put_quoted(struct words *w, struct bytes quoted)
{
	for (size_t i = 0; i < quoted.len && i < QUOTED_MAX; i++) {
		char c = (char)quoted.data[i];

		put(w, c >= 0x20 && c <= 0x7e ? &c : "?", 1);
	}
	if (quoted.len > QUOTED_MAX)
		put(w, "...", 3);
}

static void put_number(struct words *w, size_t number)
{
	char digit[20];
	size_t at = sizeof(digit);

	do {
		digit[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number != 0);
	put(w, digit + at, sizeof(digit) - at);
}

/* '%' in text stands for `quoted`, '#' for `number`. */
static void put_filled(struct words *w, const char *text, struct bytes quoted, size_t number)
{
	for (; *text != '\0'; text++) {
		if (*text == '%')
			put_quoted(w, quoted);
		else if (*text == '#')
			put_number(w, number);
		else
			put(w, text, 1);
	}
}

/* Say what is wrong with this line: '%' in text stands for `quoted`, '#' for `number`. */
static enum vt_err complain(const struct parser *ps, enum vt_err err, const char *text,
			    struct bytes quoted, size_t number)
{
	struct words w;

	if (ps->why == NULL)
		return err;
	w = (struct words){.text = ps->why->text, .cap = sizeof(ps->why->text)};
	ps->why->line = ps->line;
	put_filled(&w, text, quoted, number);
	w.text[w.len] = '\0';
	return err;
}

/* An array with room for one more than its n elements, or NULL: no memory, and array is as it was.
 * Its capacity is the power of two from n upwards. */
static void *with_room(void *array, size_t n, size_t size)
{
	if (array != NULL && (n & (n - 1)) != 0)
		return array;
	return realloc(array, (n == 0 ? 1 : 2 * n) * size);
}

static size_t find_node(const struct policy *p, struct bytes name)
{
	for (size_t i = 0; i < p->n_nodes; i++) {
		if (bytes_equal(p->node[i].name, name))
			return i;
	}
	return NONE;
}

/* tlog-policy, What is a "policy"?: "Witnesses and groups share a single namespace. The special
 * name none is predefined". */
static enum vt_err check_new_name(const struct parser *ps, struct bytes name)
{
	size_t same = find_node(ps->p, name);

	if (bytes_is(name, "none"))
		return complain(ps, VT_EMALFORMED, "the name 'none' is predefined: choose another",
				name, 0);
	if (same != NONE)
		return complain(ps, VT_EMALFORMED, "the name '%' is already defined on line #",
				name, ps->p->node[same].line);
	return VT_OK;
}

static enum vt_err add_node(struct parser *ps, const struct node *node)
{
	struct policy *p = ps->p;
	struct node *grown = with_room(p->node, p->n_nodes, sizeof(*grown));

	if (grown == NULL)
		return VT_ENOMEM;
	p->node = grown;
	p->node[p->n_nodes++] = *node;
	return VT_OK;
}

/* Two different keys that sign under one name and ID cannot be told apart in a note. */
static bool ambiguous(const struct vkey *a, const struct vkey *b)
{
	return a->id == b->id && strcmp(a->name, b->name) == 0 && !vkey_equal(a, b);
}

static enum vt_err check_not_ambiguous(const struct parser *ps, const struct vkey *key)
{
	const struct policy *p = ps->p;
	size_t line = 0;

	for (size_t i = 0; i < p->n_logs && line == 0; i++)
		line = ambiguous(&p->log[i].log.key, key) ? p->log[i].line : 0;
	for (size_t i = 0; i < p->n_witnesses && line == 0; i++)
		line = ambiguous(&p->witness[i].witness.key, key) ? p->witness[i].line : 0;
	return line == 0 ? VT_OK
			 : complain(ps, VT_EMALFORMED,
				    "another key with the name and ID of the one on line #: their "
				    "signatures could not be told apart",
				    bytes_str(""), line);
}

/* "Two vkeys are considered duplicate if they wrap the same underlying public key, even if they
 * differ by key name and key id." */
static bool duplicate(const struct vkey *a, const struct vkey *b)
{
	return memcmp(a->key_hash, b->key_hash, sizeof(a->key_hash)) == 0;
}

static enum vt_err parse_key(const struct parser *ps, struct vkey *key, struct bytes text)
{
	enum vt_err err = vkey_parse(key, text);

	if (err == VT_EMALFORMED || err == VT_ELIMIT)
		return complain(
		    ps, VT_EMALFORMED,
		    "'%' is not a verifier key: expected <name>+<8 hex digits>+<base64>", text, 0);
	if (err == VT_EUNTRUSTED)
		return complain(ps, VT_EMALFORMED,
				"the verifier key '%' contradicts itself (ID, name, key) or is "
				"weak: copy it anew",
				text, 0);
	return err == VT_OK ? check_not_ambiguous(ps, key) : err;
}

/* "log <vkey> [<url>]" */
static enum vt_err define_log(struct parser *ps)
{
	struct policy *p = ps->p;
	struct log log = {.line = ps->line};
	struct log *grown;
	enum vt_err err;

	if (p->n_logs == POLICY_LOGS_MAX)
		return complain(ps, VT_ELIMIT, "more than # logs", bytes_str(""), POLICY_LOGS_MAX);
	if ((err = parse_key(ps, &log.log.key, ps->item[1])) != VT_OK)
		return err;
	/* "Log and witness keys must use a signature type approprate respective function". */
	if (log.log.key.type == VKEY_TYPE_COSIGNATURE_ED25519)
		return complain(ps, VT_EMALFORMED,
				"'%' is a witness's key (type 0x04): a log signs with type 0x01",
				ps->item[1], 0);
	/* "multiple log lines with the same public key, are not allowed." */
	for (size_t i = 0; i < p->n_logs; i++) {
		if (duplicate(&p->log[i].log.key, &log.log.key))
			return complain(ps, VT_EMALFORMED, "the log on line # has the same key",
					bytes_str(""), p->log[i].line);
	}
	if (ps->n_items > 2)
		log.log.url = ps->item[2];
	if ((grown = with_room(p->log, p->n_logs, sizeof(*grown))) == NULL)
		return VT_ENOMEM;
	p->log = grown;
	p->log[p->n_logs++] = log;
	return VT_OK;
}

static enum vt_err add_witness(struct parser *ps, const struct witness *witness)
{
	struct policy *p = ps->p;
	const struct node node = {
	    .name = witness->witness.name,
	    .line = ps->line,
	    .witness = p->n_witnesses,
	    .parent = NONE,
	};
	struct witness *grown = with_room(p->witness, p->n_witnesses, sizeof(*grown));

	if (grown == NULL)
		return VT_ENOMEM;
	p->witness = grown;
	p->witness[p->n_witnesses++] = *witness;
	return add_node(ps, &node);
}

/* "witness <name> <vkey> [<url>]" */
static enum vt_err define_witness(struct parser *ps)
{
	struct policy *p = ps->p;
	struct witness witness = {.line = ps->line, .witness.name = ps->item[1]};
	struct vkey *key = &witness.witness.key;
	enum vt_err err;

	if (p->n_witnesses == POLICY_WITNESSES_MAX)
		return complain(ps, VT_ELIMIT, "more than # witnesses", bytes_str(""),
				POLICY_WITNESSES_MAX);
	if ((err = check_new_name(ps, ps->item[1])) != VT_OK ||
	    (err = parse_key(ps, key, ps->item[2])) != VT_OK)
		return err;
	if (key->type != VKEY_TYPE_COSIGNATURE_ED25519 &&
	    key->type != VKEY_TYPE_COSIGNATURE_MLDSA44)
		return complain(ps, VT_EMALFORMED,
				"'%' is no witness's key: witnesses sign with type 0x04 or 0x06",
				ps->item[2], 0);
	/* "multiple witness lines with the same public key, are not allowed." */
	for (size_t i = 0; i < p->n_witnesses; i++) {
		if (duplicate(&p->witness[i].witness.key, key))
			return complain(ps, VT_EMALFORMED, "the witness on line # has the same key",
					bytes_str(""), p->witness[i].line);
	}
	if (ps->n_items > 3)
		witness.witness.url = ps->item[3];
	return add_witness(ps, &witness);
}

/* "If k is given numerically, it must be written in decimal, and it is required that 1 <= k <= n."
 */
static enum vt_err parse_threshold(const struct parser *ps, size_t *out, size_t n_members)
{
	struct bytes text = ps->item[2];
	uint64_t k;

	if (bytes_is(text, "any"))
		k = 1;
	else if (bytes_is(text, "all"))
		k = n_members;
	else if (decimal_decode(&k, text) != VT_OK || k < 1 || k > n_members)
		return complain(
		    ps, VT_EMALFORMED,
		    "'%' is no threshold for # members: expected all, any, or a number from 1 to #",
		    text, n_members);
	*out = (size_t)k;
	return VT_OK;
}

/* "a group definition can only refer to names defined on preceding lines. (This also rules out
 * circular group definitions)." */
static enum vt_err find_defined(const struct parser *ps, size_t *out, struct bytes name)
{
	*out = find_node(ps->p, name);
	if (*out == NONE)
		return complain(ps, VT_EMALFORMED,
				"no witness or group '%' is defined above this line", name, 0);
	return VT_OK;
}

/* "Each defined name can be listed as a group member at most once. This ensures that each witness
 * can contribute to a group, or to the quorum in particular, in only one way." */
static enum vt_err add_member(struct parser *ps, size_t group, struct bytes name)
{
	struct policy *p = ps->p;
	struct node *member;
	size_t at;
	enum vt_err err;

	if (bytes_is(name, "none"))
		return complain(ps, VT_EMALFORMED, "'none' cannot be a member of a group", name, 0);
	if ((err = find_defined(ps, &at, name)) != VT_OK)
		return err;
	member = &p->node[at];
	if (member->parent != NONE)
		return complain(
		    ps, VT_EMALFORMED,
		    "'%' is already a member on line #: a name can be a group member only once",
		    name, member->parent == group ? ps->line : p->node[member->parent].line);
	member->parent = group;
	return VT_OK;
}

/* "group <name> all <name>...", "group <name> any <name>..." or "group <name> <k> <name>..." */
static enum vt_err define_group(struct parser *ps)
{
	struct policy *p = ps->p;
	struct node group = {
	    .name = ps->item[1],
	    .line = ps->line,
	    .witness = NONE,
	    .parent = NONE,
	};
	enum vt_err err;

	if (p->n_groups == POLICY_GROUPS_MAX)
		return complain(ps, VT_ELIMIT, "more than # groups", bytes_str(""),
				POLICY_GROUPS_MAX);
	if ((err = check_new_name(ps, group.name)) != VT_OK ||
	    (err = parse_threshold(ps, &group.threshold, ps->n_items - 3)) != VT_OK)
		return err;
	for (size_t i = 3; i < ps->n_items; i++) {
		if ((err = add_member(ps, p->n_nodes, ps->item[i])) != VT_OK)
			return err;
	}
	p->n_groups++;
	return add_node(ps, &group);
}

/* "quorum <name>": "the name must be properly defined on a line preceding the quorum definition. A
 * policy file must include exactly one quorum line." */
static enum vt_err define_quorum(struct parser *ps)
{
	if (ps->quorum_line != 0)
		return complain(
		    ps, VT_EMALFORMED,
		    "a second quorum: the first is on line #, and there can only be one",
		    bytes_str(""), ps->quorum_line);
	ps->quorum_line = ps->line;
	if (bytes_is(ps->item[1], "none"))
		return VT_OK;
	return find_defined(ps, &ps->p->quorum, ps->item[1]);
}

static const struct keyword {
	const char *word;
	size_t min, max; /* items on the line, the keyword included */
	enum vt_err (*define)(struct parser *ps);
	const char *usage;
} keywords[] = {
    {"log", 2, 3, define_log, "expected: log <vkey> [<url>]"},
    {"witness", 3, 4, define_witness, "expected: witness <name> <vkey> [<url>]"},
    {"group", 4, ITEMS_MAX, define_group, "expected: group <name> all|any|<k> <name>..."},
    {"quorum", 2, 2, define_quorum, "expected: quorum <name>, or quorum none"},
};

/* "the allowed octet values are 0x09 (tab), 0x0A (newline), 0x20-0x7E, and 0x80-0xFF." */
static enum vt_err check_octets(const struct parser *ps, struct bytes line)
{
	for (size_t i = 0; i < line.len; i++) {
		uint8_t c = line.data[i];

		if (c == '\r')
			return complain(ps, VT_EMALFORMED,
					"a carriage return: save the file with Unix line ends",
					line, 0);
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return complain(ps, VT_EMALFORMED,
					"a control character (code #): remove it", line, c);
	}
	return VT_OK;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* "the items on each line are separated by "whitespace", which in this specification means
 * sequences of ASCII space and tab characters only." */
static enum vt_err split_items(struct parser *ps, struct bytes line)
{
	size_t at = 0;

	ps->n_items = 0;
	for (;;) {
		size_t start;

		while (at < line.len && is_blank(line.data[at]))
			at++;
		if (at == line.len)
			return VT_OK;
		if (ps->n_items == ITEMS_MAX)
			return complain(ps, VT_ELIMIT, "more than # items on a line", line,
					ITEMS_MAX);
		start = at;
		while (at < line.len && !is_blank(line.data[at]))
			at++;
		ps->item[ps->n_items++] = bytes_of(line.data + start, at - start);
		/* "comment lines (lines starting with "#", possibly preceded by whitespace)" */
		if (ps->n_items == 1 && ps->item[0].data[0] == '#') {
			ps->n_items = 0;
			return VT_OK;
		}
	}
}

static enum vt_err parse_line(struct parser *ps, struct bytes line)
{
	enum vt_err err;

	if ((err = check_octets(ps, line)) != VT_OK || (err = split_items(ps, line)) != VT_OK)
		return err;
	if (ps->n_items == 0)
		return VT_OK;
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		const struct keyword *k = &keywords[i];

		if (!bytes_is(ps->item[0], k->word))
			continue;
		if (ps->n_items > k->max && ps->item[k->max].data[0] == '#')
			return complain(ps, VT_EMALFORMED, "a comment must have a line of its own",
					line, 0);
		if (ps->n_items < k->min || ps->n_items > k->max)
			return complain(ps, VT_EMALFORMED, k->usage, line, 0);
		return k->define(ps);
	}
	return complain(ps, VT_EMALFORMED,
			"unknown keyword '%': expected log, witness, group or quorum", ps->item[0],
			0);
}

static enum vt_err parse_text(struct parser *ps)
{
	struct cursor c;
	struct bytes line;
	enum vt_err err;

	cursor_init(&c, buf_bytes(&ps->p->text));
	for (ps->line = 1; !cursor_at_end(&c); ps->line++) {
		/* "each line is terminated by ASCII newline": a file that was cut short must not
		 * pass for a policy with fewer or other rules. */
		if (cursor_line(&c, &line) != VT_OK)
			return complain(
			    ps, VT_EMALFORMED,
			    "no newline at the end of the file: add it, if nothing else is missing",
			    c.rest, 0);
		if ((err = parse_line(ps, line)) != VT_OK)
			return err;
	}
	if (ps->quorum_line == 0)
		return complain(
		    ps, VT_EMALFORMED,
		    "the quorum is missing: end the file with 'quorum <name>' or 'quorum none'",
		    c.rest, 0);
	return VT_OK;
}

static enum vt_err collect_keys(struct policy *p)
{
	size_t n = 0;

	p->known = calloc(p->n_logs + p->n_witnesses + 1, sizeof(*p->known));
	if (p->known == NULL)
		return VT_ENOMEM;
	for (size_t i = 0; i < p->n_logs; i++)
		p->known[n++] = p->log[i].log.key;
	for (size_t i = 0; i < p->n_witnesses; i++)
		p->known[n++] = p->witness[i].witness.key;
	return VT_OK;
}

enum vt_err policy_parse(struct policy **out, struct bytes text, struct policy_error *why)
{
	struct parser ps = {.why = why, .line = 1};
	enum vt_err err = VT_ENOMEM;

	*out = NULL;
	if (why != NULL)
		*why = (struct policy_error){0};
	if (text.len > POLICY_SIZE_MAX)
		return complain(&ps, VT_ELIMIT, "the file is larger than # bytes", text,
				POLICY_SIZE_MAX);
	if ((ps.p = calloc(1, sizeof(*ps.p))) == NULL)
		goto done;
	ps.p->quorum = NONE;
	if ((err = buf_append(&ps.p->text, text)) != VT_OK || (err = parse_text(&ps)) != VT_OK ||
	    (err = collect_keys(ps.p)) != VT_OK)
		goto done;
	*out = ps.p;
	ps.p = NULL; /* transferred */
done:
	if (err == VT_ENOMEM)
		complain(&ps, err, "out of memory", text, 0);
	policy_free(ps.p);
	return err;
}

void policy_free(struct policy *p)
{
	if (p == NULL)
		return;
	free(p->known);
	free(p->node);
	free(p->witness);
	free(p->log);
	buf_release(&p->text);
	free(p);
}

size_t policy_log_count(const struct policy *p)
{
	return p->n_logs;
}

const struct policy_log *policy_log(const struct policy *p, size_t i)
{
	return &p->log[i].log;
}

size_t policy_witness_count(const struct policy *p)
{
	return p->n_witnesses;
}

const struct policy_witness *policy_witness(const struct policy *p, size_t i)
{
	return &p->witness[i].witness;
}

bool policy_needs_witnesses(const struct policy *p)
{
	return p->quorum != NONE;
}

static bool holds(const struct policy *p, size_t i, const bool *cosigned, const size_t *votes)
{
	const struct node *node = &p->node[i];

	/* "the group is considered to witness a checkpoint if and only if at least k of its n
	 * members have witnessed that checkpoint" */
	return node->witness != NONE ? cosigned[node->witness] : votes[i] >= node->threshold;
}

/* votes[i]: members of group i that have witnessed, for each group up to the quorum. */
static void count_votes(size_t votes[NODES_MAX], const struct policy *p, const bool *cosigned)
{
	memset(votes, 0, NODES_MAX * sizeof(*votes));
	for (size_t i = 0; i < p->quorum; i++) {
		if (p->node[i].parent != NONE && holds(p, i, cosigned, votes))
			votes[p->node[i].parent]++;
	}
}

bool policy_quorum(const struct policy *p, const bool *cosigned)
{
	size_t votes[NODES_MAX];

	if (p->quorum == NONE)
		return true;
	count_votes(votes, p, cosigned);
	return holds(p, p->quorum, cosigned, votes);
}

static int by_digest(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct merkle_hash));
}

/* KIND, K and a newline, then the digests that belong to it, in an order of their own. */
static enum vt_err digest_of(struct merkle_hash *out, struct merkle_hasher *h, const char *kind,
			     size_t k, struct merkle_hash *member, size_t n)
{
	struct bytes part[2];
	struct buf head;
	enum vt_err err;

	buf_init(&head);
	qsort(member, n, sizeof(*member), by_digest);
	err = buf_appendf(&head, "%s %zu\n", kind, k);
	part[0] = buf_bytes(&head);
	part[1] = bytes_of(member->b, n * sizeof(*member));
	if (err == VT_OK)
		err = merkle_sha256(out, h, part, 2);
	buf_release(&head);
	return err;
}

static enum vt_err digest_of_key(struct merkle_hash *out, struct merkle_hasher *h,
				 const struct vkey *key)
{
	struct bytes text;
	struct buf vkey;
	enum vt_err err;

	buf_init(&vkey);
	if ((err = vkey_format(&vkey, key)) == VT_OK) {
		text = buf_bytes(&vkey);
		err = merkle_sha256(out, h, &text, 1);
	}
	buf_release(&vkey);
	return err;
}

/* Of each node up to the quorum's: members stand before their groups. scratch has as much room as node. */
static enum vt_err digest_nodes(struct merkle_hash *node, struct merkle_hash *scratch,
				struct merkle_hasher *h, const struct policy *p)
{
	enum vt_err err = VT_OK;

	for (size_t i = 0; i <= p->quorum && err == VT_OK; i++) {
		size_t n = 0;

		if (p->node[i].witness != NONE) {
			err =
			    digest_of_key(&node[i], h, &p->witness[p->node[i].witness].witness.key);
			continue;
		}
		for (size_t k = 0; k < i; k++)
			if (p->node[k].parent == i)
				scratch[n++] = node[k];
		err = digest_of(&node[i], h, "group", p->node[i].threshold, scratch, n);
	}
	return err;
}

enum vt_err policy_digest(struct merkle_hash *out, const struct policy *p)
{
	struct merkle_hash *node = calloc(2 * NODES_MAX + 1, sizeof(*node));
	struct merkle_hash *scratch = node + NODES_MAX;
	struct merkle_hasher h;
	enum vt_err err = VT_ENOMEM;
	size_t n = 0;

	if (node == NULL)
		return err;
	if ((err = merkle_hasher_init(&h)) != VT_OK)
		goto done;
	if (p->quorum != NONE && (err = digest_nodes(node, scratch, &h, p)) != VT_OK)
		goto done;
	if (p->quorum != NONE)
		node[0] = node[p->quorum];
	for (size_t i = 0; i < p->n_witnesses && err == VT_OK; i++)
		if (p->witness[i].witness.url.len > 0)
			err = digest_of_key(&scratch[n++], &h, &p->witness[i].witness.key);
	if (err == VT_OK)
		err = digest_of(&node[1], &h, "asked", n, scratch, n);
	if (err == VT_OK)
		err = digest_of(out, &h, "policy", p->quorum != NONE, node, 2);
done:
	merkle_hasher_release(&h);
	free(node);
	return err;
}

/* The listed log that signed under its own name as origin, or NULL. */
static const struct policy_log *find_log(const struct note *n, struct bytes origin,
					 const struct policy *p)
{
	for (size_t i = 0; i < p->n_logs; i++) {
		/* "The log's vkey includes a "key name". This name MUST correspond to the log's
		 * origin line". */
		if (bytes_is(origin, p->known[i].name) && note_signed_by(n, &p->known[i]) != NULL)
			return &p->log[i].log;
	}
	return NULL;
}

enum vt_err policy_open_checkpoint(struct note **note, struct checkpoint *out,
				   const struct policy_log **log, bool *cosigned, struct bytes msg,
				   const struct policy *p)
{
	const struct vkey_set known = {.key = p->known, .n = p->n_logs + p->n_witnesses};
	bool signed_by[POLICY_WITNESSES_MAX] = {0};
	const struct policy_log *found;
	struct checkpoint cp;
	struct note *n = NULL;
	enum vt_err err = VT_EINTERNAL;

	*note = NULL;
	if ((err = note_open(&n, msg, &known)) != VT_OK ||
	    (err = checkpoint_parse(&cp, n->text)) != VT_OK)
		goto done;
	/* "a checkpoint is considered valid if it is signed by any one of the listed logs, and it
	 * is cosigned by witnesses according to the defined quorum rule." */
	err = VT_EUNTRUSTED;
	if ((found = find_log(n, cp.origin, p)) == NULL)
		goto done;
	for (size_t i = 0; i < p->n_witnesses; i++)
		signed_by[i] = note_signed_by(n, &p->known[p->n_logs + i]) != NULL;
	if (cosigned != NULL)
		memcpy(cosigned, signed_by, p->n_witnesses * sizeof(*cosigned));
	err = VT_EMISMATCH;
	if (!policy_quorum(p, signed_by))
		goto done;
	err = VT_OK;
	*out = cp;
	*log = found;
	*note = n;
	n = NULL; /* transferred */
done:
	note_free(n);
	return err;
}

/* -- why not --------------------------------------------------------------------------------------- */

/* The quorum's members that have witnessed, or those that have not: "cosigned: a, b". */
static void put_members(struct words *w, const struct policy *p, const bool *cosigned,
			const size_t *votes, bool witnessed)
{
	const char *before = witnessed ? "cosigned: " : "not: ";

	for (size_t i = 0; i < p->quorum; i++) {
		const struct node *node = &p->node[i];

		if (node->parent != p->quorum || holds(p, i, cosigned, votes) != witnessed)
			continue;
		put(w, before, strlen(before));
		put_quoted(w, node->name);
		if (node->witness == NONE) {
			put_filled(w, " (# of ", bytes_str(""), votes[i]);
			put_filled(w, "#)", bytes_str(""), node->threshold);
		}
		before = ", ";
	}
}

static void put_quorum(struct words *w, const struct policy *p, const bool *cosigned)
{
	const struct node *quorum = &p->node[p->quorum];
	size_t votes[NODES_MAX];

	if (quorum->witness != NONE) {
		put_filled(w, "the quorum is missing: the witness '%' has not cosigned it",
			   quorum->name, 0);
		return;
	}
	count_votes(votes, p, cosigned);
	put_filled(w, "the quorum is missing: '%' has # of the ", quorum->name, votes[p->quorum]);
	put_filled(w, "# that it needs", bytes_str(""), quorum->threshold);
	put(w, " (", 2);
	put_members(w, p, cosigned, votes, true);
	if (votes[p->quorum] > 0)
		put(w, "; ", 2);
	put_members(w, p, cosigned, votes, false);
	put(w, ")", 1);
}

/* No log of the policy has signed it: has another one, or has the log another key? */
static void put_unsigned(struct words *w, const struct note *n, struct bytes origin,
			 const struct policy *p)
{
	bool listed = false, other_key = false;

	for (size_t i = 0; i < p->n_logs; i++)
		listed |= bytes_is(origin, p->known[i].name);
	for (size_t i = 0; i < n->n; i++)
		other_key |= bytes_equal(origin, n->sig[i].name);
	if (!listed)
		put_filled(w, "it is a checkpoint of '%', which is no log of the policy", origin,
			   0);
	else if (other_key)
		put_filled(w, "it is signed as '%', but by another key than the policy has for it",
			   origin, 0);
	else
		put_filled(w, "the signature of its log, '%', is missing", origin, 0);
}

/* The key whose signature on n fails, or NULL. n is parsed, and is verified only here. */
static const struct vkey *find_failing(struct note *n, const struct policy *p)
{
	for (size_t i = 0; i < p->n_logs + p->n_witnesses; i++) {
		const struct vkey_set one = {.key = &p->known[i], .n = 1};

		if (note_verify(n, &one, 1) == VT_EMISMATCH)
			return &p->known[i];
	}
	return NULL;
}

static void put_why(struct words *w, struct note *n, const struct policy *p)
{
	bool cosigned[POLICY_WITNESSES_MAX] = {0};
	const struct vkey *failing = find_failing(n, p);
	struct checkpoint cp;

	if (failing != NULL)
		put_filled(w,
			   failing < p->known + p->n_logs
			       ? "the signature of the log '%' on it does not verify"
			       : "the cosignature of the witness '%' on it does not verify",
			   bytes_str(failing->name), 0);
	else if (checkpoint_parse(&cp, n->text) != VT_OK)
		put_filled(w, "it is a signed note, but no checkpoint", bytes_str(""), 0);
	else if (find_log(n, cp.origin, p) == NULL)
		put_unsigned(w, n, cp.origin, p);
	else {
		for (size_t i = 0; i < p->n_witnesses; i++)
			cosigned[i] = note_signed_by(n, &p->known[p->n_logs + i]) != NULL;
		if (!policy_quorum(p, cosigned))
			put_quorum(w, p, cosigned);
	}
}

enum vt_err policy_explain(char out[POLICY_WHY_MAX], struct bytes msg, const struct policy *p)
{
	struct words w = {.text = out, .cap = POLICY_WHY_MAX};
	struct note *n = NULL;
	enum vt_err err = note_parse(&n, msg);

	if (err == VT_OK)
		put_why(&w, n, p);
	else if (err == VT_EMALFORMED || err == VT_ELIMIT)
		put_filled(&w, "it is no signed note", bytes_str(""), 0);
	out[w.len] = '\0';
	note_free(n);
	return err == VT_ENOMEM ? err : VT_OK;
}
