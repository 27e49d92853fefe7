/* Preloaded into Debian's cron: a clock that is ours, a folder that is ours, and no job is ever run.
 *
 * CLOCK_START, CLOCK_END  seconds since the epoch: when it is started and ended
 * CLOCK_ROOT              the folder that stands for / where it looks for its crontabs and writes its pid
 * CLOCK_LOG               the file for what it logs: the seconds, a blank, and its own words
 * CLOCK_PAUSES            whether the ten seconds that it pauses between jobs that are late take time. They delay the
 *                         other lines of a crontab, so lines that are tried together have them take none.
 *
 * cron itself decides when a job begins, and logs that from a process of its own just before it runs the job:
 * there it ends.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define PAUSE 10

static time_t now, end;
static int pauses, output = -1;
static pid_t daemon_pid;
static const char *root;

__attribute__((constructor)) static void begin(void)
{
	now = atol(getenv("CLOCK_START"));
	end = atol(getenv("CLOCK_END"));
	root = getenv("CLOCK_ROOT");
	pauses = getenv("CLOCK_PAUSES") != NULL;
	output = REAL(open)(getenv("CLOCK_LOG"), O_WRONLY | O_CREAT | O_APPEND, 0600);
	daemon_pid = getpid();
	unsetenv("LD_PRELOAD");
}

time_t time(time_t *at)
{
	if (at)
		*at = now;
	return now;
}

unsigned int sleep(unsigned int seconds)
{
	if (seconds != PAUSE || pauses)
		now += seconds;
	if (now >= end)
		_exit(0);
	return 0;
}

static void say(const char *format, va_list words)
{
	char line[2048];
	int length = snprintf(line, sizeof line, "%ld ", (long)now);
	length += vsnprintf(line + length, sizeof line - length - 1, format, words);
	if (length > (int)sizeof line - 2)
		length = sizeof line - 2;
	line[length++] = '\n';
	if (write(output, line, length) != length)
		_exit(2);
	if (getpid() != daemon_pid && strstr(line, ") CMD ("))
		_exit(0);
}

void __syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list words;
	va_start(words, format);
	say(format, words);
	va_end(words);
}

void openlog(const char *name, int options, int facility) {}
void closelog(void) {}

/* The process of a job is a real one; the shell that it would start is not. */
pid_t fork(void)
{
	if (getpid() != daemon_pid)
		return 0;
	pid_t child = REAL(fork)();
	if (child > 0)
		waitpid(child, NULL, 0);
	return child;
}

static const char *ours(const char *path)
{
	static char moved[4096];
	if (strncmp(path, "/etc/cron", 9) && strncmp(path, "/var/spool/cron", 15) && strncmp(path, "/var/run/crond", 14) &&
	    strncmp(path, "/run/crond", 10))
		return path;
	snprintf(moved, sizeof moved, "%s%s", root, path);
	return moved;
}

int open(const char *path, int flags, ...)
{
	va_list more;
	va_start(more, flags);
	mode_t mode = va_arg(more, mode_t);
	va_end(more);
	return REAL(open)(ours(path), flags, mode);
}

/* Whoever runs the tests owns the files; cron wants root to. */
static int owned(int answer, struct stat *found)
{
	found->st_uid = 0;
	return answer;
}

int stat(const char *path, struct stat *found) { return owned(REAL(stat)(ours(path), found), found); }
int lstat(const char *path, struct stat *found) { return owned(REAL(lstat)(ours(path), found), found); }
int fstat(int file, struct stat *found) { return owned(REAL(fstat)(file, found), found); }
int chdir(const char *path) { return REAL(chdir)(ours(path)); }
DIR *opendir(const char *path) { return REAL(opendir)(ours(path)); }
int access(const char *path, int mode) { return strstr(path, "crond.reboot") ? 0 : REAL(access)(path, mode); }
int seteuid(uid_t user) { return 0; }

/* What a job's process asks on its way to the log. */
int is_selinux_enabled(void) { return 0; }
int pam_start(const char *service, const char *user, const void *talk, void **handle) { return 0; }
int pam_set_item(void *handle, int item, const void *value) { return 0; }
int pam_acct_mgmt(void *handle, int flags) { return 0; }
int pam_setcred(void *handle, int flags) { return 0; }
int pam_open_session(void *handle, int flags) { return 0; }
FILE *tmpfile(void) { return stderr; }
