"""POP3 against the real processes, by Python's poplib, and beside IMAP and delivery."""
import imaplib
import os
import poplib
import re
import signal
import smtplib
import threading
import time

import pytest

from peers import Imap, Peer
from server import PASSWORD, Server, tls, until

DOMAIN = "demo.test"


@pytest.fixture(scope="module")
def server():
    s = Server("--accounts", "8").start()
    yield s
    s.stop()


def deliver(server, user, *texts):
    with smtplib.SMTP("127.0.0.1", server.port(25)) as c:
        for text in texts:
            c.sendmail("x@far.example", [f"{user}@{DOMAIN}"], f"From: x@far.example\r\nTo: {user}\r\nSubject: {text}\r\n\r\n.{text}\r\n.\r\n")


def pop3(server, user, password=PASSWORD, ssl=True):
    p = poplib.POP3_SSL("127.0.0.1", server.port(995), context=tls(), timeout=30) if ssl else poplib.POP3("127.0.0.1", server.port(110), timeout=30)
    if not ssl:
        p.stls(context=tls())
    p.user(f"{user}@{DOMAIN}")
    p.pass_(password)
    return p


def wait_count(server, user, n):
    def there():
        p = pop3(server, user)
        count = p.stat()[0]
        p.quit()
        return count == n
    until(there, f"{n} messages of {user}")


@pytest.mark.parametrize("ssl", [True, False])
def test_session(server, ssl):
    user = "carol" if ssl else "dave"
    deliver(server, user, "one", "two", "three")
    wait_count(server, user, 3)
    p = pop3(server, user, ssl=ssl)
    capabilities = p.capa()
    assert capabilities["EXPIRE"] == ["NEVER"] and "STLS" not in capabilities and "IMPLEMENTATION" in capabilities
    sizes = {int(l.split()[0]): int(l.split()[1]) for l in p.list()[1]}
    identities = p.uidl()[1]
    assert len({i.split()[1] for i in identities}) == 3 and all(re.fullmatch(rb"\d [0-9a-f]{16}", i) for i in identities)
    assert p.stat() == (3, sum(sizes.values()))
    subjects = []
    for n in sizes:
        lines = p.retr(n)[1]
        assert len(b"\r\n".join(lines)) + 2 == sizes[n]
        head = p.top(n, 0)[1]
        assert lines[:len(head)] == head and head[-1] == b""
        subjects.append(next(l for l in head if l.startswith(b"Subject:"))[9:])
    assert subjects == [b"one", b"two", b"three"]
    assert lines[-2:] == [b".three", b"."]
    p.dele(2)
    with pytest.raises(poplib.error_proto):
        p.retr(2)
    p.quit()
    p = pop3(server, user, ssl=ssl)
    assert p.uidl()[1] == [b"1 " + identities[0][2:], b"2 " + identities[2][2:]]
    p.quit()


def test_durable_at_quit(server):
    """+OK of QUIT means that it is on disk: the process is killed right behind it."""
    deliver(server, "erin", "one", "two")
    wait_count(server, "erin", 2)
    rows = server.command("status", json_out=True)
    server.expect("imap")
    p = pop3(server, "erin")
    p.dele(1)
    p.quit()
    os.kill(next(r["pid"] for r in rows["processes"] if r["role"] == "imap"), signal.SIGKILL)

    def again():
        try:
            p = pop3(server, "erin")
        except (OSError, poplib.error_proto):
            return None
        n = p.stat()[0]
        p.quit()
        return n
    assert until(again, "imap is back") == 1


def test_beside_imap_and_delivery(server):
    """Sessions of both protocols and deliveries into one mailbox at once: every message is fetched and removed exactly once."""
    user, total = "frank", 40
    fetched, failed = [], []

    def reader():
        end = time.monotonic() + 60
        while len(fetched) < total and time.monotonic() < end:
            try:
                p = pop3(server, user)
                for n in range(1, p.stat()[0] + 1):
                    fetched.append(next(l for l in p.retr(n)[1] if l.startswith(b"Subject:")))
                    p.dele(n)
                p.quit()
            except poplib.error_proto as e:
                failed.append(e)
    thread = threading.Thread(target=reader)
    thread.start()
    with Imap(server, 993, user=f"{user}@{DOMAIN}") as c:
        c.ok("SELECT INBOX")
        for n in range(total // 5):
            deliver(server, user, *[f"m{n}-{i}" for i in range(5)])
            c.ok("UID STORE 1:* +FLAGS.SILENT (\\Flagged)") if n % 2 else c.ok("NOOP")
    thread.join()
    assert not failed and sorted(fetched) == sorted(b"Subject: m%d-%d" % (n, i) for n in range(total // 5) for i in range(5))


def test_seen_reaches_imap(server):
    deliver(server, "grace", "one")
    wait_count(server, "grace", 1)
    c = imaplib.IMAP4_SSL("127.0.0.1", server.port(993), ssl_context=tls())
    c.login(f"grace@{DOMAIN}", PASSWORD)
    c.select("INBOX", readonly=True)
    assert b"\\Seen" not in c.fetch("1", "(FLAGS)")[1][0]
    p = pop3(server, "grace")
    p.top(1, 1)
    assert b"\\Seen" not in c.fetch("1", "(FLAGS)")[1][0]
    p.retr(1)
    p.quit()
    until(lambda: b"\\Seen" in c.fetch("1", "(FLAGS)")[1][0], "\\Seen")
    c.logout()


def test_metrics(server):
    text = server.command("metrics", check=True).stdout
    before = int(re.search(r'pop3_signins_total\{[^}]*result="accepted"\} (\d+)', text)[1])
    pop3(server, "heidi").quit()

    def risen():
        text = server.command("metrics", check=True).stdout
        found = re.search(r'pop3_signins_total\{[^}]*result="accepted"\} (\d+)', text)
        sessions = re.search(r'pop3_sessions\{[^}]*\} (\d+)', text)
        return int(found[1]) > before and int(sessions[1]) == 0
    until(risen, "the metric rises, and no session is left")


def test_restart_says_so(server):
    """A reload keeps sessions; the session of before goes on with its mailbox."""
    p = pop3(server, "bob")
    count = p.stat()[0]
    server.command("reload", check=True)
    assert p.stat()[0] == count
    p.quit()


def test_slow_loris(server):
    """Clients that say an octet a second hold no thread; others are served meanwhile."""
    slow = [Peer(server, 110) for _ in range(100)]
    for c in slow:
        c.line()
        c.send(b"U")
    p = pop3(server, "heidi")
    p.noop()
    p.quit()
    for c in slow:
        c.send(b"TF8\r\n")
        assert c.line().startswith(b"+OK")
        c.sock.close()
