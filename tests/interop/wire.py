"""An IMAP client of octets: sends lines as they are given, and keeps what is answered, response by response."""
import re
import socket

from mailbox_ import tls


class Wire:
    def __init__(self, server, account=None):
        raw = socket.create_connection(("127.0.0.1", server.ports["imaps"]), timeout=60)
        self.socket = tls().wrap_socket(raw, server_hostname="localhost")
        self.file = self.socket.makefile("rb")
        self.count = 0
        self.greeting = self.response()
        if account:
            self.ok(f"LOGIN {account[1]} {account[2]}")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.file.close()
        self.socket.close()

    def response(self):
        """One response, its literals in place."""
        whole = b""
        while True:
            line = self.file.readline()
            assert line.endswith(b"\r\n"), ("the connection ended", whole + line)
            whole += line
            literal = re.search(rb"\{(\d+)\}\r\n$", line)
            if not literal:
                return whole[:-2]
            whole += self.file.read(int(literal[1]))

    def send(self, octets):
        self.socket.sendall(octets if isinstance(octets, bytes) else octets.encode())

    def begin(self, text):
        """Send a command; its tag."""
        self.count += 1
        tag = f"A{self.count}"
        self.send(f"{tag} {text}\r\n")
        return tag

    def end(self, tag):
        """(untagged responses, tagged answer) of a command that was begun."""
        told = []
        while True:
            r = self.response()
            if r.startswith(tag.encode() + b" "):
                return told, r[len(tag) + 1:]
            assert r.startswith((b"* ", b"+ ", b"+")), r
            told.append(r)

    def ask(self, text):
        return self.end(self.begin(text))

    def ok(self, text):
        """The untagged responses, as one text, of a command that succeeds; the answer is the last line."""
        told, answer = self.ask(text)
        assert answer.startswith(b"OK"), (text, answer)
        return b"\r\n".join([*told, answer])

    def append(self, box, octets, flags=""):
        self.count += 1
        self.send(f"A{self.count} APPEND {box} ({flags}) {{{len(octets)}+}}\r\n".encode() + octets + b"\r\n")
        told, answer = self.end(f"A{self.count}")
        assert answer.startswith(b"OK"), answer
        return answer

    def capabilities(self):
        return set(self.ok("CAPABILITY").split(b"\r\n")[0].decode().split()[2:])

    def idle(self):
        tag = self.begin("IDLE")
        r = self.response()
        while not r.startswith(b"+"):
            r = self.response()
        return tag

    def until(self, pattern):
        """Responses up to one that matches."""
        told = []
        while True:
            told.append(self.response())
            if re.search(pattern, told[-1]):
                return told

    def done(self, tag):
        self.send("DONE\r\n")
        told, answer = self.end(tag)
        assert answer.startswith(b"OK"), answer
        return told
