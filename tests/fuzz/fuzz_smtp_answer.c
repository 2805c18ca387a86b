/* Replies of a hostile server: every line goes into one reply, as remote_session reads them. */
#include "wire/smtp/smtp_caps.h"
#include "wire/smtp/smtp_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_done(struct smtp_answer_in *r)
{
	struct smtp_caps caps;
	struct buf       out;

	CHECK(r->code >= 200 && r->code <= 599);
	CHECK(r->enhanced[0] == '\0' || r->enhanced[0] == (char)('0' + r->code / 100));
	smtp_caps_parse(buf_str(r->text), &caps);
	buf_init(&out, 500);
	smtp_answer_print(&out, buf_str(r->text), 500);
	CHECK(!out.over && str_is_utf8(buf_str(&out)) && !str_has_ctl(buf_str(&out)));
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str           in = str_n(data, size), line;
	struct smtp_answer_in r;
	struct buf           text;

	buf_init(&text, 4096);
	smtp_answer_begin(&r, &text);
	while (in.n > 0) {
		str_cut(in, '\n', &line, &in);
		if (smtp_answer_add(&r, str_chomp(line)) != SMTP_ANSWER_OK)
			break;
		if (r.done) {
			check_done(&r);
			smtp_answer_begin(&r, &text);
		}
	}
	buf_done(&text);
	return 0;
}
