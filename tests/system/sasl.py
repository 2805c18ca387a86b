"""SASL clients for tests: one exchange over SMTP, IMAP or POP3, and the client's side of SCRAM (RFC 5802)."""
import base64
import hashlib
import hmac
import os
import re
import socket

from server import tls


def b64(octets):
    return base64.b64encode(octets)


class Smtp:
    name = "smtp"
    implicit, clear = 465, 587

    def __init__(self, server, port=None, context=None, source="127.0.0.1", plain=False):
        sock = socket.create_connection(("127.0.0.1", server.port(port or (self.clear if plain else self.implicit))), 60, (source, 0))
        self.sock = sock if plain else (context or tls()).wrap_socket(sock)
        self.file = self.sock.makefile("rwb")
        self.greet()

    def greet(self):
        assert self.reply()[0] == 220
        self.hello()

    def hello(self):
        code, lines = self.command(b"EHLO client.test")
        assert code == 250
        auth = [l for l in lines if l.startswith(b"AUTH ")]
        self.mechanisms = auth[0].decode().split()[1:] if auth else []

    def reply(self):
        lines = []
        while True:
            line = self.file.readline()
            assert line, "connection closed"
            lines.append(line[4:].rstrip())
            if line[3:4] != b"-":
                return int(line[:3]), lines

    def say(self, line):
        self.file.write(line + b"\r\n")
        self.file.flush()

    def command(self, line):
        self.say(line)
        return self.reply()

    def begin(self, mechanism, initial=None):
        """The outcome, and the challenge if it is "more"."""
        self.say(b"AUTH " + mechanism.encode() + (b"" if initial is None else b" " + (b64(initial) or b"=")))
        return self.outcome()

    def raw(self, line):
        self.say(line)
        return self.outcome()

    def outcome(self):
        code, lines = self.reply()
        if code == 334:
            return "more", base64.b64decode(lines[0])
        kinds = {235: "ok", 535: "denied", 454: "later", 501: "syntax", 500: "syntax", 504: "unknown", 538: "clear", 421: "bye"}
        return kinds[code], lines[0]

    def alive(self):
        return self.command(b"NOOP")[0] == 250

    def close(self):
        self.file.close()
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Imap(Smtp):
    name = "imap"
    implicit, clear = 993, 143

    def greet(self):
        line = self.file.readline()
        assert line.startswith(b"* OK [CAPABILITY ")
        self.capability = line
        self.mechanisms = [w[5:] for w in re.search(rb"\[(.*?)\]", line).group(1).decode().split() if w.startswith("AUTH=")]

    def hello(self):
        self.say(b"a CAPABILITY")
        self.capability = self.file.readline()
        self.file.readline()
        self.mechanisms = [w[5:] for w in self.capability.decode().split() if w.startswith("AUTH=")]

    def begin(self, mechanism, initial=None):
        self.say(b"a AUTHENTICATE " + mechanism.encode() + (b"" if initial is None else b" " + (b64(initial) or b"=")))
        return self.outcome()

    def outcome(self):
        while True:
            line = self.file.readline().rstrip(b"\r\n")
            assert line, "connection closed"
            if line.startswith(b"* BYE"):
                return "bye", line
            if line.startswith(b"+ "):
                return "more", base64.b64decode(line[2:])
            if not line.startswith(b"* "):
                break
        if line.startswith(b"a OK"):
            return "ok", line
        if line.startswith(b"a BAD"):
            return "syntax", line
        codes = {b"AUTHENTICATIONFAILED": "denied", b"LIMIT": "later", b"UNAVAILABLE": "later", b"CANNOT": "unknown",
                 b"PRIVACYREQUIRED": "clear"}
        return codes[re.search(rb"\[(\w+)\]", line).group(1)], line

    def alive(self):
        self.say(b"b NOOP")
        return self.file.readline().startswith(b"b OK")


class Pop3(Smtp):
    name = "pop3"
    implicit, clear = 995, 110

    def greet(self):
        assert self.file.readline().startswith(b"+OK")
        self.hello()

    def hello(self):
        self.say(b"CAPA")
        self.mechanisms, line = [], b""
        while line != b".\r\n":
            line = self.file.readline()
            if line.startswith(b"SASL "):
                self.mechanisms = line.decode().split()[1:]

    def outcome(self):
        line = self.file.readline().rstrip(b"\r\n")
        assert line, "connection closed"
        kinds = [(b"+ ", "more"), (b"+OK", "ok"), (b"-ERR [AUTH] Too many", "bye"), (b"-ERR [AUTH]", "denied"), (b"-ERR [SYS/TEMP]", "later"),
                 (b"-ERR Start TLS", "clear"), (b"-ERR Mechanism", "unknown"), (b"-ERR", "syntax")]
        kind = next(k for start, k in kinds if line.startswith(start))
        return kind, base64.b64decode(line[2:]) if kind == "more" else line

    def alive(self):
        self.hello()
        return True


PROTOCOLS = [Smtp, Imap, Pop3]


def end_point(client):
    """tls-server-end-point of a certificate signed with SHA-256 (RFC 5929 §4)."""
    return hashlib.sha256(client.sock.getpeercert(True)).digest()


class Scram:
    """One exchange. What a test wants otherwise it changes between first() and final()."""

    def __init__(self, hash_name, user, password, gs2=b"n,,", binding=b""):
        self.hash, self.password, self.gs2, self.binding = hash_name, password.encode(), gs2, binding
        self.nonce = b64(os.urandom(18))
        self.bare = b"n=" + user.encode().replace(b"=", b"=3D").replace(b",", b"=2C") + b",r=" + self.nonce

    def first(self):
        return self.gs2 + self.bare

    def hmac(self, key, text):
        return hmac.new(key, text, self.hash).digest()

    def final(self, server_first, nonce=None):
        fields = dict(f.split(b"=", 1) for f in server_first.split(b","))
        assert fields[b"r"].startswith(self.nonce) and len(fields[b"r"]) > len(self.nonce) + 20
        assert int(fields[b"i"]) >= 4096 and len(base64.b64decode(fields[b"s"])) == 16
        salted = hashlib.pbkdf2_hmac(self.hash, self.password, base64.b64decode(fields[b"s"]), int(fields[b"i"]))
        without = b"c=" + b64(self.gs2 + self.binding) + b",r=" + (nonce or fields[b"r"])
        text = self.bare + b"," + server_first + b"," + without
        key = self.hmac(salted, b"Client Key")
        signature = self.hmac(hashlib.new(self.hash, key).digest(), text)
        self.expected = b"v=" + b64(self.hmac(self.hmac(salted, b"Server Key"), text))
        return without + b",p=" + b64(bytes(a ^ b for a, b in zip(key, signature)))

    def run(self, client, mechanism, initial=True):
        if initial:
            kind, more = client.begin(mechanism, self.first())
        else:
            assert client.begin(mechanism) == ("more", b"")
            kind, more = client.raw(b64(self.first()))
        if kind != "more":
            return kind
        kind, more = client.raw(b64(self.final(more)))
        if kind != "more":
            return kind
        assert more == self.expected, "the server does not know the password either"
        return client.raw(b"")[0]


def plain(client, user, password, authzid=""):
    return client.begin("PLAIN", b"\0".join(x.encode() for x in (authzid, user, password)))[0]


def context_with(certificate, key):
    context = tls()
    context.load_cert_chain(certificate, key)
    return context
