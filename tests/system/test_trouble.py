"""What goes wrong on a real machine: each says what is the matter, and ends with the exit code of the contract.

0 ok, 1 failed, 2 usage, 3 not found, 4 exists, 5 denied, 69 no server, 75 try later.
"""
import imaplib
import os
import shutil
import signal
import smtplib
import socket
import sqlite3
import subprocess
import tempfile

import pytest

from server import BIN, PASSWORD, Server, free_base

LIMIT = 50 << 20  # default of message_size
OVER = 60 << 20


@pytest.fixture
def workdir():
    d = tempfile.mkdtemp(prefix="postrider-test.")
    os.chmod(d, 0o755)
    yield d
    shutil.rmtree(d, ignore_errors=True)


def serve(workdir, before="", user=None, listen='smtp = {"127.0.0.1:%d"} submission = {} submissions = {} imap = {} imaps = {}'):
    path = os.path.join(workdir, "postrider.conf")
    with open(path, "w") as f:
        f.write('data = "%s/data"\n%s\nlisten { %s }\n' % (workdir, before, listen % (free_base() + 25)))
    words = [BIN, "serve", "--config", path]
    if user:
        program = shutil.copy(BIN, workdir)
        words = ["setpriv", "--reuid", user, "--clear-groups", program, *words[1:]]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def one_line(done):
    """Said once, to people, without the log's clutter."""
    lines = [l for l in done.stderr.splitlines() if l.startswith("postrider: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture(scope="module")
def pair():
    """Two certificates with their keys."""
    d = tempfile.mkdtemp(prefix="postrider-test.")
    for n in "12":
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=mail.test",
                        "-keyout", d + "/key" + n, "-out", d + "/crt" + n, "-days", "2"], check=True, capture_output=True)
    yield d
    shutil.rmtree(d)


# ---- what keeps a server from starting ----

@pytest.mark.parametrize("folder,name", [("auth", "directory.db"), ("queue", "queue.db")])
def test_database_of_a_newer_version(folder, name):
    s = Server("--accounts", "1").start()
    s.own_dir = False
    s.stop()
    path = os.path.join(s.dir, "data", folder, name)
    try:
        db = sqlite3.connect(path)
        db.execute("PRAGMA user_version = 99")
        db.commit()
        db.close()
        done = subprocess.run([BIN, "serve", "--config", os.path.join(s.dir, "postrider.conf")], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and name in one_line(done) and "newer version" in one_line(done)
        # Nor do commands that work without a server touch it.
        if name == "directory.db":
            done = s.command("domain", "add", "new.test")
            assert done.returncode == 1 and "newer version" in done.stderr
        db = sqlite3.connect(path)
        assert db.execute("PRAGMA user_version").fetchone() == (99,)
        db.close()
    finally:
        shutil.rmtree(s.dir)


def test_second_server_says_who_holds_it():
    with Server("--accounts", "1") as s:
        pid = open(os.path.join(s.dir, "data", "postrider.lock")).read().split()[0]
        done = subprocess.run([BIN, "serve", "--config", os.path.join(s.dir, "postrider.conf")], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and "another server" in one_line(done) and pid in one_line(done)
        done = subprocess.run([BIN, "demo", "--dir", os.path.join(s.dir, "data"), "--port-base", str(free_base()), "--password",
                               PASSWORD, "--once"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1 and "another server" in done.stderr
        assert s.command("status").returncode == 0


def test_busy_port_is_named(workdir):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        done = serve(workdir, listen='smtp = {"127.0.0.1:' + str(port) + '"} submission = {"127.0.0.1:%d"} submissions = {} imap = {} imaps = {}')
    assert done.returncode == 1 and "busy" in one_line(done) and "127.0.0.1:%d" % port in one_line(done)


@pytest.mark.skipif(os.geteuid() != 0, reason="changes the user")
def test_key_that_may_not_be_read(workdir, pair):
    for name in ("crt1", "key1"):
        shutil.copy(os.path.join(pair, name), workdir)
        os.chmod(os.path.join(workdir, name), 0o644)
    os.chmod(os.path.join(workdir, "key1"), 0o600)
    os.makedirs(os.path.join(workdir, "data"))
    shutil.chown(os.path.join(workdir, "data"), "nobody")
    done = serve(workdir, 'tls { certificate = "%s/crt1" key = "%s/key1" }' % (workdir, workdir), user="nobody")
    assert done.returncode == 1 and "/key1" in one_line(done) and "may not be read" in one_line(done)


@pytest.mark.parametrize("certificate,key,word", [("crt1", "key2", "does not belong"), ("crt1", "crt1", "no private key"), ("key1", "key1", "no certificate")])
def test_wrong_pair(workdir, pair, certificate, key, word):
    done = serve(workdir, 'tls { certificate = "%s/%s" key = "%s/%s" }' % (pair, certificate, pair, key))
    assert done.returncode == 1 and word in one_line(done) and "tls.key" in one_line(done)


def test_key_is_a_folder(workdir, pair):
    done = serve(workdir, 'tls { certificate = "%s/crt1" key = "%s" }' % (pair, pair))
    assert done.returncode == 1 and pair in one_line(done)


def test_unknown_setting_keeps_it_from_starting(workdir):
    done = serve(workdir, 'limits { conections = 5 }')
    assert done.returncode == 1 and "postrider.conf:2" in done.stderr and "'connections'" in done.stderr
    assert not os.path.exists(os.path.join(workdir, "data"))


# ---- with a server ----

def test_wrong_password_imap(server):
    server.expect("sign-in failed")
    c = imaplib.IMAP4("127.0.0.1", server.port(143))
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        c.login("alice@demo.test", "wrong")
    c.login("alice@demo.test", PASSWORD)
    c.logout()


def lines(octets):
    return b"Subject: large\r\n\r\n" + (b"x" * 998 + b"\r\n") * (octets // 1000)


def test_message_over_the_limit(server):
    message = lines(OVER)
    with smtplib.SMTP("127.0.0.1", server.port(25), timeout=60) as s:
        s.ehlo()
        assert int(s.esmtp_features["size"]) == LIMIT
        # Declared: refused before a single octet.
        code, words = s.mail("out@else.test", ["SIZE=%d" % len(message)])
        assert code == 552 and words.startswith(b"5.3.4")
        # Not declared: read to its end and refused, and the session goes on.
        assert s.mail("out@else.test")[0] == 250 and s.rcpt("bob@demo.test")[0] == 250
        code, words = s.data(message)
        assert code == 552 and words.startswith(b"5.3.4"), words
        assert s.noop()[0] == 250
        assert s.mail("out@else.test")[0] == 250
    c = imaplib.IMAP4("127.0.0.1", server.port(143))
    c.login("bob@demo.test", PASSWORD)
    before = c.select("INBOX")
    answer, words = c.append("INBOX", None, None, message)
    assert answer == "NO" and b"[TOOBIG]" in words[0] and str(LIMIT).encode() in words[0]
    assert c.noop()[0] == "OK"
    assert c.select("INBOX") == before
    c.logout()


def test_try_later(server):
    """A process that does not answer is no failure of the command: 75, and it works when tried again."""
    [auth] = server.pids("auth")
    server.expect("process ended|process is killed|command")
    os.kill(auth, signal.SIGSTOP)
    try:
        done = server.command("domain", "add", "later.test")
    finally:
        os.kill(auth, signal.SIGCONT)
    assert done.returncode == 75 and "later" in done.stderr, done
    assert server.command("domain", "add", "later.test").returncode in (0, 4)


def test_no_server_and_not_allowed(workdir):
    s = Server("--accounts", "1").start()
    s.own_dir = False
    s.stop()
    try:
        done = s.command("status")
        assert done.returncode == 69 and done.stderr
        done = s.command("reload")
        assert done.returncode == 69 and done.stderr
    finally:
        shutil.rmtree(s.dir)
