#include "sb_cli.h"

#include <string.h>

void sb_add_shell_word(const char *word, struct sb_buf *out)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./,:=+-@%";

	if (word[0] && !word[strspn(word, plain)]) {
		sb_buf_puts(out, word);
		return;
	}
	sb_buf_puts(out, "'");
	for (size_t n; *word; word += n) {
		n = strcspn(word, "'");
		sb_buf_add(out, word, n);
		if (word[n]) {
			sb_buf_puts(out, "'\\''");
			n++;
		}
	}
	sb_buf_puts(out, "'");
}

void sb_add_command_line(int argc, char **argv, struct sb_buf *out)
{
	char piece[2048];

	sb_buf_puts(out, "spabench");
	for (int i = 0; i < argc; i++) {
		sb_escape(argv[i], piece, sizeof(piece));
		sb_buf_puts(out, " ");
		sb_add_shell_word(piece, out);
	}
}
