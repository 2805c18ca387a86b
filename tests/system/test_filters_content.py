"""The content filter behind the queue: out to it, and back through listen.reinject; over SMTP and LMTP."""
import socket

import pytest

from filters import Filtered, Listener, MESSAGE, Recorder, split_own
from peers import Smtp
from server import free_base, until


class Content(Listener):
    """Takes mail over SMTP or LMTP and sends it on to `back`, with a header field more. `seen` are (sender, [rcpt], octets)."""

    def __init__(self, back, lmtp):
        self.back, self.lmtp, self.seen, self.replies, self.refuse = back, lmtp, [], [], None
        super().__init__()

    def forward(self, sender, rcpts, octets):
        with socket.create_connection(("127.0.0.1", self.back), 20) as c:
            f = c.makefile("rb")

            def do(line):
                c.sendall(line)
                while True:
                    got = f.readline()
                    if got[3:4] != b"-":
                        self.replies.append(got)
                        return got
            f.readline()
            do(b"EHLO filter.test\r\n")
            do(b"MAIL FROM:<" + sender + b">\r\n")
            for r in rcpts:
                do(b"RCPT TO:<" + r + b">\r\n")
            do(b"DATA\r\n")
            stuffed = b"".join(b"." + l if l.startswith(b".") else l for l in (b"X-Filtered: yes\r\n" + octets).splitlines(keepends=True))
            done = do(stuffed + b".\r\n")
            do(b"QUIT\r\n")
            return done

    def serve(self, c):
        f = c.makefile("rb")
        c.sendall(b"220 filter.test\r\n")
        sender, rcpts = b"", []
        while True:
            line = f.readline()
            verb = line[:4].upper()
            if not line:
                return
            if verb in (b"EHLO", b"HELO", b"LHLO"):
                assert (verb == b"LHLO") == self.lmtp, line
            elif verb == b"MAIL":
                sender, rcpts = line.split(b"<", 1)[1].split(b">")[0], []
            elif verb == b"RCPT":
                rcpts.append(line.split(b"<", 1)[1].split(b">")[0])
            elif verb == b"DATA":
                c.sendall(b"354 go\r\n")
                lines = []
                while True:
                    line = f.readline()
                    assert line.endswith(b"\r\n"), line
                    if line == b".\r\n":
                        break
                    lines.append(line[1:] if line.startswith(b".") else line)
                octets = b"".join(lines)
                self.seen.append((sender, rcpts, octets))
                got = self.refuse or self.forward(sender, rcpts, octets)
                for _ in rcpts if self.lmtp else [0]:
                    c.sendall(got)
                continue
            elif verb == b"QUIT":
                c.sendall(b"221 bye\r\n")
                return
            c.sendall(b"250 ok\r\n")


@pytest.fixture(params=["smtp", "lmtp"])
def filtered(request):
    recorder = Recorder()
    back = free_base() + 26
    c = Content(back, request.param == "lmtp")
    with Filtered('content = "%s:127.0.0.1:%d"' % (request.param, c.port), recorder, 'reinject = {"127.0.0.1:%d"}' % back) as s:
        s.content = c
        s.back = back
        yield s


def test_way(filtered):
    """Out as it was given, back with what the filter made of it; nothing goes around twice."""
    big = b"From: a@far.test\r\nSubject: big\r\n\r\n" + b".0123456789abcde\r\n" * 40000
    for n, octets in enumerate((MESSAGE, big)):  # one after the other: take() waits for its arrival
        assert filtered.send(octets, rcpts=("fwd@here.test", "two@here.test"))[0] == 250
        filtered.recorder.take(n + 1)
    sender, rcpts, octets = filtered.recorder.messages[0]
    assert sorted(rcpts) == ["out@far.test", "two@far.test"]
    assert sender.startswith("SRS0=") and sender.endswith("=far.test=a@here.test")  # an alias sent it on
    rest = split_own(octets)[1]
    assert rest.startswith(b"X-Filtered: yes\r\nReceived: ")
    assert split_own(rest[len(b"X-Filtered: yes\r\n"):])[1] == MESSAGE
    assert [sorted(r) for _, r, _ in filtered.content.seen] == [[b"fwd@here.test", b"two@here.test"]] * 2
    assert filtered.recorder.messages[1][2].endswith(big)


def test_filter_is_away(filtered):
    """What it defers waits in the queue and comes again; what it refuses goes back to the sender."""
    filtered.content.refuse = b"451 4.3.0 not now\r\n"
    assert filtered.send()[0] == 250
    until(lambda: len(filtered.content.seen) >= 2, "not tried again")
    filtered.content.refuse = None
    assert filtered.recorder.take()[2].endswith(MESSAGE)


SMUGGLED = (b"\r\n.\r\nMAIL FROM:<evil@far.test>\r\nRCPT TO:<three@here.test>\r\nDATA\r\nSubject: smuggled\r\n\r\nx", b"\r\n..\r\nQUIT", b"\r\n.\r\n.\r\n..",
            b"\r\n. \r\n.\t", b"\r\n...")


def test_smuggling(filtered):
    """Content that looks like the end of content and commands, through both hops: one message each time, the same octets."""
    for n, tail in enumerate(SMUGGLED):
        octets = b"From: a@far.test\r\nSubject: %d\r\n\r\ntext" % n + tail + b"\r\n"
        with filtered.session() as c:
            c.mail("a@far.test", "fwd@here.test")
            c.send(b"".join(b"." + l if l.startswith(b".") else l for l in octets.splitlines(keepends=True)) + b".\r\n")
            assert c.reply()[0] == 250
        assert filtered.recorder.take(n + 1)[2].endswith(octets)
    assert len(filtered.recorder.messages) == len(SMUGGLED) == len(filtered.content.seen)
    assert all(m[1] == ["out@far.test"] for m in filtered.recorder.messages)


def test_reinject(filtered):
    """It takes any recipient and never sets the flag; but its reader is as strict as that of port 25."""
    class At:
        def port(self, _):
            return filtered.back

    for end in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r"):
        with Smtp(At()) as c:
            c.ok("EHLO filter.test")
            c.mail("a@far.test", "anyone@elsewhere.test", "nobody@here.test")
            c.send(b"From: a@far.test\r\nSubject: x\r\n\r\ntext" + end + b"MAIL FROM:<evil@far.test>\r\n.\r\n")
            assert c.reply()[0] == 554
    with Smtp(At()) as c:
        assert "AUTH" not in c.ok("EHLO filter.test")
        c.message("a@far.test", "anyone@elsewhere.test", b"From: a@far.test\r\nSubject: x\r\n\r\ny\r\n")
    assert filtered.recorder.take()[1] == ["anyone@elsewhere.test"]
    assert filtered.content.seen == []
