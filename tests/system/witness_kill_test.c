/*
 * witness_kill_test VITRINE: a witness that is killed at random moments under load never cosigns, nor
 * shows, anything inconsistent with what it cosigned before.
 */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "durable.h"
#include "scratch.h"
#include "vitrine_test.h"
#include "witness_crowd.h"

#define ORIGIN "log.example/kill"

enum {
	KILLS = 30,
	CLIENTS = 16,
	ANSWERS_MAX = 400, /* before a kill */
};

extern char **environ;
static const char *vitrine;

/* Start it with its standard output in a pipe. */
static pid_t start(const char *const argv[], FILE **said)
{
	posix_spawn_file_actions_t actions;
	int ends[2];
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], 1), 0);
	assert_int_equal(
	    posix_spawn(&pid, vitrine, &actions, NULL, (char *const *)(uintptr_t)argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	*said = fdopen(ends[0], "r");
	assert_non_null(*said);
	return pid;
}

static void read_line(FILE *said, char *line, int cap)
{
	assert_non_null(fgets(line, cap, said));
	line[strcspn(line, "\n")] = '\0';
}

/* A command that prints one line. */
static void run_to_its_end(const char *const *argv, char *line, int cap)
{
	FILE *said;
	pid_t pid = start(argv, &said);
	int status;

	read_line(said, line, cap);
	fclose(said);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static struct vkey make_key(char *path)
{
	const char *const argv[] = {"vitrine", "keygen", "--for",
				    "witness", "--name", "witness.example/kill",
				    "--out",   path,     NULL};
	struct vkey key;
	char line[512];

	run_to_its_end(argv, line, sizeof(line));
	assert_int_equal(vkey_parse(&key, bytes_str(line)), VT_OK);
	return key;
}

static void what_was_cosigned_binds_it_for_ever(void **state)
{
	static struct crowd c;
	char key[600], folder[600], policy[600], line[512];
	const char *const init[] = {
	    "vitrine", "witness", "init",    "--name", "witness.example/kill",
	    "--key",   key,       "--state", folder,   "--policy",
	    policy,    NULL};
	const char *const argv[] = {"vitrine", "witness",  "--key",       key,        "--state",
				    folder,    "--policy", policy,        "--listen", "127.0.0.1:0",
				    "--rate",  "0",        "--log-level", "error",    NULL};
	struct buf text;

	(void)state;
	snprintf(key, sizeof(key), "%s", scratch_path("key"));
	snprintf(policy, sizeof(policy), "%s", scratch_path("policy"));
	snprintf(folder, sizeof(folder), "%s", scratch_path("state"));
	crowd_init(&c, ORIGIN, 7);
	c.witness = make_key(key);
	buf_init(&text);
	witness_log_policy_line(&text, &c.log);
	assert_int_equal(buf_append_str(&text, "quorum none\n"), VT_OK);
	assert_int_equal(durable_write(policy, buf_bytes(&text), 0600), VT_OK);
	buf_release(&text);
	run_to_its_end(init, line, sizeof(line));
	for (unsigned round = 0; round <= KILLS; round++) {
		FILE *said;
		int status;
		pid_t pid = start(argv, &said);

		read_line(said, line, sizeof(line));
		assert_memory_equal(line, "listening on ", 13);
		c.url = line + 13;
		crowd_settle(&c);
		c.victim = pid;
		c.kill_after = 1 + (unsigned)(round * 7919 % ANSWERS_MAX);
		if (round < KILLS)
			crowd_push(&c, CLIENTS);
		else
			kill(pid, SIGTERM);
		fclose(said);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (round < KILLS)
			assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		else
			assert_int_equal(status, 0);
	}
	crowd_check(&c);
	printf("%zu heads cosigned up to size %llu over %d kills\n", c.n_cosigned,
	       (unsigned long long)c.log.size, KILLS);
	assert_true(c.log.size > KILLS);
	crowd_release(&c);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_was_cosigned_binds_it_for_ever)};

	if (argc != 2)
		return 2;
	vitrine = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
