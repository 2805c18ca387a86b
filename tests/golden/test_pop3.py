"""Golden transcripts of POP3, STLS injection, and what strangers may do before sign-in.

They run against tests/golden/imap_server (IMAP_SERVER names it), which serves both protocols.
"""
import glob
import os
import poplib
import socket
import ssl
import time

import pytest

from imap_driver import Connection
from pop3_driver import Pop3Player
from test_imap import Server, certificate, refused  # noqa: F401 (a fixture)

HERE = os.path.dirname(os.path.abspath(__file__))
TRANSCRIPTS = sorted(glob.glob(os.path.join(HERE, "pop3", "*.txt")))


class Both(Server):
    def __init__(self, directory, *args, **env):
        super().__init__(directory, *args, **env)
        self.pop3 = int(self.process.stdout.readline().split()[1])


@pytest.fixture
def server(tmp_path):
    s = Both(tmp_path, LAB="1")
    yield s
    s.stop()


@pytest.fixture
def tls_server(tmp_path, certificate):  # noqa: F811
    s = Both(tmp_path, *certificate)
    yield s
    s.stop()


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda p: os.path.basename(p)[:-4])
def test_transcript(path, request):
    with open(path) as f:
        s = request.getfixturevalue("tls_server" if f.readline() == "# tls\n" else "server")
    Pop3Player("127.0.0.1", s.port, s.pop3, "user1", "secret", "box").play(path)


# ---- the framing ----

TAILS = [b"CAPA\r\n", b"CAP", b"USER user1\r\nPASS secret\r\n", b"\r\n"]


@pytest.mark.parametrize("tail", TAILS)
def test_stls_injection(tls_server, tail):
    """Nothing of what came before the handshake is answered or kept after it."""
    octets = b"STLS\r\n" + tail
    for cut in range(len(b"STLS\r\n"), len(octets)):
        c = Connection("127.0.0.1", tls_server.pop3)
        assert c.line().startswith(b"+OK")
        c.send(octets[:cut + 1])
        assert c.line().startswith(b"+OK")
        assert refused(c)
        c.close()


def test_stls_forgets(tls_server):
    """USER and UTF8 of before the handshake are gone: PASS alone signs nobody in."""
    c = Connection("127.0.0.1", tls_server.pop3)
    c.line()
    c.send(b"STLS\r\n")
    c.line()
    c.tls()
    c.send(b"PASS secret\r\n")
    assert c.line().startswith(b"-ERR USER comes first")
    c.close()


def talk(s, octets):
    c = Connection("127.0.0.1", s.pop3)
    for one in octets:
        c.send(one)
    out = b""
    while True:
        more = c.sock.recv(65536)
        if not more:
            break
        out += more
    c.close()
    return out


def fill(s, *messages):
    c = Connection("127.0.0.1", s.port)
    c.line()
    c.send(b"a LOGIN user1 secret\r\n")
    for m in messages:
        c.send(b"b APPEND INBOX {%d+}\r\n" % len(m) + m + b"\r\n")
        while not c.line().startswith(b"b OK"):
            pass
    return c


def test_every_split(server):
    """Any split of the input gives the same output."""
    fill(server, b"A: b\r\n\r\n.x\r\n").close()
    script = b"USER user1\r\nCAPA\r\nUSER user1\r\nPASS secret\r\nUIDL\r\nTOP 1 1\r\nRETR 1\r\nDELE 1\r\nRSET\r\nQUIT\r\n"
    outputs = {talk(server, [script[:cut], script[cut:]]) for cut in range(len(script))}
    assert len(outputs) == 1 and outputs.pop().endswith(b"+OK Good bye\r\n")


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 131072, 262144, 262145, 1500000])
def test_large_message(server, size):
    """Octet for octet the same, as row and as file, with dots at all places; the number that LIST tells."""
    body = (b"." * 61 + b"\r\n") * (size // 63 + 1)
    message = b"Subject: large\r\n\r\n" + body[:size].rstrip(b"\r\n") + b"\r\n"
    fill(server, message).close()
    p = poplib.POP3("127.0.0.1", server.pop3)
    p.user("user1"), p.pass_("secret")
    lines, octets = p.retr(1)[1:]
    assert b"\r\n".join(lines) + b"\r\n" == message
    assert p.list(1).split()[2] == b"%d" % len(message)
    head = p.top(1, 0)[1]
    assert head == [b"Subject: large", b""]
    p.quit()


@pytest.mark.parametrize("cut", range(65530, 65540))
def test_lone_at_pieces(server, cut):
    """Lone CR and LF at the edge of what is read at once: what LIST says is what RETR sends, and no line end is doubled."""
    filler = b"A: b\r\n\r\n" + b"x" * (cut - 8)
    for lone in (b"\n", b"\r", b"\r\n", b"\r\r\n", b"\n\r", b"\r\n.\r\n", b"\n."):
        fill(server, filler + lone + b"y").close()
    c = Connection("127.0.0.1", server.pop3)
    c.line()
    c.send(b"USER user1\r\nPASS secret\r\nLIST\r\n")
    sizes = []
    for _ in range(3):
        c.line()
    while (line := c.line()) != b".":
        sizes.append(int(line.split()[1]))
    want = [b"\r\ny", b"\r\ny", b"\r\ny", b"\r\n\r\ny", b"\r\n\r\ny", b"\r\n.\r\ny", b"\r\n.y"]
    for n, size in enumerate(sizes, 1):
        c.send(b"RETR %d\r\n" % n)
        assert c.line() == b"+OK %d octets" % size
        lines = []
        while (line := c.line()) != b".":
            lines.append(line[1:] if line.startswith(b".") else line)
        got = b"\r\n".join(lines) + b"\r\n"
        assert got == filler + want[n - 1] + b"\r\n" and len(got) == size
    c.close()


# ---- nothing is lost ----

def count(c):
    c.send(b"s STATUS INBOX (MESSAGES)\r\n")
    n = int(c.line().split()[-1].rstrip(b")"))
    c.line()
    return n


@pytest.mark.parametrize("end", [b"", b"QUI", b"QUIT", b"QUIT \n", b"RSET\r\nQUIT\r\n", b"X" * 5000])
def test_dropped_connection(server, end):
    """Whatever but a whole QUIT ends the connection: nothing is removed."""
    c = fill(server, b"A: 1\r\n\r\n", b"A: 2\r\n\r\n")
    c.line() if c.buffer.startswith(b"a") else None
    p = Connection("127.0.0.1", server.pop3)
    p.line()
    p.send(b"USER user1\r\nPASS secret\r\nDELE 1\r\nDELE 2\r\n" + end)
    for _ in range(4):
        assert p.line().startswith(b"+OK")
    p.close()
    time.sleep(0.2)
    assert count(c) == 2
    c.close()


def test_idle_end(tmp_path):
    """RFC 1939 §3: at the time-out no word, and nothing is removed."""
    s = Both(tmp_path, LAB="1", IDLE_MS="500")
    c = fill(s, b"A: 1\r\n\r\n")
    p = Connection("127.0.0.1", s.pop3)
    p.line()
    p.send(b"USER user1\r\nPASS secret\r\nDELE 1\r\n")
    for _ in range(3):
        assert p.line().startswith(b"+OK")
    assert p.closed()
    assert count(c) == 1
    c.close()
    s.stop()


def test_idle_imap_is_told(server):
    """What RETR and QUIT change reaches an idling IMAP session."""
    c = fill(server, b"A: 1\r\n\r\n", b"A: 2\r\n\r\n")
    c.send(b"c SELECT INBOX\r\nd IDLE\r\n")
    while not c.line().startswith(b"+"):
        pass
    p = poplib.POP3("127.0.0.1", server.pop3)
    p.user("user1"), p.pass_("secret")
    p.retr(2)
    assert c.line().startswith(b"* 2 FETCH (") 
    p.dele(1)
    p.quit()
    assert c.line() == b"* 1 EXPUNGE"
    c.send(b"DONE\r\n")
    assert c.line().startswith(b"d OK")
    c.close()


# ---- strangers ----

@pytest.mark.parametrize("command", [b"CAPA", b"UTF8", b"USER user1"])
def test_commands_before_sign_in(server, command):
    out = talk(server, [(command + b"\r\n") * 200])
    assert out.endswith(b"-ERR [SYS/TEMP] Nobody signed in, connect again\r\n")
    assert out.count(b"+OK") == 1 + 100


@pytest.mark.parametrize("octets", [b"UTF8\r\n", b"U", b""])
def test_time_before_sign_in(tmp_path, octets):
    """Commands, a line that never ends, nothing: all end by the same clock. Signed in, it does not count."""
    s = Both(tmp_path, LAB="1", SIGNIN_MS="1500")
    c, user = Connection("127.0.0.1", s.pop3), Connection("127.0.0.1", s.pop3)
    user.line()
    user.send(b"USER user1\r\nPASS secret\r\n")
    assert user.line().startswith(b"+OK") and user.line().startswith(b"+OK")
    c.sock.settimeout(0.05)
    ended = time.monotonic() + 20
    line = b""
    while not line.startswith(b"-ERR [SYS/TEMP] Nobody"):
        assert time.monotonic() < ended
        try:
            c.send(octets)
            time.sleep(0.05)
            line = c.line()
        except TimeoutError:
            pass
    user.send(b"NOOP\r\n")
    assert user.line().startswith(b"+OK")
    c.close()
    user.close()
    s.stop()


def test_long_lines(server):
    """Before sign-in a line may be as long as an exchange needs; behind it a kilobyte. Too long is said once; the session goes on."""
    c = Connection("127.0.0.1", server.pop3)
    c.line()
    c.send(b"USER " + b"u" * 100000 + b"\r\n")
    assert c.line() == b"-ERR Line is too long"
    c.send(b"AUTH PLAIN\r\n")
    assert c.line() == b"+ "
    c.send(b"A" * 100000 + b"\r\n")
    assert c.line() == b"-ERR Line is too long"
    c.send(b"USER " + b"u" * 12000 + b"\r\nPASS x\r\n")
    assert c.line().startswith(b"+OK") and c.line().startswith(b"-ERR")
    c.send(b"USER user1\r\nPASS secret\r\nSTAT\r\n")
    for _ in range(3):
        assert c.line().startswith(b"+OK")
    c.send(b"LIST " + b"1" * 5000 + b"\r\nLIST " + b"1" * 1000 + b"\r\n")
    assert c.line() == b"-ERR Line is too long"
    assert c.line() == b"-ERR No such message: there are 0"
    c.close()


def test_memory(tmp_path):
    """A mailbox list counts against the memory of the process; where it is full the client is told to come later, and it is given back."""
    s = Both(tmp_path, LAB="1", MEMORY=str(400 << 10))
    fill(s, b"A: 1\r\n\r\n").close()
    message = b"Subject: m\r\n\r\n" + (b"x" * 70 + b"\r\n") * 100
    fill(s, *[message] * 60).close()
    slow = []
    for _ in range(6):
        c = Connection("127.0.0.1", s.pop3)
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.line()
        c.send(b"USER user1\r\nPASS secret\r\n")
        assert c.line().startswith(b"+OK") and c.line().startswith(b"+OK 61")
        slow.append(c)
    # Each that reads nothing holds what a command may need.
    for c in slow:
        c.send(b"RETR 2\r\n" * 1000)
    full = 0
    deadline = time.monotonic() + 20
    while not full:
        assert time.monotonic() < deadline
        c = Connection("127.0.0.1", s.pop3)
        c.line()
        c.send(b"USER user1\r\nPASS secret\r\nLIST\r\n")
        c.line()
        answers = [c.line()]
        if answers[0].startswith(b"+OK"):
            answers.append(c.line())
        full = any(a.startswith(b"-ERR [SYS/TEMP] The server is full") for a in answers)
        c.close()
    for c in slow:
        c.close()
    s.stop()  # which looks whether all was given back


def test_slow_reader(server):
    """A client that does not read holds nothing of the account: others go on writing to it."""
    message = b"Subject: m\r\n\r\n" + b"x" * 1900000 + b"\r\n"
    writer = fill(server, *[message] * 4)
    slow = Connection("127.0.0.1", server.pop3)
    slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.line()
    slow.send(b"USER user1\r\nPASS secret\r\n" + b"RETR 1\r\nRETR 2\r\nRETR 3\r\nRETR 4\r\n")
    for _ in range(2):
        slow.line()
    writer.send(b"c SELECT INBOX\r\nd STORE 1:4 +FLAGS.SILENT (\\Flagged)\r\ne CREATE other\r\n")
    while not writer.line().startswith(b"e OK"):
        pass
    writer.close()
    slow.close()
