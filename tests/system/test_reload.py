"""Settings that change while the server runs: at once where the log does not say otherwise."""
import os
import shutil
import signal
import smtplib
import socket
import socketserver
import subprocess
import tempfile
import threading

import pytest

import outside
from server import BIN, PASSWORD, Server, free_base, until

CONFIG = """data = "%(dir)s/data"
hostname = "%(hostname)s"
relay = "%(relay)s"
dns { forward = "%(dns)s" }
listen { smtp = {"127.0.0.1:%(port)d"%(more)s} submission = {} submissions = {} imap = {} imaps = {} }
queue { retry_first = "%(retry)s" retry_max = "%(retry_max)s" expire = "%(expire)s" }
processes { smtp = %(smtp)d }
"""


class Served:
    """`postrider serve` on a configuration that changes. Mail to fwd@here.test leaves for out@far.test."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="postrider-test.")
        self.values = {"dir": self.dir, "hostname": "one.test", "relay": "127.0.0.1:1", "dns": "127.0.0.1@1", "port": free_base() + 25, "more": "",
                       "retry": "1h", "retry_max": "2h", "expire": "5d", "smtp": 1}
        self.write()
        self.log = open(os.path.join(self.dir, "log"), "ab")
        self.process = subprocess.Popen([BIN, "serve", "--config", self.path], stderr=self.log)
        until(lambda: "msg=serving" in self.text(), "no start", 60)
        for words in (("domain", "add", "here.test"), ("alias", "add", "fwd@here.test", "out@far.test")):
            assert self.command(*words).returncode == 0

    def write(self, **changes):
        self.values.update(changes)
        self.path = os.path.join(self.dir, "postrider.conf")
        with open(self.path, "w") as f:
            f.write(CONFIG % self.values)

    def text(self):
        return open(os.path.join(self.dir, "log"), errors="replace").read()

    def command(self, *words):
        return subprocess.run([BIN, *words, "--config", self.path], capture_output=True, text=True, timeout=60)

    def reload(self, **changes):
        seen = self.text().count("msg=reloaded")
        self.write(**changes)
        assert self.command("reload").returncode == 0
        until(lambda: self.text().count("msg=reloaded") > seen, "no reload")

    def send(self):
        with smtplib.SMTP("127.0.0.1", self.values["port"], timeout=30) as s:
            s.sendmail("from@far.test", ["fwd@here.test"], "From: from@far.test\r\nSubject: out\r\n\r\nHello.\r\n")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.log.close()
        bad = [l for l in self.text().splitlines() if ("lvl=warn" in l or "lvl=error" in l) and "take effect at the next start" not in l]
        shutil.rmtree(self.dir)
        assert code == 0 and not bad, bad


@pytest.fixture
def served():
    s = Served()
    yield s
    s.stop()


class Sink(socketserver.ThreadingTCPServer):
    """An SMTP server that takes anything."""
    allow_reuse_address = daemon_threads = True

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 sink.test\r\n")
            for line in self.rfile:
                if line.upper().startswith((b"EHLO", b"HELO")):
                    self.server.hellos.append(line.split()[1].decode())
                if line.upper().startswith(b"DATA"):
                    self.wfile.write(b"354 go\r\n")
                    while self.rfile.readline() not in (b".\r\n", b""):
                        pass
                    self.server.taken += 1
                self.wfile.write(b"250 ok\r\n")

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.taken, self.hellos = 0, []
        self.address = "127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()


def test_relay_and_hostname(served):
    first, second = Sink(), Sink()
    served.reload(relay=first.address)
    served.send()
    until(lambda: first.taken == 1, "the first relay got nothing")
    served.reload(relay=second.address, hostname="two.test")
    served.send()
    until(lambda: second.taken == 1, "the second relay got nothing")
    assert first.taken == 1 and first.hellos == ["one.test"] and second.hellos == ["two.test"]
    assert "take effect at the next start" not in served.text()


def test_reports_follow_the_hostname(served):
    """A report that is made after a reload names the host by its new name."""
    with outside.Sink("127.0.0.1", port=0, say={"RCPT": {"out@far.test": "550 5.1.1 nobody"}}) as host:
        served.reload(relay="127.0.0.1:%d" % host.port, hostname="two.test")
        served.send()
        report, = host.wait()
        assert report.sender == "" and report.rcpts == ["from@far.test"]
        assert "Reporting-MTA: dns; two.test" in report.text and "MAILER-DAEMON@two.test" in report.text and "one.test" not in report.text


def test_dns_forward(served):
    asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asked.bind(("127.0.0.1", 0))
    asked.settimeout(20)
    # Quick to try again: who asks in the moment between two resolvers is told to try later.
    served.reload(relay="", dns="127.0.0.1@%d" % asked.getsockname()[1], retry="1s", retry_max="1s")
    until(lambda: "process starts anew" in served.text(), "the resolver goes on")
    served.send()
    assert b"\x03far\x04test" in asked.recv(4096)
    status = served.command("status")
    assert status.returncode == 0, status.stderr


def test_wrong_resolver_is_refused(served):
    served.write(dns="nobody@53")
    assert served.command("config", "check").returncode == 1
    os.kill(served.process.pid, signal.SIGHUP)
    until(lambda: "reload refused" in served.text(), "it was taken")
    assert "dns.forward" in served.text()
    open(os.path.join(served.dir, "log"), "w").close()  # that error was wanted


def test_queue_times(served):
    served.reload(retry="1s", retry_max="1s")
    served.send()
    until(lambda: served.text().count('msg="remote delivery"') >= 3, "it waits by the old times")
    served.reload(expire="1s")
    until(lambda: served.command("queue", "list", "--json").stdout.replace(" ", "").find('"messages":[]') >= 0, "it does not expire")


def test_what_waits_is_named(served):
    served.reload(smtp=2, more=', "127.0.0.1:%d"' % (served.values["port"] + 1))
    line = [l for l in served.text().splitlines() if "take effect at the next start" in l]
    assert len(line) == 1 and 'settings="listen, processes.smtp"' in line[0], line


def test_demo_reloads():
    """The configuration that the demo prints is the one that it reads; it stays a demo with --lab."""
    with Server() as server:
        def greeting():
            with socket.create_connection(("127.0.0.1", server.port(25)), timeout=30) as s:
                return s.recv(500)

        assert b"220 mail.demo.test " in greeting()
        path = os.path.join(server.dir, "data", "postrider.conf")
        text = open(path).read()
        with open(path, "w") as f:
            f.write(text.replace("mail.demo.test", "other.demo.test"))
        assert server.command("reload").returncode == 0
        until(lambda: b"220 other.demo.test " in greeting(), "the new name")
        with smtplib.SMTP("127.0.0.1", server.port(587), timeout=30) as s:  # without TLS
            s.login("alice@demo.test", PASSWORD)
