"""sendmail(8), mailq(1), newaliases(1) and submit.sock, as Unix programs use them."""
import os
import pwd
import re
import shutil
import socket
import struct
import subprocess
import threading
import time

import pytest

from peers import DOMAIN, Imap
from server import BIN, Server

EX_OK, EX_USAGE, EX_DATAERR, EX_NOUSER, EX_UNAVAILABLE, EX_CONFIG, EX_TEMPFAIL, EX_NOPERM = 0, 64, 65, 67, 69, 78, 75, 77
USER = "nobody"


@pytest.fixture(scope="module")
def server():
    s = Server("--accounts", "20").start()
    os.chmod(s.dir, 0o711)  # other users reach submit.sock, and the program
    s.program = shutil.copy(BIN, s.dir)
    os.chmod(s.program, 0o755)
    for name in ("sendmail", "mailq", "newaliases"):
        os.symlink(s.program, os.path.join(s.dir, name))
    yield s
    s.stop()


def run(server, program, *args, input=b"", user=None, config=True):
    command = [os.path.join(server.dir, program)] + (["-C", os.path.join(server.dir, "postrider.conf")] if config else []) + list(args)
    if user:
        command = ["setpriv", "--reuid", user, "--regid", str(pwd.getpwnam(user).pw_gid), "--clear-groups", *command]
    return subprocess.run(command, input=input, capture_output=True, timeout=120)


def send(server, *args, input=b"Subject: x\n\nhello\n", **more):
    return run(server, "sendmail", *args, input=input, **more)


def message(server, user, subject):
    with Imap(server, user=server.address(user)) as c:
        c.wait_for(subject)
        return [m for m in c.bodies() if b"Subject: " + subject.encode() in m][-1]


def has(server, user, subject):
    with Imap(server, user=server.address(user)) as c:
        return any(b"Subject: " + subject.encode() in m for m in c.bodies())


# ---- sending ----

def test_plain(server):
    done = send(server, "-v", "alice", input=b"Subject: plain\n\nhello\nthere\n")
    assert done.returncode == EX_OK and re.search(rb"queued as \w{13}", done.stderr), done
    got = message(server, "alice", "plain")
    assert re.match(rb"(Return-Path.*\r\n)?(Delivered-To.*\r\n)?Received: by mail\.demo\.test \(Postrider, from uid 0\)\r\n\tid ", got), got
    assert re.search(rb"\r\nFrom: .*<root@demo\.test>\r\n", got)
    assert b"\r\nDate: " in got and re.search(rb"\r\nMessage-ID: <\w{32}@mail\.demo\.test>\r\n", got)
    assert got.endswith(b"\r\n\r\nhello\r\nthere\r\n")
    assert re.search(r'msg="local message accepted" .* uid=0 .* login=root from=root@demo\.test', server.log_text())


def test_ordinary_user(server):
    done = send(server, "bob@" + DOMAIN, input=b"Subject: by-nobody\n\nx\n", user=USER)
    assert done.returncode == EX_OK, done.stderr
    got = message(server, "bob", "by-nobody")
    uid = pwd.getpwnam(USER).pw_uid
    assert b"from uid %d)" % uid in got and b"<nobody@demo.test>" in got
    # Any sender may be named, as with Postfix; the log keeps who did.
    assert send(server, "-f", "carol@demo.test", "bob", input=b"Subject: as-carol\n\nx\n", user=USER).returncode == EX_OK
    got = message(server, "bob", "as-carol")
    assert b"from uid %d)" % uid in got and b"<carol@demo.test>" in got
    assert re.search(r"uid=%d .*from=carol@demo\.test" % uid, server.log_text())


def test_header_recipients(server):
    done = send(server, "-t", "-oi", input=b"From: Me <alice@demo.test>\nTo: erin (comment),\n  Frank <frank@demo.test>\nCc: team: grace;\n"
                b"Bcc: heidi\nSubject: many\n\nx\n.\ny\n")
    assert done.returncode == EX_OK, done.stderr
    for user in ("erin", "frank", "grace", "heidi"):
        got = message(server, user, "many")
        header = got[got.index(b"Received: "):]  # behind what delivery adds
        assert b"Bcc" not in header and b"heidi" not in header
        assert got.endswith(b"\r\n\r\nx\r\n.\r\ny\r\n")
        assert re.search(rb"\r\nTo: .*erin@demo\.test", got)


def test_resent(server):
    old = b"From: ann@far.example\nTo: carol@demo.test\nSubject: again\nDate: Sat, 21 Nov 2026 08:00:00 +0000\nMessage-ID: <x@far.example>\nResent-To: dave\n\nx\n"
    assert send(server, "-t", input=old).returncode == EX_OK
    got = message(server, "dave", "again")
    assert b"Resent-From: " in got and b"Resent-Date: " in got and b"Resent-Message-ID: " in got and b"Resent-To: dave@demo.test\r\n" in got
    assert got.count(b"\r\nMessage-ID: ") == 1
    assert not has(server, "carol", "again")


@pytest.mark.parametrize("args, input, code", [
    ([], b"", EX_USAGE),
    (["-t"], b"Subject: none\n\nx\n", EX_DATAERR),
    (["-t"], b"To: two words here\n\nx\n", EX_DATAERR),
    (["-t"], b"To: <alice@demo.test>bob@demo.test\n\nx\n", EX_DATAERR),
    (["nosuch"], b"x\n", EX_NOUSER),
    (["nosuch@demo.test", "alice"], b"Subject: half\n\nx\n", EX_NOUSER),
    (["a b"], b"x\n", EX_DATAERR),
    (["a@b@c"], b"x\n", EX_DATAERR),
    (["-f", "x y z", "alice"], b"x\n", EX_USAGE),
    (["alice"], b"From: <a@demo.test>\nFrom: <b@demo.test>\n\nx\n", EX_DATAERR),
    (["alice"], b"From: not an address at all\n\nx\n", EX_DATAERR),
    (["alice"], b"X: y\n" * 60000 + b"\nx\n", EX_DATAERR),
    (["alice"], b"Received: x\n" * 60 + b"\nx\n", EX_UNAVAILABLE),
    (["-N", "sometimes", "alice"], b"x\n", EX_USAGE),
    (["-N", "never,delay", "alice"], b"x\n", EX_USAGE),
    (["-R", "half", "alice"], b"x\n", EX_USAGE),
    (["-bd"], b"", EX_USAGE),
    (["-bv", "alice"], b"", EX_USAGE),
    (["-bz"], b"", EX_USAGE),
    (["-qRx"], b"", EX_USAGE),
    (["-Z"], b"", EX_USAGE),
], ids=lambda v: str(v)[:20])
def test_refused(server, args, input, code):
    done = send(server, *args, input=input)
    assert done.returncode == code, (done.returncode, done.stderr)
    assert done.stderr
    assert not has(server, "alice", "half")


def test_no_config(server):
    done = run(server, "sendmail", "-C", "/nonexistent/postrider.conf", "alice", input=b"x\n", config=False)
    assert done.returncode == EX_CONFIG, done


@pytest.mark.parametrize("number, args, input, body", [
    (1, ["-i"], b"\nbody only\n", b"body only\r\n"),
    (2, [], b"no header\n.\nnot sent\n", b"no header\r\n"),
    (3, ["-i"], b"dots\n.\n..\n", b"dots\r\n.\r\n..\r\n"),
    (4, ["-i"], b"mixed\r\nends\rof\nlines", b"mixed\r\nends\r\nof\r\nlines\r\n"),
    (5, ["-i"], b"nul \0 here\n", b"nul ? here\r\n"),
    (6, ["-i"], b"", b""),
    (7, ["-i"], b"From alice@demo.test Sat Nov 21 08:00:00 2026\nX: y\n\nmbox\n", b"mbox\r\n"),
    (8, ["-i"], b"a: b c\n d\nno field\nc: d\n\nx\n", b"no field\r\nc: d\r\n\r\nx\r\n"),
    (9, [], b"x\n.", b"x\r\n"),
    (10, ["-i"], b"caf\xc3\xa9 and \xff\n", b"caf\xc3\xa9 and \xff\r\n"),
], ids=lambda v: str(v)[:20])
def test_content(server, number, args, input, body):
    done = send(server, "-F", "case-%d" % number, *args, "heidi", input=input)
    assert done.returncode == EX_OK, done.stderr
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with Imap(server, user="heidi@demo.test") as c:
            found = [m for m in c.bodies() if b"From: case-%d <" % number in m or b'From: "case-%d" <' % number in m]
        if found:
            break
        time.sleep(0.1)
    assert found[0].split(b"\r\n\r\n", 1)[1] == body, found[0]


def test_large(server):
    lines = b"".join(b"line %d of a large message\n" % i for i in range(100000))
    done = send(server, "-i", "carol", input=b"Subject: large\nBcc: secret@demo.test\n\n" + lines)
    assert done.returncode == EX_OK, done.stderr
    got = message(server, "carol", "large")
    assert got.endswith(lines.replace(b"\n", b"\r\n")) and b"secret" not in got


def test_too_large(server):
    done = send(server, "-i", "carol", input=b"Subject: too-large\n\n" + b"x" * 70 + (b"0123456789" * 100 + b"\n") * 53000)
    assert done.returncode == EX_DATAERR and b"too big" in done.stderr, done.stderr


def test_bounce_options(server):
    assert send(server, "-f", "<>", "-N", "never", "-R", "hdrs", "-V", "env-1", "-B", "8BITMIME", "-h", "3", "-oem", "-odi", "-O", "x=y", "-n",
                "-G", "-L", "tag", "--", "dave", input=b"Subject: options\n\nx\n").returncode == EX_OK
    assert b"uid 0" in message(server, "dave", "options")


def test_many_at_once(server):
    """A burst of cron jobs: more than there is room for at once; each waits its turn, none is lost."""
    codes = []

    def one(n):
        codes.append(send(server, "grace", input=b"Subject: burst-%d\n\nx\n" % n, user=USER).returncode)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(40)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert codes == [EX_OK] * 40
    with Imap(server, user="grace@demo.test") as c:
        for n in range(40):
            c.wait_for("burst-%d" % n)


# ---- SMTP on standard input ----

def test_smtp_mode(server):
    talk = (b"EHLO me\r\nMAIL FROM:<alice@demo.test> BODY=8BITMIME\r\nRCPT TO:<frank@demo.test>\r\nDATA\r\nFrom: alice@demo.test\r\nSubject: piped\r\n\r\n"
            b"..dot\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<nosuch@demo.test>\r\nDATA\r\nFrom: x@demo.test\r\n\r\nx\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<frank@demo.test>\r\n"
            b"DATA\r\nSubject: smuggled\n.\nMAIL FROM:<a@b>\r\n.\r\nRCPT TO:<x@y>\r\nMAIL FROM:bad\r\nFOO\r\nQUIT\r\n")
    done = send(server, "-bs", input=talk)
    codes = [l[:3] for l in done.stdout.split(b"\r\n") if l[3:4] == b" "]
    assert codes == [b"220", b"250", b"250", b"250", b"354", b"250", b"250", b"250", b"354", b"550", b"250", b"250", b"354", b"554", b"503", b"501", b"500", b"221"], done
    assert message(server, "frank", "piped").endswith(b"\r\n\r\n.dot\r\n")
    assert not has(server, "frank", "smuggled")


# ---- queue and aliases ----

def test_mailq(server):
    done = run(server, "mailq")
    assert done.returncode == EX_OK and b"Mail queue is empty" in done.stdout, done
    assert send(server, "-q").returncode == EX_OK
    done = run(server, "mailq", user=USER)
    assert done.returncode == EX_NOPERM, done


def test_mailq_waiting():
    with Server("--dns", "127.0.0.1@1", "--relay", "127.0.0.1:1") as s:
        conf = os.path.join(s.dir, "postrider.conf")
        assert subprocess.run([BIN, "sendmail", "-C", conf, "away@far.example"], input=b"Subject: waits\n\nx\n").returncode == EX_OK
        end = time.monotonic() + 30
        while time.monotonic() < end:
            out = subprocess.run([BIN, "mailq", "-C", conf], capture_output=True, text=True).stdout
            if re.search(r"^\w{13} .*root@demo\.test$", out, re.M) and "    (" in out:
                break
            time.sleep(0.2)
        assert re.search(r"^ {40,}away@far\.example$", out, re.M), out
        assert re.search(r"^-- \d+ Kbytes in 1 Request\.$", out, re.M), out


def test_aliases(server):
    path, include = os.path.join(server.dir, "aliases"), os.path.join(server.dir, "include")
    with open(include, "w") as f:
        f.write("# people\ngrace\nheidi, frank@demo.test\n")
    with open(path, "w") as f:
        f.write("postmaster: root\nroot: alice,\n\tbob@demo.test\nstaff: :include:%s\nrun: \"|/bin/sh -c 'touch %s/ran'\", carol\nfile: /tmp/x\nalice: x\n" % (include, server.dir))
    done = server.command("alias", "import", path)
    assert done.returncode == 4 and "nothing was changed" in done.stderr, done  # there is an account alice
    assert "root@" not in server.command("alias", "list").stdout
    with open(path) as f:
        text = f.read().replace("alice: x\n", "")
    with open(path, "w") as f:
        f.write(text)
    done = server.command("alias", "import", path, json_out=True)
    assert sorted(c["alias"] for c in done["changes"]) == ["postmaster@demo.test", "root@demo.test", "run@demo.test", "staff@demo.test"]
    assert {r["why"] for r in done["refused"]} == {"a command is never run", "mail is never written to a file", "has no target that is left"}
    assert send(server, "staff", input=b"Subject: to-staff\n\nx\n").returncode == EX_OK
    message(server, "heidi", "to-staff")
    assert send(server, "run", input=b"Subject: to-run\n\nx\n").returncode == EX_OK
    message(server, "carol", "to-run")
    assert not os.path.exists(server.dir + "/ran")
    assert server.command("alias", "import", path, json_out=True)["changes"] == []
    server.command("alias", "add", "by-hand@demo.test", "bob@demo.test", check=True)
    server.command("alias", "policy", "root@demo.test", "--from", "members", check=True)
    with open(path, "w") as f:
        f.write("root: alice\n")
    done = server.command("alias", "import", path, json_out=True)
    assert {(c["alias"], c["change"]) for c in done["changes"]} == {
        ("root@demo.test", "changed"), ("postmaster@demo.test", "removed"), ("run@demo.test", "removed"), ("staff@demo.test", "removed")}
    assert "by-hand@demo.test" in server.command("alias", "list").stdout
    rows = server.command("alias", "list", json_out=True)["aliases"]
    assert [r["policy"] for r in rows if r["from"] == "root@demo.test"] == [["members"]], rows  # a closed list stays closed


def test_aliases_not_trusted(server):
    path, include = os.path.join(server.dir, "aliases2"), os.path.join(server.dir, "include2")
    with open(include, "w") as f:
        f.write("bob\n")
    os.chmod(include, 0o666)
    os.symlink(include, include + ".link")
    with open(path, "w") as f:
        f.write("a: :include:%s\nb: :include:%s.link\nc: :include:relative\nd: :include:/dev/zero\ne: :include:%s\n" % (include, include, path))
    refused = server.command("alias", "import", path, json_out=True)["refused"]
    whys = [r["why"] for r in refused]
    assert "can be written by others" in whys and "cannot be opened (a symbolic link is not followed)" in whys
    assert "an included file is named by its whole path" in whys and "is no plain file" in whys
    os.chmod(path, 0o622)
    assert server.command("alias", "import", path).returncode == 5
    assert server.command("alias", "import", server.dir + "/nothing").returncode == 3
    with open(server.dir + "/empty", "w"):
        pass
    server.command("alias", "import", server.dir + "/empty", check=True)
    done = server.command("alias", "import", include + ".link")
    assert done.returncode == 5


def test_newaliases_needs_rights(server):
    if not os.path.exists("/etc/aliases"):
        pytest.skip("no /etc/aliases here")
    assert run(server, "newaliases", user=USER).returncode == EX_NOPERM


# ---- the socket ----

def frame(kind, payload=b"", length=None, flags=0):
    return struct.pack(">IHBBQI", len(payload) if length is None else length, kind, 1, flags, 1, 0) + payload


def test_hostile_frames(server):
    path = os.path.join(server.dir, "data", "submit.sock")
    before = server.pids("control")
    bad = [b"\0" * 100, b"A" * 5000, frame(1), frame(65535), frame(3, b"x" * 100), frame(1, length=0xffffffff), frame(1, length=1 << 20), frame(1, flags=0x11)]
    bad += [frame(kind, payload) for kind in range(1, 60) for payload in (b"", b"\xff" * 64)]
    for octets in bad:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(path)
            s.sendall(octets)
            s.shutdown(socket.SHUT_WR)
            try:
                while s.recv(65536):
                    pass
            except ConnectionError:
                pass
    assert server.pids("control") == before
    assert send(server, "bob", input=b"Subject: still-there\n\nx\n").returncode == EX_OK


def test_one_user_cannot_take_all(server):
    """A user who holds all his connections keeps no other user out."""
    holder = subprocess.Popen(["setpriv", "--reuid", USER, "--regid", str(pwd.getpwnam(USER).pw_gid), "--clear-groups", "/usr/bin/python3", "-c",
                               "import socket, sys, time\nl = []\nfor i in range(60):\n s = socket.socket(socket.AF_UNIX); s.connect(%r); l.append(s)\n"
                               "print('held', flush=True)\ntime.sleep(120)" % os.path.join(server.dir, "data", "submit.sock")], stdout=subprocess.PIPE)
    server.expect("too many local programs hand over mail")
    try:
        assert b"held" in holder.stdout.readline()
        assert send(server, "bob", input=b"Subject: not-kept-out\n\nx\n").returncode == EX_OK
    finally:
        holder.kill()
        holder.wait()


def test_server_down():
    with Server() as s:
        conf = os.path.join(s.dir, "postrider.conf")
        s.stop_early = True
        s.process.terminate()
        s.process.wait(90)
        done = subprocess.run([BIN, "sendmail", "-C", conf, "alice"], input=b"x\n", capture_output=True)
        assert done.returncode == EX_TEMPFAIL and b"not running" in done.stderr, done
        done = subprocess.run([BIN, "sendmail", "-C", conf, "-bs"], input=b"QUIT\r\n", capture_output=True)
        assert done.returncode == EX_TEMPFAIL and done.stdout.startswith(b"421"), done


# ---- programs ----

def need(program):
    if not shutil.which(program):
        pytest.skip(program + " is not installed")


def wrapper(server):
    """Programs that take no arguments for their sendmail."""
    path = os.path.join(server.dir, "mta")
    if not os.path.exists(path):
        with open(path, "w") as f:
            f.write('#!/bin/sh\nexec %s/sendmail -C %s/postrider.conf "$@"\n' % (server.dir, server.dir))
        os.chmod(path, 0o755)
    return path


def test_cron(server):
    """What Debian's cron writes: sendmail -FCronDaemon -i -B8BITMIME -oem USER."""
    done = send(server, "-FCronDaemon", "-i", "-B8BITMIME", "-oem", "erin", input=b"From: root (Cron Daemon)\nTo: erin\nSubject: Cron <root@host> job\n"
                b"MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\nX-Cron-Env: <SHELL=/bin/sh>\n\noutput\n")
    assert done.returncode == EX_OK, done.stderr
    got = message(server, "erin", "Cron <root@host> job")
    assert b'\r\nFrom: "Cron Daemon" <root@demo.test>\r\nTo: erin@demo.test\r\n' in got


def test_mailx(server):
    need("s-nail")
    done = subprocess.run(["s-nail", "-:/", "-Smta=file://" + wrapper(server), "-S", "v15-compat", "-S", "nosave", "-s", "by mailx", "-c", "dave@demo.test", "carol@demo.test"],
                          input=b"written with mailx\n", capture_output=True, timeout=60, env={**os.environ, "HOME": server.dir})
    assert done.returncode == 0, done
    assert b"written with mailx" in message(server, "carol", "by mailx") and message(server, "dave", "by mailx")


def test_neomutt(server):
    need("neomutt")
    muttrc = os.path.join(server.dir, "muttrc")
    with open(muttrc, "w") as f:
        f.write('set sendmail="%s -oem -oi"\nset copy=no\nset use_envelope_from\nset from="alice@demo.test"\nset realname="Alice"\n' % wrapper(server))
    done = subprocess.run(["neomutt", "-n", "-F", muttrc, "-s", "by mutt", "-b", "heidi@demo.test", "-a", muttrc, "--", "frank@demo.test"],
                          input=b"written with mutt\n", capture_output=True, timeout=60, env={**os.environ, "HOME": server.dir, "TERM": "dumb"})
    assert done.returncode == 0, done
    got = message(server, "frank", "by mutt")
    assert b"written with mutt" in got and b"muttrc" in got and b"heidi" not in got
    assert b"written with mutt" in message(server, "heidi", "by mutt")


def test_git_send_email(server):
    need("git")
    if not os.path.exists(os.path.join(subprocess.run(["git", "--exec-path"], capture_output=True, text=True).stdout.strip(), "git-send-email")):
        pytest.skip("git send-email is not installed")
    repo = os.path.join(server.dir, "repo")
    env = {**os.environ, "HOME": server.dir, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "Bob", "GIT_AUTHOR_EMAIL": "bob@demo.test",
           "GIT_COMMITTER_NAME": "Bob", "GIT_COMMITTER_EMAIL": "bob@demo.test"}

    def git(*args):
        done = subprocess.run(["git", *args], cwd=repo, env=env, capture_output=True, timeout=60)
        assert done.returncode == 0, done

    os.makedirs(repo)
    git("init", "-q")
    with open(repo + "/file", "w") as f:
        f.write("one\n.\ntwo\n")
    git("add", "file")
    git("commit", "-qm", "add a file")
    git("-c", "sendemail.smtpserver=" + wrapper(server), "send-email", "--quiet", "--confirm=never", "--from=bob@demo.test", "--to=alice@demo.test",
        "--bcc=grace@demo.test", "-1")
    got = message(server, "alice", "[PATCH] add a file")
    assert b"\r\n+.\r\n" in got and b"grace" not in got
    message(server, "grace", "[PATCH] add a file")
