/* wire/imap/imap_thread.h and what it is fed with: each line of the input is a message, tabs part its fields. Whatever the headers say,
 * each message comes out once and the parentheses match. */
#include <stdlib.h>

#include "wire/imap/imap_thread.h"
#include "wire/text/text_fold.h"
#include "wire/text/text_subject.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGES 2000u

static void message_make(struct str line, uint32_t number, struct arena *a, struct imap_thread_message *ret)
{
	struct str field, base;
	struct buf folded;

	(void)str_cut(line, '\t', &field, &line);
	base = text_subject_base(field, &ret->reply);
	CHECK(base.n <= field.n);
	buf_init(&folded, 100000);
	text_fold(base, &folded);
	ret->subject = arena_dup(a, buf_str(&folded));
	buf_done(&folded);
	(void)str_cut(line, '\t', &ret->message_id, &line);
	(void)str_cut(line, '\t', &ret->references, &ret->in_reply_to);
	ret->number = number;
	ret->date_ms = line.n > 0 ? (signed char)line.p[line.n - 1] : 0;
}

static void check(enum imap_thread_kind kind, const struct imap_thread_message *list, uint32_t count, struct arena *a)
{
	struct imap_threads *t = imap_thread_make(kind, list, count, count * 2 + 64, 7, a);
	unsigned char       *seen = arena_alloc(a, count + 1);
	size_t               depth = 0, numbers = 0;
	struct buf           out;
	struct str           s;
	uint64_t             n;

	buf_init(&out, MIB);
	while (imap_thread_print(t, 10, &out))
		;
	CHECK(!out.over);
	for (s = buf_str(&out); s.n > 0;) {
		if (str_take_u64(&s, &n)) {
			CHECK(depth > 0 && n >= 1 && n <= count && !seen[n]);
			seen[n] = 1;
			numbers++;
			continue;
		}
		CHECK(s.p[0] == '(' || s.p[0] == ' ' || (s.p[0] == ')' && depth > 0));
		depth += s.p[0] == '(' ? 1 : s.p[0] == ')' ? -1 : 0;
		s = str_from(s, 1);
	}
	CHECK(depth == 0 && numbers == count);
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena               *a = arena_new(NULL);
	struct imap_thread_message *list = ARENA_ARRAY(a, struct imap_thread_message, MESSAGES);
	struct str                  in = str_n(data, size), line;
	uint32_t                    count = 0;

	while (in.n > 0 && count < MESSAGES) {
		(void)str_cut(in, '\n', &line, &in);
		message_make(line, count + 1, a, &list[count]);
		count++;
	}
	check(IMAP_THREAD_REFERENCES, list, count, a);
	check(IMAP_THREAD_REFS, list, count, a);
	check(IMAP_THREAD_ORDEREDSUBJECT, list, count, a);
	arena_free(&a);
	return 0;
}
