/* base/str.h - slices: borrowed octets with a length, no NUL assumed.
 *
 * A struct str never owns its octets; the object that does is named in the
 * contract of the function that hands the slice out. All functions here are pure.
 * Letter case is ASCII only, whatever the locale.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/base.h"

struct str {
	const char *p;
	size_t      n;
};

/* A slice of a string literal, also in static initialisers. */
#define STR(lit)   ((struct str){ "" lit, sizeof(lit) - 1 })
#define STR_NONE   ((struct str){ NULL, 0 })
/* For printf-like functions: "%.*s", STR_FMT(s). */
#define STR_FMT(s) (int)(s).n, (s).p ? (s).p : ""

/* The octets before the NUL of `c`; empty when c is NULL. */
struct str str_of(const char *c);
struct str str_n(const void *p, size_t n);

bool str_eq(struct str a, struct str b);
bool str_ieq(struct str a, struct str b);
/* <0, 0, >0 in octet order; a prefix sorts first. str_icmp folds case. */
int  str_cmp(struct str a, struct str b);
int  str_icmp(struct str a, struct str b);

bool str_starts(struct str s, struct str prefix);
bool str_istarts(struct str s, struct str prefix);
bool str_iends(struct str s, struct str suffix);

/* The first n octets (all if there are fewer), and those from octet i on. */
struct str str_first(struct str s, size_t n);
struct str str_from(struct str s, size_t i);
struct str str_sub(struct str s, size_t i, size_t n);

/* If *s starts with `prefix` (case folded), take it off and return true. */
bool str_skip(struct str *s, struct str prefix);
/* The same for one exact octet. */
bool str_skip_char(struct str *s, char c);
/* Take one octet off; false when empty. */
bool str_take(struct str *s, char *ret_c);

/* Split at the first `c`: before and after it. Returns whether c was there; if not,
 * before is all of s and after is empty. */
bool str_cut(struct str s, char c, struct str *ret_before, struct str *ret_after);
/* The same at the last `c`; if it is not there, before is empty and after is s. */
bool str_rcut(struct str s, char c, struct str *ret_before, struct str *ret_after);

/* Position of the first octet or substring, or -1. */
ptrdiff_t str_find(struct str s, char c);
ptrdiff_t str_rfind(struct str s, char c);
ptrdiff_t str_search(struct str s, struct str what);
ptrdiff_t str_isearch(struct str s, struct str what);

/* Without spaces and tabs (trim) or also CR and LF (trim_ws) at both ends. */
struct str str_trim(struct str s);
struct str str_trim_ws(struct str s);
/* Without one CRLF or LF at the end. */
struct str str_chomp(struct str s);

/* All of s is decimal digits and fits; at least one digit. */
MUST_CHECK bool str_to_u64(struct str s, uint64_t *ret);
MUST_CHECK bool str_to_u32(struct str s, uint32_t *ret);

/* Take leading digits off *s; false (nothing taken) if there are none or too many. */
MUST_CHECK bool str_take_u64(struct str *s, uint64_t *ret);

/* Copy into a NUL-ended array of `cap` octets; false if it does not fit or holds a NUL. */
MUST_CHECK bool str_to_c(struct str s, char *ret, size_t cap);

/* Compare without telling by time where two secrets of one length differ. */
bool str_eq_secret(struct str a, struct str b);

uint64_t str_hash(struct str s);
/* Begun from a secret key: what collides is not known to whoever chooses the strings. */
uint64_t str_hash_keyed(struct str s, uint64_t key);
bool     str_is_ascii(struct str s);       /* no octet over 127 */
bool     str_has_ctl(struct str s);        /* an octet below 32, or 127 */
bool     str_is_utf8(struct str s);        /* well-formed, RFC 3629; NUL counts as well-formed */

static inline char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }
static inline char ascii_upper(char c) { return c >= 'a' && c <= 'z' ? (char)(c - 32) : c; }
static inline bool ascii_is_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool ascii_is_alpha(char c) { return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z'; }
static inline bool ascii_is_alnum(char c) { return ascii_is_digit(c) || ascii_is_alpha(c); }
static inline bool ascii_is_wsp(char c) { return c == ' ' || c == '\t'; }

#endif
