/* cli/sendmail_submit.c - the program's side of submit.sock; see sendmail.h and ipc/msg_control.h. */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "cli/sendmail.h"
#include "role/master.h"
#include "sys/clock.h"
#include "sys/dir.h"
#include "sys/fd.h"

#define ANSWER_S     150   /* longer than anything the server waits for */
#define CONNECT_MS   30000 /* too many at once: in all */
#define PAUSE_MS     200

void sendmail_disconnect(struct sendmail_server *s)
{
	fd_close(&s->fd);
}

/* ST_OK: connected, and the server speaks to us. */
static enum status try_connect(struct sendmail *m, struct sendmail_server *s)
{
	const struct timeval  patience = { .tv_sec = ANSWER_S };
	CLEANUP(fd_close) int data = open(arena_cstr(m->arena, m->cli->config.data), O_PATH | O_DIRECTORY | O_CLOEXEC);
	enum status           st = data < 0 ? ST_CLOSED : dir_socket_connect(data, MASTER_SUBMIT, &s->fd);

	if (st != ST_OK)
		return st == ST_NOT_FOUND ? ST_CLOSED : st;
	setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	st = cli_exchange(s->fd, IPC_CONTROL_SUBMIT_OPEN, NULL, m->arena, &s->open);
	if (st != ST_OK)
		fd_close(&s->fd);
	return st == ST_CLOSED ? ST_TEMP : st;
}

int sendmail_connect(struct sendmail *m, struct sendmail_server *ret)
{
	const struct timespec pause = { 0, PAUSE_MS * 1000000L };
	int64_t               until = clock_mono_ms() + CONNECT_MS;
	enum status           st;

	ret->fd = -1;
	if (cli_config(m->cli) != CLI_OK)
		return EX_CONFIG;
	while ((st = try_connect(m, ret)) == ST_TEMP && clock_mono_ms() < until)
		nanosleep(&pause, NULL);
	if (st == ST_OK)
		return EX_OK;
	return sendmail_error(m, EX_TEMPFAIL, st == ST_CLOSED ? "the mail server is not running; the message was not taken"
							      : "the mail server takes no message now, try again later");
}

static int lost(const struct sendmail *m)
{
	return sendmail_error(m, EX_TEMPFAIL, "the mail server was lost, try again later");
}

int sendmail_begin(struct sendmail *m, struct sendmail_server *s, struct str from)
{
	struct control_submit_begin_request q = {
		.from = from,
		.login = str_first(str_of(m->login), LIMIT_LOCAL_PART),
		.rcpts = m->rcpts,
		.rcpt_count = m->rcpt_count,
		.envid = str_of(m->envid),
		.ret_hdrs = m->ret_hdrs,
		.ret_full = m->ret_full,
	};
	struct control_submit_begin_reply r = { 0 };
	enum status st = cli_exchange(s->fd, IPC_CONTROL_SUBMIT_BEGIN, &q, m->arena, &r);

	if (st == ST_LIMIT)
		return sendmail_error(m, EX_DATAERR, "an address is too long, or all of them");
	if (st != ST_OK)
		return lost(m);
	for (size_t i = 0; i < r.refused_count; i++)
		if (r.refused[i].index < m->rcpt_count)
			sendmail_error(m, 0, "%.*s: %.*s", STR_FMT(cli_text(m->arena, m->rcpts[r.refused[i].index].address)),
				       STR_FMT(cli_text(m->arena, r.refused[i].text)));
	return r.code == EX_OK ? EX_OK : sendmail_error(m, (int)r.code, "%.*s", STR_FMT(cli_text(m->arena, r.text)));
}

static int answer(const struct sendmail *m, enum status st, const struct control_submit_end_reply *r)
{
	if (st != ST_OK)
		return lost(m);
	return r->code == EX_OK ? EX_OK : sendmail_error(m, (int)r->code, "%.*s", STR_FMT(cli_text(m->arena, r->text)));
}

int sendmail_data(struct sendmail *m, struct sendmail_server *s, struct str octets)
{
	int code = EX_OK;

	while (code == EX_OK && octets.n > 0) {
		struct arena *a CLEANUP(arena_free) = arena_new(NULL);
		struct control_submit_data_request q = { str_first(octets, CONTROL_SUBMIT_CHUNK) };
		struct control_submit_end_reply    r = { 0 };

		code = answer(m, cli_exchange(s->fd, IPC_CONTROL_SUBMIT_DATA, &q, a, &r), &r);
		octets = str_from(octets, q.octets.n);
	}
	return code;
}

int sendmail_rest(struct sendmail *m, struct sendmail_server *s, FILE *rest)
{
	char  *chunk = arena_alloc(m->arena, CONTROL_SUBMIT_CHUNK);
	size_t n;
	int    code = EX_OK;

	if (fflush(rest) != 0 || fseek(rest, 0, SEEK_SET) != 0)
		return sendmail_error(m, EX_IOERR, "the message could not be kept meanwhile");
	while (code == EX_OK && (n = fread(chunk, 1, CONTROL_SUBMIT_CHUNK, rest)) > 0)
		code = sendmail_data(m, s, str_n(chunk, n));
	return code == EX_OK && ferror(rest) ? sendmail_error(m, EX_IOERR, "the message could not be kept meanwhile") : code;
}

int sendmail_end(struct sendmail *m, struct sendmail_server *s, uint64_t *ret_id)
{
	struct control_submit_end_reply r = { 0 };
	int code = answer(m, cli_exchange(s->fd, IPC_CONTROL_SUBMIT_END, NULL, m->arena, &r), &r);

	*ret_id = r.id;
	return code;
}
