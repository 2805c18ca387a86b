/* pop3/pop3_content.c - octets of a message as RETR and TOP send them, read and sent in pieces.
 *
 * Lines end in CRLF whatever is stored (wire/smtp/smtp_stuff.h): a client that takes a lone LF for a line end would else find the end
 * of the answer inside a message, and take what the sender wrote behind it for answers of ours. NUL is sent as it is stored. The
 * handle is given back between pieces whenever output has to wait for the client.
 */
#include <string.h>

#include "pop3/pop3_session.h"
#include "wire/smtp/smtp_stuff.h"

#define PIECE (64 * KIB)

/* The next piece into `piece`, which is empty: fewer octets than PIECE at the end of the message. */
static enum status piece_read(struct pop3_session *s, const struct pop3_row *row, uint64_t at, struct buf *piece)
{
	struct store_account *a;
	enum status           st = pop3_account(s, &a);

	buf_clear(piece);
	return st == ST_OK ? store_read(a, row->email, at, PIECE, piece) : st;
}

/* ---- how long is it? ---- */

static enum status count(struct pop3_session *s, const struct pop3_row *row, struct buf *piece, struct buf *out, uint64_t *ret)
{
	struct smtp_stuff x = { .nul = true };
	uint64_t          at = 0, n = 0;
	enum status       st;

	do {
		st = piece_read(s, row, at, piece);
		if (st != ST_OK || !smtp_stuff_add(&x, out, buf_str(piece)))
			return st == ST_OK ? ST_LIMIT : st;
		at += piece->n;
		n += out->n;
		buf_clear(out);
	} while (piece->n == PIECE);
	s->drop.counted += at;
	n += x.cr || x.middle ? 2 : 0; /* the end of the last line */
	*ret = n - x.dots;
	return ST_OK;
}

uint64_t pop3_size(struct pop3_session *s, struct pop3_row *row)
{
	struct buf piece, out;
	uint64_t   n;

	if (!(row->flags & POP3_ROW_BARE) || row->size > LIMIT_POP3_COUNTED - s->drop.counted)
		return row->size;
	buf_init(&piece, PIECE);
	buf_init(&out, 2 * PIECE + 2);
	if (count(s, row, &piece, &out, &n) == ST_OK) {
		row->size = n;
		row->flags &= ~(uint32_t)POP3_ROW_BARE;
	}
	buf_done(&piece);
	buf_done(&out);
	return row->size;
}

/* ---- sending ---- */

struct sending {
	struct pop3_session *s;
	struct smtp_stuff    stuff;
	uint32_t             lines; /* of the body that are still to come; POP3_LINES_ALL: no end */
	bool                 body;  /* behind the first empty line */
	size_t               line_n; /* octets of the line that is not whole yet */
};

/* TOP: look at the lines of the output from `from` on. true: the last one that is wanted was there, and what is behind it is cut
 * off. The lines are those that the client sees, so header and body are too. */
static bool lines_over(struct sending *x, size_t from)
{
	struct buf *out = &x->s->out;

	if (x->lines == POP3_LINES_ALL)
		return false;
	while (from < out->n) {
		const char *end = memchr(out->p + from, '\n', out->n - from);
		size_t      next = end ? (size_t)(end - out->p) + 1 : out->n, n = x->line_n + next - from;

		x->line_n = end ? 0 : n;
		from = next;
		if (!end)
			break;
		if (x->body)
			x->lines--;
		x->body = x->body || n == 2;
		if (x->body && x->lines == 0) {
			out->n = next;
			return true;
		}
	}
	return false;
}

static bool piece_put(struct sending *x, struct str piece)
{
	size_t from = x->s->out.n;

	if (!smtp_stuff_add(&x->stuff, &x->s->out, piece))
		x->s->broken = true;
	return lines_over(x, from);
}

static void end_put(struct sending *x, bool cut)
{
	if (cut)
		pop3_put(x->s, STR(".\r\n"));
	else if (!smtp_stuff_end(&x->stuff, &x->s->out))
		x->s->broken = true;
}

enum status pop3_content_put(struct pop3_session *s, const struct pop3_row *row, struct str head, uint32_t lines)
{
	struct sending x = { .s = s, .stuff = { .nul = true }, .lines = lines };
	struct buf     piece;
	uint64_t       at = 0;
	bool           cut = false;
	enum status    st;

	buf_init(&piece, PIECE);
	st = piece_read(s, row, at, &piece);
	if (st == ST_OK)
		pop3_put(s, head);
	while (st == ST_OK) {
		at += piece.n;
		cut = piece_put(&x, buf_str(&piece));
		if (cut || piece.n < PIECE)
			break;
		st = pop3_spill(s) ? piece_read(s, row, at, &piece) : ST_CLOSED;
	}
	if (st == ST_OK)
		end_put(&x, cut);
	else if (at > 0)
		s->broken = true; /* behind +OK there is no other way to say it */
	buf_done(&piece);
	return st;
}
