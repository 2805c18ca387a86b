/* wire/mime/mime_address.c - see mime_address.h.
 *
 * A mailbox cannot be told from a display name or a group before the character behind it is seen. So words are gathered
 * first, as a phrase, and the next special decides what they were:
 *
 *   "<"  a display name       "@"  a local part       ":"  a group's name       "," ";" end  a local part alone
 *
 * Words and comments are written into two blocks as long as the field: every octet written stands for another one read.
 */
#include "wire/mime/mime_address.h"

#include <string.h>

#include "base/limits.h"
#include "wire/mime/mime.h"
#include "wire/mime/mime_lex.h"

#define STOPS_LIST  STR("<@,;:")
#define STOPS_ANGLE STR("<>@,;:")

struct text {
	char  *p;
	size_t n, cap;
};

struct parser {
	struct str             in;
	struct arena          *a;
	struct text            words, comments;
	struct str             comment; /* the last one of this address */
	struct mime_addresses *ret;
	size_t                 cap; /* of ret->items */
	bool                   in_group;
};

/* Words in front of a special. */
struct phrase {
	struct str all;       /* a display name */
	size_t     last;      /* where in `all` the last word begins, with words joined to it by dots */
	bool       dot_blank; /* white space stood beside a dot */
};

static void put(struct text *t, char c)
{
	CHECK(t->n < t->cap);
	t->p[t->n++] = c;
}

static struct str text_since(const struct text *t, size_t from)
{
	return (struct str){ t->p + from, t->n - from };
}

static bool is_special(char c)
{
	return mime_lex_is_ws(c) || memchr("()<>@,;:\"[]", c, 11);
}

/* The next octet, or NUL at the end (white space has been passed, and NUL counts as that). */
static char peek(const struct parser *p)
{
	return p->in.n ? p->in.p[0] : '\0';
}

static void advance(struct parser *p)
{
	p->in = str_from(p->in, 1);
}

static bool at_any(const struct parser *p, struct str set)
{
	return p->in.n == 0 || str_find(set, p->in.p[0]) >= 0;
}

static void malformed(struct parser *p)
{
	p->ret->malformed = p->ret->broken = true;
}

/* One comment; nested ones keep their parentheses. */
static void comment_take(struct parser *p)
{
	size_t from = p->comments.n, depth = 0;

	while (p->in.n > 0) {
		char c = peek(p);

		advance(p);
		if (c == '(' && depth++ == 0)
			continue;
		if (c == ')' && --depth == 0)
			break;
		if (c == '\\' && p->in.n > 0) {
			c = peek(p);
			advance(p);
		}
		if (c != '\r' && c != '\n')
			put(&p->comments, c);
	}
	if (depth > 0)
		malformed(p);
	p->comment = str_trim(text_since(&p->comments, from));
}

/* White space and comments; returns whether there were any. */
static bool cfws_take(struct parser *p)
{
	size_t before = p->in.n;

	for (mime_lex_ws(&p->in); peek(p) == '('; mime_lex_ws(&p->in))
		comment_take(p);
	return p->in.n < before;
}

static void quoted_take(struct parser *p)
{
	bool       closed;
	struct str s = mime_lex_quoted(&p->in, p->a, &closed);

	if (!closed)
		malformed(p);
	for (size_t i = 0; i < s.n; i++)
		put(&p->words, s.p[i]);
}

static void atom_take(struct parser *p)
{
	if (is_special(peek(p))) { /* a bracket or the like, where none belongs */
		malformed(p);
		put(&p->words, peek(p));
		advance(p);
		return;
	}
	while (p->in.n > 0 && !is_special(peek(p))) {
		put(&p->words, peek(p));
		advance(p);
	}
}

/* Atoms and quoted strings up to one of `stops`, one blank where white space or comments stood between them. */
static struct phrase phrase_take(struct parser *p, struct str stops)
{
	struct text  *t = &p->words;
	size_t        from = t->n;
	struct phrase ph = { .last = 0 };

	for (;;) {
		bool blank = cfws_take(p);

		if (at_any(p, stops))
			break;
		if (blank && t->n > from) {
			bool dots = peek(p) == '.' || t->p[t->n - 1] == '.';

			put(t, ' ');
			ph.dot_blank = ph.dot_blank || dots;
			if (!dots)
				ph.last = t->n - from;
		}
		if (peek(p) == '"')
			quoted_take(p);
		else
			atom_take(p);
	}
	ph.all = text_since(t, from);
	return ph;
}

/* obs-local-part = word *("." word): without the blanks beside dots. */
static struct str blanks_at_dots_dropped(struct str s, struct arena *a)
{
	char  *to = arena_alloc(a, s.n);
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		bool beside = (n > 0 && to[n - 1] == '.') || (i + 1 < s.n && s.p[i + 1] == '.');

		if (s.p[i] != ' ' || !beside)
			to[n++] = s.p[i];
	}
	return (struct str){ to, n };
}

static struct str local_of(const struct parser *p, const struct phrase *ph)
{
	struct str last = str_from(ph->all, ph->last);

	return ph->dot_blank ? blanks_at_dots_dropped(last, p->a) : last;
}

/* domain-literal = "[" *dtext "]" */
static void literal_take(struct parser *p)
{
	while (p->in.n > 0 && peek(p) != ']') {
		if (!mime_lex_is_ws(peek(p)))
			put(&p->words, peek(p));
		advance(p);
	}
	if (p->in.n == 0) {
		malformed(p);
		return;
	}
	put(&p->words, ']');
	advance(p);
}

/* obs-domain = atom *("." atom), or a literal; white space and comments between are dropped. */
static struct str domain_take(struct parser *p)
{
	struct text *t = &p->words;
	size_t       from = t->n;

	for (;;) {
		bool blank = cfws_take(p);
		char c = peek(p);

		if (p->in.n == 0 || (is_special(c) && c != '['))
			break;
		if (t->n > from && (c == '[' || (blank && c != '.' && t->p[t->n - 1] != '.')))
			break;
		if (c == '[')
			literal_take(p);
		else
			atom_take(p);
	}
	return text_since(t, from);
}

static struct mime_address *add(struct parser *p, enum mime_address_kind kind)
{
	struct mime_addresses *r = p->ret;

	if (r->count == p->cap) {
		struct mime_address *bigger = ARENA_ARRAY(p->a, struct mime_address, p->cap ? p->cap * 2 : 2);

		if (r->count)
			memcpy(bigger, r->items, r->count * sizeof(*bigger));
		r->items = bigger;
		p->cap = p->cap ? p->cap * 2 : 2;
	}
	r->items[r->count].kind = kind;
	return &r->items[r->count++];
}

static void add_mailbox(struct parser *p, struct mime_address found)
{
	if (found.name.n == 0)
		found.name = p->comment;
	if (found.local.n == 0)
		malformed(p);
	if (found.domain.n == 0)
		p->ret->malformed = true;
	found.kind = MIME_ADDRESS_MAILBOX;
	*add(p, MIME_ADDRESS_MAILBOX) = found;
}

/* obs-route = "@" domain *("," "@" domain) ":" */
static struct str route_take(struct parser *p)
{
	size_t from = p->words.n;

	while (p->in.n > 0 && peek(p) != ':' && peek(p) != '>') {
		if (peek(p) == '(') {
			comment_take(p);
			continue;
		}
		if (!mime_lex_is_ws(peek(p)))
			put(&p->words, peek(p));
		advance(p);
	}
	if (peek(p) == ':')
		advance(p);
	else
		malformed(p);
	return text_since(&p->words, from);
}

/* angle-addr = "<" [obs-route] addr-spec ">", at its "<" */
static void angle_take(struct parser *p, struct str name)
{
	struct mime_address found = { .name = name };
	struct phrase       ph;

	advance(p);
	cfws_take(p);
	if (peek(p) == '@')
		found.route = route_take(p);
	ph = phrase_take(p, STOPS_ANGLE);
	found.local = local_of(p, &ph);
	if (ph.last > 0)
		malformed(p); /* more than one word */
	if (peek(p) == '@') {
		advance(p);
		found.domain = domain_take(p);
	}
	add_mailbox(p, found);
	if (peek(p) != '>')
		malformed(p);
	while (p->in.n > 0 && peek(p) != '>' && peek(p) != ',')
		advance(p);
	if (peek(p) == '>')
		advance(p);
}

/* addr-spec behind its local part, at the "@"; if "<" follows, all this was an unquoted display name. */
static void bare_take(struct parser *p, const struct phrase *ph)
{
	struct mime_address found = { .local = local_of(p, ph) };
	size_t              from = p->words.n - ph->all.n;

	put(&p->words, '@');
	advance(p);
	found.domain = domain_take(p);
	if (peek(p) == '<') {
		malformed(p);
		angle_take(p, text_since(&p->words, from));
		return;
	}
	if (ph->last > 0) {
		malformed(p);
		found.name = str_trim(str_first(ph->all, ph->last));
	}
	add_mailbox(p, found);
}

/* To the separator that should have come. */
static void tail_take(struct parser *p)
{
	for (cfws_take(p); !at_any(p, STR(",;")); cfws_take(p)) {
		malformed(p);
		if (peek(p) == '"')
			quoted_take(p);
		else
			advance(p);
	}
	if (peek(p) == ';') {
		if (p->in_group)
			add(p, MIME_ADDRESS_GROUP_END);
		else
			malformed(p);
		p->in_group = false;
	}
	advance(p);
}

static void group_begin(struct parser *p, struct str name)
{
	advance(p);
	if (p->in_group) {
		malformed(p);
		return;
	}
	p->in_group = true;
	add(p, MIME_ADDRESS_GROUP)->name = name;
}

static void address_take(struct parser *p)
{
	struct phrase ph;

	p->comment = STR_NONE;
	ph = phrase_take(p, STOPS_LIST);
	switch (peek(p)) {
	case ':': group_begin(p, ph.all); return;
	case '<': angle_take(p, ph.all); break;
	case '@': bare_take(p, &ph); break;
	default:
		if (ph.all.n > 0)
			add_mailbox(p, (struct mime_address){ .local = ph.all });
		break;
	}
	tail_take(p);
}

void mime_addresses_parse(struct str value, struct arena *a, struct mime_addresses *ret)
{
	struct parser p = { .in = str_trim_ws(value), .a = a, .ret = ret };

	*ret = (struct mime_addresses){ 0 };
	p.words = (struct text){ arena_alloc(a, p.in.n * 2), 0, p.in.n };
	p.comments = (struct text){ p.words.p + p.in.n, 0, p.in.n };
	while (p.in.n > 0 && !ret->limit) {
		address_take(&p);
		ret->limit = ret->count >= LIMIT_ADDRESSES && p.in.n > 0;
	}
	if (p.in_group) {
		if (!ret->limit)
			malformed(&p);
		add(&p, MIME_ADDRESS_GROUP_END);
	}
}

bool mime_address_single(struct str value, struct arena *a, struct mime_address *ret)
{
	struct mime_addresses list;

	mime_addresses_parse(value, a, &list);
	if (list.malformed || list.limit || list.count != 1 || list.items[0].kind != MIME_ADDRESS_MAILBOX)
		return false;
	*ret = list.items[0];
	return true;
}

struct str mime_address_name(const struct mime_address *address, struct arena *a)
{
	return mime_decode_words(a, address->name);
}
