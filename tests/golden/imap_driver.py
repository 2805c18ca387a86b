"""Play a golden transcript against an IMAP server.

A transcript is text:

    # a comment
    @message NAME           octets up to @end, lines ending in CRLF; "\\xNN" stands for an octet
    @end
    C: a1 SELECT INBOX      send the line with CRLF; "C2:" on a second connection, and so on
    C~: abc                 the same without CRLF
    C<NAME                  send the message and CRLF
    S: * 1 EXISTS           expect exactly this line; {{regex}} inside it matches as a regular expression
    S-: ^a1 OK              skip lines up to the first that matches the regular expression
    @login [2]              connect (greeting skipped) and sign in; variables $USER, $PASS, and $PLAIN for AUTHENTICATE
    @connect [2]            connect only
    @fake                   only with the accounts of imap_server.c
    @closed [2]             expect the end of the connection
    @tls [2]                TLS handshake
    @compress [2]           both directions are raw DEFLATE from here on; @closed then wants the stream's end marker

In lines, {x:N} is N times the letter x, {$NAME} stands for the size as a literal of a message or of USER or PASS, {$NAME+} for the non-synchronizing form, and $BOX for a
mailbox name of this run's own. What a named group of an expected line matched, {{(?P<M>\\d+)}}, is $(M) in lines behind it, and $(M+1),
$(M-1) are the numbers beside it.
"""
import base64
import re
import socket
import ssl
import zlib

TIMEOUT = 20


# A session whose view was dropped may tell flags again that it told as the echo of its own STORE.
FLAGS_TOLD = re.compile(rb"\* \d+ (UID)?FETCH \((UID \d+ )?FLAGS \([^)]*\)( MODSEQ \(\d+\))?\)$")


class Mismatch(AssertionError):
    pass


class Connection:
    def __init__(self, host, port):
        self.sock = socket.create_connection((host, port), TIMEOUT)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a command in pieces shall not wait for an acknowledgement of each
        self.buffer = b""
        self.inflate = self.deflate = None

    def compress(self):
        self.inflate, self.deflate = zlib.decompressobj(-15), zlib.compressobj(9, zlib.DEFLATED, -15)

    def send(self, octets):
        if self.deflate:
            octets = self.deflate.compress(octets) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        self.sock.sendall(octets)

    def receive(self, n=65536):
        """More octets; b"" at the end of the connection."""
        while True:
            more = self.sock.recv(n)
            if not self.inflate or not more:
                return more
            more = self.inflate.decompress(more)
            if more or self.inflate.eof:
                return more

    def line(self):
        while b"\n" not in self.buffer:
            more = self.receive()
            if not more:
                raise Mismatch("connection closed; left over: %r" % self.buffer)
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        if not line.endswith(b"\r"):
            raise Mismatch("line without CR: %r" % line)
        return line[:-1]

    def closed(self):
        try:
            return self.buffer == b"" and self.receive() == b"" and (not self.inflate or self.inflate.eof)
        except (ConnectionResetError, ssl.SSLError):
            return True

    def tls(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock)

    def close(self):
        self.sock.close()


def unescape(text):
    return re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m.group(1), 16)]), text.encode())


def pattern(text):
    parts = re.split(r"\{\{(.*?)\}\}", text)
    out = b""
    for i, part in enumerate(parts):
        out += part.encode() if i % 2 else re.escape(unescape(part))
    return re.compile(out + rb"\Z")


class Player:
    def __init__(self, host, port, user, password, box, repeats=False):
        self.where = (host, port)
        self.repeats = repeats
        plain = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        self.variables = {"USER": user, "PASS": password, "BOX": box, "PLAIN": plain}
        self.messages = {}
        self.connections = {}

    def fill(self, text):
        def size(m):
            octets = self.messages.get(m.group(1)) or self.variables[m.group(1)]
            return "{%d%s}" % (len(octets), m.group(2))
        def kept(m):
            value = self.variables[m.group(1)]
            return str(int(value) + int(m.group(2))) if m.group(2) else value
        text = re.sub(r"\{x:(\d+)\}", lambda m: "x" * int(m.group(1)), text)
        text = re.sub(r"\{\$(\w+)(\+?)\}", size, text)
        text = re.sub(r"\$\((\w+)([+-]\d+)?\)", kept, text)
        return re.sub(r"\$(USER|PASS|BOX|PLAIN)\b", lambda m: self.variables[m.group(1)], text)

    def expect(self, text, got):
        m = pattern(self.fill(text)).match(got)
        if m:
            self.variables.update({k: v.decode() for k, v in m.groupdict().items() if v is not None})
        return m

    def connect(self, number):
        self.connections[number] = Connection(*self.where)
        return self.connections[number]

    def directive(self, words):
        number = words[1] if len(words) > 1 else ""
        if words[0] in ("connect", "login"):
            c = self.connect(number)
        if words[0] == "login":
            c.line()
            c.send(self.fill("login LOGIN $USER $PASS\r\n").encode())
            answer = c.line()
            if not answer.startswith(b"login OK"):
                raise Mismatch("sign-in: %r" % answer)
        elif words[0] == "closed":
            if not self.connections[number].closed():
                raise Mismatch("connection is still open: %r" % self.connections[number].buffer)
        elif words[0] == "compress":
            self.connections[number].compress()
        elif words[0] == "tls":
            self.connections[number].tls()
        elif words[0] not in ("connect", "fake"):
            raise Mismatch("no directive")

    def step(self, line):
        m = re.match(r"(?P<who>C|S)(?P<number>\d*)(?P<how>[-~]?): ?(?P<text>.*)|C(?P<from>\d*)<(?P<message>\w+)", line)
        if line.startswith("@"):
            self.directive(line[1:].split())
        elif not m:
            raise Mismatch("not a transcript line")
        elif m["message"]:
            self.connections[m["from"]].send(self.messages[m["message"]] + b"\r\n")
        elif m["who"] == "C":
            self.connections[m["number"]].send(unescape(self.fill(m["text"])) + (b"" if m["how"] else b"\r\n"))
        elif m["how"]:
            found = None
            while not found:
                found = re.search(self.fill(m["text"]).encode(), self.connections[m["number"]].line())
            self.variables.update({k: v.decode() for k, v in found.groupdict().items() if v is not None})
        else:
            got = self.connections[m["number"]].line()
            while self.repeats and FLAGS_TOLD.match(got) and not self.expect(m["text"], got):
                got = self.connections[m["number"]].line()
            if not self.expect(m["text"], got):
                raise Mismatch("got %r" % got)

    def play(self, path):
        message = None
        with open(path) as f:
            for number, line in enumerate(f, 1):
                line = line.rstrip("\n")
                if message is not None:
                    if line == "@end":
                        message = None
                    else:
                        self.messages[message] += unescape(line) + b"\r\n"
                elif line.startswith("@message "):
                    message = line.split()[1]
                    self.messages[message] = b""
                elif line and not line.startswith("#"):
                    try:
                        self.step(line)
                    except (Mismatch, OSError) as e:
                        raise AssertionError("%s:%d: %s\n  %s" % (path, number, line, e)) from None
        for c in self.connections.values():
            c.close()
