"""What was answered, against what is in the mailboxes:

  250 seen          once in the mailbox of every accepted recipient
  4xx, 5xx          nowhere; also when the connection was lost before the final dot
  no answer         everywhere or nowhere, and once
  always            what was sent is what is stored; UIDs rise; UIDVALIDITY stays

Each check empties the mailboxes, so that the next one stays short.
"""
import collections

import content
from clients import Imap
from smtp_load import OK, REFUSED, UNKNOWN
from world import PASSWORD

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")


class Inbox:
    def __init__(self):
        self.uidvalidity, self.uidnext = 0, 1


class Ledger:
    def __init__(self, world, addresses):
        self.world, self.addresses = world, addresses
        self.inboxes = {a: Inbox() for a in addresses}
        self.findings, self.counts = [], collections.Counter()

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

    def verify(self, book):
        """The findings since the last time; everything is delivered, and nobody changes anything."""
        self.findings = []
        found = collections.defaultdict(dict)
        for address in self.addresses:
            for ident, digests in self.read_inbox(address).items():
                found[ident][address] = digests
        for s in book:
            self.judge(s, found.pop(s.ident, {}))
            self.counts["messages"] += 1
            self.counts["answered " + s.result] += s.result != UNKNOWN
            self.counts["large"] += s.size > content.LARGE
            self.counts["deliveries"] += len(s.rcpts) if s.result == OK else 0
        for ident in found:
            self.findings.append("%s: nobody sent it, or it came back" % ident)
        return self.findings
