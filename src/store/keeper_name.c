/* store/keeper_name.c - see keeper_name.h. */
#include "store/keeper_name.h"

#include "store/store_internal.h"
#include "store/store_keep.h"

#define CONTENT "content/"
#define TEMP_ID ((size_t)16)

static const struct {
	const char      *name;
	enum keeper_name kind;
} fixed[] = {
	{ "", KEEPER_NAME_ACCOUNT },
	{ "content", KEEPER_NAME_CONTENT },
	{ "mail.db", KEEPER_NAME_MAIN },
	{ "mail.db-wal", KEEPER_NAME_BESIDE },
	{ "mail.db-shm", KEEPER_NAME_BESIDE },
	{ "mail.db-journal", KEEPER_NAME_BESIDE },
	{ "mail.db.lock", KEEPER_NAME_MAIN },
	{ "mail.db.suspect", KEEPER_NAME_BESIDE },
	{ "mail.db.repair", KEEPER_NAME_REPAIR },
	{ "mail.db.repair-wal", KEEPER_NAME_BESIDE },
	{ "mail.db.repair-shm", KEEPER_NAME_BESIDE },
	{ CONTENT STORE_KEEP, KEEPER_NAME_KEEP },
};

static bool is_hex(struct str s, size_t n)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= '0' && s.p[i] <= '9') && !(s.p[i] >= 'a' && s.p[i] <= 'f'))
			return false;
	return s.n == n;
}

enum keeper_name keeper_name_of(struct str name)
{
	for (size_t i = 0; i < LEN(fixed); i++)
		if (str_eq(name, str_of(fixed[i].name)))
			return fixed[i].kind;
	if (!str_skip(&name, STR(CONTENT)))
		return KEEPER_NAME_NONE;
	if (is_hex(name, (size_t)2 * STORE_HASH))
		return KEEPER_NAME_HASH;
	return str_skip(&name, STR(STORE_TEMP)) && is_hex(name, TEMP_ID) ? KEEPER_NAME_TEMP : KEEPER_NAME_NONE;
}

bool keeper_name_may_open(enum keeper_name kind, enum keeper_open mode)
{
	switch (kind) {
	case KEEPER_NAME_MAIN:
	case KEEPER_NAME_BESIDE:
	case KEEPER_NAME_REPAIR:
	case KEEPER_NAME_KEEP:
	case KEEPER_NAME_TEMP:   return true;
	case KEEPER_NAME_HASH:   return mode == KEEPER_READ;
	default:                 return false;
	}
}

bool keeper_name_may_go(enum keeper_name kind)
{
	return kind == KEEPER_NAME_BESIDE || kind == KEEPER_NAME_REPAIR || kind == KEEPER_NAME_HASH || kind == KEEPER_NAME_TEMP;
}

bool keeper_name_may_become(struct str from, struct str to)
{
	switch (keeper_name_of(from)) {
	case KEEPER_NAME_TEMP:   return keeper_name_of(to) == KEEPER_NAME_HASH;
	case KEEPER_NAME_REPAIR: return str_eq(to, STR("mail.db"));
	default:                 return false;
	}
}
