/* ipc/msg_local.h - what local is asked: put a message into an account.
 *
 * The reply to IPC_LOCAL_DELIVER comes after the account's log is synced (settled) and
 * announced on the bus: only then may queue drop its entry. A repeated delivery id that
 * the account still remembers changes nothing and is answered the same way.
 */
#ifndef IPC_MSG_LOCAL_H
#define IPC_MSG_LOCAL_H

#include "base/limits.h"
#include "base/str.h"

#include <stdbool.h>

#define LOCAL_HASH 32u /* SHA-256 */

struct local_deliver_request {
	uint64_t   delivery; /* never reused; one message has one for all its accounts, and goes to each at most once */
	uint64_t   floor;    /* delivery ids below this will never be repeated: the account may forget them */
	uint64_t   message;  /* queue id, for the log */
	uint64_t   account;
	struct str address;  /* the account's */
	struct str mailbox;  /* "" is INBOX */
	struct str from, rcpt; /* envelope; rcpt as it was given in RCPT */
	int64_t    received_ms;
	uint64_t   size;
	struct str hash;    /* SHA-256 of the content */
	struct str content; /* if size <= LIMIT_INLINE */
	int        file;    /* else: queue's finished copy, for reading */
	bool       alone;   /* it was under way when a process died: at once, and in a transaction of its own */
	uint64_t   quota_octets; /* of the account, 0: none; over it the delivery is DEFERRED with 4.2.2 */
};
enum local_result {
	LOCAL_DELIVERED,
	LOCAL_DISCARDED,
	LOCAL_DEFERRED, /* try later: the reason says why */
	LOCAL_REFUSED,  /* never will: a DSN is due */
	LOCAL_RESULT_LAST = LOCAL_REFUSED,
};
struct local_deliver_reply {
	enum local_result result;
	struct str        code;   /* enhanced status, "4.2.2" */
	struct str        reason; /* for queue show and DSN */
	uint64_t          usage_octets; /* what the account holds now; 0: not known */
};

/* IPC_LOCAL_PURGE: delete the account's directory (after the directory has forgotten it). */
struct local_purge_request {
	uint64_t account;
};

/* IPC_LOCAL_UNDELETE, by administrators: store/store_undelete.h. ST_NOT_FOUND: no such mailbox, or no mail at all. */
#define LIMIT_UNDELETED_TEXT ((size_t)200) /* From and Subject */
struct local_undelete_request {
	uint64_t   account;
	struct str mailbox, into;
	int64_t    since_ms, until_ms;
	bool       list;
};
struct local_undeleted {
	struct str mailbox;
	uint32_t   uid, new_uid;
	int64_t    gone_ms;
	uint64_t   size;
	struct str from, subject;
};
struct local_undelete_reply {
	struct local_undeleted *rows; /* the first LIMIT_LIST_PAGE */
	size_t                  row_count;
	uint64_t                count, size, nameless;
};

/* IPC_LOCAL_FSCK, by administrators: check an account's invariants, and repair it. */
#define LIMIT_FINDING   ((size_t)1200)
#define LIMIT_INVARIANT ((size_t)8)
struct local_fsck_request {
	uint64_t account;
	bool     repair;
	bool     salvage; /* also of a database that cannot be read, or is not there while contents are; includes repair */
};
struct local_finding {
	uint32_t   kind; /* enum store_mend_kind */
	struct str invariant, text;
};
struct local_fsck_reply {
	struct local_finding *findings; /* LIMIT_LIST_PAGE at most: then `more` */
	size_t                finding_count;
	bool                  more;
	bool                  empty; /* the account has no folder: it never had mail */
	uint64_t              broken, fixed, moved, lost;
	uint64_t              left; /* breaks after the repair */
	bool                  salvaged; /* there is a new database */
	uint64_t              kept;     /* messages in it where they were */
	uint64_t              aside;    /* the old one is mail.db.damaged.N */
};

#endif
