"""imap has the files of those who have signed in through it, and no others; what keeper's end, and auth's, leave of sessions."""
import imaplib
import os
import re
import signal
import socket
import threading
import time

import pytest

from server import PASSWORD, Server, tls, until


@pytest.fixture
def server():
    with Server() as s:
        yield s


def client(server, user="bob@demo.test"):
    c = imaplib.IMAP4_SSL("127.0.0.1", server.port(993), ssl_context=tls(), timeout=60)
    c.login(user, PASSWORD)
    return c


def files(server):
    """The accounts whose files an imap process has open."""
    found = set()
    for pid in server.pids("imap"):
        for fd in os.listdir("/proc/%d/fd" % pid):
            try:
                target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
            except FileNotFoundError:
                continue
            m = re.search(r"/accounts(?:/(\w\w)(?:/(\d+)/)?)?", target)
            if m:
                found.add(m[2] or "directory")
    return found


def restarted(server, role, pid):
    until(lambda: server.pids(role) not in ([pid], [0]) and all(
        r["ready"] for r in server.command("status", json_out=True)["processes"] if r["role"] == role), role + " is not back")


def kill(server, role):
    pid, = server.pids(role)
    os.kill(pid, signal.SIGKILL)
    return pid


@pytest.mark.skipif(os.geteuid() != 0, reason="reads what others have open")
def test_only_those_who_signed_in(server):
    until(lambda: files(server) == set(), "files of nobody")
    alice = client(server, "alice@demo.test")
    alice.select()
    of_alice = files(server)
    assert len(of_alice) == 1 and "directory" not in of_alice
    bob = client(server)
    bob.select()
    both = files(server)
    assert len(both) == 2 and of_alice < both
    again = client(server, "alice@demo.test")
    again.select()
    alice.logout()
    time.sleep(3)  # longer than handles are kept; the other session of hers is still here
    assert files(server) == both
    again.logout()
    until(lambda: files(server) == both - of_alice, "files of who is gone", 20)
    bob.sock.shutdown(socket.SHUT_RDWR)  # without a word
    until(lambda: files(server) == set(), "files of nobody", 20)


@pytest.mark.skipif(os.geteuid() != 0, reason="reads what others have open")
def test_guests(server):
    """Another's account only while it shares something, and only while one looks into it."""
    box = '"Other Users/alice@demo.test/Shared"'
    alice = client(server, "alice@demo.test")
    alice.create("Shared")
    alice.append("Shared", None, None, message("m", 300))
    alice.logout()
    until(lambda: files(server) == set(), "files of nobody", 20)
    bob = client(server)
    bob.select()
    of_bob = files(server)
    assert len(of_bob) == 1
    # nothing is shared: no name of hers reaches her files
    for name in (box, '"Other Users/alice@demo.test/INBOX"', '"Other Users/carol@demo.test/INBOX"'):
        assert bob.status(name, "(MESSAGES)")[0] == "NO"
        assert bob._simple_command("SELECT", name)[0] == "NO"
        assert bob.append(name, None, None, message("m", 300000))[0] == "NO"
        assert bob.getacl(name)[0] == "NO"
    bob.list('""', "*")
    bob.select()
    assert files(server) == of_bob
    alice = client(server, "alice@demo.test")
    assert alice.setacl("Shared", "bob@demo.test", "lr")[0] == "OK"
    alice.logout()
    until(lambda: files(server) == of_bob, "files of who is gone", 20)
    assert bob.select(box, readonly=True)[0] == "OK"
    assert len(files(server)) == 2
    time.sleep(3)  # selected: they stay
    assert bob.fetch("1", "(BODY.PEEK[])")[0] == "OK"
    assert len(files(server)) == 2
    bob.select()
    until(lambda: files(server) == of_bob, "files of whom nobody looks at", 20)
    bob.logout()
    until(lambda: files(server) == set(), "files of nobody", 20)


def message(name, octets):
    return ("From: a@example.org\r\nSubject: %s\r\n\r\n" % name).encode() + b"x" * 70 * (octets // 70) + b"\r\n"


def subjects(server, box):
    c = client(server)
    c.select(box)
    found = [m.decode() for part in c.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1] if isinstance(part, tuple)
             for m in re.findall(rb"Subject: (\S+)", part[1])]
    c.logout()
    return found


def test_killed_again_and_again(server):
    """Each session goes on, over the same connection; what was said to be stored is, and nothing is there twice that was not said to have failed."""
    server.expect("process ended")
    client(server).create("box")
    stored, failed, over = set(), set(), threading.Event()

    def work(number):
        c = client(server)
        for i in range(1000):
            if over.is_set():
                break
            name = "m%d.%d" % (number, i)
            kind, data = c.append("box", None, None, message(name, 300000 if i % 4 == 0 else 300))
            if kind == "OK":
                stored.add(name)
            else:
                assert b"UNAVAILABLE" in data[0], data
                failed.add(name)
            if i % 7 == number:  # another handle: what is kept of this one goes with the session
                c.logout()
                c = client(server)
        c.logout()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for _ in range(15):
        time.sleep(0.3)
        restarted(server, "keeper", kill(server, "keeper"))
    over.set()
    for t in threads:
        t.join()
    found = subjects(server, "box")
    assert stored <= set(found) <= stored | failed
    assert len(found) == len(set(found))
    assert len(stored) > 50


def test_while_it_is_gone(server):
    """A session is told to try again, and then can."""
    server.expect("process ended")
    c = client(server, "alice@demo.test")
    pid = kill(server, "keeper")
    kinds = {c.select()[0] for _ in range(3)}
    assert kinds <= {"OK", "NO"}
    restarted(server, "keeper", pid)
    assert c.select()[0] == "OK"
    assert c.append("INBOX", None, None, message("m", 300000))[0] == "OK"
    c.logout()


def test_auth_and_keeper_start_anew(server):
    """The master has the key: the token of a sign-in from before is as good as ever."""
    server.expect("process ended")
    c = client(server)
    for role in ("auth", "keeper"):
        restarted(server, role, kill(server, role))
        assert c.append("INBOX", None, None, message(role, 300000))[0] == "OK"
        assert c.select()[0] == "OK"
    c.logout()


def test_imap_killed(server):
    """Its successor is another process: it has nothing of the old one's, and new sessions are served."""
    server.expect("process ended")
    c = client(server)
    c.select()
    pid = kill(server, "imap")
    restarted(server, "imap", pid)
    if os.geteuid() == 0:
        assert files(server) == set()
    c = client(server)
    assert c.select()[0] == "OK"
    assert c.append("INBOX", None, None, message("m", 300000))[0] == "OK"
    c.logout()


def test_counted(server):
    c = client(server)
    c.select()
    c.logout()
    until(lambda: re.search(r'^postrider_keeper_opens_total\{[^}]*result="passed"[^}]*\} [1-9]', server.command("metrics").stdout, re.M), "no opens")
    assert re.search(r'^postrider_keeper_opens_total\{[^}]*result="refused"[^}]*\} 0$', server.command("metrics").stdout, re.M)
