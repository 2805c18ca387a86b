"""Transcripts of POP3: those of imap_driver, with connections to POP3 beside those to IMAP.

    @pop3 [2]               connect to POP3 (greeting skipped)
    @maildrop [2]           the same, and sign in
    S.: RE                  expect lines up to the one of a single dot; one of those between matches RE

@login, @connect are IMAP; both sorts share the numbers of connections.
"""
import re

from imap_driver import Mismatch, Player


class Pop3Player(Player):
    def __init__(self, host, port, pop3_port, user, password, box):
        super().__init__(host, port, user, password, box)
        self.imap_at, self.pop3_at = (host, port), (host, pop3_port)

    def expect_ok(self, number):
        answer = self.connections[number].line()
        if not answer.startswith(b"+OK"):
            raise Mismatch("expected +OK: %r" % answer)

    def directive(self, words):
        number = words[1] if len(words) > 1 else ""
        if words[0] in ("pop3", "maildrop"):
            self.where = self.pop3_at
            c = self.connect(number)
            self.expect_ok(number)
            if words[0] == "maildrop":
                for line in ("USER $USER\r\n", "PASS $PASS\r\n"):
                    c.send(self.fill(line).encode())
                    self.expect_ok(number)
            return
        self.where = self.imap_at
        super().directive(words)

    def step(self, line):
        m = re.match(r"S(\d*)\.: ?(.*)", line)
        if not m:
            super().step(line)
            return
        lines = []
        while not lines or lines[-1] != b".":
            lines.append(self.connections[m[1]].line())
        if not any(re.search(self.fill(m[2]).encode(), one) for one in lines[:-1]):
            raise Mismatch("none matches: %r" % lines)
