/* wire/text: decoders take anything, encoders are undone by their decoders, printed dates are read again. */
#include <stdint.h>

#include "wire/text/text_base64.h"
#include "wire/text/text_charset.h"
#include "wire/text/text_date.h"
#include "wire/text/text_qp.h"
#include "wire/text/text_word.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pair {
	struct buf code, back;
};

static void check_back(struct pair *p, struct str want)
{
	CHECK(!p->code.over && !p->back.over && str_eq(buf_str(&p->back), want));
	buf_clear(&p->code);
	buf_clear(&p->back);
}

static void round_trips(struct pair *p, struct str in)
{
	text_base64_encode(in, &p->code);
	CHECK(text_base64_decode(buf_str(&p->code), &p->back));
	check_back(p, in);
	text_base64_encode_lines(in, &p->code);
	text_base64_decode_lenient(buf_str(&p->code), &p->back);
	check_back(p, in);
	text_qp_encode(in, &p->code);
	text_qp_decode(buf_str(&p->code), &p->back);
	check_back(p, in);
	buf_add_hex(&p->code, in);
	CHECK(text_hex_decode(buf_str(&p->code), &p->back));
	check_back(p, in);
	if (!str_is_utf8(in))
		return;
	text_words_encode(in, &p->code);
	CHECK(str_is_ascii(buf_str(&p->code)));
	text_words_decode(buf_str(&p->code), &p->back);
	check_back(p, in);
}

static void decoders(struct pair *p, struct str in)
{
	struct str charset, text;

	if (text_base64_decode(in, &p->back)) {
		text_base64_encode(buf_str(&p->back), &p->code); /* strict: one form only */
		CHECK(str_eq(buf_str(&p->code), in));
	}
	buf_clear(&p->code);
	buf_clear(&p->back);
	text_base64_decode_lenient(in, &p->back);
	text_qp_decode(in, &p->back);
	buf_clear(&p->back);
	text_words_decode(in, &p->back);
	CHECK(str_is_utf8(buf_str(&p->back)));
	buf_clear(&p->back);
	str_cut(in, '\n', &charset, &text);
	text_to_utf8(charset, text, &p->back);
	CHECK(str_is_utf8(buf_str(&p->back)));
	buf_clear(&p->back);
}

static void dates(struct buf *out, struct str in)
{
	struct text_date d, again;

	if (text_date_parse(in, &d)) {
		text_internaldate_write(d, out);
		CHECK(text_internaldate_parse(buf_str(out), &again));
		CHECK(again.ms == d.ms || d.ms < text_date_days(1, 1, 3) * 86400000 || d.ms > text_date_days(9999, 12, 29) * 86400000);
	}
	buf_clear(out);
	if (text_internaldate_parse(in, &d))
		text_date_write(d, out);
	buf_clear(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pair p;
	struct str  in = str_n(data, size);

	buf_init(&p.code, size * 20 + 1000);
	buf_init(&p.back, size * 20 + 1000);
	round_trips(&p, in);
	decoders(&p, in);
	dates(&p.code, in);
	buf_done(&p.code);
	buf_done(&p.back);
	return 0;
}
