/*
 * A library for LD_PRELOAD that makes the n-th call of a kind fail, in the parent or in a worker. The environment says
 * which: SPABENCH_INTERPOSE=KIND:N:WHO, with N+ instead of N for "that one and all after it".
 *
 *   alloc   malloc, calloc, realloc, posix_memalign, aligned_alloc     no memory
 *   write   write, pwrite, send                                        no space left
 *   file    open, pread, pwrite, fsync, fdatasync, ftruncate,          input/output error
 *           unlink and the locking calls of fcntl: what SQLite does to its files
 *
 * WHO: parent, worker. Calls are counted in main(). The first failure makes the file named by
 * SPABENCH_INTERPOSE_HIT, and while that exists no other process begins to fail: one failure a run, unless N+.
 * SPABENCH_INTERPOSE_STOP=1 aborts there instead, to see where it is.
 */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum kind { NONE, ALLOC, WRITE, FILES };

static enum kind armed; /* NONE until main() of the process that is meant */
static long target;
static bool for_good, stop;
static const char *hit_file;
static atomic_long count;
static atomic_bool failing;

/* Is this the call that fails? */
static bool fails(enum kind kind)
{
	if (armed != kind)
		return false;
	if (atomic_fetch_add(&count, 1) + 1 < target)
		return false;
	if (atomic_load(&failing))
		return for_good;
	/* O_EXCL: whoever makes the file is the one that fails. */
	if (hit_file) {
		long fd = syscall(SYS_openat, AT_FDCWD, hit_file, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);

		if (fd >= 0)
			syscall(SYS_close, fd);
		else if (!for_good)
			armed = NONE;
		if (fd < 0 && !for_good)
			return false;
	}
	atomic_store(&failing, true);
	if (stop)
		abort();
	if (!for_good)
		armed = NONE;
	return true;
}

/* ---- starting ------------------------------------------------------------------------------------------------ */

static int (*real_main)(int, char **, char **);

static void read_orders(int argc, char **argv)
{
	static const char *const kinds[] = { [ALLOC] = "alloc:", [WRITE] = "write:", [FILES] = "file:" };
	const char *orders = getenv("SPABENCH_INTERPOSE"),
	           *who = argc > 1 && !strcmp(argv[1], "worker") ? ":worker" : ":parent";
	enum kind kind = NONE;
	char *end;

	hit_file = getenv("SPABENCH_INTERPOSE_HIT");
	stop = getenv("SPABENCH_INTERPOSE_STOP") != NULL;
	for (int k = ALLOC; orders && k <= FILES; k++)
		if (!strncmp(orders, kinds[k], strlen(kinds[k])))
			kind = (enum kind)k;
	if (kind == NONE)
		return;
	target = strtol(orders + strlen(kinds[kind]), &end, 10);
	for_good = *end == '+';
	if (target > 0 && !strcmp(end + for_good, who))
		armed = kind;
}

static int main_between(int argc, char **argv, char **env)
{
	int code;

	read_orders(argc, argv);
	code = real_main(argc, argv, env);
	armed = NONE; /* what libraries do at the end (counting coverage, for one) is not ours */
	return code;
}

int __libc_start_main(int (*fn)(int, char **, char **), int argc, char **argv, void (*init)(void), void (*fini)(void),
        void (*ld_fini)(void), void *stack);
int __libc_start_main(int (*fn)(int, char **, char **), int argc, char **argv, void (*init)(void), void (*fini)(void),
        void (*ld_fini)(void), void *stack)
{
	int (*next)(
	        int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void), void (*)(void), void *);
	void *symbol = dlsym(RTLD_NEXT, "__libc_start_main");

	memcpy(&next, &symbol, sizeof(next));
	real_main = fn;
	return next(main_between, argc, argv, init, fini, ld_fini, stack);
}

/* ---- memory: glibc's own names, for dlsym() itself allocates -------------------------------------------------- */

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);
extern void *__libc_memalign(size_t alignment, size_t n);

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

void *malloc(size_t n)
{
	return fails(ALLOC) ? no_memory() : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return fails(ALLOC) ? no_memory() : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return fails(ALLOC) ? no_memory() : __libc_realloc(p, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
	return fails(ALLOC) ? no_memory() : __libc_memalign(alignment, n);
}

int posix_memalign(void **out, size_t alignment, size_t n)
{
	void *p = fails(ALLOC) ? NULL : __libc_memalign(alignment, n);

	if (p)
		*out = p;
	return p ? 0 : ENOMEM;
}

/* ---- files and sockets --------------------------------------------------------------------------------------- */

/* The next definition of a function, into a pointer of its type. */
#define NEXT(name)                                      \
	static __typeof__(&name) next;                  \
	if (!next) {                                    \
		void *symbol = dlsym(RTLD_NEXT, #name); \
		memcpy(&next, &symbol, sizeof(next));   \
	}

static int fail_with(int why)
{
	errno = why;
	return -1;
}

ssize_t write(int fd, const void *buf, size_t n)
{
	NEXT(write)
	return fails(WRITE) ? fail_with(ENOSPC) : next(fd, buf, n);
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t at)
{
	NEXT(pwrite)
	if (fails(WRITE))
		return fail_with(ENOSPC);
	return fails(FILES) ? fail_with(EIO) : next(fd, buf, n, at);
}

ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t at)
{
	NEXT(pwrite64)
	if (fails(WRITE))
		return fail_with(ENOSPC);
	return fails(FILES) ? fail_with(EIO) : next(fd, buf, n, at);
}

ssize_t send(int fd, const void *buf, size_t n, int flags)
{
	NEXT(send)
	return fails(WRITE) ? fail_with(ENOBUFS) : next(fd, buf, n, flags);
}

ssize_t pread(int fd, void *buf, size_t n, off_t at)
{
	NEXT(pread)
	return fails(FILES) ? fail_with(EIO) : next(fd, buf, n, at);
}

ssize_t pread64(int fd, void *buf, size_t n, off64_t at)
{
	NEXT(pread64)
	return fails(FILES) ? fail_with(EIO) : next(fd, buf, n, at);
}

int fsync(int fd)
{
	NEXT(fsync)
	return fails(FILES) ? fail_with(EIO) : next(fd);
}

int fdatasync(int fd)
{
	NEXT(fdatasync)
	return fails(FILES) ? fail_with(EIO) : next(fd);
}

int ftruncate(int fd, off_t n)
{
	NEXT(ftruncate)
	return fails(FILES) ? fail_with(EIO) : next(fd, n);
}

int ftruncate64(int fd, off64_t n)
{
	NEXT(ftruncate64)
	return fails(FILES) ? fail_with(EIO) : next(fd, n);
}

int unlink(const char *path)
{
	NEXT(unlink)
	return fails(FILES) ? fail_with(EIO) : next(path);
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & O_CREAT ? va_arg(ap, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;
	NEXT(open)

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return fails(FILES) ? fail_with(EIO) : next(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;
	NEXT(open64)

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return fails(FILES) ? fail_with(EIO) : next(path, flags, mode);
}

/* All other commands take a pointer, an integer or nothing: one word either way. */
int fcntl(int fd, int command, ...)
{
	va_list ap;
	void *arg;
	NEXT(fcntl)

	va_start(ap, command);
	arg = va_arg(ap, void *);
	va_end(ap);
	if ((command == F_SETLK || command == F_SETLKW) && fails(FILES))
		return fail_with(EIO);
	return next(fd, command, arg);
}

int fcntl64(int fd, int command, ...)
{
	va_list ap;
	void *arg;
	NEXT(fcntl64)

	va_start(ap, command);
	arg = va_arg(ap, void *);
	va_end(ap);
	if ((command == F_SETLK || command == F_SETLKW) && fails(FILES))
		return fail_with(EIO);
	return next(fd, command, arg);
}
