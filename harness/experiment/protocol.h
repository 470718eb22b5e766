/*
 * The framed protocol between the parent and a worker, over a socket pair. A frame is {magic, version, type, length}
 * and `length` bytes: JSON, or rows as they lie in memory (both ends run on one machine). A version accepts its
 * predecessor.
 */
#ifndef SB_PROTOCOL_H
#define SB_PROTOCOL_H

#include "sb_base.h"

#define SB_PROTOCOL_MAGIC   UINT32_C(0x57504253) /* "SBPW" */
#define SB_PROTOCOL_VERSION 1
#define SB_PROTOCOL_GONE    "the other end is gone" /* begins the message of every error at the end of file */
#define SB_FRAME_MAX        (UINT32_C(512) << 20)

enum sb_frame_type {
	SB_FRAME_HELLO = 1, /* worker: {build, pid} */
	SB_FRAME_SETUP,     /* parent: what to be */
	SB_FRAME_READY,     /* worker: facts */
	SB_FRAME_ERROR,     /* worker: {code, message}; it ends */
	SB_FRAME_TRIAL,     /* parent: {levels, timeline} */
	SB_FRAME_RESULT,    /* worker: outcome, samples, names, roll-up */
	SB_FRAME_ROWS,      /* worker: the trace rows of the result before it, when it announces some */
	SB_FRAME_SAVE,      /* parent: {levels, file, depth_images, metadata}: a pass, and its results into files */
	SB_FRAME_SAVED,     /* worker: {}; ERROR when it failed */
	SB_FRAME_TIMELINE,  /* worker: the memory timeline of the result before it, when it announces one; behind the
	                       rows */
};

struct sb_frame {
	enum sb_frame_type type;
	uint32_t length;
	char *data; /* length bytes and a terminating 0; owned */
};

/* Errors: SB_E_DEVICE when the other end is gone (EOF), SB_E_DATA for bytes that are no frame. */
enum sb_status sb_frame_write(int fd, enum sb_frame_type type, const void *data, size_t length, struct sb_error *err);
/*
 * Wait for a frame until deadline_ns of the monotonic clock (0: for ever). *timed_out says that the deadline passed
 * (then SB_E_DEVICE too). On SB_OK the caller frees frame->data.
 */
enum sb_status sb_frame_read(
        int fd, int64_t deadline_ns, struct sb_frame *frame, bool *timed_out, struct sb_error *err);

#endif
