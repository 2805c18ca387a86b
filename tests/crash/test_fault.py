"""Planned failures in the running system (sys/fault.h): syncs that fail, and a message that ends the process that delivers it."""
import re
import shutil
import time

import pytest

import content
from clients import Imap
from ledger import Ledger
from smtp_load import OK, REFUSED, send
from world import PASSWORD, World

ALICE, BOB, CAROL, DAVE = ("%s@demo.test" % n for n in ("alice", "bob", "carol", "dave"))
EVERYBODY = [ALICE, BOB, CAROL, DAVE]


@pytest.fixture
def world(request, faults):
    """A server with the planned failures of the test's mark; at the end its data are checked, and its log."""
    plan, = request.node.get_closest_marker("plan").args
    w = World("--accounts", "4", environment={"POSTRIDER_FAULT": plan}).start()
    yield w
    w.halt()
    assert w.check_data() == []
    shutil.rmtree(w.dir)


def settled(world, book):
    world.drain()
    assert Ledger(world, EVERYBODY).verify(book) == []


@pytest.mark.plan("db.sync:queue.db:40:EIO")
def test_queue_sync_fails(world):
    for pattern in (r"sync failed: database set aside", r"queue set aside after a failed sync", r"queue was repaired",
                    r"message not taken.*Storage is being repaired", r"Storage is being repaired"):
        world.expect(pattern)
    book, end = [], time.monotonic() + 90
    while not any(s.result == REFUSED for s in book):
        assert time.monotonic() < end
        book.append(send(world, "q%d" % len(book), [BOB, CAROL]))
    assert book[-1].reply.startswith(b"451"), book[-1].reply
    while book[-1].result != OK:
        assert time.monotonic() < end
        time.sleep(0.1)
        book.append(send(world, "q%d" % len(book), [BOB, CAROL]))
    world.wait_log("queue was repaired")
    for _ in range(10):
        book.append(send(world, "q%d" % len(book), [BOB, CAROL]))
        assert book[-1].result == OK
    settled(world, book)


@pytest.mark.plan("db.sync:02/2/mail.db:15:EIO")
def test_account_sync_fails(world):
    """bob's account is set aside; carol's mail goes on; bob's is deferred, and comes after the repair, once."""
    for pattern in (r"sync failed: database set aside.*02/2/mail.db", r'msg="account not settled" account=2 ', r"delivery deferred.*account=2",
                    r"account was repaired.*account=2"):
        world.expect(pattern)
    book, end = [], time.monotonic() + 90
    while "database set aside" not in world.log_text():
        assert time.monotonic() < end
        book.append(send(world, "b%d" % len(book), [BOB, CAROL]))
        book.append(send(world, "b%d" % len(book), [CAROL]))
    for _ in range(5):
        book.append(send(world, "b%d" % len(book), [BOB, CAROL]))
    assert all(s.result == OK for s in book)
    world.wait_log("account was repaired")
    settled(world, book)


@pytest.mark.plan("db.sync:03/3/mail.db:6:EIO")
def test_append_sync_fails(world):
    """A tagged NO, and the message is not there; what was answered OK is. Mail to the account repairs it, then APPEND works again."""
    for pattern in (r"sync failed: database set aside.*03/3/mail.db", r'msg="account not settled" account=3 ', r"delivery deferred.*account=3",
                    r"account was repaired.*account=3", r'role=imap .*status=suspect'):
        world.expect(pattern)
    c = Imap(world.port(143), CAROL, PASSWORD)
    told = {}
    while "NO" not in told.values():
        ident = "p%d" % len(told)
        told[ident], _ = c.append(b"Drafts", content.make(ident, 2000))
        assert len(told) < 50
    book = [send(world, "s0", [CAROL, BOB])]
    world.drain()
    for _ in range(3):
        ident = "p%d" % len(told)
        told[ident], _ = c.append(b"Drafts", content.make(ident, 2000))
        assert told[ident] == "OK", c.text
    c.select(b"Drafts")
    there = [content.identify(literals[0])[0] for _, _, literals in c.messages(b"BODY.PEEK[]")]
    assert sorted(there) == sorted(i for i, status in told.items() if status == "OK")
    c.close()
    settled(world, book)


@pytest.mark.plan("db.sync:03/3/mail.db:6:EIO")
def test_repaired_without_mail(world):
    """Nobody writes to carol, and her session goes on: her account is found by its mark and repaired all the same."""
    for pattern in (r"sync failed: database set aside.*03/3/mail.db", r"account was repaired.*account=3", r'role=imap .*status=suspect'):
        world.expect(pattern)
    c = Imap(world.port(143), CAROL, PASSWORD)
    told = {}
    while "NO" not in told.values():
        ident = "p%d" % len(told)
        told[ident], _ = c.append(b"Drafts", content.make(ident, 2000))
        assert len(told) < 50
    world.wait_log("account was repaired")
    told["later"], _ = c.append(b"Drafts", content.make("later", 2000))
    assert told["later"] == "OK", c.text
    c.select(b"Drafts")
    there = [content.identify(literals[0])[0] for _, _, literals in c.messages(b"BODY.PEEK[]")]
    assert sorted(there) == sorted(i for i, status in told.items() if status == "OK")
    c.close()
    settled(world, [])


@pytest.mark.plan("local.deliver:dave@demo.test:1+:EIO")
def test_poison_is_held(world):
    """Three attempts, then held with its reason; other mail goes on; released, it is delivered by a local that can."""
    for pattern in (r'msg="process ended" process=local', r"AddressSanitizer|UndefinedBehaviorSanitizer", r'lvl=error role=queue msg="message held"'):
        world.expect(pattern)
    poison = send(world, "x0", [DAVE])
    assert poison.result == OK
    ident = re.search(rb"queued as (\S+)", poison.reply)[1].decode()
    book = [poison]
    end = time.monotonic() + 90
    while world.command("status", json_out=True)["queue"]["held"] == 0:
        assert time.monotonic() < end
        book.append(send(world, "x%d" % len(book), [BOB, CAROL]))
        time.sleep(0.2)
    shown = world.command("queue", "show", ident, json_out=True)
    assert shown["state"] == "held" and "ended the process" in shown["reason"], shown
    assert len(re.findall(r'process ended" process=local', world.log_text())) == 3
    assert len(re.findall(r"message held", world.log_text())) == 1
    end = time.monotonic() + 60
    while world.command("status", json_out=True)["queue"]["messages"] > 1:
        assert time.monotonic() < end
        world.command("queue", "retry", *[m["id"] for m in world.command("queue", "list", json_out=True)["messages"] if m["id"] != ident])
        time.sleep(0.1)
    world.halt()
    world.environment = {}
    world.start()
    time.sleep(0.3)
    assert world.command("queue", "show", ident, json_out=True)["state"] == "held"
    assert world.command("queue", "retry", ident).returncode == 0
    settled(world, book)
