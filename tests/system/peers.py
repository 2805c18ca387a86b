"""Small clients that do exactly what they are told, for tests that must send what no real client would."""
import base64
import re
import socket
import ssl

from server import BIN, PASSWORD, tls

TLS = tls()  # one for all: making one reads every authority of the system
TIMEOUT_S = 20
DOMAIN = "demo.test"


class Closed(AssertionError):
    pass


class Peer:
    """One connection; octets in both directions."""

    def __init__(self, server, standard_port, implicit=False, receive_buffer=None, source=None):
        """`source`: an address of this machine to come from."""
        six = source is not None and ":" in source
        self.sock = socket.socket(socket.AF_INET6 if six else socket.AF_INET)
        if source:
            self.sock.bind((source, 0))
        self.sock.settimeout(TIMEOUT_S)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.connect(("::1" if six else "127.0.0.1", server.port(standard_port)))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        if implicit:
            self.tls()

    def tls(self):
        assert self.buffer == b"", self.buffer
        self.sock = TLS.wrap_socket(self.sock)

    def send(self, octets):
        self.sock.sendall(octets.encode() if isinstance(octets, str) else octets)

    def fill(self):
        more = self.sock.recv(65536)
        if not more:
            raise Closed("closed; left over: %r" % self.buffer[-300:])
        self.buffer += more

    def line(self):
        while b"\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\n", 1)
        assert line.endswith(b"\r"), line
        assert b"\r" not in line[:-1] and b"\0" not in line, line
        return line[:-1]

    def exactly(self, n):
        while len(self.buffer) < n:
            self.fill()
        octets, self.buffer = self.buffer[:n], self.buffer[n:]
        return octets

    def rest(self):
        """All until the server closes."""
        try:
            while True:
                self.fill()
        except (Closed, ConnectionResetError, BrokenPipeError, ssl.SSLError):
            octets, self.buffer = self.buffer, b""
            return octets

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Smtp(Peer):
    def __init__(self, server, standard_port=25, implicit=None, greeting=True, **more):
        super().__init__(server, standard_port, standard_port == 465 if implicit is None else implicit, **more)
        if greeting:
            assert self.reply()[0] == 220

    def reply(self):
        """(code, text of all lines)"""
        lines = []
        while True:
            line = self.line()
            assert re.match(rb"[2-5]\d\d[ -]", line) or re.fullmatch(rb"[2-5]\d\d", line), line
            lines.append(line[4:])
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(lines).decode("latin-1")

    def do(self, command):
        self.send((command.encode() if isinstance(command, str) else command) + b"\r\n")
        return self.reply()

    def ok(self, command, code=250):
        got = self.do(command)
        assert got[0] == code, (command, got)
        return got[1]

    def starttls(self):
        self.ok("STARTTLS", 220)
        self.tls()
        return self

    def login(self, user, password=PASSWORD):
        return self.do("AUTH PLAIN " + base64.b64encode(("\0%s\0%s" % (user, password)).encode()).decode())

    def mail(self, sender, *recipients):
        """Up to 354."""
        self.send("".join(["MAIL FROM:<%s>\r\n" % sender] + ["RCPT TO:<%s>\r\n" % r for r in recipients] + ["DATA\r\n"]))
        for _ in range(1 + len(recipients)):
            got = self.reply()
            assert got[0] == 250, got
        got = self.reply()
        assert got[0] == 354, got

    def message(self, sender, recipient, octets):
        self.mail(sender, recipient)
        self.send(octets + b".\r\n")
        return self.reply()


def chunk(octets, last=False):
    return b"BDAT %d%s\r\n" % (len(octets), b" LAST" if last else b"") + octets


def smtp(server, standard_port, secure=False, user=None):
    """Greeted, and signed in where a user is given."""
    c = Smtp(server, standard_port)
    c.ok("EHLO peer.example")
    if secure and standard_port != 465:
        c.starttls()
        c.ok("EHLO peer.example")
    if user:
        assert c.login(user)[0] == 235
    return c


class Imap(Peer):
    def __init__(self, server, standard_port=143, implicit=None, user=None, password=PASSWORD, **more):
        super().__init__(server, standard_port, standard_port == 993 if implicit is None else implicit, **more)
        self.greeting = self.line()
        assert self.greeting.startswith(b"* OK"), self.greeting
        self.tag = 0
        if user:
            assert self.do('LOGIN "%s" "%s"' % (user, password))[0].startswith(b"OK")

    def response(self):
        """One response with the octets of its literals inside."""
        whole = b""
        while True:
            line = self.line()
            whole += line
            m = re.search(rb"\{(\d+)\}$", line)
            if not m:
                return whole
            whole += b"\r\n" + self.exactly(int(m[1]))

    def start(self, command):
        self.tag += 1
        self.send(b"t%d " % self.tag + (command.encode() if isinstance(command, str) else command) + b"\r\n")

    def finish(self, tag=None):
        """(what stands behind the tag, [untagged])"""
        tag = (tag or b"t%d" % self.tag) + b" "
        untagged = []
        while True:
            got = self.response()
            if got.startswith(tag):
                return got[len(tag):], untagged
            assert got.startswith((b"* ", b"+")), got[:300]
            untagged.append(got)

    def do(self, command):
        self.start(command)
        return self.finish()

    def ok(self, command):
        got, untagged = self.do(command)
        assert got.startswith(b"OK"), (command[:200], got)
        return untagged

    def append(self, octets, box="INBOX"):
        self.start(b"APPEND %s {%d+}\r\n" % (box.encode(), len(octets)) + octets)
        return self.finish()

    def exists(self, box="INBOX"):
        for line in self.ok("EXAMINE " + box):
            m = re.match(rb"\* (\d+) EXISTS", line)
            if m:
                return int(m[1])
        raise AssertionError("no EXISTS")

    def bodies(self, box="INBOX"):
        """The octets of all messages."""
        found = []
        if self.exists(box) == 0:
            return found
        for got in self.ok("FETCH 1:* BODY.PEEK[]"):
            m = re.match(rb"\* \d+ FETCH \(BODY\[\] \{(\d+)\}\r\n", got)
            if m:
                found.append(got[m.end():m.end() + int(m[1])])
        return found

    def wait_for(self, subject, box="INBOX"):
        """Until a message of this subject is there. New ones are told at once while idling, so this does not poll."""
        self.ok("SELECT " + box)
        while True:
            hits = self.ok('SEARCH SUBJECT "%s"' % subject)
            numbers = [h for h in hits if h.startswith(b"* SEARCH")][0].split()[2:]
            if numbers:
                return int(numbers[0])
            if any(h.endswith(b" EXISTS") for h in hits):
                continue
            self.wait_for_news()

    def wait_for_news(self):
        """IDLE until a message is announced."""
        self.start("IDLE")
        seen, going = [], False
        while not (going and any(l.endswith(b" EXISTS") for l in seen)):
            seen.append(self.line())
            going = going or seen[-1].startswith(b"+")
        self.send("DONE\r\n")
        assert self.finish()[0].startswith(b"OK"), seen


with open(BIN, "rb") as f:
    SANITIZED = b"__asan_init" in f.read()


def rss_kib(pid):
    """Resident memory; under a sanitizer, which keeps what was freed, always the same."""
    if SANITIZED:
        return 0
    with open("/proc/%d/status" % pid) as status:
        return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])
