"""A session of random commands on one of two mailboxes, that remembers what it asked, what it was told and what it counts (history.py judges).

It checks at once what can be seen at once: EXISTS never shrinks, EXPUNGE and FETCH name messages that are there and mean those that they meant,
no EXPUNGE comes while numbers are in use (RFC 9051 §7.5.1), VANISHED and UIDFETCH where numbers are not used (RFC 7162, RFC 9586), and the mod-sequence
of a message never goes back. What QRESYNC says of the time between two connections must lead from the one list to the other.
"""
import itertools
import random
import re
import threading
import time

from clients import Imap, Lost
from history import Finding, Look, Op

BOXES = ("Work", "Other")
KINDS = ("plain", "condstore", "qresync", "uidonly", "qresync", "condstore")
WORDS = ("\\Seen", "\\Flagged", "\\Answered", "\\Deleted", "\\Deleted", "$a", "$b")
FULL = 30
ticks = itertools.count(1)
idents = itertools.count(1)


def numbers(text):
    found = []
    for part in text.split(","):
        first, _, last = part.partition(":")
        found += range(int(first), int(last or first) + 1)
    return found


def flags_of(text):
    m = re.search(r"FLAGS \(([^)]*)\)", text)
    return frozenset(m[1].split()) - {"\\Recent"} if m else None


def value(name, text):
    m = re.search(name + r" \(?(\d+)", text)
    return int(m[1]) if m else None


class Session:
    def __init__(self, name, kind, port, user, password, seed):
        self.name, self.kind, self.port, self.user, self.password = "%s-%s" % (name, kind), kind, port, user, password
        self.r = random.Random(seed)
        self.c, self.box, self.uidvalidity = None, None, {}
        self.ops, self.looks, self.told_flags, self.counts = [], [], [], {}
        self.entries, self.flags, self.highest, self.dead = [], {}, 0, []
        self.kept = {}  # box: (highest, {uid: (flags, modseq)}), for QRESYNC
        self.command, self.op, self.sent = "", None, []

    # ---- what comes ----

    def uids(self):
        return [e[0] for e in self.entries if e[0]]

    def tell(self, uid, text):
        """FETCH data of a message."""
        flags, modseq = flags_of(text), value("MODSEQ", text)
        self.sent.append(uid)
        if flags is not None:
            self.shown.add(uid)
        # The first line is the echo; what comes behind it, and flags after .SILENT, may be of others.
        if self.op and uid not in self.op.told and (flags is None or not self.op.silent):
            self.op.told[uid] = (flags, modseq)
        if flags is None and modseq is None:
            return
        was = self.flags.get(uid, (None, None))
        if modseq is not None and was[1] is not None and modseq < was[1]:
            raise Finding("%s: uid %d has modseq %d, and had %d" % (self.name, uid, modseq, was[1]))
        if flags is not None:
            self.told_flags.append((self.box, uid, flags, modseq))
        self.flags[uid] = (flags if flags is not None else was[0], modseq if modseq is not None else was[1])
        self.highest = max(self.highest, modseq or 0)

    def forget(self, uid):
        self.flags.pop(uid, None)
        if uid:
            self.dead = self.dead[-20:] + [uid]

    def gone(self, uid):
        self.forget(uid)
        self.left.add(uid)
        known = [e for e in self.entries if e[0] == uid]
        if known:
            self.entries.remove(known[0])
            return
        first = next((i for i, e in enumerate(self.entries) if e[0] is None), None)
        if first is None:
            raise Finding("%s: VANISHED %d, which is not there" % (self.name, uid))
        # Which of those that it does not know, it cannot tell: from the first of them on it must ask again.
        self.entries = self.entries[:first] + [[None] for _ in self.entries[first + 1:]]

    def numbered(self, n, what, text, quiet):
        if what == "EXISTS":
            self.exists = n if self.exists is None else self.exists
            if n < len(self.entries):
                raise Finding("%s: %d EXISTS, and there were %d" % (self.name, n, len(self.entries)))
            self.entries += [[None] for _ in range(n - len(self.entries))]
            return
        if self.kind == "uidonly" or not 1 <= n <= len(self.entries):
            raise Finding("%s: * %d %s of %d messages" % (self.name, n, what, len(self.entries)))
        entry = self.entries[n - 1]
        if what == "EXPUNGE":
            if quiet or self.kind == "qresync":
                raise Finding("%s: EXPUNGE in the answer to %s" % (self.name, self.command))
            self.forget(entry[0])
            del self.entries[n - 1]
            return
        uid = value("UID", text)
        if uid and entry[0] not in (None, uid):
            raise Finding("%s: message %d has uid %d, and had %s" % (self.name, n, uid, entry[0]))
        if uid and not entry[0]:
            if any(e[0] and e[0] >= uid for e in self.entries[:n - 1]):
                raise Finding("%s: uid %d is message %d of %s" % (self.name, uid, n, [e[0] for e in self.entries]))
            entry[0] = uid
        if entry[0]:
            self.tell(entry[0], text)

    def untagged(self, line, quiet):
        m = re.match(r"\* (\d+) (EXISTS|EXPUNGE|FETCH|UIDFETCH|RECENT)\b(.*)", line)
        if m and m[2] == "UIDFETCH":
            if self.kind != "uidonly":
                raise Finding("%s: %s" % (self.name, line))
            self.tell(int(m[1]), m[3])
        elif m and m[2] != "RECENT":
            self.numbered(int(m[1]), m[2], m[3], quiet)
        elif line.startswith("* VANISHED "):
            if self.kind not in ("qresync", "uidonly") or (quiet and "(EARLIER)" not in line):
                raise Finding("%s: %s in the answer to %s" % (self.name, line, self.command))
            if "(EARLIER)" in line:
                self.earlier += numbers(line.rsplit(" ", 1)[1])
            else:
                for uid in numbers(line.rsplit(" ", 1)[1]):
                    self.gone(uid)
        elif line.startswith("* SEARCH") or line.startswith("* ESEARCH"):
            self.search = line
            self.search_counts = len(self.entries)
        elif "[HIGHESTMODSEQ" in line:
            self.highest = value("HIGHESTMODSEQ", line)
        elif line.startswith("* OK [CLOSED]"):
            self.entries, self.flags = [], {}
        elif "[COPYUID" in line:
            self.copyuid = line

    def answer(self, tag, quiet):
        while True:
            line, _ = self.c.response()
            line = line.decode(errors="replace")
            if line.startswith(tag + " "):
                self.text = line[len(tag) + 1:]
                if "[HIGHESTMODSEQ" in line:
                    self.highest = value("HIGHESTMODSEQ", line)
                if "[COPYUID" in line:
                    self.copyuid = line
                if line.split()[1] == "BAD":
                    raise Finding("%s: %s: %s" % (self.name, self.command, line))
                return line.split()[1]
            if line.startswith("+"):
                return "+"
            if line.startswith("* BYE"):
                raise Lost(line)
            self.untagged(line, quiet)

    def send(self, command):
        self.c.count += 1
        tag = "h%d" % self.c.count
        self.command, self.earlier, self.copyuid, self.search, self.sent, self.shown = command, [], "", "", [], set()
        self.left, self.exists = set(), None
        self.c.send(("%s %s\r\n" % (tag, command)).encode())
        return tag

    def run(self, command, op=None, quiet=False):
        """The status of the answer; Lost: the operation stands without one."""
        if op:
            op.told, op.modified = {}, []
            self.ops.append(op)
        self.op = op if op and op.kind == "STORE" else None
        status = self.answer(self.send(command), quiet)
        self.op = None
        if op:
            op.end, op.done = next(ticks), "NO" if status == "NO" and "EXPUNGEISSUED" not in self.text and "MODIFIED" not in self.text else "OK"
            self.counts[op.kind + ("" if op.done == "OK" else " NO")] = self.counts.get(op.kind + ("" if op.done == "OK" else " NO"), 0) + 1
        return status

    def look(self, tick, **what):
        self.looks.append(Look(self.name, self.box, tick, tuple(self.entries), self.command, **what))
        if self.kind == "qresync" and all(e[0] and self.flags.get(e[0], (None, 0))[0] is not None for e in self.entries):
            self.kept[self.box] = (self.highest, {u: self.flags[u] for u in self.uids()})

    # ---- connecting ----

    def connect(self):
        self.c = Imap(self.port, self.user, self.password)
        if self.kind == "qresync":
            self.run("ENABLE QRESYNC")
        elif self.kind == "uidonly":
            self.run("ENABLE UIDONLY CONDSTORE")
        self.select(self.r.choice(BOXES))

    def drop(self):
        if self.c:
            self.c.close()
        self.c = self.box = self.op = None

    def select(self, box):
        start, kept = next(ticks), self.kept.get(box)
        how, known = "", ""
        if self.kind == "condstore":
            how = " (CONDSTORE)"
        elif self.kind == "qresync" and kept and self.r.random() < 0.9:
            known = " %s" % ",".join(map(str, kept[1])) if kept[1] and self.r.random() < 0.5 else ""
            how = " (QRESYNC (%d %d%s))" % (self.uidvalidity[box], kept[0], known)
        self.box, self.entries, self.flags, self.dead = box, [], {}, []
        self.resync = how.startswith(" (QRESYNC")
        if self.resync:
            self.flags = dict(kept[1])
        status = self.answer_select(self.send("SELECT %s%s" % (box, how)))
        if status != "OK":
            raise Lost("SELECT: " + self.text)
        if self.resync:
            self.resynced(kept, known != "")
        self.look(start, begins=True)
        self.fetch_new()

    def answer_select(self, tag):
        while True:
            line, _ = self.c.response()
            line = line.decode(errors="replace")
            if line.startswith(tag + " "):
                self.text = line[len(tag) + 1:]
                return self.text.split()[0]
            v = value("UIDVALIDITY", line)
            if v and self.uidvalidity.setdefault(self.box, v) != v:
                raise Finding("%s: UIDVALIDITY of %s was %d, is %d" % (self.name, self.box, self.uidvalidity[self.box], v))
            if "[HIGHESTMODSEQ" in line and self.highest_before(line):
                raise Finding("%s: %s, and it was %d" % (self.name, line, self.kept[self.box][0]))
            if line.startswith("* OK [CLOSED]"):
                continue
            self.untagged(line, False)

    def highest_before(self, line):
        """The clock never goes back."""
        return self.box in self.kept and value("HIGHESTMODSEQ", line) < self.kept[self.box][0]

    def resynced(self, kept, known_given):
        """The list that it had, without what vanished and with what it was shown, is the list that there is."""
        listed = sorted(((set(kept[1]) - set(self.earlier)) | set(self.sent)) - self.left)
        if set(self.earlier) & set(self.sent):
            raise Finding("%s: gone and shown: %s %s" % (self.name, self.earlier, self.sent))
        if known_given:  # new ones are not shown then, unless they change meanwhile
            listed = [u for u in listed if u in kept[1]]
        there = (self.exists or 0) - len(self.left)  # those that came meanwhile stand behind them; it asks for them later
        if len(listed) > there or (not known_given and len(listed) != there):
            raise Finding("%s: %s EXISTS, and QRESYNC since %d leads from %s to %s (gone %s, shown %s, then gone %s)" % (
                self.name, self.exists, kept[0], sorted(kept[1]), listed, self.earlier, self.sent, sorted(self.left)))
        for entry, uid in zip(self.entries, listed):
            if entry[0] not in (None, uid):
                raise Finding("%s: QRESYNC gives %s for %s" % (self.name, listed, [e[0] for e in self.entries]))
            entry[0] = uid
        for uid in self.earlier:
            self.flags.pop(uid, None)
        self.counts["resync"] = self.counts.get("resync", 0) + 1

    # ---- commands ----

    def fetch_new(self):
        """Ask for the messages that it knows by number only."""
        if all(e[0] for e in self.entries):
            return
        start = next(ticks)
        what = "(UID FLAGS%s)" % (" MODSEQ" if self.kind != "plain" else "")
        known = self.uids()
        if self.kind == "uidonly":
            unknown = [e for e in self.entries if not e[0]]
            self.run("UID FETCH %d:* %s" % (max(known, default=0) + 1, what))
            found = sorted({u for u in self.sent if u > max(known, default=0)})
            still = [e for e in self.entries if not e[0]]
            if len(found) == len(still) and [id(e) for e in still] == [id(e) for e in unknown]:
                for entry, uid in zip(still, found):
                    entry[0] = uid
        else:
            first = next(i for i, e in enumerate(self.entries) if not e[0])
            self.run("FETCH %d:%d %s" % (first + 1, len(self.entries), what), quiet=True)
        self.look(start)

    def pick(self, most=4):
        """(the set as it is sent, UIDs, by UID): messages whose UID it knows; sometimes one that is not there any more."""
        known = [(i + 1, e[0]) for i, e in enumerate(self.entries) if e[0]]
        if not known:
            return None
        by_uid = self.kind == "uidonly" or self.r.random() < 0.5
        at = self.r.randrange(len(known))
        some = known[at:at + self.r.randint(1, most)] if self.r.random() < 0.7 else self.r.sample(known, min(len(known), self.r.randint(1, most)))
        some.sort()
        uids = [u for _, u in some]
        if by_uid and self.dead and self.r.random() < 0.1:
            uids = sorted(uids + [self.r.choice(self.dead)])
        return ",".join(map(str, uids if by_uid else [n for n, _ in some])), sorted(set(uids)), by_uid

    def act_append(self):
        box, ident = self.r.choice(BOXES), "m%d" % next(idents)
        flags = frozenset(self.r.sample(sorted(set(WORDS)), self.r.randint(0, 2)))
        data = "Subject: %s\r\n\r\n%s\r\n" % (ident, "x" * self.r.randint(1, 300))
        op = Op("APPEND", self.name, box, next(ticks), ident=ident, flags=flags, uids=None, uid=None)
        status = self.run("APPEND %s (%s) {%d+}\r\n%s" % (box, " ".join(sorted(flags)), len(data), data), op)
        if status == "OK":
            m = re.search(r"APPENDUID (\d+) (\d+)", self.text)
            op.uid = int(m[2])
            if self.uidvalidity.setdefault(box, int(m[1])) != int(m[1]):
                raise Finding("%s: APPENDUID %s, and UIDVALIDITY was %d" % (self.name, m[0], self.uidvalidity[box]))
        self.look(op.start)

    def act_store(self):
        picked = self.pick()
        if not picked:
            return
        text, uids, by_uid = picked
        flags = frozenset(self.r.sample(sorted(set(WORDS)), self.r.randint(1, 2)))
        sign, silent = self.r.choice(("+", "+", "-", "")), self.r.random() < 0.4
        since = None
        if self.kind != "plain" and self.r.random() < 0.3:
            since = max((self.flags[u][1] or 0 for u in uids if u in self.flags), default=0) - self.r.choice((0, 0, 0, 1))
            since = max(since, 1)
        op = Op("STORE", self.name, self.box, next(ticks), uids=uids, flags=flags, sign=sign, silent=silent, since=since)
        before = {u: self.flags.get(u) for u in uids}
        status = self.run("%sSTORE %s %s%sFLAGS%s (%s)" % ("UID " if by_uid else "", text, "(UNCHANGEDSINCE %d) " % since if since else "", sign,
                                                        ".SILENT" if silent else "", " ".join(sorted(flags))), op, quiet=not by_uid)
        m = re.search(r"\[MODIFIED ([\d,:]+)\]", self.text)
        if m:
            at = {i + 1: e[0] for i, e in enumerate(self.entries)}
            op.modified = numbers(m[1]) if by_uid else [at[n] for n in numbers(m[1])]
        if not silent or all(u in op.told for u in uids):  # a changed message of which others knew more is told behind the echo
            op.hint = max((at for u, (_, at) in op.told.items() if at and u in uids and u not in op.modified), default=None)
        if status == "OK" and silent:
            self.believe(op, before)
        self.look(op.start)

    def act_shrink(self):
        """Delete half of a mailbox that has grown."""
        uids = self.uids()[:FULL // 2]
        op = Op("STORE", self.name, self.box, next(ticks), uids=uids, flags=frozenset({"\\Deleted"}), sign="+", silent=False, since=None)
        self.run("UID STORE %s +FLAGS (\\Deleted)" % ",".join(map(str, uids)), op)
        op.hint = max((at for u, (_, at) in op.told.items() if at and u in uids), default=None)
        op = Op("EXPUNGE", self.name, self.box, next(ticks), uids=None)
        self.run("EXPUNGE", op)
        self.look(op.start)

    def believe(self, op, before):
        """What a client may assume after .SILENT of those that it was told nothing else of."""
        for uid, was in before.items():
            if uid in op.modified or uid not in self.flags or not was or was[0] is None or uid in self.shown:
                continue
            flags = was[0] | op.flags if op.sign == "+" else was[0] - op.flags if op.sign == "-" else op.flags
            self.flags[uid] = (flags, self.flags[uid][1])

    def act_copy(self):
        picked = self.pick(3)
        if not picked:
            return
        text, uids, by_uid = picked
        kind, target = self.r.choice(("COPY", "MOVE", "MOVE")), self.r.choice(BOXES)
        op = Op(kind, self.name, self.box, next(ticks), uids=uids, target=target, mapping=[])
        status = self.run("%s%s %s %s" % ("UID " if by_uid else "", kind, text, target), op)
        m = re.search(r"\[COPYUID \d+ ([\d,:]+) ([\d,:]+)\]", self.copyuid)
        if m:
            op.mapping = list(zip(numbers(m[1]), numbers(m[2])))
        elif status == "OK":
            op.mapping = []
        self.look(op.start)

    def act_expunge(self):
        uids, text = None, "EXPUNGE"
        if self.r.random() < 0.4 or self.kind == "uidonly":
            picked = self.pick(10)
            if picked:
                uids = picked[1]
                text = "UID EXPUNGE " + ",".join(map(str, uids))
        op = Op("EXPUNGE", self.name, self.box, next(ticks), uids=uids)
        self.run(text, op)
        self.look(op.start)

    def act_fetch(self):
        picked = self.pick(10)
        if not picked:
            return
        text, _, by_uid = picked
        start = next(ticks)
        extra = ""
        if self.kind != "plain" and self.r.random() < 0.3:
            extra = " (CHANGEDSINCE %d)" % max(self.highest - self.r.randint(0, 20), 1)
        self.run("%sFETCH %s (UID FLAGS%s)%s" % ("UID " if by_uid else "", text, " MODSEQ" if self.kind != "plain" else "", extra), quiet=not by_uid)
        self.look(start)

    def act_search(self):
        start = next(ticks)
        self.run("UID SEARCH ALL")
        found = [int(n) for n in self.search.split()[2:] if n.isdigit()]
        if len(found) != self.search_counts:
            raise Finding("%s: UID SEARCH ALL finds %s among %d messages" % (self.name, found, self.search_counts))
        self.look(start)

    def act_noop(self):
        start = next(ticks)
        self.run("NOOP")
        self.look(start, fresh=True)

    def act_idle(self):
        start = next(ticks)
        tag = self.send("IDLE")
        if self.answer(tag, False) != "+":
            raise Finding("%s: IDLE: %s" % (self.name, self.text))
        time.sleep(self.r.random() * 0.05)
        self.c.send(b"DONE\r\n")
        self.answer(tag, False)
        self.look(start)

    def act_select(self):
        self.select(self.r.choice(BOXES))

    def act_reconnect(self):
        self.drop()
        self.connect()

    CHOICES = (("store", 30), ("append", 12), ("copy", 10), ("expunge", 12), ("fetch", 8), ("search", 4), ("noop", 6), ("idle", 4), ("select", 2), ("reconnect", 3))

    def step(self):
        if not self.c:
            self.connect()
        if len(self.entries) > FULL and self.uids() and self.r.random() < 0.3:
            return self.act_shrink()
        getattr(self, "act_" + self.r.choices([n for n, _ in self.CHOICES], [w for _, w in self.CHOICES])[0])()
        if self.r.random() < 0.8:
            self.fetch_new()

    # ---- a round ----

    def play(self, end):
        """In a thread, until `end` is set. What it cannot explain is left in self.fault."""
        self.fault = None
        try:
            while not end.is_set():
                try:
                    self.step()
                except Lost:
                    self.drop()
                    time.sleep(0.02)
        except Exception as e:  # a client that dies silently would make the test weaker unseen
            self.fault = "%s: %s: %r" % (self.name, self.command, e) if not isinstance(e, Finding) else str(e)

    def start(self, end):
        self.thread = threading.Thread(target=self.play, args=(end,), daemon=True)
        self.thread.start()

    def settle(self):
        """With nobody else at work: know everything."""
        for _ in range(100):
            try:
                if not self.c:
                    self.connect()
                self.act_noop()
                self.fetch_new()
                self.look(next(ticks), fresh=True)
                return
            except Lost:
                self.drop()
                time.sleep(0.1)
        raise Finding("%s: cannot connect any more" % self.name)

    def take(self):
        """What was done and seen since the last time."""
        ops, looks, told = self.ops, self.looks, self.told_flags
        self.ops, self.looks, self.told_flags = [], [], []
        return ops, looks, told
