/* wire/imap/imap_sort.c - grammar and contract are in imap_sort.h. */
#include "wire/imap/imap_sort.h"

static const struct {
	struct str         word;
	enum imap_sort_key key;
} keys[] = {
	{ STR("ARRIVAL"), IMAP_SORT_ARRIVAL }, { STR("CC"), IMAP_SORT_CC },
	{ STR("DATE"), IMAP_SORT_DATE },       { STR("FROM"), IMAP_SORT_FROM },
	{ STR("SIZE"), IMAP_SORT_SIZE },       { STR("SUBJECT"), IMAP_SORT_SUBJECT },
	{ STR("TO"), IMAP_SORT_TO },           { STR("DISPLAYFROM"), IMAP_SORT_DISPLAYFROM },
	{ STR("DISPLAYTO"), IMAP_SORT_DISPLAYTO },
};

static bool criterion_take(struct imap_lex *x, struct imap_sort *s)
{
	bool reverse = imap_lex_word(x, STR("REVERSE"));

	if ((reverse && !imap_lex_sp(x)) || s->count == IMAP_SORT_MAX)
		return false;
	for (size_t i = 0; i < LEN(keys); i++) {
		if (!imap_lex_word(x, keys[i].word))
			continue;
		s->by[s->count].key = keys[i].key;
		s->by[s->count++].reverse = reverse;
		return true;
	}
	return false;
}

bool imap_lex_sort(struct imap_lex *x, struct imap_sort *ret)
{
	struct imap_sort s = { 0 };

	if (!imap_lex_char(x, '('))
		return false;
	do {
		if (!criterion_take(x, &s))
			return false;
	} while (imap_lex_sp(x));
	if (!imap_lex_char(x, ')'))
		return false;
	*ret = s;
	return true;
}

bool imap_lex_thread(struct imap_lex *x, enum imap_thread_kind *ret)
{
	static const struct {
		struct str            word;
		enum imap_thread_kind kind;
	} kinds[] = {
		{ STR("ORDEREDSUBJECT"), IMAP_THREAD_ORDEREDSUBJECT },
		{ STR("REFERENCES"), IMAP_THREAD_REFERENCES },
		{ STR("REFS"), IMAP_THREAD_REFS },
	};

	for (size_t i = 0; i < LEN(kinds); i++) {
		if (imap_lex_word(x, kinds[i].word)) {
			*ret = kinds[i].kind;
			return true;
		}
	}
	return false;
}
