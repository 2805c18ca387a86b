/* directory/srs.c - see srs.h. */
#include "directory/srs.h"

#include <sodium.h>

#include "base/buf.h"
#include "wire/address/address_local.h"

#define HASH_DIGITS  6u
#define DAY_DIGITS   2u
#define DAYS_MODULUS 1024u
#define DAY_MS       ((int64_t)24 * 3600 * 1000)
#define TAG          4u /* "SRS0" */

static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567"; /* RFC 4648 §6 */

static int digit_value(char c)
{
	ptrdiff_t at = str_find(str_n(digits, 32), ascii_lower(c));

	return (int)at;
}

/* The digits of the hash over text in lower case, begun with the tag's number, so that an SRS0 hash is none for SRS1. */
static void hash_print(const uint8_t key[SRS_KEY], char kind, struct str text, char ret[HASH_DIGITS])
{
	crypto_auth_hmacsha256_state state;
	uint8_t                      mac[crypto_auth_hmacsha256_BYTES];
	uint32_t                     bits;

	crypto_auth_hmacsha256_init(&state, key, SRS_KEY);
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)&kind, 1);
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = (uint8_t)ascii_lower(text.p[i]);

		crypto_auth_hmacsha256_update(&state, &c, 1);
	}
	crypto_auth_hmacsha256_final(&state, mac);
	bits = (uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 | (uint32_t)mac[2] << 8 | mac[3];
	for (unsigned i = 0; i < HASH_DIGITS; i++, bits <<= 5)
		ret[i] = digits[bits >> 27];
}

static bool hash_right(const uint8_t key[SRS_KEY], char kind, struct str text, struct str hash)
{
	char want[HASH_DIGITS], got[HASH_DIGITS];

	if (hash.n != HASH_DIGITS)
		return false;
	for (size_t i = 0; i < HASH_DIGITS; i++)
		got[i] = ascii_lower(hash.p[i]);
	hash_print(key, kind, text, want);
	return sodium_memcmp(want, got, HASH_DIGITS) == 0;
}

static unsigned day_of(int64_t now_ms)
{
	return (unsigned)((uint64_t)MAX(now_ms, 0) / (uint64_t)DAY_MS % DAYS_MODULUS);
}

/* "SRS0" or "SRS1", and one of the separators that forwarders use. */
static bool tagged(struct str local, char number, const char *separators)
{
	return local.n > TAG && str_istarts(local, STR("SRS")) && local.p[TAG - 1] == number &&
	       str_find(str_of(separators), local.p[TAG]) >= 0;
}

bool srs_is(const struct address_canon *address)
{
	struct local_text local;

	address_local_unquote(address_local(address), &local);
	return tagged(str_n(local.p, local.n), '0', "=") || tagged(str_n(local.p, local.n), '1', "=");
}

/* ---- forward ---- */

static bool finish(const uint8_t key[SRS_KEY], char kind, struct buf *text, struct str domain, struct address_canon *ret)
{
	char       local[LIMIT_ADDRESS + 32];
	struct buf b = { .p = local, .cap = sizeof(local), .max = sizeof(local) };
	char       hash[HASH_DIGITS];

	if (text->over)
		return false;
	hash_print(key, kind, buf_str(text), hash);
	buf_add(&b, STR("SRS"));
	buf_add_char(&b, kind);
	buf_add_char(&b, '=');
	buf_add(&b, str_n(hash, sizeof(hash)));
	buf_add_char(&b, '=');
	buf_add(&b, buf_str(text));
	return !b.over && b.n <= LIMIT_LOCAL_PART && address_compose(buf_str(&b), domain, ret);
}

bool srs_forward(const uint8_t key[SRS_KEY], const struct address_canon *from, struct str domain, int64_t now_ms,
		 struct address_canon *ret)
{
	char              space[LIMIT_ADDRESS + 16];
	struct buf        text = { .p = space, .cap = sizeof(space), .max = sizeof(space) };
	struct local_text local;
	struct str        l, hash, first, rest;
	unsigned          day = day_of(now_ms);

	address_local_unquote(address_local(from), &local);
	l = str_n(local.p, local.n);
	if (tagged(l, '0', "=+-")) {
		buf_add(&text, address_domain_of(from));
		buf_add_char(&text, '=');
		buf_add(&text, str_from(l, TAG));
		return finish(key, '1', &text, domain, ret);
	}
	if (tagged(l, '1', "=+-") && str_cut(str_from(l, TAG + 1), '=', &hash, &rest) && str_cut(rest, '=', &first, &rest) &&
	    first.n > 0 && rest.n > 0) {
		buf_add(&text, first);
		buf_add_char(&text, '=');
		buf_add(&text, rest);
		return finish(key, '1', &text, domain, ret);
	}
	buf_add_char(&text, digits[day >> 5]);
	buf_add_char(&text, digits[day & 31]);
	buf_add_char(&text, '=');
	buf_add(&text, address_domain_of(from));
	buf_add_char(&text, '=');
	buf_add(&text, l);
	return finish(key, '0', &text, domain, ret);
}

/* ---- back ---- */

/* The address of a local part and a domain that stood inside of a local part: both are looked at as if they came from outside. */
static enum srs_err address_of(struct str local, struct str domain, struct address_canon *ret)
{
	struct address_canon name, out;
	bool                 literal = domain.n > 0 && domain.p[0] == '[';

	if (local.n == 0 || (literal ? address_literal(domain, &name) : address_domain(domain, &name)) != ADDRESS_OK ||
	    !address_compose(local, address_text(&name), &out) || address_canon_of(address_text(&out), false, ret) != ADDRESS_OK)
		return SRS_SYNTAX;
	return SRS_OK;
}

/* "TT=domain=local" */
static enum srs_err reverse_0(struct str text, int64_t now_ms, unsigned days, struct address_canon *ret)
{
	struct str day, domain, local;
	int        high, low;
	unsigned   age;

	if (!str_cut(text, '=', &day, &text) || day.n != DAY_DIGITS || !str_cut(text, '=', &domain, &local))
		return SRS_SYNTAX;
	high = digit_value(day.p[0]);
	low = digit_value(day.p[1]);
	if (high < 0 || low < 0)
		return SRS_SYNTAX;
	/* One day in the future is a clock that was put back. */
	age = (day_of(now_ms) + DAYS_MODULUS + 1 - ((unsigned)high << 5 | (unsigned)low)) % DAYS_MODULUS;
	return age > days + 1 ? SRS_EXPIRED : address_of(local, domain, ret);
}

/* "domain=REST" */
static enum srs_err reverse_1(struct str text, struct address_canon *ret)
{
	char       local[LIMIT_LOCAL_PART + TAG];
	struct buf b = { .p = local, .cap = sizeof(local), .max = sizeof(local) };
	struct str domain, rest;

	if (!str_cut(text, '=', &domain, &rest) || rest.n < 2 || str_find(STR("=+-"), rest.p[0]) < 0)
		return SRS_SYNTAX;
	buf_add(&b, STR("SRS0"));
	buf_add(&b, rest);
	return b.n > LIMIT_LOCAL_PART ? SRS_SYNTAX : address_of(buf_str(&b), domain, ret);
}

enum srs_err srs_reverse(const uint8_t key[SRS_KEY], const struct address_canon *address, int64_t now_ms, unsigned days,
			 struct address_canon *ret)
{
	struct local_text local;
	struct str        l, hash, text;

	address_local_unquote(address_local(address), &local);
	l = str_n(local.p, local.n);
	if (!srs_is(address) || !str_cut(str_from(l, TAG + 1), '=', &hash, &text))
		return SRS_SYNTAX;
	if (!hash_right(key, l.p[TAG - 1], text, hash))
		return SRS_FORGED;
	return l.p[TAG - 1] == '0' ? reverse_0(text, now_ms, days, ret) : reverse_1(text, ret);
}

const char *srs_err_text(enum srs_err err)
{
	static const char *const texts[] = {
		[SRS_OK] = "right", [SRS_SYNTAX] = "malformed", [SRS_FORGED] = "not made here", [SRS_EXPIRED] = "too old",
	};

	return (size_t)err < LEN(texts) ? texts[err] : "?";
}
