#!/usr/bin/python3
"""Play tests/golden/smtp against a server that runs. The format of the transcripts is in README.md beside this file.

usage: POSTRIDER_SMTP=HOST:PORT POSTRIDER_SUBMISSION=HOST:PORT POSTRIDER_LMTP=HOST:PORT run_smtp.py [FILE...]
       run_smtp.py --server PROGRAM [FILE...]        the program prints these settings and an empty line, and runs until
                                                     the end of its standard input

Files whose listener has no address, and those that only the fake can play, are skipped with a word. Exit: 0 all played,
1 one failed or none could be played.
"""
import base64
import os
import pathlib
import re
import socket
import ssl
import subprocess
import sys

TIMEOUT_S = 20
LISTENERS = {"relay": "POSTRIDER_SMTP", "submission": "POSTRIDER_SUBMISSION", "lmtp": "POSTRIDER_LMTP"}


class Broken(Exception):
    pass


class Peer:
    """The client's side of one connection."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.sock = socket.create_connection((host, int(port)), TIMEOUT_S)
        self.sock.settimeout(TIMEOUT_S)
        self.got = b""

    def send(self, octets):
        self.sock.sendall(octets)

    def line(self):
        while b"\r\n" not in self.got:
            more = self.sock.recv(65536)
            if not more:
                raise Broken(f"the server closed, after {self.got!r}")
            self.got += more
        line, self.got = self.got.split(b"\r\n", 1)
        return line.decode("latin-1")

    def tls(self):
        if self.got:
            raise Broken(f"the server said more: {self.got!r}")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock)

    def closed(self):
        if self.got:
            raise Broken(f"the server said more: {self.got!r}")
        try:
            more = self.sock.recv(1)
        except (ConnectionResetError, ssl.SSLEOFError):
            return
        if more:
            raise Broken(f"the server did not close, it said {more!r}")


class Play:
    def __init__(self, peer, names):
        self.peer = peer
        self.names = names
        self.sending = b""

    def expand(self, text):
        text = re.sub(r"\{x:(\d+)\}", lambda m: "x" * int(m[1]), text)
        return re.sub(r"\{(\w+)\}", lambda m: self.names[m[1]], text)

    def pattern(self, text):
        # The host is learned from the first line that names it.
        parts = re.split(r"(\*|\{host\})", text)
        known = self.names.get("host")
        regex = ""
        for part in parts:
            if part == "*":
                regex += ".*"
            elif part == "{host}":
                regex += re.escape(known) if known else r"(?P<host>\S+)"
            else:
                regex += re.escape(self.expand(part))
        return re.compile(regex, re.S)

    def flush(self):
        if self.sending:
            self.peer.send(self.sending)
            self.sending = b""

    def expect(self, text):
        line = self.peer.line()
        match = self.pattern(text).fullmatch(line)
        if not match:
            raise Broken(f"the server said {line!r}, not {text!r}")
        if "host" in match.groupdict():
            self.names["host"] = match["host"]

    def expect_code(self, code):
        while True:
            line = self.peer.line()
            if not line.startswith(code):
                raise Broken(f"the server said {line!r}, not {code}")
            if line[3:4] != "-":
                return

    def step(self, mark, text):
        if mark == "C":
            self.sending += self.expand(text).encode("latin-1") + b"\r\n"
            return
        if mark == "R":
            self.sending += re.sub(rb"\\0", rb"\\x00", text.encode()).decode("unicode_escape").encode("latin-1")
            return
        self.flush()
        if mark == "S":
            self.expect(text)
        elif mark == "S*":
            self.expect_code(text)
        elif mark == "T":
            self.peer.tls()
        elif mark == "X":
            self.peer.closed()
        elif mark != "M":  # what queue was given cannot be seen from here
            raise Broken(f"unknown mark {mark!r}")


def read(path):
    """Options and steps (line number, mark, text) of a transcript."""
    options, steps = [], []
    for number, line in enumerate(path.read_text().split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        mark, text = line.split(": ", 1)
        if mark == "=":
            options.append(text)
        else:
            steps.append((number, mark, text))
    return options, steps


def names():
    user, password = "alice@demo.test", os.environ.get("POSTRIDER_PASSWORD", "password")

    def b64(text):
        return base64.b64encode(text.encode()).decode()

    return {"plain": b64(f"\0{user}\0{password}"), "user": b64(user), "password": b64(password)}


def play(path):
    """None, or why it was skipped."""
    options, steps = read(path)
    if "fake" in options or any(o.startswith("set ") for o in options):
        return "only the fake can play it"
    variable = LISTENERS[next(o for o in options if o in LISTENERS)]
    if variable not in os.environ:
        return f"{variable} is not set"
    p = Play(Peer(os.environ[variable]), names())
    for number, mark, text in steps:
        try:
            p.step(mark, text)
        except (Broken, OSError) as error:
            raise Broken(f"{path.name}:{number}: {error}") from error
    p.flush()
    return None


def play_all(paths):
    """How many were played, how many failed."""
    played = failed = 0
    for path in paths:
        try:
            skipped = play(path)
        except Broken as error:
            print(f"FAIL {error}")
            failed += 1
            continue
        print(f"skip {path.name}: {skipped}" if skipped else f"ok   {path.name}")
        played += not skipped
    print(f"{played} played, {failed} failed")
    return played, failed


def with_server(program, paths):
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        for line in iter(server.stdout.readline, "\n"):
            if not line:
                break
            os.environ.update([line.strip().split("=", 1)])
        played, failed = play_all(paths)
        server.stdin.close()
        if server.wait(TIMEOUT_S) != 0:
            print(f"FAIL the server ended with {server.returncode}")
            failed += 1
    return played, failed


def main():
    args = sys.argv[1:]
    program = args[1] if args[:1] == ["--server"] else None
    files = args[2:] if program else args
    paths = [pathlib.Path(a) for a in files] or sorted((pathlib.Path(__file__).parent / "smtp").glob("*.txt"))
    played, failed = with_server(program, paths) if program else play_all(paths)
    return 1 if failed or not played else 0


if __name__ == "__main__":
    sys.exit(main())
