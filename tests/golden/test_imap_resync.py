"""Clients that go away and come back: what they kept, and what QRESYNC then tells them, must add up to what the mailbox holds.

Each client keeps a mailbox as UID -> flags and one number, HIGHESTMODSEQ, made by the rule of RFC 7162 §6 (the code if one came, else
the largest MODSEQ since the last tagged answer). Several of them change one mailbox, by number and by UID, some with UIDONLY; any is cut
off between two commands, comes back with SELECT (QRESYNC ...) or UID FETCH (CHANGEDSINCE n VANISHED), and is compared with a fresh look.
"""
import os
import random
import re
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from imap_driver import Connection  # noqa: E402
from test_imap import Server  # noqa: E402

FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "$a"]
MESSAGE = b"Subject: x\r\n\r\nbody\r\n"


def numbers(text):
    for part in text.split(","):
        first, _, last = part.partition(":")
        yield from range(int(first), int(last or first) + 1)


class Client:
    def __init__(self, port, uidonly):
        self.port, self.uidonly = port, uidonly
        self.flags = {}  # UID -> flags
        self.places = []  # UIDs by number; None: not known yet
        self.highest = self.validity = self.have = 0  # have: the largest UID up to which it fetched what came
        self.tag = 0
        self.connect()

    def connect(self):
        self.c = Connection("127.0.0.1", self.port)
        self.c.line()
        self.places = []
        self.run("LOGIN user1 secret")
        self.run("ENABLE QRESYNC" + (" UIDONLY" if self.uidonly else ""))

    def select(self):
        since = self.highest
        if self.validity and since:
            self.run("SELECT box (QRESYNC (%d %d))" % (self.validity, since))
        else:
            self.run("SELECT box")
        self.fetch_new()
        known = sorted(self.flags)
        # With the resync all of the mailbox is known, so its numbers are.
        assert len(known) == len(self.places), (known, self.places)
        self.places = known

    def fetch_new(self):
        self.run("UID FETCH %d:* (UID FLAGS)" % (self.have + 1))
        self.have = max(self.flags, default=0)

    def gone(self, uid, earlier):
        self.flags.pop(uid, None)
        if not earlier:  # one fewer, known by its UID or not yet
            self.places.remove(uid if uid in self.places else None)

    def untagged(self, line, by_number):
        m = re.match(r"\* OK \[(HIGHESTMODSEQ|UIDVALIDITY) (\d+)\]", line)
        if m and m.group(1) == "HIGHESTMODSEQ":
            self.code = int(m.group(2))
        elif m:
            if self.validity != int(m.group(2)):
                self.flags = {}
            self.validity = int(m.group(2))
        m = re.match(r"\* VANISHED (\(EARLIER\) )?(\S+)$", line)
        if m:
            assert m.group(1) or not by_number, line
            for uid in numbers(m.group(2)):
                assert m.group(1) or uid in self.places or None in self.places, line
                self.gone(uid, m.group(1))
        assert "EXPUNGE" not in line, line
        m = re.match(r"\* (\d+) EXISTS", line)
        if m:
            assert int(m.group(1)) >= len(self.places), line
            self.places += [None] * (int(m.group(1)) - len(self.places))
        m = re.match(r"\* (\d+) (UID)?FETCH \((.*)\)$", line)
        if m:
            assert bool(m.group(2)) == self.uidonly, line
            uid = int(m.group(1)) if self.uidonly else int(re.search(r"UID (\d+)", line).group(1))
            if not self.uidonly and self.selected:
                place = int(m.group(1)) - 1
                assert self.places[place] in (None, uid), (line, self.places)
                self.places[place] = uid
            modseq = re.search(r"MODSEQ \((\d+)\)", line)
            flags = re.search(r"FLAGS \((.*?)\)", line)
            assert modseq or not flags, line
            if modseq:
                self.largest = max(self.largest, int(modseq.group(1)))
            if flags:
                self.flags[uid] = frozenset(flags.group(1).split()) - {"\\Recent"}

    def run(self, command, by_number=False):
        self.tag += 1
        self.code, self.largest = 0, 0
        self.selected = not command.startswith("SELECT")
        tag = "t%d" % self.tag
        if os.environ.get("TRACE"):
            print(id(self) % 1000, "C:", tag, command)
        self.c.send(("%s %s\r\n" % (tag, command)).encode())
        while True:
            line = self.c.line().decode()
            if os.environ.get("TRACE"):
                print(id(self) % 1000, "S:", line)
            if line.startswith(tag + " "):
                code = re.search(r"\[HIGHESTMODSEQ (\d+)\]", line)
                self.code = int(code.group(1)) if code else self.code
                if self.code:
                    self.highest = self.code
                self.highest = self.highest if self.code else max(self.highest, self.largest)
                return line[len(tag) + 1:]
            assert not line.startswith("* BYE"), line
            self.untagged(line, by_number)

    def learn(self):
        """New messages, as a client does it: by UID, above what it has."""
        while None in self.places:
            self.fetch_new()
            known = sorted(self.flags)
            self.places = known + [None] * (len(self.places) - len(known))

    def store(self, rng):
        flags = " ".join(rng.sample(FLAGS, rng.randint(0, 3)))
        op, silent = rng.choice(["+", "-", ""]), rng.choice(["", ".SILENT"])
        place = rng.randrange(len(self.places))
        uid = self.places[place]
        if uid is None:
            return
        since = " (UNCHANGEDSINCE %d)" % self.highest if rng.random() < 0.3 else ""
        by_uid = self.uidonly or rng.random() < 0.5
        answer = self.run("%sSTORE %d%s %sFLAGS%s (%s)" % ("UID " if by_uid else "", uid if by_uid else place + 1, since, op, silent, flags),
                          not by_uid)
        assert answer.startswith("OK") or "EXPUNGEISSUED" in answer, answer
        if silent:  # what the client made of it is the mailbox's to say
            self.run("UID FETCH %d (UID FLAGS)" % uid)

    def act(self, rng):
        pick, n = rng.random(), len(self.places)
        if pick < 0.15 or n < 4:
            self.run("APPEND box (%s) {%d+}\r\n%s" % (rng.choice(FLAGS), len(MESSAGE), MESSAGE.decode()))
        elif pick < 0.45:
            self.store(rng)
        elif pick < 0.55:
            self.run("UID STORE %d +FLAGS (\\Deleted)" % rng.choice([u for u in self.places if u] or [1]))
        elif pick < 0.62:
            self.run("EXPUNGE")
        elif pick < 0.7 and not self.uidonly:
            self.run("FETCH %d (FLAGS)" % rng.randint(1, n), True)
        elif pick < 0.75:
            self.run("UID MOVE %d box" % rng.choice([u for u in self.places if u] or [1]))
        elif pick < 0.8:
            self.run("UID FETCH 1:* (UID FLAGS) (CHANGEDSINCE %d VANISHED)" % self.highest)
        elif pick < 0.92:
            self.c.close()
            self.connect()
            self.select()
        else:
            self.run("NOOP")
        if rng.random() < 0.5:
            self.learn()

    def same_as(self, truth):
        self.run("NOOP")
        self.learn()
        assert self.flags == truth, (self.flags, truth)
        # And what it kept is enough to come back with.
        self.c.close()
        self.connect()
        self.select()
        assert self.flags == truth, (self.flags, truth)


@pytest.mark.skipif(bool(os.environ.get("POSTRIDER_IMAP")), reason="needs an account of its own")
@pytest.mark.parametrize("seed,view_ms", [(1, "20000"), (2, "20000"), (3, "1"), (4, "1")])
def test_resync(tmp_path, seed, view_ms):
    server = Server(tmp_path, LAB="1", VIEW_MS=view_ms)
    rng = random.Random(seed)
    first = Client(server.port, False)
    first.run("CREATE box")
    clients = [Client(server.port, uidonly) for uidonly in (False, False, True)]
    for c in clients:
        c.select()
    for step in range(500):
        rng.choice(clients).act(rng)
        if step % 40 == 39:
            fresh = Client(server.port, False)
            fresh.select()
            fresh.c.close()
            for c in clients:
                c.same_as(fresh.flags)
    for c in [first] + clients:
        c.c.close()
    server.stop()
