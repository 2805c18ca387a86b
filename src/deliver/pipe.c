/* deliver/pipe.c - see pipe.h. */
#include "deliver/pipe.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/metric.h"
#include "deliver/pipe_content.h"
#include "deliver/pipe_exit.h"
#include "sys/clock.h"
#include "sys/fd.h"
#include "sys/program.h"

_Static_assert(PIPE_WAIT_MS + LIMIT_PIPE_MS < (int64_t)80 * 60 * 1000, "who asks waits for longer (ipc_msg.c)");

#define RUN_TASKS 8u /* processes that a run has as a rule */

struct waiting {
	struct waiting     *next;
	struct ipc_request *request;
	int64_t             since_ms;
};

struct line { /* one pipe */
	struct str              name;
	const struct pipe_conf *conf; /* NULL: not configured any more */
	struct waiting         *first, **last;
	unsigned                running;
};

struct pipes {
	pthread_mutex_t lock;
	pthread_cond_t  quiet;   /* nothing runs */
	struct arena   *arena;   /* names */
	struct line     lines[2 * LIMIT_PIPES]; /* by name, for good: some may be of the past */
	size_t          line_count;
	struct str      separators;
	uint32_t        own_tasks, base_tasks; /* 0: not counted */
	unsigned        running;
	bool            stopping;
	int             cancel;
};

struct pipes *pipes_new(void)
{
	struct pipes *p = calloc(1, sizeof(*p));

	CHECK(p);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->quiet, NULL);
	p->arena = arena_new(NULL);
	p->cancel = eventfd(0, EFD_CLOEXEC);
	if (p->cancel < 0)
		pipes_free(&p);
	return p;
}

void pipes_free(struct pipes **at)
{
	struct pipes *p = *at;

	if (!p)
		return;
	fd_close(&p->cancel);
	arena_free(&p->arena);
	pthread_cond_destroy(&p->quiet);
	pthread_mutex_destroy(&p->lock);
	free(p);
	*at = NULL;
}

/* ---- configured pipes ---- */

static struct line *line_find(struct pipes *p, struct str name)
{
	for (size_t i = 0; i < p->line_count; i++)
		if (str_eq(p->lines[i].name, name))
			return &p->lines[i];
	return NULL;
}

/* A free one, or one of the past on which nothing waits or runs. */
static struct line *line_new(struct pipes *p, struct str name)
{
	struct line *l = NULL;

	for (size_t i = 0; i < p->line_count && !l; i++)
		if (!p->lines[i].conf && !p->lines[i].first && p->lines[i].running == 0)
			l = &p->lines[i];
	if (!l && p->line_count < LEN(p->lines))
		l = &p->lines[p->line_count++];
	if (l) {
		*l = (struct line){ .name = arena_dup(p->arena, name) };
		l->last = &l->first;
	}
	return l;
}

void pipes_set(struct pipes *p, const struct pipes_settings *s)
{
	uint64_t all = s->own_tasks;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < p->line_count; i++)
		p->lines[i].conf = NULL;
	for (size_t i = 0; i < s->count; i++) {
		struct line *l = line_find(p, s->confs[i].name);

		l = l ? l : line_new(p, s->confs[i].name);
		if (l)
			l->conf = &s->confs[i];
		else
			log_error("too many pipes were renamed since the start: this one is not run before the next", LOG_STR("pipe", s->confs[i].name));
		all += (uint64_t)s->confs[i].runs * RUN_TASKS;
	}
	p->separators = s->separators;
	p->own_tasks = s->own_tasks;
	p->base_tasks = (uint32_t)all;
	pthread_mutex_unlock(&p->lock);
}

/* ---- one request ---- */

static void answer_all(struct ipc_request *r, const struct pipe_verdict *v)
{
	static const enum metric counted[] = {
		[REMOTE_DELIVERED] = METRIC_PIPE_DELIVERED, [REMOTE_DEFERRED] = METRIC_PIPE_DEFERRED, [REMOTE_REFUSED] = METRIC_PIPE_REFUSED,
	};
	const struct pipe_deliver_request *q = r->body;
	struct remote_rcpt_result         *results = ARENA_ARRAY(r->arena, struct remote_rcpt_result, q->rcpt_count);
	struct remote_deliver_reply        reply = { .results = results, .result_count = q->rcpt_count, .site = REMOTE_SITE_ANSWERED };
	struct str                         host = arena_printf(r->arena, "pipe:%.*s", STR_FMT(q->name));

	for (size_t i = 0; i < q->rcpt_count; i++)
		results[i] = (struct remote_rcpt_result){
			.index = q->rcpts[i].index, .result = v->result, .code = v->code, .answer = v->text, .host = host,
		};
	metric_add(counted[v->result], q->rcpt_count);
	ipc_reply(r, ST_OK, &reply);
}

static bool loops(const struct pipe_run *run, const struct remote_content *source, struct arena *a)
{
	char       *space = arena_alloc(a, LIMIT_PIPE_HEAD);
	struct str  chunk;
	size_t      n = 0;

	if (!(run->flags & PIPE_DELIVERED_TO) || run->rcpt_count == 0)
		return false;
	while (n + REMOTE_CHUNK <= LIMIT_PIPE_HEAD && n < source->raw_octets) {
		/* Into `space` or, from memory, beside it. */
		if (remote_content_read(source, n, space + n, &chunk) != ST_OK || chunk.n == 0)
			break;
		n += chunk.n;
	}
	return pipe_content_was_here(source->fd < 0 ? str_first(source->memory, LIMIT_PIPE_HEAD) : str_n(space, n), pipe_address(run, run->rcpts[0], a));
}

/* What a run goes by: as it was when it began. */
struct terms {
	const struct pipe_conf *conf; /* NULL: the pipe is not configured any more */
	struct str              separators;
	uint32_t                own_tasks, base_tasks;
	int                     cancel;
};

/* The system counts tasks by user, not by run. So a run has what it may have on top of what there is, or of what all runs have as a rule, if that is
 * more: one that forks without end stops well before those that come after it are touched. */
static uint32_t processes_of(const struct terms *t)
{
	return t->conf->processes && t->own_tasks ? MAX(t->base_tasks, t->own_tasks + program_tasks()) + t->conf->processes : 0;
}

static void run_program(const struct terms *t, const struct pipe_run *run, const char *const *argv, const struct remote_content *source,
			struct arena *a, struct pipe_verdict *ret)
{
	const struct pipe_conf *c = run->conf;
	struct pipe_content    *content = ARENA_NEW(a, struct pipe_content);
	struct program_end      end;
	struct program          program = {
		.argv = argv,
		.envp = pipe_environment(run, a),
		.memory_octets = c->memory_octets,
		.file_octets = c->file_octets,
		.processes = processes_of(t),
		.network = c->network,
		.time_ms = (int64_t)c->time_s * 1000,
		.output_max = LIMIT_PIPE_OUTPUT,
		.cancel = t->cancel,
		.input = pipe_content_next,
		.arg = content,
	};

	pipe_content_init(content, run, source, clock_wall_ms());
	program_run(&program, a, &end);
	pipe_content_done(content);
	pipe_verdict_of(&end, c->time_s, a, ret);
}

static void deliver(const struct terms *t, struct ipc_request *r, struct pipe_verdict *ret)
{
	static const struct pipe_verdict refusals[] = {
		[PIPE_EXPAND_SENDER] = { REMOTE_REFUSED, STR("5.1.7"), STR("The program cannot be given the sender's address: it would read it as an option") },
		[PIPE_EXPAND_RECIPIENT] = { REMOTE_REFUSED, STR("5.1.3"), STR("The program cannot be given this address: it would read it as an option") },
		[PIPE_EXPAND_LIMIT] = { REMOTE_REFUSED, STR("5.3.5"), STR("Its addresses are too long for the program's arguments") },
	};
	const struct pipe_deliver_request *q = r->body;
	struct remote_content              source = { .memory = q->content, .fd = q->file, .raw_octets = q->file < 0 ? q->content.n : q->size };
	struct pipe_run                    run = { .conf = t->conf, .rcpt_count = q->rcpt_count, .sender = q->from, .queue_id = q->id, .nexthop = q->nexthop,
						   .peer = q->peer, .separators = t->separators, .size = source.raw_octets };
	const char                       **argv = NULL;
	size_t                             bad;
	enum pipe_expand_err               err;

	run.rcpts = ARENA_ARRAY(r->arena, const struct pipe_rcpt *, q->rcpt_count);
	for (size_t i = 0; i < q->rcpt_count; i++)
		run.rcpts[i] = &q->rcpts[i];
	CHECK(pipe_flags_parse(t->conf->flags, &run.flags));
	err = pipe_expand(&run, r->arena, &argv, &bad);
	if (err != PIPE_EXPAND_OK)
		*ret = refusals[err];
	else if (loops(&run, &source, r->arena))
		*ret = (struct pipe_verdict){ REMOTE_REFUSED, STR("5.4.6"), STR("Mail loop: it was delivered to this address before") };
	else
		run_program(t, &run, argv, &source, r->arena, ret);
}

/* ---- a pipe's line ---- */

static struct waiting *take(struct pipes *p, struct line *l, struct terms *ret)
{
	struct waiting *w;

	pthread_mutex_lock(&p->lock);
	w = l->first;
	if (w) {
		l->first = w->next;
		l->last = l->first ? l->last : &l->first;
	} else {
		l->running--;
		if (--p->running == 0)
			pthread_cond_broadcast(&p->quiet);
	}
	*ret = (struct terms){ p->stopping ? NULL : l->conf, p->separators, p->own_tasks, p->base_tasks, p->cancel };
	pthread_mutex_unlock(&p->lock);
	return w;
}

static void serve_one(struct waiting *w, const struct terms *t)
{
	static const struct pipe_verdict unknown = { REMOTE_DEFERRED, STR("4.3.5"), STR("No pipe of this name is configured") };
	struct pipe_verdict              v;
	int                              file = ((const struct pipe_deliver_request *)w->request->body)->file;

	if (clock_mono_ms() - w->since_ms >= PIPE_WAIT_MS) {
		ipc_reply(w->request, ST_BUSY, NULL);
	} else if (!t->conf) {
		answer_all(w->request, &unknown);
	} else {
		deliver(t, w->request, &v);
		answer_all(w->request, &v);
	}
	fd_close(&file);
	free(w);
}

struct worker {
	struct pipes *pipes;
	struct line  *line;
};

static void *worker_main(void *arg)
{
	struct worker   w = *(struct worker *)arg;
	struct waiting *next;
	struct terms    t;

	free(arg);
	while ((next = take(w.pipes, w.line, &t)) != NULL)
		serve_one(next, &t);
	return NULL;
}

/* Under the lock. False: no thread, and none that would come to it. */
static bool worker_start(struct pipes *p, struct line *l)
{
	struct worker *w = malloc(sizeof(*w));
	pthread_t      thread;
	bool           ok;

	CHECK(w);
	*w = (struct worker){ p, l };
	ok = pthread_create(&thread, NULL, worker_main, w) == 0;
	if (!ok) {
		free(w);
		return l->running > 0;
	}
	pthread_detach(thread);
	l->running++;
	p->running++;
	return true;
}

/* Short: it only stands in line. */
static void on_deliver(void *ctx, struct ipc_request *r)
{
	struct pipes                      *p = ctx;
	const struct pipe_deliver_request *q = r->body;
	struct waiting                    *w = calloc(1, sizeof(*w));
	struct line                       *l;
	int                                file = q->file;
	bool                               taken = false;

	CHECK(w);
	*w = (struct waiting){ .request = r, .since_ms = clock_mono_ms() };
	pthread_mutex_lock(&p->lock);
	l = p->stopping ? NULL : line_find(p, q->name);
	if (l && l->conf && (l->running >= l->conf->runs || worker_start(p, l))) {
		*l->last = w;
		l->last = &w->next;
		taken = true;
	}
	pthread_mutex_unlock(&p->lock);
	if (taken)
		return;
	free(w);
	fd_close(&file);
	ipc_reply(r, ST_BUSY, NULL); /* not run: asked again soon, with the settings of then */
}

void pipes_stop(struct pipes *p)
{
	const uint64_t one = 1;

	pthread_mutex_lock(&p->lock);
	p->stopping = true;
	(void)!write(p->cancel, &one, sizeof(one)); /* nobody reads it: it stays readable */
	while (p->running > 0)
		pthread_cond_wait(&p->quiet, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

const struct ipc_row pipe_rows[] = {
	{ IPC_PIPE_DELIVER, on_deliver, 0 },
};
const size_t pipe_row_count = LEN(pipe_rows);
