/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base: what every other module stands on. Used by every process.
 *
 * Errors are negative ints: a negated errno, or one of enum skep_err. Functions that can fail are
 * marked MUST_USE, write their ret_ outputs only on success, and never log above debug or exit.
 */
#ifndef SKEP_BASE_H
#define SKEP_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define NS_PER_SEC INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* Scope-exit cleanup: CLEANUP(fd_close) int fd = -1; leave with fd_take(&fd). */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* ---- errors ---------------------------------------------------------------------------- */

enum skep_err {
	SKEP_ETRUNC = -1000,       /* input ended early, or output does not fit */
	SKEP_EFORMAT = -1001,      /* input does not follow its format */
	SKEP_ERANGE = -1002,       /* value outside its stated range */
	SKEP_EFULL = -1003,        /* a table with a fixed capacity is full */
	SKEP_ENOTFOUND = -1004,    /* no such thing */
	SKEP_EPEER = -1005,        /* the other process broke the protocol */
	SKEP_ETIMEOUT = -1006,     /* no answer in the time given */
	SKEP_EUNSUPPORTED = -1007, /* known, but not in this build or on this machine */
};

/* Text for any error code of this project. Never NULL; a static or thread-local string. */
const char *err_text(int err);

/* ---- clock ----------------------------------------------------------------------------- */

/* Wall-clock time, ns since the epoch. Signed 64 bit everywhere in the project. */
int64_t clock_wall_ns(void);
/* Time since boot (CLOCK_BOOTTIME), ns: for windows, time-outs and limits. Survives our restarts,
 * not the host's. */
int64_t clock_boot_ns(void);

/* ---- arena: memory with one lifetime --------------------------------------------------- */

struct arena {
	uint8_t *mem; /* owned if made by arena_create */
	size_t size, used;
};

/* Maps size bytes (zeroed, touched only on use). The arena owns them until arena_destroy. */
MUST_USE int arena_create(size_t size, struct arena *ret_arena);
void arena_destroy(struct arena *arena);
/* Zeroed, 64-byte aligned memory, or NULL when the arena is used up. Never freed one by one. */
void *arena_alloc(struct arena *arena, size_t count, size_t size);

/* Seals the heap: after this any malloc, calloc or realloc of this thread aborts the process. Called by
 * data-path roles once start-up is over. heap_sealed tells. */
void heap_seal(void);
bool heap_sealed(void);

/* ---- bounded reader with a sticky error ------------------------------------------------ */

struct reader {
	const uint8_t *at, *end;
	bool bad; /* set by the first read past the end; later reads give zeroes */
};

/* Reads len bytes at data, which stay the caller's. Reads past the end give zero and set bad. */
struct reader reader_of(const void *data, size_t len);
size_t reader_left(const struct reader *r);
uint8_t read_u8(struct reader *r);
uint16_t read_be16(struct reader *r);
uint32_t read_be32(struct reader *r);
uint64_t read_be64(struct reader *r);
/* n bytes inside the input, or NULL (and bad) when fewer are left. Borrowed from the input. */
const uint8_t *read_bytes(struct reader *r, size_t n);

/* Unaligned loads and stores of wire fields. */
uint16_t load_be16(const void *p);
uint32_t load_be32(const void *p);
void store_be16(void *p, uint16_t v);
void store_be32(void *p, uint32_t v);

/* ---- bounded text writer --------------------------------------------------------------- */

struct writer {
	char *buf; /* caller's; always NUL-terminated while size > 0 */
	size_t size, len;
	bool full; /* something did not fit; what fitted stays */
};

/* Writes into buf, the caller's, of size bytes; what does not fit is cut and sets full. */
struct writer writer_of(char *buf, size_t size);
void write_str(struct writer *w, const char *s);
void write_fmt(struct writer *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Foreign bytes for people: printable ASCII stays, the rest becomes \xNN; backslash is doubled. */
void write_escaped(struct writer *w, const void *data, size_t len);

/* Length of the valid UTF-8 sequence that s begins with (RFC 3629: no overlong forms, no surrogates); 0: none.
 * With left 0 as well. ret_more (may be NULL): what is there may become one, when more bytes come. */
size_t text_utf8(const void *s, size_t left, bool *ret_more);
/* What a hexadecimal digit is worth; -1: it is none. */
int text_hex(char c);
/* Base64 (RFC 4648) into ret, which has room for size bytes; stops at the first byte that is none.
 * Returns how many bytes were made. */
size_t text_unbase64(const char *s, void *ret, size_t size);
/* Copies s into dst of the given size, always terminated; false if it was cut. */
bool text_copy(char *dst, size_t size, const char *s);
/* Edit distance (Levenshtein), for "did you mean"; strings over 63 bytes count as far away. */
unsigned text_distance(const char *a, const char *b);
/* "1.5 MB", "3 min 20 s": for people. */
void text_bytes(struct writer *w, uint64_t bytes);
void text_duration(struct writer *w, int64_t ns);

/* ---- addresses ------------------------------------------------------------------------- */

struct addr {
	uint8_t b[16];  /* network order; IPv4 in the first four, the rest zero */
	uint8_t ver;    /* 4, 6, or 0 for none */
	uint8_t pad[3]; /* zero, so that addresses compare and hash as bytes */
};

struct prefix {
	struct addr addr; /* host bits zero */
	uint8_t len;      /* 0..32 or 0..128 */
};

struct mac {
	uint8_t b[6];
};

/* From network-order bytes; from text: IPv4 dotted, IPv6 as RFC 4291 writes it. */
struct addr addr_from_v4(const void *four_bytes);
struct addr addr_from_v6(const void *sixteen_bytes);
MUST_USE int addr_parse(const char *s, struct addr *ret_addr);
/* "1.2.3.4", "2001:db8::1/64", "1.2.3.4" as /32. Host bits set are SKEP_EFORMAT. */
MUST_USE int prefix_parse(const char *s, struct prefix *ret_prefix);
MUST_USE int mac_parse(const char *s, struct mac *ret_mac);
bool mac_is_zero(const struct mac *m);
bool addr_eq(const struct addr *a, const struct addr *b);
bool prefix_has(const struct prefix *p, const struct addr *a);
#define ADDR_TEXT 46
#define PREFIX_TEXT 50
#define MAC_TEXT 18
/* Each writes a terminated text into buf (of the size named above) and returns buf. */
const char *addr_text(const struct addr *a, char buf[ADDR_TEXT]);
const char *prefix_text(const struct prefix *p, char buf[PREFIX_TEXT]);
const char *mac_text(const struct mac *m, char buf[MAC_TEXT]);

/* ---- hash and random ------------------------------------------------------------------- */

/* SipHash-1-3 (Aumasson, Bernstein): keyed, for tables whose keys an intruder chooses. */
uint64_t hash_keyed(const uint64_t key[2], const void *data, size_t len);
/* Fills buf from getrandom(2); aborts the process if the kernel refuses. */
void random_fill(void *buf, size_t len);

/* ---- descriptors and log --------------------------------------------------------------- */

/* Closes *fd if it is not negative and sets it to -1. For CLEANUP. */
void fd_close(int *fd);
int fd_take(int *fd);
/* Writes all of it to a blocking descriptor; -errno, -EIO if nothing more is taken. */
MUST_USE int fd_write(int fd, const void *data, size_t len);

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
/* One line to stderr: "role: text". Name is kept by reference. Only role and cmd log above debug. */
void log_setup(const char *name, enum log_level most);
void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The same for anything that a guest or the wire can trigger: at most 5 lines, then one per 10 s
 * and per site, with the count of what was suppressed. */
struct log_site {
	int64_t last_ns;
	uint32_t burst, suppressed;
};
void log_limited(struct log_site *site, enum log_level level, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

#endif
