/* wire/dkim/: canonicalisation, choice of fields, printing. RFC 6376 §3.4.5 and appendix A, RFC 8463 appendix A. */
#include "unit.h"

#include <openssl/evp.h>

#include "wire/dkim/dkim_canon.h"
#include "wire/dkim/dkim_field.h"
#include "wire/dkim/dkim_select.h"
#include "wire/text/text_base64.h"

static void collect(void *ctx, struct str octets)
{
	buf_add(ctx, octets);
}

/* `in` in pieces of the given size, each in a block of its own. */
static void body(enum dkim_canon canon, struct str in, size_t piece, struct buf *out)
{
	struct dkim_body b;

	buf_init(out, in.n + 8);
	dkim_body_init(&b, canon, collect, out);
	while (in.n > 0) {
		struct str part = unit_exact(str_first(in, piece));

		dkim_body_add(&b, part);
		in = str_from(in, part.n);
		unit_exact_free(part);
	}
	dkim_body_end(&b);
	assert_false(out->over);
}

static const struct {
	struct str in, simple, relaxed;
} bodies[] = {
	{ STR(""), STR("\r\n"), STR("") },
	{ STR("\r\n"), STR("\r\n"), STR("") },
	{ STR("\r\n\r\n\r\n"), STR("\r\n"), STR("") },
	{ STR(" \r\n"), STR(" \r\n"), STR("") },
	{ STR("a"), STR("a\r\n"), STR("a\r\n") },
	{ STR("a\r\n"), STR("a\r\n"), STR("a\r\n") },
	{ STR("a\r\n\r\n\r\n"), STR("a\r\n"), STR("a\r\n") },
	{ STR("\r\na\r\n"), STR("\r\na\r\n"), STR("\r\na\r\n") },
	{ STR("a\r\n\r\nb\r\n\r\n"), STR("a\r\n\r\nb\r\n"), STR("a\r\n\r\nb\r\n") },
	/* RFC 6376 §3.4.5 */
	{ STR(" C \r\nD \t E\r\n\r\n\r\n"), STR(" C \r\nD \t E\r\n"), STR(" C\r\nD E\r\n") },
	{ STR("a \t\r\n \t \r\nb\t\tc"), STR("a \t\r\n \t \r\nb\t\tc\r\n"), STR("a\r\n\r\nb c\r\n") },
	{ STR("a\r\n \t"), STR("a\r\n \t\r\n"), STR("a\r\n") },
	{ STR("a\rb\nc\r\r\n"), STR("a\rb\nc\r\r\n"), STR("a\rb\nc\r\r\n") },
	{ STR("a \rb"), STR("a \rb\r\n"), STR("a \rb\r\n") },
	{ STR("a\r"), STR("a\r\r\n"), STR("a\r\r\n") },
	{ STR("\xc3\xa4 \xff\0x\r\n"), STR("\xc3\xa4 \xff\0x\r\n"), STR("\xc3\xa4 \xff\0x\r\n") },
	{ STR(".\r\n..\r\n"), STR(".\r\n..\r\n"), STR(".\r\n..\r\n") },
};

static void test_body(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(bodies); i++)
		for (size_t piece = 1; piece <= bodies[i].in.n + 1; piece++) {
			struct buf simple, relaxed;

			body(DKIM_SIMPLE, bodies[i].in, piece, &simple);
			body(DKIM_RELAXED, bodies[i].in, piece, &relaxed);
			assert_str(buf_str(&simple), bodies[i].simple);
			assert_str(buf_str(&relaxed), bodies[i].relaxed);
			buf_done(&simple);
			buf_done(&relaxed);
		}
}

/* Many empty lines cost no memory, and come all when something follows. */
static void test_body_ends(void **state)
{
	struct buf out, in;

	(void)state;
	buf_init(&in, 4096);
	buf_add(&in, STR("a"));
	for (int i = 0; i < 101; i++)
		buf_add(&in, STR("\r\n"));
	buf_add(&in, STR("b\r\n"));
	body(DKIM_RELAXED, buf_str(&in), 7, &out);
	assert_str(buf_str(&out), buf_str(&in));
	buf_done(&out);
	buf_done(&in);
}

/* Any split gives the same: random texts of the octets that matter. */
static void test_body_splits(void **state)
{
	static const char alphabet[] = "ab \t\r\n\r\n.";
	uint64_t          x = 88172645463325252u;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		char       text[64];
		size_t     n = 0;
		struct buf whole, split;

		for (; n < sizeof(text) && (n == 0 || x % 40); n++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			text[n] = alphabet[(x >> 20) % (sizeof(alphabet) - 1)];
		}
		for (int c = DKIM_SIMPLE; c <= DKIM_RELAXED; c++) {
			body((enum dkim_canon)c, str_n(text, n), n, &whole);
			body((enum dkim_canon)c, str_n(text, n), 1 + (x >> 9) % 5, &split);
			assert_str(buf_str(&split), buf_str(&whole));
			buf_done(&whole);
			/* Canonising twice changes nothing. */
			body((enum dkim_canon)c, buf_str(&split), 3, &whole);
			assert_str(buf_str(&whole), buf_str(&split));
			buf_done(&whole);
			buf_done(&split);
		}
	}
}

static const struct {
	struct str in, simple, relaxed;
} headers[] = {
	{ STR("A: X\r\n"), STR("A: X\r\n"), STR("a:X\r\n") }, /* RFC 6376 §3.4.5 */
	{ STR("B : Y\t\r\n\tZ  \r\n"), STR("B : Y\t\r\n\tZ  \r\n"), STR("b:Y Z\r\n") },
	{ STR("Subject:\r\n"), STR("Subject:\r\n"), STR("subject:\r\n") },
	{ STR("Subject: \r\n \r\n"), STR("Subject: \r\n \r\n"), STR("subject:\r\n") },
	{ STR("Subject: a"), STR("Subject: a\r\n"), STR("subject:a\r\n") },
	{ STR("Subject:\r\n a:b\r\n\t c\r\n"), STR("Subject:\r\n a:b\r\n\t c\r\n"), STR("subject:a:b c\r\n") },
	{ STR("SUBJECT: \xc3\xa4  \xff\r\n"), STR("SUBJECT: \xc3\xa4  \xff\r\n"), STR("subject:\xc3\xa4 \xff\r\n") },
	{ STR("no field\r\n"), STR(""), STR("") },
	{ STR(""), STR(""), STR("") },
};

static void test_header(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(headers); i++) {
		struct str in = unit_exact(headers[i].in);
		struct buf simple, relaxed;

		buf_init(&simple, 200);
		buf_init(&relaxed, 200);
		dkim_header_field(DKIM_SIMPLE, in, &simple);
		dkim_header_field(DKIM_RELAXED, in, &relaxed);
		assert_str(buf_str(&simple), headers[i].simple);
		assert_str(buf_str(&relaxed), headers[i].relaxed);
		buf_done(&simple);
		buf_done(&relaxed);
		unit_exact_free(in);
	}
}

/* ---- RFC 8463 appendix A ---- */

static const char signature_field[] =
	"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
	" d=football.example.com; i=@football.example.com;\r\n"
	" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
	" subject : date : message-id : from : subject : date;\r\n"
	" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
	" b=";
static const char rfc_header[] =
	"From: Joe SixPack <joe@football.example.com>\r\n"
	"To: Suzie Q <suzie@shopping.example.net>\r\n"
	"Subject: Is dinner ready?\r\n"
	"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
	"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n";
static const char rfc_body[] = "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";

static struct str decoded(struct arena *a, const char *base64)
{
	struct buf b = { .p = arena_alloc(a, 200), .cap = 200, .max = 200 };

	assert_true(text_base64_decode(str_of(base64), &b));
	return buf_str(&b);
}

static void test_rfc8463(void **state)
{
	struct arena *a = arena_new(NULL);
	struct str    pub = decoded(a, "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
	struct str    b = decoded(a, "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==");
	struct str    rest = str_of(rfc_header), line, all;
	EVP_PKEY     *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const unsigned char *)pub.p, pub.n);
	EVP_MD_CTX   *md = EVP_MD_CTX_new();
	struct buf    out;
	uint8_t       hash[DKIM_HASH];

	(void)state;
	body(DKIM_RELAXED, str_of(rfc_body), 5, &out);
	assert_int_equal(EVP_Digest(out.p, out.n, hash, NULL, EVP_sha256(), NULL), 1);
	assert_str(str_n(hash, sizeof(hash)), decoded(a, "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="));
	buf_clear(&out);
	buf_done(&out);
	buf_init(&out, 4096);
	while (str_cut(rest, '\n', &line, &all)) {
		dkim_header_field(DKIM_RELAXED, str_first(rest, line.n + 1), &out);
		rest = all;
	}
	dkim_header_field(DKIM_RELAXED, str_of(signature_field), &out);
	all = str_chomp(buf_str(&out));
	assert_int_equal(EVP_Digest(all.p, all.n, hash, NULL, EVP_sha256(), NULL), 1);
	assert_int_equal(EVP_DigestVerifyInit(md, NULL, NULL, NULL, key), 1);
	assert_int_equal(EVP_DigestVerify(md, (const unsigned char *)b.p, b.n, hash, sizeof(hash)), 1);
	EVP_MD_CTX_free(md);
	EVP_PKEY_free(key);
	buf_done(&out);
	arena_free(&a);
}

/* ---- choice ---- */

static void selected(const char *header, const char *names, const char *input)
{
	struct arena *a = arena_new(NULL);
	struct str    in = unit_exact(str_of(header));
	struct buf    n, i;

	buf_init(&n, LIMIT_DKIM_NAMES);
	buf_init(&i, LIMIT_DKIM_HEADER);
	dkim_select(in, DKIM_RELAXED, a, &n, &i);
	assert_str(buf_str(&n), str_of(names));
	assert_str(buf_str(&i), str_of(input));
	buf_done(&n);
	buf_done(&i);
	unit_exact_free(in);
	arena_free(&a);
}

#define OVER_AFTER_SENDER "In-Reply-To:References:MIME-Version:Content-Type:Content-Transfer-Encoding"

static void test_select(void **state)
{
	(void)state;
	selected("", "From:To:Cc:Subject:Date:Message-ID:Reply-To:Sender:" OVER_AFTER_SENDER, "");
	/* From the bottom up, one more than there are; what must not be signed is not. */
	selected("Received: x\r\nReturn-Path: <r>\r\nBcc: b\r\nSubject: one\r\nFROM:  a\r\n b\r\nX-Other: o\r\nsubject: two\r\n",
		 "From:From:To:Cc:Subject:Subject:Subject:Date:Message-ID:Reply-To:Sender:" OVER_AFTER_SENDER,
		 "from:a b\r\nsubject:two\r\nsubject:one\r\n");
	/* Lists and what is sent again: as they are, no more. */
	selected("From: a\r\nList-Id: l\r\nResent-From: r\r\njunk\r\n continues\r\nTo: t\r\n\r\nSubject: body\r\n",
		 "From:From:To:To:Cc:Subject:Date:Message-ID:Reply-To:Sender:" OVER_AFTER_SENDER ":List-Id:Resent-From",
		 "from:a\r\nto:t\r\nlist-id:l\r\nresent-from:r\r\n");
	selected("From : a\r\n", "From:From:To:Cc:Subject:Date:Message-ID:Reply-To:Sender:" OVER_AFTER_SENDER, "from:a\r\n");
}

/* However many there are, h= has its place in a prefix of two signatures. */
static void test_select_many(void **state)
{
	struct arena *a = arena_new(NULL);
	struct buf    header, names, input, out;

	(void)state;
	buf_init(&header, MIB);
	buf_add(&header, STR("From: a\r\n"));
	for (int i = 0; i < 5000; i++)
		buf_add(&header, STR("Content-Transfer-Encoding: 7bit\r\n"));
	buf_init(&names, LIMIT_DKIM_NAMES);
	buf_init(&input, LIMIT_DKIM_HEADER);
	dkim_select(buf_str(&header), DKIM_RELAXED, a, &names, &input);
	assert_false(names.over);
	assert_true(str_starts(buf_str(&names), STR("From:From:")));
	buf_init(&out, LIMIT_PREFIX / 2);
	dkim_field_print(&(struct dkim_field){ .domain = STR("example.org"), .selector = STR("s"), .names = buf_str(&names),
					       .body_hash = str_first(buf_str(&header), DKIM_HASH),
					       .signature = str_first(buf_str(&header), LIMIT_DKIM_RSA_MAX / 8), .time_s = INT64_MAX },
			 &out);
	assert_false(out.over);
	buf_done(&out);
	buf_done(&names);
	buf_done(&input);
	buf_done(&header);
	arena_free(&a);
}

/* ---- printing ---- */

static void lines_check(struct str field, size_t columns)
{
	while (field.n > 0) {
		size_t n = (size_t)str_search(field, STR("\r\n"));

		assert_true(n <= columns);
		field = str_from(field, n + 2);
		assert_true(field.n == 0 || field.p[0] == '\t');
	}
}

static void test_field(void **state)
{
	char              octets[LIMIT_DKIM_RSA_MAX / 8];
	struct dkim_field f = { .algorithm = DKIM_RSA_SHA256, .header = DKIM_RELAXED, .body = DKIM_RELAXED, .domain = STR("example.org"),
				.selector = STR("r20261128"), .names = STR("From:From:To:To:Subject:Subject"),
				.body_hash = STR("0123456789abcdef0123456789abcdef"), .time_s = 1795871232 };
	struct buf        empty, whole;

	(void)state;
	memset(octets, 'x', sizeof(octets));
	buf_init(&empty, 4096);
	buf_init(&whole, 4096);
	dkim_field_print(&f, &empty);
	assert_str(buf_str(&empty), STR("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org;\r\n"
					"\ts=r20261128; t=1795871232;\r\n"
					"\th=From:From:To:To:Subject:Subject;\r\n"
					"\tbh=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=;\r\n"
					"\tb=\r\n"));
	for (size_t n = 1; n <= sizeof(octets); n++) {
		buf_clear(&whole);
		f.signature = str_n(octets, n);
		dkim_field_print(&f, &whole);
		/* The signature comes behind what is signed, and changes none of it. */
		assert_true(str_starts(buf_str(&whole), str_first(buf_str(&empty), empty.n - 2)));
		lines_check(buf_str(&whole), DKIM_FIELD_COLUMNS);
	}
	f.expires_s = 1795871233;
	buf_clear(&whole);
	dkim_field_print(&f, &whole);
	assert_true(str_search(buf_str(&whole), STR(" x=1795871233;")) > 0);
	buf_done(&empty);
	buf_done(&whole);
}

static void test_record(void **state)
{
	struct arena *a = arena_new(NULL);
	struct buf    out;

	(void)state;
	buf_init(&out, 100);
	dkim_record_print(DKIM_ED25519_SHA256, decoded(a, "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="), &out);
	assert_str(buf_str(&out), STR("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="));
	buf_done(&out);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_body), cmocka_unit_test(test_body_ends), cmocka_unit_test(test_body_splits),
		cmocka_unit_test(test_header), cmocka_unit_test(test_rfc8463), cmocka_unit_test(test_select),
		cmocka_unit_test(test_select_many), cmocka_unit_test(test_field), cmocka_unit_test(test_record),
	};

	return cmocka_run_group_tests_name("dkim", tests, NULL, NULL);
}
