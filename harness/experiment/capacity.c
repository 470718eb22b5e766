#include "capacity.h"

void sb_capacity_init(struct sb_capacity *c, int64_t least, int64_t most)
{
	*c = (struct sb_capacity){ .least = least, .most = most, .good = least - 1, .bad = most + 1 };
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
	if (c->good + 1 >= c->bad)
		return c->least - 1;
	if (guess <= 0 || c->tries % 3 == 2)
		return blind(c);
	if (guess > c->good && guess < c->bad)
		return guess;
	if (guess == c->good || guess == c->bad) /* it was the last try: its neighbour decides, if it is right */
		return guess == c->good ? c->good + 1 : c->bad - 1;
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
