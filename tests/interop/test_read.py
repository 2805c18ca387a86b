"""Reading: imaplib, curl, mbsync (also where both sides changed), neomutt (also with CONDSTORE and QRESYNC), and clients that are slow or idle."""
import imaplib
import os
import re
import subprocess
import time

import pytest
from mailbox_ import imap, message, messages, ok, smtp, tls, wait_for


def fill(server, account, *subjects, box="INBOX"):
    with imap(server, account) as client:
        for subject in subjects:
            ok(client.append(box, None, None, message(account[0], account[0], subject).encode()))


def test_imaplib(server, account):
    fill(server, account, "one", "two", "three")
    with imap(server, account) as c:
        names = b" ".join(ok(c.list()))
        for name in (b"INBOX", b"Drafts", b"Sent", b"Trash", b"Junk", b"Archive"):
            assert name in names
        ok(c.create("Work"))
        assert ok(c.select("INBOX")) == [b"3"]
        assert len(messages(c)) == 3
        assert b"Subject: two" in ok(c.fetch("2", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))[0][1]
        assert b"ENVELOPE" in ok(c.fetch("2", "(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"))[0]
        assert ok(c.search(None, "SUBJECT", "two")) == [b"2"]
        assert ok(c.search(None, "UNSEEN")) == [b"1 2 3"]
        ok(c.store("1", "+FLAGS", r"(\Seen \Flagged)"))
        assert ok(c.search(None, "FLAGGED")) == [b"1"]
        ok(c.copy("1:2", "Work"))
        ok(c.uid("MOVE", "3", "Work") if "MOVE" in c.capabilities and False else c._simple_command("MOVE", "3", "Work"))
        assert len(messages(c)) == 2
        ok(c.store("1", "+FLAGS", r"(\Deleted)"))
        ok(c.expunge())
        assert len(messages(c)) == 1
        assert ok(c.select("Work")) == [b"3"]
        assert ok(c.search(None, "FLAGGED")) == [b"1"]  # COPY keeps flags
        ok(c.close())
        assert re.search(rb"MESSAGES 3", ok(c.status("Work", "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN)"))[0])
        ok(c.rename("Work", "Done"))
        ok(c.delete("Done"))


def test_append_flags_and_date(server, account):
    date = '"01-Aug-2026 12:00:00 +0000"'
    with imap(server, account) as c:
        ok(c.append("Drafts", r"(\Draft \Seen)", date, message(account[0], account[0], "draft").encode()))
        ok(c.select("Drafts"))
        told = ok(c.fetch("1", "(FLAGS INTERNALDATE)"))[0]
        assert rb"\Draft" in told and rb"\Seen" in told
        assert imaplib.Internaldate2tuple(told) == imaplib.Internaldate2tuple(f"INTERNALDATE {date}".encode())


@pytest.mark.expect_log("sign-in|login|auth")
def test_wrong_password(server, account):
    client = imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=tls(), timeout=60)
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        client.login(account[1], "wrong")
    client.login(account[1], account[2])
    client.logout()


def idle(client):
    client.send(b"i IDLE\r\n")
    assert client.readline().startswith(b"+")


def idle_until(client, pattern):
    while True:
        line = client.readline()
        assert line, "connection closed"
        if re.search(pattern, line):
            return


def idle_end(client):
    client.send(b"DONE\r\n")
    idle_until(client, rb"^i OK")


def test_idle_sees_arrival(server, account, other):
    with imap(server, account, "INBOX") as client:
        idle(client)
        with smtp(server, other) as sender:
            sender.sendmail(other[0], [account[0]], message(other[0], account[0], "wake up"))
        idle_until(client, rb"^\* 1 EXISTS")
        idle_end(client)
        assert any(b"Subject: wake up" in m for m in messages(client).values())


def test_idle_sees_other_session(server, account):
    fill(server, account, "one", "two")
    with imap(server, account, "INBOX") as first, imap(server, account, "INBOX") as second:
        idle(first)
        ok(second.store("2", "+FLAGS", r"(\Flagged)"))
        idle_until(first, rb"^\* 2 FETCH .*Flagged")
        ok(second.store("1", "+FLAGS", r"(\Deleted)"))
        ok(second.expunge())
        idle_until(first, rb"^\* 1 EXPUNGE")
        idle_end(first)


def curl(run, server, account, path, *more):
    return run("curl", "-sS", "-k", f"imaps://127.0.0.1:{server.ports['imaps']}/{path}", "--user", f"{account[1]}:{account[2]}", *more)


def test_curl(server, account, run, tmp_path):
    mail = tmp_path / "mail"
    mail.write_bytes(message(account[0], account[0], "by curl").encode())
    status, out = curl(run, server, account, "INBOX", "--upload-file", str(mail))
    assert status == 0, out
    status, out = curl(run, server, account, "")
    assert status == 0 and "INBOX" in out
    status, out = curl(run, server, account, "INBOX;MAILINDEX=1")
    assert status == 0 and "Subject: by curl" in out
    status, out = curl(run, server, account, "INBOX?SUBJECT%20curl")
    assert status == 0 and "SEARCH 1" in out


def test_curl_starttls(server, account, run):
    status, out = run("curl", "-sS", "-k", "--ssl-reqd", f"imap://127.0.0.1:{server.ports['imap']}/", "--user", f"{account[1]}:{account[2]}")
    assert status == 0 and "INBOX" in out


@pytest.fixture
def mbsync(server, account, run, tmp_path):
    config = tmp_path / "mbsyncrc"
    config.write_text(
        f"IMAPAccount server\nHost localhost\nPort {server.ports['imaps']}\nUser {account[1]}\nPass {account[2]}\nSSLType IMAPS\n"
        f"CertificateFile {tmp_path}/cert.pem\n\nIMAPStore far\nAccount server\n\nMaildirStore near\nPath {tmp_path}/mail/\nInbox {tmp_path}/mail/INBOX\n"
        f"SubFolders Verbatim\n\nChannel all\nFar :far:\nNear :near:\nPatterns *\nCreate Near\nExpunge Both\nSyncState *\n")
    shown = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.ports['imaps']}"], stdin=subprocess.DEVNULL, capture_output=True,
                           text=True).stdout
    (tmp_path / "cert.pem").write_text(re.search(r"-----BEGIN.*END CERTIFICATE-----\n", shown, re.S).group())
    (tmp_path / "mail").mkdir()

    def sync():
        status, out = run("mbsync", "-c", str(config), "all")
        assert status == 0, out
    sync.inbox = tmp_path / "mail" / "INBOX"
    return sync


def local_messages(inbox):
    return sorted(os.path.join(d, f) for d in ("cur", "new") for f in os.listdir(inbox / d) if not f.startswith("."))


def test_mbsync_both_ways(server, account, mbsync):
    fill(server, account, "down one", "down two")
    mbsync()
    local = local_messages(mbsync.inbox)
    assert len(local) == 2
    # up: a flag, and a new message
    one = next(m for m in local if b"Subject: down one" in (mbsync.inbox / m).read_bytes())
    os.rename(mbsync.inbox / one, mbsync.inbox / "cur" / (os.path.basename(one).split(":")[0] + ":2,FS"))
    (mbsync.inbox / "cur" / "1.2.host:2,S").write_bytes(message(account[0], account[0], "up").encode().replace(b"\r", b""))
    mbsync()
    with imap(server, account, "INBOX") as c:
        assert len(messages(c)) == 3
        assert len(ok(c.search(None, "FLAGGED", "SEEN", "SUBJECT", '"down one"'))[0].split()) == 1
        # down: a flag, an expunge, a new message
        ok(c.store(ok(c.search(None, "SUBJECT", "up"))[0].decode(), "+FLAGS", r"(\Answered)"))
        ok(c.store(ok(c.search(None, "SUBJECT", '"down two"'))[0].decode(), "+FLAGS", r"(\Deleted)"))
        ok(c.expunge())
    fill(server, account, "down three")
    mbsync()
    contents = {m: (mbsync.inbox / m).read_bytes() for m in local_messages(mbsync.inbox)}
    assert len(contents) == 3
    assert not any(b"down two" in t for t in contents.values())
    assert [m for m, t in contents.items() if b"Subject: up" in t][0].endswith("RS")
    mbsync()  # nothing more to do
    assert len(local_messages(mbsync.inbox)) == 3


def empty(server, account):
    """The demo has written to one of the accounts."""
    with imap(server, account, "INBOX") as c:
        ok(c.uid("STORE", "1:*", "+FLAGS.SILENT", r"(\Deleted)"))
        ok(c.expunge())


def near_box(mbsync, name):
    """The directory of a mailbox: programs differ in how they spell what is not ASCII."""
    for spelling in (name, name.encode("utf-7").decode().replace("+", "&")):
        if (mbsync.inbox.parent / spelling).is_dir():
            return mbsync.inbox.parent / spelling
    raise AssertionError(f"{name} is not there: {os.listdir(mbsync.inbox.parent)}")


def named(box, subject):
    return next(m for m in local_messages(box) if f"Subject: {subject}\n".encode() in (box / m).read_bytes())


def test_mbsync_conflicts(server, account, mbsync):
    """Both sides change between two runs: flags are joined, what one side removed and the other flagged is gone or kept on both alike."""
    empty(server, account)
    fill(server, account, "both flag", "near removes", "far removes", "keyword")
    with imap(server, account, "INBOX") as c:
        ok(c.store("4", "+FLAGS", "($Work)"))
    mbsync()
    inbox = mbsync.inbox
    for subject, flags in (("both flag", "F"), ("far removes", "FS")):
        m = named(inbox, subject)
        os.rename(inbox / m, inbox / "cur" / (os.path.basename(m).split(":")[0] + ":2," + flags))
    os.unlink(inbox / named(inbox, "near removes"))
    m = named(inbox, "keyword")
    os.rename(inbox / m, inbox / "cur" / (os.path.basename(m).split(":")[0] + ":2,R"))
    with imap(server, account, "INBOX") as c:
        ok(c.store("1", "+FLAGS", r"(\Seen)"))
        ok(c.store("2", "+FLAGS", r"(\Answered)"))
        ok(c.store("3", "+FLAGS", r"(\Deleted)"))
        ok(c.expunge())
    mbsync()
    mbsync()
    here = {m.split(":2,")[1]: (inbox / m).read_bytes() for m in local_messages(inbox)}
    with imap(server, account, "INBOX") as c:
        told = [item for item in ok(c.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")) if isinstance(item, tuple)]
    there = {item[1].decode().split("Subject: ")[1].strip(): item[0].decode() for item in told}
    assert len(here) == len(there) == 2, (here, there)
    assert r"\Flagged" in there["both flag"] and r"\Seen" in there["both flag"]
    assert r"\Answered" in there["keyword"] and "$Work" in there["keyword"]
    assert b"Subject: both flag" in here["FS"] and b"Subject: keyword" in here["R"]


def test_mbsync_names(server, account, mbsync):
    """Mailboxes whose names are not ASCII, have spaces, or lie below others."""
    with imap(server, account) as c:
        for name in ("&ANw-bung", "Two words", "Top/Below/&2D3eAA-"):
            ok(c.create(f'"{name}"'))
            ok(c.append(f'"{name}"', None, None, message(account[0], account[0], f"in {name[-4:-1].strip('&')}").encode()))
    mbsync()
    for name in ("\u00dcbung", "Two words"):
        assert len(local_messages(near_box(mbsync, name))) == 1
    assert len(local_messages(near_box(mbsync, "Top/Below/\U0001f600"))) == 1
    box = near_box(mbsync, "\u00dcbung")
    (box / "new" / "1.2.here").write_bytes(message(account[0], account[0], "up").replace("\r\n", "\n").encode())
    mbsync()
    with imap(server, account, '"&ANw-bung"') as c:
        assert len(messages(c)) == 2


def test_mbsync_many(server, account, mbsync):
    fill(server, account, *[f"number {i}" for i in range(200)])
    mbsync()
    assert len(local_messages(mbsync.inbox)) == 200
    for m in local_messages(mbsync.inbox)[:100]:
        os.unlink(mbsync.inbox / m)
    mbsync()
    with imap(server, account, "INBOX") as c:
        assert len(messages(c)) == 100


@pytest.mark.parametrize("more", ["", "set imap_condstore=yes\nset imap_qresync=yes\nset header_cache={d}/cache\n"],
                         ids=["plain", "qresync"])
def test_neomutt(server, account, tmp_path, more):
    """neomutt shows the index, opens a message, sets a flag. It needs a terminal: tmux gives it one. What it knows of the mailbox it keeps from
    one start to the next, and is told what is new."""
    fill(server, account, "first of neomutt", "second of neomutt")
    config = tmp_path / "neomuttrc"
    config.write_text(
        f'set ssl_verify_host=no\nset ssl_verify_dates=no\nset certificate_file="{tmp_path}/cert.pem"\nset imap_user="{account[1]}"\n'
        f'set imap_pass="{account[2]}"\nset folder="imaps://127.0.0.1:{server.ports["imaps"]}/"\nset spoolfile="+INBOX"\nset sort=mailbox-order\n'
        f'set header_cache=""\nset wait_key=no\nset quit=yes\nset mail_check=1\nset sidebar_visible=no\n' + more.format(d=tmp_path))
    shown = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.ports['imaps']}"], stdin=subprocess.DEVNULL, capture_output=True,
                           text=True).stdout
    (tmp_path / "cert.pem").write_text(re.search(r"-----BEGIN.*END CERTIFICATE-----\n", shown, re.S).group())
    terminal = ["tmux", "-S", str(tmp_path / "tmux"), "-f", "/dev/null"]

    def screen_shows(text, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            shown = subprocess.run(terminal + ["capture-pane", "-p"], capture_output=True, text=True).stdout
            if text in shown:
                return
            time.sleep(0.1)
        raise AssertionError(f"{text!r} is not on the screen:\n{shown}")

    def start():
        subprocess.run(terminal + ["new-session", "-d", "-x", "120", "-y", "30", f"neomutt -n -F {config}"], check=True,
                       env=dict(os.environ, TERM="xterm", LANG="C.UTF-8"))

    start()
    try:
        screen_shows("second of neomutt")
        subprocess.run(terminal + ["send-keys", "1", "Enter", "Enter"], check=True)
        screen_shows("Hello")
        subprocess.run(terminal + ["send-keys", "i"], check=True)
        screen_shows("second of neomutt")
        subprocess.run(terminal + ["send-keys", "F"], check=True)
        subprocess.run(terminal + ["send-keys", "$"], check=True)
        with imap(server, account, "INBOX") as c:
            for _ in range(100):
                if ok(c.search(None, "FLAGGED"))[0] and ok(c.search(None, "SEEN"))[0]:
                    break
                time.sleep(0.1)
            assert len(ok(c.search(None, "FLAGGED"))[0].split()) == 1
            assert len(ok(c.search(None, "SEEN"))[0].split()) >= 1
            subprocess.run(terminal + ["kill-server"])
            # while it is away one goes, one comes
            ok(c.store(ok(c.search(None, "SUBJECT", '"first of neomutt"'))[0].decode(), "+FLAGS", r"(\Deleted)"))
            ok(c.expunge())
        fill(server, account, "third of neomutt")
        start()
        screen_shows("third of neomutt")
        screen_shows("second of neomutt")
        assert "first of neomutt" not in subprocess.run(terminal + ["capture-pane", "-p"], capture_output=True, text=True).stdout
    finally:
        subprocess.run(terminal + ["kill-server"])


def test_slow_readers(server, account, other):
    """Twenty clients ask for 5 MB each and do not read; another one works on; then each gets all its octets."""
    large = message(account[0], account[0], "large", ("y" * 70 + "\r\n") * 70_000).encode()
    with imap(server, account) as c:
        ok(c.append("INBOX", None, None, large))
    slow = []
    for _ in range(20):
        client = imaplib.IMAP4_SSL("127.0.0.1", server.ports["imaps"], ssl_context=tls(), timeout=60)
        client.login(account[1], account[2])
        ok(client.select("INBOX"))
        client.send(b"s FETCH 1 BODY.PEEK[]\r\n")
        slow.append(client)
    fill(server, other, "meanwhile")
    with smtp(server, other) as sender:
        sender.sendmail(other[0], [account[0]], message(other[0], account[0], "beside the slow ones"))
    wait_for(server, account, "Subject: beside the slow ones")
    for client in slow:
        first = client.readline()
        while b"FETCH" not in first:
            first = client.readline()
        size = int(re.search(rb"\{(\d+)\}", first).group(1))
        assert size == len(large)
        assert client.read(size) == large
        client.shutdown()
