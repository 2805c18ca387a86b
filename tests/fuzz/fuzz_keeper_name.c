/* tests/fuzz/fuzz_keeper_name.c - names that keeper is asked for: whatever is taken for one stays below the account's directory. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/keeper_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct str name)
{
	enum keeper_name kind = keeper_name_of(name);
	unsigned         slashes = 0;

	for (size_t i = 0; i < name.n; i++) {
		slashes += name.p[i] == '/';
		if (kind != KEEPER_NAME_NONE)
			CHECK(name.p[i] != '\0' && !(name.p[i] == '.' && i + 1 < name.n && name.p[i + 1] == '.'));
	}
	if (kind == KEEPER_NAME_NONE)
		return;
	CHECK(slashes == (kind == KEEPER_NAME_HASH || kind == KEEPER_NAME_TEMP || kind == KEEPER_NAME_KEEP) && name.n < 100 && (name.n == 0 || name.p[0] != '/'));
	CHECK(!keeper_name_may_go(kind) || keeper_name_may_open(kind, KEEPER_READ));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in, from, to;
	char      *copy = malloc(size + 1);

	CHECK(copy);
	memcpy(copy, data, size);
	in = str_n(copy, size);
	check(in);
	if (str_cut(in, '\n', &from, &to) && keeper_name_may_become(from, to)) {
		CHECK(keeper_name_of(to) == KEEPER_NAME_HASH || str_eq(to, STR("mail.db")));
		CHECK(keeper_name_may_go(keeper_name_of(from)));
	}
	free(copy);
	return 0;
}
