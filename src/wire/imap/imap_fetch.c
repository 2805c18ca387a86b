/* wire/imap/imap_fetch.c - grammar and contract are in imap_fetch.h. */
#include "wire/imap/imap_fetch.h"

#include "wire/imap/imap_print.h"

#define FAST (IMAP_FETCH_FLAGS | IMAP_FETCH_INTERNALDATE | IMAP_FETCH_RFC822_SIZE)
#define ALL  (FAST | IMAP_FETCH_ENVELOPE)
#define FULL (ALL | IMAP_FETCH_BODY)

struct named {
	struct str name;
	unsigned   items;
};

static const struct named macros[] = { { STR("ALL"), ALL }, { STR("FAST"), FAST }, { STR("FULL"), FULL } };
static const struct named plain[] = {
	{ STR("UID"), IMAP_FETCH_UID },
	{ STR("FLAGS"), IMAP_FETCH_FLAGS },
	{ STR("INTERNALDATE"), IMAP_FETCH_INTERNALDATE },
	{ STR("RFC822.SIZE"), IMAP_FETCH_RFC822_SIZE },
	{ STR("ENVELOPE"), IMAP_FETCH_ENVELOPE },
	{ STR("BODYSTRUCTURE"), IMAP_FETCH_BODYSTRUCTURE },
	{ STR("SAVEDATE"), IMAP_FETCH_SAVEDATE },
	{ STR("MODSEQ"), IMAP_FETCH_MODSEQ },
	{ STR("EMAILID"), IMAP_FETCH_EMAILID },
	{ STR("THREADID"), IMAP_FETCH_THREADID },
};
/* "[" is an atom character, so these are compared by hand. */
static const struct {
	struct str             word, answer;
	enum imap_section_kind kind;
	bool                   peek;
} bracketed[] = {
	{ STR("BODY["), STR("BODY["), IMAP_SECTION_ALL, false },
	{ STR("BODY.PEEK["), STR("BODY["), IMAP_SECTION_ALL, true },
	{ STR("BINARY["), STR("BINARY["), IMAP_SECTION_BINARY, false },
	{ STR("BINARY.PEEK["), STR("BINARY["), IMAP_SECTION_BINARY, true },
	{ STR("BINARY.SIZE["), STR("BINARY.SIZE["), IMAP_SECTION_BINARY_SIZE, true },
};
static const struct {
	struct str             name, answer;
	enum imap_section_kind kind;
	bool                   peek;
} rfc822[] = {
	{ STR("RFC822"), STR("RFC822"), IMAP_SECTION_ALL, false },
	{ STR("RFC822.PEEK"), STR("RFC822"), IMAP_SECTION_ALL, true },
	{ STR("RFC822.HEADER"), STR("RFC822.HEADER"), IMAP_SECTION_HEADER, true },
	{ STR("RFC822.TEXT"), STR("RFC822.TEXT"), IMAP_SECTION_TEXT, false },
	{ STR("RFC822.TEXT.PEEK"), STR("RFC822.TEXT"), IMAP_SECTION_TEXT, true },
};

static struct imap_section *section_add(struct imap_lex *x, struct imap_fetch *f)
{
	struct imap_section **at = &f->sections;

	if (f->section_count == IMAP_FETCH_SECTIONS)
		return NULL;
	while (*at)
		at = &(*at)->next;
	*at = ARENA_NEW(x->arena, struct imap_section);
	f->section_count++;
	return *at;
}

/* "(" astring *(SP astring) ")", kept as names to look for and as text to give back. */
static bool fields_take(struct imap_lex *x, struct imap_section *s, struct buf *name)
{
	size_t cap = 0;

	if (!imap_lex_sp(x) || !imap_lex_char(x, '('))
		return false;
	buf_add(name, STR(" ("));
	do {
		struct str before = x->in, field, written;

		if (!imap_lex_astring(x, &field) || field.n == 0 || str_has_ctl(field))
			return false;
		if (s->field_count == cap) {
			struct str *more = ARENA_ARRAY(x->arena, struct str, cap ? cap * 2 : 8);

			for (size_t i = 0; i < s->field_count; i++)
				more[i] = s->fields[i];
			s->fields = more;
			cap = cap ? cap * 2 : 8;
		}
		s->fields[s->field_count++] = field;
		/* RFC 9051 §7.5.2: the client finds its answer by what it wrote, so atoms and quotes stay as they were.
		 */
		written = str_first(before, before.n - x->in.n);
		if (s->field_count > 1)
			buf_add_char(name, ' ');
		if (written.p[0] == '{')
			imap_print_astring(name, field);
		else
			buf_add(name, written);
	} while (imap_lex_sp(x));
	buf_add_char(name, ')');
	return imap_lex_char(x, ')');
}

static bool msgtext(struct imap_lex *x, struct imap_section *s, struct buf *name)
{
	static const struct {
		struct str             word;
		enum imap_section_kind kind;
	} words[] = {
		{ STR("HEADER.FIELDS.NOT"), IMAP_SECTION_FIELDS_NOT },
		{ STR("HEADER.FIELDS"), IMAP_SECTION_FIELDS },
		{ STR("HEADER"), IMAP_SECTION_HEADER },
		{ STR("TEXT"), IMAP_SECTION_TEXT },
		{ STR("MIME"), IMAP_SECTION_MIME },
	};

	for (size_t i = 0; i < LEN(words); i++) {
		if (!imap_lex_word(x, words[i].word))
			continue;
		s->kind = words[i].kind;
		buf_add(name, words[i].word);
		if (s->kind == IMAP_SECTION_FIELDS || s->kind == IMAP_SECTION_FIELDS_NOT)
			return fields_take(x, s, name);
		return s->kind != IMAP_SECTION_MIME || s->part.n > 0;
	}
	return false;
}

/* section-part = nz-number *("." nz-number), and whether a "." with more than a number follows it. */
static bool part_take(struct imap_lex *x, struct str *ret_part, bool *ret_more)
{
	struct str start = x->in;
	unsigned   depth = 0;
	uint32_t   n;

	*ret_more = false;
	do {
		if (!ascii_is_digit(imap_lex_peek(x))) {
			*ret_more = true;
			*ret_part = str_first(start, start.n - x->in.n - 1);
			return depth > 0;
		}
		if (imap_lex_peek(x) == '0' || !imap_lex_number(x, &n) || ++depth > LIMIT_MIME_DEPTH)
			return false;
		*ret_part = str_first(start, start.n - x->in.n);
	} while (imap_lex_char(x, '.'));
	return true;
}

static bool section_take(struct imap_lex *x, struct imap_section *s, struct buf *name)
{
	bool more = false;

	if (ascii_is_digit(imap_lex_peek(x))) {
		if (!part_take(x, &s->part, &more))
			return false;
		buf_add(name, s->part);
		if (more)
			buf_add_char(name, '.');
	} else {
		more = imap_lex_peek(x) != ']';
	}
	if (more && (s->kind != IMAP_SECTION_ALL || !msgtext(x, s, name))) /* BINARY has numbers only */
		return false;
	buf_add_char(name, ']');
	return imap_lex_char(x, ']');
}

static bool partial_take(struct imap_lex *x, struct imap_section *s)
{
	if (!imap_lex_char(x, '<'))
		return true;
	s->partial = true;
	return imap_lex_number64(x, &s->from) && imap_lex_char(x, '.') && imap_lex_number64(x, &s->count) && s->count > 0 &&
	       imap_lex_char(x, '>');
}

/* Behind "[" of bracketed[which]. */
static bool bracketed_take(struct imap_lex *x, struct imap_fetch *f, size_t which)
{
	struct imap_section *s = section_add(x, f);
	struct buf           name;

	if (!s)
		return false;
	s->kind = bracketed[which].kind;
	s->peek = bracketed[which].peek;
	buf_init(&name, LIMIT_IMAP_ARGS * 2);
	buf_add(&name, bracketed[which].answer);

	bool ok = section_take(x, s, &name) && !name.over;

	s->name = arena_dup(x->arena, buf_str(&name));
	buf_done(&name);
	return ok && (s->kind == IMAP_SECTION_BINARY_SIZE || partial_take(x, s));
}

bool imap_section_parse(struct str text, struct arena *a, struct imap_section *ret)
{
	struct imap_lex     x = { .in = arena_printf(a, "%.*s]", STR_FMT(text)), .arena = a };
	struct imap_section s = { .peek = true };
	struct buf          name;
	bool                ok;

	buf_init(&name, LIMIT_IMAP_ARGS * 2);
	ok = section_take(&x, &s, &name) && imap_lex_end(&x);
	buf_done(&name);
	*ret = s;
	return ok;
}

/* [SP "(" preview-mod *(SP preview-mod) ")"]: of the modifiers there is one, LAZY. */
static bool preview_take(struct imap_lex *x, struct imap_fetch *f)
{
	struct imap_lex y = *x;

	if (!imap_lex_sp(&y) || !imap_lex_char(&y, '(') || !imap_lex_word(&y, STR("LAZY"))) {
		f->items |= IMAP_FETCH_PREVIEW; /* what follows is not its own */
		return true;
	}
	f->items |= IMAP_FETCH_PREVIEW_LAZY;
	while (imap_lex_sp(&y))
		if (!imap_lex_word(&y, STR("LAZY")))
			return false;
	*x = y;
	return imap_lex_char(x, ')');
}

static bool fetch_att(struct imap_lex *x, struct imap_fetch *f)
{
	for (size_t i = 0; i < LEN(plain); i++) {
		if (imap_lex_word(x, plain[i].name)) {
			f->items |= plain[i].items;
			return true;
		}
	}
	for (size_t i = 0; i < LEN(rfc822); i++) {
		if (imap_lex_word(x, rfc822[i].name)) {
			struct imap_section *s = section_add(x, f);

			if (!s)
				return false;
			s->kind = rfc822[i].kind;
			s->name = rfc822[i].answer;
			s->peek = rfc822[i].peek;
			return true;
		}
	}
	for (size_t i = 0; i < LEN(bracketed); i++)
		if (str_skip(&x->in, bracketed[i].word))
			return bracketed_take(x, f, i);
	if (imap_lex_word(x, STR("PREVIEW")))
		return preview_take(x, f);
	if (!imap_lex_word(x, STR("BODY")))
		return false;
	f->items |= IMAP_FETCH_BODY;
	return true;
}

bool imap_lex_fetch(struct imap_lex *x, struct imap_fetch *ret)
{
	struct imap_fetch f = { 0 };

	for (size_t i = 0; i < LEN(macros); i++) {
		if (imap_lex_word(x, macros[i].name)) {
			ret->items = macros[i].items;
			ret->sections = NULL;
			ret->section_count = 0;
			return true;
		}
	}
	if (imap_lex_char(x, '(')) {
		do {
			if (!fetch_att(x, &f))
				return false;
		} while (imap_lex_sp(x));
		if (!imap_lex_char(x, ')'))
			return false;
	} else if (!fetch_att(x, &f)) {
		return false;
	}
	*ret = f;
	return true;
}
