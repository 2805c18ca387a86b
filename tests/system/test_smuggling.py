"""End of data, and STARTTLS, as an attacker splits and mixes them: against the running server.

SMTP smuggling (CVE-2023-51764/5/6): whatever some server takes for the end of DATA, here only CRLF.CRLF is. STARTTLS command injection
(Poddebniak and others, USENIX Security 2021): nothing that came in clear counts after it.

POSTRIDER_FULL=1: split at every octet, not only around the sequence.
"""
import contextlib
import os
import signal
import ssl
import subprocess
import sys
import time

import pytest

from peers import DOMAIN, Closed, Imap, Peer, Smtp, smtp
from server import BIN, PASSWORD, Server

FULL = bool(os.environ.get("POSTRIDER_FULL"))
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")
BATCH = 60

BARE = [b"\n.\n", b"\n.\r", b"\r.\n", b"\r.\r", b"\n.\r\n", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n",
        b"\n\r.\r\n", b"\n\n.\n\n", b"\r\n.\n\r\n"]
NUL = [b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\0.\0"]
LEGAL = [b"\r\n.\v\r\n", b"\r\n. \r\n", b"\r\n.\x85\r\n", b"\r\n..\r\n"]
LISTENERS = {"relay": (25, False), "relay-tls": (25, True), "submission": (587, False), "submission-tls": (587, True),
             "submissions": (465, True)}


# ---- end of data ----

class Attack:
    """One message with a false end inside, and commands behind it."""

    def __init__(self, listener, end, number):
        self.port, self.secure = LISTENERS[listener]
        self.user = None if self.port == 25 else "alice@" + DOMAIN
        self.sender = self.user or "out@elsewhere.example"
        self.end, self.subject = end, "%s-%d" % (listener, number)
        head = b"From: <%s>\r\nSubject: %s\r\n\r\nfirst" % (self.sender.encode(), self.subject.encode())
        smuggled = (b"MAIL FROM:<%s>\r\nRCPT TO:<carol@demo.test>\r\nDATA\r\nFrom: <%s>\r\nSubject: smuggled\r\n\r\nx\r\n.\r\n"
                    % (self.sender.encode(), self.sender.encode()))
        self.octets = head + end + smuggled
        self.places = range(1, len(self.octets)) if FULL else range(len(head) - 1, len(head) + len(end) + 2)

    def open(self, server):
        c = smtp(server, self.port, self.secure, self.user)
        c.mail(self.sender, "bob@" + DOMAIN)
        return c


def codes_to_end(c):
    """The reply to the data, and what comes after QUIT."""
    codes = [c.reply()[0]]
    with contextlib.suppress(Closed, ConnectionResetError, BrokenPipeError, ssl.SSLError):
        c.send(b"QUIT\r\n")
        while codes[-1] not in (221, 421):
            codes.append(c.reply()[0])
    c.close()
    return codes


def play(server, listener, ends):
    """Every end at every split, many sessions at once. [(attack, place, codes)]"""
    attacks = [Attack(listener, end, n) for n, end in enumerate(ends)]
    jobs = [(a, place) for a in attacks for place in a.places]
    done = []
    for at in range(0, len(jobs), BATCH):
        batch = [(a, place, a.open(server)) for a, place in jobs[at:at + BATCH]]
        for a, place, c in batch:
            c.send(a.octets[:place])
        for a, place, c in batch:
            c.send(a.octets[place:])
        done += [(a, place, codes_to_end(c)) for a, place, c in batch]
    return done


def assert_canonical(octets):
    assert b"\0" not in octets
    assert octets.replace(b"\r\n", b"").count(b"\r") == 0, octets
    assert octets.replace(b"\r\n", b"").count(b"\n") == 0, octets


def assert_arrived(server, expected):
    """Bob has exactly these subjects (a dict of counts), all canonical; nothing was smuggled to Carol."""
    with Imap(server, 993, user="bob@" + DOMAIN) as bob, Imap(server, 993, user="carol@" + DOMAIN) as carol:
        total = sum(expected.values())
        bob.ok("SELECT INBOX")
        for subject in expected:
            bob.wait_for(subject)
        seen = {}
        while sum(seen.get(s, 0) for s in expected) < total:
            seen = {}
            for octets in bob.bodies():
                assert_canonical(octets)
                subject = [l for l in octets.split(b"\r\n") if l.startswith(b"Subject: ")][0][9:].decode()
                seen[subject] = seen.get(subject, 0) + 1
                assert octets.count(b"\r\n\r\n") >= 1
        assert {s: seen.get(s, 0) for s in expected} == expected
        assert not [s for s in seen if s.startswith("smuggled")]
        assert carol.bodies() == []


@pytest.mark.parametrize("listener", LISTENERS)
def test_end_of_data(server, listener):
    expected = {}
    for attack, place, codes in play(server, listener, BARE + NUL + LEGAL):
        legal = attack.end in LEGAL
        assert codes == ([250, 221] if legal else [554, 221]), (attack.end, place, codes)
        if legal:
            expected[attack.subject] = expected.get(attack.subject, 0) + 1
    assert_arrived(server, expected)


@pytest.mark.parametrize("listener", ["relay", "submission-tls"])
def test_end_of_data_in_octets(server, listener):
    """Each octet in a segment or record of its own."""
    for end in BARE + NUL:
        attack = Attack(listener, end, 900)
        c = attack.open(server)
        for i in range(len(attack.octets)):
            c.send(attack.octets[i:i + 1])
        assert codes_to_end(c) == [554, 221], end


class Normalising(Server):
    """`serve` on the demo's data, with bare line ends made CRLF; not --lab, as on a real host."""

    def start(self, timeout=60):
        super().start(timeout)
        self.stop_process()
        path = os.path.join(self.dir, "data", "postrider.conf")
        with open(path) as f:
            text = f.read()
        assert "normalise_bare_eol = false" in text
        with open(path, "w") as f:
            f.write(text.replace("normalise_bare_eol = false", "normalise_bare_eol = true"))
        self.process = subprocess.Popen([BIN, "serve", "--config", path], stderr=self.log, stdout=self.log)
        until = time.monotonic() + timeout
        while self.command("status").returncode != 0:
            assert self.process.poll() is None and time.monotonic() < until, self.log_text()
            time.sleep(0.05)
        return self

    def stop_process(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0


def test_normalised():
    """Repaired before anything looks at it: exactly one message, only CRLF in it, and the false end is content."""
    with Normalising(lab=False) as server:
        expected = {}
        for listener in ("relay", "relay-tls"):
            for attack, place, codes in play(server, listener, BARE + NUL + LEGAL):
                assert codes == ([554, 221] if attack.end in NUL else [250, 221]), (attack.end, place, codes)
                if attack.end not in NUL:
                    expected[attack.subject] = expected.get(attack.subject, 0) + 1
        assert_arrived(server, expected)


# ---- STARTTLS ----

@pytest.fixture(scope="module")
def strict():
    """As on a real host: no password in clear."""
    s = Server(lab=False).start()
    yield s
    s.stop()


def handshake_fails(c):
    """True: the server neither answered the tail in clear nor did the handshake."""
    try:
        c.tls()
    except (OSError, ssl.SSLError, AssertionError):
        return True
    return c.rest() == b""


SMTP_TAILS = [b"NOOP\r\n", b"NOO", b"\r\n", b"EHLO evil.example\r\n", b"RSET\r\nMAIL FROM:<alice@demo.test>\r\nRCPT TO:<bob@demo.test>\r\n",
              b"AUTH PLAIN AGFsaWNlQGRlbW8udGVzdABzZWNyZXQtcHc=\r\n"]


@pytest.mark.parametrize("port", [25, 587])
@pytest.mark.parametrize("tail", SMTP_TAILS)
def test_smtp_injection(strict, port, tail):
    """In the same segment: refused in clear and closed. In pieces: what is there before the handshake ends it."""
    with smtp(strict, port) as c:
        c.send(b"STARTTLS\r\n" + tail)
        assert c.reply()[0] in (554, 421)
        assert c.rest() == b""
    for group in (b"NOOP\r\nSTARTTLS\r\n", b"RSET\r\nNOOP\r\nSTARTTLS\r\n"):
        with smtp(strict, port) as c:
            c.send(group + tail)
            for _ in range(group.count(b"\r\n") - 1):
                assert c.reply()[0] == 250
            assert c.reply()[0] == 554
            assert c.rest() == b""
    with smtp(strict, port) as c:
        for octet in b"STARTTLS\r\n":
            c.send(bytes([octet]))
        assert c.reply()[0] == 220
        c.send(tail)  # in clear, where the handshake is due
        assert handshake_fails(c)


def test_smtp_state_is_forgotten(strict):
    with smtp(strict, 25) as c:
        c.ok("MAIL FROM:<x@elsewhere.example>")
        assert c.do("STARTTLS")[0] == 503  # in a transaction
        c.ok("RCPT TO:<bob@demo.test>")
        assert c.do("STARTTLS")[0] == 503
        c.ok("RSET")
        assert c.do("STARTTLS now")[0] == 501
        c.starttls()
        assert c.do("MAIL FROM:<x@elsewhere.example>")[0] == 503  # EHLO is forgotten
        assert c.do("RCPT TO:<bob@demo.test>")[0] == 503
        assert c.do("STARTTLS")[0] == 503
        again = c.ok("EHLO peer.example")
        assert "STARTTLS" not in again
        assert c.do("STARTTLS")[0] == 503
        c.ok("QUIT", 221)


def test_smtp_no_password_in_clear(strict):
    with Smtp(strict, 587) as c:
        assert "AUTH" not in c.ok("EHLO peer.example") and "STARTTLS" in c.ok("EHLO peer.example")
        assert c.login("alice@demo.test")[0] == 538
        assert c.do("AUTH LOGIN")[0] == 538
        assert c.do("AUTH NONSENSE")[0] == 538
        assert c.do("MAIL FROM:<alice@demo.test>")[0] == 530
        c.starttls()
        assert " PLAIN LOGIN " in c.ok("EHLO peer.example")
        assert c.login("alice@demo.test")[0] == 235
        assert c.do("STARTTLS")[0] == 503
        assert c.login("alice@demo.test")[0] == 503
    with smtp(strict, 25) as c:
        assert c.starttls().ok("EHLO peer.example").find("AUTH") < 0
        assert c.login("alice@demo.test")[0] == 502


@pytest.mark.parametrize("line", ["GET / HTTP/1.1", "POST / HTTP/1.1", "HEAD / HTTP/1.0", "OPTIONS * HTTP/1.1", "PUT /x HTTP/1.1",
                                  "DELETE /x HTTP/1.1", "CONNECT a:1 HTTP/1.1"])
def test_http(strict, line):
    """Cross-protocol (ALPACA): the first line ends it, nothing of the request is echoed or run."""
    request = line.encode() + b"\r\nHost: evil-marker\r\n\r\nEHLO evil\r\nNOOP\r\na NOOP\r\na LOGIN alice x\r\n"
    for port in (25, 587, 465, 143, 993, 110, 995):
        with Peer(strict, port, implicit=port in (465, 993, 995)) as c:
            c.line()
            c.send(request)
            answer = c.rest()
            assert b"evil" not in answer and line.split()[0].encode() not in answer, answer
            assert b"250" not in answer and b"+OK" not in answer and b"a OK" not in answer and b"a NO" not in answer, (port, answer)


def test_no_echo(strict):
    """An answer never holds the peer's own octets: it would be a reflected request for somebody else's parser."""
    marker = b"EvIlMaRkEr"
    with Smtp(strict, 25) as c:
        for line in (marker, b"EHLO " + marker + b"\xff", b"EHLO " + marker, b"MAIL FROM:<" + marker + b">", b"MAIL FROM:<a@" + marker + b"> X=" + marker,
                     b"VRFY " + marker, b"HELP " + marker, b"NOOP " + marker, b"RCPT TO:<" + marker + b"@nowhere.test>", b"AUTH " + marker):
            assert marker.decode() not in c.do(line)[1], line
    with Imap(strict, 143) as c:
        for line in (marker, b"LOGIN " + marker + b" x", b"AUTHENTICATE " + marker, b"SELECT " + marker, b"ID (\"name\" \"" + marker + b"\")"):
            c.start(line)
            assert marker not in c.line(), line


IMAP_TAILS = [b"b NOOP\r\n", b"b NOO", b"b LOGIN alice@demo.test secret-pw\r\n", b"b LOGIN {5}\r\n", b"b ID (\"x\" {3+}\r\nabc)\r\n", b"\r\n"]


@pytest.mark.parametrize("tail", IMAP_TAILS)
def test_imap_injection(strict, tail):
    """Whatever is there in clear behind the command ends the connection; the tail is never answered, neither in clear nor in TLS."""
    for group in (b"", b"x NOOP\r\n", b"x CAPABILITY\r\ny NOOP\r\n", b"x LOGIN {3+}\r\nabc {1+}\r\nd\r\n"):
        with Imap(strict, 143) as c:
            c.send(group + b"a STARTTLS\r\n" + tail)
            while not c.line().startswith(b"a OK"):
                pass
            assert handshake_fails(c)
    with Imap(strict, 143) as c:
        for octet in b"a STARTTLS\r\n":
            c.send(bytes([octet]))
        assert c.line().startswith(b"a OK")
        c.send(tail)
        assert handshake_fails(c)


def test_imap_state_is_forgotten(strict):
    with Imap(strict, 143) as c:
        assert b"LOGINDISABLED" in c.greeting and b"STARTTLS" in c.greeting and b"AUTH=" not in c.greeting
        assert c.do("LOGIN alice@demo.test " + PASSWORD)[0].startswith(b"NO [PRIVACYREQUIRED]")
        assert c.do("AUTHENTICATE PLAIN")[0].startswith(b"NO [PRIVACYREQUIRED]")
        assert c.do("STARTTLS now")[0].startswith(b"BAD")
        c.ok("ID NIL")
        c.ok("STARTTLS")
        c.tls()
        capability = c.ok("CAPABILITY")[0]
        assert b"AUTH=PLAIN" in capability and b"STARTTLS" not in capability and b"LOGINDISABLED" not in capability
        assert c.do("STARTTLS")[0].startswith(b"BAD")
        c.ok('LOGIN "alice@demo.test" "%s"' % PASSWORD)
        assert not c.do("STARTTLS")[0].startswith(b"OK")
        assert not c.do('LOGIN "bob@demo.test" "%s"' % PASSWORD)[0].startswith(b"OK")


def test_imap_starttls_after_literal(strict):
    """A command cut at a literal is no place for STARTTLS: the octets are the literal's."""
    with Imap(strict, 143) as c:
        c.send(b"a LOGIN {12}\r\n")
        assert c.line().startswith(b"+")
        c.send(b"b STARTTLS\r\n x\r\n")
        assert c.line().startswith((b"a NO", b"a BAD"))
        c.ok("STARTTLS")
        c.tls()
        c.ok("NOOP")


# ---- the transcripts of tests/golden, against the whole system ----

def golden(server, program, *words, **environment):
    done = subprocess.run([sys.executable, *words, os.path.join(GOLDEN, program)] if words else [sys.executable, os.path.join(GOLDEN, program)],
                          env={**os.environ, **environment}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_smtp_transcripts(server, strict):
    for s in (server, strict):
        server.expect("sign-in failed|sender refused")
        s.expect("sign-in failed|sender refused")
        golden(s, "run_smtp.py", POSTRIDER_SMTP="127.0.0.1:%d" % s.port(25), POSTRIDER_SUBMISSION="127.0.0.1:%d" % s.port(587),
               POSTRIDER_LMTP="127.0.0.1:%d" % s.port(24),
               POSTRIDER_PASSWORD=PASSWORD)


def test_imap_transcripts(server):
    server.expect("sign-in failed")
    golden(server, "test_imap.py", "-m", "pytest", "-q", "-p", "no:cacheprovider", POSTRIDER_IMAP="127.0.0.1:%d" % server.port(143),
           POSTRIDER_IMAP_USER="dave@demo.test", POSTRIDER_IMAP_PASSWORD=PASSWORD)
