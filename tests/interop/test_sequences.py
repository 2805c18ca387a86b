"""What clients say that cannot run here: the commands of Outlook, in their order and with their habits, against the real server. A sequence ends with
the mailbox that the commands mean, as another connection sees it."""
import re

import pytest
from mailbox_ import message
from wire import Wire


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
