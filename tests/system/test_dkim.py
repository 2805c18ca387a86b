"""What leaves is signed: two independent verifiers look at what a mail host took. And the keys, and the DNS records, behind it."""
import json
import os
import re
import signal
import smtplib
import subprocess
import tempfile

import dkim
import pytest

from outside import SERVFAIL, Dns, Sink
from server import BIN, PASSWORD, Server, free_port, tls, until

SENDER = "alice@demo.test"
FROM = b"From: Alice <alice@demo.test>\r\n"
REST = b"To: x@far.test\r\nSubject: a subject\r\nDate: Sat, 28 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@demo.test>\r\n"


@pytest.fixture(scope="module")
def pair():
    """A server, and the one host that its foreign mail goes to."""
    with Sink("127.0.0.1", port=0) as host:
        server = Server("--relay", "127.0.0.1:%d" % host.port, environment={"POSTRIDER_RETRY_FIRST": "1", "POSTRIDER_RETRY_MAX": "1"}).start()
        yield server, host
        server.stop()


def records(server, domain="demo.test"):
    """{name: text} of the domain's key records."""
    rows = server.command("domain", "dns", domain, json_out=True)["records"]
    return {r["name"]: r["value"] for r in rows if "._domainkey." in r["name"]}


def submit(server, message, rcpts=("x@far.test",), options=(), sender=SENDER):
    with smtplib.SMTP("127.0.0.1", server.port(587), timeout=60) as s:
        s.command_encoding = "utf-8"
        s.starttls(context=tls())
        s.login(SENDER, PASSWORD)
        assert s.sendmail(sender, list(rcpts), message, list(options)) == {}


def taken(host, action):
    """What the host takes of what `action` sends."""
    before = len(host.taken)
    action()
    return host.wait(before + 1)[before].content


def signatures(content):
    header = content.split(b"\r\n\r\n")[0] + b"\r\n"
    return re.findall(rb"^DKIM-Signature:(?:.*\r\n)(?:[ \t].*\r\n)*", header, re.M)


def dkimpy(content, zone):
    """Verdict on each signature."""
    def ask(name, timeout=5):
        text = zone.get(name.decode().rstrip("."))
        return text.encode() if text else None

    def verify(i):
        try:
            return dkim.DKIM(content).verify(i, dnsfunc=ask)
        except dkim.DKIMException:
            return False

    return [verify(i) for i in range(len(signatures(content)))]


def opendkim(content, zone):
    """The Authentication-Results that opendkim writes, by algorithm: {"rsa-sha256": "pass", ...}."""
    with tempfile.TemporaryDirectory() as d:
        paths = {n: os.path.join(d, n) for n in ("mail", "zone", "conf")}
        with open(paths["mail"], "wb") as f:
            f.write(content)
        with open(paths["zone"], "w") as f:
            f.writelines("%s %s\n" % row for row in zone.items())
        with open(paths["conf"], "w") as f:
            f.write("Mode v\nTestPublicKeys %s\nAlwaysAddARHeader yes\n" % paths["zone"])
        done = subprocess.run(["opendkim", "-vv", "-x", paths["conf"], "-t", paths["mail"]], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def verified(content, zone):
    assert len(signatures(content)) == 2
    assert dkimpy(content, zone) == [True, True]
    code, said = opendkim(content, zone)
    assert code == 0 and "verification (s=" in said and "succeeded" in said, said


LONG = b"x" * 2500

SHAPES = {
    "plain": FROM + REST + b"\r\nHello.\r\n",
    "empty body": FROM + REST + b"\r\n",
    "no body": FROM + REST,
    "empty lines": FROM + REST + b"\r\n\r\n\r\nHello.\r\n\r\n\r\n\r\n",
    "blanks": FROM + REST + b"\r\nHello   there \t\r\n \t \r\n\t.\r\n   \r\n",
    "dots": FROM + REST + b"\r\n.\r\n..\r\n.hidden\r\n...\r\n",
    "no final line end": FROM + REST + b"\r\nHello.",
    "eight bits": FROM + REST + b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa4\xc3\xb6 \xff\r\n",
    "folded": b"From:\r\n \"Alice\r\n  W\" <alice@demo.test>\r\nTo: a@far.test,\r\n\tb@far.test ,\r\n c@far.test\r\nSubject: one\r\n two\t \r\n  three\r\n\r\nx\r\n",
    "few fields": FROM + b"\r\nx\r\n",
    "many fields": FROM + REST + b"Comments: a\r\nSubject: b\r\nReply-To: r@demo.test\r\nX-Any: y\r\nX-Any: z\r\nList-Id: <l.demo.test>\r\n\r\nx\r\n",
    "file": FROM + REST + b"\r\n" + b"".join(b"line %d  of many\t\r\n" % i for i in range(60000)),
    "binary-like file": FROM + REST + b"\r\n" + (b"A" * 76 + b"\r\n") * 20000,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(pair, shape):
    server, host = pair
    content = taken(host, lambda: submit(server, SHAPES[shape]))
    verified(content, records(server))


@pytest.mark.parametrize("shape,message", [
    ("body", FROM + REST + b"\r\n" + LONG + b"\r\nshort\r\n"),
    ("header", FROM + b"References: " + b" ".join(b"<%d@demo.test>" % i for i in range(150)) + b"\r\n" + REST + b"\r\nx\r\n"),
    ("header without blanks", FROM + b"References: <" + LONG + b"@demo.test>\r\n" + REST + b"\r\nx\r\n"),
], ids=["body", "header", "header without blanks"])
def test_long_lines(pair, shape, message):
    """They are folded on the way out; what is folded is signed."""
    server, host = pair
    content = taken(host, lambda: submit(server, message))
    assert max(len(l) for l in content.split(b"\r\n")) <= 998
    verified(content, records(server))


def test_utf8_header(pair):
    server, host = pair
    message = "From: Älice <alice@demo.test>\r\nTo: ü@far.test\r\nSubject: Grüße ✓\r\n\r\nhällo\r\n".encode()
    content = taken(host, lambda: submit(server, message, options=("SMTPUTF8", "BODY=8BITMIME")))
    verified(content, records(server))


def test_two_domains_get_the_same(pair):
    server, host = pair
    before = len(host.taken)
    submit(server, SHAPES["plain"], rcpts=("x@far.test", "y@other.test"))
    host.wait_for(lambda h: sum(len(t.rcpts) for t in h.taken[before:]) >= 2)
    found = [signatures(t.content) for t in host.taken[before:]]
    assert found and all(f == found[0] and len(f) == 2 for f in found)


def test_form(pair):
    """What both say, and how it is written."""
    server, host = pair
    content = taken(host, lambda: submit(server, SHAPES["plain"]))
    assert content.startswith(b"DKIM-Signature: ")
    for field in signatures(content):
        assert max(len(l) for l in field.split(b"\r\n")) <= 78
        tags = dict(t.strip().split(b"=", 1) for t in field.split(b":", 1)[1].replace(b"\r\n", b"").strip().split(b";") if t.strip())
        tags = {k: v.replace(b"\t", b"") for k, v in tags.items()}
        assert tags[b"v"] == b"1" and tags[b"d"] == b"demo.test" and tags[b"c"] == b"relaxed/relaxed"
        assert not set(tags) & {b"l", b"i", b"z"}
        names = tags[b"h"].lower().split(b":")
        for name in (b"from", b"to", b"subject", b"date", b"message-id"):
            assert names.count(name) == 2
        for name in (b"cc", b"reply-to", b"sender", b"content-type"):
            assert names.count(name) == 1
        assert not set(names) & {b"received", b"return-path", b"bcc", b"dkim-signature"}


@pytest.mark.parametrize("change", [
    (b"Hello.", b"Hallo."), (b"a subject", b"A subject"), (b"\r\n\r\n", b"\r\nSubject: another\r\n\r\n"),
    (b"From: Alice", b"From: Mallory <m@far.test>\r\nFrom: Alice"), (b"\r\n\r\n", b"\r\nCc: more@far.test\r\n\r\n"), (b"Hello.\r\n", b"Hello.\r\nMore.\r\n"),
    (b"\r\n\r\n", b"\r\nContent-Type: text/html\r\n\r\n"),
])
def test_tampering(pair, change):
    server, host = pair
    content = taken(host, lambda: submit(server, SHAPES["plain"]))
    zone = records(server)
    assert dkimpy(content, zone) == [True, True]
    changed = content.replace(*change, 1)
    assert changed != content
    assert dkimpy(changed, zone) == [False, False]
    assert "succeeded" not in opendkim(changed, zone)[1]


def test_report_is_signed(pair):
    """A report goes out under the host's name, whose domain is ours."""
    server, host = pair
    hostname = server.command("status", json_out=True)["hostname"]
    before = len(host.taken)
    with smtplib.SMTP("127.0.0.1", server.port(587), timeout=60) as s:
        s.starttls(context=tls())
        s.login(SENDER, PASSWORD)
        s.mail(SENDER)
        s.rcpt("gone@far.test", ["NOTIFY=FAILURE"])
        host.say["RCPT"] = {"gone@far.test": "550 5.1.1 no"}
        s.data(SHAPES["plain"])
    # alice is here: the report for a stranger is made by an alias that leads out
    server.command("alias", "add", "out@demo.test", "gone@far.test", check=True)
    with smtplib.SMTP("127.0.0.1", server.port(25), timeout=60) as s:
        s.ehlo("elsewhere.test")
        s.sendmail("stranger@far.test", ["out@demo.test"], "From: stranger@far.test\r\nSubject: hello\r\n\r\nx\r\n")
    host.wait_for(lambda h: any(t.sender == "" for t in h.taken[before:]))
    report = next(t for t in host.taken[before:] if t.sender == "").content
    assert b"multipart/report" in report and hostname.encode() in report
    if hostname == "demo.test" or hostname.endswith(".demo.test"):
        verified(report, records(server))
    else:
        assert signatures(report) == []


def test_relayed_is_not_signed(pair):
    """Forwarded for a stranger, whoever the From field names: nothing of ours may vouch for it."""
    server, host = pair
    server.command("alias", "add", "forward@demo.test", "y@far.test", check=True)
    for author in (b"stranger@far.test", b"alice@demo.test"):
        def hand_in():
            with smtplib.SMTP("127.0.0.1", server.port(25), timeout=60) as s:
                s.ehlo("elsewhere.test")
                s.sendmail("stranger@far.test", ["forward@demo.test"], b"From: " + author + b"\r\nSubject: x\r\n\r\nx\r\n")
        assert signatures(taken(host, hand_in)) == []


def test_keys_change_without_a_gap(pair):
    server, host = pair
    old = [k for k in server.command("domain", "key", "list", "demo.test", json_out=True)["keys"] if k["algorithm"] == "ed25519-sha256"][0]
    new = server.command("domain", "key", "add", "demo.test", "--algorithm", "ed25519", json_out=True)["key"]
    assert new["state"] == "new" and new["selector"] != old["selector"]
    zone = records(server)
    assert "%s._domainkey.demo.test" % new["selector"] in zone
    content = taken(host, lambda: submit(server, SHAPES["plain"]))
    assert b"s=%s;" % old["selector"].encode() in content
    server.command("domain", "key", "activate", "demo.test", new["selector"], check=True)
    after = taken(host, lambda: submit(server, SHAPES["plain"]))
    assert b"s=%s;" % new["selector"].encode() in after and b"s=%s;" % old["selector"].encode() not in after
    zone = records(server)
    verified(content, zone)  # the old one is still published
    verified(after, zone)
    assert server.command("domain", "key", "remove", "demo.test", new["selector"]).returncode == 5
    server.command("domain", "key", "remove", "demo.test", old["selector"], check=True)
    assert dkimpy(content, records(server)).count(True) == 1
    assert server.command("domain", "key", "remove", "demo.test", "never").returncode == 3


def test_key_that_was_there_before(pair):
    """As for those who come from opendkim: the same selector and key, so no record changes."""
    server, host = pair
    pem = subprocess.run(["openssl", "genrsa", "-traditional", "1024"], capture_output=True, text=True, check=True).stdout
    server.command("domain", "add", "moved.test", check=True)
    server.command("account", "add", "ann@moved.test", "--password-stdin", input=PASSWORD + "\n", check=True)
    done = server.command("domain", "key", "add", "moved.test", "mail", "--key-stdin", "--activate", input=pem)
    assert done.returncode == 0 and "1024" in done.stderr
    assert "PRIVATE" not in done.stdout
    with smtplib.SMTP("127.0.0.1", server.port(587), timeout=60) as s:
        s.starttls(context=tls())
        s.login("ann@moved.test", PASSWORD)
        content = taken(host, lambda: s.sendmail("ann@moved.test", ["x@far.test"], b"From: ann@moved.test\r\n" + REST + b"\r\nx\r\n"))
    assert b"s=mail;" in content and b"d=moved.test;" in content
    verified(content, records(server, "moved.test"))
    for wrong in ("", "nonsense\n", "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"):
        assert server.command("domain", "key", "add", "moved.test", "--key-stdin", input=wrong).returncode == 2


def test_no_secret_is_told(pair):
    server, _ = pair
    listed = server.command("domain", "key", "list", "demo.test", json_out=True)
    assert set(listed["keys"][0]) == {"selector", "algorithm", "bits", "state", "created_ms", "record"}
    assert "PRIVATE KEY" not in server.log_text()


def test_a_domain_below(pair):
    """A name below a domain of ours is signed for by it; without keys mail goes unsigned."""
    server, host = pair
    server.command("domain", "add", "plain.test", check=True)
    for key in server.command("domain", "key", "list", "plain.test", json_out=True)["keys"]:
        server.command("domain", "key", "retire", "plain.test", key["selector"], check=True)
        server.command("domain", "key", "remove", "plain.test", key["selector"], check=True)
    server.command("domain", "add", "sub.demo.test", check=True)
    for key in server.command("domain", "key", "list", "sub.demo.test", json_out=True)["keys"]:
        server.command("domain", "key", "retire", "sub.demo.test", key["selector"], check=True)
    for user, signed in (("ann@plain.test", 0), ("ann@sub.demo.test", 2)):
        server.command("account", "add", user, "--password-stdin", input=PASSWORD + "\n", check=True)
        with smtplib.SMTP("127.0.0.1", server.port(587), timeout=60) as s:
            s.starttls(context=tls())
            s.login(user, PASSWORD)
            content = taken(host, lambda: s.sendmail(user, ["x@far.test"], ("From: %s\r\nSubject: x\r\n\r\nx\r\n" % user).encode()))
        assert len(signatures(content)) == signed
        if signed:
            assert b"d=demo.test;" in content
            verified(content, records(server))


def test_auth_is_away(pair):
    """While auth is not there nothing leaves unsigned, and nothing is lost."""
    server, host = pair
    server.expect("process ended|killed|auth")
    before, count = len(host.taken), 6
    for i in range(count):
        if i == 2:
            os.kill(server.pids("auth")[0], signal.SIGKILL)
        until(lambda: tried(server), "a message is taken")
    found = host.wait(before + count, timeout=60)[before:]
    zone = records(server)
    for t in found:
        verified(t.content, zone)


def tried(server):
    """False: deferred at the door, as auth is not there."""
    try:
        submit(server, SHAPES["plain"])
    except (smtplib.SMTPException, OSError):
        return False
    return True


def test_sendmail_is_signed(pair):
    """What a local program hands in is ours."""
    server, host = pair
    words = [BIN, "sendmail", "-C", os.path.join(server.dir, "postrider.conf"), "-f", SENDER, "x@far.test"]
    content = taken(host, lambda: subprocess.run(words, check=True, timeout=60, input=SHAPES["plain"].replace(b"\r\n", b"\n")))
    verified(content, records(server))


# ---- records ----

@pytest.fixture
def installed(tmp_path):
    def command(*words, **options):
        return subprocess.run([BIN, *words, "--config", str(tmp_path / "postrider.conf")], capture_output=True, text=True, timeout=60, **options)

    done = command("setup", "--domain", "example.org", "--admin", "me@example.org", "--data", str(tmp_path / "data"), "--password-stdin", input="pw\n")
    assert done.returncode == 0, done.stderr
    command.setup = done.stdout
    return command


def test_zone_loads(installed, tmp_path):
    zone = installed("domain", "dns", "example.org", "--zone", "--address", "192.0.2.7", "--address", "2001:db8::7").stdout
    (tmp_path / "zone").write_text("$TTL 3600\n@ IN SOA ns1 root 1 2 3 4 5\n@ IN NS ns1\nns1 IN A 192.0.2.1\n" + zone)
    done = subprocess.run(["named-checkzone", "-i", "local", "-D", "example.org", str(tmp_path / "zone")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    loaded = {tuple(l.split(None, 4)[:1] + l.split(None, 4)[3:4]) for l in done.stdout.splitlines() if "\tIN " in l or " IN " in l}
    for owner, kind in (("example.org.", "MX"), ("example.org.", "TXT"), ("_dmarc.example.org.", "TXT"), ("_smtp._tls.example.org.", "TXT"),
                        ("_25._tcp.mail.example.org.", "TLSA"), ("_imaps._tcp.example.org.", "SRV"), ("_pop3s._tcp.example.org.", "SRV"), ("_submissions._tcp.example.org.", "SRV"),
                        ("mail.example.org.", "AAAA")):
        assert (owner, kind) in loaded, done.stdout
    assert sum("_domainkey" in owner for owner, _ in loaded) == 2
    assert not any("_mta-sts" in owner for owner, _ in loaded)


def test_setup_prints_them(installed):
    assert installed("domain", "dns", "example.org").stdout in installed.setup
    assert "_domainkey.example.org.  TXT" in installed.setup


def test_tlsa_is_of_the_certificate(installed, tmp_path):
    spki = subprocess.run("openssl x509 -in tls.crt -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum", shell=True, cwd=tmp_path,
                          capture_output=True, text=True, check=True).stdout.split()[0]
    assert "_25._tcp.mail.example.org.  TLSA  3 1 1 " + spki in installed("domain", "dns", "example.org").stdout


def test_spf_knows_the_routes(installed):
    """Whoever mail of the domain leaves through is named; of many the record says what to do."""
    def spf():
        return [l for l in installed("domain", "dns", "example.org").stdout.splitlines() if l.startswith("example.org.  TXT")][0].split('"')[1]

    def route(*words):
        done = installed("route", *words)
        assert done.returncode == 0, done.stderr

    assert spf() == "v=spf1 mx -all"
    route("add", "--from", "other.org", "--via", "theirs.example:25")
    route("add", "--to", "far.example", "--via", "direct")
    route("add", "--to", "lists.example", "--via", "pipe:lists")
    route("add", "--from", "example.org", "--source", "192.0.2.9")
    route("add", "--to", "store.example", "--via", "lmtp:192.0.2.81:24")
    for n, source in enumerate(("127.0.0.2", "10.1.2.3", "172.20.0.1", "192.168.7.7", "169.254.1.1", "100.64.0.1", "fd00::7", "fe80::7", "::1")):
        route("add", "--to", "from%d.example" % n, "--source", source)
    assert spf() == "v=spf1 mx ip4:192.0.2.9 -all"
    route("add", "--to", "near.example", "--via", "127.0.0.1:2525,localhost:2525,[::1]:2525,10.1.2.3:25,[fd00::7]:25")
    assert spf() == "v=spf1 mx ip4:192.0.2.9 ~all"  # where it goes from there, only they know
    route("add", "--from", "me@example.org", "--via", "smart.example:587,192.0.2.80:25")
    route("add", "--from", ".org", "--via", "mx:relay.example")
    route("add", "--to", "bank.example", "--via", "smart.example:25")
    assert set(spf().split()) == {"v=spf1", "mx", "ip4:192.0.2.9", "a:smart.example", "ip4:192.0.2.80", "mx:relay.example", "~all"}
    assert "their operators say what else to include" in installed("domain", "dns", "example.org").stdout
    for n in range(9):
        route("add", "--to", "to%d.example" % n, "--via", "host%d.example:25" % n)
    assert spf().count("a:") + spf().count("mx:") < 8 and "put the networks" in installed("domain", "dns", "example.org", "--zone").stdout


def test_dns_of_no_domain(installed):
    assert installed("domain", "dns", "example.net").returncode == 3
    assert installed("domain", "dns", "example.org", "--address", "nowhere").returncode == 2
    assert installed("domain", "dns", "example.org", "--check").returncode == 69
    assert installed("domain", "dns", "example.org", "--check", "--zone").returncode == 2


def test_check():
    """What DNS has, lacks, and has otherwise, as the server's own resolver sees it."""
    port = free_port()
    dns = Dns("127.0.0.1", port)

    def asked(*words):
        """By a configuration of which the listeners are open to the world, as there are no records of others."""
        open_to_all = os.path.join(server.dir, "open.conf")
        with open(os.path.join(server.dir, "postrider.conf")) as f, open(open_to_all, "w") as to:
            to.write(re.sub(r'"127\.0\.0\.1:(\d+)"', r'"*:\1"', f.read()))
        return json.loads(subprocess.run([BIN, "domain", "dns", "demo.test", *words, "--config", open_to_all, "--json"], capture_output=True, text=True, timeout=60).stdout)

    def check():
        return {(r["name"], r["type"]): r["found"] for r in asked("--check").get("records", [])}

    def forget():
        """Its cache goes with the resolver."""
        for pid in server.pids("dns"):
            os.kill(pid, signal.SIGKILL)

    try:
        with Server("--dns", "127.0.0.1@%d" % port) as server:
            server.expect("process ended|killed|dns")
            found = check()
            assert found[("demo.test", "MX")] == found[("demo.test", "TXT")] == found[("_dmarc.demo.test", "TXT")] == "missing"
            for r in asked()["records"]:
                entry = dns.zone.setdefault(r["name"], {})
                if r["type"] == "MX":
                    entry["MX"] = [(5, r["value"].split()[1].rstrip("."))]
                elif r["type"] == "SRV":
                    entry["SRV"] = [(7, 7, 9, "other.test"), (5, 5, int(r["value"].split()[2]), r["value"].split()[3].upper())]
                elif r["type"] == "TXT":
                    entry["TXT"] = ["site-verification=something", r["value"].replace("; ", ";")]
            dns.zone["_dmarc.demo.test"]["TXT"] = ["v=DMARC1; p=reject"]  # its owner's choice
            forget()
            until(lambda: check().get(("demo.test", "MX")) == "ok", "the resolver is back")
            found = check()
            assert ("_imaps._tcp.demo.test", "SRV") in found
            assert {found[k] for k in found if k[1] in ("MX", "TXT", "SRV") and not k[0].startswith("_mta-sts.")} == {"ok"}, found
            assert found[("_mta-sts.demo.test", "TXT")] == "not checked"
            for entry in dns.zone.values():
                entry["SRV"] = [(0, 1, 9, "mail.demo.test"), (0, 1, 9, "other.test")] if "SRV" in entry else []
            dns.zone["demo.test"] = {"TXT": ["v=spf1 a -all"], "MX": [(5, "other.test")]}
            forget()
            until(lambda: check().get(("demo.test", "MX")) == "different", "the resolver is back")
            assert check()[("_imaps._tcp.demo.test", "SRV")] == "different"
            text = server.command("domain", "dns", "demo.test", "--check")
            assert text.returncode == 1 and "v=spf1 a -all" in text.stdout and "wanted is  v=spf1 mx -all" in text.stdout
            dns.zone["demo.test"] = {"rcode": SERVFAIL}
            forget()
            until(lambda: server.command("domain", "dns", "demo.test", "--check").returncode == 75, "DNS is in trouble")
            until(lambda: "ok" in check().values(), "the resolver is back")
            text = server.command("domain", "dns", "demo.test", "--check")
            assert text.returncode == 75 and "postrider: DNS gave no answer for demo.test\n" in text.stderr and "try again" not in text.stderr
            assert re.search(r"^no answer +MX +demo\.test$", text.stdout, re.M) and re.search(r"^ok +TXT +_smtp\._tls\.demo\.test$", text.stdout, re.M)
            assert check()[("demo.test", "MX")] == "no answer"
    finally:
        dns.close()
