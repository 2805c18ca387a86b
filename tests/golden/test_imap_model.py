"""Several sessions on one mailbox, random commands: what each is told must add up to what the mailbox holds.

Each session keeps a model from untagged answers alone: EXISTS may not shrink without EXPUNGE, numbers must stay right, EXPUNGE never comes
during FETCH, STORE or SEARCH by number, and after a NOOP by all the models must be equal to a fresh look.
"""
import os
import random
import re
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from imap_driver import Connection  # noqa: E402
from test_imap import Server  # noqa: E402

FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "$a", "$b"]
MESSAGE = b"Subject: x\r\n\r\nbody\r\n"


class Session:
    def __init__(self, port, box):
        self.c = Connection("127.0.0.1", port)
        self.c.line()
        self.tag = 0
        self.messages = []  # [uid or None, flags or None]
        self.idle = False
        self.run("LOGIN user1 secret")
        self.run("SELECT %s" % box)
        self.run("FETCH 1:* (UID FLAGS)")

    def untagged(self, line, by_number):
        m = re.match(r"\* (\d+) (EXISTS|EXPUNGE|FETCH)(?: \((.*))?$", line)
        if not m:
            return
        n, what = int(m.group(1)), m.group(2)
        if what == "EXISTS":
            assert n >= len(self.messages), line
            self.messages += [[None, None] for _ in range(n - len(self.messages))]
        elif what == "EXPUNGE":
            assert not by_number, line
            assert 1 <= n <= len(self.messages), line
            del self.messages[n - 1]
        else:
            assert 1 <= n <= len(self.messages), line
            message = self.messages[n - 1]
            uid = re.search(r"UID (\d+)", m.group(3))
            flags = re.search(r"FLAGS \((.*?)\)", m.group(3))
            if uid:
                assert message[0] in (None, int(uid.group(1))), line
                message[0] = int(uid.group(1))
            if flags:
                message[1] = frozenset(flags.group(1).split()) - {"\\Recent"}

    def answer(self, tag, by_number):
        while True:
            line = self.c.line().decode()
            if os.environ.get("TRACE"):
                print(id(self) % 1000, "S:", line)
            if line.startswith("+"):
                return line
            if line.startswith(tag + " "):
                return line[len(tag) + 1:]
            assert not line.startswith("* BYE"), line
            self.untagged(line, by_number)

    def run(self, command, by_number=False):
        self.tag += 1
        tag = "t%d" % self.tag
        if os.environ.get("TRACE"):
            print(id(self) % 1000, "C:", tag, command)
        self.c.send(("%s %s\r\n" % (tag, command)).encode())
        return self.answer(tag, by_number)

    def act(self, rng):
        if self.idle:
            self.c.send(b"DONE\r\n")
            self.idle = False
            assert self.answer("t%d" % self.tag, False).startswith("OK")
            return
        n = len(self.messages)
        pick = rng.random()
        number = rng.randint(1, n) if n else None
        flags = " ".join(rng.sample(FLAGS, rng.randint(0, 3)))
        if pick < 0.15 or n < 3:
            self.run("APPEND box (%s) {%d+}\r\n%s" % (flags, len(MESSAGE), MESSAGE.decode()))
        elif pick < 0.35:
            silent = rng.choice(["", ".SILENT"])
            op = rng.choice(["+", "-", ""])
            last = min(n, number + rng.randint(0, 3))
            answer = self.run("STORE %d:%d %sFLAGS%s (%s)" % (number, last, op, silent, flags), True)
            assert answer.startswith("OK") or "EXPUNGEISSUED" in answer, answer
            if silent and answer.startswith("OK"):
                for m in self.messages[number - 1:last]:
                    given = frozenset(flags.split())
                    if m[1] is not None:
                        m[1] = m[1] | given if op == "+" else m[1] - given if op == "-" else given
        elif pick < 0.5:
            self.run("STORE %d +FLAGS (\\Deleted)" % number, True)
        elif pick < 0.6:
            self.run("EXPUNGE")
        elif pick < 0.7:
            assert self.run("FETCH %d (FLAGS BODY.PEEK[HEADER])" % number, True)
        elif pick < 0.75:
            self.run("UID FETCH 1:* (FLAGS)")
        elif pick < 0.8:
            self.run("SEARCH UNSEEN", True)
        elif pick < 0.85:
            self.run("COPY %d box" % number)
        elif pick < 0.9:
            self.run("MOVE %d box" % number)
        elif pick < 0.95:
            assert self.run("IDLE").startswith("+")
            self.idle = True
        else:
            self.run("NOOP")


@pytest.mark.skipif(bool(os.environ.get("POSTRIDER_IMAP")), reason="needs an account of its own")
@pytest.mark.parametrize("seed,view_ms", [(1, "20000"), (2, "20000"), (3, "1"), (4, "1")])
def test_model(tmp_path, seed, view_ms):
    server = Server(tmp_path, LAB="1", VIEW_MS=view_ms)
    rng = random.Random(seed)
    first = Session(server.port, "INBOX")
    first.run("CREATE box")
    sessions = [Session(server.port, "box") for _ in range(3)]
    for step in range(600):
        rng.choice(sessions).act(rng)
        if step % 40 == 39:
            for s in sessions:
                if s.idle:
                    s.act(rng)
            for s in sessions:
                assert s.run("NOOP").startswith("OK")
            fresh = Session(server.port, "box")
            truth = fresh.messages
            fresh.c.close()
            for s in sessions:
                assert len(s.messages) == len(truth), (seed, step)
                for mine, real in zip(s.messages, truth):
                    assert mine[0] in (None, real[0]), (seed, step, mine, real)
                    assert mine[1] is None or mine[1] == real[1], (seed, step, mine, real)
                    mine[0] = real[0]
    for s in sessions + [first]:
        s.c.close()
    server.stop()
