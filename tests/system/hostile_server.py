"""A mail host that does what no mail host should, for tests of the way out.

A script names what is said at a step; what it does not name is done properly. Steps: "greeting", "EHLO", "HELO", "STARTTLS", "tls" (once the
handshake is done), "MAIL", "RCPT" or "RCPT local-part", "DATA", "content" (asked at its first line), "dot", "RSET", "QUIT". What can be said:

    "450 4.2.1 later"   a reply, with CRLF; 421 closes the connection, 2xx at the dot means that the host has the message
    b"250 ok\\n"         these octets
    DROP, RESET         the connection is closed; so that the client sees ECONNRESET
    Slow("250 ok", s)   octet by octet, with a pause before each
    [x, y, z]           one after the other, over all connections; the last stays
    f                   f(talk) gives one of these, or None: nothing is said
"""
import collections
import contextlib
import re
import socket
import ssl
import struct
import threading
import time
import warnings

from outside import SMTP_PORT

EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE 10000000")
PLAIN = tuple(e for e in EXTENSIONS if e != "PIPELINING")

DROP, RESET = object(), object()
Slow = collections.namedtuple("Slow", "text pause")
Taken = collections.namedtuple("Taken", "sender rcpts content tls connection")
GOOD = {"greeting": "220 hostile.test ESMTP", "HELO": "250 hostile.test", "STARTTLS": "220 2.0.0 go", "MAIL": "250 2.1.0 ok", "RCPT": "250 2.1.5 ok",
        "DATA": "354 go on", "dot": "250 2.0.0 taken", "RSET": "250 2.0.0 ok", "QUIT": "221 2.0.0 bye"}


class Over(Exception):
    """The connection is to end."""


class Host:
    """One host on port 25 of an address.

    tls      None: not offered; else (certificate, key), with which STARTTLS is served; `tls_options(context)` may change the context
    taken    transactions that got a good reply to the dot, `dots` all that came to a dot, `clear` the MAIL commands said without TLS
    broken   rules of its own that a client broke (limits it announced, commands out of order)
    """

    def __init__(self, address, script=None, extensions=EXTENSIONS, tls=None, tls_options=None, limit=None):
        self.script, self.extensions, self.tls, self.tls_options = dict(script or {}), extensions, tls, tls_options
        self.address, self.limit = address, limit
        self.taken, self.dots, self.commands, self.clear, self.broken = [], [], [], [], []
        self.connections = self.open = self.most_open = 0
        self.changed = threading.Condition()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, SMTP_PORT))
        self.listener.listen(100)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def reform(self):
        """From now on a good host."""
        with self.changed:
            self.script = {}

    def copies(self, rcpt):
        """How often it said yes to a message for this recipient."""
        with self.changed:
            return sum(t.rcpts.count(rcpt) for t in self.taken)

    def note(self, **lists):
        with self.changed:
            for name, item in lists.items():
                getattr(self, name).append(item)
            self.changed.notify_all()

    def says(self, *steps):
        """What the script says at the first of these steps that it names, else what is good at the last."""
        with self.changed:
            for step in steps:
                said = self.script.get(step)
                if isinstance(said, list):
                    said = said.pop(0) if len(said) > 1 else said[0]
                if said is not None:
                    return said
        return GOOD.get(steps[-1])

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            with self.changed:
                self.connections += 1
                self.open += 1
                self.most_open = max(self.most_open, self.open)
                talk = Talk(self, s, self.connections)
            threading.Thread(target=self._serve, args=(talk,), daemon=True).start()

    def _serve(self, talk):
        with contextlib.suppress(OSError, Over, ssl.SSLError, ValueError):
            talk.run()
        with contextlib.suppress(OSError):
            talk.s.close()
        with self.changed:
            self.open -= 1
            self.changed.notify_all()


class Talk:
    """One connection."""

    def __init__(self, host, s, number):
        self.host, self.s, self.number, self.buffer, self.over_tls, self.mails = host, s, number, b"", False, 0
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.forget()

    def forget(self):
        self.sender, self.rcpts = None, []

    # ---- octets ----

    def line(self):
        while b"\n" not in self.buffer:
            more = self.s.recv(65536)
            if not more:
                raise Over
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line + b"\n"

    def end(self, how):
        if how is RESET:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise Over

    def send(self, said):
        """True if that was a reply of success."""
        if callable(said):
            said = said(self)
        if said is None:
            return False
        if said is DROP or said is RESET:
            self.end(said)
        if isinstance(said, Slow):
            for octet in said.text.encode() + b"\r\n":
                time.sleep(said.pause)
                self.s.sendall(bytes([octet]))
            return said.text[0] in "23"
        self.s.sendall(said if isinstance(said, bytes) else said.encode() + b"\r\n")
        if said[:3] in ("421", b"421"):
            raise Over
        return said[:1] in ("2", "3", b"2", b"3")

    # ---- steps ----

    def run(self):
        if self.host.limit and self.host.open > self.host.limit:
            self.send("421 4.7.0 too many connections")
        if not self.send(self.host.says("greeting")):
            raise Over
        while True:
            line = self.line()
            text = line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
            self.host.note(commands=text)
            verb = text.split(" ")[0].upper()
            getattr(self, "on_" + verb.lower(), self.on_other)(text)

    def on_other(self, text):
        self.send(self.host.says(text.split(" ")[0].upper()) or "500 5.5.1 what?")

    def on_ehlo(self, _):
        self.forget()
        offered = [*self.host.extensions] + ["STARTTLS"] * (self.host.tls is not None and not self.over_tls)
        lines = ["hostile.test", *offered]
        good = "\r\n".join("250%s%s" % (" " if i == len(lines) - 1 else "-", l) for i, l in enumerate(lines))
        self.send(self.host.says("EHLO") or good)

    def on_helo(self, _):
        self.send(self.host.says("HELO"))

    def on_starttls(self, _):
        if self.over_tls:
            self.host.note(broken="STARTTLS inside TLS")
        if not self.send(self.host.says("STARTTLS")):
            return
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.host.tls)
        if self.host.tls_options:
            self.host.tls_options(context)
        assert not self.buffer
        self.s = context.wrap_socket(self.s, server_side=True)
        self.over_tls = True
        self.forget()
        if (said := self.host.says("tls")) is not None:
            self.send(said)

    def on_rset(self, _):
        self.forget()
        self.send(self.host.says("RSET"))

    def on_noop(self, _):
        self.send("250 2.0.0 ok")

    def on_mail(self, text):
        if not self.over_tls:
            self.host.note(clear=text)
        if self.sender is not None:
            self.host.note(broken="MAIL inside a transaction")
        self.mails += 1
        if self.send(self.host.says("MAIL")):
            self.sender = text[11:].split(">")[0]

    def on_rcpt(self, text):
        address = text[9:].split(">")[0]
        if self.sender is None:
            self.send("503 5.5.1 MAIL first")
        elif self.send(self.host.says("RCPT " + address.split("@")[0], "RCPT")):
            self.rcpts.append(address)

    def on_data(self, _):
        if not self.rcpts:
            self.send(self.host.says("DATA without recipients") or "554 5.5.1 no valid recipients")
            if "DATA without recipients" in self.host.script:
                self.content()
                self.send("554 5.5.1 no valid recipients")
            return
        said = self.host.says("DATA")
        self.send(said)
        if isinstance(said, str) and not said.startswith("354"):
            return
        t = Taken(self.sender, list(self.rcpts), self.content(), self.over_tls, self.number)
        self.host.note(dots=t)
        said = self.host.says("dot")
        if callable(said):
            said = said(self)
        if says_yes(said):
            self.host.note(taken=t)
        self.send(said)
        self.forget()

    def content(self):
        lines = []
        while (line := self.line()) != b".\r\n":
            if not lines:
                self.send(self.host.says("content"))
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def on_bdat(self, text):
        size = int(text.split()[1])
        while len(self.buffer) < size:
            more = self.s.recv(65536)
            if not more:
                raise Over
            self.buffer += more
        self.buffer = self.buffer[size:]
        self.send(self.host.says("BDAT") or "502 5.5.1 not here")

    def on_quit(self, _):
        self.send(self.host.says("QUIT"))
        raise Over


# ---- things to say ----

def says_yes(said):
    """Whether the host has a message after that."""
    text = said.text if isinstance(said, Slow) else said.decode("latin-1") if isinstance(said, bytes) else said
    return isinstance(text, str) and re.fullmatch(r"(2\d\d-.*\r?\n)*2\d\d( .*)?\s*", text) is not None


def long_reply(code, octets, last=True):
    """Many lines of 80 octets; without an end if not `last`."""
    line = b"%d-" % code + b"x" * 74 + b"\r\n"
    return line * (octets // len(line)) + (b"%d end\r\n" % code if last else b"")


def endless(line):
    """The same line until the client has enough."""
    def say(talk):
        with contextlib.suppress(OSError):
            for _ in range(200000):
                talk.s.sendall(line)
        raise Over
    return say


def eat_the_rest(talk):
    """What the client sent behind this command is lost."""
    time.sleep(0.2)
    talk.s.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while talk.s.recv(65536):
            pass
    talk.s.setblocking(True)
    talk.buffer = b""
    talk.s.settimeout(1)  # then it has enough of waiting
    return GOOD["MAIL"]


def alert(talk):
    """In place of a handshake: handshake_failure."""
    talk.s.sendall(b"220 2.0.0 go\r\n")
    talk.s.recv(4096)
    talk.s.sendall(b"\x15\x03\x03\x00\x02\x02\x28")
    raise Over


def clear_text(talk):
    """In place of a handshake: the session goes on in clear, as if nothing were."""
    talk.s.sendall(b"220 2.0.0 go\r\n")
    talk.s.recv(4096)
    talk.s.sendall(b"250 2.0.0 let us go on without\r\n" * 4)
    raise Over


def old_tls(context):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")

