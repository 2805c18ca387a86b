/* wire/text/text_subject.c - grammar and contract are in text_subject.h; the numbers are the steps of RFC 5256 §2.1. */
#include "wire/text/text_subject.h"

static struct str left_trim(struct str s)
{
	while (s.n > 0 && (ascii_is_wsp(s.p[0]) || s.p[0] == '\r' || s.p[0] == '\n'))
		s = str_from(s, 1);
	return s;
}

/* (2) */
static struct str trailers_off(struct str s, bool *reply)
{
	for (;;) {
		s = str_trim_ws(s);
		if (!str_iends(s, STR("(fwd)")))
			return s;
		*reply = true;
		s = str_first(s, s.n - 5);
	}
}

/* A blob at the start of *s; taken off with the space behind it. */
static bool blob_skip(struct str *s)
{
	if (s->n == 0 || s->p[0] != '[')
		return false;
	for (size_t i = 1; i < s->n && s->p[i] != '['; i++) {
		if (s->p[i] == ']') {
			*s = left_trim(str_from(*s, i + 1));
			return true;
		}
	}
	return false;
}

static bool refwd_skip(struct str *s)
{
	struct str in = *s;

	if (!str_skip(&in, STR("re")) && !str_skip(&in, STR("fwd")) && !str_skip(&in, STR("fw")))
		return false;
	in = left_trim(in);
	(void)blob_skip(&in);
	if (!str_skip_char(&in, ':'))
		return false;
	*s = in;
	return true;
}

/* (3) to (5). Where no "Re:" stands behind a row of blobs there is none behind what is left of the row either: so each is looked at twice. */
static struct str leaders_off(struct str s, bool *reply)
{
	for (;;) {
		struct str behind = s = left_trim(s), less;

		while (blob_skip(&behind))
			;
		if (refwd_skip(&behind)) {
			*reply = true;
			s = behind;
			continue;
		}
		for (less = s; blob_skip(&less) && less.n > 0;)
			s = less;
		return s;
	}
}

struct str text_subject_base(struct str subject, bool *ret_reply)
{
	struct str s = subject;

	*ret_reply = false;
	for (;;) {
		s = leaders_off(trailers_off(s, ret_reply), ret_reply);
		/* (6) */
		if (!str_istarts(s, STR("[fwd:")) || s.n < 6 || s.p[s.n - 1] != ']')
			return s;
		*ret_reply = true;
		s = str_sub(s, 5, s.n - 6);
	}
}
