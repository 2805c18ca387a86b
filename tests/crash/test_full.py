"""A disk that fills up: nothing new is taken, what was accepted is delivered, deleting works, and it recovers alone. A small ext4 of its own."""
import os
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

import content
from clients import Imap
from ledger import Ledger
from smtp_load import OK, REFUSED, send
from world import PASSWORD, World

DISK, WATERMARK = 224 << 20, 24 << 20
BOB, CAROL = "bob@demo.test", "carol@demo.test"


@pytest.fixture
def world():
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small file system")
    top = tempfile.mkdtemp(prefix="postrider-full.")
    os.chmod(top, 0o755)
    image, data = os.path.join(top, "image"), os.path.join(top, "data")
    os.mkdir(data)
    with open(image, "wb") as f:
        f.truncate(DISK)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, data], capture_output=True).returncode != 0:
        shutil.rmtree(top)
        pytest.skip("mounting a loop device is not possible here")
    w = World("--accounts", "4", directory=top, environment={"POSTRIDER_WATERMARK": str(WATERMARK)})
    try:
        w.start()
        yield w
        w.stop()
        assert w.check_data() == []
    finally:
        if w.process and w.process.poll() is None:
            w.process.kill()
            w.process.wait()
        subprocess.run(["umount", "-l", data], check=True)
        shutil.rmtree(top)


def fill(world, leave):
    """Take all space but so much."""
    path = os.path.join(world.dir, "data", "filler")
    with open(path, "ab", buffering=0) as f:
        while True:
            s = os.statvfs(path)
            left = s.f_bavail * s.f_frsize - leave
            if left < 4096:
                return
            try:
                f.write(b"\0" * min(left, 1 << 20))
            except OSError:
                return


def until(what, timeout=30):
    end = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_disk_full(world):
    for pattern in (r"disk nearly full", r"disk full: going on from the reserve", r"disk has space again", r"message not taken.*Not enough storage",
                    r"delivery deferred.*status=full", r"disk full: reserve given up", r"queue cannot be written.*status=full"):
        world.expect(pattern)
    book, appended = [], {}
    imap = Imap(world.port(143), CAROL, PASSWORD)

    def mail(rcpts, size=3000):
        book.append(send(world, "f%d" % len(book), rcpts, size))
        return book[-1]

    def append():
        ident = "p%d" % len(appended)
        appended[ident], _ = imap.append(b"Drafts", content.make(ident, 2000))
        return appended[ident]

    for i in range(10):
        assert mail([BOB, CAROL], 300 << 10 if i % 5 == 0 else 3000).result == OK
    assert append() == "OK" and append() == "OK"

    # Accepted, but not delivered yet when the last octet goes.
    world.drain()
    local = world.roles()["local"]
    os.kill(local, signal.SIGSTOP)
    for i in range(12):
        assert mail([BOB, CAROL], 280 << 10 if i == 0 else 6000).result == OK
    fill(world, WATERMARK // 2)
    until(lambda: mail([BOB]).result == REFUSED)
    assert book[-1].reply.startswith(b"452"), book[-1].reply
    until(lambda: append() == "NO")
    assert "OVERQUOTA" in imap.text, imap.text
    fill(world, 0)
    waiting = world.command("status", json_out=True)["queue"]["messages"]
    assert waiting >= 12, waiting
    os.kill(local, signal.SIGCONT)
    world.drain(retry=False)
    world.wait_log(r'role=local msg="disk full: reserve given up"')

    # Deleting works on the full disk.
    imap.select(b"Drafts")
    imap.ok(b"STORE 1 +FLAGS.SILENT (\\Deleted)")
    imap.ok(b"EXPUNGE")
    del appended["p0"]
    assert mail([BOB]).reply.startswith(b"452")
    assert append() == "NO"

    # With space again everything goes on by itself.
    os.unlink(os.path.join(world.dir, "data", "filler"))
    until(lambda: mail([BOB, CAROL]).result == OK)
    until(lambda: append() == "OK")
    imap.select(b"Drafts")
    there = [content.identify(literals[0])[0] for _, _, literals in imap.messages(b"BODY.PEEK[]")]
    assert sorted(there) == sorted(i for i, status in appended.items() if status == "OK")
    imap.close()
    world.drain()
    assert Ledger(world, [BOB, CAROL]).verify(book) == []
