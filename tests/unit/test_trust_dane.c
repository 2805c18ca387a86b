/* trust/trust_dane.h: which TLSA records count. RFC 6698 §2.1, RFC 7671 §9, RFC 7672 §3.1. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "trust/trust_dane.h"

#define D32 "0123456789abcdef0123456789abcdef"
#define D64 D32 D32

static void test_record(void **state)
{
	static const struct {
		struct str      in;
		enum trust_tlsa want;
	} rows[] = {
		{ STR("\3\1\1" D32), TRUST_TLSA_USABLE },
		{ STR("\3\0\1" D32), TRUST_TLSA_USABLE },
		{ STR("\2\0\1" D32), TRUST_TLSA_USABLE },
		{ STR("\2\1\2" D64), TRUST_TLSA_USABLE },
		{ STR("\3\1\2" D64), TRUST_TLSA_USABLE },
		{ STR("\3\1\1\0" "123456789abcdef0123456789abcdef"), TRUST_TLSA_USABLE }, /* NUL is data */
		{ STR(""), TRUST_TLSA_SHORT },
		{ STR("\3"), TRUST_TLSA_SHORT },
		{ STR("\3\1"), TRUST_TLSA_SHORT },
		{ STR("\3\1\1"), TRUST_TLSA_SHORT },
		{ STR("\0\1\1" D32), TRUST_TLSA_USAGE },
		{ STR("\1\1\1" D32), TRUST_TLSA_USAGE },
		{ STR("\4\1\1" D32), TRUST_TLSA_USAGE },
		{ STR("\377\1\1" D32), TRUST_TLSA_USAGE },
		{ STR("\3\2\1" D32), TRUST_TLSA_SELECTOR },
		{ STR("\3\377\1" D32), TRUST_TLSA_SELECTOR },
		{ STR("\3\1\3" D32), TRUST_TLSA_MATCHING },
		{ STR("\3\1\377" D32), TRUST_TLSA_MATCHING },
		{ STR("\3\1\1x"), TRUST_TLSA_DATA },
		{ STR("\3\1\1" D32 "x"), TRUST_TLSA_DATA },
		{ STR("\3\1\1" D64), TRUST_TLSA_DATA },
		{ STR("\3\1\2" D32), TRUST_TLSA_DATA },
		{ STR("\3\0\0not a certificate"), TRUST_TLSA_DATA },
		{ STR("\2\1\0not a key"), TRUST_TLSA_DATA },
		{ STR("\3\0\0\x30\x82\xff\xff"), TRUST_TLSA_DATA },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str      in = unit_exact(rows[i].in);
		struct net_tlsa t;

		if (trust_tlsa_parse(in, &t) != rows[i].want)
			print_error("row %zu\n", i);
		assert_int_equal(trust_tlsa_parse(in, &t), rows[i].want);
		unit_exact_free(in);
	}
}

/* Usage, selector, matching and the octets of an X.509 thing. */
static struct str whole(const char *head, int (*encode)(const void *thing, unsigned char **out), const void *thing, size_t cut, size_t more)
{
	int            n = encode(thing, NULL);
	char          *octets = calloc(1, 3 + (size_t)n + more);
	unsigned char *p = (unsigned char *)octets + 3;

	memcpy(octets, head, 3);
	assert_int_equal(encode(thing, &p), n);
	return str_n(octets, 3 + (size_t)n + more - cut);
}

static int encode_cert(const void *thing, unsigned char **out)
{
	return i2d_X509(thing, out);
}

static int encode_key(const void *thing, unsigned char **out)
{
	return i2d_PUBKEY(thing, out);
}

/* The thing itself: read to its last octet, and nothing behind it. */
static void test_full(void **state)
{
	EVP_PKEY       *key = EVP_EC_gen("P-256");
	X509           *cert = X509_new();
	struct net_tlsa t;

	(void)state;
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -7200);
	X509_gmtime_adj(X509_getm_notAfter(cert), -3600); /* dates are not looked at here */
	X509_set_pubkey(cert, key);
	X509_sign(cert, key, EVP_sha256());
	for (size_t i = 0; i < 6; i++) {
		bool       is_cert = i % 2 == 0;
		struct str s = whole(is_cert ? "\3\0\0" : "\2\1\0", is_cert ? encode_cert : encode_key, is_cert ? (const void *)cert : (const void *)key,
				     i / 2 == 1, i / 2 == 2);
		struct str in = unit_exact(s);

		assert_int_equal(trust_tlsa_parse(in, &t), i < 2 ? TRUST_TLSA_USABLE : TRUST_TLSA_DATA);
		unit_exact_free(in);
		free((void *)(uintptr_t)s.p);
	}
	X509_free(cert);
	EVP_PKEY_free(key);
}

/* A set as "usage selector matching first-octet;", and what is told of it. */
static void test_set(void **state)
{
#define A(head, c) { 0, STR(head c "123456789abcdef0123456789abcdef") }
#define B(head, c) { 0, STR(head c "123456789abcdef0123456789abcdef" D32) }
	static const struct {
		struct dns_record records[6];
		size_t            count;
		const char       *want;
	} rows[] = {
		{ { { 0 } }, 0, "0:" },
		{ { A("\3\1\1", "a") }, 1, "1: 311a" },
		{ { A("\0\1\1", "a"), A("\1\0\1", "b") }, 2, "0:" },
		{ { A("\0\1\1", "a"), A("\3\1\1", "b") }, 2, "1: 311b" },
		/* order of records says nothing */
		{ { A("\3\1\1", "b"), A("\2\0\1", "c"), A("\3\1\1", "a") }, 3, "3: 201c 311a 311b" },
		{ { A("\3\1\1", "a"), A("\3\1\1", "b"), A("\2\0\1", "c") }, 3, "3: 201c 311a 311b" },
		/* the same twice */
		{ { A("\3\1\1", "a"), A("\3\1\1", "a") }, 2, "1: 311a" },
		/* the stronger digest alone, for its usage and selector */
		{ { A("\3\1\1", "a"), B("\3\1\2", "b") }, 2, "1: 312b" },
		{ { A("\3\1\1", "a"), B("\3\0\2", "b") }, 2, "2: 302b 311a" },
		{ { A("\3\1\1", "a"), B("\2\1\2", "b") }, 2, "2: 212b 311a" },
		/* an unusable one overrules nothing */
		{ { A("\3\1\1", "a"), { 0, STR("\3\1\2short") } }, 2, "1: 311a" },
		{ { A("\3\1\1", "a"), B("\3\1\3", "b") }, 2, "1: 311a" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct arena     *a = arena_new(NULL);
		struct trust_dane d;
		struct buf        out;

		trust_dane_read(rows[i].records, rows[i].count, a, &d);
		buf_init(&out, 1024);
		buf_addf(&out, "%zu:", d.count);
		for (size_t k = 0; k < d.count; k++)
			buf_addf(&out, " %u%u%u%c", d.items[k].usage, d.items[k].selector, d.items[k].matching, d.items[k].data.p[0]);
		assert_str(buf_str(&out), str_of(rows[i].want));
		buf_done(&out);
		arena_free(&a);
	}
}

static void test_print(void **state)
{
	static const struct dns_record records[] = { { 0, STR("\3\1\1\x00\xff\x10") }, { 0, STR("\2") }, { 0, STR("") } };
	struct buf                     out;

	(void)state;
	buf_init(&out, 64);
	assert_true(trust_dane_print(records, LEN(records), &out));
	assert_str(buf_str(&out), STR("3 1 1 00ff10\n2 \n\n"));
	buf_done(&out);
	buf_init(&out, 5);
	assert_false(trust_dane_print(records, LEN(records), &out));
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
