/* queue/queue_sign.c: what is signed, what is not, and what waits. */
#include "unit.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "queue/queue_in.h"
#include "queue/queue_site.h"
#include "queue_rig.h"
#include "sys/disk.h"

#define MAIL   "From: Ann <ann@Demo.test>\r\nSubject: x\r\nReceived: r\r\n\r\nHello\r\n"
#define FIELDS "DKIM-Signature: one\r\nDKIM-Signature: two\r\n"

static void assert_hash(struct str got, const char *canonical)
{
	uint8_t hash[QUEUE_SHA256];

	assert_int_equal(EVP_Digest(canonical, strlen(canonical), hash, NULL, EVP_sha256(), NULL), 1);
	assert_str(got, str_n(hash, sizeof(hash)));
}

static struct rig *rig_signing(uint32_t flags)
{
	struct rig *r = rig_new();

	r->signatures_held = true;
	rig_open(r);
	rig_wants.flags = flags;
	return r;
}

static void answer(struct rig *r, enum status st)
{
	struct fake_call *c = fake_ipc_next(IPC_AUTH_SIGN);

	assert_non_null(c);
	fake_ipc_answer(c, st, &(struct auth_sign_reply){ STR(FIELDS) });
	rig_settle(r);
}

/* The prefix of the next delivery; answers it. */
static void sent(struct rig *r, const char *prefix)
{
	struct fake_call *c = fake_ipc_next(IPC_REMOTE_DELIVER);

	assert_non_null(c);
	assert_str(((const struct remote_deliver_request *)c->body)->prefix, str_of(prefix));
	fake_ipc_answer(c, ST_OK, &(struct remote_deliver_reply){ &(struct remote_rcpt_result){ .result = REMOTE_DELIVERED }, 1 });
	rig_settle(r);
}

static void test_asked(void **state)
{
	struct rig                     *r = rig_signing(QUEUE_FLAG_SUBMIT);
	const struct auth_sign_request *q;
	struct fake_call               *c;

	(void)state;
	rig_submit(r, "ann@demo.test", "bob@far.test eve@other.test", MAIL);
	rig_resolve(r, "bob@far.test");
	assert_null(fake_ipc_next(IPC_AUTH_SIGN)); /* when all of the round is known */
	rig_resolve(r, "eve@other.test");
	assert_null(fake_ipc_next(IPC_REMOTE_DELIVER));
	c = fake_ipc_next(IPC_AUTH_SIGN);
	assert_non_null(c);
	q = c->body;
	assert_str(q->domain, STR("Demo.test"));
	assert_str(q->header, STR("from:Ann <ann@Demo.test>\r\nsubject:x\r\n"));
	assert_true(str_starts(q->names, STR("From:From:To:Cc:Subject:Subject:Date:")));
	assert_hash(q->body_hash, "Hello\r\n");
	assert_int_equal(q->time_s, rig_wall / 1000);
	fake_ipc_answer(c, ST_OK, &(struct auth_sign_reply){ STR(FIELDS) });
	rig_settle(r);
	/* The same signature for both. */
	sent(r, FIELDS);
	sent(r, FIELDS);
	assert_int_equal(rig_messages(r), 0);
	rig_free(&r);
}

static void test_not_ours(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct rig *r = rig_signing(i == 0 ? 0 : QUEUE_FLAG_SUBMIT);

		/* Relayed for others; ours, but nobody's; only for an account. */
		rig_submit(r, "ann@far.test", "bob@far.test", i == 1 ? "Subject: x\r\n\r\nHello\r\n" : MAIL);
		rig_resolve(r, i == 2 ? "5" : "bob@far.test");
		assert_null(fake_ipc_next(IPC_AUTH_SIGN));
		if (i < 2)
			sent(r, "");
		else
			rig_local(r, LOCAL_DELIVERED, "2.0.0", "");
		assert_int_equal(rig_messages(r), 0);
		rig_free(&r);
	}
}

/* On its way to the content filter, and not again when it comes back: then it is not known whose it is. */
static void test_filter(void **state)
{
	struct rig *r = rig_new();

	(void)state;
	r->options.filter = STR("filter.test:10");
	r->signatures_held = true;
	rig_open(r);
	rig_wants.flags = QUEUE_FLAG_SUBMIT | QUEUE_FLAG_FILTER;
	rig_submit(r, "ann@demo.test", "bob@far.test", MAIL);
	answer(r, ST_OK);
	sent(r, FIELDS);
	rig_free(&r);
}

static void test_no_key(void **state)
{
	static const enum status unsigned_for[] = { ST_NOT_FOUND, ST_INVALID, ST_LIMIT };

	(void)state;
	for (size_t i = 0; i < LEN(unsigned_for); i++) {
		struct rig *r = rig_signing(QUEUE_FLAG_SUBMIT);

		rig_submit(r, "ann@demo.test", "bob@far.test", MAIL);
		rig_resolve(r, "bob@far.test");
		answer(r, unsigned_for[i]);
		sent(r, "");
		rig_free(&r);
	}
}

/* auth does not answer, or cannot: what leaves waits and is signed later; what is here is delivered, once. */
static void test_waits(void **state)
{
	static const enum status waits_for[] = { ST_TEMP, ST_BUSY, ST_IO };

	(void)state;
	for (size_t i = 0; i < LEN(waits_for); i++) {
		struct rig             *r = rig_signing(QUEUE_FLAG_SUBMIT);
		uint64_t                id = rig_submit(r, "ann@demo.test", "bob@far.test carl@demo.test", MAIL);
		struct queue_show_reply s;

		rig_resolve(r, "bob@far.test");
		rig_resolve(r, "5");
		answer(r, waits_for[i]);
		assert_true(rig_local(r, LOCAL_DELIVERED, "2.0.0", ""));
		assert_null(fake_ipc_next(IPC_REMOTE_DELIVER));
		s = rig_show(r, id);
		assert_str(s.entry.reason, STR("It could not be signed: the directory does not answer, or the content cannot be read"));
		assert_int_equal(s.entry.state, QUEUE_WAITING);
		assert_true(s.entry.next_ms - rig_wall <= 3000);
		rig_pass(r, 4000);
		rig_resolve(r, "bob@far.test");
		assert_null(fake_ipc_next(IPC_LOCAL_DELIVER));
		answer(r, ST_OK);
		sent(r, FIELDS);
		assert_int_equal(rig_messages(r), 0);
		rig_free(&r);
	}
}

/* Where nothing is tried now nothing is signed; where one of two destinations takes mail it goes, signed. */
static void test_dead(void **state)
{
	struct rig             *r = rig_signing(QUEUE_FLAG_SUBMIT);
	struct queue_site_info  site;
	struct queue_show_reply s;
	uint64_t                id;

	(void)state;
	for (int i = 0; i < 7; i++) {
		struct remote_rcpt_result silent = { .result = REMOTE_DEFERRED, .code = STR("4.4.1"), .answer = STR("silence") };
		struct fake_call         *c;

		rig_submit(r, "ann@demo.test", "x@far.test", MAIL);
		rig_resolve(r, "x@far.test");
		answer(r, ST_OK);
		c = fake_ipc_next(IPC_REMOTE_DELIVER);
		assert_non_null(c);
		fake_ipc_answer(c, ST_OK, &(struct remote_deliver_reply){ &silent, 1, REMOTE_SITE_TROUBLE });
		rig_settle(r);
	}
	assert_int_equal(queue_site_find(r->q, STR("far.test"), r->arena, &site), ST_OK);
	assert_int_equal(site.state, QUEUE_SITE_DEAD);
	id = rig_submit(r, "ann@demo.test", "bob@far.test", MAIL);
	rig_resolve(r, "bob@far.test");
	assert_null(fake_ipc_next(IPC_AUTH_SIGN));
	assert_null(fake_ipc_next(IPC_REMOTE_DELIVER));
	s = rig_show(r, id);
	assert_int_equal(s.entry.state, QUEUE_WAITING);
	assert_int_equal(s.rcpts[0].attempts, 0);
	assert_true(str_starts(s.entry.reason, STR("far.test is not answering since ")));
	id = rig_submit(r, "ann@demo.test", "bob@far.test eve@other.test", MAIL);
	rig_resolve(r, "bob@far.test");
	rig_resolve(r, "eve@other.test");
	answer(r, ST_OK);
	sent(r, FIELDS);
	assert_null(fake_ipc_next(IPC_REMOTE_DELIVER));
	s = rig_show(r, id);
	assert_int_equal(s.rcpts[0].attempts, 0);
	assert_int_equal(s.rcpts[1].state, QUEUE_RCPT_DONE);
	rig_free(&r);
}

/* No process of auth at all: the same. */
static void test_nobody(void **state)
{
	struct rig *r = rig_signing(QUEUE_FLAG_SUBMIT);

	(void)state;
	rig_submit(r, "ann@demo.test", "bob@far.test", MAIL);
	fake_ipc_alive(ROLE_AUTH, true);
	{
		struct fake_call  *c = fake_ipc_next(IPC_AUTH_RESOLVE);
		struct auth_target t = { .address = STR("bob@far.test") };

		fake_ipc_alive(ROLE_AUTH, false);
		fake_ipc_answer(c, ST_OK, &(struct auth_resolve_reply){ &t, 1 });
	}
	rig_settle(r);
	assert_null(fake_ipc_next(IPC_REMOTE_DELIVER));
	assert_int_equal(rig_messages(r), 1);
	fake_ipc_alive(ROLE_AUTH, true);
	rig_pass(r, 4000);
	rig_resolve(r, "bob@far.test");
	answer(r, ST_OK);
	sent(r, FIELDS);
	rig_free(&r);
}

/* Our own report is signed for its From, the host's name. */
static void test_report(void **state)
{
	struct rig                     *r = rig_signing(0);
	const struct auth_sign_request *q;
	struct fake_call               *c;

	(void)state;
	rig_submit(r, "stranger@far.test", "bob@demo.test", MAIL);
	rig_resolve(r, NULL);
	rig_resolve(r, "stranger@far.test");
	c = fake_ipc_next(IPC_AUTH_SIGN);
	assert_non_null(c);
	q = c->body;
	assert_str(q->domain, STR("mx.demo.test"));
	assert_true(str_search(q->header, STR("content-type:multipart/report;")) > 0);
	fake_ipc_answer(c, ST_OK, &(struct auth_sign_reply){ STR(FIELDS) });
	rig_settle(r);
	sent(r, FIELDS);
	rig_free(&r);
}

/* ---- content of any shape ---- */

static struct str spool_of(struct rig *r, struct str content, int *ret_fd)
{
	static unsigned number;
	char            name[32];

	snprintf(name, sizeof(name), "spool%u", ++number);
	assert_int_equal(disk_open(r->fd, name, DISK_NEW, ret_fd), ST_OK);
	assert_int_equal(disk_write_at(*ret_fd, name, 0, content), ST_OK);
	assert_int_equal(disk_remove(r->fd, name), ST_OK);
	return content;
}

/* Submit `content`; body and header of what auth is asked. False: nothing is. */
static bool asked(struct rig *r, struct str content, bool large, struct arena *a, struct auth_sign_request *ret)
{
	int                spool = -1;
	struct fake_reply *reply;
	struct fake_call  *c;

	if (large)
		spool_of(r, content, &spool);
	reply = rig_submit_raw(r, NULL, "ann@demo.test", "bob@far.test", large ? STR_NONE : content, spool, content.n);
	rig_settle(r);
	assert_true(reply->over && reply->status == ST_OK);
	fake_reply_done(&reply);
	rig_resolve(r, "bob@far.test");
	c = fake_ipc_next(IPC_AUTH_SIGN);
	if (c) {
		*ret = *(const struct auth_sign_request *)c->body;
		ret->header = arena_dup(a, ret->header);
		ret->body_hash = arena_dup(a, ret->body_hash);
		fake_ipc_answer(c, ST_NOT_FOUND, NULL);
		rig_settle(r);
	}
	sent(r, "");
	return c != NULL;
}

static void test_shapes(void **state)
{
	static const struct {
		const char *content, *header, *body;
	} cases[] = {
		{ "From: a@d.test\r\n\r\n", "from:a@d.test\r\n", "" },
		{ "From: a@d.test\r\n", "from:a@d.test\r\n", "" },
		{ "From: a@d.test", "from:a@d.test\r\n", "" },
		{ "From: a@d.test\r\n\r\nx", "from:a@d.test\r\n", "x\r\n" },
		{ "From: a@d.test\r\n\r\n\r\nx\r\n\r\n\r\n", "from:a@d.test\r\n", "\r\nx\r\n" },
		{ "From:\r\n a@d.test \r\n\r\n .x  y \r\n", "from:a@d.test\r\n", " .x y\r\n" },
		{ "From: a@d.test\n\nx\ry\n", "from:a@d.test\r\n", "x\r\ny\r\n" }, /* as it goes out */
		{ "From: \"\xc3\xa4\" <a@d.test>\r\n\r\n\xc3\xa4\r\n", "from:\"\xc3\xa4\" <a@d.test>\r\n", "\xc3\xa4\r\n" },
	};
	struct arena *a = arena_new(NULL);

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct rig              *r = rig_signing(QUEUE_FLAG_SUBMIT);
		struct auth_sign_request q;

		assert_true(asked(r, str_of(cases[i].content), false, a, &q));
		assert_str(q.header, str_of(cases[i].header));
		assert_hash(q.body_hash, cases[i].body);
		rig_free(&r);
	}
	arena_free(&a);
}

/* A file, read in pieces; lines that are folded on the way out are signed folded. */
static void test_large(void **state)
{
	struct arena            *a = arena_new(NULL);
	struct rig              *r = rig_signing(QUEUE_FLAG_SUBMIT);
	struct auth_sign_request q;
	struct buf               content, body;

	(void)state;
	buf_init(&content, MIB);
	buf_init(&body, MIB);
	buf_add(&content, STR("From: a@d.test\r\n"));
	for (int i = 0; i < 3000; i++) /* the end of the header is in the second piece */
		buf_addf(&content, "X-Pad: %d\r\n", i);
	buf_add(&content, STR("Subject: end\r\n\r\n"));
	for (int i = 0; body.n < 300 * KIB; i++)
		buf_addf(&body, "line %d\r\n", i);
	buf_add(&content, buf_str(&body));
	for (int i = 0; i < 1000; i++) {
		buf_add_char(&content, 'x');
		if (i == 998)
			buf_add(&body, STR("\r\n "));
		buf_add_char(&body, 'x');
	}
	buf_add(&body, STR("\r\n"));
	buf_add_char(&body, '\0');
	assert_true(asked(r, buf_str(&content), true, a, &q));
	assert_str(q.header, STR("from:a@d.test\r\nsubject:end\r\n"));
	assert_hash(q.body_hash, body.p);
	rig_free(&r);
	buf_done(&content);
	buf_done(&body);
	arena_free(&a);
}

/* A header that nobody looks at to its end is not signed. */
static void test_huge_header(void **state)
{
	struct arena            *a = arena_new(NULL);
	struct rig              *r = rig_signing(QUEUE_FLAG_SUBMIT);
	struct auth_sign_request q;
	struct buf               content;

	(void)state;
	buf_init(&content, 4 * MIB);
	buf_add(&content, STR("From: a@d.test\r\n"));
	while (content.n < LIMIT_HEADER_BLOCK)
		buf_add(&content, STR("X-Pad: 0123456789012345678901234567890123456789\r\n"));
	assert_false(asked(r, buf_str(&content), true, a, &q));
	buf_clear(&content);
	buf_add(&content, STR("From: a@d.test\r\nTo: "));
	while (content.n < LIMIT_DKIM_HEADER + 64 * KIB)
		buf_add(&content, STR("bbbbbbbbbbbbbbbbbbbbbbbbbbb@d.test,\r\n "));
	buf_add(&content, STR("b@d.test\r\n\r\nx\r\n"));
	assert_false(asked(r, buf_str(&content), true, a, &q));
	rig_free(&r);
	buf_done(&content);
	arena_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asked),  cmocka_unit_test(test_not_ours), cmocka_unit_test(test_filter), cmocka_unit_test(test_no_key),
		cmocka_unit_test(test_waits),  cmocka_unit_test(test_nobody), cmocka_unit_test(test_dead),   cmocka_unit_test(test_report),
		cmocka_unit_test(test_shapes), cmocka_unit_test(test_large),    cmocka_unit_test(test_huge_header),
	};

	return cmocka_run_group_tests_name("queue_sign", tests, NULL, NULL);
}
