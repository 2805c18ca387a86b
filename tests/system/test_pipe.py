"""Messages for programs: what they are given, exactly; what their ends mean; what they cannot do; the process that runs them."""
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

import pytest

from filters import Filtered
from server import BIN, until

BODY = b"From: a@far.test\r\nSubject: x\r\n\r\nFrom here\r\n.dot\r\n\xff\x01\r\nend\r\n"

PLAIN = BODY.replace(b"\xff\x01", b"")


def script(name, text):
    """A program that every user may run."""
    path = os.path.join(script.dir, name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)
    return path


@pytest.fixture(scope="module")
def box():
    """Where the programs lie, and write."""
    script.dir = tempfile.mkdtemp(prefix="postrider-pipe.")
    os.chmod(script.dir, 0o755)
    out = os.path.join(script.dir, "out")
    os.mkdir(out)
    os.chmod(out, 0o777)
    yield out
    shutil.rmtree(script.dir)


SAVE = r'''
d=$(mktemp -d %(out)s/tmp.XXXXXX)
for a in "$@"; do printf '%%s\0' "$a"; done > $d/argv
cat > $d/content
env > $d/env
ls -l /proc/self/fd | wc -l > $d/fds
chmod -R a+rX $d
mv $d %(out)s/$QUEUE_ID.$$
'''

PIPES = r'''
pipe save { command = {"%(save)s", "-f", "${sender}", "r=${recipient}", "${user}", "${extension}", "${domain}", "${nexthop}", "${size}", "${original_recipient}"} flags = "DRFO" }
pipe raw { command = {"%(save)s"} lines = "crlf" }
pipe bare { command = {"%(save)s", "${user}"} }
pipe many { command = {"%(save)s", "${recipient}"} recipients = 10 flags = "h" }
pipe exits { command = {"%(exits)s", "${user}"} }
pipe slow { command = {"%(slow)s"} timeout = 1s }
pipe bomb { command = {"%(bomb)s"} processes = 40 timeout = 5s }
pipe flood { command = {"%(flood)s"} timeout = 20s }
pipe deaf { command = {"%(deaf)s"} }
pipe gone { command = {"/nonexistent/program"} }
pipe waits { command = {"%(waits)s"} runs = 2 }
queue { retry_first = 1s retry_max = 1s }
'''

NAMES = ("save", "raw", "bare", "many", "exits", "slow", "bomb", "flood", "deaf", "gone", "waits")


class Piped(Filtered):
    def queue(self):
        return json.loads(self.command("queue", "list", "--json"))["messages"]

    def shown(self):
        """{recipient: its row} of all that wait."""
        rows = {}
        for m in self.queue():
            done = subprocess.run([BIN, "queue", "show", m["id"], "--json", "--config", self.path], capture_output=True, text=True)
            for r in json.loads(done.stdout)["recipients"] if done.returncode == 0 else []:  # gone meanwhile
                rows[r["address"]] = r
        return rows

    def pids(self, role="pipe"):
        return [p["pid"] for p in json.loads(self.command("status", "--json"))["processes"] if p["role"] == role]

    def sent(self, *rcpts, octets=BODY, sender="a@far.test", mail="", rcpt=""):
        with self.session() as c:
            c.ok("MAIL FROM:<%s>%s" % (sender, mail))
            for r in rcpts:
                c.ok("RCPT TO:<%s>%s" % (r, rcpt))
            assert c.do("DATA")[0] == 354
            c.send(b"".join(b"." + l if l.startswith(b".") else l for l in octets.splitlines(keepends=True)) + b".\r\n")
            assert c.reply()[0] == 250


@pytest.fixture(scope="module")
def s(box):
    if os.geteuid() != 0:
        pytest.skip("needs root: programs run as a user of their own")
    paths = {"save": script("save", SAVE % {"out": box}), "exits": script("exits", 'case $1 in s*) kill -9 $$;; t*) echo "4.2.2 full for now"; exit 67;; '
             'p*) echo "5.2.2 full for good"; exit 75;; *) echo "said $1" >&2; exit $1;; esac\n'),
             "slow": script("slow", "echo begun\nsleep 1000 & sleep 1000\n"), "bomb": script("bomb", 'b() { b | b & }; b; while :; do b; done\n'),
             "flood": script("flood", "yes | head -c 50000000\nexit 67\n"), "deaf": script("deaf", "exec 0<&-\nexit 0\n"),
             "waits": script("waits", "while [ ! -e %s/go ]; do sleep 0.05; done; cat > /dev/null; echo $QUEUE_ID $ORIGINAL_RECIPIENT >> %s/done\n" % (box, box))}
    with Piped("", more=PIPES % paths, expect=("did not", "failed", "process ended", "no report", "is killed")) as server:
        for name in NAMES:
            server.command("domain", "add", name + ".test", "--relay", "pipe:" + name)
        server.command("domain", "add", "hop.test", "--relay", "pipe:save:next.example")
        yield server


def saved(box, count=1):
    """What the program wrote, in order of time; taken away."""
    until(lambda: len([d for d in os.listdir(box) if d[0] == "0"]) >= count, "the program was not run")
    found = []
    for d in sorted(d for d in os.listdir(box) if d[0] == "0"):
        path = os.path.join(box, d)
        found.append({f: open(os.path.join(path, f), "rb").read() for f in os.listdir(path)})
        found[-1]["argv"] = found[-1]["argv"].decode().split("\0")[:-1]
        found[-1]["owner"] = os.stat(path).st_uid
        shutil.rmtree(path)
    return found


def drained(s):
    until(lambda: not s.queue(), "the queue does not get empty")


def test_what_it_is_given(s, box):
    s.sent("Bob+Tag@save.test")
    one, = saved(box)
    head, _, rest = one["content"].partition(b"\n")
    assert head.startswith(b"From a@far.test ")
    assert rest.startswith(b"Return-Path: <a@far.test>\nX-Original-To: Bob+Tag@save.test\nDelivered-To: Bob+Tag@save.test\nReceived: ")
    assert rest.endswith(b"\n" + BODY.replace(b"\r\n", b"\n")) and b"\r" not in rest
    size = one["argv"].pop(-2)
    assert one["argv"] == ["-f", "a@far.test", "r=Bob+Tag@save.test", "Bob", "Tag", "save.test", "save.test", "Bob+Tag@save.test"]
    assert int(size) > len(BODY)
    env = dict(l.split("=", 1) for l in one["env"].decode().splitlines())
    assert {k: env[k] for k in ("SENDER", "RECIPIENT", "LOCAL", "EXTENSION", "DOMAIN", "LANG", "CLIENT_ADDRESS")} == {
        "SENDER": "a@far.test", "RECIPIENT": "Bob+Tag@save.test", "LOCAL": "Bob", "EXTENSION": "Tag", "DOMAIN": "save.test", "LANG": "C", "CLIENT_ADDRESS": "127.0.0.1"}
    assert set(env) <= {"SENDER", "RECIPIENT", "ORIGINAL_RECIPIENT", "LOCAL", "EXTENSION", "DOMAIN", "LANG", "CLIENT_ADDRESS", "QUEUE_ID", "PATH", "PWD", "SHLVL", "_", "OLDPWD"}
    assert one["owner"] == pwd.getpwnam("postrider-pipe").pw_uid
    assert one["fds"].split() == [b"5"]  # "total", 0, 1, 2 and the directory itself
    s.sent("bob@hop.test", rcpt=" ORCPT=rfc822;first@old.test")
    one, = saved(box)
    assert one["argv"][6] == "next.example" and one["argv"][8] == "first@old.test"
    s.sent("bob@raw.test")
    one, = saved(box)
    assert one["content"].endswith(b"\r\n" + BODY) and one["content"].startswith(b"Received: ")
    drained(s)


@pytest.mark.parametrize("local, user", [
    ('"a b"', "a b"), ('"$(touch /tmp/x)`id`;&|<>*?~"', "$(touch /tmp/x)`id`;&|<>*?~"), ('"a \\"b\\" \'c\'"', "a \"b\" 'c'"), ('"${sender}"', "${sender}"), ("a=b'c", "a=b'c"),
    ('"\\\\"', "\\"), ('"a/../../b"', "a/../../b"), ("%s%n", "%s%n")])
def test_hostile_addresses_are_one_argument(s, box, local, user):
    s.sent(local + "@bare.test")
    one, = saved(box)
    assert one["argv"] == [user]
    drained(s)


def test_no_address_is_an_option(s, box):
    s.sent("-rf@bare.test", sender="")
    drained(s)
    s.sent("-rf@bare.test", sender="c@far.test", octets=PLAIN)
    until(lambda: any(b"5.1.3" in m[2] for m in s.recorder.messages), "no report")
    assert not [d for d in os.listdir(box) if d[0] == "0"]
    drained(s)


def test_several_recipients(s, box):
    s.sent("Bob@MANY.test", "eve@many.test", "carl@many.test")
    one, = saved(box)
    assert sorted(one["argv"]) == ["Bob@many.test", "carl@many.test", "eve@many.test"]
    s.sent("bob@bare.test", "eve@bare.test")
    assert sorted(m["argv"][0] for m in saved(box, 2)) == ["bob", "eve"]
    drained(s)


def test_large(s, box):
    body = BODY + b"x" * 70 + b"\r\n"
    body += (b"y" * 76 + b"\r\n") * 10000
    s.sent("bob@bare.test", octets=body)
    one, = saved(box)
    assert one["content"].endswith(b"\n" + body.replace(b"\r\n", b"\n"))
    drained(s)


CODES = {"64": "5.3.0", "65": "5.6.0", "67": "5.1.1", "68": "5.1.2", "69": "5.3.0", "71": "4.3.0", "73": "5.2.0", "74": "4.3.0", "75": "4.3.0", "77": "5.7.0", "78": "4.3.5",
         "1": "5.3.0", "127": "4.3.5", "s": "4.3.0", "t": "4.2.2", "p": "5.2.2"}


def test_exit_codes(s, box):
    before = len(s.recorder.messages)
    s.sent(*[c + "@exits.test" for c in CODES], octets=PLAIN)
    failed = {c for c, v in CODES.items() if v[0] == "5"}
    until(lambda: len(s.recorder.messages) > before, "no report")
    report = s.recorder.messages[before][2].decode()
    for code in failed:
        part = report.split("Final-Recipient: rfc822; %s@exits.test" % code)[1].split("\r\n\r\n")[0]
        assert "Status: " + CODES[code] in part, (code, part)
    rows = {r.split("@")[0]: v for r, v in s.shown().items()}
    for code in set(CODES) - failed:
        assert rows[code]["state"] == "pending" and rows[code]["answer"].startswith(CODES[code]), rows[code]
        assert "pipe:exits: " in rows[code]["answer"]
    assert "said 75" in rows["75"]["answer"] and "signal 9" in rows["s"]["answer"] and "full for now" in rows["t"]["answer"]
    s.command("queue", "remove", "--all")


def processes_of(uid):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat("/proc/" + pid).st_uid == uid or pwd.getpwuid(os.stat("/proc/" + pid).st_uid).pw_name == "postrider-pipe":
                found.append(int(pid))
        except (OSError, KeyError):
            pass
    return found


def only_the_role(s):
    """Nothing that a program started is left."""
    uid = pwd.getpwnam("postrider-pipe").pw_uid
    until(lambda: set(processes_of(uid)) <= set(s.pids()), "programs are left")


def test_bounds(s, box):
    s.sent("x@slow.test", "x@bomb.test", "x@gone.test", "x@flood.test", "x@deaf.test", octets=PLAIN)
    until(lambda: {"x@slow.test", "x@bomb.test", "x@gone.test"} <= set(s.shown()) and all(r["attempts"] for r in s.shown().values()), "not attempted")
    rows = s.shown()
    assert "did not end within 1 s" in rows["x@slow.test"]["answer"]
    assert rows["x@bomb.test"]["state"] == "pending" or "5.3.0" in rows["x@bomb.test"]["answer"]  # killed when its time is over, or its shell gave up
    assert "No such file" in rows["x@gone.test"]["answer"] and rows["x@gone.test"]["answer"].startswith("4.3.5")
    assert rows["x@deaf.test"]["state"] == "done" and rows["x@flood.test"]["state"] == "failed"
    s.command("queue", "remove", "--all")
    drained(s)
    only_the_role(s)


def test_a_killed_role_loses_nothing(s, box):
    """Under way when it dies: once more, with the same message."""
    s.command("queue", "remove", "--all")
    drained(s)
    s.sent("one@waits.test")
    until(lambda: len(processes_of(pwd.getpwnam("postrider-pipe").pw_uid)) > 1, "the program does not run")
    os.kill(s.pids()[0], signal.SIGKILL)
    until(lambda: any("lost" in r["answer"] for r in s.shown().values()), "nothing was lost")
    open(os.path.join(box, "go"), "w").close()
    drained(s)
    # The first run may have ended well before it was killed with its process: at least once.
    assert open(os.path.join(box, "done")).read().count("one@waits.test") >= 1
    os.unlink(os.path.join(box, "go"))
    os.unlink(os.path.join(box, "done"))


def test_stop_waits_for_programs(box):
    """What runs when the server stops is answered, and not done again."""
    if os.geteuid() != 0:
        pytest.skip("needs root: programs run as a user of their own")
    waits = script("waits", "sleep 7; cat > /dev/null; echo $RECIPIENT >> %s/stopped\n" % box)
    s = Piped("", more='pipe waits { command = {"%s"} }\n' % waits)
    s.command("domain", "add", "waits.test", "--relay", "pipe:waits")
    s.sent("one@waits.test")
    until(lambda: any("sleep" in open("/proc/%d/cmdline" % p).read() for p in processes_of(pwd.getpwnam("postrider-pipe").pw_uid)), "the program does not run")
    path, directory = s.path, s.dir
    s.process.send_signal(signal.SIGTERM)
    assert s.process.wait(90) == 0
    assert open(os.path.join(box, "stopped")).read() == "one@waits.test\n"
    done = subprocess.run([BIN, "queue", "list", "--json", "--config", path], capture_output=True, text=True)
    assert json.loads(done.stdout)["messages"] == []
    s.log.close()
    shutil.rmtree(directory)


def test_settings(box):
    """Wrong ones are told; a next hop must be a pipe that there is."""
    def check(text):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
            f.write('data = "/tmp/nowhere"\n' + text)
            f.flush()
            done = subprocess.run([BIN, "config", "check", "--config", f.name], capture_output=True, text=True)
            return done.returncode, done.stdout + done.stderr
    good = 'pipe x { command = {"/bin/cat", "${user}"} }\nlisten { submissions = {} imaps = {} }\n'
    assert check(good)[0] == 0, check(good)
    assert check(good + 'relay = "pipe:x"\n')[0] == 0
    for text, word in ((good + 'relay = "pipe:y"\n', "no such pipe"), ("pipe x { }\n", "command is missing"), ('pipe x { command = {"cat"} }\n', "absolute path"),
                       ('pipe x { command = {"/bin/cat", "${shell}"} }\n', "names none"), ('pipe x { command = {"/bin/cat"} flags = "Z" }\n', "flags"),
                       ('pipe x { command = {"/bin/cat"} runs = 0 }\n', "out of range"), ('pipe x { command = {"/bin/cat"} flags = "D" recipients = 2 }\n', "recipients = 1"),
                       ('pipe x { command = {"/bin/cat"} }\npipe x { command = {"/bin/cat"} }\n', "x"), ('pipe x { comand = {"/bin/cat"} }\n', "comand"),
                       ('pipe "a b" { command = {"/bin/cat"} }\n', "name")):
        code, out = check(text)
        assert code != 0 and word in out, (text, out)


def test_missing_pipe_is_told(tmp_path):
    """A next hop that no section names is taken, as the section may follow, but not without a word."""
    conf = tmp_path / "postrider.conf"

    def run(*words, **options):
        return subprocess.run([BIN, *words, "--config", str(conf)], capture_output=True, text=True, timeout=60, **options)

    def told(*words):
        done = run(*words)
        assert done.returncode == 0, done.stderr
        return "no such pipe" in done.stderr

    def route(address):
        done = run("route", address, "--from", "me@example.org", "--json")
        return json.loads(done.stdout)["targets"][0]["pipe_missing"], "no such pipe: this mail waits" in run("route", address, "--from", "me@example.org").stdout

    done = run("setup", "--domain", "example.org", "--admin", "me@example.org", "--data", str(tmp_path / "data"), "--password-stdin", input="pw\n")
    assert done.returncode == 0, done.stderr
    assert told("route", "add", "--to", "list.example", "--via", "pipe:list:next.example")
    assert told("domain", "add", "box.example", "--relay", "pipe:box")
    assert route("x@list.example") == route("x@box.example") == (True, True)
    with open(conf, "a") as f:
        f.write('pipe list { command = {"/bin/cat"} }\npipe box { command = {"/bin/cat"} }\n')
    assert route("x@list.example") == route("x@box.example") == (False, False)
    assert not told("route", "set", "--to", "list.example", "--via", "pipe:box")
    assert told("route", "set", "--to", "list.example", "--via", "pipe:boxes")
    assert not told("route", "add", "--to", "far.example", "--via", "192.0.2.1:25")
