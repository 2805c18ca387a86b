"""What administrators do to messages that wait: redirect, edit, bounce; what each says of itself; the queue's shape. By the command line, with its exit codes."""
import fcntl
import json
import os
import signal
import struct
import subprocess

import pytest

from filters import Filtered
from server import BIN, until

MORE = "queue { retry_first = 1h retry_max = 1h }\nremote { port = %d }\n"
ASCII = b"From: a@far.test\r\nSubject: x\r\n\r\nbody\r\n"


class Administered(Filtered):
    def run(self, *words):
        done = subprocess.run([BIN, *words, "--config", self.path], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def json(self, *words):
        code, out, err = self.run(*words, "--json")
        return code, json.loads(out) if out else None

    def messages(self):
        return self.json("queue", "list")[1]["messages"]

    def one(self, rcpt="x@dead.test", sender="a@far.test"):
        """A message that waits: its destination refuses connections."""
        before = {m["id"] for m in self.messages()}
        assert self.send(octets=ASCII, sender=sender, rcpts=(rcpt,))[0] == 250
        new = until(lambda: {m["id"] for m in self.messages() if m["state"] == "waiting"} - before, "it does not wait")
        return new.pop()


@pytest.fixture(scope="module")
def s():
    with Administered("", expect=("did not", "failed")) as server:
        server.command("domain", "add", "dead.test", "--relay", "127.0.0.1:9")
        yield server
        server.command("queue", "remove", "--all")


def test_redirect(s):
    one = s.one()
    assert s.run("queue", "redirect", one, "ann@")[0] == 2
    assert s.run("queue", "redirect", one)[0] == 2
    assert s.run("queue", "redirect", "--all", "--to", "x", "ann@far.test")[0] == 2
    assert s.run("queue", "redirect", "--to", "", "ann@far.test")[0] == 2
    assert s.run("queue", "redirect", "0000000000001", "ann@far.test")[0] == 3
    code, out, err = s.run("queue", "redirect", one, "ann@far.test")
    assert code == 0 and out == "1 recipient of 1 message redirected\n"
    until(lambda: any(m[1] == ["ann@far.test"] for m in s.recorder.messages), "it was not sent there")
    events = json.loads(s.run("trace", one, "--json")[1])["events"]
    assert any(e["what"] == "edited" and e["to"] == "ann@far.test" for e in events)
    a, b = s.one("u@dead.test"), s.one("v@dead.test")
    assert s.json("queue", "redirect", "--to", "@dead.test", "all@far.test") == (0, {"v": 1, "done": "redirected", "count": 2, "recipients": 2, "busy": 0})
    until(lambda: sum(m[1] == ["all@far.test"] for m in s.recorder.messages) == 2, "they were not sent there")
    until(lambda: not s.messages(), "the queue does not get empty")


def test_edit(s):
    one = s.one()
    assert s.run("queue", "edit", one)[0] == 2
    assert s.run("queue", "edit", one, "--remove", "y@dead.test")[0] == 3
    assert s.run("queue", "edit", one, "--add", "x@dead.test")[0] == 4
    assert s.run("queue", "edit", one, "--add", "a\x01b@far.test")[0] == 2
    assert s.run("queue", "edit", one, "--remove", "x@dead.test")[0] == 2
    assert s.run("queue", "hold", one)[0] == 0
    assert s.run("queue", "edit", one, "--add", "new@far.test", "--remove", "x@dead.test", "--sender", "other@far.test")[0] == 0
    code, shown = s.json("queue", "show", one)
    assert shown["state"] == "held" and shown["from"] == "other@far.test" and [r["address"] for r in shown["recipients"]] == ["new@far.test"]
    assert s.run("queue", "release", one)[0] == 0
    until(lambda: any(m[:2] == ("other@far.test", ["new@far.test"]) for m in s.recorder.messages), "it was not sent")
    until(lambda: not s.messages(), "the queue does not get empty")


def test_bounce(s):
    before = len(s.recorder.messages)
    one = s.one(sender="writer@far.test")
    assert s.json("queue", "bounce", one) == (0, {"v": 1, "done": "bounced", "count": 1, "recipients": 1, "busy": 0, "reports": 1})
    report = until(lambda: s.recorder.messages[before:], "no report")[0]
    assert report[:2] == ("", ["writer@far.test"]) and b"ended by an administrator" in report[2] and b"Action: failed" in report[2] and b"Status: 5." in report[2]
    assert s.run("queue", "bounce", one)[0] == 3
    assert s.run("queue", "bounce")[0] == 2
    assert s.run("queue", "bounce", "--all")[:2] == (0, "0 recipients of 0 messages bounced, 0 reports\n")
    until(lambda: not s.messages(), "the queue does not get empty")


def test_some_recipients(s):
    """--to means recipients; an edit that cannot be says why."""
    before = len(s.recorder.messages)
    assert s.send(octets=ASCII, sender="w@far.test", rcpts=("u@dead.test", "v@dead.test", "x@dead.test", "y@dead.test"))[0] == 250
    one = until(lambda: [m for m in s.messages() if m["state"] == "waiting"], "it does not wait")[0]["id"]
    assert s.run("queue", "hold", one)[0] == 0
    assert s.run("queue", "redirect", "--to", "u@dead", "ann@far.test")[:2] == (0, "1 recipient of 1 message redirected\n")
    assert s.run("queue", "bounce", "--to", "v@dead")[:2] == (0, "1 recipient of 1 message bounced, 1 report\n")
    assert s.json("queue", "remove", "--to", "x@dead") == (0, {"v": 1, "done": "removed", "count": 1, "recipients": 1, "busy": 0})
    rows = s.json("queue", "show", one)[1]["recipients"]
    assert [(r["address"], r["state"]) for r in rows] == [("ann@far.test", "pending"), ("v@dead.test", "failed"), ("y@dead.test", "pending")]
    for words, what in ((("--remove", "ann@far.test", "--remove", "y@dead.test"), "nobody would be left"), (("--add", "z@far.test", "--add", "Z@far.test"), "added twice"),
                        (("--remove", "y@dead.test", "--remove", "y@dead.test"), "removed twice")):
        code, out, err = s.run("queue", "edit", one, *words)
        assert code == 2 and what in err and one in err and "valid" not in err
    assert s.run("queue", "edit", one, "--sender", "<>")[0] == 0
    assert "<>" in [e["to"] for e in s.json("trace", one)[1]["events"] if e["what"] == "edited"]
    assert s.run("queue", "remove", "--to", "y@dead.test")[1] == "1 recipient of 1 message removed\n"
    assert s.run("queue", "release", one)[0] == 0
    until(lambda: not s.messages(), "the queue does not get empty")
    assert sorted(m[1] for m in s.recorder.messages[before:]) == [["ann@far.test"], ["w@far.test"]]


def test_show_explains(s):
    one = s.one()
    code, shown = s.json("queue", "show", one)
    row, = shown["recipients"]
    assert row["site"] == "127.0.0.1:9" and row["attempts"] == 1 and "back-off after attempt 1" in row["why"] and row["next_ms"] > 0
    assert shown["attempts"] == 1 and shown["expires_ms"] > shown["received_ms"]
    assert [e["what"] for e in shown["events"]] == ["accepted", "deferred"]
    text = s.run("queue", "show", one)[1]
    assert "by way of 127.0.0.1:9" in text and "back-off after attempt 1" in text and "given up at" in text and "deferred" in text
    assert s.run("queue", "hold", one)[0] == 0
    assert "held: Held by an administrator" in s.run("queue", "show", one)[1]
    s.command("queue", "remove", one)


def test_as_a_new_user(s):
    """What is wrong is said in its own words, before anything is done; what is right already is no error; one id that is gone leaves out no other."""
    code, out, err = s.run("queue", "--help")
    assert code == 0 and "queue      redirect" in out and not err
    code, out, err = s.run("queue", "lisst")
    assert code == 2 and "unknown command: queue lisst" in err and "queue      list " in err
    one, two = s.one(), s.one()
    assert s.run("queue", "hold", one, two, "nonsense")[::2] == (2, "postrider: nonsense is not a queue id\n")
    assert {m["state"] for m in s.messages()} <= {"waiting", "active"}
    code, out, err = s.run("queue", "hold", one, "0000000000001", two)
    assert code == 3 and "0000000000001: there is none" in err and out == "2 messages held\n"
    assert s.run("queue", "hold", one)[:2] == (0, "0 messages held\n")
    assert s.run("queue", "release", one, two)[:2] == (0, "2 messages released\n")
    assert s.run("queue", "release", one)[:2] == (0, "0 messages released\n")
    assert s.run("queue", "redirect", one)[2] == "postrider: %s is not an address\n" % one
    assert s.run("queue", "edit", one, "--add", "bad")[2] == "postrider: bad is not an address\n"
    assert s.run("queue", "edit", one, "--sender", "bad")[2] == "postrider: bad is not an address\n"
    code, out, err = s.run("queue", "bounce", one, "0000000000001", two)
    assert code == 3 and out == "2 recipients of 2 messages bounced, 2 reports\n"
    until(lambda: not s.messages(), "the queue does not get empty")


def test_sites(s):
    one = s.one()
    code, found = s.json("queue", "sites")
    row = [r for r in found["sites"] if r["site"] == "127.0.0.1:9"][0]
    assert code == 0 and row["deferred"] >= 1 and row["delivered"] == 0 and row["last_answer"]
    assert s.json("queue", "sites", "127.0.0.1:9")[1]["site"] == "127.0.0.1:9"
    assert s.run("queue", "sites", "nobody.test")[0] == 3
    assert s.run("queue", "sites", "--retry", "")[0] == 2
    assert s.run("queue", "sites", "x", "--retry", "y")[0] == 2
    attempts = s.json("queue", "show", one)[1]["recipients"][0]["attempts"]
    code, told = s.json("queue", "sites", "--retry", "127.0.0.1:9")
    assert code == 0 and told["due"] == 1
    until(lambda: s.json("queue", "show", one)[1]["recipients"][0]["attempts"] > attempts, "it was not tried again")
    assert s.json("queue", "show", one)[1]["recipients"][0]["destination"]["state"] in ("open", "dead", "probing")
    assert "127.0.0.1:9" in s.run("queue", "sites")[1] and "by way of 127.0.0.1:9" in s.run("queue", "show", one)[1]
    s.command("queue", "remove", "--all")


def test_list_and_shape(s):
    for i in range(3):
        s.one("u%d@dead.test" % i)
    assert s.json("queue", "list", "--site", "127.0.0.1:9", "--count") == (0, {"v": 1, "count": 3})
    assert s.json("queue", "list", "--site", "other.test", "--count")[1]["count"] == 0
    assert s.json("queue", "list", "--older", "1h", "--count")[1]["count"] == 0
    assert s.run("queue", "list", "--older", "soon")[0] == 2
    reasons = [m["reason"] for m in s.messages()]
    assert s.json("queue", "list", "--reason", reasons[0], "--count")[1]["count"] == sum(reasons[0] in r for r in reasons)
    code, shape = s.json("queue", "shape")
    assert code == 0 and shape["all"]["total"] == 3 and shape["sites"] == [{"site": "127.0.0.1:9", "total": 3, "ages": [3] + [0] * 9}]
    table = s.run("queue", "shape")[1].splitlines()
    assert table[1].split()[:3] == ["TOTAL", "3", "3"] and table[2].split()[:2] == ["127.0.0.1:9", "3"]
    s.command("queue", "remove", "--all")


def test_without_a_server():
    """Each command on the data directory; what is owed is kept there, and goes out when a server runs again."""
    with Administered("", expect=("did not", "failed")) as server:
        server.command("domain", "add", "dead.test", "--relay", "127.0.0.1:9")
        ids = [server.one("u%d@dead.test" % i) for i in range(6)]
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(90) == 0
        # The data directory is taken, and nobody listens: a server that starts or stops.
        with open(os.path.join(server.dir, "data", "postrider.lock"), "r+") as lock:
            lock.write("%d\n" % os.getpid())
            lock.flush()
            fcntl.fcntl(lock, getattr(fcntl, "F_OFD_SETLK", 37), struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
            told = {server.run(*words)[::2] for words in (("status",), ("queue", "list"), ("queue", "bounce", "--all"), ("account", "list"))}
            assert len(told) == 1 and told.pop() == (75, "postrider: the server is starting or stopping, or another command works on its data: try again\n")
        before = len(server.recorder.messages)
        for words in (("list",), ("shape",), ("sites",), ("show", ids[0]), ("hold", ids[0]), ("release", ids[0]), ("retry", ids[0]), ("sites", "--retry", "127.0.0.1:9"),
                      ("redirect", ids[4], "ann@far.test"), ("edit", ids[5], "--add", "eve@far.test", "--remove", "u5@dead.test", "--sender", "new@far.test"),
                      ("bounce", ids[0], ids[1]), ("remove", ids[2]), ("bounce", "--to", "u3@dead")):
            code, out, err = server.run("queue", *words)
            none = words[:2] == ("sites", "--retry") and code == 3 and err == "postrider: 127.0.0.1:9: there is none\n"  # its pause was over
            assert none or (code == 0 and err == ""), (words, code, out, err)
        waits = server.messages()
        assert sorted(m["from"] for m in waits) == ["", "", "", "a@far.test", "new@far.test"] and {m["state"] for m in waits} == {"waiting"}
        server.process = subprocess.Popen([BIN, "serve", "--config", server.path], stderr=server.log)
        until(lambda: len(server.recorder.messages) == before + 5, "not all were sent")
        assert sorted(m[1] for m in server.recorder.messages[before:]) == [["a@far.test"]] * 3 + [["ann@far.test"], ["eve@far.test"]]
        until(lambda: not server.messages(), "the queue does not get empty")
