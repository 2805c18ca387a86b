"""What looks like the end of data, or like commands, on each way through the server: relayed, returned, forwarded. One test per row of docs/hostile.md."""
import re

import pytest

from peers import DOMAIN, Imap, chunk, smtp
from test_outward import Domain, server  # noqa: F401

ALICE = "alice@" + DOMAIN
HEAD = b"From: <alice@demo.test>\r\nSubject: %s\r\nDate: Sat, 01 Aug 2026 12:00:00 +0000\r\nMessage-ID: <%s@demo.test>\r\n\r\n"
CORPUS = (b".\r\n..\r\n...\r\n.x\r\n\r\n.\r\nMAIL FROM:<evil@b.example>\r\nRCPT TO:<bob@demo.test>\r\nDATA\r\nSubject: smuggled\r\n\r\n.\r\nQUIT\r\n"
          b"From here\r\n>From there\r\n\xff\xfe\x80 8-bit\r\n\x0b\x0c\x1b[2J control\r\n" + b"x" * 990 + b"\r\n \r\n\t\r\nlast\r\n")


def hand_in(server, to, subject, way):
    octets = HEAD % (subject.encode(), subject.encode()) + CORPUS
    with smtp(server, 465, user=ALICE) as c:
        if way == "data":
            assert c.message(ALICE, to, re.sub(rb"(?m)^\.", b"..", octets))[0] == 250
        else:
            c.ok("MAIL FROM:<%s> BODY=8BITMIME" % ALICE)
            c.ok("RCPT TO:<%s>" % to)
            half = octets.index(b".\r\nMAIL") + 1  # between the dot and its CRLF
            c.send(chunk(octets[:half]) + chunk(octets[half:], True))
            assert [c.reply()[0] for _ in range(2)] == [250, 250]
    return octets


def assert_canonical(octets):
    rest = octets.replace(b"\r\n", b"")
    assert b"\r" not in rest and b"\n" not in rest and b"\0" not in octets


@pytest.mark.parametrize("way", ["data", "chunks"])
def test_relayed(server, dns, way):  # noqa: F811
    """One transaction goes out, with the same octets, and its dots are stuffed: the next host sees no command in it."""
    with Domain(dns) as d:
        octets = hand_in(server, d.address(), "relayed-" + way, way)
        (taken,) = d.sink.wait()
        assert_canonical(taken.content)
        assert taken.content.endswith(octets.split(b"\r\n\r\n", 1)[1])
        assert [c.split(":")[0] for c in d.sink.commands if c.startswith("MAIL")] == ["MAIL FROM"]
        assert d.sink.dots == 1 and taken.sender == ALICE and taken.rcpts == [d.address()]


@pytest.mark.parametrize("way", ["data", "chunks"])
def test_returned(server, dns, way):  # noqa: F811
    """A report of failure holds the message as it was; nothing in it ends a part or the data."""
    with Domain(dns, say={"dot": "550 5.7.1 no\x0b\x1b"}) as d:
        octets = hand_in(server, d.address(), "returned-" + way, way)
        with Imap(server, 993, user=ALICE) as c:
            c.ok("SELECT INBOX")
            while not [b for b in c.bodies() if b"multipart/report" in b and octets in b]:
                c.ok("SELECT INBOX")
                c.wait_for_news()
            (got,) = [b for b in c.bodies() if b"multipart/report" in b and octets in b]
            assert_canonical(got)
            assert b"\x1b" not in got.replace(b"\x1b[2J control", b"")
            assert not [b for b in c.bodies() if b.startswith(b"Subject: smuggled") or b"evil@b.example>\r\nReceived" in b]
        with Imap(server, 993, user="bob@" + DOMAIN) as c:
            assert not [b for b in c.bodies() if b"smuggled" in b]


@pytest.mark.parametrize("way", ["data", "chunks"])
def test_forwarded(server, dns, way):  # noqa: F811
    """Through an alias to another host: as relayed."""
    with Domain(dns) as d:
        alias = "to-%s@%s" % (d.name.split(".")[0], DOMAIN)
        server.command("alias", "add", alias, d.address(), check=True)
        octets = hand_in(server, alias, "forwarded-" + way, way)
        (taken,) = d.sink.wait()
        assert_canonical(taken.content)
        assert taken.content.endswith(octets.split(b"\r\n\r\n", 1)[1]) and d.sink.dots == 1
