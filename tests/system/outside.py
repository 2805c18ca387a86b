"""The rest of the world, scripted: a network namespace, a DNS server, mail hosts on port 25.

Everything of one test run lives in a namespace of its own that this process enters: threads and processes started afterwards are in it
too, and it is gone with the last of them. Addresses 10.9.0.0/24 and fd09::25 are on its loopback interface.
"""
import contextlib
import ctypes
import os
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

CLONE_NEWNET = 0x40000000
SMTP_PORT = 25


# ---- namespace ----

class NoNamespace(Exception):
    pass


@contextlib.contextmanager
def namespace():
    """Enter a new one until the end of the block. NoNamespace says why there is none."""
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0:
        raise NoNamespace("needs root: a network namespace of its own")
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if libc.unshare(CLONE_NEWNET) != 0:
            raise NoNamespace("no network namespace: " + os.strerror(ctypes.get_errno()))
        try:
            for words in ("link set lo up", "address add 10.9.0.1/24 dev lo", "-6 address add fd09::25/128 dev lo nodad"):
                subprocess.run(["ip", *words.split()], check=True, capture_output=True)
            yield
        finally:
            assert libc.setns(before, CLONE_NEWNET) == 0
    except (OSError, subprocess.CalledProcessError) as e:
        raise NoNamespace("ip does not work: %s" % e)
    finally:
        os.close(before)


# ---- DNS ----

TYPES = {"A": 1, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "DS": 43, "DNSKEY": 48, "TLSA": 52}
SERVFAIL, NXDOMAIN = 2, 3


def name_wire(name):
    labels = [l.encode("ascii") for l in name.rstrip(".").split(".") if l]
    return b"".join(bytes([len(l)]) + l for l in labels) + b"\0"


def rdata_wire(kind, value):
    if kind == "A":
        return socket.inet_pton(socket.AF_INET, value)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == "MX":
        return struct.pack("!H", value[0]) + name_wire(value[1])
    if kind == "SRV":
        return struct.pack("!HHH", *value[:3]) + name_wire(value[3])
    if kind == "TXT":
        text = value.encode("latin-1")
        return b"".join(bytes([len(text[i:i + 255])]) + text[i:i + 255] for i in range(0, max(len(text), 1), 255))
    return name_wire(value)


def question_read(packet):
    """(name in lower case, type, octets of the question section)"""
    at, labels = 12, []
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1").lower())
        at += 1 + packet[at]
    number, _ = struct.unpack("!HH", packet[at + 1:at + 5])
    return ".".join(labels), next((k for k, v in TYPES.items() if v == number), str(number)), packet[12:at + 5]


class Dns:
    """`zone` maps a name to what is asked of it:

    {"MX": [(10, "mx.x.test")], "A": [...], "AAAA": [...], "CNAME": "other"}   records; a type not in it has none
    {"rcode": SERVFAIL}, {"silent": True}, {"delay": seconds, ...}, {"truncate": True, ...} (by UDP)
    A name that is not in the zone does not exist. `asked` has each (name, type) in order.
    """

    def __init__(self, address="10.9.0.53", port=53):
        self.address, self.port = address, port
        self.zone, self.asked = {}, []
        self.sockets = []
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for s in (udp, tcp):
            s.bind((address, port))
        tcp.listen()
        self.sockets = [udp, tcp]
        threading.Thread(target=self._udp, args=(udp,), daemon=True).start()
        threading.Thread(target=self._tcp, args=(tcp,), daemon=True).start()

    def close(self):
        for s in self.sockets:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()

    def _udp(self, s):
        while True:
            try:
                packet, peer = s.recvfrom(4096)
            except OSError:
                return
            if packet:
                self._later(packet, False, lambda reply, to=peer: s.sendto(reply, to))

    def _tcp(self, listener):
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._tcp_session, args=(s,), daemon=True).start()

    def _tcp_session(self, s):
        with s, s.makefile("rb") as f:
            while len(size := f.read(2)) == 2:
                packet = f.read(struct.unpack("!H", size)[0])
                reply, wait = self._answer(packet, True)
                time.sleep(wait)
                if reply:
                    s.sendall(struct.pack("!H", len(reply)) + reply)

    def _later(self, packet, tcp, send):
        reply, wait = self._answer(packet, tcp)

        def deliver():
            with contextlib.suppress(OSError):
                send(reply)
        if reply and wait:
            t = threading.Timer(wait, deliver)
            t.daemon = True
            t.start()
        elif reply:
            deliver()

    def _answer(self, packet, tcp):
        name, kind, question = question_read(packet)
        self.asked.append((name, kind))
        entry = self.zone.get(name)
        if entry and entry.get("silent"):
            return None, 0
        rcode = NXDOMAIN if entry is None else entry.get("rcode", 0)
        records = [] if rcode else self._records(name, kind)
        cut = bool(entry) and entry.get("truncate", False) and not tcp
        body = b"" if cut else b"".join(records)
        flags = 0x8180 | rcode | (0x0200 if cut else 0)
        head = packet[:2] + struct.pack("!HHHHH", flags, 1, 0 if cut else len(records), 0, 0)
        return head + question + body, (entry or {}).get("delay", 0)

    def _records(self, name, kind, depth=0):
        entry = self.zone.get(name, {})
        if "CNAME" in entry and kind != "CNAME" and depth < 8:
            return [self._record(name, "CNAME", entry["CNAME"])] + self._records(entry["CNAME"], kind, depth + 1)
        return [self._record(name, kind, v) for v in entry.get(kind, [])] if kind in TYPES else []

    @staticmethod
    def _record(name, kind, value):
        data = rdata_wire(kind, value)
        return name_wire(name) + struct.pack("!HHIH", TYPES[kind], 1, 60, len(data)) + data


# ---- mail hosts ----

_certificate = None


def certificate():
    """Files of a self-signed certificate; made once."""
    global _certificate
    if not _certificate:
        d = tempfile.TemporaryDirectory(prefix="postrider-test.")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                        "/CN=mx.test", "-keyout", d.name + "/key", "-out", d.name + "/crt"], check=True, capture_output=True)
        _certificate = d
    return _certificate.name + "/crt", _certificate.name + "/key"


EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE 10000000")
DROP = "drop"  # a reply: the connection is closed instead


class Taken:
    """One transaction that came to its final dot."""

    def __init__(self, sender, rcpts, content, tls, helo):
        self.sender, self.rcpts, self.content, self.tls, self.helo = sender, rcpts, content, tls, helo

    @property
    def text(self):
        return self.content.decode("utf-8", "replace")


class Sink:
    """A mail host on port 25 of an address (or `port`; 0: a free one). With `lmtp` it is asked LHLO, and answers the dot for each recipient:
    "dot" is then a dict by address.

    say     replies by step: "greeting", "EHLO", "MAIL", "DATA", "dot" (each a text, or a list: one after the other, the last stays), and
            "RCPT" as a dict by address
    tls     None: not offered; "good"; "broken": the handshake fails; "declined": 454
    most    so many connections at once; the next is told 421 (`refused`)
    files   of the certificate and its key; None: the self-signed one
    taken   transactions with a good reply to the final dot; `dots` counts all final dots; `sni` has the name of each TLS handshake
    """

    def __init__(self, address, name=None, extensions=EXTENSIONS, tls=None, say=None, port=SMTP_PORT, lmtp=False, most=None, files=None):
        self.files = files
        self.address, self.name, self.extensions, self.tls = address, name or "mx-%s.test" % address.split(".")[-1].replace(":", ""), extensions, tls
        self.say, self.lmtp = dict(say or {}), lmtp
        self.taken, self.commands, self.sni, self.held = [], [], [], {}
        self.connections = self.dots = self.open = self.refused = 0
        self.most = most
        self.lock = threading.Condition()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.port = self.listener.getsockname()[1]
        self.listener.listen(50)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def hold(self, step):
        """Answer that step ("greeting" or "dot") only when the event that is returned is set."""
        self.held[step] = threading.Event()
        return self.held[step]

    def wait(self, count=1, timeout=30):
        """The transactions, as soon as there are so many."""
        with self.lock:
            assert self.lock.wait_for(lambda: len(self.taken) >= count, timeout), "%s took %d of %d" % (self.name, len(self.taken), count)
            return list(self.taken)

    def wait_for(self, predicate, timeout=30):
        with self.lock:
            assert self.lock.wait_for(lambda: predicate(self), timeout), "%s: %s" % (self.name, self.commands[-20:])

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        with contextlib.suppress(OSError, EOFError, ssl.SSLError):
            with self.lock:
                self.open += 1
                full = self.most is not None and self.open > self.most
                self.refused += full
            if full:
                s.sendall(b"421 4.7.0 Too many connections from you\r\n")
            else:
                Session(self, s).run()
        with self.lock:
            self.open -= 1
        s.close()

    def reply_to(self, step, default, key=None):
        with self.lock:
            found = self.say.get(step) if key is None else self.say.get(step, {}).get(key)
            if isinstance(found, list):
                found = found.pop(0) if len(found) > 1 else found[0]
            return found or default


class Mute:
    """A host that answers no packet, as one that is down or behind a firewall: the queue of its listener is full."""

    def __init__(self, address, port=SMTP_PORT):
        self.address, self.port = address, port
        self.listener = socket.create_server((address, port), backlog=0)
        self.inside = []
        for _ in range(4):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex((address, port))
            self.inside.append(s)

    def close(self):
        for s in (*self.inside, self.listener):
            s.close()


class Session:
    def __init__(self, sink, s):
        self.sink, self.s, self.f, self.over_tls, self.helo = sink, s, s.makefile("rb"), False, ""
        self.reset()

    def reset(self):
        self.sender, self.rcpts = None, []

    def send(self, text):
        if text == DROP:
            raise EOFError
        self.s.sendall(text.encode() + b"\r\n")
        if text.startswith("421"):
            raise EOFError

    def hold(self, step):
        if step in self.sink.held:
            self.sink.held[step].wait()

    def run(self):
        with self.sink.lock:
            self.sink.connections += 1
            self.sink.lock.notify_all()
        self.hold("greeting")
        self.send(self.sink.reply_to("greeting", "220 %s ESMTP" % self.sink.name))
        while line := self.f.readline():
            text = line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
            with self.sink.lock:
                self.sink.commands.append(text)
                self.sink.lock.notify_all()
            verb = text.split(" ")[0].upper()
            if verb == "QUIT":
                self.send("221 bye")
                return
            getattr(self, "on_" + verb.lower(), self.on_other)(text)

    def on_other(self, _):
        self.send("500 what?")

    def on_helo(self, text):
        self.helo = text[5:]
        self.send("250 %s" % self.sink.name)

    def on_lhlo(self, text):
        if self.sink.lmtp:
            self.hello(text)
        else:
            self.on_other(text)

    def on_ehlo(self, text):
        if self.sink.lmtp:
            self.on_other(text)
        else:
            self.hello(text)

    def hello(self, text):
        self.helo = text[5:]
        offered = list(self.sink.extensions) + (["STARTTLS"] if self.sink.tls and not self.over_tls else [])
        lines = [self.sink.name, *offered]
        standard = "\r\n".join("250%s%s" % (" " if i == len(lines) - 1 else "-", l) for i, l in enumerate(lines))
        self.send(self.sink.reply_to("EHLO", standard))

    def on_starttls(self, _):
        if self.sink.tls == "declined":
            self.send("454 4.7.0 not now")
            return
        self.send("220 go")
        if self.sink.tls == "broken":
            self.s.recv(4096)
            self.s.sendall(b"\x15\x03\x03\x00\x02\x02\x28")  # alert: handshake_failure
            raise EOFError
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*(self.sink.files or certificate()))
        context.sni_callback = lambda _socket, name, _context: self.sink.sni.append(name)
        self.s = context.wrap_socket(self.s, server_side=True)
        self.f, self.over_tls = self.s.makefile("rb"), True

    def on_rset(self, _):
        self.reset()
        self.send("250 2.0.0 ok")

    def on_mail(self, text):
        reply = self.sink.reply_to("MAIL", "250 2.1.0 ok")
        if reply.startswith("2"):
            self.sender = text[11:].split(">")[0]
        self.send(reply)

    def on_rcpt(self, text):
        address = text[9:].split(">")[0]
        if self.sender is None:
            self.send("503 5.5.1 MAIL first")
            return
        reply = self.sink.reply_to("RCPT", "250 2.1.5 ok", address)
        if reply.startswith("2"):
            self.rcpts.append(address)
        self.send(reply)

    def on_data(self, _):
        if not self.rcpts:
            self.send("554 5.5.1 no valid recipients")
            return
        reply = self.sink.reply_to("DATA", "354 go on")
        self.send(reply)
        if not reply.startswith("354"):
            return
        lines = []
        while (line := self.f.readline()) != b".\r\n":
            if not line:
                return
            lines.append(line[1:] if line.startswith(b".") else line)
        self.content_end(b"".join(lines))

    def on_bdat(self, text):
        """The octets are read in any case, RFC 3030 2."""
        words = text.split()
        content = self.f.read(int(words[1]))
        if not self.rcpts:
            self.send("503 5.5.1 no valid recipients")
        elif words[2:] != ["LAST"]:
            self.send("503 5.5.1 one chunk only")
        else:
            self.content_end(content)

    def content_end(self, content):
        if self.sink.lmtp:
            self.dot_each(content)
            return
        reply = self.sink.reply_to("dot", "250 2.0.0 taken")
        with self.sink.lock:
            self.sink.dots += 1
            if reply.startswith("2"):
                self.sink.taken.append(Taken(self.sender, list(self.rcpts), content, self.over_tls, self.helo))
            self.sink.lock.notify_all()
        self.hold("dot")
        self.send(reply)
        self.reset()

    def dot_each(self, content):
        replies = [(r, self.sink.reply_to("dot", "250 2.0.0 taken", r)) for r in self.rcpts]
        with self.sink.lock:
            self.sink.dots += 1
            self.sink.taken.append(Taken(self.sender, [r for r, reply in replies if reply.startswith("2")], content, self.over_tls, self.helo))
            self.sink.lock.notify_all()
        for _, reply in replies:
            self.send(reply)
        self.reset()
