/* wire/imap/imap_search.c - grammar and contract are in imap_search.h. */
#include "wire/imap/imap_search.h"

#include "wire/imap/imap_date.h"
#include "wire/imap/imap_flag.h"

enum key_arg {
	ARG_NONE,
	ARG_KEYWORD,
	ARG_TEXT,
	ARG_HEADER,
	ARG_DATE,
	ARG_NUMBER,
	ARG_INTERVAL,
	ARG_UID,
	ARG_SET,
	ARG_MODSEQ,
	ARG_ID,
};

static const struct key_row {
	struct str         word;
	enum imap_key_kind kind;
	enum key_arg       arg;
	unsigned           mask, want;
	struct str         field; /* FROM is HEADER From */
} rows[] = {
	{ STR("ALL"), IMAP_KEY_ALL, ARG_NONE },
	{ STR("ANSWERED"), IMAP_KEY_FLAGS, ARG_NONE, IMAP_ANSWERED, IMAP_ANSWERED },
	{ STR("DELETED"), IMAP_KEY_FLAGS, ARG_NONE, IMAP_DELETED, IMAP_DELETED },
	{ STR("DRAFT"), IMAP_KEY_FLAGS, ARG_NONE, IMAP_DRAFT, IMAP_DRAFT },
	{ STR("FLAGGED"), IMAP_KEY_FLAGS, ARG_NONE, IMAP_FLAGGED, IMAP_FLAGGED },
	{ STR("SEEN"), IMAP_KEY_FLAGS, ARG_NONE, IMAP_SEEN, IMAP_SEEN },
	{ STR("RECENT"), IMAP_KEY_FLAGS, ARG_NONE, IMAP_RECENT, IMAP_RECENT },
	{ STR("UNANSWERED"), IMAP_KEY_FLAGS, ARG_NONE, IMAP_ANSWERED, 0 },
	{ STR("UNDELETED"), IMAP_KEY_FLAGS, ARG_NONE, IMAP_DELETED, 0 },
	{ STR("UNDRAFT"), IMAP_KEY_FLAGS, ARG_NONE, IMAP_DRAFT, 0 },
	{ STR("UNFLAGGED"), IMAP_KEY_FLAGS, ARG_NONE, IMAP_FLAGGED, 0 },
	{ STR("UNSEEN"), IMAP_KEY_FLAGS, ARG_NONE, IMAP_SEEN, 0 },
	{ STR("OLD"), IMAP_KEY_FLAGS, ARG_NONE, IMAP_RECENT, 0 },
	{ STR("NEW"), IMAP_KEY_FLAGS, ARG_NONE, IMAP_RECENT | IMAP_SEEN, IMAP_RECENT },
	{ STR("KEYWORD"), IMAP_KEY_KEYWORD, ARG_KEYWORD },
	{ STR("UNKEYWORD"), IMAP_KEY_UNKEYWORD, ARG_KEYWORD },
	{ STR("BCC"), IMAP_KEY_HEADER, ARG_TEXT, 0, 0, STR("Bcc") },
	{ STR("CC"), IMAP_KEY_HEADER, ARG_TEXT, 0, 0, STR("Cc") },
	{ STR("FROM"), IMAP_KEY_HEADER, ARG_TEXT, 0, 0, STR("From") },
	{ STR("SUBJECT"), IMAP_KEY_HEADER, ARG_TEXT, 0, 0, STR("Subject") },
	{ STR("TO"), IMAP_KEY_HEADER, ARG_TEXT, 0, 0, STR("To") },
	{ STR("BODY"), IMAP_KEY_BODY, ARG_TEXT },
	{ STR("TEXT"), IMAP_KEY_TEXT, ARG_TEXT },
	{ STR("HEADER"), IMAP_KEY_HEADER, ARG_HEADER },
	{ STR("BEFORE"), IMAP_KEY_BEFORE, ARG_DATE },
	{ STR("ON"), IMAP_KEY_ON, ARG_DATE },
	{ STR("SINCE"), IMAP_KEY_SINCE, ARG_DATE },
	{ STR("SENTBEFORE"), IMAP_KEY_SENTBEFORE, ARG_DATE },
	{ STR("SENTON"), IMAP_KEY_SENTON, ARG_DATE },
	{ STR("SENTSINCE"), IMAP_KEY_SENTSINCE, ARG_DATE },
	{ STR("LARGER"), IMAP_KEY_LARGER, ARG_NUMBER },
	{ STR("SMALLER"), IMAP_KEY_SMALLER, ARG_NUMBER },
	{ STR("OLDER"), IMAP_KEY_OLDER, ARG_INTERVAL },
	{ STR("YOUNGER"), IMAP_KEY_YOUNGER, ARG_INTERVAL },
	{ STR("UID"), IMAP_KEY_UID, ARG_SET },
	{ STR("UIDAFTER"), IMAP_KEY_UIDAFTER, ARG_UID },
	{ STR("UIDBEFORE"), IMAP_KEY_UIDBEFORE, ARG_UID },
	{ STR("MODSEQ"), IMAP_KEY_MODSEQ, ARG_MODSEQ },
	{ STR("EMAILID"), IMAP_KEY_EMAILID, ARG_ID },
	{ STR("THREADID"), IMAP_KEY_THREADID, ARG_ID },
	{ STR("SAVEDBEFORE"), IMAP_KEY_SAVEDBEFORE, ARG_DATE },
	{ STR("SAVEDON"), IMAP_KEY_SAVEDON, ARG_DATE },
	{ STR("SAVEDSINCE"), IMAP_KEY_SAVEDSINCE, ARG_DATE },
	{ STR("SAVEDATESUPPORTED"), IMAP_KEY_ALL, ARG_NONE }, /* RFC 8514 §4.3: every mailbox keeps it */
};

struct search {
	struct imap_lex    *x;
	struct imap_search *out;
	bool                wrong_text;
	size_t              keys;
};

static bool key_take(struct search *s, struct imap_key **ret);

static bool text_take(struct search *s, struct str *ret)
{
	if (!imap_lex_astring(s->x, ret))
		return false;
	if (s->out->ascii ? !str_is_ascii(*ret) : !str_is_utf8(*ret))
		s->wrong_text = true;
	return true;
}

/* entry-name = DQUOTE "/flags/" ... DQUOTE; there is one modseq for a message, whatever of it changed (RFC 7162 §3.1.5) */
static bool modseq_take(struct search *s, uint64_t *ret)
{
	struct str entry;

	s->out->modseq = true;
	if (imap_lex_peek(s->x) == '"') {
		if (!imap_lex_string(s->x, &entry) || !str_istarts(entry, STR("/flags/")) || !imap_lex_sp(s->x))
			return false;
		if (!imap_lex_word(s->x, STR("priv")) && !imap_lex_word(s->x, STR("shared")) && !imap_lex_word(s->x, STR("all")))
			return false;
		if (!imap_lex_sp(s->x))
			return false;
	}
	return imap_lex_number64(s->x, ret);
}

/* objectid = 1*255(ALPHA / DIGIT / "_" / "-") */
static bool id_take(struct imap_lex *x, struct str *ret)
{
	struct str id;

	if (!imap_lex_atom(x, &id) || id.n > 255)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (!ascii_is_alnum(id.p[i]) && id.p[i] != '_' && id.p[i] != '-')
			return false;
	*ret = id;
	return true;
}

static bool arg_take(struct search *s, enum key_arg arg, struct imap_key *k)
{
	switch (arg) {
	case ARG_NONE: return true;
	case ARG_KEYWORD: return imap_lex_atom(s->x, &k->text);
	case ARG_TEXT: return text_take(s, &k->text);
	case ARG_HEADER: return imap_lex_astring(s->x, &k->field) && imap_lex_sp(s->x) && text_take(s, &k->text);
	case ARG_DATE: return imap_lex_date(s->x, &k->day);
	case ARG_NUMBER: return imap_lex_number64(s->x, &k->number);
	case ARG_INTERVAL: return imap_lex_number64(s->x, &k->number) && k->number > 0; /* RFC 5032 §3: nz-number */
	case ARG_UID: return imap_lex_peek(s->x) != '0' && imap_lex_number64(s->x, &k->number) && k->number <= UINT32_MAX;
	case ARG_SET:
		if (!imap_lex_set(s->x, &k->set))
			return false;
		s->out->saved |= k->set.saved;
		return true;
	case ARG_MODSEQ: return modseq_take(s, &k->number);
	case ARG_ID: return id_take(s->x, &k->text);
	}
	return false;
}

/* One child behind a space, appended to k. */
static bool child_take(struct search *s, struct imap_key *k)
{
	struct imap_key **at = &k->child;

	while (*at)
		at = &(*at)->next;
	return key_take(s, at);
}

/* search-key *(SP search-key), all of which must hold */
static bool keys_take(struct search *s, struct imap_key *k)
{
	struct imap_key **at = &k->child;

	k->kind = IMAP_KEY_AND;
	do {
		if (!key_take(s, at))
			return false;
		at = &(*at)->next;
	} while (imap_lex_sp(s->x));
	return true;
}

static bool nested_take(struct search *s, struct imap_key *k)
{
	if (imap_lex_char(s->x, '('))
		return keys_take(s, k) && imap_lex_char(s->x, ')');
	if (imap_lex_word(s->x, STR("NOT"))) {
		k->kind = IMAP_KEY_NOT;
		return imap_lex_sp(s->x) && child_take(s, k);
	}
	if (imap_lex_word(s->x, STR("OR"))) {
		k->kind = IMAP_KEY_OR;
		return imap_lex_sp(s->x) && child_take(s, k) && imap_lex_sp(s->x) && child_take(s, k);
	}
	k->kind = IMAP_KEY_SEQ;
	if (!imap_lex_set(s->x, &k->set))
		return false;
	s->out->numbers |= !k->set.saved;
	s->out->saved |= k->set.saved;
	return true;
}

static bool key_take(struct search *s, struct imap_key **ret)
{
	struct imap_key *k = ARENA_NEW(s->x->arena, struct imap_key);

	if (++s->keys > LIMIT_IMAP_KEYS)
		return false;
	for (size_t i = 0; i < LEN(rows); i++) {
		if (!imap_lex_word(s->x, rows[i].word))
			continue;
		k->kind = rows[i].kind;
		k->mask = rows[i].mask;
		k->want = rows[i].want;
		k->field = rows[i].field;
		*ret = k;
		return rows[i].arg == ARG_NONE || (imap_lex_sp(s->x) && arg_take(s, rows[i].arg, k));
	}
	if (!imap_lex_enter(s->x) || !nested_take(s, k))
		return false;
	imap_lex_leave(s->x);
	*ret = k;
	return true;
}

enum imap_search_err imap_lex_charset(struct imap_lex *x, struct imap_search *ret)
{
	struct str charset;

	if (!imap_lex_astring(x, &charset) || !imap_lex_sp(x))
		return IMAP_SEARCH_SYNTAX;
	ret->charset = true;
	ret->ascii = str_ieq(charset, STR("US-ASCII"));
	return ret->ascii || str_ieq(charset, STR("UTF-8")) ? IMAP_SEARCH_OK : IMAP_SEARCH_CHARSET;
}

enum imap_search_err imap_lex_keys(struct imap_lex *x, struct imap_search *ret)
{
	struct search    s = { .x = x, .out = ret };
	struct imap_key *all = ARENA_NEW(x->arena, struct imap_key);

	if (!keys_take(&s, all) || !imap_lex_end(x))
		return IMAP_SEARCH_SYNTAX;
	if (s.wrong_text)
		return IMAP_SEARCH_TEXT;
	ret->root = all;
	return IMAP_SEARCH_OK;
}

enum imap_search_err imap_lex_search(struct imap_lex *x, struct imap_search *ret)
{
	struct imap_search   p = { 0 };
	enum imap_search_err err = IMAP_SEARCH_OK;

	if (imap_lex_word(x, STR("CHARSET")))
		err = imap_lex_sp(x) ? imap_lex_charset(x, &p) : IMAP_SEARCH_SYNTAX;
	if (err == IMAP_SEARCH_OK)
		err = imap_lex_keys(x, &p);
	if (err == IMAP_SEARCH_OK)
		*ret = p;
	return err;
}
