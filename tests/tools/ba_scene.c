/* Writes the planted scenes of tests/unit/ba_scene.h as text, for ba_reference.py: ba_scene NAME > FILE. */
#include <inttypes.h>
#include <stdio.h>

#include "../unit/ba_scene.h"

static void print_scene(const struct ba_scene_kind *k, const struct ba_scene *s)
{
	const struct sb_ba_problem *p = &s->problem;

	printf("%s %" PRId64 " %" PRId64 " %" PRId64 "\n", k->name, p->frames, p->points, s->observations);
	for (int64_t t = 0; t < p->frames; t++)
		printf("%.17g %.17g %.17g %.17g %.17g %.17g %.17g %.17g %.17g %.17g\n", p->intrinsics[t * 3],
		        p->intrinsics[t * 3 + 1], p->intrinsics[t * 3 + 2], p->pose[t].q[0], p->pose[t].q[1],
		        p->pose[t].q[2], p->pose[t].q[3], p->pose[t].t[0], p->pose[t].t[1], p->pose[t].t[2]);
	for (int64_t n = 0; n < p->points; n++)
		printf("%.17g %.17g %.17g\n", p->xyz[n * 3], p->xyz[n * 3 + 1], p->xyz[n * 3 + 2]);
	for (int64_t n = 0; n < p->points; n++)
		for (int64_t t = 0; t < p->frames; t++) {
			const float *seen = p->seen + (n * p->frames + t) * 2;

			if (isfinite(seen[0]))
				printf("%" PRId64 " %" PRId64 " %.17g %.17g\n", n, t, (double)seen[0], (double)seen[1]);
		}
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < BA_SCENE_KINDS; i++)
		if (strcmp(ba_scene_kinds[i].name, argv[1]) == 0) {
			struct ba_scene s = ba_scene_new(&ba_scene_kinds[i]);

			print_scene(&ba_scene_kinds[i], &s);
			ba_scene_free(&s);
			return 0;
		}
	fprintf(stderr, "usage: ba_scene NAME, one of:");
	for (size_t i = 0; i < BA_SCENE_KINDS; i++)
		fprintf(stderr, " %s", ba_scene_kinds[i].name);
	fputc('\n', stderr);
	return 2;
}
