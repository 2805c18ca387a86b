/* imap/imap_cmd_notify.h - NOTIFY, as other handlers see it (imap_cmd_notify.c). Inside imap/ only. */
#ifndef IMAP_IMAP_CMD_NOTIFY_H
#define IMAP_IMAP_CMD_NOTIFY_H

#include "imap/imap_session.h"

/* Does the session tell of changes by itself: its watch is set, in IDLE and outside. */
bool imap_notice_on(const struct imap_session *s);
/* Nothing, or no flags, of the selected mailbox may be told unasked. */
bool imap_notice_silent(const struct imap_session *s);
bool imap_notice_flags(const struct imap_session *s);
/* A commit of ours had that number. */
void imap_notice_own(struct imap_session *s, uint64_t modseq);
/* FETCH of messages that were told just now, as nobody asked for it: \Seen is not set, and what cannot be had is left out. */
void imap_notice_fetch(struct imap_session *s, struct str uids, struct str items);
/* imap_sync, imap_contexts_tell, and what NOTIFY wants fetched of new messages. */
MUST_CHECK enum status imap_notice_sync(struct imap_session *s, bool expunge);
/* Tell what happened in other mailboxes since the last time. */
void imap_notice_tell(struct imap_session *s);
/* The bus woke a session that waits for a command. */
void imap_notice_wake(struct imap_session *s);
void imap_notice_done(struct imap_session *s);

#endif
