"""Signing in by the mechanisms of real programs: swaks, msmtp (GNU SASL), gsasl, mbsync (Cyrus SASL), curl, neomutt."""
import re
import subprocess
import time

import pytest
from mailbox_ import imap, message, ok, wait_for

pytestmark = pytest.mark.postrider_only


@pytest.fixture(scope="module")
def authority(running, tmp_path_factory):
    """The server's certificate as a file, for programs that insist."""
    shown = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{running.ports['imaps']}"], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True).stdout
    path = tmp_path_factory.mktemp("authority") / "cert.pem"
    path.write_text(re.search(r"-----BEGIN.*END CERTIFICATE-----\n", shown, re.S).group())
    return str(path)


def token(server, account):
    return server.command("account", "token", "add", account[0])["token"]


def signed_in(server, mechanism, user, seconds=20):
    """The lines of the log that say so; the client can be told a moment before they are written."""
    end = time.monotonic() + seconds
    while True:
        with open(server.log_path, errors="replace") as f:
            found = [l for l in f if f"mechanism={mechanism} " in l and f"user={user} " in l]
        if found or time.monotonic() > end:
            return found
        time.sleep(0.05)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks(server, account, run, mechanism):
    status, out = run("swaks", "--server", "127.0.0.1", "--port", str(server.ports["submission"]), "--from", account[0], "--to", account[0],
                      "--ehlo", "client.example", "--auth-user", account[1], "--auth-password", account[2], "--tls", "--auth", mechanism,
                      "--timeout", "30")
    assert status == 0, out
    assert signed_in(server, mechanism, account[0])


@pytest.mark.parametrize("mechanism", ["plain", "login", "scram-sha-1", "scram-sha-256", "oauthbearer", "xoauth2", "on"])
def test_msmtp(server, account, run, mechanism, tmp_path):
    secret = token(server, account) if mechanism in ("oauthbearer", "xoauth2") else account[2]
    config = tmp_path / "msmtprc"
    config.write_text(f"account a\nhost 127.0.0.1\nport {server.ports['submissions']}\ntls on\ntls_starttls off\ntls_certcheck off\n"
                      f"auth {mechanism}\nuser {account[1]}\npassword {secret}\nfrom {account[0]}\n")
    config.chmod(0o600)
    status, out = run("msmtp", "-C", str(config), "-a", "a", account[0], stdin=message(account[0], account[0], "msmtp " + mechanism))
    assert status == 0, out
    wait_for(server, account, "Subject: msmtp " + mechanism)
    if mechanism != "on":
        assert signed_in(server, mechanism.upper(), account[0])


@pytest.mark.expect_log("sign-in")
@pytest.mark.parametrize("mechanism", ["plain", "scram-sha-1", "scram-sha-256", "oauthbearer"])
def test_msmtp_wrong(server, account, run, mechanism, tmp_path):
    config = tmp_path / "msmtprc"
    config.write_text(f"account a\nhost 127.0.0.1\nport {server.ports['submissions']}\ntls on\ntls_starttls off\ntls_certcheck off\n"
                      f"auth {mechanism}\nuser {account[1]}\npassword wrong\nfrom {account[0]}\n")
    config.chmod(0o600)
    status, out = run("msmtp", "-C", str(config), "-a", "a", account[0], stdin=message(account[0], account[0], "never"))
    assert status == 77, out  # EX_NOPERM


@pytest.mark.parametrize("protocol,port", [("--smtp", "submission"), ("--imap", "imap")])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_gsasl(server, account, run, authority, mechanism, protocol, port):
    status, out = run("gsasl", protocol, "--connect", f"localhost:{server.ports[port]}", "--x509-ca-file=" + authority, "--mechanism", mechanism,
                      "--authentication-id", account[1], "--password", account[2], "--no-cb", "--verbose", stdin="")
    assert signed_in(server, mechanism, account[0]), out


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "*"])
def test_mbsync(server, account, run, authority, mechanism, tmp_path):
    with imap(server, account) as client:
        ok(client.append("INBOX", None, None, message(account[0], account[0], "to be fetched").encode()))
    config = tmp_path / "mbsyncrc"
    config.write_text(f"IMAPAccount server\nHost localhost\nPort {server.ports['imaps']}\nUser {account[1]}\nPass {account[2]}\nSSLType IMAPS\n"
                      f"CertificateFile {authority}\nAuthMechs {mechanism}\n\nIMAPStore far\nAccount server\n\nMaildirStore near\n"
                      f"Path {tmp_path}/mail/\nInbox {tmp_path}/mail/INBOX\nSubFolders Verbatim\n\nChannel all\nFar :far:\nNear :near:\n"
                      "Patterns INBOX\nCreate Near\nSyncState *\n")
    (tmp_path / "mail").mkdir()
    status, out = run("mbsync", "-c", str(config), "all")
    assert status == 0, out
    fetched = [f.read_text(errors="replace") for f in (tmp_path / "mail" / "INBOX" / "new").iterdir()]
    assert sum("to be fetched" in f for f in fetched) == 1  # other tests have sent to the account, too
    if mechanism != "*":
        assert signed_in(server, mechanism, account[0])


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "OAUTHBEARER"])  # it takes OAUTHBEARER where both are offered
@pytest.mark.parametrize("scheme,port", [("imaps", "imaps"), ("smtps", "submissions")])
def test_curl(server, account, run, tmp_path, mechanism, scheme, port):
    mail = tmp_path / "mail"
    mail.write_bytes(message(account[0], account[0], "curl " + mechanism).encode())
    what = ["--mail-from", account[0], "--mail-rcpt", account[0], "--upload-file", str(mail)] if scheme == "smtps" else ["-X", "NOOP"]
    secret = ["--user", account[1], "--oauth2-bearer", token(server, account)] if "AUTH" in mechanism else ["--user", f"{account[1]}:{account[2]}"]
    status, out = run("curl", "-sS", "-k", f"{scheme}://127.0.0.1:{server.ports[port]}/", *secret, "--login-options", "AUTH=" + mechanism, *what)
    assert status == 0, out
    assert signed_in(server, mechanism, account[0])


@pytest.mark.expect_log("sign-in")
@pytest.mark.parametrize("scheme,port", [("imaps", "imaps"), ("smtps", "submissions")])
def test_curl_wrong_token(server, account, run, scheme, port):
    for mechanism in ("OAUTHBEARER", "XOAUTH2"):
        status, out = run("curl", "-sS", "-k", f"{scheme}://127.0.0.1:{server.ports[port]}/", "--user", account[1], "--oauth2-bearer", "wrong",
                          "--login-options", "AUTH=" + mechanism, *(["-X", "NOOP"] if scheme == "imaps" else ["--mail-from", account[0]]))
        assert status == 67, out  # CURLE_LOGIN_DENIED
