/*
 * killed_at [-w] [-c FILE] N COMMAND...: runs the command and kills it, with whatever it has started, before its Nth system call that makes,
 * renames or deletes a file or waits for the disk. Exit code 137, or the command's own if it made fewer of them, as it
 * always does of 0. -w: a write counts as well, unless it is to standard error. -c: how many there were goes into FILE.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLED = 128 + SIGKILL, NO_TEST = 125, A_SYSTEM_CALL = SIGTRAP | 0x80 };

static bool writes_count;

static bool changes_files(const struct __ptrace_syscall_info *call)
{
	switch (call->entry.nr) {
	case SYS_write:
	case SYS_pwrite64:
		return writes_count && call->entry.args[0] != STDERR_FILENO;
	case SYS_openat:
		return (call->entry.args[2] & O_CREAT) != 0;
#ifdef SYS_open /* machines that have the older calls as well */
	case SYS_open:
		return (call->entry.args[1] & O_CREAT) != 0;
	case SYS_mkdir:
	case SYS_rename:
	case SYS_unlink:
	case SYS_rmdir:
#endif
	case SYS_mkdirat:
	case SYS_renameat2:
	case SYS_unlinkat:
	case SYS_fsync:
	case SYS_fdatasync:
		return true;
	default:
		return false;
	}
}

static void start_traced(char **command)
{
	(void)setpgid(0, 0);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise(SIGSTOP) != 0)
		_exit(NO_TEST);
	(void)execv(command[0], command);
	_exit(NO_TEST);
}

static bool counts(pid_t pid)
{
	struct __ptrace_syscall_info call;

	return ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(call), &call) > 0 &&
	       call.op == PTRACE_SYSCALL_INFO_ENTRY && changes_files(&call);
}

static int kill_all(pid_t group)
{
	(void)kill(-group, SIGKILL);
	while (waitpid(-1, NULL, __WALL) > 0)
		;
	return KILLED;
}

/* *n counts what was seen. */
static int follow(pid_t command, unsigned long last, unsigned long *n)
{
	int status, signal;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		if (pid == command && WIFEXITED(status))
			return WEXITSTATUS(status);
		if (!WIFSTOPPED(status))
			continue;
		signal = WSTOPSIG(status);
		if (signal == A_SYSTEM_CALL && counts(pid) && ++*n == last)
			return kill_all(command);
		if (signal == A_SYSTEM_CALL || signal == SIGTRAP || signal == SIGSTOP)
			signal = 0; /* the tracer's own */
		(void)ptrace(PTRACE_SYSCALL, pid, NULL, signal);
	}
	return NO_TEST;
}

/* NULL is nowhere. */
static bool tell(const char *path, unsigned long n)
{
	FILE *f = path != NULL ? fopen(path, "w") : NULL;

	return path == NULL || (f != NULL && fprintf(f, "%lu\n", n) > 0 && fclose(f) == 0);
}

int main(int argc, char **argv)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK |
			     PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
	const char *count = NULL;
	unsigned long n = 0;
	int status, option;
	pid_t pid;

	while ((option = getopt(argc, argv, "+wc:")) != -1) {
		if (option == 'w')
			writes_count = true;
		else if (option == 'c')
			count = optarg;
		else
			return NO_TEST;
	}
	if (argc - optind < 2)
		return NO_TEST;
	if ((pid = fork()) == 0)
		start_traced(argv + optind + 1);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, NULL, options) != 0 ||
	    ptrace(PTRACE_SYSCALL, pid, NULL, 0) != 0) {
		fprintf(stderr, "killed_at: processes cannot be traced here\n");
		return NO_TEST;
	}
	status = follow(pid, strtoul(argv[optind], NULL, 10), &n);
	return tell(count, n) ? status : NO_TEST;
}
