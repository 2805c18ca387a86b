/* wire/imap/imap_name.c - contract is in imap_name.h. */
#include "wire/imap/imap_name.h"

#include <string.h>

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

bool imap_pattern_parse(struct str reference, struct str pattern, bool utf8, struct arena *a, struct imap_pattern *ret)
{
	struct str whole = arena_printf(a, "%.*s%.*s", STR_FMT(reference), STR_FMT(pattern)), text;
	size_t     n = 0;

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
			p[n++] = c;
		}
	}
	ret->text = str_n(p, n);
	return true;
}

#define WORDS (5 * LIMIT_MAILBOX_NAME / 64 + 1) /* a bit per place in the pattern, and one for its end */

/* The pattern as an automaton without backtracking: bit i of `at` says that the text so far may have brought us to
 * place i. */
struct places {
	uint64_t at[WORDS];
	size_t   used;
};

static bool has(const struct places *s, size_t i)
{
	return s->at[i / 64] >> (i % 64) & 1;
}

/* A wildcard may also match nothing; two never stand together, so one step is enough. */
static void reach(struct places *s, struct str pattern, size_t i)
{
	s->at[i / 64] |= (uint64_t)1 << (i % 64);
	if (i < pattern.n && is_wild(pattern.p[i]))
		s->at[(i + 1) / 64] |= (uint64_t)1 << ((i + 1) % 64);
}

static void step(const struct places *now, struct places *next, struct str pattern, char c, bool fold)
{
	memset(next->at, 0, next->used * sizeof(next->at[0]));
	for (size_t w = 0; w < now->used; w++) {
		for (uint64_t bits = now->at[w]; bits != 0; bits &= bits - 1) {
			size_t i = w * 64 + (size_t)__builtin_ctzll(bits);

			if (i == pattern.n)
				continue;
			if (pattern.p[i] == '*' || (pattern.p[i] == '%' && c != IMAP_DELIMITER))
				reach(next, pattern, i);
			else if (pattern.p[i] == c || (fold && ascii_upper(pattern.p[i]) == c))
				reach(next, pattern, i + 1);
		}
	}
}

bool imap_pattern_match(const struct imap_pattern *p, struct str name)
{
	bool          inbox = first_level_is_inbox(name);
	size_t        used = p->text.n / 64 + 1;
	struct places s[2] = { { .used = used }, { .used = used } };

	reach(&s[0], p->text, 0);
	for (size_t i = 0; i < name.n; i++)
		step(&s[i % 2], &s[(i + 1) % 2], p->text, name.p[i], inbox && i < INBOX.n);
	return has(&s[name.n % 2], p->text.n);
}

bool imap_pattern_meets(const struct imap_pattern *p, struct str prefix)
{
	size_t fixed = 0;

	while (fixed < MIN(p->text.n, prefix.n) && p->text.p[fixed] != '*' && p->text.p[fixed] != '%')
		fixed++;
	return str_eq(str_first(p->text, fixed), str_first(prefix, fixed));
}
