"""Rounds of kill and recovery under load, and the check of every promise afterwards.

A round: a random process (or all, with the master) is killed at a random moment, and comes back. An epoch: some rounds; then the
clients pause, the queue drains, and all that was sent and changed is checked (ledger.py, imap_load.py).
"""
import collections
import os
import random
import re
import shutil
import time

from imap_load import ImapLoad
from ledger import NAMES, Ledger
from smtp_load import SmtpLoad
from world import PASSWORD, WEIGHTS, World



class Rounds:
    weights = WEIGHTS
    paired = ("auth", "queue", "local", "smtp", "imap")

    def __init__(self, smtp_clients=6, pause=0.02, imap_pause=0.02, seed=None):
        self.r = random.Random(seed)
        self.world = World("--accounts", str(len(NAMES))).start()
        self.addresses = [n + "@demo.test" for n in NAMES]
        self.ledger = Ledger(self.world, self.addresses)
        # alice only gets the demo's own mail; erin and frank belong to IMAP clients, and get mail meanwhile.
        self.smtp = SmtpLoad(self.world, self.addresses[1:6], smtp_clients, pause)
        self.imap = ImapLoad(self.world, self.addresses[4:6], PASSWORD, imap_pause)
        self.begin(self.smtp, self.imap)

    def begin(self, *loads):
        self.loads = loads
        self.findings, self.counts, self.slow = [], collections.Counter(), 0.0
        self.held, self.log = 0, ""
        self.kills = []  # (when, roles)

    def messages(self):
        return self.ledger.counts["messages"]

    # ---- rounds ----

    def one_round(self):
        victim = self.r.choices(list(self.weights), list(self.weights.values()))[0]
        time.sleep(self.r.random() ** 2 * 0.6)
        start = time.monotonic()
        if victim == "all":
            self.kills.append((start, ["all"]))
            self.world.kill_all()
            self.world.start()
        else:
            victims = self.r.sample(self.paired, 2) if victim == "two" else [victim]
            self.kills.append((start, victims))
            pids = [self.world.kill_role(v) for v in victims]
            self.world.wait_roles(without=pids)
            if self.r.random() < 0.15:  # once more while it starts
                self.kills.append((time.monotonic(), victims))
                pids = [self.world.kill_role(v) for v in victims]
                self.world.wait_roles(without=pids)
                self.counts["killed while starting"] += 1
        self.slow = max(self.slow, time.monotonic() - start)
        self.counts["killed " + victim] += 1
        self.counts["rounds"] += 1

    def epoch(self, rounds, deadline=None):
        for load in self.loads:
            load.resume()
        for _ in range(rounds):
            self.one_round()
            if deadline and time.monotonic() > deadline:
                break
        time.sleep(0.2)
        for load in self.loads:
            load.wait_paused()
        self.held += self.world.drain()
        self.verify()
        return not self.findings and not any(load.faults for load in self.loads)

    def verify(self):
        self.findings += self.ledger.verify(self.smtp.take_book())
        self.imap.look()

    def finish(self):
        """Stop, check the data, and say all that was found."""
        for load in self.loads:
            load.stop()
        directory, own = self.world.dir, self.world.own_dir
        self.world.own_dir = False
        try:
            self.world.stop(check=False)
            self.log = self.world.log_text()
            self.findings += [f for load in self.loads for f in load.faults] + ["data: " + b for b in self.world.check_data()]
            if self.world.process.returncode != 0:
                self.findings.append("exit code %d at the end" % self.world.process.returncode)
            self.findings += ["log: " + line for line in self.world.bad_lines()]
        finally:
            if own and (not self.findings or not os.environ.get("POSTRIDER_KEEP")):
                shutil.rmtree(directory, ignore_errors=True)
            elif self.findings:
                print("kept: " + directory)
        return self.findings

    def summary(self):
        c = self.counts + self.ledger.counts
        done = collections.Counter()
        for a in self.imap.actors:
            done.update(a.done)
        return "\n".join((
            self.summary_of_kills(),
            "%d messages: 250 %d (%d deliveries), refused %d, no answer %d (there %d, not there %d); over 256 KiB %d; held by bad luck %d" % (
                c["messages"], c["answered 250"], c["deliveries"], c["answered refused"],
                c["no answer, there"] + c["no answer, not there"], c["no answer, there"], c["no answer, not there"], c["large"], self.held),
            "IMAP commands: %s; without an answer %d" % (
                ", ".join("%s %d" % kv for kv in sorted(done.items())), sum(a.unknown for a in self.imap.actors)),
            "log: %s" % self.log_kinds(),
            "%d findings" % len(self.findings)))

    def summary_of_kills(self):
        c, victims = self.counts, (*type(self).weights, "while starting")
        return "%d rounds (%s); slowest recovery %.2f s" % (
            c["rounds"], ", ".join("%s %d" % (v, c["killed " + v]) for v in victims if c["killed " + v]), self.slow)

    def log_kinds(self):
        kinds = collections.Counter()
        for line in self.log.splitlines():
            m = re.search(r'lvl=(?:warn|error) role=(\w+) msg=("[^"]*"|\S+)', line)
            if m:
                kinds["%s: %s" % (m[1], m[2].strip('"'))] += 1
        return ", ".join("%s %d" % kv for kv in kinds.most_common())
