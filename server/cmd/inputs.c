/* What several subcommands read from and write to files, with the messages that a person needs when it fails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "durable.h"
#include "file_kind.h"
#include "json.h"
#include "logline.h"
#include "open_files.h"
#include "output.h"
#include "signer.h"
#include "vitrine/policy.h"

enum {
	SECRET_MAX = 4096,
};

int cmd_configure_loglines(const char *name, const char *format, const char *level)
{
	static const char *const levels[] = {"debug", "info", "warn", "error"};
	bool json = strcmp(format, "json") == 0;

	for (size_t i = 0; i < 4 && (json || strcmp(format, "text") == 0); i++) {
		if (strcmp(level, levels[i]) == 0) {
			logline_configure((enum logline_level)i, json);
			return CMD_HOLDS;
		}
	}
	return cmd_fail(name, CMD_USAGE,
			"--log-format is text or json; --log-level is debug, info, warn or error");
}

int cmd_need_files(const char *name, uint64_t need)
{
	char why[OPEN_FILES_WHY_MAX];

	return open_files_need(need, why) == VT_OK ? CMD_HOLDS
						   : cmd_fail(name, CMD_UNSURE, "%s", why);
}

/* The first line, whatever system it was written on. */
static int find_passphrase(const char *name, const char *path, struct bytes file, char **out)
{
	struct bytes line = text_without_mark(file);
	const uint8_t *end = line.len > 0 ? memchr(line.data, '\n', line.len) : NULL;

	if (end != NULL)
		line.len = (size_t)(end - line.data);
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	if (pem_label(file).len > 0 || der_label(file) != NULL)
		return cmd_fail(name, CMD_USAGE, "%s: it is %s: a passphrase is needed", path,
				file_kind_text(file));
	if (line.len == 0)
		return cmd_fail(name, CMD_USAGE, "%s: the first line is empty", path);
	if (memchr(line.data, '\0', line.len) != NULL)
		return cmd_fail(name, CMD_USAGE,
				"%s: a NUL byte in the first line; save it as UTF-8", path);
	*out = bytes_dup_str(line);
	return *out != NULL ? CMD_HOLDS : cmd_fail(name, CMD_UNSURE, "out of memory");
}

int cmd_read_passphrase(const char *name, const char *path, char **out)
{
	struct buf text;
	enum vt_err err;
	int code;

	*out = NULL;
	if (path == NULL)
		return CMD_HOLDS;
	buf_init(&text);
	if ((err = file_read(&text, path, SECRET_MAX)) != VT_OK)
		code = cmd_fail(name, CMD_UNSURE, "%s: %s", path, file_fault(err));
	else
		code = find_passphrase(name, path, buf_bytes(&text), out);
	if (text.data != NULL)
		explicit_bzero(text.data, text.cap);
	buf_release(&text);
	return code;
}

void cmd_forget(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

int cmd_read_signer(const char *name, const char *option, const char *path,
		    const char *passphrase_file, struct signer **out)
{
	struct why why = {""};
	char *passphrase;
	enum vt_err err;
	int code = cmd_read_passphrase(name, passphrase_file, &passphrase);

	*out = NULL;
	if (code != CMD_HOLDS)
		return code;
	if ((err = signer_from_file(out, path, passphrase, &why)) != VT_OK)
		code = cmd_fail(name, err == VT_EIO || err == VT_ENOMEM ? CMD_UNSURE : CMD_USAGE,
				"--%s %s: %s", option, path,
				why.text[0] ? why.text : vt_err_text(err));
	cmd_forget(passphrase);
	return code;
}

int cmd_read_public_key(const char *name, const char *option, const char *path,
			struct party_key **out)
{
	struct why why = {""};
	struct buf text;
	enum vt_err err;
	int code = CMD_HOLDS;

	*out = NULL;
	buf_init(&text);
	if ((err = file_read(&text, path, 64 * 1024)) == VT_OK)
		err = party_key_parse(out, buf_bytes(&text), &why);
	if (err != VT_OK)
		code =
		    cmd_fail(name, err == VT_EIO || err == VT_ENOMEM ? CMD_UNSURE : CMD_USAGE,
			     "--%s %s: %s", option, path, why.text[0] ? why.text : file_fault(err));
	buf_release(&text);
	return code;
}

int cmd_parse_vkey(const char *name, const char *label, const char *text, struct vkey *out)
{
	enum vt_err err = vkey_parse(out, bytes_str(text));

	if (err == VT_OK)
		return CMD_HOLDS;
	if (err == VT_ENOMEM)
		return cmd_fail(name, CMD_UNSURE, "%s", vt_err_text(err));
	if (strncmp(text, "PRIVATE+KEY+", 12) == 0)
		return cmd_fail(name, CMD_USAGE, "%sa private key, where its vkey is needed",
				label);
	if (access(text, F_OK) == 0)
		return cmd_fail(name, CMD_USAGE,
				"%s%s: the name of a file, where the vkey itself is needed: "
				"`\"$(cat FILE)\"`",
				label, text);
	return cmd_fail(name, CMD_USAGE, "%s%s: %s", label, text,
			err == VT_EUNTRUSTED
			    ? "name, ID and key of this vkey contradict each other, or the key is "
			      "weak: copy it anew"
			    : "not a vkey (NAME+ID+KEY), as the policy has it");
}

int cmd_check_record(const char *name, const char *path, struct bytes file)
{
	static const char *const kinds[] = {"record", "bundle", "json"};
	const struct file_kind *kind = file_kind(file);
	bool json = false;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		json = json || file_kind_is(kind, kinds[i]);
	if (!json)
		return cmd_fail(name, CMD_USAGE, "%s: it is %s, and no record (DSSE)", path,
				file_kind_text(file));
	if (text_without_mark(file).len < file.len)
		return cmd_fail(name, CMD_USAGE, "%s: %s", path, text_fault(file));
	return CMD_HOLDS;
}

/* A file that is something else is told by that, and not by its first line. */
static int refuse_policy(const char *name, const char *path, struct bytes text, enum vt_err err,
			 const struct policy_error *why)
{
	const struct file_kind *kind = file_kind(text);
	const char *fault = text_fault(text);

	if (err == VT_ENOMEM)
		return cmd_fail(name, CMD_UNSURE, "--policy %s: %s", path, vt_err_text(err));
	if (kind != NULL && !file_kind_is(kind, "policy"))
		return cmd_fail(name, CMD_USAGE, "--policy %s: it is %s, and no policy", path,
				kind->what);
	if (fault != NULL && why->line <= 1)
		return cmd_fail(name, CMD_USAGE, "--policy %s: %s", path, fault);
	return cmd_fail(name, CMD_USAGE, "--policy %s: line %zu: %s", path, why->line, why->text);
}

int cmd_read_policy(const char *name, const char *path, struct policy **out)
{
	struct policy_error why = {0, ""};
	struct buf text;
	enum vt_err err;
	int code = CMD_HOLDS;

	*out = NULL;
	buf_init(&text);
	if ((err = file_read(&text, path, POLICY_SIZE_MAX)) != VT_OK)
		code = cmd_fail(name, err == VT_ENOTFOUND ? CMD_USAGE : CMD_UNSURE,
				"--policy %s: %s", path, file_fault(err));
	else if ((err = policy_parse(out, buf_bytes(&text), &why)) != VT_OK)
		code = refuse_policy(name, path, buf_bytes(&text), err, &why);
	buf_release(&text);
	return code;
}

int cmd_write_output(const char *name, const char *label, const char *path, struct bytes contents,
		     bool secret)
{
	struct why why;
	enum vt_err err = output_write(path, contents, secret, &why);

	if (err == VT_OK)
		return CMD_HOLDS;
	return cmd_fail(name, err == VT_EINVAL ? CMD_USAGE : CMD_UNSURE, "%s%s: %s", label, path,
			why.text);
}

bool cmd_same_file(const char *a, const char *b)
{
	struct stat one, other;

	return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino && S_ISREG(one.st_mode);
}

int cmd_print_json(const char *name, struct json *j)
{
	struct buf out;
	enum vt_err err;

	buf_init(&out);
	if ((err = json_write(&out, j, JSON_COMPACT)) == VT_OK)
		printf("%.*s\n", (int)out.len, (const char *)out.data);
	buf_release(&out);
	json_free(j);
	return err == VT_OK ? CMD_HOLDS : cmd_fail(name, CMD_UNSURE, "%s", vt_err_text(err));
}

bool cmd_wait_before_retry(void *ctx, uint64_t millis, const char *why)
{
	struct timespec pause = {(time_t)(millis / 1000), (long)(millis % 1000) * 1000000};

	fprintf(stderr, "vitrine %s: %s; trying again in %.1f s\n", (const char *)ctx, why,
		(double)millis / 1000);
	while (nanosleep(&pause, &pause) != 0)
		;
	return true;
}
