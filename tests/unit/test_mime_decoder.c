/* wire/mime/mime_decoder.h, mime_encode.h, mime_preview.h. */
#include "unit.h"

#include "base/limits.h"
#include "wire/mime/mime.h"
#include "wire/mime/mime_decoder.h"
#include "wire/mime/mime_encode.h"
#include "wire/mime/mime_preview.h"

/* Fed in pieces of `step`, the result is that of the whole. */
static void decode_check(struct str encoding, struct str in, size_t step)
{
	struct mime_decoder d;
	struct buf          want, got;

	buf_init(&want, in.n * 2 + 100);
	buf_init(&got, in.n * 2 + 100);
	assert_true(mime_decode_body(in, encoding, &want));
	assert_true(mime_decoder_init(&d, encoding));
	for (size_t at = 0; at < in.n; at += step) {
		struct str piece = unit_exact(str_sub(in, at, step));

		mime_decoder_feed(&d, piece, &got);
		unit_exact_free(piece);
	}
	mime_decoder_end(&d, &got);
	assert_str(buf_str(&got), buf_str(&want));
	mime_decoder_done(&d);
	buf_done(&want);
	buf_done(&got);
}

static void test_pieces(void **state)
{
	static const struct str base64[] = { STR(""),          STR("aGVsbG8="),  STR("aGVs\r\nbG8=\r\n"), STR("a=GVsbG8"), STR("aGV"), STR("a"),
					     STR("aG!Vs bG8"), STR("aG==bG8="), STR("====a"),             STR("aGVsbG8=aGVsbG8") };
	static const struct str qp[] = { STR(""),          STR("a=20b"),      STR("a =\r\nb"),    STR("a  \r\nb"), STR("a=\r\n"), STR("="), STR("a=4"),
					 STR("=C3=BC \t"), STR("a=  \r\nb"), STR("x\r\n\r\ny\n"), STR("a\rb"),    STR("=ZZ=") };

	(void)state;
	for (size_t step = 1; step < 12; step++) {
		for (size_t i = 0; i < LEN(base64); i++)
			decode_check(STR("BASE64"), base64[i], step);
		for (size_t i = 0; i < LEN(qp); i++)
			decode_check(STR("QUOTED-PRINTABLE"), qp[i], step);
		decode_check(STR("8BIT"), STR("a=20\0b"), step);
	}
}

/* A line longer than what is kept: nothing is lost, and it does not matter how it comes. */
static void test_long_line(void **state)
{
	const size_t        n = 7 * (LIMIT_IMAP_BINARY_LINE - 100);
	char               *p = malloc(n);
	struct mime_decoder d;
	struct buf          got[2];

	(void)state;
	for (size_t i = 0; i < n; i++)
		p[i] = "=41=42 "[i % 7];
	for (size_t k = 0; k < 2; k++) {
		size_t step = k ? 1 : 9999;

		buf_init(&got[k], n);
		assert_true(mime_decoder_init(&d, STR("QUOTED-PRINTABLE")));
		for (size_t at = 0; at < n; at += step)
			mime_decoder_feed(&d, str_sub(str_n(p, n), at, step), &got[k]);
		mime_decoder_end(&d, &got[k]);
		mime_decoder_done(&d);
	}
	assert_str(buf_str(&got[0]), buf_str(&got[1]));
	assert_true(got[0].n == n / 7 * 3 - 1); /* "AB " each time; the last blank ends the line */
	assert_int_equal(str_find(buf_str(&got[0]), '='), -1);
	memset(p, ' ', n);
	buf_clear(&got[0]);
	assert_true(mime_decoder_init(&d, STR("QUOTED-PRINTABLE")));
	mime_decoder_feed(&d, str_n(p, n), &got[0]);
	mime_decoder_end(&d, &got[0]);
	mime_decoder_done(&d);
	buf_done(&got[0]);
	buf_done(&got[1]);
	free(p);
}

static void test_unknown(void **state)
{
	struct mime_decoder d;

	(void)state;
	assert_false(mime_decoder_init(&d, STR("X-UUENCODE")));
	mime_decoder_done(&d);
	assert_false(mime_decoder_init(&d, STR("")));
	mime_decoder_done(&d);
}

static bool add(void *ctx, struct str s)
{
	return buf_add(ctx, s);
}

static void encode_check(struct str in, const char *want)
{
	struct arena    *a = arena_new(NULL);
	struct str       exact = unit_exact(in);
	struct buf       out;
	struct mime_sink sink = { add, &out };
	bool             ok;

	buf_init(&out, 100000);
	ok = mime_encode_nul(exact, a, &sink);
	assert_int_equal(ok, want != NULL);
	if (want)
		assert_str(buf_str(&out), str_of(want));
	buf_done(&out);
	unit_exact_free(exact);
	arena_free(&a);
}

static void test_encode(void **state)
{
	(void)state;
	encode_check(STR("A: b\r\n\r\nx\0y"), "A: b\r\nContent-Transfer-Encoding: base64\r\n\r\neAB5\r\n");
	encode_check(STR("Content-Transfer-Encoding: binary\r\nA: b\r\n\r\nx\0y"), "A: b\r\nContent-Transfer-Encoding: base64\r\n\r\neAB5\r\n");
	encode_check(STR("\r\nx\0y"), "Content-Transfer-Encoding: base64\r\n\r\neAB5\r\n");
	encode_check(STR("A: b\r\n\r\nxy"), "A: b\r\n\r\nxy");
	encode_check(STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nt\r\n--b\r\nX: y\r\n\r\nx\0y\r\n--b--\r\nz"),
		     "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nt\r\n--b\r\nX: y\r\n"
		     "Content-Transfer-Encoding: base64\r\n\r\neAB5\r\n--b--\r\nz");
	/* Inside a message inside. */
	encode_check(STR("Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nx\0y"),
		     "Content-Type: message/rfc822\r\n\r\nA: b\r\nContent-Transfer-Encoding: base64\r\n\r\neAB5");
	/* In a header, before the first part, behind the last one, in what says that it is encoded. */
	encode_check(STR("A: \0b\r\n\r\nxy"), NULL);
	encode_check(STR("A: b\0"), NULL);
	encode_check(STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n\0--b\r\n\r\nt\r\n--b--\r\n"), NULL);
	encode_check(STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nt\r\n--b--\r\n\0"), NULL);
	encode_check(STR("Content-Transfer-Encoding: base64\r\n\r\nAA\0A"), NULL);
}

static const struct {
	struct str in, want;
} previews[] = {
	{ STR("\r\nHello  \t world\r\n\r\n  again"), STR("Hello world again") },
	{ STR(""), STR("") },
	{ STR("Content-Type: text/html\r\n\r\n<p>a<br>b</p>&lt;&#x41;&nbsp;&unknown; & c<"), STR("a b <A &unknown; & c") },
	{ STR("Content-Type: text/html\r\n\r\n<script>x</SCRIPT ><head><title>t</title></head>y<!-- <p> -->z<b>w</b>"), STR("yzw") },
	{ STR("Content-Type: text/html\r\n\r\n&#0;&#xD800;&#x110000;&#99999999999999999999;a&#128512;"), STR("&#99999999999999999999;a\xf0\x9f\x98\x80") },
	{ STR("Content-Type: text/plain; charset=utf-8\r\n\r\n\xc3\xbc\xff\x01z"), STR("\xc3\xbc\xef\xbf\xbd z") },
	{ STR("Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nx"), STR("") },
	{ STR("Content-Type: text/plain\r\nContent-Transfer-Encoding: x-y\r\n\r\nx"), STR("") },
	{ STR("\r\n> q\r\nmine\r\n-- \r\nsig"), STR("mine") },
	{ STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\nh\r\n--b\r\n\r\np\r\n--b--"), STR("p") },
	{ STR("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\r\ninner\r\n--b--"), STR("") },
};

static void preview_check(struct str in, struct str want)
{
	struct arena *a = arena_new(NULL);
	struct str    exact = unit_exact(in);
	struct buf    out;

	buf_init(&out, MIME_PREVIEW_OCTETS);
	mime_preview(exact, a, &out);
	assert_false(out.over);
	assert_str(buf_str(&out), want);
	buf_done(&out);
	unit_exact_free(exact);
	arena_free(&a);
}

static void test_preview(void **state)
{
	char       p[4000];
	struct buf want;

	(void)state;
	for (size_t i = 0; i < LEN(previews); i++)
		preview_check(previews[i].in, previews[i].want);
	/* So many characters, not octets. */
	memcpy(p, "Content-Type: text/plain; charset=utf-8\r\n\r\n", 43);
	for (size_t i = 43; i + 4 <= sizeof(p); i += 4)
		memcpy(p + i, "\xf0\x9f\x98\x80", 4);
	buf_init(&want, 4000);
	for (size_t i = 0; i < MIME_PREVIEW_CHARS; i++)
		buf_add(&want, STR("\xf0\x9f\x98\x80"));
	preview_check(str_n(p, sizeof(p)), buf_str(&want));
	buf_done(&want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces), cmocka_unit_test(test_long_line), cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_encode), cmocka_unit_test(test_preview),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
