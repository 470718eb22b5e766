#include "fit.h"

void sb_fit_init(struct sb_fit *f, int64_t wanted, int64_t least)
{
	*f = (struct sb_fit){ .least = least, .bad = wanted + 1 };
}

double sb_fit_predict(const struct sb_fit_pass *p, int64_t frames)
{
	double scale = (double)frames / (double)p->frames;
	double linear = (double)(p->reserved_bytes - p->attention_bytes);

	return (double)p->weights_bytes + linear * scale + (double)p->attention_bytes * scale * scale;
}

static double room_of(const struct sb_fit_pass *p)
{
	return SB_FIT_SHARE * (double)p->free_bytes;
}

static bool fits(const struct sb_fit_pass *p)
{
	return p->complete && (double)(p->weights_bytes + p->reserved_bytes) <= room_of(p);
}

/* The most frames below f->bad that the model gives room to; f->least - 1: none. */
static int64_t predicted(const struct sb_fit *f)
{
	int64_t n = f->bad - 1;

	while (n >= f->least && sb_fit_predict(&f->known, n) > room_of(&f->known))
		n--;
	return n;
}

int64_t sb_fit_next(struct sb_fit *f, const struct sb_fit_pass *p)
{
	int64_t next;

	f->passes++;
	if (fits(p) && p->frames > f->good)
		f->good = p->frames;
	if (!fits(p) && p->frames < f->bad)
		f->bad = p->frames;
	if (p->complete && p->frames > f->known.frames)
		f->known = *p;
	if (f->good + 1 >= f->bad || f->bad <= f->least)
		return 0;
	if (f->known.frames)
		next = predicted(f);
	else
		next = p->frames / 3; /* few enough to end well on most cards, enough to learn from */
	if (next <= f->good && f->good)
		return 0;
	return next < f->least ? f->least : next;
}
