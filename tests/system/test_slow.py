"""Slow and many: what strangers do by not doing. No time is asserted; the order is: an honest client is through while all slow ones are still at it."""
import os
import resource
import select
import socket
import ssl
import time

import pytest

import server as server_module
from peers import DOMAIN, Imap, Peer, Smtp, rss_kib, smtp
from server import Server

READERS, WRITERS, IDLE = 200, 40, 2000
BIG = b"From: <alice@demo.test>\r\nSubject: big\r\n\r\n" + (b"0123456789abcdef" * 63 + b"\r\n") * 25000  # 25 MB


@pytest.fixture(scope="module", autouse=True)
def descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def honest(server, mark):
    """Twenty things that a normal user does, in two sessions, TLS and all."""
    with Imap(server, 993, user="erin@" + DOMAIN) as c:
        c.ok("SELECT INBOX")
        for n in range(5):
            c.ok("NOOP")
            assert c.append(b"Subject: own-%s-%d\r\n\r\nx\r\n" % (mark.encode(), n))[0].startswith(b"OK")
            c.ok("FETCH * (FLAGS BODY.PEEK[])")
        with smtp(server, 465, user="frank@" + DOMAIN) as m:
            for n in range(3):
                subject = "%s-%d" % (mark, n)
                assert m.message("frank@" + DOMAIN, "erin@" + DOMAIN, b"From: <frank@demo.test>\r\nSubject: %s\r\n\r\nx\r\n" % subject.encode())[0] == 250
                c.wait_for(subject)
        c.ok("STATUS INBOX (MESSAGES UNSEEN)")
        c.ok("SEARCH UNSEEN")


def slowly(peers):
    """One KiB of what waits for each; how many octets each has had in all is kept in `had`."""
    for p in peers:
        p.sock.setblocking(False)
        try:
            got = p.sock.recv(1024)
            assert got, "a slow reader was cut off"
            p.had += len(got)
        except (BlockingIOError, ssl.SSLWantReadError):
            pass


@pytest.mark.parametrize("port", [143, 993])
def test_slow_readers(server, port):
    """Hundreds read 25 MB at a trickle: nobody else notices, and the memory is that of buffers, not of messages."""
    pid = server.pids("imap")[0]
    with Imap(server, user="alice@" + DOMAIN) as c:
        c.do("CREATE big")
        if c.exists("big") == 0:
            assert c.append(BIG, "big")[0].startswith(b"OK")
    before = rss_kib(pid)
    peers = []
    for _ in range(READERS if port == 143 else READERS // 4):
        p = Imap(server, port, user="alice@" + DOMAIN, receive_buffer=4096)
        p.ok("EXAMINE big")
        p.start("FETCH 1 BODY.PEEK[]")
        p.had = 0
        peers.append(p)
    for p in peers:
        p.sock.settimeout(20)
        p.had += len(p.sock.recv(1))  # it has begun
    for n in range(3):
        honest(server, "reader%d-%d" % (port, n))
        slowly(peers)
    for p in peers:
        assert 1 <= p.had < 10000
    assert rss_kib(pid) < before + len(peers) * 600, "an own stack and buffers each, not the message"
    for p in peers:
        p.close()
    honest(server, "afterwards%d" % port)


def test_slow_writers(server):
    """Octet by octet in a command, in DATA, in a literal, and in the handshake."""
    peers = []
    for n in range(WRITERS):
        a, b, c, d = Smtp(server, 25), smtp(server, 25), Imap(server, user="alice@" + DOMAIN), Peer(server, 465)
        b.mail("x@elsewhere.example", "bob@" + DOMAIN)
        c.send(b"x APPEND INBOX {1000000}\r\n")
        assert c.line().startswith(b"+")
        peers += [(a, b"EHLO a-very-long-name.example"), (b, b"Subject: slow"), (c, b"Subject: slow"), (d, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")]
    for step in range(6):
        for p, octets in peers:
            p.send(octets[step:step + 1])
        honest(server, "writer-%d" % step)
    for p, _ in peers:  # all of them are still welcome
        p.sock.setblocking(False)
        try:
            assert p.sock.recv(1) != b"", "a slow writer was cut off"
        except BlockingIOError:
            pass
        p.close()


def test_idle_connections(server):
    """Two thousand that say nothing, before and after sign-in, and idling for news."""
    pids = {r: server.pids(r)[0] for r in ("imap", "smtp")}
    before = {r: rss_kib(pid) for r, pid in pids.items()}
    peers = [Peer(server, 25 if n % 2 else 143) for n in range(IDLE - 200)]
    for n in range(200):
        p = Imap(server, user="alice@" + DOMAIN)
        p.ok("SELECT INBOX")
        p.start("IDLE")
        assert p.line().startswith(b"+")
        peers.append(p)
    honest(server, "idle")
    for r, pid in pids.items():
        assert rss_kib(pid) < before[r] + IDLE * 60, r
    for p in peers[:-200]:
        assert p.line()
    with smtp(server, 25) as m:
        assert m.message("x@elsewhere.example", "alice@" + DOMAIN, b"Subject: wake\r\n\r\nx\r\n")[0] == 250
    for p in peers[-200:]:
        assert p.line().endswith(b" EXISTS")
    for p in peers:
        p.close()
    honest(server, "after-idle")


def test_aborted_connections(server):
    """Thousands that come and go, in the middle of everything."""
    fds = {pid: len(os.listdir("/proc/%d/fd" % pid)) for pid in server.pids("smtp") + server.pids("imap")}
    pieces = [b"", b"EHLO", b"EHLO x\r\n", b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<bob@demo.test>\r\nDATA\r\n", b"EHLO x\r\nSTARTTLS\r\n", b"a LOGIN {100}\r\nabc",
              b"a LOGIN alice@demo.test secret-pw\r\nb SELECT INBOX\r\nc IDLE\r\n", b"a LOGIN alice@demo.test secret-pw\r\nb APPEND INBOX {1000+}\r\nabc", b"\x16\x03\x01"]
    for n in range(2000):
        s = socket.create_connection(("127.0.0.1", server.port((25, 587, 465, 143, 993)[n % 5])))
        s.sendall(pieces[n % len(pieces)])
        if n % 3 == 0:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # RST
        s.close()
    honest(server, "aborted")
    until = time.monotonic() + 30
    for pid, n in fds.items():
        while len(os.listdir("/proc/%d/fd" % pid)) > n + 10:
            assert time.monotonic() < until, "descriptors are left open"
            time.sleep(0.05)


def test_silent_dns():
    """A resolver that never answers holds up mail that needs it, and nothing else."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        with Server("--dns", "127.0.0.1@%d" % silent.getsockname()[1]) as server:
            server.expect("dns|timeout|expired")
            with smtp(server, 465, user="alice@" + DOMAIN) as m:
                for n in range(100):
                    got = m.message("alice@" + DOMAIN, "x@domain%d.example" % n, b"From: <alice@demo.test>\r\nSubject: out\r\n\r\nx\r\n")
                    assert got[0] == 250, got
            honest(server, "dns")
            until = time.monotonic() + 10  # an entry goes a moment after its message was seen
            while len(server.command("queue", "list", json_out=True)["messages"]) > 100 and time.monotonic() < until:
                time.sleep(0.05)
            assert len(server.command("queue", "list", json_out=True)["messages"]) == 100


def test_no_descriptors(tmp_path, monkeypatch):
    """With none left it neither dies nor spins: it takes new ones when others leave."""
    limited = tmp_path / "postrider"
    limited.write_text('#!/bin/sh\nulimit -n 256\nexec "%s" "$@"\n' % os.path.abspath(server_module.BIN))
    limited.chmod(0o755)
    monkeypatch.setattr(server_module, "BIN", str(limited))
    with Server() as server:
        server.expect("descriptor|accept")
        pid = server.pids("smtp")[0]
        peers = [socket.create_connection(("127.0.0.1", server.port(25))) for _ in range(400)]
        greeted = set()
        while len(greeted) < 150:  # those that it could take
            greeted |= set(select.select([p for p in peers if p not in greeted], [], [], 20)[0])
        cpu = cpu_ticks(pid)
        with Imap(server, 993, user="erin@" + DOMAIN) as c:
            for _ in range(200):
                c.ok("NOOP")
        select.select([], [], [], 0.5)
        assert cpu_ticks(pid) - cpu < 40, "accept spins"
        late = [p for p in peers if p not in greeted]
        assert len(late) > 100
        for p in greeted:
            p.close()
        for p in late:
            p.settimeout(20)
            assert p.recv(1) == b"2"
            p.close()
        honest(server, "descriptors")


def cpu_ticks(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def test_per_address_limit():
    """Not exempt as in a laboratory: one address has its share and the others theirs."""
    with Server(lab=False) as server:
        server.expect("refused|too many")
        peers = [Peer(server, 25) for _ in range(250)]
        first = [p.line() for p in peers]
        assert [l[:3] for l in first] == [b"220"] * 200 + [b"421"] * 50
        for p in peers:
            p.close()
        other = socket.create_connection(("127.0.0.1", server.port(25)), source_address=("127.0.0.9", 0))
        assert other.recv(3) == b"220"
        other.close()
        honest(server, "address")
