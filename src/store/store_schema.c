/* store/store_schema.c - mail.db. Columns, meaning and invariants: docs/formats/account.md.
 *
 * Tables of small rows are clustered by their key. email, content and listing have large rows: as clustered tables their inner pages would
 * hold four rows each, so here their id is the row number; the statements still name the account, and are the same for both engines.
 */
#include "store/store_internal.h"

static const char step1[] =
	"CREATE TABLE account ("
	" account INTEGER PRIMARY KEY, modseq INTEGER NOT NULL, ceiling INTEGER NOT NULL, boot_hi INTEGER NOT NULL,"
	" boot_lo INTEGER NOT NULL, floor INTEGER NOT NULL, changes INTEGER NOT NULL, released INTEGER NOT NULL,"
	" next_id INTEGER NOT NULL, uidvalidity INTEGER NOT NULL, messages INTEGER NOT NULL, size INTEGER NOT NULL);"
	"CREATE TABLE mailbox ("
	" account INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL, special INTEGER NOT NULL,"
	" uidvalidity INTEGER NOT NULL, uidnext INTEGER NOT NULL, messages INTEGER NOT NULL, unseen INTEGER NOT NULL,"
	" deleted INTEGER NOT NULL, recent INTEGER NOT NULL, recent_from INTEGER NOT NULL, size INTEGER NOT NULL,"
	" deleted_size INTEGER NOT NULL, modseq INTEGER NOT NULL, PRIMARY KEY (account, id)) WITHOUT ROWID;"
	"CREATE UNIQUE INDEX mailbox_name ON mailbox (account, name);"
	"CREATE TABLE subscription ("
	" account INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (account, name)) WITHOUT ROWID;"
	"CREATE TABLE keyword ("
	" account INTEGER NOT NULL, number INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (account, number)) WITHOUT ROWID;"
	"CREATE TABLE message ("
	" account INTEGER NOT NULL, mailbox INTEGER NOT NULL, uid INTEGER NOT NULL, flags INTEGER NOT NULL,"
	" kw0 INTEGER NOT NULL, kw1 INTEGER NOT NULL, modseq INTEGER NOT NULL, created INTEGER NOT NULL,"
	" email INTEGER NOT NULL, size INTEGER NOT NULL, internal_ms INTEGER NOT NULL, zone INTEGER NOT NULL,"
	" saved_ms INTEGER NOT NULL,"
	" PRIMARY KEY (account, mailbox, uid)) WITHOUT ROWID;"
	"CREATE TABLE expunged ("
	" account INTEGER NOT NULL, gone INTEGER NOT NULL, mailbox INTEGER NOT NULL, uid INTEGER NOT NULL,"
	" flags INTEGER NOT NULL, kw0 INTEGER NOT NULL, kw1 INTEGER NOT NULL, modseq INTEGER NOT NULL,"
	" created INTEGER NOT NULL, email INTEGER NOT NULL, size INTEGER NOT NULL, internal_ms INTEGER NOT NULL,"
	" zone INTEGER NOT NULL, saved_ms INTEGER NOT NULL, gone_ms INTEGER NOT NULL, PRIMARY KEY (account, gone, mailbox, uid)) WITHOUT ROWID;"
	"CREATE TABLE email ("
	" id INTEGER PRIMARY KEY, account INTEGER NOT NULL, content INTEGER NOT NULL, refs INTEGER NOT NULL,"
	" size INTEGER NOT NULL, header_n INTEGER NOT NULL, mime_flags INTEGER NOT NULL, date_ms INTEGER,"
	" subject BLOB NOT NULL, from_text BLOB NOT NULL, to_text BLOB NOT NULL, cc_text BLOB NOT NULL,"
	" message_id BLOB NOT NULL, in_reply_to BLOB NOT NULL, reference_ids BLOB NOT NULL,"
	" envelope BLOB NOT NULL, body BLOB NOT NULL, structure BLOB NOT NULL, parts BLOB NOT NULL);"
	"CREATE TABLE content ("
	" id INTEGER PRIMARY KEY, account INTEGER NOT NULL, hash BLOB NOT NULL, size INTEGER NOT NULL,"
	" refs INTEGER NOT NULL, data BLOB);" /* NULL: in the file content/<hash> */
	"CREATE UNIQUE INDEX content_hash ON content (account, hash);"
	"CREATE TABLE change ("
	" account INTEGER NOT NULL, modseq INTEGER NOT NULL, kind INTEGER NOT NULL, object INTEGER NOT NULL,"
	" op INTEGER NOT NULL, uids BLOB NOT NULL, PRIMARY KEY (account, modseq, kind, object, op)) WITHOUT ROWID;"
	"CREATE TABLE gap ("
	" account INTEGER NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL, PRIMARY KEY (account, low)) WITHOUT ROWID;"
	"CREATE TABLE delivery ("
	" account INTEGER NOT NULL, id INTEGER NOT NULL, email INTEGER NOT NULL, PRIMARY KEY (account, id)) WITHOUT ROWID;";

/* What was added to, and taken from, email.refs since the email came in. */
static const char step_email_more[] =
	"CREATE TABLE email_more ("
	" account INTEGER NOT NULL, email INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (account, email)) WITHOUT ROWID;";

/* What became of an expunged message, so that undelete puts it back once and never what was only moved; names of deleted mailboxes. Of
 * messages expunged before this step: those that came somewhere else by the same change were moved. */
static const char step_undelete[] =
	"ALTER TABLE expunged ADD COLUMN fate INTEGER NOT NULL DEFAULT 0;"
	"UPDATE expunged SET fate = 1 WHERE email <> 0 AND (email, gone) IN"
	" (SELECT email, created FROM message UNION SELECT email, created FROM expunged);"
	"CREATE TABLE former ("
	" account INTEGER NOT NULL, id INTEGER NOT NULL, name TEXT NOT NULL, special INTEGER NOT NULL, gone_ms INTEGER NOT NULL,"
	" PRIMARY KEY (account, id)) WITHOUT ROWID;";

/* Annotations of mailboxes (mailbox 0: of the account), and which emails are one conversation (store_thread.c). */
static const char step_metadata[] =
	"CREATE TABLE metadata ("
	" account INTEGER NOT NULL, mailbox INTEGER NOT NULL, reader INTEGER NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,"
	" PRIMARY KEY (account, mailbox, reader, name)) WITHOUT ROWID;"
	"CREATE TABLE thread ("
	" account INTEGER NOT NULL, email INTEGER NOT NULL, thread INTEGER NOT NULL, PRIMARY KEY (account, email)) WITHOUT ROWID;"
	"CREATE TABLE thread_key ("
	" account INTEGER NOT NULL, hash INTEGER NOT NULL, email INTEGER NOT NULL, PRIMARY KEY (account, hash, email)) WITHOUT ROWID;";

/* Quotas: the highest percent of which the owner was warned. */
static const char step_quota[] = "CREATE TABLE warning (account INTEGER PRIMARY KEY, warned INTEGER NOT NULL);";

/* Sharing: entries of access, and what others than the owner have seen (uids as in `change`). */
static const char step_sharing[] =
	"CREATE TABLE acl ("
	" account INTEGER NOT NULL, mailbox INTEGER NOT NULL, kind INTEGER NOT NULL, subject INTEGER NOT NULL, negative INTEGER NOT NULL,"
	" rights INTEGER NOT NULL, PRIMARY KEY (account, mailbox, kind, subject, negative)) WITHOUT ROWID;"
	"CREATE INDEX acl_subject ON acl (account, kind, subject);"
	"CREATE TABLE seen ("
	" account INTEGER NOT NULL, mailbox INTEGER NOT NULL, reader INTEGER NOT NULL, uids BLOB NOT NULL,"
	" PRIMARY KEY (account, mailbox, reader)) WITHOUT ROWID;"
	/* Moves to other accounts that are under way, and what came by one (store_moving.c; uids of the source, as in `change`). */
	"CREATE TABLE moving ("
	" account INTEGER NOT NULL, id INTEGER NOT NULL, other INTEGER NOT NULL, mailbox INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
	" PRIMARY KEY (account, id)) WITHOUT ROWID;"
	"CREATE TABLE moved ("
	" account INTEGER NOT NULL, id INTEGER NOT NULL, mailbox INTEGER NOT NULL, first INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
	" uids BLOB NOT NULL, PRIMARY KEY (account, id)) WITHOUT ROWID;";

/* Changes of the flags of many messages that are not yet in their rows (store_flagging.c), and header fields that clients list with
 * (store_listing.c). */
static const char step_flagging[] =
	"CREATE TABLE flagging ("
	" account INTEGER NOT NULL, mailbox INTEGER NOT NULL, modseq INTEGER NOT NULL, op INTEGER NOT NULL, flags INTEGER NOT NULL,"
	" kw0 INTEGER NOT NULL, kw1 INTEGER NOT NULL, keep INTEGER NOT NULL, keep_kw INTEGER NOT NULL, n INTEGER NOT NULL, uids BLOB NOT NULL,"
	" PRIMARY KEY (account, mailbox, modseq)) WITHOUT ROWID;"
	"CREATE TABLE listing (id INTEGER PRIMARY KEY, account INTEGER NOT NULL, fields BLOB NOT NULL);";

static const char *const steps[] = { step1, step_email_more, step_undelete, step_metadata, step_quota, step_sharing, step_flagging };

const struct db_schema store_schema = { steps, LEN(steps) };
