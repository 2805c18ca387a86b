"""The sequential model of an account under histories of many sessions, and the check that what happened is one.

What is known of a history: the operations with when each began and ended and what was told (history_client.py), and the account's own log of
changes, one row per mod-sequence (docs/formats/account.md). The log is replayed in order: each entry must be what exactly one operation does to the
mailboxes as they are then, with the answer that its session was given; and the order of mod-sequences must agree with the order of time.

A view of a session is right if the messages it counts are those of the mailbox at some moment, and such moments never go back.
"""
import bisect
import glob
import os
import shutil
import sqlite3
import tempfile

FLAG_BITS = ((1, "\\Seen"), (2, "\\Answered"), (4, "\\Flagged"), (8, "\\Deleted"), (16, "\\Draft"))
CREATED, UPDATED, REMOVED = 1, 2, 3


class Finding(Exception):
    pass


class Message:
    __slots__ = ("ident", "flags", "modseq")

    def __init__(self, ident, flags, modseq):
        self.ident, self.flags, self.modseq = ident, flags, modseq


class Op:
    """One command of a session. done: None, no answer came; "OK"; "NO": it says that nothing was done."""

    def __init__(self, kind, session, box, start, **what):
        self.kind, self.session, self.box, self.start = kind, session, box, start
        self.end, self.done, self.modseq, self.hint = None, None, None, None
        self.__dict__.update(what)

    @property
    def certain(self):
        """Nothing else can have been this one's entry in the log."""
        return self.hint == self.modseq or (self.done == "OK" and self.kind in ("APPEND", "COPY", "MOVE"))

    def __repr__(self):
        what = {k: v for k, v in self.__dict__.items() if k not in ("kind", "session", "start", "end", "done") and v is not None}
        return "%s..%s %s %s %s %s" % (self.start, self.end, self.session, self.kind, self.done, what)


def stored(op, flags):
    return flags | op.flags if op.sign == "+" else flags - op.flags if op.sign == "-" else op.flags


# ---- what is on disk ----

def varints(blob):
    n = shift = 0
    for octet in blob:
        n |= (octet & 127) << shift
        shift += 7
        if not octet & 128:
            yield n
            n = shift = 0


def uids_of(blob):
    last, found, numbers = 0, [], varints(blob)
    for first in numbers:
        count = next(numbers) + 1
        found += range(last + first, last + first + count)
        last = found[-1]
    return found


class Disk:
    """The account's rows, read from a copy while nobody changes anything."""

    def __init__(self, accounts, account, names):
        source = glob.glob(os.path.join(accounts, "*", str(account), "mail.db"))[0]
        with tempfile.TemporaryDirectory() as d:
            for suffix in ("", "-wal"):
                if os.path.exists(source + suffix):
                    shutil.copy(source + suffix, os.path.join(d, "mail.db" + suffix))
            db = sqlite3.connect(os.path.join(d, "mail.db"))
            self.read(db, names)
            db.close()

    def read(self, db, names):
        boxes = {i: name for i, name in db.execute("SELECT id, CAST(name AS TEXT) FROM mailbox") if name in names}
        self.modseq, self.floor = db.execute("SELECT modseq, floor FROM account").fetchone()
        words = dict(db.execute("SELECT number, CAST(name AS TEXT) FROM keyword"))
        self.uidnext = {boxes[i]: n for i, n in db.execute("SELECT id, uidnext FROM mailbox") if i in boxes}
        idents = dict(db.execute("SELECT id, CAST(subject AS TEXT) FROM email"))
        laid = list(db.execute("SELECT mailbox, modseq, op, flags, kw0, keep, keep_kw, uids FROM flagging ORDER BY modseq"))
        laid = [(f[0], f[1], f[2:7], set(uids_of(f[7]))) for f in laid]
        self.rows, self.there = {}, {name: {} for name in names}  # (box, uid): [ident, flags, modseq, created, gone]
        for table, gone in (("message", "0"), ("expunged", "gone")):
            for box, uid, flags, kw0, modseq, created, email, end in db.execute(
                    "SELECT mailbox, uid, flags, kw0, modseq, created, email, %s FROM %s" % (gone, table)):
                if box in boxes:
                    for of, at, (how, bits, kw, keep, keep_kw), uids in laid:
                        if not end and of == box and modseq < at and uid in uids:  # not in the row yet
                            flags = flags | bits if how == 0 else flags & ~bits if how == 1 else flags & keep | bits
                            kw0 = kw0 | kw if how == 0 else kw0 & ~kw if how == 1 else kw0 & keep_kw | kw
                            modseq = at
                    told = frozenset([f for bit, f in FLAG_BITS if flags & bit] + [w for n, w in words.items() if kw0 >> n & 1])
                    self.rows[boxes[box], uid] = (idents.get(email), told, modseq, created, end)
                    if not end:
                        self.there[boxes[box]][uid] = (told, modseq)
        self.log = {}
        for modseq, box, op, uids in db.execute("SELECT modseq, object, op, uids FROM change WHERE kind = 2 ORDER BY modseq"):
            if box in boxes:
                self.log.setdefault(modseq, []).append((boxes[box], op, uids_of(uids)))


# ---- the model ----

class Model:
    def __init__(self, names):
        self.boxes = {name: {} for name in names}  # uid: Message, in order
        self.top = {name: 0 for name in names}     # the largest uid there ever was
        self.modseq = 0
        self.flags_at = {}                         # (box, uid, modseq): flags
        self.states = []                           # (modseq, {box: {uid: (flags, modseq)}})

    def picture(self):
        return {name: {u: (m.flags, m.modseq) for u, m in box.items()} for name, box in self.boxes.items()}

    def copy(self):
        """To come back to. What is only ever added to is shared; messages are replaced, never changed."""
        m = Model(())
        m.boxes = {name: dict(box) for name, box in self.boxes.items()}
        m.top, m.modseq = dict(self.top), self.modseq
        m.flags_at, m.states, m.length = self.flags_at, self.states, len(self.states)
        return m

    # Each gives what the operation changes now: (the entries of the log, a function that does it), or None if it is not this one.

    def append(self, op, entries, disk):
        if len(entries) != 1 or entries[0][:2] != (op.box, CREATED) or len(entries[0][2]) != 1:
            return None
        uid = entries[0][2][0]
        if disk.rows[op.box, uid][0] != op.ident or (op.done and op.uid != uid):
            return None
        return [(op.box, uid, Message(op.ident, op.flags, 0))], []

    def copied(self, op, entries, disk):
        created = [e for e in entries if e[1] == CREATED]
        removed = [e for e in entries if e[1] == REMOVED]
        source = self.boxes[op.box]
        uids = [u for u in sorted(set(op.uids)) if u in source]
        if len(created) != 1 or created[0][0] != op.target or len(created[0][2]) != len(uids):
            return None
        if removed != ([(op.box, REMOVED, uids)] if op.kind == "MOVE" else []) or len(entries) != len(created) + len(removed):
            return None
        if op.done and op.mapping != list(zip(uids, created[0][2])):
            return None
        new = [(op.target, to, Message(source[u].ident, source[u].flags, 0)) for u, to in zip(uids, created[0][2])]
        return new, [(op.box, u) for u in uids] if op.kind == "MOVE" else []

    def store_result(self, op):
        """({uid: flags} that change, uids that the condition leaves alone, uids that stay)."""
        box = self.boxes[op.box]
        there = [u for u in sorted(set(op.uids)) if u in box]
        failed = [u for u in there if op.since is not None and box[u].modseq > op.since]
        changed = {u: stored(op, box[u].flags) for u in there if u not in failed and stored(op, box[u].flags) != box[u].flags}
        return changed, failed, [u for u in there if u not in failed and u not in changed]

    def store(self, op, entries, disk):
        changed, failed, same = self.store_result(op)
        if not changed or entries != [(op.box, UPDATED, sorted(changed))]:
            return None
        if op.done and not self.store_told(op, changed, failed, same, self.modseq_now):
            return None
        return [(op.box, u, Message(self.boxes[op.box][u].ident, f, 0)) for u, f in changed.items()], []

    def store_told(self, op, changed, failed, same, modseq):
        """Was the answer right, if the operation came here."""
        box = self.boxes[op.box]
        if sorted(op.modified) != sorted(failed):
            return False
        for u in list(changed) + same:
            flags, at = op.told.get(u, (None, None))
            if flags is not None and flags != stored(op, box[u].flags):
                return False
            if at is not None and at != (modseq if u in changed else box[u].modseq):
                return False
            if flags is None and at is None and not op.silent:
                return False
        return True

    def expunge(self, op, entries, disk):
        uids = [u for u, m in self.boxes[op.box].items() if "\\Deleted" in m.flags and (op.uids is None or u in op.uids)]
        if not uids or entries != [(op.box, REMOVED, uids)]:
            return None
        return [], [(op.box, u) for u in uids]

    explain = {"APPEND": append, "COPY": copied, "MOVE": copied, "STORE": store, "EXPUNGE": expunge}

    def apply(self, modseq, effect, disk, told):
        """False: what is on disk is not what this gives."""
        new, gone = effect
        for box, uid in gone:
            if disk.rows[box, uid][4] != modseq:
                return False
        for box, uid, message in new:
            message.modseq = modseq
            at_last = disk.rows[box, uid]
            if (at_last[2] == modseq and at_last[1] != message.flags) or told.get((box, uid, modseq), message.flags) != message.flags:
                return False
            if uid not in self.boxes[box]:
                if uid <= self.top[box]:
                    raise Finding("%s: uid %d is given out again, or late, at %d; %d was there" % (box, uid, modseq, self.top[box]))
                self.top[box] = uid
            self.boxes[box][uid] = message
            self.flags_at[box, uid, modseq] = message.flags
        for box, uid in gone:  # who is not told yet may still read it, with the mod-sequence at which it went
            self.flags_at[box, uid, modseq] = self.boxes[box].pop(uid).flags
        self.modseq = modseq
        self.states.append((modseq, self.picture()))
        return True


class Replay:
    """All that happened since the last one. `model` is what was then; `told` what sessions were shown: {(box, uid, modseq): flags}.

    Depth first: where several operations explain an entry, the first that leads to an end, those first that had ended first. `verdict`, which is
    given (operation, modseq) for each entry, may raise a Finding; then others are tried.
    """

    def __init__(self, model, ops, disk, told, verdict):
        self.model, self.disk, self.told, self.verdict = model, disk, told, verdict
        self.pool = sorted((op for op in ops if op.done != "NO"), key=lambda op: op.end or float("inf"))
        self.steps = sorted((m, e) for m, e in disk.log.items() if m > model.modseq)
        self.used, self.begun, self.base, self.fault = [], [0], model.modseq, None

    def candidates(self, modseq):
        """None that had ended before one began whose mod-sequence is lower."""
        used = {op for op, _ in self.used}
        mine = [op for op in self.pool if op.hint in (None, modseq) and (op.end is None or op.end > self.begun[-1]) and op not in used]
        return [op for op in mine if op.hint] + [op for op in mine if not op.hint]

    def why(self, modseq, entries):
        about = {u for _, _, uids in entries for u in uids}
        kinds = {CREATED: ("APPEND", "COPY", "MOVE"), UPDATED: ("STORE",), REMOVED: ("EXPUNGE", "MOVE")}
        near = [op for op in self.pool for box, how, _ in entries if op.kind in kinds[how] and box in (op.box, getattr(op, "target", None))
                and (op.hint == modseq or op.uids is None or about & set(op.uids))]
        around = sorted(op.end for op, m in self.used if op.end and m < modseq)[-30:-29] or [0]
        near = [op for op in near if op.end is None or op.end >= around[0]][:30]
        state = {u: (sorted(self.model.boxes[entries[0][0]][u].flags), self.model.boxes[entries[0][0]][u].modseq)
                 for u in about if u in self.model.boxes[entries[0][0]]}
        rows = {(entries[0][0], u): self.disk.rows.get((entries[0][0], u)) for u in about}
        return "no operation explains mod-sequence %d %s\n  the model has %s\n  on disk at last %s\n  %s\n  behind (one began at %d)\n  %s" % (
            modseq, entries, state, rows, "\n  ".join(map(repr, near)), self.begun[-1],
            "\n  ".join("%d %s %r" % (m, e, op) for (op, m), (_, e) in list(zip(self.used, self.steps))[-8:]))

    def take(self, options, saved):
        """The first of the options that is right, from `saved` on."""
        modseq, entries = self.steps[len(self.used)]
        while options:
            op = options.pop(0)
            self.model = saved.copy()
            self.model.modseq_now = modseq
            effect = Model.explain[op.kind](self.model, op, entries, self.disk)
            if effect and self.model.apply(modseq, effect, self.disk, self.told):
                self.used.append((op, modseq))
                self.begun.append(max(self.begun[-1], op.start))
                if self.passed():
                    return True
                self.undo(saved)
        return False

    def undo(self, saved):
        self.used.pop()
        self.begun.pop()
        del self.model.states[saved.length:]

    def passed(self):
        """Those that can have no entry any more had nothing to do."""
        last, now = self.begun[-2:]
        used = {op for op, _ in self.used} if last < now else ()
        for op in self.pool if last < now else ():
            if op.done == "OK" and last <= op.end < now and op not in used:
                low = max((m for o, m in self.used if o.end and o.end < op.start), default=self.base)
                try:
                    check_nothing_done(op, self.model, low, self.used[-1][1])
                except Finding as e:
                    self.fault = self.fault or str(e)
                    return False
        return True

    def ended(self):
        try:
            self.verdict(self.model, self.used)
        except Finding as e:
            return e
        return None

    def run(self):
        frames, why, tries = [], None, len(self.steps) + 3000
        while True:
            at = len(self.used)
            if at == len(self.steps):
                fault = self.ended()
                if not fault:
                    return self.model
                tries -= 100
                why = why or str(fault)
            else:
                if len(frames) == at:
                    frames.append((self.model.copy(), self.candidates(self.steps[at][0])))
                if self.take(frames[at][1], frames[at][0]):
                    continue
                self.model = frames.pop()[0]
                why = why or "\n".join(filter(None, (self.fault, self.why(*self.steps[at]))))
            tries -= 1
            if not self.used or tries < 0:
                raise Finding(why)
            self.undo(frames[-1][0])


# ---- time ----

class Times:
    """Which mod-sequences lie before a moment for certain: by operations that were told what they had done."""

    def __init__(self, base, ops):
        ops = [op for op in ops if op.modseq and op.certain]
        done = sorted((op.end, op.modseq) for op in ops if op.end is not None)
        self.ends, self.highest = [e for e, _ in done], []
        for _, m in done:
            self.highest.append(max(m, self.highest[-1] if self.highest else base))
        begun = sorted(((op.start, op.modseq) for op in ops), reverse=True)
        self.starts, self.lowest = [-s for s, _ in begun], []
        for _, m in begun:
            self.lowest.append(min(m, self.lowest[-1] if self.lowest else m))
        self.base = base

    def before(self, tick):
        i = bisect.bisect_left(self.ends, tick)
        return self.highest[i - 1] if i else self.base

    def after(self, tick):
        """The lowest that began behind it, or None."""
        i = bisect.bisect_left(self.starts, -tick)
        return self.lowest[i - 1] if i else None


def check_times(ops, times):
    for op in ops:
        if op.modseq and op.modseq <= times.before(op.start):
            raise Finding("mod-sequence %d was given out behind %d: %r" % (op.modseq, times.before(op.start), op))


def check_nothing_done(op, model, low, high):
    """It was answered OK and has no entry in the log: is there a moment from low on and before high at which it had nothing to do, and the answer
    was right?"""
    at = max(bisect.bisect_right(model.states, low, key=lambda s: s[0]) - 1, 0)
    seen = []
    for modseq, boxes in model.states[at:]:
        if high is not None and modseq >= high:
            break
        m = Model(())
        m.boxes = {n: {u: Message(None, f, s) for u, (f, s) in box.items()} for n, box in boxes.items()}
        m.modseq_now = modseq
        if op.kind == "STORE":
            changed, failed, same = m.store_result(op)
            if not changed and m.store_told(op, changed, failed, same, modseq):
                return
            seen.append((modseq, changed, failed, {u: m.boxes[op.box][u].modseq for u in same}))
        elif op.kind == "EXPUNGE":
            if not [u for u, x in m.boxes[op.box].items() if "\\Deleted" in x.flags and (op.uids is None or u in op.uids)]:
                return
        elif not [u for u in op.uids or () if u in m.boxes[op.box]] and op.kind != "APPEND":
            return
    raise Finding("answered OK, and not done: %r; between %s and %s: %s" % (op, low, high, seen[:20]))


# ---- views ----

class Look:
    """What a session counts after an answer: the messages in order, each [uid] or [None] while it is not known."""

    def __init__(self, session, box, tick, entries, command, begins=False, fresh=False):
        self.session, self.box, self.tick, self.entries, self.command = session, box, tick, entries, command
        self.begins, self.fresh = begins, fresh


def check_views(looks, model, base, times, fresh):
    """`looks` of one session in their order. Each must be the mailbox at some moment, not before the last one's; and, if `fresh`, behind NOOP
    not before what was answered earlier. (A session that cannot reach its files for a moment says that nothing is new.)"""
    pictures = {name: [] for name in model.boxes}
    for modseq, boxes in model.states:
        for name, box in boxes.items():
            uids = list(box)
            if not pictures[name] or pictures[name][-1][1] != uids:
                pictures[name].append((modseq, uids))
    at, way = base, []
    for look in looks:
        low = times.before(look.tick) if (fresh and look.fresh) or look.begins else 0
        at = low if look.begins else max(at, low)
        states = pictures[look.box]
        i = max(bisect.bisect_right(states, at, key=lambda s: s[0]) - 1, 0)
        while i < len(states) and not fits(look.entries, states[i][1]):
            i += 1
        if i == len(states):
            mine = [e[0] for e in look.entries]
            near = min(states, key=lambda s: len(set(mine) ^ set(s[1])) + abs(len(mine) - len(s[1])))
            raise Finding("%s counts what %s never was from %d on (at %d, after %s): %s\n  most like it, at %d: %s\n  before it %s" % (
                look.session, look.box, at, look.tick, look.command, mine, near[0], near[1], way[-4:]))
        at = max(at, states[i][0])
        way.append((look.tick, look.command[:60], at, len(look.entries)))


def fits(entries, uids):
    return len(entries) == len(uids) and all(e[0] is None or e[0] == u for e, u in zip(entries, uids))
