/* A page as PDF, by a program that is found on this machine. Private to cli. */
#ifndef SB_REPORT_PDF_H
#define SB_REPORT_PDF_H

#include "sb_base.h"

/*
 * Print the page `html` into `pdf`; all paths are absolute. `scratch` is a folder that is made for the program and
 * removed. A program may take so many seconds, and stop() ends it earlier. False: not done, and `why` says why (no
 * program is there, or it failed).
 */
bool sb_report_pdf(
        const char *html, const char *pdf, const char *scratch, int seconds, bool (*stop)(void), char why[512]);

#endif
