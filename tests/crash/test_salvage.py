"""kill -9 in the middle of fsck --salvage: the next run does it, and no message is lost."""
import glob
import imaplib
import os
import shutil
import signal
import sqlite3
import ssl
import subprocess
import threading
import time

import pytest

import content
from world import BIN, PASSWORD, World

ALICE = "alice@demo.test"
SMALL, LARGE, MOMENTS = 60, 3, 16


def imap(world):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    c = imaplib.IMAP4_SSL("127.0.0.1", world.base + 993, ssl_context=context)
    c.login(ALICE, PASSWORD)
    return c


def rows(path):
    """What messages there are: mailbox, uid, flags, hash of the content."""
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    found = db.execute("SELECT b.name, m.uid, m.flags, c.hash FROM message m JOIN mailbox b ON b.id = m.mailbox JOIN email e ON e.id = m.email"
                       " JOIN content c ON c.id = e.content ORDER BY 1, 2").fetchall()
    db.close()
    return found


class Damaged:
    """A stopped server; alice's database has lost its first page. Each of its messages can be kept."""

    def __init__(self):
        self.world = World("--accounts", "2").start()
        c = imap(self.world)
        for i in range(SMALL + LARGE):
            octets = content.make("s%d" % i, 300000 if i >= SMALL else 200 + 100 * i)
            assert c.append("INBOX", "\\Flagged" if i % 2 else None, None, octets)[0] == "OK"
        c.logout()
        self.world.halt()
        self.path = next(p for p in glob.glob(os.path.join(self.world.dir, "data/accounts/*/*/mail.db")) if os.path.getsize(p) and rows(p)
                         and any(r[2] == 4 for r in rows(p)))
        db = sqlite3.connect(self.path)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        self.rows = rows(self.path)
        with open(self.path, "r+b") as f:
            f.write(b"\x5a" * 4096)
        self.folder = os.path.dirname(self.path)
        subprocess.run(["cp", "-a", self.folder, self.world.dir + "/saved"], check=True)

    def restore(self):
        shutil.rmtree(self.folder)
        subprocess.run(["cp", "-a", self.world.dir + "/saved", self.folder], check=True)

    def command(self):
        return subprocess.Popen([BIN, "fsck", ALICE, "--salvage", "--config", os.path.join(self.world.dir, "postrider.conf")],
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)

    def finish(self):
        """Run it to its end. What was killed may hold the lock of the data for a moment."""
        end = time.monotonic() + 60
        while True:
            process = self.command()
            out = process.communicate(timeout=120)[0].decode()
            if process.returncode != 75 or time.monotonic() > end:
                assert process.returncode == 0, out
                return
            time.sleep(0.05)

    def same(self):
        assert rows(self.path) == self.rows
        leftovers = [n for n in os.listdir(self.folder) if n.startswith("mail.db.repair") or n == "mail.db.suspect"]
        assert leftovers == []


@pytest.fixture(scope="module")
def damaged():
    d = Damaged()
    yield d
    shutil.rmtree(d.world.dir)


def test_command_killed(damaged):
    damaged.restore()
    begun = time.monotonic()
    assert damaged.command().wait(120) == 0
    whole = time.monotonic() - begun
    damaged.same()
    done = 0
    for i in range(MOMENTS):
        damaged.restore()
        process = damaged.command()
        time.sleep(whole * (i + 1) / MOMENTS)
        os.killpg(process.pid, signal.SIGKILL)  # it works in a child, as the user of the data
        done += process.wait(60) == 0
        process.stdout.close()
        # The old one is kept, or still in its place.
        assert glob.glob(damaged.path + ".damaged.*") or os.path.exists(damaged.path)
        damaged.finish()
        damaged.same()
    assert done < MOMENTS
    assert damaged.world.check_data() == []


def test_local_killed(damaged):
    """The process that salvages, of a server that runs."""
    world = damaged.world
    damaged.restore()
    world.expect(r"damaged|corrupt|malformed|account|database")
    world.start()
    for wait in (0.0, 0.02, 0.1, 0.3):
        asked = threading.Thread(target=lambda: damaged.command().wait(120))
        asked.start()
        time.sleep(wait)
        pid = world.kill_role("local")
        world.wait_roles(without=[pid])
        asked.join()
    damaged.finish()  # of a server that has just lost local four times, so it may have to ask again
    c = imap(world)
    assert int(c.select("INBOX")[1][0]) >= SMALL + LARGE
    for i in range(SMALL + LARGE):
        found = c.search(None, "SUBJECT", '"crash test s%d"' % i)[1][0].split()
        assert found
    c.logout()
    world.halt()
    assert sorted(set(damaged.rows) - set(rows(damaged.path))) == []
    assert world.check_data() == []
