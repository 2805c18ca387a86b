/* A hostile policy server's answer, and a question made of hostile values. */
#include "base/limits.h"
#include "wire/policy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str           in = str_n(data, size);
	struct policy_answer a;
	struct buf           scratch;

	buf_init(&scratch, LIMIT_POLICY_ANSWER * 2);
	if (policy_answer_parse(in, &scratch, &a) == POLICY_ANSWER_OK) {
		CHECK(a.action != POLICY_REPLY || (a.reply.code >= 400 && a.reply.code < 600));
		CHECK(a.action != POLICY_PREPEND || (a.name.n > 0 && !str_has_ctl(a.value) && !str_has_ctl(a.name)));
	}
	buf_clear(&scratch);
	policy_line_add(&scratch, STR("name"), in);
	CHECK(scratch.over || str_find(buf_str(&scratch), '\n') == (ptrdiff_t)scratch.n - 1);
	buf_done(&scratch);
	return 0;
}
