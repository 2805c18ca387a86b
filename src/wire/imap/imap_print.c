/* wire/imap/imap_print.c - contract is in imap_print.h. */
#include "wire/imap/imap_print.h"

#include "wire/imap/imap_lex.h"
#include "wire/imap/imap_name.h"

#define QUOTED_MAX 1000u /* longer ones go as literals, which readers do not have to scan */

static bool is_astring_atom(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!imap_is_atom_char(s.p[i]) && s.p[i] != ']')
			return false;
	return s.n > 0 && !str_ieq(s, STR("NIL"));
}

void imap_print_astring(struct buf *out, struct str s)
{
	if (is_astring_atom(s))
		buf_add(out, s);
	else
		imap_print_string(out, s);
}

static bool may_quote(struct str s)
{
	return s.n <= QUOTED_MAX && str_is_ascii(s) && str_find(s, '\r') < 0 && str_find(s, '\n') < 0 &&
	       str_find(s, 0) < 0;
}

void imap_print_string(struct buf *out, struct str s)
{
	if (!may_quote(s)) {
		buf_addf(out, "{%zu}\r\n", s.n);
		buf_add(out, s);
		return;
	}
	imap_print_utf8(out, s);
}

void imap_print_utf8(struct buf *out, struct str s)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, s.p[i]);
	}
	buf_add_char(out, '"');
}

void imap_print_nstring(struct buf *out, struct str s)
{
	if (s.p)
		imap_print_string(out, s);
	else
		buf_add(out, STR("NIL"));
}

void imap_print_list(struct buf *out, struct str attributes, struct str wire_name)
{
	buf_addf(out, "(%.*s) \"%c\" ", STR_FMT(attributes), IMAP_DELIMITER);
	imap_print_astring(out, wire_name);
}
