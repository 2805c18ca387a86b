"""Who a recipient is, where mail goes and why: lists, relay domains and probes, forwards with SRS, rewriting, delegation, quotas, `route`;
and what must never be relayed. Real processes, scripted hosts (outside.py), in a network namespace."""
import contextlib
import email
import email.policy
import json
import os
import re
import smtplib
import tempfile
import time

import pytest

from outside import Sink
from peers import Smtp
from server import Server, until
from test_outward import Domain, hand_in, messages, session, submit, text
from test_reload import Served

INNER = "inner.test"
INNER_HOST = "10.9.0.240"
EXIT_UNKNOWN, EXIT_DENIED, EXIT_LATER = 3, 5, 75


@pytest.fixture(scope="module")
def server(dns):
    s = Server("--accounts", "10", "--dns", "10.9.0.53@53", lab=False,
               environment={"POSTRIDER_RETRY_FIRST": "1", "POSTRIDER_RETRY_MAX": "2"}).start()
    s.expect('msg="sender refused"')
    for words in ("alias add staff@demo.test alice@demo.test bob@demo.test --from members --from boss@far.test",
                  "alias add all@demo.test staff@demo.test carol@demo.test",
                  "domain add second.test", "alias add info@second.test dave@demo.test"):
        s.command(*words.split(), check=True)
    yield s
    s.stop()


def rcpt(server, to, sender="x@far.test", user=None):
    """Code and text of the answer to RCPT."""
    with contextlib.ExitStack() as stack:
        s = stack.enter_context(session(server, user) if user else smtplib.SMTP("127.0.0.1", server.port(25), timeout=60))
        s.ehlo("elsewhere.test")
        assert s.mail(sender)[0] == 250
        code, said = s.rcpt(to)
        return code, said.decode()


def route(server, address, *more):
    """Exit code and the answer of the dry run."""
    done = server.command("route", address, *more, "--json")
    return done.returncode, json.loads(done.stdout) if done.stdout else None


# ---- lists ----

def test_closed_list(server):
    for to in ("staff@demo.test", "STAFF+x@demo.test", "all@demo.test"):
        for sender in ("x@far.test", "", "alice@demo.test"):  # anybody can say that he is alice
            code, said = rcpt(server, to, sender)
            assert code == 550 and said.startswith("5.7.2"), (to, sender, said)
        assert rcpt(server, to, "boss@far.test")[0] == 250
        assert rcpt(server, to, "alice@demo.test", "alice@demo.test")[0] == 250
        assert rcpt(server, to, "carol@demo.test", "carol@demo.test")[0] == 550
        assert rcpt(server, to, "", "alice@demo.test")[0] == 550
    server.command("alias", "policy", "staff@demo.test", "--from", "domain", check=True)
    assert rcpt(server, "staff@demo.test", "carol@demo.test", "carol@demo.test")[0] == 250
    rows = {r["from"]: r for r in server.command("alias", "list", json_out=True)["aliases"]}
    assert rows["staff@demo.test"]["policy"] == ["domain"] and "policy" not in rows["all@demo.test"]
    server.command("alias", "policy", "staff@demo.test", "--from", "members", "--from", "boss@far.test", check=True)
    submit(server, "all@demo.test", "to all")
    for user in ("alice", "bob", "carol"):
        assert wait_subject(server, user + "@demo.test", "to all")


def wait_subject(server, user, subject, count=1, seconds=30):
    """The messages of that subject, as soon as there are so many."""
    for _ in range(seconds * 5):
        found = [m for m in messages(server.port(993), user) if m["Subject"] == subject]
        if len(found) >= count:
            return found
        time.sleep(0.2)
    raise AssertionError("%s has no %r" % (user, subject))


# ---- forwards ----

def test_srs(server, dns):
    with Domain(dns) as friend, Domain(dns) as author:
        server.command("alias", "add", "fwd@second.test", friend.address(), "dave@demo.test", check=True)
        sender = author.address("Ann.Mixed")
        hand_in(server, sender, ["fwd@second.test"], text("fwd@second.test", "forwarded", sender=sender))
        taken = friend.sink.wait()[0]
        assert taken.rcpts == [friend.address()]
        assert re.fullmatch(r"SRS0=[a-z2-7]{6}=[a-z2-7]{2}=%s=Ann\.Mixed@second\.test" % re.escape(author.name), taken.sender), taken.sender
        # Who has it here sees who sent it.
        assert wait_subject(server, "dave@demo.test", "forwarded")[0]["Return-Path"] == "<%s>" % sender
        # A report comes back, and finds the author. In lower case too.
        for address in (taken.sender, taken.sender.lower()):
            assert rcpt(server, address, "")[0] == 250
        hand_in(server, "", [taken.sender], text(taken.sender, "report", sender="mailer-daemon@far.test"))
        back = author.sink.wait()[0]
        assert (back.sender, back.rcpts) == ("", [sender])
        # Only reports, and only what we have made.
        assert rcpt(server, taken.sender, "x@far.test")[0] == 550
        forged = taken.sender.replace("Ann.Mixed", "Bob")
        assert rcpt(server, forged, "") == (550, "5.1.1 No such recipient")
        # Another host of ours, another domain: not this one.
        assert rcpt(server, taken.sender.replace("second.test", "far.test"), "")[0] == 550
        # An author of ours keeps his name, direct mail too, and the null path stays null.
        submit(server, "fwd@second.test", "by alice")
        assert friend.sink.wait(2)[1].sender == "alice@demo.test"
        submit(server, friend.address(), "direct")
        assert friend.sink.wait(3)[2].sender == "alice@demo.test"
        hand_in(server, "", ["fwd@second.test"], text("fwd@second.test", "null", sender="x@far.test"))
        assert friend.sink.wait(4)[3].sender == ""


def test_srs_later_rounds(server, dns):
    """The reverse-path of a forward that is deferred stays, and a report of its failure goes to the author, not to ourselves."""
    with Domain(dns, say={"RCPT": {}}) as friend, Domain(dns) as author:
        friend.sink.say["RCPT"] = {friend.address(): ["450 4.2.1 later", "450 4.2.1 later", "550 5.1.1 gone"]}
        server.command("alias", "add", "late@second.test", friend.address(), "dave@demo.test", check=True)
        hand_in(server, author.address(), ["late@second.test"], text("late@second.test", "late", sender=author.address()))
        report = author.sink.wait(1, 60)[0]
        assert (report.sender, report.rcpts) == ("", [author.address()])
        paths = [c for c in friend.sink.commands if c.startswith("MAIL")]
        assert len(paths) == 3 and len(set(p.split(">")[0] for p in paths)) == 1 and "SRS0=" in paths[0]


def test_backscatter(server, dns):
    """Refused at the door, so nobody is bothered with a report; a null sender's failure makes none."""
    with Domain(dns) as author, Domain(dns, say={"RCPT": {}}) as friend:
        before = server.command("status", json_out=True)["queue"]
        for to in ("nobody@demo.test", "staff@demo.test", "x@far.test", "SRS0=aaaaaa=aa=%s=ann@demo.test" % author.name):
            assert rcpt(server, to, author.address())[0] == 550
        server.command("alias", "add", "cold@second.test", friend.address("cold"), check=True)
        friend.sink.say["RCPT"] = {friend.address("cold"): "550 5.1.1 nobody"}
        hand_in(server, "", ["cold@second.test"], text("cold@second.test", "null", sender="x@far.test"))
        friend.sink.wait_for(lambda s: any(c.startswith("RCPT") for c in s.commands))
        for _ in range(100):
            if server.command("status", json_out=True)["queue"]["messages"] == before["messages"]:
                break
            time.sleep(0.1)
        assert server.command("status", json_out=True)["queue"]["messages"] == before["messages"]
        assert author.sink.taken == []


def test_loops(server, dns):
    """Circles of aliases cannot be made; forwards between two hosts end by their hops, with one report, not with a storm."""
    server.command("alias", "add", "a1@demo.test", "a2@demo.test", check=True)
    server.command("alias", "add", "a2@demo.test", "a3@demo.test", check=True)
    assert server.command("alias", "add", "a3@demo.test", "a1@demo.test").returncode == 1
    assert rcpt(server, "a1@demo.test")[0] == 550  # it leads to nobody
    with Domain(dns) as author, Domain(dns) as friend:
        server.command("alias", "add", "ring@second.test", friend.address("ring"), check=True)
        hops = "".join("Received: from a by b; Sat, 21 Nov 2026 08:00:00 +0000\r\n" for _ in range(49))
        message = hops + text("ring@second.test", "ring", sender=author.address())
        hand_in(server, author.address(), ["ring@second.test"], message)  # with ours: 50
        assert friend.sink.wait(1)[0].sender.startswith("SRS0=")
        with pytest.raises(smtplib.SMTPDataError) as e:  # and it comes back from there
            hand_in(server, friend.sink.taken[0].sender, ["ring@second.test"], friend.sink.taken[0].content)
        assert e.value.smtp_code == 554 and b"5.4.6" in e.value.smtp_error


# ---- relay domains ----

def test_relay_domain(server, dns):
    with Sink(INNER_HOST, "inner-host.test") as inner:
        server.command("domain", "add", INNER, "--relay", INNER_HOST + ":25", "--verify", "probe", check=True)
        inner.say["RCPT"] = {"nobody@" + INNER: "550 5.1.1 nobody", "later@" + INNER: "450 4.2.1 greylisted"}
        try:
            # There: asked once, then known; its letter case and its plus are its own business.
            for _ in range(3):
                assert rcpt(server, "Ann+x@" + INNER)[0] == 250
            assert [c for c in inner.commands if "Ann" in c] == ["RCPT TO:<Ann+x@%s>" % INNER]
            assert inner.commands[-2:] == ["RCPT TO:<Ann+x@%s>" % INNER, "QUIT"] and "MAIL FROM:<>" in inner.commands
            for _ in range(3):
                code, said = rcpt(server, "nobody@" + INNER)
                assert code == 550 and said.startswith("5.1.1")
            assert len([c for c in inner.commands if "nobody" in c]) == 1
            code, said = rcpt(server, "later@" + INNER)
            assert code == 450 and said.startswith("4.1.1")
            assert not any(c.startswith("DATA") for c in inner.commands)
            # Taken, and handed on under the author's own name: it is not we who forward it.
            hand_in(server, "x@far.test", ["Ann+x@" + INNER], text("Ann+x@" + INNER, "inside", sender="x@far.test"))
            taken = inner.wait()[0]
            assert (taken.sender, taken.rcpts) == ("x@far.test", ["Ann+x@" + INNER])
            code, answer = route(server, "Ann+x@" + INNER)
            assert code == 0 and answer["kind"] == "relay" and answer["targets"][0]["next_hop"] == INNER_HOST + ":25"
            assert route(server, "nobody@" + INNER)[0] == EXIT_UNKNOWN
        finally:
            inner.close()
    # The host is gone: what is known stays known, the rest must come again.
    assert rcpt(server, "Ann+x@" + INNER)[0] == 250
    assert rcpt(server, "new@" + INNER)[0] == 450
    rows = {r["domain"]: r for r in server.command("domain", "list", json_out=True)["domains"]}
    assert (rows[INNER]["kind"], rows[INNER]["relay"], rows[INNER]["verify"]) == ("relay", INNER_HOST + ":25", "probe")
    assert rows["demo.test"]["kind"] == "local"
    server.command("domain", "remove", INNER, check=True)
    assert rcpt(server, "Ann+x@" + INNER) == (550, "5.7.1 Relaying denied: not a domain of ours, and not signed in")


def test_backup_mx(server, dns):
    """Without a host of its own: by MX, to those that are better than we are."""
    with Domain(dns) as primary:
        dns.zone[primary.name]["MX"].append((20, "mail.demo.test"))
        dns.zone["mail.demo.test"] = {"A": ["127.0.0.1"]}
        server.command("domain", "add", primary.name, "--relay", check=True)
        hand_in(server, "x@far.test", [primary.address()], text(primary.address(), "backup", sender="x@far.test"))
        assert primary.sink.wait()[0].rcpts == [primary.address()]
        server.command("domain", "remove", primary.name, check=True)


# ---- rewriting, delegation ----

def test_rewrite(server, dns):
    with Domain(dns) as friend:
        server.command("rewrite", "add", "erin@demo.test", "erin.brand@second.test", "--sender", check=True)
        server.command("rewrite", "add", "@alias." + friend.name, "@" + friend.name, "--recipient", check=True)
        server.command("rewrite", "add", "oldinfo@demo.test", "info@second.test", "--recipient", check=True)
        try:
            submit(server, ["bob@alias." + friend.name], "rewritten", user="erin@demo.test")
            taken = friend.sink.wait()[0]
            m = email.message_from_bytes(taken.content, policy=email.policy.default)
            assert (taken.sender, taken.rcpts) == ("erin.brand@second.test", ["bob@" + friend.name])
            assert m["From"].addresses[0].addr_spec == "erin.brand@second.test"
            assert m["To"].addresses[0].addr_spec == "bob@" + friend.name
            # A stranger's header is not ours to touch; his recipients are found all the same.
            hand_in(server, "erin@demo.test", ["oldinfo@demo.test"], text("oldinfo@demo.test", "stranger", sender="erin@demo.test"))
            m = wait_subject(server, "dave@demo.test", "stranger")[0]
            assert (m["From"], m["To"]) == ("erin@demo.test", "oldinfo@demo.test")
            assert rcpt(server, "bob@alias." + friend.name)[0] == 550  # and no rule makes a relay
            rules = server.command("rewrite", "list", json_out=True)["rules"]
            assert {"from": "erin@demo.test", "to": "erin.brand@second.test", "scope": "sender"} in rules and len(rules) == 3
            assert server.command("rewrite", "add", "erin@demo.test", "x@second.test").returncode == 4
        finally:
            server.command("rewrite", "remove", "erin@demo.test", "--sender", check=True)
            server.command("rewrite", "remove", "@alias." + friend.name, check=True)
            server.command("rewrite", "remove", "oldinfo@demo.test", check=True)
        assert server.command("rewrite", "remove", "erin@demo.test").returncode == EXIT_UNKNOWN


def send_as(server, user, path, header):
    """The code that a message with this header gets."""
    with session(server, user) as s:
        code, _ = s.mail(path)
        if code != 250:
            return code
        assert s.rcpt("heidi@demo.test")[0] == 250
        return s.data(header + "Subject: as\r\n\r\nx\r\n")[0]


def test_delegation(server):
    frank, grace = "frank@demo.test", "grace@demo.test"
    own, both = "From: grace@demo.test\r\n", "From: grace@demo.test\r\nSender: frank@demo.test\r\n"
    assert (send_as(server, frank, frank, own), send_as(server, frank, frank, both), send_as(server, frank, grace, own)) == (553, 553, 553)
    server.command("account", "delegate", "add", grace, frank, "--on-behalf", check=True)
    assert (send_as(server, frank, frank, own), send_as(server, frank, frank, both), send_as(server, frank, grace, own)) == (553, 250, 553)
    server.command("account", "delegate", "add", grace, frank, "--send-as", check=True)
    assert (send_as(server, frank, frank, own), send_as(server, frank, frank, both), send_as(server, frank, grace, own)) == (250, 250, 250)
    rows = server.command("account", "delegate", "list", grace, json_out=True)["delegates"]
    assert rows == [{"account": grace, "to": frank, "right": "send-as"}]
    server.command("account", "delegate", "remove", grace, frank, check=True)
    assert send_as(server, frank, frank, both) == 553
    assert server.command("account", "delegate", "add", grace, frank).returncode == 2
    assert server.command("account", "delegate", "add", grace, "nobody@demo.test", "--send-as").returncode == EXIT_UNKNOWN


# ---- quotas ----

def test_quota(server):
    user = "user9@demo.test"
    body = "x" * 70 + "\r\n"

    def send(subject, lines):
        hand_in(server, "x@far.test", [user], text(user, subject, body * lines, "x@far.test"))

    server.command("account", "quota", user, "100K", check=True)
    send("one", 1200)
    wait_subject(server, user, "one")
    assert rcpt(server, user)[0] == 250
    send("two", 300)  # over the quota, within the grace
    wait_subject(server, user, "two")
    for _ in range(100):  # queue tells auth behind the delivery
        code, said = rcpt(server, user)
        if code != 250:
            break
        time.sleep(0.1)
    assert (code, said[:5]) == (452, "4.2.2")
    assert route(server, user)[0] == EXIT_LATER
    # More room: at once.
    server.command("account", "quota", user, "200K", check=True)
    assert rcpt(server, user)[0] == 250
    # Too much for what is left: it was accepted, so it waits, and is delivered when there is room.
    send("three", 3000)
    for _ in range(100):
        code, said = rcpt(server, user)
        if code != 250:
            break
        time.sleep(0.1)
    assert (code, said[:5]) == (452, "4.2.2")
    waiting = [m for m in server.command("queue", "list", "--to", user, json_out=True)["messages"]]
    assert [m["reason"] for m in waiting] == ["Mailbox full"]
    server.command("account", "quota", user, "1M", check=True)
    wait_subject(server, user, "three")
    assert rcpt(server, user)[0] == 250


# ---- the dry run ----

def test_route(server):
    code, answer = route(server, "ALICE+lists@demo.test")
    assert code == 0 and answer["kind"] == "local" and answer["targets"][0]["address"] == "alice@demo.test"
    assert [s["what"] for s in answer["steps"]] == ["address", "domain", "subaddress", "account"]
    assert route(server, "nobody@demo.test")[0] == EXIT_UNKNOWN
    assert route(server, "staff@demo.test")[0] == EXIT_DENIED
    assert route(server, "staff@demo.test", "--from", "alice@demo.test")[0] == 0
    assert route(server, "staff@demo.test", "--from", "<>")[0] == EXIT_DENIED
    assert route(server, "x@far.test")[0] == 0
    code, answer = route(server, "x@far.test", "--from", "y@far.test")
    assert code == EXIT_DENIED and answer["kind"] == "foreign"
    assert route(server, "no address")[0] == 2
    done = server.command("route", "all@demo.test", "--from", "alice@demo.test")
    assert done.returncode == 0 and "outcome    delivered" in done.stdout and "policy     staff@demo.test is open to its members" in done.stdout


def test_route_without_a_server():
    """The same answers from the directory itself; with other separators, and none of the running server's memory."""
    directory = tempfile.mkdtemp(prefix="postrider-test.")
    with Server(directory=directory) as s:
        s.command("alias", "add", "info@demo.test", "alice@demo.test", "x@far.test", check=True)
    config = os.path.join(directory, "data", "postrider.conf")
    with open(config) as f:
        lines = f.read()
    assert 'subaddress = "+"' in lines
    with open(config, "w") as f:
        f.write(lines.replace('subaddress = "+"', 'subaddress = "+-"'))
    code, answer = route(s, "info-a+b@demo.test", "--from", "y@far.test")
    assert code == 0 and [t["address"] for t in answer["targets"]] == ["alice@demo.test", "x@far.test"]
    assert answer["targets"][1]["from"].startswith("SRS0=") and answer["targets"][1]["next_hop"] == "MX of far.test"
    assert route(s, "nobody@demo.test")[0] == EXIT_UNKNOWN
    with open(config, "w") as f:
        f.write(lines.replace('subaddress = "+"', 'subaddress = "a"'))
    assert "smtp.subaddress" in s.command("config", "check").stderr


def test_subaddress_reload():
    s = Served()
    try:
        def code():
            with smtplib.SMTP("127.0.0.1", s.values["port"], timeout=60) as c:
                c.ehlo("elsewhere.test")
                c.mail("x@far.test")
                return c.rcpt("fwd-x@here.test")[0]

        assert code() == 550
        s.reload(hostname='one.test"\nsmtp { subaddress = "+-" }\n#"')
        until(lambda: code() == 250, "the separators are as they were")
    finally:
        s.stop()


# ---- open relay probes ----

FOREIGN = "far.test"
PROBES = [
    # what is asked for, and what may be answered
    ("x@far.test", 550), ("X@FAR.TEST", 550), ("x%far.test@demo.test", 550), ("x%far.test@far.test", 550), ("far.test!x@demo.test", 550),
    ("far.test!x", 553), ("demo.test!far.test!x@demo.test", 550), ("\"x@far.test\"@demo.test", 550), ("\"x%far.test\"@demo.test", 550),
    ("\"far.test!x\"@demo.test", 550), ("\"x@far.test\"", 553), ("x@far.test@demo.test", 553), ("x@demo.test@far.test", 553),
    ("@demo.test:x@far.test", 553), ("@demo.test,@far.test:x@demo.test", 553), ("x@far.test.", 553), ("alice@demo.test.", 553),
    ("x@far.test..", 553), ("x@[127.0.0.1]", 550), ("alice@[127.0.0.1]", 550), ("alice@[10.9.0.1]", 550), ("alice@[IPv6:::1]", 550),
    ("alice@[IPv6:::ffff:127.0.0.1]", 550), ("alice@127.0.0.1", 553), ("alice@[far.test]", 553), ("alice@localhost", 550),
    ("alice@[2130706433]", 553), ("alice@0x7f.1", 553), ("alice@demo.test%far.test", 553), ("alice@demo\u00b7test", 553),
    ("alice@demo.test@", 553), ("alice@", 553), ("@demo.test", 553), ("<x@far.test>", 553), ("x@far.test,alice@demo.test", 553),
    ("alice@demo.test x@far.test", 553), ("al\\ice@demo.test", 553), ("\"alice\"@far.test", 550), ("alice@sub.demo.test", 550),
    ("alice@xdemo.test", 550), ("alice@demo.test.far.test", 550), ("SRS0=aaaaaa=aa=far.test=x@demo.test", 550),
    ("SRS1=aaaaaa=far.test==bbbb=cc=d=e@demo.test", 550), ("alice", 553),
]
SENDERS = ["y@far.test", "", "alice@demo.test", "alice@localhost", "alice@[127.0.0.1]", "root@demo.test", "x%far.test@demo.test"]


def test_open_relay(server):
    """mta.md 5, item 24: no spelling of a recipient, and no sender, makes a relay of us for strangers."""
    for sender in SENDERS:
        with Smtp(server, 25) as c:
            c.ok("EHLO probe.test")
            c.ok("MAIL FROM:<%s>" % sender)
            for i, (to, want) in enumerate(PROBES):
                if i and i % 15 == 0:  # after twenty refusals the session ends
                    c.close()
                    c.__init__(server, 25)
                    c.ok("EHLO probe.test")
                    c.ok("MAIL FROM:<%s>" % sender)
                code, said = c.do("RCPT TO:<%s>" % to)
                assert code == want or (code in (501, 553) and want in (501, 553)), (sender, to, code, said)
            assert c.do("DATA")[0] == 503


IDN = [  # dots and letters that some map to ours; after SMTPUTF8
    ("alice@demo\uff0etest", 250), ("alice@demo\u3002test", 250), ("alice@\uff24\uff25\uff2d\uff2f.test", 250), ("\u0430lice@demo.test", 550),
    ("alice@d\u0435mo.test", 550), ("x@f\u0430r.test", 550), ("x\uff20far.test@demo.test", 550), ("x@far\uff0etest", 550),
]


def test_idn_variants(server):
    """RFC 6531, UTS 46: what IDNA maps to our name is our name, and nothing else is; a full-width @ is no @."""
    with Smtp(server, 25) as c:
        c.ok("EHLO probe.test")
        c.ok("MAIL FROM:<y@far.test> SMTPUTF8")
        for to, want in IDN:
            code, said = c.do("RCPT TO:<%s>" % to)
            assert code == want or (want == 550 and code in (501, 553)), (to, code, said)


def test_foreign_sender(server):
    """A signed-in account sends under its own names only, whatever the spelling."""
    for sender in ("y@far.test", "bob@demo.test", "alice%far.test@demo.test", "alice@far.test", "alice@sub.demo.test", 
                   "staff2@demo.test", "SRS0=aaaaaa=aa=far.test=x@demo.test"):
        with session(server) as s:
            assert s.mail(sender)[0] == 553, sender
    for sender in ("alice@demo.test", "ALICE@DEMO.TEST", "\"alice\"@demo.test", "alice+x@demo.test"):
        with session(server) as s:
            assert s.mail(sender)[0] == 250, sender
