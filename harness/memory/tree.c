#include "memory_internal.h"

static int height(const struct sb_tree_node *n)
{
	return n ? n->height : 0;
}

static void update_height(struct sb_tree_node *n)
{
	int l = height(n->child[0]), r = height(n->child[1]);

	n->height = (l > r ? l : r) + 1;
}

/* Put `now` (or nothing) where `was` hangs. */
static void replace_child(struct sb_tree *t, struct sb_tree_node *was, struct sb_tree_node *now)
{
	struct sb_tree_node *p = was->parent;

	if (!p)
		t->root = now;
	else
		p->child[p->child[1] == was] = now;
	if (now)
		now->parent = p;
}

/* n sinks to side `side`; its child of the other side takes its place and is returned. */
static struct sb_tree_node *rotate(struct sb_tree *t, struct sb_tree_node *n, int side)
{
	struct sb_tree_node *up = n->child[!side], *inner = up->child[side];

	replace_child(t, n, up);
	n->child[!side] = inner;
	if (inner)
		inner->parent = n;
	up->child[side] = n;
	n->parent = up;
	update_height(n);
	update_height(up);
	return up;
}

/* From the lowest changed node upwards, until a height comes out as it was. */
static void rebalance(struct sb_tree *t, struct sb_tree_node *n)
{
	while (n) {
		int before = n->height, lean = height(n->child[1]) - height(n->child[0]);

		if (lean > 1 || lean < -1) {
			int heavy = lean > 1;
			struct sb_tree_node *c = n->child[heavy];

			if (height(c->child[!heavy]) > height(c->child[heavy]))
				rotate(t, c, heavy);
			n = rotate(t, n, !heavy);
		} else {
			update_height(n);
		}
		if (n->height == before)
			break;
		n = n->parent;
	}
}

static bool below(uint64_t a_hi, uint64_t a_lo, uint64_t b_hi, uint64_t b_lo)
{
	return a_hi < b_hi || (a_hi == b_hi && a_lo < b_lo);
}

void sb_tree_insert(struct sb_tree *t, struct sb_tree_node *n)
{
	struct sb_tree_node **at = &t->root, *parent = NULL;

	while (*at) {
		parent = *at;
		at = &parent->child[!below(n->hi, n->lo, parent->hi, parent->lo)];
	}
	n->parent = parent;
	n->child[0] = n->child[1] = NULL;
	n->height = 1;
	*at = n;
	rebalance(t, parent);
}

void sb_tree_erase(struct sb_tree *t, struct sb_tree_node *n)
{
	struct sb_tree_node *from;

	if (n->child[0] && n->child[1]) {
		struct sb_tree_node *heir = n->child[1];

		while (heir->child[0])
			heir = heir->child[0];
		from = heir;
		if (heir->parent != n) {
			from = heir->parent;
			replace_child(t, heir, heir->child[1]);
			heir->child[1] = n->child[1];
			heir->child[1]->parent = heir;
		}
		replace_child(t, n, heir);
		heir->child[0] = n->child[0];
		heir->child[0]->parent = heir;
		heir->height = n->height; /* what stood here, so that rebalance() can tell whether it changed */
	} else {
		from = n->parent;
		replace_child(t, n, n->child[n->child[0] == NULL]);
	}
	rebalance(t, from);
}

static struct sb_tree_node *outermost(struct sb_tree_node *n, int side)
{
	while (n && n->child[side])
		n = n->child[side];
	return n;
}

static struct sb_tree_node *neighbour(const struct sb_tree_node *n, int side)
{
	if (n->child[side])
		return outermost(n->child[side], !side);
	while (n->parent && n->parent->child[side] == n)
		n = n->parent;
	return n->parent;
}

void sb_tree_rekey(struct sb_tree *t, struct sb_tree_node *n, uint64_t hi, uint64_t lo)
{
	bool rises = below(n->hi, n->lo, hi, lo), stays;
	const struct sb_tree_node *next = neighbour(n, rises); /* on the side it moves to: the other one stays behind */

	if (rises)
		stays = !next || below(hi, lo, next->hi, next->lo);
	else
		stays = !next || below(next->hi, next->lo, hi, lo);
	if (!stays)
		sb_tree_erase(t, n);
	n->hi = hi;
	n->lo = lo;
	if (!stays)
		sb_tree_insert(t, n);
}

struct sb_tree_node *sb_tree_lower_bound(const struct sb_tree *t, uint64_t hi, uint64_t lo)
{
	struct sb_tree_node *n = t->root, *best = NULL;

	while (n) {
		if (below(n->hi, n->lo, hi, lo)) {
			n = n->child[1];
		} else {
			best = n;
			n = n->child[0];
		}
	}
	return best;
}

struct sb_tree_node *sb_tree_first(const struct sb_tree *t)
{
	return outermost(t->root, 0);
}

struct sb_tree_node *sb_tree_last(const struct sb_tree *t)
{
	return outermost(t->root, 1);
}

struct sb_tree_node *sb_tree_next(const struct sb_tree_node *n)
{
	return neighbour(n, 1);
}

struct sb_tree_node *sb_tree_prev(const struct sb_tree_node *n)
{
	return neighbour(n, 0);
}
