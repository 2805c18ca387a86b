/* pop3/pop3_session.h - one session, as its handlers see it. Inside pop3/ only.
 *
 *   AUTHORIZATION --PASS, AUTH--> TRANSACTION --QUIT--> what is marked is removed, closed          (RFC 1939 §3)
 *   any --the connection ends, time-out, too many errors, drain--> closed, nothing is removed
 *
 * What may be trusted: `account_id` and `drop` in TRANSACTION only. pop3_enter() is the one way there.
 *
 * Three rules hold everywhere:
 *   1. No database handle while waiting for the client. pop3_account() opens the account for as long as needed; all output goes
 *      to s->out by the pop3_put functions, and pop3_spill() gives the account back before it writes to the connection.
 *   2. The mailbox is what it was at sign-in: message numbers, sizes and identities are the session's own copy (`drop`). What
 *      comes in later has no number. What others expunge can be read as long as the store keeps it, then it is -ERR.
 *   3. Nothing is removed before QUIT, and then all or nothing: +OK is sent when it is on disk.
 */
#ifndef POP3_POP3_SESSION_H
#define POP3_POP3_SESSION_H

#include "pop3/pop3.h"
#include "store/store_message.h"
#include "wire/pop3/pop3_command.h"

enum pop3_state { POP3_AUTHORIZATION, POP3_TRANSACTION, POP3_STATE_COUNT };

enum pop3_next {                /* what a handler returns: what is waited for */
	POP3_NEXT_COMMAND,
	POP3_NEXT_SASL, /* the client's answer to a challenge */
	POP3_NEXT_TLS,
	POP3_NEXT_CLOSE,
};

enum pop3_row_flag { /* bit mask */
	POP3_ROW_MARKED = 1u << 0, /* DELE */
	POP3_ROW_SEEN   = 1u << 1, /* is \Seen, as far as we know */
	POP3_ROW_BARE   = 1u << 2, /* holds a lone CR or LF: `size` is not counted yet */
};
struct pop3_row {
	uint64_t email;
	uint64_t size;  /* octets that RETR sends, without the dots that it puts in */
	uint32_t uid;
	uint32_t flags; /* enum pop3_row_flag */
};

/* The mailbox as it was at sign-in. */
struct pop3_drop {
	uint64_t         mailbox; /* id of the INBOX */
	uint32_t         uidvalidity;
	uint32_t         count;
	struct pop3_row *rows; /* ascending uid; message n is rows[n - 1]. Counted by net_memory_take */
	uint64_t         counted; /* octets read to count sizes, at most LIMIT_POP3_COUNTED */
};

struct pop3_session {
	struct net_conn            *conn;
	const struct net_info      *info;
	const struct pop3_env      *env;
	const struct pop3_settings *set;
	enum pop3_state             state;
	enum pop3_next              waits; /* COMMAND or SASL */
	unsigned                    errors, auth_failures; /* malformed commands in a row; refused sign-ins */
	uint64_t                    account_id;
	struct store_entry         *entry; /* into the account, by the token of the sign-in */
	struct store_account       *account; /* open inside a handler only */
	struct arena               *arena;   /* of the command */
	struct arena               *secret;  /* the name of USER: wiping */
	struct str                  user;    /* in `secret`, between USER and the next command; else empty */
	struct sasl                *sasl;    /* NULL outside an exchange */
	bool                        utf8;    /* UTF8 was said */
	struct pop3_drop            drop;
	struct buf                  out;
	size_t                      work;    /* octets counted by net_memory_take for the command at hand */
	bool                        broken;  /* the answer cannot be completed: close without another word */
	uint64_t                    commands, retrieved, removed;
	int64_t                     until;        /* monotonic: TRANSACTION, and with it the token, does not last longer */
	int64_t                     signin_until; /* monotonic: AUTHORIZATION does not last longer */
	const char                 *end; /* why it ended, for the log */
};

/* ---- commands (pop3_table.c) ---- */

#define POP3_IN(state)  (1u << (state))
#define POP3_IN_BEFORE  POP3_IN(POP3_AUTHORIZATION)
#define POP3_IN_MAIL    POP3_IN(POP3_TRANSACTION)
#define POP3_IN_ANY     (POP3_IN_BEFORE | POP3_IN_MAIL)

enum pop3_args {
	POP3_ARGS_NONE,
	POP3_ARGS_TEXT,       /* the rest of the line, not empty */
	POP3_ARGS_MAYBE_TEXT,
	POP3_ARGS_MESSAGE,    /* the number of a message that is there and not marked */
	POP3_ARGS_MAYBE_MESSAGE,
	POP3_ARGS_MESSAGE_LINES, /* and a number of lines */
};
enum pop3_command_flag {
	POP3_CMD_BULK = 1u << 0, /* begins only with LIMIT_POP3_WORK of memory set aside */
};
struct pop3_call { /* what a handler gets */
	struct str       text;  /* TEXT */
	uint32_t         number; /* MESSAGE: 0 if none was given */
	struct pop3_row *row;    /* of that number, or NULL */
	uint32_t         lines;
};
struct pop3_def {
	struct str name;
	enum pop3_next (*handler)(struct pop3_session *s, const struct pop3_call *c);
	unsigned       states;
	enum pop3_args args;
	unsigned       flags;
	const char    *rfc;
};

/* One command line: check, run, answer. */
enum pop3_next pop3_dispatch(struct pop3_session *s, struct str line);

enum pop3_next pop3_cmd_capa(struct pop3_session *s, const struct pop3_call *c);
enum pop3_next pop3_cmd_noop(struct pop3_session *s, const struct pop3_call *c);
enum pop3_next pop3_cmd_quit(struct pop3_session *s, const struct pop3_call *c);
enum pop3_next pop3_cmd_stls(struct pop3_session *s, const struct pop3_call *c);
enum pop3_next pop3_cmd_utf8(struct pop3_session *s, const struct pop3_call *c);
enum pop3_next pop3_cmd_user(struct pop3_session *s, const struct pop3_call *c);
enum pop3_next pop3_cmd_pass(struct pop3_session *s, const struct pop3_call *c);
enum pop3_next pop3_cmd_auth(struct pop3_session *s, const struct pop3_call *c);
enum pop3_next pop3_cmd_stat(struct pop3_session *s, const struct pop3_call *c);
enum pop3_next pop3_cmd_list(struct pop3_session *s, const struct pop3_call *c);
enum pop3_next pop3_cmd_uidl(struct pop3_session *s, const struct pop3_call *c);
enum pop3_next pop3_cmd_retr(struct pop3_session *s, const struct pop3_call *c);
enum pop3_next pop3_cmd_top(struct pop3_session *s, const struct pop3_call *c);
enum pop3_next pop3_cmd_dele(struct pop3_session *s, const struct pop3_call *c);
enum pop3_next pop3_cmd_rset(struct pop3_session *s, const struct pop3_call *c);

/* ---- sign-in (pop3_cmd_login.c) ---- */

enum pop3_next pop3_auth_answer(struct pop3_session *s, struct str line, bool too_long);
bool           pop3_may_sign_in(const struct pop3_session *s);
/* "" or " PLAIN LOGIN ...": what is possible now. */
struct str     pop3_mechanisms(struct pop3_session *s);
/* Forget USER, and an exchange under way. */
void           pop3_secret_done(struct pop3_session *s);

/* ---- answers (pop3_reply.c) ---- */

enum pop3_next pop3_ok(struct pop3_session *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
enum pop3_next pop3_err(struct pop3_session *s, const char *fmt, ...) PRINTF_LIKE(2, 3); /* with its response code, if any */
/* The same for what is no command here: too many in a row end the session. */
enum pop3_next pop3_bad(struct pop3_session *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The one table from status to answer. */
enum pop3_next pop3_failed(struct pop3_session *s, enum status st);

/* Append to the output; it is sent by pop3_spill when much is there, and at the end of the handler. */
void pop3_put(struct pop3_session *s, struct str text);
void pop3_putf(struct pop3_session *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Between two lines or pieces: write out if much waits. false: the client is gone, stop. */
bool pop3_spill(struct pop3_session *s);
void pop3_flush(struct pop3_session *s); /* write out all there is */

/* In all so much memory for the command at hand; given back behind it. false: the process is full. */
MUST_CHECK bool pop3_work_take(struct pop3_session *s, size_t octets);
void            pop3_work_give(struct pop3_session *s);
enum pop3_next  pop3_full(struct pop3_session *s);

/* The open account; opens it if it is not. */
MUST_CHECK enum status pop3_account(struct pop3_session *s, struct store_account **ret);
void                   pop3_account_back(struct pop3_session *s);

/* ---- the mailbox (pop3_drop.c) ---- */

/* Signed in: TRANSACTION. ST_LIMIT: more messages than LIMIT_POP3_MESSAGES; ST_BUSY: no memory for them. */
MUST_CHECK enum status pop3_enter(struct pop3_session *s, const struct auth_login_reply *login);
void                   pop3_drop_done(struct pop3_session *s);
/* The next row that is not marked, from place *at on; *at moves behind it. NULL: no more. */
struct pop3_row *pop3_drop_next(struct pop3_session *s, uint32_t *at);
/* Remove what is marked, durably. */
MUST_CHECK enum status pop3_drop_commit(struct pop3_session *s);
/* Set \Seen; what cannot be written is left. */
void pop3_drop_seen(struct pop3_session *s, struct pop3_row *row);

/* ---- content (pop3_content.c) ---- */

/* What RETR will send: reads the message if its size must be counted, and there is room for that in LIMIT_POP3_COUNTED; else as it
 * is stored. */
uint64_t pop3_size(struct pop3_session *s, struct pop3_row *row);
/* Send it, with `head` before, and the final dot: the header and at most `lines` lines of the body. Not ST_OK: nothing was put; but
 * behind the first piece a failure sets s->broken. */
MUST_CHECK enum status pop3_content_put(struct pop3_session *s, const struct pop3_row *row, struct str head, uint32_t lines);
#define POP3_LINES_ALL UINT32_MAX

#endif
