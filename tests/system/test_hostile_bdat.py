"""Chunks (RFC 3030) as a stranger counts them: the octets behind a BDAT are never commands, whatever is answered. One test per row of docs/hostile.md."""
import socket
import ssl

import pytest

from peers import DOMAIN, Closed, Imap, chunk, rss_kib, smtp
from server import Server
from test_smuggling import Normalising

STRANGER = "x@elsewhere.example"
LIMIT = 2000000  # message_size of this server
HEAD = b"From: <x@elsewhere.example>\r\nSubject: %s\r\n\r\n"
BROKEN = (Closed, ConnectionResetError, BrokenPipeError, ssl.SSLError)


@pytest.fixture(scope="module")
def server():
    s = Server("--accounts", "150", environment={"POSTRIDER_MESSAGE_SIZE": str(LIMIT)}).start()
    s.next_account = 9
    yield s
    s.stop()


@pytest.fixture
def box(server):
    """An address of the test's own."""
    server.next_account += 1
    return "user%d@%s" % (server.next_account, DOMAIN)


@pytest.fixture(params=[False, True], ids=["clear", "tls"])
def client(request, server, box):
    """With a transaction for the box open."""
    with smtp(server, 25, request.param) as c:
        begin(c, box)
        yield c


def begin(c, to):
    c.ok("MAIL FROM:<%s>" % STRANGER)
    c.ok("RCPT TO:<%s>" % to)


def codes(c, n):
    return [c.reply()[0] for _ in range(n)]


def bodies(server, to, subject):
    """Below the fields that were added; after it has come for sure."""
    with Imap(server, 993, user=to) as c:
        c.wait_for(subject)
        return [b[b.index(b"From: <"):] for b in c.bodies()]


def test_any_chunks(server, box):
    """One message, cut into two chunks at every octet, and into chunks of one octet: the same, with dots and ends of lines where they were."""
    octets = HEAD % b"cut" + b".\r\n..\r\na\r\n.\r\n\r\nMAIL FROM:<>\r\nlast"
    with smtp(server, 25) as c:
        for at in range(len(octets) + 1):
            c.send(b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\n" % (STRANGER.encode(), box.encode()) + chunk(octets[:at]) + chunk(octets[at:], True))
            assert codes(c, 4) == [250] * 4, at
        c.send(b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\n" % (STRANGER.encode(), box.encode()) + b"".join(chunk(octets[i:i + 1]) for i in range(len(octets)))
               + b"BDAT 0 LAST\r\n")
        assert codes(c, len(octets) + 3) == [250] * (len(octets) + 3)
    with Imap(server, 993, user=box) as c:
        c.ok("SELECT INBOX")
        while c.exists() < len(octets) + 2:
            c.ok("SELECT INBOX")
            if c.exists() < len(octets) + 2:
                c.wait_for_news()
        for b in c.bodies():
            assert b.endswith(b"\r\n" + octets + b"\r\n"), b


EDGES = {"CR alone": (b"a\rb",), "LF alone": (b"a\nb",), "CR at the end": (b"a\r",), "CR|LF": (b"a\r", b"\nb\r\n"), "CR|x": (b"a\r", b"b\r\n"), "x|LF": (b"a", b"\nb\r\n"),
         "NUL": (b"a\0b",), "CRLF|LF": (b"a\r\n", b"\nb"), "CR|CRLF": (b"a\r", b"\r\nb"), "dot": (b"a\r\n", b".", b"\r\nb\r\n"), "LF dot LF": (b"a\n.\nb",),
         "end of data": (b"a\r\n.\r\nMAIL FROM:<y@b.example>\r\n",), "empty between": (b"a\r", b"", b"\nb\r\n")}
LEGAL = {"CR|LF", "dot", "end of data", "empty between"}


@pytest.mark.parametrize("name", EDGES)
def test_line_ends(server, client, box, name):
    """Bare CR, LF and NUL in a chunk and at its edges: refused as in DATA; a CR and LF in two chunks are one line end, and a dot is a dot."""
    pieces = EDGES[name]
    client.send(chunk(HEAD % b"edges") + b"".join(chunk(p) for p in pieces) + b"BDAT 0 LAST\r\n")
    got = codes(client, len(pieces) + 2)
    if name in LEGAL:
        assert got == [250] * len(got)
        assert bodies(server, box, "edges") == [HEAD % b"edges" + b"".join(pieces) + (b"" if b"".join(pieces).endswith(b"\n") else b"\r\n")]
    else:
        assert got.count(554) == 1 and set(got) <= {250, 554, 503}, got
        begin(client, box)
        client.send(chunk(HEAD % b"after" + b"x\r\n", True))
        assert client.reply()[0] == 250
        assert len(bodies(server, box, "after")) == 1


def test_line_ends_normalised():
    """With normalise_bare_eol what is bare becomes CRLF, over the edges of chunks too; NUL is refused."""
    with Normalising(lab=False) as server:
        for n, (name, pieces) in enumerate(EDGES.items()):
            with smtp(server, 25) as c:
                begin(c, "bob@" + DOMAIN)
                c.send(chunk(HEAD % (b"normal-%d" % n)) + b"".join(chunk(p) for p in pieces) + b"BDAT 0 LAST\r\n")
                assert (codes(c, len(pieces) + 2) == [250] * (len(pieces) + 2)) == (name != "NUL"), name
        with Imap(server, 993, user="bob@" + DOMAIN) as c:
            for n, name in enumerate(EDGES):
                if name != "NUL":
                    c.wait_for("normal-%d" % n)
            for b in c.bodies():
                assert b"\r" not in b.replace(b"\r\n", b"") and b"\n" not in b.replace(b"\r\n", b""), b


SMUGGLED = b"MAIL FROM:<evil@b.example>\r\nRCPT TO:<alice@demo.test>\r\nDATA\r\nSubject: smuggled\r\n\r\n.\r\nQUIT\r\n"


@pytest.mark.parametrize("before", ["", "MAIL FROM:<x@elsewhere.example>", "MAIL FROM:<x@elsewhere.example>;RCPT TO:<nobody-here@demo.test>", "MAIL FROM:<@>",
                                    "MAIL FROM:<x@elsewhere.example>;RCPT TO:<bob@demo.test>;RSET"])
def test_octets_of_a_refused_chunk(server, before):
    """Out of order, without a sender or recipient: the octets are read all the same, and nothing in them is a command."""
    with smtp(server, 25) as c:
        for command in before.split(";") if before else ():
            c.do(command)
        c.send(chunk(SMUGGLED) + chunk(SMUGGLED, True) + b"NOOP\r\n")
        assert codes(c, 3) == [503, 503, 250]
        c.ok("RSET")
        begin(c, "bob@" + DOMAIN)
        c.send(chunk(HEAD % b"sound" + b"x\r\n", True))
        assert c.reply()[0] == 250
    with Imap(server, 993, user="alice@" + DOMAIN) as c:
        assert not [b for b in c.bodies() if b"smuggled" in b]


def test_chunks_behind_a_refused_one(server, client, box):
    """The rest of a message that was refused is swallowed to its last chunk, and the transaction is gone."""
    client.send(chunk(b"bare\nline") + chunk(SMUGGLED) + chunk(SMUGGLED, True))
    assert codes(client, 3) == [554, 503, 503]
    assert client.do("DATA")[0] == 503
    assert client.do("RCPT TO:<%s>" % box)[0] == 503
    begin(client, box)
    client.send(chunk(HEAD % b"next" + b"x\r\n", True))
    assert client.reply()[0] == 250
    assert len(bodies(server, box, "next")) == 1


@pytest.mark.parametrize("size", ["9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "99999999999999999999", str(LIMIT + 1)])
def test_huge_chunk(client, size):
    """Larger than any message may be: 552 or 501 at once and the end, as nobody will read so much."""
    client.send(b"BDAT %s LAST\r\n" % size.encode() + b"x" * 5000)
    assert client.reply()[0] in (552, 501)
    assert client.rest() == b""


@pytest.mark.parametrize("argument", ["", "-1", "+1", "0x10", "1.5", "1 LAST 2", "1 FIRST", "LAST", "LAST 1", "1LAST", " 1", "1,000", "\u0661", "9" * 30])
def test_malformed_chunk(server, client, box, argument):
    """How many octets follow cannot be known: 501 (or 500) and the end, and what follows is not run."""
    client.send(("BDAT " + argument).encode() + b"\r\n" + SMUGGLED)
    assert client.reply()[0] in (500, 501)
    rest = client.rest()
    assert b"250" not in rest and b"354" not in rest, rest


@pytest.mark.parametrize("line", [b"BDAT 5 LAST\0\r\n", b"BDAT\0 5\r\n", b"BDAT 5\n", b"bdat 5 LAST\n", b"BDAT 5\r LAST\r\n", b"BDAT 5" + b" " * 3000 + b"LAST\r\n", b"BDAT" + b"5" * 70000 + b"\r\n"],
                         ids=["NUL", "NUL in the verb", "LF", "LF, last", "CR", "long", "longer"])
def test_dropped_line(client, line):
    """A BDAT line that is dropped for its octets or its length: 500 and the end, as nobody knows what follows."""
    client.send(line + SMUGGLED)
    assert client.reply()[0] == 500
    assert client.rest() == b""


def test_message_over_the_limit_in_chunks(server, client, box):
    """Many small ones: 552 when it is too much, the rest is swallowed; exactly the limit is taken."""
    piece = (b"x" * 98 + b"\r\n") * 100
    client.send(chunk(HEAD % b"large") + b"".join(chunk(piece) for _ in range(LIMIT // len(piece) + 2)) + b"BDAT 0 LAST\r\n")
    got = codes(client, LIMIT // len(piece) + 4)
    assert got.count(552) == 1 and got[got.index(552) + 1:] == [503] * (len(got) - got.index(552) - 1), got
    begin(client, box)
    head = HEAD % b"exact"
    client.send(chunk(head + b"x" * (LIMIT - len(head) - 2) + b"\r\n", True))
    assert client.reply()[0] == 250
    assert len(bodies(server, box, "exact")) == 1


def test_empty_chunks(server, client, box):
    """BDAT 0 LAST alone is a message without content; a million of BDAT 0 are cut short, and cost no memory."""
    client.send(b"BDAT 0 LAST\r\n")
    assert client.reply()[0] in (250, 554)
    before = rss_kib(server.pids("smtp")[0])
    begin(client, box)
    answered = []
    try:
        for _ in range(1000):
            client.send(b"BDAT 0\r\n" * 1000)
            answered += codes(client, 1000)
    except BROKEN:
        pass
    assert set(answered) <= {250, 421} and len(answered) <= 2000, len(answered)
    assert rss_kib(server.pids("smtp")[0]) < before + 10000


def test_many_chunks(server, client, box):
    """1,500 of a kilobyte are one message: chunks that carry something do not count as commands that do nothing."""
    piece = (b"x" * 98 + b"\r\n") * 11
    client.send(chunk(HEAD % b"many-chunks"))
    assert client.reply()[0] == 250
    for _ in range(15):
        client.send(chunk(piece) * 100)
        assert codes(client, 100) == [250] * 100
    client.send(b"BDAT 0 LAST\r\n")
    assert client.reply()[0] == 250
    assert bodies(server, box, "many-chunks") == [HEAD % b"many-chunks" + piece * 1500]


@pytest.mark.parametrize("command", ["RSET", "EHLO again.example", "HELO again.example"])
def test_chunks_given_up(server, client, box, command):
    """RSET and a new hello between chunks end the message; DATA between chunks is refused."""
    client.send(chunk(HEAD % b"given-up"))
    assert client.reply()[0] == 250
    assert client.do("DATA")[0] == 503
    assert client.do("MAIL FROM:<y@b.example>")[0] == 503
    assert client.do("RCPT TO:<alice@demo.test>")[0] == 503
    client.ok(command)
    client.ok("EHLO again.example")
    client.send(chunk(b"x\r\n", True))
    assert client.reply()[0] == 503
    begin(client, box)
    client.send(chunk(HEAD % b"instead" + b"x\r\n", True))
    assert client.reply()[0] == 250
    assert [b for b in bodies(server, box, "instead")] == [HEAD % b"instead" + b"x\r\n"]


@pytest.mark.parametrize("notify", [True, False])
def test_tls_ends_inside_a_chunk(server, box, notify):
    """The peer's TLS ends (properly or by octets in clear in its place) in the middle of a chunk: so does the session, whatever comes in clear."""
    with smtp(server, 25, True) as c:
        begin(c, box)
        c.send(b"BDAT 1000\r\n" + HEAD % b"tls-end" + b"x" * 100)
        raw = c.sock
        if notify:
            raw.setblocking(False)
            try:
                raw.unwrap()
            except (OSError, ssl.SSLError):
                pass

        clear = socket.socket(fileno=raw.detach())
        clear.settimeout(20)
        try:
            clear.sendall(b"x" * 2000 + b"\r\nNOOP\r\nQUIT\r\n")
            said = b""
            while True:
                more = clear.recv(65536)
                if not more:
                    break
                said += more
        except OSError:
            pass
        assert b"250" not in said and b"221" not in said, said
        clear.close()
    with smtp(server, 25) as c:
        assert c.message(STRANGER, box, HEAD % b"still-here" + b"x\r\n")[0] == 250
    assert len(bodies(server, box, "still-here")) == 1


def test_starttls_behind_a_chunk(server, box):
    """STARTTLS inside the octets is content; behind the last chunk, in the same packet, it is refused when anything follows."""
    with smtp(server, 25) as c:
        begin(c, box)
        c.send(chunk(HEAD % b"content" + b"STARTTLS\r\n", True) + b"STARTTLS\r\nNOOP\r\n")
        assert codes(c, 2) == [250, 554]
        assert c.rest() == b""
    assert bodies(server, box, "content") == [HEAD % b"content" + b"STARTTLS\r\n"]
