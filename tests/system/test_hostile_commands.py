"""What a stranger does with commands: order, pipelining, lines, addresses, sizes. One test per row of docs/hostile.md."""
import base64
import re
import time

import pytest

from peers import DOMAIN, Closed, Imap, Smtp, rss_kib, smtp
from server import PASSWORD, Server

ALICE, BOB, CAROL, DAVE = ("%s@%s" % (n, DOMAIN) for n in ("alice", "bob", "carol", "dave"))
STRANGER = "x@elsewhere.example"
LIMIT = 100000  # message_size of this server
HEAD = b"From: <x@elsewhere.example>\r\nSubject: %s\r\n\r\n"


@pytest.fixture(scope="module")
def server():
    s = Server("--accounts", "40", environment={"POSTRIDER_MESSAGE_SIZE": str(LIMIT)})
    s.expect("sign-in failed")
    s.start()
    yield s
    s.stop()


@pytest.fixture(autouse=True)
def others(server, request):
    """After every attack somebody else is served."""
    yield
    mark = re.sub(r"\W", "-", request.node.name)[:60]
    with smtp(server, 25) as c:
        assert c.message(STRANGER, "erin@" + DOMAIN, HEAD % mark.encode() + b"x\r\n")[0] == 250
    with Imap(server, 993, user="erin@" + DOMAIN) as c:
        c.wait_for(mark)


def subjects(server, user):
    with Imap(server, 993, user=user) as c:
        return [re.search(rb"(?m)^Subject: (.*?)\r$", b)[1].decode() for b in c.bodies()]


def closed(c):
    """It is over, and nothing more was said."""
    return c.rest() == b""


# ---- 5: order ----

# What is done, with the code that each command has; then a new transaction is tried as far as DATA.
STALE = {
    "refused sender": [("MAIL FROM:<a@@b>", 553), ("RCPT TO:<carol@demo.test>", 503), ("DATA", 503)],
    "refused parameter": [("MAIL FROM:<a@b.example> XX=1", 555), ("RCPT TO:<carol@demo.test>", 503), ("DATA", 503)],
    "too large": [("MAIL FROM:<a@b.example> SIZE=99999999", 552), ("RCPT TO:<carol@demo.test>", 503), ("DATA", 503)],
    "refused recipient": [("MAIL FROM:<a@b.example>", 250), ("RCPT TO:<nobody-here@demo.test>", 550), ("DATA", 503), ("RSET", 250)],
    "reset": [("MAIL FROM:<a@b.example>", 250), ("RCPT TO:<carol@demo.test>", 250), ("RSET", 250), ("DATA", 503), ("RCPT TO:<carol@demo.test>", 503)],
    "hello": [("MAIL FROM:<a@b.example>", 250), ("RCPT TO:<carol@demo.test>", 250), ("EHLO again.example", 250), ("DATA", 503), ("RCPT TO:<carol@demo.test>", 503)],
    "old hello": [("MAIL FROM:<a@b.example>", 250), ("RCPT TO:<carol@demo.test>", 250), ("HELO again.example", 250), ("DATA", 503), ("EHLO peer.example", 250)],
    "bad hello": [("MAIL FROM:<a@b.example>", 250), ("RCPT TO:<carol@demo.test>", 250), ("EHLO (", 501), ("RSET", 250), ("DATA", 503)],
    "second sender": [("MAIL FROM:<a@b.example>", 250), ("RCPT TO:<carol@demo.test>", 250), ("MAIL FROM:<c@d.example>", 503), ("RSET", 250)],
    "TLS inside": [("MAIL FROM:<a@b.example>", 250), ("RCPT TO:<carol@demo.test>", 250), ("STARTTLS", 503), ("AUTH PLAIN x", 502), ("RSET", 250)],
    "utf8, verify": [("MAIL FROM:<\u00e4@b.example> SMTPUTF8", 250), ("VRFY \u00e4@demo.test", 252), ("RCPT TO:<carol@demo.test>", 250), ("RSET", 250), ("DATA", 503)],
    "data with argument": [("MAIL FROM:<a@b.example>", 250), ("RCPT TO:<carol@demo.test>", 250), ("DATA now", 501), ("RSET", 250)],
    "refused data": [("MAIL FROM:<a@b.example>", 250), ("RCPT TO:<carol@demo.test>", 250), ("DATA", 354), ("a\nb\r\n.", 554), ("DATA", 503), ("RCPT TO:<carol@demo.test>", 503)],
    "circle": [("MAIL FROM:<a@b.example>", 250), ("RCPT TO:<carol@demo.test>", 250), ("DATA", 354), ("Received: x\r\n" * 60 + "\r\n.", 554), ("DATA", 503),
               ("RCPT TO:<carol@demo.test>", 503)],
    "size of data": [("MAIL FROM:<a@b.example>", 250), ("RCPT TO:<carol@demo.test>", 250), ("DATA", 354), ("x" * LIMIT + "\r\n.", 552), ("DATA", 503)],
}


@pytest.mark.parametrize("name", STALE)
def test_nothing_stale(server, name):
    """After each kind of refusal nothing is left of the transaction: the next one has its own sender and recipient only."""
    with smtp(server, 25) as c:
        for command, code in STALE[name]:
            got = c.do(command)
            assert got[0] == code, (command[:80], got)
        assert c.message(STRANGER, DAVE, HEAD % name.encode() + b"x\r\n")[0] == 250
        c.ok("QUIT", 221)
    with Imap(server, 993, user=DAVE) as c:
        n = c.wait_for(name)
        assert c.ok("FETCH %d BODY.PEEK[HEADER.FIELDS (RETURN-PATH)]" % n)[0].count(b"Return-Path: <x@elsewhere.example>") == 1
    assert subjects(server, CAROL) == []


# ---- 6: pipelining ----

AHEAD = {  # what is sent at once: codes of all replies, then the end
    "before the greeting": (b"EHLO x.example\r\nNOOP\r\n", None, [554]),
    "behind EHLO": (b"EHLO x.example\r\nNOOP\r\n", "greeting", [554]),
    "behind HELO": (b"HELO x.example\r\nMAIL FROM:<a@b.example>\r\n", "greeting", [554]),
    "behind STARTTLS": (b"STARTTLS\r\nNOOP\r\n", "hello", [554]),
    "data behind DATA": (b"MAIL FROM:<a@b.example>\r\nRCPT TO:<bob@demo.test>\r\nDATA\r\nSubject: ahead\r\n\r\nx\r\n.\r\n", "hello", [250, 250, 554]),
    "a group behind DATA": (b"MAIL FROM:<a@b.example>\r\nRCPT TO:<bob@demo.test>\r\nDATA\r\nRSET\r\n", "hello", [250, 250, 554]),
    "data behind refused DATA": (b"MAIL FROM:<a@b.example>\r\nRCPT TO:<nobody-here@demo.test>\r\nDATA\r\nSubject: ahead\r\n.\r\n", "hello", [250, 550, 554]),
    "behind AUTH": (b"AUTH PLAIN\r\nAGFsaWNlQGRlbW8udGVzdABzZWNyZXQtcHc=\r\n", "submission", [554]),
}


@pytest.mark.parametrize("name", AHEAD)
def test_ahead_of_the_answer(server, name):
    """What depends on an answer and is sent before it ends the session; nothing of it is run."""
    octets, after, codes = AHEAD[name]
    c = Smtp(server, 587 if after == "submission" else 25, greeting=False)
    if after:
        assert c.reply()[0] == 220
    if after in ("hello", "submission"):
        c.ok("EHLO x.example")
    c.send(octets)
    got = c.reply()[0]
    if not after and got == 220:
        got = c.reply()[0]  # the greeting was on its way already
    assert [got] + [c.reply()[0] for _ in codes[1:]] == codes
    assert closed(c)
    assert "ahead" not in subjects(server, BOB)


@pytest.mark.parametrize("secure", [False, True])
def test_legal_groups(server, secure):
    """RFC 2920: a whole second transaction in the packet of the first one's end, again and again, cut anywhere."""
    group = b".\r\nRSET\r\nMAIL FROM:<x@elsewhere.example>\r\nRCPT TO:<carol2@demo.test>\r\nRCPT TO:<grace@demo.test>\r\nVRFY x\r\nNOOP\r\nDATA\r\n"
    with smtp(server, 25, secure) as c:
        c.mail(STRANGER, "grace@" + DOMAIN)
        for n in range(20):
            c.send(HEAD % (b"group-%d" % n) + b"x\r\n")
            at = n * len(group) // 20
            c.send(group[:at])
            time.sleep(0.005)
            c.send(group[at:])
            assert [c.reply()[0] for _ in range(8)] == [250, 250, 250, 550, 250, 252, 250, 354], n
        c.send(b".\r\nQUIT\r\n")
        assert [c.reply()[0] for _ in range(2)] == [250, 221]


# ---- 7: lines and addresses ----

def test_line_lengths(server):
    """512 to 64 KiB: taken up to 2,048 with CRLF, above answered once with 500 and dropped, never gathered."""
    before = rss_kib(server.pids("smtp")[0])
    for length in (510, 511, 512, 998, 999, 1000, 1001, 2046, 2047, 2048, 65536, 1 << 20):
        with smtp(server, 25) as c:
            c.send(b"NOOP " + b"x" * (length - 5) + b"\r\n")
            assert c.reply()[0] == (250 if length <= 2046 else 500), length
            c.ok("NOOP")
    with smtp(server, 25) as c:  # endless
        for _ in range(200):
            c.send(b"x" * 65536)
        c.send(b"\r\n")
        assert c.reply()[0] == 500
        c.ok("NOOP")
    assert rss_kib(server.pids("smtp")[0]) < before + 20000


OCTETS = [b"NOOP \0", b"NO\0OP", b"\0", b"NOOP a\rb", b"\rNOOP", b"NOOP\r", b"NOOP \x01", b"\x80\x81", b"\xff\xf4\xff\xfd\x06", b"MAIL FROM:<a\0@b.example>", b"MAIL FROM:<a\rb@c.example>",
          b"EHLO a\0b", b"RCPT TO:<\0>", b"", b" ", b" NOOP", b"\tNOOP", b"DEBUG", b"WIZ", b"TURN", b"SEND FROM:<a@b.example>", b"MAIL\tFROM:<a@b.example>"]


@pytest.mark.parametrize("number", range(len(OCTETS)))
def test_octets(server, number):
    """NUL, CR, control and 8-bit octets, and the words of old holes: 500 or 501, and the session is as before."""
    with smtp(server, 25) as c:
        assert c.do(OCTETS[number])[0] in (500, 501, 503), OCTETS[number]
        c.ok("MAIL FROM:<a@b.example>")


PATHS = {  # of MAIL and of RCPT, where they differ
    "<@>": 553, '<"">': 553, "<a@[1.2.3.4]>": (250, 550), "<@a.example,@b.example:x@c.example>": 553, "<@[::1]:x@c.example>": 553,
    '<"a b"@demo.test>': (250, 550), '<"a\\ b"@demo.test>': (250, 550), '<"a>b"@demo.test>': (250, 550), '<"a\\">"@demo.test>': (250, 550),
    '<"a"b@demo.test>': 553, '<"a@demo.test>': 501, "<a..b@demo.test>": 553, "<.a@demo.test>": 553, "<a.@demo.test>": 553, "<a b@demo.test>": 553,
    "<a@-b.example>": 553, "<a@b.example.>": 553, "<a@b..example>": 553, "<a@[IPv6:::1]>": (250, 550), "<a@[IPv6:zz]>": 553, "<a@[1.2.3.999]>": 553, "<a@[]>": 553,
    "<a@b.example": 501, "a@b.example": 501, "<<a@b.example>>": 501, "<a@b.example>x": 501, "<a@b.example>, <c@d.example>": 501, "": 501,
    "<a@b.example> SIZE=1 SIZE=1": (501, (555, 501)), "<a@b.example> =": 501, "<a@b.example> SIZE=": 501, "<a@b.example>  SIZE=1": 501,
    "<a@b.example> SIZE=-1": (501, 555), "<a@b.example> SIZE=18446744073709551616": (501, 555), "<a@b.example> XX": 555, "<a@b.example> XX=1": 555,
    "<a@b.example> BODY=7BIT,8BITMIME": (501, 555), "<a@b.example> SMTPUTF8=1": (501, 555), "<a@b.example> SIZE=1\0": 500,
    "<%s@b.example>" % ("a" * 300): 553, "<a@%s>" % ".".join(["b" * 63] * 5): 553, "<a@%s>" % ("b" * 64 + ".example"): 553,
    "<\u00e4@demo.test>": 553, "<a@\u00e4.test>": 553,
}


@pytest.mark.parametrize("path", PATHS)
def test_paths(server, path):
    """Parsed whole by the grammar or refused; source routes, unbalanced quotes, long parts, parameters twice, empty, unknown or backwards."""
    codes = PATHS[path] if isinstance(PATHS[path], tuple) else (PATHS[path],) * 2
    with smtp(server, 25) as c:
        got = c.do(("MAIL FROM:" + path).encode())
        assert got[0] == codes[0], got
    with smtp(server, 25) as c:
        c.ok("MAIL FROM:<x@elsewhere.example>")
        got = c.do(("RCPT TO:" + path).encode())
        assert got[0] in (codes[1] if isinstance(codes[1], tuple) else (codes[1],)), got


# ---- 9: sign-in ----

def b64(text):
    return base64.b64encode(text.encode("latin-1")).decode()


EXCHANGES = {  # lines and codes; then nobody is signed in
    "cancelled": [("AUTH PLAIN", 334), ("*", 501)],
    "cancelled at the second": [("AUTH LOGIN", 334), (b64("alice@demo.test"), 334), ("*", 501)],
    "another command inside": [("AUTH LOGIN", 334), ("AUTH PLAIN " + b64("\0alice@demo.test\0" + PASSWORD), 501)],
    "mail inside": [("AUTH PLAIN", 334), ("MAIL FROM:<alice@demo.test>", 501)],
    "unknown": [("AUTH NTLM", 504), ("AUTH SPA", 504), ("AUTH X Y Z", (501, 504)), ("AUTH", 501)],
    "padding": [("AUTH PLAIN AAA", 501), ("AUTH PLAIN =", (501, 535)), ("AUTH PLAIN A===", 501), ("AUTH PLAIN AA==AA==", 501), ("AUTH PLAIN " + "A" * 12001, (500, 501))],
    "NUL": [("AUTH PLAIN " + b64("\0\0\0"), (501, 535)), ("AUTH PLAIN " + b64("\0alice@demo.test\0%s\0" % PASSWORD), (501, 535))],
    "two mechanisms": [("AUTH LOGIN", 334), ("*", 501), ("AUTH PLAIN", 334), (b64("alice@demo.test"), 501)],
    "wrong, then other": [("AUTH PLAIN " + b64("\0alice@demo.test\0wrong"), 535), ("AUTH LOGIN", 334), (b64(""), (334, 501, 535))],
}


@pytest.mark.parametrize("name", EXCHANGES)
def test_sign_in_exchange(server, name):
    """Each exchange starts with nothing, and an end that was no success leaves nothing behind."""
    with smtp(server, 587) as c:
        for line, code in EXCHANGES[name]:
            got = c.do(line)
            assert got[0] in (code if isinstance(code, tuple) else (code,)), (line[:60], got)
        if got[0] == 334:
            assert c.do("*")[0] == 501
        assert c.do("MAIL FROM:<alice@demo.test>")[0] == 530
        assert c.login(ALICE)[0] == 235


# ---- 10: sizes and numbers ----

def body_of(size):
    """A message of exactly so many octets."""
    head = HEAD % b"sized"
    rest = size - len(head)
    lines = b"x" * 70 + b"\r\n"
    body = lines * ((rest - 100) // len(lines))
    return head + body + b"y" * (rest - len(body) - 2) + b"\r\n"


def test_exactly_the_limit(server):
    """The limit is of what is sent: at it 250, an octet more 552; with and without SIZE, and whatever SIZE said."""
    for declared in ("", " SIZE=1", " SIZE=%d" % LIMIT):
        for size, code in ((LIMIT, 250), (LIMIT + 1, 552), (LIMIT * 3, 552)):
            with smtp(server, 25) as c:
                c.ok("MAIL FROM:<x@elsewhere.example>" + declared)
                c.ok("RCPT TO:<heidi@demo.test>")
                c.ok("DATA", 354)
                c.send(body_of(size) + b".\r\n")
                assert c.reply()[0] == code, (declared, size)
                c.ok("NOOP")


@pytest.mark.parametrize("header", [b"X: y\r\n" * (LIMIT // 6 + 10), b"X: " + b"y" * LIMIT + b"\r\n", b"X: a\r\n" + b" folded\r\n" * (LIMIT // 9)],
                         ids=["fields", "one field", "folded"])
def test_header_over_the_limit(server, header):
    """The limit reached in the header: read to the end, 552, and the session goes on."""
    with smtp(server, 25) as c:
        assert c.message(STRANGER, "heidi@" + DOMAIN, HEAD.strip() % b"header" + b"\r\n" + header + b"\r\nx\r\n")[0] == 552
        c.ok("NOOP")


def test_thousand_refused_then_one_good(server):
    """A list full of old addresses is no attack by itself: the good one is served."""
    with smtp(server, 25) as c:
        c.send(b"MAIL FROM:<x@elsewhere.example>\r\n" + b"".join(b"RCPT TO:<nobody%d@demo.test>\r\n" % n for n in range(1000)) + b"RCPT TO:<frank@demo.test>\r\nDATA\r\n")
        assert [c.reply()[0] for _ in range(1003)] == [250] + [550] * 1000 + [250, 354]
        c.send(HEAD % b"one-good" + b"x\r\n.\r\n")
        assert c.reply()[0] == 250
    with Imap(server, 993, user="frank@" + DOMAIN) as c:
        c.wait_for("one-good")


def test_endless_recipients(server):
    """100,000 in one session, repeated ones too: over the limit 452, then 421 and the end; no memory is gathered for them."""
    pids = {r: server.pids(r)[0] for r in ("smtp", "auth")}
    before = {r: rss_kib(p) for r, p in pids.items()}
    codes = []
    with smtp(server, 25) as c:
        c.ok("MAIL FROM:<x@elsewhere.example>")
        try:
            for at in range(0, 100000, 500):
                c.send(b"RCPT TO:<bob@demo.test>\r\n" * 250 + b"".join(b"RCPT TO:<nobody-%d@demo.test>\r\n" % n for n in range(at, at + 250)))
                codes += [c.reply()[0] for _ in range(500)]
        except (Closed, ConnectionResetError, BrokenPipeError):
            pass
        assert 1000 <= len(codes) <= 5500 and set(codes) <= {250, 550, 452, 421}, (len(codes), set(codes))
    for r, kib in before.items():
        assert rss_kib(pids[r]) < kib + 20000, r
