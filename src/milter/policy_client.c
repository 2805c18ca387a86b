/* milter/policy_client.c - see policy_client.h. */
#include "milter/policy_client.h"

#include "milter/filter_io.h"
#include "sys/clock.h"
#include "sys/fd.h"

void policy_client_init(struct policy_client *p, const struct filter_conf *conf)
{
	*p = (struct policy_client){ .conf = conf, .fd = -1, .left_ms = conf->total_ms };
	buf_init(&p->in, LIMIT_POLICY_ANSWER);
	buf_init(&p->scratch, LIMIT_POLICY_ANSWER * 2);
}

void policy_client_done(struct policy_client *p)
{
	fd_close(&p->fd);
	buf_done(&p->in);
	buf_done(&p->scratch);
}

bool policy_client_is_alive(struct policy_client *p)
{
	if (p->fd >= 0 && !filter_io_quiet(p->fd))
		fd_close(&p->fd);
	return p->fd >= 0;
}

void policy_client_open(struct policy_client *p, int fd)
{
	fd_close(&p->fd);
	p->fd = fd;
	if (fd_set_nonblock(fd, true) != ST_OK)
		fd_close(&p->fd);
}

void policy_client_begin(struct policy_client *p)
{
	p->left_ms = p->conf->total_ms;
}

static enum status answer_read(struct policy_client *p, struct policy_answer *ret, int64_t until_ms)
{
	for (;;) {
		enum status st = filter_io_receive(p->fd, &p->in, until_ms);

		if (st != ST_OK) /* in the middle is another matter than before */
			return st == ST_CLOSED && p->in.n > 0 ? ST_CORRUPT : st;
		switch (policy_answer_parse(buf_str(&p->in), &p->scratch, ret)) {
		case POLICY_ANSWER_OK: return ST_OK;
		case POLICY_ANSWER_BAD: return ST_CORRUPT;
		case POLICY_ANSWER_MORE: break;
		}
	}
}

enum status policy_client_ask(struct policy_client *p, struct str question, struct policy_answer *ret)
{
	int64_t     began_ms = clock_mono_ms();
	int64_t     until_ms = began_ms + MIN((int64_t)p->conf->timeout_ms, p->left_ms);
	enum status st = p->fd < 0 ? ST_CLOSED : filter_io_send(p->fd, question, until_ms);

	buf_clear(&p->in);
	if (st == ST_OK)
		st = answer_read(p, ret, until_ms);
	p->left_ms -= clock_mono_ms() - began_ms;
	if (st != ST_OK)
		fd_close(&p->fd);
	return st;
}
