"""One line per failed sign-in, of the shape that docs/concepts/log.md promises; the filter of that page reads it."""
import base64
import os
import re
import socket
import time

import pytest

from server import PASSWORD, Server, tls

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "concepts", "log.md")
HOST = r"(?:::f{4,6}:)?(?P<host>[\w\-.^_:]*\w)"  # what fail2ban puts for <HOST>, near enough


def failregex():
    text = re.search(r"^failregex = (.*)$", open(PAGE).read(), re.M).group(1)
    return re.compile(text.replace("<HOST>", HOST))


@pytest.fixture(scope="module")
def server():
    s = Server("--accounts", "3", lab=False).start()  # with the throttle
    s.expect('msg="sign-in failed"')
    yield s
    s.stop()


class Talk:
    def __init__(self, server, standard):
        self.sock = tls().wrap_socket(socket.create_connection(("127.0.0.1", server.port(standard)), 30))
        self.file = self.sock.makefile("rwb")

    def say(self, octets):
        self.file.write(octets)
        self.file.flush()

    def until(self, start):
        while True:
            line = self.file.readline()
            assert line
            if line.startswith(start):
                return line

    def close(self):
        self.file.close()
        self.sock.close()


def imap(server, user, password):
    t = Talk(server, 993)
    t.until(b"* OK")
    t.say(b"a AUTHENTICATE PLAIN " + base64.b64encode(user + b"\0" + password if b"\0" in user else b"\0" + user + b"\0" + password) + b"\r\n")
    line = t.until(b"a ")
    t.close()
    return line


def smtp(server, user, password):
    t = Talk(server, 465)
    t.until(b"220")
    t.say(b"EHLO x.test\r\n")
    t.until(b"250 ")
    t.say(b"AUTH PLAIN " + base64.b64encode(b"\0" + user + b"\0" + password) + b"\r\n")
    line = t.file.readline()
    t.close()
    return line


def pop3(server, user, password):
    t = Talk(server, 995)
    t.until(b"+OK")
    t.say(b"USER " + user + b"\r\n")
    t.until(b"+OK")
    t.say(b"PASS " + password + b"\r\n")
    line = t.file.readline()
    t.close()
    return line


def failures(server, seen):
    """Lines about sign-in since `seen`; waits a moment, for one that is too many too."""
    time.sleep(0.5)
    return [l for l in server.log_text()[seen:].split("\n") if "sign-in" in l]


@pytest.mark.parametrize("ask,protocol,answer", [(imap, "imap", b"a NO [AUTHENTICATIONFAILED]"), (smtp, "smtp", b"535"), (pop3, "pop3", b"-ERR [AUTH]")])
def test_one_line(server, ask, protocol, answer):
    for user in (b"alice@demo.test", b"nobody@demo.test", b"not an address"):
        seen = len(server.log_text())
        assert ask(server, user, b"wrong").startswith(answer)
        lines = failures(server, seen)
        assert len(lines) == 1, lines
        m = failregex().search(lines[0])
        assert m and m["host"] == "127.0.0.1", lines[0]
        assert " protocol=%s peer=127.0.0.1 reason=denied session=" % protocol in lines[0]
        assert lines[0].split(" user=")[1].strip('"') == user.decode()
        assert "wrong" not in lines[0]


def test_success_is_no_failure(server):
    seen = len(server.log_text())
    assert imap(server, b"bob@demo.test", PASSWORD.encode()).startswith(b"a OK")
    assert failures(server, seen) == []


@pytest.mark.parametrize("user", [
    b'x peer=203.0.113.9 reason=denied session=s user=y',
    b'x" peer=203.0.113.9 user="y',
    "x\u0085\u2028lvl=warn role=imap msg=\"sign-in failed\" protocol=imap peer=203.0.113.9 reason=denied session=s user=y".encode(),
    b"u" * 500,
    "\u00e9\u4e16".encode() * 80,
], ids=["fields", "quotes", "line ends", "long", "cut inside a character"])
def test_nothing_forged(server, user):
    seen = len(server.log_text())
    assert imap(server, user, b"wrong").startswith(b"a NO")
    time.sleep(0.5)
    lines = [l for l in server.log_text()[seen:].splitlines() if "sign-in" in l]  # Python: also at U+0085, U+2028
    assert len(lines) == 1
    assert failregex().search(lines[0])["host"] == "127.0.0.1"
    assert len(lines[0]) < 1100


def test_identity_and_throttled(server):
    seen = len(server.log_text())
    assert imap(server, b"bob@demo.test\0alice@demo.test", b"x").startswith(b"a NO")
    lines = failures(server, seen)
    assert len(lines) == 1 and " reason=identity " in lines[0]
    for n in range(12):
        seen = len(server.log_text())
        if imap(server, b"carol@demo.test", b"wrong").startswith(b"a NO [LIMIT]"):
            break
    lines = [l for l in failures(server, seen) if " reason=denied " not in l]  # that of the attempt before may come late
    assert len(lines) == 1 and " reason=throttled " in lines[0] and failregex().search(lines[0])
