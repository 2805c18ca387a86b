/* deliver/pipe_content.c - see pipe_content.h. */
#include "deliver/pipe_content.h"

#include <time.h>

#include "base/limits.h"

#define FROM STR("From ")

static struct str eol(const struct pipe_content *c)
{
	return c->run->conf->crlf ? STR("\r\n") : STR("\n");
}

/* "Sat Nov 28 21:07:31 2026", in UTC: as mbox has it. */
static void from_line(struct pipe_content *c, int64_t wall_ms)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	const time_t      seconds = (time_t)(wall_ms / 1000);
	const struct str  sender = c->run->sender.n ? c->run->sender : STR("MAILER-DAEMON");
	struct tm         t = { 0 };

	gmtime_r(&seconds, &t);
	buf_addf(&c->out, "From %.*s %s %s %2d %02d:%02d:%02d %d%.*s", STR_FMT(sender), days[t.tm_wday % 7], months[t.tm_mon % 12], t.tm_mday, t.tm_hour,
		 t.tm_min, t.tm_sec,
		 t.tm_year + 1900, STR_FMT(eol(c)));
}

static void fields(struct pipe_content *c, int64_t wall_ms)
{
	const struct pipe_run *r = c->run;
	struct arena          *a CLEANUP(arena_free) = arena_new(NULL);

	if (r->flags & PIPE_FROM_LINE)
		from_line(c, wall_ms);
	if (r->flags & PIPE_RETURN_PATH)
		buf_addf(&c->out, "Return-Path: <%.*s>%.*s", STR_FMT(r->sender), STR_FMT(eol(c)));
	if ((r->flags & PIPE_ORIGINAL_TO) && r->rcpt_count > 0)
		buf_addf(&c->out, "X-Original-To: %.*s%.*s", STR_FMT(r->rcpts[0]->original), STR_FMT(eol(c)));
	if ((r->flags & PIPE_DELIVERED_TO) && r->rcpt_count > 0)
		buf_addf(&c->out, "Delivered-To: %.*s%.*s", STR_FMT(pipe_address(r, r->rcpts[0], a)), STR_FMT(eol(c)));
}

void pipe_content_init(struct pipe_content *c, const struct pipe_run *run, const struct remote_content *source, int64_t wall_ms)
{
	c->run = run;
	c->source = *source;
	c->at = 0;
	c->held = STR("");
	c->begun = c->ended = c->cr = false;
	c->line_start = true;
	buf_init(&c->out, 4 * REMOTE_CHUNK); /* a chunk, every octet of it a line that gets another one and a CR; or the fields */
	fields(c, wall_ms);
}

void pipe_content_done(struct pipe_content *c)
{
	buf_done(&c->out);
}

static void held_flush(struct pipe_content *c)
{
	buf_add(&c->out, c->held);
	c->held = STR("");
}

/* An octet of a line. */
static void put(struct pipe_content *c, char octet)
{
	const uint32_t flags = c->run->flags;

	if (c->line_start && (flags & PIPE_QUOTE_DOT) && octet == '.')
		buf_add_char(&c->out, '.');
	if ((flags & PIPE_QUOTE_FROM) && (c->line_start || c->held.n > 0)) {
		c->line_start = false;
		if (octet == FROM.p[c->held.n]) {
			c->held = str_first(FROM, c->held.n + 1);
			if (c->held.n == FROM.n) {
				buf_add_char(&c->out, '>');
				held_flush(c);
			}
			return;
		}
		held_flush(c);
	}
	c->line_start = false;
	buf_add_char(&c->out, octet);
}

static void put_eol(struct pipe_content *c)
{
	held_flush(c);
	buf_add(&c->out, eol(c));
	c->line_start = true;
}

static void chunk_add(struct pipe_content *c, struct str chunk)
{
	for (size_t i = 0; i < chunk.n; i++) {
		char octet = chunk.p[i];

		if (c->cr && octet == '\n') {
			put_eol(c);
			c->cr = false;
			continue;
		}
		if (c->cr)
			put(c, '\r');
		c->cr = octet == '\r';
		if (!c->cr)
			put(c, octet);
	}
}

static void finish(struct pipe_content *c)
{
	c->ended = true;
	if (c->cr)
		put(c, '\r');
	held_flush(c);
	if (!(c->run->flags & PIPE_BLANK_LINE))
		return;
	if (!c->line_start)
		put_eol(c);
	put_eol(c);
}

enum status pipe_content_next(void *content, struct str *ret)
{
	struct pipe_content *c = content;
	enum status          st = ST_OK;

	if (c->begun)
		buf_clear(&c->out);
	c->begun = true;
	while (c->out.n == 0 && !c->ended && st == ST_OK) {
		struct str chunk = STR("");

		if (c->at < c->source.raw_octets)
			st = remote_content_read(&c->source, c->at, c->space, &chunk);
		c->at += chunk.n;
		if (st == ST_OK && chunk.n > 0)
			chunk_add(c, chunk);
		else if (st == ST_OK)
			finish(c);
	}
	CHECK(!c->out.over);
	*ret = buf_str(&c->out);
	return st;
}

bool pipe_content_was_here(struct str head, struct str address)
{
	struct str line;

	while (head.n > 0) {
		str_cut(head, '\n', &line, &head);
		line = str_chomp(line);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (line.n == 0)
			return false;
		if (str_skip(&line, STR("Delivered-To:")) && str_ieq(str_trim_ws(line), address))
			return true;
	}
	return false;
}
