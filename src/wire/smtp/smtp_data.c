/* wire/smtp/smtp_data.c - grammar, modes and contract are in smtp_data.h.
 *
 *            "."          CR            LF
 *   START ---------> DOT ------> DOT_CR ------> END
 *     ^ | other       | other      | other: the CR was bare
 *     | v             v            v
 *     | LINE <--------+------------+ (BROKEN when normalising)
 *     |  | CR                 LF bare, CR bare: stay in LINE, or BROKEN when normalising
 *     |  v
 *     +- CR   (LF: the line's end)
 *
 * `run` is where the octets start that were not handed on yet. It is cut where an octet is taken off or replaced, and before a CR
 * that ends the piece, because only the next octet tells what that CR is.
 */
#include "wire/smtp/smtp_data.h"

#include <string.h>

struct feed {
	struct smtp_data *d;
	const char       *p, *end, *run;
	const char       *lf; /* the next LF from p on, or end; looked for again only behind it, so that many CRs cost no more */
	smtp_data_fn      write;
	void             *ctx;
};

void smtp_data_init(struct smtp_data *d, bool normalise)
{
	*d = (struct smtp_data){ .state = SMTP_DATA_START, .normalise = normalise };
}

static void emit(struct feed *f, const char *end)
{
	if (end > f->run)
		f->write(f->ctx, str_n(f->run, (size_t)(end - f->run)));
	f->run = end;
}

/* The CR that ended the last piece, or that follows a dot, turned out to be no part of a CRLF. */
static void held_cr_bare(struct feed *f)
{
	f->d->bare_cr = true;
	f->write(f->ctx, f->d->normalise ? STR("\r\n") : STR("\r"));
	f->d->state = f->d->normalise ? SMTP_DATA_BROKEN : SMTP_DATA_LINE;
}

/* p is at a CR or LF that is alone; it is in the run. */
static void bare(struct feed *f)
{
	if (*f->p == '\r')
		f->d->bare_cr = true;
	else
		f->d->bare_lf = true;
	if (f->d->normalise) {
		emit(f, f->p);
		f->write(f->ctx, STR("\r\n"));
		f->run = f->p + 1;
		f->d->state = SMTP_DATA_BROKEN;
	}
	f->p++;
}

/* Inside a line: up to behind its CRLF, to a bare line end, or to the end of the piece. */
static void line(struct feed *f)
{
	const char *cr;

	if (!f->lf || f->lf < f->p) {
		f->lf = memchr(f->p, '\n', (size_t)(f->end - f->p));
		f->lf = f->lf ? f->lf : f->end;
	}
	cr = memchr(f->p, '\r', (size_t)(f->lf - f->p));
	if (!cr && f->lf == f->end) {
		f->p = f->end;
	} else if (!cr) {
		f->p = f->lf;
		bare(f);
	} else if (cr + 1 == f->end) { /* what it is shows in the next piece */
		emit(f, cr);
		f->p = f->run = f->end;
		f->d->state = SMTP_DATA_CR;
	} else if (cr[1] == '\n') {
		f->p = cr + 2;
		f->d->state = SMTP_DATA_START;
	} else {
		f->p = cr;
		bare(f);
	}
}

/* The first octet of a line, which a dot before it may have lost already. */
static void line_begin(struct feed *f)
{
	f->d->state = SMTP_DATA_LINE;
	line(f);
}

static void dot_take(struct feed *f, enum smtp_data_state next)
{
	emit(f, f->p);
	f->run = ++f->p;
	f->d->state = next;
}

static void step(struct feed *f)
{
	switch (f->d->state) {
	case SMTP_DATA_START:
		if (*f->p == '.')
			dot_take(f, SMTP_DATA_DOT);
		else
			line_begin(f);
		break;
	case SMTP_DATA_BROKEN:
		if (*f->p == '.')
			dot_take(f, SMTP_DATA_LINE);
		else
			line_begin(f);
		break;
	case SMTP_DATA_LINE:
		line(f);
		break;
	case SMTP_DATA_CR:
		if (*f->p != '\n') {
			held_cr_bare(f);
			break;
		}
		f->write(f->ctx, STR("\r\n"));
		f->run = ++f->p;
		f->d->state = SMTP_DATA_START;
		break;
	case SMTP_DATA_DOT:
		if (*f->p == '\r') {
			f->run = ++f->p;
			f->d->state = SMTP_DATA_DOT_CR;
		} else {
			line_begin(f);
		}
		break;
	case SMTP_DATA_DOT_CR:
		if (*f->p != '\n') {
			held_cr_bare(f);
			break;
		}
		f->run = ++f->p;
		f->d->state = SMTP_DATA_END;
		break;
	case SMTP_DATA_END:
		break;
	}
}

bool smtp_data_feed(struct smtp_data *d, struct str *in, smtp_data_fn write, void *ctx)
{
	struct feed f = { .d = d, .p = in->p, .run = in->p, .write = write, .ctx = ctx };

	if (in->n == 0)
		return d->state == SMTP_DATA_END;
	f.end = in->p + in->n;
	while (f.p < f.end && d->state != SMTP_DATA_END)
		step(&f);
	emit(&f, f.p);
	/* Only what belongs to the data counts, not what is pipelined behind it. */
	if (!d->nul && memchr(in->p, 0, (size_t)(f.p - in->p)))
		d->nul = true;
	*in = str_from(*in, (size_t)(f.p - in->p));
	return d->state == SMTP_DATA_END;
}
