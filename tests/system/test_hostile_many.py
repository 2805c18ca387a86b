"""Many at once: slow readers, data that is broken off, floods of names and recipients. Small numbers here; tests/bench/door has the large ones. No time is
asserted: a normal user delivers while the flood is on, and memory is bounded. One test per row of docs/hostile.md."""
import os
import re
import socket
import threading

import pytest

from peers import DOMAIN, Closed, Imap, Smtp, rss_kib, smtp
from server import Server
from test_slow import honest

STRANGER = "x@elsewhere.example"
BROKEN = (Closed, ConnectionResetError, BrokenPipeError, TimeoutError)


@pytest.fixture(scope="module")
def server():
    s = Server("--accounts", "20")
    s.expect("sign-in failed|too many")
    s.start()
    yield s
    restarted = [r["role"] for r in s.command("status", json_out=True)["processes"] if r["restarts"]]
    assert not restarted, restarted
    s.stop()


def sizes(server):
    return {r: rss_kib(server.pids(r)[0]) for r in ("smtp", "auth", "queue")}


def assert_no_larger(server, before, kib=30000):
    for role, size in sizes(server).items():
        assert size < before[role] + kib, (role, before[role], size)


def log_lines(server, pattern, since=0):
    return [l for l in server.log_text()[since:].splitlines() if re.search(pattern, l)]


def test_readers_of_nothing(server):
    """Hundreds ask for all the help there is and never read: what waits for them is a socket's buffer, and nobody else notices."""
    before, peers = sizes(server), []
    for _ in range(200):
        c = Smtp(server, 25, receive_buffer=4096)
        c.sock.setblocking(False)
        try:
            for _ in range(900):
                c.send(b"HELP\r\n")
        except BlockingIOError:
            pass
        peers.append(c)
    for n in range(2):
        honest(server, "nothing-read-%d" % n)
    assert_no_larger(server, before, 200 * 200)
    for c in peers:
        c.close()
    honest(server, "nothing-read-after")


def test_data_broken_off(server):
    """Megabytes of DATA, in memory and in a file, and then nothing: all of it is given back, none of it delivered."""
    before = sizes(server)
    spools = os.path.join(server.dir, "data", "queue", "content")
    for n in range(150):
        c = smtp(server, 25)
        c.mail(STRANGER, "bob@" + DOMAIN)
        c.send(b"Subject: broken-off\r\n\r\n" + (b"x" * 998 + b"\r\n") * (100 if n % 2 else 1000))
        if n % 3 == 0:
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # RST
        c.close()
    honest(server, "broken-off-after")
    assert_no_larger(server, before)
    assert not os.path.isdir(spools) or len(os.listdir(spools)) < 20
    with Imap(server, user="bob@" + DOMAIN) as c:
        assert not [b for b in c.bodies() if b"broken-off" in b]


class Flood(threading.Thread):
    """Runs `one` again and again in the background until the block ends."""

    def __init__(self, one):
        super().__init__(daemon=True)
        self.one, self.over, self.rounds, self.error = one, threading.Event(), 0, None

    def run(self):
        while not self.over.is_set():
            try:
                self.one()
            except BROKEN:
                pass
            except Exception as e:
                self.error = e
                return
            self.rounds += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join(60)
        assert self.error is None, self.error
        assert self.rounds > 0


def unknown_names(server, count=1000):
    with smtp(server, 25) as c:
        c.send(b"MAIL FROM:<x@elsewhere.example>\r\n" + b"".join(b"RCPT TO:<%s@demo.test>\r\n" % os.urandom(8).hex().encode() for _ in range(count)) + b"QUIT\r\n")
        codes = [c.reply()[0] for _ in range(count + 2)]
        assert codes == [250] + [550] * count + [221], set(codes)


def test_flood_of_unknown_names(server):
    """A dictionary thrown at us over many connections: each name 550, others deliver meanwhile, and in the log a
    session is some lines that say what was asked for, and one at its end that says how often."""
    seen = len(server.log_text())
    unknown_names(server)
    before = sizes(server)
    with Flood(lambda: unknown_names(server)), Flood(lambda: unknown_names(server)):
        for n in range(3):
            honest(server, "names-%d" % n)
    assert_no_larger(server, before)
    ends = log_lines(server, r'msg="session ended".* rcpts_refused=1000\b', seen)
    assert len(ends) > 2 and all("peer=127.0.0.1" in l and "why=quit" in l for l in ends), server.log_text()[seen:][-2000:]
    assert len(log_lines(server, r'msg="recipient refused" .* rcpt=\w+@demo.test reason=5.1.1', seen)) == 20 * len(ends)
    assert len(log_lines(server, r'msg="more recipients refused', seen)) == len(ends)


def test_flood_of_recipients(server):
    """100,000 recipients for one message: 1,000 are taken, and a session that goes on asking is ended, said so in the log; others deliver meanwhile."""
    seen, before = len(server.log_text()), sizes(server)

    def attempt():
        with smtp(server, 25) as c:
            c.ok("MAIL FROM:<x@elsewhere.example>")
            for _ in range(200):
                c.send(b"RCPT TO:<bob@demo.test>\r\nRCPT TO:<alice@demo.test>\r\n" * 250)
                codes = {c.reply()[0] for _ in range(500)}
                assert codes <= {250, 452, 421}, codes
        raise AssertionError("it was never ended")

    with Flood(attempt):
        for n in range(3):
            honest(server, "recipients-%d" % n)
    assert_no_larger(server, before)
    assert log_lines(server, r'msg="session ended".* why="too many recipients"', seen), server.log_text()[seen:][-2000:]
