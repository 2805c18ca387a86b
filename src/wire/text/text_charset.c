/* wire/text/text_charset.c - see text_charset.h. */
#include "wire/text/text_charset.h"

#include <errno.h>
#include <iconv.h>

#define REPLACEMENT STR("\xEF\xBF\xBD") /* U+FFFD */

enum own { OWN_NONE, OWN_GUESS, OWN_UTF8, OWN_1252, OWN_8859_15 };

/* What messages call a charset; how we read it: ourselves, or under iconv's name. Supersets stand in for the sets that
 * mail mislabels (Windows variants of the East Asian sets, RFC 2046 §4.1.2 aside). */
static const struct charset {
	struct str  name;
	enum own    own;
	const char *iconv;
} charsets[] = {
	{ STR("utf-8"), OWN_UTF8, NULL },
	{ STR("us-ascii"), OWN_GUESS, NULL },
	{ STR("iso-8859-1"), OWN_1252, NULL },
	{ STR("windows-1252"), OWN_1252, NULL },
	{ STR("iso-8859-15"), OWN_8859_15, NULL },
	{ STR("ascii"), OWN_GUESS, NULL },
	{ STR("ansi_x3.4-1968"), OWN_GUESS, NULL },
	{ STR("unknown-8bit"), OWN_GUESS, NULL },
	{ STR("x-unknown"), OWN_GUESS, NULL },
	{ STR("utf8"), OWN_UTF8, NULL },
	{ STR("unicode-1-1-utf-8"), OWN_UTF8, NULL },
	{ STR("latin1"), OWN_1252, NULL },
	{ STR("latin-1"), OWN_1252, NULL },
	{ STR("iso8859-1"), OWN_1252, NULL },
	{ STR("iso_8859-1"), OWN_1252, NULL },
	{ STR("cp1252"), OWN_1252, NULL },
	{ STR("latin-9"), OWN_8859_15, NULL },
	{ STR("iso8859-15"), OWN_8859_15, NULL },
	{ STR("iso-8859-2"), OWN_NONE, "ISO-8859-2" },
	{ STR("iso-8859-3"), OWN_NONE, "ISO-8859-3" },
	{ STR("iso-8859-4"), OWN_NONE, "ISO-8859-4" },
	{ STR("iso-8859-5"), OWN_NONE, "ISO-8859-5" },
	{ STR("iso-8859-6"), OWN_NONE, "ISO-8859-6" },
	{ STR("iso-8859-6-i"), OWN_NONE, "ISO-8859-6" },
	{ STR("iso-8859-7"), OWN_NONE, "ISO-8859-7" },
	{ STR("iso-8859-8"), OWN_NONE, "ISO-8859-8" },
	{ STR("iso-8859-8-i"), OWN_NONE, "ISO-8859-8" },
	{ STR("iso-8859-9"), OWN_NONE, "WINDOWS-1254" },
	{ STR("iso-8859-10"), OWN_NONE, "ISO-8859-10" },
	{ STR("iso-8859-11"), OWN_NONE, "CP874" },
	{ STR("iso-8859-13"), OWN_NONE, "ISO-8859-13" },
	{ STR("iso-8859-14"), OWN_NONE, "ISO-8859-14" },
	{ STR("iso-8859-16"), OWN_NONE, "ISO-8859-16" },
	{ STR("tis-620"), OWN_NONE, "CP874" },
	{ STR("windows-874"), OWN_NONE, "CP874" },
	{ STR("windows-1250"), OWN_NONE, "WINDOWS-1250" },
	{ STR("cp1250"), OWN_NONE, "WINDOWS-1250" },
	{ STR("windows-1251"), OWN_NONE, "WINDOWS-1251" },
	{ STR("cp1251"), OWN_NONE, "WINDOWS-1251" },
	{ STR("windows-1253"), OWN_NONE, "WINDOWS-1253" },
	{ STR("windows-1254"), OWN_NONE, "WINDOWS-1254" },
	{ STR("windows-1255"), OWN_NONE, "WINDOWS-1255" },
	{ STR("windows-1256"), OWN_NONE, "WINDOWS-1256" },
	{ STR("windows-1257"), OWN_NONE, "WINDOWS-1257" },
	{ STR("windows-1258"), OWN_NONE, "WINDOWS-1258" },
	{ STR("koi8-r"), OWN_NONE, "KOI8-R" },
	{ STR("koi8-u"), OWN_NONE, "KOI8-U" },
	{ STR("ibm437"), OWN_NONE, "IBM437" },
	{ STR("cp437"), OWN_NONE, "IBM437" },
	{ STR("ibm850"), OWN_NONE, "IBM850" },
	{ STR("cp850"), OWN_NONE, "IBM850" },
	{ STR("ibm852"), OWN_NONE, "IBM852" },
	{ STR("ibm866"), OWN_NONE, "IBM866" },
	{ STR("cp866"), OWN_NONE, "IBM866" },
	{ STR("macintosh"), OWN_NONE, "MACINTOSH" },
	{ STR("iso-2022-jp"), OWN_NONE, "ISO-2022-JP-3" },
	{ STR("iso-2022-jp-2"), OWN_NONE, "ISO-2022-JP-2" },
	{ STR("iso-2022-kr"), OWN_NONE, "ISO-2022-KR" },
	{ STR("iso-2022-cn"), OWN_NONE, "ISO-2022-CN" },
	{ STR("shift_jis"), OWN_NONE, "CP932" },
	{ STR("shift-jis"), OWN_NONE, "CP932" },
	{ STR("sjis"), OWN_NONE, "CP932" },
	{ STR("x-sjis"), OWN_NONE, "CP932" },
	{ STR("windows-31j"), OWN_NONE, "CP932" },
	{ STR("cp932"), OWN_NONE, "CP932" },
	{ STR("euc-jp"), OWN_NONE, "EUC-JP-MS" },
	{ STR("x-euc-jp"), OWN_NONE, "EUC-JP-MS" },
	{ STR("gb2312"), OWN_NONE, "GB18030" },
	{ STR("gbk"), OWN_NONE, "GB18030" },
	{ STR("x-gbk"), OWN_NONE, "GB18030" },
	{ STR("cp936"), OWN_NONE, "GB18030" },
	{ STR("gb18030"), OWN_NONE, "GB18030" },
	{ STR("big5"), OWN_NONE, "BIG5-HKSCS" },
	{ STR("big5-hkscs"), OWN_NONE, "BIG5-HKSCS" },
	{ STR("euc-kr"), OWN_NONE, "CP949" },
	{ STR("ks_c_5601-1987"), OWN_NONE, "CP949" },
	{ STR("cp949"), OWN_NONE, "CP949" },
	{ STR("utf-7"), OWN_NONE, "UTF-7" },
	{ STR("unicode-1-1-utf-7"), OWN_NONE, "UTF-7" },
	{ STR("utf-16"), OWN_NONE, "UTF-16" },
	{ STR("utf-16le"), OWN_NONE, "UTF-16LE" },
	{ STR("utf-16be"), OWN_NONE, "UTF-16BE" },
	{ STR("utf-32"), OWN_NONE, "UTF-32" },
};

/* windows-1252, octets 0x80-0x9F; 0 where it has none (read as the control character, as browsers do). */
static const uint16_t cp1252[32] = {
	0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
	0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
	0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178,
};

static const struct charset *charset_find(struct str name)
{
	for (size_t i = 0; i < LEN(charsets); i++)
		if (str_ieq(charsets[i].name, name))
			return &charsets[i];
	return NULL;
}

bool text_charset_known(struct str charset)
{
	return charset_find(charset) != NULL;
}

size_t text_utf8_char(struct str s)
{
	unsigned char c = s.n ? (unsigned char)s.p[0] : 0, low = 0x80, high = 0xBF;
	size_t        n;

	if (s.n == 0)
		return 0;
	if (c < 0x80)
		return 1;
	if (c < 0xC2 || c > 0xF4)
		return 0;
	n = c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
	if (s.n < n)
		return 0;
	if (c == 0xE0)
		low = 0xA0; /* no overlong forms, */
	if (c == 0xED)
		high = 0x9F; /* no surrogates, */
	if (c == 0xF0)
		low = 0x90;
	if (c == 0xF4)
		high = 0x8F; /* nothing over U+10FFFF */
	for (size_t i = 1; i < n; i++) {
		unsigned char d = (unsigned char)s.p[i];

		if (d < low || d > high)
			return 0;
		low = 0x80;
		high = 0xBF;
	}
	return n;
}

static void utf8_repair(struct str in, struct buf *out)
{
	if (str_is_utf8(in)) {
		buf_add(out, in);
		return;
	}
	while (in.n > 0 && !out->over) {
		size_t n = text_utf8_char(in);

		buf_add(out, n ? str_first(in, n) : REPLACEMENT);
		in = str_from(in, n ? n : 1);
	}
}

static void put_char(struct buf *out, unsigned u)
{
	char c[3] = { (char)(0xE0 | u >> 12), (char)(0x80 | (u >> 6 & 63)), (char)(0x80 | (u & 63)) };

	if (u < 0x80) {
		buf_add_char(out, (char)u);
	} else if (u < 0x800) {
		c[1] = (char)(0xC0 | u >> 6);
		buf_add(out, str_n(c + 1, 2));
	} else {
		buf_add(out, str_n(c, 3));
	}
}

static unsigned iso_8859_15(unsigned char c)
{
	switch (c) {
	case 0xA4: return 0x20AC;
	case 0xA6: return 0x0160;
	case 0xA8: return 0x0161;
	case 0xB4: return 0x017D;
	case 0xB8: return 0x017E;
	case 0xBC: return 0x0152;
	case 0xBD: return 0x0153;
	case 0xBE: return 0x0178;
	default: return c;
	}
}

static void single_octets(enum own set, struct str in, struct buf *out)
{
	if (str_is_ascii(in)) {
		buf_add(out, in);
		return;
	}
	for (size_t i = 0; i < in.n && !out->over; i++) {
		unsigned char c = (unsigned char)in.p[i];
		unsigned      u = c;

		if (set == OWN_8859_15)
			u = iso_8859_15(c);
		else if (c >= 0x80 && c < 0xA0 && cp1252[c - 0x80])
			u = cp1252[c - 0x80];
		put_char(out, u);
	}
}

void text_guess_utf8(struct str in, struct buf *out)
{
	if (str_is_utf8(in))
		buf_add(out, in);
	else
		single_octets(OWN_1252, in, out);
}

static void convert(iconv_t cd, struct str in, struct buf *out)
{
	char chunk[4096];
	union {
		const char *from;
		char       *to;
	} at = { .from = in.p }; /* iconv does not write there, but its type says so */
	size_t left = in.n, room = sizeof(chunk);
	char  *p = chunk;

	while (left > 0 && !out->over) {
		size_t done = iconv(cd, &at.to, &left, &p, &room);
		int    err = errno;

		/* The converter's output is checked like any input: some tables give lone surrogates. */
		utf8_repair(str_n(chunk, sizeof(chunk) - room), out);
		p = chunk;
		room = sizeof(chunk);
		if (done != (size_t)-1 || err == E2BIG)
			continue;
		buf_add(out, REPLACEMENT);
		if (err == EINVAL)
			break; /* the last character is incomplete */
		at.to++;
		left--;
	}
	/* Some converters hold a character back until they know that no accent follows. */
	iconv(cd, NULL, NULL, &p, &room);
	utf8_repair(str_n(chunk, sizeof(chunk) - room), out);
}

bool text_to_utf8(struct str charset, struct str in, struct buf *out)
{
	const struct charset *c = charset_find(charset);
	iconv_t               cd;

	if (!c || c->own == OWN_GUESS) {
		text_guess_utf8(in, out);
		return c != NULL;
	}
	if (c->own == OWN_UTF8) {
		utf8_repair(in, out);
		return true;
	}
	if (c->own != OWN_NONE) {
		single_octets(c->own, in, out);
		return true;
	}
	cd = iconv_open("UTF-8", c->iconv);
	if (cd == (iconv_t)-1) {
		text_guess_utf8(in, out);
		return false;
	}
	convert(cd, in, out);
	iconv_close(cd);
	return true;
}

void text_charset_preload(void)
{
	/* Never closed: an open converter keeps its tables in memory, which is the purpose. */
	static iconv_t kept[LEN(charsets)];

	for (size_t i = 0; i < LEN(charsets); i++)
		if (charsets[i].iconv)
			kept[i] = iconv_open("UTF-8", charsets[i].iconv);
	(void)kept;
}
