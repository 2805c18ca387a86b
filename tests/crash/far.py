"""Mail hosts of other domains, in the process of the tests, so that no kill reaches them. What each saw is kept in order, with the time.

A recipient whose local part begins with "bad" is refused. Now and then a recipient or a message is put off, and every answer to the dot takes a
moment, so that there is always something in flight. A copy counts from the moment the host decides to say yes, as with hosts that sync first.
"""
import collections
import contextlib
import random
import re
import socket
import threading
import time

import content

THINK_S = 0.02      # at most, before the answer to a dot
LATER_SHARE = 0.03  # of the recipients, and of the dots


class Copy:
    """One recipient's copy of a message. yes_s is None if the answer could not be sent."""
    __slots__ = ("rcpt", "digest", "rcpt_s", "dot_s", "yes_s")

    def __init__(self, rcpt, digest, rcpt_s, dot_s):
        self.rcpt, self.digest, self.rcpt_s, self.dot_s, self.yes_s = rcpt, digest, rcpt_s, dot_s, None


class Far:
    def __init__(self, addresses):
        self.lock = threading.Lock()
        self.copies = collections.defaultdict(list)  # id of a message: its copies, in order
        self.faults, self.counts = [], collections.Counter()
        self.listeners = []
        for address in addresses:
            s = socket.create_server((address, 25), backlog=200)
            self.listeners.append(s)
            threading.Thread(target=self.accept, args=(s,), daemon=True).start()

    def close(self):
        for s in self.listeners:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()

    def accept(self, listener):
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        self.counts["connections"] += 1
        with s, contextlib.suppress(OSError, EOFError):
            Talk(self, s).run()

    def take_copies(self):
        with self.lock:
            copies, self.copies = self.copies, collections.defaultdict(list)
        return copies


class Talk:
    def __init__(self, far, s):
        self.far, self.s, self.f, self.r = far, s, s.makefile("rb"), random.Random()
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sender, self.rcpts = None, {}

    def say(self, text):
        self.s.sendall(text + b"\r\n")

    def run(self):
        self.say(b"220 far.test ESMTP")
        while line := self.f.readline():
            verb = line[:4].upper()
            if verb == b"QUIT":
                self.say(b"221 bye")
                return
            if verb in (b"EHLO", b"HELO"):
                self.sender, self.rcpts = None, {}
                self.say(b"250-far.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 50000000")
            elif verb == b"RSET":
                self.sender, self.rcpts = None, {}
                self.say(b"250 2.0.0 ok")
            elif verb == b"MAIL":
                if self.sender is not None:
                    self.far.faults.append("far: MAIL inside a transaction")
                self.sender = line
                self.say(b"250 2.1.0 ok")
            elif verb == b"RCPT":
                self.rcpt(re.search(rb"<(.*)>", line)[1].decode())
            elif verb == b"DATA":
                self.data()
            else:
                self.say(b"500 5.5.1 what?")

    def rcpt(self, address):
        if address.startswith("bad"):
            self.say(b"550 5.1.1 nobody of that name")
        elif self.r.random() < LATER_SHARE:
            self.say(b"450 4.2.1 later")
        else:
            self.rcpts[address] = time.monotonic()
            self.say(b"250 2.1.5 ok")

    def data(self):
        if not self.rcpts:
            self.say(b"554 5.5.1 no valid recipients")
            return
        self.say(b"354 go on")
        lines = []
        while (line := self.f.readline()) != b".\r\n":
            if not line:
                raise EOFError
            lines.append(line[1:] if line.startswith(b".") else line)
        self.dot(b"".join(lines))
        self.sender, self.rcpts = None, {}

    def dot(self, octets):
        now = time.monotonic()
        time.sleep(self.r.random() * THINK_S)
        if self.r.random() < LATER_SHARE:
            self.say(b"451 4.3.0 later")
            return
        known = content.identify(octets)
        copies = [Copy(rcpt, known[1] if known else None, at, now) for rcpt, at in self.rcpts.items()]
        with self.far.lock:
            if known:
                self.far.copies[known[0]] += copies
            else:
                self.far.faults.append("far: a message that nobody sent: %r" % octets[:200])
        self.say(b"250 2.0.0 taken")
        for c in copies:
            c.yes_s = time.monotonic()
