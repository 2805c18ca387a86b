/* cli/demo_client.c - see demo_client.h. Straight-line dialogues over net_stream. */
#include "cli/demo_client.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "net/net_tls.h"
#include "sys/clock.h"
#include "wire/text/text_base64.h"

#define STEP_MS  20000
#define LINE_MAX_OCTETS ((size_t)8192)

struct dialogue {
	struct net_stream *stream;
	struct buf         line; /* last one received */
	const char        *step;
	char              *why;
	size_t             why_cap;
};

static enum status stop(struct dialogue *d, enum status st)
{
	snprintf(d->why, d->why_cap, "%s: %s%s%.*s", d->step, st == ST_OK ? "" : status_name(st), d->line.n ? " after: " : "", STR_FMT(buf_str(&d->line)));
	return st == ST_OK ? ST_DENIED : st;
}

static enum status dial(struct dialogue *d, unsigned port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	d->step = "connect";
	buf_init(&d->line, LINE_MAX_OCTETS);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		if (fd >= 0)
			close(fd);
		return stop(d, ST_CLOSED);
	}
	d->stream = net_stream_new(fd);
	return ST_OK;
}

static void hang_up(struct dialogue *d)
{
	net_stream_free(&d->stream);
	buf_done(&d->line);
}

PRINTF_LIKE(3, 4) static enum status say(struct dialogue *d, const char *step, const char *fmt, ...)
{
	char    text[4096];
	va_list ap;
	int     n;

	d->step = step;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	CHECK(n > 0 && (size_t)n < sizeof(text));
	enum status st = net_stream_write(d->stream, str_n(text, (size_t)n), STEP_MS);
	return st == ST_OK ? ST_OK : stop(d, st);
}

static enum status encrypt(struct dialogue *d)
{
	struct net_tls_got got;
	enum status        st;

	d->step = "TLS";
	st = net_stream_tls(d->stream, &(struct net_tls_want){ .sni = STR("localhost") }, STEP_MS, &got);
	return st == ST_OK ? ST_OK : stop(d, st);
}

/* ---- SMTP ---- */

/* Read a whole reply; it must begin with `code`. */
static enum status expect(struct dialogue *d, const char *code)
{
	do {
		enum status st = net_stream_line(d->stream, &d->line, STEP_MS);
		if (st != ST_OK)
			return stop(d, st);
	} while (d->line.n > 3 && d->line.p[3] == '-');
	return str_starts(buf_str(&d->line), str_of(code)) ? ST_OK : stop(d, ST_OK);
}

static enum status ask(struct dialogue *d, const char *step, const char *code, const char *text)
{
	enum status st = say(d, step, "%s\r\n", text);

	return st == ST_OK ? expect(d, code) : st;
}

static enum status sign_in(struct dialogue *d, const struct demo_mail *m)
{
	char        plain[600], line[1100];
	struct buf  encoded;
	int         n = snprintf(plain, sizeof(plain), "%c%s%c%s", 0, m->from, 0, m->password);
	enum status st;

	CHECK(n > 0 && (size_t)n < sizeof(plain));
	buf_init(&encoded, 1000);
	text_base64_encode(str_n(plain, (size_t)n), &encoded);
	snprintf(line, sizeof(line), "AUTH PLAIN %.*s", STR_FMT(buf_str(&encoded)));
	buf_done(&encoded);
	st = ask(d, "AUTH", "235", line);
	explicit_bzero(line, sizeof(line));
	explicit_bzero(plain, sizeof(plain));
	return st;
}

static enum status send_message(struct dialogue *d, const struct demo_mail *m)
{
	char        line[700];
	enum status st;

	snprintf(line, sizeof(line), "MAIL FROM:<%s>", m->from);
	st = ask(d, "MAIL", "250", line);
	snprintf(line, sizeof(line), "RCPT TO:<%s>", m->to);
	if (st == ST_OK)
		st = ask(d, "RCPT", "250", line);
	if (st == ST_OK)
		st = ask(d, "DATA", "354", "DATA");
	if (st == ST_OK)
		st = say(d, "message",
			 "From: Alice <%s>\r\nTo: Bob <%s>\r\nSubject: Hello from Postrider %s\r\nMessage-ID: <%s@demo.test>\r\n"
			 "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
			 "This message went out over submission with STARTTLS and came in over IMAP.\r\n.\r\n",
			 m->from, m->to, m->tag, m->tag);
	return st == ST_OK ? expect(d, "250") : st;
}

enum status demo_send(const struct demo_mail *m, char *ret_why, size_t cap)
{
	struct dialogue d = { .why = ret_why, .why_cap = cap };
	enum status     st = dial(&d, m->submission_port);

	d.step = "greeting";
	if (st == ST_OK)
		st = expect(&d, "220");
	if (st == ST_OK)
		st = ask(&d, "EHLO", "250", "EHLO demo.test");
	if (st == ST_OK)
		st = ask(&d, "STARTTLS", "220", "STARTTLS");
	if (st == ST_OK)
		st = encrypt(&d);
	if (st == ST_OK)
		st = ask(&d, "EHLO in TLS", "250", "EHLO demo.test");
	if (st == ST_OK)
		st = sign_in(&d, m);
	if (st == ST_OK)
		st = send_message(&d, m);
	if (st == ST_OK)
		st = ask(&d, "QUIT", "221", "QUIT");
	hang_up(&d);
	return st;
}

/* ---- IMAP ---- */

/* Read up to the tagged answer "a ..."; whether an untagged line held `wanted`. */
static enum status answered(struct dialogue *d, const char *wanted, bool *ret_found)
{
	*ret_found = false;
	for (;;) {
		enum status st = net_stream_line(d->stream, &d->line, STEP_MS);
		struct str  line = buf_str(&d->line);

		if (st != ST_OK)
			return stop(d, st);
		if (str_starts(line, STR("a ")))
			return str_starts(line, STR("a OK")) ? ST_OK : stop(d, ST_OK);
		*ret_found |= str_search(line, str_of(wanted)) >= 0;
	}
}

static enum status open_inbox(struct dialogue *d, const struct demo_mail *m)
{
	bool        found;
	enum status st = encrypt(d);

	d->step = "greeting";
	if (st == ST_OK)
		st = net_stream_line(d->stream, &d->line, STEP_MS);
	if (st == ST_OK)
		st = say(d, "LOGIN", "a LOGIN \"%s\" \"%s\"\r\n", m->to, m->password);
	if (st == ST_OK)
		st = answered(d, "", &found);
	if (st == ST_OK)
		st = say(d, "SELECT", "a SELECT INBOX\r\n");
	return st == ST_OK ? answered(d, "", &found) : st;
}

/* The first uid of the answer to SEARCH; 0: nothing was found. */
static enum status searched(struct dialogue *d, uint32_t *ret_uid)
{
	*ret_uid = 0;
	for (;;) {
		enum status st = net_stream_line(d->stream, &d->line, STEP_MS);
		struct str  line = buf_str(&d->line), uid;

		if (st != ST_OK)
			return stop(d, st);
		if (str_starts(line, STR("a ")))
			return str_starts(line, STR("a OK")) ? ST_OK : stop(d, ST_OK);
		if (!str_starts(line, STR("* SEARCH ")))
			continue;
		str_cut(str_from(line, STR("* SEARCH ").n), ' ', &uid, &line);
		if (!str_to_u32(uid, ret_uid))
			return stop(d, ST_INVALID);
	}
}

enum status demo_receive(const struct demo_mail *m, unsigned timeout_ms, char *ret_why, size_t cap)
{
	struct dialogue d = { .why = ret_why, .why_cap = cap };
	int64_t         until = clock_mono_ms() + timeout_ms;
	bool            found = false;
	uint32_t        uid = 0;
	enum status     st = dial(&d, m->imaps_port);

	if (st == ST_OK)
		st = open_inbox(&d, m);
	while (st == ST_OK && uid == 0) {
		st = say(&d, "SEARCH", "a UID SEARCH HEADER Message-ID \"%s\"\r\n", m->tag);
		if (st == ST_OK)
			st = searched(&d, &uid);
		if (st == ST_OK && uid == 0 && clock_mono_ms() > until)
			st = stop(&d, ST_NOT_FOUND);
		if (st == ST_OK && uid == 0)
			usleep(10000);
	}
	if (st == ST_OK)
		st = say(&d, "FETCH", "a UID FETCH %u (FLAGS BODY.PEEK[])\r\n", uid);
	if (st == ST_OK)
		st = answered(&d, m->tag, &found);
	if (st == ST_OK && !found)
		st = stop(&d, ST_NOT_FOUND);
	if (st == ST_OK)
		st = say(&d, "LOGOUT", "a LOGOUT\r\n");
	if (st == ST_OK)
		st = answered(&d, "", &found);
	hang_up(&d);
	return st;
}
