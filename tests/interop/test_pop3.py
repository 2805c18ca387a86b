"""Reading by POP3: fetchmail, getmail6, mpop, curl."""
import os
import subprocess

import pytest

from mailbox_ import imap, message, messages, ok

pytestmark = pytest.mark.postrider_only


@pytest.fixture
def account(server, account):
    """Its INBOX is empty: the demo has written to one of them."""
    with imap(server, account, "INBOX") as client:
        ok(client.store("1:*", "+FLAGS.SILENT", r"(\Deleted)"))
        ok(client.expunge())
    return account


def fill(server, account, *subjects):
    with imap(server, account) as client:
        for subject in subjects:
            ok(client.append("INBOX", None, None, message(account[0], account[0], subject, f".{subject}\r\n.\r\n..\r\n").encode()))


def left(server, account):
    with imap(server, account, "INBOX") as client:
        return len(messages(client))


def program(*words, directory, status=0):
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": str(directory), "LC_ALL": "C.UTF-8"})
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def sink(tmp_path):
    """A program that keeps what it gets, a file each."""
    (tmp_path / "mail").mkdir(exist_ok=True)
    path = tmp_path / "sink"
    path.write_text(f"#!/bin/sh\ncat >$(mktemp {tmp_path}/mail/XXXXXX)\n")
    path.chmod(0o755)
    return path


def kept(tmp_path):
    return sorted((tmp_path / "mail").iterdir())


@pytest.fixture
def fetchmail(server, account, tmp_path):
    config = tmp_path / "fetchmailrc"

    def run(options, ssl, status=0):
        port = server.ports["pop3s" if ssl else "pop3"]
        tls = "ssl" if ssl else "sslproto TLS1.2+"
        config.write_text(f'poll localhost proto POP3 port {port} uidl\n  user "{account[1]}" password "{account[2]}" {tls} no sslcertck\n'
                          f'  mda "{sink(tmp_path)}" {options}\n')
        config.chmod(0o600)
        return program("fetchmail", "-f", str(config), "-i", str(tmp_path / "ids"), "--pidfile", str(tmp_path / "pid"), "--nosyslog", "-v",
                       directory=tmp_path, status=status)
    return run


@pytest.mark.parametrize("ssl", [True, False], ids=["pop3s", "stls"])
def test_fetchmail(server, account, fetchmail, tmp_path, ssl):
    """Kept on the server each message is fetched once; then all is taken away."""
    fill(server, account, "one", "two")
    fetchmail("keep", ssl)
    assert len(kept(tmp_path)) == 2 and left(server, account) == 2
    fetchmail("keep", ssl, status=1)  # no new mail
    assert len(kept(tmp_path)) == 2
    fill(server, account, "three")
    fetchmail("keep", ssl)
    assert len(kept(tmp_path)) == 3
    texts = [f.read_text() for f in kept(tmp_path)]
    assert all(sum(f"Subject: {s}\n" in t and f".{s}\n.\n..\n" in t for t in texts) == 1 for s in ("one", "two", "three"))
    fetchmail("fetchall nokeep", ssl)
    assert left(server, account) == 0 and len(kept(tmp_path)) == 6


def test_fetchmail_many(server, account, fetchmail, tmp_path):
    fill(server, account, *[f"number {n}" for n in range(100)])
    fetchmail("nokeep", True)
    assert left(server, account) == 0 and len(kept(tmp_path)) == 100


@pytest.mark.parametrize("kind,auth", [("pop3s", "user"), ("pop3s", "plain"), ("pop3s", "scram-sha-256"), ("pop3s", "scram-sha-1"), ("stls", "login"), ("stls", "user")])
def test_mpop(server, account, tmp_path, kind, auth):
    fill(server, account, "one", "two")
    config = tmp_path / "mpoprc"
    config.write_text(f"account a\nhost 127.0.0.1\nport {server.ports['pop3s' if kind == 'pop3s' else 'pop3']}\ntls on\ntls_starttls {'off' if kind == 'pop3s' else 'on'}\n"
                      f"tls_certcheck off\nauth {auth}\nuser {account[1]}\npassword {account[2]}\nkeep on\nuidls_file {tmp_path}/uidls\n"
                      f"delivery mda {sink(tmp_path)}\n")
    config.chmod(0o600)
    program("mpop", "-C", str(config), "a", directory=tmp_path)
    program("mpop", "-C", str(config), "a", directory=tmp_path)
    assert len(kept(tmp_path)) == 2 and left(server, account) == 2
    program("mpop", "-C", str(config), "--keep=off", "a", directory=tmp_path)
    assert left(server, account) == 0 and len(kept(tmp_path)) == 2


def test_mpop_server_info(server, account, tmp_path):
    out = program("mpop", "--serverinfo", "--host=127.0.0.1", f"--port={server.ports['pop3s']}", "--tls=on", "--tls-starttls=off", "--tls-certcheck=off",
                  directory=tmp_path)
    for word in ("PIPELINING", "TOP", "UIDL", "NEVER", "SCRAM-SHA-256"):
        assert word in out, out


def test_getmail(server, account, tmp_path):
    fill(server, account, "one", "two", "three")
    (tmp_path / "getmailrc").write_text(
        f"[retriever]\ntype = SimplePOP3SSLRetriever\nserver = 127.0.0.1\nport = {server.ports['pop3s']}\nusername = {account[1]}\npassword = {account[2]}\n"
        f"\n[destination]\ntype = MDA_external\npath = {sink(tmp_path)}\nallow_root_commands = true\n\n[options]\ndelete = true\nread_all = false\n")
    program("getmail", "--getmaildir", str(tmp_path), "--rcfile", "getmailrc", directory=tmp_path)
    assert len(kept(tmp_path)) == 3 and left(server, account) == 0


def test_curl(server, account, run, tmp_path):
    fill(server, account, "by curl", "another")
    who = ["--user", f"{account[1]}:{account[2]}", "-sS", "-k"]
    at = f"pop3s://127.0.0.1:{server.ports['pop3s']}"
    status, out = run("curl", *who, at + "/")
    assert status == 0 and out.split()[0] == "1" and "\n2 " in out
    status, out = run("curl", *who, at + "/1")
    assert status == 0 and "Subject: by curl" in out and "\n.by curl" in out
    status, out = run("curl", *who, f"pop3://127.0.0.1:{server.ports['pop3']}/2", "--ssl-reqd")
    assert status == 0 and "Subject: another" in out
    status, out = run("curl", *who, at + "/1", "-X", "DELE", "--head")
    assert status == 0 and left(server, account) == 1
    for mechanism in ("PLAIN", "LOGIN"):
        status, out = run("curl", *who, at + "/", "--login-options", "AUTH=" + mechanism)
        assert status == 0, out


@pytest.mark.expect_log("sign-in failed")
def test_wrong_password(server, account, run, fetchmail, tmp_path):
    status, out = run("curl", "-sS", "-k", f"pop3s://127.0.0.1:{server.ports['pop3s']}/", "--user", f"{account[1]}:wrong")
    assert status == 67, out  # CURLE_LOGIN_DENIED
