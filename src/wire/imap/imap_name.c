/* wire/imap/imap_name.c - contract is in imap_name.h. */
#include "wire/imap/imap_name.h"

#include "wire/imap/imap_mutf7.h"
#include "wire/text/text_nfc.h"

#define INBOX STR("INBOX")

/* UTF-8 without control characters: C0 and DEL; C1 and the line separators of RFC 5198 §2 are no better in a name. */
static bool is_clean(struct str utf8)
{
	uint32_t v;

	while (utf8.n > 0)
		if (!imap_utf8_take(&utf8, &v) || v < 0x20 || (v >= 0x7f && v < 0xa0) || v == 0x2028 || v == 0x2029)
			return false;
	return true;
}

/* Names that look alike are one: form C is what is kept (RFC 9051 §5.1, RFC 5198 §3). */
static enum imap_name_err clean(struct str *name, struct arena *a)
{
	if (!is_clean(*name))
		return IMAP_NAME_BAD;
	*name = text_nfc(*name, a);
	return IMAP_NAME_OK;
}

/* Wire to UTF-8 in the arena. Names are at most LIMIT_MAILBOX_NAME, and no spelling of one is over five times longer.
 */
static enum imap_name_err decode(struct str wire, bool utf8, struct arena *a, struct str *ret)
{
	struct buf out;

	if (wire.n > 5 * LIMIT_MAILBOX_NAME)
		return IMAP_NAME_LONG;
	if (utf8) {
		*ret = arena_dup(a, wire);
		return clean(ret, a);
	}
	buf_init(&out, 5 * LIMIT_MAILBOX_NAME);

	bool ok = imap_mutf7_decode(wire, &out);

	*ret = arena_dup(a, buf_str(&out));
	buf_done(&out);
	return ok ? clean(ret, a) : IMAP_NAME_BAD;
}

static bool first_level_is_inbox(struct str name)
{
	struct str first, rest;

	str_cut(name, IMAP_DELIMITER, &first, &rest);
	return str_ieq(first, INBOX);
}

static enum imap_name_err levels_check(struct str name)
{
	struct str level;
	unsigned   depth = 0;

	do {
		str_cut(name, IMAP_DELIMITER, &level, &name);
		if (level.n == 0)
			return IMAP_NAME_BAD;
		if (++depth > LIMIT_MAILBOX_DEPTH)
			return IMAP_NAME_LONG;
	} while (name.n > 0);
	return IMAP_NAME_OK;
}

enum imap_name_err imap_name_parse(struct str wire, bool utf8, struct arena *a, struct str *ret)
{
	struct str         name;
	enum imap_name_err err = decode(wire, utf8, a, &name);

	if (err != IMAP_NAME_OK)
		return err;
	if (name.n == 0 || name.p[name.n - 1] == IMAP_DELIMITER)
		return IMAP_NAME_BAD;
	if (name.n > LIMIT_MAILBOX_NAME)
		return IMAP_NAME_LONG;
	err = levels_check(name);
	if (err != IMAP_NAME_OK)
		return err;
	if (first_level_is_inbox(name))
		name = arena_printf(a, "INBOX%.*s", STR_FMT(str_from(name, INBOX.n)));
	*ret = name;
	return IMAP_NAME_OK;
}

bool imap_name_container(struct str *wire)
{
	if (wire->n == 0 || wire->p[wire->n - 1] != IMAP_DELIMITER)
		return false;
	*wire = str_first(*wire, wire->n - 1);
	return true;
}

struct str imap_name_wire(struct str name, bool utf8, struct arena *a)
{
	struct buf out;
	struct str ret;

	if (utf8)
		return name;
	buf_init(&out, 5 * LIMIT_MAILBOX_NAME);
	/* A kept name is clean UTF-8; should a restored one not be, the part that can be shown is shown. */
	if (!imap_mutf7_encode(name, &out))
		buf_add_char(&out, '?');
	ret = arena_dup(a, buf_str(&out));
	buf_done(&out);
	return ret;
}

struct str imap_name_parent(struct str name)
{
	struct str parent, leaf;

	str_rcut(name, IMAP_DELIMITER, &parent, &leaf);
	return parent;
}

bool imap_name_is_inbox(struct str name)
{
	return str_eq(name, INBOX);
}

bool imap_name_below(struct str name, struct str parent)
{
	return name.n > parent.n + 1 && str_starts(name, parent) && name.p[parent.n] == IMAP_DELIMITER;
}

/* ---- patterns ---- */

static bool is_wild(char c)
{
	return c == '*' || c == '%';
}

/* A pattern as an automaton without backtracking: a row of bits, one for each place in the pattern and one for its end, says where the text
 * so far may have brought us. For each octet there is the row of the places where it stands, and one for each wildcard; so a step is a few
 * operations on whole words, however many places are possible at once. */
#define ANY   256u /* rows behind those of the octets */
#define LEVEL 257u
#define ROWS  258u
#define WORDS (2 * LIMIT_MAILBOX_NAME / 64 + 1) /* no two wildcards stand together */

static size_t words_of(struct str pattern)
{
	return pattern.n / 64 + 1;
}

static const uint64_t *rows_make(struct str pattern, struct arena *a)
{
	size_t    words = words_of(pattern);
	uint64_t *rows = ARENA_ARRAY(a, uint64_t, ROWS * words);

	CHECK(words <= WORDS);
	for (size_t i = 0; i < pattern.n; i++) {
		char     c = pattern.p[i];
		unsigned row = c == '*' ? ANY : c == '%' ? LEVEL : (unsigned char)c;

		rows[row * words + i / 64] |= (uint64_t)1 << (i % 64);
	}
	return rows;
}

bool imap_pattern_parse(struct str reference, struct str pattern, bool utf8, struct arena *a, struct imap_pattern *ret)
{
	struct str whole = arena_printf(a, "%.*s%.*s", STR_FMT(reference), STR_FMT(pattern)), text;
	size_t     n = 0, wild = 0;

	/* Wildcards are ASCII and stand for themselves in both spellings. */
	if (whole.n != reference.n + pattern.n || decode(whole, utf8, a, &text) != IMAP_NAME_OK)
		return false;

	char *p = arena_alloc(a, text.n);

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (n > 0 && is_wild(c) && is_wild(p[n - 1])) {
			if (c == '*')
				p[n - 1] = c;
		} else {
			wild += is_wild(c);
			p[n++] = c;
		}
	}
	if (n - wild > LIMIT_MAILBOX_NAME)
		return false;
	ret->text = str_n(p, n);
	ret->rows = rows_make(ret->text, a);
	return true;
}

/* One octet further; false: there is no way on. */
static bool step(uint64_t *at, const struct imap_pattern *p, char c, bool fold)
{
	size_t          words = words_of(p->text);
	const uint64_t *octet = p->rows + (unsigned char)c * words;
	const uint64_t *small = fold ? p->rows + (unsigned char)ascii_lower(c) * words : octet;
	const uint64_t *any = p->rows + ANY * words, *level = p->rows + LEVEL * words;
	uint64_t        carry = 0, past = 0, left = 0;

	for (size_t w = 0; w < words; w++) {
		uint64_t moved = at[w] & (octet[w] | small[w]);
		uint64_t stays = at[w] & (any[w] | (c == IMAP_DELIMITER ? 0 : level[w]));
		uint64_t next = moved << 1 | carry | stays;
		uint64_t empty = next & (any[w] | level[w]); /* a wildcard may also match nothing */

		at[w] = next | empty << 1 | past;
		carry = moved >> 63;
		past = empty >> 63;
		left |= at[w];
	}
	return left != 0;
}

bool imap_pattern_match(const struct imap_pattern *p, struct str name)
{
	bool     inbox = first_level_is_inbox(name);
	uint64_t at[WORDS] = { 1 };

	if (p->text.n > 0 && is_wild(p->text.p[0]))
		at[0] = 3;
	for (size_t i = 0; i < name.n; i++)
		if (!step(at, p, name.p[i], inbox && i < INBOX.n))
			return false;
	return at[p->text.n / 64] >> (p->text.n % 64) & 1;
}
