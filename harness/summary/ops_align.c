#include "ops_internal.h"

#include <stdlib.h>
#include <string.h>

enum { EDITS_MAX = 1000 };

/* What is left of two sequences between a common head and a common tail. */
struct middle {
	const int64_t *a, *b;
	int64_t n, m;
	int64_t *match; /* of a[0] */
	int64_t offset; /* of b[0] in the whole */
};

/* Furthest x on each diagonal k = x - y, kept for every number of edits d: rows of 2 d + 1, one behind the other. */
struct reach {
	int64_t *v;
	int64_t edits;
};

static int64_t *row_of(const struct reach *r, int64_t d)
{
	return r->v + d * d + d; /* diagonal 0 */
}

/* Whether diagonal k is best entered from k + 1 (a symbol of b alone) and not from k - 1. */
static bool from_above(const int64_t *before, int64_t d, int64_t k)
{
	return k == -d || (k != d && before[k - 1] < before[k + 1]);
}

/* One more edit on all diagonals. True: the end was reached. */
static bool step(const struct middle *s, const struct reach *r, int64_t d)
{
	const int64_t *before = d ? row_of(r, d - 1) : NULL;
	int64_t *now = row_of(r, d);

	for (int64_t k = -d; k <= d; k += 2) {
		int64_t x = !d ? 0 : from_above(before, d, k) ? before[k + 1] : before[k - 1] + 1, y = x - k;

		while (x < s->n && y >= 0 && y < s->m && s->a[x] == s->b[y]) {
			x++;
			y++;
		}
		now[k] = x;
		if (x == s->n && y == s->m)
			return true;
	}
	return false;
}

static void walk_back(const struct middle *s, const struct reach *r)
{
	int64_t x = s->n, y = s->m;

	for (int64_t d = r->edits; d > 0; d--) {
		const int64_t *before = row_of(r, d - 1);
		int64_t k = x - y;
		bool above = from_above(before, d, k);
		int64_t from_x = before[above ? k + 1 : k - 1], from_y = from_x - (above ? k + 1 : k - 1);

		while (x > from_x + !above) {
			x--;
			y--;
			s->match[x] = s->offset + y;
		}
		x = from_x;
		y = from_y;
	}
	while (x > 0) {
		x--;
		s->match[x] = s->offset + x;
	}
}

/* The k-th of each symbol with the k-th of the same in b, while that goes forward. */
static void by_occurrence(const struct middle *s)
{
	int64_t next = 0;

	for (int64_t i = 0; i < s->n; i++) {
		for (int64_t j = next; j < s->m && j < next + EDITS_MAX; j++) {
			if (s->a[i] != s->b[j])
				continue;
			s->match[i] = s->offset + j;
			next = j + 1;
			break;
		}
	}
}

static enum sb_status align_middle(const struct middle *s, struct sb_error *err)
{
	int64_t most = s->n + s->m;
	struct reach r = { NULL, -1 };
	int64_t cap = 0;

	if (!s->n || !s->m)
		return SB_OK;
	for (int64_t d = 0; d <= most && d <= EDITS_MAX; d++) {
		if (d >= cap) {
			int64_t *more;

			cap = cap ? 2 * cap : 16;
			more = realloc(r.v, (size_t)(cap * cap) * sizeof(*more));
			if (!more) {
				free(r.v);
				return sb_fail(err, SB_E_NOMEM, "no memory to line up %zu calls of ops with %zu",
				        (size_t)s->n, (size_t)s->m);
			}
			r.v = more;
		}
		if (step(s, &r, d)) {
			r.edits = d;
			break;
		}
	}
	if (r.edits >= 0)
		walk_back(s, &r);
	else
		by_occurrence(s);
	free(r.v);
	return SB_OK;
}

enum sb_status sb_ops_align(
        const int64_t *a, size_t n, const int64_t *b, size_t m, int64_t *match, struct sb_error *err)
{
	size_t head = 0, tail = 0;

	for (size_t i = 0; i < n; i++)
		match[i] = -1;
	while (head < n && head < m && a[head] == b[head]) {
		match[head] = (int64_t)head;
		head++;
	}
	while (tail < n - head && tail < m - head && a[n - 1 - tail] == b[m - 1 - tail]) {
		match[n - 1 - tail] = (int64_t)(m - 1 - tail);
		tail++;
	}
	return align_middle(&(struct middle){ a + head, b + head, (int64_t)(n - head - tail),
	                            (int64_t)(m - head - tail), match + head, (int64_t)head },
	        err);
}
