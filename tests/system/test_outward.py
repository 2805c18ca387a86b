"""Mail that leaves: real processes, a scripted DNS server and scripted mail hosts on port 25, all in a network namespace."""
import contextlib
import email
import email.policy
import imaplib
import os
import quopri
import re
import shutil
import signal
import smtplib
import subprocess
import tempfile
import time

import pytest

from outside import DROP, NXDOMAIN, SERVFAIL, Mute, Sink
from server import BIN, PASSWORD, Server, tls, until

HOPS = 50  # LIMIT_HOPS
QUEUE_ID = "[0-9A-HJKMNP-TV-Z]{13}"
_hosts = iter(range(10, 250))
_names = iter(range(1, 1000))


pytestmark = pytest.mark.usefixtures("world")


# ---- servers ----

@pytest.fixture(scope="module")
def server(dns):
    """Not in lab mode: loopback addresses are refused as on the real network. Quick to try again."""
    s = Server("--dns", "10.9.0.53@53", lab=False, environment={"POSTRIDER_RETRY_FIRST": "1", "POSTRIDER_RETRY_MAX": "2", "POSTRIDER_ACCOUNT_MESSAGES": "0"}).start()
    yield s
    s.stop()


@pytest.fixture(scope="module")
def slow_server(dns):
    """Tries again after minutes, so only by command; gives up after 3 s."""
    s = Server("--dns", "10.9.0.53@53", environment={"POSTRIDER_EXPIRE": "3"}).start()
    yield s
    s.stop()


class Domain:
    """A domain nobody has asked for before, with its mail hosts."""

    def __init__(self, dns, entry=None, sinks=None, **options):
        self.name = "d%d.test" % next(_names)
        self.sinks = [Sink("10.9.0.%d" % next(_hosts), **options)] if sinks is None else sinks
        self.dns = dns
        if entry is None:
            entry = {"MX": [(10, "mx%d.%s" % (i, self.name)) for i in range(len(self.sinks))]}
        dns.zone[self.name] = entry
        for i, s in enumerate(self.sinks):
            dns.zone["mx%d.%s" % (i, self.name)] = {"AAAA" if ":" in s.address else "A": [s.address]}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for s in self.sinks:
            s.close()

    @property
    def sink(self):
        return self.sinks[0]

    def address(self, local="someone"):
        return "%s@%s" % (local, self.name)


# ---- mail in, mail out ----

def text(rcpt, subject, body="Hello.\r\n", sender="alice@demo.test", extra=""):
    return "From: %s\r\nTo: %s\r\nSubject: %s\r\n%s\r\n%s" % (sender, rcpt, subject, extra, body)


@contextlib.contextmanager
def session(server, user="alice@demo.test"):
    with smtplib.SMTP("127.0.0.1", server.port(587), timeout=60) as s:
        s.starttls(context=tls())
        s.login(user, PASSWORD)
        yield s


def submit(server, rcpts, subject, body="Hello.\r\n", user="alice@demo.test", options=(), to=None):
    rcpts = [rcpts] if isinstance(rcpts, str) else rcpts
    with session(server, user) as s:
        if "SMTPUTF8" in options:
            s.command_encoding = "utf-8"
        refused = s.sendmail(user, rcpts, text(to or rcpts[0], subject, body, user).encode(), list(options))
        assert refused == {}


def hand_in(server, sender, rcpts, message):
    """From another host, without signing in."""
    with smtplib.SMTP("127.0.0.1", server.port(25), timeout=60) as s:
        s.ehlo("elsewhere.test")
        return s.sendmail(sender, rcpts, message)


def messages(port, user, host="127.0.0.1", password=PASSWORD):
    with imaplib.IMAP4_SSL(host, port, ssl_context=tls()) as c:
        c.login(user, password)
        c.select("INBOX", readonly=True)
        found = c.search(None, "ALL")[1][0].split()
        if not found:
            return []
        parts = c.fetch(b",".join(found), "(RFC822)")[1]
        return [email.message_from_bytes(p[1], policy=email.policy.SMTPUTF8) for p in parts if isinstance(p, tuple)]


def readable(octets):
    """As it is and with quoted-printable decoded: reports are 7-bit."""
    return octets.decode("utf-8", "replace") + quopri.decodestring(octets).decode("utf-8", "replace")


def mail_about(server, needle, user="alice@demo.test"):
    return [m for m in messages(server.port(993), user) if needle in readable(m.as_bytes())]


def waiting(server, domain):
    """Messages in the queue for a domain, as `queue show` explains them."""
    rows = server.command("queue", "list", json_out=True)["messages"]
    shown = [server.command("queue", "show", r["id"], json_out=True) for r in rows]
    return [s for s in shown if any(r["address"].endswith("@" + domain) or r["target"].endswith("@" + domain) for r in s.get("recipients", ()))]


def deferred(server, domain, timeout=30):
    """Its only message there, once it was tried and waits."""
    return until(lambda: [m for m in waiting(server, domain)
                          if m["state"] == "waiting" and any(r["attempts"] for r in m["recipients"])],
                 "nothing waits for " + domain, timeout)[0]


def gone(server, domain):
    until(lambda: not waiting(server, domain), domain + " waits still")


def blocks(part):
    """The groups of fields of a message/delivery-status."""
    return part.get_payload()


def report(server, rcpt, user="alice@demo.test", timeout=30):
    """The one report about a recipient: checked in form; returns (per-message fields, fields of the recipient, message)."""
    found = until(lambda: [m for m in mail_about(server, rcpt, user) if m.get_content_type() == "multipart/report"],
                  "no report about " + rcpt, timeout)
    assert len(found) == 1, "%d reports about %s" % (len(found), rcpt)
    m = found[0]
    assert m["From"].endswith("<MAILER-DAEMON@mail.demo.test>") and m["To"] == user and m["Auto-Submitted"] == "auto-replied"
    assert m["Message-ID"] and m["Date"] and m["Return-Path"] == "<>"
    human, status, original = m.get_payload()
    kind = m.get_param("report-type")
    assert kind in ("delivery-status", "global-delivery-status") and status.get_content_type() == "message/" + kind
    assert human.get_content_type() == "text/plain" and rcpt in human.get_content()
    groups = blocks(status) if kind == "delivery-status" else parse_groups(status)
    assert groups[0]["Reporting-MTA"] == "dns; mail.demo.test" and groups[0]["Arrival-Date"]
    mine = [g for g in groups[1:] if rcpt in g["Final-Recipient"]]
    assert len(mine) == 1 and mine[0]["Action"] == "failed" and mine[0]["Last-Attempt-Date"]
    assert original.get_content_type() in ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers")
    return groups[0], mine[0], m


def parse_groups(part):
    raw = part.as_bytes().split(b"\r\n\r\n", 1)[1]
    if part["Content-Transfer-Encoding"] == "quoted-printable":
        raw = quopri.decodestring(raw)
    return [email.message_from_bytes(g, policy=email.policy.SMTPUTF8) for g in raw.strip().split(b"\r\n\r\n")]


def original_of(m):
    return readable(m.get_payload()[2].as_bytes())


# ---- no DNS, slow DNS; how they end are the last tests ----

@pytest.fixture(scope="module")
def deaf_server(world):
    """Nobody is where its resolver should be."""
    s = Server("--dns", "10.9.0.55@53").start()
    yield s
    s.stop()


def test_resolver_down_holds_up_no_local_mail(deaf_server):
    submit(deaf_server, ["someone@unknown-now.test", "bob@demo.test"], "resolver-down")
    until(lambda: mail_about(deaf_server, "resolver-down", "bob@demo.test"), "local delivery waits for DNS", 8)


def test_slow_dns_holds_up_nobody(server, dns):
    with Domain(dns) as d:
        dns.zone["slow.test"] = {"delay": 15, "MX": [(10, "mx.slow.test")]}
        dns.zone["mx.slow.test"] = {"A": ["10.9.0.9"]}
        dns.zone["silent.test"] = {"silent": True}
        submit(server, ["someone@slow.test", "bob@demo.test", d.address()], "slow-and-others")
        submit(server, "someone@silent.test", "silent")
        d.sink.wait(timeout=8)
        until(lambda: mail_about(server, "slow-and-others", "bob@demo.test"), "local delivery waits for DNS", 8)
        assert [m["state"] for m in waiting(server, "slow.test")] == ["active"]


# ---- where to ----

def test_preference_and_starttls(server, dns):
    with Domain(dns, sinks=[Sink("10.9.0.%d" % next(_hosts), tls="good") for _ in range(2)]) as d:
        dns.zone[d.name] = {"MX": [(20, "mx0." + d.name), (10, "mx1." + d.name)]}
        submit(server, d.address(), "by-preference", ".dot\r\n..\r\n\r\nlast\r\n")
        taken = d.sinks[1].wait()[0]
        assert d.sinks[0].connections == 0
        assert taken.tls and taken.helo == "mail.demo.test"
        assert (taken.sender, taken.rcpts) == ("alice@demo.test", [d.address()])
        assert taken.text.endswith("\r\n\r\n.dot\r\n..\r\n\r\nlast\r\n")
        assert re.match(r"(DKIM-Signature: .*\r\n(\t.*\r\n)+){2}Received: ", taken.text)
        gone(server, d.name)


def test_equal_preferences_share(server, dns):
    with Domain(dns, sinks=[Sink("10.9.0.%d" % next(_hosts)) for _ in range(2)]) as d:
        with session(server) as s:
            for i in range(16):
                s.sendmail("alice@demo.test", [d.address()], text(d.address(), "share"))
        until(lambda: sum(len(s.taken) for s in d.sinks) == 16, "not all arrived")
        assert all(s.taken for s in d.sinks)


def test_dead_first_host(server, dns):
    with Domain(dns) as d:
        dns.zone["dead." + d.name] = {"A": ["10.9.0.2"], "AAAA": ["fd09::dead"]}
        dns.zone[d.name] = {"MX": [(1, "dead." + d.name), (2, "nowhere." + d.name), (3, "mx0." + d.name)]}
        submit(server, d.address(), "dead-first")
        d.sink.wait()
        gone(server, d.name)


def ends(server, address):
    """What the trace says of a recipient's end."""
    def told():
        return [e["text"] for e in server.command("trace", address, json_out=True).get("events", []) if e["what"] == "delivered"]
    return until(told, "no end of %s in the trace" % address)


def test_mute_first_host(server, dns):
    """The next is tried beside it, and the trace says so; the message after it does not try it first."""
    with Domain(dns, sinks=[Mute("10.9.0.%d" % next(_hosts)), Sink("10.9.0.%d" % next(_hosts))]) as d:
        dns.zone[d.name] = {"MX": [(1, "mx0." + d.name), (2, "mx1." + d.name)]}
        submit(server, d.address("first"), "mute-first")
        d.sinks[1].wait()
        [said] = ends(server, d.address("first"))
        assert said.startswith("mx1.%s [%s]:25: 2.0.0 250 2.0.0 taken (before: mx0.%s [%s]:25: no connection within " % (
            d.name, d.sinks[1].address, d.name, d.sinks[0].address)), said
        submit(server, d.address("second"), "mute-is-known")
        d.sinks[1].wait(2)
        assert "before" not in ends(server, d.address("second"))[0]
        gone(server, d.name)


def test_address_without_mx(server, dns):
    with Domain(dns) as d:
        dns.zone[d.name] = {"A": [d.sink.address]}
        submit(server, d.address(), "implicit")
        d.sink.wait()


def test_ipv6_only(server, dns):
    with Domain(dns, sinks=[Sink("fd09::25", name="mx-six.test")]) as d:
        dns.zone[d.name] = {"AAAA": ["fd09::25"]}
        submit(server, d.address(), "six")
        d.sink.wait()


def test_mx_that_is_an_alias(server, dns):
    with Domain(dns) as d:
        dns.zone[d.name] = {"MX": [(10, "alias." + d.name)]}
        dns.zone["alias." + d.name] = {"CNAME": "mx0." + d.name}
        submit(server, d.address(), "cname")
        d.sink.wait()


def test_truncated_answer(server, dns):
    with Domain(dns) as d:
        dns.zone[d.name] = {"truncate": True, "MX": [(10, "mx0." + d.name)] + [(20 + i, "much-longer-%d.%s" % (i, d.name)) for i in range(40)]}
        submit(server, d.address(), "truncated")
        d.sink.wait()
        assert dns.asked.count((d.name, "MX")) >= 2


@pytest.mark.parametrize("case,entry,code", [
    ("null MX", {"MX": [(0, ".")]}, "5.1.10"),
    ("no domain", {"rcode": NXDOMAIN}, "5.1.2"),
    ("no address", {"TXT": []}, "5.4.4"),
    ("localhost", {"MX": [(10, "localhost")]}, "5.4.6"),
    ("loopback", {"A": ["127.0.0.1"]}, "5.4.6"),
    ("our name", {"MX": [(10, "mail.demo.test")]}, "5.4.6"),
    ("unusable", {"A": ["169.254.1.1"]}, "5.4.4"),
])
def test_nowhere_to_go(server, dns, case, entry, code):
    with Domain(dns, entry, sinks=[]) as d:
        submit(server, d.address(), "nowhere", "keep this: %s\r\n" % case)
        _, fields, m = report(server, d.address())
        assert fields["Status"] == code
        assert fields["Diagnostic-Code"].startswith("x-postrider; ") and not fields["Remote-MTA"]
        assert "keep this: " + case in original_of(m)


def test_literals(server):
    with Sink("10.9.0.%d" % next(_hosts)) as four, Sink("fd09::25", name="mx-six.test") as six:
        submit(server, ["someone@[%s]" % four.address, "someone@[IPv6:fd09::25]"], "literals")
        assert four.wait()[0].rcpts == ["someone@[%s]" % four.address]
        assert six.wait()[0].rcpts == ["someone@[IPv6:fd09::25]"]


def test_literal_of_ourselves(server):
    submit(server, "someone@[127.0.0.1]", "literal")
    assert report(server, "someone@[127.0.0.1]")[1]["Status"] == "5.4.6"


def test_host_that_calls_itself_as_we_do(server, dns):
    with Domain(dns, name="mail.demo.test") as d:
        submit(server, d.address(), "same-name")
        assert report(server, d.address())[1]["Status"] == "5.4.6"
        assert d.sink.connections == 1 and not d.sink.dots


def test_servfail_is_tried_again(server, dns):
    with Domain(dns) as d:
        good, dns.zone[d.name] = dns.zone[d.name], {"rcode": SERVFAIL}
        submit(server, d.address(), "servfail")
        m = deferred(server, d.name)
        assert "DNS" in m["reason"] and m["recipients"][0]["state"] == "pending"
        dns.zone[d.name] = good
        d.sink.wait()
        gone(server, d.name)


# ---- TLS ----

@pytest.mark.parametrize("offer", [None, "declined", "broken"])
def test_clear_text_when_there_is_no_tls(server, dns, offer):
    with Domain(dns, tls=offer) as d:
        submit(server, d.address(), "clear")
        assert not d.sink.wait()[0].tls
        assert d.sink.connections == (2 if offer == "broken" else 1)


# ---- results ----

def test_each_recipient_has_its_own_result(server, dns):
    say = {"RCPT": {}}
    with Domain(dns, say=say) as d:
        good, late, bad = (d.address(l) for l in ("good", "late", "bad"))
        d.sink.say["RCPT"] = {late: ["451 4.7.1 come back", "250 2.1.5 ok"], bad: "550 5.1.1 unknown here"}
        submit(server, [good, late, bad], "three")
        first, second = d.sink.wait(2)
        assert (first.rcpts, second.rcpts) == ([good], [late])
        assert sum(c.startswith("MAIL") for c in d.sink.commands) == 2
        _, fields, m = report(server, bad)
        assert fields["Status"] == "5.1.1" and fields["Remote-MTA"] == "dns; mx0." + d.name
        assert "550" in fields["Diagnostic-Code"] and "unknown here" in fields["Diagnostic-Code"]
        assert good not in m.get_payload()[1].as_string() and late not in m.get_payload()[1].as_string()
        assert "Subject: three" in original_of(m)
        gone(server, d.name)


def test_two_recipients_one_transaction(server, dns):
    with Domain(dns) as d:
        submit(server, [d.address("a"), "b@" + d.name.upper()], "together")
        assert sorted(d.sink.wait()[0].rcpts) == sorted([d.address("a"), d.address("b")])
        gone(server, d.name)
        assert d.sink.connections == 1 and len(d.sink.taken) == 1


def test_many_recipients(server, dns):
    with Domain(dns) as d:
        rcpts = [d.address("r%d" % i) for i in range(150)]
        submit(server, rcpts, "many")
        until(lambda: sum(len(t.rcpts) for t in d.sink.taken) >= 150, "not all arrived")
        assert sorted(r for t in d.sink.taken for r in t.rcpts) == sorted(rcpts)
        assert max(len(t.rcpts) for t in d.sink.taken) <= 100  # what every server must take, RFC 5321 4.5.3.1.8
        gone(server, d.name)


def test_a_host_that_hangs_holds_up_nobody(server, dns):
    with Domain(dns) as hangs, Domain(dns) as d:
        go_on = hangs.sink.hold("greeting")
        with session(server) as s:
            for i in range(60):
                s.sendmail("alice@demo.test", [hangs.address()], text(hangs.address(), "hangs"))
            s.sendmail("alice@demo.test", [d.address(), "bob@demo.test"], text(d.address(), "next-door"))
        d.sink.wait(timeout=8)
        until(lambda: mail_about(server, "next-door", "bob@demo.test"), "local delivery waits for a host that hangs", 8)
        hangs.sink.wait_for(lambda s: s.connections >= 5)
        assert hangs.sink.connections == 5 and not hangs.sink.taken  # no more at once for one that has not answered yet
        go_on.set()
        hangs.sink.wait(60)
        gone(server, hangs.name)
        assert len(hangs.sink.taken) == 60


@pytest.mark.parametrize("most", (1, 3))
def test_a_host_that_limits_connections(server, dns, most):
    """Whoever is one too many stays in line: nobody is put off."""
    with Domain(dns, most=most) as d:
        with session(server) as s:
            for i in range(40):
                s.sendmail("alice@demo.test", [d.address()], text(d.address(), "n%d" % i))
        d.sink.wait(40)
        gone(server, d.name)
        assert d.sink.refused <= 6
        assert len(d.sink.taken) == 40


def test_a_dead_host_is_left_alone_until_it_is_back(server, dns):
    """What waits for it says so; others do not wait with it; and all of it comes when it answers."""
    with Domain(dns) as dead, Domain(dns) as d:
        address = dead.sink.address
        dead.sink.close()
        with session(server) as s:
            for i in range(30):
                s.sendmail("alice@demo.test", [dead.address()], text(dead.address(), "n%d" % i))
            s.sendmail("alice@demo.test", [d.address()], text(d.address(), "alive"))
        d.sink.wait()
        until(lambda: any("is not answering since" in m["reason"] for m in waiting(server, dead.name)), "nothing waits for a dead host")
        dead.sinks[0] = Sink(address)
        assert len(dead.sink.wait(30, timeout=60)) == 30
        gone(server, dead.name)


def test_what_goes_wrong_for_now_is_repeated(server, dns):
    """Every way to be put off once; all at the same time, as each costs a wait."""
    cases = {
        "421 greeting": {"greeting": ["421 4.3.2 closing", "220 mx.test ESMTP"]},
        "drop greeting": {"greeting": [DROP, "220 mx.test ESMTP"]},
        "450 mail": {"MAIL": ["450 4.7.1 not yet", "250 ok"]},
        "421 mail": {"MAIL": ["421 4.7.0 too fast", "250 ok"]},
        "451 data": {"DATA": ["451 4.3.0 later", "354 go"]},
        "452 dot": {"dot": ["452 4.3.1 full", "250 ok"]},
        "421 dot": {"dot": ["421 4.3.0 closing", "250 ok"]},
        "drop dot": {"dot": [DROP, "250 ok"]},
        "nonsense": {"MAIL": ["what is this", "250 ok"]},
    }
    with contextlib.ExitStack() as stack:
        domains = {case: stack.enter_context(Domain(dns, say=say)) for case, say in cases.items()}
        with session(server) as s:
            for case, d in domains.items():
                s.sendmail("alice@demo.test", [d.address()], text(d.address(), case))
        for case, d in domains.items():
            assert len(d.sink.wait()) == 1, case
            gone(server, d.name)
            if case in ("450 mail", "451 data", "452 dot"):  # the session goes on, and waits a while for the next attempt
                assert sum(c.startswith("MAIL") for c in d.sink.commands) == 2 and d.sink.connections <= 2, case
            else:
                assert d.sink.connections == 2, case
            assert not mail_about(server, d.address()), case


def test_refusals(server, dns):
    cases = {
        "greeting": ({"greeting": "554 5.3.2 no service"}, "5.3.2"),
        "mail": ({"MAIL": "550 5.7.1 not from you"}, "5.7.1"),
        "data": ({"DATA": "554 5.6.0 not that"}, "5.6.0"),
        "dot": ({"dot": "554-5.7.1 spam,\r\n554 5.7.1 we think"}, "5.7.1"),
        "no code": ({"dot": "550 just no"}, "5.0.0"),
        "wrong code": ({"dot": "550 2.0.0 contradiction"}, "5.0.0"),
    }
    with contextlib.ExitStack() as stack:
        domains = {case: stack.enter_context(Domain(dns, say=say)) for case, (say, _) in cases.items()}
        with session(server) as s:
            for case, d in domains.items():
                s.sendmail("alice@demo.test", [d.address()], text(d.address(), case))
        for case, d in domains.items():
            _, fields, _ = report(server, d.address())
            assert fields["Status"] == cases[case][1], case
            assert fields["Diagnostic-Code"].startswith("smtp; 55"), case
            assert d.sink.connections == 1, case


def test_larger_than_the_host_takes(server, dns):
    with Domain(dns, extensions=("PIPELINING", "SIZE 2000")) as d:
        submit(server, d.address(), "large", ("x" * 70 + "\r\n") * 100)
        assert report(server, d.address())[1]["Status"] == "5.3.4"
        assert not any(c.startswith("MAIL") for c in d.sink.commands)


def test_large_message_and_header_only_report(server, dns):
    """Content in a file on the way, and a report with the header alone."""
    with Domain(dns, extensions=()) as d, Domain(dns, say={"dot": "552 5.2.3 too much"}) as bad:
        body = ("y" * 70 + "\r\n") * 30000
        submit(server, [d.address(), bad.address()], "megabytes", body)
        assert d.sink.wait()[0].text.endswith("\r\n\r\n" + body)
        _, fields, m = report(server, bad.address())
        assert fields["Status"] == "5.2.3" and m.get_payload()[2].get_content_type() == "text/rfc822-headers"
        assert "Subject: megabytes" in original_of(m) and "yyyy" not in original_of(m)


def test_no_pipelining_no_extensions(server, dns):
    with Domain(dns, extensions=(), say={"EHLO": "500 no such command"}) as d:
        submit(server, d.address(), "old")
        d.sink.wait()
        assert [c.split()[0] for c in d.sink.commands][:3] == ["EHLO", "HELO", "MAIL"]


def test_another_host_takes_what_one_does_not(server, dns):
    """Only what a recipient is refused for itself ends the search."""
    sinks = [Sink("10.9.0.%d" % next(_hosts), say=say) for say in ({"greeting": "554 5.3.2 no service"}, {"MAIL": "451 4.3.0 busy"}, {})]
    with Domain(dns, sinks=sinks) as d:
        dns.zone[d.name] = {"MX": [(i, "mx%d.%s" % (i, d.name)) for i in range(3)]}
        submit(server, d.address(), "third-host")
        sinks[2].wait()
        gone(server, d.name)
        assert [s.connections for s in sinks] == [1, 1, 1]


def test_a_process_that_dies_loses_nothing(server, dns):
    """The delivery process is killed while a host thinks about the final dot."""
    server.expect("role=master")
    with Domain(dns) as d:
        think = d.sink.hold("dot")
        submit(server, d.address(), "killed")
        d.sink.wait_for(lambda s: s.dots == 1)
        for pid in server.pids("remote"):
            os.kill(pid, signal.SIGKILL)
        think.set()
        assert len(d.sink.wait(2)) == 2  # it said yes to nobody: a copy too many is the price
        gone(server, d.name)


def test_stopping_waits_for_an_answer(dns):
    """A host has the message and is about to say so: its answer is still taken, or the message would be sent twice."""
    with Domain(dns) as d:
        server = Server("--dns", "10.9.0.53@53").start()
        server.own_dir = False
        try:
            think = d.sink.hold("dot")
            submit(server, d.address(), "stopping")
            d.sink.wait_for(lambda s: s.dots == 1)
            sessions = server.pids("smtp")
            server.process.send_signal(signal.SIGTERM)
            until(lambda: not any(os.path.exists("/proc/%d" % p) for p in sessions), "sessions do not end")
            with pytest.raises(ConnectionRefusedError):
                smtplib.SMTP("127.0.0.1", server.port(587), timeout=30)
            assert server.command("status").returncode == 75  # its data directory is held still
            think.set()
            server.stop()
            server.start()
            assert waiting(server, d.name) == [] and d.sink.dots == 1
            server.stop()
        finally:
            shutil.rmtree(server.dir, ignore_errors=True)


# ---- sessions ----

@pytest.mark.parametrize("offer", [None, "good"])
def test_mails_share_a_connection(server, dns, offer):
    """One after the other; a slow machine may be too late for some of them."""
    with Domain(dns, tls=offer) as d:
        for i in range(8):
            submit(server, d.address(), "one-of-many")
            d.sink.wait(i + 1)
        gone(server, d.name)
        assert d.sink.connections < 8
        assert all(t.tls == (offer == "good") for t in d.sink.taken)
        assert re.search(r'msg="remote delivery" message=%s domain=%s .*reused=2 connects=0' % (QUEUE_ID, re.escape(d.name)), server.log_text())
        d.sink.wait_for(lambda s: s.commands.count("QUIT") == s.connections)


def test_a_host_that_takes_few_mails_of_a_session(server, dns):
    """421 on the second: the next mail has a session of its own, and nothing waits."""
    with Domain(dns, say={"MAIL": ["250 ok", "421 4.7.0 that is enough", "250 ok"]}) as d:
        submit(server, d.address(), "few-1")
        d.sink.wait(1)
        submit(server, d.address(), "few-2")
        d.sink.wait(2)
        gone(server, d.name)
        assert all(r["attempts"] <= 1 for m in waiting(server, d.name) for r in m["recipients"])


@pytest.mark.parametrize("extensions", [("PIPELINING", "CHUNKING"), ("CHUNKING",)])
def test_chunks(server, dns, extensions):
    with Domain(dns, extensions=extensions + ("SIZE 10000000",)) as d, Domain(dns, extensions=extensions) as picky:
        picky.sink.say["RCPT"] = {picky.address("bad"): "550 5.1.1 unknown here"}
        body = ".dot\r\n..\r\n" + ("z" * 70 + "\r\n") * 20000
        submit(server, [d.address("small"), picky.address("bad")], "small-chunk", ".dot\r\n..\r\n")
        submit(server, d.address("large"), "large-chunk", body)
        taken = {t.rcpts[0]: t for t in d.sink.wait(2)}
        assert taken[d.address("small")].text.endswith("\r\n\r\n.dot\r\n..\r\n")
        assert taken[d.address("large")].text.endswith("\r\n\r\n" + body)
        assert not any(c.startswith("DATA") for c in d.sink.commands)
        assert report(server, picky.address("bad"))[1]["Status"] == "5.1.1" and not picky.sink.taken


def test_a_host_that_announces_what_it_does_not_know(server, dns):
    with Domain(dns, extensions=("PIPELINING", "CHUNKING"), say={"dot": ["502 5.5.1 what is BDAT?", "250 2.0.0 taken"]}) as d:
        submit(server, d.address(), "no-chunks")
        assert d.sink.wait()[0].text.endswith("Hello.\r\n")
        assert [c.split()[0] for c in d.sink.commands if c.split()[0] in ("BDAT", "DATA")] == ["BDAT", "DATA"]
        gone(server, d.name)


def test_long_lines_are_folded(server, dns):
    """998 octets at most in a line that goes out, and no character is cut."""
    with Domain(dns) as d:
        line = "é" * 700
        submit(server, d.address(), "folded", line + "\r\nend\r\n", options=["BODY=8BITMIME"])
        content = d.sink.wait()[0].content
        assert max(len(l) for l in content.split(b"\r\n")) == 998
        assert content.decode().replace("\r\n ", "").endswith(line + "\r\nend\r\n")
        gone(server, d.name)
        assert re.search(r'msg="remote delivery" message=%s domain=%s .*folded=1' % (QUEUE_ID, re.escape(d.name)), server.log_text())


# ---- other alphabets ----

def test_idn_domain(server, dns):
    with Domain(dns) as d:
        dns.zone["xn--bcher-kva.test"] = dns.zone[d.name]
        submit(server, "someone@bücher.test", "idn", options=["SMTPUTF8"])
        assert d.sink.wait()[0].rcpts[0] in ("someone@bücher.test", "someone@xn--bcher-kva.test")
        submit(server, "someone@xn--bcher-kva.test", "idn-ascii")
        assert d.sink.wait(2)[1].rcpts == ["someone@xn--bcher-kva.test"]


def test_idn_domain_at_a_host_without_smtputf8(server, dns):
    """The local part is ASCII and so can the domain be: nothing needs the extension."""
    with Domain(dns, extensions=("8BITMIME",)) as d:
        dns.zone["xn--grn-ioa.test"] = dns.zone[d.name]
        submit(server, "someone@grün.test", "idn-old", options=["SMTPUTF8"], to="undisclosed-recipients:;")
        assert d.sink.wait()[0].rcpts == ["someone@xn--grn-ioa.test"]


def test_utf8_address(server, dns):
    with Domain(dns) as good, Domain(dns, extensions=("8BITMIME",)) as bad:
        submit(server, [good.address("grün"), bad.address("grün")], "utf8", options=["SMTPUTF8"])
        assert good.sink.wait()[0].rcpts == [good.address("grün")]
        assert "SMTPUTF8" in [c for c in good.sink.commands if c.startswith("MAIL")][0]
        _, fields, m = report(server, bad.address("grün"))
        assert fields["Status"] == "5.6.7" and fields["Final-Recipient"] == "utf-8; " + bad.address("grün")
        assert m.get_param("report-type") == "global-delivery-status"


# ---- who hears of a failure, and who does not ----

@pytest.mark.parametrize("local, header, options, kind, whole", [
    ("plain", "", ["BODY=8BITMIME"], "text/rfc822-headers", False),
    ("header", "X-Who: grün\r\n", ["BODY=8BITMIME", "SMTPUTF8"], "message/global", True),
    ("grün", "", ["BODY=8BITMIME", "SMTPUTF8"], "message/global", True),
])
def test_report_at_a_host_that_takes_ascii_only(server, dns, local, header, options, kind, whole):
    """Neither 8BITMIME nor SMTPUTF8 where the sender lives: the report arrives there all the same."""
    with Domain(dns, say={"dot": "550 5.7.1 nein, grün"}) as bad, Domain(dns, extensions=()) as origin:
        rcpt = bad.address(local)
        alias, sender = "eight-%s@demo.test" % ("utf8" if local == "grün" else local), origin.address("author")
        assert server.command("alias", "add", alias, rcpt).returncode == 0
        message = text(alias, "eight", "Grüße, ein Fräulein.\r\n", sender, header)
        with smtplib.SMTP("127.0.0.1", server.port(25), timeout=60) as s:
            s.ehlo("elsewhere.test")
            assert s.sendmail(sender, [alias], message.encode(), options) == {}
        taken = origin.sink.wait()[0]
        assert taken.sender == "" and taken.rcpts == [sender] and taken.content.isascii()
        assert not [c for c in origin.sink.commands if "BODY=" in c or "SMTPUTF8" in c]
        human, status, original = email.message_from_bytes(taken.content, policy=email.policy.SMTPUTF8).get_payload()
        assert "Subject: eight" in human.get_content() and rcpt in human.get_content() and "nein, grün" in human.get_content()
        assert original.get_content_type() == kind
        back = quopri.decodestring(taken.content.split(b"Content-Type: " + kind.encode(), 1)[1])
        assert (b"Gr\xc3\xbc\xc3\x9fe, ein" in back) == whole and b"Subject: eight" in back
        assert header.encode() in back


def test_alias_to_outside(server, dns):
    with Domain(dns) as d:
        assert server.command("alias", "add", "forward@demo.test", d.address(), "bob@demo.test").returncode == 0
        hand_in(server, "stranger@else.test", ["forward@demo.test"], text("forward@demo.test", "forwarded"))
        taken = d.sink.wait()[0]
        assert re.fullmatch(r"SRS0=\w+=\w+=else\.test=stranger@demo\.test", taken.sender), taken.sender
        assert taken.rcpts == [d.address()]
        until(lambda: mail_about(server, "Subject: forwarded", "bob@demo.test"), "no copy for bob")


def test_no_report_without_sender(server, dns):
    with Domain(dns, say={"dot": "550 5.7.1 no"}) as d:
        assert server.command("alias", "add", "null@demo.test", d.address()).returncode == 0
        hand_in(server, "", ["null@demo.test"], text("null@demo.test", "null-sender"))
        d.sink.wait_for(lambda s: s.dots)
        gone(server, d.name)
        assert "no report" in server.log_text()
        assert not mail_about(server, "null-sender")


def test_no_report_about_a_report(server, dns):
    """The sender's own host takes no reports: they end there."""
    with Domain(dns, say={"dot": "550 5.7.1 no"}) as d, Domain(dns, say={"dot": "550 5.7.1 no reports"}) as origin:
        assert server.command("alias", "add", "double@demo.test", d.address()).returncode == 0
        hand_in(server, origin.address("author"), ["double@demo.test"], text("double@demo.test", "double"))
        origin.sink.wait_for(lambda s: s.dots)
        gone(server, origin.name)
        gone(server, d.name)
        assert (d.sink.dots, origin.sink.dots) == (1, 1)
        assert [c for c in origin.sink.commands if c.startswith("MAIL")][0].startswith("MAIL FROM:<>")


def test_message_that_went_too_far(server, dns):
    with Domain(dns) as d:
        assert server.command("alias", "add", "hops@demo.test", d.address()).returncode == 0
        hops = "Received: from a by b; Thu, 1 Jan 2026 00:00:00 +0000\r\n"
        with pytest.raises(smtplib.SMTPDataError) as e:
            hand_in(server, "alice@demo.test", ["hops@demo.test"], text("hops@demo.test", "hops", extra=hops * (HOPS + 1)))
        assert e.value.smtp_code == 554 and b"5.4.6" in e.value.smtp_error
        hand_in(server, "alice@demo.test", ["hops@demo.test"], text("hops@demo.test", "hops-at-limit", extra=hops * (HOPS - 1)))
        assert "hops-at-limit" in d.sink.wait()[0].text


# ---- waiting mail and administrators ----

def test_back_off_is_explained(server, dns):
    with Domain(dns, say={"dot": "451 4.7.1 greylisted"}) as d:
        submit(server, d.address(), "grey")
        d.sink.wait_for(lambda s: s.dots >= 3)
        m = deferred(server, d.name)
        rcpt = m["recipients"][0]
        assert rcpt["attempts"] >= 2 and m["reason"] == "451 4.7.1 greylisted"
        assert rcpt["answer"] == "mx0.%s [%s]:25 (in clear: not offered): 451 4.7.1 greylisted" % (d.name, d.sink.address)
        assert rcpt["last_ms"] < m["next_ms"] <= rcpt["last_ms"] + 2400 + 1000
        words = server.command("queue", "show", m["id"]).stdout
        assert "greylisted" in words and "attempts" in words and "tried again at" in words and d.address() in words
        d.sink.say.clear()
        d.sink.wait()
        gone(server, d.name)


def test_retry_by_command(slow_server, dns):
    with Domain(dns, say={"RCPT": {}}) as d:
        d.sink.say["RCPT"] = {d.address(): ["450 4.2.1 later", "250 ok"]}
        submit(slow_server, d.address(), "by-command")
        m = deferred(slow_server, d.name)
        assert m["next_ms"] - m["recipients"][0]["last_ms"] >= 0.8 * 300 * 1000 - 2000
        assert slow_server.command("queue", "retry", m["id"]).returncode == 0
        d.sink.wait()
        gone(slow_server, d.name)


def test_remove_by_command(slow_server, dns):
    with Domain(dns, say={"dot": "450 4.2.1 later"}) as d:
        submit(slow_server, d.address(), "away")
        m = deferred(slow_server, d.name)
        assert slow_server.command("queue", "remove", m["id"]).returncode == 0
        gone(slow_server, d.name)
        assert slow_server.command("queue", "show", m["id"]).returncode == 3
        slow_server.command("queue", "retry", "--all", check=True)
        assert d.sink.dots == 1 and not mail_about(slow_server, d.address())


def test_given_up_after_too_long(slow_server, dns):
    with Domain(dns, say={"dot": "450 4.2.1 mailbox busy"}) as d:
        submit(slow_server, d.address(), "expires")
        m = deferred(slow_server, d.name)
        until(lambda: time.time() * 1000 > m["received_ms"] + 3500, "time stands still")
        assert not mail_about(slow_server, d.address())
        slow_server.command("queue", "retry", m["id"], check=True)
        _, fields, _ = report(slow_server, d.address())
        assert fields["Status"] == "4.4.7" and "mailbox busy" in fields["Diagnostic-Code"]
        assert d.sink.dots == 2


# ---- two servers ----

class Serve:
    """`postrider serve` of the domain b.test on the real ports of an address; all foreign mail goes to a relay."""

    def __init__(self, address, relay):
        self.dir = tempfile.mkdtemp(prefix="postrider-test.")
        os.chmod(self.dir, 0o711)
        self.address = address
        self.config = os.path.join(self.dir, "etc", "postrider.conf")
        self.command("setup", "--domain", "b.test", "--admin", "ann@b.test", "--data", os.path.join(self.dir, "data"), "--password-stdin",
                     input=PASSWORD + "\n")
        with open(self.config) as f:
            text = f.read()
        text = re.sub(r'\*:(\d+)', self.address + r':\1', text)
        text = re.sub(r'(?m)^relay = ""', 'relay = "%s"' % relay, text)
        text = re.sub(r'forward = ""', 'forward = "10.9.0.53@53"', text)
        with open(self.config, "w") as f:
            f.write(text)
        self.log = open(os.path.join(self.dir, "log"), "wb")
        self.process = subprocess.Popen([BIN, "serve", "--config", self.config], stdout=self.log, stderr=self.log)
        until(lambda: self.command("status", check=False).returncode == 0, "b.test does not come up")

    def command(self, *words, input=None, check=True):
        done = subprocess.run([BIN, *words, "--config", self.config], input=input, capture_output=True, text=True, timeout=60)
        assert not check or done.returncode == 0, done.stderr
        return done

    def stop(self):
        self.process.terminate()
        try:
            code = self.process.wait(60)
            with open(os.path.join(self.dir, "log"), errors="replace") as f:
                lines = f.readlines()
            assert not [l for l in lines if re.search(r"lvl=(warn|error)|Sanitizer|runtime error", l)], "".join(lines[-60:])
            assert code == 0
        finally:
            self.log.close()
            shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture(scope="module")
def other(server, dns):
    dns.zone["b.test"] = {"MX": [(10, "mail.b.test")]}
    dns.zone["mail.b.test"] = {"A": ["10.9.0.66"]}
    s = Serve("10.9.0.66", "127.0.0.1:%d" % server.port(25))
    yield s
    s.stop()


def test_two_servers_exchange_mail(server, other):
    submit(server, "ann@b.test", "there")
    found = until(lambda: [m for m in messages(993, "ann@b.test", other.address) if m["Subject"] == "there"], "did not get there")
    received = [str(v) for v in found[0].get_all("Received")]
    assert "mail.demo.test" in received[0] and "TLS" in received[0]
    with smtplib.SMTP(other.address, 587, timeout=60) as s:
        s.starttls(context=tls())
        s.login("ann@b.test", PASSWORD)
        s.sendmail("ann@b.test", ["alice@demo.test", "nobody@demo.test"], text("alice@demo.test", "and back", sender="ann@b.test"))
    until(lambda: mail_about(server, "Subject: and back"), "did not come back")
    until(lambda: [m for m in messages(993, "ann@b.test", other.address) if m.get_content_type() == "multipart/report"], "no report for ann")


def test_forwarding_in_a_circle_ends(server, other):
    server.command("alias", "add", "circle@demo.test", "circle@b.test", check=True)
    other.command("alias", "add", "circle@b.test", "circle@demo.test")
    submit(server, "circle@demo.test", "round and round")
    found = until(lambda: [m for m in mail_about(server, "round and round") if m.get_content_type() == "multipart/report"], "no report")
    assert len(found) == 1 and "5.4.6" in found[0].get_payload()[1].as_string()
    gone(server, "b.test")
    assert len(mail_about(server, "round and round")) == 1


# ---- the ends of no DNS and slow DNS ----

def test_resolver_down_refuses_nothing(deaf_server):
    m = deferred(deaf_server, "unknown-now.test")
    pending = [r for r in m["recipients"] if r["address"] == "someone@unknown-now.test"]
    assert m["state"] == "waiting" and pending[0]["state"] == "pending" and "DNS" in pending[0]["answer"]
    assert not mail_about(deaf_server, "unknown-now.test")


def test_slow_dns_is_tried_again(server, dns):
    with Sink("10.9.0.9") as sink:
        for name in ("slow.test", "silent.test"):
            m = deferred(server, name, 60)
            waits = [r for r in m["recipients"] if r["address"].endswith(name)]
            assert waits[0]["state"] == "pending" and waits[0]["answer"].startswith("4.4.3 DNS" if name == "silent.test" else "4.4.")
            dns.zone[name] = {"MX": [(10, "mx.slow.test")]}
        assert sorted(t.rcpts[0] for t in sink.wait(2, 60)) == ["someone@silent.test", "someone@slow.test"]
        gone(server, "slow.test")
        gone(server, "silent.test")
