#include "options.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPTIONS_MAX = 64,
	NAME_MAX_LEN = 48,
	HELP_WIDTH = 88,
};

/* "vitrine keygen": the words of the synopsis up to the first that is no subcommand. */
static int command_length(const struct command_usage *usage)
{
	const char *p = usage->synopsis;
	size_t end = 0;

	while (*p >= 'a' && *p <= 'z') {
		size_t word = strspn(p, "abcdefghijklmnopqrstuvwxyz-0123456789");
		if (p[word] != ' ' && p[word] != '\0')
			break;
		end = (size_t)(p - usage->synopsis) + word;
		p += word;
		p += strspn(p, " ");
	}
	return (int)end;
}

__attribute__((format(printf, 3, 4))) static enum vt_err
complain(FILE *err, const struct command_usage *usage, const char *fmt, ...)
{
	int len = command_length(usage);
	va_list ap;

	fprintf(err, "%.*s: ", len, usage->synopsis);
	va_start(ap, fmt);
	vfprintf(err, fmt, ap);
	va_end(ap);
	fprintf(err, "\nTry \"%.*s --help\".\n", len, usage->synopsis);
	return VT_EINVAL;
}

static void environment_name(char out[NAME_MAX_LEN + 16], const struct option *o)
{
	int n = snprintf(out, NAME_MAX_LEN + 16, "VITRINE_%.*s", NAME_MAX_LEN, o->name);

	for (int i = 0; i < n; i++) {
		if (out[i] >= 'a' && out[i] <= 'z')
			out[i] = (char)(out[i] - 'a' + 'A');
		else if (out[i] == '-')
			out[i] = '_';
	}
}

/* Levenshtein's distance, by two rows. Both are at most NAME_MAX_LEN long. */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t row[NAME_MAX_LEN + 1];

	for (size_t k = 0; k <= b_len; k++)
		row[k] = k;
	for (size_t i = 1; i <= a_len; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t k = 1; k <= b_len; k++) {
			size_t best = diagonal + (a[i - 1] != b[k - 1]);
			diagonal = row[k];
			if (row[k] + 1 < best)
				best = row[k] + 1;
			if (row[k - 1] + 1 < best)
				best = row[k - 1] + 1;
			row[k] = best;
		}
	}
	return row[b_len];
}

/* The option that was probably meant: one that begins so, or the nearest within two changes. */
static const struct option *near_miss(const struct command_usage *usage, const char *name,
				      size_t len)
{
	const struct option *nearest = NULL;
	size_t least = 3;

	if (len < 2 || len > NAME_MAX_LEN)
		return NULL;
	for (size_t i = 0; i < usage->n_options; i++) {
		const struct option *o = &usage->option[i];
		size_t o_len = strlen(o->name), d;
		if (o_len > NAME_MAX_LEN)
			continue;
		if (len < o_len && strncmp(name, o->name, len) == 0)
			return o;
		d = distance(name, len, o->name, o_len);
		if (d < least && d < o_len) {
			least = d;
			nearest = o;
		}
	}
	return nearest;
}

/* What the user may see of a text that could be anything: plain ASCII, cut. */
static const char *shown(char out[64], const char *text, size_t len)
{
	size_t n = len < 56 ? len : 56;

	for (size_t i = 0; i < n; i++)
		out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	memcpy(out + n, len > n ? "..." : "", len > n ? 4 : 1);
	return out;
}

/* Where a value came from, for messages. */
struct origin {
	const struct command_usage *usage;
	FILE *err;
	char label[NAME_MAX_LEN + 16]; /* "--listen" or "VITRINE_LISTEN" */
};

static enum vt_err set_flag(const struct origin *from, const struct option *o, const char *value)
{
	char show[64];

	if (strcmp(value, "1") == 0 || strcmp(value, "true") == 0 || strcmp(value, "yes") == 0)
		*(bool *)o->value = true;
	else if (strcmp(value, "0") == 0 || strcmp(value, "false") == 0 || strcmp(value, "no") == 0)
		*(bool *)o->value = false;
	else
		return complain(from->err, from->usage,
				"%s is \"%s\": expected 1, true or yes, or 0, false or no",
				from->label, shown(show, value, strlen(value)));
	return VT_OK;
}

static enum vt_err set_count(const struct origin *from, const struct option *o, const char *value)
{
	char show[64];
	uint64_t n;

	if (decimal_decode(&n, bytes_str(value)) != VT_OK || n < o->min || n > o->max)
		return complain(from->err, from->usage,
				"%s is \"%s\": expected a number from %" PRIu64 " to %" PRIu64,
				from->label, shown(show, value, strlen(value)), o->min, o->max);
	*(uint64_t *)o->value = n;
	return VT_OK;
}

static enum vt_err push_item(const struct origin *from, const struct option *o, const char *value)
{
	struct option_list *list = o->value;
	const char **more = realloc(list->item, (list->n + 1) * sizeof(*more));

	if (more == NULL) {
		complain(from->err, from->usage, "%s", vt_err_text(VT_ENOMEM));
		return VT_ENOMEM;
	}
	list->item = more;
	list->item[list->n++] = value;
	return VT_OK;
}

static enum vt_err set_value(const struct origin *from, const struct option *o, const char *value)
{
	switch (o->kind) {
	case OPTION_FLAG:
		return set_flag(from, o, value);
	case OPTION_TEXT:
		*(const char **)o->value = value;
		return VT_OK;
	case OPTION_COUNT:
		return set_count(from, o, value);
	case OPTION_LIST:
		return push_item(from, o, value);
	}
	return VT_EINTERNAL;
}

/* The variable's words, in one block: the pointers, then a copy of the text that they point into.
 */
static enum vt_err set_list_from_words(const struct origin *from, const struct option *o,
				       const char *words)
{
	struct option_list *list = o->value;
	size_t len = strlen(words), n = 0;
	char *copy, *p;

	for (const char *w = words + strspn(words, " "); *w != '\0'; w += strspn(w, " ")) {
		n++;
		w += strcspn(w, " ");
	}
	if (n == 0)
		return VT_OK;
	if ((list->item = malloc(n * sizeof(*list->item) + len + 1)) == NULL) {
		complain(from->err, from->usage, "%s", vt_err_text(VT_ENOMEM));
		return VT_ENOMEM;
	}
	copy = (char *)(list->item + n);
	memcpy(copy, words, len + 1);
	for (p = copy + strspn(copy, " "); *p != '\0'; p += strspn(p, " ")) {
		list->item[list->n++] = p;
		p += strcspn(p, " ");
		if (*p == ' ')
			*p++ = '\0';
	}
	return VT_OK;
}

struct parse {
	const struct command_usage *usage;
	const struct option_exclusion *exclusion;
	size_t n_exclusions;
	int argc;
	char **argv;
	int at;
	FILE *err;
	bool given[OPTIONS_MAX];       /* on the command line */
	bool passed_over[OPTIONS_MAX]; /* its variable counts for nothing */
	bool read[OPTIONS_MAX];        /* from its variable */
	bool missing[OPTIONS_MAX];     /* required, and in neither */
	int kept;                      /* operands moved to argv[1] ... */
};

static enum vt_err unknown_option(const struct parse *p, const char *name, size_t len)
{
	const struct option *meant = near_miss(p->usage, name, len);
	char show[64];

	if (meant == NULL)
		return complain(p->err, p->usage, "unknown option --%s", shown(show, name, len));
	return complain(p->err, p->usage, "unknown option --%s; did you mean --%s?",
			shown(show, name, len), meant->name);
}

static enum vt_err parse_option(struct parse *p, const char *text)
{
	const char *equals = strchr(text, '='), *value = NULL;
	size_t len = equals == NULL ? strlen(text) : (size_t)(equals - text), i;
	const struct option *o;
	struct origin from = {.usage = p->usage, .err = p->err};

	for (i = 0; i < p->usage->n_options; i++) {
		o = &p->usage->option[i];
		if (strlen(o->name) == len && memcmp(o->name, text, len) == 0)
			break;
	}
	if (i == p->usage->n_options)
		return unknown_option(p, text, len);
	if (p->given[i] && o->kind != OPTION_LIST && o->kind != OPTION_FLAG)
		return complain(p->err, p->usage, "--%s is given twice", o->name);
	p->given[i] = true;
	snprintf(from.label, sizeof(from.label), "--%.*s", NAME_MAX_LEN, o->name);
	if (equals != NULL)
		return set_value(&from, o, equals + 1);
	if (o->kind == OPTION_FLAG) {
		*(bool *)o->value = true;
		return VT_OK;
	}
	if (p->at + 1 < p->argc)
		value = p->argv[p->at + 1];
	/* A value that looks like an option is most likely one, and the value was left out. */
	if (value == NULL || strncmp(value, "--", 2) == 0)
		return complain(p->err, p->usage, "--%s needs a value: --%s %s", o->name, o->name,
				o->arg);
	p->at++;
	return set_value(&from, o, value);
}

static enum vt_err parse_arguments(struct parse *p)
{
	enum vt_err err;
	bool options_over = false;
	char show[64];

	for (p->at = 1; p->at < p->argc; p->at++) {
		char *text = p->argv[p->at];
		if (!options_over && strcmp(text, "--") == 0) {
			options_over = true;
		} else if (!options_over && strncmp(text, "--", 2) == 0) {
			if ((err = parse_option(p, text + 2)) != VT_OK)
				return err;
		} else if (!options_over && text[0] == '-' && text[1] != '\0') {
			return complain(p->err, p->usage,
					"unknown option %s: options begin with --",
					shown(show, text, strlen(text)));
		} else if (p->usage->operands == NULL) {
			return complain(p->err, p->usage, "unexpected argument \"%s\"",
					shown(show, text, strlen(text)));
		} else {
			p->argv[1 + p->kept++] = text;
		}
	}
	return VT_OK;
}

/* All at once: "--log ORIGIN and --party NAME (or VITRINE_PARTY in the environment) are needed". */
static enum vt_err complain_of_missing(const struct parse *p)
{
	char variable[NAME_MAX_LEN + 16];
	struct buf list;
	enum vt_err err = VT_OK;
	size_t n = 0;

	buf_init(&list);
	for (size_t i = 0; i < p->usage->n_options && err == VT_OK; i++) {
		const struct option *o = &p->usage->option[i];

		if (!p->missing[i])
			continue;
		environment_name(variable, o);
		err = buf_appendf(&list, "%s--%s%s%s", n++ == 0 ? "" : ", ", o->name,
				  o->arg == NULL ? "" : " ", o->arg == NULL ? "" : o->arg);
		if (err == VT_OK && o->variable)
			err = buf_appendf(&list, " (or %s in the environment)", variable);
	}
	if (n > 0)
		complain(p->err, p->usage, "%.*s %s needed", err == VT_OK ? (int)list.len : 0,
			 (const char *)list.data, n == 1 ? "is" : "are");
	buf_release(&list);
	return n > 0 ? VT_EINVAL : err;
}

static enum vt_err read_environment(struct parse *p)
{
	enum vt_err err;

	for (size_t i = 0; i < p->usage->n_options; i++) {
		const struct option *o = &p->usage->option[i];
		struct origin from = {.usage = p->usage, .err = p->err};
		const char *value;

		if (p->given[i])
			continue;
		environment_name(from.label, o);
		value = o->variable && !p->passed_over[i] ? getenv(from.label) : NULL;
		if (value != NULL && *value != '\0') { /* set to nothing is not set */
			p->read[i] = true;
			err = o->kind == OPTION_LIST ? set_list_from_words(&from, o, value)
						     : set_value(&from, o, value);
			if (err != VT_OK)
				return err;
		}
		p->missing[i] = o->required && !p->read[i];
	}
	return complain_of_missing(p);
}

static size_t find_option(const struct command_usage *usage, const char *name)
{
	size_t i = 0;

	while (i < usage->n_options && strcmp(usage->option[i].name, name) != 0)
		i++;
	return i;
}

/* Was the other option set (`where`: on the command line, or by its variable) to a value that excludes the first? */
static bool excludes(const struct parse *p, const struct option_exclusion *x, size_t other,
		     const bool where[OPTIONS_MAX])
{
	const char *value;

	if (!where[other] || x->value == NULL)
		return where[other];
	value = *(const char **)p->usage->option[other].value;
	return value != NULL && strcmp(value, x->value) == 0;
}

static enum vt_err complain_of_both(const struct parse *p, const struct option_exclusion *x)
{
	const char *space = x->value == NULL ? "" : " ", *value = x->value == NULL ? "" : x->value;

	return complain(p->err, p->usage, "--%s does not go with --%s%s%s", x->one, x->other, space,
			value);
}

/* After the command line: whose variable counts for nothing? */
static enum vt_err pass_over_excluded(struct parse *p)
{
	for (size_t i = 0; i < p->n_exclusions; i++) {
		const struct option_exclusion *x = &p->exclusion[i];
		size_t one = find_option(p->usage, x->one), other = find_option(p->usage, x->other);

		if (p->given[one] && excludes(p, x, other, p->given))
			return complain_of_both(p, x);
		if (p->given[one])
			p->passed_over[other] = true;
		if (excludes(p, x, other, p->given))
			p->passed_over[one] = true;
	}
	return VT_OK;
}

/* After the environment: two variables that exclude each other. */
static enum vt_err check_variables(const struct parse *p)
{
	char one_name[NAME_MAX_LEN + 16], other_name[NAME_MAX_LEN + 16];

	for (size_t i = 0; i < p->n_exclusions; i++) {
		const struct option_exclusion *x = &p->exclusion[i];
		size_t one = find_option(p->usage, x->one), other = find_option(p->usage, x->other);

		if (!p->read[one] || !excludes(p, x, other, p->read))
			continue;
		environment_name(one_name, &p->usage->option[one]);
		environment_name(other_name, &p->usage->option[other]);
		return complain(p->err, p->usage,
				"the variables %s and %s exclude each other: give --%s or --%s",
				one_name, other_name, x->one, x->other);
	}
	return VT_OK;
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	}
	return false;
}

enum vt_err options_parse(const struct command_usage *usage, int argc, char **argv,
			  struct operands *rest, bool *help, FILE *err)
{
	return options_parse_exclusive(usage, NULL, 0, argc, argv, rest, help, err);
}

enum vt_err options_parse_exclusive(const struct command_usage *usage,
				    const struct option_exclusion *exclusion, size_t n_exclusions,
				    int argc, char **argv, struct operands *rest, bool *help,
				    FILE *err_out)
{
	enum vt_err err;
	struct parse p = {.usage = usage,
			  .exclusion = exclusion,
			  .n_exclusions = n_exclusions,
			  .argc = argc,
			  .argv = argv,
			  .err = err_out};

	*rest = (struct operands){0};
	*help = asks_for_help(argc, argv);
	if (*help) {
		options_print_help(usage, stdout);
		return VT_OK;
	}
	if (usage->n_options > OPTIONS_MAX)
		return VT_EINTERNAL;
	if ((err = parse_arguments(&p)) != VT_OK || (err = pass_over_excluded(&p)) != VT_OK ||
	    (err = read_environment(&p)) != VT_OK || (err = check_variables(&p)) != VT_OK) {
		options_release(usage);
		return err;
	}
	rest->n = (size_t)p.kept;
	rest->arg = argv + (argc > 0 ? 1 : 0);
	return VT_OK;
}

void options_release(const struct command_usage *usage)
{
	for (size_t i = 0; i < usage->n_options; i++) {
		if (usage->option[i].kind == OPTION_LIST) {
			struct option_list *list = usage->option[i].value;
			free(list->item);
			*list = (struct option_list){0};
		}
	}
}

/* Words one after the other, broken so that no line passes HELP_WIDTH. A newline in the text is one
 * in the output. */
static void print_wrapped(FILE *out, int indent, const char *text)
{
	int column = 0;

	while (*text != '\0') {
		int word = (int)strcspn(text, " \n");
		if (column > 0 && column + 1 + word > HELP_WIDTH) {
			fputc('\n', out);
			column = 0;
		}
		if (word > 0 && column == 0) {
			fprintf(out, "%*s%.*s", indent, "", word, text);
			column = indent + word;
		} else if (word > 0) {
			fprintf(out, " %.*s", word, text);
			column += 1 + word;
		}
		text += word;
		if (*text == '\n') {
			fputc('\n', out);
			column = 0;
		}
		if (*text != '\0')
			text++;
	}
	if (column > 0)
		fputc('\n', out);
}

/* "Default: 8. From 1 to 64. VITRINE_WORKERS." */
static enum vt_err describe(struct buf *text, const struct option *o)
{
	enum vt_err err = VT_OK;
	char variable[NAME_MAX_LEN + 16];

	environment_name(variable, o);
	if ((err = buf_append_str(text, o->help)) != VT_OK)
		return err;
	if (o->required)
		err = buf_append_str(text, " Required.");
	else if (o->kind == OPTION_TEXT && *(const char **)o->value != NULL)
		err = buf_appendf(text, " Default: %s.", *(const char **)o->value);
	else if (o->kind == OPTION_COUNT)
		err = buf_appendf(text, " Default: %" PRIu64 ".", *(uint64_t *)o->value);
	else if (o->kind == OPTION_LIST)
		err = buf_append_str(text, " May be given several times.");
	if (err == VT_OK && o->kind == OPTION_COUNT && o->max != UINT64_MAX)
		err = buf_appendf(text, " From %" PRIu64 " to %" PRIu64 ".", o->min, o->max);
	if (err == VT_OK && o->variable)
		err = buf_appendf(text, " [%s]", variable);
	return err == VT_OK ? buf_append_byte(text, 0) : err;
}

static bool has_variables(const struct command_usage *usage)
{
	for (size_t i = 0; i < usage->n_options; i++)
		if (usage->option[i].variable)
			return true;
	return false;
}

void options_print_help(const struct command_usage *usage, FILE *out)
{
	fprintf(out, "Usage: %s\n\n", usage->synopsis);
	print_wrapped(out, 0, usage->about);
	fputs("\nOptions:\n", out);
	for (size_t i = 0; i < usage->n_options; i++) {
		const struct option *o = &usage->option[i];
		struct buf text;

		fprintf(out, "  --%s%s%s\n", o->name, o->arg == NULL ? "" : " ",
			o->arg == NULL ? "" : o->arg);
		buf_init(&text);
		print_wrapped(out, 8, describe(&text, o) == VT_OK ? (char *)text.data : o->help);
		buf_release(&text);
	}
	fputs("  --help\n        Print this and stop.\n", out);
	if (has_variables(usage)) {
		fputc('\n', out);
		print_wrapped(
		    out, 0,
		    "The name in brackets is an environment variable that does the same; the "
		    "command "
		    "line wins. What ends up in a signed statement or names a file to write has "
		    "none. A flag's variable is 1, true or yes, or 0, false or no; where an "
		    "option may be given several times, spaces stand between the values.");
	}
	if (usage->examples != NULL) {
		fprintf(out, "\nExamples:\n%s", usage->examples);
		if (usage->examples[strlen(usage->examples) - 1] != '\n')
			fputc('\n', out);
	}
}
