#include "capacity.h"

void sb_capacity_init(struct sb_capacity *c, int64_t least, int64_t most, double slack)
{
	*c = (struct sb_capacity){ .least = least, .most = most, .good = least - 1, .bad = most + 1, .slack = slack };
}

/* How far apart what fits and what does not may stay. */
static int64_t step(const struct sb_capacity *c)
{
	return 1 + (int64_t)(c->slack * (double)(c->good < c->least ? 0 : c->good));
}

/* Without a failure so far: twice as much; else the middle. Every third try is this, whatever the model says. */
static int64_t blind(const struct sb_capacity *c)
{
	if (c->good < c->least)
		return c->bad > c->most ? c->least : c->good + (c->bad - c->good) / 2;
	if (c->bad > c->most)
		return 2 * c->good < c->most ? 2 * c->good : c->most;
	return c->good + (c->bad - c->good) / 2;
}

int64_t sb_capacity_next(const struct sb_capacity *c, int64_t guess)
{
	if (c->bad - c->good <= step(c) && (c->bad <= c->most || c->good == c->most))
		return c->least - 1;
	if (guess <= 0 || c->tries % 3 == 2)
		return blind(c);
	if (guess > c->good && guess < c->bad)
		return guess;
	/* It was the last try: its neighbour decides, if it is right. */
	if (guess == c->good && c->good + step(c) < c->bad)
		return c->good + step(c);
	if (guess == c->bad && c->bad - step(c) > c->good)
		return c->bad - step(c);
	return blind(c);
}

void sb_capacity_tell(struct sb_capacity *c, int64_t value, bool fits)
{
	c->tries++;
	if (fits && value > c->good)
		c->good = value;
	if (!fits && value < c->bad)
		c->bad = value;
}

double sb_capacity_line(const struct sb_capacity_point *a, const struct sb_capacity_point *b, double room)
{
	double slope = (b->bytes - a->bytes) / (b->x - a->x);

	return slope > 0 ? b->x + (room - b->bytes) / slope : -1;
}
