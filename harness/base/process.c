/* Processes and the machine, by name: for telling whether somebody is still at work. */
#include "sb_base.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool sb_host_name(char *out, size_t n)
{
	if (gethostname(out, n))
		return false;
	out[n - 1] = '\0';
	return out[0] != '\0';
}

bool sb_process_start(int64_t pid, char *out, size_t n)
{
	char path[64], text[1024], *p;
	FILE *f;
	bool ok;

	snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)pid);
	f = fopen(path, "r");
	ok = f && fgets(text, sizeof(text), f);
	if (f)
		fclose(f);
	/* Field 22; the name in field 2 may hold blanks, so count from its closing bracket. */
	p = ok ? strrchr(text, ')') : NULL;
	if (p && p[1] && strchr("ZX", p[2])) /* ended, and nobody has collected it yet */
		return false;
	for (int field = 2; p && field < 22; field++) {
		p = strchr(p, ' ');
		p += p != NULL;
	}
	if (!p)
		return false;
	snprintf(out, n, "%.*s", (int)strcspn(p, " "), p);
	return true;
}

bool sb_process_lives(int64_t pid, const char *start)
{
	char now[64];

	if (start && sb_process_start(getpid(), now, sizeof(now)))
		return sb_process_start(pid, now, sizeof(now)) && !strcmp(now, start);
	return kill((pid_t)pid, 0) == 0 || errno == EPERM;
}
