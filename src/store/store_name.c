/* store/store_name.c - mailbox names: what is one, and INBOX in its one spelling. */
#include <string.h>

#include "store/store_internal.h"
#include "wire/text/text_nfc.h"

static bool level_valid(struct str level)
{
	return level.n > 0 && !str_eq(level, STR(".")) && !str_eq(level, STR(".."));
}

bool store_name_valid(struct str name)
{
	struct str level;
	unsigned   depth = 0;
	bool       more = true;

	if (name.n == 0 || name.n > LIMIT_MAILBOX_NAME || str_has_ctl(name) || !str_is_utf8(name))
		return false;
	while (more) {
		more = str_cut(name, '/', &level, &name);
		if (!level_valid(level) || ++depth > LIMIT_MAILBOX_DEPTH)
			return false;
	}
	return true;
}

enum status store_name_normal(struct str name, struct arena *arena, struct str *ret)
{
	struct str level, rest;
	char      *copy;

	if (name.n > 0 && name.p[name.n - 1] == '/')
		name.n--;
	if (!store_name_valid(name))
		return ST_INVALID;
	name = text_nfc(name, arena);
	if (name.n > LIMIT_MAILBOX_NAME)
		return ST_INVALID;
	str_cut(name, '/', &level, &rest);
	if (str_ieq(level, STR("INBOX")) && !str_eq(level, STR("INBOX"))) {
		copy = arena_alloc(arena, name.n);
		memcpy(copy, name.p, name.n);
		memcpy(copy, "INBOX", level.n);
		name.p = copy;
	}
	*ret = name;
	return ST_OK;
}
