#include "html_style.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct sb_html_colour sb_html_colours[] = {
	{ "ground", "#ffffff", "#14171b" },
	{ "raised", "#f4f6f8", "#1e2329" },
	{ "line", "#cfd6de", "#3b444e" },
	{ "text", "#1b1f24", "#e6e9ed" },
	{ "quiet", "#4d5763", "#aeb8c3" },
	{ "link", "#0a58a8", "#82bcff" },
	{ "good", "#0a6438", "#7fdaa0" },
	{ "good-ground", "#e2f4e9", "#12301f" },
	{ "bad", "#a01b15", "#ffa39b" },
	{ "bad-ground", "#fce8e6", "#3d1a17" },
	{ "unsure", "#714c00", "#f2c86f" },
	{ "unsure-ground", "#fcf1d8", "#33280f" },
	{ NULL, NULL, NULL },
};

const struct sb_html_pair sb_html_pairs[] = {
	{ "text", "ground" },
	{ "text", "raised" },
	{ "quiet", "ground" },
	{ "quiet", "raised" },
	{ "link", "ground" },
	{ "link", "raised" },
	{ "good", "good-ground" },
	{ "bad", "bad-ground" },
	{ "unsure", "unsure-ground" },
	{ "text", "good-ground" },
	{ "text", "bad-ground" },
	{ "text", "unsure-ground" },
	{ NULL, NULL },
};

/* sRGB to the light it stands for. */
static double linear(long byte)
{
	double c = (double)byte / 255;

	return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

static double luminance(const char *colour)
{
	long rgb = strtol(colour + 1, NULL, 16);

	return 0.2126 * linear(rgb >> 16) + 0.7152 * linear(rgb >> 8 & 255) + 0.0722 * linear(rgb & 255);
}

double sb_html_contrast(const char *a, const char *b)
{
	double x = luminance(a), y = luminance(b);

	return (fmax(x, y) + 0.05) / (fmin(x, y) + 0.05);
}

/* Widths are those of text, so that a line is read with ease; tables scroll in a frame of their own. */
static const char sheet[] =
        "*{box-sizing:border-box}"
        "html{font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',sans-serif;"
        "color-scheme:light dark;-webkit-text-size-adjust:100%}"
        "body{margin:0;background:var(--ground);color:var(--text)}"
        "main{max-width:64rem;margin:0 auto;padding:1.5rem 1rem 4rem}"
        "h1{font-size:1.7rem;line-height:1.2;margin:0 0 .5rem}"
        "h2{font-size:1.3rem;line-height:1.3;margin:2.6rem 0 .7rem;padding-top:.6rem;border-top:1px solid var(--line)}"
        "h3{font-size:1.05rem;margin:1.8rem 0 .5rem}"
        "p,ul,pre,.scroll,figure{margin:0 0 1rem}"
        "p,li{max-width:46rem;overflow-wrap:anywhere}"
        "ul{padding-left:1.3rem}li{margin:.25rem 0}"
        "a{color:var(--link)}"
        "h1,h2,h3{overflow-wrap:anywhere}"
        "bdi,code{unicode-bidi:isolate}"
        "code,pre{font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;font-size:.88em}"
        "code{overflow-wrap:anywhere}"
        "pre{background:var(--raised);border:1px solid var(--line);border-radius:.4rem;padding:.7rem .9rem;"
        "white-space:pre-wrap;overflow-wrap:anywhere}"
        ".quiet{color:var(--quiet)}"
        ".tone{border-left:.25rem solid var(--line);border-radius:.2rem;padding:.5rem .8rem;background:var(--raised)}"
        "ul.tone{padding-left:1.9rem}"
        ".tone.good{border-color:var(--good);background:var(--good-ground)}"
        ".tone.bad{border-color:var(--bad);background:var(--bad-ground)}"
        ".tone.unsure{border-color:var(--unsure);background:var(--unsure-ground)}"
        ".badge{display:inline-block;padding:0 .5em;border-radius:1em;font-size:.86em;font-weight:600;"
        "white-space:nowrap;background:var(--raised);color:var(--quiet);border:1px solid var(--line)}"
        ".badge.good{background:var(--good-ground);color:var(--good);border-color:var(--good)}"
        ".badge.bad{background:var(--bad-ground);color:var(--bad);border-color:var(--bad)}"
        ".badge.unsure{background:var(--unsure-ground);color:var(--unsure);border-color:var(--unsure)}"
        ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(13.5rem,1fr));gap:.8rem;margin:1rem 0}"
        ".card{background:var(--raised);border:1px solid var(--line);border-radius:.5rem;padding:.7rem .9rem}"
        ".card>*{margin:0;overflow-wrap:anywhere}.card .what{color:var(--quiet);font-size:.88rem}"
        ".card .figure{font-size:1.3rem;line-height:1.3;font-weight:650;margin:.15rem 0}"
        ".card .note{font-size:.88rem}"
        "nav ul{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.3rem 1.2rem}nav li{margin:0}"
        "data{font-variant-numeric:tabular-nums;white-space:nowrap}"
        ".scroll{overflow-x:auto;border:1px solid var(--line);border-radius:.4rem}"
        "table{border-collapse:collapse;width:100%;font-size:.9rem}"
        "caption>span{position:sticky;left:.7rem;display:inline-block;max-width:min(60rem,100vw - 3.4rem)}"
        "table.keys{table-layout:fixed;overflow-wrap:anywhere}table.keys thead th{white-space:normal}"
        "table.keys th:first-child{width:11rem}"
        "caption{caption-side:top;text-align:left;padding:.55rem .7rem;color:var(--quiet);"
        "border-bottom:1px solid var(--line)}"
        "th,td{padding:.28rem .7rem;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}"
        "tr:last-child>*{border-bottom:0}"
        "thead th{background:var(--raised);white-space:nowrap}"
        "tbody th{font-weight:400}"
        "th.r,td.r{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}"
        "tr.section>*{font-weight:650;background:var(--raised)}"
        "tbody th[scope=row]{position:sticky;left:0;background:var(--ground);min-width:7rem}"
        "table.keys tbody th[scope=row]{min-width:0;max-width:none}"
        "figure{border:1px solid var(--line);border-radius:.4rem;padding:.7rem}"
        ".plot{overflow-x:auto}.plot svg{display:block;width:100%;min-width:60rem;height:auto}"
        "figcaption{font-size:.88rem;color:var(--quiet);margin-top:.5rem;overflow-wrap:anywhere}"
        "footer{margin-top:3rem;font-size:.88rem;color:var(--quiet)}"
        "@media (max-width:30rem){table.keys th:first-child{width:28%}main{padding:1rem .7rem "
        "3rem}h1{font-size:1.4rem}table{font-size:.84rem}"
        "th,td{padding:.28rem .5rem}table:not(.keys) tbody "
        "th[scope=row]{min-width:8rem;max-width:9.5rem;overflow-wrap:anywhere}}"
        "@media print{html{font-size:10pt}main{max-width:none;padding:0}h2{margin-top:1.6rem}"
        "h2,h3,caption{break-after:avoid}tr,figure,.card,.tone{break-inside:avoid}"
        ".scroll{overflow:visible;border:0}table{font-size:.82em}th,td{padding:.15rem .4rem}"
        "tbody th[scope=row]{position:static;min-width:0}p,li{max-width:none}a{color:inherit;text-decoration:none}"
        ".plot{overflow:visible}.plot svg{min-width:0;max-height:22cm}@page{margin:1.6cm}}";

static void colours(struct sb_buf *out, bool dark)
{
	for (const struct sb_html_colour *c = sb_html_colours; c->name; c++)
		sb_buf_addf(out, "--%s:%s;", c->name, dark ? c->dark : c->light);
}

/* Paper is light, whatever the screen is. */
void sb_html_style(struct sb_buf *out)
{
	sb_buf_puts(out, ":root{");
	colours(out, false);
	sb_buf_puts(out, "}@media screen and (prefers-color-scheme:dark){:root{");
	colours(out, true);
	sb_buf_puts(out, "}}");
	sb_buf_puts(out, sheet);
}
