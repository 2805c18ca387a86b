"""MTA-STS (RFC 8461) and what is counted for TLS reports (RFC 8460): real processes, in their sandbox, against a scripted DNS server, policy hosts
on port 443 and mail hosts on port 25, all in a network namespace."""
import contextlib
import datetime
import http.server
import itertools
import os
import re
import smtplib
import ssl
import tempfile
import threading

import pytest

from certs import Certs
from outside import Sink
from server import PASSWORD, Server, tls, until

pytestmark = pytest.mark.usefixtures("world")
_hosts = itertools.count(20)
_names = itertools.count(1)


# ---- the world ----

@pytest.fixture(scope="module")
def certs():
    with tempfile.TemporaryDirectory(prefix="postrider-test.") as d:
        os.chmod(d, 0o755)  # the roles' users read the authority's certificate there
        c = Certs(d)
        c.ca = c.authority()
        yield c


def start(certs, **more):
    """Not in lab mode: addresses pass the filter as on the real network."""
    return Server("--dns", "10.9.0.53@53", lab=False, environment={
        "POSTRIDER_AUTHORITIES": certs.ca[0], "POSTRIDER_RETRY_FIRST": "1", "POSTRIDER_RETRY_MAX": "2"}, **more).start()


@pytest.fixture(scope="module")
def server(dns, certs):
    s = start(certs)
    yield s
    s.stop()


class PolicyHost:
    """https://mta-sts.DOMAIN; `text` is the policy, `status` the answer's, `stall` an event it waits for. `asked` has the paths."""

    def __init__(self, address, files, text, port=443):
        self.text, self.status, self.kind, self.asked, self.stall = text, 200, "text/plain", [], None
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                host.asked.append((self.headers["Host"], self.path))
                if host.stall:
                    host.stall.wait(60)
                body = host.text.encode()
                self.send_response(host.status)
                self.send_header("Content-Type", host.kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        self.http = http.server.ThreadingHTTPServer((address, port), Handler)
        self.http.handle_error = lambda *_: None
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


def policy(mode, *mx, age=86400):
    return "version: STSv1\r\nmode: %s\r\n%smax_age: %d\r\n" % (mode, "".join("mx: %s\r\n" % m for m in mx), age)


class Domain:
    """A domain nobody has asked for before, with a mail host mx.NAME and a policy host."""

    def __init__(self, dns, certs, mode="enforce", mx=None, host_certificate=True, policy_certificate=None, tls="good"):
        self.name, self.dns = "d%d.sts.test" % next(_names), dns
        address, mail = ["10.9.0.%d" % next(_hosts) for _ in range(2)]
        self.sink = Sink(mail, tls=tls, files=certs.leaf("mx." + self.name, certs.ca) if host_certificate else None)
        name = "mta-sts." + self.name
        self.host = PolicyHost(address, policy_certificate or certs.leaf(name, certs.ca), policy(mode, mx or "mx." + self.name))
        dns.zone[self.name] = {"MX": [(10, "mx." + self.name)]}
        dns.zone["mx." + self.name] = {"A": [mail]}
        dns.zone["_mta-sts." + self.name] = {"TXT": ["v=STSv1; id=1;"]}
        dns.zone[name] = {"A": [address]}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sink.close()
        with contextlib.suppress(OSError):
            self.host.close()


def send(server, domain, subject="x"):
    with smtplib.SMTP("127.0.0.1", server.port(587), timeout=60) as s:
        s.starttls(context=tls())
        s.login("alice@demo.test", PASSWORD)
        message = "From: alice@demo.test\r\nTo: someone@%s\r\nSubject: %s\r\n\r\nHello.\r\n" % (domain.name, subject)
        assert s.sendmail("alice@demo.test", ["someone@" + domain.name], message) == {}


def why_waiting(server, domain):
    """What the queue says of its message for the domain, once it was tried."""
    def ask():
        for row in server.command("queue", "list", json_out=True)["messages"]:
            shown = server.command("queue", "show", row["id"], json_out=True)
            text = str(shown)
            if domain.name in text and re.search(r"4\.7\.\d", text):
                return text
        return None
    return until(ask, "nothing waits for " + domain.name, 30)


def report(server, domain):
    """The report of today, as soon as there is one; its form is checked against RFC 8460 §4.4."""
    def ask():
        done = server.command("tlsrpt", "show", domain.name, "--json")
        return done if done.returncode == 0 else None
    until(ask, "no results of " + domain.name, 40)
    r = server.command("tlsrpt", "show", domain.name, json_out=True)
    check_report(r, domain.name)
    return r


POLICY_TYPES = {"tlsa", "sts", "no-policy-found"}
RESULT_TYPES = {"starttls-not-supported", "certificate-host-mismatch", "certificate-expired", "certificate-not-trusted", "validation-failure",
                "tlsa-invalid", "dnssec-invalid", "dane-required", "sts-policy-fetch-error", "sts-policy-invalid", "sts-webpki-invalid"}
FAILURE_TEXTS = {"sending-mta-ip", "receiving-mx-hostname", "receiving-mx-helo", "receiving-ip", "additional-information", "failure-reason-code"}


def is_count(n):
    return type(n) is int and n >= 0


def check_report(r, domain):
    """RFC 8460 §4.4: these members, of these types, and no others."""
    assert set(r) == {"organization-name", "date-range", "contact-info", "report-id", "policies"}
    assert all(type(r[k]) is str and r[k] for k in ("organization-name", "contact-info", "report-id"))
    assert set(r["date-range"]) == {"start-datetime", "end-datetime"}
    begin, end = (datetime.datetime.strptime(r["date-range"][k], "%Y-%m-%dT%H:%M:%SZ") for k in ("start-datetime", "end-datetime"))
    assert begin.hour == begin.minute == begin.second == 0 and end - begin == datetime.timedelta(hours=23, minutes=59, seconds=59)
    assert type(r["policies"]) is list and r["policies"]
    for p in r["policies"]:
        assert {"policy", "summary"} <= set(p) <= {"policy", "summary", "failure-details"}
        kind = p["policy"]
        assert {"policy-type", "policy-domain"} <= set(kind) <= {"policy-type", "policy-string", "policy-domain", "mx-host"}
        assert kind["policy-type"] in POLICY_TYPES and kind["policy-domain"] == domain
        for list_name in ("policy-string", "mx-host"):
            assert all(type(line) is str and line for line in kind.get(list_name, []))
        assert set(p["summary"]) == {"total-successful-session-count", "total-failure-session-count"}
        assert all(is_count(n) for n in p["summary"].values())
        failed = 0
        for f in p.get("failure-details", []):
            assert {"result-type", "failed-session-count"} <= set(f) <= {"result-type", "failed-session-count"} | FAILURE_TEXTS
            assert f["result-type"] in RESULT_TYPES and is_count(f["failed-session-count"])
            assert all(type(f[k]) is str and f[k] for k in set(f) & FAILURE_TEXTS)
            failed += f["failed-session-count"]
        assert failed == p["summary"]["total-failure-session-count"]


def only(r, kind):
    found = [p for p in r["policies"] if p["policy"]["policy-type"] == kind]
    assert len(found) == 1, r
    return found[0]


# ---- enforce ----

def test_enforced_and_fine(server, dns, certs):
    with Domain(dns, certs) as d:
        for i in range(3):
            send(server, d, "m%d" % i)
        taken = d.sink.wait(3)
        assert all(t.tls for t in taken)
        assert d.host.asked == [("mta-sts." + d.name, "/.well-known/mta-sts.txt")]
        p = only(report(server, d), "sts")
        assert p["policy"]["policy-string"] == ["version: STSv1", "mode: enforce", "mx: mx." + d.name, "max_age: 86400"]
        assert p["policy"]["mx-host"] == ["mx." + d.name]
        assert 1 <= p["summary"]["total-successful-session-count"] <= 3
        assert p["summary"]["total-failure-session-count"] == 0


def test_host_not_named(server, dns, certs):
    with Domain(dns, certs, mx="*.other.test") as d:
        send(server, d)
        assert "MTA-STS" in why_waiting(server, d)
        assert d.sink.dots == 0 and "MAIL" not in " ".join(d.sink.commands)
        assert only(report(server, d), "sts")["failure-details"][0]["result-type"] == "validation-failure"


@pytest.mark.parametrize("what, result", [("stranger", "certificate-not-trusted"), ("none", "starttls-not-supported")])
def test_host_without_proof(server, dns, certs, what, result):
    with Domain(dns, certs, host_certificate=False, tls="good" if what == "stranger" else None) as d:
        send(server, d)
        why_waiting(server, d)
        assert d.sink.dots == 0 and "MAIL" not in " ".join(d.sink.commands)
        failures = only(report(server, d), "sts")["failure-details"]
        assert {f["result-type"] for f in failures} == {result}
        assert failures[0]["receiving-mx-hostname"] == "mx." + d.name
        assert failures[0]["receiving-ip"] == d.sink.address


# ---- testing, none, no policy to be had ----

def test_only_tested(server, dns, certs):
    with Domain(dns, certs, mode="testing", host_certificate=False) as d:
        send(server, d)
        d.sink.wait(1)
        p = only(report(server, d), "sts")
        assert p["summary"] == {"total-successful-session-count": 0, "total-failure-session-count": 1}
        assert p["failure-details"][0]["result-type"] == "certificate-not-trusted"


@pytest.mark.parametrize("trouble, result", [
    ("another name", "sts-webpki-invalid"), ("404", "sts-policy-fetch-error"), ("redirect", "sts-policy-fetch-error"),
    ("html", "sts-policy-invalid"), ("nonsense", "sts-policy-invalid"), ("gone", "sts-policy-fetch-error"), ("ourselves", "sts-policy-fetch-error")])
def test_no_policy_to_be_had(server, dns, certs, trouble, result):
    """It is opportunistic then, and the report says why."""
    with Domain(dns, certs, mx="*.other.test", policy_certificate=certs.leaf("www.other.test", certs.ca) if trouble == "another name" else None) as d:
        if trouble in ("404", "redirect"):
            d.host.status = {"404": 404, "redirect": 301}[trouble]
        elif trouble == "html":
            d.host.kind = "text/html"
        elif trouble == "nonsense":
            d.host.text = "<html></html>"
        elif trouble == "gone":
            d.host.close()
        elif trouble == "ourselves":
            dns.zone["mta-sts." + d.name] = {"A": ["127.0.0.1", "169.254.169.254"]}
        send(server, d)
        d.sink.wait(1)
        assert only(report(server, d), "sts")["failure-details"][0]["result-type"] == result
        assert len(d.host.asked) <= 1


def test_no_policy(server, dns, certs):
    with Domain(dns, certs) as d:
        del dns.zone["_mta-sts." + d.name]
        send(server, d)
        d.sink.wait(1)
        assert d.host.asked == []
        p = only(report(server, d), "no-policy-found")
        assert p["summary"] == {"total-successful-session-count": 1, "total-failure-session-count": 0}
        listed = server.command("tlsrpt", "list", json_out=True)
        assert {"domain": d.name, "successes": 1, "failures": 0} in listed["domains"]


# ---- trouble ----

def test_a_host_that_stalls(server, dns, certs):
    """Mail to others goes out meanwhile."""
    with Domain(dns, certs) as slow, Domain(dns, certs) as other:
        slow.host.stall = threading.Event()
        for _ in range(5):
            send(server, slow)
        until(lambda: slow.host.asked, "the policy host is not asked")
        send(server, other)
        other.sink.wait(1, 20)
        assert not slow.sink.taken
        slow.host.stall.set()
        slow.sink.wait(5)
        assert len(slow.host.asked) == 1


def test_policy_survives_a_restart(dns, certs):
    """And holds when its host, its record and the mail host's certificate are gone."""
    server = start(certs)
    server.own_dir = False
    try:
        with Domain(dns, certs) as d:
            send(server, d)
            d.sink.wait(1)
            report(server, d)
            server.stop()
            d.host.close()
            del dns.zone["_mta-sts." + d.name]
            d.sink.files = None
            server.start()
            send(server, d, "second")
            why_waiting(server, d)
            assert len(d.sink.taken) == 1
            until(lambda: only(report(server, d), "sts")["summary"]["total-failure-session-count"] > 0, "no failure is counted", 40)
            assert only(report(server, d), "sts")["summary"]["total-successful-session-count"] == 1
    finally:
        server.own_dir = True
        server.stop()


def test_commands(server):
    assert server.command("tlsrpt", "show", "nobody.example").returncode == 3
    assert server.command("tlsrpt", "show", "not a domain").returncode == 2
    for day in ("2026-13-01", "26-1-1x", "soon", ""):
        assert server.command("tlsrpt", "list", "--day", day).returncode == 2, day
    assert server.command("tlsrpt", "list", "--day", "1999-12-31", json_out=True) == {"v": 1, "day": "1999-12-31", "domains": []}
    assert server.command("tlsrpt", "list", "--day", "yesterday").stdout.startswith("0 domains on ")
