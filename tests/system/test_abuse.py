"""What a stranger, and a user with a password, may send that no honest client would. After each attack the same server must serve others."""
import base64
import email
import email.utils
import os
import pwd
import re
import signal
import socket
import struct
import subprocess
import time

import pytest

from peers import DOMAIN, Closed, Imap, Peer, rss_kib, smtp
from server import PASSWORD, Server

HEADER = b"From: <alice@demo.test>\r\nSubject: x\r\n"


@pytest.fixture(scope="module")
def server():
    s = Server("--accounts", "1200")
    s.expect("sign-in failed|sender refused")
    s.start()
    before = {p: (p, r) for r in ("smtp", "imap", "auth", "queue", "local") for p in s.pids(r)}
    yield s
    restarted = [r["role"] for r in s.command("status", json_out=True)["processes"] if r["restarts"]]
    assert not restarted, restarted
    assert before
    s.stop()


@pytest.fixture(autouse=True)
def others(request):
    """After every test with the server an innocent user can still do everything."""
    yield
    if "server" in request.fixturenames:
        serves(request.getfixturevalue("server"), request.node.name)


def serves(server, mark):
    mark = re.sub(r"\W", "-", mark)[:60]
    with smtp(server, 465, user="erin@" + DOMAIN) as c:
        got = c.message("erin@" + DOMAIN, "frank@" + DOMAIN, b"From: <erin@demo.test>\r\nSubject: after-%s\r\n\r\nx\r\n" % mark.encode())
        assert got[0] == 250, got
    with Imap(server, 993, user="frank@" + DOMAIN) as c:
        c.wait_for("after-" + mark)


def b64(octets):
    return base64.b64encode(octets).decode()


def short(value):
    value = value.decode("latin-1") if isinstance(value, bytes) else value
    return repr(value)[1:30] if isinstance(value, str) else ""


# ---- sign-in ----

@pytest.mark.parametrize("answer,code", [
    (b"A" * 12000, (501, 535)), (b"A" * 13000, (500,)), (b"A" * 1000000, (500,)), (b"*", (501,)), (b"", (501,)), (b"=", (501,)), (b"AAA", (501,)),
    (b"AAA=AAA=", (501,)), (b"\xff\xfe", (501,)), (b"AA A=", (501,)),
    (b64(b"\0" * 10).encode(), (501,)), (b64(b"\0alice@demo.test\0").encode(), (501, 535)), (b64(b"\0\0pw").encode(), (501, 535)),
    (b64(b"\0alice@demo.test\0" + PASSWORD.encode() + b"\0more").encode(), (501, 535)),
    (b64(b"bob@demo.test\0alice@demo.test\0" + PASSWORD.encode()).encode(), (535,)),
    (b64(b"\0alice@demo.test\0" + PASSWORD.encode() + b"\xff\xfe").encode(), (501, 535)),
    (b64(b"\0" + b"a" * 5000 + b"\0" + b"p" * 3000).encode(), (501, 535)),
    (b64(b"\0alice@demo.test\r\nX: y\0pw").encode(), (501, 535)),
], ids=short)
def test_auth_answers(server, answer, code):
    for first in (b"AUTH PLAIN\r\n", b"AUTH LOGIN\r\n"):
        with smtp(server, 587) as c:
            c.send(first)
            assert c.reply()[0] == 334
            got = c.do(answer)
            while got[0] == 334:
                got = c.do(answer)
            assert got[0] in code + ((535, 501) if b"LOGIN" in first else ()), got
            assert c.do("MAIL FROM:<alice@demo.test>")[0] == 530
            c.ok("NOOP")
    with Imap(server) as c:
        c.start("AUTHENTICATE PLAIN")
        assert c.line().startswith(b"+")
        c.send(answer + b"\r\n")
        assert c.finish()[0].startswith((b"NO", b"BAD")), answer[:40]
        assert c.do("SELECT INBOX")[0].startswith((b"BAD", b"NO"))
        c.ok("NOOP")


def test_auth_pipelined(server):
    """Commands sent behind AUTH before its answer are refused and not run."""
    with smtp(server, 587) as c:
        c.send(b"AUTH PLAIN %s\r\nMAIL FROM:<alice@demo.test>\r\n" % b64(b"\0alice@demo.test\0" + PASSWORD.encode()).encode())
        assert c.reply()[0] == 554
        assert c.rest() == b""


def test_wrong_passwords():
    """A thousand of them, not exempt as in a laboratory: the source and account have to wait, nobody else has."""
    with Server(lab=False) as s:
        s.expect("sign-in failed")
        told = set()
        for _ in range(100):
            with Imap(s, 993) as c:
                for _ in range(10):
                    c.start("LOGIN mallory@demo.test wrong")
                    got = c.response()
                    told.add(re.search(rb"(NO \[\w+|BYE)", got)[0])
                    if got.startswith(b"* BYE"):
                        break
        assert {b"NO [AUTHENTICATIONFAILED", b"NO [LIMIT"} <= told
        with Imap(s, 993, user="alice@" + DOMAIN):
            pass
        # The same for an account that exists: it waits for this source; bob does not.
        limited = False
        while not limited:
            c = smtp(s, 465)
            code = c.login("alice@demo.test", "wrong")[0]
            while code == 535:
                code = c.login("alice@demo.test", "wrong")[0]
            limited = code == 454
            c.close()
        with smtp(s, 465) as c:
            assert c.login("alice@demo.test")[0] == 454
            assert c.login("bob@demo.test")[0] == 235
        serves(s, "wrong-passwords")


# ---- recipients and relaying ----

def test_unknown_recipients(server):
    """Harvesting: each is refused, and there is an end to it."""
    with smtp(server, 25) as c:
        c.ok("MAIL FROM:<x@elsewhere.example>")
        refused = 0
        for at in range(0, 6000, 500):
            c.send(b"".join(b"RCPT TO:<nobody%d@demo.test>\r\n" % n for n in range(at, at + 500)))
            codes = []
            try:
                for _ in range(500):
                    codes.append(c.reply()[0])
            except (Closed, ConnectionResetError):
                pass
            refused += codes.count(550)
            if len(codes) < 500:
                assert codes[-1] == 421
                break
        assert 1000 <= refused <= 5000


def test_recipients(server):
    """1,000 are taken, more are told to come later, all get it once."""
    with smtp(server, 25) as c:
        c.send(b"MAIL FROM:<x@elsewhere.example>\r\n" + b"".join(b"RCPT TO:<user%d@demo.test>\r\n" % n for n in range(9, 1109)) + b"DATA\r\n")
        codes = [c.reply()[0] for _ in range(1102)]
        assert codes == [250] * 1001 + [452] * 100 + [354]
        c.send(b"From: <x@elsewhere.example>\r\nSubject: many-recipients\r\n\r\nx\r\n.\r\n")
        assert c.reply()[0] == 250
    for n in (9, 500, 1008):
        with Imap(server, user="user%d@demo.test" % n) as c:
            c.wait_for("many-recipients")
            assert len(c.bodies()) == 1
    with Imap(server, user="user1009@demo.test") as c:
        assert c.bodies() == []


RELAY = ["x@elsewhere.example", "x%elsewhere.example@demo.test", "x%elsewhere.example", "elsewhere.example!x", "elsewhere.example!x@demo.test",
         '"x@elsewhere.example"', '"x@elsewhere.example"@demo.test', '"x%elsewhere.example"@demo.test', "x@elsewhere.example@demo.test",
         "@demo.test:x@elsewhere.example", "@elsewhere.example:x@elsewhere.example", "x@demo.test@elsewhere.example", "x@elsewhere.example.",
         "x@[127.0.0.1]", "x@[1.2.3.4]", "x@localhost", "x@DEMO.TEST.elsewhere.example", "x@elsewhere.example(demo.test)", "x@sub.demo.test",
         "x@demo.test%00.elsewhere.example", "x@demo.test\0.elsewhere.example", "x@demo.test>.elsewhere.example", "x@[IPv6:::1]", "x@", "@demo.test",
         "x", '""@demo.test', "x@ｄｅｍｏ.test", "x@xn--dmo-yka.test", "|/bin/sh@demo.test", "../../x@demo.test", "x@demo..test", "x@.demo.test", ".x@demo.test",
         "x@demo.test,y@elsewhere.example", "x@127.0.0.1", "x@2130706433", " x@elsewhere.example", "x@elsewhere.example ", "%@demo.test", "a" * 300 + "@demo.test"]


@pytest.mark.parametrize("sender", ["", "alice@demo.test", "x@elsewhere.example", "x@[127.0.0.1]"])
def test_relay(server, sender):
    """mta.md list 24: not one of them is taken from a stranger, whoever he says he is."""
    for to in RELAY:
        with smtp(server, 25) as c:
            c.ok("MAIL FROM:<%s>" % sender)
            code = c.do(("RCPT TO:<%s>" % to).encode())[0]
            assert code in (500, 501, 550, 553), (to, code)
            assert c.do("DATA")[0] == 503, to
    with smtp(server, 25) as c:
        for to in ("<alice@DEMO.TEST>", "<ALICE@demo.test>", '<"alice"@demo.test>', "<postmaster>", "<alice@demo.test>"):
            c.ok("RSET")
            c.ok("MAIL FROM:<%s>" % sender)
            c.ok("RCPT TO:" + to)
    with smtp(server, 587) as c:
        assert c.do("MAIL FROM:<%s>" % sender)[0] == 530
        assert c.do("RCPT TO:<bob@demo.test>")[0] in (503, 530)


# ---- whose name a user may use ----

def test_foreign_sender(server):
    with smtp(server, 465, user="alice@" + DOMAIN) as c:
        for sender in ("bob@demo.test", "x@elsewhere.example", "alice@elsewhere.example", "alice@sub.demo.test", "alice%demo.test@elsewhere.example",
                       "@elsewhere.example:bob@demo.test", '"alice@demo.test"@elsewhere.example', "nobody@demo.test", "alice"):
            code = c.do("MAIL FROM:<%s>" % sender)[0]
            assert code in (553, 501), (sender, code)
        c.ok("MAIL FROM:<Alice@Demo.Test>")


SPOOFS = [
    b"From: <bob@demo.test>", b"From: <alice@demo.test>\r\nFrom: <bob@demo.test>", b"From: <alice@demo.test>, <bob@demo.test>",
    b"From: <alice@demo.test>\r\nSender: <bob@demo.test>", b"From: <alice@demo.test>\r\nFrom : <bob@demo.test>",
    b"From : <bob@demo.test>\r\nFrom: <alice@demo.test>", b"From: <alice@demo.test>\r\nFROM\t: <bob@demo.test>",
    b"From: <alice@demo.test>\r\nno colon here\r\nFrom: <bob@demo.test>", b" From: <bob@demo.test>", b"From\r\n : <bob@demo.test>",
    b"From:\r\n <bob@demo.test>", b"From: bob@demo.test <alice@demo.test>", b"From: <alice@demo.test>bob@demo.test", b"From: <bob@demo.test> <alice@demo.test>",
    b"From: <@demo.test,@alice@demo.test:bob@demo.test>", b"From: alice@demo.test (\r\n), bob@demo.test", b"From: <alice@demo.test\\>, bob@demo.test>",
    b"From: \"<alice@demo.test>\" <bob@demo.test>", b"From: alice@demo.test, group: bob@demo.test;", b"From: group: alice@demo.test;, bob@demo.test",
    b"From:", b"Subject: none", b"From: <>", b"From: alice", b"From: =?utf-8?Q?=3Cbob@demo.test=3E?=", b"From: <alice@demo.test;bob@demo.test>",
    b"From: alice@demo.test\r\n \r\nFrom: bob@demo.test", b"From: " + b", ".join([b"<alice@demo.test>"] * 3000) + b", <bob@demo.test>",
    b"X: y\r\n" * 60000 + b"From: <bob@demo.test>", b"From: <alice@demo.test>\r\n" + b"X: y\r\n" * 60000 + b"From: <bob@demo.test>",
    b"From: <alice@demo.test>\r\nSender: <alice@demo.test>\r\nSender: <bob@demo.test>", b"From: bob@demo.test(<alice@demo.test>)",
    b"From: \"bob@demo.test\"\r\n <alice@demo.test>\r\nFrom:<bob@demo.test>", b"From: (" + b"(" * 100000 + b"\r\n <alice@demo.test>",
    b"From: alice@demo.test\xe2\x80\xa8, bob@demo.test", b"From: <alice@demo.test>\r\nFrom\xa0: <bob@demo.test>", b"From;: x\r\nFrom: bob@demo.test",
]


@pytest.mark.parametrize("number", range(len(SPOOFS)))
def test_foreign_author(server, number):
    """Refused; or taken, and then another parser (Python's) finds no other author either."""
    with smtp(server, 465, user="alice@" + DOMAIN) as c:
        code = c.message("alice@demo.test", "carol@demo.test", SPOOFS[number] + b"\r\nSubject: spoof-%d\r\n\r\nx\r\n" % number)[0]
    if code == 250:
        with Imap(server, user="carol@demo.test") as c:
            n = c.wait_for("spoof-%d" % number)
            got = c.ok("FETCH %d (BODY.PEEK[] ENVELOPE)" % n)[0]
        header = got.split(b"BODY[] {")[1].split(b"\r\n", 1)[1]
        authors = email.utils.getaddresses(email.message_from_bytes(header).get_all("From", []))
        assert authors and {a.lower() for _, a in authors} == {"alice@demo.test"}, (SPOOFS[number][:200], authors)
        assert b'"bob" "demo.test"' not in got.split(b"ENVELOPE")[1]
    else:
        assert code in (550, 552, 553), (SPOOFS[number][:100], code)


# ---- lines, pipelines ----

def test_endless_line(server):
    """16 MiB without a line end cost nothing, and are answered once."""
    before = {r: rss_kib(server.pids(r)[0]) for r in ("smtp", "imap")}
    for port in (25, 587, 143):
        with Peer(server, port) as c:
            c.line()
            for _ in range(256):
                c.send(b"A" * 65536)
            c.send(b"\r\n")
            assert re.match(rb"(500|\* BAD)", c.line())
            c.send(b"NOOP\r\n" if port != 143 else b"a NOOP\r\n")
            assert re.match(rb"(250|a OK)", c.line())
    for r, kib in before.items():
        assert rss_kib(server.pids(r)[0]) < kib + 30000


@pytest.mark.parametrize("length,code", [(510, 250), (2046, 250), (2047, 500), (4096, 500), (65536, 500)])
def test_command_length(server, length, code):
    with smtp(server, 25) as c:
        assert c.do("NOOP " + "x" * (length - 5))[0] == code
        c.ok("NOOP")


GARBAGE = [os.urandom(65536), b"\r\n" * 30000, b"\0" * 65536 + b"\r\n", b"\n" * 30000, b"\r" * 65536 + b"\r\n", b"EHLO x\r\n" * 5000, b"{9999999999999}\r\n" * 2000,
           b"a {1+}\r\n" * 5000, b"* OK\r\n" * 5000, b"a LOGIN {3+}\r\n" * 100, b"DATA\r\n.\r\n" * 3000, b"+ \r\n" * 10000, b"DONE\r\n" * 10000, b"\x16\x03\x01\x02\x00" * 5000]


@pytest.mark.parametrize("number", range(len(GARBAGE)))
def test_garbage(server, number):
    """Thrown at every port at once, before any greeting is read: each connection ends or goes on in order."""
    for port in (25, 587, 465, 143, 993, 110, 995):
        with Peer(server, port) as c:
            try:
                c.send(GARBAGE[number])
                c.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            c.rest()


# ---- IMAP before sign-in ----

@pytest.mark.parametrize("command,answers", [
    ("LOGIN {8193}", b"BAD NO"), ("LOGIN {4294967295}", b"BAD NO"), ("LOGIN {4294967296}", b"BAD NO"), ("LOGIN {99999999999999999999}", b"BAD NO"), ("LOGIN {-1}", b"BAD NO"),
    ("LOGIN {0x10}", b"BAD NO"), ("APPEND INBOX {100000000}", b"BAD NO"), ("SEARCH " + "(" * 8000, b"BAD NO"), ("FETCH 1 " + "(" * 8000, b"BAD NO"), ("ID " + "(" * 8000, b"BAD NO"),
    ("LIST " + "(" * 4000 + ")" * 4000, b"BAD NO"), ("FETCH " + "1," * 4000 + "1 FLAGS", b"BAD NO"), ("X" * 8000, b"BAD NO"), ("LOGIN \"" + "\\\"" * 4000, b"BAD NO"),
    ("LOGIN " + "\xff" * 4000 + " x", b"BAD NO"), ("AUTHENTICATE PLAIN " + "A" * 8000, b"BAD NO"), ("ID (\"a\" \"" + "x" * 8000 + "\")", b"BAD NO OK"),
], ids=short)
def test_imap_before_sign_in(server, command, answers):
    with Imap(server) as c:
        c.start(command.encode("latin-1"))
        assert c.line().split(b" ")[1] in answers.split(b" "), command[:60]
        c.ok("NOOP")


def test_imap_refused_literals(server):
    """Non-synchronising ones come all the same: they are read and dropped, or the connection ends; nothing in them is a command."""
    with Imap(server) as c:
        c.send(b"a LOGIN {70000+}\r\n" + b"b NOOP\r\n" * 8750 + b" x\r\n")
        assert c.line().split(b" ")[:2] in ([b"a", b"BAD"], [b"a", b"NO"])
        c.ok("NOOP")
    with Imap(server) as c:
        for _ in range(100):
            c.send(b"a LOGIN" + b" {1+}\r\nx" * 70 + b"\r\n")
            try:
                assert not c.line().startswith(b"a OK")
            except Closed:
                break
        else:
            raise AssertionError("no end to it")
    with Imap(server) as c:
        c.send(b"a LOGIN {9000000000+}\r\nb NOOP\r\n")
        assert b"b OK" not in c.rest()
    for length in (100, 8000, 65536, 1000000):
        with Imap(server) as c:
            c.send(b"T" * length + b" NOOP\r\n")
            assert re.match(rb"(T+ OK|\* BAD|T+ BAD)", c.line())
            c.ok("NOOP")


# ---- IMAP with a password ----

@pytest.mark.parametrize("command", [
    "FETCH " + "1:*," * 15000 + "1 (FLAGS)", "FETCH 1:4294967295,4294967295:1,* (UID)", "UID FETCH 1:4294967295 (FLAGS)", "FETCH 0 FLAGS", "FETCH 4294967296 FLAGS",
    "STORE 1:4294967295 +FLAGS (" + "\\Seen " * 9000 + "\\Seen)", "SEARCH " + "NOT " * 16000 + "ALL", "SEARCH " + "OR " * 10000 + "ALL ALL", "SEARCH " + "(" * 30000 + "ALL" + ")" * 30000,
    "SEARCH " + "(" * 31 + "ALL" + ")" * 31, "SEARCH " + "TEXT x " * 9000, "SEARCH " + "1," * 30000 + "1", "SEARCH CHARSET " + "x" * 60000 + " ALL", "SEARCH LARGER 99999999999999999999",
    "SEARCH SINCE 99-Foo-99999999", "SEARCH KEYWORD " + "k" * 60000, "SEARCH HEADER " + "h" * 30000 + " x", "SEARCH UID " + ",".join(str(n) for n in range(1, 19000, 2)),
    "FETCH 1 (" + "BODY.PEEK[] " * 300 + "UID)", "FETCH 1 (" + "BODY.PEEK[HEADER.FIELDS (SUBJECT)] " * 1500 + "UID)", "FETCH 1 BODY[" + "1." * 30000 + "1]",
    "FETCH 1 BODY[" + "9" * 50000 + "]", "FETCH 1 BODY[]<4294967295.4294967295>", "FETCH 1 BODY[]<99999999999.1>", "FETCH 1 BODY[]<0.0>", "FETCH 1 (BODY[HEADER.FIELDS (" + "a " * 30000 + "b)])",
    "FETCH 1 " + "(" * 60000, "STORE 1 +FLAGS (" + " ".join("$k%d" % n for n in range(5000)) + ")", "STORE 1 +FLAGS (" + "\\" * 100 + ")",
    "STORE 1 +FLAGS ($" + "k" * 60000 + ")", "COPY 1:4294967295 " + "x" * 60000, "LIST \"\" " + "%" * 60000, "LIST \"\" " + "*%" * 5000 + "x", "LIST \"\" \"" + "*a" * 4000 + "\"",
    "STATUS INBOX (" + "MESSAGES " * 7000 + "UIDNEXT)", "CREATE " + "a/" * 20000 + "b", "CREATE " + "/" * 60000, "RENAME INBOX " + "x" * 60000, "ID (" + "\"a\" \"b\" " * 7000 + ")", "SUBSCRIBE " + "&AAA-" * 10000,
], ids=short)
def test_imap_bombs(server, command):
    """Answered in order, whatever the answer is; the process neither grows nor dies."""
    pid = server.pids("imap")[0]
    before = rss_kib(pid)
    with Imap(server, user="grace@demo.test") as c:
        c.ok("CREATE bombs") if not c.ok('LIST "" bombs') else None
        if c.exists("bombs") == 0:
            assert c.append(HEADER + b"\r\nx\r\n", "bombs")[0].startswith(b"OK")
        c.ok("SELECT bombs")
        got, _ = c.do(command)
        assert got.split(b" ")[0] in (b"OK", b"NO", b"BAD"), got
        c.ok("NOOP")
    assert server.pids("imap") == [pid]
    assert rss_kib(pid) < before + 100000


def quoted(octets):
    return b"{%d+}\r\n%s" % (len(octets), octets)


NAMES = [b"../../../etc/passwd", b"..", b".", b"/etc/passwd", b"a/../b", b"a//b", b"/a", b"a/", b"con\0nul", b"x\r\n* 1 EXISTS", b"x\n* BYE", b"x\r", b"&", b"&-", b"&AAA-", b"&AA0ACg-", b"&AGE-",
         b"&2D3cHA-", b"&2D0-", b"&3Bw-", b"&Jjo", b"&Jjo-&Jjo-", b"&AC8-", b"&ACY-", b"a&b", b"%", b"*", b"a%b", b"\"", b"\\", b"a\\b\"c", b"INBOX", b"inbox/x", b"InBoX", b"\xff\xfe", b"\xc3\xa4",
         b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\x7fb", b"a\x01b", b"-rf", b"~root", b"$(id)", b"'; DROP TABLE mailbox; --", b"#news.x", b" lead", b"trail ", b"NIL", b"{5}", b"(x)", b"]", b"x" * 1000, b"x" * 1001,
         "\u202egpj".encode(), b"&IC4-x"]


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_mailbox_names(server, number):
    """Whatever is taken as a name comes back as one name on one line that selects the same mailbox; the disk has no such name."""
    name = NAMES[number]
    with Imap(server, user="heidi@demo.test") as c:
        before = c.ok('LIST "" "*"')
        got, _ = c.do(b"CREATE " + quoted(name))
        after = c.ok('LIST "" "*"')
        if not got.startswith(b"OK"):
            assert after == before
            return
        for row in [r for r in after if r not in before]:
            m = re.fullmatch(rb'\* LIST \([^()]*\) "/" (?:("(?:[^"\\\r\n]|\\["\\])*"|[^\x00-\x20"(){}%*\\\x7f-\xff]+)|\{\d+\}\r\n[^\r\n\0]*)', row, re.S)
            assert m, row
        listed = [r for r in after if r not in before]
        assert listed, name
        name = name.rstrip(b"/")  # RFC 9051 §6.3.4: it only says that there will be more below
        assert c.do(b"SELECT " + quoted(name))[0].startswith(b"OK")
        shown = listed[-1].split(b' "/" ', 1)[1]
        assert c.do(b"SELECT " + shown)[0].startswith(b"OK"), shown
        c.ok("UNSELECT") if b"UNSELECT" in c.ok("CAPABILITY")[0] else c.ok("CLOSE")
        assert c.do(b"RENAME " + quoted(name) + b" again-%d" % number)[0].startswith(b"OK")
        assert c.do(b"DELETE again-%d" % number)[0].startswith(b"OK")
        for row in c.ok('LIST "" "*"'):
            if row not in before:  # parents that were made on the way
                c.do(b"DELETE " + row.split(b' "/" ', 1)[1])
    accounts = os.path.join(server.dir, "data", "accounts")
    for path, folders, files in os.walk(accounts):
        for entry in folders + files:
            assert re.fullmatch(r"[0-9a-z.-]+", entry), entry


@pytest.mark.parametrize("flag", [b"\\Recent", b"\\*", b"\\Foo", b"a\xffb", b"a]b", b"a%b", b"{1+}\r\nx", b'"x"', b"x\x01", b"()", b"\\", b"a\\b"])
def test_flags(server, flag):
    with Imap(server, user="heidi@demo.test") as c:
        if c.exists() == 0:
            c.append(HEADER + b"\r\nx\r\n")
        c.ok("SELECT INBOX")
        c.do(b"STORE 1 +FLAGS (" + flag + b")")
        for row in c.ok("FETCH 1 FLAGS"):
            assert re.fullmatch(rb"\* 1 FETCH \(FLAGS \([\x21\x23\x24\x26\x27\x2b-\x5b\x5c\x5e-\x7a\x7c ~]*\)\)", row), row
        c.ok("NOOP")


# ---- hostile messages ----

def deep(n):
    return b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(n)) + b"\r\nx\r\n"


def nested_messages(n):
    return HEADER + b"Content-Type: message/rfc822\r\n\r\n" * n + b"\r\nx\r\n"


MESSAGES = {
    "deep": lambda: HEADER + deep(1000),
    "rfc822": lambda: nested_messages(1000),
    "parts": lambda: HEADER + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 100000 + b"--b--\r\n",
    "fields": lambda: HEADER + b"".join(b"X-%d: y\r\n" % n for n in range(100000)) + b"\r\nx\r\n",
    "header": lambda: HEADER + b"X: " + b"y" * 10000000 + b"\r\n\r\nx\r\n",
    "folds": lambda: HEADER + b"To: a@b\r\n" + b" ,a@b\r\n" * 300000 + b"\r\nx\r\n",
    "comments": lambda: HEADER + b"To: " + b"(" * 500000 + b"\r\n\r\nx\r\n",
    "groups": lambda: HEADER + b"To: " + b"g:" * 200000 + b"\r\n\r\nx\r\n",
    "addresses": lambda: HEADER + b"To: " + b"a@b," * 200000 + b"c@d\r\n\r\nx\r\n",
    "words": lambda: b"From: <alice@demo.test>\r\nSubject: " + b"=?utf-8?B?" * 50000 + b"\r\n\r\nx\r\n",
    "words2": lambda: b"From: <alice@demo.test>\r\nSubject: " + b"=?iso-2022-jp?B?GyRC?= " * 50000 + b"\r\n\r\nx\r\n",
    "params": lambda: HEADER + b"Content-Type: text/plain" + b"".join(b"; p%d=v" % n for n in range(50000)) + b"\r\n\r\nx\r\n",
    "2231": lambda: HEADER + b"Content-Type: text/plain" + b"".join(b"; name*%d*=%%41" % n for n in range(50000)) + b"\r\n\r\nx\r\n",
    "2231huge": lambda: HEADER + b"Content-Type: text/plain; name*99999999999999999999*=x; name*0=a; name*0=b; name*1*=c\r\n\r\nx\r\n",
    "boundaries": lambda: HEADER + b"Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\n--\r\n----\r\n",
    "same": lambda: HEADER + (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 500),
    "quotes": lambda: HEADER + b"Content-Type: text/plain; name=\"" + b"\\\"" * 200000 + b"\"\r\nContent-Disposition: attachment; filename=\"a\\\r\n\r\nx\r\n",
    "nothing": lambda: b"\r\n",
    "no-header": lambda: b"\r\n\r\n\r\n",
    "only-header": lambda: b"From: <alice@demo.test>\r\n",
    "empty-names": lambda: b": x\r\n : y\r\n:\r\nFrom: <alice@demo.test>\r\n\r\n",
    "injection": lambda: (b"From: =?utf-8?Q?x=0D=0A*_1_EXISTS=00?= <alice@demo.test>\r\nSubject: =?utf-8?B?DQoqIDEgRVhJU1RTDQo=?=\r\nTo: \"a\\\"b\\\\\" <\"x\\\"y\"@z>\r\n"
                          b"Content-Type: text/\"; name=\"=?utf-8?Q?=0D=0A=22?=\"; x*=utf-8''%0D%0A%00%22\r\nContent-ID: <a\"b>\r\nContent-Description: a\"b\\c\r\n\r\nx\r\n"),
    "8bit": lambda: b"From: \xff\xfe <alice@demo.test>\r\nSubject: \xff\x80 \xc3\xa4\r\nContent-Type: text/\xff; name=\"\xfe\"\r\n\r\n\xff\r\n",
    "long-line": lambda: HEADER + b"\r\n" + b"x" * 5000000 + b"\r\n",
    "in-reply": lambda: HEADER + b"Message-ID: <" + b"a" * 900000 + b"@b>\r\nReferences: " + b"<a@b> " * 100000 + b"\r\n\r\nx\r\n",
    "received": lambda: b"Received: x\r\n" * 49 + HEADER + b"\r\nx\r\n",
}


def parse_list(octets, at=0, depth=0):
    """The end of one parenthesised IMAP value; raises where it is none."""
    assert octets[at:at + 1] == b"(", octets[at:at + 40]
    at += 1
    stack = 1
    token = re.compile(rb' |\(|\)|"(?:[^"\\\r\n\0]|\\["\\])*"|\{(\d+)\}\r\n|[A-Za-z0-9.$+-]+')
    while stack:
        m = token.match(octets, at)
        assert m, octets[at:at + 80]
        at = m.end() + (int(m[1]) if m[1] else 0)
        stack += {b"(": 1, b")": -1}.get(m[0], 0)
    return at


@pytest.mark.parametrize("name", MESSAGES)
def test_hostile_message(server, name):
    """Stored and shown octet for octet, with a legal ENVELOPE and BODYSTRUCTURE, from APPEND and from delivery."""
    octets = MESSAGES[name]()
    pids = server.pids("imap") + server.pids("local") + server.pids("smtp")
    with Imap(server, user="dave@demo.test") as c:
        c.do("DELETE hostile")
        c.ok("CREATE hostile")
        got, _ = c.append(octets, "hostile")
        assert got.startswith(b"OK"), got
        c.ok("SELECT hostile")
        for items in ("ENVELOPE", "BODYSTRUCTURE", "BODY"):
            row = c.ok("FETCH 1 " + items)[0]
            head = b"* 1 FETCH (" + items.encode() + b" "
            assert row.startswith(head), row[:200]
            end = parse_list(row, len(head))
            assert row[end:] == b")", row[end:end + 100]
            assert max(row) < 128, [x for x in row if x > 127][:5]
        whole = c.ok("FETCH 1 BODY.PEEK[]")[0]
        assert whole == b"* 1 FETCH (BODY[] {%d}\r\n%s)" % (len(octets), octets)
        for items in ("BODY.PEEK[HEADER.FIELDS (FROM TO)]", "BODY.PEEK[1]", "BODY.PEEK[1.MIME]", "BODY.PEEK[" + "1." * 90 + "1]", "BODY.PEEK[TEXT]<0.10>", "RFC822.SIZE"):
            c.ok("FETCH 1 " + items)
        for key in ("TEXT zzz", "BODY zzz", "HEADER X y", "SUBJECT x", "FROM alice", "TO a", "SENTSINCE 1-Jan-2020"):
            c.ok("SEARCH " + key)
        c.ok("DELETE hostile")
    with smtp(server, 25) as c:
        stuffed = octets.replace(b"\r\n.", b"\r\n..")
        got = c.message("x@elsewhere.example", "dave@demo.test", stuffed)
        # From a stranger a header must end within what is looked at, or there could be another author behind it.
        assert got[0] == (552 if len(octets.split(b"\r\n\r\n")[0]) > 255 * 1024 else 250), got
    assert pids == server.pids("imap") + server.pids("local") + server.pids("smtp")


def test_going_in_circles(server):
    with smtp(server, 25) as c:
        got = c.message("x@elsewhere.example", "dave@demo.test", b"Received: x\r\n" * 60 + HEADER + b"\r\nx\r\n")
        assert got[0] == 554, got


def test_fetch_of_many_headers(server):
    """A megabyte of header asked for a hundred times in one command: sent in pieces, not gathered."""
    octets = HEADER + b"X: " + b"y" * 990000 + b"\r\n\r\nx\r\n"
    with Imap(server, user="grace@demo.test") as c:
        c.do("DELETE headers")
        c.ok("CREATE headers")
        assert c.append(octets, "headers")[0].startswith(b"OK")
        c.ok("SELECT headers")
        pid = server.pids("imap")[0]
        before = rss_kib(pid)
        row = c.ok("FETCH 1 (" + " ".join("BODY.PEEK[HEADER.FIELDS.NOT (A%d)]" % n for n in range(40)) + ")")
        assert len(row[0]) > 39000000
        assert rss_kib(pid) < before + 20000
        c.ok("DELETE headers")


def test_size_lies(server):
    with smtp(server, 465, user="alice@" + DOMAIN) as c:
        assert c.do("MAIL FROM:<alice@demo.test> SIZE=99999999999")[0] == 552
        assert c.do("MAIL FROM:<alice@demo.test> SIZE=99999999999999999999999")[0] in (501, 552)
        assert c.do("MAIL FROM:<alice@demo.test> SIZE=-1")[0] == 501
        c.ok("MAIL FROM:<alice@demo.test> SIZE=10")
        c.ok("RCPT TO:<bob@demo.test>")
        c.ok("DATA", 354)
        c.send(HEADER + b"\r\n")
        for _ in range(55):
            c.send((b"x" * 1022 + b"\r\n") * 1024)
        assert c.do(".")[0] == 552
        assert c.message("alice@demo.test", "bob@demo.test", HEADER + b"\r\nx\r\n")[0] == 250


# ---- inside the machine ----

def frame(kind, payload=b"", version=1, flags=0, number=1, status=0, length=None):
    return struct.pack(">IHBBQI", len(payload) if length is None else length, kind, version, flags, number, status) + payload


def control(server):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    s.connect(os.path.join(server.dir, "data", "control.sock"))
    return s


def test_control_socket_is_closed_to_others(server):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    code = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ntry:\n s.connect(sys.argv[1])\nexcept PermissionError:\n print('refused')"
    for path in (server.dir, os.path.join(server.dir, "data")):
        os.chmod(path, 0o711)  # as /var/lib would be
    done = subprocess.run(["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "/usr/bin/python3", "-c", code,
                           os.path.join(server.dir, "data", "control.sock")], capture_output=True, text=True)
    assert done.stdout == "refused\n", done.stdout + done.stderr
    for user in ("postrider-smtp", "postrider-store", "postrider-remote", "postrider-dns"):
        done = subprocess.run(["setpriv", "--reuid", user, "--regid", str(pwd.getpwnam(user).pw_gid), "--clear-groups", "/usr/bin/python3", "-c",
                               code, os.path.join(server.dir, "data", "control.sock")], capture_output=True, text=True)
        assert done.stdout == "refused\n", (user, done.stdout, done.stderr)


def test_control_socket_frames(server):
    """Nonsense from somebody who may connect ends that connection only."""
    frames = [os.urandom(4096), frame(0), frame(65535), frame(1, b"\0" * 100), frame(28, length=0xffffffff), frame(28, length=1 << 20), frame(28, b"x" * 100),
              frame(28, flags=1), frame(28, flags=0x30), frame(28, flags=0xff), frame(28, version=0), frame(28, version=255), b"\0" * 19, frame(28, b"\xff" * (1 << 20))]
    frames += [frame(kind, payload) for kind in range(0, 40) for payload in (b"", b"\xff" * 64, b"\0" * 64, struct.pack(">I", 0xfffffff0) * 8)]
    for octets in frames:
        with control(server) as s:
            try:
                s.sendall(octets)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except OSError:
                pass
    with control(server) as s, socket.socket() as spare:
        socket.send_fds(s, [frame(28, flags=0x10)], [spare.fileno()])
        s.shutdown(socket.SHUT_WR)
        s.recv(65536)
    held = [control(server) for _ in range(40)]  # more than it takes at once
    for s in held:
        s.close()
    server.command("status", check=True)


@pytest.mark.parametrize("role", ["smtp", "imap", "local", "auth", "dns", "remote", "queue", "control"])
def test_killed(role):
    """In the middle of work: it comes back, what was acknowledged arrives, and clients are told to try again."""
    with Server() as s:
        s.expect("process ended|channel|lost|msg=.*process|is not known|cannot be asked|retry|peer|restart|TEMP|status=temp")
        victim = s.pids(role)[0]
        taken = 0
        with Imap(s, user="bob@demo.test") as c:
            c.ok("SELECT INBOX")
            for n in range(30):
                if n == 10:
                    os.kill(victim, signal.SIGKILL)
                try:
                    with smtp(s, 465, user="alice@demo.test") as m:
                        got = m.message("alice@demo.test", "bob@demo.test", HEADER + b"\r\n%d\r\n" % n)[0]
                    assert got == 250, got
                    taken += 1
                except (AssertionError, OSError):
                    if n < 10:
                        raise
        eventually(lambda: serves(s, "killed"))
        eventually(lambda: arrived(s, taken))
        assert s.pids(role) != [victim]


def replaced(server, role, old):
    assert server.pids(role) not in ([], old)


def test_sign_in_is_void():
    """auth makes the tokens of sign-ins, and forgets its key when it ends: queue believes no session that signed in before."""
    with Server() as s:
        s.expect("process ended|channel|status=temp|without its sign-in|message not taken")
        with smtp(s, 465, user="alice@demo.test") as m:
            assert m.message("alice@demo.test", "bob@demo.test", HEADER + b"\r\n1\r\n")[0] == 250
            old = s.pids("auth")
            os.kill(old[0], signal.SIGKILL)
            eventually(lambda: replaced(s, "auth", old))
            eventually(lambda: serves(s, "new"))
            assert m.message("alice@demo.test", "bob@demo.test", HEADER + b"\r\n2\r\n")[0] == 421
        eventually(lambda: arrived(s, 1))


def arrived(server, count):
    """Bob has got so many, or gets them while we idle."""
    with Imap(server, user="bob@demo.test") as c:
        while True:
            c.ok("SELECT INBOX")
            answers = c.ok("SEARCH SUBJECT x")
            if len(answers[0].split()[2:]) >= count:
                return
            if len(answers) == 1:  # else there is news already
                c.wait_for_news()


def eventually(action):
    """Again and again, while a process is being replaced."""
    until = time.monotonic() + 30
    while True:
        try:
            return action()
        except (AssertionError, OSError):
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


@pytest.mark.parametrize("role", ["dns", "remote", "imap"])
def test_stopped(role):
    """A process that hangs holds up only what needs it: mail still comes in."""
    with Server() as s:
        pid = s.pids(role)[0]
        os.kill(pid, signal.SIGSTOP)
        try:
            with smtp(s, 465, user="alice@demo.test") as m:
                assert m.message("alice@demo.test", "bob@demo.test", HEADER.replace(b"x", b"while-stopped") + b"\r\nx\r\n")[0] == 250
            if role != "imap":
                with Imap(s, user="bob@demo.test") as c:
                    c.wait_for("while-stopped")
        finally:
            os.kill(pid, signal.SIGCONT)
        with Imap(s, user="bob@demo.test") as c:
            c.wait_for("while-stopped")
