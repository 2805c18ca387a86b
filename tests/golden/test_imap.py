"""Golden transcripts of IMAP, and STARTTLS injection.

By themselves they run against tests/golden/imap_server (IMAP_SERVER names it). POSTRIDER_IMAP=host:port runs them against any server, with
POSTRIDER_IMAP_USER and POSTRIDER_IMAP_PASSWORD.
"""
import glob
import os
import re
import socket
import ssl
import subprocess
import time
import uuid

import pytest

from imap_driver import Connection, Player

HERE = os.path.dirname(os.path.abspath(__file__))
TRANSCRIPTS = sorted(glob.glob(os.path.join(HERE, "imap", "*.txt")))
LIMITED = sorted(glob.glob(os.path.join(HERE, "imap_limit", "*.txt")))
OUTSIDE = os.environ.get("POSTRIDER_IMAP")


class Server:
    """One process on a directory of its own; its log must hold no error."""

    def __init__(self, directory, *args, **env):
        self.log = open(os.path.join(str(directory), "log"), "w+")
        accounts = os.path.join(str(directory), "accounts")
        os.makedirs(accounts, exist_ok=True)
        self.process = subprocess.Popen([os.environ["IMAP_SERVER"], accounts, *args], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, env={**os.environ, **env})
        self.port = int(self.process.stdout.readline().split()[1])

    def stop(self):
        self.process.stdin.close()
        code = self.process.wait(30)
        self.log.seek(0)
        log = self.log.read()
        assert code == 0, log
        assert "lvl=error" not in log, log


@pytest.fixture
def server(tmp_path):
    s = Server(tmp_path, LAB="1")
    yield s
    s.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    d = str(tmp_path_factory.mktemp("tls"))
    cert, key = os.path.join(d, "cert.pem"), os.path.join(d, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=mail.test", "-keyout", key, "-out", cert, "-days", "2"], check=True, capture_output=True)
    return cert, key


@pytest.fixture
def tls_server(tmp_path, certificate):
    s = Server(tmp_path, *certificate)
    yield s
    s.stop()


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda p: os.path.basename(p)[:-4])
def test_transcript(path, request):
    box = "t" + uuid.uuid4().hex[:8]
    if OUTSIDE:
        if "\n@fake" in open(path).read():
            pytest.skip("has accounts that only our own server knows")
        host, port = OUTSIDE.rsplit(":", 1)
        user, password = os.environ["POSTRIDER_IMAP_USER"], os.environ["POSTRIDER_IMAP_PASSWORD"]
    else:
        host, port, user, password = "127.0.0.1", request.getfixturevalue("server").port, "user1", "secret"
    Player(host, int(port), user, password, box).play(path)


def test_extensions():
    """docs/imap-cases.md has a row for each capability: three transcripts that are there, one of them hostile; or the test that shows it."""
    root = os.path.dirname(os.path.dirname(HERE))
    with open(os.path.join(root, "src", "imap", "imap_capability.c")) as f:
        announced = set(re.findall(r'^\t\{ "([^"]+)", ', f.read(), re.M)) - {"IMAP4rev1", "IMAP4rev2"}
    with open(os.path.join(root, "docs", "imap-cases.md")) as f:
        rows = dict(re.findall(r"^\| ([A-Z][A-Za-z0-9=+-]*) \| (.*) \|$", f.read().split("## Extensions")[1], re.M))
    assert announced and announced <= set(rows), announced - set(rows)
    there = {os.path.basename(path)[:-4] for path in TRANSCRIPTS}
    for name, shown in rows.items():
        played = {text for text in shown.split(", ") if not text.startswith("`")}
        assert played <= there, (name, played - there)
        assert len(shown.split(", ")) >= 3 or not played, name
        assert not played or any("hostile" in text for text in played), name


@pytest.mark.skipif(bool(OUTSIDE), reason="a limit of our own")
@pytest.mark.parametrize("path", LIMITED, ids=lambda p: os.path.basename(p)[:-4])
def test_limited(path, tmp_path):
    """RFC 9738: message-* with MESSAGELIMIT=3, save-* with SAVELIMIT=3."""
    s = Server(tmp_path, LAB="1", **{os.path.basename(path).split("-")[0].upper() + "_LIMIT": "3"})
    Player("127.0.0.1", s.port, "user1", "secret", "box").play(path)
    s.stop()


@pytest.mark.skipif(bool(OUTSIDE), reason="restarts and odd settings need a server of our own")
def test_transcripts_without_views(tmp_path):
    """The same answers when every view is dropped as soon as a session waits: it is a function of (mailbox, modseq)."""
    s = Server(tmp_path, LAB="1", VIEW_MS="1")
    for n, path in enumerate(TRANSCRIPTS):
        Player("127.0.0.1", s.port, "user%d" % (n + 1), "secret", "box", repeats=True).play(path)
    s.stop()


@pytest.mark.skipif(bool(OUTSIDE), reason="a clock of our own")
def test_search_progress(tmp_path):
    """RFC 9585: a search that takes long says how it goes; here any time is long. A client that is gone ends it."""
    s = Server(tmp_path, LAB="1", PROGRESS_MS="0")
    c = Connection("127.0.0.1", s.port)
    c.line()
    c.send(b"a LOGIN user1 secret\r\nb CREATE many\r\n")
    for n in range(5):
        c.send(b"c APPEND many {%d+}\r\nSubject: %d\r\n\r\nneedle\r\n" % (20, n))
    c.send(b"d SELECT many\r\n")
    while not c.line().startswith(b"d OK"):
        pass
    c.send(b"e SEARCH BODY needle\r\n")
    for n in range(1, 5):
        assert c.line() == b'* OK [INPROGRESS ("e" %d 5)] Still searching' % n
    assert c.line() == b"* SEARCH 1 2 3 4 5"
    assert c.line().startswith(b"e OK")
    c.send(b"f ESEARCH IN (mailboxes many) RETURN (COUNT) BODY needle\r\n")
    for n in range(1, 5):
        assert c.line() == b'* OK [INPROGRESS ("f" %d 5)] Still searching' % n
    assert c.line().endswith(b"UID COUNT 5")
    assert c.line().startswith(b"f OK")
    # What is cheap tells nothing
    c.send(b"g SEARCH ALL\r\n")
    assert c.line() == b"* SEARCH 1 2 3 4 5"
    c.send(b"h SEARCH BODY needle\r\n")
    c.close()
    s.stop()


# STARTTLS, "papers" case B: nothing of what came before the handshake may be answered or kept after it.
TAILS = [b"b NOOP\r\n", b"b NOO", b"b LOGIN user1 secret\r\n", b"b APPEND INBOX {5}\r\n", b"\r\n"]


def refused(c):
    """The connection ends without any answer to the tail."""
    try:
        c.tls()
    except (OSError, ssl.SSLError):
        return True
    return c.closed()


@pytest.mark.skipif(bool(OUTSIDE), reason="needs a certificate of our own")
@pytest.mark.parametrize("tail", TAILS)
def test_starttls_injection(tls_server, tail):
    octets = b"a STARTTLS\r\n" + tail
    for cut in range(len(b"a STARTTLS\r\n"), len(octets)):
        c = Connection("127.0.0.1", tls_server.port)
        assert c.line().startswith(b"* OK")
        # Some of the tail in the same segment as the command: that much must be there when the handshake is to start.
        c.send(octets[:cut + 1])
        assert c.line().startswith(b"a OK")
        assert refused(c)
        c.close()


@pytest.mark.skipif(bool(OUTSIDE), reason="needs a certificate of our own")
def test_starttls_split(tls_server):
    """The command itself may come in any pieces; state from before is forgotten."""
    for cut in range(1, len(b"a STARTTLS\r\n")):
        c = Connection("127.0.0.1", tls_server.port)
        greeting = c.line()
        assert b"LOGINDISABLED" in greeting and b"STARTTLS" in greeting and b"AUTH=" not in greeting
        c.send(b"a STARTTLS\r\n"[:cut])
        time.sleep(0.005)
        c.send(b"a STARTTLS\r\n"[cut:])
        assert c.line().startswith(b"a OK")
        c.tls()
        c.send(b"b CAPABILITY\r\n")
        capability = c.line()
        assert b"AUTH=PLAIN" in capability and b"STARTTLS" not in capability and b"LOGINDISABLED" not in capability
        assert c.line().startswith(b"b OK")
        c.send(b"c STARTTLS\r\nd LOGIN user1 secret\r\n")
        assert c.line().startswith(b"c BAD")
        assert c.line().startswith(b"d OK")
        c.close()


@pytest.mark.skipif(bool(OUTSIDE), reason="needs a certificate of our own")
def test_no_password_in_clear(tls_server):
    c = Connection("127.0.0.1", tls_server.port)
    c.line()
    c.send(b"a LOGIN user1 secret\r\nb AUTHENTICATE PLAIN AHVzZXIxAHNlY3JldA==\r\nc AUTHENTICATE PLAIN\r\nd STARTTLS now\r\n")
    for tag in (b"a", b"b", b"c"):
        assert c.line().startswith(tag + b" NO [PRIVACYREQUIRED]")
    assert c.line().startswith(b"d BAD")
    c.close()


@pytest.mark.skipif(bool(OUTSIDE), reason="server's own sign-in is needed")
def test_every_split(server):
    """Any split of the input gives the same output."""
    script = (b"a LOGIN {5}\r\nuser1 {6+}\r\nsecret\r\nb CREATE x\r\nc APPEND x (\\Seen) {4+}\r\nA:b\n\r\nd SELECT x\r\n"
              b"e FETCH 1 (FLAGS BODY.PEEK[])\r\nf IDLE\r\nDoNe\r\n\r\ng STORE 1 +FLAGS (\\Deleted)\r\nh CLOSE\r\ni DELETE x\r\n"
              b"j LOGOUT\r\n")
    outputs = set()
    for cut in range(0, len(script), 1):
        c = Connection("127.0.0.1", server.port)
        c.send(script[:cut])
        c.send(script[cut:])
        out = b""
        while True:
            more = c.sock.recv(65536)
            if not more:
                break
            out += more
        c.close()
        assert b"j OK" in out, (cut, out)
        for word in (b"UIDVALIDITY ", b"APPENDUID ", b"HIGHESTMODSEQ "):
            head, rest = out.split(word, 1)
            out = head + word + rest.lstrip(b"0123456789")
        out = re.sub(rb"MAILBOXID \(F\d+\)", b"MAILBOXID", out)
        outputs.add(out)
    assert len(outputs) == 1, outputs


@pytest.mark.skipif(bool(OUTSIDE), reason="server's own sign-in is needed")
@pytest.mark.parametrize("size", [1, 65535, 65536, 262144, 262145, 1500000])
def test_large_message(server, size):
    """Over 256 KiB a message is a file: octet for octet the same, whole and in pieces; half an APPEND leaves nothing."""
    message = b"Subject: large\r\n\r\n" + (b"0123456789abcdef" * (size // 16 + 1))[:size] + b"\r\n"
    c = Connection("127.0.0.1", server.port)
    c.line()
    c.send(b"a LOGIN user1 secret\r\nb CREATE big\r\n")
    while not c.line().startswith(b"b OK"):
        pass
    half = Connection("127.0.0.1", server.port)
    half.line()
    half.send(b"a LOGIN user1 secret\r\nb APPEND big {%d+}\r\n" % len(message) + message[:len(message) // 2])
    assert half.line().startswith(b"a OK")
    half.close()
    c.send(b"c APPEND big {%d}\r\n" % len(message))
    assert c.line().startswith(b"+")
    c.send(message + b"\r\nd EXAMINE big\r\n")
    assert c.line().startswith(b"c OK")
    exists = 0
    while True:
        line = c.line()
        exists = int(line.split()[1]) if line.endswith(b" EXISTS") else exists
        if line.startswith(b"d OK"):
            break
    assert exists == 1
    c.send(b"e FETCH 1 BODY.PEEK[]\r\n")
    assert c.line() == b"* 1 FETCH (BODY[] {%d}" % len(message)
    assert read_exactly(c, len(message)) == message
    assert c.line() == b")" and c.line().startswith(b"e OK")
    at = 0
    while at < len(message):
        c.send(b"f FETCH 1 BODY.PEEK[]<%d.100000>\r\n" % at)
        n = min(100000, len(message) - at)
        assert c.line() == b"* 1 FETCH (BODY[]<%d> {%d}" % (at, n)
        assert read_exactly(c, n) == message[at:at + n]
        assert c.line() == b")" and c.line().startswith(b"f OK")
        at += n
    c.close()


def read_exactly(c, n):
    while len(c.buffer) < n:
        more = c.sock.recv(65536)
        assert more
        c.buffer += more
    octets, c.buffer = c.buffer[:n], c.buffer[n:]
    return octets


@pytest.mark.skipif(bool(OUTSIDE), reason="server's own sign-in is needed")
def test_slow_reader(server):
    """A client that does not read holds nothing of the account: others go on writing to it."""
    message = b"Subject: m\r\n\r\n" + b"x" * 1000000 + b"\r\n"
    slow = Connection("127.0.0.1", server.port)
    slow.line()
    slow.send(b"a LOGIN user1 secret\r\nb CREATE slow\r\n")
    for _ in range(8):
        slow.send(b"c APPEND slow {%d+}\r\n" % len(message) + message + b"\r\n")
    slow.send(b"d SELECT slow\r\n")
    while not slow.line().startswith(b"d OK"):
        pass
    slow.send(b"e FETCH 1:8 BODY.PEEK[]\r\n")
    other = Connection("127.0.0.1", server.port)
    other.line()
    other.send(b"a LOGIN user1 secret\r\nb SELECT slow\r\nc STORE 1:8 +FLAGS.SILENT (\\Flagged)\r\nd CREATE other\r\n")
    while not other.line().startswith(b"d OK"):
        pass
    other.close()
    assert slow.line().startswith(b"* 1 FETCH (BODY[] {%d}" % len(message))
    slow.close()


@pytest.mark.skipif(bool(OUTSIDE), reason="server's own sign-in is needed")
def test_idle_many(server):
    """One change wakes every idling session of the account, and no other one."""
    sessions = []
    for user in [1] * 20 + [2] * 3:
        c = Connection("127.0.0.1", server.port)
        c.line()
        c.send(b"a LOGIN user%d secret\r\nb SELECT INBOX\r\nc IDLE\r\n" % user)
        while not c.line().startswith(b"+"):
            pass
        sessions.append((user, c))
    writer = Connection("127.0.0.1", server.port)
    writer.line()
    writer.send(b"a LOGIN user1 secret\r\nb APPEND INBOX {3+}\r\na:b\r\n")
    while not writer.line().startswith(b"b OK"):
        pass
    for user, c in sessions:
        if user == 1:
            assert c.line() == b"* 1 EXISTS"
            assert c.line().endswith(b" RECENT")
        c.send(b"DONE\r\n")
        assert c.line().startswith(b"c OK")
        c.close()


# ---- nobody stays without signing in ----

def ends_with_bye(c):
    lines = []
    while True:
        try:
            lines.append(c.line())
        except AssertionError:  # the end
            return lines[-1].startswith(b"* BYE "), lines


@pytest.mark.skipif(bool(OUTSIDE), reason="limits of our own")
@pytest.mark.parametrize("command", [b"CAPABILITY", b"NOOP", b"ID NIL"])
def test_commands_before_sign_in(server, command):
    c = Connection("127.0.0.1", server.port)
    c.send(b"".join(b"a%d %s\r\n" % (i, command) for i in range(200)))
    bye, lines = ends_with_bye(c)
    assert bye and sum(b" OK" in l for l in lines) == 1 + 100
    c.close()


@pytest.mark.skipif(bool(OUTSIDE), reason="limits of our own")
@pytest.mark.parametrize("octets", [b"a NOOP\r\n", b"a", b""])
def test_time_before_sign_in(tmp_path, octets):
    """Commands, a line that never ends, nothing: all end by the same clock. Signed in, it does not count."""
    s = Server(tmp_path, LAB="1", SIGNIN_MS="1500")
    began = time.monotonic()
    c, user = Connection("127.0.0.1", s.port), Connection("127.0.0.1", s.port)
    user.line()
    user.send(b"a LOGIN user1 secret\r\n")
    assert user.line().startswith(b"a OK")
    c.sock.settimeout(0.05)
    c.line()
    while True:
        try:
            c.send(octets)
            time.sleep(0.05)
            if c.line().startswith(b"* BYE"):
                break
        except TimeoutError:
            assert time.monotonic() - began < 10
    assert 1 < time.monotonic() - began < 5
    user.send(b"b NOOP\r\n")
    assert user.line().startswith(b"b OK")
    c.close()
    user.close()
    s.stop()


# ---- nor longer than the token of a sign-in is good ----

@pytest.mark.skipif(bool(OUTSIDE), reason="limits of our own")
@pytest.mark.parametrize("command", [b"NOOP\r\n", b"IDLE\r\nDONE\r\n", b"APPEND INBOX {3+}\r\na:b\r\n"])
def test_time_of_a_session(tmp_path, command):
    s = Server(tmp_path, LAB="1", SESSION_MS="1000")
    c = Connection("127.0.0.1", s.port)
    c.line()
    c.send(b"a LOGIN user1 secret\r\nb SELECT INBOX\r\n")
    line, n = b"", 0
    while not line.startswith(b"* BYE"):
        n += 1
        assert n < 1000
        c.send(b"c%d %s" % (n, command))
        time.sleep(0.02)
        while not line.startswith((b"c%d " % n, b"* BYE")):
            line = c.line()
            assert not line.startswith((b"c%d NO" % n, b"c%d BAD" % n))
    assert n > 1 and b"connect again" in line
    c.close()
    s.stop()


# ---- memory of the process ----

def signed_in(s, box):
    c = Connection("127.0.0.1", s.port)
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100000)  # or the system would read for us
    c.line()
    c.send(b"a LOGIN user1 secret\r\nb SELECT %s\r\n" % box)
    while not c.line().startswith(b"b "):
        pass
    return c


def answer(c, command):
    c.send(b"x " + command + b"\r\n")
    while True:
        line = c.line()
        if line.startswith(b"x "):
            return line


BULK = [b"FETCH 1 (UID ENVELOPE)", b"FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]", b"SEARCH ALL", b"UID SEARCH SUBJECT zebra", b'LIST "" "*"', b'LSUB "" "*"']


@pytest.mark.skipif(bool(OUTSIDE), reason="limits of our own")
def test_output_counts(tmp_path):
    """Clients that do not read what they asked for fill the memory of the process: others are refused by their protocol, and lose
    nothing; what is small goes on; and it is all given back."""
    s = Server(tmp_path, LAB="1", MEMORY=str(3 << 20))
    c = signed_in(s, b"INBOX")
    assert answer(c, b"CREATE big").startswith(b"x OK")
    message = b"Subject: m\r\n\r\n" + b"x" * 2000000 + b"\r\n"
    for _ in range(4):
        c.send(b"c APPEND big {%d+}\r\n" % len(message) + message + b"\r\n")
        assert c.line().startswith(b"c OK")
    assert answer(c, b"SELECT big").startswith(b"x OK")
    slow = [signed_in(s, b"big") for _ in range(12)]
    for one in slow:
        one.send(b"e FETCH 1:4 BODY.PEEK[]\r\n")
    end = time.monotonic() + 10
    while not answer(c, b"SEARCH ALL").startswith(b"x NO [LIMIT]"):
        assert time.monotonic() < end
        time.sleep(0.05)
    for command in BULK:
        assert answer(c, command).startswith(b"x NO [LIMIT]"), command
    assert answer(c, b"NOOP").startswith(b"x OK")
    assert answer(c, b"CREATE other").startswith(b"x OK")
    # Each of the slow ones has all of it, or a refusal: never half a message.
    whole = 0
    for one in slow:
        got = 0
        while True:
            line = one.line()
            if line.startswith(b"e "):
                break
            assert line.endswith(b"{%d}" % len(message))
            assert read_exactly(one, len(message)) == message
            assert one.line() == b")"
            got += 1
        assert (got == 4 and line.startswith(b"e OK")) or line.startswith(b"e NO [LIMIT]")
        whole += got == 4
        one.close()
    assert 0 < whole < 12
    # The server sees in its own time that they are gone.
    end = time.monotonic() + 10
    while not all(answer(c, command).startswith(b"x OK") for command in BULK):
        assert time.monotonic() < end
        time.sleep(0.05)
    c.close()
    s.stop()


@pytest.mark.skipif(bool(OUTSIDE), reason="limits of our own")
def test_names_count(tmp_path):
    """Names that are subscribed to cost nothing to make, and each may bring 49 parents: what LIST and LSUB make of them counts too."""
    s = Server(tmp_path, LAB="1", MEMORY=str(2 << 20))
    c = signed_in(s, b"INBOX")
    for start in range(0, 1000, 100):
        c.send(b"".join(b"d SUBSCRIBE %d%s\r\n" % (n, b"/b" * 49) for n in range(start, start + 100)))
        for _ in range(100):
            assert c.line().startswith(b"d OK")
    for command in (b'LSUB "" "x"', b'LIST (SUBSCRIBED) "" "x"'):
        assert answer(c, command).startswith(b"x NO [LIMIT]"), command
    assert answer(c, b'LIST "" "*"').startswith(b"x OK")
    c.send(b"".join(b"d UNSUBSCRIBE %d%s\r\n" % (n, b"/b" * 49) for n in range(1000)))
    for _ in range(1000):
        assert c.line().startswith(b"d OK")
    for command in (b'LSUB "" "x"', b'LIST (SUBSCRIBED) "" "x"'):
        assert answer(c, command).startswith(b"x OK"), command
    c.close()
    s.stop()


# ---- mod-sequences that may have been lost with the power ----

@pytest.mark.skipif(bool(OUTSIDE), reason="restarts need a server of our own")
def test_modseq_gap(tmp_path):
    """mailbox.md 33: flags are shown before they are synced, so after a boot their mod-sequences may name nothing. None is given out
    twice, HIGHESTMODSEQ does not go backwards, and who comes with one of them hears that everything changed."""
    def opened(n):
        s = Server(tmp_path, LAB="1", BOOT=str(n))
        c = Connection("127.0.0.1", s.port)
        c.line()
        c.send(b"a LOGIN user1 secret\r\nb ENABLE QRESYNC\r\n")
        while not c.line().startswith(b"b OK"):
            pass
        return s, c

    def lines(c, command):
        c.send(b"x " + command + b"\r\n")
        out = [c.line()]
        while not out[-1].startswith(b"x "):
            out.append(c.line())
        return out

    def number(pattern, out):
        return int(re.search(pattern, b"\n".join(out)).group(1))

    s, c = opened(1)
    for flags in (b"", b"\\Seen"):
        c.send(b"c APPEND INBOX (%s) {3+}\r\na:b\r\n" % flags)
        assert c.line().startswith(b"c OK")
    out = lines(c, b"SELECT INBOX")
    validity = number(rb"UIDVALIDITY (\d+)", out)
    shown = number(rb"MODSEQ \((\d+)\)", lines(c, b"STORE 1 FLAGS (\\Flagged)"))
    assert shown > number(rb"HIGHESTMODSEQ (\d+)", out)
    c.close()
    s.stop()
    # As after a power cut it may be that the client was shown more than is left: here, up to shown + 5.
    s, c = opened(2)
    out = lines(c, b"SELECT INBOX (QRESYNC (%d %d))" % (validity, shown + 5))
    assert sum(b"FETCH" in line for line in out) == 2
    highest = number(rb"HIGHESTMODSEQ (\d+)", out)
    assert highest > shown + 5
    for command in (b"FETCH 1:* UID (CHANGEDSINCE %d)", b"UID FETCH 1:* UID (CHANGEDSINCE %d VANISHED)"):
        assert sum(b"FETCH" in line for line in lines(c, command % (shown + 5))) == 2
        assert sum(b"FETCH" in line for line in lines(c, command % highest)) == 0
    assert lines(c, b"STORE 1:2 (UNCHANGEDSINCE %d) FLAGS ()" % (shown + 5))[-1].startswith(b"x OK [MODIFIED 1:2]")
    assert number(rb"HIGHESTMODSEQ (\d+)", lines(c, b"STATUS INBOX (HIGHESTMODSEQ)")) == highest
    out = lines(c, b"STORE 1:2 (UNCHANGEDSINCE %d) FLAGS ()" % highest)
    assert out[-1].startswith(b"x OK Done") and number(rb"MODSEQ \((\d+)\)", out) > highest
    c.close()
    s.stop()


# ---- sessions that wait ----

@pytest.mark.skipif(bool(OUTSIDE), reason="settings of our own")
@pytest.mark.parametrize("view_ms", ["20000", "1"])
def test_nothing_is_missed(tmp_path, view_ms):
    """Messages come while a session is between two commands, goes into IDLE, idles, and leaves it: it hears of each once, and by
    number of each as it is."""
    s = Server(tmp_path, LAB="1", VIEW_MS=view_ms)
    reader, writer = signed_in(s, b"INBOX"), signed_in(s, b"Trash")
    exists = told = 0
    for turn in range(60):
        in_idle = turn % 3
        if in_idle == 1:
            reader.send(b"i IDLE\r\n")  # not waited for: it may begin before the message comes, or behind it
        elif in_idle == 2:
            reader.send(b"i IDLE\r\n")
            while not reader.line().startswith(b"+"):
                pass
        writer.send(b"w APPEND INBOX {3+}\r\na:b\r\n")
        assert writer.line().startswith(b"w OK")
        exists += 1
        if in_idle:
            while told < exists:
                line = reader.line()
                if line.endswith(b" EXISTS"):
                    assert int(line.split()[1]) == told + 1, line
                    told += 1
            reader.send(b"DONE\r\n")
            while not reader.line().startswith(b"i OK"):
                pass
        else:
            reader.send(b"n NOOP\r\n")
            line = reader.line()
            while not line.startswith(b"n OK"):
                if line.endswith(b" EXISTS"):
                    assert int(line.split()[1]) == told + 1, line
                    told += 1
                line = reader.line()
            assert told == exists
        if turn % 10 == 9:
            if view_ms == "1":
                time.sleep(0.05)  # the list of messages is dropped meanwhile
            assert answer(reader, b"FETCH %d UID" % exists).startswith(b"x OK")
    reader.close()
    writer.close()
    s.stop()
