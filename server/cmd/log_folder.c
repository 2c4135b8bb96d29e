/* A log's folder is named and looked at here, and its identity read, in one way for whoever makes a log and whoever opens one. */
#include "log_folder.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "durable.h"
#include "mark.h"

#define WHAT_TO_DO                                                                                 \
	"If this log has run before, its folder is lost or not mounted: mount it or put the "      \
	"newest one back. A new log is made once, by `vitrine init --data %s --origin %s ...`"

int log_folder_name(struct log_folder *f, const char *command, const char *path)
{
	f->path = path;
	if (path_in(f->store, path, "log.db") == VT_OK &&
	    path_in(f->mark, path, "high-water-mark") == VT_OK &&
	    path_in(f->frozen, path, "FROZEN") == VT_OK &&
	    path_in(f->policy, path, "policy-in-use") == VT_OK)
		return CMD_HOLDS;
	return cmd_fail(command, CMD_USAGE, "--data: the name is too long");
}

/* The folder is there and has no store. A mark says that it has had one. */
static int store_missing(const struct log_folder *f, const char *command, const char *origin,
			 bool empty)
{
	struct tree_head head;

	if (mark_read(&head, f->mark, origin) == VT_OK)
		return cmd_fail(command, CMD_UNSURE,
				"--data %s: log.db is missing, and the high-water mark beside it "
				"says that this log has had %" PRIu64
				" entries. Put the newest log.db back, with log.db-wal if there "
				"was one",
				f->path, head.size);
	return cmd_fail(command, CMD_UNSURE, "--data %s: there is no log in it (%s). " WHAT_TO_DO,
			f->path, empty ? "it is empty" : "log.db is missing", f->path, origin);
}

int log_folder_check(const struct log_folder *f, const char *command, const char *origin)
{
	enum folder_state is;

	if (folder_look(&is, f->path) != VT_OK)
		return cmd_fail(command, CMD_UNSURE, "--data %s: it cannot be read: %s", f->path,
				strerror(errno));
	if (is == FOLDER_MISSING)
		return cmd_fail(command, CMD_UNSURE,
				"--data %s: there is no such folder. " WHAT_TO_DO, f->path, f->path,
				origin);
	if (folder_unfinished(f->path))
		return cmd_fail(command, CMD_UNSURE,
				"--data %s: this log was not made to the end, and nothing was "
				"signed. Repeat the `vitrine init --data %s --origin %s ...` that "
				"began it",
				f->path, f->path, origin);
	if (access(f->store, F_OK) == 0)
		return CMD_HOLDS;
	if (errno != ENOENT)
		return cmd_fail(command, CMD_UNSURE, "%s: %s", f->store, strerror(errno));
	return store_missing(f, command, origin, is == FOLDER_EMPTY);
}

/* -- identity ------------------------------------------------------------------------------------ */

int log_identity_admission(struct log_identity *id, const char *command, const char *admission,
			   bool centre_given)
{
	id->raw = strcmp(admission, "raw") == 0;
	if (!id->raw && strcmp(admission, "records") != 0)
		return cmd_fail(command, CMD_USAGE, "--admission: records or raw, not %s",
				admission);
	if (id->raw && centre_given)
		return cmd_fail(command, CMD_USAGE,
				"the centre's key has no meaning with --admission raw");
	if (!id->raw && !centre_given)
		return cmd_fail(command, CMD_USAGE,
				"--centre PUBKEY is needed: the public key that will sign entry 0 "
				"(or use --admission raw)");
	return CMD_HOLDS;
}

int log_identity_name(struct log_identity *id, const char *command, const char *origin)
{
	id->origin = origin;
	if (signer_note(&id->signer, id->key, origin, VKEY_TYPE_ED25519) != VT_OK)
		return cmd_fail(command, CMD_USAGE,
				"--origin must be 1 to 255 bytes without space, plus or control "
				"characters, and --key an Ed25519 key");
	buf_init(&id->vkey);
	if (vkey_format(&id->vkey, &id->signer.key) != VT_OK ||
	    buf_append_byte(&id->vkey, '\0') != VT_OK)
		return cmd_fail(command, CMD_UNSURE, "out of memory");
	return CMD_HOLDS;
}

struct store_identity log_identity_stored(const struct log_identity *id)
{
	return (struct store_identity){
	    .origin = id->origin,
	    .vkey = (const char *)id->vkey.data,
	    .mode = id->raw ? "raw" : "records",
	    .centre = id->raw ? bytes_of(NULL, 0) : party_key_spki(id->centre),
	};
}

void log_identity_release(struct log_identity *id)
{
	party_key_free(id->centre);
	buf_release(&id->vkey);
	signer_free(id->key);
	*id = (struct log_identity){0};
}
