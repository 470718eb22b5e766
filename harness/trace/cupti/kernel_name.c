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

void sb_kernel_name(const char *mangled, char *out, size_t n)
{
	const char *at = mangled + 2, *name;
	char list[256] = "", one[64];
	int length;

	snprintf(out, n, "%s", mangled);
	if (strncmp(mangled, "_Z", 2) != 0 || !identifier(&at, &name, &length))
		return;
	if (*at == 'I') {
		at++;
		while (*at && *at != 'E') {
			size_t used = strlen(list);

			if (!argument(&at, one, sizeof(one)))
				return;
			snprintf(list + used, sizeof(list) - used, "%s%s", used ? "," : "<", one);
		}
		snprintf(list + strlen(list), sizeof(list) - strlen(list), ">");
	}
	snprintf(out, n, "%.*s%s", length, name, list);
}
