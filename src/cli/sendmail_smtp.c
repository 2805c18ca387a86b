/* cli/sendmail_smtp.c - sendmail -bs: a small SMTP server on standard input and output, for programs that speak SMTP to a pipe.
 *
 *   NEW --HELO, EHLO--> READY --MAIL--> MAIL --RCPT--> MAIL --DATA--> READY
 *
 * Each message goes the way of all others from local programs, through submit.sock, as the user who runs it. HELO is not insisted on.
 * Only CRLF.CRLF ends data, and what holds another line end is refused, as on port 25: the pipe may come from a network.
 */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "cli/sendmail.h"
#include "wire/address/address.h"
#include "wire/smtp/smtp_data.h"
#include "wire/text/queue_id.h"

struct smtp {
	struct sendmail       *m;
	struct sendmail_server server;
	struct arena          *tx; /* NULL: no MAIL yet */
	struct str             from;
	bool                   quit;
};

static void say(const char *code_text)
{
	printf("%s\r\n", code_text);
}

static void reset(struct smtp *s)
{
	arena_free(&s->tx);
	s->m->rcpt_count = 0;
}

/* "FROM:<path>" and parameters, of which SIZE= and BODY= are announced. */
static bool path_take(struct str arg, struct str prefix, struct str *ret_path)
{
	struct str word, rest;

	if (!str_skip(&arg, prefix))
		return false;
	arg = str_trim(arg);
	if (!str_skip_char(&arg, '<') || !str_rcut(arg, '>', ret_path, &rest))
		return false;
	for (rest = str_trim(rest); rest.n > 0; rest = str_trim(rest)) {
		str_cut(rest, ' ', &word, &rest);
		if (!str_istarts(word, STR("SIZE=")) && !str_istarts(word, STR("BODY=")))
			return false;
	}
	return true;
}

static void on_mail(struct smtp *s, struct str arg)
{
	struct str     path;
	struct address parsed;

	if (s->tx)
		say("503 5.5.1 MAIL was said already");
	else if (!path_take(arg, STR("FROM:"), &path))
		say("501 5.5.4 Syntax: MAIL FROM:<address>");
	else if (path.n > 0 && address_parse(path, true, &parsed) != ADDRESS_OK)
		say("553 5.1.7 Sender address is malformed");
	else {
		s->tx = arena_new(NULL);
		s->from = arena_dup(s->tx, path);
		say("250 2.1.0 Sender accepted");
	}
}

static void on_rcpt(struct smtp *s, struct str arg)
{
	struct str     path;
	struct address parsed;

	if (!s->tx)
		say("503 5.5.1 MAIL first");
	else if (!path_take(arg, STR("TO:"), &path))
		say("501 5.5.4 Syntax: RCPT TO:<address>");
	else if (address_parse(path, true, &parsed) != ADDRESS_OK)
		say("553 5.1.3 Recipient address is malformed");
	else if (s->m->rcpt_count == LIMIT_RCPTS)
		say("452 4.5.3 Too many recipients");
	else {
		s->m->rcpts[s->m->rcpt_count++] = (struct queue_rcpt){ .address = arena_dup(s->tx, path) };
		say("250 2.1.5 Recipient will be checked with the message");
	}
}

/* ---- DATA ---- */

struct content {
	struct sendmail_input in;
	bool                  failed;
};

static void content_write(void *ctx, struct str run)
{
	struct content *c = ctx;

	c->failed = c->failed || !sendmail_input_add(&c->in, run);
}

/* True when the end was read; false at the end of the input. */
static bool content_read(struct content *c, struct smtp_data *d)
{
	char   *line = NULL;
	size_t  cap = 0;
	ssize_t n;
	bool    end = false;

	while (!end && (n = getline(&line, &cap, stdin)) > 0) {
		struct str in = str_n(line, (size_t)n);

		end = smtp_data_feed(d, &in, content_write, c);
	}
	free(line);
	return end;
}

static int hand_over(struct smtp *s, const struct sendmail_input *in, uint64_t *ret_id)
{
	int code = sendmail_begin(s->m, &s->server, s->from);

	if (code == EX_OK)
		code = sendmail_data(s->m, &s->server, buf_str(&in->head));
	if (code == EX_OK && in->rest)
		code = sendmail_rest(s->m, &s->server, in->rest);
	return code == EX_OK ? sendmail_end(s->m, &s->server, ret_id) : code;
}

static void on_data(struct smtp *s)
{
	struct content   c = { .failed = false };
	struct smtp_data d;
	uint64_t         id = 0;

	if (!s->tx || s->m->rcpt_count == 0) {
		say("503 5.5.1 RCPT first");
		return;
	}
	say("354 Send the message, end with <CRLF>.<CRLF>");
	fflush(stdout);
	smtp_data_init(&d, false);
	sendmail_input_init(&c.in);
	if (!content_read(&c, &d))
		s->quit = true; /* nothing was sent, and nobody is there to be told */
	else if (d.bare_cr || d.bare_lf || d.nul)
		say("554 5.6.0 Message holds a bare CR or LF, or a NUL; lines end in CRLF");
	else if (c.failed)
		say("452 4.3.1 Not enough storage, try again later");
	else
		switch (hand_over(s, &c.in, &id)) {
		case EX_OK: printf("250 2.0.0 OK queued as %s\r\n", queue_id_text(id).p); break;
		case EX_NOUSER: say("550 5.1.1 A recipient was refused, nothing was sent"); break;
		case EX_DATAERR: say("554 5.6.0 Message refused"); break;
		case EX_TEMPFAIL: say("451 4.3.0 Message could not be queued, try again later"); s->quit = true; break;
		default: say("554 5.0.0 Message refused"); break;
		}
	sendmail_input_done(&c.in);
	reset(s);
}

/* ---- commands ---- */

static void command(struct smtp *s, struct str line)
{
	struct str verb, arg;

	str_cut(line, ' ', &verb, &arg);
	if (str_ieq(verb, STR("EHLO"))) {
		reset(s);
		printf("250-%.*s\r\n250-SIZE %llu\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n", STR_FMT(s->server.open.hostname),
		       (unsigned long long)s->server.open.message_octets);
	} else if (str_ieq(verb, STR("HELO"))) {
		reset(s);
		printf("250 %.*s\r\n", STR_FMT(s->server.open.hostname));
	} else if (str_ieq(verb, STR("MAIL"))) {
		on_mail(s, arg);
	} else if (str_ieq(verb, STR("RCPT"))) {
		on_rcpt(s, arg);
	} else if (str_ieq(verb, STR("DATA"))) {
		on_data(s);
	} else if (str_ieq(verb, STR("RSET"))) {
		reset(s);
		say("250 2.0.0 OK");
	} else if (str_ieq(verb, STR("NOOP"))) {
		say("250 2.0.0 OK");
	} else if (str_ieq(verb, STR("VRFY"))) {
		say("252 2.5.0 Send a message to find out");
	} else if (str_ieq(verb, STR("QUIT"))) {
		say("221 2.0.0 Goodbye");
		s->quit = true;
	} else {
		say("500 5.5.2 Unknown command");
	}
}

int sendmail_smtp(struct sendmail *m)
{
	struct smtp s = { .m = m };
	char       *line = NULL;
	size_t      cap = 0;
	ssize_t     n;
	int         code = sendmail_connect(m, &s.server);

	if (code != EX_OK) {
		say("421 4.3.2 The mail server is not running");
		return code;
	}
	m->rcpt_count = 0;
	printf("220 %.*s ESMTP Postrider\r\n", STR_FMT(s.server.open.hostname));
	fflush(stdout);
	while (!s.quit && (n = getline(&line, &cap, stdin)) > 0) {
		if ((size_t)n > LIMIT_SMTP_LINE)
			say("500 5.5.2 Line too long");
		else
			command(&s, str_trim(str_chomp(str_n(line, (size_t)n))));
		fflush(stdout);
	}
	free(line);
	reset(&s);
	sendmail_disconnect(&s.server);
	return EX_OK;
}
