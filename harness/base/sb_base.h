/*
 * base: what every other module stands on. Errors, values that may be absent, strings, clock, hash, log, random order.
 * Uses libc only.
 */
#ifndef SB_BASE_H
#define SB_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SB_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#if defined(__GNUC__)
#define SB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define SB_PRINTF(fmt, args)
#endif

/* ---- errors ------------------------------------------------------------------------------------------------- */

enum sb_status {
	SB_OK = 0,
	SB_E_USAGE,       /* the user asked for something that makes no sense: exit 2 */
	SB_E_ENV,         /* this machine cannot: exit 3 */
	SB_E_DATA,        /* a file or database is not what it should be, or could not be written: exit 4 */
	SB_E_DEVICE,      /* the device failed: exit 4 */
	SB_E_NOMEM,       /* host or device memory is exhausted: exit 4, or a stored `oom` row */
	SB_E_INTERRUPTED, /* the user pressed Ctrl-C: exit 130 */
	SB_E_VERDICT,     /* all went well, and a check says no: exit 1 */
	SB_E_OPEN,        /* all went well, and a check cannot say: exit 5 */
};

struct sb_error {
	enum sb_status code;
	char msg[1024];
};

/* Set *err (when given) and return `code`. The message: what failed, its subject in single quotes, the way out. */
enum sb_status sb_fail(struct sb_error *err, enum sb_status code, const char *fmt, ...) SB_PRINTF(3, 4);

/* Put "context: " in front of an error that is already set; returns its code. */
enum sb_status sb_wrap(struct sb_error *err, const char *fmt, ...) SB_PRINTF(2, 3);

/* The process exit code of a status (DESIGN: 0 ok, 1 a check says no, 2 usage, 3 this machine cannot, 4 failed, 130
 * interrupted). */
int sb_exit_code(enum sb_status code);

/* A bug of ours, never the user's doing: says where, and aborts. */
#define SB_BUG(...) sb_bug(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void sb_bug(const char *file, int line, const char *fmt, ...) SB_PRINTF(3, 4);

/* ---- values that may be missing ----------------------------------------------------------------------------- */

/* A missing measurement is not zero: `absent` says why (static string), NULL when v holds. */
struct sb_value {
	double v;
	const char *absent;
};

static inline struct sb_value sb_value_of(double v)
{
	return (struct sb_value){ v, NULL };
}

static inline struct sb_value sb_value_absent(const char *why)
{
	return (struct sb_value){ 0.0, why };
}

/* ---- strings ------------------------------------------------------------------------------------------------ */

/* A growing string, always terminated. Out of memory sets `failed` and later calls do nothing. Init with {0}. */
struct sb_buf {
	char *s; /* NULL until something was added; sb_buf_str() gives "" then */
	size_t len, cap;
	bool failed;
};

void sb_buf_add(struct sb_buf *b, const char *data, size_t len);
void sb_buf_puts(struct sb_buf *b, const char *s);
void sb_buf_addf(struct sb_buf *b, const char *fmt, ...) SB_PRINTF(2, 3);
const char *sb_buf_str(const struct sb_buf *b); /* lives until the next change */
void sb_buf_release(struct sb_buf *b);

char *sb_strdup(const char *s); /* NULL when out of memory */

/*
 * malloc() that remembers its failures, for a library that goes on without the memory: json_set_alloc_funcs().
 * jansson's parser then drops a character of a text or a number, and says nothing. Not for several threads at once.
 */
void *sb_malloc_noted(size_t n);
uint64_t sb_malloc_failures(void); /* of sb_malloc_noted(), so far */

/* Is `word`, which is not empty, one of the words of `list`, between commas or blanks? */
bool sb_list_has(const char *list, const char *word);

/*
 * Parse a whole string as a decimal integer in [min, max].
 * Errors: SB_E_USAGE naming `what` and the range; *out is untouched then.
 */
enum sb_status sb_parse_int(
        const char *s, const char *what, int64_t min, int64_t max, int64_t *out, struct sb_error *err);
/* The same for a finite double. */
enum sb_status sb_parse_double(
        const char *s, const char *what, double min, double max, double *out, struct sb_error *err);
/* Bytes: a number with an optional suffix K, M, G, T, KiB, MiB, GiB, TiB (all powers of 1024). */
enum sb_status sb_parse_bytes(const char *s, const char *what, int64_t *out, struct sb_error *err);

bool sb_is_utf8(const char *s); /* well-formed all through, and no C1 control characters (U+0080 to U+009F) */
/* Write `s` into out[n] with control characters (and invalid UTF-8) as \xNN, so that no name can drive a terminal. */
void sb_escape(const char *s, char *out, size_t n);

/* ---- clock -------------------------------------------------------------------------------------------------- */

int64_t sb_now_ns(void);                         /* monotonic, for durations */
int64_t sb_wall_time_ns(void);                   /* since 1970, for labels only */
void sb_time_iso(int64_t wall_ns, char out[32]); /* "2026-11-22T13:42:05Z" */
void sb_sleep_ns(int64_t ns);

/* ---- processes ---------------------------------------------------------------------------------------------- */

/* When a process was started, in the system's own words; false when there is no such process, or it has ended. */
bool sb_process_start(int64_t pid, char *out, size_t n);
/*
 * Is the process of this machine that was started then (NULL: not known when) still there? Process numbers come again,
 * start times do not. Where the system tells no start times, whoever has the number now counts.
 */
bool sb_process_lives(int64_t pid, const char *start);
/* False when the machine has no name. */
bool sb_host_name(char *out, size_t n);

/*
 * A child of this very program that does something which may crash or hang, and answers by a pipe. Answers are structs
 * as they lie in memory: parent and child are one program, so that even a pointer to a static text holds in both.
 */
struct sb_child {
	int64_t pid;
	int fd;
};
/*
 * Run serve(user, fd) in a child, which ends when it returns, or with this process. Not while this process has threads.
 * On SB_OK the caller ends it by sb_child_end(). Errors: SB_E_ENV.
 */
enum sb_status sb_child_start(struct sb_child *c, void (*serve)(void *user, int fd), void *user, struct sb_error *err);
/* In the child: an answer. Does not return when nobody listens any more. Zero padding first: it is written, too. */
void sb_child_say(int fd, const void *answer, size_t n);
/* All of an answer, before this point of sb_now_ns(), INT64_MAX: however long it takes. false: it did not come. */
bool sb_child_hear(const struct sb_child *c, void *answer, size_t n, int64_t deadline_ns);
/* Wait for its end, and kill it when that takes longer. Returns what waitpid() says of it. */
int sb_child_end(struct sb_child *c, int64_t patience_ns);

/* ---- hash and random order ---------------------------------------------------------------------------------- */

#define SB_FNV1A_INIT UINT64_C(0xcbf29ce484222325)
/* FNV-1a 64 of `n` bytes, continued from `h` (start with SB_FNV1A_INIT). Identity, not security. */
uint64_t sb_fnv1a(uint64_t h, const void *data, size_t n);

/* splitmix64 (Steele, Lea, Flood 2014): state advances by the golden gamma; used for seeds, shuffles and weights. */
uint64_t sb_splitmix64(uint64_t *state);
/*
 * Values that are made where they are wanted, by whoever has most threads. Of index i: u = the upper 24 bits of
 * splitmix64 from the state `key` + i gamma, times 2^-23, minus 1, so in [-1, 1) and exact; then scale * u, rounded to
 * float32; then that + offset, rounded to float32.
 */
struct sb_value_rule {
	uint64_t key;
	float scale, offset;
};

/* Uniform in [0, n), n > 0, without modulo bias. */
uint64_t sb_random_below(uint64_t *state, uint64_t n);
/* Uniform in [0, 1), 53 bits. */
double sb_random_unit(uint64_t *state);
/* Fisher-Yates over idx[n]. */
void sb_shuffle(uint64_t *state, int *idx, int n);
/* 128 random bits as 32 hex digits, from the system. */
void sb_random_id(char out[33]);

/* ---- log: chatter on stderr, never on stdout ---------------------------------------------------------------- */

enum sb_log_level { SB_LOG_ERROR, SB_LOG_WARN, SB_LOG_INFO, SB_LOG_DEBUG };
void sb_log_set_level(enum sb_log_level level);
void sb_log(enum sb_log_level level, const char *fmt, ...) SB_PRINTF(2, 3);

#endif
