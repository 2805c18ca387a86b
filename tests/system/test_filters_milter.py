"""Milters: what they are told, what they change, and what happens when they are hostile (docs/concepts/filters.md has the table)."""
import struct
import subprocess

import pytest

from filters import (ACCEPT, CLOSE, CONTINUE, DISCARD, HANG, MESSAGE, PROGRESS, REJECT, SKIP, TEMPFAIL, Filtered, Milter, header, packet,
                     split_own)
from server import BIN, until


def setting(*milters, options="timeout=1s content=2s total=4s"):
    return 'milters = "%s"' % ", ".join("inet:127.0.0.1:%d %s" % (m.port, options) for m in milters)


def served(*milters, **more):
    options = more.pop("options", "timeout=1s content=2s total=4s")
    return Filtered(setting(*milters, options=options), **more)


# ---- an honest filter ----

def test_stages_and_macros():
    m = Milter()
    with served(m) as s:
        with s.session() as c:
            assert "connect" not in m.stages()
            c.mail("a@far.test", "fwd@here.test", "two@here.test")
            c.send(MESSAGE.replace(b"\r\n.", b"\r\n..") + b".\r\n")
            assert c.reply()[0] == 250
            c.mail("a@far.test", "fwd@here.test")
            c.send(b"From: a@far.test\r\nSubject: 2\r\n\r\nx\r\n.\r\n")
            assert c.reply()[0] == 250
            c.ok("MAIL FROM:<b@far.test> SIZE=99")
            c.ok("RSET")
            c.ok("QUIT", 221)
        until(lambda: "quit" in m.stages(), "no QUIT")
        assert m.stages() == (["connect", "helo", "mail", "rcpt", "rcpt", "data", "header", "header", "header", "eoh", "body", "eom",
                               "mail", "rcpt", "data", "header", "header", "eoh", "body", "eom", "mail", "abort", "quit"])
        assert m.told("connect")[0].startswith(b"[127.0.0.1]\x004") and m.told("connect")[0].endswith(b"127.0.0.1\0")
        assert m.told("helo") == [b"client.far.test\0"]
        assert m.told("mail")[0] == b"<a@far.test>\0" and m.told("mail")[2] == b"<b@far.test>\0SIZE=99\0"
        assert m.told("rcpt")[:2] == [b"<fwd@here.test>\0", b"<two@here.test>\0"]
        assert m.told("header")[:3] == [b"From\0a@far.test\0", b"To\0fwd@here.test\0", b"Subject\0hello\0"]
        assert m.told("body")[0] == MESSAGE.split(b"\r\n\r\n", 1)[1]
        for name, value in ((b"j", b"mx.here.test"), (b"{daemon_name}", b"smtp"), (b"{client_addr}", b"127.0.0.1"), (b"{mail_addr}", b"b@far.test"),
                            (b"{rcpt_addr}", b"fwd@here.test"), (b"{if_addr}", b"127.0.0.1"), (b"{if_port}", str(s.port(25)).encode())):
            assert m.macro(name) == value, name
        assert b"." in m.macro(b"i") and m.macro(b"v").startswith(b"Postrider")
        s.recorder.take(2)
        assert MESSAGE in [split_own(got[2])[1] for got in s.recorder.messages]


def test_steps_that_are_left_out():
    """NO_*: not told; NR_*: told, not answered; a list of macros of its own."""
    m = Milter(steps=0x7f | 0x300, macros=struct.pack(">I", 5) + b"i j\0")
    n = Milter({s: None for s in ("connect", "helo", "mail", "rcpt", "data", "header", "eoh", "body")},
               steps=0x80 | 0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x10000 | 0x40000 | 0x80000 | 0x100000)
    with served(m, n) as s:
        assert s.send()[0] == 250
        assert m.stages()[:1] == ["eom"] and set(m.stages()) <= {"eom", "quit"} and m.macro(b"j") == b"mx.here.test"
        assert n.stages()[:6] == ["connect", "helo", "mail", "rcpt", "data", "header"]
        assert n.told("header")[2] == b"Subject\0 hello\0"  # with the blank


def test_old_versions():
    for version, steps in ((2, 0x40), (3, 0x100), (4, 0x200)):
        m = Milter(version=version, steps=steps, actions=0x3f, on={"eom": header(b"h", b"X-V", b"%d" % version) + CONTINUE})
        with served(m) as s:
            assert s.send()[0] == 250
            assert ("data" in m.stages()) == (version >= 4 and not steps & 0x200)
            assert b"X-V: %d\r\n" % version in s.recorder.take()[2]


def test_changes():
    m = Milter({"eom": b"".join((
        header(b"h", b"X-Last", b"added\n\tfolded"), header(b"i", b"X-First", b"inserted", 0), header(b"m", b"Subject", b"changed", 1),
        header(b"m", b"To", b"", 1), header(b"m", b"X-New", b"made", 1), packet(b"e", b"<new@far.test>\0SIZE=1\0"),
        packet(b"+", b"<three@here.test>\0"), packet(b"-", b"<two@here.test>\0"), PROGRESS, packet(b"b", b"new "), packet(b"b", b"body\r\n"),
        CONTINUE))})
    with served(m) as s:
        assert s.send(rcpts=("fwd@here.test", "two@here.test"))[0] == 250
        _, rcpts, octets = s.recorder.take()
        assert sorted(rcpts) == ["out@far.test", "three@far.test"]
        assert split_own(octets)[1] == (b"X-First: inserted\r\nFrom: a@far.test\r\nSubject: changed\r\nX-Last: added\r\n\tfolded\r\n"
                                        b"X-New: made\r\n\r\nnew body\r\n")


def test_several_in_order():
    """Each sees what those before it have made."""
    m = Milter({"eom": header(b"h", b"X-One", b"1") + packet(b"b", b"one\r\n") + CONTINUE})
    n = Milter({"eom": header(b"m", b"X-One", b"2", 1) + CONTINUE})
    with served(m, n) as s:
        assert s.send()[0] == 250
        assert n.told("body") == [b"one\r\n"] and b"X-One\0" + b"1\0" in n.told("header")
        assert split_own(s.recorder.take()[2])[1].endswith(b"X-One: 2\r\n\r\none\r\n")


def test_large_message():
    """Through a spool file: the body in pieces, a larger one back, and the other way round."""
    big = b"From: a@far.test\r\nSubject: big\r\n\r\n" + b"0123456789abcdef\r\n" * 60000
    m = Milter({"eom": packet(b"b", b"x" * 60000 + b"\r\n") * 12 + CONTINUE})
    n = Milter({"eom": packet(b"b", b"small\r\n") + CONTINUE})
    with served(m, n, size="4M", options="timeout=10s content=20s total=40s") as s:
        assert s.send(big)[0] == 250
        assert b"".join(m.told("body")) == big.split(b"\r\n\r\n", 1)[1]
        assert b"".join(n.told("body")) == (b"x" * 60000 + b"\r\n") * 12
        assert split_own(s.recorder.take()[2])[1] == b"From: a@far.test\r\nSubject: big\r\n\r\nsmall\r\n"


VERDICTS = [  # stage, answer, reply
    ("connect", REJECT, (550, "5.7.1")), ("connect", TEMPFAIL, (451, "4.7.1")), ("helo", packet(b"y", b"554 5.7.9 Bad name\0"), (554, "5.7.9 Bad name")),
    ("mail", REJECT, (550, "5.7.1")), ("mail", packet(b"y", b"451-4.7.9 one\r\n451 4.7.9 two 100%%\0"), (451, "4.7.9 one two 100%")),
    ("rcpt", TEMPFAIL, (451, "4.7.1")), ("rcpt", packet(b"y", b"550 no\0"), (550, "5.7.1 no")), ("data", REJECT, (550, "5.7.1")),
    ("header", TEMPFAIL, (451, "4.7.1")), ("eoh", REJECT, (550, "5.7.1")), ("body", REJECT, (550, "5.7.1")), ("eom", REJECT, (550, "5.7.1")),
    ("eom", packet(b"y", b"550 5.7.1 spam \xff here\0"), (550, "5.7.1 spam ? here")), ("mail", packet(b"4"), (421, "4.7.0")),
    ("eom", packet(b"4"), (421, "4.7.0")), ("mail", DISCARD, (250, "2.0.0 OK")), ("rcpt", DISCARD, (250, "2.0.0 OK")),
    ("eom", DISCARD, (250, "2.0.0 OK")), ("eom", packet(b"-", b"fwd@here.test\0") + CONTINUE, (250, "2.0.0 OK")),
    ("mail", ACCEPT, (250, "queued")), ("connect", ACCEPT, (250, "queued")), ("body", ACCEPT, (250, "queued")), ("eom", ACCEPT, (250, "queued")),
]


def test_verdicts():
    m = Milter(steps=0x400)
    with served(m) as s:
        for stage, answer, (code, text) in VERDICTS:
            m.on = {stage: answer}
            got = s.send()
            assert got[0] == code and text in got[1], (stage, answer, got)
        m.on = {"body": SKIP, "eom": packet(b"q", b"odd\0") + CONTINUE}
        assert s.send()[0] == 250
        m.on = {}
        assert s.send(b"From: a@far.test\r\nSubject: last\r\n\r\n.\r\n")[0] == 250
        s.recorder.take(5)
        got = sorted(m[2].count(b"Subject: hello") for m in s.recorder.messages)  # in any order
        assert got == [0, 1, 1, 1, 1]  # not the held one, nor those that were refused or discarded


def test_one_recipient_refused():
    m = Milter({"rcpt": lambda d: REJECT if b"two" in d else CONTINUE})
    with served(m) as s:
        with s.session() as c:
            c.ok("MAIL FROM:<a@far.test>")
            c.ok("RCPT TO:<two@here.test>", 550)
            c.ok("RCPT TO:<fwd@here.test>")
            c.ok("DATA", 354)
            c.send(MESSAGE + b".\r\n")
            assert c.reply()[0] == 250
        assert s.recorder.take()[1] == ["out@far.test"]


def test_bdat():
    """Content in chunks goes the same way; a refusal at DATA is the answer to the first chunk, whose octets are no commands."""
    m = Milter({"eom": header(b"h", b"X-Good", b"1") + CONTINUE})
    with served(m) as s:
        with s.session() as c:
            c.ok("MAIL FROM:<a@far.test>")
            c.ok("RCPT TO:<fwd@here.test>")
            c.send(b"BDAT 20\r\n" + MESSAGE[:20])
            assert c.reply()[0] == 250
            c.send(b"BDAT %d LAST\r\n" % (len(MESSAGE) - 20) + MESSAGE[20:])
            assert c.reply()[0] == 250
            m.on = {"data": REJECT}
            c.ok("MAIL FROM:<a@far.test>")
            c.ok("RCPT TO:<fwd@here.test>")
            c.send(b"BDAT 6 LAST\r\nRSET\r\n")
            assert c.reply()[0] == 550
            c.ok("NOOP")
        assert m.stages().count("data") == 2
        assert split_own(s.recorder.take()[2])[1] == MESSAGE.replace(b"hello\r\n", b"hello\r\nX-Good: 1\r\n")


def test_body_has_one_line_end():
    """What a filter writes is kept as what a peer sends: CRLF ends a line and nothing else does, wherever the pieces are cut."""
    m = Milter({"eom": b"".join(packet(b"b", p) for p in (b"one\n.\nMAIL FROM:<evil@far.test>\r", b"\ntwo\rthree\r", b"last")) + CONTINUE})
    n = Milter()
    with served(m, n) as s:
        assert s.send()[0] == 250
        assert n.told("body") == [b"one\r\n.\r\nMAIL FROM:<evil@far.test>\r\ntwo\r\nthree\r\nlast\r\n"]
        m.on = {"eom": packet(b"b") + CONTINUE}
        assert s.send()[0] == 250
        assert len(n.told("body")) == 1  # an empty one stays empty


def test_recipient_with_parameters():
    m = Milter({"eom": packet(b"2", b"<three@here.test>\0NOTIFY=NEVER ORCPT=rfc822;x@y.test\0") + CONTINUE})
    with served(m) as s:
        assert s.send()[0] == 250
        assert sorted(s.recorder.take()[1]) == ["out@far.test", "three@far.test"]
        m.on = {"eom": packet(b"2", b"<three@here.test>\0NOTIFY=SOMETIMES\0") + CONTINUE}
        assert s.send()[0] == 451


def test_unknown_command():
    m = Milter({"?": packet(b"y", b"500 5.5.1 not even a filter knows\0")})
    with served(m) as s:
        with s.session() as c:
            assert "filter" not in c.do("FOO bar")[1]  # not connected yet
            c.ok("MAIL FROM:<a@far.test>")
            assert c.do("FOO bar") == (500, "5.5.1 not even a filter knows")
        assert m.told("?") == [b"FOO bar\0"]


def test_another_peer():
    """With XCLIENT the filter is connected anew: what it said of the peer before does not hold for the next."""
    m = Milter({"connect": lambda d: REJECT if b"192.0.2.9" in d else CONTINUE})
    with served(m, more='smtp { trusted = "127.0.0.1" }') as s:
        with s.session() as c:
            c.ok("MAIL FROM:<a@far.test>")
            c.ok("RSET")
            c.ok("XCLIENT ADDR=192.0.2.9", 220)
            c.ok("EHLO evil.far.test")
            c.ok("MAIL FROM:<a@far.test>", 550)
        assert [d.split(b"\0")[0] for d in m.told("connect")] == [b"[127.0.0.1]", b"[192.0.2.9]"]


WRONG = [
    ('milters = "unix:/run/m.sock"', "no file system"), ('milters = "inet:127.0.0.1:99999"', "not inet:HOST:PORT"),
    ('milters = "inet:127.0.0.1:1 timeout=forever"', "timeout=forever"), ('milter_default = "maybe"', "milter_default"),
    ('policy = "inet:127.0.0.1:1 default=quarantine"', "default=quarantine"), ('content = "127.0.0.1:25"', "not smtp:HOST:PORT"),
    ('content = "smtp:127.0.0.1:25"', "needs listen.reinject"),
]


@pytest.mark.parametrize("setting, words", WRONG)
def test_wrong_settings(tmp_path, setting, words):
    path = tmp_path / "postrider.conf"
    path.write_text('data = "%s/data"\nlisten { submissions = {} imaps = {} }\n\nfilter {\n\t%s\n}\n' % (tmp_path, setting))
    done = subprocess.run([BIN, "config", "show", "--config", str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and words in done.stderr, done
    if "reinject" not in words and "maybe" not in setting:
        assert "postrider.conf:5: " in done.stderr, done.stderr


def test_reinject_is_loopback_only(tmp_path):
    path = tmp_path / "postrider.conf"
    path.write_text('data = "%s/data"\nlisten { submissions = {} imaps = {} reinject = {"*:10025"} }\n' % tmp_path)
    done = subprocess.run([BIN, "config", "show", "--config", str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "loopback" in done.stderr


# ---- a hostile one ----

ADD = header(b"h", b"X-Evil", b"1")
BODY = packet(b"b", b"half a body\r\n")
HOSTILE = {  # name -> keywords of Milter; every one of them fails
    "hangs at negotiation": {"negotiate": HANG},
    "closes at negotiation": {"negotiate": CLOSE},
    "version 7": {"negotiate": packet(b"O", struct.pack(">III", 7, 0, 0))},
    "wants what was not offered": {"negotiate": packet(b"O", struct.pack(">III", 6, 0x8000, 0))},
    "negotiation cut short": {"negotiate": packet(b"O", b"\0\0\0\6\0")},
    "macro list without an end": {"negotiate": packet(b"O", struct.pack(">IIII", 6, 0x1ff, 0, 2) + b"i j")},
    **{"hangs at " + s: {"on": {s: HANG}} for s in ("connect", "helo", "mail", "rcpt", "data", "header", "eoh", "body", "eom")},
    **{"closes at " + s: {"on": {s: CLOSE}} for s in ("connect", "mail", "rcpt", "data", "header", "body", "eom")},
    "length 0": {"on": {"mail": struct.pack(">I", 0)}},
    "length 2^32-1": {"on": {"mail": b"\xff\xff\xff\xff" + b"c" * 100}},
    "length longer than what comes": {"on": {"eom": ADD + struct.pack(">I", 100) + b"c"}},
    "length shorter than what comes": {"on": {"eom": ADD + struct.pack(">I", 1) + b"cc"}},
    "unknown answer": {"on": {"eom": ADD + packet(b"Z")}},
    "answer with a tail": {"on": {"rcpt": packet(b"c", b"tail")}},
    "two answers": {"on": {"mail": CONTINUE + CONTINUE}},
    "an answer too early": {"on": {"helo": CONTINUE + ADD}},
    "change before the end": {"on": {"header": ADD + CONTINUE}},
    "change not agreed on": {"actions": 0x01, "on": {"eom": ADD + BODY + CONTINUE}},
    "SKIP not agreed on": {"on": {"body": SKIP}},
    "SKIP at RCPT": {"steps": 0x400, "on": {"rcpt": SKIP}},
    "DISCARD of a connection": {"on": {"connect": DISCARD}},
    "half a body, then silence": {"on": {"eom": ADD + BODY}},
    "half a body, then gone": {"on": {"eom": lambda d: ADD + BODY + struct.pack(">I", 5000) + b"b" + b"x" * 100}, "cut": True},
    "half a body, then nonsense": {"on": {"eom": ADD + BODY + b"\xff\xff\xff\xff"}},
    "a million header fields": {"on": {"eom": ADD * 1000000 + CONTINUE}},
    "body over the limit": {"on": {"eom": ADD + packet(b"b", b"x" * 65000) * 70 + CONTINUE}},
    "field name with a colon": {"on": {"eom": header(b"h", b"X: y\r\nBcc", b"1") + CONTINUE}},
    "field value with a field": {"on": {"eom": header(b"h", b"X", b"1\r\nBcc: all@far.test") + CONTINUE}},
    "field value with a body": {"on": {"eom": header(b"h", b"X", b"1\r\n\r\nbody") + CONTINUE}},
    "field value with a bare CR": {"on": {"eom": header(b"h", b"X", b"1\rBcc: y") + CONTINUE}},
    "field without its NUL": {"on": {"eom": packet(b"h", b"X\0value") + CONTINUE}},
    "index cut short": {"on": {"eom": packet(b"m", b"\0\0") + CONTINUE}},
    "recipient that is none": {"on": {"eom": ADD + packet(b"+", b"<a b>\0") + CONTINUE}},
    "recipient with a line end": {"on": {"eom": ADD + packet(b"+", b"<a@here.test>\r\nDATA\0") + CONTINUE}},
    "sender that is none": {"on": {"eom": ADD + packet(b"e", b"nobody\0") + CONTINUE}},
    "reply 250": {"on": {"mail": packet(b"y", b"250 2.0.0 fine\0")}},
    "reply of two codes": {"on": {"mail": packet(b"y", b"550-a\r\n450 b\0")}},
    "reply with a control octet": {"on": {"mail": packet(b"y", b"550 a\x1b[31m\0")}},
    "reply without an end": {"on": {"mail": packet(b"y", b"550-a\r\n\0")}},
    "body with a NUL": {"on": {"eom": packet(b"b", b"a\0b\r\n") + CONTINUE}},
    "PROGRESS for ever": {"on": {"eom": PROGRESS * 60000}},
}


class Cut(Milter):
    """Goes in the middle of its answer."""

    def answer(self, c, what, data):
        super().answer(c, what, data)
        if callable(what):
            raise EOFError


@pytest.fixture(scope="module")
def defaults():
    """One server, three filters that it knows by their defaults; a test makes one of them listen to what it wants."""
    m = Milter()
    with Filtered('milters = "inet:127.0.0.1:%d timeout=300ms content=500ms total=1s"' % m.port) as s:
        s.milter = m
        yield s


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(defaults, name):
    """The default tempfail: refused now, nothing is stored; and the untouched message goes through when the filter is itself again."""
    case = dict(HOSTILE[name])
    m, before = defaults.milter, len(defaults.recorder.messages)
    m.__class__ = Cut if case.pop("cut", False) else Milter
    m.on, m.negotiate, m.actions, m.steps = case.get("on", {}), case.get("negotiate"), case.get("actions", 0x1ff), case.get("steps", 0)
    got = defaults.send()
    assert got[0] == 451 and "4.7.1" in got[1], got
    m.__class__, m.on, m.negotiate, m.actions, m.steps = Milter, {}, None, 0x1ff, 0
    assert defaults.send()[0] == 250
    assert split_own(defaults.recorder.take(before + 1)[2])[1] == MESSAGE
    assert len(defaults.recorder.messages) == before + 1


@pytest.mark.parametrize("default", ["accept", "reject", "quarantine"])
def test_defaults(default):
    """Fails at the end, after half a body: with accept and quarantine the message is, octet for octet, the untouched one."""
    honest = Milter({"eom": header(b"h", b"X-Good", b"1") + CONTINUE})
    evil = Milter({"eom": ADD + packet(b"-", b"fwd@here.test\0") + BODY + struct.pack(">I", 0)})
    with Filtered('milter_default = "%s" milters = "inet:127.0.0.1:%d, inet:%d@127.0.0.1 timeout=1s"' % (default, evil.port, honest.port)) as s:
        big = b"From: a@far.test\r\nSubject: big\r\n\r\n" + b"0123456789abcdef\r\n" * 40000
        for octets in (MESSAGE, big):
            assert s.send(octets)[0] == (550 if default == "reject" else 250)
        if default == "quarantine":
            assert s.recorder.messages == []
            assert s.command("queue", "list").count("Quarantined by a filter") == 2
            s.command("queue", "release", "--all")
        if default != "reject":
            s.recorder.take(2)
            for octets in (MESSAGE, big):
                head, body = octets.split(b"\r\n\r\n", 1)
                assert head + b"\r\nX-Good: 1\r\n\r\n" + body in [split_own(m[2])[1] for m in s.recorder.messages]


def test_unreachable_and_reload():
    m = Milter()
    m.stop()
    with served(m) as s:
        assert s.send()[0] == 451
        n = Milter({"eom": header(b"h", b"X-New", b"1") + CONTINUE})
        with s.session() as old:  # keeps what it began with
            old.ok("NOOP")
            s.reload(filter=setting(n))
            assert old.do("MAIL FROM:<a@far.test>")[0] == 451
        assert s.send()[0] == 250
        assert b"X-New: 1" in s.recorder.take()[2]
        s.reload(filter="")
        assert s.send()[0] == 250
        assert split_own(s.recorder.take(2)[2])[1] == MESSAGE
