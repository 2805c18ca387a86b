"""fsck --salvage, of a running server and of one that is stopped: a database that cannot be read, that is empty, that is gone."""
import glob
import os
import shutil
import smtplib

import pytest

from server import Server, until
from test_integrity import ANN, BOB, account_id, count, database, imap

MESSAGES = 40


def fill(server):
    c = imap(server)
    for i in range(MESSAGES):
        assert c.append("INBOX", "(\\Flagged)" if i % 2 else None, None, b"Subject: number %d\r\n\r\n%s\r\n" % (i, b"x" * (i * 10)))[0] == "OK"
    assert c.create("Plans")[0] == "OK"
    assert c.append("Plans", None, None, b"Subject: large\r\n\r\n" + b"0123456789\r\n" * 30000)[0] == "OK"
    c.logout()


@pytest.fixture
def stopped():
    s = Server().start()
    fill(s)
    s.own_dir = False
    s.stop()
    yield s
    shutil.rmtree(s.dir)


def pages(path):
    return os.path.getsize(path) // 4096


def garbage(path, first, last):
    with open(path, "r+b") as f:
        f.seek(first * 4096)
        f.write(b"\x5a" * 4096 * (last - first))


def into_database(path):
    """All into the database file: the log is emptied, so that what is written over a page stays."""
    import sqlite3
    db = sqlite3.connect(path)
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()


def accounted(found, before):
    assert found["salvaged"] and found["left"] == 0
    assert found["kept"] + found["moved"] + found["lost"] >= before
    return found


def test_salvage_of_a_stopped_server(stopped):
    account = account_id(stopped)
    path = database(stopped, account)
    into_database(path)
    garbage(path, 0, 1)  # header and schema
    done = stopped.command("fsck", ANN)
    assert done.returncode == 1 and "A13" in done.stdout and "--salvage" in done.stdout
    assert stopped.command("fsck", ANN, "--repair").returncode == 1
    assert stopped.command("fsck", "--salvage").returncode == 2
    found = accounted(stopped.command("fsck", ANN, "--salvage", json_out=True)["accounts"][0], MESSAGES + 1)
    assert found["lost"] == 0 and found["moved"] == 0 and os.path.exists("%s.damaged.%d" % (path, found["damaged"]))
    assert stopped.command("fsck", ANN).returncode == 0
    with Server(directory=stopped.dir) as s:
        assert count(s, "INBOX") >= MESSAGES and count(s, "Plans") == 1
        c = imap(s)
        c.select("INBOX")
        assert len(c.search(None, "FLAGGED")[1][0].split()) == MESSAGES // 2
        c.logout()


def test_salvage_while_it_runs(stopped):
    """Its mail waits and then comes; the sessions of others go on, and theirs works again."""
    path = database(stopped, account_id(stopped))
    into_database(path)
    garbage(path, 0, 1)
    s = Server(directory=stopped.dir)
    s.expect("account|malformed|corrupt|database|deferred")
    with s:
        with smtplib.SMTP("127.0.0.1", s.port(25), timeout=30) as c:
            c.sendmail("out@else.test", [ANN], "From: out@else.test\r\nSubject: waits\r\n\r\nHello.\r\n")
        until(lambda: s.command("queue", "list", "--reason", "damaged", json_out=True)["messages"], "it does not wait")
        other = imap(s, BOB)
        other.select("INBOX")
        accounted(s.command("fsck", ANN, "--salvage", json_out=True)["accounts"][0], MESSAGES + 1)
        assert other.noop()[0] == "OK"
        other.logout()
        before = count(s, "INBOX")
        assert before >= MESSAGES
        assert s.command("queue", "retry", "--all").returncode == 0
        until(lambda: count(s, "INBOX") == before + 1, "what waited has not come")
        assert s.command("fsck", check=True).stdout.endswith("0 broken\n")
        # Nothing to salvage: nothing is done.
        again = s.command("fsck", ANN, "--salvage", json_out=True)["accounts"][0] if s.command("fsck", ANN, "--salvage", json_out=True)["accounts"] else {}
        assert not again.get("salvaged")
        assert len(glob.glob(path + ".damaged.[0-9]")) == 1


def test_database_gone(stopped):
    """Somebody has removed it: the server makes a new one, and the files stay until they are adopted."""
    path = database(stopped, account_id(stopped))
    for name in (path, path + "-wal", path + "-shm"):
        if os.path.exists(name):
            os.unlink(name)
    found = stopped.command("fsck", ANN)
    assert found.returncode == 1 and "A13" in found.stdout
    s = Server(directory=stopped.dir)
    s.expect("contents that no row names are kept")
    with s:
        assert count(s, "INBOX") == 0
        found = s.command("fsck", ANN)
        assert found.returncode == 1 and "A8" in found.stdout
        assert s.command("fsck", ANN, "--salvage", json_out=True)["accounts"][0]["moved"] == 1
        assert count(s, "Recovered") == 1
        assert s.command("fsck", check=True).stdout.endswith("0 broken\n")


@pytest.mark.parametrize("size", (0, 100, 4096 * 3 + 17))
def test_database_cut(stopped, size):
    path = database(stopped, account_id(stopped))
    into_database(path)
    with open(path, "r+b") as f:
        f.truncate(size)
    found = stopped.command("fsck", ANN, "--salvage", json_out=True)["accounts"][0]
    assert found["moved"] >= 1
    assert stopped.command("fsck", ANN).returncode == 0
    with Server(directory=stopped.dir) as s:
        assert count(s, "Recovered") >= 1
