/* milter/milter.h - one filter, for one SMTP session: a blocking client of the milter protocol.
 *
 *   CLOSED --open--> OPEN --connect, helo--> READY --mail, rcpt.., data--> MESSAGE --message--> READY
 *                      ^                       ^                             |  abort
 *                      |                       +-----------------------------+
 *     any failure: CLOSED, and the verdict is MILTER_FAILED: the caller applies the filter's default to the untouched message
 *
 * Every exchange has a deadline: conf->timeout_ms (content_ms for body and end) from the last PROGRESS, and conf->total_ms for all of one
 * message, which nothing extends. A filter that speaks out of turn, with a wrong length, an unknown or forbidden answer, or too much,
 * has failed. What it wants changed is only collected (milter_edit.h): nothing is carried out before its last word.
 *
 * Used by one thread at a time; the descriptor was connected by somebody else and does not block.
 * Tests: tests/unit/test_milter.c.
 */
#ifndef MILTER_MILTER_H
#define MILTER_MILTER_H

#include "milter/filter_conf.h"
#include "milter/milter_edit.h"
#include "wire/milter/milter_command.h"
#include "wire/milter/milter_option.h"

/* The value of a macro ("j", "{client_addr}"); p == NULL: there is none. */
struct milter_macros {
	struct str (*value)(void *ctx, struct str name);
	void *ctx;
};

enum milter_end {
	MILTER_CONTINUE,
	MILTER_ACCEPT,   /* it wants to hear no more: of the session (connect, helo), of the message */
	MILTER_REJECT,
	MILTER_TEMPFAIL,
	MILTER_DISCARD,
	MILTER_REPLY,    /* reject or tempfail, in its own words */
	MILTER_SHUTDOWN, /* 421 to the peer */
	MILTER_FAILED,
};

struct milter_verdict {
	enum milter_end     end;
	struct milter_reply reply; /* REPLY; borrows from the milter until its next call */
	const char         *why;   /* FAILED: constant text */
};

struct milter {
	const struct filter_conf *conf;
	struct milter_macros      macros;
	struct arena             *arena; /* of the connection, below the session's */
	int                       fd;    /* -1: CLOSED */
	struct milter_option      option; /* what was agreed; the lists of macros live in the arena */
	bool                      message; /* MAIL was told: an ABORT is due */
	int64_t                   left_ms; /* of total_ms */
	struct buf                in, out;
};

void milter_init(struct milter *m, const struct filter_conf *conf, struct arena *a, struct milter_macros macros);
/* QUIT, as far as the socket takes it at once, and close. */
void milter_done(struct milter *m);

/* Take over a connected descriptor and agree. CONTINUE or FAILED. */
MUST_CHECK struct milter_verdict milter_open(struct milter *m, int fd);
/* Between messages: is it there still? One that has gone meanwhile is CLOSED, and may be opened anew. */
bool milter_is_alive(struct milter *m);
static inline bool milter_leadspc(const struct milter *m) { return m->option.steps & MILTER_LEADSPC; }

MUST_CHECK struct milter_verdict milter_connect(struct milter *m, struct str host, struct str address, unsigned port);
MUST_CHECK struct milter_verdict milter_helo(struct milter *m, struct str name);
/* `params`: as they stood behind the path. A new message: it has total_ms from here on. */
MUST_CHECK struct milter_verdict milter_mail(struct milter *m, struct str path, struct str params);
MUST_CHECK struct milter_verdict milter_rcpt(struct milter *m, struct str path, struct str params);
MUST_CHECK struct milter_verdict milter_data(struct milter *m);
/* A command that is none. ACCEPT means nothing here. */
MUST_CHECK struct milter_verdict milter_unknown(struct milter *m, struct str line);

/* A body of `size` octets to read from. */
struct milter_source {
	enum status (*read)(void *ctx, uint64_t at, char *p, size_t n); /* exactly n octets */
	void    *ctx;
	uint64_t size;
};
/* Header, body, end. CONTINUE and ACCEPT: `edits` are complete and may be carried out; else they must not be. */
MUST_CHECK struct milter_verdict milter_message(struct milter *m, const struct milter_header *header, const struct milter_source *body,
						struct milter_edits *edits);
/* The message is given up, or over for another reason. No answer. */
void milter_abort(struct milter *m);

#endif
