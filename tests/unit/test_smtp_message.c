/* tests/unit/test_smtp_message.c - the data of a message: its end, its size, its header, and how queue answers. */
#include "unit.h"

#include <stdio.h>

#include "smtp_rig.h"

#define RAW(lit) ((struct str){ lit, sizeof(lit) - 1 })

/* The first line behind our Received field. */
static struct str content_of(const struct rig *r)
{
	struct str all = buf_str(&r->ask.content);
	ptrdiff_t  at = str_search(all, STR(" +0000\r\n"));

	assert_true(str_starts(all, STR("Received: from client.example ([192.0.2.7])\r\n")) && at > 0);
	return str_from(all, (size_t)at + 8);
}

/* ---- end of data ---- */

/* mta.md 5.1 and papers 1.8 A: whatever stands in `marker`, what follows is content. CVE-2023-51764/5/6. */
static const struct str markers[] = {
	RAW("\n.\n"),       RAW("\n.\r\n"),         RAW("\r\n.\n"),        RAW("\r.\r"),         RAW("\r.\r\n"),
	RAW("\r\n.\r"),     RAW("\r\n.\r\r\n"),     RAW("\r\n\0.\r\n"),    RAW("\n.\r"),         RAW("\r.\n"),
	RAW("\r\r\n.\r\r\n"), RAW("\r\n.\0\r\n"),   RAW("\n\n.\n\n"),      RAW("\r\n \n.\r\n"),
};

static void smuggle(struct str marker, bool normalise, size_t cut)
{
	static const struct str tail = RAW("MAIL FROM:<evil@far.example>\r\nRCPT TO:<bob@demo.test>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\n");
	struct buf data;
	struct rig r;
	bool       taken;

	buf_init(&data, KIB);
	buf_add(&data, STR("Subject: hi\r\n\r\ntext"));
	buf_add(&data, marker);
	buf_add(&data, tail);
	cut = MIN(cut, data.n);
	rig_init(&r, SMTP_KIND_RELAY);
	r.set.normalise_eol = normalise;
	rig_start(&r);
	rig_to_data(&r);
	buf_clear(&r.conn.out);
	fake_feed(&r.conn, str_first(buf_str(&data), cut));
	fake_feed(&r.conn, str_from(buf_str(&data), cut));
	/* One reply, about one message: the commands inside never ran. */
	assert_true(str_find(buf_str(&r.conn.out), '\n') == (ptrdiff_t)r.conn.out.n - 1);
	taken = normalise && str_find(marker, '\0') < 0;
	assert_true(str_starts(buf_str(&r.conn.out), taken ? STR("250 ") : STR("554 5.6.0 ")));
	assert_int_equal(r.ask.submits, taken);
	if (taken) {
		struct str c = content_of(&r);

		assert_str(buf_str(&r.ask.from), STR("x@far.example"));
		assert_true(str_search(c, STR("MAIL FROM:<evil")) > 0);
		for (size_t i = 0; i < c.n; i++) { /* nothing bare goes on, and no line is a lone dot */
			assert_true(c.p[i] != '\n' || (i > 0 && c.p[i - 1] == '\r'));
			assert_true(c.p[i] != '\r' || (i + 1 < c.n && c.p[i + 1] == '\n'));
		}
	}
	assert_int_equal(talk(&r, TO), 503); /* no recipient is left over */
	assert_int_equal(talk(&r, "MAIL FROM:<>\r\n"), 250);
	rig_done(&r);
	buf_done(&data);
}

static void test_smuggling(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(markers); i++)
		for (size_t cut = 0; cut < 40; cut++)
			for (int normalise = 0; normalise < 2; normalise++)
				smuggle(markers[i], normalise, cut);
}

static void test_dots(void **state)
{
	static const struct {
		struct str sent, kept;
	} rows[] = {
		{ RAW(".\r\n"), RAW("") },
		{ RAW("\r\n.\r\n"), RAW("\r\n") },
		{ RAW("..\r\n.\r\n"), RAW(".\r\n") },
		{ RAW("...\r\n....\r\n.\r\n"), RAW("..\r\n...\r\n") },
		{ RAW("a.\r\n.b\r\n..c\r\n.\r\n"), RAW("a.\r\nb\r\n.c\r\n") },
		{ RAW("From me\r\n.\r\n"), RAW("From me\r\n") },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct rig r;

		rig_init(&r, SMTP_KIND_RELAY);
		rig_start(&r);
		rig_to_data(&r);
		assert_int_equal(talk_str(&r, rows[i].sent), 250);
		assert_str(content_of(&r), rows[i].kept);
		rig_done(&r);
	}
}

/* ---- size ---- */

/* `octets` of content (CRLF lines), then the end. */
static unsigned send_octets(struct rig *r, size_t octets)
{
	struct buf b;
	unsigned   code;

	buf_init(&b, 2 * octets + 100);
	buf_add(&b, STR("Subject: x\r\n\r\n"));
	while (b.n + 66 <= octets)
		buf_add(&b, STR("0123456789012345678901234567890123456789012345678901234567890123\r\n"));
	while (b.n + 2 < octets)
		buf_add_char(&b, 'x');
	buf_add(&b, STR("\r\n"));
	assert_int_equal(b.n, octets);
	buf_add(&b, STR(".\r\n"));
	code = talk_str(r, buf_str(&b));
	buf_done(&b);
	return code;
}

static void test_size(void **state)
{
	static const struct {
		const char *declared;
		unsigned    mail_code;
		size_t      octets;
		unsigned    code;
	} rows[] = {
		{ "", 250, 10000, 250 },             { "", 250, 10001, 552 },
		{ " SIZE=10000", 250, 10000, 250 }, { " SIZE=10001", 552, 0, 0 },
		{ " SIZE=5", 250, 10000, 250 },     { " SIZE=5", 250, 300000, 552 },
		{ " SIZE=9999", 250, 20, 250 },     { " SIZE=18446744073709551615", 552, 0, 0 },
		{ " SIZE=0", 250, 10000, 250 },
	};
	struct rig r;
	char       line[128];

	(void)state;
	rig_init(&r, SMTP_KIND_RELAY);
	r.set.message_octets = 10000;
	rig_start(&r);
	assert_int_equal(talk(&r, HELLO), 250);
	for (size_t i = 0; i < LEN(rows); i++) {
		snprintf(line, sizeof(line), "MAIL FROM:<x@far.example>%s\r\n", rows[i].declared);
		assert_int_equal(talk(&r, line), rows[i].mail_code);
		if (rows[i].mail_code != 250)
			continue;
		assert_int_equal(talk(&r, TO), 250);
		assert_int_equal(talk(&r, "DATA\r\n"), 354);
		assert_int_equal(send_octets(&r, rows[i].octets), rows[i].code);
		assert_int_equal(talk(&r, TO), 503);
		assert_int_equal(r.conn.memory, 0);
	}
	rig_done(&r);
}

/* Around the border between memory and spool, with and without a truthful SIZE. */
static void test_spool(void **state)
{
	static const size_t sizes[] = { 200 * 1024, LIMIT_INLINE - 1000, LIMIT_INLINE - 150, LIMIT_INLINE - 1, LIMIT_INLINE,
					LIMIT_INLINE + 1, 1024 * 1024 };
	struct rig r;
	char       line[128];

	(void)state;
	rig_init(&r, SMTP_KIND_RELAY);
	rig_start(&r);
	assert_int_equal(talk(&r, HELLO), 250);
	for (size_t i = 0; i < LEN(sizes); i++) {
		for (int declared = 0; declared < 2; declared++) {
			snprintf(line, sizeof(line), "MAIL FROM:<x@far.example> SIZE=%zu\r\n", declared ? sizes[i] : 1);
			assert_int_equal(talk(&r, line), 250);
			assert_int_equal(talk(&r, TO), 250);
			assert_int_equal(talk(&r, "DATA\r\n"), 354);
			r.ask.spools = 0;
			assert_int_equal(send_octets(&r, sizes[i]), 250);
			assert_int_equal(content_of(&r).n, sizes[i]);
			assert_int_equal(r.ask.spools, r.ask.content.n > LIMIT_INLINE);
			assert_int_equal(r.conn.memory, 0);
		}
	}
	r.ask.spool_status = ST_FULL;
	assert_int_equal(talk(&r, FROM TO "DATA\r\n"), 354);
	assert_int_equal(send_octets(&r, sizes[6]), 452);
	r.ask.spool_status = ST_TEMP;
	assert_int_equal(talk(&r, FROM TO "DATA\r\n"), 354);
	assert_int_equal(send_octets(&r, sizes[6]), 451);
	rig_done(&r);
}

static void test_memory(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, SMTP_KIND_RELAY);
	r.conn.memory_limit = 64 * KIB;
	rig_start(&r);
	assert_int_equal(talk(&r, HELLO), 250);
	assert_int_equal(talk(&r, "MAIL FROM:<x@far.example> SIZE=100000\r\n" TO "DATA\r\n"), 452); /* before it comes */
	r.conn.memory_limit = 256 * KIB;
	assert_int_equal(talk(&r, "DATA\r\n"), 354); /* the transaction was kept */
	assert_int_equal(send_octets(&r, 100000), 250);
	r.conn.memory_limit = 64 * KIB;
	assert_int_equal(talk(&r, FROM TO "DATA\r\n"), 354); /* while it comes */
	assert_int_equal(send_octets(&r, 100000), 452);
	rig_done(&r);
}

/* ---- header ---- */

static void test_loop(void **state)
{
	struct rig r;
	struct buf b;

	(void)state;
	buf_init(&b, MIB);
	for (unsigned hops = LIMIT_HOPS - 1; hops <= LIMIT_HOPS; hops++) { /* ours makes one more */
		buf_clear(&b);
		for (unsigned i = 0; i < hops; i++)
			buf_add(&b, STR("received: from a by b;\r\n\tdate\r\n"));
		buf_add(&b, STR("Subject: Received: x\r\n\r\nReceived: x\r\n.\r\n"));
		rig_init(&r, SMTP_KIND_RELAY);
		rig_start(&r);
		rig_to_data(&r);
		assert_int_equal(talk_str(&r, buf_str(&b)), hops < LIMIT_HOPS ? 250 : 554);
		rig_done(&r);
	}
	buf_done(&b);
}

static void test_relay_is_untouched(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r, SMTP_KIND_RELAY);
	rig_start(&r);
	rig_to_data(&r);
	assert_int_equal(talk(&r, "hello\r\n.\r\n"), 250);
	assert_str(content_of(&r), STR("hello\r\n"));
	assert_true(str_search(buf_str(&r.ask.content), STR("for <alice@demo.test>")) > 0);
	assert_int_equal(r.ask.flags, 0);
	assert_int_equal(r.ask.account, 0);
	assert_int_equal(talk(&r, FROM TO "DATA\r\n"), 354);
	assert_int_equal(talk(&r, "\r\n\xc3\xa4\r\n.\r\n"), 250);
	assert_int_equal(r.ask.flags, QUEUE_FLAG_8BIT); /* whatever BODY= said */
	assert_int_equal(talk(&r, "MAIL FROM:<\xc3\xa4@far.example> SMTPUTF8\r\n" TO "DATA\r\n"), 354);
	assert_int_equal(talk(&r, "\r\n.\r\n"), 250);
	assert_int_equal(r.ask.flags, QUEUE_FLAG_SMTPUTF8);
	assert_true(str_search(buf_str(&r.ask.content), STR(" with UTF8SMTP id s1.3\r\n")) > 0);
	rig_done(&r);
}

/* RFC 6409 §8 and "Composition Kills" client_a1-a3 (papers 1.8 C). */
static void test_submission(void **state)
{
	static const struct {
		const char *header;
		unsigned    code;
		const char *end; /* of the header that queue gets, with the empty line */
	} rows[] = {
		{ "From: alice@demo.test\r\n", 250, "From: alice@demo.test\r\nDate: Sat, 21 Nov 2026 08:00:00 +0000\r\nMessage-ID: <*@mx.demo.test>\r\n\r\n" },
		{ "From: alice@demo.test\r\nDate: x\r\n", 250, "Date: x\r\nMessage-ID: <*@mx.demo.test>\r\n\r\n" },
		{ "From: alice@demo.test\r\nMessage-id: <x@y>\r\n", 250, "Message-id: <x@y>\r\nDate: Sat, 21 Nov 2026 08:00:00 +0000\r\n\r\n" },
		{ "Message-ID: <x@y>\r\nDate: x\r\nFrom: A <ALICE@demo.test>\r\n", 250, "From: A <ALICE@demo.test>\r\n\r\n" },
		{ "From: =?utf-8?q?x?=\r\n <alice@demo.test>\r\nDate: x\r\nMessage-ID: <x@y>\r\nSender: alice@demo.test\r\n", 250, NULL },
		{ "From: bob@demo.test\r\n", 553, NULL },
		{ "From: alice@demo.test, bob@demo.test\r\n", 553, NULL },
		{ "From: alice@demo.test\r\nFrom: bob@demo.test\r\n", 550, NULL },
		{ "From: alice@demo.test\r\nfrom: alice@demo.test\r\n", 550, NULL },
		{ "From: alice@demo.test\r\nFrom : bob@demo.test\r\n", 550, NULL },
		{ "From: alice@demo.test\r\nSender: bob@demo.test\r\n", 553, NULL },
		{ "From: alice@demo.test\r\nSender: alice@demo.test\r\nSender: alice@demo.test\r\n", 550, NULL },
		{ "Subject: no author\r\n", 550, NULL },
		{ "From:\r\n", 550, NULL },
		{ "From: alice\r\n", 550, NULL },
		{ "From: <alice@demo.test>bob@demo.test\r\n", 550, NULL },
		{ "From: bob@demo.test <alice@demo.test>\r\n", 550, NULL },
		{ "From: <@bob.example:alice@demo.test>\r\n", 550, NULL },
		{ "From: group: alice@demo.test;\r\n", 550, NULL },
		{ "From: down@demo.test\r\n", 451, NULL },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct rig r;
		char       message[1024];
		unsigned   code;

		rig_init(&r, SMTP_KIND_SUBMISSION);
		rig_start(&r);
		rig_to_data(&r);
		snprintf(message, sizeof(message), "%s\r\nbody\r\n.\r\n", rows[i].header);
		code = talk(&r, message);
		if (code != rows[i].code)
			print_error("%s: %u\n", rows[i].header, code);
		assert_int_equal(code, rows[i].code);
		if (rows[i].end) {
			struct str content = content_of(&r), before, after;

			assert_true(str_iends(content, STR("\r\n\r\nbody\r\n")));
			content = str_first(content, content.n - 6);
			if (str_cut(str_of(rows[i].end), '*', &before, &after)) {
				assert_true(str_search(content, before) >= 0);
				assert_true(str_iends(content, after));
			} else {
				assert_true(str_iends(content, before));
			}
		}
		if (code == 250) {
			assert_int_equal(r.ask.flags, QUEUE_FLAG_SUBMIT);
			assert_int_equal(r.ask.account, 1);
		} else {
			assert_int_equal(r.ask.submits, 0);
		}
		rig_done(&r);
	}
}

static void test_submission_edges(void **state)
{
	struct rig r;
	struct buf b;

	(void)state;
	rig_init(&r, SMTP_KIND_SUBMISSION);
	rig_start(&r);
	rig_to_data(&r);
	assert_int_equal(talk(&r, "From: alice@demo.test\r\n.\r\n"), 250); /* a header alone */
	assert_true(str_starts(content_of(&r), STR("From: alice@demo.test\r\nDate: ")));
	/* The null path is for receipts; the author is checked all the same. */
	assert_int_equal(talk(&r, "MAIL FROM:<>\r\nRCPT TO:<x@far.example>\r\nDATA\r\n"), 354);
	assert_int_equal(talk(&r, MESSAGE), 250);
	assert_int_equal(talk(&r, "MAIL FROM:<>\r\nRCPT TO:<x@far.example>\r\nDATA\r\n"), 354);
	assert_int_equal(talk(&r, "From: bob@demo.test\r\n\r\n.\r\n"), 553);
	assert_int_equal(talk(&r, "MAIL FROM:<bob@demo.test>\r\n"), 553);
	assert_int_equal(talk(&r, "MAIL FROM:<down@demo.test>\r\n"), 451);

	buf_init(&b, 4 * MIB); /* a large body: fields go in before it is spilled */
	buf_add(&b, STR("From: alice@demo.test\r\n\r\n"));
	for (int i = 0; i < 30000; i++)
		buf_add(&b, STR("line of the body\r\n"));
	buf_add(&b, STR(".\r\n"));
	assert_int_equal(talk(&r, "MAIL FROM:<>\r\nRCPT TO:<x@far.example>\r\nDATA\r\n"), 354);
	assert_int_equal(talk_str(&r, buf_str(&b)), 250);
	assert_true(str_search(content_of(&r), STR("Message-ID: <")) > 0);
	assert_true(str_iends(content_of(&r), STR("\r\nline of the body\r\n")));
	assert_int_equal(r.ask.spools, 1);

	for (size_t n = LIMIT_INLINE - 700; n < LIMIT_INLINE; n += 20) { /* what is added takes it over the border */
		buf_clear(&b);
		buf_add(&b, STR("From: alice@demo.test\r\n\r\n"));
		while (b.n < n)
			buf_add(&b, STR("0123456789\r\n"));
		buf_add(&b, STR(".\r\n"));
		assert_int_equal(talk(&r, "MAIL FROM:<>\r\nRCPT TO:<x@far.example>\r\nDATA\r\n"), 354);
		r.ask.spools = 0;
		assert_int_equal(talk_str(&r, buf_str(&b)), 250);
		assert_int_equal(r.ask.spools, r.ask.content.n > LIMIT_INLINE);
		assert_true(str_search(content_of(&r), STR("Message-ID: <")) > 0);
	}

	buf_clear(&b); /* a header that does not end within what is looked at */
	for (int i = 0; i < 30000; i++)
		buf_add(&b, STR("X-Field: value\r\n"));
	buf_add(&b, STR("From: bob@demo.test\r\n\r\n.\r\n"));
	assert_int_equal(talk(&r, "MAIL FROM:<>\r\nRCPT TO:<x@far.example>\r\nDATA\r\n"), 354);
	assert_int_equal(talk_str(&r, buf_str(&b)), 552);
	buf_done(&b);
	rig_done(&r);
}

/* ---- what queue says ---- */

static void test_submit(void **state)
{
	static const struct {
		enum status              submit[FAKE_STEPS];
		enum queue_submit_result result;
		enum status              known_status[FAKE_STEPS];
		bool                     known;
		unsigned                 code; /* 0: closed without an answer */
		unsigned                 submits;
	} rows[] = {
		{ { ST_OK }, QUEUE_SUBMIT_QUEUED, { ST_OK }, false, 250, 1 },
		{ { ST_OK }, QUEUE_SUBMIT_FULL, { ST_OK }, false, 452, 1 },
		{ { ST_OK }, QUEUE_SUBMIT_SUSPECT, { ST_OK }, false, 451, 1 },
		{ { ST_OK }, QUEUE_SUBMIT_INVALID, { ST_OK }, false, 554, 1 },
		{ { ST_OK }, QUEUE_SUBMIT_DENIED, { ST_OK }, false, 421, 1 },
		{ { ST_TEMP }, QUEUE_SUBMIT_QUEUED, { ST_OK }, true, 250, 1 },
		{ { ST_TEMP }, QUEUE_SUBMIT_QUEUED, { ST_TEMP, ST_TEMP, ST_TEMP, ST_OK, ST_OK, ST_OK, ST_OK, ST_OK }, true, 250, 1 },
		{ { ST_TEMP, ST_OK }, QUEUE_SUBMIT_QUEUED, { ST_OK }, false, 250, 2 },
		{ { ST_BUSY, ST_OK }, QUEUE_SUBMIT_FULL, { ST_OK }, false, 452, 2 },
		{ { ST_TEMP, ST_TEMP, ST_TEMP }, QUEUE_SUBMIT_QUEUED, { ST_OK }, false, 451, 2 },
		{ { ST_TEMP }, QUEUE_SUBMIT_QUEUED,
		  { ST_TEMP, ST_TEMP, ST_TEMP, ST_TEMP, ST_TEMP, ST_TEMP, ST_TEMP, ST_TEMP }, true, 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct rig r;

		rig_init(&r, SMTP_KIND_RELAY);
		memcpy(r.ask.submit_status, rows[i].submit, sizeof(rows[i].submit));
		memcpy(r.ask.known_status, rows[i].known_status, sizeof(rows[i].known_status));
		r.ask.submit_result = rows[i].result;
		r.ask.known = rows[i].known;
		rig_start(&r);
		rig_to_data(&r);
		assert_int_equal(talk(&r, MESSAGE), rows[i].code);
		assert_int_equal(r.ask.submits, rows[i].submits);
		assert_int_equal(r.conn.closed, rows[i].code == 0 || rows[i].code == 421);
		assert_true(r.ask.paused_ms <= r.set.submit_wait_ms);
		if (!r.conn.closed)
			assert_int_equal(talk(&r, FROM), 250);
		rig_done(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_smuggling),  cmocka_unit_test(test_dots),
		cmocka_unit_test(test_size),       cmocka_unit_test(test_spool),
		cmocka_unit_test(test_memory),     cmocka_unit_test(test_loop),
		cmocka_unit_test(test_relay_is_untouched), cmocka_unit_test(test_submission),
		cmocka_unit_test(test_submission_edges),   cmocka_unit_test(test_submit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
