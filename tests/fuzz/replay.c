/*
 * A main() for the fuzz targets where there is no libFuzzer: gives every file named on the command line, and every file
 * of every folder named there, to the target once.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

#define INPUT_MAX (1 << 20)

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = f ? malloc(INPUT_MAX) : NULL, *exact;
	size_t n;

	if (!data) {
		fprintf(stderr, "cannot read '%s'\n", path);
		if (f)
			fclose(f);
		return 0;
	}
	n = fread(data, 1, INPUT_MAX, f);
	fclose(f);
	exact = realloc(data, n ? n : 1); /* so that a sanitizer sees the first byte behind it */
	if (exact) {
		fprintf(stderr, "%s\n", path); /* before: it is the one to look at when the next line is a crash */
		LLVMFuzzerTestOneInput(exact, n);
		free(exact);
	} else {
		free(data);
	}
	return exact != NULL;
}

static int replay(const char *path)
{
	struct dirent *entry;
	struct stat st;
	int n = 0;
	DIR *dir;

	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
		return replay_file(path);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) != NULL) {
		char name[4096];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		n += replay_file(name);
	}
	if (dir)
		closedir(dir);
	return n;
}

int main(int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++)
		n += replay(argv[i]);
	printf("%d inputs\n", n);
	return n ? 0 : 1; /* an empty corpus tests nothing */
}
