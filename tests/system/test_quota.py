"""Quotas over the real server: by delivery, APPEND and COPY, of accounts and of domains, and the warnings."""
import imaplib
import os
import poplib
import smtplib

import pytest

from server import PASSWORD, Server, tls, until

BODY = "x" * 70 + "\r\n"


@pytest.fixture(scope="module")
def server():
    s = Server("--accounts", "8")
    s.start()
    s.command("domain", "add", "small.test", check=True)
    for name in ("one", "two"):
        s.command("account", "add", name + "@small.test", "--password-stdin", input=PASSWORD + "\n", check=True)
    yield s
    s.stop()


class Mail:
    def __init__(self, server, user):
        self.c = imaplib.IMAP4_SSL("127.0.0.1", server.port(993), ssl_context=tls())
        self.c.login(user, PASSWORD)

    def append(self, lines, box="INBOX"):
        return self.c.append(box, None, None, ("Subject: m\r\n\r\n" + BODY * lines).encode())

    def quota(self):
        return self.c.getquota('""')[1][0].decode()

    def subjects(self):
        self.c.select("INBOX")
        found = self.c.search(None, "ALL")[1][0].split()
        return [self.c.fetch(n, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0][1].decode().strip()[9:] for n in found]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.c.logout()


def send(server, to, lines, subject="m"):
    with smtplib.SMTP("127.0.0.1", server.port(25), timeout=60) as c:
        return c.sendmail("x@far.test", [to], "From: x@far.test\r\nSubject: %s\r\n\r\n%s" % (subject, BODY * lines))


def rcpt(server, to):
    with smtplib.SMTP("127.0.0.1", server.port(25), timeout=60) as c:
        c.ehlo("elsewhere.test")
        c.mail("x@far.test")
        return c.rcpt(to)[0]


def test_append_and_copy(server):
    server.command("account", "quota", "alice@demo.test", "100K", "--messages", "5", check=True)
    with Mail(server, "alice@demo.test") as m:
        held = len(m.subjects())
        assert m.quota().endswith(" 100 MESSAGE %d 5)" % held)
        assert m.append(1300)[0] == "OK"
        assert m.append(500) == ("NO", [b"[OVERQUOTA] The quota would be exceeded"])
        m.c.select("INBOX")
        assert m.c.copy("1:*", "Trash")[1] == [b"[OVERQUOTA] The quota would be exceeded"]
        while m.append(1)[0] == "OK":
            pass
        full = len(m.subjects())
        assert full >= 5 and "Your mailbox is 100% full" in m.subjects()  # a warning is not refused
        assert m.c.uid("MOVE", "1:*", "Trash")[0] == "OK"
    shown = server.command("account", "quota", "alice@demo.test", json_out=True)
    assert (shown["quota"], shown["quota_messages"], shown["used_messages"], shown["own"]) == (102400, 5, full, True)
    assert 1300 * 72 < shown["used"] < 102400


def test_warnings(server):
    """One for each percent, whoever brought it there; the mail that fills is told too."""
    user = "bob@demo.test"
    with Mail(server, user) as m:
        start = len(m.subjects())
        server.command("account", "quota", user, "1M", check=True)
        send(server, user, 12000, "most of it")
        until(lambda: "Your mailbox is 8" in " ".join(m.subjects()), "the owner was not told")
        assert m.append(2500)[0] == "OK"
        assert [s for s in m.subjects() if s.startswith("Your mailbox")] == ["Your mailbox is 82% full", "Your mailbox is 99% full"]
        m.append(1)
        assert len(m.subjects()) == start + 5


def test_domain_default(server):
    server.command("domain", "quota", "small.test", "--quota", "50K", "--messages", "100", check=True)
    with Mail(server, "one@small.test") as m:
        assert m.quota() == '"" (STORAGE 0 50 MESSAGE 0 100)'
        assert m.append(1000)[0] == "NO"
        server.command("account", "quota", "one@small.test", "none", check=True)
        assert m.quota() == '"" (MESSAGE 0 100)'
        assert m.append(1000)[0] == "OK"
        server.command("account", "quota", "one@small.test", "default", check=True)
        assert m.quota().startswith('"" (STORAGE ') and " 50 " in m.quota()
    server.command("domain", "quota", "small.test", "--quota", "none", "--messages", "none", check=True)


def test_domain_total(server):
    """What one account holds, another cannot: by delivery and by APPEND; and what is deleted is free at once."""
    one, two = "one@small.test", "two@small.test"
    server.command("domain", "quota", "small.test", "--total", "400K", check=True)
    shown = server.command("domain", "quota", "small.test", json_out=True)
    assert shown["total"] == 409600 and shown["used"] > 70000  # what was there before is counted
    with Mail(server, one) as m, Mail(server, two) as n:
        assert m.append(3000)[0] == "OK"
        assert n.append(3000)[0] == "NO"
        assert n.append(1000)[0] == "OK"
        send(server, two, 500, "delivered")
        until(lambda: server.command("domain", "quota", "small.test", json_out=True)["used"] > 390000, "the delivery is not counted")
        assert m.append(400)[0] == "NO"
        assert m.append(50)[0] == "OK"
        assert rcpt(server, one) == 250
        while n.append(50)[0] == "OK":
            pass
        while n.append(1)[0] == "OK":
            pass
        m.c.select("INBOX")
        m.c.store("1:*", "+FLAGS.SILENT", "(\\Deleted)")
        m.c.expunge()
        assert n.append(2000)[0] == "OK"
    server.command("domain", "quota", "small.test", "--total", "none", check=True)


def test_domain_total_elsewhere(server):
    """What POP3 removes is free for the others when QUIT is answered; what an administrator restores is counted."""
    one, two = "one@small.test", "two@small.test"

    def used():
        return server.command("domain", "quota", "small.test", json_out=True)["used"]

    server.command("domain", "quota", "small.test", "--total", "400K", check=True)
    with Mail(server, one) as m, Mail(server, two) as n:
        for c in (m.c, n.c):
            c.select("INBOX")
            c.store("1:*", "+FLAGS.SILENT", "(\\Deleted)")
            c.expunge()
        assert used() == 0
        assert m.append(3000)[0] == "OK"
        assert n.append(3000)[0] == "NO"
        pop = poplib.POP3_SSL("127.0.0.1", server.port(995), context=tls())
        pop.user(one)
        pop.pass_(PASSWORD)
        pop.dele(1)
        assert pop.quit().startswith(b"+OK")
        assert used() == 0
        assert n.append(3000)[0] == "OK"
        held = used()
        assert server.command("undelete", one, "--since", "1h", json_out=True)["count"] > 0
        assert used() > held + 3000 * len(BODY)
    server.command("domain", "quota", "small.test", "--total", "none", check=True)


def test_refused_for_good():
    """quota.full = refuse: 552 at RCPT once it is known."""
    with Server("--accounts", "2") as server:
        with open(os.path.join(server.dir, "postrider.conf"), "a") as conf:
            conf.write('quota {\n    full = "refuse"\n}\n')
        server.command("reload", check=True)
        server.command("account", "quota", "alice@demo.test", "--messages", "1", check=True)
        try:
            send(server, "alice@demo.test", 1)
        except smtplib.SMTPRecipientsRefused:
            pass
        until(lambda: rcpt(server, "alice@demo.test") == 552, "the full mailbox is not refused")


def test_wrong_words(server):
    for words in (("account", "quota", "alice@demo.test", "many"), ("account", "quota", "alice@demo.test", "--messages", "1K"),
                  ("domain", "quota", "small.test", "--total", "-1")):
        assert server.command(*words).returncode == 2
    assert server.command("account", "quota", "nobody@demo.test").returncode == 3
    assert server.command("domain", "quota", "nobody.test", "--quota", "1M").returncode == 3
