/* Text that goes to a terminal: nothing in it may drive one, and it is UTF-8 whatever it was made from. */
#include "fuzz.h"
#include "sb_base.h"

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t room = fuzz_take(&data, &size);
	char *text = fuzz_text(data, size), *out = malloc(room + 1), *again = malloc(room + 1);
	json_t *utf8;

	if (!out || !again)
		abort();
	out[room] = '#';
	sb_escape(text, out, room);
	FUZZ_HOLDS(out[room] == '#');
	if (room) {
		size_t len = strlen(out);

		FUZZ_HOLDS(len < room);
		for (size_t i = 0; i < len; i++) {
			unsigned char c = (unsigned char)out[i], d = (unsigned char)out[i + 1];

			FUZZ_HOLDS(c >= 0x20 && c != 0x7f);
			FUZZ_HOLDS(c != 0xc2 || d >= 0xa0); /* C1 */
		}
		utf8 = json_string(out);
		FUZZ_HOLDS(utf8);
		json_decref(utf8);
		sb_escape(out, again, room);
		FUZZ_HOLDS(!strcmp(out, again));
	}
	free(again);
	free(out);
	free(text);
	return 0;
}
