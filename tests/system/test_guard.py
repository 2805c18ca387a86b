"""Limits and bans at the door: `postrider serve` in a network namespace, strangers with addresses of their own, a small DNS server as the lists."""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

from peers import DOMAIN, Closed, Imap, Smtp, rss_kib
from server import BIN, PASSWORD, until

_networks = iter(range(1, 250))
MESSAGE = b"From: <x@sender.example>\r\nSubject: x\r\n\r\nx\r\n"


@pytest.fixture(scope="module", autouse=True)
def world(world):
    """All of 10.0.0.0/8 and 2001:db8::/32 is this machine."""
    for words in ("route add local 10.0.0.0/8 dev lo", "-6 route add local 2001:db8::/32 dev lo"):
        subprocess.run(["ip", *words.split()], check=True, capture_output=True)
    with open("/proc/sys/net/ipv6/ip_nonlocal_bind", "w") as f:
        f.write("1")


class Served:
    """A server of demo.test with alice, bob and carol; its section `guard` is given, and may change."""

    def __init__(self, trusted="", **guard):
        self.dir = tempfile.mkdtemp(prefix="postrider-test.")
        self.path = os.path.join(self.dir, "postrider.conf")
        self.run("setup", "--domain", DOMAIN, "--admin", "alice@demo.test", "--hostname", "mx.demo.test", "--data", self.dir + "/data", "--password-stdin")
        self.expected = ["msg=banned ", 'msg="sign-in failed"', 'msg="outbound limit reached"']
        with open(self.path) as f:
            text = re.sub(r"(?ms)^(smtp|guard|dns) \{.*?^\}\n", "", f.read())
        self.base = text + 'dns { forward = "10.9.0.53@53" }\n'
        self.log_path = os.path.join(self.dir, "log")
        self.process = None
        self.write(trusted, guard)
        for name in ("bob", "carol"):
            self.run("account", "add", name + "@demo.test", "--password-stdin")
        self.start()

    def write(self, trusted, guard):
        lines = "".join("\t%s = %s\n" % (k, '"%s"' % v if isinstance(v, str) else v) for k, v in guard.items())
        with open(self.path, "w") as f:
            f.write(self.base + 'smtp { trusted = "%s" }\nguard {\n%s}\n' % (trusted, lines))

    def reload(self, trusted="", **guard):
        self.write(trusted, guard)
        n = self.log().count("msg=reloaded")
        self.run("reload")
        until(lambda: self.log().count("msg=reloaded") > n, "no reload")
        time.sleep(0.2)  # the master has told the processes; each takes it between two messages

    def start(self):
        n = self.log().count("msg=serving") if os.path.exists(self.log_path) else 0
        with open(self.log_path, "ab") as out:
            self.process = subprocess.Popen([BIN, "serve", "--config", self.path], stderr=out)
        until(lambda: self.log().count("msg=serving") > n, "no start", 60)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0
        self.process = None

    def port(self, standard):
        return standard

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def lines(self, *parts):
        return [l for l in self.log().splitlines() if all(p in l for p in parts)]

    def logged(self, *parts, count=1):
        """So many lines with all of this; they pass through a pipe, so they may come a moment later."""
        until(lambda: len(self.lines(*parts)) >= count, (parts, self.log()[-2000:]))
        assert len(self.lines(*parts)) == count, self.lines(*parts)

    def command(self, *words):
        return subprocess.run([BIN, *words, "--config", self.path], capture_output=True, text=True, timeout=60, input=PASSWORD + "\n")

    def run(self, *words):
        done = self.command(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def bans(self):
        return json.loads(self.run("ban", "list", "--json"))

    def why(self, address):
        return {f["name"]: f["value"] for f in json.loads(self.run("ban", "why", address, "--json"))["facts"]}

    def pid(self, role):
        return [p["pid"] for p in json.loads(self.run("status", "--json"))["processes"] if p["role"] == role][0]

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process:
            if kind is None:
                restarted = [p["role"] for p in json.loads(self.run("status", "--json"))["processes"] if p["restarts"]]
                self.end()
                bad = [l for l in self.log().splitlines() if (re.search(r"lvl=(warn|error)", l) or "Sanitizer" in l or "runtime error" in l or "CHECK(" in l)
                       and not any(e in l for e in self.expected)]
                assert not bad and not restarted, (bad[:20], restarted)
            else:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def stranger(host=7):
    """An address in a network that nobody else uses."""
    return "10.1.%d.%d" % (next(_networks), host)


def greeting(server, source, port=25):
    """What a connection from there is told, and whether it stays open."""
    with Smtp(server, port, greeting=False, source=source) as c:
        code, text = c.reply()
        if code != 220:
            assert c.rest() == b""
        return code, text


def session(server, source):
    c = Smtp(server, 25, source=source)
    c.ok("EHLO peer.example")
    return c


def rcpt(server, source, sender="x@sender.example", to="alice@demo.test"):
    with session(server, source) as c:
        c.ok("MAIL FROM:<%s>" % sender)
        return c.do("RCPT TO:<%s>" % to)


def deliver(server, source, sender="x@sender.example", to="alice@demo.test"):
    with session(server, source) as c:
        return c.message(sender, to, MESSAGE)


def submission(server, source, user="alice@demo.test"):
    c = Smtp(server, 465, source=source)
    c.ok("EHLO peer.example")
    assert c.login(user)[0] == 235
    return c


def serves(server, source):
    """Somebody of ours can sign in, send and read."""
    with submission(server, source, "carol@demo.test") as c:
        assert c.message("carol@demo.test", "bob@demo.test", b"From: <carol@demo.test>\r\nSubject: x\r\n\r\nx\r\n")[0] == 250
    with Imap(server, 993, user="bob@demo.test", source=source):
        pass


# ---- failures ----

def test_unknown_users(dns):
    """A flood of unknown recipients ends in a ban of that address, on every port; others do not notice, and an administrator can see and undo it."""
    with Served(tarpit_failures=0) as s:
        bad, good = stranger(), stranger()
        before = rss_kib(s.pid("auth"))
        asked = 0
        with session(s, bad) as c:
            c.ok("MAIL FROM:<x@sender.example>")
            while True:
                code, text = c.do("RCPT TO:<nobody%d@demo.test>" % asked)
                asked += 1
                if code != 550:
                    break
            assert code == 421 and "banned until" in text and "60 failures within an hour, the last: unknown_recipient" in text, text
            assert c.rest() == b""
        assert asked == 60
        for port in (25, 587, 465):
            code, text = greeting(s, bad, port) if port != 465 else (421, "banned")
            assert code == 421 and "banned" in text
        with pytest.raises(AssertionError, match="BYE Your address is banned until"):
            Imap(s, 143, source=bad)
        s.logged('msg="connection refused"', "peer=" + bad, "reason=banned", "role=smtp", count=2)
        s.logged('msg="connection refused"', "peer=" + bad, "reason=banned", "role=imap")
        s.logged('msg="recipient refused"', "peer=" + bad, "reason=banned")
        s.logged("msg=banned ", "peer=" + bad)
        assert deliver(s, good)[0] == 250
        serves(s, good)
        assert rss_kib(s.pid("auth")) < before + 40000
        [ban] = s.bans()["bans"]
        assert ban["address"] == bad and "unknown_recipient" in ban["reason"] and not ban["manual"]
        facts = s.why(bad)
        assert "banned until" in facts["banned"] and "60 failures" in facts["address, last hour"] and facts["exempt"] == "no"
        assert "turned away" in s.run("trace", bad)
        s.run("ban", "lift", bad)
        assert deliver(s, bad)[0] == 250
        assert s.command("ban", "lift", bad).returncode == 3


def test_thousand_logins(dns):
    """A thousand wrong passwords: the address is banned long before, nobody else is, and memory stays."""
    with Served() as s:
        bad, good = stranger(), stranger()
        serves(s, good)
        before = rss_kib(s.pid("auth"))
        tried = banned = 0
        while tried < 1000:
            try:
                c = Imap(s, 993, source=bad)
            except (AssertionError, Closed) as e:
                assert "banned until" in str(e)
                banned += 1
                tried += 5
                continue
            with c:
                for _ in range(5):
                    tried += 1
                    c.start("LOGIN user%d@demo.test wrong" % (tried % 50))
                    if c.response().startswith(b"* BYE"):
                        break
        assert banned > 150
        s.logged("msg=banned ", "peer=" + bad, "sign_in")
        serves(s, good)
        assert rss_kib(s.pid("auth")) < before + 40000


def test_signed_in_is_never_banned(dns):
    """One household: the phone has an old password and tries for ever, the laptop works on."""
    with Served() as s:
        home = stranger()
        serves(s, home)
        for _ in range(30):
            with Imap(s, 993, source=home) as c:
                for _ in range(5):
                    c.start("LOGIN alice@demo.test old")
                    if c.response().startswith(b"* BYE"):
                        break
        serves(s, home)
        assert not s.bans()["bans"]
        assert "somebody signed in there" in s.why(home)["exempt"]
        got = s.command("ban", "add", home)
        assert got.returncode == 5 and "signed_in" in got.stderr


def test_protocol_errors(dns):
    with Served(ban_failures=30) as s:
        bad = stranger()
        for _ in range(2):
            with session(s, bad) as c:
                for n in range(21):
                    code = c.do("NONSENSE")[0]
                assert code == 421
            until(lambda: "failures" in s.why(bad)["address, last hour"], "no note")
        until(lambda: s.bans()["bans"], "no ban")
        code, text = greeting(s, bad)
        assert code == 421 and "protocol_error" in text


def test_loopback_and_trusted(dns):
    friend = stranger()
    with Served(trusted=friend.rsplit(".", 1)[0] + ".0/24", ban_failures=5, tarpit_failures=1, address_messages=3, network_messages=3, address_connections=3) as s:
        for source in (None, "127.0.0.9", friend):
            for n in range(6):
                assert rcpt(s, source, to="nobody@demo.test")[0] == 550
                assert deliver(s, source)[0] == 250
        assert not s.bans()["bans"]
        assert "loopback" in s.why("127.0.0.1")["exempt"] and "trusted" in s.why(friend)["exempt"]


# ---- by hand ----

def test_by_hand(dns):
    with Served() as s:
        a = stranger(50)
        network = a.rsplit(".", 1)[0] + ".0/24"
        s.run("ban", "add", network, "--for", "2h", "--reason", "sends what nobody wants")
        code, text = greeting(s, a)
        assert code == 421 and "sends what nobody wants" in text
        s.run("ban", "add", "2001:db8:77::/48")
        code, text = greeting(s, "2001:db8:77:1::9")
        assert code == 421 and "by an administrator" in text
        assert greeting(s, "2001:db8:78::1")[0] == 220
        # Kept over a restart; and read, lifted and given while there is no server.
        s.end()
        assert {b["address"] for b in s.bans()["bans"]} == {network, "2001:db8:77::/48"}
        s.run("ban", "add", "2001:db8:79:1::/64")
        s.run("ban", "lift", "2001:db8:77::/48")
        s.start()
        assert greeting(s, a)[0] == 421
        assert greeting(s, "2001:db8:79:1::5")[0] == 421
        assert greeting(s, "2001:db8:77:1::9")[0] == 220
        assert "2 bans lifted" in s.run("ban", "lift", "--all")
        assert greeting(s, a)[0] == 220
        for words, code in ((("add", "nobody"), 2), (("add", a, "--for", "x"), 2), (("lift",), 2), (("lift", a, "--all"), 2), (("why", "x"), 2),
                            (("add", "127.0.0.1"), 5)):
            assert s.command("ban", *words).returncode == code, words


# ---- limits ----

def test_address_limits(dns):
    with Served(address_messages=5, address_recipients=8) as s:
        a, other = stranger(), stranger()
        for _ in range(5):
            assert deliver(s, a)[0] == 250
        code, text = rcpt(s, a)
        assert code == 450 and text == "4.7.1 The limit of 5 messages per hour from your address is reached, try again later"
        s.logged('msg="recipient refused"', "peer=" + a, "reason=address_messages")
        with session(s, other) as c:
            c.ok("MAIL FROM:<x@sender.example>")
            for n in range(8):
                c.ok("RCPT TO:<alice+%d@demo.test>" % n)
            code, text = c.do("RCPT TO:<bob@demo.test>")
            assert code == 450 and "recipients per hour" in text
            # What was accepted goes on.
            c.ok("DATA", 354)
            c.send(MESSAGE + b".\r\n")
            assert c.reply()[0] == 250
        s.reload(address_messages=0, address_recipients=0)
        assert deliver(s, a)[0] == 250


def test_outbound(dns):
    """A stolen password sends no more than the limit, wherever it is used; it is told loudly, once; others send on."""
    with Served(account_messages_hour=4) as s:
        sent = 0
        for n in range(4):
            with submission(s, stranger()) as c:
                for _ in range(3):
                    c.ok("MAIL FROM:<alice@demo.test>")
                    code, text = c.do("RCPT TO:<victim%d@far.example>" % n)
                    if code == 250:
                        c.ok("DATA", 354)
                        c.send(b"From: <alice@demo.test>\r\nSubject: x\r\n\r\nx\r\n.\r\n")
                        assert c.reply()[0] == 250
                        sent += 1
                    else:
                        assert code == 450 and "4 messages per hour of your account" in text
                        c.ok("RSET")
        assert sent == 4
        s.logged("lvl=error", 'msg="outbound limit reached"', "reason=account_messages_hour", "from=alice@demo.test")
        [alarm] = s.bans()["alarms"]
        assert alarm["from"] == "alice@demo.test" and alarm["reason"] == "account_messages_hour"
        assert "met its limit account_messages_hour" in s.run("ban", "list")
        serves(s, stranger())
        assert 'postrider_guard_alarms' in s.run("metrics")


# ---- newcomers ----

def test_greylist(dns):
    with Served(greylist="true", greylist_wait=2) as s:
        a = stranger(7)
        pool = a.rsplit(".", 1)[0] + ".99"
        code, text = rcpt(s, a, "bounce-1@list.example")
        assert code == 451 and re.fullmatch(r"4\.7\.1 Greylisted, try again in [12] s", text), text
        s.logged('msg="recipient refused"', "peer=" + a, "reason=greylist")
        assert "1 sender domain " in s.why(a)["greylist"]
        until(lambda: rcpt(s, pool, "bounce-2@list.example")[0] == 250, "never passed", 10)
        assert deliver(s, a, "anybody@elsewhere.example")[0] == 250
        assert "known-good" in s.why(a)["greylist"]
        # One of ours writes to a domain; its answer need not wait.
        with submission(s, stranger()) as c:
            c.ok("MAIL FROM:<alice@demo.test>")
            c.ok("RCPT TO:<ann@friend.example>")
        assert rcpt(s, stranger(), "ann@friend.example")[0] == 250
        assert rcpt(s, stranger(), "ann@stranger.example")[0] == 451
        assert rcpt(s, None, "ann@stranger.example")[0] == 250


def reverse(address, zone):
    return ".".join(reversed(address.split("."))) + "." + zone


def test_lists(dns):
    """Weights, good and bad; IPv6; a list that is silent costs a bounded wait and nobody his mail; answers are kept."""
    with Served(dnsbl="bl.lists.test=3, wl.lists.test=-5, slow.lists.test=127.0.0.[2-4]*3", dnsbl_threshold=3) as s:
        listed, both, slow, six = stranger(), stranger(), stranger(), "2001:db8:1::5"
        dns.zone[reverse(listed, "bl.lists.test")] = {"A": ["127.0.0.2"]}
        dns.zone[reverse(both, "bl.lists.test")] = {"A": ["127.0.0.2"]}
        dns.zone[reverse(both, "wl.lists.test")] = {"A": ["127.0.0.2"]}
        dns.zone[reverse(slow, "slow.lists.test")] = {"silent": True}
        dns.zone["5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.bl.lists.test"] = {"A": ["127.0.0.2"]}
        code, text = greeting(s, listed)
        assert code == 554 and text == "5.7.1 Your address %s is listed by bl.lists.test (score 3)" % listed
        s.logged('msg="connection refused"', "peer=" + listed, "reason=dnsbl")
        assert greeting(s, six)[0] == 554
        assert deliver(s, both)[0] == 250
        assert deliver(s, slow)[0] == 250
        assert deliver(s, stranger())[0] == 250
        asked = dns.asked.count((reverse(listed, "bl.lists.test"), "A"))
        assert greeting(s, listed)[0] == 554
        assert dns.asked.count((reverse(listed, "bl.lists.test"), "A")) == asked
        assert "listed" in s.why(listed)["list"]
        # The people of ours are not asked about: their addresses are on lists.
        dns.zone[reverse("10.1.250.9", "bl.lists.test")] = {"A": ["127.0.0.2"]}
        serves(s, "10.1.250.9")


def test_early_talk(dns):
    with Served(greet_pause="2s", ban_failures=12) as s:
        patient, hasty = stranger(), stranger()
        for n in range(3):
            with Smtp(s, 25, greeting=False, source=hasty) as c:
                c.send(b"EHLO bot.example\r\n")
                code, text = c.reply()
                assert code == 554 and "wait for the greeting" in text
        assert deliver(s, patient)[0] == 250
        until(lambda: s.bans()["bans"], "no ban")
        code, text = greeting(s, hasty)
        assert code == 421 and "early_talk" in text
        # Who is known does not wait: it may talk while others are still held.
        until(lambda: "known-good" in s.why(patient)["greylist"], "not known")
        with Smtp(s, 25, greeting=False, source=patient) as c:
            assert c.reply()[0] == 220
            c.ok("EHLO peer.example")


def test_pause_ends_with_the_server(dns):
    """Connections that wait before the greeting are told when the server stops."""
    with Served(greet_pause="30s") as s:
        c = Smtp(s, 25, greeting=False, source=stranger())
        until(lambda: "1 connections" in s.why(c.sock.getsockname()[0])["address, last hour"], "not asked")
        s.end()
        assert c.reply()[0] == 421
        c.close()
