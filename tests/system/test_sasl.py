"""Sign-in by every mechanism, over SMTP, IMAP and POP3, with the server's real limits: what works, and each abuse of mta.md's kind."""
import os
import re
import subprocess
import threading
import time

import pytest

from sasl import PROTOCOLS, Imap, Pop3, Scram, Smtp, b64, context_with, end_point, plain
from server import BIN, PASSWORD, Server

CLEAR = []
IN_TLS = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"]
both = pytest.mark.parametrize("protocol", PROTOCOLS, ids=[p.name for p in PROTOCOLS])
hashes = pytest.mark.parametrize("mechanism,hash_name", [("SCRAM-SHA-1", "sha1"), ("SCRAM-SHA-256", "sha256")])


@pytest.fixture(scope="module")
def server():
    s = Server("--accounts", "12", lab=False).start()
    s.expect('msg="sign-in failed"')
    yield s
    s.stop()


def failures(server, seen):
    return [l for l in server.log_text()[seen:].split("\n") if 'msg="sign-in failed"' in l]


# ---- what is announced ----

@both
def test_announced(server, protocol):
    with protocol(server) as c:
        assert c.mechanisms == IN_TLS
    with protocol(server, plain=True) as c:
        assert c.mechanisms == CLEAR


@both
def test_nothing_in_clear(server, protocol):
    for mechanism in IN_TLS + ["EXTERNAL"]:
        with protocol(server, plain=True) as c:
            assert c.begin(mechanism)[0] == "clear"
            assert plain(c, "alice@demo.test", PASSWORD) == "clear"
            assert c.alive()


@both
def test_unknown_mechanisms(server, protocol):
    with protocol(server) as c:
        for mechanism in ("CRAM-MD5", "NTLM", "GSSAPI", "ANONYMOUS", "SCRAM-SHA-512", "SCRAM-SHA-256-PLUS-PLUS", "EXTERNAL"):
            assert c.begin(mechanism)[0] == "unknown"
        assert plain(c, "alice@demo.test", PASSWORD) == "ok"


# ---- SCRAM ----

@both
@hashes
def test_scram(server, protocol, mechanism, hash_name):
    for initial in (True, False):
        with protocol(server) as c:
            assert Scram(hash_name, "alice@demo.test", PASSWORD).run(c, mechanism, initial) == "ok"
    with protocol(server) as c:  # "y" would be a lie here, "p" is for -PLUS
        assert Scram(hash_name, "Alice@DEMO.test", PASSWORD, b"p=tls-server-end-point,,", end_point(c)).run(c, mechanism + "-PLUS") == "ok"
    with protocol(server) as c:
        assert Scram(hash_name, "alice@demo.test", PASSWORD, b"n,a=alice@demo.test,").run(c, mechanism) == "ok"


@both
@hashes
def test_scram_refused(server, protocol, mechanism, hash_name):
    seen = len(server.log_text())
    plus = mechanism + "-PLUS"
    cases = [
        (mechanism, "bob@demo.test", "wrong", b"n,,", b"", "denied", "denied"),
        (mechanism, "nobody@demo.test", PASSWORD, b"n,,", b"", "denied", "denied"),
        (mechanism, "bob@demo.test", PASSWORD, b"y,,", b"", "denied", "binding"),           # -PLUS was announced: it is gone on the way
        (mechanism, "bob@demo.test", PASSWORD, b"n,a=alice@demo.test,", b"", "denied", "identity"),
        (mechanism, "bob@demo.test", PASSWORD, b"p=tls-server-end-point,,", b"x", "denied", "malformed"),
        (plus, "bob@demo.test", PASSWORD, b"n,,", b"", "denied", "malformed"),
        (plus, "bob@demo.test", PASSWORD, b"p=tls-unique,,", b"x", "denied", "malformed"),
        (plus, "bob@demo.test", PASSWORD, b"p=tls-server-end-point,,", b"x" * 32, "denied", "binding"),
        (plus, "bob@demo.test", PASSWORD, b"p=tls-exporter,,", b"x" * 32, "denied", "binding"),
    ]
    for name, user, password, gs2, binding, answer, _ in cases:
        with protocol(server) as c:
            assert Scram(hash_name, user, password, gs2, binding).run(c, name) == answer, (name, gs2)
            assert c.alive()
    time.sleep(0.5)
    assert [re.search(r"reason=(\w+)", l).group(1) for l in failures(server, seen)] == [c[-1] for c in cases]


@both
def test_scram_nonce_and_order(server, protocol):
    for change in (lambda n: n + b"x", lambda n: n[:-1], lambda n: bytes([n[0] ^ 1]) + n[1:], lambda n: n[:24]):
        with protocol(server) as c:
            s = Scram("sha256", "carol@demo.test", PASSWORD)
            _, first = c.begin("SCRAM-SHA-256", s.first())
            nonce = dict(f.split(b"=", 1) for f in first.split(b","))[b"r"]
            assert c.raw(b64(s.final(first, change(nonce))))[0] == "denied"
    for final in (b"", b"c=biws", b"n,,n=carol@demo.test,r=x", b"p=AAAA", b"\0"):  # not the message that is due
        with protocol(server) as c:
            s = Scram("sha256", "carol@demo.test", PASSWORD)
            assert c.begin("SCRAM-SHA-256", s.first())[0] == "more"
            assert c.raw(b64(final))[0] == "syntax"
            assert c.alive()
    for first in (b"n,,m=x,n=carol@demo.test,r=abc", b"n,,n=carol@demo.test", b"n,,n=ca=rol,r=abc", b"", b"n,,n=\0,r=abc", b"n" * 5000):
        with protocol(server) as c:
            assert c.begin("SCRAM-SHA-256")[0] == "more"
            assert c.raw(b64(first))[0] == "syntax"
            assert c.alive()
    with protocol(server) as c:  # something behind our signature
        s = Scram("sha256", "carol@demo.test", PASSWORD)
        _, first = c.begin("SCRAM-SHA-256", s.first())
        assert c.raw(b64(s.final(first))) == ("more", s.expected)
        assert c.raw(b64(b"x"))[0] == "syntax"
        assert plain(c, "carol@demo.test", PASSWORD) == "ok"


@both
def test_scram_replay(server, protocol):
    """A proof that was overheard is worth nothing in another exchange."""
    with protocol(server) as c:
        s = Scram("sha256", "carol@demo.test", PASSWORD)
        _, first = c.begin("SCRAM-SHA-256", s.first())
        final = s.final(first)
        assert c.raw(b64(final))[0] == "more" and c.raw(b"")[0] == "ok"
    with protocol(server) as c:
        assert c.begin("SCRAM-SHA-256", s.first())[0] == "more"
        assert c.raw(b64(final))[0] == "denied"


def test_unknown_users_look_like_others(server):
    def first(user, hash_name="SHA-256"):
        with Smtp(server) as c:
            return dict(f.split(b"=", 1) for f in c.begin("SCRAM-" + hash_name, Scram("sha256", user, "x").first())[1].split(b","))
    known, ghost = first("alice@demo.test"), first("ghost@demo.test")
    assert known[b"i"] == ghost[b"i"] and len(known[b"s"]) == len(ghost[b"s"]) and len(known[b"r"]) == len(ghost[b"r"])
    assert first("alice@demo.test")[b"s"] == known[b"s"] and first("ghost@demo.test")[b"s"] == ghost[b"s"]
    assert first("ghost@demo.test", "SHA-1")[b"s"] != ghost[b"s"] != first("spectre@demo.test")[b"s"]


def test_imported_hash_gets_a_verifier(server):
    done = subprocess.run(["openssl", "passwd", "-6", "imported"], capture_output=True, text=True, check=True)
    server.command("account", "add", "old@demo.test", "--password-stdin", input="{CRYPT}%s\n" % done.stdout.strip(), check=True)

    def scram():
        with Imap(server) as c:
            return Scram("sha256", "old@demo.test", "imported").run(c, "SCRAM-SHA-256")
    assert scram() == "denied"
    with Imap(server) as c:
        assert plain(c, "old@demo.test", "imported") == "ok"
    end = time.monotonic() + 10
    while scram() != "ok":
        assert time.monotonic() < end


# ---- abuse of the exchange (mta.md section 5 item 9) ----

STARTS = [("PLAIN", None), ("LOGIN", None), ("LOGIN", b"dave@demo.test"), ("SCRAM-SHA-256", None),
          ("SCRAM-SHA-256", b"n,,n=dave@demo.test,r=abcdef"), ("OAUTHBEARER", None), ("XOAUTH2", None)]


@both
@pytest.mark.parametrize("line", [b"*", b"====", b"AGE", b"AGE=AGE=", b"A GE=", b"AGE=\t", b"!!!!", b"AGF=", b"=", b"AUTH PLAIN", b"**",
                                  b64(b"\0\0\0\0"), b64(b"\0a\0b\0c"), b64(b"\0dave@demo.test\0\xff\xfe"), b64(b"\0" * 9000), b"A" * 12284 + b"=="],
                         ids=lambda l: l[:12].decode(errors="replace"))
def test_abuse(server, protocol, line):
    """Whatever is answered, the exchange ends, is no sign-in, and the next one begins from nothing."""
    for mechanism, initial in STARTS:
        with protocol(server) as c:
            assert c.begin(mechanism, initial)[0] == "more"
            assert c.raw(line)[0] in ("syntax", "denied")
            assert c.alive()
            assert plain(c, "dave@demo.test", PASSWORD) == "ok"


@both
@pytest.mark.parametrize("size", [12286, 12288, 13000, 70000])
def test_oversized(server, protocol, size):
    for mechanism, initial in STARTS:
        with protocol(server) as c:
            assert c.begin(mechanism, initial)[0] == "more"
            assert c.raw(b"A" * size)[0] == "syntax"
            assert c.alive()
            assert plain(c, "dave@demo.test", PASSWORD) == "ok"


@both
def test_mechanism_change(server, protocol):
    """Nothing of a first exchange counts in a second one."""
    with protocol(server) as c:
        assert c.begin("LOGIN", b"erin@demo.test") == ("more", b"Password:")
        assert c.raw(b"*")[0] == "syntax"
        s = Scram("sha1", "erin@demo.test", PASSWORD)
        _, first = c.begin("SCRAM-SHA-1", s.first())
        final = s.final(first)
        assert c.raw(b"*")[0] == "syntax"
        assert c.begin("SCRAM-SHA-256")[0] == "more"
        assert c.raw(b64(final))[0] == "syntax"
        assert c.begin("LOGIN")[1] == b"Username:"
        assert c.raw(b64(PASSWORD.encode()))[1] == b"Password:"  # a name now, whatever it was before
        assert c.raw(b"*")[0] == "syntax"
        assert s.run(c, "SCRAM-SHA-1") == "ok"
        assert plain(c, "erin@demo.test", PASSWORD) != "ok" if protocol is not Smtp else c.command(b"AUTH PLAIN")[0] == 503


@both
def test_nul_fields(server, protocol):
    with protocol(server) as c:
        for message in (b"\0\0", b"\0a\0", b"\0\0b", b"a\0b", b"ab", b"\0a\0b\0", b"\0" * 3, b"\0" * 100):
            assert c.begin("PLAIN", message)[0] == "syntax"
        assert c.begin("LOGIN", b"a\0b")[0] == "syntax"
        assert c.alive()


def test_failures_end_the_session(server):
    for protocol, limit in ((Smtp, 5), (Imap, 5), (Pop3, 5)):
        with protocol(server) as c:
            answers = [c.begin("XOAUTH2", b"user=x%d@demo.test\1auth=Bearer x\1\1" % n)[0] and c.raw(b"")[0] for n in range(limit)]
            assert answers[:-1] == ["denied"] * (limit - 1)
            assert answers[-1] == "bye" or protocol is Imap


# ---- guessing ----

def test_a_thousand_failures_keep_nobody_out(server):
    """From 80 addresses at once, at one account; its owner, from where he was before and from a new address, gets in."""
    owner = "frank@demo.test"
    with Imap(server, source="127.0.77.1") as c:
        assert plain(c, owner, PASSWORD) == "ok"
    counts = {}
    lock = threading.Lock()

    def attack(part):
        for n in range(25):
            with Imap(server, source="127.0.%d.%d" % (100 + part, 1 + n % 8)) as c:
                answers = [plain(c, owner, "guess%d-%d-%d" % (part, n, k)) for k in range(4)]
            with lock:
                for answer in answers:
                    counts[answer] = counts.get(answer, 0) + 1

    threads = [threading.Thread(target=attack, args=(part,)) for part in range(10)]
    for t in threads:
        t.start()
    for n in range(10):
        with Smtp(server, source="127.0.77.1") as c:
            assert plain(c, owner, PASSWORD) == "ok"
        time.sleep(0.2)
    for t in threads:
        t.join()
    assert sum(counts.values()) == 1000 and "ok" not in counts, counts
    with Imap(server, source="127.0.77.2") as c:
        assert plain(c, owner, PASSWORD) == "ok"
    with Imap(server, source="127.0.77.1") as c:
        assert Scram("sha256", owner, PASSWORD).run(c, "SCRAM-SHA-256") == "ok"


def test_one_address_waits(server):
    """A thousand guesses from one address at many accounts: it waits, also for accounts that it did not try yet."""
    answers = []
    for n in range(30):
        with Imap(server, source="127.0.88.1") as c:
            for k in range(5):
                answers.append(plain(c, "guess%d@demo.test" % (5 * n + k), "x"))
        if answers[-1] == "later":
            break
    assert answers.count("denied") + answers.count("bye") <= 110 and answers[-1] == "later", answers
    with Imap(server, source="127.0.88.1") as c:
        assert plain(c, "grace@demo.test", PASSWORD) == "later"
    with Imap(server, source="127.0.88.2") as c:
        assert plain(c, "grace@demo.test", PASSWORD) == "ok"


# ---- access tokens ----

@both
def test_token(server, protocol):
    made = server.command("account", "token", "add", "heidi@demo.test", "--days", "30", json_out=True)
    token = made["token"].encode()
    bearer = b"n,a=heidi@demo.test,\1host=x\1port=1\1auth=Bearer " + token + b"\1\1"
    with protocol(server) as c:
        assert c.begin("OAUTHBEARER", bearer)[0] == "ok"
    with protocol(server) as c:
        assert c.begin("OAUTHBEARER", bearer.replace(b"a=heidi@demo.test", b""))[0] == "ok"
    with protocol(server) as c:
        assert c.begin("XOAUTH2", b"user=heidi@demo.test\1auth=Bearer " + token + b"\1\1")[0] == "ok"
    with protocol(server) as c:
        assert c.begin("XOAUTH2")[0] == "more"
        assert c.raw(b64(b"user=heidi@demo.test\1auth=Bearer " + token + b"\1\1"))[0] == "ok"
    with protocol(server) as c:  # RFC 7628 §3.2.3: told why, then a dummy answer
        kind, why = c.begin("OAUTHBEARER", bearer.replace(token, b"x"))
        assert (kind, why) == ("more", b'{"status":"invalid_token","scope":"mail"}')
        assert c.raw(b64(b"\1"))[0] == "denied"
        kind, why = c.begin("XOAUTH2", b"user=alice@demo.test\1auth=Bearer " + token + b"\1\1")
        assert kind == "more" and b'"status":"401"' in why
        assert c.raw(b"*")[0] == "denied"
        kind, why = c.begin("OAUTHBEARER", b"n,,\1auth=\1\1")
        assert kind == "more" and c.raw(b64(b"\1"))[0] == "denied"
        assert plain(c, "heidi@demo.test", made["token"]) == "denied"  # it is no password
    rows = server.command("account", "token", "list", "heidi@demo.test", json_out=True)["rows"]
    assert made["id"] in [r["id"] for r in rows] and made["token"] not in str(rows)
    server.command("account", "token", "remove", "heidi@demo.test", made["id"][:12], check=True)
    with protocol(server) as c:
        assert c.begin("OAUTHBEARER", bearer)[0] == "more"
    assert token.decode() not in server.log_text()


def test_token_commands(server):
    assert server.command("account", "token", "add", "ghost@demo.test").returncode == 3
    assert server.command("account", "token", "add", "heidi@demo.test", "--days", "0").returncode == 2
    assert server.command("account", "token", "remove", "heidi@demo.test", "zz").returncode == 2
    assert server.command("account", "token", "remove", "heidi@demo.test", "00ff").returncode == 3
    assert server.command("account", "token", "frob", "heidi@demo.test").returncode == 2
    done = server.command("account", "token", "add", "heidi@demo.test")
    assert re.fullmatch(r"postrider_[\w-]{43}\n", done.stdout)


# ---- certificates ----

def make_certificate(folder, name):
    certificate, key = os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=" + name, "-out", certificate, "-keyout", key], check=True, capture_output=True)
    return certificate, key


@pytest.fixture(scope="module")
def asking(tmp_path_factory):
    """A server that asks for certificates: what a demo left, served with another setting."""
    folder = str(tmp_path_factory.mktemp("asking"))
    s = Server("--accounts", "3", lab=False, directory=folder).start()
    s.stop()
    path = os.path.join(folder, "postrider.conf")
    text = open(path).read()
    assert "client_certificates = false" in text
    with open(os.path.realpath(path), "w") as f:
        f.write(text.replace("client_certificates = false", "client_certificates = true"))
    s.log = open(s.log_path, "ab")
    s.process = subprocess.Popen([BIN, "serve", "--config", path], stderr=s.log)
    s.expect('msg="sign-in failed"')
    s.folder = str(tmp_path_factory.mktemp("certificates"))
    end = time.monotonic() + 60
    while True:
        try:
            Imap(s).close()
            Smtp(s).close()
            break
        except (OSError, AssertionError):
            assert time.monotonic() < end
            time.sleep(0.2)
    s.alice = make_certificate(s.folder, "alice")
    s.command("account", "certificate", "add", "alice@demo.test", s.alice[0], check=True)
    yield s
    s.stop()


@both
def test_external(asking, protocol):
    with protocol(asking) as c:  # none: nothing is different
        assert c.mechanisms == IN_TLS
        assert c.begin("EXTERNAL", b"")[0] == "unknown"
        assert plain(c, "alice@demo.test", PASSWORD) == "ok"
    with protocol(asking, context=context_with(*make_certificate(asking.folder, "stranger"))) as c:
        assert c.mechanisms == IN_TLS
        assert c.begin("EXTERNAL", b"")[0] == "unknown"
        assert plain(c, "alice@demo.test", PASSWORD) == "ok"
    for initial in (b"", b"alice@demo.test"):
        with protocol(asking, context=context_with(*asking.alice)) as c:
            assert c.mechanisms == ["EXTERNAL"] + IN_TLS
            assert c.begin("EXTERNAL", initial)[0] == "ok"
    with protocol(asking, context=context_with(*asking.alice)) as c:
        assert c.begin("EXTERNAL", b"bob@demo.test")[0] == "denied"
        assert c.begin("EXTERNAL") == ("more", b"")
        assert c.raw(b"")[0] == "ok"


def test_external_after_starttls(asking):
    with Smtp(asking, plain=True) as c:
        assert c.command(b"STARTTLS")[0] == 220
        c.sock = context_with(*asking.alice).wrap_socket(c.sock)
        c.file = c.sock.makefile("rwb")
        c.hello()
        assert c.begin("EXTERNAL", b"")[0] == "ok"


def test_strangers_are_not_asked(asking):
    """On port 25 the handshake has no certificate request."""
    for port, asked in ((25, False), (587, True)):
        done = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % asking.port(port), "-starttls", "smtp", "-msg"],
                              input="QUIT\r\n", capture_output=True, text=True, timeout=30)
        assert ("CertificateRequest" in done.stdout + done.stderr) == asked


def test_certificate_commands(asking):
    bob = make_certificate(asking.folder, "bob")
    assert asking.command("account", "certificate", "add", "bob@demo.test", asking.alice[0]).returncode == 4
    assert asking.command("account", "certificate", "add", "bob@demo.test", "/nonexistent").returncode == 2
    print_ = subprocess.run(["openssl", "x509", "-in", bob[0], "-noout", "-fingerprint", "-sha256"], capture_output=True, text=True)
    fingerprint = print_.stdout.strip().split("=")[1]
    asking.command("account", "certificate", "add", "bob@demo.test", fingerprint, check=True)
    rows = asking.command("account", "certificate", "list", "bob@demo.test", json_out=True)["rows"]
    assert [r["id"] for r in rows] == [fingerprint.replace(":", "").lower()]
    with Imap(asking, context=context_with(*bob)) as c:
        assert c.begin("EXTERNAL", b"")[0] == "ok"
    asking.command("account", "certificate", "remove", "bob@demo.test", bob[0], check=True)
    with Imap(asking, context=context_with(*bob)) as c:
        assert "EXTERNAL" not in c.mechanisms
