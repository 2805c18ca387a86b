"""Programs that keep two mailboxes equal: offlineimap, with what the server offers. mbsync and neomutt: test_read.py."""
import hashlib
import mailbox
import os
import ssl

from mailbox_ import imap, message, ok
from wire import Wire


def fill(server, account, box, *subjects):
    with imap(server, account) as client:
        for subject in subjects:
            ok(client.append(box, None, None, message(account[0], account[0], subject).encode()))


def subjects(path):
    return sorted(m["Subject"] for m in mailbox.Maildir(path, create=False))


def on_server(server, account, box):
    with imap(server, account, box) as client:
        told = ok(client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
    return {item[1].decode().split(": ")[1].strip(): item[0].decode() for item in told if isinstance(item, tuple)}


OFFLINEIMAPRC = """\
[general]
accounts = test
metadata = {d}/meta
ui = basic
[Account test]
localrepository = here
remoterepository = there
[Repository here]
type = Maildir
localfolders = {d}/mail
[Repository there]
type = IMAP
remotehost = 127.0.0.1
remoteport = {port}
remoteuser = {user}
remotepass = {password}
ssl = yes
cert_fingerprint = {fingerprint}
tls_level = tls_compat
usecompression = {compress}
"""


def fingerprint(cert):
    with open(cert) as f:
        return hashlib.sha1(ssl.PEM_cert_to_DER_cert(f.read())).hexdigest()


def offlineimap(run, server, account, d, compress):
    path = d / "offlineimaprc"
    path.write_text(OFFLINEIMAPRC.format(d=d, port=server.ports["imaps"], user=account[1], password=account[2],
                                         fingerprint=fingerprint(getattr(server, "cert", os.path.join(server.dir, "data", "tls.crt"))),
                                         compress=compress))
    status, out = run("offlineimap", "-c", str(path), "-o", "-1", timeout=120)
    assert status == 0 and "ERROR" not in out, out


def test_offlineimap(server, account, run, tmp_path):
    fill(server, account, "INBOX", "one", "two", "three")
    fill(server, account, "Archive", "old")
    offlineimap(run, server, account, tmp_path, "no")
    assert subjects(tmp_path / "mail" / "INBOX") == ["one", "three", "two"]
    assert subjects(tmp_path / "mail" / "Archive") == ["old"]
    here = mailbox.Maildir(tmp_path / "mail" / "INBOX", create=False)
    for key, m in list(here.items()):
        if m["Subject"] == "one":
            here.remove(key)
        if m["Subject"] == "two":
            m.set_subdir("cur")
            m.set_flags("FS")
            here[key] = m
    here.add(message(account[0], account[0], "written here").encode())
    with Wire(server, account) as w:
        w.ok("SELECT INBOX")
        w.ok("STORE 3 +FLAGS (\\Answered)")
    offlineimap(run, server, account, tmp_path, "yes" if server.name == "postrider" else "no")
    found = on_server(server, account, "INBOX")
    assert sorted(found) == ["three", "two", "written here"]
    assert "\\Flagged" in found["two"] and "\\Seen" in found["two"]
    offlineimap(run, server, account, tmp_path, "no")
    assert subjects(tmp_path / "mail" / "INBOX") == ["three", "two", "written here"]
    assert any("R" in m.get_flags() for m in mailbox.Maildir(tmp_path / "mail" / "INBOX", create=False) if m["Subject"] == "three")
