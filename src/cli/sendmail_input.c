/* cli/sendmail_input.c - a message from standard input; see sendmail.h.
 *
 * Whatever the program writes becomes canonical: LF, CRLF and a lone CR end a line (a progress bar of cron's is several lines), a NUL
 * becomes "?", the last line is ended. Without -i a line of one dot is the end.
 */
#include <unistd.h>

#include "base/limits.h"
#include "cli/sendmail.h"

void sendmail_input_init(struct sendmail_input *in)
{
	*in = (struct sendmail_input){ 0 };
	buf_init(&in->head, LIMIT_INLINE);
}

void sendmail_input_done(struct sendmail_input *in)
{
	if (in->rest)
		fclose(in->rest);
	buf_done(&in->head);
	*in = (struct sendmail_input){ 0 };
}

bool sendmail_input_add(struct sendmail_input *in, struct str octets)
{
	struct str fits = str_first(octets, in->rest ? 0 : LIMIT_INLINE - in->head.n);

	buf_add(&in->head, fits);
	in->octets += octets.n;
	octets = str_from(octets, fits.n);
	if (octets.n > 0 && !in->rest)
		in->rest = tmpfile();
	return octets.n == 0 || (in->rest && fwrite(octets.p, 1, octets.n, in->rest) == octets.n);
}

struct lines {
	struct sendmail_input *in;
	bool                   keep_dots;
	bool                   cr;    /* the last octet was a CR, which has ended the line */
	size_t                 at;    /* octets of this line so far */
	bool                   dot;   /* the line is one dot so far, kept back */
	bool                   over;
};

static bool line_end(struct lines *l)
{
	bool ok = true;

	if (l->dot && !l->keep_dots) {
		l->over = true;
		return true;
	}
	if (l->dot)
		ok = sendmail_input_add(l->in, STR("."));
	l->dot = false;
	l->at = 0;
	return ok && sendmail_input_add(l->in, STR("\r\n"));
}

static bool octet_take(struct lines *l, char c)
{
	bool after_cr = l->cr, ok = true;

	l->cr = c == '\r';
	if (c == '\n' && after_cr)
		return true; /* its CR has ended the line */
	if (c == '\r' || c == '\n')
		return line_end(l);
	if (l->dot)
		ok = sendmail_input_add(l->in, STR("."));
	l->dot = l->at++ == 0 && c == '.';
	if (c == '\0')
		c = '?';
	return ok && (l->dot || sendmail_input_add(l->in, str_n(&c, 1)));
}

int sendmail_input_read(struct sendmail_input *in, FILE *from, bool keep_dots)
{
	struct lines l = { .in = in, .keep_dots = keep_dots };
	int          c;

	while (!l.over && (c = getc(from)) != EOF)
		if (!octet_take(&l, (char)c))
			return EX_IOERR;
	if (ferror(from))
		return EX_IOERR;
	/* A dot that nothing follows: the end all the same. */
	if (!l.over && (l.at > 0 || l.dot) && !line_end(&l))
		return EX_IOERR;
	return EX_OK;
}
