"""Rounds of kill and recovery while mail leaves: everything is submitted by one user, to recipients of other domains and a few of our own.

What was answered, against what the far hosts (far.py), a mailbox and the sender's reports hold once the queue is empty:

  250 seen          each recipient has it, or the sender has one report that he was refused; nobody has both, nothing is lost
  4xx, 5xx          nobody has anything
  no answer         as after 250, or nobody has anything
  twice             only to a recipient whose delivery was in flight (from RCPT to the yes of its host, and WINDOW_S before and after) when a process was
                    killed that carries the delivery or its result: remote, queue, or all. Never because another died; never in a mailbox; no report twice
  always            what was sent is what arrives
"""
import collections
import contextlib
import random
import re

import content
from clients import Imap, Submission
from far import Far
from rounds import Rounds
from smtp_load import OK, REFUSED, UNKNOWN, SmtpLoad
from world import PASSWORD, World

from outside import Dns, namespace

SENDER, LOCAL = "alice@demo.test", "bob@demo.test"
DOMAINS = 12
HOSTS = ["10.9.0.%d" % (100 + i) for i in range(4)]
WINDOW_S = 0.25 # before: the way to the host's RCPT; after: until a result that a host gave is durable here
CARRIERS = {"remote", "queue", "all"}


def recipients():
    """Four of each domain, one of them not known there."""
    return [LOCAL] + ["%s@d%d.test" % (name, d) for d in range(DOMAINS) for name in ("a", "b", "c", "bad")]


class Book:
    """What the far side has of one message, what the sender was told, and the mailbox."""

    def __init__(self):
        self.far, self.reports, self.local = collections.defaultdict(list), collections.Counter(), []

    def touched(self):
        return bool(self.far or self.reports or self.local)


class OutwardRounds(Rounds):
    weights = {"remote": 6, "queue": 6, "auth": 2, "dns": 2, "smtp": 2, "local": 1, "two": 3, "all": 3}
    others = {"auth": 3, "dns": 3, "smtp": 3, "local": 1}  # every third epoch: nothing may come twice
    paired = ("remote", "queue", "auth", "dns", "smtp")

    def __init__(self, clients=6, pause=0.02, seed=None):
        self.r = random.Random(seed)
        self.stack = contextlib.ExitStack()
        self.stack.enter_context(namespace())
        self.dns = self.stack.enter_context(contextlib.closing(Dns()))
        for d in range(DOMAINS):
            self.dns.zone["d%d.test" % d] = {"MX": [(10, "mx%d.test" % (d % len(HOSTS))), (20, "mx%d.test" % ((d + 1) % len(HOSTS)))]}
        for i, address in enumerate(HOSTS):
            self.dns.zone["mx%d.test" % i] = {"A": [address]}
        self.far = self.stack.enter_context(contextlib.closing(Far(HOSTS)))
        self.world = World("--dns", "10.9.0.53@53", environment={"POSTRIDER_RETRY_FIRST": "1", "POSTRIDER_RETRY_MAX": "2"}).start()
        port = self.world.port(465)
        self.smtp = SmtpLoad(self.world, recipients(), clients, pause, connect=lambda: Submission(port, SENDER, PASSWORD), most=6)
        self.begin(self.smtp)
        self.totals, self.lag_s = collections.Counter(), 0.0

    def messages(self):
        return self.totals["messages"]

    def epoch(self, rounds, deadline=None):
        self.counts["epochs"] += 1
        self.weights = OutwardRounds.others if self.counts["epochs"] % 3 == 2 else OutwardRounds.weights
        return super().epoch(rounds, deadline)

    # ---- what there is ----

    def mailbox(self, user):
        """The messages, which are gone afterwards."""
        c = Imap(self.world.port(143), user, PASSWORD)
        c.select(b"INBOX")
        found = [literals[0] for _, _, literals in c.messages(b"BODY.PEEK[]")]
        c.ok(b"UID STORE 1:* +FLAGS.SILENT (\\Deleted)")
        c.ok(b"EXPUNGE")
        c.close()
        return found

    def collect(self):
        books = collections.defaultdict(Book)
        for ident, copies in self.far.take_copies().items():
            for c in copies:
                books[ident].far[c.rcpt].append(c)
        for octets in self.mailbox(LOCAL):
            if known := content.identify(octets):
                books[known[0]].local.append(known[1])
        for octets in self.mailbox(SENDER):
            if known := content.identify(octets):
                books[known[0]].reports.update(re.findall(r"(?m)^Final-Recipient: rfc822; *(\S+)", octets.decode("latin-1")))
        return books

    # ---- what must be ----

    def verify(self):
        books = self.collect()
        for s in self.smtp.take_book():
            book = books.pop(s.ident, Book())
            self.totals.update({"messages": 1, s.result: 1})
            if s.result == REFUSED and book.touched():
                self.findings.append("%s: refused (%s), but somebody has it" % (s.ident, s.reply.decode()))
            if s.result == OK or (s.result == UNKNOWN and book.touched()):
                self.judge(s, book)
        self.findings += ["%s: nobody sent it, or it came late" % ident for ident in books]
        self.findings += self.far.faults

    def judge(self, s, book):
        for rcpt in s.rcpts:
            copies, told = book.far[rcpt], book.reports[rcpt]
            want = (0, 1) if rcpt.startswith("bad") else (1, 0)
            if rcpt == LOCAL:
                if book.local != [s.digest]:
                    self.findings.append("%s (%s): %d times in the mailbox" % (s.ident, s.result, len(book.local)))
                continue
            self.totals.update({"recipients": 1, "told": told, "copies": len(copies)})
            if (min(len(copies), 1), told) != want:
                self.findings.append("%s (%s, %s): %d copies and %d reports for %s" % (s.ident, s.result, s.reply.decode(), len(copies), told, rcpt))
            if any(c.digest != s.digest for c in copies):
                self.findings.append("%s: changed for %s" % (s.ident, rcpt))
            for before in copies[:-1]:
                self.again(s, before)
        others = set(book.far) | set(book.reports)
        if others - set(s.rcpts):
            self.findings.append("%s: nobody asked for %s" % (s.ident, others - set(s.rcpts)))

    def again(self, s, copy):
        """A further copy came: there must have been a kill that explains it."""
        self.totals["twice"] += 1
        last = copy.yes_s or copy.dot_s
        off_s = min(max(copy.rcpt_s - when, when - last, 0) for when, roles in [(0, CARRIERS), *self.kills] if CARRIERS & set(roles))
        if off_s <= WINDOW_S:
            self.lag_s = max(self.lag_s, off_s)
        else:
            self.findings.append("%s: again for %s, and no kill explains it: the nearest is %.3f s away" % (s.ident, copy.rcpt, off_s))

    # ---- the end ----

    def finish(self):
        try:
            return super().finish()
        finally:
            self.stack.close()

    def summary(self):
        t = self.totals
        return "\n".join((
            self.summary_of_kills(),
            "%d messages: 250 %d, refused %d, no answer %d; %d recipients far away: %d copies, %d reports; %d copies too many, each in flight at a kill "
            "(at most %.3f s before RCPT or after the yes); held by bad luck %d; connections of hosts %d" % (
                t["messages"], t[OK], t[REFUSED], t[UNKNOWN], t["recipients"], t["copies"], t["told"], t["twice"], self.lag_s, self.held,
                self.far.counts["connections"]),
            "log: %s" % self.log_kinds(),
            "%d findings" % len(self.findings)))
