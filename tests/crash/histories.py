"""Random histories of many sessions in several processes, which are killed meanwhile, against a sequential model (history.py).

A round: sessions give commands; somewhere in between one or more processes are killed; then all come to rest, and everything that was told
since the last round must be one history, and every session know what there is. `postrider fsck` must find nothing.
"""
import collections
import glob
import os
import random
import re
import shutil
import signal
import threading
import time

from clients import Imap
from history import Disk, Finding, Model, Replay, Times, check_nothing_done, check_times, check_views
from history_client import BOXES, KINDS, Session, ticks
from world import PASSWORD, World, children, title

USER = "alice@demo.test"
PROCESSES = 3
VICTIMS = {"nobody": 2, "imap": 5, "imaps": 2, "keeper": 1, "all": 1}


class Histories:
    def __init__(self, seed, seconds=1.0):
        self.seed, self.r, self.seconds = seed, random.Random(seed), seconds
        self.world = World("--accounts", "2", environment={"POSTRIDER_IMAP_PROCESSES": str(PROCESSES)})
        # A session whose keeper is gone is refused, and who changes something when it goes may find that the channel has.
        self.world.start()
        c = Imap(self.world.port(143), USER, PASSWORD)
        for box in BOXES:
            c.ok(b"CREATE " + box.encode())
        c.close()
        accounts = self.world.command("account", "list", json_out=True)["accounts"]
        self.account = next(a["id"] for a in accounts if a["address"] == USER)
        self.sessions = [Session("s%d" % i, kind, self.world.port(143), USER, PASSWORD, self.r.random()) for i, kind in enumerate(KINDS + KINDS[:2])]
        self.model = Model(BOXES)
        self.model.modseq = self.disk().modseq
        self.counts, self.processes = collections.Counter(), set()

    # ---- processes ----

    def imaps(self):
        return [pid for pid in children(self.world.master() or 0) if title(pid) == "postrider: imap"]

    def wait_imaps(self, without):
        end = time.monotonic() + 60
        while len(set(self.imaps()) - set(without)) < PROCESSES:
            assert time.monotonic() < end, "imap processes did not come back"
            time.sleep(0.01)
        self.world.wait_roles(without)

    def kill(self, victim):
        if victim == "all":
            self.world.kill_all()
            self.world.start()
            return
        pids = [self.world.roles()["keeper"]] if victim == "keeper" else self.r.sample(self.imaps(), {"imap": 1, "imaps": 2}[victim])
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.wait_imaps(pids)

    def note_processes(self):
        """Which of them have sessions now: by the sockets that are connected to us."""
        ports = {s.c.s.getsockname()[1] for s in self.sessions if s.c}
        with open("/proc/net/tcp") as f:
            rows = [line.split() for line in f.readlines()[1:]]
        inodes = {r[9] for r in rows if int(r[1].split(":")[1], 16) == self.world.port(143) and int(r[2].split(":")[1], 16) in ports}
        now = set()
        for pid in self.imaps():
            for fd in glob.glob("/proc/%d/fd/*" % pid):
                try:
                    m = re.match(r"socket:\[(\d+)\]", os.readlink(fd))
                except OSError:
                    continue
                if m and m[1] in inodes:
                    now.add(pid)
        self.counts["processes at once"] = max(self.counts["processes at once"], len(now))

    # ---- a round ----

    def one_round(self):
        victim = self.victim = self.r.choices(list(VICTIMS), list(VICTIMS.values()))[0]
        end = threading.Event()
        for s in self.sessions:
            s.start(end)
        time.sleep(self.seconds * (0.2 + 0.6 * self.r.random()))
        if victim != "nobody":
            self.kill(victim)
        time.sleep(self.seconds * 0.3)
        end.set()
        for s in self.sessions:
            s.thread.join(120)
            if s.thread.is_alive():
                raise Finding("%s hangs in %s" % (s.name, s.command))
        faults = [s.fault for s in self.sessions if s.fault]
        if faults:
            raise Finding("\n".join(faults))
        self.note_processes()
        self.counts["rounds"] += 1
        self.counts["killed " + victim] += 1
        self.judge()

    def disk(self):
        return Disk(os.path.join(self.world.dir, "data", "accounts"), self.account, BOXES)

    def judge(self):
        for s in self.sessions:
            s.settle()
        taken = [s.take() for s in self.sessions]
        ops = sorted((op for o, _, _ in taken for op in o), key=lambda op: op.start)
        disk, base = self.disk(), self.model.modseq
        if disk.floor > base:
            raise Finding("the account has forgotten its log from %d to %d" % (base, disk.floor))
        self.model.states = [(base, self.model.picture())]
        for op in ops:
            for told in op.told.values():
                if told[1] and told[1] > disk.modseq:
                    raise Finding("mod-sequence %d was told, and the clock is at %d: %r" % (told[1], disk.modseq, op))
        shown = {}
        for box, uid, flags, modseq in (t for _, _, told in taken for t in told):
            if modseq and shown.setdefault((box, uid, modseq), flags) != flags:
                raise Finding("%s %d at %d: shown with %s and with %s" % (box, uid, modseq, sorted(flags), sorted(shown[box, uid, modseq])))

        def verdict(model, used):
            for op in ops:
                op.modseq = None
            for op, modseq in used:
                op.modseq = modseq
            times = Times(base, ops)
            check_times(ops, times)
            for op in ops:
                if op.done == "OK" and not op.modseq:
                    check_nothing_done(op, model, times.before(op.start), times.after(op.end))
        self.model = Replay(self.model, ops, disk, shown, verdict).run()
        times = Times(base, ops)
        self.compare(disk)
        for looks, told in ((l, t) for _, l, t in taken):
            check_views(looks, self.model, base, times, self.victim != "keeper")
            self.check_told(told)
        for s in self.sessions:
            self.check_session(s, disk)
        self.check_fsck()
        self.counts["changes"] += len(self.model.states) - 1
        self.counts["without an answer"] += sum(op.done is None for op in ops)
        self.counts["of them done"] += sum(op.done is None and op.modseq is not None for op in ops)
        self.counts["looks"] += sum(len(l) for _, l, _ in taken)
        self.counts["processes"] = len(self.processes)

    def compare(self, disk):
        have = self.model.picture()
        for name in BOXES:
            if have[name] != disk.there[name]:
                raise Finding("%s: the history leads to %s, on disk is %s" % (name, have[name], disk.there[name]))
            if disk.uidnext[name] <= self.model.top[name]:
                raise Finding("%s: UIDNEXT is %d, and uid %d was given out" % (name, disk.uidnext[name], self.model.top[name]))

    def check_told(self, told):
        known = self.model.flags_at
        for box, uid, flags, modseq in told:
            if modseq is not None and known.get((box, uid, modseq)) != flags:
                raise Finding("told of %s %d that at %d it had %s, and it had %s" % (box, uid, modseq, sorted(flags), known.get((box, uid, modseq))))

    def check_session(self, s, disk):
        there = disk.there[s.box]
        if [e[0] for e in s.entries] != list(there):
            raise Finding("%s has %s in %s, and there are %s" % (s.name, [e[0] for e in s.entries], s.box, list(there)))
        for uid, (flags, modseq) in there.items():
            mine = s.flags.get(uid, (None, None))
            if mine[0] != flags or (s.kind != "plain" and mine[1] != modseq):
                raise Finding("%s knows %s of %s %d, and it has %s at %d" % (s.name, mine, s.box, uid, sorted(flags), modseq))

    def check_fsck(self):
        done = self.world.command("fsck", USER)
        if done.returncode != 0:
            raise Finding("fsck: exit code %d: %s%s" % (done.returncode, done.stdout, done.stderr))

    def finish(self, failed):
        for s in self.sessions:
            s.drop()
        directory, own = self.world.dir, self.world.own_dir
        self.world.own_dir = False
        try:
            self.world.stop(check=False)
            return ["data: " + b for b in self.world.check_data()] + ["log: " + line for line in self.world.bad_lines()]
        finally:
            if failed and os.environ.get("POSTRIDER_KEEP"):
                print("kept: " + directory)
            elif own:
                shutil.rmtree(directory, ignore_errors=True)

    def summary(self):
        done = collections.Counter()
        for s in self.sessions:
            done.update(s.counts)
        return "seed %d: %s; commands: %s" % (self.seed, ", ".join("%s %d" % kv for kv in sorted(self.counts.items())),
                                               ", ".join("%s %d" % kv for kv in sorted(done.items())))


def play(seed, seconds, rounds=10 ** 9):
    """Rounds for so long. (findings, summary)."""
    h = Histories(seed)
    end, findings = time.monotonic() + seconds, []
    try:
        while time.monotonic() < end and h.counts["rounds"] < rounds and not findings:
            try:
                h.one_round()
            except Finding as e:
                findings.append("seed %d, round %d: %s" % (seed, h.counts["rounds"], e))
    finally:
        findings += h.finish(bool(findings))
    return findings, h
