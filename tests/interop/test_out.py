"""Mail that goes out to Postfix, Exim and OpenSMTPD: each is a mail exchanger in a network namespace, found by DNS, and hands what it has accepted to a
scripted LMTP host, where octets and envelope are compared. docs/interop.md is the table of what is shown here."""
import base64
import contextlib
import imaplib
import os
import random
import re
import smtplib
import sys
import tempfile

import dkim
import pytest

import mtas
import receivers

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
from certs import Certs  # noqa: E402
from outside import Dns, NoNamespace, Sink, namespace  # noqa: E402
from server import PASSWORD, Server, tls, until  # noqa: E402

SENDER = "alice@demo.test"
UTF8_SENDER = "j\u00fcrgen@demo.test"
EXTENSIONS = ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE 100000000"]
_numbers = iter(range(1, 10_000))


# ---- the world ----

@pytest.fixture(scope="module")
def world():
    """A namespace with DNS, certificates, and our server, who believes the authority of the peers."""
    if "postrider" not in os.environ.get("POSTRIDER_INTEROP", "postrider"):
        pytest.skip("about Postrider itself")
    if mtas.missing():
        pytest.skip(mtas.missing())
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(namespace())
        except NoNamespace as e:
            pytest.skip(str(e))
        w = World()
        w.dns = stack.enter_context(contextlib.closing(Dns()))
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="postrider-test."))
        os.chmod(directory, 0o755)  # the user of remote reads the authority's there
        w.certs = Certs(directory)
        w.authority = w.certs.authority()
        w.server = stack.enter_context(Server("--dns", "10.9.0.53@53", environment={
            "POSTRIDER_RETRY_FIRST": "1", "POSTRIDER_RETRY_MAX": "2", "POSTRIDER_ACCOUNT_MESSAGES": "0", "POSTRIDER_AUTHORITIES": w.authority[0]}))
        w.server.command("account", "add", UTF8_SENDER, "--password-stdin", input=PASSWORD + "\n", check=True)
        rows = w.server.command("domain", "dns", "demo.test", json_out=True)["records"]
        w.keys = {r["name"]: r["value"] for r in rows if "._domainkey." in r["name"]}
        yield w


class World:
    pass


@pytest.fixture(scope="module", params=receivers.KINDS)
def peer(request, world):
    """A mail exchanger, and as peer.sink where its mail ends."""
    with Sink("10.9.0.1", lmtp=True, port=24, extensions=EXTENSIONS) as sink:
        trusted = world.certs.leaf("mail.%s.test" % request.param, world.authority)
        with receivers.make(request.param, sink.port, world.server.port(25), trusted) as peer:
            peer.sink, peer.trusted = sink, trusted
            world.dns.zone[peer.hostname] = {"A": [peer.host]}
            for domain in peer.domains:
                world.dns.zone[domain] = {"MX": [(10, peer.hostname)]}
            yield peer


@contextlib.contextmanager
def rule(world, domain, *words, secret=None):
    world.server.command("route", "add", "--to", domain, *words, input=secret, check=True)
    try:
        yield
    finally:
        world.server.command("route", "remove", "--to", domain, check=True)


@pytest.fixture
def clear(world, peer):
    """A recorder of what we say to the peer; all for clear.DOMAIN goes by it, without TLS."""
    with mtas.Recorder(25, peer.host) as recorder, rule(world, "clear." + peer.domain, "--via", "127.0.0.1:%d" % recorder.port, "--tls", "never"):
        yield recorder


# ---- mail in, mail out ----

def plain(user):
    """RFC 4616; smtplib and imaplib have no login by a name in UTF-8."""
    return ("\0%s\0%s" % (user, PASSWORD)).encode()


@contextlib.contextmanager
def session(world, user=SENDER):
    with smtplib.SMTP("127.0.0.1", world.server.port(587), timeout=60) as s:
        s.command_encoding = "utf-8"
        s.starttls(context=tls())
        s.ehlo("client.test")
        assert s.docmd("AUTH", "PLAIN " + base64.b64encode(plain(user)).decode())[0] == 235
        yield s


def message(subject, rcpt, body=b"Hello.\r\n", sender=SENDER):
    return ("From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\nDate: Sat, 28 Nov 2026 12:00:00 +0000\r\nMessage-ID: <%d@demo.test>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            % (sender, rcpt, subject, next(_numbers))).encode() + body


def submit(world, rcpts, octets, mail=("BODY=8BITMIME",), rcpt=(), sender=SENDER):
    with session(world, sender) as s:
        assert s.sendmail(sender, rcpts, octets, list(mail), list(rcpt)) == {}


def subject_for(peer, what):
    return "%s.%s.%d" % (what, peer.name, next(_numbers))


def arrived(sink, subject):
    needle = ("\r\nSubject: %s\r\n" % subject).encode()
    return [t for t in list(sink.taken) if t.content.find(needle, 0, 20_000) >= 0]


def arrival(world, peer, subject, timeout=60):
    """The one message with this subject; its signatures hold."""
    peer.sink.wait_for(lambda s: arrived(s, subject), timeout)
    found = arrived(peer.sink, subject)
    assert len(found) == 1
    verify(world, found[0].content)
    return found[0]


def verify(world, content):
    """Both of our signatures, by python3-dkim."""
    def ask(name, timeout=5):
        text = world.keys.get(name.decode().rstrip("."))
        return text.encode() if text else None

    assert len(re.findall(rb"(?m)^DKIM-Signature:", content.split(b"\r\n\r\n")[0])) == 2
    assert [dkim.DKIM(content).verify(i, dnsfunc=ask) for i in range(2)] == [True, True]


def trace_of(content, peer):
    """The Received field of the peer."""
    return re.search(rb"(?ms)^Received: from .*?by %s.*?\r\n(?=\S)" % peer.hostname.encode(), content)[0].decode()


def secure(content, peer):
    """The peer took it under TLS, by what its Received says."""
    return re.search(r"\bwith (UTF8|E)?SMTPS", trace_of(content, peer), re.I) is not None


def waiting(world, rcpt, why):
    """Until a recipient waits because of an answer that matches."""
    def tried():
        for row in world.server.command("queue", "list", json_out=True)["messages"]:
            for r in world.server.command("queue", "show", row["id"], json_out=True).get("recipients", ()):
                if r["address"] == rcpt and r["state"] not in ("done", "failed") and re.search(why, r["answer"] or ""):
                    return True
    until(tried, "nothing waits for %s because of %s" % (rcpt, why))


def reports(world, needle, user=SENDER):
    with imaplib.IMAP4_SSL("127.0.0.1", world.server.port(993), ssl_context=tls()) as c:
        c.authenticate("PLAIN", lambda _: plain(user))
        c.select("INBOX", readonly=True)
        found = c.search(None, "ALL")[1][0].split()
        parts = c.fetch(b",".join(found), "(BODY.PEEK[])")[1] if found else []
        mails = [p[1] for p in parts if isinstance(p, tuple)]
        return [m for m in mails if needle.encode() in m and b"message/delivery-status" in m.replace(b"global-", b"")]


def report(world, needle, user=SENDER):
    """The one report that has `needle` in it."""
    found = until(lambda: reports(world, needle, user), "no report with " + needle)
    assert len(found) == 1
    return found[0]


def fields(text, name):
    """Values of fields of this name, unfolded."""
    text = re.sub(rb"\r\n(?=[ \t])", b"", text)
    return [v.decode() for v in re.findall(rb"(?mi)^%s: *(.*?)\r?$" % name.encode(), text)]


# ---- content ----

def octets_of(kind):
    chance = random.Random(kind)
    if kind == "10 KB":
        return b"".join(b"%04d %s\r\n" % (i, b"abcdefgh " * 7) for i in range(148))
    if kind == "5 MB":
        return b"".join(b"%06d %s\r\n.\r\n" % (i, b"z" * 60) for i in range(70_000))
    if kind == "dots":
        return b".\r\n..\r\n...\r\n.x\r\n\r\n. \r\n.\r\n" + b".." * 499 + b"\r\n.\r\n"
    if kind == "998":
        return b"x" * 998 + b"\r\n" + b"." * 998 + b"\r\nend\r\n"
    if kind == "8 bits":
        return "gr\u00fc\u00df dich, \u4f60\u597d\r\n".encode() + bytes(range(0x80, 0x100)) + b"\r\n"
    if kind == "blanks":
        return b"\r\n\r\n a \t\r\n\t\r\nFrom here\r\n \r\n\r\n\r\n"
    if kind == "controls":
        octets = bytes(o for o in range(1, 256) if o not in b"\r\n")
        return b"".join(bytes(chance.choices(octets, k=chance.randrange(200, 900))) + b"\r\n" for _ in range(100))
    assert kind == "empty"
    return b""


@pytest.mark.parametrize("kind", ["10 KB", "5 MB", "dots", "998", "8 bits", "blanks", "controls", "empty"])
def test_content(world, peer, kind):
    subject, rcpt = subject_for(peer, "content"), "bob@" + peer.domain
    sent = message(subject, rcpt, octets_of(kind))
    submit(world, [rcpt], sent)
    got = arrival(world, peer, subject)
    assert got.sender == SENDER and got.rcpts == [rcpt]
    assert got.content.endswith(b"\r\n" + sent), "it is not what was sent"
    assert secure(got.content, peer) == peer.tls


def test_long_line(world, peer):
    """It is continued behind CRLF SP; without them it is what it was."""
    subject, rcpt = subject_for(peer, "long"), "bob@" + peer.domain
    sent = message(subject, rcpt, b"a\r\n" + b"0123456789" * 400 + b"\r\nb\r\n")
    submit(world, [rcpt], sent)
    got = arrival(world, peer, subject).content
    body = got.split(b"\r\n\r\n", 1)[1]
    assert max(map(len, body.split(b"\r\n"))) == 998
    assert body.replace(b"\r\n ", b"") == sent.split(b"\r\n\r\n", 1)[1]


def test_chunks(world, peer, clear):
    """Content of any octets goes by BDAT to who offers CHUNKING, small and large, else by DATA."""
    for kind in ("controls", "5 MB"):
        subject, rcpt = subject_for(peer, "chunks"), "bob@clear." + peer.domain
        sent = message(subject, rcpt, octets_of(kind))
        submit(world, [rcpt], sent)
        got = arrival(world, peer, subject).content
        assert got.endswith(b"\r\n" + sent) and not secure(got, peer)
    said = clear.text()
    assert bool(re.search(rb"(?m)^BDAT \d+ LAST\r\n", said)) == peer.chunking
    assert (b"\r\nDATA\r\n" in said) == (not peer.chunking)


# ---- recipients ----

def test_some_refused(world, peer):
    """One transaction: 250, 550 and 450. One has it, one comes back, one is tried again until the peer takes it."""
    peer.restart(busy=True)
    subject, (bob, nobody, busy) = subject_for(peer, "some"), [n + "@" + peer.domain for n in ("bob", "nobody", "busy")]
    submit(world, [nobody, busy, bob], message(subject, bob))
    assert arrival(world, peer, subject).rcpts == [bob]
    text = report(world, "rfc822; " + nobody)
    assert fields(text, "Final-Recipient") == ["rfc822; " + nobody] and fields(text, "Action") == ["failed"] and fields(text, "Status") == ["5.1.1"]
    assert fields(text, "Remote-MTA") == ["dns; " + peer.hostname] and re.match(r"smtp; 550 5\.1\.1 .*No such user", fields(text, "Diagnostic-Code")[0])
    waiting(world, busy, r"450 4\.2\.1 .*busy")
    peer.restart(busy=False)
    peer.sink.wait_for(lambda s: len(arrived(s, subject)) == 2)
    assert sorted(t.rcpts for t in arrived(peer.sink, subject)) == [[bob], [busy]]
    assert reports(world, busy) == []


def test_one_session(world, peer):
    """Many messages that wait for a host go by a few sessions, not by one each."""
    rcpt, before = "bob@signed-in." + peer.domain, peer.sessions()
    subjects = [subject_for(peer, "many") for _ in range(120)]
    # A handshake that fails is a connection of its own for each message.
    with rule(world, "signed-in." + peer.domain, "--connections", "1", *([] if peer.tls else ["--tls", "never"])):
        with session(world) as s:
            for subject in subjects:
                assert s.sendmail(SENDER, [rcpt], message(subject, rcpt)) == {}
        for subject in subjects:
            arrival(world, peer, subject)
    used = peer.sessions() - before
    assert peer.sessions() > 0 and used <= 6, "%d sessions for %d messages" % (used, len(subjects))


def test_restart(world, peer):
    """The peer goes down and comes back in the middle of a stream: nothing is missing, and only what was at its end just then came twice."""
    rcpt = "bob@" + peer.domain
    subjects = [subject_for(peer, "stream") for _ in range(60)]
    with session(world) as s:
        for i, subject in enumerate(subjects):
            assert s.sendmail(SENDER, [rcpt], message(subject, rcpt)) == {}
            if i in (20, 40):
                peer.restart()
    world.server.command("queue", "retry", "--all")
    peer.sink.wait_for(lambda s: all(arrived(s, subject) for subject in subjects), 90)
    until(lambda: world.server.command("status", json_out=True)["queue"]["messages"] == 0, "the queue is not empty")
    # What the peer itself handed on twice has one Received of it; what it got twice has two.
    twice = [subject for subject in subjects if len({trace_of(t.content, peer) for t in arrived(peer.sink, subject)}) > 1]
    doubted = world.server.log_text().count("it may arrive twice")
    assert len(twice) <= doubted, "%s came twice" % twice


# ---- TLS ----

def test_tls(world, peer):
    """Self-signed: good enough where TLS is only offered, not for a rule that demands proof; then one from the authority is."""
    bob = "bob@" + peer.domain
    peer.restart(certificate=world.certs.leaf(peer.hostname))
    subject = subject_for(peer, "opportunistic")
    submit(world, [bob], message(subject, bob))
    assert secure(arrival(world, peer, subject).content, peer) == peer.tls
    subject = subject_for(peer, "verified")
    with rule(world, peer.domain, "--tls", "verify"):
        submit(world, [bob], message(subject, bob))
        waiting(world, bob, "The route requires TLS, and ")
        assert arrived(peer.sink, subject) == []
        for wrong in (world.certs.leaf("mail.other.test", world.authority), world.certs.leaf(peer.hostname, world.authority, days=-1)):
            peer.restart(certificate=wrong)
            world.server.command("queue", "retry", "--all")
            waiting(world, bob, "The route requires TLS, and ")
        peer.restart(certificate=peer.trusted)
        if peer.tls:
            assert secure(arrival(world, peer, subject).content, peer)
    assert secure(arrival(world, peer, subject).content, peer) == peer.tls


def test_resumed(world, peer):
    """The next session goes on with the TLS of the one before, where the peer lets it."""
    if not peer.tls:
        pytest.skip(peer.no_tls)
    bob = "bob@" + peer.domain

    def once():
        before, subject = len(re.findall(peer.ended, peer.whole_log())), subject_for(peer, "resumed")
        submit(world, [bob], message(subject, bob))
        arrival(world, peer, subject)
        until(lambda: len(re.findall(peer.ended, peer.whole_log())) > before, "the session does not end")

    once()
    begin = len(world.server.log_text())
    for _ in range(5):  # what ended may have been another session
        if "resumed" not in world.server.log_text()[begin:]:
            once()
    assert "resumed" in world.server.log_text()[begin:]


# ---- extensions ----

def test_utf8(world, peer):
    """Addresses and header fields in UTF-8, where they are taken; else they come back (RFC 6531 3.2, 5.6.7)."""
    subject, rcpt = subject_for(peer, "gr\u00fc\u00dfe"), "gr\u00f6\u00dfe@" + peer.domain
    sent = message(subject, rcpt, sender=UTF8_SENDER)
    submit(world, [rcpt], sent, mail=["SMTPUTF8", "BODY=8BITMIME"], sender=UTF8_SENDER)
    if peer.utf8:
        got = arrival(world, peer, subject)
        assert (got.sender, got.rcpts) == (UTF8_SENDER, [rcpt]) and got.content.endswith(b"\r\n" + sent)
        assert "UTF8SMTPS" in trace_of(got.content, peer).upper() or peer.name == "exim"
    else:
        text = report(world, rcpt, UTF8_SENDER)
        assert fields(text, "Status") == ["5.6.7"] and fields(text, "Action") == ["failed"]
        assert arrived(peer.sink, subject) == []


DSN = dict(mail=["BODY=8BITMIME", "RET=HDRS", "ENVID=number+2B1"], rcpt=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;first+2Bchoice@demo.test"])


def test_dsn(world, peer, clear):
    """Who offers DSN gets all of it, and success is theirs to report, not ours."""
    subject, rcpt = subject_for(peer, "dsn"), "dave@clear." + peer.domain
    submit(world, [rcpt], message(subject, rcpt), **DSN)
    arrival(world, peer, subject)
    said = clear.text().decode()
    assert re.search(r"MAIL FROM:<%s>[^\r]* RET=HDRS" % SENDER, said) and re.search(r"MAIL FROM:[^\r]* ENVID=number\+2B1", said)
    assert re.search(r"RCPT TO:<%s>[^\r]* NOTIFY=SUCCESS,FAILURE" % rcpt, said) and re.search(r"RCPT TO:[^\r]* ORCPT=rfc822;first\+2Bchoice@demo\.test", said)
    text = report(world, rcpt)
    assert fields(text, "Reporting-MTA")[0].replace(" ", "") == "dns;" + peer.hostname
    assert fields(text, "Action")[0].split()[0] in ("delivered", "relayed")


def test_no_dsn(world, peer, clear):
    """Who has none gets mail without it, and we say that it was relayed (RFC 3461 5.2.2)."""
    peer.restart(dsn=False)
    subject, rcpt = subject_for(peer, "plain"), "carol@clear." + peer.domain
    submit(world, [rcpt], message(subject, rcpt), **DSN)
    arrival(world, peer, subject)
    assert not re.search(rb"NOTIFY=|RET=|ENVID=|ORCPT=", clear.text().split(b"\r\n\r\n")[0])
    text = report(world, rcpt)
    assert fields(text, "Reporting-MTA") == ["dns; mail.demo.test"] and fields(text, "Action") == ["relayed"] and fields(text, "Status")[0][0] == "2"
    assert fields(text, "Original-Envelope-Id") == ["number+1"] and fields(text, "Original-Recipient") == ["rfc822; first+choice@demo.test"]
    assert b"Subject: " + subject.encode() in text and b"Hello." not in text.split(subject.encode())[-1]
    peer.restart(dsn=True)


def test_size(world, peer, clear):
    """More than the peer's SIZE: it comes back, and none of it was sent (RFC 1870 6.1)."""
    subject, rcpt = subject_for(peer, "size"), "bob@clear." + peer.domain
    submit(world, [rcpt], message(subject, rcpt, (b"y" * 70 + b"\r\n") * (receivers.SIZE // 70)))
    text = report(world, subject)
    assert fields(text, "Status") == ["5.3.4"] and fields(text, "Action") == ["failed"] and fields(text, "Final-Recipient") == ["rfc822; " + rcpt]
    assert len(clear.text()) < 10_000 and arrived(peer.sink, subject) == []


# ---- signing in ----

@pytest.mark.parametrize("used", ["SCRAM-SHA-256", "PLAIN", "LOGIN", "CRAM-MD5"])
def test_signed_in(world, peer, used):
    """As a client of a provider: port 587, proved TLS, the strongest mechanism of both. Where the peer offers all, that is the first of them. CRAM-MD5
    alone is none of ours: the mail waits."""
    if not peer.tls:
        pytest.skip(peer.no_tls)
    offered = type(peer).mechanisms
    if used not in offered:
        pytest.skip("%s has no %s" % (peer.name, used))
    rcpt, subject = "bob@signed-in." + peer.domain, subject_for(peer, "signed-in")
    peer.restart(mechanisms=offered if used == offered[0] else (used,))
    with rule(world, "signed-in." + peer.domain, "--via", peer.hostname + ":587", "--user", peer.user, "--password-stdin", secret=receivers.PASSWORD + "\n"):
        submit(world, [rcpt], message(subject, rcpt))
        if used == "CRAM-MD5":
            waiting(world, rcpt, r"^4\.7\.0 ")
            world.server.command("queue", "remove", "--to", rcpt, check=True)
            assert arrived(peer.sink, subject) == []
        else:
            arrival(world, peer, subject)
            peer.wait_log(peer.signed_in % used)
    peer.restart(mechanisms=offered)
