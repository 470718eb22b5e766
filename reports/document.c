#include "document.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 32768 };

struct chunk {
	struct chunk *next;
	size_t used, size;
	max_align_t data[];
};

struct sb_doc {
	struct chunk *chunks;
	const char *title;
	struct sb_block *first, *last;
	struct sb_line *line; /* where spans go; NULL: nowhere, since memory ran out */
	bool failed;
};

/* ---- memory ---------------------------------------------------------------------------------------------------- */

static void *take(struct sb_doc *d, size_t n)
{
	size_t size = n > CHUNK ? n : CHUNK;
	struct chunk *c = d->chunks;
	void *p;

	if (d->failed) /* what comes after a piece that is missing has no place */
		return NULL;
	n = (n + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	if (!c || c->size - c->used < n) {
		c = calloc(1, sizeof(*c) + size);
		if (!c) {
			d->failed = true;
			return NULL;
		}
		c->size = size;
		c->next = d->chunks;
		d->chunks = c;
	}
	p = (char *)c->data + c->used;
	c->used += n;
	return p;
}

static const char *copy(struct sb_doc *d, const char *s)
{
	size_t n = s ? strlen(s) + 1 : 0;
	char *p = s ? take(d, n) : NULL;

	if (p)
		memcpy(p, s, n);
	return p;
}

struct sb_doc *sb_doc_new(void)
{
	return calloc(1, sizeof(struct sb_doc));
}

void sb_doc_free(struct sb_doc *d)
{
	if (!d)
		return;
	while (d->chunks) {
		struct chunk *next = d->chunks->next;

		free(d->chunks);
		d->chunks = next;
	}
	free(d);
}

void sb_doc_fail(struct sb_doc *d)
{
	d->failed = true;
}

void sb_doc_release(struct sb_doc *d, struct sb_buf *b)
{
	d->failed |= b->failed;
	sb_buf_release(b);
}

bool sb_doc_failed(const struct sb_doc *d)
{
	return d->failed;
}

const struct sb_block *sb_doc_blocks(const struct sb_doc *d)
{
	return d->first;
}

void sb_doc_set_title(struct sb_doc *d, const char *title)
{
	d->title = copy(d, title);
}

const char *sb_doc_title(const struct sb_doc *d)
{
	return d->title ? d->title : "";
}

/* ---- blocks ---------------------------------------------------------------------------------------------------- */

static struct sb_block *begin(struct sb_doc *d, enum sb_block_kind kind, const char *id)
{
	struct sb_block *b = take(d, sizeof(*b));

	d->line = NULL;
	if (!b)
		return NULL;
	*b = (struct sb_block){ .kind = kind, .id = copy(d, id) };
	if (d->last)
		d->last->next = b;
	else
		d->first = b;
	d->last = b;
	d->line = &b->text;
	return b;
}

void sb_doc_heading(struct sb_doc *d, int level, const char *id, const char *text)
{
	struct sb_block *b = begin(d, SB_BLOCK_HEADING, id);

	if (b)
		b->level = level;
	sb_doc_text(d, text);
}

static void begin_toned(struct sb_doc *d, enum sb_block_kind kind, enum sb_tone tone)
{
	struct sb_block *b = begin(d, kind, NULL);

	if (b)
		b->tone = tone;
}

void sb_doc_paragraph(struct sb_doc *d, enum sb_tone tone)
{
	begin_toned(d, SB_BLOCK_PARAGRAPH, tone);
}

void sb_doc_list(struct sb_doc *d, enum sb_tone tone)
{
	begin_toned(d, SB_BLOCK_LIST, tone);
}

void sb_doc_item(struct sb_doc *d)
{
	sb_doc_row(d, SB_ROW_BODY);
	sb_doc_cell(d);
}

void sb_doc_cards(struct sb_doc *d)
{
	begin(d, SB_BLOCK_CARDS, NULL);
}

void sb_doc_card(struct sb_doc *d, const char *what)
{
	sb_doc_item(d);
	sb_doc_text(d, what);
}

void sb_doc_table(struct sb_doc *d, const char *id, const char *align)
{
	struct sb_block *b = begin(d, SB_BLOCK_TABLE, id);

	if (b)
		b->align = copy(d, align);
}

void sb_doc_row(struct sb_doc *d, enum sb_row_kind kind)
{
	struct sb_row *r = take(d, sizeof(*r));

	d->line = NULL;
	if (!r)
		return;
	*r = (struct sb_row){ .kind = kind };
	if (d->last->last_row)
		d->last->last_row->next = r;
	else
		d->last->rows = r;
	d->last->last_row = r;
}

void sb_doc_cell(struct sb_doc *d)
{
	struct sb_cell *c = take(d, sizeof(*c));
	struct sb_row *r;

	d->line = NULL;
	if (!c)
		return;
	r = d->last->last_row;
	*c = (struct sb_cell){ .next = NULL };
	if (r->last)
		r->last->next = c;
	else
		r->first = c;
	r->last = c;
	d->line = &c->line;
}

void sb_doc_heads(struct sb_doc *d, const char *const *heads)
{
	sb_doc_row(d, SB_ROW_HEAD);
	for (; *heads; heads++) {
		sb_doc_cell(d);
		sb_doc_text(d, *heads);
	}
}

void sb_doc_code(struct sb_doc *d, const char *text)
{
	begin(d, SB_BLOCK_CODE, NULL);
	sb_doc_stored(d, text);
}

void sb_doc_contents(struct sb_doc *d)
{
	begin(d, SB_BLOCK_CONTENTS, NULL);
}

void sb_doc_figure(struct sb_doc *d, const struct sb_picture *p)
{
	struct sb_block *b = begin(d, SB_BLOCK_FIGURE, p->id);

	if (!b)
		return;
	b->picture = (struct sb_picture){ .id = copy(d, p->id),
		.alt = copy(d, p->alt),
		.svg_text = copy(d, p->svg_text),
		.svg = copy(d, p->svg),
		.png = copy(d, p->png),
		.data = copy(d, p->data),
		.script = copy(d, p->script) };
}

/* ---- spans ----------------------------------------------------------------------------------------------------- */

static struct sb_span *add(struct sb_doc *d, enum sb_span_kind kind, const char *text)
{
	struct sb_span *s = d->line && text && *text ? take(d, sizeof(*s)) : NULL;

	if (!s)
		return NULL;
	*s = (struct sb_span){ .kind = kind, .text = copy(d, text) };
	if (!s->text)
		return NULL;
	if (d->line->last)
		d->line->last->next = s;
	else
		d->line->first = s;
	d->line->last = s;
	return s;
}

void sb_doc_text(struct sb_doc *d, const char *text)
{
	add(d, SB_SPAN_TEXT, text);
}

void sb_doc_textf(struct sb_doc *d, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sb_doc_text(d, text);
}

void sb_doc_strong(struct sb_doc *d, const char *text)
{
	add(d, SB_SPAN_STRONG, text);
}

void sb_doc_stored(struct sb_doc *d, const char *text)
{
	add(d, SB_SPAN_STORED, text);
}

void sb_doc_code_span(struct sb_doc *d, const char *text)
{
	add(d, SB_SPAN_CODE, text);
}

void sb_doc_number(struct sb_doc *d, const char *shown, const struct sb_datum *datum)
{
	struct sb_span *s = add(d, SB_SPAN_NUMBER, shown);

	if (s)
		s->datum = (struct sb_datum){ .metric = copy(d, datum->metric),
			.arm = copy(d, datum->arm),
			.after = copy(d, datum->after),
			.what = copy(d, datum->what),
			.unit = copy(d, datum->unit),
			.value = datum->value };
}

void sb_doc_badge(struct sb_doc *d, enum sb_tone tone, const char *text)
{
	struct sb_span *s = add(d, SB_SPAN_BADGE, text);

	if (s)
		s->tone = tone;
}

void sb_doc_link(struct sb_doc *d, const char *target, const char *text)
{
	struct sb_span *s = add(d, SB_SPAN_LINK, text);

	if (s)
		s->target = copy(d, target);
}
