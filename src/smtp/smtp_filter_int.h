/* smtp/smtp_filter_int.h - the parts of smtp_filter.c, of which there are several. For smtp/smtp_filter*.c alone. */
#ifndef SMTP_SMTP_FILTER_INT_H
#define SMTP_SMTP_FILTER_INT_H

#include "milter/milter.h"
#include "milter/policy_client.h"
#include "smtp/smtp_filter.h"

/* What a filter refuses with. The storage is the filter's, so that the reply lives as long as the session. */
struct smtp_filter_reply {
	struct smtp_reply reply;
	char              enhanced[12];
	char              text[LIMIT_REPLY_TEXT + 1];
};

struct smtp_milter {
	struct milter     m;
	uint32_t          index;       /* in the setting */
	uint64_t          hello;       /* the EHLO that it was told last; 0: none */
	bool              off;         /* wants to hear nothing more in this session, or failed too often */
	bool              pass;        /* nothing more of this message */
	bool              failed;      /* in this transaction: its default holds */
	bool              barred;      /* it refused the connection or the EHLO: `bar` is the answer to every MAIL */
	unsigned          failures;
	struct smtp_filter_reply bar;
};

struct smtp_policy {
	struct policy_client client;
	uint32_t             index;
	unsigned             failures;
};

struct smtp_filter {
	struct smtp_session     *s;
	struct smtp_milter      *milters;
	unsigned                 milter_count;
	uint64_t                 peer;    /* whom they were told of: XCLIENT may make it another */
	struct smtp_policy      *policies;
	unsigned                 policy_count;
	struct milter_edits      prepend; /* what policy servers add to this message's header */
	const struct smtp_reply *if_reject, *if_permit; /* of this command: NULL, or a deferral in deferral[] */
	struct smtp_filter_reply deferral[2];
	struct str               rcpt; /* the recipient that is being told, for macros */
	bool                     hold; /* this message: quarantine */
	struct smtp_filter_reply refusal;
	char                     numbers[3][24]; /* macros that are numbers, as text */
	char                     who[80];        /* the macro "_"; here, as a filter may ask for it in each of very many commands */
};

/* ---- smtp_filter.c ---- */
/* A filter's words as a reply, kept in *r. Several lines become one; percent: "%%" is read as "%", which libmilter doubles. */
const struct smtp_reply *smtp_filter_words(struct smtp_filter_reply *r, const struct milter_reply *words, bool percent);
/* A descriptor from remote, which connects by its own configuration. */
MUST_CHECK enum status smtp_filter_connect(struct smtp_session *s, enum remote_purpose purpose, uint32_t index, const struct filter_conf *conf,
					   int *ret_fd);

/* ---- smtp_filter_policy.c ---- */
/* Ask each server of that stage. It sets if_reject and if_permit, hold, prepend, tx.discard. */
MUST_CHECK const struct smtp_reply *smtp_filter_policy(struct smtp_filter *f, enum filter_stage stage);

/* ---- smtp_filter_milter.c ---- */
struct milter_macros smtp_filter_macros(struct smtp_filter *f);
/* Connect and catch up to MAIL. CONTINUE, ACCEPT, or what it says. */
struct milter_verdict smtp_filter_mail_tell(struct smtp_filter *f, struct smtp_milter *m, struct str params);
/* What stands behind "FROM:<path>" or "TO:<path>". */
struct str smtp_filter_params(struct str arg);

/* ---- smtp_filter_content.c ---- */

/* The message as filters see it: without what we put in front. */
struct smtp_filter_view {
	struct milter_header header;
	struct milter_source body;
	bool                 blank; /* an empty line ends the header */
	uint64_t             body_at; /* in the content */
	struct smtp_content *content;
	char                *memory; /* the header of a spooled message, or NULL */
	size_t               memory_n; /* reserved: that, and for the fields */
};
enum smtp_view { SMTP_VIEW_OK, SMTP_VIEW_HEADER, SMTP_VIEW_BUSY, SMTP_VIEW_IO };
/* Look at tx.content. HEADER: too big or too many fields; BUSY: no memory now. Close it whatever is returned. */
MUST_CHECK enum smtp_view smtp_filter_view_open(struct smtp_session *s, struct arena *a, struct smtp_filter_view *ret);
void smtp_filter_view_close(struct smtp_session *s, struct smtp_filter_view *v);
/* Append to a content of our own making, in memory or, from LIMIT_INLINE on, in a spool file. */
MUST_CHECK enum status smtp_filter_put(struct smtp_session *s, struct smtp_content *c, struct str octets);
/* Make a new content of the view's (edited) header and of `body`, or the view's own body if that is NULL. tx.content is not touched. */
MUST_CHECK enum status smtp_filter_build(struct smtp_session *s, const struct smtp_filter_view *v, struct smtp_content *body,
					 struct smtp_content *ret);
/* Can sender and recipients be changed so? Then do it. False: an address is none, or there are too many; nothing is changed. */
MUST_CHECK bool smtp_filter_envelope(struct smtp_session *s, const struct milter_edits *e);

#endif
