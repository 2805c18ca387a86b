"""News for idling clients, from deliveries in another process and from other sessions; DONE however it comes."""
import select

import pytest

from peers import DOMAIN, Imap, smtp


def idling(server, user, box="INBOX"):
    c = Imap(server, 993, user=user + "@" + DOMAIN)
    c.ok("SELECT " + box)
    c.start("IDLE")
    assert c.line().startswith(b"+")
    return c


def deliver(server, user, count=1):
    with smtp(server, 25) as m:
        for _ in range(count):
            assert m.message("x@elsewhere.example", user + "@" + DOMAIN, b"Subject: push\r\n\r\nx\r\n")[0] == 250


def told(c, end):
    """Lines up to the first that ends so. All else must be legal news."""
    lines = []
    while not lines or not lines[-1].endswith(end):
        lines.append(c.line())
        assert lines[-1].startswith(b"* "), lines
    return lines


def done(c, octets=b"DONE\r\n"):
    c.send(octets)
    got, untagged = c.finish()
    assert got.startswith(b"OK"), got
    return untagged


def test_delivery(server):
    """Each message wakes every session of its account and no other."""
    mine, also, other = idling(server, "bob"), idling(server, "bob"), idling(server, "carol")
    for _ in range(20):
        deliver(server, "bob")
        told(mine, b" EXISTS")
        told(also, b" EXISTS")
    assert other.buffer == b"" and not select.select([other.sock], [], [], 0)[0]
    for c in (mine, also, other):
        done(c)
        c.ok("NOOP")
        c.close()


def test_at_the_start_of_idle(server):
    """What came between the last command and IDLE is told, at whatever moment it came."""
    with Imap(server, 993, user="dave@" + DOMAIN) as c:
        c.ok("SELECT INBOX")
        for _ in range(30):
            with smtp(server, 25) as m:
                m.mail("x@elsewhere.example", "dave@" + DOMAIN)
                m.send(b"Subject: race\r\n\r\nx\r\n.\r\n")
                c.start("IDLE")
                lines = [c.line()]
                while not (any(l.endswith(b" EXISTS") for l in lines) and any(l.startswith(b"+") for l in lines)):
                    lines.append(c.line())
                assert m.reply()[0] == 250
                done(c)


def test_changes_of_others(server):
    with Imap(server, 993, user="erin@" + DOMAIN) as writer:
        writer.ok("SELECT INBOX")
        reader = idling(server, "erin")
        for _ in range(3):
            assert writer.append(b"Subject: x\r\n\r\nx\r\n")[0].startswith(b"OK")
        told(reader, b"3 EXISTS") if writer.exists() == 3 else told(reader, b" EXISTS")
        writer.ok("SELECT INBOX")
        writer.ok("STORE 1 +FLAGS (\\Flagged)")
        assert b"\\Flagged" in told(reader, b")")[-1]
        writer.ok("STORE 2 +FLAGS (\\Deleted)")
        told(reader, b")")
        writer.ok("EXPUNGE")
        told(reader, b"* 2 EXPUNGE")
        done(reader)
        assert len(reader.ok("FETCH 1:* UID")) == writer.exists()
        reader.close()


@pytest.mark.parametrize("octets", [b"DONE\r\n", b"done\r\n", b"DoNe\r\n"])
def test_done(server, octets):
    """In every case and split, with commands and stray lines behind it."""
    c = idling(server, "frank")
    for cut in range(1, len(octets)):
        c.send(octets[:cut])
        deliver(server, "frank")
        done(c, octets[cut:])
        c.start("IDLE")
        while not c.line().startswith(b"+"):
            pass
    c.send(octets + b"\r\nx NOOP\r\ny IDLE\r\n" + octets + b"z NOOP\r\n")
    assert c.finish()[0].startswith(b"OK")
    for tag in (b"x", b"y", b"z"):
        assert c.finish(tag)[0].startswith(b"OK")
    c.start("IDLE")
    while not c.line().startswith(b"+"):
        pass
    c.send(b"NOOP\r\n")
    assert c.finish()[0].startswith(b"BAD")
    c.start("IDLE")
    while not c.line().startswith(b"+"):
        pass
    c.send(b"D" * 100000 + b"\r\n")
    assert c.finish()[0].startswith(b"BAD")
    c.ok("NOOP")
    c.close()


def test_without_a_mailbox(server):
    with Imap(server, 993, user="grace@" + DOMAIN) as c:
        c.start("IDLE")
        assert c.line().startswith(b"+")
        deliver(server, "grace")
        done(c)


def test_gone_mailbox(server):
    """The mailbox that is idled on is deleted by another session: the client is told or put out, nothing hangs."""
    with Imap(server, 993, user="heidi@" + DOMAIN) as writer:
        writer.ok("CREATE gone")
        assert writer.append(b"Subject: x\r\n\r\nx\r\n", "gone")[0].startswith(b"OK")
        c = idling(server, "heidi", "gone")
        writer.ok("DELETE gone")
        c.send(b"DONE\r\n")
        assert b"BYE" in c.rest() or True
        c.close()
