"""What the queue keeps of what a sender asks for: reports (RFC 3461), times, priorities, verified TLS, LMTP hops, hold and release."""
import contextlib
import email
import email.policy
import imaplib
import re
import smtplib

import pytest

from outside import EXTENSIONS, Sink
from server import PASSWORD, Server, tls, until

SENDER = "alice@demo.test"
SOON = {"POSTRIDER_RETRY_FIRST": "1", "POSTRIDER_RETRY_MAX": "1", "POSTRIDER_DELAY_WARNING": "1"}


@contextlib.contextmanager
def relayed(environment=SOON, **sink):
    """A server all of whose foreign mail goes to one host."""
    host = Sink("127.0.0.1", port=0, **sink)
    with host, Server("--relay", "%s127.0.0.1:%d" % ("lmtp:" if host.lmtp else "", host.port), environment=environment) as server:
        server.expect("did not|failed")
        yield server, host


@contextlib.contextmanager
def submission(server, needs=()):
    with smtplib.SMTP("127.0.0.1", server.port(587), timeout=60) as s:
        s.starttls(context=tls())
        s.login(SENDER, PASSWORD)
        for extension in needs:
            assert s.has_extn(extension)
        yield s


def send(s, subject, rcpts, mail=()):
    """rcpts: {address: [parameters]}"""
    assert s.mail(SENDER, list(mail))[0] == 250
    for address, parameters in rcpts.items():
        got = s.rcpt(address, parameters)
        assert got[0] == 250, got
    message = "From: %s\r\nTo: x@far.test\r\nSubject: %s\r\n\r\nsecret body\r\n" % (SENDER, subject)
    code, text = s.data(message.encode())
    assert code == 250, text


def inbox(server, user=SENDER):
    with imaplib.IMAP4_SSL("127.0.0.1", server.port(993), ssl_context=tls()) as c:
        c.login(user, PASSWORD)
        c.select("INBOX", readonly=True)
        found = c.search(None, "ALL")[1][0].split()
        parts = c.fetch(b",".join(found), "(RFC822)")[1] if found else []
        return [email.message_from_bytes(p[1], policy=email.policy.SMTP) for p in parts if isinstance(p, tuple)]


def reports(server):
    """{final recipient: [(action, fields of the message, fields of the recipient, report)]}"""
    found = {}
    for m in inbox(server):
        if m.get_content_type() != "multipart/report":
            continue
        first, *rest = m.get_payload()[1].get_payload()
        for r in rest:
            found.setdefault(r["Final-Recipient"].split(";")[1].strip(), []).append((r["Action"], first, r, m))
    return found


def drained(server):
    until(lambda: not server.command("queue", "list", json_out=True)["messages"], "the queue does not get empty")


# ---- every combination, with a host that offers DSN and one that does not ----

NOTIFY = {"none": [], "never": ["NOTIFY=NEVER"], "success": ["NOTIFY=SUCCESS"], "failure": ["NOTIFY=FAILURE"], "delay": ["NOTIFY=DELAY"],
          "all": ["NOTIFY=SUCCESS,FAILURE,DELAY"]}


def expected(notify, outcome, dsn):
    wants = {"none": {"failed", "delayed"}, "never": set(), "success": {"relayed"}, "failure": {"failed"}, "delay": {"delayed"},
             "all": {"relayed", "failed", "delayed"}}[notify]
    happens = {"taken": [] if dsn else ["relayed"], "refused": ["failed"], "late": ["delayed"] + ([] if dsn else ["relayed"])}[outcome]
    return [h for h in happens if h in wants]


@pytest.mark.parametrize("dsn", [True, False], ids=["with DSN", "without"])
def test_every_combination(dsn):
    say = {}
    for n in NOTIFY:
        say["%s-refused@far.test" % n] = "550 5.1.1 no such person"
        say["%s-late@far.test" % n] = ["452 4.2.2 full"] * 3 + ["250 2.1.5 ok"]
    extensions = EXTENSIONS + (("DSN",) if dsn else ())
    with relayed(extensions=extensions, say={"RCPT": say}) as (server, host):
        with submission(server, ["dsn"]) as s:
            for n, parameters in NOTIFY.items():
                for outcome in ("taken", "refused", "late"):
                    address = "%s-%s@far.test" % (n, outcome)
                    send(s, "one", {address: parameters + ["ORCPT=rfc822;asked+2B%s@list.test" % n]}, ["RET=HDRS", "ENVID=id+2B1"])
        drained(server)
        drained(server)
        got = reports(server)
        for n in NOTIFY:
            for outcome in ("taken", "refused", "late"):
                address = "%s-%s@far.test" % (n, outcome)
                mine = got.pop(address, [])
                assert sorted(m[0] for m in mine) == sorted(expected(n, outcome, dsn)), (address, [m[0] for m in mine])
                for _, first, fields, m in mine:
                    assert first["Original-Envelope-Id"] == "id+1"
                    assert fields["Original-Recipient"] == "rfc822; asked+%s@list.test" % n
                    assert "secret body" not in m.as_string()
        assert got == {}
        told = [c for c in host.commands if re.match("RCPT TO:<all-taken", c)]
        assert told == ["RCPT TO:<all-taken@far.test>" + (" NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;asked+2Ball@list.test" if dsn else "")]
        mails = {c for c in host.commands if c.startswith("MAIL")}
        assert all((" RET=HDRS ENVID=id+2B1" in c) == dsn for c in mails), mails


def test_local_and_lists():
    with Server(environment=SOON) as server:
        server.command("alias", "add", "list@demo.test", "alice@demo.test", "bob@demo.test", check=True)
        server.command("alias", "add", "one@demo.test", "bob@demo.test", check=True)
        with submission(server, ["dsn"]) as s:
            send(s, "local", {"bob@demo.test": ["NOTIFY=SUCCESS"], "one@demo.test": ["NOTIFY=SUCCESS"]})
            send(s, "one", {"one@demo.test": ["NOTIFY=SUCCESS,FAILURE"]})
            send(s, "list", {"list@demo.test": ["NOTIFY=SUCCESS"]})
            send(s, "never", {"bob@demo.test": ["NOTIFY=NEVER"]})
        drained(server)
        got = reports(server)
        assert sorted(m[0] for m in got.pop("bob@demo.test")) == ["delivered", "delivered"]
        assert [m[0] for m in got.pop("list@demo.test")] == ["expanded"]
        assert [m[0] for m in got.pop("one@demo.test")] == ["expanded"]  # its only target had the message by the other recipient
        assert got == {}
        subjects = [m["Subject"] for m in inbox(server, "bob@demo.test")]
        assert sorted(s for s in subjects if not s.startswith("Hello from")) == ["list", "local", "never", "one"]


def test_no_report_without_sender():
    with relayed(say={"RCPT": {"gone@far.test": "550 5.1.1 no"}}) as (server, _):
        with submission(server, ["dsn"]) as s:
            assert s.mail("")[0] == 250
            assert s.rcpt("gone@far.test", ["NOTIFY=FAILURE,SUCCESS"])[0] == 250
            assert s.data(b"From: alice@demo.test\r\nSubject: x\r\n\r\nx\r\n")[0] == 250
        drained(server)
        assert reports(server) == {}


# ---- times ----

def test_held_back():
    with relayed() as (server, host):
        with submission(server, ["futurerelease"]) as s:
            send(s, "later", {"bob@far.test": []}, ["HOLDFOR=3600"])
        row = server.command("queue", "list", json_out=True)["messages"][0]
        assert row["state"] == "waiting" and row["reason"].startswith("Held back until")
        shown = server.command("queue", "show", row["id"], json_out=True)
        assert shown["begins_ms"] - shown["received_ms"] in range(3500000, 3700000)
        assert "held back by its sender until" in server.command("queue", "show", row["id"]).stdout
        assert server.command("queue", "retry", "--all", json_out=True)["count"] == 0
        assert host.connections == 0
        assert server.command("queue", "retry", row["id"], json_out=True)["count"] == 1
        host.wait()
        drained(server)


def test_deliver_by_and_priority():
    with relayed(extensions=EXTENSIONS + ("DELIVERBY 10", "MT-PRIORITY")) as (server, host):
        with submission(server, ["deliverby", "mt-priority"]) as s:
            send(s, "timed", {"bob@far.test": []}, ["BY=3600;RT", "MT-PRIORITY=3"])
        host.wait()
        mail = [c for c in host.commands if c.startswith("MAIL")][0]
        left = re.search(r" BY=(\d+);RT MT-PRIORITY=3", mail)
        assert left and 3500 < int(left[1]) <= 3600, mail
        drained(server)
    with relayed() as (server, host):
        with submission(server, ["deliverby"]) as s:
            send(s, "back", {"r@far.test": []}, ["BY=3600;R"])
            send(s, "told", {"n@far.test": []}, ["BY=3600;N"])
        drained(server)
        got = reports(server)
        assert [(m[0], m[2]["Status"]) for m in got["r@far.test"]] == [("failed", "5.3.3")]
        assert [m[0] for m in got["n@far.test"]] == ["relayed"]
        assert [t.rcpts for t in host.taken] == [["n@far.test"]]


def test_requiretls():
    with relayed(extensions=EXTENSIONS + ("REQUIRETLS",)) as (server, host):
        with submission(server, ["requiretls"]) as s:
            send(s, "secret", {"bob@far.test": []}, ["REQUIRETLS"])
        drained(server)
        (action, _, fields, m), = reports(server)["bob@far.test"]
        assert action == "failed" and fields["Status"] == "5.7.10" and "secret body" not in m.as_string()
        assert host.taken == []


# ---- LMTP, and the administrator's commands ----

def test_lmtp_relay():
    say = {"RCPT": {"b@far.test": "550 5.1.1 no"}, "dot": {"c@far.test": ["452 4.2.2 full", "250 2.0.0 ok"], "d@far.test": "554 5.7.1 spam"}}
    with relayed(lmtp=True, say=say) as (server, host):
        with submission(server) as s:
            send(s, "each", {a + "@far.test": [] for a in "abcd"})
        drained(server)
        assert [t.rcpts for t in host.taken] == [["a@far.test"], ["c@far.test"]]
        assert "LHLO mail.demo.test" in host.commands and not any(c.startswith("EHLO") for c in host.commands)
        got = reports(server)
        assert {a: m[0][2]["Status"] for a, m in got.items() if m[0][0] == "failed"} == {"b@far.test": "5.1.1", "d@far.test": "5.7.1"}


def test_hold_and_release():
    with relayed({}, say={"RCPT": {"bob@far.test": ["452 4.2.2 full", "250 ok"], "carl@far.test": ["452 4.2.2 full", "250 ok"]}}) as (server, host):
        with submission(server) as s:
            send(s, "a", {"bob@far.test": []})
            send(s, "b", {"carl@far.test": []})
        ask = lambda *words: server.command("queue", *words, json_out=True)
        until(lambda: all(m["state"] == "waiting" and m["reason"].startswith("452") for m in ask("list")["messages"]), "they are not deferred")
        assert ask("hold", "--to", "bob@")["count"] == 1
        held, = ask("list", "--to", "bob@")["messages"]
        assert (held["state"], held["reason"]) == ("held", "Held by an administrator")
        assert ask("retry", "--to", "carl@")["count"] == 1
        host.wait(1)
        until(lambda: len(ask("list")["messages"]) == 1, "carl's message does not go")
        assert ask("release", "--from", "nobody@")["count"] == 0
        assert server.command("queue", "release").returncode == server.command("queue", "hold", "--all", "--to", "x").returncode == 2
        assert ask("release", held["id"])["count"] == 1
        host.wait(2)
        drained(server)


def test_controls_are_escaped():
    """C1 controls and DEL in what strangers chose do not reach a terminal, in JSON neither."""
    with relayed({}, say={"RCPT": {"bob@far.test": "452 4.2.2 a\u009b31mb\x7fc"}}) as (server, _):
        with submission(server) as s:
            send(s, "a", {"bob@far.test": []})
        until(lambda: any("452" in m["reason"] for m in server.command("queue", "list", json_out=True)["messages"]), "it is not deferred")
        done = server.command("queue", "list", "--json")
        assert not re.search("[\x7f-\x9f]", done.stdout)
        assert server.command("queue", "remove", "--all", json_out=True)["count"] == 1
