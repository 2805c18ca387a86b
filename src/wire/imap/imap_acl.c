/* wire/imap/imap_acl.c - contract is in imap_acl.h. */
#include "wire/imap/imap_acl.h"

static const struct {
	char     letter;
	unsigned rights;
} letters[] = { /* in the order in which they are told */
	{ 'l', IMAP_RIGHT_LOOKUP },
	{ 'r', IMAP_RIGHT_READ },
	{ 's', IMAP_RIGHT_SEEN },
	{ 'w', IMAP_RIGHT_WRITE },
	{ 'i', IMAP_RIGHT_INSERT },
	{ 'p', IMAP_RIGHT_POST },
	{ 'k', IMAP_RIGHT_CREATE },
	{ 'x', IMAP_RIGHT_DELETE_BOX },
	{ 't', IMAP_RIGHT_DELETE },
	{ 'e', IMAP_RIGHT_EXPUNGE },
	{ 'c', IMAP_RIGHT_CREATE },
	{ 'd', IMAP_RIGHT_EXPUNGE | IMAP_RIGHT_DELETE | IMAP_RIGHT_DELETE_BOX },
	{ 'a', IMAP_RIGHT_ADMIN },
};
_Static_assert(LEN(letters) < IMAP_RIGHTS_TEXT, "with a NUL");

static unsigned rights_of(char letter)
{
	for (size_t i = 0; i < LEN(letters); i++)
		if (letters[i].letter == letter)
			return letters[i].rights;
	return 0;
}

bool imap_rights_parse(struct str text, enum imap_rights_op *ret_op, unsigned *ret)
{
	enum imap_rights_op op = IMAP_RIGHTS_REPLACE;
	unsigned            all = 0;

	if (str_skip(&text, STR("+")))
		op = IMAP_RIGHTS_ADD;
	else if (str_skip(&text, STR("-")))
		op = IMAP_RIGHTS_REMOVE;
	for (size_t i = 0; i < text.n; i++) {
		unsigned rights = rights_of(text.p[i]);

		if (rights == 0)
			return false;
		all |= rights;
	}
	*ret_op = op;
	*ret = all;
	return true;
}

/* A virtual right is told when any of its members is there. */
void imap_rights_print(unsigned rights, char ret[IMAP_RIGHTS_TEXT])
{
	size_t n = 0;

	for (size_t i = 0; i < LEN(letters); i++)
		if (rights & letters[i].rights)
			ret[n++] = letters[i].letter;
	ret[n] = '\0';
}

bool imap_identifier_parse(struct str text, struct imap_identifier *ret)
{
	struct imap_identifier id = { .kind = IMAP_IDENTIFIER_ACCOUNT };

	id.negative = str_skip(&text, STR("-"));
	if (text.n == 0 || text.n > LIMIT_ADDRESS || str_has_ctl(text) || !str_is_utf8(text))
		return false;
	if (str_eq(text, STR("anyone"))) {
		id.kind = IMAP_IDENTIFIER_ANYONE;
		text = STR("");
	} else if (str_skip(&text, STR("$"))) {
		id.kind = IMAP_IDENTIFIER_GROUP;
		if (text.n == 0)
			return false;
	}
	id.name = text;
	*ret = id;
	return true;
}
