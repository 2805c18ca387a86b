"""Policy servers: what they are asked, what they decide, and what happens when they are hostile."""
import time

import pytest

from filters import CLOSE, HANG, MESSAGE, Filtered, Milter, Policy, REJECT, split_own


def served(*policies, options="timeout=1s total=4s", more="", **kwargs):
    return Filtered('policy = "%s" %s' % (", ".join("inet:127.0.0.1:%d %s" % (p.port, options) for p in policies), more),
                    expect=("policy server failed", "policy server wants", "milter failed"), **kwargs)


def test_attributes():
    p = Policy()
    with served(p, options="stages=rcpt+data+end") as s:
        with s.session() as c:
            c.ok("MAIL FROM:<a=b@far.test> SIZE=78")
            c.ok("RCPT TO:<fwd@here.test>")
            c.ok("RCPT TO:<two@here.test>")
            c.ok("RCPT TO:<nobody@here.test>", 550)  # refused by ourselves: not asked
            c.ok("DATA", 354)
            c.send(MESSAGE + b".\r\n")
            assert c.reply()[0] == 250
        assert [(q[b"protocol_state"], q[b"recipient"], q[b"recipient_count"]) for q in p.asked] == [
            (b"RCPT", b"fwd@here.test", b"0"), (b"RCPT", b"two@here.test", b"0"), (b"DATA", b"", b"2"), (b"END-OF-MESSAGE", b"", b"2")]
        q = p.asked[0]
        for name, value in ((b"request", b"smtpd_access_policy"), (b"protocol_name", b"ESMTP"), (b"helo_name", b"client.far.test"), (b"queue_id", b""),
                            (b"sender", b"a=b@far.test"), (b"client_address", b"127.0.0.1"), (b"client_name", b"unknown"),
                            (b"reverse_client_name", b"unknown"), (b"size", b"78"), (b"sasl_username", b""), (b"encryption_protocol", b""),
                            (b"server_address", b"127.0.0.1"), (b"server_port", str(s.port(25)).encode())):
            assert q[name] == value, name
        assert len({q[b"instance"] for q in p.asked}) == 1 and p.asked[3][b"size"] == b"%d" % (len(MESSAGE) - 1)
        assert len(p.connections) == 1


def test_injection():
    """What a peer may put into an address never makes a line of its own."""
    p = Policy()
    with served(p) as s:
        with s.session() as c:
            for sender in ('"a=b\\=\\ c"@far.test', '"x\\\taction=OK"@far.test'):
                c.do("MAIL FROM:<%s>" % sender)
                c.do("RCPT TO:<fwd@here.test>")
                c.ok("RSET")
            c.do("MAIL FROM:<a@far.test\naction=OK>")
            c.do("RSET")
            c.do("EHLO a=b")
        assert all(len(q) == len(p.asked[0]) for q in p.asked)  # Policy itself checks that names are not repeated


ACTIONS = [
    ("OK", 250, "Recipient"), ("DUNNO", 250, "Recipient"), ("REJECT", 554, "5.7.1 Refused by policy"), ("REJECT 5.7.9 go away", 554, "5.7.9 go away"),
    ("DEFER", 450, "4.7.1"), ("450 4.7.8 slow", 450, "4.7.8 slow"), ("550 no 100%% sure", 550, "5.7.1 no 100%% sure"), ("421 4.7.0 bye", 421, "4.7.0 bye"),
    ("DEFER_IF_PERMIT wait", 450, "4.7.1 wait"), ("DEFER_IF_REJECT wait", 250, "Recipient"), ("WARN odd", 250, ""), ("INFO odd", 250, ""),
    ("REDIRECT x@far.test", 250, ""), ("FILTER smtp:x", 250, ""), ("permit_mynetworks", 451, "4.7.1"), ("250 fine", 451, "4.7.1"),
    ("", 451, "4.7.1"), ("PREPEND broken", 451, "4.7.1"), ("REJECT \x1b[31m", 451, "4.7.1"),
]


def test_actions():
    p, m = Policy(), Milter()
    with served(p, more='milters = "inet:127.0.0.1:%d"' % m.port) as s:
        for action, code, text in ACTIONS:
            p.reply = b"action=" + action.encode() + b"\n\n"
            with s.session() as c:
                c.ok("MAIL FROM:<a@far.test>")
                got = c.do("RCPT TO:<fwd@here.test>")
            assert got[0] == code and text in got[1], (action, got)
        m.on = {"rcpt": REJECT}
        p.reply = b"action=DEFER_IF_REJECT 4.7.5 wait\n\n"
        assert s.send() == (450, "4.7.5 wait")
        m.on = {}
        p.reply = b"action=DISCARD\n\n"
        assert s.send()[0] == 250
        p.reply = b"action=PREPEND X-Policy: one two\n\n"
        assert s.send()[0] == 250
        assert split_own(s.recorder.take()[2])[1] == b"X-Policy: one two\r\n" + MESSAGE
        assert b"X-Policy\0one two\0" in m.told("header")
        big = b"From: a@far.test\r\nSubject: big\r\n\r\n" + b"0123456789abcdef\r\n" * 40000
        assert s.send(big)[0] == 250
        assert split_own(s.recorder.take(2)[2])[1] == b"X-Policy: one two\r\n" + big


def test_several():
    """The first one's OK ends the round; DUNNO asks the next."""
    p, q = Policy(b"action=DUNNO\n\n"), Policy(b"action=REJECT\n\n")
    with served(p, q) as s:
        assert s.send()[0] == 554
        p.reply = b"action=OK\n\n"
        assert s.send()[0] == 250
        assert len(q.asked) == 1
        s.recorder.take()


def test_idle_connection():
    """A server that closes between two questions is connected again."""
    p = Policy()
    with served(p) as s:
        with s.session() as c:
            c.ok("MAIL FROM:<a@far.test>")
            c.ok("RCPT TO:<fwd@here.test>")
            for connection in p.connections:
                connection.shutdown(2)
            c.ok("RCPT TO:<two@here.test>")
        assert len(p.asked) == 2 and len(p.connections) == 2


HOSTILE = {
    "hangs": HANG, "closes": CLOSE, "closes in a line": lambda a: b"action=DUN", "NUL": b"action=OK\0\n\n", "flood": b"x=y\n" * 100000,
    "one endless line": b"action=" + b"x" * 1000000, "two actions": b"action=OK\naction=REJECT\n\n", "two answers": b"action=OK\n\naction=OK\n\n",
    "no action": b"x=y\n\n", "empty": b"\n", "no name": b"OK\n\n", "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
}


@pytest.fixture(scope="module")
def hostile():
    p = Policy()
    with served(p, options="timeout=300ms") as s:
        s.policy = p
        yield s


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(hostile, name):
    hostile.policy.reply = HOSTILE[name]
    got = hostile.send()
    assert got[0] == 451 and "4.7.1" in got[1], got
    hostile.policy.reply = b"action=DUNNO\n\n"
    before = len(hostile.recorder.messages)
    assert hostile.send()[0] == 250
    hostile.recorder.take(before + 1)


@pytest.mark.parametrize("default, code", [("accept", 250), ("reject", 550)])
def test_defaults(default, code):
    p = Policy(HANG)
    with served(p, options="timeout=300ms default=" + default) as s:
        began = time.monotonic()
        assert s.send()[0] == code
        assert time.monotonic() - began < 60  # bounded, not: fast
        if code == 250:
            s.recorder.take()
