#include "kernel_name.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* <length><letters> at *at, which moves behind it; false when it is no such thing. */
static bool identifier(const char **at, const char **name, int *length)
{
	char *end;
	long n = strtol(*at, &end, 10);

	if (end == *at || n <= 0 || n > 1000 || (size_t)n > strlen(end))
		return false;
	*name = end;
	*length = (int)n;
	*at = end + n;
	return true;
}

static const char *plain_type(char c)
{
	switch (c) {
	case 'f':
		return "float";
	case 'd':
		return "double";
	case 'i':
		return "int";
	case 'j':
		return "unsigned";
	case 'l':
		return "long";
	case 'm':
		return "size_t";
	case 'b':
		return "bool";
	default:
		return NULL;
	}
}

/* One template argument into out; false when it is of a sort that is not read here. */
static bool argument(const char **at, char *out, size_t n)
{
	const char *name;
	int length;

	if (**at == 'L') { /* L <type> <number> E */
		const char *number = *at + 2, *end = *at + 1 + (plain_type((*at)[1]) != NULL);

		if (end != number)
			return false;
		while (*end == 'n' || isdigit((unsigned char)*end))
			end++;
		if (*end != 'E')
			return false;
		snprintf(out, n, "%s%.*s", *number == 'n' ? "-" : "", (int)(end - number - (*number == 'n')),
		        number + (*number == 'n'));
		*at = end + 1;
		return true;
	}
	if (plain_type(**at)) {
		snprintf(out, n, "%s", plain_type(**at));
		++*at;
		return true;
	}
	if (!identifier(at, &name, &length))
		return false;
	snprintf(out, n, "%.*s", length, name);
	return true;
}

/* <identifier>, or N <identifier> .. up to its template arguments or end, joined by "::". */
static bool qualified(const char **at, char *out, size_t n)
{
	bool nested = **at == 'N';
	size_t used = 0;
	const char *name;
	int length;

	*at += nested;
	do {
		if (!identifier(at, &name, &length))
			return false;
		snprintf(out + used, n - used, "%s%.*s", used ? "::" : "", length, name);
		used = strlen(out);
	} while (nested && isdigit((unsigned char)**at));
	return true;
}

/* Arguments up to the first that is not read, for which ".." stands. */
static void arguments(const char *at, char *out, size_t n)
{
	char one[128];
	bool first = true;

	while (*at && *at != 'E') {
		bool read = argument(&at, one, sizeof(one));
		size_t used = strlen(out);

		snprintf(out + used, n - used, "%s%s", first ? "<" : ",", read ? one : "..");
		first = false;
		if (!read)
			break;
	}
	if (!first)
		snprintf(out + strlen(out), n - strlen(out), ">");
}

void sb_kernel_name(const char *mangled, char *out, size_t n)
{
	char name[512], list[512] = "";
	const char *at = mangled + 2;

	snprintf(out, n, "%s", mangled);
	if (strncmp(mangled, "_Z", 2) != 0 || !qualified(&at, name, sizeof(name)))
		return;
	if (*at == 'I')
		arguments(at + 1, list, sizeof(list));
	snprintf(out, n, "%s%s", name, list);
}
