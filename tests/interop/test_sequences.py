"""What clients say that cannot run here: the commands of Thunderbird, Thunderbird for Android (K-9), Evolution, Apple Mail and Outlook, in their
order and with their habits (pipelining, partial fetches, no message numbers), against the real server. Each sequence ends with the same mailbox
that the commands mean, as another connection sees it."""
import re

import pytest
from mailbox_ import message, smtp
from wire import Wire


def needs(server, wire, *names):
    """Ours has all that the client looks for; what the reference has is its own affair."""
    has = {c.split("=")[0] if c.startswith("APPENDLIMIT") else c for c in wire.capabilities()}
    if server.name == "postrider":
        assert set(names) <= has, set(names) - has
    return has


def mail(account, n, extra="", body="Hello\r\n"):
    text = message(account[0], account[0], f"number {n}", body)
    return text.replace("Date:", extra + "Date:", 1).encode()


WITH_ATTACHMENT = ("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b1\"\r\n",
                   "--b1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n"
                   "--b1\r\nContent-Type: image/png; name=\"a.png\"\r\nContent-Transfer-Encoding: base64\r\n"
                   "Content-Disposition: attachment; filename=\"a.png\"\r\n\r\n" + "iVBORw0KGgoAAAANSUhEUgAAAAE=\r\n" * 50 + "--b1--\r\n")


@pytest.fixture
def filled(server, account):
    """An account whose INBOX has five messages, the fourth with an attachment."""
    with Wire(server, account) as w:
        for n in range(1, 6):
            w.append("INBOX", mail(account, n, *WITH_ATTACHMENT) if n == 4 else mail(account, n))
    return account


def look(server, account, box="INBOX"):
    """subject -> flags of each message in a box."""
    found = {}
    with Wire(server, account) as w:
        w.ok(f"EXAMINE {box}")
        for line in w.ok("UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])").split(b"\r\n* "):
            subject = re.search(rb"Subject: (.*?)\r\n", line)
            if subject:
                found[subject[1].decode()] = set(re.search(rb"FLAGS \(([^)]*)\)", line)[1].decode().split()) - {r"\Recent"}
    return found


def test_thunderbird(server, filled, other):
    with Wire(server) as w:
        assert b"CAPABILITY" in w.greeting
        w.ok("CAPABILITY")
        w.ok(f'LOGIN "{filled[1]}" "{filled[2]}"')
        has = needs(server, w, "IDLE", "NAMESPACE", "UIDPLUS", "MOVE", "ENABLE", "ID", "LIST-EXTENDED", "SPECIAL-USE", "CONDSTORE", "COMPRESS=DEFLATE")
        w.ok('ID ("name" "Thunderbird" "version" "140.0")')
        w.ok("NAMESPACE")
        w.ok('LIST "" ""')
        told = w.ok('LIST (SUBSCRIBED) "" "*" RETURN (SPECIAL-USE)') + w.ok('LIST "" "*" RETURN (SPECIAL-USE)')
        for use in (rb"\Sent", rb"\Drafts", rb"\Trash", rb"\Junk", rb"\Archive"):
            assert use in told
        told = w.ok('SELECT "INBOX" (CONDSTORE)')
        assert b"* 5 EXISTS" in told and b"HIGHESTMODSEQ" in told and b"UIDNEXT" in told
        if "QUOTA" in has:
            w.ok("GETQUOTAROOT \"INBOX\"")
        told = w.ok("UID FETCH 1:* (FLAGS)")
        uids = [int(u) for u in re.findall(rb"UID (\d+)", told)]
        assert len(uids) == 5
        told = w.ok(f"UID FETCH {uids[0]}:{uids[-1]} (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority "
                    "X-Priority References Newsgroups In-Reply-To Content-Type Reply-To)])")
        assert told.count(b"Subject: number") == 5
        told = w.ok(f"UID FETCH {uids[3]} (UID RFC822.SIZE BODY[]<0.65536>)")
        assert b"<0>" in told and b"Gr=C3=BC" in told
        w.ok(f"UID FETCH {uids[3]} (BODYSTRUCTURE)")
        told = w.ok(f"UID FETCH {uids[3]} (BODY.PEEK[HEADER] BODY.PEEK[1.MIME] BODY.PEEK[1])")
        assert b"Gr=C3=BC" in told and b"quoted-printable" in told
        w.ok(f"UID STORE {uids[1]} +FLAGS (\\Seen $label1)")
        w.ok(f"UID STORE {uids[2]} +FLAGS.SILENT (\\Answered)")
        tag = w.idle()
        with smtp(server, other) as sender:
            sender.sendmail(other[0], [filled[0]], message(other[0], filled[0], "number 6"))
        w.until(rb"^\* 6 EXISTS")
        w.done(tag)
        told = w.ok(f"UID FETCH {uids[-1] + 1}:* (FLAGS)")
        assert len(re.findall(rb"UID ", told)) == 1
        w.ok(f'UID COPY {uids[0]} "Archive"')
        told = w.ok(f'UID MOVE {uids[4]} "Trash"')
        assert b"COPYUID" in told
        w.ok(f"UID STORE {uids[0]} +FLAGS (\\Deleted \\Seen)")
        w.ok(f"UID EXPUNGE {uids[0]}")
        w.ok("CLOSE")
        w.ok("LOGOUT")
    assert look(server, filled) == {"number 2": {r"\Seen", "$label1"}, "number 3": {r"\Answered"}, "number 4": {r"\Seen"}, "number 6": set()}
    assert set(look(server, filled, "Archive")) == {"number 1"} and set(look(server, filled, "Trash")) == {"number 5"}


def test_thunderbird_android(server, filled):
    """K-9: pushes by IDLE, fetches parts, searches on the server, removes by copy and expunge of UIDs."""
    with Wire(server, filled) as w:
        needs(server, w, "IDLE", "CONDSTORE", "NAMESPACE", "ID", "SPECIAL-USE", "UIDPLUS", "MOVE", "LIST-EXTENDED")
        w.ok("NAMESPACE")
        w.ok('LIST "" "*" RETURN (SPECIAL-USE)')
        w.ok('SELECT "INBOX"')
        told = w.ok("UID SEARCH 1:5 NOT DELETED")
        uids = re.search(rb"SEARCH ([\d ]+)", told)[1].decode().split()
        assert len(uids) == 5
        told = w.ok(f"UID FETCH {','.join(uids)} (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (date subject from content-type to cc "
                    "reply-to message-id references in-reply-to list-unsubscribe sender X-K9mail-Identity)])")
        assert told.count(b"INTERNALDATE") == 5
        w.ok(f"UID FETCH {uids[3]} (UID BODYSTRUCTURE)")
        told = w.ok(f"UID FETCH {uids[3]} (UID BODY.PEEK[1])")
        assert b"Gr=C3=BC" in told
        w.ok(f"UID FETCH {uids[3]} (UID BODY.PEEK[TEXT]<0.1024>)")
        told = w.ok('UID SEARCH UNSEEN OR OR OR SUBJECT "number" TEXT "number" FROM "x" BODY "y"')
        assert len(re.search(rb"SEARCH([\d ]*)", told)[1].split()) == 5
        w.ok(f"UID STORE {uids[0]},{uids[1]} +FLAGS.SILENT (\\Seen)")
        w.ok(f'UID MOVE {uids[4]} "Trash"')
        w.ok(f"UID STORE {uids[0]} +FLAGS.SILENT (\\Deleted)")
        w.ok(f"UID EXPUNGE {uids[0]}")
        w.ok('UID SEARCH HEADER MESSAGE-ID "<number.2@example.org>"')
    assert look(server, filled) == {"number 2": {r"\Seen"}, "number 3": set(), "number 4": set()}


@pytest.mark.postrider_only
def test_evolution(server, filled, other):
    """camel-imapx: ENABLE QRESYNC, NOTIFY, LIST-STATUS, resynchronises with what it knew."""
    with Wire(server, filled) as w:
        needs(server, w, "NAMESPACE", "UIDPLUS", "LITERAL+", "IDLE", "CONDSTORE", "QRESYNC", "LIST-EXTENDED", "LIST-STATUS", "MOVE", "NOTIFY",
              "SPECIAL-USE")
        w.ok("NAMESPACE")
        assert b"ENABLED" in w.ok("ENABLE CONDSTORE QRESYNC")
        told = w.ok("NOTIFY SET (selected (MessageNew (UID RFC822.SIZE RFC822.HEADER FLAGS) MessageExpunge FlagChange)) "
                    "(personal (MessageNew MessageExpunge MailboxName SubscriptionChange))")
        told = w.ok('LIST "" "*" RETURN (CHILDREN SUBSCRIBED STATUS (MESSAGES UNSEEN UIDVALIDITY UIDNEXT HIGHESTMODSEQ))')
        assert told.count(b"* STATUS") >= 6
        told = w.ok("SELECT INBOX")
        validity = int(re.search(rb"UIDVALIDITY (\d+)", told)[1])
        modseq = int(re.search(rb"HIGHESTMODSEQ (\d+)", told)[1])
        told = w.ok("UID FETCH 1:* (UID FLAGS)")
        uids = [int(u) for u in re.findall(rb"UID (\d+)", told)]
        told = w.ok(f"UID FETCH {uids[0]} (BODY.PEEK[])")
        assert b"number 1" in told
        # Another client changes, removes and sends; the selected mailbox is told of it without asking.
        with Wire(server, filled) as second:
            second.ok("SELECT INBOX")
            second.ok(f"UID STORE {uids[1]} +FLAGS (\\Flagged)")
            second.ok(f"UID STORE {uids[2]} +FLAGS (\\Deleted)")
            second.ok(f"UID EXPUNGE {uids[2]}")
        with smtp(server, other) as sender:
            sender.sendmail(other[0], [filled[0]], message(other[0], filled[0], "number 6"))
        w.until(rb"RFC822.HEADER.*|BODY\[HEADER\]")
        w.ok("NOOP")
    with Wire(server, filled) as w:
        w.ok("ENABLE CONDSTORE QRESYNC")
        told = w.ok(f"SELECT INBOX (QRESYNC ({validity} {modseq} {uids[0]}:{uids[-1]}))")
        # Of those that it knows (RFC 7162 §3.2.5.2); what is new it asks for.
        assert f"VANISHED (EARLIER) {uids[2]}".encode() in told and b"\\Flagged" in told and b"* 5 EXISTS" in told
        told = w.ok(f"UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE {modseq} VANISHED)")
        assert b"VANISHED (EARLIER)" in told and b"MODSEQ" in told and f"UID {uids[-1] + 1} ".encode() in told
    assert set(look(server, filled)) == {"number 1", "number 2", "number 4", "number 5", "number 6"}


def test_apple_mail(server, filled, other):
    """Pipelines: the next commands go before the answers of the last; ESEARCH, partial fetches, DONE glued to what follows."""
    with Wire(server, filled) as w:
        needs(server, w, "CONDSTORE", "IDLE", "ESEARCH", "APPENDLIMIT", "COMPRESS=DEFLATE", "ID", "LIST-STATUS")
        tags = [w.begin(text) for text in ('ID ("name" "Mac OS X Mail" "version" "16.0" "os" "Mac OS X")', "NAMESPACE", 'LIST "" "*"', 'LSUB "" "*"',
                                           'STATUS INBOX (MESSAGES UNSEEN UIDNEXT UIDVALIDITY HIGHESTMODSEQ)', "SELECT INBOX", "UID FETCH 1:* (FLAGS)")]
        told = [w.end(tag) for tag in tags]
        assert all(answer.startswith(b"OK") for _, answer in told)
        uids = [int(u) for u in re.findall(rb"UID (\d+)", b" ".join(told[-1][0]))]
        assert len(uids) == 5
        assert b"ESEARCH" in w.ok("UID SEARCH RETURN (ALL COUNT) 1:* NOT DELETED")
        tags = [w.begin(f"UID FETCH {u} (INTERNALDATE UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (date subject from to cc message-id in-reply-to "
                        "references content-type x-priority x-uniform-type-identifier x-universally-unique-identifier list-id list-unsubscribe "
                        "bimi-indicator bimi-location x-bimi-indicator-hash authentication-results dkim-signature)] BODYSTRUCTURE)") for u in uids]
        assert all(w.end(tag)[1].startswith(b"OK") for tag in tags)
        size = int(re.search(rb"RFC822.SIZE (\d+)", w.ok(f"UID FETCH {uids[3]} (RFC822.SIZE)"))[1])
        got = b""
        while len(got) < size:
            told = w.ok(f"UID FETCH {uids[3]} BODY.PEEK[]<{len(got)}.700>")
            piece = re.search(rb"BODY\[\]<(\d+)> \{(\d+)\}\r\n", told)
            assert int(piece[1]) == len(got)
            got += told[piece.end():piece.end() + int(piece[2])]
        assert len(got) == size and got.count(b"--b1") == 3
        tag = w.idle()
        with smtp(server, other) as sender:
            sender.sendmail(other[0], [filled[0]], message(other[0], filled[0], "number 6"))
        w.until(rb"^\* 6 EXISTS")
        # The commands behind DONE are in the same packet.
        w.send(b"DONE\r\nB1 UID FETCH 1:* (FLAGS)\r\nB2 NOOP\r\n")
        assert w.end(tag)[1].startswith(b"OK")
        assert len(re.findall(rb"UID \d+", b" ".join(w.end("B1")[0]))) == 6
        assert w.end("B2")[1].startswith(b"OK")
        tags = [w.begin(f"UID STORE {uids[0]} +FLAGS.SILENT (\\Seen)"), w.begin(f"UID COPY {uids[0]} Archive"),
                w.begin(f"UID STORE {uids[0]} +FLAGS.SILENT (\\Deleted)"), w.begin(f"UID EXPUNGE {uids[0]}"), w.begin(f"UID MOVE {uids[1]} Trash")]
        assert all(w.end(tag)[1].startswith(b"OK") for tag in tags)
        # Moving again what is gone is no failure: a telephone would try for ever.
        assert w.ask(f"UID MOVE {uids[1]} Trash")[1].startswith(b"OK")
    assert set(look(server, filled)) == {"number 3", "number 4", "number 5", "number 6"}
    assert set(look(server, filled, "Archive")) == {"number 1"} and set(look(server, filled, "Trash")) == {"number 2"}


def test_outlook(server, filled):
    """Classic Outlook: whole messages, no partial fetches, no macros, STATUS of folders, RFC822.PEEK of the oldest, trusts EXISTS and UIDVALIDITY."""
    with Wire(server, filled) as w:
        w.ok('LIST "" "*"')
        w.ok('LSUB "" "*"')
        told = w.ok('SELECT "INBOX"')
        assert b"* 5 EXISTS" in told and b"UIDVALIDITY" in told
        told = w.ok("UID FETCH 1:* (UID FLAGS)")
        uids = [int(u) for u in re.findall(rb"UID (\d+)", told)]
        told = w.ok(f"UID FETCH {uids[0]}:{uids[-1]} (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER] INTERNALDATE)")
        assert told.count(b"Subject: number") == 5
        told = w.ok(f"UID FETCH {uids[3]} (UID FLAGS RFC822.SIZE BODY.PEEK[])")
        assert told.count(b"--b1") >= 3
        if server.name == "postrider":
            assert b"number 1" in w.ok(f"UID FETCH {uids[0]} (RFC822.PEEK)")
        w.ok(f"UID STORE {uids[0]} +FLAGS (\\Seen)")
        w.ok(f"UID STORE {uids[1]} FLAGS (\\Deleted \\Seen)")
        w.ok("NOOP")
        w.ok("EXPUNGE")
        w.ok('STATUS "Sent" (UNSEEN MESSAGES)')
        w.ok("CLOSE")
        w.ok("LOGOUT")
    assert look(server, filled) == {"number 1": {r"\Seen"}, "number 3": set(), "number 4": set(), "number 5": set()}
