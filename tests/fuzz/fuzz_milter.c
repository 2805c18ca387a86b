/* A hostile filter: agreement, and answers that are collected and carried out on a header. */
#include "base/limits.h"
#include "milter/milter_edit.h"
#include "wire/milter/milter_option.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum status take(void *ctx, struct str octets)
{
	*(size_t *)ctx += octets.n;
	return ST_OK;
}

/* Whatever was carried out, every line of the header begins a field or goes on with one, and there is no empty one. */
static void check_header(const struct milter_header *h)
{
	for (size_t i = 0; i < h->count; i++) {
		struct str whole = h->fields[i].whole;

		CHECK(h->fields[i].gone || (whole.n > 2 && str_iends(whole, STR("\r\n"))));
		for (size_t k = 0; k + 2 < whole.n; k++)
			CHECK(whole.p[k] != '\n' || (ascii_is_wsp(whole.p[k + 1]) && k > 0 && whole.p[k - 1] == '\r'));
		CHECK(str_find(whole, '\0') < 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str           in = str_n(data, size);
	struct arena        *a = arena_new(NULL);
	size_t               body = 0, n;
	struct milter_edits  e = { .arena = a, .body_sink = { take, &body } };
	struct milter_header h;
	struct milter_packet p;
	struct milter_answer answer;
	struct milter_option option;

	while (milter_packet_next(in, &p, &n) == MILTER_PACKET_OK) {
		in = str_from(in, n);
		if (p.command == MILTER_CMD_OPTNEG && milter_option_parse(p.data, &option))
			CHECK(!(option.steps & ~(uint32_t)MILTER_STEPS_ALL) && option.version <= MILTER_VERSION);
		if (!milter_answer_parse(&p, &answer))
			continue;
		if (answer.kind == MILTER_ANSWER_REPLY)
			CHECK(answer.reply.code >= 400 && answer.reply.code < 600 && answer.reply.line_count > 0);
		if (answer.kind > MILTER_ANSWER_PROGRESS && milter_edits_add(&e, &answer) != ST_OK)
			break;
	}
	CHECK(milter_header_parse(STR("Subject: a\r\nX: b\r\n c\r\n\r\nbody"), a, &h));
	milter_header_edit(&h, &e, false);
	check_header(&h);
	if (milter_header_parse(in, a, &h))
		CHECK(h.octets <= in.n && milter_header_size(&h) <= h.octets);
	arena_free(&a);
	return 0;
}
