"""What the tests of filters share: a server with a configuration, a host that records what arrives, and filters that do as they are told.

Mail to fwd@here.test (and other names there) leaves for out@far.test, which is the recorder: what it gets is, octet for octet, what was
stored.
"""
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading

from peers import Smtp
from server import BIN, free_base, until

CONFIG = """data = "%(dir)s/data"
hostname = "mx.here.test"
relay = "127.0.0.1:%(relay)d"
message_size = "%(size)s"
dns { forward = "127.0.0.1@1" }
listen { smtp = {"127.0.0.1:%(port)d"} submission = {} submissions = {} imap = {} imaps = {} %(listen)s }
filter { %(filter)s }
%(more)s
queue { retry_first = "1s" retry_max = "1s" expire = "5d" }
"""
MESSAGE = b"From: a@far.test\r\nTo: fwd@here.test\r\nSubject: hello\r\n\r\nline one\r\n..dots\r\nend\r\n"


class Listener:
    """A TCP server, a thread per connection; `serve(connection)` ends with the connection."""

    def __init__(self):
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.listen(100)
        self.port = self.sock.getsockname()[1]
        self.connections = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                c, _ = self.sock.accept()
            except OSError:
                return
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.append(c)
            threading.Thread(target=self.run, args=(c,), daemon=True).start()

    def run(self, c):
        try:
            self.serve(c)
        except (OSError, EOFError):
            pass
        finally:
            c.close()

    def stop(self):
        self.sock.shutdown(socket.SHUT_RDWR)  # wakes accept(), which would keep it open
        self.sock.close()
        for c in self.connections:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Recorder(Listener):
    """An SMTP server that takes everything; `messages` are (from, [to], octets without dots)."""

    def __init__(self):
        self.messages = []
        super().__init__()

    def serve(self, c):
        f = c.makefile("rb")
        c.sendall(b"220 recorder\r\n")
        sender, rcpts = None, []
        while True:
            line = f.readline()
            if not line:
                return
            verb = line[:4].upper()
            if verb == b"MAIL":
                sender, rcpts = line.split(b"<", 1)[1].split(b">")[0].decode(), []
            elif verb == b"RCPT":
                rcpts.append(line.split(b"<", 1)[1].split(b">")[0].decode())
            elif verb == b"DATA":
                c.sendall(b"354 go\r\n")
                lines = []
                while True:
                    line = f.readline()
                    if line == b".\r\n":
                        break
                    assert line.endswith(b"\r\n")
                    lines.append(line[1:] if line.startswith(b".") else line)
                self.messages.append((sender, rcpts, b"".join(lines)))
            elif verb == b"QUIT":
                c.sendall(b"221 bye\r\n")
                return
            c.sendall(b"250 ok\r\n")

    def take(self, n=1):
        until(lambda: len(self.messages) >= n, "message %d did not arrive" % n)
        return self.messages[n - 1]


def packet(command, data=b""):
    return struct.pack(">I", len(data) + 1) + command + data


def header(command, name, value, index=None):
    return packet(command, (b"" if index is None else struct.pack(">I", index)) + name + b"\0" + value + b"\0")


CONTINUE, ACCEPT, REJECT, TEMPFAIL, DISCARD, SKIP, PROGRESS = (packet(c) for c in (b"c", b"a", b"r", b"t", b"d", b"s", b"p"))
HANG, CLOSE = object(), object()
NAMES = {b"C": "connect", b"H": "helo", b"M": "mail", b"R": "rcpt", b"T": "data", b"L": "header", b"N": "eoh", b"B": "body", b"E": "eom"}


class Milter(Listener):
    """`on`: stage -> octets to answer with, HANG, CLOSE, or a function of (data) that gives one of these. What it was told is in `seen` as
    (stage, data), macros as ("macro", {name: value})."""

    def __init__(self, on=None, actions=0x1ff, steps=0, version=6, macros=b"", negotiate=None):
        self.on, self.actions, self.steps, self.version, self.macros, self.negotiate = on or {}, actions, steps, version, macros, negotiate
        self.seen = []
        super().__init__()

    def exactly(self, c, n):
        octets = b""
        while len(octets) < n:
            more = c.recv(n - len(octets))
            if not more:
                raise EOFError
            octets += more
        return octets

    def answer(self, c, what, data):
        if callable(what):
            what = what(data)
        if what is HANG:
            while c.recv(65536):
                pass
            raise EOFError
        if what is CLOSE:
            raise EOFError
        if what is not None:
            c.sendall(what)

    def serve(self, c):
        while True:
            n = struct.unpack(">I", self.exactly(c, 4))[0]
            octets = self.exactly(c, n)
            command, data = octets[:1], octets[1:]
            if command == b"O":
                self.answer(c, self.negotiate or packet(b"O", struct.pack(">III", self.version, self.actions, self.steps) + self.macros), data)
            elif command == b"D":
                parts = data[1:].split(b"\0")[:-1]
                self.seen.append(("macro", dict(zip(parts[::2], parts[1::2]))))
            elif command == b"Q":
                self.seen.append(("quit", b""))
                return
            elif command == b"A":
                self.seen.append(("abort", b""))
            else:
                stage = NAMES.get(command, "?")
                self.seen.append((stage, data))
                self.answer(c, self.on.get(stage, CONTINUE), data)

    def stages(self):
        return [s for s, _ in self.seen if s != "macro"]

    def told(self, stage):
        return [d for s, d in self.seen if s == stage]

    def macro(self, name):
        found = [d[name] for s, d in self.seen if s == "macro" and name in d]
        return found[-1] if found else None


class Filtered:
    """`postrider serve` with the section `filter` given. Log lines at warn are expected where `expect` matches."""

    def __init__(self, settings, recorder=None, listen="", size="2M", expect=("milter failed",), more=""):
        self.recorder = recorder or Recorder()
        self.dir = tempfile.mkdtemp(prefix="postrider-test.")
        self.base = free_base()
        self.values = {"dir": self.dir, "relay": self.recorder.port, "port": self.base + 25, "filter": settings, "listen": listen, "size": size, "more": more}
        self.expected = list(expect)
        self.write()
        self.log = open(os.path.join(self.dir, "log"), "ab")
        self.process = subprocess.Popen([BIN, "serve", "--config", self.path], stderr=self.log)
        until(lambda: "msg=serving" in self.text() or self.process.poll() is not None, "no start", 60)
        assert self.process.poll() is None, self.text()
        self.command("domain", "add", "here.test")
        for name in ("fwd", "two", "three"):
            self.command("alias", "add", name + "@here.test", ("out" if name == "fwd" else name) + "@far.test")

    def write(self, **changes):
        self.values.update(changes)
        self.path = os.path.join(self.dir, "postrider.conf")
        with open(self.path, "w") as f:
            f.write(CONFIG % self.values)

    def reload(self, **changes):
        seen = self.text().count("msg=reloaded")
        self.write(**changes)
        self.command("reload")
        until(lambda: self.text().count("msg=reloaded") > seen, "no reload")

    def text(self):
        return open(os.path.join(self.dir, "log"), errors="replace").read()

    def command(self, *words):
        done = subprocess.run([BIN, *words, "--config", self.path], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def port(self, standard):
        return self.base + standard

    def session(self):
        c = Smtp(self, 25)
        c.ok("EHLO client.far.test")
        return c

    def send(self, octets=MESSAGE, sender="a@far.test", rcpts=("fwd@here.test",)):
        """One message in a session of its own: the first reply that is a refusal, or that to the data."""
        with self.session() as c:
            for command in ["MAIL FROM:<%s>" % sender] + ["RCPT TO:<%s>" % r for r in rcpts]:
                got = c.do(command)
                if got[0] != 250:
                    return got
            got = c.do("DATA")
            if got[0] != 354:
                return got
            stuffed = b"".join(b"." + l if l.startswith(b".") else l for l in octets.splitlines(keepends=True))
            c.send(stuffed + b".\r\n")
            return c.reply()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(90)
        self.log.close()
        bad = [l for l in self.text().splitlines() if ("lvl=warn" in l or "lvl=error" in l or "Sanitizer" in l or "runtime error" in l)
               and not any(e in l for e in self.expected)]
        shutil.rmtree(self.dir)
        assert code == 0 and not bad, bad

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.process.kill()
            self.process.wait()
            print(self.text()[-6000:])
        else:
            self.stop()


def split_own(octets):
    """(our Received field, what follows)."""
    assert octets.startswith(b"Received: "), octets[:200]
    lines = octets.splitlines(keepends=True)
    n = 1
    while lines[n][:1] in (b" ", b"\t"):
        n += 1
    return b"".join(lines[:n]), b"".join(lines[n:])


class Policy(Listener):
    """`answer`: octets, HANG, CLOSE, or a function of the attributes that gives one of these. The questions are in `asked`."""

    def __init__(self, answer=b"action=DUNNO\n\n"):
        self.reply, self.asked = answer, []
        super().__init__()

    def serve(self, c):
        f = c.makefile("rb")
        while True:
            attributes = {}
            while True:
                line = f.readline()
                if not line:
                    return
                assert line.endswith(b"\n") and b"\0" not in line
                if line == b"\n":
                    break
                name, value = line[:-1].split(b"=", 1)
                assert name not in attributes, name
                attributes[name] = value
            self.asked.append(attributes)
            what = self.reply(attributes) if callable(self.reply) else self.reply
            if what is HANG:
                f.read()
                return
            if what is CLOSE:
                return
            c.sendall(what)
