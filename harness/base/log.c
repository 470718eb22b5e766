#include "sb_base.h"

#include <stdio.h>

static enum sb_log_level threshold = SB_LOG_INFO;

void sb_log_set_level(enum sb_log_level level)
{
	threshold = level;
}

void sb_log(enum sb_log_level level, const char *fmt, ...)
{
	static const char *const prefix[] = { "error: ", "warning: ", "", "debug: " };
	char line[2048];
	va_list ap;

	if (level > threshold)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "spabench: %s%s\n", prefix[level], line);
}
