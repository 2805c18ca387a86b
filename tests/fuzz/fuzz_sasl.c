/* tests/fuzz/fuzz_sasl.c - the parsers of wire/sasl. What a parser accepts must hold what its header promises. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "wire/sasl/sasl_oauth.h"
#include "wire/sasl/sasl_plain.h"
#include "wire/sasl/sasl_prep.h"
#include "wire/sasl/sasl_scram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct str part, struct str whole)
{
	return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void check_name(struct str encoded)
{
	char       room[LIMIT_USER];
	struct buf b = { .p = room, .cap = sizeof(room), .max = sizeof(room) };

	if (sasl_name_decode(encoded, &b))
		CHECK(b.n > 0 && b.n <= encoded.n && sasl_text_valid(buf_str(&b), LIMIT_USER));
	else
		CHECK(b.n == 0);
}

static void check_scram(struct str in)
{
	struct sasl_scram_first f;
	struct sasl_scram_final l;
	struct str              user, nonce;

	if (sasl_scram_first_parse(in, &f)) {
		CHECK(inside(f.bare, in) && inside(f.user, f.bare) && inside(f.nonce, f.bare) && inside(f.gs2.text, in));
		CHECK(f.gs2.text.n + f.bare.n == in.n && f.nonce.n > 0 && f.nonce.n <= LIMIT_SASL_NONCE / 2 && f.user.n > 0);
		CHECK((f.gs2.flag == 'p') == (f.gs2.binding.n > 0));
		/* auth reads the bare message again, and must see the same */
		CHECK(sasl_scram_bare_parse(f.bare, &user, &nonce) && str_eq(user, f.user) && str_eq(nonce, f.nonce));
		check_name(f.user);
	}
	if (sasl_scram_final_parse(in, &l)) {
		CHECK(inside(l.unproved, in) && inside(l.binding, l.unproved) && inside(l.nonce, l.unproved) && inside(l.proof, in));
		CHECK(l.unproved.n + 3 + l.proof.n == in.n && str_find(l.proof, ',') < 0 && l.nonce.n > 0);
	}
}

static void check_oauth(struct str in)
{
	struct sasl_oauth o;

	if (sasl_oauthbearer_parse(in, &o)) {
		CHECK(inside(o.user, in) && inside(o.token, in) && o.token.n <= LIMIT_BEARER);
		CHECK(!str_has_ctl(o.token) && str_is_ascii(o.token));
		if (o.user.n > 0)
			check_name(o.user);
	}
	if (sasl_xoauth2_parse(in, &o))
		CHECK(inside(o.user, in) && inside(o.token, in) && o.token.n > 0 && sasl_text_valid(o.user, LIMIT_USER));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char         *copy = malloc(size ? size : 1); /* exact, so that every read past the end is seen */
	struct arena *a = arena_new(NULL);
	struct str    in, once;

	if (size)
		memcpy(copy, data, size);
	in = str_n(copy, size);
	check_scram(in);
	check_oauth(in);
	check_name(in);
	once = sasl_prep(in, a);
	CHECK(str_eq(once, in) || (once.n > 0 && once.n <= LIMIT_PASSWORD && str_is_utf8(once)));
	arena_free(&a);
	free(copy);
	return 0;
}
