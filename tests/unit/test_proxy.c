/* tests/unit/test_proxy.c - the PROXY header: whole, every prefix (in an exact-size block), and with octets behind it. */
#include "unit.h"

#include "base/buf.h"
#include "wire/proxy/proxy.h"

#define RAW(lit) ((struct str){ lit, sizeof(lit) - 1 })
#define SIG      "\r\n\r\n\0\r\nQUIT\n"
#define V4       "\xc0\x00\x02\x01\xc0\x00\x02\x02\x10\x01\x00\x19"
#define V6A      "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define V6       V6A V6A "\x10\x01\x00\x19"

static const struct {
	struct str        header;
	enum proxy_result result;
	bool              local, v6;
	unsigned          port;
} rows[] = {
	{ RAW("PROXY TCP4 192.0.2.1 192.0.2.2 4097 25\r\n"), PROXY_DONE, false, false, 4097 },
	{ RAW("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), PROXY_DONE, false, false, 65535 },
	{ RAW("PROXY TCP6 2001:db8::1 2001:db8::1 4097 0\r\n"), PROXY_DONE, false, true, 4097 },
	{ RAW("PROXY UNKNOWN\r\n"), PROXY_DONE, true, false, 0 },
	{ RAW("PROXY UNKNOWN ffff:f... whatever 1\r\n"), PROXY_DONE, true, false, 0 },
	{ RAW("PROXY TCP4 192.0.2.1 192.0.2.2 4097 25\n"), PROXY_INVALID, 0, 0, 0 },
	{ RAW("PROXY TCP4 192.0.2.1 192.0.2.2 4097 25\rx"), PROXY_INVALID, 0, 0, 0 },
	{ RAW("PROXY TCP4 192.0.2.1 192.0.2.2 4097 25 \r\n"), PROXY_INVALID, 0, 0, 0 },
	{ RAW("PROXY TCP4 192.0.2.1 192.0.2.2 4097\r\n"), PROXY_INVALID, 0, 0, 0 },
	{ RAW("PROXY TCP4  192.0.2.1 192.0.2.2 4097 25\r\n"), PROXY_INVALID, 0, 0, 0 },
	{ RAW("PROXY TCP4 192.0.2.1 192.0.2.2 65536 25\r\n"), PROXY_INVALID, 0, 0, 0 },
	{ RAW("PROXY TCP4 192.0.2.1 192.0.2.2 04097 25\r\n"), PROXY_INVALID, 0, 0, 0 },
	{ RAW("PROXY TCP4 192.0.2.1 192.0.2.2 -1 25\r\n"), PROXY_INVALID, 0, 0, 0 },
	{ RAW("PROXY TCP4 192.0.2.1 192.0.2.2 4097 x\r\n"), PROXY_INVALID, 0, 0, 0 },
	{ RAW("PROXY TCP4 192.0.2.256 192.0.2.2 4097 25\r\n"), PROXY_INVALID, 0, 0, 0 },
	{ RAW("PROXY TCP4 2001:db8::1 192.0.2.2 4097 25\r\n"), PROXY_INVALID, 0, 0, 0 },
	{ RAW("PROXY TCP6 192.0.2.1 2001:db8::1 4097 25\r\n"), PROXY_INVALID, 0, 0, 0 },
	{ RAW("PROXY TCP5 192.0.2.1 192.0.2.2 4097 25\r\n"), PROXY_INVALID, 0, 0, 0 },
	{ RAW("PROXY tcp4 192.0.2.1 192.0.2.2 4097 25\r\n"), PROXY_INVALID, 0, 0, 0 },
	{ RAW("PROXY \r\n"), PROXY_INVALID, 0, 0, 0 },
	{ RAW("proxy TCP4 192.0.2.1 192.0.2.2 4097 25\r\n"), PROXY_INVALID, 0, 0, 0 },
	{ RAW("EHLO x\r\n"), PROXY_INVALID, 0, 0, 0 },
	{ RAW("P\r\n"), PROXY_INVALID, 0, 0, 0 },
	{ RAW("\x16\x03\x01"), PROXY_INVALID, 0, 0, 0 },
	{ RAW(SIG "\x21\x11\x00\x0c" V4), PROXY_DONE, false, false, 4097 },
	{ RAW(SIG "\x21\x21\x00\x24" V6), PROXY_DONE, false, true, 4097 },
	{ RAW(SIG "\x21\x11\x00\x14" V4 "\x01\x00\x05smtp1"), PROXY_DONE, false, false, 4097 },
	{ RAW(SIG "\x21\x11\x00\x12" V4 "\x04\x00\x00\x04\x00\x00"), PROXY_DONE, false, false, 4097 },
	{ RAW(SIG "\x20\x00\x00\x00"), PROXY_DONE, true, false, 0 },
	{ RAW(SIG "\x20\x11\x00\x0c" V4), PROXY_DONE, true, false, 0 },
	{ RAW(SIG "\x20\xff\x00\x03xyz"), PROXY_DONE, true, false, 0 }, /* LOCAL: the block is not to be looked at */
	{ RAW(SIG "\x21\x00\x00\x03xyz"), PROXY_DONE, true, false, 0 }, /* UNSPEC */
	{ RAW(SIG "\x21\x11\x00\x0b" "\xc0\x00\x02\x01\xc0\x00\x02\x02\x10\x01\x00"), PROXY_INVALID, 0, 0, 0 },
	{ RAW(SIG "\x21\x11\x00\x0f" V4 "\x01\x00\x01"), PROXY_INVALID, 0, 0, 0 }, /* a TLV beyond the block */
	{ RAW(SIG "\x21\x11\x00\x0e" V4 "\x01\x00"), PROXY_INVALID, 0, 0, 0 },
	{ RAW(SIG "\x21\x12\x00\x0c" V4), PROXY_INVALID, 0, 0, 0 }, /* datagram */
	{ RAW(SIG "\x21\x31\x00\x0c" V4), PROXY_INVALID, 0, 0, 0 }, /* Unix */
	{ RAW(SIG "\x22\x11\x00\x0c" V4), PROXY_INVALID, 0, 0, 0 },
	{ RAW(SIG "\x11\x11\x00\x0c" V4), PROXY_INVALID, 0, 0, 0 },
	{ RAW(SIG "\x21\x11\xff\xff" V4), PROXY_INVALID, 0, 0, 0 },
	{ RAW("\r\n\r\n\0\r\nQUIX"), PROXY_INVALID, 0, 0, 0 },
	{ RAW("\r\n\r\nEHLO"), PROXY_INVALID, 0, 0, 0 },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str   header = unit_exact(rows[i].header);
		struct proxy p = { .source_port = 42 };
		size_t       n = 42;

		if (proxy_parse(header, &p, &n) != rows[i].result)
			print_error("row %zu: %.*s\n", i, STR_FMT(header));
		assert_int_equal(proxy_parse(header, &p, &n), rows[i].result);
		if (rows[i].result == PROXY_DONE) {
			assert_int_equal(n, header.n);
			assert_int_equal(p.local, rows[i].local);
			assert_int_equal(p.unknown, rows[i].local && (header.p[0] == 'P' || header.p[12] == '\x21'));
			assert_int_equal(p.v6, rows[i].v6);
			assert_int_equal(p.source_port, rows[i].port);
			if (!p.local)
				assert_memory_equal(p.source, p.v6 ? V6A : header.p[6] == 'T' && header.p[11] == '2' ? "\xff\xff\xff\xff" : "\xc0\x00\x02\x01",
						    p.v6 ? 16 : 4);
		} else {
			assert_true(p.source_port == 42 && n == 42);
		}
		unit_exact_free(header);
	}
}

/* A prefix of a header needs more; what is behind it is not its. */
static void test_prefixes(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct buf   longer;
		struct proxy p;
		size_t       n;

		for (size_t at = 0; at < rows[i].header.n; at++) {
			struct str        prefix = unit_exact(str_first(rows[i].header, at));
			enum proxy_result r = proxy_parse(prefix, &p, &n);

			assert_true(rows[i].result == PROXY_DONE ? r == PROXY_MORE : r != PROXY_DONE);
			unit_exact_free(prefix);
		}
		if (rows[i].result != PROXY_DONE)
			continue;
		buf_init(&longer, 1000);
		buf_add(&longer, rows[i].header);
		buf_add(&longer, STR("\r\nEHLO x\r\n"));
		assert_int_equal(proxy_parse(buf_str(&longer), &p, &n), PROXY_DONE);
		assert_int_equal(n, rows[i].header.n);
		buf_done(&longer);
	}
}

/* Version 1: 107 octets and no more; version 2: LIMIT_PROXY_BLOCK. */
static void test_limits(void **state)
{
	char         v1[200], v2[16 + LIMIT_PROXY_BLOCK + 1] = SIG "\x20\x00";
	struct proxy p;
	size_t       n;

	(void)state;
	memset(v1, 'x', sizeof(v1));
	memcpy(v1, "PROXY UNKNOWN ", 14);
	assert_int_equal(proxy_parse(str_n(v1, 106), &p, &n), PROXY_MORE);
	assert_int_equal(proxy_parse(str_n(v1, 107), &p, &n), PROXY_INVALID);
	memcpy(v1 + 105, "\r\n", 2);
	assert_int_equal(proxy_parse(str_n(v1, 107), &p, &n), PROXY_DONE);
	memcpy(v1 + 104, "x\r\r\n", 4);
	assert_int_equal(proxy_parse(str_n(v1, 108), &p, &n), PROXY_INVALID);
	memcpy(v2 + 12, "\x20\x00", 2);
	v2[14] = (char)(LIMIT_PROXY_BLOCK >> 8);
	v2[15] = (char)(LIMIT_PROXY_BLOCK & 255);
	assert_int_equal(proxy_parse(str_n(v2, 16 + LIMIT_PROXY_BLOCK - 1), &p, &n), PROXY_MORE);
	assert_int_equal(proxy_parse(str_n(v2, 16 + LIMIT_PROXY_BLOCK), &p, &n), PROXY_DONE);
	v2[15] = (char)((LIMIT_PROXY_BLOCK & 255) + 1);
	assert_int_equal(proxy_parse(str_n(v2, 16), &p, &n), PROXY_INVALID); /* before it is read */
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows), cmocka_unit_test(test_prefixes), cmocka_unit_test(test_limits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
