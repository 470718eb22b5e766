/* Programs that print a page, or do not: shell scripts in a folder that is all there is in PATH. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "report_pdf.h"
#include "scratch_folder.h"

static bool stop_asked;

static bool stop(void)
{
	return stop_asked;
}

/* Put a program there that runs these lines; of the shell it can use what is built in. */
static void program(const char *name, const char *lines)
{
	const char *path = in_folder(name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fprintf(f, "#!/bin/sh\n%s\n", lines);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, 0755), 0);
}

static bool print(char why[512])
{
	char page[600], pdf[600], scratch[600];

	assert_int_equal(setenv("PATH", folder, 1), 0);
	snprintf(page, sizeof(page), "%s/a page #1.html", folder);
	snprintf(pdf, sizeof(pdf), "%s/out.pdf", folder);
	snprintf(scratch, sizeof(scratch), "%s/scratch", folder);
	return sb_report_pdf(page, pdf, scratch, 1, stop, why);
}

static int make(void **state)
{
	stop_asked = false;
	return folder_make(state);
}

static int clean(void **state)
{
	assert_int_equal(setenv("PATH", "/usr/bin:/bin", 1), 0);
	return folder_remove(state);
}

static void without_a_program_it_says_which_there_are(void **state)
{
	char why[512];

	(void)state;
	assert_false(print(why));
	assert_non_null(strstr(why, "install chromium, weasyprint or wkhtmltopdf"));
}

static void a_program_that_prints_is_taken(void **state)
{
	char why[512];

	(void)state;
	program("weasyprint", "echo '%PDF-1.7' >\"$2\"");
	assert_true(print(why));
	assert_int_equal(files_in(folder), 2); /* the program and what it printed: nothing is left between */
}

static void a_browser_gets_an_address(void **state)
{
	char why[512], expected[128], text[256] = "";
	FILE *f;

	(void)state;
	program("chromium", "for a; do case $a in --print-to-pdf=*) out=${a#*=} ;; file:*) page=$a ;; esac; done\n"
	                    "echo \"%PDF-$page\" >\"$out\"");
	assert_true(print(why));
	f = fopen(in_folder("out.pdf"), "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	snprintf(expected, sizeof(expected), "%%PDF-file://%s/a%%20page%%20%%231.html\n", folder);
	assert_string_equal(text, expected);
}

static void the_next_one_is_tried_when_one_fails(void **state)
{
	char why[512];

	(void)state;
	program("chromium", "echo 'no display' >&2; exit 3");
	assert_false(print(why));
	assert_string_equal(why, "chromium failed: no display");
	program("wkhtmltopdf", "echo '%PDF-1.4' >\"$4\"");
	assert_true(print(why));
}

static void what_is_no_pdf_counts_for_nothing(void **state)
{
	char why[512];

	(void)state;
	program("weasyprint", "echo hello >\"$2\"");
	assert_false(print(why));
	assert_string_equal(why, "weasyprint failed");
	assert_int_equal(files_in(folder), 1);
}

/* It and what it started: the second would write a file. */
static void one_that_hangs_is_ended_with_all_it_started(void **state)
{
	char why[512];
	int64_t begun = sb_now_ns();

	(void)state;
	program("weasyprint", "(while :; do echo x >\"${2%/*}/alive\"; done) & while :; do :; done");
	assert_false(print(why));
	assert_string_equal(why, "weasyprint was ended after 1 s");
	assert_true(sb_now_ns() - begun < INT64_C(20000000000));
	sb_sleep_ns(20000000);
	assert_true(!unlink(in_folder("alive")));
	sb_sleep_ns(50000000);
	assert_int_equal(access(in_folder("alive"), F_OK), -1);
}

static void it_ends_when_that_is_asked_for(void **state)
{
	char why[512];

	(void)state;
	program("weasyprint", "while :; do :; done");
	stop_asked = true;
	assert_false(print(why));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_a_program_it_says_which_there_are, make, clean),
		cmocka_unit_test_setup_teardown(a_program_that_prints_is_taken, make, clean),
		cmocka_unit_test_setup_teardown(a_browser_gets_an_address, make, clean),
		cmocka_unit_test_setup_teardown(the_next_one_is_tried_when_one_fails, make, clean),
		cmocka_unit_test_setup_teardown(what_is_no_pdf_counts_for_nothing, make, clean),
		cmocka_unit_test_setup_teardown(one_that_hangs_is_ended_with_all_it_started, make, clean),
		cmocka_unit_test_setup_teardown(it_ends_when_that_is_asked_for, make, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
