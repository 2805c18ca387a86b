/* wire/imap/imap_notice.h - what NOTIFY asks for.
 *
 * Grammar, RFC 5465 §8:
 *   notify  = "NOTIFY" SP ("NONE" / "SET" [SP "STATUS"] 1*(SP group))
 *   group   = "(" filter SP events ")"
 *   filter  = "selected" / "selected-delayed" / "inboxes" / "personal" / "subscribed" / ("subtree" / "mailboxes") SP mailboxes
 *   events  = "NONE" / "(" event *(SP event) ")"
 *   event   = "MessageNew" [SP "(" fetch-att *(SP fetch-att) ")"] / atom
 *   mailboxes = mailbox / "(" mailbox *(SP mailbox) ")"
 * One of the two selected at most, and with events of messages only; what to fetch only there. MessageNew and MessageExpunge stand
 * together, and with FlagChange (§5).
 *
 * Pure. Tests: tests/unit/test_imap_list.c, tests/fuzz/fuzz_imap_command.c.
 */
#ifndef WIRE_IMAP_IMAP_NOTICE_H
#define WIRE_IMAP_IMAP_NOTICE_H

#include "wire/imap/imap_fetch.h"

#define IMAP_NOTICE_GROUPS 32u
#define IMAP_NOTICE_NAMES  128u /* of one group */

enum imap_notice_filter {
	IMAP_NOTICE_SELECTED,
	IMAP_NOTICE_DELAYED,
	IMAP_NOTICE_INBOXES,
	IMAP_NOTICE_PERSONAL,
	IMAP_NOTICE_SUBSCRIBED,
	IMAP_NOTICE_SUBTREE,
	IMAP_NOTICE_MAILBOXES,
};

enum imap_notice_event { /* bit mask */
	IMAP_NOTICE_NEW = 1u << 0,
	IMAP_NOTICE_EXPUNGE = 1u << 1,
	IMAP_NOTICE_FLAGS = 1u << 2,
	IMAP_NOTICE_NAME = 1u << 3,
	IMAP_NOTICE_SUBSCRIPTION = 1u << 4,
	IMAP_NOTICE_METADATA = 1u << 5,
	IMAP_NOTICE_SERVER = 1u << 6,
	IMAP_NOTICE_MESSAGES = (1u << 3) - 1, /* those of messages */
};
/* The names of all events that there are, for [BADEVENT (...)]. */
#define IMAP_NOTICE_EVENTS \
	"MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange"

struct imap_notice_group {
	enum imap_notice_filter filter;
	struct str             *names; /* as on the wire */
	size_t                  name_count;
	unsigned                events;
	struct str              fetch; /* "(item ...)", checked; empty: none */
};

struct imap_notice {
	bool                      set, status; /* SET; STATUS was asked for */
	bool                      unknown;     /* an event is not known: NO [BADEVENT] */
	struct imap_notice_group *groups;
	size_t                    count;
};

/* The arguments, to the end of the command. */
MUST_CHECK bool imap_lex_notice(struct imap_lex *x, struct imap_notice *ret);

#endif
