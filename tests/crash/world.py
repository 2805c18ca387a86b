"""The running server of the crash tests: which processes it has, killing them, and knowing that they are back."""
import glob
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))

from server import BIN, PASSWORD, Server  # noqa: E402

ROLES = ("dns", "auth", "queue", "local", "remote", "control", "smtp", "keeper", "imap")
# How often each is the victim; "two" are a pair of those that mail goes through, "all" is the master with everything.
WEIGHTS = {"local": 5, "queue": 5, "smtp": 3, "imap": 4, "keeper": 3, "auth": 2, "control": 1, "dns": 1, "remote": 1, "two": 3, "all": 3}

# What these tests make the log say. Everything else is a finding.
EXPECTED = (
    r'msg="process ended" process=\w+ instance=\d+ pid=\d+ signal=9',
    r'msg="submit unanswered"',  # smtp says so, and asks queue what became of it
    r'msg="message not taken".* reason="nobody knows"',
    r'msg="message not taken".* reason="Message could not be queued, try again later"',
    # auth was killed: queue cannot ask it about a sign-in, or the sign-in was its predecessor's
    r'msg="message not taken".* reason="The sign-in has become void, sign in again"',
    r'msg="message of an account without its sign-in"',
)


def children(pid):
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def title(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return f.read().split(b"\0")[0].decode(errors="replace")
    except OSError:
        return ""


class World(Server):
    def __init__(self, *options, **named):
        super().__init__(*options, **named)
        os.chmod(self.dir, 0o755)
        for pattern in EXPECTED:
            self.expect(pattern)

    def master(self):
        found = children(self.process.pid) if self.process else []
        return found[0] if found else None

    def roles(self):
        """{role: pid}"""
        found = {}
        for pid in children(self.master() or 0):
            m = re.match(r"postrider: (\w+)", title(pid))
            if m:
                found[m[1]] = pid
        return found

    def wait_roles(self, without=(), timeout=60):
        """Until every role has a process that is none of `without`."""
        end = time.monotonic() + timeout
        while True:
            roles = self.roles()
            if len(roles) == len(ROLES) and not set(roles.values()) & set(without):
                return roles
            if time.monotonic() > end:
                raise AssertionError("roles did not come back: %s\n%s" % (roles, self.log_text()[-3000:]))
            time.sleep(0.01)

    def kill_role(self, role):
        """kill -9; returns the pid, or None if it was not there."""
        pid = self.roles().get(role)
        if pid:
            os.kill(pid, signal.SIGKILL)
        return pid

    def kill_all(self):
        """Master and roles at once; returns when all are gone."""
        master = self.master()
        if master is not None:
            pids = [master, *children(master)]
            random.shuffle(pids)
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            end = time.monotonic() + 30
            while any(title(pid).startswith("postrider") for pid in pids) and time.monotonic() < end:
                time.sleep(0.005)
        self.process.wait(30)
        self.process.stdout.close()
        self.log.close()
        self.wait_ports()

    def wait_ports(self, timeout=20):
        """A role that was being started when its master died may live a moment longer, with the listeners."""
        end = time.monotonic() + timeout
        for port in (25, 143, 465, 587, 993):
            while time.monotonic() < end:
                with socket.socket() as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    try:
                        s.bind(("127.0.0.1", self.base + port))
                        s.listen(1)
                        break
                    except OSError:
                        time.sleep(0.01)

    def halt(self):
        """As stop(), but the data stay, and start() may follow."""
        own, self.own_dir = self.own_dir, False
        self.stop()
        self.own_dir = own

    def wait_log(self, pattern, timeout=60):
        """Until a line of the log matches."""
        end = time.monotonic() + timeout
        while not (found := re.search(pattern, self.log_text())):
            assert time.monotonic() < end, "the log does not say %r:\n%s" % (pattern, self.log_text()[-3000:])
            time.sleep(0.05)
        return found

    def drain(self, timeout=90, retry=True):
        """Until the queue is empty. Messages that wait are tried at once; those that are held are counted, and released."""
        end, held = time.monotonic() + timeout, 0
        while True:
            status = self.command("status", json_out=True)
            queue = status.get("queue") if isinstance(status, dict) else None
            if queue and queue["messages"] == 0:
                return held
            if queue:
                held += queue["held"]
            if queue and retry:
                self.command("queue", "retry", "--all")
            if time.monotonic() > end:
                raise AssertionError("the queue did not drain: %s\n%s" % (status, self.command("queue", "list").stdout[:3000]))
            time.sleep(0.1)

    def check_data(self):
        """The numbered invariants of docs/formats over the data of a stopped server: lines that name breaks."""
        build = os.path.dirname(os.path.dirname(os.path.abspath(BIN)))
        tools = glob.glob(os.path.join(build, "tests/crash/check_data")) or glob.glob(os.path.join(build, "../*/tests/crash/check_data"))
        if not tools:
            return ["check_data is in no build folder beside " + build]
        tool = shutil.copy(tools[0], os.path.join(self.dir, "check_data"))  # where the roles' users may reach it
        os.chmod(tool, 0o755)
        breaks = []
        for part, user in (("queue", "postrider-queue"), ("accounts", "postrider-store")):
            args = [tool, part, os.path.join(self.dir, "data", part)]
            if os.geteuid() == 0:
                args = ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", *args]
            try:
                done = subprocess.run(args, capture_output=True, text=True, timeout=900)
            except subprocess.TimeoutExpired:
                breaks.append("check_data %s: not done after 900 s" % part)
                continue
            breaks += done.stdout.splitlines()
            if done.returncode not in (0, 1) or (done.returncode == 1) != bool(done.stdout):
                breaks.append("check_data %s: exit code %d: %s" % (part, done.returncode, done.stderr[-2000:]))
        return breaks
