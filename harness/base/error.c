#include "sb_base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum sb_status sb_fail(struct sb_error *err, enum sb_status code, const char *fmt, ...)
{
	if (err) {
		va_list ap;

		err->code = code;
		va_start(ap, fmt);
		vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
		va_end(ap);
	}
	return code;
}

enum sb_status sb_wrap(struct sb_error *err, const char *fmt, ...)
{
	char context[512], old[sizeof(err->msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	memcpy(old, err->msg, sizeof(old));
	/* A message longer than the buffer loses its end, never its beginning. */
	size_t used = (size_t)snprintf(err->msg, sizeof(err->msg), "%s: ", context);
	if (used < sizeof(err->msg)) {
		size_t room = sizeof(err->msg) - used - 1, len = strnlen(old, sizeof(old) - 1);
		if (len > room)
			len = room;
		memcpy(err->msg + used, old, len);
		err->msg[used + len] = '\0';
	}
	return err->code;
}

int sb_exit_code(enum sb_status code)
{
	switch (code) {
	case SB_OK:
		return 0;
	case SB_E_USAGE:
		return 2;
	case SB_E_ENV:
		return 3;
	case SB_E_DATA:
	case SB_E_DEVICE:
	case SB_E_NOMEM:
		return 4;
	case SB_E_INTERRUPTED:
		return 130;
	case SB_E_VERDICT:
		return 1;
	case SB_E_OPEN:
		return 5;
	}
	return 4;
}

void sb_bug(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "spabench: bug at %s:%d: ", file, line);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}
