"""SMTP and IMAP for the crash tests: as little protocol as shows exactly what was answered, and what was not."""
import base64
import re
import socket
import ssl

TLS = ssl.create_default_context()
TLS.check_hostname = False
TLS.verify_mode = ssl.CERT_NONE


class Lost(Exception):
    """The connection ended, or no answer came: what was asked may have happened or not."""


class Wire:
    def __init__(self, port, timeout):
        try:
            self.s = socket.create_connection(("127.0.0.1", port), timeout)
        except OSError as e:
            raise Lost("connect: %s" % e)
        self.buffer = b""

    def close(self):
        self.s.close()

    def send(self, data):
        try:
            self.s.sendall(data)
        except OSError as e:
            raise Lost("send: %s" % e)

    def more(self):
        try:
            chunk = self.s.recv(262144)
        except OSError as e:
            raise Lost("receive: %s" % e)
        if not chunk:
            raise Lost("closed")
        self.buffer += chunk

    def line(self):
        at = 0
        while (end := self.buffer.find(b"\r\n", at)) < 0:
            at = max(len(self.buffer) - 1, 0)
            self.more()
        line, self.buffer = self.buffer[:end], self.buffer[end + 2:]
        return line

    def octets(self, n):
        chunks, have = [self.buffer], len(self.buffer)
        while have < n:
            self.buffer = b""
            self.more()
            chunks.append(self.buffer)
            have += len(self.buffer)
        whole = b"".join(chunks)
        self.buffer = whole[n:]
        return whole[:n]


class Smtp(Wire):
    sender = "crash@outside.test"

    def __init__(self, port, timeout=60):
        super().__init__(port, timeout)
        self.expect(b"2")
        self.send(b"EHLO crash.test\r\n")
        self.expect(b"2")

    def reply(self):
        while True:
            line = self.line()
            if line[3:4] != b"-":
                return line

    def expect(self, first):
        line = self.reply()
        if not line.startswith(first):
            self.close()
            raise Lost("answered " + line.decode())

    def mail(self, rcpts, content):
        """(accepted recipients, code of the answer after the final dot: 0 if there was none, reply text). Lost only before the
        final dot was sent: then the message cannot be there."""
        self.send(b"MAIL FROM:<%s>\r\n" % self.sender.encode())
        line = self.reply()
        if not line.startswith(b"250"):
            return [], int(line[:3]), line
        taken = []
        for rcpt in rcpts:
            self.send(b"RCPT TO:<%s>\r\n" % rcpt.encode())
            line = self.reply()
            if line.startswith(b"250"):
                taken.append(rcpt)
        if not taken:
            self.send(b"RSET\r\n")
            self.reply()
            return [], int(line[:3]), line
        self.send(b"DATA\r\n")
        line = self.reply()
        if not line.startswith(b"354"):
            return [], int(line[:3]), line
        self.send(content)
        try:
            self.send(b".\r\n")
            line = self.reply()
        except Lost:
            return taken, 0, b""
        return taken, int(line[:3]), line


class Submission(Smtp):
    """Signed in, over TLS from the start."""

    def __init__(self, port, user, password, timeout=60):
        Wire.__init__(self, port, timeout)
        self.sender = user
        try:
            self.s = TLS.wrap_socket(self.s)
            self.expect(b"2")
            self.send(b"EHLO crash.test\r\n")
            self.expect(b"2")
            self.send(b"AUTH PLAIN " + base64.b64encode(b"\0%s\0%s" % (user.encode(), password.encode())) + b"\r\n")
            self.expect(b"235")
        except (OSError, Lost) as e:
            self.close()
            raise Lost("signing in: %s" % e)


class Imap(Wire):
    """A signed-in connection."""

    def __init__(self, port, user, password, timeout=60):
        super().__init__(port, timeout)
        self.count = 0
        if not self.line().startswith(b"* OK"):
            raise Lost("no greeting")
        status, _ = self.command(b'LOGIN "%s" "%s"' % (user.encode(), password.encode()))
        if status != "OK":
            self.close()
            raise Lost("not signed in: " + self.text)

    def response(self):
        """One response: its line with literals replaced by {}, and the literals."""
        line, literals = self.line(), []
        while m := re.search(rb"\{(\d+)\}$", line):
            literals.append(self.octets(int(m[1])))
            line = line[:m.start()] + b"{}" + self.line()
        return line, literals

    def answer(self, tag):
        untagged = []
        while True:
            line, literals = self.response()
            if line.startswith(tag + b" "):
                word, _, text = line[len(tag) + 1:].partition(b" ")
                self.text = text.decode(errors="replace")
                return word.decode(), untagged
            if line.startswith(b"* BYE"):
                raise Lost(line.decode(errors="replace"))
            untagged.append((line, literals))

    def command(self, text):
        self.count += 1
        tag = b"c%d" % self.count
        self.send(tag + b" " + text + b"\r\n")
        return self.answer(tag)

    def append(self, mailbox, content):
        """(status, untagged). "NO" also when the literal was refused."""
        self.count += 1
        tag = b"c%d" % self.count
        self.send(b"%s APPEND %s {%d}\r\n" % (tag, mailbox, len(content)))
        line, _ = self.response()
        while line.startswith(b"* "):
            line, _ = self.response()
        if not line.startswith(b"+"):
            self.text = line.decode(errors="replace")
            return line.split()[1].decode(), []
        self.send(content + b"\r\n")
        return self.answer(tag)

    def ok(self, text):
        """A command that changes nothing: anything but OK counts as lost."""
        status, untagged = self.command(text)
        if status != "OK":
            raise Lost("%s: %s" % (text.decode(), self.text))
        return untagged

    def select(self, mailbox):
        """(uidvalidity, uidnext)"""
        lines = b"\n".join(line for line, _ in self.ok(b"SELECT " + mailbox))
        return int(re.search(rb"UIDVALIDITY (\d+)", lines)[1]), int(re.search(rb"UIDNEXT (\d+)", lines)[1])

    def messages(self, what, uids=b"1:*"):
        """[(uid, line, literals)] in the order of the server."""
        found = []
        for line, literals in self.ok(b"UID FETCH %s (UID %s)" % (uids, what)):
            m = re.search(rb"FETCH .*\bUID (\d+)", line)
            if m:
                found.append((int(m[1]), line, literals))
        return found
