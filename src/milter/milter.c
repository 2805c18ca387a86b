/* milter/milter.c - the diagram is in milter.h. */
#include "milter/milter.h"

#include "base/log.h"
#include "milter/filter_io.h"
#include "sys/clock.h"
#include "sys/fd.h"

#define OUT_MAX (256 * KIB) /* one command with its macros */

static const struct str default_names[MILTER_STAGE_COUNT] = {
	[MILTER_STAGE_CONNECT] = STR("j {daemon_name} {daemon_addr} {daemon_port} v _ {client_addr} {client_name} {client_ptr} {client_port} "
				     "{if_addr} {if_port}"),
	[MILTER_STAGE_HELO] = STR("{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}"),
	[MILTER_STAGE_MAIL] = STR("i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}"),
	[MILTER_STAGE_RCPT] = STR("i {rcpt_addr} {rcpt_host} {rcpt_mailer}"),
	[MILTER_STAGE_DATA] = STR("i"),
	[MILTER_STAGE_EOM] = STR("i"),
	[MILTER_STAGE_EOH] = STR("i"),
};

void milter_init(struct milter *m, const struct filter_conf *conf, struct arena *a, struct milter_macros macros)
{
	*m = (struct milter){ .conf = conf, .arena = arena_new(a), .macros = macros, .fd = -1 };
	buf_init(&m->in, LIMIT_MILTER_PACKET + 4);
	buf_init(&m->out, OUT_MAX);
}

static void lose(struct milter *m)
{
	fd_close(&m->fd);
	m->message = false;
	buf_done(&m->in);
	buf_done(&m->out);
}

void milter_done(struct milter *m)
{
	if (m->fd >= 0) {
		buf_clear(&m->out);
		milter_command_plain(&m->out, MILTER_CMD_QUIT, STR_NONE);
		(void)(filter_io_send(m->fd, buf_str(&m->out), 0) == ST_OK);
	}
	lose(m);
}

/* ---- one exchange ---- */

static struct milter_verdict failed(struct milter *m, const char *why)
{
	lose(m);
	return (struct milter_verdict){ .end = MILTER_FAILED, .why = why };
}

static struct milter_verdict failed_io(struct milter *m, enum status st)
{
	return failed(m, st == ST_TEMP ? "timeout" : st == ST_LIMIT ? "too much" : "connection lost");
}

/* The next packet; the one before is gone. */
static enum status packet_read(struct milter *m, struct milter_packet *ret, size_t *used, int64_t until_ms)
{
	buf_consume(&m->in, *used);
	*used = 0;
	for (;;) {
		enum status st;

		switch (milter_packet_next(buf_str(&m->in), ret, used)) {
		case MILTER_PACKET_OK: return ST_OK;
		case MILTER_PACKET_LIMIT: return ST_CORRUPT;
		case MILTER_PACKET_MORE: break;
		}
		st = filter_io_receive(m->fd, &m->in, until_ms);
		if (st != ST_OK)
			return st;
	}
}

static struct milter_verdict verdict_of(const struct milter_answer *a)
{
	static const enum milter_end ends[] = {
		[MILTER_ANSWER_CONTINUE] = MILTER_CONTINUE, [MILTER_ANSWER_ACCEPT] = MILTER_ACCEPT,
		[MILTER_ANSWER_REJECT] = MILTER_REJECT,     [MILTER_ANSWER_TEMPFAIL] = MILTER_TEMPFAIL,
		[MILTER_ANSWER_DISCARD] = MILTER_DISCARD,   [MILTER_ANSWER_SKIP] = MILTER_CONTINUE,
		[MILTER_ANSWER_REPLY] = MILTER_REPLY,       [MILTER_ANSWER_SHUTDOWN] = MILTER_SHUTDOWN,
	};

	return (struct milter_verdict){ .end = ends[a->kind], .reply = a->reply };
}

/* What one exchange may bring. */
struct terms {
	unsigned             timeout_ms;
	struct milter_edits *edits; /* NULL: it may change nothing now */
	bool                *skip;  /* NULL: it may not SKIP; else set when it did */
	bool                 discard;
};

/* Judge one answer. True: it ends the exchange, *ret says how. */
static bool answer_take(struct milter *m, const struct milter_packet *p, const struct terms *t, struct milter_verdict *ret)
{
	struct milter_answer a;
	enum status          st;

	if (!milter_answer_parse(p, &a)) {
		*ret = failed(m, "unknown or malformed answer");
		return true;
	}
	if (a.kind < MILTER_ANSWER_PROGRESS) {
		*ret = verdict_of(&a);
		if (a.kind == MILTER_ANSWER_SKIP && !(t->skip && (m->option.steps & MILTER_MAY_SKIP)))
			*ret = failed(m, "SKIP out of place");
		else if (a.kind == MILTER_ANSWER_SKIP)
			*t->skip = true;
		if (a.kind == MILTER_ANSWER_DISCARD && !t->discard)
			*ret = failed(m, "DISCARD without a message");
		return true;
	}
	if (a.kind == MILTER_ANSWER_PROGRESS)
		return false;
	if (!t->edits || !(m->option.actions & a.needs)) {
		*ret = failed(m, t->edits ? "a change that was not agreed on" : "a change before the end of the message");
		return true;
	}
	st = milter_edits_add(t->edits, &a);
	if (st != ST_OK)
		*ret = failed(m, st == ST_LIMIT ? "too many changes" : "the new body cannot be taken");
	return st != ST_OK;
}

static struct milter_verdict answers_read(struct milter *m, const struct terms *t, int64_t last_ms)
{
	struct milter_verdict v = { .end = MILTER_CONTINUE };
	int64_t               until_ms = MIN(clock_mono_ms() + t->timeout_ms, last_ms);
	size_t                used = 0;

	for (unsigned n = 0; n < LIMIT_MILTER_ANSWERS; n++) {
		struct milter_packet p;
		enum status          st = packet_read(m, &p, &used, until_ms);

		if (st == ST_CORRUPT)
			return failed(m, "a packet of impossible length");
		if (st != ST_OK)
			return failed_io(m, st);
		if (answer_take(m, &p, t, &v)) {
			/* The packet stays in m->in for v.reply; anything behind it has no business there. */
			if (v.end != MILTER_FAILED && m->in.n > used)
				return failed(m, "more than one answer");
			return v;
		}
		until_ms = MIN(clock_mono_ms() + t->timeout_ms, last_ms);
	}
	return failed(m, "too many answers");
}

/* Send what is in m->out, and read the answer if there is one. */
static struct milter_verdict exchange(struct milter *m, bool answered, const struct terms *t)
{
	int64_t               began_ms = clock_mono_ms(), last_ms = began_ms + m->left_ms;
	struct milter_verdict v = { .end = MILTER_CONTINUE };
	enum status           st;

	buf_clear(&m->in);
	if (m->out.over)
		return failed(m, "a command too long for it");
	if (m->left_ms <= 0)
		return failed(m, "total time is up");
	if (!filter_io_quiet(m->fd))
		return failed(m, "spoke out of turn, or closed");
	st = filter_io_send(m->fd, buf_str(&m->out), MIN(began_ms + t->timeout_ms, last_ms));
	buf_clear(&m->out);
	if (st != ST_OK)
		return failed_io(m, st);
	if (answered)
		v = answers_read(m, t, last_ms);
	m->left_ms -= clock_mono_ms() - began_ms;
	return v;
}

/* ---- macros ---- */

static void macros_add(struct milter *m, enum milter_stage stage, char command)
{
	struct str names = m->option.macros[stage].given ? m->option.macros[stage].names : default_names[stage], name;
	size_t     at = milter_macro_begin(&m->out, command);

	while (milter_name_next(&names, &name)) {
		struct str value = m->macros.value(m->macros.ctx, name);

		if (value.p)
			milter_macro_add(&m->out, name, value);
	}
	milter_macro_end(&m->out, at);
}

/* ---- stages ---- */

bool milter_is_alive(struct milter *m)
{
	if (m->fd >= 0 && !filter_io_quiet(m->fd))
		lose(m);
	return m->fd >= 0;
}

struct milter_verdict milter_open(struct milter *m, int fd)
{
	int64_t              until_ms = clock_mono_ms() + m->conf->timeout_ms;
	struct milter_packet p;
	size_t               used = 0;
	enum status          st;

	CHECK(m->fd < 0);
	m->fd = fd;
	m->left_ms = m->conf->total_ms;
	arena_reset(m->arena);
	if (fd_set_nonblock(fd, true) != ST_OK)
		return failed(m, "not a descriptor that can be used");
	milter_option_write(&m->out);
	st = filter_io_send(fd, buf_str(&m->out), until_ms);
	buf_clear(&m->out);
	if (st == ST_OK)
		st = packet_read(m, &p, &used, until_ms);
	if (st != ST_OK)
		return st == ST_CORRUPT ? failed(m, "a packet of impossible length") : failed_io(m, st);
	if (p.command != MILTER_CMD_OPTNEG || m->in.n > used || !milter_option_parse(p.data, &m->option))
		return failed(m, "no agreement");
	for (size_t i = 0; i < MILTER_STAGE_COUNT; i++)
		m->option.macros[i].names = arena_dup(m->arena, m->option.macros[i].names);
	return (struct milter_verdict){ .end = MILTER_CONTINUE };
}

/* One row per stage before the content. */
static const struct stage {
	char              command;
	enum milter_stage macros;
	uint32_t          no, no_reply;
	unsigned          since; /* version */
} stages[] = {
	[MILTER_STAGE_CONNECT] = { MILTER_CMD_CONNECT, MILTER_STAGE_CONNECT, MILTER_NO_CONNECT, MILTER_NR_CONNECT, 2 },
	[MILTER_STAGE_HELO] = { MILTER_CMD_HELO, MILTER_STAGE_HELO, MILTER_NO_HELO, MILTER_NR_HELO, 2 },
	[MILTER_STAGE_MAIL] = { MILTER_CMD_MAIL, MILTER_STAGE_MAIL, MILTER_NO_MAIL, MILTER_NR_MAIL, 2 },
	[MILTER_STAGE_RCPT] = { MILTER_CMD_RCPT, MILTER_STAGE_RCPT, MILTER_NO_RCPT, MILTER_NR_RCPT, 2 },
	[MILTER_STAGE_DATA] = { MILTER_CMD_DATA, MILTER_STAGE_DATA, MILTER_NO_DATA, MILTER_NR_DATA, 4 },
	[MILTER_STAGE_EOH] = { MILTER_CMD_EOH, MILTER_STAGE_EOH, MILTER_NO_EOH, MILTER_NR_EOH, 2 },
};

/* Macros go out even where the filter does not want the command itself: they hold for later stages too. */
static struct milter_verdict stage_end(struct milter *m, enum milter_stage which, size_t command_at, bool discard)
{
	const struct stage *s = &stages[which];
	const struct terms  t = { .timeout_ms = m->conf->timeout_ms, .discard = discard };
	bool                unwanted = (m->option.steps & s->no) || m->option.version < s->since;

	if (unwanted)
		m->out.n = MIN(m->out.n, command_at);
	if (m->out.n == 0)
		return (struct milter_verdict){ .end = MILTER_CONTINUE };
	return exchange(m, !unwanted && !(m->option.steps & s->no_reply), &t);
}

/* Begin with the macros; returns where the command goes. */
static size_t stage_begin(struct milter *m, enum milter_stage which)
{
	buf_clear(&m->out);
	if (m->option.version >= stages[which].since)
		macros_add(m, stages[which].macros, stages[which].command);
	return m->out.n;
}

struct milter_verdict milter_connect(struct milter *m, struct str host, struct str address, unsigned port)
{
	size_t at = stage_begin(m, MILTER_STAGE_CONNECT);

	m->left_ms = m->conf->total_ms;
	milter_command_connect(&m->out, host, address, port);
	return stage_end(m, MILTER_STAGE_CONNECT, at, false);
}

struct milter_verdict milter_helo(struct milter *m, struct str name)
{
	size_t at = stage_begin(m, MILTER_STAGE_HELO);

	m->left_ms = m->conf->total_ms;
	milter_command_text(&m->out, MILTER_CMD_HELO, name);
	return stage_end(m, MILTER_STAGE_HELO, at, false);
}

struct milter_verdict milter_mail(struct milter *m, struct str path, struct str params)
{
	size_t at = stage_begin(m, MILTER_STAGE_MAIL);

	m->left_ms = m->conf->total_ms;
	m->message = true;
	milter_command_path(&m->out, MILTER_CMD_MAIL, path, params);
	return stage_end(m, MILTER_STAGE_MAIL, at, true);
}

struct milter_verdict milter_rcpt(struct milter *m, struct str path, struct str params)
{
	size_t at = stage_begin(m, MILTER_STAGE_RCPT);

	milter_command_path(&m->out, MILTER_CMD_RCPT, path, params);
	return stage_end(m, MILTER_STAGE_RCPT, at, true);
}

struct milter_verdict milter_data(struct milter *m)
{
	size_t at = stage_begin(m, MILTER_STAGE_DATA);

	milter_command_plain(&m->out, MILTER_CMD_DATA, STR_NONE);
	return stage_end(m, MILTER_STAGE_DATA, at, true);
}

struct milter_verdict milter_unknown(struct milter *m, struct str line)
{
	const struct terms t = { .timeout_ms = m->conf->timeout_ms };

	if ((m->option.steps & MILTER_NO_UNKNOWN) || m->option.version < 3)
		return (struct milter_verdict){ .end = MILTER_CONTINUE };
	buf_clear(&m->out);
	milter_command_text(&m->out, MILTER_CMD_UNKNOWN, line);
	return exchange(m, !(m->option.steps & MILTER_NR_UNKNOWN), &t);
}

void milter_abort(struct milter *m)
{
	buf_done(&m->in); /* an idle session keeps none */
	if (!m->message || m->fd < 0)
		return;
	m->message = false;
	buf_clear(&m->out);
	milter_command_plain(&m->out, MILTER_CMD_ABORT, STR_NONE);
	if (filter_io_send(m->fd, buf_str(&m->out), 0) != ST_OK) /* it has not even read what came before */
		lose(m);
	buf_clear(&m->out);
}

/* ---- the message ---- */

static struct milter_verdict headers_tell(struct milter *m, const struct milter_header *h)
{
	struct milter_verdict v = { .end = MILTER_CONTINUE };
	bool                  skip = false;
	const struct terms    t = { .timeout_ms = m->conf->timeout_ms, .skip = &skip, .discard = true };

	if (m->option.steps & MILTER_NO_HEADERS)
		return v;
	for (size_t i = 0; i < h->count && !skip && v.end == MILTER_CONTINUE; i++) {
		if (h->fields[i].gone)
			continue;
		buf_clear(&m->out);
		milter_command_header(&m->out, h->fields[i].name, h->fields[i].value, m->option.steps & MILTER_LEADSPC);
		v = exchange(m, !(m->option.steps & MILTER_NR_HEADER), &t);
	}
	return v;
}

static struct milter_verdict body_tell(struct milter *m, const struct milter_source *body)
{
	struct milter_verdict v = { .end = MILTER_CONTINUE };
	bool                  skip = false;
	const struct terms    t = { .timeout_ms = m->conf->content_ms, .skip = &skip, .discard = true };

	if (m->option.steps & MILTER_NO_BODY)
		return v;
	for (uint64_t at = 0; at < body->size && !skip && v.end == MILTER_CONTINUE; at += MILTER_CHUNK) {
		size_t n = (size_t)MIN(body->size - at, (uint64_t)MILTER_CHUNK), begin;
		char  *p;

		buf_clear(&m->out);
		begin = milter_packet_begin(&m->out, MILTER_CMD_BODY);
		p = buf_room(&m->out, n);
		if (!p || body->read(body->ctx, at, p, n) != ST_OK)
			return failed(m, "the body cannot be read");
		buf_commit(&m->out, n);
		milter_packet_end(&m->out, begin);
		v = exchange(m, !(m->option.steps & MILTER_NR_BODY), &t);
	}
	return v;
}

static struct milter_verdict end_tell(struct milter *m, struct milter_edits *edits)
{
	const struct terms t = { .timeout_ms = m->conf->content_ms, .edits = edits, .discard = true };

	buf_clear(&m->out);
	macros_add(m, MILTER_STAGE_EOM, MILTER_CMD_EOM);
	milter_command_plain(&m->out, MILTER_CMD_EOM, STR_NONE);
	return exchange(m, true, &t);
}

struct milter_verdict milter_message(struct milter *m, const struct milter_header *header, const struct milter_source *body,
				     struct milter_edits *edits)
{
	struct milter_verdict v = headers_tell(m, header);

	if (v.end == MILTER_CONTINUE) {
		size_t at = stage_begin(m, MILTER_STAGE_EOH);

		milter_command_plain(&m->out, MILTER_CMD_EOH, STR_NONE);
		v = stage_end(m, MILTER_STAGE_EOH, at, true);
	}
	if (v.end == MILTER_CONTINUE)
		v = body_tell(m, body);
	if (v.end == MILTER_CONTINUE) {
		v = end_tell(m, edits);
		m->message = false; /* its answer to the end ends the message for it, whatever it was */
	}
	return v;
}
