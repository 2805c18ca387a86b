"""The SMTP session's newer parts against the running server: chunks, LMTP, XCLIENT, the PROXY protocol, what the settings smtp.trusted and
smtp.proxy allow and forbid.
"""
import os
import re
import signal
import socket
import struct
import subprocess
import time

import pytest

from peers import DOMAIN, Closed, Imap, Peer, Smtp, chunk, smtp
from server import BIN, Server
from test_smuggling import BARE, LEGAL, NUL, assert_canonical

ALICE, BOB = "alice@" + DOMAIN, "bob@" + DOMAIN
V2 = b"\r\n\r\n\0\r\nQUIT\n"


class Configured(Server):
    """`serve` on the demo's data with other settings; not --lab, as on a real host."""

    def __init__(self, **settings):
        super().__init__(lab=False)
        self.settings = settings

    def start(self, timeout=60):
        super().start(timeout)
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0
        self.configure(**self.settings)
        self.process = subprocess.Popen([BIN, "serve", "--config", self.path()], stderr=self.log, stdout=self.log)
        until = time.monotonic() + timeout
        while self.command("status").returncode != 0:
            assert self.process.poll() is None and time.monotonic() < until, self.log_text()
            time.sleep(0.05)
        return self

    def path(self):
        return os.path.join(self.dir, "data", "postrider.conf")

    def configure(self, **settings):
        with open(self.path()) as f:
            text = f.read()
        for name, value in settings.items():
            text, count = re.subn(r"(?m)^(\s+%s = )[^#\n]*" % name, lambda m: m[1] + value + " ", text)
            assert count == 1, name
        with open(self.path(), "w") as f:
            f.write(text)


def await_log(server, pattern):
    """The log is written by another process, a moment later."""
    until = time.monotonic() + 20
    while not re.search(pattern, server.log_text()):
        assert time.monotonic() < until, pattern
        time.sleep(0.05)


def received(server, subject, user=BOB):
    """The first Received field of a message that arrived."""
    with Imap(server, 993, user=user) as c:
        number = c.wait_for(subject)
        field = c.ok("FETCH %d BODY.PEEK[HEADER.FIELDS (Received)]" % number)[0]
        return b" ".join(field.split()).decode()


def message(subject, sender="x@elsewhere.example"):
    return b"From: <%s>\r\nSubject: %s\r\n\r\nhello\r\n" % (sender.encode(), subject.encode())


# ---- chunks ----

def chunked(c, sender, recipient, *chunks):
    """MAIL, RCPT and all chunks in one piece; the codes of the chunks."""
    group = b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\n" % (sender.encode(), recipient.encode())
    group += b"".join(chunk(octets, i + 1 == len(chunks)) for i, octets in enumerate(chunks))
    c.send(group)
    assert c.reply()[0] == 250 and c.reply()[0] == 250
    return [c.reply()[0] for _ in chunks]


def test_chunks(server):
    subject = "chunks-1"
    octets = message(subject) + b".\r\n..\r\nMAIL FROM:<evil@elsewhere.example>\r\nno end"
    with smtp(server, 25) as c:
        assert "CHUNKING" in c.ok("EHLO peer.example")
        assert chunked(c, "x@elsewhere.example", BOB, octets[:20], b"", octets[20:90], octets[90:]) == [250] * 4
        assert c.do("NOOP")[0] == 250
    with Imap(server, 993, user=BOB) as c:
        c.wait_for(subject)
        body = [b for b in c.bodies() if subject.encode() in b][0]
    assert body.endswith(b"\r\n\r\nhello\r\n.\r\n..\r\nMAIL FROM:<evil@elsewhere.example>\r\nno end\r\n")


def test_large_chunks(server):
    """By way of a spool file, in TLS, with the size announced wrongly."""
    octets = message("chunks-large") + b"0123456789abcdef" * 4 * 1024 * 16 + b"\r\n"
    with smtp(server, 25, secure=True) as c:
        assert chunked(c, "x@elsewhere.example", BOB, octets[:1000], octets[1000:700000], octets[700000:]) == [250] * 3
    with Imap(server, 993, user=BOB) as c:
        c.wait_for("chunks-large")
        assert [b for b in c.bodies() if b.endswith(octets)]


@pytest.mark.parametrize("secure", [False, True])
def test_smuggling_in_chunks(server, secure):
    """Whatever stands in chunks is content: the borders of chunks, and of segments or records, at every octet around the false end."""
    expected = []
    for number, end in enumerate(BARE + NUL + LEGAL + [b"\r\n.\r\n"]):
        head = message("in-chunks-%d-%d" % (secure, number)) + b"first"
        octets = head + end + b"MAIL FROM:<out@elsewhere.example>\r\nRCPT TO:<carol@demo.test>\r\nDATA\r\n\r\nx\r\n.\r\n"
        good = end in LEGAL or end == b"\r\n.\r\n"
        for border in range(len(head) - 1, len(head) + len(end) + 2):
            with smtp(server, 25, secure) as c:
                c.ok("MAIL FROM:<out@elsewhere.example>")
                c.ok("RCPT TO:<%s>" % BOB)
                said = chunk(octets[:border]) + chunk(octets[border:], True)
                cut = said.index(end[:1] if border else b"\r") if border % 2 else len(said) // 2
                c.send(said[:cut])
                c.send(said[cut:] + b"NOOP\r\nQUIT\r\n")
                codes = []
                while not codes or codes[-1] != 221:
                    codes.append(c.reply()[0])
                if good:
                    assert codes == [250, 250, 250, 221], (end, border, codes)
                else:  # refused with the chunk in which it was seen; what follows is swallowed
                    assert codes in ([554, 503, 250, 221], [250, 554, 250, 221]), (end, border, codes)
        expected += ["in-chunks-%d-%d" % (secure, number)] * (len(end) + 3) * good
    with Imap(server, 993, user=BOB) as bob, Imap(server, 993, user="carol@" + DOMAIN) as carol:
        bob.ok("SELECT INBOX")
        bob.wait_for(expected[-1])
        while True:
            bodies = bob.bodies()
            seen = [re.search(rb"Subject: (in-chunks-%d-\d+)" % secure, b) for b in bodies]
            seen = [m[1].decode() for m in seen if m]
            if len(seen) >= len(expected):
                break
        assert sorted(seen) == sorted(expected)
        for b in bodies:
            assert_canonical(b)
        assert carol.bodies() == []


def test_chunk_abuse(server):
    with smtp(server, 25) as c:
        assert c.do("BDAT 9223372036854775807")[0] == 552
        assert c.rest() == b""
    with smtp(server, 25) as c:
        assert c.do("BDAT -5 LAST")[0] == 501
        assert c.rest() == b""
    with smtp(server, 25, secure=True) as c:  # the end of TLS inside a chunk is the end
        c.ok("MAIL FROM:<x@elsewhere.example>")
        c.ok("RCPT TO:<%s>" % BOB)
        c.send(b"BDAT 100 LAST\r\nhalf")
        c.sock.shutdown(socket.SHUT_WR)
        assert c.rest() == b""
    with smtp(server, 25) as c:  # many empty ones
        c.ok("MAIL FROM:<x@elsewhere.example>")
        c.ok("RCPT TO:<%s>" % BOB)
        c.send(b"BDAT 0\r\n" * 1100)
        codes = []
        while not codes or codes[-1] != 421:
            codes.append(c.reply()[0])
        assert len(codes) < 1001 and set(codes) == {250, 421}
        c.rest()


# ---- STARTTLS: injected octets, cut at every octet ----

@pytest.mark.parametrize("port", [25, 587, 24])
def test_injection_cut_everywhere(server, port):
    """STARTTLS and a tail in two segments, cut anywhere: the tail is never answered, in clear or in TLS."""
    said = b"STARTTLS\r\nNOOP\r\nMAIL FROM:<evil@elsewhere.example>\r\n"
    for cut in range(len(said) + 1):
        with Smtp(server, port) as c:
            c.ok("LHLO peer.example" if port == 24 else "EHLO peer.example")
            c.send(said[:cut])
            if cut == 10:
                assert c.reply()[0] == 220
            try:
                c.send(said[cut:])
                if cut != 10:
                    assert c.reply()[0] in (220, 554)
                answer = c.rest()
            except (Closed, OSError):
                answer = b""
            assert b"250" not in answer and b"evil" not in answer, (cut, answer)


# ---- LMTP ----

def test_lmtp(server):
    with Smtp(server, 24) as c:
        assert c.do("EHLO peer.example")[0] == 500
        words = c.ok("LHLO peer.example")
        assert "PIPELINING" in words and "ENHANCEDSTATUSCODES" in words and "AUTH" not in words
        c.mail("x@elsewhere.example", BOB, ALICE, BOB)
        c.send(message("lmtp-1") + b".\r\n")
        replies = [c.reply() for _ in range(3)]
        assert [r[0] for r in replies] == [250] * 3 and len({r[1] for r in replies}) == 1
        c.ok("QUIT", 221)
    assert " with LMTP id " in received(server, "lmtp-1")
    received(server, "lmtp-1", ALICE)
    with Imap(server, 993, user=BOB) as c:
        c.wait_for("lmtp-1")
        assert len([b for b in c.bodies() if b"Subject: lmtp-1" in b]) == 1


def test_lmtp_tls_and_refusal(server):
    with Smtp(server, 24) as c:
        c.ok("LHLO peer.example")
        c.starttls()
        assert c.do("MAIL FROM:<x@elsewhere.example>")[0] == 503
        c.ok("LHLO peer.example")
        c.ok("MAIL FROM:<x@elsewhere.example>")
        assert c.do("RCPT TO:<somebody@elsewhere.example>")[0] == 550
        assert c.do("RCPT TO:<nobody@demo.test>")[0] == 550
        c.ok("RCPT TO:<%s>" % BOB)
        c.ok("RCPT TO:<%s>" % ALICE)
        c.ok("DATA", 354)
        c.send(b"a\nb\r\n.\r\n")
        assert [c.reply()[0], c.reply()[0]] == [554, 554]
        assert c.login(ALICE)[0] == 502


# ---- trusted peers ----

@pytest.fixture(scope="module")
def trusting():
    s = Configured(trusted='"127.0.0.1, 2001:db8::/32"').start()
    yield s
    s.stop()


def test_xclient(trusting, server):
    with smtp(trusting, 25) as c:
        assert "XCLIENT NAME ADDR" in c.ok("EHLO peer.example")
        assert c.do("XCLIENT ADDR=999.1.1.1")[0] == 501
        assert c.do("XCLIENT NAME=client.example ADDR=198.51.100.9 PORT=4097 PROTO=ESMTP HELO=[UNAVAILABLE] LOGIN=" + ALICE)[0] == 220
        words = c.ok("EHLO client.example")
        assert "XCLIENT" not in words and "ETRN" not in words
        assert c.do("RCPT TO:<%s>" % BOB)[0] == 503
        assert c.do("MAIL FROM:<%s>" % ALICE)[0] == 250
        assert c.do("RCPT TO:<somebody@elsewhere.example>")[0] == 550  # LOGIN was no sign-in
        c.ok("RSET")
        assert c.message("x@elsewhere.example", BOB, message("xclient-1"))[0] == 250
    assert "from client.example ([198.51.100.9]) by" in received(trusting, "xclient-1")
    await_log(trusting, r'msg="session ended" .*peer=198\.51\.100\.9')
    with smtp(server, 25) as c:
        assert "XCLIENT" not in c.ok("EHLO peer.example")
        assert c.do("XCLIENT ADDR=198.51.100.9")[0] == 502


def test_etrn(trusting, server):
    with smtp(trusting, 25) as c:
        assert "ETRN" in c.ok("EHLO peer.example")
        assert c.do("ETRN demo.test")[0] == 459  # ours: nothing waits for a host of its
        assert c.do("ETRN elsewhere.example")[0] == 459
        assert c.do("ETRN @demo.test")[0] == 501
    with smtp(server, 25) as c:
        assert c.do("ETRN demo.test")[0] == 459


def test_reload(trusting):
    """Who is trusted changes at once."""
    trusting.configure(trusted='"192.0.2.1"')
    trusting.command("reload", check=True)
    until = time.monotonic() + 20
    while True:
        with smtp(trusting, 25) as c:
            if "XCLIENT" not in c.ok("EHLO peer.example"):
                break
        assert time.monotonic() < until
    trusting.configure(trusted='"127.0.0.1"')
    trusting.command("reload", check=True)
    while True:
        with smtp(trusting, 25) as c:
            if "XCLIENT" in c.ok("EHLO peer.example"):
                break
        assert time.monotonic() < until


@pytest.mark.parametrize("trusted, proxy, word", [
    ("10.0.0.1/8", "", "10.0.0.1/8"), ("localhost", "", "localhost"), ("", "smtp", "needs smtp.trusted"), ("::1", "smtp imap", "imap"),
])
def test_settings(trusting, trusted, proxy, word):
    path = os.path.join(trusting.dir, "other.conf")
    with open(path, "w") as f:
        f.write('data = "/nonexistent"\nlisten {\nsubmissions = {}\nimaps = {}\n}\nsmtp {\ntrusted = "%s"\nproxy = "%s"\n}\n' % (trusted, proxy))
    done = subprocess.run([BIN, "config", "check", "--config", path], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and word in done.stderr, done


# ---- the PROXY protocol ----

def v2(address, port=4097, command=0x21, tlvs=b""):
    block = socket.inet_aton(address) + socket.inet_aton("192.0.2.2") + struct.pack("!HH", port, 25) + tlvs
    return V2 + struct.pack("!BBH", command, 0x11, len(block)) + block


@pytest.fixture(scope="module")
def balanced():
    s = Configured(trusted='"127.0.0.1"', proxy='"smtp submissions"', per_address="3").start()
    s.expect("no PROXY header")
    yield s
    s.stop()


@pytest.mark.parametrize("header", [
    b"PROXY TCP4 198.51.100.9 192.0.2.2 4097 25\r\n", v2("198.51.100.9"), v2("198.51.100.9", tlvs=b"\x01\0\x04smtp\x04\0\x03\0\0\0"),
])
def test_proxy(balanced, header):
    for cut in range(1, len(header) + 1):
        with Peer(balanced, 25) as c:
            c.send(header[:cut])
            c.send(header[cut:])
            assert c.line().startswith(b"220 ")
            c.send(b"QUIT\r\n")
            assert c.line().startswith(b"221 ")
            assert c.rest() == b""


def test_proxy_message(balanced):
    with Smtp(balanced, 25, greeting=False) as c:
        c.send(v2("198.51.100.9"))
        assert c.reply()[0] == 220
        assert "XCLIENT" not in c.ok("EHLO client.example")  # the client is not trusted, the balancer is
        assert c.message("x@elsewhere.example", BOB, message("proxy-1"))[0] == 250
    assert "from client.example ([198.51.100.9]) by" in received(balanced, "proxy-1")


def test_proxy_before_tls(balanced):
    sock = socket.create_connection(("127.0.0.1", balanced.port(465)), 20)
    sock.sendall(v2("198.51.100.77"))
    c = Smtp.__new__(Smtp)
    c.sock, c.buffer = sock, b""
    c.tls()
    assert c.reply()[0] == 220
    c.ok("EHLO client.example")
    assert c.login(ALICE)[0] == 235
    c.close()
    await_log(balanced, r'msg="signed in" .*peer=198\.51\.100\.77')


def test_proxy_is_demanded(balanced):
    for said in (b"EHLO peer.example\r\n", b"PROXY TCP4 1.2.3.4\r\n", b"PROXY TCP9 1.2.3.4 1.2.3.4 1 1\r\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x31\0\0", b"GET / HTTP/1.1\r\n"):
        with Peer(balanced, 25) as c:
            c.send(said)
            assert c.rest() == b""
    with Peer(balanced, 25) as c:  # nobody speaks first
        c.sock.settimeout(1)
        with pytest.raises(socket.timeout):
            c.fill()
        c.sock.settimeout(30)
        assert c.rest() == b""  # and nobody waits for ever
    with Smtp(balanced, 587) as c:  # a listener that is not named has none
        assert c.ok("EHLO peer.example")


def test_proxy_local(balanced):
    """A health check of the balancer's own."""
    with Peer(balanced, 25) as c:
        c.send(V2 + b"\x20\0\0\0")
        assert c.line().startswith(b"220 ")


def test_proxy_limits(balanced):
    """The limit of connections is each client's, not the balancer's."""
    held = []
    for n in range(12):
        c = Peer(balanced, 25)
        c.send(b"PROXY TCP4 203.0.113.%d 192.0.2.2 4097 25\r\n" % (n // 4))
        line = c.line()
        assert line.startswith(b"220 " if n % 4 < 3 else b"421 "), (n, line)
        held.append(c)
    for c in held:
        c.close()


def test_proxy_stranger():
    """Who is not trusted may not say for whom it speaks; a connection from there is dropped."""
    with Configured(trusted='"192.0.2.1"', proxy='"smtp lmtp"') as s:
        s.expect("no trusted proxy")
        for port in (25, 24):
            with Peer(s, port) as c:
                try:
                    c.send(v2("198.51.100.9"))
                except OSError:
                    pass
                assert c.rest() == b""
        with Smtp(s, 587) as c:
            c.ok("EHLO peer.example")
