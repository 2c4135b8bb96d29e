/* Alerts out of the outboxes to whoever takes them, each until it is taken. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "files.h"
#include "logline.h"
#include "monitor_private.h"

enum {
	FIRST_PAUSE_MILLIS = 500,
	LONGEST_PAUSE_MILLIS = 300000,
	LOOK_MILLIS = 100,   /* how soon a stop is noticed while a command runs */
	GRACE_MILLIS = 2000, /* for a command under way when the monitor stops */
	IDLE_MILLIS = 1000,
	MARK_EVERY = 64, /* printed alerts */
};

/* The alert and a newline as a file to read, so that a command which does not read it blocks nobody. */
static int as_file(struct bytes alert)
{
	int fd = memfd_create("alert", MFD_CLOEXEC);

	if (fd < 0)
		return -1;
	if (files_write_at(fd, alert.data, alert.len, 0) == VT_OK &&
	    files_write_at(fd, "\n", 1, alert.len) == VT_OK)
		return fd;
	close(fd);
	return -1;
}

/* A group of its own, so that all that it started can be ended; and with the signals that this
 * process keeps for itself (main() ignores two). */
static int start_command(pid_t *pid, const char *command, int input)
{
	char shell[] = "sh", option[] = "-c";
	char *line = strdup(command), *argv[] = {shell, option, line, NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, back;
	int failed = ENOMEM;

	if (line == NULL)
		return ENOMEM;
	sigemptyset(&none);
	sigemptyset(&back);
	sigaddset(&back, SIGPIPE);
	sigaddset(&back, SIGXFSZ);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						  POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &back);
	if (posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO) == 0)
		failed = posix_spawn(pid, "/bin/sh", &files, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	free(line);
	return failed;
}

/* Wait for it, at most so long; then it is ended. Its status as waitpid() has it. */
static int await_command(const struct monitor *m, pid_t pid)
{
	uint64_t left = (uint64_t)m->config.command_seconds * 1000;
	struct pollfd done = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	bool hurried = false;
	int status = -1;

	while (done.fd >= 0 && left > 0 && poll(&done, 1, LOOK_MILLIS) <= 0) {
		if (m->deliver_stop && !hurried) {
			hurried = true;
			left = left < GRACE_MILLIS ? left : GRACE_MILLIS;
		}
		left -= left < LOOK_MILLIS ? left : LOOK_MILLIS;
	}
	if (left == 0)
		kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (done.fd >= 0)
		close(done.fd);
	return status;
}

static bool run_command(const struct monitor *m, struct bytes alert)
{
	int input = as_file(alert), status, failed;
	char what[64] = "";
	pid_t pid;

	if (input < 0) {
		logline(LOGLINE_ERROR, "alert not delivered", "why=memory");
		return false;
	}
	failed = start_command(&pid, m->on_alert, input);
	close(input);
	if (failed != 0) {
		logline(LOGLINE_ERROR, "alert not delivered", "why=start errno=%d", failed);
		return false;
	}
	status = await_command(m, pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	if (WIFEXITED(status))
		snprintf(what, sizeof(what), "exit=%d", WEXITSTATUS(status));
	else
		snprintf(what, sizeof(what), "signal=%d",
			 WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	logline(LOGLINE_WARN, "alert not delivered", "why=command %s", what);
	return false;
}

static bool deliver(struct monitor *m, struct bytes alert)
{
	bool taken =
	    m->on_alert != NULL ? run_command(m, alert) : m->config.print(m->config.ctx, alert);

	m->delivery_fails = !taken;
	if (taken)
		m->delivered++;
	else
		m->failed_deliveries++;
	return taken;
}

/* A printed alert costs less than a mark on disk. */
static bool may_wait(const struct monitor *m)
{
	return m->on_alert == NULL && m->delivered % MARK_EVERY != 0;
}

void *deliver_alerts(void *monitor)
{
	struct monitor *m = monitor;
	uint64_t pause = FIRST_PAUSE_MILLIS;
	struct buf alert;
	enum vt_err err;

	buf_init(&alert);
	while (!m->deliver_stop) {
		if (!outboxes_wait(m->outboxes, 0) && outboxes_mark(m->outboxes) == VT_OK &&
		    !outboxes_wait(m->outboxes, IDLE_MILLIS))
			continue;
		if ((err = outboxes_next(m->outboxes, &alert)) == VT_OK &&
		    deliver(m, buf_bytes(&alert)) &&
		    (err = outboxes_taken(m->outboxes, may_wait(m))) == VT_OK) {
			pause = FIRST_PAUSE_MILLIS;
			logline(LOGLINE_DEBUG, "alert delivered", "total=%llu",
				(unsigned long long)m->delivered);
			continue;
		}
		if (err != VT_OK && err != VT_ENOTFOUND) {
			m->delivery_fails = true;
			logline(LOGLINE_ERROR, "alerts cannot be read", "why=%d", (int)err);
		}
		if (err == VT_OK)
			outboxes_not_taken(m->outboxes);
		monitor_pause_delivery(m, pause);
		pause = pause * 2 < LONGEST_PAUSE_MILLIS ? pause * 2 : LONGEST_PAUSE_MILLIS;
	}
	outboxes_mark(m->outboxes);
	buf_release(&alert);
	return NULL;
}
