"""What a stranger puts into a message: line ends, dots, separators. One test per row of docs/hostile.md; the false ends of data are in test_smuggling.py."""
import re

import pytest

from peers import DOMAIN, Imap, smtp
from server import Server
from test_smuggling import Normalising

ALICE, BOB, STRANGER = "alice@" + DOMAIN, "bob@" + DOMAIN, "out@elsewhere.example"
DOORS = {"relay": (25, False, None), "relay-tls": (25, True, None), "submission": (587, True, ALICE), "submissions": (465, False, ALICE)}
HEAD = b"From: <%s>\r\nSubject: %s\r\nDate: Sat, 01 Aug 2026 12:00:00 +0000\r\nMessage-ID: <%s@x.example>\r\n"


@pytest.fixture(scope="module")
def server():
    """With the address and the network exempt, as in a laboratory; mailboxes nobody else uses."""
    s = Server("--accounts", "40").start()
    s.next_account = 9
    yield s
    s.stop()


@pytest.fixture
def box(server):
    """An address of the test's own."""
    server.next_account += 1
    return "user%d@%s" % (server.next_account, DOMAIN)


def give(server, door, to, octets):
    """The code for a message, sent with its dots stuffed; and a legal one goes through in the same session afterwards."""
    port, secure, user = DOORS[door]
    stuffed = re.sub(rb"(?m)^\.", b"..", octets)
    with smtp(server, port, secure, user) as c:
        code = c.message(user or STRANGER, to, stuffed)[0]
        after = HEAD % ((user or STRANGER).encode(), b"after", b"after") + b"\r\nx\r\n"
        assert c.message(user or STRANGER, to, after)[0] == 250
        c.ok("QUIT", 221)
    return code


def arrived(server, to, count):
    """The messages of a mailbox, when there are so many."""
    with Imap(server, 993, user=to) as c:
        c.ok("SELECT INBOX")
        while c.exists() < count:
            c.ok("SELECT INBOX")
            c.wait_for_news() if c.exists() < count else None
        return [b for b in c.bodies() if b"Subject: after" not in b]


def content(octets, first=b"From: <"):
    """Below the fields that were added on the way."""
    return octets[octets.index(first):]


# ---- 2: bare CR, LF and NUL ----

BARE = {"CR": b"\r", "LF": b"\n", "NUL": b"\0", "CRCR": b"\r\r", "LFCR": b"\n\r", "LFLF": b"\n\n"}
PLACES = {"name": b"X-Na%sme: x\r\n\r\nx\r\n", "value": b"X-A: a%sb\r\n\r\nx\r\n", "fold": b"X-A: a%s b\r\n\r\nx\r\n", "header end": b"X-A: a%s\r\n\r\nx\r\n",
          "separator": b"X-A: a\r\n%s\r\nx\r\n", "body": b"\r\na%sb\r\n", "line": b"\r\na\r\n%s\r\nb\r\n", "before a dot": b"\r\na%s.\r\nb\r\n", "last": b"\r\na%s\r\n"}


@pytest.mark.parametrize("door", DOORS)
def test_bare_line_ends(server, box, door):
    """Refused wherever it stands, read to the true end, nothing of it kept; the session goes on."""
    refused = 0
    for end in BARE.values():
        for place in PLACES.values():
            port, _, user = DOORS[door]
            octets = HEAD % ((user or STRANGER).encode(), b"bare", b"bare") + place % end
            assert give(server, door, box, octets) == 554, (end, place)
            refused += 1
    assert arrived(server, box, refused) == []


def test_bare_line_ends_normalised():
    """With normalise_bare_eol they become CRLF before anybody looks; a NUL is refused all the same."""
    with Normalising(lab=False) as server:
        expected = 0
        for end in BARE.values():
            for place in PLACES.values():
                code = give(server, "relay", BOB, HEAD % (STRANGER.encode(), b"bare", b"bare") + place % end)
                assert code == (554 if b"\0" in end else 250), (end, place)
                expected += 1 + (code == 250)
        for octets in arrived(server, BOB, expected):
            assert b"\r" not in octets.replace(b"\r\n", b"") and b"\n" not in octets.replace(b"\r\n", b"")


# ---- 3: dots, separators, first lines ----

@pytest.mark.parametrize("door", DOORS)
def test_dots(server, box, door):
    """Every order of lines of 0 to 3 dots comes back as it was sent."""
    user = (DOORS[door][2] or STRANGER).encode()
    lines = [b"." * a + t for a in range(4) for t in (b"", b"x", b" ")]
    body = b"\r\n".join(a + b"\r\n" + b for a in lines for b in lines) + b"\r\n"
    assert give(server, door, box, HEAD % (user, b"dots", b"dots") + b"\r\n" + body) == 250
    (got,) = arrived(server, box, 2)
    assert got.endswith(b"\r\n\r\n" + body)


SEPARATORS = {"none": b"", "text at once": b"no field here\r\n", "space": b" \r\nSubject: inner\r\n\r\nx\r\n", "tab": b"\t\r\nSubject: inner\r\n\r\nx\r\n",
              "spaces, then text": b"   \r\ntext\r\n", "colon alone": b": x\r\n\r\nx\r\n", "nothing behind": b"\r\n", "empty lines": b"\r\n\r\n\r\nx\r\n"}


@pytest.mark.parametrize("name", SEPARATORS)
def test_separator(server, box, name):
    """Missing, or spaces only (DKIM smuggling, Exim before 4.99): one place where the header ends, the same for everyone, and only an empty line is it."""
    octets = HEAD % (STRANGER.encode(), b"separator", b"separator") + SEPARATORS[name]
    assert give(server, "relay", box, octets) == 250
    with Imap(server, 993, user=box) as c:
        n = c.wait_for("separator")
        (row,) = c.ok("FETCH %d (BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT] ENVELOPE)" % n)
    parts = []
    for _ in range(3):
        m = re.search(rb"BODY\[\w*\] (\{(\d+)\}\r\n|\"\")", row)
        octets_n = int(m[2] or 0)
        parts.append(row[m.end():m.end() + octets_n])
        row = row[m.end() + octets_n:]
    whole, header, text = parts
    assert content(whole) == octets and header + text == whole
    first_empty = whole.find(b"\r\n\r\n")
    assert header == (whole[:first_empty + 4] if first_empty >= 0 else whole) or (name == "text at once" and whole.startswith(header)), header


FIRST = {"mbox": b"From alice Sat Aug  1 12:00:00 2026\r\n", "mbox quoted": b">From alice Sat Aug  1 12:00:00 2026\r\n", "mbox huge": b"From " + b"x" * 200000 + b"\r\n",
         "huge field": b"X: " + b"x" * 200000 + b"\r\n", "no colon": b"this is no field\r\n"}


@pytest.mark.parametrize("name", FIRST)
def test_first_line(server, box, name):
    """Kept octet for octet, below what we add; no mbox line is read into anything, and what we add stays one header of its own."""
    octets = FIRST[name] + HEAD % (STRANGER.encode(), b"first", b"first") + b"\r\nFrom here on\r\n"
    assert give(server, "relay", box, octets) == 250
    (got,) = arrived(server, box, 2)
    assert got.endswith(octets), got[:400]
    added = got[:-len(octets)]
    assert added.startswith(b"Return-Path: <%s>\r\n" % STRANGER.encode()) and re.search(rb"(?m)^Received: ", added) and added.endswith(b"\r\n")


def test_fold_first(server, box):
    """A message that begins with a continuation would become part of what we put above it: refused."""
    assert give(server, "relay", box, b" X: y\r\n" + HEAD % (STRANGER.encode(), b"fold", b"fold") + b"\r\nx\r\n") == 550
    assert arrived(server, box, 1) == []
