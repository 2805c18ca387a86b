"""COMPRESS=DEFLATE (RFC 4978) where octets, and not lines, matter: pieces, pipelines, the stream's ends, bombs, damage, memory."""
import os
import random
import ssl
import zlib

import pytest

from imap_driver import Connection
from test_imap import OUTSIDE, Server, certificate  # noqa: F401 (a fixture)

pytestmark = pytest.mark.skipif(bool(OUTSIDE), reason="settings of our own")


def begin(s, tls=False, user=b"user1"):
    c = Connection("127.0.0.1", s.port)
    c.line()
    if tls:
        c.send(b"t STARTTLS\r\n")
        assert c.line().startswith(b"t OK")
        c.tls()
    c.send(b"a LOGIN %s secret\r\n" % user)
    assert b"COMPRESS=DEFLATE" in c.line()
    c.send(b"a COMPRESS DEFLATE\r\n")
    assert c.line().startswith(b"a OK")
    c.compress()
    return c


def raw(c, octets, flush=zlib.Z_SYNC_FLUSH):
    return c.deflate.compress(octets) + c.deflate.flush(flush)


@pytest.fixture
def server(tmp_path):
    s = Server(tmp_path, LAB="1")
    yield s
    s.stop()


def test_clear_needs_lab(tmp_path, certificate):  # noqa: F811
    """Without TLS it is neither offered nor done, except in the lab; under TLS it is."""
    s = Server(tmp_path, *certificate)
    c = begin(s, tls=True)
    c.send(b"b NOOP\r\n")
    assert c.line().startswith(b"b OK")
    c.send(b"b LOGOUT\r\n")
    assert c.line().startswith(b"* BYE") and c.line().startswith(b"b OK")
    assert c.closed()
    s.stop()


def test_octet_by_octet(server):
    c = begin(server)
    for octet in raw(c, b"b NOOP\r\nc CREATE {3+}\r\nabc\r\nd NOOP\r\n"):
        c.sock.sendall(bytes([octet]))
    assert [c.line()[:4] for _ in range(3)] == [b"b OK", b"c OK", b"d OK"]


def test_block_goes_on(server):
    """A client need not flush on an octet: what it leaves open is kept over any number of waits."""
    c = begin(server)
    stream = b""
    for n in range(300):
        stream += raw(c, b"t%d NOOP\r\n" % n, zlib.Z_PARTIAL_FLUSH if n % 3 else zlib.Z_SYNC_FLUSH)
    stream += raw(c, b"end NOOP\r\n")
    random.seed(1)
    at, got = 0, 0
    while at < len(stream):
        n = random.choice([1, 2, 7, 50, 400])
        c.sock.sendall(stream[at:at + n])
        at += n
    while True:
        line = c.line()
        if line.startswith(b"end"):
            break
        assert line.startswith(b"t%d OK" % got)
        got += 1
    assert got == 300


def test_history(server):
    """What was said long ago is referred to across turns of different threads, up to 32 KiB back."""
    c = begin(server)
    words = [bytes(random.Random(n).choices(b"abcdefghijklmnop", k=200)) for n in range(150)]
    for n in range(600):
        word = words[n % 150]
        c.send(b"t LIST \"\" %s\r\n" % word)
        assert c.line().startswith(b"t OK")


def test_pipeline(server):
    """Many commands in one piece, far over 8 KiB before and behind the coder (case 45)."""
    c = begin(server)
    c.sock.sendall(raw(c, b"".join(b"t%d NOOP\r\n" % n for n in range(5000))))
    for n in range(5000):
        assert c.line().startswith(b"t%d OK" % n)
    c.send(b"x LIST \"\" \"%s\"\r\n" % (b"%" * 30000))
    assert c.line().startswith(b"x ") or c.line().startswith(b"* LIST")


def test_large_both_ways(server):
    c = begin(server)
    message = b"Subject: m\r\n\r\n" + bytes(random.Random(7).choices(b"abc \r\n"[:4], k=1500000)) + b"\r\n"
    c.send(b"b APPEND INBOX {%d+}\r\n" % len(message) + message + b"\r\n")
    assert c.line().startswith(b"b OK")
    c.send(b"b SELECT INBOX\r\nc FETCH 1 BODY.PEEK[]\r\n")
    while not c.line().startswith(b"b "):
        pass
    assert c.line().endswith(b"{%d}" % len(message))
    while len(c.buffer) < len(message):
        c.buffer += c.receive()
    assert c.buffer[:len(message)] == message
    c.buffer = c.buffer[len(message):]
    assert c.line() == b")" and c.line().startswith(b"c OK")


def test_clear_text_behind_the_command(server):
    """What came before the OK was not compressed; it is not read as if it were, nor in clear."""
    c = Connection("127.0.0.1", server.port)
    c.line()
    c.send(b"a LOGIN user1 secret\r\n")
    c.line()
    c.send(b"a COMPRESS DEFLATE\r\nb NOOP\r\n")
    assert c.line().startswith(b"a OK")
    assert c.closed()


@pytest.mark.parametrize("octets", [b"b NOOP\r\n" * 10, b"\xff" * 100, b"\x06" * 100, b"\x78\x9c" * 50, os.urandom(3000)])
def test_damage(server, octets):
    c = begin(server)
    c.sock.sendall(octets)
    try:
        while c.sock.recv(65536):
            pass
    except ConnectionResetError:
        pass
    other = begin(server)
    other.send(b"b NOOP\r\n")
    assert other.line().startswith(b"b OK")


def test_end_of_stream(server):
    """The client's last block ends the connection; what it said before is done."""
    c = begin(server)
    c.sock.sendall(raw(c, b"b CREATE last\r\n", zlib.Z_FINISH))
    assert c.line().startswith(b"b OK")
    assert c.receive() == b""


def test_bomb_line(server):
    """100 MB of one line are 100 KB on the wire: refused as any long line, and the session goes on."""
    c = begin(server)
    for _ in range(100):
        c.sock.sendall(c.deflate.compress(b" " * 1000000))
    c.send(b"\r\nb NOOP\r\n")
    assert c.line().startswith(b"* BAD")
    assert c.line().startswith(b"b OK")


def test_bomb_literals(server):
    c = begin(server)
    c.send(b"b APPEND INBOX {100000000+}\r\n")
    for _ in range(100):
        c.sock.sendall(c.deflate.compress(b"\0" * 1000000))
    c.send(b"\r\n")
    assert c.line().startswith(b"b NO [TOOBIG]")
    c.send(b"b LIST \"\" {300000+}\r\n" + b" " * 300000 + b"\r\n")
    assert c.line().startswith(b"b BAD")
    c.send(b"b NOOP\r\n")
    assert c.line().startswith(b"b OK")


def test_memory_counts(tmp_path):
    """What idle compressed connections keep counts; all of it is given back (the server checks that at its end)."""
    s = Server(tmp_path, LAB="1", MEMORY=str(4 << 20))
    idle = [begin(s) for _ in range(20)]
    for c in idle:
        c.send(b"b LIST \"\" %s\r\n" % bytes(random.Random(3).choices(b"abcdefghijklmnop", k=40000)))
        assert c.line().startswith(b"b ")
    for c in idle[:10]:
        c.send(b"b NOOP\r\n")
        assert c.line().startswith(b"b OK")
        c.close()
    # Half a block: the coder itself is kept.
    for c in idle[10:]:
        c.sock.sendall(raw(c, b"b NOOP\r\nc NO", zlib.Z_PARTIAL_FLUSH))
        assert c.line().startswith(b"b OK")
    s.stop()
