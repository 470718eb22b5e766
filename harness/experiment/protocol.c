#include "protocol.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ROOM_MIN ((size_t)1 << 16) /* of a frame's memory at first; doubled as it fills */

struct header {
	uint32_t magic;
	uint16_t version, type;
	uint32_t length;
};

static enum sb_status write_all(int fd, const void *data, size_t n, struct sb_error *err)
{
	const char *p = data;

	while (n) {
		ssize_t w = send(fd, p, n, MSG_NOSIGNAL);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return sb_fail(err, SB_E_DEVICE, SB_PROTOCOL_GONE ": %s", strerror(errno));
		p += w;
		n -= (size_t)w;
	}
	return SB_OK;
}

enum sb_status sb_frame_write(int fd, enum sb_frame_type type, const void *data, size_t length, struct sb_error *err)
{
	struct header h = { SB_PROTOCOL_MAGIC, SB_PROTOCOL_VERSION, (uint16_t)type, (uint32_t)length };

	if (length > SB_FRAME_MAX)
		return sb_fail(err, SB_E_DATA, "a frame of %zu bytes is too large", length);
	if (write_all(fd, &h, sizeof(h), err))
		return SB_E_DEVICE;
	return write_all(fd, data, length, err);
}

static enum sb_status read_all(int fd, int64_t deadline_ns, void *data, size_t n, bool *timed_out, struct sb_error *err)
{
	char *p = data;

	while (n) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };
		int wait_ms = -1, ready;
		ssize_t r;

		if (deadline_ns) {
			int64_t left = deadline_ns - sb_now_ns();

			wait_ms = left <= 0 ? 0 : left / 1000000 > 1000000 ? 1000000 : (int)(left / 1000000) + 1;
		}
		ready = poll(&pfd, 1, wait_ms);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready == 0) {
			if (deadline_ns && sb_now_ns() < deadline_ns)
				continue;
			*timed_out = true;
			return sb_fail(err, SB_E_DEVICE, "no answer in time");
		}
		r = recv(fd, p, n, 0);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return sb_fail(err, SB_E_DEVICE, SB_PROTOCOL_GONE);
		p += r;
		n -= (size_t)r;
	}
	return SB_OK;
}

/* Memory grows as bytes come: a length alone, which may be anything, is not believed. */
static enum sb_status read_payload(
        int fd, int64_t deadline_ns, uint32_t length, char **out, bool *timed_out, struct sb_error *err)
{
	size_t have = 0;
	char *data = NULL;

	do {
		size_t more = length - have < ROOM_MIN + have ? length - have : ROOM_MIN + have;
		char *bigger = realloc(data, have + more + 1);
		enum sb_status status;

		if (!bigger) {
			free(data);
			return sb_fail(err, SB_E_NOMEM, "no memory for a frame of %u bytes", length);
		}
		data = bigger;
		status = read_all(fd, deadline_ns, data + have, more, timed_out, err);
		if (status) {
			free(data);
			return status;
		}
		have += more;
	} while (have < length);
	data[length] = '\0';
	*out = data;
	return SB_OK;
}

enum sb_status sb_frame_read(int fd, int64_t deadline_ns, struct sb_frame *frame, bool *timed_out, struct sb_error *err)
{
	enum sb_status status;
	struct header h;
	char *data = NULL;

	*timed_out = false;
	if (read_all(fd, deadline_ns, &h, sizeof(h), timed_out, err))
		return SB_E_DEVICE;
	if (h.magic != SB_PROTOCOL_MAGIC)
		return sb_fail(err, SB_E_DATA, "not a spabench worker (magic %08x)", h.magic);
	if (h.version > SB_PROTOCOL_VERSION || h.version + 1 < SB_PROTOCOL_VERSION)
		return sb_fail(err, SB_E_DATA, "protocol version %u; this build speaks %d and its predecessor",
		        h.version, SB_PROTOCOL_VERSION);
	if (h.length > SB_FRAME_MAX)
		return sb_fail(err, SB_E_DATA, "a frame announces %u bytes", h.length);
	status = read_payload(fd, deadline_ns, h.length, &data, timed_out, err);
	if (status)
		return status;
	*frame = (struct sb_frame){ (enum sb_frame_type)h.type, h.length, data };
	return SB_OK;
}
