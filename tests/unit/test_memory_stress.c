/*
 * Random operations on every policy, judged by bookkeeping that shares nothing with the allocator: a sorted array of
 * what is live, sums kept by the test, and a rule-by-rule choice among the blocks that sb_alloc_visit() shows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "memory_internal.h"
#include "sb_memory.h"

#define MIB     (INT64_C(1) << 20)
#define GIB     (INT64_C(1) << 30)
#define OPS     200000 /* SB_STRESS_OPS in the environment: another number of them */
#define MAXLIVE 3000
#define STREAMS 3

struct entry {
	uintptr_t addr;
	int64_t bytes;
	uint64_t stream;
	bool pending;
};

/* What the test knows by itself. */
struct model {
	struct entry live[MAXLIVE]; /* by address; pending ones, too */
	int n, n_pending;
	int64_t requested, peak_requested, sum_requested, n_mallocs, peak_live;
};

/* First entry at or above addr. */
static int position(const struct model *m, uintptr_t addr)
{
	int lo = 0, hi = m->n;

	while (lo < hi) {
		int mid = (lo + hi) / 2;

		if (m->live[mid].addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void model_add(struct model *m, uintptr_t addr, int64_t bytes, uint64_t stream)
{
	int i = position(m, addr);

	assert_int_equal(addr % SB_ALLOC_ALIGN, 0);
	if (i < m->n)
		assert_true(addr + (uintptr_t)bytes <= m->live[i].addr);
	if (i > 0)
		assert_true(m->live[i - 1].addr + (uintptr_t)m->live[i - 1].bytes <= addr);
	memmove(&m->live[i + 1], &m->live[i], (size_t)(m->n - i) * sizeof(m->live[0]));
	m->live[i] = (struct entry){ addr, bytes, stream, false };
	m->n++;
	m->n_mallocs++;
	m->requested += bytes;
	m->sum_requested += bytes;
	m->peak_requested = m->requested > m->peak_requested ? m->requested : m->peak_requested;
	m->peak_live = m->n - m->n_pending > m->peak_live ? m->n - m->n_pending : m->peak_live;
}

static void model_remove(struct model *m, int i)
{
	m->requested -= m->live[i].bytes;
	m->n_pending -= m->live[i].pending;
	memmove(&m->live[i], &m->live[i + 1], (size_t)(m->n - i - 1) * sizeof(m->live[0]));
	m->n--;
}

/* ---- what the blocks must add up to ----------------------------------------------------------------------------- */

struct survey {
	const struct model *m;
	struct sb_alloc_block last;
	int64_t n_blocks, n_live, n_segments;
	bool uncached;
	int64_t largest_free, free_bytes;
	int64_t of[SB_ALLOC_FAMILY_COUNT][SB_ALLOC_POOL_COUNT];
};

static void count_in(struct survey *s, enum sb_alloc_family f, enum sb_alloc_pool pool, int64_t n)
{
	s->of[f][pool] += n;
	s->of[f][SB_ALLOC_ALL] += n;
}

static int64_t rounded(int64_t bytes)
{
	return (bytes + 511) / 512 * 512;
}

static void survey_live(struct survey *s, const struct sb_alloc_block *b)
{
	int i = position(s->m, b->addr);

	assert_true(i < s->m->n && s->m->live[i].addr == b->addr);
	assert_int_equal(s->m->live[i].bytes, b->requested);
	assert_int_equal(s->m->live[i].stream, b->stream);
	assert_int_equal(s->m->live[i].pending, b->pending);
	assert_true(b->bytes >= rounded(b->requested));
	if (!s->uncached)
		assert_true(b->bytes - rounded(b->requested) <= (b->pool == SB_ALLOC_SMALL || b->expandable ? 0 : MIB));
	else
		assert_int_equal(b->bytes, rounded(b->requested));
	assert_int_equal(b->pool, rounded(b->requested) <= MIB ? SB_ALLOC_SMALL : SB_ALLOC_LARGE);
	s->n_live++;
	count_in(s, SB_ALLOC_ACTIVE_BYTES, b->pool, b->bytes);
	count_in(s, SB_ALLOC_REQUESTED_BYTES, b->pool, b->requested);
	count_in(s, SB_ALLOC_ACTIVE_BLOCKS, b->pool, 1);
	if (b->pending)
		return;
	count_in(s, SB_ALLOC_ALLOCATED_BYTES, b->pool, b->bytes);
	count_in(s, SB_ALLOC_ALLOCATIONS, b->pool, 1);
}

static bool in_use(const struct sb_alloc_block *b)
{
	return b->live || b->pending;
}

static void survey_block(void *user, const struct sb_alloc_block *b)
{
	struct survey *s = user;
	bool first = b->addr == b->segment_addr;

	if (first) {
		s->n_segments++;
		if (!b->expandable)
			count_in(s, SB_ALLOC_SEGMENTS, b->pool, 1);
	} else { /* tiles its segment; what could have merged has merged */
		assert_int_equal(s->last.segment_addr, b->segment_addr);
		assert_int_equal(s->last.addr + (uintptr_t)s->last.bytes, b->addr);
		assert_true(in_use(&s->last) || in_use(b) || s->last.mapped != b->mapped);
	}
	if (s->n_blocks && first)
		assert_int_equal(s->last.addr + (uintptr_t)s->last.bytes,
		        s->last.segment_addr + (uintptr_t)s->last.segment_bytes);
	assert_true(b->bytes > 0 && b->bytes % 512 == 0);
	if (b->mapped)
		count_in(s, SB_ALLOC_RESERVED_BYTES, b->pool, b->bytes);
	if (!in_use(b) && b->mapped) {
		s->free_bytes += b->bytes;
		s->largest_free = b->bytes > s->largest_free ? b->bytes : s->largest_free;
	}
	if (in_use(b))
		survey_live(s, b);
	else if (!b->expandable && b->bytes != b->segment_bytes) {
		count_in(s, SB_ALLOC_INACTIVE_SPLIT_BYTES, b->pool, b->bytes);
		count_in(s, SB_ALLOC_INACTIVE_SPLITS, b->pool, 1);
	}
	s->n_blocks++;
	s->last = *b;
}

static void check_everything(const struct model *m, const struct sb_alloc *a, const struct sb_pages *pages)
{
	struct survey s = { .m = m, .uncached = !strcmp(sb_alloc_policy(a), "none") };
	struct sb_alloc_stats st;

	sb_alloc_visit(a, survey_block, &s);
	sb_alloc_stats(a, &st);
	assert_int_equal(s.n_live, m->n);
	assert_int_equal(st.largest_free, s.largest_free);
	assert_int_equal(st.free_bytes, s.free_bytes);
	for (int f = 0; f < SB_ALLOC_FAMILY_COUNT; f++) {
		for (int p = 0; p < SB_ALLOC_POOL_COUNT; p++) {
			assert_int_equal(st.of[f][p].current, s.of[f][p]);
			assert_int_equal(st.of[f][p].allocated - st.of[f][p].freed, s.of[f][p]);
			assert_true(st.of[f][p].peak >= s.of[f][p]);
		}
	}
	assert_int_equal(st.of[SB_ALLOC_REQUESTED_BYTES][SB_ALLOC_ALL].current, m->requested);
	assert_int_equal(st.of[SB_ALLOC_REQUESTED_BYTES][SB_ALLOC_ALL].peak, m->peak_requested);
	assert_int_equal(st.of[SB_ALLOC_REQUESTED_BYTES][SB_ALLOC_ALL].allocated, m->sum_requested);
	assert_int_equal(st.of[SB_ALLOC_ALLOCATIONS][SB_ALLOC_ALL].allocated, m->n_mallocs);
	assert_int_equal(st.of[SB_ALLOC_ALLOCATIONS][SB_ALLOC_ALL].peak, m->peak_live);
	assert_int_equal(st.of[SB_ALLOC_RESERVED_BYTES][SB_ALLOC_ALL].current, pages->held_bytes);
}

/* ---- which block must be chosen --------------------------------------------------------------------------------- */

struct candidate {
	uintptr_t addr;
	int64_t bytes, growable;
};

struct choice {
	uint64_t stream;
	enum sb_alloc_pool pool;
	int64_t size;
	struct candidate fit[4096];
	int n;
	bool open; /* the last one met is cached and sufficient, and what follows may be its room to grow */
};

static void collect(void *user, const struct sb_alloc_block *b)
{
	struct choice *c = user;

	if (c->open && !b->mapped && b->addr != b->segment_addr)
		c->fit[c->n - 1].growable += b->bytes;
	c->open = false;
	if (in_use(b) || !b->mapped || b->stream != c->stream || b->pool != c->pool || b->bytes < c->size)
		return;
	assert_true(c->n < (int)SB_ARRAY_LEN(c->fit));
	c->fit[c->n++] = (struct candidate){ b->addr, b->bytes, b->bytes };
	c->open = true;
}

static int by_size_and_address(const void *pa, const void *pb)
{
	const struct candidate *a = pa, *b = pb;

	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? -1 : 1;
	return (a->addr > b->addr) - (a->addr < b->addr);
}

/* The address the facts prescribe for a request, or 0 when no cached block fits. */
static uintptr_t prescribed(const struct sb_alloc *a, int64_t bytes, uint64_t stream)
{
	static struct choice c;
	int i = 0;

	memset(&c, 0, sizeof(c));
	c.size = rounded(bytes);
	c.stream = stream;
	c.pool = c.size <= MIB ? SB_ALLOC_SMALL : SB_ALLOC_LARGE;
	sb_alloc_visit(a, collect, &c);
	if (!c.n)
		return 0;
	qsort(c.fit, (size_t)c.n, sizeof(c.fit[0]), by_size_and_address);
	while (i + 1 < c.n && c.fit[i + 1].growable < c.fit[i].growable)
		i++;
	return c.fit[i].addr;
}

/* ---- the random course ------------------------------------------------------------------------------------------ */

/* Mostly small, some large, in the manner of a network: log-uniform, with sizes that come back. */
static int64_t random_size(uint64_t *seed)
{
	uint64_t kind = sb_random_below(seed, 100);

	if (kind < 55)
		return 1 + (int64_t)sb_random_below(seed, UINT64_C(1) << (9 + sb_random_below(seed, 12)));
	if (kind < 80)
		return (int64_t)(1 + sb_random_below(seed, 8)) * 3 * 100 * 1024;
	if (kind < 99)
		return 1 + (int64_t)sb_random_below(seed, UINT64_C(1) << (20 + sb_random_below(seed, 5)));
	return 1 + (int64_t)sb_random_below(seed, 200 * MIB);
}

/* How often the allocator has waited for all uses of freed blocks. */
static int64_t waited_for(const struct sb_alloc *a)
{
	return a->num_sync_all_streams;
}

static void forget_pending(struct model *m)
{
	for (int i = m->n; i-- > 0;)
		if (m->live[i].pending)
			model_remove(m, i);
}

static void do_malloc(struct model *m, struct sb_alloc *a, uint64_t *seed, bool judge)
{
	int64_t bytes = random_size(seed);
	uint64_t stream = sb_random_below(seed, STREAMS) * 77;
	uintptr_t expected = judge ? prescribed(a, bytes, stream) : 0;
	int64_t waited = waited_for(a);
	struct sb_error err = { 0 };
	void *p = NULL;
	enum sb_status status = sb_alloc_malloc(a, bytes, stream, &p, &err);

	if (judge && expected)
		assert_int_equal((uintptr_t)p, expected);
	if (waited_for(a) != waited) /* the cache was released, which waits for everything */
		forget_pending(m);
	if (status) {
		assert_int_equal(status, SB_E_NOMEM);
		assert_int_equal(sb_alloc_oom(a)->asked, bytes);
		return;
	}
	model_add(m, (uintptr_t)p, bytes, stream);
}

static void do_free(struct model *m, struct sb_alloc *a, uint64_t *seed)
{
	int i = (int)sb_random_below(seed, (uint64_t)m->n);
	void *p = (void *)m->live[i].addr;

	if (m->live[i].pending) {
		assert_true(sb_alloc_complete(a, p));
	} else if (sb_random_below(seed, 10) == 0) { /* another stream still works on it */
		sb_alloc_free_later(a, p);
		m->live[i].pending = true;
		m->n_pending++;
		return;
	} else {
		sb_alloc_free(a, p);
	}
	model_remove(m, i);
}

static void expect_merged(void *user, const struct sb_alloc_block *b)
{
	int64_t *mapped = user;

	assert_false(in_use(b));
	if (!b->expandable)
		assert_int_equal(b->bytes, b->segment_bytes);
	if (b->mapped)
		*mapped += b->bytes;
}

static int64_t n_operations(void)
{
	const char *text = getenv("SB_STRESS_OPS");
	int64_t n = OPS;

	if (text)
		assert_int_equal(sb_parse_int(text, "SB_STRESS_OPS", 1000, INT64_C(1) << 40, &n, NULL), SB_OK);
	return n;
}

static void many_operations(const char *policy)
{
	static struct model m;
	struct sb_error err = { 0 };
	struct sb_pages *pages = NULL;
	struct sb_alloc *a = NULL;
	struct sb_alloc_stats st;
	uint64_t seed = 20261122;
	int64_t mapped = 0, n_ops = n_operations();
	bool uncached = !strcmp(policy, "none");

	memset(&m, 0, sizeof(m));
	assert_int_equal(sb_pages_count_open(3 * GIB, 2 * MIB, &pages, &err), SB_OK);
	assert_int_equal(sb_alloc_open(policy, pages, &a, &err), SB_OK);
	for (int64_t op = 0; op < n_ops; op++) {
		/* tides: the share of mallocs moves between 35 and 65 %, so that everything fills and drains */
		uint64_t share = op / 5000 % 2 ? 35 : 65;

		if (m.n < MAXLIVE && (m.n == 0 || sb_random_below(&seed, 100) < share))
			do_malloc(&m, a, &seed, op % 17 == 0 && !uncached);
		else
			do_free(&m, a, &seed);
		if (op % 1000 == 0)
			check_everything(&m, a, pages);
		if (op % 50000 == 49999) {
			assert_int_equal(sb_alloc_empty_cache(a, &err), SB_OK);
			forget_pending(&m);
		}
	}
	check_everything(&m, a, pages);
	sb_alloc_stats(a, &st);
	print_message("%s: %lld mallocs, %lld device allocations, %lld retries, %lld oom, %lld stitches of %lld MiB\n",
	        policy, (long long)m.n_mallocs, (long long)st.num_device_alloc, (long long)st.num_alloc_retries,
	        (long long)st.num_ooms, (long long)st.num_stitches, (long long)(st.stitched_bytes / MIB));
	assert_true((uncached || st.num_alloc_retries > 10) && st.num_ooms > 10); /* the course went through both */
	assert_true(!strcmp(policy, "stitched") == (st.num_stitches > 300 && st.stitched_bytes > 5 * GIB));
	while (m.n)
		do_free(&m, a, &seed);
	check_everything(&m, a, pages);
	sb_alloc_visit(a, expect_merged, &mapped);
	assert_int_equal(mapped, pages->held_bytes);
	assert_int_equal(sb_alloc_empty_cache(a, &err), SB_OK);
	assert_int_equal(pages->held_bytes, 0);
	assert_int_equal(sb_alloc_close(a), 0);
	sb_pages_close(pages);
}

static void many_operations_on_default_keep_every_rule(void **state)
{
	(void)state;
	many_operations("default");
}

static void many_operations_on_expandable_keep_every_rule(void **state)
{
	(void)state;
	many_operations("expandable");
}

static void many_operations_on_stitched_keep_every_rule(void **state)
{
	(void)state;
	many_operations("stitched");
}

static void many_operations_on_none_keep_every_rule(void **state)
{
	(void)state;
	many_operations("none");
}

/* ---- real memory ------------------------------------------------------------------------------------------------ */

/* Both ends of a block carry its stamp, all of it when it is small. */
static void stamp(unsigned char *p, int64_t bytes, unsigned char value)
{
	if (bytes <= 4096) {
		memset(p, value, (size_t)bytes);
	} else {
		memset(p, value, 64);
		memset(p + bytes - 64, value, 64);
	}
}

static void expect_stamp(const unsigned char *p, int64_t bytes, unsigned char value)
{
	int64_t ends = bytes <= 4096 ? bytes : 64;

	for (int64_t i = 0; i < ends; i++)
		assert_true(p[i] == value && p[bytes - 1 - i] == value);
}

static void patterns_in_host_memory_survive_their_neighbours(void **state)
{
	static struct {
		unsigned char *p;
		int64_t bytes;
		unsigned char value;
	} live[500];

	(void)state;
	for (const char *const *name = sb_alloc_policy_names; *name; name++) {
		struct sb_error err = { 0 };
		struct sb_pages *pages = NULL;
		struct sb_alloc *a = NULL;
		uint64_t seed = 7;

		memset(live, 0, sizeof(live));
		assert_int_equal(sb_pages_host_open(96 * MIB, &pages, &err), SB_OK);
		assert_int_equal(sb_alloc_open(*name, pages, &a, &err), SB_OK);
		for (int op = 0; op < 200000; op++) {
			size_t i = (size_t)sb_random_below(&seed, SB_ARRAY_LEN(live));
			uint64_t max = UINT64_C(1) << (6 + sb_random_below(&seed, 17));
			void *p = NULL;

			if (live[i].p) {
				expect_stamp(live[i].p, live[i].bytes, live[i].value);
				sb_alloc_free(a, live[i].p);
				live[i].p = NULL;
				continue;
			}
			live[i].bytes = 1 + (int64_t)sb_random_below(&seed, max);
			live[i].value = (unsigned char)sb_random_below(&seed, 256);
			if (sb_alloc_malloc(a, live[i].bytes, 0, &p, &err))
				continue;
			live[i].p = p;
			stamp(p, live[i].bytes, live[i].value);
		}
		for (size_t i = 0; i < SB_ARRAY_LEN(live); i++)
			if (live[i].p)
				expect_stamp(live[i].p, live[i].bytes, live[i].value);
		sb_alloc_close(a);
		sb_pages_close(pages);
	}
}

/* ---- the ordered set -------------------------------------------------------------------------------------------- */

#define NODES 600

/* Returns the height, having checked balance, order and back links below n. */
static int check_tree(const struct sb_tree_node *n, const struct sb_tree_node *parent)
{
	int l, r;

	if (!n)
		return 0;
	assert_ptr_equal(n->parent, parent);
	l = check_tree(n->child[0], n);
	r = check_tree(n->child[1], n);
	assert_true(l - r <= 1 && r - l <= 1);
	assert_int_equal(n->height, (l > r ? l : r) + 1);
	return n->height;
}

static bool key_below(const struct sb_tree_node *a, uint64_t hi, uint64_t lo)
{
	return a->hi < hi || (a->hi == hi && a->lo < lo);
}

/* The first node >= (hi, lo) by looking at all of them. */
static const struct sb_tree_node *first_from(const struct sb_tree_node *nodes, const bool *in, uint64_t hi, uint64_t lo)
{
	const struct sb_tree_node *best = NULL;

	for (int i = 0; i < NODES; i++)
		if (in[i] && !key_below(&nodes[i], hi, lo) && (!best || key_below(&nodes[i], best->hi, best->lo)))
			best = &nodes[i];
	return best;
}

static void the_ordered_set_stays_balanced_and_finds_what_a_scan_finds(void **state)
{
	static struct sb_tree_node nodes[NODES];
	static bool in[NODES];
	struct sb_tree t = { 0 };
	uint64_t seed = 3;

	(void)state;
	for (int op = 0; op < 60000; op++) {
		int i = (int)sb_random_below(&seed, NODES);
		uint64_t hi = sb_random_below(&seed, 40), lo = (uint64_t)i; /* many ties in hi */

		if (!in[i]) {
			nodes[i].hi = hi;
			nodes[i].lo = lo;
			sb_tree_insert(&t, &nodes[i]);
			in[i] = true;
		} else if (op % 3) {
			sb_tree_erase(&t, &nodes[i]);
			in[i] = false;
		} else {
			sb_tree_rekey(&t, &nodes[i], hi, lo);
			assert_int_equal(nodes[i].hi, hi);
		}
		hi = sb_random_below(&seed, 42);
		lo = sb_random_below(&seed, NODES);
		assert_ptr_equal(sb_tree_lower_bound(&t, hi, lo), first_from(nodes, in, hi, lo));
		if (op % 50 == 0) {
			int n_in = 0, forth = 0, back = 0;

			check_tree(t.root, NULL);
			for (int k = 0; k < NODES; k++)
				n_in += in[k];
			for (const struct sb_tree_node *n = sb_tree_first(&t), *q; n; n = q, forth++) {
				q = sb_tree_next(n);
				assert_true(!q || key_below(n, q->hi, q->lo));
			}
			for (const struct sb_tree_node *n = sb_tree_last(&t); n; n = sb_tree_prev(n))
				back++;
			assert_int_equal(forth, n_in);
			assert_int_equal(back, n_in);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_ordered_set_stays_balanced_and_finds_what_a_scan_finds),
		cmocka_unit_test(many_operations_on_default_keep_every_rule),
		cmocka_unit_test(many_operations_on_expandable_keep_every_rule),
		cmocka_unit_test(many_operations_on_stitched_keep_every_rule),
		cmocka_unit_test(many_operations_on_none_keep_every_rule),
		cmocka_unit_test(patterns_in_host_memory_survive_their_neighbours),
	};
	return cmocka_run_group_tests_name("memory_stress", tests, NULL, NULL);
}
