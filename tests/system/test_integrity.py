"""undelete and fsck, of a running server and of one that is stopped; what a damaged account does to others."""
import glob
import imaplib
import os
import shutil
import smtplib
import sqlite3

import pytest

from server import PASSWORD, Server, tls, until

ANN, BOB = "alice@demo.test", "bob@demo.test"


def imap(server, address=ANN):
    c = imaplib.IMAP4_SSL("127.0.0.1", server.port(993), ssl_context=tls())
    c.login(address, PASSWORD)
    return c


def fill(server, n=3):
    """n messages in INBOX, all expunged, and a mailbox with one that is deleted."""
    c = imap(server)
    for i in range(n):
        assert c.append("INBOX", "(\\Flagged)", None, b"Subject: number %d\r\n\r\nHello.\r\n" % i)[0] == "OK"
    c.select("INBOX")
    c.store("1:*", "+FLAGS", "\\Deleted")
    assert c.expunge()[0] == "OK"
    c.close()
    assert c.create("Plans")[0] == "OK"
    assert c.append("Plans", None, None, b"Subject: plan\r\n\r\nHello.\r\n")[0] == "OK"
    assert c.delete("Plans")[0] == "OK"
    c.logout()


def count(server, mailbox, address=ANN):
    c = imap(server, address)
    got = c.select(mailbox, readonly=True)
    c.logout()
    return int(got[1][0]) if got[0] == "OK" else None


def account_id(server, address=ANN):
    return next(a["id"] for a in server.command("account", "list", json_out=True)["accounts"]
                if a["address"] == address)


def database(server, account):
    return glob.glob(os.path.join(server.dir, "data", "accounts", "*", str(account), "mail.db"))[0]


def undelete_all(server):
    """Shown, put back, and put back no second time."""
    shown = server.command("undelete", ANN, "--since", "1h", "--list", json_out=True)
    assert shown["count"] == 4 and not shown["restored"] and {m["mailbox"] for m in shown["messages"]} == {"INBOX", "Plans"}
    assert server.command("undelete", ANN, "--since", "1h", "--mailbox", "INBOX", json_out=True)["count"] == 3
    assert "1 message" in server.command("undelete", ANN, "--since", "1h", check=True).stdout
    assert server.command("undelete", ANN, "--since", "1h", json_out=True)["count"] == 0


def test_undelete_while_it_runs():
    with Server() as s:
        fill(s)
        watcher = imap(s)
        watcher.select("INBOX")
        undelete_all(s)
        assert count(s, "INBOX") == 3 and count(s, "Plans") == 1
        watcher.noop()
        assert watcher.untagged_responses["EXISTS"][-1] == b"3"
        assert b"\\Flagged" in watcher.fetch("1", "(FLAGS)")[1][0] and b"\\Deleted" not in watcher.fetch("1", "(FLAGS)")[1][0]
        watcher.logout()
        assert s.command("undelete", ANN).returncode == 2
        assert s.command("undelete", ANN, "--since", "yesterday").returncode == 2
        assert s.command("undelete", "nobody@demo.test", "--since", "1h").returncode == 3
        assert s.command("undelete", ANN, "--since", "1h", "--mailbox", "Nowhere").returncode == 3


@pytest.fixture
def stopped():
    """A server with mail that was stopped."""
    s = Server().start()
    fill(s)
    s.own_dir = False
    s.stop()
    yield s
    shutil.rmtree(s.dir)


def test_undelete_of_a_stopped_server(stopped):
    undelete_all(stopped)
    again = Server(directory=stopped.dir)
    again.start()
    assert count(again, "INBOX") == 3 and count(again, "Plans") == 1
    again.stop()


def break_counters(server, account):
    db = sqlite3.connect(database(server, account))
    db.execute("UPDATE mailbox SET messages = messages + 7, unseen = 3 WHERE name = 'INBOX'")
    db.commit()
    db.close()


def test_fsck_of_a_stopped_server(stopped):
    account = account_id(stopped)
    assert stopped.command("fsck", check=True).stdout.endswith("0 broken\n")
    break_counters(stopped, account)
    done = stopped.command("fsck", ANN)
    assert done.returncode == 1 and "A5" in done.stdout
    found = stopped.command("fsck", ANN, "--repair", json_out=True)["accounts"][0]
    assert found["broken"] > 0 and found["fixed"] > 0 and found["lost"] == 0 and found["left"] == 0
    assert stopped.command("fsck", str(account)).returncode == 0


def test_fsck_while_it_runs(stopped):
    account = account_id(stopped)
    break_counters(stopped, account)
    with Server(directory=stopped.dir) as s:
        assert s.command("fsck").returncode == 1
        assert s.command("fsck", "--repair", json_out=True)["accounts"][0]["left"] == 0
        assert s.command("fsck", check=True).stdout.endswith("0 broken\n")
        assert count(s, "INBOX") == 0
        assert s.command("fsck", "nobody@demo.test").returncode == 3
        assert s.command("fsck", "nonsense").returncode == 2


def test_a_damaged_account_harms_nobody_else(stopped):
    """Its mail waits and is not bounced, its sessions get NO, others go on, fsck says what it is."""
    path = database(stopped, account_id(stopped))
    with open(path, "r+b") as f:
        for page in range(1, os.path.getsize(path) // 4096):
            f.seek(page * 4096)
            f.write(b"\x5a" * 4096)
    s = Server(directory=stopped.dir)
    s.expect("account|malformed|corrupt|database")
    with s:
        before = count(s, "INBOX", BOB)
        with smtplib.SMTP("127.0.0.1", s.port(25), timeout=30) as c:
            c.sendmail("out@else.test", [ANN, BOB], "From: out@else.test\r\nSubject: waits\r\n\r\nHello.\r\n")
        until(lambda: count(s, "INBOX", BOB) == before + 1, "bob got nothing")
        until(lambda: s.command("queue", "list", "--reason", "damaged", json_out=True)["messages"], "it does not wait")
        c = imap(s)
        assert c.select("INBOX")[0] == "NO"
        c.logout()
        done = s.command("fsck", ANN)
        assert done.returncode == 1 and "A13" in done.stdout
