/* tests/unit/queue_rig.c - see queue_rig.h. */
#include "unit.h"

#include "queue_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "db/db.h"
#include "queue/queue_in.h"
#include "sys/disk.h"

int64_t  rig_mono = 1000000, rig_wall = 1700000000000;
uint32_t rig_passed;
enum remote_site rig_site;
struct rig_wants rig_wants;

int64_t rig_clock_mono(void)
{
	return rig_mono;
}

int64_t rig_clock_wall(void)
{
	return rig_wall;
}

/* One directory for all rigs of the process, as the database layer knows few roots. */
static int  base_fd = -1;
static char base_name[] = "/tmp/postrider-queue-XXXXXX"; /* not by pid: one that was killed has left its own behind */

static void remove_base(void)
{
	(void)!rmdir(base_name);
}

static void base_make(void)
{
	db_init();
	log_set_level(LOG_LEVEL_ERROR + 1);
	assert_non_null(mkdtemp(base_name));
	assert_int_equal(disk_open(AT_FDCWD, base_name, DISK_READ, &base_fd), ST_OK);
	assert_int_equal(db_root("rigs", base_fd), ST_OK);
	atexit(remove_base);
}

struct rig *rig_new(void)
{
	static unsigned number;
	struct rig     *r = calloc(1, sizeof(*r));

	if (number++ == 0)
		base_make();
	rig_mono = 1000000;
	rig_wall = 1700000000000;
	rig_passed = 0;
	rig_site = REMOTE_SITE_NONE;
	rig_wants = (struct rig_wants){ 0 };
	fake_ipc_reset();
	snprintf(r->dir, sizeof(r->dir), "%u", number);
	assert_int_equal(disk_make_dir(base_fd, r->dir), ST_OK);
	assert_int_equal(disk_open(base_fd, r->dir, DISK_READ, &r->fd), ST_OK);
	r->arena = arena_new(NULL);
	r->options = (struct queue_options){
		.dir = r->fd,
		.root = arena_printf(r->arena, "rigs/%u", number).p,
		.hostname = STR("mx.demo.test"),
		.watermark_octets = 1,
		.reserve_octets = 64 * KIB,
		.delay_warning_ms = -1,
		.mono_ms = rig_clock_mono,
		.wall_ms = rig_clock_wall,
	};
	return r;
}

void rig_open(struct rig *r)
{
	assert_int_equal(queue_open(&r->options, &r->q), ST_OK);
	queue_start_turns(r->q, (struct ipc *)r); /* the fake never looks at it */
	rig_settle(r);
}

void rig_close(struct rig *r)
{
	queue_stop(r->q);
	queue_turn(r->q);
	queue_close(&r->q);
	fake_ipc_reset();
}

void rig_crash(struct rig *r)
{
	queue_close(&r->q);
	fake_ipc_reset();
}

static void found(void *arg, const char *invariant, struct str text)
{
	(void)arg;
	print_error("%s: %.*s\n", invariant, STR_FMT(text));
}

void rig_free(struct rig **at)
{
	struct rig *r = *at;

	if (r->q)
		rig_close(r);
	assert_int_equal(queue_open(&r->options, &r->q), ST_OK);
	assert_int_equal(queue_check(r->q, found, NULL, &r->breaks), ST_OK);
	assert_int_equal(r->breaks, 0);
	queue_close(&r->q);
	close(r->fd);
	assert_int_equal(disk_remove_dir(base_fd, r->dir), ST_OK);
	arena_free(&r->arena);
	free(r);
	*at = NULL;
}

void rig_quotas(void)
{
	struct fake_call *c;

	while ((c = fake_ipc_next(IPC_AUTH_QUOTA)) != NULL)
		fake_ipc_answer(c, ST_OK, &(struct auth_quota_reply){ 0 });
	while ((c = fake_ipc_next(IPC_AUTH_HOP)) != NULL)
		fake_ipc_answer(c, ST_NOT_FOUND, NULL); /* as it was */
}

static void signatures(struct rig *r)
{
	struct fake_call *c;

	while (!r->signatures_held && (c = fake_ipc_next(IPC_AUTH_SIGN)) != NULL)
		fake_ipc_answer(c, ST_NOT_FOUND, NULL);
}

void rig_settle(struct rig *r)
{
	for (int i = 0; i < 50; i++) {
		queue_turn(r->q);
		if (!r->quotas_held)
			rig_quotas();
		signatures(r);
	}
}

void rig_pass(struct rig *r, int64_t ms)
{
	rig_mono += ms;
	rig_wall += ms;
	rig_settle(r);
}

struct fake_reply *rig_submit_raw(struct rig *r, const char *txid, const char *from, const char *to, struct str content, int spool, uint64_t size)
{
	static uint64_t   number;
	char              random[QUEUE_TXID] = { 0 };
	struct queue_rcpt rcpts[LIMIT_RCPTS] = { 0 };
	struct queue_submit_request s = {
		.txid = str_n(random, sizeof(random)),
		.from = str_of(from),
		.rcpts = rcpts,
		.session = STR("s1"),
		.peer = STR("192.0.2.1"),
		.received_ms = rig_wall,
		.size = size,
		.content = content,
		.spool = spool,
		.flags = rig_wants.flags,
		.envid = str_of(rig_wants.envid ? rig_wants.envid : ""),
		.hold_until_ms = rig_wants.hold_until_ms,
		.deliver_by_ms = rig_wants.deliver_by_ms,
		.priority = rig_wants.priority,
		.account = rig_wants.account,
		.token = str_of(rig_wants.token ? rig_wants.token : ""),
	};
	struct str rest = str_of(to), one;

	number++;
	if (txid)
		memcpy(random, txid, strlen(txid));
	else
		memcpy(random + 8, &number, sizeof(number));
	while (rest.n > 0) {
		str_cut(rest, ' ', &one, &rest);
		rcpts[s.rcpt_count++] = (struct queue_rcpt){ one, rig_wants.notify, str_of(rig_wants.orcpt ? rig_wants.orcpt : "") };
	}
	return fake_ipc_ask(queue_submit, r->q, IPC_QUEUE_SUBMIT, &s);
}

uint64_t rig_submit(struct rig *r, const char *from, const char *to, const char *content)
{
	struct fake_reply *reply = rig_submit_raw(r, NULL, from, to, str_of(content), -1, strlen(content));
	struct queue_submit_reply *body;
	uint64_t id;

	rig_settle(r);
	assert_true(reply->over);
	assert_int_equal(reply->status, ST_OK);
	body = reply->body;
	id = body->result == QUEUE_SUBMIT_QUEUED ? body->id : 0;
	fake_reply_done(&reply);
	return id;
}

bool rig_resolve(struct rig *r, const char *targets)
{
	struct fake_call         *c = fake_ipc_next(IPC_AUTH_RESOLVE);
	struct auth_target        list[LIMIT_ALIAS_TARGETS];
	struct auth_resolve_reply reply = { list, 0 };
	struct str                rest = str_of(targets), one;

	if (!c)
		return false;
	while (rest.n > 0) {
		uint64_t account = 0;

		str_cut(rest, ' ', &one, &rest);
		if (!str_to_u64(one, &account))
			account = 0;
		list[reply.target_count++] = (struct auth_target){ account, account ? arena_printf(r->arena, "u%.*s@demo.test", STR_FMT(one)) : one };
	}
	fake_ipc_answer(c, targets ? ST_OK : ST_NOT_FOUND, &reply);
	rig_settle(r);
	return true;
}

bool rig_local(struct rig *r, enum local_result result, const char *code, const char *reason)
{
	struct fake_call          *c = fake_ipc_next(IPC_LOCAL_DELIVER);
	struct local_deliver_reply reply = { result, str_of(code), str_of(reason) };

	if (!c)
		return false;
	fake_ipc_answer(c, ST_OK, &reply);
	rig_settle(r);
	return true;
}

bool rig_local_lost(struct rig *r)
{
	struct fake_call *c = fake_ipc_next(IPC_LOCAL_DELIVER);

	if (!c)
		return false;
	fake_ipc_answer(c, ST_TEMP, NULL);
	rig_settle(r);
	return true;
}

bool rig_remote(struct rig *r, enum remote_result result, const char *code, const char *answer)
{
	struct fake_call                    *c = fake_ipc_next(IPC_REMOTE_DELIVER);
	struct remote_rcpt_result            results[QUEUE_JOB_RCPTS];
	struct remote_deliver_reply          reply = { results, 0, rig_site };
	const struct remote_deliver_request *request;

	if (!c)
		return false;
	request = c->body;
	for (size_t i = 0; i < request->rcpt_count; i++)
		results[reply.result_count++] = (struct remote_rcpt_result){
			request->rcpts[i].index, result, str_of(code), str_of(answer), STR("mx.far.test [192.0.2.9]:25"), STR(""), rig_passed,
		};
	fake_ipc_answer(c, ST_OK, &reply);
	rig_settle(r);
	return true;
}

uint64_t rig_messages(struct rig *r)
{
	struct queue_stats_reply s;

	assert_int_equal(queue_stats(r->q, &s), ST_OK);
	return s.messages;
}

struct queue_show_reply rig_show(struct rig *r, uint64_t id)
{
	struct queue_show_reply s;

	assert_int_equal(queue_show(r->q, id, r->arena, &s), ST_OK);
	return s;
}
