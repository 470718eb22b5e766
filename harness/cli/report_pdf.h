/* A page as PDF, by a program that is found on this machine. Private to cli. */
#ifndef SB_REPORT_PDF_H
#define SB_REPORT_PDF_H

#include "sb_base.h"

/*
 * Print the page `html` into `pdf`; all paths are absolute. `scratch` is a folder that may be made for the program, and
 * is removed. False: not done, and `why` says why (no program is there, or it failed); stop() ends it early.
 */
bool sb_report_pdf(const char *html, const char *pdf, const char *scratch, bool (*stop)(void), char why[512]);

#endif
