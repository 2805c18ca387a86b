"""Milters that others wrote, as Debian has them: opendkim signs and verifies, clamav-milter finds, rspamd judges."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from filters import Filtered, MESSAGE, split_own
from server import free_base, until

GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


def needs(*programs):
    missing = [p for p in programs if not shutil.which(p, path="/usr/sbin:/usr/bin:/sbin:/bin")]
    return pytest.mark.skipif(bool(missing), reason="not installed: " + ", ".join(missing))


def answers(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def folder():
    d = tempfile.mkdtemp(prefix="postrider-test.")
    os.chmod(d, 0o755)
    try:
        yield d
    finally:
        shutil.rmtree(d, ignore_errors=True)


@contextlib.contextmanager
def program(d, name, args, port, seconds=60):
    """Runs until the end of the block, and answers on its port from the start of it on."""
    path = os.path.join(d, name + ".log")
    with open(path, "ab") as log:
        p = subprocess.Popen(args, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        until(lambda: p.poll() is not None or answers(port), name + " does not answer", seconds)
        assert p.poll() is None, open(path, errors="replace").read()[-3000:]
        yield p
    finally:
        p.send_signal(signal.SIGTERM)
        try:
            p.wait(20)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()


def write(d, name, text):
    path = os.path.join(d, name)
    with open(path, "w") as f:
        f.write(text)
    return path


# ---- opendkim ----

def opendkim(d, name, port, mode, internal, key, public):
    hosts = write(d, name + ".hosts", internal + "\n")
    keys = write(d, name + ".keys", "s._domainkey.far.test v=DKIM1; k=rsa; p=%s\n" % public)
    path = write(d, name + ".conf", "\n".join((
        "Socket inet:%d@127.0.0.1" % port, "Mode " + mode, "Domain far.test", "Selector s", "KeyFile " + key, "InternalHosts " + hosts,
        "TestPublicKeys " + keys, "Background no", "Syslog no", "RequireSafeKeys no", "Canonicalization simple/simple", "AlwaysAddARHeader yes",
        "AuthservID mx.here.test", "OversignHeaders From", "LogWhy no", "PidFile " + os.path.join(d, name + ".pid"), "")))
    return program(d, name, ["/usr/sbin/opendkim", "-x", path, "-f"], port)


@needs("opendkim", "openssl")
def test_opendkim():
    """One signs, the next, who sees what the first has made, verifies; with simple canonicalisation every octet counts."""
    with folder() as d, contextlib.ExitStack() as stack:
        key = os.path.join(d, "key.pem")
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", key, "2048"], check=True, capture_output=True)
        pem = subprocess.run(["openssl", "rsa", "-in", key, "-pubout"], check=True, capture_output=True, text=True).stdout
        public = "".join(pem.splitlines()[1:-1])
        base = free_base()
        stack.enter_context(opendkim(d, "signer", base + 1, "s", "127.0.0.1", key, public))
        stack.enter_context(opendkim(d, "verifier", base + 2, "v", "192.0.2.1", key, public))
        with Filtered('milters = "inet:127.0.0.1:%d, inet:127.0.0.1:%d"' % (base + 1, base + 2)) as s:
            long = b"Subject: folded\r\n\tsubject  with   blanks \r\nFrom: a@far.test\r\n\r\n" + b".leading dots\r\n" * 30000 + b"\r\n\r\n"
            for n, octets in enumerate((MESSAGE, long)):
                assert s.send(octets)[0] == 250
                got = split_own(s.recorder.take(n + 1)[2])[1]
                assert got.count(b"DKIM-Signature: ") == 1 and got.endswith(octets), got[:2000]
                assert b"dkim=pass" in got and b"Authentication-Results: mx.here.test" in got, got[:2000]
            signed = split_own(s.recorder.take()[2])[1]
            forged = signed[signed.index(b"DKIM-Signature:"):].replace(b"line one", b"line two")
            assert s.send(forged)[0] == 250
            third = s.recorder.take(3)[2]
            assert b"dkim=fail" in third, third


# ---- clamav ----

@needs("clamd", "clamav-milter")
def test_clamav():
    with folder() as d, contextlib.ExitStack() as stack:
        os.mkdir(os.path.join(d, "db"))
        write(d, "db/test.ndb", "Test.Postrider:0:*:%s\n" % b"a-virus-that-is-none".hex())
        base, socket_path = free_base(), os.path.join(d, "clamd.sock")
        clamd = write(d, "clamd.conf", "\n".join((
            "Foreground yes", "DatabaseDirectory " + os.path.join(d, "db"), "LocalSocket " + socket_path, "TCPSocket %d" % (base + 1),
            "TCPAddr 127.0.0.1", "MaxThreads 2", "LogFile " + os.path.join(d, "clamd.txt"), "")))
        milter = write(d, "milter.conf", "\n".join((
            "Foreground yes", "MilterSocket inet:%d@127.0.0.1" % (base + 2), "ClamdSocket tcp:127.0.0.1:%d" % (base + 1), "OnInfected Reject",
            "RejectMsg Found %v", "AddHeader Replace", "OnFail Defer", "")))
        stack.enter_context(program(d, "clamd", ["/usr/sbin/clamd", "-c", clamd], base + 1, 120))
        stack.enter_context(program(d, "clamav-milter", ["/usr/sbin/clamav-milter", "-c", milter], base + 2))
        with Filtered('milters = "inet:127.0.0.1:%d"' % (base + 2)) as s:
            got = s.send(MESSAGE + b"a-virus-that-is-none\r\n")
            assert got[0] == 550 and "Found Test.Postrider" in got[1], got
            assert s.send(b"From: a@far.test\r\nSubject: big\r\n\r\n" + b"x" * 70 + b"\r\n" + b"padding\r\n" * 50000 + b"a-virus-that-is-none\r\n")[0] == 550
            assert s.send(b"X-Virus-Scanned: a lie\r\n" + MESSAGE)[0] == 250
            got = split_own(s.recorder.take()[2])[1]
            assert b"a lie" not in got and b"X-Virus-Scanned: " in got and b"X-Virus-Status: Clean" in got
            assert got.endswith(MESSAGE.split(b"\r\n\r\n", 1)[1])


# ---- rspamd ----

RSPAMD = """
options { pidfile = "%(d)s/rspamd.pid"; dns { nameserver = ["127.0.0.1:1"]; timeout = 0.1s; retransmits = 1; } filters = ""; tempdir = "%(d)s"; }
logging { type = "console"; level = "error"; }
actions { reject = 15; add_header = 6; greylist = null; }
metric { name = "default"; }
worker "rspamd_proxy" {
    bind_socket = "127.0.0.1:%(port)d"; milter = yes; timeout = 60s; count = 1;
    upstream "local" { default = yes; self_scan = yes; }
}
worker "controller" { enabled = false; }
"""


@needs("rspamd")
def test_rspamd():
    with folder() as d, contextlib.ExitStack() as stack:
        port = free_base() + 1
        conf = write(d, "rspamd.conf", RSPAMD % {"d": d, "port": port})
        stack.enter_context(program(d, "rspamd", ["/usr/bin/rspamd", "-f", "-i", "-c", conf, "--var=DBDIR=" + d, "--var=RUNDIR=" + d], port, 120))
        with Filtered('milters = "inet:127.0.0.1:%d timeout=60s"' % port) as s:
            assert s.send()[0] == 250
            assert split_own(s.recorder.take()[2])[1].endswith(MESSAGE)
            got = s.send(MESSAGE + GTUBE + b"\r\n")
            assert got[0] in (550, 554) and "tube" in got[1].lower(), got
            assert s.send(b"From: a@far.test\r\nSubject: big\r\n\r\n" + b"padding\r\n" * 50000)[0] == 250
