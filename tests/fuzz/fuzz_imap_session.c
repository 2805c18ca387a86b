/* tests/fuzz/fuzz_imap_session.c - a whole IMAP session over the fake net and a real store, begun in each state, while others change its mailbox.
 *
 * Octet 0: state; octet 1: size of the pieces that come in; octet 2: what happens between them. The rest is what the client sends.
 *
 * What comes back is checked as a client would read it: lines that end in CRLF, literals of the length that they announce, and, unless
 * messages are named by UID (QRESYNC, UIDONLY), numbers that stay legal: EXISTS never shrinks without EXPUNGE, and EXPUNGE, FETCH and RECENT
 * name messages that are there.
 */
#include <ctype.h>
#include <string.h>

#include "base/log.h"
#include "imap_rig.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

static struct imap_rig rig;
static uint64_t        made; /* the clock when the account was as it is at the start of each run */
static uint32_t        next_uid;

#define MESSAGES 5u

/* ---- the account ---- */

static uint64_t clock_now(void)
{
	struct store_account *a CLEANUP(store_close) = NULL;
	struct store_info     info;

	CHECK(store_open(rig.store, 1, &a) == ST_OK && store_info(a, &info) == ST_OK);
	return info.modseq;
}

static void fill(void)
{
	static const struct str messages[MESSAGES] = {
		STR("Message-ID: <1@x>\r\nFrom: A <a@x.test>\r\nSubject: one\r\n\r\nHello.\r\n"),
		STR("Message-ID: <2@x>\r\nReferences: <1@x>\r\nSubject: =?utf-8?q?Re:_=C3=B6ne?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
		    "--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n"
		    "--b\r\nContent-Type: message/rfc822\r\n\r\nTo: b@x.test\r\n\r\n{5}\r\n--b--\r\n"),
		STR("no header\0.\r\n"), STR("A: b\n\nbare\r"), STR("\r\n"),
	};

	for (uint32_t i = 0; i < MESSAGES; i++)
		imap_rig_add(&rig, messages[i]);
	imap_rig_flag(&rig, 2, STORE_SEEN | STORE_FLAGGED);
	imap_rig_flag(&rig, 4, STORE_DELETED);
	made = clock_now();
}

/* Every run begins with the same account, so that what is found can be found again. */
static void refill(void)
{
	if (clock_now() != made) {
		imap_rig_store_done(&rig);
		imap_rig_store(&rig);
		fill();
	}
	next_uid = MESSAGES + 1;
	rig.changes = 0;
	arena_reset(rig.arena);
}

static void end(void)
{
	imap_rig_close(&rig);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	log_set_level(LOG_LEVEL_ERROR);
	imap_rig_open(&rig);
	atexit(end);
	fill();
	return 0;
}

/* ---- what the client reads ---- */

struct reader {
	uint64_t exists;
	unsigned fewer; /* lines within which a smaller EXISTS must turn out to be another mailbox's */
};

/* "* n WORD": a response about message n. */
static void numbered(struct reader *r, uint64_t n, struct str word)
{
	if (str_istarts(word, STR("EXISTS"))) {
		if (n < r->exists)
			r->fewer = 4;
		r->exists = n;
	} else if (str_istarts(word, STR("EXPUNGE"))) {
		CHECK(n >= 1 && n <= r->exists);
		r->exists--;
	} else if (str_istarts(word, STR("FETCH"))) {
		CHECK(n >= 1 && n <= r->exists);
	} else {
		CHECK(str_istarts(word, STR("RECENT")) && n <= r->exists);
	}
}

static void response(struct reader *r, struct str line)
{
	struct str rest = line, word;
	uint64_t   n;

	if (r->fewer > 0) {
		if (str_search(line, STR("[UIDVALIDITY ")) >= 0)
			r->fewer = 0;
		else
			CHECK(--r->fewer > 0);
	}
	if (str_starts(line, STR("* OK [CLOSED]")))
		r->exists = 0;
	if (str_search(line, STR("[UIDVALIDITY ")) >= 0)
		r->fewer = 0;
	if (!str_starts(line, STR("* ")) || !isdigit((unsigned char)line.p[2]))
		return;
	rest = str_from(line, 2);
	CHECK(str_cut(rest, ' ', &word, &rest) && str_to_u64(word, &n));
	numbered(r, n, rest);
}

/* Octets of the literal that the line ends in; 0: none, or it is empty. */
static uint64_t literal_of(struct str line)
{
	ptrdiff_t at = (ptrdiff_t)line.n - 1;
	uint64_t  n;

	if (line.n < 3 || line.p[at] != '}')
		return 0;
	while (at > 0 && isdigit((unsigned char)line.p[at - 1]))
		at--;
	if (at < 1 || line.p[at - 1] != '{' || !str_to_u64(str_n(line.p + at, line.n - 1 - (size_t)at), &n))
		return 0;
	return n;
}

/* What was written so far, as whole responses; what is not whole yet is left. Lines behind a literal are part of the same response. */
static void check_output(struct reader *r, bool vanishes)
{
	struct str out = buf_str(&rig.conn.out), whole = out;
	bool       inside = false;

	while (whole.n > 0) {
		ptrdiff_t  eol = str_search(whole, STR("\r\n"));
		struct str line;
		uint64_t   n;

		CHECK(eol >= 0);
		line = str_n(whole.p, (size_t)eol);
		CHECK(str_find(line, '\n') < 0 && str_find(line, '\r') < 0 && str_find(line, '\0') < 0);
		whole = str_from(whole, (size_t)eol + 2);
		if (!inside && !vanishes)
			response(r, line);
		n = literal_of(line);
		inside = n > 0;
		if (n > whole.n) {
			CHECK(rig.conn.closed); /* a message that could not be read to its end ends the session */
			break;
		}
		whole = str_from(whole, (size_t)n);
	}
	buf_clear(&rig.conn.out);
}

/* ---- states ---- */

#define SELECTED   IMAP_SIGN_IN "b SELECT INBOX\r\n"
#define ENABLED(x) IMAP_SIGN_IN "b ENABLE " x "\r\nc SELECT INBOX\r\n"

static const char *const states[] = {
	"",
	"a AUTHENTICATE PLAIN\r\n",
	"a AUTHENTICATE LOGIN\r\nYWxpY2VAZGVtby50ZXN0\r\n",
	"a STARTTLS\r\n",
	"a LOGIN {15}\r\nalice@demo.test {8}\r\n",
	IMAP_SIGN_IN,
	IMAP_SIGN_IN "b IDLE\r\n",
	IMAP_SIGN_IN "b NOTIFY SET STATUS (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))\r\n",
	SELECTED,
	IMAP_SIGN_IN "b EXAMINE INBOX\r\n",
	SELECTED "c IDLE\r\n",
	SELECTED "c FETCH 1:* (FLAGS)\r\n", /* the view is loaded */
	SELECTED "c SEARCH RETURN (SAVE) ALL\r\n",
	SELECTED "c SEARCH RETURN (UPDATE COUNT) UNSEEN\r\nd SORT RETURN (UPDATE) (SUBJECT) UTF-8 ALL\r\n",
	SELECTED "c NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange))\r\n",
	SELECTED "c APPEND INBOX (\\Seen) {200}\r\n",
	SELECTED "c APPEND INBOX {4+}\r\nabcd CATENATE (URL {10}\r\n",
	SELECTED "c SEARCH SUBJECT {20}\r\n",
	SELECTED "c APPEND INBOX {99999999+}\r\n",
	SELECTED "c REPLACE 1 INBOX {30}\r\n",
	ENABLED("CONDSTORE"),
	ENABLED("QRESYNC"),
	ENABLED("UIDONLY"),
	ENABLED("IMAP4rev2 UTF8=ACCEPT"),
	ENABLED("QRESYNC") "d UID FETCH 1:* (FLAGS)\r\ne IDLE\r\n",
	ENABLED("UIDONLY QRESYNC") "d UID FETCH 1:* (FLAGS)\r\n",
};

/* What others do meanwhile; each is told to the session as the bus does. */
static void meanwhile(unsigned what)
{
	switch (what % 6) {
	case 0: return;
	case 1: imap_rig_add(&rig, STR("Subject: new\r\n\r\nx\r\n")); next_uid++; break;
	case 2: imap_rig_flag(&rig, 1 + what / 6 % next_uid, STORE_ANSWERED | STORE_DELETED); break;
	case 3: imap_rig_expunge(&rig, 1 + what / 6 % next_uid); break;
	case 4:
		if (imap_rig_holds_view(&rig))
			fake_event(&rig.conn, NET_EV_TIMEOUT);
		return;
	}
	if (!rig.conn.closed && rig.conn.want.kind == NET_WANT_LINE)
		fake_event(&rig.conn, NET_EV_WAKE);
}

/* VANISHED says no numbers: then a client counts by UID, which is the model tests' work. */
static bool counts_by_uid(const uint8_t *data, size_t size)
{
	struct str rest = str_n(data, size);

	if (str_search(str_of(states[data[0] % LEN(states)]), STR("QRESYNC")) >= 0)
		return true;
	for (size_t i = 0; i + 7 <= rest.n; i++)
		if (str_ieq(str_n(rest.p + i, 7), STR("QRESYNC")) || str_ieq(str_n(rest.p + i, 7), STR("UIDONLY")))
			return true;
	return str_search(str_of(states[data[0] % LEN(states)]), STR("UIDONLY")) >= 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader reader = { 0 };
	size_t        piece;
	unsigned      happens;
	bool          by_uid;

	if (size < 3)
		return 0;
	piece = data[1] ? data[1] : size;
	happens = data[2];
	by_uid = counts_by_uid(data, size);
	refill();
	imap_rig_begin(&rig);
	fake_feed(&rig.conn, str_of(states[data[0] % LEN(states)]));
	check_output(&reader, by_uid);
	for (size_t at = 3; at < size && !rig.conn.closed; at += piece) {
		if (rig.conn.want.kind == NET_WANT_TLS)
			fake_tls(&rig.conn);
		fake_feed(&rig.conn, str_n(data + at, MIN(piece, size - at)));
		check_output(&reader, by_uid);
		if (!rig.conn.closed && happens > 0) {
			meanwhile(happens);
			check_output(&reader, by_uid);
			happens = happens * 75 + 74;
		}
	}
	if (!rig.conn.closed && rig.conn.want.kind == NET_WANT_LINE) {
		fake_event(&rig.conn, NET_EV_DRAIN);
		CHECK(rig.conn.closed);
		check_output(&reader, by_uid);
	}
	imap_rig_end(&rig);
	return 0;
}

/* ---- what to try ---- */

/* Whole lines: octets alone would take days to become a FETCH. A mutation puts one in, or changes octets of what is there. */
static const char *const lines[] = {
	"x NOOP", "x CHECK", "DONE", "x IDLE", "x EXPUNGE", "x UID EXPUNGE 1:3", "x CLOSE", "x UNSELECT", "x LOGOUT", "x CAPABILITY", "x NAMESPACE",
	"x SELECT INBOX", "x EXAMINE INBOX", "x SELECT INBOX (CONDSTORE)", "x SELECT INBOX (QRESYNC (1 1))", "x SELECT INBOX (QRESYNC (1 4 1:9 (1:2 1:2)))",
	"x ENABLE QRESYNC", "x ENABLE UIDONLY", "x ENABLE CONDSTORE", "x ENABLE IMAP4rev2", "x UNAUTHENTICATE", "x ID NIL",
	"x CREATE y", "x CREATE z (USE (\\Trash))", "x DELETE y", "x RENAME y z", "x RENAME INBOX y", "x SUBSCRIBE y", "x UNSUBSCRIBE y", "x LIST \"\" *",
	"x LSUB \"\" *", "x LIST (SUBSCRIBED) \"\" (INBOX %) RETURN (STATUS (MESSAGES SIZE HIGHESTMODSEQ) CHILDREN SPECIAL-USE)",
	"x STATUS INBOX (MESSAGES UIDNEXT UNSEEN DELETED SIZE HIGHESTMODSEQ)", "x GETMETADATA INBOX (/shared/comment)",
	"x SETMETADATA INBOX (/private/comment \"c\")", "x FETCH 1:* (UID FLAGS MODSEQ)", "x UID FETCH 1:* (FLAGS) (CHANGEDSINCE 3 VANISHED)",
	"x FETCH 1:* ALL", "x FETCH 1:3 FULL", "x FETCH 1,2 (BODY[] RFC822.SIZE SAVEDATE EMAILID THREADID PREVIEW)", "x FETCH 2 BODY.PEEK[2.HEADER.FIELDS (To)]<0.5>",
	"x FETCH 2 (BINARY.PEEK[1] BINARY.SIZE[1])", "x FETCH * BODY.PEEK[TEXT]<3.9>", "x UID FETCH 1:* (UID) (PARTIAL -1:-2)", "x FETCH $ UID",
	"x STORE 1:* +FLAGS (\\Deleted)", "x STORE 1 (UNCHANGEDSINCE 2) FLAGS.SILENT (\\Seen k)", "x UID STORE 1:9 -FLAGS.SILENT (\\Deleted)", "x STORE 1:2 FLAGS ()",
	"x COPY 1:* INBOX", "x UID MOVE 1:2 INBOX", "x MOVE 2 Trash", "x COPY 1 Archive", "x SEARCH UNSEEN", "x UID SEARCH OR FROM a NOT SUBJECT b",
	"x SEARCH RETURN (MIN MAX COUNT ALL) MODSEQ 2", "x SEARCH RETURN (SAVE) DELETED", "x SEARCH RETURN (PARTIAL 1:2) ALL", "x SEARCH RETURN (UPDATE CONTEXT) SEEN",
	"x CANCELUPDATE \"x\"", "x SORT (REVERSE DATE SUBJECT SIZE) UTF-8 ALL", "x THREAD REFERENCES UTF-8 ALL", "x THREAD ORDEREDSUBJECT US-ASCII 1:3",
	"x ESEARCH IN (mailboxes INBOX) RETURN (COUNT) ALL", "x APPEND INBOX (\\Seen) {4+}\r\nA:b\n", "x APPEND INBOX {1+}\r\n\n {2+}\r\n\r\n",
	"x APPEND INBOX CATENATE (URL \"/INBOX/;UID=1\" TEXT {2+}\r\nx\n)", "x REPLACE 1 INBOX {3+}\r\nA:c", "x APPEND INBOX {3}", "x SEARCH TEXT {3}", "abc",
	"x NOTIFY SET (selected (MessageNew (FLAGS) MessageExpunge))", "x NOTIFY NONE", "x LOGIN alice@demo.test password", "x AUTHENTICATE PLAIN =",
	"x AUTHENTICATE LOGIN", "*", "x COMPRESS DEFLATE", "", "x", "{9+}",
};

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	const char *line = lines[seed / 8 % LEN(lines)];
	size_t      n = strlen(line), at;

	if (seed % 4 == 0 || size < 3 || size + n + 2 > max)
		return LLVMFuzzerMutate(data, size, max);
	at = 3 + seed / 1024 % (size - 2);
	while (at < size && data[at - 1] != '\n' && at > 3) /* between two lines */
		at++;
	memmove(data + at + n + 2, data + at, size - at);
	memcpy(data + at, line, n);
	memcpy(data + at + n, "\r\n", 2);
	return size + n + 2;
}
