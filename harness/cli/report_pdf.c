#include "report_pdf.h"

#include "report_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 12 };

/* Programs that print a page, in the order they are tried; each is given its arguments by one of the kinds below. */
enum kind { BROWSER, WEASYPRINT, WKHTMLTOPDF };
static const struct printer {
	const char *name;
	enum kind kind;
} printers[] = {
	{ "chromium", BROWSER },
	{ "chromium-browser", BROWSER },
	{ "google-chrome", BROWSER },
	{ "google-chrome-stable", BROWSER },
	{ "weasyprint", WEASYPRINT },
	{ "wkhtmltopdf", WKHTMLTOPDF },
};

/* ---- finding ----------------------------------------------------------------------------------------------------- */

/* The program's path, to be freed; NULL where it is not in PATH. */
static char *find(const char *name)
{
	const char *path = getenv("PATH");

	for (const char *s = path ? path : ""; *s; s += strcspn(s, ":"), s += *s == ':') {
		struct sb_buf at = { 0 };
		struct stat st;

		sb_buf_add(&at, s, strcspn(s, ":"));
		sb_buf_addf(&at, "/%s", name);
		if (!at.failed && !access(at.s, X_OK) && !stat(at.s, &st) && S_ISREG(st.st_mode))
			return at.s;
		sb_buf_release(&at);
	}
	return NULL;
}

/* ---- what it is told -----------------------------------------------------------------------------------------------
 */

static void add_url(struct sb_buf *b, const char *path)
{
	sb_buf_puts(b, "file://");
	for (; *path; path++) {
		bool plain =
		        strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~/", *path) != NULL;

		sb_buf_addf(b, plain ? "%c" : "%%%02X", (unsigned char)*path);
	}
}

struct words {
	struct sb_buf url, out, profile;
	const char *v[ARGUMENTS_MAX];
};

static void words_for(struct words *w, const struct printer *p, const char *program, const char *html, const char *pdf,
        const char *scratch)
{
	int n = 0;

	add_url(&w->url, html);
	sb_buf_addf(&w->out, "--print-to-pdf=%s", pdf);
	sb_buf_addf(&w->profile, "--user-data-dir=%s", scratch);
	w->v[n++] = program;
	switch (p->kind) {
	case BROWSER:
		w->v[n++] = "--headless";
		w->v[n++] = "--disable-gpu";
		w->v[n++] = "--no-pdf-header-footer";
		w->v[n++] = sb_buf_str(&w->profile);
		if (!geteuid()) /* a browser refuses its sandbox to root; the page is ours, and nothing in it runs */
			w->v[n++] = "--no-sandbox";
		w->v[n++] = sb_buf_str(&w->out);
		w->v[n++] = sb_buf_str(&w->url);
		break;
	case WKHTMLTOPDF:
		w->v[n++] = "--quiet";
		w->v[n++] = "--enable-local-file-access";
		/* fall through */
	case WEASYPRINT:
		w->v[n++] = html;
		w->v[n++] = pdf;
		break;
	}
	w->v[n] = NULL;
}

static void words_release(struct words *w)
{
	sb_buf_release(&w->url);
	sb_buf_release(&w->out);
	sb_buf_release(&w->profile);
}

/* ---- running -------------------------------------------------------------------------------------------------------
 */

/* In a group of its own, so that what it starts can be ended with it; what it says goes to a file. */
static pid_t start(const char *const *argv, const char *said)
{
	pid_t pid = fork();
	int in, out;

	if (pid)
		return pid;
	setpgid(0, 0);
	in = open("/dev/null", O_RDONLY);
	out = open(said, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(126);
	signal(SIGPIPE, SIG_DFL);
	execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(127);
}

/* Its status, or -1 where it was ended: it took too long, or was stopped. */
static int wait_for(pid_t pid, int seconds, bool (*stop)(void))
{
	int64_t until = sb_now_ns() + seconds * INT64_C(1000000000);
	int status = 0;
	pid_t got;

	while (!(got = waitpid(pid, &status, WNOHANG)) && sb_now_ns() < until && !stop())
		sb_sleep_ns(10000000);
	if (got == pid) {
		kill(-pid, SIGKILL); /* what it left behind */
		return status;
	}
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return -1;
}

static bool is_pdf(const char *path)
{
	char head[5] = "";
	FILE *f = fopen(path, "rb");
	bool is = f && fread(head, 1, sizeof(head), f) == sizeof(head) && !memcmp(head, "%PDF-", sizeof(head));

	if (f)
		fclose(f);
	return is;
}

/* The last line that is not empty. */
static void last_line(const char *path, char line[256])
{
	FILE *f = fopen(path, "r");
	char text[256];

	line[0] = '\0';
	while (f && fgets(text, sizeof(text), f)) {
		text[strcspn(text, "\r\n")] = '\0';
		if (text[0])
			memcpy(line, text, sizeof(text));
	}
	if (f)
		fclose(f);
}

static bool print_with(const struct printer *p, const char *program, const char *html, const char *pdf,
        const char *scratch, int seconds, bool (*stop)(void), char why[512])
{
	struct words w = { .url = { 0 } };
	struct sb_buf said = { 0 };
	char line[256] = "";
	int status = -1;
	pid_t pid = -1;

	words_for(&w, p, program, html, pdf, scratch);
	sb_buf_addf(&said, "%s/said", scratch);
	if (!w.url.failed && !w.out.failed && !w.profile.failed && !said.failed && !mkdir(scratch, 0700))
		pid = start(w.v, said.s);
	if (pid > 0)
		status = wait_for(pid, seconds, stop);
	if (pid > 0 && !is_pdf(pdf)) {
		last_line(said.s, line);
		if (status == -1)
			snprintf(why, 512, "%s was ended after %d s", p->name, seconds);
		else
			snprintf(why, 512, "%s failed%s%s", p->name, line[0] ? ": " : "", line);
	} else if (pid <= 0) {
		snprintf(why, 512, "%s could not be started", p->name);
	}
	sb_report_remove_tree(scratch);
	words_release(&w);
	sb_buf_release(&said);
	return pid > 0 && is_pdf(pdf);
}

bool sb_report_pdf(
        const char *html, const char *pdf, const char *scratch, int seconds, bool (*stop)(void), char why[512])
{
	bool done = false;

	snprintf(why, 512, "no program that prints a page is here; install chromium, weasyprint or wkhtmltopdf");
	for (size_t i = 0; i < SB_ARRAY_LEN(printers) && !done && !stop(); i++) {
		char *program = find(printers[i].name);

		if (program)
			done = print_with(&printers[i], program, html, pdf, scratch, seconds, stop, why);
		if (!done && program)
			unlink(pdf);
		free(program);
	}
	return done;
}
