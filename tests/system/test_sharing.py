"""Shared mailboxes over the real server: lists, rights, one's own \\Seen, groups, moves to another's account, and what is taken away."""
import imaplib
import os
import sqlite3
import time

import pytest

from server import PASSWORD, Server, tls, until

OTHER = '"Other Users/alice@demo.test/%s"'


@pytest.fixture(scope="module")
def server():
    s = Server("--accounts", "8")
    s.start()
    yield s
    s.stop()


class Mail(imaplib.IMAP4_SSL):
    def __init__(self, server, name):
        super().__init__("127.0.0.1", server.port(993), ssl_context=tls())
        self.login(name + "@demo.test", PASSWORD)

    def put(self, box, subject, flags=None):
        assert self.append(box, flags, None, ("Subject: %s\r\n\r\nbody\r\n" % subject).encode())[0] == "OK"

    def names(self, pattern='"Other Users/*"'):
        return [line.decode().split(' "/" ')[1].strip('"') for line in self.list('""', pattern)[1] if line]

    def pick(self, box):
        """SELECT, whatever it may be good for; imaplib itself takes READ-ONLY for a failure."""
        said = self._simple_command("SELECT", box)
        self.is_readonly = "READ-ONLY" in self.untagged_responses or b"READ-ONLY" in said[1][0]
        self.untagged_responses.pop("READ-ONLY", None)
        self.state = "SELECTED" if said[0] == "OK" else "AUTH"
        return said[0], self.untagged_responses.get("EXISTS", [])[-1:]

    def found(self, *keys):
        return self.uid("SEARCH", *keys)[1][0].decode()


def test_read_and_seen(server):
    with Mail(server, "alice") as a, Mail(server, "bob") as b, Mail(server, "carol") as c:
        a.create("Projects")
        for n in range(3):
            a.put("Projects", "m%d" % n, "(\\Seen)" if n == 0 else None)
        assert b.pick(OTHER % "Projects")[0] == "NO"
        assert b.names() == []
        assert a.setacl("Projects", "bob@demo.test", "lrs")[0] == "OK"
        assert b.names() == ["Other Users/alice@demo.test", "Other Users/alice@demo.test/Projects"]
        assert c.names() == []
        assert b.pick(OTHER % "Projects") == ("OK", [b"3"])
        assert b.is_readonly
        assert b.found("SEEN") == ""
        b.uid("STORE", "2", "+FLAGS", "(\\Seen)")
        b.fetch("3", "(BODY[])")
        assert b.found("UNSEEN") == "1"
        a.pick("Projects")
        assert a.found("UNSEEN") == "2 3"
        assert b.status(OTHER % "Projects", "(MESSAGES UNSEEN)")[1][0].endswith(b"(MESSAGES 3 UNSEEN 1)")
        assert b.append(OTHER % "Projects", None, None, b"Subject: x\r\n\r\n")[0] == "NO"
        assert b.uid("STORE", "1", "+FLAGS", "(\\Deleted)")[0] == "NO"
    with Mail(server, "bob") as b:  # it is kept
        b.pick(OTHER % "Projects")
        assert b.found("UNSEEN") == "1"


def test_change_is_told(server):
    """What the owner does reaches the reader who idles in the mailbox."""
    with Mail(server, "alice") as a, Mail(server, "bob") as b:
        b.pick(OTHER % "Projects")
        b.send(b"x IDLE\r\n")
        while not b.readline().startswith(b"+"):
            pass
        a.put("Projects", "new")
        while True:
            line = b.readline()
            if line.endswith(b" EXISTS\r\n"):
                break
        assert line == b"* 4 EXISTS\r\n"
        b.send(b"DONE\r\n")
        while not b.readline().startswith(b"x OK"):
            pass


def test_group_and_move(server):
    server.command("group", "add", "team", "carol@demo.test", check=True)
    server.command("group", "add", "team", "dave@demo.test", check=True)
    assert server.command("group", "list", "team", json_out=True)["members"] == ["carol@demo.test", "dave@demo.test"]
    with Mail(server, "alice") as a, Mail(server, "carol") as c:
        a.create("Team")
        assert a.setacl("Team", "$team", "lrswite")[0] == "OK"
        c.put("INBOX", "to be moved")
        c.pick("INBOX")
        uid = c.found("SUBJECT", "moved")
        assert c.uid("MOVE", uid, OTHER % "Team")[0] == "OK"
        assert c.found("SUBJECT", "moved") == ""
        assert a.pick("Team") == ("OK", [b"1"])
        c.pick(OTHER % "Team")
        assert c.uid("MOVE", "1", "Archive")[0] == "OK"
        assert c.pick("Archive") == ("OK", [b"1"])
        server.command("group", "remove", "team", "carol@demo.test", check=True)
        assert c.pick(OTHER % "Team")[0] == "NO"


def test_owner_pays(server):
    """What others put there counts for the owner."""
    with Mail(server, "erin") as e, Mail(server, "frank") as f:
        e.setacl("INBOX", "frank@demo.test", "lri")
        server.command("account", "quota", "erin@demo.test", "--messages", "1", check=True)
        box = '"Other Users/erin@demo.test/INBOX"'
        said = [f.append(box, None, None, b"Subject: x\r\n\r\nbody\r\n") for _ in range(3)]
        assert said[-1][0] == "NO" and said[-1][1][0].startswith(b"[OVERQUOTA]")
        f.put("INBOX", "mine")
        f.pick("INBOX")
        assert f.copy("1:*", box)[1][0].startswith(b"[OVERQUOTA]")


def test_taken_away(server):
    """Of one who has the mailbox selected, too."""
    with Mail(server, "alice") as a, Mail(server, "bob") as b:
        b.pick(OTHER % "Projects")
        assert b.uid("FETCH", "1", "(FLAGS)")[0] == "OK"
        a.deleteacl("Projects", "bob@demo.test")
        assert b.names() == []

        def gone():
            time.sleep(0.2)
            try:
                return b.uid("FETCH", "1", "(BODY.PEEK[])")[0] != "OK"
            except imaplib.IMAP4.abort:
                return True
        until(gone, "the mailbox can still be read")
        for _ in range(3):  # and not only once
            assert gone()


def test_renamed_and_removed(server):
    """Entries are of accounts, not of names: a new account of an old name has no rights."""
    for _ in range(1):
        server.command("account", "add", "guest@demo.test", "--password-stdin", input=PASSWORD + "\n", check=True)
    with Mail(server, "alice") as a:
        a.create("Guests")
        assert a.setacl("Guests", "guest@demo.test", "lr")[0] == "OK"
        server.command("account", "rename", "guest@demo.test", "friend@demo.test", check=True)
        assert b"friend@demo.test lr" in a.getacl("Guests")[1][0]
        with Mail(server, "friend") as f:
            assert f.pick(OTHER % "Guests")[0] == "OK"
        server.command("account", "remove", "friend@demo.test", "--purge", check=True)
        server.command("account", "add", "friend@demo.test", "--password-stdin", input=PASSWORD + "\n", check=True)
        with Mail(server, "friend") as f:
            assert f.pick(OTHER % "Guests")[0] == "NO"
            assert f.names() == []
        assert a.getacl("Guests")[1][0].split()[1:] == [b"alice@demo.test", b"lrswipkxtecda"]


def index(server, owner):
    """Whom the directory knows to be given something by that account."""
    with sqlite3.connect("file:%s?mode=ro" % os.path.join(server.dir, "data", "auth", "directory.db"), uri=True) as db:
        return db.execute("SELECT s.kind, o.address FROM share s JOIN account a ON a.id = s.owner LEFT JOIN account o ON o.id = s.subject"
                          " WHERE a.address = ? ORDER BY 2", (owner + "@demo.test",)).fetchall()


def test_deleted_is_forgotten(server):
    """With the last mailbox that was shared the directory forgets with whom; by whom it was deleted makes no difference, if he may administer it."""
    grace, heidi = (1, "grace@demo.test"), (1, "heidi@demo.test")
    with Mail(server, "frank") as f, Mail(server, "grace") as g:
        for box in ("One", "Two"):
            f.create(box)
            assert f.setacl(box, "grace@demo.test", "lrxa")[0] == "OK"
            assert f.setacl(box, "heidi@demo.test", "lr")[0] == "OK"
        assert index(server, "frank") == [grace, heidi]
        assert f.delete("One")[0] == "OK"
        assert index(server, "frank") == [grace, heidi]
        assert f.rename("Two", "Three")[0] == "OK"
        assert g.delete('"Other Users/frank@demo.test/Three"')[0] == "OK"
        assert index(server, "frank") == []
