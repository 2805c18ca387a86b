"""A running Postrider for tests: `postrider demo --lab` in a directory and on ports of its own."""
import json
import os
import pwd
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from ports import free_base, free_port  # noqa: E402, F401

BIN = os.environ.get("POSTRIDER_BIN", "build/release/src/postrider")
PASSWORD = "secret-pw"

# What the log may say at warn or error without failing a test; a test adds its own by `expect`.
HARMLESS = ()


def tls():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def until(ask, what, seconds=60):
    """What ask() gives as soon as it is true."""
    end = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < end, what
        time.sleep(0.01)
    return found


class Server:
    """start() returns when the demo has printed how to connect; stop() checks the log."""

    def __init__(self, *options, lab=True, environment=None, directory=None, user=None):
        self.base = free_base()
        self.dir = directory or tempfile.mkdtemp(prefix="postrider-test.")
        self.own_dir = directory is None
        self.options = list(options) + (["--lab"] if lab else [])
        self.environment = environment or {}
        self.user = user
        self.expected = list(HARMLESS)
        self.process = None
        if user:
            shutil.chown(self.dir, user)

    def expect(self, pattern):
        """Log lines at warn or error that match are no failure."""
        self.expected.append(pattern)

    def command(self, *words, input=None, check=False, json_out=False):
        args = [BIN, *words, "--config", os.path.join(self.dir, "postrider.conf")] + (["--json"] if json_out else [])
        done = subprocess.run(args, input=input, capture_output=True, text=True, timeout=120)
        if check:
            assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if json_out and done.stdout else done

    def start(self, timeout=60):
        self.log_path = os.path.join(self.dir, "log")
        self.log = open(self.log_path, "ab")
        program = BIN
        if self.user:  # who may not reach the build directory
            program = shutil.copy(BIN, self.dir)
            os.chmod(program, 0o755)
        args = [program, "demo", "--dir", os.path.join(self.dir, "data"), "--port-base", str(self.base), "--password", PASSWORD, *self.options]
        if self.user:
            args = ["setpriv", "--reuid", self.user, "--regid", str(pwd.getpwnam(self.user).pw_gid), "--clear-groups", *args]
        self.process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=self.log, env={**os.environ, **self.environment})
        end = time.monotonic() + timeout
        seen = b""
        while b"Ctrl-C stops it" not in seen:
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk or time.monotonic() > end:
                self.process.kill()
                self.process.wait()
                raise AssertionError("the demo did not come up:\n%s\n%s" % (seen.decode(), self.log_text()))
            seen += chunk
        link = os.path.join(self.dir, "postrider.conf")
        if not os.path.lexists(link):
            os.symlink(os.path.join(self.dir, "data", "postrider.conf"), link)
        return self

    def log_text(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def bad_lines(self):
        """Warnings and errors that nobody expected, and reports of sanitizers."""
        return [l for l in self.log_text().splitlines()
                if (re.search(r"lvl=(warn|error)", l) or "Sanitizer" in l or "runtime error" in l or "CHECK(" in l)
                and not any(re.search(p, l) for p in self.expected)]

    def pids(self, role=None):
        rows = self.command("status", json_out=True)["processes"]
        return [r["pid"] for r in rows if role in (None, r["role"])]

    def kill(self):
        """As if the machine's power had gone, for the processes: all at once."""
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)

    def stop(self, check=True):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(90)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("the demo did not stop:\n" + self.log_text()[-4000:])
        code = self.process.returncode if self.process else 0
        self.log.close()
        bad = self.bad_lines()
        if self.own_dir:
            shutil.rmtree(self.dir, ignore_errors=True)
        if check:
            assert not bad, "\n".join(bad[:40])
            assert code == 0, "exit code %d" % code

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *rest):
        self.stop(check=kind is None)

    # ---- small clients ----

    def port(self, standard):
        return self.base + standard

    def address(self, name):
        return name if "@" in name else name + "@demo.test"
