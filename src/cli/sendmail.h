/* cli/sendmail.h - sendmail(8): the parts of it. For src/cli/sendmail*.c and cmd_alias.c alone.
 *
 *   sendmail.c          options, and which mode they ask for
 *   sendmail_input.c    a message from standard input, into canonical form
 *   sendmail_header.c   its header: recipients, addresses without a domain, From
 *   sendmail_submit.c   handing it to the server through submit.sock
 *   sendmail_smtp.c     -bs: a small SMTP server on standard input
 *
 * All exit codes here are those of sysexits.h. Nothing runs with privileges: it is the user's own program.
 */
#ifndef CLI_SENDMAIL_H
#define CLI_SENDMAIL_H

#include <stdio.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "ipc/msg_control.h"

struct sendmail {
	struct cli  *cli;
	struct arena *arena;
	const char  *program;     /* for messages */
	bool         header_rcpts; /* -t */
	bool         keep_dots;    /* -i */
	bool         verbose;
	const char  *from;         /* -f, -r; NULL: whoever runs it */
	const char  *full_name;    /* -F; NULL: of the account */
	const char  *envid;        /* -V */
	uint32_t     notify;       /* -N, mask of enum queue_notify */
	bool         ret_hdrs, ret_full; /* -R */
	const char  *login, *gecos;
	/* recipients so far, whole addresses once the domain is known */
	struct queue_rcpt rcpts[LIMIT_RCPTS];
	size_t            rcpt_count;
};

/* "sendmail: ..." on stderr; returns `code`. */
int sendmail_error(const struct sendmail *m, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* ---- input ---- */

/* The first LIMIT_INLINE octets in memory, the rest in a file without a name. Lines end in CRLF. */
struct sendmail_input {
	struct buf head;
	FILE      *rest; /* NULL: all is in head */
	uint64_t   octets;
};
void sendmail_input_init(struct sendmail_input *in);
void sendmail_input_done(struct sendmail_input *in);
/* false: there was no room for it (errno). */
MUST_CHECK bool sendmail_input_add(struct sendmail_input *in, struct str octets);
/* Read `from` to its end, or to a line of one dot (keep_dots false). EX_OK or EX_IOERR. */
MUST_CHECK int sendmail_input_read(struct sendmail_input *in, FILE *from, bool keep_dots);

/* ---- header ---- */

/* Add the addresses of a list such as "ann@example.org, Bob <bob>". EX_OK, EX_DATAERR or EX_USAGE, said. */
MUST_CHECK int sendmail_rcpts_add(struct sendmail *m, struct str list, struct str domain);
/* Take the header off in->head: *ret_header is complete as far as we know it, without the empty line; *ret_body is what follows in head. With -t
 * the recipients are added. */
MUST_CHECK int sendmail_header(struct sendmail *m, struct str head, bool whole, struct str domain, struct buf *ret_header, struct str *ret_body);
/* The reverse-path: -f, or the user. */
MUST_CHECK int sendmail_sender(struct sendmail *m, struct str domain, struct str *ret);

/* ---- submit ---- */

struct sendmail_server {
	int                              fd;
	struct control_submit_open_reply open;
};
/* Tries for a while when too many programs are at it. EX_OK, or EX_TEMPFAIL, said. */
MUST_CHECK int sendmail_connect(struct sendmail *m, struct sendmail_server *ret);
void sendmail_disconnect(struct sendmail_server *s);
/* EX_OK, or why not, said. */
MUST_CHECK int sendmail_begin(struct sendmail *m, struct sendmail_server *s, struct str from);
MUST_CHECK int sendmail_data(struct sendmail *m, struct sendmail_server *s, struct str octets);
MUST_CHECK int sendmail_rest(struct sendmail *m, struct sendmail_server *s, FILE *rest);
MUST_CHECK int sendmail_end(struct sendmail *m, struct sendmail_server *s, uint64_t *ret_id);

/* ---- modes ---- */
int sendmail_smtp(struct sendmail *m);       /* -bs */
int sendmail_mailq(struct sendmail *m);      /* -bp */
int sendmail_newaliases(struct sendmail *m); /* -bi */

#endif
