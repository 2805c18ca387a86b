"""Rounds of kill and recovery under load, and the check of every promise afterwards.

A round: a random process (or all, with the master) is killed at a random moment, and comes back. An epoch: some rounds; then the
clients pause, the queue drains, and every mailbox is read:

  250 seen          once in the mailbox of every accepted recipient
  4xx, 5xx          nowhere; also when the connection was lost before the final dot
  no answer         everywhere or nowhere, and once
  always            what was sent is what is stored; UIDs rise; UIDVALIDITY stays

The mailboxes are then emptied, so that epochs stay short however many there are.
"""
import collections
import os
import random
import re
import shutil
import time

import content
from clients import Imap
from imap_load import ImapLoad
from smtp_load import OK, REFUSED, UNKNOWN, SmtpLoad
from world import PASSWORD, ROLES, WEIGHTS, World

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")


class Inbox:
    def __init__(self):
        self.uidvalidity, self.uidnext = 0, 1


class Rounds:
    def __init__(self, smtp_clients=6, pause=0.02, imap_pause=0.02, seed=None):
        self.r = random.Random(seed)
        self.world = World("--accounts", str(len(NAMES))).start()
        self.addresses = [n + "@demo.test" for n in NAMES]
        self.inboxes = {a: Inbox() for a in self.addresses}
        # alice only gets the demo's own mail; erin and frank belong to IMAP clients, and get mail meanwhile.
        self.smtp = SmtpLoad(self.world, self.addresses[1:6], smtp_clients, pause)
        self.imap = ImapLoad(self.world, self.addresses[4:6], PASSWORD, imap_pause)
        self.findings, self.counts, self.slow = [], collections.Counter(), 0.0
        self.held, self.log = 0, ""

    # ---- rounds ----

    def one_round(self):
        victim = self.r.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        time.sleep(self.r.random() ** 2 * 0.6)
        start = time.monotonic()
        if victim == "all":
            self.world.kill_all()
            self.world.start()
        else:
            pid = self.world.kill_role(victim)
            self.world.wait_roles(without=[pid])
        self.slow = max(self.slow, time.monotonic() - start)
        self.counts["killed " + victim] += 1
        self.counts["rounds"] += 1

    def epoch(self, rounds, deadline=None):
        self.smtp.resume()
        self.imap.resume()
        for _ in range(rounds):
            self.one_round()
            if deadline and time.monotonic() > deadline:
                break
        time.sleep(0.2)
        self.smtp.wait_paused()
        self.imap.wait_paused()
        self.held += self.world.drain()
        self.verify()
        return not self.findings and not self.smtp.faults and not self.imap.findings

    # ---- checking ----

    def read_inbox(self, address):
        """{id: [digests]}; the mailbox is empty afterwards."""
        found, box = collections.defaultdict(list), self.inboxes[address]
        c = Imap(self.world.port(143), address, PASSWORD)
        uidvalidity, uidnext = c.select(b"INBOX")
        if box.uidvalidity and uidvalidity != box.uidvalidity:
            self.findings.append("%s: UIDVALIDITY was %d, is %d" % (address, box.uidvalidity, uidvalidity))
        last = box.uidnext - 1
        for uid, _, literals in c.messages(b"BODY.PEEK[]"):
            if uid <= last or uid >= uidnext:
                self.findings.append("%s: uid %d after %d, UIDNEXT %d" % (address, uid, last, uidnext))
            last = uid
            known = content.identify(literals[0])
            if known:
                found[known[0]].append(known[1])
            elif b"crash" in literals[0]:
                self.findings.append("%s: uid %d is torn" % (address, uid))
        c.ok(b"UID STORE 1:* +FLAGS.SILENT (\\Deleted)")
        c.ok(b"EXPUNGE")
        c.close()
        box.uidvalidity, box.uidnext = uidvalidity, uidnext
        return found

    def judge(self, s, places):
        """places: {address: [digests]} of one message."""
        many = [a for a, d in places.items() if len(d) > 1]
        if many:
            self.findings.append("%s (%s): more than once for %s" % (s.ident, s.result, many))
        if any(d != s.digest for digests in places.values() for d in digests):
            self.findings.append("%s (%s): stored with other content" % (s.ident, s.result))
        where = sorted(places)
        if s.result == OK and where != sorted(s.rcpts):
            self.findings.append("%s: 250 for %s (%d octets, %s), but it is in %s" % (s.ident, s.rcpts, s.size, s.reply.decode(), where))
        if s.result == REFUSED and where:
            self.findings.append("%s: refused (%s), but it is in %s" % (s.ident, s.reply.decode(), where))
        if s.result == UNKNOWN:
            self.counts["no answer, there" if where else "no answer, not there"] += 1
            if where and where != sorted(s.rcpts):
                self.findings.append("%s: no answer for %s, but it is in %s only" % (s.ident, s.rcpts, where))

    def verify(self):
        found = collections.defaultdict(dict)
        for address in self.addresses:
            for ident, digests in self.read_inbox(address).items():
                found[ident][address] = digests
        for s in self.smtp.take_book():
            self.judge(s, found.pop(s.ident, {}))
            self.counts["messages"] += 1
            self.counts["answered " + s.result] += s.result != UNKNOWN
            self.counts["large"] += s.size > content.LARGE
            self.counts["deliveries"] += len(s.rcpts) if s.result == OK else 0
        for ident in found:
            self.findings.append("%s: nobody sent it, or it came back" % ident)
        self.imap.look()

    def finish(self):
        """Stop, check the data, and say all that was found."""
        self.smtp.stop()
        self.imap.stop()
        directory, own = self.world.dir, self.world.own_dir
        self.world.own_dir = False
        try:
            self.world.stop(check=False)
            self.findings += self.smtp.faults + self.imap.findings + ["data: " + b for b in self.world.check_data()]
            if self.world.process.returncode != 0:
                self.findings.append("exit code %d at the end" % self.world.process.returncode)
            self.log = self.world.log_text()
            self.findings += ["log: " + line for line in self.world.bad_lines()]
        finally:
            if own and (not self.findings or not os.environ.get("POSTRIDER_KEEP")):
                shutil.rmtree(directory, ignore_errors=True)
            elif self.findings:
                print("kept: " + directory)
        return self.findings

    def summary(self):
        c = self.counts
        done = collections.Counter()
        for a in self.imap.actors:
            done.update(a.done)
        return "\n".join((
            "%d rounds (%s); slowest recovery %.2f s" % (
                c["rounds"], ", ".join("%s %d" % (v, c["killed " + v]) for v in (*ROLES, "all") if c["killed " + v]), self.slow),
            "%d messages: 250 %d (%d deliveries), refused %d, no answer %d (there %d, not there %d); over 256 KiB %d; held by bad luck %d" % (
                c["messages"], c["answered 250"], c["deliveries"], c["answered refused"],
                c["no answer, there"] + c["no answer, not there"], c["no answer, there"], c["no answer, not there"], c["large"], self.held),
            "IMAP commands: %s; without an answer %d" % (
                ", ".join("%s %d" % kv for kv in sorted(done.items())), sum(a.unknown for a in self.imap.actors)),
            "log: %s" % self.log_kinds(),
            "%d findings" % len(self.findings)))

    def log_kinds(self):
        kinds = collections.Counter()
        for line in self.log.splitlines():
            m = re.search(r'lvl=(?:warn|error) role=(\w+) msg=("[^"]*"|\S+)', line)
            if m:
                kinds["%s: %s" % (m[1], m[2].strip('"'))] += 1
        return ", ".join("%s %d" % kv for kv in kinds.most_common())
