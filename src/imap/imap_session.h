/* imap/imap_session.h - one session, as its handlers see it. Inside imap/ only.
 *
 *   NOT_AUTH --LOGIN, AUTHENTICATE--> AUTH --SELECT, EXAMINE--> SELECTED --CLOSE, UNSELECT, failed SELECT--> AUTH
 *   AUTH, SELECTED --UNAUTHENTICATE--> NOT_AUTH, with nothing kept of what was (RFC 8437)
 *   any --LOGOUT, drain, time-out, too many errors--> closed                                (RFC 9051 §3)
 *
 * What may be trusted: `account_id` in AUTH and SELECTED; `box` in SELECTED only. imap_enter() is the one way from
 * state to state.
 *
 * Three rules hold everywhere:
 *   1. No database handle while waiting for the client. imap_account() opens the account for as long as needed; all
 * output goes to s->out by the imap_put functions, and imap_spill() gives the account back before it writes to the
 * connection.
 *   2. A handler returns what its tagged answer is (imap_ok, imap_no, ...); the dispatcher first tells what changed in
 * the mailbox (imap_sync.c), then sends it.
 *   3. What the client knows of a mailbox is a function of (mailbox, modseq): box.view is a cache of it, dropped when
 * the session waits.
 */
#ifndef IMAP_IMAP_SESSION_H
#define IMAP_IMAP_SESSION_H

#include "imap/imap.h"
#include "store/store_acl.h"
#include "store/store_message.h"
#include "wire/imap/imap_acl.h"
#include "wire/imap/imap_command.h"
#include "wire/imap/imap_modifier.h"

enum imap_state { IMAP_NOT_AUTH, IMAP_AUTH, IMAP_SELECTED, IMAP_STATE_COUNT };

/* What the connection is waiting for. */
enum imap_mode {
	IMAP_MODE_COMMAND,      /* a command, or more of one: `text` is what came so far */
	IMAP_MODE_LITERAL,      /* octets of a literal into `text` */
	IMAP_MODE_DROP,         /* octets of a literal that was refused */
	IMAP_MODE_SKIP,         /* the rest of the refused command; s->reply is its answer */
	IMAP_MODE_APPEND,       /* octets of a message; s->upload knows what else came of the command */
	IMAP_MODE_AUTHENTICATE, /* the client's answer to a challenge */
	IMAP_MODE_IDLE,         /* DONE */
};

enum imap_next {                  /* what a handler returns */
		 IMAP_NEXT_REPLY, /* s->reply is the tagged answer */
		 IMAP_NEXT_WAIT,  /* s->mode was changed, no answer yet */
		 IMAP_NEXT_TLS,   /* answer, then TLS */
		 IMAP_NEXT_COMPRESS, /* answer, then DEFLATE */
		 IMAP_NEXT_CLOSE, /* answer if there is one, then close */
};

enum imap_reply_kind { IMAP_REPLY_NONE, IMAP_REPLY_OK, IMAP_REPLY_NO, IMAP_REPLY_BAD };
struct imap_reply {
	enum imap_reply_kind kind;
	struct str           text; /* with its response code; borrowed or in s->arena */
	bool                 highest; /* [HIGHESTMODSEQ n] goes before it, as of the moment it is sent (RFC 7162 §3.1.2.1) */
};

/* What the client has switched on with ENABLE, or by a command that implies it (RFC 5161). */
enum imap_enabled { /* bit mask */
	IMAP_ENABLED_CONDSTORE = 1u << 0, /* MODSEQ in every FETCH of flags (RFC 7162 §3.1) */
	IMAP_ENABLED_QRESYNC = 1u << 1,   /* VANISHED instead of EXPUNGE (RFC 7162 §3.2) */
	IMAP_ENABLED_REV2 = 1u << 2,      /* IMAP4rev2 (RFC 9051): UTF-8 too, with CHARSET as before (§6.4.4) */
	IMAP_ENABLED_UTF8 = 1u << 3,      /* UTF8=ACCEPT: UTF-8 in names and quoted strings, and no CHARSET (RFC 9755) */
	IMAP_ENABLED_UIDONLY = 1u << 4,   /* no message numbers any more (RFC 9586) */
};

#define IMAP_OTHERS      "Other Users/"
#define IMAP_GUESTS      4u /* accounts of others at once: of the selected mailbox, of an APPEND, and two that are looked at */

#define IMAP_RECENT_RANGES 4u

/* The selected mailbox, as far as the client was told. */
struct imap_box {
	uint64_t id, modseq;
	uint64_t highest; /* HIGHESTMODSEQ, as told: everything up to there is */
	uint64_t seen;    /* the HIGHESTMODSEQ that the client has made of what it was sent (RFC 7162 §6) */
	uint32_t uidvalidity;
	uint32_t uidnext; /* every message told is below it */
	uint32_t exists;
	uint32_t recents;  /* told messages that are \Recent here */
	uint32_t keywords; /* in the FLAGS line */
	bool     read_only;
	uint64_t owner;      /* 0: the session's own account; below: of a mailbox of another */
	unsigned rights;     /* IMAP_RIGHT_..., as of rights_ms (monotonic) */
	int64_t  rights_ms;
	unsigned recent_count;
	struct imap_range
		recent[IMAP_RECENT_RANGES]; /* UIDs that are \Recent here; the oldest range is forgotten first */
	bool    loaded;
	struct store_view view; /* if loaded: box.exists rows */
	struct arena     *names_arena;
	struct str       *names; /* if loaded: keywords by number */
	size_t            name_count;
	struct imap_set   saved; /* "$" (RFC 5182): UIDs, on the heap; imap_saved.c */
	struct imap_context *contexts; /* searches whose result is kept up to date (RFC 5267); imap_context.c */
};
/* In view.rows[].flags, beside enum store_flag: the client has seen the row as it is, though its modseq is above
 * box.modseq. */
#define IMAP_ROW_TOLD (1u << 15)

/* Octets counted by net_memory_take, see imap_memory.c. */
struct imap_memory {
	size_t out, work, view, saved;
};
#define IMAP_NOT_WHOLE SIZE_MAX /* the beginning of a response was written already */

struct imap_upload; /* imap_upload.h */
struct imap_query;  /* imap_found.h */
struct imap_found;
struct imap_noted;  /* imap_cmd_notify.c */

struct imap_shared; /* imap_share.c */

/* An account of another in which the session is a guest: entered with a token for it (store.h), open inside a handler only. */
struct imap_guest {
	uint64_t              owner; /* 0: the place is free */
	struct store_account *account;
	struct store_entry   *entry;
	uint64_t              used; /* the higher, the later */
};

struct imap_session {
	struct net_conn            *conn;
	const struct net_info      *info;
	const struct imap_env      *env;
	const struct imap_settings *set;
	enum imap_state             state;
	enum imap_mode              mode;
	unsigned                    enabled; /* enum imap_enabled */
	unsigned                    errors, auth_failures; /* BAD in a row; refused sign-ins */
	uint64_t                    account_id;
	char                       *user; /* who signed in, an address; NULL: nobody */
	struct imap_guest          *guests; /* accounts of others: IMAP_GUESTS places, or NULL; heap */
	uint64_t                    guest_uses;
	uint64_t                    last_account; /* that was opened last: whose change imap_changed() tells */
	struct imap_shared         *shared;     /* who shares with us, as auth said in the command at hand; NULL: not asked yet */
	bool                        saw_shared; /* the client was told of mailboxes of others */
	bool                        no_right; /* why the last thing was ST_DENIED: a right in another's mailbox is missing */
	unsigned                    found_rights; /* in what imap_mailbox_find() found last */
	struct store_account       *account; /* open inside a handler only */
	struct auth_quota_reply     quota;   /* of it, as auth said at quota_ms (monotonic; 0: never) */
	int64_t                     quota_ms;
	struct arena               *arena;   /* of the command */
	struct arena               *secret;  /* arguments of LOGIN: wiping */
	struct sasl                *sasl;    /* NULL outside an exchange */
	struct buf                  text;    /* the command so far, literals in place */
	size_t                      held;    /* octets of it counted by net_memory_take */
	unsigned                    literals;
	struct buf                  out;
	size_t                      whole;    /* octets of `out` that are whole responses, or IMAP_NOT_WHOLE */
	bool                        inside;   /* a response is being put that ends in imap_inside(s, false) */
	struct imap_memory          memory;
	struct imap_reply           reply;
	struct str                  tag;
	char                       *idle_tag; /* octets of `tag` in IDLE, heap: all else of the command is given back */
	struct imap_box             box;
	struct imap_upload         *upload;
	struct imap_watch           watch;
	struct imap_watch           box_watch; /* on the account of the selected mailbox, if that is another's */
	struct imap_noted          *noted;    /* what NOTIFY asked for; NULL: it was never used */
	uint32_t                    limited;  /* the UID down to which the command at hand went, and no further (RFC 9738); 0: it did all */
	bool                        noticing; /* FETCH runs for NOTIFY: it sets no \Seen */
	bool                        untidy; /* the account's log is long: to be seen to behind the answer */
	bool                        broken; /* the answer cannot be completed: close without another word */
	uint64_t                    commands;
	uint64_t                    signin_from;  /* of them came before NOT_AUTH began */
	int64_t                     signin_until; /* monotonic: NOT_AUTH does not last longer */
	int64_t                     until;        /* monotonic: nor does the session itself, once signed in */
	struct store_entry         *entry;        /* of the account, while account_id is set */
	const char                 *end; /* why it ended, for the log */
};

/* Of the sign-in, for auth. */
static inline struct str imap_token(const struct imap_session *s)
{
	return s->entry ? store_entry_token(s->entry) : STR("");
}

/* Are names, and header text, in UTF-8 for this client. */
static inline bool imap_utf8(const struct imap_session *s)
{
	return (s->enabled & (IMAP_ENABLED_UTF8 | IMAP_ENABLED_REV2)) != 0;
}

void imap_enter(struct imap_session *s, enum imap_state state); /* leaves the mailbox unless to SELECTED */

/* ---- commands (imap_table.c) ---- */

#define IMAP_IN(state) (1u << (state))
#define IMAP_IN_ANY    (IMAP_IN(IMAP_NOT_AUTH) | IMAP_IN(IMAP_AUTH) | IMAP_IN(IMAP_SELECTED))
#define IMAP_IN_LOGGED (IMAP_IN(IMAP_AUTH) | IMAP_IN(IMAP_SELECTED))
#define IMAP_IN_BOX    IMAP_IN(IMAP_SELECTED)

enum imap_args { IMAP_ARGS_NONE, IMAP_ARGS_SOME, IMAP_ARGS_MAYBE };
enum imap_command_flag {
	IMAP_CMD_UID = 1u << 0,     /* has a UID form */
	IMAP_CMD_NUMBERS = 1u << 1, /* without UID: EXPUNGE may not be told during it (RFC 9051 §7.5.1) */
	IMAP_CMD_QUIET = 1u << 2,   /* nothing of the mailbox is told with its answer */
	IMAP_CMD_WRITES = 1u << 3,  /* refused on a mailbox opened by EXAMINE */
	IMAP_CMD_BULK = 1u << 4,    /* begins only with LIMIT_IMAP_WORK of memory set aside */
};
struct imap_row {
	struct str name;
	enum imap_next (*handler)(struct imap_session *s, struct imap_command *c);
	unsigned       states;
	enum imap_args args;
	unsigned       flags;
	const char    *rfc;
};
const struct imap_row *imap_row_find(struct str name);

/* May the session give this command now: state, arguments, rights, memory. False: the answer is set. */
MUST_CHECK bool imap_command_legal(struct imap_session *s, const struct imap_row *row, const struct imap_command *c);
/* One whole command in `text` (valid during the call): check, run, answer. */
enum imap_next imap_dispatch(struct imap_session *s, struct str text);
/* End the command at hand: tell changes, send the tagged answer, free what was the command's. */
void imap_finish(struct imap_session *s, bool expunge);
void imap_capability_put(struct imap_session *s);

enum imap_next imap_cmd_capability(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_noop(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_logout(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_id(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_enable(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_namespace(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_unauthenticate(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_starttls(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_login(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_authenticate(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_select(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_examine(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_close(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_unselect(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_create(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_delete(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_rename(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_subscribe(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_unsubscribe(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_list(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_lsub(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_getmetadata(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_setmetadata(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_notify(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_status(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_append(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_compress(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_replace(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_fetch(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_store(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_copy(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_move(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_expunge(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_search(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_idle(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_sort(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_thread(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_esearch(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_uidbatches(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_cancelupdate(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_setacl(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_deleteacl(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_getacl(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_listrights(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_myrights(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_getquota(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_getquotaroot(struct imap_session *s, struct imap_command *c);
enum imap_next imap_cmd_setquota(struct imap_session *s, struct imap_command *c);

/* ---- answers (imap_reply.c) ---- */

enum imap_next imap_ok(struct imap_session *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
enum imap_next imap_no(struct imap_session *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
enum imap_next imap_bad(struct imap_session *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The one table from status to answer. */
enum imap_next imap_failed(struct imap_session *s, enum status st);
/* A name that imap_name_parse refused. */
enum imap_next imap_bad_name(struct imap_session *s, bool too_long);

/* Append to the output; it is sent by imap_spill when much is there, and at the end of the handler. */
void imap_put(struct imap_session *s, struct str text);
void imap_putf(struct imap_session *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void imap_put_u64(struct imap_session *s, uint64_t v);
/* Between two lines or pieces: write out if much waits. false: the client is gone, stop. */
bool imap_spill(struct imap_session *s);
void imap_flush(struct imap_session *s); /* write out all there is */

/* A response of several pieces begins, or has ended: only whole ones stay in the output when it must be given up. */
void imap_inside(struct imap_session *s, bool inside);

/* ---- memory (imap_memory.c): false: the process is full ---- */

/* So much more output may be put. imap_put asks itself, and ends the session if not; ask first where a NO is possible. */
MUST_CHECK bool imap_out_room(struct imap_session *s, size_t n);
void            imap_out_give(struct imap_session *s);
/* In all so much for what the command at hand reads; given back behind it. */
MUST_CHECK bool imap_work_take(struct imap_session *s, size_t octets);
void            imap_work_give(struct imap_session *s);
MUST_CHECK bool imap_view_take(struct imap_session *s, size_t octets);
void            imap_view_give(struct imap_session *s);
/* For "$" and contexts: so much more; all of it is given back, or so much. */
MUST_CHECK bool imap_saved_take(struct imap_session *s, size_t octets);
void            imap_saved_give(struct imap_session *s, size_t octets);
/* The answer where it is a command that cannot be carried out. */
enum imap_next imap_full(struct imap_session *s);
/* There is no room for what must be put: say BYE if that is possible, and nothing more. */
void imap_out_over(struct imap_session *s);

/* ---- the account ---- */

/* The open account; opens it if it is not. */
MUST_CHECK enum status imap_account(struct imap_session *s, struct store_account **ret);
void                   imap_account_back(struct imap_session *s);
/* Somebody has signed in, or is here no more (then nothing of the account is open). */
void imap_account_enter(struct imap_session *s, const struct auth_login_reply *login);
void imap_account_leave(struct imap_session *s);
/* After a commit of ours. */
void imap_changed(struct imap_session *s, uint64_t modseq);
/* A mailbox name argument behind the space; false: the answer is set. */
MUST_CHECK bool imap_name_take(struct imap_session *s, struct imap_lex *x, struct str *ret);
/* The same; *ret_given: as the client wrote it, for imap_respelled. */
MUST_CHECK bool imap_name_take_given(struct imap_session *s, struct imap_lex *x, struct str *ret, struct str *ret_given);
/* A name of ours as a mailbox argument of a response: quoted, in the form that the session has enabled. */
void imap_put_name(struct imap_session *s, struct str name);
/* Is it another spelling of the name, and does the client know of OLDNAME (RFC 9051 §6.3.9.7). */
static inline bool imap_respelled(const struct imap_session *s, struct str given, struct str name)
{
	return (s->enabled & IMAP_ENABLED_REV2) && !str_eq(given, name);
}
/* "* LIST (attributes) "/" name ("OLDNAME" (old))"; without the last part if `old` is empty. */
void imap_put_list(struct imap_session *s, struct str attributes, struct str name, struct str old);
/* "* STATUS name (...)"; items: enum imap_status_item. */
void imap_put_status(struct imap_session *s, const struct store_mailbox *m, unsigned items);

/* ---- from a name, or the selected mailbox, to its account (imap_place.c) ---- */

/* The mailbox of that name and the open account that has it. ST_NOT_FOUND: there is none that this account may know of; ST_DENIED: a right
 * of `need` is missing. */
MUST_CHECK enum status imap_mailbox_find(struct imap_session *s, struct str name, unsigned need, struct store_account **ret,
					 struct store_mailbox *ret_box);
/* The open account that the selected mailbox belongs to. */
MUST_CHECK enum status imap_box_account(struct imap_session *s, struct store_account **ret);

/* ---- mailboxes of others (imap_share.c) ---- */

/* Is it a name in the namespace of others' mailboxes (or that namespace itself)? */
bool imap_is_foreign(struct str name);
/* The part of a name that its account knows. */
struct str imap_name_inside(struct str name);
MUST_CHECK enum status imap_foreign_find(struct imap_session *s, struct str name, unsigned need, struct store_account **ret,
					 struct store_mailbox *ret_box);
/* The account in which the name may be made. ST_DENIED. */
MUST_CHECK enum status imap_foreign_parent(struct imap_session *s, struct str name, struct store_account **ret);
MUST_CHECK enum status imap_foreign_box(struct imap_session *s, struct store_account **ret);
/* The account of another, open; `token`: to enter it, if the session has not yet. */
MUST_CHECK enum status imap_other(struct imap_session *s, uint64_t owner, struct str token, struct store_account **ret);
/* What auth said of who shares with us no longer holds: the command has ended, or has changed it. */
void imap_shared_forget(struct imap_session *s);
/* Close them, and leave those that neither the selected mailbox nor a message that comes needs; `all`: leave all. */
void imap_others_back(struct imap_session *s, bool all);
/* Tell auth what another's account holds now, where it counts. */
void imap_guest_counted(struct imap_session *s, struct store_account *a);
/* While the session idles, or is told of news (NOTIFY), changes of the selected mailbox of another must wake it. */
void imap_box_watch(struct imap_session *s, bool idle);
/* May the session do that in the selected mailbox? */
bool imap_box_may(const struct imap_session *s, unsigned rights);
/* The same of rights as they are now, for what cannot be undone; false: NO was answered. */
bool imap_box_need(struct imap_session *s, unsigned rights, const char *why_not);
/* Whose account changes of the selected mailbox are of, or ours. */
uint64_t imap_box_owner(const struct imap_session *s);
/* Behind the numbers of RFC 8474's ids: "" in the session's own account, "-12" in that of another, so that no id means two things. */
const char *imap_id_suffix(struct imap_session *s, uint64_t owner);
/* Is the mailbox of that account the selected one? Ids alone say nothing: each account has its own. */
bool imap_is_selected(const struct imap_session *s, uint64_t owner, uint64_t mailbox);
struct imap_shared_box {
	struct str           name; /* whole */
	uint64_t             owner, id;
	unsigned             rights;
	struct store_mailbox box; /* as its owner has it, but for the name, and without special use */
};
/* A mailbox of the account was deleted that had these entries: the directory's index is told of those that were the last (imap_cmd_acl.c). */
void imap_acl_gone(struct imap_session *s, struct store_account *a, const struct store_acl *list, size_t count);
/* "* MYRIGHTS name rights" (imap_cmd_acl.c) */
void imap_put_myrights(struct imap_session *s, struct str name, unsigned rights);
/* All of others' that may be looked up, LIMIT_MAILBOXES at most; in the command's arena. */
MUST_CHECK enum status imap_shared_boxes(struct imap_session *s, struct imap_shared_box **ret, size_t *ret_count);

/* ---- quotas (imap_quota.c) ---- */

/* Before something is added: the account's limits are known, and no older than a few seconds. Nothing may be open. When auth does not answer,
 * those hold that it said last. */
void imap_quota_know(struct imap_session *s);
/* The limits hold for the open handle. */
void imap_quota_apply(struct imap_session *s, struct store_account *a);
/* After a change of what the account holds: tell auth where it counts, and the client with "* NO [OVERQUOTA]" when it is above its quota
 * and only the grace is left. */
void imap_quota_changed(struct imap_session *s, struct store_account *a, bool added);

/* ---- the selected mailbox (imap_box.c, imap_sync.c) ---- */

/* Add new messages behind the last one. */
void imap_view_append(struct imap_box *b, const struct store_row *rows, size_t count);
/* Load the view if it is not. ST_LIMIT: it can no longer be known what the client was told. */
MUST_CHECK enum status imap_view(struct imap_session *s);
void                   imap_view_drop(struct imap_session *s);
void                   imap_box_done(struct imap_session *s);

/* The first row with a uid of at least `uid`. */
size_t imap_row_from(const struct imap_box *b, uint32_t uid);
/* The same where all rows before `from` are below: for who goes through uids in order. */
size_t imap_row_after(const struct imap_box *b, size_t from, uint32_t uid);
/* The view as it is, for a change of flags. */
struct store_known imap_known(const struct imap_box *b);
/* A message set of the client as ranges of places in view.rows, ascending (first and last inclusive, from 0). False:
 * the answer is set. */
MUST_CHECK bool imap_places(struct imap_session *s, struct imap_command *c, const struct imap_set *set,
			    struct imap_set *ret);
/* The same places as UIDs for the store. */
struct store_set imap_uids(struct imap_session *s, const struct imap_set *places);

bool     imap_is_recent(const struct imap_box *b, uint32_t uid);
void     imap_recent_add(struct imap_box *b, uint32_t first, uint32_t last);
uint32_t imap_recent_count(const struct imap_box *b); /* of the view, which is loaded */

/* Switch on (IMAP_ENABLED_...), with what it implies. A first CONDSTORE says where the selected mailbox stands (RFC 7162 §3.1). */
void imap_enable(struct imap_session *s, unsigned bits);
/* "* VANISHED [(EARLIER) ]set": ranges ascending; lines of bounded length. */
void imap_put_vanished(struct imap_session *s, bool earlier, const struct imap_set *uids);
/* "* OK [HIGHESTMODSEQ n]" */
void imap_put_highest(struct imap_session *s);
/* "* 3 FETCH (", or "* 7 UIDFETCH (" when numbers are no longer used (RFC 9586 §3.3). */
void imap_put_fetch_head(struct imap_session *s, size_t place, const struct store_row *row);
/* "MODSEQ (n)" */
void imap_put_row_modseq(struct imap_session *s, const struct store_row *row);
/* The line of a .SILENT change: no flags, but its MODSEQ (RFC 7162 §3.1.3). CONDSTORE is on. */
void imap_put_silent(struct imap_session *s, size_t place, const struct store_row *row, bool uid);
/* Those of `wanted` (UIDs, resolved below uidnext) that are gone since `since`; if that can no longer be known, all that are not there and
 * above `certain`. What went and was not told yet is left to the sync. The view must be loaded. */
MUST_CHECK enum status imap_gone_since(struct imap_session *s, uint64_t since, const struct imap_set *wanted, uint32_t certain,
				       struct imap_set *ret);
/* The answer to SELECT (QRESYNC ...) behind the usual lines. */
MUST_CHECK enum status imap_resync_tell(struct imap_session *s, const struct imap_resync *r);
/* Is `since` a moment of which all is known, or must everything count as changed (docs/formats/durability.md). */
MUST_CHECK enum status imap_since_known(struct imap_session *s, uint64_t since, bool *ret);

/* "* 3 FETCH (UID 7 FLAGS (...))" for a message that changed, in the form that the session has enabled: a whole line. */
void imap_put_changed(struct imap_session *s, size_t place, const struct store_row *row, bool uid);
/* "FLAGS (...)" of a row. */
void imap_put_row_flags(struct imap_session *s, const struct store_row *row);
/* Untagged FLAGS and PERMANENTFLAGS, with the account's keywords. */
MUST_CHECK enum status imap_put_flags_lines(struct imap_session *s, bool permanent);

/* The same, if the account has keywords that the client was not told of. */
MUST_CHECK enum status imap_keywords_tell(struct imap_session *s);
/* The same, if these rows have such: before they are shown by anything but the sync, which tells the keywords itself. */
MUST_CHECK enum status imap_keywords_meet(struct imap_session *s, const struct store_row *rows, size_t count);

/* Tell what changed since box.modseq; expunges only if allowed, and nothing behind one that is not. Not ST_OK: the
 * session must end. */
MUST_CHECK enum status imap_sync(struct imap_session *s, bool expunge);

/* ---- how many messages one command may take (imap_limit.c, RFC 9738) ---- */

void imap_limit_announce(struct imap_session *s); /* " MESSAGELIMIT=1000" */
/* Leave the highest of them, as many as one command may take; of UID EXPUNGE those that are \Deleted count. */
void imap_limit_cut(struct imap_session *s, struct imap_set *places);
void imap_limit_cut_deleted(struct imap_session *s, struct imap_set *places);
/* Are they few enough for a command that is all or nothing? False: the answer is set. */
MUST_CHECK bool imap_limit_copy(struct imap_session *s, const struct imap_set *places);
MUST_CHECK bool imap_limit_count(struct imap_session *s, uint64_t count, bool saves);
/* Before the tagged answer: how far the command came. */
void imap_limit_tell(struct imap_session *s);

/* ---- searches that go on (imap_context.c) ---- */

/* Keep the result of a search with UPDATE up to date; where that is too much, the client is told so (NOUPDATE). */
void imap_context_add(struct imap_session *s, const struct imap_query *q, const struct imap_found *f);
/* Behind imap_sync: tell what came into the results and left them. Not ST_OK: the session must end. */
MUST_CHECK enum status imap_contexts_tell(struct imap_session *s);
/* These places of the view are about to be told as expunged. */
void imap_contexts_gone(struct imap_session *s, const uint32_t *places, size_t count);
void imap_contexts_done(struct imap_session *s);
/* Forget "$" (imap_saved.c). */
void imap_saved_clear(struct imap_session *s);

/* ---- content (imap_content.c) ---- */

struct imap_section;
enum imap_content {
	IMAP_CONTENT_OK,
	IMAP_CONTENT_GONE, /* nothing was put: the message cannot be read */
	IMAP_CONTENT_CUT,  /* failed behind the announced length: s->broken is set */
};
/* " name literal": one BODY[...] or RFC822... of the message; `e` has its facts (PARTS if the section has a part). */
enum imap_content imap_put_section(struct imap_session *s, const struct imap_section *section,
				   const struct store_email *e);
/* Facts that a section needs. */
unsigned imap_section_facts(const struct imap_section *section);

/* COMPRESS is possible now (imap_compress.c). */
bool imap_may_compress(const struct imap_session *s);
/* Does the session offer a way to sign in now. */
bool imap_may_sign_in(const struct imap_session *s);

/* ---- parts of commands that come in several steps ---- */

/* What the literal is that the text of the command ends in. */
enum imap_literal_use {
	IMAP_LITERAL_TEXT,    /* an argument: it belongs to the text, as far as APPEND and REPLACE know */
	IMAP_LITERAL_CONTENT, /* octets of a message, for imap_append_sink; the text begins anew behind them */
	IMAP_LITERAL_REFUSED, /* s->reply says why */
};
enum imap_literal_use imap_append_literal(struct imap_session *s, const struct imap_literal *l);
struct net_sink imap_append_sink(struct imap_session *s);
/* All octets came; false: they were refused, s->reply says why. */
bool imap_append_data(struct imap_session *s, bool refused);
/* The command is whole: while s->upload is there, each line without a literal goes here. */
enum imap_next imap_append_end(struct imap_session *s);
void           imap_append_done(struct imap_session *s);
/* The account that a message comes into; 0: none comes. */
uint64_t imap_upload_owner(const struct imap_session *s);

enum imap_next imap_authenticate_answer(struct imap_session *s, struct str line, bool too_long);
void           imap_mechanisms_put(struct imap_session *s); /* " AUTH=PLAIN" and the like */
void           imap_secret_done(struct imap_session *s);

enum imap_next imap_idle_line(struct imap_session *s, struct str line);
void           imap_idle_wake(struct imap_session *s);
void           imap_idle_done(struct imap_session *s);

#endif
