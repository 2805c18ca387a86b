/* smtp/smtp_ask.c - see smtp_ask.h. Every question has a deadline of its own (ipc/ipc_msg.c). */
#include "smtp/smtp_ask.h"

#include "base/metric.h"
#include "sys/clock.h"
#include "sys/random.h"

#include <stdlib.h>
#include <time.h>

static enum status ask_rcpt(void *ctx, const struct auth_rcpt_request *request, struct arena *a, struct auth_rcpt_reply *ret)
{
	return ipc_call(ctx, ROLE_AUTH, IPC_ANY, IPC_AUTH_RCPT, request, a, ret);
}

static enum status ask_sender(void *ctx, uint64_t account, struct str address)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);

	return ipc_call(ctx, ROLE_AUTH, IPC_ANY, IPC_AUTH_SENDER, &(struct auth_sender_request){ account, address, false }, a, NULL);
}

static enum status ask_behalf(void *ctx, uint64_t account, struct str address)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);

	return ipc_call(ctx, ROLE_AUTH, IPC_ANY, IPC_AUTH_SENDER, &(struct auth_sender_request){ account, address, true }, a, NULL);
}

static enum status ask_rewrite(void *ctx, const struct auth_rewrite_request *request, struct arena *a, struct auth_rewrite_reply *ret)
{
	return ipc_call(ctx, ROLE_AUTH, IPC_ANY, IPC_AUTH_REWRITE, request, a, ret);
}

static enum status ask_probe(void *ctx, const struct remote_probe_request *request, struct arena *a, struct remote_probe_reply *ret)
{
	return ipc_call(ctx, ROLE_REMOTE, IPC_ANY, IPC_REMOTE_PROBE, request, a, ret);
}

static enum status ask_probed(void *ctx, const struct auth_probed_request *request, struct arena *a, struct auth_rcpt_reply *ret)
{
	return ipc_call(ctx, ROLE_AUTH, IPC_ANY, IPC_AUTH_PROBED, request, a, ret);
}

/* What goes through ipc_start until the answer comes. */
struct submit {
	smtp_submit_fn *done;
	void           *arg;
};

static void submit_done(void *arg, enum status st, const void *reply)
{
	struct submit s = *(struct submit *)arg;

	free(arg);
	s.done(s.arg, st, reply);
}

static void ask_submit(void *ctx, const struct queue_submit_request *request, smtp_submit_fn *done, void *arg)
{
	struct submit *s = malloc(sizeof(*s));

	CHECK(s);
	*s = (struct submit){ done, arg };
	ipc_start(ctx, ROLE_QUEUE, IPC_ANY, IPC_QUEUE_SUBMIT, request, submit_done, s);
}

static enum status ask_known(void *ctx, struct str txid, struct queue_known_reply *ret)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);

	return ipc_call(ctx, ROLE_QUEUE, IPC_ANY, IPC_QUEUE_KNOWN, &(struct queue_known_request){ txid }, a, ret);
}

static enum status ask_spool(void *ctx, int *ret_fd)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);
	struct queue_spool_reply reply;
	enum status              st = ipc_call(ctx, ROLE_QUEUE, IPC_ANY, IPC_QUEUE_SPOOL, "", a, &reply);

	if (st != ST_OK)
		return st;
	*ret_fd = reply.spool;
	return reply.spool >= 0 ? ST_OK : ST_CORRUPT;
}

static enum status ask_flush(void *ctx, struct str domain, uint64_t *ret_count)
{
	struct arena *a CLEANUP(arena_free) = arena_new(NULL);
	struct queue_count_reply reply = { 0 };
	enum status              st = ipc_call(ctx, ROLE_QUEUE, IPC_ANY, IPC_QUEUE_FLUSH, &(struct queue_flush_request){ domain }, a, &reply);

	*ret_count = st == ST_OK ? reply.count : 0;
	return st;
}

static void heard(void *arg, enum status st, const void *reply)
{
	(void)arg, (void)reply;
	metric_add(METRIC_SMTP_TRACE_LOST, st != ST_OK);
}

static void ask_trace(void *ctx, const struct trace_event *e)
{
	ipc_start(ctx, ROLE_QUEUE, IPC_ANY, IPC_QUEUE_TRACE, e, heard, NULL);
}

/* ---- guard ---- */

struct connect {
	smtp_connect_fn *done;
	void            *arg;
};

static void connect_done(void *arg, enum status st, const void *reply)
{
	struct connect c = *(struct connect *)arg;

	free(arg);
	c.done(c.arg, st, reply);
}

static void ask_connect(void *ctx, const struct guard_connect_request *request, smtp_connect_fn *done, void *arg)
{
	struct connect *c = malloc(sizeof(*c));

	CHECK(c);
	*c = (struct connect){ done, arg };
	ipc_start(ctx, ROLE_AUTH, IPC_ANY, IPC_GUARD_CONNECT, request, connect_done, c);
}

static void noted(void *arg, enum status st, const void *reply)
{
	(void)arg;
	(void)st;
	(void)reply;
}

static void ask_note(void *ctx, const struct guard_note_request *request)
{
	ipc_start(ctx, ROLE_AUTH, IPC_ANY, IPC_GUARD_NOTE, request, noted, NULL);
}

static int64_t now_ms(void *ctx)
{
	(void)ctx;
	return clock_wall_ms();
}

static void random_fill(void *ctx, void *p, size_t n)
{
	(void)ctx;
	random_octets(p, n);
}

static void wait_ms(void *ctx, unsigned ms)
{
	struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

	(void)ctx;
	nanosleep(&t, NULL);
}

const struct smtp_ask smtp_ask_ipc = {
	.rcpt = ask_rcpt,
	.sasl = &sasl_ask_ipc,
	.sender = ask_sender,
	.behalf = ask_behalf,
	.rewrite = ask_rewrite,
	.probe = ask_probe,
	.probed = ask_probed,
	.submit = ask_submit,
	.known = ask_known,
	.spool = ask_spool,
	.flush = ask_flush,
	.trace = ask_trace,
	.connect = ask_connect,
	.note = ask_note,
	.now_ms = now_ms,
	.random = random_fill,
	.pause = wait_ms,
};
