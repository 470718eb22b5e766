/* Frames as they come over a socket, whoever is at its other end. */
#include "fuzz.h"
#include "protocol.h"

#include <sys/socket.h>
#include <unistd.h>

#define SIZE_MAX_ 4096 /* fits into the socket's buffer, so that one thread can write and then read */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sb_error err = { .msg = "" };
	struct sb_frame frame = { 0 };
	bool timed_out;
	size_t read = 0;
	int sv[2];

	if (size > SIZE_MAX_)
		size = SIZE_MAX_;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv))
		abort();
	if (size && send(sv[1], data, size, 0) != (ssize_t)size)
		abort();
	close(sv[1]);
	while (!sb_frame_read(sv[0], 0, &frame, &timed_out, &err)) {
		read += 12 + frame.length;
		FUZZ_HOLDS(read <= size);
		FUZZ_HOLDS(!memcmp(frame.data, data + read - frame.length, frame.length) && !frame.data[frame.length]);
		free(frame.data);
	}
	FUZZ_HOLDS(!timed_out && err.msg[0]);
	close(sv[0]);
	return 0;
}
