"""Mail to hosts that do what they should not: the cases of outward_cases.py, all at the same time, through one server."""
import email
import email.policy
import imaplib
import quopri
import re
import smtplib
import tempfile

import pytest

from certs import Certs
from hostile_server import Host
from outward_cases import Bounced, Later, Once, cases
from server import PASSWORD, Server, tls, until

CASES = list(cases())

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture(scope="module")
def server(dns):
    """Quick to try again; not in lab mode."""
    s = Server("--dns", "10.9.0.53@53", lab=False, environment={"POSTRIDER_RETRY_FIRST": "1", "POSTRIDER_RETRY_MAX": "2"}).start()
    yield s
    s.stop()


class Post:
    """What was sent for a case: its domain, host, and the ids of the messages in the queue."""

    def __init__(self, number, case, dns, certificates):
        self.case, self.domain, self.ids = case, "h%d.test" % number, []
        attributes = dict(case.attributes)
        if case.tls:
            attributes["tls"] = certificates[case.tls]
        self.host = Host("10.9.0.%d" % (60 + number), case.host, **attributes)
        dns.zone[self.domain] = {"MX": [(10, "mx." + self.domain)]}
        dns.zone["mx." + self.domain] = {"A": [self.host.address]}

    def address(self, local):
        return "%s@%s" % (local, self.domain)

    def submit(self, client):
        for i in range(self.case.messages):
            utf8 = "SMTPUTF8" in self.case.options
            client.command_encoding = "utf-8" if utf8 else "ascii"
            content = "From: alice@demo.test\r\nTo: undisclosed-recipients:;\r\nSubject: %s\r\nX-Case: %s/%d\r\n\r\n%s" % (
                self.case.ident, self.domain, i, self.case.body)
            assert client.mail("alice@demo.test", list(self.case.options))[0] == 250
            for local in self.case.truth:
                assert client.rcpt(self.address(local))[0] == 250
            code, words = client.data(content.encode())
            assert code == 250, words
            self.ids.append(re.search(rb"queued as (\S+)", words)[1].decode())


class Reports:
    """Reports that the sender has, by recipient."""

    def __init__(self, server):
        self.client = imaplib.IMAP4_SSL("127.0.0.1", server.port(993), ssl_context=tls())
        self.client.login("alice@demo.test", PASSWORD)
        self.seen, self.found = 0, {}

    def about(self, address):
        self.client.select("INBOX", readonly=True)
        parts = self.client.uid("FETCH", "%d:*" % (self.seen + 1), "(UID RFC822)")[1]
        for part in parts:
            if isinstance(part, tuple) and int(re.search(rb"UID (\d+)", part[0])[1]) > self.seen:
                self.seen = int(re.search(rb"UID (\d+)", part[0])[1])
                self.add(email.message_from_bytes(part[1], policy=email.policy.SMTPUTF8))
        return self.found.get(address, [])

    def add(self, message):
        if message.get_content_type() != "multipart/report":
            return
        status = message.get_payload()[1]
        raw = status.as_bytes()
        if status["Content-Transfer-Encoding"] == "quoted-printable":
            raw = quopri.decodestring(raw)
        groups = re.split(r"\r?\n\r?\n", raw.decode("utf-8", "replace"))
        for group in groups:
            m = re.search(r"(?m)^Final-Recipient: [\w-]+; *(.+?)\r?$", group)
            if m:
                self.found.setdefault(m[1], []).append(group)


@pytest.fixture(scope="module")
def posts(server, dns):
    """Everything is sent at once, and goes wrong at once."""
    with tempfile.TemporaryDirectory(prefix="postrider-test.") as d:
        certs = Certs(d)
        files = {"self-signed": certs.leaf("hostile.test"), "expired": certs.leaf("hostile.test", days=-1),
                 "other name": certs.leaf("elsewhere.test", certs.authority())}
        all_posts = {}
        for i, case in enumerate(CASES):
            all_posts[case.ident] = Post(i, case, dns, files)
        with smtplib.SMTP("127.0.0.1", server.port(587), timeout=60) as client:
            client.starttls(context=tls())
            client.login("alice@demo.test", PASSWORD)
            for post in all_posts.values():
                post.submit(client)
        yield all_posts
        for post in all_posts.values():
            post.host.close()


@pytest.fixture(scope="module")
def reports(server, posts):
    return Reports(server)


def shown(server, ident, address):
    """The recipient of a message as `queue show` explains it; None: it waits no more."""
    done = server.command("queue", "show", ident, json_out=True)
    if not isinstance(done, dict):
        return None
    return next((r for r in done.get("recipients", ()) if r["address"] == address), None)


def waits(server, post, address, answer):
    """The answer with which it waits."""
    def ask():
        r = shown(server, post.ids[0], address)
        assert r is not None, "%s is not in the queue any more; %s" % (address, post.host.commands)
        assert r["state"] in ("pending", "active", "done") or re.search(answer, r["answer"]), r
        return r["attempts"] and r["state"] == "pending" and r["answer"]
    said = until(ask, "%s is not deferred" % address)
    assert re.search(answer, said), "%s: %s" % (address, said)


def returned(post, address, truth, reports):
    found = until(lambda: reports.about(address), "no report about %s; %s" % (address, post.host.commands))
    assert re.search(r"(?m)^Status: %s\b" % re.escape(truth.status), found[0]), found[0]
    assert not re.search(r"[\x00-\x08\x0e-\x1f\x7f]", found[0]), found[0]
    assert post.host.copies(address) == 0


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.ident)
def test_at_first(server, posts, reports, case):
    """What is put off waits with the answer, what is refused is returned. Then the host becomes good."""
    post = posts[case.ident]
    truths = {post.address(local): t for local, t in case.truth.items()}
    for address, truth in truths.items():
        if isinstance(truth, Later):
            waits(server, post, address, truth.answer)
    for address, truth in truths.items():
        if isinstance(truth, Bounced):
            returned(post, address, truth, reports)
    if any(isinstance(t, Later) for t in truths.values()):
        post.host.reform()


def test_nothing_is_left(server, posts):
    until(lambda: server.command("status", json_out=True)["queue"]["messages"] == 0,
          "the queue is not empty: %s" % server.command("queue", "list").stdout, 90)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.ident)
def test_in_the_end(posts, reports, case):
    """Delivered, and nothing came twice, changed or in clear; and our side broke no rule."""
    post = posts[case.ident]
    for local, truth in case.truth.items():
        address, count = post.address(local), 0 if isinstance(truth, Bounced) else case.messages
        assert post.host.copies(address) == count, "%s: %s" % (address, post.host.taken)
        assert len(reports.about(address)) == (isinstance(truth, Bounced)), reports.about(address)
        dots = sum(t.rcpts.count(address) for t in post.host.dots)
        assert not isinstance(truth, Once) or dots == count + truth.repeats, post.host.dots
    for t in post.host.taken:
        assert t.content.decode().endswith("\r\n\r\n" + case.body) and t.sender == "alice@demo.test"
        assert len(re.findall(rb"(?m)^X-Case: ", t.content)) == 1
        assert case.clear is None or t.tls != case.clear
    assert not post.host.broken
    if case.clear is False:
        assert post.host.clear == []
