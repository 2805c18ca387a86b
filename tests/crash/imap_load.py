"""Clients that change mailboxes while processes die. Each has two mailboxes in an account that nobody else changes, and knows
what must be in them: after every answer exactly that, after a lost one either that or what was before.

A message is (id, seen, flagged, deleted) under its uid. UIDs that the server names (APPENDUID, COPYUID) are checked when they are looked at.
"""
import itertools
import random
import re
import threading
import time

import content
from clients import Imap, Lost

BOXES = (b"Work", b"Other")
MANY = 40  # messages in a mailbox, about
FLAGS = (b"\\Seen", b"\\Flagged", b"\\Deleted")


class Finding(Exception):
    pass


class Box:
    def __init__(self):
        self.uidvalidity, self.uidnext = 0, 1
        self.messages = {}  # uid -> (id, flags)

    def copy(self):
        b = Box()
        b.uidvalidity, b.uidnext, b.messages = self.uidvalidity, self.uidnext, dict(self.messages)
        return b


def numbers(uid_set):
    found = []
    for part in uid_set.split(","):
        first, _, last = part.partition(":")
        found += range(int(first), int(last or first) + 1)
    return found


class ImapActor:
    numbers = itertools.count(1)

    def __init__(self, world, user, password):
        self.world, self.user, self.password = world, user, password
        self.r = random.Random()
        self.connection, self.selected = None, None
        self.boxes = {name: Box() for name in BOXES}
        self.digests = {}
        self.inbox_seen = {}  # uid -> id: what a session showed must stay
        self.done, self.unknown, self.broken = {}, 0, False
        self.pending = None   # (name, possible()) of the command whose answer was lost

    # ---- connection ----

    def drop(self):
        if self.connection:
            self.connection.close()
        self.connection = self.selected = None

    def connect(self):
        self.connection = Imap(self.world.port(143), self.user, self.password)
        listed = b"\n".join(line for line, _ in self.connection.ok(b'LIST "" "*"'))
        for name in BOXES:
            if name not in listed:
                if self.boxes[name].uidvalidity:
                    raise Finding("%s: mailbox %s is gone" % (self.user, name.decode()))
                self.connection.command(b"CREATE " + name)
        self.look()

    def select(self, name):
        if self.selected != name:
            got = self.connection.select(name)
            self.selected = name
            return got
        return None

    # ---- knowing and comparing ----

    def read(self, name):
        box = Box()
        box.uidvalidity, box.uidnext = self.connection.select(name)
        self.selected = name
        last = 0
        for uid, line, literals in self.connection.messages(b"FLAGS BODY.PEEK[HEADER.FIELDS (X-Crash-Id)]"):
            if uid <= last or uid >= box.uidnext:
                raise Finding("%s %s: uid %d after %d, UIDNEXT %d" % (self.user, name.decode(), uid, last, box.uidnext))
            last = uid
            ident = re.search(rb"X-Crash-Id: (\S+)", b"".join(literals))
            if not ident:
                raise Finding("%s %s: uid %d has no id: %r %r" % (self.user, name.decode(), uid, line, literals))
            box.messages[uid] = (ident[1].decode(), frozenset(f for f in FLAGS if f in line))
        return box

    def look(self):
        """Both mailboxes as they are must be as they can be."""
        actual = {name: self.read(name) for name in BOXES}
        for name, box in actual.items():
            before = self.boxes[name]
            if before.uidvalidity and box.uidvalidity != before.uidvalidity:
                raise Finding("%s %s: UIDVALIDITY was %d, is %d" % (self.user, name.decode(), before.uidvalidity, box.uidvalidity))
            if box.uidnext < before.uidnext:
                raise Finding("%s %s: UIDNEXT was %d, is %d" % (self.user, name.decode(), before.uidnext, box.uidnext))
        have = {name: box.messages for name, box in actual.items()}
        before = {name: box.messages for name, box in self.boxes.items()}
        if self.pending:
            what, possible = self.pending
            if have != before and not possible(have):
                raise Finding("%s: %s without an answer, neither done nor undone: %s" % (self.user, what, self.difference(before, have)))
            self.unknown += 1
        elif have != before:
            raise Finding("%s: not what was answered: %s" % (self.user, self.difference(before, have)))
        self.pending = None
        self.boxes = actual

    @staticmethod
    def difference(before, have):
        said = []
        for name in BOXES:
            for uid in sorted(set(before[name]) | set(have[name])):
                a, b = before[name].get(uid), have[name].get(uid)
                if a != b:
                    said.append("%s/%d: %s -> %s" % (name.decode(), uid, a, b))
        return "; ".join(said[:20])

    # ---- commands ----

    def run(self, what, command, possible, apply):
        """`command()` gives (status, untagged). OK: apply(untagged) changes the boxes. NO: nothing has changed."""
        self.pending = (what, possible)
        status, untagged = command()
        self.pending = None
        if status == "OK":
            self.done[what] = self.done.get(what, 0) + 1
            apply(untagged)
        elif status == "BAD":
            raise Finding("%s: %s: %s" % (self.user, what, self.connection.text))
        else:
            self.done[what + " NO"] = self.done.get(what + " NO", 0) + 1

    def messages_of(self, name):
        return {n: dict(b.messages) for n, b in self.boxes.items()}[name]

    def pick(self, name):
        uids = sorted(self.boxes[name].messages)
        return sorted(self.r.sample(uids, min(len(uids), self.r.choice((1, 1, 2, 5)))))

    def added(self, name, uids, values):
        box = self.boxes[name]
        if len(uids) != len(values) or any(u < box.uidnext for u in uids) or sorted(set(uids)) != uids:
            raise Finding("%s %s: new uids %s for %d messages, UIDNEXT was %d" % (self.user, name.decode(), uids, len(values), box.uidnext))
        box.messages.update(zip(uids, values))
        box.uidnext = uids[-1] + 1

    def with_new(self, target, values, without=()):
        """Possible result: `values` at the end of target, and `without` gone from the other mailbox."""
        before = {n: dict(b.messages) for n, b in self.boxes.items()}
        uidnext = self.boxes[target].uidnext

        def possible(have):
            expect = {n: dict(m) for n, m in before.items()}
            new = sorted(u for u in have[target] if u >= uidnext)
            if len(new) != len(values):
                return False
            expect[target].update(zip(new, values))
            for name, uid in without:
                del expect[name][uid]
            return have == expect
        return possible

    def append(self):
        name = self.r.choice(BOXES)
        ident = "a%d" % next(ImapActor.numbers)
        data = content.make(ident, content.LARGE + 5000 if self.r.random() < 0.05 else self.r.randint(300, 8000))
        self.digests[ident] = content.digest(data)
        value = (ident, frozenset())

        def apply(_):
            m = re.search(r"APPENDUID \d+ (\d+)", self.connection.text)
            self.added(name, [int(m[1])], [value])
        self.run("APPEND", lambda: self.connection.append(name, data), self.with_new(name, [value]), apply)

    def copied(self, untagged):
        m = re.search(r"COPYUID \d+ (\S+) ([\d:,]+)", "\n".join([self.connection.text] + [l.decode(errors="replace") for l, _ in untagged]))
        return numbers(m[2])

    def copy(self):
        source, target = self.r.sample(BOXES, 2)
        self.select(source)
        uids = self.pick(source)
        values = [self.boxes[source].messages[u] for u in uids]
        text = b"UID COPY %s %s" % (",".join(map(str, uids)).encode(), target)
        self.run("COPY", lambda: self.connection.command(text), self.with_new(target, values),
                 lambda untagged: self.added(target, self.copied(untagged), values))

    def move(self):
        source, target = self.r.sample(BOXES, 2)
        self.select(source)
        uids = self.pick(source)
        values = [self.boxes[source].messages[u] for u in uids]
        text = b"UID MOVE %s %s" % (",".join(map(str, uids)).encode(), target)

        def apply(untagged):
            self.added(target, self.copied(untagged), values)
            for u in uids:
                del self.boxes[source].messages[u]
        self.run("MOVE", lambda: self.connection.command(text), self.with_new(target, values, [(source, u) for u in uids]), apply)

    def store(self):
        name = self.r.choice(BOXES)
        self.select(name)
        uids, flag, sign = self.pick(name), self.r.choice(FLAGS), self.r.choice((b"+", b"-"))
        before = {n: dict(b.messages) for n, b in self.boxes.items()}
        after = {u: (before[name][u][0], before[name][u][1] | {flag} if sign == b"+" else before[name][u][1] - {flag}) for u in uids}

        def possible(have):  # for each message all or nothing (RFC 9051 §6.4.6)
            expect = {n: dict(m) for n, m in before.items()}
            for u in uids:
                if have[name].get(u) == after[u]:
                    expect[name][u] = after[u]
            return have == expect
        text = b"UID STORE %s %sFLAGS.SILENT (%s)" % (",".join(map(str, uids)).encode(), sign, flag)
        self.run("STORE", lambda: self.connection.command(text), possible, lambda _: self.boxes[name].messages.update(after))

    def expunge(self):
        name = self.r.choice(BOXES)
        self.select(name)
        before = {n: dict(b.messages) for n, b in self.boxes.items()}
        gone = [u for u, (_, flags) in before[name].items() if FLAGS[2] in flags]

        def possible(have):
            expect = {n: dict(m) for n, m in before.items()}
            for u in gone:
                if u not in have[name]:
                    del expect[name][u]
            return have == expect

        def apply(_):
            for u in gone:
                del self.boxes[name].messages[u]
        self.run("EXPUNGE", lambda: self.connection.command(b"EXPUNGE"), possible, apply)

    def shrink(self, name):
        """Delete and expunge most of a mailbox that has grown."""
        self.select(name)
        uids = sorted(self.boxes[name].messages)[:MANY * 2 // 3]
        before = {n: dict(b.messages) for n, b in self.boxes.items()}
        after = {u: (before[name][u][0], before[name][u][1] | {FLAGS[2]}) for u in uids}

        def possible(have):
            expect = {n: dict(m) for n, m in before.items()}
            for u in uids:
                if have[name].get(u) == after[u]:
                    expect[name][u] = after[u]
            return have == expect
        text = b"UID STORE %d:%d +FLAGS.SILENT (\\Deleted)" % (uids[0], uids[-1])
        self.run("STORE", lambda: self.connection.command(text), possible, lambda _: self.boxes[name].messages.update(after))

    def peek(self):
        """What INBOX shows now must be shown for ever under the same uid."""
        self.select(b"INBOX")
        self.connection.ok(b"NOOP")
        last = max(self.inbox_seen, default=0)
        for uid, line, literals in self.connection.messages(b"BODY.PEEK[HEADER.FIELDS (X-Crash-Id)]", b"%d:*" % (last + 1)):
            ident = re.search(rb"X-Crash-Id: (\S+)", b"".join(literals))
            was = self.inbox_seen.setdefault(uid, ident[1].decode() if ident else "")
            if ident and was != ident[1].decode():
                raise Finding("%s INBOX: uid %d was %s, is %s" % (self.user, uid, was, ident[1].decode()))

    def step(self):
        if not self.connection:
            self.connect()
        filled = [n for n in BOXES if self.boxes[n].messages]
        full = [n for n in BOXES if len(self.boxes[n].messages) > MANY]
        if full:
            self.shrink(full[0])
            self.expunge()
        elif len(filled) < len(BOXES):
            self.append()
        else:
            self.r.choice((self.append, self.append, self.copy, self.move, self.move, self.store, self.store, self.expunge, self.peek))()


class ImapLoad:
    def __init__(self, world, users, password, pause):
        self.actors = [ImapActor(world, user, password) for user in users]
        self.pause, self.end, self.faults = pause, False, []
        self.run_now, self.idle = threading.Event(), threading.Semaphore(0)
        self.threads = [threading.Thread(target=self.client, args=(a,), daemon=True) for a in self.actors]
        for t in self.threads:
            t.start()

    def client(self, actor):
        while not self.end:
            if not self.run_now.is_set():
                actor.drop()
                self.idle.release()
                self.run_now.wait()
                continue
            try:
                actor.step()
            except Lost:
                actor.drop()
                time.sleep(0.02)
            except Finding as e:
                self.faults.append(str(e))
                break
            except Exception as e:  # a client that dies silently would make the test weaker unseen
                self.faults.append("IMAP client: %r" % e)
                break
            time.sleep(actor.r.random() * 2 * self.pause)
        actor.drop()
        actor.broken = True
        while not self.end:  # after a finding it only takes part in pauses
            if not self.run_now.is_set():
                self.idle.release()
            self.run_now.wait()
            time.sleep(0.05)

    def resume(self):
        self.run_now.set()

    def wait_paused(self):
        self.run_now.clear()
        for _ in self.actors:
            assert self.idle.acquire(timeout=120), "an IMAP client hangs"

    def stop(self):
        self.end = True
        self.run_now.set()
        for t in self.threads:
            t.join(60)

    def look(self):
        """While paused, with everything up: what was answered last, and all contents."""
        for a in self.actors:
            if a.broken:
                continue
            try:
                a.connect()
                for name in BOXES:
                    a.select(name)
                    for uid, _, literals in a.connection.messages(b"BODY.PEEK[]"):
                        found = content.identify(literals[0]) if literals else None
                        if not found or a.digests.get(found[0]) != found[1]:
                            raise Finding("%s %s: content of uid %d is not what was sent" % (a.user, name.decode(), uid))
            except (Finding, Lost) as e:
                self.faults.append("%s: %s" % (a.user, e))
            finally:
                a.drop()
