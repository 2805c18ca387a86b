"""Rules of routes, and signing in to smarthosts: real processes, scripted hosts on loopback."""
import imaplib
import json
import smtplib

import pytest

from server import PASSWORD, Server, tls, until
from smarthost import Smarthost

USER, SECRET = "us@smart.test", "s=e,cret \u00fc"


@pytest.fixture(scope="module")
def server():
    """Quick to try again. What goes nowhere by a rule fails at once: there is no DNS."""
    s = Server("--accounts", "8", environment={"POSTRIDER_RETRY_FIRST": "1", "POSTRIDER_RETRY_MAX": "2"}).start()
    yield s
    s.stop()


@pytest.fixture(autouse=True)
def no_rules(server):
    yield
    for r in server.command("route", "list", json_out=True)["rules"]:
        server.command("route", "remove", "--to", r["to"], "--from", r["from"], check=True)
    server.command("queue", "remove", "--all")


def route(server, *words, secret=None, command="add"):
    return server.command("route", command, *words, input=secret, check=True)


def send(server, rcpt, subject="x", user="alice@demo.test", sender=None):
    with smtplib.SMTP("127.0.0.1", server.port(587), timeout=60) as s:
        s.starttls(context=tls())
        s.login(user, PASSWORD)
        assert s.sendmail(sender or user, [rcpt], "From: %s\r\nTo: %s\r\nSubject: %s\r\n\r\nHello.\r\n" % (user, rcpt, subject)) == {}


def waiting(server, rcpt):
    """The answer that its only message there waits with, once it was tried."""
    def tried():
        for row in server.command("queue", "list", json_out=True)["messages"]:
            for r in server.command("queue", "show", row["id"], json_out=True).get("recipients", ()):
                if r["address"] == rcpt and r["attempts"] and r["answer"]:
                    return r["answer"]
    return until(tried, "nothing waits for " + rcpt)


def subjects(server, user):
    with imaplib.IMAP4_SSL("127.0.0.1", server.port(993), ssl_context=tls()) as c:
        c.login(user, PASSWORD)
        c.select("INBOX", readonly=True)
        numbers = c.search(None, "ALL")[1][0].split()
        found = c.fetch(b",".join(numbers), "(BODY[HEADER.FIELDS (SUBJECT)])")[1] if numbers else []
        return [p[1].decode().strip().partition(": ")[2] for p in found if isinstance(p, tuple)]


# ---- signing in ----

@pytest.mark.parametrize("offered,used", [
    (["PLAIN", "LOGIN"], "PLAIN"), (["LOGIN"], "LOGIN"), (["PLAIN", "SCRAM-SHA-1"], "SCRAM-SHA-1"),
    (["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"], "SCRAM-SHA-256"),
])
def test_mechanisms(server, offered, used):
    with Smarthost({USER: SECRET}, offered) as host:
        route(server, "--to", "far.example", "--via", host.hop, "--user", USER, "--password-stdin", secret=SECRET + "\n")
        send(server, "bob@far.example")
        taken = host.wait()[0]
        assert taken.sender.user == USER and taken.tls and taken.sender == "alice@demo.test" and taken.rcpts == ["bob@far.example"]
        assert host.signed_in == [(used, USER)]


def test_channel_binding(server):
    with Smarthost({USER: SECRET}, ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"], tls12=True) as host:
        route(server, "--to", "far.example", "--via", host.hop, "--user", USER, "--password-stdin", secret=SECRET + "\n")
        send(server, "bob@far.example")
        assert host.wait()[0].sender.user == USER
        assert host.tries == ["SCRAM-SHA-256-PLUS"]


@pytest.mark.parametrize("offered", [["PLAIN", "XOAUTH2"], ["PLAIN", "OAUTHBEARER", "XOAUTH2"]])
def test_token(server, offered):
    with Smarthost({USER: "ya29.token"}, offered) as host:
        route(server, "--to", "far.example", "--via", host.hop, "--oauth-stdin", secret=json.dumps({"user": USER, "access_token": "ya29.token"}))
        send(server, "bob@far.example")
        assert host.wait()[0].sender.user == USER
        assert host.tries == [offered[1]]


def test_no_password_in_clear(server):
    with Smarthost({USER: SECRET}, ["PLAIN", "LOGIN"], tls=None, clear=True) as host:
        route(server, "--to", "far.example", "--via", host.hop, "--user", USER, "--password-stdin", "--tls", "may", secret=SECRET + "\n")
        send(server, "bob@far.example")
        assert "safe without TLS" in waiting(server, "bob@far.example")
        assert host.tries == [] and not any("AUTH" in c for c in host.commands)
        host.mechanisms = ["PLAIN", "SCRAM-SHA-256"]
        assert host.wait()[0].sender.user == USER
        assert host.tries == ["SCRAM-SHA-256"]


def test_wrong_password(server):
    """Nothing bounces; the log says it; the host is not asked again and again; the right one is used at once."""
    server.expect("a host refuses our credentials")
    with Smarthost({USER: SECRET}, ["PLAIN"]) as host:
        route(server, "--to", "far.example", "--via", host.hop, "--user", USER, "--password-stdin", secret="wrong\n")
        send(server, "bob@far.example")
        assert "wrong user or password" in waiting(server, "bob@far.example")
        assert "a host refuses our credentials" in server.log_text() and "wrong user or password" in server.log_text()
        send(server, "carol@far.example")
        assert "Not tried again yet" in waiting(server, "carol@far.example")
        assert len(host.tries) == 1
        route(server, "--to", "far.example", "--user", USER, "--password-stdin", secret=SECRET + "\n", command="set")
        server.command("queue", "retry", "--all", check=True)
        assert sorted(r for t in host.wait(2) for r in t.rcpts) == ["bob@far.example", "carol@far.example"]


def test_no_auth_offered(server):
    with Smarthost({}, []) as host:
        route(server, "--to", "far.example", "--via", host.hop, "--user", USER, "--password-stdin", secret=SECRET + "\n")
        send(server, "bob@far.example")
        assert "does not offer to sign in" in waiting(server, "bob@far.example")
        assert host.taken == []


# ---- rules ----

def test_by_sender(server):
    """Each organisation through its own host; reports (null sender) through a third; what is changed holds for mail that waits."""
    with Smarthost({"a": "1"}) as one, Smarthost({"b": "2"}) as two, Smarthost({"c": "3"}) as null:
        route(server, "--from", "alice@demo.test", "--via", one.hop, "--user", "a", "--password-stdin", secret="1\n")
        route(server, "--from", "demo.test", "--via", two.hop, "--user", "b", "--password-stdin", secret="2\n")
        route(server, "--to", ".null.example", "--from", "<>", "--via", null.hop, "--user", "c", "--password-stdin", secret="3\n")
        send(server, "x@far.example", user="alice@demo.test")
        send(server, "x@far.example", user="bob@demo.test")
        assert (one.wait()[0].sender, two.wait()[0].sender) == ("alice@demo.test", "bob@demo.test")
        assert (one.taken[0].sender.user, two.taken[0].sender.user) == ("a", "b")
        with smtplib.SMTP("127.0.0.1", server.port(25), timeout=60) as s:  # mail for our own people stays here
            s.ehlo("elsewhere.test")
            assert s.sendmail("carol@demo.test", ["dave@demo.test"], "Subject: local\r\n\r\nx\r\n") == {}
        until(lambda: "local" in subjects(server, "dave@demo.test"), "mail for our own people is not here")
        two.close()
        send(server, "y@far.example", user="bob@demo.test")
        waiting(server, "y@far.example")
        route(server, "--from", "demo.test", "--via", one.hop, "--user", "a", "--password-stdin", secret="1\n", command="set")
        assert one.wait(2)[1].sender == "bob@demo.test"
        assert null.taken == []


def test_list_and_secrets(server):
    route(server, "--to", "b.example", "--via", "mx.b.example:25", "--tls", "verify", "--source", "192.0.2.7", "--source", "2001:db8::7", "--helo",
          "out.demo.test", "--connections", "3", "--rate", "100/1m")
    route(server, "--from", "demo.test", "--via", "smart.example:587", "--user", USER, "--password-stdin", secret="Tr0ub4dor\n")
    rules = server.command("route", "list", json_out=True)
    assert rules == {"v": 1, "rules": [
        {"to": "*", "from": "demo.test", "via": "smart.example:587", "user": USER},
        {"to": "b.example", "from": "*", "via": "mx.b.example:25", "tls": "verify", "source4": "192.0.2.7", "source6": "2001:db8::7",
         "helo": "out.demo.test", "connections": 3, "rate": {"messages": 100, "seconds": 60}}]}
    text = server.command("route", "list", check=True).stdout
    assert "rate 100/60s" in text and "user " + USER in text
    dry = server.command("route", "x@far.example", "--from", "alice@demo.test", json_out=True)
    assert dry["targets"][0]["next_hop"] == "smart.example:587"
    assert dry["targets"][0]["hop"] == {"tls": "verify", "source4": "", "source6": "", "helo": "", "login": True, "connections": 0, "rate": 0, "rate_s": 0}
    assert {"what": "route", "text": "next hop smart.example:587: rule to * from demo.test"} in dry["steps"]
    dry = server.command("route", "x@b.example", "--from", "alice@demo.test", check=True).stdout
    assert "next hop mx.b.example:25: rule to b.example from *" in dry and "signs in" not in dry and "send       x@b.example by mx.b.example:25" in dry
    for place in (text, json.dumps(rules), dry, server.log_text()):
        assert "Tr0ub" not in place


@pytest.mark.parametrize("words,code,said", [
    (["--to", "x.example"], 2, "says nothing"),
    (["--to", "x..example", "--via", "a.test:25"], 2, "--to x..example"),
    (["--to", "<>", "--via", "a.test:25"], 2, "--to <>"),
    (["--via", "a.test"], 2, "next hop"),
    (["--tls", "maybe"], 2, "--tls maybe"),
    (["--source", "host.example"], 2, "IP address"),
    (["--source", "192.0.2.1", "--source", "192.0.2.2"], 2, "each family"),
    (["--helo", "not a name"], 2, "HELO"),
    (["--rate", "100"], 2, "--rate"),
    (["--rate", "1/2d"], 2, "--rate"),
    (["--connections", "0"], 2, "connections"),
    (["--user", "u", "--password-stdin"], 2, "--via"),
    (["--via", "a.test:587", "--password-stdin"], 2, "--user NAME"),
    (["--via", "a.test:587", "--tls", "never", "--user", "u", "--password-stdin"], 2, "in clear"),
    (["--via", "192.0.2.1:587", "--user", "u", "--password-stdin"], 2, "certificate"),
    (["--via", "a.test:587", "--oauth-stdin"], 2, "JSON"),
    (["--to", "alice@demo.test", "--via", "a.test:25"], 5, "delivered here"),
])
def test_refused(server, words, code, said):
    done = server.command("route", "add", *words, input="pw\n")
    assert done.returncode == code and said in done.stderr, done.stderr
    assert server.command("route", "list", json_out=True)["rules"] == []


@pytest.mark.parametrize("text", [
    "", "[]", "{", '{"user": "u"}', '{"user": "u", "access_token": "a", "refresh_token": "b"}', '{"user": 1, "access_token": "a"}',
    '{"user": "u", "user": "v", "access_token": "a"}', '{"user": "u", "access_token": "a", "more": "x"}',
    '{"user": "u", "refresh_token": "r", "client_id": "c", "token_endpoint": "http://a.test/t"}',
    '{"user": "u", "access_token": "a b"}', '{"user": "u", "access_token": "%s"}' % ("x" * 5000), " " * 20000,
])
def test_oauth_refused(server, text):
    done = server.command("route", "add", "--via", "a.test:587", "--oauth-stdin", input=text)
    assert done.returncode == 2 and server.command("route", "list", json_out=True)["rules"] == []


def test_exit_codes(server):
    route(server, "--to", "x.example", "--via", "a.test:25")
    assert server.command("route", "add", "--to", "X.example", "--via", "b.test:25").returncode == 4
    assert server.command("route", "set", "--to", "y.example", "--via", "b.test:25").returncode == 3
    assert server.command("route", "remove", "--to", "y.example").returncode == 3
    assert server.command("route", "set", "--to", "x.example").returncode == 2
    assert server.command("route", "set", "--to", "x.example", "--unset", "speed").returncode == 2
    route(server, "--to", "x.example", "--helo", "h.test", "--unset", "via", command="set")
    told = server.command("route", "set", "--to", "x.example", "--unset", "helo")
    assert told.returncode == 2 and "route remove" in told.stderr
    assert server.command("route", "list", json_out=True)["rules"] == [{"to": "x.example", "from": "*", "helo": "h.test"}]
